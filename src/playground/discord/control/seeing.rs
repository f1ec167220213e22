//! What people see.

use std::collections::BTreeSet;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Shared, View, reply};
use crate::playground::discord::check::component::{BUTTON, LINK};
use crate::playground::discord::message::{Message, THREAD_STARTER};
use crate::playground::discord::world::World;
use crate::playground::discord::{BOT_USER, forms, text};

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// A message as the page and the tests want it: Discord's JSON, its text, and who sees it; `channel` and `thread_ts` name
/// the place as the simulated Slack does.
fn shown(world: &World, message: &Message) -> Value {
    let mut json = world.message_json(message, "");
    let root = world.root_of(message);
    json["ts"] = json!(message.id);
    json["user"] = json!(message.author);
    json["channel"] = json!(world.outer(&message.channel));
    json["as_text"] = json!(text::body(world, message).join("\n"));
    json["revision"] = json!(message.revision);
    if root != message.id {
        json["thread_ts"] = json!(root);
    } else if world.channel(&message.id).is_some() {
        let replies: Vec<&Message> = world.history(&message.id).filter(|m| m.kind != THREAD_STARTER).collect();
        let people: BTreeSet<&str> = replies.iter().map(|m| m.author.as_str()).collect();
        json["reply_count"] = json!(replies.len());
        json["reply_users"] = json!(people);
        json["latest_reply"] = json!(replies.last().map(|m| &m.id));
    }
    if message.is_bot() {
        json["bot_id"] = json!(BOT_USER);
    }
    if let Some(user) = &message.only_for {
        json["only_for"] = json!(user);
    }
    if message.by_client {
        json["by_client"] = json!(true);
    }
    let file = |id: &String| {
        let file = world.files.get(id)?;
        Some(json!({ "id": file.id, "name": file.name, "title": file.description.as_ref().unwrap_or(&file.name),
            "size": file.bytes.len(), "pretty_type": "Plain Text" }))
    };
    if !message.attachments.is_empty() {
        json["files"] = message.attachments.iter().filter_map(file).collect();
    }
    json
}

pub async fn channel(State(workspace): Shared, Path(channel): Path<String>, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let act = || {
        let viewer = view.viewer(&world)?;
        let channel = world.channel_called(&channel).ok_or_else(|| format!("no channel `{channel}`"))?;
        let seen = |m: &&Message| {
            let mine = m.only_for.is_none() || (viewer.is_some() && m.only_for.as_deref() == viewer);
            m.channel == channel.id && !m.deleted && mine && view.fits(m)
        };
        Ok((channel.id.clone(), world.messages.iter().filter(seen).collect::<Vec<_>>()))
    };
    match act() {
        Err(fault) => reply(Err(fault)),
        Ok((_, messages)) if view.wants_text() => plain(text::join(&world, messages.into_iter())),
        Ok((id, messages)) => {
            let messages: Vec<Value> = messages.into_iter().map(|m| shown(&world, m)).collect();
            reply(Ok(json!({ "channel": id, "messages": messages, "revision": workspace.revision() })))
        }
    }
}

/// The message in the channel, and what stands in the thread that began from it.
pub async fn thread(
    State(workspace): Shared,
    Path((channel, ts)): Path<(String, String)>,
    Query(view): Query<View>,
) -> Response {
    let world = workspace.world();
    let act = || {
        let viewer = view.viewer(&world)?;
        let channel = world.channel_called(&channel).ok_or_else(|| format!("no channel `{channel}`"))?;
        let here = |m: &&Message| world.outer(&m.channel) == channel.id;
        let root = world.message(&ts).filter(here).ok_or_else(|| format!("no thread `{ts}` in this channel"))?;
        let root = world.root_of(root).to_owned();
        let seen = |m: &&Message| {
            (m.id == root || m.channel == root)
                && m.kind != THREAD_STARTER
                && !m.deleted
                && (m.only_for.is_none() || m.only_for.as_deref() == viewer)
        };
        Ok((root.clone(), world.messages.iter().filter(seen).collect::<Vec<_>>()))
    };
    match act() {
        Err(fault) => reply(Err(fault)),
        Ok((_, messages)) if view.wants_text() => plain(text::join(&world, messages.into_iter())),
        Ok((root, messages)) => {
            let as_text = text::join(&world, messages.iter().copied());
            let messages: Vec<Value> = messages.into_iter().map(|m| shown(&world, m)).collect();
            reply(Ok(json!({ "root": root, "messages": messages, "text": as_text, "revision": workspace.revision() })))
        }
    }
}

/// What only one person sees, oldest first, over all channels.
pub async fn ephemerals(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let viewer = match view.viewer(&world) {
        Ok(viewer) => viewer,
        Err(fault) => return reply(Err(fault)),
    };
    let seen = |m: &&Message| {
        let only = m.only_for.as_deref();
        let directly =
            || view.direct && m.is_bot() && world.channel(&m.channel).is_some_and(|c| c.recipient.as_deref() == viewer);
        !m.deleted
            && view.fits(m)
            && ((only.is_some() && (viewer.is_none() || only == viewer)) || (viewer.is_some() && directly()))
    };
    let found: Vec<&Message> = world.messages.iter().filter(seen).collect();
    if view.wants_text() {
        return plain(text::join(&world, found.into_iter()));
    }
    let as_text = text::join(&world, found.iter().copied());
    let messages: Vec<Value> = found.into_iter().map(|m| shown(&world, m)).collect();
    reply(Ok(json!({ "messages": messages, "text": as_text })))
}

/// Every button that a person could press now, newest first. With `gone=true` those that an edit has taken away.
pub async fn buttons(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let viewer = match view.viewer(&world) {
        Ok(Some(viewer)) => viewer,
        Ok(None) => return reply(Err("`as` says who looks for buttons".to_owned())),
        Err(fault) => return reply(Err(fault)),
    };
    let mut found: Vec<Value> = Vec::new();
    for message in world.messages.iter().rev().filter(|m| !m.deleted && view.fits(m)) {
        let visible = message.only_for.as_deref().is_none_or(|u| u == viewer);
        if !visible || !world.sees(&message.channel, viewer) {
            continue;
        }
        let elements = if view.gone { message.gone() } else { message.elements() };
        let pressable = |e: &&Value| e["type"] == BUTTON && e["style"] != LINK && e["disabled"] != true;
        for element in elements.iter().filter(pressable) {
            found.push(json!({ "channel": world.outer(&message.channel), "ts": message.id,
                "root": world.root_of(message), "label": element["label"], "action_id": element["custom_id"],
                "only_for": message.only_for }));
        }
    }
    reply(Ok(json!({ "buttons": found })))
}

/// The modal that a person has open, or `null`; `modal` as the bot gave it.
pub async fn open_form(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let viewer = match view.person(&world) {
        Ok(viewer) => viewer,
        Err(fault) => return reply(Err(fault)),
    };
    let open = world.modals.get(viewer);
    let as_text = open.map(|m| forms::show::text(&world, m)).unwrap_or_default();
    match open {
        _ if view.wants_text() => plain(as_text),
        None => reply(Ok(json!({ "view": null, "text": "" }))),
        Some(modal) => reply(Ok(json!({
            "view": forms::show::view(&world, modal), "errors": modal.errors, "revision": modal.revision,
            "text": as_text,
            "modal": { "custom_id": modal.custom_id, "title": modal.title, "components": modal.components },
        }))),
    }
}

pub async fn home(State(_): Shared, Query(view): Query<View>) -> Response {
    if view.wants_text() { plain(String::new()) } else { reply(Ok(json!({ "view": null, "text": "" }))) }
}

pub async fn files(State(workspace): Shared) -> Response {
    let world = workspace.world();
    let sent = world.messages.iter().filter(|m| !m.deleted);
    let all = sent.flat_map(|m| m.attachments.iter().filter_map(|id| world.file_json(id, m, "")));
    let shown: Vec<Value> = all
        .map(|mut file| {
            file["name"] = file["filename"].clone();
            file["title"] =
                if file["description"].is_null() { file["filename"].clone() } else { file["description"].clone() };
            file
        })
        .collect();
    reply(Ok(json!({ "files": shown })))
}

/// The content, always as plain text: a file from a machine must never run in the page.
pub async fn file(State(workspace): Shared, Path(id): Path<String>) -> Response {
    let world = workspace.world();
    match world.files.get(&id) {
        Some(file) => {
            let head = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
            ];
            (head, file.bytes.clone()).into_response()
        }
        None => (StatusCode::NOT_FOUND, axum::Json(json!({ "ok": false, "error": format!("no file `{id}`") })))
            .into_response(),
    }
}
