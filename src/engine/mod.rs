//! The shell around the pure core: one writer per run, effects with bounded concurrency, recovery.
//!
//! An input is durable before it is acknowledged ([`Inbox::accept`]), has exactly one answer ([`intake`]), and may
//! start a run ([`runner`]). After a crash the journal is folded and what is owed is carried out: there is no other
//! recovery code.

pub mod atlas;
pub mod cloud;
mod desk;
mod effects;
mod forms;
mod homes;
mod intake;
pub mod limits;
pub mod membership;
pub mod offers;
pub mod planner;
mod posting;
pub mod propose;
pub mod rulebook;
mod runner;
mod sending;
mod starting;
mod summing;
mod token;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use tokio::sync::{Notify, mpsc};

use crate::domain::{Principal, RunId, RunbookName, Target};
use crate::message::{Suggestions, View};
use crate::plan::Plan;
use crate::ports::{
    Ack, Chat, Clock, Cloud, Commit, CommitError, Delivery, Directory, Ids, Inbox, InboxError, InboxRow, Inventory,
    Journal, JournalError, Outputs, Search,
};
use crate::run::{Phase, Run};
use crate::runbook::Risk;

use atlas::{Atlas, Remembering};
use desk::Desk;
use homes::Homes;
use limits::Limits;
use rulebook::Rulebook;
use runner::Handle;

/// What the engine is told by the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The slash command, such as `/runbook`.
    pub command: String,
    /// How long AWS takes a signed request: 5 minutes at AWS itself.
    pub request_expiry: Duration,
}

impl Settings {
    /// A request signed this long ago, by AWS's clock, cannot be taken any more: the expiry and a tenth of it.
    #[must_use]
    pub fn settle_after(&self) -> SignedDuration {
        SignedDuration::try_from(self.request_expiry + self.request_expiry / 10).unwrap_or(SignedDuration::MAX)
    }
}

/// Everything the engine works with.
pub struct Services {
    pub settings: Settings,
    pub journal: Arc<dyn Journal>,
    pub outputs: Arc<dyn Outputs>,
    pub cloud: Arc<dyn Cloud>,
    pub inventory: Arc<dyn Inventory>,
    pub chat: Arc<dyn Chat>,
    pub directory: Arc<dyn Directory>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub limits: Arc<Limits>,
    pub rulebook: Arc<Rulebook>,
    /// What AWS held when it was last looked at.
    atlas: Arc<Atlas>,
    /// Who is filling in forms.
    desk: Desk,
    /// People's own pages.
    homes: Homes,
    /// Every run known to this process, open or over.
    runs: RwLock<BTreeMap<RunId, Handle>>,
    /// Held between the check for other runs on the same nodes and the start.
    starting: tokio::sync::Mutex<()>,
    /// The store failed: nothing more is taken and the process ends.
    failed: Notify,
    stopping: AtomicBool,
}

/// The ports, by name, so that no two of the same type are mixed up.
pub struct Ports {
    pub journal: Arc<dyn Journal>,
    pub outputs: Arc<dyn Outputs>,
    pub cloud: Arc<dyn Cloud>,
    pub inventory: Arc<dyn Inventory>,
    pub chat: Arc<dyn Chat>,
    pub directory: Arc<dyn Directory>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

/// The running engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    services: Arc<Services>,
    rows: mpsc::UnboundedSender<InboxRow>,
}

impl Engine {
    /// Folds the journal, goes on with every open run and every unanswered input, and is ready for more.
    ///
    /// # Errors
    /// If the journal cannot be read. A single damaged run is told in the log and left alone.
    pub async fn start(
        ports: Ports,
        limits: Arc<Limits>,
        rulebook: Arc<Rulebook>,
        settings: Settings,
    ) -> Result<Engine, JournalError> {
        let Ports { journal, outputs, cloud, inventory, chat, directory, clock, ids } = ports;
        let atlas = Arc::new(Atlas::default());
        let limited = Arc::new(cloud::Limited { limits: limits.clone(), inner: inventory });
        let services = Arc::new(Services {
            settings,
            journal,
            outputs,
            cloud: Arc::new(cloud::Limited { limits: limits.clone(), inner: cloud }),
            inventory: Arc::new(Remembering { atlas: atlas.clone(), inner: limited }),
            chat,
            directory,
            clock,
            ids,
            limits,
            rulebook,
            atlas,
            desk: Desk::default(),
            homes: Homes::default(),
            runs: RwLock::default(),
            starting: tokio::sync::Mutex::new(()),
            failed: Notify::new(),
            stopping: AtomicBool::new(false),
        });
        let mut loaded = Vec::new();
        for id in services.journal.runs().await? {
            match services.load(id).await {
                Ok(Some(run)) => loaded.push(run),
                Ok(None) => {}
                Err(fault) => tracing::error!(run = %id, fault, "this run is left alone"),
            }
        }
        {
            // Nothing starts before all that runs is known, or two changes could meet on one node.
            let _gate = services.starting.lock().await;
            for (run, sequence) in loaded {
                services.adopt(if run.is_settled() {
                    Handle::settled(run)
                } else {
                    runner::spawn(services.clone(), run, sequence)
                });
            }
        }
        tokio::spawn(homes::keep(services.clone()));
        tokio::spawn({
            let services = services.clone();
            // Known before anybody opens a form.
            async move { services.inventory.accounts().await }
        });
        let (rows, mut inbox) = mpsc::unbounded_channel();
        let engine = Engine { services: services.clone(), rows };
        let unanswered = services.journal.unanswered().await?;
        tokio::spawn(async move {
            while let Some(row) = inbox.recv().await {
                tokio::spawn(intake::answer(services.clone(), row));
            }
        });
        for row in unanswered {
            // The receiver lives as long as the engine.
            let _ = engine.rows.send(row);
        }
        Ok(engine)
    }

    /// Returns when the store has failed; the process must end then.
    pub async fn failed(&self) {
        self.services.failed.notified().await;
    }

    /// Takes no new work. What runs is picked up again at the next start.
    pub fn stop(&self) {
        self.services.stopping.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Inbox for Engine {
    async fn accept(&self, mut delivery: Delivery) -> Result<Ack, InboxError> {
        if self.services.stopping.load(Ordering::Relaxed) {
            return Err(InboxError::Stopping);
        }
        if let Some(ack) = forms::received(&self.services, &mut delivery).await {
            return Ok(ack);
        }
        let now = self.services.clock.now();
        let row = InboxRow { run: self.services.ids.run_id(now), delivery, at: now };
        match self.services.journal.commit(Commit { accept: Some(row.clone()), ..Commit::default() }).await {
            Ok(()) => {
                let _ = self.rows.send(row);
                Ok(Ack::Plain)
            }
            Err(CommitError::Duplicate) => Ok(Ack::Plain),
            Err(fault) => {
                self.services.fail(&fault.to_string());
                Err(InboxError::Store(fault.to_string()))
            }
        }
    }

    async fn suggest(&self, search: Search) -> Suggestions {
        desk::suggest(&self.services, &search).await
    }
}

impl Services {
    /// The store failed: tells, and lets the process end.
    fn fail(&self, fault: &str) {
        tracing::error!(fault, "the journal failed; muster stops so that nothing is done that it cannot remember");
        self.stopping.store(true, Ordering::Relaxed);
        self.failed.notify_one();
    }

    async fn load(&self, id: RunId) -> Result<Option<(Run, u64)>, String> {
        let stored = self.journal.load(id).await.map_err(|e| e.to_string())?;
        let run = Run::replay(stored.iter().map(|s| &s.event)).map_err(|e| e.to_string())?;
        Ok(run.map(|run| (run, stored.len() as u64)))
    }

    fn adopt(&self, handle: Handle) {
        self.runs.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(handle.id, handle);
    }

    fn handles(&self) -> Vec<Handle> {
        self.runs.read().unwrap_or_else(std::sync::PoisonError::into_inner).values().rev().cloned().collect()
    }

    fn handle(&self, id: RunId) -> Option<Handle> {
        self.runs.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&id).cloned()
    }

    /// The shortest suffix, at least 4 characters, that no other run has.
    fn short(&self, id: RunId) -> String {
        let runs = self.runs.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let clash = |length: usize| runs.keys().any(|other| *other != id && other.short(length) == id.short(length));
        let length = (4..=26).find(|l| !clash(*l)).unwrap_or(26);
        id.short(length)
    }

    /// What messages need to know beside the run itself.
    fn view(&self, run: &Run) -> View {
        self.view_of(run.id)
    }

    fn view_of(&self, id: RunId) -> View {
        let rules = self.rulebook.current();
        let groups =
            rules.policy.groups.iter().map(|(name, members)| (name.clone(), members.refs.iter().next().cloned()));
        let unsure = self.settings.settle_after().as_millis();
        View {
            groups: groups.collect(),
            unsure: crate::domain::Millis(u64::try_from(unsure).unwrap_or(u64::MAX)),
            ..View::new(self.short(id), self.clock.now(), &self.settings.command)
        }
    }

    /// Key of the redaction marks of one run: equal secrets look equal within a run and nowhere else.
    fn redaction_key(&self, id: RunId) -> Vec<u8> {
        let mut key = self.journal.token_key().to_vec();
        key.extend_from_slice(id.to_string().as_bytes());
        key
    }

    /// Targets of this principal's other runs of this runbook that started within the last hour.
    fn recent_targets(&self, by: &Principal, runbook: &RunbookName, except: RunId) -> BTreeSet<Target> {
        let since = self.clock.now().saturating_sub(SignedDuration::from_hours(1)).unwrap_or(jiff::Timestamp::MIN);
        let mut targets = BTreeSet::new();
        for handle in self.handles().into_iter().filter(|h| h.id != except) {
            handle.read(|run| {
                let counts = run.started.is_some_and(|at| at >= since)
                    && &run.proposal.by == by
                    && &run.proposal.plan.runbook == runbook;
                if counts {
                    targets.extend(run.proposal.plan.targets.iter().map(|t| t.target.clone()));
                }
            });
        }
        targets
    }

    /// A change is running on one of the plan's nodes, and one of the two wants the node for itself.
    fn nodes_taken(&self, me: RunId, plan: &Plan) -> bool {
        if plan.risk == Risk::Read {
            return false;
        }
        let mine: BTreeSet<&Target> = plan.targets.iter().map(|t| &t.target).collect();
        self.handles().into_iter().filter(|h| h.id != me).any(|h| {
            h.read(|run| {
                run.phase == Phase::Running
                    && run.proposal.plan.risk != Risk::Read
                    && (plan.exclusive || run.proposal.plan.exclusive)
                    && run
                        .proposal
                        .plan
                        .targets
                        .iter()
                        .zip(&run.targets)
                        .any(|(t, state)| state.outcome.is_none() && mine.contains(&t.target))
            })
        })
    }
}
