//! One node's execution of one command: as a confined script, from its tables, or, under a fault, twice or never.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::{Digest, NodePlatform, Timestamp};

use super::command::{Command, State};
use super::confine::{Job, Strength};
use super::faults::FaultName;
use super::generate::Machine;
use super::log::Execution;
use super::node;
use super::organisation::{CellKey, World, lock};
use super::settings::Execution as How;
use super::{answers, documents, tables};

/// How often the agent takes up a command again: its own `CommandRetryLimit`.
const RUNS_MAX: usize = 15;

/// How an execution ended, as the service learns it.
pub(super) struct Report {
    /// Which of the command's invocations it is.
    pub number: usize,
    pub state: State,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub started: Timestamp,
    pub finished: Timestamp,
}

/// Where a command wants whole outputs.
#[derive(Debug, Clone)]
pub(super) struct Uploads {
    bucket: String,
    /// Of the keys, up to the node.
    before: String,
    /// Of the keys, behind the node.
    behind: String,
}

impl Uploads {
    pub fn of(command: &Command) -> Option<Self> {
        let plugin = command.plugin.replace(':', "");
        // What keys look like natively is known for documents of the old schema.
        (!command.bucket.is_empty() && command.plugin.starts_with("aws:")).then(|| Uploads {
            bucket: command.bucket.clone(),
            before: format!("{}/{}", command.prefix, command.id).trim_start_matches('/').to_owned(),
            behind: format!("{plugin}/0.{plugin}"),
        })
    }

    /// Streams that are empty are not put.
    fn put(&self, world: &World, node: &str, streams: [(&str, &str); 2]) {
        if !world.settings.buckets.contains(&self.bucket) {
            return;
        }
        let at = world.now() + world.settings.pace.upload.signed();
        for (name, text) in streams.into_iter().filter(|(_, text)| !text.is_empty()) {
            let key = format!("{}/{node}/{}/{name}", self.before, self.behind);
            lock(&world.objects).put(&self.bucket, key, text.as_bytes().to_vec(), at);
        }
    }
}

/// Everything an execution needs to know.
#[derive(Clone)]
pub(super) struct Task {
    pub world: Arc<World>,
    pub cell: CellKey,
    pub command: String,
    pub comment: String,
    pub number: usize,
    pub machine: Machine,
    pub document: Arc<str>,
    pub parameters: Arc<Value>,
    pub script: Arc<str>,
    pub shipped: bool,
    pub uploads: Option<Uploads>,
    pub timeout: Duration,
    /// Set when the agent has heard of a cancellation.
    pub kill: Arc<AtomicBool>,
}

/// The agent's work on one command: run, run again after a reboot, or, under a fault, twice or not at all.
pub(super) async fn carry_out(task: Task, asked_to_stop: Arc<AtomicBool>, reports: mpsc::UnboundedSender<Report>) {
    let pace = task.world.settings.pace;
    let (account, region) = (task.cell.0.as_str(), task.cell.1.as_str());
    // CancelCommand reaches the agent a moment after it was asked.
    let (flag, kill) = (asked_to_stop.clone(), task.kill.clone());
    let messenger = tokio::spawn(async move {
        while !flag.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(pace.cancel.std()).await;
        kill.store(true, Ordering::SeqCst);
    });
    let place = task.world.place(account, region, task.machine.id.as_str(), &task.machine.name);
    let never = task.world.strike(FaultName::NeverRuns, place).is_some();
    let twice = task.world.strike(FaultName::RunsTwice, place).is_some();
    let second = task.world.strike(FaultName::SecondCopy, place).is_some();
    let secret = task.world.strike(FaultName::SecretInOutput, place).is_some();
    let fails = task.world.strike(FaultName::ScriptFails, place).map(|f| f.value.unwrap_or(1));
    if let Some(slow) = task.world.strike(FaultName::SlowNode, place) {
        wait(&task.kill, Duration::from_millis(slow.value.unwrap_or(3000))).await;
    }
    let long = task.world.strike(FaultName::LongOutput, place);
    let started = task.world.now();
    let mut ended = if never { pretend(&task).await } else { execute(&task).await };
    if second {
        ended = execute(&task).await;
    }
    // The script asks for a reboot, and to be run again after it, for as long as it asks.
    let asks = if task.machine.platform == NodePlatform::Windows { 3010 } else { 194 };
    for _ in 1..RUNS_MAX {
        if ended.code != asks || never {
            break;
        }
        reboot(&task).await;
        ended = if task.kill.load(Ordering::SeqCst) { Ended::killed(true) } else { execute(&task).await };
    }
    if let (Some(code), 0) = (fails, ended.code) {
        ended.code = i32::try_from(code).unwrap_or(1);
        ended.stderr.push_str("E: the disk said no, and nobody knows why\n");
    }
    messenger.abort();
    let finished = task.world.now();
    tokio::time::sleep(pace.report.std()).await;
    if secret {
        ended.stdout.push_str(&tables::leaked_secret());
    }
    if let Some(spec) = long {
        ended.stdout = tables::long_log(spec.value.unwrap_or(100)) + &ended.stdout;
    }
    let state = match ended.code {
        0 => State::Success,
        _ if ended.cancelled => State::Cancelled,
        // The agent reads 137 as its own kill, also where the script itself ended so.
        137 => State::ExecutionTimedOut,
        _ => State::Failed,
    };
    if state == State::Failed {
        if !ended.stderr.is_empty() && !ended.stderr.ends_with('\n') {
            ended.stderr.push('\n');
        }
        ended.stderr.push_str(&format!("failed to run commands: exit status {}", ended.code));
    }
    if let Some(uploads) = &task.uploads {
        uploads.put(&task.world, task.machine.id.as_str(), [("stdout", &ended.stdout), ("stderr", &ended.stderr)]);
    }
    let (code, stdout, stderr) = (ended.code, cap(ended.stdout), cap(ended.stderr));
    let _ = reports.send(Report { number: task.number, state, code, stdout, stderr, started, finished });
    if twice {
        // The service has its answer; nobody but the log learns of the second time.
        execute(&task).await;
    }
}

/// So long, or until the agent has heard of a cancellation.
async fn wait(kill: &AtomicBool, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until && !kill.load(Ordering::SeqCst) {
        tokio::time::sleep_until(until.min(Instant::now() + Duration::from_millis(50))).await;
    }
}

/// The service keeps no more than 24,000 characters; a margin lets it see that something was cut.
fn cap(mut text: String) -> String {
    let mut end = text.len().min(24_100);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
    cancelled: bool,
}

impl Ended {
    fn killed(cancelled: bool) -> Self {
        Ended { code: 137, stdout: String::new(), stderr: String::new(), cancelled }
    }
}

/// The machine goes down, its agent with it, and comes back with another boot id. Commands that were sent meanwhile
/// are taken then.
async fn reboot(task: &Task) {
    let (account, region) = (task.cell.0.as_str(), task.cell.1.as_str());
    let with_machine = |change: &dyn Fn(&mut Machine)| {
        let Some(mut cell) = task.world.cell(account, region) else { return };
        if let Some(machine) = cell.machines.iter_mut().find(|m| m.id == task.machine.id) {
            change(machine);
        }
        cell.commands.iter().for_each(|c| c.wake.notify_one());
    };
    with_machine(&|machine| machine.rebooting = true);
    tokio::time::sleep(task.world.settings.pace.reboot.std()).await;
    with_machine(&|machine| {
        machine.reboot();
        machine.rebooting = false;
        node::rebooted(&task.world, account, machine);
    });
    lock(&task.world.log).changed();
}

/// Success with plausible output, without an execution.
async fn pretend(task: &Task) -> Ended {
    tokio::time::sleep(Duration::from_millis(30)).await;
    let mut machine = task.machine.clone();
    let told = documents::answer(&task.document, &task.parameters, &mut machine, task.world.now());
    let answer = told.unwrap_or_else(|| answers::answer(&task.script, &task.command, &mut machine));
    Ended { code: 0, stdout: answer.stdout, stderr: String::new(), cancelled: false }
}

/// One execution, written into the log with its start and its end.
async fn execute(task: &Task) -> Ended {
    let world = &task.world;
    let scripted = task.machine.platform == NodePlatform::Linux && task.parameters.get("commands").is_some();
    let confined =
        scripted && world.confinement.as_ref().is_some_and(|c| task.shipped || c.strength() == Strength::Full);
    let permit = if confined { world.slots.clone().acquire_owned().await.ok() } else { None };
    let number = lock(&world.log).started(Execution {
        command_id: task.command.clone(),
        account: task.cell.0.clone(),
        region: task.cell.1.clone(),
        node: task.machine.id.to_string(),
        node_name: task.machine.name.clone(),
        comment: task.comment.clone(),
        script_sha256: Digest::of(task.script.as_bytes()).to_string(),
        by: if confined { "script" } else { "table" },
        started_at: world.now(),
        ended_at: None,
        exit: None,
    });
    let ended = if confined { run(task).await } else { from_table(task).await };
    drop(permit);
    lock(&world.log).ended(number, world.now(), ended.code);
    ended
}

async fn from_table(task: &Task) -> Ended {
    let script_time = match task.world.settings.execution {
        How::Table { script_time } => script_time.std(),
        How::Scripts => Duration::from_millis(40),
    };
    let deadline = Instant::now() + script_time.min(task.timeout);
    while Instant::now() < deadline {
        if task.kill.load(Ordering::SeqCst) {
            return Ended::killed(true);
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + Duration::from_millis(250))).await;
    }
    if script_time > task.timeout {
        return Ended::killed(false);
    }
    let mut answer = answers::Answer { code: 1, stdout: String::new(), stderr: String::new() };
    if let Some(mut cell) = task.world.cell(&task.cell.0, &task.cell.1)
        && let Some(machine) = cell.machines.iter_mut().find(|m| m.id == task.machine.id)
    {
        let told = documents::answer(&task.document, &task.parameters, machine, task.world.now());
        answer = told.unwrap_or_else(|| answers::answer(&task.script, &task.command, machine));
        node::refresh(&task.world, &task.cell.0, machine);
    }
    Ended { code: answer.code, stdout: answer.stdout, stderr: answer.stderr, cancelled: false }
}

async fn run(task: &Task) -> Ended {
    let task = task.clone();
    let failed = |why: String| Ended { code: 1, stdout: String::new(), stderr: why, cancelled: false };
    let done = tokio::task::spawn_blocking(move || {
        let Some(confinement) = &task.world.confinement else { return failed("nothing runs here".to_owned()) };
        let scratch = match node::scratch(&task.world, &task.cell.0, &task.machine) {
            Ok(Some(path)) => path,
            Ok(None) => return failed("nothing runs here".to_owned()),
            Err(e) => return failed(format!("the scratch folder could not be made: {e}")),
        };
        let environment = vec![
            ("SSM_COMMAND_ID", task.command.clone()),
            ("AWS_SSM_INSTANCE_ID", task.machine.id.to_string()),
            ("AWS_SSM_REGION_NAME", task.cell.1.clone()),
            ("AWS_SSM_PLATFORM_NAME", task.machine.distribution.name().0.to_owned()),
            ("AWS_SSM_PLATFORM_VERSION", task.machine.distribution.name().1.to_owned()),
        ];
        let job = Job {
            script: &task.script,
            script_path: &format!(
                "/var/lib/amazon/ssm/{}/document/orchestration/{}/awsrunShellScript/0.awsrunShellScript/_script.sh",
                task.machine.id, task.command
            ),
            scratch: &scratch,
            family: task.machine.distribution.family(),
            environment,
            timeout: task.timeout,
            cancel: task.kill.clone(),
        };
        let ended = confinement.run(&job);
        if let Some(mut cell) = task.world.cell(&task.cell.0, &task.cell.1)
            && let Some(machine) = cell.machines.iter_mut().find(|m| m.id == task.machine.id)
        {
            node::learn(&scratch, machine);
        }
        match ended {
            Ok(e) => Ended { code: e.code, stdout: e.stdout, stderr: e.stderr, cancelled: e.cancelled },
            Err(why) => failed(why),
        }
    });
    done.await.unwrap_or_else(|_| failed("the execution died".to_owned()))
}
