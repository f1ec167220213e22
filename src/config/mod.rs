//! muster.toml: chat, AWS, accounts, paths. Secrets come from the environment or from files that it names.
//!
//! Reading is pure but for [`Environment`], which looks secrets up; a value that is a secret never stands in the file
//! and never in a fault. Relative paths are relative to the file.

mod read;
mod secret;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::domain::{Account, AccountId, Bucket, Fault, Millis, Region, Secret};

pub use secret::{Environment, Host, NotLookedUp};

/// Where Slack's Web API is, unless the file says otherwise.
pub const SLACK_API: &str = "https://slack.com/api";
/// Where Discord's API is, unless the file says otherwise.
pub const DISCORD_API: &str = "https://discord.com";
/// The slash command, unless the file says otherwise.
pub const COMMAND_DEFAULT: &str = "/runbook";
/// AWS takes a signed request for this long.
pub const REQUEST_EXPIRY: Millis = Millis::from_secs(300);
/// Outputs are kept for this long, unless the file says otherwise.
pub const KEEP_OUTPUTS: Millis = Millis::from_secs(90 * 86_400);
/// Name of the file where neither `--config` nor `MUSTER_CONFIG` names one.
pub const FILE: &str = "muster.toml";

#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `None`: nobody is served there. Without any chat the program can plan and check, but not serve.
    pub slack: Option<Slack>,
    /// As for `slack`.
    pub discord: Option<Discord>,
    pub aws: Aws,
    pub accounts: Vec<AccountAccess>,
    /// Discovery of further accounts; `None`: off.
    pub organizations: Option<Organizations>,
    pub paths: Paths,
    pub store: Store,
    /// Where Prometheus reads; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Slack {
    /// With its slash.
    pub command: String,
    /// Without a slash at the end.
    pub api_url: String,
    /// `xapp-…`
    pub app_token: Secret,
    /// `xoxb-…`
    pub bot_token: Secret,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Discord {
    /// With its slash; the same on every platform.
    pub command: String,
    /// Without a slash at the end.
    pub api_url: String,
    /// A number of Discord's, as text.
    pub application_id: String,
    pub bot_token: Secret,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Aws {
    /// Where STS and Organizations are called, and the home of accounts that name no region.
    pub region: Region,
    /// Another endpoint for every service; `None`: AWS's own.
    pub endpoint_url: Option<String>,
    /// ARN of the role that is assumed first; `None`: the host's own rights.
    pub central_role: Option<String>,
    /// How long AWS takes a signed request.
    pub request_expiry: Millis,
    /// Tag key and value of the nodes that Muster may send to at all.
    pub boundary_tag: Option<(String, String)>,
    /// How often a run is looked at per second in one account and region, until AWS teaches better.
    pub reads_per_second: f64,
}

/// One account and how it is entered.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountAccess {
    pub account: Account,
    /// Name or ARN of the role to assume there.
    pub role: String,
    pub external_id: Option<Secret>,
    /// Where its agents put whole outputs; `None`: nowhere.
    pub outputs: Option<Bucket>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Organizations {
    /// Role name, the same in every discovered account.
    pub role: String,
    pub external_id: Option<Secret>,
    pub regions: Vec<Region>,
    /// Never entered, such as the management account.
    pub exclude: BTreeSet<AccountId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    pub runbooks: PathBuf,
    pub policies: PathBuf,
    pub store: PathBuf,
}

/// What is kept, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Outputs of runs that were asked for longer ago are deleted. The journal is kept.
    pub keep_outputs: Millis,
}

impl Config {
    /// The slash command with its slash, the same on every platform.
    #[must_use]
    pub fn command(&self) -> &str {
        let slack = self.slack.as_ref().map(|slack| &slack.command);
        slack.or(self.discord.as_ref().map(|discord| &discord.command)).map_or(COMMAND_DEFAULT, String::as_str)
    }

    /// Reads the file and looks its secrets up.
    ///
    /// # Errors
    /// Every fault at once, in the order of the file; one fault where the file cannot be read at all.
    pub fn load(path: &Path, environment: &dyn Environment) -> Result<Self, Vec<Fault>> {
        let text = environment.read(path).map_err(|e| {
            vec![Fault {
                file: path.to_owned(),
                at: None,
                what: format!("cannot be read: {e}"),
                remedy: "name the configuration with `--config FILE` or `MUSTER_CONFIG`".into(),
            }]
        })?;
        Self::parse(path, &text, environment)
    }

    /// As [`Config::load`], from text. `path` is named in faults, and relative paths start at its folder.
    ///
    /// # Errors
    /// Every fault at once, in the order of the file.
    pub fn parse(path: &Path, text: &str, environment: &dyn Environment) -> Result<Self, Vec<Fault>> {
        read::config(path, text, environment)
    }

    /// The paths alone, also of a file that has faults, so that a check can go on to what they name.
    #[must_use]
    pub fn paths(path: &Path, text: &str) -> Paths {
        read::paths(path, text)
    }
}
