//! Who is filling in forms, and what they may be offered: in memory, so that a search is answered at every key.
//!
//! Memberships are believed for a minute here, as everywhere, and while a look-up takes its time for ten; nothing is
//! decided by them. Who lost a group meanwhile may see a name too many, and is refused when the form is submitted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::domain::{ChannelRef, Digest, GroupName, Place, Principal, RunbookName};
use crate::message::form::RUNBOOK;
use crate::message::{Choice, FormKind, Suggestions};
use crate::policy::Asker;
use crate::ports::{Actor, DirectoryError, Search};
use crate::runbook::Runbook;

use super::offers::{Offers, runs_somewhere};
use super::{Services, membership, propose};

const FRESH: Duration = Duration::from_secs(60);
const BELIEVED: Duration = Duration::from_secs(10 * 60);
/// What an acknowledgement may wait for the directory, and for a survey of the accounts.
const SOON: Duration = Duration::from_millis(60);
const SESSIONS_MAX: usize = 512;
const NAMES_MAX: usize = 64;
/// Regions whose survey is too quick to be worth a thread of its own.
const FEW: usize = 200;

/// Person and channel: a grant may name channels.
type Who = (Principal, ChannelRef);

#[derive(Default)]
pub struct Desk {
    sessions: Mutex<BTreeMap<Who, Session>>,
    /// Open forms by the platform's id, with the number of the newest thing done in each.
    newest: Mutex<BTreeMap<String, u64>>,
    /// What people of the same groups may run somewhere, the oldest first.
    names: Mutex<Vec<Names>>,
}

/// What they depend on, when they were told, and the names.
type Names = (NamesKey, Instant, Arc<Vec<RunbookName>>);

/// Everything that the names of [`runbooks`] depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamesKey {
    runbooks: Digest,
    policy: Digest,
    edition: u64,
    groups: BTreeSet<GroupName>,
    channel: Option<ChannelRef>,
    person: bool,
}

struct Session {
    asker: Asker,
    at: Instant,
    offers: BTreeMap<RunbookName, (Stamp, Instant, Arc<Offers>)>,
}

/// Everything that a survey depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    runbook: Digest,
    policy: Digest,
    edition: u64,
    groups: BTreeSet<GroupName>,
}

impl Desk {
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<Who, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, Vec<Names>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, who: Who, asker: &Asker) {
        let mut sessions = self.sessions();
        sessions.retain(|_, session| session.at.elapsed() < BELIEVED);
        if sessions.len() >= SESSIONS_MAX && !sessions.contains_key(&who) {
            let oldest = sessions.iter().min_by_key(|(_, s)| s.at).map(|(who, _)| who.clone());
            oldest.map(|who| sessions.remove(&who));
        }
        let session = sessions.entry(who).or_insert_with(|| Session {
            asker: asker.clone(),
            at: Instant::now(),
            offers: BTreeMap::new(),
        });
        (session.asker, session.at) = (asker.clone(), Instant::now());
    }

    fn recall(&self, who: &Who, within: Duration) -> Option<Asker> {
        self.sessions().get(who).filter(|s| s.at.elapsed() < within).map(|s| s.asker.clone())
    }

    /// A number for what was just done in a form.
    pub fn touch(&self, form: &str) -> u64 {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() >= SESSIONS_MAX {
            newest.clear();
        }
        let number = newest.entry(form.to_owned()).or_default();
        *number += 1;
        *number
    }

    /// Nothing was done in the form since.
    pub fn is_newest(&self, form: &str, number: u64) -> bool {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.get(form).is_none_or(|n| *n == number)
    }
}

/// Who the person is at this moment, read for this very question and remembered for the forms.
///
/// # Errors
/// As for [`membership::asker`].
pub async fn asker(services: &Services, actor: &Actor, place: &Place) -> Result<Asker, DirectoryError> {
    let rules = services.rulebook.current();
    let asker = membership::asker(services.directory.as_ref(), &rules.policy, actor, Some(place)).await?;
    services.desk.remember((actor.principal.clone(), membership::channel_of(place)), &asker);
    Ok(asker)
}

/// Who the person is, quickly: as of the last minute, else as the directory says at once, else as of the last ten
/// minutes. `None` where that is not known; the look-up goes on, so that the next question is answered.
pub async fn asker_soon(services: &Arc<Services>, actor: &Actor, place: &Place) -> Option<Asker> {
    if actor.foreign {
        return None;
    }
    let who = (actor.principal.clone(), membership::channel_of(place));
    if let Some(asker) = services.desk.recall(&who, FRESH) {
        return Some(asker);
    }
    let asking = tokio::spawn({
        let (services, actor, place) = (services.clone(), actor.clone(), place.clone());
        async move { asker(&services, &actor, &place).await }
    });
    match timeout(SOON, asking).await {
        Ok(Ok(Ok(asker))) => Some(asker),
        // The directory says no: who they were does not count.
        Ok(_) => None,
        Err(_) => services.desk.recall(&who, BELIEVED),
    }
}

/// What this person may be offered for this runbook.
pub async fn offers(services: &Arc<Services>, asker: &Asker, place: &Place, book: &Arc<Runbook>) -> Arc<Offers> {
    let rules = services.rulebook.current();
    let chart = services.atlas.chart();
    let stamp = Stamp {
        runbook: book.revision,
        policy: rules.policy.revision,
        edition: chart.edition,
        groups: asker.groups.clone(),
    };
    let who = (asker.principal.clone(), membership::channel_of(place));
    // Not for long: what was read of a region is believed for a while only.
    if let Some((of, made, offers)) = services.desk.sessions().get(&who).and_then(|s| s.offers.get(&book.name))
        && *of == stamp
        && made.elapsed() < FRESH
    {
        return offers.clone();
    }
    let few = chart.accounts.iter().map(|a| a.regions.len()).sum::<usize>() <= FEW;
    let survey = {
        let (asker, book) = (asker.clone(), book.clone());
        move || Arc::new(Offers::survey(&rules.policy, &asker, &book, &chart))
    };
    let offers = if few {
        survey()
    } else {
        match tokio::task::spawn_blocking(survey).await {
            Ok(offers) => offers,
            Err(fault) => {
                tracing::error!(%fault, "what may be offered could not be told");
                Arc::new(Offers::survey(&crate::policy::PolicySet::deny_all(), asker, book, &Default::default()))
            }
        }
    };
    if let Some(session) = services.desk.sessions().get_mut(&who) {
        session.offers.insert(book.name.clone(), (stamp, Instant::now(), offers.clone()));
    }
    offers
}

/// [`offers`], for an acknowledgement: where it takes longer it is made all the same, for the next question.
pub async fn offers_soon(
    services: &Arc<Services>,
    asker: &Asker,
    place: &Place,
    book: &Arc<Runbook>,
) -> Option<Arc<Offers>> {
    let (services, asker, place, book) = (services.clone(), asker.clone(), place.clone(), book.clone());
    soon(async move { offers(&services, &asker, &place, &book).await }).await
}

/// What comes of it within [`SOON`]; it goes on all the same.
async fn soon<T: Send + 'static>(making: impl Future<Output = T> + Send + 'static) -> Option<T> {
    timeout(SOON, tokio::spawn(making)).await.ok()?.ok()
}

/// The runbooks that this person may run somewhere, by name.
pub async fn runbooks(services: &Arc<Services>, asker: &Asker) -> Vec<Arc<Runbook>> {
    let rules = services.rulebook.current();
    let chart = services.atlas.chart();
    let key = NamesKey {
        runbooks: rules.runbooks.revision,
        policy: rules.policy.revision,
        edition: chart.edition,
        groups: asker.groups.clone(),
        channel: asker.channel.clone(),
        person: !asker.bot && !asker.foreign,
    };
    let known =
        services.desk.names().iter().find(|(of, made, _)| *of == key && made.elapsed() < FRESH).map(|n| n.2.clone());
    let names = match known {
        Some(names) => names,
        None => {
            let survey = {
                let (rules, asker) = (rules.clone(), asker.clone());
                move || {
                    let names = propose::allowed(&rules, &asker).into_iter();
                    let somewhere = |name: &RunbookName| {
                        let book = rules.runbooks.get(name);
                        book.is_some_and(|book| runs_somewhere(&rules.policy, &asker, book, &chart))
                    };
                    names.filter(somewhere).collect::<Vec<_>>()
                }
            };
            // Thousands of accounts take a moment: not on a thread that others wait for.
            let names = Arc::new(tokio::task::spawn_blocking(survey).await.unwrap_or_default());
            let mut all = services.desk.names();
            all.retain(|(of, made, _)| *of != key && made.elapsed() < FRESH);
            if all.len() >= NAMES_MAX {
                all.remove(0);
            }
            all.push((key, Instant::now(), names.clone()));
            names
        }
    };
    names.iter().filter_map(|name| rules.runbooks.get(name)).cloned().collect()
}

/// [`runbooks`], for an acknowledgement: where it takes longer it is made all the same, for the next question.
pub async fn runbooks_soon(services: &Arc<Services>, asker: &Asker) -> Option<Vec<Arc<Runbook>>> {
    let (services, asker) = (services.clone(), asker.clone());
    soon(async move { runbooks(&services, &asker).await }).await
}

/// Runbooks that this person ran, the newest run's first, each once.
pub fn of_late(services: &Services, person: &Principal) -> Vec<(crate::domain::RunId, RunbookName)> {
    let mut seen = BTreeSet::new();
    services.runs.of(person).into_iter().filter(|(_, name)| seen.insert(name.clone())).collect()
}

/// Answers a search.
pub async fn suggest(services: &Arc<Services>, search: &Search) -> Suggestions {
    let Some(asker) = asker_soon(services, &search.actor, &search.place).await else { return Suggestions::nothing() };
    match &search.form {
        FormKind::Pick if search.field == RUNBOOK => {
            let Some(books) = runbooks_soon(services, &asker).await else { return Suggestions::nothing() };
            let choice = |book: &Runbook| {
                let shown = format!("{} · {} · {}", book.name, book.risk.as_str(), book.title);
                Choice::new(book.name.as_str(), &shown)
            };
            let find = |name: &RunbookName| books.iter().find(|b| &b.name == name);
            let late = of_late(services, &asker.principal);
            let late = late.iter().filter_map(|(_, name)| choice(find(name)?)).collect();
            let all = books.iter().filter_map(|book| choice(book)).collect();
            Suggestions::matching(&search.typed, ("Yours of late", late), all)
        }
        FormKind::Run { runbook, .. } => {
            let rules = services.rulebook.current();
            let Some(book) = rules.runbooks.get(runbook) else { return Suggestions::nothing() };
            match offers_soon(services, &asker, &search.place, book).await {
                Some(offers) => offers.suggest(book, &search.field, &search.typed, &search.values),
                None => Suggestions::nothing(),
            }
        }
        FormKind::Pick | FormKind::Deny { .. } | FormKind::Narrow { .. } | FormKind::Review { .. } => {
            Suggestions::nothing()
        }
    }
}
