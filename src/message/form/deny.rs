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
        fields: vec![FormField {
            name: WHY.to_owned(),
            label: "Why?".to_owned(),
            hint: Some("Everybody in the thread sees it.".to_owned()),
            required: true,
            kind: FieldKind::Text { value: None, multiline: true, max_length: WHY_MAX, placeholder: None },
            fault: None,
        }],
        footer: Vec::new(),
    }
}

pub(super) fn too_long(length: usize) -> String {
    format!("That is {length} characters; at most {WHY_MAX} fit.")
}

/// What is wrong with a reason, for the form that stays open; `None` if it will do.
#[must_use]
pub fn why_fault(why: &str) -> Option<String> {
    let length = why.trim().chars().count();
    if length == 0 {
        Some("Say in a few words why, so that the requester knows what to change.".to_owned())
    } else if length > usize::from(WHY_MAX) {
        Some(too_long(length))
    } else {
        None
    }
}
