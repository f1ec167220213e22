//! Muster: people who must never hold AWS credentials run well-vetted procedures on exactly the machines
//! they may touch, in every account at once, and everybody can see and prove what happened.
//!
//! ```text
//! chat event -> command -> plan -> decision -> approval -> fan-out -> watch -> summary -> card -> chat
//!  adapters     command    plan    policy      run        engine+adapters      summary    message  adapters
//! ```
//!
//! Imports run one way, held by `tests/architecture.rs`:
//! `domain <- redact <- command, runbook <- plan, summary <- policy <- run <- audit, message <- ports <- engine`.
//! `adapters` see the core and `ports`; `playground` sees `domain` only; `cli` and `app` know all.

pub mod domain;
pub mod redact;
pub mod command;
pub mod runbook;
pub mod plan;
pub mod summary;
pub mod policy;
pub mod run;
pub mod audit;
pub mod message;
pub mod ports;
pub mod engine;
pub mod adapters;
#[cfg(feature = "playground")]
pub mod playground;
pub mod config;
pub mod telemetry;
pub mod shipped;
pub mod rules;
#[cfg(all(feature = "aws", feature = "slack", feature = "sled"))]
pub mod app;
pub mod cli;
