//! `muster check`: every fault in every file at once, each with its place and remedy.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::config::{Config, Environment, Host, NotLookedUp, Paths};
use crate::domain::{Account, ChatPlatform, Fault, Position};
use crate::policy::{self, PolicySet};
use crate::rules::{Files, read_folder, unknown_gatekeepers};
use crate::runbook::{Library, Runbook};

/// Check muster.toml, runbooks and policies, and say every fault at once.
///
/// Without options: the configuration (`./muster.toml`) and the folders that it names. The tests inside the policy files
/// are asked too. Exits with 1 if anything is wrong, so it fits a pre-commit hook and CI. What is valid and still hardly
/// meant is told as advice. Nothing is contacted and nothing is changed.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:\n  muster check\n  muster check --runbooks runbooks --policies policies\n  \
    muster check --config /etc/muster/muster.toml --secrets\n  muster check --strict\n\n\
    Exit codes: 0 no faults; 1 faults, or advice with --strict; 2 wrong usage.")]
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
    /// Exit with 1 for advice too
    #[arg(long)]
    pub strict: bool,
    /// Print one JSON object: `ok`, `faults` and `advice` (file, at, what, remedy), `checked`
    #[arg(long)]
    pub json: bool,
}

/// What was checked and what is wrong.
#[derive(Debug, Default)]
pub struct Report {
    pub faults: Vec<Fault>,
    /// Valid, and still hardly meant.
    pub advice: Vec<Fault>,
    /// Files that were read, the configuration included.
    pub files: usize,
    /// Tests inside the policy files that were asked.
    pub tests: usize,
    /// Secrets were named and not looked up.
    pub secrets_skipped: bool,
}

#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let report = check(args);
    if args.json {
        println!("{}", report.json());
    } else if report.faults.is_empty() && report.advice.is_empty() {
        print!("{}", report.text());
    } else {
        eprint!("{}", super::terminal::Terminal::stderr().faults(&report.text()));
    }
    let good = report.faults.is_empty() && (report.advice.is_empty() || !args.strict);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads everything and collects every fault.
#[must_use]
pub fn check(args: &Args) -> Report {
    let mut report = Report::default();
    let configuration = super::configuration(args.config.as_ref());
    let configured = configuration.as_ref().and_then(|file| report.configuration(file, args.secrets));
    let (configured, config) = configured.unzip();
    let runbooks = super::folder(args.runbooks.as_ref(), configured.as_ref().map(|p| &p.runbooks), "runbooks");
    let policies = super::folder(args.policies.as_ref(), configured.as_ref().map(|p| &p.policies), "policies");

    let books = report.runbooks(&runbooks);
    let policy = report.policies(&policies, books.as_ref());
    if let (Some(policy), Some(file), Some(Some(config))) = (policy, configuration, config) {
        let accounts: Vec<Account> = config.accounts.iter().map(|settings| settings.account.clone()).collect();
        report.unclassified(&policy, &file, &accounts);
        report.untold(&policy, &file, &config);
    }
    for faults in [&mut report.faults, &mut report.advice] {
        faults.sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
    }
    report
}

impl Report {
    /// Paths, and the rest if all of it could be read.
    fn configuration(&mut self, file: &Path, secrets: bool) -> Option<(Paths, Option<Config>)> {
        let environment: &dyn Environment = if secrets { &Host } else { &NotLookedUp };
        self.secrets_skipped = !secrets;
        let config = match Config::load(file, environment) {
            Ok(config) => Some(config),
            Err(faults) => {
                self.faults.extend(faults);
                None
            }
        };
        let text = environment.read(file).ok()?;
        self.files += 1;
        Some((Config::paths(file, &text), config))
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
    fn policies(&mut self, folder: &Path, books: Option<&(Files, Library)>) -> Option<PolicySet> {
        let files = self.files_of(folder, "policy")?;
        let runbooks: Option<Vec<&Runbook>> = books.map(|(_, l)| l.runbooks.values().map(AsRef::as_ref).collect());
        match policy::load::read(&files, runbooks.as_deref()) {
            Ok(loaded) => {
                if let (Some(runbooks), Some((files, library))) = (runbooks, books) {
                    self.tests = loaded.tests.len();
                    self.faults.extend(unknown_gatekeepers(files, library, &loaded.policy));
                    self.faults.extend(loaded.failures(&runbooks));
                    self.advice.extend(loaded.advice(&runbooks));
                }
                Some(loaded.policy)
            }
            Err(faults) => {
                self.faults.extend(faults);
                None
            }
        }
    }

    /// Accounts of the configuration that no set says anything about.
    fn unclassified(&mut self, policy: &PolicySet, file: &Path, accounts: &[Account]) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        for account in policy::unclassified(policy, accounts) {
            self.advice.push(Fault {
                file: file.to_owned(),
                at: text.find(account.id.as_str()).map(|byte| Position::of(&text, byte)),
                what: format!("no set says whether `{}` is production, so it counts as production", account.name),
                remedy: "put it in a set of the policy with `production = true` or `false`".into(),
            });
        }
    }

    /// Channels that have to be told before broken glass starts anything, on a platform that is not set up.
    fn untold(&mut self, policy: &PolicySet, file: &Path, config: &Config) {
        let is_set_up = |platform: ChatPlatform| match platform {
            ChatPlatform::Slack => config.slack.is_some(),
            ChatPlatform::Discord => config.discord.is_some(),
            ChatPlatform::Host => false,
        };
        for channel in policy.glass.iter().flat_map(|glass| &glass.notify).filter(|c| !is_set_up(c.platform)) {
            self.advice.push(Fault {
                file: file.to_owned(),
                at: None,
                what: format!("nobody can break the glass: `{channel}` has to be told, and its platform is not set up"),
                remedy: "set it up, or take the channel out of `notify` under `[break_glass]`".into(),
            });
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

    /// As a person reads it: the faults and the advice, and a line that counts them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text: String = self.faults.iter().map(|fault| format!("{fault}\n")).collect();
        if !self.advice.is_empty() {
            let gap = if self.faults.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}Valid, and worth a look:");
            text.extend(self.advice.iter().map(|advice| format!("{advice}\n")));
        }
        let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        let files = count(self.files, "file");
        let tests = if self.tests == 0 { String::new() } else { format!(", {} asked", count(self.tests, "test")) };
        if !text.is_empty() {
            text.push('\n');
        }
        if self.faults.is_empty() {
            let advice = match self.advice.len() {
                0 => String::new(),
                1 => ", 1 piece of advice".into(),
                n => format!(", {n} pieces of advice"),
            };
            let _ = writeln!(text, "{files} checked{tests}, no faults{advice}");
            if self.secrets_skipped {
                text.push_str("secrets were not looked up; `--secrets` does that\n");
            }
        } else {
            let bad: BTreeSet<&Path> = self.faults.iter().map(|f| f.file.as_path()).collect();
            let _ = writeln!(
                text,
                "{} in {}; {files} checked{tests}",
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
            "advice": self.advice,
            "checked": { "files": self.files, "tests": self.tests, "secrets": !self.secrets_skipped },
        })
    }
}
