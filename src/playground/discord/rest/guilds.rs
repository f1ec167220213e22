//! Guilds, their roles, channels and members.
//!
//! Source: Discord's reference, "List Guild Members": needs the privileged intent for members, pages of up to 1000 by
//! id. One member can be read without it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::Call;
use super::refused::{Refused, Wrong};
use super::{Answer, ok};
use crate::playground::discord::BOT_USER;
use crate::playground::discord::gateway::GUILD_MEMBERS;
use crate::playground::discord::people::{Channel, Guild, Person, Role};
use crate::playground::discord::workspace::Workspace;
use crate::playground::discord::world::World;

fn guild<'a>(world: &'a World, call: &Call) -> Result<&'a Guild, Refused> {
    world.guild(call.part(1)).ok_or_else(|| Refused::code(10004))
}

pub fn own(workspace: &Arc<Workspace>, _: &Call) -> Answer {
    let world = workspace.world();
    let shown = |g: &Guild| {
        let member = g.member(BOT_USER);
        let has = |r: &&Role| r.id == g.id || member.is_some_and(|m| m.roles.contains(&r.id));
        let permissions = world.roles(g).filter(has).fold(0, |sum, r| sum | r.permissions);
        json!({ "id": g.id, "name": g.name, "icon": null, "banner": null, "owner": false, "features": [],
            "permissions": permissions.to_string() })
    };
    ok(world.guilds.iter().map(shown).collect())
}

pub fn user(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    ok(world.person(call.part(1)).map(Person::json).ok_or_else(|| Refused::code(10013))?)
}

pub fn get(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let guild = guild(&world, call)?;
    let mut shown = world.guild_json(guild);
    if call.flag("with_counts") {
        shown["approximate_member_count"] = json!(guild.members.len());
        shown["approximate_presence_count"] = json!(guild.members.len());
    }
    ok(shown)
}

pub fn roles(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    ok(world.roles(guild(&world, call)?).map(Role::json).collect())
}

pub fn role(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let found = world.roles(guild(&world, call)?).find(|r| r.id == call.part(3)).map(Role::json);
    ok(found.ok_or_else(|| Refused::code(10011))?)
}

/// Without threads.
pub fn channels(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let guild = guild(&world, call)?;
    let here = |c: &&Channel| c.guild.as_deref() == Some(guild.id.as_str()) && !c.is_thread();
    ok(world.channels.iter().filter(here).map(|c| world.channel_json(c)).collect())
}

/// Those that are not archived.
pub fn threads(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let guild = guild(&world, call)?;
    let here = |c: &&Channel| {
        c.guild.as_deref() == Some(guild.id.as_str()) && c.is_thread() && !c.archived && world.sees(&c.id, BOT_USER)
    };
    let threads: Vec<Value> = world.channels.iter().filter(here).map(|c| world.channel_json(c)).collect();
    ok(json!({ "threads": threads, "members": [] }))
}

pub fn members(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let guild = guild(&world, call)?;
    if workspace.settings.privileged & GUILD_MEMBERS == 0 {
        return Err(Refused::code(50001));
    }
    let limit = limit(call, 1, 1000)?;
    let after = call.query("after").unwrap_or("0");
    let mut all: Vec<&str> = guild.members.iter().map(|m| m.user).collect();
    all.sort_by_key(|id| id.parse::<u64>().unwrap_or_default());
    let later = all.into_iter().filter(|id| later(id, after));
    ok(later.take(limit).filter_map(|id| world.member_json(guild, id)).collect())
}

pub fn member(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let guild = guild(&world, call)?;
    let id = if call.part(3) == "@me" { BOT_USER } else { call.part(3) };
    if world.person(id).is_none() {
        return Err(Refused::code(10013));
    }
    ok(world.member_json(guild, id).ok_or_else(|| Refused::code(10007))?)
}

/// Names that begin with the query.
pub fn search(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let guild = guild(&world, call)?;
    let limit = limit(call, 1, 1000)?;
    let query = call.query("query").unwrap_or_default().to_lowercase();
    let begins = |id: &str| {
        let person = world.person(id);
        person.is_some_and(|p| p.name.starts_with(&query) || p.real_name.to_lowercase().starts_with(&query))
    };
    let found = guild.members.iter().filter(|m| begins(m.user)).take(limit);
    ok(found.filter_map(|m| world.member_json(guild, m.user)).collect())
}

/// Whether the id `a` is later than `b`.
pub fn later(a: &str, b: &str) -> bool {
    a.parse::<u64>().unwrap_or_default() > b.parse::<u64>().unwrap_or_default()
}

/// The query's `limit`, from 1 to `max`.
pub fn limit(call: &Call, usual: usize, max: usize) -> Result<usize, Refused> {
    let Some(text) = call.query("limit") else { return Ok(usual) };
    let mut wrong = Wrong::default();
    let number = text.parse::<i64>().map_or(Value::String(text.to_owned()), |n| json!(n));
    wrong.number(&number, "limit", 1, max as i64);
    wrong.refuse()?;
    Ok(number.as_u64().unwrap_or_default() as usize)
}
