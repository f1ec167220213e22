//! Messages in channels and threads: posting, reading, editing, deleting.
//!
//! Source: Discord's reference, "Create Message", "Get Channel Messages", "Edit Message". A nonce that is enforced gives
//! the message that is there, if the same author used it in the past few minutes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Call, Upload};
use super::channels::allowed;
use super::guilds::{later, limit};
use super::refused::{Refused, Wrong};
use super::{Answer, Reply, ok, snowflake};
use crate::playground::discord::check::message::{check, is_empty};
use crate::playground::discord::interaction::NONCE_LIFE;
use crate::playground::discord::message::{Message, REPLY, SUPPRESS_EMBEDS};
use crate::playground::discord::permissions::{
    ATTACH_FILES, EMBED_LINKS, READ_MESSAGE_HISTORY, SEND_MESSAGES, SEND_MESSAGES_IN_THREADS, has,
};
use crate::playground::discord::workspace::Workspace;
use crate::playground::discord::world::{File, World};
use crate::playground::discord::{BOT_USER, pings, snowflake as ids};

pub fn create(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let channel = allowed(&world, call.part(1), 0)?;
    let (id, in_thread, locked) = (channel.id.clone(), channel.is_thread(), channel.locked);
    let writes = if in_thread { SEND_MESSAGES_IN_THREADS } else { SEND_MESSAGES };
    let embeds = call.body["embeds"].as_array().is_some_and(|e| !e.is_empty());
    let needed = writes | if embeds { EMBED_LINKS } else { 0 } | if call.files.is_empty() { 0 } else { ATTACH_FILES };
    let recipient = channel.recipient.clone();
    allowed(&world, &id, needed)?;
    if recipient.is_some_and(|user| world.faults.takes_no_messages(&user)) {
        return Err(Refused::code(50007));
    }
    if locked {
        return Err(Refused::code(160_005));
    }
    check(&call.body, "", call.files.len())?;
    if is_empty(&call.body, call.files.len()) {
        return Err(Refused::code(50006));
    }
    let reference = reference(&world, &id, &call.body)?;
    if let Some(there) = same_nonce(&world, &id, &call.body) {
        return ok(world.message_json(there, &workspace.base()));
    }
    let mut message = Message::new(world.next_id(), &id, BOT_USER);
    write(&mut world, &mut message, &call.body, &call.files, true);
    message.flags &= SUPPRESS_EMBEDS;
    if reference.is_some() {
        (message.kind, message.reference) = (REPLY, reference);
    }
    let shown = world.message_json(&message, &workspace.base());
    let fits = |p: &crate::playground::discord::faults::Plant| p.channel.as_ref().is_none_or(|c| *c == id);
    if in_thread && world.faults.take("swallowed-post", fits).is_some() {
        return ok(shown);
    }
    post(workspace, &mut world, message);
    ok(shown)
}

/// Puts the message where people see it, and tells the gateway.
pub fn post(workspace: &Workspace, world: &mut World, message: Message) {
    // A word in it opens an archived thread again.
    if let Some(thread) = world.channel_mut(&message.channel).filter(|c| c.archived) {
        thread.archived = false;
    }
    world.messages.push(message.clone());
    workspace.tell_message(world, "MESSAGE_CREATE", &message);
}

/// The message that this author posted here with the same enforced nonce a few minutes ago.
fn same_nonce<'a>(world: &'a World, channel: &'a str, body: &Value) -> Option<&'a Message> {
    let nonce = snowflake(&body["nonce"]).filter(|_| body["enforce_nonce"] == true)?;
    let recent = |m: &&Message| {
        Timestamp::now().duration_since(ids::time(&m.id)).unsigned_abs() < NONCE_LIFE.max(Duration::from_secs(1))
    };
    let same = |m: &&Message| m.nonce.as_ref().and_then(snowflake).as_ref() == Some(&nonce);
    world.history(channel).rev().take_while(recent).find(|m| m.author == BOT_USER && same(m))
}

/// `message_reference`, if it may be and the message is there.
fn reference(world: &World, channel: &str, body: &Value) -> Result<Option<Value>, Refused> {
    let given = &body["message_reference"];
    let Some(id) = snowflake(&given["message_id"]) else { return Ok(None) };
    if !has(world, channel, BOT_USER, READ_MESSAGE_HISTORY) {
        return Err(Refused::code(160_002));
    }
    if world.history(channel).all(|m| m.id != id) {
        if given["fail_if_not_exists"] == false {
            return Ok(None);
        }
        let mut wrong = Wrong::default();
        wrong.at("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message");
        wrong.refuse()?;
    }
    let guild = world.guild_of(channel).map(|g| g.id.clone());
    Ok(Some(json!({ "type": 0, "message_id": id, "channel_id": channel, "guild_id": guild })))
}

/// Writes the fields that `body` has into `message`. A `new` one notifies; an edit only shows other mentions.
pub fn write(world: &mut World, message: &mut Message, body: &Value, files: &[Upload], new: bool) {
    message.remember_components();
    let given = |name: &str| new || body.get(name).is_some();
    if given("content") {
        message.content = body["content"].as_str().unwrap_or_default().trim().to_owned();
    }
    if given("embeds") {
        message.embeds = body["embeds"].as_array().into_iter().flatten().map(rich).collect();
    }
    if given("components") {
        let mut components = body["components"].clone();
        number(&mut components, &mut 0);
        message.components = components.as_array().cloned().unwrap_or_default();
    }
    if given("flags") {
        message.flags = body["flags"].as_u64().unwrap_or_default();
    }
    if new {
        message.nonce = body.get("nonce").filter(|n| !n.is_null()).cloned();
    }
    if let Some(kept) = body["attachments"].as_array().filter(|_| !new) {
        let kept: Vec<String> = kept.iter().filter_map(|a| snowflake(&a["id"])).collect();
        message.attachments.retain(|id| kept.contains(id));
    }
    for upload in files {
        let described = body["attachments"].as_array().into_iter().flatten();
        let about = described.into_iter().find(|a| snowflake(&a["id"]).as_ref() == Some(&upload.index));
        let text = |name: &str| about.and_then(|a| a[name].as_str()).map(str::to_owned);
        let id = world.next_id();
        let file = File {
            id: id.clone(),
            name: text("filename").unwrap_or_else(|| upload.name.clone()),
            description: text("description"),
            bytes: upload.bytes.clone(),
        };
        world.files.insert(id.clone(), file);
        message.attachments.push(id);
    }
    if new || given("content") || given("allowed_mentions") {
        let allowed = &body["allowed_mentions"];
        let pings = pings::of(world, &message.channel, &message.author, &message.content, allowed);
        (message.mentions, message.mention_roles) = (pings.users, pings.roles);
        message.mention_everyone = pings.everyone;
    }
    if !new {
        message.edited = Some(Timestamp::now());
        message.revision += 1;
    }
}

/// An embed as Discord shows it.
fn rich(embed: &Value) -> Value {
    let mut embed = embed.clone();
    if let Some(fields) = embed.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    embed["type"] = json!("rich");
    for field in embed.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
        if field["inline"].is_null() {
            field["inline"] = json!(false);
        }
    }
    embed
}

/// Gives every component a number, as Discord does, and leaves out what is unset.
fn number(components: &mut Value, last: &mut u64) {
    for component in components.as_array_mut().into_iter().flatten() {
        if let Some(fields) = component.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        *last += 1;
        component["id"] = json!(*last);
        if component["components"].is_array() {
            number(&mut component["components"], last);
        }
    }
}

/// Newest first. Who may not read what was said before sees nothing, without an error.
pub fn list(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let id = allowed(&world, call.part(1), 0)?.id.clone();
    let limit = limit(call, 50, 100)?;
    if !has(&world, &id, BOT_USER, READ_MESSAGE_HISTORY) {
        return ok(json!([]));
    }
    let all: Vec<&Message> = world.history(&id).collect();
    let kept: Vec<&Message> = match (call.query("around"), call.query("before"), call.query("after")) {
        (Some(around), ..) => {
            let at = all.iter().position(|m| !later(around, &m.id)).unwrap_or(all.len());
            let from = at.saturating_sub(limit / 2);
            all.into_iter().skip(from).take(limit).collect()
        }
        (None, Some(before), _) => {
            let older: Vec<&Message> = all.into_iter().filter(|m| later(before, &m.id)).collect();
            let from = older.len().saturating_sub(limit);
            older[from..].to_vec()
        }
        // The oldest of those that came after it.
        (None, None, Some(after)) => all.into_iter().filter(|m| later(&m.id, after)).take(limit).collect(),
        (None, None, None) => {
            let from = all.len().saturating_sub(limit);
            all[from..].to_vec()
        }
    };
    let base = workspace.base();
    ok(kept.into_iter().rev().map(|m| world.message_json(m, &base)).collect())
}

pub fn get(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let id = allowed(&world, call.part(1), READ_MESSAGE_HISTORY)?.id.clone();
    let message = public(&world, &id, call.part(3))?;
    ok(world.message_json(message, &workspace.base()))
}

pub fn edit(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let id = allowed(&world, call.part(1), 0)?.id.clone();
    let mut message = own(&world, &id, call.part(3), 50005)?;
    change(workspace, &mut world, &mut message, &call.body, &call.files)
}

/// Edits a message of the bot's, in a channel or by an interaction.
pub fn change(
    workspace: &Workspace,
    world: &mut World,
    message: &mut Message,
    body: &Value,
    files: &[Upload],
) -> Answer {
    check(body, "", files.len())?;
    let flags = message.flags;
    write(world, message, body, files, false);
    // An edit hides or shows embeds, and nothing else.
    message.flags = flags & !SUPPRESS_EMBEDS | message.flags & SUPPRESS_EMBEDS;
    if message.content.is_empty() && message.embeds.is_empty() && message.attachments.is_empty() {
        return Err(Refused::code(50006));
    }
    let shown = world.message_json(message, &workspace.base());
    keep(world, message);
    workspace.tell_message(world, "MESSAGE_UPDATE", message);
    ok(shown)
}

/// Takes the changed message over.
pub fn keep(world: &mut World, message: &Message) {
    if let Some(kept) = world.message_mut(&message.id) {
        kept.clone_from(message);
    }
}

pub fn delete(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let id = allowed(&world, call.part(1), 0)?.id.clone();
    let message = own(&world, &id, call.part(3), 50013)?;
    if let Some(kept) = world.message_mut(&message.id) {
        kept.deleted = true;
    }
    workspace.tell_deleted(&world, &message);
    Ok(Reply::Nothing)
}

/// A message that everybody in this channel sees.
pub fn public<'a>(world: &'a World, channel: &str, id: &str) -> Result<&'a Message, Refused> {
    let found = world.message(id).filter(|m| m.channel == channel && m.only_for.is_none());
    found.ok_or_else(|| Refused::code(10008))
}

fn own(world: &World, channel: &str, id: &str, otherwise: u32) -> Result<Message, Refused> {
    let message = public(world, channel, id)?;
    if message.author != BOT_USER {
        return Err(Refused::code(otherwise));
    }
    Ok(message.clone())
}
