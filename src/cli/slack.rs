//! `muster slack`: what an installation needs at Slack.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::adapters::slack::manifest::manifest;
use crate::config::{COMMAND_DEFAULT, Config, FILE, NotLookedUp};

use super::yaml;

/// Help with the Slack app.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the manifest of the Slack app, to paste at api.slack.com/apps under "From a manifest"
    Manifest(ManifestArgs),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  muster slack manifest\n  muster slack manifest --config /etc/muster/muster.toml --json > manifest.json\n\n\
    It asks for the scopes that Muster uses and for no other. The tokens need not exist yet. What a manifest cannot do \
    is said on standard error. `muster doctor` looks later whether everything was granted.\n\n\
    Exit codes: 0 printed; 1 the configuration cannot be used; 2 wrong usage."
)]
pub struct ManifestArgs {
    /// The configuration, for the name of the slash command [default: ./muster.toml where there is one]
    #[arg(long, value_name = "FILE", env = "MUSTER_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print JSON in place of YAML
    #[arg(long)]
    pub json: bool,
}

#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let What::Manifest(args) = &args.what;
    let command = match command(args) {
        Ok(command) => command,
        Err(faults) => {
            let text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
            eprint!("{}", super::terminal::Terminal::stderr().faults(&text));
            return super::complain("the configuration cannot be used; mend the above");
        }
    };
    let manifest = manifest(&command);
    if args.json {
        println!("{manifest:#}");
    } else {
        print!("{}", yaml::text(&manifest));
    }
    eprintln!(
        "\nAt https://api.slack.com/apps choose Create New App, From a manifest, and paste the above. Then:\n\
         1. Install App: the bot token (xoxb-…) goes where `[slack] bot_token` points.\n\
         2. Basic Information, App-Level Tokens: make one with the scope `connections:write`; that token (xapp-…) goes \
         where `[slack] app_token` points.\n\
         3. Type `/invite @muster` in each channel where it shall answer, and run `muster doctor`."
    );
    ExitCode::SUCCESS
}

/// The command's name. Tokens are not looked up: they are made from the manifest, so they cannot be there yet.
fn command(args: &ManifestArgs) -> Result<String, Vec<crate::domain::Fault>> {
    let file = args.config.clone().or_else(|| Some(PathBuf::from(FILE)).filter(|file| file.exists()));
    let Some(file) = file else { return Ok(COMMAND_DEFAULT.to_owned()) };
    let config = Config::load(&file, &NotLookedUp)?;
    Ok(config.command().to_owned())
}
