//! What a run came to: the findings in the thread, long outputs as a file, and the reply that tells the requester.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Digest, Outcome};
use crate::run::{Phase, PostKey, Run};
use crate::summary::{EACH_ITS_OWN, Finding, Measure, Shape, Summary};

use super::blast::account_name;
use super::root::ended;
use super::rows::{is_cut, output_key, printed};
use super::verdict::{self, headline};
use super::words::{Line, count, cut, duration, lines, list, nodes, number, say, size, were};
use super::{Block, Card, Limits, Span, Tone, View};

/// Gives a redacted output by its key; `None` if it was pruned.
pub type Lookup<'a> = &'a dyn Fn(&Digest) -> Option<Arc<str>>;

/// Findings told one by one; the rest is told as a number, so that the counts still add up.
const FINDINGS: usize = 10;
/// Findings whose output is shown: failures first, since they come first.
const SHOWN: usize = 4;
/// Lines shown of one output.
const LINES: usize = 20;
/// Categories of a measure that are told.
const CATEGORIES: usize = 8;
/// Bytes of a file: enough for 400 whole outputs, small enough to be opened on a phone.
const FILE_MAX: usize = 1_000_000;
/// Of an output that does not fit, less than this is not worth showing.
const PART_MIN: usize = 10_000;

/// The findings, failures by cause first, with an output of each of the first few.
#[must_use]
pub fn results(run: &Run, summary: &Summary, lookup: Lookup<'_>, view: &View) -> Card {
    let plan = &run.proposal.plan;
    let mut blocks = Vec::new();
    let in_file = needs_file(run, summary, lookup);
    for (finding, shown) in summary.findings.iter().zip(excerpts(run, summary, lookup)).take(FINDINGS) {
        blocks.push(Block::Text(told(finding, summary.counts.total)));
        if let Shown::Excerpt(excerpt) = shown {
            blocks.push(Block::Code(excerpt.with_note(in_file)));
        }
    }
    if let Some(rest) = summary.findings.get(FINDINGS..).filter(|rest| !rest.is_empty()) {
        let targets: usize = rest.iter().map(|f| f.targets.len()).sum();
        blocks
            .push(say(format!("… and {} on {}", count(size(rest.len()), "more finding"), nodes(size(targets)))).text());
    }
    if summary.findings.is_empty() {
        blocks.push(say("Nothing has ended yet.").text());
    }
    blocks.extend(super::back::told(run, lookup));
    blocks.extend(super::plan::not_reached(plan));
    let mut measures: Vec<Line> = summary.measures.iter().map(|m| measure(run, m, summary.counts.total)).collect();
    if summary.measures.iter().any(|m| m.found) {
        measures.insert(0, say("Read from the outputs, because some nodes differ:"));
    }
    if !measures.is_empty() {
        blocks.push(Block::Text(lines(measures)));
    }
    let mut small = vec![view.short.clone()];
    small.extend(summary.took.map(|took| format!("took {}", duration(took))));
    small.retain(|s| !s.is_empty());
    if !small.is_empty() {
        blocks.push(say(small.join(" · ")).note());
    }
    let (tone, title) = verdict::outcome(run, summary);
    Card { tone, title, blocks, buttons: Vec::new() }
}

/// `2 failed` what and where.
pub(super) fn told(finding: &Finding, total: u32) -> Vec<Span> {
    let n = size(finding.targets.len());
    let head = match finding.outcome {
        Outcome::NotStarted(_) => format!("{} not started", number(n)),
        other => format!("{} {}", number(n), other.as_str()),
    };
    let mut line = Line::default().bold(head).plain(": ");
    line = if finding.outcome == Outcome::Succeeded {
        match (finding.title.as_str(), finding.identical, n) {
            (title @ ("no output" | EACH_ITS_OWN), ..) => line.plain(title),
            (title, true, 2..) => line.code(title).plain(", same output on each"),
            (title, false, 2..) if finding.chatter > 0 => line.code(title).plain(format!(
                ", alike but for numbers, times, ids, order and how often {} of line come",
                count(finding.chatter, "kind")
            )),
            (title, false, 2..) => line.code(title).plain(", alike but for numbers, times, ids or order"),
            (title, ..) => line.code(title),
        }
    } else if finding.outcome != Outcome::Failed || finding.title.contains('`') {
        // Our own words, or those of AWS.
        line.prose(&finding.title)
    } else {
        line.code(&finding.title)
    };
    if let Some(code) = finding.exit_code.filter(|c| *c != 0 && !finding.title.starts_with("exit code ")) {
        line = line.plain(format!(" (exit code {code})"));
    }
    if n < total {
        line = line.plain("\n").plain(&finding.described);
    }
    line.spans()
}

/// What a card shows of a finding's output.
enum Shown {
    /// There is nothing to show, or the title says it all.
    Nothing,
    Excerpt(Excerpt),
    /// It has an output, and the card has no room for it.
    NoRoom,
}

/// For each finding what is shown of its output: the first few that have one, failures first.
fn excerpts(run: &Run, summary: &Summary, lookup: Lookup<'_>) -> Vec<Shown> {
    let mut room = SHOWN;
    let mut show = |(i, finding): (usize, &Finding)| match excerpt(run, finding, lookup) {
        None => Shown::Nothing,
        Some(e) if i < FINDINGS && e.whole() && e.text.trim() == finding.title => Shown::Nothing,
        Some(_) if i >= FINDINGS || room == 0 => Shown::NoRoom,
        Some(e) => {
            room -= 1;
            Shown::Excerpt(e)
        }
    };
    summary.findings.iter().enumerate().map(&mut show).collect()
}

struct Excerpt {
    text: String,
    /// Lines that are not shown.
    hidden: u32,
    cut_lines: bool,
    /// The hidden lines stand before the shown ones.
    from_end: bool,
}

impl Excerpt {
    fn whole(&self) -> bool {
        self.hidden == 0 && !self.cut_lines
    }
    fn with_note(self, in_file: bool) -> String {
        match (self.hidden, self.cut_lines) {
            (0, false) => self.text,
            (0, true) => {
                format!("{}\n… long lines are cut{}", self.text, if in_file { ", whole in the file" } else { "" })
            }
            (n, _) => {
                let place = if in_file { "in the file" } else { "not shown" };
                let note = format!("… {} {place}", count(n, "more line"));
                if self.from_end { format!("{note}\n{}", self.text) } else { format!("{}\n{note}", self.text) }
            }
        }
    }
}

/// The end of a failed output, where the cause is told, or the beginning of a good one; the rest is counted.
fn excerpt(run: &Run, finding: &Finding, lookup: Lookup<'_>) -> Option<Excerpt> {
    let exemplar = finding.exemplar?;
    let states = finding.targets.iter().filter_map(|t| run.targets.get(*t as usize));
    let text = printed(&run.proposal.plan, states.into_iter().find(|s| output_key(s) == Some(exemplar))?, lookup)?;
    let from_end = finding.outcome != Outcome::Succeeded;
    if text.trim().is_empty() {
        return None;
    }
    let mut cut_lines = false;
    let mut shown: Vec<String> = Vec::new();
    // So that those shown take about half of the card.
    let mut room = Limits::of(run.proposal.place.platform).total * 2 / 15;
    let all = text.lines().count();
    let order: Vec<&str> =
        if from_end { text.lines().rev().take(LINES).collect() } else { text.lines().take(LINES).collect() };
    for line in order {
        let short = if line.chars().count() > 200 {
            cut_lines = true;
            line.chars().take(199).chain(['…']).collect()
        } else {
            line.to_owned()
        };
        let length = short.chars().count() + 1;
        if length > room {
            break;
        }
        room -= length;
        shown.push(short);
    }
    if from_end {
        shown.reverse();
    }
    let hidden = size(all.saturating_sub(shown.len()));
    Some(Excerpt { text: shown.join("\n"), hidden, cut_lines, from_end })
}

/// `Use%: median 46, 95 % of the nodes at most 71, highest 97 (db-14), …`.
pub(super) fn measure(run: &Run, measure: &Measure, total: u32) -> Line {
    let on = if measure.nodes == total {
        String::new()
    } else {
        format!(" on {} of {}", number(measure.nodes), nodes(total))
    };
    let line = Line::default().bold(&measure.name).plain(format!("{on}: "));
    let name = |target: u32| run.proposal.plan.targets.get(target as usize).map_or("?", |t| t.name.as_str());
    match &measure.shape {
        Shape::Categories(sets) => {
            let told: Vec<String> = sets
                .iter()
                .take(CATEGORIES)
                .map(|(value, set)| format!("{} on {}", cut(value, 60), number(size(set.len()))))
                .collect();
            let rest: usize = sets.iter().skip(CATEGORIES).map(|(_, set)| set.len()).sum();
            let more = if rest > 0 { format!(", other values on {}", number(size(rest))) } else { String::new() };
            line.plain(told.join(", ")).plain(more)
        }
        Shape::Numbers { unit, min, median, p95, max, top, low } => {
            let spread = if min == max {
                format!("{max}{unit}")
            } else {
                format!("median {median}{unit}, 95 % of them at most {p95}{unit}, from {min}{unit} to {max}{unit}")
            };
            let (word, ends) = if low.is_empty() { ("highest", top) } else { ("lowest", low) };
            let told: Vec<String> =
                ends.iter().map(|(value, target)| format!("{} {value}{unit}", name(*target))).collect();
            let ends =
                if min == max || measure.nodes < 2 { String::new() } else { format!("\n{word}: {}", told.join(", ")) };
            line.plain(spread).plain(ends)
        }
    }
}

/// A file for the thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// `r-7f3k-disk-usage.txt`.
    pub name: String,
    pub title: String,
    pub content: String,
}

/// The card does not show all there is.
fn needs_file(run: &Run, summary: &Summary, lookup: Lookup<'_>) -> bool {
    let shown = excerpts(run, summary, lookup);
    summary.findings.iter().zip(shown).any(|(finding, shown)| {
        let several = || {
            let outputs = by_output(run, finding);
            outputs.len() > 1 && outputs.values().any(|set| !text_of(run, set, lookup).trim().is_empty())
        };
        match shown {
            Shown::NoRoom => true,
            Shown::Nothing => several(),
            Shown::Excerpt(excerpt) => !excerpt.whole() || several(),
        }
    })
}

/// Every output, folded, each with its nodes; `None` if the card shows all there is.
#[must_use]
pub fn output_file(run: &Run, summary: &Summary, lookup: Lookup<'_>, view: &View) -> Option<OutputFile> {
    if !needs_file(run, summary, lookup) {
        return None;
    }
    let plan = &run.proposal.plan;
    let mut content = format!("{}\n{}\n", headline(plan.runbook.as_str(), summary), run.proposal.request);
    let mut left_out = 0u32;
    for finding in &summary.findings {
        for set in by_output(run, finding).into_values() {
            let text = text_of(run, &set, lookup);
            let room = FILE_MAX.saturating_sub(content.len());
            if text.len() > room && room < PART_MIN {
                left_out += size(set.len());
                continue;
            }
            let part = &text[..text.floor_char_boundary(room)];
            let names: Vec<String> = set.iter().map(|t| target_name(run, *t)).collect();
            let cut = set.iter().any(|t| run.targets.get(*t as usize).is_some_and(is_cut));
            content.push_str(&format!(
                "\n===== {} {}{}: {} =====\n",
                nodes(size(set.len())),
                finding.outcome.as_str(),
                if cut { ", output cut" } else { "" },
                names.join(", ")
            ));
            content.push_str(if text.trim().is_empty() { "(no output)" } else { part });
            content.push('\n');
            if part.len() < text.len() {
                let rest = text.len() - part.len();
                content
                    .push_str(&format!("===== {rest} more bytes left out, because the file would be too long =====\n"));
            }
        }
    }
    if left_out > 0 {
        let told = format!("{} {} left out, because the file would be too long", nodes(left_out), were(left_out));
        content.push_str(&format!("\n===== outputs of {told} =====\n"));
    }
    let run_name = if view.short.is_empty() { run.id.to_string() } else { view.short.clone() };
    Some(OutputFile {
        name: format!("{}-{}.txt", run_name.to_lowercase(), plan.runbook),
        title: format!("Outputs of {} {}", plan.runbook, run_name),
        content,
    })
}

/// The nodes of a finding that printed something, equal outputs together.
fn by_output(run: &Run, finding: &Finding) -> BTreeMap<Digest, Vec<u32>> {
    let mut sets: BTreeMap<Digest, Vec<u32>> = BTreeMap::new();
    for &target in &finding.targets {
        let key = run.targets.get(target as usize).and_then(output_key);
        key.iter().for_each(|key| sets.entry(*key).or_default().push(target));
    }
    sets
}

/// What the nodes of such a set printed.
fn text_of(run: &Run, set: &[u32], lookup: Lookup<'_>) -> String {
    let state = set.first().and_then(|t| run.targets.get(*t as usize));
    state.and_then(|state| printed(&run.proposal.plan, state, lookup)).unwrap_or_else(|| "(no longer kept)".to_owned())
}

fn target_name(run: &Run, target: u32) -> String {
    let plan = &run.proposal.plan;
    match plan.targets.get(target as usize) {
        Some(t) => format!("{} ({}, {})", t.name, account_name(plan, &t.target.account), t.target.region),
        None => format!("target {target}"),
    }
}

/// The short reply that mentions the requester when it is over: the verdict and what to do next.
#[must_use]
pub fn closing(run: &Run, summary: &Summary, view: &View) -> Card {
    let by = Line::default().person(&run.proposal.by);
    let over = run.phase == Phase::Finished;
    let (tone, title) = if over {
        verdict::outcome(run, summary)
    } else {
        let card = super::root(run, Some(summary), view);
        (card.tone, card.title)
    };
    let body = if over {
        let took = |word: &str| summary.took.map_or_else(String::new, |t| format!(" {word} {}", duration(t)));
        let line = by.plain(match tone {
            Tone::Good => format!(": done{}.", took("in")),
            Tone::Waiting | Tone::Running | Tone::Warning | Tone::Bad | Tone::Neutral => {
                format!(": it is over{}.", took("after"))
            }
        });
        lines([line].into_iter().chain(next(run, summary, view)))
    } else {
        match ended(run) {
            Some(end) => by.plain(": ").then(end).spans(),
            None => by.plain(": it is still going on.").spans(),
        }
    };
    let buttons = if run.phase.is_over() && tone != Tone::Good { super::retry::buttons(run) } else { Vec::new() };
    Card { tone, title, blocks: vec![Block::Text(body)], buttons }
}

/// What a person does next, the most urgent first.
fn next(run: &Run, summary: &Summary, view: &View) -> Option<Line> {
    let c = &summary.counts;
    let mut told: Vec<String> = super::back::next(run).into_iter().collect();
    if c.unknown > 0 {
        told.push(format!("{} may have run without telling: look there first.", nodes(c.unknown)));
    }
    let posted = !run.failed_posts.contains_key(&PostKey::Results);
    if !posted {
        told.push(format!(
            "The results could not be posted there: `{} status {}` tells them.",
            view.command, view.short
        ));
    } else if c.failed + c.timed_out > 0 {
        told.push("The causes stand above, the largest first.".to_owned());
    }
    let offline = super::root::ended_as(run, Outcome::NotStarted(crate::domain::NotStarted::Offline));
    if offline > 0 {
        let it = if offline == 1 { "it is" } else { "they are" };
        told.push(format!("{} {} offline and skipped: run it again when {it} back.", nodes(offline), were(offline)));
    }
    let stopped = c.not_started - offline.min(c.not_started) + c.cancelled;
    if stopped > 0 {
        let why = if run.cancelled_by.is_some() {
            "the run was cancelled"
        } else if run.budget_spent {
            "too many others failed"
        } else if run.overdue {
            "the run's deadline passed"
        } else {
            "it was stopped"
        };
        let verb = if c.cancelled > 0 { "did not finish".to_owned() } else { format!("{} not started", were(stopped)) };
        told.push(format!("{} {verb} because {why}.", nodes(stopped)));
    }
    if c.denied > 0 {
        told.push(format!("AWS refused {}: the role there has to allow it.", list(&[nodes(c.denied)], "and")));
    }
    (!told.is_empty()).then(|| say(told.join(" ")))
}
