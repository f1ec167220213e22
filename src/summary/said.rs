//! What an output says of its node: names with values, taken once and kept in little room.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::redact::{begins_stderr, streams};

use super::became::Became;
use super::facts::{FACTS_MAX, Fact, Look, facts};
use super::lines::{Lexicon, Line};
use super::size;

/// Names with values, in the order of the output.
#[derive(Default)]
pub(super) struct Said {
    /// By their place among [`Names`]. Shared by many outputs of one command.
    names: Arc<[u32]>,
    /// Where the value of each ends; it begins where the one before ends.
    ends: Box<[u32]>,
    text: Box<str>,
}

impl Said {
    /// `text`: the one that the lexicon has read last.
    pub(super) fn of(text: &str, lexicon: &mut Lexicon, names: &mut Names) -> Self {
        // Most outputs have no stderr, which their lines tell.
        let begins = |line: &Line| text.as_bytes().get(line.from as usize..).is_some_and(begins_stderr);
        let one = lexicon.whole && !lexicon.lines.iter().any(begins);
        let (out, err) = if one { (text, "") } else { streams(text) };
        // What its lines tell by themselves is all that it tells only where they are all of it.
        let by_lines = err.is_empty() && lexicon.whole;
        if by_lines && let Some(said) = names.again(text, &lexicon.lines) {
            return said;
        }
        // What is known of the lines of stderr is not said of those of stdout, which all have an end where stderr follows.
        let lines =
            if err.is_empty() { lexicon.lines.len() } else { memchr::memchr_iter(b'\n', out.as_bytes()).count() };
        let lines = &lexicon.lines[..lines.min(lexicon.lines.len())];
        let found = facts(out, lines, &mut lexicon.keys);
        let mut draft = names.draft();
        let facts = found.len();
        for (nth, fact) in found.into_iter().enumerate() {
            if let Some(name) = names.of(&fact, nth) {
                draft.push(name, fact.value);
            }
        }
        let said = Said {
            names: names.share(&draft.names),
            ends: draft.ends.as_slice().into(),
            text: draft.text.as_str().into(),
        };
        if by_lines && draft.names.len() == facts {
            names.remember(&said.names, lines);
        }
        names.draft = draft;
        said
    }

    /// Follows its names into others; see [`Names::learn`].
    pub(super) fn rename(&mut self, names: &[Option<u32>], became: &mut Became<u32>) {
        let name = |name: &u32| names[*name as usize];
        if let Some(renamed) = became.of(&self.names, |old| old.iter().map(name).collect()) {
            self.names = renamed;
            return;
        }
        // For some of them there was no room.
        let mut draft = Draft::default();
        for (old, value) in self.facts() {
            if let Some(new) = name(&old) {
                draft.push(new, value);
            }
        }
        *self = Said { names: draft.names.into(), ends: draft.ends.into(), text: draft.text.into() };
    }

    /// The value of the `nth` of them.
    pub(super) fn value(&self, nth: u32) -> &str {
        let nth = nth as usize;
        let from = nth.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = from.zip(self.ends.get(nth)).map(|(from, end)| from as usize..*end as usize);
        range.and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    pub(super) fn facts(&self) -> impl Iterator<Item = (u32, &str)> {
        self.names.iter().zip(0..).map(|(name, nth)| (*name, self.value(nth)))
    }

    pub(super) fn names(&self) -> &[u32] {
        &self.names
    }
}

/// What is said while it is put together.
#[derive(Default)]
struct Draft {
    names: Vec<u32>,
    ends: Vec<u32>,
    text: String,
}

impl Draft {
    fn push(&mut self, name: u32, value: &str) {
        self.names.push(name);
        self.text.push_str(value);
        self.ends.push(size(self.text.len()));
    }
}

/// Different names that are followed; one that many nodes share is among the first ones.
const NAMES_MAX: usize = 20_000;

/// Every name that has a value somewhere.
#[derive(Default)]
pub(super) struct Names {
    all: Vec<Name>,
    known: HashMap<Name, u32, RandomState>,
    /// The names of the output before, in its order: outputs of one command have the same ones.
    last: Vec<u32>,
    shared: Arc<[u32]>,
    draft: Draft,
    /// Outputs that need not be read again, by the numbers of their lines; and which of them came last.
    forms: Vec<Form>,
    by_lines: HashMap<Box<[u32]>, usize, RandomState>,
    before: usize,
}

/// An output whose lines each say what they say by themselves. One of which the lines have the same numbers says the same with
/// other digits, if those that are not known say nothing.
struct Form {
    lines: Box<[u32]>,
    names: Arc<[u32]>,
    places: Box<[Pair]>,
}

impl Form {
    /// Writes the values that a text has in this form; `None` where its keys are others.
    fn fill(&self, text: &str, lines: &[Line], names: &[Name], draft: &mut Draft) -> Option<()> {
        for (pair, name) in self.places.iter().zip(&*self.names) {
            let line = text.get(lines[pair.line].from as usize..)?;
            // Two keys may differ in a digit.
            if line.get(pair.key.clone())? != &*names[*name as usize].key {
                return None;
            }
            draft.push(*name, line.get(pair.value.clone())?);
        }
        Some(())
    }
}

/// Where a name and its value stand.
struct Pair {
    line: usize,
    key: Range<usize>,
    value: Range<usize>,
}

/// Forms that are remembered at once.
const FORMS: usize = 1 << 10;

/// What a value stands under; see [`Fact`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub key: Box<str>,
    pub row: Box<str>,
    pub labelled: bool,
}

impl Name {
    /// `Use% of /`, `Mem available`, `ActiveState`: at most [`super::facts::NAME_MAX`] characters.
    pub(super) fn words(&self) -> String {
        Fact { key: &self.key, row: &self.row, labelled: self.labelled, value: "" }.name()
    }
}

impl Names {
    /// Of the `nth` fact of an output. `None` where there is no room for another.
    fn of(&mut self, fact: &Fact<'_>, nth: usize) -> Option<u32> {
        let is_it = |name: &Name| *name.key == *fact.key && *name.row == *fact.row && name.labelled == fact.labelled;
        if let Some(at) = self.last.get(nth).filter(|at| self.all.get(**at as usize).is_some_and(is_it)) {
            return Some(*at);
        }
        let at = self.put(Name { key: fact.key.into(), row: fact.row.into(), labelled: fact.labelled })?;
        self.last.resize(self.last.len().max(nth + 1), 0);
        self.last[nth] = at;
        Some(at)
    }

    /// An empty one, in the room of the last.
    fn draft(&mut self) -> Draft {
        let mut draft = std::mem::take(&mut self.draft);
        draft.names.clear();
        draft.ends.clear();
        draft.text.clear();
        draft
    }

    fn share(&mut self, names: &[u32]) -> Arc<[u32]> {
        if *self.shared != *names {
            self.shared = names.into();
        }
        Arc::clone(&self.shared)
    }

    /// What a text says that has the form of one before; `None` where that cannot be told by its lines.
    fn again(&mut self, text: &str, lines: &[Line]) -> Option<Said> {
        let is_it = |form: &Form| {
            form.lines.len() == lines.len() && form.lines.iter().zip(lines).all(|(a, b)| *a == b.number())
        };
        // A line that is not known has to be one that says nothing.
        if lines.len() > FACTS_MAX || lines.iter().any(|line| line.look.is_none()) {
            return None;
        }
        if !self.forms.get(self.before).is_some_and(is_it) {
            let numbers: Vec<u32> = lines.iter().map(Line::number).collect();
            self.before = *self.by_lines.get(&*numbers)?;
        }
        let mut draft = self.draft();
        let form = &self.forms[self.before];
        let said = form.fill(text, lines, &self.all, &mut draft).map(|()| Said {
            names: Arc::clone(&form.names),
            ends: draft.ends.as_slice().into(),
            text: draft.text.as_str().into(),
        });
        self.draft = draft;
        said
    }

    /// Keeps the form of a text that says these names, if by its lines alone.
    fn remember(&mut self, names: &Arc<[u32]>, lines: &[Line]) {
        let looks = || lines.iter().filter_map(|line| line.look);
        let place = |(line, at): (usize, &Line)| {
            let [key, to, value, end] = at.look?.pair()?;
            Some(Pair { line, key: key..to, value: value..end })
        };
        if lines.len() > FACTS_MAX || looks().count() < lines.len() || !Look::are_alone(looks()) {
            return;
        }
        let places: Box<[Pair]> = lines.iter().enumerate().filter_map(place).collect();
        // Of some of them nothing is said, because of their digits or what stands around them.
        if places.len() != names.len() || places.len() >= FACTS_MAX {
            return;
        }
        let numbers: Box<[u32]> = lines.iter().map(Line::number).collect();
        let form = Form { lines: numbers.clone(), names: Arc::clone(names), places };
        // One with other digits in its keys gives way.
        if let Some(at) = self.by_lines.get(&numbers) {
            self.before = *at;
            self.forms[*at] = form;
            return;
        }
        if self.forms.len() >= FORMS {
            self.forms.clear();
            self.by_lines.clear();
        }
        self.before = self.forms.len();
        self.by_lines.insert(numbers, self.before);
        self.forms.push(form);
    }

    fn put(&mut self, name: Name) -> Option<u32> {
        if let Some(at) = self.known.get(&name) {
            return Some(*at);
        }
        let at = size(self.all.len());
        (self.all.len() < NAMES_MAX).then(|| {
            self.known.insert(name.clone(), at);
            self.all.push(name);
            at
        })
    }

    /// Where each name of the others stands among these; `before` says so of those that were there already.
    pub(super) fn learn(&mut self, others: &Names, mut before: Vec<Option<u32>>) -> Vec<Option<u32>> {
        before.extend(others.all[before.len()..].iter().map(|name| self.put(name.clone())).collect::<Vec<_>>());
        before
    }

    /// There is room for no other, so that it matters which came first.
    pub(super) fn are_full(&self) -> bool {
        self.all.len() >= NAMES_MAX
    }

    pub(super) fn all(&self) -> &[Name] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::Record;
    use super::*;
    use proptest::prelude::*;

    fn said(text: &str, lexicon: &mut Lexicon, names: &mut Names) -> Vec<(String, String)> {
        Record::of(text, "", lexicon);
        let said = Said::of(text, lexicon, names);
        said.facts().map(|(name, value)| (names.all()[name as usize].words(), value.to_owned())).collect()
    }

    #[test]
    fn a_text_of_too_many_kinds_of_line_says_all_that_it_says_whatever_was_read_before() {
        let letters = |n: usize| (0..4).map(|at| char::from(b'g' + (n >> (at * 4) & 15) as u8)).collect::<String>();
        let first = |memory: &str| "nothing to say\n".repeat(50) + memory;
        let rest = (0..2_500).map(|n| letters(n) + "\n").collect::<String>() + "Memory: 16 GB";
        let (mut lexicon, mut names) = (Lexicon::default(), Names::default());
        for text in ["nothing to say\n".repeat(39) + "nothing to say", first("") + &rest] {
            for _ in 0..4 {
                said(&text, &mut lexicon, &mut names);
            }
        }
        let told = [("Memory".to_owned(), "16 GB".to_owned())];
        assert_eq!(said(&(first("") + &rest), &mut lexicon, &mut names), told);
        let dash = "Memory: -\n".to_owned() + &first("") + &rest;
        for _ in 0..4 {
            assert_eq!(said(&dash, &mut lexicon, &mut names), told);
        }
    }

    proptest! {
        #[test]
        fn an_output_says_the_same_whatever_lines_with_other_digits_were_seen_before(
            text in "(Key[0-9]{0,2}|load average|up|a[0-9]|[0-9]{1,6}|[:=,]|: | = |  |\t|Mon |[0-9]{2}:[0-9]{2}|GB|%|\n){0,24}",
            add in 0..10usize,
        ) {
            // Each digit moves on its own, so that two keys that are one here are two there.
            let digit = |at: usize, c: char| char::from(b'0' + ((c as usize - '0' as usize + at * add) % 10) as u8);
            let other: String =
                text.chars().enumerate().map(|(at, c)| if c.is_ascii_digit() { digit(at, c) } else { c }).collect();
            let fresh = said(&text, &mut Lexicon::default(), &mut Names::default());
            let (mut lexicon, mut names) = (Lexicon::default(), Names::default());
            // Each line is known from the third time on, and then the form of the whole.
            for _ in 0..3 {
                said(&other, &mut lexicon, &mut names);
            }
            prop_assert_eq!(said(&text, &mut lexicon, &mut names), fresh);
        }

        #[test]
        fn an_output_says_the_same_whether_its_lines_were_seen_before_or_not(
            lines in proptest::collection::vec(
                prop_oneof![
                    Just("Key: value"), Just("a=1 b=2"), Just("load average: 0.1, 0.2, 0.3"), Just(""), Just("   "), Just("Name  Size"),
                    Just("----  ----"), Just("web   12"), Just("db    7"), Just("----------ERROR-------"), Just("Ünï: çödé  x"),
                    Just("Picked up OPTIONS: -Xmx512m"), Just("x = y"), Just("nothing to say"),
                ],
                0..12,
            ),
        ) {
            let text = lines.join("\n");
            let fresh = said(&text, &mut Lexicon::default(), &mut Names::default());
            let (mut lexicon, mut names) = (Lexicon::default(), Names::default());
            for line in &lines {
                // Twice, so that it is kept.
                Record::of(line, "", &mut lexicon);
                Record::of(line, "", &mut lexicon);
            }
            prop_assert_eq!(said(&text, &mut lexicon, &mut names), fresh.clone());
            prop_assert_eq!(said(&text, &mut lexicon, &mut names), fresh);
        }
    }
}
