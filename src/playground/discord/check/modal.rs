//! Modals: at most five components, each a label with an input in it, or a row with a text input (the older form).
//!
//! Source: Discord's reference, "Interaction Callback: Modal", "Label", "Text Input", "String Select".

use serde_json::Value;

use super::component::{self, LABEL, ROW, TEXT_INPUT, is_select};
use crate::playground::discord::rest::refused::{Refused, Wrong};

const COMPONENTS_MAX: usize = 5;
const TEXT_DISPLAY: u64 = 10;
const VALUE_MAX: i64 = 4000;

/// The `data` of a response of type 9.
pub fn check(modal: &Value) -> Result<(), Refused> {
    let mut wrong = Wrong::default();
    if wrong.object(modal, "data") {
        wrong.text(&modal["title"], "data/title", 1, 45);
        wrong.text(&modal["custom_id"], "data/custom_id", 1, 100);
        let mut seen = Vec::new();
        let components = wrong.list(&modal["components"], "data/components", 1, COMPONENTS_MAX);
        for (index, part) in components.iter().enumerate() {
            let path = format!("data/components/{index}");
            if wrong.object(part, &path) {
                check_part(part, &path, &mut wrong, &mut seen);
            }
        }
    }
    wrong.refuse()
}

fn check_part(part: &Value, path: &str, wrong: &mut Wrong, seen: &mut Vec<String>) {
    match part["type"].as_u64() {
        Some(ROW) => {
            let inner = wrong.list(&part["components"], &format!("{path}/components"), 1, 1);
            for input in inner {
                let path = format!("{path}/components/0");
                wrong.choice(&input["type"], format!("{path}/type"), &[TEXT_INPUT]);
                wrong.text(&input["label"], format!("{path}/label"), 1, 45);
                text_input(input, &path, wrong, seen);
            }
        }
        Some(LABEL) => {
            wrong.text(&part["label"], format!("{path}/label"), 1, 45);
            wrong.text(&part["description"], format!("{path}/description"), 0, 100);
            let (inner, path) = (&part["component"], format!("{path}/component"));
            if inner.is_null() {
                wrong.required(path);
            } else if wrong.object(inner, &path) {
                input(inner, &path, wrong, seen);
            }
        }
        Some(TEXT_DISPLAY) => wrong.text(&part["content"], format!("{path}/content"), 1, 4000),
        _ => wrong.choice(&part["type"], format!("{path}/type"), &[ROW, TEXT_DISPLAY, LABEL]),
    }
}

fn input(input: &Value, path: &str, wrong: &mut Wrong, seen: &mut Vec<String>) {
    if input["type"] == TEXT_INPUT {
        if !input["label"].is_null() {
            let message = "A text input in a label has no label of its own";
            wrong.at(format!("{path}/label"), "TEXT_INPUT_LABEL_NOT_ALLOWED", message);
        }
        text_input(input, path, wrong, seen);
    } else if is_select(&input["type"]) {
        component::select(input, path, wrong, seen);
        wrong.text(&input["placeholder"], format!("{path}/placeholder"), 0, 150);
        if input["required"] != false && input["min_values"] == 0 {
            let message = "min_values must be at least 1 where a choice is required";
            wrong.at(format!("{path}/min_values"), "SELECT_COMPONENT_MIN_VALUES_REQUIRED", message);
        }
        if input["disabled"] == true {
            let message = "A menu in a modal cannot be disabled";
            wrong.at(format!("{path}/disabled"), "COMPONENT_DISABLED_IN_MODAL", message);
        }
    } else {
        wrong.choice(&input["type"], format!("{path}/type"), &[3, TEXT_INPUT, 5, 6, 7, 8]);
    }
}

fn text_input(input: &Value, path: &str, wrong: &mut Wrong, seen: &mut Vec<String>) {
    component::custom_id(input, path, wrong, seen);
    wrong.choice(&input["style"], format!("{path}/style"), &[1, 2]);
    wrong.number(&input["min_length"], format!("{path}/min_length"), 0, VALUE_MAX);
    wrong.number(&input["max_length"], format!("{path}/max_length"), 1, VALUE_MAX);
    wrong.text(&input["value"], format!("{path}/value"), 0, VALUE_MAX as usize);
    wrong.text(&input["placeholder"], format!("{path}/placeholder"), 0, 100);
}
