//! Whom to ask for an approval, and where: in the channels and by the direct messages that the policy names, and whether
//! there is anybody at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ChannelRef, ChatPlatform, GroupName, Place, Principal};
use crate::policy::{Decision, PolicySet, Verdict, Vote, quorum_met};
use crate::ports::DirectoryError;
use crate::run::{AskAt, Asking};

use super::Services;

/// Direct messages for one request. A larger group has a channel.
const PEOPLE_MAX: usize = 10;

/// As the rules and the memberships are now. What cannot be read is left out: the thread asks all the same.
pub(super) async fn find(
    services: &Services,
    policy: &PolicySet,
    decision: &Decision,
    requester: &Principal,
    place: &Place,
) -> Asking {
    let mut asking = Asking::default();
    if decision.verdict != Verdict::PermitWithApproval {
        return asking;
    }
    let groups: Vec<&GroupName> = decision.quorum.iter().map(|seats| &seats.group).collect();
    let told = || groups.iter().filter_map(|group| policy.approvers.get(*group));
    let escalate: BTreeSet<&GroupName> = told().flat_map(|approvers| &approvers.escalate).collect();
    asking.escalate = escalate.into_iter().cloned().collect();
    let here = |channel: &&ChannelRef| {
        (channel.platform, &channel.tenant, &channel.channel) != (place.platform, &place.tenant, &place.channel)
    };
    let channels: BTreeSet<_> = told().flat_map(|approvers| &approvers.channels).filter(here).collect();
    asking.at = channels.into_iter().cloned().map(AskAt::Channel).collect();

    // Discord tells members one by one, of the whole guild: only where somebody has asked for it.
    let wants_people = place.platform == ChatPlatform::Slack || told().any(|a| a.direct || !a.escalate.is_empty());
    if !wants_people {
        return asking;
    }
    let own = policy.twins(requester);
    let mut people: BTreeSet<(Principal, Vec<GroupName>)> = BTreeSet::new();
    let mut direct: BTreeSet<Principal> = BTreeSet::new();
    let members = match members(services, policy, &groups).await {
        Ok(members) => members,
        Err(fault) => {
            tracing::warn!(%fault, "those who may approve cannot be read; they are asked in the thread");
            return asking;
        }
    };
    let few = members.len() <= PEOPLE_MAX;
    for (person, groups) in members {
        if person == *requester || own.contains(&person) {
            continue;
        }
        // Of many, one is a person.
        if few {
            match services.directory.profile(&person).await {
                Ok(profile) if profile.is_bot || profile.is_deleted || profile.is_stranger => continue,
                Ok(_) => {}
                Err(fault) => {
                    tracing::warn!(%fault, "somebody who may approve cannot be read");
                    return asking;
                }
            }
        }
        if groups.iter().any(|group| policy.approvers.get(group).is_some_and(|approvers| approvers.direct)) {
            direct.insert(person.clone());
        }
        people.insert((person, groups));
    }
    // One account of each person: the first in the requester's tenant, for only those count.
    let account = |person: &Principal| {
        let all = policy.twins(person);
        let here = |p: &&Principal| (p.platform, &p.tenant) == (requester.platform, &requester.tenant);
        all.iter().chain([person]).filter(here).min().cloned()
    };
    let accounts: Vec<(Principal, Option<Principal>, Vec<GroupName>)> =
        people.into_iter().map(|(person, groups)| (person.clone(), account(&person), groups)).collect();
    let votes: Vec<Vote<'_>> = accounts
        .iter()
        .map(|(by, own, groups)| Vote { by, stands_for: own.as_ref().filter(|own| *own != by), groups })
        .collect();
    asking.nobody = !quorum_met(decision, requester, &votes);
    if direct.len() <= PEOPLE_MAX {
        asking.at.extend(direct.into_iter().map(AskAt::Person));
    } else {
        tracing::warn!(people = direct.len(), "too many for direct messages; give them a channel under `[approvers]`");
    }
    asking
}

/// Everybody of these groups, each with those of them that they are in.
async fn members(
    services: &Services,
    policy: &PolicySet,
    groups: &[&GroupName],
) -> Result<Vec<(Principal, Vec<GroupName>)>, DirectoryError> {
    let mut all: BTreeMap<Principal, BTreeSet<GroupName>> = BTreeMap::new();
    for group in groups {
        let Some(members) = policy.groups.get(*group) else { continue };
        let mut people: Vec<Principal> = members.users.iter().cloned().collect();
        for group in &members.refs {
            people.extend(services.directory.members(group).await?);
        }
        for person in people {
            all.entry(person).or_default().insert((*group).clone());
        }
    }
    Ok(all.into_iter().map(|(person, groups)| (person, groups.into_iter().collect())).collect())
}
