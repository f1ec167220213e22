//! The living card: one message per run, edited in place from the request to the end.
//!
//! It always says what is going on, whom or what it waits for, and what a person can do about it.

use crate::domain::{NotStarted, Outcome, Timestamp};
use crate::policy::{Seats, Vote, waiting_for};
use crate::run::{HoldCause, HoldEnd, Phase, Run, SendState};
use crate::summary::{Summary, summarise};

use super::rows::summary_input;
use super::verdict::subject;
use super::words::{Line, are, count, cut, duration, lines, list, nodes, number, say, size};
use super::{Block, Button, Card, Span, Style, Tone, Verb, View, blast, plan, verdict};

/// Values that a step extracted and nodes that are told one by one on the living card.
const VALUES: usize = 4;
const NAMES: usize = 10;

/// The card of a run in its present phase. `summary` names the largest cause; without one it is taken from the
/// reports alone, without outputs.
#[must_use]
pub fn root(run: &Run, summary: Option<&Summary>, view: &View) -> Card {
    let (tone, title) = title(run, summary, view);
    let mut blocks: Vec<Block> = Vec::new();
    let state = state(run, view);
    if !state.is_empty() {
        blocks.push(Block::Text(state));
    }
    blocks.push(Block::Fields(facts(run)));
    if matches!(run.phase, Phase::AwaitingApproval | Phase::Running | Phase::Finished)
        && let Some(gaps) = plan::not_reached(&run.proposal.plan)
    {
        blocks.push(gaps);
    }
    blocks.push(small_print(run, view));
    Card { tone, title: cut(&title, verdict::TITLE_MAX), blocks, buttons: buttons(run) }
}

/// The seats that nobody has filled yet.
pub(super) fn open_seats(run: &Run) -> Vec<Seats> {
    let votes: Vec<Vote<'_>> = run.approvals.iter().map(|a| a.vote()).collect();
    waiting_for(&run.proposal.decision.quorum, &run.proposal.by, &votes)
}

/// `1 of @sre and 2 of @dba`, without notifying anybody.
pub(super) fn seats(open: &[Seats]) -> String {
    let told: Vec<String> = open.iter().map(|s| format!("{} of @{}", number(s.count), s.group)).collect();
    list(&told, "and")
}

/// When nobody can approve it any more.
pub(super) fn expires(run: &Run) -> Option<Timestamp> {
    run.proposal.decision.expires.map(|_| run.expires_at())
}

fn title(run: &Run, summary: Option<&Summary>, view: &View) -> (Tone, String) {
    let p = &run.proposal.plan;
    let total = run.counts.total;
    let asked = subject(p.runbook.as_str(), size(p.targets.len()));
    match run.phase {
        Phase::AwaitingApproval if run.is_agreed() && view.halted.is_some() => {
            (Tone::Warning, format!("{asked}: halted before its start"))
        }
        Phase::AwaitingApproval if run.is_agreed() => (Tone::Running, format!("{asked}: about to start")),
        Phase::AwaitingApproval => (Tone::Waiting, format!("{asked}: waiting for {}", seats(&open_seats(run)))),
        Phase::Running => {
            let done = run.counts.ended();
            let errors = run.counts.errors();
            let mut text = format!("{}: ", cut(p.runbook.as_str(), 40));
            let mut tone = if errors > 0 { Tone::Warning } else { Tone::Running };
            if let Some(back) = &run.rollback {
                text.push_str(&format!(
                    "rolling back, {} of {} done; before it ",
                    number(back.counts.ended()),
                    nodes(back.counts.total)
                ));
                tone = Tone::Warning;
            } else if let Some(hold) = run.hold() {
                text.push_str(&format!("held {}; ", super::hold::place(run, hold)));
                tone = Tone::Waiting;
            } else if run.overdue {
                text.push_str("deadline passed, stopping; ");
                tone = Tone::Bad;
            } else if run.cancelled_by.is_some() {
                text.push_str("cancelled, stopping; ");
                tone = Tone::Warning;
            } else if run.budget_spent {
                text.push_str("too many failures, stopping; ");
                tone = Tone::Bad;
            } else if view.halted.is_some() {
                text.push_str("halted; ");
                tone = Tone::Warning;
            }
            text.push_str(&format!("{} of {} done", number(done), nodes(total)));
            if errors > 0 {
                text.push_str(&format!(", {} of them failed", number(errors)));
            }
            if p.waves > 1 && run.hold().is_none() && run.rollback.is_none() {
                text.push_str(&format!(", wave {} of {}", run.wave.saturating_add(1).min(p.waves), p.waves));
            }
            (tone, text)
        }
        Phase::Finished => {
            let own;
            let summary = match summary {
                Some(summary) => summary,
                None => {
                    own = summarise(&summary_input(run, std::collections::BTreeMap::new()));
                    &own
                }
            };
            verdict::outcome(run, summary)
        }
        Phase::Denied => (Tone::Bad, format!("{asked}: denied, nothing was run")),
        Phase::Expired if run.is_agreed() => (Tone::Warning, format!("{asked}: expired, it could not start in time")),
        Phase::Expired => (Tone::Warning, format!("{asked}: expired, nobody approved it in time")),
        Phase::Cancelled => (Tone::Warning, format!("{asked}: cancelled, nothing was run")),
        Phase::Withdrawn => (Tone::Bad, format!("{asked}: withdrawn, nothing was run")),
    }
}

/// Where it stands and whom it waits for.
fn state(run: &Run, view: &View) -> Vec<Span> {
    let mut told: Vec<Line> = super::halt::line(run, view).into_iter().collect();
    match run.phase {
        // Nobody has to approve it, or nobody more: it waits for the last check, or for another change on its nodes.
        Phase::AwaitingApproval if run.is_agreed() => told.push(match &view.taken {
            Some((other, taken)) => say("Nothing has been sent yet: it waits for ")
                .code(other)
                .plain(format!(", which changes {} of these nodes. If it cannot start by ", number(*taken)))
                .when(run.start_by())
                .plain(", it expires."),
            None => say("Nothing has been sent yet."),
        }),
        Phase::AwaitingApproval => {
            let mut line = say("Waiting for ").bold(seats(&open_seats(run)));
            if let Some(at) = expires(run) {
                line = line.plain(", expires ").when(at);
            }
            told.push(line.plain(". The request stands in this thread."));
        }
        Phase::Running => told.extend(progress(run, view)),
        Phase::Finished => {
            if let Some(by) = &run.cancelled_by {
                told.push(say("Cancelled by ").person(by).plain(" while it ran."));
            }
            if run.budget_spent {
                told.push(say(format!(
                    "Stopped by itself after {}; nothing further was started.",
                    count(run.counts.errors(), "failure")
                )));
            }
            if run.overdue {
                told.push(say("Its own deadline passed; nothing further was started and what ran was cancelled."));
            }
            if let Some((end, by, at)) = run.holds.last().and_then(|hold| hold.ended.as_ref()) {
                match (end, by) {
                    (HoldEnd::Stopped, Some(by)) => {
                        told.push(say("Stopped by ").person(by).plain(" ").when(*at).plain(" while it was held."));
                    }
                    (HoldEnd::TimedOut, _) => {
                        told.push(say("Stopped: it was held, and nobody decided by ").when(*at).plain("."));
                    }
                    (HoldEnd::Continued | HoldEnd::RolledBack | HoldEnd::Overtaken | HoldEnd::Stopped, _) => {}
                }
            }
            told.push(say("The results stand in this thread."));
            told.extend(super::glass::looked(run, view));
            let unknown = run.counts.unknown;
            if unknown > 0 {
                told.push(say(format!(
                    "{} may have run without telling. Look there before you run it again.",
                    nodes(unknown)
                )));
            }
        }
        Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => told.extend(ended(run)),
    }
    lines(told)
}

/// By whom and why it ended before anything ran.
pub(super) fn ended(run: &Run) -> Option<Line> {
    let (by, why) = match &run.ended_by {
        Some((by, why)) => (by.as_ref(), why.trim()),
        None => (None, ""),
    };
    let whom = |line: Line, by: Option<&crate::domain::Principal>| match by {
        Some(by) => line.plain(" by ").person(by),
        None => line,
    };
    let because = |line: Line| if why.is_empty() { line.plain(".") } else { line.plain(": ").prose(why) };
    match run.phase {
        Phase::AwaitingApproval | Phase::Running | Phase::Finished => None,
        Phase::Denied => Some(because(whom(say("Denied"), by))),
        Phase::Cancelled => Some(because(whom(say("Cancelled"), by))),
        Phase::Withdrawn => Some(because(say("Withdrawn"))),
        Phase::Expired if run.is_agreed() => {
            Some(say("It was agreed to and could not be started in time. Ask again asks once more."))
        }
        Phase::Expired => {
            let open = open_seats(run);
            let missing = if open.is_empty() { String::new() } else { format!("; it waited for {}", seats(&open)) };
            Some(say(format!("Nobody decided in time{missing}. Run again asks once more.")))
        }
    }
}

fn progress(run: &Run, view: &View) -> Vec<Line> {
    let c = &run.counts;
    let flying = in_flight(run);
    let mut parts = vec![format!("{} succeeded", number(c.succeeded))];
    let stopped = c.cancelled + c.not_started;
    let rest = if run.stopping.is_some() { "will not start" } else { "waiting" };
    let going = if run.rollback.is_some() { 0 } else { flying };
    for (n, word) in
        [(c.errors(), "failed or not reached"), (stopped, "not run"), (going, "running"), (c.pending() - going, rest)]
    {
        if n > 0 {
            parts.push(format!("{} {word}", number(n)));
        }
    }
    let mut told = vec![say(parts.join(" · "))];
    told.extend(by_step(run));
    told.extend(super::pace::over_by(run).map(|at| say("At this pace it is over by about ").when(at).plain(".")));
    told.extend(super::back::progress(run));
    if let Some(hold) = run.hold() {
        told.push(
            say(format!("Held {}: somebody has to decide, in this thread, by ", super::hold::place(run, hold)))
                .when(hold.until)
                .plain("."),
        );
    } else if let Some(why) = run.stopping {
        told.push(match (why, &run.cancelled_by) {
            (NotStarted::Cancelled, Some(by)) => say("Cancelled by ").person(by).plain(". No new sends are made"),
            (NotStarted::Deadline, _) => say("Its own deadline passed. No new sends are made"),
            _ => say("Nothing further is started"),
        });
        if let Some(line) = told.last_mut() {
            *line = line.clone().plain(match (flying, why) {
                (0, _) => "; nothing is running any more.".to_owned(),
                (n, NotStarted::Cancelled | NotStarted::Deadline) => {
                    format!(
                        "; AWS was told to stop, and what was already sent may still run on {}: {}.",
                        nodes(n),
                        flying_names(run)
                    )
                }
                (n, _) => format!("; {} {} still running: {}.", nodes(n), are(n), flying_names(run)),
            });
        }
    }
    let unsure = run.shards.iter().filter(|s| matches!(s.state, SendState::Unsure { .. })).count();
    if unsure > 0 {
        told.push(say(format!(
            "{} unsure, verifying with AWS, at most {}. Nothing is sent twice.",
            count(size(unsure), "shard"),
            duration(view.unsure)
        )));
    }
    told
}

/// How far each step is, where there are several: what came of it, as it comes.
pub(super) fn by_step(run: &Run) -> Vec<Line> {
    let steps = &run.proposal.plan.steps;
    if steps.len() < 2 {
        return Vec::new();
    }
    let mut told = Vec::new();
    for (step, index) in steps.iter().zip(0u32..) {
        let reports = || run.targets.iter().flat_map(|t| &t.reports).filter(|(s, _)| *s == index).map(|(_, r)| r);
        let (done, well) = (reports().count(), reports().filter(|r| r.outcome == Outcome::Succeeded).count());
        if done == 0 {
            continue;
        }
        let mut line = Line::default().code(&step.name).plain(format!(
            ": {} of {} went well",
            number(size(well)),
            nodes(size(done))
        ));
        let mut values: std::collections::BTreeMap<(&str, &str), u32> = Default::default();
        for (name, value) in reports().flat_map(|r| &r.extracted) {
            *values.entry((name, value)).or_default() += 1;
        }
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        for ((name, value), n) in values.into_iter().take(VALUES) {
            line = line.plain(" · ").code(format!("{name}={}", cut(value, 40))).plain(format!(" on {}", number(n)));
        }
        told.push(line);
    }
    told
}

/// The nodes that something may be running on, by name.
fn flying_names(run: &Run) -> String {
    let flying = flying(run);
    let names = run.proposal.plan.targets.iter().zip(flying).filter(|(_, f)| *f).map(|(t, _)| cut(&t.name, 64));
    super::words::some(&names.collect::<Vec<_>>(), NAMES)
}

/// Nodes whose send is on its way or made, and that have not ended.
#[must_use]
pub fn in_flight(run: &Run) -> u32 {
    size(flying(run).into_iter().filter(|f| *f).count())
}

fn flying(run: &Run) -> Vec<bool> {
    let mut flying = vec![false; run.targets.len()];
    for shard in &run.shards {
        let targets = match &shard.state {
            SendState::Intent { targets, .. } | SendState::Sent { targets, .. } | SendState::Unsure { targets, .. } => {
                targets
            }
            SendState::Waiting | SendState::Over => continue,
        };
        for &t in targets {
            if let Some(flying) = flying.get_mut(t as usize) {
                *flying = run.awaits(t, shard.step);
            }
        }
    }
    flying
}

fn facts(run: &Run) -> Vec<(String, Vec<Span>)> {
    let p = &run.proposal;
    let mut fields = vec![("What".to_owned(), plan::what(&p.plan))];
    if !p.plan.arguments.is_empty() {
        fields.push(("Arguments".to_owned(), blast::arguments(&p.plan).spans()));
    }
    let on = Line::default().code(&p.plan.selector).plain(format!(": {}", blast::reach(&p.plan)));
    fields.push(("On".to_owned(), on.spans()));
    fields.push(("Asked by".to_owned(), Line::default().person(&p.by).spans()));
    fields.extend(narrowed(run));
    if let Some(origin) = super::retry::origin(run) {
        fields.push(("Retry".to_owned(), origin.spans()));
    }
    if let Some(reason) = &p.reason {
        fields.push(("Why".to_owned(), say(reason).spans()));
    }
    if let Some(rules) = super::glass::rules(run) {
        fields.push(("Break-glass".to_owned(), rules.spans()));
    }
    if !run.approvals.is_empty() {
        fields.push(("Approved by".to_owned(), approvers(run).spans()));
    }
    if run.phase == Phase::Finished
        && let Some(took) = super::rows::took(run)
    {
        fields.push(("Took".to_owned(), say(duration(took)).spans()));
    }
    fields
}

/// Who agreed to a part only, and of how many.
pub(super) fn narrowed(run: &Run) -> Option<(String, Vec<Span>)> {
    let (first, last) = (run.narrowed.first()?, run.narrowed.last()?);
    let line = Line::default().person(&last.by).plain(format!(
        " agreed to {} of the {}",
        number(run.counts.total),
        nodes(first.targets)
    ));
    Some(("Narrowed".to_owned(), line.spans()))
}

/// `@arne 14:03, @priya 14:05`.
pub(super) fn approvers(run: &Run) -> Line {
    run.approvals.iter().enumerate().fold(Line::default(), |line, (i, approval)| {
        let line = if i > 0 { line.plain(", ") } else { line };
        line.person(&approval.by).plain(" ").when(approval.at)
    })
}

fn small_print(run: &Run, view: &View) -> Block {
    let mut line = say(format!("{} · plan ", view.short)).code(run.proposal.digest.short(12));
    if let Some(at) = run.started {
        line = line.plain(" · started ").when(at);
    }
    line.note()
}

fn buttons(run: &Run) -> Vec<Button> {
    let button =
        |verb, label: &str, style| Button { verb, label: label.to_owned(), style, run: run.id, revision: run.revision };
    match run.phase {
        Phase::AwaitingApproval => vec![button(Verb::Cancel, "Cancel", Style::Plain)],
        Phase::Running if matches!(run.stopping, Some(NotStarted::Cancelled | NotStarted::Deadline)) => Vec::new(),
        // The question of the hold has its own buttons.
        Phase::Running if run.hold().is_some_and(|hold| hold.cause == HoldCause::WayBack) => Vec::new(),
        Phase::Running if run.rollback.is_some() => vec![button(Verb::Cancel, "Stop rolling back", Style::Danger)],
        Phase::Running => vec![button(Verb::Cancel, "Cancel", Style::Danger)],
        Phase::Denied | Phase::Expired | Phase::Withdrawn => vec![button(Verb::RunAgain, "Ask again", Style::Plain)],
        Phase::Finished | Phase::Cancelled => vec![button(Verb::RunAgain, "Run again", Style::Plain)],
    }
}

/// Targets that ended in this way.
#[must_use]
pub(super) fn ended_as(run: &Run, outcome: Outcome) -> u32 {
    size(run.targets.iter().filter(|t| t.outcome == Some(outcome)).count())
}
