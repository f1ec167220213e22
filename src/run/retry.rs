//! Going on where a run left off: which of its targets, and whether the approvals that it had still cover them.
//!
//! A retry is a run of its own, under a plan that is a part of the earlier one: its own digest, journal and once-guard.

use serde::{Deserialize, Serialize};

use crate::command::Left;
use crate::domain::{NotStarted, Outcome, Principal, RunId, Target, Timestamp};
use crate::plan::Plan;
use crate::policy::Asker;
use crate::runbook::{HoldAfter, Risk};

use super::state::{Approval, Phase, Run};

/// An approval covers retries of what was approved for so long: about half a working day.
pub const COVERS_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(4);

/// Which targets a retry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Everything that counted against the error budget, also where it may have run.
    Failed,
    /// What nothing was sent to.
    NotStarted,
    /// Everything that did not succeed and of which it is known what happened.
    Retryable,
}

impl Which {
    pub const ALL: [Which; 3] = [Which::Failed, Which::NotStarted, Which::Retryable];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Which::Failed => "failed",
            Which::NotStarted => "not-started",
            Which::Retryable => "retryable",
        }
    }

    #[must_use]
    pub fn of(left: Left) -> Self {
        match left {
            Left::Failed => Which::Failed,
            Left::NotStarted => Which::NotStarted,
            Left::Retryable => Which::Retryable,
        }
    }

    fn takes(self, outcome: Outcome, risk: Risk) -> bool {
        match self {
            Which::Failed => outcome.is_failure(),
            Which::NotStarted => matches!(outcome, Outcome::NotStarted(_)),
            Which::Retryable => match outcome {
                Outcome::Succeeded => false,
                Outcome::NotStarted(NotStarted::Withdrawn) => false,
                Outcome::NotStarted(_) | Outcome::Denied | Outcome::Failed => true,
                // It may have run, in part or whole: for a change that is for a person to say.
                Outcome::TimedOut | Outcome::Cancelled | Outcome::Undeliverable | Outcome::Unknown => {
                    risk == Risk::Read
                }
            },
        }
    }
}

/// What a run goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    pub of: RunId,
    /// The try, from 2: the run itself was the first.
    pub attempt: u32,
    pub which: Which,
    /// Approvals of the earlier run that cover this one, with the groups that the people are in now.
    pub sealed: Vec<Approval>,
}

impl Run {
    /// The try that this run is: 1, unless it goes on from another.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.proposal.retry.as_ref().map_or(1, |retry| retry.attempt)
    }

    /// The targets that a retry would be for. Empty while the run is not over.
    #[must_use]
    pub fn left(&self, which: Which) -> Vec<&Target> {
        if !self.phase.is_over() {
            return Vec::new();
        }
        let risk = self.proposal.plan.risk;
        let never = self.phase != Phase::Finished;
        let targets = self.proposal.plan.targets.iter().zip(&self.targets);
        targets
            .filter(|(_, state)| match state.outcome {
                // Denied, expired, cancelled before the start: not one of them was started.
                None => never && which != Which::Failed,
                Some(outcome) => which.takes(outcome, risk),
            })
            .map(|(planned, _)| &planned.target)
            .collect()
    }

    /// The approvals of this run that cover `plan` as well, when `by` asks for it: the same runbook, values, scripts and
    /// limits on a part of the targets, not long ago, and nobody's for himself. Whether they are enough is for the policy's
    /// decision on that part to say.
    #[must_use]
    pub fn approvals_covering(&self, plan: &Plan, by: &Asker, now: Timestamp) -> Vec<Approval> {
        if self.started.is_none() || !is_part(&self.proposal.plan, plan) {
            return Vec::new();
        }
        let is_theirs = |account: &Principal| by.is(account);
        let by_others = |a: &Approval| !is_theirs(&a.by) && !a.stands_for.as_ref().is_some_and(is_theirs);
        let counts = |a: &&Approval| by_others(a) && now.duration_since(a.at) <= COVERS_FOR;
        self.approvals.iter().filter(counts).cloned().collect()
    }
}

/// Whether whoever agreed to `whole` has agreed to `part` too.
pub(super) fn is_part(whole: &Plan, part: &Plan) -> bool {
    let same = (&whole.runbook, whole.revision, &whole.arguments, whole.delivery, &whole.steps, &whole.rollback)
        == (&part.runbook, part.revision, &part.arguments, part.delivery, &part.steps, &part.rollback);
    let no_looser = part.max_in_flight <= whole.max_in_flight
        && part.max_errors <= whole.max_errors
        && part.exclusive == whole.exclusive
        && (part.hold == whole.hold || part.hold == HoldAfter::Always)
        && part.deadline <= whole.deadline;
    // Both are sorted by target.
    let mut all = whole.targets.iter().map(|t| &t.target);
    same && no_looser && part.targets.iter().all(|t| all.any(|other| other == &t.target))
}
