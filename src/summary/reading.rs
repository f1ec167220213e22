//! Outputs -> what a summary needs of them, each read once.
//!
//! A run is summarised again and again while results arrive. What was read of an output is kept, so that only new ones are
//! read, and no text stays in memory. What a summary tells does not depend on what was read before.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use foldhash::fast::RandomState;

use crate::domain::Digest;
use crate::redact::normalise;

use super::ahead::{Ahead, Hand, ReadAhead};
use super::became::Became;
use super::cause::telling_line;
use super::explain::Known;
use super::group::{Chatter, UNITS};
use super::lines::{AlikeOf, Lexicon, Record, Renumbered, Template};
use super::mask::own;
use super::order::Orders;
use super::said::{Names, Said};
use super::sets::Printed;
use super::{Outputs, Threads};

/// Texts of fewer bytes than this are read by one thread: others would have to learn the same lines.
const ALONE: usize = 1 << 20;
/// Bytes of texts that are read before it is asked which of their lines have to be kept.
pub(super) const AT_ONCE: usize = 12 << 20;

/// Where outputs are read from, by several threads at once.
pub trait Source: Sync {
    type Error: Send;

    /// Of its text.
    fn bytes(&self, output: &Digest) -> usize;

    /// `None` where it is not to be had.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn text(&self, output: &Digest) -> Result<Option<Cow<'_, str>>, Self::Error>;
}

impl Source for Outputs {
    type Error = Infallible;

    fn bytes(&self, output: &Digest) -> usize {
        self.get(output).map_or(0, |text| text.len())
    }

    fn text(&self, output: &Digest) -> Result<Option<Cow<'_, str>>, Infallible> {
        Ok(self.get(output).map(|text| Cow::Borrowed(&**text)))
    }
}

/// What was read so far.
#[derive(Default)]
pub struct Reader {
    pub(super) threads: Threads,
    pub(super) lexicon: Lexicon,
    pub(super) names: Names,
    pub(super) known: Known,
    /// What was learnt of each share of the outputs.
    parts: Vec<Part>,
    /// Outputs were read ahead.
    is_ahead: bool,
    /// Templates of which lines are left out of long outputs, of whole ones and of cut ones.
    logs: [HashSet<Template>; 2],
    /// Outputs of which something was left out that counts after all.
    missed: HashSet<usize>,
    /// Outputs so long that lines may be left out of them, in all and since it was last seen to that.
    long: usize,
    unsettled: usize,
    /// The outputs that were asked for, and what was read of them, by number.
    pub(super) printed: Printed,
    readings: Vec<Option<Box<Reading>>>,
    /// The line that tells why it failed, by output.
    failures: HashMap<Digest, Failure, RandomState>,
}

/// What a node printed that succeeded.
pub struct Reading {
    pub(super) record: Record,
    pub(super) said: Said,
    /// There is something to see.
    pub(super) speaks: bool,
    /// There is not a byte.
    pub(super) empty: bool,
    /// By which hand it was read, if that was ahead; and whether nodes of several names printed it.
    hand: u32,
    several: bool,
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
    /// See [`Printed`].
    pub number: usize,
    pub output: Digest,
    pub cut: bool,
    /// The name of the only node that printed it; empty where there are more.
    pub own: &'a str,
}

impl Reader {
    /// Reads with so many threads at once. What it tells is the same with any number.
    #[must_use]
    pub fn with_threads(threads: Threads) -> Self {
        Reader { threads, ..Reader::default() }
    }

    /// By its number.
    pub(super) fn success(&self, output: usize) -> Option<&Reading> {
        self.readings.get(output)?.as_deref()
    }

    pub(super) fn success_of(&self, output: Digest, cut: bool) -> Option<&Reading> {
        self.success(self.printed.find(output, cut)?)
    }

    pub(super) fn failure(&self, output: Digest) -> Option<&Failure> {
        self.failures.get(&output)
    }

    /// What is kept of each output that succeeded.
    #[cfg(test)]
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.readings.iter().flatten().map(|reading| &reading.record)
    }

    /// Whether it is there, nothing of it is missed, and it was read with the right name in mind.
    pub(super) fn has_success<'a>(&self, output: usize, own: &dyn Fn() -> &'a str) -> bool {
        let named = |reading: &Reading| {
            // It may have been read with the name of another one in mind.
            let any = reading.own.is_empty() && !reading.several;
            any || *reading.own == *own()
        };
        self.success(output).is_some_and(named) && (self.missed.is_empty() || !self.missed.contains(&output))
    }

    pub(super) fn read_failure(&mut self, output: Digest, text: &str) {
        let failure = || Failure { telling: telling_line(text), speaks: !text.trim().is_empty() };
        self.failures.entry(output).or_insert_with(failure);
    }

    /// `bytes`: of all of them.
    pub(super) fn read_successes<S: Source>(
        &mut self,
        jobs: &[Job<'_>],
        bytes: usize,
        source: &S,
    ) -> Result<(), S::Error> {
        let threads = if bytes < ALONE { 1 } else { self.threads.count().clamp(1, jobs.len().max(1)) };
        self.parts.resize_with(self.parts.len().max(threads), Part::default);
        let mut parts = std::mem::take(&mut self.parts);
        let logs = &self.logs;
        let share = jobs.len().div_ceil(threads).max(1);
        let mut shares: Vec<_> = jobs.chunks(share).zip(&mut parts).collect();
        let read = self.threads.share_mut(&mut shares, 1, |_, shares| {
            shares.iter_mut().try_for_each(|(jobs, part)| part.read(jobs, source, logs))
        });
        let read = read.into_iter().collect::<Result<Vec<()>, S::Error>>();
        for (jobs, part) in shares {
            part.learn(&mut self.lexicon, &mut self.names);
            for (reading, job) in std::mem::take(&mut part.readings).into_iter().zip(jobs) {
                let Some(mut reading) = reading else { continue };
                part.follow(&mut reading);
                self.keep(job.number, reading);
            }
        }
        self.parts = parts;
        read.map(drop)
    }

    /// Takes over what was read ahead, and what was learnt by it. To be called before anything else is read.
    pub fn take_over(&mut self, ahead: Ahead, read: impl IntoIterator<Item = ReadAhead>) {
        let part = |hand: Hand| Part { hand, ..Part::default() };
        self.parts = ahead.into_hands().into_iter().map(part).collect();
        self.parts.iter_mut().for_each(|part| part.learn(&mut self.lexicon, &mut self.names));
        let read = read.into_iter();
        self.printed.make_room(read.size_hint().1.unwrap_or(0));
        let mut readings = Vec::with_capacity(read.size_hint().1.unwrap_or(0));
        for (output, mut reading) in read {
            if let Some(part) = self.parts.iter_mut().find(|part| part.hand.number == reading.hand) {
                part.follow(&mut reading);
            }
            readings.push((self.printed.number(output, false), reading));
        }
        self.make_room();
        readings.into_iter().for_each(|(output, reading)| self.keep(output, reading));
        self.is_ahead = true;
    }

    /// Whether it matters in which order the outputs were read, and they were read as they came.
    pub(super) fn depends_on_order(&self) -> bool {
        self.is_ahead && self.names.are_full()
    }

    /// Makes room for all that were asked for, at once: to move them to larger room again and again takes long.
    pub(super) fn make_room(&mut self) {
        self.readings.resize_with(self.printed.count(), || None);
    }

    fn keep(&mut self, output: usize, reading: Box<Reading>) {
        if !self.missed.is_empty() {
            self.missed.remove(&output);
        }
        if reading.record.is_long() {
            self.long += 1;
            self.unsettled += 1;
        }
        if let Some(place) = self.readings.get_mut(output) {
            *place = Some(reading);
        }
    }

    pub(super) fn holds_long_ones(&self) -> bool {
        self.long > 0
    }

    /// Whether so many long ones came that it is worth while to look at all of them.
    pub(super) fn is_to_settle(&self) -> bool {
        self.unsettled > 0 && self.unsettled * 4 >= self.long
    }

    /// Leaves lines of logs out of what was read of these outputs, puts the others in order, and notes of which something is
    /// missed.
    pub(super) fn settle(
        &mut self,
        outputs: impl Iterator<Item = usize>,
        cut: bool,
        chatter: &Chatter,
        orders: &Orders,
    ) {
        self.unsettled = 0;
        let logs = chatter.logs();
        let mut asked = vec![false; self.readings.len()];
        outputs.for_each(|output| asked.iter_mut().skip(output).take(1).for_each(|asked| *asked = true));
        let lexicon = &self.lexicon;
        let settle = |reading: &mut Reading, alike: &mut AlikeOf| {
            let misses = chatter.misses(&reading.record);
            if !misses {
                reading.record.leave_out(|template| logs.contains(&template), lexicon);
            }
            reading.record.put_in_order(orders, lexicon, alike);
            misses
        };
        let missing = self.threads.share_mut(&mut self.readings, UNITS, |from, readings| {
            let mut alike = AlikeOf::default();
            let those = (from..).zip(readings).filter(|(at, _)| asked[*at]);
            let those = those.filter_map(|(at, reading)| Some((at, reading.as_deref_mut()?)));
            those.filter_map(|(at, reading)| settle(reading, &mut alike).then_some(at)).collect::<Vec<_>>()
        });
        self.missed.extend(missing.into_iter().flatten());
        self.logs[usize::from(cut)] = logs;
    }
}

/// What was learnt of one share of the outputs, by whichever thread read it.
#[derive(Default)]
struct Part {
    hand: Hand,
    /// Of the jobs that it was given last.
    readings: Vec<Option<Box<Reading>>>,
    /// Where its templates and names stand among those of all.
    templates: Vec<Template>,
    named: Vec<Option<u32>>,
    /// Its numbers of them are those of all: outputs of one command teach every thread the same in the same order.
    same: bool,
    /// What was renumbered and renamed last.
    renumbered: Renumbered,
    renamed: Became<u32>,
}

impl Part {
    fn read<S: Source>(&mut self, jobs: &[Job<'_>], source: &S, logs: &[HashSet<Template>; 2]) -> Result<(), S::Error> {
        let Part { readings, hand: Hand { lexicon, names, .. }, templates, .. } = self;
        readings.reserve_exact(jobs.len());
        for job in jobs {
            let Some(text) = source.text(&job.output)? else {
                readings.push(None);
                continue;
            };
            let mut reading = Box::new(Reading::of(job, &text, lexicon, names));
            let logs = &logs[usize::from(job.cut)];
            let is_log = |own: Template| templates.get(own as usize).is_some_and(|template| logs.contains(template));
            reading.record.leave_out(is_log, lexicon);
            readings.push(Some(reading));
        }
        Ok(())
    }

    /// Teaches what it has learnt to all.
    fn learn(&mut self, lexicon: &mut Lexicon, names: &mut Names) {
        self.templates = lexicon.learn(&self.hand.lexicon, std::mem::take(&mut self.templates));
        self.named = names.learn(&self.hand.names, std::mem::take(&mut self.named));
        self.same = self.templates.iter().zip(0..).all(|(template, own)| *template == own)
            && self.named.iter().zip(0..).all(|(name, own)| *name == Some(own));
    }

    /// Makes of its templates and names those of all.
    fn follow(&mut self, reading: &mut Reading) {
        if !self.same {
            reading.record.renumber(&self.templates, &mut self.renumbered);
            reading.said.rename(&self.named, &mut self.renamed);
        }
    }
}

impl Reading {
    /// Another node printed it too.
    pub fn is_also_of_another(&mut self) {
        self.several = true;
    }

    fn of(job: &Job<'_>, output: &str, lexicon: &mut Lexicon, names: &mut Names) -> Self {
        let text = match normalise(output) {
            // A cut output ends within a line, and that part of a line cannot be compared.
            Cow::Borrowed(text) if job.cut => Cow::Borrowed(text.rsplit_once('\n').map_or(text, |(whole, _)| whole)),
            Cow::Owned(text) if job.cut => {
                Cow::Owned(text.rsplit_once('\n').map_or(text.as_str(), |(whole, _)| whole).to_owned())
            }
            text => text,
        };
        let own = own(job.own, &text);
        let record = Record::of(&text, own, lexicon);
        Reading { empty: output.is_empty(), ..Self::with(record, &text, own, 0, lexicon, names) }
    }

    /// Of the normalised text of an output that is not empty. The lexicon has looked up its lines last, and there are not too
    /// many of them.
    pub(super) fn of_found(text: &str, own: &str, hand: u32, lexicon: &mut Lexicon, names: &mut Names) -> Self {
        let record = Record::of_found(text, "", own, lexicon);
        Self::with(record, text, own, hand, lexicon, names)
    }

    /// What was seen of the lines of the record is known for what they say of the node.
    fn with(record: Record, text: &str, own: &str, hand: u32, lexicon: &mut Lexicon, names: &mut Names) -> Self {
        Reading {
            record,
            said: Said::of(text, lexicon, names),
            speaks: !text.trim().is_empty(),
            empty: false,
            hand,
            several: false,
            own: own.into(),
        }
    }
}
