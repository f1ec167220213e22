//! Runs that override rules: who is told before they start, and who looks at them afterwards.

use super::*;

/// Asked for with `channels` to tell, agreed to, and its card stands.
fn agreed(channels: u32) -> (Run, Vec<Event>) {
    let mut run = Run::proposed(Proposal { glass: Some(glass(channels)), ..proposal(needs(1), |_| {}, 1, 2) });
    let mut log = vec![Event::Proposed(Box::new(run.proposal.clone()))];
    post(&mut run, &mut log, PostKey::Root);
    post(&mut run, &mut log, PostKey::Ask);
    assert!(!run.owes(&Effect::Post(PostKey::Alert(1))), "nobody is told of what may never be");
    let digest = run.proposal.digest;
    feed(&mut run, &mut log, Input::Approve { by: asker("U0ARNE", &["sre"]), digest }, at(10)).unwrap();
    (run, log)
}

/// The rules of this moment say what they said.
fn same(run: &Run, decision: Decision) -> Today {
    Today { glass: run.proposal.glass.clone(), ..today(decision) }
}

fn start(run: &mut Run, log: &mut Vec<Event>) -> Result<(), Refusal> {
    let today = same(run, needs(1));
    feed(run, log, Input::Start { today }, at(12))
}

fn finished(channels: u32) -> (Run, Vec<Event>) {
    let (mut run, mut log) = agreed(channels);
    (1..=channels).for_each(|n| post(&mut run, &mut log, PostKey::Alert(n)));
    start(&mut run, &mut log).unwrap();
    let end = Event::Finished { at: at(20) };
    run.evolve(&end).unwrap();
    log.push(end);
    post(&mut run, &mut log, PostKey::Results);
    post(&mut run, &mut log, PostKey::Closing);
    (1..=channels).for_each(|n| post(&mut run, &mut log, PostKey::Review(n)));
    (run, log)
}

fn look(by: Asker) -> Input {
    Input::Review { by, found: "it was needed".into(), reviewers: ["dba".to_owned()].into() }
}

#[test]
fn nothing_starts_before_every_channel_is_told() {
    let (mut run, mut log) = agreed(2);
    assert!(!run.owes(&Effect::Start));
    post(&mut run, &mut log, PostKey::Alert(2));
    assert!(!run.owes(&Effect::Start));
    assert_eq!(start(&mut run, &mut log), Err(Refusal::Stale));
    post(&mut run, &mut log, PostKey::Alert(1));
    assert!(run.owes(&Effect::Start));
    start(&mut run, &mut log).unwrap();
    assert_eq!(run.phase, Phase::Running);
    assert_eq!(Run::replay(&log).unwrap().as_ref(), Some(&run));
}

#[test]
fn a_channel_that_cannot_be_told_ends_it() {
    let (mut run, mut log) = agreed(1);
    let key = PostKey::Alert(1);
    feed(&mut run, &mut log, Input::PostBegun { key: key.clone() }, at(11)).unwrap();
    feed(&mut run, &mut log, Input::PostFailed { key, cause: "is_archived".into() }, at(11)).unwrap();
    assert!(run.owes(&Effect::Start));
    start(&mut run, &mut log).unwrap();
    assert_eq!(run.phase, Phase::Withdrawn);
    assert_eq!(
        run.ended_by.as_ref().unwrap().1,
        "a channel that has to be told before a rule is overridden could not be told: is_archived"
    );
    assert!(!run.owes_review(), "nothing was done");
}

#[test]
fn the_review_stays_open_until_somebody_else_closes_it() {
    let (mut run, mut log) = finished(1);
    assert!(run.owes_review() && !run.is_settled(), "a restart would forget it");
    for (who, groups) in [("U0ANA", ["dba"]), ("U0ARNE", ["dba"]), ("U0SUE", ["sre"])] {
        let refused = feed(&mut run, &mut log, look(asker(who, &groups)), at(30));
        assert!(matches!(refused, Err(Refusal::MayNotReview(_))), "{who}: {refused:?}");
    }
    feed(&mut run, &mut log, look(asker("U0DORA", &["dba"])), at(31)).unwrap();
    assert!(!run.owes_review() && !run.is_settled());
    assert_eq!(feed(&mut run, &mut log, look(asker("U0DAN", &["dba"])), at(32)), Err(Refusal::NoReview));
    post(&mut run, &mut log, PostKey::Reviewed);
    assert!(run.is_settled());
    assert_eq!(Run::replay(&log).unwrap().as_ref(), Some(&run));
}

#[test]
fn a_review_that_is_late_is_told_once_and_still_owed() {
    let (mut run, mut log) = finished(2);
    let due = run.review_by().unwrap();
    assert_eq!(due, at(20 + 3600));
    assert!(run.owes(&Effect::Alarm(due)));
    assert_eq!(feed(&mut run, &mut log, Input::Tick, at(20 + 3599)), Ok(()));
    assert!(!run.review_late);
    feed(&mut run, &mut log, Input::Tick, due).unwrap();
    assert!(run.review_late && run.owes(&Effect::Post(PostKey::Overdue(1))) && !run.owes(&Effect::Alarm(due)));
    post(&mut run, &mut log, PostKey::Overdue(1));
    post(&mut run, &mut log, PostKey::Overdue(2));
    assert!(run.owes_review() && run.effects().is_empty() && !run.is_settled());
    feed(&mut run, &mut log, look(asker("U0DORA", &["dba"])), at(9000)).unwrap();
    assert!(run.owes(&Effect::Post(PostKey::Reviewed)));
}

#[test]
fn what_never_started_waits_for_no_review() {
    let (mut run, mut log) = agreed(1);
    feed(&mut run, &mut log, Input::Cancel { by: ana(), allowed: true }, at(11)).unwrap();
    assert!(!run.owes_review());
    assert_eq!(feed(&mut run, &mut log, look(asker("U0DORA", &["dba"])), at(12)), Err(Refusal::NoReview));
    // A notice that was on its way is still settled.
    let (mut run, mut log) = agreed(1);
    feed(&mut run, &mut log, Input::PostBegun { key: PostKey::Alert(1) }, at(11)).unwrap();
    feed(&mut run, &mut log, Input::Cancel { by: ana(), allowed: true }, at(11)).unwrap();
    assert!(run.owes(&Effect::SettlePost(PostKey::Alert(1))));
}

fn overriding(rules: &[&str]) -> Decision {
    let rule = |id: &&str| crate::policy::Reason { rule: (*id).into(), text: "x".into() };
    Decision { overridden: rules.iter().map(rule).collect(), ..needs(1) }
}

#[test]
fn a_rule_that_comes_to_stand_in_the_way_is_overridden_only_with_a_new_yes() {
    let proposal = Proposal { glass: Some(glass(1)), ..proposal(overriding(&["xmas"]), |_| {}, 1, 2) };
    let mut run = Run::proposed(proposal);
    let mut log = vec![Event::Proposed(Box::new(run.proposal.clone()))];
    post(&mut run, &mut log, PostKey::Root);
    post(&mut run, &mut log, PostKey::Ask);
    let yes = Input::Approve { by: asker("U0ARNE", &["sre"]), digest: run.proposal.digest };
    feed(&mut run, &mut log, yes.clone(), at(10)).unwrap();
    post(&mut run, &mut log, PostKey::Alert(1));
    // Fewer are no news.
    let fewer = same(&run, overriding(&[]));
    assert_eq!(feed(&mut run, &mut log, Input::Reconsider { today: fewer }, at(11)), Err(Refusal::Stale));
    let more = same(&run, overriding(&["audit", "xmas"]));
    feed(&mut run, &mut log, Input::Start { today: more.clone() }, at(12)).unwrap();
    assert_eq!((run.phase, run.is_agreed()), (Phase::AwaitingApproval, false));
    assert_eq!(run.proposal.decision.overridden.len(), 2);
    assert!(run.owes(&Effect::Post(PostKey::Notice(1))), "whoever agreed is told");
    feed(&mut run, &mut log, yes, at(13)).unwrap();
    feed(&mut run, &mut log, Input::Start { today: more }, at(14)).unwrap();
    assert_eq!(run.phase, Phase::Running);
    assert_eq!(Run::replay(&log).unwrap().as_ref(), Some(&run));
}

#[test]
fn where_other_people_have_to_be_told_or_to_look_it_is_asked_anew() {
    for change in [
        |glass: &mut Glass| glass.notify.push("slack:T0MUSTER:C0AUDIT".parse().unwrap()),
        |glass: &mut Glass| glass.review = vec!["sre".into()],
        |glass: &mut Glass| glass.review_within = Millis::from_secs(1),
    ] {
        let (mut run, mut log) = agreed(1);
        post(&mut run, &mut log, PostKey::Alert(1));
        let mut today = same(&run, needs(1));
        change(today.glass.as_mut().unwrap());
        feed(&mut run, &mut log, Input::Start { today }, at(12)).unwrap();
        assert_eq!(run.phase, Phase::Withdrawn);
    }
}

#[test]
fn a_held_run_does_not_go_on_over_a_rule_that_has_come_since() {
    let few = |book: &mut crate::runbook::Runbook| book.rollout.hold = crate::runbook::HoldAfter::Always;
    let proposal = Proposal { glass: Some(glass(1)), ..proposal(overriding(&["xmas"]), few, 2, 3) };
    let mut run = Run::proposed(proposal);
    let mut log = vec![Event::Proposed(Box::new(run.proposal.clone()))];
    let yes = Event::Approved {
        by: Principal::slack("T0MUSTER", "U0ARNE"),
        stands_for: None,
        groups: vec!["sre".into()],
        digest: run.proposal.digest,
        at: at(1),
    };
    let held = Event::Held { hold: 1, cause: HoldCause::Wave { wave: 1, errors: 0 }, until: at(900), at: at(5) };
    for event in [yes, Event::Started { at: at(2) }, held] {
        run.evolve(&event).unwrap();
        log.push(event);
    }
    let by = asker("U0PRIYA", &["sre"]);
    let go_on = |run: &Run, decision: Decision| {
        let input = Input::Continue { by: by.clone(), revision: run.revision, allowed: true, decision };
        run.decide(input, at(6))
    };
    let refused = go_on(&run, overriding(&["audit", "xmas"]));
    assert_eq!(
        refused,
        Err(Refusal::NoLongerPermitted("`audit` stands in the way now, and nobody agreed to override it".into()))
    );
    assert!(go_on(&run, overriding(&["xmas"])).is_ok());
    // Whoever let it go on has decided, and looks at nothing afterwards.
    for event in [Event::Continued { hold: 1, by: by.principal.clone(), at: at(7) }, Event::Finished { at: at(8) }] {
        run.evolve(&event).unwrap();
    }
    let reviewers = BTreeSet::from(["sre".to_owned()]);
    let look = |who: &str| {
        let input = Input::Review { by: asker(who, &["sre"]), found: "fine".into(), reviewers: reviewers.clone() };
        run.decide(input, at(9))
    };
    assert_eq!(look("U0PRIYA"), Err(Refusal::MayNotReview(CannotApprove::Already)));
    assert!(look("U0SUE").is_ok());
}
