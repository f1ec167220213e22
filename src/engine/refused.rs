//! Refused requests, kept for a while so that a click can go on from the refusal. In memory: an offer is a convenience,
//! and whoever finds it gone types the command again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::command::Request;
use crate::domain::{GroupName, MessageRef, Place, Principal, RunId, Target, Timestamp};

const STANDS_FOR: jiff::SignedDuration = jiff::SignedDuration::from_mins(30);
/// The oldest goes first. Each holds at most one plan's targets.
const MAX: usize = 200;

#[derive(Debug, Clone)]
pub struct RefusedRequest {
    pub by: Principal,
    pub place: Place,
    pub request: Request,
    /// The command without its reason, secrets taken out.
    pub typed: String,
    /// The reason, secrets taken out: others read it.
    pub why: Option<String>,
    /// Targets of the refused plan.
    pub targets: u32,
    /// Those that this person may run.
    pub part: BTreeSet<Target>,
    /// Groups that could run all of it.
    pub could: Vec<GroupName>,
    pub at: Timestamp,
    /// It was put to others.
    pub asked: bool,
    /// Where, as soon as it stands there.
    pub card: Option<MessageRef>,
    pub taken: Option<Principal>,
    /// The allowed part was run.
    pub part_taken: bool,
}

#[derive(Debug, Default)]
pub struct Refused(Mutex<BTreeMap<RunId, RefusedRequest>>);

impl Refused {
    fn inside(&self) -> MutexGuard<'_, BTreeMap<RunId, RefusedRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn keep(&self, id: RunId, offer: RefusedRequest) {
        let mut offers = self.inside();
        let now = offer.at;
        offers.retain(|_, o| now.duration_since(o.at) < STANDS_FOR);
        offers.insert(id, offer);
        while offers.len() > MAX {
            offers.pop_first();
        }
    }

    pub fn get(&self, id: RunId, now: Timestamp) -> Option<RefusedRequest> {
        self.inside().get(&id).filter(|o| now.duration_since(o.at) < STANDS_FOR).cloned()
    }

    /// Changes an offer that still stands. `None`: it does not.
    pub fn change<T>(&self, id: RunId, change: impl FnOnce(&mut RefusedRequest) -> T) -> Option<T> {
        self.inside().get_mut(&id).map(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(at: Timestamp) -> RefusedRequest {
        let principal: Principal = "slack:T1:U1".parse().unwrap();
        RefusedRequest {
            place: Place {
                platform: principal.platform,
                tenant: principal.tenant.clone(),
                channel: "C1".into(),
                thread: None,
            },
            by: principal,
            request: Request {
                runbook: "disk-usage".parse().unwrap(),
                arguments: BTreeMap::new(),
                selector: crate::domain::Selector::parse("env=staging").unwrap(),
                reason: None,
                emergency: false,
            },
            typed: "run disk-usage on env=staging".into(),
            why: None,
            targets: 2,
            part: BTreeSet::new(),
            could: Vec::new(),
            at,
            asked: false,
            card: None,
            taken: None,
            part_taken: false,
        }
    }

    #[test]
    fn an_offer_stands_for_half_an_hour_and_the_oldest_make_room() {
        let offers = Refused::default();
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let id = |n: u128| RunId(ulid::Ulid(n));
        offers.keep(id(0), offer(start));
        let minutes = |n| start + jiff::SignedDuration::from_mins(n);
        assert!(offers.get(id(0), minutes(29)).is_some());
        assert!(offers.get(id(0), minutes(30)).is_none());
        for n in 1..=300 {
            offers.keep(id(n), offer(minutes(1)));
        }
        assert!(offers.get(id(100), minutes(1)).is_none());
        assert!(offers.get(id(101), minutes(1)).is_some() && offers.get(id(300), minutes(1)).is_some());
        assert_eq!(offers.inside().len(), MAX);
    }
}
