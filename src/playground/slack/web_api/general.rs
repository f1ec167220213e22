//! auth.test, apps.connections.open, user groups and users.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Answer;
use crate::playground::slack::args::{ApiError, Args};
use crate::playground::slack::workspace::Workspace;
use crate::playground::slack::{APP_ID, BOT_ID, BOT_USER, TEAM};

pub fn auth_test(workspace: &Workspace) -> Answer {
    Ok(json!({
        "url": format!("{}/", workspace.base()), "team": "Muster", "user": "muster", "team_id": TEAM,
        "user_id": BOT_USER, "bot_id": BOT_ID, "is_enterprise_install": false,
    }))
}

pub fn connections_open(workspace: &Arc<Workspace>) -> Answer {
    let socket = workspace.base().replacen("http://", "ws://", 1);
    Ok(json!({ "url": format!("{socket}/link/?ticket={}&app_id={APP_ID}", workspace.hub.ticket()) }))
}

pub fn usergroups_list(workspace: &Workspace, args: &Args) -> Answer {
    let with_users = args.flag("include_users");
    Ok(json!({ "usergroups": workspace.world().groups.iter().map(|g| g.json(with_users)).collect::<Vec<Value>>() }))
}

pub fn usergroups_users_list(workspace: &Workspace, args: &Args) -> Answer {
    let id = args.required("usergroup", "invalid_arguments")?;
    let world = workspace.world();
    let group = world.groups.iter().find(|g| g.id == id).ok_or_else(|| ApiError::new("no_such_subteam"))?;
    Ok(json!({ "users": group.users }))
}

pub fn users_info(workspace: &Workspace, args: &Args) -> Answer {
    let id = args.required("user", "user_not_found")?;
    let world = workspace.world();
    Ok(json!({ "user": world.person(id).ok_or_else(|| ApiError::new("user_not_found"))?.json() }))
}

/// Slack does not find people of other organisations by e-mail.
pub fn users_lookup(workspace: &Workspace, args: &Args) -> Answer {
    let email = args.required("email", "invalid_arguments")?;
    let world = workspace.world();
    let found = world.people.iter().find(|p| p.team == TEAM && !p.is_bot() && p.email() == email);
    Ok(json!({ "user": found.ok_or_else(|| ApiError::new("users_not_found"))?.json() }))
}
