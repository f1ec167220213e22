//! Two decisions on the same plan -> the stricter one: what was decided when it was proposed, and what the policy says now.

use std::collections::BTreeMap;

use crate::domain::GroupName;

use super::{Decision, Reason, Seats, Verdict};

/// A forbid beats everything; quorums add up, the highest count per group; the sooner expiry stands.
///
/// The order of the two does not matter.
#[must_use]
pub fn stricter(a: &Decision, b: &Decision) -> Decision {
    let verdict = a.verdict.max(b.verdict);
    // What a milder decision says in its favour would only confuse.
    let mut strict: Vec<&Decision> = [a, b].into_iter().filter(|d| d.verdict == verdict).collect();
    strict.sort_by_key(|d| d.reasons.iter().map(|r| (&r.rule, &r.text)).collect::<Vec<_>>());
    let mut reasons: Vec<Reason> = Vec::new();
    let mut could: Vec<GroupName> = strict[0].could.clone();
    for decision in &strict {
        for reason in &decision.reasons {
            if !reasons.contains(reason) {
                reasons.push(reason.clone());
            }
        }
        could.retain(|group| decision.could.contains(group));
    }
    // First why it may run, then why it needs approval.
    let asks = |rule: &String| strict.iter().any(|d| d.quorum.iter().any(|seats| seats.rules.contains(rule)));
    reasons.sort_by_key(|reason| asks(&reason.rule));

    let mut seats: BTreeMap<&GroupName, Seats> = BTreeMap::new();
    for asked in strict.iter().flat_map(|d| &d.quorum) {
        let seat = seats.entry(&asked.group).or_insert_with(|| Seats { rules: Vec::new(), ..asked.clone() });
        seat.count = seat.count.max(asked.count);
        seat.rules.extend(asked.rules.iter().cloned());
        seat.rules.sort();
        seat.rules.dedup();
    }
    let quorum = match verdict {
        Verdict::Permit | Verdict::Forbid => Vec::new(),
        Verdict::PermitWithApproval => seats.into_values().collect(),
    };
    let expires = match verdict {
        Verdict::Permit | Verdict::Forbid => None,
        Verdict::PermitWithApproval => strict.iter().filter_map(|d| d.expires).min(),
    };
    let mut overridden: Vec<Reason> = strict.iter().flat_map(|d| &d.overridden).cloned().collect();
    overridden.sort_by(|a, b| (&a.rule, &a.text).cmp(&(&b.rule, &b.text)));
    overridden.dedup_by(|a, b| a.rule == b.rule);
    Decision { verdict, quorum, expires, reasons, overridden, could }
}
