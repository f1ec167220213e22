//! What Discord delivered -> what a person did.
//!
//! Interactions are read from their JSON and with as little as possible: the models of serenity want fields that older
//! and newer Discords leave out, and have no place for some that we need. Nothing here decides anything: who may do what
//! is asked afresh behind the inbox.

use serde_json::Value;

use crate::domain::{ChatPlatform, Place, Principal};
use crate::ports::{Actor, Completing, Delivery, Inbound, Part};

use super::asked::Asked;
use super::commands::{ON, RUN_HERE, RUNBOOK, WITH, WORDS};
use super::custom::{self, PageRef};
use super::form::Inputs;
use super::places;
use super::text::after_mention;
use super::words::{self, Options};

/// How an interaction is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// By a line for the person alone, which later words take the place of. Holds what was asked.
    Command { line: String },
    /// Without a word.
    Click,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    Deed {
        delivery: Box<Delivery>,
        asked: Asked,
        kind: Kind,
        /// A form may be its answer.
        opens: bool,
    },
    /// Somebody types in an option; how it can go on is the answer.
    Completing { asking: Box<Completing>, asked: Asked },
    /// A page of a form is to be opened.
    Page { page: PageRef, person: Person, asked: Asked },
    /// A page of a form was filled in.
    Filled { page: PageRef, person: Person, asked: Asked, inputs: Inputs, from: Source },
    /// Nothing for us; why, for the counter.
    Skip(&'static str),
    /// Ours by its type, but not in a form that we know. The person can be told where there is something to answer.
    Unreadable(Option<Asked>),
}

/// Who did something, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub actor: Actor,
    pub place: Place,
}

/// What a modal was opened from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A message that only this person sees, and that can be changed with the answer.
    Private,
    /// A card.
    Public,
    /// A command.
    Nothing,
}

/// Discord's types of interaction.
const COMMAND: u64 = 2;
const COMPONENT: u64 = 3;
const AUTOCOMPLETE: u64 = 4;
const MODAL: u64 = 5;

/// Flag of a message that only one person sees.
const EPHEMERAL: u64 = 1 << 6;

/// `command` is the slash command that is ours, without its slash.
pub(super) fn interaction(raw: &Value, command: &str) -> Reading {
    let Some(asked) = asked(raw) else { return Reading::Unreadable(None) };
    let read = match raw["type"].as_u64() {
        Some(COMMAND) => invoked(raw, &asked, command),
        Some(AUTOCOMPLETE) => typing(raw, &asked),
        Some(COMPONENT) => pressed(raw, &asked),
        Some(MODAL) => filled(raw, &asked),
        _ => return Reading::Skip("unknown_interaction"),
    };
    read.unwrap_or(Reading::Unreadable(Some(asked)))
}

fn asked(raw: &Value) -> Option<Asked> {
    let text = |key: &str| raw[key].as_str().filter(|t| !t.is_empty()).map(str::to_owned);
    Some(Asked { id: text("id")?, application: text("application_id")?, token: text("token")? })
}

/// Somebody of the guild, or a stranger: Discord names a member only of the guild itself. `guild`: named by the button, for
/// an interaction in a direct message.
fn person(raw: &Value, guild: Option<&str>) -> Option<Person> {
    let in_guild = raw["guild_id"].as_str();
    let user = raw["member"]["user"]["id"].as_str().or_else(|| raw["user"]["id"].as_str())?;
    // Who is no member of the guild that a button names is found out when the guild is asked.
    let home = in_guild.is_some_and(|_| raw["member"].is_object()) || in_guild.is_none() && guild.is_some();
    let tenant = in_guild.or(guild).unwrap_or("unknown");
    let principal = Principal::discord(if home { tenant } else { "unknown" }, user);
    Some(Person { actor: Actor { principal, foreign: !home }, place: place(raw, tenant)? })
}

fn place(raw: &Value, tenant: &str) -> Option<Place> {
    let told = places::spot(&raw["channel"], None);
    let (channel, thread) = match told {
        Some((id, spot)) => match spot.parent {
            Some(parent) => (parent, Some(id)),
            None => (id, None),
        },
        None => (raw["channel_id"].as_str()?.to_owned(), None),
    };
    Some(Place { platform: ChatPlatform::Discord, tenant: tenant.to_owned(), channel, thread })
}

fn deed(person: Person, inbound: Inbound, asked: &Asked, kind: Kind, opens: bool) -> Reading {
    let Person { actor, place } = person;
    let original = matches!(kind, Kind::Command { .. });
    let reply = asked.reply(&place, &actor.principal, original);
    let delivery = Delivery { key: format!("discord:interaction:{}", asked.id), actor, place, inbound, reply };
    Reading::Deed { delivery: Box::new(delivery), asked: asked.clone(), kind, opens }
}

fn invoked(raw: &Value, asked: &Asked, command: &str) -> Option<Reading> {
    let mut person = person(raw, None)?;
    let data = &raw["data"];
    if data["name"] == RUN_HERE {
        let message = data["target_id"].as_str()?;
        if person.place.thread.is_none() {
            person.place.thread = Some(message.to_owned());
        }
        let line = RUN_HERE.to_owned();
        return Some(deed(person, Inbound::Pick, asked, Kind::Command { line }, true));
    }
    let name = data["name"].as_str()?;
    if name != command {
        return Some(Reading::Skip("foreign_command"));
    }
    let (subcommand, given) = options(data);
    let text = words::text(subcommand?, &given);
    let opens = text.is_empty();
    let line = format!("/{command} {}", subcommand.filter(|_| opens).unwrap_or(&text));
    Some(deed(person, Inbound::Command { text }, asked, Kind::Command { line }, opens))
}

/// The subcommand and what was filled in.
fn options(data: &Value) -> (Option<&str>, Options) {
    let Some(subcommand) = data["options"].get(0) else { return (None, Options::new()) };
    let given = subcommand["options"].as_array().into_iter().flatten().filter_map(|option| {
        let text = match &option["value"] {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        Some((option["name"].as_str()?.to_owned(), text))
    });
    (subcommand["name"].as_str(), given.collect())
}

fn typing(raw: &Value, asked: &Asked) -> Option<Reading> {
    let Person { actor, place } = person(raw, None)?;
    let data = &raw["data"];
    let (_, given) = options(data);
    let focused = data["options"][0]["options"].as_array()?.iter().find(|o| o["focused"] == true)?;
    let part = match focused["name"].as_str()? {
        RUNBOOK | WORDS => Part::Runbook,
        WITH => Part::With,
        ON => Part::On,
        _ => return None,
    };
    let of = |name: &str| given.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
    let typed = focused["value"].as_str().unwrap_or_default().to_owned();
    let asking = Completing { actor, place, part, typed, runbook: of(RUNBOOK), with: of(WITH), on: of(ON) };
    Some(Reading::Completing { asking: Box::new(asking), asked: asked.clone() })
}

fn pressed(raw: &Value, asked: &Asked) -> Option<Reading> {
    let custom_id = raw["data"]["custom_id"].as_str()?;
    if let Ok(page) = custom_id.parse::<PageRef>() {
        return Some(Reading::Page { page, person: person(raw, None)?, asked: asked.clone() });
    }
    let Some(pressed) = custom::pressed(custom_id) else { return Some(Reading::Skip("foreign_button")) };
    let mut person = person(raw, pressed.about.as_ref().map(|about| about.guild.as_str()))?;
    if let (None, Some(channel)) = (raw["guild_id"].as_str(), pressed.about.and_then(|about| about.channel)) {
        (person.place.channel, person.place.thread) = (channel, None);
    }
    let (verb, run, revision) = (pressed.action.verb, pressed.action.run, pressed.action.revision);
    let opens = verb.opens_form();
    Some(deed(person, Inbound::Click { verb, run, revision }, asked, Kind::Click, opens))
}

fn filled(raw: &Value, asked: &Asked) -> Option<Reading> {
    let Ok(page) = raw["data"]["custom_id"].as_str()?.parse::<PageRef>() else {
        return Some(Reading::Skip("foreign_modal"));
    };
    let from = match &raw["message"] {
        Value::Object(message) => {
            let flags = message.get("flags").and_then(Value::as_u64).unwrap_or_default();
            if flags & EPHEMERAL == 0 { Source::Public } else { Source::Private }
        }
        _ => Source::Nothing,
    };
    let inputs = Inputs::read(&raw["data"]["components"]);
    Some(Reading::Filled { page, person: person(raw, None)?, asked: asked.clone(), inputs, from })
}

/// A message that mentions the bot, as far as the message itself tells: its channel may be a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    pub id: String,
    pub guild: String,
    pub channel: String,
    pub user: String,
    pub text: String,
}

/// `None`: it is not for us; the reason is for the counter.
pub(super) fn mention(raw: &Value, bot: &str) -> Result<Mention, &'static str> {
    // An ordinary message or a reply; others are made by Discord itself.
    if !matches!(raw["type"].as_u64(), Some(0 | 19)) {
        return Err("system_message");
    }
    if raw["author"]["bot"] == true || !raw["webhook_id"].is_null() || raw["author"]["id"] == bot {
        return Err("bot_message");
    }
    let text = raw["content"].as_str().unwrap_or_default();
    // Who answers one of our messages mentions us without writing it, and means the people there.
    let Some(text) = after_mention(text, bot) else { return Err("no_mention") };
    let part = |value: &Value| value.as_str().filter(|t| !t.is_empty()).map(str::to_owned).ok_or("direct_message");
    Ok(Mention {
        id: part(&raw["id"])?,
        guild: part(&raw["guild_id"])?,
        channel: part(&raw["channel_id"])?,
        user: part(&raw["author"]["id"])?,
        text,
    })
}

#[cfg(test)]
mod tests;
