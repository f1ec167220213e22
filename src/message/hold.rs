//! A run that waits for a person: what happened, what waits, who can decide, until when, and what each answer means.
//!
//! After the decision the same card stands without buttons and says who decided.

use crate::domain::Outcome;
use crate::policy::{Vote, waiting_for};
use crate::run::{Hold, HoldCause, HoldEnd, Run};
use crate::runbook::Gate;
use crate::summary::Summary;

use super::results::told;
use super::verdict::{TITLE_MAX, counts};
use super::words::{Line, cut, duration, lines, nodes, number, say, size, were};
use super::{Block, Button, Card, Style, Tone, Verb, View};

/// Findings that are told: enough to decide by, few enough to be read.
const FINDINGS: usize = 3;

/// The question of one hold of the run. `summary` is the run's as it stands.
#[must_use]
pub fn hold(run: &Run, number: u32, summary: &Summary, view: &View) -> Card {
    let Some(hold) = run.holds.iter().find(|hold| hold.number == number) else {
        return Card {
            tone: Tone::Neutral,
            title: "It is not held".to_owned(),
            blocks: Vec::new(),
            buttons: Vec::new(),
        };
    };
    let name = cut(run.proposal.plan.runbook.as_str(), 40);
    let (tone, title) = match &hold.ended {
        None => (Tone::Waiting, format!("{name} is held {}", place(run, hold))),
        Some((HoldEnd::Continued, ..)) => (Tone::Good, format!("{name} went on {}", beyond(run, hold))),
        Some((HoldEnd::Stopped, ..)) => (Tone::Warning, format!("{name} was stopped {}", place(run, hold))),
        Some((HoldEnd::TimedOut, ..)) => {
            (Tone::Warning, format!("{name} was stopped {}: nobody decided", place(run, hold)))
        }
        Some((HoldEnd::RolledBack, ..)) => (Tone::Warning, format!("{name} is rolled back")),
        Some((HoldEnd::Overtaken, ..)) => (Tone::Neutral, format!("{name}: there is nothing to decide any more")),
    };
    let mut blocks = vec![Block::Text(question(run, hold, view))];
    if hold.ended.is_none() {
        let failed = summary.findings.iter().filter(|f| f.outcome.is_failure());
        let found: Vec<_> = failed.take(FINDINGS).map(|f| told(f, summary.counts.total)).collect();
        blocks.extend(found.into_iter().map(Block::Text));
        // The summary measures what has ended; at a gate nodes wait, and what they found is what people decide by.
        let by_step = super::root::by_step(run);
        let measured: Vec<Line> = if by_step.is_empty() {
            summary.measures.iter().map(|m| super::results::measure(run, m, summary.counts.total)).collect()
        } else {
            by_step
        };
        if !measured.is_empty() {
            blocks.push(Block::Text(lines(measured)));
        }
        blocks.push(Block::Text(answers(run, hold)));
    }
    blocks.push(say(view.short.clone()).note());
    Card { tone, title: cut(&title, TITLE_MAX), blocks, buttons: buttons(run, hold) }
}

/// `before wave 2 of 3`, `before the step switch of wave 1`.
pub(super) fn place(run: &Run, hold: &Hold) -> String {
    let waves = run.proposal.plan.waves;
    match &hold.cause {
        HoldCause::Wave { wave, .. } => format!("before wave {} of {waves}", wave + 1),
        HoldCause::Gate { wave, step } => {
            let of = if waves > 1 { format!(" of wave {}", wave + 1) } else { String::new() };
            format!("before the step {}{of}", step_name(run, *step))
        }
        HoldCause::WayBack => "before a rollback".to_owned(),
    }
}

fn beyond(run: &Run, hold: &Hold) -> String {
    match &hold.cause {
        HoldCause::Wave { wave, .. } => format!("with wave {} of {}", wave + 1, run.proposal.plan.waves),
        HoldCause::Gate { step, .. } => format!("with the step {}", step_name(run, *step)),
        HoldCause::WayBack => String::new(),
    }
}

fn step_name(run: &Run, step: u32) -> &str {
    run.proposal.plan.step(step).map_or("", |s| s.name.as_str())
}

/// What happened and whom it waits for, or who decided.
fn question(run: &Run, hold: &Hold, view: &View) -> Vec<super::Span> {
    let mut told = Vec::new();
    match &hold.ended {
        Some((end, by, at)) => {
            let by = |verb: &str| match by {
                Some(by) => say(format!("{verb} by ")).person(by).plain(" ").when(*at).plain("."),
                None => say(format!("{verb} ")).when(*at).plain("."),
            };
            told.push(match end {
                HoldEnd::Continued => by("Continued"),
                HoldEnd::Stopped => by("Stopped").plain(" Nothing further is started."),
                HoldEnd::TimedOut => {
                    say("Nobody decided until ").when(hold.until).plain(": nothing further is started.")
                }
                HoldEnd::RolledBack => by("Rolled back").plain(" What was touched is taken back."),
                HoldEnd::Overtaken => say("It was cancelled, or its deadline passed."),
            });
        }
        None => {
            let whom = match run.gate_of(hold) {
                Some(gate) => asked(run, hold, gate, view),
                None => Line::default().person(&run.proposal.by).plain(": ").plain(what(run, hold)),
            };
            told.push(whom);
            told.push(say("Without a decision by ").when(hold.until).plain(match hold.cause {
                HoldCause::WayBack => " it stays as it is.",
                HoldCause::Wave { .. } | HoldCause::Gate { .. } => " nothing further is started.",
            }));
        }
    }
    lines(told)
}

/// Whom a gate asks, and what they should look at.
fn asked(run: &Run, hold: &Hold, gate: &Gate, view: &View) -> Line {
    let seats = [crate::policy::Seats { group: gate.from.clone(), count: gate.count, rules: Vec::new() }];
    let votes: Vec<Vote<'_>> = hold.votes.iter().map(|a| a.vote()).collect();
    let open = waiting_for(&seats, &run.proposal.by, &votes);
    let missing: u32 = open.iter().map(|s| s.count).sum();
    let mut line = say(format!("{} of ", number(missing))).then(view.mention(&gate.from)).plain(" decides here");
    for (i, vote) in hold.votes.iter().enumerate() {
        line = line.plain(if i == 0 { ", already for it: " } else { ", " }).person(&vote.by);
    }
    let ask = gate.ask.trim();
    if ask.is_empty() { line.plain(".") } else { line.plain(". To look at: ").bold(ask) }
}

fn what(run: &Run, hold: &Hold) -> String {
    let c = &run.counts;
    match &hold.cause {
        HoldCause::Wave { errors, .. } if *errors > 0 => format!(
            "{} failed or {} not reached so far. {} {}; nothing is sent until somebody decides.",
            nodes(*errors),
            were(*errors),
            nodes(c.pending()),
            if c.pending() == 1 { "waits" } else { "wait" },
        ),
        HoldCause::Wave { wave, .. } => {
            let went = before(run, *wave);
            format!("{went} {} to go; nothing is sent until somebody decides.", nodes(c.pending()))
        }
        HoldCause::Gate { .. } => String::new(),
        HoldCause::WayBack => {
            let touched = size(run.targets.iter().filter(|t| t.touched).count());
            let unknown = size(run.targets.iter().filter(|t| t.touched && t.outcome == Some(Outcome::Unknown)).count());
            let among = match unknown {
                0 => String::new(),
                n => format!(", {} of them without a known end", number(n)),
            };
            let why = if run.cancelled_by.is_some() {
                "it was cancelled"
            } else if run.overdue {
                "its deadline passed"
            } else {
                "too many nodes failed"
            };
            format!("{why}, and nothing further is started ({}). It touched {}{among}.", counts(c), nodes(touched))
        }
    }
}

/// How it went before a wave where nothing failed. Waves whose nodes are all offline run nothing, and nobody is asked about
/// them.
fn before(run: &Run, wave: u32) -> String {
    let ran = run.proposal.plan.shards.iter().map(|s| s.wave).filter(|w| *w < wave).max();
    let first = ran.map_or(1, |ran| ran + 2);
    let passed = match wave.saturating_sub(first) {
        _ if first > wave => return "the wave before went well.".to_owned(),
        0 => format!("wave {first} was passed over, because all its nodes are offline."),
        _ => format!("waves {first} to {wave} were passed over, because all their nodes are offline."),
    };
    match ran {
        Some(ran) => format!("wave {} went well; {passed}", ran + 1),
        None => format!("nothing has run yet: {passed}"),
    }
}

/// What each button does, in words: at night nobody guesses.
fn answers(run: &Run, hold: &Hold) -> Vec<super::Span> {
    let waiting = run.counts.pending();
    let mut told = Vec::new();
    match &hold.cause {
        HoldCause::Wave { wave, .. } => {
            let of_the_wave = run.proposal.plan.targets.iter().zip(&run.targets).filter(|(t, _)| t.wave == *wave);
            // Without those that are offline.
            let size = size(of_the_wave.filter(|(_, state)| state.outcome.is_none()).count());
            told.push(Line::default().bold("Continue").plain(format!(" sends wave {} ({}).", wave + 1, nodes(size))));
            told.push(Line::default().bold("Stop").plain(format!(
                " leaves {} as {}.",
                nodes(waiting),
                if waiting == 1 { "it is" } else { "they are" }
            )));
        }
        HoldCause::Gate { step, .. } => {
            told.push(
                Line::default()
                    .bold("Continue")
                    .plain(" goes on with the step ")
                    .code(step_name(run, *step))
                    .plain("."),
            );
            told.push(Line::default().bold("Stop").plain(format!(" ends {} before it.", nodes(waiting))));
        }
        HoldCause::WayBack => {
            told.push(Line::default().bold("Leave as it is").plain(" ends the run."));
        }
    }
    if run.has_way_back() {
        let touched = size(run.targets.iter().filter(|t| t.touched).count());
        let limit = run.proposal.plan.rollback.as_ref().map(|s| duration(s.timeout)).unwrap_or_default();
        told.push(Line::default().bold("Roll back").plain(format!(
            " runs the rollback on the {} that {} touched, at most {limit} on each.",
            nodes(touched),
            were(touched)
        )));
    }
    lines(told)
}

pub(super) fn buttons(run: &Run, hold: &Hold) -> Vec<Button> {
    if hold.ended.is_some() || run.phase.is_over() {
        return Vec::new();
    }
    let button = |verb, label: &str, style| Button {
        verb,
        label: label.to_owned(),
        style,
        run: run.id,
        revision: hold.revision,
    };
    let mut buttons = Vec::new();
    match hold.cause {
        HoldCause::Wave { .. } | HoldCause::Gate { .. } => {
            buttons.push(button(Verb::Continue, "Continue", Style::Primary));
            buttons.push(button(Verb::Stop, "Stop", Style::Plain));
        }
        HoldCause::WayBack => buttons.push(button(Verb::Stop, "Leave as it is", Style::Plain)),
    }
    if run.has_way_back() {
        buttons.push(button(Verb::RollBack, "Roll back", Style::Danger));
    }
    buttons
}
