//! A person opens the App Home: the tab of the app where it shows a view of its own to each person.

use std::sync::Arc;

use serde_json::{Value, json};

use super::TEAM;
use super::acts::{Refusal, known};
use super::payloads;
use super::workspace::Workspace;

/// Opens the tab; the app hears of it (`app_home_opened`) each time, and may publish a view.
pub fn open(workspace: &Arc<Workspace>, who: &str) -> Result<Value, Refusal> {
    let (payload, marker, channel) = {
        let mut world = workspace.world();
        let person = known(&world, who)?;
        if person.team != TEAM {
            return Err(format!("`@{}` is of another organisation, where the app is not installed", person.name));
        }
        let channel = world.im(person.id);
        let (marker, event_id) = (world.next_ts(), world.next_id("Ev0"));
        let view = world.home(person.id).map(super::view::View::json);
        (payloads::app_home_opened(&person, &channel, view, &marker, &event_id), marker, channel)
    };
    workspace.changed();
    workspace.deliver_event("app_home_opened", payload);
    Ok(json!({ "ts": marker, "channel": channel }))
}
