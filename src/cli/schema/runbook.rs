//! runbooks/*.toml, for editors.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::One;

/// One reviewed procedure. The file's name is the runbook's name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Muster runbook")]
pub struct RunbookFile {
    pub version: One,
    /// What it does, in a few words
    #[schemars(length(min = 1))]
    pub title: String,
    /// What people should know before they run it
    #[schemars(length(min = 1))]
    pub description: String,
    /// For people who look for it; policies do not go by tags
    pub tags: Option<Vec<String>>,
    /// The one truth about risk; policies go by it
    pub risk: Risk,
    /// The team that answers for it
    #[schemars(length(min = 1))]
    pub owner: String,
    /// Typed inputs: the script sees each as a variable of its own name, as data
    pub parameters: Option<BTreeMap<String, Parameter>>,
    /// Where it may run
    pub targets: Option<Targets>,
    /// What it does, one after the other on each node
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
    /// Runs on exactly the nodes that a step touched, when a person or a step's `on_failure` asks for it
    pub rollback: Option<Rollback>,
    /// How fast, and when to stop
    pub rollout: Option<Rollout>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Changes nothing
    Read,
    /// Changes something that can be changed back
    Change,
    /// Destroys something
    Destructive,
}

/// Text, a number or a boolean
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
}

/// One typed input
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    #[serde(rename = "type")]
    pub kind: Type,
    /// What it is, for people
    #[schemars(length(min = 1))]
    pub description: String,
    /// Good values, shown to people who gave a bad one; required for `string`
    pub examples: Option<Vec<Scalar>>,
    /// The value that stands when none is given; without one the parameter is required
    pub default: Option<Scalar>,
    /// For `string`, and required there: a regular expression for the whole value
    pub pattern: Option<String>,
    /// For `choice`: the values to choose from
    #[schemars(length(min = 1))]
    pub values: Option<Vec<Scalar>>,
    /// For `integer` (required there), `number` and `duration`
    pub min: Option<Scalar>,
    /// For `integer` (required there), `number` and `duration`
    pub max: Option<Scalar>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    String,
    Integer,
    Number,
    Boolean,
    Choice,
    Duration,
    Version,
    Account,
    Region,
}

/// Where it may run
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Narrows every selector; by default what the steps can run on
    #[schemars(length(min = 1))]
    pub platforms: Option<Vec<Platform>>,
    /// The most targets of one run; 50 by default
    #[schemars(range(min = 1, max = 50_000))]
    pub max: Option<u32>,
    /// What to do with offline nodes: `skip` by default
    pub offline: Option<Offline>,
    /// No other change runs on the same node at once
    pub exclusive: Option<Exclusive>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    Linux,
    Windows,
    Macos,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Offline {
    /// Report them, send nothing
    Skip,
    /// Send all the same: Systems Manager delivers it if the agent comes back in time
    Send,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Exclusive {
    Node,
}

/// One stage: exactly one of `shell`, `powershell`, `document` and `automation`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["shell"] }, { "required": ["powershell"] }, { "required": ["document"] }, { "required": ["automation"] }]))]
pub struct Step {
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_-]{0,31}$"))]
    pub name: String,
    /// Script for `sh`; parameters are variables: `"$service"`
    pub shell: Option<String>,
    /// Script for PowerShell; parameters are variables: `$env:service`
    pub powershell: Option<String>,
    /// Name of a Systems Manager document
    pub document: Option<String>,
    /// Name of a Systems Manager Automation runbook, started once for at most 50 nodes
    pub automation: Option<String>,
    /// For `automation`: its parameter that takes a node's id, `InstanceId` by default
    pub target_parameter: Option<String>,
    /// For `document` and `automation`: which version
    pub document_version: Option<String>,
    /// For `document`: SHA-256 that AWS compares
    pub document_hash: Option<String>,
    /// For `document` and `automation`: its parameters; `"$name"` alone is a runbook parameter's value. An automation
    /// needs `AutomationAssumeRole`: the name of a role of each account
    pub parameters: Option<BTreeMap<String, DocumentValue>>,
    /// How long it may run, `5s` to `48h`; `10m` by default
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub timeout: Option<String>,
    /// How long Systems Manager may wait for the agent, `30s` to `30d`; `60s` by default
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub delivery_timeout: Option<String>,
    /// Name to a regular expression over the output; the last match counts, its first group before the whole
    pub extract: Option<BTreeMap<String, String>>,
    /// Extracted name to the value it must have, or to a limit that it must keep such as `<= 90%`, or the node has failed
    pub expect: Option<BTreeMap<String, Scalar>>,
    /// The script may ask for a reboot by exit 194 (3010 on Windows), and is run again after it; `MUSTER_BOOT` counts
    /// the boots from 1, `MUSTER_NOTES` is a folder that outlives them
    pub reboots: Option<bool>,
    /// What a node does with its later steps after this one failed: `stop` by default
    pub on_failure: Option<OnFailure>,
    /// Extracted name to values: the node takes this step only if each has one of them
    pub when: Option<BTreeMap<String, DocumentValue>>,
    /// Extracted name to values: the node skips this step if any has one of them
    pub unless: Option<BTreeMap<String, DocumentValue>>,
    /// People who have to agree before a wave goes on to this step
    pub gate: Option<Gate>,
}

/// So many different people of one group, none of them the requester
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// A group of the policy
    #[schemars(length(min = 1))]
    pub from: String,
    /// 1 by default
    #[schemars(range(min = 1, max = 20))]
    pub count: Option<u32>,
    /// How long it waits, `1s` to `7d`; `30m` by default
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub expires: Option<String>,
    /// What they should look at
    pub ask: Option<String>,
}

/// The way back: exactly one of `shell`, `powershell`, `document` and `automation`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["shell"] }, { "required": ["powershell"] }, { "required": ["document"] }, { "required": ["automation"] }]))]
pub struct Rollback {
    /// Script for `sh`; parameters are variables: `"$service"`
    pub shell: Option<String>,
    /// Script for PowerShell; parameters are variables: `$env:service`
    pub powershell: Option<String>,
    /// Name of a Systems Manager document
    pub document: Option<String>,
    /// Name of a Systems Manager Automation runbook, started once for at most 50 nodes
    pub automation: Option<String>,
    /// For `automation`: its parameter that takes a node's id, `InstanceId` by default
    pub target_parameter: Option<String>,
    /// For `document` and `automation`: which version
    pub document_version: Option<String>,
    /// For `document`: SHA-256 that AWS compares
    pub document_hash: Option<String>,
    /// For `document` and `automation`: its parameters; `"$name"` alone is a runbook parameter's value. An automation
    /// needs `AutomationAssumeRole`: the name of a role of each account
    pub parameters: Option<BTreeMap<String, DocumentValue>>,
    /// How long it may run, `5s` to `48h`; `10m` by default
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub timeout: Option<String>,
    /// How long Systems Manager may wait for the agent, `30s` to `30d`; `60s` by default
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub delivery_timeout: Option<String>,
    /// Name to a regular expression over the output; the last match counts, its first group before the whole
    pub extract: Option<BTreeMap<String, String>>,
    /// Extracted name to the value it must have, or the node has failed
    pub expect: Option<BTreeMap<String, Scalar>>,
    /// The script may ask for a reboot by exit 194 (3010 on Windows), and is run again after it; `MUSTER_BOOT` counts
    /// the boots from 1, `MUSTER_NOTES` is a folder that outlives them
    pub reboots: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DocumentValue {
    One(Scalar),
    Many(Vec<Scalar>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    Stop,
    Continue,
    /// The node goes no further, and once the error budget is spent the run rolls back what it touched
    Rollback,
}

/// How fast, and when to stop: numbers of nodes (`"5"`) or shares (`"10%"`, rounded up)
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Cumulative, canary first, the last is `"100%"`; one wave by default
    #[schemars(length(min = 1), inner(regex(pattern = r"^[0-9]+%?$")))]
    pub waves: Option<Vec<String>>,
    /// Nodes in flight over the whole run; everything for `read`, else `25%`
    #[schemars(regex(pattern = r"^[0-9]+%?$"))]
    pub max_in_flight: Option<String>,
    /// Failures over the whole run after which nothing further starts; no limit for `read`, else `10%`
    #[schemars(regex(pattern = r"^[0-9]+%?$"))]
    pub max_errors: Option<String>,
    /// Wait for a person before the next wave: `never` (the default for `read`), after a `failure`, or `always`
    pub hold: Option<HoldAfter>,
    /// How long a hold waits, `1m` to `7d`; `1h` by default
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub hold_for: Option<String>,
    /// The longest a run may take, at most `14d`; `24h` by default
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub deadline: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HoldAfter {
    Never,
    Failure,
    Always,
}
