//! The command line: one file per subcommand.

#[cfg(all(feature = "playground", feature = "aws", feature = "slack", feature = "sled"))]
pub mod playground;
#[cfg(feature = "playground")]
pub mod playground_alone;
#[cfg(feature = "playground")]
pub mod playground_discord;
#[cfg(feature = "playground")]
pub mod playground_slack;
#[cfg(feature = "playground")]
pub mod playground_aws;
pub mod cancel;
pub mod check;
pub mod completions;
#[cfg(feature = "discord")]
pub mod discord;
#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
pub mod doctor;
pub mod halt;
#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
mod inventory;
mod operate;
pub mod policy;
pub mod resume;
pub mod schema;
#[cfg(feature = "slack")]
pub mod slack;
pub mod terminal;
#[cfg(feature = "slack")]
mod yaml;
#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
pub mod plan;
pub mod serve;
pub mod status;
pub mod summarise;
#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
mod setup;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version,
    about = "Runs reviewed runbooks over many AWS accounts, from chat, by policy and approval",
    after_help = "Try it first: `muster playground` starts everything on this machine, with a simulated AWS \
                  organisation and a simulated Slack workspace, and prints the address of a page to type in.\n\n\
                  A new installation, in this order:\n  \
                  muster slack manifest      the Slack app, or\n  \
                  muster discord invite      the Discord application\n  \
                  muster check               muster.toml, runbooks and policies\n  \
                  muster policy diff         what a change of them changes for whom\n  \
                  muster doctor              tokens, scopes, accounts, regions\n  \
                  muster plan …              one run, without sending anything\n  \
                  muster serve               the bot\n\n\
                  The bot that runs, also while chat is down: `muster status`, `cancel RUN`, `halt`, `resume`.\n\n\
                  Exit codes: 0 as asked; 1 it did not work; 2 wrong usage. `plan` and `doctor` say more by theirs: see \
                  `--help` of each. Colours are left out for a pipe and where NO_COLOR is set.",
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
    /// Stop everything: the running bot sends nothing new, until somebody resumes
    Halt(halt::Args),
    /// Let everything go on that was halted
    Resume(resume::Args),
    /// Show what the running bot is doing, or one run
    Status(status::Args),
    /// Stop one run of the running bot
    Cancel(cancel::Args),
    /// Try everything on this machine: simulated AWS, simulated Slack, the real bot
    #[cfg(all(feature = "playground", feature = "aws", feature = "slack", feature = "sled"))]
    Playground(Box<playground::Args>),
    /// Try a bot on this machine: simulated AWS, Slack or Discord (this build holds no bot)
    #[cfg(all(feature = "playground", not(all(feature = "aws", feature = "slack", feature = "sled"))))]
    Playground(playground_alone::Args),
    /// Check runbooks, policies and muster.toml, and print every fault at once
    Check(check::Args),
    /// Ask the policy's own tests, compare two policies, say who can run what
    Policy(policy::Args),
    /// Print what a run would do and what the policy says to it; sends nothing
    #[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
    Plan(plan::Args),
    /// Print the JSON Schema of a file format, for editors
    Schema(schema::Args),
    /// Look at everything that an installation needs, and say what is missing; sends nothing
    #[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
    Doctor(doctor::Args),
    /// What an installation needs at Slack: the app's manifest
    #[cfg(feature = "slack")]
    Slack(slack::Args),
    /// What an installation needs at Discord: the link that lets the bot in
    #[cfg(feature = "discord")]
    Discord(discord::Args),
    /// Fold the outputs of many nodes: `node: line` text of pdsh, clush or `parallel --tag`
    Summarise(summarise::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

/// Parses the arguments and runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Halt(args) => halt::run(args),
        Command::Resume(args) => resume::run(args),
        Command::Status(args) => status::run(args),
        Command::Cancel(args) => cancel::run(args),
        #[cfg(all(feature = "playground", feature = "aws", feature = "slack", feature = "sled"))]
        Command::Playground(args) => playground::run(*args),
        #[cfg(all(feature = "playground", not(all(feature = "aws", feature = "slack", feature = "sled"))))]
        Command::Playground(args) => playground_alone::run(args),
        Command::Check(args) => check::run(&args),
        Command::Policy(args) => policy::run(args),
        #[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
        Command::Plan(args) => plan::run(args),
        Command::Schema(args) => schema::run(&args),
        #[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
        Command::Doctor(args) => doctor::run(&args),
        #[cfg(feature = "slack")]
        Command::Slack(args) => slack::run(&args),
        #[cfg(feature = "discord")]
        Command::Discord(args) => discord::run(&args),
        Command::Summarise(args) => summarise::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// The configuration that is meant: the one given, else `./muster.toml` where there is one.
fn configuration(given: Option<&PathBuf>) -> Option<PathBuf> {
    given.cloned().or_else(|| Some(PathBuf::from(crate::config::FILE)).filter(|file| file.exists()))
}

/// A folder as given, else as configured, else by its usual name.
fn folder(given: Option<&PathBuf>, configured: Option<&PathBuf>, usual: &str) -> PathBuf {
    given.or(configured).cloned().unwrap_or_else(|| PathBuf::from(usual))
}

/// The runtime of every subcommand that talks to somebody.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// The shell has taken the quotes away; the grammar wants them back around spaces.
fn typed(words: &[String]) -> String {
    let quoted = words.iter().map(|word| match word.split_once('=') {
        Some((key, value)) if value.contains(char::is_whitespace) => {
            format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        }
        _ if word.contains(char::is_whitespace) => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
        _ => word.clone(),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Prints a fault of the program itself: what, and the remedy last.
fn complain(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("muster: {what}");
    ExitCode::FAILURE
}
