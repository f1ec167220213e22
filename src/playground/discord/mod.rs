//! The simulated Discord guild: REST, gateway, interactions and modals on Discord's real protocols.
//!
//! A bot finds what it finds at Discord (`/api/v10`, its token, the gateway's opcodes, limits, error codes); a person or
//! a test acts through the control interface under `/play/v1/` or the page at `/`, which are those of the simulated
//! Slack workspace. What is claimed about Discord stands in the documentation of the file that imitates it. Faults are
//! planted here, never in a bot.
//!
//! `world` what the guilds hold · `rest` what a bot calls, `check` what Discord refuses in it · `gateway` events to the
//! bot, `session` what is kept for a resume · `acts`, `slash` and `forms` what people do · `control` how a program makes
//! people act · `text` what a person would read · `faults` what goes wrong.

pub mod acts;
pub mod check;
pub mod control;
pub mod deliver;
pub mod faults;
pub mod forms;
pub mod gateway;
pub mod interaction;
pub mod markdown;
pub mod menu;
pub mod message;
pub mod payloads;
pub mod people;
pub mod permissions;
pub mod pings;
pub mod rest;
pub mod server;
pub mod session;
pub mod slash;
pub mod snowflake;
pub mod text;
pub mod workspace;
pub mod world;

pub use server::{Options, Server, StartFault};
pub use workspace::{Settings, Workspace};

/// The guild in which people work; policies, playground and tests name it. Every id is a snowflake of 19 digits, so
/// that ids as text sort by age.
pub const GUILD: &str = "1100000000000000001";
/// Another guild that the bot was added to: the policy knows nothing of it.
pub const FOREIGN_GUILD: &str = "1100000000000000002";
/// The application, and its bot user, who has the same id as with every application made since 2017.
pub const APPLICATION: &str = "1100000000000000010";
pub const BOT_USER: &str = APPLICATION;
/// The roles that `policies/` may name.
pub const SUPPORT_ROLE: &str = "1100000000000000021";
pub const SRE_ROLE: &str = "1100000000000000022";
/// Valid inside the simulator only; its first part is the application's id as in a real one.
pub const BOT_TOKEN: &str = "MTEwMDAwMDAwMDAwMDAwMDAxMA.PLAY00.simulated-guild-token";
