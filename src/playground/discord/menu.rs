//! Commands in the menu of a message.
//!
//! Discord's rules kept here: they work on every message that the person sees and everybody else could, in threads too,
//! whether or not the bot sees the channel. Discord has no command that belongs to no message; who wants one types a
//! slash command without words.

use std::sync::Arc;

use serde_json::{Value, json};

use super::acts::{self, Refusal, known, present, seen, usable};
use super::check::command::MESSAGE;
use super::deliver::{Act, DID_NOT_RESPOND};
use super::interaction::COMMAND;
use super::people::OPS;
use super::workspace::Workspace;
use super::world::World;

/// The names that the simulated Slack gives its shortcuts, and what a person does here in their place.
const ANYWHERE: [&str; 2] = ["run", "Run a runbook"];
const SLASH: &str = "/runbook";

/// The message commands that are registered.
pub fn registered(world: &World) -> Vec<Value> {
    world.commands.values().flatten().filter(|c| c["type"] == MESSAGE).cloned().collect()
}

/// By name, on a message (channel and `ts`) or anywhere.
pub async fn invoke(
    workspace: &Arc<Workspace>,
    who: &str,
    wanted: &str,
    on: Option<(&str, &str)>,
) -> Result<Value, Refusal> {
    let Some((channel, ts)) = on else {
        if ANYWHERE.contains(&wanted) {
            return acts::say(workspace, who, OPS, SLASH, None).await;
        }
        return Err(format!("`{wanted}` is for a message; say which: `channel` and `ts`"));
    };
    let (act, marker) = {
        let mut world = workspace.world();
        let (person, channel) = present(&world, who, channel)?;
        let message = seen(&world, &person, &channel, ts)?;
        let place = message.channel.clone();
        let Some(command) = usable(&world, &person, &place, MESSAGE, wanted) else {
            let names: Vec<String> =
                registered(&world).iter().filter_map(|c| c["name"].as_str()).map(|name| format!("`{name}`")).collect();
            let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(format!("no command `{wanted}` in the menu of a message; there are {has}"));
        };
        if message.only_for.is_some() {
            return Err("a message that only one person sees has no commands".to_owned());
        }
        let shown = world.message_json(&message, &workspace.base());
        let mut data = json!({ "id": command["id"], "name": wanted, "type": MESSAGE, "target_id": message.id });
        data["resolved"]["messages"][&message.id] = shown;
        let about = wanted.to_owned();
        let marker = world.next_id();
        (Act { kind: COMMAND, person, channel: place, data, source: None, before: None, about }, marker)
    };
    let place = act.channel.clone();
    let acked = workspace.deliver(act).await.answered().is_some();
    let mut answer = json!({ "acked": acked, "callback_id": wanted, "ts": marker });
    if !acked {
        let user = known(&workspace.world(), who)?.id;
        workspace.client_says(&place, user, DID_NOT_RESPOND);
        answer["shown"] = json!(DID_NOT_RESPOND);
    }
    workspace.changed();
    Ok(answer)
}
