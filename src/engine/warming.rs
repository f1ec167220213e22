//! While people decide, the accounts of a run are entered for reading, so that an approval is followed by sends and not
//! by hundreds of AssumeRole calls one behind the other.
//!
//! Reading sessions only: a session that may send is opened when the run has started, for nobody can be sure before
//! that it will. No effect of the run: nothing is owed, nothing is written, and a failure is told when it matters.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::task::AbortHandle;

use crate::domain::AccountId;
use crate::policy::Verdict;
use crate::run::{Phase, Run};

use super::Services;
use super::limits::Whom;
use super::runner::Handle;

/// Accounts entered at the same time, for one run.
const AT_ONCE: usize = 8;
/// Sessions last an hour and are renewed in their last minutes, so that none is found cold for long.
const AGAIN_AFTER: Duration = Duration::from_secs(4 * 60);

/// The warming of one run, which ends with its approval and with this.
pub struct Warming(Option<AbortHandle>);

impl Warming {
    /// Starts it, where the run waits for an approval; after a restart as well.
    pub fn of(services: &Arc<Services>, handle: &Handle) -> Self {
        let accounts = handle.read(|run| is_waiting(run).then(|| accounts(run)));
        let warm = |accounts| {
            let work = keep_warm(Arc::downgrade(services), accounts);
            tokio::spawn(Whom::Run(handle.id).pays_for(work)).abort_handle()
        };
        Warming(accounts.map(warm))
    }

    /// The runs' own reads keep sessions warm from here on, or nobody needs them.
    pub fn only_while_waiting(&mut self, run: &Run) {
        if self.0.is_some() && !is_waiting(run) {
            self.stop();
        }
    }

    fn stop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_waiting(run: &Run) -> bool {
    run.phase == Phase::AwaitingApproval && run.proposal.decision.verdict == Verdict::PermitWithApproval
}

fn accounts(run: &Run) -> BTreeSet<AccountId> {
    run.proposal.plan.shards.iter().map(|shard| shard.account.clone()).collect()
}

async fn keep_warm(services: Weak<Services>, accounts: BTreeSet<AccountId>) {
    loop {
        let Some(cloud) = services.upgrade().map(|services| services.cloud.clone()) else { return };
        let warm = accounts.iter().map(|account| cloud.warm(account));
        futures::stream::iter(warm).for_each_concurrent(AT_ONCE, |warmed| warmed).await;
        // Not held while it sleeps: what stands behind the port is closed when the engine has gone.
        drop(cloud);
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}
