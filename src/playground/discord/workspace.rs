//! The running simulation: the world behind its lock, the gateway's sessions, and the news for whoever watches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::faults::Faults;
use super::gateway::{GUILD_MEMBERS, MESSAGE_CONTENT};
use super::message::Message;
use super::session::Hub;
use super::world::World;
use crate::playground::http::Http;

#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a person waits for the first response: 3 s.
    pub ack_deadline: Duration,
    /// How long an interaction's token lives: 15 min.
    pub token_life: Duration,
    /// Discord's is 41.25 s.
    pub heartbeat: Duration,
    /// How long a session without a connection can be resumed; Discord does not say, some minutes.
    pub resume_life: Duration,
    /// How long after opcode 7 a client that has not gone is closed.
    pub reconnect_grace: Duration,
    /// Events that a session keeps for its resume.
    pub kept_events: usize,
    /// Privileged intents that are switched on for the application: `gateway::GUILD_MEMBERS`, …
    pub privileged: u64,
    /// Enforce five messages in five seconds and channel.
    pub rate_limit: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ack_deadline: Duration::from_secs(3),
            token_life: Duration::from_secs(15 * 60),
            heartbeat: Duration::from_millis(41_250),
            resume_life: Duration::from_secs(180),
            reconnect_grace: Duration::from_secs(5),
            kept_events: 5_000,
            privileged: GUILD_MEMBERS,
            rate_limit: false,
        }
    }
}

impl Settings {
    /// The application's flags that tell which privileged intents are on (the "limited" ones of a small application).
    pub fn application_flags(&self) -> u64 {
        let when = |intent: u64, flag: u64| if self.privileged & intent == 0 { 0 } else { flag };
        when(GUILD_MEMBERS, 1 << 15) | when(MESSAGE_CONTENT, 1 << 19)
    }
}

/// Shared by every handler. Cheap to clone by `Arc`.
#[derive(Debug)]
pub struct Workspace {
    world: Mutex<World>,
    pub hub: Hub,
    pub settings: Settings,
    /// The control interface of the simulated organisation beside this guild, if there is one: for the page.
    pub organisation: Option<Http>,
    /// `http://127.0.0.1:PORT`, as the bot reaches us.
    base: Mutex<String>,
    revision: watch::Sender<u64>,
}

impl Workspace {
    pub fn new(settings: Settings, faults: Faults, base: String, organisation: Option<Http>) -> Arc<Self> {
        Arc::new(Self {
            hub: Hub::new(settings.clone()),
            world: Mutex::new(World::new(faults)),
            settings,
            organisation,
            base: Mutex::new(base),
            revision: watch::Sender::new(0),
        })
    }

    /// Never held over an `await`. A poisoned lock is taken as it is: a panic in one handler must not hide the thread.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn base(&self) -> String {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bot came by this `Host`, so addresses made for it use the same one (a container's name, a forwarded port).
    pub fn reached_by(&self, host: &str) {
        if !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".:-[]".contains(c)) {
            *self.base.lock().unwrap_or_else(PoisonError::into_inner) = format!("http://{host}");
        }
    }

    /// Something that a person could see has changed.
    pub fn changed(&self) {
        self.revision.send_modify(|r| *r += 1);
    }

    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    pub fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// A line that the person's own client shows to them alone.
    pub fn client_says(&self, channel: &str, user: &str, text: &str) -> Value {
        let mut world = self.world();
        let id = world.next_id();
        let mut message = Message::new(id.clone(), channel, user);
        message.by_client = true;
        message.only_for = Some(user.to_owned());
        message.content = text.to_owned();
        world.messages.push(message);
        drop(world);
        self.changed();
        json!({ "ts": id, "text": text })
    }
}
