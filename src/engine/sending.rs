//! Sending one shard exactly once, by the one recipe:
//! slot and session first, then the intent, then one call; an unknown answer is looked up by its token until
//! AWS itself can no longer take the request, and only then is it sent anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{NodeId, Target, Timestamp};
use crate::plan::Plan;
use crate::ports::{Automation, CloudError, Operation, Quota, SendError, SendRequest, SendSession, Signing, Work};
use crate::run::{Answer, Effect, Input, Run, SendState};
use crate::runbook::{Action, Guard, needs_guard, prelude};

use super::Services;
use super::asking::{self, Look};
use super::limits::Whom;
use super::runner::Handle;
use super::token::{self, token};

/// A call that has not begun so long after it was signed is not made: it could be taken after it was given up.
const START_WITHIN: Duration = Duration::from_secs(15);
/// Looks for a lost command: seconds after the first, then every minute until AWS's expiry has passed.
const LOOKS: [u64; 5] = [1, 3, 8, 20, 60];
/// Sends of one shard and step that AWS did not take, before it counts as refused.
const SENDS_MAX: u32 = 30;
/// Attempts to open a session before the account counts as refusing: about nine minutes.
const OPENS_MAX: u32 = 20;
/// Between the two looks that prove absence. Lists lag, and the first look of a process may have been made by a clock that
/// AWS had not corrected yet.
const CONFIRM_AFTER: Duration = Duration::from_secs(5);
/// A command that could not even be looked for so long after AWS could last take it stays unknown.
const LOOK_FOR_AT_MOST: jiff::SignedDuration = jiff::SignedDuration::from_mins(30);

/// Takes a slot, opens the session, writes the intent, sends once, and feeds the answer back.
pub async fn send(services: &Arc<Services>, handle: &Handle, shard: u32, step: u32, send: u32) {
    let (account, region) = handle.read(|run| {
        let s = &run.proposal.plan.shards[shard as usize];
        (s.account.clone(), s.region.clone())
    });
    let wanted = || handle.read(|run| run.owes(&Effect::Send { shard, step, send }));
    services.halting.lifted(wanted).await;
    if !wanted() {
        return;
    }
    if send > 1 {
        pause_before_resend(send).await;
    }
    if send > SENDS_MAX {
        let cause = format!("AWS did not take the command in {SENDS_MAX} attempts; run it again later");
        let _ = handle.input(Input::CannotSend { shard, step, send, cause }).await;
        return;
    }
    let session = handle.read(|run| session(run, shard));
    let mut tries = 0;
    while let Err(fault) = services.cloud.open(&session).await {
        tries += 1;
        if matches!(fault, CloudError::Refused(_)) || tries >= OPENS_MAX {
            let cause = fault.to_string();
            let _ = handle.input(Input::CannotSend { shard, step, send, cause }).await;
            return;
        }
        if !wanted() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500) * (1 << tries.min(6))).await;
    }
    let operation = handle.read(|run| operation(run, step));
    let quota = Quota::of(&account, &region, operation);
    services.limits.slot(&quota, Whom::Run(handle.id)).await;
    // Held until the intent stands in the journal. Halted meanwhile: the runner asks again, and it waits above.
    let Some(passage) = services.halting.passage().await else { return };

    let began = tokio::time::Instant::now();
    let signed_at = services.cloud.aws_now();
    let key = services.journal.token_key();
    let attempt = handle.read(Run::attempt);
    let mark = token(&key, token::Send { run: handle.id, step, shard, attempt, send });
    let intent = Input::SlotHeld { shard, step, send, token: mark.clone(), signed_at };
    if handle.input(intent).await.is_err() {
        return;
    }
    drop(passage);
    // From here on the intent is durable, and this task owes its answer.
    let Some(request) = handle.read(|run| request(run, shard, &run.due_targets(shard), session, mark, signed_at))
    else {
        let answer = Answer::Refused { cause: "the plan has no such step; this is a fault in Muster".into() };
        let _ = handle.input(Input::Answered { shard, step, send, answer }).await;
        return;
    };
    let wanted = is_still_wanted(services, handle, shard, step, send).await;
    let answer = if !wanted {
        Answer::NotTaken { cause: "it was stopped before the call".into() }
    } else if began.elapsed() > START_WITHIN {
        Answer::NotTaken { cause: "the call could not be started in time".into() }
    } else {
        match services.cloud.send(&request).await {
            Ok(command) => Answer::Taken { command, adopted: false },
            Err(SendError::Refused(cause)) => Answer::Refused { cause },
            Err(SendError::Throttled { retry_after }) => {
                services.limits.throttled(&quota, retry_after);
                Answer::NotTaken { cause: "AWS throttles SendCommand".into() }
            }
            Err(SendError::NotSent(cause)) => Answer::NotTaken { cause },
            Err(SendError::InvalidInstance) => gone(services, handle, shard, &request).await,
            // The look-up asks again, hears the same and hands it to people.
            Err(SendError::Unknown(cause) | SendError::Mismatch(cause)) => Answer::Unknown { cause },
        }
    };
    let _ = handle.input(Input::Answered { shard, step, send, answer }).await;
}

/// Looks once more, just before the call: a slow commit of the intent may have kept a cancel, a deadline or a halt waiting.
/// What is not called is certain not to be taken.
async fn is_still_wanted(services: &Services, handle: &Handle, shard: u32, step: u32, send: u32) -> bool {
    // Behind whatever came while the intent was written; it also tells whether the deadline has passed.
    let _ = handle.input(Input::Tick).await;
    // A halt that waits for its turn comes before this. Not held during the call, which may take long.
    let halted = services.halting.passage().await.is_none();
    !halted && handle.read(|run| run.may_call(shard, step, send))
}

/// One gone node refuses the whole call: finds out which, so that the rest can be sent.
async fn gone(services: &Services, handle: &Handle, shard: u32, request: &SendRequest) -> Answer {
    let account = &request.session.account;
    let known: BTreeMap<NodeId, bool> = match services.cloud.known_nodes(account, &request.region, &request.nodes).await
    {
        Ok(known) => known,
        Err(fault) => {
            return Answer::NotTaken { cause: format!("AWS refused a node, and which one could not be read: {fault}") };
        }
    };
    let pick = |known_as: Option<bool>| {
        handle.read(|run| {
            let node = |t: &u32| &run.proposal.plan.targets[*t as usize].target.node;
            let due = run.due_targets(shard).into_iter();
            due.filter(|t| known.get(node(t)).copied() == known_as).collect::<Vec<u32>>()
        })
    };
    let mut targets = pick(None);
    if targets.is_empty() {
        // A stopped node is refused as well, and SSM lists it for a while as not answering.
        targets = pick(Some(false));
    }
    if targets.is_empty() {
        // It lists every node and yet refuses: AWS is between two minds, ask again.
        return Answer::NotTaken { cause: "AWS refused a node that it still lists".into() };
    }
    Answer::Gone { targets }
}

/// The process ended between the intent and its answer: nobody knows.
pub async fn lost(handle: &Handle, shard: u32, step: u32, send: u32) {
    let answer = Answer::Unknown { cause: "muster was restarted before AWS answered".into() };
    let _ = handle.input(Input::Answered { shard, step, send, answer }).await;
}

/// Looks for what was sent and whose answer was lost, until AWS can no longer take it.
pub async fn look_up(services: &Arc<Services>, handle: &Handle, shard: u32, step: u32, send: u32) {
    let Some((lost, signed_at)) = handle.read(|run| match &run.shards[shard as usize].state {
        SendState::Unsure { token, signed_at, targets, .. } => {
            let session = session(run, shard);
            Some((request(run, shard, targets, session, token.clone(), *signed_at)?, *signed_at))
        }
        _ => None,
    }) else {
        return;
    };
    let settled_at = signed_at.saturating_add(services.settings.settle_after()).unwrap_or(Timestamp::MAX);
    let began = tokio::time::Instant::now();
    let confirm = CONFIRM_AFTER.min(services.settings.request_expiry / 4);
    let mut asking = asking::Asking::new(lost);
    let mut absent_before = false;
    for look in 0.. {
        // Read the clock before the list: only an empty list that is younger than the expiry says that it is absent, and
        // only two of them prove it.
        let late = services.cloud.aws_now() >= settled_at;
        let mut absent_now = false;
        let answer = match asking.look(services, handle, shard).await {
            Look::Found(command) => Some(Answer::Taken { command, adopted: true }),
            Look::Nowhere if late && absent_before => Some(Answer::Absent),
            Look::Nowhere => {
                absent_now = late;
                None
            }
            Look::Unverifiable(cause) => Some(Answer::Unverifiable { cause }),
            Look::Failed(fault) => {
                tracing::warn!(run = %handle.id, shard, %fault, "a look for a lost command failed");
                let given_up = settled_at.saturating_add(LOOK_FOR_AT_MOST).unwrap_or(Timestamp::MAX);
                (services.cloud.aws_now() >= given_up).then(|| Answer::Unverifiable {
                    cause: format!("AWS did not answer, and could not be asked whether it took the command: {fault}"),
                })
            }
        };
        if let Some(answer) = answer {
            let _ = handle.input(Input::Answered { shard, step, send, answer }).await;
            return;
        }
        absent_before = absent_now;
        if absent_now {
            tokio::time::sleep(confirm).await;
            continue;
        }
        let at = next_look(look);
        let left = settled_at.duration_since(services.cloud.aws_now());
        let left = Duration::try_from(left).unwrap_or_default();
        let next = at.saturating_sub(began.elapsed()).max(Duration::from_millis(500));
        tokio::time::sleep(if left.is_zero() { next } else { next.min(left + Duration::from_millis(50)) }).await;
    }
}

/// When the look after this one is made, counted from the first.
fn next_look(look: usize) -> Duration {
    let minutes = || 60 * u64::try_from(look).unwrap_or(u64::MAX).saturating_sub(3);
    Duration::from_secs(LOOKS.get(look).copied().unwrap_or_else(minutes))
}

/// Asks AWS to stop what runs of one shard. Best effort, by AWS's own word.
pub async fn cancel(services: &Arc<Services>, handle: &Handle, shard: u32, step: u32, send: u32) {
    let Some((account, region, service, command)) = handle.read(|run| {
        let s = &run.proposal.plan.shards[shard as usize];
        let progress = &run.shards[shard as usize];
        match &progress.state {
            SendState::Sent { command, .. } if progress.step == step && progress.sends == send => {
                let service = work(&run.proposal.plan.step(step)?.action).service();
                Some((s.account.clone(), s.region.clone(), service, command.clone()))
            }
            _ => None,
        }
    }) else {
        return;
    };
    // Without ids: a foreign one among them would refuse the whole call, and the command has no others.
    if let Err(fault) = services.cloud.cancel(&account, &region, service, &command, &[]).await {
        tracing::warn!(run = %handle.id, shard, %fault, "AWS did not take the cancellation");
    }
    // The results tell what became of it; until then it is not asked again every second.
    tokio::time::sleep(Duration::from_secs(30)).await;
}

async fn pause_before_resend(send: u32) {
    let exponent = send.saturating_sub(2).min(6);
    tokio::time::sleep(Duration::from_millis(500) * (1 << exponent)).await;
}

/// What a step asks SSM for.
pub(super) fn work(action: &Action) -> Work {
    match action {
        Action::Shell { .. } | Action::Powershell { .. } | Action::Document { .. } => Work::Command,
        Action::Automation { target, .. } => Work::Automation {
            target_parameter: target.clone(),
            // No runbook is loaded without one; the adapter refuses a plan that has none all the same.
            role: action.role().unwrap_or_default().to_owned(),
        },
    }
}

/// What AWS counts a send of this step against.
fn operation(run: &Run, step: u32) -> Operation {
    match run.proposal.plan.step(step).map(|s| work(&s.action)) {
        Some(Work::Automation { .. }) => Operation::StartAutomationExecution,
        Some(Work::Command) | None => Operation::SendCommand,
    }
}

/// One session per run and account: every node of the account in the plan, every document and every automation.
fn session(run: &Run, shard: u32) -> SendSession {
    let plan = &run.proposal.plan;
    let account = plan.shards[shard as usize].account.clone();
    let mine = |t: &&Target| t.account == account;
    let nodes =
        plan.targets.iter().map(|t| &t.target).filter(mine).map(|t| (t.region.clone(), t.node.clone())).collect();
    let (mut documents, mut automations) = (Vec::new(), Vec::new());
    for step in plan.steps.iter().chain(&plan.rollback) {
        let document = prelude::render(step, &plan.arguments, None).document;
        match work(&step.action) {
            Work::Command => documents.push(document),
            Work::Automation { role, .. } => automations.push(Automation { document, role }),
        }
    }
    documents.sort();
    documents.dedup();
    automations.sort();
    automations.dedup();
    let proposal = &run.proposal;
    let identity = proposal.identity.clone().unwrap_or_else(|| proposal.by.source_identity());
    SendSession { run: run.id, account, identity, nodes, documents, automations }
}

fn request(
    run: &Run,
    shard: u32,
    targets: &[u32],
    session: SendSession,
    token: String,
    signed_at: Timestamp,
) -> Option<SendRequest> {
    let plan: &Plan = &run.proposal.plan;
    let place = &plan.shards[shard as usize];
    let step_index = run.shards[shard as usize].step;
    let step = plan.step(step_index)?;
    let guard = needs_guard(plan.risk, step).then_some(Guard { run: run.id, step: step_index, attempt: run.attempt() });
    let prelude::Rendered { document, version, hash, parameters } =
        prelude::render(step, &plan.arguments, guard.as_ref());
    let all = u32::try_from(targets.len()).unwrap_or(u32::MAX);
    let work = work(&step.action);
    let left = match work {
        // The way back goes to every touched node, whatever fails on the way.
        _ if run.rollback.is_some() => all,
        Work::Command => plan.max_errors.saturating_sub(run.counts.errors()),
        // An automation may have to be sent again, and then everything has to be as it was: what has failed elsewhere
        // meanwhile must not change it. Its nodes all start at once, so that little depends on it.
        Work::Automation { .. } => plan.max_errors,
    };
    Some(SendRequest {
        session,
        work,
        region: place.region.clone(),
        nodes: targets.iter().map(|t| plan.targets[*t as usize].target.node.clone()).collect(),
        document,
        document_version: version,
        document_hash: hash,
        parameters,
        token,
        delivery_timeout_secs: u32::try_from(step.delivery_timeout.secs_up()).unwrap_or(u32::MAX),
        max_errors: left.min(all),
        signing: Signing { at: signed_at },
    })
}

#[cfg(test)]
mod tests {
    use super::next_look;

    #[test]
    fn a_lost_send_is_looked_for_soon_at_first_and_then_every_minute() {
        let seconds: Vec<u64> = (0..8).map(|look| next_look(look).as_secs()).collect();
        assert_eq!(seconds, [1, 3, 8, 20, 60, 120, 180, 240]);
    }
}
