//! The journal, which outlives the engine, with a witness beside it: the disk fails now and then, the process ends before
//! or after a commit, and whatever becomes durable is judged at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use muster::adapters::store::MemoryJournal;
use muster::domain::{RunId, Timestamp};
use muster::ports::{Commit, CommitError, InboxRow, Journal, JournalError, SendRequest, StoredEvent, StoredFact};
use muster::run::{Event, Run};

use super::fortune::Fortune;
use super::society::Society;
use super::story::Story;
use super::time::Time;

/// A call that has not begun so long after its intent must not be made.
const BEGUN_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(15);

pub struct Ledger {
    journal: MemoryJournal,
    time: Arc<Time>,
    fortune: Arc<Fortune>,
    society: Arc<Society>,
    witness: Mutex<Witness>,
    /// Promises that were broken.
    broken: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Witness {
    stories: BTreeMap<RunId, Story>,
    rows: BTreeMap<String, Row>,
    /// Number of this life, and whether its disk has failed.
    life: u32,
    failed: bool,
    tokens: BTreeMap<String, Intent>,
}

/// One send whose intent is durable.
struct Intent {
    run: RunId,
    targets: Vec<u32>,
    at: Timestamp,
    called: bool,
}

/// One accepted delivery.
#[derive(Debug, Clone)]
pub struct Row {
    pub run: RunId,
    /// Lives in which it was worked on.
    pub since: u32,
    pub answered: Option<u32>,
}

impl Ledger {
    pub fn new(time: Arc<Time>, fortune: Arc<Fortune>, society: Arc<Society>) -> Self {
        let journal = MemoryJournal::with_token_key([7; 32]);
        Ledger { journal, time, fortune, society, witness: Mutex::default(), broken: Mutex::default() }
    }

    /// A process begins, on a disk that works.
    pub fn begin(&self, life: u32) {
        let mut witness = self.witness.lock().unwrap();
        (witness.life, witness.failed) = (life, false);
    }

    /// A promise was broken.
    pub fn broke(&self, promise: String) {
        self.broken.lock().unwrap().push(promise);
    }

    pub fn broken(&self) -> Vec<String> {
        self.broken.lock().unwrap().clone()
    }

    pub fn runs(&self) -> Vec<RunId> {
        self.witness.lock().unwrap().stories.keys().copied().collect()
    }

    /// The fold of what is durable.
    pub fn run(&self, id: RunId) -> Run {
        self.witness.lock().unwrap().stories[&id].run.clone()
    }

    pub fn stories<T>(&self, look: impl FnOnce(&BTreeMap<RunId, Story>) -> T) -> T {
        look(&self.witness.lock().unwrap().stories)
    }

    pub fn rows(&self) -> BTreeMap<String, Row> {
        self.witness.lock().unwrap().rows.clone()
    }

    /// Nobody owes anything.
    pub fn is_quiet(&self) -> bool {
        let witness = self.witness.lock().unwrap();
        witness.rows.values().all(|row| row.answered.is_some()) && witness.stories.values().all(|s| s.run.is_settled())
    }

    /// A send that is about to be made: by a durable intent, of a moment ago, once, and to its targets alone (I1, I7).
    pub fn judge_send(&self, request: &SendRequest) {
        let now = self.time.truth();
        let mut guard = self.witness.lock().unwrap();
        let witness = &mut *guard;
        let token = &request.token;
        let Some(intent) = witness.tokens.get_mut(token) else {
            self.broke(format!("I1: a send without a durable intent: {token}"));
            return;
        };
        let run = &witness.stories[&intent.run].run;
        let plan = &run.proposal.plan;
        let planned: Vec<_> = intent.targets.iter().map(|t| plan.targets[*t as usize].target.node.clone()).collect();
        if planned != request.nodes || request.nodes.is_empty() || request.nodes.len() > 50 {
            self.broke(format!("I7: {token} goes to {:?}, its intent to {planned:?}", request.nodes));
        }
        if now.duration_since(intent.at) > BEGUN_WITHIN {
            self.broke(format!("{token} is called {:?} after its intent", now.duration_since(intent.at)));
        }
        if std::mem::replace(&mut intent.called, true) {
            self.broke(format!("I3: one intent was called twice: {token}"));
        }
        if token.len() > 100 {
            self.broke(format!("AWS takes no such comment: {token}"));
        }
    }

    fn see(&self, commit: &Commit) {
        let now = self.time.truth();
        let mut guard = self.witness.lock().unwrap();
        let witness = &mut *guard;
        if let Some(row) = &commit.accept {
            let row = (row.delivery.key.clone(), Row { run: row.run, since: witness.life, answered: None });
            witness.rows.insert(row.0, row.1);
        }
        for key in &commit.answered {
            if let Some(row) = witness.rows.get_mut(key) {
                row.answered.get_or_insert(witness.life);
            }
        }
        let Some((id, seq, events)) = &commit.events else { return };
        for (event, number) in events.iter().zip(*seq..) {
            if let Event::Proposed(proposal) = event {
                let (story, broken) = Story::begin(proposal, now, &witness.stories, &self.society);
                broken.into_iter().for_each(|promise| self.broke(promise));
                witness.stories.insert(*id, story);
                continue;
            }
            let Some(story) = witness.stories.get_mut(id).filter(|s| s.events.len() as u64 == number) else {
                self.broke(format!("event {number} of {id} does not follow the one before it"));
                return;
            };
            if let Event::SendIntent { token, targets, .. } = event {
                let intent = Intent { run: *id, targets: targets.clone(), at: now, called: false };
                if witness.tokens.insert(token.clone(), intent).is_some() {
                    self.broke(format!("I3: one token for two sends: {token}"));
                }
            }
            let broken = story.follow(event, now, &self.society);
            broken.into_iter().for_each(|promise| self.broke(promise));
        }
    }
}

#[async_trait]
impl Journal for Ledger {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let io = || Err(CommitError::Io("no space left on device".into()));
        if self.witness.lock().unwrap().failed {
            return io();
        }
        self.fortune.may_crash("crash before a commit").await;
        if self.fortune.one_in(8) {
            tokio::time::sleep(self.fortune.millis(1..40)).await;
        }
        let fails = self.fortune.strikes("disk fails", 600);
        if fails {
            self.witness.lock().unwrap().failed = true;
            if self.fortune.one_in(2) {
                return io();
            }
        }
        self.journal.commit(commit.clone()).await?;
        self.see(&commit);
        if fails {
            // It is on the disk all the same.
            return io();
        }
        self.fortune.may_crash("crash after a commit").await;
        Ok(())
    }

    async fn load(&self, run: RunId) -> Result<Vec<StoredEvent>, JournalError> {
        self.journal.load(run).await
    }

    async fn runs(&self) -> Result<Vec<RunId>, JournalError> {
        self.journal.runs().await
    }

    async fn facts(&self) -> Result<Vec<StoredFact>, JournalError> {
        self.journal.facts().await
    }

    async fn unanswered(&self) -> Result<Vec<InboxRow>, JournalError> {
        self.journal.unanswered().await
    }

    fn token_key(&self) -> [u8; 32] {
        self.journal.token_key()
    }
}
