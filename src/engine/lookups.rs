//! What people look up: runs, outputs, targets.

use std::sync::Arc;

use crate::command::{RunFilter, RunRef};
use crate::domain::{Digest, RunbookName, Selector};
use crate::message::{self, Card, Verb, View, browse, halt};
use crate::plan;
use crate::policy::{self, Asker};
use crate::ports::InboxRow;
use crate::run::{Phase, Run};

use super::intake::Answer;
use super::posting::thread_of;
use super::runner::Handle;
use super::summing::{summary_of, summary_with_texts};
use super::{Services, planner, propose};

/// Runs that `status` lists, newest first.
pub(super) const STATUS_MAX: usize = 10;
/// Runs that `runs` lists, newest first.
const RUNS_MAX: usize = 25;

/// What is going on, and what came of it of late.
pub async fn status(services: &Services, asker: &Asker, view: &View) -> Card {
    let card = |shown: &[(&Run, String)]| halt::noticed(browse::status(shown, view), view);
    listed(services, asker, &RunFilter::default(), STATUS_MAX, card).await
}

/// Past and present runs that fit.
pub async fn runs(services: &Services, asker: &Asker, filter: &RunFilter, view: &View) -> Card {
    listed(services, asker, filter, RUNS_MAX, |shown| browse::runs(shown, filter, RUNS_MAX, view)).await
}

async fn listed(
    services: &Services,
    asker: &Asker,
    filter: &RunFilter,
    most: usize,
    card: impl Fn(&[(&Run, String)]) -> Card,
) -> Card {
    let latest = services.latest(asker, most, filter).await;
    let runs: Vec<_> = latest.iter().map(|h| (h.snapshot(), services.runs.short(h.id))).collect();
    let shown: Vec<(&Run, String)> = runs.iter().map(|(run, short)| (run.as_ref(), short.clone())).collect();
    card(&shown)
}

/// One run as its card says it, without buttons.
pub async fn one(services: &Arc<Services>, handle: &Handle, view: &View) -> Card {
    let run = handle.read(Run::clone);
    let card = if run.phase.is_over() {
        let summary = summary_of(services, &run).await;
        message::root(&run, Some(&summary), view)
    } else {
        message::root(&run, None, view)
    };
    Card { buttons: Vec::new(), ..card }
}

/// The run that a reference names, if this person may see it. One that may not be seen does not exist for them.
pub(super) async fn find(services: &Services, asker: &Asker, reference: &RunRef) -> Result<Handle, Card> {
    let mut mine: Vec<Handle> = Vec::new();
    for id in services.runs.ids().into_iter().filter(|id| reference.matches(id)) {
        mine.extend(services.seen_by(asker, id).await);
    }
    let view = View::new("", services.clock.now(), &services.settings.command);
    only(services, mine, reference, &view)
}

/// The one run that was found by the reference.
pub(super) fn only(
    services: &Services,
    mut found: Vec<Handle>,
    reference: &RunRef,
    view: &View,
) -> Result<Handle, Card> {
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|h| services.runs.short(h.id)).collect();
        return Err(message::refusal::ambiguous_run(&reference.to_string(), &names));
    }
    found.pop().ok_or_else(|| message::refusal::unknown_run(&reference.to_string(), view))
}

/// The outputs of a run: what fits to the person alone, the whole as a file in a direct message.
pub(super) async fn output(services: &Arc<Services>, row: &InboxRow, handle: &Handle, node: Option<&str>) -> Answer {
    let run = handle.read(Run::clone);
    if run.phase == Phase::AwaitingApproval {
        return Answer::Whisper(message::trouble::no_output_yet(&services.view(&run)));
    }
    let (summary, texts) = summary_with_texts(services, &run).await;
    if texts.is_empty() && run.phase.is_over() && !message::rows::output_keys(&run).is_empty() {
        return Answer::Whisper(message::trouble::outputs_deleted(
            services.settings.keep_outputs,
            &services.view(&run),
        ));
    }
    let lookup = |key: &Digest| texts.get(key).cloned();
    let (card, file) = message::outputs::outputs(&run, &summary, &lookup, node, &services.view(&run));
    if let Some(file) = file {
        let mark = format!("{}:output:{}", run.id, row.run);
        match services.chat.direct(&row.delivery.actor.principal).await {
            Ok(place) => {
                if let Err(fault) = services.chat.upload(&place, &file.name, &file.title, &file.content, &mark).await {
                    tracing::warn!(%fault, "outputs could not be sent as a file");
                }
            }
            Err(fault) => tracing::warn!(%fault, "no direct message is possible"),
        }
    }
    Answer::Whisper(card)
}

/// More of one finding, or of one node, for the person alone. `wanted`: the number that the button names.
pub(super) async fn detail(
    services: &Arc<Services>,
    row: &InboxRow,
    handle: &Handle,
    verb: Verb,
    wanted: u32,
) -> Answer {
    let run = handle.snapshot();
    let view = services.view(&run);
    if verb == Verb::NodeOutput {
        let Some(planned) = run.proposal.plan.targets.get(wanted as usize) else {
            return Answer::Whisper(message::detail::gone(&view));
        };
        return output(services, row, handle, Some(planned.target.node.as_str())).await;
    }
    Answer::Whisper(if verb == Verb::Compare {
        let (summary, texts) = summary_with_texts(services, &run).await;
        message::detail::compare(&run, &summary, &|key: &Digest| texts.get(key).cloned(), wanted, &view)
    } else {
        message::detail::nodes(&run, &summary_of(services, &run).await, wanted, &view)
    })
}

/// All nodes with their values as files in the run's thread, once: a file of the same name stands for itself.
pub(super) async fn files(services: &Arc<Services>, handle: &Handle) -> Answer {
    let run = handle.snapshot();
    let view = services.view(&run);
    if !run.phase.is_over() {
        return Answer::Whisper(message::export::not_over(&view));
    }
    let summary = summary_of(services, &run).await;
    for file in message::exports(&run, &summary, &view) {
        let mark = format!("{}:{}", run.id, file.name);
        let place = thread_of(&run);
        if let Err(fault) = services.chat.upload(&place, &file.name, &file.title, &file.content, &mark).await {
            tracing::warn!(run = %run.id, %fault, "a table could not be uploaded");
            return Answer::Whisper(message::export::exported(Some(&fault.to_string()), &view));
        }
    }
    Answer::Whisper(message::export::exported(None, &view))
}

/// Which groups may run it there. Their names alone: the rules of groups that the person is not in are not theirs to read.
pub(super) async fn who_can(
    services: &Arc<Services>,
    asker: &Asker,
    runbook: &RunbookName,
    selector: &Selector,
    view: &View,
) -> Answer {
    let rules = services.rulebook.current();
    let Some(book) = rules.runbooks.get(runbook) else {
        let known = propose::allowed(&rules, asker);
        return Answer::Whisper(message::refusal::unknown_runbook(runbook.as_str(), &known, view));
    };
    let accounts = services.inventory.accounts().await;
    let doubts = selector.doubts(&accounts.0);
    if !doubts.is_empty() {
        return Answer::Whisper(message::trouble::doubts(&doubts, view));
    }
    let snapshot = planner::read(services.inventory.clone(), accounts, selector, Arc::default()).await;
    let (nodes, coverage) = plan::pick(book, selector, &snapshot);
    if nodes.is_empty() {
        let names = snapshot.accounts.iter().map(|a| (a.id.clone(), a.name.clone())).collect();
        let nothing = message::refusal::nothing_matched(&selector.to_string(), &coverage, &names, view);
        return Answer::Whisper(nothing);
    }
    let shares = policy::who_can(&rules.policy, book, &policy::reach::facts_of(&snapshot, &nodes));
    Answer::Whisper(message::plan::who_can(book, nodes.len(), selector, &shares, view))
}

pub(super) async fn targets(services: &Arc<Services>, selector: &Selector, view: &View) -> Answer {
    let accounts = services.inventory.accounts().await;
    let doubts = selector.doubts(&accounts.0);
    if !doubts.is_empty() {
        return Answer::Whisper(message::trouble::doubts(&doubts, view));
    }
    let snapshot = planner::read(services.inventory.clone(), accounts, selector, Arc::default()).await;
    Answer::Whisper(message::plan::targets(&selector.to_string(), &snapshot))
}
