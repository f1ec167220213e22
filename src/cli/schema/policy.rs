//! policies/*.toml, for editors.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::One;
use super::runbook::{Risk, Scalar};

/// Who may run what, where, and with whose approval. What no grant allows is denied
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Muster policy")]
pub struct PolicyFile {
    pub version: One,
    /// Names for people
    pub groups: Option<BTreeMap<String, Group>>,
    /// Accounts of one person on several platforms: they are one person, and may approve across them
    pub people: Option<BTreeMap<String, Person>>,
    /// Names for targets that belong together
    pub sets: Option<BTreeMap<String, Set>>,
    pub grant: Option<Vec<Grant>>,
    pub forbid: Option<Vec<Forbid>>,
    pub freeze: Option<Vec<Freeze>>,
    pub approval: Option<Vec<Approval>>,
    pub view: Option<Vec<View>>,
    pub halt: Option<Halt>,
    pub break_glass: Option<BreakGlass>,
    /// By group: where those are asked who may approve, besides the run's thread
    pub approvers: Option<BTreeMap<String, Approvers>>,
    pub test: Option<Vec<Test>>,
}

/// The accounts, or a table that also says who the person is outside chat
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Person {
    Known(KnownPerson),
    Accounts(Vec<String>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownPerson {
    /// Such as `slack:T012AB:U034CD`
    #[schemars(length(min = 1))]
    pub accounts: Vec<String>,
    /// What AWS is told as the source identity, such as `arne.b@example.com`
    #[schemars(regex(pattern = r"^[A-Za-z0-9+=,.@_-]{2,64}$"))]
    pub id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Such as `slack:T012AB:S0SRE`
    #[schemars(length(min = 1))]
    pub slack_usergroups: Option<Vec<String>>,
    /// Such as `discord:1122334455:6677889900`
    #[schemars(length(min = 1))]
    pub discord_roles: Option<Vec<String>>,
    /// Such as `slack:T012AB:U034CD`
    #[schemars(length(min = 1))]
    pub users: Option<Vec<String>>,
}

/// All conditions have to hold; `*` stands for any text
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Ids or names
    #[schemars(length(min = 1))]
    pub accounts: Option<Vec<String>>,
    #[schemars(length(min = 1))]
    pub regions: Option<Vec<String>>,
    /// Labels of the account
    pub labels: Option<BTreeMap<String, Vec<String>>>,
    /// Tags of the node
    pub tags: Option<BTreeMap<String, Vec<String>>>,
    /// `false` is what makes an account anything else than production
    pub production: Option<bool>,
}

/// One grant has to cover the whole plan; all its lines have to hold
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    #[schemars(length(min = 1))]
    pub id: String,
    /// Groups
    #[schemars(length(min = 1))]
    pub who: Vec<String>,
    pub run: Run,
    /// Sets, or `["*"]`
    #[serde(rename = "where")]
    #[schemars(length(min = 1))]
    pub place: Vec<String>,
    /// The most targets of one plan
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_targets: u32,
    /// Only in these channels, such as `slack:T012AB:C0OPS`
    #[schemars(length(min = 1))]
    pub channels: Option<Vec<String>>,
}

/// Which runbooks a grant allows: by `names`, or by `risk` and `owner`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    #[schemars(length(min = 1))]
    pub names: Option<Vec<String>>,
    #[schemars(length(min = 1))]
    pub risk: Option<Vec<Risk>>,
    #[schemars(length(min = 1))]
    pub owner: Option<Vec<String>>,
    /// Values of the named runbooks' parameters; what is not listed is free
    pub parameters: Option<BTreeMap<String, ParameterRule>>,
}

/// One of the three
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParameterRule {
    #[schemars(length(min = 1))]
    pub one_of: Option<Vec<String>>,
    /// The smallest and the largest
    pub int: Option<[i64; 2]>,
    /// A regular expression for the whole value
    pub pattern: Option<String>,
}

/// Beats every grant, as soon as any target matches
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forbid {
    #[schemars(length(min = 1))]
    pub id: String,
    #[schemars(length(min = 1))]
    pub who: Option<Vec<String>>,
    pub run: Option<ForbiddenRun>,
    #[serde(rename = "where")]
    #[schemars(length(min = 1))]
    pub place: Option<Vec<String>>,
    /// Told to the person who asked
    #[schemars(length(min = 1))]
    pub because: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForbiddenRun {
    #[schemars(length(min = 1))]
    pub names: Option<Vec<String>>,
    #[schemars(length(min = 1))]
    pub risk: Option<Vec<Risk>>,
    #[schemars(length(min = 1))]
    pub owner: Option<Vec<String>>,
}

/// Beats every grant for a time, as soon as any target matches
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    #[schemars(length(min = 1))]
    pub id: String,
    /// Such as `2026-11-26T00:00:00Z`
    pub from: String,
    /// When it is over
    pub to: String,
    #[serde(rename = "where")]
    #[schemars(length(min = 1))]
    pub place: Vec<String>,
    /// What may run all the same
    pub except: Option<ForbiddenRun>,
    /// Told to the person who asked
    #[schemars(length(min = 1))]
    pub because: String,
}

/// Asks for other people's yes, as soon as any target matches; all rules that fire add up
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    #[schemars(length(min = 1))]
    pub id: String,
    pub when: When,
    #[schemars(length(min = 1))]
    pub need: Vec<Seat>,
    /// How long it waits, `1s` to `7d`
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub expires: Option<String>,
    /// How it is given
    pub strength: Option<Strength>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// By a button in chat
    Chat,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Only `true`
    pub production: Option<bool>,
    #[serde(rename = "where")]
    #[schemars(length(min = 1))]
    pub place: Option<Vec<String>>,
    /// Distinct targets of the same person and runbook over the last hour
    #[schemars(range(min = 1, max = 1_000_000))]
    pub targets_over: Option<u32>,
    #[schemars(length(min = 1))]
    pub risk: Option<Vec<Risk>>,
    #[schemars(length(min = 1))]
    pub runbooks: Option<Vec<String>>,
}

/// So many different people of one group, none of them the requester
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    pub from: String,
    #[schemars(range(min = 1, max = 20))]
    pub count: u32,
}

/// Who may read status, outputs and files of other people's runs: either `who` or `shared_channels`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct View {
    #[schemars(length(min = 1))]
    pub id: String,
    #[schemars(length(min = 1))]
    pub who: Option<Vec<String>>,
    /// Channels shared with another organisation
    #[schemars(length(min = 1))]
    pub shared_channels: Option<Vec<String>>,
    #[serde(rename = "where")]
    #[schemars(length(min = 1))]
    pub place: Vec<String>,
}

/// Who may halt everything from chat, and who may resume; what several files say adds up
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// Groups that may halt
    #[schemars(length(min = 1))]
    pub who: Option<Vec<String>>,
    /// Groups that may resume
    #[schemars(length(min = 1))]
    pub resume: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approvers {
    /// The request is posted here too, such as `slack:T012AB:C0SRE`
    #[schemars(length(min = 1))]
    pub channels: Option<Vec<String>>,
    /// Each member gets it as a direct message too
    pub direct: Option<bool>,
    /// Groups that are told where nobody of this one can approve, or has by half of the time
    #[schemars(length(min = 1))]
    pub escalate: Option<Vec<String>>,
}

/// Acting against a freeze or without the usual approvals in an emergency; in one file only
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// Groups that may
    #[schemars(length(min = 1))]
    pub who: Vec<String>,
    /// Nothing else is ever overridden
    #[schemars(length(min = 1))]
    pub overrides: Vec<Overridden>,
    /// The group of which one more person has to agree
    pub second: String,
    /// Characters of the reason
    #[schemars(range(min = 10, max = 500))]
    pub justification_min: u32,
    /// Distinct targets of one plan
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_targets: u32,
    /// How long it waits for the second person, such as `10m`; `30m` without it
    pub expires: Option<String>,
    /// Channels that are told before it starts, such as `slack:T012AB:C0SEC`; it does not start where one cannot be told
    #[schemars(length(min = 1))]
    pub notify: Vec<String>,
    /// Groups of which somebody looks at it afterwards
    #[schemars(length(min = 1))]
    pub review: Vec<String>,
    /// Such as `24h`, from the end of the run on
    pub review_within: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overridden {
    Freeze,
    Approval,
}

/// A question and the answer that is wanted; while one fails, no change of the rules takes effect
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Test {
    #[schemars(length(min = 1))]
    pub name: String,
    /// The groups that the person is in; `[]` is a stranger
    #[serde(rename = "as")]
    pub groups: Vec<String>,
    /// A runbook
    pub run: String,
    /// As a person would type them; what is not given has the runbook's default
    pub parameters: Option<BTreeMap<String, Scalar>>,
    /// Sets, or `["*"]` for an account that no set knows
    #[serde(rename = "where")]
    #[schemars(length(min = 1))]
    pub place: Vec<String>,
    /// How many, spread over the sets; without it one for each account, region, label or tag that they list
    #[schemars(range(min = 1, max = 10_000))]
    pub targets: Option<u32>,
    /// More labels of the accounts
    pub labels: Option<BTreeMap<String, String>>,
    /// More tags of the nodes
    pub tags: Option<BTreeMap<String, String>>,
    /// Where it is asked, such as `slack:T012AB:C0OPS`
    pub channel: Option<String>,
    /// When it is asked, such as `2026-11-27T12:00:00Z`; without it outside every freeze
    pub at: Option<String>,
    /// As break-glass, with this reason
    pub break_glass: Option<String>,
    pub expect: Expected,
}

/// `"allow"` without approval, `"deny"`, or by which rules and with whose approval
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Expected {
    Detail(ExpectedDetail),
    Word(ExpectedWord),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedWord {
    Allow,
    Deny,
}

/// One of the two
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedDetail {
    /// Exactly these rules
    #[schemars(length(min = 1))]
    pub deny: Option<Vec<String>>,
    /// Exactly these people
    #[schemars(length(min = 1))]
    pub approvals: Option<Vec<Seat>>,
}
