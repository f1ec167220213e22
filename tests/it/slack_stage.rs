//! The Slack adapter on the simulated workspace, with an inbox that does what a test tells it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use async_trait::async_trait;
use muster::adapters::slack::{Alarm, Pace, Settings, Slack};
use muster::domain::{ChatPlatform, Place, Principal, RunId, Secret};
use muster::message::{Block, Button, Card, Span, Style, Suggestions, Tone, Verb};
use muster::playground::slack::faults::Plant;
use muster::playground::slack::server::{Options, Server};
use muster::playground::slack::workspace::Workspace;
use muster::playground::slack::{acts, forms};
use muster::ports::{Ack, Completing, Delivery, Inbox, InboxError, Search};
use serde_json::{Map, Value};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

pub const SOON: Duration = Duration::from_secs(20);

/// An inbox that remembers what it got and answers as told; `Ack::Plain` when nothing was told.
pub struct Book {
    pub deliveries: Mutex<Vec<Delivery>>,
    pub answers: Mutex<VecDeque<Result<Ack, InboxError>>>,
    pub takes: Mutex<Duration>,
    pub searches: Mutex<Vec<Search>>,
    pub completed: Mutex<Vec<Completing>>,
    /// What every search is answered with.
    pub offers: Mutex<Suggestions>,
    count: watch::Sender<usize>,
}

impl Default for Book {
    fn default() -> Self {
        Book {
            deliveries: Mutex::default(),
            answers: Mutex::default(),
            takes: Mutex::new(Duration::ZERO),
            searches: Mutex::default(),
            completed: Mutex::default(),
            offers: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }
}

#[async_trait]
impl Inbox for Book {
    async fn accept(&self, delivery: Delivery) -> Result<Ack, InboxError> {
        let takes = *self.takes.lock().unwrap();
        tokio::time::sleep(takes).await;
        let answer = self.answers.lock().unwrap().pop_front();
        self.deliveries.lock().unwrap().push(delivery);
        self.count.send_modify(|n| *n += 1);
        answer.unwrap_or(Ok(Ack::Plain))
    }
    async fn suggest(&self, search: Search) -> Suggestions {
        self.searches.lock().unwrap().push(search);
        self.offers.lock().unwrap().clone()
    }
    async fn complete(&self, completing: Completing) -> Suggestions {
        self.completed.lock().unwrap().push(completing);
        self.offers.lock().unwrap().clone()
    }
}

impl Book {
    /// The `n`th delivery, counted from 0, as soon as it is there.
    pub async fn nth(&self, n: usize) -> Delivery {
        let mut count = self.count.subscribe();
        tokio::time::timeout(SOON, count.wait_for(|have| *have > n)).await.expect("nothing was delivered").unwrap();
        self.deliveries.lock().unwrap()[n].clone()
    }
    pub fn keys(&self) -> Vec<String> {
        self.deliveries.lock().unwrap().iter().map(|d| d.key.clone()).collect()
    }
}

pub struct Stage {
    pub server: Server,
    pub slack: Slack,
    pub book: Arc<Book>,
    pub stop: Option<oneshot::Sender<()>>,
    pub listening: JoinHandle<Result<(), Alarm>>,
}

pub fn pace() -> Pace {
    Pace {
        settled: Duration::ZERO,
        backoff_first: Duration::from_millis(30),
        backoff_max: Duration::from_millis(200),
        ..Pace::default()
    }
}

pub fn crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

pub fn settings(api_url: &str) -> Settings {
    Settings {
        command: "/runbook".into(),
        api_url: api_url.into(),
        app_token: Secret::new("xapp-play"),
        bot_token: Secret::new("xoxb-play"),
    }
}

pub async fn stage() -> Stage {
    crypto();
    let server = Server::start(Options::default()).await.unwrap();
    let slack = Slack::with_pace(settings(&server.api_url), pace()).unwrap();
    listen(server, slack).await
}

/// Waits until both sockets are open.
pub async fn listen(server: Server, slack: Slack) -> Stage {
    let book = Arc::new(Book::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let (listener, inbox) = (slack.clone(), Arc::clone(&book) as Arc<dyn Inbox>);
    let listening = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        listener.listen(inbox, stop).await
    });
    let stage = Stage { server, slack, book, stop: Some(stop), listening };
    stage.until("both sockets are open", |w| w.hub.connections() == 2).await;
    stage
}

impl Stage {
    pub fn workspace(&self) -> &Arc<Workspace> {
        &self.server.workspace
    }
    pub async fn says(&self, who: &str, channel: &str, text: &str) -> Value {
        acts::say(self.workspace(), who, channel, text, None).await.unwrap()
    }
    pub async fn clicks(&self, who: &str, channel: &str, ts: &str, label: &str) -> Value {
        acts::click(self.workspace(), who, channel, ts, label, false).await.unwrap()
    }
    pub async fn submits(&self, who: &str, values: Value) -> Value {
        let values: Map<String, Value> = values.as_object().unwrap().clone();
        forms::submit(self.workspace(), who, &values, None).await.unwrap()
    }
    pub fn plant(&self, plant: Plant) {
        self.workspace().world().faults.plant(plant).unwrap();
    }
    pub fn calls(&self, method: &str) -> u64 {
        self.workspace().world().calls.get(method).copied().unwrap_or(0)
    }
    /// Polls the workspace until it is so.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Workspace) -> bool) {
        let deadline = tokio::time::Instant::now() + SOON;
        while !is_so(self.workspace()) {
            assert!(tokio::time::Instant::now() < deadline, "not so: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    /// What a person would read: every message of the workspace that fits, as its text and blocks.
    pub fn messages(&self, fits: impl Fn(&muster::playground::slack::message::Message) -> bool) -> Vec<String> {
        let world = self.workspace().world();
        world
            .messages
            .iter()
            .filter(|m| !m.deleted && fits(m))
            .map(|m| muster::playground::slack::text::body(&world, m).join("\n"))
            .collect()
    }
}

pub fn fault(name: &str) -> Plant {
    Plant { name: name.into(), ..Plant::default() }
}

pub fn place(channel: &str) -> Place {
    Place { platform: ChatPlatform::Slack, tenant: "T0MUSTER".into(), channel: channel.into(), thread: None }
}

pub fn in_thread(channel: &str, ts: &str) -> Place {
    Place { thread: Some(ts.into()), ..place(channel) }
}

pub fn person(user: &str) -> Principal {
    Principal::slack("T0MUSTER", user)
}

pub fn run() -> RunId {
    "01J9ZX0000000000000000AB7F".parse().unwrap()
}

pub fn button(verb: Verb, label: &str, style: Style) -> Button {
    Button { verb, label: label.into(), style, run: run(), revision: 7 }
}

pub fn card(title: &str) -> Card {
    Card {
        tone: Tone::Waiting,
        title: title.into(),
        blocks: vec![Block::Text(vec![Span::plain("48 nodes in "), Span::bold("3 accounts")])],
        buttons: vec![button(Verb::Approve, "Approve", Style::Primary), button(Verb::Deny, "Deny", Style::Danger)],
    }
}
