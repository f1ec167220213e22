//! Two simulators and the bot, each a process of its own, and ways to kill the bot.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use muster::playground::conversation::{Address, Http};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How long anything that must come may take.
pub const SOON: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// SendCommand requests older than this are rejected by the simulated AWS, so that a lost one is settled in seconds.
const REQUEST_EXPIRY: &str = "2s";

/// When the bot is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    Never,
    /// As it makes its commit of this number (from 1) durable. The transaction stands in the file by then, and nobody
    /// has been told.
    AtCommit(usize),
    /// When so many posts and SendCommands have been taken by the other side, before what they answered stands in the
    /// journal: writing is slowed down for that.
    AtDeed(usize),
}

/// A simulated AWS organisation and a simulated Slack workspace for one bot at a time.
pub struct Stage {
    pub aws: Http,
    pub slack: Http,
    keys: [(&'static str, String); 2],
    config: String,
    folder: tempfile::TempDir,
    _processes: [Child; 2],
}

/// The binary under test; `.ci` and people may name another build of it.
fn muster() -> PathBuf {
    std::env::var_os("MUSTER_BIN").map_or_else(|| env!("CARGO_BIN_EXE_muster").into(), PathBuf::from)
}

impl Stage {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let aws_config = folder.path().join("aws.toml");
        let expiry = ["--nodes", "2", "--request-expiry", REQUEST_EXPIRY, "--write-config"];
        let (aws_process, aws) =
            ready(Command::new(muster()).args(["playground", "aws"]).args(expiry).arg(&aws_config)).await;
        let (slack_process, slack) = ready(Command::new(muster()).args(["playground", "slack"])).await;

        for token in ["app_token", "bot_token"] {
            std::fs::write(folder.path().join(token), word(&slack, token)).unwrap();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let config = format!(
            "version = 1\n\n[slack]\ncommand = \"/runbook\"\napi_url = {:?}\napp_token = {{ file = {:?} }}\n\
             bot_token = {{ file = {:?} }}\n\n[paths]\nrunbooks = {:?}\npolicies = {:?}\nstore = STORE\n\n{}",
            word(&slack, "api_url"),
            folder.path().join("app_token"),
            folder.path().join("bot_token"),
            root.join("runbooks"),
            root.join("policies"),
            std::fs::read_to_string(aws_config).unwrap().replacen("[aws]", "[aws]\nreads_per_second = 20", 1),
        );
        let control = |url: String, of: &Value| Http::new(Address { url, token: Some(word(of, "control_token")) });
        Stage {
            keys: [
                ("AWS_ACCESS_KEY_ID", word(&aws, "access_key_id")),
                ("AWS_SECRET_ACCESS_KEY", word(&aws, "secret_access_key")),
            ],
            aws: control(word(&aws, "address"), &aws),
            slack: control(format!("http://{}", word(&slack, "address")), &slack),
            config,
            folder,
            _processes: [aws_process, slack_process],
        }
    }

    /// Everything of one bot, in a folder that no other one has used.
    pub fn new_bot(&self, name: &str) -> Bot {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let store = format!("store = {:?}", folder.join("store"));
        std::fs::write(folder.join("muster.toml"), self.config.replacen("store = STORE", &store, 1)).unwrap();
        Bot { folder, keys: self.keys.clone() }
    }

    pub async fn slack(&self, path: &str) -> Value {
        self.slack.get(path).await.unwrap()
    }

    /// What the simulated AWS lists under this name.
    pub async fn listed(&self, name: &str) -> Vec<Value> {
        let mut answer = self.aws.get(&format!("/{name}")).await.unwrap();
        serde_json::from_value(answer[name].take()).unwrap()
    }

    /// Root messages of the bot in #ops, oldest first.
    pub async fn roots(&self) -> Vec<String> {
        let seen = self.slack("/channels/ops").await;
        let messages = seen["messages"].as_array().into_iter().flatten();
        messages.filter(|m| m["bot_id"].is_string()).map(|m| word(m, "ts")).collect()
    }

    /// The messages of one thread as people read them, the root first.
    pub async fn thread(&self, root: &str) -> Vec<String> {
        let thread = self.slack(&format!("/threads/ops/{root}")).await;
        thread["messages"].as_array().into_iter().flatten().map(|m| word(m, "as_text")).collect()
    }

    /// Posts and SendCommands so far.
    pub async fn deeds(&self) -> usize {
        let mut deeds = self.listed("sends").await.len();
        for root in self.roots().await {
            deeds += self.thread(&root).await.len();
        }
        deeds
    }

    pub async fn connections(&self) -> u64 {
        self.slack("/workspace").await["connections"].as_u64().unwrap()
    }
}

/// What one bot keeps between its lives.
pub struct Bot {
    folder: PathBuf,
    keys: [(&'static str, String); 2],
}

impl Bot {
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// What the bot said in all its lives; for the report of a failure.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Starts it. Dropping the child kills it.
    pub fn start(&self, kill: Kill) -> Child {
        let inject = match kill {
            Kill::Never => None,
            Kill::AtCommit(commit) => Some(format!("fdatasync:signal=SIGKILL:when={commit}")),
            Kill::AtDeed(_) => Some("pwrite64:delay_enter=150ms".to_owned()),
        };
        let mut command = match inject {
            None => Command::new(muster()),
            Some(inject) => {
                let mut strace = Command::new("strace");
                // `-D`: the bot stays our own child, so it can be killed and waited for. No `--seccomp-bpf`: strace 6.1
                // does not count injections with it.
                strace.args(["-D", "-f", "-qq", "-e", "signal=none"]);
                let (call, _) = inject.split_once(':').unwrap();
                strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={inject}"), "-o"]);
                strace.arg(self.folder.join("trace")).arg(muster());
                strace
            }
        };
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
        command.args(["serve", "--config"]).arg(self.folder.join("muster.toml")).envs(self.keys.clone());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true).spawn().unwrap()
    }
}

/// Lets the bot live until `kill` strikes, then starts it again and lets it live. Returns only if it ends otherwise.
pub async fn supervise(stage: &Stage, bot: &Bot, kill: Kill, killed: &tokio::sync::watch::Sender<bool>) -> String {
    let mut child = bot.start(kill);
    let before = stage.deeds().await;
    let ended: ExitStatus = if let Kill::AtDeed(number) = kill {
        tokio::select! {
            ended = child.wait() => ended.unwrap(),
            () = async { while stage.deeds().await < before + number { tokio::time::sleep(Duration::from_millis(2)).await } } => {
                child.start_kill().unwrap();
                child.wait().await.unwrap()
            }
        }
    } else {
        child.wait().await.unwrap()
    };
    if std::os::unix::process::ExitStatusExt::signal(&ended) != Some(9) {
        return format!("the bot ended by itself: {ended}");
    }
    killed.send_replace(true);
    let ended = bot.start(Kill::Never).wait().await.unwrap();
    format!("the bot that was started again ended by itself: {ended}")
}

/// Looks until `met`.
///
/// # Errors
/// Names `what` if it does not come in time.
pub async fn until(what: &str, within: Duration, mut met: impl AsyncFnMut() -> bool) -> Result<(), String> {
    let started = Instant::now();
    while !met().await {
        if started.elapsed() > within {
            return Err(format!("{what} did not come within {} s", within.as_secs()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

pub fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// A simulator with the one line that it prints when it is ready.
async fn ready(command: &mut Command) -> (Child, Value) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(SOON, lines.next_line()).await.expect("a simulator did not start").unwrap();
    (child, serde_json::from_str(&line.expect("a simulator ended")).unwrap())
}
