//! Modals: what `views.*` makes of them, and how an acknowledgement of a submission changes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::ApiError;
use super::blocks::{self, Surface};
use super::workspace::Settings;
use super::world::World;
use super::{APP_ID, BOT_ID, TEAM};

/// Slack stacks at most three views.
const STACK_MAX: usize = 3;

#[derive(Debug, Clone)]
pub struct View {
    pub id: String,
    pub user: String,
    /// What the app gave: `type`, `title`, `blocks`, …
    pub given: Value,
    pub blocks: Vec<Value>,
    pub hash: String,
    pub root: String,
    pub previous: Option<String>,
    /// `state.values` as last typed.
    pub values: Value,
    /// Block id to what is wrong there.
    pub errors: BTreeMap<String, String>,
    pub revision: u32,
}

impl View {
    pub fn json(&self) -> Value {
        let mut view = json!({
            "id": self.id, "team_id": TEAM, "type": "modal", "app_id": APP_ID, "app_installed_team_id": TEAM,
            "bot_id": BOT_ID, "hash": self.hash, "root_view_id": self.root, "previous_view_id": self.previous,
            "blocks": self.blocks, "state": { "values": self.values }, "private_metadata": "", "callback_id": "",
            "external_id": "", "clear_on_close": false, "notify_on_close": false, "close": null, "submit": null,
        });
        for name in [
            "title",
            "close",
            "submit",
            "private_metadata",
            "callback_id",
            "external_id",
            "clear_on_close",
            "notify_on_close",
        ] {
            if let Some(value) = self.given.get(name).filter(|v| !v.is_null()) {
                view[name] = value.clone();
            }
        }
        view
    }
}

impl World {
    /// Spends a trigger. Slack's names: unknown `invalid_trigger_id`, late `expired_trigger_id`, second use
    /// `exchanged_trigger_id`.
    pub fn spend_trigger(&mut self, id: &str, settings: &Settings) -> Result<String, ApiError> {
        let trigger = self.triggers.get_mut(id).ok_or_else(|| ApiError::new("invalid_trigger_id"))?;
        if trigger.used {
            return Err(ApiError::new("exchanged_trigger_id"));
        }
        if trigger.made.elapsed() > settings.trigger_life {
            return Err(ApiError::new("expired_trigger_id"));
        }
        trigger.used = true;
        Ok(trigger.user.clone())
    }

    pub fn open_view(&mut self, user: &str, given: Value, push: bool) -> Result<Value, ApiError> {
        let (given, blocks) = checked(given)?;
        let stack = self.stacks.entry(user.to_owned()).or_default();
        if push && stack.len() >= STACK_MAX {
            return Err(ApiError::new("push_limit_reached"));
        }
        let previous = if push { stack.last().cloned() } else { None };
        let root = if push { stack.first().cloned() } else { None };
        if !push {
            stack.clear();
        }
        let id = self.next_id("V0");
        let hash = self.next_view_hash();
        let view = View {
            id: id.clone(),
            user: user.to_owned(),
            given,
            blocks,
            hash,
            root: root.unwrap_or_else(|| id.clone()),
            previous,
            values: json!({}),
            errors: BTreeMap::new(),
            revision: 0,
        };
        let shown = view.json();
        self.views.insert(id.clone(), view);
        self.stacks.entry(user.to_owned()).or_default().push(id);
        Ok(shown)
    }

    /// `hash` guards against a race; typed values of blocks that keep their id survive, as in Slack.
    pub fn update_view(&mut self, id: &str, given: Value, hash: Option<&str>) -> Result<Value, ApiError> {
        let (given, blocks) = checked(given)?;
        let new_hash = self.next_view_hash();
        let view = self.views.get_mut(id).ok_or_else(|| ApiError::new("not_found"))?;
        if hash.is_some_and(|h| h != view.hash) {
            return Err(ApiError::new("hash_conflict"));
        }
        (view.given, view.blocks, view.hash) = (given, blocks, new_hash);
        view.errors.clear();
        view.revision += 1;
        Ok(view.json())
    }

    pub fn view_by_external_id(&self, external_id: &str) -> Option<String> {
        self.views.values().find(|v| v.given["external_id"] == external_id).map(|v| v.id.clone())
    }

    /// The modal on top of `user`'s stack.
    pub fn top_view(&self, user: &str) -> Option<&View> {
        self.views.get(self.stacks.get(user)?.last()?)
    }

    /// Takes one view off its stack, or all of them.
    pub fn close_view(&mut self, user: &str, id: &str, all: bool) {
        if let Some(stack) = self.stacks.get_mut(user) {
            let gone: Vec<String> = stack.iter().filter(|v| all || *v == id).cloned().collect();
            stack.retain(|v| !gone.contains(v));
            for id in gone {
                self.views.remove(&id);
            }
        }
    }

    /// What the acknowledgement of a submission asks for. `Err` is shown to the person in the modal.
    pub fn respond_to_submission(&mut self, user: &str, id: &str, payload: Option<&Value>) -> Result<(), String> {
        let Some(payload) = payload else {
            self.close_view(user, id, false);
            return Ok(());
        };
        let refused = |e: ApiError| format!("{} {}", e.error, e.messages.join("; "));
        match payload["response_action"].as_str() {
            Some("errors") => {
                let view = self.views.get_mut(id).ok_or("the form is gone")?;
                let errors = payload["errors"].as_object().cloned().unwrap_or_default();
                let known = |block: &str| view.blocks.iter().any(|b| b["block_id"] == block && b["type"] == "input");
                // Slack refuses the whole answer if an error names a block that is no input.
                if let Some(stranger) = errors.keys().find(|k| !known(k)) {
                    return Err(format!("the app's answer names `{stranger}`, which is no input of this form"));
                }
                view.errors =
                    errors.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect();
                view.revision += 1;
                Ok(())
            }
            Some("clear") => {
                self.close_view(user, id, true);
                Ok(())
            }
            Some("update") => self.update_view(id, payload["view"].clone(), None).map(drop).map_err(refused),
            Some("push") => self.open_view(user, payload["view"].clone(), true).map(drop).map_err(refused),
            _ => {
                self.close_view(user, id, false);
                Ok(())
            }
        }
    }

    fn next_view_hash(&mut self) -> String {
        let ts = self.next_ts();
        format!("{}.{:08x}", ts.split('.').next().unwrap_or_default(), rand::random::<u32>())
    }
}

/// The view and its checked blocks, or Slack's refusal.
fn checked(mut given: Value) -> Result<(Value, Vec<Value>), ApiError> {
    let faults = |messages| Err(ApiError::with("invalid_arguments", messages));
    if given["type"] != "modal" {
        return faults(vec!["unsupported type: only `modal` is open here [json-pointer:/view/type]".to_owned()]);
    }
    let mut messages = Vec::new();
    for (name, max, plain) in [
        ("title", 24, true),
        ("submit", 24, true),
        ("close", 24, true),
        ("private_metadata", 3000, false),
        ("callback_id", 255, false),
        ("external_id", 255, false),
    ] {
        let text = if plain { given[name]["text"].as_str() } else { given[name].as_str() };
        if plain && given[name].is_object() && given[name]["type"] != "plain_text" {
            messages.push(format!("must be plain_text [json-pointer:/view/{name}/type]"));
        }
        match text {
            Some(text) if text.chars().count() > max => {
                messages.push(format!("must be less than {} characters [json-pointer:/view/{name}]", max + 1));
            }
            None if name == "title" => {
                messages.push("missing required field: title [json-pointer:/view]".to_owned());
            }
            _ => {}
        }
    }
    if !messages.is_empty() {
        return faults(messages);
    }
    let mut blocks = given["blocks"].take();
    let blocks = blocks::check(&mut blocks, Surface::Modal)
        .map_err(|e| ApiError { error: "invalid_arguments".to_owned(), ..e })?;
    let asks = blocks.iter().any(|b| b["type"] == "input");
    if asks && given["submit"].is_null() {
        return faults(vec!["a view with input blocks needs `submit` [json-pointer:/view/submit]".to_owned()]);
    }
    Ok((given, blocks))
}
