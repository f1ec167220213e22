//! A run that overrides rules in an emergency: channels are told before it starts, and somebody looks at it afterwards.
//!
//! It starts only once every notice stands. Until its review is closed it is not settled, so that a restart forgets it no
//! more than it forgets a send.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::{ChannelRef, GroupName, Millis, Principal, Timestamp};
use crate::policy::{Asker, Vote, may_review};

use super::decide::Refusal;
use super::event::{Event, PostKey};
use super::state::{Approval, Phase, Run};

/// What breaking the glass owes, as the rules were when it was proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glass {
    /// Told before it starts, in this order; at least one.
    pub notify: Vec<ChannelRef>,
    /// One of these closes the review.
    pub review: Vec<GroupName>,
    /// After its end.
    pub review_within: Millis,
}

/// Somebody has looked at what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    pub by: Principal,
    pub found: String,
    pub at: Timestamp,
}

impl Run {
    fn told_channels(&self) -> impl Iterator<Item = u32> {
        let channels = self.proposal.glass.as_ref().map_or(0, |glass| glass.notify.len());
        (1..).take(channels)
    }

    /// Every channel has been told, or could not be.
    pub(super) fn glass_is_told(&self) -> bool {
        self.told_channels().all(|n| {
            let key = PostKey::Alert(n);
            self.failed_posts.contains_key(&key) || matches!(self.posts.get(&key), Some(Some(_)))
        })
    }

    /// Why it may not start: a channel could not be told.
    #[must_use]
    pub fn untold(&self) -> Option<String> {
        let cause = self.told_channels().find_map(|n| self.failed_posts.get(&PostKey::Alert(n)))?;
        Some(format!("a channel that has to be told before a rule is overridden could not be told: {cause}"))
    }

    /// The notices that are owed: while it is about to start, and whatever becomes of it once they were begun.
    pub(super) fn alerts_owed(&self) -> impl Iterator<Item = PostKey> {
        let about_to = self.phase == Phase::AwaitingApproval && self.is_agreed();
        let begun = |key: &PostKey| matches!(self.posts.get(key), Some(None));
        self.told_channels().map(PostKey::Alert).filter(move |key| about_to || begun(key))
    }

    /// It overrode rules, is over, and nobody has looked at it yet.
    #[must_use]
    pub fn owes_review(&self) -> bool {
        self.proposal.glass.is_some() && self.started.is_some() && self.phase.is_over() && self.review.is_none()
    }

    /// Until when somebody should have looked at it.
    #[must_use]
    pub fn review_by(&self) -> Option<Timestamp> {
        let within = self.proposal.glass.as_ref()?.review_within.signed();
        self.ended?.saturating_add(within).ok()
    }

    /// When it has to be said that nobody did.
    pub(super) fn review_alarm(&self) -> Option<Timestamp> {
        let waits = self.owes_review() && !self.review_late;
        self.review_by().filter(|_| waits)
    }

    /// What is owed in words about the review: in each channel that was told that somebody has to, and where nobody has in
    /// time; and that it is closed.
    pub(super) fn review_posts(&self) -> Vec<PostKey> {
        if !self.owes_review() {
            return self.review.iter().map(|_| PostKey::Reviewed).collect();
        }
        let late = self.told_channels().filter(|_| self.review_late).map(PostKey::Overdue);
        self.told_channels().map(PostKey::Review).chain(late).collect()
    }

    /// Somebody of `reviewers` has looked at it and found this.
    ///
    /// # Errors
    /// [`Refusal`] if no review of it is owed, or not by this person.
    pub(super) fn reviewed(
        &self,
        by: Asker,
        found: String,
        reviewers: &BTreeSet<GroupName>,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        if self.proposal.glass.is_some() && self.phase == Phase::Running {
            return Err(Refusal::NotOver);
        }
        if !self.owes_review() {
            return Err(Refusal::NoReview);
        }
        let decided = self.holds.iter().filter_map(|hold| hold.ended.as_ref()?.1.as_ref());
        let decided = decided.map(|by| Vote { by, stands_for: None, groups: &[] });
        let votes = self.holds.iter().flat_map(|hold| &hold.votes).chain(&self.approvals).map(Approval::vote);
        let agreed: Vec<Vote<'_>> = votes.chain(decided).collect();
        may_review(reviewers, &self.proposal.by, &agreed, &by).map_err(Refusal::MayNotReview)?;
        Ok(vec![Event::Reviewed { by: by.principal, found, at: now }])
    }
}
