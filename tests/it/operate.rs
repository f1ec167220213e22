//! The hour when chat is down: what an operator types into a shell of the host, and what is said. The real binary against
//! a bot that serves, the simulators around it.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use muster::playground::conversation::normalise::normalise;
use serde_json::json;

use super::kill::person::{Person, is_closing};
use super::kill::stage::{Bot, Kill, SOON, Stage, until};

/// An approver has to say yes.
const IN_PRODUCTION: &str =
    "/runbook run restart-service service=nginx on accounts=acme-prod tag:service=web because \"ticket 4711\"";

/// The command, what it printed where, and its exit code; without what differs from host to host.
async fn terminal(bot: &Bot, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(arguments).stdin(Stdio::null()).current_dir(bot.store().parent().unwrap());
    // Nothing of the bot's secrets: whoever sits at the shell has none.
    for name in ["SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "MUSTER_CONFIG", "MUSTER_LOG", "AWS_ACCESS_KEY_ID"] {
        command.env_remove(name);
    }
    let out = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let mut text = format!("$ muster {}\n", arguments.join(" "));
    for (name, bytes) in [("stdout", &out.stdout), ("stderr", &out.stderr)] {
        if !bytes.is_empty() {
            write!(text, "--- {name}\n{}", String::from_utf8_lossy(bytes)).unwrap();
        }
    }
    write!(text, "--- exit code {}", out.status.code().unwrap()).unwrap();
    let me = regex::Regex::new(r"host:[A-Za-z0-9._-]+:[A-Za-z0-9._-]+").unwrap();
    normalise(&me.replace_all(&text, "host:<host>:<me>"))
}

#[tokio::test]
async fn an_operator_halts_and_resumes_while_slack_is_down_and_a_restart_forgets_nothing() {
    let stage = Stage::start().await;
    let bot = stage.new_bot("operated");
    let mut said = vec![
        terminal(&bot, &["halt"]).await.replace(&bot.store().display().to_string(), "<store>"),
        terminal(&bot, &["status", "--config", "elsewhere.toml"]).await,
        terminal(&bot, &["cancel", "web-1"]).await,
    ];
    let mut process = bot.start(Kill::Never);
    let person = Person(&stage);
    let root = person.types(IN_PRODUCTION).await.unwrap_or_else(|fault| panic!("{fault}\n{}", bot.log()));
    let thread = async || stage.thread(&root).await;

    // Slack goes away, and the brake works.
    stage.slack.post("/faults", &json!({ "name": "outage", "seconds": 3600 })).await.unwrap();
    said.push(terminal(&bot, &["halt", "--because", "Slack is down, nobody can see anything"]).await);
    said.push(terminal(&bot, &["status"]).await);
    process.start_kill().unwrap();
    process.wait().await.unwrap();
    let socket = bot.store().join("control.sock");
    assert!(socket.exists(), "a killed bot cannot take its socket away");
    said.push(terminal(&bot, &["status"]).await.replace(&bot.store().display().to_string(), "<store>"));

    // Its successor still halts, and finds Slack as it left it.
    let process = bot.start(Kill::Never);
    let store = bot.store().display().to_string();
    until("the successor", SOON, async || terminal(&bot, &["status", "--store", &store]).await.ends_with("code 0"))
        .await
        .unwrap_or_else(|fault| panic!("{fault}\n{}", bot.log()));
    said.push(terminal(&bot, &["halt"]).await);
    stage.slack.delete("/faults").await.unwrap();
    person.approves(&root).await.unwrap_or_else(|fault| panic!("{fault}\n{}", bot.log()));
    until("a card that says so", SOON, async || thread().await[0].contains("halted before its start")).await.unwrap();
    assert!(stage.listed("sends").await.is_empty(), "nothing is sent while everything is halted");

    said.push(terminal(&bot, &["resume"]).await);
    said.push(terminal(&bot, &["resume"]).await);
    until("the last word", SOON, async || thread().await.iter().any(|m| is_closing(m)))
        .await
        .unwrap_or_else(|fault| panic!("{fault}\n{}", bot.log()));
    let mut nodes: Vec<String> = stage.listed("executions").await.iter().map(|e| e["node"].to_string()).collect();
    let ran = nodes.len();
    nodes.sort();
    nodes.dedup();
    assert!(ran > 0 && nodes.len() == ran, "each node ran once: {nodes:?}");
    let short = thread().await[0]
        .split_whitespace()
        .find(|w| w.trim_start_matches('(').starts_with("r-"))
        .map(|w| w.trim_start_matches('(').to_owned());
    let short = short.expect("the name of the run on its card");
    said.push(terminal(&bot, &["cancel", &short]).await);
    drop(process);
    insta::assert_snapshot!(said.join("\n\n"));
}
