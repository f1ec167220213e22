//! Facts of a run. Append-only; the journal is the truth and memory is a fold of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{CommandId, Digest, GroupName, MessageRef, Outcome, Principal, Timestamp};

use crate::plan::Plan;
use crate::policy::Decision;

use super::standing::Lapsed;
use super::state::{Approval, Proposal};

/// One fact. The wire form is tagged by `event` in snake case; a new meaning gets a new name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A plan was made and decided on. Always the first.
    Proposed(Box<Proposal>),
    /// One principal's yes to one plan digest, with the groups whose seats that person can fill.
    Approved {
        by: Principal,
        /// The person's account in the requester's tenant, where it is not `by`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stands_for: Option<Principal>,
        groups: Vec<GroupName>,
        digest: Digest,
        at: Timestamp,
    },
    /// One no ends the request.
    Denied {
        by: Principal,
        why: String,
        at: Timestamp,
    },
    /// Nobody decided in time.
    Expired {
        at: Timestamp,
    },
    /// Cancelled by a person. Before the start nothing was sent; after it no new send is made.
    Cancelled {
        by: Principal,
        at: Timestamp,
    },
    /// The current policy no longer permits it.
    Withdrawn {
        why: String,
        at: Timestamp,
    },
    /// Rules or memberships have changed, and with them what is asked for or who has agreed: both as they stand now.
    Reconsidered {
        decision: Box<Decision>,
        /// Revision of the policy files that decided.
        policy: Digest,
        approvals: Vec<Approval>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lapsed: Vec<Lapsed>,
        at: Timestamp,
    },
    /// An approver agrees to a part of the plan only: from here on that part is the plan.
    Narrowed {
        by: Principal,
        plan: Box<Plan>,
        digest: Digest,
        at: Timestamp,
    },
    /// Those who may approve were to be reminded.
    Reminded {
        at: Timestamp,
    },
    /// A run that overrode rules was looked at by somebody else.
    Reviewed {
        by: Principal,
        /// What that person found.
        found: String,
        at: Timestamp,
    },
    /// Nobody has looked at it in time. The review is still owed.
    ReviewLate {
        at: Timestamp,
    },
    /// From here on sends may happen.
    Started {
        at: Timestamp,
    },
    /// Written before the call to AWS, so that a crash cannot hide a send.
    SendIntent {
        shard: u32,
        step: u32,
        /// Counts the sends of this shard and step within the try, from 1.
        send: u32,
        /// Indices into the plan's targets.
        targets: Vec<u32>,
        token: String,
        /// The time the request is signed with: AWS rejects it `request_expiry` later.
        signed_at: Timestamp,
    },
    /// AWS took it. `adopted`: the answer was lost and the command was found by its token.
    Sent {
        shard: u32,
        step: u32,
        send: u32,
        command: CommandId,
        adopted: bool,
        at: Timestamp,
    },
    /// AWS definitely did not take it; `outcome` ends its targets for good, `None` allows a new send at once.
    SendRefused {
        shard: u32,
        step: u32,
        send: u32,
        cause: String,
        outcome: Option<Outcome>,
        at: Timestamp,
    },
    /// These nodes are gone: AWS refused the whole call because of them. The rest is sent anew.
    NodesGone {
        shard: u32,
        step: u32,
        send: u32,
        targets: Vec<u32>,
        at: Timestamp,
    },
    /// No answer: AWS may or may not have taken it. It is looked for by its token, never sent blindly again.
    SendUnknown {
        shard: u32,
        step: u32,
        send: u32,
        cause: String,
        at: Timestamp,
    },
    /// AWS cannot have taken it any more, and has not: a new send may be made.
    SendAbsent {
        shard: u32,
        step: u32,
        send: u32,
        at: Timestamp,
    },
    /// One page of results of one step.
    Reported {
        shard: u32,
        step: u32,
        results: Vec<NodeReport>,
        at: Timestamp,
    },
    /// The error budget is spent: nothing further is started.
    BudgetSpent {
        errors: u32,
        at: Timestamp,
    },
    /// Nothing goes on until a person decides, or until `until`.
    Held {
        /// Counts the holds of the run, from 1.
        hold: u32,
        cause: HoldCause,
        until: Timestamp,
        at: Timestamp,
    },
    /// One principal's yes at a gate, with the groups whose seats that person can fill.
    GateApproved {
        hold: u32,
        by: Principal,
        /// As of `Approved`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stands_for: Option<Principal>,
        groups: Vec<GroupName>,
        at: Timestamp,
    },
    /// A person let it go on to the next wave.
    Continued {
        hold: u32,
        by: Principal,
        at: Timestamp,
    },
    /// A person stopped it while it was held; nobody: its time was over.
    Stopped {
        hold: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Principal>,
        at: Timestamp,
    },
    /// What was touched is rolled back. Nobody: a step's `on_failure` asks for it.
    RollbackStarted {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Principal>,
        at: Timestamp,
    },
    /// The run's own deadline has passed: nothing further is started and what runs is cancelled.
    Overdue {
        at: Timestamp,
    },
    /// Every target has ended.
    Finished {
        at: Timestamp,
    },
    /// Written before the call to the chat platform.
    PostIntent {
        key: PostKey,
        at: Timestamp,
    },
    Posted {
        key: PostKey,
        message: MessageRef,
        at: Timestamp,
    },
    /// The platform refused it for good; it is not tried again.
    PostFailed {
        key: PostKey,
        cause: String,
        at: Timestamp,
    },
}

/// Why a run is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HoldCause {
    /// Before this wave, from 0: the runbook holds after every wave, or nodes failed in the ones before.
    Wave { wave: u32, errors: u32 },
    /// Before this step of this wave: its gate asks people.
    Gate { wave: u32, step: u32 },
    /// It ended badly or was stopped, and there is a way back.
    WayBack,
}

/// What one node did in one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Index into the plan's targets.
    pub target: u32,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Key of its redacted output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Digest>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Key of the cut part that SSM lists, where `output` was read further than that. Others of the same part may not have
    /// been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Digest>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extracted: BTreeMap<String, String>,
    /// Expectations not met: name, wanted, found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<(String, String, Option<String>)>,
    /// It is certain that the step did not run on the node at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_run: bool,
}

impl NodeReport {
    /// A report that says nothing yet: an unknown outcome.
    #[must_use]
    pub fn blank(target: u32) -> Self {
        NodeReport {
            target,
            outcome: Outcome::Unknown,
            exit_code: None,
            cause: None,
            output: None,
            cut: false,
            listed: None,
            extracted: BTreeMap::new(),
            unmet: Vec::new(),
            not_run: false,
        }
    }
}

/// The messages a run owes, each posted once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostKey {
    /// The living card; its thread holds the rest.
    Root,
    /// The request for approval, in the thread.
    Ask,
    /// The results, in the thread, with the long outputs as a file beside them.
    Results,
    /// The request for approval in another place, by its number in [`Asking::at`](super::Asking::at), from 1.
    AskAt(u32),
    /// What whoever waits has to hear of while it waits, in the thread: by its number, from 1.
    Notice(u32),
    /// That rules are overridden, in a channel that has to be told before it starts: by its number in
    /// [`Glass::notify`](super::Glass::notify), from 1. It is edited as the run goes on.
    Alert(u32),
    /// That somebody has to look at it, in the same channel: it has ended. Edited until somebody has.
    Review(u32),
    /// That nobody has looked at it in time, in the same channel.
    Overdue(u32),
    /// That somebody has, in the thread.
    Reviewed,
    /// The question that a hold asks, by its number.
    Hold(u32),
    /// The short reply that mentions the requester when it is over.
    Closing,
}

/// Its part of the key that finds the message again.
impl fmt::Display for PostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PostKey::Root => f.write_str("root"),
            PostKey::Ask => f.write_str("ask"),
            PostKey::Results => f.write_str("results"),
            PostKey::AskAt(number) => write!(f, "ask-{number}"),
            PostKey::Notice(number) => write!(f, "notice-{number}"),
            PostKey::Alert(number) => write!(f, "alert-{number}"),
            PostKey::Review(number) => write!(f, "review-{number}"),
            PostKey::Overdue(number) => write!(f, "overdue-{number}"),
            PostKey::Reviewed => f.write_str("reviewed"),
            PostKey::Hold(number) => write!(f, "hold-{number}"),
            PostKey::Closing => f.write_str("closing"),
        }
    }
}
