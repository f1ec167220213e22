//! All runbooks of one reading, and what they hash to together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Runbook, load};
use crate::domain::fault::closest;
use crate::domain::{Digest, Fault, RunbookName};

/// The runbooks that are in force. Replaced as a whole, never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    pub runbooks: BTreeMap<RunbookName, Arc<Runbook>>,
    /// Over the names and revisions of all of them.
    pub revision: Digest,
}

impl Library {
    /// Reads files given as path and text. Paths are only named in faults; the file name gives the runbook's name.
    ///
    /// # Errors
    /// Every fault of every file, by file and place. One bad file spoils the set.
    pub fn load<P: AsRef<Path>, T: AsRef<str>>(files: impl IntoIterator<Item = (P, T)>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut seen: BTreeMap<RunbookName, PathBuf> = BTreeMap::new();
        let mut runbooks = BTreeMap::new();
        let mut files: Vec<(P, T)> = files.into_iter().collect();
        files.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
        for (path, text) in files {
            let path = path.as_ref();
            match load::load(path, text.as_ref()) {
                Ok(runbook) => {
                    if let Some(first) = seen.insert(runbook.name.clone(), path.to_owned()) {
                        faults.push(Fault {
                            file: path.to_owned(),
                            at: None,
                            what: format!("there is a runbook `{}` in `{}` already", runbook.name, first.display()),
                            remedy: "rename one of the files".into(),
                        });
                    }
                    runbooks.insert(runbook.name.clone(), Arc::new(runbook));
                }
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(Self::of(runbooks)) } else { Err(faults) }
    }

    /// No runbook at all: what is in force until a valid set has been read.
    #[must_use]
    pub fn empty() -> Self {
        Self::of(BTreeMap::new())
    }

    fn of(runbooks: BTreeMap<RunbookName, Arc<Runbook>>) -> Self {
        let text: String = runbooks.values().map(|r| format!("{} {}\n", r.name, r.revision)).collect();
        Library { runbooks, revision: Digest::of(text.as_bytes()) }
    }

    /// Reads every `*.toml` of a folder, not of folders in it.
    ///
    /// # Errors
    /// As [`Library::load`], and for what cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Vec<Fault>> {
        Self::load(read_folder(folder)?)
    }

    #[must_use]
    pub fn get(&self, name: &RunbookName) -> Option<&Arc<Runbook>> {
        self.runbooks.get(name)
    }

    /// The name that was most likely meant.
    #[must_use]
    pub fn closest(&self, name: &str) -> Option<&str> {
        closest(name, self.runbooks.keys().map(RunbookName::as_str))
    }
}

/// Path and text of every `*.toml` of a folder, by name.
///
/// # Errors
/// What cannot be read, as faults.
pub fn read_folder(folder: &Path) -> Result<Vec<(PathBuf, String)>, Vec<Fault>> {
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
