//! `effects(state)`: what a run still owes the world. The same after a crash as before it.

use std::collections::BTreeSet;

use crate::domain::Timestamp;
use crate::policy::Verdict;

use super::event::PostKey;
use super::state::{Phase, Run, SendState, ShardProgress};

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
    /// What is owed now. Looks at what [`Run::motion`] says is open or waiting, never at targets.
    #[must_use]
    pub fn effects(&self) -> BTreeSet<Effect> {
        let mut due = BTreeSet::new();
        self.posts_owed(&mut due);
        self.permission_owed(&mut due);
        if self.phase == Phase::Running {
            self.sends_owed(&mut due);
        }
        due
    }

    /// Nothing is owed and nothing will be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let mut due = BTreeSet::new();
        self.posts_owed(&mut due);
        self.phase.is_over() && due.is_empty()
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

    /// What is owed on the way to the start.
    fn permission_owed(&self, due: &mut BTreeSet<Effect>) {
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
            Phase::Running | Phase::Finished | Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => {
            }
        }
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
        if self.owes_settling() {
            due.insert(Effect::Settle);
        }
        for id in self.motion.open() {
            let ShardProgress { step, sends: send, state } = &self.shards[id as usize];
            let (shard, step, send) = (id, *step, *send);
            match state {
                SendState::Waiting | SendState::Over => {}
                SendState::Intent { .. } => {
                    due.insert(Effect::Answer { shard, step, send });
                }
                SendState::Unsure { .. } => {
                    due.insert(Effect::LookUp { shard, step, send });
                }
                SendState::Sent { .. } => {
                    due.insert(Effect::Watch { shard, step, send });
                    if self.cancelled_by.is_some() {
                        due.insert(Effect::CancelCommand { shard, step, send });
                    }
                }
            }
        }
        due.extend(self.due_sends().map(|shard| self.next_send(shard)));
    }

    fn owes_settling(&self) -> bool {
        let too_many = self.counts.errors() > self.proposal.plan.max_errors;
        self.counts.pending() == 0 || (!self.budget_spent && too_many && self.motion.has_unstarted())
    }

    /// Shards of the wave being run that fit into what may be in flight.
    fn due_sends(&self) -> impl Iterator<Item = u32> {
        let most = if self.owes_settling() { 0 } else { self.proposal.plan.max_in_flight };
        self.motion.fitting(self.wave, most.saturating_sub(self.motion.in_flight()))
    }

    fn next_send(&self, shard: u32) -> Effect {
        let ShardProgress { step, sends, .. } = &self.shards[shard as usize];
        Effect::Send { shard, step: *step, send: sends + 1 }
    }

    /// Whether this effect is owed: the same as looking for it in [`Run::effects`], without making them all.
    #[must_use]
    pub fn owes(&self, effect: &Effect) -> bool {
        let progress = |shard: u32, step: u32, send: u32| {
            let open = self.shards.get(shard as usize).filter(|_| self.phase == Phase::Running);
            open.filter(|p| p.step == step && p.sends == send).map(|p| &p.state)
        };
        match effect {
            Effect::Send { shard, .. } => {
                self.phase == Phase::Running
                    && self.due_sends().any(|due| due == *shard)
                    && self.next_send(*shard) == *effect
            }
            Effect::Answer { shard, step, send } => {
                matches!(progress(*shard, *step, *send), Some(SendState::Intent { .. }))
            }
            Effect::LookUp { shard, step, send } => {
                matches!(progress(*shard, *step, *send), Some(SendState::Unsure { .. }))
            }
            Effect::Watch { shard, step, send } => {
                matches!(progress(*shard, *step, *send), Some(SendState::Sent { .. }))
            }
            Effect::CancelCommand { shard, step, send } => {
                self.cancelled_by.is_some() && matches!(progress(*shard, *step, *send), Some(SendState::Sent { .. }))
            }
            Effect::Settle => self.phase == Phase::Running && self.owes_settling(),
            Effect::Post(_) | Effect::SettlePost(_) | Effect::TellUnposted | Effect::Start | Effect::Expire(_) => {
                let mut due = BTreeSet::new();
                self.posts_owed(&mut due);
                self.permission_owed(&mut due);
                due.contains(effect)
            }
        }
    }
}
