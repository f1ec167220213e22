//! Socket Mode: tickets, connections, envelopes and their acknowledgements.
//!
//! As documented by Slack: a one-shot ticket per connection, `hello`, at most 10 connections, each payload to any one
//! of them without a pattern (here: by seed), three seconds to acknowledge, `disconnect` with a reason.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::APP_ID;
use super::workspace::Workspace;

/// Slack's limit of open sockets per app.
pub const CONNECTIONS_MAX: usize = 10;
/// Slack pings well within the 30 s after which its own clients give a connection up.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A ticket is for connecting now.
const TICKET_LIFE: Duration = Duration::from_secs(30);

/// One envelope as the log keeps it.
#[derive(Debug, Clone, Serialize)]
pub struct EnvelopeRecord {
    pub envelope_id: String,
    /// `slash_commands`, `interactive` or `events_api`.
    pub kind: String,
    /// What is inside: `block_actions`, `view_submission`, `app_mention`, …
    pub about: String,
    pub connection: u64,
    pub retry_attempt: Option<u32>,
    /// Milliseconds from sending to the acknowledgement; missing if none came in time.
    pub ack_ms: Option<f64>,
    pub acks: u32,
    pub deliveries: u32,
}

/// How one envelope ended.
#[derive(Debug)]
pub enum Outcome {
    /// With the acknowledgement's payload; `{}` counts as none.
    Acked(Option<Value>),
    TimedOut,
    NoConnection,
}

#[derive(Debug)]
enum Out {
    Text(String),
    Close,
    /// Without a close frame, as a dying network does it.
    Cut,
}

#[derive(Debug)]
struct Connection {
    id: u64,
    out: mpsc::UnboundedSender<Out>,
}

#[derive(Debug, Default)]
struct Inside {
    tickets: HashMap<String, Instant>,
    connections: Vec<Connection>,
    pending: HashMap<String, (Instant, oneshot::Sender<Option<Value>>)>,
    log: Vec<EnvelopeRecord>,
    next_connection: u64,
    dice: u64,
}

/// Every open connection of the app.
#[derive(Debug)]
pub struct Hub {
    inside: Mutex<Inside>,
}

impl Hub {
    pub fn new(seed: u64) -> Self {
        Self { inside: Mutex::new(Inside { dice: seed, ..Inside::default() }) }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn ticket(&self) -> String {
        let ticket = format!("{:032x}", rand::random::<u128>());
        let mut inside = self.inside();
        inside.tickets.retain(|_, made| made.elapsed() < TICKET_LIFE);
        inside.tickets.insert(ticket.clone(), Instant::now());
        ticket
    }

    /// True once per ticket.
    pub fn redeem(&self, ticket: &str) -> bool {
        self.inside().tickets.remove(ticket).is_some_and(|made| made.elapsed() < TICKET_LIFE)
    }

    pub fn connections(&self) -> usize {
        self.inside().connections.len()
    }

    /// How many connections were ever opened: tells a replaced connection from one that still stands.
    pub fn opened(&self) -> u64 {
        self.inside().next_connection
    }

    pub fn log(&self) -> Vec<EnvelopeRecord> {
        self.inside().log.clone()
    }

    /// Tells every connection to go, with one of Slack's reasons, and closes them `after` that.
    pub fn disconnect(&self, reason: &str, after: Duration) -> usize {
        let text = json!({ "type": "disconnect", "reason": reason, "debug_info": debug_info() }).to_string();
        let inside = self.inside();
        for connection in &inside.connections {
            let out = connection.out.clone();
            // A closed connection has gone already.
            let _ = out.send(Out::Text(text.clone()));
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                let _ = out.send(Out::Close);
            });
        }
        inside.connections.len()
    }

    /// Cuts every connection without a word.
    pub fn cut(&self) -> usize {
        let inside = self.inside();
        for connection in &inside.connections {
            let _ = connection.out.send(Out::Cut);
        }
        inside.connections.len()
    }

    /// Hands `text` to any connection; by the seed, so that nobody relies on a pattern. Returns which.
    fn send(&self, text: &str) -> Option<u64> {
        let mut inside = self.inside();
        while !inside.connections.is_empty() {
            let at = (roll(&mut inside.dice) % inside.connections.len() as u64) as usize;
            let connection = &inside.connections[at];
            if connection.out.send(Out::Text(text.to_owned())).is_ok() {
                return Some(connection.id);
            }
            inside.connections.remove(at);
        }
        None
    }

    fn acknowledged(&self, envelope_id: &str, payload: Option<Value>) {
        let mut inside = self.inside();
        let waiting = inside.pending.remove(envelope_id);
        if let Some(record) = inside.log.iter_mut().rev().find(|r| r.envelope_id == envelope_id) {
            record.acks += 1;
            if let Some((sent, _)) = &waiting {
                record.ack_ms = Some(sent.elapsed().as_secs_f64() * 1000.0);
            }
        }
        if let Some((_, waiter)) = waiting {
            // The person may have stopped waiting: then the acknowledgement came too late.
            let _ = waiter.send(payload);
        }
    }
}

impl Workspace {
    /// Sends one envelope and waits for its acknowledgement, at most the deadline.
    pub async fn deliver(&self, kind: &str, about: &str, payload: &Value, retry: Option<u32>) -> Outcome {
        let (late, twice) = {
            let mut world = self.world();
            let late = world.faults.take("delay", |_| true);
            (late, world.faults.take("deliver-twice", |_| true).is_some())
        };
        if let Some(plant) = late {
            tokio::time::sleep(Duration::from_millis(plant.milliseconds.unwrap_or(1000))).await;
        }
        let id = format!("{:032x}", rand::random::<u128>());
        let envelope_id = format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]);
        let mut envelope = json!({
            "envelope_id": envelope_id, "type": kind, "payload": payload,
            "accepts_response_payload": kind != "events_api",
        });
        if kind == "events_api" {
            envelope["retry_attempt"] = json!(retry.unwrap_or(0));
            envelope["retry_reason"] = json!(if retry.is_some() { "timeout" } else { "" });
        }
        let text = envelope.to_string();
        let (waiter, ack) = oneshot::channel();
        let connection = {
            self.hub.inside().pending.insert(envelope_id.clone(), (Instant::now(), waiter));
            self.hub.inside().log.push(EnvelopeRecord {
                envelope_id: envelope_id.clone(),
                kind: kind.to_owned(),
                about: about.to_owned(),
                connection: 0,
                retry_attempt: retry,
                ack_ms: None,
                acks: 0,
                deliveries: 1,
            });
            self.hub.send(&text)
        };
        let again = if twice { self.hub.send(&text) } else { None };
        {
            let mut inside = self.hub.inside();
            if let Some(record) = inside.log.iter_mut().rev().find(|r| r.envelope_id == envelope_id) {
                record.connection = connection.unwrap_or(0);
                record.deliveries = u32::from(connection.is_some()) + u32::from(again.is_some());
            }
        }
        if connection.is_none() {
            self.hub.inside().pending.remove(&envelope_id);
            return Outcome::NoConnection;
        }
        match tokio::time::timeout(self.settings.ack_deadline, ack).await {
            Ok(Ok(payload)) => Outcome::Acked(payload.filter(|p| p.as_object().is_none_or(|o| !o.is_empty()))),
            Ok(Err(_)) | Err(_) => {
                self.hub.inside().pending.remove(&envelope_id);
                Outcome::TimedOut
            }
        }
    }

    /// Sends an event and sends it again, as Slack does, while nobody acknowledges it.
    pub fn deliver_event(self: &Arc<Self>, about: &str, payload: Value) {
        let (workspace, about) = (Arc::clone(self), about.to_owned());
        tokio::spawn(async move {
            let mut pauses = workspace.settings.event_retries.clone().into_iter();
            let mut attempt = None;
            loop {
                if let Outcome::Acked(_) = workspace.deliver("events_api", &about, &payload, attempt).await {
                    return;
                }
                let Some(pause) = pauses.next() else { return };
                tokio::time::sleep(pause).await;
                attempt = Some(attempt.unwrap_or(0) + 1);
            }
        });
    }

    /// One socket, from `hello` to its end.
    pub async fn serve_socket(self: Arc<Self>, mut socket: WebSocket) {
        let (out, mut outgoing) = mpsc::unbounded_channel();
        let (id, open) = {
            let mut inside = self.hub.inside();
            inside.next_connection += 1;
            let id = inside.next_connection;
            if inside.connections.len() < CONNECTIONS_MAX {
                inside.connections.push(Connection { id, out });
            }
            (id, inside.connections.len())
        };
        if !self.hub.inside().connections.iter().any(|c| c.id == id) {
            let text = json!({ "type": "disconnect", "reason": "too_many_websockets", "debug_info": debug_info() });
            let _ = socket.send(Frame::Text(text.to_string().into())).await;
            return;
        }
        let hello = json!({
            "type": "hello", "num_connections": open, "connection_info": { "app_id": APP_ID },
            "debug_info": debug_info(),
        });
        if socket.send(Frame::Text(hello.to_string().into())).await.is_ok() {
            self.changed();
            let mut ping = tokio::time::interval(PING_EVERY);
            loop {
                tokio::select! {
                    next = outgoing.recv() => match next {
                        Some(Out::Text(text)) => if socket.send(Frame::Text(text.into())).await.is_err() { break },
                        Some(Out::Close) => {
                            let frame = CloseFrame { code: 1000, reason: "".into() };
                            let _ = socket.send(Frame::Close(Some(frame))).await;
                            break;
                        }
                        Some(Out::Cut) | None => break,
                    },
                    frame = socket.recv() => match frame {
                        Some(Ok(Frame::Text(text))) => self.answered(&text),
                        Some(Ok(Frame::Close(_)) | Err(_)) | None => break,
                        Some(Ok(Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_))) => {}
                    },
                    _ = ping.tick() => {
                        let text = format!("Ping from {id}");
                        if socket.send(Frame::Ping(text.into_bytes().into())).await.is_err() { break }
                    }
                }
            }
        }
        self.hub.inside().connections.retain(|c| c.id != id);
        self.changed();
    }

    fn answered(&self, text: &str) {
        let Ok(ack) = serde_json::from_str::<Value>(text) else { return };
        let Some(envelope_id) = ack["envelope_id"].as_str() else { return };
        if self.world().faults.take("drop-ack", |_| true).is_some() {
            return;
        }
        self.hub.acknowledged(envelope_id, ack.get("payload").filter(|p| !p.is_null()).cloned());
    }
}

fn debug_info() -> Value {
    json!({ "host": "applink-playground", "build_number": 1, "approximate_connection_time": 18060 })
}

/// One step of SplitMix64: small, seeded and the same everywhere.
fn roll(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
