//! Brings what a person did to the bot, and waits for the first response as long as a person's screen does.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;

use super::interaction::{AUTOCOMPLETE, COMMAND, COMPONENT, Interaction, MODAL_SUBMIT, Record, Response};
use super::message::Message;
use super::payloads::{self, Event};
use super::people::Person;
use super::workspace::Workspace;
use super::world::World;

/// What the client shows where nobody answers.
pub const DID_NOT_RESPOND: &str = "The application did not respond";
pub const FAILED: &str = "This interaction failed";

/// What a person does: who, where, and with what.
pub struct Act {
    pub kind: u8,
    pub person: Person,
    /// The thread, if it is done in one.
    pub channel: String,
    pub data: Value,
    /// The message whose component is used, or from which the modal was opened.
    pub source: Option<Message>,
    /// `interaction_metadata` of the interaction that opened the modal.
    pub before: Option<Value>,
    /// For the log.
    pub about: String,
}

/// How one interaction ended for the person.
#[derive(Debug)]
pub enum Outcome {
    Answered(Response),
    TimedOut,
    /// No session is connected or could be resumed.
    NoSession,
}

impl Outcome {
    pub fn answered(&self) -> Option<&Response> {
        match self {
            Outcome::Answered(response) => Some(response),
            Outcome::TimedOut | Outcome::NoSession => None,
        }
    }
}

impl Workspace {
    pub async fn deliver(&self, act: Act) -> Outcome {
        let (waiter, response) = oneshot::channel();
        let (id, payload, late, twice) = {
            let mut world = self.world();
            let (id, payload) = self.begin(&mut world, &act, waiter);
            let late = world.faults.take("delay", |_| true);
            (id, payload, late, world.faults.take("doubled-event", |_| true).is_some())
        };
        if let Some(plant) = late {
            tokio::time::sleep(Duration::from_millis(plant.milliseconds.unwrap_or(1000))).await;
        }
        let mut told = self.hub.dispatch("INTERACTION_CREATE", |_| Some(payload.clone()));
        if twice {
            told += self.hub.dispatch("INTERACTION_CREATE", |_| Some(payload.clone()));
        }
        self.hub.with_record(&id, |record| record.deliveries = told);
        if told == 0 {
            return Outcome::NoSession;
        }
        match tokio::time::timeout(self.settings.ack_deadline, response).await {
            Ok(Ok(response)) => Outcome::Answered(response),
            Ok(Err(_)) | Err(_) => Outcome::TimedOut,
        }
    }

    fn begin(&self, world: &mut World, act: &Act, waiter: oneshot::Sender<Response>) -> (String, Value) {
        world.interactions.retain(|_, old| !old.is_dead(&self.settings));
        let id = world.next_id();
        let token = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let source = act.source.as_ref().map(|m| m.id.clone());
        let metadata =
            payloads::metadata(world, &id, act.kind, &act.person, &act.channel, source.as_deref(), act.before.as_ref());
        let event = Event {
            id: &id,
            token: &token,
            kind: act.kind,
            person: &act.person,
            channel: &act.channel,
            data: act.data.clone(),
            source: act.source.as_ref(),
        };
        let payload = payloads::interaction(world, &event, &self.base());
        self.hub.record(Record {
            envelope_id: id.clone(),
            kind: kind_name(act.kind).to_owned(),
            about: act.about.clone(),
            ack_ms: None,
            acks: 0,
            deliveries: 0,
        });
        let interaction = Interaction {
            id: id.clone(),
            token: token.clone(),
            kind: act.kind,
            user: act.person.id.to_owned(),
            channel: act.channel.clone(),
            metadata,
            source,
            made: Instant::now(),
            answered: None,
            original: None,
            waiter: Some(waiter),
        };
        world.interactions.insert(token, interaction);
        (id, payload)
    }
}

fn kind_name(kind: u8) -> &'static str {
    match kind {
        COMMAND => "command",
        COMPONENT => "component",
        AUTOCOMPLETE => "autocomplete",
        MODAL_SUBMIT => "modal_submit",
        _ => "ping",
    }
}
