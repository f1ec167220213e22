//! What the accounts held when they were last read. A plan freezes what it used of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::ids::{AccountId, NodeId, Region};
use super::target::Target;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    Linux,
    Windows,
    Macos,
}

impl Platform {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Platform::Linux => "linux",
            Platform::Windows => "windows",
            Platform::Macos => "macos",
        }
    }
}

/// One machine that SSM manages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub target: Target,
    /// The `Name` tag where there is one, else the host name, else the id.
    pub name: String,
    pub platform: Platform,
    /// Such as `3.3.2746.0`; empty where SSM did not say.
    pub agent_version: String,
    /// What AWS says of the machine besides, so that it can be told what nodes have in common: `zone`, `image`, `type` (of the
    /// instance) and `os` (such as `Debian GNU/Linux 12`). What is not known has no name here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// SSM's PingStatus was Online. It lags: an agent may be gone for minutes and still read Online.
    pub online: bool,
    pub tags: BTreeMap<String, String>,
}

/// A running instance that matches nothing SSM manages: Muster cannot reach it, and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmanaged {
    pub account: AccountId,
    pub region: Region,
    pub instance: NodeId,
    pub name: String,
    pub tags: BTreeMap<String, String>,
}

/// An account, or one region of it, that could not be read. A result, not the end of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    pub account: AccountId,
    /// `None`: the whole account.
    pub region: Option<Region>,
    /// One sentence for people, with the remedy last.
    pub cause: String,
}

/// The inventory as read for one plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub accounts: Vec<Account>,
    pub nodes: Vec<Node>,
    pub unmanaged: Vec<Unmanaged>,
    pub unread: Vec<Unread>,
    /// Running instances that SSM does not manage were not looked for (built or configured without EC2).
    pub unmanaged_unknown: bool,
}

impl Snapshot {
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.iter().find(|a| &a.id == id)
    }
}
