//! What follows the first response, by the interaction's token alone: the original message, and further ones.
//!
//! Source: Discord's reference, "Followup Messages": for 15 minutes, then 50027; the first follow-up to a deferred
//! response fills that one in.

use std::sync::Arc;

use super::call::Call;
use super::messages::{change, keep, post, write};
use super::refused::Refused;
use super::{Answer, Reply, ok};
use crate::playground::discord::check::message::{check, is_empty};
use crate::playground::discord::interaction::Interaction;
use crate::playground::discord::message::{EPHEMERAL, LOADING, Message};
use crate::playground::discord::workspace::Workspace;
use crate::playground::discord::world::World;
use crate::playground::discord::{APPLICATION, BOT_USER, payloads};

/// The interaction, if its token lives and it was answered.
fn alive<'a>(workspace: &Workspace, world: &'a World, call: &Call) -> Result<&'a Interaction, Refused> {
    if call.part(1) != APPLICATION {
        return Err(Refused::code(10015));
    }
    let known = world.interactions.get(call.part(2)).ok_or_else(|| Refused::code(50027))?;
    if known.is_dead(&workspace.settings) {
        return Err(Refused::code(50027));
    }
    // Nobody waits for it any more, or nobody has answered yet: there is nothing behind the token.
    if known.answered.is_none() {
        return Err(Refused::code(if known.is_late(&workspace.settings) { 50027 } else { 10015 }));
    }
    Ok(known)
}

/// The message that the path names: `@original` or an id among those that answer this interaction.
fn meant(workspace: &Workspace, world: &World, call: &Call) -> Result<Message, Refused> {
    let interaction = alive(workspace, world, call)?;
    let original = interaction.original.as_deref();
    let id = match call.part(4) {
        "@original" => original.ok_or_else(|| Refused::code(10008))?,
        id => id,
    };
    let own = |m: &&Message| {
        original == Some(m.id.as_str())
            || m.interaction.as_ref().is_some_and(|i| i["id"].as_str() == Some(interaction.id.as_str()))
    };
    world.message(id).filter(own).cloned().ok_or_else(|| Refused::code(10008))
}

pub fn create(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let interaction = alive(workspace, &world, call)?;
    let (user, channel) = (interaction.user.clone(), interaction.channel.clone());
    let metadata = interaction.metadata.clone();
    check(&call.body, "", call.files.len())?;
    if is_empty(&call.body, call.files.len()) {
        return Err(Refused::code(50006));
    }
    let waiting = interaction.original.as_deref().and_then(|id| world.message(id)).cloned();
    if let Some(mut message) = waiting.filter(|m| m.flags & LOADING != 0) {
        return fill(workspace, &mut world, &mut message, call);
    }
    let mut message = Message::new(world.next_id(), &channel, BOT_USER);
    message.interaction = Some(metadata);
    write(&mut world, &mut message, &call.body, &call.files, true);
    message.only_for = (message.flags & EPHEMERAL != 0).then_some(user);
    let shown = payloads::message(&world, &message, &workspace.base());
    post(workspace, &mut world, message);
    ok(shown)
}

/// What was "thinking" says something; who sees it was decided when it was deferred.
fn fill(workspace: &Workspace, world: &mut World, message: &mut Message, call: &Call) -> Answer {
    check(&call.body, "", call.files.len())?;
    let flags = message.flags & !LOADING;
    write(world, message, &call.body, &call.files, true);
    message.flags = flags;
    if message.content.is_empty() && message.embeds.is_empty() && message.attachments.is_empty() {
        return Err(Refused::code(50006));
    }
    message.revision += 1;
    keep(world, message);
    workspace.tell_message(world, "MESSAGE_CREATE", message);
    ok(payloads::message(world, message, &workspace.base()))
}

pub fn get(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let message = meant(workspace, &world, call)?;
    ok(payloads::message(&world, &message, &workspace.base()))
}

pub fn edit(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let mut message = meant(workspace, &world, call)?;
    if message.flags & LOADING != 0 {
        return fill(workspace, &mut world, &mut message, call);
    }
    change(workspace, &mut world, &mut message, &call.body, &call.files)
}

pub fn delete(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let message = meant(workspace, &world, call)?;
    if let Some(kept) = world.message_mut(&message.id) {
        kept.deleted = true;
    }
    workspace.tell_deleted(&world, &message);
    Ok(Reply::Nothing)
}
