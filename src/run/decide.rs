//! `decide(state, input, now) -> events`: the only place where something may come to happen.

use std::collections::BTreeSet;

use crate::domain::{CommandId, Digest, GroupName, MessageRef, NotStarted, Outcome, Principal, Timestamp};
use crate::plan::Plan;
use crate::policy::{Asker, CannotApprove, Decision, Verdict, Vote, Yes, may_approve, quorum_met};

use super::event::{Event, NodeReport, PostKey};
use super::holds::Turn;
use super::standing::Today;
use super::state::{Approval, Phase, Run, SendState};

/// What comes to a run: people's clicks, and results of its effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// `by`: the person with the groups of this moment.
    Approve {
        by: Asker,
        digest: Digest,
    },
    Deny {
        by: Asker,
        why: String,
    },
    /// `allowed`: the requester, or somebody who could have approved it.
    Cancel {
        by: Principal,
        allowed: bool,
    },
    /// The rules may have changed, or the people.
    Reconsider {
        today: Today,
    },
    /// The last look before the start.
    Start {
        today: Today,
    },
    /// `by` agrees to a part of the plan with this digest. `plan`: that part, as a plan of its own.
    Narrow {
        by: Asker,
        digest: Digest,
        plan: Box<Plan>,
    },
    /// `by` has looked at what a run overrode and found this. `reviewers`: the groups of which somebody has to.
    Review {
        by: Asker,
        found: String,
        reviewers: BTreeSet<GroupName>,
    },
    /// It cannot be started for a reason outside the policy, such as a channel that Muster is not in.
    Withdraw {
        why: String,
    },
    /// A yes to the hold that stood when the run had `revision`. `allowed`: the requester, or somebody who could have
    /// approved it; at a gate its own group decides. `decision`: what the current policy says to the same plan.
    Continue {
        by: Asker,
        revision: u32,
        allowed: bool,
        decision: Decision,
    },
    /// A no to that hold.
    Stop {
        by: Asker,
        revision: u32,
        allowed: bool,
    },
    /// A no to that hold, and what was touched is rolled back.
    RollBack {
        by: Asker,
        revision: u32,
        allowed: bool,
    },
    /// Time has passed.
    Tick,
    /// A rate slot is held and the session is open.
    SlotHeld {
        shard: u32,
        step: u32,
        send: u32,
        token: String,
        signed_at: Timestamp,
    },
    /// The session or the send was refused before an intent was written.
    CannotSend {
        shard: u32,
        step: u32,
        send: u32,
        cause: String,
    },
    Answered {
        shard: u32,
        step: u32,
        send: u32,
        answer: Answer,
    },
    /// One page of results.
    Reported {
        shard: u32,
        step: u32,
        results: Vec<NodeReport>,
    },
    Settle,
    PostBegun {
        key: PostKey,
    },
    Posted {
        key: PostKey,
        message: MessageRef,
    },
    PostFailed {
        key: PostKey,
        cause: String,
    },
}

/// What became of one send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Taken {
        command: CommandId,
        adopted: bool,
    },
    /// Not taken and never will be.
    Refused {
        cause: String,
    },
    /// Not taken; a new send may be made.
    NotTaken {
        cause: String,
    },
    /// Not taken, because these targets are gone.
    Gone {
        targets: Vec<u32>,
    },
    Unknown {
        cause: String,
    },
    /// Looked for until AWS could no longer take it, and not there.
    Absent,
    /// It cannot be looked for: its fate stays unknown, and people are told so.
    Unverifiable {
        cause: String,
    },
}

/// Why an input changes nothing. For people where a person asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is over")]
    Over(Phase),
    #[error("it was started before")]
    Started,
    #[error("the plan is not the one that was shown")]
    OtherPlan,
    #[error("it expired")]
    Expired,
    #[error("{0}")]
    MayNotDecide(CannotApprove),
    #[error("only the person who asked for it, or somebody who may approve it, can cancel it")]
    MayNotCancel,
    #[error("nobody is asked to approve it")]
    NothingToApprove,
    /// It is not held: it never was, or somebody was faster.
    #[error("it is not held")]
    NotHeld,
    /// The button is of an earlier hold.
    #[error("it has gone on since")]
    OldHold,
    #[error("only the person who asked for it, or somebody who may approve it, can decide this")]
    MayNotDecideHold,
    /// The policy of today does not permit what is left.
    #[error("{0}")]
    NoLongerPermitted(String),
    #[error("there is no way back")]
    NoWayBack,
    #[error("it overrode no rule that somebody still has to look at")]
    NoReview,
    #[error("it is not over yet")]
    NotOver,
    #[error("{0}")]
    MayNotReview(CannotApprove),
    /// A late or repeated result. Nobody asked, so nobody is told.
    #[error("it is known already")]
    Stale,
}

impl Run {
    /// The permission stands: by the policy alone, or by enough approvals.
    #[must_use]
    pub fn is_agreed(&self) -> bool {
        let decision = &self.proposal.decision;
        match decision.verdict {
            Verdict::Permit => true,
            Verdict::PermitWithApproval => self.quorum_met(decision),
            Verdict::Forbid => false,
        }
    }

    pub(super) fn quorum_met(&self, decision: &Decision) -> bool {
        quorum_met(decision, &self.proposal.by, &self.votes())
    }

    pub(super) fn votes(&self) -> Vec<Vote<'_>> {
        self.approvals.iter().map(Approval::vote).collect()
    }

    /// The events that `input` makes at `now`.
    ///
    /// # Errors
    /// [`Refusal`] if it changes nothing.
    pub fn decide(&self, input: Input, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match input {
            Input::Approve { by, digest } => {
                let Yes { groups, stands_for } = self.would_count(&by, now)?;
                if digest != self.proposal.digest || digest != self.proposal.plan.digest() {
                    return Err(Refusal::OtherPlan);
                }
                Ok(vec![Event::Approved { by: by.principal, stands_for, groups, digest, at: now }])
            }
            Input::Deny { by, why } => {
                self.is_waiting(now)?;
                // Somebody who has said yes may still say no, as long as it has not started.
                self.may_decide(&by, &[])?;
                Ok(vec![Event::Denied { by: by.principal, why, at: now }])
            }
            Input::Cancel { by, allowed } => self.cancel(by, allowed, now),
            Input::Reconsider { today } => self.reconsider(&today, now),
            Input::Start { today } => self.start(&today, now),
            Input::Narrow { by, digest, plan } => self.narrow(by, digest, &plan, now),
            Input::Review { by, found, reviewers } => self.reviewed(by, found, &reviewers, now),
            Input::Withdraw { why } if self.phase == Phase::AwaitingApproval => {
                Ok(vec![Event::Withdrawn { why, at: now }])
            }
            Input::Withdraw { .. } => Err(Refusal::Stale),
            Input::Continue { by, revision, allowed, decision } => self.go_on(by, revision, allowed, &decision, now),
            Input::Stop { by, revision, allowed } => {
                let hold = self.held(revision)?;
                self.may_decide_hold(hold, &by, allowed)?;
                Ok(vec![Event::Stopped { hold: hold.number, by: Some(by.principal), at: now }])
            }
            Input::RollBack { by, revision, allowed } => {
                let hold = self.held(revision)?;
                self.may_decide_hold(hold, &by, allowed)?;
                if !self.has_way_back() {
                    return Err(Refusal::NoWayBack);
                }
                Ok(vec![Event::RollbackStarted { by: Some(by.principal), at: now }])
            }
            Input::Tick => Ok(self.tick(now).into_iter().collect()),
            Input::SlotHeld { shard, step, send, token, signed_at } => {
                self.may_send(shard, step, send)?;
                let targets = self.due_targets(shard);
                Ok(vec![Event::SendIntent { shard, step, send, targets, token, signed_at }])
            }
            Input::CannotSend { shard, step, send, cause } => {
                self.may_send(shard, step, send)?;
                let outcome = Some(Outcome::Denied);
                Ok(vec![Event::SendRefused { shard, step, send, cause, outcome, at: now }])
            }
            Input::Answered { shard, step, send, answer } => self.answered(shard, step, send, answer, now),
            Input::Reported { shard, step, results } => self.reported(shard, step, results, now),
            Input::Settle => self.settle(now),
            Input::PostBegun { key } => {
                if self.posts.contains_key(&key) || self.failed_posts.contains_key(&key) {
                    return Err(Refusal::Stale);
                }
                Ok(vec![Event::PostIntent { key, at: now }])
            }
            Input::Posted { key, message } => match self.posts.get(&key) {
                Some(None) => Ok(vec![Event::Posted { key, message, at: now }]),
                None | Some(Some(_)) => Err(Refusal::Stale),
            },
            Input::PostFailed { key, cause } => match self.posts.get(&key) {
                Some(None) => Ok(vec![Event::PostFailed { key, cause, at: now }]),
                None | Some(Some(_)) => Err(Refusal::Stale),
            },
        }
    }

    pub(super) fn is_waiting(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.phase {
            Phase::AwaitingApproval if self.proposal.decision.verdict != Verdict::PermitWithApproval => {
                Err(Refusal::NothingToApprove)
            }
            Phase::AwaitingApproval if self.is_agreed() => Err(Refusal::Started),
            Phase::AwaitingApproval if now >= self.expires_at() => Err(Refusal::Expired),
            Phase::AwaitingApproval => Ok(()),
            Phase::Running => Err(Refusal::Started),
            over @ (Phase::Finished | Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn) => {
                Err(Refusal::Over(over))
            }
        }
    }

    /// What this person's yes to the plan as it stands would be.
    ///
    /// # Errors
    /// [`Refusal`] if it would not count.
    pub fn would_count(&self, by: &Asker, now: Timestamp) -> Result<Yes, Refusal> {
        self.is_waiting(now)?;
        self.may_decide(by, &self.votes())
    }

    pub(super) fn may_decide(&self, by: &Asker, votes: &[Vote<'_>]) -> Result<Yes, Refusal> {
        may_approve(&self.proposal.decision, &self.proposal.by, votes, by).map_err(Refusal::MayNotDecide)
    }

    fn cancel(&self, by: Principal, allowed: bool, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        if self.phase.is_over() {
            return Err(Refusal::Over(self.phase));
        }
        if self.stopping == Some(NotStarted::Cancelled) {
            return Err(Refusal::Stale);
        }
        if !allowed {
            return Err(Refusal::MayNotCancel);
        }
        Ok(vec![Event::Cancelled { by, at: now }])
    }

    fn may_send(&self, shard: u32, step: u32, send: u32) -> Result<(), Refusal> {
        // At least one target: a shard without one is over.
        let due = self.owes(&super::Effect::Send { shard, step, send });
        if due { Ok(()) } else { Err(Refusal::Stale) }
    }

    /// Whether the call that an intent announced may still be made: nobody has cancelled the run since, and neither its
    /// deadline nor the end of its error budget has stopped it.
    #[must_use]
    pub fn may_call(&self, shard: u32, step: u32, send: u32) -> bool {
        // Nodes between two steps are finished where others fail: half done is worse.
        let stopped = self.stopping.is_some_and(|why| why != NotStarted::ErrorBudget || step == 0);
        self.owes(&super::Effect::Answer { shard, step, send }) && !stopped
    }

    fn answered(
        &self,
        shard: u32,
        step: u32,
        send: u32,
        answer: Answer,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let progress = self.shards.get(shard as usize).ok_or(Refusal::Stale)?;
        let unsure = match progress.state {
            SendState::Intent { .. } => false,
            SendState::Unsure { .. } => true,
            SendState::Waiting | SendState::Sent { .. } | SendState::Over => return Err(Refusal::Stale),
        };
        if progress.step != step || progress.sends != send {
            return Err(Refusal::Stale);
        }
        let at = now;
        Ok(vec![match answer {
            Answer::Taken { command, adopted } => Event::Sent { shard, step, send, command, adopted, at },
            Answer::Absent if unsure => Event::SendAbsent { shard, step, send, at },
            Answer::Unverifiable { cause } if unsure => {
                Event::SendRefused { shard, step, send, cause, outcome: Some(Outcome::Unknown), at }
            }
            // Once unsure, only a find or the end of AWS's own expiry settles it.
            _ if unsure => return Err(Refusal::Stale),
            Answer::Absent | Answer::Unverifiable { .. } => return Err(Refusal::Stale),
            Answer::Refused { cause } => {
                Event::SendRefused { shard, step, send, cause, outcome: Some(Outcome::Denied), at }
            }
            Answer::NotTaken { cause } => Event::SendRefused { shard, step, send, cause, outcome: None, at },
            Answer::Gone { targets } => Event::NodesGone { shard, step, send, targets, at },
            Answer::Unknown { cause } => Event::SendUnknown { shard, step, send, cause, at },
        }])
    }

    /// Keeps what is news: late, repeated and foreign reports change nothing.
    fn reported(&self, shard: u32, step: u32, results: Vec<NodeReport>, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let progress = self.shards.get(shard as usize).ok_or(Refusal::Stale)?;
        let SendState::Sent { targets, .. } = &progress.state else { return Err(Refusal::Stale) };
        if progress.step != step {
            return Err(Refusal::Stale);
        }
        let mut seen = std::collections::BTreeSet::new();
        let news: Vec<NodeReport> = results
            .into_iter()
            .filter(|r| targets.contains(&r.target) && self.awaits(r.target, step) && seen.insert(r.target))
            .collect();
        if news.is_empty() {
            return Err(Refusal::Stale);
        }
        Ok(vec![Event::Reported { shard, step, results: news, at: now }])
    }

    fn settle(&self, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let at = now;
        Ok(vec![match self.turn().ok_or(Refusal::Stale)? {
            Turn::Finish => Event::Finished { at },
            Turn::StopForErrors => Event::BudgetSpent { errors: self.counts.errors(), at },
            Turn::RollBack => Event::RollbackStarted { by: None, at },
            Turn::Hold(cause) => {
                let hold = u32::try_from(self.holds.len()).unwrap_or(u32::MAX).saturating_add(1);
                let until = now.saturating_add(self.waits_for(&cause)).unwrap_or(Timestamp::MAX);
                Event::Held { hold, cause, until, at }
            }
        }])
    }
}
