//! Shortcuts of the app: in the menu of a message, and in the menu of the composer.
//!
//! Slack's rules kept here: they belong to people of the workspace in which the app is installed; a message shortcut
//! works on every message that the person sees and everybody else could, in threads too, whether or not the bot is a
//! member; a global one has no `response_url`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::TEAM;
use super::acts::{Refusal, known, present, seen};
use super::payloads::{self, Means};
use super::socket::Outcome;
use super::workspace::Workspace;

/// What the app's page at Slack lists: callback id, `message` or `global`, and the name that people read.
pub const SHORTCUTS: &[(&str, &str, &str)] =
    &[("run_here", "message", "Run a runbook here"), ("run", "global", "Run a runbook")];

/// By callback id or name, on a message (channel and `ts`) or anywhere.
pub async fn invoke(
    workspace: &Arc<Workspace>,
    who: &str,
    wanted: &str,
    on: Option<(&str, &str)>,
) -> Result<Value, Refusal> {
    let Some((callback_id, kind, name)) = SHORTCUTS.iter().find(|(id, _, name)| *id == wanted || *name == wanted)
    else {
        let names: Vec<String> = SHORTCUTS.iter().map(|(_, kind, name)| format!("`{name}` ({kind})")).collect();
        return Err(format!("no shortcut `{wanted}`; there are {}", names.join(", ")));
    };
    let (about, payload, marker, shown_in) = {
        let mut world = workspace.world();
        let person = known(&world, who)?;
        if person.team != TEAM {
            return Err(format!("`@{}` is of another organisation, where the app is not installed", person.name));
        }
        match (*kind, on) {
            ("message", None) => return Err(format!("`{name}` is for a message; say which: `channel` and `ts`")),
            ("global", Some(_)) => return Err(format!("`{name}` is not for a message; leave out `channel` and `ts`")),
            ("message", Some((channel, ts))) => {
                let (person, channel) = present(&world, who, channel)?;
                let message = seen(&world, &person, &channel, ts)?;
                if message.only_for.is_some() {
                    return Err("a message that only one person sees has no shortcuts".to_owned());
                }
                let base = workspace.base();
                let (trigger_id, marker) = (world.new_trigger(person.id), world.next_ts());
                let url = world.new_response_url(&base, "app", &channel, person.id, Some(&message));
                let means = Means { trigger_id: &trigger_id, response_url: &url };
                let payload = payloads::message_action(&world, &person, &message, callback_id, &means, &marker, &base);
                ("message_action", payload, marker, Some(channel))
            }
            _ => {
                let (trigger_id, marker) = (world.new_trigger(person.id), world.next_ts());
                ("shortcut", payloads::shortcut(&person, callback_id, &trigger_id, &marker), marker, None)
            }
        }
    };
    let outcome = workspace.deliver("interactive", about, &payload, None).await;
    let acked = matches!(outcome, Outcome::Acked(_));
    let mut answer = json!({ "acked": acked, "callback_id": callback_id, "ts": marker });
    if !acked {
        let sentence = "Muster did not respond to the shortcut. Try again in a moment.";
        answer["shown"] = json!(sentence);
        if let Some(channel) = shown_in {
            let user = known(&workspace.world(), who)?.id;
            workspace.slack_says(&channel, user, sentence);
        }
    }
    workspace.changed();
    Ok(answer)
}
