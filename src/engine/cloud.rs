//! The rate limits as a decorator over [`Cloud`] and [`Inventory`]: a throttled read waits, it never fails a run.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{Account, AccountId, CommandId, NodeId, Region, Timestamp, Unread};
use crate::ports::{
    Cloud, CloudError, CommandStatus, Inventory, Invocation, RegionRead, SendError, SendRequest, SendSession,
};

use crate::telemetry;

use super::limits::{Kind, Limits};

/// A read is given up after so many throttles or passing faults in a row.
const TRIES: u32 = 12;
const PAUSE_MAX: Duration = Duration::from_secs(20);

pub struct Limited<T: ?Sized> {
    pub limits: Arc<Limits>,
    pub inner: Arc<T>,
}

impl<T: ?Sized> Limited<T> {
    async fn read<A, F>(
        &self,
        account: &AccountId,
        region: &Region,
        kind: Kind,
        call: impl Fn() -> F,
    ) -> Result<A, CloudError>
    where
        F: Future<Output = Result<A, CloudError>>,
    {
        let mut pause = Duration::from_millis(500);
        let mut tries = 0;
        loop {
            self.limits.slot(account, region, kind).await;
            let fault = match call().await {
                Ok(answer) => return Ok(answer),
                Err(refused @ CloudError::Refused(_)) => return Err(refused),
                Err(CloudError::Throttled { retry_after }) => {
                    metrics::counter!(telemetry::AWS_THROTTLED).increment(1);
                    self.limits.throttled(account, region, kind, retry_after);
                    CloudError::Throttled { retry_after }
                }
                Err(passing @ CloudError::Transient(_)) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    passing
                }
            };
            tries += 1;
            // Planning gives up sooner: a person is waiting for it.
            if tries >= if kind == Kind::Inventory { 4 } else { TRIES } {
                return Err(fault);
            }
        }
    }
}

#[async_trait]
impl Inventory for Limited<dyn Inventory> {
    async fn accounts(&self) -> (Vec<Account>, Vec<Unread>) {
        self.inner.accounts().await
    }

    async fn read(&self, account: &AccountId, region: &Region) -> Result<RegionRead, CloudError> {
        self.read(account, region, Kind::Inventory, || self.inner.read(account, region)).await
    }
}

#[async_trait]
impl Cloud for Limited<dyn Cloud> {
    async fn open(&self, session: &SendSession) -> Result<(), CloudError> {
        self.inner.open(session).await
    }

    fn aws_now(&self) -> Timestamp {
        self.inner.aws_now()
    }

    /// The caller holds a slot already: it takes one before it writes the intent.
    async fn send(&self, request: &SendRequest) -> Result<CommandId, SendError> {
        self.inner.send(request).await
    }

    async fn commands(
        &self,
        account: &AccountId,
        region: &Region,
        since: Timestamp,
        tokens: &[String],
        known: &[CommandId],
    ) -> Result<Vec<CommandStatus>, CloudError> {
        self.read(account, region, Kind::Read, || self.inner.commands(account, region, since, tokens, known)).await
    }

    async fn invocations(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        self.read(account, region, Kind::Read, || self.inner.invocations(account, region, command)).await
    }

    async fn output(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
        node: &NodeId,
    ) -> Result<(String, bool), CloudError> {
        self.read(account, region, Kind::Read, || self.inner.output(account, region, command, node)).await
    }

    /// S3 takes thousands of reads a second.
    async fn uploaded(&self, account: &AccountId, invocation: &Invocation) -> Option<(String, bool)> {
        self.inner.uploaded(account, invocation).await
    }

    async fn known_nodes(
        &self,
        account: &AccountId,
        region: &Region,
        nodes: &[NodeId],
    ) -> Result<BTreeMap<NodeId, bool>, CloudError> {
        self.read(account, region, Kind::Inventory, || self.inner.known_nodes(account, region, nodes)).await
    }

    async fn cancel(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
        nodes: &[NodeId],
    ) -> Result<(), CloudError> {
        self.read(account, region, Kind::Send, || self.inner.cancel(account, region, command, nodes)).await
    }
}
