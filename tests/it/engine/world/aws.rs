//! AWS: accounts, machines and commands that outlive the engine. It does what AWS does, and answers as badly as AWS can:
//! a request may be lost, taken late, or taken and its answer lost; lists lag; pages are partial and from the past.
//!
//! Nothing on its machines keeps a step from running twice: whatever is taken twice is seen here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use muster::domain::{
    Account, AccountId, AccountSource, CommandId, Node, NodeId, NodePlatform, Region, RunId, Target, Timestamp, Unread,
};
use muster::ports::{
    Clock as _, Cloud, CloudError, CommandStatus, Inventory, Invocation, RegionRead, SendError, SendRequest,
    SendSession, Service,
};

use super::commands::{Command, named_in};
use super::fortune::Fortune;
use super::ledger::Ledger;
use super::society::{PRODUCTION, STAGING, UNKNOWN};
use super::time::Time;

/// AWS takes a request for so long after the time it is signed with, and so long before it.
pub const EXPIRY: SignedDuration = SignedDuration::from_secs(300);
/// The adapter gives a send up.
const PATIENCE: Duration = Duration::from_secs(20);
/// A node that is gone is still listed.
const LISTED_FOR: SignedDuration = SignedDuration::from_secs(5);

pub struct Aws {
    time: Arc<Time>,
    fortune: Arc<Fortune>,
    ledger: Arc<Ledger>,
    accounts: Vec<Account>,
    nodes: Vec<Node>,
    /// From when on AWS does not know the machine any more.
    gone: BTreeMap<NodeId, Timestamp>,
    /// Muster's role in it is broken.
    dead: Option<AccountId>,
    /// Nothing can be read in this account for that time.
    dark: Option<(AccountId, Timestamp, Timestamp)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Requests on the way, by the time at which they arrive.
    letters: BTreeMap<(Timestamp, u64), Letter>,
    answers: BTreeMap<u64, Result<CommandId, SendError>>,
    commands: BTreeMap<CommandId, Command>,
    taken: BTreeSet<(RunId, u32, NodeId)>,
    number: u64,
}

struct Letter {
    request: SendRequest,
    /// It arrives twice, and AWS takes both.
    twice: bool,
    /// AWS refuses it whatever it says.
    refusal: Option<SendError>,
}

/// What AWS holds beside one command of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twins {
    None,
    Earlier,
    /// `cancelled`: somebody has asked AWS to cancel it.
    Later {
        cancelled: bool,
    },
}

impl Aws {
    pub fn new(time: Arc<Time>, fortune: Arc<Fortune>, ledger: Arc<Ledger>) -> Self {
        let now = time.truth();
        let known = [(PRODUCTION, "acme-prod"), (STAGING, "acme-staging"), (UNKNOWN, "acme-lab")];
        let (mut accounts, mut nodes, mut gone) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (id, name) in known {
            let id: AccountId = id.parse().unwrap();
            let regions = &["eu-west-1", "us-east-1"][..1 + fortune.below(2) as usize];
            let regions: Vec<Region> = regions.iter().map(|r| r.parse().unwrap()).collect();
            for region in &regions {
                for _ in 0..=fortune.below(3) {
                    let number = nodes.len() + 1;
                    let node: NodeId = format!("i-{number:017x}").parse().unwrap();
                    if fortune.strikes("node goes", 20) {
                        gone.insert(node.clone(), now + fortune.millis(0..1_800_000));
                    }
                    nodes.push(Node {
                        target: Target { account: id.clone(), region: region.clone(), node },
                        name: format!("web-{number}"),
                        platform: NodePlatform::Linux,
                        agent_version: "3.3.2746.0".into(),
                        attributes: BTreeMap::new(),
                        online: !fortune.strikes("node offline", 12),
                        tags: BTreeMap::new(),
                    });
                }
            }
            let env = if id.as_str() == STAGING { "staging" } else { "prod" };
            let labels = BTreeMap::from([("env".to_owned(), env.to_owned())]);
            accounts.push(Account { id, name: name.into(), regions, labels, source: AccountSource::Configured });
        }
        let some = |accounts: &[Account]| fortune.pick(accounts).id.clone();
        let dead = fortune.strikes("role broken", 10).then(|| some(&accounts));
        let dark = fortune.strikes("nothing can be read", 10).then(|| {
            let from = now + fortune.millis(0..600_000);
            (some(&accounts), from, from + fortune.millis(60_000..7_200_000))
        });
        Aws { time, fortune, ledger, accounts, nodes, gone, dead, dark, state: Mutex::default() }
    }

    /// When AWS took this step of this run for this node.
    pub fn taken_at(&self, run: RunId, step: u32, node: &NodeId) -> Option<Timestamp> {
        let state = self.state.lock().unwrap();
        let mut commands = state.commands.values();
        commands.find(|c| named_in(&c.token) == (run, step) && c.nodes.contains_key(node)).map(|c| c.at)
    }

    /// Executions of this run: step, node, and whether its script began.
    pub fn executions(&self, run: RunId) -> Vec<(u32, NodeId, bool)> {
        self.settle();
        let now = self.time.truth();
        let state = self.state.lock().unwrap();
        let mine = state.commands.values().filter(|c| named_in(&c.token).0 == run);
        let executions = mine.flat_map(|command| {
            let step = named_in(&command.token).1;
            command.nodes.iter().map(move |(node, e)| (step, node.clone(), e.begins.is_some_and(|at| at <= now)))
        });
        executions.collect()
    }

    /// Other commands of the same send.
    pub fn twins_of(&self, command: &CommandId) -> Twins {
        let state = self.state.lock().unwrap();
        let Some(mine) = state.commands.get(command) else { return Twins::None };
        match state.commands.values().find(|c| c.token == mine.token && c.id != mine.id) {
            None => Twins::None,
            Some(twin) if twin.at < mine.at => Twins::Earlier,
            Some(twin) => Twins::Later { cancelled: twin.cancel_asked },
        }
    }

    pub fn commands_taken(&self) -> usize {
        self.state.lock().unwrap().commands.len()
    }

    /// Nothing is on the way any more.
    pub fn is_quiet(&self) -> bool {
        self.settle();
        self.state.lock().unwrap().letters.is_empty()
    }

    /// Everything that has arrived by now.
    fn settle(&self) {
        let now = self.time.truth();
        let mut state = self.state.lock().unwrap();
        while let Some(first) = state.letters.first_entry().filter(|first| first.key().0 <= now) {
            let ((at, number), letter) = first.remove_entry();
            let answer = self.receive(&mut state, letter, at);
            state.answers.insert(number, answer);
        }
    }

    fn is_gone(&self, node: &NodeId, at: Timestamp) -> bool {
        self.gone.get(node).is_some_and(|gone| *gone <= at)
    }

    /// One request arrives.
    fn receive(&self, state: &mut State, letter: Letter, at: Timestamp) -> Result<CommandId, SendError> {
        let Letter { request, twice, refusal } = letter;
        if at.duration_since(request.signing.at).abs() >= EXPIRY {
            return Err(SendError::NotSent("AWS did not accept the time of the request".into()));
        }
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        if request.nodes.iter().any(|node| self.is_gone(node, at)) {
            return Err(SendError::InvalidInstance);
        }
        let machines: Vec<&Node> = self.nodes.iter().filter(|n| request.nodes.contains(&n.target.node)).collect();
        let (run, step) = named_in(&request.token);
        for node in &request.nodes {
            if !state.taken.insert((run, step, node.clone())) {
                self.ledger.broke(format!("I3: AWS took step {step} of {run} for {node} twice"));
            }
        }
        state.number += 1;
        let id: CommandId = format!("00000000-0000-0000-0000-{:012}", state.number).parse().unwrap();
        let command = Command::new(id.clone(), &request, &machines, at, &self.fortune);
        if twice {
            state.number += 1;
            let second: CommandId = format!("00000000-0000-0000-0000-{:012}", state.number).parse().unwrap();
            state.commands.insert(second.clone(), command.twin(second));
        }
        state.commands.insert(id.clone(), command);
        Ok(id)
    }

    fn mail(&self, letter: Letter, arrives: Timestamp) -> u64 {
        let mut state = self.state.lock().unwrap();
        state.number += 1;
        let number = state.number;
        state.letters.insert((arrives, number), letter);
        number
    }

    async fn pause(&self, range: std::ops::Range<u64>) {
        tokio::time::sleep(self.fortune.millis(range)).await;
    }

    /// One read: it may fail in every way that reads fail.
    async fn read_of(&self, account: &AccountId) -> Result<(), CloudError> {
        self.fortune.may_crash("crash in a read").await;
        let sent = self.time.now();
        self.pause(5..250).await;
        if self.fortune.strikes("read without answer", 20) {
            return Err(CloudError::Transient("no answer".into()));
        }
        self.time.learn(sent);
        let now = self.time.truth();
        let is_dark =
            self.dark.as_ref().is_some_and(|(dark, from, until)| dark == account && (*from..*until).contains(&now));
        if is_dark && !self.fortune.is_calm() {
            return Err(CloudError::Refused("the role may not read there; check its policy".into()));
        }
        if self.fortune.strikes("read throttled", 20) {
            return Err(CloudError::Throttled { retry_after: self.fortune.one_in(3).then(|| Duration::from_secs(2)) });
        }
        if self.fortune.strikes("credentials expired", 40) {
            return Err(CloudError::Transient("the session has expired; it is assumed anew".into()));
        }
        self.settle();
        Ok(())
    }
}

#[async_trait]
impl Inventory for Aws {
    async fn accounts(&self) -> (Vec<Account>, Vec<Unread>) {
        (self.accounts.clone(), vec![])
    }

    async fn read(&self, account: &AccountId, region: &Region) -> Result<RegionRead, CloudError> {
        self.read_of(account).await?;
        if self.dead.as_ref() == Some(account) {
            return Err(CloudError::Refused("the role does not let Muster in; check its External ID".into()));
        }
        let now = self.time.truth();
        let here = |n: &&Node| n.target.account == *account && n.target.region == *region;
        let nodes = self.nodes.iter().filter(here).filter(|n| !self.is_gone(&n.target.node, now)).cloned().collect();
        Ok(RegionRead { nodes, ..RegionRead::default() })
    }
}

#[async_trait]
impl Cloud for Aws {
    async fn open(&self, session: &SendSession) -> Result<(), CloudError> {
        self.fortune.may_crash("crash in AssumeRole").await;
        if self.dead.as_ref() == Some(&session.account) || self.fortune.strikes("AssumeRole refused", 80) {
            return Err(CloudError::Refused("the role does not let Muster in; check its External ID".into()));
        }
        // A session that is open already asks nobody, so that nothing is learned of AWS's clock.
        if self.fortune.one_in(2) || self.fortune.is_calm() {
            let by = self.fortune.lasts("clock set before a send", 30, 0..580_000);
            if let Some(by) = by {
                let by = SignedDuration::try_from(by).unwrap() - SignedDuration::from_secs(290);
                assert!(self.time.step(by) || !self.fortune.is_calm(), "what a test plants takes effect");
            }
            return Ok(());
        }
        let sent = self.time.now();
        self.pause(5..200).await;
        if self.fortune.strikes("AssumeRole without answer", 30) {
            return Err(CloudError::Transient("no answer".into()));
        }
        self.time.learn(sent);
        Ok(())
    }

    fn aws_now(&self) -> Timestamp {
        self.time.aws_now()
    }

    async fn send(&self, request: &SendRequest) -> Result<CommandId, SendError> {
        self.ledger.judge_send(request);
        self.fortune.may_crash("crash before a send").await;
        let sent = self.time.now();
        if self.fortune.strikes("nothing left", 40) {
            return Err(SendError::NotSent("cannot reach AWS".into()));
        }
        let refusal = if self.fortune.strikes("send throttled", 15) {
            Some(SendError::Throttled { retry_after: self.fortune.one_in(3).then(|| Duration::from_secs(3)) })
        } else if self.fortune.strikes("session expired", 30) {
            Some(SendError::NotSent("the session had expired".into()))
        } else if self.fortune.strikes("send refused", 60) {
            Some(SendError::Refused("the role may not send there; check its policy".into()))
        } else {
            None
        };
        let lost = self.fortune.strikes("request lost", 14);
        let late = if lost { None } else { self.fortune.lasts("request late", 14, 1_000..330_000) };
        let deaf = self.fortune.strikes("answer lost", 8);
        let takes = late.unwrap_or_else(|| self.fortune.millis(5..200));
        // The nodes' own guard lets a second command do nothing; a named document has none.
        let guarded = request.parameters.contains_key("executionTimeout");
        let twice = guarded && (deaf || late.is_some()) && self.fortune.strikes("taken twice", 3);
        let letter = Letter { request: request.clone(), twice, refusal };
        let number = (!lost).then(|| self.mail(letter, self.time.truth() + takes));
        self.fortune.may_crash("crash after a send").await;
        if let Some(number) = number.filter(|_| takes < PATIENCE && !deaf) {
            tokio::time::sleep(takes).await;
            self.pause(1..100).await;
            self.settle();
            self.time.learn(sent);
            self.fortune.may_crash("crash with the answer").await;
            return self.state.lock().unwrap().answers.remove(&number).unwrap();
        }
        if late.is_none() && self.fortune.one_in(2) {
            // A reset, or AWS's own 5xx, which has a date.
            self.pause(5..3_000).await;
            if self.fortune.one_in(2) {
                self.time.learn(sent);
            }
            return Err(SendError::Unknown("AWS answered 503".into()));
        }
        tokio::time::sleep(PATIENCE).await;
        Err(SendError::Unknown("AWS did not answer within 20 s".into()))
    }

    async fn commands(
        &self,
        account: &AccountId,
        region: &Region,
        since: Timestamp,
        tokens: &[String],
        known: &[CommandId],
    ) -> Result<Vec<CommandStatus>, CloudError> {
        self.read_of(account).await?;
        let now = self.time.truth();
        let state = self.state.lock().unwrap();
        let here =
            state.commands.values().filter(|c| c.account == *account && c.region == *region && c.shown_from <= now);
        let wanted = here.filter(|c| (c.at >= since && tokens.contains(&c.token)) || known.contains(&c.id));
        Ok(wanted.map(|c| c.status(now)).collect())
    }

    async fn started(&self, _: &SendRequest) -> Result<Vec<CommandId>, CloudError> {
        unreachable!("no runbook here is an automation")
    }

    async fn invocations(
        &self,
        account: &AccountId,
        _: &Region,
        _: Service,
        command: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        self.read_of(account).await?;
        let mut now = self.time.truth();
        let state = self.state.lock().unwrap();
        let Some(command) = state.commands.get(command).filter(|c| c.shown_from <= now) else { return Ok(vec![]) };
        if self.fortune.strikes("page from the past", 10) {
            now -= self.fortune.millis(500..20_000);
        }
        let partial = self.fortune.strikes("partial page", 10);
        let rows = command.nodes.iter().filter(|_| !partial || self.fortune.one_in(2));
        Ok(rows.map(|(node, execution)| execution.seen(node, now)).collect())
    }

    async fn output(
        &self,
        account: &AccountId,
        _: &Region,
        _: Service,
        _: &CommandId,
        _: &NodeId,
    ) -> Result<(String, bool), CloudError> {
        self.read_of(account).await?;
        Ok((String::new(), false))
    }

    async fn uploaded(&self, _: &AccountId, _: &Invocation) -> Option<(String, bool)> {
        None
    }
    async fn known_nodes(
        &self,
        account: &AccountId,
        _: &Region,
        nodes: &[NodeId],
    ) -> Result<BTreeMap<NodeId, bool>, CloudError> {
        self.read_of(account).await?;
        let seen = self.time.truth() - LISTED_FOR;
        let known = self.nodes.iter().filter(|n| nodes.contains(&n.target.node) && !self.is_gone(&n.target.node, seen));
        Ok(known.map(|n| (n.target.node.clone(), n.online)).collect())
    }

    async fn cancel(
        &self,
        account: &AccountId,
        _: &Region,
        _: Service,
        command: &CommandId,
        _: &[NodeId],
    ) -> Result<(), CloudError> {
        if let Some(command) = self.state.lock().unwrap().commands.get_mut(command) {
            command.cancel_asked = true;
        }
        self.read_of(account).await?;
        let now = self.time.truth();
        if let Some(command) = self.state.lock().unwrap().commands.get_mut(command) {
            command.cancel(now);
        }
        Ok(())
    }
}
