//! The simulated organisation beside a simulated chat platform, passed through so that the page needs one address and
//! one token, and the news of both in one stream.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::http::Http;

const SHOWN: [&str; 6] = ["accounts", "nodes", "faults", "sends", "executions", "calls"];
/// After a failed question, so that a simulator that is gone is not asked in a loop.
const PAUSE: Duration = Duration::from_secs(2);
/// Many changes come at once while a run fans out; the page wants to draw once.
const SETTLE: Duration = Duration::from_millis(150);

fn there(organisation: Option<&Http>) -> Result<&Http, String> {
    organisation.ok_or_else(|| "there is no simulated organisation beside this workspace".to_owned())
}

pub async fn show(organisation: Option<&Http>, what: &str) -> Result<Value, String> {
    if !SHOWN.contains(&what) {
        return Err(format!("no `{what}` here; there are {}", SHOWN.join(", ")));
    }
    there(organisation)?.get(&format!("/{what}")).await
}

pub async fn plant(organisation: Option<&Http>, what: &str, fault: &Value) -> Result<Value, String> {
    if what != "faults" {
        return Err(format!("nothing can be changed in `{what}`; plant faults"));
    }
    there(organisation)?.post("/faults", fault).await
}

/// Server-sent events: `{"revision": n}` whenever something visible has changed on the platform; the same as an event
/// `organisation` for the organisation.
pub fn events(
    revisions: watch::Receiver<u64>,
    organisation: Option<Http>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let here = stream::unfold((revisions, true), |(mut news, first)| async move {
        if !first {
            news.changed().await.ok()?;
        }
        let now = *news.borrow_and_update();
        Some((Event::default().data(json!({ "revision": now }).to_string()), (news, false)))
    });
    let both = stream::select(here.boxed(), news(organisation));
    Sse::new(both.map(Ok)).keep_alive(KeepAlive::default())
}

fn news(organisation: Option<Http>) -> BoxStream<'static, Event> {
    let Some(http) = organisation else { return stream::pending().boxed() };
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
