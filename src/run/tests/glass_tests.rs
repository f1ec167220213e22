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

fn start(run: &mut Run, log: &mut Vec<Event>) -> Result<(), Refusal> {
    feed(run, log, Input::Start { today: today(needs(1)) }, at(12))
}

fn finished(channels: u32) -> (Run, Vec<Event>) {
    let (mut run, mut log) = agreed(channels);
    (1..=channels).for_each(|n| post(&mut run, &mut log, PostKey::Alert(n)));
    start(&mut run, &mut log).unwrap();
    for event in [Event::Finished { at: at(20) }] {
        run.evolve(&event).unwrap();
        log.push(event);
    }
    post(&mut run, &mut log, PostKey::Results);
    post(&mut run, &mut log, PostKey::Closing);
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
        "a channel that has to be told before a rule is overridden could not be: is_archived"
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
    assert_eq!(due, at(12 + 3600));
    assert!(run.owes(&Effect::Alarm(due)));
    assert_eq!(feed(&mut run, &mut log, Input::Tick, at(12 + 3599)), Ok(()));
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
