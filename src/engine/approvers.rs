//! Whom to ask for an approval, and where: in the channels and by the direct messages that the policy names, and whether
//! there are enough of them at all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::{ChannelRef, ChatPlatform, GroupName, Place, Principal};
use crate::policy::{Decision, PolicySet, Verdict, Vote, Yes, may_approve, quorum_met};
use crate::ports::DirectoryError;
use crate::run::{AskAt, Asking};

use super::Services;
use super::membership::asker_again;

/// People who are looked up for one request, and direct messages for it. A larger group has a channel.
const PEOPLE_MAX: usize = 10;
/// A request does not wait longer for it: the thread asks in any case.
const WITHIN: Duration = Duration::from_secs(3);

/// As the rules and the memberships are now. What cannot be read in time is left out.
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
    match tokio::time::timeout(WITHIN, people(services, policy, decision, requester, place)).await {
        Ok(Ok(people)) => {
            let votes: Vec<Vote<'_>> = people
                .values()
                .map(|(by, yes)| Vote { by, stands_for: yes.stands_for.as_ref(), groups: &yes.groups })
                .collect();
            asking.too_few = !quorum_met(decision, requester, &votes);
            let is_direct = |group: &GroupName| policy.approvers.get(group).is_some_and(|approvers| approvers.direct);
            let direct = people.values().filter(|(_, yes)| yes.groups.iter().any(is_direct));
            asking.at.extend(direct.map(|(by, _)| AskAt::Person(by.clone())));
        }
        Ok(Err(Unknown::Many)) if told().any(|approvers| approvers.direct) => {
            tracing::warn!("too many may approve for direct messages; give them a channel under `[approvers]`");
        }
        Ok(Err(Unknown::Many)) => {}
        Ok(Err(Unknown::Fault(fault))) => {
            tracing::warn!(%fault, "those who may approve cannot be read; they are asked in the thread");
        }
        Err(_) => tracing::warn!("those who may approve could not be read in time; they are asked in the thread"),
    }
    asking
}

/// Why it is not known who may approve.
enum Unknown {
    /// So many that there are surely enough.
    Many,
    Fault(DirectoryError),
}

impl From<DirectoryError> for Unknown {
    fn from(fault: DirectoryError) -> Self {
        Unknown::Fault(fault)
    }
}

/// Those whose yes would count, each once, by the account that counts. Only accounts of the requester's workspace or guild,
/// for any other would have to be linked to one there.
async fn people(
    services: &Services,
    policy: &PolicySet,
    decision: &Decision,
    requester: &Principal,
    place: &Place,
) -> Result<BTreeMap<Principal, (Principal, Yes)>, Unknown> {
    let here = (requester.platform, &requester.tenant);
    let mut all: BTreeSet<Principal> = BTreeSet::new();
    for members in decision.quorum.iter().filter_map(|seats| policy.groups.get(&seats.group)) {
        all.extend(members.users.iter().filter(|user| (user.platform, &user.tenant) == here).cloned());
        for group in members.refs.iter().filter(|r| (r.platform, &r.tenant) == here) {
            all.extend(services.directory.members(group).await?);
        }
    }
    if all.len() > PEOPLE_MAX {
        return Err(Unknown::Many);
    }
    let mut people = BTreeMap::new();
    for account in all {
        let person = asker_again(services.directory.as_ref(), policy, &account, place).await?;
        if let Ok(yes) = may_approve(decision, requester, &[], &person) {
            let counted = yes.stands_for.clone().unwrap_or_else(|| account.clone());
            people.entry(counted).or_insert((account, yes));
        }
    }
    Ok(people)
}
