//! chat.postMessage, update, delete, postEphemeral and getPermalink.
//!
//! There is no idempotency key at Slack: a post sent twice stands there twice. `metadata` is kept so that a bot can
//! find its own message again.

use serde_json::{Value, json};

use super::Answer;
use crate::playground::slack::args::{ApiError, Args};
use crate::playground::slack::blocks::{self, POST_TEXT_MAX, Surface, UPDATE_TEXT_MAX};
use crate::playground::slack::message::Message;
use crate::playground::slack::workspace::Workspace;
use crate::playground::slack::world::World;
use crate::playground::slack::{BOT_ID, BOT_USER};

pub fn post(workspace: &Workspace, args: &Args) -> Answer {
    let base = workspace.base();
    let (text, blocks) = content(args, POST_TEXT_MAX)?;
    let metadata = metadata(args)?;
    let mut world = workspace.world();
    let channel = place(&mut world, args, true)?;
    // Posts to a person go to the direct message; Slack answers with its id.
    let thread_ts = root(&world, &channel, args)?;
    let ts = world.next_ts();
    let mut message = Message::new(ts.clone(), &channel, BOT_USER);
    (message.text, message.blocks, message.metadata, message.thread_ts) = (text, blocks, metadata, thread_ts);
    let threaded = message.thread_ts.is_some();
    let shown = world.message_json(&message, true, &base);
    let fits = |p: &crate::playground::slack::faults::Plant| p.channel.as_ref().is_none_or(|c| *c == channel);
    if !(threaded && world.faults.take("swallowed-post", fits).is_some()) {
        world.messages.push(message);
    }
    Ok(json!({ "channel": channel, "ts": ts, "message": shown }))
}

pub fn update(workspace: &Workspace, args: &Args) -> Answer {
    let base = workspace.base();
    let channel = args.required("channel", "channel_not_found")?.to_owned();
    let ts = args.required("ts", "message_not_found")?.to_owned();
    let (text, blocks) = content(args, UPDATE_TEXT_MAX)?;
    let metadata = metadata(args)?;
    let mut world = workspace.world();
    own(&world, &channel, &ts, "cant_update_message")?;
    let now = world.next_ts();
    let message = world.message_mut(&channel, &ts).ok_or_else(|| ApiError::new("message_not_found"))?;
    message.rewrite(text.clone(), blocks);
    // Leaving `metadata` out keeps the old one.
    if metadata.is_some() {
        message.metadata = metadata;
    }
    message.edited_ts = Some(now);
    let message = message.clone();
    let shown = world.message_json(&message, true, &base);
    Ok(json!({ "channel": channel, "ts": ts, "text": text, "message": shown }))
}

pub fn delete(workspace: &Workspace, args: &Args) -> Answer {
    let channel = args.required("channel", "channel_not_found")?.to_owned();
    let ts = args.required("ts", "message_not_found")?.to_owned();
    let mut world = workspace.world();
    own(&world, &channel, &ts, "cant_delete_message")?;
    if let Some(message) = world.message_mut(&channel, &ts) {
        message.deleted = true;
    }
    Ok(json!({ "channel": channel, "ts": ts }))
}

pub fn post_ephemeral(workspace: &Workspace, args: &Args) -> Answer {
    let (text, blocks) = content(args, POST_TEXT_MAX)?;
    let user = args.required("user", "user_not_found")?.to_owned();
    let mut world = workspace.world();
    let channel = place(&mut world, args, true)?;
    if world.person(&user).is_none() {
        return Err(ApiError::new("user_not_found"));
    }
    if !world.is_member(&channel, &user) {
        return Err(ApiError::new("user_not_in_channel"));
    }
    let thread_ts = root(&world, &channel, args)?;
    let ts = world.next_ts();
    let mut message = Message::new(ts.clone(), &channel, BOT_USER);
    (message.text, message.blocks, message.thread_ts) = (text, blocks, thread_ts);
    message.only_for = Some(user);
    world.messages.push(message);
    Ok(json!({ "message_ts": ts }))
}

pub fn permalink(workspace: &Workspace, args: &Args) -> Answer {
    let channel = args.required("channel", "channel_not_found")?;
    let ts = args.required("message_ts", "message_not_found")?;
    let world = workspace.world();
    world.channel(channel).ok_or_else(|| ApiError::new("channel_not_found"))?;
    let message = world.message(channel, ts).ok_or_else(|| ApiError::new("message_not_found"))?;
    let mut link = format!("{}/archives/{channel}/p{}", workspace.base(), ts.replace('.', ""));
    if let Some(root) = &message.thread_ts {
        link.push_str(&format!("?thread_ts={root}&cid={channel}"));
    }
    Ok(json!({ "channel": channel, "permalink": link }))
}

/// Text and blocks of a message, checked. `markdown_text` becomes a markdown block, as it looks at Slack.
fn content(args: &Args, text_max: usize) -> Result<(String, Vec<Value>), ApiError> {
    let mut given = args.json("blocks", "invalid_blocks_format")?.unwrap_or(Value::Null);
    let mut text = args.text("text").unwrap_or_default().to_owned();
    if let Some(markdown) = args.text("markdown_text") {
        if !text.is_empty() || !given.is_null() {
            return Err(ApiError::new("markdown_text_conflict"));
        }
        markdown.clone_into(&mut text);
        given = json!([{ "type": "markdown", "text": markdown }]);
    }
    let blocks = blocks::check(&mut given, Surface::Message)?;
    if text.is_empty() && blocks.is_empty() {
        return Err(ApiError::new("no_text"));
    }
    if text.chars().count() > text_max {
        return Err(ApiError::new("msg_too_long"));
    }
    Ok((text, blocks))
}

fn metadata(args: &Args) -> Result<Option<Value>, ApiError> {
    let Some(metadata) = args.json("metadata", "invalid_metadata_format")? else { return Ok(None) };
    if !metadata["event_type"].is_string() || !metadata["event_payload"].is_object() {
        return Err(ApiError::new("invalid_metadata_schema"));
    }
    Ok(Some(metadata))
}

/// The channel named by `channel`: an id, `#name`, or a person's id (then their direct message).
pub fn place(world: &mut World, args: &Args, must_be_member: bool) -> Result<String, ApiError> {
    let given = args.required("channel", "channel_not_found")?.to_owned();
    if world.person(&given).is_some() {
        if given == BOT_USER {
            return Err(ApiError::new("channel_not_found"));
        }
        return Ok(world.im(&given));
    }
    let channel = world.channel_called(&given).ok_or_else(|| ApiError::new("channel_not_found"))?.id.clone();
    if must_be_member && (!world.is_member(&channel, BOT_USER) || world.faults.removed_from(&channel)) {
        return Err(ApiError::new("not_in_channel"));
    }
    Ok(channel)
}

/// The root that `thread_ts` names; a reply's `ts` leads to its root, as in Slack.
fn root(world: &World, channel: &str, args: &Args) -> Result<Option<String>, ApiError> {
    let Some(ts) = args.text("thread_ts") else { return Ok(None) };
    let message = world.message(channel, ts).ok_or_else(|| ApiError::new("thread_not_found"))?;
    Ok(Some(message.root_ts().to_owned()))
}

/// Only the bot's own public messages may be changed.
fn own(world: &World, channel: &str, ts: &str, error: &str) -> Result<(), ApiError> {
    world.channel(channel).ok_or_else(|| ApiError::new("channel_not_found"))?;
    let message = world.message(channel, ts).filter(|m| m.only_for.is_none());
    let message = message.ok_or_else(|| ApiError::new("message_not_found"))?;
    if !message.is_bot() {
        return Err(ApiError::with(error, vec![format!("the message is not one of {BOT_ID}")]));
    }
    Ok(())
}
