//! `muster doctor`: looks at everything that an installation needs and says what is missing, with the remedy. It sends
//! nothing to a node and says nothing in chat.

mod aws;
#[cfg(feature = "discord")]
mod discord;
mod host;
pub mod report;
mod slack;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::adapters::aws::Aws;
use crate::adapters::clock::SystemClock;
#[cfg(feature = "discord")]
use crate::adapters::discord::Discord;
use crate::adapters::slack::Slack;
use crate::config::{Config, Host};
use crate::engine::cloud::Limited;
use crate::engine::limits::{Limits, Rate};
use crate::ports::Clock;
use crate::runbook::{Action, Library, Runbook};

use super::terminal::{self, Terminal};
use report::{Report, State};

/// What to look at.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  muster doctor --config /etc/muster/muster.toml\n  muster doctor --account acme-prod\n  \
    muster doctor --json | jq '.findings[] | select(.state == \"broken\")'\n\n\
    It looks at the configuration, runbooks and policies, the store, tokens, scopes and channels at Slack and Discord, and at every \
    account: whether it lets Muster in with the External ID and refuses it without, and what SSM shows in each region. \
    Run it as the user that runs Muster, with the same environment. It may run beside a running Muster.\n\n\
    Exit codes: 0 all is well; 1 there are warnings; 2 something is broken (or the usage is wrong)."
)]
pub struct Args {
    /// The configuration
    #[arg(long, env = "MUSTER_CONFIG", default_value = "muster.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Only this account, by name or id; may be repeated
    #[arg(long = "account", value_name = "NAME")]
    pub accounts: Vec<String>,
    /// Print one JSON object: `state`, `counts`, `findings` (area, subject, state, says)
    #[arg(long)]
    pub json: bool,
}

/// Looks and prints.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    crate::telemetry::log(Some("off"));
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(fault) => return super::complain(fault),
    };
    let report = runtime.block_on(examine(args));
    if args.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.text(Terminal::stdout()));
    }
    report.exit_code()
}

/// Runbooks that start an automation, by name.
fn with_automations(library: &Library) -> impl Iterator<Item = &str> {
    let starts = |runbook: &&Runbook| {
        let mut steps = runbook.steps.iter().chain(&runbook.rollback);
        steps.any(|step| matches!(step.action, Action::Automation { .. }))
    };
    library.runbooks.values().map(AsRef::as_ref).filter(starts).map(|runbook| runbook.name.as_str())
}

async fn examine(args: &Args) -> Report {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut report = Report::default();
    let config = Config::load(&args.config, &Host);
    host::configuration(&mut report, &args.config, &config);
    let Ok(config) = config else {
        report.add("host", "everything else", State::NotChecked, "needs a configuration without faults");
        return report;
    };
    let rules = host::rules(&mut report, &config);
    host::store(&mut report, &config.paths.store);

    let bar = terminal::progress("asking chat and AWS");
    let (mut at_slack, mut at_discord, mut at_aws) = (Report::default(), Report::default(), Report::default());
    let policy = rules.as_ref().map(|rules| &rules.policy);
    let ask_slack = async {
        let Some(settings) = super::setup::slack_settings(&config) else {
            if config.discord.is_none() {
                let says = "the configuration has neither `[slack]` nor `[discord]`, so `muster serve` does not start: add one \
                            of them with its tokens";
                at_slack.add("chat", "configuration", State::Warning, says);
            }
            return;
        };
        let command = settings.command.clone();
        match Slack::new(settings) {
            Ok(slack) => slack::check(&mut at_slack, &slack, &command, policy).await,
            Err(fault) => at_slack.add("slack", "configuration", State::Broken, fault.to_string()),
        }
    };
    let ask_discord = async {
        #[cfg(feature = "discord")]
        if let Some(settings) = super::setup::discord_settings(&config) {
            match Discord::new(settings) {
                Ok(discord) => discord::check(&mut at_discord, &discord, policy).await,
                Err(fault) => at_discord.add("discord", "configuration", State::Broken, fault.to_string()),
            }
        }
        #[cfg(not(feature = "discord"))]
        if config.discord.is_some() {
            let says = "this build leaves out Discord: take `[discord]` out, or build it with the feature `discord`";
            at_discord.add("discord", "configuration", State::Broken, says);
        }
    };
    let automations: Vec<&str> = rules.iter().flat_map(|rules| with_automations(&rules.runbooks)).collect();
    let ask_aws = async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let limits = Arc::new(Limits::new(Rate { per_second: config.aws.reads_per_second, burst: 3 }));
        let aws = Aws::connect_paced(super::setup::aws_settings(&config), clock, limits.clone()).await;
        let inventory = Arc::new(Limited { limits, inner: Arc::new(aws.clone()) as _ });
        let wanted = aws::Wanted {
            accounts: &args.accounts,
            has_central_role: config.aws.central_role.is_some(),
            boundary_tag: config.aws.boundary_tag.as_ref(),
            automations: &automations,
            bar: &bar,
        };
        aws::check(&mut at_aws, &aws, inventory, &wanted).await;
    };
    futures::join!(ask_slack, ask_discord, ask_aws);
    bar.finish_and_clear();
    report.findings.extend(at_slack.findings);
    report.findings.extend(at_discord.findings);
    report.findings.extend(at_aws.findings);
    report
}
