//! What people do.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Shared, parse, reply};
use crate::playground::slack::forms::Spot;
use crate::playground::slack::{acts, forms, home, shortcuts};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    r#as: String,
    channel: String,
    text: String,
    thread: Option<String>,
}

pub async fn commands(State(workspace): Shared, body: axum::body::Bytes) -> Response {
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
    /// A button inside this modal or App Home, or in the open modal if nothing else is given.
    view: Option<String>,
    /// A button in the App Home.
    #[serde(default)]
    home: bool,
    /// A button that an edit has taken away: the person's screen is old.
    #[serde(default)]
    stale: bool,
}

pub async fn clicks(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = async || {
        let c: Click = parse(&body)?;
        let wanted = c.action_id.as_deref().or(c.label.as_deref()).ok_or("a click needs `label` or `action_id`")?;
        match (&c.channel, &c.ts) {
            (Some(channel), Some(ts)) => acts::click(&workspace, &c.r#as, channel, ts, wanted, c.stale).await,
            _ => forms::act(&workspace, &c.r#as, wanted, None, &of_view(c.view.as_deref(), c.home)).await,
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

pub async fn submit_form(State(workspace): Shared, body: axum::body::Bytes) -> Response {
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
    #[serde(alias = "field")]
    label: Option<String>,
    view: Option<String>,
    #[serde(default)]
    home: bool,
    value: Option<Value>,
    /// Typed into an external select: the answer lists the app's options, nothing is chosen yet.
    query: Option<String>,
}

pub async fn choices(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = async || {
        let c: Choice = parse(&body)?;
        let wanted =
            c.action_id.as_deref().or(c.label.as_deref()).ok_or("a choice needs `field`, `label` or `action_id`")?;
        let spot = match (&c.channel, &c.ts) {
            (Some(channel), Some(ts)) => Spot::Message(channel, ts),
            _ => of_view(c.view.as_deref(), c.home),
        };
        if let Some(typed) = &c.query {
            return forms::suggest(&workspace, &c.r#as, wanted, typed, &spot).await;
        }
        let value = c.value.as_ref().ok_or("a choice needs `value`, or `query` to see the options")?;
        match spot {
            Spot::Message(channel, ts) => acts::choose(&workspace, &c.r#as, channel, ts, wanted, value).await,
            Spot::Form | Spot::Home | Spot::View(_) => {
                forms::act(&workspace, &c.r#as, wanted, Some(value), &spot).await
            }
        }
    };
    reply(act().await)
}

fn of_view(view: Option<&str>, home: bool) -> Spot<'_> {
    match view {
        Some(id) => Spot::View(id),
        None if home => Spot::Home,
        None => Spot::Form,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shortcut {
    r#as: String,
    /// Its callback id, or its name.
    callback_id: String,
    /// The message on which it is used.
    channel: Option<String>,
    ts: Option<String>,
}

pub async fn shortcuts(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = async || {
        let s: Shortcut = parse(&body)?;
        let on = s.channel.as_deref().zip(s.ts.as_deref());
        if on.is_none() && (s.channel.is_some() || s.ts.is_some()) {
            return Err("a message is named by `channel` and `ts`".to_owned());
        }
        shortcuts::invoke(&workspace, &s.r#as, &s.callback_id, on).await
    };
    reply(act().await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Home {
    r#as: String,
}

pub async fn open_home(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    reply(parse(&body).and_then(|h: Home| home::open(&workspace, &h.r#as)))
}
