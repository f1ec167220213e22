//! `/play/v1/`: makes people act and shows what they see, with the shapes of the simulated Slack workspace, so that the
//! page, the tests and the conversation player need not know which platform they play on.
//!
//! Refusals are HTTP 400 with `{"ok": false, "error": "…"}`. People are named by id, `@name` or the part that
//! conversation files give them; channels by id or `#name`; fields by label or custom id. A `ts` is a message's id.
//!
//! | | |
//! |---|---|
//! | `POST commands {as, channel, text, thread?}` | types |
//! | `POST suggestions {as, channel, text}` | what the bot suggests for a slash command that is being typed |
//! | `POST clicks {as, label\|action_id, channel, ts, stale?}` | presses a button of a message |
//! | `POST choices {as, label\|action_id\|field, value\|query, …}` | picks in a menu; `query` looks for options |
//! | `POST forms {as, values, view?, close?}`, `GET forms?as=` | fills and submits the open modal, or closes it; shows it |
//! | `POST shortcuts {as, callback_id, channel?, ts?}` | uses a command in the menu of a message |
//! | `GET workspace channels/C threads/C/TS ephemerals buttons files events revision` | what there is to see |
//! | `GET organisation/{accounts,nodes,faults,sends,executions,calls}`, `POST organisation/faults` | the simulated AWS beside it |
//! | `POST faults sockets`, `GET faults envelopes calls bodies registered` | what goes wrong, and what really happened |
//!
//! `ephemerals` with `direct=true` shows direct messages of the bot, too: Discord has no other way to speak to one person
//! who did not use a command or a button. `format=text` gives text where a person would read some. A bot has no page of its
//! own at Discord, so `home` is always empty.

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
use serde_json::{Value, json};

use super::acts::{self, Refusal};
use super::faults::Plant;
use super::message::Message;
use super::workspace::Workspace;
use super::world::World;
use super::{BOT_USER, GUILD, menu};

type Shared = State<Arc<Workspace>>;
type Answer = Result<Value, Refusal>;

/// The slash command that people are told of.
const COMMAND: &str = "/runbook";

pub fn router() -> Router<Arc<Workspace>> {
    Router::new()
        .route("/workspace", get(workspace_info))
        .route("/commands", post(acting::commands))
        .route("/suggestions", post(acting::suggestions))
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
        .route("/registered", get(registered))
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
        let mut plant: Plant = parse(&body)?;
        let name = plant.name.clone();
        let mut world = workspace.world();
        // Faults know ids, people say names.
        if let Some(wanted) = plant.channel.take() {
            let found = world.channel_called(&wanted).ok_or_else(|| format!("no channel `{wanted}`"))?;
            plant.channel = Some(found.id.clone());
        }
        if let Some(wanted) = plant.user.take() {
            plant.user = Some(acts::known(&world, &wanted)?.id.to_owned());
        }
        let roles: Vec<(String, String)> = standing_roles(&world);
        world.faults.plant(plant)?;
        let left = standing_roles(&world);
        for (guild, role) in roles.iter().filter(|r| !left.contains(r)) {
            workspace.tell_role_deleted(guild, role);
        }
        drop(world);
        match name.as_str() {
            "outage" | "refused" | "cut" => workspace.hub.cut(),
            "reconnect" => workspace.hub.ask_to_reconnect(),
            "invalid-session" => workspace.hub.invalidate(false),
            _ => 0,
        };
        workspace.changed();
        Ok(json!({}))
    };
    reply(act())
}

/// Every role that is there, with its guild.
fn standing_roles(world: &World) -> Vec<(String, String)> {
    world.guilds.iter().flat_map(|g| world.roles(g).map(|r| (g.id.clone(), r.id.clone()))).collect()
}

async fn planted(State(workspace): Shared) -> Response {
    let world = workspace.world();
    reply(Ok(json!({ "planted": world.faults.list(), "struck": world.faults.struck })))
}

async fn clear_faults(State(workspace): Shared) -> Response {
    workspace.world().faults.clear();
    workspace.changed();
    reply(Ok(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sockets {
    /// `reconnect`, `invalid-session`, `cut`.
    disconnect: String,
    /// Whether the session that is said to be invalid may be resumed all the same.
    #[serde(default)]
    resumable: bool,
}

async fn sockets(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = || {
        let s: Sockets = parse(&body)?;
        let told = match s.disconnect.as_str() {
            "cut" => workspace.hub.cut(),
            "reconnect" => workspace.hub.ask_to_reconnect(),
            "invalid-session" => workspace.hub.invalidate(s.resumable),
            other => return Err(format!("no reason `{other}`; there are `reconnect`, `invalid-session` and `cut`")),
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
        .map(|p| json!({ "id": p.id, "name": p.name, "real_name": p.real_name, "title": p.title, "team": p.home, "bot": p.is_bot() }))
        .collect();
    let groups: Vec<Value> = world
        .guilds
        .iter()
        .flat_map(|g| world.roles(g).map(move |r| (g, r)))
        .filter(|(g, r)| r.id != g.id && !r.managed)
        .map(|(g, r)| {
            let users: Vec<&str> = g.members.iter().filter(|m| m.roles.contains(&r.id)).map(|m| m.user).collect();
            json!({ "id": r.id, "handle": r.name, "users": users })
        })
        .collect();
    let channels: Vec<Value> = world
        .channels
        .iter()
        .filter(|c| !c.is_thread())
        .map(|c| {
            let members: Vec<&str> = world.people.iter().map(|p| p.id).filter(|id| world.sees(&c.id, id)).collect();
            let in_it = |m: &&Message| m.only_for.is_none() && !m.deleted && world.outer(&m.channel) == c.id;
            let latest = world.messages.iter().rev().find(in_it).map(|m| m.id.as_str());
            let foreign = c.guild.as_deref().is_some_and(|g| g != GUILD);
            json!({ "id": c.id, "name": c.name, "purpose": c.topic, "shared": foreign, "im": c.recipient,
                "members": members, "latest": latest })
        })
        .collect();
    let shortcuts: Vec<Value> = menu::registered(&world)
        .iter()
        .map(|c| json!({ "callback_id": c["name"], "type": "message", "name": c["name"] }))
        .collect();
    reply(Ok(json!({
        "platform": "discord", "people": people, "groups": groups, "channels": channels, "command": COMMAND,
        "shortcuts": shortcuts, "emoji": {}, "bot": BOT_USER, "team": GUILD,
        "connections": workspace.hub.connections(), "opened": workspace.hub.opened(),
        "resumed": workspace.hub.resumed(), "revision": workspace.revision(),
        "organisation": workspace.organisation.is_some(),
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
        self.after.as_ref().is_none_or(|after| message.id > *after)
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

/// Every message that the bot has sent, as received, in order, with whom it notified; with `after`, those that came
/// later.
async fn bodies(State(workspace): Shared, Query(view): Query<View>) -> Response {
    let world = workspace.world();
    let found: Vec<_> = world.bodies.iter().filter(|b| view.after.as_ref().is_none_or(|after| b.ts > *after)).collect();
    reply(Ok(json!({ "bodies": found })))
}

/// The registered commands by place, and how often commands were written.
async fn registered(State(workspace): Shared) -> Response {
    let world = workspace.world();
    reply(Ok(json!({ "commands": world.commands, "writes": world.command_writes })))
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
