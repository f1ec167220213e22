//! Holds between waves, gates, the way back, and the run's own deadline, by example.

use std::collections::BTreeMap;

use super::*;
use crate::domain::NotStarted;
use crate::runbook::{Gate, HoldAfter, OnFailure, Runbook};

/// A run that has started: canary, then the rest, over 2 accounts with 3 nodes each.
fn started(decision: Decision, shape: impl FnOnce(&mut Runbook)) -> (Run, Vec<Event>) {
    let shape = |book: &mut Runbook| {
        book.rollout.waves = ["1", "100%"].map(|w| w.parse().unwrap()).to_vec();
        book.rollout.hold = HoldAfter::Failure;
        shape(book);
    };
    let mut run = Run::proposed(proposal(decision.clone(), shape, 2, 3));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    for approver in ["U0BO", "U0CY"].iter().take(decision.quorum.iter().map(|s| s.count).sum::<u32>() as usize) {
        let digest = run.proposal.digest;
        feed(&mut run, &mut log, Input::Approve { by: asker(approver, &["sre"]), digest }, at(2)).unwrap();
    }
    feed(&mut run, &mut log, Input::Start { today: today(decision) }, at(3)).unwrap();
    assert_eq!(run.phase, Phase::Running);
    (run, log)
}

/// Sends everything that may be sent, and reports it.
fn play(run: &mut Run, log: &mut Vec<Event>, outcome: impl Fn(u32) -> Outcome, value: &str) {
    let sends: Vec<Effect> = run.effects().iter().filter(|e| matches!(e, Effect::Send { .. })).cloned().collect();
    assert!(!sends.is_empty(), "nothing may be sent: {:?}", run.effects());
    for effect in sends {
        let Effect::Send { shard, step, send } = effect else { unreachable!() };
        let token = format!("{shard}.{step}");
        feed(run, log, Input::SlotHeld { shard, step, send, token, signed_at: at(4) }, at(4)).unwrap();
        let command = format!("00000000-0000-0000-0000-{:012}", shard * 10 + step).parse().unwrap();
        let answer = Answer::Taken { command, adopted: false };
        feed(run, log, Input::Answered { shard, step, send, answer }, at(5)).unwrap();
        let told = |target: u32| NodeReport {
            outcome: outcome(target),
            extracted: BTreeMap::from([("state".to_owned(), value.to_owned())]),
            ..NodeReport::blank(target)
        };
        let results = run.due_targets(shard).into_iter().map(told).collect();
        feed(run, log, Input::Reported { shard, step, results }, at(6)).unwrap();
    }
}

fn settle(run: &mut Run, log: &mut Vec<Event>) {
    feed(run, log, Input::Settle, at(7)).unwrap();
}

fn go_on(run: &mut Run, log: &mut Vec<Event>, by: Asker, decision: Decision) -> Result<(), Refusal> {
    let revision = run.revision;
    feed(run, log, Input::Continue { by, revision, allowed: true, decision }, at(8))
}

fn roll_back(run: &mut Run, log: &mut Vec<Event>) -> Result<(), Refusal> {
    let revision = run.revision;
    feed(run, log, Input::RollBack { by: asker("U0ANA", &[]), revision, allowed: true }, at(9))
}

fn sends(run: &Run) -> usize {
    run.effects().iter().filter(|e| matches!(e, Effect::Send { .. })).count()
}

#[test]
fn a_canary_that_fails_holds_the_run_until_somebody_decides() {
    let (mut run, mut log) = started(permit(), |_| {});
    play(&mut run, &mut log, |_| Outcome::Failed, "");
    settle(&mut run, &mut log);
    assert_eq!(run.hold().unwrap().cause, HoldCause::Wave { wave: 1, errors: 1 });
    assert_eq!((sends(&run), run.effects().contains(&Effect::Post(PostKey::Hold(1)))), (0, true));
    go_on(&mut run, &mut log, asker("U0ANA", &[]), permit()).unwrap();
    assert_eq!(go_on(&mut run, &mut log, asker("U0BO", &["sre"]), permit()), Err(Refusal::NotHeld), "twice");
    // What people know of holds nobody up a second time.
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    settle(&mut run, &mut log);
    assert_eq!((run.phase, run.counts.succeeded, run.counts.failed), (Phase::Finished, 5, 1));
    assert_eq!(Run::replay(&log_of(&run, &log)).unwrap().unwrap(), run);
}

fn log_of(run: &Run, log: &[Event]) -> Vec<Event> {
    [&[Event::Proposed(Box::new(run.proposal.clone()))], log].concat()
}

#[test]
fn a_canary_that_succeeds_holds_nothing_unless_the_runbook_always_asks() {
    let (mut run, mut log) = started(permit(), |_| {});
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    assert!(!run.owes(&Effect::Settle) && sends(&run) > 0);
    let (mut run, mut log) = started(permit(), |book| book.rollout.hold = HoldAfter::Always);
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    settle(&mut run, &mut log);
    assert_eq!(run.hold().unwrap().cause, HoldCause::Wave { wave: 1, errors: 0 });
}

#[test]
fn a_wave_in_the_middle_whose_nodes_are_all_offline_is_not_asked_about() {
    let mut book = testing::runbook();
    book.rollout.waves = ["1", "3", "100%"].map(|w| w.parse().unwrap()).to_vec();
    book.rollout.hold = HoldAfter::Always;
    let mut world = testing::snapshot(1, 6);
    let whole = build(&book, Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
    let middle: Vec<_> = whole.targets.iter().filter(|t| t.wave == 1).map(|t| t.target.node.clone()).collect();
    world.nodes.iter_mut().filter(|n| middle.contains(&n.target.node)).for_each(|n| n.online = false);
    let plan = build(&book, Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
    let proposal = Proposal { digest: plan.digest(), plan: plan.into(), ..proposal(permit(), |_| {}, 1, 1) };
    let (mut run, mut log) = (Run::proposed(proposal), vec![]);
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(3)).unwrap();
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    settle(&mut run, &mut log);
    assert_eq!(run.hold().unwrap().cause, HoldCause::Wave { wave: 2, errors: 0 }, "nobody is asked about the second");
    go_on(&mut run, &mut log, asker("U0ANA", &[]), permit()).unwrap();
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    settle(&mut run, &mut log);
    assert_eq!((run.phase, run.holds.len()), (Phase::Finished, 1));
    assert_eq!((run.counts.succeeded, run.counts.not_started), (4, 2));
}

#[test]
fn whoever_may_not_and_a_policy_of_today_that_forbids_it_do_not_let_it_go_on() {
    let (mut run, mut log) = started(needs(1), |_| {});
    play(&mut run, &mut log, |_| Outcome::Failed, "");
    settle(&mut run, &mut log);
    let revision = run.revision;
    let stranger = Input::Continue { by: asker("U0EVE", &["support"]), revision, allowed: false, decision: permit() };
    assert_eq!(feed(&mut run, &mut log, stranger, at(8)), Err(Refusal::MayNotDecideHold));
    let refused = go_on(&mut run, &mut log, asker("U0ANA", &[]), forbid());
    assert_eq!(refused, Err(Refusal::NoLongerPermitted("a freeze has begun".into())));
    let refused = go_on(&mut run, &mut log, asker("U0ANA", &[]), needs(2));
    assert!(matches!(refused, Err(Refusal::NoLongerPermitted(_))), "{refused:?}");
    go_on(&mut run, &mut log, asker("U0ANA", &[]), needs(1)).unwrap();
}

#[test]
fn a_button_of_an_earlier_hold_is_not_about_the_present_one() {
    let (mut run, mut log) = started(permit(), |book| {
        book.rollout.waves = ["1", "2", "100%"].map(|w| w.parse().unwrap()).to_vec();
        book.rollout.max_errors = "100%".parse().unwrap();
    });
    play(&mut run, &mut log, |_| Outcome::Failed, "");
    settle(&mut run, &mut log);
    let old = run.revision;
    go_on(&mut run, &mut log, asker("U0ANA", &[]), permit()).unwrap();
    play(&mut run, &mut log, |_| Outcome::Failed, "");
    settle(&mut run, &mut log);
    let late = Input::Continue { by: asker("U0ANA", &[]), revision: old, allowed: true, decision: permit() };
    assert_eq!(feed(&mut run, &mut log, late, at(9)), Err(Refusal::OldHold));
    assert_eq!(run.hold().unwrap().number, 2);
}

#[test]
fn a_hold_that_nobody_decides_ends_in_a_stop_and_not_in_the_night() {
    let (mut run, mut log) = started(permit(), |book| book.rollout.hold_for = Millis::from_secs(600));
    play(&mut run, &mut log, |_| Outcome::Failed, "");
    settle(&mut run, &mut log);
    assert!(run.owes(&Effect::Alarm(at(607))));
    feed(&mut run, &mut log, Input::Tick, at(606)).unwrap();
    assert!(run.hold().is_some());
    feed(&mut run, &mut log, Input::Tick, at(607)).unwrap();
    assert_eq!(run.holds[0].ended, Some((HoldEnd::TimedOut, None, at(607))));
    settle(&mut run, &mut log);
    assert_eq!((run.phase, run.counts.not_started), (Phase::Finished, 5));
    assert_eq!(run.targets.iter().filter(|t| t.outcome == Some(Outcome::NotStarted(NotStarted::Stopped))).count(), 5);
}

#[test]
fn the_way_back_goes_to_exactly_what_was_touched_and_says_where_it_failed() {
    let (mut run, mut log) = started(permit(), |book| {
        book.rollback = Some(testing::step("rollback"));
        book.rollout.waves = ["3", "100%"].map(|w| w.parse().unwrap()).to_vec();
        book.rollout.max_errors = "100%".parse().unwrap();
    });
    let canary: Vec<u32> = (0u32..6).filter(|t| run.proposal.plan.targets[*t as usize].wave == 0).collect();
    // One failed, one has no known end, and one was never reached.
    let fate = canary.clone();
    let outcome = move |t: u32| match fate.iter().position(|c| *c == t) {
        Some(0) => Outcome::Failed,
        Some(1) => Outcome::Unknown,
        _ => Outcome::Succeeded,
    };
    play(&mut run, &mut log, outcome, "");
    settle(&mut run, &mut log);
    roll_back(&mut run, &mut log).unwrap();
    assert_eq!(run.rollback.as_ref().unwrap().counts.total, 3, "the unknown one counts as touched");
    assert_eq!(run.counts.not_started, 3);
    play(&mut run, &mut log, |t| if t == canary[1] { Outcome::Failed } else { Outcome::Succeeded }, "");
    settle(&mut run, &mut log);
    let back = run.rollback.as_ref().unwrap();
    assert_eq!((run.phase, back.counts.succeeded, back.counts.failed), (Phase::Finished, 2, 1));
    // What the run did stays told as it was.
    assert_eq!((run.counts.succeeded, run.counts.failed, run.counts.unknown), (1, 1, 1));
}

/// As [`the_way_back_goes_to_exactly_what_was_touched_and_says_where_it_failed`], for what nobody could ask AWS about.
#[test]
fn a_send_of_which_nobody_knows_whether_aws_took_it_has_a_way_back() {
    let (mut run, mut log) = started(permit(), |book| {
        book.rollback = Some(testing::step("rollback"));
        book.rollout.max_errors = "100%".parse().unwrap();
    });
    let (shard, step, send) = (0, 0, 1);
    feed(&mut run, &mut log, Input::SlotHeld { shard, step, send, token: "t".into(), signed_at: at(4) }, at(4))
        .unwrap();
    let cause = || "the connection was reset".to_owned();
    for answer in [Answer::Unknown { cause: cause() }, Answer::Unverifiable { cause: cause() }] {
        feed(&mut run, &mut log, Input::Answered { shard, step, send, answer }, at(5)).unwrap();
    }
    settle(&mut run, &mut log);
    roll_back(&mut run, &mut log).unwrap();
    assert_eq!((run.counts.unknown, run.rollback.as_ref().unwrap().counts.total), (1, 1));
    assert_eq!(sends(&run), 1);
}

#[test]
fn whoever_stops_at_a_gate_has_decided_against_the_way_back_too() {
    let (mut run, mut log) = started(permit(), |book| {
        book.steps = ["look", "switch"].map(testing::step).to_vec();
        book.steps[1].gate =
            Some(Gate { from: "dba".into(), count: 1, expires: Millis::from_secs(60), ask: "Is it drained?".into() });
        book.rollback = Some(testing::step("rollback"));
        book.rollout.waves = vec!["100%".parse().unwrap()];
        book.rollout.max_errors = "0".parse().unwrap();
    });
    // One failure is more than the budget; the others stand at the gate.
    play(&mut run, &mut log, |t| if t == 5 { Outcome::Failed } else { Outcome::Succeeded }, "");
    settle(&mut run, &mut log);
    assert_eq!(run.hold().unwrap().cause, HoldCause::Gate { wave: 0, step: 1 });
    let revision = run.revision;
    feed(&mut run, &mut log, Input::Stop { by: asker("U0BO", &["dba"]), revision, allowed: false }, at(9)).unwrap();
    settle(&mut run, &mut log);
    assert_eq!((run.phase, run.holds.len(), run.rollback.is_none()), (Phase::Finished, 1, true));
}

#[test]
fn a_node_goes_on_after_a_failed_step_only_where_the_step_says_so() {
    for (on_failure, goes_on) in [(OnFailure::Stop, false), (OnFailure::Continue, true)] {
        let (mut run, mut log) = started(permit(), |book| {
            book.steps = ["one", "two"].map(testing::step).to_vec();
            book.steps[0].on_failure = on_failure;
        });
        play(&mut run, &mut log, |_| Outcome::Failed, "");
        let canary = run.targets.iter().find(|t| !t.reports.is_empty()).unwrap();
        assert_eq!((canary.outcome.is_none(), canary.step), (goes_on, goes_on.into()));
        if goes_on {
            play(&mut run, &mut log, |_| Outcome::Succeeded, "");
        }
        // Its later success does not make up for it.
        assert_eq!((run.counts.failed, run.counts.succeeded), (1, 0));
    }
}

#[test]
fn too_many_failures_roll_back_by_themselves_only_where_the_step_says_so() {
    for (on_failure, by_itself) in [(OnFailure::Rollback, true), (OnFailure::Stop, false)] {
        let (mut run, mut log) = started(permit(), |book| {
            book.steps[0].on_failure = on_failure;
            book.rollback = Some(testing::step("rollback"));
            book.rollout.max_errors = "0".parse().unwrap();
        });
        play(&mut run, &mut log, |_| Outcome::Failed, "");
        settle(&mut run, &mut log);
        assert!(run.budget_spent);
        settle(&mut run, &mut log);
        assert_eq!(run.rollback.is_some(), by_itself);
        assert_eq!(run.hold().map(|h| h.cause.clone()), (!by_itself).then_some(HoldCause::WayBack));
    }
}

#[test]
fn after_a_cancel_the_way_back_is_offered_and_may_be_left() {
    let (mut run, mut log) = started(permit(), |book| book.rollback = Some(testing::step("rollback")));
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    feed(&mut run, &mut log, Input::Cancel { by: ana(), allowed: true }, at(8)).unwrap();
    settle(&mut run, &mut log);
    assert_eq!(run.hold().unwrap().cause, HoldCause::WayBack);
    let revision = run.revision;
    let refused = go_on(&mut run, &mut log, asker("U0ANA", &[]), permit());
    assert_eq!(refused, Err(Refusal::NotHeld), "there is nothing to go on with");
    feed(&mut run, &mut log, Input::Stop { by: asker("U0ANA", &[]), revision, allowed: true }, at(9)).unwrap();
    settle(&mut run, &mut log);
    assert_eq!((run.phase, run.rollback), (Phase::Finished, None));
}

#[test]
fn a_rollback_can_be_stopped_and_nothing_offers_it_twice() {
    let (mut run, mut log) = started(permit(), |book| {
        book.rollback = Some(testing::step("rollback"));
        book.rollout.max_in_flight = "1".parse().unwrap();
        book.rollout.waves = vec!["100%".parse().unwrap()];
    });
    while sends(&run) > 0 {
        play(&mut run, &mut log, |t| if t == 5 { Outcome::Failed } else { Outcome::Succeeded }, "");
    }
    // It went well enough: no hold, no way back.
    settle(&mut run, &mut log);
    assert_eq!((run.phase, roll_back(&mut run, &mut log)), (Phase::Finished, Err(Refusal::Over(Phase::Finished))));

    let (mut run, mut log) = started(permit(), |book| {
        book.rollback = Some(testing::step("rollback"));
        book.rollout.max_in_flight = "1".parse().unwrap();
        book.rollout.waves = ["3", "100%"].map(|w| w.parse().unwrap()).to_vec();
        book.rollout.max_errors = "100%".parse().unwrap();
    });
    while sends(&run) > 0 {
        play(&mut run, &mut log, |_| Outcome::Failed, "");
    }
    settle(&mut run, &mut log);
    roll_back(&mut run, &mut log).unwrap();
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    feed(&mut run, &mut log, Input::Cancel { by: ana(), allowed: true }, at(10)).unwrap();
    settle(&mut run, &mut log);
    let back = run.rollback.as_ref().unwrap();
    assert_eq!((run.phase, back.counts.succeeded, back.counts.not_started), (Phase::Finished, 1, 2));
}

#[test]
fn a_gate_asks_its_own_group_for_each_wave_and_the_requester_has_no_say() {
    let (mut run, mut log) = started(permit(), |book| {
        book.steps.push(testing::step("switch"));
        book.steps[1].gate =
            Some(Gate { from: "dba".into(), count: 2, expires: Millis::from_secs(60), ask: "Is it drained?".into() });
    });
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    assert_eq!(sends(&run), 0);
    settle(&mut run, &mut log);
    assert_eq!(run.hold().unwrap().cause, HoldCause::Gate { wave: 0, step: 1 });
    let mine = go_on(&mut run, &mut log, asker("U0ANA", &["dba"]), permit());
    assert!(matches!(mine, Err(Refusal::MayNotDecide(_))), "{mine:?}");
    let stranger = go_on(&mut run, &mut log, asker("U0EVE", &["sre"]), permit());
    assert!(matches!(stranger, Err(Refusal::MayNotDecide(_))), "{stranger:?}");
    go_on(&mut run, &mut log, asker("U0BO", &["dba"]), permit()).unwrap();
    let twice = go_on(&mut run, &mut log, asker("U0BO", &["dba"]), permit());
    assert!(matches!(twice, Err(Refusal::MayNotDecide(_))), "{twice:?}");
    assert_eq!(sends(&run), 0, "one yes of two");
    go_on(&mut run, &mut log, asker("U0CY", &["dba"]), permit()).unwrap();
    assert_eq!(run.holds[0].ended.as_ref().unwrap().0, HoldEnd::Continued);
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    // The other wave has its own question, and nobody answers it.
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    settle(&mut run, &mut log);
    assert_eq!(run.hold().unwrap().cause, HoldCause::Gate { wave: 1, step: 1 });
    feed(&mut run, &mut log, Input::Tick, at(67)).unwrap();
    settle(&mut run, &mut log);
    assert_eq!((run.phase, run.counts.succeeded, run.counts.cancelled), (Phase::Finished, 1, 5));
    let cut = run.targets.iter().find(|t| t.outcome == Some(Outcome::Cancelled)).unwrap();
    assert_eq!(cut.cause.as_deref(), Some("stopped between two steps"));
}

#[test]
fn each_node_takes_the_steps_that_concern_it() {
    let (mut run, mut log) = started(permit(), |book| {
        book.rollout.waves = vec!["100%".parse().unwrap()];
        let condition = |value: &str| BTreeMap::from([("state".to_owned(), vec![value.to_owned()])]);
        for (name, when, unless) in [("b", Some("b"), None), ("c", None, Some("b")), ("d", None, None)] {
            let mut step = testing::step(name);
            step.when = when.map(condition).unwrap_or_default();
            step.unless = unless.map(condition).unwrap_or_default();
            book.steps.push(step);
        }
    });
    // The first shard says b, the other one says a.
    let sends: Vec<Effect> = run.effects().iter().filter(|e| matches!(e, Effect::Send { .. })).cloned().collect();
    assert_eq!(sends.len(), 2);
    let (first, second) = (run.proposal.plan.shards[0].targets.clone(), run.proposal.plan.shards[1].targets.clone());
    for (shard, value) in [(0u32, "b"), (1, "a")] {
        let (step, send) = (0, 1);
        let token = format!("{shard}");
        feed(&mut run, &mut log, Input::SlotHeld { shard, step, send, token, signed_at: at(4) }, at(4)).unwrap();
        let command = format!("00000000-0000-0000-0000-{shard:012}").parse().unwrap();
        let answer = Answer::Taken { command, adopted: false };
        feed(&mut run, &mut log, Input::Answered { shard, step, send, answer }, at(5)).unwrap();
        let told = |target: u32| NodeReport {
            outcome: Outcome::Succeeded,
            extracted: BTreeMap::from([("state".to_owned(), value.to_owned())]),
            ..NodeReport::blank(target)
        };
        let results = run.due_targets(shard).into_iter().map(told).collect();
        feed(&mut run, &mut log, Input::Reported { shard, step, results }, at(6)).unwrap();
    }
    assert_eq!((run.shards[0].step, run.shards[1].step), (1, 2));
    play(&mut run, &mut log, |_| Outcome::Succeeded, "b");
    assert_eq!((run.shards[0].step, run.shards[1].step), (3, 3));
    play(&mut run, &mut log, |_| Outcome::Succeeded, "");
    settle(&mut run, &mut log);
    let steps = |t: u32| run.targets[t as usize].reports.iter().map(|(s, _)| *s).collect::<Vec<_>>();
    assert_eq!((steps(first[0]), steps(second[0])), (vec![0, 1, 3], vec![0, 2, 3]));
    assert_eq!(run.counts.succeeded, 6);
}

#[test]
fn the_runs_own_deadline_cancels_what_runs_and_starts_nothing_further() {
    let (mut run, mut log) = started(permit(), |book| book.rollout.deadline = Millis::from_secs(1000));
    let (shard, step, send) = (0, 0, 1);
    feed(&mut run, &mut log, Input::SlotHeld { shard, step, send, token: "t".into(), signed_at: at(4) }, at(4))
        .unwrap();
    let command = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let answer = Answer::Taken { command, adopted: false };
    feed(&mut run, &mut log, Input::Answered { shard, step, send, answer }, at(5)).unwrap();
    assert!(run.owes(&Effect::Alarm(at(1003))));
    feed(&mut run, &mut log, Input::Tick, at(1003)).unwrap();
    assert!(run.owes(&Effect::CancelCommand { shard, step, send }) && sends(&run) == 0);
    let target = run.proposal.plan.shards[0].targets[0];
    let results = vec![NodeReport { outcome: Outcome::Cancelled, ..NodeReport::blank(target) }];
    feed(&mut run, &mut log, Input::Reported { shard, step, results }, at(1005)).unwrap();
    settle(&mut run, &mut log);
    assert_eq!((run.phase, run.overdue, run.counts.cancelled, run.counts.not_started), (Phase::Finished, true, 1, 5));
}

#[test]
fn a_wave_whose_nodes_are_all_offline_holds_nobody_up() {
    let mut book = testing::runbook();
    book.rollout.waves = ["1", "100%"].map(|w| w.parse().unwrap()).to_vec();
    book.rollout.hold = HoldAfter::Always;
    let mut world = testing::snapshot(1, 3);
    world.nodes.iter_mut().for_each(|n| n.online = false);
    let plan = build(&book, Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
    let proposal = Proposal { digest: plan.digest(), plan: plan.into(), ..proposal(permit(), |_| {}, 1, 3) };
    let mut run = Run::proposed(proposal);
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(3)).unwrap();
    settle(&mut run, &mut log);
    assert_eq!((run.phase, run.counts.not_started, run.holds.len()), (Phase::Finished, 3, 0));
}
