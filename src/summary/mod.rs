//! outcomes -> [`Summary`]: equal outputs folded, failures by cause first, counts that add up.
//!
//! Outcome first, from what AWS reported and never from text. Then causes (`cause`) and outputs are folded:
//! byte-equal ones at once, the rest by shape (`mask`), with every value that few nodes share put back
//! (`group`). What sets the nodes of a finding apart beyond chance (`explain`) is told with honest shares (`describe`).
//! The result depends on the set of rows only, not on their order.

mod ahead;
mod became;
mod cause;
mod change;
mod describe;
mod explain;
mod facts;
mod group;
mod index;
mod lines;
mod mask;
mod measure;
mod names;
mod order;
mod reading;
mod said;
mod sets;
mod threads;
mod units;
mod values;
mod when;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{Counts, Digest, Millis, Outcome};
use crate::redact::{normalise, untagged};

pub use ahead::{Ahead, Hand, ReadAhead};
pub use change::{Change, Pair, changes};
use describe::Describer;
use group::{Chatter, Told};
pub use index::{Free, Index};
use lines::{Lexicon, Record};
use measure::Output;
pub use names::put_in_order_of_names;
use order::Orders;
use reading::{AT_ONCE, Job};
pub use reading::{Reader, Reading, Source};
use sets::{Set, Sets, one_name, together};
pub use threads::Threads;
use units::Units;

/// One target's end, as the summary sees it.
///
/// If a target stands in more than one row, the row that sorts last counts: an end before none, the worse end.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Index into the plan's targets.
    pub target: u32,
    /// `None`: it has not ended.
    pub outcome: Option<Outcome>,
    pub exit_code: Option<i32>,
    /// Why, in a fragment, where the outcome alone does not say (`AccessDenied: …`).
    pub cause: Option<Box<str>>,
    /// The step it ended in.
    pub step: Arc<str>,
    /// Key of its redacted output.
    pub output: Option<Digest>,
    /// The output was cut; it is never counted as equal to another.
    pub cut: bool,
    /// Key of the part that is listed of it, where it was read whole and others that list the same may not have been.
    pub listed: Option<Box<Digest>>,
    pub extracted: BTreeMap<String, String>,
    /// Expectations that were not met: name, wanted, found.
    pub unmet: Box<[(String, String, Option<String>)]>,
    /// What it is described by: `account` (its name), `region`, `platform`, the account's labels, tags as `tag:NAME`.
    pub attributes: Arc<BTreeMap<String, String>>,
    pub name: Arc<str>,
}

/// Redacted outputs by key.
pub type Outputs = BTreeMap<Digest, Arc<str>>;

#[derive(Debug, Clone, Default)]
pub struct Input {
    pub rows: Vec<Row>,
    /// Those at hand. A missing one that was not read before is told as missing.
    pub outputs: Outputs,
    /// The runbook says itself which values it extracts, so none are looked for in the outputs.
    pub extracts: bool,
    pub took: Option<Millis>,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub counts: Counts,
    /// Failures by cause first (largest first), then what was not reached, then what went well by equal output.
    pub findings: Vec<Finding>,
    /// One for each extracted name. Where the runbook extracts nothing, the few that its outputs hold and that set nodes
    /// apart.
    pub measures: Vec<Measure>,
    pub took: Option<Millis>,
}

/// Nodes that mean the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub outcome: Outcome,
    /// The cause, or the first telling line of the output.
    pub title: String,
    pub exit_code: Option<i32>,
    /// Indices into the plan's targets, ascending.
    pub targets: Vec<u32>,
    /// Redacted output of one of them.
    pub exemplar: Option<Digest>,
    /// Which line of the exemplar, as it is [`seen`], the title was made of; from 0.
    #[serde(default)]
    pub line: Option<u32>,
    /// "all byte-equal", as opposed to alike in shape.
    pub identical: bool,
    /// Kinds of line, as of a log, of which every node has another number: those do not set them apart.
    #[serde(default)]
    pub chatter: u32,
    /// The nodes described, such as `all in acme-eu (12 of its 12)`.
    pub described: String,
}

/// An extracted value over all nodes, or one that was found in their outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    pub name: String,
    pub shape: Shape,
    /// Nodes that have the value.
    pub nodes: u32,
    /// The runbook did not ask for it: it was found in the outputs, because it sets nodes apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Value to its nodes' indices, most frequent first.
    Categories(Vec<(String, Vec<u32>)>),
    /// As text, because a plan's numbers are never floats.
    Numbers {
        unit: String,
        min: String,
        median: String,
        p95: String,
        max: String,
        /// The highest values with their nodes, highest first.
        top: Vec<(String, u32)>,
        /// The lowest ones, lowest first, where it is they that tell.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        low: Vec<(String, u32)>,
    },
}

/// The title of many sets of one node each that are told as one finding.
pub const EACH_ITS_OWN: &str = "an output of its own on each node";

/// More sets of one node than this are told as one finding: nobody reads them one by one.
const SINGLES: usize = 12;

/// What a run came to, so far or in the end. `counts.total` is the number of different targets in the rows.
#[must_use]
pub fn summarise(input: &Input) -> Summary {
    Reader::default().summarise(input)
}

impl Reader {
    /// The same, where outputs that were read before need not be in `input.outputs`.
    #[must_use]
    pub fn summarise(&mut self, input: &Input) -> Summary {
        if !input.outputs.is_empty() {
            let Ok(summary) = self.summarise_from(input, &input.outputs);
            return summary;
        }
        let rows = distinct(&input.rows);
        let sets = Sets::of(&rows, &mut self.printed, self.threads);
        let chatter = self.settle_all(&sets);
        self.told(input, &rows, &sets, &chatter)
    }

    /// The same, where the outputs are read from elsewhere, each as soon as it is needed.
    ///
    /// # Errors
    /// Those of the source.
    pub fn summarise_from<S: Source>(&mut self, input: &Input, source: &S) -> Result<Summary, S::Error> {
        let rows = distinct(&input.rows);
        let sets = Sets::of(&rows, &mut self.printed, self.threads);
        let (mut before, mut settled) = (Vec::new(), None);
        loop {
            let read = self.read(&rows, &sets, source)?;
            // Only what long ones lack can be wanted once more, and what is wanted again after that is not to be had.
            if read.is_empty() || read == before || !self.holds_long_ones() {
                if self.depends_on_order() {
                    // All of it once more, in the order of the rows.
                    *self = Reader::with_threads(self.threads);
                    return self.summarise_from(input, source);
                }
                let settled = settled.filter(|_| read.is_empty());
                let chatter = settled.unwrap_or_else(|| self.settle_all(&sets));
                return Ok(self.told(input, &rows, &sets, &chatter));
            }
            settled = Some(self.settle_all(&sets));
            before = read;
        }
    }

    fn told(&mut self, input: &Input, rows: &[&Row], sets: &Sets, chatter: &[Chatter; 2]) -> Summary {
        let total = size(rows.len());
        let counts = Counts::of(total, rows.iter().filter_map(|r| r.outcome));
        let (mut drafts, measures) = self.threads.at_once(
            || {
                let mut drafts = fold_singles(unsuccessful(rows, sets, self));
                drafts.extend(fold_singles(successful(rows, sets, self, chatter)));
                drafts
            },
            || {
                let measures = measure::measures(rows);
                if !input.extracts && measures.is_empty() { found(rows, sets, self) } else { measures }
            },
        );
        drafts.sort_by(|a, b| a.rank().cmp(&b.rank()));
        if drafts.iter().any(|draft| Describer::needs(draft.rows.len(), rows.len())) {
            self.known.learn(rows);
        }
        let mut describer = Describer::new(rows, &self.known);
        let findings = drafts
            .into_iter()
            .map(|draft| {
                let exemplar = exemplar(rows, &draft, self);
                let line = draft.line.as_ref().and_then(|told| place(told, exemplar?, self));
                (draft, exemplar, line)
            })
            .map(|(draft, exemplar, line)| Finding {
                described: describer.describe(&draft.rows),
                exemplar,
                line,
                targets: draft.rows.iter().map(|&i| rows[i].target).collect(),
                outcome: draft.outcome,
                title: draft.title,
                exit_code: draft.exit_code,
                identical: draft.identical,
                chatter: draft.chatter,
            })
            .collect();
        Summary { counts, findings, measures, took: input.took }
    }

    /// The outputs that a summary of these rows needs and that were not read yet, in the order in which they are best read.
    /// Lines of logs are left out of what is kept, and which lines those are is known only once all is read: so there may be
    /// some that are needed once more. Where they are not to be had, what was read of them tells.
    #[must_use]
    pub fn wants(&mut self, rows: &[Row]) -> Vec<Digest> {
        let rows = distinct(rows);
        let sets = Sets::of(&rows, &mut self.printed, self.threads);
        let successes = self.wanted(&rows, &sets).map(|job| job.output);
        let mut seen = HashSet::new();
        successes.chain(self.wanted_of_failures(&rows, &sets)).filter(|output| seen.insert(*output)).collect()
    }

    fn wanted<'a>(&self, rows: &[&'a Row], sets: &Sets) -> impl Iterator<Item = Job<'a>> {
        sets.jobs(rows, &self.printed, |output, own| self.has_success(output, own))
    }

    fn wanted_of_failures(&self, rows: &[&Row], sets: &Sets) -> impl Iterator<Item = Digest> {
        let all = sets.failures.iter().flat_map(|(row, whole)| [*whole, rows[*row].output]).flatten();
        all.filter(|output| self.failure(*output).is_none())
    }

    /// Reads what is at hand of the outputs of these rows, so that a summary needs them no more.
    pub fn learn(&mut self, rows: &[Row], outputs: &Outputs) {
        let rows = distinct(rows);
        let sets = Sets::of(&rows, &mut self.printed, self.threads);
        let Ok(_) = self.read(&rows, &sets, outputs);
        if self.holds_long_ones() {
            self.settle_all(&sets);
        }
    }

    /// Reads what is at hand and was not read yet; says which those are that were not.
    fn read<S: Source>(&mut self, rows: &[&Row], sets: &Sets, source: &S) -> Result<Vec<Digest>, S::Error> {
        let failures: BTreeSet<Digest> = self.wanted_of_failures(rows, sets).collect();
        for output in &failures {
            if let Some(text) = source.text(output)? {
                self.read_failure(*output, &text);
            }
        }
        self.make_room();
        let jobs: Vec<Job<'_>> = self.wanted(rows, sets).collect();
        let mut rest = jobs.as_slice();
        while !rest.is_empty() {
            let (mut some, mut bytes) = (0, 0);
            while some < rest.len() && bytes < AT_ONCE {
                bytes += source.bytes(&rest[some].output);
                some += 1;
            }
            self.read_successes(&rest[..some], bytes, source)?;
            rest = &rest[some..];
            if self.is_to_settle() {
                self.settle_all(sets);
            }
        }
        Ok(failures.into_iter().chain(jobs.iter().map(|job| job.output)).collect())
    }

    /// Which lines are of logs, among whole outputs and among cut ones; and leaves them out of what is kept.
    fn settle_all(&mut self, sets: &Sets) -> [Chatter; 2] {
        [false, true].map(|cut| {
            let sets_of = || sets.successes.iter().filter(|set| set.cut == cut);
            let read = |set: &Set| Some((self.success(set.output()?)?, sets.rows(set)));
            let speaking = sets_of().filter_map(read).filter(|(reading, _)| reading.speaks);
            let units: Units<'_> =
                speaking.map(|(reading, rows)| (&reading.record, size(rows.len()), rows[0])).collect();
            let chatter = Chatter::of(&self.lexicon, &units, self.threads);
            let orders = Orders::of(&self.lexicon, &units, self.threads, |template| chatter.holds(template));
            self.settle(sets_of().filter_map(Set::output), cut, &chatter, &orders);
            chatter
        })
    }
}

/// Its lines, without their ends.
fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]);
    ends.map(move |end| {
        let line = &text[from..end];
        from = end + 1;
        line
    })
}

/// What the outputs of the successful nodes hold by themselves, each different output read once.
fn found(rows: &[&Row], sets: &Sets, reader: &Reader) -> Vec<Measure> {
    // By number: what was read one after the other stands together in memory.
    let reading = |number: u32| reader.success(number as usize);
    let printed = sets.printed.iter().map(|output| output.filter(|number| reading(*number).is_some()));
    let (nodes, targets) = together(printed.zip(rows.iter().map(|row| row.target)), reader.printed.count());
    let read = (0..).zip(nodes).filter_map(|(number, nodes)| Some((reading(number)?, nodes)));
    let read = read.filter(|(_, nodes)| !nodes.is_empty());
    let outputs: Vec<Output<'_>> = read.map(|(reading, nodes)| Output { said: &reading.said, nodes }).collect();
    measure::found(&outputs, &targets, reader.names.all(), reader.threads)
}

/// An output as a person would have seen it on a terminal: without colours, redrawn lines and invisible characters.
#[must_use]
pub fn seen(output: &str) -> Cow<'_, str> {
    normalise(output)
}

/// Of nodes, lines and bytes of a line; nothing that is kept of a run has more than `u32` counts.
fn size(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// One row for each target, by target.
fn distinct(rows: &[Row]) -> Vec<&Row> {
    let mut by_target: Vec<&Row> = rows.iter().collect();
    if rows.is_sorted_by(|a, b| a.target < b.target) {
        return by_target;
    }
    by_target.sort_by(|a, b| a.target.cmp(&b.target).then_with(|| b.cmp(a)));
    by_target.dedup_by_key(|r| r.target);
    by_target
}

/// A finding in the making: `rows` are ascending indices into the rows.
struct Draft {
    outcome: Outcome,
    title: String,
    exit_code: Option<i32>,
    rows: Vec<usize>,
    identical: bool,
    chatter: u32,
    /// The line that the title was made of.
    line: Option<Told>,
}

impl Draft {
    /// The order in which people want to read: what failed, what was not reached, what did not start, what went well.
    fn rank(&self) -> impl Ord {
        let severity = match self.outcome {
            Outcome::Failed | Outcome::TimedOut => 0,
            Outcome::Undeliverable | Outcome::Denied | Outcome::Unknown => 1,
            Outcome::Cancelled | Outcome::NotStarted(_) => 2,
            Outcome::Succeeded => 3,
        };
        let count = std::cmp::Reverse(self.rows.len());
        // The mark of a secret is another one in each run.
        (severity, count, untagged(&self.title), self.outcome, self.exit_code, self.rows.first())
    }
}

/// What did not succeed, by outcome, exit code and cause.
fn unsuccessful(rows: &[&Row], sets: &Sets, reader: &Reader) -> Vec<Draft> {
    let mut causes: BTreeMap<(Outcome, Option<i32>), BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for (i, whole) in &sets.failures {
        let row = rows[*i];
        let Some(outcome) = row.outcome else { continue };
        let line = whole.or(row.output).and_then(|key| reader.failure(key)?.telling.as_deref());
        let cause = cause::cause(row, outcome, line);
        causes.entry((outcome, row.exit_code)).or_default().entry(cause).or_default().push(*i);
    }
    let mut drafts = Vec::new();
    for ((outcome, exit_code), by_cause) in causes {
        let sets: Vec<(String, Vec<usize>)> = by_cause.into_iter().collect();
        let mut lexicon = Lexicon::default();
        let records: Vec<Record> =
            sets.iter().map(|(text, set)| Record::of(text, one_name(rows, set), &mut lexicon)).collect();
        let units: Units<'_> =
            records.iter().zip(&sets).map(|(record, (_, set))| (record, size(set.len()), set[0])).collect();
        let threads = Threads::default();
        for group in group::group(&lexicon, &Chatter::of(&lexicon, &units, threads), &units, threads) {
            let mut members: Vec<usize> = group.units.iter().flat_map(|&u| sets[u].1.iter().copied()).collect();
            members.sort_unstable();
            let identical = same_output(rows, &members);
            let title = group.lines.into_iter().next().map(|line| line.words).unwrap_or_default();
            drafts.push(Draft { outcome, title, exit_code, rows: members, identical, chatter: 0, line: None });
        }
    }
    drafts
}

/// What succeeded, by output.
fn successful(rows: &[&Row], sets: &Sets, reader: &Reader, chatter: &[Chatter; 2]) -> Vec<Draft> {
    let mut found: Vec<(Draft, Vec<Told>)> = Vec::new();
    for cut in [false, true] {
        // Nodes that printed nothing are alike, whether there is an empty output or none.
        let mut silent: Vec<(&Set, Option<&Reading>)> = Vec::new();
        let mut read: Vec<(&Record, &[usize])> = Vec::new();
        for set in sets.successes.iter().filter(|set| set.cut == cut) {
            match set.output().map(|output| reader.success(output)) {
                Some(None) => {
                    let lines = vec![Told::note("its output is no longer kept")];
                    found.push((draft(rows, sets.rows(set).to_vec(), !cut), lines));
                }
                Some(Some(reading)) if reading.speaks => read.push((&reading.record, sets.rows(set))),
                reading => silent.push((set, reading.flatten())),
            }
        }
        if !silent.is_empty() {
            // White space is not seen, and is not the same as nothing.
            let empty = |(_, reading): &(&Set, Option<&Reading>)| reading.is_none_or(|reading| reading.empty);
            let identical = !cut && (silent.len() == 1 || silent.iter().all(empty));
            let mut members: Vec<usize> = silent.iter().flat_map(|(set, _)| sets.rows(set).iter().copied()).collect();
            members.sort_unstable();
            found.push((draft(rows, members, identical), Vec::new()));
        }
        let units: Units<'_> = read.iter().map(|(record, set)| (*record, size(set.len()), set[0])).collect();
        for group in group::group(&reader.lexicon, &chatter[usize::from(cut)], &units, reader.threads) {
            // Cut outputs may differ in what is missing.
            let identical = group.units.len() == 1 && !cut;
            let mut members: Vec<usize> = group.units.iter().flat_map(|&u| read[u].1.iter().copied()).collect();
            members.sort_unstable();
            found.push((Draft { chatter: group.chatter, ..draft(rows, members, identical) }, group.lines));
        }
    }
    found.sort_by_key(|(draft, _)| draft.rows.first().copied());
    title_by_difference(found, rows)
}

fn draft(rows: &[&Row], members: Vec<usize>, identical: bool) -> Draft {
    let exit_code = common(members.iter().map(|&i| rows[i].exit_code));
    let (outcome, title) = (Outcome::Succeeded, String::new());
    Draft { outcome, title, exit_code, rows: members, identical, chatter: 0, line: None }
}

/// The exit code that all of them have.
fn common(mut codes: impl Iterator<Item = Option<i32>>) -> Option<i32> {
    let first = codes.next()??;
    codes.all(|c| c == Some(first)).then_some(first)
}

fn same_output(rows: &[&Row], members: &[usize]) -> bool {
    let first = rows[members[0]].output;
    members.iter().all(|&i| rows[i].output == first && !rows[i].cut)
}

/// The title of a set is the line that sets it apart: of those that not every set has, the first one of a kind that the
/// fewest have, and then with values that the fewest have. So an error stands before a version that many have too; and where
/// sets were told apart by a value, its line is one of a kind of its own.
fn title_by_difference(found: Vec<(Draft, Vec<Told>)>, rows: &[&Row]) -> Vec<Draft> {
    let useful = |line: &&Told| line.words.chars().any(char::is_alphanumeric);
    let sets = found.len();
    let same = held(&found, |line| &line.same);
    let shapes = held(&found, |line| &line.shape);
    let of = |held: &HashMap<String, usize>, text: &str| held.get(text).copied().unwrap_or(sets);
    found
        .into_iter()
        .map(|(mut draft, lines)| {
            let apart = lines.iter().filter(useful).filter(|line| of(&same, &line.same) < sets);
            let apart = apart.min_by_key(|line| {
                let (kind, values) = (of(&shapes, &line.shape), of(&same, &line.same));
                (if line.splits { kind.min(values) } else { kind }, kind, values)
            });
            let line = apart.or_else(|| first_telling(&lines));
            draft.title = line.map_or("no output", |line| &line.words).trim().to_owned();
            draft.line = line.cloned();
            if draft.rows.iter().any(|&i| rows[i].cut) {
                draft.title.push_str(" (output cut)");
            }
            draft
        })
        .collect()
}

/// How many sets have a line that is the same by `of`.
fn held(found: &[(Draft, Vec<Told>)], of: fn(&Told) -> &String) -> HashMap<String, usize> {
    let mut held: HashMap<String, usize> = HashMap::new();
    for (_, lines) in found {
        for line in lines.iter().map(of).collect::<BTreeSet<_>>() {
            *held.entry(line.clone()).or_default() += 1;
        }
    }
    held
}

/// The first line with words, or the one below it where the first only names the columns of a table.
fn first_telling(lines: &[Told]) -> Option<&Told> {
    let mut useful = lines.iter().filter(|line| line.words.chars().any(char::is_alphanumeric));
    let numbers = |line: &str| line.split(' ').filter(|word| word.contains(|c: char| c.is_ascii_digit())).count();
    let first = useful.next()?;
    let heading = numbers(&first.words) == 0 && first.words.split(' ').count() >= 3;
    Some(useful.next().filter(|next| heading && numbers(&next.words) >= 2).unwrap_or(first))
}

/// Puts sets of one node together, by outcome, where there are too many to read.
fn fold_singles(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut singles: BTreeMap<Outcome, Vec<Draft>> = BTreeMap::new();
    let (mut kept, mut loud) = (Vec::new(), 0);
    for draft in drafts {
        // What sounds like an error is told by itself, while there is room.
        let bad = draft.outcome == Outcome::Succeeded && cause::sounds_bad(&draft.title);
        if draft.rows.len() == 1 && bad && loud < SINGLES {
            loud += 1;
            kept.push(draft);
        } else if draft.rows.len() == 1 {
            singles.entry(draft.outcome).or_default().push(draft);
        } else {
            kept.push(draft);
        }
    }
    for (outcome, drafts) in singles {
        if drafts.len() <= SINGLES {
            kept.extend(drafts);
            continue;
        }
        let exit_code = common(drafts.iter().map(|d| d.exit_code));
        let mut rows: Vec<usize> = drafts.into_iter().flat_map(|d| d.rows).collect();
        rows.sort_unstable();
        let title = if outcome == Outcome::Succeeded {
            EACH_ITS_OWN.to_owned()
        } else {
            "a cause of its own on each node".to_owned()
        };
        kept.push(Draft { outcome, title, exit_code, rows, identical: false, chatter: 0, line: None });
    }
    kept
}

/// The output of the first node that has one worth showing.
fn exemplar(rows: &[&Row], draft: &Draft, reader: &Reader) -> Option<Digest> {
    // The most of it that there is.
    let read_whole = |whole: bool| draft.rows.iter().filter(move |i| rows[**i].listed.is_some() == whole);
    let keys = || read_whole(true).chain(read_whole(false)).filter_map(|&i| Some((rows[i].output?, rows[i].cut)));
    let speaks = |(key, cut): &(Digest, bool)| match draft.outcome {
        Outcome::Succeeded => reader.success_of(*key, *cut).is_some_and(|reading| reading.speaks),
        _ => reader.failure(*key).is_some_and(|failure| failure.speaks),
    };
    keys().find(speaks).or_else(|| keys().next()).map(|(key, _)| key)
}

/// The line of the exemplar that a title was made of.
fn place(told: &Told, exemplar: Digest, reader: &Reader) -> Option<u32> {
    let reading = reader.success_of(exemplar, false).or_else(|| reader.success_of(exemplar, true))?;
    let those = reading.record.sorted.iter().filter(|at| reader.lexicon.shape(at.template) == told.shape);
    those.map(|at| at.line).nth(told.nth as usize)
}

#[cfg(test)]
mod tests;
