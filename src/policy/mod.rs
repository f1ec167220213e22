//! Principal + Plan -> [`Decision`], with its reasons. Pure: `now` and the facts about people are inputs.
//!
//! [`PolicySet`] holds the checked rules, [`decide()`] answers one [`Request`], [`approve`] says when a quorum is met,
//! [`stricter`] joins the decision at proposal with the one of today's policy, [`view`] says who may read, [`halt`] who may stop everything.

pub mod approve;
pub mod decide;
pub mod diff;
pub mod glass;
mod fits;
mod ground;
pub mod halt;
pub mod lint;
pub mod load;
pub mod offer;
pub mod reach;
pub mod request;
pub mod restrict;
pub mod selftest;
pub mod set;
mod specimen;
pub mod view;
pub mod words;

pub use approve::{CannotApprove, Vote, Yes, may_approve, quorum_met, waiting_for};
pub use decide::{could_break_glass, decide, decide_in_emergency, may_run_at_all, narrowed};
pub use diff::{Difference, Side, diff};
pub use glass::may_review;
pub use halt::{CannotHalt, may_halt, may_resume};
pub use lint::{Advice, unclassified};
pub use load::load;
pub use offer::{could_run, imaginable_tags, values_left};
pub use reach::{Share, who_can};
pub use request::{Asker, Moment, Request, RunbookFacts, TargetFacts, targets_of};
pub use restrict::stricter;
pub use selftest::SelfTest;
pub use set::{BUILT_IN, GLASS, PolicySet};
pub use view::{may_show_in_shared, may_view, views_of_others};

use serde::{Deserialize, Serialize};

use crate::domain::{GroupName, Millis};

/// What the policy says to one plan of one principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub verdict: Verdict,
    /// Empty unless the verdict is `PermitWithApproval`.
    pub quorum: Vec<Seats>,
    /// How long a request waits for its approvals: the shortest of the rules that fired.
    pub expires: Option<Millis>,
    /// Rules that made the decision, or, for a refusal, the false clauses of the closest grant.
    pub reasons: Vec<Reason>,
    /// Rules that stand in the way and do not count in this emergency, each with what it says; by their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overridden: Vec<Reason>,
    /// Groups whose members could run it as asked, for a refusal's "who could".
    pub could: Vec<GroupName>,
}

/// In the order of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Permit,
    PermitWithApproval,
    Forbid,
}

/// So many different people of one group, none of them the requester.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    pub group: GroupName,
    pub count: u32,
    /// Ids of the rules that ask for them.
    pub rules: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Id of the grant, forbid or approval rule.
    pub rule: String,
    /// One fragment for people, such as `60 targets asked, at most 48 allowed`.
    pub text: String,
}
