//! Everything halted: what sends and starts ask before they go on, and how it is changed.
//!
//! The fact is durable before anybody is told. Intents are written under a shared lock and the fact under the exclusive
//! one, so in the journal no intent follows a halt: what was being written is waited for, and nothing new begins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{RwLock, RwLockReadGuard, watch};

use crate::domain::RunId;
use crate::message::View;
use crate::message::halt::{self, Open};
use crate::policy::{Asker, may_halt, may_resume};
use crate::ports::{Commit, CommitError, InboxRow, Journal, JournalError};
use crate::redact::Redactor;
use crate::run::halt::{Want, decide, evolve, replay};
use crate::run::{Fact, Halt, Run, Wish};
use crate::telemetry;

use super::announce::announce;
use super::intake::Answer;
use super::{Services, runs};

/// How often whoever waits looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub struct Halting {
    /// The sequence number of the next fact. Shared while an intent or a start is written, exclusive for the fact.
    next: RwLock<u64>,
    state: watch::Sender<Option<Arc<Halt>>>,
    /// What earlier processes did, by the input that asked for it. Some of these could not be told yet.
    done: BTreeMap<RunId, Changed>,
}

/// Nothing is halted for as long as this is held.
pub type Passage<'a> = RwLockReadGuard<'a, u64>;

/// What came of a wish.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The halt before it.
    pub before: Option<Arc<Halt>>,
    /// The fact that it made; `None`: it was so already.
    pub fact: Option<(u64, Fact)>,
}

impl Halting {
    /// As the journal says.
    ///
    /// # Errors
    /// If it cannot be read: then nobody knows whether anything may be sent.
    pub async fn restored(journal: &dyn Journal) -> Result<Halting, JournalError> {
        let stored = journal.facts().await?;
        let next = stored.len() as u64;
        let (mut halt, mut done) = (None, BTreeMap::new());
        for (fact, number) in stored.into_iter().map(|s| s.event).zip(0..) {
            let before: Option<Arc<Halt>> = halt;
            halt = evolve(before.as_deref().cloned(), &fact).map(Arc::new);
            if let Some(input) = fact.input() {
                done.insert(input, Changed { before, fact: Some((number, fact)) });
            }
        }
        Ok(Halting { next: RwLock::new(next), state: watch::Sender::new(halt), done })
    }

    /// The halt that is in force.
    pub fn now(&self) -> Option<Arc<Halt>> {
        self.state.borrow().clone()
    }

    /// Waits until nothing is halted, or until it is not `wanted` any more.
    pub async fn lifted(&self, wanted: impl Fn() -> bool) {
        let mut news = self.state.subscribe();
        while news.borrow_and_update().is_some() && wanted() {
            tokio::select! {
                _ = news.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// To be held while an intent or a start is written; `None` while everything is halted. Not for longer than that: a
    /// halt waits for it.
    pub async fn passage(&self) -> Option<Passage<'_>> {
        let passage = self.next.read().await;
        self.now().is_none().then_some(passage)
    }
}

/// Makes the wish a durable fact, unless it is so already, and draws the cards of all open runs anew. When it returns,
/// the last intent before a halt stands in the journal.
///
/// # Errors
/// The store failed, and the process ends: nothing new is sent either.
pub async fn change(services: &Services, wish: &Wish) -> Result<Changed, String> {
    let halting = &services.halting;
    let failed = |fault: String| {
        services.fail(&fault);
        fault
    };
    let mut next = halting.next.write().await;
    let changed = loop {
        let before = halting.now();
        let Some(fact) = decide(before.as_deref(), wish, services.clock.now()) else {
            return Ok(Changed { before, fact: None });
        };
        let commit = Commit { facts: Some((*next, vec![fact.clone()])), ..Commit::default() };
        match services.journal.commit(commit).await {
            Ok(()) => {
                halting.state.send_replace(evolve(before.as_deref().cloned(), &fact).map(Arc::new));
                *next += 1;
                break Changed { before, fact: Some((*next - 1, fact)) };
            }
            // Another writer on the same journal: what it says counts.
            Err(CommitError::Conflict { .. }) => {
                let stored = services.journal.facts().await.map_err(|fault| failed(fault.to_string()))?;
                *next = stored.len() as u64;
                halting.state.send_replace(replay(stored.iter().map(|s| &s.event)).map(Arc::new));
            }
            Err(fault @ (CommitError::Duplicate | CommitError::Io(_))) => return Err(failed(fault.to_string())),
        }
    };
    drop(next);
    tell(services, halting.now().as_deref());
    if let Some((_, fact)) = &changed.fact {
        match fact {
            Fact::Halted { by, why, .. } => {
                tracing::warn!(%by, why = why.as_deref().unwrap_or("not given"), "everything is halted");
            }
            Fact::Explained { by, why, .. } => tracing::warn!(%by, why, "it is told why everything is halted"),
            Fact::Resumed { by, .. } => tracing::warn!(%by, "resumed: sending goes on"),
        }
    }
    Ok(changed)
}

/// To metrics, and to the cards of all open runs.
pub fn tell(services: &Services, halt: Option<&Halt>) {
    metrics::gauge!(telemetry::HALTED).set(if halt.is_some() { 1.0 } else { 0.0 });
    for handle in services.runs.held() {
        handle.changed.notify_one();
    }
}

/// `halt`, typed in chat.
pub(super) async fn halt(services: &Services, row: &InboxRow, asker: &Asker, because: Option<String>) -> Answer {
    let view = services.view_for(row);
    if let Err(why) = may_halt(&services.rulebook.current().policy, asker) {
        return Answer::Whisper(halt::may_not_halt(&why, &view));
    }
    let why = because.map(|why| Redactor::new(&services.redaction_key(row.run)).redact(&why).text);
    carry_out(services, row, asker, Want::Halt { why }).await
}

/// `resume`, typed in chat.
pub(super) async fn resume(services: &Services, row: &InboxRow, asker: &Asker) -> Answer {
    let view = services.view_for(row);
    if let Err(why) = may_resume(&services.rulebook.current().policy, asker) {
        return Answer::Whisper(halt::may_not_resume(&why, &view));
    }
    carry_out(services, row, asker, Want::Resume).await
}

async fn carry_out(services: &Services, row: &InboxRow, asker: &Asker, what: Want) -> Answer {
    // Done by an earlier process, which ended before everybody was told: once more would be a second halt.
    let earlier = services.halting.done.get(&row.run).cloned();
    let is_new = earlier.is_none();
    let wish = Wish { by: asker.principal.clone(), what, input: Some(row.run) };
    let changed = match earlier {
        Some(changed) => changed,
        None => match change(services, &wish).await {
            Ok(changed) => changed,
            Err(fault) => return Answer::Whisper(crate::message::refusal::fault(&fault, &row.run.to_string())),
        },
    };
    let view = services.view_for(row);
    match changed.fact {
        Some((number, fact)) => {
            let open = open(services, |run| runs::visible(services, asker, run));
            let card = open.told(&fact, changed.before.as_deref(), &view);
            announce(services, row, card, &format!("fact-{number}"), !is_new).await
        }
        None => Answer::Whisper(already(&wish.what, &view)),
    }
}

/// To whoever asks for what is so already.
pub(super) fn already(what: &Want, view: &View) -> crate::message::Card {
    match what {
        Want::Halt { .. } => halt::halted_already(view),
        Want::Resume => halt::not_halted(view),
    }
}

/// Runs that are not over, as far as somebody may see them.
pub(super) struct OpenRuns {
    runs: Vec<(Arc<Run>, String)>,
    others: (u32, u32),
}

pub(super) fn open(services: &Services, visible: impl Fn(&Run) -> bool) -> OpenRuns {
    let mut found = OpenRuns { runs: Vec::new(), others: (0, 0) };
    for handle in services.runs.held() {
        let run = handle.snapshot();
        if run.phase.is_over() {
            continue;
        }
        if visible(&run) {
            found.runs.push((run, services.runs.short(handle.id)));
        } else {
            found.others = (found.others.0 + 1, found.others.1 + crate::message::root::in_flight(&run));
        }
    }
    found
}

impl OpenRuns {
    /// What was done, for everybody.
    pub fn told(&self, fact: &Fact, before: Option<&Halt>, view: &View) -> crate::message::Card {
        let runs: Vec<(&Run, String)> = self.runs.iter().map(|(run, short)| (run.as_ref(), short.clone())).collect();
        let open = Open { runs: &runs, others: self.others };
        match fact {
            Fact::Halted { .. } => halt::halted(open, view),
            Fact::Explained { by, .. } => halt::explained(by, view),
            Fact::Resumed { by, at, .. } => halt::resumed(by, *at, before, open),
        }
    }
}
