//! `muster serve`: the bot.

use std::path::PathBuf;
use std::process::ExitCode;

/// Where the configuration is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  muster check --config muster.toml && muster serve --config muster.toml\n\n\
    Runbooks and policies are read again when they change, or on SIGHUP. A broken set leaves the good one in force.\n\
    Logs go to standard error; MUSTER_LOG=debug shows more, MUSTER_LOG_FORMAT=json is for machines.\n\n\
    Exit codes: 0 stopped as asked; 1 it cannot start or go on; 2 wrong usage.")]
pub struct Args {
    /// The configuration
    #[arg(long, env = "MUSTER_CONFIG", default_value = "muster.toml", value_name = "FILE")]
    pub config: PathBuf,
}

/// Runs the bot until it is told to stop.
#[must_use]
#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
pub fn run(args: Args) -> ExitCode {
    crate::telemetry::log(None);
    let config = match crate::config::Config::load(&args.config, &crate::config::Host) {
        Ok(config) => config,
        Err(_) => {
            // Everything that is wrong at once, before anybody is contacted. Faulty rules alone do not keep it from
            // starting: every run is denied until they are mended, and what runs already goes on.
            let report = super::check::check(&super::check::Args {
                config: Some(args.config.clone()),
                secrets: true,
                ..super::check::Args::default()
            });
            eprint!("{}", super::terminal::Terminal::stderr().faults(&report.text()));
            return super::complain("nothing was started; mend the above and start again");
        }
    };
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(fault) => return super::complain(fault),
    };
    let setup = match super::setup::from_config(config) {
        Ok(setup) => setup,
        Err(fault) => return super::complain(fault),
    };
    match runtime.block_on(crate::app::run(setup, crate::app::interrupted())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => super::complain(fault),
    }
}

/// This build has no bot in it.
#[must_use]
#[cfg(not(all(feature = "aws", feature = "slack", feature = "sled")))]
pub fn run(_: Args) -> ExitCode {
    super::complain(
        "this build leaves out AWS, Slack or the store; build it with the features `aws`, `slack` and `sled`",
    )
}
