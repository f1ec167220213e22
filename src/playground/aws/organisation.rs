//! The world: accounts with their machines and commands, sessions, faults and the log.
//!
//! Each account and region is a cell under its own lock, held for no longer than one call needs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{AccountId, Digest, Invalid, Region, Timestamp};

use super::automation::Automation;
use super::command::Command;
use super::confine::Confinement;
use super::faults::{FaultBook, FaultName, FaultSpec, Place};
use super::generate::{self, CENTRAL, HUB_ROLE, Machine, Member};
use super::iam::Policy;
use super::log::Log;
use super::s3::Objects;
use super::settings::{Execution, Settings};
use super::sigv4::Signer;
use super::throttle::Buckets;

/// The principal whose keys Muster starts with: the host's own rights.
#[must_use]
pub fn base_arn() -> String {
    format!("arn:aws:iam::{CENTRAL}:user/muster-host")
}
#[must_use]
pub fn hub_role_arn() -> String {
    format!("arn:aws:iam::{CENTRAL}:role/{HUB_ROLE}")
}

/// The rights of the roles. They allow more than a run's session policy does, never less.
const MEMBER_RIGHTS: &str = r#"{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":"ssm:SendCommand","Resource":["arn:aws:ssm:*:*:document/AWS-RunShellScript","arn:aws:ssm:*:*:document/AWS-RunPowerShellScript","arn:aws:ssm:*:*:document/AWS-RunPatchBaseline","arn:aws:ssm:*:*:document/AWS-ApplyAnsiblePlaybooks","arn:aws:ssm:*:*:document/Muster-*","arn:aws:ec2:*:*:instance/*","arn:aws:ssm:*:*:managed-instance/*"]},
 {"Effect":"Allow","Action":["ssm:ListCommands","ssm:ListCommandInvocations","ssm:GetCommandInvocation","ssm:CancelCommand","ssm:DescribeInstanceInformation","ssm:DescribeDocument","ssm:GetDocument","ssm:DescribeAutomationExecutions","ssm:GetAutomationExecution","ssm:StopAutomationExecution","ec2:DescribeInstances","ec2:DescribeRegions"],"Resource":"*"},
 {"Effect":"Allow","Action":"ssm:StartAutomationExecution","Resource":["arn:aws:ssm:*:*:document/AWS-*EC2Instance","arn:aws:ssm:*:*:automation-definition/AWS-*EC2Instance:*","arn:aws:ssm:*:*:automation-execution/*"]},
 {"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/muster-automation","Condition":{"StringEquals":{"iam:PassedToService":"ssm.amazonaws.com"}}},
 {"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"arn:aws:s3:::muster-*"}]}"#;
/// What automations may do in a member account.
const AUTOMATION_RIGHTS: &str = r#"{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":["ec2:StartInstances","ec2:StopInstances"],"Resource":"arn:aws:ec2:*:*:instance/*"},
 {"Effect":"Allow","Action":["ec2:DescribeInstances","ec2:DescribeInstanceStatus"],"Resource":"*"}]}"#;
const CENTRAL_RIGHTS: &str = r#"{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":["sts:AssumeRole","sts:SetSourceIdentity"],"Resource":"arn:aws:iam::*:role/muster-*"},
 {"Effect":"Allow","Action":["organizations:*","ec2:DescribeRegions"],"Resource":"*"}]}"#;

/// Who a request comes from.
#[derive(Debug, Clone)]
pub struct Caller {
    pub account: String,
    pub arn: String,
    pub user_id: String,
    /// The name of the role; empty for the base principal.
    pub role: String,
    pub session_name: String,
    pub rights: Arc<Policy>,
    pub session_policy: Option<Arc<Policy>>,
    /// Sticky: a session that has one keeps it in every session assumed from it.
    pub source_identity: Option<String>,
    pub expires: Option<Timestamp>,
}

impl Caller {
    /// The role itself, which a trust policy names.
    #[must_use]
    pub fn principal(&self) -> String {
        if self.role.is_empty() {
            self.arn.clone()
        } else {
            format!("arn:aws:iam::{}:role/{}", self.account, self.role)
        }
    }
}

/// An access key and what it opens.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub secret: String,
    pub token: Option<String>,
    pub caller: Arc<Caller>,
}

/// One account in one region.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub machines: Vec<Machine>,
    pub commands: Vec<Command>,
    pub by_id: HashMap<String, usize>,
    /// Parents and children, in the order in which they began.
    pub automations: Vec<Automation>,
    /// Of automations: what was asked for with each, and what became of it.
    pub client_tokens: HashMap<String, (Digest, String)>,
    pub buckets: Buckets,
}

impl Cell {
    pub fn command(&self, id: &str) -> Option<&Command> {
        self.commands.get(*self.by_id.get(id)?)
    }
    pub fn command_mut(&mut self, id: &str) -> Option<&mut Command> {
        self.commands.get_mut(*self.by_id.get(id)?)
    }
    pub fn automation(&self, id: &str) -> Option<&Automation> {
        self.automations.iter().find(|a| a.id == id)
    }
    pub fn automation_mut(&mut self, id: &str) -> Option<&mut Automation> {
        self.automations.iter_mut().find(|a| a.id == id)
    }
    pub fn keep(&mut self, automation: Automation) {
        self.automations.push(automation);
    }
    pub fn machine(&self, id: &str) -> Option<&Machine> {
        self.machines.iter().find(|m| m.id.as_str() == id)
    }
}

pub(super) type CellKey = (String, String);

pub(super) struct World {
    pub settings: Settings,
    pub members: Vec<Member>,
    pub cells: BTreeMap<CellKey, Mutex<Cell>>,
    keys: Mutex<HashMap<String, Key>>,
    pub faults: Mutex<FaultBook>,
    pub log: Mutex<Log>,
    pub objects: Mutex<Objects>,
    /// Buckets that belong to no region: STS and Organizations.
    pub shared: Mutex<Buckets>,
    pub base: Signer,
    pub central_rights: Arc<Policy>,
    pub member_rights: Arc<Policy>,
    pub automation_rights: Arc<Policy>,
    /// How scripts run here; `None`: nodes answer from tables.
    pub confinement: Option<Confinement>,
    /// Why not, where scripts were asked for and cannot run.
    pub confinement_fault: Option<String>,
    pub slots: Arc<tokio::sync::Semaphore>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A lock whose holder died in a panic is still good: every change here is one assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + self.settings.clock_skew
    }
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.id.as_str() == id)
    }
    pub fn cell(&self, account: &str, region: &str) -> Option<MutexGuard<'_, Cell>> {
        self.cells.get(&(account.to_owned(), region.to_owned())).map(lock)
    }
    pub fn key(&self, access_key: &str) -> Option<Key> {
        lock(&self.keys).get(access_key).cloned()
    }
    pub fn remember(&self, access_key: String, key: Key) {
        lock(&self.keys).insert(access_key, key);
    }
    pub fn kill_session(&self, access_key: &str, at: Timestamp) {
        if let Some(key) = lock(&self.keys).get_mut(access_key) {
            let mut caller = Caller::clone(&key.caller);
            caller.expires = Some(at);
            key.caller = Arc::new(caller);
        }
    }
    /// Sessions end; the keys of the base principal are no session.
    fn kill_sessions(&self, at: Timestamp) {
        for key in lock(&self.keys).values_mut().filter(|key| !key.caller.role.is_empty()) {
            key.caller = Arc::new(Caller { expires: Some(at), ..Caller::clone(&key.caller) });
        }
    }
    pub fn place<'a>(&'a self, account: &'a str, region: &'a str, node: &'a str, node_name: &'a str) -> Place<'a> {
        let account_name = self.member(account).map_or("", |m| m.name.as_str());
        Place { account, account_name, region, node, node_name }
    }
    pub fn strike(&self, fault: FaultName, place: Place<'_>) -> Option<FaultSpec> {
        lock(&self.faults).strike(fault, place)
    }

    /// Plants a fault. Those that are states of a machine change the machine; the others wait for their moment.
    pub fn plant(&self, mut spec: FaultSpec) -> Result<(), Invalid> {
        if let Some(account) = &spec.account
            && !self.members.iter().any(|m| m.id.as_str() == account || &m.name == account)
        {
            return Err(Invalid(format!("there is no account `{account}` here; `GET /play/v1/nodes` lists them")));
        }
        if let Some(region) = &spec.region
            && !self.settings.regions.iter().any(|r| r.as_str() == region)
        {
            return Err(Invalid(format!("there is no region `{region}` here; `GET /play/v1/nodes` lists them")));
        }
        if spec.fault == FaultName::DenyAccount && spec.account.is_none() && !spec.clear {
            spec.account = self.members.get(4).or(self.members.first()).map(|m| m.name.clone());
        }
        if spec.fault == FaultName::SlowRegion && spec.region.is_none() && !spec.clear {
            spec.region = self.settings.regions.last().map(ToString::to_string);
        }
        if spec.fault == FaultName::ExpiredHostKeys && !spec.clear {
            self.kill_sessions(self.now());
        }
        let of_machine = matches!(spec.fault, FaultName::OfflineNode | FaultName::DiskFull | FaultName::ServiceFailed);
        if of_machine || spec.node.is_some() {
            self.strike_machines(&spec, of_machine)?;
        }
        lock(&self.faults).plant(spec);
        lock(&self.log).changed();
        Ok(())
    }

    fn strike_machines(&self, spec: &FaultSpec, change: bool) -> Result<(), Invalid> {
        let mut left = spec.times.or(spec.node.is_none().then_some(1)).unwrap_or(u32::MAX);
        let mut found = false;
        for ((account, region), cell) in &self.cells {
            let member = self.member(account);
            let here = spec.account.as_ref().is_none_or(|a| a == account || member.is_some_and(|m| &m.name == a))
                && spec.region.as_ref().is_none_or(|r| r == region);
            if !here {
                continue;
            }
            for machine in lock(cell).machines.iter_mut().filter(|m| m.managed && !m.gone) {
                let meant = spec.node.as_ref().is_none_or(|n| n == machine.id.as_str() || *n == machine.name);
                // Planted without a node, the fault takes one that it changes.
                let idle =
                    spec.node.is_none() && !spec.clear && spec.fault == FaultName::OfflineNode && !machine.online;
                if !meant || idle || left == 0 {
                    continue;
                }
                found = true;
                if change {
                    left -= 1;
                    match spec.fault {
                        FaultName::OfflineNode => machine.online = spec.clear,
                        FaultName::DiskFull => machine.condition.var_used = if spec.clear { 45 } else { 97 },
                        FaultName::ServiceFailed => machine.condition.failed = !spec.clear,
                        _ => {}
                    }
                    super::node::refresh(self, account, machine);
                }
            }
            // An agent that is back takes what waits for it.
            if change {
                lock(cell).commands.iter().for_each(|c| c.wake.notify_one());
            }
        }
        match (found, &spec.node) {
            (false, Some(node)) => {
                Err(Invalid(format!("there is no node `{node}` there; `GET /play/v1/nodes` lists them")))
            }
            (false, None) => Err(Invalid("there is no such node; `GET /play/v1/nodes` lists them".to_owned())),
            (true, _) => Ok(()),
        }
    }
}

/// The simulated organisation. Clones share one world.
#[derive(Debug, Clone)]
pub struct Organisation {
    pub(super) world: Arc<World>,
}

impl Organisation {
    /// # Errors
    /// A fault of the settings that names an account, region or node that is not there.
    pub fn new(settings: Settings) -> Result<Self, Invalid> {
        let members = generate::members(settings.accounts, settings.seed, &settings.regions);
        let cells = members
            .iter()
            .flat_map(|m| settings.regions.iter().map(move |r| (m, r)))
            .map(|(m, r)| {
                let machines = generate::machines(m, r, settings.nodes, settings.seed);
                ((m.id.to_string(), r.to_string()), Mutex::new(Cell { machines, ..Cell::default() }))
            })
            .collect();
        let policy = |text| Policy::parse(text).map(Arc::new).map_err(Invalid);
        let (confinement, confinement_fault) = match settings.execution {
            Execution::Table { .. } => (None, None),
            Execution::Scripts => match Confinement::new() {
                Ok(confinement) => (Some(confinement), None),
                Err(why) => (None, Some(why)),
            },
        };
        let base = Signer {
            access_key: format!("AKIA{}", &super::random_token()[..16].to_ascii_uppercase()),
            secret: format!("{}{}", super::random_token(), &super::random_token()[..8]),
            token: None,
        };
        let central_rights = policy(CENTRAL_RIGHTS)?;
        let caller = Caller {
            account: CENTRAL.to_owned(),
            arn: base_arn(),
            user_id: "AIDAMUSTERHOST0000000".to_owned(),
            role: String::new(),
            session_name: String::new(),
            rights: central_rights.clone(),
            session_policy: None,
            source_identity: None,
            expires: None,
        };
        let key = Key { secret: base.secret.clone(), token: None, caller: Arc::new(caller) };
        let world = World {
            members,
            cells,
            keys: Mutex::new(HashMap::from([(base.access_key.clone(), key)])),
            faults: Mutex::default(),
            log: Mutex::default(),
            objects: Mutex::default(),
            shared: Mutex::default(),
            base,
            central_rights,
            member_rights: policy(MEMBER_RIGHTS)?,
            automation_rights: policy(AUTOMATION_RIGHTS)?,
            confinement,
            confinement_fault,
            slots: Arc::new(tokio::sync::Semaphore::new(settings.scripts_at_once.max(1))),
            settings,
        };
        for spec in world.settings.faults.clone() {
            world.plant(spec)?;
        }
        Ok(Organisation { world: Arc::new(world) })
    }

    /// Every member account, also those that only Organizations knows (`configured` is false).
    #[must_use]
    pub fn accounts(&self) -> &[Member] {
        &self.world.members
    }
    /// Keys of the base principal in the central account.
    #[must_use]
    pub fn base_credentials(&self) -> Signer {
        self.world.base.clone()
    }
    #[must_use]
    pub fn hub_role_arn(&self) -> String {
        hub_role_arn()
    }
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.world.settings
    }
    /// Why nodes answer from tables although scripts were asked for, for people.
    #[must_use]
    pub fn confinement_fault(&self) -> Option<&str> {
        self.world.confinement_fault.as_deref()
    }
    /// # Errors
    /// The fault names an account, region or node that is not there.
    pub fn plant(&self, spec: FaultSpec) -> Result<(), Invalid> {
        self.world.plant(spec)
    }
    #[must_use]
    pub fn faults(&self) -> Vec<super::faults::Planted> {
        lock(&self.world.faults).all().to_vec()
    }
    #[must_use]
    pub fn sessions(&self) -> Vec<super::log::Opened> {
        lock(&self.world.log).sessions().to_vec()
    }
    #[must_use]
    pub fn sends(&self) -> Vec<super::log::Sent> {
        lock(&self.world.log).sends().to_vec()
    }
    #[must_use]
    pub fn executions(&self) -> Vec<super::log::Execution> {
        lock(&self.world.log).executions().to_vec()
    }
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, super::log::Calls> {
        lock(&self.world.log).calls().clone()
    }
    /// Every machine with its account and region.
    #[must_use]
    pub fn machines(&self) -> Vec<(AccountId, Region, Machine)> {
        let mut all = Vec::new();
        for ((account, region), cell) in &self.world.cells {
            if let (Ok(account), Ok(region)) = (account.parse::<AccountId>(), region.parse::<Region>()) {
                all.extend(lock(cell).machines.iter().map(|m| (account.clone(), region.clone(), m.clone())));
            }
        }
        all
    }
}
