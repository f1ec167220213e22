//! How fast we may speak, kept on our side so that Slack need not say it.
//!
//! `chat.postMessage`: about one a second per channel with small bursts. `chat.update`: Tier 3, 50 and more a minute per
//! workspace; we stay at 40 so that a new card always finds room. What Slack says by 429 and `Retry-After` closes the
//! method for everybody until then. Source: docs.slack.dev, Web API rate limits.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const POST_PERIOD: Duration = Duration::from_secs(1);
const POST_BURST: u32 = 3;
const EDIT_PERIOD: Duration = Duration::from_millis(1500);
const EDIT_BURST: u32 = 10;
/// Channels remembered before idle ones are forgotten.
const CHANNELS: usize = 1024;
/// Longest time that one `Retry-After` may close a method for.
const CLOSED_MAX: Duration = Duration::from_secs(600);

/// What a call counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane<'a> {
    Post {
        channel: &'a str,
    },
    Edit,
    /// Not paced by us; closed by a 429 like the others.
    Other(&'static str),
}

impl Lane<'_> {
    fn method(&self) -> &'static str {
        match self {
            Lane::Post { .. } => "chat.postMessage",
            Lane::Edit => "chat.update",
            Lane::Other(method) => method,
        }
    }
}

/// One rate: `burst` at once, then one per period.
#[derive(Debug, Clone)]
struct Gate {
    period: Duration,
    burst: u32,
    /// When the next slot would be due if slots were strictly one per period.
    due: Option<Instant>,
}

impl Gate {
    fn new(period: Duration, burst: u32) -> Self {
        Gate { period, burst, due: None }
    }
    /// How long a slot taken now would have to wait.
    fn wait(&self, now: Instant) -> Duration {
        let Some(due) = self.due else { return Duration::ZERO };
        let credit = self.period * (self.burst - 1);
        (due.saturating_duration_since(now)).saturating_sub(credit)
    }
    fn take(&mut self, now: Instant) {
        self.due = Some(self.due.map_or(now, |due| due.max(now)) + self.period);
    }
    fn is_idle(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| due <= now)
    }
}

#[derive(Debug)]
struct State {
    posts: HashMap<String, Gate>,
    edits: Gate,
    closed: HashMap<&'static str, Instant>,
}

#[derive(Debug)]
pub(super) struct Limits(Mutex<State>);

impl Default for Limits {
    fn default() -> Self {
        Limits(Mutex::new(State {
            posts: HashMap::new(),
            edits: Gate::new(EDIT_PERIOD, EDIT_BURST),
            closed: HashMap::new(),
        }))
    }
}

impl Limits {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot: how long to wait before it may be used. Where that is longer than `patience` nothing is taken
    /// and the wait is the error.
    pub(super) fn take(&self, lane: Lane<'_>, now: Instant, patience: Duration) -> Result<Duration, Duration> {
        let mut state = self.state();
        let closed =
            state.closed.get(lane.method()).map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        if closed.is_zero() {
            state.closed.remove(lane.method());
        }
        let gate = match lane {
            Lane::Post { channel } => {
                if state.posts.len() >= CHANNELS {
                    state.posts.retain(|_, gate| !gate.is_idle(now));
                }
                Some(state.posts.entry(channel.to_owned()).or_insert_with(|| Gate::new(POST_PERIOD, POST_BURST)))
            }
            Lane::Edit => Some(&mut state.edits),
            Lane::Other(_) => None,
        };
        // Who waits for a closed method to open again queues behind that moment, so that no crowd rushes in.
        let opens = now + closed;
        let wait = closed + gate.as_ref().map_or(Duration::ZERO, |gate| gate.wait(opens));
        if wait > patience {
            return Err(wait);
        }
        if let Some(gate) = gate {
            gate.take(opens);
        }
        Ok(wait)
    }

    /// Slack said 429: nobody calls this method before the wait is over.
    pub(super) fn close(&self, lane: Lane<'_>, now: Instant, wait: Duration) {
        let until = now + wait.min(CLOSED_MAX);
        let mut state = self.state();
        let entry = state.closed.entry(lane.method()).or_insert(until);
        *entry = (*entry).max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: Duration = Duration::from_secs(3600);

    #[test]
    fn a_channel_takes_a_small_burst_and_then_one_post_a_second() {
        let limits = Limits::default();
        let now = Instant::now();
        let waits: Vec<u64> = (0..6)
            .map(|_| limits.take(Lane::Post { channel: "C1" }, now, PATIENT).unwrap().as_millis() as u64)
            .collect();
        assert_eq!(waits, [0, 0, 0, 1000, 2000, 3000]);
        assert_eq!(
            limits.take(Lane::Post { channel: "C2" }, now, PATIENT),
            Ok(Duration::ZERO),
            "another channel is free"
        );
        let later = now + Duration::from_secs(60);
        assert_eq!(limits.take(Lane::Post { channel: "C1" }, later, PATIENT), Ok(Duration::ZERO), "the burst refills");
    }

    #[test]
    fn edits_stay_at_forty_a_minute_over_all_channels() {
        let limits = Limits::default();
        let start = Instant::now();
        let hour = Duration::from_secs(3600);
        let within = (0..3000).filter(|_| limits.take(Lane::Edit, start, hour).is_ok()).count();
        assert_eq!(within, 40 * 60 + 10);
    }

    #[test]
    fn who_cannot_wait_takes_no_slot() {
        let limits = Limits::default();
        let now = Instant::now();
        for _ in 0..3 {
            limits.take(Lane::Post { channel: "C1" }, now, PATIENT).unwrap();
        }
        let wait = limits.take(Lane::Post { channel: "C1" }, now, Duration::ZERO).unwrap_err();
        assert_eq!(wait, Duration::from_secs(1));
        assert_eq!(limits.take(Lane::Post { channel: "C1" }, now, PATIENT), Ok(wait), "the slot was still there");
    }

    #[test]
    fn a_429_closes_the_method_for_everybody_until_its_time() {
        let limits = Limits::default();
        let now = Instant::now();
        limits.close(Lane::Post { channel: "C1" }, now, Duration::from_secs(30));
        assert_eq!(limits.take(Lane::Post { channel: "C2" }, now, Duration::ZERO), Err(Duration::from_secs(30)));
        assert_eq!(limits.take(Lane::Edit, now, Duration::ZERO), Ok(Duration::ZERO));
        let later = now + Duration::from_secs(30);
        assert_eq!(limits.take(Lane::Post { channel: "C2" }, later, Duration::ZERO), Ok(Duration::ZERO));
    }

    #[test]
    fn many_channels_are_not_remembered_for_ever() {
        let limits = Limits::default();
        let now = Instant::now();
        for n in 0..3 * CHANNELS {
            let at = now + Duration::from_secs(2 * n as u64);
            limits.take(Lane::Post { channel: &format!("C{n}") }, at, PATIENT).unwrap();
        }
        assert!(limits.state().posts.len() <= CHANNELS);
    }
}
