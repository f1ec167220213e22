//! `evolve(state, event)`: what an event means. Total on events that `decide` made.

use crate::domain::{Counts, NotStarted, Outcome, Timestamp};
use crate::runbook::OnFailure;

use super::event::{Event, NodeReport};
use super::motion::Touched;
use super::state::{Approval, Phase, Proposal, Run, SendState, ShardProgress, TargetState};

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
        let shards =
            plan.shards.iter().map(|_| ShardProgress { step: 0, sends: 0, state: SendState::Waiting }).collect();
        let mut run = Run {
            id: proposal.run,
            phase: Phase::AwaitingApproval,
            approvals: Vec::new(),
            ended_by: None,
            started: None,
            ended: None,
            cancelled_by: None,
            budget_spent: false,
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
        run.follow(Touched::All);
        run
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
            Event::Approved { by, groups, at, .. } => {
                self.approvals.push(Approval { by: by.clone(), groups: groups.clone(), at: *at });
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
            Event::Cancelled { by, at } if self.phase == Phase::AwaitingApproval => {
                self.end(Phase::Cancelled, *at);
                self.ended_by = Some((Some(by.clone()), String::new()));
            }
            Event::Cancelled { by, .. } => {
                self.cancelled_by = Some(by.clone());
                self.close_waiting(NotStarted::Cancelled);
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
                let targets = match progress.state.open() {
                    Some((_, targets, _)) => targets,
                    // Refused before anything was sent, such as a session that cannot be opened.
                    None => self.proposal.plan.shards[*shard as usize].targets.clone(),
                };
                progress.state = SendState::Waiting;
                match outcome {
                    Some(outcome) => {
                        for target in targets {
                            self.finish_target(target, *outcome, Some(cause.clone()));
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
                    self.finish_target(*target, Outcome::Undeliverable, Some(cause));
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
            Event::Reported { shard, step, results, .. } => {
                if self.shards.len() <= *shard as usize {
                    return Err(misfit("no such shard"));
                }
                for report in results {
                    if self.targets.len() <= report.target as usize {
                        return Err(misfit("no such target"));
                    }
                    self.report(*step, report);
                }
                self.advance(*shard);
            }
            Event::BudgetSpent { .. } => {
                self.budget_spent = true;
                self.close_waiting(NotStarted::ErrorBudget);
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
        self.follow(event.touches());
        Ok(())
    }

    fn end(&mut self, phase: Phase, at: Timestamp) {
        self.phase = phase;
        self.ended = Some(at);
    }

    /// Indices of the shard's targets that take part in its current step.
    #[must_use]
    pub fn due_targets(&self, shard: u32) -> Vec<u32> {
        self.proposal.plan.shards[shard as usize]
            .targets
            .iter()
            .copied()
            .filter(|t| self.targets[*t as usize].outcome.is_none())
            .collect()
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

    /// One node's report of one step. A second report of the same step changes nothing.
    fn report(&mut self, step: u32, report: &NodeReport) {
        let steps = &self.proposal.plan.steps;
        let last = step as usize + 1 >= steps.len();
        let goes_on = steps.get(step as usize).is_some_and(|s| s.on_failure == OnFailure::Continue);
        let state = &mut self.targets[report.target as usize];
        if state.outcome.is_some() || state.reports.iter().any(|(s, _)| *s == step) {
            return;
        }
        state.step = step;
        state.reports.push((step, report.clone()));
        let worst = state.reports.iter().map(|(_, r)| r).find(|r| r.outcome != Outcome::Succeeded);
        let (outcome, cause) = worst.map_or((Outcome::Succeeded, None), |r| (r.outcome, r.cause.clone()));
        let survives = match report.outcome {
            Outcome::Succeeded => true,
            Outcome::Failed | Outcome::TimedOut => goes_on,
            _ => false,
        };
        if last || !survives {
            self.finish_target(report.target, outcome, cause);
        } else {
            state.step = step + 1;
        }
    }

    /// Moves a shard on once every target of its send has ended or gone on to the next step.
    fn advance(&mut self, shard: u32) {
        let index = shard as usize;
        let step = self.shards[index].step;
        let still_here = self.proposal.plan.shards[index].targets.iter().any(|t| {
            let target = &self.targets[*t as usize];
            target.outcome.is_none() && !target.reports.iter().any(|(s, _)| *s == step)
        });
        if still_here {
            return;
        }
        let any_left = !self.due_targets(shard).is_empty();
        let progress = &mut self.shards[index];
        if any_left {
            *progress = ShardProgress { step: step + 1, sends: 0, state: SendState::Waiting };
            self.after_stop(shard);
        } else {
            progress.state = SendState::Over;
        }
    }

    /// A shard that would wait for another send after the run was cancelled, or before its first one after the
    /// budget was spent, is over.
    fn after_stop(&mut self, shard: u32) {
        if self.cancelled_by.is_some() {
            self.close_shard(shard, NotStarted::Cancelled);
        } else if self.budget_spent {
            self.close_shard(shard, NotStarted::ErrorBudget);
        }
    }

    fn close_waiting(&mut self, why: NotStarted) {
        for shard in 0..self.shards.len() {
            if self.shards[shard].state == SendState::Waiting {
                self.close_shard(u32::try_from(shard).unwrap_or(u32::MAX), why);
            }
        }
    }

    fn close_shard(&mut self, shard: u32, why: NotStarted) {
        let begun = self.shards[shard as usize].step > 0;
        if begun && why == NotStarted::ErrorBudget {
            // Its nodes are between two steps; leaving them half done is worse than finishing.
            return;
        }
        for target in self.due_targets(shard) {
            if begun {
                self.finish_target(target, Outcome::Cancelled, Some("cancelled between two steps".into()));
            } else {
                self.finish_target(target, Outcome::NotStarted(why), None);
            }
        }
        self.shards[shard as usize].state = SendState::Over;
    }

    /// Nodes that something was sent to and that have not ended.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.motion.in_flight()
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
            Event::Started { .. } | Event::Cancelled { .. } | Event::BudgetSpent { .. } => Touched::All,
            Event::Proposed(_)
            | Event::Approved { .. }
            | Event::Denied { .. }
            | Event::Expired { .. }
            | Event::Withdrawn { .. }
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
            Event::Started { .. } => "started",
            Event::SendIntent { .. } => "send_intent",
            Event::Sent { .. } => "sent",
            Event::SendRefused { .. } => "send_refused",
            Event::NodesGone { .. } => "nodes_gone",
            Event::SendUnknown { .. } => "send_unknown",
            Event::SendAbsent { .. } => "send_absent",
            Event::Reported { .. } => "reported",
            Event::BudgetSpent { .. } => "budget_spent",
            Event::Finished { .. } => "finished",
            Event::PostIntent { .. } => "post_intent",
            Event::Posted { .. } => "posted",
            Event::PostFailed { .. } => "post_failed",
        }
    }
}
