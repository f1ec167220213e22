//! One envelope: read it, give it to the inbox, acknowledge it.
//!
//! The inbox row is durable before the acknowledgement goes out, unless that takes longer than the watchdog allows:
//! Slack gives three seconds, and a person should not see its time-out message because a disk is slow. Accepting goes
//! on behind the early acknowledgement, and its failure is told to the person in another way.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinError;
use tokio::time::{Instant, timeout};

use crate::ports::{Ack, Inbox, InboxError, Reply};

use super::Identity;
use super::form;
use super::receive::{self, Kind, Reading};
use super::text::{clean, cut};

/// Envelopes remembered, so that one that comes again (over another socket, after a lost acknowledgement) is only
/// acknowledged again. The inbox's own key is what makes a deed happen once.
const REMEMBERED: usize = 4_096;
/// Slack's limit for one error in a form is not documented; longer texts are cut by its clients.
const FORM_ERROR_MAX: usize = 300;

/// What comes through a socket. Fields that we do not use are not read, so new ones do no harm.
#[derive(Debug, Deserialize)]
pub(super) struct Frame {
    #[serde(rename = "type")]
    pub kind: String,
    pub envelope_id: Option<String>,
    #[serde(default)]
    pub payload: Value,
    #[serde(default)]
    pub accepts_response_payload: Option<bool>,
    pub retry_attempt: Option<u32>,
    /// Of `disconnect`.
    pub reason: Option<String>,
    /// Of `hello`.
    pub num_connections: Option<u32>,
    /// Of `hello`.
    pub debug_info: Option<DebugInfo>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DebugInfo {
    /// Seconds that Slack will keep this connection.
    pub approximate_connection_time: Option<u64>,
}

/// Where acknowledgements go. The socket that brought the envelope, or another one where that is gone.
pub(super) trait Outlet: Send + Sync {
    /// False where no socket could take it.
    fn send(&self, text: String) -> bool;
}

/// Says a sentence to the person of a delivery, outside the acknowledgement.
#[async_trait]
pub(super) trait Tell: Send + Sync {
    async fn tell(&self, reply: &Reply, sentence: &str);
}

pub(super) struct Intake {
    pub inbox: Arc<dyn Inbox>,
    pub tell: Arc<dyn Tell>,
    pub me: Identity,
    /// With its slash.
    pub command: String,
    pub watchdog: Duration,
    pub answered: Answered,
}

/// Envelopes that were acknowledged, with what the acknowledgement carried.
#[derive(Default)]
pub(super) struct Answered(Mutex<Envelopes>);

#[derive(Default)]
struct Envelopes {
    payloads: HashMap<String, Option<Value>>,
    /// Oldest first.
    order: VecDeque<String>,
}

impl Answered {
    fn get(&self, id: &str) -> Option<Option<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).payloads.get(id).cloned()
    }
    fn put(&self, id: &str, payload: Option<Value>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.payloads.insert(id.to_owned(), payload).is_none() {
            inner.order.push_back(id.to_owned());
            if inner.order.len() > REMEMBERED
                && let Some(oldest) = inner.order.pop_front()
            {
                inner.payloads.remove(&oldest);
            }
        }
    }
}

type Accepted = Result<Result<Ack, InboxError>, JoinError>;

impl Intake {
    /// Sees one envelope through. Runs in a task of its own, so that none waits for another.
    pub(super) async fn handle(&self, frame: Frame, outlet: &dyn Outlet) {
        let arrived = Instant::now();
        let Some(id) = frame.envelope_id else {
            count("no_envelope_id");
            tracing::warn!(kind = %clean(&frame.kind, false), "slack sent a frame that is neither known nor an envelope");
            return;
        };
        // Absent in old envelopes; Slack refuses a payload only where it says so.
        let takes_payload = frame.accepts_response_payload.unwrap_or(true);
        let ack = |payload: Option<Value>| self.ack(outlet, &id, payload, takes_payload, arrived);
        if let Some(payload) = self.answered.get(&id) {
            count("again");
            ack(payload);
            return;
        }
        if frame.retry_attempt.is_some_and(|n| n > 0) {
            count("retried");
        }
        let (delivery, kind) = match receive::read(&frame.kind, frame.payload, &self.me, &self.command) {
            Reading::Deed(delivery, kind) => (delivery, kind),
            Reading::Answer(payload) => {
                count("answered");
                return ack(Some(payload));
            }
            Reading::Asked(search) => {
                count("asked");
                let found = timeout(self.watchdog, self.inbox.suggest(*search)).await.unwrap_or_default();
                // Not remembered: there is one for each key, and none is asked for twice.
                self.send_ack(outlet, &id, Some(form::suggestions(&found)), takes_payload, arrived);
                return;
            }
            Reading::Skip(why) => {
                count(why);
                tracing::debug!(why, "slack delivered something that is not for this bot; acknowledged");
                return ack(None);
            }
            Reading::Unreadable(what) => {
                count("unreadable");
                tracing::error!(what, "slack delivered something in an unknown form; acknowledged and dropped");
                return ack(None);
            }
        };
        count("deed");
        let reply = delivery.reply.clone();
        let inbox = Arc::clone(&self.inbox);
        let mut accepting = tokio::spawn(async move { inbox.accept(*delivery).await });
        match timeout(self.watchdog, &mut accepting).await {
            Ok(done) => match settle(done) {
                Ok(Ack::Plain) => ack(None),
                Ok(Ack::FormErrors(errors)) => ack(Some(form_errors(errors))),
                Ok(Ack::NextForm(next)) => {
                    let view = form::form(&next, &reply.place);
                    ack(Some(json!({ "response_action": "update", "view": view })));
                }
                Err(sentence) => match kind {
                    // Slack delivers it again.
                    Kind::Event => {}
                    Kind::Command => ack(Some(json!({ "response_type": "ephemeral", "text": sentence }))),
                    Kind::Form { first_field: Some(field) } => {
                        ack(Some(form_errors([(field, sentence)])));
                    }
                    Kind::Click | Kind::Form { first_field: None } => {
                        ack(None);
                        self.tell.tell(&reply, &sentence).await;
                    }
                },
            },
            Err(_) => {
                metrics::counter!("muster_slack_watchdog_acks_total").increment(1);
                ack(None);
                match settle(accepting.await) {
                    Ok(Ack::Plain) => {}
                    // The form is closed by now.
                    Ok(Ack::FormErrors(errors)) => {
                        let all: Vec<String> = errors.into_iter().map(|(field, e)| format!("{field}: {e}")).collect();
                        self.tell.tell(&reply, &format!("nothing was done: {}", all.join("; "))).await;
                    }
                    Ok(Ack::NextForm(_)) => {
                        let sentence =
                            format!("that took too long and the form is closed: type `{}` again", self.command);
                        self.tell.tell(&reply, &sentence).await;
                    }
                    Err(sentence) => self.tell.tell(&reply, &sentence).await,
                }
            }
        }
    }

    fn ack(&self, outlet: &dyn Outlet, id: &str, payload: Option<Value>, takes_payload: bool, arrived: Instant) {
        self.answered.put(id, payload.clone());
        self.send_ack(outlet, id, payload, takes_payload, arrived);
    }

    fn send_ack(&self, outlet: &dyn Outlet, id: &str, payload: Option<Value>, takes_payload: bool, arrived: Instant) {
        let mut text = json!({ "envelope_id": id });
        if let Some(payload) = payload.filter(|_| takes_payload) {
            text["payload"] = payload;
        }
        if outlet.send(text.to_string()) {
            metrics::histogram!("muster_slack_ack_seconds").record(arrived.elapsed().as_secs_f64());
        } else {
            metrics::counter!("muster_slack_acks_lost_total").increment(1);
            tracing::warn!(
                "no slack socket was left for an acknowledgement; slack delivers it again or tells the person"
            );
        }
    }
}

/// The sentence is what the person reads.
fn settle(done: Accepted) -> Result<Ack, String> {
    match done {
        Ok(Ok(ack)) => Ok(ack),
        Ok(Err(InboxError::Stopping)) => Err(InboxError::Stopping.to_string()),
        Ok(Err(InboxError::Store(cause))) => {
            metrics::counter!("muster_slack_inbox_errors_total").increment(1);
            tracing::error!(%cause, "the inbox did not take a delivery");
            Err("muster could not note this down, so nothing was done; try again in a minute".into())
        }
        Err(_) => {
            metrics::counter!("muster_slack_inbox_errors_total").increment(1);
            tracing::error!("the inbox broke off while it took a delivery");
            Err("muster could not note this down, so nothing was done; try again in a minute".into())
        }
    }
}

fn form_errors(errors: impl IntoIterator<Item = (String, String)>) -> Value {
    let errors: serde_json::Map<String, Value> = errors
        .into_iter()
        .map(|(field, error)| (field, Value::String(cut(&clean(&error, false), FORM_ERROR_MAX))))
        .collect();
    json!({ "response_action": "errors", "errors": errors })
}

fn count(what: &'static str) {
    metrics::counter!("muster_slack_envelopes_total", "what" => what).increment(1);
}

#[cfg(test)]
mod tests;
