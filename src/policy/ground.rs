//! The targets of one question, held against the policy's sets once, so that every rule can ask cheaply.
//!
//! Three answers, not two: a target is in a set, is not, or it cannot be said because an attribute is missing.
//! A grant counts only those surely in; forbids, approval rules and production count all that may be in.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AccountId, Target};

use super::request::TargetFacts;
use super::set::{Pattern, PolicySet, TargetSet, Where};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    No,
    /// Nothing speaks against it, and an attribute that would decide is missing.
    Unsaid,
    Yes,
}

impl TargetSet {
    /// The worst of its conditions.
    fn fit(&self, facts: &TargetFacts<'_>) -> Fit {
        let mut worst = Fit::Yes;
        let mut hold = |fit: Fit| worst = worst.min(fit);
        if !self.accounts.is_empty() {
            hold(match facts.account_name {
                _ if any(&self.accounts, facts.account().as_str()) => Fit::Yes,
                Some(name) if any(&self.accounts, name) => Fit::Yes,
                Some(_) => Fit::No,
                // All ids, so the name that is missing could change nothing.
                None if self.accounts.iter().all(Pattern::is_account_id) => Fit::No,
                None => Fit::Unsaid,
            });
        }
        if !self.regions.is_empty() {
            hold(if any(&self.regions, facts.region().as_str()) { Fit::Yes } else { Fit::No });
        }
        let attributes = self.labels.iter().map(|l| (l, facts.labels)).chain(self.tags.iter().map(|t| (t, facts.tags)));
        for ((name, values), has) in attributes {
            hold(match has.get(name) {
                None => Fit::Unsaid,
                Some(value) if any(values, value) => Fit::Yes,
                Some(_) => Fit::No,
            });
        }
        worst
    }
}

/// Whether the target is surely in the set.
pub(super) fn lies_in(set: &TargetSet, facts: &TargetFacts<'_>) -> bool {
    set.fit(facts) == Fit::Yes
}

/// Whether a set says surely of the target that it is production, or that it is not.
pub(super) fn is_classified(policy: &PolicySet, facts: &TargetFacts<'_>) -> bool {
    let fits: Vec<Fit> = policy.sets.values().map(|set| set.fit(facts)).collect();
    production(policy, &fits) != Production::Unclassified
}

fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|p| p.matches(text))
}

/// Targets that no rule can tell apart.
#[derive(Debug)]
pub(super) struct Kin<'a> {
    /// One answer for each of the policy's sets, in the order of their names.
    fits: Vec<Fit>,
    pub production: Production,
    pub count: u32,
    /// Each once, sorted.
    pub targets: Vec<&'a Target>,
    /// Account, its name where it has one, and how many of these targets are in it.
    pub accounts: BTreeMap<&'a AccountId, (Option<&'a str>, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Production {
    No,
    Yes,
    /// No set says what it is, so it counts as production.
    Unclassified,
}

type Members<'a> = Vec<&'a TargetFacts<'a>>;

impl<'a> Kin<'a> {
    /// A target that is named twice counts once; if it is described in two ways, both are judged.
    fn of(policy: &PolicySet, fits: Vec<Fit>, mut members: Members<'a>) -> Self {
        // By name too, so that the order of the targets cannot be seen in what is said about them.
        members.sort_by_key(|facts| (facts.target, std::cmp::Reverse(facts.account_name)));
        members.dedup_by_key(|facts| facts.target);
        let mut accounts = BTreeMap::new();
        for facts in &members {
            let (name, count) = accounts.entry(facts.account()).or_insert((None, 0));
            *name = facts.account_name.max(*name);
            *count += 1;
        }
        let targets: Vec<&Target> = members.iter().map(|facts| facts.target).collect();
        Kin { production: production(policy, &fits), fits, count: whole(targets.len()), targets, accounts }
    }
}

fn whole(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Every target of one question, by kin.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    sets: Vec<&'a str>,
    pub kin: Vec<Kin<'a>>,
    /// Distinct targets of the plan.
    pub targets: u32,
    /// Those and the ones of the rolling hour.
    pub hourly: u32,
}

impl<'a> Ground<'a> {
    pub(super) fn survey(policy: &'a PolicySet, targets: &'a [TargetFacts<'a>], recent: &BTreeSet<Target>) -> Self {
        let tag_keys: BTreeSet<&String> = policy.sets.values().flat_map(|set| set.tags.keys()).collect();
        let look_alike = |a: &TargetFacts<'_>, b: &TargetFacts<'_>| {
            (a.account(), a.region(), a.account_name) == (b.account(), b.region(), b.account_name)
                && a.labels == b.labels
                && tag_keys.iter().all(|key| a.tags.get(*key) == b.tags.get(*key))
        };
        let mut by_fits: BTreeMap<Vec<Fit>, Members<'a>> = BTreeMap::new();
        let mut last: Option<(&TargetFacts<'a>, Vec<Fit>)> = None;
        for facts in targets {
            // Plans are sorted by account and region, so that most targets look like the one before.
            let fits = match last.take() {
                Some((before, fits)) if look_alike(before, facts) => fits,
                _ => policy.sets.values().map(|set| set.fit(facts)).collect(),
            };
            match by_fits.get_mut(&fits) {
                Some(members) => members.push(facts),
                None => drop(by_fits.insert(fits.clone(), vec![facts])),
            }
            last = Some((facts, fits));
        }
        let mut distinct: Vec<&Target> = targets.iter().map(|facts| facts.target).collect();
        distinct.sort();
        distinct.dedup();
        let earlier = recent.iter().filter(|target| distinct.binary_search(target).is_err()).count();
        Ground {
            sets: policy.sets.keys().map(String::as_str).collect(),
            kin: by_fits.into_iter().map(|(fits, members)| Kin::of(policy, fits, members)).collect(),
            targets: whole(distinct.len()),
            hourly: whole(distinct.len() + earlier),
        }
    }

    fn fit(&self, kin: &Kin<'_>, place: &Where) -> Fit {
        match place {
            Where::Anywhere => Fit::Yes,
            Where::Sets(names) => {
                let one = |name: &String| match self.sets.binary_search(&name.as_str()) {
                    Ok(at) => kin.fits[at],
                    // Loading refuses unknown names. Should one come through, it cannot be said.
                    Err(_) => Fit::Unsaid,
                };
                names.iter().map(one).max().unwrap_or(Fit::No)
            }
        }
    }
    pub(super) fn surely_in(&self, kin: &Kin<'_>, place: &Where) -> bool {
        self.fit(kin, place) == Fit::Yes
    }
    pub(super) fn maybe_in(&self, kin: &Kin<'_>, place: &Where) -> bool {
        self.fit(kin, place) != Fit::No
    }
}

/// `fits` stands in the order of the policy's sets.
fn production(policy: &PolicySet, fits: &[Fit]) -> Production {
    let says = |wanted: bool, at_least: Fit| {
        policy.sets.values().zip(fits).any(|(set, fit)| set.production == Some(wanted) && *fit >= at_least)
    };
    if says(true, Fit::Yes) {
        Production::Yes
    } else if !says(false, Fit::Yes) {
        Production::Unclassified
    } else if says(true, Fit::Unsaid) {
        Production::Yes
    } else {
        Production::No
    }
}
