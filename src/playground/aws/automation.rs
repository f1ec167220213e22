//! Automations: a parent for each StartAutomationExecution, a child for each node, steps that act on the machine.
//!
//! A child acts with the rights of the role that the caller passed, or, without one, of the caller's own session. Stopping a
//! parent keeps further nodes from beginning; a child that runs has to be stopped itself. AWS's documentation does not say
//! more, so that whoever relies on more is found here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::domain::{Digest, Timestamp};

use super::command::share;
use super::faults::FaultName;
use super::generate::Machine;
use super::iam::{Access, Policy, check};
use super::log::Execution;
use super::node;
use super::organisation::{CellKey, World, lock};
use super::refusal::{request_id, uuid};

/// How often a child looks whether it was stopped.
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desired {
    Stopped,
    Running,
}

impl Desired {
    fn word(self) -> &'static str {
        match self {
            Desired::Stopped => "stopped",
            Desired::Running => "running",
        }
    }
    fn action(self) -> &'static str {
        match self {
            Desired::Stopped => "ec2:StopInstances",
            Desired::Running => "ec2:StartInstances",
        }
    }
}

/// One of AWS's Automation runbooks. Each step is an `aws:changeInstanceState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    pub name: &'static str,
    pub steps: &'static [(&'static str, Desired)],
}

const STOP: (&str, Desired) = ("stopInstances", Desired::Stopped);
const START: (&str, Desired) = ("startInstances", Desired::Running);
pub const DEFINITIONS: [Definition; 3] = [
    Definition { name: "AWS-RestartEC2Instance", steps: &[STOP, START] },
    Definition { name: "AWS-StopEC2Instance", steps: &[STOP] },
    Definition { name: "AWS-StartEC2Instance", steps: &[START] },
];
/// What every one of them takes.
pub const PARAMETERS: [&str; 2] = ["InstanceId", "AutomationAssumeRole"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    InProgress,
    Cancelling,
    Success,
    Failed,
    Cancelled,
}

impl Status {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Status::Pending => "Pending",
            Status::InProgress => "InProgress",
            Status::Cancelling => "Cancelling",
            Status::Success => "Success",
            Status::Failed => "Failed",
            Status::Cancelled => "Cancelled",
        }
    }
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Status::Success | Status::Failed | Status::Cancelled)
    }
}

#[derive(Debug, Clone)]
pub struct Step {
    pub name: &'static str,
    pub desired: Desired,
    pub status: Status,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub failure: String,
}

impl Step {
    #[must_use]
    pub fn desired_word(&self) -> &'static str {
        self.desired.word()
    }
}

/// One execution: a parent, or a child for one node.
#[derive(Debug, Clone)]
pub struct Automation {
    pub id: String,
    pub definition: Definition,
    pub version: String,
    pub parameters: Value,
    pub parent: Option<String>,
    /// Of a child: the value of the target parameter.
    pub target: String,
    pub target_parameter: String,
    pub targets: Value,
    pub max_concurrency: String,
    pub max_errors: String,
    pub executed_by: String,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub status: Status,
    pub failure: String,
    pub steps: Vec<Step>,
    pub stop: bool,
}

/// With what rights children act.
#[derive(Debug, Clone)]
pub(super) struct Acting {
    pub rights: Arc<Policy>,
    pub session: Option<Arc<Policy>>,
    /// The role or session, as refusals name it.
    pub arn: String,
}

/// What the parent's drive needs to know.
#[derive(Clone)]
pub(super) struct Drive {
    pub world: Arc<World>,
    pub cell: CellKey,
    pub id: String,
    pub acting: Acting,
    /// For the log: what a caller knows the execution by.
    pub client_token: String,
}

impl Drive {
    fn with<T>(&self, id: &str, with: impl FnOnce(&mut Automation) -> T) -> Option<T> {
        self.world.cell(&self.cell.0, &self.cell.1)?.automation_mut(id).map(with)
    }

    fn stopped(&self, id: &str) -> bool {
        self.with(id, |a| a.stop).unwrap_or(true)
    }
}

/// Runs a parent: as many children at once as it may, none further after too many failures.
pub(super) async fn drive(drive: Drive) {
    let Some(parent) = drive.with(&drive.id, |a| {
        a.status = Status::InProgress;
        a.clone()
    }) else {
        return;
    };
    let nodes = super::ssm::texts(parent.targets.get(0).and_then(|t| t.get("Values")));
    let (at_once, most) = (share(&parent.max_concurrency, nodes.len()).max(1), share(&parent.max_errors, nodes.len()));
    let mut waiting: VecDeque<String> = nodes.into();
    let (mut running, mut failed) = (JoinSet::new(), 0);
    loop {
        let goes_on = failed <= most && !drive.stopped(&drive.id);
        while goes_on && running.len() < at_once {
            let Some(node) = waiting.pop_front() else { break };
            let id = begin(&drive, &parent, &node);
            running.spawn(child(drive.clone(), id, node));
        }
        match running.join_next().await {
            Some(status) => failed += usize::from(!matches!(status, Ok(Status::Success | Status::Cancelled))),
            None => break,
        }
    }
    let now = drive.world.now();
    drive.with(&drive.id, |a| {
        a.ended = Some(now);
        a.status = match a.stop {
            true => Status::Cancelled,
            false if failed > most => Status::Failed,
            false => Status::Success,
        };
        if a.status == Status::Failed {
            a.failure = "The automation stopped because more executions failed than MaxErrors allows.".to_owned();
        }
    });
    lock(&drive.world.log).changed();
}

/// The child's record; its id.
fn begin(drive: &Drive, parent: &Automation, node: &str) -> String {
    let id = uuid(rand::random());
    let mut parameters = parent.parameters.clone();
    parameters[&parent.target_parameter] = json!([node]);
    let steps = parent.definition.steps.iter();
    let child = Automation {
        id: id.clone(),
        parent: Some(parent.id.clone()),
        target: node.to_owned(),
        targets: json!([]),
        parameters,
        started: drive.world.now(),
        status: Status::InProgress,
        stop: false,
        steps: steps
            .map(|(name, desired)| Step {
                name,
                desired: *desired,
                status: Status::Pending,
                started: None,
                ended: None,
                failure: String::new(),
            })
            .collect(),
        ..parent.clone()
    };
    if let Some(mut cell) = drive.world.cell(&drive.cell.0, &drive.cell.1) {
        cell.keep(child);
    }
    id
}

/// One node, step by step.
async fn child(drive: Drive, id: String, node: String) -> Status {
    let world = &drive.world;
    let pace = world.settings.pace;
    let name = world.cell(&drive.cell.0, &drive.cell.1).and_then(|c| Some(c.machine(&node)?.name.clone()));
    let place = world.place(&drive.cell.0, &drive.cell.1, &node, name.as_deref().unwrap_or_default());
    let never = world.strike(FaultName::NeverRuns, place).is_some();
    tokio::time::sleep(pace.start.std()).await;
    // Which automation it is stands where a command's script does.
    let script = drive.with(&id, |a| a.definition.name).unwrap_or_default();
    let number = (!never).then(|| {
        lock(&world.log).started(Execution {
            command_id: id.clone(),
            account: drive.cell.0.clone(),
            region: drive.cell.1.clone(),
            node: node.clone(),
            node_name: name.clone().unwrap_or_default(),
            comment: drive.client_token.clone(),
            script_sha256: Digest::of(script.as_bytes()).to_string(),
            by: "automation",
            started_at: world.now(),
            ended_at: None,
            exit: None,
        })
    });
    let steps = drive.with(&id, |a| a.steps.len()).unwrap_or_default();
    let mut end = Status::Success;
    for at in 0..steps {
        let begun = drive.with(&id, |a| {
            let stop = a.stop;
            if !stop {
                a.steps[at].status = Status::InProgress;
                a.steps[at].started = Some(world.now());
            }
            (!stop).then(|| a.steps[at].desired)
        });
        let Some(Some(desired)) = begun else {
            end = Status::Cancelled;
            break;
        };
        let done = if never { Ok(()) } else { change(&drive, &node, desired) };
        let (status, failure) = match done {
            // What EC2 was asked for it does; a stop only ends the waiting for it.
            Ok(()) if wait(&drive, &id, pace.reboot.std() / 2).await => (Status::Success, String::new()),
            Ok(()) => (Status::Cancelled, String::new()),
            Err(why) => (Status::Failed, why),
        };
        if !never && desired == Desired::Running && failure.is_empty() {
            boot(&drive, &node);
        }
        drive.with(&id, |a| {
            a.steps[at].status = status;
            a.steps[at].ended = Some(world.now());
            a.steps[at].failure.clone_from(&failure);
            a.failure.clone_from(&failure);
        });
        if status != Status::Success {
            end = status;
            break;
        }
    }
    let now = world.now();
    drive.with(&id, |a| {
        a.status = end;
        a.ended = Some(now);
    });
    if let Some(number) = number {
        lock(&world.log).ended(number, now, i32::from(end != Status::Success));
    }
    end
}

/// `false`: it was stopped meanwhile.
async fn wait(drive: &Drive, id: &str, time: Duration) -> bool {
    let until = tokio::time::Instant::now() + time;
    while tokio::time::Instant::now() < until {
        if drive.stopped(id) {
            drive.with(id, |a| a.status = Status::Cancelling);
            tokio::time::sleep(drive.world.settings.pace.cancel.std()).await;
            return false;
        }
        tokio::time::sleep(LOOK_EVERY.min(time)).await;
    }
    true
}

/// EC2 is asked; refusals read as the service words them in an automation.
fn change(drive: &Drive, node: &str, desired: Desired) -> Result<(), String> {
    let (account, region) = (&drive.cell.0, &drive.cell.1);
    let fails = |status: u16, code: &str, message: &str| {
        Err(format!(
            "Step fails when it is Execute/Cancelling action. {message} (Service: AmazonEC2; Status Code: {status}; Error Code: {code}; Request ID: {})",
            request_id()
        ))
    };
    let Some(mut cell) = drive.world.cell(account, region) else { return Ok(()) };
    let Some(machine) = cell.machines.iter_mut().find(|m| m.id.as_str() == node && !m.gone) else {
        return fails(400, "InvalidInstanceID.NotFound", &format!("The instance ID '{node}' does not exist"));
    };
    let resource = format!("arn:aws:ec2:{region}:{account}:instance/{node}");
    let mut context = BTreeMap::new();
    for (key, value) in &machine.tags {
        context.insert(format!("ec2:resourcetag/{key}"), value.clone());
        context.insert(format!("aws:resourcetag/{key}"), value.clone());
    }
    let access = Access { action: desired.action(), resource: &resource, context: &context };
    let Acting { rights, session, arn } = &drive.acting;
    if let Err(why) = check(rights, session.as_deref(), &access) {
        let denial = super::iam::denial(arn, &access, &why);
        let message = format!("You are not authorized to perform this operation. {denial}");
        return fails(403, "UnauthorizedOperation", &message);
    }
    if desired == Desired::Stopped {
        machine.stopped = true;
        machine.online = false;
        node::refresh(&drive.world, account, machine);
    }
    Ok(())
}

/// The machine runs again: a new boot, with its agent and its services, and takes what waits for it.
fn boot(drive: &Drive, node: &str) {
    let Some(mut cell) = drive.world.cell(&drive.cell.0, &drive.cell.1) else { return };
    if let Some(machine) = cell.machines.iter_mut().find(|m| m.id.as_str() == node && m.stopped) {
        machine.start();
        node::rebooted(&drive.world, &drive.cell.0, machine);
    }
    cell.commands.iter().for_each(|c| c.wake.notify_one());
}

impl Machine {
    /// SSM lists it and takes commands for it.
    #[must_use]
    pub fn listed(&self) -> bool {
        self.managed && !self.gone && !self.stopped
    }

    fn start(&mut self) {
        self.stopped = false;
        self.online = self.managed;
        self.reboot();
    }
}
