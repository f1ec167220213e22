//! Buckets and lines are told the time, so that hours pass in no time and nothing here depends on how fast this runs.

use std::collections::HashMap;

use futures::FutureExt as _;
use proptest::prelude::*;

use super::bucket::{Bucket, CEILING, FLOOR, ONE_NEWS, STEP_EVERY};
use super::*;

const ONE_A_SECOND: Rate = Rate { per_second: 1.0, burst: 3 };

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn quota(account: &str, operation: Operation) -> Quota {
    Quota::of(&account.parse().unwrap(), &"eu-west-1".parse().unwrap(), operation)
}

fn here() -> Quota {
    quota("111111111111", Operation::ListCommandInvocations)
}

/// When the next `calls` go, in seconds from `start`, if they are made as soon as they may.
fn goes(bucket: &mut Bucket, start: Instant, calls: usize) -> Vec<f64> {
    let mut now = start;
    let mut went = Vec::new();
    while went.len() < calls {
        match bucket.take(now) {
            Ok(()) => went.push((now - start).as_secs_f64()),
            Err(then) => {
                assert!(then > now, "a wait that does not end");
                now = then;
            }
        }
    }
    went
}

fn rounded(times: &[f64]) -> Vec<f64> {
    times.iter().map(|t| (t * 10.0).round() / 10.0).collect()
}

#[test]
fn a_burst_goes_at_once_and_then_one_a_second() {
    let start = Instant::now();
    let mut bucket = Bucket::new(ONE_A_SECOND, start);
    assert_eq!(rounded(&goes(&mut bucket, start, 6)), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
    // After a long pause the burst is whole again, and no larger.
    let later = goes(&mut bucket, start + seconds(7200.0), 4);
    assert_eq!(later[..3], [0.0, 0.0, 0.0]);
    assert!(later[3] > 0.9, "{later:?}");
}

#[test]
fn a_throttle_halves_and_ten_at_once_are_one_piece_of_news() {
    let start = Instant::now();
    let mut bucket = Bucket::new(ONE_A_SECOND, start);
    assert!(bucket.throttled(start, None));
    for late in 1..10 {
        assert!(!bucket.throttled(start + ONE_NEWS / 10 * (late - 1), None));
    }
    assert_eq!(bucket.per_second(), 0.5);
    assert!(bucket.throttled(start + ONE_NEWS, None), "a call that left after the halving was throttled again");
    assert_eq!(bucket.per_second(), 0.25);
    // The burst is gone as well: AWS has just said that there is none.
    assert_eq!(rounded(&goes(&mut bucket, start + ONE_NEWS, 2)), [4.0, 8.0]);
    for n in 1..100 {
        bucket.throttled(start + ONE_NEWS * n, None);
    }
    assert_eq!(bucket.per_second(), FLOOR, "it never stops asking");
}

#[test]
fn the_wait_that_aws_asks_for_is_kept() {
    let start = Instant::now();
    let mut bucket = Bucket::new(Rate { per_second: 10.0, burst: 3 }, start);
    bucket.throttled(start, Some(seconds(7.0)));
    assert!(goes(&mut bucket, start, 1)[0] >= 7.0);
}

#[test]
fn what_was_halved_comes_back_by_itself_and_no_further() {
    let start = Instant::now();
    let mut bucket = Bucket::new(ONE_A_SECOND, start);
    bucket.throttled(start, None);
    let mut rate_after = |elapsed: f64| {
        let _ = bucket.take(start + seconds(elapsed));
        (bucket.per_second() * 100.0).round() / 100.0
    };
    // Nobody waits here, so that it never goes beyond.
    let rates: Vec<f64> = [9.0, 10.0, 29.0, 49.0, 50.0, 3600.0].into_iter().map(&mut rate_after).collect();
    assert_eq!(rates, [0.5, 0.6, 0.7, 0.9, 1.0, 1.0]);
}

#[test]
fn a_rate_grows_beyond_its_start_only_while_callers_wait_and_only_so_far() {
    let start = Instant::now();
    let mut bucket = Bucket::new(ONE_A_SECOND, start);
    let went = goes(&mut bucket, start, 3_000);
    assert_eq!(bucket.per_second(), CEILING);
    let within = |from: f64, to: f64| went.iter().filter(|t| (from..to).contains(*t)).count();
    assert!(within(0.0, 60.0) < 75, "{} in the first minute: cautiously", within(0.0, 60.0));
    assert!((238..=241).contains(&within(660.0, 720.0)), "{} in a minute at the end", within(660.0, 720.0));
    // AWS is asked less as soon as it says so, from where the rate was.
    bucket.throttled(start + seconds(900.0), None);
    assert_eq!(bucket.per_second(), CEILING / 2.0);
}

#[test]
fn a_call_that_the_sdk_repeats_is_paid_for_by_the_next() {
    let start = Instant::now();
    let mut bucket = Bucket::new(ONE_A_SECOND, start);
    bucket.charge(start);
    bucket.charge(start);
    assert_eq!(rounded(&goes(&mut bucket, start, 3)), [0.0, 1.0, 2.0]);
}

/// What happened at one moment.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: f64,
    /// The highest rate that the bucket had at this moment.
    rate: f64,
    calls: u32,
    /// AWS throttled, and the rate afterwards.
    throttled: Option<f64>,
}

/// Callers that want more than they get, with pauses in milliseconds; every so often AWS throttles.
fn history(start_rate: Rate, acts: &[(u64, bool)]) -> Vec<Moment> {
    let start = Instant::now();
    let mut now = start;
    let mut bucket = Bucket::new(start_rate, start);
    let mut moments = Vec::new();
    for (pause, throttles) in acts {
        now += Duration::from_millis(*pause);
        let mut calls = 0;
        while bucket.take(now).is_ok() {
            calls += 1;
        }
        let rate = bucket.per_second();
        let throttled = throttles.then(|| {
            bucket.throttled(now, None);
            bucket.per_second()
        });
        moments.push(Moment { at: (now - start).as_secs_f64(), rate, calls, throttled });
    }
    moments
}

fn acts() -> impl Strategy<Value = Vec<(u64, bool)>> {
    let throttles = prop::bool::weighted(0.03);
    prop::collection::vec((prop_oneof![0..50u64, 0..2_000u64, 0..60_000u64], throttles), 20..300)
}

fn rate() -> impl Strategy<Value = Rate> {
    (0.2..50.0f64, 1..20u32).prop_map(|(per_second, burst)| Rate { per_second, burst })
}

proptest! {
    #[test]
    fn no_stretch_of_time_sees_more_calls_than_burst_and_rate_allow(start in rate(), acts in acts()) {
        let moments = history(start, &acts);
        for (i, first) in moments.iter().enumerate() {
            let (mut calls, mut rate) = (0, 0.0f64);
            for last in &moments[i..] {
                calls += last.calls;
                rate = rate.max(last.rate);
                let allowed = f64::from(start.burst) + rate * (last.at - first.at) + 0.01;
                prop_assert!(f64::from(calls) <= allowed, "{calls} from {first:?} to {last:?}, {allowed} are allowed");
            }
        }
        let ceiling = start.per_second * CEILING + 1e-9;
        prop_assert!(moments.iter().all(|m| m.rate <= ceiling));
    }

    #[test]
    fn after_a_throttle_at_most_half_as_many_calls_go(start in rate(), acts in acts()) {
        let moments = history(start, &acts);
        let mut news = f64::NEG_INFINITY;
        for (i, moment) in moments.iter().enumerate() {
            let Some(halved) = moment.throttled else { continue };
            if moment.at - news >= ONE_NEWS.as_secs_f64() {
                news = moment.at;
                prop_assert!(halved <= (moment.rate / 2.0).max(start.per_second * FLOOR) + 1e-9);
            }
            let until = moment.at + STEP_EVERY.as_secs_f64();
            let mut calls = 0;
            for later in moments[i + 1..].iter().take_while(|m| m.at < until) {
                calls += later.calls;
                prop_assert!(f64::from(calls) <= halved * (later.at - moment.at) + 0.01, "{moment:?} {later:?}");
            }
        }
    }

    /// Callers come, wait and go in any order; each wants `wants` calls. Whoever is in the line gets the `k`-th of its calls
    /// among the next `k * n`, where `n` is how many wait at most.
    #[test]
    fn everybody_has_a_turn_in_every_round(
        wants in prop::collection::vec(1..30usize, 2..12),
        leavers in prop::collection::vec((0..12usize, 0..30usize), 0..20),
    ) {
        let start = Instant::now();
        let mut line = Line::new(Rate { per_second: 10.0, burst: 1 }, start);
        let mut tickets: HashMap<Whom, Vec<Ticket>> = HashMap::new();
        for (nth, calls) in wants.iter().enumerate() {
            let whom = Whom::Request(nth as u64);
            tickets.insert(whom, (0..*calls).map(|_| line.join(whom)).collect());
        }
        for (nth, call) in leavers {
            if let Some(mine) = tickets.get_mut(&Whom::Request(nth as u64)).filter(|mine| call < mine.len()) {
                line.leave(&mine.remove(call));
            }
        }
        let waiting = tickets.values().map(Vec::len).sum::<usize>();
        let n = tickets.values().filter(|mine| !mine.is_empty()).count();
        let order = serve_all(&mut line, tickets, start);
        prop_assert_eq!(order.len(), waiting, "a place was lost");
        let mut had: HashMap<Whom, usize> = HashMap::new();
        for (served, (whom, _)) in order.iter().enumerate() {
            let k = had.entry(*whom).or_default();
            *k += 1;
            prop_assert!(served < *k * n, "call {k} of {whom:?} was number {}", served + 1);
        }
    }
}

/// Whom each slot went to, and when, until nobody waits.
fn serve_all(line: &mut Line, mut tickets: HashMap<Whom, Vec<Ticket>>, start: Instant) -> Vec<(Whom, f64)> {
    let mut now = start;
    let mut order = Vec::new();
    while tickets.values().any(|mine| !mine.is_empty()) {
        let (mut next, before) = (None, order.len());
        for (whom, mine) in &mut tickets {
            // Only the eldest call of one can be first.
            let Some(ticket) = mine.first() else { continue };
            match line.serve(ticket, now) {
                Ok(()) => {
                    mine.remove(0);
                    order.push((*whom, (now - start).as_secs_f64()));
                    next = Some(now);
                    break;
                }
                Err(Wait::Until(then)) => next = Some(then),
                Err(Wait::Called) => {}
            }
        }
        let then = next.expect("somebody is first");
        assert!(then > now || order.len() > before, "a wait that does not end");
        now = then;
    }
    order
}

#[test]
fn twenty_small_runs_are_served_as_if_the_large_one_were_small_too() {
    let start = Instant::now();
    let mut line = Line::new(ONE_A_SECOND, start);
    let run = |n: u64| Whom::Request(n);
    let mut tickets = HashMap::from([(run(0), (0..500).map(|_| line.join(run(0))).collect::<Vec<_>>())]);
    for small in 1..=20 {
        tickets.insert(run(small), (0..5).map(|_| line.join(run(small))).collect());
    }
    let order = serve_all(&mut line, tickets, start);
    let last = |whom| order.iter().rposition(|(w, _)| *w == whom).unwrap() + 1;
    // 21 runs of 5 calls each would be done with 105 slots; 500 calls of one of them do not change that.
    assert_eq!((1..=20).map(|small| last(run(small))).max(), Some(105));
    assert_eq!(last(run(0)), 600, "and the large one loses nothing");
}

#[tokio::test]
async fn a_waiter_that_is_dropped_loses_no_slot_and_holds_nobody_up() {
    let limits = Limits::new(Rate { per_second: 200.0, burst: 1 });
    let quota = here();
    assert!(limits.slot(&quota, Whom::Muster).now_or_never().is_some(), "the one that is there");
    let mut first = Box::pin(limits.slot(&quota, Whom::Request(1)));
    let mut second = Box::pin(limits.slot(&quota, Whom::Request(2)));
    let mut third = Box::pin(limits.slot(&quota, Whom::Request(2)));
    for waiter in [&mut first, &mut second, &mut third] {
        assert!(waiter.now_or_never().is_none());
    }
    // The first in line goes, and one in the middle.
    drop(first);
    drop(second);
    tokio::time::timeout(seconds(20.0), third).await.expect("the third is held up by those who left");
    let line = limits.line(&quota);
    assert!(lock(&line).is_idle(Instant::now() + seconds(3600.0)), "nobody is left in the line");
    // As many calls went as slots were given: the next one has to wait for its own.
    assert!(limits.slot(&quota, Whom::Muster).now_or_never().is_none());
}

#[tokio::test]
async fn neighbours_other_operations_and_sts_are_untouched() {
    let limits = Limits::new(ONE_A_SECOND);
    let others = [
        quota("222222222222", Operation::ListCommandInvocations),
        quota("111111111111", Operation::ListCommands),
        Quota::of(&"111111111111".parse().unwrap(), &"us-east-1".parse().unwrap(), Operation::ListCommandInvocations),
        Quota::Sts,
    ];
    let before: Vec<f64> = others.iter().map(|other| limits.per_second(other)).collect();
    limits.throttled(&here(), Some(seconds(60.0)));
    assert_eq!(limits.per_second(&here()), 0.5);
    assert!(limits.slot(&here(), Whom::Muster).now_or_never().is_none());
    for (other, before) in others.iter().zip(before) {
        assert_eq!(limits.per_second(other), before);
        for _ in 0..3 {
            assert!(limits.slot(other, Whom::Muster).now_or_never().is_some(), "{other:?} waits for its neighbour");
        }
    }
}

#[tokio::test]
async fn buckets_that_nobody_uses_are_dropped_and_those_with_waiters_are_kept() {
    let limits = Limits::new(Rate { per_second: 0.01, burst: 1 });
    for account in 0..200 {
        let quota = quota(&format!("{account:012}"), Operation::ListCommands);
        assert!(limits.slot(&quota, Whom::Muster).now_or_never().is_some());
    }
    let busy = quota("000000000007", Operation::ListCommands);
    let mut waiter = Box::pin(limits.slot(&busy, Whom::Muster));
    assert!((&mut waiter).now_or_never().is_none());
    assert_eq!(lock(&limits.lines).by_quota.len(), 200);
    lock(&limits.lines).drop_idle(Instant::now() + seconds(599.0));
    assert_eq!(lock(&limits.lines).by_quota.len(), 200);
    lock(&limits.lines).drop_idle(Instant::now() + seconds(601.0));
    let left: Vec<Quota> = lock(&limits.lines).by_quota.keys().cloned().collect();
    assert_eq!(left, std::slice::from_ref(&busy));
    drop(waiter);
}

#[tokio::test]
async fn work_says_for_whom_it_is_and_nobody_else_works_for_it() {
    let run = Whom::Run("01J9ZX0000000000000000AB7F".parse().unwrap());
    assert_eq!(Whom::current(), Whom::Muster);
    assert_eq!(run.pays_for(async { Whom::current() }).await, run);
    let spawned = run.pays_for(async { tokio::spawn(async { Whom::current() }).await.unwrap() });
    assert_eq!(spawned.await, Whom::Muster);
    assert_ne!(Whom::request(), Whom::request());
}

#[test]
fn what_failed_together_does_not_come_back_together() {
    let limits = Limits::new(ONE_A_SECOND);
    let mut pauses: Vec<Duration> = (0..100).map(|_| limits.apart(seconds(10.0))).collect();
    pauses.sort();
    assert!(pauses[0] >= seconds(5.0) && pauses[99] <= seconds(15.0));
    let nearest = pauses.windows(2).map(|two| two[1] - two[0]).min().unwrap();
    assert!(nearest >= seconds(0.03), "two of a hundred are {nearest:?} apart");
}
