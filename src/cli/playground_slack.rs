//! `muster playground slack`: the simulated Slack workspace alone, for bots of any kind.

use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::playground::http::Address;
use crate::playground::slack::faults::NAMES;
use crate::playground::slack::workspace::Settings;
use crate::playground::slack::{Options, Server};

/// A simulated Slack workspace on Slack's own protocols, with a page to type in.
///
/// Prints one line of JSON when it is ready: where it listens, the tokens for a bot, and the address of the page.
#[derive(Debug, Args)]
pub struct SlackArgs {
    /// Where to listen; port 0 takes any free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Plant a fault from the start; may be repeated. A wrong name lists all of them.
    #[arg(long = "break", value_name = "NAME", value_parser = fault_name)]
    pub breaks: Vec<String>,
    /// Refuse more than about one post a second and channel and 50 edits a minute, as Slack does.
    #[arg(long)]
    pub rate_limit: bool,
    /// Show the simulated organisation at this address beside the workspace: what `muster playground aws` prints
    #[arg(long, value_name = "URL")]
    pub aws_url: Option<String>,
    /// The control token that it prints
    #[arg(long, value_name = "TOKEN", requires = "aws_url")]
    pub aws_token: Option<String>,
    /// Decides which connection gets which envelope.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

fn fault_name(name: &str) -> Result<String, String> {
    if NAMES.iter().any(|(known, _)| *known == name) {
        return Ok(name.to_owned());
    }
    let all: Vec<String> = NAMES.iter().map(|(name, what)| format!("  {name}: {what}")).collect();
    Err(format!("there is no fault of this name; choose one of\n{}", all.join("\n")))
}

pub async fn run(args: SlackArgs) -> ExitCode {
    let settings = Settings { rate_limit: args.rate_limit, seed: args.seed, ..Settings::default() };
    let organisation = args.aws_url.map(|url| Address { url, token: args.aws_token });
    let server = match Server::start(Options { listen: args.listen, breaks: args.breaks, settings, organisation }).await
    {
        Ok(server) => server,
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::FAILURE;
        }
    };
    let ready = json!({
        "ready": true, "address": server.addr.to_string(), "api_url": server.api_url, "app_token": server.app_token,
        "bot_token": server.bot_token, "control_url": format!("{}/play/v1", server.base_url()),
        "control_token": server.control_token, "page": server.page_url(),
    });
    let mut out = stdout();
    if writeln!(out, "{ready}").and_then(|()| out.flush()).is_err() {
        return ExitCode::FAILURE;
    }
    tokio::select! {
        () = server.wait() => ExitCode::FAILURE,
        _ = tokio::signal::ctrl_c() => ExitCode::SUCCESS,
    }
}
