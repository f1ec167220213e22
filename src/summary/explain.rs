//! A set of nodes -> the attribute that sets it apart from the rest of its run, beyond what chance would do.
//!
//! Every value is held against the set in a table of two by two. What is accepted fits the set, is rarer elsewhere, and
//! passes a bound that grows with the number of values looked at, so that many tags do not find something in anything.
//! It says what goes together, not why. The result depends on the set of rows only: ranks are total, and values stand in
//! the order in which people think of them. The words are `describe`'s.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Row, size};

/// Below this many nodes G is no longer near its limiting distribution, and the chance is reckoned exactly instead.
const COHORT: usize = 12;
/// Smaller sets are named node by node, so values of fewer nodes are not looked at.
const LEAST: u32 = 4;
/// What is told holds for at least half of the set.
const RECALL: f64 = 0.5;
/// How many times likelier it is for a node with the value to be in the set than for one without: the default of
/// `MacroBase` (Bailis et al. 2017, `minRatio`). It is a ratio of risks and not of shares, and so it has no ceiling for a
/// set that is a large part of the run, where no value can be three times as common as in the run. A value that fits
/// passes at any size of the set; for a set of most nodes it has to leave at most a third of the nodes without it in the
/// set. What merely leans that way is better told of the few other nodes, whom it sets apart far more.
const RATIO: f64 = 3.0;
/// Of the log-likelihood ratio G, added to twice the logarithm of the number of values looked at. One value exceeds 12 by
/// chance once in 1,900 times (chi-squared with one degree of freedom); twice the logarithm is Bonferroni's correction.
const EVIDENCE: f64 = 12.0;
/// So many of the best values are tried together with another one.
const SEEDS: usize = 10;
/// A second value, or a narrower place, has to better the fit (F1) by this much to be worth its words.
const GAIN: f64 = 0.05;
/// How often a random set of fewer than [`COHORT`] nodes may be given a value.
const CHANCE: f64 = 0.01;
/// A place is told with exceptions when they are at most so many …
const FEW: u32 = 3;
/// … and at most one node in so many.
const FEW_IN: u32 = 10;
/// Says the same as the node's name.
const IGNORED: &[&str] = &["node", "tag:Name"];
/// The parts of a place: an account's nodes in one region.
const PLACE: [&str; 2] = ["account", "region"];
const NONE: u32 = u32::MAX;

/// One value, or two that hold together, and how well they fit a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason<'a> {
    /// Name and value; one or two.
    pub values: Vec<(&'a str, &'a str)>,
    /// Nodes of the set for which they hold.
    pub inside: u32,
    /// Nodes of the whole run for which they hold.
    pub total: u32,
    set: u32,
}

impl Reason<'_> {
    /// How many nodes of the place are not in the set, where the set is the place but for a few.
    pub(super) fn exceptions(&self) -> Option<u32> {
        let place = self.values.iter().all(|(name, _)| PLACE.contains(name));
        let left = self.total - self.inside;
        (place && self.inside == self.set && few(left, self.total)).then_some(left)
    }

    fn fit(&self) -> f64 {
        fit(self.inside, self.set, self.total)
    }
}

/// What there is to say of a set.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    Apart(Reason<'a>),
    /// Some value is commoner or rarer in it than chance would have it but none describes it, or it is too small to tell.
    Unclear,
    /// Every value is about as common in it as elsewhere.
    Alike,
}

/// Every row's attributes, interned once for all the sets of a summary.
///
/// Values that hold for exactly the same nodes are one: an account and a label that only it has cannot be told apart by
/// any set. It goes by the first of them in [`order`], and its ids ascend in that order.
pub(super) struct Attributes<'a> {
    rows: u32,
    values: Vec<(&'a str, &'a str)>,
    /// Nodes in the whole run that have the value.
    totals: Vec<u32>,
    /// Values by their totals, ascending.
    by_total: Vec<u32>,
    /// The values of each row.
    held: Lists,
    /// The rows of each value, listed when they are first needed.
    holders: Option<Lists>,
    places: Places<'a>,
    /// `n ln n` by `n`, of which G is made.
    logs: Vec<f64>,
    /// Scratch: all zero between calls.
    counts: Vec<u32>,
    /// The rows of a value as bits, made when they are first needed.
    bits: HashMap<u32, Vec<u64>>,
}

impl<'a> Attributes<'a> {
    pub(super) fn of(known: &'a Known) -> Self {
        let raw = Raw::of(known);
        let count = size(known.rows.len());
        let (values, totals, classes) = raw.classes(count);
        let held = raw.held.map(&classes, values.len());
        let mut by_total: Vec<u32> = (0..size(values.len())).collect();
        by_total.sort_by_key(|&v| totals[v as usize]);
        Attributes {
            rows: count,
            counts: vec![0; values.len()],
            logs: (0..=count).map(|n| f64::from(n) * f64::from(n.max(1)).ln()).collect(),
            places: raw.places(),
            bits: HashMap::new(),
            values,
            totals,
            by_total,
            held,
            holders: None,
        }
    }

    /// What sets these rows apart; `set` holds indices into the rows, ascending.
    ///
    /// Of a dozen nodes or more: what fits best by G of the values, and pairs of values, that pass every bound above. Of
    /// fewer: only what holds for all of them and would not for a random set. Where an account, a region or the one in
    /// the other is the set, exactly or but for a few, that is told as well: it describes the set, whatever chance says.
    pub(super) fn explain(&mut self, set: &[usize]) -> Verdict<'a> {
        let verdict = if set.len() < COHORT { self.certain(set) } else { self.likely(set) };
        match (verdict, self.cover(set)) {
            (Verdict::Apart(reason), Some(cover)) if cover.fit() < reason.fit() + GAIN => Verdict::Apart(reason),
            (_, Some(cover)) => Verdict::Apart(cover),
            (verdict, None) => verdict,
        }
    }

    /// What holds for all of a few nodes, if a random set of so many would rarely be given anything.
    fn certain(&self, set: &[usize]) -> Verdict<'a> {
        let Some((&first, others)) = set.split_first() else { return Verdict::Unclear };
        let shared = self.held.of(first).iter().filter(|v| others.iter().all(|&i| self.held.of(i).contains(v)));
        let best = shared.map(|&v| (self.totals[v as usize], v)).min();
        match best {
            Some((total, value)) if self.by_chance(size(set.len()), total) <= CHANCE => {
                Verdict::Apart(self.reason(&[value], size(set.len()), total, size(set.len())))
            }
            Some(_) | None => Verdict::Unclear,
        }
    }

    /// At most how often a random set of so many nodes lies within any value of at most `total` nodes: the sum of the
    /// hypergeometric chances of each, which needs no further correction for their number.
    fn by_chance(&self, set: u32, total: u32) -> f64 {
        let within =
            |of: u32| (0..set).map(|n| f64::from(of.saturating_sub(n)) / f64::from(self.rows - n)).product::<f64>();
        let reach = |least: u32| self.by_total.partition_point(|&v| self.totals[v as usize] < least);
        let rarer = &self.by_total[reach(set)..reach(total + 1)];
        let alike = rarer.chunk_by(|a, b| self.totals[*a as usize] == self.totals[*b as usize]);
        alike.map(|chunk| f64::from(size(chunk.len())) * within(self.totals[chunk[0] as usize])).sum()
    }

    /// What fits many nodes best.
    fn likely(&mut self, set: &[usize]) -> Verdict<'a> {
        let counts = self.count(set);
        let nodes = size(set.len());
        // Values of too few nodes cannot hold for half of the set; they were not looked at, so they do not count.
        let half = nodes.div_ceil(2);
        let looked_at = self.by_total.len() - self.by_total.partition_point(|&v| self.totals[v as usize] < half);
        let bound = bound(looked_at);
        let common: Vec<Candidate> = counts
            .iter()
            .filter(|(_, inside)| *inside >= half)
            .map(|&(value, inside)| {
                let table = Table { rows: self.rows, set: nodes, total: self.totals[value as usize], inside };
                Candidate { evidence: table.evidence(&self.logs), table, first: value, second: None }
            })
            .collect();
        let mut found: Vec<Candidate> = common.iter().filter(|c| c.accepted(bound)).copied().collect();
        found.sort_by(Candidate::best_first);
        found.extend(self.pairs(set, &found[..found.len().min(SEEDS)], &common, looked_at));
        found.sort_by(Candidate::best_first);
        match found.first() {
            Some(Candidate { table, first, second: None, .. }) => {
                Verdict::Apart(self.reason(&[*first], table.inside, table.total, table.set))
            }
            Some(Candidate { table, first, second: Some(second), .. }) => {
                Verdict::Apart(self.reason(&[*first, *second], table.inside, table.total, table.set))
            }
            None if self.alike(nodes, &counts) => Verdict::Alike,
            None => Verdict::Unclear,
        }
    }

    /// Of each value in the set how many of its nodes have it.
    fn count(&mut self, set: &[usize]) -> Vec<(u32, u32)> {
        let mut touched = Vec::new();
        for &i in set {
            for &value in self.held.of(i) {
                let count = &mut self.counts[value as usize];
                if *count == 0 {
                    touched.push(value);
                }
                *count += 1;
            }
        }
        touched.sort_unstable();
        touched.into_iter().map(|value| (value, std::mem::take(&mut self.counts[value as usize]))).collect()
    }

    /// Each of the seeds together with another value, where both of the two tell something that the other does not.
    fn pairs(&mut self, set: &[usize], seeds: &[Candidate], common: &[Candidate], looked_at: usize) -> Vec<Candidate> {
        let mut pairs: Vec<(Candidate, Candidate)> = Vec::new();
        for (n, seed) in seeds.iter().enumerate() {
            let tried = |other: &Candidate| seeds[..=n].iter().any(|s| s.first == other.first);
            for other in common.iter().filter(|other| !tried(other)) {
                // At best all that both have in the set, and nothing besides.
                let most = seed.table.inside.min(other.table.inside);
                if fit(most, seed.table.set, most) >= seed.table.fit().max(other.table.fit()) + GAIN {
                    pairs.push(if seed.first < other.first { (*seed, *other) } else { (*other, *seed) });
                }
            }
        }
        if pairs.is_empty() {
            return Vec::new();
        }
        let words = self.rows.div_ceil(64) as usize;
        let within = bits(words, set.iter().copied());
        let holders = self.holders.get_or_insert_with(|| self.held.turned(self.values.len()));
        for value in pairs.iter().flat_map(|(a, b)| [a.first, b.first]) {
            if let Entry::Vacant(entry) = self.bits.entry(value) {
                entry.insert(bits(words, holders.of(value as usize).iter().map(|&row| row as usize)));
            }
        }
        // As many pairs were looked at as there are seeds and values.
        let bound = bound(looked_at.saturating_mul(seeds.len()));
        let found = pairs.into_iter().filter_map(|(a, b)| {
            let (mut inside, mut total) = (0, 0);
            for ((x, y), s) in self.bits.get(&a.first)?.iter().zip(self.bits.get(&b.first)?).zip(&within) {
                total += (x & y).count_ones();
                inside += (x & y & s).count_ones();
            }
            let table = Table { total, inside, ..a.table };
            let better = table.fit() >= a.table.fit().max(b.table.fit()) + GAIN;
            // Among the nodes that have the one value the other one still has to say something.
            let adds = |one: &Candidate| {
                let among = Table { rows: one.table.total, set: one.table.inside, total, inside };
                among.evidence(&self.logs) >= bound
            };
            let pair = Candidate { evidence: table.evidence(&self.logs), table, first: a.first, second: Some(b.first) };
            (better && pair.accepted(bound) && adds(&a) && adds(&b)).then_some(pair)
        });
        found.collect()
    }

    /// No value is commoner or rarer in the set than chance would have it. Nothing is said of a run whose nodes all have
    /// the same values.
    fn alike(&self, set: u32, counts: &[(u32, u32)]) -> bool {
        let bound = bound(self.values.len());
        let alike = |value: u32, inside: u32| {
            let table = Table { rows: self.rows, set, total: self.totals[value as usize], inside };
            table.evidence(&self.logs) < bound
        };
        // Of the values that no node of the set has the commonest is the most conspicuous.
        let missing = self.by_total.iter().rev().find(|v| counts.binary_search_by_key(v, |(value, _)| value).is_err());
        !self.values.is_empty() && counts.iter().all(|&(v, k)| alike(v, k)) && missing.is_none_or(|&v| alike(v, 0))
    }

    /// The account, the region, or the one in the other, whose nodes these are, exactly or but for a few.
    fn cover(&self, set: &[usize]) -> Option<Reason<'a>> {
        let count = size(set.len());
        let &[account, region] = self.places.of.get(*set.first()?)?;
        let all = |part: usize, value: u32| value != NONE && set.iter().all(|&i| self.places.of[i][part] == value);
        let (in_account, in_region) = (all(0, account), all(1, region));
        let one = |value: u32| (vec![self.places.values[value as usize].0], self.places.values[value as usize].1);
        let both = || {
            let total = self.places.both.get(&[account, region]).copied().unwrap_or_default();
            (vec![self.places.values[account as usize].0, self.places.values[region as usize].0], total)
        };
        let covers =
            [in_account.then(|| one(account)), in_region.then(|| one(region)), (in_account && in_region).then(both)];
        covers
            .into_iter()
            .flatten()
            .filter(|(_, total)| *total < self.rows && (*total == count || few(total - count, *total)))
            // The first of those with the fewest exceptions.
            .min_by_key(|(_, total)| *total)
            .map(|(values, total)| Reason { values, inside: count, total, set: count })
    }

    fn reason(&self, values: &[u32], inside: u32, total: u32, set: u32) -> Reason<'a> {
        Reason { values: values.iter().map(|&v| self.values[v as usize]).collect(), inside, total, set }
    }
}

/// A set against a value, or two: of `rows` nodes `set` are in the set, `total` have the value, `inside` both.
#[derive(Debug, Clone, Copy)]
struct Table {
    rows: u32,
    set: u32,
    total: u32,
    inside: u32,
}

impl Table {
    /// How many times likelier a node with the value is in the set than one without it. Half a node is added to each of
    /// the four counts, so that a value that all of the set has can still be compared with another.
    fn ratio(self) -> f64 {
        let risk = |inside: u32, of: u32| (f64::from(inside) + 0.5) / (f64::from(of) + 1.0);
        risk(self.inside, self.total) / risk(self.set - self.inside, self.rows - self.total)
    }

    fn fit(self) -> f64 {
        fit(self.inside, self.set, self.total)
    }

    /// The log-likelihood ratio G against a set that has nothing to do with the value.
    fn evidence(self, logs: &[f64]) -> f64 {
        let log = |n: u32| logs[n as usize];
        let Table { rows, set, total, inside } = self;
        let cells = log(inside) + log(total - inside) + log(set - inside) + log(rows - total - (set - inside));
        2.0 * (cells - log(set) - log(rows - set) - log(total) - log(rows - total) + log(rows))
    }
}

/// One value or two with their figures.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    evidence: f64,
    table: Table,
    first: u32,
    second: Option<u32>,
}

impl Candidate {
    fn accepted(&self, bound: f64) -> bool {
        let recall = f64::from(self.table.inside) / f64::from(self.table.set);
        recall >= RECALL && self.table.ratio() >= RATIO && self.evidence >= bound
    }

    fn best_first(&self, other: &Self) -> std::cmp::Ordering {
        let ids = |c: &Self| (c.first, c.second);
        other.evidence.total_cmp(&self.evidence).then_with(|| ids(self).cmp(&ids(other)))
    }
}

fn bound(looked_at: usize) -> f64 {
    2.0 * f64::from(size(looked_at.max(1))).ln() + EVIDENCE
}

/// Twice the overlap over both sizes (F1).
fn fit(inside: u32, set: u32, total: u32) -> f64 {
    2.0 * f64::from(inside) / (f64::from(set) + f64::from(total))
}

fn few(exceptions: u32, total: u32) -> bool {
    (1..=FEW).contains(&exceptions) && exceptions * FEW_IN <= total
}

fn bits(words: usize, rows: impl Iterator<Item = usize>) -> Vec<u64> {
    let mut bits = vec![0; words];
    for row in rows {
        bits[row / 64] |= 1 << (row % 64);
    }
    bits
}

/// Of attributes that tell the same the one that people think in first; then labels, then tags, then by text.
fn order(name: &str) -> u8 {
    match name {
        "account" => 0,
        "region" => 1,
        "zone" => 2,
        "image" => 3,
        "kernel" => 4,
        "os" => 5,
        "platform" => 6,
        "type" => 7,
        name if name.starts_with("tag:") => 9,
        _ => 8,
    }
}

/// Lists of numbers in one piece of memory.
#[derive(Default)]
struct Lists {
    ends: Vec<usize>,
    items: Vec<u32>,
}

impl Lists {
    fn of(&self, list: usize) -> &[u32] {
        let start = if list == 0 { 0 } else { self.ends[list - 1] };
        &self.items[start..self.ends[list]]
    }

    /// Each item replaced by what it maps to, once in each list; [`NONE`] is left out.
    fn map(&self, to: &[u32], values: usize) -> Lists {
        let mut mapped = Lists { ends: Vec::with_capacity(self.ends.len()), items: Vec::new() };
        let mut last = vec![usize::MAX; values];
        for list in 0..self.ends.len() {
            for item in self.of(list) {
                let value = to[*item as usize];
                if value != NONE && last[value as usize] != list {
                    last[value as usize] = list;
                    mapped.items.push(value);
                }
            }
            mapped.ends.push(mapped.items.len());
        }
        mapped
    }

    /// For each value the lists that hold it.
    fn turned(&self, values: usize) -> Lists {
        let mut ends = vec![0; values];
        for item in &self.items {
            ends[*item as usize] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            // The start for now; it moves to the end as the list fills.
            sum += std::mem::replace(end, sum);
        }
        let mut items = vec![0; self.items.len()];
        for list in 0..self.ends.len() {
            for item in self.of(list) {
                let at = &mut ends[*item as usize];
                items[*at] = size(list);
                *at += 1;
            }
        }
        Lists { ends, items }
    }
}

/// Each row's account and region, as indices into the values.
struct Places<'a> {
    of: Vec<[u32; 2]>,
    /// Name and value, and the nodes that have it.
    values: Vec<((&'a str, &'a str), u32)>,
    /// Nodes in an account and a region.
    both: HashMap<[u32; 2], u32>,
}

/// The attributes of rows as numbers. What was read of a row is kept for the next summary: they seldom change in a run.
#[derive(Default)]
pub(super) struct Known {
    /// Every name and value that was seen.
    values: Vec<(Box<str>, Box<str>)>,
    ids: HashMap<Box<str>, HashMap<Box<str>, u32>>,
    rows: Vec<Learnt>,
}

/// What a row says, and which values these are.
type Learnt = (Arc<BTreeMap<String, String>>, Box<[u32]>);

impl Known {
    /// Reads what is new, or otherwise than before.
    pub(super) fn learn(&mut self, rows: &[&Row]) {
        self.rows.truncate(rows.len());
        for (i, row) in rows.iter().enumerate() {
            let same = |(known, _): &(Arc<_>, _)| Arc::ptr_eq(known, &row.attributes) || **known == *row.attributes;
            if self.rows.get(i).is_some_and(same) {
                continue;
            }
            let told = row.attributes.iter().filter(|(name, _)| !IGNORED.contains(&name.as_str()));
            let ids: Vec<u32> = told.map(|(name, value)| self.id(name, value)).collect();
            let read = (row.attributes.clone(), ids.into());
            match self.rows.get_mut(i) {
                Some(place) => *place = read,
                None => self.rows.push(read),
            }
        }
    }

    fn id(&mut self, name: &str, value: &str) -> u32 {
        if let Some(id) = self.ids.get(name).and_then(|values| values.get(value)) {
            return *id;
        }
        let id = size(self.values.len());
        self.values.push((name.into(), value.into()));
        self.ids.entry(name.into()).or_default().insert(value.into(), id);
        id
    }
}

/// All attributes as they stand in the rows.
struct Raw<'a> {
    values: Vec<(&'a str, &'a str)>,
    totals: Vec<u32>,
    /// A sum over the value's rows, by which values of the same rows are known.
    marks: Vec<u128>,
    held: Lists,
    places: Vec<[u32; 2]>,
}

impl<'a> Raw<'a> {
    fn of(known: &'a Known) -> Self {
        let values: Vec<(&str, &str)> = known.values.iter().map(|(name, value)| (&**name, &**value)).collect();
        let parts: Vec<Option<usize>> =
            values.iter().map(|(name, _)| PLACE.iter().position(|part| part == name)).collect();
        let mut raw = Raw {
            totals: vec![0; values.len()],
            marks: vec![0; values.len()],
            held: Lists::default(),
            places: vec![[NONE; 2]; known.rows.len()],
            values,
        };
        for ((_, ids), i) in known.rows.iter().zip(0u64..) {
            let mark = u128::from(mixed(i)) << 64 | u128::from(mixed(!i));
            for &id in ids {
                raw.totals[id as usize] += 1;
                raw.marks[id as usize] = raw.marks[id as usize].wrapping_add(mark);
                if let Some(part) = parts[id as usize] {
                    raw.places[raw.held.ends.len()][part] = id;
                }
            }
            raw.held.items.extend_from_slice(ids);
            raw.held.ends.push(raw.held.items.len());
        }
        raw
    }

    /// The values that are worth looking at, those of the same rows as one; their totals; and for each raw value which of
    /// them it is.
    fn classes(&self, rows: u32) -> (Vec<(&'a str, &'a str)>, Vec<u32>, Vec<u32>) {
        let mut ids: Vec<usize> = (0..self.values.len()).filter(|&v| (LEAST..rows).contains(&self.totals[v])).collect();
        ids.sort_by_cached_key(|&v| (order(self.values[v].0), self.values[v]));
        let (mut values, mut totals) = (Vec::new(), Vec::new());
        let mut classes = vec![NONE; self.values.len()];
        let mut known: HashMap<(u32, u128), u32> = HashMap::new();
        for v in ids {
            classes[v] = *known.entry((self.totals[v], self.marks[v])).or_insert_with(|| {
                values.push(self.values[v]);
                totals.push(self.totals[v]);
                size(values.len() - 1)
            });
        }
        (values, totals, classes)
    }

    fn places(self) -> Places<'a> {
        let mut both: HashMap<[u32; 2], u32> = HashMap::new();
        for place in self.places.iter().filter(|place| !place.contains(&NONE)) {
            *both.entry(*place).or_default() += 1;
        }
        Places { of: self.places, values: self.values.into_iter().zip(self.totals).collect(), both }
    }
}

/// Numbers that follow each other made unlike each other (the finaliser of `SplitMix64`), so that sums of them tell sets
/// apart.
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests;
