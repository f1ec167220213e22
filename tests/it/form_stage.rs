//! The engine between ports that a test holds in its hands: what is said, opened and known is plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muster::adapters::clock::UlidIds;
use muster::adapters::store::{MemoryJournal, MemoryOutputs};
use muster::domain::{
    Account, AccountId, AccountSource, ChatPlatform, CommandId, GroupRef, MessageRef, Node, NodeId, NodePlatform,
    Place, Principal, Region, Target, Timestamp, Unread,
};
use muster::engine::limits::{Limits, Rate};
use muster::engine::rulebook::Rulebook;
use muster::engine::{Engine, Ports, Settings};
use muster::message::{Card, Form, FormKind, Home, Suggestions, Values};
use muster::ports::*;
use muster::rules;

pub const SOON: Duration = Duration::from_secs(20);

pub const RESTART: &str = r#"
version = 1
title = "Restart a service"
description = "Restarts one service."
risk = "change"
owner = "platform"
[parameters.service]
type = "string"
pattern = '[a-z]+'
description = "systemd unit"
examples = ["nginx"]
[parameters.wait]
type = "duration"
max = "5m"
default = "10s"
description = "how long it may take"
[parameters.mode]
type = "choice"
values = ["soft", "hard"]
description = "how it is stopped"
[targets]
platforms = ["linux"]
max = 200
offline = "skip"
exclusive = "node"
[[steps]]
name = "restart"
timeout = "2m"
delivery_timeout = "60s"
shell = '''
printf '%s %s\n' "$mode" "$wait"
systemctl restart -- "$service"
'''
[rollout]
waves = ["100%"]
max_in_flight = "100%"
max_errors = "2%"
"#;

pub const UPTIME: &str = r#"
version = 1
title = "Tell the uptime"
description = "Says how long each machine is up."
risk = "read"
owner = "platform"
[targets]
platforms = ["linux"]
max = 5000
offline = "skip"
[[steps]]
name = "uptime"
timeout = "30s"
delivery_timeout = "60s"
shell = '''
uptime
'''
[rollout]
waves = ["100%"]
max_in_flight = "100%"
max_errors = "100%"
"#;

pub const POLICY: &str = r#"
version = 1
[groups]
support = { slack_usergroups = ["slack:T0MUSTER:S0SUPPORT"] }
sre = { slack_usergroups = ["slack:T0MUSTER:S0SRE"] }
[sets.customers]
labels = { kind = ["customer"] }
production = true
[[grant]]
id = "support-look"
who = ["support"]
run = { names = ["uptime"] }
where = ["customers"]
max_targets = 5000
[[grant]]
id = "support-restart"
who = ["support"]
run = { names = ["restart"], parameters = { service = { one_of = ["nginx", "app"] }, mode = { one_of = ["soft"] } } }
where = ["customers"]
max_targets = 20
[[grant]]
id = "sre"
who = ["sre"]
run = { risk = ["read", "change"] }
where = ["*"]
max_targets = 5000
[[approval]]
id = "changes"
when = { production = true }
need = [{ from = "sre", count = 1 }]
"#;

/// Files as they would be read.
pub fn rulebook(restart: &str) -> rules::Files {
    vec![("restart.toml".into(), restart.to_owned()), ("uptime.toml".into(), UPTIME.to_owned())]
}

pub fn account(n: u32, name: &str, kind: &str) -> Account {
    Account {
        id: format!("{n:012}").parse().unwrap(),
        name: name.into(),
        regions: vec!["eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap()],
        labels: [("kind".to_owned(), kind.to_owned())].into(),
        source: AccountSource::Configured,
    }
}

/// Everything outside the engine.
#[derive(Default)]
pub struct World {
    pub accounts: Mutex<Vec<Account>>,
    pub members: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// How long the directory takes.
    pub slow: Mutex<Duration>,
    /// What opening a form is refused with.
    pub refuses: Mutex<Option<String>>,
    pub opened: Mutex<Vec<Form>>,
    pub updated: Mutex<Vec<(String, Form)>>,
    pub whispers: Mutex<Vec<(Place, Card)>>,
    pub posts: Mutex<Vec<(Place, Card)>>,
    pub homes: Mutex<Vec<(Principal, Home)>>,
    /// Milliseconds by which the clock runs ahead at each look.
    pub haste: AtomicI64,
    clock: AtomicI64,
    serial: AtomicU32,
}

#[async_trait]
impl Chat for World {
    async fn post(&self, place: &Place, card: &Card, _key: &str) -> Result<MessageRef, ChatError> {
        self.posts.lock().unwrap().push((place.clone(), card.clone()));
        let id = format!("{}.0", self.serial.fetch_add(1, Ordering::Relaxed) + 1);
        Ok(MessageRef { platform: ChatPlatform::Slack, channel: place.channel.clone(), id, tenant: None })
    }
    async fn find(&self, _: &Place, _: &str) -> Result<Option<MessageRef>, ChatError> {
        Ok(None)
    }
    async fn edit(&self, _: &MessageRef, _: &Card) -> Result<(), ChatError> {
        Ok(())
    }
    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), ChatError> {
        self.whispers.lock().unwrap().push((reply.place.clone(), card.clone()));
        Ok(())
    }
    async fn open_form(&self, _: &Reply, form: &Form) -> Result<String, ChatError> {
        if let Some(cause) = self.refuses.lock().unwrap().clone() {
            return Err(ChatError::Refused(cause));
        }
        let mut opened = self.opened.lock().unwrap();
        opened.push(form.clone());
        Ok(format!("V{}", opened.len()))
    }
    async fn update_form(&self, _: &Reply, id: &str, form: &Form) -> Result<(), ChatError> {
        self.updated.lock().unwrap().push((id.to_owned(), form.clone()));
        Ok(())
    }
    async fn show_home(&self, person: &Principal, home: &Home) -> Result<(), ChatError> {
        self.homes.lock().unwrap().push((person.clone(), home.clone()));
        Ok(())
    }
    async fn link(&self, message: &MessageRef) -> Result<String, ChatError> {
        Ok(format!("https://chat.example/{}/{}", message.channel, message.id))
    }
    async fn upload(&self, _: &Place, _: &str, _: &str, _: &str, _: &str) -> Result<(), ChatError> {
        Ok(())
    }
    async fn direct(&self, person: &Principal) -> Result<Place, ChatError> {
        Ok(Place::nowhere(person, "T0MUSTER"))
    }
}

#[async_trait]
impl Directory for World {
    async fn members(&self, group: &GroupRef) -> Result<Vec<Principal>, DirectoryError> {
        let slow = *self.slow.lock().unwrap();
        tokio::time::sleep(slow).await;
        let members = self.members.lock().unwrap();
        Ok(members.get(&group.group).into_iter().flatten().map(|user| Principal::slack("T0MUSTER", user)).collect())
    }
    async fn profile(&self, _: &Principal) -> Result<Profile, DirectoryError> {
        Ok(Profile::default())
    }
    async fn channel(&self, _: &Place) -> Result<Channel, DirectoryError> {
        Ok(Channel { member: true, shared: false })
    }
}

#[async_trait]
impl Inventory for World {
    async fn accounts(&self) -> (Vec<Account>, Vec<Unread>) {
        (self.accounts.lock().unwrap().clone(), Vec::new())
    }
    /// One web server in the first region, one database in the second.
    async fn read(&self, account: &AccountId, region: &Region) -> Result<RegionRead, CloudError> {
        let role = if region.as_str() == "eu-west-1" { "web" } else { "db" };
        let node = Node {
            target: Target { account: account.clone(), region: region.clone(), node: "i-0a1b2c3d".parse().unwrap() },
            name: role.into(),
            platform: NodePlatform::Linux,
            agent_version: "3.3.2746.0".into(),
            attributes: BTreeMap::new(),
            online: true,
            tags: [("role".to_owned(), role.to_owned()), ("Name".to_owned(), role.to_owned())].into(),
        };
        Ok(RegionRead { nodes: vec![node], ..RegionRead::default() })
    }
}

/// Nothing is ever sent here: every run waits for an approval.
#[async_trait]
impl Cloud for World {
    async fn open(&self, _: &SendSession) -> Result<(), CloudError> {
        Err(CloudError::Refused("this world has no AWS".into()))
    }
    fn aws_now(&self) -> Timestamp {
        self.now()
    }
    async fn send(&self, _: &SendRequest) -> Result<CommandId, SendError> {
        Err(SendError::Refused("this world has no AWS".into()))
    }
    async fn commands(
        &self,
        _: &AccountId,
        _: &Region,
        _: Timestamp,
        _: &[String],
        _: &[CommandId],
    ) -> Result<Vec<CommandStatus>, CloudError> {
        Ok(Vec::new())
    }
    async fn started(&self, _: &SendRequest) -> Result<Vec<CommandId>, CloudError> {
        Ok(Vec::new())
    }
    async fn invocations(
        &self,
        _: &AccountId,
        _: &Region,
        _: Service,
        _: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        Ok(Vec::new())
    }
    async fn output(
        &self,
        _: &AccountId,
        _: &Region,
        _: Service,
        _: &CommandId,
        _: &NodeId,
    ) -> Result<(String, bool), CloudError> {
        Ok((String::new(), false))
    }
    async fn uploaded(&self, _: &AccountId, _: &Invocation) -> Option<(String, bool)> {
        None
    }
    async fn known_nodes(&self, _: &AccountId, _: &Region, _: &[NodeId]) -> Result<BTreeMap<NodeId, bool>, CloudError> {
        Ok(BTreeMap::new())
    }
    async fn cancel(
        &self,
        _: &AccountId,
        _: &Region,
        _: Service,
        _: &CommandId,
        _: &[NodeId],
    ) -> Result<(), CloudError> {
        Ok(())
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let ahead = self.clock.fetch_add(self.haste.load(Ordering::Relaxed), Ordering::Relaxed);
        Timestamp::from_millisecond(1_795_000_000_000 + ahead).unwrap()
    }
}

pub struct Stage {
    pub world: Arc<World>,
    pub engine: Engine,
    pub rulebook: Arc<Rulebook>,
    pub journal: Arc<MemoryJournal>,
    keys: AtomicU32,
}

/// Susan is of support, Arne of the SREs, Omar of nothing; `acme` and `globex` are customers, `lab` is not.
pub async fn stage() -> Stage {
    let accounts = vec![account(1, "acme", "customer"), account(2, "globex", "customer"), account(3, "lab", "own")];
    stage_with(accounts).await
}

pub async fn stage_with(accounts: Vec<Account>) -> Stage {
    let world = Arc::new(World { accounts: Mutex::new(accounts), ..World::default() });
    let is = |group: &str, user: &str| (group.to_owned(), BTreeSet::from([user.to_owned()]));
    *world.members.lock().unwrap() = [is("S0SUPPORT", "U0SUSAN"), is("S0SRE", "U0ARNE")].into();
    let rules = rules::check(&rulebook(RESTART), &vec![("p.toml".into(), POLICY.to_owned())]).unwrap();
    let rulebook = Arc::new(Rulebook::new(rules));
    let journal = Arc::new(MemoryJournal::with_token_key([7; 32]));
    let ports = Ports {
        journal: journal.clone(),
        outputs: Arc::new(MemoryOutputs::new()),
        cloud: world.clone(),
        inventory: world.clone(),
        chat: world.clone(),
        directory: world.clone(),
        clock: world.clone(),
        ids: Arc::new(UlidIds::new()),
    };
    let limits = Arc::new(Limits::new(Rate { per_second: 1000.0, burst: 100 }));
    let settings = Settings {
        command: "/runbook".into(),
        request_expiry: Duration::from_secs(300),
        edit_every: Duration::from_secs(2),
        keep_settled: Duration::from_secs(900),
        keep_outputs: Duration::from_secs(90 * 24 * 3600),
    };
    let engine = Engine::start(ports, limits, rulebook.clone(), settings).await.unwrap();
    Stage { world, engine, rulebook, journal, keys: AtomicU32::new(0) }
}

pub fn place(channel: &str) -> Place {
    Place { platform: ChatPlatform::Slack, tenant: "T0MUSTER".into(), channel: channel.into(), thread: None }
}

pub fn values(given: &[(&str, &[&str])]) -> Values {
    given.iter().map(|(k, v)| ((*k).to_owned(), v.iter().map(|v| (*v).to_owned()).collect())).collect()
}

impl Stage {
    pub fn delivery(&self, user: &str, place: Place, inbound: Inbound) -> Delivery {
        let person = Principal::slack("T0MUSTER", user);
        let reply = Reply {
            platform: ChatPlatform::Slack,
            place: place.clone(),
            person: person.clone(),
            url: None,
            trigger: Some("t".into()),
        };
        let key = format!("k{}", self.keys.fetch_add(1, Ordering::Relaxed));
        Delivery { key, actor: Actor { principal: person, foreign: false }, place, inbound, reply }
    }
    pub async fn does(&self, user: &str, inbound: Inbound) -> Ack {
        self.engine.accept(self.delivery(user, place("C0OPS"), inbound)).await.unwrap()
    }
    /// Picks a runbook in the picker; the form that takes its place.
    pub async fn picks(&self, user: &str, runbook: &str) -> Form {
        let values = values(&[("the_runbook", &[runbook])]);
        // While the directory is asked for the first time the form says to press again.
        for _ in 0..200 {
            match self.does(user, Inbound::Form { form: FormKind::Pick, values: values.clone() }).await {
                Ack::NextForm(form) => return *form,
                Ack::FormErrors(faults) if faults["the_runbook"].contains("press the button again") => {}
                other => panic!("{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the form did not come");
    }
    pub async fn searches(&self, user: &str, form: &FormKind, field: &str, typed: &str, values: Values) -> Suggestions {
        let actor = Actor { principal: Principal::slack("T0MUSTER", user), foreign: false };
        let (form, field, typed) = (form.clone(), field.to_owned(), typed.to_owned());
        self.engine.suggest(Search { actor, place: place("C0OPS"), form, field, typed, values }).await
    }
    /// What there is to pick, by value, once something is.
    pub async fn finds(&self, user: &str, form: &FormKind, field: &str, typed: &str, values: Values) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            let found = self.searches(user, form, field, typed, values.clone()).await;
            let found: Vec<String> = found.choices().map(|c| c.value.clone()).collect();
            if !found.is_empty() || tokio::time::Instant::now() > deadline {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    pub async fn until(&self, what: &str, is_so: impl Fn(&World) -> bool) {
        let deadline = tokio::time::Instant::now() + SOON;
        while !is_so(&self.world) {
            assert!(tokio::time::Instant::now() < deadline, "not so: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    pub async fn whispered(&self, n: usize) -> Card {
        self.until("something is whispered", |w| w.whispers.lock().unwrap().len() > n).await;
        self.world.whispers.lock().unwrap()[n].1.clone()
    }
    /// Cards that opened a run, by place.
    pub fn roots(&self) -> Vec<(Place, String)> {
        let posts = self.world.posts.lock().unwrap();
        posts
            .iter()
            .filter(|(_, card)| card.title.contains("waiting for"))
            .map(|(p, c)| (p.clone(), c.title.clone()))
            .collect()
    }
    pub async fn runs(&self) -> usize {
        self.journal.runs().await.unwrap().len()
    }
}
