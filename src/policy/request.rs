//! What a decision is about: who asks, which runbook with which arguments, on which targets. Facts only.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AccountId, ChannelRef, GroupName, Principal, Region, RunbookName, Target, Timestamp};
use crate::plan::Plan;
use crate::runbook::{Arguments, Risk, Runbook};

/// A person who asks, approves or reads, with what is known about that person right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    pub principal: Principal,
    /// From [`super::PolicySet::groups_of`], read for this very question and not kept from an earlier one.
    pub groups: BTreeSet<GroupName>,
    /// Belongs to another organisation than the one Muster is installed in.
    pub foreign: bool,
    /// A bot or a workflow, not a person.
    pub bot: bool,
    /// The person's other accounts, from [`super::PolicySet::twins`].
    pub twins: BTreeSet<Principal>,
    /// Where it is asked; `None` on a command line, where no grant that names channels applies.
    pub channel: Option<ChannelRef>,
}

impl Asker {
    /// Whether this account is the person's, by whichever of their accounts they ask.
    #[must_use]
    pub fn is(&self, account: &Principal) -> bool {
        &self.principal == account || self.twins.contains(account)
    }
}

/// What the policy wants to know of a runbook before there is a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunbookFacts<'a> {
    pub name: &'a RunbookName,
    pub risk: Risk,
    pub owner: &'a str,
}

impl<'a> From<&'a Runbook> for RunbookFacts<'a> {
    fn from(runbook: &'a Runbook) -> Self {
        RunbookFacts { name: &runbook.name, risk: runbook.risk, owner: &runbook.owner }
    }
}
impl<'a> From<&'a Plan> for RunbookFacts<'a> {
    fn from(plan: &'a Plan) -> Self {
        RunbookFacts { name: &plan.runbook, risk: plan.risk, owner: &plan.owner }
    }
}

/// One target as rules see it. What is `None` or absent is missing: it fails a grant and fires everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetFacts<'a> {
    pub target: &'a Target,
    pub account_name: Option<&'a str>,
    /// Labels of the account.
    pub labels: &'a BTreeMap<String, String>,
    /// Tags of the node.
    pub tags: &'a BTreeMap<String, String>,
}

impl<'a> TargetFacts<'a> {
    #[must_use]
    pub fn account(&self) -> &'a AccountId {
        &self.target.account
    }
    #[must_use]
    pub fn region(&self) -> &'a Region {
        &self.target.region
    }
}

/// The facts of a plan's targets, in its order.
#[must_use]
pub fn targets_of(plan: &Plan) -> Vec<TargetFacts<'_>> {
    static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();
    let facts = plan.targets.iter().map(|planned| {
        let note = plan.accounts.get(&planned.target.account);
        TargetFacts {
            target: &planned.target,
            account_name: note.map(|n| n.name.as_str()),
            labels: note.map_or(&NO_LABELS, |n| &n.labels),
            tags: &planned.tags,
        }
    });
    facts.collect()
}

/// One question to the policy.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub asker: &'a Asker,
    pub runbook: RunbookFacts<'a>,
    /// Checked, defaults filled in.
    pub arguments: &'a Arguments,
    pub targets: Vec<TargetFacts<'a>>,
    /// Targets of this person's other runs of this runbook within the last hour; counted by `targets_over`.
    pub recent: &'a BTreeSet<Target>,
    /// Freezes go by it.
    pub now: Timestamp,
}

/// What a decision owes to the moment at which it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// As of [`Request`].
    pub recent: &'a BTreeSet<Target>,
    pub now: Timestamp,
}

impl<'a> Request<'a> {
    /// The question whether `asker` may run `plan`.
    #[must_use]
    pub fn of(asker: &'a Asker, plan: &'a Plan, Moment { recent, now }: Moment<'a>) -> Self {
        Request { asker, runbook: plan.into(), arguments: &plan.arguments, targets: targets_of(plan), recent, now }
    }
}
