//! The words that every room uses, with no behaviour beyond checking themselves.
//!
//! Nothing here reads a clock, a file or a network. Values are parsed at the edge, so that behind it
//! nothing is a `String` that has a type.

pub mod account;
pub mod amount;
pub mod fault;
pub mod ids;
pub mod inventory;
pub mod outcome;
pub mod principal;
pub mod secret;
pub mod selector;
pub mod strict;
pub mod target;
pub mod words;

pub use account::{Account, AccountSource, Bucket};
pub use amount::{Amount, Millis, number};
pub use fault::{Fault, Position};
pub use ids::{AccountId, CommandId, Digest, Invalid, NodeId, Region, RunId, RunbookName};
pub use inventory::{Node, Platform as NodePlatform, Snapshot, Unmanaged, Unread};
pub use jiff::Timestamp;
pub use outcome::{Counts, NotStarted, Outcome};
pub use principal::{ChannelRef, ChatPlatform, GroupName, GroupRef, MessageRef, Place, Principal};
pub use secret::Secret;
pub use selector::Selector;
pub use target::Target;
