//! Reading what became of one command or automation, and turning it into reports.
//!
//! One list of invocations answers for fifty nodes with exit code and output. Nothing is read per node, except the
//! full text of a few outputs that SSM cut, and what an automation's steps gave out where the step extracts from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{AccountId, CommandId, NodeId, NotStarted, Outcome, Region};
use crate::ports::{Invocation, InvocationStatus, Service};
use crate::redact::Redactor;
use crate::run::{Input, NodeReport, SendState};
use crate::runbook::guard::{self, Stop};
use crate::runbook::{Action, Step, extract};

use super::runner::Handle;
use super::{Services, sending, whole};

/// SSM shows a result about this long after a quick script ended.
const FIRST_LOOK: Duration = Duration::from_millis(700);
/// The longest pause between two looks at one command.
const LOOK_AFTER_MAX: Duration = Duration::from_secs(10);
/// After SSM's own deadlines, and all the reboots that a step may take: what has no end by then is told as unknown.
const GRACE: Duration = Duration::from_secs(60);
/// Results that cannot be read are tried for so long after the deadline.
const READ_FOR: Duration = Duration::from_secs(30 * 60);
/// The longest execution that SSM knows.
const DOCUMENT_MAX: Duration = Duration::from_secs(48 * 3600);

/// What one look needs to know of the command.
struct Watched {
    account: AccountId,
    region: Region,
    service: Service,
    command: CommandId,
    /// Node to its index in the plan.
    nodes: BTreeMap<NodeId, u32>,
    step: Step,
    /// The step runs a named document, which has its own time limits.
    is_document: bool,
    /// After so long SSM itself has given up on every node, and then some.
    limit: Duration,
    /// By AWS's clock the latest time at which it can have taken the command.
    taken_by: jiff::Timestamp,
    /// When this process began to look.
    since: tokio::time::Instant,
}

impl Watched {
    /// SSM gave up so long ago. Told by the time that this process has watched, which nobody sets, or by AWS's clock: what
    /// an earlier process sent was taken within its request's expiry.
    fn is_past(&self, now: jiff::Timestamp, by: Duration) -> bool {
        let limit = self.limit + by;
        let span = jiff::SignedDuration::try_from(limit).unwrap_or(jiff::SignedDuration::MAX);
        self.since.elapsed() >= limit || now >= self.taken_by.saturating_add(span).unwrap_or(jiff::Timestamp::MAX)
    }
}

/// Reads results until every target of the send has one.
pub async fn watch(services: &Arc<Services>, handle: &Handle, shard: u32, step: u32, send: u32) {
    let Some(watched) = handle.read(|run| {
        let plan = &run.proposal.plan;
        let place = &plan.shards[shard as usize];
        let progress = &run.shards[shard as usize];
        let SendState::Sent { command, targets, signed_at, .. } = &progress.state else { return None };
        if progress.step != step || progress.sends != send {
            return None;
        }
        let definition = plan.step(step)?.clone();
        let limit = definition.longest().std() + GRACE;
        Some(Watched {
            account: place.account.clone(),
            region: place.region.clone(),
            service: sending::work(&definition.action).service(),
            command: command.clone(),
            nodes: targets.iter().map(|t| (plan.targets[*t as usize].target.node.clone(), *t)).collect(),
            is_document: matches!(definition.action, Action::Document { .. } | Action::Automation { .. }),
            step: definition,
            limit,
            taken_by: signed_at.saturating_add(services.settings.settle_after()).unwrap_or(jiff::Timestamp::MAX),
            since: tokio::time::Instant::now(),
        })
    }) else {
        return;
    };
    let redactor = Redactor::new(&services.redaction_key(handle.id));
    let mut pause = FIRST_LOOK;
    let mut news = tokio::time::Instant::now();
    let mut whole_left = whole::OF_COMMAND;
    let mut reported: std::collections::BTreeSet<NodeId> = Default::default();
    let mut late_before = false;
    loop {
        tokio::time::sleep(pause).await;
        // In step with how long nothing has ended: a result is at most half as late as it took to come.
        pause = (news.elapsed() / 2).clamp(FIRST_LOOK, LOOK_AFTER_MAX);
        let now = services.cloud.aws_now();
        let mut late = watched.is_past(now, Duration::ZERO);
        match services.cloud.invocations(&watched.account, &watched.region, watched.service, &watched.command).await {
            Ok(invocations) => {
                // A document has time limits of its own, which SSM keeps; while it says that a node runs, it does.
                let running = invocations.iter().any(|i| i.status == InvocationStatus::Running);
                late &= !(watched.is_document && running && !watched.is_past(now, DOCUMENT_MAX));
                let mut ended: Vec<Invocation> = invocations
                    .into_iter()
                    .filter(|i| i.status != InvocationStatus::Running && !reported.contains(&i.node))
                    .filter(|i| watched.nodes.contains_key(&i.node))
                    .collect();
                ended.sort_by_key(|i| (i.status == InvocationStatus::Success, i.node.clone()));
                let still_running = reported.len() + ended.len() < watched.nodes.len();
                let chosen = handle.allowance().choose(&ended, &watched.step, still_running, &mut whole_left);
                let mut results = Vec::with_capacity(ended.len());
                for (n, invocation) in ended.iter().enumerate() {
                    match report(
                        services,
                        handle,
                        &watched,
                        &redactor,
                        invocation,
                        chosen.contains(&n),
                        &mut whole_left,
                    )
                    .await
                    {
                        Ok(report) => results.push(report),
                        Err(fault) => {
                            late = false;
                            tracing::error!(run = %handle.id, %fault, "an output could not be stored; it is read again");
                        }
                    }
                }
                let stored: Vec<NodeId> = results
                    .iter()
                    .filter_map(|r| watched.nodes.iter().find(|(_, t)| **t == r.target).map(|(n, _)| n.clone()))
                    .collect();
                if !results.is_empty() {
                    news = tokio::time::Instant::now();
                    pause = FIRST_LOOK;
                    let _ = handle.input(Input::Reported { shard, step, results }).await;
                    reported.extend(stored);
                }
            }
            Err(fault) => {
                // SSM has the results: a failed read is no reason to call them unknown, for half an hour.
                late &= watched.is_past(now, READ_FOR);
                tracing::warn!(run = %handle.id, shard, %fault, "results could not be read; trying again");
            }
        }
        let missing: Vec<u32> = watched.nodes.iter().filter(|(n, _)| !reported.contains(*n)).map(|(_, t)| *t).collect();
        if missing.is_empty() {
            return;
        }
        // The host's clock may have been set since AWS last corrected it: only two looks in a row show that it is late.
        if late && late_before {
            let cause = "SSM told no end for it within its own deadlines; look at the node before you run it again";
            let unknown = |target| NodeReport {
                target,
                outcome: Outcome::Unknown,
                cause: Some(cause.to_owned()),
                ..NodeReport::blank(target)
            };
            let results = missing.into_iter().map(unknown).collect();
            let _ = handle.input(Input::Reported { shard, step, results }).await;
            return;
        }
        late_before = late;
    }
}

/// One node's end as a report: output redacted before it goes anywhere, values extracted, expectations checked.
async fn report(
    services: &Services,
    handle: &Handle,
    watched: &Watched,
    redactor: &Redactor,
    invocation: &Invocation,
    whole: bool,
    whole_left: &mut usize,
) -> Result<NodeReport, crate::ports::JournalError> {
    let target = watched.nodes[&invocation.node];
    let mut text = invocation.output.clone();
    let mut cut = invocation.cut;
    if whole && let Some((all, still_cut)) = read_whole(services, handle, watched, invocation, whole_left).await {
        (text, cut) = (all, still_cut);
    }
    let redacted = redactor.redact(&text).text;
    let output = if redacted.is_empty() { None } else { Some(services.outputs.put(handle.id, &redacted).await?) };
    let mut report = NodeReport { exit_code: invocation.exit_code, output, cut, ..NodeReport::blank(target) };
    let scripted = matches!(watched.step.action, Action::Shell { .. } | Action::Powershell { .. });
    if let Some(code) = invocation.exit_code.filter(|_| scripted && invocation.status == InvocationStatus::Failed)
        && let Some(stop) = Stop::told(code, &redacted, cut)
    {
        let (outcome, cause) = stopped(stop);
        let not_run = matches!(stop, Stop::NotGuarded | Stop::NotDecoded);
        return Ok(NodeReport { outcome, cause: Some(cause), not_run, ..report });
    }
    report.not_run = match invocation.status {
        InvocationStatus::Denied => true,
        InvocationStatus::Cancelled => invocation.details == "Terminated",
        // A lost reply reads like a delivery that timed out.
        InvocationStatus::Undeliverable => invocation.details != "DeliveryTimedOut",
        InvocationStatus::Success
        | InvocationStatus::Failed
        | InvocationStatus::TimedOut
        | InvocationStatus::Running => false,
    };
    (report.outcome, report.cause) = match invocation.status {
        InvocationStatus::Success => (Outcome::Succeeded, None),
        InvocationStatus::Failed => (Outcome::Failed, None),
        InvocationStatus::TimedOut => {
            let cause = match watched.service {
                Service::RunCommand => format!("stopped by the agent after {}", watched.step.timeout),
                Service::Automation => "a step of the automation took longer than its own limit".to_owned(),
            };
            (Outcome::TimedOut, Some(cause))
        }
        InvocationStatus::Cancelled if invocation.details == "Terminated" => {
            (Outcome::NotStarted(NotStarted::ErrorBudget), None)
        }
        InvocationStatus::Cancelled => (Outcome::Cancelled, None),
        InvocationStatus::Undeliverable => (
            Outcome::Undeliverable,
            Some(if invocation.details == "DeliveryTimedOut" {
                format!("the agent did not answer within {}", watched.step.delivery_timeout)
            } else {
                "the node cannot be reached by SSM".to_owned()
            }),
        ),
        InvocationStatus::Denied => {
            (Outcome::Denied, Some("the session may not send to this node; check the role's node condition".into()))
        }
        // Filtered before.
        InvocationStatus::Running => (Outcome::Unknown, None),
    };
    if report.outcome == Outcome::Succeeded {
        let (extracted, unmet) = extract::evaluate(&watched.step, &redacted);
        report.extracted = extracted;
        if let Some(lost) = unmet.first().filter(|_| cut && unmet.iter().all(|u| u.found.is_none())) {
            // Not there, or not in what is left of it: nobody knows.
            report.outcome = Outcome::Failed;
            report.cause = Some(format!(
                "it exited 0, but its output was cut before `{}` could be found; let the script print that first",
                lost.name
            ));
        } else if !unmet.is_empty() {
            report.outcome = Outcome::Failed;
            report.unmet = unmet.into_iter().map(|u| (u.name, u.expected, u.found)).collect();
        }
    } else if report.outcome == Outcome::Failed {
        report.extracted = extract::evaluate(&watched.step, &redacted).0;
    }
    Ok(report)
}

/// An output that was cut, from the account's bucket where it has one, else from SSM; `None` where neither has it.
async fn read_whole(
    services: &Services,
    handle: &Handle,
    watched: &Watched,
    invocation: &Invocation,
    whole_left: &mut usize,
) -> Option<(String, bool)> {
    if !invocation.objects.is_empty() {
        let found = if handle.allowance().has_bytes() {
            services.cloud.uploaded(&watched.account, invocation).await
        } else {
            None
        };
        if let Some((text, _)) = &found {
            handle.allowance().spend(text.len());
            return found;
        }
        // What was to come from the bucket was not counted, so it takes its place among those that SSM is asked for.
        *whole_left = whole_left.checked_sub(1)?;
    }
    let id = invocation.execution.as_ref().unwrap_or(&watched.command);
    let Watched { account, region, service, .. } = watched;
    match services.cloud.output(account, region, *service, id, &invocation.node).await {
        Ok(found) => Some(found),
        Err(fault) => {
            tracing::warn!(run = %handle.id, %fault, "the full output could not be read");
            None
        }
    }
}

/// What became of a node whose script was ended by Muster's own words: nothing of it is the script's result.
fn stopped(stop: Stop) -> (Outcome, String) {
    let reboot = guard::REBOOT;
    let (outcome, cause) = match stop {
        Stop::AlreadyRan => (
            Outcome::Unknown,
            "a second copy reached the node and did nothing; what the first one did is not known".to_owned(),
        ),
        Stop::NotGuarded => (
            Outcome::Failed,
            "the script did not run, because the node could not guard it against a second copy; see its output"
                .to_owned(),
        ),
        Stop::NotDecoded => (
            Outcome::Failed,
            "the script did not run, because the node could not decode a value; is `base64` installed there?"
                .to_owned(),
        ),
        Stop::AskedForReboot => (
            Outcome::Failed,
            format!(
                "it asked for a reboot (exit {reboot}) without announcing it and got none; a step that needs it says \
                 `reboots = true`"
            ),
        ),
        Stop::Rebooted => (
            Outcome::Failed,
            "the node was rebooted, which the step does not announce, and the step was not run again; look at the node"
                .to_owned(),
        ),
        Stop::TooManyBoots => (
            Outcome::Failed,
            format!(
                "it asked for a reboot in each of {} boots and was not run again; see what it still waits for",
                guard::BOOTS_MAX
            ),
        ),
    };
    (outcome, cause)
}
