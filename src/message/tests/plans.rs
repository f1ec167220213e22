//! Plans and requests for approval.

use super::make::*;
use super::read;
use crate::domain::Unread;
use crate::message::{Verb, ask, deny_form, form, plan_card, planning, text};
use crate::run::Phase;

#[test]
fn planning_says_that_nothing_runs_yet() {
    insta::assert_snapshot!(read(&planning(&"disk-usage".parse().unwrap(), 800, 212)), @r"
    disk-usage: looking at 800 accounts

    212 of 800 read. Nothing runs yet.
    ");
}

#[test]
fn a_plan_shows_targets_gaps_rules_and_the_very_script() {
    let mut plan = plan(5);
    plan.targets[4].offline = true;
    shard(&mut plan);
    let (acme, eu) = ("111111111111".parse().unwrap(), "eu-west-1".parse().unwrap());
    plan.coverage.unmanaged =
        (7..10).map(|n| (std::clone::Clone::clone(&acme), std::clone::Clone::clone(&eu), format!("old-{n}"))).collect();
    plan.coverage.narrowed = 2;
    plan.coverage.narrowed_by = [("platform windows".to_owned(), 2)].into();
    plan.coverage.unread = vec![Unread {
        account: "222222222222".parse().unwrap(),
        region: None,
        cause: "cannot assume `muster-runner`: access denied; check the External ID".into(),
    }];
    insta::assert_snapshot!(read(&plan_card(&plan, &crate::domain::Digest::of(b"plan"), &needs(1))), @r#"
    Plan: restart-service on 5 nodes needs approval

    Restart a systemd service (`restart-service`, risk change, owned by platform)

    Arguments:    `service=nginx`
    On:           `env=prod tag:role=web`
    Targets:      5 nodes in 3 accounts and 2 regions
    Customers:    4 acme and 1 globex
    Environments: 3 prod and 2 staging
    Accounts:     2 acme-prod, 2 acme-staging and 1 globex-prod
    Regions:      3 eu-west-1 and 2 us-east-1
    Rollout:      1 + 4 in 2 waves, at most 3 at once, nothing further starts after more than 1 failure, ends after 1 d at the latest
    Delivery:     inline scripts (AWS-RunShellScript)

    Needs approval by 1 of @sre. A request waits 30 min.
    • 8 of 12 targets are in `production` (rule `prod-needs-one`)

    Not reached
    1 node is offline and skipped: web-3
    3 running instances match but are not managed by SSM: old-7 (acme-prod, eu-west-1), old-8 (acme-prod, eu-west-1) and old-9 (acme-prod, eu-west-1)
    2 nodes are left out by the runbook itself: 2 platform windows
    Could not read acme-staging: cannot assume `muster-runner`: access denied; check the External ID

    Step 1 of 1: restart, at most 2 min on each node, must show `state=active`

        systemctl restart -- "$service"
        systemctl is-active -- "$service"

    Exactly these targets

        wave 1  web-1 acme-prod    eu-west-1 i-00000000000000000
        wave 2  web-4 acme-prod    us-east-1 i-00000000000000003
        wave 2  web-2 acme-staging eu-west-1 i-00000000000000001
        wave 2  web-5 acme-staging us-east-1 i-00000000000000004
        wave 2  web-3 globex-prod  eu-west-1 i-00000000000000002 offline

    Nothing was sent. To run it, type the same with `run`.

    (Plan `64879f7d6b96`, runbook revision `3b9c358f36f0`. An approval is for exactly this plan.)
    "#);
}

#[test]
fn a_plan_that_may_not_run_says_every_reason() {
    let card = plan_card(&plan(1), &crate::domain::Digest::of(b"plan"), &forbid());
    assert_eq!(card.title, "Plan: restart-service on 1 node is not allowed");
    insta::assert_snapshot!(text::of(match &card.blocks[2] { crate::message::Block::Text(t) => t, _ => panic!() }), @r"
    Not allowed.
    • 12 targets asked, at most 10 allowed (rule `support-restart`)
    • `service` is `sshd`, allowed are `nginx` and `api` (rule `support-restart`)
    Members of @sre could run it as asked.
    ");
}

#[test]
fn a_request_for_approval_holds_all_that_one_has_to_answer_for() {
    let card = ask(&run(plan(12), needs(1), Phase::AwaitingApproval), &view());
    assert_eq!(card.buttons.iter().map(|b| b.verb).collect::<Vec<_>>(), [Verb::Approve, Verb::Narrow, Verb::Deny]);
    insta::assert_snapshot!(read(&card), @r#"
    Approve restart-service on 12 nodes? Risk: change

    Waiting for 1 of @sre, expires 2026-11-22 14:30 UTC. The requester cannot approve it; one Deny ends it.

    Asked by: slack:T0MUSTER:U0SUSAN
    Why:      502s since the last deploy
    What:     Restart a systemd service (`restart-service`, risk change, owned by platform)

    Arguments:    `service=nginx`
    On:           `env=prod tag:role=web`
    Targets:      12 nodes in 3 accounts and 2 regions
    Customers:    8 acme and 4 globex
    Environments: 8 prod and 4 staging
    Accounts:     4 acme-prod, 4 acme-staging and 4 globex-prod
    Regions:      6 eu-west-1 and 6 us-east-1
    Rollout:      1 + 11 in 2 waves, at most 3 at once, nothing further starts after more than 1 failure, ends after 1 d at the latest
    Delivery:     inline scripts (AWS-RunShellScript)

    Why it needs approval
    • 8 of 12 targets are in `production` (rule `prod-needs-one`)

    Step 1 of 1: restart, at most 2 min on each node, must show `state=active`

        systemctl restart -- "$service"
        systemctl is-active -- "$service"

    Exactly these targets

        wave 1  web-1  acme-prod    eu-west-1 i-00000000000000000
        wave 2  web-7  acme-prod    eu-west-1 i-00000000000000006
        wave 2  web-4  acme-prod    us-east-1 i-00000000000000003
        wave 2  web-10 acme-prod    us-east-1 i-00000000000000009
        wave 2  web-2  acme-staging eu-west-1 i-00000000000000001
        wave 2  web-8  acme-staging eu-west-1 i-00000000000000007
        wave 2  web-5  acme-staging us-east-1 i-00000000000000004
        wave 2  web-11 acme-staging us-east-1 i-0000000000000000a
        wave 2  web-3  globex-prod  eu-west-1 i-00000000000000002
        wave 2  web-9  globex-prod  eu-west-1 i-00000000000000008
        wave 2  web-6  globex-prod  us-east-1 i-00000000000000005
        wave 2  web-12 globex-prod  us-east-1 i-0000000000000000b

    (Plan `64879f7d6b96`, runbook revision `3b9c358f36f0`. An approval is for exactly this plan.)

    [Approve] [Approve a part] [Deny]
    "#);
}

#[test]
fn a_decided_request_has_no_buttons_and_says_who_decided() {
    let first = |run: &crate::run::Run| {
        let card = ask(run, &view());
        let crate::message::Block::Text(spans) = &card.blocks[0] else { panic!() };
        let buttons: Vec<&str> = card.buttons.iter().map(|b| b.label.as_str()).collect();
        format!("{}\n{}\n{buttons:?}\n", card.title, text::of(spans))
    };
    let mut told = first(&approved(run(plan(2), needs(1), Phase::Running)));
    let mut half = approved(run(plan(2), needs(2), Phase::AwaitingApproval));
    half.started = None;
    told += &first(&half);
    for (phase, why) in [
        (Phase::Denied, "not before the `freeze` ends"),
        (Phase::Cancelled, ""),
        (Phase::Withdrawn, "`support` may no longer run `restart-service`"),
        (Phase::Expired, ""),
    ] {
        let mut run = run(plan(2), needs(1), phase);
        run.ended_by = Some(((phase != Phase::Withdrawn && phase != Phase::Expired).then(arne), why.to_owned()));
        told += &first(&run);
    }
    insta::assert_snapshot!(told, @r#"
    Approved: restart-service on 2 nodes
    Approved by slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC (1 of 1)
    []
    Approve restart-service on 2 nodes? Risk: change
    Approved by slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC (1 of 2)
    Waiting for 1 of @sre, expires 2026-11-22 14:30 UTC. The requester cannot approve it; one Deny ends it.
    ["Approve", "Approve a part", "Deny"]
    Denied: restart-service on 2 nodes
    Denied by slack:T0MUSTER:U0ARNE: not before the `freeze` ends
    []
    Cancelled: restart-service on 2 nodes
    Cancelled by slack:T0MUSTER:U0ARNE.
    []
    Withdrawn: restart-service on 2 nodes
    Withdrawn: `support` may no longer run `restart-service`
    []
    Expired: restart-service on 2 nodes
    Nobody decided in time; it waited for 1 of @sre. Run again asks once more.
    []
    "#);
}

#[test]
fn a_denial_asks_why_and_an_empty_reason_will_not_do() {
    let form = deny_form(&run(plan(2), needs(1), Phase::AwaitingApproval), &view());
    assert!(form.title.chars().count() <= 24 && form.submit.as_deref() == Some("Deny"));
    assert_eq!(
        text::of(&form.intro),
        "restart-service on 2 nodes, asked by slack:T0MUSTER:U0SUSAN (r-7F3K). Denying ends the request; it can be asked again."
    );
    assert!(form::why_fault("  ").is_some() && form::why_fault(&"x".repeat(501)).is_some());
    assert_eq!(form::why_fault("freeze"), None);
}

#[test]
fn two_hundred_targets_fit_and_the_rest_stands_in_the_file() {
    let card = ask(&run(plan(200), needs(1), Phase::AwaitingApproval), &view());
    let (fitted, whole) = crate::message::fit(card, &crate::message::Limits::default());
    let shown = crate::message::to_text(&fitted);
    assert!(shown.contains("more lines in the file"));
    assert!(whole.unwrap().contains("web-200 "));
}

#[test]
fn why_tells_the_verdict_its_rules_and_who_could() {
    let mut plan = plan(3);
    shard(&mut plan);
    let why = crate::message::plan::why;
    let told = [
        why(&plan, &needs(1), 0),
        why(&plan, &forbid(), 2),
        crate::message::plan::why_at_all(&runbook(), &needs(1), &view()),
    ];
    let told: Vec<String> = told.iter().map(read).collect();
    insta::assert_snapshot!(told.join("--\n"), @"
    Why: restart-service on 3 nodes needs approval

    Needs approval by 1 of @sre. A request waits 30 min.
    • 8 of 12 targets are in `production` (rule `prod-needs-one`)

    Arguments:    `service=nginx`
    On:           `env=prod tag:role=web`
    Targets:      3 nodes in 3 accounts and 1 region
    Customers:    2 acme and 1 globex
    Environments: 2 prod and 1 staging
    Accounts:     1 acme-prod, 1 acme-staging and 1 globex-prod
    Regions:      3 eu-west-1

    (Nothing was sent.)
    --
    Why: restart-service on 3 nodes is not allowed

    Not allowed.
    • 12 targets asked, at most 10 allowed (rule `support-restart`)
    • `service` is `sshd`, allowed are `nginx` and `api` (rule `support-restart`)
    Members of @sre could run it as asked.

    On 2 of them you may.

    Arguments:    `service=nginx`
    On:           `env=prod tag:role=web`
    Targets:      3 nodes in 3 accounts and 1 region
    Customers:    2 acme and 1 globex
    Environments: 2 prod and 1 staging
    Accounts:     1 acme-prod, 1 acme-staging and 1 globex-prod
    Regions:      3 eu-west-1

    (Nothing was sent.)
    --
    You may run restart-service somewhere

    A grant of yours names it. Whether it covers the nodes, the arguments and their number, and who has to approve, depends on the plan.
    • 8 of 12 targets are in `production` (rule `prod-needs-one`)

    (Judge a plan: `/runbook why restart-service service=nginx on env=staging`)
    ");
}
