//! What the members of one group may run where, whatever values they give: for questions about the rules themselves.
//!
//! Each group is looked at alone. Somebody who is in several has the grants of all and the forbids of all. Freezes are
//! left out: they end.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::domain::{Account, AccountId, ChannelRef, GroupName, Node, Snapshot, Target};
use crate::plan::unfit;
use crate::runbook::Runbook;

use super::decide::forbidden;
use super::fits::Production;
use super::ground::{Ground, Kin};
use super::offer::can_meet;
use super::request::{RunbookFacts, TargetFacts};
use super::set::{Grant, Granted, ParameterRule, PolicySet};

/// How a group may run a runbook on some targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// By each of the grants that cover it; what another one allows already is left out.
    pub ways: Vec<Way>,
    /// The approvals that it takes by the number of targets within the hour: those of the last step that is exceeded. The
    /// first step is 0.
    pub approvals: BTreeMap<u32, BTreeMap<GroupName, u32>>,
}

/// What one grant says besides who, which runbook and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// The most targets of one plan, by the grant and by the runbook itself.
    pub at_once: u32,
    pub parameters: BTreeMap<String, ParameterRule>,
    /// `None` is everywhere.
    pub channels: Option<BTreeSet<ChannelRef>>,
}

impl Way {
    /// Whoever may go this way may go the other one too.
    fn is_needless_beside(&self, other: &Way) -> bool {
        let looser = |(name, rule): (&String, &ParameterRule)| self.parameters.get(name) == Some(rule);
        let channels =
            other.channels.as_ref().is_none_or(|wide| self.channels.as_ref().is_some_and(|own| own.is_subset(wide)));
        self.at_once <= other.at_once && channels && other.parameters.iter().all(looser)
    }
}

impl Granted {
    /// It is about this runbook, whatever the values.
    pub(super) fn names(&self, runbook: &Runbook) -> bool {
        match self {
            Granted::Names { names, .. } => names.contains(&runbook.name),
            Granted::Kind { risk, owner } => {
                risk.contains(&runbook.risk) && owner.as_ref().is_none_or(|o| o.contains(&runbook.owner))
            }
        }
    }
}

/// The facts of these nodes of an inventory, without those whose account it does not tell.
#[must_use]
pub fn facts_of<'a>(snapshot: &'a Snapshot, nodes: &[&'a Node]) -> Vec<TargetFacts<'a>> {
    let accounts: BTreeMap<&AccountId, &Account> = snapshot.accounts.iter().map(|a| (&a.id, a)).collect();
    let facts = nodes.iter().filter_map(|node| {
        let account = accounts.get(&node.target.account)?;
        Some(TargetFacts {
            target: &node.target,
            account_name: Some(&account.name),
            labels: &account.labels,
            tags: &node.tags,
        })
    });
    facts.collect()
}

/// The nodes of an inventory that the runbook can run on at all.
#[must_use]
pub fn runs_on<'a>(snapshot: &'a Snapshot, runbook: &Runbook) -> BTreeSet<&'a Target> {
    let fits = snapshot.nodes.iter().filter(|node| unfit(runbook, node.platform).is_none());
    fits.map(|node| &node.target).collect()
}

/// What `group` may run on these targets; `None` is nothing.
pub(super) fn reach(
    policy: &PolicySet,
    group: &GroupName,
    runbook: &Runbook,
    ground: &Ground<'_>,
    kin: &Kin<'_>,
) -> Option<Reach> {
    if forbidden(policy, group, RunbookFacts::from(runbook), ground, kin) {
        return None;
    }
    let possible = |rules: &BTreeMap<String, ParameterRule>| {
        let meets = |(name, rule): (&String, &ParameterRule)| {
            runbook.parameters.get(name).is_some_and(|parameter| can_meet(&parameter.kind, rule))
        };
        rules.iter().all(meets)
    };
    let covers = |g: &&Grant| g.who.contains(group) && g.run.names(runbook) && ground.surely_in(kin, &g.place);
    let ways = policy.grants.iter().filter(covers).map(|grant| Way {
        at_once: grant.max_targets.min(runbook.targets.max),
        parameters: match &grant.run {
            Granted::Names { parameters, .. } => parameters.clone(),
            Granted::Kind { .. } => BTreeMap::new(),
        },
        channels: grant.channels.clone(),
    });
    let ways: Vec<Way> = ways.filter(|way| possible(&way.parameters)).collect();
    let ways = only_widest(ways);
    (!ways.is_empty()).then(|| Reach { ways, approvals: approvals(policy, runbook, ground, kin) })
}

/// In an order of their own, so that two lists that say the same are the same.
fn only_widest(mut ways: Vec<Way>) -> Vec<Way> {
    ways.sort_by_key(|way| (std::cmp::Reverse(way.at_once), format!("{way:?}")));
    ways.dedup();
    let needless: Vec<bool> =
        ways.iter().map(|way| ways.iter().any(|other| other != way && way.is_needless_beside(other))).collect();
    let mut needless = needless.into_iter();
    ways.retain(|_| !needless.next().unwrap_or_default());
    ways
}

fn approvals(
    policy: &PolicySet,
    runbook: &Runbook,
    ground: &Ground<'_>,
    kin: &Kin<'_>,
) -> BTreeMap<u32, BTreeMap<GroupName, u32>> {
    let fires = policy.approvals.iter().filter(|rule| {
        let when = &rule.when;
        when.runbooks.as_ref().is_none_or(|names| names.contains(&runbook.name))
            && when.risk.as_ref().is_none_or(|risk| risk.contains(&runbook.risk))
            && ground.maybe_in(kin, &when.place)
            && (!when.production || kin.production != Production::No)
    });
    let mut rules: Vec<(u32, &BTreeMap<GroupName, u32>)> =
        fires.map(|rule| (rule.when.targets_over.unwrap_or(0), &rule.need)).collect();
    rules.sort_by_key(|(over, _)| *over);
    let mut steps = BTreeMap::from([(0, BTreeMap::new())]);
    let mut seats: BTreeMap<GroupName, u32> = BTreeMap::new();
    for (over, need) in rules {
        let before = seats.clone();
        for (group, count) in need {
            let seat = seats.entry(group.clone()).or_default();
            *seat = (*count).max(*seat);
        }
        if seats != before {
            steps.insert(over, seats.clone());
        }
    }
    steps
}

/// On how many targets a group may run a runbook, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    pub group: GroupName,
    pub targets: u32,
    /// The different ways, each with the number of targets that it is for, the most first.
    pub reaches: Vec<(u32, Reach)>,
}

/// Which groups may run `runbook` on some of these targets: those that reach the most first.
#[must_use]
pub fn who_can(policy: &PolicySet, runbook: &Runbook, targets: &[TargetFacts<'_>]) -> Vec<Share> {
    let ground = Ground::survey(policy, targets, &BTreeSet::new());
    let mut shares = Vec::new();
    for group in policy.groups.keys() {
        let mut share = Share { group: group.clone(), targets: 0, reaches: Vec::new() };
        for kin in &ground.kin {
            let Some(reach) = reach(policy, group, runbook, &ground, kin) else { continue };
            share.targets += kin.count;
            match share.reaches.iter_mut().find(|(_, known)| *known == reach) {
                Some((count, _)) => *count += kin.count,
                None => share.reaches.push((kin.count, reach)),
            }
        }
        share.reaches.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        if share.targets > 0 {
            shares.push(share);
        }
    }
    shares.sort_by(|a, b| b.targets.cmp(&a.targets).then_with(|| a.group.cmp(&b.group)));
    shares
}
