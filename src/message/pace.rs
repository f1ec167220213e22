//! When a run that goes on by itself will be over, by how fast its nodes have come on so far.

use crate::domain::Timestamp;
use crate::run::{Phase, Run};

/// Before this many seconds, and before so many steps have ended on nodes, nobody can tell.
const SECONDS_MIN: i64 = 30;
const ENDED_MIN: usize = 5;

/// An estimate. It depends on what has happened and not on the clock, so that a card that says it need not be edited while
/// nothing happens. `None` while somebody has to decide, or nothing further is started.
pub(super) fn over_by(run: &Run) -> Option<Timestamp> {
    if run.phase != Phase::Running || run.hold().is_some() || run.stopping.is_some() || run.rollback.is_some() {
        return None;
    }
    let (began, reported) = run.started.zip(run.reported)?;
    // While it was held nothing went on, and after the last hold it went on from there.
    let holds = || run.holds.iter().filter_map(|hold| Some((hold.since, hold.ended.as_ref()?.2)));
    let held = holds().map(|(since, ended)| (ended.min(reported).as_second() - since.as_second()).max(0));
    let worked = reported.as_second() - began.as_second() - held.sum::<i64>();
    let goes_on = holds().map(|(_, ended)| ended).fold(reported, Timestamp::max);
    // A node that was never sent to took no time.
    let steps = run.proposal.plan.steps.len();
    let ended: usize = run.targets.iter().map(|target| target.reports.len()).sum();
    let pending = run.targets.iter().filter(|target| target.outcome.is_none());
    let pending: usize = pending.map(|target| steps.saturating_sub(target.reports.len())).sum();
    if worked < SECONDS_MIN || ended < ENDED_MIN || pending == 0 {
        return None;
    }
    let left = worked.checked_mul(i64::try_from(pending).ok()?)? / i64::try_from(ended).ok()?;
    goes_on.checked_add(jiff::SignedDuration::from_secs(left)).ok()
}
