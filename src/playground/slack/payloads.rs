//! The shapes in which Slack tells an app what a person did, as they stand inside the envelopes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::message::Message;
use super::modal::View;
use super::people::Person;
use super::world::World;
use super::{APP_ID, BOT_USER, TEAM};

/// A person did it, here, with these means to answer.
pub struct Means<'a> {
    pub trigger_id: &'a str,
    pub response_url: &'a str,
}

pub fn slash(world: &World, person: &Person, channel: &str, command: &str, text: &str, means: &Means<'_>) -> Value {
    let name = world.channel(channel).map_or("", |c| if c.im.is_some() { "directmessage" } else { &c.name });
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
    json!({
        "token": "playground", "team_id": TEAM, "context_team_id": TEAM, "context_enterprise_id": null,
        "api_app_id": APP_ID, "event": event, "type": "event_callback", "event_id": event_id,
        "event_time": Timestamp::now().as_second(),
        "authorizations": [{ "enterprise_id": null, "team_id": TEAM, "user_id": BOT_USER, "is_bot": true,
            "is_enterprise_install": false }],
        "is_ext_shared_channel": false, "event_context": format!("4-{event_id}"),
    })
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
    let name = world.channel(&message.channel).map_or("", |c| if c.im.is_some() { "directmessage" } else { &c.name });
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

/// A click or a choice inside a modal.
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

/// The person typed `value` into an external select and waits for its options.
pub fn block_suggestion(person: &Person, view: &View, block_id: &str, action_id: &str, value: &str) -> Value {
    let mut payload = frame("block_suggestion", person, "");
    payload["container"] = json!({ "type": "view", "view_id": view.id });
    payload["view"] = view.json();
    payload["action_id"] = json!(action_id);
    payload["block_id"] = json!(block_id);
    payload["value"] = json!(value);
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
