//! What AWS holds of one SendCommand, and what becomes of it on each node: all of it told by the time alone.

use std::collections::BTreeMap;
use std::time::Duration;

use muster::domain::{AccountId, CommandId, Node, NodeId, Region, RunId, Timestamp};
use muster::ports::{CommandStatus, Invocation, InvocationStatus, SendRequest};

use super::fortune::Fortune;

/// `muster:<run>:<step>:<shard>:<try>.<send>:<mac>`.
pub fn named_in(token: &str) -> (RunId, u32) {
    let parts: Vec<&str> = token.split(':').collect();
    (parts[1].parse().unwrap(), parts[2].parse().unwrap())
}

#[derive(Debug, Clone)]
pub struct Command {
    pub id: CommandId,
    pub account: AccountId,
    pub region: Region,
    pub token: String,
    pub at: Timestamp,
    /// Lists lag.
    pub shown_from: Timestamp,
    pub nodes: BTreeMap<NodeId, Execution>,
    pub cancel_asked: bool,
}

/// One node's part of it.
#[derive(Debug, Clone)]
pub struct Execution {
    /// The script begins; `None`: it never does.
    pub begins: Option<Timestamp>,
    /// From here on SSM tells the end.
    pub told: Timestamp,
    pub end: End,
    output: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Success,
    Failed,
    TimedOut,
    Denied,
    Undeliverable,
    /// The agent did not answer in time; its script may have run all the same.
    DeliveryTimedOut,
    /// Too many others failed before its turn.
    Terminated,
    Cancelled,
    /// The agent is lost, and SSM says for ever that it runs.
    Never,
}

impl Command {
    pub fn new(id: CommandId, request: &SendRequest, machines: &[&Node], at: Timestamp, fortune: &Fortune) -> Self {
        let lag = fortune.lasts("lists lag", 8, 2_000..25_000).unwrap_or_else(|| fortune.millis(0..2_000));
        let mut executions: Vec<(NodeId, Execution)> =
            machines.iter().map(|node| (node.target.node.clone(), Execution::of(node, request, at, fortune))).collect();
        terminate_late_ones(&mut executions, request.max_errors, at);
        Command {
            id,
            account: request.session.account.clone(),
            region: request.region.clone(),
            token: request.token.clone(),
            at,
            shown_from: at + lag,
            nodes: executions.into_iter().collect(),
            cancel_asked: false,
        }
    }

    /// The same request taken once more, a moment later. Nothing of it begins: the guard on each node sees to that.
    pub fn twin(&self, id: CommandId) -> Self {
        let at = self.at + Duration::from_millis(700);
        let stopped = Execution {
            begins: None,
            told: at + Duration::from_secs(60),
            end: End::Failed,
            output: "something else\n".to_owned(),
        };
        let nodes = self.nodes.keys().map(|node| (node.clone(), stopped.clone())).collect();
        Command { id, at, nodes, ..self.clone() }
    }

    pub fn status(&self, now: Timestamp) -> CommandStatus {
        let ended = self.nodes.values().filter(|e| e.has_ended(now)).count() as u32;
        let target_count = self.nodes.len() as u32;
        let terminal = ended == target_count;
        CommandStatus {
            id: self.id.clone(),
            token: self.token.clone(),
            requested_at: self.at,
            terminal,
            details: if terminal { "Success".into() } else { "InProgress".into() },
            target_count,
            completed_count: ended,
        }
    }

    /// Best effort: what has not begun does not begin, what runs is killed, and a lost agent hears nothing.
    pub fn cancel(&mut self, now: Timestamp) {
        for execution in self.nodes.values_mut().filter(|e| !e.has_ended(now)) {
            let begun = execution.begins.is_some_and(|at| at <= now);
            match execution.end {
                End::Never if begun => {}
                _ => {
                    execution.begins = execution.begins.filter(|_| begun);
                    (execution.end, execution.told) = (End::Cancelled, now + Duration::from_millis(900));
                }
            }
        }
    }
}

/// SSM starts nobody further once more nodes than that have failed.
fn terminate_late_ones(executions: &mut [(NodeId, Execution)], max_errors: u32, at: Timestamp) {
    let failures: Vec<Timestamp> = executions
        .iter()
        .filter(|(_, e)| matches!(e.end, End::Failed | End::TimedOut))
        .map(|(_, execution)| execution.told)
        .collect();
    for (_, execution) in executions.iter_mut() {
        let Some(begins) = execution.begins else { continue };
        // It ramps up: 1, 2, 4, and so on, so only latecomers can be spared.
        let before = failures.iter().filter(|told| **told < begins).count() as u32;
        if before > max_errors && begins > at + Duration::from_secs(1) {
            (execution.begins, execution.end, execution.told) = (None, End::Terminated, begins);
        }
    }
}

impl Execution {
    fn of(node: &Node, request: &SendRequest, at: Timestamp, fortune: &Fortune) -> Self {
        let limit = |name: &str| request.parameters.get(name).and_then(|v| v.first()).and_then(|v| v.parse().ok());
        let timeout = Duration::from_secs(limit("executionTimeout").unwrap_or(30));
        let is_script = request.parameters.contains_key("executionTimeout");
        let delivery = Duration::from_secs(request.delivery_timeout_secs.into());
        let late = if fortune.one_in(4) { fortune.millis(1_000..8_000) } else { fortune.millis(50..900) };
        let begins = at + late;
        let slow = fortune.lasts("slow script", 1000, 20_000..25_000);
        let took = if fortune.one_in(4) { fortune.millis(2_000..25_000) } else { fortune.millis(100..2_000) };
        let took = slow.unwrap_or(took);
        let deaf = !node.online && !fortune.one_in(3);
        let end = if deaf || fortune.strikes("agent deaf", 40) {
            End::DeliveryTimedOut
        } else if fortune.strikes("node unreachable", 40) {
            End::Undeliverable
        } else if fortune.strikes("node denied", 80) {
            End::Denied
        } else if fortune.strikes("script too slow", 40) {
            End::TimedOut
        } else if is_script && fortune.strikes("agent lost", 100) {
            End::Never
        } else if fortune.strikes("script fails", 6) {
            End::Failed
        } else {
            End::Success
        };
        let (begins, told) = match end {
            End::Success | End::Failed => (Some(begins), begins + took),
            End::TimedOut => (Some(begins), begins + timeout),
            End::Undeliverable | End::Denied => (None, begins),
            // The reply was lost, or nothing was heard at all.
            End::DeliveryTimedOut => (fortune.one_in(3).then_some(begins), at + delivery),
            End::Never => (Some(begins), Timestamp::MAX),
            End::Terminated | End::Cancelled => unreachable!("comes of others"),
        };
        let output = match end {
            End::Success | End::Failed if !fortune.one_in(8) => format!("state={}\n", fortune.pick(&["a", "b", "c"])),
            End::Success | End::Failed | End::TimedOut => "something else\n".to_owned(),
            _ => String::new(),
        };
        Execution { begins, told, end, output }
    }

    fn has_ended(&self, now: Timestamp) -> bool {
        self.told <= now
    }

    /// What a look at `now` shows.
    pub fn seen(&self, node: &NodeId, now: Timestamp) -> Invocation {
        let running = (InvocationStatus::Running, "InProgress", None);
        let (status, details, exit_code) = match self.end {
            _ if !self.has_ended(now) => running,
            End::Success => (InvocationStatus::Success, "Success", Some(0)),
            End::Failed => (InvocationStatus::Failed, "Failed", Some(1)),
            End::TimedOut => (InvocationStatus::TimedOut, "ExecutionTimedOut", Some(137)),
            End::Denied => (InvocationStatus::Denied, "AccessDenied", None),
            End::Undeliverable => (InvocationStatus::Undeliverable, "Undeliverable", None),
            End::DeliveryTimedOut => (InvocationStatus::Undeliverable, "DeliveryTimedOut", Some(-1)),
            End::Terminated => (InvocationStatus::Cancelled, "Terminated", None),
            End::Cancelled => (InvocationStatus::Cancelled, "Cancelled", self.begins.map(|_| 137)),
            End::Never => running,
        };
        let output = if status == InvocationStatus::Running { String::new() } else { self.output.clone() };
        let (node, details) = (node.clone(), details.to_owned());
        Invocation { node, execution: None, status, details, exit_code, output, cut: false, objects: Vec::new() }
    }
}
