//! muster.toml, for editors.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::One;

/// Chat, AWS, accounts and paths. Secrets stand elsewhere: `{ env = "NAME" }` or `{ file = "PATH" }`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Muster configuration")]
pub struct ConfigFile {
    pub version: One,
    pub slack: Option<Slack>,
    pub discord: Option<Discord>,
    pub aws: Aws,
    pub account: Option<Vec<Account>>,
    pub organizations: Option<Organizations>,
    pub paths: Option<Paths>,
    pub store: Option<Store>,
    pub metrics: Option<Metrics>,
}

/// Where a secret is: exactly one of the two
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["env"] }, { "required": ["file"] }]))]
pub struct Secret {
    /// Name of an environment variable
    pub env: Option<String>,
    /// A file, relative to this one
    pub file: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// The slash command; `/runbook` by default
    #[schemars(regex(pattern = r"^/[a-z0-9_-]{1,32}$"))]
    pub command: Option<String>,
    /// Another Web API than Slack's own
    pub api_url: Option<String>,
    /// `xapp-…`, with the scope `connections:write`
    pub app_token: Secret,
    /// `xoxb-…`
    pub bot_token: Secret,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discord {
    /// The slash command; that of `[slack]` or `/runbook` by default
    #[schemars(regex(pattern = r"^/[a-z0-9_-]{1,32}$"))]
    pub command: Option<String>,
    /// Another API than Discord's own
    pub api_url: Option<String>,
    /// The number on the application's page, in quotes
    #[schemars(regex(pattern = r"^[0-9]{1,20}$"))]
    pub application_id: String,
    /// From the same page, under Bot
    pub bot_token: Secret,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// Where STS is called, and the home of accounts that name no region
    pub region: String,
    /// Another endpoint than AWS's own
    pub endpoint_url: Option<String>,
    /// ARN of the role that is assumed first; without it the host's own rights are used
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$"))]
    pub central_role: Option<String>,
    /// How long a signed request is taken; lower than `5m` only with `endpoint_url`
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub request_expiry: Option<String>,
    /// Tag of the nodes that Muster may send to at all
    pub boundary_tag: Option<BoundaryTag>,
    /// How often a run is looked at per second in one account and region, until AWS teaches better; 1 by default
    #[schemars(range(min = 0.1, max = 100.0))]
    pub reads_per_second: Option<f64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundaryTag {
    pub key: String,
    pub value: String,
}

/// One account and how it is entered
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// 12 digits in quotes, because a number would lose its leading zeros
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub id: String,
    /// What people call it
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]+$"))]
    pub name: String,
    /// Name or ARN of the role to assume there
    pub role: String,
    pub external_id: Option<Secret>,
    /// Where to work when a selector names none; `[aws] region` by default
    #[schemars(length(min = 1))]
    pub regions: Option<Vec<String>>,
    /// Such as `customer` and `env`
    pub labels: Option<BTreeMap<String, String>>,
    /// Where its nodes put whole outputs; without it long ones are cut
    pub outputs: Option<Outputs>,
}

/// A bucket that the nodes' instance profiles may write to, and the account's role may read
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"))]
    pub bucket: String,
    /// `muster` by default
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$"))]
    pub prefix: Option<String>,
    /// The bucket's region; `[aws] region` by default
    pub region: Option<String>,
}

/// Discovery of further accounts
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Organizations {
    pub discover: bool,
    /// Role name, the same in every account; required where `discover` is true
    pub role: Option<String>,
    pub external_id: Option<Secret>,
    #[schemars(length(min = 1))]
    pub regions: Option<Vec<String>>,
    /// Accounts that are never entered, such as the management account
    #[schemars(inner(regex(pattern = r"^[0-9]{12}$")))]
    pub exclude: Option<Vec<String>>,
}

/// Folders, relative to this file
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// `runbooks` by default
    pub runbooks: Option<String>,
    /// `policies` by default
    pub policies: Option<String>,
    /// `store` by default
    pub store: Option<String>,
}

/// What is kept, and for how long
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Outputs of older runs are deleted; `90d` by default
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub keep_outputs: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Address where Prometheus reads, such as `127.0.0.1:9464`
    pub listen: Option<String>,
}
