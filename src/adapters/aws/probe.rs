//! What `muster doctor` asks AWS. Sessions are opened and read with; nothing is sent to a node.

use async_trait::async_trait;

use crate::domain::{AccountId, Region};
use crate::ports::{CloudError, CloudProbe, Guard};

use super::Aws;

#[async_trait]
impl CloudProbe for Aws {
    async fn host(&self) -> Result<(AccountId, String), CloudError> {
        self.sessions.host().await.map_err(CloudError::from)
    }

    async fn entry(&self) -> Result<(AccountId, String), CloudError> {
        self.caller().await
    }

    async fn enter(&self, account: &AccountId) -> Result<AccountId, CloudError> {
        self.account_reached(account).await
    }

    async fn guard(&self, account: &AccountId) -> Result<Guard, CloudError> {
        self.sessions.guard(account).await.map_err(CloudError::from)
    }

    async fn automations(&self, account: &AccountId, region: &Region) -> Result<(), CloudError> {
        self.can_read_automations(account, region).await
    }

    fn clock(&self) -> jiff::SignedDuration {
        self.skew.ahead()
    }
}
