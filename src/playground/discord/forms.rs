//! A person fills the open modal and submits it, or closes it.
//!
//! Discord's rules kept here: one modal at a time, which nothing updates; the client itself refuses an empty required
//! field and lengths that do not fit; nobody hears of a choice before the whole is submitted.

pub mod show;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::acts::{Refusal, known};
use super::check::component::{CHANNEL_SELECT, LABEL, ROW, STRING_SELECT, TEXT_INPUT, is_select};
use super::deliver::Act;
use super::interaction::MODAL_SUBMIT;
use super::payloads;
use super::people::Person;
use super::workspace::Workspace;
use super::world::World;

/// What the client shows where nobody takes the form.
const WENT_WRONG: &str = "Something went wrong. Try again.";

#[derive(Debug, Clone)]
pub struct Modal {
    pub id: String,
    pub custom_id: String,
    pub title: String,
    pub components: Vec<Value>,
    channel: String,
    /// The message from which it was opened.
    source: Option<String>,
    before: Value,
    /// What was typed and picked, by custom id.
    pub values: BTreeMap<String, Vec<String>>,
    /// Custom id to what is wrong there; the empty id is the whole form.
    pub errors: BTreeMap<String, String>,
    pub revision: u32,
}

/// One thing to fill in: its label, the input itself.
#[derive(Debug, Clone)]
pub struct Field {
    pub label: String,
    pub input: Value,
}

impl Field {
    pub fn id(&self) -> &str {
        self.input["custom_id"].as_str().unwrap_or_default()
    }

    pub fn required(&self) -> bool {
        self.input["required"] != false
    }

    fn is_called(&self, wanted: &str) -> bool {
        let same = |text: &str| text.eq_ignore_ascii_case(wanted);
        same(&self.label) || self.id() == wanted || self.input["placeholder"].as_str().is_some_and(same)
    }
}

impl Modal {
    pub fn open(id: String, data: &Value, channel: &str, source: Option<String>, before: &Value) -> Self {
        let mut modal = Self {
            id,
            custom_id: data["custom_id"].as_str().unwrap_or_default().to_owned(),
            title: data["title"].as_str().unwrap_or_default().to_owned(),
            components: data["components"].as_array().cloned().unwrap_or_default(),
            channel: channel.to_owned(),
            source,
            before: before.clone(),
            values: BTreeMap::new(),
            errors: BTreeMap::new(),
            revision: 0,
        };
        let mut next = 0;
        for part in &mut modal.components {
            next += 1;
            part["id"] = json!(next);
            let inner =
                if part["type"] == LABEL { part.get_mut("component") } else { part.pointer_mut("/components/0") };
            if let Some(inner) = inner {
                next += 1;
                inner["id"] = json!(next);
            }
        }
        for field in modal.fields() {
            let initial = initial(&field.input);
            modal.values.insert(field.id().to_owned(), initial);
        }
        modal
    }

    pub fn fields(&self) -> Vec<Field> {
        let field = |part: &Value| match part["type"].as_u64() {
            Some(LABEL) => Some((part["label"].clone(), part["component"].clone())),
            Some(ROW) => Some((part["components"][0]["label"].clone(), part["components"][0].clone())),
            _ => None,
        };
        let named =
            |(label, input): (Value, Value)| Field { label: label.as_str().unwrap_or_default().to_owned(), input };
        self.components.iter().filter_map(field).map(named).collect()
    }

    fn field(&self, wanted: &str) -> Result<Field, Refusal> {
        let fields = self.fields();
        fields.iter().find(|f| f.is_called(wanted)).cloned().ok_or_else(|| {
            let names: Vec<String> = fields.iter().map(|f| format!("`{}`", f.label)).collect();
            format!("nothing here is called `{wanted}`; there is {}", names.join(", "))
        })
    }

    /// What is wrong in each field, in the client's words.
    fn wrong(&self) -> BTreeMap<String, String> {
        let fields = self.fields();
        let fault = |f: &Field| Some((f.id().to_owned(), fault(f, self.values.get(f.id())?)?));
        fields.iter().filter_map(fault).collect()
    }

    /// The `components` of a submission.
    fn submitted(&self) -> Vec<Value> {
        let answer = |input: &Value| {
            let values = self.values.get(input["custom_id"].as_str().unwrap_or_default()).cloned().unwrap_or_default();
            let mut answer = json!({ "type": input["type"], "id": input["id"], "custom_id": input["custom_id"] });
            if input["type"] == TEXT_INPUT {
                answer["value"] = json!(values.first().map_or("", String::as_str));
            } else {
                answer["values"] = json!(values);
            }
            answer
        };
        let part = |part: &Value| match part["type"].as_u64() {
            Some(LABEL) => json!({ "type": LABEL, "id": part["id"], "component": answer(&part["component"]) }),
            Some(ROW) => json!({ "type": ROW, "id": part["id"], "components": [answer(&part["components"][0])] }),
            _ => json!({ "type": part["type"], "id": part["id"] }),
        };
        self.components.iter().map(part).collect()
    }
}

fn initial(input: &Value) -> Vec<String> {
    if input["type"] == TEXT_INPUT {
        return input["value"].as_str().map(str::to_owned).into_iter().collect();
    }
    let chosen = input["options"].as_array().into_iter().flatten().filter(|o| o["default"] == true);
    let defaults = input["default_values"].as_array().into_iter().flatten();
    let ids = defaults.filter_map(|d| d["id"].as_str());
    chosen.filter_map(|o| o["value"].as_str()).chain(ids).map(str::to_owned).collect()
}

/// How `input` reports `value`: options by value or label, people and channels by id or name; several as a list or with
/// commas. An empty value takes a choice back.
pub fn picked(world: &World, input: &Value, value: &Value) -> Result<Vec<String>, Refusal> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if value.is_null() || text.is_empty() {
        return Ok(Vec::new());
    }
    let kind = input["type"].as_u64().unwrap_or_default();
    if kind == TEXT_INPUT {
        return Ok(vec![text]);
    }
    let many: Vec<String> = match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        // The label of an option may have a comma in it.
        _ if kind == STRING_SELECT && option(input, &text).is_ok() => vec![text],
        _ => text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect(),
    };
    let one = |wanted: &String| match kind {
        STRING_SELECT => option(input, wanted),
        CHANNEL_SELECT => {
            let found = world.channel_called(wanted).filter(|c| c.guild.is_some());
            found.map(|c| c.id.clone()).ok_or_else(|| format!("no channel `{wanted}`"))
        }
        _ => {
            let role =
                world.guilds.iter().flat_map(|g| world.roles(g)).find(|r| r.name == wanted.trim_start_matches('@'));
            known(world, wanted).map(|p| p.id.to_owned()).or_else(|fault| role.map(|r| r.id.clone()).ok_or(fault))
        }
    };
    many.iter().map(one).collect()
}

fn option(input: &Value, wanted: &str) -> Result<String, Refusal> {
    let options = || input["options"].as_array().into_iter().flatten();
    let same = |o: &&Value| o["label"].as_str().is_some_and(|l| l.eq_ignore_ascii_case(wanted));
    // By value first: the label of one option may be the value of another.
    let found = options().find(|o| o["value"] == wanted).or_else(|| options().find(same));
    found.and_then(|o| o["value"].as_str()).map(str::to_owned).ok_or_else(|| {
        let labels: Vec<String> = options().filter_map(|o| o["label"].as_str()).map(|l| format!("`{l}`")).collect();
        format!("no option `{wanted}`; there are {}", labels.join(", "))
    })
}

fn fault(field: &Field, values: &[String]) -> Option<String> {
    let input = &field.input;
    let number = |name: &str| input[name].as_u64().map(|n| n as usize);
    if values.iter().all(|v| v.trim().is_empty()) {
        let optional = !field.required() || number("min_values") == Some(0);
        return (!optional).then(|| "This is required.".to_owned());
    }
    if is_select(&input["type"]) {
        let (least, most) = (number("min_values").unwrap_or(1), number("max_values").unwrap_or(1));
        return (values.len() < least || values.len() > most).then(|| format!("Select {least} to {most}."));
    }
    let length = values.first().map_or(0, |v| v.chars().count());
    let most = number("max_length").unwrap_or(4000);
    if let Some(least) = number("min_length").filter(|least| length < *least) {
        return Some(format!("Must be at least {least} characters."));
    }
    (length > most).then(|| format!("Must be at most {most} characters."))
}

fn open(world: &World, who: &str, id: Option<&str>) -> Result<(Person, Modal), Refusal> {
    let person = known(world, who)?;
    let modal = world.modals.get(person.id).filter(|m| id.is_none_or(|id| m.id == id)).cloned();
    let modal = modal.ok_or_else(|| format!("`@{}` has no open form", person.name))?;
    Ok((person, modal))
}

/// Fills the named fields (by label or custom id) and submits. The answer carries what is wrong per field.
pub async fn submit(
    workspace: &Arc<Workspace>,
    who: &str,
    values: &Map<String, Value>,
    id: Option<&str>,
) -> Result<Value, Refusal> {
    let (person, modal, act) = {
        let mut world = workspace.world();
        let (person, mut modal) = open(&world, who, id)?;
        for (name, value) in values {
            let field = modal.field(name)?;
            modal.values.insert(field.id().to_owned(), picked(&world, &field.input, value)?);
        }
        modal.errors = modal.wrong();
        modal.revision += 1;
        world.modals.insert(person.id.to_owned(), modal.clone());
        if !modal.errors.is_empty() {
            drop(world);
            workspace.changed();
            return Ok(json!({ "ok": false, "errors": modal.errors, "open": modal.id, "by": "discord" }));
        }
        let mut data = json!({ "custom_id": modal.custom_id, "components": modal.submitted() });
        let mut resolved = json!({});
        for field in modal.fields().iter().filter(|f| is_select(&f.input["type"]) && f.input["type"] != STRING_SELECT) {
            let ids = modal.values.get(field.id()).cloned().unwrap_or_default();
            let kind = field.input["type"].as_u64().unwrap_or_default();
            let found = payloads::resolved(&world, &modal.channel, kind, &ids);
            for (name, all) in found.as_object().into_iter().flatten() {
                for (id, one) in all.as_object().into_iter().flatten() {
                    resolved[name][id] = one.clone();
                }
            }
        }
        data["resolved"] = resolved;
        let act = Act {
            kind: MODAL_SUBMIT,
            person: person.clone(),
            channel: modal.channel.clone(),
            data,
            source: modal.source.as_deref().and_then(|id| world.message(id)).cloned(),
            before: Some(modal.before.clone()),
            about: modal.custom_id.clone(),
        };
        (person, modal, act)
    };
    let answered = workspace.deliver(act).await.answered().is_some();
    let mut world = workspace.world();
    let mut errors = BTreeMap::new();
    // Another one may have been opened meanwhile.
    if let Some(mine) = world.modals.get_mut(person.id).filter(|m| m.id == modal.id) {
        if answered {
            world.modals.remove(person.id);
        } else {
            errors = BTreeMap::from([(String::new(), WENT_WRONG.to_owned())]);
            mine.errors.clone_from(&errors);
            mine.revision += 1;
        }
    }
    let top = world.modals.get(person.id).map(|m| m.id.clone());
    drop(world);
    workspace.changed();
    Ok(json!({ "ok": errors.is_empty(), "errors": errors, "open": top, "by": "app" }))
}

/// Discord tells nobody.
pub fn close(workspace: &Workspace, who: &str, id: Option<&str>) -> Result<Value, Refusal> {
    let mut world = workspace.world();
    let (person, _) = open(&world, who, id)?;
    world.modals.remove(person.id);
    drop(world);
    workspace.changed();
    Ok(json!({ "open": null }))
}

/// Picks in the open form, which nobody hears of yet.
pub fn choose(
    workspace: &Workspace,
    who: &str,
    wanted: &str,
    value: &Value,
    id: Option<&str>,
) -> Result<Value, Refusal> {
    let mut world = workspace.world();
    let (person, mut modal) = open(&world, who, id)?;
    let field = modal.field(wanted)?;
    modal.values.insert(field.id().to_owned(), picked(&world, &field.input, value)?);
    modal.revision += 1;
    world.modals.insert(person.id.to_owned(), modal);
    let now = world.next_id();
    drop(world);
    workspace.changed();
    Ok(json!({ "told": false, "ts": now }))
}

/// The options of a menu whose label has the words in it: the client itself looks for them.
pub fn search(world: &World, who: &str, wanted: &str, words: &str, id: Option<&str>) -> Result<Value, Refusal> {
    let (_, modal) = open(world, who, id)?;
    let field = modal.field(wanted)?;
    if field.input["type"] != STRING_SELECT {
        return Err(format!("`{wanted}` has no options; type into it"));
    }
    let has = |o: &&Value| o["label"].as_str().is_some_and(|l| l.to_lowercase().contains(&words.to_lowercase()));
    let found = field.input["options"].as_array().into_iter().flatten().filter(has);
    Ok(json!({ "options": found.map(show::option).collect::<Vec<Value>>() }))
}
