//! Token buckets: how many calls AWS takes.

use std::collections::HashMap;
use std::time::Instant;

use super::settings::Rate;

#[derive(Debug, Default)]
pub struct Buckets {
    buckets: HashMap<String, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Buckets {
    /// Whether one more call of `name` is taken at `now`.
    pub fn take(&mut self, name: &str, rate: Rate, now: Instant) -> bool {
        if !self.buckets.contains_key(name) {
            self.buckets.insert(name.to_owned(), Bucket { tokens: rate.burst, at: now });
        }
        let Some(bucket) = self.buckets.get_mut(name) else { return true };
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * rate.per_second).min(rate.burst);
        bucket.at = now;
        let taken = bucket.tokens >= 1.0;
        if taken {
            bucket.tokens -= 1.0;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_holds_its_burst_and_refills_at_its_rate() {
        let (mut buckets, start, rate) = (Buckets::default(), Instant::now(), Rate::new(2.0, 3.0));
        let taken = |buckets: &mut Buckets, ms| {
            (0..10).filter(|_| buckets.take("a", rate, start + Duration::from_millis(ms))).count()
        };
        assert_eq!(taken(&mut buckets, 0), 3);
        assert_eq!(taken(&mut buckets, 1000), 2);
        assert_eq!(taken(&mut buckets, 60_000), 3);
    }
}
