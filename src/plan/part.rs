//! A part of a plan, as a plan of its own: for approvers who agree to some of the targets only.

use std::collections::BTreeSet;

use crate::domain::{Account, AccountSource, Amount, Node, Selector, Target};

use super::build::{SHARD_MAX, Spot, shards, waves};
use super::{Plan, PlannedTarget};

impl Plan {
    /// The same on `keep` alone; `None` where that is nothing.
    ///
    /// Limits that the runbook gives as shares keep their share, rounded to the careful side; none grows.
    #[must_use]
    pub fn part(&self, keep: &BTreeSet<Target>) -> Option<Plan> {
        let mut targets: Vec<PlannedTarget> =
            self.targets.iter().filter(|planned| keep.contains(&planned.target)).cloned().collect();
        if targets.is_empty() {
            return None;
        }
        let (whole, total) = (size(self.targets.len()), size(targets.len()));
        let up = |n: u32| (u64::from(n) * u64::from(total)).div_ceil(u64::from(whole.max(1)));
        let down = |n: u32| u64::from(n) * u64::from(total) / u64::from(whole.max(1));
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);

        let mut placed = 0;
        let shares: Vec<Amount> = (0..self.waves)
            .map(|wave| {
                placed += size(self.targets.iter().filter(|planned| planned.wave == wave).count());
                Amount::Count(small(up(placed)).max(1))
            })
            .collect();
        let spots: Vec<Spot<'_>> =
            targets.iter().map(|t| Spot { account: &t.target.account, online: !t.offline }).collect();
        let places = waves(&spots, &shares);
        for (planned, wave) in targets.iter_mut().zip(&places) {
            planned.wave = *wave;
        }
        let sent: BTreeSet<u32> = self.shards.iter().flat_map(|shard| shard.targets.iter().copied()).collect();
        let skips_offline = (0..).zip(&self.targets).any(|(index, planned)| planned.offline && !sent.contains(&index));
        let max_in_flight = small(up(self.max_in_flight)).clamp(1, self.max_in_flight);
        let used: BTreeSet<_> = targets.iter().map(|t| &t.target.account).collect();
        let unread = |id| self.coverage.unread.iter().any(|unread| &unread.account == id);
        let accounts = self.accounts.iter().filter(|(id, _)| used.contains(id) || unread(*id));
        Some(Plan {
            accounts: accounts.map(|(id, note)| (id.clone(), note.clone())).collect(),
            waves: places.iter().max().map_or(0, |wave| wave + 1),
            shards: shards(&targets, skips_offline, max_in_flight.min(SHARD_MAX)),
            max_in_flight,
            max_errors: small(down(self.max_errors)),
            targets,
            ..self.clone()
        })
    }

    /// The targets that a selector picks, by what the plan knows of them.
    #[must_use]
    pub fn picked_by(&self, selector: &Selector) -> BTreeSet<Target> {
        let picks = |planned: &&PlannedTarget| {
            let target = &planned.target;
            let note = self.accounts.get(&target.account);
            let account = Account {
                id: target.account.clone(),
                name: note.map_or_else(|| target.account.to_string(), |note| note.name.clone()),
                regions: vec![target.region.clone()],
                labels: note.map(|note| note.labels.clone()).unwrap_or_default(),
                source: AccountSource::Configured,
            };
            let node = Node {
                target: target.clone(),
                name: planned.name.clone(),
                platform: planned.platform,
                agent_version: planned.agent_version.clone(),
                attributes: planned.attributes.clone(),
                online: !planned.offline,
                tags: planned.tags.clone(),
            };
            selector.matches_node(&node, &account)
        };
        self.targets.iter().filter(picks).map(|planned| planned.target.clone()).collect()
    }
}

fn size(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Delivery, build, testing};
    use crate::runbook::Arguments;

    fn plan(accounts: u32, nodes: u32, waves: &[&str], in_flight: &str, errors: &str) -> Plan {
        let mut book = testing::runbook();
        book.targets.max = 10_000;
        book.rollout.waves = waves.iter().map(|w| w.parse().unwrap()).collect();
        book.rollout.max_in_flight = in_flight.parse().unwrap();
        book.rollout.max_errors = errors.parse().unwrap();
        let world = testing::snapshot(accounts, nodes);
        build::build(&book, Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap()
    }

    #[test]
    fn a_part_keeps_its_canary_and_its_shares() {
        let whole = plan(2, 20, &["1", "10%", "100%"], "25%", "10%");
        let keep = whole.picked_by(&Selector::parse("accounts=account-2").unwrap());
        let part = whole.part(&keep).unwrap();
        assert_eq!(part.targets.len(), 20);
        assert!(part.targets.iter().all(|t| t.target.account.as_str() == "000000000002"));
        let wave = |n| part.targets.iter().filter(|t| t.wave == n).count();
        assert_eq!((part.waves, wave(0), wave(1)), (3, 1, 1), "the one canary stood in the other account");
        assert_eq!((part.max_in_flight, part.max_errors), (5, 2));
        assert_eq!(part.accounts.len(), 1);
        assert_ne!(part.digest(), whole.digest());
        assert_eq!(whole.part(&BTreeSet::new()), None);
    }

    proptest! {
        #[test]
        fn a_part_of_any_plan_is_a_whole_plan_and_looser_in_nothing(
            accounts in 1u32..5,
            nodes in 1u32..20,
            kept in prop::collection::vec(any::<bool>(), 100),
            waves in prop::sample::select(vec![vec!["100%"], vec!["1", "10%", "100%"], vec!["30%", "100%"]]),
            in_flight in prop::sample::select(vec!["1", "7", "25%", "100%"]),
            errors in prop::sample::select(vec!["0", "1", "2%", "50%"]),
        ) {
            let whole = plan(accounts, nodes, &waves, in_flight, errors);
            let keep: BTreeSet<Target> =
                whole.targets.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(t, _)| t.target.clone()).collect();
            let Some(part) = whole.part(&keep) else { prop_assert!(keep.is_empty()); return Ok(()) };
            prop_assert_eq!(part.targets.iter().map(|t| t.target.clone()).collect::<BTreeSet<_>>(), keep);
            prop_assert!(part.max_in_flight >= 1 && part.max_in_flight <= whole.max_in_flight);
            prop_assert!(part.max_errors <= whole.max_errors);
            let mut seen: Vec<u32> = part.shards.iter().flat_map(|s| s.targets.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..part.targets.len() as u32).collect::<Vec<_>>());
            // A wave in between may have nothing left, as it would in a plan of so few.
            let first = |plan: &Plan| plan.targets.iter().filter(|t| t.wave == 0).count();
            prop_assert!(first(&part) > 0 && first(&part) <= first(&whole));
            prop_assert!((0..part.waves).all(|wave| part.targets.iter().any(|t| t.wave == wave)));
            for shard in &part.shards {
                prop_assert!(shard.targets.len() as u32 <= SHARD_MAX.min(part.max_in_flight));
                for index in &shard.targets {
                    let planned = &part.targets[*index as usize];
                    prop_assert_eq!((&planned.target.account, &planned.target.region, planned.wave), (&shard.account, &shard.region, shard.wave));
                }
            }
            if part.targets.len() == whole.targets.len() {
                prop_assert_eq!(part, whole);
            }
        }
    }
}
