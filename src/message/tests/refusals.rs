//! Every refusal: what, why, and the door.

use super::make::*;
use super::read;
use crate::domain::{ChatPlatform, Unread};
use crate::message::door::*;
use crate::message::refusal::*;
use crate::plan::Coverage;
use crate::run::Phase;

#[test]
fn every_refusal_says_what_why_and_what_to_do_instead() {
    let name = |n: &str| n.parse().unwrap();
    let runbook = runbook();
    let narrowed =
        Coverage { narrowed: 3, narrowed_by: [("platform windows".to_owned(), 3)].into(), ..Coverage::default() };
    let accounts = [("111111111111", "acme-prod"), ("333333333333", "globex-prod")]
        .map(|(id, name)| (id.parse().unwrap(), name.to_owned()))
        .into();
    let dead =
        |account: &str, cause: &str| Unread { account: account.parse().unwrap(), region: None, cause: cause.into() };
    let renew = "AWS no longer accepts the credentials that Muster runs with: renew them on this host";
    let unread =
        Coverage { unread: vec![dead("111111111111", renew), dead("333333333333", renew)], ..Coverage::default() };
    let refused = "cannot enter globex-prod (333333333333): the role refuses Muster; check its External ID";
    let partly = Coverage { unread: vec![dead("333333333333", refused)], ..Coverage::default() };
    let waiting = run(plan(2), needs(1), Phase::AwaitingApproval);
    let decided = approved(run(plan(2), needs(1), Phase::Running));
    let cards = [
        denied(&name("restart-service"), Some(12), &forbid(), None, &view()),
        unknown_runbook("restart-servce", &[name("restart-service"), name("disk-usage")], &view()),
        unknown_runbook("zzz", &[name("disk-usage")], &view()),
        argument_faults(
            &runbook,
            &["unknown parameter `servce`: did you mean `service`?".into(), "`service` is required".into()],
            &view(),
        ),
        not_understood("`frobnicate` is not a command", &view()),
        no_selector(&runbook, &view()),
        nothing_matched("env=prodd", &narrowed, &accounts, &view()),
        nothing_matched("env=prod", &unread, &accounts, &view()),
        nothing_matched("tag:service=mainframe", &partly, &accounts, &view()),
        too_many_targets(
            &name("restart-service"),
            201,
            200,
            &[("acme-prod".into(), 120), ("globex-prod".into(), 81)],
            &view(),
        ),
        foreign_click(),
        cannot_approve("you proposed this run, so someone else has to approve it", &waiting, &view()),
        cannot_deny(&["sre".into()]),
        cannot_cancel(&decided, "you neither started it nor may approve it"),
        already_decided(&decided, &view()),
        already_decided(&approved(run(plan(2), needs(1), Phase::AwaitingApproval)), &view()),
        already_decided(&run(plan(2), needs(1), Phase::Expired), &view()),
        already_over(&run(plan(2), needs(1), Phase::Expired), &view()),
        unknown_run("r-ZZZZ", &view()),
        ambiguous_run("3K", &["r-7F3K".into(), "r-AA3K".into()]),
        no_policy(),
        may_not_view(),
        shared_channel(&view()),
        not_in_channel(ChatPlatform::Slack),
        not_in_channel(ChatPlatform::Discord),
        fault("the store did not answer", "r-7F3K"),
    ];
    let told: Vec<String> = cards.iter().map(read).collect();
    insta::assert_snapshot!(told.join("--\n"), @r#"
    You may not run restart-service on 12 nodes

    • 12 targets asked, at most 10 allowed (rule `support-restart`)
    • `service` is `sshd`, allowed are `nginx` and `api` (rule `support-restart`)

    Members of @sre could run it as asked.
    See what you may run: `/runbook list`
    --
    There is no runbook restart-servce

    Did you mean `/runbook run restart-service`?
    All that you may run: `/runbook list`
    --
    There is no runbook zzz

    All that you may run: `/runbook list`
    --
    2 mistakes in the arguments of restart-service: nothing was run

    • unknown parameter `servce`: did you mean `service`?
    • `service` is required

    For example: `/runbook run restart-service service=nginx on env=staging`
    What it takes: `/runbook show restart-service`
    --
    I did not understand that

    `frobnicate` is not a command.

    Examples: `/runbook help`
    --
    Where should restart-service run?

    Nothing runs everywhere by default, so every run says where.

    Add where: `/runbook run restart-service service=nginx on env=staging`
    --
    No node matches, so nothing was run

    Asked: `env=prodd`
    3 nodes matched, but not what the runbook is made for (3 platform windows).

    See what a selector finds: `/runbook targets env=prodd`
    --
    None of the accounts could be read, so nothing was run

    Could not read acme-prod and globex-prod: AWS no longer accepts the credentials that Muster runs with: renew them on this host.
    --
    No node matches, so nothing was run

    Asked: `tag:service=mainframe`
    Cannot enter globex-prod (333333333333): the role refuses Muster; check its External ID.

    See what a selector finds: `/runbook targets tag:service=mainframe`
    --
    201 nodes where 200 are allowed: restart-service was not run

    The selector finds 201 nodes, the runbook allows 200 at once.
    By account: 120 acme-prod and 81 globex-prod.

    Narrow it, for example to `accounts=acme-prod` (120 nodes), or by `regions=…` or `tag:…=…`.
    See what it finds: `/runbook targets …`
    --
    Only people of this organisation can use me, so nothing was changed

    This channel is shared, and your account belongs to another organisation.

    Ask the person who started the run, or anybody else of this organisation.
    --
    Your approval does not count here

    You proposed this run, so someone else has to approve it.

    r-7F3K waits for 1 of @sre.
    --
    You cannot deny this request

    Only a member of @sre, or the person who asked, can end it.
    --
    You cannot cancel this run

    You neither started it nor may approve it.

    Ask slack:T0MUSTER:U0SUSAN, who started it.
    --
    It was already approved

    slack:T0MUSTER:U0ARNE approved it at 2026-11-22 14:03 UTC.

    How it stands: `/runbook status r-7F3K`
    --
    It was already approved

    slack:T0MUSTER:U0ARNE approved it at 2026-11-22 14:03 UTC. It starts now.

    How it stands: `/runbook status r-7F3K`
    --
    It has expired

    Nobody decided in time; it waited for 1 of @sre. Run again asks once more.

    How it stands: `/runbook status r-7F3K`
    --
    r-7F3K is already over

    Nobody decided in time; it waited for 1 of @sre. Run again asks once more.

    How it stands: `/runbook status r-7F3K`
    --
    There is no run r-ZZZZ

    The latest runs: `/runbook status`
    --
    3K is more than one run

    It could be r-7F3K and r-AA3K.

    Type a few characters more.
    --
    No valid runbooks and policy are loaded, so nothing may run

    There is no "authorisation off": without them every run is denied.

    Ask the operators of this bot to run `muster check`; it lists every fault in the files.
    --
    You may not read this

    The policy's view permission does not cover you here.

    Ask the person who started the run, or an owner of the policy.
    --
    Not in a channel that is shared with another organisation

    The outputs of machines would be visible outside.

    Type it in an internal channel, or ask for a view permission for this one. `/runbook list` works everywhere.
    --
    I am not in this channel, so nothing was run

    The result of a run stands where it was asked for, and I cannot write here.

    Type `/invite @muster` in this channel, then ask again.
    --
    I am not in this channel, so nothing was run

    The result of a run stands where it was asked for, and I cannot write here.

    Let me in: in this channel's settings under Permissions add me with View Channel, Send Messages, Create Public Threads and Send Messages in Threads, then ask again.
    --
    Something went wrong on my side

    The store did not answer.

    Try again in a minute. If it stays, give `r-7F3K` to the operators of this bot.
    "#);
}

#[test]
fn a_refusal_is_a_door_to_the_part_that_is_allowed_and_to_those_who_could() {
    let door = Door { request: run(plan(2), needs(1), Phase::AwaitingApproval).id, part: 9 };
    let name = "restart-service".parse().unwrap();
    let by = "slack:T1:U1".parse().unwrap();
    let asked_for = Asked {
        by: &by,
        runbook: &name,
        command: "run restart-service service=nginx on env=prod",
        targets: 12,
        reason: Some("ticket 4711"),
        could: &["sre".into()],
    };
    let other = "slack:T1:U2".parse().unwrap();
    let none = Door { part: 0, ..door };
    let cards = [
        denied(&name, Some(12), &forbid(), Some(door), &view()),
        denied(&name, Some(12), &forbid(), Some(none), &view()),
        asked_others(&asked_for, none, &view()),
        taken(&asked_for, &other, none, &view()),
        asked(&["sre".into(), "dba".into()]),
        gone(&view()),
        already_taken(&other),
    ];
    let told: Vec<String> = cards.iter().map(read).collect();
    insta::assert_snapshot!(told.join("--\n"), @"
    You may not run restart-service on 12 nodes, but on 9 of them

    • 12 targets asked, at most 10 allowed (rule `support-restart`)
    • `service` is `sshd`, allowed are `nginx` and `api` (rule `support-restart`)

    Members of @sre could run it as asked.
    See what you may run: `/runbook list`

    [Run on the 9] [Ask @sre]
    --
    You may not run restart-service on 12 nodes

    • 12 targets asked, at most 10 allowed (rule `support-restart`)
    • `service` is `sshd`, allowed are `nginx` and `api` (rule `support-restart`)

    Members of @sre could run it as asked.
    See what you may run: `/runbook list`

    [Ask @sre]
    --
    Who runs restart-service on 12 nodes?

    slack:T1:U1 may not run this, and asks @sre to.

    Command: `/runbook run restart-service service=nginx on env=prod`
    Why:     ticket 4711

    (It runs with the rights of whoever clicks: planned and decided afresh.)

    [Run it]
    --
    Who runs restart-service on 12 nodes?

    slack:T1:U2 runs it.

    slack:T1:U1 may not run this, and asks @sre to.

    Command: `/runbook run restart-service service=nginx on env=prod`
    Why:     ticket 4711

    (It runs with the rights of whoever clicks: planned and decided afresh.)
    --
    I asked @sre or @dba in the channel

    One of them can run it by a click, with their own rights.
    --
    This offer is no longer there

    It stands for half an hour, and not across a restart of mine.

    Type the command again: `/runbook run …`
    --
    It is run already

    slack:T1:U2 was faster. Nothing was run twice.
    ");
}
