//! What became of a rollback.

use crate::domain::{Counts, Outcome};
use crate::run::Run;
use crate::summary::seen;

use super::Block;
use super::results::Lookup;
use super::words::{Line, cut, duration, lines, nodes, number, say, size, some};

/// Nodes whose rollback did not succeed that are told one by one.
const NAMED: usize = 5;
/// Characters of what such a node printed last.
const LAST_WORDS: usize = 300;

/// `Rolled back 3 of 4 nodes`, and each node where it failed with its cause. Nothing where nothing was rolled back.
pub(super) fn told(run: &Run, lookup: Lookup<'_>) -> Vec<Block> {
    let Some(back) = &run.rollback else { return Vec::new() };
    let Counts { succeeded, total, .. } = back.counts;
    let mut head =
        Line::default().bold("Rollback").plain(format!(": {} of {} taken back", number(succeeded), nodes(total)));
    head = match &back.by {
        Some(by) => head.plain(", by ").person(by).plain(" ").when(back.at),
        None => head.plain(", by itself, because a step asks for it, ").when(back.at),
    };
    let mut told = vec![head];
    let left = left(run);
    for (name, outcome, target) in left.iter().take(NAMED) {
        let report = run.targets[*target].rollback.as_ref();
        let cause = report.and_then(|r| r.cause.clone());
        let printed = report.and_then(|r| r.output).and_then(|key| lookup(&key));
        let last = printed.as_deref().map(seen).and_then(|text| {
            text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(|line| cut(line, LAST_WORDS))
        });
        let mut line = say("• ").bold(cut(name, 64)).plain(format!(": {outcome}"));
        if let Some(code) = report.and_then(|r| r.exit_code).filter(|c| *c != 0) {
            line = line.plain(format!(" (exit code {code})"));
        }
        line = match (cause, last) {
            (Some(cause), _) => line.plain(", ").prose(&cause),
            (None, Some(last)) => line.plain(", ").code(last),
            (None, None) => line,
        };
        told.push(line);
    }
    if left.len() > NAMED {
        told.push(say(format!("… and {} more", nodes(size(left.len() - NAMED)))));
    }
    vec![Block::Text(lines(told))]
}

/// The most urgent thing after a rollback that did not reach everything.
pub(super) fn next(run: &Run) -> Option<String> {
    let left = left(run);
    let names: Vec<String> = left.iter().map(|(name, ..)| cut(name, 64)).collect();
    (!names.is_empty()).then(|| {
        let stand = if names.len() == 1 { "stands" } else { "stand" };
        format!("The rollback did not succeed on {}, which {stand} half way: look there first.", some(&names, NAMED))
    })
}

/// How far a rollback is, for the living card.
pub(super) fn progress(run: &Run) -> Option<Line> {
    let back = run.rollback.as_ref()?;
    let c = &back.counts;
    let mut parts = vec![format!("Rolling back: {} of {} taken back", number(c.succeeded), nodes(c.total))];
    if c.errors() > 0 {
        parts.push(format!("{} failed or not reached", number(c.errors())));
    }
    if c.pending() > 0 {
        parts.push(format!("{} to go", number(c.pending())));
    }
    let limit = run.proposal.plan.rollback.as_ref().map(|s| duration(s.timeout)).unwrap_or_default();
    Some(say(parts.join(" · ")).plain(format!("; at most {limit} on each.")))
}

/// Touched nodes whose rollback ended in anything but success, with their index.
fn left(run: &Run) -> Vec<(&str, Outcome, usize)> {
    let targets = run.proposal.plan.targets.iter().zip(&run.targets).enumerate();
    targets
        .filter_map(|(index, (planned, state))| match state.rolled_back {
            Some(Outcome::Succeeded) | None => None,
            Some(outcome) => Some((planned.name.as_str(), outcome, index)),
        })
        .collect()
}
