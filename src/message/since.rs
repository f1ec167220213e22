//! What has changed since the same was run on the same last: people run checks every day and want to know what is new.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Digest, Outcome, Target, Timestamp};
use crate::plan::PlannedTarget;
use crate::redact::untagged;
use crate::run::{Phase, Run};
use crate::summary::{Pair, changes};

use super::blast::{NAME, names_of};
use super::results::Lookup;
use super::rows::{is_cut, output_key, printed, printing};
use super::words::{count, cut, lines, list, nodes, number, say, size, some};
use super::{Block, View};

/// Nodes that are named for each change.
const NAMED: usize = 3;
/// Lines that read otherwise now, of which so many are told, each in so many characters.
const MOVED: usize = 4;
const LINE: usize = 100;
/// Bytes of texts that are compared.
const TEXTS: usize = 64 << 20;
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

/// What became of that which nodes print that went well both times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Said {
    /// It is no longer kept, or too much to compare.
    #[default]
    Unknown,
    Compared {
        moved: Vec<Moved>,
        /// Nodes that were looked at, where these are not all: SSM cut what the others print, or it was too much.
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
    /// Nodes that went well both times and print the same.
    same: u32,
    /// Nodes that went well both times and are not looked at.
    left_out: u32,
}

impl<'r> Comparison<'r> {
    #[must_use]
    pub fn of(before: &'r Run, now: &'r Run) -> Self {
        let targets = before.proposal.plan.targets.iter().enumerate();
        let then: BTreeMap<&Target, usize> = targets.map(|(at, planned)| (&planned.target, at)).collect();
        let mut known: BTreeMap<[Option<Digest>; 2], usize> = BTreeMap::new();
        let mut made = Comparison { before, now, differing: Vec::new(), same: 0, left_out: 0 };
        for (at, planned) in now.proposal.plan.targets.iter().enumerate() {
            let Some(before_at) = then.get(&planned.target).copied() else { continue };
            let states = [&before.targets[before_at], &now.targets[at]];
            if states.iter().any(|state| state.outcome != Some(Outcome::Succeeded)) {
                continue;
            }
            let keys = states.map(output_key);
            match known.get(&keys) {
                Some(known) => made.differing[*known].nodes += 1,
                // Where a cut output ends depends on all that stands before.
                None if states.iter().any(|state| is_cut(state)) => made.left_out += 1,
                None if keys[0] == keys[1] => made.same += 1,
                None if made.differing.len() == PAIRS => made.left_out += 1,
                None => {
                    known.insert(keys, made.differing.len());
                    made.differing.push(Differing { before: before_at, now: at, nodes: 1 });
                }
            }
        }
        made
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
            let mut keys = printing(&run.targets[at]);
            // Nothing was printed, which can be compared too.
            let printed = printed(&run.proposal.plan, &run.targets[at], lookup).unwrap_or_default();
            keys.all(|(_, key)| lookup(&key).is_some()).then(|| untagged(&printed).into_owned())
        };
        let mut left = TEXTS;
        let both = |one: &Differing| {
            let pair = (text(self.before, one.before)?, text(self.now, one.now)?);
            left = left.checked_sub(pair.0.len() + pair.1.len())?;
            Some(pair)
        };
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
        moved.sort_by_key(|moved| Reverse(moved.nodes));
        let looked_at = self.same + self.differing.iter().map(|one| one.nodes).sum::<u32>();
        Said::Compared { moved, of: (self.left_out > 0).then_some(looked_at) }
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
        let names: Vec<String> = names_of(&run.proposal.plan, those, NAME);
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
    // Said of all nodes only where all were looked at.
    let same = moved.is_some_and(<[Moved]>::is_empty) && of.is_none() && still == 0;
    let head = match changes.as_slice() {
        [] if same => "every node ended as it did then and says the same.".to_owned(),
        [] => format!("every node ended as it did then{rest}."),
        changes => format!("{}{rest}.", list(changes, "and")),
    };
    let moved = moved.unwrap_or_default();
    let more = match (moved.is_empty(), of) {
        (true, _) => String::new(),
        (false, None) => " Nodes that went well both times print something else now:".to_owned(),
        (false, Some(of)) => format!(
            " Of the nodes that went well both times {} could be compared, and some print something else now:",
            number(of)
        ),
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
