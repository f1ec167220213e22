//! file -> [`Runbook`]; arguments against parameters; lint; the prelude that carries values as data.

pub mod bound;
pub mod arguments;
pub mod extract;
mod flow;
pub mod guard;
pub mod library;
pub mod lint;
pub mod load;
pub mod names;
mod parameter;
pub mod prelude;
mod shell;
mod step;
pub mod value;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use arguments::{ArgumentFault, check};
pub use guard::{Guard, Stop, needs_guard};
pub use library::Library;
pub use prelude::{Rendered, commands, render};
pub use step::ROLLBACK;

use crate::domain::{Amount, Digest, GroupName, Millis, NodePlatform, RunbookName};

/// One reviewed file in `runbooks/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runbook {
    pub name: RunbookName,
    /// SHA-256 of the file.
    pub revision: Digest,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub risk: Risk,
    pub owner: String,
    pub parameters: BTreeMap<String, Parameter>,
    pub targets: TargetRules,
    pub steps: Vec<Step>,
    /// Runs on exactly the nodes that a step touched, when a person or a step's `on_failure` asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Step>,
    pub rollout: Rollout,
}

/// The one truth about risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Changes nothing.
    Read,
    /// Changes something that can be changed back.
    Change,
    /// Destroys something.
    Destructive,
}

impl Risk {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Risk::Read => "read",
            Risk::Change => "change",
            Risk::Destructive => "destructive",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    pub kind: Kind,
    pub description: String,
    pub examples: Vec<String>,
    /// Canonical text of the value that stands when none is given; without one the parameter is required.
    pub default: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The pattern is anchored by us; control characters never pass.
    String {
        pattern: String,
    },
    Integer {
        min: i64,
        max: i64,
    },
    /// Decimal text, compared as a number.
    Number {
        min: Option<String>,
        max: Option<String>,
    },
    Boolean,
    Choice {
        values: Vec<String>,
    },
    Duration {
        min: Millis,
        max: Millis,
    },
    Version,
    Account,
    Region,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRules {
    /// Narrows every selector; empty means any platform.
    pub platforms: Vec<NodePlatform>,
    pub max: u32,
    pub offline: Offline,
    /// No other change runs on one of its nodes at once; a node that it may still roll back is taken until the run is over.
    pub exclusive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offline {
    /// The node is a target that is not started: `NotStarted(Offline)`.
    Skip,
    /// Sent all the same; SSM may deliver it if the agent comes back in time.
    Send,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    pub action: Action,
    /// Execution timeout: the agent kills the script after it. 5 s to 48 h (SSM's own limits).
    pub timeout: Millis,
    /// How long SSM may wait for the agent to answer. At least 30 s (SSM's own limit).
    pub delivery_timeout: Millis,
    /// Name to regular expression; the first capture group, or the whole match, of the last match in stdout.
    pub extract: BTreeMap<String, String>,
    /// Extracted name to the value it must have, or to a limit that it must keep (`<= 90%`); otherwise the node has failed.
    pub expect: BTreeMap<String, String>,
    pub on_failure: OnFailure,
    /// Values that earlier steps extracted on the node: each named one has to be one of the listed, or the node skips
    /// this step. A value that is missing is none of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Vec<String>>,
    /// The node skips this step if any named value is one of the listed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unless: BTreeMap<String, Vec<String>>,
    /// People who have to agree before a wave goes on to this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// The script may ask for a reboot by exit 194 and is run again after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reboots: bool,
}

/// What a node may need from asking for a reboot until its agent answers again: big machines test their memory for
/// longer than most people wait.
const REBOOT_MAX: Millis = Millis::from_secs(15 * 60);

impl Step {
    /// The longest that the step may take on one node. After a reboot the agent gives the script its whole time again.
    #[must_use]
    pub fn longest(&self) -> Millis {
        let (runs, reboots) =
            if self.reboots { (u64::from(guard::BOOTS_MAX), u64::from(guard::BOOTS_MAX)) } else { (1, 0) };
        let runs = self.timeout.0.saturating_mul(runs);
        Millis(self.delivery_timeout.0.saturating_add(runs).saturating_add(REBOOT_MAX.0 * reboots))
    }
}

/// So many different people of one group, none of them the requester, asked between two steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    pub from: GroupName,
    pub count: u32,
    /// Nobody in time is a no.
    pub expires: Millis,
    /// What they should look at, in the author's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ask: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Shell {
        script: String,
    },
    Powershell {
        script: String,
    },
    /// A named SSM document with its parameters; `$name` alone as a value is a runbook parameter's value.
    Document {
        name: String,
        version: Option<String>,
        hash: Option<String>,
        parameters: BTreeMap<String, Vec<String>>,
    },
    /// An SSM Automation runbook, started once for each shard with one child execution for each node.
    Automation {
        name: String,
        version: Option<String>,
        /// The automation's parameter that takes a node's id.
        target: String,
        parameters: BTreeMap<String, Vec<String>>,
    },
}

/// The parameter by which every automation is told the role that it acts with.
pub const ASSUME_ROLE: &str = "AutomationAssumeRole";

impl Action {
    /// Name or ARN of the role that an automation acts with. `None` for what acts with the node's own rights.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        match self {
            Action::Automation { parameters, .. } => parameters.get(ASSUME_ROLE)?.first().map(String::as_str),
            Action::Shell { .. } | Action::Powershell { .. } | Action::Document { .. } => None,
        }
    }
}

/// What a node does with its later steps after one has failed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    Stop,
    Continue,
    /// The node goes no further, and once the error budget is spent the run rolls back what it touched.
    Rollback,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Cumulative shares of the targets, canary first; the last one is everything.
    pub waves: Vec<Amount>,
    /// Nodes in flight over the whole run.
    pub max_in_flight: Amount,
    /// Failures over the whole run after which no further node is started.
    pub max_errors: Amount,
    pub hold: HoldAfter,
    /// How long a hold waits for a person; after it nothing further is started.
    pub hold_for: Millis,
    /// The longest a run may take from its start; after it nothing further is started and what runs is cancelled.
    pub deadline: Millis,
}

/// Whether a run waits for a person before it goes on to the next wave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldAfter {
    /// It goes on by itself as long as the error budget lasts.
    #[default]
    Never,
    /// After a wave in which a node failed.
    Failure,
    /// After every wave.
    Always,
}

/// Checked arguments: parameter name to the canonical text of its value, defaults filled in.
pub type Arguments = BTreeMap<String, String>;
