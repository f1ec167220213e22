//! Slack: our own Socket Mode loop; Web API and models by slack-morphism.
//!
//! [`Slack`] says things ([`Chat`](crate::ports::Chat)), knows people ([`Directory`](crate::ports::Directory)) and
//! drives an [`Inbox`] ([`Slack::listen`]). The crate's own listener is not used: it acknowledges after its handler and
//! loses envelopes at reconnects. Neither tokens, nor addresses that Slack gives, nor bodies are logged here; cap the
//! log targets `slack_morphism`, `hyper` and `tungstenite` at `info`, they print them below that.

mod api;
mod directory;
mod fallback;
mod files;
mod form;
mod home;
mod intake;
mod limits;
pub mod manifest;
pub mod methods;
mod probe;
mod receive;
mod render;
mod send;
mod sentence;
mod socket;
mod text;
mod views;
mod whisper;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use slack_morphism::prelude::SlackResponseUrl;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::domain::Secret;
use crate::ports::{ChatError, Delivery, Inbox};

pub use socket::Alarm;

use api::{Api, As, CallError};
use directory::Caches;
use intake::{Answered, Intake};
use socket::{OpenError, Opener};
use whisper::Told;

pub const API_URL: &str = "https://slack.com/api";

/// How to reach Slack. The secrets come from the environment or from files.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The slash command with its slash, such as `/runbook`.
    pub command: String,
    /// [`API_URL`], or another workspace's that speaks the same protocol.
    pub api_url: String,
    /// `xapp-…`, with the scope `connections:write`.
    pub app_token: Secret,
    /// `xoxb-…`.
    pub bot_token: Secret,
}

/// How fast things happen. The defaults are for Slack; tests shorten them.
#[derive(Debug, Clone)]
pub struct Pace {
    /// An envelope is acknowledged after this long even if the inbox has not answered. Slack allows 3 s.
    pub watchdog: Duration,
    pub backoff_first: Duration,
    pub backoff_max: Duration,
    /// A socket that lived for less counts as failed, so that a server that hangs up at once makes no hot loop.
    pub settled: Duration,
    /// How long opening a socket may take, and then the `hello` on it.
    pub greeting: Duration,
    pub ping: Duration,
    /// A socket on which nothing arrived for this long is dead.
    pub dead: Duration,
    /// How long a socket that has been replaced is still read, if Slack does not close it.
    pub linger: Duration,
    /// How long one Web API call may take.
    pub call: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            watchdog: Duration::from_millis(150),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            settled: Duration::from_secs(5),
            greeting: Duration::from_secs(10),
            ping: Duration::from_secs(15),
            dead: Duration::from_secs(50),
            linger: Duration::from_secs(300),
            call: Duration::from_secs(15),
        }
    }
}

/// Settings that can never work. One sentence with the remedy last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConnectError(pub String);

/// Who the bot is, by `auth.test`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub team: String,
    /// Of an Enterprise organisation.
    pub enterprise: Option<String>,
    pub bot_user: String,
}

/// The bodies of a card: with Slack's whole layout, and with less of it where Slack refuses that. What is sent is the first
/// that Slack takes.
#[must_use]
pub fn bodies(card: &crate::message::Card) -> Vec<serde_json::Value> {
    let rungs = std::iter::successors(Some(render::Rung::Full), |rung| rung.next());
    rungs
        .map(|rung| render::card(card, rung))
        .map(|body| serde_json::json!({ "text": body.text, "blocks": body.blocks }))
        .collect()
}

/// What somebody did, as one envelope of this kind tells it; `None` where it is nothing for us or cannot be read. Pure, and
/// whatever the payload holds: it comes from outside.
#[must_use]
pub fn delivery(kind: &str, payload: serde_json::Value, me: &Identity, command: &str) -> Option<Delivery> {
    match receive::read(kind, payload, me, command) {
        receive::Reading::Deed(delivery, _) => Some(*delivery),
        receive::Reading::Asked(_)
        | receive::Reading::Answer(_)
        | receive::Reading::Skip(_)
        | receive::Reading::Unreadable(_) => None,
    }
}

/// One Slack workspace. Cheap to clone.
#[derive(Clone)]
pub struct Slack {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    pace: Pace,
    base: SlackResponseUrl,
    api: Api,
    identity: OnceCell<Identity>,
    live: Arc<AtomicUsize>,
    caches: Caches,
    told: Told,
}

impl Slack {
    /// Checks the settings and talks to nobody yet: calls work as soon as Slack does.
    pub fn new(settings: Settings) -> Result<Self, ConnectError> {
        Slack::with_pace(settings, Pace::default())
    }

    pub fn with_pace(mut settings: Settings, pace: Pace) -> Result<Self, ConnectError> {
        let refuse = |text: String| Err(ConnectError(text));
        while settings.api_url.ends_with('/') {
            settings.api_url.pop();
        }
        let web = settings.api_url.starts_with("https://") || settings.api_url.starts_with("http://");
        let Some(base) = settings.api_url.parse().ok().filter(|_| web).map(SlackResponseUrl) else {
            return refuse(format!("`[slack] api_url` is not an address: use `{API_URL}`"));
        };
        if !settings.command.starts_with('/')
            || settings.command.len() < 2
            || settings.command.contains(char::is_whitespace)
        {
            return refuse(format!("`[slack] command` is `{}`: write it like `/runbook`", settings.command));
        }
        for (name, secret, prefix, page) in [
            ("bot_token", &settings.bot_token, "xoxb-", "OAuth & Permissions"),
            ("app_token", &settings.app_token, "xapp-", "Basic Information, App-Level Tokens"),
        ] {
            let token = secret.reveal();
            if token.is_empty() {
                return refuse(format!("`[slack] {name}` is empty: put the `{prefix}…` token there ({page})"));
            }
            if !token.starts_with(prefix) || !token.bytes().all(|b| b.is_ascii_graphic()) {
                return refuse(format!(
                    "`[slack] {name}` is not a `{prefix}…` token: copy it from the app's page ({page})"
                ));
            }
        }
        // The program installs one first thing; this only serves who uses the adapter alone.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let api =
            Api::new(&settings.api_url, &settings.bot_token, &settings.app_token, pace.call).map_err(ConnectError)?;
        let inner = Inner {
            settings,
            pace,
            base,
            api,
            identity: OnceCell::new(),
            live: Arc::default(),
            caches: Caches::default(),
            told: Told::default(),
        };
        Ok(Slack { inner: Arc::new(inner) })
    }

    /// [`Slack::new`], then waits until Slack has said who the bot is. Tries for as long as Slack cannot be reached,
    /// and says so in the log; ends only where trying again cannot help.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        let slack = Slack::new(settings)?;
        slack.introduce().await?;
        Ok(slack)
    }

    /// Who the bot is, once Slack has told.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.inner.identity.get()
    }

    /// Sockets that are open and greeted; 2 when all is well.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.inner.live.load(Ordering::Relaxed)
    }

    /// Asks Slack who the bot is, for as long as it takes.
    pub async fn introduce(&self) -> Result<&Identity, ConnectError> {
        let pace = &self.inner.pace;
        let mut wait = pace.backoff_first;
        loop {
            let cause = match self.inner.whoami().await {
                Ok(me) => return Ok(me),
                Err(CallError::Code { code, .. }) if is_token_fault(&code) => {
                    return Err(ConnectError(format!(
                        "Slack does not accept the bot token (`{code}`): put the `xoxb-…` token of the app's page OAuth & \
                         Permissions where `[slack] bot_token` points"
                    )));
                }
                Err(CallError::Alien(cause)) => return Err(ConnectError(cause)),
                Err(error) => match error.into_chat("auth.test") {
                    ChatError::Refused(sentence) => return Err(ConnectError(sentence)),
                    ChatError::NotSaid { cause, retry_after } => {
                        wait = wait.max(retry_after.unwrap_or_default());
                        cause
                    }
                    ChatError::Unknown(cause) => cause,
                },
            };
            tracing::warn!(
                "slack does not answer: {cause}. Trying again in {:.1} s; if it lasts, check this host's way to `{}` (DNS, \
                 firewall, TLS) and `[slack] api_url`",
                wait.as_secs_f64(),
                self.inner.settings.api_url
            );
            sleep(wait.mul_f64(rand::random_range(0.5..=1.0))).await;
            wait = (wait * 2).min(pace.backoff_max);
        }
    }

    /// Gives everything that people do to `inbox`, until `stop` is over. Slack may be down when it starts or go down
    /// meanwhile. Ends early, with the reason, only where trying again cannot help.
    pub async fn listen(&self, inbox: Arc<dyn Inbox>, stop: impl Future<Output = ()> + Send) -> Result<(), Alarm> {
        tokio::pin!(stop);
        let me = tokio::select! {
            me = self.introduce() => me.map_err(|e| Alarm(e.0))?.clone(),
            () = &mut stop => return Ok(()),
        };
        let intake = Arc::new(Intake {
            inbox,
            tell: Arc::clone(&self.inner) as _,
            me,
            command: self.inner.settings.command.clone(),
            watchdog: self.inner.pace.watchdog,
            answered: Answered::default(),
        });
        let opener = Arc::clone(&self.inner) as Arc<dyn Opener>;
        socket::keep(opener, intake, self.inner.pace.clone(), Arc::clone(&self.inner.live), stop).await
    }
}

fn is_token_fault(code: &str) -> bool {
    matches!(code, "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired")
}

#[derive(Deserialize)]
struct AuthTest {
    user_id: String,
    team_id: Option<String>,
    enterprise_id: Option<String>,
}

#[derive(Deserialize)]
struct Connection {
    url: String,
}

impl Inner {
    async fn whoami(&self) -> Result<&Identity, CallError> {
        self.identity
            .get_or_try_init(|| async {
                let answer: AuthTest = self.api.post(As::Bot, "auth.test", &serde_json::json!({})).await?;
                let enterprise = answer.enterprise_id.filter(|id| !id.is_empty());
                // An installation for a whole organisation names no team.
                let team = answer.team_id.filter(|id| !id.is_empty()).or_else(|| enterprise.clone());
                let team =
                    team.ok_or_else(|| CallError::Alien("Slack named neither workspace nor organisation".into()))?;
                tracing::info!(%team, ?enterprise, bot = %answer.user_id, "slack knows the bot");
                Ok(Identity { team, enterprise, bot_user: answer.user_id })
            })
            .await
    }
}

#[async_trait]
impl Opener for Inner {
    async fn open(&self) -> Result<String, OpenError> {
        let answer: Result<Connection, _> =
            self.api.post(As::App, "apps.connections.open", &serde_json::json!({})).await;
        let error = match answer {
            // No downgrade: where the Web API is encrypted, so is the socket.
            Ok(Connection { url }) if self.base.0.scheme() == "https" && !url.starts_with("wss://") => {
                return Err(OpenError::Later {
                    cause: "Slack gave an address that is not encrypted".into(),
                    wait: None,
                });
            }
            Ok(Connection { url }) => return Ok(url),
            Err(error) => error,
        };
        match error {
            CallError::Code { code, .. } if is_token_fault(&code) || code == "not_allowed_token_type" => {
                Err(OpenError::Never(Alarm(format!(
                    "Slack does not accept the app token (`{code}`): put an `xapp-…` token with the scope \
                     `connections:write` where `[slack] app_token` points"
                ))))
            }
            CallError::Code { code, needed: Some(scope) } if code == "missing_scope" => Err(OpenError::Never(Alarm(
                format!("the app token lacks the scope `{scope}`: make a new one that has it"),
            ))),
            CallError::Code { code, .. }
                if matches!(
                    code.as_str(),
                    "forbidden_for_interactive_websockets" | "link_disabled" | "socket_mode_not_enabled"
                ) =>
            {
                Err(OpenError::Never(Alarm(format!(
                    "Socket Mode is switched off for the Slack app (`{code}`): switch it on on the app's page, then start \
                     muster again"
                ))))
            }
            CallError::Limited(wait) => {
                Err(OpenError::Later { cause: "Slack asks us to slow down".into(), wait: Some(wait) })
            }
            other => {
                let cause = match other.into_chat("apps.connections.open") {
                    ChatError::Refused(cause) | ChatError::Unknown(cause) | ChatError::NotSaid { cause, .. } => cause,
                };
                Err(OpenError::Later { cause, wait: None })
            }
        }
    }
}
