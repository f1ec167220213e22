//! Seeded histories: a world that loses answers, repeats and reorders reports, loses nodes, steps the clock, and a
//! process that crashes anywhere; people who click what they may and what they may not, on old screens and on new ones.
//!
//! After every step the invariants hold:
//! I1 nothing is sent without permission and enough distinct yeses for that plan; I3 a step runs at most once on a node;
//! I6 the state is the fold of the journal; I7 only targets of the plan are sent to, and only those whose conditions
//! hold; I8 the requester approves nothing, neither the plan nor a gate; I9 nothing is sent after a no, an expiry, a
//! cancel, a stop or the deadline, nor while it is held. I2 (a forbid is never sent), I4 (one answer for each input), I5
//! (the hash chain) and I10 (old journals) are held by the policy's, the engine's and the store's tests.
//!
//! Beside them: waves and gates are passed in order and only with a yes where one is asked for, the error budget is
//! overshot by no more than what was in flight, and a rollback reaches exactly what was touched.
//!
//! `.ci/mutants` breaks the core in the ways that it lists, and each time these tests (or their neighbours) must fail.
//!
//! `MUSTER_SEEDS=100000 cargo test --no-default-features --lib histories -- --nocapture` plays any number of them,
//! `MUSTER_SEED=17` one alone.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::domain::NotStarted;
use crate::runbook::{Gate, HoldAfter, OnFailure, Runbook, Step};

/// What AWS did, independent of what the run believes.
#[derive(Default)]
struct World {
    /// Token to the command that AWS took for it.
    taken: BTreeMap<String, CommandId>,
    /// Executions of each target and step.
    executed: BTreeMap<(u32, u32), u32>,
    /// In the order in which they were taken: step and targets that ran.
    order: Vec<(u32, u32)>,
    commands: u64,
}

impl World {
    fn take(&mut self, token: &str, step: u32, targets: &[u32], rng: &mut StdRng) -> CommandId {
        self.commands += 1;
        let id: CommandId = format!("00000000-0000-0000-0000-{:012}", self.commands).parse().unwrap();
        assert!(self.taken.insert(token.to_owned(), id.clone()).is_none(), "one token was sent twice");
        for target in targets {
            // Some agents never hear of it.
            if rng.random_range(0..20) != 0 {
                *self.executed.entry((*target, step)).or_default() += 1;
                self.order.push((*target, step));
            }
        }
        id
    }

    fn ran(&self, target: u32, step: u32) -> bool {
        self.executed.contains_key(&(target, step))
    }
}

/// How this history's runbook is shaped.
fn shape(book: &mut Runbook, rng: &mut StdRng) {
    let steps = rng.random_range(1..4);
    book.steps = (0..steps).map(|i| step(i, rng)).collect();
    if rng.random() {
        book.rollback = Some(testing::step("rollback"));
        if rng.random() {
            book.steps[rng.random_range(0..steps)].on_failure = OnFailure::Rollback;
        }
    }
    let waves = [vec!["100%"], vec!["1", "100%"], vec!["1", "50%", "100%"]][rng.random_range(0..3)].clone();
    book.rollout.waves = waves.iter().map(|w| w.parse().unwrap()).collect();
    book.rollout.max_errors = ["0", "20%", "100%"][rng.random_range(0..3)].parse().unwrap();
    book.rollout.max_in_flight = ["1", "2", "100%"][rng.random_range(0..3)].parse().unwrap();
    book.rollout.hold = [HoldAfter::Never, HoldAfter::Failure, HoldAfter::Always][rng.random_range(0..3)];
    book.rollout.hold_for = Millis::from_secs([60, 3600][rng.random_range(0..2)]);
    book.rollout.deadline = Millis::from_secs([100, 100_000][usize::from(rng.random_range(0..4) != 0)]);
}

fn step(index: usize, rng: &mut StdRng) -> Step {
    let mut step = testing::step(&format!("step{index}"));
    step.extract = BTreeMap::from([("state".to_owned(), ".*".to_owned())]);
    if index > 0 {
        if rng.random_range(0..3) == 0 {
            step.when = BTreeMap::from([("state".to_owned(), vec!["a".to_owned()])]);
        }
        if rng.random_range(0..4) == 0 {
            step.unless = BTreeMap::from([("state".to_owned(), vec!["b".to_owned()])]);
        }
        if rng.random_range(0..3) == 0 {
            step.gate = Some(Gate {
                from: "dba".into(),
                count: rng.random_range(1..3),
                expires: Millis::from_secs(120),
                ask: String::new(),
            });
        }
    }
    step.on_failure = if rng.random_range(0..3) == 0 { OnFailure::Continue } else { OnFailure::Stop };
    step
}

/// What the log of one history says of its holds, independent of what the run keeps.
#[derive(Default)]
struct Told {
    released: BTreeSet<u32>,
    gate_votes: BTreeMap<(u32, u32), BTreeSet<Principal>>,
    open: Option<HoldCause>,
    /// Nodes in flight and between two steps just before the budget was crossed.
    crossing: Option<(u32, u32)>,
}

impl Told {
    fn follow(&mut self, event: &Event, plan: &crate::plan::Plan) {
        match event {
            Event::Held { cause, .. } => self.open = Some(cause.clone()),
            Event::Continued { .. } => {
                if let Some(HoldCause::Wave { wave, .. }) = self.open.take() {
                    self.released.insert(wave);
                }
            }
            Event::GateApproved { by, .. } => {
                let Some(HoldCause::Gate { wave, step }) = self.open else { return };
                let votes = self.gate_votes.entry((wave, step)).or_default();
                votes.insert(by.clone());
                if plan.steps[step as usize].gate.as_ref().is_some_and(|gate| votes.len() >= gate.count as usize) {
                    self.open = None;
                }
            }
            Event::Stopped { .. } | Event::RollbackStarted { .. } | Event::Cancelled { .. } | Event::Overdue { .. } => {
                self.open = None;
            }
            _ => {}
        }
    }
}

/// What one history came to.
pub struct Ended {
    pub inputs: u32,
    /// Errors beyond the budget, with the nodes that were in flight and between two steps when it was crossed.
    pub overshoot: Option<(u32, (u32, u32))>,
    pub steps: usize,
    pub holds: usize,
    pub rolled_back: bool,
}

/// One random history to its end.
pub fn history(seed: u64) -> Ended {
    let mut rng = StdRng::seed_from_u64(seed);
    let needed = rng.random_range(0..3);
    let decision = if needed == 0 { permit() } else { needs(needed) };
    let (accounts, nodes) = (rng.random_range(1..4), rng.random_range(1..6));
    let failing = rng.random_range(0..30);
    let proposal = proposal(decision.clone(), |book| shape(book, &mut rng), accounts, nodes);
    let plan = proposal.plan.clone();
    let rollback_step = plan.steps.len() as u32;
    let mut log = vec![Event::Proposed(Box::new(proposal.clone()))];
    let mut run = Run::proposed(proposal);
    let mut world = World::default();
    let mut told = Told::default();
    let mut clock: i64 = 0;
    let mut inputs = 0;
    // Sends whose intent this process wrote; a crash forgets them.
    let mut mine: BTreeSet<(u32, u32, u32)> = BTreeSet::new();
    let mut seen = 1;

    while !run.is_settled() {
        inputs += 1;
        assert!(inputs < 6_000, "seed {seed}: the run never ends: {:?}", run.effects());
        // Now and then the wall clock steps, in both directions.
        clock += match rng.random_range(0..200) {
            0 => -20,
            1 => 30,
            _ => rng.random_range(0..3),
        };
        let now = at(clock);
        if rng.random_range(0..40) == 0 {
            let folded = Run::replay(&log).unwrap().unwrap();
            assert_eq!(folded, run, "seed {seed}: the fold of the journal is not the state (I6)");
            mine.clear();
        }
        people(&mut run, &mut log, &decision, now, &mut rng);
        let due: Vec<Effect> = run.effects().iter().cloned().collect();
        if let Some(effect) = due.get(rng.random_range(0..due.len().max(1))) {
            let (before, under_way) = (run.counts.errors(), under_way(&run));
            carry_out(effect, &mut run, &mut log, &mut world, &mut mine, &mut clock, &decision, failing, &mut rng);
            if before <= plan.max_errors && run.counts.errors() > plan.max_errors && told.crossing.is_none() {
                told.crossing = Some(under_way);
            }
        }
        for event in &log[seen..] {
            assert_allowed(&run, event, &told, &log, &world, seed);
            told.follow(event, &plan);
        }
        seen = log.len();
        assert_holds(&run, &world, needed, seed);
    }
    assert_eq!(Run::replay(&log).unwrap().unwrap(), run, "seed {seed} (I6)");
    if run.phase == Phase::Finished {
        assert_eq!(run.counts.pending(), 0, "seed {seed}");
    }
    assert_rolled_back(&run, &world, rollback_step, seed);
    let over = run.counts.errors().saturating_sub(plan.max_errors);
    Ended {
        inputs,
        overshoot: told.crossing.map(|under_way| (over, under_way)),
        steps: plan.steps.len(),
        holds: run.holds.len(),
        rolled_back: run.rollback.is_some(),
    }
}

/// Nodes that something was sent to, and nodes that stand between two steps, which have not ended.
fn under_way(run: &Run) -> (u32, u32) {
    let begun = run.targets.iter().filter(|t| t.outcome.is_none() && !t.reports.is_empty());
    let between = begun.filter(|t| !matches!(t.step, 0)).count() as u32;
    (run.in_flight(), between)
}

/// What people do at this moment: approve, deny, cancel, decide holds, in the right and in the wrong.
fn people(run: &mut Run, log: &mut Vec<Event>, decision: &Decision, now: Timestamp, rng: &mut StdRng) {
    if run.phase == Phase::AwaitingApproval && rng.random_range(0..4) == 0 {
        let digest = run.proposal.digest;
        let by = asker(["U0ANA", "U0BO", "U0CY", "U0DI"][rng.random_range(0..4)], &["sre"]);
        let input = match rng.random_range(0..60) {
            0 => Input::Deny { by, why: "no".into() },
            1 => Input::Cancel { by: ana(), allowed: true },
            _ => Input::Approve { by, digest },
        };
        let _ = feed(run, log, input, now);
    }
    if run.phase != Phase::Running {
        return;
    }
    if rng.random_range(0..400) == 0 {
        let _ = feed(run, log, Input::Cancel { by: ana(), allowed: rng.random() }, now);
    }
    if run.hold().is_some() && rng.random_range(0..12) == 0 {
        let groups: &[&str] = [&["sre", "dba"][..], &["dba"], &["support"]][rng.random_range(0..3)];
        let by = asker(["U0ANA", "U0BO", "U0CY", "U0DI"][rng.random_range(0..4)], groups);
        let revision =
            if rng.random_range(0..5) == 0 { run.hold().map_or(0, |h| h.revision) - 1 } else { run.revision };
        let allowed = rng.random_range(0..4) != 0;
        let decision = if rng.random_range(0..6) == 0 { forbid() } else { decision.clone() };
        let input = match rng.random_range(0..8) {
            0 => Input::Stop { by, revision, allowed },
            1 | 2 => Input::RollBack { by, revision, allowed },
            _ => Input::Continue { by, revision, allowed, decision },
        };
        let old = run.hold().is_some_and(|h| revision < h.revision);
        let before = run.clone();
        if feed(run, log, input, now).is_err() || old {
            assert_eq!(before, *run, "a refused click, or one on an old screen, changed something");
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "all of the world")]
fn carry_out(
    effect: &Effect,
    run: &mut Run,
    log: &mut Vec<Event>,
    world: &mut World,
    mine: &mut BTreeSet<(u32, u32, u32)>,
    clock: &mut i64,
    decision: &Decision,
    failing: u32,
    rng: &mut StdRng,
) {
    let now = at(*clock);
    match effect.clone() {
        Effect::Post(key) => drop(feed(run, log, Input::PostBegun { key }, now)),
        Effect::SettlePost(key) => {
            let message = message(&key);
            let _ = feed(run, log, Input::Posted { key, message }, now);
        }
        Effect::TellUnposted => unreachable!("no post fails here"),
        Effect::Alarm(_) => {
            let _ = feed(run, log, Input::Tick, now);
            *clock += 5;
        }
        Effect::Start => drop(feed(run, log, Input::Start { today: today(decision.clone()) }, now)),
        Effect::Send { shard, step, send } => {
            let token = format!("{shard}:{step}:{send}");
            if feed(run, log, Input::SlotHeld { shard, step, send, token, signed_at: now }, now).is_ok() {
                mine.insert((shard, step, send));
            }
        }
        Effect::Answer { shard, step, send } => {
            let SendState::Intent { token, targets, .. } = run.shards[shard as usize].state.clone() else {
                unreachable!()
            };
            let answer = if mine.contains(&(shard, step, send)) {
                match rng.random_range(0..10) {
                    0 => Answer::NotTaken { cause: "throttled, or the session had expired".into() },
                    1 => Answer::Refused { cause: "access denied".into() },
                    2 => Answer::Gone { targets: targets[..1].to_vec() },
                    3 => Answer::Unknown { cause: "reset before it was taken".into() },
                    4 => {
                        world.take(&token, step, &targets, rng);
                        Answer::Unknown { cause: "reset after it was taken".into() }
                    }
                    _ => Answer::Taken { command: world.take(&token, step, &targets, rng), adopted: false },
                }
            } else {
                // After a crash: the call was made, or it was not.
                if rng.random() {
                    world.take(&token, step, &targets, rng);
                }
                Answer::Unknown { cause: "restarted".into() }
            };
            feed(run, log, Input::Answered { shard, step, send, answer: answer.clone() }, now).unwrap();
            if rng.random_range(0..5) == 0 {
                // The same answer again changes nothing.
                let before = run.clone();
                if feed(run, log, Input::Answered { shard, step, send, answer }, now).is_err() {
                    assert_eq!(before, *run);
                }
            }
        }
        Effect::LookUp { shard, step, send } => {
            let SendState::Unsure { token, .. } = run.shards[shard as usize].state.clone() else { unreachable!() };
            let answer = match world.taken.get(&token) {
                Some(command) => Answer::Taken { command: command.clone(), adopted: true },
                None if rng.random_range(0..30) == 0 => Answer::Unverifiable { cause: "no answer for hours".into() },
                None => Answer::Absent,
            };
            feed(run, log, Input::Answered { shard, step, send, answer }, now).unwrap();
        }
        Effect::Watch { shard, step, .. } => {
            let SendState::Sent { targets, .. } = run.shards[shard as usize].state.clone() else { unreachable!() };
            let mut results: Vec<NodeReport> = Vec::new();
            for target in &targets {
                if rng.random() {
                    results.push(report(*target, step, failing, world, rng));
                    if rng.random_range(0..4) == 0 {
                        // A page that repeats a node, with another story.
                        results.push(NodeReport { outcome: Outcome::Failed, ..NodeReport::blank(*target) });
                    }
                }
            }
            // Late pages of an earlier step, and of another shard's nodes.
            let late = if rng.random_range(0..10) == 0 { step.wrapping_sub(1) } else { step };
            let before = run.clone();
            let fed = feed(run, log, Input::Reported { shard, step: late, results }, now);
            if late != step {
                assert!(fed.is_err() && before == *run, "a late page changed something");
            }
        }
        Effect::CancelCommand { shard, step, .. } => {
            let SendState::Sent { targets, .. } = run.shards[shard as usize].state.clone() else { unreachable!() };
            let cancelled = |t: &u32| NodeReport { outcome: Outcome::Cancelled, ..NodeReport::blank(*t) };
            let results = targets.iter().map(cancelled).collect();
            let _ = feed(run, log, Input::Reported { shard, step, results }, now);
        }
        Effect::Settle => drop(feed(run, log, Input::Settle, now)),
    }
}

/// What SSM tells of a node, true to what ran there.
fn report(target: u32, step: u32, failing: u32, world: &World, rng: &mut StdRng) -> NodeReport {
    let blank = NodeReport::blank(target);
    if !world.ran(target, step) {
        return match rng.random_range(0..3) {
            0 => blank,
            1 => NodeReport { outcome: Outcome::Undeliverable, not_run: true, ..blank },
            _ => NodeReport { outcome: Outcome::NotStarted(NotStarted::ErrorBudget), not_run: true, ..blank },
        };
    }
    let outcome = match rng.random_range(0..100) {
        n if n < failing => Outcome::Failed,
        97 => Outcome::Unknown,
        98 => Outcome::Undeliverable,
        99 => Outcome::TimedOut,
        _ => Outcome::Succeeded,
    };
    let value = ["a", "b", "c"][rng.random_range(0..3)].to_owned();
    let extracted =
        if rng.random_range(0..8) == 0 { BTreeMap::new() } else { BTreeMap::from([("state".into(), value)]) };
    NodeReport { outcome, extracted, ..blank }
}

/// Whether this event may stand behind those before it, by the log and the plan alone.
fn assert_allowed(run: &Run, event: &Event, told: &Told, log: &[Event], world: &World, seed: u64) {
    let plan = &run.proposal.plan;
    if let Event::GateApproved { by, groups, .. } = event {
        assert!(by != &run.proposal.by && groups.contains(&"dba".to_owned()), "seed {seed}: whose gate is it? (I8)");
    }
    let Event::SendIntent { shard, step, targets, .. } = event else { return };
    assert!(told.open.is_none(), "seed {seed}: something was sent while it was held (I9)");
    let planned = &plan.shards[*shard as usize];
    assert!(targets.iter().all(|t| planned.targets.contains(t)), "seed {seed}: a stranger was sent to (I7)");
    if *step as usize == plan.steps.len() {
        let started = log.iter().any(|e| matches!(e, Event::RollbackStarted { .. }));
        assert!(started, "seed {seed}: something was rolled back that nobody asked for");
        return;
    }
    let definition = &plan.steps[*step as usize];
    for target in targets {
        let mut values: BTreeMap<&str, &str> = BTreeMap::new();
        for (_, report) in &run.targets[*target as usize].reports {
            values.extend(report.extracted.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        }
        assert!(definition.concerns(&values), "seed {seed}: step {step} does not concern target {target} (I7)");
    }
    if let Some(gate) = &definition.gate {
        let yes = told.gate_votes.get(&(planned.wave, *step)).map_or(0, BTreeSet::len);
        assert!(yes >= gate.count as usize, "seed {seed}: a gate was passed with {yes} yeses");
    }
    let first = !world.order.iter().any(|(t, _)| plan.targets[*t as usize].wave == planned.wave);
    if planned.wave > 0 && first {
        let before = plan.targets.iter().zip(&run.targets).filter(|(t, _)| t.wave < planned.wave);
        assert!(
            before.clone().all(|(_, s)| s.outcome.is_some()),
            "seed {seed}: a wave began before the last one ended"
        );
        if plan.hold == HoldAfter::Always {
            assert!(told.released.contains(&planned.wave), "seed {seed}: nobody let it go on to wave {}", planned.wave);
        }
        let failed = before.filter(|(_, s)| s.outcome.is_some_and(Outcome::is_failure)).count();
        if plan.hold == HoldAfter::Failure && failed > 0 {
            assert!(!told.released.is_empty(), "seed {seed}: it went on by itself after a failure");
        }
    }
}

/// What holds after every step.
fn assert_holds(run: &Run, world: &World, needed: u32, seed: u64) {
    oracle::assert_kept_right(run, seed);
    let sends = || run.effects().iter().filter(|e| matches!(e, Effect::Send { .. }));
    if matches!(run.stopping, Some(NotStarted::Cancelled | NotStarted::Stopped | NotStarted::Deadline)) {
        assert_eq!(sends().count(), 0, "seed {seed}: something would be sent after the stop (I9)");
    }
    if run.hold().is_some() {
        assert_eq!(sends().count(), 0, "seed {seed}: something would be sent while it is held (I9)");
        assert_eq!(run.in_flight(), 0, "seed {seed}: it is held while something is in flight");
        assert!(run.alarm().is_some(), "seed {seed}: a hold that waits for ever");
    }
    if run.budget_spent && run.rollback.is_none() {
        let fresh = |e: &&Effect| matches!(e, Effect::Send { step: 0, .. });
        assert!(!sends().any(|e| fresh(&e)), "seed {seed}: a node would be started after the budget was spent");
    }
    let ended = run.targets.iter().filter_map(|t| t.outcome);
    assert_eq!(run.counts, crate::domain::Counts::of(run.counts.total, ended), "seed {seed}");
    if let Some(back) = &run.rollback {
        let touched = run.targets.iter().filter(|t| t.touched).count() as u32;
        let ended = run.targets.iter().filter_map(|t| t.rolled_back);
        assert_eq!(back.counts, crate::domain::Counts::of(touched, ended), "seed {seed}");
    }
    assert!(run.in_flight() <= run.proposal.plan.max_in_flight, "seed {seed}: too many nodes in flight");
    for ((target, step), times) in &world.executed {
        assert_eq!(*times, 1, "seed {seed}: step {step} ran {times} times on target {target} (I3)");
    }
    if !world.taken.is_empty() {
        assert!(run.started.is_some() && run.is_agreed(), "seed {seed}: something ran without permission (I1)");
        let people: BTreeSet<&Principal> = run.approvals.iter().map(|a| &a.by).collect();
        assert!(people.len() >= needed as usize && !people.contains(&ana()), "seed {seed} (I1, I8)");
    }
    if matches!(run.phase, Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn) {
        assert!(world.taken.is_empty(), "seed {seed}: something ran although it was {:?} (I9)", run.phase);
    }
    if run.phase == Phase::Running {
        assert!(!run.effects().is_empty(), "seed {seed}: nothing is owed and nobody is waited for");
    }
}

/// The way back went to each node where a step ran, and to no node of which it is sure that none did.
fn assert_rolled_back(run: &Run, world: &World, rollback_step: u32, seed: u64) {
    let forward = |t: u32| (0..rollback_step).any(|step| world.ran(t, step));
    for (state, target) in run.targets.iter().zip(0u32..) {
        let told_idle = matches!(state.outcome, Some(Outcome::NotStarted(_)));
        assert!(!(told_idle && forward(target)), "seed {seed}: {target} ran and is told as not started");
        if run.rollback.is_none() {
            assert!(!world.ran(target, rollback_step), "seed {seed}: a rollback that nobody asked for");
            continue;
        }
        assert!(!forward(target) || state.rolled_back.is_some(), "seed {seed}: {target} ran and was not rolled back");
        let surely_not = state.reports.iter().all(|(_, r)| r.not_run) && state.outcome != Some(Outcome::Unknown);
        assert!(!surely_not || state.rolled_back.is_none(), "seed {seed}: {target} was not touched, and rolled back");
    }
}

#[test]
fn histories_send_nothing_twice_and_keep_every_promise() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seeds = match number("MUSTER_SEED") {
        Some(one) => one..one + 1,
        None => 0..number("MUSTER_SEEDS").unwrap_or(2_000),
    };
    let count = seeds.end - seeds.start;
    let (mut inputs, mut holds, mut back, mut worst) = (0u64, 0, 0, [None; 2]);
    for seed in seeds {
        let ended = history(seed);
        inputs += u64::from(ended.inputs);
        holds += ended.holds;
        back += u32::from(ended.rolled_back);
        if let Some((over, (in_flight, between))) = ended.overshoot {
            // Between two steps stands nobody where there is one.
            let most = if ended.steps == 1 { in_flight } else { in_flight + between };
            assert!(
                over <= most,
                "seed {seed}: {over} errors beyond the budget, {in_flight} in flight, {between} between"
            );
            let worst = &mut worst[usize::from(ended.steps > 1)];
            *worst = (*worst).max(ended.overshoot);
        }
    }
    println!("{count} histories, {inputs} inputs, {holds} holds, {back} rollbacks");
    for (worst, runs) in worst.into_iter().zip(["one step", "several steps"]) {
        let Some((over, (in_flight, between))) = worst else { continue };
        println!(
            "budget of runs of {runs} overshot by at most {over}, with {in_flight} in flight and {between} between steps"
        );
    }
}
