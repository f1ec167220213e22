//! What people do: type, click, choose. Each act becomes what Discord would send, and what comes back is shown to that
//! person. Forms have their own file.
//!
//! Discord's rules kept here: a slash command works in channels, threads and direct messages, for whoever sees the
//! channel; the bot need not see it; a mention reaches the bot only where it sees the channel; a client sends no
//! message of more than 2000 characters.

use std::sync::Arc;

use serde_json::{Value, json};

use super::check::command::CHAT_INPUT;
use super::check::component::{BUTTON, LINK};
use super::deliver::{Act, DID_NOT_RESPOND, FAILED, Outcome};
use super::interaction::{AUTOCOMPLETE, COMMAND, COMPONENT};
use super::message::Message;
use super::people::{Channel, PUBLIC_THREAD, Person};
use super::rest::interactions as responses;
use super::rest::messages::post;
use super::slash::{self, Typed};
use super::workspace::Workspace;
use super::world::World;
use super::{BOT_USER, markdown, permissions, pings, text};

/// One clear sentence for whoever made a person act in a way that Discord would not allow.
pub type Refusal = String;

const MESSAGE_MAX: usize = 2000;

/// A person sends what stands in the composer: a slash command, a mention or plain words.
pub async fn say(
    workspace: &Arc<Workspace>,
    who: &str,
    channel: &str,
    text: &str,
    thread: Option<&str>,
) -> Result<Value, Refusal> {
    let (person, place) = {
        let mut world = workspace.world();
        let (person, channel) = present(&world, who, channel)?;
        let place = match thread {
            Some(ts) => thread_of(workspace, &mut world, &person, &channel, ts)?,
            None => channel,
        };
        (person, place)
    };
    let text = text.trim();
    if text.is_empty() {
        return Err("nothing was typed".to_owned());
    }
    match text.strip_prefix('/') {
        Some(command) => slash(workspace, &person, &place, command).await,
        None => message(workspace, &person, &place, text),
    }
}

/// The thread of this message; a person who replies in one that is not there begins it.
fn thread_of(
    workspace: &Workspace,
    world: &mut World,
    person: &Person,
    channel: &str,
    ts: &str,
) -> Result<String, Refusal> {
    let message = seen(world, person, channel, ts)?;
    let root = world.root_of(&message).to_owned();
    if world.channel(&root).is_some() {
        return Ok(root);
    }
    let parent = world.channel(channel).cloned().ok_or_else(|| format!("no channel `{channel}`"))?;
    if parent.guild.is_none() {
        return Err("a direct message has no threads".to_owned());
    }
    let thread = Channel {
        id: root.clone(),
        kind: PUBLIC_THREAD,
        name: "Thread".to_owned(),
        topic: "",
        parent: Some(parent.id),
        owner: person.id.to_owned(),
        overwrites: Vec::new(),
        auto_archive: 4320,
        ..parent
    };
    world.channels.push(thread.clone());
    workspace.tell_channel(world, "THREAD_CREATE", &thread);
    Ok(root)
}

async fn slash(workspace: &Arc<Workspace>, person: &Person, place: &str, typed: &str) -> Result<Value, Refusal> {
    let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let refused = |shown: String| {
        let said = workspace.client_says(place, person.id, &shown);
        json!({ "kind": "slash", "acked": false, "shown": shown, "ts": said["ts"] })
    };
    let (command, rest) = {
        let world = workspace.world();
        (usable(&world, person, place, CHAT_INPUT, name), markdown::typed(&world, rest.trim()))
    };
    let Some(command) = command else { return Ok(refused(format!("/{name} is no command here"))) };
    let options = match slash::fill(&command, &rest) {
        Typed::Send(options) => options,
        Typed::Refused(sentence) => return Ok(refused(sentence)),
        // What is no command can still be said to the bot.
        Typed::Unregistered => return message(workspace, person, place, &format!("<@{BOT_USER}> {rest}")),
    };
    let mut data = json!({ "id": command["id"], "name": name, "type": CHAT_INPUT, "options": options });
    if !command["guild_id"].is_null() {
        data["guild_id"] = command["guild_id"].clone();
    }
    let marker = workspace.world().next_id();
    let act = Act {
        kind: COMMAND,
        person: person.clone(),
        channel: place.to_owned(),
        data,
        source: None,
        before: None,
        about: format!("/{typed}"),
    };
    match workspace.deliver(act).await {
        Outcome::Answered(response) => {
            let world = workspace.world();
            let spoken = response.message.as_deref().filter(|_| response.kind == responses::MESSAGE);
            let shown = spoken.and_then(|id| world.message(id)).map(|m| text::body(&world, m).join("\n"));
            Ok(json!({ "kind": "slash", "acked": true, "shown": shown, "ts": marker }))
        }
        Outcome::TimedOut | Outcome::NoSession => Ok(refused(DID_NOT_RESPOND.to_owned())),
    }
}

/// The registered command, if it is offered to this person in this place.
pub fn usable(world: &World, person: &Person, place: &str, kind: u64, name: &str) -> Option<Value> {
    let granted = permissions::of(world, place, person.id);
    let guild = world.guild_of(place);
    let command = world.command(guild.map(|g| g.id.as_str()), kind, name)?;
    let context = u64::from(guild.is_none());
    let here = command["contexts"].as_array().is_none_or(|c| c.iter().any(|c| *c == context));
    // No permission suffices for `0`: it is for administrators and the owner.
    let needed = command["default_member_permissions"].as_str().and_then(|p| p.parse::<u64>().ok());
    let owns = guild.is_some_and(|g| g.owner == person.id);
    let may = needed.is_none_or(|needed| owns || (needed != 0 && granted & needed == needed));
    (here && may && granted & permissions::USE_APPLICATION_COMMANDS != 0).then(|| command.clone())
}

/// What the bot suggests for the option that is being typed: `text` as it stands in the composer.
pub async fn suggest(workspace: &Arc<Workspace>, who: &str, channel: &str, typed: &str) -> Result<Value, Refusal> {
    let (act, option, before) = {
        let world = workspace.world();
        let (person, place) = present(&world, who, channel)?;
        let typed = typed.strip_prefix('/').ok_or("only slash commands have suggestions")?;
        let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
        let command = usable(&world, &person, &place, CHAT_INPUT, name).ok_or(format!("/{name} is no command here"))?;
        let asked = slash::typing(&command, rest)?;
        let data = json!({ "id": command["id"], "name": name, "type": CHAT_INPUT, "options": asked.options });
        let about = format!("/{typed}");
        // A choice takes the place of the whole value.
        let before = about[..about.len() - rest.len() + asked.before].to_owned();
        let act = Act { kind: AUTOCOMPLETE, person, channel: place, data, source: None, before: None, about };
        (act, asked.option, before)
    };
    match workspace.deliver(act).await {
        Outcome::Answered(response) => {
            let shown = |c: &Value| json!({ "text": { "type": "plain_text", "text": c["name"] }, "value": c["value"] });
            let options: Vec<Value> = response.data["choices"].as_array().into_iter().flatten().map(shown).collect();
            Ok(json!({ "options": options, "option": option, "before": before }))
        }
        Outcome::TimedOut | Outcome::NoSession => {
            Ok(json!({ "ok": false, "options": [], "option": option, "error": "Loading options failed" }))
        }
    }
}

/// A plain message; if it mentions the bot, the bot hears what it says.
fn message(workspace: &Arc<Workspace>, person: &Person, place: &str, typed: &str) -> Result<Value, Refusal> {
    let mut world = workspace.world();
    let content = markdown::typed(&world, typed);
    if content.chars().count() > MESSAGE_MAX {
        drop(world);
        let shown = format!("Your message is too long. Messages are limited to {MESSAGE_MAX} characters.");
        let said = workspace.client_says(place, person.id, &shown);
        return Ok(json!({ "kind": "message", "acked": false, "heard": false, "shown": shown, "ts": said["ts"] }));
    }
    let mut message = Message::new(world.next_id(), place, person.id);
    let pings = pings::of(&world, place, person.id, &content, &Value::Null);
    message.content = content;
    (message.mentions, message.mention_roles, message.mention_everyone) = (pings.users, pings.roles, pings.everyone);
    let mentioned = message.mentions.iter().any(|id| id == BOT_USER);
    let heard = mentioned && world.sees(place, BOT_USER);
    let root = world.channel(place).filter(|c| c.is_thread()).map(|c| c.id.clone());
    let id = message.id.clone();
    post(workspace, &mut world, message);
    drop(world);
    workspace.changed();
    Ok(json!({ "kind": if mentioned { "mention" } else { "message" }, "ts": id, "thread_ts": root, "heard": heard }))
}

/// A person presses a button: by its label or its custom id. `stale`: one that an edit has taken away; the press came
/// before the edit and reaches the bot behind it.
pub async fn click(
    workspace: &Arc<Workspace>,
    who: &str,
    channel: &str,
    ts: &str,
    wanted: &str,
    stale: bool,
) -> Result<Value, Refusal> {
    let (person, message, button) = {
        let world = workspace.world();
        let (person, channel) = present(&world, who, channel)?;
        let message = seen(&world, &person, &channel, ts)?;
        let all = if stale { message.gone() } else { message.elements() };
        let buttons: Vec<Value> = all.into_iter().filter(|e| e["type"] == BUTTON && e["style"] != LINK).collect();
        let called = |e: &&Value| e["label"] == wanted || e["custom_id"] == wanted;
        let Some(button) = buttons.iter().find(called).cloned() else {
            let labels: Vec<String> = buttons.iter().filter_map(|e| e["label"].as_str()).map(quoted).collect();
            let has = if labels.is_empty() { "no buttons".to_owned() } else { labels.join(", ") };
            return Err(format!("no button `{wanted}` in this message; it has {has}"));
        };
        if button["disabled"] == true {
            return Err(format!("the button `{wanted}` cannot be pressed now"));
        }
        (person, message, button)
    };
    let data = json!({ "id": button["id"], "custom_id": button["custom_id"], "component_type": BUTTON });
    use_component(workspace, &person, message, data).await
}

/// A person picks in a menu of a message.
pub async fn choose(
    workspace: &Arc<Workspace>,
    who: &str,
    channel: &str,
    ts: &str,
    wanted: &str,
    value: &Value,
) -> Result<Value, Refusal> {
    let (person, message, data) = {
        let world = workspace.world();
        let (person, channel) = present(&world, who, channel)?;
        let message = seen(&world, &person, &channel, ts)?;
        let called = |e: &Value| e["custom_id"] == wanted || e["placeholder"] == wanted;
        let menu = message.elements().into_iter().find(|e| e["type"] != BUTTON && called(e));
        let menu = menu.ok_or_else(|| format!("no menu `{wanted}` in this message"))?;
        let values = super::forms::picked(&world, &menu, value)?;
        let kind = menu["type"].as_u64().unwrap_or_default();
        let mut data =
            json!({ "id": menu["id"], "custom_id": menu["custom_id"], "component_type": kind, "values": values });
        data["resolved"] = super::payloads::resolved(&world, &message.channel, kind, &values);
        (person, message, data)
    };
    use_component(workspace, &person, message, data).await
}

async fn use_component(
    workspace: &Arc<Workspace>,
    person: &Person,
    message: Message,
    data: Value,
) -> Result<Value, Refusal> {
    let marker = workspace.world().next_id();
    let channel = message.channel.clone();
    let act = Act {
        kind: COMPONENT,
        person: person.clone(),
        channel: channel.clone(),
        about: data["custom_id"].as_str().unwrap_or_default().to_owned(),
        data,
        source: Some(message),
        before: None,
    };
    if workspace.deliver(act).await.answered().is_some() {
        return Ok(json!({ "acked": true, "confirm": null, "ts": marker }));
    }
    workspace.client_says(&channel, person.id, FAILED);
    Ok(json!({ "acked": false, "shown": FAILED, "ts": marker }))
}

/// The person, if they exist and see the channel.
pub fn present(world: &World, who: &str, channel: &str) -> Result<(Person, String), Refusal> {
    let person = known(world, who)?;
    let Some(channel) = world.channel_called(channel) else {
        let shown = world.channels.iter().filter(|c| c.guild.is_some() && !c.is_thread());
        let names: Vec<String> = shown.map(|c| format!("`#{}`", c.name)).collect();
        return Err(format!("no channel `{channel}`; there are {}", names.join(", ")));
    };
    if !world.sees(&channel.id, person.id) {
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

/// The message in this channel or in one of its threads, as this person sees it.
pub fn seen(world: &World, person: &Person, channel: &str, ts: &str) -> Result<Message, Refusal> {
    let here = |m: &&Message| m.channel == channel || world.outer(&m.channel) == channel;
    let found = world.message(ts).filter(here).filter(|m| m.only_for.as_deref().is_none_or(|u| u == person.id));
    found.cloned().ok_or_else(|| format!("`@{}` sees no message `{ts}` in this channel", person.name))
}

fn quoted(label: &str) -> String {
    format!("`{label}`")
}
