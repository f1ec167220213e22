//! What people do: type, click, choose. Each act becomes the payload that Slack would send, and what comes back is
//! shown to that person. Forms have their own file.
//!
//! Slack's rules kept here: a slash command works in channels and direct messages, not in threads, and not for people
//! of another organisation; buttons work for everybody who sees them; a mention reaches the app only where the bot is
//! a member.

use std::sync::Arc;

use serde_json::{Value, json};

use super::forms::{self, Place, Spot, fields, options};
use super::message::Message;
use super::payloads::{self, Means};
use super::people::Person;
use super::response_url;
use super::socket::Outcome;
use super::workspace::Workspace;
use super::world::World;
use super::{BOT_USER, TEAM, mrkdwn};

/// The slash command of the installed app.
pub const COMMAND: &str = "/runbook";

/// One clear sentence for whoever made a person act in a way that Slack would not allow.
pub type Refusal = String;

/// A person sends what stands in the composer: a slash command, a mention or plain words.
pub async fn say(
    workspace: &Arc<Workspace>,
    who: &str,
    channel: &str,
    text: &str,
    thread: Option<&str>,
) -> Result<Value, Refusal> {
    let (person, channel) = present(&workspace.world(), who, channel)?;
    let text = text.trim();
    if text.is_empty() {
        return Err("nothing was typed".to_owned());
    }
    match text.strip_prefix('/') {
        Some(_) => slash(workspace, &person, &channel, text, thread).await,
        None => Ok(message(workspace, &person, &channel, text, thread)?),
    }
}

async fn slash(
    workspace: &Arc<Workspace>,
    person: &Person,
    channel: &str,
    text: &str,
    thread: Option<&str>,
) -> Result<Value, Refusal> {
    let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let refused = |shown: String| {
        let said = workspace.slack_says(channel, person.id, &shown);
        json!({ "kind": "slash", "acked": false, "shown": shown, "ts": said["ts"] })
    };
    if thread.is_some() {
        return Ok(refused(format!(
            "{command} is not supported in threads. Sorry! Type it in the channel, or mention @muster here."
        )));
    }
    // Slash commands belong to the workspace in which the app is installed.
    if command != COMMAND || person.team != TEAM {
        return Ok(refused(format!("{command} is not a valid command.")));
    }
    let (payload, marker) = {
        let mut world = workspace.world();
        let escaped = mrkdwn::escape_typed(&world, rest.trim(), true);
        let trigger_id = world.new_trigger(person.id);
        let response_url = world.new_response_url(&workspace.base(), "commands", channel, person.id, None);
        let means = Means { trigger_id: &trigger_id, response_url: &response_url };
        let payload = payloads::slash(&world, person, channel, command, &escaped, &means);
        (payload, world.next_ts())
    };
    match workspace.deliver("slash_commands", command, &payload, None).await {
        Outcome::Acked(answer) => {
            if let Some(answer) = &answer {
                workspace.world().keep_body("ack", answer.clone());
            }
            let spoken = answer.as_ref().and_then(response_url::spoken);
            let shown = spoken.as_ref().map(|(text, ..)| text.clone());
            if let Some((text, blocks, in_channel)) = spoken {
                response_url::say(&mut workspace.world(), channel, person.id, None, in_channel, text, blocks);
            }
            workspace.changed();
            Ok(json!({ "kind": "slash", "acked": true, "shown": shown, "ts": marker }))
        }
        Outcome::TimedOut => Ok(refused(format!("{command} failed with the error \"operation_timeout\""))),
        Outcome::NoConnection => Ok(refused(format!("{command} failed with the error \"dispatch_failed\""))),
    }
}

/// A plain message; if it mentions the bot, the app hears of it.
fn message(
    workspace: &Arc<Workspace>,
    person: &Person,
    channel: &str,
    text: &str,
    thread: Option<&str>,
) -> Result<Value, Refusal> {
    let mut world = workspace.world();
    let root = match thread {
        Some(ts) => {
            let message = world.message(channel, ts).ok_or_else(|| format!("no thread `{ts}` in this channel"))?;
            Some(message.root_ts().to_owned())
        }
        None => None,
    };
    let mut message = Message::new(world.next_ts(), channel, person.id);
    message.text = mrkdwn::escape_typed(&world, text, false);
    message.thread_ts = root;
    world.messages.push(message.clone());
    let mentioned = message.text.contains(&format!("<@{BOT_USER}>"));
    let heard = mentioned && world.is_member(channel, BOT_USER) && !world.faults.removed_from(channel);
    let event_id = world.next_id("Ev0");
    drop(world);
    workspace.changed();
    if heard {
        workspace.deliver_event("app_mention", payloads::app_mention(&message, person, &event_id));
    }
    Ok(json!({ "kind": if mentioned { "mention" } else { "message" }, "ts": message.ts,
        "thread_ts": message.thread_ts, "heard": heard }))
}

/// A person presses a button: by its label, its action id, or `block id/action id`. `stale`: one that an edit has taken
/// away, which a screen that has not been refreshed still shows.
pub async fn click(
    workspace: &Arc<Workspace>,
    who: &str,
    channel: &str,
    ts: &str,
    wanted: &str,
    stale: bool,
) -> Result<Value, Refusal> {
    let (person, message, block_id, element) = {
        let world = workspace.world();
        let (person, channel) = present(&world, who, channel)?;
        let message = seen(&world, &person, &channel, ts)?;
        let buttons = if stale { message.gone() } else { message.elements() };
        let buttons: Vec<(String, Value)> = buttons.into_iter().filter(|(_, e)| e["type"] == "button").collect();
        let called = |(block_id, e): &&(String, Value)| {
            e["text"]["text"] == wanted || e["action_id"] == wanted || forms::is_exactly(wanted, block_id, e)
        };
        let Some((block_id, element)) = buttons.iter().find(called).cloned() else {
            let labels: Vec<String> =
                buttons.iter().filter_map(|(_, e)| e["text"]["text"].as_str()).map(quoted).collect();
            let has = if labels.is_empty() { "no buttons".to_owned() } else { labels.join(", ") };
            return Err(format!("no button `{wanted}` in this message; it has {has}"));
        };
        (person, message, block_id, element)
    };
    act(workspace, &person, &message, &block_id, &element, None).await
}

/// A person picks an option of a menu in a message.
pub async fn choose(
    workspace: &Arc<Workspace>,
    who: &str,
    channel: &str,
    ts: &str,
    wanted: &str,
    value: &Value,
) -> Result<Value, Refusal> {
    let spot = Spot::Message(channel, ts);
    options::ensure_offered(workspace, who, wanted, value, &spot).await?;
    let (seen, picked) = {
        let world = workspace.world();
        let seen = forms::find(&world, who, wanted, &spot)?;
        let picked = fields::picked(&world, &seen.element, value, &seen.offered(&world))?;
        (seen, picked)
    };
    let Place::Message(message) = &seen.place else { return Err("this is no message".to_owned()) };
    act(workspace, &seen.person, message, &seen.block_id, &seen.element, Some(&picked)).await
}

async fn act(
    workspace: &Arc<Workspace>,
    person: &Person,
    message: &Message,
    block_id: &str,
    element: &Value,
    picked: Option<&Value>,
) -> Result<Value, Refusal> {
    let (payload, marker) = {
        let mut world = workspace.world();
        let base = workspace.base();
        let trigger_id = world.new_trigger(person.id);
        let response_url = world.new_response_url(&base, "actions", &message.channel, person.id, Some(message));
        let marker = world.next_ts();
        let action = payloads::action(element, block_id, picked, &marker);
        let means = Means { trigger_id: &trigger_id, response_url: &response_url };
        (payloads::block_actions(&world, person, message, &action, &means, &base), marker)
    };
    match workspace.deliver("interactive", "block_actions", &payload, None).await {
        Outcome::Acked(_) => Ok(json!({ "acked": true, "confirm": element["confirm"], "ts": marker })),
        Outcome::TimedOut | Outcome::NoConnection => {
            let shown = "Muster did not respond to your click. Try again in a moment.";
            workspace.slack_says(&message.channel, person.id, shown);
            Ok(json!({ "acked": false, "shown": shown, "ts": marker }))
        }
    }
}

/// The person, if they exist and are in the channel.
pub fn present(world: &World, who: &str, channel: &str) -> Result<(Person, String), Refusal> {
    let person = known(world, who)?;
    let Some(channel) = world.channel_called(channel) else {
        let names: Vec<String> =
            world.channels.iter().filter(|c| c.im.is_none()).map(|c| format!("`#{}`", c.name)).collect();
        return Err(format!("no channel `{channel}`; there are {}", names.join(", ")));
    };
    if !channel.members.contains(person.id) {
        return Err(format!("`@{}` is not in `#{}`", person.name, channel.name));
    }
    Ok((person, channel.id.clone()))
}

pub fn known(world: &World, who: &str) -> Result<Person, Refusal> {
    world.person_called(who).cloned().ok_or_else(|| {
        let names: Vec<String> =
            world.people.iter().filter(|p| !p.is_bot()).map(|p| format!("`@{}`", p.name)).collect();
        format!("nobody is called `{who}`; there are {}", names.join(", "))
    })
}

pub fn seen(world: &World, person: &Person, channel: &str, ts: &str) -> Result<Message, Refusal> {
    let message = world.message(channel, ts).filter(|m| m.only_for.as_deref().is_none_or(|u| u == person.id));
    message.cloned().ok_or_else(|| format!("`@{}` sees no message `{ts}` in this channel", person.name))
}

fn quoted(label: &str) -> String {
    format!("`{label}`")
}
