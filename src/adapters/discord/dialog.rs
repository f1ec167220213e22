//! What is said to one person between the pages of a form. Discord opens a modal only when something is pressed, so
//! between two pages stands a message for the person alone, with the button that opens the next.

use serde_json::{Value, json};
use serenity::builder::CreateButton;
use serenity::model::application::ButtonStyle;

use crate::message::form::Faults;
use crate::message::plain::cut;
use crate::message::{Form, FormKind, Span};

use super::custom::{PageRef, What};
use super::form::{page_of, pages};
use super::receive::Source;
use super::render;
use super::text::{code, escape};

/// Characters that a text of the form may take in such a message.
const PART_MAX: usize = 800;

/// Discord's types of first answers.
const MESSAGE: u8 = 4;
const DEFERRED_UPDATE: u8 = 6;
const UPDATE: u8 = 7;
const CHOICES: u8 = 8;
const MODAL: u8 = 9;
/// Only the person sees the message.
const EPHEMERAL: u64 = 1 << 6;

/// A first answer that only the person sees.
pub(super) fn private(mut body: Value) -> Value {
    body["flags"] = json!(EPHEMERAL);
    json!({ "type": MESSAGE, "data": body })
}

/// A first answer in place of the private message that something was pressed in, or beside everything else.
pub(super) fn in_place(source: Source, body: Value) -> Value {
    match source {
        Source::Private => json!({ "type": UPDATE, "data": body }),
        Source::Public | Source::Nothing => private(body),
    }
}

/// Seen, and nothing to say.
pub(super) fn seen() -> Value {
    json!({ "type": DEFERRED_UPDATE })
}

pub(super) fn choices(choices: Vec<Value>) -> Value {
    json!({ "type": CHOICES, "data": { "choices": choices } })
}

pub(super) fn modal(modal: Value) -> Value {
    json!({ "type": MODAL, "data": modal })
}

/// What was asked, so that nothing hangs unanswered whatever happens.
pub(super) fn noted(line: &str) -> Value {
    let line = code(&cut(line, 300));
    let text = format!("{line}: noted. The answer comes here, the card of a run into this channel.");
    render::sentence(&text, Vec::new())
}

pub(super) fn sentence(text: &str) -> Value {
    render::sentence(&format!("❌ {}", escape(text, true)), Vec::new())
}

/// The form stands behind a button.
pub(super) fn offered(form: &Form, draft: &str) -> Value {
    let mut parts = vec![part(&form.intro)];
    parts.extend(form.fields.iter().filter_map(|field| {
        let fault = field.fault.as_deref()?;
        Some(format!("⚠️ **{}**: {}", escape(&field.label, false), escape(&cut(fault, 300), false)))
    }));
    parts.push(small(&form.footer));
    let count = pages(form);
    let label = match (count, &form.kind) {
        (0, _) => None,
        (1, _) => Some("Fill in".to_owned()),
        (count, _) => Some(format!("Fill in, {count} pages")),
    };
    message(parts, label.map(|label| button(&label, draft, 0, &form.kind)))
}

/// A page was submitted and there is another.
pub(super) fn next_page(form: &Form, draft: &str, page: usize) -> Value {
    let text = format!("Page {page} of {} is noted; nothing runs before the last one.", pages(form));
    message(vec![text], Some(button("Continue", draft, page, &form.kind)))
}

/// What was submitted is not taken. What was filled in is kept.
pub(super) fn faulty(form: &Form, draft: &str, faults: &Faults) -> Value {
    let mut parts = vec!["❌ **Nothing was done:**".to_owned()];
    parts.extend(faults.iter().map(|(name, fault)| {
        let label = form.fields.iter().find(|f| &f.name == name).map_or(name, |f| &f.label);
        format!("• **{}**: {}", escape(label, false), escape(&cut(fault, 300), false))
    }));
    let page = faults.keys().map(|name| page_of(form, name)).min().unwrap_or_default();
    let button = (pages(form) > 0).then(|| button("Correct it", draft, page, &form.kind));
    message(parts, button)
}

/// A form was taken; what comes of it is said elsewhere.
pub(super) fn taken(form: &Form) -> Value {
    let text = match &form.kind {
        FormKind::Run { runbook, .. } => {
            format!(
                "{} is taken. The answer comes here, the card of the run into this channel.",
                code(runbook.as_str())
            )
        }
        FormKind::Deny { .. } | FormKind::Narrow { .. } | FormKind::Review { .. } | FormKind::Pick => {
            "Taken.".to_owned()
        }
    };
    message(vec![text], None)
}

/// What was filled in is gone.
pub(super) fn lost(what: &What, command: &str) -> Value {
    let instead = match what {
        What::Run { runbook } => format!("Type {} instead.", code(&format!("/{command} run {runbook}"))),
        What::Pick => format!("Type {} again.", code(&format!("/{command} form"))),
        What::Deny { .. } => "Press Deny again.".to_owned(),
        What::Review { .. } => "Press Close the review again.".to_owned(),
        What::Narrow { .. } => "Press Approve a part again.".to_owned(),
    };
    let text = format!(
        "❌ This form is no longer there, because it was sent already, is older than 15 minutes, or I was restarted: \
         nothing was done. {instead}"
    );
    message(vec![text], None)
}

fn part(spans: &[Span]) -> String {
    cut(&render::inline(spans), PART_MAX)
}

fn small(spans: &[Span]) -> String {
    let text = part(spans);
    text.lines().filter(|l| !l.trim().is_empty()).map(|line| format!("-# {line}")).collect::<Vec<_>>().join("\n")
}

fn message(mut parts: Vec<String>, button: Option<CreateButton>) -> Value {
    parts.retain(|part| !part.trim().is_empty());
    if parts.is_empty() {
        // Discord takes no empty message.
        parts.push("…".to_owned());
    }
    render::sentence(&parts.join("\n"), button.into_iter().collect())
}

fn button(label: &str, draft: &str, page: usize, kind: &FormKind) -> CreateButton {
    let page = PageRef { draft: draft.to_owned(), page, what: What::from(kind) };
    CreateButton::new(page.to_string()).label(label).style(ButtonStyle::Primary)
}
