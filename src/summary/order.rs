//! Lines of one kind -> the order in which they are compared with each other.
//!
//! Eight lines of `ping` differ in their number and their time. Which first line of one node is compared with which line of
//! another is decided by what nearly all nodes have among these lines: the numbers, and not the times. So a list sorted by
//! something that moves, as `ps` sorts by use, is the same list. Where nodes have nothing in common, the text's own order
//! is as good as any.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::group::Unit;
use super::lines::{Lexicon, Record, Template};
use super::mask::{Kind, Value};

/// Fewer nodes have nothing that is usual: their lines are compared by their values.
const NODES_MIN: u32 = 12;
/// In tenths of the nodes: so many have the same values in a slot, or these say nothing of the order.
const STABLE: u32 = 8;

/// By template: its slots, those first by which its lines are told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Orders(HashMap<Template, Vec<usize>>);

/// The sets of values of one slot, with their nodes.
#[derive(Default)]
struct Tally {
    sets: HashMap<u64, u32, RandomState>,
    nodes: u32,
    lost: bool,
}

impl Tally {
    /// `total`: of all nodes.
    fn add(&mut self, set: u64, nodes: u32, total: u32) {
        self.nodes += nodes;
        if self.lost {
            return;
        }
        *self.sets.entry(set).or_default() += nodes;
        // Each further set takes a node from the usual one, until none can be usual any more.
        self.lost = (self.sets.len() as u64 - 1) * 10 > u64::from(total) * u64::from(10 - STABLE);
    }

    /// The nodes that have the usual set, where that is nearly all of them.
    fn usual(&self) -> Option<u32> {
        let most = self.sets.values().copied().max().filter(|_| !self.lost)?;
        (u64::from(most) * 10 >= u64::from(self.nodes) * u64::from(STABLE)).then_some(most)
    }
}

impl Orders {
    /// `is_log`: templates whose lines are not compared.
    pub(super) fn of(lexicon: &Lexicon, units: &[Unit<'_>], is_log: impl Fn(Template) -> bool) -> Self {
        let total: u32 = units.iter().map(|unit| unit.nodes).sum();
        let hasher = RandomState::default();
        let mut tallies: HashMap<Template, Vec<Tally>, RandomState> = HashMap::default();
        let mut words: Vec<&str> = Vec::new();
        for unit in units {
            for (template, lines) in several(unit.record, lexicon, &is_log) {
                let slots = lexicon.slots(template);
                let tallies = tallies.entry(template).or_insert_with(|| (0..slots).map(|_| Tally::default()).collect());
                for (slot, tally) in tallies.iter_mut().enumerate() {
                    words.clear();
                    words.extend(lines.clone().map(|values| of(values[slot], &unit.record.text)));
                    words.sort_unstable();
                    // All lines having the same there tells none of them apart.
                    let apart = words.first() != words.last();
                    tally.add(if apart { hasher.hash_one(&words) } else { 0 }, unit.nodes, total);
                }
            }
        }
        let order = |tallies: Vec<Tally>| {
            let none = |tally: &Tally| tally.sets.get(&0).is_some_and(|nodes| Some(*nodes) == tally.usual());
            let usual = tallies.iter().enumerate().filter(|(_, tally)| !none(tally));
            let mut stable: Vec<(u32, usize)> =
                usual.filter_map(|(slot, tally)| Some((tally.usual()?, slot))).collect();
            stable.sort_unstable_by_key(|(nodes, slot)| (std::cmp::Reverse(*nodes), *slot));
            stable.into_iter().map(|(_, slot)| slot).collect::<Vec<usize>>()
        };
        let enough = |tallies: &Vec<Tally>| tallies.iter().any(|tally| tally.nodes >= NODES_MIN);
        let known = tallies.into_iter().filter(|(_, tallies)| enough(tallies));
        Orders(known.map(|(template, tallies)| (template, order(tallies))).collect())
    }

    /// The slots by which lines of it are put in order, and then by where they stand in the text. `None` where they are
    /// compared by their values.
    pub(super) fn slots(&self, template: Template) -> Option<&[usize]> {
        self.0.get(&template).map(Vec::as_slice)
    }
}

fn of(value: Value, text: &str) -> &str {
    if value.kind == Kind::Own { Kind::Own.word() } else { value.of(text) }
}

/// The values of the lines of each template that has several with slots.
fn several<'r>(
    record: &'r Record,
    lexicon: &'r Lexicon,
    is_log: &impl Fn(Template) -> bool,
) -> impl Iterator<Item = (Template, impl Iterator<Item = &'r [Value]> + Clone)> {
    let those = record.sorted.chunk_by(|a, b| a.template == b.template).filter(|those| those.len() > 1);
    those.filter(|those| lexicon.slots(those[0].template) > 0 && !is_log(those[0].template)).map(move |those| {
        let slots = lexicon.slots(those[0].template);
        (those[0].template, those.iter().map(move |at| &record.values[at.values as usize..][..slots]))
    })
}
