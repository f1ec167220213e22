//! One command and its invocations, and how SSM words their states.
//!
//! Invocations are not monotonic: an agent that does not answer reads InProgress first, then Pending/Delayed. The
//! command's own status is derived from them, and hides mixed results as SSM's does.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use tokio::sync::Notify;

use crate::domain::{NodeId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    InProgress,
    Delayed,
    Cancelling,
    Success,
    Failed,
    ExecutionTimedOut,
    DeliveryTimedOut,
    Undeliverable,
    Terminated,
    InvalidPlatform,
    Cancelled,
}

impl State {
    /// `Status` and `StatusDetails`, natively without spaces.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            State::Pending => ("Pending", "Pending"),
            State::InProgress => ("InProgress", "InProgress"),
            State::Delayed => ("Pending", "Delayed"),
            State::Cancelling => ("Cancelling", "Cancelling"),
            State::Success => ("Success", "Success"),
            State::Failed => ("Failed", "Failed"),
            State::ExecutionTimedOut => ("TimedOut", "ExecutionTimedOut"),
            State::DeliveryTimedOut => ("TimedOut", "DeliveryTimedOut"),
            State::Undeliverable => ("Failed", "Undeliverable"),
            State::Terminated => ("Cancelled", "Terminated"),
            State::InvalidPlatform => ("Failed", "InvalidPlatform"),
            State::Cancelled => ("Cancelled", "Cancelled"),
        }
    }
    #[must_use]
    pub fn terminal(self) -> bool {
        !matches!(self, State::Pending | State::InProgress | State::Delayed | State::Cancelling)
    }
    /// Counts towards MaxErrors. Deliveries that failed do not.
    #[must_use]
    pub fn is_error(self) -> bool {
        matches!(self, State::Failed | State::ExecutionTimedOut)
    }
}

#[derive(Debug, Clone)]
pub struct Invocation {
    pub node: NodeId,
    pub node_name: String,
    pub host_name: String,
    pub requested: Timestamp,
    pub state: State,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    /// −1 until the script has run.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// Set by CancelCommand; the running script is killed when it is seen.
    pub cancel: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
pub struct Command {
    pub id: String,
    pub document: String,
    pub document_version: String,
    pub comment: String,
    pub parameters: Value,
    pub requested: Timestamp,
    pub expires: Timestamp,
    pub timeout_secs: i64,
    pub max_concurrency: String,
    pub max_errors: String,
    /// As given in the call; empty for a command sent by tag.
    pub instance_ids: Vec<String>,
    pub targets: Value,
    pub bucket: String,
    pub prefix: String,
    /// `aws:runShellScript` for schema 1.2, the step's name for 2.2.
    pub plugin: String,
    pub region: String,
    pub invocations: Vec<Invocation>,
    pub wake: Arc<Notify>,
}

/// A command's own counts and status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aggregate {
    pub status: &'static str,
    pub details: &'static str,
    pub targets: usize,
    pub completed: usize,
    pub errors: usize,
    pub delivery_timed_out: usize,
}

impl Command {
    #[must_use]
    pub fn by_tag(&self) -> bool {
        self.instance_ids.is_empty()
    }
    #[must_use]
    pub fn aggregate(&self) -> Aggregate {
        let states: Vec<State> = self.invocations.iter().map(|i| i.state).collect();
        aggregate(&states, share(&self.max_errors, states.len()))
    }
}

/// `10` or `10%` of `total`, percentages rounded up.
#[must_use]
pub fn share(text: &str, total: usize) -> usize {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse::<usize>().map_or(0, |p| (p * total).div_ceil(100)),
        None => text.parse().unwrap_or(0),
    }
}

#[must_use]
pub fn aggregate(states: &[State], max_errors: usize) -> Aggregate {
    let count = |test: fn(State) -> bool| states.iter().filter(|s| test(**s)).count();
    let errors = count(State::is_error);
    let (status, details) = if states.is_empty() {
        ("Success", "NoInstancesInTag")
    } else if states.contains(&State::Cancelling) {
        ("Cancelling", "Cancelling")
    } else if states.iter().any(|s| !s.terminal()) {
        let untouched = states.iter().all(|s| matches!(s, State::Pending | State::Delayed));
        if untouched { ("Pending", "Pending") } else { ("InProgress", "InProgress") }
    } else if errors > max_errors {
        ("Failed", "Failed")
    } else if states.iter().all(|s| matches!(s, State::Cancelled | State::Terminated)) {
        ("Cancelled", "Cancelled")
    } else if states.iter().all(|s| *s == State::DeliveryTimedOut) {
        ("TimedOut", "DeliveryTimedOut")
    } else if states.contains(&State::Success) {
        ("Success", "Success")
    } else {
        ("Failed", "Incomplete")
    };
    Aggregate {
        status,
        details,
        targets: states.len(),
        completed: count(State::terminal),
        errors,
        delivery_timed_out: count(|s| s == State::DeliveryTimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(states: &[State], max_errors: usize) -> String {
        let a = aggregate(states, max_errors);
        format!(
            "{}/{} {}/{} errors {} undelivered {}",
            a.status, a.details, a.completed, a.targets, a.errors, a.delivery_timed_out
        )
    }

    #[test]
    fn a_command_hides_mixed_results_as_ssm_does() {
        use State::*;
        let cases: [(&[State], usize, &str); 11] = [
            (&[], 0, "Success/NoInstancesInTag 0/0 errors 0 undelivered 0"),
            (&[Pending, Pending], 0, "Pending/Pending 0/2 errors 0 undelivered 0"),
            (&[Delayed], 0, "Pending/Pending 0/1 errors 0 undelivered 0"),
            (&[Success, Pending], 0, "InProgress/InProgress 1/2 errors 0 undelivered 0"),
            (&[Success, Cancelling], 0, "Cancelling/Cancelling 1/2 errors 0 undelivered 0"),
            (&[ExecutionTimedOut], 0, "Failed/Failed 1/1 errors 1 undelivered 0"),
            (&[DeliveryTimedOut], 0, "TimedOut/DeliveryTimedOut 1/1 errors 0 undelivered 1"),
            (&[Cancelled], 0, "Cancelled/Cancelled 1/1 errors 0 undelivered 0"),
            (
                &[Undeliverable, Undeliverable, Undeliverable, Undeliverable, Success],
                0,
                "Success/Success 5/5 errors 0 undelivered 0",
            ),
            (&[Failed, Terminated], 1, "Failed/Incomplete 2/2 errors 1 undelivered 0"),
            (&[Failed, Success], 0, "Failed/Failed 2/2 errors 1 undelivered 0"),
        ];
        for (states, max_errors, expected) in cases {
            assert_eq!(told(states, max_errors), expected, "{states:?}");
        }
    }

    #[test]
    fn shares_of_a_command_round_up() {
        assert_eq!([share("10%", 11), share("100%", 7), share("3", 7), share("0", 7)], [2, 7, 3, 0]);
    }
}
