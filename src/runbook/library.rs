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
