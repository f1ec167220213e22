//! One interactive element: its fields, its options, its limits.

use serde_json::{Value, json};

use super::fields::{Spot, of_element};
use super::{Check, option_texts};

/// Options of one menu, and groups of one menu.
const OPTIONS_MAX: usize = 100;

impl Check {
    pub(super) fn element(&mut self, element: &mut Value, here: &str, spot: Spot) {
        let kind = element["type"].as_str().unwrap_or_default().to_owned();
        let Some(fields) = of_element(&kind, spot) else {
            return self.fault(&format!("{here}/type"), format!("unsupported type: {kind}"));
        };
        self.known_fields(element, here, &[fields, &["type", "action_id", "confirm", "focus_on_load"]].concat());
        match element["action_id"].as_str() {
            Some("") | None => {
                let id = format!("act{}", here.rsplit('/').next().unwrap_or("0"));
                element["action_id"] = json!(id);
            }
            Some(id) => self.length(id, &format!("{here}/action_id"), 255),
        }
        if element["focus_on_load"] == true {
            if self.focused {
                self.fault(&format!("{here}/focus_on_load"), "only one element can be focused on load");
            }
            self.focused = true;
        }
        match kind.as_str() {
            "button" => self.button(element, here),
            "static_select" | "multi_static_select" => self.menu(element, here),
            "external_select" | "multi_external_select" => {
                self.whole(element, here, "min_query_length", 0, i64::MAX);
                for (at, option) in listed(&element["initial_options"]).iter().enumerate() {
                    self.option(option, &format!("{here}/initial_options/{at}"), true);
                }
                if !element["initial_option"].is_null() {
                    self.option(&element["initial_option"], &format!("{here}/initial_option"), true);
                }
            }
            "overflow" => self.options(element, here, "options", 5, true),
            "radio_buttons" | "checkboxes" => {
                self.options(element, here, "options", 10, false);
                self.initial(element, here, &listed(&element["options"]));
            }
            "plain_text_input" => {
                self.whole(element, here, "min_length", 0, 3000);
                self.whole(element, here, "max_length", 1, 3000);
                let (min, max) = (element["min_length"].as_i64(), element["max_length"].as_i64());
                if min.zip(max).is_some_and(|(min, max)| min > max) {
                    self.fault(&format!("{here}/max_length"), "must be at least `min_length`");
                }
                self.length(
                    element["initial_value"].as_str().unwrap_or_default(),
                    &format!("{here}/initial_value"),
                    3000,
                );
            }
            "number_input" => self.number(element, here),
            "datepicker" => self.shaped(element, here, "initial_date", "0000-00-00"),
            "timepicker" => self.shaped(element, here, "initial_time", "00:00"),
            _ => {}
        }
        if kind.starts_with("multi_") {
            self.whole(element, here, "max_selected_items", 1, i64::MAX);
        }
        if !element["placeholder"].is_null() {
            self.text(&element["placeholder"], &format!("{here}/placeholder"), 150, true, true);
        }
        self.dispatch(element, here);
        self.confirm(element, here);
    }

    fn button(&mut self, element: &Value, here: &str) {
        self.text(&element["text"], &format!("{here}/text"), 75, true, true);
        self.length(element["value"].as_str().unwrap_or_default(), &format!("{here}/value"), 2000);
        self.length(element["url"].as_str().unwrap_or_default(), &format!("{here}/url"), 3000);
        if !element["style"].is_null() && element["style"] != "primary" && element["style"] != "danger" {
            self.fault(&format!("{here}/style"), "must be `primary` or `danger`");
        }
    }

    /// Options or groups of options, not both.
    pub(super) fn menu(&mut self, element: &Value, here: &str) {
        let groups = listed(&element["option_groups"]);
        match (element["options"].is_null(), element["option_groups"].is_null()) {
            (true, true) => self.fault(here, "missing required field: options"),
            (false, false) => self.fault(here, "`options` and `option_groups` exclude each other"),
            (false, true) => self.options(element, here, "options", OPTIONS_MAX, true),
            (true, false) => self.groups(element, here, &groups),
        }
        let grouped = groups.iter().flat_map(|g| listed(&g["options"]));
        let all: Vec<Value> = listed(&element["options"]).into_iter().chain(grouped).collect();
        self.initial(element, here, &all);
    }

    fn groups(&mut self, element: &Value, here: &str, groups: &[Value]) {
        self.items(element, here, "option_groups", 1, OPTIONS_MAX);
        for (at, group) in groups.iter().enumerate() {
            let here = format!("{here}/option_groups/{at}");
            self.known_fields(group, &here, &["label", "options"]);
            self.text(&group["label"], &format!("{here}/label"), 75, true, true);
            self.options(group, &here, "options", OPTIONS_MAX, true);
        }
    }

    pub(super) fn options(&mut self, element: &Value, here: &str, name: &str, max: usize, plain: bool) {
        for (at, option) in self.items(element, here, name, 1, max).iter().enumerate() {
            self.option(option, &format!("{here}/{name}/{at}"), plain);
        }
    }

    fn option(&mut self, option: &Value, here: &str, plain: bool) {
        self.known_fields(option, here, &["text", "value", "description", "url"]);
        self.text(&option["text"], &format!("{here}/text"), 75, plain, true);
        if !option["description"].is_null() {
            self.text(&option["description"], &format!("{here}/description"), 75, plain, true);
        }
        match option["value"].as_str() {
            None => self.fault(here, "missing required field: value"),
            Some(value) => self.length(value, &format!("{here}/value"), 150),
        }
    }

    /// What is chosen at first must be one of the options, to the letter.
    fn initial(&mut self, element: &Value, here: &str, options: &[Value]) {
        let one = Some(&element["initial_option"]).filter(|o| !o.is_null());
        for chosen in one.cloned().into_iter().chain(listed(&element["initial_options"])) {
            let same = |o: &Value| o["value"] == chosen["value"] && option_texts(o) == option_texts(&chosen);
            if !options.iter().any(same) {
                let name = if one.is_some() { "initial_option" } else { "initial_options" };
                self.fault(&format!("{here}/{name}"), "must match one of the options exactly");
            }
        }
    }

    fn number(&mut self, element: &Value, here: &str) {
        if !element["is_decimal_allowed"].is_boolean() {
            self.fault(here, "missing required field: is_decimal_allowed");
        }
        let mut read = |name: &str| {
            let text = element[name].as_str()?;
            let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
            if number.is_none() || (element["is_decimal_allowed"] == false && text.parse::<i64>().is_err()) {
                self.fault(&format!("{here}/{name}"), "must be a number of the allowed kind, as text");
            }
            number
        };
        let (min, max, initial) = (read("min_value"), read("max_value"), read("initial_value"));
        if min.zip(max).is_some_and(|(min, max)| min > max) {
            self.fault(&format!("{here}/max_value"), "must be at least `min_value`");
        }
        if initial.is_some_and(|n| min.is_some_and(|min| n < min) || max.is_some_and(|max| n > max)) {
            self.fault(&format!("{here}/initial_value"), "must be between `min_value` and `max_value`");
        }
    }

    /// A whole number from `min` to `max`, if it is there.
    fn whole(&mut self, element: &Value, here: &str, name: &str, min: i64, max: i64) {
        let value = &element[name];
        if !value.is_null() && !value.as_i64().is_some_and(|n| (min..=max).contains(&n)) {
            self.fault(&format!("{here}/{name}"), format!("must be a whole number of at least {min}"));
        }
    }

    /// Digits where `pattern` has zeros, and its signs between them.
    fn shaped(&mut self, element: &Value, here: &str, name: &str, pattern: &str) {
        if element[name].as_str().is_some_and(|text| !shaped(text, pattern)) {
            self.fault(&format!("{here}/{name}"), format!("must look like `{pattern}`"));
        }
    }

    fn dispatch(&mut self, element: &Value, here: &str) {
        let config = &element["dispatch_action_config"];
        if config.is_null() {
            return;
        }
        self.known_fields(config, &format!("{here}/dispatch_action_config"), &["trigger_actions_on"]);
        for (at, when) in listed(&config["trigger_actions_on"]).iter().enumerate() {
            if when != "on_enter_pressed" && when != "on_character_entered" {
                let here = format!("{here}/dispatch_action_config/trigger_actions_on/{at}");
                self.fault(&here, "must be `on_enter_pressed` or `on_character_entered`");
            }
        }
    }

    fn confirm(&mut self, element: &Value, here: &str) {
        let confirm = &element["confirm"];
        if confirm.is_null() {
            return;
        }
        let here = format!("{here}/confirm");
        self.known_fields(confirm, &here, &["title", "text", "confirm", "deny", "style"]);
        self.text(&confirm["title"], &format!("{here}/title"), 100, true, true);
        self.text(&confirm["text"], &format!("{here}/text"), 300, false, true);
        self.text(&confirm["confirm"], &format!("{here}/confirm"), 30, true, true);
        self.text(&confirm["deny"], &format!("{here}/deny"), 30, true, true);
    }
}

/// Whether `text` has digits where `pattern` has zeros, and the same signs elsewhere.
pub fn shaped(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.chars().zip(pattern.chars()).all(|(c, p)| if p == '0' { c.is_ascii_digit() } else { c == p })
}

fn listed(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}
