//! What a person did and the bot has to answer: its token, its deadlines and what became of it.
//!
//! Source: Discord's "Receiving and Responding to Interactions": the first response within 3 seconds, the token for 15
//! minutes, one first response.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use super::workspace::Settings;

/// Kinds of interactions, by Discord's numbers.
pub const COMMAND: u8 = 2;
pub const COMPONENT: u8 = 3;
pub const AUTOCOMPLETE: u8 = 4;
pub const MODAL_SUBMIT: u8 = 5;

#[derive(Debug)]
pub struct Interaction {
    pub id: String,
    pub token: String,
    pub kind: u8,
    pub user: String,
    pub channel: String,
    /// `interaction_metadata` of the messages that answer it.
    pub metadata: Value,
    /// The message whose component was used.
    pub source: Option<String>,
    pub made: Instant,
    /// The type of the first response.
    pub answered: Option<u64>,
    /// What `@original` means: the first answer, or for a component that was only acknowledged its own message.
    pub original: Option<String>,
    /// Who waits for the first response.
    pub waiter: Option<oneshot::Sender<Response>>,
}

/// The first response, as far as the person's screen needs it.
#[derive(Debug, Clone)]
pub struct Response {
    pub kind: u64,
    /// Choices of an autocompletion.
    pub data: Value,
    /// The message that it made.
    pub message: Option<String>,
}

impl Interaction {
    /// Whether the first response would come too late.
    pub fn is_late(&self, settings: &Settings) -> bool {
        self.made.elapsed() > settings.ack_deadline
    }

    pub fn is_dead(&self, settings: &Settings) -> bool {
        self.made.elapsed() > settings.token_life
    }
}

/// One interaction as the log keeps it, named as the envelopes of the simulated Slack.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    pub envelope_id: String,
    /// `command`, `component`, `autocomplete`, `modal_submit`.
    pub kind: String,
    /// What is inside: the command's words or the custom id.
    pub about: String,
    /// Milliseconds from sending to the first response; missing if none came in time.
    pub ack_ms: Option<f64>,
    /// First responses that came, refused ones too.
    pub acks: u32,
    pub deliveries: u32,
}

/// How long a nonce is remembered: "the past few minutes".
pub const NONCE_LIFE: Duration = Duration::from_secs(5 * 60);
