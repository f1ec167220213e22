//! One case of a runbook: a host's state and what the runbook has to make of it. The format of the fixture files.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::here;

pub const HOSTS: [&str; 3] = ["debian-12", "amazon-linux-2023", "rhel-9"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Exit 0, every expectation met, and nothing bad is told.
    Good,
    /// Exit 0 and every expectation met, but the verdict tells of something bad: runbooks that only look.
    Told,
    /// An expectation not met, or a script that failed.
    Failed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub ends: Ending,
    /// Where it is played; every host unless named. None where an `output` is given.
    #[serde(default = "all_hosts")]
    pub hosts: Vec<String>,
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// Files below `$ROOT`, in place of those of the host or beside them.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Links below `$ROOT`; `OUTSIDE` in what they lead to is a folder beside it.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// Age of files, in days.
    #[serde(default)]
    pub days_old: BTreeMap<String, u64>,
    /// Modes of files, in octal, which are the same afterwards.
    #[serde(default)]
    pub modes: BTreeMap<String, String>,
    /// Commands in place of those of the host; an empty text takes the command away.
    #[serde(default)]
    pub commands: BTreeMap<String, String>,
    /// What the node printed, for steps that no shell runs.
    pub output: Option<String>,

    #[serde(default)]
    pub exit: i32,
    #[serde(default)]
    pub extract: BTreeMap<String, String>,
    #[serde(default)]
    pub says: Vec<String>,
    /// Files afterwards, and their text.
    #[serde(default)]
    pub text: BTreeMap<String, String>,
    /// Paths that are there afterwards, and paths that are not. `OUTSIDE/…` stands beside `$ROOT`.
    #[serde(default)]
    pub kept: Vec<String>,
    #[serde(default)]
    pub gone: Vec<String>,
    /// What a second run says, which then changes nothing.
    pub again: Option<String>,
}

fn all_hosts() -> Vec<String> {
    HOSTS.iter().map(|h| (*h).to_owned()).collect()
}

pub fn of(runbook: &str) -> Vec<Case> {
    let path = here(&format!("tests/fixtures/runbooks/{runbook}.toml"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; every runbook needs a good case and a bad one", path.display()));
    let mut file: File = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    for case in &mut file.case {
        if case.output.is_some() {
            case.hosts.clear();
        }
    }
    assert!(file.case.len() >= 2, "{runbook} needs a good case and a bad one");
    file.case
}
