//! Whom a message notifies, by Discord's rules.
//!
//! Source: Discord's reference, "Allowed Mentions Object" and "Message Formatting": `<@id>`, `<@&id>`, `@everyone` and
//! `@here` in `content` notify unless `allowed_mentions` leaves them out; embeds, code and edits notify nobody; a role
//! notifies if it may be mentioned by all or the author may mention everyone.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::permissions::{self, MENTION_EVERYONE};
use super::world::World;

static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?s)```.*?```|``.*?``|`[^`]*`").ok());
static MENTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"<@(?P<role>&)?!?(?P<id>\d{17,20})>|(?P<all>@everyone|@here)").ok());

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pings {
    pub users: Vec<String>,
    pub roles: Vec<String>,
    pub everyone: bool,
}

impl Pings {
    /// As they are written: `@everyone`, `<@&role>`, `<@user>`.
    pub fn listed(&self) -> Vec<String> {
        let everyone = self.everyone.then(|| "@everyone".to_owned());
        let roles = self.roles.iter().map(|id| format!("<@&{id}>"));
        everyone.into_iter().chain(roles).chain(self.users.iter().map(|id| format!("<@{id}>"))).collect()
    }
}

/// What `content`, written by `author` into `channel`, notifies.
pub fn of(world: &World, channel: &str, author: &str, content: &str, allowed: &Value) -> Pings {
    let mut pings = Pings::default();
    let allows = |kind: &str, id: &str| {
        let has = |list: &Value, wanted: &str| list.as_array().is_some_and(|l| l.iter().any(|v| v == wanted));
        allowed.is_null() || has(&allowed["parse"], kind) || has(&allowed[kind], id)
    };
    let may_all = permissions::has(world, channel, author, MENTION_EVERYONE);
    let without_code = CODE.as_ref().map_or_else(|| content.into(), |code| code.replace_all(content, " "));
    for found in MENTION.iter().flat_map(|m| m.captures_iter(&without_code)) {
        if found.name("all").is_some() {
            pings.everyone |= may_all && allows("everyone", "");
            continue;
        }
        let id = found["id"].to_owned();
        if found.name("role").is_some() {
            let role = world.guild_of(channel).and_then(|g| world.roles(g).find(|r| r.id == id));
            if role.is_some_and(|r| r.mentionable || may_all) && allows("roles", &id) && !pings.roles.contains(&id) {
                pings.roles.push(id);
            }
        } else if world.person(&id).is_some() && allows("users", &id) && !pings.users.contains(&id) {
            pings.users.push(id);
        }
    }
    pings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::people::{OPS, SUSAN};
    use super::super::{BOT_USER, SRE_ROLE};
    use super::*;

    fn said(content: &str, allowed: Value) -> Pings {
        of(&World::new(super::super::faults::Faults::default()), OPS, BOT_USER, content, &allowed)
    }

    #[test]
    fn what_is_not_forbidden_notifies() {
        let all = said(&format!("<@{SUSAN}> <@&{SRE_ROLE}> @here"), Value::Null);
        assert_eq!(all, Pings { users: vec![SUSAN.to_owned()], roles: vec![SRE_ROLE.to_owned()], everyone: true });
    }

    #[test]
    fn only_what_is_allowed_by_kind_or_id_notifies() {
        let words = format!("<@{SUSAN}> <@&{SRE_ROLE}> @everyone");
        assert_eq!(said(&words, json!({ "parse": [] })), Pings::default());
        let one = said(&words, json!({ "parse": [], "users": [SUSAN] }));
        assert_eq!(one, Pings { users: vec![SUSAN.to_owned()], ..Pings::default() });
        assert!(said(&words, json!({ "parse": ["everyone"] })).everyone);
    }

    #[test]
    fn code_notifies_nobody() {
        assert_eq!(said(&format!("`<@{SUSAN}>` ```\n@everyone\n```"), Value::Null), Pings::default());
    }
}
