//! A modal as text, and in the shape in which the simulated Slack shows its views: the page and the player read both.

use serde_json::{Value, json};

use super::{Field, Modal};
use crate::playground::discord::check::component::{CHANNEL_SELECT, STRING_SELECT, TEXT_INPUT};
use crate::playground::discord::world::World;

/// `# Title`, the fields, `  ! what is wrong` under a field, and the buttons in the last line.
pub fn text(world: &World, modal: &Modal) -> String {
    let mut lines = vec![format!("# {}", modal.title)];
    if let Some(fault) = modal.errors.get("") {
        lines.push(format!("  ! {fault}"));
    }
    for part in modal.components.iter().filter(|p| p["content"].is_string()) {
        crate::playground::discord::text::markup(world, part["content"].as_str().unwrap_or_default(), &mut lines);
    }
    for field in modal.fields() {
        let optional = if field.required() { "" } else { " (optional)" };
        lines.push(format!("{}{optional}: {}", field.label, input(world, modal, &field)));
        if let Some(fault) = modal.errors.get(field.id()) {
            lines.push(format!("  ! {fault}"));
        }
    }
    lines.push("[Submit] [Cancel]".to_owned());
    lines.join("\n")
}

fn input(world: &World, modal: &Modal, field: &Field) -> String {
    let values = modal.values.get(field.id()).map_or(&[][..], Vec::as_slice);
    if field.input["type"] == TEXT_INPUT {
        let typed = values.first().map_or("", String::as_str);
        return if typed.is_empty() { "[        ]".to_owned() } else { format!("[{typed}]") };
    }
    let shown: Vec<String> = values.iter().map(|v| named(world, &field.input, v)).collect();
    let placeholder = field.input["placeholder"].as_str().filter(|p| !p.is_empty()).unwrap_or("choose");
    format!("[{} ▾]", if shown.is_empty() { placeholder.to_owned() } else { shown.join(", ") })
}

fn named(world: &World, input: &Value, value: &str) -> String {
    let option = input["options"].as_array().into_iter().flatten().find(|o| o["value"] == value);
    if let Some(label) = option.and_then(|o| o["label"].as_str()) {
        return label.to_owned();
    }
    let person = world.person(value).map(|p| format!("@{}", p.name));
    let channel = || world.channel(value).map(|c| format!("#{}", c.name));
    let role = || world.role(value).map(|r| format!("@{}", r.name));
    person.or_else(channel).or_else(role).unwrap_or_else(|| value.to_owned())
}

fn plain(text: &Value) -> Value {
    json!({ "type": "plain_text", "text": text.as_str().unwrap_or_default() })
}

pub fn option(option: &Value) -> Value {
    let mut shown = json!({ "text": plain(&option["label"]), "value": option["value"] });
    if option["description"].is_string() {
        shown["description"] = plain(&option["description"]);
    }
    shown
}

/// The modal with a block for each field.
pub fn view(world: &World, modal: &Modal) -> Value {
    let mut values = json!({});
    let mut blocks = Vec::new();
    for part in modal.components.iter().filter(|p| p["content"].is_string()) {
        blocks.push(json!({ "type": "section", "text": plain(&part["content"]) }));
    }
    for field in modal.fields() {
        let (id, now) = (field.id(), modal.values.get(field.id()).cloned().unwrap_or_default());
        let (element, value) = element(world, &field, &now);
        values[id][id] = value;
        let mut block = json!({ "type": "input", "block_id": id, "optional": !field.required(), "element": element,
            "label": { "type": "plain_text", "text": field.label } });
        let label = modal.components.iter().find(|p| p["component"]["custom_id"] == id);
        if let Some(hint) = label.map(|l| &l["description"]).filter(|d| d.is_string()) {
            block["hint"] = plain(hint);
        }
        blocks.push(block);
    }
    json!({
        "id": modal.id, "type": "modal", "callback_id": modal.custom_id, "blocks": blocks,
        "title": { "type": "plain_text", "text": modal.title }, "submit": { "type": "plain_text", "text": "Submit" },
        "close": { "type": "plain_text", "text": "Cancel" }, "state": { "values": values },
    })
}

/// The field as an element, and what it holds.
fn element(world: &World, field: &Field, now: &[String]) -> (Value, Value) {
    let input = &field.input;
    let placeholder = || input["placeholder"].is_string().then(|| plain(&input["placeholder"]));
    let several = input["max_values"].as_u64().unwrap_or(1) > 1;
    let kind = input["type"].as_u64().unwrap_or_default();
    if kind == TEXT_INPUT {
        let mut element = json!({ "type": "plain_text_input", "multiline": input["style"] == 2 });
        for (name, known) in [("min_length", "min_length"), ("max_length", "max_length"), ("initial_value", "value")] {
            if !input[known].is_null() {
                element[name] = input[known].clone();
            }
        }
        if let Some(text) = placeholder() {
            element["placeholder"] = text;
        }
        element["action_id"] = input["custom_id"].clone();
        return (element, json!({ "type": "plain_text_input", "value": now.first() }));
    }
    // People and channels are offered by name, as the client does.
    let options: Vec<Value> = match kind {
        STRING_SELECT => input["options"].as_array().into_iter().flatten().map(option).collect(),
        CHANNEL_SELECT => {
            let shown = world.channels.iter().filter(|c| c.guild.is_some() && !c.is_thread());
            shown.map(|c| json!({ "text": plain(&json!(format!("#{}", c.name))), "value": c.id })).collect()
        }
        _ => {
            let shown = world.people.iter().filter(|p| !p.is_bot());
            shown.map(|p| json!({ "text": plain(&json!(p.real_name)), "value": p.id })).collect()
        }
    };
    let chosen: Vec<&Value> = options.iter().filter(|o| now.iter().any(|v| o["value"] == v.as_str())).collect();
    let name = if several { "multi_static_select" } else { "static_select" };
    let value = match several {
        true => json!({ "type": name, "selected_options": chosen }),
        false => json!({ "type": name, "selected_option": chosen.first() }),
    };
    let mut element = json!({ "type": name, "action_id": input["custom_id"], "options": options });
    if several {
        element["max_selected_items"] = input["max_values"].clone();
        element["initial_options"] = json!(chosen);
    } else if let Some(one) = chosen.first() {
        element["initial_option"] = (*one).clone();
    }
    if let Some(text) = placeholder() {
        element["placeholder"] = text;
    }
    (element, value)
}
