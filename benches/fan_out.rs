//! One run over many accounts, measured from outside: `cargo bench --profile dev --bench fan_out`.
//!
//! Two simulators and the bot, each a process of its own; the bot is the production program. The same command is typed
//! twice: for one account and region, then for all. Calls are counted by the simulated AWS, not by the bot; what the
//! run took beyond the scripts' own time and the bot's peak memory stand beside them. Ends non-zero unless each node
//! ran exactly once.
//!
//! Without `--profile dev` the official SDKs are compiled once more, optimised like the rest. Other sizes:
//! `… -- --accounts 50 --regions 4 --nodes 20 --script-time 5s --reads-per-second 1`.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use muster::domain::Millis;
use muster::playground::conversation::{self, Address, Endpoints, Http};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

#[derive(Debug, Parser)]
struct Args {
    /// Member accounts, at least 6
    #[arg(long, default_value_t = 50)]
    accounts: usize,
    /// Regions of each account
    #[arg(long, default_value_t = 4)]
    regions: usize,
    /// Nodes of each account in each region
    #[arg(long, default_value_t = 20)]
    nodes: usize,
    /// How long the script takes on each node
    #[arg(long, default_value = "5s")]
    script_time: Millis,
    /// What the simulated AWS adds before every answer
    #[arg(long, default_value = "20ms")]
    latency: Millis,
    /// The bot's own limit for each account and region, as in muster.toml
    #[arg(long, default_value_t = 1.0)]
    reads_per_second: f64,
    /// Given by cargo to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The simulators and the bot end with it.
struct Stage {
    bot: Child,
    endpoints: Endpoints,
    aws: Http,
    _simulators: [Child; 2],
    _folder: tempfile::TempDir,
}

struct Measured {
    nodes: u64,
    sends: u64,
    /// Name of the operation, how often it was called, how often throttled.
    calls: Vec<(String, u64, u64)>,
    took: Duration,
    /// From typing to the first script's start, from there to the last one's end, from there to the closing reply; s.
    phases: [f64; 3],
    /// The longest execution on one node, s.
    longest: f64,
}

impl Measured {
    fn all_calls(&self) -> u64 {
        self.calls.iter().map(|(_, total, _)| total).sum()
    }
}

const RUNBOOK: &str = "version = 1\ntitle = \"Fan out\"\nrisk = \"read\"\nowner = \"platform\"\n\
    description = \"Asks every node how long it has been up.\"\n[targets]\nplatforms = [\"linux\"]\nmax = 50000\n\
    [[steps]]\nname = \"uptime\"\ntimeout = \"10m\"\nshell = '''\nuptime\n'''\n";
const POLICY: &str = "version = 1\n[groups]\nsupport = { slack_usergroups = [\"slack:T0MUSTER:S0SUPPORT\"] }\n\
    [[grant]]\nid = \"all\"\nwho = [\"support\"]\nrun = { names = [\"fan-out\"] }\nwhere = [\"*\"]\nmax_targets = 50000\n";

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let measured = match runtime {
        Ok(runtime) => runtime.block_on(measure(&args)),
        Err(fault) => Err(fault.to_string()),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(args: &Args) -> Result<(), String> {
    println!(
        "{} accounts x {} regions x {} nodes; a script takes {}; every answer of AWS {}; {} reads/s for an account and region",
        args.accounts, args.regions, args.nodes, args.script_time, args.latency, args.reads_per_second
    );
    let stage = stage(args).await?;
    let idle = memory(&stage.bot)?;
    let one = typed(&stage, "accounts=acme-staging regions=eu-west-1 platform=linux").await?;
    let all = typed(&stage, "accounts!=sandbox platform=linux").await?;
    println!("\n{:<34}{:>14}{:>14}", "", "one region", "everything");
    let row = |what: &str, of: &dyn Fn(&Measured) -> String| println!("{what:<34}{:>14}{:>14}", of(&one), of(&all));
    row("nodes, each ran once", &|m| m.nodes.to_string());
    row("SendCommand", &|m| m.sends.to_string());
    row("calls to AWS", &|m| m.all_calls().to_string());
    row("calls to AWS per node", &|m| format!("{:.2}", m.all_calls() as f64 / m.nodes as f64));
    row("from typing to the closing reply", &|m| format!("{:.1} s", m.took.as_secs_f64()));
    row("  until the first script starts", &|m| format!("{:.1} s", m.phases[0]));
    row("  until the last script has ended", &|m| format!("{:.1} s", m.phases[1]));
    row("  until the closing reply", &|m| format!("{:.1} s", m.phases[2]));
    row("longest script on one node", &|m| format!("{:.1} s", m.longest));
    row("beyond the longest script", &|m| format!("{:.1} s", m.took.as_secs_f64() - m.longest));
    println!("\n{:<34}{:>14}{:>14}", "by operation (throttled)", "one region", "everything");
    for (name, total, throttled) in &all.calls {
        let before = one.calls.iter().find(|(n, _, _)| n == name).map_or(0, |(_, total, _)| *total);
        println!("{name:<34}{before:>14}{:>14}", format!("{total} ({throttled})"));
    }
    println!("\nthe bot's memory: {idle} MB at the start, {} MB at its peak", memory(&stage.bot)?);
    Ok(())
}

/// The command is typed, the closing reply awaited, and the simulator asked what ran where.
async fn typed(stage: &Stage, selector: &str) -> Result<Measured, String> {
    let before = calls(&stage.aws).await?;
    let sent_before = sends(&stage.aws).await?;
    let text = format!("@support: /runbook run fan-out on {selector}\nwait done 300s\nexpect ran once on {selector}\n");
    let script = conversation::parse(Path::new("fan_out"), &text)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let (began, typed_at) = (Instant::now(), jiff::Timestamp::now());
    let mut answered = None;
    conversation::play(&script, &stage.endpoints, &mut |line| {
        // What the person said comes first, then the thread as it stands at the closing reply.
        if !line.starts_with('@') {
            answered.get_or_insert_with(Instant::now);
        }
    })
    .await
    .map_err(|fault| fault.to_string())?;
    let took = answered.map_or_else(|| began.elapsed(), |at| at - began);
    let after = calls(&stage.aws).await?;
    let of = |name: &str| before.iter().find(|(n, _, _)| n == name).map_or((0, 0), |(_, total, slow)| (*total, *slow));
    let calls = after.into_iter().map(|(name, total, slow)| {
        let (total_before, slow_before) = of(&name);
        (name, total - total_before, slow - slow_before)
    });
    let new = sends(&stage.aws).await?.split_off(sent_before.len());
    let executions = stage.aws.get("/executions").await?["executions"].take();
    let time = |of: &Value| of.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let ran: Vec<(jiff::Timestamp, jiff::Timestamp)> = executions
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|e| time(&e["started_at"]).zip(time(&e["ended_at"])))
        .filter(|(started, _)| *started > typed_at)
        .collect();
    let (first, last) = (ran.iter().map(|(started, _)| *started).min(), ran.iter().map(|(_, ended)| *ended).max());
    let (first, last) = first.zip(last).ok_or("the simulator tells no execution")?;
    let closed = typed_at + jiff::SignedDuration::try_from(took).map_err(|e| e.to_string())?;
    let seconds = |from: jiff::Timestamp, to: jiff::Timestamp| to.duration_since(from).as_secs_f64();
    Ok(Measured {
        nodes: new.iter().map(|s| s["nodes"].as_array().map_or(0, |n| n.len() as u64)).sum(),
        sends: new.len() as u64,
        calls: calls.filter(|(_, total, _)| *total > 0).collect(),
        took,
        phases: [seconds(typed_at, first), seconds(first, last), seconds(last, closed)],
        longest: ran.iter().map(|(started, ended)| seconds(*started, *ended)).fold(0.0, f64::max),
    })
}

async fn calls(aws: &Http) -> Result<Vec<(String, u64, u64)>, String> {
    let answer = aws.get("/calls").await?;
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap_or_default();
    let all = answer["calls"].as_object().into_iter().flatten();
    Ok(all.map(|(name, c)| (name.clone(), number(c, "total"), number(c, "throttled"))).collect())
}

async fn sends(aws: &Http) -> Result<Vec<Value>, String> {
    Ok(aws.get("/sends").await?["sends"].as_array().cloned().unwrap_or_default())
}

/// Peak resident memory so far, MB, as the kernel counts it.
fn memory(bot: &Child) -> Result<u64, String> {
    let pid = bot.id().ok_or("the bot ended")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|e| e.to_string())?;
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.split_whitespace().next());
    peak.and_then(|kb| kb.parse::<u64>().ok()).map(|kb| kb / 1024).ok_or_else(|| "no VmHWM in /proc".to_owned())
}

async fn stage(args: &Args) -> Result<Stage, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let at = |name: &str| folder.path().join(name);
    let wrong = |fault: std::io::Error| format!("cannot write into the scratch folder: {fault}");
    let mut aws = muster();
    aws.args(["playground", "aws", "--table", "--write-config"]).arg(at("aws.toml"));
    // One more than asked for: `sandbox` is known to Organizations only and cannot be entered.
    for (name, value) in [("accounts", args.accounts + 1), ("regions", args.regions), ("nodes", args.nodes)] {
        aws.arg(format!("--{name}={value}"));
    }
    aws.arg(format!("--script-time={}ms", args.script_time.0)).arg(format!("--latency={}ms", args.latency.0));
    let (aws_process, aws) = ready(&mut aws).await?;
    let (slack_process, slack) = ready(muster().args(["playground", "slack"])).await?;

    for folder in ["runbooks", "policies"] {
        std::fs::create_dir(at(folder)).map_err(wrong)?;
    }
    std::fs::write(at("runbooks").join("fan-out.toml"), RUNBOOK).map_err(wrong)?;
    std::fs::write(at("policies").join("all.toml"), POLICY).map_err(wrong)?;
    for token in ["app_token", "bot_token"] {
        std::fs::write(at(token), word(&slack, token)).map_err(wrong)?;
    }
    let accounts = std::fs::read_to_string(at("aws.toml")).map_err(|e| e.to_string())?;
    let reads = format!("[aws]\nreads_per_second = {:?}", args.reads_per_second);
    let config = format!(
        "version = 1\n[slack]\napi_url = {:?}\napp_token = {{ file = \"app_token\" }}\nbot_token = {{ file = \"bot_token\" }}\n\
         [paths]\nrunbooks = \"runbooks\"\npolicies = \"policies\"\nstore = \"store\"\n{}",
        word(&slack, "api_url"),
        accounts.replacen("[aws]", &reads, 1),
    );
    std::fs::write(at("muster.toml"), config).map_err(wrong)?;
    let log = std::fs::File::create(at("log")).map_err(wrong)?;
    let mut bot = muster();
    bot.arg("serve").arg("--config").arg(at("muster.toml")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    bot.env("AWS_ACCESS_KEY_ID", word(&aws, "access_key_id"));
    bot.env("AWS_SECRET_ACCESS_KEY", word(&aws, "secret_access_key"));
    let mut bot = bot.kill_on_drop(true).spawn().map_err(|e| format!("the bot does not start: {e}"))?;

    let control = |url: String, of: &Value| Address { url, token: Some(word(of, "control_token")) };
    let slack_control = control(format!("http://{}", word(&slack, "address")), &slack);
    let aws_control = control(word(&aws, "address"), &aws);
    let workspace = Http::new(slack_control.clone());
    while workspace.get("/workspace").await?["connections"].as_u64().unwrap_or_default() == 0 {
        if let Ok(Some(ended)) = bot.try_wait() {
            let said = std::fs::read_to_string(at("log")).unwrap_or_default();
            return Err(format!("the bot ended: {ended}\n{said}"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Stage {
        bot,
        aws: Http::new(aws_control.clone()),
        endpoints: Endpoints { chat: slack_control, aws: Some(aws_control) },
        _simulators: [aws_process, slack_process],
        _folder: folder,
    })
}

fn muster() -> Command {
    Command::new(env!("CARGO_BIN_EXE_muster"))
}

/// A simulator with the one line that it prints when it is ready.
async fn ready(command: &mut Command) -> Result<(Child, Value), String> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
    let mut child = child.map_err(|e| format!("a simulator does not start: {e}"))?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let line = lines.next_line().await.map_err(|e| e.to_string())?.ok_or("a simulator ended")?;
    Ok((child, serde_json::from_str(&line).map_err(|e| e.to_string())?))
}

fn word(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap_or_default().to_owned()
}
