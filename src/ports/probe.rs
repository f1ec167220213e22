//! Looking without touching: what `muster doctor` asks a chat platform and a cloud. Nothing is said to anybody and
//! nothing is sent to a node; every call is safe to make beside a running Muster.

use async_trait::async_trait;

use crate::domain::{AccountId, Region};

use super::CloudError;

/// Why something could not be seen: one sentence with the remedy last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProbeError(pub String);

/// The bot as its platform knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotSeen {
    /// For people; never a key.
    pub workspace: String,
    /// What policies name: the enterprise where there is one, else the workspace.
    pub tenant: String,
    pub name: String,
    pub user: String,
    /// How many scopes the bot needs.
    pub needed: usize,
    /// Of them, those that were not granted. `None`: the platform did not say.
    pub missing: Option<Vec<String>>,
    /// The platform's clock minus this host's; zero within the precision of its answer. `None`: it did not say.
    pub clock: Option<jiff::SignedDuration>,
}

/// A channel as the bot sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSeen {
    pub name: String,
    /// The bot is in it.
    pub member: bool,
    pub archived: bool,
}

#[async_trait]
pub trait ChatProbe: Send + Sync {
    /// Who the bot is and what it may do.
    async fn bot(&self) -> Result<BotSeen, ProbeError>;
    /// Whether what people do would arrive.
    async fn can_listen(&self) -> Result<(), ProbeError>;
    /// `None`: there is no such channel, or it is private and the bot is not in it.
    async fn channel(&self, id: &str) -> Result<Option<ChannelSeen>, ProbeError>;
}

/// What an account does with somebody who does not know its External ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It refuses.
    Refuses,
    /// It lets Muster in all the same, and so whoever makes Muster ask: the External ID protects nothing.
    LetsIn,
    /// Muster itself is configured to enter without one.
    NoneConfigured,
}

#[async_trait]
pub trait CloudProbe: Send + Sync {
    /// Account and ARN of the rights that this host has by itself.
    async fn host(&self) -> Result<(AccountId, String), CloudError>;
    /// Account and ARN of those that accounts are entered with: the central role's, or the host's.
    async fn entry(&self) -> Result<(AccountId, String), CloudError>;
    /// Enters the account for reading, and says which account that really is.
    async fn enter(&self, account: &AccountId) -> Result<AccountId, CloudError>;
    /// Tries the same without the External ID, for a session that may do nothing. Ask only where [`Self::enter`] succeeds:
    /// before that a refusal proves nothing.
    async fn guard(&self, account: &AccountId) -> Result<Guard, CloudError>;
    /// Whether automations of the region can be read, which takes rights of their own.
    async fn automations(&self, account: &AccountId, region: &Region) -> Result<(), CloudError>;
    /// The cloud's clock minus this host's, as the last answer told; zero before any.
    fn clock(&self) -> jiff::SignedDuration;
}
