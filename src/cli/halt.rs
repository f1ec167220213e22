//! `muster halt`: the brake for everything, from a shell.

use std::process::ExitCode;

use crate::ports::Order;

use super::operate::{self, Where};

/// Stop everything
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  muster halt\n  muster halt --because \"the storage array fails\"\n\n\
    Nothing new is sent to AWS and no run starts, until somebody resumes. What was sent goes on and is watched.\n\
    Works also while chat is down: it asks the running bot over a socket in its store. Root and the user that runs the bot \
    are let in; the journal keeps the name of the host and of the user.\n\n\
    Exit codes: 0 everything is halted; 1 it did not work, and why; 2 wrong usage.")]
pub struct Args {
    #[command(flatten)]
    pub at: Where,
    /// Why, for everybody else; it can be told later by the same command
    #[arg(long, value_name = "REASON")]
    pub because: Option<String>,
}

#[must_use]
pub fn run(args: Args) -> ExitCode {
    operate::order(&args.at, &Order::Halt { because: args.because })
}
