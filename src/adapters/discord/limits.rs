//! How fast we may speak, as Discord's answers tell it.
//!
//! Each answer names what is left of its route's allowance and when that is renewed; a 429 closes the route, or with
//! `global` everything, for the time it names. Nothing is guessed: limits differ by route and change. Answers to
//! interactions do not count against the global limit. Source: Discord's documentation, Rate Limits.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Routes remembered before those that are open again are forgotten.
const LANES: usize = 1_024;
/// Longest time that one answer may close a route for.
const CLOSED_MAX: Duration = Duration::from_secs(600);

/// What is left of one route's allowance.
#[derive(Debug, Clone, Copy)]
struct Lane {
    left: u32,
    renewed: Instant,
}

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<String, Lane>,
    /// Nobody says anything before.
    closed: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<State>);

impl Limits {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot: how long to wait before it may be used. Where that is longer than `patience` nothing is taken and
    /// the wait is the error.
    pub(super) fn take(&self, lane: &str, now: Instant, patience: Duration) -> Result<Duration, Duration> {
        let mut state = self.state();
        let closed = state.closed.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let own = match state.lanes.get_mut(lane) {
            Some(lane) if lane.renewed <= now => Duration::ZERO,
            Some(lane) if lane.left > 0 => {
                if closed <= patience {
                    lane.left -= 1;
                }
                Duration::ZERO
            }
            Some(lane) => lane.renewed - now,
            None => Duration::ZERO,
        };
        let wait = own.max(closed);
        if wait > patience { Err(wait) } else { Ok(wait) }
    }

    /// What an answer told of its route.
    pub(super) fn told(&self, lane: &str, now: Instant, left: u32, renewed_in: Duration) {
        let renewed = now + renewed_in.min(CLOSED_MAX);
        let mut state = self.state();
        if state.lanes.len() >= LANES {
            state.lanes.retain(|_, lane| lane.renewed > now);
        }
        let known = state.lanes.entry(lane.to_owned()).or_insert(Lane { left, renewed });
        // Answers overtake each other: within one period the smallest number is the newest.
        *known = match *known {
            Lane { renewed, .. } if renewed <= now => Lane { left, renewed: now + renewed_in.min(CLOSED_MAX) },
            Lane { left: before, renewed: until } => Lane { left: before.min(left), renewed: until.max(renewed) },
        };
    }

    /// Discord said 429.
    pub(super) fn close(&self, lane: &str, now: Instant, wait: Duration, global: bool) {
        let until = now + wait.min(CLOSED_MAX);
        if global {
            let mut state = self.state();
            state.closed = Some(state.closed.map_or(until, |before| before.max(until)));
        } else {
            self.told(lane, now, 0, wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_left_is_used_and_then_the_renewal_is_waited_for() {
        let limits = Limits::default();
        let now = Instant::now();
        assert_eq!(limits.take("post 1", now, SECOND), Ok(Duration::ZERO), "nothing is known yet");
        limits.told("post 1", now, 2, 5 * SECOND);
        let waits: Vec<_> = (0..3).map(|_| limits.take("post 1", now, 10 * SECOND)).collect();
        assert_eq!(waits, [Ok(Duration::ZERO), Ok(Duration::ZERO), Ok(5 * SECOND)]);
        assert_eq!(limits.take("post 2", now, SECOND), Ok(Duration::ZERO), "another channel is free");
        assert_eq!(limits.take("post 1", now + 5 * SECOND, SECOND), Ok(Duration::ZERO), "it is renewed");
    }

    #[test]
    fn answers_that_overtake_each_other_open_nothing() {
        let limits = Limits::default();
        let now = Instant::now();
        limits.told("post 1", now, 0, 5 * SECOND);
        limits.told("post 1", now, 3, 4 * SECOND);
        assert_eq!(limits.take("post 1", now, SECOND), Err(5 * SECOND));
    }

    #[test]
    fn a_429_closes_its_route_and_a_global_one_everything() {
        let limits = Limits::default();
        let now = Instant::now();
        limits.close("post 1", now, 3 * SECOND, false);
        assert_eq!(limits.take("post 1", now, SECOND), Err(3 * SECOND));
        assert_eq!(limits.take("edit 1", now, SECOND), Ok(Duration::ZERO));
        limits.close("post 1", now, 7 * SECOND, true);
        assert_eq!(limits.take("edit 1", now, SECOND), Err(7 * SECOND));
        assert_eq!(limits.take("edit 1", now + 7 * SECOND, SECOND), Ok(Duration::ZERO));
    }

    #[test]
    fn many_channels_are_not_remembered_for_ever() {
        let limits = Limits::default();
        let now = Instant::now();
        for n in 0..3 * LANES {
            limits.told(&format!("post {n}"), now + 2 * SECOND * u32::try_from(n).unwrap(), 1, SECOND);
        }
        assert!(limits.state().lanes.len() <= LANES);
    }
}
