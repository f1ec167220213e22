//! How fast AWS may be asked: one bucket per account, region and kind of call.
//!
//! AWS publishes no numbers for Run Command; about one read a second for an account and region is what
//! practice allows. Every limit counts against the account whose credentials are used, so one slow account
//! never slows another.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{AccountId, Region};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// DescribeInstanceInformation, DescribeInstances: planning.
    Inventory,
    /// ListCommands, ListCommandInvocations, GetCommandInvocation.
    Read,
    /// SendCommand and CancelCommand.
    Send,
}

/// Calls in a second, and how many may come at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: u32,
}

/// Halved for this long after AWS has throttled.
const SLOW_FOR: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Limits {
    rate: Rate,
    buckets: Mutex<HashMap<(AccountId, Region, Kind), Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When the next call would be due if calls came evenly: the virtual-scheduling form of a token bucket.
    due: Instant,
    /// Halvings in force, and until when.
    halved: u32,
    until: Instant,
}

impl Limits {
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Limits { rate, buckets: Mutex::new(HashMap::new()) }
    }

    /// Waits for a slot and takes it.
    pub async fn slot(&self, account: &AccountId, region: &Region, kind: Kind) {
        let at = self.reserve(account, region, kind, Instant::now());
        tokio::time::sleep_until(at).await;
    }

    /// AWS throttled: half the rate for a minute, and nothing before `retry_after`.
    pub fn throttled(&self, account: &AccountId, region: &Region, kind: Kind, retry_after: Option<Duration>) {
        self.slow_down(account, region, kind, retry_after, Instant::now());
    }

    fn slow_down(&self, account: &AccountId, region: &Region, kind: Kind, retry_after: Option<Duration>, now: Instant) {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bucket = buckets.entry((account.clone(), region.clone(), kind)).or_insert(Bucket::new(now));
        bucket.halved = (bucket.halved + 1).min(6);
        bucket.until = now + SLOW_FOR;
        let pause = retry_after.unwrap_or(self.interval(bucket, now));
        bucket.due = bucket.due.max(now + pause + self.interval(bucket, now) * self.rate.burst.saturating_sub(1));
    }

    /// Takes the next slot and tells when it is.
    fn reserve(&self, account: &AccountId, region: &Region, kind: Kind, now: Instant) -> Instant {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bucket = buckets.entry((account.clone(), region.clone(), kind)).or_insert(Bucket::new(now));
        if bucket.halved > 0 && now >= bucket.until {
            // Recovers a step at a time.
            bucket.halved -= 1;
            bucket.until = now + SLOW_FOR;
        }
        let interval = self.interval(bucket, now);
        let saved = interval * self.rate.burst.saturating_sub(1);
        let at = bucket.due.checked_sub(saved).unwrap_or(now).max(now);
        bucket.due = bucket.due.max(now) + interval;
        at
    }

    fn interval(&self, bucket: &Bucket, now: Instant) -> Duration {
        let halvings = if now < bucket.until { bucket.halved } else { 0 };
        Duration::from_secs_f64(f64::from(1u32 << halvings) / self.rate.per_second.max(0.01))
    }
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Bucket { due: now, halved: 0, until: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> (AccountId, Region) {
        ("111111111111".parse().unwrap(), "eu-west-1".parse().unwrap())
    }

    /// Seconds from `now` to the next `calls` slots.
    fn waits(limits: &Limits, account: &AccountId, kind: Kind, now: Instant, calls: usize) -> Vec<u64> {
        let region = "eu-west-1".parse().unwrap();
        (0..calls).map(|_| (limits.reserve(account, &region, kind, now) - now).as_secs()).collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_then_one_a_second() {
        let limits = Limits::new(Rate { per_second: 1.0, burst: 3 });
        let now = Instant::now();
        assert_eq!(waits(&limits, &here().0, Kind::Read, now, 6), [0, 0, 0, 1, 2, 3]);
        // After a long pause the burst is whole again, and no larger.
        let later = now + Duration::from_secs(3600);
        assert_eq!(waits(&limits, &here().0, Kind::Read, later, 5), [0, 0, 0, 1, 2]);
    }

    #[test]
    fn a_throttled_account_slows_down_and_its_neighbour_does_not() {
        let limits = Limits::new(Rate { per_second: 1.0, burst: 1 });
        let (account, region) = here();
        let now = Instant::now();
        limits.slow_down(&account, &region, Kind::Read, None, now);
        assert_eq!(waits(&limits, &account, Kind::Read, now, 3), [2, 4, 6]);
        assert_eq!(waits(&limits, &"222222222222".parse().unwrap(), Kind::Read, now, 2), [0, 1]);
        assert_eq!(waits(&limits, &account, Kind::Send, now, 2), [0, 1]);
        let recovered = now + Duration::from_secs(3600);
        assert_eq!(waits(&limits, &account, Kind::Read, recovered, 3), [0, 1, 2]);
    }

    #[test]
    fn the_wait_that_aws_asks_for_is_kept() {
        let limits = Limits::new(Rate { per_second: 10.0, burst: 3 });
        let (account, region) = here();
        let now = Instant::now();
        limits.slow_down(&account, &region, Kind::Read, Some(Duration::from_secs(7)), now);
        assert!(waits(&limits, &account, Kind::Read, now, 1)[0] >= 7);
    }
}
