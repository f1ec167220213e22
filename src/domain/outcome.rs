//! How it ended for one node, and counts that always add up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One node's end. Every target of a run ends in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every step exited 0 and every expectation was met.
    Succeeded,
    /// A step exited non-zero, or an expectation was not met.
    Failed,
    /// The execution timeout ended it. It ran, in part.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
    /// SSM could not deliver it: the agent did not answer in time, or the node is gone. A lost reply reads
    /// the same, so after a delivery timeout the script may have run.
    Undeliverable,
    /// AWS refused: the role, the session or the document did not allow it.
    Denied,
    /// Nothing was sent to it, and why.
    NotStarted(NotStarted),
    /// A send whose fate could not be established. It may have run.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotStarted {
    /// The node was offline when the plan was made and the runbook skips offline nodes.
    Offline,
    /// The error budget was spent before its turn.
    ErrorBudget,
    /// The run was cancelled before its turn.
    Cancelled,
    /// The run's policy decision was withdrawn before its turn.
    Withdrawn,
    /// The run was stopped while it was held, by a person or because nobody decided in time.
    Stopped,
    /// The run's own deadline passed before its turn.
    Deadline,
}

impl NotStarted {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NotStarted::Offline => "offline",
            NotStarted::ErrorBudget => "error budget spent",
            NotStarted::Cancelled => "run cancelled",
            NotStarted::Withdrawn => "permission withdrawn",
            NotStarted::Stopped => "stopped while held",
            NotStarted::Deadline => "deadline passed",
        }
    }
}

impl Outcome {
    /// Counts against the error budget: every class of failure does, also those that SSM does not count.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Outcome::Failed | Outcome::TimedOut | Outcome::Undeliverable | Outcome::Denied | Outcome::Unknown => true,
            Outcome::Succeeded | Outcome::Cancelled | Outcome::NotStarted(_) => false,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::TimedOut => "timed out",
            Outcome::Cancelled => "cancelled",
            Outcome::Undeliverable => "undeliverable",
            Outcome::Denied => "denied",
            Outcome::NotStarted(_) => "not started",
            Outcome::Unknown => "unknown",
        }
    }
}
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::NotStarted(why) => write!(f, "not started ({})", why.as_str()),
            other => f.pad(other.as_str()),
        }
    }
}

/// How many nodes ended how. `total` is fixed by the plan; `pending` is what has not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub total: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub timed_out: u32,
    pub cancelled: u32,
    pub undeliverable: u32,
    pub denied: u32,
    pub not_started: u32,
    pub unknown: u32,
}

impl Counts {
    #[must_use]
    pub fn of(total: u32, outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let mut counts = Counts { total, ..Counts::default() };
        outcomes.into_iter().for_each(|o| counts.add(o));
        counts
    }
    pub fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Succeeded => &mut self.succeeded,
            Outcome::Failed => &mut self.failed,
            Outcome::TimedOut => &mut self.timed_out,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Undeliverable => &mut self.undeliverable,
            Outcome::Denied => &mut self.denied,
            Outcome::NotStarted(_) => &mut self.not_started,
            Outcome::Unknown => &mut self.unknown,
        } += 1;
    }
    #[must_use]
    pub fn ended(&self) -> u32 {
        self.succeeded
            + self.failed
            + self.timed_out
            + self.cancelled
            + self.undeliverable
            + self.denied
            + self.not_started
            + self.unknown
    }
    /// Nodes that have not ended yet: what is left to make the parts add up to the whole.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.total - self.ended()
    }
    /// What the error budget counts.
    #[must_use]
    pub fn errors(&self) -> u32 {
        self.failed + self.timed_out + self.undeliverable + self.denied + self.unknown
    }
}
