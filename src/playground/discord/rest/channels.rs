//! Channels: reading one, changing a thread's settings, opening a direct message.

use std::sync::Arc;

use serde_json::Value;

use super::call::Call;
use super::refused::{Refused, Wrong};
use super::{Answer, Reply, ok, snowflake};
use crate::playground::discord::BOT_USER;
use crate::playground::discord::people::Channel;
use crate::playground::discord::permissions::{self, MANAGE_THREADS, SEND_MESSAGES, VIEW_CHANNEL};
use crate::playground::discord::workspace::Workspace;
use crate::playground::discord::world::World;

/// The channel, if the bot has all of `needed` in it. What it cannot see is 50001, what it may not do 50013.
pub fn allowed<'a>(world: &'a World, id: &str, needed: u64) -> Result<&'a Channel, Refused> {
    let channel = world.channel(id).ok_or_else(|| Refused::code(10003))?;
    let granted = permissions::of(world, id, BOT_USER);
    if granted & VIEW_CHANNEL == 0 {
        return Err(Refused::code(50001));
    }
    if granted & needed != needed {
        return Err(Refused::code(50013));
    }
    Ok(channel)
}

pub fn get(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let channel = allowed(&world, call.part(1), 0)?;
    ok(world.channel_json(channel))
}

/// Whoever began a thread may name, archive and reopen it; locking needs a permission.
pub fn edit(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let channel = allowed(&world, call.part(1), 0)?;
    let manages = permissions::has(&world, &channel.id, BOT_USER, MANAGE_THREADS);
    let owns = channel.is_thread() && channel.owner == BOT_USER;
    if !channel.is_thread() || !(owns || manages) || (!manages && !call.body["locked"].is_null()) {
        return Err(Refused::code(50013));
    }
    let mut wrong = Wrong::default();
    if !call.body["name"].is_null() {
        wrong.text(&call.body["name"], "name", 1, 100);
    }
    if !call.body["auto_archive_duration"].is_null() {
        wrong.choice(&call.body["auto_archive_duration"], "auto_archive_duration", &[60, 1440, 4320, 10080]);
    }
    wrong.refuse()?;
    let id = channel.id.clone();
    if let Some(thread) = world.channel_mut(&id) {
        if let Some(name) = call.body["name"].as_str() {
            name.clone_into(&mut thread.name);
        }
        thread.archived = call.body["archived"].as_bool().unwrap_or(thread.archived);
        thread.locked = call.body["locked"].as_bool().unwrap_or(thread.locked);
        thread.auto_archive = call.body["auto_archive_duration"].as_u64().unwrap_or(thread.auto_archive);
    }
    let thread = world.channel(&id).cloned().ok_or_else(|| Refused::code(10003))?;
    workspace.tell_channel(&world, "THREAD_UPDATE", &thread);
    ok(world.channel_json(&thread))
}

pub fn typing(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    allowed(&workspace.world(), call.part(1), SEND_MESSAGES)?;
    Ok(Reply::Nothing)
}

/// Opening works with everybody who exists; whether they take messages shows when one is sent.
pub fn direct_message(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let recipient = snowflake(&call.body["recipient_id"]);
    let Some(user) = recipient.filter(|id| world.people.iter().any(|p| p.id == id)) else {
        return Err(if call.body["recipient_id"] == Value::Null { Refused::code(50035) } else { Refused::code(10013) });
    };
    if user == BOT_USER {
        return Err(Refused::code(50007));
    }
    let id = world.direct_message(&user);
    let channel = world.channel(&id).ok_or_else(|| Refused::code(10003))?;
    ok(world.channel_json(channel))
}
