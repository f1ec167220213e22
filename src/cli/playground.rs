//! `muster playground`: the whole program on this machine, against a simulated AWS organisation and a simulated Slack
//! workspace that it starts itself. Only endpoints, tokens and paths differ from a real installation.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::adapters::aws::BaseKeys;
use crate::app::{self, Setup};
use crate::config::{Config, Host};
use crate::domain::{Digest, Millis, Secret};
use crate::playground::aws::{FaultSpec, Organisation, Settings as AwsSettings, serve};
use crate::playground::conversation::{Address, Endpoints};
use crate::playground::slack::{self, Options, Server};
use crate::runbook::{self, Arguments, Library};
use crate::{rules, shipped};

use super::playground_alone::Alone;
use super::playground_aws;

mod play;

use play::converse;

/// Try everything on this machine.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  muster playground\n  muster playground --tour\n  muster playground --tour --break lost-answer\n  \
                  muster playground --runbooks runbooks --policies policies\n\nScripts run with `sh` in a scratch folder, confined \
                  so that they can neither read nor change this machine."
)]
pub struct Args {
    #[command(subcommand)]
    alone: Option<Alone>,
    /// Play the tour by itself, print it, check it against the simulators' own logs, and exit non-zero if it is not right
    #[arg(long)]
    tour: bool,
    /// Play this conversation file in place of the tour's; may be repeated, each goes on where the one before ended
    #[arg(long, value_name = "FILE")]
    play: Vec<PathBuf>,
    /// Write what the `snapshot` steps see, without what differs from run to run, as DIR/CONVERSATION-N.txt
    #[arg(long, value_name = "DIR")]
    snapshots: Option<PathBuf>,
    /// Write every message body and modal that was sent to Slack, one JSON line each, for a validator
    #[arg(long, value_name = "FILE")]
    bodies: Option<PathBuf>,
    /// Plant a fault in a simulator; may be repeated. A wrong name lists all of them
    #[arg(long = "break", value_name = "NAME")]
    breaks: Vec<String>,
    /// Where the page is served; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Your own runbooks in place of the shipped ones; read again when they change
    #[arg(long, value_name = "DIR", requires = "policies")]
    runbooks: Option<PathBuf>,
    /// Your own policies in place of the shipped ones
    #[arg(long, value_name = "DIR", requires = "runbooks")]
    policies: Option<PathBuf>,
    /// Nodes of each account in each region
    #[arg(long, default_value_t = 4)]
    nodes: usize,
    /// The same seed gives the same organisation
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The command that the simulated workspace knows.
const COMMAND: &str = "/runbook";

/// Runs until it is told to stop, or until the conversation has been played.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(fault) => return super::complain(fault),
    };
    match args.alone {
        Some(alone) => runtime.block_on(alone.run()),
        None => match runtime.block_on(play(args)) {
            Ok(code) => code,
            Err(fault) => super::complain(fault),
        },
    }
}

async fn play(args: Args) -> Result<ExitCode, String> {
    let playing = args.tour || !args.play.is_empty();
    crate::telemetry::log(Some(if playing { "error" } else { "warn,muster=info" }));
    // Gone when the playground ends; readable by this user only.
    let folder = tempfile::Builder::new().prefix("muster-playground-").tempdir();
    let folder = folder.map_err(|fault| format!("no scratch folder can be made: {fault}"))?;
    let (aws_breaks, slack_breaks) = sort_breaks(&args.breaks)?;

    let organisation = Organisation::new(AwsSettings {
        nodes: args.nodes,
        seed: args.seed,
        faults: AwsSettings::default().faults.into_iter().chain(aws_breaks).collect(),
        shipped: shipped_scripts(),
        ..AwsSettings::default()
    })
    .map_err(|fault| fault.to_string())?;
    if let Some(why) = organisation.confinement_fault() {
        eprintln!("{why}");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(|fault| fault.to_string())?;
    let aws = serve(listener, organisation.clone()).await.map_err(|fault| fault.to_string())?;
    let workspace = Server::start(Options {
        listen: args.listen,
        breaks: slack_breaks,
        organisation: Some(Address { url: aws.url(), token: aws.control_token.clone() }),
        ..Options::default()
    })
    .await
    .map_err(|fault| fault.to_string())?;

    let setup = setup(&args, folder.path(), &organisation, &aws.url(), &workspace)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut bot = tokio::spawn(app::run(setup, async move {
        let _ = stopped.await;
    }));
    tokio::select! {
        () = connected(&workspace) => {}
        ended = bot_ended(&mut bot) => return Err(ended),
    }

    let code = if playing {
        let endpoints = Endpoints {
            chat: Address { url: workspace.base_url(), token: Some(workspace.control_token.clone()) },
            aws: Some(Address { url: aws.url(), token: aws.control_token.clone() }),
        };
        converse(&args, &endpoints).await
    } else {
        println!("Muster is running against a simulated AWS organisation and a simulated Slack workspace.\n");
        println!("  Open  {}\n", workspace.page_url());
        let muster = std::env::args_os().next().map_or_else(|| "muster".into(), PathBuf::from);
        let store = store(folder.path());
        println!(
            "  On the host, also while Slack is down (or halt, resume, cancel RUN):\n  {} status --store {}\n",
            muster.display(),
            store.display()
        );
        println!("You are susan of support. Type `/runbook help` in #ops. Ctrl-C ends it; nothing is kept.");
        tokio::select! {
            () = app::interrupted() => Ok(ExitCode::SUCCESS),
            ended = bot_ended(&mut bot) => Err(ended),
        }
    };
    let _ = stop.send(());
    workspace.stop();
    aws.shutdown();
    code
}

fn store(folder: &Path) -> PathBuf {
    folder.join("store")
}

/// Returns when the bot listens.
async fn connected(workspace: &Server) {
    while workspace.workspace.hub.connections() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn bot_ended(bot: &mut tokio::task::JoinHandle<Result<(), String>>) -> String {
    match bot.await {
        Ok(Err(fault)) => fault,
        Ok(Ok(())) => "the bot ended".into(),
        Err(fault) => fault.to_string(),
    }
}

/// The same files that an installation has, written into the scratch folder and read by the same reader.
fn setup(
    args: &Args,
    folder: &Path,
    organisation: &Organisation,
    aws: &str,
    workspace: &Server,
) -> Result<Setup, String> {
    let config = folder.join("muster.toml");
    let wrong = |fault: std::io::Error| format!("`{}` cannot be written: {fault}", config.display());
    playground_aws::write_config(&config, organisation, aws, Millis::from_secs(300)).map_err(wrong)?;
    let aws_part = std::fs::read_to_string(&config).map_err(wrong)?;
    let secrets = config.with_extension("secrets");
    for (name, token) in [("app", &workspace.app_token), ("bot", &workspace.bot_token)] {
        std::fs::write(secrets.join(name), token).map_err(wrong)?;
    }
    // Read by a file in the scratch folder, where a relative path would mean something else.
    let given = |path: &Option<PathBuf>, usual: &str| match path {
        Some(path) => std::path::absolute(path).map_err(wrong),
        None => Ok(folder.join(usual)),
    };
    let slack_part = format!(
        "version = 1\n\n[slack]\ncommand = {:?}\napi_url = {:?}\napp_token = {{ file = {:?} }}\nbot_token = {{ file = {:?} }}\n\n\
         [paths]\nrunbooks = {:?}\npolicies = {:?}\nstore = {:?}\n\n",
        COMMAND,
        workspace.api_url,
        secrets.join("app"),
        secrets.join("bot"),
        given(&args.runbooks, "runbooks")?,
        given(&args.policies, "policies")?,
        store(folder),
    );
    std::fs::write(&config, slack_part + &aws_part).map_err(wrong)?;
    let config = Config::load(&config, &Host)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let mut setup = super::setup::from_config(config)?;
    if args.runbooks.is_none() {
        setup.rules = rules::Source::Shipped;
    }
    let base = organisation.base_credentials();
    setup.aws.base_keys =
        Some(BaseKeys { access_key_id: base.access_key, secret_access_key: Secret::new(base.secret) });
    // The simulated API has the limits of the real one, but a newcomer should not wait for them.
    setup.reads_per_second = 4.0;
    Ok(setup)
}

/// Each name belongs to one of the simulators.
fn sort_breaks(names: &[String]) -> Result<(Vec<FaultSpec>, Vec<String>), String> {
    let mut aws = Vec::new();
    let mut chat = Vec::new();
    for name in names {
        match name.parse::<FaultSpec>() {
            Ok(fault) => aws.push(fault),
            Err(_) if slack::faults::NAMES.iter().any(|(known, _)| known == name) => chat.push(name.clone()),
            Err(why) => {
                let in_chat: Vec<&str> = slack::faults::NAMES.iter().map(|(name, _)| *name).collect();
                return Err(format!("{why}; or one of Slack's: {}", in_chat.join(", ")));
            }
        }
    }
    Ok((aws, chat))
}

/// The scripts of the shipped runbooks, which may run under the weaker confinement of older kernels.
fn shipped_scripts() -> BTreeSet<Digest> {
    let Ok(library) = Library::load(shipped::RUNBOOKS.iter().copied()) else { return BTreeSet::new() };
    let steps = library.runbooks.values().flat_map(|book| &book.steps);
    steps
        .filter_map(|step| runbook::commands(step, &Arguments::new(), None).pop())
        .map(|script| Digest::of(script.as_bytes()))
        .collect()
}
