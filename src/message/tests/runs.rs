//! The living card, results and the closing reply, phase by phase.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::make::*;
use super::read;
use crate::domain::{NotStarted, Outcome};
use crate::message::{closing, output_file, results, root, summary_input};
use crate::run::{Hold, HoldCause, HoldEnd, Phase, Run, SendState, TargetState};
use crate::summary::summarise;

const NO_SPACE: &str = "Job for nginx.service failed\n----------ERROR-------\nnginx: [emerg] write() failed (28: No space left on device)\nfailed to run commands: exit status 1\n";

/// Twelve nodes: two fail alike, one other is in a wrong state, one is offline, one does not answer.
fn mixed() -> (Run, BTreeMap<crate::domain::Digest, std::sync::Arc<str>>) {
    let mut run = approved(run(plan(12), needs(1), Phase::Running));
    for name in ["web-1", "web-4"] {
        end(&mut run, name, Outcome::Failed, Some(1), NO_SPACE);
    }
    end(&mut run, "web-2", Outcome::Failed, Some(3), "failed\n");
    let i = run.proposal.plan.targets.iter().position(|t| t.name == "web-2").unwrap();
    run.targets[i].reports[0].1.unmet = vec![("state".into(), "active".into(), Some("failed".into()))];
    end(&mut run, "web-3", Outcome::NotStarted(NotStarted::Offline), None, "");
    end(&mut run, "web-5", Outcome::Undeliverable, None, "");
    rest_succeeds(&mut run, "active\n");
    (run, outputs(&[NO_SPACE, "failed\n", "active\n"]))
}

#[test]
fn a_waiting_run_says_whom_it_waits_for_and_until_when() {
    insta::assert_snapshot!(read(&root(&run(plan(12), needs(1), Phase::AwaitingApproval), None, &view())), @r"
    restart-service on 12 nodes: waiting for 1 of @sre

    Waiting for 1 of @sre, expires 2026-11-22 14:30 UTC. The request stands in this thread.

    What:      Restart a systemd service (`restart-service`, risk change, owned by platform)
    Arguments: `service=nginx`
    On:        `env=prod tag:role=web`: 12 nodes in 3 accounts and 2 regions
    Asked by:  slack:T0MUSTER:U0SUSAN
    Why:       502s since the last deploy

    (r-7F3K · plan `64879f7d6b96`)

    [Cancel]
    ");
}

#[test]
fn a_running_run_says_how_far_it_is_and_what_is_unsure() {
    let mut run = approved(run(plan(12), needs(1), Phase::Running));
    run.wave = 1;
    end(&mut run, "web-1", Outcome::Succeeded, Some(0), "active\n");
    end(&mut run, "web-2", Outcome::Failed, Some(1), NO_SPACE);
    let targets = run.proposal.plan.shards[2].targets.clone();
    run.shards[2].state =
        SendState::Unsure { token: "t".into(), targets, signed_at: at("14:04"), cause: "no answer within 20 s".into() };
    insta::assert_snapshot!(read(&root(&run, None, &view())), @r"
    restart-service: 2 of 12 nodes done, 1 of them failed, wave 2 of 2

    1 succeeded · 1 failed or not reached · 2 running · 8 waiting
    1 shard unsure, verifying with AWS, at most 5 min 30 s. Nothing is sent twice.

    What:        Restart a systemd service (`restart-service`, risk change, owned by platform)
    Arguments:   `service=nginx`
    On:          `env=prod tag:role=web`: 12 nodes in 3 accounts and 2 regions
    Asked by:    slack:T0MUSTER:U0SUSAN
    Why:         502s since the last deploy
    Approved by: slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC

    (r-7F3K · plan `64879f7d6b96` · started 2026-11-22 14:03 UTC)

    [Cancel]
    ");
}

#[test]
fn a_run_that_is_being_stopped_says_what_may_still_run() {
    let mut run = approved(run(plan(12), needs(1), Phase::Running));
    run.cancelled_by = Some(arne());
    run.stopping = Some(NotStarted::Cancelled);
    let targets = run.proposal.plan.shards[1].targets.clone();
    run.shards[1].state = SendState::Sent {
        command: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        token: "t".into(),
        targets,
        signed_at: at("14:04"),
        at: at("14:04"),
    };
    insta::assert_snapshot!(read(&root(&run, None, &view())), @"
    restart-service: cancelled, stopping; 0 of 12 nodes done, wave 1 of 2

    0 succeeded · 1 running · 11 will not start
    Cancelled by slack:T0MUSTER:U0ARNE. No new sends are made; AWS was told to stop, and what was already sent may still run on 1 node: web-7.

    What:        Restart a systemd service (`restart-service`, risk change, owned by platform)
    Arguments:   `service=nginx`
    On:          `env=prod tag:role=web`: 12 nodes in 3 accounts and 2 regions
    Asked by:    slack:T0MUSTER:U0SUSAN
    Why:         502s since the last deploy
    Approved by: slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC

    (r-7F3K · plan `64879f7d6b96` · started 2026-11-22 14:03 UTC)
    ");
}

#[test]
fn a_run_that_never_started_says_by_whom_and_why() {
    let mut told = String::new();
    for (phase, by, why) in [
        (Phase::Denied, Some(arne()), "wait for the freeze to end"),
        (Phase::Expired, None, ""),
        (Phase::Cancelled, Some(susan()), ""),
        (Phase::Withdrawn, None, "`support` may no longer run it"),
    ] {
        let mut run = run(plan(12), needs(1), phase);
        run.ended_by = Some((by, why.to_owned()));
        let summary = summarise(&summary_input(&run, BTreeMap::new()));
        told += &read(&closing(&run, &summary, &view()));
        told += "--\n";
    }
    insta::assert_snapshot!(told, @"
    restart-service on 12 nodes: denied, nothing was run

    slack:T0MUSTER:U0SUSAN: Denied by slack:T0MUSTER:U0ARNE: wait for the freeze to end

    [Run again]
    --
    restart-service on 12 nodes: expired, nobody approved it in time

    slack:T0MUSTER:U0SUSAN: Nobody decided in time; it waited for 1 of @sre. Run again asks once more.

    [Run again]
    --
    restart-service on 12 nodes: cancelled, nothing was run

    slack:T0MUSTER:U0SUSAN: Cancelled by slack:T0MUSTER:U0SUSAN.

    [Run again]
    --
    restart-service on 12 nodes: withdrawn, nothing was run

    slack:T0MUSTER:U0SUSAN: Withdrawn: `support` may no longer run it

    [Run again]
    --
    ");
}

#[test]
fn a_mixed_end_names_the_largest_cause_and_its_counts_add_up() {
    let (mut run, outputs) = mixed();
    finish(&mut run);
    let summary = summarise(&summary_input(&run, outputs.clone()));
    let lookup = |key: &crate::domain::Digest| outputs.get(key).cloned();
    let root = read(&root(&run, Some(&summary), &view()));
    let results = read(&results(&run, &summary, &lookup, &view()));
    let closing = read(&closing(&run, &summary, &view()));
    insta::assert_snapshot!(format!("{root}\n=====\n{results}\n=====\n{closing}"), @"
    restart-service: 7 of 12 nodes succeeded, 3 failed, 1 undeliverable, 1 not started: 2 × nginx: [emerg] write() failed (28: No space left on devi…

    The results stand in this thread.

    What:        Restart a systemd service (`restart-service`, risk change, owned by platform)
    Arguments:   `service=nginx`
    On:          `env=prod tag:role=web`: 12 nodes in 3 accounts and 2 regions
    Asked by:    slack:T0MUSTER:U0SUSAN
    Why:         502s since the last deploy
    Approved by: slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC
    Took:        2 min 41 s

    (r-7F3K · plan `64879f7d6b96` · started 2026-11-22 14:03 UTC)

    [Run again]

    =====
    restart-service: 7 of 12 nodes succeeded, 3 failed, 1 undeliverable, 1 not started: 2 × nginx: [emerg] write() failed (28: No space left on devi…

    1. 2 failed: `nginx: [emerg] write() failed (28: No space left on device)` (exit code 1)
    web-1, web-4 in acme-prod
    First in wave 1 of 2, on its only node

        Job for nginx.service failed
        ----------ERROR-------
        nginx: [emerg] write() failed (28: No space left on device)
        failed to run commands: exit status 1

    2. 1 failed: `state` is `failed`, expected `active` (exit code 3)
    web-2 in acme-staging

        failed

    3. 1 undeliverable: not delivered: the agent did not answer within 1 min
    web-5 in acme-staging

    4. 1 not started: offline
    web-3 in globex-prod

    5. 7 succeeded: `active`, same output on each
    web-[6-9], web-[10-12]

    (r-7F3K · took 2 min 41 s)

    [1: 2 failed] [2: 1 failed] [3: 1 undeliverable] [4: 1 not started] [5: 7 succeeded] [CSV and JSON]

    =====
    restart-service: 7 of 12 nodes succeeded, 3 failed, 1 undeliverable, 1 not started: 2 × nginx: [emerg] write() failed (28: No space left on devi…

    slack:T0MUSTER:U0SUSAN: it is over after 2 min 41 s.
    The causes stand above, the largest first. 1 node was offline and skipped: run it again when it is back.

    [Retry the 4 failed] [Run the 1 not started] [Run again]
    ");
    assert_eq!(output_file(&run, &summary, &lookup, &view()), None);
}

#[test]
fn a_good_end_is_short() {
    let mut run = run(plan(3), permit(), Phase::Running);
    run.started = Some(at("14:05"));
    rest_succeeds(&mut run, "active\n");
    finish(&mut run);
    let outputs = outputs(&["active\n"]);
    let summary = summarise(&summary_input(&run, outputs.clone()));
    let results = read(&results(&run, &summary, &|key| outputs.get(key).cloned(), &view()));
    insta::assert_snapshot!(format!("{results}=====\n{}", read(&closing(&run, &summary, &view()))), @"
    restart-service: all 3 nodes succeeded, same output on each

    3 succeeded: `active`, same output on each

    (r-7F3K · took 41 s)

    [The 3 nodes] [CSV and JSON]
    =====
    restart-service: all 3 nodes succeeded, same output on each

    slack:T0MUSTER:U0SUSAN: done in 41 s.
    ");
}

#[test]
fn long_outputs_stand_in_a_file_equal_ones_once_each_with_its_nodes() {
    let mut run = approved(run(plan(4), permit(), Phase::Running));
    let long: String = (1..=40).map(|n| format!("directory {n}: {n} MB\n")).collect();
    end(&mut run, "web-2", Outcome::Succeeded, Some(0), "small\n");
    rest_succeeds(&mut run, &long);
    finish(&mut run);
    let outputs = outputs(&[&long, "small\n"]);
    let summary = summarise(&summary_input(&run, outputs.clone()));
    let lookup = |key: &crate::domain::Digest| outputs.get(key).cloned();
    let card = read(&results(&run, &summary, &lookup, &view()));
    let file = output_file(&run, &summary, &lookup, &view()).unwrap();
    assert_eq!(file.name, "r-7f3k-restart-service.txt");
    assert_eq!(file.content.matches("directory 40: 40 MB").count(), 1);
    let heads: Vec<&str> = file.content.lines().filter(|l| l.starts_with("=====")).collect();
    insta::assert_snapshot!(format!("{card}\n{}\n{}", file.title, heads.join("\n")), @"
    restart-service: all 4 nodes succeeded, 1 differs: small

    1. 3 succeeded: `directory 1: 1 MB`, same output on each
    web-1, web-4, web-3

        directory 1: 1 MB
        directory 2: 2 MB
        directory 3: 3 MB
        directory 4: 4 MB
        directory 5: 5 MB
        directory 6: 6 MB
        directory 7: 7 MB
        directory 8: 8 MB
        directory 9: 9 MB
        directory 10: 10 MB
        directory 11: 11 MB
        directory 12: 12 MB
        directory 13: 13 MB
        directory 14: 14 MB
        directory 15: 15 MB
        directory 16: 16 MB
        directory 17: 17 MB
        directory 18: 18 MB
        directory 19: 19 MB
        directory 20: 20 MB
        directory 21: 21 MB
        directory 22: 22 MB
        directory 23: 23 MB
        directory 24: 24 MB
        … 16 more lines in the file

    2. 1 succeeded: `small`
    web-2 in acme-staging

    (r-7F3K · took 2 min 41 s)

    [1: 3 succeeded] [2: 1 succeeded] [CSV and JSON]

    Outputs of restart-service r-7F3K
    ===== 3 nodes succeeded: web-1 (acme-prod, eu-west-1), web-4 (acme-prod, us-east-1), web-3 (globex-prod, eu-west-1) =====
    ===== 1 node succeeded: web-2 (acme-staging, eu-west-1) =====
    ");
}

#[test]
fn outputs_of_several_steps_are_compared_and_shown_as_one() {
    let mut plan = plan(4);
    let second = crate::runbook::Step { name: "directories".into(), ..plan.steps[0].clone() };
    plan.steps.push(second);
    let mut run = run(plan, permit(), Phase::Running);
    rest_succeeds(&mut run, "31% used\n");
    for (i, target) in run.targets.iter_mut().enumerate() {
        let mut more = target.reports[0].1.clone();
        more.output = Some(crate::domain::Digest::of(if i == 3 { b"/srv\n" } else { b"/var\n" }));
        target.reports.push((1, more));
    }
    finish(&mut run);
    let outputs = outputs(&["31% used\n", "/var\n", "/srv\n"]);
    assert_eq!(crate::message::rows::output_keys(&run).len(), 3);
    let summary = summarise(&summary_input(&run, outputs.clone()));
    insta::assert_snapshot!(read(&results(&run, &summary, &|key| outputs.get(key).cloned(), &view())), @"
    restart-service: all 4 nodes succeeded, 1 differs: /srv

    1. 3 succeeded: `/var`, same output on each
    web-1, web-4, web-2

        == restart ==
        31% used
        == directories ==
        /var

    2. 1 succeeded: `/srv`
    web-3 in globex-prod

        == restart ==
        31% used
        == directories ==
        /srv

    (r-7F3K)

    [1: 3 succeeded] [2: 1 succeeded] [CSV and JSON]
    ");
}

#[test]
fn extracted_numbers_are_told_with_their_spread_and_their_top() {
    let mut run = run(plan(12), permit(), Phase::Running);
    rest_succeeds(&mut run, "ok\n");
    for (i, target) in run.targets.iter_mut().enumerate() {
        target.reports[0].1.extracted =
            [("use".to_owned(), format!("{}%", 30 + i * 5)), ("state".to_owned(), "active".to_owned())].into();
    }
    finish(&mut run);
    let outputs = outputs(&["ok\n"]);
    let summary = summarise(&summary_input(&run, outputs.clone()));
    insta::assert_snapshot!(read(&results(&run, &summary, &|key| outputs.get(key).cloned(), &view())), @"
    restart-service: all 12 nodes succeeded, same output on each

    12 succeeded: `ok`, same output on each

    state: active on 12
    use: median 55%, 95 % of the 12 at most 85%, from 30% to 85%
    highest: web-12 85%, web-6 80%, web-9 75%, web-3 70%, web-11 65%

        use: nodes by value
        30–40% |██████████████████████████████ 2
        40–50% |██████████████████████████████ 2
        50–60% |██████████████████████████████ 2
        60–70% |██████████████████████████████ 2
        70–80% |██████████████████████████████ 2
        80–90% |██████████████████████████████ 2

    (r-7F3K)

    [The 12 nodes] [CSV and JSON]
    ");
}

#[test]
fn what_is_found_in_the_outputs_is_told_as_such_with_the_nodes_that_stand_apart() {
    let mut plain = plan(12);
    plain.steps.iter_mut().for_each(|step| step.extract.clear());
    let mut run = run(plain, permit(), Phase::Running);
    rest_succeeds(&mut run, "ok\n");
    let text = |i: usize| format!("MemTotal:  8008 kB\nMemFree:  {} kB\n", if i == 4 { 96 } else { 6000 + i });
    let texts: Vec<String> = (0..12).map(text).collect();
    for (target, text) in run.targets.iter_mut().zip(&texts) {
        target.reports[0].1.output = Some(crate::domain::Digest::of(text.as_bytes()));
    }
    finish(&mut run);
    let outputs = outputs(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let summary = summarise(&summary_input(&run, outputs.clone()));
    let card = read(&results(&run, &summary, &|key| outputs.get(key).cloned(), &view()));
    let told = card.split_once("\n\nRead ").map_or("", |(_, told)| told);
    insta::assert_snapshot!(told, @"
    from the outputs, because some nodes differ:
    MemFree: median 6005kB, 95 % of the 12 at most 6011kB, from 96kB to 6011kB
    lowest: web-2 96kB, web-1 6000kB, web-7 6001kB, web-4 6002kB, web-10 6003kB

    (r-7F3K)

    [The 12 nodes] [CSV and JSON]
    ");
}

#[test]
fn a_run_that_stopped_itself_says_so() {
    let mut run = approved(run(plan(12), needs(1), Phase::Running));
    run.budget_spent = true;
    end(&mut run, "web-1", Outcome::Failed, Some(1), NO_SPACE);
    for n in 2..=12 {
        end(&mut run, &format!("web-{n}"), Outcome::NotStarted(NotStarted::ErrorBudget), None, "");
    }
    finish(&mut run);
    let summary = summarise(&summary_input(&run, outputs(&[NO_SPACE])));
    insta::assert_snapshot!(read(&closing(&run, &summary, &view())), @"
    restart-service: 0 of 12 nodes succeeded, 1 failed, 11 not started: 1 × nginx: [emerg] write() failed (28: No space left on device)

    slack:T0MUSTER:U0SUSAN: it is over after 2 min 41 s.
    The causes stand above, the largest first. 11 nodes were not started because too many others failed.

    [Retry the 1 failed] [Run the 11 not started] [Run again]
    ");
}

#[test]
fn a_run_that_goes_on_says_when_it_will_be_over_and_one_that_waits_does_not() {
    let mut run = approved(run(plan(48), needs(1), Phase::Running));
    for n in 1..=12 {
        end(&mut run, &format!("web-{n}"), Outcome::Succeeded, Some(0), "done: OK\n");
    }
    let told = |run: &Run| {
        let text = read(&root(run, None, &view()));
        text.lines().find(|line| line.contains("over by")).map(str::to_owned)
    };
    assert_eq!(told(&run), None, "nothing was reported yet");
    run.reported = Some(at("14:05"));
    assert_eq!(told(&run).as_deref(), Some("At this pace it is over by about 2026-11-22 14:11 UTC."));
    let hold = Hold {
        number: 1,
        cause: HoldCause::Wave { wave: 1, errors: 0 },
        since: at("14:03"),
        until: at("15:03"),
        revision: 1,
        votes: Vec::new(),
        ended: None,
    };
    run.holds.push(hold);
    assert_eq!(told(&run), None, "it waits for somebody");
    run.holds[0].ended = Some((HoldEnd::Continued, Some(arne()), at("14:04")));
    assert_eq!(
        told(&run).as_deref(),
        Some("At this pace it is over by about 2026-11-22 14:08 UTC."),
        "without the hold"
    );
    run.holds[0].since = at("14:05");
    run.holds[0].ended = Some((HoldEnd::Continued, Some(arne()), at("14:09")));
    assert_eq!(told(&run).as_deref(), Some("At this pace it is over by about 2026-11-22 14:15 UTC."), "from there on");
    let mut back = run.proposal.plan.steps[0].clone();
    back.name = "look again".into();
    Arc::make_mut(&mut run.proposal.plan).steps.push(back);
    // 12 of 96 steps in two minutes, and those 12 nodes have no second one.
    assert_eq!(told(&run).as_deref(), Some("At this pace it is over by about 2026-11-22 14:21 UTC."), "two steps each");
    Arc::make_mut(&mut run.proposal.plan).steps.pop();
    for n in 20..=40 {
        end(&mut run, &format!("web-{n}"), Outcome::NotStarted(NotStarted::Offline), None, "");
    }
    let offline = |target: &&mut TargetState| matches!(target.outcome, Some(Outcome::NotStarted(_)));
    run.targets.iter_mut().filter(offline).for_each(|target| target.reports.clear());
    assert_eq!(told(&run).as_deref(), Some("At this pace it is over by about 2026-11-22 14:11 UTC."), "15 are left");
    run.stopping = Some(NotStarted::Cancelled);
    assert_eq!(told(&run), None, "nothing further is started");
}
