//! Breaking the glass: in an emergency somebody acts against a freeze, or without the approvals that rules ask for. A second
//! person always has to agree, some channels are told before it starts, and somebody else looks at it afterwards.

use std::collections::BTreeSet;

use crate::domain::{GroupName, Principal};

use super::approve::{CannotApprove, Vote, may_approve};
use super::request::Asker;
use super::set::{BreakGlass, GLASS};
use super::{Decision, Reason, Seats, Verdict, words};

/// The rule, and why the person breaks the glass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glass<'a> {
    pub rule: &'a BreakGlass,
    pub justification: &'a str,
}

impl Glass<'_> {
    /// The conditions that do not hold, in words. All of them at once, so that nobody has to try three times.
    pub(super) fn lacks(&self, groups: &BTreeSet<GroupName>, targets: u32) -> Vec<String> {
        let Glass { rule, justification } = self;
        let mut lacks = Vec::new();
        if rule.who.is_disjoint(groups) {
            lacks.push(format!("only {} may do it", words::members(&rule.who)));
        }
        if targets > rule.max_targets {
            lacks.push(words::too_many(targets, rule.max_targets));
        }
        let length = justification.trim().chars().count();
        if length < rule.justification_min as usize {
            lacks.push(format!(
                "the reason has {length} characters, and at least {} are asked for: say what is broken and why it cannot wait",
                rule.justification_min
            ));
        }
        lacks
    }
}

/// Asks for the second person, and says which rules are `passed` over.
pub(super) fn add(decision: &mut Decision, rule: &BreakGlass, passed: Vec<(&str, String)>) {
    decision.overridden = passed.into_iter().map(|(id, text)| Reason { rule: id.to_owned(), text }).collect();
    decision.overridden.sort_by(|a, b| a.rule.cmp(&b.rule));
    let text = format!("a member of `{}` has to agree, whatever else is overridden", rule.second);
    decision.reasons.push(Reason { rule: GLASS.into(), text });
    decision.verdict = Verdict::PermitWithApproval;
    decision.quorum = vec![Seats { group: rule.second.clone(), count: 1, rules: vec![GLASS.into()] }];
    decision.expires = Some(rule.expires);
}

/// Whether `person` may say that what was done has been looked at: somebody of these groups who has neither asked for it
/// nor agreed to it, by whichever account.
///
/// # Errors
/// Why not, as an approval would be refused: [`CannotApprove::Already`] is somebody who has agreed.
pub fn may_review(
    reviewers: &BTreeSet<GroupName>,
    requester: &Principal,
    agreed: &[Vote<'_>],
    person: &Asker,
) -> Result<(), CannotApprove> {
    let seat = |group: &GroupName| Seats { group: group.clone(), count: 1, rules: vec![GLASS.into()] };
    let asked = Decision {
        verdict: Verdict::PermitWithApproval,
        quorum: reviewers.iter().map(seat).collect(),
        expires: None,
        reasons: Vec::new(),
        overridden: Vec::new(),
        could: Vec::new(),
    };
    // They fill no seat here; they are only people who may not.
    let agreed: Vec<Vote<'_>> = agreed.iter().map(|vote| Vote { groups: &[], ..*vote }).collect();
    may_approve(&asked, requester, &agreed, person).map(drop)
}
