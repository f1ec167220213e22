//! A simulated AWS organisation, a simulated Slack workspace and a simulated Discord guild on the platforms' real wire
//! protocols.
//!
//! They know nothing of the bot but `domain`, and name no `aws_*` crate, so that they are witnesses of their own.

pub mod aws;
pub mod beside;
pub mod conversation;
pub mod discord;
pub mod guard;
pub mod http;
pub mod page;
pub mod slack;
