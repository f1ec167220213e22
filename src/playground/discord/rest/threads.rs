//! Threads that begin from a message: the thread's id is the message's.
//!
//! Source: Discord's reference, "Start Thread from Message"; "Threads": the first message inside only points back.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use super::call::Call;
use super::channels::allowed;
use super::messages::public;
use super::refused::{Refused, Wrong};
use super::{Answer, Reply};
use crate::playground::discord::BOT_USER;
use crate::playground::discord::message::{HAS_THREAD, Message, THREAD_STARTER};
use crate::playground::discord::people::{Channel, PUBLIC_THREAD, TEXT};
use crate::playground::discord::permissions::CREATE_PUBLIC_THREADS;
use crate::playground::discord::workspace::Workspace;

pub fn create(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let channel = allowed(&world, call.part(1), 0)?;
    if channel.recipient.is_some() {
        return Err(Refused::code(50003));
    }
    if channel.kind != TEXT {
        return Err(Refused::code(50024));
    }
    let parent = allowed(&world, call.part(1), CREATE_PUBLIC_THREADS)?.clone();
    let root = public(&world, &parent.id, call.part(3))?.id.clone();
    let mut wrong = Wrong::default();
    wrong.text(&call.body["name"], "name", 1, 100);
    if !call.body["auto_archive_duration"].is_null() {
        wrong.choice(&call.body["auto_archive_duration"], "auto_archive_duration", &[60, 1440, 4320, 10080]);
    }
    wrong.refuse()?;
    if world.channel(&root).is_some() {
        return Err(Refused::code(160_004));
    }
    let thread = Channel {
        id: root.clone(),
        kind: PUBLIC_THREAD,
        guild: parent.guild.clone(),
        name: call.body["name"].as_str().unwrap_or_default().to_owned(),
        topic: "",
        parent: Some(parent.id.clone()),
        recipient: None,
        overwrites: Vec::new(),
        owner: BOT_USER.to_owned(),
        archived: false,
        locked: false,
        auto_archive: call.body["auto_archive_duration"].as_u64().unwrap_or(4320),
    };
    world.channels.push(thread.clone());
    let mut starter = Message::new(world.next_id(), &root, BOT_USER);
    starter.kind = THREAD_STARTER;
    starter.reference =
        Some(json!({ "type": 0, "message_id": root, "channel_id": parent.id, "guild_id": parent.guild }));
    world.messages.push(starter);
    if let Some(message) = world.message_mut(&root) {
        message.flags |= HAS_THREAD;
    }
    workspace.tell_channel(&world, "THREAD_CREATE", &thread);
    if let Some(message) = world.message(&root) {
        workspace.tell_message(&world, "MESSAGE_UPDATE", message);
    }
    let mut shown = world.channel_json(&thread);
    shown["newly_created"] = json!(true);
    Ok(Reply::Json(StatusCode::CREATED, shown))
}

pub fn join(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let channel = allowed(&world, call.part(1), 0)?;
    if !channel.is_thread() {
        return Err(Refused::code(50024));
    }
    Ok(Reply::Nothing)
}
