//! `response_url`: at most five answers within 30 minutes, without a token, even where the bot is not a member.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::BOT_USER;
use super::args::{ApiError, Args};
use super::blocks::{self, Surface};
use super::message::Message;
use super::workspace::Workspace;
use super::world::World;

const USES_MAX: u32 = 5;
const LIFE: Duration = Duration::from_secs(30 * 60);

#[derive(Debug, Clone)]
pub struct ResponseUrl {
    pub channel: String,
    pub user: String,
    pub thread_ts: Option<String>,
    /// What `replace_original` and `delete_original` mean: the clicked message, or the first answer given here.
    pub original: Option<String>,
    pub uses: u32,
    pub made: Instant,
}

impl World {
    pub fn new_response_url(
        &mut self,
        base: &str,
        kind: &str,
        channel: &str,
        user: &str,
        clicked: Option<&Message>,
    ) -> String {
        let key = format!("{:032x}", rand::random::<u128>());
        let url = ResponseUrl {
            channel: channel.to_owned(),
            user: user.to_owned(),
            thread_ts: clicked.and_then(|m| m.thread_ts.clone()),
            // The message under a shortcut is somebody's own; only a clicked one can be replaced.
            original: clicked.filter(|_| kind == "actions").map(|m| m.ts.clone()),
            uses: 0,
            made: Instant::now(),
        };
        self.response_urls.insert(key.clone(), url);
        format!("{base}/{kind}/{}/{key}", super::TEAM)
    }
}

/// `POST /commands/T…/KEY` and `POST /actions/T…/KEY`.
pub async fn answer(
    State(workspace): State<Arc<Workspace>>,
    Path((_, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    match accept(&workspace, &key, &headers, &body) {
        Ok(()) => {
            workspace.changed();
            "ok".into_response()
        }
        Err(fault) if fault.error == "used_url" || fault.error == "expired_url" => {
            (StatusCode::NOT_FOUND, fault).into_response()
        }
        Err(fault) => fault.into_response(),
    }
}

fn accept(workspace: &Workspace, key: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
    let args = Args::read("response_url", None, headers, body)?;
    let mut world = workspace.world();
    world.keep_body("response_url", args.body());
    let url = world.response_urls.get_mut(key).ok_or_else(|| ApiError::new("expired_url"))?;
    if url.made.elapsed() > LIFE {
        return Err(ApiError::new("expired_url"));
    }
    if url.uses >= USES_MAX {
        return Err(ApiError::new("used_url"));
    }
    url.uses += 1;
    let url = url.clone();
    if args.flag("delete_original") {
        if let Some(message) = url.original.as_deref().and_then(|ts| world.message_mut(&url.channel, ts)) {
            message.deleted = true;
        }
        return Ok(());
    }
    let mut given = args.json("blocks", "invalid_blocks_format")?.unwrap_or(Value::Null);
    let blocks = blocks::check(&mut given, Surface::Message)?;
    let text = args.text("text").unwrap_or_default().to_owned();
    if text.is_empty() && blocks.is_empty() {
        return Err(ApiError::new("no_text"));
    }
    if args.flag("replace_original")
        && let Some(message) = url.original.as_deref().and_then(|ts| world.message_mut(&url.channel, ts))
    {
        message.rewrite(text, blocks);
        return Ok(());
    }
    let in_channel = args.text("response_type") == Some("in_channel");
    let thread = args.text("thread_ts").map(str::to_owned).or(url.thread_ts);
    let ts = say(&mut world, &url.channel, &url.user, thread, in_channel, text, blocks);
    if let Some(kept) = world.response_urls.get_mut(key) {
        kept.original.get_or_insert(ts);
    }
    Ok(())
}

/// The app speaks to one person, or `in_channel` to all. Also used for answers that ride on an acknowledgement.
pub fn say(
    world: &mut World,
    channel: &str,
    user: &str,
    thread_ts: Option<String>,
    in_channel: bool,
    text: String,
    blocks: Vec<Value>,
) -> String {
    let ts = world.next_ts();
    let mut message = Message::new(ts.clone(), channel, BOT_USER);
    message.thread_ts = thread_ts;
    message.text = text;
    message.blocks = blocks;
    message.only_for = (!in_channel).then(|| user.to_owned());
    world.messages.push(message);
    ts
}

/// What an acknowledgement's payload says, as a message: text, checked blocks, and whether all may read it.
pub fn spoken(payload: &Value) -> Option<(String, Vec<Value>, bool)> {
    let mut given = payload.get("blocks").cloned().unwrap_or(json!([]));
    let blocks = blocks::check(&mut given, Surface::Message).unwrap_or_default();
    let text = payload["text"].as_str().unwrap_or_default().to_owned();
    (!text.is_empty() || !blocks.is_empty()).then(|| (text, blocks, payload["response_type"] == "in_channel"))
}
