//! What Slack delivered -> [`Delivery`], with slack-morphism's models.
//!
//! The models drop a few fields and are strict where Slack is not; both are mended on the raw JSON first. Nothing
//! here decides anything: who may do what is asked afresh behind the inbox.

use serde_json::{Value, json};
use slack_morphism::prelude::*;

use crate::domain::{ChatPlatform, Place, Principal};
use crate::ports::{Actor, Delivery, Inbound, Reply, Search};

use super::Identity;
use super::manifest::{RUN, RUN_HERE};
use super::text::{after_mention, unescape};
use super::views;
use crate::message::reference::ActionRef;

/// How the person who did it can be told that it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The acknowledgement itself can carry a sentence.
    Command,
    /// The acknowledgement shows nothing.
    Click,
    /// The acknowledgement can mark a field, the first of the form.
    Form { first_field: Option<String> },
    /// Without an acknowledgement Slack delivers it again.
    Event,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    /// Somebody did something.
    Deed(Box<Delivery>, Kind),
    /// Somebody types into a searched field; what there is to pick is the acknowledgement.
    Asked(Box<Search>),
    /// To be acknowledged with this payload, and nothing else.
    Answer(Value),
    /// Nothing for us; why, for the counter.
    Skip(&'static str),
    /// Ours by its type, but not in a form that we know.
    Unreadable(&'static str),
}

/// `kind` is the envelope's type. `command` is the slash command that is ours, with its slash.
pub(super) fn read(kind: &str, payload: Value, me: &Identity, command: &str) -> Reading {
    match kind {
        "slash_commands" => slash(payload, me, command),
        "interactive" => interaction(payload, me),
        "events_api" => event(payload, me),
        _ => Reading::Skip("unknown_envelope"),
    }
}

fn slash(payload: Value, me: &Identity, command: &str) -> Reading {
    // The model drops it.
    let enterprise = text(&payload["enterprise_id"]);
    let Ok(event) = serde_json::from_value::<SlackCommandEvent>(payload) else {
        return Reading::Unreadable("slash_commands");
    };
    if event.command.value() != command {
        return Reading::Answer(json!({
            "response_type": "ephemeral",
            "text": format!("I answer to `{command}` only: the app's page in Slack lists `{}` by mistake", event.command.value()
                .replace(['<', '>', '&', '`'], "")),
        }));
    }
    let actor = me.actor(event.user_id.value(), Some(event.team_id.value()), enterprise.as_deref());
    let place = me.place(event.channel_id.value(), None);
    let trigger = event.trigger_id.value().clone();
    deed(
        format!("slack:command:{trigger}"),
        Inbound::Command { text: unescape(event.text.as_deref().unwrap_or_default()).trim().to_owned() },
        actor,
        place,
        Some(event.response_url.value().to_string()),
        Some(trigger),
        Kind::Command,
    )
}

fn interaction(mut payload: Value, me: &Identity) -> Reading {
    match payload["type"].as_str() {
        Some("block_actions") => {
            tidy(&mut payload);
            match serde_json::from_value(payload.clone()) {
                Ok(SlackInteractionEvent::BlockActions(event)) => click(event, &payload, me),
                _ => Reading::Unreadable("block_actions"),
            }
        }
        Some("view_submission") => {
            tidy(&mut payload);
            match serde_json::from_value(payload.clone()) {
                Ok(SlackInteractionEvent::ViewSubmission(event)) => views::submission(event, &payload, me),
                _ => Reading::Unreadable("view_submission"),
            }
        }
        Some("block_suggestion") => {
            tidy(&mut payload);
            // Whatever it is, Slack waits for an answer.
            views::search(payload, me).unwrap_or_else(|| Reading::Answer(json!({ "options": [] })))
        }
        Some("view_closed") => Reading::Skip("view_closed"),
        Some("message_action" | "shortcut") if payload["callback_id"] != RUN_HERE && payload["callback_id"] != RUN => {
            Reading::Skip("shortcut")
        }
        Some("message_action") => {
            tidy(&mut payload);
            match serde_json::from_value(payload.clone()) {
                Ok(SlackInteractionEvent::MessageAction(event)) => run_here(event, &payload, me),
                _ => Reading::Unreadable("message_action"),
            }
        }
        Some("shortcut") => {
            tidy(&mut payload);
            match serde_json::from_value(payload.clone()) {
                Ok(SlackInteractionEvent::Shortcut(event)) => {
                    let actor = actor(me, &event.user, &payload);
                    let place = Place::nowhere(&actor.principal, me.tenant());
                    pick(actor, place, event.trigger_id, None)
                }
                _ => Reading::Unreadable("shortcut"),
            }
        }
        _ => Reading::Skip("unknown_interaction"),
    }
}

/// Of the message that a button stands in only its place matters, and the models are strict about the rest. An
/// installation for a whole organisation has no team.
fn tidy(payload: &mut Value) {
    if payload["message"].is_object() {
        let message = &payload["message"];
        let mut kept = json!({ "ts": message["ts"] });
        if message["thread_ts"].is_string() {
            kept["thread_ts"] = message["thread_ts"].clone();
        }
        payload["message"] = kept;
    }
    if payload["view"].is_object() {
        payload["view"]["blocks"] = json!([]);
    }
    if payload["team"].is_null() {
        let team =
            [&payload["user"]["team_id"], &payload["enterprise"]["id"]].into_iter().find(|t| t.is_string()).cloned();
        payload["team"] = json!({ "id": team.unwrap_or(Value::Null) });
    }
}

fn click(event: SlackInteractionBlockActionsEvent, raw: &Value, me: &Identity) -> Reading {
    let Some(user) = &event.user else { return Reading::Unreadable("block_actions") };
    if let Some(SlackView::Modal(modal)) = &event.view {
        return views::choice(&event, modal, user, raw, me);
    }
    let found = event.actions.iter().flatten().find_map(|a| Some((a, a.value.as_deref()?.parse::<ActionRef>().ok()?)));
    let Some((action, reference)) = found else { return Reading::Skip("foreign_button") };
    let channel = event.channel.as_ref().map(|c| c.id.value().clone()).or_else(|| container_channel(&event.container));
    // On the person's own page there is no channel.
    let channel = channel.or_else(|| matches!(event.view, Some(SlackView::Home(_))).then(|| user.id.value().clone()));
    let Some(channel) = channel else { return Reading::Unreadable("block_actions") };
    let message = event.message.as_ref();
    let thread = message.and_then(|m| m.origin.thread_ts.as_ref()).map(|ts| ts.value().clone());
    // A message that only one person sees is not sent along; its place is, but the models drop it.
    let thread = thread.or_else(|| text(&raw["container"]["thread_ts"]));
    let trigger = event.trigger_id.value().clone();
    let key = if trigger.is_empty() {
        let at = action.action_ts.as_ref().map(|ts| ts.value().as_str()).unwrap_or_default();
        let ts = message.map(|m| m.origin.ts.value().as_str()).unwrap_or_default();
        format!("slack:click:{ts}:{}:{at}", user.id.value())
    } else {
        format!("slack:click:{trigger}")
    };
    let ActionRef { verb, run, revision } = reference;
    deed(
        key,
        Inbound::Click { verb, run, revision },
        actor(me, user, raw),
        me.place(&channel, thread),
        event.response_url.as_ref().map(|url| url.value().to_string()),
        Some(trigger).filter(|t| !t.is_empty()),
        Kind::Click,
    )
}

fn container_channel(container: &SlackInteractionActionContainer) -> Option<String> {
    match container {
        SlackInteractionActionContainer::Message(m) => m.channel_id.as_ref().map(|c| c.value().clone()),
        SlackInteractionActionContainer::MessageAttachment(m) => m.channel_id.as_ref().map(|c| c.value().clone()),
        SlackInteractionActionContainer::View(_) => None,
    }
}

/// The shortcut in a message's menu: the run belongs to that message's channel and thread.
fn run_here(event: SlackInteractionMessageActionEvent, raw: &Value, me: &Identity) -> Reading {
    let (Some(channel), Some(message)) = (&event.channel, &event.message) else {
        return Reading::Unreadable("message_action");
    };
    let thread = message.origin.thread_ts.as_ref().unwrap_or(&message.origin.ts).value().clone();
    let place = me.place(channel.id.value(), Some(thread));
    pick(actor(me, &event.user, raw), place, event.trigger_id, Some(event.response_url.value().to_string()))
}

fn pick(actor: Actor, place: Place, trigger: SlackTriggerId, url: Option<String>) -> Reading {
    let trigger = trigger.value().clone();
    deed(format!("slack:shortcut:{trigger}"), Inbound::Pick, actor, place, url, Some(trigger), Kind::Click)
}

pub(super) fn actor(me: &Identity, user: &SlackBasicUserInfo, raw: &Value) -> Actor {
    me.actor(user.id.value(), user.team_id.as_ref().map(|t| t.value().as_str()), enterprise(raw).as_deref())
}

fn event(payload: Value, me: &Identity) -> Reading {
    let raw = payload["event"].clone();
    let enterprise = text(&payload["enterprise_id"]);
    let shared = payload["is_ext_shared_channel"].as_bool() == Some(true);
    if raw["type"] == "app_home_opened" {
        return home_opened(payload, me);
    }
    if raw["type"] != "app_mention" {
        return Reading::Skip("other_event");
    }
    let Ok(callback) = serde_json::from_value::<SlackPushEventCallback>(payload) else {
        return Reading::Unreadable("events_api");
    };
    let SlackEventCallbackBody::AppMention(mention) = callback.event else {
        return if raw["bot_id"].is_string() {
            Reading::Skip("bot_mention")
        } else {
            Reading::Unreadable("app_mention")
        };
    };
    if raw["bot_id"].is_string() || mention.user.value() == &me.bot_user {
        return Reading::Skip("bot_mention");
    }
    // Changing an old message must not run something again.
    if mention.edited.is_some() {
        return Reading::Skip("edited_mention");
    }
    let home = ["user_team", "source_team", "team"].into_iter().find_map(|field| text(&raw[field]));
    // In a channel shared with others a person whose workspace is not named counts as one of theirs.
    let home = home.or_else(|| (!shared).then(|| callback.team_id.value().clone()));
    let text = mention.content.text.as_deref().unwrap_or_default();
    let thread = mention.origin.thread_ts.as_ref().map(|ts| ts.value().clone());
    deed(
        format!("slack:event:{}", callback.event_id.value()),
        Inbound::Mention { text: after_mention(text, &me.bot_user) },
        me.actor(mention.user.value(), home.as_deref(), enterprise.as_deref()),
        me.place(mention.channel.value(), thread),
        None,
        None,
        Kind::Event,
    )
}

/// The person opened the tab in which their own page stands; the other tab is the messages.
fn home_opened(mut payload: Value, me: &Identity) -> Reading {
    let (raw, enterprise) = (payload["event"].clone(), text(&payload["enterprise_id"]));
    if let Some(event) = payload["event"].as_object_mut() {
        // What stood there before, in whatever blocks.
        event.remove("view");
    }
    let Ok(callback) = serde_json::from_value::<SlackPushEventCallback>(payload) else {
        return Reading::Unreadable("app_home_opened");
    };
    let SlackEventCallbackBody::AppHomeOpened(opened) = callback.event else {
        return Reading::Unreadable("app_home_opened");
    };
    if opened.tab.as_deref().is_some_and(|tab| tab != "home") {
        return Reading::Skip("other_tab");
    }
    let home = ["user_team", "team"].into_iter().find_map(|field| text(&raw[field]));
    let home = home.unwrap_or_else(|| callback.team_id.value().clone());
    let actor = me.actor(opened.user.value(), Some(&home), enterprise.as_deref());
    let place = Place::nowhere(&actor.principal, me.tenant());
    deed(format!("slack:event:{}", callback.event_id.value()), Inbound::Home, actor, place, None, None, Kind::Event)
}

pub(super) fn deed(
    key: String,
    inbound: Inbound,
    actor: Actor,
    place: Place,
    url: Option<String>,
    trigger: Option<String>,
    kind: Kind,
) -> Reading {
    let reply =
        Reply { platform: ChatPlatform::Slack, place: place.clone(), person: actor.principal.clone(), url, trigger };
    Reading::Deed(Box::new(Delivery { key, actor, place, inbound, reply }), kind)
}

fn enterprise(raw: &Value) -> Option<String> {
    text(&raw["enterprise"]["id"])
}

pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
}

impl Identity {
    /// The tenant of our people: the enterprise where there is one, else the workspace.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.enterprise.as_deref().unwrap_or(&self.team)
    }

    /// Somebody of our workspace, or a stranger with their own workspace as the tenant, so that no policy of ours can
    /// name them by accident. A person whose workspace is not told is a stranger. `enterprise` is the one that the
    /// delivery names; within an organisation only our own workspace counts as home.
    fn actor(&self, user: &str, team: Option<&str>, enterprise: Option<&str>) -> Actor {
        let home = team.is_some_and(|team| team == self.team || Some(team) == self.enterprise.as_deref())
            && (enterprise.is_none() || self.enterprise.is_none() || enterprise == self.enterprise.as_deref());
        let tenant = if home { self.tenant() } else { team.unwrap_or("unknown") };
        Actor { principal: Principal::slack(tenant, user), foreign: !home }
    }

    pub(super) fn place(&self, channel: &str, thread: Option<String>) -> Place {
        Place { platform: ChatPlatform::Slack, tenant: self.tenant().to_owned(), channel: channel.to_owned(), thread }
    }
}

#[cfg(test)]
mod tests;
