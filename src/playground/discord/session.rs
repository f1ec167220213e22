//! The gateway's sessions: what each was told, so that it can be told again after a resume.
//!
//! Source: Discord's reference, "Gateway": every event of a session has a sequence number; a session without a
//! connection goes on collecting events and replays those after the client's last number. A client that closes with
//! 1000 or 1001 ends its session. Whether Discord gives an interaction to one of two sessions or to both is not
//! documented; here both hear of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::interaction::Record;
use super::workspace::Settings;

/// What a connection is to send.
#[derive(Debug)]
pub enum Out {
    Text(String),
    Close(u16, &'static str),
    /// Without a close frame, as a dying network does it.
    Cut,
}

#[derive(Debug)]
struct Connection {
    id: u64,
    out: UnboundedSender<Out>,
}

#[derive(Debug)]
struct Session {
    id: String,
    intents: u64,
    sequence: u64,
    kept: VecDeque<(u64, String)>,
    connection: Option<u64>,
    lost: Instant,
}

#[derive(Debug, Default)]
struct Inside {
    connections: Vec<Connection>,
    sessions: Vec<Session>,
    log: Vec<Record>,
    opened: u64,
    resumed: u64,
}

/// Every connection and session of the application.
#[derive(Debug)]
pub struct Hub {
    inside: Mutex<Inside>,
    settings: Settings,
}

impl Hub {
    pub fn new(settings: Settings) -> Self {
        Self { inside: Mutex::default(), settings }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections have identified or resumed and still stand.
    pub fn connections(&self) -> usize {
        self.inside().sessions.iter().filter(|s| s.connection.is_some()).count()
    }

    /// How many connections were ever opened: tells a replaced connection from one that still stands.
    pub fn opened(&self) -> u64 {
        self.inside().opened
    }

    /// How many sessions were resumed, each time counted.
    pub fn resumed(&self) -> u64 {
        self.inside().resumed
    }

    pub fn log(&self) -> Vec<Record> {
        self.inside().log.clone()
    }

    pub fn record(&self, record: Record) {
        self.inside().log.push(record);
    }

    /// Changes the log's entry of one interaction.
    pub fn with_record(&self, id: &str, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.inside().log.iter_mut().rev().find(|r| r.envelope_id == id) {
            change(record);
        }
    }

    pub fn connect(&self, out: UnboundedSender<Out>) -> u64 {
        let mut inside = self.inside();
        inside.opened += 1;
        let id = inside.opened;
        inside.connections.push(Connection { id, out });
        id
    }

    /// A new session on this connection. `first` makes what it is told at once, from its id.
    pub fn identify(&self, connection: u64, intents: u64, first: impl FnOnce(&str) -> Vec<(&'static str, Value)>) {
        let id = format!("{:032x}", rand::random::<u128>());
        let events = first(&id);
        let mut inside = self.inside();
        let lost = Instant::now();
        inside.sessions.push(Session {
            id: id.clone(),
            intents,
            sequence: 0,
            kept: VecDeque::new(),
            connection: Some(connection),
            lost,
        });
        let at = inside.sessions.len() - 1;
        for (event, data) in events {
            self.tell(&mut inside, at, event, &data);
        }
    }

    /// Takes the session over and replays what came after `sequence`; false if there is no such session any more.
    pub fn resume(&self, connection: u64, session: &str, sequence: u64) -> bool {
        let mut inside = self.inside();
        self.forget_old(&mut inside);
        let Some(at) = inside.sessions.iter().position(|s| s.id == session) else { return false };
        let has = &inside.sessions[at];
        // Events that are no longer kept cannot be replayed, and numbers that were never given cannot be meant.
        let complete = has.kept.front().is_none_or(|(first, _)| *first <= sequence + 1);
        if sequence > has.sequence || !complete {
            inside.sessions.remove(at);
            return false;
        }
        let old = inside.sessions[at].connection.replace(connection);
        let replay: Vec<String> = inside.sessions[at]
            .kept
            .iter()
            .filter(|(number, _)| *number > sequence)
            .map(|(_, text)| text.clone())
            .collect();
        if let Some(old) = old.and_then(|old| inside.connections.iter().find(|c| c.id == old)) {
            let _ = old.out.send(Out::Close(4000, "session resumed elsewhere"));
        }
        if let Some(new) = inside.connections.iter().find(|c| c.id == connection) {
            for text in replay {
                let _ = new.out.send(Out::Text(text));
            }
        }
        inside.resumed += 1;
        self.tell(&mut inside, at, "RESUMED", &json!({ "_trace": [] }));
        true
    }

    /// The connection is gone; `ended` if its session went with it.
    pub fn disconnect(&self, connection: u64, ended: bool) {
        let mut inside = self.inside();
        inside.connections.retain(|c| c.id != connection);
        if ended {
            inside.sessions.retain(|s| s.connection != Some(connection));
        }
        for session in inside.sessions.iter_mut().filter(|s| s.connection == Some(connection)) {
            (session.connection, session.lost) = (None, Instant::now());
        }
    }

    /// Tells every session whose intents let `make` give it something; how many will hear it, now or by a resume.
    pub fn dispatch(&self, event: &str, make: impl Fn(u64) -> Option<Value>) -> u32 {
        let mut inside = self.inside();
        self.forget_old(&mut inside);
        let mut told = 0;
        for at in 0..inside.sessions.len() {
            if let Some(data) = make(inside.sessions[at].intents) {
                self.tell(&mut inside, at, event, &data);
                told += 1;
            }
        }
        told
    }

    fn tell(&self, inside: &mut Inside, at: usize, event: &str, data: &Value) {
        let session = &mut inside.sessions[at];
        session.sequence += 1;
        let text = json!({ "op": 0, "s": session.sequence, "t": event, "d": data }).to_string();
        session.kept.push_back((session.sequence, text.clone()));
        if session.kept.len() > self.settings.kept_events {
            session.kept.pop_front();
        }
        let connection = session.connection;
        if let Some(connection) = inside.connections.iter().find(|c| Some(c.id) == connection) {
            // A connection that is dead already leaves it to the resume.
            let _ = connection.out.send(Out::Text(text));
        }
    }

    fn forget_old(&self, inside: &mut Inside) {
        inside.sessions.retain(|s| s.connection.is_some() || s.lost.elapsed() < self.settings.resume_life);
    }

    /// Opcode 7 to every connection: go, come back and resume. Who stays is closed a little later. How many were told.
    pub fn ask_to_reconnect(&self) -> usize {
        let text = json!({ "op": 7, "d": null, "s": null, "t": null }).to_string();
        let inside = self.inside();
        for connection in &inside.connections {
            let (out, grace) = (connection.out.clone(), self.settings.reconnect_grace);
            let _ = out.send(Out::Text(text.clone()));
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                // Whoever has gone hears nothing.
                let _ = out.send(Out::Close(4000, "told to reconnect"));
            });
        }
        inside.connections.len()
    }

    /// Opcode 9 to every connection, and the sessions are forgotten unless they are `resumable`.
    pub fn invalidate(&self, resumable: bool) -> usize {
        let told = self.send_all(|| Out::Text(json!({ "op": 9, "d": resumable, "s": null, "t": null }).to_string()));
        if !resumable {
            self.inside().sessions.clear();
        }
        told
    }

    /// Cuts every connection without a word.
    pub fn cut(&self) -> usize {
        self.send_all(|| Out::Cut)
    }

    fn send_all(&self, what: impl Fn() -> Out) -> usize {
        let inside = self.inside();
        for connection in &inside.connections {
            let _ = connection.out.send(what());
        }
        inside.connections.len()
    }
}
