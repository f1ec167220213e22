//! Selecting, narrowing and freezing targets, and cutting them into waves and shards.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AccountId, Amount, Node, NodePlatform, Region, Selector, Snapshot};
use crate::runbook::{Action, Arguments, Offline, Runbook};

use super::{AccountNote, Coverage, Delivery, Plan, PlannedTarget, Shard};

/// SendCommand takes at most this many instance ids (SSM API model).
pub const SHARD_MAX: u32 = 50;

/// Why there is no plan. Nothing was sent and nothing is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPlan {
    /// The selector matches no managed node that the runbook may run on. `accounts`: those it matches, by name.
    NothingMatched { coverage: Box<Coverage>, accounts: BTreeMap<AccountId, String> },
    /// More targets than the runbook allows.
    TooMany { found: u32, max: u32, by_account: Vec<(String, u32)> },
}

/// The nodes of `snapshot` that `selector` picks and the runbook runs on, by target, and what else there is to tell.
#[must_use]
pub fn pick<'s>(runbook: &Runbook, selector: &Selector, snapshot: &'s Snapshot) -> (Vec<&'s Node>, Coverage) {
    let accounts: BTreeMap<_, _> = snapshot.accounts.iter().map(|a| (&a.id, a)).collect();
    let mut coverage = Coverage {
        unread: snapshot.unread.clone(),
        unmanaged_unknown: snapshot.unmanaged_unknown,
        ..Coverage::default()
    };
    let mut picked: BTreeMap<_, &Node> = BTreeMap::new();
    for node in &snapshot.nodes {
        let Some(account) = accounts.get(&node.target.account) else { continue };
        if !selector.matches_node(node, account) {
            continue;
        }
        match unfit(runbook, node.platform) {
            Some(why) => {
                coverage.narrowed += 1;
                *coverage.narrowed_by.entry(why).or_default() += 1;
            }
            None => {
                picked.insert(node.target.clone(), node);
            }
        }
    }
    for instance in &snapshot.unmanaged {
        let Some(account) = accounts.get(&instance.account) else { continue };
        if selector.matches_unmanaged(instance, account) {
            let name = if instance.name.is_empty() { instance.instance.to_string() } else { instance.name.clone() };
            coverage.unmanaged.push((instance.account.clone(), instance.region.clone(), name));
        }
    }
    coverage.unmanaged.sort();
    (picked.into_values().collect(), coverage)
}

/// Freezes what `selector` picks from `snapshot` into a plan.
///
/// # Errors
/// [`NoPlan`] if nothing matches or too much does.
pub fn build(
    runbook: &Runbook,
    arguments: Arguments,
    selector: &Selector,
    snapshot: &Snapshot,
    delivery: Delivery,
) -> Result<Plan, NoPlan> {
    let (nodes, coverage) = pick(runbook, selector, snapshot);
    let accounts: BTreeMap<_, _> = snapshot.accounts.iter().map(|a| (&a.id, a)).collect();
    let total = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    if total == 0 {
        let accounts = snapshot.accounts.iter().map(|a| (a.id.clone(), a.name.clone())).collect();
        return Err(NoPlan::NothingMatched { coverage: Box::new(coverage), accounts });
    }
    if total > runbook.targets.max {
        let mut by_account: BTreeMap<&AccountId, u32> = BTreeMap::new();
        nodes.iter().for_each(|n| *by_account.entry(&n.target.account).or_default() += 1);
        let mut by_account: Vec<(String, u32)> =
            by_account.into_iter().map(|(id, n)| (accounts[id].name.clone(), n)).collect();
        by_account.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        return Err(NoPlan::TooMany { found: total, max: runbook.targets.max, by_account });
    }

    let spots: Vec<Spot<'_>> = nodes.iter().map(|n| Spot { account: &n.target.account, online: n.online }).collect();
    let waves = waves(&spots, &runbook.rollout.waves);
    let targets: Vec<PlannedTarget> = nodes
        .iter()
        .zip(&waves)
        .map(|(node, wave)| PlannedTarget {
            target: node.target.clone(),
            name: node.name.clone(),
            platform: node.platform,
            agent_version: node.agent_version.clone(),
            attributes: node.attributes.clone(),
            tags: node.tags.clone(),
            offline: !node.online,
            wave: *wave,
        })
        .collect();
    let max_in_flight = runbook.rollout.max_in_flight.of(total).max(1);
    let skip_offline = runbook.targets.offline == Offline::Skip;
    let shards = shards(&targets, skip_offline, max_in_flight.min(SHARD_MAX));
    let used: BTreeSet<&AccountId> = targets.iter().map(|t| &t.target.account).collect();
    let notes = snapshot
        .accounts
        .iter()
        .filter(|a| used.contains(&a.id) || coverage.unread.iter().any(|u| u.account == a.id))
        .map(|a| (a.id.clone(), AccountNote { name: a.name.clone(), labels: a.labels.clone() }))
        .collect();
    Ok(Plan {
        version: super::digest::VERSION,
        runbook: runbook.name.clone(),
        revision: runbook.revision,
        title: runbook.title.clone(),
        risk: runbook.risk,
        owner: runbook.owner.clone(),
        arguments,
        delivery,
        steps: runbook.steps.clone(),
        rollback: runbook.rollback.clone(),
        waves: waves.iter().max().map_or(0, |w| w + 1),
        max_in_flight,
        max_errors: runbook.rollout.max_errors.of(total),
        hold: runbook.rollout.hold,
        hold_for: runbook.rollout.hold_for,
        deadline: runbook.rollout.deadline,
        exclusive: runbook.targets.exclusive,
        selector: selector.to_string(),
        accounts: notes,
        targets,
        shards,
        coverage,
    })
}

/// Why the runbook cannot run on this platform, such as `platform windows`.
#[must_use]
pub fn unfit(runbook: &Runbook, platform: NodePlatform) -> Option<String> {
    let listed = runbook.targets.platforms.is_empty() || runbook.targets.platforms.contains(&platform);
    let runs = runbook.steps.iter().chain(&runbook.rollback).all(|step| match step.action {
        Action::Shell { .. } => platform != NodePlatform::Windows,
        Action::Powershell { .. } => platform == NodePlatform::Windows,
        Action::Document { .. } | Action::Automation { .. } => true,
    });
    (!listed || !runs).then(|| format!("platform {}", platform.as_str()))
}

/// A node as waves see it.
pub(super) struct Spot<'a> {
    pub account: &'a AccountId,
    pub online: bool,
}

/// The wave of each node, from 0. `shares` are cumulative; a wave that would add no node does not exist.
///
/// The first wave is a canary: it takes one node from each account in turn, nodes that are online first, so
/// that it says something about every account. The others follow the order of ids, which keeps shards full.
pub(super) fn waves(nodes: &[Spot<'_>], shares: &[Amount]) -> Vec<u32> {
    let total = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    let mut bounds: Vec<u32> = Vec::new();
    for share in shares {
        let bound = share.of(total);
        if bound > bounds.last().copied().unwrap_or(0) {
            bounds.push(bound);
        }
    }
    if bounds.last() != Some(&total) {
        bounds.push(total);
    }
    let mut by_account: BTreeMap<&AccountId, Vec<usize>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        by_account.entry(node.account).or_default().push(index);
    }
    let mut spread: Vec<(bool, usize, &AccountId, usize)> = Vec::new();
    for (account, mut members) in by_account {
        members.sort_by_key(|i| (!nodes[*i].online, *i));
        spread.extend(members.into_iter().enumerate().map(|(turn, i)| (!nodes[i].online, turn, account, i)));
    }
    spread.sort();
    let first = usize::try_from(bounds[0]).unwrap_or(usize::MAX);
    let canary: BTreeSet<usize> = spread.into_iter().take(first).map(|(.., index)| index).collect();

    let mut waves = vec![0; nodes.len()];
    let mut placed = bounds[0];
    let mut wave = 1;
    for (index, slot) in waves.iter_mut().enumerate() {
        if canary.contains(&index) {
            continue;
        }
        while bounds.get(wave).is_some_and(|bound| placed >= *bound) {
            wave += 1;
        }
        *slot = u32::try_from(wave).unwrap_or(u32::MAX);
        placed += 1;
    }
    waves
}

pub(super) fn shards(targets: &[PlannedTarget], skip_offline: bool, size: u32) -> Vec<Shard> {
    let mut groups: BTreeMap<(u32, &AccountId, &Region), Vec<u32>> = BTreeMap::new();
    for (index, planned) in targets.iter().enumerate() {
        if planned.offline && skip_offline {
            continue;
        }
        let key = (planned.wave, &planned.target.account, &planned.target.region);
        groups.entry(key).or_default().push(u32::try_from(index).unwrap_or(u32::MAX));
    }
    groups
        .into_iter()
        .flat_map(|((wave, account, region), members)| {
            members
                .chunks(size as usize)
                .map(|chunk| Shard { account: account.clone(), region: region.clone(), wave, targets: chunk.to_vec() })
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::testing::{node, runbook, snapshot};

    #[test]
    fn the_canary_spreads_over_accounts_and_prefers_nodes_that_answer() {
        let mut world = snapshot(3, 4);
        // The first node of the second account is offline, so its second one is the canary.
        world.nodes[4].online = false;
        let mut book = runbook();
        book.rollout.waves = vec![Amount::Count(3), Amount::Percent(100)];
        let plan = build(&book, Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
        let canary: Vec<&str> =
            plan.targets.iter().filter(|t| t.wave == 0).map(|t| t.target.account.as_str()).collect();
        assert_eq!(canary, ["000000000001", "000000000002", "000000000003"]);
        assert!(plan.targets.iter().filter(|t| t.wave == 0).all(|t| !t.offline));
        assert_eq!(plan.waves, 2);
    }

    #[test]
    fn an_offline_node_that_is_skipped_is_a_target_but_in_no_shard() {
        let mut world = snapshot(1, 3);
        world.nodes[1].online = false;
        let plan = build(&runbook(), Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
        assert_eq!(plan.targets.len(), 3);
        assert_eq!(plan.shards.iter().map(|s| s.targets.clone()).collect::<Vec<_>>(), [vec![0, 2]]);
    }

    #[test]
    fn one_target_too_many_is_refused_with_the_numbers() {
        let mut book = runbook();
        book.targets.max = 5;
        let refused = build(&book, Arguments::new(), &Selector::default(), &snapshot(2, 3), Delivery::Inline);
        let Err(NoPlan::TooMany { found: 6, max: 5, by_account }) = refused else { panic!("{refused:?}") };
        assert_eq!(by_account, [("account-1".to_owned(), 3), ("account-2".to_owned(), 3)]);
    }

    #[test]
    fn windows_is_narrowed_away_from_a_shell_runbook_and_counted() {
        let mut world = snapshot(1, 3);
        world.nodes[0].platform = NodePlatform::Windows;
        let plan = build(&runbook(), Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
        assert_eq!(plan.targets.len(), 2);
        assert_eq!(plan.coverage.narrowed_by, BTreeMap::from([("platform windows".to_owned(), 1)]));
    }

    #[test]
    fn a_node_listed_twice_is_one_target() {
        let mut world = snapshot(1, 2);
        world.nodes.push(node(1, 0));
        let plan = build(&runbook(), Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
        assert_eq!(plan.targets.len(), 2);
    }

    proptest! {
        #[test]
        fn every_target_that_is_not_skipped_stands_in_exactly_one_shard(
            accounts in 1u32..6,
            nodes in 1u32..40,
            offline in prop::collection::vec(any::<bool>(), 240),
            waves in prop::sample::select(vec![vec!["100%"], vec!["1", "10%", "100%"], vec!["30%", "100%"], vec!["500", "100%"]]),
            in_flight in prop::sample::select(vec!["1", "7", "25%", "100%"]),
        ) {
            let mut world = snapshot(accounts, nodes);
            for (node, off) in world.nodes.iter_mut().zip(&offline) {
                node.online = !off;
            }
            let mut book = runbook();
            book.targets.max = 10_000;
            book.rollout.waves = waves.iter().map(|w| w.parse().unwrap()).collect();
            book.rollout.max_in_flight = in_flight.parse().unwrap();
            let plan = build(&book, Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
            let mut seen: Vec<u32> = plan.shards.iter().flat_map(|s| s.targets.clone()).collect();
            seen.sort_unstable();
            let wanted: Vec<u32> =
                (0..plan.targets.len() as u32).filter(|i| !plan.targets[*i as usize].offline).collect();
            prop_assert_eq!(seen, wanted);
            for shard in &plan.shards {
                prop_assert!(shard.targets.len() as u32 <= SHARD_MAX.min(plan.max_in_flight));
                for index in &shard.targets {
                    let planned = &plan.targets[*index as usize];
                    prop_assert_eq!(&planned.target.account, &shard.account);
                    prop_assert_eq!(&planned.target.region, &shard.region);
                    prop_assert_eq!(planned.wave, shard.wave);
                }
            }
            // Waves are cumulative shares, rounded up.
            let total = plan.targets.len() as u32;
            let mut bounds: Vec<u32> = book.rollout.waves.iter().map(|w| w.of(total)).collect();
            bounds.dedup();
            for (wave, bound) in bounds.iter().enumerate() {
                let upto = plan.targets.iter().filter(|t| t.wave as usize <= wave).count() as u32;
                prop_assert_eq!(upto, *bound);
            }
        }
    }
}
