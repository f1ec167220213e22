//! What a running run comes to next, and the stops at which people decide: between waves, at gates, before the way back.

use jiff::SignedDuration;

use crate::domain::{Outcome, Timestamp};
use crate::policy::{Asker, Decision, Seats, Verdict, Vote, Yes, may_approve, quorum_met};
use crate::runbook::{Gate, HoldAfter};

use super::decide::Refusal;
use super::event::{Event, HoldCause};
use super::state::{Approval, Hold, Phase, Run};

/// What is due when nothing else moves the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Every target has ended, and what was to be rolled back has.
    Finish,
    /// More nodes failed than the plan allows: nothing further is started.
    StopForErrors,
    Hold(HoldCause),
    /// A step's `on_failure` asks for it.
    RollBack,
}

impl Run {
    /// The hold that is waiting for somebody.
    #[must_use]
    pub fn hold(&self) -> Option<&Hold> {
        self.holds.last().filter(|hold| hold.ended.is_none())
    }

    /// The gate of a step that this hold stands before.
    #[must_use]
    pub fn gate_of(&self, hold: &Hold) -> Option<&Gate> {
        match hold.cause {
            HoldCause::Gate { step, .. } => self.proposal.plan.step(step)?.gate.as_ref(),
            HoldCause::Wave { .. } | HoldCause::WayBack => None,
        }
    }

    /// What is due, if anything is.
    #[must_use]
    pub fn turn(&self) -> Option<Turn> {
        self.motion.turn(self)
    }

    /// Something ran that the plan can roll back, and it was not rolled back yet.
    #[must_use]
    pub fn has_way_back(&self) -> bool {
        self.proposal.plan.rollback.is_some() && self.rollback.is_none() && self.targets.iter().any(|t| t.touched)
    }

    /// It went worse than the plan allows, or somebody or the deadline stopped it.
    pub(super) fn went_wrong(&self) -> bool {
        self.has_too_many_errors() || self.cancelled_by.is_some() || self.overdue
    }

    pub(super) fn has_too_many_errors(&self) -> bool {
        self.counts.errors() > self.proposal.plan.max_errors
    }

    /// Whether people decide before this wave begins.
    pub(super) fn holds_before(&self, wave: u32) -> bool {
        let holds = match self.proposal.plan.hold {
            HoldAfter::Never => false,
            HoldAfter::Failure => self.counts.errors() > self.accepted_errors,
            HoldAfter::Always => true,
        };
        holds && wave > self.released
    }

    /// Whether people have to agree before this step of this wave.
    pub(super) fn is_gated(&self, wave: u32, step: u32) -> bool {
        let gate = self.proposal.plan.step(step).and_then(|s| s.gate.as_ref());
        gate.is_some() && self.rollback.is_none() && !self.gates.contains(&(wave, step))
    }

    pub(super) fn waits_for(&self, cause: &HoldCause) -> SignedDuration {
        let gate = match cause {
            HoldCause::Gate { step, .. } => self.proposal.plan.step(*step).and_then(|s| s.gate.as_ref()),
            HoldCause::Wave { .. } | HoldCause::WayBack => None,
        };
        gate.map_or(self.proposal.plan.hold_for, |g| g.expires).signed()
    }

    /// The hold that a button of this revision is about.
    pub(super) fn held(&self, revision: u32) -> Result<&Hold, Refusal> {
        if self.phase.is_over() {
            return Err(Refusal::Over(self.phase));
        }
        let hold = self.hold().ok_or(Refusal::NotHeld)?;
        if revision < hold.revision { Err(Refusal::OldHold) } else { Ok(hold) }
    }

    pub(super) fn may_decide_hold(&self, hold: &Hold, by: &Asker, allowed: bool) -> Result<(), Refusal> {
        let of_the_gate = self.gate_of(hold).is_some_and(|gate| by.groups.contains(&gate.from));
        let person = !by.bot && !by.foreign;
        if person && (allowed || of_the_gate) { Ok(()) } else { Err(Refusal::MayNotDecideHold) }
    }

    pub(super) fn go_on(
        &self,
        by: Asker,
        revision: u32,
        allowed: bool,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let hold = self.held(revision)?;
        let number = hold.number;
        if let Some(gate) = self.gate_of(hold) {
            let votes: Vec<Vote<'_>> = hold.votes.iter().map(Approval::vote).collect();
            let Yes { groups, stands_for } =
                may_approve(&asks(gate), &self.proposal.by, &votes, &by).map_err(Refusal::MayNotDecide)?;
            self.still_permitted(decision)?;
            return Ok(vec![Event::GateApproved { hold: number, by: by.principal, stands_for, groups, at: now }]);
        }
        if hold.cause == HoldCause::WayBack {
            // It has ended: there is nothing to go on with.
            return Err(Refusal::NotHeld);
        }
        self.may_decide_hold(hold, &by, allowed)?;
        self.still_permitted(decision)?;
        Ok(vec![Event::Continued { hold: number, by: by.principal, at: now }])
    }

    /// A freeze that has begun, or a grant that was taken away, counts for what is left.
    fn still_permitted(&self, decision: &Decision) -> Result<(), Refusal> {
        if let Some(rule) = self.more_overridden(decision) {
            return Err(Refusal::NoLongerPermitted(format!(
                "`{rule}` stands in the way now, and nobody agreed to override it"
            )));
        }
        match decision.verdict {
            Verdict::Permit => Ok(()),
            Verdict::PermitWithApproval if self.quorum_met(decision) => Ok(()),
            Verdict::PermitWithApproval => {
                Err(Refusal::NoLongerPermitted("the policy has changed and now asks for more approvals".into()))
            }
            Verdict::Forbid => {
                let why = decision.reasons.first().map_or("no rule permits it any more", |r| r.text.as_str());
                Err(Refusal::NoLongerPermitted(why.to_owned()))
            }
        }
    }

    /// Whether the hold's gate has all its yeses.
    pub(super) fn gate_is_open(&self, hold: &Hold) -> bool {
        let votes: Vec<Vote<'_>> = hold.votes.iter().map(Approval::vote).collect();
        self.gate_of(hold).is_some_and(|gate| quorum_met(&asks(gate), &self.proposal.by, &votes))
    }

    /// When the run has to look at the clock again: the end of a hold, or its own deadline.
    #[must_use]
    pub fn alarm(&self) -> Option<Timestamp> {
        let hold = self.hold().map(|hold| hold.until);
        hold.into_iter().chain(self.deadline()).min()
    }

    /// When what is left is given up, if that is still to come.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let limit = self.proposal.plan.deadline.signed();
        let (from, passed, ended) = match &self.rollback {
            Some(back) => (Some(back.at), back.overdue, back.counts.pending() == 0),
            None => (self.started, self.overdue, self.counts.pending() == 0),
        };
        let at = from?.saturating_add(limit).unwrap_or(Timestamp::MAX);
        (self.phase == Phase::Running && !passed && !ended).then_some(at)
    }

    pub(super) fn tick(&self, now: Timestamp) -> Option<Event> {
        match self.phase {
            Phase::AwaitingApproval if now >= self.start_by() => Some(Event::Expired { at: now }),
            Phase::AwaitingApproval => self.reminds_at().filter(|at| now >= *at).map(|_| Event::Reminded { at: now }),
            Phase::Running => {
                let timed_out = self.hold().filter(|hold| now >= hold.until);
                if let Some(hold) = timed_out {
                    return Some(Event::Stopped { hold: hold.number, by: None, at: now });
                }
                self.deadline().filter(|at| now >= *at).map(|_| Event::Overdue { at: now })
            }
            Phase::Finished => self.review_alarm().filter(|at| now >= *at).map(|_| Event::ReviewLate { at: now }),
            Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => None,
        }
    }

    /// Whether this target's failure in this step asks for the way back.
    pub(super) fn asks_for_rollback(&self, step: u32, outcome: Outcome) -> bool {
        let asks = self.proposal.plan.steps.get(step as usize);
        asks.is_some_and(|s| s.on_failure == crate::runbook::OnFailure::Rollback) && outcome.is_failure()
    }
}

/// A gate as the question that approvals answer.
fn asks(gate: &Gate) -> Decision {
    Decision {
        verdict: Verdict::PermitWithApproval,
        quorum: vec![Seats { group: gate.from.clone(), count: gate.count, rules: Vec::new() }],
        expires: Some(gate.expires),
        reasons: Vec::new(),
        overridden: Vec::new(),
        could: Vec::new(),
    }
}
