//! What waits while the rules change, people leave their groups, and approvers agree to less.

use serde_json::json;

use super::*;
use crate::plan::Plan;
use crate::policy::Reason;

/// Two rules, each with its group.
fn needs_both() -> Decision {
    let seat = |group: &str, rule: &str| Seats { group: group.into(), count: 1, rules: vec![rule.into()] };
    Decision { quorum: vec![seat("dba", "data"), seat("sre", "prod")], ..needs(1) }
}

fn with(decision: Decision, approvers: &[Asker]) -> Today {
    Today { approvers: approvers.to_vec(), ..today(decision) }
}

/// Asked, and the card and the question stand.
fn waiting(decision: Decision) -> (Run, Vec<Event>) {
    let mut run = Run::proposed(proposal(decision, |_| {}, 2, 3));
    let mut log = vec![Event::Proposed(Box::new(run.proposal.clone()))];
    post(&mut run, &mut log, PostKey::Root);
    post(&mut run, &mut log, PostKey::Ask);
    (run, log)
}

fn yes(run: &mut Run, log: &mut Vec<Event>, by: &Asker) -> Result<(), Refusal> {
    let digest = run.proposal.digest;
    feed(run, log, Input::Approve { by: by.clone(), digest }, at(10))
}

fn names(log: &[Event]) -> Vec<&'static str> {
    log.iter().map(Event::name).filter(|name| !name.starts_with("post")).collect()
}

#[test]
fn rules_that_ask_for_more_let_it_wait_for_more() {
    let (mut run, mut log) = waiting(needs(1));
    feed(&mut run, &mut log, Input::Reconsider { today: today(needs_both()) }, at(5)).unwrap();
    assert_eq!(run.proposal.decision.quorum.len(), 2);
    assert_eq!(run.proposal.policy, Digest::of(b"policy of today"));
    assert!(run.owes(&Effect::Post(PostKey::Notice(1))), "whoever may approve is told");
    yes(&mut run, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    assert!(!run.is_agreed());
    yes(&mut run, &mut log, &asker("U0DORA", &["dba"])).unwrap();
    assert!(run.owes(&Effect::Start));
    // The rules are milder again, and still what was asked for once is asked for.
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(12)).unwrap();
    assert_eq!(names(&log), ["proposed", "reconsidered", "approved", "approved", "started"]);
    assert_eq!(Run::replay(&log).unwrap().as_ref(), Some(&run));
}

#[test]
fn what_needed_nobody_waits_for_approval_once_the_rules_ask_for_it() {
    let (mut run, mut log) = waiting(permit());
    assert!(run.owes(&Effect::Start) && !run.asked);
    feed(&mut run, &mut log, Input::Start { today: today(needs(1)) }, at(5)).unwrap();
    assert_eq!((run.phase, run.asked, run.is_agreed()), (Phase::AwaitingApproval, true, false));
    yes(&mut run, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    feed(&mut run, &mut log, Input::Start { today: today(needs(1)) }, at(12)).unwrap();
    assert_eq!(run.phase, Phase::Running);
}

#[test]
fn rules_that_no_longer_permit_it_end_it_at_once() {
    let (mut run, mut log) = waiting(needs(1));
    feed(&mut run, &mut log, Input::Reconsider { today: today(forbid()) }, at(5)).unwrap();
    assert_eq!(run.phase, Phase::Withdrawn);
    assert_eq!(run.ended_by.unwrap().1, "the policy no longer permits it: a freeze has begun");
}

#[test]
fn rules_that_say_the_same_or_less_change_nothing() {
    let (mut run, mut log) = waiting(needs(2));
    yes(&mut run, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    let other_words = Decision { reasons: vec![Reason { rule: "prod".into(), text: "x".into() }], ..needs(2) };
    let arne = asker("U0ARNE", &["sre", "dba"]);
    for decision in [permit(), needs(1), needs(2), other_words] {
        let input = Input::Reconsider { today: with(decision, std::slice::from_ref(&arne)) };
        assert_eq!(feed(&mut run, &mut log, input, at(11)), Err(Refusal::Stale));
    }
    assert_eq!(run.notices, []);
}

#[test]
fn whoever_leaves_the_group_before_the_start_has_not_approved() {
    let (mut run, mut log) = waiting(needs(1));
    yes(&mut run, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    let left = asker("U0ARNE", &["support"]);
    feed(&mut run, &mut log, Input::Start { today: with(needs(1), &[left]) }, at(12)).unwrap();
    assert_eq!((run.phase, run.approvals.len()), (Phase::AwaitingApproval, 0));
    let Some(Notice::MoreAsked { lapsed }) = run.notices.last() else { panic!("{:?}", run.notices) };
    assert_eq!(lapsed[0].by, asker("U0ARNE", &[]).principal);
    assert_eq!(lapsed[0].why, "no longer in a group that is asked");
    yes(&mut run, &mut log, &asker("U0PRIYA", &["sre"])).unwrap();
    feed(&mut run, &mut log, Input::Start { today: with(needs(1), &[asker("U0PRIYA", &["sre"])]) }, at(14)).unwrap();
    assert_eq!(run.phase, Phase::Running);
    assert_eq!(Run::replay(&log).unwrap().as_ref(), Some(&run));
}

#[test]
fn an_approver_who_turns_out_to_be_the_requester_or_no_person_has_not_approved() {
    let arne = asker("U0ARNE", &["sre"]);
    let twin = Asker { twins: BTreeSet::from([ana()]), ..arne.clone() };
    let cases = [
        (twin, "the account is linked to the one that asked"),
        (Asker { bot: true, ..arne.clone() }, "the account is no longer that of a person"),
        (Asker { foreign: true, ..arne.clone() }, "the account belongs to another organisation now"),
    ];
    for (now, why) in cases {
        let (mut run, mut log) = waiting(needs(1));
        yes(&mut run, &mut log, &arne).unwrap();
        feed(&mut run, &mut log, Input::Reconsider { today: with(needs(1), &[now]) }, at(12)).unwrap();
        let Some(Notice::MoreAsked { lapsed }) = run.notices.last() else { panic!("{:?}", run.notices) };
        assert_eq!(lapsed[0].why, why);
        assert!(!run.is_agreed());
    }
}

#[test]
fn two_accounts_that_turn_out_to_be_one_person_fill_one_seat() {
    let (arne, other) = (asker("U0ARNE", &["sre"]), asker("U0ARNE2", &["sre"]));
    let (mut run, mut log) = waiting(needs(2));
    yes(&mut run, &mut log, &arne).unwrap();
    yes(&mut run, &mut log, &other).unwrap();
    assert!(run.is_agreed());
    let link = |one: &Asker, two: &Asker| Asker { twins: BTreeSet::from([two.principal.clone()]), ..one.clone() };
    let linked = [link(&arne, &other), link(&other, &arne)];
    feed(&mut run, &mut log, Input::Start { today: with(needs(2), &linked) }, at(12)).unwrap();
    assert_eq!((run.phase, run.approvals.len()), (Phase::AwaitingApproval, 1));
}

#[test]
fn an_approver_counts_for_a_seat_that_a_change_of_the_rules_adds() {
    let both = asker("U0BOTH", &["sre", "dba"]);
    let (mut run, mut log) = waiting(needs(1));
    yes(&mut run, &mut log, &both).unwrap();
    assert_eq!(run.approvals[0].groups, ["sre"]);
    feed(&mut run, &mut log, Input::Reconsider { today: with(needs_both(), &[both]) }, at(11)).unwrap();
    assert_eq!(run.approvals[0].groups, ["dba", "sre"]);
    // One person fills one seat, and anybody of either group fills the other.
    yes(&mut run, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    assert!(run.is_agreed());
}

#[test]
fn an_approver_agrees_to_a_part_and_nothing_else_runs() {
    let (mut run, mut log) = waiting(needs(2));
    let before = run.revision;
    yes(&mut run, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    let whole = run.proposal.plan.clone();
    let keep = whole.picked_by(&Selector::parse("accounts=account-2").unwrap());
    let part = Box::new(whole.part(&keep).unwrap());
    let narrow = Input::Narrow { by: asker("U0PRIYA", &["sre"]), digest: whole.digest(), plan: part };
    feed(&mut run, &mut log, narrow, at(11)).unwrap();
    assert!(!run.is_agreed() && run.approvals.len() == 1, "whoever agreed to the whole has not seen the part");
    assert_eq!(run.targets.len(), 3);
    assert!(run.proposal.plan.targets.iter().all(|t| t.target.account.as_str() == "000000000002"));
    assert!(run.owes(&Effect::Post(PostKey::Notice(1))), "the requester is told");
    assert_eq!(run.digest_shown(before), whole.digest(), "a card of before is about the whole");
    assert_eq!(run.digest_shown(run.revision), run.proposal.plan.digest());
    yes(&mut run, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    feed(&mut run, &mut log, Input::Start { today: today(needs(2)) }, at(12)).unwrap();
    assert_eq!(run.phase, Phase::Running);
    assert_eq!(names(&log), ["proposed", "approved", "narrowed", "approved", "approved", "started"]);
    assert_eq!(Run::replay(&log).unwrap().as_ref(), Some(&run));
}

#[test]
fn whoever_is_asked_for_more_has_time_for_it() {
    let (mut run, mut log) = waiting(needs(1));
    feed(&mut run, &mut log, Input::Reconsider { today: today(needs(2)) }, at(590)).unwrap();
    assert_eq!(run.expires_at(), at(1190));
    assert_eq!(run.reminds_at(), Some(at(890)));
    // The same people in other words take no more time.
    let shorter = Decision { expires: Some(Millis::from_secs(300)), ..needs(2) };
    feed(&mut run, &mut log, Input::Reconsider { today: today(shorter) }, at(595)).unwrap();
    assert_eq!((run.expires_at(), run.notices.len()), (at(890), 1));
}

#[test]
fn a_part_is_smaller_and_nothing_but_a_part() {
    let (mut run, mut log) = waiting(needs(1));
    let whole = run.proposal.plan.clone();
    let keep = whole.picked_by(&Selector::parse("accounts=account-2").unwrap());
    let part = whole.part(&keep).unwrap();
    let other = proposal(needs(1), |_| {}, 3, 3).plan;
    let foreign = other.part(&other.picked_by(&Selector::parse("accounts=account-3").unwrap())).unwrap();
    let looser = Plan { max_in_flight: whole.max_in_flight + 1, ..part.clone() };
    let arne = || asker("U0ARNE", &["sre"]);
    for plan in [(*whole).clone(), foreign, looser] {
        let input = Input::Narrow { by: arne(), digest: whole.digest(), plan: Box::new(plan) };
        assert_eq!(feed(&mut run, &mut log, input, at(11)), Err(Refusal::OtherPlan));
    }
    let narrow = |by, plan: &Plan| Input::Narrow { by, digest: whole.digest(), plan: Box::new(plan.clone()) };
    let nobody = feed(&mut run, &mut log, narrow(asker("U0ANA", &["sre"]), &part), at(11));
    assert_eq!(nobody, Err(Refusal::MayNotDecide(CannotApprove::Requester)));
    let stranger = feed(&mut run, &mut log, narrow(asker("U0SUE", &["support"]), &part), at(11));
    assert!(matches!(stranger, Err(Refusal::MayNotDecide(CannotApprove::NotInGroup(_)))));
    feed(&mut run, &mut log, narrow(arne(), &part), at(11)).unwrap();
    // Whoever saw the whole has not agreed to the part.
    let late = Input::Approve { by: asker("U0PRIYA", &["sre"]), digest: whole.digest() };
    assert!(feed(&mut run, &mut log, late, at(12)).is_err());
}

#[test]
fn a_button_of_the_whole_plan_does_not_approve_the_part() {
    let (mut run, mut log) = waiting(needs(2));
    let (whole, shown) = (run.proposal.plan.clone(), run.revision);
    let part = whole.part(&whole.picked_by(&Selector::parse("accounts=account-2").unwrap())).unwrap();
    let input = Input::Narrow { by: asker("U0ARNE", &["sre"]), digest: whole.digest(), plan: Box::new(part) };
    feed(&mut run, &mut log, input, at(11)).unwrap();
    let priya = || asker("U0PRIYA", &["sre"]);
    let digest = run.digest_shown(shown);
    assert_eq!(feed(&mut run, &mut log, Input::Approve { by: priya(), digest }, at(12)), Err(Refusal::OtherPlan));
    let digest = run.digest_shown(run.revision);
    assert_eq!(feed(&mut run, &mut log, Input::Approve { by: priya(), digest }, at(12)), Ok(()));
}

#[test]
fn those_who_may_approve_are_reminded_once_at_half_of_the_time() {
    let (mut run, mut log) = waiting(needs(1));
    assert!(run.owes(&Effect::Alarm(at(300))) && run.owes(&Effect::Alarm(at(600))));
    assert!(run.decide(Input::Tick, at(299)).unwrap().is_empty());
    feed(&mut run, &mut log, Input::Tick, at(300)).unwrap();
    assert!(run.owes(&Effect::Post(PostKey::Notice(1))) && !run.owes(&Effect::Alarm(at(300))));
    assert_eq!(run.reminded(), Some(at(300)));
    feed(&mut run, &mut log, Input::Tick, at(310)).unwrap();
    assert_eq!(run.notices.len(), 1);
    let (mut agreed, mut log) = waiting(needs(1));
    yes(&mut agreed, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    feed(&mut agreed, &mut log, Input::Tick, at(400)).unwrap();
    assert_eq!(agreed.notices, [], "it waits for nobody");
}

/// Every single leaf of the plan is changed after the approval, and each time nothing starts.
#[test]
fn a_plan_that_is_changed_in_any_field_after_its_approval_never_starts() {
    let (mut run, mut log) = waiting(needs(1));
    let asked = run.clone();
    yes(&mut run, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    let value = serde_json::to_value(&*run.proposal.plan).unwrap();
    let paths = testing::leaves(&value);
    let others = [
        json!(7),
        json!(3),
        json!("x1"),
        json!(true),
        json!(false),
        json!(null),
        json!("i-0000000000000dead"),
        json!("document"),
        json!("eu-north-1"),
        json!("000000000009"),
        json!("windows"),
        json!("read"),
        json!("always"),
        json!("7s"),
        json!(["x"]),
        json!({ "x": "y" }),
        json!("continue"),
        json!({ "platform windows": 1 }),
        json!([["000000000009", "eu-west-1", "web"]]),
        json!([{ "account": "000000000009", "region": null, "cause": "x" }]),
        json!(Digest::of(b"x").to_string()),
    ];
    let (mut changed, mut fields) = (0, BTreeSet::new());
    for path in &paths {
        for other in &others {
            let mut with = value.clone();
            *with.pointer_mut(path).unwrap() = other.clone();
            let Ok(plan) = serde_json::from_value::<Plan>(with) else { continue };
            if plan == *run.proposal.plan {
                continue;
            }
            changed += 1;
            fields.insert(path.clone());
            let mut tampered = run.clone();
            tampered.proposal.plan = plan.clone().into();
            let events = tampered.decide(Input::Start { today: today(needs(1)) }, at(12)).unwrap();
            assert!(matches!(events.as_slice(), [Event::Withdrawn { .. }]), "{path} {other}: {events:?}");
            let mut tampered = asked.clone();
            tampered.proposal.plan = plan.into();
            let input = Input::Approve { by: asker("U0ARNE", &["sre"]), digest: tampered.proposal.digest };
            assert_eq!(tampered.decide(input, at(12)), Err(Refusal::OtherPlan), "{path} {other}");
        }
    }
    let missed: Vec<&String> = paths.iter().filter(|path| !fields.contains(*path)).collect();
    println!("{changed} changes in {} of {} fields, all noticed", fields.len(), paths.len());
    assert_eq!(missed, Vec::<&String>::new(), "these were not changed");
}

#[test]
fn a_rule_that_says_it_in_other_words_is_told_in_its_new_words_alone() {
    let says = |text: &str, count: u32| {
        let reasons = vec![Reason { rule: "prod".into(), text: text.into() }];
        Decision { reasons, ..needs(count) }
    };
    let (mut run, mut log) = waiting(says("8 targets are production", 1));
    feed(&mut run, &mut log, Input::Reconsider { today: today(says("9 targets are production", 2)) }, at(5)).unwrap();
    let texts: Vec<&str> = run.proposal.decision.reasons.iter().map(|r| r.text.as_str()).collect();
    assert_eq!(texts, ["9 targets are production"]);
}

#[test]
fn whoever_agreed_stands_for_the_account_that_it_is_linked_to_now() {
    let (mut run, mut log) = waiting(needs(2));
    yes(&mut run, &mut log, &asker("U0ARNE", &["sre"])).unwrap();
    assert_eq!(run.approvals[0].stands_for, None);
    // Since then linked to an account of the same workspace that comes before it.
    let linked = Asker { twins: [Principal::slack("T0MUSTER", "U0AAA")].into(), ..asker("U0ARNE", &["sre"]) };
    feed(&mut run, &mut log, Input::Reconsider { today: with(needs(2), &[linked]) }, at(12)).unwrap();
    assert_eq!(run.approvals[0].stands_for, Some(Principal::slack("T0MUSTER", "U0AAA")));
    // Which therefore fills no second seat.
    let twin = Asker { twins: [Principal::slack("T0MUSTER", "U0ARNE")].into(), ..asker("U0AAA", &["sre"]) };
    assert_eq!(yes(&mut run, &mut log, &twin), Err(Refusal::MayNotDecide(CannotApprove::Already)));
}
