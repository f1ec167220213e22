//! `muster resume`: lets go on what was halted, from a shell.

use std::process::ExitCode;

use crate::ports::Order;

use super::operate::{self, Where};

/// Let everything go on that was halted
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  muster resume\n\n\
    Works also while chat is down: it asks the running bot over a socket in its store. Root and the user that runs the bot \
    are let in; the journal keeps the name of the host and of the user.\n\n\
    Exit codes: 0 nothing is halted; 1 it did not work, and why; 2 wrong usage.")]
pub struct Args {
    #[command(flatten)]
    pub at: Where,
}

#[must_use]
pub fn run(args: Args) -> ExitCode {
    operate::order(&args.at, &Order::Resume)
}
