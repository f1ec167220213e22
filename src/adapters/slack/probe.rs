//! What `muster doctor` asks Slack. Nothing is said to anybody.
//!
//! The granted scopes stand in a header of Slack's answers, which the Web API client does not hand on, so one call is
//! made by the bare HTTP client.

use std::collections::BTreeSet;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, DATE, HeaderMap};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::domain::Timestamp;
use crate::ports::{BotSeen, ChannelSeen, ChatProbe, ProbeError};

use super::api::{CallError, connector, innermost};
use super::methods::bot_scopes;
use super::socket::{OpenError, Opener as _};
use super::{Slack, is_token_fault, sentence};

/// `auth.test` answers with a few hundred bytes.
const ANSWER_MAX: usize = 64 << 10;

#[derive(Deserialize)]
struct AuthTest {
    ok: bool,
    error: Option<String>,
    team: Option<String>,
    team_id: Option<String>,
    enterprise_id: Option<String>,
    user: Option<String>,
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct ChannelAnswer {
    channel: Channel,
}

#[derive(Deserialize)]
struct Channel {
    name: Option<String>,
    #[serde(default)]
    is_member: bool,
    #[serde(default)]
    is_archived: bool,
}

#[async_trait]
impl ChatProbe for Slack {
    async fn bot(&self) -> Result<BotSeen, ProbeError> {
        let (answer, headers, times) =
            tokio::time::timeout(self.inner.pace.call, self.auth_test()).await.map_err(|_| {
                ProbeError(format!(
                    "Slack did not answer within {} s: check this host's way to `{}`",
                    self.inner.pace.call.as_secs(),
                    self.inner.settings.api_url
                ))
            })??;
        if !answer.ok {
            let code = answer.error.unwrap_or_else(|| "no reason given".into());
            return Err(ProbeError(if is_token_fault(&code) {
                format!(
                    "Slack does not accept the bot token (`{code}`): put the `xoxb-…` token of the app's page OAuth & \
                     Permissions where `[slack] bot_token` points"
                )
            } else {
                sentence::for_code(&code, None, "auth.test")
            }));
        }
        let filled = |text: Option<String>| text.filter(|t| !t.is_empty());
        let enterprise = filled(answer.enterprise_id);
        let team = filled(answer.team_id);
        let Some(tenant) = enterprise.or(team) else {
            return Err(ProbeError(
                "what answered `auth.test` named no workspace, so it is not Slack: check `[slack] api_url`".into(),
            ));
        };
        let missing = granted(&headers).map(|granted| {
            bot_scopes().into_iter().filter(|scope| !granted.contains(*scope)).map(str::to_owned).collect()
        });
        Ok(BotSeen {
            workspace: filled(answer.team).unwrap_or_else(|| tenant.clone()),
            tenant,
            name: filled(answer.user).unwrap_or_else(|| "muster".into()),
            user: answer.user_id.unwrap_or_default(),
            needed: bot_scopes().len(),
            missing,
            clock: clock(&headers, times),
        })
    }

    async fn can_listen(&self) -> Result<(), ProbeError> {
        // The address is never connected to; its ticket dies unused.
        match self.inner.open().await {
            Ok(_) => Ok(()),
            Err(OpenError::Never(alarm)) => Err(ProbeError(alarm.to_string())),
            Err(OpenError::Later { cause, .. }) => {
                Err(ProbeError(format!("Socket Mode cannot be opened now ({}): try again in a minute", once(&cause))))
            }
        }
    }

    async fn channel(&self, id: &str) -> Result<Option<ChannelSeen>, ProbeError> {
        const METHOD: &str = "conversations.info";
        match self.inner.api.get::<ChannelAnswer>(METHOD, &[("channel", Some(id))]).await {
            Ok(ChannelAnswer { channel }) => Ok(Some(ChannelSeen {
                name: channel.name.unwrap_or_else(|| id.to_owned()),
                member: channel.is_member,
                archived: channel.is_archived,
            })),
            Err(CallError::Code { code, .. }) if code == "channel_not_found" => Ok(None),
            Err(CallError::Code { code, needed }) => {
                Err(ProbeError(sentence::for_code(&code, needed.as_deref(), METHOD)))
            }
            Err(CallError::Limited(wait)) => {
                Err(ProbeError(format!("Slack asks us to slow down: try again in {} s", wait.as_secs().max(1))))
            }
            Err(CallError::NotSent(cause) | CallError::Lost(cause) | CallError::Alien(cause)) => {
                Err(ProbeError(format!("{}: try again in a minute", once(&cause))))
            }
        }
    }
}

impl Slack {
    async fn auth_test(&self) -> Result<(AuthTest, HeaderMap, (Timestamp, Timestamp)), ProbeError> {
        let settings = &self.inner.settings;
        let https = connector(&settings.api_url).map_err(ProbeError)?;
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(https);
        let request = Request::post(format!("{}/auth.test", settings.api_url))
            .header(AUTHORIZATION, format!("Bearer {}", settings.bot_token.reveal()))
            .body(Empty::new())
            .map_err(|_| ProbeError("`[slack] api_url` is not an address: leave it out for Slack's own".into()))?;
        let unreachable =
            |cause: String| ProbeError(format!("cannot reach Slack ({cause}): check this host's network"));
        let sent = Timestamp::now();
        let answer = client.request(request).await.map_err(|e| unreachable(innermost(&e)))?;
        let (head, body) = answer.into_parts();
        let received = Timestamp::now();
        let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|e| unreachable(e.to_string()))?.to_bytes();
        let alien = || {
            ProbeError(format!(
                "what answered `auth.test` (HTTP {}) is not Slack's Web API: check `[slack] api_url`",
                head.status.as_u16()
            ))
        };
        let answer = serde_json::from_slice(&body).map_err(|_| alien())?;
        Ok((answer, head.headers, (sent, received)))
    }
}

/// The bot's sentences promise another try, which a probe does not make.
fn once(cause: &str) -> &str {
    cause.strip_suffix("; it is tried again").unwrap_or(cause)
}

/// `None`: the answer did not say.
fn granted(headers: &HeaderMap) -> Option<BTreeSet<String>> {
    let list = headers.get("x-oauth-scopes")?.to_str().ok()?;
    Some(list.split(',').map(|scope| scope.trim().to_owned()).filter(|scope| !scope.is_empty()).collect())
}

/// Slack's clock minus this host's. The header has whole seconds and was written between the two times, so what lies
/// within that interval is no skew.
fn clock(headers: &HeaderMap, (sent, received): (Timestamp, Timestamp)) -> Option<jiff::SignedDuration> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let (least, most) = (date.duration_since(received), date.duration_since(sent) + jiff::SignedDuration::from_secs(1));
    Some(if least.is_positive() {
        least
    } else if most.is_negative() {
        most
    } else {
        jiff::SignedDuration::ZERO
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_are_no_skew_and_minutes_are() {
        let date = |text: &str| HeaderMap::from_iter([(DATE, text.parse().unwrap())]);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let times = (at("2026-11-22T10:00:00.200Z"), at("2026-11-22T10:00:00.900Z"));
        let seconds = |text: &str| clock(&date(text), times).map(|skew| skew.as_secs());
        assert_eq!(seconds("Sun, 22 Nov 2026 10:00:00 GMT"), Some(0));
        assert_eq!(seconds("Sun, 22 Nov 2026 10:07:00 GMT"), Some(419));
        assert_eq!(seconds("Sun, 22 Nov 2026 09:53:00 GMT"), Some(-419));
        assert_eq!(seconds("yesterday"), None);
    }
}
