//! From a request to a decided plan. The same way for `run`, `plan` and the command line; it sends nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::command;
use crate::domain::selector::Doubt;
use crate::domain::{Digest, RunbookName, Snapshot, Target};
use crate::message::{Card, View, refusal, trouble};
use crate::plan::{self, Delivery, NoPlan, Plan};
use crate::policy::set::BreakGlass;
use crate::policy::{self, Asker, Decision, Moment, Request, RunbookFacts, Verdict};
use crate::ports::Inventory;
use crate::redact::Redactor;
use crate::run::Glass;
use crate::runbook::Runbook;
use crate::runbook::arguments::{self, ArgumentFault};

use super::planner::{self, Progress};
use super::rulebook::Rules;

/// A plan with what the policy says to it, which may be a refusal.
#[derive(Debug, Clone)]
pub struct Proposed {
    pub plan: Plan,
    pub decision: Decision,
    /// Revision of the policy files that decided.
    pub policy: Digest,
    /// Of a plan that is forbidden: the targets that this person may run. Empty if there are none.
    pub part: BTreeSet<Target>,
    /// Of a plan that overrides rules: what that owes.
    pub glass: Option<Glass>,
    /// Of a plan that is forbidden: this person could run it by breaking the glass.
    pub breakable: bool,
}

/// Why there is no plan to decide on.
#[derive(Debug, Clone)]
pub enum NotProposed {
    /// `known`: what this person may run, for a "did you mean".
    UnknownRunbook {
        name: RunbookName,
        known: Vec<RunbookName>,
    },
    /// The cheap check on the runbook alone: not a single call to AWS is made for it.
    NotAllowed(Decision),
    /// A value that the redactor would take out; the name is the parameter's, or `because` or `on`.
    Secret {
        name: String,
    },
    Arguments {
        runbook: Arc<Runbook>,
        faults: Vec<ArgumentFault>,
    },
    /// A misspelt label or account: `evn!=prod` would match everything.
    Doubts(Vec<Doubt>),
    NoPlan(NoPlan),
    /// Nothing stands in the way that could be overridden.
    NoEmergency,
}

impl NotProposed {
    /// The refusal as a person reads it.
    #[must_use]
    pub fn card(&self, request: &command::Request, view: &View) -> Card {
        match self {
            NotProposed::UnknownRunbook { name, known } => refusal::unknown_runbook(name.as_str(), known, view),
            NotProposed::NotAllowed(decision) => refusal::denied(&request.runbook, None, decision, None, view),
            NotProposed::Arguments { runbook, faults } => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                refusal::argument_faults(runbook, &faults, view)
            }
            NotProposed::Secret { name } => trouble::secret_argument(name),
            NotProposed::NoEmergency => crate::message::glass::no_emergency(request, view),
            NotProposed::Doubts(doubts) => trouble::doubts(doubts, view),
            NotProposed::NoPlan(NoPlan::NothingMatched { coverage, accounts }) => {
                refusal::nothing_matched(&request.selector.to_string(), coverage, accounts, view)
            }
            NotProposed::NoPlan(NoPlan::TooMany { found, max, by_account }) => {
                refusal::too_many_targets(&request.runbook, *found, *max, by_account, view)
            }
        }
    }
}

/// Plans and decides. `only`:
/// nothing else is planned for, whatever the selector finds.
///
/// # Errors
/// [`NotProposed`], each with what a message needs to say it.
pub async fn propose(
    inventory: Arc<dyn Inventory>,
    rules: &Rules,
    asker: &Asker,
    request: &command::Request,
    moment: Moment<'_>,
    only: Option<&BTreeSet<Target>>,
    progress: Arc<Progress>,
) -> Result<Proposed, NotProposed> {
    let Some(runbook) = rules.runbooks.runbooks.get(&request.runbook) else {
        return Err(NotProposed::UnknownRunbook { name: request.runbook.clone(), known: allowed(rules, asker) });
    };
    let first = policy::may_run_at_all(&rules.policy, asker, RunbookFacts::from(runbook.as_ref()));
    if first.verdict == Verdict::Forbid {
        return Err(NotProposed::NotAllowed(first));
    }
    let arguments = arguments::check(runbook, &request.arguments)
        .map_err(|faults| NotProposed::Arguments { runbook: runbook.clone(), faults })?;
    if let Some(name) = secret_in(request) {
        return Err(NotProposed::Secret { name });
    }
    let accounts = inventory.accounts().await;
    let doubts = request.selector.doubts(&accounts.0);
    if !doubts.is_empty() {
        return Err(NotProposed::Doubts(doubts));
    }
    let mut snapshot = planner::read(inventory, accounts, &request.selector, progress).await;
    let build =
        |snapshot: &Snapshot| plan::build(runbook, arguments.clone(), &request.selector, snapshot, Delivery::Inline);
    let mut left_out = 0;
    if let Some(only) = only {
        let whole = build(&snapshot).map_or(0, |plan| plan.targets.len());
        snapshot.nodes.retain(|node| only.contains(&node.target));
        left_out = whole;
    }
    let mut plan = build(&snapshot).map_err(NotProposed::NoPlan)?;
    left_out = left_out.saturating_sub(plan.targets.len());
    plan.coverage.left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
    let question = Request::of(asker, &plan, moment);
    let policy = rules.policy.revision;
    if request.emergency {
        let decision =
            policy::decide_in_emergency(&rules.policy, &question, request.reason.as_deref().unwrap_or_default());
        if decision.verdict != Verdict::Forbid && decision.overridden.is_empty() {
            return Err(NotProposed::NoEmergency);
        }
        let glass = rules.policy.glass.as_ref().map(owed);
        return Ok(Proposed { plan, decision, policy, part: BTreeSet::new(), glass, breakable: false });
    }
    let decision = policy::decide(&rules.policy, &question);
    let (part, breakable) = match decision.verdict {
        Verdict::Forbid => {
            let breakable = policy::could_break_glass(&rules.policy, &question);
            (policy::narrowed(&rules.policy, &question), breakable)
        }
        Verdict::Permit | Verdict::PermitWithApproval => (BTreeSet::new(), false),
    };
    Ok(Proposed { plan, decision, policy, part, glass: None, breakable })
}

/// What breaking the glass by this rule owes.
pub(super) fn owed(rule: &BreakGlass) -> Glass {
    Glass {
        notify: rule.notify.iter().cloned().collect(),
        review: rule.review.iter().cloned().collect(),
        review_within: rule.review_within,
    }
}

/// The first word of the request that holds what the redactor would take out.
pub(super) fn secret_in(request: &command::Request) -> Option<String> {
    let redactor = Redactor::new(b"only asked whether");
    let is_secret = |text: &str| redactor.redact(text).text != text;
    let argument = request.arguments.iter().find(|(name, value)| is_secret(&format!("{name}={value}")));
    match argument {
        Some((name, _)) => Some(name.clone()),
        // What is taken out of a justification justifies nothing.
        None if request.emergency && request.reason.as_deref().is_some_and(is_secret) => Some("because".to_owned()),
        None => is_secret(&request.selector.to_string()).then(|| "on".to_owned()),
    }
}

/// The runbooks that this person may run at all, somewhere.
#[must_use]
pub fn allowed(rules: &Rules, asker: &Asker) -> Vec<RunbookName> {
    rules
        .runbooks
        .runbooks
        .iter()
        .filter(|(_, book)| {
            policy::may_run_at_all(&rules.policy, asker, RunbookFacts::from(book.as_ref())).verdict != Verdict::Forbid
        })
        .map(|(name, _)| name.clone())
        .collect()
}
