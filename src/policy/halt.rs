//! Who may halt everything from chat, and who may resume.
//!
//! Two questions on purpose: whoever runs things may pull the brake, and letting it go takes somebody who knows that the
//! danger is over. Neither is about runbooks or targets, so no grant and no forbid touches it.

use std::collections::BTreeSet;

use crate::domain::GroupName;

use super::request::Asker;
use super::set::PolicySet;
use super::words::members;

/// Why somebody may not. One sentence fragment for that person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotHalt {
    #[error("bots and workflows cannot do this, only people can")]
    Bot,
    #[error("people of another organisation cannot do this here")]
    Foreign,
    #[error("only {} can do this", members(.0))]
    NotInGroup(BTreeSet<GroupName>),
    #[error("no policy file lets anybody do this from chat")]
    Nobody,
}

impl CannotHalt {
    /// The groups whose members could.
    #[must_use]
    pub fn could(&self) -> Vec<GroupName> {
        match self {
            CannotHalt::NotInGroup(groups) => groups.iter().cloned().collect(),
            CannotHalt::Bot | CannotHalt::Foreign | CannotHalt::Nobody => Vec::new(),
        }
    }
}

/// # Errors
/// Why this person may not halt everything.
pub fn may_halt(policy: &PolicySet, asker: &Asker) -> Result<(), CannotHalt> {
    is_in(&policy.halt.who, asker)
}

/// # Errors
/// Why this person may not resume.
pub fn may_resume(policy: &PolicySet, asker: &Asker) -> Result<(), CannotHalt> {
    is_in(&policy.halt.resume, asker)
}

fn is_in(groups: &BTreeSet<GroupName>, asker: &Asker) -> Result<(), CannotHalt> {
    if asker.bot {
        return Err(CannotHalt::Bot);
    }
    if asker.foreign {
        return Err(CannotHalt::Foreign);
    }
    if groups.is_empty() {
        return Err(CannotHalt::Nobody);
    }
    if groups.is_disjoint(&asker.groups) { Err(CannotHalt::NotInGroup(groups.clone())) } else { Ok(()) }
}
