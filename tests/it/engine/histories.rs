//! Seeded histories over the whole engine, on time that stands still while it works.
//!
//! One history is a world made from one number ([`super::world`]) and several processes that live in it, one after the other:
//! each is a runtime of its own over the same journal, outputs, AWS, Slack and people, and ends in the middle of whatever it
//! does, at a random moment or inside a call to a port. What AWS and Slack do wrong is what they can do wrong: a request is
//! lost, taken late or taken and its answer lost; calls are throttled and refused; credentials expire; nodes go; lists lag and
//! pages come partly, late and from the past; clicks and commands are delivered twice, late and out of order; the disk fails;
//! the host's clock is set. People click what they may and what they may not, on new screens and on old ones, while others
//! change the rules and who is in which group.
//!
//! Held by each of them, at every event and at the end:
//! I1 nothing is sent without permission, enough distinct yeses for that plan, and a durable intent; I2 what the rules forbid
//! is not begun and does not go on; I3 AWS takes each step for each node at most once (nothing on its nodes would notice a
//! second time); I4 each accepted input has one answer; I5 the hash chain verifies; I6 the state is the fold of the journal, and
//! cards and answers show it; I7 only the plan's targets are sent to; I8 the requester approves nothing; I9 nothing is sent
//! after a no, an expiry, a cancel, a stop or the deadline, nor while it is held; I10 what is read back folds to the same state;
//! I11 of two runs that exclude each other on a node one waits until the other is past its way back; I12 nothing starts and
//! nothing is sent while everything is halted, and all goes on when it is resumed.
//! Beside them: every run ends, each message is posted once, the last word tells the counts, what is told of a node is what AWS
//! did there, of two commands of one send the earlier counts, and the error budget is overshot by no more than what was under
//! way: in flight or, where a run has several steps, between two of them.
//!
//! `MUSTER_SEEDS=100000 cargo test --no-default-features --features paused-time --test it histories -- --nocapture` plays any
//! number of them, `MUSTER_SEED=17` one alone and prints its journal and its thread.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::world::{Ended, UnderWay, World};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

/// What many histories came to.
#[derive(Default)]
struct Sum {
    whole: Ended,
    failed: BTreeMap<u64, Vec<String>>,
}

impl Sum {
    fn add(&mut self, seed: u64, ended: Ended) {
        let whole = &mut self.whole;
        for (sum, one) in [
            (&mut whole.deliveries, ended.deliveries),
            (&mut whole.runs, ended.runs),
            (&mut whole.events, ended.events),
            (&mut whole.lives, ended.lives),
            (&mut whole.crashes, ended.crashes),
            (&mut whole.sends, ended.sends),
            (&mut whole.holds, ended.holds),
            (&mut whole.rollbacks, ended.rollbacks),
            (&mut whole.retries, ended.retries),
            (&mut whole.halts, ended.halts),
            (&mut whole.seconds, ended.seconds),
        ] {
            *sum += one;
        }
        for (worst, one) in whole.overshoot.iter_mut().zip(ended.overshoot) {
            *worst = (*worst).max(one);
        }
        ended.phases.into_iter().for_each(|(phase, n)| *whole.phases.entry(phase).or_default() += n);
        ended.faults.into_iter().for_each(|(fault, n)| *whole.faults.entry(fault).or_default() += n);
        if !ended.broken.is_empty() {
            self.failed.insert(seed, ended.broken);
        }
    }
}

fn history(seed: u64) -> (Ended, World) {
    let world = World::new(seed);
    let ended = world.play();
    (ended, world)
}

/// Every seed, on every core.
fn histories(seeds: std::ops::Range<u64>) -> Sum {
    let (next, sum) = (AtomicU64::new(seeds.start), Mutex::new(Sum::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let ended = catch_unwind(AssertUnwindSafe(|| history(seed).0));
            let ended =
                ended.unwrap_or_else(|_| Ended { broken: vec!["the test panicked".into()], ..Ended::default() });
            sum.lock().unwrap().add(seed, ended);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    sum.into_inner().unwrap()
}

#[test]
fn histories_of_the_engine_keep_every_promise() {
    if let Some(seed) = number("MUSTER_SEED") {
        let (ended, world) = history(seed);
        println!("{}\n{ended:#?}", world.told());
        assert!(ended.broken.is_empty(), "seed {seed}: {:#?}", ended.broken);
        return;
    }
    let count = number("MUSTER_SEEDS").unwrap_or(300);
    let Sum { whole, failed } = histories(0..count);
    let Ended { deliveries, runs, events, lives, crashes, sends, holds, rollbacks, retries, halts, seconds, .. } =
        whole;
    println!(
        "{count} histories: {lives} lives, {crashes} crashes, {deliveries} inputs, {runs} runs ({:?})",
        whole.phases
    );
    println!(
        "{events} events, {sends} commands, {holds} holds, {rollbacks} rollbacks, {retries} retries, {halts} halts, {} hours",
        seconds / 3600
    );
    println!("faults: {:?}", whole.faults);
    for (worst, runs) in whole.overshoot.into_iter().zip(["one step", "several steps"]) {
        let Some((over, UnderWay { in_flight, between })) = worst else { continue };
        println!(
            "error budget of runs of {runs} overshot by at most {over}, with {in_flight} nodes in flight and {between} \
             between steps when it was crossed"
        );
    }
    if let Some((seed, broken)) = failed.first_key_value() {
        let told = catch_unwind(|| history(*seed).1.told()).unwrap_or_default();
        for (seed, broken) in &failed {
            println!("seed {seed} broke {}: {}", broken.len(), broken[0]);
        }
        panic!("{told}\nseed {seed}: {broken:#?}\n{} of {count} seeds failed", failed.len());
    }
}

#[test]
fn a_seed_is_a_history() {
    for seed in 0..20 {
        let (one, other) = (history(seed).0, history(seed).0);
        assert_eq!((one.mark, one.events, one.faults), (other.mark, other.events, other.faults), "seed {seed}");
    }
}
