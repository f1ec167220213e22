//! views.open, push, update and publish.

use serde_json::{Value, json};

use super::Answer;
use crate::playground::slack::args::{ApiError, Args};
use crate::playground::slack::workspace::Workspace;

pub fn open(workspace: &Workspace, args: &Args) -> Answer {
    show(workspace, args, false)
}

pub fn push(workspace: &Workspace, args: &Args) -> Answer {
    show(workspace, args, true)
}

fn show(workspace: &Workspace, args: &Args, push: bool) -> Answer {
    let trigger = args.required("trigger_id", "invalid_arguments")?;
    let view = view(args)?;
    let mut world = workspace.world();
    let user = world.spend_trigger(trigger, &workspace.settings)?;
    Ok(json!({ "view": world.open_view(&user, view, push)? }))
}

pub fn update(workspace: &Workspace, args: &Args) -> Answer {
    let view = view(args)?;
    let mut world = workspace.world();
    let id = match (args.text("view_id"), args.text("external_id")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(external)) => world.view_by_external_id(external).ok_or_else(|| ApiError::new("not_found"))?,
        (None, None) => {
            let message = "either view_id or external_id is required [json-pointer:/view_id]".to_owned();
            return Err(ApiError::with("invalid_arguments", vec![message]));
        }
    };
    Ok(json!({ "view": world.update_view(&id, view, args.text("hash"))? }))
}

pub fn publish(workspace: &Workspace, args: &Args) -> Answer {
    let user = args.required("user_id", "invalid_arguments")?;
    let view = view(args)?;
    let mut world = workspace.world();
    if !world.people.iter().any(|p| p.id == user && !p.is_bot()) {
        let message = format!("no such user: {user} [json-pointer:/user_id]");
        return Err(ApiError::with("invalid_arguments", vec![message]));
    }
    Ok(json!({ "view": world.publish_home(user, view, args.text("hash"))? }))
}

fn view(args: &Args) -> Result<Value, ApiError> {
    args.json("view", "invalid_arguments")?
        .ok_or_else(|| ApiError::with("invalid_arguments", vec!["missing required field: view".to_owned()]))
}
