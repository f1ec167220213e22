//! `evolve(state, event)`: what an event means. Total on events that `decide` made.

use std::collections::BTreeMap;

use crate::domain::{Counts, Digest, NotStarted, Outcome, Principal, Timestamp};
use crate::plan::Plan;
use crate::policy::{Decision, Verdict};
use crate::runbook::OnFailure;

use super::event::{Event, HoldCause, NodeReport};
use super::glass::Review;
use super::motion::Touched;
use super::standing::Notice;
use super::state::{
    Approval, Hold, HoldEnd, Narrowed, Phase, Proposal, Rollback, Run, SendState, ShardProgress, TargetState,
};

/// A journal whose events do not fit each other. It is never the answer to input: `decide` refuses that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event `{event}` does not fit the state of the run: {why}")]
pub struct Misfit {
    pub event: &'static str,
    pub why: String,
}

impl Run {
    /// Folds a run from its events. The first has to be [`Event::Proposed`].
    ///
    /// # Errors
    /// [`Misfit`] if the journal is damaged.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Option<Run>, Misfit> {
        let mut run: Option<Run> = None;
        for event in events {
            match (&mut run, event) {
                (None, Event::Proposed(proposal)) => run = Some(Run::proposed((**proposal).clone())),
                (Some(run), event) => run.evolve(event)?,
                (None, other) => return Err(Misfit { event: other.name(), why: "the run was never proposed".into() }),
            }
        }
        Ok(run)
    }

    #[must_use]
    pub fn proposed(proposal: Proposal) -> Run {
        let plan = &proposal.plan;
        let targets = vec![TargetState::default(); plan.targets.len()];
        let shards = plan.shards.iter().map(|_| ShardProgress::waiting()).collect();
        let mut run = Run {
            id: proposal.run,
            phase: Phase::AwaitingApproval,
            approvals: proposal.retry.as_ref().map(|retry| retry.sealed.clone()).unwrap_or_default(),
            asked: false,
            waits_since: proposal.at,
            notices: Vec::new(),
            narrowed: Vec::new(),
            ended_by: None,
            started: None,
            reported: None,
            ended: None,
            cancelled_by: None,
            budget_spent: false,
            overdue: false,
            stopping: None,
            holds: Vec::new(),
            released: 0,
            accepted_errors: 0,
            gates: Default::default(),
            wants_rollback: false,
            no_way_back: false,
            rollback: None,
            review: None,
            review_late: false,
            counts: Counts::of(u32::try_from(targets.len()).unwrap_or(u32::MAX), []),
            targets,
            shards,
            wave: 0,
            posts: Default::default(),
            failed_posts: Default::default(),
            motion: Default::default(),
            revision: 1,
            proposal,
        };
        run.asked = run.proposal.decision.verdict == Verdict::PermitWithApproval && !run.is_agreed();
        if run.asked && run.proposal.asking.too_few {
            run.notices.push(Notice::TooFew);
        }
        run.follow(Touched::All);
        run
    }

    /// Nothing has begun, so what stands is what would stand had the smaller plan been proposed.
    fn narrow_to(&mut self, by: &Principal, plan: &Plan, digest: Digest) {
        let before = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        let targets = u32::try_from(plan.targets.len()).unwrap_or(u32::MAX);
        let from = std::mem::replace(&mut self.proposal.digest, digest);
        self.narrowed.push(Narrowed { by: by.clone(), from, targets: before, revision: self.revision });
        self.notices.push(Notice::Narrowed { by: by.clone(), targets, of: before });
        // Whoever agreed to the whole has not seen the part.
        self.approvals.clear();
        self.targets = vec![TargetState::default(); plan.targets.len()];
        self.shards = plan.shards.iter().map(|_| ShardProgress::waiting()).collect();
        self.counts = Counts::of(targets, []);
        self.proposal.plan = plan.clone().into();
    }

    /// Applies one event.
    ///
    /// # Errors
    /// [`Misfit`] if the event names what the plan does not have.
    pub fn evolve(&mut self, event: &Event) -> Result<(), Misfit> {
        let misfit = |why: &str| Misfit { event: event.name(), why: why.to_owned() };
        self.revision += 1;
        match event {
            Event::Proposed(_) => return Err(misfit("it was proposed before")),
            Event::Approved { by, stands_for, groups, at, .. } => {
                let (by, stands_for) = (by.clone(), stands_for.clone());
                self.approvals.push(Approval { by, stands_for, groups: groups.clone(), at: *at });
            }
            Event::Denied { by, why, at } => {
                self.end(Phase::Denied, *at);
                self.ended_by = Some((Some(by.clone()), why.clone()));
            }
            Event::Expired { at } => {
                let why = if self.is_agreed() { "it could not be started in time" } else { "nobody decided in time" };
                self.end(Phase::Expired, *at);
                self.ended_by = Some((None, why.into()));
            }
            Event::Withdrawn { why, at } => {
                self.end(Phase::Withdrawn, *at);
                self.ended_by = Some((None, why.clone()));
            }
            Event::Reconsidered { decision, policy, approvals, lapsed, at } => {
                let seats = |decision: &Decision| decision.quorum.iter().map(|seats| seats.count).sum::<u32>();
                let more = seats(decision) > seats(&self.proposal.decision) || !lapsed.is_empty();
                self.proposal.decision = (**decision).clone();
                self.proposal.policy = *policy;
                self.approvals.clone_from(approvals);
                if more && !self.is_agreed() {
                    // People have to have time for it.
                    (self.asked, self.waits_since) = (true, *at);
                    self.notices.push(Notice::MoreAsked { lapsed: lapsed.clone() });
                }
            }
            Event::Narrowed { by, plan, digest, .. } => {
                if self.phase != Phase::AwaitingApproval {
                    return Err(misfit("it has begun"));
                }
                self.narrow_to(by, plan, *digest);
            }
            Event::Reviewed { by, found, at } => {
                self.review = Some(Review { by: by.clone(), found: found.clone(), at: *at });
            }
            Event::ReviewLate { .. } => self.review_late = true,
            Event::Reminded { at } => self.notices.push(Notice::HalfTime { at: *at }),
            Event::Cancelled { by, at } if self.phase == Phase::AwaitingApproval => {
                self.end(Phase::Cancelled, *at);
                self.ended_by = Some((Some(by.clone()), String::new()));
            }
            Event::Cancelled { by, at } => {
                self.cancelled_by = Some(by.clone());
                self.end_hold(HoldEnd::Overtaken, Some(by), *at);
                self.stop(NotStarted::Cancelled);
            }
            Event::Started { at } => {
                self.phase = Phase::Running;
                self.started = Some(*at);
                let in_shards: std::collections::BTreeSet<u32> =
                    self.proposal.plan.shards.iter().flat_map(|s| s.targets.iter().copied()).collect();
                for index in 0..self.counts.total {
                    if !in_shards.contains(&index) {
                        self.finish_target(index, Outcome::NotStarted(NotStarted::Offline), None);
                    }
                }
            }
            Event::SendIntent { shard, send, targets, token, signed_at, .. } => {
                let wave = self.proposal.plan.shards.get(*shard as usize).map_or(0, |s| s.wave);
                self.released = self.released.max(wave);
                let progress = self.shards.get_mut(*shard as usize).ok_or_else(|| misfit("no such shard"))?;
                progress.sends = *send;
                progress.state =
                    SendState::Intent { token: token.clone(), targets: targets.clone(), signed_at: *signed_at };
            }
            Event::Sent { shard, command, at, .. } => {
                let progress = self.shards.get_mut(*shard as usize).ok_or_else(|| misfit("no such shard"))?;
                let (token, targets, signed_at) =
                    progress.state.open().ok_or_else(|| misfit("nothing was being sent"))?;
                progress.state = SendState::Sent { command: command.clone(), token, targets, signed_at, at: *at };
            }
            Event::SendUnknown { shard, cause, .. } => {
                let progress = self.shards.get_mut(*shard as usize).ok_or_else(|| misfit("no such shard"))?;
                let (token, targets, signed_at) =
                    progress.state.open().ok_or_else(|| misfit("nothing was being sent"))?;
                progress.state = SendState::Unsure { token, targets, signed_at, cause: cause.clone() };
            }
            Event::SendRefused { shard, cause, outcome, .. } => {
                let progress = self.shards.get_mut(*shard as usize).ok_or_else(|| misfit("no such shard"))?;
                let sent = progress.state.open().map(|(_, targets, _)| targets);
                progress.state = SendState::Waiting;
                // Refused before anything was sent, such as a session that cannot be opened.
                let targets = sent.unwrap_or_else(|| self.due_targets(*shard));
                match outcome {
                    Some(outcome) => {
                        for target in targets {
                            self.targets[target as usize].touched |= *outcome == Outcome::Unknown;
                            self.finish_in_step(*shard, target, *outcome, Some(cause.clone()));
                        }
                        self.advance(*shard);
                    }
                    None => self.after_stop(*shard),
                }
            }
            Event::NodesGone { shard, targets, .. } => {
                let progress = self.shards.get_mut(*shard as usize).ok_or_else(|| misfit("no such shard"))?;
                progress.state = SendState::Waiting;
                for target in targets {
                    let cause = "AWS no longer knows this node, or it is stopped".to_owned();
                    self.finish_in_step(*shard, *target, Outcome::Undeliverable, Some(cause));
                }
                self.advance(*shard);
                if self.shards[*shard as usize].state == SendState::Waiting {
                    self.after_stop(*shard);
                }
            }
            Event::SendAbsent { shard, .. } => {
                let progress = self.shards.get_mut(*shard as usize).ok_or_else(|| misfit("no such shard"))?;
                progress.state = SendState::Waiting;
                self.after_stop(*shard);
            }
            Event::Reported { shard, step, results, at } => {
                if self.shards.len() <= *shard as usize {
                    return Err(misfit("no such shard"));
                }
                for report in results {
                    if self.targets.len() <= report.target as usize {
                        return Err(misfit("no such target"));
                    }
                    self.report(*step, report);
                }
                self.reported = Some(*at);
                self.advance(*shard);
            }
            Event::BudgetSpent { .. } => {
                self.budget_spent = true;
                self.stop(NotStarted::ErrorBudget);
            }
            Event::Overdue { at } => {
                match &mut self.rollback {
                    Some(back) => back.overdue = true,
                    None => self.overdue = true,
                }
                self.end_hold(HoldEnd::Overtaken, None, *at);
                self.stop(NotStarted::Deadline);
            }
            Event::Held { hold, cause, until, at } => {
                if self.hold().is_some() {
                    return Err(misfit("it is held already"));
                }
                self.holds.push(Hold {
                    number: *hold,
                    cause: cause.clone(),
                    since: *at,
                    until: *until,
                    revision: self.revision,
                    votes: Vec::new(),
                    ended: None,
                });
            }
            Event::GateApproved { by, stands_for, groups, at, .. } => {
                let hold = self.holds.last_mut().ok_or_else(|| misfit("it is not held"))?;
                hold.votes.push(Approval {
                    by: by.clone(),
                    stands_for: stands_for.clone(),
                    groups: groups.clone(),
                    at: *at,
                });
                let (HoldCause::Gate { wave, step }, true) =
                    (hold.cause.clone(), self.hold().is_some_and(|hold| self.gate_is_open(hold)))
                else {
                    return self.followed(event);
                };
                self.gates.insert((wave, step));
                self.end_hold(HoldEnd::Continued, Some(by), *at);
            }
            Event::Continued { by, at, .. } => {
                let hold = self.hold().ok_or_else(|| misfit("it is not held"))?;
                if let HoldCause::Wave { wave, .. } = hold.cause {
                    self.released = self.released.max(wave);
                }
                self.accepted_errors = self.counts.errors();
                self.end_hold(HoldEnd::Continued, Some(by), *at);
            }
            Event::Stopped { by, at, .. } => {
                self.no_way_back = true;
                let end = if by.is_some() { HoldEnd::Stopped } else { HoldEnd::TimedOut };
                self.end_hold(end, by.as_ref(), *at);
                self.stop(NotStarted::Stopped);
            }
            Event::RollbackStarted { by, at } => {
                self.end_hold(HoldEnd::RolledBack, by.as_ref(), *at);
                self.turn_back(by.clone(), *at);
            }
            Event::Finished { at } => self.end(Phase::Finished, *at),
            Event::PostIntent { key, .. } => {
                self.posts.insert(key.clone(), None);
            }
            Event::Posted { key, message, .. } => {
                self.posts.insert(key.clone(), Some(message.clone()));
            }
            Event::PostFailed { key, cause, .. } => {
                self.posts.remove(key);
                self.failed_posts.insert(key.clone(), cause.clone());
            }
        }
        self.followed(event)
    }

    fn followed(&mut self, event: &Event) -> Result<(), Misfit> {
        self.follow(event.touches());
        Ok(())
    }

    fn end(&mut self, phase: Phase, at: Timestamp) {
        self.phase = phase;
        self.ended = Some(at);
    }

    fn end_hold(&mut self, end: HoldEnd, by: Option<&Principal>, at: Timestamp) {
        if let Some(hold) = self.holds.last_mut().filter(|hold| hold.ended.is_none()) {
            self.no_way_back |= hold.cause == HoldCause::WayBack;
            hold.ended = Some((end, by.cloned(), at));
        }
    }

    /// Whether this target takes part in this step and has not ended it.
    #[must_use]
    pub fn awaits(&self, target: u32, step: u32) -> bool {
        let Some(state) = self.targets.get(target as usize) else { return false };
        if step == self.proposal.plan.rollback_index() {
            self.rollback.is_some() && state.touched && state.rolled_back.is_none()
        } else {
            self.rollback.is_none() && state.outcome.is_none() && state.step == step
        }
    }

    /// Whether something of this running run is still to happen on such a target, or may be: until it is over, people may
    /// send it back over what it touched.
    #[must_use]
    pub fn is_busy(&self, state: &TargetState) -> bool {
        let may_turn_back = self.proposal.plan.rollback.is_some() && state.touched && state.rolled_back.is_none();
        state.outcome.is_none() || may_turn_back
    }

    /// Indices of the shard's targets that take part in its current step.
    #[must_use]
    pub fn due_targets(&self, shard: u32) -> Vec<u32> {
        let step = self.shards[shard as usize].step;
        let targets = self.proposal.plan.shards[shard as usize].targets.iter().copied();
        targets.filter(|t| self.awaits(*t, step)).collect()
    }

    /// Ends one target; an end never changes.
    fn finish_target(&mut self, target: u32, outcome: Outcome, cause: Option<String>) {
        let state = &mut self.targets[target as usize];
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(outcome);
        if state.cause.is_none() {
            state.cause = cause;
        }
        self.counts.add(outcome);
    }

    /// Ends the rollback of one target; an end never changes.
    fn finish_rollback(&mut self, target: u32, outcome: Outcome) {
        let state = &mut self.targets[target as usize];
        if let (Some(back), None) = (&mut self.rollback, state.rolled_back) {
            state.rolled_back = Some(outcome);
            back.counts.add(outcome);
        }
    }

    /// Ends what the shard's present step is to the target: the run, or its rollback.
    fn finish_in_step(&mut self, shard: u32, target: u32, outcome: Outcome, cause: Option<String>) {
        if self.shards[shard as usize].step == self.proposal.plan.rollback_index() {
            self.finish_rollback(target, outcome);
        } else {
            self.finish_target(target, outcome, cause);
        }
    }

    /// One node's report of one step. A second report of the same step changes nothing.
    fn report(&mut self, step: u32, report: &NodeReport) {
        if !self.awaits(report.target, step) {
            return;
        }
        let back = step == self.proposal.plan.rollback_index();
        let asks_for_rollback = self.asks_for_rollback(step, report.outcome);
        let steps = &self.proposal.plan.steps;
        let goes_on = steps.get(step as usize).is_some_and(|s| s.on_failure == OnFailure::Continue);
        let state = &mut self.targets[report.target as usize];
        if back {
            state.rollback = Some(report.clone());
            return self.finish_rollback(report.target, report.outcome);
        }
        state.touched |= !report.not_run;
        state.reports.push((step, report.clone()));
        self.wants_rollback |= asks_for_rollback;
        let worst = state.reports.iter().map(|(_, r)| r).find(|r| r.outcome != Outcome::Succeeded);
        let (outcome, cause) = match worst.map_or((Outcome::Succeeded, None), |r| (r.outcome, r.cause.clone())) {
            // A later step was not sent to it, but an earlier one ran.
            (Outcome::NotStarted(why), _) if state.touched => {
                (Outcome::Cancelled, Some(format!("{} between two steps", between_steps(why))))
            }
            ended => ended,
        };
        let survives = match report.outcome {
            Outcome::Succeeded => true,
            Outcome::Failed | Outcome::TimedOut => goes_on,
            _ => false,
        };
        let next = if survives { self.next_step(report.target, step) } else { None };
        match next {
            Some(next) => self.targets[report.target as usize].step = next,
            None => self.finish_target(report.target, outcome, cause),
        }
    }

    /// The first later step that concerns the target, by what its steps have extracted.
    fn next_step(&self, target: u32, step: u32) -> Option<u32> {
        let reports = &self.targets[target as usize].reports;
        // A later step's value stands in for an earlier one's.
        let values: BTreeMap<&str, &str> =
            reports.iter().flat_map(|(_, r)| &r.extracted).map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let steps = self.proposal.plan.steps.iter().zip(0u32..).skip(step as usize + 1);
        steps.into_iter().find(|(s, _)| s.concerns(&values)).map(|(_, index)| index)
    }

    /// Moves a shard on once every target of its send has ended or gone on to a later step.
    fn advance(&mut self, shard: u32) {
        let index = shard as usize;
        let step = self.shards[index].step;
        let targets = &self.proposal.plan.shards[index].targets;
        if targets.iter().any(|t| self.awaits(*t, step)) {
            return;
        }
        let live = targets.iter().map(|t| &self.targets[*t as usize]).filter(|t| t.outcome.is_none());
        let next = if self.rollback.is_some() { None } else { live.map(|t| t.step).min() };
        let progress = &mut self.shards[index];
        match next {
            Some(next) => {
                *progress = ShardProgress { step: next, sends: 0, state: SendState::Waiting };
                self.after_stop(shard);
            }
            None => progress.state = SendState::Over,
        }
    }

    /// Nothing further is started, for this reason.
    fn stop(&mut self, why: NotStarted) {
        self.stopping = Some(why);
        for shard in 0..self.shards.len() {
            if self.shards[shard].state == SendState::Waiting {
                self.close_shard(u32::try_from(shard).unwrap_or(u32::MAX), why);
            }
        }
    }

    /// A shard that would wait for another send after the run was stopped is over.
    fn after_stop(&mut self, shard: u32) {
        if let Some(why) = self.stopping {
            self.close_shard(shard, why);
        }
    }

    fn close_shard(&mut self, shard: u32, why: NotStarted) {
        if self.rollback.is_some() {
            for target in self.due_targets(shard) {
                self.finish_rollback(target, Outcome::NotStarted(why));
            }
            self.shards[shard as usize].state = SendState::Over;
            return;
        }
        let begun = self.shards[shard as usize].step > 0;
        if begun && why == NotStarted::ErrorBudget {
            // Its nodes are between two steps; leaving them half done is worse than finishing.
            return;
        }
        let targets = self.proposal.plan.shards[shard as usize].targets.clone();
        for target in targets {
            if begun {
                let cause = format!("{} between two steps", between_steps(why));
                self.finish_target(target, Outcome::Cancelled, Some(cause));
            } else {
                self.finish_target(target, Outcome::NotStarted(why), None);
            }
        }
        self.shards[shard as usize].state = SendState::Over;
    }

    /// From here on the touched targets are rolled back. Nothing is in flight at a hold, and what waits ends here.
    fn turn_back(&mut self, by: Option<Principal>, at: Timestamp) {
        self.stop(NotStarted::Stopped);
        self.stopping = None;
        let touched = self.targets.iter().filter(|t| t.touched).count();
        let counts = Counts::of(u32::try_from(touched).unwrap_or(u32::MAX), []);
        self.rollback = Some(Rollback { by, at, counts, overdue: false });
        let step = self.proposal.plan.rollback_index();
        for (shard, planned) in self.shards.iter_mut().zip(&self.proposal.plan.shards) {
            let any = planned.targets.iter().any(|t| self.targets[*t as usize].touched);
            let state = if any { SendState::Waiting } else { SendState::Over };
            *shard = ShardProgress { step, sends: 0, state };
        }
    }

    /// Nodes that something was sent to and that have not ended.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.motion.in_flight()
    }
}

fn between_steps(why: NotStarted) -> &'static str {
    match why {
        NotStarted::Cancelled | NotStarted::Withdrawn | NotStarted::Offline => "cancelled",
        NotStarted::ErrorBudget => "stopped, because too many others failed,",
        NotStarted::Stopped => "stopped",
        NotStarted::Deadline => "the run's deadline passed",
    }
}

impl SendState {
    /// Token, targets and signing time of a send whose answer is open.
    fn open(&self) -> Option<(String, Vec<u32>, Timestamp)> {
        match self {
            SendState::Intent { token, targets, signed_at } | SendState::Unsure { token, targets, signed_at, .. } => {
                Some((token.clone(), targets.clone(), *signed_at))
            }
            SendState::Waiting | SendState::Sent { .. } | SendState::Over => None,
        }
    }
}

impl Event {
    fn touches(&self) -> Touched {
        match self {
            Event::SendIntent { shard, .. }
            | Event::Sent { shard, .. }
            | Event::SendRefused { shard, .. }
            | Event::NodesGone { shard, .. }
            | Event::SendUnknown { shard, .. }
            | Event::SendAbsent { shard, .. }
            | Event::Reported { shard, .. } => Touched::Shard(*shard),
            Event::Started { .. }
            | Event::Cancelled { .. }
            | Event::BudgetSpent { .. }
            | Event::Overdue { .. }
            | Event::Stopped { .. }
            | Event::RollbackStarted { .. }
            | Event::Narrowed { .. } => Touched::All,
            Event::Proposed(_)
            | Event::Approved { .. }
            | Event::Denied { .. }
            | Event::Expired { .. }
            | Event::Withdrawn { .. }
            | Event::Reconsidered { .. }
            | Event::Reminded { .. }
            | Event::Reviewed { .. }
            | Event::ReviewLate { .. }
            | Event::Held { .. }
            | Event::GateApproved { .. }
            | Event::Continued { .. }
            | Event::Finished { .. }
            | Event::PostIntent { .. }
            | Event::Posted { .. }
            | Event::PostFailed { .. } => Touched::None,
        }
    }

    /// The word that tags it in the journal.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Event::Proposed(_) => "proposed",
            Event::Approved { .. } => "approved",
            Event::Denied { .. } => "denied",
            Event::Expired { .. } => "expired",
            Event::Cancelled { .. } => "cancelled",
            Event::Withdrawn { .. } => "withdrawn",
            Event::Reconsidered { .. } => "reconsidered",
            Event::Narrowed { .. } => "narrowed",
            Event::Reminded { .. } => "reminded",
            Event::Reviewed { .. } => "reviewed",
            Event::ReviewLate { .. } => "review_late",
            Event::Started { .. } => "started",
            Event::SendIntent { .. } => "send_intent",
            Event::Sent { .. } => "sent",
            Event::SendRefused { .. } => "send_refused",
            Event::NodesGone { .. } => "nodes_gone",
            Event::SendUnknown { .. } => "send_unknown",
            Event::SendAbsent { .. } => "send_absent",
            Event::Reported { .. } => "reported",
            Event::BudgetSpent { .. } => "budget_spent",
            Event::Overdue { .. } => "overdue",
            Event::Held { .. } => "held",
            Event::GateApproved { .. } => "gate_approved",
            Event::Continued { .. } => "continued",
            Event::Stopped { .. } => "stopped",
            Event::RollbackStarted { .. } => "rollback_started",
            Event::Finished { .. } => "finished",
            Event::PostIntent { .. } => "post_intent",
            Event::Posted { .. } => "posted",
            Event::PostFailed { .. } => "post_failed",
        }
    }
}
