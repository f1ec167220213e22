//! The last run before this one that asked the same, for what has changed since.

use crate::message::since::{Before, is_same, is_whole};
use crate::run::Run;

use super::Services;

/// Runs of the same runbook that are looked at: reading one back from the journal is dear.
const LOOKED_AT: usize = 10;

pub async fn before(services: &Services, run: &Run) -> Option<Before> {
    if !is_whole(run) {
        return None;
    }
    for id in services.runs.earlier(run.id, &run.proposal.plan.runbook).into_iter().take(LOOKED_AT) {
        let Some(handle) = services.handle(id).await else { continue };
        let found =
            handle.read(|other| if is_same(run, other) { Before::of(other, services.runs.short(id)) } else { None });
        if found.is_some() {
            return found;
        }
    }
    None
}
