//! Modals and App Homes: what `views.*` makes of them, and how an acknowledgement of a submission changes them.
//!
//! Slack's rules kept here: at most three modals on top of each other; `hash` guards against a race; what was typed
//! survives an update where block id, action id and type stay; a `trigger_id` works once, for three seconds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::ApiError;
use super::blocks::Surface;
use super::message::interactive;
use super::view::{self, View};
use super::workspace::Settings;
use super::world::World;

/// Slack stacks at most three views.
const STACK_MAX: usize = 3;

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
        let (given, blocks) = view::checked(given, Surface::Modal)?;
        self.external_id_is_free(&given, None)?;
        let stack = self.stacks.entry(user.to_owned()).or_default();
        if push && stack.is_empty() {
            // A push needs a trigger from a modal that is still open.
            return Err(ApiError::new("invalid_trigger_id"));
        }
        if push && stack.len() >= STACK_MAX {
            return Err(ApiError::new("push_limit_reached"));
        }
        let previous = if push { stack.last().cloned() } else { None };
        let root = if push { stack.first().cloned() } else { None };
        if !push {
            for gone in std::mem::take(stack) {
                self.views.remove(&gone);
            }
        }
        let view = self.new_view(user, Surface::Modal, given, blocks);
        let view = View { root: root.unwrap_or_else(|| view.id.clone()), previous, ..view };
        let (id, shown) = (view.id.clone(), view.json());
        self.views.insert(id.clone(), view);
        self.stacks.entry(user.to_owned()).or_default().push(id);
        Ok(shown)
    }

    /// `hash` guards against a race; typed values of blocks that keep their id survive, as in Slack.
    pub fn update_view(&mut self, id: &str, given: Value, hash: Option<&str>) -> Result<Value, ApiError> {
        let surface = self.views.get(id).ok_or_else(|| ApiError::new("not_found"))?.surface;
        let (given, blocks) = view::checked(given, surface)?;
        self.external_id_is_free(&given, Some(id))?;
        let new_hash = self.next_view_hash();
        let view = self.views.get_mut(id).ok_or_else(|| ApiError::new("not_found"))?;
        if hash.is_some_and(|h| h != view.hash) {
            return Err(ApiError::new("hash_conflict"));
        }
        (view.given, view.blocks, view.hash) = (given, blocks, new_hash);
        let mut kept = json!({});
        for (block_id, element) in interactive(&view.blocks) {
            let action_id = element["action_id"].as_str().unwrap_or_default();
            let value = &view.values[&block_id][action_id];
            if value["type"] == element["type"] && !value.is_null() {
                kept[&block_id][action_id] = value.clone();
            }
        }
        view.values = kept;
        view.errors.clear();
        view.revision += 1;
        Ok(view.json())
    }

    /// Gives `user` an App Home, or another one.
    pub fn publish_home(&mut self, user: &str, given: Value, hash: Option<&str>) -> Result<Value, ApiError> {
        if let Some(id) = self.homes.get(user).cloned() {
            return self.update_view(&id, given, hash);
        }
        let (given, blocks) = view::checked(given, Surface::Home)?;
        self.external_id_is_free(&given, None)?;
        if hash.is_some() {
            return Err(ApiError::new("hash_conflict"));
        }
        let view = self.new_view(user, Surface::Home, given, blocks);
        self.homes.insert(user.to_owned(), view.id.clone());
        let shown = view.json();
        self.views.insert(view.id.clone(), view);
        Ok(shown)
    }

    fn new_view(&mut self, user: &str, surface: Surface, given: Value, blocks: Vec<Value>) -> View {
        let id = self.next_id("V0");
        View {
            root: id.clone(),
            id,
            user: user.to_owned(),
            surface,
            given,
            blocks,
            hash: self.next_view_hash(),
            previous: None,
            values: json!({}),
            errors: BTreeMap::new(),
            revision: 0,
        }
    }

    /// The app's own name for a view belongs to one view at a time.
    fn external_id_is_free(&self, given: &Value, own: Option<&str>) -> Result<(), ApiError> {
        let Some(wanted) = given["external_id"].as_str().filter(|id| !id.is_empty()) else { return Ok(()) };
        match self.view_by_external_id(wanted) {
            Some(holder) if Some(holder.as_str()) != own => Err(ApiError::new("duplicate_external_id")),
            Some(_) | None => Ok(()),
        }
    }

    pub fn view_by_external_id(&self, external_id: &str) -> Option<String> {
        self.views.values().find(|v| v.given["external_id"] == external_id).map(|v| v.id.clone())
    }

    /// The modal on top of `user`'s stack.
    pub fn top_view(&self, user: &str) -> Option<&View> {
        self.views.get(self.stacks.get(user)?.last()?)
    }

    pub fn home(&self, user: &str) -> Option<&View> {
        self.views.get(self.homes.get(user)?)
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
                if errors.is_empty() {
                    return Err("the app's answer `errors` names no error".to_owned());
                }
                let known = |block: &str| view.block(block).is_some_and(|b| b["type"] == "input");
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
            Some(other) => Err(format!("the app's answer `{other}` is none of `errors`, `update`, `push` and `clear`")),
            None => Err("the app's answer has no `response_action`".to_owned()),
        }
    }

    fn next_view_hash(&mut self) -> String {
        let ts = self.next_ts();
        format!("{}.{:08x}", ts.split('.').next().unwrap_or_default(), rand::random::<u32>())
    }
}
