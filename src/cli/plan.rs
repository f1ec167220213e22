//! `muster plan`: what a run would do, and what the policy says to it for one person. It sends nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[cfg(feature = "discord")]
use crate::adapters::discord::Discord;
use crate::adapters::slack::Slack;
use crate::command::{self, Command};
use crate::config::{Config, Host};
use crate::domain::{ChatPlatform, GroupName, Principal};
use crate::engine::membership;
use crate::engine::planner::Progress;
use crate::engine::propose::{self, NotProposed, Proposed};
use crate::engine::rulebook::Rules;
use crate::message::{self, View};
use crate::policy::{Asker, Moment, Verdict};
use crate::ports::Actor;
use crate::rules;

use super::terminal::Terminal;

/// For whom, and what.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  muster plan --as slack:T012AB:U034CD --group support restart-service service=nginx on env=staging\n\n\
    Without --group the person's groups are read from Slack or Discord.\n\n\
    Exit codes: 0 permitted, with or without approval; 1 there is no plan; 2 the policy refuses it (or the usage is wrong)."
)]
pub struct Args {
    /// The configuration
    #[arg(long, env = "MUSTER_CONFIG", default_value = "muster.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Whom the policy is asked about
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub principal: Principal,
    /// A group of the policy that this person is in; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<GroupName>,
    /// Print JSON: plan, digest and decision
    #[arg(long)]
    pub json: bool,
    /// As in chat: RUNBOOK [NAME=VALUE …] on SELECTOR
    #[arg(required = true, trailing_var_arg = true, value_name = "REQUEST")]
    pub request: Vec<String>,
}

/// Plans and prints.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    crate::telemetry::log(Some("error"));
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(fault) => return super::complain(fault),
    };
    match runtime.block_on(plan(args)) {
        Ok(code) => code,
        Err(fault) => super::complain(fault),
    }
}

async fn plan(args: Args) -> Result<ExitCode, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lines =
        |faults: Vec<crate::domain::Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let config = Config::load(&args.config, &Host).map_err(lines)?;
    let source =
        rules::Source::Folders { runbooks: config.paths.runbooks.clone(), policies: config.paths.policies.clone() };
    let (books, policies) = source.read().map_err(lines)?;
    let rules = rules::check(&books, &policies).map_err(lines)?;
    let request = match command::parse(&format!("plan {}", super::typed(&args.request))) {
        Ok(Command::Plan(request)) => request,
        Ok(_) => return Err("that is not a request; write RUNBOOK [NAME=VALUE …] on SELECTOR".into()),
        Err(refusal) => return Err(refusal.to_string()),
    };
    let asker = asker(&args, &config, &rules).await?;
    let (inventory, clock) = super::inventory::connect(&config).await;
    let progress = Arc::new(Progress::default());
    let shown = super::inventory::show(progress.clone());
    // Nobody knows here what the person ran within the last hour.
    let moment = Moment { recent: &BTreeSet::new(), now: clock.now() };
    let proposed = propose::propose(inventory, &rules, &asker, &request, moment, None, progress).await;
    shown.end();
    let view = View::new("", clock.now(), config.command());
    let Proposed { plan, decision, .. } = match proposed {
        Ok(proposed) => proposed,
        Err(NotProposed::NotAllowed(decision)) if args.json => {
            println!("{}", serde_json::json!({ "decision": decision }));
            return Ok(ExitCode::from(2));
        }
        Err(refused) => {
            let refuses = matches!(refused, NotProposed::NotAllowed(_));
            print!("{}", shown_text(&refused.card(&request, &view)));
            return Ok(if refuses { ExitCode::from(2) } else { ExitCode::FAILURE });
        }
    };
    let digest = plan.digest();
    if args.json {
        println!("{}", serde_json::json!({ "plan": plan, "digest": digest, "decision": decision }));
    } else {
        print!("{}", shown_text(&message::plan_card(&plan, &digest, &decision)));
    }
    Ok(if decision.verdict == Verdict::Forbid { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// The card as the terminal shows it: its title bold, long lines wrapped.
fn shown_text(card: &message::Card) -> String {
    Terminal::stdout().titled(&message::to_text(card)) + "\n"
}

async fn asker(args: &Args, config: &Config, rules: &Rules) -> Result<Asker, String> {
    if !args.groups.is_empty() {
        if let Some(unknown) = args.groups.iter().find(|g| !rules.policy.groups.contains_key(*g)) {
            let known: Vec<&str> = rules.policy.groups.keys().map(String::as_str).collect();
            return Err(format!("the policy has no group `{unknown}`; it has {}", known.join(", ")));
        }
        return Ok(Asker {
            principal: args.principal.clone(),
            groups: args.groups.iter().cloned().collect(),
            foreign: false,
            bot: false,
            twins: BTreeSet::new(),
            channel: None,
        });
    }
    let actor = Actor { principal: args.principal.clone(), foreign: false };
    let platform = args.principal.platform;
    let none = |name: &str| format!("without `[{name}]` the person's groups cannot be read; name them with --group");
    let asker = match platform {
        ChatPlatform::Slack => {
            let settings = super::setup::slack_settings(config).ok_or_else(|| none("slack"))?;
            let slack = Slack::connect(settings).await.map_err(|fault| fault.to_string())?;
            membership::asker(&slack, &rules.policy, &actor, None).await
        }
        #[cfg(feature = "discord")]
        ChatPlatform::Discord => {
            let settings = super::setup::discord_settings(config).ok_or_else(|| none("discord"))?;
            let discord = Discord::new(settings).map_err(|fault| fault.to_string())?;
            membership::asker(&discord, &rules.policy, &actor, None).await
        }
        #[cfg(not(feature = "discord"))]
        ChatPlatform::Discord => return Err(none("discord")),
        ChatPlatform::Host => {
            return Err("somebody at a shell is in no group of the policy; name one with --group".into());
        }
    };
    asker.map_err(|fault| fault.to_string())
}
