//! How fast AWS may be asked: one bucket per account, region and operation, and one for STS as a whole.
//!
//! AWS publishes no numbers for Run Command; about one read a second for an account and region is what practice allows.
//! So every bucket starts there and learns ([`bucket`]): half as fast when AWS throttles, slowly back, and cautiously
//! beyond. Every limit counts against the account whose credentials are used, so a slow account slows no other.
//!
//! Whoever waits at one bucket is served in turns ([`queue`]): with `n` runs and requests waiting, the `k`-th call of any
//! one of them is among the next `k * n` that are made, however many calls the others wait with.

mod bucket;
mod line;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::domain::RunId;
use crate::ports::{Operation, Pace, Quota};
use crate::telemetry;

use line::{Line, Wait};
use queue::Ticket;

/// Calls in a second, and how many may come at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: u32,
}

/// STS takes 600 calls a second from one account, Muster's own and everybody else's who works there.
const STS: Rate = Rate { per_second: 100.0, burst: 100 };
/// At most this often buckets that nobody uses are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Where a bucket starts, as a multiple of the rate for watching runs.
fn start(operation: Operation, reads: Rate) -> Rate {
    let times = |per_second: f64, burst: u32| Rate {
        per_second: reads.per_second * per_second,
        burst: reads.burst.saturating_mul(burst),
    };
    match operation {
        // Asked again and again while a run goes on: what throttled accounts in practice.
        Operation::ListCommands
        | Operation::ListCommandInvocations
        | Operation::GetCommandInvocation
        | Operation::GetAutomationExecution
        | Operation::DescribeAutomationExecutions
        | Operation::DescribeAutomationStepExecutions => times(1.0, 1),
        // Page by page, once for a plan, while a person waits.
        Operation::DescribeInstanceInformation | Operation::ListTagsForResource => times(5.0, 4),
        // EC2 documents 20 a second and 100 at once for calls like these; half of it is left to others.
        Operation::DescribeInstances | Operation::DescribeRegions => times(10.0, 10),
        Operation::SendCommand | Operation::StartAutomationExecution => times(1.0, 1),
        // Somebody wants it to stop.
        Operation::CancelCommand | Operation::StopAutomationExecution => times(2.0, 3),
        // S3 takes thousands a second.
        Operation::GetObject | Operation::ListObjectsV2 => times(20.0, 20),
    }
}

/// For whom a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whom {
    Run(RunId),
    /// One plan or look-up for a person who waits.
    Request(u64),
    /// Nobody in particular.
    Muster,
}

tokio::task_local! {
    static FOR: Whom;
}

impl Whom {
    /// One more request that takes turns of its own.
    #[must_use]
    pub fn request() -> Whom {
        static ISSUED: AtomicU64 = AtomicU64::new(0);
        Whom::Request(ISSUED.fetch_add(1, Ordering::Relaxed))
    }

    /// Every call that `work` makes is made for this one. What it spawns is not: a task says anew for whom it works.
    pub async fn pays_for<T>(self, work: impl Future<Output = T>) -> T {
        FOR.scope(self, work).await
    }

    /// For whom the code that asks is at work.
    #[must_use]
    pub fn current() -> Whom {
        FOR.try_with(|whom| *whom).unwrap_or(Whom::Muster)
    }
}

#[derive(Debug)]
pub struct Limits {
    /// For watching runs; the others are multiples of it.
    reads: Rate,
    lines: Mutex<Lines>,
    backoffs: AtomicU64,
}

#[derive(Debug, Default)]
struct Lines {
    by_quota: HashMap<Quota, Arc<Mutex<Line>>>,
    swept: Option<Instant>,
}

impl Limits {
    /// `reads` is the rate for watching runs in one account and region; other operations start at a multiple of it.
    #[must_use]
    pub fn new(reads: Rate) -> Self {
        Limits { reads, lines: Mutex::default(), backoffs: AtomicU64::new(0) }
    }

    /// Waits for a slot and takes it. A future that is dropped before has taken nothing, and the next in turn goes on.
    pub async fn slot(&self, quota: &Quota, whom: Whom) {
        let line = self.line(quota);
        let mut place = Place::queue_up(&line, whom);
        while let Err(wait) = place.serve(quota) {
            match wait {
                Wait::Until(then) => tokio::time::sleep_until(then).await,
                Wait::Called => place.ticket.called.notified().await,
            }
        }
    }

    /// AWS throttled: half the rate, and nothing before `retry_after`. Many throttles at one time are one piece of news.
    pub fn throttled(&self, quota: &Quota, retry_after: Option<Duration>) {
        let line = self.line(quota);
        let mut line = lock(&line);
        if line.bucket.throttled(Instant::now(), retry_after) {
            let per_second = line.bucket.per_second();
            tracing::warn!(?quota, per_second, "AWS throttles; it is asked half as often for a while");
            tell(quota, per_second);
        }
    }

    /// Calls in a second that AWS is believed to take here, now.
    #[must_use]
    pub fn per_second(&self, quota: &Quota) -> f64 {
        let line = lock(&self.lines).by_quota.get(quota).cloned();
        line.map_or_else(|| self.start(quota).per_second, |line| lock(&line).bucket.per_second())
    }

    /// `pause`, half or up to one and a half times as long. The shares are spread evenly, so that calls which failed
    /// together do not come back together.
    #[must_use]
    pub fn apart(&self, pause: Duration) -> Duration {
        // Multiples of the golden ratio leave no two of them near each other.
        const GOLDEN: f64 = 0.618_033_988_749_895;
        let nth = u32::try_from(self.backoffs.fetch_add(1, Ordering::Relaxed) % (1 << 20)).unwrap_or_default();
        pause.mul_f64(0.5 + (f64::from(nth) * GOLDEN).fract())
    }

    fn start(&self, quota: &Quota) -> Rate {
        match quota {
            Quota::Of { operation, .. } => start(*operation, self.reads),
            Quota::Sts => STS,
        }
    }

    /// The line at `quota`. Before a new one is made, those that nobody uses make room.
    fn line(&self, quota: &Quota) -> Arc<Mutex<Line>> {
        let now = Instant::now();
        let mut lines = lock(&self.lines);
        if let Some(line) = lines.by_quota.get(quota) {
            return line.clone();
        }
        if lines.swept.is_none_or(|at| now.duration_since(at) >= SWEEP_EVERY) {
            lines.swept = Some(now);
            lines.drop_idle(now);
        }
        let line = Arc::new(Mutex::new(Line::new(self.start(quota), now)));
        lines.by_quota.insert(quota.clone(), line.clone());
        line
    }
}

impl Lines {
    /// Nobody can come to hold a line meanwhile: it is handed out by `&mut self` alone.
    fn drop_idle(&mut self, now: Instant) {
        self.by_quota.retain(|quota, line| {
            let stays = Arc::strong_count(line) > 1 || !lock(line).is_idle(now);
            let bucket = &lock(line).bucket;
            if !stays && bucket.was_throttled() {
                tell(quota, bucket.start_per_second());
            }
            stays
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Pace for Limits {
    async fn turn(&self, quota: &Quota) {
        self.slot(quota, Whom::current()).await;
    }

    fn charge(&self, quota: &Quota) {
        lock(&self.line(quota)).bucket.charge(Instant::now());
    }

    fn throttled(&self, quota: &Quota, retry_after: Option<Duration>) {
        Limits::throttled(self, quota, retry_after);
    }
}

/// One call's place in a line, given up when it is dropped.
struct Place<'a> {
    line: &'a Mutex<Line>,
    ticket: Ticket,
    is_served: bool,
}

impl<'a> Place<'a> {
    fn queue_up(line: &'a Mutex<Line>, whom: Whom) -> Self {
        let ticket = lock(line).join(whom);
        Place { line, ticket, is_served: false }
    }

    fn serve(&mut self, quota: &Quota) -> Result<(), Wait> {
        let mut line = lock(self.line);
        let (before, was_slowed) = (line.bucket.per_second(), line.bucket.is_slowed());
        let served = line.serve(&self.ticket, Instant::now());
        self.is_served = served.is_ok();
        let bucket = &line.bucket;
        if bucket.was_throttled() && bucket.per_second().to_bits() != before.to_bits() {
            tell(quota, bucket.per_second());
            if was_slowed && !bucket.is_slowed() {
                tracing::info!(?quota, "AWS is asked as often as at the start again");
            }
        }
        served
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_served {
            lock(self.line).leave(&self.ticket);
        }
    }
}

/// The rate of a bucket that AWS has throttled. The others have none to show: there can be thousands of them.
fn tell(quota: &Quota, per_second: f64) {
    let (account, region) = match quota {
        Quota::Of { account, region, .. } => (account.to_string(), region.to_string()),
        Quota::Sts => ("all".to_owned(), String::new()),
    };
    let labels = [("operation", quota.operation().to_owned()), ("account", account), ("region", region)];
    metrics::gauge!(telemetry::AWS_RATE, &labels).set(per_second);
}
