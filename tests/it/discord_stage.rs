//! The Discord adapter on the simulated guild, with an inbox that does what a test tells it.

use std::sync::Arc;
use std::time::Duration;

use muster::adapters::discord::{Alarm, Discord, Pace, Settings};
use muster::domain::{ChatPlatform, Place, Secret};
use muster::playground::discord::faults::Plant;
use muster::playground::discord::people::{OPS, SUSAN};
use muster::playground::discord::{APPLICATION, BOT_TOKEN, GUILD, Options, Server, acts, forms};
use muster::ports::Inbox;
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::slack_stage::{Book, SOON, crypto};

pub struct Stage {
    pub server: Server,
    pub discord: Discord,
    pub book: Arc<Book>,
    pub stop: Option<oneshot::Sender<()>>,
    pub listening: JoinHandle<Result<(), Alarm>>,
}

pub fn pace() -> Pace {
    Pace {
        settled: Duration::ZERO,
        backoff_first: Duration::from_millis(30),
        backoff_max: Duration::from_millis(200),
        renewal: Duration::from_millis(50),
        ..Pace::default()
    }
}

pub fn settings(api_url: &str) -> Settings {
    Settings {
        application_id: APPLICATION.into(),
        bot_token: Secret::new(BOT_TOKEN),
        command: "runbook".into(),
        api_url: api_url.into(),
    }
}

pub async fn stage() -> Stage {
    stage_with(Options::default(), pace()).await
}

pub async fn stage_with(options: Options, pace: Pace) -> Stage {
    crypto();
    let server = Server::start(options).await.unwrap();
    let discord = Discord::with_pace(settings(&server.base_url()), pace).unwrap();
    listen(server, discord).await
}

/// Waits until the gateway is open.
pub async fn listen(server: Server, discord: Discord) -> Stage {
    let book = Arc::new(Book::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let (listener, inbox) = (discord.clone(), Arc::clone(&book) as Arc<dyn Inbox>);
    let listening = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        listener.listen(inbox, stop).await
    });
    let stage = Stage { server, discord, book, stop: Some(stop), listening };
    stage.until("the gateway is open", || stage.discord.is_live()).await;
    stage
}

pub fn place(thread: Option<&str>) -> Place {
    Place {
        platform: ChatPlatform::Discord,
        tenant: GUILD.into(),
        channel: OPS.into(),
        thread: thread.map(str::to_owned),
    }
}

impl Stage {
    /// Looks again and again until it holds.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let looked = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        };
        tokio::time::timeout(SOON, looked).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    pub async fn types(&self, text: &str) -> Result<Value, String> {
        acts::say(&self.server.workspace, SUSAN, OPS, text, None).await
    }

    pub async fn presses(&self, message: &str, label: &str) -> Result<Value, String> {
        acts::click(&self.server.workspace, SUSAN, OPS, message, label, false).await
    }

    pub async fn fills(&self, values: Value) -> Result<Value, String> {
        let values: Map<String, Value> = values.as_object().cloned().unwrap_or_default();
        forms::submit(&self.server.workspace, SUSAN, &values, None).await
    }

    pub fn plant(&self, plant: Plant) {
        self.server.workspace.world().faults.plant(plant).unwrap();
    }

    /// What Susan sees and nobody else, oldest first: id and text.
    pub fn whispers(&self) -> Vec<(String, String)> {
        let world = self.server.workspace.world();
        let hers = world.messages.iter().filter(|m| m.only_for.as_deref() == Some(SUSAN) && !m.deleted && !m.by_client);
        hers.map(|m| (m.id.clone(), muster::playground::discord::text::body(&world, m).join("\n"))).collect()
    }

    /// What stands in a channel or thread for everybody, oldest first.
    pub fn said(&self, channel: &str) -> Vec<String> {
        let world = self.server.workspace.world();
        let there = world.messages.iter().filter(|m| m.channel == channel && m.only_for.is_none() && !m.deleted);
        there.map(|m| muster::playground::discord::text::message(&world, m)).collect()
    }
}
