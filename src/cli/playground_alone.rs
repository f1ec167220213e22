//! `muster playground aws`, `slack` and `discord`: one simulator alone, for a bot started by hand. They need no
//! part of the bot, so a build with the feature `playground` alone has them, too.

use std::process::ExitCode;

use clap::Subcommand;

use super::{playground_aws, playground_discord, playground_slack};

/// What a build without the bot knows of `muster playground`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    alone: Alone,
}

/// One simulator alone, for a bot started by hand.
#[derive(Debug, Subcommand)]
pub enum Alone {
    /// The simulated AWS organisation alone
    Aws(playground_aws::Args),
    /// The simulated Discord guild alone
    Discord(playground_discord::DiscordArgs),
    /// The simulated Slack workspace alone
    Slack(playground_slack::SlackArgs),
}

impl Alone {
    pub async fn run(self) -> ExitCode {
        match self {
            Alone::Aws(args) => playground_aws::run(args).await,
            Alone::Discord(args) => playground_discord::run(args).await,
            Alone::Slack(args) => playground_slack::run(args).await,
        }
    }
}

/// Runs until it is told to stop.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    match super::runtime() {
        Ok(runtime) => runtime.block_on(args.alone.run()),
        Err(fault) => super::complain(fault),
    }
}
