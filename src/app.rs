//! Wires everything: adapters into ports, ports into the engine. The only file that knows all.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::adapters::aws::{self, Aws};
use crate::adapters::clock::{SystemClock, UlidIds};
#[cfg(feature = "discord")]
use crate::adapters::discord::{self, Discord};
use crate::adapters::host;
use crate::adapters::router::Router;
use crate::adapters::slack::{self, Slack};
use crate::adapters::store::{FileOutputs, SledJournal};
use crate::domain::{ChatPlatform, Millis};
use crate::engine::limits::{Limits, Rate};
use crate::engine::{Engine, Ports, Settings};
use crate::ports::{Clock, Inbox};
use crate::{rules, telemetry};

/// Looks at runs that may come at once after a pause, in one account and region.
const BURST: u32 = 3;
/// Slack takes about one edit per second and channel; a card leaves room for other words.
const EDIT_EVERY: Duration = Duration::from_secs(2);
/// People look at a run that just ended.
const KEEP_SETTLED: Duration = Duration::from_secs(15 * 60);
/// A stop waits this long for what is being written.
const DRAIN: Duration = Duration::from_millis(200);
/// Platforms are left within this time: acknowledgements on their way have two seconds.
const HANG_UP_WITHIN: Duration = Duration::from_secs(3);

/// What the bot is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The slash command with its slash, the same on every platform.
    pub command: String,
    /// Slack, Discord, or both.
    pub slack: Option<slack::Settings>,
    #[cfg(feature = "discord")]
    pub discord: Option<discord::Settings>,
    pub aws: aws::Settings,
    pub store: PathBuf,
    pub rules: rules::Source,
    /// How often a run is looked at per second in one account and region, until AWS teaches better; other operations
    /// start at multiples of it.
    pub reads_per_second: f64,
    pub metrics: Option<SocketAddr>,
    /// Outputs of older runs are deleted.
    pub keep_outputs: Millis,
}

/// Runs the bot until `stop`, or until something ends it.
///
/// # Errors
/// One sentence with the remedy last: the store cannot be opened or has failed, or no chat platform is left that takes
/// the tokens.
pub async fn run(setup: Setup, stop: impl Future<Output = ()> + Send) -> Result<(), String> {
    // One TLS provider for everything; a second one in the tree would make rustls refuse to choose.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Some(listen) = setup.metrics {
        telemetry::metrics(listen)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let journal = Arc::new(SledJournal::open(&setup.store).map_err(|fault| fault.to_string())?);
    let outputs = Arc::new(FileOutputs::open(&setup.store).map_err(|fault| fault.to_string())?);

    let (rulebook, seen, faults) = rules::first(&setup.rules);
    for fault in &faults {
        tracing::error!("{fault}");
    }
    if !faults.is_empty() {
        tracing::error!(
            "the runbooks or policies are not valid: every run is denied until they are; `muster check` lists all faults"
        );
    }
    let rulebook = Arc::new(rulebook);
    let nudge = Arc::new(Notify::new());
    let keeper = tokio::spawn(rules::keep_current(setup.rules.clone(), rulebook.clone(), seen, nudge.clone()));
    let hangup = tokio::spawn(reload_on_hangup(nudge));

    // Chat may be down: what runs at AWS is watched all the same, and `listen` introduces itself when it can.
    let chat = Chats::new(&setup)?;
    let router = Arc::new(chat.router());
    let settings = Settings {
        command: setup.command.clone(),
        request_expiry: setup.aws.request_expiry.std(),
        edit_every: EDIT_EVERY,
        keep_settled: KEEP_SETTLED,
        keep_outputs: setup.keep_outputs.std(),
    };
    let limits = Arc::new(Limits::new(Rate { per_second: setup.reads_per_second, burst: BURST }));
    let aws = Arc::new(Aws::connect_paced(setup.aws, clock.clone(), limits.clone()).await);
    let ports = Ports {
        journal,
        outputs,
        cloud: aws.clone(),
        inventory: aws,
        chat: router.clone(),
        directory: router,
        clock,
        ids: Arc::new(UlidIds::default()),
    };
    let engine = Engine::start(ports, limits, rulebook, settings).await.map_err(|fault| fault.to_string())?;
    // Before chat: it is for the hour when that is down.
    let control = match host::Socket::bind(&setup.store).await {
        Ok(socket) => Some(tokio::spawn(socket.serve(Arc::new(engine.clone())))),
        Err(fault) => {
            tracing::error!("{fault}");
            None
        }
    };
    tracing::info!("muster is ready");

    let (stopped, stopping) = watch::channel(false);
    let mut listening = std::pin::pin!(chat.listen(&engine, &stopping));
    let result = tokio::select! {
        listened = &mut listening => listened,
        () = engine.failed() => Err("the store failed; repair the disk under `[paths] store` and start again".to_owned()),
        () = stop => {
            engine.stop();
            let _ = stopped.send(true);
            // What was heard is acknowledged, and what is being written is finished.
            let heard = tokio::time::timeout(HANG_UP_WITHIN, listening);
            let _ = tokio::join!(tokio::time::sleep(DRAIN), heard);
            Ok(())
        }
    };
    if let Some(control) = control {
        control.abort();
    }
    keeper.abort();
    hangup.abort();
    result
}

/// The chat platforms that are configured.
struct Chats {
    slack: Option<Slack>,
    #[cfg(feature = "discord")]
    discord: Option<Discord>,
}

impl Chats {
    fn new(setup: &Setup) -> Result<Self, String> {
        let slack = setup.slack.clone().map(Slack::new).transpose().map_err(|fault| fault.to_string())?;
        #[cfg(feature = "discord")]
        let discord = setup.discord.clone().map(Discord::new).transpose().map_err(|fault| fault.to_string())?;
        Ok(Chats {
            slack,
            #[cfg(feature = "discord")]
            discord,
        })
    }

    fn router(&self) -> Router {
        let mut router = Router::default();
        if let Some(slack) = &self.slack {
            router = router.with(ChatPlatform::Slack, Arc::new(slack.clone()));
        }
        #[cfg(feature = "discord")]
        if let Some(discord) = &self.discord {
            router = router.with(ChatPlatform::Discord, Arc::new(discord.clone()));
        }
        router
    }

    /// Listens everywhere until it is stopped. One platform that has ended for good does not take the others along; the
    /// reason of the first is told when the last has ended.
    async fn listen(self, engine: &Engine, stopping: &watch::Receiver<bool>) -> Result<(), String> {
        let inbox: Arc<dyn Inbox> = Arc::new(engine.clone());
        let stop = || {
            let mut stopping = stopping.clone();
            async move {
                // The sender outlives every listener.
                let _ = stopping.wait_for(|stopped| *stopped).await;
            }
        };
        let mut listeners: JoinSet<Result<(), String>> = JoinSet::new();
        if let Some(slack) = self.slack {
            let (inbox, stop) = (inbox.clone(), stop());
            listeners.spawn(async move { slack.listen(inbox, stop).await.map_err(|alarm| alarm.to_string()) });
        }
        #[cfg(feature = "discord")]
        if let Some(discord) = self.discord {
            let (inbox, stop) = (inbox.clone(), stop());
            listeners.spawn(async move { discord.listen(inbox, stop).await.map_err(|alarm| alarm.to_string()) });
        }
        let mut first = Ok(());
        while let Some(ended) = listeners.join_next().await {
            let ended = ended.unwrap_or_else(|fault| Err(format!("a chat listener broke off: {fault}; start again")));
            if let Err(alarm) = &ended
                && !listeners.is_empty()
            {
                tracing::error!(alarm, "one chat platform has ended for good; the other goes on");
            }
            if first.is_ok() {
                first = ended;
            }
        }
        first
    }
}

async fn reload_on_hangup(nudge: Arc<Notify>) {
    let Ok(mut hangups) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        nudge.notify_one();
    }
}

/// Returns at an interrupt or a request to terminate.
pub async fn interrupted() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
