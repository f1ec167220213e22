//! SendCommand or StartAutomationExecution, once.
//!
//! SendCommand has no client token and the SDK repeats a call by itself, so here repetition is off, the signing time is the
//! caller's (AWS takes the request only until `request_expiry` after it) and the SDK's own correction of that time is
//! off. An automation has a client token and is sent by the same rules, so that each attempt is the engine's own. What an
//! error means is decided on one question: can AWS have taken it?

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::timeout::TimeoutConfig;
use aws_sdk_ssm::types::DocumentHashType;
use aws_smithy_async::time::StaticTimeSource;

use crate::domain::{Bucket, CommandId};
use crate::ports::{CloudError, SendError, SendRequest, SendSession, Work};

use super::fault::{Failure, Fault, Reached, Site};
use super::{Aws, automation, policy};

/// SSM's limit on ids in one call.
const NODES_MAX: usize = 50;
/// A command that cannot leave by then is not sent: the caller reckons with its fate from the intent on.
const START_WITHIN: Duration = Duration::from_secs(15);

impl Aws {
    /// Every region's session of this run and account, so that a refusal is known before an intent is written.
    pub(super) async fn open_session(&self, session: &SendSession) -> Result<(), CloudError> {
        let mut regions: Vec<_> = session.nodes.iter().map(|(region, _)| region).collect();
        regions.sort();
        regions.dedup();
        for region in regions {
            self.sessions.sending(session, region).await?;
        }
        Ok(())
    }

    pub(super) async fn send_once(&self, request: &SendRequest) -> Result<CommandId, SendError> {
        within_session(request)?;
        let asked = tokio::time::Instant::now();
        let session = self.sessions.sending(&request.session, &request.region).await.map_err(no_session)?;
        let generation = session.warm().await.map_err(no_session)?;
        let site = session.site(&request.region);
        if asked.elapsed() > START_WITHIN {
            return Err(SendError::NotSent(format!("entering {site} took too long; it is tried again")));
        }

        let timeouts = self.sessions.settings.timeouts;
        let once = aws_sdk_ssm::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(timeouts.connect)
                    .operation_attempt_timeout(timeouts.send)
                    .operation_timeout(timeouts.send)
                    .build(),
            )
            .time_source(StaticTimeSource::new(SystemTime::from(request.signing.at)))
            .disable_clock_skew_correction(true);
        let client = session.ssm(&request.region);
        let answer = match &request.work {
            Work::Command => {
                let outputs = self.sessions.account(&request.session.account).ok().and_then(|a| a.outputs);
                send_command(&client, request, outputs, once).await
            }
            Work::Automation { target_parameter, role } => {
                let role = policy::role_arn(role, &request.session.account, &request.region)
                    .map_err(|why| SendError::Refused(format!("cannot start an automation in {site}: {why}")))?;
                automation::start(&client, request, target_parameter, &role, once).await
            }
        };
        match answer {
            Ok(id) => {
                session.taken();
                let id = id.and_then(|id| id.parse().ok());
                id.ok_or_else(|| {
                    SendError::Unknown(format!("AWS took the {} in {site} and did not say its id", noun(request)))
                })
            }
            Err(failure) => {
                let again = failure.expired() && session.forget(generation).await > 1;
                Err(meaning(&failure, &site, request, again, timeouts.send))
            }
        }
    }
}

async fn send_command(
    client: &aws_sdk_ssm::Client,
    request: &SendRequest,
    outputs: Option<Bucket>,
    once: aws_sdk_ssm::config::Builder,
) -> Result<Option<String>, Failure> {
    let parameters: HashMap<String, Vec<String>> =
        request.parameters.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let answer = client
        .send_command()
        .set_instance_ids(Some(request.nodes.iter().map(ToString::to_string).collect()))
        .document_name(&request.document)
        .set_document_version(request.document_version.clone())
        .set_document_hash(request.document_hash.clone())
        .set_document_hash_type(request.document_hash.as_ref().map(|_| DocumentHashType::Sha256))
        .set_parameters((!parameters.is_empty()).then_some(parameters))
        .set_output_s3_bucket_name(outputs.as_ref().map(|bucket| bucket.name.clone()))
        .set_output_s3_key_prefix(outputs.map(|bucket| bucket.prefix))
        .comment(&request.token)
        .timeout_seconds(i32::try_from(request.delivery_timeout_secs).unwrap_or(i32::MAX))
        .max_concurrency("100%")
        .max_errors(request.max_errors.to_string())
        .customize()
        .config_override(once)
        .send()
        .await
        .map_err(|error| Failure::of(&error))?;
    Ok(answer.command().and_then(|c| c.command_id()).map(str::to_owned))
}

fn noun(request: &SendRequest) -> &'static str {
    match request.work {
        Work::Command => "command",
        Work::Automation { .. } => "automation",
    }
}

/// What the session does not name is not sent, whatever the caller asks.
fn within_session(request: &SendRequest) -> Result<(), SendError> {
    let SendRequest { session, region, nodes, document, work, .. } = request;
    let refuse =
        |what: String| Err(SendError::Refused(format!("{what}; nothing was sent (this is a fault in Muster)")));
    if nodes.is_empty() || nodes.len() > NODES_MAX {
        return refuse(format!("one send takes 1 to {NODES_MAX} nodes, not {}", nodes.len()));
    }
    if let Some(stray) = nodes.iter().find(|n| !session.nodes.iter().any(|(r, planned)| r == region && planned == *n)) {
        return refuse(format!("`{stray}` in {region} is not in the plan"));
    }
    let planned = match work {
        Work::Command => session.documents.contains(document),
        Work::Automation { role, .. } => {
            session.automations.iter().any(|planned| planned.document == *document && planned.role == *role)
        }
    };
    if !planned {
        return refuse(format!("the document `{document}` is not in the plan"));
    }
    Ok(())
}

/// No credentials, so nothing left this host.
fn no_session(fault: Fault) -> SendError {
    match fault {
        Fault::Refused(text) | Fault::Unrecognized(text) => SendError::Refused(text),
        Fault::Throttled(retry_after) => SendError::Throttled { retry_after },
        Fault::Expired(text) | Fault::Transient(text) => SendError::NotSent(text),
    }
}

fn meaning(failure: &Failure, site: &Site, request: &SendRequest, expired_again: bool, limit: Duration) -> SendError {
    if let Some(fault) = &failure.credentials {
        return no_session(fault.clone());
    }
    match failure.reached {
        Reached::Nothing => return SendError::NotSent(format!("cannot reach AWS for {site} ({})", failure.message)),
        Reached::Perhaps => {
            let limit = limit.as_secs();
            return SendError::Unknown(format!(
                "AWS did not answer for {site} ({}, given up after {limit} s at most)",
                failure.said()
            ));
        }
        Reached::Answered => {}
    }
    if failure.throttled() {
        return SendError::Throttled { retry_after: failure.retry_after };
    }
    // Without a code it is not AWS that spoke, or not in words that we know: it may still have been taken.
    if failure.server_side() || failure.code.is_none() || failure.status == Some(408) {
        return SendError::Unknown(format!("AWS answered {} for {site}", failure.said()));
    }
    match failure.code() {
        "InvalidInstanceId" => SendError::InvalidInstance,
        // So many automations run in the account already that it takes no further one for now.
        "AutomationExecutionLimitExceededException" => SendError::Throttled { retry_after: None },
        "IdempotentParameterMismatch" => SendError::Mismatch(format!(
            "AWS already took another automation under this send's token in {site}: look for it in Systems Manager there before anything is run again"
        )),
        _ if failure.expired() && expired_again => SendError::Refused(format!(
            "AWS calls one session after the other for {site} expired: set this host's clock by NTP"
        )),
        _ if failure.expired() => {
            SendError::NotSent(format!("the session for {site} had expired ({})", failure.said()))
        }
        _ if failure.skewed() => SendError::NotSent(format!(
            "AWS did not accept the time or the signature of the request for {site} ({}): set this host's clock by NTP",
            failure.said()
        )),
        _ => SendError::Refused(refusal(failure, site, request)),
    }
}

fn refusal(failure: &Failure, site: &Site, request: &SendRequest) -> String {
    let document = &request.document;
    match failure.code() {
        _ if failure.denied() => failure.denial(site),
        "InvalidDocument" => format!(
            "the document `{document}` does not exist in {site}, or its content is not what was reviewed: publish it there again"
        ),
        "InvalidDocumentVersion" => {
            format!("the document `{document}` has no such version in {site}: publish it there again")
        }
        "InvalidParameters" => format!(
            "the document `{document}` in {site} does not take these parameters ({}): publish the runbook there again",
            failure.message
        ),
        "AutomationDefinitionNotFoundException" => {
            format!("the automation `{document}` does not exist in {site}: publish it there or correct its name")
        }
        "AutomationDefinitionVersionNotFoundException" => {
            format!("the automation `{document}` has no such version in {site}: publish it there again")
        }
        "AutomationDefinitionNotApprovedException" => {
            format!("the automation `{document}` is not approved in {site}: have it approved in Change Manager")
        }
        "InvalidAutomationExecutionParametersException" => format!(
            "the automation `{document}` in {site} does not take its parameters ({}): correct them in the runbook, and see that the role of `AutomationAssumeRole` is there and trusts `ssm.amazonaws.com`",
            failure.message.trim_end_matches('.')
        ),
        "MaxDocumentSizeExceeded" => format!(
            "script and parameters are larger than the 97 KB that AWS takes in one command ({site}): shorten the script or publish it as a document"
        ),
        "InvalidOutputFolder" => format!(
            "AWS finds no bucket of the name that muster.toml gives for the outputs of {site}: make it, or correct `outputs` of the account"
        ),
        "UnsupportedPlatformType" => format!(
            "the document `{document}` does not fit the platform of a node in {site}: narrow `[targets] platforms` in the runbook"
        ),
        _ if failure.unrecognized() => format!(
            "AWS does not know Muster's session for {site} ({}): enable the region for the account, or leave it out",
            failure.code()
        ),
        _ => {
            format!("AWS refuses the {} for {site}: {}", noun(request), failure.said())
        }
    }
}
