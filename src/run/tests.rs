//! Examples, and seeded histories: a world that loses answers, repeats and reorders reports, and crashes anywhere.

mod large_tests;
mod oracle;

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::domain::{ChatPlatform, CommandId, Digest, Millis, Outcome, Place, Principal, RunId, Selector, Timestamp};
use crate::plan::{Delivery, build, testing};
use crate::policy::{Asker, Decision, Seats, Verdict};
use crate::runbook::Arguments;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn ana() -> Principal {
    Principal::slack("T0MUSTER", "U0ANA")
}

fn asker(user: &str, groups: &[&str]) -> Asker {
    Asker {
        principal: Principal::slack("T0MUSTER", user),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        foreign: false,
        bot: false,
        channel: None,
    }
}

fn permit() -> Decision {
    Decision { verdict: Verdict::Permit, quorum: vec![], expires: None, reasons: vec![], could: vec![] }
}

fn needs(count: u32) -> Decision {
    Decision {
        verdict: Verdict::PermitWithApproval,
        quorum: vec![Seats { group: "sre".into(), count, rules: vec!["prod".into()] }],
        expires: Some(Millis::from_secs(600)),
        ..permit()
    }
}

fn proposal(
    decision: Decision,
    shape: impl FnOnce(&mut crate::runbook::Runbook),
    accounts: u32,
    nodes: u32,
) -> Proposal {
    let mut book = testing::runbook();
    shape(&mut book);
    let world = testing::snapshot(accounts, nodes);
    let plan = build(&book, Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
    Proposal {
        run: RunId(ulid::Ulid::from_parts(1, 7)),
        by: ana(),
        place: Place {
            platform: ChatPlatform::Slack,
            tenant: "T0MUSTER".into(),
            channel: "C0OPS".into(),
            thread: None,
        },
        request: "run restart-service on env=staging".into(),
        reason: None,
        digest: plan.digest(),
        plan: plan.into(),
        decision,
        policy: Digest::of(b"policy"),
        at: at(0),
    }
}

/// Feeds one input and folds its events, as the engine does.
fn feed(run: &mut Run, log: &mut Vec<Event>, input: Input, now: Timestamp) -> Result<(), Refusal> {
    for event in run.decide(input, now)? {
        run.evolve(&event).unwrap();
        log.push(event);
    }
    Ok(())
}

fn message(key: &PostKey) -> crate::domain::MessageRef {
    crate::domain::MessageRef { platform: ChatPlatform::Slack, channel: "C0OPS".into(), id: key.as_str().into() }
}

fn post(run: &mut Run, log: &mut Vec<Event>, key: PostKey) {
    feed(run, log, Input::PostBegun { key: key.clone() }, at(1)).unwrap();
    let message = message(&key);
    feed(run, log, Input::Posted { key, message }, at(1)).unwrap();
}

#[test]
fn nothing_starts_before_the_card_stands_in_the_channel() {
    let mut run = Run::proposed(proposal(permit(), |_| {}, 1, 2));
    let mut log = vec![];
    assert_eq!(*run.effects(), BTreeSet::from([Effect::Post(PostKey::Root), Effect::Expire(run.start_by())]));
    assert_eq!(feed(&mut run, &mut log, Input::Start { decision: permit() }, at(1)), Err(Refusal::Stale));
    post(&mut run, &mut log, PostKey::Root);
    assert!(run.effects().contains(&Effect::Start));
    feed(&mut run, &mut log, Input::Start { decision: permit() }, at(2)).unwrap();
    assert_eq!(run.phase, Phase::Running);
}

#[test]
fn the_requester_cannot_approve_and_one_person_fills_one_seat() {
    let mut run = Run::proposed(proposal(needs(2), |_| {}, 1, 2));
    let mut log = vec![];
    let digest = run.proposal.digest;
    post(&mut run, &mut log, PostKey::Root);
    let refused = feed(&mut run, &mut log, Input::Approve { by: asker("U0ANA", &["sre"]), digest }, at(2));
    assert!(matches!(refused, Err(Refusal::MayNotDecide(_))), "{refused:?}");
    feed(&mut run, &mut log, Input::Approve { by: asker("U0BO", &["sre"]), digest }, at(2)).unwrap();
    let twice = feed(&mut run, &mut log, Input::Approve { by: asker("U0BO", &["sre"]), digest }, at(2));
    assert!(matches!(twice, Err(Refusal::MayNotDecide(_))), "{twice:?}");
    assert!(!run.effects().contains(&Effect::Start));
    feed(&mut run, &mut log, Input::Approve { by: asker("U0CY", &["sre"]), digest }, at(3)).unwrap();
    assert!(run.effects().contains(&Effect::Start));
}

#[test]
fn an_approval_of_another_digest_or_after_the_expiry_counts_for_nothing() {
    let mut run = Run::proposed(proposal(needs(1), |_| {}, 1, 2));
    let mut log = vec![];
    let digest = run.proposal.digest;
    let by = asker("U0BO", &["sre"]);
    let other = Digest::of(b"other");
    assert_eq!(
        feed(&mut run, &mut log, Input::Approve { by: by.clone(), digest: other }, at(2)),
        Err(Refusal::OtherPlan)
    );
    assert_eq!(feed(&mut run, &mut log, Input::Approve { by: by.clone(), digest }, at(600)), Err(Refusal::Expired));
    feed(&mut run, &mut log, Input::Tick, at(599)).unwrap();
    assert_eq!(run.phase, Phase::AwaitingApproval);
    feed(&mut run, &mut log, Input::Tick, at(600)).unwrap();
    assert_eq!(run.phase, Phase::Expired);
    assert_eq!(feed(&mut run, &mut log, Input::Approve { by, digest }, at(601)), Err(Refusal::Over(Phase::Expired)));
}

#[test]
fn an_agreed_run_that_could_not_start_in_time_asks_again() {
    let mut run = Run::proposed(proposal(permit(), |_| {}, 1, 2));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    assert_eq!(run.start_by(), at(15 * 60));
    feed(&mut run, &mut log, Input::Start { decision: permit() }, at(15 * 60)).unwrap();
    assert_eq!(run.phase, Phase::Expired);
    assert!(run.started.is_none());
}

#[test]
fn one_no_ends_it_and_a_yes_after_it_is_told_so() {
    let mut run = Run::proposed(proposal(needs(1), |_| {}, 1, 2));
    let mut log = vec![];
    let digest = run.proposal.digest;
    feed(&mut run, &mut log, Input::Deny { by: asker("U0BO", &["sre"]), why: "not now".into() }, at(2)).unwrap();
    let late = feed(&mut run, &mut log, Input::Approve { by: asker("U0CY", &["sre"]), digest }, at(3));
    assert_eq!(late, Err(Refusal::Over(Phase::Denied)));
    assert!(run.effects().iter().all(|e| matches!(e, Effect::Post(_))), "{:?}", run.effects());
}

#[test]
fn a_policy_that_became_stricter_while_it_waited_wins() {
    let mut run = Run::proposed(proposal(permit(), |_| {}, 1, 2));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { decision: needs(1) }, at(2)).unwrap();
    assert_eq!(run.phase, Phase::Withdrawn);
    assert!(!log.iter().any(|e| matches!(e, Event::SendIntent { .. })));
}

#[test]
fn the_error_budget_stops_what_has_not_started_and_the_counts_still_add_up() {
    let mut run = Run::proposed(proposal(
        permit(),
        |book| {
            book.rollout.waves = vec!["1".parse().unwrap(), "100%".parse().unwrap()];
            book.rollout.max_errors = "0".parse().unwrap();
        },
        2,
        3,
    ));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { decision: permit() }, at(2)).unwrap();
    let sends: Vec<Effect> = run.effects().iter().filter(|e| matches!(e, Effect::Send { .. })).cloned().collect();
    assert_eq!(sends, [Effect::Send { shard: 0, step: 0, send: 1 }], "only the canary may be sent");
    let token = "t".to_owned();
    feed(&mut run, &mut log, Input::SlotHeld { shard: 0, step: 0, send: 1, token, signed_at: at(2) }, at(2)).unwrap();
    let command: CommandId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let answer = Answer::Taken { command, adopted: false };
    feed(&mut run, &mut log, Input::Answered { shard: 0, step: 0, send: 1, answer }, at(3)).unwrap();
    let target = run.proposal.plan.shards[0].targets[0];
    let results = vec![NodeReport { outcome: Outcome::Failed, ..NodeReport::blank(target) }];
    feed(&mut run, &mut log, Input::Reported { shard: 0, step: 0, results }, at(4)).unwrap();
    assert!(run.effects().contains(&Effect::Settle));
    feed(&mut run, &mut log, Input::Settle, at(4)).unwrap();
    feed(&mut run, &mut log, Input::Settle, at(4)).unwrap();
    assert_eq!(run.phase, Phase::Finished);
    assert_eq!((run.counts.failed, run.counts.not_started, run.counts.pending()), (1, 5, 0));
}

/// What AWS did, independent of what the run believes.
#[derive(Default)]
struct World {
    /// Token to the command that AWS took for it.
    taken: BTreeMap<String, CommandId>,
    /// Executions of each target and step.
    executed: BTreeMap<(u32, u32), u32>,
    commands: u64,
}

impl World {
    fn take(&mut self, token: &str, step: u32, targets: &[u32]) -> CommandId {
        self.commands += 1;
        let id: CommandId = format!("00000000-0000-0000-0000-{:012}", self.commands).parse().unwrap();
        assert!(self.taken.insert(token.to_owned(), id.clone()).is_none(), "one token was sent twice");
        for target in targets {
            *self.executed.entry((*target, step)).or_default() += 1;
        }
        id
    }
}

/// One random history to its end. Returns how many inputs it took.
fn history(seed: u64) -> u32 {
    let mut rng = StdRng::seed_from_u64(seed);
    let needed = rng.random_range(0..3);
    let decision = if needed == 0 { permit() } else { needs(needed) };
    let (accounts, nodes) = (rng.random_range(1..4), rng.random_range(1..6));
    let steps = rng.random_range(1..4);
    let waves = [vec!["100%"], vec!["1", "100%"], vec!["1", "50%", "100%"]][rng.random_range(0..3)].clone();
    let max_errors = ["0", "20%", "100%"][rng.random_range(0..3)];
    let max_in_flight = ["1", "2", "100%"][rng.random_range(0..3)];
    let failing = rng.random_range(0..30);
    let proposal = proposal(
        decision.clone(),
        |book| {
            book.steps = (0..steps).map(|i| testing::step(&format!("step{i}"))).collect();
            book.rollout.waves = waves.iter().map(|w| w.parse().unwrap()).collect();
            book.rollout.max_errors = max_errors.parse().unwrap();
            book.rollout.max_in_flight = max_in_flight.parse().unwrap();
        },
        accounts,
        nodes,
    );
    let mut log = vec![Event::Proposed(Box::new(proposal.clone()))];
    let mut run = Run::proposed(proposal);
    let mut world = World::default();
    let mut clock = 0;
    let mut inputs = 0;
    // Sends whose intent this process wrote; a crash forgets them.
    let mut mine: BTreeSet<(u32, u32, u32)> = BTreeSet::new();
    let approvers = ["U0BO", "U0CY", "U0DI"];

    while !run.is_settled() {
        inputs += 1;
        assert!(inputs < 5_000, "seed {seed}: the run never ends: {:?}", run.effects());
        clock += rng.random_range(0..3);
        let now = at(clock);
        if rng.random_range(0..40) == 0 {
            let folded = Run::replay(&log).unwrap().unwrap();
            assert_eq!(folded, run, "seed {seed}: the fold of the journal is not the state");
            mine.clear();
        }
        if run.phase == Phase::AwaitingApproval && rng.random_range(0..4) == 0 {
            let digest = run.proposal.digest;
            let by = asker(["U0ANA", "U0BO", "U0CY", "U0DI"][rng.random_range(0..4)], &["sre"]);
            let input = match rng.random_range(0..60) {
                0 => Input::Deny { by, why: "no".into() },
                1 => Input::Cancel { by: ana(), allowed: true },
                _ => Input::Approve { by, digest },
            };
            let _ = feed(&mut run, &mut log, input, now);
        }
        if run.phase == Phase::Running && rng.random_range(0..400) == 0 {
            let _ = feed(&mut run, &mut log, Input::Cancel { by: ana(), allowed: true }, now);
        }
        let due: Vec<Effect> = run.effects().iter().cloned().collect();
        let Some(effect) = due.get(rng.random_range(0..due.len().max(1))) else { continue };
        match effect.clone() {
            Effect::Post(key) => {
                let _ = feed(&mut run, &mut log, Input::PostBegun { key }, now);
            }
            Effect::SettlePost(key) => {
                let message = message(&key);
                let _ = feed(&mut run, &mut log, Input::Posted { key, message }, now);
            }
            Effect::TellUnposted => unreachable!("no post fails here"),
            Effect::Expire(_) => {
                let _ = feed(&mut run, &mut log, Input::Tick, now);
                clock += 5;
            }
            Effect::Start => {
                let _ = feed(&mut run, &mut log, Input::Start { decision: decision.clone() }, now);
            }
            Effect::Send { shard, step, send } => {
                let token = format!("{shard}:{step}:{send}");
                if feed(&mut run, &mut log, Input::SlotHeld { shard, step, send, token, signed_at: now }, now).is_ok() {
                    mine.insert((shard, step, send));
                }
            }
            Effect::Answer { shard, step, send } => {
                let SendState::Intent { token, targets, .. } = run.shards[shard as usize].state.clone() else {
                    unreachable!()
                };
                let answer = if mine.contains(&(shard, step, send)) {
                    match rng.random_range(0..10) {
                        0 => Answer::NotTaken { cause: "throttled".into() },
                        1 => Answer::Refused { cause: "access denied".into() },
                        2 => Answer::Gone { targets: targets[..1].to_vec() },
                        3 => Answer::Unknown { cause: "reset before it was taken".into() },
                        4 => {
                            world.take(&token, step, &targets);
                            Answer::Unknown { cause: "reset after it was taken".into() }
                        }
                        _ => Answer::Taken { command: world.take(&token, step, &targets), adopted: false },
                    }
                } else {
                    // After a crash: the call was made, or it was not.
                    if rng.random() {
                        world.take(&token, step, &targets);
                    }
                    Answer::Unknown { cause: "restarted".into() }
                };
                feed(&mut run, &mut log, Input::Answered { shard, step, send, answer: answer.clone() }, now).unwrap();
                if rng.random_range(0..5) == 0 {
                    // The same answer again changes nothing.
                    let before = run.clone();
                    if feed(&mut run, &mut log, Input::Answered { shard, step, send, answer }, now).is_err() {
                        assert_eq!(before, run);
                    }
                }
            }
            Effect::LookUp { shard, step, send } => {
                let SendState::Unsure { token, .. } = run.shards[shard as usize].state.clone() else { unreachable!() };
                let answer = match world.taken.get(&token) {
                    Some(command) => Answer::Taken { command: command.clone(), adopted: true },
                    None => Answer::Absent,
                };
                feed(&mut run, &mut log, Input::Answered { shard, step, send, answer }, now).unwrap();
            }
            Effect::Watch { shard, step, .. } => {
                let SendState::Sent { targets, .. } = run.shards[shard as usize].state.clone() else { unreachable!() };
                let mut results: Vec<NodeReport> = Vec::new();
                for target in &targets {
                    if rng.random() {
                        let outcome = match rng.random_range(0..100) {
                            n if n < failing => Outcome::Failed,
                            98 => Outcome::Undeliverable,
                            99 => Outcome::TimedOut,
                            _ => Outcome::Succeeded,
                        };
                        results.push(NodeReport { outcome, ..NodeReport::blank(*target) });
                        if rng.random_range(0..4) == 0 {
                            // A page that repeats a node, with another story.
                            results.push(NodeReport { outcome: Outcome::Failed, ..NodeReport::blank(*target) });
                        }
                    }
                }
                let _ = feed(&mut run, &mut log, Input::Reported { shard, step, results }, now);
            }
            Effect::CancelCommand { shard, step, .. } => {
                let SendState::Sent { targets, .. } = run.shards[shard as usize].state.clone() else { unreachable!() };
                let cancelled = |t: &u32| NodeReport { outcome: Outcome::Cancelled, ..NodeReport::blank(*t) };
                let results = targets.iter().map(cancelled).collect();
                let _ = feed(&mut run, &mut log, Input::Reported { shard, step, results }, now);
            }
            Effect::Settle => {
                let _ = feed(&mut run, &mut log, Input::Settle, now);
            }
        }

        // What holds after every step.
        oracle::assert_kept_right(&run, seed);
        if run.cancelled_by.is_some() {
            let sends = run.effects().iter().filter(|e| matches!(e, Effect::Send { .. })).count();
            assert_eq!(sends, 0, "seed {seed}: something would be sent after the cancel");
        }
        if run.budget_spent {
            let fresh = |e: &Effect| matches!(e, Effect::Send { step: 0, .. });
            assert!(
                !run.effects().iter().any(fresh),
                "seed {seed}: a node would be started after the budget was spent"
            );
        }
        let ended = run.targets.iter().filter_map(|t| t.outcome);
        assert_eq!(run.counts, crate::domain::Counts::of(run.counts.total, ended), "seed {seed}");
        assert!(run.in_flight() <= run.proposal.plan.max_in_flight, "seed {seed}: too many nodes in flight");
        for ((target, step), times) in &world.executed {
            assert_eq!(*times, 1, "seed {seed}: step {step} ran {times} times on target {target}");
            assert!(run.targets.len() as u32 > *target);
        }
        if !world.executed.is_empty() {
            assert!(run.started.is_some(), "seed {seed}: something ran before the start");
            assert!(run.is_agreed(), "seed {seed}: something ran without the quorum");
            let people: BTreeSet<&Principal> = run.approvals.iter().map(|a| &a.by).collect();
            assert!(people.len() >= needed as usize && !people.contains(&ana()), "seed {seed}: {approvers:?}");
        }
        if matches!(run.phase, Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn) {
            assert!(world.executed.is_empty(), "seed {seed}: something ran although it was {:?}", run.phase);
        }
    }
    assert_eq!(Run::replay(&log).unwrap().unwrap(), run, "seed {seed}");
    if run.phase == Phase::Finished {
        assert_eq!(run.counts.pending(), 0, "seed {seed}");
    }
    inputs
}

#[test]
fn no_history_sends_twice_loses_a_target_or_starts_without_permission() {
    // Method: 2,000 seeds; `history(seed)` replays one.
    let inputs: u32 = (0..2_000).map(history).sum();
    println!("2,000 histories, {inputs} inputs");
}
