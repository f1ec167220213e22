//! The simulated organisation beside the guild, for the page.

use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use futures::Stream;

use super::{Shared, parse, reply};
use crate::playground::beside;

pub async fn show(State(workspace): Shared, Path(what): Path<String>) -> Response {
    reply(beside::show(workspace.organisation.as_ref(), &what).await)
}

pub async fn plant(State(workspace): Shared, Path(what): Path<String>, body: axum::body::Bytes) -> Response {
    let act = async || beside::plant(workspace.organisation.as_ref(), &what, &parse(&body)?).await;
    reply(act().await)
}

pub async fn events(State(workspace): Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    beside::events(workspace.revisions(), workspace.organisation.clone())
}
