//! Where the runbooks and policies come from, and how a change of them takes effect: whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::fault::closest;
use crate::domain::{Digest, Fault, Position};
use crate::engine::rulebook::{Rulebook, Rules};
use crate::policy::{self, PolicySet};
use crate::runbook::{Library, Runbook};
use crate::{shipped, telemetry};

/// The folders are looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the files are.
#[derive(Debug, Clone)]
pub enum Source {
    /// Those inside the binary.
    Shipped,
    Folders {
        runbooks: PathBuf,
        policies: PathBuf,
    },
}

/// Path and text of every file, in the order of their names.
pub type Files = Vec<(PathBuf, String)>;

impl Source {
    /// Every file's text: runbooks and policies.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(&self) -> Result<(Files, Files), Vec<Fault>> {
        match self {
            Source::Shipped => Ok((owned(shipped::RUNBOOKS), owned(shipped::POLICIES))),
            Source::Folders { runbooks, policies } => match (read_folder(runbooks), read_folder(policies)) {
                (Ok(runbooks), Ok(policies)) => Ok((runbooks, policies)),
                (runbooks, policies) => {
                    let faults = [runbooks.err(), policies.err()];
                    Err(faults.into_iter().flatten().flatten().collect())
                }
            },
        }
    }
}

/// Path and text of every `*.toml` of a folder, by name.
///
/// # Errors
/// What cannot be read, as faults.
pub fn read_folder(folder: &Path) -> Result<Files, Vec<Fault>> {
    let fault = |file: &Path, e: &std::io::Error, remedy: &str| Fault {
        file: file.to_owned(),
        at: None,
        what: format!("cannot be read: {e}"),
        remedy: remedy.to_owned(),
    };
    let entries = std::fs::read_dir(folder)
        .map_err(|e| vec![fault(folder, &e, "name an existing folder under `[paths]` or on the command line")])?;
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Ok(entry) if entry.path().extension().is_some_and(|e| e == "toml") => {
                match std::fs::read_to_string(entry.path()) {
                    Ok(text) => files.push((entry.path(), text)),
                    Err(e) => faults.push(fault(&entry.path(), &e, "make it a readable file of UTF-8 text")),
                }
            }
            Ok(_) => {}
            Err(e) => faults.push(fault(folder, &e, "check the folder's permissions")),
        }
    }
    files.sort();
    faults.sort_by(|a, b| a.file.cmp(&b.file));
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

fn owned(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect()
}

/// Parses, lints and joins both kinds of files.
///
/// # Errors
/// Every fault of every file.
pub fn check(runbooks: &Files, policies: &Files) -> Result<Rules, Vec<Fault>> {
    let library = Library::load(runbooks.iter().map(|(path, text)| (path, text)));
    let known: Option<Vec<&Runbook>> =
        library.as_ref().ok().map(|library| library.runbooks.values().map(AsRef::as_ref).collect());
    let set = policy::load::load(policies, known.as_deref());
    match (library, set) {
        (Ok(library), Ok(policy)) => {
            let faults = unknown_gatekeepers(runbooks, &library, &policy);
            if faults.is_empty() { Ok(Rules { runbooks: library, policy }) } else { Err(faults) }
        }
        (library, set) => {
            let mut faults = library.err().unwrap_or_default();
            faults.extend(set.err().unwrap_or_default());
            Err(faults)
        }
    }
}

/// Gates whose group no policy file defines: nobody could ever pass them.
#[must_use]
pub fn unknown_gatekeepers(files: &Files, library: &Library, policy: &PolicySet) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in files {
        let name = path.file_stem().and_then(|stem| stem.to_string_lossy().parse().ok());
        let Some(runbook) = name.and_then(|name| library.get(&name)) else { continue };
        for gate in runbook.steps.iter().filter_map(|step| step.gate.as_ref()) {
            if policy.groups.contains_key(&gate.from) {
                continue;
            }
            let at = text.find(&format!("\"{}\"", gate.from)).map(|byte| Position::of(text, byte));
            let near = closest(&gate.from, policy.groups.keys().map(String::as_str));
            faults.push(Fault {
                file: path.clone(),
                at,
                what: format!("the gate asks `{}`, a group that no policy file defines", gate.from),
                remedy: match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name a group of the policy, or define it under `[groups]`".to_owned(),
                },
            });
        }
    }
    faults
}

/// What was read last, so that only changes are read again.
#[derive(Debug, Clone, Copy)]
pub struct Seen(Option<Digest>);

/// The rules at the start. Where no valid set is there, nothing is permitted until one is.
#[must_use]
pub fn first(source: &Source) -> (Rulebook, Seen, Vec<Fault>) {
    let read = source.read();
    let seen = Seen(read.as_ref().ok().map(fingerprint));
    match read.and_then(|(books, policies)| check(&books, &policies)) {
        Ok(rules) => (Rulebook::new(rules), seen, Vec::new()),
        Err(faults) => {
            (Rulebook::new(Rules { runbooks: Library::empty(), policy: PolicySet::deny_all() }), seen, faults)
        }
    }
}

/// Looks for changes until dropped, and at once when `nudged` (SIGHUP). A broken set leaves the good one in force and
/// is told once.
pub async fn keep_current(source: Source, rulebook: Arc<Rulebook>, seen: Seen, nudged: Arc<tokio::sync::Notify>) {
    let Seen(mut seen) = seen;
    loop {
        let forced = tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => false,
            () = nudged.notified() => true,
        };
        let source = source.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || source.read()).await else { continue };
        let (mark, checked) = match read {
            Ok(files) => {
                let mark = fingerprint(&files);
                if !forced && seen == Some(mark) {
                    continue;
                }
                (mark, check(&files.0, &files.1))
            }
            Err(faults) => {
                let mark = Digest::of(format!("{faults:?}").as_bytes());
                if !forced && seen == Some(mark) {
                    continue;
                }
                (mark, Err(faults))
            }
        };
        seen = Some(mark);
        match checked {
            Ok(rules) => {
                tracing::info!(runbooks = rules.runbooks.runbooks.len(), policy = %rules.policy.revision.short(12), "runbooks and policies are in force");
                rulebook.swap(rules);
                metrics::gauge!(telemetry::RULES_STALE).set(0.0);
            }
            Err(faults) => {
                metrics::gauge!(telemetry::RULES_STALE).set(1.0);
                tracing::error!(
                    faults = faults.len(),
                    "the changed runbooks or policies are not valid; those before stay in force"
                );
                for fault in &faults {
                    tracing::error!("{fault}");
                }
            }
        }
    }
}

fn fingerprint((books, policies): &(Files, Files)) -> Digest {
    let mut text = Vec::new();
    for (path, content) in books.iter().chain(policies) {
        text.extend_from_slice(path.to_string_lossy().as_bytes());
        text.push(0);
        text.extend_from_slice(Digest::of(content.as_bytes()).bytes());
    }
    Digest::of(&text)
}
