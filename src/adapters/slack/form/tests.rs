//! Modals stay within Slack's limits, and come back as what they were.

use serde_json::{Value, json};

use super::*;
use crate::domain::ChatPlatform;
use crate::message::Span;

fn place(channel: &str, thread: Option<&str>) -> Place {
    Place {
        platform: ChatPlatform::Slack,
        tenant: "T0MUSTER".into(),
        channel: channel.into(),
        thread: thread.map(str::to_owned),
    }
}

fn kind() -> FormKind {
    FormKind::Run { runbook: "restart-service".parse().unwrap(), revision: Digest::of(b"file") }
}

fn field(name: &str, kind: FieldKind) -> FormField {
    FormField { name: name.into(), label: name.into(), hint: None, required: true, kind, fault: None }
}

fn choice(value: &str, label: &str) -> Choice {
    Choice { value: value.into(), label: label.into() }
}

fn shown(fields: Vec<FormField>) -> Value {
    let wanted = Form {
        kind: kind(),
        title: "restart-service".into(),
        submit: Some("Run".into()),
        intro: vec![Span::bold("restart-service")],
        fields,
        footer: vec![Span::code("/runbook run restart-service")],
    };
    serde_json::to_value(form(&wanted, &place("C0OPS", Some("1.2")))).unwrap()
}

#[test]
fn every_kind_of_field_has_its_element() {
    let view = shown(vec![
        field(
            "text",
            FieldKind::Text {
                value: Some("nginx".into()),
                multiline: false,
                max_length: 1000,
                placeholder: Some("nginx".into()),
            },
        ),
        field("number", FieldKind::Number { value: Some("5".into()), min: Some("1".into()), max: None, decimal: true }),
        field(
            "choice",
            FieldKind::Choice { choices: vec![choice("a", "A"), choice("b", "B")], picked: Some("b".into()) },
        ),
        field("flag", FieldKind::Flag { value: Some(false) }),
        field("one", FieldKind::Search { picked: vec![], most: 1, tells: true }),
        field("many", FieldKind::Search { picked: vec![choice("1", "acme")], most: 50, tells: false }),
        field("in_channel", FieldKind::Channel { value: Some("C0OPS".into()) }),
    ]);
    let told: Vec<String> = view["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|b| b["type"] == "input")
        .map(|b| {
            format!(
                "{} {} {} {}",
                b["block_id"].as_str().unwrap(),
                b["element"]["type"].as_str().unwrap(),
                b["element"]["action_id"].as_str().unwrap(),
                b["dispatch_action"]
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    text plain_text_input text null
    number number_input number null
    choice static_select choice true
    flag radio_buttons flag true
    one external_select one true
    many multi_external_select many null
    in_channel conversations_select in_channel null
    ");
    let element = |n: usize| &view["blocks"][n]["element"];
    assert_eq!(element(3)["initial_option"]["value"], "b");
    assert_eq!(element(4)["initial_option"]["value"], "false");
    assert_eq!(element(5)["min_query_length"], 0, "what there is is shown before anything is typed");
    assert_eq!(element(6)["initial_options"][0]["text"]["text"], "acme");
    assert_eq!(view["private_metadata"], format!("v1:run:restart-service:{} C0OPS 1.2", Digest::of(b"file")));
}

#[test]
fn a_form_of_any_size_stays_within_slacks_limits() {
    let long = "é".repeat(5_000);
    let fields: Vec<FormField> = (0..150)
        .map(|n| FormField {
            name: format!("field{n}"),
            label: long.clone(),
            hint: Some(long.clone()),
            required: false,
            kind: FieldKind::Choice {
                choices: (0..150).map(|i| choice(&format!("{i}{long}"), &long)).collect(),
                picked: None,
            },
            fault: Some(long.clone()),
        })
        .collect();
    let view = shown(fields);
    assert!(view["blocks"].as_array().unwrap().len() <= 100);
    let text = |v: &Value| v["text"].as_str().unwrap().chars().count();
    for block in view["blocks"].as_array().unwrap().iter().filter(|b| b["type"] == "input") {
        assert!(text(&block["label"]) <= 2_000 && text(&block["hint"]) <= 2_000);
        let options = block["element"]["options"].as_array().unwrap();
        assert_eq!(options.len(), 100);
        assert!(options.iter().all(|o| text(&o["text"]) <= 75 && o["value"].as_str().unwrap().chars().count() <= 150));
    }
    assert!(view["private_metadata"].as_str().unwrap().len() <= 3_000);
}

#[test]
fn a_form_without_fields_cannot_be_submitted_and_is_never_empty() {
    let empty = Form {
        kind: FormKind::Pick,
        title: String::new(),
        submit: None,
        intro: vec![],
        fields: vec![],
        footer: vec![],
    };
    let view = serde_json::to_value(form(&empty, &place("C0OPS", None))).unwrap();
    assert_eq!((view["submit"].is_null(), view["blocks"].as_array().unwrap().len()), (true, 1));
    assert_eq!(view["title"]["text"], "Muster");
}

#[test]
fn suggestions_are_at_most_a_hundred_and_say_what_is_missing() {
    let all: Vec<Choice> =
        (0..5_000).filter_map(|n| Choice::new(format!("{n:012}"), &format!("account-{n}"))).collect();
    let told = suggestions(&Suggestions::matching("", ("Yours of late", vec![all[7].clone()]), all.clone()));
    let groups = told["option_groups"].as_array().unwrap();
    let size = |group: &Value| group["options"].as_array().unwrap().len();
    assert_eq!(groups.iter().map(size).sum::<usize>(), 100);
    assert_eq!(groups[1]["label"]["text"], "99 of 4,999: type more to narrow");
    assert_eq!(suggestions(&Suggestions::nothing()), json!({ "options": [] }));
    let few = suggestions(&Suggestions::matching("-4999", ("Yours of late", vec![]), all));
    assert_eq!(
        few["options"][0],
        json!({ "text": { "type": "plain_text", "text": "account-4999", "emoji": false }, "value": "000000004999" })
    );
}

#[test]
fn names_in_every_script_stay_and_none_turns_the_others_around() {
    let all = ["حساب 🇩🇪", "acme\u{202E}dorp"].iter().enumerate();
    let all = all.filter_map(|(n, name)| Choice::new(n.to_string(), name)).collect();
    let told = suggestions(&Suggestions::matching("", ("", vec![]), all)).to_string();
    assert!(told.contains("حساب 🇩🇪") && told.contains("acmedorp"), "{told}");
}

#[test]
fn a_reference_survives_its_text_for_every_form() {
    let run = "01J9ZX0000000000000000AB7F".parse().unwrap();
    for kind in [FormKind::Deny { run, revision: u32::MAX }, FormKind::Pick, kind()] {
        for thread in [None, Some("1.2".to_owned())] {
            let reference = FormRef { kind: kind.clone(), channel: "C0OPS".into(), thread };
            assert_eq!(reference.to_string().parse(), Ok(reference));
        }
    }
    for text in
        ["", "v1", "v2:pick C0OPS", "v1:run:restart-service C0OPS", "v1:run:Bad Name:00 C0", "v1:pick C0OPS 1.2 3"]
    {
        assert!(text.parse::<FormRef>().is_err(), "{text}");
    }
}

#[test]
fn a_page_of_many_cards_stays_within_slacks_limits_and_its_buttons_differ() {
    use crate::message::{Block, Button, Card, Home, Style, Tone, Verb};
    let run = "01J9ZX0000000000000000AB7F".parse().unwrap();
    let button = |verb| Button { verb, label: "Approve".into(), style: Style::Primary, run, revision: 7 };
    let card = Card {
        tone: Tone::Waiting,
        title: "r-AB7F".into(),
        blocks: vec![Block::Text(vec![Span::plain("48 nodes")]); 3],
        buttons: vec![button(Verb::Approve), button(Verb::Deny)],
    };
    let view = crate::adapters::slack::home::view(&Home { sections: vec![card; 40] });
    let view = serde_json::to_value(view).unwrap();
    let blocks = view["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 100);
    assert!(blocks.last().unwrap().to_string().contains("more parts do not fit here"));
    let ids: Vec<&str> = blocks
        .iter()
        .flat_map(|b| b["elements"].as_array().into_iter().flatten())
        .filter_map(|e| e["action_id"].as_str())
        .collect();
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    assert!(ids.contains(&"approve") && ids.contains(&"approve-2"));
}
