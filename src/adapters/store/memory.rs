//! A journal and outputs that end with the process: for `plan`, and for tests. Same contract, nothing durable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::domain::{Digest, RunId, Timestamp};
use crate::ports::{Commit, CommitError, InboxRow, Journal, JournalError, Outputs, StoredEvent, StoredFact};

use super::index::{Index, Prepared, Write};
use super::{asked_before, record};

/// Events and inbox in memory.
pub struct MemoryJournal {
    state: Mutex<State>,
    token_key: [u8; 32],
}

#[derive(Default)]
struct State {
    index: Index,
    records: BTreeMap<RunId, Vec<Vec<u8>>>,
    facts: Vec<Vec<u8>>,
    rows: BTreeMap<u64, Vec<u8>>,
}

impl MemoryJournal {
    /// With a key of random bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::with_token_key(rand::random())
    }
    /// With this key, so that tests have the same tokens each time.
    #[must_use]
    pub fn with_token_key(token_key: [u8; 32]) -> Self {
        MemoryJournal { state: Mutex::default(), token_key }
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryJournal")
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let commit = Prepared::new(&commit)?;
        let mut state = self.state();
        for write in state.index.admit(commit)? {
            match write {
                Write::Event(run, _, record) => state.records.entry(run).or_default().push(record),
                Write::Fact(_, record) => state.facts.push(record),
                Write::Row(arrival, row) => drop(state.rows.insert(arrival, row)),
                Write::RowGone(arrival) => drop(state.rows.remove(&arrival)),
                // The index itself holds these.
                Write::Head(..) | Write::FactsHead(_) | Write::Seen(..) | Write::Forgotten(..) => {}
            }
        }
        Ok(())
    }

    async fn load(&self, run: RunId) -> Result<Vec<StoredEvent>, JournalError> {
        let (records, head) = {
            let state = self.state();
            (state.records.get(&run).cloned().unwrap_or_default(), state.index.head(run))
        };
        record::decode(run, &records, &head)
    }

    async fn facts(&self) -> Result<Vec<StoredFact>, JournalError> {
        let state = self.state();
        record::facts(&state.facts, &state.index.facts())
    }

    async fn runs(&self) -> Result<Vec<RunId>, JournalError> {
        Ok(self.state().index.runs())
    }

    async fn unanswered(&self) -> Result<Vec<InboxRow>, JournalError> {
        self.state().rows.values().map(|row| record::row(row)).collect()
    }

    fn token_key(&self) -> [u8; 32] {
        self.token_key
    }
}

/// Outputs in memory.
#[derive(Debug, Default)]
pub struct MemoryOutputs {
    texts: Mutex<BTreeMap<(RunId, Digest), Arc<str>>>,
}

impl MemoryOutputs {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Outputs for MemoryOutputs {
    async fn put(&self, run: RunId, text: &str) -> Result<Digest, JournalError> {
        let key = Digest::of(text.as_bytes());
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.entry((run, key)).or_insert_with(|| text.into());
        Ok(key)
    }

    async fn get(&self, run: RunId, key: &Digest) -> Result<Option<Arc<str>>, JournalError> {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(texts.get(&(run, *key)).cloned())
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, JournalError> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let old: BTreeSet<RunId> = texts.keys().map(|(run, _)| *run).filter(|run| asked_before(*run, before)).collect();
        texts.retain(|(run, _), _| !old.contains(run));
        Ok(old.len() as u64)
    }
}
