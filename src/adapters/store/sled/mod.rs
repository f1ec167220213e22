//! The journal in sled, as one thread that owns the database and a handle that anybody may share.
//!
//! The thread takes all commits that wait, writes them in one transaction and makes them durable together, so
//! many runs cost one disk flush. Reads go the same way and so see durable facts only.

mod disk;
mod thread;

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::audit::Checkpoint;
use crate::domain::{RunId, Timestamp};
use crate::ports::{Commit, CommitError, InboxRow, Journal, JournalError, StoredEvent, StoredFact};

use super::OpenError;
use super::index::Prepared;
use super::record;
use thread::Ask;

/// Commits that may wait before a caller has to.
const QUEUE: usize = 1024;

/// The durable journal. Dropping it waits until the thread has closed the database.
pub struct SledJournal {
    /// `None` only while it is dropped.
    asks: Option<mpsc::Sender<Ask>>,
    thread: Option<JoinHandle<()>>,
    token_key: [u8; 32],
    store: PathBuf,
}

impl SledJournal {
    /// Opens the journal of the store in this folder, and makes both where they are missing. Blocks on the disk.
    ///
    /// # Errors
    /// A sentence for the person who starts Muster, above all [`OpenError::Busy`] where another process has it.
    pub fn open(store: &Path) -> Result<Self, OpenError> {
        let (asks, inbox) = mpsc::channel(QUEUE);
        let (thread, token_key) = thread::start(store, inbox)?;
        Ok(SledJournal { asks: Some(asks), thread: Some(thread), token_key, store: store.to_owned() })
    }

    /// The folder it was opened with.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// The heads of all runs, and of the facts of the whole installation, now.
    pub async fn checkpoint(&self, now: Timestamp) -> Result<Checkpoint, JournalError> {
        let heads = self.ask(Ask::Heads).await.map_err(JournalError::Io)?;
        let (heads, facts) = heads.map_err(JournalError::Io)?;
        Ok(Checkpoint::new(now, heads, facts))
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, String> {
        let over = || "the journal's thread has ended; start muster again".to_owned();
        let (answer, answered) = oneshot::channel();
        let Some(asks) = &self.asks else { return Err(over()) };
        asks.send(ask(answer)).await.map_err(|_| over())?;
        answered.await.map_err(|_| over())
    }
}

// Not derived: the key of tokens is a secret.
impl fmt::Debug for SledJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SledJournal({})", self.store.display())
    }
}

impl Drop for SledJournal {
    fn drop(&mut self) {
        // Closes the queue, upon which the thread ends; then the folder is free for the next one.
        self.asks.take();
        if let Some(thread) = self.thread.take() {
            // If it panicked, everybody who asked has been told.
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Journal for SledJournal {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let commit = Prepared::new(&commit)?;
        self.ask(|answer| Ask::Commit(commit, answer)).await.map_err(CommitError::Io)?
    }

    async fn load(&self, run: RunId) -> Result<Vec<StoredEvent>, JournalError> {
        let raw = self.ask(|answer| Ask::Load(run, answer)).await.map_err(JournalError::Io)?;
        let (records, head) = raw.map_err(JournalError::Io)?;
        // Millions of bytes for a large plan: not on a thread that others wait for.
        let decoded = tokio::task::spawn_blocking(move || record::decode(run, &records, &head)).await;
        decoded.map_err(|e| JournalError::Io(e.to_string()))?
    }

    async fn facts(&self) -> Result<Vec<StoredFact>, JournalError> {
        let raw = self.ask(Ask::Facts).await.map_err(JournalError::Io)?;
        let (records, head) = raw.map_err(JournalError::Io)?;
        record::facts(&records, &head)
    }

    async fn runs(&self) -> Result<Vec<RunId>, JournalError> {
        self.ask(Ask::Runs).await.map_err(JournalError::Io)?.map_err(JournalError::Io)
    }

    async fn unanswered(&self) -> Result<Vec<InboxRow>, JournalError> {
        let rows = self.ask(Ask::Unanswered).await.map_err(JournalError::Io)?.map_err(JournalError::Io)?;
        rows.iter().map(|row| record::row(row)).collect()
    }

    fn token_key(&self) -> [u8; 32] {
        self.token_key
    }
}
