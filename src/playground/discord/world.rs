//! What the guilds hold: people, channels, messages, files, commands, interactions and open modals.
//!
//! Plain data behind one lock; no I/O. Whoever changes it says so through `Workspace::changed`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use serde::Serialize;
use serde_json::{Value, json};

use super::faults::Faults;
use super::interaction::Interaction;
use super::message::Message;
use super::people::{self, Channel, DIRECT_MESSAGE, Guild, Person, Role};
use super::permissions::{self, VIEW_CHANNEL};
use super::snowflake::Snowflakes;
use super::{APPLICATION, BOT_USER};

#[derive(Debug, Clone)]
pub struct File {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub bytes: Vec<u8>,
}

/// One body that the bot sent.
#[derive(Debug, Clone, Serialize)]
pub struct Body {
    /// When it came, as an id.
    pub ts: String,
    /// The route's name.
    pub method: String,
    pub body: Value,
    /// Whom it notified: `@everyone`, `<@&role>`, `<@user>`.
    pub pings: Vec<String>,
}

/// Older ones are forgotten: a guild may run for weeks.
const BODIES_MAX: usize = 20_000;

/// What a guild object always names, and these guilds have none of.
const GUILD_NULLS: &[&str] = &[
    "icon",
    "icon_hash",
    "splash",
    "discovery_splash",
    "afk_channel_id",
    "widget_channel_id",
    "application_id",
    "system_channel_id",
    "rules_channel_id",
    "max_presences",
    "vanity_url_code",
    "description",
    "banner",
    "public_updates_channel_id",
    "safety_alerts_channel_id",
    "incidents_data",
    "hub_type",
    "home_header",
    "latest_onboarding_question_id",
];

#[derive(Debug)]
pub struct World {
    pub people: Vec<Person>,
    pub guilds: Vec<Guild>,
    pub channels: Vec<Channel>,
    pub messages: Vec<Message>,
    pub files: BTreeMap<String, File>,
    /// Registered commands: globally under the empty id, else under their guild's.
    pub commands: BTreeMap<String, Vec<Value>>,
    /// How often commands were written.
    pub command_writes: u64,
    /// How many commands were new, of which there may be 200 a day.
    pub commands_created: u64,
    /// By token.
    pub interactions: BTreeMap<String, Interaction>,
    /// The modal that each person has open.
    pub modals: BTreeMap<String, super::forms::Modal>,
    pub faults: Faults,
    /// Calls per route, for tests and benchmarks.
    pub calls: BTreeMap<String, u64>,
    /// What the bot said, in order.
    pub bodies: VecDeque<Body>,
    /// Calls of the running window of each bucket, for the optional rate limit.
    pub pace: BTreeMap<String, (Instant, u32)>,
    ids: Snowflakes,
}

impl World {
    pub fn new(faults: Faults) -> Self {
        Self {
            people: people::cast(),
            guilds: people::guilds(),
            channels: people::channels(),
            messages: Vec::new(),
            files: BTreeMap::new(),
            commands: BTreeMap::new(),
            command_writes: 0,
            commands_created: 0,
            interactions: BTreeMap::new(),
            modals: BTreeMap::new(),
            faults,
            calls: BTreeMap::new(),
            bodies: VecDeque::new(),
            pace: BTreeMap::new(),
            ids: Snowflakes::default(),
        }
    }

    pub fn next_id(&mut self) -> String {
        self.ids.new_id()
    }

    /// Keeps what the bot said.
    pub fn keep_body(&mut self, method: &str, body: Value, pings: Vec<String>) {
        if self.bodies.len() == BODIES_MAX {
            self.bodies.pop_front();
        }
        let ts = self.next_id();
        self.bodies.push_back(Body { ts, method: method.to_owned(), body, pings });
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

    pub fn guild(&self, id: &str) -> Option<&Guild> {
        self.guilds.iter().find(|g| g.id == id)
    }

    /// The guild in which this channel or thread stands.
    pub fn guild_of(&self, channel: &str) -> Option<&Guild> {
        self.guild(self.channel(channel)?.guild.as_deref()?)
    }

    /// The roles that still exist.
    pub fn roles<'a>(&'a self, guild: &'a Guild) -> impl Iterator<Item = &'a Role> {
        guild.roles.iter().filter(|r| !self.faults.role_is_deleted(&r.id, r.name))
    }

    pub fn role(&self, id: &str) -> Option<&Role> {
        self.guilds.iter().flat_map(|g| self.roles(g)).find(|r| r.id == id)
    }

    pub fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.iter().find(|c| c.id == id)
    }

    pub fn channel_mut(&mut self, id: &str) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|c| c.id == id)
    }

    /// By id, `#name` or `name`; threads by id only.
    pub fn channel_called(&self, called: &str) -> Option<&Channel> {
        let name = called.trim_start_matches('#');
        self.channels.iter().find(|c| c.id == name || (c.name == name && !c.is_thread()))
    }

    pub fn sees(&self, channel: &str, user: &str) -> bool {
        permissions::has(self, channel, user, VIEW_CHANNEL)
    }

    /// The direct message of the bot and `user`, opened if it is not.
    pub fn direct_message(&mut self, user: &str) -> String {
        if let Some(open) = self.channels.iter().find(|c| c.recipient.as_deref() == Some(user)) {
            return open.id.clone();
        }
        let id = self.next_id();
        self.channels.push(Channel {
            id: id.clone(),
            kind: DIRECT_MESSAGE,
            guild: None,
            name: format!("dm-{}", self.person(user).map_or("unknown", |p| p.name)),
            topic: "",
            parent: None,
            recipient: Some(user.to_owned()),
            overwrites: Vec::new(),
            owner: String::new(),
            archived: false,
            locked: false,
            auto_archive: 0,
        });
        id
    }

    pub fn message(&self, id: &str) -> Option<&Message> {
        self.messages.iter().rev().find(|m| m.id == id && !m.deleted)
    }

    pub fn message_mut(&mut self, id: &str) -> Option<&mut Message> {
        self.messages.iter_mut().rev().find(|m| m.id == id && !m.deleted)
    }

    /// Messages that everybody in the channel sees, oldest first.
    pub fn history<'a>(&'a self, channel: &'a str) -> impl DoubleEndedIterator<Item = &'a Message> {
        self.messages.iter().filter(move |m| m.channel == channel && !m.deleted && m.only_for.is_none())
    }

    /// The message from which this message's thread began; its own id, if it stands in no thread.
    pub fn root_of<'a>(&'a self, message: &'a Message) -> &'a str {
        let in_thread = self.channel(&message.channel).is_some_and(Channel::is_thread);
        if in_thread { &message.channel } else { &message.id }
    }

    /// The channel of this place: the parent of a thread, the channel itself otherwise.
    pub fn outer<'a>(&'a self, channel: &'a str) -> &'a str {
        self.channel(channel).and_then(|c| c.parent.as_deref()).unwrap_or(channel)
    }

    pub fn channel_json(&self, channel: &Channel) -> Value {
        let last = self.history(&channel.id).next_back().map(|m| m.id.as_str());
        let count = self.history(&channel.id).filter(|m| m.kind != super::message::THREAD_STARTER).count();
        let mut shown = channel.json(last, count);
        if let Some(user) = channel.recipient.as_deref().and_then(|id| self.person(id)) {
            shown["recipients"] = json!([user.json()]);
        }
        shown
    }

    pub fn member_json(&self, guild: &Guild, user: &str) -> Option<Value> {
        let (member, person) = (guild.member(user)?, self.person(user)?);
        let roles: Vec<&String> =
            member.roles.iter().filter(|r| self.roles(guild).any(|known| known.id == **r)).collect();
        Some(json!({
            "user": person.json(), "nick": null, "avatar": null, "banner": null, "roles": roles,
            "joined_at": "2024-01-01T00:00:00.000000+00:00", "premium_since": null, "deaf": false, "mute": false,
            "flags": 0, "pending": member.pending, "communication_disabled_until": null,
            "unusual_dm_activity_until": null, "avatar_decoration_data": null,
        }))
    }

    /// The message as REST and gateway show it. `guild_id` and `member` belong to gateway events alone.
    pub fn message_json(&self, message: &Message, base: &str) -> Value {
        let mut shown = message.json();
        shown["author"] = self.person(&message.author).map(Person::json).unwrap_or_default();
        shown["mentions"] = message.mentions.iter().filter_map(|id| self.person(id)).map(Person::json).collect();
        shown["attachments"] = message.attachments.iter().filter_map(|id| self.file_json(id, message, base)).collect();
        if let Some(of) = message.reference.as_ref().and_then(|r| r["message_id"].as_str()) {
            // One step only, as at Discord.
            shown["referenced_message"] =
                self.message(of).filter(|m| m.id != message.id).map(|m| self.plain_json(m, base)).unwrap_or_default();
        }
        if let Some(thread) = self.channel(&message.id) {
            shown["thread"] = self.channel_json(thread);
        }
        shown
    }

    fn plain_json(&self, message: &Message, base: &str) -> Value {
        let mut shown = message.json();
        shown["author"] = self.person(&message.author).map(Person::json).unwrap_or_default();
        shown["mentions"] = json!([]);
        shown["attachments"] = message.attachments.iter().filter_map(|id| self.file_json(id, message, base)).collect();
        shown
    }

    pub fn file_json(&self, id: &str, message: &Message, base: &str) -> Option<Value> {
        let file = self.files.get(id)?;
        let url = format!("{base}/attachments/{}/{id}/{}", message.channel, file.name);
        let mut shown = json!({
            "id": file.id, "filename": file.name, "size": file.bytes.len(), "url": url, "proxy_url": url,
            "content_type": "text/plain; charset=utf-8", "content_scan_version": 0,
        });
        if let Some(description) = &file.description {
            shown["description"] = json!(description);
        }
        if message.only_for.is_some() {
            shown["ephemeral"] = json!(true);
        }
        Some(shown)
    }

    /// The whole guild, as `GUILD_CREATE` carries it to who sees its members or not.
    pub fn guild_create_json(&self, guild: &Guild, with_members: bool) -> Value {
        let mut shown = self.guild_json(guild);
        let here = |c: &&Channel| c.guild.as_deref() == Some(guild.id.as_str()) && self.sees(&c.id, BOT_USER);
        let list = |threads: bool| -> Vec<Value> {
            let kept = self.channels.iter().filter(here).filter(|c| c.is_thread() == threads && !c.archived);
            kept.map(|c| self.channel_json(c)).collect()
        };
        let members = guild.members.iter().filter(|m| with_members || m.user == BOT_USER);
        shown["joined_at"] = json!("2024-01-01T00:00:00.000000+00:00");
        shown["large"] = json!(false);
        shown["unavailable"] = json!(false);
        shown["member_count"] = json!(guild.members.len());
        shown["voice_states"] = json!([]);
        shown["members"] = members.filter_map(|m| self.member_json(guild, m.user)).collect();
        shown["channels"] = json!(list(false));
        shown["threads"] = json!(list(true));
        shown["presences"] = json!([]);
        shown["stage_instances"] = json!([]);
        shown["guild_scheduled_events"] = json!([]);
        shown["soundboard_sounds"] = json!([]);
        shown
    }

    pub fn guild_json(&self, guild: &Guild) -> Value {
        let roles: Vec<Value> = self.roles(guild).map(Role::json).collect();
        let mut shown = json!({
            "id": guild.id, "name": guild.name, "owner_id": guild.owner, "afk_timeout": 300, "verification_level": 1,
            "default_message_notifications": 1, "explicit_content_filter": 0, "roles": roles, "emojis": [],
            "features": [], "mfa_level": 0, "system_channel_flags": 0, "max_members": 25_000_000, "premium_tier": 0,
            "premium_subscription_count": 0, "preferred_locale": "en-US", "max_video_channel_users": 25,
            "max_stage_video_channel_users": 50, "nsfw_level": 0, "stickers": [], "region": "deprecated",
            "premium_progress_bar_enabled": false, "widget_enabled": false, "nsfw": false,
        });
        for name in GUILD_NULLS {
            shown[*name] = Value::Null;
        }
        shown
    }

    /// A registered command by its name and kind, as a person in `guild` sees it: the guild's own before global ones.
    pub fn command(&self, guild: Option<&str>, kind: u64, name: &str) -> Option<&Value> {
        let own = guild.and_then(|g| self.commands.get(g)).into_iter().flatten();
        let global = self.commands.get("").into_iter().flatten();
        own.chain(global).find(|c| c["type"] == kind && c["name"] == name && c["application_id"] == APPLICATION)
    }
}
