//! One view, a modal or somebody's App Home, as Slack checks it and shows it to the app.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::ApiError;
use super::blocks::{self, Surface, shaped};
use super::message::interactive;
use super::{APP_ID, BOT_ID, TEAM};

/// Slack's figure for `view_too_large`.
const VIEW_BYTES_MAX: usize = 250_000;
/// Fields that an app gives, by surface.
const MODAL: &[&str] = &[
    "type",
    "title",
    "blocks",
    "close",
    "submit",
    "private_metadata",
    "callback_id",
    "clear_on_close",
    "notify_on_close",
    "external_id",
    "submit_disabled",
];
const HOME: &[&str] = &["type", "blocks", "private_metadata", "callback_id", "external_id"];

#[derive(Debug, Clone)]
pub struct View {
    pub id: String,
    pub user: String,
    /// `Modal` or `Home`.
    pub surface: Surface,
    /// What the app gave: `type`, `title`, …
    pub given: Value,
    pub blocks: Vec<Value>,
    pub hash: String,
    pub root: String,
    pub previous: Option<String>,
    /// What was typed and picked, by block id and action id.
    pub values: Value,
    /// Block id to what is wrong there; the empty id is the whole form.
    pub errors: BTreeMap<String, String>,
    pub revision: u32,
}

impl View {
    pub fn json(&self) -> Value {
        let kind = if self.surface == Surface::Home { "home" } else { "modal" };
        let mut view = json!({
            "id": self.id, "team_id": TEAM, "type": kind, "app_id": APP_ID, "app_installed_team_id": TEAM,
            "bot_id": BOT_ID, "hash": self.hash, "root_view_id": self.root, "previous_view_id": self.previous,
            "blocks": self.blocks, "state": { "values": self.state() }, "private_metadata": "", "callback_id": "",
            "external_id": "", "clear_on_close": false, "notify_on_close": false, "close": null, "submit": null,
            "title": { "type": "plain_text", "text": "View Title", "emoji": true },
        });
        for name in MODAL.iter().filter(|name| !["type", "blocks"].contains(name)) {
            if let Some(value) = self.given.get(*name).filter(|v| !v.is_null()) {
                view[*name] = value.clone();
            }
        }
        view
    }

    /// `state.values`: what every field holds now, untouched ones too.
    pub fn state(&self) -> Value {
        let mut state = json!({});
        for (block_id, element) in interactive(&self.blocks) {
            if let Some(mut value) = initial(&element) {
                let action_id = element["action_id"].as_str().unwrap_or_default();
                let kept = &self.values[&block_id][action_id];
                if kept["type"] == element["type"] {
                    value = kept.clone();
                }
                value["type"] = element["type"].clone();
                state[&block_id][action_id] = value;
            }
        }
        state
    }

    /// The block, as it stands in the view.
    pub fn block(&self, id: &str) -> Option<&Value> {
        self.blocks.iter().find(|b| b["block_id"] == id)
    }
}

/// What a field that nobody touched reports; `None` for what holds no state, such as a button.
pub fn initial(element: &Value) -> Option<Value> {
    let all = |name: &str| element[name].as_array().cloned().unwrap_or_default();
    Some(match element["type"].as_str().unwrap_or_default() {
        "static_select" | "radio_buttons" | "external_select" => {
            json!({ "selected_option": element["initial_option"] })
        }
        "checkboxes" | "multi_static_select" | "multi_external_select" => {
            json!({ "selected_options": all("initial_options") })
        }
        "users_select" => json!({ "selected_user": element["initial_user"] }),
        "multi_users_select" => json!({ "selected_users": all("initial_users") }),
        "conversations_select" => json!({ "selected_conversation": element["initial_conversation"] }),
        "channels_select" => json!({ "selected_channel": element["initial_channel"] }),
        "datepicker" => json!({ "selected_date": element["initial_date"] }),
        "timepicker" => json!({ "selected_time": element["initial_time"] }),
        "plain_text_input" | "email_text_input" | "url_text_input" | "number_input" => {
            json!({ "value": element["initial_value"] })
        }
        _ => return None,
    })
}

/// Whether a date is written as Slack writes it; whether it is in the calendar is the person's affair.
pub fn is_date(text: &str) -> bool {
    shaped(text, "0000-00-00")
}

/// The view and its checked blocks, or Slack's refusal.
pub fn checked(mut given: Value, surface: Surface) -> Result<(Value, Vec<Value>), ApiError> {
    let faults = |messages| Err(ApiError::with("invalid_arguments", messages));
    if !given.is_object() {
        return faults(vec!["must be an object [json-pointer:/view]".to_owned()]);
    }
    if given.to_string().len() > VIEW_BYTES_MAX {
        return Err(ApiError::new("view_too_large"));
    }
    let (kind, known) = if surface == Surface::Home { ("home", HOME) } else { ("modal", MODAL) };
    if given["type"] != kind {
        return faults(vec![format!("unsupported type: only `{kind}` fits here [json-pointer:/view/type]")]);
    }
    let mut messages = Vec::new();
    for name in given.as_object().into_iter().flat_map(|fields| fields.keys()) {
        if !known.contains(&name.as_str()) {
            messages.push(format!("invalid additional property: {name} [json-pointer:/view]"));
        }
    }
    for name in ["clear_on_close", "notify_on_close", "submit_disabled"] {
        if !given[name].is_null() && !given[name].is_boolean() {
            messages.push(format!("must be true or false [json-pointer:/view/{name}]"));
        }
    }
    for name in ["title", "submit", "close"] {
        plain_text(&given[name], name, surface == Surface::Modal && name == "title", &mut messages);
    }
    for (name, max) in [("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)] {
        match &given[name] {
            Value::Null => {}
            Value::String(text) if text.chars().count() <= max => {}
            Value::String(_) => {
                messages.push(format!("must be less than {} characters [json-pointer:/view/{name}]", max + 1));
            }
            _ => messages.push(format!("must be a string [json-pointer:/view/{name}]")),
        }
    }
    if !given["blocks"].is_array() {
        messages.push("missing required field: blocks [json-pointer:/view]".to_owned());
    }
    if !messages.is_empty() {
        return faults(messages);
    }
    let mut blocks = given["blocks"].take();
    let blocks = blocks::check(&mut blocks, surface).map_err(|e| ApiError {
        error: "invalid_arguments".to_owned(),
        messages: e
            .messages
            .into_iter()
            .map(|m| m.replace("[json-pointer:/blocks", "[json-pointer:/view/blocks"))
            .collect(),
        ..e
    })?;
    let asks = blocks.iter().any(|b| b["type"] == "input");
    if asks && surface == Surface::Modal && given["submit"].is_null() {
        return faults(vec!["a view with input blocks needs `submit` [json-pointer:/view/submit]".to_owned()]);
    }
    Ok((given, blocks))
}

/// A title or a button of the view: plain text of at most 24 characters.
fn plain_text(given: &Value, name: &str, required: bool, messages: &mut Vec<String>) {
    match (given, given["text"].as_str()) {
        (Value::Null, _) if required => messages.push(format!("missing required field: {name} [json-pointer:/view]")),
        (Value::Null, _) => {}
        (_, Some(text)) if given["type"] == "plain_text" => {
            if text.is_empty() {
                messages.push(format!("must be more than 0 characters [json-pointer:/view/{name}/text]"));
            } else if text.chars().count() > 24 {
                messages.push(format!("must be less than 25 characters [json-pointer:/view/{name}/text]"));
            }
        }
        (_, Some(_)) => messages.push(format!("must be plain_text [json-pointer:/view/{name}/type]")),
        (_, None) => messages.push(format!("missing required field: text [json-pointer:/view/{name}]")),
    }
}
