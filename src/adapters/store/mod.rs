//! The journal and the outputs: sled behind a hardened wrapper, and memory.
//!
//! Both journals follow the same rules ([`index`]) and keep the same bytes ([`record`]), so that one contract
//! suite holds for both. Below the store's folder, which only its owner may read:
//! `journal/` (sled), `outputs/<run>/<digest>.gz`, `token.key`, `lock`.

// Without sled only the memory journal uses them, and not all of it.
#[cfg_attr(not(feature = "sled"), allow(dead_code))]
mod index;
mod look;
mod memory;
mod outputs;
#[cfg_attr(not(feature = "sled"), allow(dead_code))]
mod private;
mod record;
#[cfg(feature = "sled")]
mod sled;

#[cfg(test)]
mod contract;

use std::path::PathBuf;

use crate::domain::{RunId, Timestamp};

pub use look::{StoreSeen, look};
pub use memory::{MemoryJournal, MemoryOutputs};
pub use outputs::FileOutputs;
#[cfg(feature = "sled")]
pub use sled::SledJournal;

/// A run's id carries the time at which it was asked for.
fn asked_before(run: RunId, before: Timestamp) -> bool {
    i64::try_from(run.0.timestamp_ms()).is_ok_and(|at| at < before.as_millisecond())
}

/// Why the store could not be opened: one sentence for the person who starts Muster, with the remedy last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("another muster is running on the store `{}`; stop it, or name another folder in `[paths] store`", .0.display())]
    Busy(PathBuf),
    #[error("the store `{}` cannot be used: {cause}; check that the folder exists and belongs to muster's user", .path.display())]
    Io { path: PathBuf, cause: String },
    #[error(
        "the journal in `{}` cannot be read: {cause}; stop here, copy the whole folder to a safe place, then put back the \
         last good copy of it. Moving the store's folder away starts an empty one, and muster then knows nothing of runs in progress",
        .path.display()
    )]
    Damaged { path: PathBuf, cause: String },
    #[error("the store `{}` was written by a later version of muster ({found}); install that version", .path.display())]
    Later { path: PathBuf, found: String },
}
