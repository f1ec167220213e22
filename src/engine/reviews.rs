//! Looking at what a run did that overrode rules: by whom, and closing it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::GroupName;
use crate::message;
use crate::policy::Asker;
use crate::ports::InboxRow;
use crate::redact::Redactor;
use crate::run::{Input, Run};

use super::Services;
use super::clicks;
use super::intake::Answer;
use super::runner::Handle;

/// The groups of which somebody has to look at the run: those of its time and those of today, because a group may be gone.
pub(super) fn reviewers(services: &Services, run: &Run) -> BTreeSet<GroupName> {
    let Some(glass) = &run.proposal.glass else { return BTreeSet::new() };
    let rules = services.rulebook.current();
    let today = rules.policy.glass.iter().flat_map(|rule| &rule.review);
    glass.review.iter().chain(today).cloned().collect()
}

/// Whether this person is one of those who look at it, and so reads it.
pub(super) fn reads(services: &Services, run: &Run, asker: &Asker) -> bool {
    !asker.bot && !asker.foreign && !reviewers(services, run).is_disjoint(&asker.groups)
}

/// Closes the review, by a form.
pub(super) async fn close(services: &Arc<Services>, asker: &Asker, handle: &Handle, found: &str) -> Answer {
    let found = Redactor::new(&services.redaction_key(handle.id)).redact(found.trim()).text;
    let reviewers = handle.read(|run| reviewers(services, run));
    clicks::decided(services, handle, Input::Review { by: asker.clone(), found, reviewers }).await
}

/// Closes it by a command, which has no card that shows it.
pub(super) async fn typed(
    services: &Arc<Services>,
    row: &InboxRow,
    asker: &Asker,
    handle: &Handle,
    found: &str,
) -> Answer {
    if let Some(fault) = message::form::found_fault(found) {
        return Answer::Whisper(message::refusal::not_understood(&fault, &services.view_for(row)));
    }
    match close(services, asker, handle, found).await {
        Answer::Shown => {
            Answer::Whisper(message::review_closed(&services.view_of(handle.id, Some(&row.delivery.place))))
        }
        refused => refused,
    }
}
