//! `muster check`: every fault in every file at once, each with its place and remedy.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::config::{Config, Environment, FILE, Host, NotLookedUp};
use crate::domain::Fault;
use crate::policy;
use crate::rules::{Files, read_folder, unknown_gatekeepers};
use crate::runbook::{Library, Runbook};

/// Check muster.toml, runbooks and policies, and say every fault at once.
///
/// Without options: the configuration (`./muster.toml`) and the folders that it names. Exits with 1 if anything is
/// wrong, so it fits a pre-commit hook and CI. Nothing is contacted and nothing is changed.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:\n  muster check\n  muster check --runbooks runbooks --policies policies\n  \
    muster check --config /etc/muster/muster.toml --secrets\n\nExit codes: 0 no faults; 1 faults; 2 wrong usage.")]
pub struct Args {
    /// The configuration [default: ./muster.toml where there is one]
    #[arg(long, value_name = "FILE", env = "MUSTER_CONFIG")]
    pub config: Option<PathBuf>,
    /// The folder of runbooks [default: as configured, else ./runbooks]
    #[arg(long, value_name = "DIR")]
    pub runbooks: Option<PathBuf>,
    /// The folder of policies [default: as configured, else ./policies]
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// Also look the secrets up that the configuration names, as `serve` does
    #[arg(long)]
    pub secrets: bool,
    /// Print one JSON object: `ok`, `faults` (file, at, what, remedy), `checked`
    #[arg(long)]
    pub json: bool,
}

/// What was checked and what is wrong.
#[derive(Debug, Default)]
pub struct Report {
    pub faults: Vec<Fault>,
    /// Files that were read, the configuration included.
    pub files: usize,
    /// Secrets were named and not looked up.
    pub secrets_skipped: bool,
}

#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let report = check(args);
    if args.json {
        println!("{}", report.json());
    } else if report.faults.is_empty() {
        print!("{}", report.text());
    } else {
        eprint!("{}", super::terminal::Terminal::stderr().faults(&report.text()));
    }
    if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads everything and collects every fault.
#[must_use]
pub fn check(args: &Args) -> Report {
    let mut report = Report::default();
    let configuration = args.config.clone().or_else(|| Some(PathBuf::from(FILE)).filter(|file| file.exists()));
    let configured = configuration.and_then(|file| report.configuration(&file, args.secrets));
    let folder = |given: &Option<PathBuf>, configured: Option<&PathBuf>, usual: &str| {
        given.clone().or_else(|| configured.cloned()).unwrap_or_else(|| PathBuf::from(usual))
    };
    let runbooks = folder(&args.runbooks, configured.as_ref().map(|p| &p.runbooks), "runbooks");
    let policies = folder(&args.policies, configured.as_ref().map(|p| &p.policies), "policies");

    let books = report.runbooks(&runbooks);
    report.policies(&policies, books.as_ref());
    report.faults.sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
    report
}

impl Report {
    fn configuration(&mut self, file: &Path, secrets: bool) -> Option<crate::config::Paths> {
        let environment: &dyn Environment = if secrets { &Host } else { &NotLookedUp };
        self.secrets_skipped = !secrets;
        if let Err(faults) = Config::load(file, environment) {
            self.faults.extend(faults);
        }
        let text = environment.read(file).ok()?;
        self.files += 1;
        Some(Config::paths(file, &text))
    }

    fn runbooks(&mut self, folder: &Path) -> Option<(Files, Library)> {
        let files = self.files_of(folder, "runbook")?;
        match Library::load(files.iter().map(|(path, text)| (path, text))) {
            Ok(library) => Some((files, library)),
            Err(faults) => {
                self.faults.extend(faults);
                None
            }
        }
    }

    /// Without all runbooks it cannot be told which names exist, so then rules are checked by themselves.
    fn policies(&mut self, folder: &Path, books: Option<&(Files, Library)>) {
        let Some(files) = self.files_of(folder, "policy") else { return };
        let runbooks: Option<Vec<&Runbook>> = books.map(|(_, l)| l.runbooks.values().map(AsRef::as_ref).collect());
        match policy::load::load(&files, runbooks.as_deref()) {
            Ok(policy) => {
                let unknown = books.map(|(files, library)| unknown_gatekeepers(files, library, &policy));
                self.faults.extend(unknown.unwrap_or_default());
            }
            Err(faults) => self.faults.extend(faults),
        }
    }

    fn files_of(&mut self, folder: &Path, kind: &str) -> Option<Vec<(PathBuf, String)>> {
        let files = match read_folder(folder) {
            Ok(files) => files,
            Err(faults) => {
                self.faults.extend(faults);
                return None;
            }
        };
        self.files += files.len();
        if files.is_empty() {
            self.faults.push(Fault {
                file: folder.to_owned(),
                at: None,
                what: format!("there is no {kind} here"),
                remedy: "put a `.toml` file there, or name another folder".into(),
            });
        }
        Some(files)
    }

    /// As a person reads it: the faults, and a line that counts them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text: String = self.faults.iter().map(|fault| format!("{fault}\n")).collect();
        let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        let files = count(self.files, "file");
        if self.faults.is_empty() {
            let _ = writeln!(text, "{files} checked, no faults");
            if self.secrets_skipped {
                text.push_str("secrets were not looked up; `--secrets` does that\n");
            }
        } else {
            let bad: BTreeSet<&Path> = self.faults.iter().map(|f| f.file.as_path()).collect();
            let _ = writeln!(
                text,
                "\n{} in {}; {files} checked",
                count(self.faults.len(), "fault"),
                count(bad.len(), "file"),
            );
        }
        text
    }

    /// As a program reads it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        json!({
            "ok": self.faults.is_empty(),
            "faults": self.faults,
            "checked": { "files": self.files, "secrets": !self.secrets_skipped },
        })
    }
}
