//! The running workspace: the world behind its lock, the sockets, and the news for whoever watches.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::faults::Faults;
use super::socket::Hub;
use super::world::World;
use crate::playground::http::Http;

#[derive(Debug, Clone)]
pub struct Settings {
    /// How long Slack waits for an acknowledgement: 3 s.
    pub ack_deadline: Duration,
    /// Pauses before an unacknowledged event is sent again: Slack's are about 0 s, 1 min and 5 min.
    pub event_retries: Vec<Duration>,
    /// How long a `trigger_id` lives: 3 s.
    pub trigger_life: Duration,
    /// How long after `files.completeUploadExternal` the file is really shared; Slack does it later, too.
    pub share_delay: Duration,
    /// Enforce about one post a second and channel, and 50 edits a minute.
    pub rate_limit: bool,
    pub seed: u64,
    /// What the app was granted when it was installed.
    pub scopes: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ack_deadline: Duration::from_secs(3),
            event_retries: vec![Duration::ZERO, Duration::from_secs(60), Duration::from_secs(300)],
            trigger_life: Duration::from_secs(3),
            share_delay: Duration::from_millis(150),
            rate_limit: false,
            seed: 1,
            scopes: super::scopes::granted(),
        }
    }
}

/// Shared by every handler. Cheap to clone by `Arc`.
#[derive(Debug)]
pub struct Workspace {
    world: Mutex<World>,
    pub hub: Hub,
    pub settings: Settings,
    /// The control interface of the simulated organisation beside this workspace, if there is one: for the page.
    pub organisation: Option<Http>,
    /// `http://127.0.0.1:PORT`, as the bot reaches us.
    base: Mutex<String>,
    revision: watch::Sender<u64>,
}

impl Workspace {
    pub fn new(settings: Settings, faults: Faults, base: String, organisation: Option<Http>) -> Arc<Self> {
        Arc::new(Self {
            hub: Hub::new(settings.seed),
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

    /// The bot came by this `Host`, so links made for it use the same one (a container's name, a forwarded port).
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

    /// A one-line message that Slack itself shows to one person.
    pub fn slack_says(&self, channel: &str, user: &str, text: &str) -> Value {
        let mut world = self.world();
        let ts = world.next_ts();
        let mut message = super::message::Message::new(ts.clone(), channel, user);
        message.by_slack = true;
        message.only_for = Some(user.to_owned());
        message.text = text.to_owned();
        world.messages.push(message);
        drop(world);
        self.changed();
        json!({ "ts": ts, "text": text })
    }
}
