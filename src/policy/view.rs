//! Who may read status, outputs and files of a run. A permission of its own: being able to see chat is not enough.
//!
//! The requester and those whose approval is asked for always see their run. Everybody else needs a view rule that
//! covers all its targets; a missing attribute fails it, as it does a grant.

use std::collections::BTreeSet;

use crate::domain::{ChannelRef, GroupName, Principal};

use super::ground::{Ground, Kin};
use super::request::{Asker, TargetFacts};
use super::set::{Audience, PolicySet};
use super::{Decision, Verdict};

/// Whether `reader` may read the status, outputs and files of a run that `requester` asked for.
#[must_use]
pub fn may_view(
    policy: &PolicySet,
    reader: &Asker,
    requester: &Principal,
    decision: &Decision,
    targets: &[TargetFacts<'_>],
) -> bool {
    if reader.bot || reader.foreign {
        return false;
    }
    let approves = || {
        decision.verdict == Verdict::PermitWithApproval
            && decision.quorum.iter().any(|seats| reader.groups.contains(&seats.group))
    };
    reader.is(requester)
        || approves()
        || covered(policy, targets, |audience| match audience {
            Audience::Groups(groups) => !groups.is_disjoint(&reader.groups),
            Audience::SharedChannels(_) => false,
        })
}

/// Whether some rule lets `reader` read runs of others, of some targets at least.
#[must_use]
pub fn views_of_others(policy: &PolicySet, reader: &Asker) -> bool {
    let meant = |audience: &Audience| match audience {
        Audience::Groups(groups) => !groups.is_disjoint(&reader.groups),
        Audience::SharedChannels(_) => false,
    };
    !reader.bot && !reader.foreign && policy.view.iter().any(|rule| meant(&rule.audience))
}

/// Whether outputs may be shown in a channel that is shared with another organisation.
///
/// For a channel of one's own there is nothing to ask here.
#[must_use]
pub fn may_show_in_shared(policy: &PolicySet, channel: &ChannelRef, targets: &[TargetFacts<'_>]) -> bool {
    covered(policy, targets, |audience| match audience {
        Audience::Groups(_) => false,
        Audience::SharedChannels(channels) => channels.contains(channel),
    })
}

/// Whether the members of a group may read what others run on these targets.
pub(super) fn group_reads(policy: &PolicySet, group: &GroupName, ground: &Ground<'_>, kin: &Kin<'_>) -> bool {
    policy.view.iter().any(|rule| match &rule.audience {
        Audience::Groups(groups) => groups.contains(group) && ground.surely_in(kin, &rule.place),
        Audience::SharedChannels(_) => false,
    })
}

fn covered(policy: &PolicySet, targets: &[TargetFacts<'_>], is_meant: impl Fn(&Audience) -> bool) -> bool {
    let rules: Vec<_> = policy.view.iter().filter(|rule| is_meant(&rule.audience)).collect();
    if rules.is_empty() || targets.is_empty() {
        return false;
    }
    let ground = Ground::survey(policy, targets, &BTreeSet::new());
    rules.iter().any(|rule| ground.kin.iter().all(|kin| ground.surely_in(kin, &rule.place)))
}
