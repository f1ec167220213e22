//! What people do.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Shared, parse, reply};
use crate::playground::discord::{acts, forms, menu};

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
struct Suggestion {
    r#as: String,
    channel: String,
    text: String,
}

pub async fn suggestions(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = async || {
        let s: Suggestion = parse(&body)?;
        acts::suggest(&workspace, &s.r#as, &s.channel, &s.text).await
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
    /// Given for buttons of views, which a modal at Discord has none of.
    view: Option<String>,
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
            _ if c.home => Err(NO_HOME.to_owned()),
            _ => match c.view {
                Some(_) => Err("a form at Discord has no buttons but those that submit and close it".to_owned()),
                None => Err("a click needs `channel` and `ts` of its message".to_owned()),
            },
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
            return forms::close(&workspace, &f.r#as, f.view.as_deref());
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
    /// Words that the options must have; nothing is chosen yet.
    query: Option<String>,
}

pub async fn choices(State(workspace): Shared, body: axum::body::Bytes) -> Response {
    let act = async || {
        let c: Choice = parse(&body)?;
        let wanted =
            c.action_id.as_deref().or(c.label.as_deref()).ok_or("a choice needs `field`, `label` or `action_id`")?;
        // The page names a field as `block id/action id`, which are the same here.
        let wanted = wanted.rsplit_once('/').filter(|(block, action)| block == action).map_or(wanted, |(_, id)| id);
        if c.home {
            return Err(NO_HOME.to_owned());
        }
        if let Some(words) = &c.query {
            return forms::search(&workspace.world(), &c.r#as, wanted, words, c.view.as_deref());
        }
        let value = c.value.as_ref().ok_or("a choice needs `value`, or `query` to see the options")?;
        match (&c.channel, &c.ts) {
            (Some(channel), Some(ts)) => acts::choose(&workspace, &c.r#as, channel, ts, wanted, value).await,
            _ => forms::choose(&workspace, &c.r#as, wanted, value, c.view.as_deref()),
        }
    };
    reply(act().await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shortcut {
    r#as: String,
    /// The command's name.
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
        menu::invoke(&workspace, &s.r#as, &s.callback_id, on).await
    };
    reply(act().await)
}

const NO_HOME: &str = "a bot has no page of its own at Discord; type `/runbook` in place of it";

pub async fn open_home(State(_): Shared, _: axum::body::Bytes) -> Response {
    reply(Err(NO_HOME.to_owned()))
}
