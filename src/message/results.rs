//! What a run came to: the findings in the thread, long outputs as a file, and the reply that tells the requester.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{Digest, Outcome};
use crate::redact::marks;
use crate::run::{Phase, PostKey, Run, TargetState};
use crate::summary::{EACH_ITS_OWN, Finding, Measure, Shape, Summary, seen};

use super::blast::{NAME, account_name, names_of};
use super::fit::{block_width, fit};
use super::root::ended;
use super::rows::{is_cut, output_key, printed, printing};
use super::verdict::{self, headline};
use super::words::{Line, count, cut, duration, lines, list, nodes, number, say, size, were};
use super::{Block, Card, Limits, Span, Tone, View};

/// Gives a redacted output by its key; `None` if it was pruned.
pub type Lookup<'a> = &'a dyn Fn(&Digest) -> Option<Arc<str>>;

/// Findings told one by one; the rest is told as a number, so that the counts still add up.
pub(super) const FINDINGS: usize = 6;
/// Findings whose output is shown: failures first, since they come first.
const SHOWN: usize = 4;
/// Characters of all blocks: with title and buttons the message stays below the 2,800 that a tired person reads.
const ROOM: usize = 2_450;
/// Lines of all outputs that are shown, and characters below which one is not worth starting.
const LINES: usize = 24;
const EXCERPT_MIN: usize = 100;
/// Different secrets of one kind that are counted.
const DIFFERENT: usize = 100;
/// What is said of the lines that are not shown, at most.
const NOTES: usize = 60;
/// Characters of one line of an output.
const LINE: usize = 200;
/// Measures, and categories of one, that are told.
const MEASURES: usize = 5;
const CATEGORIES: usize = 8;
/// Bytes of a file: enough for 400 whole outputs, small enough to be opened on a phone.
const FILE_MAX: usize = 1_000_000;
/// Of an output that does not fit, less than this is not worth showing.
const PART_MIN: usize = 10_000;

/// The findings, failures by cause first, with an output of each of the first few.
#[must_use]
pub fn results(run: &Run, summary: &Summary, lookup: Lookup<'_>, view: &View) -> Card {
    Draft::of(run, summary, lookup, view).card
}

/// The card, and whether a file has to stand beside it.
struct Draft {
    card: Card,
    /// There is more than it shows.
    more: bool,
    /// The card as text, where it had to be cut.
    whole: Option<String>,
}

impl Draft {
    fn of(run: &Run, summary: &Summary, lookup: Lookup<'_>, view: &View) -> Draft {
        let told: Vec<Block> = (summary.findings.iter().zip(1..).take(FINDINGS))
            .map(|(finding, n)| Block::Text(numbered(run, finding, n, summary)))
            .collect();
        let after = after(run, summary, lookup, view);
        let prose: usize = told.iter().chain(&after).map(block_width).sum();
        let shown = excerpts(run, summary, lookup, ROOM.saturating_sub(prose));
        let several = |finding: &Finding| {
            let outputs = by_output(run, finding);
            outputs.len() > 1 && outputs.values().any(|set| !text_of(run, set, lookup).trim().is_empty())
        };
        let more = summary.findings.iter().zip(&shown).any(|(finding, shown)| match shown {
            Shown::NoRoom => true,
            Shown::Nothing => several(finding),
            Shown::Excerpt(excerpt) => !excerpt.whole() || several(finding),
        });
        let mut blocks = Vec::new();
        for (text, shown) in told.into_iter().zip(shown) {
            blocks.push(text);
            if let Shown::Excerpt(excerpt) = shown {
                blocks.push(Block::Code(excerpt.with_note(more)));
            }
        }
        blocks.extend(after);
        let (tone, title) = verdict::outcome(run, summary);
        let card = Card { tone, title, blocks, buttons: Vec::new() };
        let (card, whole) = fit(card, &Limits { total: ROOM + 50, ..Limits::default() });
        let card = Card { buttons: super::detail::buttons(run, summary), ..card };
        Draft { card, more: more || whole.is_some(), whole }
    }
}

/// What stands below the findings.
fn after(run: &Run, summary: &Summary, lookup: Lookup<'_>, view: &View) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(rest) = summary.findings.get(FINDINGS..).filter(|rest| !rest.is_empty()) {
        let targets: usize = rest.iter().map(|f| f.targets.len()).sum();
        blocks
            .push(say(format!("… and {} on {}", count(size(rest.len()), "more finding"), nodes(size(targets)))).text());
    }
    if summary.findings.is_empty() {
        blocks.push(say("Nothing has ended yet.").text());
    }
    blocks.extend(super::back::told(run, lookup));
    blocks.extend(super::plan::not_reached(&run.proposal.plan));
    blocks.extend(super::since::told(run, view));
    let mut measures: Vec<Line> =
        summary.measures.iter().take(MEASURES).map(|m| measure(run, m, summary.counts.total)).collect();
    if summary.measures.iter().any(|m| m.found) {
        measures.insert(0, say("Read from the outputs, because some nodes differ:"));
    }
    if let Some(more) = summary.measures.len().checked_sub(MEASURES).filter(|more| *more > 0) {
        measures.push(say(format!("… and {}", count(size(more), "more value"))));
    }
    if !measures.is_empty() {
        blocks.push(Block::Text(lines(measures)));
    }
    blocks.extend(summary.measures.iter().find_map(|m| super::spread::chart(run, m)).map(Block::Chart));
    blocks.extend(secrets(run, lookup).map(Line::text));
    let mut small = vec![view.short.clone()];
    small.extend(summary.took.map(|took| format!("took {}", duration(took))));
    small.retain(|s| !s.is_empty());
    if !small.is_empty() {
        blocks.push(say(small.join(" · ")).note());
    }
    blocks
}

/// `password on 48 nodes, the same on each`: which secrets stood in what the nodes printed.
fn secrets(run: &Run, lookup: Lookup<'_>) -> Option<Line> {
    let mut read: BTreeMap<Digest, BTreeSet<&'static str>> = BTreeMap::new();
    let mut different: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    let mut on: BTreeMap<&'static str, u32> = BTreeMap::new();
    for state in &run.targets {
        let mut here = BTreeSet::new();
        for (_, key) in printing(state) {
            let kinds = read.entry(key).or_insert_with(|| {
                let text = lookup(&key).unwrap_or_default();
                let found = marks(&text).inspect(|(kind, mark)| {
                    let different = different.entry(kind).or_default();
                    // More are not counted: equal marks of different secrets would become many.
                    if different.len() < DIFFERENT {
                        different.insert((*mark).to_owned());
                    }
                });
                found.map(|(kind, _)| kind).collect()
            });
            here.extend(kinds.iter().copied());
        }
        here.into_iter().for_each(|kind| *on.entry(kind).or_default() += 1);
    }
    let told = |(kind, n): (&&str, &u32)| {
        let alike = match (different.get(kind).map_or(0, BTreeSet::len), n) {
            (1, 2..) => ", the same on each".to_owned(),
            (2..DIFFERENT, _) => format!(", {} different", size(different[kind].len())),
            _ => String::new(),
        };
        format!("{kind} on {}{alike}", nodes(*n))
    };
    let told: Vec<String> = on.iter().map(told).collect();
    (!told.is_empty()).then(|| say(format!("🔒 Secrets were taken out of what nodes printed: {}.", told.join("; "))))
}

/// `First in wave 1 of 3, on 1 of its 2 nodes`, of a failure that was there before the last wave; of the nodes that were started.
fn first_wave(run: &Run, finding: &Finding) -> Option<String> {
    if !matches!(finding.outcome, Outcome::Failed | Outcome::TimedOut) {
        return None;
    }
    let plan = &run.proposal.plan;
    let waves = plan.targets.iter().map(|planned| planned.wave).max().filter(|last| *last > 0)? + 1;
    let wave = |target: &u32| plan.targets.get(*target as usize).map(|planned| planned.wave);
    let first = finding.targets.iter().filter_map(wave).min()?;
    let inside = finding.targets.iter().filter(|target| wave(target) == Some(first)).count();
    let started = |state: &TargetState| !matches!(state.outcome, None | Some(Outcome::NotStarted(_)));
    let both = plan.targets.iter().zip(&run.targets);
    let of = both.filter(|(planned, state)| planned.wave == first && started(state)).count();
    let on = match (size(inside), size(of)) {
        (1, 1) => "its only node".to_owned(),
        (some, all) if some == all => format!("all of its {}", nodes(all)),
        (some, all) => format!("{} of its {}", number(some), nodes(all)),
    };
    (first + 1 < waves).then(|| format!("\nFirst in wave {} of {waves}, on {on}", first + 1))
}

/// Lines in one block.
pub(super) fn lines_of(told: impl IntoIterator<Item = Line>) -> Block {
    Block::Text(lines(told))
}

/// What is told of a finding, under its number where there are several, and whether outputs of its nodes are cut.
pub(super) fn numbered(run: &Run, finding: &Finding, number: usize, summary: &Summary) -> Vec<Span> {
    let mut spans = told(finding, summary.counts.total);
    if summary.findings.len() > 1 {
        spans.insert(0, Span::bold(format!("{number}. ")));
    }
    spans.extend(first_wave(run, finding).map(Span::plain));
    let cut = finding.targets.iter().filter(|t| run.targets.get(**t as usize).is_some_and(is_cut)).count();
    if cut > 0 {
        let share = if cut == finding.targets.len() { String::new() } else { format!(" on {} of them", size(cut)) };
        spans.push(Span::plain(format!("\n✂️ output cut by SSM{share}: what it would say further on is not known")));
    }
    spans
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
                ", same shape on each: numbers, times, ids, order and how often {} of line come differ",
                count(finding.chatter, "kind")
            )),
            (title, false, 2..) => {
                line.code(title).plain(", same shape on each: only numbers, times, ids or order differ")
            }
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

/// For each finding what is shown of its output, in so many characters together: the first few that have one, failures
/// first.
fn excerpts(run: &Run, summary: &Summary, lookup: Lookup<'_>, room: usize) -> Vec<Shown> {
    // What says no more than its title is not shown.
    let wanted = |(i, finding): (usize, &Finding)| {
        let text = text_to_show(run, finding, lookup)?;
        (i >= FINDINGS || text.trim() != finding.title).then_some(text)
    };
    let texts: Vec<Option<String>> = summary.findings.iter().enumerate().map(wanted).collect();
    let mut left = texts.iter().take(FINDINGS).flatten().count().min(SHOWN);
    let (mut room, mut rows) = (room, LINES);
    let show = |((i, text), finding): ((usize, Option<String>), &Finding)| {
        let Some(text) = text else { return Shown::Nothing };
        if i >= FINDINGS || left == 0 || room / left < EXCERPT_MIN {
            return Shown::NoRoom;
        }
        // The longest note there can be takes its part too.
        let telling = telling_line(&text, finding, lookup);
        let excerpt = Excerpt::of(&text, finding, telling, room / left - NOTES, rows / left);
        left -= 1;
        room = room.saturating_sub(excerpt.text.chars().count() + NOTES);
        rows -= excerpt.text.lines().count().min(rows);
        Shown::Excerpt(excerpt)
    };
    texts.into_iter().enumerate().zip(&summary.findings).map(show).collect()
}

struct Excerpt {
    text: String,
    /// Lines that are not shown, before and behind.
    earlier: u32,
    later: u32,
    cut_lines: bool,
}

impl Excerpt {
    fn whole(&self) -> bool {
        self.earlier + self.later == 0 && !self.cut_lines
    }
    fn with_note(self, in_file: bool) -> String {
        let place = if in_file { "in the file" } else { "not shown" };
        let (before, behind) = match (self.earlier, self.later) {
            (0, 0) if self.cut_lines && in_file => {
                (String::new(), "… long lines are cut, whole in the file".to_owned())
            }
            (0, 0) if self.cut_lines => (String::new(), "… long lines are cut".to_owned()),
            (0, 0) => (String::new(), String::new()),
            (0, later) => (String::new(), format!("… {} {place}", count(later, "more line"))),
            (earlier, 0) => (format!("… {} {place}", count(earlier, "more line")), String::new()),
            (earlier, later) => {
                (format!("… {}", count(earlier, "earlier line")), format!("… {} {place}", count(later, "more line")))
            }
        };
        [before, self.text, behind].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

/// Which line of the text the finding's title was made of.
fn telling_line(text: &str, finding: &Finding, lookup: Lookup<'_>) -> Option<usize> {
    let exemplar = lookup(&finding.exemplar?)?;
    let exemplar = seen(&exemplar);
    let telling = exemplar.lines().nth(finding.line? as usize)?;
    text.lines().position(|line| line == telling)
}

/// What one node of a finding printed; `None` if nothing, or nothing of it is kept.
pub(super) fn text_to_show(run: &Run, finding: &Finding, lookup: Lookup<'_>) -> Option<String> {
    let exemplar = finding.exemplar?;
    let states = finding.targets.iter().filter_map(|t| run.targets.get(*t as usize));
    let text = printed(&run.proposal.plan, states.into_iter().find(|s| output_key(s) == Some(exemplar))?, lookup)?;
    (!text.trim().is_empty()).then_some(text)
}

impl Excerpt {
    /// The end of a failed output, where the cause is told, or the beginning of a good one; or what stands around the telling
    /// line, where that is in neither. The rest is counted.
    fn of(text: &str, finding: &Finding, telling: Option<usize>, room: usize, rows: usize) -> Excerpt {
        let lines: Vec<&str> = text.lines().collect();
        let from_end = finding.outcome != Outcome::Succeeded;
        let usual: Vec<usize> = if from_end { (0..lines.len()).rev().collect() } else { (0..lines.len()).collect() };
        let shown = Excerpt::fit(&lines, &usual, room, rows);
        let around = telling.filter(|at| shown.iter().all(|(shown, _)| shown != at)).map(|at| {
            let before = (0..at).rev().map(Some).chain(std::iter::repeat(None));
            let behind = (at + 1..lines.len()).map(Some).chain(std::iter::repeat(None));
            let pairs = before.zip(behind).take(lines.len()).flat_map(|(before, behind)| [before, behind]);
            std::iter::once(at).chain(pairs.flatten()).collect::<Vec<usize>>()
        });
        let mut shown = around.map_or(shown, |around| Excerpt::fit(&lines, &around, room, rows));
        shown.sort_unstable_by_key(|(at, _)| *at);
        let first = shown.first().map_or(0, |(at, _)| *at);
        let cut_lines = shown.iter().any(|(at, line)| *line != lines[*at]);
        let later = size(lines.len() - first - shown.len());
        let text = shown.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        Excerpt { text, earlier: size(first), later, cut_lines }
    }

    /// The first of these lines, as many as there is room for.
    fn fit(lines: &[&str], order: &[usize], room: usize, rows: usize) -> Vec<(usize, String)> {
        let mut shown: Vec<(usize, String)> = Vec::new();
        let mut room = room;
        for at in order.iter().take(rows) {
            // The first line is shown in any case: an excerpt of nothing but a note would tell nothing.
            let short = cut_line(lines[*at], if shown.is_empty() { LINE.min(room) } else { LINE });
            let length = short.chars().count() + 1;
            if length > room + 1 {
                break;
            }
            room = room.saturating_sub(length);
            shown.push((*at, short));
        }
        shown
    }
}

fn cut_line(line: &str, max: usize) -> String {
    if line.chars().count() <= max { line.to_owned() } else { line.chars().take(max - 1).chain(['…']).collect() }
}

/// `Use%: median 46, 95 % of the nodes at most 71, highest 97 (db-14), …`.
pub(super) fn measure(run: &Run, measure: &Measure, total: u32) -> Line {
    let on = if measure.nodes == total {
        String::new()
    } else {
        format!(" on {} of {}", number(measure.nodes), nodes(total))
    };
    let line = Line::default().bold(&measure.name).plain(format!("{on}: "));
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
                format!(
                    "median {median}{unit}, 95 % of the {} at most {p95}{unit}, from {min}{unit} to {max}{unit}",
                    number(measure.nodes)
                )
            };
            let (word, ends) = if low.is_empty() { ("highest", top) } else { ("lowest", low) };
            let plan = &run.proposal.plan;
            let those: Vec<_> = ends.iter().filter_map(|(_, target)| plan.targets.get(*target as usize)).collect();
            let names = names_of(plan, &those, NAME);
            let told: Vec<String> =
                ends.iter().zip(names).map(|((value, _), name)| format!("{name} {value}{unit}")).collect();
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

/// Every output, folded, each with its nodes; `None` if the card shows all there is.
#[must_use]
pub fn output_file(run: &Run, summary: &Summary, lookup: Lookup<'_>, view: &View) -> Option<OutputFile> {
    let draft = Draft::of(run, summary, lookup, view);
    if !draft.more {
        return None;
    }
    let plan = &run.proposal.plan;
    let head = draft.whole.unwrap_or_else(|| format!("{}\n", headline(plan.runbook.as_str(), summary)));
    let mut content = format!("{head}{}\n", run.proposal.request);
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
