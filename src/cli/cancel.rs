//! `muster cancel`: stops one run, from a shell.

use std::process::ExitCode;

use crate::command::RunRef;
use crate::ports::Order;

use super::operate::{self, Where};

/// Stop one run: nothing further starts, and what can be stopped is
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  muster cancel r-7F3K\n\n\
    Nodes that have started may still finish; the answer says how many.\n\
    Works also while chat is down: it asks the running bot over a socket in its store. Root and the user that runs the bot \
    are let in; the journal keeps the name of the host and of the user.\n\n\
    Exit codes: 0 cancelled; 1 it did not work, and why; 2 wrong usage.")]
pub struct Args {
    #[command(flatten)]
    pub at: Where,
    /// The name on its card, such as r-7F3K
    #[arg(value_name = "RUN")]
    pub run: RunRef,
}

#[must_use]
pub fn run(args: Args) -> ExitCode {
    operate::order(&args.at, &Order::Cancel { run: args.run })
}
