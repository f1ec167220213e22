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
    SendSession, Service,
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

    async fn started(&self, request: &SendRequest) -> Result<Vec<CommandId>, CloudError> {
        let operation = Operation::DescribeAutomationExecutions;
        let quota = Quota::of(&request.session.account, &request.region, operation);
        self.read(quota, FOR_A_RUN, || self.inner.started(request)).await
    }

    async fn invocations(
        &self,
        account: &AccountId,
        region: &Region,
        service: Service,
        id: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        let operation = match service {
            Service::RunCommand => Operation::ListCommandInvocations,
            Service::Automation => Operation::DescribeAutomationExecutions,
        };
        let quota = Quota::of(account, region, operation);
        self.read(quota, FOR_A_RUN, || self.inner.invocations(account, region, service, id)).await
    }

    async fn output(
        &self,
        account: &AccountId,
        region: &Region,
        service: Service,
        id: &CommandId,
        node: &NodeId,
    ) -> Result<(String, bool), CloudError> {
        let operation = match service {
            Service::RunCommand => Operation::GetCommandInvocation,
            Service::Automation => Operation::GetAutomationExecution,
        };
        let quota = Quota::of(account, region, operation);
        self.read(quota, FOR_A_RUN, || self.inner.output(account, region, service, id, node)).await
    }

    /// Its turns are taken where the calls are made: one output may take several, and one account may have no bucket.
    async fn uploaded(&self, account: &AccountId, invocation: &Invocation) -> Option<(String, bool)> {
        self.inner.uploaded(account, invocation).await
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
        service: Service,
        id: &CommandId,
        nodes: &[NodeId],
    ) -> Result<(), CloudError> {
        let operation = match service {
            Service::RunCommand => Operation::CancelCommand,
            Service::Automation => Operation::StopAutomationExecution,
        };
        let quota = Quota::of(account, region, operation);
        self.read(quota, FOR_A_RUN, || self.inner.cancel(account, region, service, id, nodes)).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::super::limits::Rate;
    use super::*;

    /// Answers with what the test says, in this order, and then with success.
    struct Answers(Mutex<VecDeque<CloudError>>);

    impl Answers {
        fn limited(faults: impl IntoIterator<Item = CloudError>) -> (Limited<Answers>, Quota) {
            let (account, region) = ("111111111111".parse().unwrap(), "eu-west-1".parse().unwrap());
            // Fast enough that a halved rate is still fast.
            let limits = Arc::new(Limits::new(Rate { per_second: 50_000.0, burst: 10 }));
            let inner = Arc::new(Answers(Mutex::new(faults.into_iter().collect())));
            (Limited { limits, inner }, Quota::of(&account, &region, Operation::ListCommandInvocations))
        }
        fn answer(&self) -> Result<&'static str, CloudError> {
            self.0.lock().unwrap().pop_front().map_or(Ok("there"), Err)
        }
    }

    fn throttles(n: usize) -> impl Iterator<Item = CloudError> {
        std::iter::repeat_n(CloudError::Throttled { retry_after: None }, n)
    }

    #[tokio::test]
    async fn a_throttled_read_for_a_run_waits_and_does_not_fail() {
        let (limited, quota) = Answers::limited(throttles(200));
        let call = || std::future::ready(limited.inner.answer());
        assert_eq!(limited.read(quota.clone(), FOR_A_RUN, call).await, Ok("there"));
        assert!(limited.limits.per_second(&quota) < 50_000.0);
    }

    #[tokio::test]
    async fn a_throttled_read_for_a_person_is_given_up_and_told() {
        let (limited, quota) = Answers::limited(throttles(200));
        let call = || std::future::ready(limited.inner.answer());
        let given_up = limited.read(quota, FOR_A_PERSON, call).await;
        assert_eq!(given_up, Err(CloudError::Throttled { retry_after: None }));
        assert_eq!(limited.inner.0.lock().unwrap().len(), 196);
    }

    #[tokio::test]
    async fn a_refusal_is_told_at_once_and_slows_nothing() {
        let (limited, quota) = Answers::limited([CloudError::Refused("no".into())]);
        let call = || std::future::ready(limited.inner.answer());
        let refused = limited.read(quota.clone(), FOR_A_RUN, call).await;
        assert_eq!(refused, Err(CloudError::Refused("no".into())));
        assert_eq!(limited.limits.per_second(&quota), 50_000.0);
    }

    #[tokio::test]
    async fn a_run_without_an_answer_gets_to_look_at_its_own_deadline() {
        let (limited, quota) = Answers::limited(throttles(200));
        let call = || std::future::ready(limited.inner.answer());
        let impatient = Patience { time: Duration::ZERO, ..FOR_A_RUN };
        assert_eq!(limited.read(quota, impatient, call).await, Err(CloudError::Throttled { retry_after: None }));
    }
}
