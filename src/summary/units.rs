//! What was read of many outputs -> units of equal texts, and what those have in common whose lines are laid out alike.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::lines::Record;
use super::size;

/// One text and how many nodes said it, byte for byte.
pub(super) struct Unit<'r> {
    pub record: &'r Record,
    pub nodes: u32,
    /// The first of them. No other unit has it.
    pub first: usize,
    /// Which of [`Units::layouts`] it has.
    layout: u32,
}

impl Unit<'_> {
    pub(super) fn layout(&self) -> usize {
        self.layout as usize
    }
}

/// Units that have the same lines but for values. There may be two of one kind: it is for speed alone.
pub(super) struct Layout<'r> {
    /// The first of them, which tells all but the values of the others too.
    pub record: &'r Record,
    pub nodes: u32,
}

/// In whichever order they are gone through soonest, which is the one in which they were read.
#[derive(Default)]
pub(super) struct Units<'r> {
    pub all: Vec<Unit<'r>>,
    /// In the order of their first unit.
    pub layouts: Vec<Layout<'r>>,
    pub nodes: u32,
}

/// Each text, with how many nodes said it and the first of them.
impl<'r> FromIterator<(&'r Record, u32, usize)> for Units<'r> {
    fn from_iter<T: IntoIterator<Item = (&'r Record, u32, usize)>>(texts: T) -> Self {
        let texts = texts.into_iter();
        let mut units = Units { all: Vec::with_capacity(texts.size_hint().0), ..Units::default() };
        // By where the places are that they share. Most have the layout of the one before.
        let mut known: HashMap<usize, u32, RandomState> = HashMap::default();
        let mut before = None;
        for (record, nodes, first) in texts {
            let next = size(units.layouts.len());
            let place = record.sorted.as_ptr().addr();
            let layout = match before {
                // How many lines of logs it has is its own.
                _ if !record.logs.is_empty() => next,
                Some((other, layout)) if other == place => layout,
                _ => *known.entry(place).or_insert(next),
            };
            if layout == next {
                units.layouts.push(Layout { record, nodes: 0 });
            }
            before = record.logs.is_empty().then_some((place, layout));
            units.layouts[layout as usize].nodes += nodes;
            units.nodes += nodes;
            units.all.push(Unit { record, nodes, first, layout });
        }
        units
    }
}
