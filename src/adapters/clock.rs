//! The system's clock, and run ids that sort by it.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::domain::{RunId, Timestamp};
use crate::ports::{Clock, Ids};

/// The system's clock, in whole milliseconds: what is written is what people read.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// ULIDs with random from the operating system. Later ids are greater, also within one millisecond and when the
/// clock steps back.
#[derive(Debug, Default)]
pub struct UlidIds {
    generator: Mutex<ulid::Generator>,
}

impl UlidIds {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Ids for UlidIds {
    fn run_id(&self, now: Timestamp) -> RunId {
        // A panic elsewhere cannot leave the generator half changed.
        let mut generator = self.generator.lock().unwrap_or_else(PoisonError::into_inner);
        let id = match generator.generate_from_datetime(SystemTime::from(now)) {
            Ok(id) => id,
            Err(overflow) => overflow.commit_overflow_increment(),
        };
        RunId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_are_greater_within_a_millisecond_and_when_the_clock_steps_back() {
        let ids = UlidIds::new();
        let now = Timestamp::from_millisecond(1_800_000_000_000).unwrap();
        let earlier = Timestamp::from_millisecond(1_799_999_999_000).unwrap();
        let made: Vec<RunId> = (0..1000).map(|n| ids.run_id(if n % 7 == 3 { earlier } else { now })).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        assert_eq!(made[0].0.timestamp_ms(), 1_800_000_000_000);
    }

    #[test]
    fn the_clock_tells_whole_milliseconds() {
        assert_eq!(SystemClock.now().subsec_nanosecond() % 1_000_000, 0);
    }
}
