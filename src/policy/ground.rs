//! The targets of one question, held against the policy's sets once, so that every rule can ask cheaply.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AccountId, Region, Target};

use super::fits::{Fits, Production, Sets};
use super::request::TargetFacts;
use super::set::{PolicySet, Where};

/// Targets that no rule can tell apart.
#[derive(Debug)]
pub(super) struct Kin<'a> {
    fits: Fits,
    pub production: Production,
    pub count: u32,
    /// Each once, sorted.
    pub targets: Vec<&'a Target>,
    /// Account, its name where it has one, and how many of these targets are in it.
    pub accounts: BTreeMap<&'a AccountId, (Option<&'a str>, u32)>,
}

type Members<'a> = Vec<&'a TargetFacts<'a>>;

impl<'a> Kin<'a> {
    /// `members` are sorted. A target that is named twice counts once; if it is described in two ways, both are judged.
    fn of(sets: &Sets<'_>, fits: Fits, mut members: Members<'a>) -> Self {
        members.dedup_by(|b, a| a.target == b.target);
        let accounts = members
            .chunk_by(|a, b| a.account() == b.account())
            .map(|those| {
                let name = those.iter().filter_map(|facts| facts.account_name).max();
                (those[0].account(), (name, whole(those.len())))
            })
            .collect();
        let targets: Vec<&Target> = members.iter().map(|facts| facts.target).collect();
        Kin { production: sets.production(&fits), fits, count: whole(targets.len()), targets, accounts }
    }
}

fn whole(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The targets sorted, as plans have them, and how many distinct ones they are.
fn in_order<'a>(targets: &'a [TargetFacts<'a>]) -> (Members<'a>, usize) {
    let mut order: Members<'a> = targets.iter().collect();
    if order.is_sorted_by(|a, b| a.target < b.target) {
        return (order, targets.len());
    }
    // By name too, so that the order of the targets cannot be seen in what is said about them.
    order.sort_by_key(|facts| (facts.target, Reverse(facts.account_name)));
    let distinct = order.chunk_by(|a, b| a.target == b.target).count();
    (order, distinct)
}

/// Answers by what they depend on, each worked out once and numbered.
struct Known<K> {
    at: BTreeMap<K, usize>,
    all: Vec<Fits>,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Known { at: BTreeMap::new(), all: Vec::new() }
    }
}

impl<K: Ord> Known<K> {
    fn of<Q>(&mut self, key: &Q, fits: impl FnOnce() -> Fits) -> usize
    where
        K: Borrow<Q>,
        Q: ToOwned<Owned = K> + Ord + ?Sized,
    {
        if let Some(at) = self.at.get(key) {
            return *at;
        }
        self.all.push(fits());
        self.at.insert(key.to_owned(), self.all.len() - 1);
        self.all.len() - 1
    }
}

/// An account as far as rules look at it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Account<'a> {
    id: &'a AccountId,
    name: Option<&'a str>,
    labels: &'a BTreeMap<String, String>,
}

impl Account<'_> {
    /// Cheaper than `==` for two of one plan, whose labels stand in one place.
    fn is(&self, other: &Account<'_>) -> bool {
        (self.id, self.name) == (other.id, other.name)
            && (std::ptr::eq(self.labels, other.labels) || self.labels == other.labels)
    }
}

/// Every target of one question, by kin.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    sets: Sets<'a>,
    pub kin: Vec<Kin<'a>>,
    /// Distinct targets of the plan.
    pub targets: u32,
    /// Those and the ones of the rolling hour.
    pub hourly: u32,
}

impl<'a> Ground<'a> {
    pub(super) fn survey(policy: &'a PolicySet, targets: &'a [TargetFacts<'a>], recent: &BTreeSet<Target>) -> Self {
        let sets = Sets::of(policy);
        let tag_keys: BTreeSet<&String> = policy.sets.values().flat_map(|set| set.tags.keys()).collect();
        // Thousands of nodes are in few accounts and regions, and few of their tags are asked about.
        let mut accounts: Known<Account<'_>> = Known::default();
        let mut regions: Known<&Region> = Known::default();
        let mut nodes: Known<Vec<Option<&str>>> = Known::default();
        let mut cells: Known<[usize; 3]> = Known::default();
        let mut last: Option<(Account<'_>, usize)> = None;
        let mut tags: Vec<Option<&str>> = Vec::new();
        let (order, distinct) = in_order(targets);
        let mut cell_of = Vec::with_capacity(order.len());
        for facts in &order {
            let account = Account { id: facts.account(), name: facts.account_name, labels: facts.labels };
            let in_account = match &last {
                Some((neighbour, at)) if neighbour.is(&account) => *at,
                _ => accounts.of(&account, || sets.fits(|set| set.fit_of_account(facts))),
            };
            last = Some((account, in_account));
            let region = facts.region();
            let in_region = regions.of(&region, || sets.fits(|set| set.fit_of_region(region)));
            tags.clear();
            tags.extend(tag_keys.iter().map(|key| facts.tags.get(*key).map(String::as_str)));
            let node = nodes.of(&*tags, || sets.fits(|set| set.fit_of_node(facts)));
            let fits = || Fits::worst([&accounts.all[in_account], &regions.all[in_region], &nodes.all[node]]);
            cell_of.push(cells.of(&[in_account, in_region, node], fits));
        }
        let mut by_fits: Vec<usize> = (0..cells.all.len()).collect();
        by_fits.sort_unstable_by_key(|cell| &cells.all[*cell]);
        let kinds: Vec<&[usize]> = by_fits.chunk_by(|a, b| cells.all[*a] == cells.all[*b]).collect();
        let mut kin_of = vec![0; cells.all.len()];
        for (kin, alike) in kinds.iter().enumerate() {
            alike.iter().for_each(|cell| kin_of[*cell] = kin);
        }
        let mut members: Vec<Members<'a>> = vec![Vec::new(); kinds.len()];
        for (facts, cell) in order.iter().zip(cell_of) {
            members[kin_of[cell]].push(facts);
        }
        let kin = |(alike, members): (&&[usize], Members<'a>)| Kin::of(&sets, cells.all[alike[0]].clone(), members);
        let kin = kinds.iter().zip(members).map(kin).collect();
        let is_new = |target: &&Target| order.binary_search_by(|facts| facts.target.cmp(target)).is_err();
        let earlier = recent.iter().filter(is_new).count();
        Ground { sets, kin, targets: whole(distinct), hourly: whole(distinct + earlier) }
    }

    pub(super) fn surely_in(&self, kin: &Kin<'_>, place: &Where) -> bool {
        self.sets.named(place).surely(&kin.fits)
    }
    pub(super) fn maybe_in(&self, kin: &Kin<'_>, place: &Where) -> bool {
        self.sets.named(place).maybe(&kin.fits)
    }
    /// Every target is.
    pub(super) fn all_surely_in(&self, place: &Where) -> bool {
        let named = self.sets.named(place);
        self.kin.iter().all(|kin| named.surely(&kin.fits))
    }
    /// Those that may be.
    pub(super) fn kin_maybe_in(&self, place: &Where) -> impl Iterator<Item = &Kin<'a>> {
        let named = self.sets.named(place);
        self.kin.iter().filter(move |kin| named.maybe(&kin.fits))
    }
}
