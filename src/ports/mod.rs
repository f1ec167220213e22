//! What the engine needs of the world: traits, and the crash contract of each call.
//!
//! Incoming chat is not pulled: adapters call [`Inbox::accept`], which is durable when it returns, and
//! acknowledge to the platform afterwards.

pub mod chat;
pub mod cloud;
pub mod control;
pub mod journal;
pub mod pace;
pub mod probe;
pub mod recent;

pub use chat::{
    Ack, Actor, Channel, Chat, ChatError, Completing, Delivery, Directory, DirectoryError, Inbound, Inbox, InboxError,
    Part, Profile, Reply, Search,
};
pub use cloud::{
    Automation, Cloud, CloudError, CommandStatus, Inventory, Invocation, InvocationStatus, RegionRead, STREAM_MAX,
    SendError, SendRequest, SendSession, Service, Signing, Work,
};
pub use control::{Control, Order, Told};
pub use journal::{Commit, CommitError, InboxRow, Journal, JournalError, Outputs, Stored, StoredEvent, StoredFact};
pub use pace::{Operation, Pace, Quota, Unpaced};
pub use probe::{BotSeen, ChannelSeen, ChatProbe, CloudProbe, Guard, ProbeError};
pub use recent::Recent;

use crate::domain::{RunId, Timestamp};

/// The only source of the time. Expiry is wall time; waits are the runtime's own.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The only source of new ids.
pub trait Ids: Send + Sync {
    fn run_id(&self, now: Timestamp) -> RunId;
}
