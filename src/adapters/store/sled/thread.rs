//! The one thread that opens the database, commits and reads.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::mpsc as std_mpsc;
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use crate::adapters::store::OpenError;
use crate::adapters::store::index::{Index, Prepared, Write};
use crate::audit::Head;
use crate::domain::RunId;
use crate::ports::CommitError;

use super::disk::Disk;

/// What is put into one transaction: enough that nobody waits long, little enough that nobody waits for long.
const BATCH_COMMITS: usize = 256;
const BATCH_BYTES: usize = 8 << 20;

type Answer<T> = oneshot::Sender<Result<T, String>>;

pub(super) enum Ask {
    Commit(Prepared, oneshot::Sender<Result<(), CommitError>>),
    Load(RunId, Answer<(Vec<Vec<u8>>, Head)>),
    Facts(Answer<(Vec<Vec<u8>>, Head)>),
    Runs(Answer<Vec<RunId>>),
    Heads(Answer<(BTreeMap<RunId, Head>, Head)>),
    Unanswered(Answer<Vec<Vec<u8>>>),
}

/// Starts it; returns when the database is open, with the key of tokens.
pub(super) fn start(store: &Path, asks: mpsc::Receiver<Ask>) -> Result<(JoinHandle<()>, [u8; 32]), OpenError> {
    let (opened, open) = std_mpsc::channel();
    let folder = store.to_owned();
    let io = |cause: String| OpenError::Io { path: store.to_owned(), cause };
    let thread = thread::Builder::new().name("journal".into()).spawn(move || {
        // sled may panic on a damaged file; that is an error like any other.
        let result = panic::catch_unwind(AssertUnwindSafe(|| Disk::open(&folder))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let cause = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned();
            Err(OpenError::Damaged { path: folder.join("journal"), cause })
        });
        match result {
            Err(e) => drop(opened.send(Err(e))),
            Ok((disk, index, token_key)) => {
                if opened.send(Ok(token_key)).is_ok() {
                    Owner { disk, index, failed: None }.serve(asks);
                }
            }
        }
    });
    let thread = thread.map_err(|e| io(e.to_string()))?;
    match open.recv() {
        Ok(Ok(token_key)) => Ok((thread, token_key)),
        Ok(Err(e)) => {
            // The lock goes with the thread.
            let _ = thread.join();
            Err(e)
        }
        Err(_) => Err(io("its thread ended at once".to_owned())),
    }
}

struct Owner {
    disk: Disk,
    index: Index,
    /// The disk failed. What it holds then is not known, and asking it again could answer "fine" for pages that it
    /// has dropped, so nothing is written or read any more.
    failed: Option<String>,
}

impl Owner {
    fn serve(mut self, mut asks: mpsc::Receiver<Ask>) {
        while let Some(first) = asks.blocking_recv() {
            let mut commits = Vec::new();
            let mut reads = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(ask) = next {
                match ask {
                    Ask::Commit(commit, answer) => {
                        bytes += commit.size();
                        commits.push((commit, answer));
                    }
                    read => reads.push(read),
                }
                let full = commits.len() >= BATCH_COMMITS || bytes >= BATCH_BYTES;
                next = if full { None } else { asks.try_recv().ok() };
            }
            self.commit(commits);
            reads.into_iter().for_each(|read| self.read(read));
        }
    }

    /// All of them in one transaction, made durable together, then answered.
    fn commit(&mut self, commits: Vec<(Prepared, oneshot::Sender<Result<(), CommitError>>)>) {
        let mut writes: Vec<Write> = Vec::new();
        let mut waiting = Vec::new();
        for (commit, answer) in commits {
            let admitted = match &self.failed {
                Some(cause) => Err(CommitError::Io(cause.clone())),
                None => self.index.admit(commit),
            };
            match admitted {
                Ok(more) => {
                    writes.extend(more);
                    waiting.push(answer);
                }
                // What one commit is refused for does not touch its neighbours. A refusal rests on facts that
                // may stand in this very batch, so it is told before they are durable; it promises nothing.
                Err(refused) => drop(answer.send(Err(refused))),
            }
        }
        if !writes.is_empty()
            && let Err(cause) = self.disk.write(&writes)
        {
            tracing::error!(%cause, "the journal cannot be written; muster takes no more work and has to be restarted");
            self.failed = Some(cause);
        }
        for answer in waiting {
            let result = self.failed.clone().map_or(Ok(()), |cause| Err(CommitError::Io(cause)));
            // Whoever asked may have gone; the commit stands.
            let _ = answer.send(result);
        }
    }

    fn read(&self, ask: Ask) {
        let failed = || self.failed.clone().map_or(Ok(()), Err);
        // Whoever asked may have gone.
        match ask {
            Ask::Load(run, answer) => {
                let records = failed().and_then(|()| self.disk.records(run));
                drop(answer.send(records.map(|records| (records, self.index.head(run)))));
            }
            Ask::Runs(answer) => drop(answer.send(failed().map(|()| self.index.runs()))),
            Ask::Facts(answer) => {
                let records = failed().and_then(|()| self.disk.facts());
                drop(answer.send(records.map(|records| (records, self.index.facts()))));
            }
            Ask::Heads(answer) => {
                drop(answer.send(failed().map(|()| (self.index.heads().clone(), self.index.facts()))));
            }
            Ask::Unanswered(answer) => drop(answer.send(failed().and_then(|()| self.disk.rows()))),
            Ask::Commit(_, answer) => drop(answer.send(Err(CommitError::Io("a commit is not a read".to_owned())))),
        }
    }
}
