//! The REST interface, version 10: who may call, which route it is, and what every answer carries.
//!
//! Each route has a name, by which calls are counted and faults are planted: `messages.create`.

pub mod application;
pub mod call;
pub mod channels;
pub mod files;
pub mod guilds;
pub mod interactions;
pub mod messages;
pub mod refused;
pub mod threads;
pub mod webhooks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::Value;

use super::faults::Strike;
use super::workspace::Workspace;
use super::{BOT_TOKEN, pings};
use call::Call;
use refused::Refused;

/// What a route answers with.
#[derive(Debug)]
pub enum Reply {
    Json(StatusCode, Value),
    /// 204
    Nothing,
}

pub type Answer = Result<Reply, Refused>;
type Handler = fn(&Arc<Workspace>, &Call) -> Answer;

pub fn ok(body: Value) -> Answer {
    Ok(Reply::Json(StatusCode::OK, body))
}

/// Messages in one channel that may be posted or edited in five seconds.
const BUCKET: u32 = 5;
/// Discord tells what it allows for each route; for the others here it is this.
const BUCKET_OF_OTHERS: u32 = 50;
const WINDOW: Duration = Duration::from_secs(5);

/// The routes, by method and path: name, whether it needs no token, what answers.
fn route(method: &Method, path: &[&str]) -> Option<(&'static str, bool, Handler)> {
    let get = method == Method::GET;
    let found: (&'static str, bool, Handler) = match (method.as_str(), path) {
        ("GET", ["gateway"]) => ("gateway.get", true, application::gateway),
        ("GET", ["gateway", "bot"]) => ("gateway.bot", false, application::gateway_bot),
        ("GET", ["users", "@me"]) => ("users.me", false, application::me),
        ("GET", ["users", "@me", "guilds"]) => ("users.guilds", false, guilds::own),
        ("POST", ["users", "@me", "channels"]) => ("users.channels", false, channels::direct_message),
        ("GET", ["users", _]) => ("users.get", false, guilds::user),
        ("GET", ["applications" | "oauth2", ..]) if path.ends_with(&["@me"]) => {
            ("applications.me", false, application::own)
        }
        (_, ["applications", _, rest @ ..]) => return commands(method, rest),
        ("POST", ["interactions", _, _, "callback"]) => ("interactions.callback", true, interactions::callback),
        ("POST", ["webhooks", _, _]) => ("webhooks.create", true, webhooks::create),
        ("GET", ["webhooks", _, _, "messages", _]) => ("webhooks.get", true, webhooks::get),
        ("PATCH", ["webhooks", _, _, "messages", _]) => ("webhooks.edit", true, webhooks::edit),
        ("DELETE", ["webhooks", _, _, "messages", _]) => ("webhooks.delete", true, webhooks::delete),
        ("GET", ["channels", _]) => ("channels.get", false, channels::get),
        ("PATCH", ["channels", _]) => ("channels.edit", false, channels::edit),
        ("POST", ["channels", _, "typing"]) => ("channels.typing", false, channels::typing),
        ("PUT", ["channels", _, "thread-members", "@me"]) => ("threads.join", false, threads::join),
        ("GET", ["channels", _, "messages"]) => ("messages.list", false, messages::list),
        ("POST", ["channels", _, "messages"]) => ("messages.create", false, messages::create),
        ("GET", ["channels", _, "messages", _]) => ("messages.get", false, messages::get),
        ("PATCH", ["channels", _, "messages", _]) => ("messages.edit", false, messages::edit),
        ("DELETE", ["channels", _, "messages", _]) => ("messages.delete", false, messages::delete),
        ("POST", ["channels", _, "messages", _, "threads"]) => ("threads.create", false, threads::create),
        ("GET", ["guilds", _]) => ("guilds.get", false, guilds::get),
        ("GET", ["guilds", _, "roles"]) => ("roles.list", false, guilds::roles),
        ("GET", ["guilds", _, "roles", _]) => ("roles.get", false, guilds::role),
        ("GET", ["guilds", _, "channels"]) => ("channels.list", false, guilds::channels),
        ("GET", ["guilds", _, "threads", "active"]) => ("threads.list", false, guilds::threads),
        ("GET", ["guilds", _, "members"]) => ("members.list", false, guilds::members),
        ("GET", ["guilds", _, "members", "search"]) => ("members.search", false, guilds::search),
        ("GET", ["guilds", _, "members", _]) if get => ("members.get", false, guilds::member),
        _ => return None,
    };
    Some(found)
}

/// Global commands, and those of one guild.
fn commands(method: &Method, path: &[&str]) -> Option<(&'static str, bool, Handler)> {
    let rest = match path {
        ["guilds", _, "commands", rest @ ..] | ["commands", rest @ ..] => rest,
        _ => return None,
    };
    let found: (&'static str, Handler) = match (method.as_str(), rest) {
        ("GET", []) => ("commands.list", application::list_commands),
        ("PUT", []) => ("commands.overwrite", application::overwrite_commands),
        ("POST", []) => ("commands.create", application::create_command),
        ("GET", [_]) => ("commands.get", application::get_command),
        ("PATCH", [_]) => ("commands.edit", application::edit_command),
        ("DELETE", [_]) => ("commands.delete", application::delete_command),
        _ => return None,
    };
    Some((found.0, false, found.1))
}

pub async fn call(State(workspace): State<Arc<Workspace>>, Path(path): Path<String>, request: Request) -> Response {
    let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect();
    let versioned = parts.first().is_some_and(|p| p.len() > 1 && p[1..].bytes().all(|b| b.is_ascii_digit()));
    let parts = match parts.split_first() {
        Some((version, rest)) if versioned && version == "v10" => rest.to_vec(),
        Some((version, _)) if versioned && version.starts_with('v') => return Refused::code(50041).into_response(),
        _ => parts,
    };
    let borrowed: Vec<&str> = parts.iter().map(String::as_str).collect();
    let Some((name, public, handler)) = route(request.method(), &borrowed) else {
        return Refused::status(StatusCode::NOT_FOUND).into_response();
    };
    let (strike, slow) = {
        let mut world = workspace.world();
        *world.calls.entry(name.to_owned()).or_default() += 1;
        (world.faults.before(name), world.faults.slow(name))
    };
    if let Some(late) = slow {
        tokio::time::sleep(late).await;
    }
    match strike {
        Some(Strike::Refused) => return cut(),
        Some(Strike::Outage) => return (StatusCode::SERVICE_UNAVAILABLE, "upstream connect error").into_response(),
        Some(Strike::RateLimited(seconds)) => return Refused::rate_limited(seconds as f64).into_response(),
        Some(Strike::Error(code)) => return Refused::code(code).into_response(),
        None => {}
    }
    if let Some(host) = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()) {
        workspace.reached_by(host);
    }
    if !public && !authorised(request.headers()) {
        return Refused::status(StatusCode::UNAUTHORIZED).into_response();
    }
    let bucket = format!("{name} {}", borrowed.get(1).unwrap_or(&""));
    let pace = match paced(&workspace, name, &bucket) {
        Ok(pace) => pace,
        Err(wait) => return Refused::rate_limited(wait).into_response(),
    };
    let answer = match Call::read(request, parts.clone()).await {
        Ok(call) => {
            keep(&workspace, name, &call);
            handler(&workspace, &call)
        }
        Err(refused) => Err(refused),
    };
    let mut response = match answer {
        Ok(reply) => {
            if method_changes(name) {
                workspace.changed();
            }
            let loses = |p: &super::faults::Plant| p.method.as_deref().unwrap_or("messages.create") == name;
            if workspace.world().faults.take("lost-post-answer", loses).is_some() {
                return cut();
            }
            match reply {
                Reply::Json(status, body) => (status, axum::Json(body)).into_response(),
                Reply::Nothing => StatusCode::NO_CONTENT.into_response(),
            }
        }
        Err(refused) => refused.into_response(),
    };
    // Interactions are bound by no limit of the application's.
    if !public {
        limits(response.headers_mut(), &bucket, &pace);
    }
    response
}

fn method_changes(name: &str) -> bool {
    !name.ends_with(".list") && !name.ends_with(".get")
}

fn authorised(headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    given.and_then(|v| v.strip_prefix("Bot ")) == Some(BOT_TOKEN)
}

/// Keeps what the bot says, with whom it notifies: only a new message in a channel notifies anybody.
fn keep(workspace: &Workspace, name: &str, call: &Call) {
    let is_message = matches!(
        name,
        "messages.create" | "messages.edit" | "webhooks.create" | "webhooks.edit" | "interactions.callback"
    );
    if !is_message {
        return;
    }
    let mut world = workspace.world();
    let data = if name == "interactions.callback" { &call.body["data"] } else { &call.body };
    let new = match name {
        "messages.create" => Some(call.part(1).to_owned()),
        "webhooks.create" | "interactions.callback" => {
            let public = data["flags"].as_u64().unwrap_or_default() & super::message::EPHEMERAL == 0;
            // What fills in a deferred answer is an edit.
            let fills = |i: &super::interaction::Interaction| {
                let waiting = i.original.as_deref().and_then(|id| world.message(id));
                waiting.is_some_and(|m| m.flags & super::message::LOADING != 0)
            };
            world.interactions.get(call.part(2)).filter(|i| public && !fills(i)).map(|i| i.channel.clone())
        }
        _ => None,
    };
    let pings = new.map(|channel| {
        let content = data["content"].as_str().unwrap_or_default();
        pings::of(&world, &channel, super::BOT_USER, content, &data["allowed_mentions"]).listed()
    });
    world.keep_body(name, call.body.clone(), pings.unwrap_or_default());
}

/// What is left of a route's allowance, and when it is renewed.
struct Pace {
    limit: u32,
    left: u32,
    renewed_in: Duration,
}

/// Counts one call. Beyond five messages in five seconds and channel it is told how long to wait, with the limit on;
/// without it the numbers are told all the same.
fn paced(workspace: &Workspace, name: &str, bucket: &str) -> Result<Pace, f64> {
    let speaks = matches!(name, "messages.create" | "messages.edit");
    let limit = if speaks { BUCKET } else { BUCKET_OF_OTHERS };
    let mut world = workspace.world();
    let (since, used) = world.pace.entry(bucket.to_owned()).or_insert((Instant::now(), 0));
    if since.elapsed() >= WINDOW {
        (*since, *used) = (Instant::now(), 0);
    }
    let renewed_in = WINDOW.saturating_sub(since.elapsed());
    if speaks && *used >= limit && workspace.settings.rate_limit {
        return Err(renewed_in.as_secs_f64().max(0.001));
    }
    *used += 1;
    Ok(Pace { limit, left: limit.saturating_sub(*used), renewed_in })
}

fn limits(headers: &mut HeaderMap, bucket: &str, pace: &Pace) {
    let renewed_in = pace.renewed_in.as_secs_f64();
    let reset = Timestamp::now().as_millisecond() as f64 / 1e3 + renewed_in;
    // Any text that is the same for the same bucket.
    let hash = bucket.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    for (name, value) in [
        ("x-ratelimit-limit", pace.limit.to_string()),
        ("x-ratelimit-remaining", pace.left.to_string()),
        ("x-ratelimit-reset", format!("{reset:.3}")),
        ("x-ratelimit-reset-after", format!("{renewed_in:.3}")),
        ("x-ratelimit-bucket", format!("{hash:016x}")),
    ] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
}

/// No answer at all: the body fails before a byte is written, so the connection is dropped.
fn cut() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("connection cut by request")) });
    Response::new(Body::from_stream(broken))
}

/// A snowflake of the body: Discord takes text and number.
pub fn snowflake(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
