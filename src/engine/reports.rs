//! One node's end in SSM's words, as a report of the run.

use crate::domain::{Digest, NotStarted, Outcome, RunId};
use crate::ports::{Invocation, InvocationStatus, JournalError, Service};
use crate::redact::Redactor;
use crate::run::NodeReport;
use crate::runbook::guard::{self, Stop};
use crate::runbook::{Action, extract};

use super::Services;
use super::watching::Watched;

/// Bytes of an output that are searched for secrets beside everything else.
const LARGE: usize = 64 * 1024;

/// One node's end as a report: output redacted before it goes anywhere, values extracted, expectations checked.
///
/// `whole` is the output where it was read whole, or further than the list has it, and whether it is still cut.
///
/// # Errors
/// If the output cannot be stored, unless `without_output`.
pub(super) async fn report(
    services: &Services,
    run: RunId,
    watched: &Watched,
    invocation: &Invocation,
    whole: Option<&(String, bool)>,
    without_output: bool,
) -> Result<NodeReport, JournalError> {
    let target = watched.nodes[&invocation.node];
    let (text, cut) = whole.map_or((&invocation.output, invocation.cut), |(text, cut)| (text, *cut));
    let redacted = redact(services, run, text).await;
    let put =
        async |text: &str| if text.is_empty() { Ok(None) } else { services.outputs.put(run, text).await.map(Some) };
    let output = match put(&redacted).await {
        Err(_) if without_output => None,
        other => other?,
    };
    // One of its like was read whole: they belong together all the same.
    let listed = match whole.filter(|_| invocation.cut) {
        Some(_) => Some(Digest::of(redact(services, run, &invocation.output).await.as_bytes())),
        None => None,
    };
    let mut report = NodeReport { exit_code: invocation.exit_code, output, cut, listed, ..NodeReport::blank(target) };
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
    let certain = if cut { extract::certain(&redacted) } else { redacted };
    if report.outcome == Outcome::Succeeded {
        let (extracted, unmet) = extract::evaluate(&watched.step, &certain);
        let needed = watched.needed.iter().find(|name| !extracted.contains_key(*name));
        let lost = unmet.first().map(|u| &u.name).or(needed).filter(|_| cut);
        report.extracted = extracted;
        if let Some(name) = lost {
            // Not there, or not in what is left of it: nobody knows.
            report.outcome = Outcome::Failed;
            report.cause = Some(format!(
                "it exited 0, but its output was cut before `{name}` could be found; let the script print that first"
            ));
        } else if !unmet.is_empty() {
            report.outcome = Outcome::Failed;
            report.unmet = unmet.into_iter().map(|u| (u.name, u.expected, u.found)).collect();
        }
    } else if report.outcome == Outcome::Failed {
        report.extracted = extract::evaluate(&watched.step, &certain).0;
    }
    Ok(report)
}

/// More than a moment's work is done where it holds up nobody else.
async fn redact(services: &Services, run: RunId, text: &str) -> String {
    let redactor = Redactor::new(&services.redaction_key(run));
    if text.len() < LARGE {
        return redactor.redact(text).text;
    }
    let text = text.to_owned();
    let redacted = tokio::task::spawn_blocking(move || redactor.redact(&text).text).await;
    // It can only have panicked: then nothing of the text is fit to be kept.
    redacted.unwrap_or_else(|_| "the output could not be searched for secrets, so it is not kept\n".to_owned())
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
