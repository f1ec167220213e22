//! The shell around the pure core: one writer per run, effects with bounded concurrency, recovery.
//!
//! An input is durable before it is acknowledged ([`Inbox::accept`]), has exactly one answer ([`intake`]), and may
//! start a run ([`runner`]). After a crash the journal is folded and what is owed is carried out: there is no other
//! recovery code.

mod asking;
mod announce;
mod approvers;
pub mod atlas;
mod clicks;
mod completing;
pub mod cloud;
mod control;
mod doors;
mod desk;
mod earlier;
mod effects;
mod fetching;
mod forms;
mod halting;
mod homes;
mod intake;
pub mod limits;
mod lookups;
pub mod membership;
pub mod offers;
pub mod planner;
mod posting;
mod rechecking;
pub mod propose;
mod refused;
mod reports;
mod retrying;
mod reviews;
pub mod rulebook;
mod runner;
mod runs;
mod sending;
mod starting;
mod summing;
mod token;
mod warming;
mod watching;
mod whole;
mod whisper;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use tokio::sync::{Notify, mpsc};

use crate::domain::{GroupRef, Place, RunId, RunbookName, Target};
use crate::message::halt::Halted;
use crate::message::{Suggestions, View};
use crate::plan::Plan;
use crate::policy::Asker;
use crate::ports::{
    Ack, Chat, Clock, Cloud, Commit, CommitError, Completing, Delivery, Directory, Ids, Inbox, InboxError, InboxRow,
    Inventory, Journal, JournalError, Outputs, Search,
};
use crate::run::{Phase, Run};

use atlas::{Atlas, Remembering};
use desk::Desk;
use halting::Halting;
use homes::Homes;
use limits::Limits;
use rulebook::Rulebook;
use runner::Handle;
use runs::Runs;

/// How often settled runs are let go, and at most how often where they are held for a shorter time.
const TIDY_EVERY: Duration = Duration::from_secs(60);
const TIDY_AT_MOST_EVERY: Duration = Duration::from_millis(10);
const PRUNE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// What the engine is told by the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The slash command, such as `/runbook`.
    pub command: String,
    /// How long AWS takes a signed request: 5 minutes at AWS itself.
    pub request_expiry: Duration,
    /// Between two edits of a living card. The first change after a pause is shown at once.
    pub edit_every: Duration,
    /// How long a run is held in memory after its end. What is older is read back from the journal.
    pub keep_settled: Duration,
    /// Outputs of runs that were asked for so long ago are deleted.
    pub keep_outputs: Duration,
}

impl Settings {
    /// A request signed this long ago, by AWS's clock, cannot be taken any more: the expiry and a tenth of it.
    #[must_use]
    pub fn settle_after(&self) -> SignedDuration {
        SignedDuration::try_from(self.request_expiry + self.request_expiry / 10).unwrap_or(SignedDuration::MAX)
    }

    fn keep_settled(&self) -> SignedDuration {
        SignedDuration::try_from(self.keep_settled).unwrap_or(SignedDuration::MAX)
    }
}

/// Everything the engine works with.
pub struct Services {
    pub settings: Settings,
    ports: Ports,
    pub limits: Arc<Limits>,
    pub rulebook: Arc<Rulebook>,
    /// Refused requests that a click can go on from.
    refused: refused::Refused,
    /// What AWS held when it was last looked at.
    atlas: Arc<Atlas>,
    /// Who is filling in forms.
    desk: Desk,
    /// People's own pages.
    homes: Homes,
    readers: summing::Readers,
    runs: Runs,
    /// Whether everything is halted.
    halting: Halting,
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

/// `services.journal` is `services.ports.journal`: the ports are what the services work on.
impl std::ops::Deref for Services {
    type Target = Ports;

    fn deref(&self) -> &Ports {
        &self.ports
    }
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
    /// If the journal cannot be read, or does not say whether everything is halted. A single damaged run is told in the log and left alone.
    pub async fn start(
        ports: Ports,
        limits: Arc<Limits>,
        rulebook: Arc<Rulebook>,
        settings: Settings,
    ) -> Result<Engine, JournalError> {
        let atlas = Arc::new(Atlas::default());
        // Before anything can be sent.
        let halting = Halting::restored(ports.journal.as_ref()).await?;
        if let Some(halt) = halting.now() {
            tracing::warn!(by = %halt.by, since = %halt.at, "everything is still halted; `resume` lets it go on");
        }
        let limited = Arc::new(cloud::Limited { limits: limits.clone(), inner: ports.inventory });
        let ports = Ports {
            cloud: Arc::new(cloud::Limited { limits: limits.clone(), inner: ports.cloud }),
            inventory: Arc::new(Remembering { atlas: atlas.clone(), inner: limited }),
            ..ports
        };
        let services = Arc::new(Services {
            settings,
            ports,
            limits,
            rulebook,
            refused: refused::Refused::default(),
            atlas,
            desk: Desk::default(),
            homes: Homes::default(),
            readers: summing::Readers::default(),
            runs: Runs::default(),
            halting,
            starting: tokio::sync::Mutex::new(()),
            failed: Notify::new(),
            stopping: AtomicBool::new(false),
        });
        let mut loaded = Vec::new();
        let keep = services.settings.keep_settled();
        for id in services.journal.runs().await? {
            match services.load(id).await {
                Ok(Some((run, _))) if !runs::is_kept(&run, services.clock.now(), keep) => services.runs.put_by(&run),
                Ok(Some(run)) => loaded.push(run),
                Ok(None) => {}
                Err(fault) => tracing::error!(run = %id, fault, "this run is left alone"),
            }
        }
        {
            // Nothing starts before all that runs is known, or two changes could meet on one node.
            let _gate = services.starting.lock().await;
            for (run, sequence) in loaded {
                services.runs.adopt(if run.is_settled() {
                    Handle::settled(run)
                } else {
                    runner::spawn(services.clone(), run, sequence)
                });
            }
        }
        halting::tell(&services, services.halting.now().as_deref());
        tokio::spawn(tidy(Arc::downgrade(&services)));
        tokio::spawn(prune(Arc::downgrade(&services)));
        tokio::spawn(homes::keep(Arc::downgrade(&services)));
        tokio::spawn(rechecking::keep(Arc::downgrade(&services)));
        tokio::spawn({
            let inventory = services.inventory.clone();
            // Known before anybody opens a form.
            async move { inventory.accounts().await }
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

    /// Runs that are held whole; the others are read back from the journal when somebody asks.
    #[must_use]
    pub fn runs_in_memory(&self) -> usize {
        self.services.runs.held().len()
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

    async fn complete(&self, completing: Completing) -> Suggestions {
        completing::complete(&self.services, &completing).await
    }
}

/// Lets go of settled runs, for as long as the engine lives.
async fn tidy(services: Weak<Services>) {
    let mut pause = Duration::ZERO;
    loop {
        tokio::time::sleep(pause).await;
        let Some(services) = services.upgrade() else { return };
        services.runs.let_go(services.clock.now(), services.settings.keep_settled());
        pause = services.settings.keep_settled.clamp(TIDY_AT_MOST_EVERY, TIDY_EVERY);
    }
}

/// Deletes old outputs at the start and then daily. The journal keeps their hashes, so its chain stays whole.
async fn prune(services: Weak<Services>) {
    loop {
        let Some(services) = services.upgrade() else { return };
        let keep = SignedDuration::try_from(services.settings.keep_outputs).unwrap_or(SignedDuration::MAX);
        let before = services.clock.now().saturating_sub(keep).unwrap_or(jiff::Timestamp::MIN);
        match services.outputs.prune(before).await {
            Ok(0) => {}
            Ok(runs) => tracing::info!(runs, "the outputs of old runs were deleted, as `[store] keep_outputs` says"),
            Err(fault) => tracing::error!(%fault, "old outputs could not be deleted; trying again tomorrow"),
        }
        // Not held while it sleeps: the store is closed when the engine has gone.
        drop(services);
        tokio::time::sleep(PRUNE_EVERY).await;
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

    /// What messages need to know beside the run itself.
    fn view(&self, run: &Run) -> View {
        let waits = run.phase == Phase::AwaitingApproval && run.is_agreed();
        let taken = if waits { self.nodes_taken(run.id, &run.proposal.plan) } else { None };
        View {
            taken: taken.map(|(by, nodes)| (self.runs.short(by), nodes)),
            ..self.view_of(run.id, Some(&run.proposal.place))
        }
    }

    /// For whoever reads the answer to this input.
    fn view_for(&self, row: &InboxRow) -> View {
        self.view_of(row.run, Some(&row.delivery.place))
    }

    /// `place`: where it is read. A group is mentioned by what it is called there, and in a shell nobody is.
    fn view_of(&self, id: RunId, place: Option<&Place>) -> View {
        let rules = self.rulebook.current();
        let is_here =
            |group: &&GroupRef| place.is_some_and(|p| p.platform == group.platform && p.tenant == group.tenant);
        let groups = rules.policy.groups.iter();
        let groups = groups.map(|(name, who)| (name.clone(), who.refs.iter().filter(is_here).cloned().collect()));
        let unsure = self.settings.settle_after().as_millis();
        let halted = self.halting.now().map(|halt| Halted {
            halt: halt.as_ref().clone(),
            resume: Some(rules.policy.halt.resume.iter().cloned().collect()),
        });
        View {
            halted,
            groups: groups.collect(),
            unsure: crate::domain::Millis(u64::try_from(unsure).unwrap_or(u64::MAX)),
            ..View::new(self.runs.short(id), self.clock.now(), &self.settings.command)
        }
    }

    /// Key of the redaction marks of one run: equal secrets look equal within a run and nowhere else.
    fn redaction_key(&self, id: RunId) -> Vec<u8> {
        let mut key = self.journal.token_key().to_vec();
        key.extend_from_slice(id.to_string().as_bytes());
        key
    }

    /// Targets of this person's other runs of this runbook that started within the last hour.
    fn recent_targets(&self, by: &Asker, runbook: &RunbookName, except: RunId) -> BTreeSet<Target> {
        let since = self.clock.now().saturating_sub(runs::COUNTED_FOR).unwrap_or(jiff::Timestamp::MIN);
        let mut targets = BTreeSet::new();
        for handle in self.runs.held().into_iter().filter(|h| h.id != except) {
            handle.read(|run| {
                let counts = run.started.is_some_and(|at| at >= since)
                    && by.is(&run.proposal.by)
                    && &run.proposal.plan.runbook == runbook;
                if counts {
                    targets.extend(run.proposal.plan.targets.iter().map(|t| t.target.clone()));
                }
            });
        }
        targets
    }

    /// Waits until what freed the plan's nodes is in the journal: a run is ahead of it in memory, and a crash would take the
    /// nodes back.
    async fn nodes_are_free_for_good(&self, me: RunId, plan: &Plan) {
        let mine: BTreeSet<&Target> = plan.targets.iter().map(|t| &t.target).collect();
        let shares = |run: &Run| {
            let other = &run.proposal.plan;
            run.started.is_some() && plan.excludes(other) && other.targets.iter().any(|t| mine.contains(&t.target))
        };
        let others: Vec<Handle> = self.runs.held().into_iter().filter(|h| h.id != me && h.read(shares)).collect();
        for other in others {
            // Answered when all before it is durable; refused by a run that is put away, whose journal is whole.
            let _ = other.input(crate::run::Input::Tick).await;
        }
    }

    /// A change that runs on some of the plan's nodes, where one of the two wants its nodes for itself, and on how many.
    fn nodes_taken(&self, me: RunId, plan: &Plan) -> Option<(RunId, u32)> {
        let mine: BTreeSet<&Target> = plan.targets.iter().map(|t| &t.target).collect();
        self.runs.held().into_iter().filter(|h| h.id != me).find_map(|h| {
            h.read(|run| {
                let other = &run.proposal.plan;
                if run.phase != Phase::Running || !plan.excludes(other) {
                    return None;
                }
                let busy = other.targets.iter().zip(&run.targets).filter(|(_, state)| run.is_busy(state));
                let taken = busy.filter(|(t, _)| mine.contains(&t.target)).count();
                (taken > 0).then(|| (h.id, u32::try_from(taken).unwrap_or(u32::MAX)))
            })
        })
    }
}
