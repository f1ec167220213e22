//! From the SDK's errors to the few kinds that matter, each with a sentence for people that names account and region
//! and ends with the remedy.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::domain::{AccountId, Region};
use crate::ports::CloudError;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// AWS no longer takes the session: it is assumed anew, once.
    #[error("{0}")]
    Expired(String),
    /// AWS does not know the session at all. Assumed anew once; if that does not help, the region is not enabled.
    #[error("{0}")]
    Unrecognized(String),
    #[error("{0}")]
    Refused(String),
    #[error("AWS throttles the call")]
    Throttled(Option<Duration>),
    #[error("{0}")]
    Transient(String),
}

impl From<Fault> for CloudError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(text) | Fault::Unrecognized(text) => CloudError::Refused(text),
            Fault::Throttled(retry_after) => CloudError::Throttled { retry_after },
            Fault::Expired(text) | Fault::Transient(text) => CloudError::Transient(text),
        }
    }
}

/// The codes by which AWS's services say "too many calls".
pub(super) const THROTTLED: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
    "SlowDown",
];

/// Where a call was made, as people know it: `acme-prod (111111111111) in eu-west-1`.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) account: AccountId,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) region: Option<Region>,
}

impl Site {
    pub(super) fn in_region(&self, region: &Region) -> Self {
        Site { region: Some(region.clone()), ..self.clone() }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() || self.name == self.account.as_str() {
            write!(f, "{}", self.account)?;
        } else {
            write!(f, "{} ({})", self.name, self.account)?;
        }
        self.region.as_ref().map_or(Ok(()), |region| write!(f, " in {region}"))
    }
}

/// How far a failed call got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// No connection was made, or no request was built: nothing left this host.
    Nothing,
    /// The request may have arrived; no usable answer came back.
    Perhaps,
    /// AWS answered.
    Answered,
}

/// An SDK error taken apart.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reached: Reached,
    /// HTTP status, where there was an answer.
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    /// AWS's own words, or the cause on this side.
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
    /// The credentials could not be had, and why.
    pub(super) credentials: Option<Fault>,
}

impl Failure {
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let raw = error.raw_response();
        let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
        let credentials = credentials_fault(error);
        let reached = match error {
            _ if credentials.is_some() => Reached::Nothing,
            SdkError::ConstructionFailure(_) => Reached::Nothing,
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) if never_connected(error) => Reached::Nothing,
            SdkError::ServiceError(_) => Reached::Answered,
            _ => Reached::Perhaps,
        };
        Failure {
            reached,
            status: raw.map(|r| r.status().as_u16()),
            code: meta.and_then(|m| m.code()).map(str::to_owned),
            message: meta.and_then(|m| m.message()).map_or_else(|| innermost(error), str::to_owned),
            retry_after: raw.and_then(retry_after),
            credentials,
        }
    }

    pub(super) fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }

    pub(super) fn throttled(&self) -> bool {
        self.status == Some(429) || THROTTLED.contains(&self.code())
    }

    /// AWS does not take the session any more.
    pub(super) fn expired(&self) -> bool {
        matches!(self.code(), "ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
    }

    /// AWS does not know the session: what a region says that is not enabled for the account, too.
    pub(super) fn unrecognized(&self) -> bool {
        matches!(self.code(), "InvalidClientTokenId" | "UnrecognizedClientException" | "AuthFailure" | "OptInRequired")
    }

    /// The signature's time is outside what AWS takes.
    pub(super) fn skewed(&self) -> bool {
        matches!(self.code(), "RequestTimeTooSkewed" | "InvalidSignatureException" | "SignatureDoesNotMatch")
    }

    /// It is AWS that failed: the request may or may not have been carried out.
    pub(super) fn server_side(&self) -> bool {
        self.status.is_some_and(|s| s >= 500)
            || matches!(self.code(), "InternalServerError" | "InternalFailure" | "InternalError" | "ServiceUnavailable")
    }

    pub(super) fn denied(&self) -> bool {
        matches!(self.code(), "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation")
    }

    /// `DescribeInstances` in `site` failed: what that means.
    pub(super) fn fault(&self, operation: &str, site: &Site) -> Fault {
        if let Some(fault) = &self.credentials {
            return fault.clone();
        }
        match self.reached {
            Reached::Nothing => {
                Fault::Transient(format!("cannot reach AWS for {site} ({}); it is tried again", self.message))
            }
            Reached::Perhaps => {
                Fault::Transient(format!("{operation} for {site} had no answer ({}); it is tried again", self.message))
            }
            Reached::Answered if self.throttled() => Fault::Throttled(self.retry_after),
            Reached::Answered if self.expired() => {
                Fault::Expired(format!("the session for {site} has expired ({}); it is assumed anew", self.said()))
            }
            Reached::Answered if self.unrecognized() => Fault::Unrecognized(format!(
                "AWS does not know Muster's session for {site} ({}): enable the region for the account, or take it out of the account's `regions`",
                self.code()
            )),
            Reached::Answered if self.server_side() => Fault::Transient(format!(
                "{operation} for {site} failed on AWS's side ({}); it is tried again",
                self.said()
            )),
            Reached::Answered if self.denied() => Fault::Refused(self.denial(site)),
            Reached::Answered if self.skewed() => Fault::Transient(format!(
                "AWS does not accept this host's clock for {site} ({}); set the clock by NTP",
                self.said()
            )),
            Reached::Answered => Fault::Refused(format!("AWS refuses {operation} for {site}: {}", self.said())),
        }
    }

    /// `ThrottlingException: Rate exceeded`, or what there is of it.
    pub(super) fn said(&self) -> String {
        match (&self.code, self.message.trim()) {
            (Some(code), "") => code.clone(),
            (Some(code), message) => format!("{code}: {message}"),
            (None, "") => self.status.map_or_else(|| "no reason given".to_owned(), |s| format!("HTTP {s}")),
            (None, message) => message.to_owned(),
        }
    }

    /// One sentence for an access denial: which action, on what, and who has to grant it.
    pub(super) fn denial(&self, site: &Site) -> String {
        let action = between(&self.message, "to perform: ").unwrap_or("the call");
        let on = between(&self.message, "on resource: ").map(|r| format!(" on `{r}`")).unwrap_or_default();
        if self.message.contains("service control policy") {
            format!(
                "{site} does not allow `{action}`{on}: a service control policy of the organisation denies it; have it changed or leave the account out"
            )
        } else if self.message.contains("session policy") {
            format!(
                "`{action}`{on} is outside this run's session in {site}, which allows its nodes and documents (or the boundary tag) only: tag the node or leave it out"
            )
        } else if self.message.contains("explicit deny") {
            format!(
                "{site} does not allow `{action}`{on}: an explicit deny is in force; remove it or leave the target out"
            )
        } else {
            format!("{site} does not allow `{action}`{on}: grant it to the role `{}`", site.role)
        }
    }
}

/// The word after `mark` in one of AWS's sentences.
pub(super) fn between<'a>(message: &'a str, mark: &str) -> Option<&'a str> {
    let rest = &message[message.find(mark)? + mark.len()..];
    let word = rest.split_whitespace().next()?.trim_end_matches(['.', ',']);
    (!word.is_empty()).then_some(word)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |e| (*e).source())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The connector failed before there was a connection: name resolution, refusal, TLS, connect time-out.
///
/// Anything that this does not recognise counts as "the request may have left", which is the safe side.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|e| e.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|e| e.is_connect()))
}

fn credentials_fault(error: &(dyn Error + 'static)) -> Option<Fault> {
    let credentials = causes(error).find_map(|e| e.downcast_ref::<CredentialsError>())?;
    if let Some(fault) = causes(credentials).find_map(|e| e.downcast_ref::<Fault>()) {
        return Some(fault.clone());
    }
    Some(match credentials {
        CredentialsError::CredentialsNotLoaded(_) => Fault::Refused(
            "this host has no AWS credentials: give it a role (EC2, ECS, EKS), or set `AWS_ACCESS_KEY_ID` and \
             `AWS_SECRET_ACCESS_KEY`"
                .to_owned(),
        ),
        CredentialsError::InvalidConfiguration(_) => Fault::Refused(format!(
            "this host's AWS configuration cannot be used ({}): correct its profile or environment",
            innermost(credentials)
        )),
        _ => Fault::Transient(format!(
            "this host's AWS credentials cannot be had now ({}); it is tried again",
            innermost(credentials)
        )),
    })
}

pub(super) fn retry_after(raw: &HttpResponse) -> Option<Duration> {
    let number = |name: &str| raw.headers().get(name).and_then(|v| v.trim().parse::<u64>().ok());
    number("x-amz-retry-after").map(Duration::from_millis).or_else(|| number("retry-after").map(Duration::from_secs))
}

#[cfg(test)]
mod unit {
    use super::*;

    fn site() -> Site {
        Site {
            account: "111111111111".parse().unwrap(),
            name: "acme-prod".into(),
            role: "muster-runner".into(),
            region: Some("eu-west-1".parse().unwrap()),
        }
    }

    fn answered(status: u16, code: &str, message: &str) -> Failure {
        Failure {
            reached: Reached::Answered,
            status: Some(status),
            code: Some(code.to_owned()),
            message: message.to_owned(),
            retry_after: None,
            credentials: None,
        }
    }

    #[test]
    fn a_denial_names_action_resource_account_and_who_has_to_grant_it() {
        let who =
            "User: arn:aws:sts::111111111111:assumed-role/muster-runner/muster-read is not authorized to perform:";
        let say = |rest: &str| {
            answered(400, "AccessDeniedException", &format!("{who} {rest}")).fault("ListCommands", &site()).to_string()
        };
        insta::assert_snapshot!([
            say("ssm:ListCommands on resource: arn:aws:ssm:eu-west-1:111111111111:* because no identity-based policy allows the ssm:ListCommands action"),
            say("ssm:ListCommands on resource: * with an explicit deny in an identity-based policy"),
            say("ssm:ListCommands on resource: * with an explicit deny in a service control policy"),
            say("ssm:SendCommand on resource: arn:aws:ec2:eu-west-1:111111111111:instance/i-0a1b2c3d because no session policy allows the ssm:SendCommand action"),
        ].join("\n"), @r#"
    acme-prod (111111111111) in eu-west-1 does not allow `ssm:ListCommands` on `arn:aws:ssm:eu-west-1:111111111111:*`: grant it to the role `muster-runner`
    acme-prod (111111111111) in eu-west-1 does not allow `ssm:ListCommands` on `*`: an explicit deny is in force; remove it or leave the target out
    acme-prod (111111111111) in eu-west-1 does not allow `ssm:ListCommands` on `*`: a service control policy of the organisation denies it; have it changed or leave the account out
    `ssm:SendCommand` on `arn:aws:ec2:eu-west-1:111111111111:instance/i-0a1b2c3d` is outside this run's session in acme-prod (111111111111) in eu-west-1, which allows its nodes and documents (or the boundary tag) only: tag the node or leave it out
    "#);
    }

    #[test]
    fn what_may_be_tried_again_is_told_from_what_may_not() {
        let fault = |status, code| answered(status, code, "x").fault("ListCommands", &site());
        assert!(matches!(fault(400, "ThrottlingException"), Fault::Throttled(None)));
        assert!(matches!(fault(503, "RequestLimitExceeded"), Fault::Throttled(None)));
        assert!(matches!(fault(400, "ExpiredTokenException"), Fault::Expired(_)));
        assert!(matches!(fault(500, "InternalServerError"), Fault::Transient(_)));
        assert!(matches!(fault(400, "ValidationException"), Fault::Refused(_)));
    }
}
