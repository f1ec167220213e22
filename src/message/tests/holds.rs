//! Holds, gates and the way back as people read them.

use std::collections::BTreeMap;

use super::make::{approved, arne, at, outputs, plan, run, susan, view};
use super::read;
use crate::domain::{Digest, Millis, Outcome, Timestamp};
use crate::message::{hold, results, root, summary_input};
use crate::plan::{Plan, Shard};
use crate::run::{Event, HoldCause, NodeReport, Phase, Run};
use crate::runbook::{Gate, HoldAfter, Step};
use crate::summary::{Summary, summarise};

const NO_SPACE: &str = "nginx: [emerg] write() failed (28: No space left on device)\n";

/// 5 nodes, one of them the canary, with a way back and a gate before the second step.
fn shaped() -> Plan {
    let mut plan = plan(5);
    plan.hold = HoldAfter::Failure;
    let mut back = plan.steps[0].clone();
    back.name = "rollback".into();
    plan.rollback = Some(back);
    let gate =
        Gate { from: "sre".into(), count: 2, expires: Millis::from_secs(1800), ask: "is the canary drained".into() };
    plan.steps.push(Step { name: "switch".into(), gate: Some(gate), ..plan.steps[0].clone() });
    plan
}

fn started(plan: Plan) -> Run {
    let mut run = approved(Run::proposed(run(plan, super::make::needs(1), Phase::AwaitingApproval).proposal));
    run.evolve(&Event::Started { at: at("14:03") }).unwrap();
    run
}

/// Everything of the open wave's present step is sent and ends in this way.
fn play(run: &mut Run, outcome: Outcome, output: &str, clock: &str) {
    let wave = run.wave;
    for shard in 0..run.shards.len() as u32 {
        let targets = run.due_targets(shard);
        if targets.is_empty() || run.proposal.plan.shards[shard as usize].wave != wave {
            continue;
        }
        let step = run.shards[shard as usize].step;
        let at = at(clock);
        let sent = [
            Event::SendIntent { shard, step, send: 1, targets: targets.clone(), token: "t".into(), signed_at: at },
            Event::Sent {
                shard,
                step,
                send: 1,
                command: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
                adopted: false,
                at,
            },
        ];
        sent.iter().for_each(|e| run.evolve(e).unwrap());
        let told = |target: u32| NodeReport {
            outcome,
            exit_code: Some(i32::from(outcome != Outcome::Succeeded)),
            output: Some(Digest::of(output.as_bytes())),
            extracted: BTreeMap::from([("state".to_owned(), "active".to_owned())]),
            ..NodeReport::blank(target)
        };
        let results = targets.into_iter().map(told).collect();
        run.evolve(&Event::Reported { shard, step, results, at }).unwrap();
    }
}

fn held(run: &mut Run, cause: HoldCause, since: Timestamp) {
    let hold = run.holds.len() as u32 + 1;
    let until = since + std::time::Duration::from_secs(3600);
    run.evolve(&Event::Held { hold, cause, until, at: since }).unwrap();
}

fn summary(run: &Run) -> Summary {
    summarise(&summary_input(run, outputs(&[NO_SPACE, "active\n", "drained\n"])))
}

#[test]
fn a_held_canary_says_what_failed_what_waits_and_what_each_answer_does() {
    let mut plan = shaped();
    plan.steps.truncate(1);
    let mut run = started(plan);
    play(&mut run, Outcome::Failed, NO_SPACE, "14:04");
    held(&mut run, HoldCause::Wave { wave: 1, errors: 1 }, at("14:05"));
    let card = hold(&run, 1, &summary(&run), &view());
    insta::assert_snapshot!(format!("{}\n=====\n{}", read(&card), read(&root(&run, None, &view()))), @"
    restart-service is held before wave 2 of 2

    slack:T0MUSTER:U0SUSAN: 1 node failed or was not reached so far. 4 nodes wait; nothing is sent until somebody decides.
    Without a decision by 2026-11-22 15:05 UTC nothing further is started.

    1 failed: `nginx: [emerg] write() failed (28: No space left on device)` (exit code 1)
    web-1 in acme-prod

    state on 1 of 5 nodes: active on 1

    Continue sends wave 2 (4 nodes).
    Stop leaves 4 nodes as they are.
    Roll back runs the rollback on the 1 node that was touched, at most 2 min on each.

    (r-7F3K)

    [Continue] [Stop] [Roll back]

    =====
    restart-service: held before wave 2 of 2; 1 of 5 nodes done, 1 of them failed

    0 succeeded · 1 failed or not reached · 4 waiting
    Held before wave 2 of 2: somebody has to decide, in this thread, by 2026-11-22 15:05 UTC.

    What:        Restart a systemd service (`restart-service`, risk change, owned by platform)
    Arguments:   `service=nginx`
    On:          `env=prod tag:role=web`: 5 nodes in 3 accounts and 2 regions
    Asked by:    slack:T0MUSTER:U0SUSAN
    Why:         502s since the last deploy
    Approved by: slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC

    (r-7F3K · plan `64879f7d6b96` · started 2026-11-22 14:03 UTC)

    [Cancel]
    ");
    run.evolve(&Event::Continued { hold: 1, by: arne(), at: at("14:09") }).unwrap();
    insta::assert_snapshot!(read(&hold(&run, 1, &summary(&run), &view())), @"
    restart-service went on with wave 2 of 2

    Continued by slack:T0MUSTER:U0ARNE 2026-11-22 14:09 UTC.

    (r-7F3K)
    ");
}

#[test]
fn a_wave_whose_nodes_are_all_offline_is_not_said_to_have_gone_well() {
    let mut told = String::new();
    // The waves of which nothing is online, of four.
    for offline in [&[1][..], &[1, 2]] {
        let mut plan = shaped();
        plan.steps.truncate(1);
        plan.hold = HoldAfter::Always;
        plan.waves = 4;
        let rest = plan.targets.iter().zip(0u32..).filter(|(t, _)| t.wave > 0).map(|(_, n)| n).collect::<Vec<u32>>();
        for (target, wave) in rest.iter().zip([1, 2, 3, 3]) {
            let planned = &mut plan.targets[*target as usize];
            (planned.wave, planned.offline) = (wave, offline.contains(&wave));
        }
        let canary = plan.shards.iter().position(|s| s.wave == 0).unwrap();
        let canary = plan.shards[canary].clone();
        let online = rest.iter().filter(|t| !plan.targets[**t as usize].offline);
        let alone = |t: &u32| {
            let planned = &plan.targets[*t as usize];
            let (account, region) = (planned.target.account.clone(), planned.target.region.clone());
            Shard { account, region, wave: planned.wave, targets: vec![*t] }
        };
        plan.shards = [canary].into_iter().chain(online.map(alone)).collect();
        let mut run = started(plan);
        play(&mut run, Outcome::Succeeded, "active\n", "14:04");
        let wave = run.wave;
        held(&mut run, HoldCause::Wave { wave, errors: 0 }, at("14:05"));
        let card = read(&hold(&run, 1, &summary(&run), &view()));
        let said = card.lines().filter(|line| line.contains("wave"));
        said.for_each(|line| told.push_str(&format!("{line}\n")));
        told.push('\n');
    }
    insta::assert_snapshot!(told, @"
    restart-service is held before wave 3 of 4
    slack:T0MUSTER:U0SUSAN: wave 1 went well; wave 2 was passed over, because all its nodes are offline. 3 nodes to go; nothing is sent until somebody decides.
    Continue sends wave 3 (1 node).

    restart-service is held before wave 4 of 4
    slack:T0MUSTER:U0SUSAN: wave 1 went well; waves 2 to 3 were passed over, because all their nodes are offline. 2 nodes to go; nothing is sent until somebody decides.
    Continue sends wave 4 (2 nodes).
    ");
}

#[test]
fn a_gate_asks_its_group_and_counts_the_yeses() {
    let mut run = started(shaped());
    play(&mut run, Outcome::Succeeded, "drained\n", "14:04");
    held(&mut run, HoldCause::Gate { wave: 0, step: 1 }, at("14:05"));
    run.evolve(&Event::GateApproved {
        hold: 1,
        by: arne(),
        stands_for: None,
        groups: vec!["sre".into()],
        at: at("14:06"),
    })
    .unwrap();
    let card = hold(&run, 1, &summary(&run), &view());
    insta::assert_snapshot!(format!("{}\n=====\n{}", read(&card), read(&root(&run, None, &view()))), @"
    restart-service is held before the step switch of wave 1

    1 of @sre decides here, already for it: slack:T0MUSTER:U0ARNE. To look at: is the canary drained
    Without a decision by 2026-11-22 15:05 UTC nothing further is started.

    `restart`: 1 of 1 node went well · `state=active` on 1

    Continue goes on with the step `switch`.
    Stop ends 5 nodes before it.
    Roll back runs the rollback on the 1 node that was touched, at most 2 min on each.

    (r-7F3K)

    [Continue] [Stop] [Roll back]

    =====
    restart-service: held before the step switch of wave 1; 0 of 5 nodes done

    0 succeeded · 5 waiting
    `restart`: 1 of 1 node went well · `state=active` on 1
    Held before the step switch of wave 1: somebody has to decide, in this thread, by 2026-11-22 15:05 UTC.

    What:        Restart a systemd service (`restart-service`, risk change, owned by platform)
    Arguments:   `service=nginx`
    On:          `env=prod tag:role=web`: 5 nodes in 3 accounts and 2 regions
    Asked by:    slack:T0MUSTER:U0SUSAN
    Why:         502s since the last deploy
    Approved by: slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC

    (r-7F3K · plan `64879f7d6b96` · started 2026-11-22 14:03 UTC)

    [Cancel]
    ");
}

#[test]
fn the_way_back_is_offered_taken_and_told_with_what_it_could_not_take_back() {
    let mut plan = shaped();
    plan.steps.truncate(1);
    plan.max_errors = 0;
    let mut run = started(plan);
    play(&mut run, Outcome::Failed, NO_SPACE, "14:04");
    run.evolve(&Event::BudgetSpent { errors: 1, at: at("14:04") }).unwrap();
    held(&mut run, HoldCause::WayBack, at("14:05"));
    let offered = read(&hold(&run, 1, &summary(&run), &view()));
    run.evolve(&Event::RollbackStarted { by: Some(susan()), at: at("14:06") }).unwrap();
    let going = read(&root(&run, None, &view()));
    play(&mut run, Outcome::Failed, NO_SPACE, "14:07");
    run.evolve(&Event::Finished { at: at("14:08") }).unwrap();
    let texts = outputs(&[NO_SPACE]);
    let told = read(&results(&run, &summary(&run), &|key| texts.get(key).cloned(), &view()));
    let closing = read(&crate::message::closing(&run, &summary(&run), &view()));
    insta::assert_snapshot!([offered, going, told, closing].join("\n=====\n"), @"
    restart-service is held before a rollback

    slack:T0MUSTER:U0SUSAN: too many nodes failed, and nothing further is started (0 of 5 nodes succeeded, 1 failed, 4 not started). It touched 1 node.
    Without a decision by 2026-11-22 15:05 UTC it stays as it is.

    1 failed: `nginx: [emerg] write() failed (28: No space left on device)` (exit code 1)
    web-1 in acme-prod

    state on 1 of 5 nodes: active on 1

    Leave as it is ends the run.
    Roll back runs the rollback on the 1 node that was touched, at most 2 min on each.

    (r-7F3K)

    [Leave as it is] [Roll back]

    =====
    restart-service: rolling back, 0 of 1 node done; before it 5 of 5 nodes done, 1 of them failed

    0 succeeded · 1 failed or not reached · 4 not run
    Rolling back: 0 of 1 node taken back · 1 to go; at most 2 min on each.

    What:        Restart a systemd service (`restart-service`, risk change, owned by platform)
    Arguments:   `service=nginx`
    On:          `env=prod tag:role=web`: 5 nodes in 3 accounts and 2 regions
    Asked by:    slack:T0MUSTER:U0SUSAN
    Why:         502s since the last deploy
    Approved by: slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC

    (r-7F3K · plan `64879f7d6b96` · started 2026-11-22 14:03 UTC)

    [Stop rolling back]

    =====
    restart-service: 0 of 5 nodes succeeded, 1 failed, 4 not started: 1 × nginx: [emerg] write() failed (28: No space left…; rolled back 0 of 1 node

    1. 1 failed: `nginx: [emerg] write() failed (28: No space left on device)` (exit code 1)
    web-1 in acme-prod
    First in wave 1 of 2, on its only node

    2. 4 not started: error budget spent
    web-[2-5]

    Rollback: 0 of 1 node taken back, by slack:T0MUSTER:U0SUSAN 2026-11-22 14:06 UTC
    • web-1: failed (exit code 1), `nginx: [emerg] write() failed (28: No space left on device)`

    state on 1 of 5 nodes: active on 1

    (r-7F3K · took 5 min)

    [1: 1 failed] [2: 4 not started] [CSV and JSON]

    =====
    restart-service: 0 of 5 nodes succeeded, 1 failed, 4 not started: 1 × nginx: [emerg] write() failed (28: No space left…; rolled back 0 of 1 node

    slack:T0MUSTER:U0SUSAN: it is over after 5 min.
    The rollback did not succeed on web-1, which stands half way: look there first. The causes stand above, the largest first. 4 nodes were not started because too many others failed.

    [Retry the 1 failed] [Run the 4 not started] [Run again]
    ");
}

#[test]
fn a_hold_that_nobody_decided_says_so_and_has_nothing_to_press() {
    let mut plan = shaped();
    plan.steps.truncate(1);
    let mut run = started(plan);
    play(&mut run, Outcome::Failed, NO_SPACE, "14:04");
    held(&mut run, HoldCause::Wave { wave: 1, errors: 1 }, at("14:05"));
    run.evolve(&Event::Stopped { hold: 1, by: None, at: at("15:05") }).unwrap();
    run.evolve(&Event::Finished { at: at("15:05") }).unwrap();
    let card = hold(&run, 1, &summary(&run), &view());
    assert_eq!(card.buttons, []);
    insta::assert_snapshot!(format!("{}\n=====\n{}", read(&card), read(&root(&run, None, &view()))), @"
    restart-service was stopped before wave 2 of 2: nobody decided

    Nobody decided until 2026-11-22 15:05 UTC: nothing further is started.

    (r-7F3K)

    =====
    restart-service: 0 of 5 nodes succeeded, 1 failed, 4 not started: 1 × exit code 1, no output

    Stopped: it was held, and nobody decided by 2026-11-22 15:05 UTC.
    The results stand in this thread.

    What:        Restart a systemd service (`restart-service`, risk change, owned by platform)
    Arguments:   `service=nginx`
    On:          `env=prod tag:role=web`: 5 nodes in 3 accounts and 2 regions
    Asked by:    slack:T0MUSTER:U0SUSAN
    Why:         502s since the last deploy
    Approved by: slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC
    Took:        1 h 2 min

    (r-7F3K · plan `64879f7d6b96` · started 2026-11-22 14:03 UTC)

    [Run again]
    ");
}
