//! Who a person is at this moment: groups and kind of account. Fails closed.

use crate::domain::{ChannelRef, GroupRef, Place, Principal};
use crate::policy::{Asker, PolicySet};
use crate::ports::{Actor, Directory, DirectoryError};

/// The facts about `actor` that a decision needs, read for this very question.
///
/// # Errors
/// If the platform cannot say who is in a group: then nobody is allowed anything.
pub async fn asker(
    directory: &dyn Directory,
    policy: &PolicySet,
    actor: &Actor,
    place: Option<&Place>,
) -> Result<Asker, DirectoryError> {
    let principal = &actor.principal;
    let is_here = |g: &&GroupRef| g.platform == principal.platform && g.tenant == principal.tenant;
    let refs: Vec<&GroupRef> = policy.group_refs().into_iter().filter(is_here).collect();
    let member_of = directory.groups_of(principal, &refs).await?;
    let profile = directory.profile(principal).await?;
    Ok(Asker {
        principal: principal.clone(),
        // A guest of the workspace has what a file says of that very person, and nothing by a group that somebody else fills.
        groups: policy.groups_of(principal, |g| !profile.is_guest && member_of.contains(g)),
        foreign: actor.foreign || profile.is_stranger,
        bot: profile.is_bot || profile.is_deleted,
        twins: policy.twins(principal),
        channel: place.map(channel_of),
    })
}

/// The same for somebody who has asked before, such as the requester of a run that is about to start.
///
/// # Errors
/// As for [`asker`].
pub async fn asker_again(
    directory: &dyn Directory,
    policy: &PolicySet,
    principal: &Principal,
    place: &Place,
) -> Result<Asker, DirectoryError> {
    let actor = Actor { principal: principal.clone(), foreign: false };
    asker(directory, policy, &actor, Some(place)).await
}

/// The channel of a place, as policies name it.
#[must_use]
pub fn channel_of(place: &Place) -> ChannelRef {
    ChannelRef { platform: place.platform, tenant: place.tenant.clone(), channel: place.channel.clone() }
}
