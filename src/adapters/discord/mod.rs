//! Discord: models, builders and REST routes by serenity; the gateway loop is ours.
//!
//! [`Discord`] says things ([`Chat`](crate::ports::Chat)), knows people ([`Directory`](crate::ports::Directory)) and
//! drives an [`Inbox`] ([`Discord::listen`]). It serves every guild that the bot is in; the policy decides what is allowed
//! there, and a guild is a tenant. Why serenity's gateway client is not used stands in `gateway`, why its HTTP client is
//! not in `api`. Neither tokens, nor addresses of interactions, nor bodies are logged here; cap the log targets
//! `serenity`, `reqwest`, `hyper` and `tungstenite` at `warn`, they print them below that.

mod api;
mod asked;
mod commands;
mod custom;
mod dialog;
mod directory;
mod drafts;
mod filling;
mod form;
mod gateway;
mod ids;
mod intake;
pub mod invite;
mod limits;
mod places;
mod probe;
mod receive;
mod render;
mod send;
mod sentence;
mod text;
mod waiting;
mod whisper;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use serenity::http::{LightMethod, Route};
use serenity::model::id::ApplicationId;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::domain::Secret;
use crate::ports::{ChatError, Delivery, Inbox};

pub use gateway::Alarm;

use api::{Api, Call, CallError, Nothing};
use directory::Caches;
use gateway::{OpenError, Opener};
use ids::snowflake;
use intake::{Intake, Seen, Shared, Tasks};
use send::Told;

pub const API_URL: &str = "https://discord.com";

/// How long acknowledgements that are on their way may take when we stop.
const DRAIN: Duration = Duration::from_secs(2);
/// How long one call at the start may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// How to reach Discord. The secret comes from the environment or from a file.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The id on the application's page.
    pub application_id: String,
    /// From the same page, under Bot.
    pub bot_token: Secret,
    /// The slash command without its slash, such as `runbook`.
    pub command: String,
    /// [`API_URL`], or another host that speaks the same protocol.
    pub api_url: String,
}

/// How fast things happen. The defaults are for Discord; tests shorten them.
#[derive(Debug, Clone)]
pub struct Pace {
    /// An interaction is acknowledged after this long even if the inbox has not answered. Discord allows 3 s.
    pub watchdog: Duration,
    /// How long the acknowledgement of a click waits for the form that it opens.
    pub forms: Duration,
    pub backoff_first: Duration,
    pub backoff_max: Duration,
    /// A socket that lived for less counts as failed, so that a server that hangs up at once makes no hot loop.
    pub settled: Duration,
    /// How long opening a socket may take, and then the hello on it.
    pub greeting: Duration,
    /// At most this long, and at random, before a session is begun anew; Discord wants 1 to 5 s.
    pub renewal: Duration,
    /// How long one REST call may take.
    pub call: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            watchdog: Duration::from_millis(150),
            forms: Duration::from_secs(2),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            settled: Duration::from_secs(5),
            greeting: Duration::from_secs(10),
            renewal: Duration::from_secs(5),
            call: Duration::from_secs(15),
        }
    }
}

/// Settings that can never work. One sentence with the remedy last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConnectError(pub String);

/// Who the bot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub bot_user: String,
    pub name: String,
}

/// The bodies of a card as a new message: with Discord's whole layout, and with less of it where Discord refuses that. What
/// is sent is the first that Discord takes.
#[must_use]
pub fn bodies(card: &crate::message::Card) -> Vec<serde_json::Value> {
    let rungs = std::iter::successors(Some(render::Rung::Rich), |rung| rung.next());
    rungs.map(|rung| render::card(card, rung, render::Purpose::Post { nonce: "1", mark: "1" }, None)).collect()
}

/// What somebody did, as one interaction tells it; `None` where it is nothing for us, cannot be read, or is a page of a form.
/// Pure, and whatever the payload holds: it comes from outside.
#[must_use]
pub fn delivery(interaction: &serde_json::Value, command: &str) -> Option<Delivery> {
    match receive::interaction(interaction, command) {
        receive::Reading::Deed { delivery, .. } => Some(*delivery),
        receive::Reading::Completing { .. }
        | receive::Reading::Page { .. }
        | receive::Reading::Filled { .. }
        | receive::Reading::Skip(_)
        | receive::Reading::Unreadable(_) => None,
    }
}

/// One Discord application. Cheap to clone.
#[derive(Clone)]
pub struct Discord {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    application: ApplicationId,
    pace: Pace,
    api: Api,
    identity: OnceCell<Identity>,
    live: Arc<AtomicBool>,
    shared: Arc<Shared>,
    /// There while somebody listens: forms ask it what there is to pick.
    inbox: Mutex<Option<Arc<dyn Inbox>>>,
    caches: Caches,
    told: Told,
}

impl Discord {
    /// Checks the settings and talks to nobody yet: calls work as soon as Discord does.
    ///
    /// # Errors
    /// Settings that can never work.
    pub fn new(settings: Settings) -> Result<Self, ConnectError> {
        Discord::with_pace(settings, Pace::default())
    }

    /// As [`Discord::new`].
    ///
    /// # Errors
    /// Settings that can never work.
    pub fn with_pace(mut settings: Settings, pace: Pace) -> Result<Self, ConnectError> {
        let refuse = |text: String| Err(ConnectError(text));
        while settings.api_url.ends_with('/') {
            settings.api_url.pop();
        }
        let web = settings.api_url.starts_with("https://") || settings.api_url.starts_with("http://");
        if !web || settings.api_url.parse::<reqwest::Url>().is_err() {
            return refuse(format!("`[discord] api_url` is not an address: use `{API_URL}`"));
        }
        let Some(application) = snowflake(&settings.application_id) else {
            return refuse(
                "`[discord] application_id` is not an id: copy the number from the application's page, General Information"
                    .into(),
            );
        };
        let command = &settings.command;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if !(1..=32).contains(&command.len()) || !command.bytes().all(plain) {
            return refuse(format!("`[discord] command` is `{command}`: write it like `/runbook`"));
        }
        let token = settings.bot_token.reveal();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return refuse(
                "`[discord] bot_token` is not a token: copy it from the application's page, Bot, Reset Token".into(),
            );
        }
        // The program installs one first thing; this only serves who uses the adapter alone.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let api = Api::new(&settings.api_url, &settings.bot_token, pace.call).map_err(ConnectError)?;
        let inner = Inner {
            application: ApplicationId::new(application),
            settings,
            pace,
            api,
            identity: OnceCell::new(),
            live: Arc::default(),
            shared: Arc::default(),
            inbox: Mutex::default(),
            caches: Caches::default(),
            told: Told::default(),
        };
        Ok(Discord { inner: Arc::new(inner) })
    }

    /// Who the bot is, once Discord has told.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.inner.identity.get()
    }

    /// The gateway is open and the session ready.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.inner.live.load(Ordering::Relaxed)
    }

    /// Asks Discord who the bot is and tells it the commands, for as long as it takes.
    ///
    /// # Errors
    /// Where trying again cannot help.
    pub async fn introduce(&self) -> Result<&Identity, ConnectError> {
        let pace = &self.inner.pace;
        let mut wait = pace.backoff_first;
        loop {
            let mut told = Duration::ZERO;
            let tried = match self.inner.whoami().await {
                Ok(me) => self.inner.register().await.map(|()| me),
                Err(error) => Err(error),
            };
            let cause = match tried {
                Ok(me) => return Ok(me),
                // A proxy's error page, perhaps, which may be gone in a minute.
                Err(CallError::Alien(cause)) => cause,
                Err(error) => match error.into_chat("say who the bot is and which commands it has") {
                    ChatError::Refused(sentence) => return Err(ConnectError(sentence)),
                    ChatError::NotSaid { cause, retry_after } => {
                        told = retry_after.unwrap_or_default();
                        cause
                    }
                    ChatError::Unknown(cause) => cause,
                },
            };
            tracing::warn!(
                "discord does not answer: {cause}. Trying again in {:.1} s; if it lasts, check this host's way to `{}` (DNS, \
                 firewall, TLS) and `[discord] api_url`",
                wait.as_secs_f64(),
                self.inner.settings.api_url
            );
            sleep(wait.mul_f64(rand::random_range(0.5..=1.0)).max(told)).await;
            wait = (wait * 2).min(pace.backoff_max);
        }
    }

    /// Gives everything that people do to `inbox`, until `stop` is over. Discord may be down when it starts or go down
    /// meanwhile.
    ///
    /// # Errors
    /// Ends early, with the reason, only where trying again cannot help.
    pub async fn listen(&self, inbox: Arc<dyn Inbox>, stop: impl Future<Output = ()> + Send) -> Result<(), Alarm> {
        tokio::pin!(stop);
        let me = tokio::select! {
            me = self.introduce() => me.map_err(|e| Alarm(e.0))?.clone(),
            () = &mut stop => return Ok(()),
        };
        let inner = &self.inner;
        *inner.inbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&inbox));
        let intake = Arc::new(Intake {
            inbox,
            front: Arc::clone(inner) as _,
            shared: Arc::clone(&inner.shared),
            bot: me.bot_user,
            command: inner.settings.command.clone(),
            watchdog: inner.pace.watchdog,
            forms: inner.pace.forms,
            seen: Seen::default(),
        });
        let tasks = Arc::new(Tasks::new(intake));
        let opener = Arc::clone(inner) as Arc<dyn Opener>;
        let result =
            gateway::keep(opener, Arc::clone(&tasks) as _, inner.pace.clone(), Arc::clone(&inner.live), stop).await;
        tasks.finish(DRAIN).await;
        // It holds us, so it must not be held for ever.
        *inner.inbox.lock().unwrap_or_else(PoisonError::into_inner) = None;
        result
    }
}

#[derive(Deserialize)]
struct Me {
    id: String,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Application {
    id: String,
}

#[derive(Deserialize)]
struct Gateway {
    url: String,
    #[serde(default)]
    session_start_limit: Option<StartLimit>,
}

#[derive(Deserialize)]
struct StartLimit {
    remaining: u64,
    /// Milliseconds.
    reset_after: u64,
}

impl Inner {
    async fn whoami(&self) -> Result<&Identity, CallError> {
        self.identity
            .get_or_try_init(|| async {
                let call = Call::new("get_application", LightMethod::Get, Route::Oauth2ApplicationCurrent);
                let application: Application = self.api.call(call, PATIENCE).await?;
                if application.id != self.settings.application_id {
                    return Err(CallError::Code { status: 403, code: 20012, said: String::new() });
                }
                let call = Call::new("get_me", LightMethod::Get, Route::UserMe);
                let me: Me = self.api.call(call, PATIENCE).await?;
                tracing::info!(bot = %me.id, "discord knows the bot");
                Ok(Identity { name: me.username.unwrap_or_else(|| me.id.clone()), bot_user: me.id })
            })
            .await
    }

    /// As [`Inner::whoami`], for those who cannot go on without it.
    async fn introduced(&self) -> Result<&Identity, ChatError> {
        self.whoami().await.map_err(|error| error.into_chat("say who the bot is"))
    }

    /// Tells Discord the commands, where it has others.
    async fn register(&self) -> Result<(), CallError> {
        let route = || Route::Commands { application_id: self.application };
        let ours: Vec<Value> = commands::all(&self.settings.command)
            .iter()
            .map(|command| serde_json::to_value(command).unwrap_or_default())
            .collect();
        let known: Vec<Value> = self.api.call(Call::new("get_commands", LightMethod::Get, route()), PATIENCE).await?;
        if commands::same_set(&ours, &known) {
            return Ok(());
        }
        tracing::info!(command = %self.settings.command, "discord is told the commands");
        let call = Call::new("put_commands", LightMethod::Put, route()).body(&Value::Array(ours));
        self.api.call::<Nothing>(call, PATIENCE).await.map(drop)
    }
}

#[async_trait]
impl Opener for Inner {
    async fn open(&self) -> Result<String, OpenError> {
        let call = Call::new("get_gateway", LightMethod::Get, Route::GatewayBot);
        match self.api.call::<Gateway>(call, PATIENCE).await {
            Ok(Gateway { session_start_limit: Some(StartLimit { remaining: 0, reset_after }), .. }) => {
                Err(OpenError::Later {
                    cause: "Discord allows no more new sessions today".into(),
                    wait: Some(Duration::from_millis(reset_after)),
                })
            }
            Ok(gateway) => Ok(gateway.url),
            Err(error @ CallError::Code { status: 401, .. }) => {
                Err(OpenError::Never(Alarm(error.into_sentence("open the gateway"))))
            }
            Err(CallError::Limited(wait)) => {
                Err(OpenError::Later { cause: "Discord asks us to slow down".into(), wait: Some(wait) })
            }
            Err(error) => Err(OpenError::Later { cause: error.into_sentence("open the gateway"), wait: None }),
        }
    }

    fn token(&self) -> &str {
        self.settings.bot_token.reveal()
    }

    fn encrypted(&self) -> bool {
        self.settings.api_url.starts_with("https://")
    }
}
