//! Chance, by seed: every fault, delay and deed of a history comes from here, so that a seed is a history.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;

/// How much worse than nothing a world can be: in the mildest a fault is ten times as rare as in the roughest.
const MILDNESS: [u32; 4] = [1, 1, 3, 10];

pub struct Fortune {
    rng: Mutex<StdRng>,
    /// Nothing goes wrong any more.
    calm: AtomicBool,
    mildness: u32,
    struck: Mutex<BTreeMap<&'static str, u64>>,
    /// Faults that a test has planted: each strikes once, at its next chance, and may have a length.
    planted: Mutex<BTreeMap<&'static str, Duration>>,
    crash: Notify,
}

impl Fortune {
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mildness = MILDNESS[rng.random_range(0..MILDNESS.len())];
        Fortune {
            rng: Mutex::new(rng),
            calm: AtomicBool::new(false),
            mildness,
            struck: Mutex::default(),
            planted: Mutex::default(),
            crash: Notify::new(),
        }
    }

    /// From here on this fault strikes at its next chance, whatever the weather.
    pub fn plant(&self, fault: &'static str, length: Duration) {
        self.planted.lock().unwrap().insert(fault, length);
    }

    /// What was planted and has not struck.
    pub fn still_planted(&self) -> Vec<&'static str> {
        self.planted.lock().unwrap().keys().copied().collect()
    }

    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// From 0 to just below `limit`.
    pub fn below(&self, limit: u32) -> u32 {
        self.rng.lock().unwrap().random_range(0..limit)
    }

    pub fn one_in(&self, n: u32) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u32) as usize]
    }

    pub fn millis(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.lock().unwrap().random_range(range))
    }

    pub fn bits(&self) -> u128 {
        self.rng.lock().unwrap().random()
    }

    /// Whether this fault, which comes once in `n` chances in the roughest world, comes now.
    pub fn strikes(&self, fault: &'static str, n: u32) -> bool {
        let planted = self.planted.lock().unwrap().remove(fault).is_some();
        let strikes = self.one_in(n * self.mildness) && !self.is_calm();
        if strikes || planted {
            *self.struck.lock().unwrap().entry(fault).or_default() += 1;
        }
        strikes || planted
    }

    /// How long this fault lasts, if it strikes: as it was planted, or so many milliseconds.
    pub fn lasts(&self, fault: &'static str, n: u32, range: std::ops::Range<u64>) -> Option<Duration> {
        let planted = self.planted.lock().unwrap().get(fault).copied();
        self.strikes(fault, n).then(|| planted.unwrap_or_else(|| self.millis(range)))
    }

    /// Every fault that struck, with how often.
    pub fn struck(&self) -> BTreeMap<&'static str, u64> {
        self.struck.lock().unwrap().clone()
    }

    /// Now and then the process ends here, in the middle of a call: then this never returns.
    pub async fn may_crash(&self, inside: &'static str) {
        if self.strikes(inside, 100) {
            self.crash.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Returns when a call has ended the process.
    pub async fn crashed(&self) {
        self.crash.notified().await;
    }

    /// A crash that came too late for the life before is not one of this life.
    pub fn forget_crash(&self) {
        let _ = self.crash.notified().now_or_never();
    }
}
