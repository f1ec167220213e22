//! A person fills the open modal and submits it, picks in it, presses a button in it, or closes it; the same for
//! buttons and menus of the App Home.
//!
//! Slack itself refuses an empty required field before the app hears of anything; so does this.

pub mod fields;
pub mod options;
pub mod show;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::acts::{Refusal, known, seen};
use super::blocks::Surface;
use super::message::{Message, interactive};
use super::payloads;
use super::people::Person;
use super::socket::Outcome;
use super::view::View;
use super::workspace::Workspace;
use super::world::World;
use fields::{picked, wrong};
use options::ensure_offered;
pub use options::suggest;

/// Where a person looks for an element.
#[derive(Debug, Clone, Copy)]
pub enum Spot<'a> {
    /// The modal on top.
    Form,
    /// The App Home.
    Home,
    /// This modal or App Home, by its id.
    View(&'a str),
    /// A message: channel and `ts`.
    Message(&'a str, &'a str),
}

/// An element as a person sees it.
#[derive(Debug)]
pub struct Seen {
    pub person: Person,
    pub place: Place,
    pub block_id: String,
    pub element: Value,
}

#[derive(Debug)]
pub enum Place {
    View(Box<View>),
    Message(Box<Message>),
}

impl Seen {
    pub fn action_id(&self) -> &str {
        self.element["action_id"].as_str().unwrap_or_default()
    }

    /// Under which offers are kept.
    fn key(&self) -> (String, String, String) {
        let place = match &self.place {
            Place::View(view) => view.id.clone(),
            Place::Message(message) => format!("{} {}", message.channel, message.ts),
        };
        (place, self.block_id.clone(), self.action_id().to_owned())
    }

    /// What the app has offered in this element, and what is chosen in it now.
    pub fn offered(&self, world: &World) -> Vec<Value> {
        let mut all = world.offers.get(&self.key()).cloned().unwrap_or_default();
        if let Place::View(view) = &self.place {
            let now = &view.values[&self.block_id][self.action_id()];
            all.extend(now["selected_options"].as_array().into_iter().flatten().cloned());
            all.extend(Some(now["selected_option"].clone()).filter(|o| !o.is_null()));
        }
        all
    }
}

/// By label, block id, action id, button text, placeholder, or exactly by `block id/action id`.
pub fn find(world: &World, who: &str, wanted: &str, spot: &Spot<'_>) -> Result<Seen, Refusal> {
    let (person, place) = match spot {
        Spot::Message(channel, ts) => {
            let (person, channel) = super::acts::present(world, who, channel)?;
            let message = seen(world, &person, &channel, ts)?;
            (person, Place::Message(Box::new(message)))
        }
        Spot::Form | Spot::Home | Spot::View(_) => {
            let (person, view) = open(world, who, spot)?;
            (person, Place::View(Box::new(view)))
        }
    };
    let blocks = match &place {
        Place::View(view) => &view.blocks,
        Place::Message(message) => &message.blocks,
    };
    let same = |text: &Value| text.as_str().is_some_and(|t| t.eq_ignore_ascii_case(wanted));
    let found = interactive(blocks).into_iter().find(|(block_id, e)| {
        let block = blocks.iter().find(|b| b["block_id"] == **block_id).unwrap_or(&Value::Null);
        block_id == wanted
            || e["action_id"] == wanted
            || is_exactly(wanted, block_id, e)
            || e["text"]["text"] == wanted
            || same(&block["label"]["text"])
            || same(&e["placeholder"]["text"])
    });
    let (block_id, element) =
        found.ok_or_else(|| format!("nothing here is called `{wanted}`; there is {}", names(blocks)))?;
    Ok(Seen { person, place, block_id, element })
}

/// Whether `wanted` is `block id/action id`: the one name that two rows of the same buttons do not share.
pub fn is_exactly(wanted: &str, block_id: &str, element: &Value) -> bool {
    let rest = wanted.strip_prefix(block_id).and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|action_id| element["action_id"] == action_id)
}

fn names(blocks: &[Value]) -> String {
    let name = |(block_id, element): (String, Value)| {
        let block = blocks.iter().find(|b| b["block_id"] == *block_id).unwrap_or(&Value::Null);
        let texts = [&block["label"]["text"], &element["text"]["text"], &element["placeholder"]["text"]];
        texts.into_iter().find_map(Value::as_str).map(|t| format!("`{t}`"))
    };
    let names: Vec<String> = interactive(blocks).into_iter().filter_map(name).collect();
    if names.is_empty() { "nothing to fill in or press".to_owned() } else { names.join(", ") }
}

fn open(world: &World, who: &str, spot: &Spot<'_>) -> Result<(Person, View), Refusal> {
    let person = known(world, who)?;
    let (view, what) = match spot {
        Spot::View(id) => (world.views.get(*id).filter(|v| v.user == person.id), "sees no such view"),
        Spot::Home => (world.home(person.id), "has no App Home yet"),
        Spot::Form | Spot::Message(..) => (world.top_view(person.id), "has no open form"),
    };
    let view = view.cloned().ok_or_else(|| format!("`@{}` {what}", person.name))?;
    Ok((person, view))
}

/// Fills the named fields (by label, block id or action id) and submits. The answer carries what is wrong per field.
pub async fn submit(
    workspace: &Arc<Workspace>,
    who: &str,
    values: &Map<String, Value>,
    view: Option<&str>,
) -> Result<Value, Refusal> {
    let spot = view.map_or(Spot::Form, Spot::View);
    for (name, value) in values {
        ensure_offered(workspace, who, name, value, &spot).await?;
    }
    let (person, view, payload) = {
        let mut world = workspace.world();
        let (person, view) = open(&world, who, &spot)?;
        if view.surface == Surface::Home {
            return Err("an App Home is not submitted; press a button in it".to_owned());
        }
        let mut typed = Vec::new();
        for (name, value) in values {
            let seen = find(&world, who, name, &Spot::View(&view.id))?;
            typed.push((picked(&world, &seen.element, value, &seen.offered(&world))?, seen));
        }
        let kept = world.views.get_mut(&view.id).ok_or("the form is gone")?;
        for (value, seen) in typed {
            keep(kept, &seen, value);
        }
        let wrong = wrong(kept, &kept.state());
        kept.errors.clone_from(&wrong);
        if !wrong.is_empty() {
            kept.revision += 1;
            drop(world);
            workspace.changed();
            return Ok(json!({ "ok": false, "errors": wrong, "open": view.id, "by": "slack" }));
        }
        let view = kept.clone();
        let trigger_id = world.new_trigger(person.id);
        let payload = payloads::view_event("view_submission", &person, &view, &trigger_id);
        (person, view, payload)
    };
    let outcome = workspace.deliver("interactive", "view_submission", &payload, None).await;
    let mut world = workspace.world();
    if let Outcome::Acked(Some(answer)) = &outcome {
        world.keep_body("ack", answer.clone());
    }
    let fault = match outcome {
        Outcome::Acked(answer) => world.respond_to_submission(person.id, &view.id, answer.as_ref()).err(),
        Outcome::TimedOut | Outcome::NoConnection => Some("We had some trouble connecting. Try again?".to_owned()),
    };
    if let Some(fault) = fault
        && let Some(view) = world.views.get_mut(&view.id)
    {
        view.errors = BTreeMap::from([(String::new(), fault)]);
        view.revision += 1;
    }
    let errors = world.views.get(&view.id).map(|v| v.errors.clone()).unwrap_or_default();
    let top = world.top_view(person.id).map(|v| v.id.clone());
    drop(world);
    workspace.changed();
    Ok(json!({ "ok": errors.is_empty(), "errors": errors, "open": top, "by": "app" }))
}

/// Remembers what was typed or picked.
fn keep(view: &mut View, seen: &Seen, mut value: Value) {
    value["type"] = seen.element["type"].clone();
    view.values[&seen.block_id][seen.action_id()] = value;
}

/// Closes the modal; the app hears of it if it asked to.
pub async fn close(workspace: &Arc<Workspace>, who: &str, view: Option<&str>) -> Result<Value, Refusal> {
    let payload = {
        let mut world = workspace.world();
        let (person, view) = open(&world, who, &view.map_or(Spot::Form, Spot::View))?;
        world.close_view(person.id, &view.id, false);
        let tell = view.given["notify_on_close"] == true;
        tell.then(|| payloads::view_event("view_closed", &person, &view, ""))
    };
    workspace.changed();
    if let Some(payload) = payload {
        workspace.deliver("interactive", "view_closed", &payload, None).await;
    }
    Ok(json!({ "ok": true }))
}

/// A button or a choice in a modal or in the App Home. Without a value it is a press. Fields of `input` blocks tell the
/// app at once only with `dispatch_action`; the others when the form is submitted.
pub async fn act(
    workspace: &Arc<Workspace>,
    who: &str,
    wanted: &str,
    value: Option<&Value>,
    spot: &Spot<'_>,
) -> Result<Value, Refusal> {
    if let Some(value) = value {
        ensure_offered(workspace, who, wanted, value, spot).await?;
    }
    let (payload, marker) = {
        let mut world = workspace.world();
        let seen = find(&world, who, wanted, spot)?;
        let Place::View(view) = &seen.place else { return Err("a message is not a form".to_owned()) };
        let value = match value {
            Some(value) => Some(picked(&world, &seen.element, value, &seen.offered(&world))?),
            None if seen.element["type"] == "button" => None,
            None => return Err(format!("`{wanted}` is no button; say what to pick in it")),
        };
        let now = world.next_ts();
        let kept = world.views.get_mut(&view.id).ok_or("the form is gone")?;
        if let Some(value) = &value {
            keep(kept, &seen, value.clone());
        }
        let view = kept.clone();
        let quiet = view.block(&seen.block_id).is_some_and(|b| b["type"] == "input" && b["dispatch_action"] != true);
        if quiet {
            drop(world);
            workspace.changed();
            return Ok(json!({ "told": false, "ts": now }));
        }
        let trigger_id = world.new_trigger(seen.person.id);
        let action = payloads::action(&seen.element, &seen.block_id, value.as_ref(), &now);
        (payloads::view_actions(&seen.person, &view, &action, &trigger_id), now)
    };
    let outcome = workspace.deliver("interactive", "block_actions", &payload, None).await;
    workspace.changed();
    Ok(json!({ "told": true, "acked": matches!(outcome, Outcome::Acked(_)), "ts": marker }))
}
