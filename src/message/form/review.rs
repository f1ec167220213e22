//! What did somebody find who looked at a run that overrode rules?

use crate::message::View;
use crate::message::verdict::subject;
use crate::message::words::{say, size};
use crate::run::Run;

use super::deny::{words_fault, words_field};
use super::{Form, FormKind};

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
        fields: vec![words_field("What did you find?", "It stands in the log and on the cards.")],
        footer: Vec::new(),
    }
}

/// What is wrong with what was found, for the form that stays open; `None` if it will do.
#[must_use]
pub fn found_fault(found: &str) -> Option<String> {
    words_fault(found, "Say in a few words what you found, also where all was well.")
}
