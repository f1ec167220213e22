//! AWS by the official SDKs: who is there ([`inventory`]), and Run Command and Automation in every account ([`send`],
//! [`reading`], [`automation`]).
//!
//! One [`Aws`] serves the process: one HTTP client, one STS client, per account one session for reading and per run and
//! account one for sending ([`sessions`]), whose policy ([`policy`]) allows the plan's nodes and documents and nothing
//! else. Calls are counted here ([`meter`]); how many may be made in a second is the engine's business: what a method of a
//! port calls first has been waited for, and for everything further the adapter asks [`crate::ports::Pace`].

pub mod actions;
mod automation;
mod fault;
#[cfg(feature = "ec2")]
mod instances;
mod inventory;
mod kept;
mod meter;
mod objects;
mod organization;
pub mod policy;
mod probe;
mod reading;
mod send;
mod sessions;
mod settings;
mod skew;
mod status;
mod sts;

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::domain::{AccountId, Timestamp};
use crate::ports::{Clock, CloudError, Pace, Unpaced};

use fault::Fault;
use sessions::{Session, Sessions};
use skew::Skew;

#[cfg(feature = "ec2")]
pub use instances::Machine;
pub use settings::{AccountSettings, BaseKeys, Organization, Settings, Timeouts};

/// The ports `Inventory` and `Cloud` over AWS. Cheap to clone.
#[derive(Clone)]
pub struct Aws {
    sessions: Arc<Sessions>,
    discovery: Arc<organization::Discovery>,
    kept: Arc<kept::Kept>,
    skew: Skew,
    clock: Arc<dyn Clock>,
}

impl Aws {
    /// [`Self::connect_paced`] without limits, for programs that make a handful of calls.
    pub async fn connect(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self::connect_paced(settings, clock, Arc::new(Unpaced)).await
    }

    /// Reads the host's AWS environment (credentials chain, profile, `AWS_ENDPOINT_URL`); makes no call to AWS.
    pub async fn connect_paced(settings: Settings, clock: Arc<dyn Clock>, pace: Arc<dyn Pace>) -> Self {
        let skew = Skew::default();
        let sessions = Arc::new(Sessions::new(settings, skew.clone(), clock.clone(), pace).await);
        Aws {
            discovery: Arc::new(organization::Discovery::new(&sessions)),
            sessions,
            kept: Arc::default(),
            skew,
            clock,
        }
    }

    /// The account that Muster's own credentials (the central role's, where there is one) belong to, and their ARN.
    pub async fn caller(&self) -> Result<(AccountId, String), CloudError> {
        self.sessions.caller().await.map_err(CloudError::from)
    }

    /// The account that `account`'s reading session really works in: STS's word, which no policy can deny.
    pub async fn account_reached(&self, account: &AccountId) -> Result<AccountId, CloudError> {
        self.sessions.account_reached(account).await.map_err(CloudError::from)
    }

    fn now(&self) -> Timestamp {
        self.skew.correct(self.clock.now())
    }

    /// One read with the account's reading session. If AWS drops the session meanwhile, it is assumed anew once.
    async fn with_reading<T, F>(&self, account: &AccountId, read: impl Fn(Arc<Session>) -> F) -> Result<T, CloudError>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let session = self.sessions.reading(account)?;
        let generation = session.warm().await?;
        match read(session.clone()).await {
            Err(Fault::Expired(_) | Fault::Unrecognized(_)) => {
                session.forget(generation).await;
                session.warm().await?;
                Ok(read(session).await?)
            }
            other => Ok(other?),
        }
    }
}
