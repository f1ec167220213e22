//! The shipped policy, as the people of the playground meet it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use muster::domain::{ChatPlatform, Digest, GroupRef, Millis, NodePlatform, Principal, Target};
use muster::plan::{AccountNote, Coverage, Delivery, Plan, PlannedTarget};
use muster::policy::{
    Asker, CannotApprove, CannotHalt, Decision, Moment, PolicySet, Request, Verdict, Vote, Yes, decide, load,
    may_approve, may_halt, may_resume, may_run_at_all, may_show_in_shared, may_view, narrowed, quorum_met, stricter,
    targets_of, waiting_for,
};
use muster::runbook::{HoldAfter, Risk};

const ACCOUNTS: [(&str, &str); 6] = [
    ("111111111111", "acme-prod"),
    ("222222222222", "acme-staging"),
    ("333333333333", "globex-prod"),
    ("444444444444", "globex-staging"),
    ("555555555555", "initech-prod"),
    ("666666666666", "sandbox"),
];

fn shipped() -> PolicySet {
    let (name, text) = muster::shipped::POLICIES[0];
    load(&[(PathBuf::from(name), text.to_owned())], None).unwrap()
}

fn person(user: &str, groups: &[&str]) -> Asker {
    Asker {
        principal: Principal::slack("T0MUSTER", user),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        foreign: false,
        bot: false,
        twins: BTreeSet::new(),
        channel: Some("slack:T0MUSTER:C0OPS".parse().unwrap()),
    }
}
fn susan() -> Asker {
    person("U0SUSAN", &["support"])
}
fn arne() -> Asker {
    person("U0ARNE", &["sre"])
}
fn priya() -> Asker {
    person("U0PRIYA", &["sre"])
}
fn omar() -> Asker {
    person("U0OMAR", &[])
}
fn fred() -> Asker {
    Asker { principal: Principal::slack("T0OTHER", "U0FOREIGN"), foreign: true, ..person("U0FOREIGN", &["sre"]) }
}

/// A plan on so many nodes of each account.
fn plan(runbook: &str, arguments: &[(&str, &str)], nodes: &[(&str, u32)]) -> Plan {
    let risk = match runbook {
        "restart-service" | "reboot" | "patch-baseline" => Risk::Change,
        "free-disk" => Risk::Destructive,
        "drop-database" => Risk::Destructive,
        _ => Risk::Read,
    };
    let mut targets = Vec::new();
    let mut accounts = BTreeMap::new();
    for (name, count) in nodes {
        let (id, _) = ACCOUNTS.iter().find(|a| a.1 == *name).unwrap();
        for n in 0..*count {
            let target = Target {
                account: id.parse().unwrap(),
                region: "eu-west-1".parse().unwrap(),
                node: format!("i-{n:08x}").parse().unwrap(),
            };
            targets.push(PlannedTarget {
                target,
                name: format!("web-{n}"),
                platform: NodePlatform::Linux,
                agent_version: String::new(),
                attributes: BTreeMap::new(),
                tags: [("service".to_owned(), "app".to_owned())].into(),
                offline: false,
                wave: 0,
            });
        }
        accounts.insert(id.parse().unwrap(), AccountNote { name: (*name).into(), labels: BTreeMap::new() });
    }
    Plan {
        version: 1,
        runbook: runbook.parse().unwrap(),
        revision: Digest::of(b"runbook"),
        title: String::new(),
        risk,
        owner: "platform".into(),
        arguments: arguments.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        delivery: Delivery::Inline,
        steps: vec![],
        targets,
        shards: vec![],
        waves: 1,
        max_in_flight: 1,
        max_errors: 0,
        hold: HoldAfter::Never,
        hold_for: Millis::from_secs(3600),
        deadline: Millis::from_secs(86_400),
        rollback: None,
        exclusive: false,
        selector: String::new(),
        accounts,
        coverage: Coverage::default(),
    }
}

fn moment(recent: &BTreeSet<Target>) -> Moment<'_> {
    Moment { recent, now: "2026-11-27T12:00:00Z".parse().unwrap() }
}

fn ask(asker: &Asker, plan: &Plan) -> Decision {
    decide(&shipped(), &Request::of(asker, plan, moment(&BTreeSet::new())))
}

fn told(decision: &Decision) -> String {
    let mut text = format!("{:?}", decision.verdict);
    for seats in &decision.quorum {
        write!(text, ", {} of {} ({})", seats.count, seats.group, seats.rules.join(", ")).unwrap();
    }
    if let Some(expires) = decision.expires {
        write!(text, ", expires in {expires}").unwrap();
    }
    for reason in &decision.reasons {
        write!(text, "\n    {}: {}", reason.rule, reason.text).unwrap();
    }
    if !decision.could.is_empty() {
        write!(text, "\n    could: {}", decision.could.join(", ")).unwrap();
    }
    text
}

#[test]
fn a_freeze_stops_what_it_is_about_while_it_lasts_and_leaves_the_rest() {
    let freeze = r#"version = 1
[[freeze]]
id = "black-friday"
from = "2026-11-27T00:00:00+01:00"
to = "2026-12-01T00:00:00Z"
where = ["production"]
except = { risk = ["read"] }
because = "the shop sells more in these days than in the rest of the month"
"#;
    let (name, text) = muster::shipped::POLICIES[0];
    let files = [(name, text), ("freeze.toml", freeze)].map(|(n, t)| (PathBuf::from(n), t.to_owned()));
    let policy = load(&files, None).unwrap();
    let none = BTreeSet::new();
    let ask = |plan: &Plan, at: &str| {
        let moment = Moment { now: at.parse().unwrap(), ..moment(&none) };
        decide(&policy, &Request::of(&arne(), plan, moment))
    };
    let restart = |nodes: &[(&str, u32)]| plan("restart-service", &[("service", "nginx")], nodes);
    let both = restart(&[("acme-prod", 1), ("acme-staging", 1)]);
    insta::assert_snapshot!(told(&ask(&both, "2026-11-27T12:00:00Z")), @r"
    Forbid
        black-friday: the freeze until 2026-12-01 00:00 UTC: the shop sells more in these days than in the rest of the month
    ");
    // From its first moment on, and no longer in its last.
    for (at, verdict) in [
        ("2026-11-26T22:59:59Z", Verdict::PermitWithApproval),
        ("2026-11-26T23:00:00Z", Verdict::Forbid),
        ("2026-11-30T23:59:59Z", Verdict::Forbid),
        ("2026-12-01T00:00:00Z", Verdict::PermitWithApproval),
    ] {
        assert_eq!(ask(&both, at).verdict, verdict, "{at}");
    }
    // An account that no set knows counts as production, and what only reads is excepted.
    let noon = "2026-11-27T12:00:00Z";
    assert_eq!(ask(&restart(&[("sandbox", 1)]), noon).verdict, Verdict::PermitWithApproval, "no set may hold it");
    assert_eq!(ask(&restart(&[("acme-staging", 1)]), noon).verdict, Verdict::Permit);
    assert_eq!(ask(&plan("disk-usage", &[], &[("acme-prod", 1)]), noon).verdict, Verdict::Permit);
    let moment = Moment { now: noon.parse().unwrap(), ..moment(&none) };
    let part = narrowed(&policy, &Request::of(&arne(), &both, moment));
    assert_eq!(part.len(), 1, "the part that no freeze is about");
}

#[test]
fn every_answer_of_the_shipped_policy_says_what_was_asked_and_what_is_allowed() {
    let restart = |service: &str, nodes: &[(&str, u32)]| plan("restart-service", &[("service", service)], nodes);
    let asked = [
        ("susan looks", susan(), plan("disk-usage", &[], &[("acme-prod", 8), ("acme-staging", 3)])),
        ("susan looks at too much", susan(), plan("disk-usage", &[], &[("acme-prod", 101)])),
        ("susan looks elsewhere", susan(), plan("disk-usage", &[], &[("acme-prod", 2), ("sandbox", 1)])),
        ("susan restarts in staging", susan(), restart("nginx", &[("acme-staging", 5)])),
        ("susan restarts in production", susan(), restart("nginx", &[("acme-staging", 5), ("globex-prod", 2)])),
        ("susan restarts what she may not, too often, in too many places", susan(), {
            restart("sshd", &[("acme-staging", 12), ("sandbox", 9)])
        }),
        ("susan reboots", susan(), plan("reboot", &[], &[("acme-staging", 1)])),
        ("arne restarts in staging", arne(), restart("sshd", &[("acme-staging", 50)])),
        ("arne restarts many in staging", arne(), restart("sshd", &[("acme-staging", 51)])),
        ("arne restarts many everywhere", arne(), restart("sshd", &[("acme-prod", 40), ("sandbox", 20)])),
        ("arne restarts in an account that no set knows", arne(), restart("sshd", &[("sandbox", 1)])),
        ("susan frees a disk", susan(), plan("free-disk", &[], &[("acme-staging", 1)])),
        ("susan scans for patches", susan(), {
            plan("patch-baseline", &[("operation", "Scan"), ("reboot", "NoReboot")], &[("acme-prod", 2)])
        }),
        ("susan installs patches", susan(), {
            plan("patch-baseline", &[("operation", "Install"), ("reboot", "NoReboot")], &[("acme-prod", 2)])
        }),
        ("arne frees a disk, also in staging", arne(), plan("free-disk", &[], &[("acme-staging", 1)])),
        ("arne drops a database", arne(), plan("drop-database", &[], &[("acme-staging", 1)])),
        ("omar looks", omar(), plan("disk-usage", &[], &[("acme-staging", 1)])),
        ("fred looks", fred(), plan("disk-usage", &[], &[("acme-staging", 1)])),
        ("a bot looks", Asker { bot: true, ..arne() }, plan("disk-usage", &[], &[("acme-staging", 1)])),
        ("arne looks at nothing", arne(), plan("disk-usage", &[], &[])),
    ];
    let answers: Vec<String> =
        asked.iter().map(|(what, who, plan)| format!("{what}\n  {}\n", told(&ask(who, plan)))).collect();
    insta::assert_snapshot!("shipped_answers", answers.join("\n"));
}

#[test]
fn ten_small_runs_within_the_hour_count_as_one_large_one() {
    let (policy, arne) = (shipped(), arne());
    let earlier = plan("restart-service", &[], &[("globex-staging", 45)]);
    let recent: BTreeSet<Target> = earlier.targets.iter().map(|t| t.target.clone()).collect();
    let now = plan("restart-service", &[], &[("acme-staging", 6)]);
    let decision = decide(&policy, &Request::of(&arne, &now, moment(&recent)));
    assert_eq!(decision.verdict, Verdict::PermitWithApproval);
    assert_eq!(
        decision.reasons[1].text,
        "its risk is `change`, 51 targets, 45 of them in other runs of the last hour, are more than 50"
    );
    // The same nodes again are not more nodes.
    let again = decide(&policy, &Request::of(&arne, &earlier, moment(&recent)));
    assert_eq!(again.verdict, Verdict::Permit);
}

#[test]
fn the_cheap_check_knows_who_may_not_run_it_anywhere() {
    let policy = shipped();
    let check = |asker: &Asker, runbook: &str| {
        let plan = plan(runbook, &[], &[]);
        told(&may_run_at_all(&policy, asker, (&plan).into()))
    };
    let lines = [
        check(&susan(), "restart-service"),
        check(&susan(), "reboot"),
        check(&arne(), "reboot"),
        check(&arne(), "drop-database"),
        check(&omar(), "reboot"),
    ];
    insta::assert_snapshot!("cheap_check", lines.join("\n"));
}

#[test]
fn groups_come_from_user_groups_and_from_listed_people() {
    let text = "version = 1\n[groups]\nsre = { slack_usergroups = [\"slack:T1:S1\"], users = [\"slack:T1:U9\"] }\n\
                ops = { slack_usergroups = [\"slack:T1:S2\"] }\n";
    let policy = load(&[("a.toml".into(), text.into())], None).unwrap();
    let refs: Vec<String> = policy.group_refs().iter().map(ToString::to_string).collect();
    assert_eq!(refs, ["slack:T1:S1", "slack:T1:S2"]);
    let second: GroupRef = "slack:T1:S2".parse().unwrap();
    let of = |user: &str| policy.groups_of(&Principal::slack("T1", user), |group| *group == second);
    assert_eq!(of("U9"), BTreeSet::from(["ops".to_owned(), "sre".to_owned()]));
    assert_eq!(of("U1"), BTreeSet::from(["ops".to_owned()]));
    // The same user id in another workspace is another person.
    assert!(policy.groups_of(&Principal::slack("T2", "U9"), |_| false).is_empty());
}

#[test]
fn an_approval_is_refused_with_its_reason() {
    let (susan, arne, priya) = (susan(), arne(), priya());
    let one = ask(&susan, &plan("restart-service", &[("service", "app")], &[("acme-prod", 2)]));
    let two = ask(&susan, &plan("restart-service", &[("service", "app")], &[("acme-prod", 2)]));
    let two = Decision { quorum: vec![muster::policy::Seats { count: 2, ..two.quorum[0].clone() }], ..two };
    let groups = vec!["sre".to_owned()];
    let by_arne = Vote { by: &arne.principal, stands_for: None, groups: &groups };
    let by_priya = Vote { by: &priya.principal, stands_for: None, groups: &groups };
    let may = |decision: &Decision, votes: &[Vote<'_>], who: &Asker| {
        may_approve(decision, &susan.principal, votes, who).map_err(|e| e.to_string())
    };

    assert_eq!(may(&one, &[], &arne), Ok(Yes { groups: groups.clone(), stands_for: None }));
    assert!(quorum_met(&one, &susan.principal, &[by_arne]));
    assert!(!quorum_met(&two, &susan.principal, &[by_arne, by_arne]));
    assert!(quorum_met(&two, &susan.principal, &[by_arne, by_priya]));
    assert_eq!(waiting_for(&two.quorum, &susan.principal, &[by_arne])[0].count, 1);

    let both = Asker { groups: BTreeSet::from(["sre".into(), "support".into()]), ..susan.clone() };
    let operator = Asker { principal: Principal::host("ops-1", "root"), ..arne.clone() };
    let elsewhere = Asker { principal: Principal::slack("T0SECOND", "U0ARNE"), ..arne.clone() };
    let refusals = [
        may(&one, &[], &both),
        may(&one, &[], &omar()),
        may(&one, &[], &fred()),
        may(&one, &[], &Asker { bot: true, ..arne.clone() }),
        may(&one, &[], &elsewhere),
        may(&one, &[], &operator),
        may(&one, &[by_arne], &arne),
        may(&one, &[by_arne], &priya),
        may(&ask(&susan, &plan("disk-usage", &[], &[("acme-prod", 2)])), &[], &arne),
        may(&ask(&susan, &plan("reboot", &[], &[("acme-prod", 2)])), &[], &arne),
    ];
    let refusals: Vec<String> = refusals.into_iter().map(Result::unwrap_err).collect();
    insta::assert_snapshot!("approval_refusals", refusals.join("\n"));
    assert_eq!(
        may_approve(&one, &susan.principal, &[], &both),
        Err(CannotApprove::Requester),
        "being in the approvers' group does not make the requester an approver"
    );
}

#[test]
fn across_platforms_only_linked_accounts_approve_and_twins_are_one_person() {
    let (susan, arne, priya) = (susan(), arne(), priya());
    let one = ask(&susan, &plan("restart-service", &[("service", "app")], &[("acme-prod", 2)]));
    let two = Decision { quorum: vec![muster::policy::Seats { count: 2, ..one.quorum[0].clone() }], ..one.clone() };
    let at_discord = |user: &str| Principal { platform: ChatPlatform::Discord, tenant: "77".into(), user: user.into() };
    let as_is = |principal: Principal, twins: &[&Principal]| Asker {
        principal,
        twins: twins.iter().map(|twin| (*twin).clone()).collect(),
        ..arne.clone()
    };
    let may = |votes: &[Vote<'_>], who: &Asker| may_approve(&two, &susan.principal, votes, who);
    let groups = vec!["sre".to_owned()];

    // A stranger at Discord could be anybody, the requester too.
    assert_eq!(may(&[], &as_is(at_discord("5"), &[])), Err(CannotApprove::OtherTenant));
    assert_eq!(may(&[], &as_is(at_discord("5"), &[&at_discord("6")])), Err(CannotApprove::OtherTenant));
    assert_eq!(may(&[], &as_is(at_discord("5"), &[&susan.principal])), Err(CannotApprove::OwnTwin));
    let linked = as_is(at_discord("5"), &[&arne.principal]);
    let yes = may(&[], &linked).unwrap();
    assert_eq!(yes, Yes { groups: groups.clone(), stands_for: Some(arne.principal.clone()) });

    // With both accounts there is one seat to fill, whichever clicks first.
    let by_twin = Vote { by: &linked.principal, stands_for: yes.stands_for.as_ref(), groups: &groups };
    let by_arne = Vote { by: &arne.principal, stands_for: None, groups: &groups };
    let by_priya = Vote { by: &priya.principal, stands_for: None, groups: &groups };
    assert_eq!(may(&[by_twin], &as_is(arne.principal.clone(), &[&linked.principal])), Err(CannotApprove::Already));
    assert_eq!(may(&[by_arne], &linked), Err(CannotApprove::Already));
    assert!(!quorum_met(&two, &susan.principal, &[by_arne, by_twin]));
    assert!(quorum_met(&two, &susan.principal, &[by_priya, by_twin]));
    // Nobody's word for it counts if it says that the requester sits there.
    let by_herself = Vote { by: &linked.principal, stands_for: Some(&susan.principal), groups: &groups };
    assert!(!quorum_met(&one, &susan.principal, &[by_herself]));
}

#[test]
fn people_are_linked_by_the_policy_each_account_to_one_of_them() {
    let of = |people: &str| load(&[("a.toml".into(), format!("version = 1\n[people]\n{people}\n"))], None);
    let policy = of("susan = [\"slack:T1:U1\", \"discord:77:5\"]").unwrap();
    let (here, there) = (Principal::slack("T1", "U1"), "discord:77:5".parse().unwrap());
    assert_eq!(policy.twins(&here), BTreeSet::from([there]));
    assert!(policy.twins(&Principal::slack("T1", "U2")).is_empty());
    assert_eq!(policy.identity(&here), None);
    let known = of("susan = { accounts = [\"slack:T1:U1\", \"discord:77:5\"], id = \"susan.m@example.com\" }").unwrap();
    assert_eq!(known.identity(&here), Some("susan.m@example.com"));
    assert_eq!(known.identity(&Principal::slack("T1", "U2")), None);
    assert_eq!(known.twins(&here).len(), 1);
    let told = |people: &str| of(people).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let faults = [
        told("susan = [\"slack:T1:U1\"]"),
        told("susan = [\"slack:T1:U1\", \"slack:T1:U1\"]"),
        told("susan = [\"slack:T1:U1\", \"discord:77:5\"]\nomar = [\"slack:T1:U3\", \"discord:77:5\"]"),
        told("susan = [\"slack:T1:U1\", \"@susan\"]"),
        told("susan = [\"slack:T1:U1\", \"host:ops-1:root\"]"),
        told("susan = \"slack:T1:U1\""),
        told("susan = { accounts = [\"slack:T1:U1\"] }"),
        told("susan = { accounts = [], id = \"s.m@example.com\" }"),
        told("susan = { accounts = [\"slack:T1:U1\"], id = \"susan m\", mail = \"x\" }"),
        told("a = { accounts = [\"slack:T1:U1\"], id = \"s.m\" }\nb = { accounts = [\"slack:T1:U2\"], id = \"s.m\" }"),
    ];
    insta::assert_snapshot!("people_faults", faults.join("\n"));
}

#[test]
fn one_person_takes_the_seat_that_leaves_room_for_the_other() {
    let seat = |group: &str| muster::policy::Seats { group: group.into(), count: 1, rules: vec![] };
    let quorum = [seat("dba"), seat("sre")];
    let susan = susan().principal;
    let (both, dba) = (arne().principal, priya().principal);
    let in_both = ["dba".to_owned(), "sre".to_owned()];
    let in_dba = ["dba".to_owned()];
    // Whichever comes first, the one who can sit on either makes room.
    for (first, second) in [((&both, &in_both[..]), (&dba, &in_dba[..])), ((&dba, &in_dba[..]), (&both, &in_both[..]))]
    {
        let votes = [first, second].map(|(by, groups)| Vote { by, stands_for: None, groups });
        assert_eq!(waiting_for(&quorum, &susan, &votes), []);
    }
    assert_eq!(waiting_for(&quorum, &susan, &[Vote { by: &both, stands_for: None, groups: &in_both }]).len(), 1);
}

#[test]
fn a_stricter_policy_stands_and_a_milder_one_does_not() {
    let plan = plan("restart-service", &[("service", "app")], &[("acme-prod", 2)]);
    let (permit, denied) = (ask(&susan(), &plan), ask(&omar(), &plan));
    assert_eq!(permit.verdict, Verdict::PermitWithApproval);
    assert_eq!(stricter(&permit, &denied), denied);
    assert_eq!(stricter(&denied, &permit), denied);
    assert_eq!(stricter(&permit, &permit), permit);
}

#[test]
fn reading_needs_a_rule_a_seat_or_the_run_to_be_ones_own() {
    let policy = shipped();
    let plan = plan("restart-service", &[("service", "app")], &[("acme-prod", 2)]);
    let decision = ask(&susan(), &plan);
    let sees =
        |policy: &PolicySet, who: &Asker| may_view(policy, who, &susan().principal, &decision, &targets_of(&plan));
    assert!(sees(&policy, &arne()) && sees(&policy, &susan()));
    assert!(!sees(&policy, &omar()) && !sees(&policy, &fred()));
    // Without any rule the requester and those who are asked to approve still see it, and nobody else.
    let silent = PolicySet { view: vec![], ..policy.clone() };
    assert!(sees(&silent, &Asker { groups: BTreeSet::new(), ..susan() }) && sees(&silent, &priya()));
    assert!(!sees(&silent, &person("U0ANNA", &["support"])));
    let partner = "slack:T0MUSTER:C0PARTNER".parse().unwrap();
    assert!(!may_show_in_shared(&policy, &partner, &targets_of(&plan)));
}

#[test]
fn a_shell_on_the_host_neither_runs_nor_approves_whatever_the_groups_say() {
    let operator = Asker { principal: Principal::host("ops-1", "root"), ..arne() };
    let plan = plan("disk-usage", &[], &[("acme-staging", 1)]);
    let decision = ask(&operator, &plan);
    assert_eq!((decision.verdict, decision.could.len()), (Verdict::Forbid, 0));
    assert_eq!(decision.reasons[0].rule, "built-in");
    assert!(decision.reasons[0].text.starts_with("a shell on the host runs nothing"), "{:?}", decision.reasons);
    assert!(narrowed(&shipped(), &Request::of(&operator, &plan, moment(&BTreeSet::new()))).is_empty());
    let needing = ask(&susan(), &self::plan("restart-service", &[("service", "app")], &[("acme-prod", 2)]));
    let yes = may_approve(&needing, &susan().principal, &[], &operator);
    assert_eq!(yes, Err(CannotApprove::Operator));
}

#[test]
fn support_pulls_the_brake_and_an_sre_lets_it_go() {
    let policy = shipped();
    let told = |answer: Result<(), CannotHalt>| answer.map_err(|why| why.to_string());
    assert!(
        [may_halt(&policy, &susan()), may_halt(&policy, &arne()), may_resume(&policy, &arne())]
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(told(may_resume(&policy, &susan())), Err("only a member of `sre` can do this".into()));
    assert_eq!(
        told(may_halt(&policy, &omar())),
        Err("only a member of `sre` or a member of `support` can do this".into())
    );
    assert_eq!(may_halt(&policy, &fred()), Err(CannotHalt::Foreign));
    assert_eq!(may_halt(&policy, &Asker { bot: true, ..arne() }), Err(CannotHalt::Bot));
    assert_eq!(may_halt(&PolicySet::deny_all(), &arne()), Err(CannotHalt::Nobody), "no file, nobody from chat");
}

#[test]
fn without_any_file_everything_is_denied() {
    let policy = load(&[], None).unwrap();
    assert_eq!(PolicySet { revision: PolicySet::deny_all().revision, ..policy }, PolicySet::deny_all());
    let plan = plan("disk-usage", &[], &[("acme-staging", 1)]);
    let decision = decide(&PolicySet::deny_all(), &Request::of(&arne(), &plan, moment(&BTreeSet::new())));
    assert_eq!(decision.verdict, Verdict::Forbid);
}
