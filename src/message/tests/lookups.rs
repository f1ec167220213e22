//! What people look up.

use super::make::*;
use super::read;
use crate::domain::{Account, AccountSource, Node, NodePlatform, Snapshot, Target, Unread};
use crate::message::{browse, plan};
use crate::run::Phase;

#[test]
fn runbooks_are_listed_and_shown_with_an_example_that_runs() {
    let runbook = runbook();
    let told = format!(
        "{}--\n{}--\n{}",
        read(&browse::list(&[&runbook], &view())),
        read(&browse::list(&[], &view())),
        read(&browse::show(&runbook, &view()))
    );
    insta::assert_snapshot!(told, @r#"
    You may run 1 runbook

    `restart-service` · change · Restart a systemd service

    (More about one: `/runbook show restart-service`)
    --
    There is no runbook that you may run

    The policy allows you no runbook here. Ask an owner of the policy for a grant.
    --
    restart-service: Restart a systemd service

    Restarts one service and shows whether it came back.

    Risk:    change, owned by platform
    Runs on: linux, at most 200 nodes at once, offline nodes are skipped, no other change on a node at once
    Rollout: waves 1, then 10%, then 100%, at most 25% in flight, error budget 2%

    Arguments
    `service`: systemd unit, without .service (text that matches `[a-z][a-z0-9@._-]{0,62}`, required)

    Start it
    `/runbook run restart-service service=nginx on env=staging`

    Step 1 of 1: restart, at most 2 min on each node, must show `state=active`

        systemctl restart -- "$service"
        systemctl is-active -- "$service"

    (Revision `3b9c358f36f0`)
    "#);
}

#[test]
fn who_can_names_groups_and_none_of_their_rules() {
    let share = |group: &str, targets| crate::policy::Share { group: group.into(), targets, reaches: vec![] };
    let asked = crate::domain::Selector::parse("env=staging").unwrap();
    let shown = |shares: &[crate::policy::Share]| read(&plan::who_can(&runbook(), 48, &asked, shares, &view()));
    insta::assert_snapshot!(shown(&[share("sre", 48), share("dba", 48), share("support", 12)]));
    insta::assert_snapshot!(shown(&[]));
}

#[test]
fn help_teaches_by_example() {
    let page = crate::command::help(crate::command::Topic::Overview);
    insta::assert_snapshot!(read(&browse::help(&page, &view())), @r#"
    what you can type

    `/runbook list`
    the runbooks you may run
    `/runbook show RUNBOOK`
    what a runbook does, its parameters and its script
    `/runbook plan RUNBOOK [NAME=VALUE …] on SELECTOR`
    what `run` would do and who must approve; sends nothing
    `/runbook run RUNBOOK [NAME=VALUE …] on SELECTOR [because "REASON"]`
    runs it, after approval where that is asked
    `/runbook why RUNBOOK [[NAME=VALUE …] on SELECTOR]`
    whether you may run it, by which rules, and who else could; sends nothing
    `/runbook who-can RUNBOOK on SELECTOR`
    which groups may run it there; sends nothing
    `/runbook break-glass RUNBOOK [NAME=VALUE …] on SELECTOR because "REASON"`
    runs it against a freeze or without the usual approvals, in an emergency
    `/runbook review RUN because "FINDING"`
    says that you have looked at what broken glass did
    `/runbook approvals`
    what waits for your approval, and which of yours wait
    `/runbook status [RUN]`
    one run, or what is going on
    `/runbook runs [mine] [failed] [RUNBOOK]`
    past runs that you may see, newest first
    `/runbook output RUN [NODE]`
    what the nodes printed
    `/runbook cancel RUN`
    starts nothing further and stops what can be stopped
    `/runbook retry RUN [failed | not-started | retryable]`
    runs a finished run again on the nodes that are left of it
    `/runbook halt [because "REASON"]`
    stops everything: nothing new is sent, no run starts
    `/runbook resume`
    lets everything go on that was halted
    `/runbook accounts`
    the accounts, their labels and regions
    `/runbook targets SELECTOR`
    which nodes a selector picks; sends nothing
    `/runbook help [COMMAND | selector]`
    this, or one command in detail

    For example
    `/runbook list`
    `/runbook run disk-usage on accounts=acme-* env=staging tag:service=web`

    (`help COMMAND` tells more about one of them, `help selector` how to pick machines)

    (Rather pick than type? `/runbook` alone opens a form; so does Run a runbook here in the menu of any message, also in a thread.)
    "#);
}

#[test]
fn runs_are_listed_with_what_was_asked_for() {
    use crate::command::RunFilter;
    let mut done = run(plan(2), permit(), Phase::Running);
    rest_succeeds(&mut done, "active");
    finish(&mut done);
    let runs = [(&done, "r-7F3H".to_owned())];
    let mine = RunFilter { mine: true, failed: true, runbook: Some("disk-usage".parse().unwrap()) };
    let told = [
        browse::runs(&runs, &RunFilter::default(), 25, &view()),
        browse::runs(&runs, &RunFilter { mine: true, ..RunFilter::default() }, 1, &view()),
        browse::runs(&[], &mine, 25, &view()),
    ];
    let told: Vec<String> = told.iter().map(read).collect();
    insta::assert_snapshot!(told.join("--\n"), @"
    1 run, newest first

    `r-7F3H` restart-service: both nodes succeeded, asked by slack:T0MUSTER:U0SUSAN 2026-11-22 14:00 UTC

    (More about one: `/runbook status r-7F3H`)
    --
    1 run of yours, newest first

    `r-7F3H` restart-service: both nodes succeeded, asked by slack:T0MUSTER:U0SUSAN 2026-11-22 14:00 UTC

    (Older ones are left out: narrow it by `mine`, `failed` or a runbook.)

    (More about one: `/runbook status r-7F3H`)
    --
    There is no run of yours with disk-usage that did not succeed everywhere

    All that you may see: `/runbook runs`
    ");
}

#[test]
fn status_says_what_every_run_waits_for_or_came_to() {
    let waiting = run(plan(12), needs(1), Phase::AwaitingApproval);
    let running = approved(run(plan(3), needs(1), Phase::Running));
    let mut done = run(plan(2), permit(), Phase::Running);
    rest_succeeds(&mut done, "active");
    finish(&mut done);
    let runs = [(&waiting, "r-7F3K".to_owned()), (&running, "r-7F3J".to_owned()), (&done, "r-7F3H".to_owned())];
    insta::assert_snapshot!(format!("{}--\n{}", read(&browse::status(&runs, &view())), read(&browse::status(&[], &view()))), @r"
    3 runs, 2 still open

    `r-7F3K` restart-service: waiting for 1 of @sre, asked by slack:T0MUSTER:U0SUSAN 2026-11-22 14:00 UTC
    `r-7F3J` restart-service: running, 0 of 3 nodes done, asked by slack:T0MUSTER:U0SUSAN 2026-11-22 14:00 UTC
    `r-7F3H` restart-service: both nodes succeeded, asked by slack:T0MUSTER:U0SUSAN 2026-11-22 14:00 UTC
    --
    There are no runs yet

    Start one: `/runbook list`
    ");
}

#[test]
fn accounts_and_targets_say_what_could_not_be_read() {
    let account = |id: &str, name: &str, source| Account {
        id: id.parse().unwrap(),
        name: name.into(),
        regions: vec!["eu-west-1".parse().unwrap()],
        labels: if source == AccountSource::Configured {
            [("env".to_owned(), "prod".to_owned())].into()
        } else {
            [].into()
        },
        source,
    };
    let accounts = vec![
        account("111111111111", "acme-prod", AccountSource::Configured),
        account("666666666666", "sandbox", AccountSource::Discovered),
    ];
    let unread = vec![Unread {
        account: "666666666666".parse().unwrap(),
        region: Some("us-east-1".parse().unwrap()),
        cause: "access denied; let the role list nodes".into(),
    }];
    let nodes = [("web-1", true), ("web-2", false)].map(|(name, online)| Node {
        target: Target {
            account: "111111111111".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            node: "i-0a1b2c3d4e5f60718".parse().unwrap(),
        },
        name: name.into(),
        platform: NodePlatform::Linux,
        agent_version: String::new(),
        attributes: std::collections::BTreeMap::new(),
        online,
        tags: [].into(),
    });
    let snapshot =
        Snapshot { accounts: accounts.clone(), nodes: nodes.into(), unread: unread.clone(), ..Snapshot::default() };
    insta::assert_snapshot!(
        format!("{}--\n{}", read(&browse::accounts(&accounts, &unread, &view())), read(&plan::targets("env=prod", &snapshot))),
        @r"
    2 accounts

    acme-prod `111111111111` env=prod · eu-west-1
    sandbox `666666666666` · eu-west-1 · found through Organizations, not labelled, counts as production

    Could not read sandbox, us-east-1: access denied; let the role list nodes

    (Which nodes are there: `/runbook targets accounts=acme-prod`)
    --
    2 nodes match

    On:             `env=prod`
    Managed by SSM: 2 nodes, 1 online, 1 offline

    Could not read sandbox, us-east-1: access denied; let the role list nodes

        web-1 acme-prod eu-west-1 i-0a1b2c3d4e5f60718 linux
        web-2 acme-prod eu-west-1 i-0a1b2c3d4e5f60718 linux offline
    "
    );
}
