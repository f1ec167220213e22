//! Who is in which guild, with which roles and channels: the fixed cast of the simulated world.
//!
//! The same people, groups and channels as in the simulated Slack workspace. What a channel shared with another
//! organisation is at Slack is another guild here, in which the bot is a member, too.

use serde_json::{Value, json};

use super::permissions::{EVERYBODY, VIEW_CHANNEL};
use super::snowflake;
use super::{APPLICATION, BOT_USER, FOREIGN_GUILD, GUILD, SRE_ROLE, SUPPORT_ROLE};

#[derive(Debug, Clone)]
pub struct Person {
    pub id: &'static str,
    pub name: &'static str,
    pub real_name: &'static str,
    pub title: &'static str,
    /// The guild whose people they are; others they may visit.
    pub home: &'static str,
}

impl Person {
    pub fn is_bot(&self) -> bool {
        self.id == BOT_USER
    }

    /// The `user` object.
    pub fn json(&self) -> Value {
        let mut user = json!({
            "id": self.id, "username": self.name, "global_name": self.real_name, "discriminator": "0", "avatar": null,
            "public_flags": 0, "avatar_decoration_data": null, "primary_guild": null, "collectibles": null,
        });
        if self.is_bot() {
            // Applications have kept their discriminators.
            user["discriminator"] = json!("4711");
            user["global_name"] = Value::Null;
            user["bot"] = json!(true);
        }
        user
    }
}

#[derive(Debug, Clone)]
pub struct Role {
    pub id: String,
    pub name: &'static str,
    pub permissions: u64,
    pub position: u8,
    pub mentionable: bool,
    /// The role that an application brings with it.
    pub managed: bool,
}

impl Role {
    pub fn json(&self) -> Value {
        let mut role = json!({
            "id": self.id, "name": self.name, "description": null, "color": 0,
            "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
            "hoist": false, "icon": null, "unicode_emoji": null, "position": self.position,
            "permissions": self.permissions.to_string(), "managed": self.managed, "mentionable": self.mentionable,
            "flags": 0,
        });
        if self.managed {
            role["tags"] = json!({ "bot_id": APPLICATION });
        }
        role
    }
}

#[derive(Debug, Clone)]
pub struct Member {
    pub user: &'static str,
    pub roles: Vec<String>,
    /// Has not yet accepted the rules of the guild.
    pub pending: bool,
}

#[derive(Debug, Clone)]
pub struct Guild {
    pub id: String,
    pub name: &'static str,
    pub owner: &'static str,
    pub roles: Vec<Role>,
    pub members: Vec<Member>,
}

impl Guild {
    pub fn member(&self, user: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.user == user)
    }
}

/// Grants or takes permissions in one channel, from a role or a member.
#[derive(Debug, Clone)]
pub struct Overwrite {
    pub id: String,
    pub is_member: bool,
    pub allow: u64,
    pub deny: u64,
}

impl Overwrite {
    fn json(&self) -> Value {
        json!({ "id": self.id, "type": u8::from(self.is_member), "allow": self.allow.to_string(),
            "deny": self.deny.to_string() })
    }
}

/// Kinds of channels, by Discord's numbers.
pub const TEXT: u8 = 0;
pub const DIRECT_MESSAGE: u8 = 1;
pub const PUBLIC_THREAD: u8 = 11;

#[derive(Debug, Clone)]
pub struct Channel {
    pub id: String,
    pub kind: u8,
    pub guild: Option<String>,
    pub name: String,
    pub topic: &'static str,
    /// The channel in which this thread stands.
    pub parent: Option<String>,
    /// The person at the other end of a direct message with the bot.
    pub recipient: Option<String>,
    pub overwrites: Vec<Overwrite>,
    /// Who began the thread.
    pub owner: String,
    pub archived: bool,
    pub locked: bool,
    /// Minutes without a word after which a thread is archived.
    pub auto_archive: u64,
}

impl Channel {
    pub fn is_thread(&self) -> bool {
        self.kind == PUBLIC_THREAD
    }

    /// The channel object. What depends on messages is given: the newest one, and how many there are.
    pub fn json(&self, last: Option<&str>, messages: usize) -> Value {
        let mut channel = json!({ "id": self.id, "type": self.kind, "flags": 0, "last_message_id": last });
        if let Some(guild) = &self.guild {
            channel["guild_id"] = json!(guild);
            channel["name"] = json!(self.name);
            channel["rate_limit_per_user"] = json!(0);
        }
        match &self.parent {
            Some(parent) => {
                channel["parent_id"] = json!(parent);
                channel["owner_id"] = json!(self.owner);
                channel["message_count"] = json!(messages);
                channel["total_message_sent"] = json!(messages);
                channel["member_count"] = json!(1);
                channel["thread_metadata"] = json!({
                    "archived": self.archived, "locked": self.locked, "auto_archive_duration": self.auto_archive,
                    "archive_timestamp": snowflake::written_time(&self.id),
                    "create_timestamp": snowflake::written_time(&self.id),
                });
            }
            None if self.guild.is_some() => {
                channel["position"] = json!(0);
                channel["parent_id"] = Value::Null;
                channel["topic"] = json!(self.topic);
                channel["nsfw"] = json!(false);
                channel["permission_overwrites"] = self.overwrites.iter().map(Overwrite::json).collect();
            }
            None => {}
        }
        channel
    }
}

/// Given their names; the ids say nothing.
pub const SUSAN: &str = "1100000000000000101";
pub const ARNE: &str = "1100000000000000102";
pub const PRIYA: &str = "1100000000000000103";
pub const OMAR: &str = "1100000000000000104";
pub const FRED: &str = "1100000000000000105";
pub const OPS: &str = "1100000000000000201";
pub const INCIDENTS: &str = "1100000000000000202";
pub const RANDOM: &str = "1100000000000000203";
pub const PARTNERS: &str = "1100000000000000204";

pub fn cast() -> Vec<Person> {
    let person = |id, name, real_name, title, home| Person { id, name, real_name, title, home };
    vec![
        person(SUSAN, "susan", "Susan Abara", "Support", GUILD),
        person(ARNE, "arne", "Arne Lind", "SRE", GUILD),
        person(PRIYA, "priya", "Priya Nair", "SRE", GUILD),
        person(OMAR, "omar", "Omar Haddad", "Sales", GUILD),
        person(FRED, "fred", "Fred Bloom", "Partner Inc.", FOREIGN_GUILD),
        person(BOT_USER, "muster", "Muster", "App", GUILD),
    ]
}

pub fn guilds() -> Vec<Guild> {
    let role = |id: &str, name, position, mentionable| Role {
        id: id.to_owned(),
        name,
        permissions: EVERYBODY,
        position,
        mentionable,
        managed: name == "muster",
    };
    let member =
        |user, roles: &[&str]| Member { user, roles: roles.iter().map(|r| (*r).to_owned()).collect(), pending: false };
    let (own_role, foreign_role) = ("1100000000000000023", "1100000000000000024");
    vec![
        Guild {
            id: GUILD.to_owned(),
            name: "Muster",
            owner: ARNE,
            roles: vec![
                role(GUILD, "@everyone", 0, false),
                role(SUPPORT_ROLE, "support", 1, true),
                role(SRE_ROLE, "sre", 2, true),
                role(own_role, "muster", 3, false),
            ],
            members: vec![
                member(SUSAN, &[SUPPORT_ROLE]),
                member(ARNE, &[SRE_ROLE]),
                member(PRIYA, &[SRE_ROLE]),
                member(OMAR, &[]),
                member(BOT_USER, &[own_role]),
            ],
        },
        Guild {
            id: FOREIGN_GUILD.to_owned(),
            name: "Partner Inc.",
            owner: FRED,
            roles: vec![role(FOREIGN_GUILD, "@everyone", 0, false), role(foreign_role, "muster", 1, false)],
            members: vec![
                member(FRED, &[]),
                member(SUSAN, &[]),
                member(ARNE, &[]),
                member(PRIYA, &[]),
                member(OMAR, &[]),
                member(BOT_USER, &[foreign_role]),
            ],
        },
    ]
}

pub fn channels() -> Vec<Channel> {
    let channel = |id: &str, guild: &str, name: &str, topic, overwrites| Channel {
        id: id.to_owned(),
        kind: TEXT,
        guild: Some(guild.to_owned()),
        name: name.to_owned(),
        topic,
        parent: None,
        recipient: None,
        overwrites,
        owner: String::new(),
        archived: false,
        locked: false,
        auto_archive: 0,
    };
    // Everybody but the bot sees it.
    let unseen = Overwrite { id: BOT_USER.to_owned(), is_member: true, allow: 0, deny: VIEW_CHANNEL };
    vec![
        channel(OPS, GUILD, "ops", "Operations on customer systems", vec![]),
        channel(INCIDENTS, GUILD, "incidents", "What is broken now", vec![]),
        channel(RANDOM, GUILD, "random", "Anything else; Muster does not see it", vec![unseen]),
        channel(PARTNERS, FOREIGN_GUILD, "partners", "The server of Partner Inc.", vec![]),
    ]
}
