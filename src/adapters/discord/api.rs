//! One call to Discord's REST API: serenity's routes and requests, with our own time-outs, limits and reading of answers.
//!
//! Serenity's own HTTP client is not used for the sending: it drops the wait that a 429 names, waits without bound
//! inside a call, and reads answers so strictly that a new field of Discord's could turn a call that succeeded into one
//! that seems lost. Answers are read with structures that hold only what we use. Neither bodies nor addresses are
//! logged; those of interactions carry their token.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serenity::builder::CreateAttachment;
use serenity::http::{LightMethod, Multipart, MultipartUpload, Request, Route};
use tokio::time::{Instant, sleep};

use crate::domain::Secret;
use crate::ports::ChatError;

use super::limits::Limits;
use super::sentence;

/// Waits that Discord asks for by 429 are sat out here up to this long; longer ones go back to the caller.
const SHORT_WAIT: Duration = Duration::from_secs(5);
/// How often one call is made again after a 429.
const RETRIES: u32 = 2;
/// What a 429 that names no time means.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);
/// Answers are far smaller, a page of 1,000 members included; this bounds what a broken peer can make us hold.
const ANSWER_MAX: usize = 8 << 20;

/// How a call ended when it did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    /// Discord said no. `code` is its own code of JSON errors, 0 where it gave none.
    Code { status: u16, code: u32, said: String },
    /// 429, or what an earlier answer told.
    Limited(Duration),
    /// Nothing left this host.
    NotSent(String),
    /// No answer, or a fault of Discord's own: it may have been done.
    Lost(String),
    /// Something that is not Discord's API answered.
    Alien(String),
}

impl CallError {
    pub(super) fn code(&self) -> Option<u32> {
        match self {
            CallError::Code { code, .. } => Some(*code),
            CallError::Limited(_) | CallError::NotSent(_) | CallError::Lost(_) | CallError::Alien(_) => None,
        }
    }

    /// The same as the engine understands it. `what`: what was asked for, such as "post a message".
    pub(super) fn into_chat(self, what: &str) -> ChatError {
        match self {
            CallError::Code { status, code, said } => ChatError::Refused(sentence::for_code(status, code, &said, what)),
            CallError::Limited(wait) => {
                ChatError::NotSaid { cause: "Discord asks us to slow down".into(), retry_after: Some(wait) }
            }
            CallError::NotSent(cause) => ChatError::NotSaid { cause, retry_after: None },
            CallError::Lost(cause) => ChatError::Unknown(cause),
            // A proxy's error page, perhaps: what stood behind it may have done it.
            CallError::Alien(cause) => ChatError::Unknown(cause),
        }
    }

    /// For those who only read: nothing can have been done.
    pub(super) fn into_sentence(self, what: &str) -> String {
        match self.into_chat(what) {
            ChatError::Refused(cause) | ChatError::Unknown(cause) | ChatError::NotSaid { cause, .. } => cause,
        }
    }
}

/// One call. The name is for metrics and never holds an id.
pub(super) struct Call<'a> {
    pub name: &'static str,
    request: Request<'a>,
    /// What it counts against: method and the id that Discord counts by. `None`: nothing that we keep.
    lane: Option<String>,
}

impl<'a> Call<'a> {
    pub(super) fn new(name: &'static str, method: LightMethod, route: Route<'a>) -> Self {
        Call { name, request: Request::new(route, method), lane: None }
    }
    pub(super) fn lane(mut self, id: impl std::fmt::Display) -> Self {
        self.lane = Some(format!("{} {id}", self.name));
        self
    }
    pub(super) fn body(mut self, body: &Value) -> Self {
        self.request = self.request.body(Some(body.to_string().into_bytes()));
        self
    }
    /// With one file beside the body.
    pub(super) fn file(mut self, body: &Value, name: &str, content: &[u8]) -> Self {
        let file = CreateAttachment::bytes(content, name);
        let upload = MultipartUpload::Attachments(vec![file]);
        self.request = self.request.multipart(Some(Multipart {
            upload,
            fields: Vec::new(),
            payload_json: Some(body.to_string()),
        }));
        self
    }
    pub(super) fn params(mut self, params: &[(&'static str, String)]) -> Self {
        self.request = self.request.params(Some(params.to_vec()));
        self
    }
}

/// An answer of which nothing matters but that it came.
#[derive(Deserialize)]
#[serde(from = "serde::de::IgnoredAny")]
pub(super) struct Nothing;

impl From<serde::de::IgnoredAny> for Nothing {
    fn from(_: serde::de::IgnoredAny) -> Self {
        Nothing
    }
}

pub(super) struct Api {
    client: reqwest::Client,
    /// `Bot …`.
    token: Secret,
    /// Takes the place of `https://discord.com`.
    base: String,
    limits: Limits,
    call_timeout: Duration,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Value,
}

#[derive(Deserialize)]
struct LimitBody {
    retry_after: f64,
    #[serde(default)]
    global: bool,
    #[serde(default)]
    code: u32,
}

/// Discord's code, told with a 429: too many edits of messages that are older than an hour.
const OLD_MESSAGE: u32 = 30046;

/// One answer, before anything is made of it.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Api {
    /// `base` has no trailing slash.
    pub(super) fn new(base: &str, token: &Secret, call_timeout: Duration) -> Result<Self, String> {
        let builder = reqwest::Client::builder().timeout(call_timeout).redirect(reqwest::redirect::Policy::none());
        let client = builder.build().map_err(|e| format!("no HTTP client can be made ({})", innermost(&e)))?;
        let token = Secret::new(format!("Bot {}", token.reveal()));
        Ok(Api { client, token, base: base.to_owned(), limits: Limits::default(), call_timeout })
    }

    /// Makes a call when the limits allow it, and again when Discord asks for a short wait. `patience` bounds each wait.
    pub(super) async fn call<A: DeserializeOwned>(&self, call: Call<'_>, patience: Duration) -> Result<A, CallError> {
        let lane = call.lane.as_deref();
        let mut tries = 0;
        loop {
            let wait = match lane {
                Some(lane) => self.limits.take(lane, Instant::now(), patience).map_err(CallError::Limited)?,
                None => Duration::ZERO,
            };
            sleep(wait).await;
            match self.once(call.name, lane, call.request.clone()).await {
                Err(CallError::Limited(wait)) => {
                    tries += 1;
                    if tries > RETRIES || wait > SHORT_WAIT.min(patience) {
                        return Err(CallError::Limited(wait));
                    }
                    if lane.is_none() {
                        sleep(wait).await;
                    }
                }
                other => return other,
            }
        }
    }

    async fn once<A: DeserializeOwned>(
        &self,
        name: &'static str,
        lane: Option<&str>,
        request: Request<'_>,
    ) -> Result<A, CallError> {
        let started = Instant::now();
        let result = match self.exchange(name, request).await {
            Ok(answer) => self.read(name, lane, answer),
            Err(error) => Err(error),
        };
        let outcome = match &result {
            Ok(_) => "ok",
            Err(CallError::Code { .. } | CallError::Alien(_)) => "refused",
            Err(CallError::Limited(_)) => "limited",
            Err(CallError::NotSent(_)) => "not_sent",
            Err(CallError::Lost(_)) => "lost",
        };
        metrics::counter!("muster_discord_calls_total", "method" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("muster_discord_call_seconds", "method" => name).record(started.elapsed().as_secs_f64());
        result
    }

    async fn exchange(&self, name: &str, request: Request<'_>) -> Result<Answer, CallError> {
        let unsent = || CallError::NotSent(format!("`{name}` could not be asked for: check `[discord] api_url`"));
        let request = request.build(&self.client, self.token.reveal(), Some(&self.base)).map_err(|_| unsent())?;
        let mut response = request.send().await.map_err(|error| self.broken(name, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(name, &error))? {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(CallError::Alien(format!(
                    "what answered `{name}` sends without end: check `[discord] api_url`"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    fn broken(&self, name: &str, error: &reqwest::Error) -> CallError {
        if error.is_connect() {
            CallError::NotSent(format!("cannot reach Discord ({}); it is tried again", innermost(error)))
        } else if error.is_timeout() {
            CallError::Lost(format!("Discord did not answer `{name}` within {} s", self.call_timeout.as_secs()))
        } else if error.is_builder() {
            CallError::NotSent(format!("`{name}` could not be asked for: check `[discord] api_url`"))
        } else {
            CallError::Lost(format!("the connection to Discord broke during `{name}` ({})", innermost(error)))
        }
    }

    fn read<A: DeserializeOwned>(&self, name: &str, lane: Option<&str>, answer: Answer) -> Result<A, CallError> {
        let Answer { status, headers, body } = answer;
        let now = Instant::now();
        let number = |header: &str| headers.get(header)?.to_str().ok()?.parse::<f64>().ok();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let told: Option<LimitBody> = serde_json::from_slice(&body).ok();
            let seconds = told.as_ref().map(|t| t.retry_after).or_else(|| number("retry-after"));
            let wait = seconds.map_or(DEFAULT_WAIT, wait_of);
            // This one message is old and was edited too often; others of its channel are not meant.
            if told.as_ref().is_some_and(|t| t.code == OLD_MESSAGE) {
                return Err(CallError::Limited(wait));
            }
            let global = told.is_some_and(|t| t.global) || headers.contains_key("x-ratelimit-global");
            self.limits.close(lane.unwrap_or(name), now, wait, global);
            return Err(CallError::Limited(wait));
        }
        if let (Some(lane), Some(left), Some(after)) =
            (lane, number("x-ratelimit-remaining"), number("x-ratelimit-reset-after"))
        {
            self.limits.told(lane, now, left.clamp(0.0, 1_000.0) as u32, wait_of(after));
        }
        let alien =
            || CallError::Alien(format!("what answered `{name}` is not Discord's API: check `[discord] api_url`"));
        if status.is_success() {
            let body: &[u8] = if body.is_empty() { b"null" } else { &body };
            return serde_json::from_slice(body).map_err(|_| alien());
        }
        if status.is_server_error() {
            return Err(CallError::Lost(format!("Discord answered `{name}` with HTTP {}", status.as_u16())));
        }
        let told: ErrorBody = serde_json::from_slice(&body).map_err(|_| alien())?;
        let said = match first_fault(&told.errors, &mut String::new()) {
            Some(fault) => format!("{}; {fault}", told.message),
            None => told.message,
        };
        Err(CallError::Code { status: status.as_u16(), code: told.code, said })
    }
}

fn wait_of(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.clamp(0.0, 86_400.0)).unwrap_or(DEFAULT_WAIT)
}

/// The first of Discord's nested faults, `embeds.0.title: Must be 256 or fewer in length.`
fn first_fault(errors: &Value, path: &mut String) -> Option<String> {
    let object = errors.as_object()?;
    if let Some(fault) = object.get("_errors").and_then(|list| list.get(0)) {
        let message = fault["message"].as_str().unwrap_or_default();
        return Some(if path.is_empty() { message.to_owned() } else { format!("{path}: {message}") });
    }
    object.iter().find_map(|(key, inner)| {
        let before = path.len();
        if before > 0 {
            path.push('.');
        }
        path.push_str(key);
        let found = first_fault(inner, path);
        path.truncate(before);
        found
    })
}

/// The root cause only: outer layers repeat it, and carry addresses.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<std::io::Error>() {
        Some(io) => io.kind().to_string(),
        None if cause.downcast_ref::<reqwest::Error>().is_some() => "no further reason is given".into(),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn api() -> Api {
        Api::new("http://127.0.0.1:9", &Secret::new("x"), Duration::from_secs(1)).unwrap()
    }

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: map, body: body.to_string().into_bytes() }
    }

    #[test]
    fn a_429_names_its_wait_and_is_said_by_nobody_to_have_been_done() {
        let api = api();
        let limited = answer(429, &[], &json!({ "message": "slow", "retry_after": 1.5, "global": false }));
        let error = api.read::<Nothing>("post", Some("post 1"), limited).err().unwrap();
        assert_eq!(error, CallError::Limited(Duration::from_millis(1_500)));
        assert!(matches!(error.into_chat("post"), ChatError::NotSaid { retry_after: Some(_), .. }));
        assert!(api.limits.take("post 1", Instant::now(), Duration::ZERO).is_err());
        let old = answer(429, &[], &json!({ "message": "old", "retry_after": 900.0, "code": 30046 }));
        let error = api.read::<Nothing>("edit", Some("edit 1"), old).err().unwrap();
        assert_eq!(error, CallError::Limited(Duration::from_secs(900)));
        assert!(api.limits.take("edit 1", Instant::now(), Duration::ZERO).is_ok(), "other messages can be edited");
        let html =
            Answer { status: StatusCode::TOO_MANY_REQUESTS, headers: HeaderMap::new(), body: b"<html>".to_vec() };
        assert_eq!(api.read::<Nothing>("post", None, html).err(), Some(CallError::Limited(DEFAULT_WAIT)));
    }

    #[test]
    fn an_allowance_that_is_used_up_is_waited_for_before_discord_says_no() {
        let api = api();
        let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "2.5")];
        assert!(api.read::<Nothing>("post", Some("post 1"), answer(200, &headers, &json!({ "id": "1" }))).is_ok());
        let wait = api.limits.take("post 1", Instant::now(), Duration::ZERO).unwrap_err();
        assert!(wait > Duration::from_secs(2) && wait <= Duration::from_millis(2_500), "{wait:?}");
    }

    #[test]
    fn what_may_have_been_done_is_told_from_what_was_refused() {
        let api = api();
        let read = |status, body: &Value| api.read::<Nothing>("post", None, answer(status, &[], body)).err();
        let form = json!({ "code": 50035, "message": "Invalid Form Body", "errors": {
            "embeds": { "0": { "title": { "_errors": [{ "code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 256 or fewer in length." }] } } } } });
        let said = "Invalid Form Body; embeds.0.title: Must be 256 or fewer in length.".to_owned();
        assert_eq!(read(400, &form), Some(CallError::Code { status: 400, code: 50035, said }));
        assert!(matches!(read(502, &json!("bad gateway")), Some(CallError::Lost(_))));
        assert!(matches!(read(404, &json!("nginx")), Some(CallError::Alien(_))));
        assert_eq!(read(204, &json!(null)), None);
    }

    #[tokio::test]
    async fn a_host_that_does_not_answer_was_told_nothing() {
        let call = Call::new("who am i", LightMethod::Get, Route::UserMe);
        let error = api().call::<Nothing>(call, Duration::ZERO).await.err().unwrap();
        assert!(matches!(error, CallError::NotSent(_)), "{error:?}");
    }
}
