//! The world's time, which passes for everybody, and the host's clock, which is set wrong now and then.

use std::sync::Mutex;
use std::time::Duration;

use jiff::SignedDuration;
use muster::domain::Timestamp;
use muster::ports::Clock;
use tokio::time::Instant;

/// 2027-01-15T08:00:00Z.
const BEGINNING: i64 = 1_800_000_000;
/// A host whose clock steps twice within a minute is broken in ways that no promise covers.
const STEPS_APART: SignedDuration = SignedDuration::from_secs(60);

pub struct Time(Mutex<Inner>);

struct Inner {
    /// The world's time when this life began, or when the last one ended.
    from: Timestamp,
    began: Option<Instant>,
    /// The host's clock before the world's.
    ahead: SignedDuration,
    /// AWS's clock before the host's, as far as this life has learned.
    skew: SignedDuration,
    /// When it was last set.
    stepped: Option<Timestamp>,
}

impl Inner {
    fn truth(&self) -> Timestamp {
        let lived = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        Timestamp::from_millisecond((self.from + lived).as_millisecond()).unwrap()
    }
}

impl Time {
    pub fn new() -> Self {
        let from = Timestamp::from_second(BEGINNING).unwrap();
        let none = SignedDuration::ZERO;
        Time(Mutex::new(Inner { from, began: None, ahead: none, skew: none, stepped: None }))
    }

    /// What AWS's and Slack's clocks say.
    pub fn truth(&self) -> Timestamp {
        self.0.lock().unwrap().truth()
    }

    /// Since the beginning of the world.
    pub fn lived(&self) -> SignedDuration {
        self.truth().duration_since(Timestamp::from_second(BEGINNING).unwrap())
    }

    /// A process begins; it has learned nothing of AWS's clock yet. Within its runtime.
    pub fn begin(&self) {
        let mut time = self.0.lock().unwrap();
        time.began = Some(Instant::now());
        time.skew = SignedDuration::ZERO;
    }

    /// The process has ended. Within its runtime.
    pub fn end(&self) {
        let mut time = self.0.lock().unwrap();
        time.from = time.truth();
        time.began = None;
    }

    /// Nobody lives.
    pub fn rest(&self, for_: Duration) {
        let mut time = self.0.lock().unwrap();
        time.from += for_;
    }

    /// Somebody sets the host's clock. `false`: somebody did just before, and it is left alone.
    pub fn step(&self, by: SignedDuration) -> bool {
        let mut time = self.0.lock().unwrap();
        let truth = time.truth();
        let set = time.stepped.is_none_or(|at| truth.duration_since(at) >= STEPS_APART);
        if set {
            time.ahead += by;
            time.stepped = Some(truth);
        }
        set
    }

    /// AWS's clock, as the host reckons it: the adapter's own way.
    pub fn aws_now(&self) -> Timestamp {
        let time = self.0.lock().unwrap();
        time.truth() + time.ahead + time.skew
    }

    /// An answer of AWS to a call that left at `sent` by the host's clock: its `Date` has whole seconds.
    pub fn learn(&self, sent: Timestamp) {
        let mut time = self.0.lock().unwrap();
        let date = time.truth().as_second() * 1000;
        let received = (time.truth() + time.ahead).as_millisecond();
        let (least, most) = (date - received, date + 999 - sent.as_millisecond());
        let skew = if least <= 0 && most >= 0 { 0 } else { least + (most - least) / 2 };
        time.skew = SignedDuration::from_millis(skew);
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        let time = self.0.lock().unwrap();
        time.truth() + time.ahead
    }
}
