//! The simulated Slack workspace: Web API, Socket Mode, modals and files on Slack's real protocols.
//!
//! A bot finds what it finds at Slack (`api_url`, tokens, envelopes, limits, error names); a person or a test acts
//! through the control interface under `/play/v1/` or the page at `/`. What is claimed about Slack stands in the
//! documentation of the file that imitates it. Faults are planted here, never in a bot.
//!
//! `world` what the workspace holds · `web_api` what a bot calls · `socket` envelopes to the bot · `acts`, `forms`,
//! `shortcuts` and `home` what people do · `control` how a program makes people act · `text` what a person would read ·
//! `faults` what goes wrong.

pub mod acts;
pub mod args;
pub mod blocks;
pub mod control;
pub mod faults;
pub mod forms;
pub mod home;
pub mod message;
pub mod modal;
pub mod mrkdwn;
pub mod payloads;
pub mod people;
pub mod response_url;
pub mod scopes;
pub mod server;
pub mod shortcuts;
pub mod socket;
pub mod text;
pub mod view;
pub mod web_api;
pub mod workspace;
pub mod world;

pub use server::{Options, Server, StartFault};
pub use workspace::Workspace;

/// The simulated tenant and the app installed in it; policies, playground and tests name them.
pub const TEAM: &str = "T0MUSTER";
pub const FOREIGN_TEAM: &str = "T0OTHER";
pub const BOT_USER: &str = "U0BOT";
pub const BOT_ID: &str = "B0MUSTER";
pub const APP_ID: &str = "A0MUSTER";
/// Valid inside the simulator only.
pub const APP_TOKEN: &str = "xapp-play";
pub const BOT_TOKEN: &str = "xoxb-play";
