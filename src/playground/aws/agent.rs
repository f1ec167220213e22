//! What becomes of a command after it was taken: agents are told, start, run, report, or do not answer.
//!
//! One task drives one command. Nodes are told in a ramp (one, then more with every acknowledgement, up to
//! MaxConcurrency); when more than MaxErrors failed, nobody further is told. An agent that does not answer reads
//! InProgress at first, then Pending/Delayed, and DeliveryTimedOut when the command expires.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::domain::{Digest, Timestamp};

use super::command::{Command, Invocation, State, share};
use super::execute::{Report, Task, Uploads, carry_out};
use super::generate::Machine;
use super::organisation::{CellKey, World};
use super::settings::Pace;

/// What becomes due for an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The agent starts, if it answers.
    Start,
    /// No answer for a while.
    Delayed,
}

/// One command on its way. Invocations are meant by their number in the command.
struct Drive {
    world: Arc<World>,
    cell: CellKey,
    id: String,
    pace: Pace,
    limit: usize,
    max_errors: usize,
    expires: Timestamp,
    document: Arc<str>,
    parameters: Arc<Value>,
    script: Arc<str>,
    shipped: bool,
    comment: String,
    uploads: Option<Uploads>,
    timeout: Duration,
    wake: Arc<Notify>,
    reports: mpsc::UnboundedSender<Report>,
    /// Not told yet.
    waiting: VecDeque<usize>,
    /// Told, whatever became of it.
    told: Vec<usize>,
    /// Told, and the agent does not answer.
    silent: Vec<usize>,
    /// How many may be in flight by now.
    window: usize,
    due: BinaryHeap<Reverse<(Instant, Due, usize)>>,
}

/// Drives the command until nothing of it changes any more.
pub(super) async fn drive(world: Arc<World>, cell: CellKey, id: String, timeout_secs: i64) {
    let (reports, mut reported) = mpsc::unbounded_channel();
    let timeout = Duration::from_secs(u64::try_from(timeout_secs).unwrap_or(3600));
    let Some(mut drive) = Drive::new(world, cell, id, timeout, reports) else { return };
    while drive.settle() {
        drive.tell();
        drive.call_back();
        let wait = drive.next();
        let wake = drive.wake.clone();
        tokio::select! {
            () = tokio::time::sleep_until(wait) => {}
            () = wake.notified() => {}
            Some(report) = reported.recv() => drive.take(report),
        }
        drive.carry();
    }
}

impl Drive {
    fn new(
        world: Arc<World>,
        cell: CellKey,
        id: String,
        timeout: Duration,
        reports: mpsc::UnboundedSender<Report>,
    ) -> Option<Self> {
        let command = world.cell(&cell.0, &cell.1)?.command(&id)?.clone();
        let total = command.invocations.len();
        Some(Drive {
            pace: world.settings.pace,
            limit: share(&command.max_concurrency, total).max(1),
            max_errors: share(&command.max_errors, total),
            expires: command.expires,
            script: script_of(&command.parameters).into(),
            shipped: is_shipped(&world, &command.parameters),
            document: command.document.as_str().into(),
            parameters: Arc::new(command.parameters.clone()),
            uploads: Uploads::of(&command),
            comment: command.comment,
            waiting: (0..total).filter(|i| !command.invocations[*i].state.terminal()).collect(),
            wake: command.wake,
            told: Vec::new(),
            silent: Vec::new(),
            window: 1,
            due: BinaryHeap::new(),
            world,
            cell,
            id,
            timeout,
            reports,
        })
    }

    fn with_command<T>(&self, with: impl FnOnce(&mut Command) -> T) -> Option<T> {
        self.world.cell(&self.cell.0, &self.cell.1)?.command_mut(&self.id).map(with)
    }

    fn with_invocation<T>(&self, number: usize, with: impl FnOnce(&mut Invocation) -> T) -> Option<T> {
        self.with_command(|c| c.invocations.get_mut(number).map(with)).flatten()
    }

    fn machine(&self, number: usize) -> Option<Machine> {
        let cell = self.world.cell(&self.cell.0, &self.cell.1)?;
        let node = cell.command(&self.id)?.invocations.get(number)?.node.clone();
        cell.machine(node.as_str()).cloned()
    }

    /// Cancellations, the error budget and the expiry, as far as they end or change invocations now. `false`: all ended.
    fn settle(&mut self) -> bool {
        let now = self.world.now();
        let (max_errors, expires, silent) = (self.max_errors, self.expires, self.silent.clone());
        let waiting = self.waiting.clone();
        let open = self.with_command(|command| {
            let errors = command.invocations.iter().filter(|i| i.state.is_error()).count();
            for (number, invocation) in command.invocations.iter_mut().enumerate() {
                let (waits, quiet) = (waiting.contains(&number), silent.contains(&number));
                invocation.state = match invocation.state {
                    ended if ended.terminal() => ended,
                    State::Cancelling => State::Cancelling,
                    // The agent kills a moment later, and reports.
                    State::InProgress if invocation.cancel.load(Ordering::SeqCst) && !quiet => State::Cancelling,
                    _ if invocation.cancel.load(Ordering::SeqCst) => State::Cancelled,
                    _ if waits && errors > max_errors => State::Terminated,
                    _ if now >= expires && (waits || quiet) => State::DeliveryTimedOut,
                    same => same,
                };
            }
            command.invocations.iter().map(|i| !i.state.terminal()).collect::<Vec<bool>>()
        });
        let open = open.unwrap_or_default();
        self.waiting.retain(|n| open[*n]);
        open.contains(&true)
    }

    /// Tells as many nodes as may be in flight.
    fn tell(&mut self) {
        let told = self.told.clone();
        let in_flight = self.with_command(|c| told.iter().filter(|n| !c.invocations[**n].state.terminal()).count());
        let free = self.window.min(self.limit).saturating_sub(in_flight.unwrap_or_default());
        for _ in 0..free {
            let Some(number) = self.waiting.pop_front() else { return };
            self.told.push(number);
            self.due.push(Reverse((Instant::now() + self.pace.start.std(), Due::Start, number)));
        }
    }

    /// A silent agent that came back takes what waits for it.
    fn call_back(&mut self) {
        let back = |n: &usize| self.machine(*n).is_some_and(|m| m.answers());
        let (here, gone): (Vec<usize>, Vec<usize>) = self.silent.iter().copied().partition(back);
        self.silent = gone;
        self.due.extend(here.into_iter().map(|n| Reverse((Instant::now(), Due::Start, n))));
    }

    fn next(&self) -> Instant {
        let left = Duration::try_from(self.expires.duration_since(self.world.now())).unwrap_or_default();
        // After the expiry only running scripts are left, and they report by themselves.
        let expiry = if left.is_zero() { Duration::from_secs(1) } else { left + Duration::from_millis(1) };
        let wait = Instant::now() + expiry;
        self.due.peek().map_or(wait, |Reverse((at, ..))| wait.min(*at))
    }

    fn take(&mut self, report: Report) {
        self.with_invocation(report.number, |invocation| {
            if !invocation.state.terminal() {
                invocation.state = report.state;
                invocation.code = report.code;
                invocation.stdout = report.stdout;
                invocation.stderr = report.stderr;
                invocation.started = Some(report.started);
                invocation.finished = Some(report.finished);
            }
        });
    }

    /// Carries out what is due.
    fn carry(&mut self) {
        while self.due.peek().is_some_and(|Reverse((at, ..))| *at <= Instant::now()) {
            let Some(Reverse((_, what, number))) = self.due.pop() else { return };
            let open = self.with_invocation(number, |i| (!i.state.terminal()).then(|| i.cancel.clone())).flatten();
            if let (Some(cancel), Some(machine)) = (open, self.machine(number)) {
                match what {
                    Due::Start => self.start(number, machine, cancel),
                    Due::Delayed if self.silent.contains(&number) => self.set(number, State::Delayed),
                    Due::Delayed => {}
                }
            }
        }
    }

    fn set(&self, number: usize, state: State) {
        self.with_invocation(number, |i| i.state = state);
    }

    fn start(&mut self, number: usize, machine: Machine, cancel: Arc<AtomicBool>) {
        // Every acknowledgement makes room for one more, which doubles what is in flight with every round.
        self.window = (self.window + 1).min(self.limit);
        if machine.gone {
            return self.set(number, State::Undeliverable);
        }
        self.set(number, State::InProgress);
        if !machine.answers() {
            self.silent.push(number);
            self.due.push(Reverse((Instant::now() + self.pace.delayed.std(), Due::Delayed, number)));
            return;
        }
        let task = Task {
            world: self.world.clone(),
            cell: self.cell.clone(),
            command: self.id.clone(),
            comment: self.comment.clone(),
            number,
            machine,
            document: self.document.clone(),
            parameters: self.parameters.clone(),
            script: self.script.clone(),
            shipped: self.shipped,
            uploads: self.uploads.clone(),
            timeout: self.timeout,
            kill: Arc::default(),
        };
        tokio::spawn(carry_out(task, cancel, self.reports.clone()));
    }
}

fn script_of(parameters: &Value) -> String {
    let lines = parameters.get("commands").and_then(Value::as_array);
    let joined: Vec<&str> = lines.into_iter().flatten().filter_map(Value::as_str).collect();
    joined.join("\n") + "\n"
}

/// The prelude before it only decodes values and takes the once-guard, so the script itself is what counts.
fn is_shipped(world: &World, parameters: &Value) -> bool {
    let last = parameters.get("commands").and_then(Value::as_array).and_then(|c| c.last()).and_then(Value::as_str);
    last.is_some_and(|script| world.settings.shipped.contains(&Digest::of(script.as_bytes())))
}
