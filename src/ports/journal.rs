//! The journal: one primitive that is atomic and durable when it returns.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::{Digest, RunId, Timestamp};
use crate::run::{Event, Fact};

use super::chat::Delivery;

/// One thing a person did, kept until it has had its one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxRow {
    /// Given at acceptance, so that a crash in between starts the same run and not a second one.
    pub run: RunId,
    pub delivery: Delivery,
    pub at: Timestamp,
}

/// Everything one step changes. All of it or nothing.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Events of one run, with the sequence number the first of them must get (from 0).
    pub events: Option<(RunId, u64, Vec<Event>)>,
    /// Facts of the whole installation, numbered in the same way: a chain of its own beside those of the runs.
    pub facts: Option<(u64, Vec<Fact>)>,
    /// A new inbox row. If its key was seen before, the whole commit is a `Duplicate`.
    pub accept: Option<InboxRow>,
    /// Keys of inbox rows that have had their answer. Their keys are remembered for 24 h.
    pub answered: Vec<String>,
}

/// One event of a run as stored.
pub type StoredEvent = Stored<Event>;
/// One fact of the whole installation as stored.
pub type StoredFact = Stored<Fact>;

/// One event as stored, chained to the one before it by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored<E> {
    pub seq: u64,
    /// SHA-256 over the previous event's `hash` and this event's bytes; the first follows 32 zero bytes.
    pub prev: Digest,
    pub hash: Digest,
    pub event: E,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    #[error("this was delivered before")]
    Duplicate,
    /// Somebody else wrote: load the run, or the facts, again.
    #[error("the journal is at {at}, not where it was expected")]
    Conflict { at: u64 },
    /// The disk failed. Nothing may be assumed; the process stops taking work and ends.
    #[error("the journal cannot be written: {0}")]
    Io(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    #[error("the journal cannot be read: {0}")]
    Io(String),
    /// An event of a later version, or a broken hash chain: nothing is done with this run.
    #[error("run {run} is damaged at event {seq}: {what}")]
    Damaged { run: RunId, seq: u64, what: String },
    /// The same of the facts of the whole installation: whether everything is halted is not known, so nothing is sent.
    #[error(
        "whether everything is halted cannot be told, because fact {seq} of the journal is damaged: {what}; put back the \
         last good copy of the store"
    )]
    DamagedFacts { seq: u64, what: String },
}

#[async_trait]
pub trait Journal: Send + Sync {
    /// Atomic, and durable (it survives a power cut) when it returns `Ok`.
    async fn commit(&self, commit: Commit) -> Result<(), CommitError>;
    /// The events of one run in order; empty if there is none.
    async fn load(&self, run: RunId) -> Result<Vec<StoredEvent>, JournalError>;
    /// The facts of the whole installation in order; empty in a store that never had any.
    async fn facts(&self) -> Result<Vec<StoredFact>, JournalError>;
    /// Every run, newest first.
    async fn runs(&self) -> Result<Vec<RunId>, JournalError>;
    /// Inbox rows that have had no answer, oldest first.
    async fn unanswered(&self) -> Result<Vec<InboxRow>, JournalError>;
    /// The key that tokens are signed with; made at first start, readable by the owner only.
    fn token_key(&self) -> [u8; 32];
}

/// Redacted outputs, each unique one once for a run. The journal holds their hashes, so they can be pruned.
#[async_trait]
pub trait Outputs: Send + Sync {
    /// Durable when it returns. The same text gives the same key.
    async fn put(&self, run: RunId, text: &str) -> Result<Digest, JournalError>;
    /// `None` if it was pruned.
    async fn get(&self, run: RunId, key: &Digest) -> Result<Option<Arc<str>>, JournalError>;
    /// Deletes every output of the runs that were asked for before this time, by their ids, and returns how many runs
    /// that were.
    async fn prune(&self, before: Timestamp) -> Result<u64, JournalError>;
}
