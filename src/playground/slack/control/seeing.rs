//! What people see.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Shared, View, reply};
use crate::playground::slack::blocks::Surface;
use crate::playground::slack::message::{Message, interactive};
use crate::playground::slack::view::View as ShownView;
use crate::playground::slack::world::World;
use crate::playground::slack::{forms, text};

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// A message as the page and the tests want it: Slack's JSON, its text, and who sees it.
fn shown(world: &World, message: &Message) -> Value {
    let mut json = world.message_json(message, true, "");
    json["as_text"] = json!(text::body(world, message).join("\n"));
    json["channel"] = json!(message.channel);
    json["revision"] = json!(message.revision);
    if let Some(user) = &message.only_for {
        json["only_for"] = json!(user);
    }
    if message.by_slack {
        json["by_slack"] = json!(true);
    }
    json
}

pub async fn channel(State(workspace): Shared, Path(channel): Path<String>, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let act = || {
        let viewer = view.viewer(&world)?;
        let channel = world.channel_called(&channel).ok_or_else(|| format!("no channel `{channel}`"))?;
        let roots: Vec<&Message> = world.roots(&channel.id, viewer).filter(|m| view.fits(m)).collect();
        Ok((channel.id.clone(), roots))
    };
    match act() {
        Err(fault) => reply(Err(fault)),
        Ok((_, roots)) if view.wants_text() => plain(text::join(&world, roots.into_iter())),
        Ok((id, roots)) => {
            let messages: Vec<Value> = roots.into_iter().map(|m| shown(&world, m)).collect();
            reply(Ok(json!({ "channel": id, "messages": messages, "revision": workspace.revision() })))
        }
    }
}

pub async fn thread(
    State(workspace): Shared,
    Path((channel, ts)): Path<(String, String)>,
    Query(view): Query<View>,
) -> Response {
    let world = workspace.world();
    let act = || {
        let viewer = view.viewer(&world)?;
        let channel = world.channel_called(&channel).ok_or_else(|| format!("no channel `{channel}`"))?;
        let root = world.message(&channel.id, &ts).ok_or_else(|| format!("no thread `{ts}` in this channel"))?;
        let root = root.root_ts().to_owned();
        let seen = |m: &&Message| {
            m.channel == channel.id
                && m.root_ts() == root
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
            || view.direct && m.is_bot() && world.channel(&m.channel).is_some_and(|c| c.im.as_deref() == viewer);
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

/// Every button that a person could press now: in the open modal, in the App Home, in messages, newest first. With
/// `gone=true` those of messages that an edit has taken away.
pub async fn buttons(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let viewer = match view.viewer(&world) {
        Ok(Some(viewer)) => viewer,
        Ok(None) => return reply(Err("`as` says who looks for buttons".to_owned())),
        Err(fault) => return reply(Err(fault)),
    };
    // A modal covers everything else; the App Home is a tab of its own.
    let views = world.top_view(viewer).into_iter().chain(world.home(viewer));
    let in_views = views.flat_map(|v| interactive(&v.blocks).into_iter().map(move |(_, e)| (v, e)));
    let mut found: Vec<Value> = in_views
        .filter(|(_, e)| e["type"] == "button" && !view.gone)
        .map(|(v, e)| json!({ "view": v.id, "home": v.surface == Surface::Home, "label": e["text"]["text"], "action_id": e["action_id"] }))
        .collect();
    for message in world.messages.iter().rev().filter(|m| !m.deleted && view.fits(m)) {
        let visible = message.only_for.as_deref().is_none_or(|u| u == viewer);
        if !visible || !world.is_member(&message.channel, viewer) {
            continue;
        }
        let elements = if view.gone { message.gone() } else { message.elements() };
        for (_, element) in elements.into_iter().filter(|(_, e)| e["type"] == "button") {
            found.push(json!({ "channel": message.channel, "ts": message.ts, "root": message.root_ts(),
                "label": element["text"]["text"], "action_id": element["action_id"],
                "only_for": message.only_for }));
        }
    }
    reply(Ok(json!({ "buttons": found })))
}

/// The modal that a person has open, or `null`.
pub async fn open_form(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    match view.person(&world) {
        Ok(viewer) => shown_view(&world, world.top_view(viewer), &view),
        Err(fault) => reply(Err(fault)),
    }
}

/// The App Home of a person as the app last published it, or `null`.
pub async fn home(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    match view.person(&world) {
        Ok(viewer) => shown_view(&world, world.home(viewer), &view),
        Err(fault) => reply(Err(fault)),
    }
}

fn shown_view(world: &World, shown: Option<&ShownView>, view: &View) -> Response {
    let as_text = shown.map(|v| forms::show::view(world, v)).unwrap_or_default();
    match shown {
        _ if view.wants_text() => plain(as_text),
        None => reply(Ok(json!({ "view": null, "text": "" }))),
        Some(shown) => reply(Ok(json!({ "view": shown.json(), "errors": shown.errors, "revision": shown.revision,
            "text": as_text }))),
    }
}

pub async fn files(State(workspace): Shared) -> Response {
    let world = workspace.world();
    let shown: Vec<Value> = world.files.keys().filter_map(|id| world.file_json(id, "")).collect();
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
