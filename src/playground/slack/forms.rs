//! A person fills the open modal and submits it, picks in it, presses a button in it, or closes it.
//!
//! Slack itself refuses an empty required field before the app hears of anything; so does this.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::acts::{Refusal, known};
use super::message::interactive;
use super::modal::View;
use super::payloads;
use super::people::Person;
use super::socket::Outcome;
use super::workspace::Workspace;
use super::world::World;

/// Fills the named fields (by label, block id or action id) and submits. The answer carries what is wrong per field.
pub async fn submit(
    workspace: &Arc<Workspace>,
    who: &str,
    values: &Map<String, Value>,
    view: Option<&str>,
) -> Result<Value, Refusal> {
    let (person, view, payload) = {
        let mut world = workspace.world();
        let (person, view) = open(&world, who, view)?;
        let state = fill(&world, &view, values)?;
        let missing = missing(&view, &state);
        let kept = world.views.get_mut(&view.id).ok_or("the form is gone")?;
        kept.values = state;
        kept.errors.clone_from(&missing);
        kept.revision += 1;
        if !missing.is_empty() {
            drop(world);
            workspace.changed();
            return Ok(json!({ "ok": false, "errors": missing, "open": view.id, "by": "slack" }));
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

/// Closes the modal; the app hears of it if it asked to.
pub async fn close(workspace: &Arc<Workspace>, who: &str, view: Option<&str>) -> Result<Value, Refusal> {
    let payload = {
        let mut world = workspace.world();
        let (person, view) = open(&world, who, view)?;
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

/// A button or a menu with `dispatch_action` inside the modal. Without a value it is a press.
pub async fn act(
    workspace: &Arc<Workspace>,
    who: &str,
    wanted: &str,
    value: Option<&Value>,
    view: Option<&str>,
) -> Result<Value, Refusal> {
    let payload = {
        let mut world = workspace.world();
        let (person, view) = open(&world, who, view)?;
        let (block_id, element) = element(&view, wanted)?;
        let picked = match value {
            Some(value) => Some(picked(&world, &element, value)?),
            None => None,
        };
        let action_id = element["action_id"].as_str().unwrap_or_default().to_owned();
        let kept = world.views.get_mut(&view.id).ok_or("the form is gone")?;
        if let Some(picked) = &picked {
            let mut state = picked.clone();
            state["type"] = element["type"].clone();
            kept.values[&block_id][&action_id] = state;
        }
        let view = kept.clone();
        let now = world.next_ts();
        let trigger_id = world.new_trigger(person.id);
        let action = payloads::action(&element, &block_id, picked.as_ref(), &now);
        payloads::view_actions(&person, &view, &action, &trigger_id)
    };
    let outcome = workspace.deliver("interactive", "block_actions", &payload, None).await;
    workspace.changed();
    Ok(json!({ "acked": matches!(outcome, Outcome::Acked(_)) }))
}

/// The options that the app offers for what was typed into an external select.
pub async fn suggest(
    workspace: &Arc<Workspace>,
    who: &str,
    wanted: &str,
    typed: &str,
    view: Option<&str>,
) -> Result<Value, Refusal> {
    let payload = {
        let world = workspace.world();
        let (person, view) = open(&world, who, view)?;
        let (block_id, element) = element(&view, wanted)?;
        let action_id = element["action_id"].as_str().unwrap_or_default();
        payloads::block_suggestion(&person, &view, &block_id, action_id, typed)
    };
    match workspace.deliver("interactive", "block_suggestion", &payload, None).await {
        Outcome::Acked(Some(answer)) => Ok(json!({ "options": answer["options"] })),
        Outcome::Acked(None) | Outcome::TimedOut | Outcome::NoConnection => Ok(json!({ "options": [] })),
    }
}

fn open(world: &World, who: &str, id: Option<&str>) -> Result<(Person, View), Refusal> {
    let person = known(world, who)?;
    let view = match id {
        Some(id) => world.views.get(id).filter(|v| v.user == person.id),
        None => world.top_view(person.id),
    };
    let view = view.cloned().ok_or_else(|| format!("`@{}` has no open form", person.name))?;
    Ok((person, view))
}

fn element(view: &View, wanted: &str) -> Result<(String, Value), Refusal> {
    let found = interactive(&view.blocks).into_iter().find(|(block_id, e)| {
        let label = view.blocks.iter().find(|b| b["block_id"] == **block_id).map(|b| &b["label"]["text"]);
        block_id == wanted
            || e["action_id"] == wanted
            || e["text"]["text"] == wanted
            || label.and_then(Value::as_str).is_some_and(|l| l.eq_ignore_ascii_case(wanted))
    });
    found.ok_or_else(|| format!("nothing in this form is called `{wanted}`; it has {}", names(view)))
}

fn names(view: &View) -> String {
    let names: Vec<String> =
        inputs(view).map(|b| format!("`{}`", b["label"]["text"].as_str().unwrap_or("?"))).collect();
    if names.is_empty() { "no fields".to_owned() } else { names.join(", ") }
}

fn inputs(view: &View) -> impl Iterator<Item = &Value> {
    view.blocks.iter().filter(|b| b["type"] == "input")
}

/// `state.values`: what was typed before, initial values, and now `values`.
fn fill(world: &World, view: &View, values: &Map<String, Value>) -> Result<Value, Refusal> {
    let mut state = json!({});
    for block in inputs(view) {
        let element = &block["element"];
        let block_id = block["block_id"].as_str().unwrap_or_default();
        let action_id = element["action_id"].as_str().unwrap_or_default();
        let kept = &view.values[block_id][action_id];
        let mut value = if kept.is_object() { kept.clone() } else { initial(element) };
        value["type"] = element["type"].clone();
        state[block_id][action_id] = value;
    }
    for (name, value) in values {
        let (block_id, element) = element(view, name)?;
        let mut picked = picked(world, &element, value)?;
        picked["type"] = element["type"].clone();
        let action_id = element["action_id"].as_str().unwrap_or_default();
        state[&block_id][action_id] = picked;
    }
    Ok(state)
}

fn initial(element: &Value) -> Value {
    match element["type"].as_str().unwrap_or_default() {
        "static_select" | "radio_buttons" | "external_select" => {
            json!({ "selected_option": element["initial_option"] })
        }
        "checkboxes" | "multi_static_select" => {
            let options = element["initial_options"].as_array().cloned().unwrap_or_default();
            json!({ "selected_options": options })
        }
        "users_select" => json!({ "selected_user": element["initial_user"] }),
        "datepicker" => json!({ "selected_date": element["initial_date"] }),
        "timepicker" => json!({ "selected_time": element["initial_time"] }),
        _ => json!({ "value": element["initial_value"] }),
    }
}

/// How `element` reports `value`: options are found by value or by their text.
pub fn picked(world: &World, element: &Value, value: &Value) -> Result<Value, Refusal> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let kind = element["type"].as_str().unwrap_or_default();
    match kind {
        "static_select" | "radio_buttons" | "overflow" => Ok(json!({ "selected_option": option(element, &text)? })),
        "external_select" => Ok(json!({ "selected_option":
            { "text": { "type": "plain_text", "text": text, "emoji": true }, "value": text } })),
        "checkboxes" | "multi_static_select" => {
            let listed: Vec<String> = match value {
                Value::Array(items) => items.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
                _ => text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect(),
            };
            let options: Result<Vec<Value>, Refusal> = listed.iter().map(|t| option(element, t)).collect();
            Ok(json!({ "selected_options": options? }))
        }
        "users_select" => Ok(json!({ "selected_user": known(world, &text)?.id })),
        "datepicker" => Ok(json!({ "selected_date": text })),
        "timepicker" => Ok(json!({ "selected_time": text })),
        _ if text.is_empty() => Ok(json!({ "value": null })),
        _ => Ok(json!({ "value": text })),
    }
}

fn option(element: &Value, wanted: &str) -> Result<Value, Refusal> {
    let grouped = element["option_groups"].as_array().into_iter().flatten();
    let grouped = grouped.flat_map(|g| g["options"].as_array().into_iter().flatten());
    let options: Vec<&Value> = element["options"].as_array().into_iter().flatten().chain(grouped).collect();
    let fits = |o: &&&Value| {
        o["value"] == wanted || o["text"]["text"].as_str().is_some_and(|t| t.eq_ignore_ascii_case(wanted))
    };
    options.iter().find(fits).map(|o| (*o).clone()).ok_or_else(|| {
        let texts: Vec<String> =
            options.iter().filter_map(|o| o["text"]["text"].as_str()).map(|t| format!("`{t}`")).collect();
        format!("no option `{wanted}`; there are {}", texts.join(", "))
    })
}

/// Required fields that are empty, with Slack's own sentence.
fn missing(view: &View, state: &Value) -> BTreeMap<String, String> {
    let mut faults = BTreeMap::new();
    for block in inputs(view) {
        let block_id = block["block_id"].as_str().unwrap_or_default();
        let element = &block["element"];
        let value = &state[block_id][element["action_id"].as_str().unwrap_or_default()];
        let typed = value["value"].as_str().unwrap_or_default();
        let chosen = ["selected_option", "selected_user", "selected_date", "selected_time"]
            .iter()
            .any(|name| !value[*name].is_null());
        let many = value["selected_options"].as_array().is_some_and(|o| !o.is_empty());
        let empty = typed.trim().is_empty() && !chosen && !many;
        let length = typed.chars().count() as u64;
        let fault = if empty && block["optional"] != true {
            "Please complete this required field.".to_owned()
        } else if empty {
            continue;
        } else if element["min_length"].as_u64().is_some_and(|min| length < min) {
            format!("Please use at least {} characters.", element["min_length"])
        } else if element["max_length"].as_u64().is_some_and(|max| length > max) {
            format!("Please use at most {} characters.", element["max_length"])
        } else if element["type"] == "number_input" && typed.parse::<f64>().is_err() {
            "Please enter a number.".to_owned()
        } else {
            continue;
        };
        faults.insert(block_id.to_owned(), fault);
    }
    faults
}
