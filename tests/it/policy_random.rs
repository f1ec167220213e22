//! The policy against its oracle on random rules and questions, and what must hold whatever the rules say.

use std::collections::{BTreeMap, BTreeSet};

use muster::domain::{Millis, Principal};
use muster::policy::set::{Audience, Forbidden, Granted, Overridden, ParameterRule, PolicySet, Where};
use muster::policy::{
    Asker, CannotApprove, Decision, Seats, Verdict, Vote, Yes, decide, may_approve, may_halt, may_resume,
    may_run_at_all, may_show_in_shared, may_view, narrowed, quorum_met, stricter, waiting_for,
};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::policy_oracle::{Answer, answer, covered, may, most_seats};
use super::policy_world::{Asked, Draw, GROUPS, at, cases, seeded};

fn seats(decision: &Decision) -> BTreeMap<String, u32> {
    decision.quorum.iter().map(|s| (s.group.clone(), s.count)).collect()
}

fn answer_of(decision: &Decision) -> Answer {
    Answer {
        verdict: decision.verdict,
        quorum: seats(decision),
        expires_secs: decision.expires.map(|e| e.secs_up()),
        rules: decision.reasons.iter().map(|r| r.rule.clone()).collect(),
        overridden: decision.overridden.iter().map(|r| r.rule.clone()).collect(),
        could: decision.could.clone(),
    }
}

/// `b` demands at least what `a` does.
fn at_least_as_strict(a: &Decision, b: &Decision) -> bool {
    match (a.verdict, b.verdict) {
        (_, Verdict::Forbid) => true,
        (a, b) if a > b => false,
        _ => seats(a).iter().all(|(group, n)| seats(b).get(group).is_some_and(|m| m >= n)),
    }
}

#[test]
fn the_decision_is_the_one_of_the_naive_evaluator() {
    let mut rng = seeded("decide");
    let (mut permitted, mut with_approval) = (0, 0);
    let cases = cases(20_000);
    for case in 0..cases {
        let mut draw = Draw(&mut rng);
        let (policy, asked) = (draw.policy(), draw.question_or_emergency());
        let decision = asked.decide(&policy);
        assert_eq!(answer_of(&decision), answer(&policy, &asked), "case {case}: {asked:#?}\n{policy:#?}");
        permitted += u32::from(decision.verdict != Verdict::Forbid);
        with_approval += u32::from(decision.verdict == Verdict::PermitWithApproval);
    }
    println!("{cases} decisions, {permitted} permitted, {with_approval} of them with approval");
    assert!(permitted * 5 >= cases, "too few permits to mean anything: {permitted}");
    assert!(with_approval * 20 >= cases && (permitted - with_approval) * 20 >= cases);
}

/// Takes one kind of clause out of every rule.
type Blunt = fn(&mut PolicySet);

const CLAUSES: [(&str, Blunt); 36] = [
    ("grant who", |p| p.grants.iter_mut().for_each(|g| g.who = GROUPS.map(str::to_owned).into())),
    ("grant names", |p| {
        p.grants.iter_mut().for_each(|g| {
            if let Granted::Names { names, .. } = &mut g.run {
                names.extend(["drop-data", "restart", "show-data", "status"].map(|n| n.parse().unwrap()));
            }
        });
    }),
    ("parameter one_of", |p| without_parameters(p, |r| matches!(r, ParameterRule::OneOf(_)))),
    ("parameter int", |p| without_parameters(p, |r| matches!(r, ParameterRule::Int { .. }))),
    ("parameter pattern", |p| without_parameters(p, |r| matches!(r, ParameterRule::Matches(_)))),
    ("grant risk", |p| {
        use muster::runbook::Risk::{Change, Destructive, Read};
        p.grants.iter_mut().for_each(|g| {
            if let Granted::Kind { risk, .. } = &mut g.run {
                risk.extend([Read, Change, Destructive]);
            }
        });
    }),
    ("grant owner", |p| {
        p.grants.iter_mut().for_each(|g| {
            if let Granted::Kind { owner, .. } = &mut g.run {
                *owner = None;
            }
        });
    }),
    ("grant where", |p| p.grants.iter_mut().for_each(|g| g.place = Where::Anywhere)),
    ("grant max_targets", |p| p.grants.iter_mut().for_each(|g| g.max_targets = 1000)),
    ("grant channels", |p| p.grants.iter_mut().for_each(|g| g.channels = None)),
    ("set accounts", |p| p.sets.values_mut().for_each(|s| s.accounts.clear())),
    ("set regions", |p| p.sets.values_mut().for_each(|s| s.regions.clear())),
    ("set labels", |p| p.sets.values_mut().for_each(|s| s.labels.clear())),
    ("set tags", |p| p.sets.values_mut().for_each(|s| s.tags.clear())),
    ("set production", |p| p.sets.values_mut().for_each(|s| s.production = None)),
    ("forbid who", |p| p.forbids.iter_mut().for_each(|f| f.who = None)),
    ("forbid run", |p| p.forbids.iter_mut().for_each(|f| f.run = Forbidden::Everything)),
    ("forbid where", |p| p.forbids.iter_mut().for_each(|f| f.place = Where::Anywhere)),
    ("freeze from", |p| p.freezes.iter_mut().for_each(|f| f.from = at(-100))),
    ("freeze to", |p| p.freezes.iter_mut().for_each(|f| f.to = at(1000))),
    ("freeze where", |p| p.freezes.iter_mut().for_each(|f| f.place = Where::Anywhere)),
    ("freeze except", |p| p.freezes.iter_mut().for_each(|f| f.except = None)),
    ("approval production", |p| p.approvals.iter_mut().for_each(|a| a.when.production = false)),
    ("approval where", |p| p.approvals.iter_mut().for_each(|a| a.when.place = Where::Anywhere)),
    ("approval targets_over", |p| p.approvals.iter_mut().for_each(|a| a.when.targets_over = None)),
    ("approval risk", |p| p.approvals.iter_mut().for_each(|a| a.when.risk = None)),
    ("approval runbooks", |p| p.approvals.iter_mut().for_each(|a| a.when.runbooks = None)),
    ("approval need", |p| p.approvals.iter_mut().for_each(|a| a.need.values_mut().for_each(|n| *n = 1))),
    ("approval expires", |p| p.approvals.iter_mut().for_each(|a| a.expires = None)),
    ("break-glass", |p| p.glass = None),
    ("break-glass who", |p| p.glass.iter_mut().for_each(|g| g.who = GROUPS.map(str::to_owned).into())),
    ("break-glass overrides", |p| {
        p.glass.iter_mut().for_each(|g| g.overrides = [Overridden::Freeze, Overridden::Approval].into());
    }),
    ("break-glass second", |p| p.glass.iter_mut().for_each(|g| g.second = "sre".into())),
    ("break-glass justification_min", |p| p.glass.iter_mut().for_each(|g| g.justification_min = 0)),
    ("break-glass max_targets", |p| p.glass.iter_mut().for_each(|g| g.max_targets = 1000)),
    ("break-glass expires", |p| p.glass.iter_mut().for_each(|g| g.expires = Millis::from_secs(1))),
];

fn without_parameters(policy: &mut PolicySet, drop: fn(&ParameterRule) -> bool) {
    for grant in &mut policy.grants {
        if let Granted::Names { parameters, .. } = &mut grant.run {
            parameters.retain(|_, rule| !drop(rule));
        }
    }
}

/// Drawn until each kind of clause has turned fifty decisions, a thousand in a long run, and each of these is the naive
/// evaluator's too.
#[test]
fn every_kind_of_clause_changes_decisions() {
    let enough = (cases(20_000) / 400).min(1_000);
    let mut rng = seeded("clauses");
    let mut flipped = [(0u32, 0u32); CLAUSES.len()];
    let mut drawn = 0;
    while flipped.iter().any(|(flips, _)| *flips < enough) {
        drawn += 1;
        assert!(drawn < 3_000_000, "some clauses hardly decide anything: {flipped:?}");
        let mut draw = Draw(&mut rng);
        let (policy, asked) = (draw.policy(), draw.question_or_emergency());
        let demand = |decision: &Decision| (decision.verdict, seats(decision), decision.expires);
        let before = asked.decide(&policy);
        for ((name, blunt), (flips, asked_of)) in CLAUSES.iter().zip(&mut flipped) {
            if *flips >= enough {
                continue;
            }
            let mut other = policy.clone();
            blunt(&mut other);
            *asked_of += 1;
            let after = asked.decide(&other);
            if demand(&after) != demand(&before) {
                *flips += 1;
                for (policy, decision) in [(&policy, &before), (&other, &after)] {
                    assert_eq!(answer_of(decision), answer(policy, &asked), "{name}: {asked:#?}\n{policy:#?}");
                }
            }
        }
    }
    for ((name, _), (flips, of)) in CLAUSES.iter().zip(flipped) {
        println!("{name}: {flips} of {of}");
    }
    println!("{drawn} draws");
}

#[test]
fn an_emergency_opens_nothing_but_freezes_and_approvals_and_always_takes_a_second_person() {
    let mut rng = seeded("emergency");
    let (mut opened, mut cheaper) = (0, 0);
    let cases = cases(20_000);
    for case in 0..cases {
        let mut draw = Draw(&mut rng);
        let (policy, asked) = (draw.policy(), draw.question());
        let justification = "the shop is down and waits for this".to_owned();
        let asked = Asked { emergency: Some(justification), ..asked };
        let decision = asked.decide(&policy);
        if decision.verdict == Verdict::Forbid {
            continue;
        }
        opened += 1;
        let glass = policy.glass.as_ref().expect("no rule lets anybody break the glass");
        assert_eq!(decision.verdict, Verdict::PermitWithApproval, "case {case}");
        assert!(seats(&decision).get(&glass.second).is_some_and(|n| *n >= 1), "case {case}: {decision:?}");
        // Without what can be overridden it would be permitted as it is.
        let without = PolicySet { freezes: Vec::new(), approvals: Vec::new(), ..policy.clone() };
        assert_eq!(decide(&without, &asked.request()).verdict, Verdict::Permit, "case {case}: {asked:#?}\n{policy:#?}");
        // And what it passes over is what stood in the way, no more.
        let overridden = answer(&policy, &asked).overridden.into_iter().collect();
        let told: BTreeSet<String> = decision.overridden.iter().map(|r| r.rule.clone()).collect();
        assert_eq!(told, overridden, "case {case}");
        let plain = decide(&policy, &asked.request());
        let seats_of = |d: &Decision| seats(d).values().sum::<u32>();
        cheaper += u32::from(plain.verdict == Verdict::PermitWithApproval && seats_of(&decision) < seats_of(&plain));
    }
    println!("{opened} of {cases} emergencies opened, {cheaper} of them with fewer people");
    assert!(opened * 20 > cases && cheaper > 100);
}

#[test]
fn the_order_of_the_text_means_nothing() {
    let mut rng = seeded("order");
    for _ in 0..cases(5_000) {
        let mut draw = Draw(&mut rng);
        let (policy, mut asked) = (draw.policy(), draw.question_or_emergency());
        let decision = asked.decide(&policy);
        let mut shuffled = policy.clone();
        shuffled.grants.shuffle(&mut rng);
        shuffled.forbids.shuffle(&mut rng);
        shuffled.freezes.shuffle(&mut rng);
        shuffled.approvals.shuffle(&mut rng);
        asked.targets.shuffle(&mut rng);
        assert_eq!(asked.decide(&shuffled), decision);
    }
}

#[test]
fn more_forbids_and_approval_rules_never_allow_more_and_more_grants_never_less() {
    let mut rng = seeded("monotone");
    for case in 0..cases(5_000) {
        let mut draw = Draw(&mut rng);
        let (policy, asked) = (draw.policy(), draw.question());
        let before = decide(&policy, &asked.request());

        let mut more = policy.clone();
        more.forbids.push(draw.forbid(99));
        assert!(at_least_as_strict(&before, &decide(&more, &asked.request())), "forbid, case {case}");

        let mut more = policy.clone();
        more.freezes.push(draw.freeze(99));
        assert!(at_least_as_strict(&before, &decide(&more, &asked.request())), "freeze, case {case}");

        let mut more = policy.clone();
        more.approvals.push(draw.approval(99));
        assert!(at_least_as_strict(&before, &decide(&more, &asked.request())), "approval, case {case}");

        let mut more = policy.clone();
        more.grants.push(draw.grant(99));
        assert!(at_least_as_strict(&decide(&more, &asked.request()), &before), "grant, case {case}");
    }
}

#[test]
fn what_is_not_known_never_makes_a_decision_milder() {
    let mut rng = seeded("missing");
    for case in 0..cases(10_000) {
        let mut draw = Draw(&mut rng);
        let (policy, asked) = (draw.policy(), draw.question());
        let before = decide(&policy, &asked.request());
        let mut forgetful = asked.clone();
        for target in &mut forgetful.targets {
            match rng.random_range(0..5) {
                0 => target.account_name = None,
                1 => drop(target.labels.remove("env")),
                2 => target.labels.clear(),
                3 => target.tags.clear(),
                _ => {}
            }
        }
        if rng.random_bool(0.2) {
            forgetful.asker.channel = None;
        }
        if rng.random_bool(0.2) {
            forgetful.arguments.clear();
        }
        let after = decide(&policy, &forgetful.request());
        assert!(at_least_as_strict(&before, &after), "case {case}: {before:?}\n{after:?}\n{asked:#?}\n{policy:#?}");
    }
}

#[test]
fn more_targets_never_make_a_decision_milder() {
    let mut rng = seeded("targets");
    for case in 0..cases(5_000) {
        let mut draw = Draw(&mut rng);
        let (policy, asked) = (draw.policy(), draw.question());
        let mut wider = asked.clone();
        wider.targets.extend(draw.question().targets);
        let (before, after) = (decide(&policy, &asked.request()), decide(&policy, &wider.request()));
        assert!(at_least_as_strict(&before, &after), "case {case}");
    }
}

#[test]
fn the_cheap_check_refuses_nobody_who_would_be_permitted() {
    let mut rng = seeded("at all");
    let mut refused = 0;
    for case in 0..cases(10_000) {
        let mut draw = Draw(&mut rng);
        let (policy, asked) = (draw.policy(), draw.question());
        let cheap = may_run_at_all(&policy, &asked.asker, asked.runbook());
        let full = decide(&policy, &asked.request());
        refused += u32::from(cheap.verdict == Verdict::Forbid);
        assert!(cheap.verdict <= full.verdict, "case {case}: {cheap:?}\n{full:?}");
        assert!(cheap.quorum.is_empty() && cheap.verdict != Verdict::PermitWithApproval);
    }
    assert!(refused > 1000, "it refused only {refused}");
}

#[test]
fn what_a_refusal_offers_is_permitted_and_no_larger_part_would_be() {
    let mut rng = seeded("narrowed");
    let (mut offered, mut cases_with_part) = (0, 0);
    for case in 0..cases(20_000) {
        let mut draw = Draw(&mut rng);
        let (mut policy, asked) = (draw.policy(), draw.question());
        if case % 2 == 0 {
            // No grant is too small for the number, so that place alone decides.
            policy.grants.iter_mut().for_each(|g| g.max_targets = 1000);
        }
        let all: BTreeSet<_> = asked.targets.iter().map(|t| t.target.clone()).collect();
        let part = narrowed(&policy, &asked.request());
        let only = |keep: &dyn Fn(&muster::domain::Target) -> bool| {
            let mut asked = asked.clone();
            asked.targets.retain(|t| keep(&t.target));
            asked
        };
        if part.is_empty() {
            // What may be run as a whole has no part to offer, and what may not has none.
        } else {
            offered += 1;
            assert!(part.is_subset(&all) && part.len() < all.len(), "case {case}: {part:?}\n{asked:#?}\n{policy:#?}");
            let decision = decide(&policy, &only(&|t| part.contains(t)).request());
            assert_ne!(decision.verdict, Verdict::Forbid, "case {case}: {part:?}\n{asked:#?}\n{policy:#?}");
        }
        if case % 2 == 0 && decide(&policy, &asked.request()).verdict == Verdict::Forbid && all.len() <= 6 {
            let names: Vec<_> = all.iter().collect();
            let largest = (1..1u32 << names.len())
                .filter(|mask| {
                    let chosen = |t: &muster::domain::Target| {
                        names.iter().position(|n| *n == t).is_some_and(|at| mask & (1 << at) != 0)
                    };
                    answer(&policy, &only(&chosen)).verdict != Verdict::Forbid
                })
                .map(u32::count_ones)
                .max()
                .unwrap_or(0);
            assert_eq!(part.len(), largest as usize, "case {case}: {part:?}\n{asked:#?}\n{policy:#?}");
            cases_with_part += u32::from(largest > 0);
        }
    }
    println!("{offered} refusals with a part to offer, {cases_with_part} of them held against every subset");
    assert!(offered > 500 && cases_with_part > 300);
}

#[test]
fn reading_is_decided_as_the_naive_evaluator_does() {
    let mut rng = seeded("view");
    let (mut seen, mut shown) = (0, 0);
    let cases = cases(10_000);
    for case in 0..cases {
        let mut draw = Draw(&mut rng);
        let (policy, asked, reader) = (draw.policy(), draw.question(), draw.person());
        let decision = decide(&policy, &asked.request());
        let requester = &asked.asker.principal;
        let approver = decision.quorum.iter().any(|s| reader.groups.contains(&s.group));
        let by_rule = covered(&policy, &asked.targets, &|audience| match audience {
            Audience::Groups(groups) => reader.groups.iter().any(|g| groups.contains(g)),
            Audience::SharedChannels(_) => false,
        });
        let expected = !reader.bot && !reader.foreign && (reader.principal == *requester || approver || by_rule);
        assert_eq!(may_view(&policy, &reader, requester, &decision, &asked.targets()), expected, "case {case}");
        seen += u32::from(expected);
        if let Some(channel) = &reader.channel {
            let expected = covered(&policy, &asked.targets, &|audience| match audience {
                Audience::Groups(_) => false,
                Audience::SharedChannels(channels) => channels.contains(channel),
            });
            assert_eq!(may_show_in_shared(&policy, channel, &asked.targets()), expected, "case {case}");
            shown += u32::from(expected);
        }
    }
    assert!(seen * 5 > cases && seen * 5 < cases * 4 && shown * 50 > cases, "{seen} seen, {shown} shown of {cases}");
}

#[test]
fn halting_is_decided_as_the_naive_evaluator_does_and_a_refusal_names_those_who_could() {
    let mut rng = seeded("halt");
    let (mut let_in, cases) = (0, cases(2_000));
    for case in 0..cases {
        let mut draw = Draw(&mut rng);
        let (policy, asker) = (draw.policy(), draw.person());
        for (answer, groups) in
            [(may_halt(&policy, &asker), &policy.halt.who), (may_resume(&policy, &asker), &policy.halt.resume)]
        {
            assert_eq!(answer.is_ok(), may(groups, &asker), "case {case}");
            let_in += u32::from(answer.is_ok());
            if let Err(refused) = answer
                && !asker.bot
                && !asker.foreign
            {
                assert_eq!(refused.could(), groups.iter().cloned().collect::<Vec<_>>(), "case {case}");
            }
        }
    }
    assert!(let_in * 10 > cases * 3 && let_in * 10 < cases * 17, "{let_in} of {} were let in", cases * 2);
}

#[test]
fn the_stricter_of_two_decisions_demands_what_either_demands() {
    let mut rng = seeded("stricter");
    for _ in 0..cases(5_000) {
        let mut draw = Draw(&mut rng);
        let (old, new, asked) = (draw.policy(), draw.policy(), draw.question());
        let (a, b) = (decide(&old, &asked.request()), decide(&new, &asked.request()));
        let both = stricter(&a, &b);
        assert!(at_least_as_strict(&a, &both) && at_least_as_strict(&b, &both));
        assert_eq!(both, stricter(&b, &a));
        assert_eq!(stricter(&both, &a).quorum, both.quorum);
        let same = stricter(&a, &a);
        assert_eq!(
            (same.verdict, seats(&same), same.expires, same.could),
            (a.verdict, seats(&a), a.expires, a.could.clone())
        );
        if both.verdict == Verdict::PermitWithApproval {
            assert_eq!(both.expires, a.expires.into_iter().chain(b.expires).min());
            for seat in &both.quorum {
                let of = |d: &Decision| seats(d).get(&seat.group).copied().unwrap_or(0);
                assert_eq!(seat.count, of(&a).max(of(&b)));
            }
        }
    }
}

fn needing(quorum: &[(&str, u32)]) -> Decision {
    Decision {
        verdict: Verdict::PermitWithApproval,
        quorum: quorum.iter().map(|(g, n)| Seats { group: (*g).into(), count: *n, rules: vec![] }).collect(),
        expires: Some(Millis::from_secs(60)),
        reasons: vec![],
        overridden: Vec::new(),
        could: vec![],
    }
}

#[test]
fn a_quorum_is_met_exactly_when_different_people_other_than_the_requester_can_fill_every_seat() {
    let mut rng = seeded("quorum");
    let requester = Principal::slack("T1", "U0");
    let (mut met_count, mut moved) = (0, 0);
    let cases = cases(20_000);
    for case in 0..cases {
        let mut quorum: Vec<(&str, u32)> = Vec::new();
        for group in GROUPS {
            if rng.random_bool(0.5) {
                quorum.push((group, rng.random_range(1..=2)));
            }
        }
        if quorum.is_empty() {
            quorum.push(("sre", 1));
        }
        let decision = needing(&quorum);
        // U0 is the requester; the same people come up again; some are of another tenant.
        let mut votes: Vec<(Principal, Vec<String>)> = Vec::new();
        for _ in 0..rng.random_range(0..7) {
            let tenant = if rng.random_bool(0.2) { "T2" } else { "T1" };
            let who = Principal::slack(tenant, &format!("U{}", rng.random_range(0..7)));
            let groups = GROUPS.iter().filter(|_| rng.random_bool(0.4)).map(|g| (*g).to_owned()).collect();
            votes.push((who, groups));
        }
        // Those of the other tenant with an even number are linked to the account of the same number here.
        let linked = |who: &Principal| {
            let even = who.user.trim_start_matches('U').parse::<u32>().unwrap() % 2 == 0;
            (who.tenant == "T2" && even).then(|| Principal::slack("T1", &who.user))
        };
        let twins: Vec<Option<Principal>> = votes.iter().map(|(who, _)| linked(who)).collect();
        let both = votes.iter().zip(&twins);
        let view: Vec<Vote<'_>> =
            both.map(|((by, groups), twin)| Vote { by, stands_for: twin.as_ref(), groups }).collect();

        let mut people: BTreeMap<Principal, BTreeSet<String>> = BTreeMap::new();
        for (who, groups) in &votes {
            let who = linked(who).unwrap_or_else(|| who.clone());
            if who != requester && who.tenant == requester.tenant && !people.contains_key(&who) {
                people.insert(who, groups.iter().cloned().collect());
            }
        }
        let people: Vec<BTreeSet<String>> = people.into_values().collect();
        let mut open: Vec<(String, u32)> = quorum.iter().map(|(g, n)| ((*g).to_owned(), *n)).collect();
        let all: u32 = quorum.iter().map(|(_, n)| n).sum();
        let most = most_seats(&mut open, &people);

        let left: u32 = waiting_for(&decision.quorum, &requester, &view).iter().map(|s| s.count).sum();
        assert_eq!(left, all - most, "case {case}: {quorum:?} {votes:?}");
        let met = quorum_met(&decision, &requester, &view);
        assert_eq!(met, most == all, "case {case}");
        met_count += u32::from(met);

        // The same in another order, and once more by the same people, changes nothing.
        let mut twice = [view.clone(), view.clone()].concat();
        twice.sort_by_key(|v| std::cmp::Reverse(view.iter().position(|w| w == v)));
        if people.len() == votes.len() {
            assert_eq!(quorum_met(&decision, &requester, &twice), met, "case {case}");
        }

        // A further yes is taken exactly if it fills a seat more, and then it does.
        let person = Asker {
            principal: Principal::slack("T1", "U9"),
            groups: GROUPS.iter().filter(|_| rng.random_bool(0.5)).map(|g| (*g).to_owned()).collect(),
            foreign: false,
            bot: false,
            twins: BTreeSet::new(),
            channel: None,
        };
        let with = [people.clone(), vec![person.groups.clone()]].concat();
        let helps = most_seats(&mut open, &with) > most;
        match may_approve(&decision, &requester, &view, &person) {
            Ok(Yes { groups, stands_for }) => {
                assert!(helps, "case {case}");
                let stands_for = stands_for.as_ref();
                let more = [view.clone(), vec![Vote { by: &person.principal, stands_for, groups: &groups }]].concat();
                let now: u32 = waiting_for(&decision.quorum, &requester, &more).iter().map(|s| s.count).sum();
                assert_eq!(now, left - 1, "case {case}");
                let mine_open =
                    waiting_for(&decision.quorum, &requester, &view).iter().any(|s| groups.contains(&s.group));
                moved += u32::from(!mine_open);
            }
            Err(CannotApprove::NotInGroup(_) | CannotApprove::SeatsTaken(_)) => assert!(!helps, "case {case}"),
            Err(other) => panic!("case {case}: {other}"),
        }
    }
    assert!(met_count * 20 > cases && met_count * 2 < cases, "{met_count} of {cases} met");
    assert!(moved > 0, "nobody ever had to move to another seat");
}

#[test]
fn neither_the_requester_nor_one_person_alone_ever_makes_up_a_quorum_of_two() {
    let mut rng = seeded("alone");
    let requester = Principal::slack("T1", "U0");
    let everything: Vec<String> = GROUPS.map(str::to_owned).into();
    for _ in 0..cases(2_000) {
        let quorum: Vec<(&str, u32)> = GROUPS.iter().map(|g| (*g, rng.random_range(1..=3))).collect();
        let decision = needing(&quorum[..rng.random_range(1..=4)]);
        let one = Principal::slack("T1", "U1");
        let mine = vec![Vote { by: &requester, stands_for: None, groups: &everything }; 8];
        assert!(!quorum_met(&decision, &requester, &mine));
        let seats: u32 = decision.quorum.iter().map(|s| s.count).sum();
        let ours = [mine, vec![Vote { by: &one, stands_for: None, groups: &everything }; 8]].concat();
        assert_eq!(quorum_met(&decision, &requester, &ours), seats == 1);
    }
}
