//! The journal, which outlives the engine, with a witness beside it: the disk fails now and then, the process ends before
//! or after a commit, and whatever becomes durable is judged at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use muster::adapters::store::MemoryJournal;
use muster::domain::{NodeId, RunId, Timestamp};
use muster::ports::{Commit, CommitError, InboxRow, Journal, JournalError, SendRequest, StoredEvent, StoredFact};
use muster::run::{Event, Fact, Run};

use super::fortune::Fortune;
use super::society::{Deed, Society};
use super::story::{DECIDED_WITHIN, Story};
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
    facts: Vec<Fact>,
}

impl Witness {
    fn is_halted(&self) -> bool {
        self.facts.last().is_some_and(|fact| !matches!(fact, Fact::Resumed { .. }))
    }
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

    /// What was said of everything, in order.
    pub fn facts_told(&self) -> Vec<Fact> {
        self.witness.lock().unwrap().facts.clone()
    }

    pub fn is_halted(&self) -> bool {
        self.witness.lock().unwrap().is_halted()
    }

    /// Nobody owes anything, and nothing is held up.
    pub fn is_quiet(&self) -> bool {
        let witness = self.witness.lock().unwrap();
        !witness.is_halted()
            && witness.rows.values().all(|row| row.answered.is_some())
            && witness.stories.values().all(|s| s.run.is_settled())
    }

    /// A send that is about to be made: by a durable intent, of a moment ago, once, and to its targets alone (I1, I7).
    pub fn judge_send(&self, request: &SendRequest) {
        let now = self.time.truth();
        let mut guard = self.witness.lock().unwrap();
        let witness = &mut *guard;
        let token = &request.token;
        if witness.is_halted() {
            self.broke(format!("I12: {token} is sent while everything is halted"));
        }
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

    /// Somebody who may has said so in chat, or has a shell on the host.
    fn may_say(&self, fact: &Fact, now: Timestamp) -> bool {
        let by = fact.by();
        let is_in = |group| self.society.was_in(&by.user, group, now - DECIDED_WITHIN, now);
        by.is_operator()
            || match fact {
                Fact::Halted { .. } | Fact::Explained { .. } => {
                    self.society.has_done(by, Deed::halts) && (is_in("ops") || is_in("sre"))
                }
                Fact::Resumed { .. } => self.society.has_done(by, Deed::resumes) && is_in("sre"),
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
        if let Some((seq, facts)) = &commit.facts {
            if *seq != witness.facts.len() as u64 {
                self.broke(format!("I12: fact {seq} does not follow the one before it"));
            }
            facts.iter().filter(|fact| !self.may_say(fact, now)).for_each(|fact| {
                self.broke(format!("I12: {} did not say so, or may not: {fact:?}", fact.by()));
            });
            witness.facts.extend(facts.iter().cloned());
        }
        let Some((id, seq, events)) = &commit.events else { return };
        let halted = witness.is_halted();
        for (event, number) in events.iter().zip(*seq..) {
            let met = others_on_its_nodes(&witness.stories, *id, event);
            met.into_iter().for_each(|promise| self.broke(promise));
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
            if halted && matches!(event, Event::Started { .. } | Event::SendIntent { .. }) {
                self.broke(format!("I12: `{}` of {id} while everything is halted", event.name()));
            }
            let broken = story.follow(event, now, &self.society);
            broken.into_iter().for_each(|promise| self.broke(promise));
        }
    }
}

/// Another run that this one must not meet, where it starts or sends (I11).
fn others_on_its_nodes(stories: &BTreeMap<RunId, Story>, id: RunId, event: &Event) -> Vec<String> {
    let Some(story) = stories.get(&id) else { return Vec::new() };
    let targets: Vec<u32> = match event {
        Event::Started { .. } => (0..story.run.counts.total).collect(),
        Event::SendIntent { targets, .. } => targets.clone(),
        _ => return Vec::new(),
    };
    let nodes: BTreeSet<&NodeId> =
        targets.iter().map(|t| &story.run.proposal.plan.targets[*t as usize].target.node).collect();
    let others = stories.values().filter(|other| other.run.id != id && other.excludes(story));
    let met =
        others.filter_map(|other| nodes.iter().find(|node| other.stands_on(node)).map(|node| (other.run.id, node)));
    met.map(|(other, node)| format!("I11: `{}` of {id} on {node}, which {other} has taken", event.name())).collect()
}

#[async_trait]
impl Journal for Ledger {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let io = || Err(CommitError::Io("no space left on device".into()));
        if self.witness.lock().unwrap().failed {
            return io();
        }
        self.fortune.may_crash("crash before a commit").await;
        if let Some(stalls) = self.fortune.lasts("disk slow", 60, 200..3_000) {
            tokio::time::sleep(stalls).await;
        } else if self.fortune.one_in(8) {
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
