//! Pages, what stands in them, and what comes back.

use super::*;
use crate::message::form::Group;
use crate::message::{FormKind, Span};

fn field(name: &str, kind: FieldKind) -> FormField {
    FormField {
        name: name.into(),
        label: format!("The {name}"),
        hint: Some("a hint".into()),
        required: true,
        kind,
        fault: None,
    }
}

fn text(name: &str) -> FormField {
    field(name, FieldKind::Text { value: Some("old".into()), multiline: true, max_length: 500, placeholder: None })
}

fn search(name: &str, most: u16) -> FormField {
    field(name, FieldKind::Search { picked: vec![choice(1)], most, tells: true })
}

fn choice(n: usize) -> Choice {
    Choice { value: format!("v{n}"), label: format!("choice-{n} · about it") }
}

fn found(n: usize) -> Suggestions {
    Suggestions { groups: vec![Group { heading: None, choices: (0..n).map(choice).collect() }] }
}

fn form(fields: Vec<FormField>) -> Form {
    Form {
        kind: FormKind::Pick,
        title: "restart-service".into(),
        submit: Some("Run".into()),
        intro: vec![Span::plain("intro")],
        fields,
        footer: vec![],
    }
}

#[test]
fn a_form_of_more_than_five_fields_has_pages_that_say_so() {
    let form = form((0..11).map(|n| text(&format!("f{n}"))).collect());
    assert_eq!(pages(&form), 3);
    assert_eq!((page_of(&form, "f4"), page_of(&form, "f5"), page_of(&form, "f10")), (0, 1, 2));
    let modal = modal(&form, 2, &Values::new(), &BTreeMap::new(), "id");
    assert_eq!(modal["title"], "restart-service (3 of 3)");
    assert_eq!(modal["components"].as_array().unwrap().len(), 1);
    assert_eq!(modal["custom_id"], "id");
    assert!(fields(&form, 3).is_empty());
}

#[test]
fn every_kind_of_field_is_a_label_with_one_component() {
    let number = FieldKind::Number { value: None, min: Some("1".into()), max: Some("5".into()), decimal: false };
    let few = FieldKind::Choice { choices: vec![choice(1), choice(2)], picked: Some("v2".into()) };
    let form = form(vec![
        text("why"),
        field("count", number),
        field("mode", few),
        field("force", FieldKind::Flag { value: Some(false) }),
        field("in_channel", FieldKind::Channel { value: Some("77".into()) }),
    ]);
    let modal = modal(&form, 0, &Values::new(), &BTreeMap::new(), "id");
    let labels = modal["components"].as_array().unwrap();
    assert!(labels.iter().all(|l| l["type"] == 18 && l["label"].is_string() && l["description"] == "a hint"));
    let of = |n: usize| &labels[n]["component"];
    assert_eq!((&of(0)["type"], &of(0)["style"], &of(0)["value"]), (&json!(4), &json!(2), &json!("old")));
    assert_eq!((&of(1)["type"], &of(1)["placeholder"]), (&json!(4), &json!("1 to 5")));
    assert_eq!((&of(2)["type"], &of(2)["options"][1]["default"]), (&json!(3), &json!(true)));
    assert_eq!(of(3)["options"][1], json!({ "label": "no", "value": "false", "default": true }));
    assert_eq!((&of(4)["type"], &of(4)["default_values"][0]["id"]), (&json!(8), &json!("77")));
}

#[test]
fn a_search_is_a_select_while_its_hits_fit_and_a_text_beyond() {
    let form = form(vec![search("on_accounts", 50)]);
    let with = |n: usize, values: &Values| {
        let found = BTreeMap::from([("on_accounts".to_owned(), found(n))]);
        modal(&form, 0, values, &found, "id")["components"][0]["component"].clone()
    };
    let none = Values::new();
    let select = with(25, &none);
    assert_eq!((&select["type"], select["options"].as_array().unwrap().len()), (&json!(3), 25));
    assert_eq!((&select["max_values"], &select["options"][1]["default"]), (&json!(25), &json!(true)));
    let input = with(26, &none);
    assert_eq!((&input["type"], &input["value"]), (&json!(4), &json!("choice-1")));
    assert_eq!(with(0, &none)["type"], 4);
    let given = Values::from([("on_accounts".to_owned(), vec!["v1".to_owned(), "other".to_owned()])]);
    assert_eq!(with(26, &given)["value"], "choice-1, other");
    // What was emptied stays empty.
    let emptied = Values::from([("on_accounts".to_owned(), vec![])]);
    assert!(with(26, &emptied)["value"].is_null());
    assert!(with(25, &emptied)["options"][1]["default"].is_null());
}

#[test]
fn long_texts_are_cut_where_discord_would_refuse_them() {
    let mut long = search("x", 1);
    long.label = "l".repeat(60);
    long.hint = Some("h".repeat(200));
    long.fault = Some("f".repeat(200));
    let mut form = form(vec![long; 6]);
    form.title = "t".repeat(60);
    let choices = (0..3).map(|n| Choice { value: format!("{n}"), label: "c".repeat(120) }).collect();
    let found = BTreeMap::from([("x".to_owned(), Suggestions { groups: vec![Group { heading: None, choices }] })]);
    let modal = modal(&form, 0, &Values::new(), &found, "id");
    let length = |value: &Value| value.as_str().unwrap().chars().count();
    assert!(length(&modal["title"]) <= 45);
    let label = &modal["components"][0];
    assert!(length(&label["label"]) <= 45 && length(&label["description"]) <= 100);
    assert!(label["description"].as_str().unwrap().starts_with("⚠️"), "a fault goes before the hint");
    assert!(length(&label["component"]["options"][0]["label"]) <= 100);
}

#[test]
fn what_comes_back_is_read_from_labels_and_from_rows_and_nothing_else_is() {
    let components = json!([
        { "type": 18, "component": { "type": 4, "custom_id": "why", "value": "because" } },
        { "type": 18, "component": { "type": 3, "custom_id": "mode", "values": ["v1", "v2"] } },
        { "type": 1, "components": [{ "type": 4, "custom_id": "old", "value": "row" }] },
        { "type": 18, "component": { "type": 99 } },
        { "type": 10, "content": "words" },
        7,
    ]);
    let inputs = Inputs::read(&components).0;
    assert_eq!(inputs.len(), 3);
    assert_eq!(inputs["why"], Input::Typed("because".into()));
    assert_eq!(inputs["mode"], Input::Picked(vec!["v1".into(), "v2".into()]));
    assert_eq!(inputs["old"], Input::Typed("row".into()));
    assert_eq!(Inputs::read(&json!(null)), Inputs::default());
}

#[test]
fn a_name_means_one_thing_or_says_what_it_could_mean() {
    let found = found(12);
    assert_eq!(names(" a, b ;c\n,"), ["a", "b", "c"]);
    assert_eq!(meant("CHOICE-1", &found), Ok("v1".into()));
    assert_eq!(meant("v11", &found), Ok("v11".into()));
    let several = meant("choice", &found).unwrap_err();
    assert!(several.starts_with("choice could be choice-0, choice-1, choice-2 and more"), "{several}");
    assert!(meant("x", &Suggestions::nothing()).unwrap_err().starts_with("There is nothing like x"));
    let one = Suggestions { groups: vec![Group { heading: None, choices: vec![choice(5)] }] };
    assert_eq!(meant("cho", &one), Err("cho could be choice-5: write the whole name.".into()));
    let named = |value: &str| Choice { value: value.into(), label: format!("sandbox · {value}") };
    let twins = Suggestions { groups: vec![Group { heading: None, choices: vec![named("1111"), named("2222")] }] };
    let told = "sandbox is the name of more than one: write 1111, 2222 instead.";
    assert_eq!(meant("sandbox", &twins), Err(told.into()));
    assert_eq!(meant("2222", &twins), Ok("2222".into()));
}
