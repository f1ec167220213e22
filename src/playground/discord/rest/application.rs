//! The application itself: who it is, where its gateway is, and its commands.
//!
//! Source: Discord's reference, "Application Commands": a name and kind stands once in a place; an overwrite keeps the
//! ids of what it replaces; 200 new commands a day and place.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::call::Call;
use super::refused::Refused;
use super::{Answer, Reply, ok};
use crate::playground::discord::check::command::{check_all, check_one, kind_of};
use crate::playground::discord::people::{ARNE, Person};
use crate::playground::discord::workspace::Workspace;
use crate::playground::discord::world::World;
use crate::playground::discord::{APPLICATION, BOT_USER};

const CREATED_A_DAY: u64 = 200;

pub fn gateway(workspace: &Arc<Workspace>, _: &Call) -> Answer {
    ok(json!({ "url": workspace.gateway_url() }))
}

pub fn gateway_bot(workspace: &Arc<Workspace>, _: &Call) -> Answer {
    let limit = json!({ "total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1 });
    ok(json!({ "url": workspace.gateway_url(), "shards": 1, "session_start_limit": limit }))
}

pub fn me(workspace: &Arc<Workspace>, _: &Call) -> Answer {
    let mut user = workspace.world().person(BOT_USER).map(Person::json).unwrap_or_default();
    for (name, value) in [("verified", json!(true)), ("mfa_enabled", json!(true)), ("email", Value::Null)] {
        user[name] = value;
    }
    user["locale"] = json!("en-US");
    user["flags"] = json!(0);
    ok(user)
}

pub fn own(workspace: &Arc<Workspace>, _: &Call) -> Answer {
    let world = workspace.world();
    ok(json!({
        "id": APPLICATION, "name": "Muster", "icon": null, "description": "", "summary": "", "type": null,
        "bot": world.person(BOT_USER).map(Person::json), "owner": world.person(ARNE).map(Person::json), "team": null,
        "bot_public": false, "bot_require_code_grant": false, "is_monetized": false, "is_verified": false,
        "verify_key": "00".repeat(32), "flags": workspace.settings.application_flags(), "hook": true,
        "redirect_uris": [], "interactions_endpoint_url": null, "role_connections_verification_url": null,
        "approximate_guild_count": world.guilds.len(), "approximate_user_install_count": 0,
        "integration_types_config": { "0": {} }, "event_webhooks_status": 1,
    }))
}

/// The place of the commands: a guild, or the empty text for everywhere.
fn place(world: &World, call: &Call) -> Result<String, Refused> {
    if call.part(1) != APPLICATION {
        return Err(Refused::status(StatusCode::FORBIDDEN));
    }
    if call.part(2) != "guilds" {
        return Ok(String::new());
    }
    world.guild(call.part(3)).map(|g| g.id.clone()).ok_or_else(|| Refused::code(50001))
}

pub fn list_commands(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let place = place(&world, call)?;
    ok(json!(world.commands.get(&place).cloned().unwrap_or_default()))
}

pub fn overwrite_commands(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let place = place(&world, call)?;
    let given = call.body.as_array().ok_or_else(|| Refused::code(50035))?;
    check_all(given)?;
    let mut all = Vec::new();
    for command in given {
        let known = existing(&world, &place, command);
        all.push(registered(&mut world, &place, command, known)?);
    }
    world.command_writes += 1;
    world.commands.insert(place, all.clone());
    ok(json!(all))
}

pub fn create_command(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let place = place(&world, call)?;
    check_one(&call.body)?;
    let known = existing(&world, &place, &call.body);
    let replaced = known.is_some();
    let command = registered(&mut world, &place, &call.body, known)?;
    let mut all = world.commands.get(&place).cloned().unwrap_or_default();
    all.retain(|c| c["id"] != command["id"]);
    all.push(command.clone());
    check_all(&all)?;
    world.command_writes += 1;
    world.commands.insert(place, all);
    Ok(Reply::Json(if replaced { StatusCode::OK } else { StatusCode::CREATED }, command))
}

pub fn get_command(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let world = workspace.world();
    let place = place(&world, call)?;
    ok(named(&world, &place, call)?)
}

pub fn edit_command(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let place = place(&world, call)?;
    let known = named(&world, &place, call)?;
    let mut wanted = known.clone();
    for (name, value) in call.body.as_object().into_iter().flatten() {
        wanted[name] = value.clone();
    }
    check_one(&wanted)?;
    let command = registered(&mut world, &place, &wanted, Some(known))?;
    world.command_writes += 1;
    if let Some(all) = world.commands.get_mut(&place) {
        all.iter_mut().filter(|c| c["id"] == command["id"]).for_each(|c| c.clone_from(&command));
    }
    ok(command)
}

pub fn delete_command(workspace: &Arc<Workspace>, call: &Call) -> Answer {
    let mut world = workspace.world();
    let place = place(&world, call)?;
    let known = named(&world, &place, call)?;
    world.command_writes += 1;
    if let Some(all) = world.commands.get_mut(&place) {
        all.retain(|c| c["id"] != known["id"]);
    }
    Ok(Reply::Nothing)
}

fn named(world: &World, place: &str, call: &Call) -> Result<Value, Refused> {
    let wanted = call.path.last().map_or("", String::as_str);
    let found = world.commands.get(place).into_iter().flatten().find(|c| c["id"] == wanted);
    found.cloned().ok_or_else(|| Refused::code(10063))
}

fn existing(world: &World, place: &str, command: &Value) -> Option<Value> {
    let same = |c: &&Value| c["name"] == command["name"] && kind_of(c) == kind_of(command);
    world.commands.get(place)?.iter().find(same).cloned()
}

/// The command as Discord keeps and shows it. Its version is new where anything is.
fn registered(world: &mut World, place: &str, given: &Value, known: Option<Value>) -> Result<Value, Refused> {
    let id = match &known {
        Some(known) => known["id"].clone(),
        None => {
            world.commands_created += 1;
            if world.commands_created > CREATED_A_DAY {
                return Err(Refused::code(30034));
            }
            json!(world.next_id())
        }
    };
    let or = |name: &str, usual: Value| if given[name].is_null() { usual } else { given[name].clone() };
    let mut command = json!({
        "id": id, "application_id": APPLICATION, "type": kind_of(given), "name": given["name"],
        "name_localizations": given["name_localizations"], "description": or("description", json!("")),
        "description_localizations": given["description_localizations"],
        "default_member_permissions": given["default_member_permissions"], "nsfw": or("nsfw", json!(false)),
        "integration_types": or("integration_types", json!([0])), "contexts": given["contexts"],
        "dm_permission": or("dm_permission", json!(true)),
    });
    let options = options(&given["options"]);
    if options.as_array().is_some_and(|o| !o.is_empty()) {
        command["options"] = options;
    }
    if !place.is_empty() {
        command["guild_id"] = json!(place);
    }
    let unchanged = known.as_ref().filter(|known| {
        let mut old = (*known).clone();
        if let Some(fields) = old.as_object_mut() {
            fields.remove("version");
        }
        old == command
    });
    command["version"] = match unchanged {
        Some(known) => known["version"].clone(),
        None => json!(world.next_id()),
    };
    Ok(command)
}

/// Discord leaves out what is unset or usual.
fn options(given: &Value) -> Value {
    let shown = |option: &Value| {
        let mut option = option.clone();
        let inner = options(&option["options"]);
        if let Some(fields) = option.as_object_mut() {
            fields.retain(|name, value| {
                let usual = matches!(name.as_str(), "required" | "autocomplete") && *value == json!(false);
                let empty = value.as_array().is_some_and(Vec::is_empty) && name != "channel_types";
                !value.is_null() && !usual && !empty
            });
            if inner.as_array().is_some_and(|o| !o.is_empty()) {
                fields.insert("options".to_owned(), inner);
            }
        }
        option
    };
    given.as_array().map(|all| all.iter().map(shown).collect()).unwrap_or_default()
}
