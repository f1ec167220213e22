//! Everything halted, and resumed: what the cards of runs say of it, and the answers to whoever halts or resumes.

use crate::domain::{GroupName, Millis, Principal, Timestamp};
use crate::policy::CannotHalt;
use crate::run::{Halt, Phase, Run};

use super::refusal::refusal;
use super::root::in_flight;
use super::verdict::TITLE_MAX;
use super::words::{Line, count, cut, duration, lines, list, nodes, number, prose, say, sentence, size};
use super::{Block, Card, Tone, View};

/// Runs told one by one.
const RUNS_MAX: usize = 10;
/// Characters of a reason.
const WHY_MAX: usize = 300;

/// The halt that is in force, as cards tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halted {
    pub halt: Halt,
    /// The groups that may resume from chat; `None`: the card is for an operator, who may.
    pub resume: Option<Vec<GroupName>>,
}

/// What runs while everything is halted, or goes on when it is resumed.
#[derive(Debug, Clone, Copy)]
pub struct Open<'a> {
    /// Runs that are not over, with their short ids, newest first.
    pub runs: &'a [(&'a Run, String)],
    /// Of further runs, which the reader may not see: how many, and their nodes in flight.
    pub others: (u32, u32),
}

/// On the card of a run that is not over.
pub(super) fn line(run: &Run, view: &View) -> Option<Line> {
    let halted = view.halted.as_ref()?;
    let what = match run.phase {
        Phase::AwaitingApproval => "No run starts.",
        Phase::Running => "Nothing new is sent; what was sent goes on and is watched.",
        Phase::Finished | Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => return None,
    };
    Some(in_force(&halted.halt).plain(format!(" {what} ")).then(who_resumes(halted, view)))
}

/// What stands above a list of runs and on a person's own page.
#[must_use]
pub fn notice(view: &View) -> Option<Block> {
    let halted = view.halted.as_ref()?;
    let line = in_force(&halted.halt).plain(" Nothing new is sent and no run starts. ");
    Some(line.then(who_resumes(halted, view)).text())
}

/// The card with the notice on top, while everything is halted.
#[must_use]
pub fn noticed(card: Card, view: &View) -> Card {
    match notice(view) {
        Some(notice) => Card { tone: Tone::Warning, blocks: [vec![notice], card.blocks].concat(), ..card },
        None => card,
    }
}

/// Everything was halted just now: for everybody in the channel, and for whoever typed it on the host.
#[must_use]
pub fn halted(open: Open<'_>, view: &View) -> Card {
    let flying: u32 = open.runs.iter().map(|(run, _)| in_flight(run)).sum::<u32>() + open.others.1;
    let title = match flying {
        0 => "Everything is halted; nothing is in flight".to_owned(),
        n => format!("Everything is halted; {} may still be running", nodes(n)),
    };
    let mut blocks = Vec::new();
    if let Some(halted) = &view.halted {
        let mut told = vec![
            say("Halted").then(by_whom(&halted.halt)),
            say(
                "Nothing new is sent to AWS and no run starts. Requests, approvals and look-ups go on, and deadlines count.",
            ),
            who_resumes(halted, view),
        ];
        if halted.halt.why.is_none() {
            told.push(say("Tell the others why: ").code(explain(halted, view)));
        }
        blocks.push(Block::Text(lines(told)));
    }
    blocks.extend(reach(open, view));
    card(Tone::Warning, title, blocks)
}

/// What may still run, what is held back, and how a single run is stopped.
fn reach(open: Open<'_>, view: &View) -> Vec<Block> {
    let running: Vec<&(&Run, String)> = open.runs.iter().filter(|(run, _)| run.phase == Phase::Running).collect();
    let waiting = size(open.runs.len() - running.len());
    let mut told = Vec::new();
    for (run, short) in running.iter().take(RUNS_MAX) {
        let flying = in_flight(run);
        let held = run.counts.pending().saturating_sub(flying);
        told.push(
            Line::default()
                .code(short)
                .plain(format!(" {}: {} may still be running", run.proposal.plan.runbook, nodes(flying)))
                .plain(if held > 0 { format!(", {} held back", number(held)) } else { String::new() }),
        );
    }
    if running.len() > RUNS_MAX {
        let rest = size(running.len() - RUNS_MAX);
        told.push(say(format!("{}: ", count(rest, "more run"))).code(format!("{} status", view.command)));
    }
    let (others, flying) = open.others;
    if others > 0 {
        let (runs, of) = (count(others, "run"), nodes(flying));
        told.push(say(format!("{runs} that you may not see: {of} may still be running")));
    }
    let mut blocks = Vec::new();
    if !told.is_empty() {
        let head = Line::default().bold("Sent before, so it goes on and is watched");
        blocks.push(Block::Text(lines([head].into_iter().chain(told))));
    }
    if waiting > 0 {
        let wait = if waiting == 1 { "waits" } else { "wait" };
        blocks.push(say(format!("{} {wait} for approval or for the start.", count(waiting, "run"))).note());
    }
    if let Some((_, short)) = running.first() {
        let cancel = format!("{} cancel {short}", view.command);
        blocks.push(say("A halt cancels nothing. To stop one run: ").code(cancel).note());
    }
    blocks
}

/// A reason was given afterwards.
#[must_use]
pub fn explained(by: &Principal, view: &View) -> Card {
    let told = view.halted.iter().map(|halted| {
        let why = Line::default().person(by).plain(" told why.");
        Block::Text(lines([why, say("Halted").then(by_whom(&halted.halt)), who_resumes(halted, view)]))
    });
    card(Tone::Warning, "Everything is still halted, and now it is said why".to_owned(), told.collect())
}

/// To somebody who halts what is halted.
#[must_use]
pub fn halted_already(view: &View) -> Card {
    let Some(halted) = &view.halted else { return not_halted(view) };
    let mut told = vec![say("Halted").then(by_whom(&halted.halt)), who_resumes(halted, view)];
    if halted.halt.why.is_none() {
        told.push(say("Nobody has said why yet: ").code(explain(halted, view)));
    }
    card(Tone::Warning, "Everything is halted already".to_owned(), vec![Block::Text(lines(told))])
}

/// Sending goes on: for everybody in the channel, and for whoever typed it on the host. `before` is the halt that ended.
#[must_use]
pub fn resumed(by: &Principal, at: Timestamp, before: Option<&Halt>, open: Open<'_>) -> Card {
    let mut line = Line::default().person(by).plain(" resumed.");
    if let Some(halt) = before {
        let took = at.duration_since(halt.at).as_millis();
        line = line.plain(" ").person(&halt.by).plain(" had halted everything at ").when(halt.at);
        line = line.plain(format!(", {} before", duration(whole_seconds(took))));
        line = match halt.why.as_deref() {
            Some(why) => line.plain(": ").plain(said(why)),
            None => line.plain("."),
        };
    }
    let mut blocks = vec![line.text()];
    let runs = size(open.runs.len()) + open.others.0;
    if runs > 0 {
        let mut names: Vec<String> = open.runs.iter().take(RUNS_MAX).map(|(_, short)| short.clone()).collect();
        let rest = runs - size(names.len());
        if rest > 0 {
            names.push(format!("{} more", number(rest)));
        }
        blocks.push(say(format!("Open: {}.", list(&names, "and"))).note());
    }
    let title = match runs {
        0 => "Resumed: sending is open again".to_owned(),
        n => format!("Resumed: {} {} on", count(n, "open run"), if n == 1 { "goes" } else { "go" }),
    };
    card(Tone::Good, title, blocks)
}

fn whole_seconds(millis: i128) -> Millis {
    Millis(u64::try_from(millis.max(1000) / 1000 * 1000).unwrap_or(u64::MAX))
}

/// To somebody who resumes what is not halted.
#[must_use]
pub fn not_halted(view: &View) -> Card {
    let told = say("What is going on: ").code(format!("{} status", view.command));
    card(Tone::Neutral, "Nothing is halted, so there is nothing to resume".to_owned(), vec![told.text()])
}

/// To somebody who may not halt.
#[must_use]
pub fn may_not_halt(why: &CannotHalt, view: &View) -> Card {
    let mut doors = others(&why.could());
    doors.push(say("One run is stopped by ").code(format!("{} cancel RUN", view.command)).plain("."));
    may_not("You may not halt everything", why, doors, "halt")
}

/// To somebody who may not resume.
#[must_use]
pub fn may_not_resume(why: &CannotHalt, view: &View) -> Card {
    let mut doors = others(&why.could());
    if view.halted.is_none() {
        doors.push(say("Nothing is halted at present."));
    }
    may_not("You may not resume, so nothing was changed", why, doors, "resume")
}

fn may_not(title: &str, why: &CannotHalt, mut doors: Vec<Line>, verb: &str) -> Card {
    if why.could().is_empty() {
        doors.push(say("Whoever has a shell on my host can: ").code(format!("muster {verb}")));
    }
    let doors = doors.into_iter().map(Line::spans).collect();
    refusal(title, vec![prose(&sentence(&why.to_string()))], doors)
}

/// `Ask @sre.`, without notifying anybody.
fn others(could: &[GroupName]) -> Vec<Line> {
    let groups: Vec<String> = could.iter().map(|group| format!("@{group}")).collect();
    if groups.is_empty() { Vec::new() } else { vec![say(format!("Ask {}.", list(&groups, "or")))] }
}

/// `Everything is halted by @arne since 14:10: the array fails.`
fn in_force(halt: &Halt) -> Line {
    Line::default().bold("Everything is halted").then(by_whom(halt))
}

fn by_whom(halt: &Halt) -> Line {
    let line = say(" by ").person(&halt.by).plain(" since ").when(halt.at);
    match halt.why.as_deref() {
        Some(why) => line.plain(": ").plain(said(why)),
        None => line.plain(", no reason given."),
    }
}

/// What to type to give the reason.
fn explain(halted: &Halted, view: &View) -> String {
    let because = if halted.resume.is_some() { "because" } else { "--because" };
    format!("{} halt {because} \"…\"", view.command)
}

/// As it was typed, with a full stop.
fn said(why: &str) -> String {
    let why = cut(why.trim(), WHY_MAX);
    if why.ends_with(['.', '?', '!', '…']) { why } else { why + "." }
}

/// `@sre can resume: /runbook resume`, without notifying anybody.
fn who_resumes(halted: &Halted, view: &View) -> Line {
    let Some(groups) = &halted.resume else {
        return say("To resume: ").code(format!("{} resume", view.command));
    };
    let groups: Vec<String> = groups.iter().map(|group| format!("@{group}")).collect();
    if groups.is_empty() {
        return say("Whoever has a shell on my host can resume: ").code("muster resume");
    }
    say(format!("{} can resume: ", list(&groups, "and"))).code(format!("{} resume", view.command))
}

fn card(tone: Tone, title: String, blocks: Vec<Block>) -> Card {
    Card { tone, title: cut(&title, TITLE_MAX), blocks, buttons: Vec::new() }
}
