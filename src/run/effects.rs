//! `effects(state)`: what a run still owes the world. The same after a crash as before it.

use std::collections::BTreeSet;

use crate::domain::Timestamp;
use crate::policy::Verdict;

use super::event::PostKey;
use super::state::{Phase, Run, SendState};

/// How long a request waits for its approvals where no rule says otherwise.
pub const EXPIRES_DEFAULT: jiff::SignedDuration = jiff::SignedDuration::from_mins(30);

/// A run that is agreed to starts at once, or not at all: after a long outage people must be asked again.
pub const START_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// One thing owed. Carrying it out twice at the same time is prevented by its value: it is its own key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Write the intent and post it.
    Post(PostKey),
    /// The intent is written and the result is not known: find it, or post it again.
    SettlePost(PostKey),
    /// Tell the requester by another way: the root card cannot be posted.
    TellUnposted,
    /// Ask the current policy again and start, or withdraw.
    Start,
    /// The request expires at this time.
    Expire(Timestamp),
    /// Take a rate slot, write the intent, send.
    Send { shard: u32, step: u32, send: u32 },
    /// The intent is written: the answer is on its way, or was lost with a crash.
    Answer { shard: u32, step: u32, send: u32 },
    /// Find the command by its token.
    LookUp { shard: u32, step: u32, send: u32 },
    /// Read the results of what was sent.
    Watch { shard: u32, step: u32, send: u32 },
    /// Tell AWS to stop what runs.
    CancelCommand { shard: u32, step: u32, send: u32 },
    /// The error budget is spent or every target has ended: say so in the journal.
    Settle,
}

impl Run {
    /// What is owed now. Looks at shards and posts, never at targets.
    #[must_use]
    pub fn effects(&self) -> BTreeSet<Effect> {
        let mut due = BTreeSet::new();
        self.posts_owed(&mut due);
        match self.phase {
            Phase::AwaitingApproval if !self.root_failed() => {
                if self.is_agreed() && self.root_posted() {
                    due.insert(Effect::Start);
                }
                due.insert(Effect::Expire(self.start_by()));
            }
            Phase::AwaitingApproval => {
                due.insert(Effect::TellUnposted);
            }
            Phase::Running => self.sends_owed(&mut due),
            Phase::Finished | Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => {}
        }
        due
    }

    /// Nothing is owed and nothing will be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.phase.is_over() && self.effects().is_empty()
    }

    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        let wait = self.proposal.decision.expires.map_or(EXPIRES_DEFAULT, |m| m.signed());
        self.proposal.at.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// When it must have started: an agreed run has a little longer than the request, because its last approval may
    /// come in the last second.
    #[must_use]
    pub fn start_by(&self) -> Timestamp {
        if !self.is_agreed() {
            return self.expires_at();
        }
        let agreed = self.approvals.iter().map(|a| a.at).max().unwrap_or(self.proposal.at);
        agreed.saturating_add(START_WITHIN).unwrap_or(Timestamp::MAX)
    }

    #[must_use]
    pub fn root_posted(&self) -> bool {
        matches!(self.posts.get(&PostKey::Root), Some(Some(_)))
    }

    fn root_failed(&self) -> bool {
        self.failed_posts.contains_key(&PostKey::Root)
    }

    fn posts_owed(&self, due: &mut BTreeSet<Effect>) {
        if self.root_failed() {
            return;
        }
        let mut owe = |key: PostKey| match self.posts.get(&key) {
            _ if self.failed_posts.contains_key(&key) => {}
            None => {
                due.insert(Effect::Post(key));
            }
            Some(None) => {
                due.insert(Effect::SettlePost(key));
            }
            Some(Some(_)) => {}
        };
        owe(PostKey::Root);
        if !self.root_posted() {
            return;
        }
        if self.proposal.decision.verdict == Verdict::PermitWithApproval {
            owe(PostKey::Ask);
        }
        match self.phase {
            Phase::AwaitingApproval | Phase::Running => {}
            Phase::Finished => {
                // In this order, so that the thread reads from the results to the last word.
                for key in [PostKey::Results, PostKey::Closing] {
                    owe(key.clone());
                    let settled = self.failed_posts.contains_key(&key) || matches!(self.posts.get(&key), Some(Some(_)));
                    if !settled {
                        break;
                    }
                }
            }
            Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => owe(PostKey::Closing),
        }
    }

    fn sends_owed(&self, due: &mut BTreeSet<Effect>) {
        let plan = &self.proposal.plan;
        if self.counts.pending() == 0
            || (!self.budget_spent && self.counts.errors() > plan.max_errors && self.has_unstarted())
        {
            due.insert(Effect::Settle);
        }
        let mut room = plan.max_in_flight.saturating_sub(self.in_flight());
        for (index, (shard, progress)) in plan.shards.iter().zip(&self.shards).enumerate() {
            let id = u32::try_from(index).unwrap_or(u32::MAX);
            let step = progress.step;
            let send = progress.sends;
            match &progress.state {
                SendState::Waiting if shard.wave == self.wave => {
                    let size = u32::try_from(self.due_targets(id).len()).unwrap_or(u32::MAX);
                    if !due.contains(&Effect::Settle) && size <= room {
                        room -= size;
                        due.insert(Effect::Send { shard: id, step, send: send + 1 });
                    }
                }
                SendState::Waiting | SendState::Over => {}
                SendState::Intent { .. } => {
                    due.insert(Effect::Answer { shard: id, step, send });
                }
                SendState::Unsure { .. } => {
                    due.insert(Effect::LookUp { shard: id, step, send });
                }
                SendState::Sent { .. } => {
                    due.insert(Effect::Watch { shard: id, step, send });
                    if self.cancelled_by.is_some() {
                        due.insert(Effect::CancelCommand { shard: id, step, send });
                    }
                }
            }
        }
    }

    fn has_unstarted(&self) -> bool {
        self.shards.iter().any(|s| s.step == 0 && s.state == SendState::Waiting)
    }
}
