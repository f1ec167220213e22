//! Lines of one kind -> the order in which they are compared with each other.
//!
//! Eight lines of `ping` differ in their number and their time. Which first line of one node is compared with which line of
//! another is decided by what nearly all nodes have among these lines: the numbers, and not the times. So a list sorted by
//! something that moves, as `ps` sorts by use, is the same list, and of a list in which some lines have values of their own
//! the others are. Where nodes have nothing in common, the text's own order is as good as any.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;

use super::group::UNITS;
use super::lines::{Alike, Lexicon, Place, Record, Template};
use super::names::by_name;
use super::units::{Unit, Units};
use super::values::{Value, View};
use super::{Threads, size};

/// Fewer nodes have nothing that is usual: their lines are compared by their values.
const NODES_MIN: u32 = 12;
/// In tenths of the nodes: so many have a value in a slot equally often, or it says nothing of the order.
const STABLE: u32 = 8;

/// By template: its slots, those first by which its lines are told apart best.
#[derive(Debug, Default)]
pub(super) struct Orders {
    columns: HashMap<Template, Vec<Column>, RandomState>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Column {
    slot: usize,
    /// What nearly all nodes have there, hashed. Any other value stands behind, and is no order.
    usual: HashSet<u64, RandomState>,
}

/// How often each value comes in one slot, with the nodes of which that is so: first roughly, and then of those alone that may
/// be usual, since a slot may have another value in each line of each node.
struct Tally<'a> {
    /// Nodes, by the hash of value and number.
    rough: Vec<u32>,
    often: Often<'a>,
    nodes: u32,
}

/// Nodes, by value and number.
type Often<'a> = HashMap<(&'a str, u32), u32, RandomState>;
/// By template, as they are [`Listed`], and by slot.
type BySlot<T> = Vec<Vec<T>>;

/// A template of which any text has several lines.
struct Listed {
    template: Template,
    /// That one text has at most.
    lines: usize,
    slots: usize,
}

impl<'a> Tally<'a> {
    /// `lines`: that one node has at most. Values that no two nodes share fill the places far less than a usual one does.
    fn new(lines: usize) -> Self {
        let places = (lines * 4).next_power_of_two().clamp(1 << 8, 1 << 17);
        Tally { rough: vec![0; places], often: HashMap::default(), nodes: 0 }
    }

    fn place(&self, often: &(&'a str, u32), hasher: &RandomState) -> usize {
        usize::try_from(hasher.hash_one(often) % self.rough.len() as u64).unwrap_or_default()
    }

    fn is_usual(&self, nodes: u32) -> bool {
        u64::from(nodes) * 10 >= u64::from(self.nodes) * u64::from(STABLE)
    }

    /// `values`: of one output, sorted.
    fn estimate(&mut self, values: &[&'a str], nodes: u32, hasher: &RandomState) {
        self.nodes += nodes;
        for often in runs(values) {
            let place = self.place(&often, hasher);
            self.rough[place] = self.rough[place].saturating_add(nodes);
        }
    }

    /// What another thread has estimated.
    fn merge(&mut self, other: &Tally<'_>) {
        self.nodes += other.nodes;
        self.rough.iter_mut().zip(&other.rough).for_each(|(nodes, others)| *nodes = nodes.saturating_add(*others));
    }

    /// The same values again, counted into `often`.
    fn count(&self, values: &[&'a str], nodes: u32, hasher: &RandomState, often: &mut Often<'a>) {
        for value in runs(values) {
            if self.is_usual(self.rough[self.place(&value, hasher)]) {
                *often.entry(value).or_default() += nodes;
            }
        }
    }

    /// The values that nearly all nodes have equally often, and in how many lines.
    fn usual(self) -> (Vec<&'a str>, u32) {
        let usual = self.often.iter().filter(|(_, nodes)| self.is_usual(**nodes));
        usual.fold((Vec::new(), 0), |(mut values, lines), ((value, often), _)| {
            values.push(*value);
            (values, lines.saturating_add(*often))
        })
    }
}

/// Sorted values, each with how often it comes.
fn runs<'v, 'a>(values: &'v [&'a str]) -> impl Iterator<Item = (&'a str, u32)> + use<'v, 'a> {
    values.chunk_by(|a, b| a == b).map(|same| (same[0], size(same.len())))
}

impl Orders {
    /// `is_log`: templates whose lines are not compared.
    pub(super) fn of(
        lexicon: &Lexicon,
        units: &Units<'_>,
        threads: Threads,
        is_log: impl Fn(Template) -> bool + Sync,
    ) -> Self {
        let hasher = RandomState::default();
        let alike = |record: &Record| {
            let mut alike = Alike::of(&record.sorted, lexicon);
            alike.retain(|those| !is_log(those.template));
            alike
        };
        let alike = threads.share(&units.layouts, UNITS, |layouts| {
            layouts.iter().map(|layout| alike(layout.record)).collect::<Vec<_>>()
        });
        let mut all: Vec<Listed> = Vec::new();
        let mut known: HashMap<Template, usize, RandomState> = HashMap::default();
        let mut listed = |those: Alike| {
            let Alike { template, slots, places } = those;
            let at = *known.entry(template).or_insert_with(|| {
                all.push(Listed { template, lines: 0, slots });
                all.len() - 1
            });
            all[at].lines = all[at].lines.max(places.len());
            (at, places)
        };
        // By layout: which of all, and its lines.
        let alike: Vec<Vec<(usize, Range<usize>)>> =
            alike.into_iter().flatten().map(|those| those.into_iter().map(&mut listed).collect()).collect();
        if all.is_empty() {
            return Orders { columns: HashMap::default(), hasher };
        }
        let estimated = threads.share(&units.all, UNITS, |units| {
            let none = |of: &Listed| (0..of.slots).map(|_| Tally::new(of.lines)).collect();
            let mut tallies: BySlot<Tally<'_>> = all.iter().map(none).collect();
            sorted_values(units, &alike, &all, |at, slot, values, nodes| {
                tallies[at][slot].estimate(values, nodes, &hasher)
            });
            tallies
        });
        let estimated = estimated.into_iter().reduce(|mut tallies, others| {
            let both = tallies.iter_mut().flatten().zip(others.iter().flatten());
            both.for_each(|(tally, other)| tally.merge(other));
            tallies
        });
        let mut tallies = estimated.unwrap_or_default();
        let counted = threads.share(&units.all, UNITS, |units| {
            let none = |of: &Listed| vec![Often::default(); of.slots];
            let mut often: BySlot<Often<'_>> = all.iter().map(none).collect();
            sorted_values(units, &alike, &all, |at, slot, values, nodes| {
                tallies[at][slot].count(values, nodes, &hasher, &mut often[at][slot]);
            });
            often
        });
        for often in counted {
            for (tally, often) in tallies.iter_mut().flatten().zip(often.into_iter().flatten()) {
                often.into_iter().for_each(|(value, nodes)| *tally.often.entry(value).or_default() += nodes);
            }
        }
        let columns = |tallies: Vec<Tally<'_>>| {
            let usual = tallies.into_iter().map(Tally::usual).enumerate();
            let mut usual: Vec<_> = usual.filter(|(_, (values, _))| !values.is_empty()).collect();
            let rank = |values: &Vec<&str>, lines: &u32| std::cmp::Reverse((values.len(), *lines));
            usual.sort_by_key(|(slot, (values, lines))| (rank(values, lines), *slot));
            let hashed = |values: Vec<&str>| values.into_iter().map(|value| hasher.hash_one(value)).collect();
            usual.into_iter().map(|(slot, (values, _))| Column { slot, usual: hashed(values) }).collect()
        };
        let enough = |tallies: &Vec<Tally<'_>>| tallies.iter().any(|tally| tally.nodes >= NODES_MIN);
        let known = all.iter().zip(tallies).filter(|(_, tallies)| enough(tallies));
        let columns = known.map(|(of, tallies)| (of.template, columns(tallies))).collect();
        Orders { columns, hasher }
    }

    /// How two lines of a template follow each other; equal ones by where they stand in the text. `None` where lines of it are
    /// compared by their values.
    pub(super) fn of_lines<'r>(
        &'r self,
        template: Template,
        values: View<'r>,
    ) -> Option<impl Fn(&Place, &Place) -> Ordering + 'r> {
        let columns = self.columns.get(&template)?;
        Some(move |a: &Place, b: &Place| {
            let by = |column: &Column| {
                let of = |at: &Place| values.get(at.values as usize + column.slot).said();
                let (a, b) = (of(a), of(b));
                let is_usual = |value: &str| column.usual.contains(&self.hasher.hash_one(value));
                match (is_usual(a), is_usual(b)) {
                    (true, true) => by_name(a, b),
                    (a, b) => b.cmp(&a),
                }
            };
            columns.iter().map(by).find(|order| order.is_ne()).unwrap_or(a.line.cmp(&b.line))
        })
    }
}

/// Of each unit and each template of which it has several lines: the values of each slot, sorted, and the unit's nodes.
fn sorted_values<'r>(
    units: &'r [Unit<'_>],
    alike: &[Vec<(usize, Range<usize>)>],
    all: &[Listed],
    mut add: impl FnMut(usize, usize, &[&'r str], u32),
) {
    let mut words: Vec<&str> = Vec::new();
    for unit in units {
        let Record { sorted, values, .. } = unit.record;
        for (at, places) in &alike[unit.layout()] {
            for slot in 0..all[*at].slots {
                let values = sorted[places.clone()].iter().map(|at| values.view().get(at.values as usize + slot));
                words.clear();
                words.extend(values.map(Value::said));
                words.sort_unstable();
                add(*at, slot, &words, unit.nodes);
            }
        }
    }
}
