//! What the simulated organisation looks like and how fast it answers.
//!
//! The defaults are those of the playground: AWS's own figures where they are known, small enough for one laptop.

use std::collections::BTreeSet;

use crate::domain::{Digest, Millis, Region};

use super::faults::FaultSpec;

#[derive(Debug, Clone)]
pub struct Settings {
    /// Member accounts, the fixed six first. Others get generated ids and names.
    pub accounts: usize,
    pub regions: Vec<Region>,
    /// Nodes of each account in each region, unmanaged instances not counted.
    pub nodes: usize,
    /// The same seed gives the same accounts, nodes and tags.
    pub seed: u64,
    /// Age at which a signed request is no longer taken; 5 minutes at AWS.
    pub request_expiry: Millis,
    /// How far the organisation's clock is ahead of this host's, for tests of skew.
    pub clock_skew: jiff::SignedDuration,
    /// Added before every answer.
    pub latency: Millis,
    pub rates: Rates,
    pub pace: Pace,
    pub execution: Execution,
    pub faults: Vec<FaultSpec>,
    /// Bearer token of the control interface. `None`: no token is asked for.
    pub control_token: Option<String>,
    /// SHA-256 of the scripts that Muster ships, each the last entry of a command's `commands`. They may run on kernels
    /// with Landlock ABI 3; others need ABI 6.
    pub shipped: BTreeSet<Digest>,
    /// Buckets that are there, into which every node may put its outputs. The member role reads those whose names begin
    /// with `muster-`.
    pub buckets: BTreeSet<String>,
    /// Scripts that run at once on this host.
    pub scripts_at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            accounts: 6,
            regions: ["eu-west-1", "us-east-1"].iter().filter_map(|r| r.parse().ok()).collect(),
            nodes: 8,
            seed: 1,
            request_expiry: Millis::from_secs(300),
            clock_skew: jiff::SignedDuration::ZERO,
            latency: Millis(20),
            rates: Rates::default(),
            pace: Pace::default(),
            execution: Execution::Scripts,
            faults: vec![FaultSpec::new(super::faults::FaultName::DenyAccount).account("initech-prod")],
            control_token: Some(super::random_token()),
            shipped: BTreeSet::new(),
            buckets: BTreeSet::from(["muster-outputs".to_owned()]),
            scripts_at_once: 8,
        }
    }
}

impl Settings {
    /// For tests: nothing waits longer than it must, no control token, no faults.
    #[must_use]
    pub fn quick() -> Self {
        Settings {
            latency: Millis(0),
            pace: Pace::quick(),
            faults: Vec::new(),
            control_token: None,
            ..Settings::default()
        }
    }
}

/// How a node comes to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// The real script runs with `sh`, confined to the node's scratch folder.
    Scripts,
    /// Nothing is forked: the answer is composed from the node's tables after this time.
    Table { script_time: Millis },
}

/// Token buckets per account, region and operation. AWS publishes no figures for SSM; these are guesses, kept low.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    pub send: Rate,
    /// Every reading operation of SSM, each with its own bucket.
    pub read: Rate,
    pub ec2: Rate,
    pub organizations: Rate,
    /// Shared by all STS calls of the calling account; 600/s at AWS.
    pub sts: Rate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

impl Rate {
    #[must_use]
    pub const fn new(per_second: f64, burst: f64) -> Self {
        Rate { per_second, burst }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Rates {
            send: Rate::new(5.0, 10.0),
            read: Rate::new(10.0, 20.0),
            ec2: Rate::new(20.0, 100.0),
            organizations: Rate::new(10.0, 30.0),
            sts: Rate::new(600.0, 600.0),
        }
    }
}

/// How long the platform and its agents take. The defaults follow captures of the real services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From request to the agent's start of the script.
    pub start: Millis,
    /// From the script's end until the result can be read.
    pub report: Millis,
    /// When a node whose agent does not answer falls back from InProgress to Pending/Delayed.
    pub delayed: Millis,
    /// From CancelCommand to the kill.
    pub cancel: Millis,
    /// Until GetCommandInvocation knows the invocations of a command sent by tag.
    pub expansion: Millis,
    /// A reboot after exit 194.
    pub reboot: Millis,
    /// From the script's end until what it printed can be read from a bucket.
    pub upload: Millis,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            start: Millis(220),
            report: Millis(400),
            delayed: Millis(3000),
            cancel: Millis(480),
            expansion: Millis(200),
            reboot: Millis(3000),
            upload: Millis(2000),
        }
    }
}

impl Pace {
    #[must_use]
    pub const fn quick() -> Self {
        Pace {
            start: Millis(5),
            report: Millis(0),
            delayed: Millis(60),
            cancel: Millis(5),
            expansion: Millis(5),
            reboot: Millis(20),
            upload: Millis(30),
        }
    }
}
