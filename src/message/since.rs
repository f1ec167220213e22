//! What has changed since the same was run on the same last: people run checks every day and want to know what is new.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Digest, Outcome, Target, Timestamp};
use crate::plan::PlannedTarget;
use crate::redact::untagged;
use crate::run::{Phase, Run};
use crate::summary::{Pair, changes};

use super::blast::names_of;
use super::results::Lookup;
use super::rows::{output_key, printed, printing};
use super::words::{count, cut, lines, list, nodes, number, say, size, some};
use super::{Block, View};

/// Nodes that are named for each change.
const NAMED: usize = 3;
/// Lines that read otherwise now, of which so many are told, each in so many characters.
const MOVED: usize = 4;
const LINE: usize = 100;
/// Pairs of different outputs that are compared. Nodes that print the same as each other are one.
const PAIRS: usize = 1_000;

/// How an earlier run ended on each of its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Its short id.
    pub short: String,
    ended: Timestamp,
    well: BTreeMap<Target, bool>,
    said: Said,
}

/// What became of that which nodes print.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Said {
    /// It is no longer kept.
    #[default]
    Unknown,
    Compared {
        moved: Vec<Moved>,
        /// So many nodes were looked at, where these are not all that print something else.
        of: Option<u32>,
    },
}

/// A line that reads otherwise now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// `None`: the line is new.
    pub from: Option<String>,
    /// `None`: the line is gone.
    pub to: Option<String>,
    pub nodes: u32,
}

/// Nodes that went well both times and print something else now: where one of them stands in both plans, and how many there
/// are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Differing {
    before: usize,
    now: usize,
    nodes: u32,
}

/// Two runs of which the outputs are compared.
#[derive(Debug)]
pub struct Comparison<'r> {
    before: &'r Run,
    now: &'r Run,
    differing: Vec<Differing>,
    of: Option<u32>,
}

impl<'r> Comparison<'r> {
    #[must_use]
    pub fn of(before: &'r Run, now: &'r Run) -> Self {
        let printed = |run: &Run, at: usize| {
            let state = &run.targets[at];
            (state.outcome == Some(Outcome::Succeeded)).then(|| output_key(state)).flatten()
        };
        let targets = before.proposal.plan.targets.iter().enumerate();
        let then: BTreeMap<&Target, usize> = targets.map(|(at, planned)| (&planned.target, at)).collect();
        let mut known: BTreeMap<(Digest, Digest), usize> = BTreeMap::new();
        let mut differing: Vec<Differing> = Vec::new();
        let mut left_out = false;
        for (at, planned) in now.proposal.plan.targets.iter().enumerate() {
            let Some(before_at) = then.get(&planned.target).copied() else { continue };
            let (Some(old), Some(new)) = (printed(before, before_at), printed(now, at)) else { continue };
            if old == new {
                continue;
            }
            match known.get(&(old, new)) {
                Some(known) => differing[*known].nodes += 1,
                None if differing.len() == PAIRS => left_out = true,
                None => {
                    known.insert((old, new), differing.len());
                    differing.push(Differing { before: before_at, now: at, nodes: 1 });
                }
            }
        }
        let of = left_out.then(|| differing.iter().map(|one| one.nodes).sum());
        Comparison { before, now, differing, of }
    }

    /// The outputs of the run before that it takes, and those of this one.
    #[must_use]
    pub fn wants(&self) -> [BTreeSet<Digest>; 2] {
        let keys = |run: &Run, at: usize| printing(&run.targets[at]).map(|(_, key)| key).collect::<Vec<_>>();
        let before = self.differing.iter().flat_map(|one| keys(self.before, one.before)).collect();
        [before, self.differing.iter().flat_map(|one| keys(self.now, one.now)).collect()]
    }

    /// What became of it.
    #[must_use]
    pub fn said(&self, lookup: Lookup<'_>) -> Said {
        let text = |run: &Run, at: usize| {
            let kept = printing(&run.targets[at]).all(|(_, key)| lookup(&key).is_some());
            let printed = kept.then(|| printed(&run.proposal.plan, &run.targets[at], lookup)).flatten();
            printed.map(|text| untagged(&text).into_owned())
        };
        let both = |one: &Differing| Some((text(self.before, one.before)?, text(self.now, one.now)?));
        let Some(texts) = self.differing.iter().map(both).collect::<Option<Vec<_>>>() else { return Said::Unknown };
        let name = |one: &Differing| if one.nodes == 1 { &*self.now.proposal.plan.targets[one.now].name } else { "" };
        let pairs: Vec<Pair<'_>> =
            self.differing.iter().zip(&texts).map(|(one, (old, new))| Pair { name: name(one), old, new }).collect();
        let moved = changes(&pairs).into_iter().map(|change| Moved {
            nodes: change.pairs.iter().map(|at| self.differing[*at as usize].nodes).sum(),
            from: change.from,
            to: change.to,
        });
        let mut moved: Vec<Moved> = moved.collect();
        moved.sort_by(|a, b| b.nodes.cmp(&a.nodes));
        Said::Compared { moved, of: self.of }
    }
}

impl Before {
    /// `None` unless it is over and was run on all that its selector named then.
    #[must_use]
    pub fn of(run: &Run, short: String) -> Option<Before> {
        let ended = run.ended.filter(|_| run.phase == Phase::Finished && is_whole(run))?;
        let well = |outcome: Option<Outcome>| outcome == Some(Outcome::Succeeded);
        let targets = run.proposal.plan.targets.iter().zip(&run.targets);
        let well = targets.map(|(t, s)| (t.target.clone(), well(s.outcome))).collect();
        Some(Before { short, ended, well, said: Said::Unknown })
    }

    /// With what became of that which its nodes print.
    #[must_use]
    pub fn with(self, said: Said) -> Before {
        Before { said, ..self }
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

/// `Since r-4XK2 …: 2 newly not well (web-1 and web-7), 1 well again (db-2)`, and the lines that read otherwise now.
pub(super) fn told(run: &Run, view: &View) -> Option<Block> {
    let before = view.before.as_ref()?;
    let (mut worse, mut better, mut still, mut new) = (Vec::new(), Vec::new(), 0usize, Vec::new());
    let mut known = 0;
    for (planned, state) in run.proposal.plan.targets.iter().zip(&run.targets) {
        let well = state.outcome == Some(Outcome::Succeeded);
        known += usize::from(before.well.contains_key(&planned.target));
        match (before.well.get(&planned.target), well) {
            (Some(true), false) => worse.push(planned),
            (Some(false), true) => better.push(planned),
            (Some(false), false) => still += 1,
            (Some(true), true) => {}
            (None, _) => new.push(planned),
        }
    }
    // Not by their names: who may see this run need not see them.
    let gone = before.well.len() - known;
    let named = |those: &[&PlannedTarget], what: &str| {
        let names: Vec<String> = names_of(&run.proposal.plan, those).iter().map(|name| cut(name, 64)).collect();
        (!names.is_empty()).then(|| format!("{} {what} ({})", number(size(names.len())), some(&names, NAMED)))
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
    let (moved, of) = match &before.said {
        Said::Unknown => (None, None),
        Said::Compared { moved, of } => (Some(moved.as_slice()), *of),
    };
    let head = match (changes.as_slice(), moved) {
        ([], Some([])) => format!("every node ended as it did then and says the same{rest}."),
        ([], _) => format!("every node ended as it did then{rest}."),
        (changes, _) => format!("{}{rest}.", list(changes, "and")),
    };
    let moved = moved.unwrap_or_default();
    let more = match (moved.is_empty(), of) {
        (true, _) => String::new(),
        (false, None) => " What they print has changed:".to_owned(),
        (false, Some(of)) => format!(" What they print has changed, by {} of them:", number(of)),
    };
    let code = |text: &str| say("").code(cut(text, LINE));
    let line_of = |moved: &Moved| {
        let line = match (&moved.from, &moved.to) {
            (Some(from), Some(to)) => code(from).plain(" is now ").code(cut(to, LINE)),
            (None, Some(to)) => code(to).plain(" is new"),
            (Some(from), None) => code(from).plain(" is gone"),
            (None, None) => say(""),
        };
        line.plain(format!(" on {}", nodes(moved.nodes)))
    };
    let mut told = vec![line.plain(head + &more)];
    told.extend(moved.iter().take(MOVED).map(line_of));
    let rest = moved.len().saturating_sub(MOVED);
    told.extend((rest > 0).then(|| say(format!("… and {}", count(size(rest), "more change")))));
    Some(Block::Text(lines(told)))
}
