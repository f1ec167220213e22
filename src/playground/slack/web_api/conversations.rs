//! conversations.info, history, replies and open.

use serde_json::{Value, json};

use super::Answer;
use super::chat::place;
use crate::playground::slack::args::{ApiError, Args};
use crate::playground::slack::message::Message;
use crate::playground::slack::workspace::Workspace;

pub fn info(workspace: &Workspace, args: &Args) -> Answer {
    let channel = args.required("channel", "channel_not_found")?;
    let world = workspace.world();
    let found = world.channels.iter().find(|c| c.id == channel).ok_or_else(|| ApiError::new("channel_not_found"))?;
    let mut shown = found.json();
    if world.faults.removed_from(channel) {
        shown["is_member"] = json!(false);
    }
    Ok(json!({ "channel": shown }))
}

/// Newest first.
pub fn history(workspace: &Workspace, args: &Args) -> Answer {
    let mut world = workspace.world();
    let channel = place(&mut world, args, true)?;
    let mut found: Vec<&Message> = world.roots(&channel, None).filter(|m| within(m, args)).collect();
    found.reverse();
    Ok(page(workspace, &world, &found, args))
}

/// Oldest first, the root always among them.
pub fn replies(workspace: &Workspace, args: &Args) -> Answer {
    let ts = args.required("ts", "thread_not_found")?.to_owned();
    let mut world = workspace.world();
    let channel = place(&mut world, args, true)?;
    let root = world.message(&channel, &ts).ok_or_else(|| ApiError::new("thread_not_found"))?.root_ts().to_owned();
    let found: Vec<&Message> = world.thread(&channel, &root).filter(|m| m.ts == root || within(m, args)).collect();
    Ok(page(workspace, &world, &found, args))
}

pub fn open(workspace: &Workspace, args: &Args) -> Answer {
    let mut world = workspace.world();
    let given = args.json("users", "users_list_not_supplied").ok().flatten();
    let users: Vec<String> = match given {
        Some(Value::Array(users)) => users.iter().filter_map(|u| u.as_str().map(str::to_owned)).collect(),
        _ => args.text("users").unwrap_or_default().split(',').map(|u| u.trim().to_owned()).collect(),
    };
    let known = |id: &str| world.people.iter().any(|p| p.id == id && !p.is_bot());
    match users.as_slice() {
        [user] if known(user) => {
            let id = world.im(user);
            let channel = if args.flag("return_im") {
                world.channel(&id).map(|c| c.json()).unwrap_or_default()
            } else {
                json!({ "id": id })
            };
            Ok(json!({ "channel": channel, "no_op": false, "already_open": true }))
        }
        [user] if user.is_empty() => Err(ApiError::new("users_list_not_supplied")),
        [_] => Err(ApiError::new("user_not_found")),
        _ => Err(ApiError::with("invalid_arguments", vec!["group messages are not simulated".to_owned()])),
    }
}

fn within(message: &Message, args: &Args) -> bool {
    let (ts, inclusive) = (message.ts.as_str(), args.flag("inclusive"));
    let after = args.text("oldest").is_none_or(|t| later(ts, t) || (inclusive && ts == t));
    after && args.text("latest").is_none_or(|t| later(t, ts) || (inclusive && ts == t))
}

/// Whether `a` is later than `b`; a `ts` may come without its fraction.
fn later(a: &str, b: &str) -> bool {
    let parts = |ts: &str| {
        let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
        (seconds.parse::<u64>().unwrap_or(0), format!("{fraction:0<6}"))
    };
    parts(a) > parts(b)
}

/// A page of at most `limit` (100, at most 999) messages; the cursor is where the next one starts.
fn page(
    workspace: &Workspace,
    world: &crate::playground::slack::world::World,
    found: &[&Message],
    args: &Args,
) -> Value {
    let limit = args.number("limit").unwrap_or(100).clamp(1, 999) as usize;
    let start = args.text("cursor").and_then(|c| c.strip_prefix("next_")).and_then(|n| n.parse().ok()).unwrap_or(0);
    let base = workspace.base();
    let with_metadata = args.flag("include_all_metadata");
    let shown: Vec<Value> =
        found.iter().skip(start).take(limit).map(|m| world.message_json(m, with_metadata, &base)).collect();
    let more = start + shown.len() < found.len();
    let cursor = if more { format!("next_{}", start + limit) } else { String::new() };
    json!({ "messages": shown, "has_more": more, "pin_count": 0, "response_metadata": { "next_cursor": cursor } })
}
