//! The rate limits as a decorator over [`Cloud`] and [`Inventory`]: a throttled read waits, it never fails a run.
//!
//! Each method waits for the slot of its first call here; the adapter waits for those of further pages at the same
//! limits ([`crate::ports::Pace`]). A read for a run is tried until its caller should look at its own deadline again; who
//! reads for a run takes an error for "not yet". A read for a person who waits is given up sooner, with the cause.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::domain::{Account, AccountId, CommandId, NodeId, Region, Timestamp, Unread};
use crate::ports::{
    Cloud, CloudError, CommandStatus, Inventory, Invocation, Operation, Quota, RegionRead, SendError, SendRequest,
    SendSession,
};

use super::limits::{Limits, Whom};

/// How long a call is tried that AWS throttles or does not answer.
struct Patience {
    time: Duration,
    tries: u32,
}

/// A person waits for the inventory.
const FOR_A_PERSON: Patience = Patience { time: Duration::from_secs(30), tries: 4 };
/// Nobody waits but the run, which asks again.
const FOR_A_RUN: Patience = Patience { time: Duration::from_secs(120), tries: u32::MAX };
/// Between two tries after a fault that may pass.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(20);

pub struct Limited<T: ?Sized> {
    pub limits: Arc<Limits>,
    pub inner: Arc<T>,
}

impl<T: ?Sized> Limited<T> {
    /// Calls until there is an answer, a refusal, or no patience left.
    async fn read<A, F>(&self, quota: Quota, patience: Patience, call: impl Fn() -> F) -> Result<A, CloudError>
    where
        F: Future<Output = Result<A, CloudError>>,
    {
        let began = Instant::now();
        let mut pause = PAUSE_FIRST;
        let mut tries = 0;
        loop {
            self.limits.slot(&quota, Whom::current()).await;
            let fault = match call().await {
                Ok(answer) => return Ok(answer),
                Err(refused @ CloudError::Refused(_)) => return Err(refused),
                Err(CloudError::Throttled { retry_after }) => {
                    // The next slot is as far away as it has to be.
                    self.limits.throttled(&quota, retry_after);
                    CloudError::Throttled { retry_after }
                }
                Err(passing @ CloudError::Transient(_)) => {
                    tokio::time::sleep(self.limits.apart(pause)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    passing
                }
            };
            tries += 1;
            if tries >= patience.tries || began.elapsed() >= patience.time {
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
        let quota = Quota::of(account, region, Operation::DescribeInstanceInformation);
        self.read(quota, FOR_A_PERSON, || self.inner.read(account, region)).await
    }
}

#[async_trait]
impl Cloud for Limited<dyn Cloud> {
    async fn open(&self, session: &SendSession) -> Result<(), CloudError> {
        self.inner.open(session).await
    }

    /// Not limited here: it may need no call, and the adapter asks for the one to STS.
    async fn warm(&self, account: &AccountId) {
        self.inner.warm(account).await;
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
        let quota = Quota::of(account, region, Operation::ListCommands);
        self.read(quota, FOR_A_RUN, || self.inner.commands(account, region, since, tokens, known)).await
    }

    async fn invocations(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        let quota = Quota::of(account, region, Operation::ListCommandInvocations);
        self.read(quota, FOR_A_RUN, || self.inner.invocations(account, region, command)).await
    }

    async fn output(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
        node: &NodeId,
    ) -> Result<(String, bool), CloudError> {
        let quota = Quota::of(account, region, Operation::GetCommandInvocation);
        self.read(quota, FOR_A_RUN, || self.inner.output(account, region, command, node)).await
    }

    async fn known_nodes(
        &self,
        account: &AccountId,
        region: &Region,
        nodes: &[NodeId],
    ) -> Result<BTreeMap<NodeId, bool>, CloudError> {
        let quota = Quota::of(account, region, Operation::DescribeInstanceInformation);
        self.read(quota, FOR_A_RUN, || self.inner.known_nodes(account, region, nodes)).await
    }

    async fn cancel(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
        nodes: &[NodeId],
    ) -> Result<(), CloudError> {
        let quota = Quota::of(account, region, Operation::CancelCommand);
        self.read(quota, FOR_A_RUN, || self.inner.cancel(account, region, command, nodes)).await
    }
}
