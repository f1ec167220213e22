//! The one port: which service is meant, who asks, whether it is throttled, and the answer in its protocol.
//!
//! Service and region come from the signature's scope, the account from the access key, as with a custom endpoint.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::domain::Timestamp;

use super::faults::{FaultName, Place};
use super::organisation::{Caller, Organisation, World, lock};
use super::refusal::{Protocol, Refusal, Reply, Stop, render};
use super::settings::Rate;
use super::sigv4::{self, Signed, Unsigned};
use super::{control, ec2, organizations, s3, ssm, sts};

/// More than the 100,000 bytes that SendCommand takes.
const BODY_MAX: usize = 1024 * 1024;

/// A served organisation. It ends when this is dropped or [`Running::shutdown`] is called.
#[derive(Debug)]
pub struct Running {
    pub addr: SocketAddr,
    /// Bearer token of the control interface, where one is asked for.
    pub control_token: Option<String>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// The address as an `endpoint_url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
    /// No further connection is taken, open ones end.
    pub fn shutdown(&self) {
        let _ = self.stop.send(true);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Serves the organisation on the listener until the answer is dropped.
///
/// # Errors
/// The listener has no address.
pub async fn serve(listener: TcpListener, organisation: Organisation) -> std::io::Result<Running> {
    let addr = listener.local_addr()?;
    let (stop, mut stopped) = watch::channel(false);
    let world = organisation.world.clone();
    let control_token = world.settings.control_token.clone();
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                _ = stopped.changed() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => {
                        // Out of file descriptors, most likely: connections end, then there are some again.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let _ = stream.set_nodelay(true);
            let (world, mut stopped) = (world.clone(), stopped.clone());
            tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| handle(world.clone(), request));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // An error here is a client that went away, or an answer that a fault swallowed.
                tokio::select! {
                    _ = connection => {}
                    _ = stopped.changed() => {}
                }
            });
        }
    });
    Ok(Running { addr, control_token, stop })
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer was lost on purpose")]
struct Lost;

async fn handle(world: Arc<World>, request: Request<Incoming>) -> Result<Response<Body>, Lost> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(Body::new(body), BODY_MAX).await else {
        let refusal = Refusal::new(413, "RequestEntityTooLarge", "Request body is too large");
        return Ok(render(Err(refusal), Protocol::Json, &http_date(world.now())));
    };
    if parts.uri.path().starts_with("/play/") {
        return Ok(control::answer_in_time(&world, &parts, &body).await);
    }
    let request = Signed { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &body };
    let outcome = dispatch(&world, &request).await;
    if !world.settings.latency.std().is_zero() {
        tokio::time::sleep(world.settings.latency.std()).await;
    }
    let Outcome { protocol, result } = outcome;
    let date = http_date(world.now());
    match result {
        Ok(reply) => Ok(render(Ok(reply), protocol, &date)),
        Err(Stop::Refused(refusal)) => Ok(render(Err(refusal), protocol, &date)),
        Err(Stop::Lost) => Err(Lost),
    }
}

struct Outcome {
    protocol: Protocol,
    result: Result<Reply, Stop>,
}

async fn dispatch(world: &Arc<World>, request: &Signed<'_>) -> Outcome {
    let target = request.headers.get("x-amz-target").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let claim = match sigv4::claim(request.headers) {
        Ok(claim) => claim,
        Err(unsigned) => {
            let protocol = if target.is_empty() { Protocol::Query } else { Protocol::Json };
            return Outcome { protocol, result: Err(refuse_unsigned(unsigned, protocol).into()) };
        }
    };
    let protocol = match claim.service.as_str() {
        "sts" => Protocol::Query,
        "ec2" => Protocol::Ec2,
        "s3" => Protocol::S3,
        _ => Protocol::Json,
    };
    let caller = match authenticate(world, request, &claim, protocol) {
        Ok(caller) => caller,
        Err(refusal) => {
            lock(&world.log).called(&format!("{}:unauthenticated", claim.service), Some(&refusal.code));
            return Outcome { protocol, result: Err(refusal.into()) };
        }
    };
    if let Some(slow) = world.strike(FaultName::SlowRegion, world.place(&caller.account, &claim.region, "", "")) {
        tokio::time::sleep(Duration::from_millis(slow.value.unwrap_or(3000))).await;
    }
    let body = String::from_utf8_lossy(request.body);
    let region = claim.region.as_str();
    let rates = world.settings.rates;
    let (operation, result) = match claim.service.as_str() {
        "sts" => match throttled(world, &caller, region, "sts", rates.sts) {
            Some(()) => ("sts:throttled".into(), Err(Refusal::new(400, "Throttling", "Rate exceeded").into())),
            None => {
                let (operation, result) = sts::answer(world, &caller, &body);
                (operation, result.map_err(Stop::from))
            }
        },
        "ssm" => match target.strip_prefix("AmazonSSM.") {
            Some(operation) => {
                let rate = if matches!(operation, "SendCommand" | "StartAutomationExecution") {
                    rates.send
                } else {
                    rates.read
                };
                let result = match throttled(world, &caller, region, operation, rate) {
                    Some(()) => Err(Refusal::new(400, "ThrottlingException", "Rate exceeded").into()),
                    None => ssm::answer(world, &caller, &claim, operation, &body),
                };
                (format!("ssm:{operation}"), result)
            }
            None => ("ssm:unknown".into(), Err(Refusal::new(400, "UnknownOperationException", "").into())),
        },
        "organizations" => match target.strip_prefix("AWSOrganizationsV20161128.") {
            Some(operation) => {
                let result = match throttled(world, &caller, "aws-global", operation, rates.organizations) {
                    Some(()) => {
                        let message = "AWS Organizations can't complete your request because your requests exceeded the rate limit.";
                        Err(Refusal::new(400, "TooManyRequestsException", message))
                    }
                    None => organizations::answer(world, &caller, operation, &body),
                };
                (format!("organizations:{operation}"), result.map_err(Stop::from))
            }
            None => ("organizations:unknown".into(), Err(Refusal::new(400, "UnknownOperationException", "").into())),
        },
        "ec2" => match throttled(world, &caller, region, "ec2", rates.ec2) {
            Some(()) => (
                "ec2:throttled".into(),
                Err(Refusal::new(503, "RequestLimitExceeded", "Request limit exceeded.").into()),
            ),
            None => {
                let (operation, result) = ec2::answer(world, &caller, region, &body);
                (operation, result.map_err(Stop::from))
            }
        },
        "s3" => {
            let (operation, result) = s3::answer(world, &caller, request);
            (operation, result.map_err(Stop::from))
        }
        other => {
            let message = format!("The simulator has no service `{other}`");
            (format!("{other}:unknown"), Err(Refusal::new(400, "UnknownOperationException", message).into()))
        }
    };
    let code = match &result {
        Err(Stop::Refused(refusal)) => Some(refusal.code.clone()),
        Ok(_) | Err(Stop::Lost) => None,
    };
    lock(&world.log).called(&operation, code.as_deref());
    Outcome { protocol, result }
}

/// `Some` where the call is one too many. Limits are those of the account whose credentials are used.
fn throttled(world: &World, caller: &Caller, region: &str, operation: &str, rate: Rate) -> Option<()> {
    let planted = world.strike(FaultName::Throttle, world.place(&caller.account, region, "", ""));
    let rate = match planted {
        // Signed numbers of calls a second are far below what a float holds exactly.
        #[allow(clippy::cast_precision_loss)]
        Some(spec) => Rate::new(spec.value.unwrap_or(1) as f64, 1.0),
        None => rate,
    };
    let taken = match world.cell(&caller.account, region) {
        Some(mut cell) => cell.buckets.take(operation, rate, Instant::now()),
        None => lock(&world.shared).take(&format!("{}|{region}|{operation}", caller.account), rate, Instant::now()),
    };
    (!taken).then_some(())
}

fn authenticate(
    world: &World,
    request: &Signed<'_>,
    claim: &sigv4::Claim,
    protocol: Protocol,
) -> Result<Arc<Caller>, Refusal> {
    let invalid = || match protocol {
        Protocol::Json => {
            Refusal::new(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        Protocol::Query => {
            Refusal::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        }
        Protocol::Ec2 => {
            Refusal::new(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
        }
        Protocol::S3 => {
            Refusal::new(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        }
    };
    let expired = || match protocol {
        Protocol::Json => {
            Refusal::new(400, "ExpiredTokenException", "The security token included in the request is expired")
        }
        Protocol::Query => Refusal::new(403, "ExpiredToken", "The security token included in the request is expired"),
        Protocol::Ec2 => Refusal::new(400, "RequestExpired", "Request has expired."),
        Protocol::S3 => Refusal::new(400, "ExpiredToken", "The provided token has expired."),
    };
    let key = world.key(&claim.access_key).ok_or_else(invalid)?;
    if key.token != claim.token {
        return Err(invalid());
    }
    let now = world.now();
    sigv4::verify(claim, request, &key.secret, now, world.settings.request_expiry)
        .map_err(|unsigned| refuse_unsigned(unsigned, protocol))?;
    let member = world.member(&key.caller.account).is_some();
    if member
        && world
            .strike(FaultName::ExpiredCredentials, world.place(&key.caller.account, &claim.region, "", ""))
            .is_some()
    {
        world.kill_session(&claim.access_key, now);
        return Err(expired());
    }
    let host = key.caller.role.is_empty();
    if host && world.strike(FaultName::ExpiredHostKeys, Place::default()).is_some() {
        return Err(expired());
    }
    if key.caller.expires.is_some_and(|at| at <= now) {
        return Err(expired());
    }
    Ok(key.caller)
}

fn refuse_unsigned(unsigned: Unsigned, protocol: Protocol) -> Refusal {
    const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
    match (unsigned, protocol) {
        (Unsigned::Missing, Protocol::Json) => {
            Refusal::new(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        (Unsigned::Missing, _) => {
            Refusal::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        (Unsigned::Incomplete(why), Protocol::Json) => Refusal::new(400, "IncompleteSignatureException", why),
        (Unsigned::Incomplete(why), _) => Refusal::new(400, "IncompleteSignature", why),
        (Unsigned::Expired(why), Protocol::Json) => Refusal::new(400, "InvalidSignatureException", why),
        (Unsigned::Expired(why), Protocol::Query) => Refusal::new(403, "SignatureDoesNotMatch", why),
        (Unsigned::Expired(_), Protocol::S3) => Refusal::new(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        (Unsigned::Expired(_), Protocol::Ec2) => Refusal::new(400, "RequestExpired", "Request has expired."),
        (Unsigned::Mismatch, Protocol::Json) => Refusal::new(400, "InvalidSignatureException", MISMATCH),
        (Unsigned::Mismatch, Protocol::Query | Protocol::S3) => Refusal::new(403, "SignatureDoesNotMatch", MISMATCH),
        (Unsigned::Mismatch, Protocol::Ec2) => {
            Refusal::new(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
        }
    }
}

/// `Sun, 22 Nov 2026 14:47:19 GMT`: the organisation's clock, from which a client learns its own skew.
fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
