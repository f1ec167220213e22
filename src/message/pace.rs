//! When a run that goes on by itself will be over, by how fast its nodes have ended so far.

use crate::domain::Timestamp;
use crate::run::{Phase, Run};

/// Before this many seconds, and before so many nodes have ended, nobody can tell.
const SECONDS_MIN: i64 = 30;
const ENDED_MIN: u32 = 5;

/// An estimate. It depends on what has happened and not on the clock, so that a card that says it need not be edited while
/// nothing happens. `None` while somebody has to decide, or nothing further is started.
pub(super) fn over_by(run: &Run) -> Option<Timestamp> {
    if run.phase != Phase::Running || run.hold().is_some() || run.stopping.is_some() || run.rollback.is_some() {
        return None;
    }
    let (began, now) = run.started.zip(run.reported)?;
    // While it was held nothing went on.
    let held = run.holds.iter().filter_map(|hold| Some(hold.ended.as_ref()?.2.as_second() - hold.since.as_second()));
    let worked = now.as_second() - began.as_second() - held.sum::<i64>();
    let (ended, pending) = (run.counts.ended(), run.counts.pending());
    if worked < SECONDS_MIN || ended < ENDED_MIN || pending == 0 {
        return None;
    }
    let left = worked.checked_mul(i64::from(pending))? / i64::from(ended);
    now.checked_add(jiff::SignedDuration::from_secs(left)).ok()
}
