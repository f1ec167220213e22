//! Outputs -> what a summary needs of them, each read once.
//!
//! A run is summarised again and again while results arrive. What was read of an output is kept, so that only new ones are
//! read, and no text stays in memory. What a summary tells does not depend on what was read before.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::domain::Digest;
use crate::redact::{normalise, streams};

use super::cause::telling_line;
use super::explain::Known;
use super::facts::{Fact, facts};
use super::lines::{Lexicon, Record};
use super::size;

/// Texts of fewer bytes than this are read by one thread: starting another takes longer.
const ALONE: usize = 1 << 20;

/// What was read so far.
#[derive(Default)]
pub struct Reader {
    /// That read at once; none means one.
    threads: usize,
    pub(super) lexicon: Lexicon,
    pub(super) names: Names,
    pub(super) known: Known,
    /// By output, and whether the end of it was left out.
    successes: HashMap<(Digest, bool), Reading>,
    /// The line that tells why it failed, by output.
    failures: HashMap<Digest, Failure>,
}

/// What a node printed that succeeded.
pub(super) struct Reading {
    pub record: Record,
    pub said: Said,
    /// There is something to see.
    pub speaks: bool,
    /// There is not a byte.
    pub empty: bool,
    /// The name with which it was read, where that stands in it.
    own: Box<str>,
}

/// What a node printed that did not succeed.
pub(super) struct Failure {
    pub telling: Option<String>,
    pub speaks: bool,
}

/// One output to be read.
pub(super) struct Job<'a> {
    pub output: Digest,
    pub cut: bool,
    /// The name of the only node that printed it; empty where there are more.
    pub own: &'a str,
    pub text: &'a str,
}

impl Reader {
    /// Reads with so many threads at once. What it tells is the same with any number.
    #[must_use]
    pub fn with_threads(threads: usize) -> Self {
        Reader { threads, ..Reader::default() }
    }

    pub(super) fn success(&self, output: Digest, cut: bool) -> Option<&Reading> {
        self.successes.get(&(output, cut))
    }

    pub(super) fn failure(&self, output: Digest) -> Option<&Failure> {
        self.failures.get(&output)
    }

    /// Whether it is there and was read with the right name in mind.
    pub(super) fn has_success(&self, output: Digest, cut: bool, own: &str) -> bool {
        self.success(output, cut).is_some_and(|reading| reading.own.is_empty() || *reading.own == *own)
    }

    pub(super) fn read_failure(&mut self, output: Digest, text: &str) {
        let failure = || Failure { telling: telling_line(text), speaks: !text.trim().is_empty() };
        self.failures.entry(output).or_insert_with(failure);
    }

    pub(super) fn read_successes(&mut self, jobs: &[Job<'_>]) {
        let bytes: usize = jobs.iter().map(|job| job.text.len()).sum();
        let threads = if bytes < ALONE { 1 } else { self.threads.clamp(1, jobs.len().max(1)) };
        if threads == 1 {
            for job in jobs {
                let reading = Reading::of(job, &mut self.lexicon, &mut self.names);
                self.successes.insert((job.output, job.cut), reading);
            }
            return;
        }
        let parts: Vec<(Lexicon, Names, Vec<Reading>)> = std::thread::scope(|scope| {
            let read = |jobs: &[Job<'_>]| {
                let (mut lexicon, mut names) = (Lexicon::default(), Names::default());
                let readings = jobs.iter().map(|job| Reading::of(job, &mut lexicon, &mut names)).collect();
                (lexicon, names, readings)
            };
            let parts = jobs.chunks(jobs.len().div_ceil(threads)).map(|part| scope.spawn(move || read(part)));
            let parts: Vec<_> = parts.collect();
            // A panic in a thread is a fault in this one too.
            parts.into_iter().map(|part| part.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault))).collect()
        });
        let readings = parts.into_iter().flat_map(|(lexicon, names, mut readings)| {
            let (templates, names) = (self.lexicon.learn(&lexicon), self.names.learn(names));
            for reading in &mut readings {
                reading.record.renumber(&templates);
                reading.said.rename(&names);
            }
            readings
        });
        self.successes.extend(jobs.iter().map(|job| (job.output, job.cut)).zip(readings));
    }
}

impl Reading {
    fn of(job: &Job<'_>, lexicon: &mut Lexicon, names: &mut Names) -> Self {
        let text = match normalise(job.text) {
            // A cut output ends within a line, and that part of a line cannot be compared.
            Cow::Borrowed(text) if job.cut => Cow::Borrowed(text.rsplit_once('\n').map_or(text, |(whole, _)| whole)),
            Cow::Owned(text) if job.cut => {
                Cow::Owned(text.rsplit_once('\n').map_or(text.as_str(), |(whole, _)| whole).to_owned())
            }
            text => text,
        };
        let own = if job.own.is_empty() || !text.contains(job.own) { "" } else { job.own };
        let mut record = Record::of(&text, own, lexicon);
        record.shrink();
        Reading {
            record,
            said: Said::of(streams(&text).0, names),
            speaks: !text.trim().is_empty(),
            empty: job.text.is_empty(),
            own: own.into(),
        }
    }
}

/// What an output says of its node: names with values.
#[derive(Default)]
pub(super) struct Said {
    facts: Vec<Named>,
    text: String,
}

#[derive(Clone, Copy)]
struct Named {
    name: u32,
    from: u32,
    to: u32,
}

impl Said {
    fn of(text: &str, names: &mut Names) -> Self {
        let mut said = Said::default();
        for (nth, fact) in facts(text).into_iter().enumerate() {
            let Some(name) = names.of(&fact, nth) else { continue };
            let from = size(said.text.len());
            said.text.push_str(fact.value);
            said.facts.push(Named { name, from, to: size(said.text.len()) });
        }
        said.facts.shrink_to_fit();
        said.text.shrink_to_fit();
        said
    }

    fn rename(&mut self, names: &[Option<u32>]) {
        self.facts.retain_mut(|fact| {
            let name = names[fact.name as usize];
            fact.name = name.unwrap_or_default();
            name.is_some()
        });
    }

    /// Names and their values, in the order of the output.
    pub(super) fn facts(&self) -> impl Iterator<Item = (u32, &str)> {
        self.facts.iter().map(|fact| (fact.name, &self.text[fact.from as usize..fact.to as usize]))
    }
}

/// Different names that are followed; one that many nodes share is among the first ones.
const NAMES_MAX: usize = 20_000;

/// Every name that has a value somewhere.
#[derive(Default)]
pub(super) struct Names {
    all: Vec<Name>,
    known: HashMap<Name, u32>,
    /// The names of the output before, in its order: outputs of one command have the same ones.
    last: Vec<u32>,
}

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

    /// Where each name of the others stands among these.
    fn learn(&mut self, others: Names) -> Vec<Option<u32>> {
        others.all.into_iter().map(|name| self.put(name)).collect()
    }

    pub(super) fn all(&self) -> &[Name] {
        &self.all
    }
}
