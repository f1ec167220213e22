//! Runbook + arguments + inventory snapshot -> [`Plan`]: frozen targets, waves, shards, delivery, digest.

pub mod build;
pub mod digest;
mod part;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;

pub use build::{NoPlan, SHARD_MAX, build, pick, unfit};
use serde::{Deserialize, Serialize};

use crate::domain::{AccountId, Digest, Millis, NodePlatform, Region, RunbookName, Target, Unread};
use crate::runbook::{Arguments, HoldAfter, Risk, Step};

/// What people approve, and exactly what runs.
///
/// It carries everything a run needs, so that a run in progress does not depend on files that may change. Its digest is
/// over all fields, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Format version of the digest's fields.
    pub version: u32,
    pub runbook: RunbookName,
    pub revision: Digest,
    pub title: String,
    pub risk: Risk,
    pub owner: String,
    pub arguments: Arguments,
    pub delivery: Delivery,
    pub steps: Vec<Step>,
    /// Its index in events and tokens is the number of steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Step>,
    /// Sorted by account, region, node, without duplicates. Events name a target by its index here.
    pub targets: Vec<PlannedTarget>,
    pub shards: Vec<Shard>,
    /// Number of waves; every shard belongs to one.
    pub waves: u32,
    /// Nodes in flight over the whole run, at least 1.
    pub max_in_flight: u32,
    /// Failures over the whole run after which nothing further is started.
    pub max_errors: u32,
    #[serde(default)]
    pub hold: HoldAfter,
    /// How long a hold waits for a person.
    #[serde(default = "an_hour")]
    pub hold_for: Millis,
    /// The longest it may take from its start.
    #[serde(default = "a_week")]
    pub deadline: Millis,
    pub exclusive: bool,
    /// The selector as canonical text.
    pub selector: String,
    /// Names and labels of the accounts in it.
    pub accounts: BTreeMap<AccountId, AccountNote>,
    /// What the plan leaves out and why.
    pub coverage: Coverage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountNote {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// AWS-RunShellScript and AWS-RunPowerShellScript.
    Inline,
    /// Published `Muster-…` documents pinned by hash.
    Document,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTarget {
    pub target: Target,
    pub name: String,
    pub platform: NodePlatform,
    pub agent_version: String,
    /// As of [`Node::attributes`](crate::domain::Node::attributes).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// It was offline when the plan was made.
    pub offline: bool,
    /// From 0.
    pub wave: u32,
}

/// At most 50 targets of one account, region and wave: what one SendCommand covers.
///
/// Offline targets that are skipped stand in no shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    pub account: AccountId,
    pub region: Region,
    pub wave: u32,
    /// Indices into [`Plan::targets`], ascending.
    pub targets: Vec<u32>,
}

// Plans of digest version 1 had neither.
fn an_hour() -> Millis {
    Millis::from_secs(3600)
}
fn a_week() -> Millis {
    Millis::from_secs(7 * 86_400)
}

impl Plan {
    /// A step by its index; the one after the last is the rollback.
    #[must_use]
    pub fn step(&self, index: u32) -> Option<&Step> {
        let index = index as usize;
        if index == self.steps.len() { self.rollback.as_ref() } else { self.steps.get(index) }
    }

    /// Both change something, and one of them wants its nodes for itself: of these two only one at a time may work on a node.
    #[must_use]
    pub fn excludes(&self, other: &Plan) -> bool {
        self.risk != Risk::Read && other.risk != Risk::Read && (self.exclusive || other.exclusive)
    }

    /// The index under which events and tokens name the rollback.
    #[must_use]
    pub fn rollback_index(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }
}

/// What a plan does not reach, told before anybody approves it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Managed nodes that matched the selector but not the runbook's own `[targets]`.
    pub narrowed: u32,
    /// Why they were left out, such as `platform windows`, with their number.
    pub narrowed_by: BTreeMap<String, u32>,
    /// Nodes that were asked for and left out, because the requester may run only a part.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
    /// Nodes of the run that this one goes on from and that are gone, or no longer match.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gone: u32,
    /// Running instances that match and are not managed by SSM: account, region, name or id.
    pub unmanaged: Vec<(AccountId, Region, String)>,
    /// Unmanaged instances were not looked for.
    pub unmanaged_unknown: bool,
    pub unread: Vec<Unread>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}
