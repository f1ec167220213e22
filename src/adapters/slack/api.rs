//! One call to Slack's Web API: slack-morphism's client, with our own time-outs, limits and reading of failures.
//!
//! Answers are read with structures of our own that hold only what we use, so that a new field of Slack's can never
//! turn a call that succeeded into one that seems lost. Neither bodies nor addresses are logged.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use slack_morphism::errors::SlackClientError;
use slack_morphism::prelude::*;
use tokio::time::{Instant, timeout};

use crate::domain::Secret;
use crate::ports::ChatError;

use super::limits::{Lane, Limits};
use super::sentence;

/// Waits that Slack asks for by 429 are sat out here up to this long; longer ones go back to the caller.
const SHORT_WAIT: Duration = Duration::from_secs(5);
/// How often one call is made again after a 429.
const RETRIES: u32 = 2;
/// What a 429 without `Retry-After` means.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// How a call ended when it did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    /// Slack answered `ok: false` with this code, and the scope it named, if any.
    Code { code: String, needed: Option<String> },
    /// 429, or our own limit.
    Limited(Duration),
    /// Nothing left this host, or Slack says that it did nothing.
    NotSent(String),
    /// No answer, or one that cannot be read: it may have been done.
    Lost(String),
    /// Something that is not Slack's API answered.
    Alien(String),
}

impl CallError {
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            CallError::Code { code, .. } => Some(code),
            CallError::Limited(_) | CallError::NotSent(_) | CallError::Lost(_) | CallError::Alien(_) => None,
        }
    }

    /// The same as the engine understands it.
    pub(super) fn into_chat(self, method: &str) -> ChatError {
        match self {
            CallError::Code { code, needed } => match code.as_str() {
                // "Some aspect of the operation succeeded before the error was raised", and its like.
                "fatal_error" | "internal_error" | "request_timeout" => {
                    ChatError::Unknown(format!("Slack answered `{method}` with `{code}`, so it may have been done"))
                }
                "service_unavailable" | "team_added_to_org" => ChatError::NotSaid {
                    cause: format!("Slack answered `{method}` with `{code}`"),
                    retry_after: Some(DEFAULT_WAIT),
                },
                "ratelimited" | "rate_limited" | "message_limit_exceeded" => ChatError::NotSaid {
                    cause: "Slack asks us to slow down".into(),
                    retry_after: Some(Duration::from_secs(30)),
                },
                _ => ChatError::Refused(sentence::for_code(&code, needed.as_deref(), method)),
            },
            CallError::Limited(wait) => {
                ChatError::NotSaid { cause: "Slack asks us to slow down".into(), retry_after: Some(wait) }
            }
            CallError::NotSent(cause) => ChatError::NotSaid { cause, retry_after: None },
            CallError::Lost(cause) => ChatError::Unknown(cause),
            // A proxy's error page, perhaps: what stood behind it may have done it.
            CallError::Alien(cause) => ChatError::Unknown(cause),
        }
    }
}

/// Which token a call carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    Bot,
    App,
}

pub(super) struct Api {
    client: SlackClient<SlackClientHyperHttpsConnector>,
    bot: SlackApiToken,
    app: SlackApiToken,
    pub limits: Limits,
    call_timeout: Duration,
}

impl Api {
    /// `base` has no trailing slash. Fails only where this host has no CA certificates and `base` needs them.
    pub(super) fn new(base: &str, bot: &Secret, app: &Secret, call_timeout: Duration) -> Result<Self, String> {
        let token = |secret: &Secret| SlackApiToken::new(secret.reveal().to_owned().into());
        let https = connector(base)?;
        let connector = SlackClientHyperHttpsConnector::from(https).with_slack_api_url(base);
        Ok(Api {
            client: SlackClient::new(connector),
            bot: token(bot),
            app: token(app),
            limits: Limits::default(),
            call_timeout,
        })
    }

    fn session(&self, who: As) -> SlackClientSession<'_, SlackClientHyperHttpsConnector> {
        self.client.open_session(match who {
            As::Bot => &self.bot,
            As::App => &self.app,
        })
    }

    /// One POST with a JSON body.
    pub(super) async fn post<B, A>(&self, who: As, method: &'static str, body: &B) -> Result<A, CallError>
    where
        B: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        let session = self.session(who);
        self.bounded(method, session.http_session_api.http_post(method, body, None)).await
    }

    /// One GET with query parameters.
    pub(super) async fn get<A>(&self, method: &'static str, params: &[(&str, Option<&str>)]) -> Result<A, CallError>
    where
        A: DeserializeOwned + Send,
    {
        let session = self.session(As::Bot);
        let params = params.to_vec();
        self.bounded(method, session.http_session_api.http_get(method, &params, None)).await
    }

    /// One POST to an address that Slack gave us. It carries no token, and the address is kept out of the log.
    pub(super) async fn post_to<B>(&self, url: &SlackResponseUrl, body: &B) -> Result<(), CallError>
    where
        B: Serialize + Send + Sync,
    {
        let span = tracing::Span::none();
        let context = bare(&span);
        let call = self.client.http_api.connector.http_post_uri(url.value().clone(), body, context);
        match self.bounded::<serde_json::Value>("response_url", call).await {
            Ok(_) => Ok(()),
            // Slack answers with the text `ok`, or with nothing at all: neither is JSON, both are a success.
            Err(CallError::Alien(_)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// The bytes of a file to the address that `files.getUploadURLExternal` gave.
    pub(super) async fn put_file(&self, url: &SlackResponseUrl, bytes: &[u8]) -> Result<(), CallError> {
        let span = tracing::Span::none();
        let context = bare(&span);
        let call = self.client.http_api.connector.http_post_uri_binary(
            url.value().clone(),
            "text/plain; charset=utf-8".into(),
            bytes,
            context,
        );
        match self.bounded::<serde_json::Value>("file upload", call).await {
            Ok(_) | Err(CallError::Alien(_)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    async fn bounded<A>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<A, SlackClientError>>,
    ) -> Result<A, CallError> {
        let started = Instant::now();
        let result = match timeout(self.call_timeout, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(read(&error, method)),
            Err(_) => Err(CallError::Lost(format!(
                "Slack did not answer `{method}` within {} s",
                self.call_timeout.as_secs()
            ))),
        };
        let outcome = match &result {
            Ok(_) => "ok",
            Err(CallError::Code { .. } | CallError::Alien(_)) => "refused",
            Err(CallError::Limited(_)) => "limited",
            Err(CallError::NotSent(_)) => "not_sent",
            Err(CallError::Lost(_)) => "lost",
        };
        metrics::counter!("muster_slack_calls_total", "method" => method, "outcome" => outcome).increment(1);
        metrics::histogram!("muster_slack_call_seconds", "method" => method).record(started.elapsed().as_secs_f64());
        result
    }

    /// Makes a call when the limits allow it, and again when Slack asks for a short wait. `patience` bounds the wait
    /// for a slot.
    pub(super) async fn paced<A, F>(
        &self,
        lane: Lane<'_>,
        patience: Duration,
        mut call: impl FnMut() -> F,
    ) -> Result<A, CallError>
    where
        F: Future<Output = Result<A, CallError>>,
    {
        let mut tries = 0;
        loop {
            let wait = self.limits.take(lane, Instant::now(), patience).map_err(CallError::Limited)?;
            tokio::time::sleep(wait).await;
            match call().await {
                Err(CallError::Limited(wait)) => {
                    self.limits.close(lane, Instant::now(), wait);
                    tries += 1;
                    if tries > RETRIES || wait > SHORT_WAIT.min(patience) {
                        return Err(CallError::Limited(wait));
                    }
                }
                other => return other,
            }
        }
    }
}

/// How Slack is connected to: TLS with this host's CA certificates, or plain http where `base` says so.
pub(super) fn connector(
    base: &str,
) -> Result<hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector>, String> {
    let builder = hyper_rustls::HttpsConnectorBuilder::new();
    let builder = if base.starts_with("https://") {
        builder.with_native_roots().map_err(|e| {
            format!("cannot read this host's CA certificates ({e}): install the package `ca-certificates`")
        })?
    } else {
        // Plain http needs no roots, and an image without them can still talk to the playground.
        builder.with_tls_config(
            rustls::ClientConfig::builder()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        )
    };
    Ok(builder.https_or_http().enable_http1().enable_http2().build())
}

fn bare(span: &tracing::Span) -> SlackClientApiCallContext<'_> {
    SlackClientApiCallContext { rate_control_params: None, token: None, tracing_span: span, is_sensitive_url: true }
}

fn read(error: &SlackClientError, method: &str) -> CallError {
    match error {
        SlackClientError::ApiError(answer) => {
            CallError::Code { code: answer.code.clone(), needed: field(answer.http_response_body.as_deref(), "needed") }
        }
        SlackClientError::RateLimitError(limit) => CallError::Limited(limit.retry_after.unwrap_or(DEFAULT_WAIT)),
        // A response_url names its fault like the API, but with a status of its own.
        SlackClientError::HttpError(answer) => {
            let status = answer.status_code.as_u16();
            let is_code =
                |code: &String| code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            match field(answer.http_response_body.as_deref(), "error").filter(is_code) {
                Some(code) => CallError::Code { code, needed: None },
                None if status >= 500 => CallError::Lost(format!("Slack answered `{method}` with HTTP {status}")),
                None => CallError::Code { code: format!("http_{status}"), needed: None },
            }
        }
        SlackClientError::HttpProtocolError(fault) => {
            let cause = fault.cause.as_ref().and_then(|c| c.downcast_ref::<hyper_util::client::legacy::Error>());
            match cause {
                Some(cause) if cause.is_connect() => {
                    CallError::NotSent(format!("cannot reach Slack ({}); it is tried again", innermost(cause)))
                }
                Some(cause) => {
                    CallError::Lost(format!("the connection to Slack broke during `{method}` ({})", innermost(cause)))
                }
                // An address that cannot be made into a request.
                None => CallError::NotSent(format!("`{method}` could not be asked for; check `[slack] api_url`")),
            }
        }
        SlackClientError::ProtocolError(_) => {
            CallError::Alien(format!("what answered `{method}` is not Slack's Web API; check `[slack] api_url`"))
        }
        SlackClientError::SystemError(_)
        | SlackClientError::EndOfStream(_)
        | SlackClientError::SocketModeProtocolError(_) => {
            CallError::Lost(format!("the connection to Slack broke during `{method}`"))
        }
    }
}

/// A text field of an answer that is a JSON object.
fn field(body: Option<&str>, name: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body?).ok()?;
    body[name].as_str().map(str::to_owned)
}

/// The root cause only: outer layers repeat it, and may carry addresses.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<std::io::Error>() {
        Some(io) => io.kind().to_string(),
        None => cause.to_string(),
    }
}
