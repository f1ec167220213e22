//! Why is a request denied?

use crate::message::View;
use crate::message::verdict::subject;
use crate::message::words::{say, size};
use crate::run::Run;

use super::{FieldKind, Form, FormField, FormKind};

/// Names the reason in the submission of [`deny_form`].
pub const WHY: &str = "why";
/// The reason is repeated on the card and in the closing reply.
pub const WHY_MAX: u16 = 500;

/// Asks why a request is denied: the requester learns what to change.
#[must_use]
pub fn deny_form(run: &Run, view: &View) -> Form {
    let p = &run.proposal;
    Form {
        kind: FormKind::Deny { run: run.id, revision: run.revision },
        title: "Deny this request".to_owned(),
        submit: Some("Deny".to_owned()),
        intro: say(format!("{}, asked by ", subject(p.plan.runbook.as_str(), size(p.plan.targets.len()))))
            .person(&p.by)
            .plain(format!(" ({}). Denying ends the request; it can be asked again.", view.short))
            .spans(),
        fields: vec![words_field("Why?", "Everybody in the thread sees it.")],
        footer: Vec::new(),
    }
}

/// One text that has to be told, in [`WHY`].
pub(super) fn words_field(label: &str, hint: &str) -> FormField {
    FormField {
        name: WHY.to_owned(),
        label: label.to_owned(),
        hint: Some(hint.to_owned()),
        required: true,
        kind: FieldKind::Text { value: None, multiline: true, max_length: WHY_MAX, placeholder: None },
        fault: None,
    }
}

/// What is wrong with what is told in [`WHY`]; `empty` is said where that is nothing.
pub(super) fn words_fault(told: &str, empty: &str) -> Option<String> {
    let length = told.trim().chars().count();
    if length == 0 {
        Some(empty.to_owned())
    } else if length > usize::from(WHY_MAX) {
        Some(format!("That is {length} characters; at most {WHY_MAX} fit."))
    } else {
        None
    }
}

/// What is wrong with a reason, for the form that stays open; `None` if it will do.
#[must_use]
pub fn why_fault(why: &str) -> Option<String> {
    words_fault(why, "Say in a few words why, so that the requester knows what to change.")
}
