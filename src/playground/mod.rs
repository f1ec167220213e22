//! A simulated AWS organisation and a simulated Slack workspace on the platforms' real wire protocols.
//!
//! They know nothing of the bot but `domain`, and name no `aws_*` crate, so that they are witnesses of their own.

pub mod aws;
pub mod conversation;
pub mod http;
pub mod page;
pub mod slack;
