//! One bucket: how many calls AWS is believed to take, and how that belief moves.
//!
//! Halved on a throttle, raised a little for every ten seconds without one. Up to the rate that it started with it
//! recovers by itself, because what throttled us may have been somebody else's calls; beyond that it grows at half the
//! pace, only while callers wait, and to four times the start at most: AWS publishes no figures, so more than the
//! cautious start is learned from AWS taking it, and what nobody needs is not tried.

use std::time::Duration;

use tokio::time::Instant;

use super::Rate;

/// A rate is looked at this often, and a step is taken if AWS has not throttled meanwhile.
pub(super) const STEP_EVERY: Duration = Duration::from_secs(10);
/// Of the start rate, at each step: on the way back to it, and beyond it.
const STEP_BACK: f64 = 0.10;
const STEP_BEYOND: f64 = 0.05;
/// Times the start rate.
pub(super) const CEILING: f64 = 4.0;
pub(super) const FLOOR: f64 = 1.0 / 16.0;
/// Throttles so soon after a halving are the same news: they answer calls that had left before it.
pub(super) const ONE_NEWS: Duration = Duration::from_secs(2);
/// What AWS asks for is believed up to here.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// After so many steps without a call nothing is left to recover.
const STEPS_MAX: u32 = 32;
/// The runtime's timers know nothing shorter.
const TICK: Duration = Duration::from_millis(1);
/// Sums of fractions do not always make a whole.
const ALMOST: f64 = 1e-6;

#[derive(Debug, Clone)]
pub(super) struct Bucket {
    start: Rate,
    per_second: f64,
    /// Calls that may be made at once, at the time `at`. Below 0 where calls were made that nobody waited for.
    tokens: f64,
    at: Instant,
    /// AWS asked for silence until then.
    not_before: Instant,
    halved: Option<Instant>,
    stepped: Instant,
    /// Somebody had to wait since the last step.
    scarce: bool,
}

impl Bucket {
    pub(super) fn new(start: Rate, now: Instant) -> Self {
        let start = Rate { per_second: start.per_second.max(0.01), burst: start.burst.max(1) };
        Bucket {
            start,
            per_second: start.per_second,
            tokens: f64::from(start.burst),
            at: now,
            not_before: now,
            halved: None,
            stepped: now,
            scarce: false,
        }
    }

    pub(super) fn per_second(&self) -> f64 {
        self.per_second
    }

    pub(super) fn start_per_second(&self) -> f64 {
        self.start.per_second
    }

    /// AWS has taught it to be slower than it was at the start.
    pub(super) fn is_slowed(&self) -> bool {
        self.per_second < self.start.per_second
    }

    /// AWS has throttled it once, so that people may want to see how it goes on.
    pub(super) fn was_throttled(&self) -> bool {
        self.halved.is_some()
    }

    /// Takes one call, or says when to look again: at the earliest time at which one can be there.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.advance(now);
        let missing = 1.0 - ALMOST - self.tokens;
        if missing <= 0.0 && now >= self.not_before {
            self.tokens -= 1.0;
            return Ok(());
        }
        self.scarce = true;
        let full = now + Duration::from_secs_f64((missing / self.per_second).max(0.0));
        // The rate may grow meanwhile.
        let then = full.max(self.not_before).min(self.stepped + STEP_EVERY);
        Err(then.max(now + TICK))
    }

    /// A call was made that was not taken from here.
    pub(super) fn charge(&mut self, now: Instant) {
        self.advance(now);
        self.tokens = (self.tokens - 1.0).max(-f64::from(self.start.burst));
    }

    /// AWS throttled a call. Says whether that was news, so that the rate is half of what it was.
    pub(super) fn throttled(&mut self, now: Instant, retry_after: Option<Duration>) -> bool {
        self.advance(now);
        self.tokens = self.tokens.min(0.0);
        self.stepped = now;
        self.scarce = false;
        let silence = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        self.not_before = self.not_before.max(now + silence);
        let is_news = self.halved.is_none_or(|at| now.duration_since(at) >= ONE_NEWS);
        if is_news {
            self.halved = Some(now);
            self.per_second = (self.per_second / 2.0).max(self.start.per_second * FLOOR);
        }
        is_news
    }

    /// Fills up for the time that has passed, step by step.
    fn advance(&mut self, now: Instant) {
        for _ in 0..STEPS_MAX {
            let step = self.stepped + STEP_EVERY;
            if step > now {
                break;
            }
            self.fill(step);
            let start = self.start.per_second;
            if self.per_second < start {
                self.per_second = (self.per_second + STEP_BACK * start).min(start);
            } else if self.scarce {
                self.per_second = (self.per_second + STEP_BEYOND * start).min(CEILING * start);
            }
            self.scarce = false;
            self.stepped = step;
        }
        if self.stepped + STEP_EVERY <= now {
            self.stepped = now;
        }
        self.fill(now);
    }

    fn fill(&mut self, until: Instant) {
        let passed = until.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(f64::from(self.start.burst));
        self.at = self.at.max(until);
    }
}
