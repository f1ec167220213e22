//! The targets of one question, held against the policy's sets once, so that every rule can ask cheaply.
//!
//! Three answers, not two: a target is in a set, is not, or it cannot be said because an attribute is missing.
//! A grant counts only those surely in; forbids, approval rules and production count all that may be in.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AccountId, Region, Target};

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
        self.fit_of_place(facts).min(self.fit_of_node(facts))
    }

    /// By what all nodes of an account and region share.
    fn fit_of_place(&self, facts: &TargetFacts<'_>) -> Fit {
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
        self.labels.iter().for_each(|label| hold(has(label, facts.labels)));
        worst
    }

    /// By the node's own tags.
    fn fit_of_node(&self, facts: &TargetFacts<'_>) -> Fit {
        self.tags.iter().map(|tag| has(tag, facts.tags)).min().unwrap_or(Fit::Yes)
    }
}

fn has((name, values): (&String, &Vec<Pattern>), attributes: &BTreeMap<String, String>) -> Fit {
    match attributes.get(name) {
        None => Fit::Unsaid,
        Some(value) if any(values, value) => Fit::Yes,
        Some(_) => Fit::No,
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
        let accounts = members
            .chunk_by(|a, b| a.account() == b.account())
            .map(|those| {
                let name = those.iter().filter_map(|facts| facts.account_name).max();
                (those[0].account(), (name, whole(those.len())))
            })
            .collect();
        let targets: Vec<&Target> = members.iter().map(|facts| facts.target).collect();
        Kin { production: production(policy, &fits), fits, count: whole(targets.len()), targets, accounts }
    }
}

fn whole(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The answers for each of the policy's sets, by what they depend on.
struct Fits<K> {
    at: BTreeMap<K, usize>,
    all: Vec<Vec<Fit>>,
}

impl<K> Default for Fits<K> {
    fn default() -> Self {
        Fits { at: BTreeMap::new(), all: Vec::new() }
    }
}

impl<K: Ord> Fits<K> {
    fn of(&mut self, key: K, fits: impl FnOnce() -> Vec<Fit>) -> usize {
        let all = &mut self.all;
        *self.at.entry(key).or_insert_with(|| {
            all.push(fits());
            all.len() - 1
        })
    }
}

/// What all nodes of an account and region share, as far as rules look at it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    account: &'a AccountId,
    region: &'a Region,
    name: Option<&'a str>,
    labels: &'a BTreeMap<String, String>,
}

impl Place<'_> {
    /// Cheaper than `==` for two of one plan, whose labels stand in one place.
    fn is(&self, other: &Place<'_>) -> bool {
        (self.account, self.region, self.name) == (other.account, other.region, other.name)
            && (std::ptr::eq(self.labels, other.labels) || self.labels == other.labels)
    }
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
        // Thousands of nodes are in few places, and few of their tags are asked about.
        let mut places: Fits<Place<'_>> = Fits::default();
        let mut nodes: Fits<Vec<Option<&str>>> = Fits::default();
        let mut cells: BTreeMap<(usize, usize), Members<'a>> = BTreeMap::new();
        let mut last: Option<(Place<'_>, usize)> = None;
        for facts in targets {
            let place = Place {
                account: facts.account(),
                region: facts.region(),
                name: facts.account_name,
                labels: facts.labels,
            };
            let of_place = || policy.sets.values().map(|set| set.fit_of_place(facts)).collect();
            // Plans are sorted by account and region.
            let at = match &last {
                Some((before, at)) if before.is(&place) => *at,
                _ => places.of(place.clone(), of_place),
            };
            last = Some((place, at));
            let tags = tag_keys.iter().map(|key| facts.tags.get(*key).map(String::as_str)).collect();
            let of_node = || policy.sets.values().map(|set| set.fit_of_node(facts)).collect();
            cells.entry((at, nodes.of(tags, of_node))).or_default().push(facts);
        }
        let mut by_fits: BTreeMap<Vec<Fit>, Members<'a>> = BTreeMap::new();
        for ((place, node), members) in cells {
            let fits = places.all[place].iter().zip(&nodes.all[node]).map(|(a, b)| *a.min(b)).collect();
            by_fits.entry(fits).or_default().extend(members);
        }
        let mut distinct: Vec<&Target> = targets.iter().map(|facts| facts.target).collect();
        // Plans are sorted and have no target twice.
        if !distinct.is_sorted_by(|a, b| a < b) {
            distinct.sort();
            distinct.dedup();
        }
        let earlier = recent.iter().filter(|target| distinct.binary_search(target).is_err()).count();
        Ground {
            sets: policy.sets.keys().map(String::as_str).collect(),
            kin: by_fits.into_iter().map(|(fits, members)| Kin::of(policy, fits, members)).collect(),
            targets: whole(distinct.len()),
            hourly: whole(distinct.len() + earlier),
        }
    }

    /// Where the sets of `place` stand among the policy's; `None` is anywhere.
    fn named(&self, place: &Where) -> Option<Vec<Option<usize>>> {
        match place {
            Where::Anywhere => None,
            Where::Sets(names) => Some(names.iter().map(|name| self.sets.binary_search(&name.as_str()).ok()).collect()),
        }
    }

    fn fit(kin: &Kin<'_>, named: Option<&[Option<usize>]>) -> Fit {
        let Some(named) = named else { return Fit::Yes };
        // Loading refuses unknown names. Should one come through, it cannot be said.
        named.iter().map(|at| at.map_or(Fit::Unsaid, |at| kin.fits[at])).max().unwrap_or(Fit::No)
    }

    pub(super) fn surely_in(&self, kin: &Kin<'_>, place: &Where) -> bool {
        Self::fit(kin, self.named(place).as_deref()) == Fit::Yes
    }
    pub(super) fn maybe_in(&self, kin: &Kin<'_>, place: &Where) -> bool {
        Self::fit(kin, self.named(place).as_deref()) != Fit::No
    }
    /// Every target is.
    pub(super) fn all_surely_in(&self, place: &Where) -> bool {
        let named = self.named(place);
        self.kin.iter().all(|kin| Self::fit(kin, named.as_deref()) == Fit::Yes)
    }
    /// Those that may be.
    pub(super) fn kin_maybe_in(&self, place: &Where) -> impl Iterator<Item = &Kin<'a>> {
        let named = self.named(place);
        self.kin.iter().filter(move |kin| Self::fit(kin, named.as_deref()) != Fit::No)
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
