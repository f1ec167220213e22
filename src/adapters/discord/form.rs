//! [`Form`] -> a Discord modal, page by page, and what was filled in back again.
//!
//! A modal holds at most five components, each in a label (component type 18), which serenity cannot build. What a form
//! asks for more stands on further pages. A choice of at most 25 is a select; a longer one, and a search with more hits,
//! is a text in which names are written, separated by commas, and found again when the page is submitted. Limits
//! (Discord's documentation, Component Reference): title 45, label 45, description 100, placeholder 100 in an input and
//! 150 in a select, text 4,000, options 25 of 100 characters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::message::plain::{clean, cut};
use crate::message::{Choice, FieldKind, Form, FormField, Suggestions, Values};

/// Components of one modal.
const PAGE: usize = 5;
const TITLE_MAX: usize = 45;
const LABEL_MAX: usize = 45;
const DESCRIPTION_MAX: usize = 100;
const PLACEHOLDER_MAX: usize = 100;
const TEXT_MAX: u16 = 4_000;
pub(super) const OPTIONS_MAX: usize = 25;
const OPTION_MAX: usize = 100;

/// Discord's types of component.
const STRING_SELECT: u64 = 3;
const TEXT_INPUT: u64 = 4;
const CHANNEL_SELECT: u64 = 8;
const LABEL: u64 = 18;
/// A text or announcement channel.
const CHANNEL_TYPES: [u8; 2] = [0, 5];

/// How many pages a form has; one that asks for nothing has none.
pub(super) fn pages(form: &Form) -> usize {
    form.fields.len().div_ceil(PAGE)
}

/// The fields of one page.
pub(super) fn fields(form: &Form, page: usize) -> &[FormField] {
    let from = (page * PAGE).min(form.fields.len());
    &form.fields[from..(from + PAGE).min(form.fields.len())]
}

/// The page on which a field stands.
pub(super) fn page_of(form: &Form, field: &str) -> usize {
    form.fields.iter().position(|f| f.name == field).unwrap_or_default() / PAGE
}

/// One page. `values`: what was filled in before. `found`: what there is to pick in the searched fields of the page, where
/// that is all there is.
pub(super) fn modal(
    form: &Form,
    page: usize,
    values: &Values,
    found: &BTreeMap<String, Suggestions>,
    custom_id: &str,
) -> Value {
    let count = pages(form);
    let title = clean(&form.title, false);
    let title = if count > 1 {
        let place = format!(" ({} of {count})", page + 1);
        cut(&title, TITLE_MAX - place.len()) + &place
    } else {
        cut(&title, TITLE_MAX)
    };
    let labels: Vec<Value> = fields(form, page).iter().map(|field| label(field, values, found)).collect();
    json!({ "custom_id": custom_id, "title": title, "components": labels })
}

fn label(field: &FormField, values: &Values, found: &BTreeMap<String, Suggestions>) -> Value {
    let mut label = json!({
        "type": LABEL,
        "label": text(&field.label, &field.name, LABEL_MAX),
        "component": component(field, values, found),
    });
    let fault = field.fault.as_deref().map(|fault| format!("⚠️ {fault}"));
    if let Some(words) = fault.or_else(|| field.hint.clone()).filter(|words| !words.trim().is_empty()) {
        label["description"] = json!(text(&words, "…", DESCRIPTION_MAX));
    }
    label
}

/// One line that is not empty: Discord refuses blank ones.
fn text(text: &str, instead: &str, max: usize) -> String {
    let text = clean(text, false);
    cut(if text.trim().is_empty() { instead } else { text.trim() }, max)
}

fn component(field: &FormField, values: &Values, found: &BTreeMap<String, Suggestions>) -> Value {
    let given = values.get(&field.name);
    // What was emptied stays empty.
    let first = |before: Option<String>| given.map_or(before, |given| given.first().cloned());
    match &field.kind {
        FieldKind::Text { value, multiline, max_length, placeholder } => {
            input(field, first(value.clone()), *multiline, (*max_length).clamp(1, TEXT_MAX), placeholder.as_deref())
        }
        FieldKind::Number { value, min, max, decimal } => {
            let range = match (min, max) {
                (Some(min), Some(max)) => Some(format!("{min} to {max}")),
                (Some(min), None) => Some(format!("from {min}")),
                (None, Some(max)) => Some(format!("up to {max}")),
                (None, None) => Some(if *decimal { "a number such as 0.5" } else { "a whole number" }.to_owned()),
            };
            input(field, first(value.clone()), false, 64, range.as_deref())
        }
        FieldKind::Choice { choices, picked } => {
            let picked = first(picked.clone());
            if fits(choices.iter()) {
                select(field, choices.iter().collect(), picked.iter().map(String::as_str).collect(), 1)
            } else {
                input(field, picked, false, 1_000, choices.first().map(|c| c.value.as_str()))
            }
        }
        FieldKind::Flag { value } => {
            let choices = ["yes", "no"].map(|word| Choice {
                value: if word == "yes" { "true" } else { "false" }.to_owned(),
                label: word.to_owned(),
            });
            let picked = first(value.map(|v| v.to_string()));
            select(field, choices.iter().collect(), picked.iter().map(String::as_str).collect(), 1)
        }
        FieldKind::Search { picked, most, .. } => {
            let known = found.get(&field.name).filter(|found| listed(found));
            match known {
                Some(found) => {
                    let before: BTreeSet<&str> = match given {
                        Some(given) => given.iter().map(String::as_str).collect(),
                        None => picked.iter().map(|c| c.value.as_str()).collect(),
                    };
                    select(field, found.choices().collect(), before, usize::from(*most))
                }
                None => {
                    let label = |value: &String| {
                        let picked = picked.iter().find(|c| &c.value == value);
                        picked.map_or_else(|| value.clone(), |c| written(&c.label))
                    };
                    let before: Vec<String> = match given {
                        Some(given) => given.iter().map(label).collect(),
                        None => picked.iter().map(|c| written(&c.label)).collect(),
                    };
                    let hint = if *most == 1 { "its name" } else { "names, separated by commas" };
                    input(field, Some(before.join(", ")).filter(|b| !b.is_empty()), false, 1_000, Some(hint))
                }
            }
        }
        FieldKind::Channel { value } => {
            let mut select = json!({
                "type": CHANNEL_SELECT,
                "custom_id": field.name,
                "channel_types": CHANNEL_TYPES,
                "min_values": usize::from(field.required),
                "max_values": 1,
                "required": field.required,
            });
            if let Some(id) = first(value.clone()) {
                select["default_values"] = json!([{ "id": id, "type": "channel" }]);
            }
            select
        }
    }
}

/// The first part of a label: what stands behind `·` explains it.
fn written(label: &str) -> String {
    label.split(" · ").next().unwrap_or_default().to_owned()
}

fn input(field: &FormField, value: Option<String>, multiline: bool, max: u16, placeholder: Option<&str>) -> Value {
    let mut input = json!({
        "type": TEXT_INPUT,
        "custom_id": field.name,
        "style": if multiline { 2 } else { 1 },
        "required": field.required,
        "max_length": max,
    });
    if let Some(value) = value.filter(|v| !v.is_empty()) {
        input["value"] = json!(value.chars().take(usize::from(max)).collect::<String>());
    }
    if let Some(placeholder) = placeholder.filter(|p| !p.trim().is_empty()) {
        input["placeholder"] = json!(text(placeholder, "…", PLACEHOLDER_MAX));
    }
    input
}

fn select(field: &FormField, choices: Vec<&Choice>, picked: BTreeSet<&str>, most: usize) -> Value {
    let options: Vec<Value> = choices
        .iter()
        .map(|choice| {
            let mut option = json!({ "label": text(&choice.label, &choice.value, OPTION_MAX), "value": choice.value });
            if picked.contains(choice.value.as_str()) {
                option["default"] = json!(true);
            }
            option
        })
        .collect();
    json!({
        "type": STRING_SELECT,
        "custom_id": field.name,
        "options": options,
        "min_values": usize::from(field.required),
        "max_values": most.clamp(1, options.len().max(1)),
        "required": field.required,
    })
}

/// These can be the options of one select.
fn fits<'a>(choices: impl Iterator<Item = &'a Choice>) -> bool {
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for choice in choices {
        count += 1;
        if count > OPTIONS_MAX || choice.value.chars().count() > OPTION_MAX || !seen.insert(&choice.value) {
            return false;
        }
    }
    count > 0
}

/// What was found is all there is, and fits into a select.
pub(super) fn listed(found: &Suggestions) -> bool {
    fits(found.choices())
}

/// What stood in the components of a submitted modal, by field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inputs(pub BTreeMap<String, Input>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// Written by hand.
    Typed(String),
    /// Values of a select.
    Picked(Vec<String>),
}

impl Inputs {
    /// Labels and action rows alike; what is in neither form is not read.
    pub(super) fn read(components: &Value) -> Inputs {
        let mut inputs = BTreeMap::new();
        for component in components.as_array().into_iter().flatten() {
            let inner = component["components"].as_array().into_iter().flatten();
            for input in [&component["component"]].into_iter().chain(inner) {
                let Some(name) = input["custom_id"].as_str() else { continue };
                if let Some(values) = input["values"].as_array() {
                    let values = values.iter().filter_map(|v| v.as_str().map(str::to_owned));
                    inputs.insert(name.to_owned(), Input::Picked(values.collect()));
                } else if let Some(value) = input["value"].as_str() {
                    inputs.insert(name.to_owned(), Input::Typed(value.to_owned()));
                }
            }
        }
        Inputs(inputs)
    }
}

/// The names in a text that stands in for a search.
pub(super) fn names(typed: &str) -> Vec<&str> {
    typed.split([',', ';', '\n']).map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// What a person means by a name, among what was found for it. The error is one sentence.
pub(super) fn meant(name: &str, found: &Suggestions) -> Result<String, String> {
    let lower = name.to_lowercase();
    let same = |text: &str| text.to_lowercase() == lower;
    let mut seen = BTreeSet::new();
    let all: Vec<&Choice> = found.choices().filter(|c| seen.insert(&c.value)).collect();
    // Two accounts may have one name; no two have one id.
    if let Some(choice) = all.iter().find(|c| same(&c.value)) {
        return Ok(choice.value.clone());
    }
    let some = |choices: &[&Choice], shown: fn(&Choice) -> String| {
        let some: Vec<String> = choices.iter().take(3).map(|c| shown(c)).collect();
        format!("{}{}", some.join(", "), if choices.len() > 3 { " and more" } else { "" })
    };
    let named: Vec<&Choice> = all.iter().copied().filter(|c| same(&c.label) || same(&written(&c.label))).collect();
    let name = cut(name, 60);
    match (named.as_slice(), all.as_slice()) {
        ([one], _) => Ok(one.value.clone()),
        // What is merely like it is not taken for it: a run may start at once.
        ([], []) => Err(format!("There is nothing like {name} to choose: write another name, or its id.")),
        ([], like) => Err(format!("{name} could be {}: write the whole name.", some(like, |c| written(&c.label)))),
        (several, _) => {
            Err(format!("{name} is the name of more than one: write {} instead.", some(several, |c| c.value.clone())))
        }
    }
}

#[cfg(test)]
mod tests;
