//! What people press on the cards of runs. Every click is authorised afresh.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::command;
use crate::domain::{Selector, Target};
use crate::message::{self, Card, Form, Values, Verb, View, form};
use crate::policy::Asker;
use crate::ports::InboxRow;
use crate::run::{Input, Phase, Refusal, Run, Which};

use super::intake::{Answer, run};
use super::runner::Handle;
use super::{Services, lookups, retrying, reviews, starting};

pub(super) async fn click(
    services: &Arc<Services>,
    row: &InboxRow,
    asker: &Asker,
    handle: &Handle,
    verb: Verb,
    revision: u32,
) -> Answer {
    match verb {
        Verb::Approve => {
            let digest = handle.read(|run| run.digest_shown(revision));
            decided(services, handle, Input::Approve { by: asker.clone(), digest }).await
        }
        Verb::Narrow => {
            let digest = handle.read(|run| run.digest_shown(revision));
            let input = Input::Approve { by: asker.clone(), digest };
            ask_more(services, row, handle, verb, input, message::narrow_form).await
        }
        Verb::Deny => {
            let input = Input::Deny { by: asker.clone(), why: String::new() };
            ask_more(services, row, handle, verb, input, message::deny_form).await
        }
        Verb::Review => {
            let reviewers = handle.read(|run| reviews::reviewers(services, run));
            let input = Input::Review { by: asker.clone(), found: String::new(), reviewers };
            ask_more(services, row, handle, verb, input, message::review_form).await
        }
        Verb::Cancel => cancel(services, asker, handle).await,
        Verb::Continue => {
            let decision = match starting::decide_again(services, handle, &services.rulebook.current()).await {
                Ok(decision) => decision,
                Err(fault) => return Answer::Whisper(message::trouble::directory_down(&fault.to_string())),
            };
            let allowed = is_theirs(asker, handle);
            decided(services, handle, Input::Continue { by: asker.clone(), revision, allowed, decision }).await
        }
        Verb::Stop => {
            let allowed = is_theirs(asker, handle);
            decided(services, handle, Input::Stop { by: asker.clone(), revision, allowed }).await
        }
        Verb::RollBack => {
            let allowed = is_theirs(asker, handle);
            decided(services, handle, Input::RollBack { by: asker.clone(), revision, allowed }).await
        }
        Verb::RetryFailed | Verb::RetryNotStarted => match services.seen_by(asker, handle.id).await {
            Some(handle) => {
                let which = if verb == Verb::RetryFailed { Which::Failed } else { Which::NotStarted };
                retrying::retry(services, row, asker, &handle, which).await
            }
            None => Answer::Whisper(message::refusal::may_not_view()),
        },
        Verb::RunAgain => again(services, row, asker, handle).await,
        Verb::Output => match services.seen_by(asker, handle.id).await {
            Some(handle) => lookups::output(services, row, &handle, None).await,
            None => Answer::Whisper(message::refusal::may_not_view()),
        },
        Verb::Nodes | Verb::Compare | Verb::NodeOutput | Verb::Files => {
            match services.seen_by(asker, handle.id).await {
                Some(handle) if verb == Verb::Files => lookups::files(services, &handle).await,
                Some(handle) => lookups::detail(services, row, &handle, verb, revision).await,
                None => Answer::Whisper(message::refusal::may_not_view()),
            }
        }
        // Offers name requests, never runs.
        Verb::RunPart | Verb::AskOthers => Answer::Whisper(message::door::gone(&services.view_for(row))),
        // They opened a form.
        Verb::Pick | Verb::Fill => Answer::Shown,
    }
}

/// Opens the form that the click needs. Whoever may not do it is told before: the trigger lives for three seconds.
async fn ask_more(
    services: &Arc<Services>,
    row: &InboxRow,
    handle: &Handle,
    verb: Verb,
    input: Input,
    form: fn(&Run, &View) -> Form,
) -> Answer {
    let run = handle.snapshot();
    if let Err(refusal) = run.decide(input, services.clock.now()) {
        return Answer::Whisper(click_refused(&refusal, &run, &services.view(&run), verb));
    }
    let form = form(&run, &services.view(&run));
    drop(run);
    match services.chat.open_form(&row.delivery.reply, &form).await {
        Ok(_) => Answer::Shown,
        Err(fault) => Answer::Whisper(message::trouble::form_not_opened(&fault.to_string())),
    }
}

/// The same request once more, by whoever clicked: planned and decided afresh, because targets, policy and people may
/// have changed. Old approvals never carry over.
async fn again(services: &Arc<Services>, row: &InboxRow, asker: &Asker, handle: &Handle) -> Answer {
    let (plan, reason, place, emergency) = handle.read(|run| {
        let p = &run.proposal;
        // One that was run has had its emergency, and another person has to have a reason of their own.
        let emergency = p.glass.is_some() && run.phase != Phase::Finished && asker.is(&p.by);
        (p.plan.clone(), p.reason.clone(), p.place.clone(), emergency)
    });
    let Ok(selector) = Selector::parse(&plan.selector) else {
        return Answer::Whisper(message::refusal::fault(
            "the selector of that run cannot be read any more",
            &row.run.to_string(),
        ));
    };
    let (runbook, arguments) = (plan.runbook.clone(), plan.arguments.clone());
    let request = command::Request { runbook, arguments, selector, reason, emergency };
    let mut row = row.clone();
    // The new card stands where the old one stands, not inside its thread.
    row.delivery.place = place;
    // A run that was narrowed stays so, whoever runs it again.
    let narrowed = plan.coverage.left_out > 0 || handle.read(|run| !run.narrowed.is_empty());
    let only: Option<BTreeSet<Target>> = narrowed.then(|| plan.targets.iter().map(|t| t.target.clone()).collect());
    run(services, &row, asker, request, only.as_ref()).await
}

/// A decision on a request for approval; a refusal is told to the person who clicked, with who decided.
pub(super) async fn decided(services: &Arc<Services>, handle: &Handle, input: Input) -> Answer {
    let verb = match input {
        Input::Deny { .. } => Verb::Deny,
        Input::Cancel { .. } => Verb::Cancel,
        Input::Continue { .. } => Verb::Continue,
        Input::Review { .. } => Verb::Review,
        _ => Verb::Approve,
    };
    match handle.input(input).await {
        Ok(()) => Answer::Shown,
        Err(refusal) => {
            let run = handle.read(Run::clone);
            Answer::Whisper(click_refused(&refusal, &run, &services.view(&run), verb))
        }
    }
}

/// A yes to a part of the plan that stood there when the form was opened.
pub(super) async fn narrowed(
    services: &Arc<Services>,
    asker: &Asker,
    handle: &Handle,
    revision: u32,
    values: &Values,
) -> Answer {
    let run = handle.snapshot();
    let digest = run.digest_shown(revision);
    let kept = match form::read_narrow(&run, values) {
        Ok(kept) => kept,
        // The form was refused with it before; it may have been narrowed since.
        Err(faults) => {
            let faults: Vec<String> = faults.into_values().collect();
            return Answer::Whisper(message::refusal::cannot_narrow(&faults));
        }
    };
    match run.proposal.plan.part(&kept) {
        Some(plan) => {
            let input = Input::Narrow { by: asker.clone(), digest, plan: Box::new(plan) };
            drop(run);
            decided(services, handle, input).await
        }
        None => Answer::Whisper(click_refused(&Refusal::OtherPlan, &run, &services.view(&run), Verb::Narrow)),
    }
}

/// Why a click changed nothing, for the person who clicked.
fn click_refused(refusal: &Refusal, run: &Run, view: &View, verb: Verb) -> Card {
    use crate::message::refusal as say;
    match refusal {
        Refusal::MayNotDecide(_) if verb == Verb::Deny => {
            let groups: Vec<String> = run.proposal.decision.quorum.iter().map(|s| s.group.clone()).collect();
            say::cannot_deny(&groups)
        }
        Refusal::MayNotDecide(why) if verb == Verb::Continue => say::cannot_pass_gate(&why.to_string(), run),
        Refusal::MayNotDecide(why) => say::cannot_approve(&why.to_string(), run, view),
        Refusal::MayNotDecideHold => say::cannot_decide_hold(run, view),
        Refusal::NotHeld | Refusal::OldHold => say::hold_decided(run, view),
        Refusal::NoLongerPermitted(why) => say::cannot_go_on(run, why),
        Refusal::NoWayBack => say::no_way_back(run, view),
        Refusal::NoReview => message::glass::no_review(run, view),
        Refusal::Over(_) if verb == Verb::Review => message::glass::no_review(run, view),
        Refusal::NotOver => message::glass::review_too_early(view),
        Refusal::MayNotReview(why) => message::glass::cannot_review(why, run, view),
        Refusal::MayNotCancel => say::cannot_cancel(run, &refusal.to_string()),
        Refusal::Over(_) | Refusal::Expired if verb == Verb::Cancel => say::already_over(run, view),
        Refusal::OtherPlan => say::other_plan(run, view),
        Refusal::Over(_) | Refusal::Expired | Refusal::Started | Refusal::NothingToApprove | Refusal::Stale => {
            say::already_decided(run, view)
        }
    }
}

pub(super) async fn cancel(services: &Arc<Services>, asker: &Asker, handle: &Handle) -> Answer {
    let allowed = is_theirs(asker, handle);
    decided(services, handle, Input::Cancel { by: asker.principal.clone(), allowed }).await
}

fn is_theirs(asker: &Asker, handle: &Handle) -> bool {
    handle.read(|run| is_of(run, asker))
}

/// The requester, or somebody whose approval the policy asks for.
pub(super) fn is_of(run: &Run, asker: &Asker) -> bool {
    let quorum = &run.proposal.decision.quorum;
    asker.is(&run.proposal.by) || quorum.iter().any(|s| asker.groups.contains(&s.group))
}
