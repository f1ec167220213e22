//! How a group may run something, in words.

use std::collections::BTreeMap;

use super::count;
use crate::domain::GroupName;
use crate::policy::reach::{Reach, Way};
use crate::policy::words::only;

/// `at most 20 at once, only nginx as service, with 1 of sre`: one line for each grant, the approvals last.
pub(super) fn terms(reach: &Reach) -> String {
    let ways: Vec<String> = reach.ways.iter().map(way).collect();
    format!("{}; {}", ways.join(", or "), approvals(reach))
}

pub(super) fn way(way: &Way) -> String {
    let mut parts = vec![format!("at most {} at once", way.at_once)];
    parts.extend(way.parameters.iter().map(|(name, rule)| format!("`{name}` {}", only(rule))));
    if let Some(channels) = &way.channels {
        let channels: Vec<String> = channels.iter().map(|c| format!("`{c}`")).collect();
        parts.push(format!("asked in {}", channels.join(" or ")));
    }
    parts.join(", ")
}

/// `without approval, above 50 within the hour with 2 of sre`.
pub(super) fn approvals(reach: &Reach) -> String {
    let with = |seats: &BTreeMap<GroupName, u32>| {
        let seats: Vec<String> = seats.iter().map(|(group, n)| format!("{n} of `{group}`")).collect();
        if seats.is_empty() { "without approval".to_owned() } else { format!("with {}", seats.join(" and ")) }
    };
    let steps = reach.approvals.iter().map(|(over, seats)| match over {
        0 => with(seats),
        over => format!("above {} within the hour {}", count(*over, "target"), with(seats)),
    });
    steps.collect::<Vec<_>>().join(", ")
}
