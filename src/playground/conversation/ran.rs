//! What really ran, asked from the simulated AWS and never from the bot.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Http;
use super::selector::Selector;

/// How long an execution that has begun may take to end before it is judged.
const SETTLE: Duration = Duration::from_secs(20);

/// What had been sent when the last command was typed.
#[derive(Debug, Clone, Default)]
pub struct Before {
    commands: BTreeSet<String>,
    executions: usize,
}

impl Before {
    pub async fn now(aws: &Http) -> Result<Self, String> {
        let sends = listed(aws, "/sends", "sends").await?;
        let executions = listed(aws, "/executions", "executions").await?.len();
        Ok(Self { commands: sends.iter().map(|s| word(s, "command_id")).collect(), executions })
    }
}

/// What was sent since `before`, one request on a line: account, region, document, nodes and parameters. The id of the run,
/// which stands in its client token too, is left out, and the order, which depends on the moment.
pub async fn sent_since(aws: &Http, before: &Before) -> Result<Vec<String>, String> {
    let sends = listed(aws, "/sends", "sends").await?;
    let is_new = |send: &&Value| !before.commands.contains(&word(send, "command_id"));
    let mut lines: Vec<String> = sends.iter().filter(is_new).map(told).collect();
    lines.sort();
    Ok(lines)
}

fn told(send: &Value) -> String {
    let mut nodes: Vec<&str> = send["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    nodes.sort_unstable();
    let parameters = send["parameters"].to_string();
    let comment = word(send, "comment");
    let run = comment.split(':').nth(1).filter(|run| !run.is_empty());
    let parameters = run.map_or_else(|| parameters.clone(), |run| parameters.replace(run, "<run>"));
    let place = [word(send, "account"), word(send, "region"), word(send, "document")].join(" ");
    format!("{place} on {} with {parameters}", nodes.join(","))
}

/// Every online, managed node that fits ran every script of the new commands exactly once, each node was sent each
/// script once, and no other node ran anything. `Err` tells every difference.
pub async fn ran_once(aws: &Http, before: &Before, selector: &Selector) -> Result<(), String> {
    let (sends, executions) = new(aws, before).await?;
    let nodes = listed(aws, "/nodes", "nodes").await?;
    let labels: BTreeMap<String, Value> = listed(aws, "/accounts", "accounts")
        .await?
        .into_iter()
        .map(|account| (word(&account, "id"), account["labels"].clone()))
        .collect();
    let none = Value::Null;
    let wanted: BTreeSet<(String, String, String)> = nodes
        .iter()
        .filter(|n| n["online"] == true && n["managed"] == true && n["state"] == "running")
        .filter(|n| selector.fits(n, labels.get(&word(n, "account")).unwrap_or(&none)))
        .map(|n| place(n, "node"))
        .collect();
    let mut faults = Vec::new();
    if wanted.is_empty() {
        faults.push("the selector matches no online node".to_owned());
    }
    let scripts: BTreeSet<String> = executions.iter().map(|e| word(e, "script_sha256")).collect();
    if scripts.is_empty() {
        faults.push(format!("nothing ran; {} nodes should have", wanted.len()));
    }
    for script in &scripts {
        let mut runs: BTreeMap<(String, String, String), u32> = BTreeMap::new();
        for execution in executions.iter().filter(|e| word(e, "script_sha256") == *script) {
            *runs.entry(place(execution, "node")).or_default() += 1;
        }
        for node in &wanted {
            match runs.remove(node) {
                Some(1) => {}
                Some(times) => faults.push(format!("{} ran the same script {times} times", shown(node))),
                None => faults.push(format!("{} did not run", shown(node))),
            }
        }
        faults.extend(runs.keys().map(|node| format!("{} ran, but does not fit the selector", shown(node))));
    }
    let mut sent: BTreeMap<(String, (String, String, String)), u32> = BTreeMap::new();
    for send in &sends {
        for node in send["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let at = (word(send, "account"), word(send, "region"), node.to_owned());
            *sent.entry((word(send, "parameters_sha256"), at)).or_default() += 1;
        }
    }
    for ((_, node), times) in sent.iter().filter(|(_, times)| **times > 1) {
        faults.push(format!("{} was sent the same command {times} times", shown(node)));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

pub async fn nothing_ran(aws: &Http, before: &Before) -> Result<(), String> {
    let (sends, executions) = new(aws, before).await?;
    if sends.is_empty() && executions.is_empty() {
        return Ok(());
    }
    Err(format!("{} commands were sent and {} executions began", sends.len(), executions.len()))
}

/// Sends and executions since `before`, once no execution is under way.
async fn new(aws: &Http, before: &Before) -> Result<(Vec<Value>, Vec<Value>), String> {
    let started = Instant::now();
    loop {
        let sends = listed(aws, "/sends", "sends").await?;
        let sends: Vec<Value> =
            sends.into_iter().filter(|s| !before.commands.contains(&word(s, "command_id"))).collect();
        let ids: BTreeSet<String> = sends.iter().map(|s| word(s, "command_id")).collect();
        let executions: Vec<Value> = listed(aws, "/executions", "executions")
            .await?
            .into_iter()
            .skip(before.executions)
            .filter(|e| ids.contains(&word(e, "command_id")) || !before.commands.contains(&word(e, "command_id")))
            .collect();
        let running = executions.iter().any(|e| e["ended_at"].is_null());
        if !running || started.elapsed() > SETTLE {
            return Ok((sends, executions));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn listed(aws: &Http, path: &str, name: &str) -> Result<Vec<Value>, String> {
    let mut answer = aws.get(path).await?;
    match answer[name].take() {
        Value::Array(items) => Ok(items),
        _ => Err(format!("the simulated AWS lists no `{name}` at `{path}`")),
    }
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn place(value: &Value, node: &str) -> (String, String, String) {
    (word(value, "account"), word(value, "region"), word(value, node))
}

fn shown((account, region, node): &(String, String, String)) -> String {
    format!("`{node}` in {account} {region}")
}
