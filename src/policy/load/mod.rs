//! `policies/*.toml` -> [`PolicySet`], or every fault in every file at once.
//!
//! The files are read twice: first for the names that each defines, because a rule may use a group of another file,
//! then for everything. What this version does not know is refused by name and never ignored: a rule that were
//! silently skipped would be a hole.

mod names;
mod places;
mod rules;

use std::path::{Path, PathBuf};

use crate::domain::strict::{self, Table};
use crate::domain::{Digest, Fault};
use crate::runbook::Runbook;

use super::set::PolicySet;
use names::Names;

/// Reads and merges all policy files, given as path and text; their order means nothing.
///
/// With `runbooks`, the names, owners and parameters that rules mention are checked against them too; leave them out
/// where they could not all be read, so that one broken runbook does not make every mention of it a fault. No file at
/// all gives a policy that denies everything.
pub fn load(files: &[(PathBuf, String)], runbooks: Option<&[&Runbook]>) -> Result<PolicySet, Vec<Fault>> {
    let mut files: Vec<(&Path, &str)> = files.iter().map(|(path, text)| (path.as_path(), text.as_str())).collect();
    files.sort();
    let names = Names::of(&files, runbooks);
    let mut policy = PolicySet { revision: revision(&files), ..PolicySet::deny_all() };
    let mut faults = Vec::new();
    for (index, (path, text)) in files.iter().enumerate() {
        let ((), found) = strict::read(path, text, |document| {
            let reader = Reader { names: &names, file: index };
            let root = document.root();
            reader.file(&root, &mut policy);
            root.finish();
        });
        faults.extend(found);
    }
    if faults.is_empty() { Ok(policy) } else { Err(faults) }
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

/// Parts of the language that are planned and not built: known, and refused.
const NOT_YET: [(&str, &str); 3] = [
    ("break_glass", "take it out; nothing overrides a rule"),
    ("test", "take it out; `muster plan` shows the decision for a person"),
    ("approval_defaults", "take it out; the requester never approves, and one denial ends a request"),
];

impl Reader<'_> {
    fn file(&self, root: &Table<'_>, policy: &mut PolicySet) {
        let _ = root.required_integer("version", 1..=1);
        for (key, remedy) in NOT_YET {
            root.refuse(key, &format!("`{key}` is not supported by this version"), remedy);
        }
        if let Some(groups) = root.optional_table("groups") {
            policy.groups.extend(groups.entries().into_iter().filter_map(|(name, item)| self.group(&name, &item)));
        }
        if let Some(people) = root.optional_table("people") {
            for (name, item) in people.entries() {
                if let Some((name, accounts)) = self.person(root.document(), &name, &item, &policy.people) {
                    policy.people.insert(name, accounts);
                }
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
        if let Some(halt) = root.optional_table("halt").map(|t| self.halt(t)) {
            policy.halt.who.extend(halt.who);
            policy.halt.resume.extend(halt.resume);
        }
    }
}
