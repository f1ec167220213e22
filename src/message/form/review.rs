//! What did somebody find who looked at a run that overrode rules?

use crate::message::View;
use crate::message::verdict::subject;
use crate::message::words::{say, size};
use crate::run::Run;

use super::deny::{WHY, WHY_MAX};
use super::{FieldKind, Form, FormField, FormKind};

/// Asks what was found. Submitting it closes the review.
#[must_use]
pub fn review_form(run: &Run, view: &View) -> Form {
    let p = &run.proposal;
    Form {
        kind: FormKind::Review { run: run.id, revision: run.revision },
        title: "Close the review".to_owned(),
        submit: Some("Close".to_owned()),
        intro: say(format!("{}, asked by ", subject(p.plan.runbook.as_str(), size(p.plan.targets.len()))))
            .person(&p.by)
            .plain(format!(" ({}), overrode rules. Closing says that you have looked at what it did.", view.short))
            .spans(),
        fields: vec![FormField {
            name: WHY.to_owned(),
            label: "What did you find?".to_owned(),
            hint: Some("It stands in the log and on the cards.".to_owned()),
            required: true,
            kind: FieldKind::Text { value: None, multiline: true, max_length: WHY_MAX, placeholder: None },
            fault: None,
        }],
        footer: Vec::new(),
    }
}

/// What is wrong with what was found, for the form that stays open; `None` if it will do.
#[must_use]
pub fn found_fault(found: &str) -> Option<String> {
    let length = found.trim().chars().count();
    if length == 0 {
        Some("Say in a few words what you found, also where all was well.".to_owned())
    } else if length > usize::from(WHY_MAX) {
        Some(super::deny::too_long(length))
    } else {
        None
    }
}
