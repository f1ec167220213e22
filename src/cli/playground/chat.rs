//! The simulated chat platform of the playground: one of two, behind the same page and control interface.

use std::net::SocketAddr;
use std::path::Path;

use crate::playground::conversation::Address;
use crate::playground::{discord, slack};

/// The command that the simulated platforms know.
const COMMAND: &str = "/runbook";

/// Which chat platform is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Platform {
    Slack,
    Discord,
}

impl Platform {
    /// As people write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Platform::Slack => "Slack",
            Platform::Discord => "Discord",
        }
    }

    /// What people call the place where they talk.
    pub(super) fn place(self) -> &'static str {
        match self {
            Platform::Slack => "Slack workspace",
            Platform::Discord => "Discord guild",
        }
    }

    /// Names of the faults that it can play.
    pub(super) fn faults(self) -> Vec<&'static str> {
        let names = match self {
            Platform::Slack => slack::faults::NAMES,
            Platform::Discord => discord::faults::NAMES,
        };
        names.iter().map(|(name, _)| *name).collect()
    }
}

/// A running simulation of one of them.
pub(super) enum Chat {
    Slack(slack::Server),
    Discord(discord::Server),
}

impl Chat {
    pub(super) async fn start(
        platform: Platform,
        listen: SocketAddr,
        breaks: Vec<String>,
        organisation: Address,
    ) -> Result<Self, String> {
        let organisation = Some(organisation);
        match platform {
            Platform::Slack => {
                let options = slack::Options { listen, breaks, organisation, ..slack::Options::default() };
                slack::Server::start(options).await.map(Chat::Slack).map_err(|fault| fault.to_string())
            }
            Platform::Discord => {
                let options = discord::Options { listen, breaks, organisation, ..discord::Options::default() };
                discord::Server::start(options).await.map(Chat::Discord).map_err(|fault| fault.to_string())
            }
        }
    }

    pub(super) fn page_url(&self) -> String {
        match self {
            Chat::Slack(server) => server.page_url(),
            Chat::Discord(server) => server.page_url(),
        }
    }

    /// Where people act.
    pub(super) fn control(&self) -> Address {
        let (url, token) = match self {
            Chat::Slack(server) => (server.base_url(), &server.control_token),
            Chat::Discord(server) => (server.base_url(), &server.control_token),
        };
        Address { url, token: Some(token.clone()) }
    }

    /// Returns when the bot listens.
    pub(super) async fn connected(&self) {
        let connections = || match self {
            Chat::Slack(server) => server.workspace.hub.connections(),
            Chat::Discord(server) => server.workspace.hub.connections(),
        };
        while connections() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub(super) fn stop(&self) {
        match self {
            Chat::Slack(server) => server.stop(),
            Chat::Discord(server) => server.stop(),
        }
    }

    /// Its part of a muster.toml, with the tokens as files in the folder of secrets.
    pub(super) fn config(&self, secrets: &Path) -> std::io::Result<String> {
        match self {
            Chat::Slack(server) => {
                let (app, bot) = (secrets.join("app"), secrets.join("bot"));
                std::fs::write(&app, &server.app_token)?;
                std::fs::write(&bot, &server.bot_token)?;
                Ok(format!(
                    "[slack]\ncommand = {COMMAND:?}\napi_url = {:?}\napp_token = {{ file = {app:?} }}\nbot_token = {{ file = {bot:?} }}\n",
                    server.api_url,
                ))
            }
            Chat::Discord(server) => {
                let bot = secrets.join("bot");
                std::fs::write(&bot, &server.bot_token)?;
                Ok(format!(
                    "[discord]\ncommand = {COMMAND:?}\napi_url = {:?}\napplication_id = {:?}\nbot_token = {{ file = {bot:?} }}\n",
                    server.base_url(),
                    server.application_id,
                ))
            }
        }
    }
}
