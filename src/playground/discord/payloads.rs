//! The shapes in which Discord tells an application what a person did.
//!
//! Source: Discord's reference, "Interaction Object". Client libraries refuse an interaction of which a part is missing,
//! so everything that the reference does not call optional is there.

use serde_json::{Value, json};

use super::interaction::{COMMAND, COMPONENT, MODAL_SUBMIT};
use super::message::Message;
use super::people::Person;
use super::permissions;
use super::rest::call::FILE_MAX;
use super::world::World;
use super::{APPLICATION, BOT_USER};

/// A message as REST shows it.
pub fn message(world: &World, message: &Message, base: &str) -> Value {
    world.message_json(message, base)
}

/// `INTERACTION_CREATE`.
pub struct Event<'a> {
    pub id: &'a str,
    pub token: &'a str,
    pub kind: u8,
    pub person: &'a Person,
    pub channel: &'a str,
    pub data: Value,
    /// The message whose component was used, or from which the modal was opened.
    pub source: Option<&'a Message>,
}

pub fn interaction(world: &World, event: &Event<'_>, base: &str) -> Value {
    let bot = permissions::of(world, event.channel, BOT_USER);
    let mut payload = json!({
        "id": event.id, "application_id": APPLICATION, "type": event.kind, "token": event.token, "version": 1,
        "channel_id": event.channel, "channel": channel(world, event.channel, event.person.id), "data": event.data,
        "app_permissions": bot.to_string(), "locale": "en-US", "entitlements": [],
        "authorizing_integration_owners": owners(world, event.channel), "attachment_size_limit": FILE_MAX,
        "context": 1,
    });
    if let Some(guild) = world.guild_of(event.channel) {
        let mut member = world.member_json(guild, event.person.id).unwrap_or_default();
        member["permissions"] = json!(permissions::of(world, event.channel, event.person.id).to_string());
        payload["member"] = member;
        payload["guild_id"] = json!(guild.id);
        payload["guild"] = json!({ "id": guild.id, "locale": "en-US", "features": [] });
        payload["guild_locale"] = json!("en-US");
        payload["context"] = json!(0);
    } else {
        payload["user"] = event.person.json();
    }
    if let Some(source) = event.source {
        payload["message"] = message(world, source, base);
    }
    payload
}

fn owners(world: &World, channel: &str) -> Value {
    json!({ "0": world.guild_of(channel).map_or("0", |g| g.id.as_str()) })
}

/// The channel as an interaction carries it, with what the person may do there.
fn channel(world: &World, id: &str, user: &str) -> Value {
    let Some(channel) = world.channel(id) else { return Value::Null };
    let mut shown = world.channel_json(channel);
    shown["permissions"] = json!(permissions::of(world, id, user).to_string());
    shown
}

/// `interaction_metadata` of every message that will answer it.
pub fn metadata(
    world: &World,
    id: &str,
    kind: u8,
    person: &Person,
    channel: &str,
    source: Option<&str>,
    before: Option<&Value>,
) -> Value {
    let mut metadata = json!({
        "id": id, "type": kind, "user": person.json(), "authorizing_integration_owners": owners(world, channel),
    });
    match kind {
        COMMAND => metadata["command_type"] = json!(1),
        COMPONENT => metadata["interacted_message_id"] = json!(source),
        MODAL_SUBMIT => metadata["triggering_interaction_metadata"] = before.cloned().unwrap_or_default(),
        _ => {}
    }
    metadata
}

/// People, roles and channels that stand in values, by their ids.
pub fn resolved(world: &World, channel: &str, kind: u64, ids: &[String]) -> Value {
    let mut resolved = json!({});
    for id in ids {
        if kind == 8 {
            if let Some(found) = world.channel(id) {
                resolved["channels"][id] = world.channel_json(found);
            }
        } else if let Some(person) = world.person(id) {
            resolved["users"][id] = person.json();
            if let Some(mut member) = world.guild_of(channel).and_then(|g| world.member_json(g, id)) {
                if let Some(fields) = member.as_object_mut() {
                    for absent in ["user", "deaf", "mute"] {
                        fields.remove(absent);
                    }
                }
                resolved["members"][id] = member;
            }
        } else if let Some(role) = world.role(id) {
            resolved["roles"][id] = role.json();
        }
    }
    resolved
}
