//! An engine between a chat and a cloud that do what the test tells them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muster::adapters::clock::{SystemClock, UlidIds};
use muster::adapters::store::{MemoryJournal, MemoryOutputs};
use muster::domain::{
    Account, AccountId, AccountSource, ChatPlatform, CommandId, GroupRef, MessageRef, Node, NodeId, NodePlatform,
    Place, Principal, Region, RunId, Target, Timestamp, Unread,
};
use muster::engine::limits::{Limits, Rate};
use muster::engine::rulebook::{Rulebook, Rules};
use muster::engine::{Engine, Ports, Settings};
use muster::message::{Button, Card, Form, Home};
use muster::ports::{
    Actor, Channel, Chat, ChatError, Clock, Cloud, CloudError, CommandStatus, Commit, CommitError, Delivery, Directory,
    DirectoryError, Inbound, Inbox, InboxRow, Inventory, Invocation, InvocationStatus, Journal, JournalError, Profile,
    RegionRead, Reply, SendError, SendRequest, SendSession, Service, StoredEvent, StoredFact,
};
use muster::run::{Event, Fact};
use muster::{rules, shipped};
use tokio::sync::Notify;
use tokio::time::Instant;

pub const DAY: Duration = Duration::from_secs(86_400);
const TENANT: &str = "T0MUSTER";
/// A channel that the bot cannot see.
pub const HIDDEN: &str = "C0HIDDEN";
pub const SUSAN: &str = "U0SUSAN";
/// Of sre.
pub const ARNE: &str = "U0ARNE";
/// Of no group.
pub const OMAR: &str = "U0OMAR";

/// One thing that was said, in order.
#[derive(Debug, Clone)]
pub enum Said {
    Post {
        key: String,
        card: Card,
    },
    /// The id of the message is the key that it was posted with.
    Edit {
        id: String,
        card: Card,
    },
    Whisper(Card),
}

/// Remembers everything that is said.
#[derive(Default)]
pub struct FakeChat {
    said: Mutex<Vec<Said>>,
    news: Notify,
    /// What the next edits answer, before they answer `Ok`.
    pub edit_faults: Mutex<VecDeque<ChatError>>,
    /// The same of posts. Where it is unknown, the message was posted.
    pub post_faults: Mutex<VecDeque<ChatError>>,
    editing: Mutex<BTreeMap<String, u32>>,
    /// Texts of the files.
    pub uploads: Mutex<Vec<String>>,
    /// Two edits of one message were under way at once.
    pub crossed: AtomicBool,
}

impl FakeChat {
    fn say(&self, said: Said) {
        self.said.lock().unwrap().push(said);
        self.news.notify_waiters();
    }
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap().clone()
    }
    /// Waits until `found` finds something in all that was said.
    pub async fn until<T>(&self, what: &str, found: impl Fn(&[Said]) -> Option<T>) -> T {
        let looking = async {
            loop {
                let news = self.news.notified();
                let mut news = std::pin::pin!(news);
                news.as_mut().enable();
                if let Some(found) = found(&self.said()) {
                    return found;
                }
                news.await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(30), looking).await {
            Ok(found) => found,
            Err(_) => panic!("{what} was never said; this was: {:#?}", self.titles()),
        }
    }
    pub fn titles(&self) -> Vec<String> {
        let title = |said: &Said| match said {
            Said::Post { key, card } => format!("post {}: {}", name(key), card.title),
            Said::Edit { id, card } => format!("edit {}: {}", name(id), card.title),
            Said::Whisper(card) => format!("whisper: {}", card.title),
        };
        self.said().iter().map(title).collect()
    }
}

/// The key of a message without the id of its run.
pub fn name(key: &str) -> &str {
    key.split_once(':').map_or(key, |(_, name)| name)
}

#[async_trait]
impl Chat for FakeChat {
    async fn post(&self, place: &Place, card: &Card, key: &str) -> Result<MessageRef, ChatError> {
        let fault = self.post_faults.lock().unwrap().pop_front();
        if let Some(fault @ (ChatError::Refused(_) | ChatError::NotSaid { .. })) = fault {
            return Err(fault);
        }
        self.say(Said::Post { key: key.to_owned(), card: card.clone() });
        if let Some(fault) = fault {
            return Err(fault);
        }
        Ok(MessageRef {
            platform: ChatPlatform::Slack,
            channel: place.channel.clone(),
            id: key.to_owned(),
            tenant: None,
        })
    }
    async fn find(&self, place: &Place, key: &str) -> Result<Option<MessageRef>, ChatError> {
        let there = self.said().iter().any(|s| matches!(s, Said::Post { key: k, .. } if k == key));
        let message = MessageRef {
            platform: ChatPlatform::Slack,
            channel: place.channel.clone(),
            id: key.to_owned(),
            tenant: None,
        };
        Ok(there.then_some(message))
    }
    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), ChatError> {
        *self.editing.lock().unwrap().entry(message.id.clone()).or_default() += 1;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let mut editing = self.editing.lock().unwrap();
        let at_once = editing.get_mut(&message.id).unwrap();
        if *at_once > 1 {
            self.crossed.store(true, Ordering::Relaxed);
        }
        *at_once -= 1;
        drop(editing);
        if let Some(fault) = self.edit_faults.lock().unwrap().pop_front() {
            return Err(fault);
        }
        self.say(Said::Edit { id: message.id.clone(), card: card.clone() });
        Ok(())
    }
    async fn whisper(&self, _: &Reply, card: &Card) -> Result<(), ChatError> {
        self.say(Said::Whisper(card.clone()));
        Ok(())
    }
    async fn open_form(&self, _: &Reply, _: &Form) -> Result<String, ChatError> {
        Ok("V1".into())
    }
    async fn update_form(&self, _: &Reply, _: &str, _: &Form) -> Result<(), ChatError> {
        Ok(())
    }
    async fn show_home(&self, _: &Principal, _: &Home) -> Result<(), ChatError> {
        Ok(())
    }
    async fn link(&self, message: &MessageRef) -> Result<String, ChatError> {
        Ok(format!("https://chat.example/{}/{}", message.channel, message.id))
    }
    async fn upload(&self, _: &Place, _: &str, _: &str, text: &str, _: &str) -> Result<(), ChatError> {
        self.uploads.lock().unwrap().push(text.to_owned());
        Ok(())
    }
    async fn direct(&self, person: &Principal) -> Result<Place, ChatError> {
        Ok(place(&format!("D{}", person.user)))
    }
}

#[derive(Default)]
pub struct FakeDirectory {
    /// Before it is told who is in a group.
    pub members: Gate,
    /// Who is in no group any more.
    pub left: Mutex<BTreeSet<String>>,
    /// Who is a guest of the workspace.
    pub guests: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Directory for FakeDirectory {
    async fn members(&self, group: &GroupRef) -> Result<Vec<Principal>, DirectoryError> {
        self.members.pass().await;
        let mut members = match group.group.as_str() {
            "S0SUPPORT" => vec![Principal::slack(TENANT, SUSAN)],
            "S0SRE" => vec![Principal::slack(TENANT, ARNE)],
            _ => vec![],
        };
        let left = self.left.lock().unwrap();
        members.retain(|member| !left.contains(&member.user));
        Ok(members)
    }
    async fn profile(&self, person: &Principal) -> Result<Profile, DirectoryError> {
        let is_guest = self.guests.lock().unwrap().contains(&person.user);
        Ok(Profile { is_guest, ..Profile::default() })
    }
    async fn channel(&self, place: &Place) -> Result<Channel, DirectoryError> {
        Ok(Channel { member: place.channel != HIDDEN, shared: false })
    }
}

/// How a node ends: status, exit code, output, and whether the output is cut.
pub type Ending = Box<dyn Fn(&NodeId) -> (InvocationStatus, i32, String, bool) + Send>;
/// Whoever comes to it while it is shut waits until it is opened.
#[derive(Default)]
pub struct Gate {
    shut: AtomicBool,
    news: Notify,
    /// How many have come.
    pub came: AtomicU32,
}

impl Gate {
    pub fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }
    pub fn open(&self) {
        self.shut.store(false, Ordering::SeqCst);
        self.news.notify_waiters();
    }
    async fn pass(&self) {
        self.came.fetch_add(1, Ordering::SeqCst);
        loop {
            let news = self.news.notified();
            let mut news = std::pin::pin!(news);
            news.as_mut().enable();
            if !self.shut.load(Ordering::SeqCst) {
                return;
            }
            news.await;
        }
    }
}

/// Takes every command; its nodes end when the test lets them.
#[derive(Default)]
pub struct FakeCloud {
    pub let_end: AtomicBool,
    /// The nodes are there no more.
    pub gone: AtomicBool,
    /// How they end, where not well.
    pub ending: Mutex<Option<Ending>>,
    /// Outputs that can be read whole, and whether they are still cut.
    pub whole: Mutex<BTreeMap<NodeId, (String, bool)>>,
    /// What is in the account's bucket; it has one where this is not empty.
    pub objects: Mutex<BTreeMap<NodeId, String>>,
    pub account_reads: AtomicU32,
    /// Before an object is given.
    pub uploading: Gate,
    /// Before a region's nodes are told.
    pub reading: Gate,
    /// Before a sending session is open.
    pub opening: Gate,
    /// For whom sessions were opened.
    pub opened: Mutex<BTreeSet<String>>,
    /// How many sends were made.
    pub sends: AtomicU32,
    /// Of the next request it makes two commands, and the answer is lost.
    pub takes_twice: AtomicBool,
    /// What it lists to whoever looks for a token.
    listed: Mutex<Vec<CommandStatus>>,
    /// In the order in which they were cancelled.
    pub cancelled: Mutex<Vec<CommandId>>,
    /// Accounts have left the configuration.
    pub no_accounts: AtomicBool,
    commands: Mutex<BTreeMap<CommandId, Vec<NodeId>>>,
}

fn account() -> Account {
    Account {
        id: "222222222222".parse().unwrap(),
        name: "acme-staging".into(),
        regions: vec!["eu-west-1".parse().unwrap()],
        labels: BTreeMap::from([("env".to_owned(), "staging".to_owned())]),
        source: AccountSource::Configured,
    }
}

#[async_trait]
impl Inventory for FakeCloud {
    async fn accounts(&self) -> (Vec<Account>, Vec<Unread>) {
        self.account_reads.fetch_add(1, Ordering::Relaxed);
        let accounts = if self.no_accounts.load(Ordering::Relaxed) { vec![] } else { vec![account()] };
        (accounts, vec![])
    }
    async fn read(&self, account: &AccountId, region: &Region) -> Result<RegionRead, CloudError> {
        self.reading.pass().await;
        let node = |n: u32| Node {
            target: Target {
                account: account.clone(),
                region: region.clone(),
                node: format!("i-{n:017x}").parse().unwrap(),
            },
            name: format!("web-{n}"),
            platform: NodePlatform::Linux,
            agent_version: "3.3.2746.0".into(),
            attributes: BTreeMap::new(),
            online: true,
            tags: BTreeMap::new(),
        };
        let nodes = if self.gone.load(Ordering::Relaxed) { 0 } else { 2 };
        Ok(RegionRead { nodes: (1..=nodes).map(node).collect(), ..RegionRead::default() })
    }
}

#[async_trait]
impl Cloud for FakeCloud {
    async fn open(&self, session: &SendSession) -> Result<(), CloudError> {
        self.opened.lock().unwrap().insert(session.identity.clone());
        self.opening.pass().await;
        Ok(())
    }
    fn aws_now(&self) -> Timestamp {
        SystemClock.now()
    }
    async fn send(&self, request: &SendRequest) -> Result<CommandId, SendError> {
        self.sends.fetch_add(1, Ordering::SeqCst);
        let mut commands = self.commands.lock().unwrap();
        let mut take = || {
            let id: CommandId = format!("00000000-0000-0000-0000-{:012}", commands.len() + 1).parse().unwrap();
            commands.insert(id.clone(), request.nodes.clone());
            id
        };
        let first = take();
        if !self.takes_twice.swap(false, Ordering::SeqCst) {
            return Ok(first);
        }
        let target_count = u32::try_from(request.nodes.len()).unwrap();
        let listed = |id: CommandId, later: Duration| CommandStatus {
            id,
            token: request.token.clone(),
            requested_at: request.signing.at + later,
            terminal: false,
            details: "InProgress".into(),
            target_count,
            completed_count: 0,
        };
        // AWS lists the newest first.
        let both = [listed(take(), Duration::from_secs(1)), listed(first, Duration::ZERO)];
        *self.listed.lock().unwrap() = both.to_vec();
        Err(SendError::Unknown("the connection was reset".into()))
    }
    async fn commands(
        &self,
        _: &AccountId,
        _: &Region,
        _: Timestamp,
        tokens: &[String],
        _: &[CommandId],
    ) -> Result<Vec<CommandStatus>, CloudError> {
        let listed = self.listed.lock().unwrap();
        Ok(listed.iter().filter(|command| tokens.contains(&command.token)).cloned().collect())
    }
    async fn started(&self, _: &SendRequest) -> Result<Vec<CommandId>, CloudError> {
        Ok(vec![])
    }
    async fn invocations(
        &self,
        _: &AccountId,
        _: &Region,
        _: Service,
        command: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        let ended = self.let_end.load(Ordering::Relaxed);
        let ending = self.ending.lock().unwrap();
        let end = |node: &NodeId| match &*ending {
            _ if !ended => (InvocationStatus::Running, -1, String::new(), false),
            Some(end) => end(node),
            None => (InvocationStatus::Success, 0, "fullest: 41% on /\n".into(), false),
        };
        let invocation = |node: &NodeId| {
            let (status, code, output, cut) = end(node);
            let (node, details) = (node.clone(), String::new());
            let objects = if self.objects.lock().unwrap().is_empty() { vec![] } else { vec!["stdout".to_owned()] };
            let exit_code = ended.then_some(code);
            Invocation { node, execution: None, status, details, exit_code, output, cut, objects }
        };
        Ok(self.commands.lock().unwrap()[command].iter().map(invocation).collect())
    }
    async fn output(
        &self,
        _: &AccountId,
        _: &Region,
        _: Service,
        _: &CommandId,
        node: &NodeId,
    ) -> Result<(String, bool), CloudError> {
        let whole = self.whole.lock().unwrap();
        whole.get(node).cloned().ok_or_else(|| CloudError::Refused("nothing is kept".into()))
    }
    async fn uploaded(&self, _: &AccountId, invocation: &Invocation) -> Option<(String, bool)> {
        self.uploading.pass().await;
        self.objects.lock().unwrap().get(&invocation.node).map(|text| (text.clone(), false))
    }
    async fn known_nodes(
        &self,
        _: &AccountId,
        _: &Region,
        nodes: &[NodeId],
    ) -> Result<BTreeMap<NodeId, bool>, CloudError> {
        Ok(nodes.iter().map(|n| (n.clone(), true)).collect())
    }
    async fn cancel(
        &self,
        _: &AccountId,
        _: &Region,
        _: Service,
        command: &CommandId,
        _: &[NodeId],
    ) -> Result<(), CloudError> {
        self.cancelled.lock().unwrap().push(command.clone());
        Ok(())
    }
}

/// One commit, as the journal took it.
#[derive(Debug, Clone)]
pub struct Committed {
    pub at: Instant,
    pub events: Vec<Event>,
    pub facts: Vec<Fact>,
}

/// A journal in memory that remembers in which order it took things.
pub struct Recorder {
    inner: MemoryJournal,
    /// It takes its time, as a disk does.
    pub slow: AtomicBool,
    /// Between an intent that is durable and the word that it is.
    pub intents: Gate,
    pub taken: tokio::sync::Mutex<Vec<Committed>>,
}

#[async_trait]
impl Journal for Recorder {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        // Held, so that the order is exact.
        let mut taken = self.taken.lock().await;
        for _ in 0..if self.slow.load(Ordering::Relaxed) { 10 } else { 0 } {
            tokio::task::yield_now().await;
        }
        self.inner.commit(commit.clone()).await?;
        let events = commit.events.map(|(_, _, events)| events).unwrap_or_default();
        let facts = commit.facts.map(|(_, facts)| facts).unwrap_or_default();
        let has_intent = events.iter().any(|e| matches!(e, Event::SendIntent { .. }));
        taken.push(Committed { at: Instant::now(), events, facts });
        drop(taken);
        if has_intent {
            self.intents.pass().await;
        }
        Ok(())
    }
    async fn load(&self, run: RunId) -> Result<Vec<StoredEvent>, JournalError> {
        self.inner.load(run).await
    }
    async fn facts(&self) -> Result<Vec<StoredFact>, JournalError> {
        self.inner.facts().await
    }
    async fn runs(&self) -> Result<Vec<RunId>, JournalError> {
        self.inner.runs().await
    }
    async fn unanswered(&self) -> Result<Vec<InboxRow>, JournalError> {
        self.inner.unanswered().await
    }
    fn token_key(&self) -> [u8; 32] {
        self.inner.token_key()
    }
}

/// The system's clock, which the test can set forward.
#[derive(Default)]
pub struct FakeClock {
    ahead_secs: AtomicU32,
}

impl FakeClock {
    pub fn forward(&self, by: Duration) {
        self.ahead_secs.fetch_add(by.as_secs().try_into().unwrap(), Ordering::Relaxed);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + Duration::from_secs(self.ahead_secs.load(Ordering::Relaxed).into())
    }
}

/// What outlives an engine, as disk, chat and AWS do.
pub struct World {
    pub chat: Arc<FakeChat>,
    pub cloud: Arc<FakeCloud>,
    pub journal: Arc<Recorder>,
    pub outputs: Arc<MemoryOutputs>,
    pub clock: Arc<FakeClock>,
    pub directory: Arc<FakeDirectory>,
    /// Of the engine that was started last.
    pub rulebook: Mutex<Option<Arc<Rulebook>>>,
    deliveries: AtomicU32,
}

pub fn world() -> World {
    World {
        chat: Arc::default(),
        cloud: Arc::default(),
        journal: Arc::new(Recorder {
            inner: MemoryJournal::with_token_key([7; 32]),
            slow: AtomicBool::new(false),
            intents: Gate::default(),
            taken: Default::default(),
        }),
        outputs: Arc::default(),
        clock: Arc::default(),
        directory: Arc::default(),
        rulebook: Mutex::default(),
        deliveries: AtomicU32::new(0),
    }
}

pub fn settings() -> Settings {
    Settings {
        command: "/runbook".into(),
        request_expiry: Duration::from_secs(2),
        edit_every: Duration::from_millis(20),
        keep_settled: Duration::from_secs(600),
        keep_outputs: DAY * 90,
    }
}

fn changed(change: impl Fn(&str, String) -> String) -> Rules {
    let owned = |files: &[(&str, &str)]| files.iter().map(|(n, t)| ((*n).into(), change(n, (*t).to_owned()))).collect();
    // Without what the shipped rules must go on saying, for they are changed on purpose.
    rules::check(&owned(shipped::RUNBOOKS), &owned(&shipped::POLICIES[..1])).unwrap()
}

impl World {
    /// An engine with the shipped runbooks and policy; a second one is what a restart is.
    pub async fn engine(&self, settings: Settings) -> Engine {
        self.engine_with(settings, |_, text| text).await
    }

    /// The same over files that the test has changed, by name and text.
    pub async fn engine_with(&self, settings: Settings, change: impl Fn(&str, String) -> String) -> Engine {
        let rulebook = Arc::new(Rulebook::new(changed(change)));
        *self.rulebook.lock().unwrap() = Some(rulebook.clone());
        let ports = Ports {
            journal: self.journal.clone(),
            outputs: self.outputs.clone(),
            cloud: self.cloud.clone(),
            inventory: self.cloud.clone(),
            chat: self.chat.clone(),
            directory: self.directory.clone(),
            clock: self.clock.clone(),
            ids: Arc::new(UlidIds::default()),
        };
        let limits = Arc::new(Limits::new(Rate { per_second: 1000.0, burst: 100 }));
        Engine::start(ports, limits, rulebook, settings).await.unwrap()
    }

    /// Somebody changes the files while the engine runs.
    pub fn swaps(&self, change: impl Fn(&str, String) -> String) {
        self.rulebook.lock().unwrap().as_ref().expect("an engine").swap(changed(change));
    }

    /// What susan types in #ops.
    pub async fn types(&self, engine: &Engine, text: &str) {
        self.types_in("C0OPS", engine, text).await;
    }

    pub async fn types_in(&self, channel: &str, engine: &Engine, text: &str) {
        self.types_as(SUSAN, channel, engine, text).await;
    }

    pub async fn types_as(&self, user: &str, channel: &str, engine: &Engine, text: &str) {
        self.delivers(user, channel, engine, Inbound::Command { text: text.to_owned() }).await;
    }

    /// Somebody presses a button in #ops.
    pub async fn clicks_as(&self, user: &str, engine: &Engine, button: &Button) {
        let Button { verb, run, revision, .. } = *button;
        self.delivers(user, "C0OPS", engine, Inbound::Click { verb, run, revision }).await;
    }

    async fn delivers(&self, user: &str, channel: &str, engine: &Engine, inbound: Inbound) {
        let key = format!("delivery-{}", self.deliveries.fetch_add(1, Ordering::Relaxed));
        let person = Principal::slack(TENANT, user);
        let delivery = Delivery {
            key,
            actor: Actor { principal: person.clone(), foreign: false },
            place: place(channel),
            inbound,
            reply: Reply { platform: ChatPlatform::Slack, place: place(channel), person, url: None, trigger: None },
        };
        engine.accept(delivery).await.unwrap();
    }

    /// Types it and waits for the answer that the person alone sees.
    pub async fn asks(&self, engine: &Engine, text: &str) -> String {
        self.asks_in("C0OPS", engine, text).await
    }

    pub async fn asks_in(&self, channel: &str, engine: &Engine, text: &str) -> String {
        self.asks_as(SUSAN, channel, engine, text).await
    }

    pub async fn asks_as(&self, user: &str, channel: &str, engine: &Engine, text: &str) -> String {
        let whispered = |said: &Said| match said {
            Said::Whisper(card) => Some(muster::message::text::render(card)),
            Said::Post { .. } | Said::Edit { .. } => None,
        };
        let before = self.chat.said().iter().filter_map(whispered).count();
        self.types_as(user, channel, engine, text).await;
        self.chat.until(text, |said| said.iter().filter_map(whispered).nth(before)).await
    }
}

fn place(channel: &str) -> Place {
    Place { platform: ChatPlatform::Slack, tenant: TENANT.into(), channel: channel.into(), thread: None }
}
