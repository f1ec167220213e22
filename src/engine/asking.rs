//! One look for a send whose answer was lost.
//!
//! A command is looked for by the token in its `Comment`, which starts nothing. An automation is asked for again with the
//! same client token: AWS answers with the one that it has, or starts it now, and either way there is one. Where it must
//! not start any more (the run was cancelled, or its error budget is spent), or where AWS refuses to be asked again, it is
//! looked for by document, nodes and time instead.

use std::sync::Arc;

use crate::domain::CommandId;
use crate::ports::{CloudError, Operation, Quota, SendError, SendRequest, Service, Signing, Work};
use crate::run::{Phase, Run};
use crate::telemetry;

use super::Services;
use super::limits::Whom;
use super::runner::Handle;

/// What one look came to.
pub enum Look {
    Found(CommandId),
    /// AWS shows nothing yet. Lists lag, so that it proves nothing by itself.
    Nowhere,
    /// AWS could not be asked.
    Failed(String),
    /// Only a person can tell.
    Unverifiable(String),
}

/// The request whose answer was lost, and how it may still be asked for.
pub struct Asking {
    lost: SendRequest,
    /// AWS refused to be asked again, and why.
    refused: Option<String>,
}

impl Asking {
    pub fn new(lost: SendRequest) -> Self {
        Asking { lost, refused: None }
    }

    pub async fn look(&mut self, services: &Arc<Services>, handle: &Handle, shard: u32) -> Look {
        match self.lost.work {
            Work::Command => command(services, handle, &self.lost, shard).await,
            Work::Automation { .. }
                if self.refused.is_none() && services.halting.now().is_none() && handle.read(may_start) =>
            {
                self.again(services, handle, shard).await
            }
            Work::Automation { .. } => self.started(services, handle, shard).await,
        }
    }

    /// The same call once more, with a new signing time and nothing else changed.
    async fn again(&mut self, services: &Arc<Services>, handle: &Handle, shard: u32) -> Look {
        let SendRequest { session, region, .. } = &self.lost;
        if let Err(fault) = services.cloud.open(session).await {
            return Look::Failed(fault.to_string());
        }
        let quota = Quota::of(&session.account, region, Operation::StartAutomationExecution);
        services.limits.slot(&quota, Whom::Run(handle.id)).await;
        // While it waited for its slot a person may have cancelled, or halted everything: it would begin only now.
        let halted = services.halting.passage().await.is_none();
        if halted || !handle.read(may_start) {
            return self.started(services, handle, shard).await;
        }
        let now = SendRequest { signing: Signing { at: services.cloud.aws_now() }, ..self.lost.clone() };
        match services.cloud.send(&now).await {
            Ok(id) => Look::Found(id),
            Err(SendError::Throttled { retry_after }) => {
                services.limits.throttled(&quota, retry_after);
                Look::Failed("AWS throttles the call".to_owned())
            }
            Err(SendError::Mismatch(cause)) => Look::Unverifiable(cause),
            Err(fault @ (SendError::NotSent(_) | SendError::Unknown(_))) => Look::Failed(fault.to_string()),
            Err(fault @ (SendError::Refused(_) | SendError::InvalidInstance)) => {
                // No to this call is no word about the one before it.
                tracing::warn!(run = %handle.id, %fault, "AWS refuses to be asked again; it is looked for instead");
                self.refused = Some(fault.to_string());
                self.started(services, handle, shard).await
            }
        }
    }

    async fn started(&self, services: &Arc<Services>, handle: &Handle, shard: u32) -> Look {
        let mut found = match services.cloud.started(&self.lost).await {
            Ok(found) => found,
            Err(CloudError::Refused(why)) => {
                let cause = match &self.refused {
                    Some(refused) => {
                        format!("AWS did not answer, then refused ({refused}), and could not be looked at: {why}")
                    }
                    None => format!("AWS did not answer, and whether it took the automation cannot be seen: {why}"),
                };
                return Look::Unverifiable(cause);
            }
            Err(fault) => return Look::Failed(fault.to_string()),
        };
        if found.is_empty() {
            return Look::Nowhere;
        }
        let first = found.remove(0);
        stop_others(services, handle, &self.lost, shard, Service::Automation, found).await;
        Look::Found(first)
    }
}

/// Whether something new may begin on nodes of this run.
fn may_start(run: &Run) -> bool {
    run.phase == Phase::Running && run.stopping.is_none()
}

async fn command(services: &Arc<Services>, handle: &Handle, lost: &SendRequest, shard: u32) -> Look {
    // AWS takes a request as long before its signing time as after it, and files it under its own time.
    let since = lost.signing.at.saturating_sub(services.settings.settle_after()).unwrap_or(lost.signing.at);
    let (account, region) = (&lost.session.account, &lost.region);
    let mut found = match services.cloud.commands(account, region, since, std::slice::from_ref(&lost.token), &[]).await
    {
        Ok(found) => found,
        Err(fault) => return Look::Failed(fault.to_string()),
    };
    found.sort_by(|a, b| (a.requested_at, &a.id).cmp(&(b.requested_at, &b.id)));
    let mut ids = found.into_iter().map(|command| command.id);
    let Some(first) = ids.next() else { return Look::Nowhere };
    stop_others(services, handle, lost, shard, Service::RunCommand, ids).await;
    Look::Found(first)
}

/// The earliest is the one that counts.
async fn stop_others(
    services: &Arc<Services>,
    handle: &Handle,
    lost: &SendRequest,
    shard: u32,
    service: Service,
    others: impl IntoIterator<Item = CommandId>,
) {
    for other in others {
        tracing::error!(run = %handle.id, shard, command = %other, "AWS holds two commands for one send; the later one is cancelled");
        metrics::counter!(telemetry::DOUBLE_SENDS).increment(1);
        if let Err(fault) = services.cloud.cancel(&lost.session.account, &lost.region, service, &other, &[]).await {
            tracing::error!(run = %handle.id, %fault, "the second command could not be cancelled");
        }
    }
}
