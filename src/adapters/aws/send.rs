//! SendCommand, once.
//!
//! SSM has no client token and the SDK repeats a call by itself, so here repetition is off, the signing time is the
//! caller's (AWS takes the request only until `request_expiry` after it) and the SDK's own correction of that time is
//! off. What an error means is decided on one question: can AWS have taken it?

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::timeout::TimeoutConfig;
use aws_sdk_ssm::types::DocumentHashType;
use aws_smithy_async::time::StaticTimeSource;

use crate::domain::CommandId;
use crate::ports::{CloudError, SendError, SendRequest, SendSession};

use super::Aws;
use super::fault::{Failure, Fault, Reached, Site};

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

    pub(super) async fn send_command(&self, request: &SendRequest) -> Result<CommandId, SendError> {
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
        let outputs = self.sessions.account(&request.session.account).ok().and_then(|account| account.outputs);
        let parameters: HashMap<String, Vec<String>> =
            request.parameters.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let answer = session
            .ssm(&request.region)
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
            .await;
        match answer {
            Ok(answer) => {
                session.taken();
                let id = answer.command().and_then(|c| c.command_id()).and_then(|id| id.parse().ok());
                id.ok_or_else(|| SendError::Unknown(format!("AWS took a command in {site} and did not say its id")))
            }
            Err(error) => {
                let failure = Failure::of(&error);
                let again = failure.expired() && session.forget(generation).await > 1;
                Err(meaning(&failure, &site, &request.document, again, timeouts.send))
            }
        }
    }
}

/// What the session does not name is not sent, whatever the caller asks.
fn within_session(request: &SendRequest) -> Result<(), SendError> {
    let SendRequest { session, region, nodes, document, .. } = request;
    let refuse =
        |what: String| Err(SendError::Refused(format!("{what}; nothing was sent (this is a fault in Muster)")));
    if nodes.is_empty() || nodes.len() > NODES_MAX {
        return refuse(format!("one command takes 1 to {NODES_MAX} nodes, not {}", nodes.len()));
    }
    if let Some(stray) = nodes.iter().find(|n| !session.nodes.iter().any(|(r, planned)| r == region && planned == *n)) {
        return refuse(format!("`{stray}` in {region} is not in the plan"));
    }
    if !session.documents.contains(document) {
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

fn meaning(failure: &Failure, site: &Site, document: &str, expired_again: bool, limit: Duration) -> SendError {
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
        _ => SendError::Refused(refusal(failure, site, document)),
    }
}

fn refusal(failure: &Failure, site: &Site, document: &str) -> String {
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
        "MaxDocumentSizeExceeded" => format!(
            "script and parameters are larger than the 97 KB that AWS takes in one command ({site}): shorten the script or publish it as a document"
        ),
        "UnsupportedPlatformType" => format!(
            "the document `{document}` does not fit the platform of a node in {site}: narrow `[targets] platforms` in the runbook"
        ),
        _ if failure.unrecognized() => format!(
            "AWS does not know Muster's session for {site} ({}): enable the region for the account, or leave it out",
            failure.code()
        ),
        _ => format!("AWS refuses the command for {site}: {}", failure.said()),
    }
}
