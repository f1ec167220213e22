//! The simulated organisation beside the workspace, passed through so that the page needs one address and one token,
//! and the news of both in one stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::{Value, json};

use super::{Answer, Shared, parse, reply};
use crate::playground::http::Http;
use crate::playground::slack::workspace::Workspace;

const SHOWN: [&str; 6] = ["accounts", "nodes", "faults", "sends", "executions", "calls"];
/// After a failed question, so that a simulator that is gone is not asked in a loop.
const PAUSE: Duration = Duration::from_secs(2);
/// Many changes come at once while a run fans out; the page wants to draw once.
const SETTLE: Duration = Duration::from_millis(150);

fn beside(workspace: &Workspace) -> Result<&Http, String> {
    workspace.organisation.as_ref().ok_or_else(|| "there is no simulated organisation beside this workspace".to_owned())
}

pub async fn show(State(workspace): Shared, Path(what): Path<String>) -> Response {
    let act = async || -> Answer {
        if !SHOWN.contains(&what.as_str()) {
            return Err(format!("no `{what}` here; there are {}", SHOWN.join(", ")));
        }
        beside(&workspace)?.get(&format!("/{what}")).await
    };
    reply(act().await)
}

pub async fn plant(State(workspace): Shared, Path(what): Path<String>, body: axum::body::Bytes) -> Response {
    let act = async || -> Answer {
        if what != "faults" {
            return Err(format!("nothing can be changed in `{what}`; plant faults"));
        }
        let fault: Value = parse(&body)?;
        beside(&workspace)?.post("/faults", &fault).await
    };
    reply(act().await)
}

/// Server-sent events: `{"revision": n}` whenever something visible has changed in the workspace; the same as an event
/// `organisation` for the organisation.
pub async fn events(State(workspace): Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let here = stream::unfold((workspace.revisions(), true), |(mut news, first)| async move {
        if !first {
            news.changed().await.ok()?;
        }
        let now = *news.borrow_and_update();
        Some((Event::default().data(json!({ "revision": now }).to_string()), (news, false)))
    });
    let both = stream::select(here.boxed(), beside_news(workspace));
    Sse::new(both.map(Ok)).keep_alive(KeepAlive::default())
}

fn beside_news(workspace: Arc<Workspace>) -> BoxStream<'static, Event> {
    let Some(http) = workspace.organisation.clone() else { return stream::pending().boxed() };
    stream::unfold((http, None::<u64>), |(http, mut seen)| async move {
        loop {
            let path = seen.map_or("/revision".to_owned(), |n| format!("/revision?after={n}"));
            match http.get(&path).await {
                Ok(answer) => {
                    let now = answer["revision"].as_u64();
                    if now != seen {
                        seen = now;
                        tokio::time::sleep(SETTLE).await;
                        let event = Event::default().event("organisation").data(answer.to_string());
                        return Some((event, (http, seen)));
                    }
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    })
    .boxed()
}
