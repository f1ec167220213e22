//! What the workspace holds: people, channels, messages, files, modals, triggers and response URLs.
//!
//! Plain data behind one lock; no I/O. Whoever changes it says so through `Workspace::changed`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::faults::Faults;
use super::message::Message;
use super::people::{self, Channel, Group, Person};
use super::response_url::ResponseUrl;
use super::view::View;
use super::{BOT_USER, TEAM};

#[derive(Debug, Clone)]
pub struct File {
    pub id: String,
    pub name: String,
    pub title: String,
    pub bytes: Vec<u8>,
    /// What `files.getUploadURLExternal` was told; the upload must have exactly this many bytes.
    pub length: usize,
    pub uploaded: bool,
    pub completed: bool,
    /// Channel and message `ts`, once the share has really happened.
    pub shared: Vec<(String, String)>,
    pub created: i64,
}

/// A `trigger_id`: one person, once, for three seconds.
#[derive(Debug, Clone)]
pub struct Trigger {
    pub user: String,
    pub made: Instant,
    pub used: bool,
}

/// One body that the app sent.
#[derive(Debug, Clone, Serialize)]
pub struct Body {
    /// When it came, as a `ts`.
    pub ts: String,
    /// The method of the Web API, `response_url`, or `ack` for what rode on an acknowledgement.
    pub method: String,
    pub body: Value,
}

/// Older ones are forgotten: a workspace may run for weeks.
const BODIES_MAX: usize = 20_000;

#[derive(Debug)]
pub struct World {
    pub people: Vec<Person>,
    pub groups: Vec<Group>,
    pub channels: Vec<Channel>,
    pub messages: Vec<Message>,
    pub files: BTreeMap<String, File>,
    pub views: BTreeMap<String, View>,
    /// Open modals of each person, the top one last.
    pub stacks: BTreeMap<String, Vec<String>>,
    /// The App Home of each person, once the app has published it.
    pub homes: BTreeMap<String, String>,
    /// What the app last offered in each external select: view or message, block, action.
    pub offers: BTreeMap<(String, String, String), Vec<Value>>,
    pub triggers: BTreeMap<String, Trigger>,
    pub response_urls: BTreeMap<String, ResponseUrl>,
    pub faults: Faults,
    /// Calls per method, for tests and benchmarks.
    pub calls: BTreeMap<String, u64>,
    /// What the app said, in order: message bodies and views as they came.
    pub bodies: VecDeque<Body>,
    /// When each (method, channel) was last allowed, for the optional rate limit.
    pub pace: BTreeMap<(String, String), Instant>,
    last_micros: i64,
    counter: u64,
}

impl World {
    pub fn new(faults: Faults) -> Self {
        Self {
            people: people::cast(),
            groups: people::groups(),
            channels: people::channels(),
            messages: Vec::new(),
            files: BTreeMap::new(),
            views: BTreeMap::new(),
            stacks: BTreeMap::new(),
            homes: BTreeMap::new(),
            offers: BTreeMap::new(),
            triggers: BTreeMap::new(),
            response_urls: BTreeMap::new(),
            faults,
            calls: BTreeMap::new(),
            bodies: VecDeque::new(),
            pace: BTreeMap::new(),
            last_micros: 0,
            counter: 0,
        }
    }

    /// A `ts`, unique and growing as in Slack: seconds and six digits.
    pub fn next_ts(&mut self) -> String {
        self.last_micros = Timestamp::now().as_microsecond().max(self.last_micros + 1);
        format!("{}.{:06}", self.last_micros / 1_000_000, self.last_micros % 1_000_000)
    }

    /// Keeps what the app said, if it is a message or a view.
    pub fn keep_body(&mut self, method: &str, body: Value) {
        let says = ["blocks", "text", "markdown_text", "view"].iter().any(|field| body.get(field).is_some());
        if !says {
            return;
        }
        if self.bodies.len() == BODIES_MAX {
            self.bodies.pop_front();
        }
        let ts = self.next_ts();
        self.bodies.push_back(Body { ts, method: method.to_owned(), body });
    }

    /// `prefix` and a number that no other id of this workspace has.
    pub fn next_id(&mut self, prefix: &str) -> String {
        self.counter += 1;
        format!("{prefix}{:07}", self.counter)
    }

    pub fn new_trigger(&mut self, user: &str) -> String {
        let id = format!("{}.{}.{:016x}", self.next_id("").trim_start_matches('0'), TEAM, rand::random::<u64>());
        self.triggers.insert(id.clone(), Trigger { user: user.to_owned(), made: Instant::now(), used: false });
        id
    }

    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|p| p.id == id)
    }

    /// By id, `@name`, `name`, or the part that conversation files give them (`@support`, `@approver`, …).
    pub fn person_called(&self, called: &str) -> Option<&Person> {
        let name = called.trim_start_matches('@');
        let name = match name {
            "support" => "susan",
            "approver" => "arne",
            "approver2" => "priya",
            "outsider" => "omar",
            "foreign" => "fred",
            other => other,
        };
        self.people.iter().find(|p| !p.is_bot() && (p.id == name || p.name == name))
    }

    pub fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.iter().find(|c| c.id == id)
    }

    /// By id, `#name` or `name`.
    pub fn channel_called(&self, called: &str) -> Option<&Channel> {
        let name = called.trim_start_matches('#');
        self.channels.iter().find(|c| c.id == name || c.name == name)
    }

    pub fn is_member(&self, channel: &str, user: &str) -> bool {
        self.channel(channel).is_some_and(|c| c.members.contains(user))
    }

    /// The direct message of the bot and `user`, opened if it is not.
    pub fn im(&mut self, user: &str) -> String {
        if let Some(open) = self.channels.iter().find(|c| c.im.as_deref() == Some(user)) {
            return open.id.clone();
        }
        let id = format!("D0{}", user.trim_start_matches("U0"));
        self.channels.push(Channel {
            id: id.clone(),
            name: format!("dm-{}", self.person(user).map_or("unknown", |p| p.name)),
            purpose: "",
            is_ext_shared: false,
            im: Some(user.to_owned()),
            members: BTreeSet::from([user.to_owned(), BOT_USER.to_owned()]),
        });
        id
    }

    pub fn message(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.messages.iter().find(|m| m.channel == channel && m.ts == ts && !m.deleted)
    }

    pub fn message_mut(&mut self, channel: &str, ts: &str) -> Option<&mut Message> {
        self.messages.iter_mut().find(|m| m.channel == channel && m.ts == ts && !m.deleted)
    }

    /// Public messages of a thread, the root first.
    pub fn thread<'a>(&'a self, channel: &'a str, root: &'a str) -> impl Iterator<Item = &'a Message> {
        self.messages
            .iter()
            .filter(move |m| m.channel == channel && m.root_ts() == root && !m.deleted && m.only_for.is_none())
    }

    /// What `viewer` sees of a channel, oldest first: roots only, ephemerals of that person among them.
    pub fn roots<'a>(&'a self, channel: &'a str, viewer: Option<&'a str>) -> impl Iterator<Item = &'a Message> {
        self.messages.iter().filter(move |m| {
            m.channel == channel
                && m.thread_ts.is_none()
                && !m.deleted
                && (m.only_for.is_none() || (viewer.is_some() && m.only_for.as_deref() == viewer))
        })
    }

    /// The `ts` of the newest message of a channel that all its members see, replies included.
    pub fn latest(&self, channel: &str) -> Option<&str> {
        let public = |m: &&Message| m.channel == channel && !m.deleted && m.only_for.is_none();
        self.messages.iter().rev().find(public).map(|m| m.ts.as_str())
    }

    /// The message with thread counts and files, as `conversations.*` and the payloads show it.
    pub fn message_json(&self, message: &Message, with_metadata: bool, base: &str) -> Value {
        let mut shown = message.json(with_metadata);
        if message.thread_ts.is_none() {
            let replies: Vec<&Message> =
                self.thread(&message.channel, &message.ts).filter(|m| m.ts != message.ts).collect();
            if let Some(last) = replies.last() {
                let users: BTreeSet<&str> = replies.iter().map(|m| m.user.as_str()).collect();
                shown["thread_ts"] = json!(message.ts);
                shown["reply_count"] = json!(replies.len());
                shown["reply_users_count"] = json!(users.len());
                shown["reply_users"] = json!(users);
                shown["latest_reply"] = json!(last.ts);
                shown["is_locked"] = json!(false);
                shown["subscribed"] = json!(true);
            }
        }
        if !message.files.is_empty() {
            shown["files"] =
                json!(message.files.iter().filter_map(|id| self.file_json(id, base)).collect::<Vec<Value>>());
            shown["upload"] = json!(false);
        }
        shown
    }

    pub fn file_json(&self, id: &str, base: &str) -> Option<Value> {
        let file = self.files.get(id)?;
        let extension = file.name.rsplit_once('.').map_or("txt", |(_, e)| e);
        let (mimetype, pretty) = match extension {
            "json" => ("application/json", "JSON"),
            "csv" => ("text/csv", "CSV"),
            "gz" => ("application/gzip", "Gzip"),
            _ => ("text/plain", "Plain Text"),
        };
        let mut shares: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (channel, ts) in &file.shared {
            let thread = self.message(channel, ts).and_then(|m| m.thread_ts.clone());
            let mut share = json!({ "ts": ts, "reply_users": [], "reply_count": 0, "team_id": TEAM });
            if let Some(root) = thread {
                share["thread_ts"] = json!(root);
            }
            shares.entry(channel).or_default().push(share);
        }
        let channels: Vec<&str> = shares.keys().copied().collect();
        Some(json!({
            "id": file.id, "created": file.created, "timestamp": file.created, "name": file.name, "title": file.title,
            "mimetype": mimetype, "filetype": extension, "pretty_type": pretty, "user": BOT_USER, "user_team": TEAM,
            "editable": false, "size": file.bytes.len(), "mode": "hosted", "is_external": false, "external_type": "",
            "is_public": !file.shared.is_empty(), "public_url_shared": false, "display_as_bot": false, "username": "",
            "url_private": format!("{base}/files-pri/{TEAM}-{}/{}", file.id, file.name),
            "url_private_download": format!("{base}/files-pri/{TEAM}-{}/download/{}", file.id, file.name),
            "permalink": format!("{base}/files/{BOT_USER}/{}/{}", file.id, file.name),
            "channels": channels, "groups": [], "ims": [],
            "shares": if shares.is_empty() { json!({}) } else { json!({ "public": shares }) },
        }))
    }
}
