//! The last run before this one that asked the same, for what has changed since.

use crate::domain::Digest;
use crate::message::since::{Before, Comparison, is_same, is_whole};
use crate::run::Run;

use super::Services;
use super::summing::texts_of;

/// Runs of the same runbook that are looked at: reading one back from the journal is dear.
const LOOKED_AT: usize = 10;

pub async fn before(services: &Services, run: &Run) -> Option<Before> {
    if !is_whole(run) {
        return None;
    }
    for id in services.runs.earlier(run.id, &run.proposal.plan.runbook).into_iter().take(LOOKED_AT) {
        let Some(handle) = services.handle(id).await else { continue };
        if !handle.read(|other| is_same(run, other)) {
            continue;
        }
        let other = handle.snapshot();
        let Some(before) = Before::of(&other, services.runs.short(id)) else { continue };
        let comparison = Comparison::of(&other, run);
        let [then, now] = comparison.wants();
        let mut texts = texts_of(services, other.id, then).await;
        texts.extend(texts_of(services, run.id, now).await);
        return Some(before.with(comparison.said(&|key: &Digest| texts.get(key).cloned())));
    }
    None
}
