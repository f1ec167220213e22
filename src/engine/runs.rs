//! The runs that this process knows.
//!
//! A run that owes something is held whole. One that is settled is held for a while, because people look at it and the
//! policy counts what was started within an hour; after that only who may see it is kept, and the journal is folded
//! when somebody asks. So memory is bounded by what runs now, not by what ever ran.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::SignedDuration;

use crate::command::RunFilter;
use crate::domain::{GroupName, Principal, RunId, RunbookName, Timestamp};
use crate::policy::{Asker, may_view, targets_of, views_of_others};
use crate::run::Run;
use crate::telemetry;

use super::runner::Handle;
use super::{Services, reviews};

/// The policy counts the targets that a person's runs were started on within this time.
pub const COUNTED_FOR: SignedDuration = SignedDuration::from_hours(1);
/// Runs that are read back from the journal for one list.
const READ_BACK_MAX: usize = 50;

#[derive(Default)]
pub struct Runs {
    known: RwLock<BTreeMap<RunId, Known>>,
}

enum Known {
    Held(Handle),
    Past(Arc<Past>),
}

/// What is kept of a run that is no longer held: whether it is worth reading back for somebody.
struct Past {
    by: Principal,
    runbook: RunbookName,
    /// Groups whose approval was asked for, or whose review.
    approvers: Vec<GroupName>,
}

impl Past {
    fn of(run: &Run) -> Past {
        let quorum = &run.proposal.decision.quorum;
        let reviewers = run.proposal.glass.iter().flat_map(|glass| &glass.review);
        Past {
            by: run.proposal.by.clone(),
            runbook: run.proposal.plan.runbook.clone(),
            approvers: quorum.iter().map(|seats| &seats.group).chain(reviewers).cloned().collect(),
        }
    }
}

impl Runs {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<RunId, Known>> {
        self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<RunId, Known>> {
        self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A run of an earlier process, folded a moment ago.
    pub fn put_by(&self, run: &Run) {
        self.write().insert(run.id, Known::Past(Arc::new(Past::of(run))));
    }

    pub fn adopt(&self, handle: Handle) {
        self.write().insert(handle.id, Known::Held(handle));
    }

    /// Those that are held whole, newest first: everything that is in motion or counts for the policy.
    pub fn held(&self) -> Vec<Handle> {
        let held = |known: &Known| match known {
            Known::Held(handle) => Some(handle.clone()),
            Known::Past(_) => None,
        };
        self.read().values().rev().filter_map(held).collect()
    }

    /// The run, where it is held whole.
    pub fn held_whole(&self, id: RunId) -> Option<Handle> {
        match self.read().get(&id)? {
            Known::Held(handle) => Some(handle.clone()),
            Known::Past(_) => None,
        }
    }

    /// What this person ran, newest first.
    pub fn of(&self, person: &Principal) -> Vec<(RunId, RunbookName)> {
        let mine = |known: &Known| match known {
            Known::Held(handle) => {
                handle.read(|run| (&run.proposal.by == person).then(|| run.proposal.plan.runbook.clone()))
            }
            Known::Past(past) => (&past.by == person).then(|| past.runbook.clone()),
        };
        self.read().iter().rev().filter_map(|(id, known)| Some((*id, mine(known)?))).collect()
    }

    /// Those of the runbook that were asked for before this one, newest first.
    pub fn earlier(&self, than: RunId, runbook: &RunbookName) -> Vec<RunId> {
        let of_it = |known: &Known| match known {
            Known::Held(handle) => handle.read(|run| run.proposal.plan.runbook == *runbook),
            Known::Past(past) => past.runbook == *runbook,
        };
        self.read().range(..than).rev().filter(|(_, known)| of_it(known)).map(|(id, _)| *id).collect()
    }

    /// Every run, newest first.
    pub fn ids(&self) -> Vec<RunId> {
        self.read().keys().rev().copied().collect()
    }

    /// The shortest suffix, at least 4 characters, that no other run has.
    pub fn short(&self, id: RunId) -> String {
        let runs = self.read();
        let clash = |length: usize| runs.keys().any(|other| *other != id && other.short(length) == id.short(length));
        let length = (4..=26).find(|l| !clash(*l)).unwrap_or(26);
        id.short(length)
    }

    /// Lets go of what is settled and no longer looked at.
    pub fn let_go(&self, now: Timestamp, keep: SignedDuration) {
        for handle in self.held() {
            let past = handle.read(|run| (handle.is_closed() && !is_kept(run, now, keep)).then(|| Past::of(run)));
            if let Some(past) = past {
                self.write().insert(handle.id, Known::Past(Arc::new(past)));
            }
        }
        metrics::gauge!(telemetry::RUNS_IN_MEMORY).set(f64::from(u32::try_from(self.held().len()).unwrap_or(u32::MAX)));
    }
}

/// Whether a run has to be held whole: it owes something, it was looked at a moment ago, or its targets count.
pub fn is_kept(run: &Run, now: Timestamp, keep: SignedDuration) -> bool {
    let within = |at: Option<Timestamp>, span: SignedDuration| at.is_some_and(|at| now.duration_since(at) < span);
    !run.is_settled() || within(run.ended, keep) || within(run.started, COUNTED_FOR)
}

pub fn visible(services: &Services, asker: &Asker, run: &Run) -> bool {
    let rules = services.rulebook.current();
    let proposal = &run.proposal;
    may_view(&rules.policy, asker, &proposal.by, &proposal.decision, &targets_of(&proposal.plan))
        || reviews::reads(services, run, asker)
}

fn fits(filter: &RunFilter, asker: &Asker, run: &Run) -> bool {
    let p = &run.proposal;
    (!filter.mine || p.by == asker.principal)
        && (!filter.failed || (run.phase.is_over() && run.counts.succeeded < run.counts.total))
        && filter.runbook.as_ref().is_none_or(|name| *name == p.plan.runbook)
}

impl Services {
    /// A run to read or to feed. One that is no longer held is folded from the journal; it refuses every input, because
    /// it is over.
    pub async fn handle(&self, id: RunId) -> Option<Handle> {
        let known = match self.runs.read().get(&id)? {
            Known::Held(handle) => Some(handle.clone()),
            Known::Past(_) => None,
        };
        if known.is_some() {
            return known;
        }
        match self.load(id).await {
            Ok(run) => run.map(|(run, _)| Handle::settled(run)),
            Err(fault) => {
                tracing::error!(run = %id, fault, "a run cannot be read back from the journal");
                None
            }
        }
    }

    /// This run, if this person may see it.
    pub async fn seen_by(&self, asker: &Asker, id: RunId) -> Option<Handle> {
        self.handle(id).await.filter(|handle| handle.read(|run| visible(self, asker, run)))
    }

    /// The latest runs that this person may see and that fit, newest first. Of the old ones only those are read back that the person
    /// can have a right to, and not without end.
    pub async fn latest(&self, asker: &Asker, most: usize, filter: &RunFilter) -> Vec<Handle> {
        let sees_others = views_of_others(&self.rulebook.current().policy, asker);
        let mut found = Vec::new();
        let mut read_back = 0;
        for id in self.runs.ids() {
            if found.len() >= most || read_back >= READ_BACK_MAX {
                break;
            }
            let past = match self.runs.read().get(&id) {
                Some(Known::Past(past)) => Some(past.clone()),
                Some(Known::Held(_)) | None => None,
            };
            if let Some(past) = past {
                let named = filter.runbook.as_ref().is_none_or(|name| *name == past.runbook);
                if !named || (filter.mine && past.by != asker.principal) {
                    continue;
                }
                let own = past.by == asker.principal || past.approvers.iter().any(|g| asker.groups.contains(g));
                if !own && !sees_others {
                    continue;
                }
                read_back += 1;
            }
            let wanted = |handle: &Handle| handle.read(|run| fits(filter, asker, run));
            found.extend(self.seen_by(asker, id).await.filter(wanted));
        }
        found
    }
}
