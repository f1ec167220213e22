//! A large run does not starve the small ones beside it: on time that stands still while the engine works, and at the
//! limits that `app` gives it, every run takes at most twice as long among the others as it takes alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muster::adapters::store::{MemoryJournal, MemoryOutputs};
use muster::domain::{
    Account, AccountId, AccountSource, ChatPlatform, CommandId, GroupRef, MessageRef, Node, NodeId, NodePlatform,
    Place, Principal, Region, RunId, Target, Timestamp, Unread,
};
use muster::engine::limits::{Limits, Rate};
use muster::engine::rulebook::Rulebook;
use muster::engine::{Engine, Ports, Settings};
use muster::message::{Card, Form, Home};
use muster::ports::{
    Actor, Channel, Chat, ChatError, Clock, Cloud, CloudError, CommandStatus, Delivery, Directory, DirectoryError, Ids,
    Inbound, Inbox as _, Inventory, Invocation, InvocationStatus, Profile, RegionRead, Reply, SendError, SendRequest,
    SendSession, Service,
};
use muster::rules;
use tokio::sync::Notify;
use tokio::time::Instant;

const ACCOUNTS: u32 = 10;
const REGIONS: [&str; 4] = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];
/// Nodes of one account: 10,000 in all.
const NODES: u32 = 1_000;
/// Each over 100 nodes of one account.
const SMALL_RUNS: u32 = 20;
/// The large run is in full swing.
const HEAD_START: Duration = Duration::from_secs(10);
/// What every call takes.
const CALL: Duration = Duration::from_millis(80);

/// What `app` configures.
fn settings() -> Settings {
    Settings {
        command: "/runbook".into(),
        request_expiry: Duration::from_secs(300),
        edit_every: Duration::from_secs(2),
        keep_settled: Duration::from_secs(900),
        keep_outputs: Duration::from_secs(90 * 86_400),
    }
}
const RATE: Rate = Rate { per_second: 1.0, burst: 3 };

const SURVEY: &str = "version = 1
title = \"A survey\"
description = \"Looks at everything.\"
risk = \"read\"
owner = \"platform\"
[targets]
max = 20000
[[steps]]
name = \"look\"
shell = 'uptime'
";
const POLICY: &str = "version = 1
[groups]
ops = { users = [\"slack:T0MUSTER:U0ANA\"] }
[sets.all]
accounts = [\"*\"]
production = true
[[grant]]
id = \"ops-look\"
who = [\"ops\"]
run = { risk = [\"read\"] }
where = [\"all\"]
max_targets = 20000
";

/// Ten thousand machines, a chat and a clock.
struct World {
    regions: Vec<Region>,
    began: Instant,
    nodes: BTreeMap<(AccountId, Region), Vec<Node>>,
    commands: Mutex<BTreeMap<CommandId, (Instant, Vec<NodeId>)>>,
    ids: AtomicU64,
    /// When the last word of each run was said.
    over: Mutex<BTreeMap<RunId, Instant>>,
    news: Notify,
}

impl World {
    /// Each account has its nodes in so many regions.
    fn new(regions: usize) -> Self {
        let mut nodes: BTreeMap<(AccountId, Region), Vec<Node>> = BTreeMap::new();
        let regions: Vec<Region> = REGIONS[..regions].iter().map(|r| r.parse().unwrap()).collect();
        for (account, n) in (0..ACCOUNTS).flat_map(|a| (0..NODES).map(move |n| (a, n))) {
            let id: AccountId = format!("{:012}", account + 1).parse().unwrap();
            let region = regions[n as usize % regions.len()].clone();
            let node = {
                let number = account * NODES + n;
                let small = (n < 200).then(|| (n / 100) * ACCOUNTS + account);
                let slice = small.map(|run| ("slice".to_owned(), format!("s{run}")));
                Node {
                    target: Target {
                        account: id.clone(),
                        region: region.clone(),
                        node: format!("i-{number:017x}").parse().unwrap(),
                    },
                    name: format!("web-{number}"),
                    platform: NodePlatform::Linux,
                    agent_version: "3.3.2746.0".into(),
                    attributes: BTreeMap::new(),
                    online: true,
                    tags: slice.into_iter().collect(),
                }
            };
            nodes.entry((id, region)).or_default().push(node);
        }
        World {
            regions,
            began: Instant::now(),
            nodes,
            commands: Mutex::default(),
            ids: AtomicU64::new(0),
            over: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// The n-th run that is asked for.
    fn run(n: u64) -> RunId {
        RunId(ulid::Ulid::from_parts(1_800_000_000_000, n.into()))
    }

    async fn ended(&self, run: RunId) -> Instant {
        loop {
            let news = self.news.notified();
            if let Some(at) = self.over.lock().unwrap().get(&run) {
                return *at;
            }
            news.await;
        }
    }
}

/// How long a script takes on a node: 4 to 15 s.
fn takes(node: &NodeId) -> Duration {
    let last = node.as_str().bytes().map(u64::from).sum::<u64>();
    Duration::from_secs(4 + last % 12)
}

#[async_trait]
impl Inventory for World {
    async fn accounts(&self) -> (Vec<Account>, Vec<Unread>) {
        let account = |n: u32| Account {
            id: format!("{:012}", n + 1).parse().unwrap(),
            name: format!("acct-{n}"),
            regions: self.regions.clone(),
            labels: BTreeMap::new(),
            source: AccountSource::Configured,
        };
        ((0..ACCOUNTS).map(account).collect(), vec![])
    }
    async fn read(&self, account: &AccountId, region: &Region) -> Result<RegionRead, CloudError> {
        tokio::time::sleep(CALL).await;
        let nodes = self.nodes[&(account.clone(), region.clone())].clone();
        Ok(RegionRead { nodes, ..RegionRead::default() })
    }
}

#[async_trait]
impl Cloud for World {
    async fn open(&self, _: &SendSession) -> Result<(), CloudError> {
        Ok(())
    }
    fn aws_now(&self) -> Timestamp {
        self.now()
    }
    async fn send(&self, request: &SendRequest) -> Result<CommandId, SendError> {
        tokio::time::sleep(CALL).await;
        let mut commands = self.commands.lock().unwrap();
        let id: CommandId = format!("00000000-0000-0000-0000-{:012}", commands.len()).parse().unwrap();
        commands.insert(id.clone(), (Instant::now(), request.nodes.clone()));
        Ok(id)
    }
    async fn commands(
        &self,
        _: &AccountId,
        _: &Region,
        _: Timestamp,
        _: &[String],
        _: &[CommandId],
    ) -> Result<Vec<CommandStatus>, CloudError> {
        unreachable!("no answer is lost")
    }
    async fn started(&self, _: &SendRequest) -> Result<Vec<CommandId>, CloudError> {
        unreachable!("no runbook here is an automation")
    }
    async fn invocations(
        &self,
        _: &AccountId,
        _: &Region,
        _: Service,
        command: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        tokio::time::sleep(CALL).await;
        let (began, nodes) = self.commands.lock().unwrap()[command].clone();
        let invocation = |node: &NodeId| {
            let ended = began.elapsed() >= takes(node);
            Invocation {
                execution: None,
                node: node.clone(),
                status: if ended { InvocationStatus::Success } else { InvocationStatus::Running },
                details: String::new(),
                exit_code: ended.then_some(0),
                output: if ended { "up 3 days\n".into() } else { String::new() },
                cut: false,
                objects: Vec::new(),
            }
        };
        Ok(nodes.iter().map(invocation).collect())
    }
    async fn output(
        &self,
        _: &AccountId,
        _: &Region,
        _: Service,
        _: &CommandId,
        _: &NodeId,
    ) -> Result<(String, bool), CloudError> {
        unreachable!("nothing is cut")
    }
    async fn uploaded(&self, _: &AccountId, _: &Invocation) -> Option<(String, bool)> {
        None
    }
    async fn known_nodes(&self, _: &AccountId, _: &Region, _: &[NodeId]) -> Result<BTreeMap<NodeId, bool>, CloudError> {
        unreachable!("no node is gone")
    }
    async fn cancel(
        &self,
        _: &AccountId,
        _: &Region,
        _: Service,
        _: &CommandId,
        _: &[NodeId],
    ) -> Result<(), CloudError> {
        unreachable!("nothing is cancelled")
    }
}

#[async_trait]
impl Chat for World {
    async fn post(&self, place: &Place, _: &Card, key: &str) -> Result<MessageRef, ChatError> {
        tokio::time::sleep(CALL).await;
        if let Some(run) = key.strip_suffix(":closing") {
            self.over.lock().unwrap().insert(run.parse().unwrap(), Instant::now());
            self.news.notify_waiters();
        }
        Ok(MessageRef {
            platform: ChatPlatform::Slack,
            channel: place.channel.clone(),
            id: key.to_owned(),
            tenant: None,
        })
    }
    async fn find(&self, _: &Place, _: &str) -> Result<Option<MessageRef>, ChatError> {
        Ok(None)
    }
    async fn edit(&self, _: &MessageRef, _: &Card) -> Result<(), ChatError> {
        tokio::time::sleep(CALL).await;
        Ok(())
    }
    async fn whisper(&self, _: &Reply, card: &Card) -> Result<(), ChatError> {
        assert!(card.title.contains("looking at"), "{}", muster::message::to_text(card));
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
        Ok(format!("https://chat.example/{}", message.id))
    }
    async fn upload(&self, _: &Place, _: &str, _: &str, _: &str, _: &str) -> Result<(), ChatError> {
        tokio::time::sleep(CALL).await;
        Ok(())
    }
    async fn direct(&self, _: &Principal) -> Result<Place, ChatError> {
        Ok(place())
    }
}

#[async_trait]
impl Directory for World {
    async fn members(&self, _: &GroupRef) -> Result<Vec<Principal>, DirectoryError> {
        Ok(vec![])
    }
    async fn profile(&self, _: &Principal) -> Result<Profile, DirectoryError> {
        Ok(Profile::default())
    }
    async fn channel(&self, _: &Place) -> Result<Channel, DirectoryError> {
        Ok(Channel { member: true, shared: false })
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + self.began.elapsed()
    }
}

impl Ids for World {
    fn run_id(&self, _: Timestamp) -> RunId {
        World::run(self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

fn place() -> Place {
    Place { platform: ChatPlatform::Slack, tenant: "T0MUSTER".into(), channel: "C0OPS".into(), thread: None }
}

/// Asks for each of these after its wait, and tells how long each took from the command to its last word.
async fn times(regions: usize, asked: &[(Duration, String)]) -> Vec<Duration> {
    let world = Arc::new(World::new(regions));
    let files = |name: &str, text: &str| vec![(name.into(), text.to_owned())];
    let rules = rules::check(&files("survey.toml", SURVEY), &files("team.toml", POLICY)).unwrap();
    let ports = Ports {
        journal: Arc::new(MemoryJournal::with_token_key([7; 32])),
        outputs: Arc::new(MemoryOutputs::new()),
        cloud: world.clone(),
        inventory: world.clone(),
        chat: world.clone(),
        directory: world.clone(),
        clock: world.clone(),
        ids: world.clone(),
    };
    let limits = Arc::new(Limits::new(RATE));
    let engine = Engine::start(ports, limits, Arc::new(Rulebook::new(rules)), settings()).await.unwrap();
    let mut began = Vec::new();
    for ((wait, on), n) in asked.iter().zip(0u64..) {
        tokio::time::sleep(*wait).await;
        let person = Principal::slack("T0MUSTER", "U0ANA");
        let delivery = Delivery {
            key: format!("delivery-{n}"),
            actor: Actor { principal: person.clone(), foreign: false },
            place: place(),
            inbound: Inbound::Command { text: format!("run survey on {on}") },
            reply: Reply { platform: ChatPlatform::Slack, place: place(), person, url: None, trigger: None },
        };
        began.push(Instant::now());
        engine.accept(delivery).await.unwrap();
    }
    let mut took = Vec::new();
    for (began, n) in began.into_iter().zip(0u64..) {
        let ended = tokio::time::timeout(Duration::from_secs(7200), world.ended(World::run(n))).await;
        took.push(ended.expect("a run that does not end") - began);
    }
    took
}

/// The large run and the small ones, each alone and then all together.
async fn nobody_starves(regions: usize) {
    let large = "accounts=*".to_owned();
    let small = |n: u32| format!("accounts=acct-{} tag:slice=s{n}", n % ACCOUNTS);
    let mut alone = times(regions, &[(Duration::ZERO, large.clone())]).await;
    for n in 0..SMALL_RUNS {
        alone.extend(times(regions, &[(Duration::ZERO, small(n))]).await);
    }
    let beside = |n: u32| (if n == 0 { HEAD_START } else { Duration::ZERO }, small(n));
    let all: Vec<_> = [(Duration::ZERO, large)].into_iter().chain((0..SMALL_RUNS).map(beside)).collect();
    let together = times(regions, &all).await;
    let ratios: Vec<f64> = together.iter().zip(&alone).map(|(t, a)| t.as_secs_f64() / a.as_secs_f64()).collect();
    let worst = (1..ratios.len()).max_by(|a, b| ratios[*a].total_cmp(&ratios[*b])).unwrap();
    println!(
        "10,000 nodes in {ACCOUNTS} accounts and {regions} regions: {:.1?} alone, {:.1?} beside the others; the slowest of \
         {SMALL_RUNS} runs over 100 of them: {:.1?} alone, {:.1?} beside it",
        alone[0], together[0], alone[worst], together[worst]
    );
    let slow: Vec<_> = (0..ratios.len()).filter(|n| ratios[*n] > 2.0).map(|n| (n, alone[n], together[n])).collect();
    assert!(slow.is_empty(), "more than twice the solo time (run, alone, together): {slow:.1?}");
}

#[tokio::test(start_paused = true)]
async fn a_large_run_and_twenty_small_ones_each_take_at_most_twice_their_solo_time() {
    nobody_starves(4).await;
}

/// Twenty commands of the large run and two of each small one wait for the same read a second.
#[tokio::test(start_paused = true)]
async fn nobody_starves_either_where_all_nodes_of_an_account_stand_in_one_region() {
    nobody_starves(1).await;
}
