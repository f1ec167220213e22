//! Targets made up to lie surely in a set, for questions that are asked before any real target is known.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AccountId, ChannelRef, ChatPlatform, GroupName, NodeId, Principal, Region, Target};

use super::fits;
use super::request::{Asker, TargetFacts};
use super::set::{Pattern, PolicySet, TargetSet, Where};

/// Tried where a set's regions are patterns: one that each common pattern matches.
const REGIONS: [&str; 12] = [
    "eu-west-1",
    "us-east-1",
    "ap-southeast-1",
    "eu-central-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "me-south-1",
    "af-south-1",
    "il-central-1",
    "us-gov-west-1",
    "cn-north-1",
];

/// A made-up target, with the attributes that it has. All others are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Specimen {
    target: Target,
    account_name: String,
    labels: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

impl Specimen {
    pub(super) fn facts(&self) -> TargetFacts<'_> {
        TargetFacts {
            target: &self.target,
            account_name: Some(&self.account_name),
            labels: &self.labels,
            tags: &self.tags,
        }
    }
}

/// A made-up person of these groups.
pub(super) fn somebody(groups: BTreeSet<GroupName>, channel: Option<ChannelRef>) -> Asker {
    Asker {
        principal: Principal { platform: ChatPlatform::Slack, tenant: "T0TEST".into(), user: "U0TEST".into() },
        groups,
        foreign: false,
        bot: false,
        twins: BTreeSet::new(),
        channel,
    }
}

/// What is known of the targets besides where they lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub labels: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

/// `count` targets, spread evenly over the sets and, in each, over what the set lists; without `count` one for each
/// account, region, label or tag listed, whichever are most. `Anywhere` is an account that no set knows.
///
/// # Errors
/// Why no such target can be, as a fragment.
pub(super) fn specimens(
    policy: &PolicySet,
    place: &Where,
    count: Option<u32>,
    attributes: &Attributes,
) -> Result<Vec<Specimen>, String> {
    let nowhere = TargetSet::default();
    let sets: Vec<(&str, &TargetSet)> = match place {
        Where::Anywhere => vec![("*", &nowhere)],
        Where::Sets(names) => {
            names.iter().filter_map(|name| policy.sets.get(name).map(|set| (name.as_str(), set))).collect()
        }
    };
    if sets.is_empty() {
        return Err("no set is named".into());
    }
    let most = sets.iter().map(|(_, set)| variety(set)).max().unwrap_or(1);
    let count = count.map_or(most * sets.len(), |n| n as usize);
    if count < sets.len() {
        return Err(format!("{count} of them cannot lie in {} sets", sets.len()));
    }
    let stranger = unlisted(policy).ok_or("no account id is left")?;
    let mut specimens = Vec::with_capacity(count);
    for at in 0..count {
        let (name, set) = sets[at % sets.len()];
        specimens.push(specimen(name, set, at, at / sets.len(), &stranger, attributes)?);
    }
    Ok(specimens)
}

/// How many targets it takes to meet everything that the set lists.
fn variety(set: &TargetSet) -> usize {
    let attributes = set.labels.values().chain(set.tags.values());
    attributes.chain([&set.accounts, &set.regions]).map(Vec::len).max().unwrap_or(0).max(1)
}

/// An account's id that no set lists. One that a pattern of ids matches is taken where there is no other.
fn unlisted(policy: &PolicySet) -> Option<AccountId> {
    let listed = |id: &str| policy.sets.values().any(|set| set.accounts.iter().any(|p| p.matches(id)));
    let all = || (0..1_000u64).map(|n| format!("{:012}", 900_000_000_000 + n * 1_000_003));
    all().find(|id| !listed(id)).or_else(|| all().next())?.parse().ok()
}

fn specimen(
    name: &str,
    set: &TargetSet,
    number: usize,
    turn: usize,
    stranger: &AccountId,
    attributes: &Attributes,
) -> Result<Specimen, String> {
    let account = nth(&set.accounts, turn);
    let id = account.filter(|p| p.is_account_id()).and_then(|p| p.as_str().parse().ok());
    let account_name = account.filter(|_| id.is_none()).map(plain);
    let id: AccountId = id.unwrap_or_else(|| stranger.clone());
    let region = match nth(&set.regions, turn) {
        None => REGIONS[0].parse::<Region>(),
        Some(pattern) => {
            let known = REGIONS.iter().find(|region| pattern.matches(region));
            known.map_or_else(|| pattern.as_str().to_owned(), ToString::to_string).parse()
        }
    };
    let region = region.map_err(|_| format!("no region is known that lies in `{name}`"))?;
    let mut labels = attributes.labels.clone();
    let mut tags = attributes.tags.clone();
    for (wanted, has) in [(&set.labels, &mut labels), (&set.tags, &mut tags)] {
        for (key, values) in wanted {
            if let Some(value) = nth(values, turn) {
                has.entry(key.clone()).or_insert_with(|| plain(value));
            }
        }
    }
    let node: Result<NodeId, _> = format!("i-{number:017x}").parse();
    let node = node.map_err(|e| e.to_string())?;
    let account_name = account_name.unwrap_or_else(|| id.as_str().to_owned());
    let specimen = Specimen { target: Target { account: id, region, node }, account_name, labels, tags };
    if fits::lies_in(set, &specimen.facts()) {
        Ok(specimen)
    } else {
        Err(format!("no target with these labels and tags lies surely in `{name}`"))
    }
}

fn nth(patterns: &[Pattern], turn: usize) -> Option<&Pattern> {
    patterns.get(turn % patterns.len().max(1))
}

/// The shortest text that the pattern matches.
fn plain(pattern: &Pattern) -> String {
    pattern.as_str().replace('*', "")
}
