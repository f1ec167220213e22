//! Buttons and menus in messages, of the first version of components.
//!
//! Source: Discord's reference, "Component Reference": five rows of five buttons or one menu each; a custom id of up to
//! 100 characters, once in a message.

use serde_json::Value;

use crate::playground::discord::rest::refused::Wrong;

/// Kinds of components, by Discord's numbers.
pub const ROW: u64 = 1;
pub const BUTTON: u64 = 2;
pub const STRING_SELECT: u64 = 3;
pub const TEXT_INPUT: u64 = 4;
pub const USER_SELECT: u64 = 5;
pub const ROLE_SELECT: u64 = 6;
pub const MENTIONABLE_SELECT: u64 = 7;
pub const CHANNEL_SELECT: u64 = 8;
pub const LABEL: u64 = 18;
/// A button that opens an address and tells nobody.
pub const LINK: u64 = 5;

const ROWS_MAX: usize = 5;
const BUTTONS_MAX: usize = 5;
const OPTIONS_MAX: usize = 25;

pub fn is_select(kind: &Value) -> bool {
    let selects = [STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT];
    kind.as_u64().is_some_and(|k| selects.contains(&k))
}

pub fn check(components: &Value, path: &str, wrong: &mut Wrong) {
    let mut seen = Vec::new();
    for (index, row) in wrong.list(components, path, 0, ROWS_MAX).iter().enumerate() {
        let path = format!("{path}/{index}");
        if !wrong.object(row, &path) {
            continue;
        }
        if row["type"] != ROW {
            wrong.choice(&row["type"], format!("{path}/type"), &[ROW]);
            continue;
        }
        let inner = wrong.list(&row["components"], &format!("{path}/components"), 1, BUTTONS_MAX);
        if inner.len() > 1 && inner.iter().any(|c| is_select(&c["type"])) {
            let message = "A menu stands alone in its row.";
            wrong.at(&path, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message);
        }
        for (index, component) in inner.iter().enumerate() {
            let path = format!("{path}/components/{index}");
            if !wrong.object(component, &path) {
                continue;
            }
            match component["type"].as_u64() {
                Some(BUTTON) => button(component, &path, wrong, &mut seen),
                _ if is_select(&component["type"]) => {
                    select(component, &path, wrong, &mut seen);
                    wrong.text(&component["placeholder"], format!("{path}/placeholder"), 0, 150);
                }
                _ => wrong.choice(
                    &component["type"],
                    format!("{path}/type"),
                    &[BUTTON, STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT],
                ),
            }
        }
    }
}

fn button(button: &Value, path: &str, wrong: &mut Wrong, seen: &mut Vec<String>) {
    wrong.choice(&button["style"], format!("{path}/style"), &[1, 2, 3, 4, LINK]);
    wrong.text(&button["label"], format!("{path}/label"), 0, 80);
    let unnamed = button["label"].as_str().unwrap_or_default().is_empty();
    if unnamed && button["emoji"].is_null() {
        wrong.at(path, "BUTTON_COMPONENT_INVALID", "A button must have a label or an emoji.");
    }
    if button["style"] != LINK {
        custom_id(button, path, wrong, seen);
        return;
    }
    if button["url"].is_null() {
        wrong.at(path, "BUTTON_COMPONENT_URL_REQUIRED", "A url is required");
    }
    wrong.text(&button["url"], format!("{path}/url"), 0, 512);
    if !button["custom_id"].is_null() {
        wrong.at(path, "BUTTON_COMPONENT_CUSTOM_ID_URL", "A custom id and url cannot both be specified");
    }
}

/// Everything of a menu but its placeholder.
pub fn select(select: &Value, path: &str, wrong: &mut Wrong, seen: &mut Vec<String>) {
    custom_id(select, path, wrong, seen);
    wrong.number(&select["min_values"], format!("{path}/min_values"), 0, 25);
    wrong.number(&select["max_values"], format!("{path}/max_values"), 1, 25);
    if select["type"] != STRING_SELECT {
        return;
    }
    let options = wrong.list(&select["options"], &format!("{path}/options"), 1, OPTIONS_MAX);
    let mut values: Vec<&str> = Vec::new();
    for (index, option) in options.iter().enumerate() {
        let path = format!("{path}/options/{index}");
        if !wrong.object(option, &path) {
            continue;
        }
        wrong.text(&option["label"], format!("{path}/label"), 1, 100);
        wrong.text(&option["value"], format!("{path}/value"), 1, 100);
        wrong.text(&option["description"], format!("{path}/description"), 0, 100);
        let value = option["value"].as_str().unwrap_or_default();
        if values.contains(&value) {
            let message = "The specified option value is already used";
            wrong.at(format!("{path}/value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message);
        }
        values.push(value);
    }
}

/// From 1 to 100 characters, once in `seen`.
pub fn custom_id(component: &Value, path: &str, wrong: &mut Wrong, seen: &mut Vec<String>) {
    let here = format!("{path}/custom_id");
    wrong.text(&component["custom_id"], &here, 1, 100);
    if let Some(id) = component["custom_id"].as_str() {
        if seen.iter().any(|known| known == id) {
            wrong.at(here, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated");
        }
        seen.push(id.to_owned());
    }
}
