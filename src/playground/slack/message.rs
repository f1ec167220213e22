//! One message, public or ephemeral, and the JSON shapes in which Slack shows it.

use serde_json::{Value, json};

use super::{APP_ID, BOT_ID, BOT_USER, TEAM};

#[derive(Debug, Clone)]
pub struct Message {
    pub ts: String,
    pub channel: String,
    /// The root's `ts`, if this is a reply. A root never carries its own.
    pub thread_ts: Option<String>,
    pub user: String,
    pub text: String,
    pub blocks: Vec<Value>,
    pub metadata: Option<Value>,
    /// Ids of shared files.
    pub files: Vec<String>,
    pub edited_ts: Option<String>,
    /// Only this person sees it.
    pub only_for: Option<String>,
    /// `Slack` itself speaks: an unknown command, a command that nobody answered.
    pub by_slack: bool,
    pub deleted: bool,
    /// Grows with every edit, so that a test can count them.
    pub revision: u32,
    /// Interactive elements of earlier forms, newest last: a screen that has not been refreshed still shows them.
    pub past: Vec<(String, Value)>,
}

impl Message {
    pub fn new(ts: String, channel: &str, user: &str) -> Self {
        Self {
            ts,
            channel: channel.to_owned(),
            thread_ts: None,
            user: user.to_owned(),
            text: String::new(),
            blocks: Vec::new(),
            metadata: None,
            files: Vec::new(),
            edited_ts: None,
            only_for: None,
            by_slack: false,
            deleted: false,
            revision: 0,
            past: Vec::new(),
        }
    }

    pub fn root_ts(&self) -> &str {
        self.thread_ts.as_deref().unwrap_or(&self.ts)
    }

    pub fn is_bot(&self) -> bool {
        self.user == BOT_USER && !self.by_slack
    }

    /// The message as the Web API and the interaction payloads carry it. Thread counts and files are added by the
    /// caller, who sees the other messages.
    pub fn json(&self, with_metadata: bool) -> Value {
        let mut message = json!({
            "type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": TEAM,
        });
        if self.is_bot() {
            message["bot_id"] = json!(BOT_ID);
            message["app_id"] = json!(APP_ID);
            message["bot_profile"] =
                json!({ "id": BOT_ID, "app_id": APP_ID, "name": "muster", "team_id": TEAM, "deleted": false });
        }
        if !self.blocks.is_empty() {
            message["blocks"] = json!(self.blocks);
        }
        if let Some(root) = &self.thread_ts {
            message["thread_ts"] = json!(root);
            message["parent_user_id"] = json!(BOT_USER);
        }
        if let Some(ts) = &self.edited_ts {
            message["edited"] = json!({ "user": self.user, "ts": ts });
        }
        if with_metadata && let Some(metadata) = &self.metadata {
            message["metadata"] = metadata.clone();
        }
        message
    }

    /// The message reads differently from now on.
    pub fn rewrite(&mut self, text: String, blocks: Vec<Value>) {
        for (block_id, element) in self.elements() {
            self.past.retain(|(_, known)| known["action_id"] != element["action_id"]);
            self.past.push((block_id, element));
        }
        (self.text, self.blocks) = (text, blocks);
        self.revision += 1;
    }

    /// Elements of earlier forms that the message no longer has, newest first.
    pub fn gone(&self) -> Vec<(String, Value)> {
        let here = self.elements();
        let gone = |(_, past): &&(String, Value)| !here.iter().any(|(_, e)| e["action_id"] == past["action_id"]);
        self.past.iter().rev().filter(gone).cloned().collect()
    }

    /// Every interactive element: block id, element.
    pub fn elements(&self) -> Vec<(String, Value)> {
        interactive(&self.blocks)
    }
}

/// Every interactive element of `blocks` (in `actions`, as a section's accessory, in an `input`) with its block's id.
pub fn interactive(blocks: &[Value]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for block in blocks {
        let id = block["block_id"].as_str().unwrap_or_default().to_owned();
        let listed = block["elements"].as_array().into_iter().flatten();
        for element in listed.chain(block.get("accessory")).chain(block.get("element")) {
            if element["action_id"].is_string() {
                found.push((id.clone(), element.clone()));
            }
        }
    }
    found
}
