//! `policies/*.toml` -> [`PolicySet`], or every fault in every file at once.
//!
//! The files are read twice: first for the names that each defines, because a rule may use a group of another file,
//! then for everything. What this version does not know is refused by name and never ignored: a rule that were
//! silently skipped would be a hole.

mod glass;
mod names;
mod places;
mod rules;
mod selftests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::domain::strict::{self, Table};
use crate::domain::{Digest, Fault, Position};
use crate::runbook::Runbook;

use super::lint::{About, lint};
use super::selftest::SelfTest;
use super::set::PolicySet;
use names::{Names, Of};

/// Reads and merges all policy files, given as path and text; their order means nothing.
///
/// With `runbooks`, the names, owners and parameters that rules mention are checked against them too, and the files' own
/// tests have to pass; leave them out where they could not all be read, so that one broken runbook does not make every
/// mention of it a fault. No file at all gives a policy that denies everything.
///
/// # Errors
/// Every fault of every file, or, where there is none, every test that fails.
pub fn load(files: &[(PathBuf, String)], runbooks: Option<&[&Runbook]>) -> Result<PolicySet, Vec<Fault>> {
    let loaded = read(files, runbooks)?;
    let failed: Vec<Fault> = runbooks.map(|runbooks| loaded.failures(runbooks)).unwrap_or_default();
    if failed.is_empty() { Ok(loaded.policy) } else { Err(failed) }
}

/// The rules of all files before their tests have been asked.
#[derive(Debug)]
pub struct Loaded {
    pub policy: PolicySet,
    /// In the order of the files.
    pub tests: Vec<SelfTest>,
    places: BTreeMap<(Of, String), (PathBuf, Position)>,
}

impl Loaded {
    /// Every test with its fault, at its place, if it fails.
    #[must_use]
    pub fn asked(&self, runbooks: &[&Runbook]) -> Vec<(&SelfTest, Option<Fault>)> {
        let ask = |test: &SelfTest| test.run(&self.policy, runbooks).err();
        let fault = |test: &SelfTest, (what, remedy)| self.fault(Of::Test, &test.name, what, remedy);
        self.tests.iter().map(|test| (test, ask(test).map(|why| fault(test, why)))).collect()
    }

    /// The tests that fail.
    #[must_use]
    pub fn failures(&self, runbooks: &[&Runbook]) -> Vec<Fault> {
        self.asked(runbooks).into_iter().filter_map(|(_, fault)| fault).collect()
    }

    /// What is valid and still worth a look, each at its place.
    #[must_use]
    pub fn advice(&self, runbooks: &[&Runbook]) -> Vec<Fault> {
        let advice = lint(&self.policy, runbooks).into_iter().map(|advice| {
            let (of, name) = match &advice.about {
                About::Rule(id) => (Of::Rule, id),
                About::Group(name) => (Of::Group, name),
                About::Set(name) => (Of::Set, name),
            };
            self.fault(of, name, advice.what, advice.remedy)
        });
        advice.collect()
    }

    fn fault(&self, of: Of, name: &str, what: String, remedy: String) -> Fault {
        let (file, at) = match self.places.get(&(of, name.to_owned())) {
            Some((file, at)) => (file.clone(), Some(*at)),
            None => (PathBuf::new(), None),
        };
        Fault { file, at, what, remedy }
    }
}

/// As [`load`], without asking the tests.
///
/// # Errors
/// Every fault of every file.
pub fn read(files: &[(PathBuf, String)], runbooks: Option<&[&Runbook]>) -> Result<Loaded, Vec<Fault>> {
    let mut files: Vec<(&Path, &str)> = files.iter().map(|(path, text)| (path.as_path(), text.as_str())).collect();
    files.sort();
    let names = Names::of(&files, runbooks);
    let mut policy = PolicySet { revision: revision(&files), ..PolicySet::deny_all() };
    let (mut tests, mut faults) = (Vec::new(), Vec::new());
    for (index, (path, text)) in files.iter().enumerate() {
        let ((), found) = strict::read(path, text, |document| {
            let reader = Reader { names: &names, file: index };
            let root = document.root();
            reader.file(&root, &mut policy);
            tests.extend(root.tables("test").into_iter().filter_map(|t| reader.test(t)));
            root.finish();
        });
        faults.extend(found);
    }
    if faults.is_empty() { Ok(Loaded { policy, tests, places: names.places() }) } else { Err(faults) }
}

/// What a decision records, so that it can be told later which rules made it.
fn revision(files: &[(&Path, &str)]) -> Digest {
    let mut bytes = Vec::new();
    let mut push = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    for (path, text) in files {
        // The name without its folder, so that two hosts with the same files agree.
        push(path.file_name().unwrap_or_default().as_encoded_bytes());
        push(text.as_bytes());
    }
    Digest::of(&bytes)
}

/// Walks one file.
struct Reader<'n> {
    names: &'n Names<'n>,
    file: usize,
}

impl Reader<'_> {
    fn file(&self, root: &Table<'_>, policy: &mut PolicySet) {
        let _ = root.required_integer("version", 1..=1);
        // Known from other tools. What it could weaken always holds.
        root.refuse(
            "approval_defaults",
            "`approval_defaults` is no key here: no file can weaken what an approval is",
            "take it out; the requester never approves, one person fills one seat, and one denial ends a request",
        );
        if let Some(groups) = root.optional_table("groups") {
            policy.groups.extend(groups.entries().into_iter().filter_map(|(name, item)| self.group(&name, &item)));
        }
        if let Some(people) = root.optional_table("people") {
            for (name, item) in people.entries() {
                let Some(person) = self.person(root.document(), &name, &item, policy) else { continue };
                policy.identities.extend(person.identity.map(|id| (person.name.clone(), id)));
                policy.people.insert(person.name, person.accounts);
            }
        }
        if let Some(sets) = root.optional_table("sets") {
            policy.sets.extend(sets.entries().into_iter().filter_map(|(name, item)| self.set(&name, &item)));
        }
        policy.grants.extend(root.tables("grant").into_iter().filter_map(|t| self.grant(t)));
        policy.forbids.extend(root.tables("forbid").into_iter().filter_map(|t| self.forbid(t)));
        policy.freezes.extend(root.tables("freeze").into_iter().filter_map(|t| self.freeze(t)));
        policy.approvals.extend(root.tables("approval").into_iter().filter_map(|t| self.approval(t)));
        policy.view.extend(root.tables("view").into_iter().filter_map(|t| self.view(t)));
        if let Some(approvers) = root.optional_table("approvers") {
            for (name, item) in approvers.entries() {
                if let Some(approvers) = self.approvers(root.document(), &name, &item, &policy.approvers) {
                    policy.approvers.insert(name.value.to_owned(), approvers);
                }
            }
        }
        if let Some(table) = root.optional_table("break_glass")
            && let Some(glass) = self.break_glass(root, table)
        {
            policy.glass = Some(glass);
        }
        if let Some(halt) = root.optional_table("halt").map(|t| self.halt(t)) {
            policy.halt.who.extend(halt.who);
            policy.halt.resume.extend(halt.resume);
        }
    }
}
