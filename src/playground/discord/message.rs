//! One message, public or ephemeral, and the JSON shape in which Discord shows it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{APPLICATION, BOT_USER, snowflake};

/// Flags of a message, by Discord's bits.
pub const SUPPRESS_EMBEDS: u64 = 1 << 2;
pub const HAS_THREAD: u64 = 1 << 5;
pub const EPHEMERAL: u64 = 1 << 6;
pub const LOADING: u64 = 1 << 7;
pub const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;
pub const COMPONENTS_V2: u64 = 1 << 15;

/// Kinds of messages, by Discord's numbers.
pub const DEFAULT: u8 = 0;
pub const REPLY: u8 = 19;
pub const COMMAND_ANSWER: u8 = 20;
/// The first message of a thread, which only points at the message it began from.
pub const THREAD_STARTER: u8 = 21;

#[derive(Debug, Clone)]
pub struct Message {
    pub id: String,
    /// The thread, if it stands in one.
    pub channel: String,
    pub author: String,
    pub kind: u8,
    pub content: String,
    pub embeds: Vec<Value>,
    pub components: Vec<Value>,
    /// Ids of the files.
    pub attachments: Vec<String>,
    pub flags: u64,
    pub nonce: Option<Value>,
    /// What it answers: `message_reference`.
    pub reference: Option<Value>,
    /// What a person did that it answers: `interaction_metadata`.
    pub interaction: Option<Value>,
    /// Users and roles that it notified.
    pub mentions: Vec<String>,
    pub mention_roles: Vec<String>,
    pub mention_everyone: bool,
    /// Only this person sees it.
    pub only_for: Option<String>,
    /// The client itself speaks: a command that cannot be sent, an application that did not respond.
    pub by_client: bool,
    pub deleted: bool,
    pub edited: Option<Timestamp>,
    /// Grows with every edit, so that a test can count them.
    pub revision: u32,
    /// Components of earlier forms, newest last: a screen that has not been refreshed still shows them.
    pub past: Vec<Value>,
}

impl Message {
    pub fn new(id: String, channel: &str, author: &str) -> Self {
        Self {
            id,
            channel: channel.to_owned(),
            author: author.to_owned(),
            kind: DEFAULT,
            content: String::new(),
            embeds: Vec::new(),
            components: Vec::new(),
            attachments: Vec::new(),
            flags: 0,
            nonce: None,
            reference: None,
            interaction: None,
            mentions: Vec::new(),
            mention_roles: Vec::new(),
            mention_everyone: false,
            only_for: None,
            by_client: false,
            deleted: false,
            edited: None,
            revision: 0,
            past: Vec::new(),
        }
    }

    pub fn is_bot(&self) -> bool {
        self.author == BOT_USER && !self.by_client
    }

    /// Without what only the world knows: the author's object, mentioned people, files and the thread.
    pub fn json(&self) -> Value {
        let mut message = json!({
            "id": self.id, "channel_id": self.channel, "type": self.kind, "content": self.content,
            "timestamp": snowflake::written_time(&self.id), "edited_timestamp": self.edited.map(snowflake::written),
            "tts": false, "pinned": false, "mention_everyone": self.mention_everyone,
            "mention_roles": self.mention_roles, "embeds": self.embeds, "components": self.components,
            "flags": self.flags,
        });
        if let Some(nonce) = &self.nonce {
            message["nonce"] = nonce.clone();
        }
        if let Some(reference) = &self.reference {
            message["message_reference"] = reference.clone();
        }
        if let Some(interaction) = &self.interaction {
            message["interaction_metadata"] = interaction.clone();
            message["application_id"] = json!(APPLICATION);
            message["webhook_id"] = json!(APPLICATION);
        }
        message
    }

    /// The message reads differently from now on; buttons that an edit takes away are remembered.
    pub fn remember_components(&mut self) {
        for component in interactive(&self.components) {
            self.past.retain(|known| known["custom_id"] != component["custom_id"]);
            self.past.push(component);
        }
    }

    /// Components of earlier forms that the message no longer has, newest first.
    pub fn gone(&self) -> Vec<Value> {
        let here = self.elements();
        let gone = |past: &&Value| !here.iter().any(|e| e["custom_id"] == past["custom_id"]);
        self.past.iter().rev().filter(gone).cloned().collect()
    }

    /// Every button and menu that can be used.
    pub fn elements(&self) -> Vec<Value> {
        interactive(&self.components)
    }
}

/// Everything in `components` that has a custom id, rows and labels opened.
pub fn interactive(components: &[Value]) -> Vec<Value> {
    let mut found = Vec::new();
    for component in components {
        if component["custom_id"].is_string() {
            found.push(component.clone());
        }
        if let Some(inner) = component["components"].as_array() {
            found.extend(interactive(inner));
        }
        if component["component"].is_object() {
            found.extend(interactive(std::slice::from_ref(&component["component"])));
        }
    }
    found
}
