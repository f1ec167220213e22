//! Going on where a run left off: a new run on a part of its targets, planned and decided afresh, under the approvals of
//! the earlier one where they still cover it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::command;
use crate::domain::{Selector, Target};
use crate::message::{self, retry as say};
use crate::plan::{NoPlan, Plan};
use crate::policy::{Asker, Verdict};
use crate::ports::InboxRow;
use crate::run::{Approval, Retry, Run, Which};

use super::intake::{self, Answer};
use super::membership::asker_again;
use super::propose::NotProposed;
use super::runner::Handle;
use super::{Services, doors, posting};

/// Runs what is left of a run that is over.
pub(super) async fn retry(
    services: &Arc<Services>,
    row: &InboxRow,
    asker: &Asker,
    handle: &Handle,
    which: Which,
) -> Answer {
    let old = handle.snapshot();
    let view = services.view(&old);
    let plan = &old.proposal.plan;
    if !old.phase.is_over() {
        return Answer::Whisper(say::still_running(&old, &view));
    }
    let wanted: BTreeSet<Target> = old.left(which).into_iter().cloned().collect();
    if wanted.is_empty() {
        return Answer::Whisper(say::nothing_left(&old, which, &view));
    }
    match services.rulebook.current().runbooks.runbooks.get(&plan.runbook) {
        None => return Answer::Whisper(say::removed(&plan.runbook, &view)),
        Some(book) if book.revision != plan.revision => return Answer::Whisper(say::changed(&plan.runbook, &view)),
        Some(_) => {}
    }
    let Ok(selector) = Selector::parse(&plan.selector) else {
        return Answer::Whisper(message::refusal::fault(
            "the selector of that run cannot be read any more",
            &row.run.to_string(),
        ));
    };
    let request = command::Request {
        runbook: plan.runbook.clone(),
        arguments: plan.arguments.clone(),
        selector,
        reason: old.proposal.reason.clone(),
        emergency: false,
    };
    // The card of the try stands in the thread of the run that it goes on from.
    let mut row = row.clone();
    row.delivery.place = posting::thread_of(&old);
    let mut proposed = match intake::planned(services, &row, asker, &request, Some(&wanted)).await {
        Ok(proposed) => proposed,
        Err(NotProposed::NoPlan(NoPlan::NothingMatched { .. }) | NotProposed::Doubts(_)) => {
            return Answer::Whisper(say::gone(u32::try_from(wanted.len()).unwrap_or(u32::MAX), &view));
        }
        Err(refused) => return Answer::Whisper(refused.card(&request, &services.view_for(&row))),
    };
    let coverage = &mut proposed.plan.coverage;
    coverage.left_out = 0;
    coverage.gone = u32::try_from(wanted.len().saturating_sub(proposed.plan.targets.len())).unwrap_or(u32::MAX);
    if proposed.decision.verdict == Verdict::Forbid {
        return Answer::Whisper(doors::refuse(services, &row, request, proposed, true));
    }
    let sealed = sealed(services, &old, &proposed.plan, asker).await;
    let retry = Retry { of: old.id, attempt: old.attempt() + 1, which, sealed };
    intake::begin(services, &row, request, proposed, Some(retry)).await
}

/// The approvals of the earlier run that cover the plan, each with the groups that the person is in today. Whose groups
/// cannot be read, or who has left them, counts for nothing.
async fn sealed(services: &Services, old: &Run, plan: &Plan, by: &Asker) -> Vec<Approval> {
    let mut sealed = Vec::new();
    if old.proposal.glass.is_some() {
        // Agreed to for an emergency; what rules ask for in its place was never given.
        return sealed;
    }
    let rules = services.rulebook.current();
    for approval in old.approvals_covering(plan, by, services.clock.now()) {
        let place = &old.proposal.place;
        match asker_again(services.directory.as_ref(), &rules.policy, &approval.by, place).await {
            // The link to the account that it stood for may be gone.
            Ok(person) if approval.stands_for.as_ref().is_some_and(|own| !person.twins.contains(own)) => {}
            Ok(person) if !person.bot && !person.foreign => {
                let groups: Vec<_> = approval.groups.into_iter().filter(|g| person.groups.contains(g)).collect();
                if !groups.is_empty() {
                    sealed.push(Approval { groups, ..approval });
                }
            }
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(run = %old.id, %fault, "an approver's groups cannot be read; the approval does not count")
            }
        }
    }
    sealed
}
