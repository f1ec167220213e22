//! The rows of a run -> who printed the same, each output under a number.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::domain::{Digest, Outcome};

use super::group::UNITS;
use super::reading::Job;
use super::{Free, Index, Row, Threads, size};

/// Outputs, whole or cut, numbered in the order in which they first came.
#[derive(Default)]
pub(super) struct Printed {
    all: Vec<(Digest, bool)>,
    known: Index,
    /// The one that was numbered last.
    last: usize,
    /// Of the rows that were looked at last: those of one run print what they printed.
    of_rows: Vec<Option<u32>>,
}

impl Printed {
    pub(super) fn number(&mut self, output: Digest, cut: bool) -> usize {
        if self.all.get(self.last) == Some(&(output, cut)) {
            return self.last;
        }
        let number = self.look_up(output, cut).unwrap_or_else(|free| {
            let number = size(self.all.len());
            self.known.put(free, number);
            self.all.push((output, cut));
            number
        });
        self.last = number as usize;
        self.last
    }

    pub(super) fn find(&self, output: Digest, cut: bool) -> Option<usize> {
        self.look_up(output, cut).ok().map(|at| at as usize)
    }

    fn look_up(&self, output: Digest, cut: bool) -> Result<u32, Free> {
        self.known.find(Self::hash(output, cut), |at| self.all[at as usize] == (output, cut))
    }

    /// Makes room for so many more, at once: to move them to larger room again and again takes long.
    pub(super) fn make_room(&mut self, more: usize) {
        self.all.reserve(more);
        self.known.reserve(more);
    }

    /// Of each of these rows its output, if that has a number: all threads look for those that are not as they were.
    fn of_rows(&self, rows: &[&Row], threads: Threads) -> Vec<Option<u32>> {
        let is = |number: &u32, row: &Row| {
            self.all.get(*number as usize).is_some_and(|(output, cut)| row.output == Some(*output) && row.cut == *cut)
        };
        let before = self.of_rows.iter().copied().chain(std::iter::repeat(None));
        let as_before = rows.iter().zip(before).map(|(row, before)| before.filter(|number| is(number, row)));
        let mut numbers: Vec<Option<u32>> = as_before.collect();
        let others =
            (0..).zip(&numbers).filter(|(at, number): &(usize, _)| number.is_none() && rows[*at].output.is_some());
        let others: Vec<usize> = others.map(|(at, _)| at).collect();
        let found = threads.share(&others, UNITS, |others| {
            let mut last = None;
            let number = |at: &usize| {
                // Most print what the one before has printed, or something of their own.
                let row = rows[*at];
                last = last.filter(|number| is(number, row)).or_else(|| self.look_up(row.output?, row.cut).ok());
                last
            };
            others.iter().map(number).collect::<Vec<_>>()
        });
        others.into_iter().zip(found.into_iter().flatten()).for_each(|(at, number)| numbers[at] = number);
        numbers
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    fn hash(output: Digest, cut: bool) -> u64 {
        output.first_bits() ^ u64::from(cut)
    }
}

/// The rows by what they printed.
pub(super) struct Sets {
    /// By the number of the output.
    pub successes: Vec<Set>,
    /// Rows that did not succeed, each with what one of its like printed that was read whole.
    pub failures: Vec<(usize, Option<Digest>)>,
    /// What each row that succeeded printed itself, by number.
    pub printed: Vec<Option<u32>>,
    /// Those of each set stand together, ascending.
    rows: Vec<usize>,
}

/// Successes that printed the same.
pub(super) struct Set {
    output: Option<u32>,
    pub cut: bool,
    whole: Option<u32>,
    rows: Range<usize>,
}

impl Set {
    /// By number; none where there is no output.
    pub(super) fn output(&self) -> Option<usize> {
        self.output.map(|output| output as usize)
    }

    /// The one among them that was read whole, by number.
    pub(super) fn whole(&self) -> Option<usize> {
        self.whole.map(|whole| whole as usize)
    }
}

impl Sets {
    pub(super) fn of(rows: &[&Row], printed: &mut Printed, threads: Threads) -> Self {
        let examples = examples(rows);
        let mut of_rows = printed.of_rows(rows, threads);
        printed.make_room(of_rows.iter().filter(|number| number.is_none()).count());
        let mut failures = Vec::new();
        // The sets of those that have no output, whole or cut, and then by the number of the output.
        let mut sets: Vec<Option<Set>> = Vec::with_capacity(rows.len() + 2);
        let mut set_of = vec![None; rows.len()];
        for (i, row) in rows.iter().enumerate() {
            match row.outcome {
                None => of_rows[i] = None,
                Some(Outcome::Succeeded) => {
                    let own = of_rows[i].or_else(|| row.output.map(|output| size(printed.number(output, row.cut))));
                    let listed = row
                        .listed
                        .as_deref()
                        .copied()
                        .filter(|k| examples.get(&(Outcome::Succeeded, *k)) == row.output.as_ref());
                    let (output, cut, whole) = match listed {
                        None => (own, row.cut, None),
                        Some(listed) => {
                            let whole = row.output.map(|output| size(printed.number(output, false)));
                            (Some(size(printed.number(listed, true))), true, whole)
                        }
                    };
                    let at = output.map_or(usize::from(cut), |output| output as usize + 2);
                    sets.resize_with(sets.len().max(at + 1), || None);
                    let set = sets[at].get_or_insert(Set { output, cut, whole, rows: 0..0 });
                    set.whole = set.whole.or(whole);
                    (of_rows[i], set_of[i]) = (own, Some(size(at)));
                }
                Some(outcome) => {
                    of_rows[i] = None;
                    // What one of its like tells further on is the best there is to tell of a cut one.
                    let whole = row.output.filter(|_| row.cut).and_then(|key| examples.get(&(outcome, key)).copied());
                    failures.push((i, whole));
                }
            }
        }
        printed.of_rows.clone_from(&of_rows);
        let (ranges, of_sets) = together((0..rows.len()).zip(&set_of).map(|(i, set)| (*set, i)), sets.len());
        let sets = sets.into_iter().zip(ranges).filter_map(|(set, rows)| set.map(|set| Set { rows, ..set }));
        Sets { successes: sets.collect(), failures, printed: of_rows, rows: of_sets }
    }

    pub(super) fn rows(&self, set: &Set) -> &[usize] {
        &self.rows[set.rows.clone()]
    }

    /// What is to be read for them, but for those outputs of which this is said: by number, and with the name of the only node
    /// that printed it.
    pub(super) fn jobs<'a>(
        &self,
        rows: &[&'a Row],
        printed: &Printed,
        is_read: impl Fn(usize, &dyn Fn() -> &'a str) -> bool,
    ) -> impl Iterator<Item = Job<'a>> {
        let each =
            self.successes.iter().flat_map(|set| set.output().into_iter().chain(set.whole()).map(move |n| (set, n)));
        each.filter_map(move |(set, number)| {
            let own = || one_name(rows, self.rows(set));
            (!is_read(number, &own)).then(|| {
                let (output, cut) = printed.all[number];
                Job { number, output, cut, own: own() }
            })
        })
    }
}

/// Items by the place of each among so many: where those of each place stand, and all of them, in their order.
pub(super) fn together<T: Copy + Default>(
    items: impl Iterator<Item = (Option<u32>, T)> + Clone,
    places: usize,
) -> (Vec<Range<usize>>, Vec<T>) {
    let mut ranges = vec![0..0; places];
    for place in items.clone().filter_map(|(place, _)| place) {
        ranges[place as usize].end += 1;
    }
    let mut from = 0;
    for range in &mut ranges {
        (*range, from) = (from..from, from + range.len());
    }
    let mut all = vec![T::default(); from];
    for (place, item) in items.filter_map(|(place, item)| Some((place?, item))) {
        let range = &mut ranges[place as usize];
        all[range.end] = item;
        range.end += 1;
    }
    (ranges, all)
}

/// The name of the only node among these rows, or of all of them; empty where there are several.
pub(super) fn one_name<'a>(rows: &[&'a Row], set: &[usize]) -> &'a str {
    let first = set.first().map_or("", |&i| &*rows[i].name);
    if set.iter().skip(1).all(|&i| *rows[i].name == *first) { first } else { "" }
}

/// Of each cut output of which one node's was read whole, and others' were not: the whole one. Not where two of them read
/// whole turned out to differ.
fn examples(rows: &[&Row]) -> HashMap<(Outcome, Digest), Digest> {
    let cut: BTreeSet<(Outcome, Digest)> =
        rows.iter().filter(|r| r.cut && r.listed.is_none()).filter_map(|r| Some((r.outcome?, r.output?))).collect();
    if cut.is_empty() {
        return HashMap::new();
    }
    let mut wholes: HashMap<(Outcome, Digest), BTreeSet<Digest>> = HashMap::new();
    for row in rows {
        if let (Some(outcome), Some(listed), Some(output)) = (row.outcome, row.listed.as_deref().copied(), row.output)
            && cut.contains(&(outcome, listed))
        {
            wholes.entry((outcome, listed)).or_default().insert(output);
        }
    }
    let only = |set: BTreeSet<Digest>| set.into_iter().next();
    wholes.into_iter().filter(|(_, set)| set.len() == 1).filter_map(|(key, set)| Some((key, only(set)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_one_place_stand_together_in_their_order() {
        let items = [(Some(2), 'a'), (None, 'b'), (Some(0), 'c'), (Some(2), 'd')];
        assert_eq!(together(items.into_iter(), 4), (vec![0..1, 1..1, 1..3, 3..3], vec!['c', 'a', 'd']));
        assert_eq!(together(items[1..2].iter().copied(), 0), (vec![], vec![]));
    }
}
