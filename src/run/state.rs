//! The state of a run: what its events fold to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    ChannelRef, CommandId, Counts, Digest, GroupName, MessageRef, NotStarted, Outcome, Place, Principal, RunId,
    Timestamp,
};
use crate::plan::Plan;
use crate::policy::{Decision, Vote};

use super::event::{HoldCause, NodeReport, PostKey};
use super::glass::{Glass, Review};
use super::motion::Motion;
use super::retry::Retry;
use super::standing::Notice;

/// What was asked, planned and decided: the first event of every run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    pub run: RunId,
    pub by: Principal,
    /// Who that is outside chat, where the policy says so: what AWS is told as the source identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Where it was asked. The root card is posted here; if it names a thread, the card stands in it.
    pub place: Place,
    /// What the person typed, with secrets taken out.
    pub request: String,
    /// Why, where the person said so.
    pub reason: Option<String>,
    /// Shared, because it can hold 48,000 targets and never changes.
    pub plan: Arc<Plan>,
    pub digest: Digest,
    pub decision: Decision,
    /// Revision of the policy files that decided.
    pub policy: Digest,
    /// Who is asked where, besides the thread.
    #[serde(default, skip_serializing_if = "Asking::is_empty")]
    pub asking: Asking,
    /// Rules are overridden in an emergency: `reason` is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glass: Option<Glass>,
    /// It goes on where another run left off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    pub at: Timestamp,
}

/// How those are asked who may approve, as the rules and the memberships were when it was proposed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<AskAt>,
    /// All who may approve, together, are too few.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub too_few: bool,
    /// Groups that are told where nobody can approve, or has by half of the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalate: Vec<GroupName>,
}

impl Asking {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A place besides the thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskAt {
    Channel(ChannelRef),
    Person(Principal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    AwaitingApproval,
    Running,
    /// Every target has ended.
    Finished,
    Denied,
    Expired,
    /// Cancelled before anything was sent.
    Cancelled,
    /// The policy no longer permits it; nothing was sent.
    Withdrawn,
}

impl Phase {
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Phase::AwaitingApproval | Phase::Running => false,
            Phase::Finished | Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => true,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: Principal,
    /// As of [`Event::Approved`](super::Event::Approved).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<Principal>,
    pub groups: Vec<GroupName>,
    pub at: Timestamp,
}

impl Approval {
    #[must_use]
    pub fn vote(&self) -> Vote<'_> {
        Vote { by: &self.by, stands_for: self.stands_for.as_ref(), groups: &self.groups }
    }
}

/// A plan that an approver has narrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowed {
    pub by: Principal,
    /// Digest and number of targets of the plan before.
    pub from: Digest,
    pub targets: u32,
    /// The run's revision from which on the smaller plan stands: a button that is older is about the plan before.
    pub revision: u32,
}

/// One target: where it stands and, once it has ended, how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetState {
    pub outcome: Option<Outcome>,
    /// The last report of each step, in step order.
    pub reports: Vec<(u32, NodeReport)>,
    /// Why it ended without a report, such as a refusal by AWS.
    pub cause: Option<String>,
    /// The step that it takes next, or in which it ended. Steps that do not concern it are passed over.
    pub step: u32,
    /// A step ran on it, or may have.
    pub touched: bool,
    /// How its rollback ended.
    pub rolled_back: Option<Outcome>,
    /// What the rollback reported; it stands apart from the steps, whose outcome it does not change.
    pub rollback: Option<NodeReport>,
}

/// Nothing goes on until a person decides, or until its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// From 1.
    pub number: u32,
    pub cause: HoldCause,
    pub since: Timestamp,
    pub until: Timestamp,
    /// The run's revision when it began: a button that is older is not about it.
    pub revision: u32,
    /// Yeses at a gate.
    pub votes: Vec<Approval>,
    pub ended: Option<(HoldEnd, Option<Principal>, Timestamp)>,
}

/// How a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldEnd {
    Continued,
    Stopped,
    /// Nobody decided in time, which is a stop.
    TimedOut,
    RolledBack,
    /// The run was cancelled, or its deadline passed.
    Overtaken,
}

/// The way back over what was touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// Nobody: a step's `on_failure` asked for it.
    pub by: Option<Principal>,
    pub at: Timestamp,
    /// Of the touched targets.
    pub counts: Counts,
    pub overdue: bool,
}

/// Where one shard stands in its current step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardProgress {
    pub step: u32,
    /// Sends made of this step so far.
    pub sends: u32,
    pub state: SendState,
}

impl ShardProgress {
    /// Before its first send.
    pub(super) fn waiting() -> Self {
        ShardProgress { step: 0, sends: 0, state: SendState::Waiting }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendState {
    /// Waiting for its wave and for room.
    Waiting,
    /// The intent is written; the call may be on its way.
    Intent { token: String, targets: Vec<u32>, signed_at: Timestamp },
    /// AWS took it; results are awaited.
    Sent { command: CommandId, token: String, targets: Vec<u32>, signed_at: Timestamp, at: Timestamp },
    /// No answer; it is being looked for by its token.
    Unsure { token: String, targets: Vec<u32>, signed_at: Timestamp, cause: String },
    /// Nothing left to do.
    Over,
}

/// One run, as its events fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    /// What was asked and planned, and what the policy says to it: as it stands now. While it waits an approver may narrow the
    /// plan, and a change of the rules may ask for more; the journal holds what was proposed first.
    pub proposal: Proposal,
    pub phase: Phase,
    pub approvals: Vec<Approval>,
    /// Somebody was asked for approval at some time.
    pub asked: bool,
    /// Since when it waits for what is asked now: since it was proposed, or since more was asked.
    pub waits_since: Timestamp,
    /// What whoever waits has to hear of, in order.
    pub notices: Vec<Notice>,
    /// The plans before the one that stands, in order.
    pub narrowed: Vec<Narrowed>,
    /// Who denied or cancelled it and why, or why it was withdrawn.
    pub ended_by: Option<(Option<Principal>, String)>,
    /// When sends were allowed.
    pub started: Option<Timestamp>,
    /// When nodes told last how they ended.
    pub reported: Option<Timestamp>,
    /// When the run was over, however it ended.
    pub ended: Option<Timestamp>,
    /// Somebody cancelled it after the start.
    pub cancelled_by: Option<Principal>,
    pub budget_spent: bool,
    /// Its own deadline passed.
    pub overdue: bool,
    /// Why nothing further is started. A rollback begins anew.
    pub stopping: Option<NotStarted>,
    /// Every hold, in order; only the last can be open.
    pub holds: Vec<Hold>,
    /// The last wave that people let it go on to.
    pub released: u32,
    /// Failures that people knew of when they let it go on.
    pub accepted_errors: u32,
    /// Gates passed: wave and step.
    pub gates: BTreeSet<(u32, u32)>,
    /// A node failed in a step whose failure asks for a rollback.
    pub wants_rollback: bool,
    /// A person, or the end of a hold, decided against the way back.
    pub no_way_back: bool,
    pub rollback: Option<Rollback>,
    /// Somebody has looked at what it overrode.
    pub review: Option<Review>,
    /// It was said that nobody has in time.
    pub review_late: bool,
    /// One for each of the plan's targets.
    pub targets: Vec<TargetState>,
    /// One for each of the plan's shards.
    pub shards: Vec<ShardProgress>,
    /// The wave being run, from 0.
    pub wave: u32,
    pub counts: Counts,
    /// Posts intended and made: `None` is an intent without a known result.
    pub posts: BTreeMap<PostKey, Option<MessageRef>>,
    /// Posts that the platform refused, with the cause.
    pub failed_posts: BTreeMap<PostKey, String>,
    /// What `effects` need to know of shards and targets, kept by `evolve`.
    pub motion: Motion,
    /// Number of events folded; also the revision that buttons carry.
    pub revision: u32,
}
