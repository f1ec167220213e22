//! Whose nodes are taken, and what may still be called, by example.

use super::*;
use crate::domain::NotStarted;
use crate::runbook::Runbook;

/// A run of two nodes, one of them the canary, whose first send has its intent.
fn with_intent(shape: impl FnOnce(&mut Runbook)) -> (Run, Vec<Event>) {
    let shape = |book: &mut Runbook| {
        book.rollout.waves = ["1", "100%"].map(|w| w.parse().unwrap()).to_vec();
        shape(book);
    };
    let mut run = Run::proposed(proposal(permit(), shape, 1, 2));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(2)).unwrap();
    let intent = Input::SlotHeld { shard: 0, step: 0, send: 1, token: "t".into(), signed_at: at(3) };
    feed(&mut run, &mut log, intent, at(3)).unwrap();
    (run, log)
}

/// The canary ends like this.
fn ends(run: &mut Run, log: &mut Vec<Event>, outcome: Outcome) -> usize {
    let command = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let answer = Answer::Taken { command, adopted: false };
    feed(run, log, Input::Answered { shard: 0, step: run.shards[0].step, send: 1, answer }, at(4)).unwrap();
    let target = run.due_targets(0)[0];
    let results = vec![NodeReport { outcome, ..NodeReport::blank(target) }];
    feed(run, log, Input::Reported { shard: 0, step: run.shards[0].step, results }, at(5)).unwrap();
    target as usize
}

#[test]
fn a_node_that_may_still_be_rolled_back_is_taken_until_it_was_or_the_run_is_over() {
    let (mut run, mut log) = with_intent(|book| book.rollback = Some(testing::step("rollback")));
    let canary = ends(&mut run, &mut log, Outcome::Succeeded);
    assert!(run.is_busy(&run.targets[canary]), "the next wave may yet go wrong");
    feed(&mut run, &mut log, Input::Cancel { by: ana(), allowed: true }, at(6)).unwrap();
    feed(&mut run, &mut log, Input::Settle, at(7)).unwrap();
    assert_eq!(run.hold().map(|h| h.cause.clone()), Some(HoldCause::WayBack));
    let untouched = 1 - canary;
    assert_eq!((run.is_busy(&run.targets[canary]), run.is_busy(&run.targets[untouched])), (true, false));
    let (by, revision) = (asker("U0ANA", &[]), run.revision);
    feed(&mut run, &mut log, Input::RollBack { by, revision, allowed: true }, at(8)).unwrap();
    assert!(run.is_busy(&run.targets[canary]));
    let step = run.proposal.plan.rollback_index();
    let intent = Input::SlotHeld { shard: 0, step, send: 1, token: "b".into(), signed_at: at(9) };
    feed(&mut run, &mut log, intent, at(9)).unwrap();
    ends(&mut run, &mut log, Outcome::Succeeded);
    assert!(!run.is_busy(&run.targets[canary]));
}

#[test]
fn without_a_way_back_a_node_that_has_ended_is_free() {
    let (mut run, mut log) = with_intent(|_| {});
    let canary = ends(&mut run, &mut log, Outcome::Failed);
    assert!(!run.is_busy(&run.targets[canary]));
}

#[test]
fn a_call_is_made_only_for_the_present_intent_of_a_run_that_nobody_has_stopped() {
    let (run, _) = with_intent(|_| {});
    assert!(run.may_call(0, 0, 1));
    assert!(!run.may_call(0, 0, 2) && !run.may_call(0, 1, 1) && !run.may_call(7, 0, 1));
    let (mut cancelled, mut log) = with_intent(|_| {});
    feed(&mut cancelled, &mut log, Input::Cancel { by: ana(), allowed: true }, at(4)).unwrap();
    assert!(!cancelled.may_call(0, 0, 1));
    // What was not called is certain: nobody has to look at the node.
    let answer = Answer::NotTaken { cause: "it was stopped before the call".into() };
    feed(&mut cancelled, &mut log, Input::Answered { shard: 0, step: 0, send: 1, answer }, at(5)).unwrap();
    let ended: Vec<_> = cancelled.targets.iter().map(|t| t.outcome).collect();
    assert_eq!(ended, [Some(Outcome::NotStarted(NotStarted::Cancelled)); 2]);
    let (mut late, mut log) = with_intent(|_| {});
    let deadline = late.deadline().unwrap();
    feed(&mut late, &mut log, Input::Tick, deadline).unwrap();
    assert!(!late.may_call(0, 0, 1));
}

#[test]
fn where_too_many_others_failed_a_node_between_two_steps_still_takes_its_next() {
    for (step, calls) in [(0, false), (1, true)] {
        let (mut run, _) = with_intent(|book| book.steps = ["one", "two"].map(testing::step).to_vec());
        run.shards[0].step = step;
        run.evolve(&Event::BudgetSpent { errors: 9, at: at(4) }).unwrap();
        assert_eq!(run.may_call(0, step, 1), calls, "step {step}");
    }
}
