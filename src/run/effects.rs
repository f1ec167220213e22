//! `effects(state)`: what a run still owes the world. The same after a crash as before it.

use std::collections::BTreeSet;

use crate::domain::Timestamp;

use super::event::PostKey;
use super::standing::Notice;
use super::state::{Phase, Run};

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
    /// Look at the clock at this time: the request expires, a hold is over, or the run's deadline has come.
    Alarm(Timestamp),
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
    /// Say in the journal what the run has come to: its end, the end of its error budget, a hold, the way back.
    Settle,
}

impl Run {
    /// What is owed now. Kept by `evolve`: asking costs nothing, however large the run is.
    #[must_use]
    pub fn effects(&self) -> &BTreeSet<Effect> {
        self.motion.due()
    }

    #[must_use]
    pub fn owes(&self, effect: &Effect) -> bool {
        self.effects().contains(effect)
    }

    /// Nothing is owed and nothing will be: neither by Muster nor, where it overrode rules, by whoever reviews it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.phase.is_over() && self.effects().is_empty() && !self.owes_review()
    }

    /// What is owed beside sending: posts, and what leads to the start.
    pub(super) fn owed_on_the_way(&self) -> BTreeSet<Effect> {
        let mut due = BTreeSet::new();
        self.posts_owed(&mut due);
        self.permission_owed(&mut due);
        due
    }

    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        let wait = self.proposal.decision.expires.map_or(EXPIRES_DEFAULT, |m| m.signed());
        self.waits_since.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// When it must have started: an agreed run has a little longer than the request, because its last approval may
    /// come in the last second.
    #[must_use]
    pub fn start_by(&self) -> Timestamp {
        if !self.is_agreed() {
            return self.expires_at();
        }
        // Approvals of an earlier run are older than the proposal.
        let agreed = self.approvals.iter().map(|a| a.at).chain([self.proposal.at]).max().unwrap_or(self.proposal.at);
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
                if self.is_agreed() && self.root_posted() && self.glass_is_told() {
                    due.insert(Effect::Start);
                }
                due.insert(Effect::Alarm(self.start_by()));
                due.extend(self.reminds_at().map(Effect::Alarm));
            }
            Phase::AwaitingApproval => {
                due.insert(Effect::TellUnposted);
            }
            Phase::Running => due.extend(self.alarm().map(Effect::Alarm)),
            Phase::Finished => due.extend(self.review_alarm().map(Effect::Alarm)),
            Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => {}
        }
    }

    /// Somebody still has to hear of it: who may approve, while the question stands there and is open; and whoever asked, of a
    /// part.
    fn concerns(&self, notice: &Notice) -> bool {
        match notice {
            Notice::MoreAsked { .. } | Notice::TooFew | Notice::HalfTime { .. } => {
                self.awaits_approval() && matches!(self.posts.get(&PostKey::Ask), Some(Some(_)))
            }
            Notice::Narrowed { .. } => true,
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
        if self.asked {
            owe(PostKey::Ask);
        }
        // Not where it is decided before it was asked there.
        if self.asked && self.awaits_approval() {
            (1..).zip(&self.proposal.asking.at).for_each(|(number, _)| owe(PostKey::AskAt(number)));
        }
        (1..).zip(&self.notices).filter(|(_, notice)| self.concerns(notice)).for_each(|(n, _)| owe(PostKey::Notice(n)));
        self.alerts_owed().chain(self.review_posts()).for_each(&mut owe);
        self.holds.iter().for_each(|hold| owe(PostKey::Hold(hold.number)));
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
}
