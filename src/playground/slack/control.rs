//! `/play/v1/`: makes people act and shows what they see. The page, the tests and the tour use nothing else.
//!
//! Refusals are HTTP 400 with `{"ok": false, "error": "…"}`. People are named by id, `@name` or the part that
//! conversation files give them; channels by id or `#name`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::acts::{self, COMMAND, Refusal};
use super::faults::Plant;
use super::message::Message;
use super::workspace::Workspace;
use super::world::World;
use super::{forms, mrkdwn, text};

type Shared = State<Arc<Workspace>>;
type Answer = Result<Value, Refusal>;

pub fn router() -> Router<Arc<Workspace>> {
    Router::new()
        .route("/workspace", get(workspace_info))
        .route("/commands", post(commands))
        .route("/clicks", post(clicks))
        .route("/forms", post(submit_form).get(open_form))
        .route("/choices", post(choices))
        .route("/faults", post(plant).get(planted).delete(clear_faults))
        .route("/sockets", post(sockets))
        .route("/channels/{channel}", get(channel))
        .route("/threads/{channel}/{ts}", get(thread))
        .route("/ephemerals", get(ephemerals))
        .route("/buttons", get(buttons))
        .route("/files", get(files))
        .route("/files/{id}", get(file))
        .route("/envelopes", get(envelopes))
        .route("/calls", get(calls))
        .route("/bodies", get(bodies))
        .route("/revision", get(revision))
        .route("/events", get(events))
}

fn reply(answer: Answer) -> Response {
    match answer {
        Ok(mut body) => {
            if let Some(fields) = body.as_object_mut() {
                fields.entry("ok").or_insert(Value::Bool(true));
            }
            axum::Json(body).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, axum::Json(json!({ "ok": false, "error": error }))).into_response(),
    }
}

/// A body that does not fit is told why, in the shape of every other refusal.
fn parse<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|e| format!("the body does not fit: {e}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    r#as: String,
    channel: String,
    text: String,
    thread: Option<String>,
}

async fn commands(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = async || {
        let c: Command = parse(&body)?;
        acts::say(&workspace, &c.r#as, &c.channel, &c.text, c.thread.as_deref()).await
    };
    reply(act().await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Click {
    r#as: String,
    channel: Option<String>,
    ts: Option<String>,
    label: Option<String>,
    action_id: Option<String>,
    /// A button inside this modal, or in the open one if neither channel nor view is given.
    view: Option<String>,
    /// A button that an edit has taken away: the person's screen is old.
    #[serde(default)]
    stale: bool,
}

async fn clicks(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = async || {
        let c: Click = parse(&body)?;
        let wanted = c.action_id.as_deref().or(c.label.as_deref()).ok_or("a click needs `label` or `action_id`")?;
        match (&c.channel, &c.ts) {
            (Some(channel), Some(ts)) => acts::click(&workspace, &c.r#as, channel, ts, wanted, c.stale).await,
            _ => forms::act(&workspace, &c.r#as, wanted, None, c.view.as_deref()).await,
        }
    };
    reply(act().await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    r#as: String,
    #[serde(default)]
    values: Map<String, Value>,
    view: Option<String>,
    #[serde(default)]
    close: bool,
}

async fn submit_form(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = async || {
        let f: Form = parse(&body)?;
        if f.close {
            return forms::close(&workspace, &f.r#as, f.view.as_deref()).await;
        }
        forms::submit(&workspace, &f.r#as, &f.values, f.view.as_deref()).await
    };
    reply(act().await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    r#as: String,
    channel: Option<String>,
    ts: Option<String>,
    action_id: Option<String>,
    label: Option<String>,
    view: Option<String>,
    value: Option<Value>,
    /// Typed into an external select: the answer lists the app's options, nothing is chosen yet.
    query: Option<String>,
}

async fn choices(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = async || {
        let c: Choice = parse(&body)?;
        let wanted = c.action_id.as_deref().or(c.label.as_deref()).ok_or("a choice needs `label` or `action_id`")?;
        if let Some(typed) = &c.query {
            return forms::suggest(&workspace, &c.r#as, wanted, typed, c.view.as_deref()).await;
        }
        let value = c.value.as_ref().ok_or("a choice needs `value`, or `query` to see the options")?;
        match (&c.channel, &c.ts) {
            (Some(channel), Some(ts)) => acts::choose(&workspace, &c.r#as, channel, ts, wanted, value).await,
            _ => forms::act(&workspace, &c.r#as, wanted, Some(value), c.view.as_deref()).await,
        }
    };
    reply(act().await)
}

async fn plant(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = || {
        let plant: Plant = parse(&body)?;
        let cuts = matches!(plant.name.as_str(), "outage" | "refused");
        workspace.world().faults.plant(plant)?;
        if cuts {
            workspace.hub.cut();
        }
        Ok(json!({}))
    };
    reply(act())
}

async fn planted(State(workspace): Shared) -> Response {
    let world = workspace.world();
    reply(Ok(json!({ "planted": world.faults.list(), "struck": world.faults.struck })))
}

async fn clear_faults(State(workspace): Shared) -> Response {
    workspace.world().faults.clear();
    reply(Ok(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sockets {
    /// `warning`, `refresh_requested`, `link_disabled`; or `cut` for a dead network.
    disconnect: String,
    /// How long after the word the socket is closed: 10 s after a warning, else at once.
    milliseconds: Option<u64>,
}

async fn sockets(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = || {
        let s: Sockets = parse(&body)?;
        let told = match s.disconnect.as_str() {
            "cut" => workspace.hub.cut(),
            reason @ ("warning" | "refresh_requested" | "link_disabled") => {
                let after = s.milliseconds.unwrap_or(if reason == "warning" { 10_000 } else { 0 });
                workspace.hub.disconnect(reason, Duration::from_millis(after))
            }
            other => {
                let known = "`warning`, `refresh_requested`, `link_disabled` and `cut`";
                return Err(format!("no reason `{other}`; there are {known}"));
            }
        };
        Ok(json!({ "told": told }))
    };
    reply(act())
}

async fn workspace_info(State(workspace): Shared) -> Response {
    let world = workspace.world();
    let people: Vec<Value> = world
        .people
        .iter()
        .map(|p| json!({ "id": p.id, "name": p.name, "real_name": p.real_name, "title": p.title, "team": p.team, "bot": p.is_bot() }))
        .collect();
    let groups: Vec<Value> =
        world.groups.iter().map(|g| json!({ "id": g.id, "handle": g.handle, "users": g.users })).collect();
    let channels: Vec<Value> = world
        .channels
        .iter()
        .map(|c| {
            json!({ "id": c.id, "name": c.name, "purpose": c.purpose, "shared": c.is_ext_shared, "im": c.im,
            "members": c.members })
        })
        .collect();
    let emoji: Map<String, Value> = mrkdwn::EMOJI.iter().map(|(n, s)| ((*n).to_owned(), json!(s))).collect();
    reply(Ok(json!({
        "people": people, "groups": groups, "channels": channels, "command": COMMAND, "emoji": emoji,
        "connections": workspace.hub.connections(), "opened": workspace.hub.opened(),
        "revision": workspace.revision(),
    })))
}

#[derive(Deserialize)]
struct View {
    /// `text` for text, else who looks.
    r#as: Option<String>,
    /// Only what came after this `ts`.
    after: Option<String>,
    /// `text` for text.
    format: Option<String>,
    /// Buttons that are no longer there, in place of those that are.
    #[serde(default)]
    gone: bool,
}

impl View {
    fn wants_text(&self) -> bool {
        self.r#as.as_deref() == Some("text") || self.format.as_deref() == Some("text")
    }

    /// The id of the person who looks, if any.
    fn viewer(&self, world: &World) -> Result<Option<&'static str>, Refusal> {
        match self.r#as.as_deref() {
            None | Some("text") => Ok(None),
            Some(who) => acts::known(world, who).map(|p| Some(p.id)),
        }
    }

    fn fits(&self, message: &Message) -> bool {
        self.after.as_ref().is_none_or(|after| message.ts > *after)
    }
}

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

async fn channel(State(workspace): Shared, Path(channel): Path<String>, Query(view): Query<View>) -> Response {
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

async fn thread(
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
async fn ephemerals(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let viewer = match view.viewer(&world) {
        Ok(viewer) => viewer,
        Err(fault) => return reply(Err(fault)),
    };
    let seen = |m: &&Message| {
        !m.deleted && m.only_for.is_some() && (viewer.is_none() || m.only_for.as_deref() == viewer) && view.fits(m)
    };
    let found: Vec<&Message> = world.messages.iter().filter(seen).collect();
    if view.wants_text() {
        return plain(text::join(&world, found.into_iter()));
    }
    let as_text = text::join(&world, found.iter().copied());
    let messages: Vec<Value> = found.into_iter().map(|m| shown(&world, m)).collect();
    reply(Ok(json!({ "messages": messages, "text": as_text })))
}

/// Every button that a person could press now, newest message first. With `gone=true` those that an edit has taken away.
async fn buttons(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let viewer = match view.viewer(&world) {
        Ok(Some(viewer)) => viewer,
        Ok(None) => return reply(Err("`as` says who looks for buttons".to_owned())),
        Err(fault) => return reply(Err(fault)),
    };
    let mut found = Vec::new();
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
async fn open_form(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let viewer = match view.viewer(&world) {
        Ok(viewer) => viewer.unwrap_or_default(),
        Err(fault) => return reply(Err(fault)),
    };
    let Some(open) = world.top_view(viewer) else { return reply(Ok(json!({ "view": null }))) };
    let mut lines = vec![format!("# {}", open.given["title"]["text"].as_str().unwrap_or_default())];
    for block in &open.blocks {
        text::block_lines(&world, block, &mut lines);
        if let Some(fault) = open.errors.get(block["block_id"].as_str().unwrap_or_default()) {
            lines.push(format!("  ! {fault}"));
        }
    }
    reply(Ok(json!({ "view": open.json(), "errors": open.errors, "revision": open.revision,
        "text": lines.join("\n") })))
}

async fn files(State(workspace): Shared) -> Response {
    let world = workspace.world();
    let shown: Vec<Value> = world.files.keys().filter_map(|id| world.file_json(id, "")).collect();
    reply(Ok(json!({ "files": shown })))
}

/// The content, always as plain text: a file from a machine must never run in the page.
async fn file(State(workspace): Shared, Path(id): Path<String>) -> Response {
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

async fn envelopes(State(workspace): Shared) -> Response {
    let log = workspace.hub.log();
    let slowest = log.iter().filter_map(|r| r.ack_ms).fold(0.0, f64::max);
    let unacked = log.iter().filter(|r| r.ack_ms.is_none()).count();
    reply(Ok(json!({ "envelopes": log, "slowest_ack_ms": slowest, "unacked": unacked,
        "connections": workspace.hub.connections() })))
}

async fn calls(State(workspace): Shared) -> Response {
    reply(Ok(json!({ "calls": workspace.world().calls })))
}

/// Every message body and view that the app has sent, as received, in order; with `after`, those that came later.
async fn bodies(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let found: Vec<_> = world.bodies.iter().filter(|b| view.after.as_ref().is_none_or(|after| b.ts > *after)).collect();
    reply(Ok(json!({ "bodies": found })))
}

#[derive(Deserialize)]
struct After {
    after: Option<u64>,
}

/// The revision; with `after`, waits up to 10 s until it is a later one.
async fn revision(State(workspace): Shared, Query(After { after }): Query<After>) -> Response {
    let mut news = workspace.revisions();
    if let Some(after) = after {
        // Without news in time the old revision is the answer.
        let _ = tokio::time::timeout(Duration::from_secs(10), news.wait_for(|now| *now > after)).await;
    }
    reply(Ok(json!({ "revision": workspace.revision() })))
}

/// Server-sent events: `{"revision": n}` whenever something visible has changed.
async fn events(State(workspace): Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let news = futures::stream::unfold((workspace.revisions(), true), |(mut news, first)| async move {
        if !first {
            news.changed().await.ok()?;
        }
        let now = *news.borrow_and_update();
        Some((now, (news, false)))
    });
    let news = news.map(|now| Ok(Event::default().data(json!({ "revision": now }).to_string())));
    Sse::new(news).keep_alive(KeepAlive::default())
}
