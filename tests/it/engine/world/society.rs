//! Who is who, which rules are in force, and what everybody did: facts by which the promises are judged, kept apart from
//! all that the engine believes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::SignedDuration;
use muster::domain::{ChatPlatform, GroupRef, Place, Principal, RunId, Timestamp};
use muster::engine::rulebook::{Rulebook, Rules};
use muster::message::Verb;
use muster::plan::Plan;
use muster::ports::{Channel, Directory, DirectoryError, Inbound, Profile};
use muster::runbook::Risk;

use super::fortune::Fortune;
use super::rules::Edition;
use super::time::Time;

pub const TENANT: &str = "T0MUSTER";
pub const PRODUCTION: &str = "111111111111";
pub const STAGING: &str = "222222222222";
/// No set of the policy knows it, so it counts as production, and only `sre` may work in it.
pub const UNKNOWN: &str = "333333333333";

/// Whoever asks for most of the runs.
pub const ANA: &str = "U0ANA";
/// In `sre`, and asks now and then.
pub const BO: &str = "U0BO";
pub const CY: &str = "U0CY";
pub const DI: &str = "U0DI";
/// Belongs to no group.
pub const EVE: &str = "U0EVE";
/// Of another workspace.
pub const FAY: &str = "U0FAY";
/// Sees everything, and does nothing but look.
pub const GUS: &str = "U0GUS";
pub const PEOPLE: [&str; 6] = [ANA, BO, CY, DI, EVE, FAY];

pub const GROUPS: [&str; 3] = ["ops", "sre", "dba"];

pub fn person(user: &str) -> Principal {
    Principal::slack(TENANT, user)
}

pub fn place(channel: &str) -> Place {
    Place { platform: ChatPlatform::Slack, tenant: TENANT.into(), channel: channel.into(), thread: None }
}

/// One thing that somebody did in chat.
#[derive(Debug, Clone)]
pub struct Deed {
    pub by: Principal,
    pub inbound: Inbound,
    /// The engine has acknowledged it.
    pub accepted: bool,
}

impl Deed {
    /// It is this click on this run.
    pub fn clicks(&self, verb: Verb, run: RunId) -> bool {
        matches!(&self.inbound, Inbound::Click { verb: v, run: r, .. } if *v == verb && *r == run)
    }

    /// The command `cancel`, for this run.
    pub fn cancels(&self, run: RunId) -> bool {
        matches!(&self.inbound, Inbound::Command { text } if *text == format!("cancel {}", run.short(6)))
    }

    /// The command that halts everything, with or without a reason.
    pub fn halts(&self) -> bool {
        matches!(&self.inbound, Inbound::Command { text } if text.starts_with("halt"))
    }

    pub fn resumes(&self) -> bool {
        matches!(&self.inbound, Inbound::Command { text } if text == "resume")
    }

    /// The submitted form in which this run is denied.
    pub fn denies(&self, run: RunId) -> bool {
        use muster::message::FormKind::Deny;
        matches!(&self.inbound, Inbound::Form { form: Deny { run: r, .. }, .. } if *r == run)
    }
}

impl Deed {
    /// The submitted form in which a part of this run's plan is agreed to.
    pub fn narrows(&self, run: RunId) -> bool {
        use muster::message::FormKind::Narrow;
        matches!(&self.inbound, Inbound::Form { form: Narrow { run: r, .. }, .. } if *r == run)
    }
}

pub struct Society {
    time: Arc<Time>,
    fortune: Arc<Fortune>,
    job: String,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Since when who has been in which group or not, in order.
    memberships: Vec<(Timestamp, &'static str, &'static str, bool)>,
    editions: Vec<(Timestamp, Edition)>,
    /// Loading takes longer than all else of a history.
    loaded: Vec<(Edition, Rules)>,
    deeds: BTreeMap<String, Deed>,
    /// Where the living engine reads its rules.
    rulebook: Option<Arc<Rulebook>>,
}

impl Society {
    pub fn new(time: Arc<Time>, fortune: Arc<Fortune>) -> Self {
        let now = time.truth();
        let job = super::rules::job(&fortune);
        let edition = Edition { frozen: false, yeses: fortune.below(3), revised: false };
        let members = [
            (ANA, "ops"),
            (BO, "ops"),
            (BO, "sre"),
            (CY, "sre"),
            (DI, "sre"),
            (CY, "dba"),
            (DI, "dba"),
            (GUS, "audit"),
        ];
        let memberships = members.map(|(who, group)| (now, who, group, true)).to_vec();
        let inner = Inner {
            memberships,
            editions: vec![(now, edition)],
            loaded: Vec::new(),
            deeds: BTreeMap::new(),
            rulebook: None,
        };
        Society { time, fortune, job, inner: Mutex::new(inner) }
    }

    /// The runbook that the history is about.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The rules in force.
    pub fn rules(&self) -> Rules {
        let mut inner = self.inner.lock().unwrap();
        let edition = inner.editions.last().unwrap().1;
        if let Some((_, rules)) = inner.loaded.iter().find(|(of, _)| *of == edition) {
            return rules.clone();
        }
        let rules = edition.rules(&self.job);
        inner.loaded.push((edition, rules.clone()));
        rules
    }

    /// The rules change: a freeze begins or ends, a change takes more yeses or fewer, the runbook is revised.
    pub fn change_rules(&self) {
        let mut inner = self.inner.lock().unwrap();
        let mut edition = inner.editions.last().unwrap().1;
        match self.fortune.below(3) {
            0 => edition.frozen = !edition.frozen,
            1 => edition.yeses = (edition.yeses + 1) % 3,
            _ => edition.revised = !edition.revised,
        }
        let now = self.time.truth();
        inner.editions.push((now, edition));
        let rulebook = inner.rulebook.clone();
        drop(inner);
        if let Some(rulebook) = rulebook {
            rulebook.swap(self.rules());
        }
    }

    /// From here on this rulebook is kept current.
    pub fn posts_rules_to(&self, rulebook: &Arc<Rulebook>) {
        self.inner.lock().unwrap().rulebook = Some(rulebook.clone());
    }

    /// Somebody who asks or approves joins a group or leaves it.
    pub fn change_members(&self) {
        let who = *self.fortune.pick(&PEOPLE[..4]);
        let group = *self.fortune.pick(&GROUPS);
        let is_in = self.is_in(who, group);
        let now = self.time.truth();
        self.inner.lock().unwrap().memberships.push((now, who, group, !is_in));
    }

    fn is_in(&self, who: &str, group: &str) -> bool {
        let now = self.time.truth();
        self.was_in(who, group, now, now)
    }

    /// Whether the person was in the group at any moment from `since` to `until`.
    pub fn was_in(&self, who: &str, group: &str, since: Timestamp, until: Timestamp) -> bool {
        let inner = self.inner.lock().unwrap();
        let mut was = false;
        for (at, .., is_in) in inner.memberships.iter().filter(|(at, w, g, _)| *w == who && *g == group && *at <= until)
        {
            was = if *at <= since { *is_in } else { was || *is_in };
        }
        was
    }

    /// How many yeses of `sre` this plan of this person needs, by any of the rules that were in force within `window`
    /// before `until`; for each of them, and `None` where it is forbidden.
    pub fn needed(
        &self,
        plan: &Plan,
        by: &Principal,
        window: SignedDuration,
        until: Timestamp,
    ) -> BTreeSet<Option<u32>> {
        let since = until - window;
        let editions = {
            let inner = self.inner.lock().unwrap();
            let in_force = inner.editions.iter().rposition(|(at, _)| *at <= since).unwrap_or(0);
            inner.editions[in_force..].iter().filter(|(at, _)| *at <= until).map(|(_, e)| *e).collect::<Vec<_>>()
        };
        let accounts: BTreeSet<&str> = plan.targets.iter().map(|t| t.target.account.as_str()).collect();
        let change = plan.risk != Risk::Read;
        let was_in = |group: &str| self.was_in(&by.user, group, since, until);
        let granted = was_in("sre") || (was_in("ops") && !accounts.contains(UNKNOWN));
        let needs = |edition: Edition| {
            let frozen = edition.frozen && change && accounts.contains(PRODUCTION);
            let permitted = granted && plan.risk != Risk::Destructive && !frozen;
            let touches_production = accounts.iter().any(|a| *a != STAGING);
            permitted.then_some(if change && touches_production { edition.yeses } else { 0 })
        };
        editions.into_iter().map(needs).collect()
    }

    pub fn did(&self, key: &str, by: &Principal, inbound: &Inbound) {
        let deed = Deed { by: by.clone(), inbound: inbound.clone(), accepted: false };
        self.inner.lock().unwrap().deeds.insert(key.to_owned(), deed);
    }

    pub fn accepted(&self, key: &str) {
        if let Some(deed) = self.inner.lock().unwrap().deeds.get_mut(key) {
            deed.accepted = true;
        }
    }

    pub fn deeds(&self) -> BTreeMap<String, Deed> {
        self.inner.lock().unwrap().deeds.clone()
    }

    /// Somebody did such a thing.
    pub fn has_done(&self, by: &Principal, what: impl Fn(&Deed) -> bool) -> bool {
        self.inner.lock().unwrap().deeds.values().any(|deed| &deed.by == by && what(deed))
    }
}

#[async_trait]
impl Directory for Society {
    async fn members(&self, group: &GroupRef) -> Result<Vec<Principal>, DirectoryError> {
        tokio::time::sleep(self.fortune.millis(1..80)).await;
        if self.fortune.strikes("directory down", 60) {
            return Err(DirectoryError("Slack does not say who is in the group; try again".into()));
        }
        let name = group.group.trim_start_matches("S0").to_lowercase();
        let members = PEOPLE.iter().chain([&GUS]).filter(|who| self.is_in(who, &name));
        Ok(members.map(|who| person(who)).collect())
    }

    async fn profile(&self, who: &Principal) -> Result<Profile, DirectoryError> {
        Ok(Profile { is_stranger: who.user == FAY, ..Profile::default() })
    }

    async fn channel(&self, _: &Place) -> Result<Channel, DirectoryError> {
        if self.fortune.strikes("directory down", 60) {
            return Err(DirectoryError("Slack does not say who reads the channel; try again".into()));
        }
        Ok(Channel { member: true, shared: false })
    }
}
