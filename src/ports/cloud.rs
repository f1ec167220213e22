//! AWS as the engine sees it: who is there, send, look up, read, cancel.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{Account, AccountId, CommandId, Node, NodeId, Region, RunId, Timestamp, Unmanaged, Unread};

/// A failed call, as far as the engine has to tell failures apart. Texts are one sentence for people with
/// the remedy last, and name account and region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// AWS said no, and will again: access denied, wrong External ID, region disabled, unknown document.
    #[error("{0}")]
    Refused(String),
    /// Too many calls; try again later.
    #[error("AWS throttles the call")]
    Throttled { retry_after: Option<Duration> },
    /// The call may succeed if it is made again: no connection, 5xx, time-out, expired credentials.
    #[error("{0}")]
    Transient(String),
}

/// How a send ended when it did not end with a command id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// AWS did not take it and will not.
    #[error("{0}")]
    Refused(String),
    /// AWS did not take it; a new send may be made after the wait.
    #[error("AWS throttles SendCommand")]
    Throttled { retry_after: Option<Duration> },
    /// Nothing left this host (connection refused, no credentials yet): a new send may be made at once.
    #[error("{0}")]
    NotSent(String),
    /// `InvalidInstanceId`: at least one node is gone, so AWS refused the whole call.
    #[error("AWS no longer knows at least one of the nodes")]
    InvalidInstance,
    /// Time-out, reset, 5xx: AWS may have taken it.
    #[error("{0}")]
    Unknown(String),
    /// AWS took something else under this token: never the same automation, and never to be sent again.
    #[error("{0}")]
    Mismatch(String),
}

/// Which of SSM's services takes what is sent, reads it back and stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// It has no client token: a lost command is found by its `Comment`.
    RunCommand,
    /// One execution for each send, with a child for each node. It has a client token: the same token with the same content
    /// is the same execution, however often it is sent.
    Automation,
}

/// What one send asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Work {
    Command,
    Automation {
        /// The automation's parameter that takes a node's id.
        target_parameter: String,
        /// Name or ARN of the role that it acts with; a name means the account's own role of this name.
        role: String,
    },
}

impl Work {
    #[must_use]
    pub fn service(&self) -> Service {
        match self {
            Work::Command => Service::RunCommand,
            Work::Automation { .. } => Service::Automation,
        }
    }
}

/// An Automation runbook and the role that it acts with, as [`Work::Automation`] names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Automation {
    pub document: String,
    pub role: String,
}

/// For whom and over what a sending session is opened. One per run and account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SendSession {
    pub run: RunId,
    pub account: AccountId,
    /// Carried as SourceIdentity, so that CloudTrail names the human: as STS takes it, `[\w+=,.@-]{2,64}`.
    pub identity: String,
    /// Every node of this account in the plan, with its region: the session's policy allows no other, while they fit.
    pub nodes: Vec<(Region, NodeId)>,
    /// Every document that the plan sends by Run Command; always in the session's policy.
    pub documents: Vec<String>,
    /// Every automation of the plan; always in the session's policy, which may pass their roles and no other.
    pub automations: Vec<Automation>,
}

/// When a request is signed, so that AWS's own expiry bounds when it can still be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signing {
    pub at: Timestamp,
}

/// One SendCommand or StartAutomationExecution.
#[derive(Debug, Clone)]
pub struct SendRequest {
    pub session: SendSession,
    pub work: Work,
    pub region: Region,
    /// At most 50, never a tag.
    pub nodes: Vec<NodeId>,
    pub document: String,
    pub document_version: Option<String>,
    /// SHA-256 that AWS compares with the document; automations have none.
    pub document_hash: Option<String>,
    pub parameters: BTreeMap<String, Vec<String>>,
    /// At most 100 characters: the key by which a lost send is settled. A command's `Comment`, or what an automation's
    /// client token is made of.
    pub token: String,
    /// SSM's `TimeoutSeconds`: how long it waits for the agent. Automations wait for none.
    pub delivery_timeout_secs: u32,
    /// SSM's `MaxErrors` for this send.
    pub max_errors: u32,
    pub signing: Signing,
}

/// One command as ListCommands tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandStatus {
    pub id: CommandId,
    /// Its `Comment`.
    pub token: String,
    pub requested_at: Timestamp,
    /// Nothing will change any more, by SSM's word.
    pub terminal: bool,
    /// `StatusDetails` with spaces removed, such as `NoInstancesInTag`.
    pub details: String,
    pub target_count: u32,
    pub completed_count: u32,
}

/// Bytes that are read of one stream in a bucket: nobody reads more of it in chat, and it is held in memory.
pub const STREAM_MAX: usize = 1024 * 1024;

/// One node's part of one command or automation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    pub node: NodeId,
    /// The node's own execution, by which its whole output is asked for. `None`: a command's is asked by the command's id,
    /// and an automation that never came to this node has none.
    pub execution: Option<CommandId>,
    pub status: InvocationStatus,
    /// `StatusDetails` with spaces removed.
    pub details: String,
    pub exit_code: Option<i32>,
    /// At most 2,500 characters of stdout and stderr, not redacted yet.
    pub output: String,
    /// The output was cut: one of [`crate::runbook::extract::CUT_MARKS`] stands behind what may be
    /// half a line.
    pub cut: bool,
    /// Keys of the streams that were cut, where the account names a bucket for outputs. Opaque to the engine.
    pub objects: Vec<String>,
}

/// `StatusDetails` mapped to what it means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationStatus {
    /// Pending, InProgress, Delayed, Cancelling: not the end, and not monotonic.
    Running,
    Success,
    Failed,
    TimedOut,
    Cancelled,
    Undeliverable,
    Denied,
}

/// One region of one account, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegionRead {
    pub nodes: Vec<Node>,
    pub unmanaged: Vec<Unmanaged>,
    /// Unmanaged instances could not be looked for, and why.
    pub unmanaged_unread: Option<String>,
}

/// Who is there.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// The accounts: configured ones and, where discovery is on, those of the organisation. The faults are of
    /// discovery; configured accounts are always in the list.
    async fn accounts(&self) -> (Vec<Account>, Vec<Unread>);

    /// One region of one account, read with the account's reading session. Pages are followed to the end.
    async fn read(&self, account: &AccountId, region: &Region) -> Result<RegionRead, CloudError>;
}

/// Run Command and Automation in every account and region.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Opens (or reuses) the sending session, so that a refusal by STS is known before an intent is written.
    async fn open(&self, session: &SendSession) -> Result<(), CloudError>;

    /// Opens the account's reading session where it is not open, so that nobody has to wait for it later. Best effort,
    /// and never the sending session: nothing may be sent yet.
    async fn warm(&self, _account: &AccountId) {}

    /// Local clock plus the skew learned from AWS's last `Date`.
    fn aws_now(&self) -> Timestamp;

    /// One SendCommand or StartAutomationExecution: never repeated by the SDK, signed with exactly `request.signing.at`,
    /// given up after 20 s.
    ///
    /// Contract: the caller has made the intent durable before, and does not call later than 15 s after it. An automation
    /// may be sent again, with another signing time and everything else unchanged: that is how a lost answer is settled.
    async fn send(&self, request: &SendRequest) -> Result<CommandId, SendError>;

    /// Every command of the account and region since `since` whose token is in `tokens`, by the reading session. A page
    /// full of strangers is followed; `known` ids are asked for directly where listing does not show them.
    /// Unknown tokens are simply absent: SSM lists lag.
    async fn commands(
        &self,
        account: &AccountId,
        region: &Region,
        since: Timestamp,
        tokens: &[String],
        known: &[CommandId],
    ) -> Result<Vec<CommandStatus>, CloudError>;

    /// Automations that this request may have become, by the reading session and without starting one: those of the
    /// document with exactly these nodes that began when it was signed or later. For when sending again is out of the question.
    ///
    /// # Errors
    /// `Refused` also where one is there that somebody else may have started: people have to look.
    async fn started(&self, request: &SendRequest) -> Result<Vec<CommandId>, CloudError>;

    /// Every invocation of one command or automation, all pages; a node that a page repeats is in the answer once.
    async fn invocations(
        &self,
        account: &AccountId,
        region: &Region,
        service: Service,
        id: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError>;

    /// One node's whole stdout (24,000 characters) and stderr (8,000), not redacted yet, joined as the agent joins them;
    /// the flag says that it is still cut. Of an automation, `id` is the node's own execution and the output is what its
    /// steps gave out.
    async fn output(
        &self,
        account: &AccountId,
        region: &Region,
        service: Service,
        id: &CommandId,
        node: &NodeId,
    ) -> Result<(String, bool), CloudError>;

    /// The same from the account's bucket, at most [`STREAM_MAX`] of each stream; `None` where that cannot be had. It asks SSM for
    /// nothing.
    async fn uploaded(&self, account: &AccountId, invocation: &Invocation) -> Option<(String, bool)>;

    /// Which of the nodes SSM still knows, with whether each is online.
    async fn known_nodes(
        &self,
        account: &AccountId,
        region: &Region,
        nodes: &[NodeId],
    ) -> Result<BTreeMap<NodeId, bool>, CloudError>;

    /// Best effort, by AWS's own word. An automation is stopped for every node.
    async fn cancel(
        &self,
        account: &AccountId,
        region: &Region,
        service: Service,
        id: &CommandId,
        nodes: &[NodeId],
    ) -> Result<(), CloudError>;
}
