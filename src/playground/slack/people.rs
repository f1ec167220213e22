//! Who is in the workspace, in which groups and channels: the fixed cast of the simulated world.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{BOT_ID, BOT_USER, FOREIGN_TEAM, TEAM};

#[derive(Debug, Clone)]
pub struct Person {
    pub id: &'static str,
    pub name: &'static str,
    pub real_name: &'static str,
    pub title: &'static str,
    pub team: &'static str,
}

impl Person {
    pub fn is_bot(&self) -> bool {
        self.id == BOT_USER
    }

    pub fn email(&self) -> String {
        format!("{}@{}.example", self.name, if self.team == TEAM { "muster" } else { "other" })
    }

    /// The `user` object of `users.info`. `is_stranger` marks people of another organisation who share a channel.
    pub fn json(&self) -> Value {
        let mut profile = json!({
            "real_name": self.real_name, "real_name_normalized": self.real_name,
            "display_name": self.name, "display_name_normalized": self.name,
            "title": self.title, "team": self.team,
        });
        if !self.is_bot() {
            profile["email"] = json!(self.email());
        }
        let mut user = json!({
            "id": self.id, "team_id": self.team, "name": self.name, "real_name": self.real_name, "deleted": false,
            "tz": "Europe/Berlin", "tz_label": "Central European Time", "tz_offset": 3600,
            "is_admin": false, "is_owner": false, "is_primary_owner": false, "is_restricted": false,
            "is_ultra_restricted": false, "is_bot": self.is_bot(), "is_app_user": false, "updated": 1_700_000_000,
            "profile": profile,
        });
        if self.team != TEAM {
            user["is_stranger"] = json!(true);
        }
        if self.is_bot() {
            user["profile"]["bot_id"] = json!(BOT_ID);
        }
        user
    }
}

#[derive(Debug, Clone)]
pub struct Group {
    pub id: &'static str,
    pub handle: &'static str,
    pub name: &'static str,
    pub users: Vec<&'static str>,
}

impl Group {
    pub fn json(&self, with_users: bool) -> Value {
        let mut group = json!({
            "id": self.id, "team_id": TEAM, "is_usergroup": true, "is_subteam": true, "name": self.name,
            "description": "", "handle": self.handle, "is_external": false, "date_create": 1_700_000_000,
            "date_update": 1_700_000_000, "date_delete": 0, "auto_type": null, "auto_provision": false,
            "created_by": "U0ARNE", "updated_by": "U0ARNE", "deleted_by": null,
            "prefs": { "channels": [], "groups": [] }, "user_count": self.users.len(), "channel_count": 0,
        });
        if with_users {
            group["users"] = json!(self.users);
        }
        group
    }
}

#[derive(Debug, Clone)]
pub struct Channel {
    pub id: String,
    pub name: String,
    pub purpose: &'static str,
    /// Shared with another organisation (`is_shared` alone also covers channels inside one organisation).
    pub is_ext_shared: bool,
    /// The person at the other end, if this is a direct message with the bot.
    pub im: Option<String>,
    pub members: BTreeSet<String>,
}

impl Channel {
    pub fn json(&self) -> Value {
        if let Some(user) = &self.im {
            return json!({ "id": self.id, "created": 1_700_000_000, "is_im": true, "is_channel": false,
                "is_org_shared": false, "user": user, "is_user_deleted": false, "is_archived": false,
                "context_team_id": TEAM, "is_open": true });
        }
        json!({
            "id": self.id, "name": self.name, "name_normalized": self.name, "created": 1_700_000_000,
            "creator": "U0ARNE", "is_channel": true, "is_group": false, "is_im": false, "is_mpim": false,
            "is_private": false, "is_archived": false, "is_general": false, "is_shared": self.is_ext_shared,
            "is_ext_shared": self.is_ext_shared, "is_org_shared": false, "is_pending_ext_shared": false,
            "is_member": self.members.contains(BOT_USER), "context_team_id": TEAM,
            "shared_team_ids": if self.is_ext_shared { vec![TEAM, FOREIGN_TEAM] } else { vec![TEAM] },
            "num_members": self.members.len(), "previous_names": [],
            "topic": { "value": "", "creator": "", "last_set": 0 },
            "purpose": { "value": self.purpose, "creator": "", "last_set": 0 },
        })
    }
}

pub fn cast() -> Vec<Person> {
    let person = |id, name, real_name, title, team| Person { id, name, real_name, title, team };
    vec![
        person("U0SUSAN", "susan", "Susan Abara", "Support", TEAM),
        person("U0ARNE", "arne", "Arne Lind", "SRE", TEAM),
        person("U0PRIYA", "priya", "Priya Nair", "SRE", TEAM),
        person("U0OMAR", "omar", "Omar Haddad", "Sales", TEAM),
        person("U0FOREIGN", "fred", "Fred Bloom", "Partner Inc.", FOREIGN_TEAM),
        person(BOT_USER, "muster", "Muster", "App", TEAM),
    ]
}

pub fn groups() -> Vec<Group> {
    vec![
        Group { id: "S0SUPPORT", handle: "support", name: "Support", users: vec!["U0SUSAN"] },
        Group { id: "S0SRE", handle: "sre", name: "Site reliability", users: vec!["U0ARNE", "U0PRIYA"] },
    ]
}

pub fn channels() -> Vec<Channel> {
    let channel = |id: &str, name: &str, purpose, is_ext_shared, members: &[&str]| Channel {
        id: id.to_owned(),
        name: name.to_owned(),
        purpose,
        is_ext_shared,
        im: None,
        members: members.iter().map(|m| (*m).to_owned()).collect(),
    };
    let staff = ["U0SUSAN", "U0ARNE", "U0PRIYA", "U0OMAR"];
    let with = |more: &[&'static str]| [&staff[..], more].concat();
    vec![
        channel("C0OPS", "ops", "Operations on customer systems", false, &with(&[BOT_USER])),
        channel("C0INCIDENT", "incidents", "What is broken now", false, &with(&[BOT_USER])),
        channel("C0RANDOM", "random", "Anything else; Muster is not a member", false, &with(&[])),
        channel("C0PARTNER", "partners", "Shared with Partner Inc.", true, &with(&[BOT_USER, "U0FOREIGN"])),
    ]
}
