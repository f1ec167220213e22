//! `muster discord`: what an installation needs at Discord.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::adapters::discord::invite::{NEEDED, link, name};
use crate::config::{Config, FILE, NotLookedUp};

/// Help with the Discord application.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the link by which a server lets the bot in, and the permissions that it asks for
    Invite(InviteArgs),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  muster discord invite --application 1100000000000000010\n  muster discord invite --config \
    /etc/muster/muster.toml\n\n\
    The link alone goes to standard output. The token need not exist yet. Commands are registered by the bot itself when \
    it starts. `muster doctor` looks later whether everything was granted.\n\n\
    Exit codes: 0 printed; 1 there is no application id, or the configuration cannot be used; 2 wrong usage."
)]
pub struct InviteArgs {
    /// The configuration, for the application's id [default: ./muster.toml where there is one]
    #[arg(long, value_name = "FILE", env = "MUSTER_CONFIG")]
    pub config: Option<PathBuf>,
    /// The application's id, in place of the one in the configuration
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    pub application: Option<u64>,
}

/// Prints the link.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let What::Invite(args) = &args.what;
    let application = match application(args) {
        Ok(Some(application)) => application,
        Ok(None) => {
            return super::complain(
                "the application's id is not known: make an application at https://discord.com/developers/applications, \
                 then name it by `--application ID` or in `[discord] application_id`",
            );
        }
        Err(faults) => {
            let text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
            eprint!("{}", super::terminal::Terminal::stderr().faults(&text));
            return super::complain("the configuration cannot be used; mend the above");
        }
    };
    println!("{}", link(&application));
    let width = NEEDED.iter().map(|(permission, _)| name(*permission).len()).max().unwrap_or_default();
    let permissions: String =
        NEEDED.iter().map(|(permission, why)| format!("   {:width$}  {why}\n", name(*permission))).collect();
    eprint!(
        "\nThe link asks for these permissions and for no other:\n{permissions}\n\
         At https://discord.com/developers/applications, on the application's page:\n\
         1. Bot, Reset Token: the token goes where `[discord] bot_token` points.\n\
         2. Bot, Privileged Gateway Intents: all three may stay off. With Server Members Intent `muster doctor` also warns \
         of a role that nobody has.\n\
         3. Open the link, choose the server, and let the bot into each channel where it shall answer. Then run `muster \
         doctor`.\n"
    );
    ExitCode::SUCCESS
}

/// The token is not looked up: it is made on the same page, so it cannot be there yet.
fn application(args: &InviteArgs) -> Result<Option<String>, Vec<crate::domain::Fault>> {
    if let Some(id) = args.application {
        return Ok(Some(id.to_string()));
    }
    let file = args.config.clone().or_else(|| Some(PathBuf::from(FILE)).filter(|file| file.exists()));
    let Some(file) = file else { return Ok(None) };
    let config = Config::load(&file, &NotLookedUp)?;
    Ok(config.discord.map(|discord| discord.application_id))
}
