//! What really happened: the witness that tours, tests and benchmarks ask instead of the bot.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::domain::Timestamp;

/// One SendCommand or StartAutomationExecution that was taken.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    pub command_id: String,
    pub account: String,
    pub region: String,
    pub nodes: Vec<String>,
    /// Of an automation: its client token.
    pub comment: String,
    pub document: String,
    /// SHA-256 of the parameters as canonical JSON.
    pub parameters_sha256: String,
    pub parameters: Value,
    pub signed_at: Timestamp,
    pub received_at: Timestamp,
    pub source_identity: Option<String>,
    pub session_name: String,
    /// Whether the caller got the answer; `false` under `lost-answer`.
    pub answered: bool,
}

/// One session that STS gave out.
#[derive(Debug, Clone, Serialize)]
pub struct Opened {
    pub account: String,
    pub role: String,
    pub session_name: String,
    pub source_identity: Option<String>,
    pub at: Timestamp,
}

/// One execution on one node. A node that runs a command twice has two.
#[derive(Debug, Clone, Serialize)]
pub struct Execution {
    pub command_id: String,
    pub account: String,
    pub region: String,
    pub node: String,
    pub node_name: String,
    pub comment: String,
    /// SHA-256 of the script's text.
    pub script_sha256: String,
    /// `script`, `table` or `automation`.
    pub by: &'static str,
    pub started_at: Timestamp,
    /// Empty while it runs.
    pub ended_at: Option<Timestamp>,
    pub exit: Option<i32>,
}

#[derive(Debug, Default)]
pub struct Log {
    sessions: Vec<Opened>,
    sends: Vec<Sent>,
    executions: Vec<Execution>,
    calls: BTreeMap<String, Calls>,
    /// Counts changes of the world that somebody may want to see.
    news: watch::Sender<u64>,
}

/// Calls of one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    pub total: u64,
    pub refused: u64,
    pub throttled: u64,
}

impl Log {
    /// Something that a person could see has changed.
    pub fn changed(&self) {
        self.news.send_modify(|n| *n += 1);
    }
    /// Grows with every change.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
    pub fn opened(&mut self, session: Opened) {
        self.sessions.push(session);
        self.changed();
    }
    pub fn sent(&mut self, sent: Sent) {
        self.sends.push(sent);
        self.changed();
    }
    /// The answer to this command never reached the caller.
    pub fn unanswered(&mut self, command_id: &str) {
        self.sends.iter_mut().rev().filter(|s| s.command_id == command_id).for_each(|s| s.answered = false);
        self.changed();
    }
    /// The number by which [`Log::ended`] finds the execution again.
    pub fn started(&mut self, execution: Execution) -> usize {
        self.executions.push(execution);
        self.changed();
        self.executions.len() - 1
    }
    pub fn ended(&mut self, number: usize, at: Timestamp, exit: i32) {
        if let Some(execution) = self.executions.get_mut(number) {
            execution.ended_at = Some(at);
            execution.exit = Some(exit);
        }
        self.changed();
    }
    pub fn called(&mut self, operation: &str, refusal: Option<&str>) {
        let calls = self.calls.entry(operation.to_owned()).or_default();
        calls.total += 1;
        calls.refused += u64::from(refusal.is_some());
        calls.throttled += u64::from(matches!(
            refusal,
            Some("ThrottlingException" | "Throttling" | "RequestLimitExceeded" | "TooManyRequestsException")
        ));
        self.changed();
    }
    #[must_use]
    pub fn sessions(&self) -> &[Opened] {
        &self.sessions
    }
    #[must_use]
    pub fn sends(&self) -> &[Sent] {
        &self.sends
    }
    #[must_use]
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }
    #[must_use]
    pub fn calls(&self) -> &BTreeMap<String, Calls> {
        &self.calls
    }
}
