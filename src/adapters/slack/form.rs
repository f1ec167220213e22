//! [`Form`] -> a Slack modal, and what a modal remembers until it comes back.
//!
//! A block holds one input, and both are named like the field: Slack keeps what stands in an input through an update as
//! long as the two names stay. Limits (Block Kit reference): 100 blocks, labels and hints 2,000 characters, placeholders
//! 150, options 75 with values of 150, `private_metadata` 3,000.

use slack_morphism::prelude::*;

use crate::domain::{Digest, Place, RunId, RunbookName};
use crate::message::form::Group;
use crate::message::{Choice, FieldKind, Form, FormField, FormKind, Suggestions};

use super::render::{Room, SECTION_MAX, cut_note, inline, label, note, plain_text, section};
use super::text::{clean, cut};

/// Slack takes 100 blocks; two are kept for the note and the small print.
const BLOCKS_MAX: usize = 98;
const INPUT_MAX: u16 = 3_000;
const LABEL_MAX: usize = 2_000;
const PLACEHOLDER_MAX: usize = 150;
const OPTION_MAX: usize = 75;
const VALUE_MAX: usize = 150;
const OPTIONS_MAX: usize = 100;
const METADATA_MAX: usize = 3_000;

/// A modal. `place` is remembered in it, because Slack does not say where a form that comes back was opened.
pub(super) fn form(form: &Form, place: &Place) -> SlackView {
    let mut blocks = words(&form.intro);
    for field in &form.fields {
        // What was wrong stands above the field: an update, unlike an acknowledgement, cannot mark it.
        blocks.extend(field.fault.as_ref().map(|fault| note(&cut(&format!("⚠️ {}", clean(fault, false)), LABEL_MAX))));
        blocks.push(SlackBlock::Input(input(field)));
    }
    if blocks.len() > BLOCKS_MAX {
        let lost = blocks.len() - BLOCKS_MAX;
        blocks.truncate(BLOCKS_MAX);
        blocks.push(note(&cut_note(0, lost)));
    }
    blocks.extend(words(&form.footer));
    if blocks.is_empty() {
        // Slack shows no modal without a block.
        blocks.push(note("…"));
    }
    let metadata = FormRef { kind: form.kind.clone(), channel: place.channel.clone(), thread: place.thread.clone() };
    let metadata = metadata.to_string();
    // Ids of Slack's and names of ours are far shorter; a form that could not come back would be worse than none.
    let metadata = if metadata.len() > METADATA_MAX { String::new() } else { metadata };
    let view = SlackModalView::new(label(&form.title, "Muster", 24), blocks)
        .with_close(plain_text("Cancel"))
        .with_callback_id(SlackCallbackId(word(&form.kind).to_owned()))
        .with_private_metadata(metadata);
    // Slack refuses inputs without a way to submit them.
    let submit = form.submit.as_deref().or((!form.fields.is_empty()).then_some("Submit"));
    SlackView::Modal(match submit {
        Some(submit) => view.with_submit(label(submit, "Submit", 24)),
        None => view,
    })
}

fn words(spans: &[crate::message::Span]) -> Vec<SlackBlock> {
    let mut room = Room::of(SECTION_MAX);
    let mut blocks = section(inline(spans, &mut room));
    if room.cut > 0 {
        blocks.push(note(&cut_note(room.cut, 0)));
    }
    blocks
}

fn input(field: &FormField) -> SlackInputBlock {
    let (element, tells) = element(field);
    let block = SlackInputBlock::new(label(&field.label, &field.name, LABEL_MAX), element)
        .with_block_id(SlackBlockId(field.name.clone()))
        .with_optional(!field.required);
    let block = if tells { block.with_dispatch_action(true) } else { block };
    match &field.hint {
        Some(hint) if !hint.trim().is_empty() => block.with_hint(label(hint, "", LABEL_MAX)),
        Some(_) | None => block,
    }
}

/// The input, and whether a choice in it is to be told at once.
fn element(field: &FormField) -> (SlackInputBlockElement, bool) {
    let id = SlackActionId(field.name.clone());
    let placeholder = |text: &str| label(text, "…", PLACEHOLDER_MAX);
    match &field.kind {
        FieldKind::Text { value, multiline, max_length, placeholder: example } => {
            let mut input = SlackBlockPlainTextInputElement::new()
                .with_action_id(id)
                .with_multiline(*multiline)
                .with_max_length(u64::from((*max_length).clamp(1, INPUT_MAX)));
            input.initial_value =
                value.as_ref().map(|v| v.chars().take(usize::from((*max_length).clamp(1, INPUT_MAX))).collect());
            input.placeholder = example.as_deref().filter(|e| !e.trim().is_empty()).map(placeholder);
            (SlackInputBlockElement::PlainTextInput(input), false)
        }
        FieldKind::Number { value, min, max, decimal } => {
            let mut input = SlackBlockNumberInputElement::new(*decimal).with_action_id(id);
            input.initial_value.clone_from(value);
            input.min_value.clone_from(min);
            input.max_value.clone_from(max);
            (SlackInputBlockElement::NumberInput(input), false)
        }
        FieldKind::Choice { choices, picked } => {
            let options: Vec<Item> = choices.iter().take(OPTIONS_MAX).map(option).collect();
            let mut input = SlackBlockStaticSelectElement::new().with_action_id(id);
            input.initial_option = picked.as_ref().and_then(|v| options.iter().find(|o| &o.value == v)).cloned();
            input.options = Some(options);
            (SlackInputBlockElement::StaticSelect(input.with_placeholder(placeholder("Choose"))), true)
        }
        FieldKind::Flag { value } => {
            let options = [("true", "yes"), ("false", "no")].map(|(value, text)| {
                let text = SlackBlockPlainText::new(text.to_owned()).with_emoji(false);
                SlackBlockChoiceItem::new(SlackBlockText::Plain(text), value.to_owned())
            });
            let mut input = SlackBlockRadioButtonsElement::new(options.to_vec()).with_action_id(id);
            let wanted = value.map(|v| v.to_string());
            input.initial_option = options.into_iter().find(|o| Some(&o.value) == wanted.as_ref());
            (SlackInputBlockElement::RadioButtons(input), true)
        }
        FieldKind::Search { picked, most: 1, tells } => {
            let mut input = SlackBlockExternalSelectElement::new()
                .with_action_id(id)
                .with_min_query_length(0)
                .with_placeholder(placeholder("Type to search"));
            input.initial_option = picked.first().map(option);
            (SlackInputBlockElement::ExternalSelect(input), *tells)
        }
        FieldKind::Search { picked, most, tells } => {
            let mut input = SlackBlockMultiExternalSelectElement::new()
                .with_action_id(id)
                .with_min_query_length(0)
                .with_max_selected_items(u64::from((*most).max(1)))
                .with_placeholder(placeholder("Type to search"));
            let picked: Vec<Item> = picked.iter().take(usize::from((*most).max(1))).map(option).collect();
            // Slack refuses an empty list.
            input.initial_options = Some(picked).filter(|picked| !picked.is_empty());
            (SlackInputBlockElement::MultiExternalSelect(input), *tells)
        }
        FieldKind::Channel { value } => {
            use SlackConversationFilterInclude::{Private, Public};
            let filter = SlackBlockConversationFilter::new().with_include(vec![Public, Private]);
            let mut input = SlackBlockConversationsSelectElement::new()
                .with_action_id(id)
                .with_filter(filter)
                .with_placeholder(placeholder("Choose a channel"));
            input.initial_conversation = value.clone().map(SlackConversationId);
            (SlackInputBlockElement::ConversationsSelect(input), false)
        }
    }
}

type Item = SlackBlockChoiceItem<SlackBlockPlainTextOnly>;

fn option(choice: &Choice) -> Item {
    let value: String = choice.value.chars().take(VALUE_MAX).collect();
    SlackBlockChoiceItem::new(label(&choice.label, &choice.value, OPTION_MAX), value)
}

/// The acknowledgement of a search: groups where there is something to say above them.
pub(super) fn suggestions(found: &Suggestions) -> serde_json::Value {
    let mut left = OPTIONS_MAX;
    let mut groups: Vec<(Option<&str>, Vec<Item>)> = Vec::new();
    for Group { heading, choices } in &found.groups {
        let options: Vec<Item> = choices.iter().take(left).map(option).collect();
        left -= options.len();
        if !options.is_empty() {
            groups.push((heading.as_deref(), options));
        }
    }
    match groups.as_slice() {
        [] => serde_json::json!({ "options": [] }),
        [(None, options)] => serde_json::json!({ "options": options }),
        groups => {
            let groups: Vec<_> = groups
                .iter()
                .map(|(heading, options)| {
                    SlackBlockOptionGroup::new(label(heading.unwrap_or("Found"), "Found", OPTION_MAX), options.clone())
                })
                .collect();
            serde_json::json!({ "option_groups": groups })
        }
    }
}

/// The word for a form; also the `callback_id` of its modal.
fn word(kind: &FormKind) -> &'static str {
    match kind {
        FormKind::Deny { .. } => "deny",
        FormKind::Narrow { .. } => "narrow",
        FormKind::Review { .. } => "review",
        FormKind::Pick => "pick",
        FormKind::Run { .. } => "run",
    }
}

/// What a form carries: which it is, and the place it was opened from:
/// `v1:deny:<run>:<revision> <channel> [<thread>]`, `v1:narrow:<run>:<revision> …`, `v1:review:<run>:<revision> …`, `v1:pick …`, `v1:run:<runbook>:<revision> …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FormRef {
    pub kind: FormKind,
    pub channel: String,
    pub thread: Option<String>,
}

impl std::fmt::Display for FormRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v1:{}", word(&self.kind))?;
        match &self.kind {
            FormKind::Deny { run, revision }
            | FormKind::Narrow { run, revision }
            | FormKind::Review { run, revision } => write!(f, ":{run}:{revision}")?,
            FormKind::Pick => {}
            FormKind::Run { runbook, revision } => write!(f, ":{runbook}:{revision}")?,
        }
        write!(f, " {}", self.channel)?;
        self.thread.iter().try_for_each(|thread| write!(f, " {thread}"))
    }
}

impl std::str::FromStr for FormRef {
    /// Not ours, or of a version that this build does not know.
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let parts: Vec<&str> = words.next().ok_or(())?.split(':').collect();
        let kind = match parts.as_slice() {
            ["v1", "deny", run, revision] => {
                FormKind::Deny { run: run.parse::<RunId>().map_err(drop)?, revision: revision.parse().map_err(drop)? }
            }
            ["v1", "narrow", run, revision] => {
                FormKind::Narrow { run: run.parse::<RunId>().map_err(drop)?, revision: revision.parse().map_err(drop)? }
            }
            ["v1", "review", run, revision] => {
                FormKind::Review { run: run.parse::<RunId>().map_err(drop)?, revision: revision.parse().map_err(drop)? }
            }
            ["v1", "pick"] => FormKind::Pick,
            ["v1", "run", runbook, revision] => FormKind::Run {
                runbook: runbook.parse::<RunbookName>().map_err(drop)?,
                revision: revision.parse::<Digest>().map_err(drop)?,
            },
            _ => return Err(()),
        };
        let channel = words.next().unwrap_or_default().to_owned();
        let thread = words.next().map(str::to_owned);
        if words.next().is_some() { Err(()) } else { Ok(FormRef { kind, channel, thread }) }
    }
}

#[cfg(test)]
mod tests;
