//! People's own pages: shown when they are opened, and again when something of them changes, for as long as somebody may
//! be looking.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::{Digest, MessageRef, Place, Principal, RunId, Timestamp};
use crate::message::home::{Facts, Health, RECENT_MAX, RUNS_MAX, Told, WAITING_MAX};
use crate::message::{self, Card, Home, View, home};
use crate::policy::Asker;
use crate::ports::Actor;
use crate::run::{HoldCause, Input, Phase, PostKey, Run};

use super::runner::Handle;
use super::{Services, desk, reviews};

/// Between two looks at what a page should say.
const EVERY: Duration = Duration::from_secs(4);
/// A page that was not opened for so long is left as it is.
const LOOKED_AT: Duration = Duration::from_secs(10 * 60);
const PEOPLE_MAX: usize = 256;
const LINKS_MAX: usize = 4_096;

#[derive(Default)]
pub struct Homes {
    open: Mutex<BTreeMap<Principal, Page>>,
    opened: Arc<Notify>,
    links: Mutex<BTreeMap<MessageRef, String>>,
    /// Runbooks and policy that are in force, and since when they were seen to be.
    rules: Mutex<Option<((Digest, Digest), Timestamp)>>,
}

struct Page {
    actor: Actor,
    opened: Instant,
    shown: Option<Home>,
}

impl Homes {
    /// Somebody opened their page: it is shown at once, whatever stood there.
    pub fn opened(&self, actor: Actor) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= PEOPLE_MAX && !open.contains_key(&actor.principal) {
            let oldest = open.iter().min_by_key(|(_, page)| page.opened).map(|(who, _)| who.clone());
            oldest.map(|who| open.remove(&who));
        }
        let page = Page { actor: actor.clone(), opened: Instant::now(), shown: None };
        open.insert(actor.principal, page);
        drop(open);
        self.opened.notify_one();
    }

    fn people(&self) -> Vec<(Actor, Option<Home>)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, page| page.opened.elapsed() < LOOKED_AT);
        open.values().map(|page| (page.actor.clone(), page.shown.clone())).collect()
    }

    fn shown(&self, person: &Principal, home: Home) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = open.get_mut(person) {
            page.shown = Some(home);
        }
    }
}

/// Keeps every open page up to date, for as long as the engine lives.
pub async fn keep(services: Weak<Services>) {
    loop {
        let Some(services) = services.upgrade() else { return };
        note_rules(&services);
        for (actor, shown) in services.homes.people() {
            let home = match of(&services, &actor).await {
                Ok(home) => home,
                Err(fault) => {
                    tracing::warn!(%fault, "a person's own page cannot be made");
                    continue;
                }
            };
            if shown.as_ref() == Some(&home) {
                continue;
            }
            match services.chat.show_home(&actor.principal, &home).await {
                Ok(()) => services.homes.shown(&actor.principal, home),
                Err(fault) => tracing::warn!(%fault, "a person's own page cannot be shown"),
            }
        }
        let opened = services.homes.opened.clone();
        // Not held while it waits: the store is closed when the engine has gone.
        drop(services);
        tokio::select! {
            () = opened.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Since when the rules are in force, as far as this process has seen.
fn note_rules(services: &Services) -> Timestamp {
    let rules = services.rulebook.current();
    let now = (rules.runbooks.revision, rules.policy.revision);
    let mut noted = services.homes.rules.lock().unwrap_or_else(PoisonError::into_inner);
    match *noted {
        Some((revisions, since)) if revisions == now => since,
        _ => {
            let since = services.clock.now();
            *noted = Some((now, since));
            since
        }
    }
}

async fn of(services: &Arc<Services>, actor: &Actor) -> Result<Home, crate::ports::DirectoryError> {
    let tenant = actor.principal.tenant.clone();
    let place = Place::nowhere(&actor.principal, &tenant);
    let asker = desk::asker(services, actor, &place).await?;
    let mut mine = Vec::new();
    for (id, _) in services.runs.of(&actor.principal).into_iter().take(RUNS_MAX) {
        if let Some(handle) = services.handle(id).await {
            mine.push(told(services, handle.read(Run::clone)).await);
        }
    }
    let waiting_for_them = waiting(services, &asker);
    let mut asked = Vec::new();
    for (n, handle) in waiting_for_them.iter().enumerate() {
        let run = handle.read(Run::clone);
        asked.push(if n < WAITING_MAX {
            told(services, run).await
        } else {
            Told { short: String::new(), run, link: None }
        });
    }
    let may: Vec<_> = desk::runbooks(services, &asker).await.into_iter().map(|book| book.name.clone()).collect();
    let recent = desk::of_late(services, &actor.principal).into_iter().filter(|(_, name)| may.contains(name));
    let facts = Facts {
        mine,
        waiting: asked,
        recent: recent.take(RECENT_MAX).map(|(run, name)| (run, name.to_string())).collect(),
        health: health(services, !may.is_empty()),
        nobody: RunId(ulid::Ulid::nil()),
    };
    Ok(home(&facts, &services.view_of(facts.nobody, None)))
}

/// What waits for this person, oldest first.
fn waiting(services: &Services, asker: &Asker) -> Vec<Handle> {
    let now = services.clock.now();
    let mut waiting: Vec<Handle> =
        services.runs.held().into_iter().filter(|h| h.read(|run| waits_for(services, run, asker, now))).collect();
    waiting.reverse();
    waiting
}

/// What waits for this person, and what of theirs waits for somebody.
pub(super) async fn approvals(services: &Services, asker: &Asker, view: &View) -> Card {
    let is_theirs = |run: &Run| asker.is(&run.proposal.by);
    let waits = |run: &Run| is_theirs(run) && (run.awaits_approval() || run.hold().is_some());
    let mut own: Vec<Handle> = services.runs.held().into_iter().filter(|handle| handle.read(waits)).collect();
    own.reverse();
    let (mut for_them, mut mine) = (Vec::new(), Vec::new());
    let theirs = waiting(services, asker);
    let (all_for_them, all_mine) = (theirs.len(), own.len());
    for (handles, told_of) in [(theirs, &mut for_them), (own, &mut mine)] {
        for handle in handles.into_iter().take(message::approvals::TOLD_MAX) {
            told_of.push(told(services, Run::clone(&handle.snapshot())).await);
        }
    }
    message::approvals((&for_them, all_for_them), (&mine, all_mine), view)
}

/// This person's yes would count now: to the request, or to the question of a hold; or their word on what was overridden.
fn waits_for(services: &Services, run: &Run, asker: &Asker, now: Timestamp) -> bool {
    let by = asker.clone();
    if run.phase.is_over() {
        let reviewers = reviews::reviewers(services, run);
        return run.decide(Input::Review { by, found: String::new(), reviewers }, now).is_ok();
    }
    let allowed = super::clicks::is_of(run, asker);
    let yes = match run.hold().map(|hold| &hold.cause) {
        None => return run.would_count(asker, now).is_ok(),
        Some(HoldCause::WayBack) => Input::RollBack { by, revision: run.revision, allowed },
        Some(HoldCause::Wave { .. } | HoldCause::Gate { .. }) => {
            let decision = run.proposal.decision.clone();
            Input::Continue { by, revision: run.revision, allowed, decision }
        }
    };
    run.decide(yes, now).is_ok()
}

async fn told(services: &Services, run: Run) -> Told {
    let short = services.runs.short(run.id);
    let key = match run.hold() {
        Some(hold) => PostKey::Hold(hold.number),
        None if run.phase == Phase::AwaitingApproval => PostKey::Ask,
        None => PostKey::Root,
    };
    let message = run.posts.get(&key).or_else(|| run.posts.get(&PostKey::Root)).cloned().flatten();
    let link = match message {
        Some(message) => link(services, message).await,
        None => None,
    };
    Told { run, short, link }
}

/// Where a message is read. An address never changes, so it is asked for once.
pub(super) async fn link(services: &Services, message: MessageRef) -> Option<String> {
    let known = services.homes.links.lock().unwrap_or_else(PoisonError::into_inner).get(&message).cloned();
    if known.is_some() {
        return known;
    }
    let link = services.chat.link(&message).await;
    let link = link.inspect_err(|fault| tracing::debug!(%fault, "a message has no address")).ok()?;
    let mut links = services.homes.links.lock().unwrap_or_else(PoisonError::into_inner);
    if links.len() >= LINKS_MAX {
        links.clear();
    }
    links.insert(message, link.clone());
    Some(link)
}

/// Names of accounts are names of customers: only for people who may run something there.
fn health(services: &Services, names_shown: bool) -> Health {
    let chart = services.atlas.chart();
    let refused = chart.regions.iter().filter(|(_, known)| known.fault.is_some()).map(|((account, _), _)| account);
    let unread = chart.unread.iter().map(|unread| &unread.account);
    let ids: std::collections::BTreeSet<_> = refused.chain(unread).collect();
    let name = |id: &&crate::domain::AccountId| {
        chart.accounts.iter().find(|a| a.id == **id).map_or_else(|| id.to_string(), |a| a.name.clone())
    };
    Health {
        accounts: u32::try_from(chart.accounts.len()).unwrap_or(u32::MAX),
        unreadable: ids.iter().map(name).collect(),
        names_shown,
        asked: chart.asked,
        journal: !services.stopping.load(std::sync::atomic::Ordering::Relaxed),
        runbooks: u32::try_from(services.rulebook.current().runbooks.runbooks.len()).unwrap_or(u32::MAX),
        rules_since: note_rules(services),
    }
}
