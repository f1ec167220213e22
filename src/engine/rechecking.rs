//! What waits is held against the rules whenever they change, and once after a start: the stricter decision stands, and
//! whoever could no longer approve has not.

use std::sync::Weak;
use std::time::Duration;

use futures::StreamExt as _;

use crate::run::{Input, Phase};

use super::runner::Handle;
use super::{Services, starting};

/// Requests that are looked at at the same time.
const AT_ONCE: usize = 8;
/// Before somebody's groups are asked for again that could not be read.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Looks at everything that waits at every change of the rules, for as long as the engine lives.
pub(super) async fn keep(services: Weak<Services>) {
    let Some(mut changes) = services.upgrade().map(|services| services.rulebook.changes()) else { return };
    loop {
        // What is seen from here on is of these rules, or of later ones.
        changes.borrow_and_update();
        let Some(mut waiting) = services.upgrade().map(|services| services.runs.held()) else { return };
        let all = async {
            // Who cannot be looked up keeps nobody else waiting.
            while !waiting.is_empty() {
                let looks = std::mem::take(&mut waiting).into_iter().map(|handle| look(&services, handle));
                let looks = futures::stream::iter(looks).buffer_unordered(AT_ONCE);
                waiting = looks.filter_map(std::future::ready).collect().await;
                if !waiting.is_empty() {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        };
        let changed = tokio::select! {
            changed = changes.changed() => changed,
            () = all => changes.changed().await,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Looks at one request, until it could be said what the rules and the people are now.
pub(super) async fn recheck(services: Weak<Services>, handle: Handle) {
    let mut again = look(&services, handle).await;
    while let Some(handle) = again {
        tokio::time::sleep(AGAIN_AFTER).await;
        again = look(&services, handle).await;
    }
}

/// One look. The request is given back where somebody could not be looked up.
async fn look(services: &Weak<Services>, handle: Handle) -> Option<Handle> {
    // Not held longer than the look: the store is closed when the engine has gone.
    let engine = services.upgrade()?;
    if handle.read(|run| run.phase != Phase::AwaitingApproval) {
        return None;
    }
    match starting::today(&engine, &handle, &engine.rulebook.current()).await {
        Ok(today) => {
            // Refused where nothing is different.
            let _ = handle.input(Input::Reconsider { today }).await;
            None
        }
        Err(fault) => {
            tracing::warn!(run = %handle.id, %fault, "the rules have changed and the groups of the people cannot be read");
            Some(handle)
        }
    }
}
