//! The simulated AWS organisation: STS, SSM Run Command and Automation, EC2 and Organizations on their real wire protocols.
//!
//! It is a witness of its own: it checks signatures itself, names no SDK, and writes down what really happened.
//! Shapes and messages follow captures of the real services where there are some, else AWS's API models and the
//! source of its agent. [`Organisation`] is the world, [`serve`] puts it on a port, [`control`] plants faults and tells the truth.

pub mod agent;
pub mod answers;
pub mod automation;
pub mod command;
pub mod confine;
pub mod control;
pub mod documents;
pub mod ec2;
pub mod execute;
pub mod faults;
pub mod files;
pub mod generate;
pub mod iam;
pub mod log;
pub mod node;
pub mod organisation;
pub mod organizations;
pub mod output;
pub mod refusal;
mod s3;
pub mod serve;
pub mod settings;
pub mod sigv4;
pub mod ssm;
pub mod standins;
pub mod sts;
pub mod tables;
pub mod throttle;
pub mod xml;

#[cfg(test)]
mod tests;

pub use faults::{FaultName, FaultSpec};
pub use generate::{AUTOMATION_ROLE, CENTRAL, HUB_ROLE, MEMBER_ROLE, Member};
pub use organisation::{Organisation, base_arn, hub_role_arn};
pub use serve::{Running, serve};
pub use settings::{Execution, Pace, Rate, Rates, Settings};
pub use sigv4::Signer;

/// 128 random bits in hex.
#[must_use]
pub fn random_token() -> String {
    format!("{:032x}", rand::random::<u128>())
}
