//! One writer per run: inputs in, events into the journal, effects out.
//!
//! The loop is the same for a new run and after a crash: fold, carry out what is owed. A result is acted on
//! only after it is durable.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use crate::domain::RunId;
use crate::message::Card;
use crate::ports::{Commit, CommitError};
use crate::run::{Effect, Event, Input, PostKey, Refusal, Run};

use super::Services;
use super::limits::Whom;
use super::warming::Warming;
use super::whole::Allowance;

/// Inputs that may be decided on before one commit.
const BATCH: usize = 256;
/// Between two tries of an effect that came to nothing.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A run's mailbox and its state for reading. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub id: RunId,
    /// The writer changes it in place, or a copy of it while somebody still looks at a snapshot.
    state: Arc<RwLock<Arc<Run>>>,
    mailbox: mpsc::Sender<Message>,
    /// Something visible has changed.
    pub changed: Arc<Notify>,
    /// Nothing will change any more.
    pub over: Arc<Notify>,
    living: Arc<Living>,
    whole: Arc<std::sync::Mutex<Allowance>>,
}

/// What each living card shows, as far as this process knows; a card's lock is held while it is changed.
type Living = std::sync::Mutex<BTreeMap<PostKey, Arc<Mutex<Option<Card>>>>>;

struct Message {
    input: Input,
    reply: oneshot::Sender<Result<(), Refusal>>,
}

impl Handle {
    fn new(run: Run, mailbox: mpsc::Sender<Message>) -> Handle {
        Handle {
            id: run.id,
            state: Arc::new(RwLock::new(Arc::new(run))),
            mailbox,
            changed: Arc::new(Notify::new()),
            over: Arc::new(Notify::new()),
            living: Arc::default(),
            whole: Arc::default(),
        }
    }

    /// A run of an earlier process that owes nothing any more: it can be read, and refuses every input.
    pub fn settled(run: Run) -> Handle {
        Handle::new(run, mpsc::channel(1).0)
    }

    /// What the run may still read of outputs that SSM cut.
    pub fn allowance(&self) -> std::sync::MutexGuard<'_, Allowance> {
        self.whole.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What the card shows, where it is one that is edited.
    pub fn shown(&self, key: &PostKey) -> Option<Arc<Mutex<Option<Card>>>> {
        match key {
            PostKey::Root
            | PostKey::Ask
            | PostKey::AskAt(_)
            | PostKey::Alert(_)
            | PostKey::Review(_)
            | PostKey::Hold(_) => {
                let mut living = self.living.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                Some(living.entry(key.clone()).or_default().clone())
            }
            PostKey::Notice(_) | PostKey::Overdue(_) | PostKey::Reviewed | PostKey::Results | PostKey::Closing => None,
        }
    }

    /// Feeds one input; returns when its events are durable.
    ///
    /// # Errors
    /// [`Refusal`] if it changed nothing. A run that is over and put away answers [`Refusal::Over`].
    pub async fn input(&self, input: Input) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel();
        let over = || Refusal::Over(self.read(|run| run.phase));
        self.mailbox.send(Message { input, reply }).await.map_err(|_| over())?;
        answer.await.map_err(|_| over())?
    }

    /// Its writer takes nothing more.
    pub fn is_closed(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// The state of this moment, without a copy of it. Not to be held across a call to the world: while it is held, each
    /// change of the run costs a copy.
    pub fn snapshot(&self) -> Arc<Run> {
        self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Looks at the state. The closure must be short: it holds up the run.
    pub fn read<T>(&self, look: impl FnOnce(&Run) -> T) -> T {
        look(&self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Starts the writer of one run whose `sequence` events are in the journal.
pub fn spawn(services: Arc<Services>, run: Run, sequence: u64) -> Handle {
    let (mailbox, inputs) = mpsc::channel(1024);
    let handle = Handle::new(run, mailbox);
    let writer = Writer { services, handle: handle.clone(), inputs, sequence };
    tokio::spawn(writer.write());
    handle
}

struct Writer {
    services: Arc<Services>,
    handle: Handle,
    inputs: mpsc::Receiver<Message>,
    sequence: u64,
}

impl Writer {
    async fn write(mut self) {
        // What is being carried out.
        let mut busy: BTreeMap<Effect, AbortHandle> = BTreeMap::new();
        let mut tasks: JoinSet<Effect> = JoinSet::new();
        let shown = tokio::spawn(super::posting::keep_shown(self.services.clone(), self.handle.clone()));
        let mut warming = Warming::of(&self.services, &self.handle);
        self.handle.changed.notify_one();
        let mut pause = Duration::ZERO;
        loop {
            // Let go of before the next event, which would copy what somebody looks at.
            let run = self.handle.snapshot();
            warming.only_while_waiting(&run);
            let due = run.effects();
            busy.retain(|effect, task| {
                let moot = !due.contains(effect) && only_waits(effect);
                if moot {
                    task.abort();
                }
                !moot
            });
            for effect in due {
                if busy.contains_key(effect) || begun_as(effect).is_some_and(|e| busy.contains_key(&e)) {
                    continue;
                }
                let work = until_settled(self.services.clone(), self.handle.clone(), effect.clone(), pause);
                let abort = tasks.spawn(Whom::Run(self.handle.id).pays_for(work));
                busy.insert(effect.clone(), abort);
            }
            pause = Duration::ZERO;
            if busy.is_empty() && run.is_settled() {
                break;
            }
            drop(run);
            tokio::select! {
                message = self.inputs.recv() => {
                    let Some(message) = message else { break };
                    if let Err(fault) = self.take(message).await {
                        // What is in memory is not in the journal: it must not be shown.
                        shown.abort();
                        self.services.fail(&fault.to_string());
                        return;
                    }
                }
                Some(done) = tasks.join_next_with_id() => match done {
                    Ok((_, effect)) => {
                        busy.remove(&effect);
                    }
                    Err(fault) => {
                        busy.retain(|_, task| task.id() != fault.id());
                        if fault.is_panic() {
                            tracing::error!(run = %self.handle.id, "carrying out an effect panicked; it is tried again");
                            pause = AGAIN_AFTER;
                        }
                    }
                }
            }
        }
        // Refuses what comes from here on, then lets the card have its last form.
        self.inputs.close();
        while let Ok(Message { reply, .. }) = self.inputs.try_recv() {
            let _ = reply.send(Err(Refusal::Over(self.handle.read(|run| run.phase))));
        }
        self.handle.over.notify_one();
        let _ = shown.await;
    }

    /// Decides on the message and on what else is waiting, makes the events durable, and only then answers.
    async fn take(&mut self, first: Message) -> Result<(), CommitError> {
        let now = self.services.clock.now();
        let mut events: Vec<Event> = Vec::new();
        let mut replies = Vec::new();
        let mut next = Some(first);
        while let Some(Message { input, reply }) = next {
            let mut state = self.handle.state.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            let decided = state.decide(input, now);
            let answer = decided.and_then(|made| {
                for event in &made {
                    // What `decide` makes always fits; a misfit here is a bug, and the journal must not get it.
                    Arc::make_mut(&mut state).evolve(event).map_err(|misfit| {
                        tracing::error!(run = %self.handle.id, %misfit, "a decided event does not fit");
                        Refusal::Stale
                    })?;
                }
                events.extend(made);
                Ok(())
            });
            drop(state);
            replies.push((reply, answer));
            next = if replies.len() < BATCH { self.inputs.try_recv().ok() } else { None };
        }
        if !events.is_empty() {
            let count = events.len() as u64;
            self.services
                .journal
                .commit(Commit { events: Some((self.handle.id, self.sequence, events)), ..Commit::default() })
                .await?;
            self.sequence += count;
            self.handle.changed.notify_one();
        }
        for (reply, answer) in replies {
            // Nobody waits for the answer to a task that was aborted.
            let _ = reply.send(answer);
        }
        Ok(())
    }
}

/// Carries one effect out until the run no longer owes it.
async fn until_settled(services: Arc<Services>, handle: Handle, effect: Effect, pause: Duration) -> Effect {
    tokio::time::sleep(pause).await;
    loop {
        super::effects::carry_out(&services, &handle, &effect).await;
        if !handle.read(|run| run.owes(&effect)) {
            return effect;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Effects that may be dropped at any point when they are no longer due: they only wait and read.
fn only_waits(effect: &Effect) -> bool {
    matches!(effect, Effect::Alarm(_) | Effect::Start | Effect::LookUp { .. } | Effect::Watch { .. })
}

/// An intent that is written is settled by the task that wrote it; only after a crash is there no such task.
fn begun_as(effect: &Effect) -> Option<Effect> {
    match effect {
        Effect::SettlePost(key) => Some(Effect::Post(key.clone())),
        Effect::Answer { shard, step, send } => Some(Effect::Send { shard: *shard, step: *step, send: *send }),
        _ => None,
    }
}
