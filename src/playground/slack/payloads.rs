//! The shapes in which Slack tells an app what a person did, as they stand inside the envelopes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::forms::{Place, Seen};
use super::message::Message;
use super::people::Person;
use super::view::View;
use super::world::World;
use super::{APP_ID, BOT_USER, TEAM};

/// A person did it, here, with these means to answer.
pub struct Means<'a> {
    pub trigger_id: &'a str,
    pub response_url: &'a str,
}

pub fn slash(world: &World, person: &Person, channel: &str, command: &str, text: &str, means: &Means<'_>) -> Value {
    let name = channel_name(world, channel);
    json!({
        "token": "playground", "team_id": TEAM, "team_domain": "muster", "channel_id": channel, "channel_name": name,
        "user_id": person.id, "user_name": person.name, "command": command, "text": text, "api_app_id": APP_ID,
        "is_enterprise_install": "false", "response_url": means.response_url, "trigger_id": means.trigger_id,
    })
}

pub fn app_mention(message: &Message, person: &Person, event_id: &str) -> Value {
    let mut event = json!({
        "type": "app_mention", "user": person.id, "ts": message.ts, "event_ts": message.ts,
        "client_msg_id": format!("00000000-0000-4000-8000-{:012}", message.ts.replace('.', "").len()),
        "text": message.text, "team": person.team, "channel": message.channel, "blocks": message.blocks,
    });
    if let Some(root) = &message.thread_ts {
        event["thread_ts"] = json!(root);
    }
    event_callback(event, event_id)
}

/// A person opened the app's own tab. Without a view nothing was ever published for them.
pub fn app_home_opened(person: &Person, channel: &str, view: Option<Value>, now: &str, event_id: &str) -> Value {
    let mut event = json!({
        "type": "app_home_opened", "user": person.id, "channel": channel, "tab": "home", "event_ts": now,
    });
    if let Some(view) = view {
        event["view"] = view;
    }
    event_callback(event, event_id)
}

fn event_callback(event: Value, event_id: &str) -> Value {
    json!({
        "token": "playground", "team_id": TEAM, "context_team_id": TEAM, "context_enterprise_id": null,
        "api_app_id": APP_ID, "event": event, "type": "event_callback", "event_id": event_id,
        "event_time": Timestamp::now().as_second(),
        "authorizations": [{ "enterprise_id": null, "team_id": TEAM, "user_id": BOT_USER, "is_bot": true,
            "is_enterprise_install": false }],
        "is_ext_shared_channel": false, "event_context": format!("4-{event_id}"),
    })
}

fn channel_name<'a>(world: &'a World, channel: &str) -> &'a str {
    world.channel(channel).map_or("", |c| if c.im.is_some() { "directmessage" } else { &c.name })
}

fn user(person: &Person) -> Value {
    json!({ "id": person.id, "username": person.name, "name": person.name, "team_id": person.team })
}

fn frame(kind: &str, person: &Person, trigger_id: &str) -> Value {
    json!({
        "type": kind, "token": "playground", "api_app_id": APP_ID, "trigger_id": trigger_id,
        "team": { "id": TEAM, "domain": "muster" }, "user": user(person), "enterprise": null,
        "is_enterprise_install": false,
    })
}

/// A click or a choice in a message.
pub fn block_actions(
    world: &World,
    person: &Person,
    message: &Message,
    action: &Value,
    means: &Means<'_>,
    base: &str,
) -> Value {
    let ephemeral = message.only_for.is_some();
    let name = channel_name(world, &message.channel);
    let mut payload = frame("block_actions", person, means.trigger_id);
    payload["channel"] = json!({ "id": message.channel, "name": name });
    payload["container"] = json!({
        "type": "message", "message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": ephemeral,
    });
    if let Some(root) = &message.thread_ts {
        payload["container"]["thread_ts"] = json!(root);
    }
    // Slack sends the message itself for public ones only.
    if !ephemeral {
        payload["message"] = world.message_json(message, true, base);
    }
    payload["state"] = json!({ "values": {} });
    payload["response_url"] = json!(means.response_url);
    payload["actions"] = json!([action]);
    payload
}

/// A click or a choice inside a modal or an App Home.
pub fn view_actions(person: &Person, view: &View, action: &Value, trigger_id: &str) -> Value {
    let mut payload = frame("block_actions", person, trigger_id);
    payload["container"] = json!({ "type": "view", "view_id": view.id });
    payload["view"] = view.json();
    payload["actions"] = json!([action]);
    payload
}

pub fn view_event(kind: &str, person: &Person, view: &View, trigger_id: &str) -> Value {
    let mut payload = frame(kind, person, trigger_id);
    payload["view"] = view.json();
    if kind == "view_submission" {
        payload["response_urls"] = json!([]);
    } else {
        payload["is_cleared"] = json!(false);
    }
    payload
}

/// The person typed `value` into an external select and waits for its options. Nothing can be opened or answered by
/// it, so it carries neither trigger nor response URL.
pub fn block_suggestion(world: &World, seen: &Seen, value: &str, base: &str) -> Value {
    let mut payload = frame("block_suggestion", &seen.person, "");
    if let Some(fields) = payload.as_object_mut() {
        fields.remove("trigger_id");
    }
    match &seen.place {
        Place::View(view) => {
            payload["container"] = json!({ "type": "view", "view_id": view.id });
            payload["view"] = view.json();
        }
        Place::Message(message) => {
            let name = channel_name(world, &message.channel);
            payload["channel"] = json!({ "id": message.channel, "name": name });
            payload["container"] = json!({ "type": "message", "message_ts": message.ts,
                "channel_id": message.channel, "is_ephemeral": message.only_for.is_some() });
            payload["message"] = world.message_json(message, true, base);
        }
    }
    payload["action_id"] = json!(seen.action_id());
    payload["block_id"] = json!(seen.block_id);
    payload["value"] = json!(value);
    payload
}

/// A shortcut in the menu of a message.
pub fn message_action(
    world: &World,
    person: &Person,
    message: &Message,
    callback_id: &str,
    means: &Means<'_>,
    now: &str,
    base: &str,
) -> Value {
    let mut payload = frame("message_action", person, means.trigger_id);
    payload["callback_id"] = json!(callback_id);
    payload["action_ts"] = json!(now);
    payload["channel"] = json!({ "id": message.channel, "name": channel_name(world, &message.channel) });
    payload["message_ts"] = json!(message.ts);
    payload["message"] = world.message_json(message, false, base);
    payload["response_url"] = json!(means.response_url);
    payload
}

/// A shortcut that belongs to no message and no channel.
pub fn shortcut(person: &Person, callback_id: &str, trigger_id: &str, now: &str) -> Value {
    let mut payload = frame("shortcut", person, trigger_id);
    payload["callback_id"] = json!(callback_id);
    payload["action_ts"] = json!(now);
    if let Some(fields) = payload.as_object_mut() {
        fields.remove("api_app_id");
    }
    payload
}

/// The `actions[]` entry for `element`, pressed or set to `picked`.
pub fn action(element: &Value, block_id: &str, picked: Option<&Value>, now: &str) -> Value {
    let mut action = json!({
        "type": element["type"], "action_id": element["action_id"], "block_id": block_id, "action_ts": now,
    });
    match element["type"].as_str().unwrap_or_default() {
        "button" => {
            action["text"] = element["text"].clone();
            if element["value"].is_string() {
                action["value"] = element["value"].clone();
            }
            if element["style"].is_string() {
                action["style"] = element["style"].clone();
            }
        }
        _ => {
            if let Some(picked) = picked {
                merge(&mut action, picked);
            }
        }
    }
    action
}

fn merge(into: &mut Value, from: &Value) {
    if let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) {
        into.extend(from.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
}
