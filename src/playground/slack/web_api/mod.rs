//! `/api/METHOD`: token, faults and pace first, then one file per family of methods.

mod chat;
mod conversations;
mod files;
mod general;
mod views;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

pub use files::{download, upload};

use super::args::{ApiError, Args};
use super::faults::Strike;
use super::workspace::Workspace;
use super::{APP_TOKEN, BOT_TOKEN};

/// What a method answers: the body without `ok`, or one of Slack's errors.
type Answer = Result<Value, ApiError>;

pub async fn call(
    State(workspace): State<Arc<Workspace>>,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    *workspace.world().calls.entry(method.clone()).or_default() += 1;
    let strike = workspace.world().faults.before(&method);
    match strike {
        Some(Strike::Refused) => return cut(),
        Some(Strike::Outage) => return (StatusCode::SERVICE_UNAVAILABLE, "upstream unavailable").into_response(),
        Some(Strike::RateLimited(seconds)) => return ApiError::rate_limited(seconds).into_response(),
        Some(Strike::Error(error)) => return ApiError::new(error).into_response(),
        None => {}
    }
    if let Some(host) = headers.get(header::HOST).and_then(|h| h.to_str().ok()) {
        workspace.reached_by(host);
    }
    let answer = Args::read(&method, query.as_deref(), &headers, &body)
        .and_then(|args| authorised(&workspace, &method, &args).map(|()| args))
        .and_then(|args| paced(&workspace, &method, &args).map(|()| args))
        .inspect(|args| {
            if method.starts_with("chat.") || method.starts_with("views.") {
                workspace.world().keep_body(&method, args.body());
            }
        })
        .and_then(|args| answer(&workspace, &method, &args));
    let mut response = match answer {
        Ok(mut body) => {
            workspace.changed();
            if method == "chat.postMessage" && workspace.world().faults.take("lost-post-answer", |_| true).is_some() {
                return cut();
            }
            body["ok"] = Value::Bool(true);
            axum::Json(body).into_response()
        }
        Err(error) => error.into_response(),
    };
    // As at Slack, every answer tells what the token may do.
    let granted = workspace.settings.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    if method != "apps.connections.open"
        && let Ok(granted) = granted.parse()
    {
        response.headers_mut().insert("x-oauth-scopes", granted);
    }
    response
}

fn answer(workspace: &Arc<Workspace>, method: &str, args: &Args) -> Answer {
    match method {
        "api.test" => Ok(serde_json::json!({})),
        "auth.test" => general::auth_test(workspace),
        "apps.connections.open" => general::connections_open(workspace),
        "usergroups.list" => general::usergroups_list(workspace, args),
        "usergroups.users.list" => general::usergroups_users_list(workspace, args),
        "users.info" => general::users_info(workspace, args),
        "users.lookupByEmail" => general::users_lookup(workspace, args),
        "chat.postMessage" => chat::post(workspace, args),
        "chat.update" => chat::update(workspace, args),
        "chat.delete" => chat::delete(workspace, args),
        "chat.postEphemeral" => chat::post_ephemeral(workspace, args),
        "chat.getPermalink" => chat::permalink(workspace, args),
        "conversations.info" => conversations::info(workspace, args),
        "conversations.history" => conversations::history(workspace, args),
        "conversations.replies" => conversations::replies(workspace, args),
        "conversations.open" => conversations::open(workspace, args),
        "files.getUploadURLExternal" => files::get_upload_url(workspace, args),
        "files.completeUploadExternal" => files::complete(workspace, args),
        "files.info" => files::info(workspace, args),
        "views.open" => views::open(workspace, args),
        "views.push" => views::push(workspace, args),
        "views.update" => views::update(workspace, args),
        "views.publish" => views::publish(workspace, args),
        _ => Err(ApiError::new("unknown_method")),
    }
}

/// An app token opens connections and nothing else; the bot token does the rest.
fn authorised(workspace: &Workspace, method: &str, args: &Args) -> Result<(), ApiError> {
    let (wanted, other) =
        if method == "apps.connections.open" { (APP_TOKEN, BOT_TOKEN) } else { (BOT_TOKEN, APP_TOKEN) };
    match args.token.as_deref() {
        _ if method == "api.test" => Ok(()),
        None | Some("") => Err(ApiError::new("not_authed")),
        Some(token) if token == wanted => match super::scopes::needed(method, args) {
            Some(scope) if !workspace.settings.scopes.contains(&scope) => {
                Err(ApiError::missing_scope(scope, &workspace.settings.scopes))
            }
            _ => Ok(()),
        },
        Some(token) if token == other => Err(ApiError::new("not_allowed_token_type")),
        Some(_) => Err(ApiError::new("invalid_auth")),
    }
}

/// With the limit on: about one post a second and channel, 50 edits a minute.
fn paced(workspace: &Workspace, method: &str, args: &Args) -> Result<(), ApiError> {
    let (channel, gap) = match method {
        "chat.postMessage" => (args.text("channel").unwrap_or_default(), Duration::from_secs(1)),
        "chat.update" => ("", Duration::from_millis(1200)),
        _ => return Ok(()),
    };
    if !workspace.settings.rate_limit {
        return Ok(());
    }
    // A virtual clock per method and channel, at most four gaps ahead: short bursts pass, as they do at Slack.
    let mut world = workspace.world();
    let now = Instant::now();
    let next = world.pace.entry((method.to_owned(), channel.to_owned())).or_insert(now);
    if *next > now + gap * 4 {
        return Err(ApiError::rate_limited((*next - now - gap * 4).as_secs() + 1));
    }
    *next = (*next).max(now) + gap;
    Ok(())
}

/// No answer at all: the body fails before a byte is written, so the connection is dropped.
fn cut() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("connection cut by request")) });
    Response::new(Body::from_stream(broken))
}
