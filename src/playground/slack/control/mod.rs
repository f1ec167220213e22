//! `/play/v1/`: makes people act and shows what they see. The page, the tests and the tour use nothing else.
//!
//! Refusals are HTTP 400 with `{"ok": false, "error": "…"}`. People are named by id, `@name` or the part that
//! conversation files give them; channels by id or `#name`; fields by label, block id or action id.
//!
//! | | |
//! |---|---|
//! | `POST commands {as, channel, text, thread?}` | types |
//! | `POST clicks {as, label\|action_id, channel, ts}` | presses a button of a message; with `view`, `home: true` or neither one of a view |
//! | `POST choices {as, label\|action_id\|field, value\|query, …}` | picks in a menu; `query` types into an external select and lists the options |
//! | `POST forms {as, values, view?, close?}`, `GET forms?as=` | fills and submits the open modal, or closes it; shows it |
//! | `POST shortcuts {as, callback_id, channel?, ts?}` | uses a shortcut, on a message or anywhere |
//! | `POST home {as}`, `GET home?as=` | opens the App Home; shows it |
//! | `GET workspace channels/C threads/C/TS ephemerals buttons files events revision` | what there is to see |
//! | `GET organisation/{accounts,nodes,faults,sends,executions,calls}`, `POST organisation/faults` | the simulated AWS beside it |
//! | `POST faults sockets`, `GET faults envelopes calls` | what goes wrong, and what really happened |
//!
//! `ephemerals` with `direct=true` shows direct messages of the bot, too. `format=text` gives text where a person would
//! read some.

mod acting;
mod organisation;
mod seeing;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::acts::{self, COMMAND, Refusal};
use super::faults::Plant;
use super::message::Message;
use super::mrkdwn;
use super::shortcuts::SHORTCUTS;
use super::workspace::Workspace;
use super::world::World;
use super::{BOT_USER, TEAM};

type Shared = State<Arc<Workspace>>;
type Answer = Result<Value, Refusal>;

pub fn router() -> Router<Arc<Workspace>> {
    Router::new()
        .route("/workspace", get(workspace_info))
        .route("/commands", post(acting::commands))
        .route("/clicks", post(acting::clicks))
        .route("/forms", post(acting::submit_form).get(seeing::open_form))
        .route("/choices", post(acting::choices))
        .route("/shortcuts", post(acting::shortcuts))
        .route("/home", post(acting::open_home).get(seeing::home))
        .route("/faults", post(plant).get(planted).delete(clear_faults))
        .route("/sockets", post(sockets))
        .route("/channels/{channel}", get(seeing::channel))
        .route("/threads/{channel}/{ts}", get(seeing::thread))
        .route("/ephemerals", get(seeing::ephemerals))
        .route("/buttons", get(seeing::buttons))
        .route("/files", get(seeing::files))
        .route("/files/{id}", get(seeing::file))
        .route("/envelopes", get(envelopes))
        .route("/calls", get(calls))
        .route("/bodies", get(bodies))
        .route("/revision", get(revision))
        .route("/events", get(organisation::events))
        .route("/organisation/{what}", get(organisation::show).post(organisation::plant))
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
            "members": c.members, "latest": world.latest(&c.id) })
        })
        .collect();
    let shortcuts: Vec<Value> =
        SHORTCUTS.iter().map(|(id, kind, name)| json!({ "callback_id": id, "type": kind, "name": name })).collect();
    let emoji: Map<String, Value> = mrkdwn::EMOJI.iter().map(|(n, s)| ((*n).to_owned(), json!(s))).collect();
    reply(Ok(json!({
        "people": people, "groups": groups, "channels": channels, "command": COMMAND, "shortcuts": shortcuts,
        "platform": "slack", "bot": BOT_USER, "team": TEAM, "emoji": emoji,
        "connections": workspace.hub.connections(), "opened": workspace.hub.opened(),
        "revision": workspace.revision(), "organisation": workspace.organisation.is_some(),
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
    /// What the bot writes to the person alone, too.
    #[serde(default)]
    direct: bool,
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

    /// The id of the person who looks, who must be named.
    fn person(&self, world: &World) -> Result<&'static str, Refusal> {
        self.viewer(world)?.ok_or_else(|| "`as` says who looks".to_owned())
    }

    fn fits(&self, message: &Message) -> bool {
        self.after.as_ref().is_none_or(|after| message.ts > *after)
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
