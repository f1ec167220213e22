//! A modal or an App Home as text, with what is typed and picked in it and what is wrong.

use serde_json::{Value, json};

use crate::playground::slack::blocks::Surface;
use crate::playground::slack::message::interactive;
use crate::playground::slack::text;
use crate::playground::slack::view::View;
use crate::playground::slack::world::World;

/// `# Title`, the blocks, `  ! what is wrong` under a field, and the buttons of a modal in the last line.
pub fn view(world: &World, view: &View) -> String {
    let mut lines = Vec::new();
    let modal = view.surface == Surface::Modal;
    if modal {
        lines.push(format!("# {}", view.given["title"]["text"].as_str().unwrap_or_default()));
    }
    if let Some(fault) = view.errors.get("") {
        lines.push(format!("  ! {fault}"));
    }
    let state = view.state();
    for block in &view.blocks {
        text::block_lines(world, &filled(world, block, &state), &mut lines);
        if let Some(fault) = view.errors.get(block["block_id"].as_str().unwrap_or_default()) {
            lines.push(format!("  ! {fault}"));
        }
    }
    if modal {
        let button = |name: &str| view.given[name]["text"].as_str().map(|t| format!("[{t}]"));
        let close = button("close").unwrap_or_else(|| "[Cancel]".to_owned());
        lines.push([button("submit"), Some(close)].into_iter().flatten().collect::<Vec<_>>().join(" "));
    }
    lines.join("\n")
}

/// The block with its state in place of its initial values.
fn filled(world: &World, block: &Value, state: &Value) -> Value {
    let mut block = block.clone();
    for (block_id, element) in interactive(std::slice::from_ref(&block)) {
        let now = &state[&block_id][element["action_id"].as_str().unwrap_or_default()];
        if now.is_null() {
            continue;
        }
        let mut filled = element.clone();
        for name in ["initial_value", "initial_option", "initial_options", "shown"] {
            filled[name] = Value::Null;
        }
        for (name, value) in now.as_object().into_iter().flatten() {
            match name.as_str() {
                "value" => filled["initial_value"] = value.clone(),
                "selected_option" => filled["initial_option"] = value.clone(),
                "selected_options" => filled["initial_options"] = value.clone(),
                "selected_user" | "selected_users" | "selected_conversation" | "selected_channel" => {
                    filled["shown"] = json!(names(world, value));
                }
                "selected_date" | "selected_time" => filled["shown"] = value.clone(),
                _ => {}
            }
        }
        let places = [block.pointer("/element"), block.pointer("/accessory")].map(|e| e == Some(&element));
        match places {
            [true, _] => block["element"] = filled,
            [_, true] => block["accessory"] = filled,
            [false, false] => {
                for listed in block["elements"].as_array_mut().into_iter().flatten().filter(|e| **e == element) {
                    *listed = filled.clone();
                }
            }
        }
    }
    block
}

/// People and channels by their names.
fn names(world: &World, ids: &Value) -> String {
    let name = |id: &str| {
        let person = world.person(id).map(|p| format!("@{}", p.name));
        person.or_else(|| world.channel(id).map(|c| format!("#{}", c.name))).unwrap_or_else(|| id.to_owned())
    };
    match ids {
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(name).collect::<Vec<_>>().join(", "),
        one => one.as_str().map(name).unwrap_or_default(),
    }
}
