//! `muster policy`: questions about the rules themselves. Nothing is changed and nothing is sent.

pub mod diff;
#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
mod inventory;
mod selftest;
mod terms;
mod who_can;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;
use crate::domain::{Fault, Selector, Snapshot, Unread};
use crate::policy::load::{Loaded, read};
use crate::rules::{Files, read_folder, unreadable};
use crate::runbook::{Library, Runbook};

/// Ask the policy's own tests, compare two policies, say who can run what.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask every `[[test]]` of the policy files
    Test(selftest::Args),
    /// Say who gains or loses what between two sets of policies and runbooks
    Diff(diff::Args),
    /// Say which groups may run a runbook on a selection of nodes, and how
    WhoCan(who_can::Args),
    /// Save what the accounts hold now as JSON, for `diff` and `who-can`
    #[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
    Inventory(inventory::Args),
}

#[must_use]
pub fn run(args: Args) -> ExitCode {
    crate::telemetry::log(Some("error"));
    let done = match args.command {
        Command::Test(args) => selftest::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::WhoCan(args) => who_can::run(&args),
        #[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
        Command::Inventory(args) => inventory::run(&args),
    };
    done.unwrap_or_else(|trouble| {
        super::complain(trouble);
        ExitCode::from(TROUBLE)
    })
}

/// Nothing can be said, as `diff` and `grep` have it.
const TROUBLE: u8 = 2;

/// The folders as configured, where nothing else is said.
#[derive(Debug, Clone, clap::Args)]
struct Folders {
    /// The configuration [default: ./muster.toml where there is one]
    #[arg(long, value_name = "FILE", env = "MUSTER_CONFIG")]
    config: Option<PathBuf>,
    /// The folder of runbooks [default: as configured, else ./runbooks]
    #[arg(long, value_name = "DIR")]
    runbooks: Option<PathBuf>,
    /// The folder of policies [default: as configured, else ./policies]
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
}

impl Folders {
    fn configuration(&self) -> Option<PathBuf> {
        super::configuration(self.config.as_ref())
    }

    /// Runbooks and policies.
    fn paths(&self) -> (PathBuf, PathBuf) {
        let configured = self.configuration().and_then(|file| {
            let text = std::fs::read_to_string(&file).ok()?;
            Some(Config::paths(&file, &text))
        });
        (
            super::folder(self.runbooks.as_ref(), configured.as_ref().map(|p| &p.runbooks), "runbooks"),
            super::folder(self.policies.as_ref(), configured.as_ref().map(|p| &p.policies), "policies"),
        )
    }
}

/// Where the nodes come from.
#[derive(Debug, Clone, clap::Args)]
struct Nodes {
    /// What `muster policy inventory` saved [default: the accounts are read now, as configured]
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
}

impl Nodes {
    fn read(&self, folders: &Folders, selector: &Selector) -> Result<Snapshot, String> {
        let Some(file) = &self.inventory else { return live(folders, selector) };
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: cannot be read: {e}", file.display()))?;
        serde_json::from_str(&text).map_err(|e| {
            format!("{}: not an inventory: {e}; save one with `muster policy inventory > FILE`", file.display())
        })
    }
}

#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
fn live(folders: &Folders, selector: &Selector) -> Result<Snapshot, String> {
    let file = folders.configuration().ok_or(
        "there is no muster.toml to read the accounts with; name one with --config, or a saved inventory with --inventory",
    )?;
    let config = Config::load(&file, &crate::config::Host).map_err(|faults| lines(&faults))?;
    let runtime = super::runtime().map_err(|fault| fault.to_string())?;
    Ok(runtime.block_on(super::inventory::read(&config, selector)))
}

#[cfg(not(all(feature = "aws", feature = "slack", feature = "sled")))]
fn live(_: &Folders, _: &Selector) -> Result<Snapshot, String> {
    Err("this build leaves out AWS; name a saved inventory with --inventory".into())
}

/// Rules and the runbooks that they are about, as far as they are valid; tests of theirs may fail.
struct Rules {
    runbooks: Library,
    loaded: Loaded,
}

impl Rules {
    fn of(runbooks: &Path, policies: &Path) -> Result<Self, String> {
        let files = |path: &Path| -> Result<Files, Vec<Fault>> {
            if path.is_file() {
                let read = std::fs::read_to_string(path).map(|text| vec![(path.to_owned(), text)]);
                return read.map_err(|e| vec![unreadable(path, &e, "make it a readable file of UTF-8 text")]);
            }
            read_folder(path)
        };
        let runbooks = files(runbooks).and_then(Library::load).map_err(|faults| lines(&faults))?;
        let books: Vec<&Runbook> = runbooks.runbooks.values().map(AsRef::as_ref).collect();
        let loaded = files(policies).and_then(|files| read(&files, Some(&books))).map_err(|faults| lines(&faults))?;
        Ok(Rules { runbooks, loaded })
    }

    fn books(&self) -> Vec<&Runbook> {
        self.runbooks.runbooks.values().map(AsRef::as_ref).collect()
    }
}

/// `222222222222, eu-west-1`: where something could not be read.
fn place(unread: &Unread) -> String {
    let region = unread.region.as_ref().map_or_else(String::new, |region| format!(", {region}"));
    format!("{}{region}", unread.account)
}

fn lines(faults: &[Fault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    format!("these files are not valid:\n{}", faults.join("\n"))
}

fn count(n: u32, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}
