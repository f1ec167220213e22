//! `[[test]]`: a question that a policy file asks itself, with the answer that its author wants to keep.
//!
//! No set of rules takes effect while one of its tests fails, so a change cannot quietly widen what somebody relies on.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ChannelRef, GroupName, RunbookName, Timestamp};
use crate::runbook::{self, Runbook};

use super::decide::{decide, decide_in_emergency};
use super::request::Request;
use super::set::{PolicySet, Where};
use super::specimen::{Attributes, Specimen, somebody, specimens};
use super::{Decision, Verdict, words};

/// One question and the wanted answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfTest {
    pub name: String,
    /// The groups that the person is in; none is a person whom no group knows.
    pub groups: BTreeSet<GroupName>,
    pub channel: Option<ChannelRef>,
    pub runbook: RunbookName,
    /// As a person would type them.
    pub parameters: BTreeMap<String, String>,
    pub place: Where,
    /// `None`: one for each account, region, label or tag that the sets list.
    pub targets: Option<u32>,
    pub labels: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// `None` is outside every freeze.
    pub at: Option<Timestamp>,
    /// The justification, where it is asked as break-glass.
    pub emergency: Option<String>,
    pub expect: Expected,
}

/// The answer that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Without anybody's approval.
    Allow,
    /// Group to number of people: these and no more.
    Approvals(BTreeMap<GroupName, u32>),
    /// By exactly these rules where they are named, else by whichever.
    Deny(Option<BTreeSet<String>>),
}

impl SelfTest {
    /// What the policy answers.
    ///
    /// # Errors
    /// Why the question cannot be asked at all, as a fragment with its remedy.
    pub fn ask(&self, policy: &PolicySet, runbooks: &[&Runbook]) -> Result<Decision, (String, String)> {
        let unknown = || (format!("no runbook is called `{}`", self.runbook), "name one of the runbooks".to_owned());
        let runbook = runbooks.iter().find(|r| r.name == self.runbook).ok_or_else(unknown)?;
        let arguments = runbook::check(runbook, &self.parameters).map_err(|faults| {
            let what: Vec<&str> = faults.iter().map(|f| f.what.as_str()).collect();
            (what.join(", "), "write values under `parameters` that the runbook takes".to_owned())
        })?;
        let attributes = Attributes { labels: self.labels.clone(), tags: self.tags.clone() };
        let targets = specimens(policy, &self.place, self.targets, &attributes);
        let remedy = || "change `where`, `targets`, `labels` or `tags` of the test".to_owned();
        let targets = targets.map_err(|why| (format!("its targets cannot be: {why}"), remedy()))?;
        let asker = somebody(self.groups.clone(), self.channel.clone());
        let recent = BTreeSet::new();
        let request = Request {
            asker: &asker,
            runbook: (*runbook).into(),
            arguments: &arguments,
            targets: targets.iter().map(Specimen::facts).collect(),
            recent: &recent,
            now: self.at.unwrap_or(Timestamp::UNIX_EPOCH),
        };
        let ask = |policy: &PolicySet| match &self.emergency {
            Some(justification) => decide_in_emergency(policy, &request, justification),
            None => decide(policy, &request),
        };
        let decision = match self.at {
            Some(_) => ask(policy),
            None => ask(&PolicySet { freezes: Vec::new(), ..policy.clone() }),
        };
        if self.emergency.is_some() && decision.verdict != Verdict::Forbid && decision.overridden.is_empty() {
            return Err((
                "nothing stands in its way that break-glass would override".to_owned(),
                "set `at` to a time inside a freeze, or take `break_glass` out of the test".to_owned(),
            ));
        }
        Ok(decision)
    }

    /// Asks and compares.
    ///
    /// # Errors
    /// What is answered in place of what is wanted, or why it cannot be asked: a fragment with its remedy.
    pub fn run(&self, policy: &PolicySet, runbooks: &[&Runbook]) -> Result<(), (String, String)> {
        let decision = self
            .ask(policy, runbooks)
            .map_err(|(what, remedy)| (format!("the test `{}`: {what}", self.name), remedy))?;
        if self.expect.is(&decision) {
            return Ok(());
        }
        let what =
            format!("the test `{}` wants {}, but {}", self.name, self.expect.in_words(), words::outcome(&decision));
        Err((what, "change the rules, or the test if this is what you want".to_owned()))
    }
}

impl Expected {
    fn is(&self, decision: &Decision) -> bool {
        match self {
            Expected::Allow => decision.verdict == Verdict::Permit,
            Expected::Approvals(wanted) => {
                let asked = decision.quorum.iter().map(|seats| (&seats.group, &seats.count));
                decision.verdict == Verdict::PermitWithApproval && asked.eq(wanted)
            }
            Expected::Deny(wanted) => {
                let by: BTreeSet<&String> = decision.reasons.iter().map(|reason| &reason.rule).collect();
                decision.verdict == Verdict::Forbid && wanted.as_ref().is_none_or(|wanted| wanted.iter().eq(by))
            }
        }
    }

    fn in_words(&self) -> String {
        match self {
            Expected::Allow => "it allowed without approval".into(),
            Expected::Approvals(seats) => {
                let seats: Vec<String> = seats.iter().map(|(group, n)| format!("{n} of `{group}`")).collect();
                format!("it to need {}", seats.join(" and "))
            }
            Expected::Deny(None) => "it denied".into(),
            Expected::Deny(Some(rules)) => format!("it denied by {}", words::list(rules, "and")),
        }
    }
}
