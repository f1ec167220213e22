//! The command line: one file per subcommand.

#[cfg(all(feature = "playground", feature = "aws", feature = "slack", feature = "sled"))]
pub mod playground;
#[cfg(feature = "playground")]
pub mod playground_alone;
#[cfg(feature = "playground")]
pub mod playground_slack;
#[cfg(feature = "playground")]
pub mod playground_aws;
pub mod check;
pub mod schema;
#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
pub mod plan;
pub mod serve;
#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
mod setup;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version,
    about = "Runs reviewed runbooks over many AWS accounts, from chat, by policy and approval",
    after_help = "Try it first: `muster playground` starts everything on this machine, with a simulated AWS \
                  organisation and a simulated Slack workspace, and prints the address of a page to type in.",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bot
    Serve(serve::Args),
    /// Try everything on this machine: simulated AWS, simulated Slack, the real bot
    #[cfg(all(feature = "playground", feature = "aws", feature = "slack", feature = "sled"))]
    Playground(playground::Args),
    /// Try a bot on this machine: simulated AWS or simulated Slack (this build holds no bot)
    #[cfg(all(feature = "playground", not(all(feature = "aws", feature = "slack", feature = "sled"))))]
    Playground(playground_alone::Args),
    /// Check runbooks, policies and muster.toml, and print every fault at once
    Check(check::Args),
    /// Print what a run would do and what the policy says to it; sends nothing
    #[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
    Plan(plan::Args),
    /// Print the JSON Schema of a file format, for editors
    Schema(schema::Args),
}

/// Parses the arguments and runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        #[cfg(all(feature = "playground", feature = "aws", feature = "slack", feature = "sled"))]
        Command::Playground(args) => playground::run(args),
        #[cfg(all(feature = "playground", not(all(feature = "aws", feature = "slack", feature = "sled"))))]
        Command::Playground(args) => playground_alone::run(args),
        Command::Check(args) => check::run(&args),
        #[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
        Command::Plan(args) => plan::run(args),
        Command::Schema(args) => schema::run(&args),
    }
}

/// The runtime of every subcommand that talks to somebody.
#[cfg(any(feature = "playground", all(feature = "aws", feature = "slack", feature = "sled")))]
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Prints a fault of the program itself: what, and the remedy last.
fn complain(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("muster: {what}");
    ExitCode::FAILURE
}
