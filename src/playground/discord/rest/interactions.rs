//! The first response to an interaction.
//!
//! Source: Discord's reference, "Create Interaction Response": no token but the interaction's own; within 3 seconds,
//! else 10062; a second one is 40060; a modal opens nothing from a modal or an autocompletion.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::call::Call;
use super::messages::{keep, post, write};
use super::refused::{Refused, Wrong};
use super::{Answer, Reply};
use crate::playground::discord::check::command::check_choices;
use crate::playground::discord::check::message::{check, is_empty};
use crate::playground::discord::check::modal;
use crate::playground::discord::forms::Modal;
use crate::playground::discord::interaction::{AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Response};
use crate::playground::discord::message::{COMMAND_ANSWER, EPHEMERAL, LOADING, Message, REPLY};
use crate::playground::discord::workspace::Workspace;
use crate::playground::discord::world::World;
use crate::playground::discord::{BOT_USER, payloads};

/// Kinds of responses, by Discord's numbers.
pub const PONG: u64 = 1;
pub const MESSAGE: u64 = 4;
pub const DEFERRED_MESSAGE: u64 = 5;
pub const DEFERRED_UPDATE: u64 = 6;
pub const UPDATE: u64 = 7;
pub const CHOICES: u64 = 8;
pub const MODAL: u64 = 9;

/// What an interaction is, as far as the response needs it.
struct Asked {
    id: String,
    token: String,
    kind: u8,
    user: String,
    channel: String,
    metadata: Value,
    source: Option<String>,
}

pub fn callback(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let (id, token) = (call.part(1), call.part(2));
    workspace.hub.with_record(id, |record| record.acks += 1);
    let known = world.interactions.get(token).filter(|i| i.id == id).ok_or_else(|| Refused::code(10062))?;
    if known.answered.is_some() {
        return Err(Refused::code(40060));
    }
    if known.is_late(&workspace.settings) {
        return Err(Refused::code(10062));
    }
    let asked = Asked {
        id: id.to_owned(),
        token: token.to_owned(),
        kind: known.kind,
        user: known.user.clone(),
        channel: known.channel.clone(),
        metadata: known.metadata.clone(),
        source: known.source.clone(),
    };
    let kind = call.body["type"].as_u64().unwrap_or_default();
    let mut wrong = Wrong::default();
    let mut fitting = match asked.kind {
        AUTOCOMPLETE => vec![CHOICES],
        MODAL_SUBMIT => vec![MESSAGE, DEFERRED_MESSAGE],
        COMMAND => vec![MESSAGE, DEFERRED_MESSAGE, MODAL],
        COMPONENT => vec![MESSAGE, DEFERRED_MESSAGE, MODAL],
        _ => vec![PONG],
    };
    if asked.source.is_some() {
        fitting.extend([DEFERRED_UPDATE, UPDATE]);
    }
    wrong.choice(&call.body["type"], "type", &fitting);
    wrong.refuse()?;
    let data = &call.body["data"];
    let original = match kind {
        MESSAGE => Some(speak(workspace, &mut world, &asked, call)?),
        DEFERRED_MESSAGE => Some(wait(&mut world, &asked, data)?),
        DEFERRED_UPDATE => asked.source.clone(),
        UPDATE => Some(update(workspace, &mut world, &asked, call)?),
        CHOICES => {
            check_choices(data)?;
            None
        }
        MODAL => {
            modal::check(data)?;
            let modal = Modal::open(world.next_id(), data, &asked.channel, asked.source.clone(), &asked.metadata);
            world.modals.insert(asked.user.clone(), modal);
            None
        }
        _ => None,
    };
    if let Some(interaction) = world.interactions.get_mut(&asked.token) {
        interaction.answered = Some(kind);
        interaction.original.clone_from(&original);
        let taken = interaction.made.elapsed().as_secs_f64() * 1e3;
        workspace.hub.with_record(&asked.id, |record| record.ack_ms = Some(taken));
        if let Some(waiter) = interaction.waiter.take() {
            // The person may have stopped waiting.
            let _ = waiter.send(Response { kind, data: data.clone(), message: original.clone() });
        }
    }
    if !call.flag("with_response") {
        return Ok(Reply::Nothing);
    }
    Ok(Reply::Json(StatusCode::OK, told(workspace, &world, &asked, kind, original.as_deref())))
}

/// A message as the answer, for all or for one.
fn speak(workspace: &Workspace, world: &mut World, asked: &Asked, call: &Call) -> Result<String, Refused> {
    let data = &call.body["data"];
    check(data, "data", call.files.len())?;
    if is_empty(data, call.files.len()) {
        return Err(Refused::code(50006));
    }
    let mut message = answer(world, asked);
    write(world, &mut message, data, &call.files, true);
    message.only_for = (message.flags & EPHEMERAL != 0).then(|| asked.user.clone());
    let id = message.id.clone();
    post(workspace, world, message);
    Ok(id)
}

/// "Muster is thinking…", until it is edited.
fn wait(world: &mut World, asked: &Asked, data: &Value) -> Result<String, Refused> {
    let flags = data["flags"].as_u64().unwrap_or_default();
    if flags & !EPHEMERAL != 0 {
        let mut wrong = Wrong::default();
        wrong.at("data/flags", "MESSAGE_FLAGS_INVALID", "Only EPHEMERAL may be set for a deferred message");
        wrong.refuse()?;
    }
    let mut message = answer(world, asked);
    message.flags = LOADING | flags;
    message.only_for = (message.flags & EPHEMERAL != 0).then(|| asked.user.clone());
    let id = message.id.clone();
    world.messages.push(message);
    Ok(id)
}

fn update(workspace: &Workspace, world: &mut World, asked: &Asked, call: &Call) -> Result<String, Refused> {
    let data = &call.body["data"];
    check(data, "data", call.files.len())?;
    let source = asked.source.as_deref().and_then(|id| world.message(id)).cloned();
    let mut message = source.ok_or_else(|| Refused::code(10008))?;
    let flags = message.flags;
    write(world, &mut message, data, &call.files, false);
    message.flags = flags;
    keep(world, &message);
    workspace.tell_message(world, "MESSAGE_UPDATE", &message);
    Ok(message.id)
}

fn answer(world: &mut World, asked: &Asked) -> Message {
    let mut message = Message::new(world.next_id(), &asked.channel, BOT_USER);
    message.interaction = Some(asked.metadata.clone());
    message.kind = if asked.kind == COMMAND { COMMAND_ANSWER } else { message.kind };
    // An answer to a component refers to its message.
    if let Some(source) = asked.source.as_deref().filter(|_| asked.kind == COMPONENT) {
        message.kind = REPLY;
        let guild = world.guild_of(&asked.channel).map(|g| g.id.clone());
        message.reference =
            Some(json!({ "type": 0, "message_id": source, "channel_id": asked.channel, "guild_id": guild }));
    }
    message
}

/// The object of `with_response=true`.
fn told(workspace: &Workspace, world: &World, asked: &Asked, kind: u64, message: Option<&str>) -> Value {
    let mut told = json!({
        "interaction": { "id": asked.id, "type": asked.kind },
        "resource": { "type": kind },
    });
    if let Some(message) = message.and_then(|id| world.message(id)) {
        told["interaction"]["response_message_id"] = json!(message.id);
        told["interaction"]["response_message_loading"] = json!(message.flags & LOADING != 0);
        told["interaction"]["response_message_ephemeral"] = json!(message.only_for.is_some());
        if kind == MESSAGE || kind == UPDATE {
            told["resource"]["message"] = payloads::message(world, message, &workspace.base());
        }
    }
    told
}
