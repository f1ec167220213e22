//! What has changed since the same was run on the same last: people run checks every day and want to know what is new.

use std::collections::BTreeMap;

use crate::domain::{Outcome, Target, Timestamp};
use crate::run::{Phase, Run};

use super::View;
use super::words::{Line, cut, list, nodes, number, say, size, some};

/// Nodes that are named for each change.
const NAMED: usize = 3;

/// How an earlier run ended on each of its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Its short id.
    pub short: String,
    ended: Timestamp,
    well: BTreeMap<Target, bool>,
}

impl Before {
    /// `None` unless it is over and was run on all that its selector named then.
    #[must_use]
    pub fn of(run: &Run, short: String) -> Option<Before> {
        let ended = run.ended.filter(|_| run.phase == Phase::Finished && is_whole(run))?;
        let well = |outcome: Option<Outcome>| outcome == Some(Outcome::Succeeded);
        let targets = run.proposal.plan.targets.iter().zip(&run.targets);
        Some(Before { short, ended, well: targets.map(|(t, s)| (t.target.clone(), well(s.outcome))).collect() })
    }
}

/// Neither a retry nor a part.
#[must_use]
pub fn is_whole(run: &Run) -> bool {
    let coverage = &run.proposal.plan.coverage;
    run.proposal.retry.is_none() && run.narrowed.is_empty() && coverage.left_out == 0 && coverage.unread.is_empty()
}

/// The same was asked: the runbook by its name, its arguments, the selector, in the same place, where everybody could
/// read the other one too.
#[must_use]
pub fn is_same(one: &Run, other: &Run) -> bool {
    let (a, b) = (&one.proposal, &other.proposal);
    let place = |run: &Run| {
        let place = &run.proposal.place;
        (place.platform, place.tenant.clone(), place.channel.clone())
    };
    (&a.plan.runbook, &a.plan.arguments, &a.plan.selector) == (&b.plan.runbook, &b.plan.arguments, &b.plan.selector)
        && place(one) == place(other)
}

/// `Since r-4XK2 …: 2 newly not well (web-1 and web-7), 1 well again (db-2)`.
pub(super) fn told(run: &Run, view: &View) -> Option<Line> {
    let before = view.before.as_ref()?;
    let (mut worse, mut better, mut still, mut new) = (Vec::new(), Vec::new(), 0usize, Vec::new());
    let mut known = 0;
    for (planned, state) in run.proposal.plan.targets.iter().zip(&run.targets) {
        let name = cut(&planned.name, 64);
        let well = state.outcome == Some(Outcome::Succeeded);
        known += usize::from(before.well.contains_key(&planned.target));
        match (before.well.get(&planned.target), well) {
            (Some(true), false) => worse.push(name),
            (Some(false), true) => better.push(name),
            (Some(false), false) => still += 1,
            (Some(true), true) => {}
            (None, _) => new.push(name),
        }
    }
    // Not by their names: who may see this run need not see them.
    let gone = before.well.len() - known;
    let named = |names: &[String], what: &str| {
        (!names.is_empty()).then(|| format!("{} {what} ({})", number(size(names.len())), some(names, NAMED)))
    };
    let changes: Vec<String> = [
        named(&worse, "newly not well"),
        named(&better, "well again"),
        named(&new, if new.len() == 1 { "new node" } else { "new nodes" }),
        (gone > 0).then(|| format!("{} gone", nodes(size(gone)))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let rest = if still > 0 { format!("; {} not well as before", number(size(still))) } else { String::new() };
    let line = say("Since ").code(&before.short).plain(", ").when(before.ended).plain(": ");
    Some(match changes.as_slice() {
        [] => line.plain(format!("every node ended as it did then{rest}.")),
        changes => line.plain(format!("{}{rest}.", list(changes, "and"))),
    })
}
