//! Uploads in Slack's three steps: ask for an address, send the bytes, complete. The share happens later, and the
//! answer to `completeUploadExternal` carries no message: a bot that must know asks `files.info`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Answer;
use crate::playground::slack::args::{ApiError, Args};
use crate::playground::slack::message::Message;
use crate::playground::slack::workspace::Workspace;
use crate::playground::slack::world::File;
use crate::playground::slack::{BOT_TOKEN, BOT_USER};

/// Far above what a bot should send; Slack's own limit is 1 GB.
const BYTES_MAX: usize = 64 * 1024 * 1024;

pub fn get_upload_url(workspace: &Workspace, args: &Args) -> Answer {
    let name = args.required("filename", "invalid_arguments")?.to_owned();
    let length = args.number("length").filter(|n| *n > 0 && *n <= BYTES_MAX as u64);
    let length = length
        .ok_or_else(|| ApiError::with("invalid_arguments", vec!["`length` must be from 1 to 67108864".to_owned()]))?;
    let mut world = workspace.world();
    let id = world.next_id("F0");
    let file = File {
        id: id.clone(),
        title: name.clone(),
        name,
        bytes: Vec::new(),
        length: length as usize,
        uploaded: false,
        completed: false,
        shared: Vec::new(),
        created: Timestamp::now().as_second(),
    };
    world.files.insert(id.clone(), file);
    let url = format!("{}/upload/v1/{id}-{:016x}", workspace.base(), rand::random::<u64>());
    Ok(json!({ "upload_url": url, "file_id": id }))
}

/// `POST /upload/v1/…`: raw bytes, or a multipart form with one file.
pub async fn upload(State(workspace): State<Arc<Workspace>>, Path(key): Path<String>, request: Request) -> Response {
    let id = key.split('-').next().unwrap_or_default().to_owned();
    let Some(bytes) = bytes_of(request).await else {
        return (StatusCode::BAD_REQUEST, "the body could not be read").into_response();
    };
    let mut world = workspace.world();
    let Some(file) = world.files.get_mut(&id).filter(|f| !f.completed) else {
        return (StatusCode::NOT_FOUND, "no such upload").into_response();
    };
    if bytes.len() != file.length {
        let fault = format!("{} bytes came, {} were announced", bytes.len(), file.length);
        return (StatusCode::BAD_REQUEST, fault).into_response();
    }
    (file.bytes, file.uploaded) = (bytes.to_vec(), true);
    format!("OK - {}", bytes.len()).into_response()
}

async fn bytes_of(request: Request) -> Option<Bytes> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/form-data") {
        let mut form = Multipart::from_request(request, &()).await.ok()?;
        return form.next_field().await.ok()??.bytes().await.ok();
    }
    axum::body::to_bytes(request.into_body(), BYTES_MAX).await.ok()
}

pub fn complete(workspace: &Arc<Workspace>, args: &Args) -> Answer {
    let given = args.json("files", "invalid_arguments")?.unwrap_or_default();
    let wanted: Vec<(String, Option<String>)> = given
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|f| Some((f["id"].as_str()?.to_owned(), f["title"].as_str().map(str::to_owned))))
        .collect();
    if wanted.is_empty() {
        return Err(ApiError::with("invalid_arguments", vec!["missing required field: files".to_owned()]));
    }
    let channel = args.text("channel_id").or(args.text("channels")).map(str::to_owned);
    let thread = args.text("thread_ts").map(str::to_owned);
    let comment = args.text("initial_comment").unwrap_or_default().to_owned();
    let base = workspace.base();
    let mut world = workspace.world();
    if let Some(channel) = &channel {
        if world.channel(channel).is_none() {
            return Err(ApiError::new("channel_not_found"));
        }
        if !world.is_member(channel, BOT_USER) || world.faults.removed_from(channel) {
            return Err(ApiError::new("not_in_channel"));
        }
    }
    for (id, title) in &wanted {
        let file = world.files.get_mut(id).ok_or_else(|| ApiError::new("file_not_found"))?;
        if !file.uploaded {
            return Err(ApiError::new("file_upload_not_finished"));
        }
        file.completed = true;
        if let Some(title) = title {
            file.title.clone_from(title);
        }
    }
    let ids: Vec<String> = wanted.into_iter().map(|(id, _)| id).collect();
    let shown: Vec<Value> = ids.iter().filter_map(|id| world.file_json(id, &base)).collect();
    let never = world.faults.take("never-shared", |_| true).is_some();
    drop(world);
    if let (Some(channel), false) = (channel, never) {
        let workspace = Arc::clone(workspace);
        tokio::spawn(async move {
            tokio::time::sleep(workspace.settings.share_delay).await;
            share(&workspace, &channel, thread, comment, &ids);
        });
    }
    Ok(json!({ "files": shown }))
}

fn share(workspace: &Workspace, channel: &str, thread: Option<String>, comment: String, ids: &[String]) {
    let mut world = workspace.world();
    let ts = world.next_ts();
    let mut message = Message::new(ts.clone(), channel, BOT_USER);
    message.thread_ts = thread.and_then(|t| world.message(channel, &t).map(|m| m.root_ts().to_owned()));
    (message.text, message.files) = (comment, ids.to_vec());
    world.messages.push(message);
    for id in ids {
        if let Some(file) = world.files.get_mut(id) {
            file.shared.push((channel.to_owned(), ts.clone()));
        }
    }
    drop(world);
    workspace.changed();
}

pub fn info(workspace: &Workspace, args: &Args) -> Answer {
    let id = args.required("file", "file_not_found")?;
    let shown = workspace.world().file_json(id, &workspace.base());
    Ok(json!({ "file": shown.ok_or_else(|| ApiError::new("file_not_found"))?, "comments": [] }))
}

/// `url_private`: the bot token opens it.
pub async fn download(
    State(workspace): State<Arc<Workspace>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    if bearer.and_then(|b| b.strip_prefix("Bearer ")) != Some(BOT_TOKEN) {
        return (StatusCode::FORBIDDEN, "the bot token opens this").into_response();
    }
    let id = path.split('/').next().and_then(|p| p.split_once('-')).map(|(_, id)| id.to_owned());
    let world = workspace.world();
    match id.and_then(|id| world.files.get(&id)) {
        Some(file) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], file.bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
