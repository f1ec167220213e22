//! One integration binary: the promises that need more than one room.

mod architecture;
#[cfg(all(feature = "ec2", feature = "playground"))]
mod aws_adapter;
#[cfg(all(feature = "ec2", feature = "playground"))]
mod aws_automation;
#[cfg(feature = "ec2")]
mod aws_moto;
#[cfg(all(feature = "slack", feature = "aws", feature = "sled"))]
mod bad_start;
mod check;
#[cfg(all(feature = "slack", feature = "aws", feature = "sled", feature = "playground"))]
mod conversations;
#[cfg(all(feature = "aws", feature = "playground"))]
mod deployment;
#[cfg(feature = "playground")]
mod discord_guild;
#[cfg(all(feature = "slack", feature = "ec2", feature = "sled", feature = "playground"))]
mod doctor;
#[cfg(all(feature = "slack", feature = "discord", feature = "playground"))]
mod discord_adapter;
#[cfg(all(feature = "slack", feature = "discord", feature = "playground"))]
mod discord_stage;
mod engine;
mod form_stage;
mod forms;
#[cfg(all(feature = "slack", feature = "aws", feature = "sled", feature = "playground"))]
mod kill;
#[cfg(all(feature = "slack", feature = "aws", feature = "sled", feature = "playground"))]
mod operate;
mod parameters;
mod policy;
mod policy_cli;
mod policy_diff;
mod policy_edges;
mod policy_files;
mod policy_offers;
mod policy_oracle;
mod policy_random;
mod policy_selftests;
mod policy_world;
mod reboots;
mod runbooks;
mod shells;
mod sentences;
mod summarise;
#[cfg(all(feature = "slack", feature = "playground"))]
mod slack_adapter;
#[cfg(all(feature = "slack", feature = "playground"))]
mod slack_bodies;
#[cfg(all(feature = "slack", feature = "playground"))]
mod slack_stage;
#[cfg(feature = "playground")]
mod slack_workspace;
