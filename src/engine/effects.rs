//! What it means to carry out each effect.

use std::sync::Arc;

use crate::run::{Effect, Input};

use super::runner::Handle;
use super::{Services, posting, sending, starting, watching};

/// Carries out one effect and feeds back what came of it. Returns early when the world would not have it; the
/// runner calls again as long as it is owed.
pub async fn carry_out(services: &Arc<Services>, handle: &Handle, effect: &Effect) {
    match effect {
        Effect::Post(key) => posting::post(services, handle, key, false).await,
        Effect::SettlePost(key) => posting::post(services, handle, key, true).await,
        Effect::TellUnposted => starting::tell_unposted(services, handle).await,
        Effect::Start => starting::start(services, handle).await,
        Effect::Alarm(at) => {
            let wait = at.duration_since(services.clock.now());
            // Wall time may step; a long wait looks at the clock again now and then.
            let wait = std::time::Duration::try_from(wait).unwrap_or_default();
            tokio::time::sleep(wait.min(std::time::Duration::from_secs(30))).await;
            let _ = handle.input(Input::Tick).await;
        }
        Effect::Send { shard, step, send } => sending::send(services, handle, *shard, *step, *send).await,
        Effect::Answer { shard, step, send } => sending::lost(handle, *shard, *step, *send).await,
        Effect::LookUp { shard, step, send } => sending::look_up(services, handle, *shard, *step, *send).await,
        Effect::Watch { shard, step, send } => watching::watch(services, handle, *shard, *step, *send).await,
        Effect::CancelCommand { shard, step, send } => sending::cancel(services, handle, *shard, *step, *send).await,
        Effect::Settle => {
            let _ = handle.input(Input::Settle).await;
        }
    }
}
