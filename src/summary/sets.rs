//! The rows of a run -> who printed the same, each output under a number.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::domain::{Digest, Outcome};

use super::reading::Job;
use super::{Index, Row, size};

/// Outputs, whole or cut, numbered in the order in which they first came.
#[derive(Default)]
pub(super) struct Printed {
    all: Vec<(Digest, bool)>,
    known: Index,
    /// The one that was numbered last.
    last: usize,
}

impl Printed {
    pub(super) fn number(&mut self, output: Digest, cut: bool) -> usize {
        // Most print what the one before has printed, or something of their own.
        if self.all.get(self.last) == Some(&(output, cut)) {
            return self.last;
        }
        let number = self.known.find(Self::hash(output, cut), |at| self.all[at as usize] == (output, cut));
        let number = number.unwrap_or_else(|free| {
            let number = size(self.all.len());
            self.known.put(free, number);
            self.all.push((output, cut));
            number
        });
        self.last = number as usize;
        self.last
    }

    pub(super) fn find(&self, output: Digest, cut: bool) -> Option<usize> {
        let found = self.known.find(Self::hash(output, cut), |at| self.all[at as usize] == (output, cut));
        found.ok().map(|at| at as usize)
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    fn hash(output: Digest, cut: bool) -> u64 {
        let start = output.bytes().first_chunk::<8>().copied();
        start.map_or(0, u64::from_ne_bytes) ^ u64::from(cut)
    }
}

/// The rows by what they printed.
pub(super) struct Sets {
    /// In the order of their first row.
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
    /// By number; none where there is no output.
    pub output: Option<usize>,
    pub cut: bool,
    /// The one among them that was read whole, by number.
    pub whole: Option<usize>,
    rows: Range<usize>,
}

impl Sets {
    pub(super) fn of(rows: &[&Row], printed: &mut Printed) -> Self {
        let examples = examples(rows);
        // Room that is not used is not touched, and to move them to larger room again and again takes long.
        printed.all.reserve(rows.len());
        let mut sets = Sets {
            successes: Vec::with_capacity(rows.len()),
            failures: Vec::new(),
            printed: vec![None; rows.len()],
            rows: Vec::new(),
        };
        // By the number of the output, and of those that have none by whether it was cut: which of the sets it is.
        let (mut by_output, mut of_none) = (vec![None; printed.count()], [None; 2]);
        let mut set_of = vec![None; rows.len()];
        for (i, row) in rows.iter().enumerate() {
            match row.outcome {
                None => {}
                Some(Outcome::Succeeded) => {
                    let own = row.output.map(|output| printed.number(output, row.cut));
                    let listed = row.listed.filter(|k| examples.get(&(Outcome::Succeeded, *k)) == row.output.as_ref());
                    let (output, cut, whole) = match listed {
                        None => (own, row.cut, None),
                        Some(listed) => {
                            let whole = row.output.map(|output| printed.number(output, false));
                            (Some(printed.number(listed, true)), true, whole)
                        }
                    };
                    by_output.resize(printed.count(), None);
                    let at = match output {
                        Some(output) => &mut by_output[output],
                        None => &mut of_none[usize::from(cut)],
                    };
                    let at = *at.get_or_insert_with(|| {
                        sets.successes.push(Set { output, cut, whole: None, rows: 0..0 });
                        sets.successes.len() - 1
                    });
                    let set = &mut sets.successes[at];
                    set.rows.end += 1;
                    set.whole = set.whole.or(whole);
                    set_of[i] = Some(size(at));
                    sets.printed[i] = own.map(size);
                }
                Some(outcome) => {
                    // What one of its like tells further on is the best there is to tell of a cut one.
                    let whole = row.output.filter(|_| row.cut).and_then(|key| examples.get(&(outcome, key)).copied());
                    sets.failures.push((i, whole));
                }
            }
        }
        let mut from = 0;
        for set in &mut sets.successes {
            let rows = set.rows.len();
            set.rows = from..from;
            from += rows;
        }
        sets.rows = vec![0; from];
        for (i, set) in set_of.into_iter().enumerate().filter_map(|(i, set)| Some((i, set?))) {
            let rows = &mut sets.successes[set as usize].rows;
            sets.rows[rows.end] = i;
            rows.end += 1;
        }
        sets
    }

    pub(super) fn rows(&self, set: &Set) -> &[usize] {
        &self.rows[set.rows.clone()]
    }

    /// What is to be read for them.
    pub(super) fn jobs<'a>(&self, rows: &[&'a Row], printed: &Printed) -> impl Iterator<Item = Job<'a>> {
        self.successes.iter().flat_map(move |set| {
            let own = one_name(rows, self.rows(set));
            set.output.into_iter().chain(set.whole).map(move |number| {
                let (output, cut) = printed.all[number];
                Job { number, output, cut, own }
            })
        })
    }
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
        if let (Some(outcome), Some(listed), Some(output)) = (row.outcome, row.listed, row.output)
            && cut.contains(&(outcome, listed))
        {
            wholes.entry((outcome, listed)).or_default().insert(output);
        }
    }
    let only = |set: BTreeSet<Digest>| set.into_iter().next();
    wholes.into_iter().filter(|(_, set)| set.len() == 1).filter_map(|(key, set)| Some((key, only(set)?))).collect()
}
