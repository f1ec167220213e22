//! AWS as the engine sees it: who is there, send, look up, read, cancel.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    Account, AccountId, CommandId, Node, NodeId, Principal, Region, RunId, Timestamp, Unmanaged, Unread,
};

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
}

/// For whom and over what a sending session is opened. One per run and account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SendSession {
    pub run: RunId,
    pub account: AccountId,
    /// Carried as SourceIdentity, so that CloudTrail names the human.
    pub principal: Principal,
    /// Every node of this account in the plan, with its region: the session's policy allows no other, while they fit.
    pub nodes: Vec<(Region, NodeId)>,
    /// Every document of the plan; always in the session's policy.
    pub documents: Vec<String>,
}

/// When a request is signed, so that AWS's own expiry bounds when it can still be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signing {
    pub at: Timestamp,
}

/// One SendCommand.
#[derive(Debug, Clone)]
pub struct SendRequest {
    pub session: SendSession,
    pub region: Region,
    /// At most 50, never a tag.
    pub nodes: Vec<NodeId>,
    pub document: String,
    pub document_version: Option<String>,
    /// SHA-256 that AWS compares with the document.
    pub document_hash: Option<String>,
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Goes into `Comment`, at most 100 characters: the key by which a lost command is found again.
    pub token: String,
    /// SSM's `TimeoutSeconds`: how long it waits for the agent.
    pub delivery_timeout_secs: u32,
    /// SSM's `MaxErrors` for this command.
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

/// One node's part of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    pub node: NodeId,
    pub status: InvocationStatus,
    /// `StatusDetails` with spaces removed.
    pub details: String,
    pub exit_code: Option<i32>,
    /// At most 2,500 characters of stdout and stderr, not redacted yet.
    pub output: String,
    /// SSM cut the output.
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

/// Run Command in every account and region.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Opens (or reuses) the sending session, so that a refusal by STS is known before an intent is written.
    async fn open(&self, session: &SendSession) -> Result<(), CloudError>;

    /// Local clock plus the skew learned from AWS's last `Date`.
    fn aws_now(&self) -> Timestamp;

    /// One SendCommand: never repeated by the SDK, signed with exactly `request.signing.at`, given up after 20 s.
    ///
    /// Contract: the caller has made the intent durable before, and does not call later than 15 s after it.
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

    /// Every invocation of one command, all pages; a node that a page repeats is in the answer once.
    async fn invocations(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError>;

    /// One node's whole stdout (24,000 characters) and stderr (8,000), not redacted yet, joined as the agent joins them;
    /// the flag says that it is still cut.
    async fn output(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
        node: &NodeId,
    ) -> Result<(String, bool), CloudError>;

    /// The same from the account's bucket, at most 1 MiB of each stream; `None` where that cannot be had. It asks SSM for
    /// nothing.
    async fn uploaded(&self, _account: &AccountId, _invocation: &Invocation) -> Option<(String, bool)> {
        None
    }

    /// Which of the nodes SSM still knows, with whether each is online.
    async fn known_nodes(
        &self,
        account: &AccountId,
        region: &Region,
        nodes: &[NodeId],
    ) -> Result<BTreeMap<NodeId, bool>, CloudError>;

    /// Best effort, by AWS's own word.
    async fn cancel(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
        nodes: &[NodeId],
    ) -> Result<(), CloudError>;
}
