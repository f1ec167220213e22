//! `muster playground discord`: the simulated Discord guild alone, for bots of any kind.

use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::playground::discord::faults::NAMES;
use crate::playground::discord::gateway::{GUILD_MEMBERS, MESSAGE_CONTENT};
use crate::playground::discord::{Options, Server, Settings};
use crate::playground::http::Address;

/// A simulated Discord guild on Discord's own protocols, with a page to type in.
///
/// Prints one line of JSON when it is ready: where it listens, the token for a bot, and the address of the page.
#[derive(Debug, Args)]
pub struct DiscordArgs {
    /// Where to listen; port 0 takes any free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Plant a fault from the start; may be repeated. A wrong name lists all of them.
    #[arg(long = "break", value_name = "NAME", value_parser = fault_name)]
    pub breaks: Vec<String>,
    /// Refuse more than five messages in five seconds and channel.
    #[arg(long)]
    pub rate_limit: bool,
    /// Switch the privileged intent for members off, as it is for a new application.
    #[arg(long)]
    pub no_members_intent: bool,
    /// Switch the privileged intent for the content of all messages on.
    #[arg(long)]
    pub message_content_intent: bool,
    /// Show the simulated organisation at this address beside the guild: what `muster playground aws` prints
    #[arg(long, value_name = "URL")]
    pub aws_url: Option<String>,
    /// The control token that it prints
    #[arg(long, value_name = "TOKEN", requires = "aws_url")]
    pub aws_token: Option<String>,
}

fn fault_name(name: &str) -> Result<String, String> {
    if NAMES.iter().any(|(known, _)| *known == name) {
        return Ok(name.to_owned());
    }
    let all: Vec<String> = NAMES.iter().map(|(name, what)| format!("  {name}: {what}")).collect();
    Err(format!("there is no fault of this name; choose one of\n{}", all.join("\n")))
}

pub async fn run(args: DiscordArgs) -> ExitCode {
    let when = |on: bool, intent: u64| if on { intent } else { 0 };
    let privileged = when(!args.no_members_intent, GUILD_MEMBERS) | when(args.message_content_intent, MESSAGE_CONTENT);
    let settings = Settings { rate_limit: args.rate_limit, privileged, ..Settings::default() };
    let organisation = args.aws_url.map(|url| Address { url, token: args.aws_token });
    let options = Options { listen: args.listen, breaks: args.breaks, settings, organisation };
    let server = match Server::start(options).await {
        Ok(server) => server,
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::FAILURE;
        }
    };
    let ready = json!({
        "ready": true, "address": server.addr.to_string(), "api_url": server.base_url(),
        "bot_token": server.bot_token, "application_id": server.application_id, "guild_id": server.guild_id,
        "control_url": format!("{}/play/v1", server.base_url()), "control_token": server.control_token,
        "page": server.page_url(),
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
