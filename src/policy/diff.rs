//! Two sets of rules and runbooks -> what changes for whom, on which nodes of an inventory.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::domain::{AccountId, GroupName, RunbookName, Snapshot, Target};
use crate::runbook::{Library, Runbook};

use super::ground::{Ground, Kin};
use super::reach::{Reach, facts_of, reach, runs_on};
use super::set::{BreakGlass, GLASS, Overridden, PolicySet};
use super::view::group_reads;

/// Rules and the runbooks that they are about.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    pub policy: &'a PolicySet,
    pub runbooks: &'a Library,
}

/// Everything that is different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Nodes and accounts that were compared on.
    pub nodes: u32,
    pub accounts: u32,
    /// What a group may run, by runbook and group.
    pub effects: Vec<Effect>,
    /// What a group may read of other people's runs.
    pub reads: Vec<Reads>,
    pub runbooks: Vec<RunbookChange>,
    /// Rules, sets, groups and people whose text means something else now, also where nothing above comes of it.
    pub rules: Vec<RuleChange>,
}

impl Difference {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty() && self.reads.is_empty() && self.runbooks.is_empty() && self.rules.is_empty()
    }
}

/// One group's change for one runbook on some nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    pub runbook: RunbookName,
    pub group: GroupName,
    /// `None`: nothing. Never the same as `after`.
    pub before: Option<Reach>,
    pub after: Option<Reach>,
    pub nodes: u32,
    /// By name, the most first.
    pub accounts: Vec<(String, u32)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reads {
    pub group: GroupName,
    pub gained: u32,
    pub lost: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
    Changed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunbookChange {
    pub name: RunbookName,
    pub change: Change,
    /// Fragments such as ``risk `read` → `change` ``.
    pub details: Vec<String>,
    /// Groups that may run what it says now, with the number of nodes.
    pub runs: Vec<(GroupName, u32)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// `grant`, `set`, `group` …
    pub kind: &'static str,
    pub name: String,
    pub change: Change,
    /// Members that came and went, for a group.
    pub details: Vec<String>,
}

/// Compares on every node of `snapshot`.
#[must_use]
pub fn diff(old: Side<'_>, new: Side<'_>, snapshot: &Snapshot) -> Difference {
    let facts = facts_of(snapshot, &snapshot.nodes.iter().collect::<Vec<_>>());
    let none = BTreeSet::new();
    let before = Survey::of(old, Ground::survey(old.policy, &facts, &none));
    let after = Survey::of(new, Ground::survey(new.policy, &facts, &none));
    let names: BTreeMap<&AccountId, &str> = snapshot.accounts.iter().map(|a| (&a.id, a.name.as_str())).collect();
    let accounts: BTreeSet<&AccountId> = facts.iter().map(|facts| &facts.target.account).collect();
    let targets: BTreeSet<&Target> = facts.iter().map(|facts| facts.target).collect();
    let cells = cells(&before, &after);
    Difference {
        nodes: whole(targets.len()),
        accounts: whole(accounts.len()),
        effects: effects(&before, &after, &cells, snapshot, &names),
        reads: reads(&before, &after, &cells),
        runbooks: runbooks(old.runbooks, new.runbooks, &after, snapshot),
        rules: rules(old.policy, new.policy),
    }
}

fn whole(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// One side, held against the inventory.
struct Survey<'a> {
    side: Side<'a>,
    ground: Ground<'a>,
}

impl<'a> Survey<'a> {
    fn of(side: Side<'a>, ground: Ground<'a>) -> Self {
        Survey { side, ground }
    }
    fn groups(&self) -> impl Iterator<Item = &'a GroupName> {
        self.side.policy.groups.keys()
    }
    fn reach(&self, group: &GroupName, runbook: Option<&Runbook>, kin: &Kin<'_>) -> Option<Reach> {
        // A group that does not exist on this side is in no rule of it.
        reach(self.side.policy, group, runbook?, &self.ground, kin)
    }
    /// The targets with the place of their kin, in order.
    fn places(&self) -> BTreeMap<&'a Target, usize> {
        let kin = self.ground.kin.iter().enumerate();
        kin.flat_map(|(at, kin)| kin.targets.iter().map(move |target| (*target, at))).collect()
    }
}

/// Nodes that both sides see as alike: the kin before and after, and the targets.
type Cells<'a> = BTreeMap<(usize, usize), Vec<&'a Target>>;

fn cells<'a>(before: &Survey<'a>, after: &Survey<'a>) -> Cells<'a> {
    let after = after.places();
    let mut cells = Cells::new();
    for (target, at) in before.places() {
        if let Some(then) = after.get(target) {
            cells.entry((at, *then)).or_default().push(target);
        }
    }
    cells
}

fn effects(
    before: &Survey<'_>,
    after: &Survey<'_>,
    cells: &Cells<'_>,
    snapshot: &Snapshot,
    names: &BTreeMap<&AccountId, &str>,
) -> Vec<Effect> {
    let groups: BTreeSet<&GroupName> = before.groups().chain(after.groups()).collect();
    let books: BTreeSet<&RunbookName> =
        before.side.runbooks.runbooks.keys().chain(after.side.runbooks.runbooks.keys()).collect();
    let mut effects: Vec<Effect> = Vec::new();
    for name in books {
        let books = [before, after].map(|survey| survey.side.runbooks.get(name).map(AsRef::as_ref));
        let fits = books.map(|book| book.map(|book| runs_on(snapshot, book)).unwrap_or_default());
        for group in &groups {
            let start = effects.len();
            for ((then, now), targets) in cells {
                let reaches = [
                    before.reach(group, books[0], &before.ground.kin[*then]),
                    after.reach(group, books[1], &after.ground.kin[*now]),
                ];
                // A runbook's platforms may change too, so each target goes by its own.
                for target in targets {
                    let [old, new] =
                        [0, 1].map(|side: usize| reaches[side].as_ref().filter(|_| fits[side].contains(*target)));
                    if old != new {
                        note(&mut effects, start, name, group, (old, new), names.get(&target.account).copied());
                    }
                }
            }
        }
    }
    for effect in &mut effects {
        effect.accounts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    }
    effects
}

/// Counts one target to the effect that is the same for it; those of this runbook and group begin at `start`.
fn note(
    effects: &mut Vec<Effect>,
    start: usize,
    runbook: &RunbookName,
    group: &GroupName,
    (before, after): (Option<&Reach>, Option<&Reach>),
    account: Option<&str>,
) {
    let same = |effect: &&mut Effect| effect.before.as_ref() == before && effect.after.as_ref() == after;
    let at = match effects[start..].iter_mut().find(same) {
        Some(effect) => effect,
        None => {
            effects.push(Effect {
                runbook: runbook.clone(),
                group: group.clone(),
                before: before.cloned(),
                after: after.cloned(),
                nodes: 0,
                accounts: Vec::new(),
            });
            let last = effects.len() - 1;
            &mut effects[last]
        }
    };
    at.nodes += 1;
    let account = account.unwrap_or_default();
    match at.accounts.iter_mut().find(|(name, _)| name == account) {
        Some((_, count)) => *count += 1,
        None => at.accounts.push((account.to_owned(), 1)),
    }
}

fn reads(before: &Survey<'_>, after: &Survey<'_>, cells: &Cells<'_>) -> Vec<Reads> {
    let groups: BTreeSet<&GroupName> = before.groups().chain(after.groups()).collect();
    let mut reads = Vec::new();
    for group in groups {
        let mut change = Reads { group: group.clone(), gained: 0, lost: 0 };
        for ((then, now), targets) in cells {
            let could = group_reads(before.side.policy, group, &before.ground, &before.ground.kin[*then]);
            let can = group_reads(after.side.policy, group, &after.ground, &after.ground.kin[*now]);
            match (could, can) {
                (false, true) => change.gained += whole(targets.len()),
                (true, false) => change.lost += whole(targets.len()),
                (true, true) | (false, false) => {}
            }
        }
        if change.gained + change.lost > 0 {
            reads.push(change);
        }
    }
    reads
}

fn runbooks(old: &Library, new: &Library, after: &Survey<'_>, snapshot: &Snapshot) -> Vec<RunbookChange> {
    let names: BTreeSet<&RunbookName> = old.runbooks.keys().chain(new.runbooks.keys()).collect();
    let mut changes = Vec::new();
    for name in names {
        let (change, details, now) = match (old.get(name), new.get(name)) {
            (Some(then), Some(now)) if then.revision == now.revision => continue,
            (Some(then), Some(now)) => (Change::Changed, details(then, now), Some(now)),
            (None, Some(now)) => (Change::Added, Vec::new(), Some(now)),
            (Some(_), None) => (Change::Removed, Vec::new(), None),
            (None, None) => continue,
        };
        let mut runs = Vec::new();
        if let Some(book) = now {
            let fits = runs_on(snapshot, book);
            for group in after.groups() {
                let kin = after.ground.kin.iter().filter(|kin| after.reach(group, Some(book), kin).is_some());
                let count = kin.flat_map(|kin| &kin.targets).filter(|target| fits.contains(**target)).count();
                if count > 0 {
                    runs.push((group.clone(), whole(count)));
                }
            }
        }
        changes.push(RunbookChange { name: name.clone(), change, details, runs });
    }
    changes
}

/// What the policy and people go by, in words; the rest by its name.
fn details(then: &Runbook, now: &Runbook) -> Vec<String> {
    let mut details = Vec::new();
    if then.risk != now.risk {
        details.push(format!("risk `{}` → `{}`", then.risk.as_str(), now.risk.as_str()));
    }
    if then.owner != now.owner {
        details.push(format!("owner `{}` → `{}`", then.owner, now.owner));
    }
    if then.targets.max != now.targets.max {
        details.push(format!("at most {} → {} targets", then.targets.max, now.targets.max));
    }
    let parts = [
        ("parameters", then.parameters != now.parameters),
        ("targets", then.targets != (crate::runbook::TargetRules { max: then.targets.max, ..now.targets.clone() })),
        ("steps", then.steps != now.steps),
        ("rollback", then.rollback != now.rollback),
        ("rollout", then.rollout != now.rollout),
    ];
    details.extend(parts.iter().filter(|(_, changed)| *changed).map(|(name, _)| (*name).to_owned()));
    if details.is_empty() {
        details.push("only its words".to_owned());
    }
    details
}

fn rules(old: &PolicySet, new: &PolicySet) -> Vec<RuleChange> {
    let mut changes = Vec::new();
    listed(&mut changes, "grant", &old.grants, &new.grants, |g| &g.id);
    listed(&mut changes, "forbid", &old.forbids, &new.forbids, |f| &f.id);
    listed(&mut changes, "freeze", &old.freezes, &new.freezes, |f| &f.id);
    listed(&mut changes, "approval", &old.approvals, &new.approvals, |a| &a.id);
    listed(&mut changes, "view", &old.view, &new.view, |v| &v.id);
    named(&mut changes, "set", &old.sets, &new.sets, |_, _| Vec::new());
    named(&mut changes, "group", &old.groups, &new.groups, |then, now| {
        let all = |members: &super::set::Members| -> BTreeSet<String> {
            members.refs.iter().map(ToString::to_string).chain(members.users.iter().map(ToString::to_string)).collect()
        };
        came_and_went(&all(then), &all(now))
    });
    named(&mut changes, "person", &old.people, &new.people, |then, now| {
        let all = |accounts: &BTreeSet<crate::domain::Principal>| accounts.iter().map(ToString::to_string).collect();
        came_and_went(&all(then), &all(now))
    });
    named(&mut changes, "identity", &old.identities, &new.identities, |then, now| {
        vec![format!("+ {now}"), format!("- {then}")]
    });
    named(&mut changes, "approvers", &old.approvers, &new.approvers, |_, _| Vec::new());
    if old.glass != new.glass {
        let [then, now] = [&old.glass, &new.glass].map(|glass| glass.as_ref().map(in_words).unwrap_or_default());
        let change = match (&old.glass, &new.glass) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            (Some(_), Some(_)) => Change::Changed,
        };
        changes.push(RuleChange {
            kind: "emergency",
            name: GLASS.to_owned(),
            change,
            details: came_and_went(&then, &now),
        });
    }
    for (name, then, now) in [("who", &old.halt.who, &new.halt.who), ("resume", &old.halt.resume, &new.halt.resume)] {
        if then != now {
            let details = came_and_went(then, now);
            changes.push(RuleChange { kind: "halt", name: name.to_owned(), change: Change::Changed, details });
        }
    }
    changes
}

/// Each thing that it says.
fn in_words(glass: &BreakGlass) -> BTreeSet<String> {
    let overrides = glass.overrides.iter().map(|kind| match kind {
        Overridden::Freeze => "overrides freeze".to_owned(),
        Overridden::Approval => "overrides approval".to_owned(),
    });
    let who = glass.who.iter().map(|group| format!("who {group}"));
    let notify = glass.notify.iter().map(|channel| format!("notify {channel}"));
    let review = glass.review.iter().map(|group| format!("review {group}"));
    let limits = [
        format!("second {}", glass.second),
        format!("justification_min {}", glass.justification_min),
        format!("max_targets {}", glass.max_targets),
        format!("expires {}", glass.expires),
        format!("review_within {}", glass.review_within),
    ];
    overrides.chain(who).chain(notify).chain(review).chain(limits).collect()
}

/// `+ x` and `- y`.
fn came_and_went(then: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let came = now.difference(then).map(|one| format!("+ {one}"));
    let went = then.difference(now).map(|one| format!("- {one}"));
    came.chain(went).collect()
}

fn listed<T: PartialEq>(
    changes: &mut Vec<RuleChange>,
    kind: &'static str,
    old: &[T],
    new: &[T],
    id: impl Fn(&T) -> &String,
) {
    let by_id = |rules| -> BTreeMap<String, &T> {
        let rules: &[T] = rules;
        rules.iter().map(|rule| (id(rule).clone(), rule)).collect()
    };
    named(changes, kind, &by_id(old), &by_id(new), |_, _| Vec::new());
}

fn named<T: PartialEq>(
    changes: &mut Vec<RuleChange>,
    kind: &'static str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    details: impl Fn(&T, &T) -> Vec<String>,
) {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (change, details) = match (old.get(name), new.get(name)) {
            (Some(then), Some(now)) if then == now => continue,
            (Some(then), Some(now)) => (Change::Changed, details(then, now)),
            (None, _) => (Change::Added, Vec::new()),
            (_, None) => (Change::Removed, Vec::new()),
        };
        changes.push(RuleChange { kind, name: name.clone(), change, details });
    }
}
