//! What Slack takes and what it refuses.

use super::*;

fn faults(blocks: Value) -> Vec<String> {
    let error = check(&mut blocks.clone(), Surface::Message).unwrap_err();
    [vec![error.error], error.messages].concat()
}

#[test]
fn a_section_of_3001_characters_is_refused_with_its_place() {
    let section = |n| json!([{ "type": "section", "text": { "type": "mrkdwn", "text": "x".repeat(n) } }]);
    assert!(check(&mut section(3000), Surface::Message).is_ok());
    let expected = ["invalid_blocks", "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"];
    assert_eq!(faults(section(3001)), expected);
}

#[test]
fn texts_that_are_too_long_only_in_sum_are_refused() {
    let section = json!({ "type": "section", "text": { "type": "mrkdwn", "text": "x".repeat(3000) } });
    assert!(check(&mut json!(vec![section.clone(); 4]), Surface::Message).is_ok());
    assert_eq!(faults(json!(vec![section; 5])), ["msg_blocks_too_long"]);
}

#[test]
fn a_chart_has_short_labels_that_are_those_of_its_axis() {
    let chart = |label: &str, category: &str| {
        let series = json!([{ "name": "nodes", "data": [{ "label": label, "value": 3 }] }]);
        let chart = json!({ "type": "bar", "series": series, "axis_config": { "categories": [category] } });
        json!([{ "type": "data_visualization", "title": "use", "chart": chart }])
    };
    assert!(check(&mut chart("0–10%", "0–10%"), Surface::Message).is_ok());
    let other = faults(chart("0–10%", "10–20%"));
    assert_eq!(other[1], "labels must be the categories of the axis [json-pointer:/blocks/0/chart/series/0/data]");
    assert_eq!(faults(chart(&"x".repeat(21), &"x".repeat(21))).len(), 2);
    let three: Vec<Value> = (0..3).flat_map(|_| chart("a", "a").as_array().unwrap().clone()).collect();
    assert_eq!(faults(json!(three))[1], "no more than 2 data visualization blocks allowed [json-pointer:/blocks]");
}

#[test]
fn every_block_and_element_gets_an_id() {
    let button = json!({ "type": "button", "text": { "type": "plain_text", "text": "Go" } });
    let blocks = check(&mut json!([{ "type": "actions", "elements": [button] }]), Surface::Message).unwrap();
    assert!(blocks[0]["block_id"].is_string());
    assert!(blocks[0]["elements"][0]["action_id"].is_string());
}

#[test]
fn fifty_one_blocks_unknown_types_and_styles_are_refused() {
    assert_eq!(faults(json!(vec![json!({ "type": "divider" }); 51])).len(), 2);
    assert_eq!(faults(json!([{ "type": "sparkle" }]))[1], "unsupported type: sparkle [json-pointer:/blocks/0/type]");
    let button = json!({ "type": "button", "style": "green", "text": { "type": "plain_text", "text": "Go" } });
    let found = faults(json!([{ "type": "actions", "elements": [button] }]));
    assert_eq!(found[1], "must be `primary` or `danger` [json-pointer:/blocks/0/elements/0/style]");
}

/// Of one element in an input block.
fn input(element: Value) -> Vec<String> {
    let label = json!({ "type": "plain_text", "text": "Field" });
    let mut blocks = json!([{ "type": "input", "label": label, "element": element }]);
    check(&mut blocks, Surface::Modal).err().map(|e| e.messages).unwrap_or_default()
}

fn option(text: &str) -> Value {
    json!({ "text": { "type": "plain_text", "text": text }, "value": text })
}

#[test]
fn a_field_that_slack_does_not_know_is_refused_by_name() {
    let element = json!({ "type": "plain_text_input", "action_id": "a", "maxlength": 3 });
    assert_eq!(input(element), ["invalid additional property: maxlength [json-pointer:/blocks/0/element]"]);
    assert_eq!(
        faults(json!([{ "type": "divider", "colour": "red" }]))[1],
        "invalid additional property: colour [json-pointer:/blocks/0]"
    );
}

#[test]
fn an_element_stands_only_where_slack_takes_it() {
    let options = json!([option("a")]);
    let multi = json!({ "type": "multi_static_select", "options": options });
    assert_eq!(input(multi.clone()), [""; 0]);
    let in_actions = faults(json!([{ "type": "actions", "elements": [multi] }]));
    assert_eq!(in_actions[1], "unsupported type: multi_static_select [json-pointer:/blocks/0/elements/0/type]");
    assert_eq!(input(json!({ "type": "button" })), ["unsupported type: button [json-pointer:/blocks/0/element/type]"]);
}

#[test]
fn options_are_at_most_100_with_labels_of_75_and_the_first_choice_among_them() {
    let select = |options: Vec<Value>| json!({ "type": "static_select", "options": options });
    assert_eq!(input(select(vec![option("a"); 100])), [""; 0]);
    assert_eq!(input(select(vec![option("a"); 101])).len(), 1);
    assert_eq!(input(select(Vec::new())).len(), 1);
    assert_eq!(
        input(select(vec![option(&"x".repeat(76))])),
        ["must be less than 76 characters [json-pointer:/blocks/0/element/options/0/text/text]"]
    );
    let mut chosen = select(vec![option("a")]);
    chosen["initial_option"] = option("b");
    assert_eq!(
        input(chosen),
        ["must match one of the options exactly [json-pointer:/blocks/0/element/initial_option]"]
    );
    let group = json!({ "label": { "type": "plain_text", "text": "G" }, "options": [option("a")] });
    assert_eq!(input(json!({ "type": "static_select", "option_groups": [group] })), [""; 0]);
}

#[test]
fn numbers_dates_and_lengths_keep_to_their_kind() {
    let number = json!({ "type": "number_input", "is_decimal_allowed": false, "min_value": "5", "max_value": "4.5" });
    assert_eq!(input(number).len(), 2);
    assert_eq!(input(json!({ "type": "number_input" })).len(), 1);
    assert_eq!(input(json!({ "type": "datepicker", "initial_date": "22.11.2026" })).len(), 1);
    assert_eq!(input(json!({ "type": "plain_text_input", "min_length": 9, "max_length": 3 })).len(), 1);
}

#[test]
fn an_answer_with_options_is_held_to_the_same_limits() {
    assert_eq!(suggestions(&json!({ "options": [option("a")] })).unwrap().len(), 1);
    assert_eq!(suggestions(&json!({ "options": [] })).unwrap().len(), 0);
    assert!(suggestions(&json!({ "options": vec![option("a"); 101] })).is_err());
    assert!(suggestions(&json!({ "option": [option("a")] })).is_err());
    assert!(suggestions(&json!({ "options": [{ "text": "a", "value": "a" }] })).is_err());
}
