//! How a field reports what a person typed or picked, and what Slack itself refuses before the app hears of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::playground::slack::acts::{Refusal, known};
use crate::playground::slack::blocks::{all_options, shaped};
use crate::playground::slack::view::{View, is_date};
use crate::playground::slack::world::World;

/// How `element` reports `value`: options are found by value or by their text, among the element's own and those that
/// were `offered`. An empty value takes a choice back.
pub fn picked(world: &World, element: &Value, value: &Value, offered: &[Value]) -> Result<Value, Refusal> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let empty = value.is_null() || text.is_empty();
    let one = |id: Result<Value, Refusal>| if empty { Ok(Value::Null) } else { id };
    match element["type"].as_str().unwrap_or_default() {
        "static_select" | "radio_buttons" | "overflow" | "external_select" => {
            Ok(json!({ "selected_option": one(option(element, &text, offered))? }))
        }
        "checkboxes" | "multi_static_select" | "multi_external_select" => {
            let options: Result<Vec<Value>, Refusal> =
                listed(value).iter().map(|t| option(element, t, offered)).collect();
            Ok(json!({ "selected_options": options? }))
        }
        "users_select" => Ok(json!({ "selected_user": one(known(world, &text).map(|p| json!(p.id)))? })),
        "multi_users_select" => {
            let users: Result<Vec<&str>, Refusal> =
                listed(value).iter().map(|t| known(world, t).map(|p| p.id)).collect();
            Ok(json!({ "selected_users": users? }))
        }
        "conversations_select" => Ok(json!({ "selected_conversation": one(channel(world, &text))? })),
        "channels_select" => Ok(json!({ "selected_channel": one(channel(world, &text))? })),
        "datepicker" if empty || is_date(&text) => Ok(json!({ "selected_date": one(Ok(json!(text)))? })),
        "datepicker" => Err(format!("`{text}` is no date; write it as `2026-01-31`")),
        "timepicker" if empty || shaped(&text, "00:00") => Ok(json!({ "selected_time": one(Ok(json!(text)))? })),
        "timepicker" => Err(format!("`{text}` is no time; write it as `14:30`")),
        _ => Ok(json!({ "value": if empty { Value::Null } else { json!(text) } })),
    }
}

/// Several values: a list, or one text with commas.
pub fn listed(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        Value::Null => Vec::new(),
        other => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect()
        }
    }
}

fn channel(world: &World, called: &str) -> Result<Value, Refusal> {
    world.channel_called(called).map(|c| json!(c.id)).ok_or_else(|| format!("no channel `{called}`"))
}

fn option(element: &Value, wanted: &str, offered: &[Value]) -> Result<Value, Refusal> {
    let initial = element["initial_options"].as_array().into_iter().flatten().chain(element.get("initial_option"));
    let own = all_options(element);
    let options: Vec<&Value> = own.iter().chain(offered).chain(initial).collect();
    let is_text = |o: &Value| o["text"]["text"].as_str().is_some_and(|t| t.eq_ignore_ascii_case(wanted));
    // By value first: the text of one option may be the value of another.
    let found = options.iter().find(|o| o["value"] == wanted).or_else(|| options.iter().find(|o| is_text(o)));
    found.map(|o| (*o).clone()).ok_or_else(|| {
        let texts: Vec<String> =
            options.iter().filter_map(|o| o["text"]["text"].as_str()).map(|t| format!("`{t}`")).collect();
        let has = if texts.is_empty() { "no options".to_owned() } else { texts.join(", ") };
        format!("no option `{wanted}`; there are {has}")
    })
}

/// Whether the app is known to have this option.
pub fn is_known(element: &Value, wanted: &str, offered: &[Value]) -> bool {
    wanted.is_empty() || option(element, wanted, offered).is_ok()
}

/// What is wrong in each field, with Slack's own sentences: empty required fields, lengths, numbers, counts.
pub fn wrong(view: &View, state: &Value) -> BTreeMap<String, String> {
    let mut faults = BTreeMap::new();
    for block in view.blocks.iter().filter(|b| b["type"] == "input") {
        let block_id = block["block_id"].as_str().unwrap_or_default();
        let element = &block["element"];
        let value = &state[block_id][element["action_id"].as_str().unwrap_or_default()];
        if let Some(fault) = fault(element, value, block["optional"] == true) {
            faults.insert(block_id.to_owned(), fault);
        }
    }
    faults
}

fn fault(element: &Value, value: &Value, optional: bool) -> Option<String> {
    let fields = || value.as_object().into_iter().flatten();
    let many = fields().filter_map(|(_, v)| v.as_array()).map(Vec::len).sum::<usize>();
    let chosen = fields().any(|(name, v)| name.starts_with("selected_") && !v.is_null() && !v.is_array());
    let typed = value["value"].as_str().unwrap_or_default();
    if typed.trim().is_empty() && !chosen && many == 0 {
        return (!optional).then(|| "Please complete this required field.".to_owned());
    }
    if element["max_selected_items"].as_u64().is_some_and(|max| many as u64 > max) {
        return Some(format!("Please select at most {} items.", element["max_selected_items"]));
    }
    let length = typed.chars().count() as u64;
    if element["min_length"].as_u64().is_some_and(|min| length < min) {
        return Some(format!("Please use at least {} characters.", element["min_length"]));
    }
    if element["max_length"].as_u64().is_some_and(|max| length > max) {
        return Some(format!("Please use at most {} characters.", element["max_length"]));
    }
    match element["type"].as_str().unwrap_or_default() {
        "number_input" => number(element, typed),
        "email_text_input" if !typed.contains('@') => Some("Please enter a valid email address.".to_owned()),
        "url_text_input" if !typed.contains("://") => Some("Please enter a valid URL.".to_owned()),
        _ => None,
    }
}

fn number(element: &Value, typed: &str) -> Option<String> {
    let typed = typed.trim();
    let Some(number) = typed.parse::<f64>().ok().filter(|n| n.is_finite()) else {
        return Some("Please enter a number.".to_owned());
    };
    if element["is_decimal_allowed"] == false && typed.parse::<i64>().is_err() {
        return Some("Please enter a whole number.".to_owned());
    }
    let bound = |name: &str| element[name].as_str().and_then(|text| Some((text.to_owned(), text.parse::<f64>().ok()?)));
    if let Some((text, _)) = bound("min_value").filter(|(_, min)| number < *min) {
        return Some(format!("Please enter a number of at least {text}."));
    }
    let (text, _) = bound("max_value").filter(|(_, max)| number > *max)?;
    Some(format!("Please enter a number of at most {text}."))
}
