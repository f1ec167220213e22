//! `muster status`: what is going on, from a shell.

use std::process::ExitCode;

use crate::command::RunRef;
use crate::ports::Order;

use super::operate::{self, Where};

/// Show what is going on, or one run
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  muster status\n  muster status r-7F3K\n\n\
    Works also while chat is down: it asks the running bot over a socket in its store. Root and the user that runs the bot \
    are let in.\n\n\
    Exit codes: 0 printed; 1 it did not work, and why; 2 wrong usage.")]
pub struct Args {
    #[command(flatten)]
    pub at: Where,
    /// The name on its card, such as r-7F3K; without it, the latest runs
    #[arg(value_name = "RUN")]
    pub run: Option<RunRef>,
}

#[must_use]
pub fn run(args: Args) -> ExitCode {
    operate::order(&args.at, &Order::Status { run: args.run })
}
