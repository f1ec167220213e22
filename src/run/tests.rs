//! Examples. Seeded histories stand in [`history_tests`], whose nodes are taken and what may be called in [`control_tests`], the holds and the way back in [`hold_tests`], retries in [`retry_tests`], changes of rules, people and plan while it waits in [`standing_tests`].

mod control_tests;
mod glass_tests;
mod history_tests;
mod hold_tests;
mod interleaving_tests;
mod large_tests;
mod oracle;
mod retry_tests;
mod standing_tests;

use std::collections::BTreeSet;

use super::*;
use crate::domain::{ChatPlatform, CommandId, Digest, Millis, Outcome, Place, Principal, RunId, Selector, Timestamp};
use crate::plan::{Delivery, build, testing};
use crate::policy::{Asker, CannotApprove, Decision, Seats, Verdict};
use crate::runbook::Arguments;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn ana() -> Principal {
    Principal::slack("T0MUSTER", "U0ANA")
}

fn asker(user: &str, groups: &[&str]) -> Asker {
    Asker {
        principal: Principal::slack("T0MUSTER", user),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        foreign: false,
        bot: false,
        twins: BTreeSet::new(),
        channel: None,
    }
}

fn permit() -> Decision {
    Decision {
        verdict: Verdict::Permit,
        quorum: vec![],
        expires: None,
        reasons: vec![],
        overridden: vec![],
        could: vec![],
    }
}

fn forbid() -> Decision {
    let reasons = vec![crate::policy::Reason { rule: "freeze".into(), text: "a freeze has begun".into() }];
    Decision { verdict: Verdict::Forbid, reasons, ..permit() }
}

fn needs(count: u32) -> Decision {
    Decision {
        verdict: Verdict::PermitWithApproval,
        quorum: vec![Seats { group: "sre".into(), count, rules: vec!["prod".into()] }],
        expires: Some(Millis::from_secs(600)),
        ..permit()
    }
}

/// What the rules of this moment say; those who agreed are looked at by nobody.
fn today(decision: Decision) -> Today {
    Today { decision, policy: Digest::of(b"policy of today"), approvers: vec![], glass: None }
}

fn proposal(
    decision: Decision,
    shape: impl FnOnce(&mut crate::runbook::Runbook),
    accounts: u32,
    nodes: u32,
) -> Proposal {
    let mut book = testing::runbook();
    shape(&mut book);
    let world = testing::snapshot(accounts, nodes);
    let plan = build(&book, Arguments::new(), &Selector::default(), &world, Delivery::Inline).unwrap();
    Proposal {
        run: RunId(ulid::Ulid::from_parts(1, 7)),
        by: ana(),
        place: Place {
            platform: ChatPlatform::Slack,
            tenant: "T0MUSTER".into(),
            channel: "C0OPS".into(),
            thread: None,
        },
        request: "run restart-service on env=staging".into(),
        reason: None,
        digest: plan.digest(),
        plan: plan.into(),
        decision,
        policy: Digest::of(b"policy"),
        identity: None,
        asking: Default::default(),
        glass: None,
        retry: None,
        at: at(0),
    }
}

fn glass(channels: u32) -> Glass {
    Glass {
        notify: (1..=channels).map(|n| format!("slack:T0MUSTER:C0SEC{n}").parse().unwrap()).collect(),
        review: vec!["dba".into()],
        review_within: Millis::from_secs(3600),
    }
}

/// Feeds one input and folds its events, as the engine does.
fn feed(run: &mut Run, log: &mut Vec<Event>, input: Input, now: Timestamp) -> Result<(), Refusal> {
    for event in run.decide(input, now)? {
        run.evolve(&event).unwrap();
        log.push(event);
    }
    Ok(())
}

fn message(key: &PostKey) -> crate::domain::MessageRef {
    crate::domain::MessageRef {
        platform: ChatPlatform::Slack,
        channel: "C0OPS".into(),
        id: key.to_string(),
        tenant: None,
    }
}

fn post(run: &mut Run, log: &mut Vec<Event>, key: PostKey) {
    feed(run, log, Input::PostBegun { key: key.clone() }, at(1)).unwrap();
    let message = message(&key);
    feed(run, log, Input::Posted { key, message }, at(1)).unwrap();
}

#[test]
fn nothing_starts_before_the_card_stands_in_the_channel() {
    let mut run = Run::proposed(proposal(permit(), |_| {}, 1, 2));
    let mut log = vec![];
    assert_eq!(*run.effects(), BTreeSet::from([Effect::Post(PostKey::Root), Effect::Alarm(run.start_by())]));
    assert_eq!(feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(1)), Err(Refusal::Stale));
    post(&mut run, &mut log, PostKey::Root);
    assert!(run.effects().contains(&Effect::Start));
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(2)).unwrap();
    assert_eq!(run.phase, Phase::Running);
}

#[test]
fn the_requester_cannot_approve_and_one_person_fills_one_seat() {
    let mut run = Run::proposed(proposal(needs(2), |_| {}, 1, 2));
    let mut log = vec![];
    let digest = run.proposal.digest;
    post(&mut run, &mut log, PostKey::Root);
    let refused = feed(&mut run, &mut log, Input::Approve { by: asker("U0ANA", &["sre"]), digest }, at(2));
    assert_eq!(refused, Err(Refusal::MayNotDecide(CannotApprove::Requester)));
    feed(&mut run, &mut log, Input::Approve { by: asker("U0BO", &["sre"]), digest }, at(2)).unwrap();
    let twice = feed(&mut run, &mut log, Input::Approve { by: asker("U0BO", &["sre"]), digest }, at(2));
    assert!(matches!(twice, Err(Refusal::MayNotDecide(_))), "{twice:?}");
    assert!(!run.effects().contains(&Effect::Start));
    feed(&mut run, &mut log, Input::Approve { by: asker("U0CY", &["sre"]), digest }, at(3)).unwrap();
    assert!(run.effects().contains(&Effect::Start));
}

#[test]
fn an_approval_of_another_digest_or_after_the_expiry_counts_for_nothing() {
    let mut run = Run::proposed(proposal(needs(1), |_| {}, 1, 2));
    let mut log = vec![];
    let digest = run.proposal.digest;
    let by = asker("U0BO", &["sre"]);
    let other = Digest::of(b"other");
    assert_eq!(
        feed(&mut run, &mut log, Input::Approve { by: by.clone(), digest: other }, at(2)),
        Err(Refusal::OtherPlan)
    );
    assert_eq!(feed(&mut run, &mut log, Input::Approve { by: by.clone(), digest }, at(600)), Err(Refusal::Expired));
    feed(&mut run, &mut log, Input::Tick, at(599)).unwrap();
    assert_eq!(run.phase, Phase::AwaitingApproval);
    feed(&mut run, &mut log, Input::Tick, at(600)).unwrap();
    assert_eq!(run.phase, Phase::Expired);
    assert_eq!(feed(&mut run, &mut log, Input::Approve { by, digest }, at(601)), Err(Refusal::Over(Phase::Expired)));
}

#[test]
fn an_agreed_run_that_could_not_start_in_time_asks_again() {
    let mut run = Run::proposed(proposal(permit(), |_| {}, 1, 2));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    assert_eq!(run.start_by(), at(15 * 60));
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(15 * 60)).unwrap();
    assert_eq!(run.phase, Phase::Expired);
    assert!(run.started.is_none());
}

#[test]
fn one_no_ends_it_and_a_yes_after_it_is_told_so() {
    let mut run = Run::proposed(proposal(needs(1), |_| {}, 1, 2));
    let mut log = vec![];
    let digest = run.proposal.digest;
    feed(&mut run, &mut log, Input::Deny { by: asker("U0BO", &["sre"]), why: "not now".into() }, at(2)).unwrap();
    let late = feed(&mut run, &mut log, Input::Approve { by: asker("U0CY", &["sre"]), digest }, at(3));
    assert_eq!(late, Err(Refusal::Over(Phase::Denied)));
    assert!(run.effects().iter().all(|e| matches!(e, Effect::Post(_))), "{:?}", run.effects());
}

#[test]
fn a_policy_that_became_stricter_while_it_waited_wins() {
    let mut run = Run::proposed(proposal(permit(), |_| {}, 1, 2));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(needs(1)) }, at(2)).unwrap();
    assert_eq!((run.phase, run.is_agreed()), (Phase::AwaitingApproval, false));
    assert!(!log.iter().any(|e| matches!(e, Event::Started { .. })));
}

#[test]
fn the_error_budget_stops_what_has_not_started_and_the_counts_still_add_up() {
    let mut run = Run::proposed(proposal(
        permit(),
        |book| {
            book.rollout.waves = vec!["1".parse().unwrap(), "100%".parse().unwrap()];
            book.rollout.max_errors = "0".parse().unwrap();
        },
        2,
        3,
    ));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(2)).unwrap();
    let sends: Vec<Effect> = run.effects().iter().filter(|e| matches!(e, Effect::Send { .. })).cloned().collect();
    assert_eq!(sends, [Effect::Send { shard: 0, step: 0, send: 1 }], "only the canary may be sent");
    let token = "t".to_owned();
    feed(&mut run, &mut log, Input::SlotHeld { shard: 0, step: 0, send: 1, token, signed_at: at(2) }, at(2)).unwrap();
    let command: CommandId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let answer = Answer::Taken { command, adopted: false };
    feed(&mut run, &mut log, Input::Answered { shard: 0, step: 0, send: 1, answer }, at(3)).unwrap();
    let target = run.proposal.plan.shards[0].targets[0];
    let results = vec![NodeReport { outcome: Outcome::Failed, ..NodeReport::blank(target) }];
    feed(&mut run, &mut log, Input::Reported { shard: 0, step: 0, results }, at(4)).unwrap();
    assert!(run.effects().contains(&Effect::Settle));
    feed(&mut run, &mut log, Input::Settle, at(4)).unwrap();
    feed(&mut run, &mut log, Input::Settle, at(4)).unwrap();
    assert_eq!(run.phase, Phase::Finished);
    assert_eq!((run.counts.failed, run.counts.not_started, run.counts.pending()), (1, 5, 0));
}

#[test]
fn a_policy_that_now_forbids_it_withdraws_what_was_agreed() {
    let mut run = Run::proposed(proposal(permit(), |_| {}, 1, 2));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(forbid()) }, at(2)).unwrap();
    assert_eq!(run.phase, Phase::Withdrawn);
    let (_, why) = run.ended_by.clone().unwrap();
    assert!(why.contains("a freeze has begun"), "{why}");
}

#[test]
fn an_answer_to_an_earlier_send_changes_nothing() {
    let mut run = Run::proposed(proposal(permit(), |_| {}, 1, 1));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(2)).unwrap();
    let (shard, step) = (0, 0);
    let slot = |send: u32| Input::SlotHeld { shard, step, send, token: format!("t{send}"), signed_at: at(2) };
    feed(&mut run, &mut log, slot(1), at(2)).unwrap();
    let answer = Answer::NotTaken { cause: "throttled".into() };
    feed(&mut run, &mut log, Input::Answered { shard, step, send: 1, answer }, at(3)).unwrap();
    feed(&mut run, &mut log, slot(2), at(3)).unwrap();
    let command: CommandId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let answer = || Answer::Taken { command: command.clone(), adopted: false };
    let late = Input::Answered { shard, step, send: 1, answer: answer() };
    assert_eq!(feed(&mut run, &mut log, late, at(4)), Err(Refusal::Stale));
    feed(&mut run, &mut log, Input::Answered { shard, step, send: 2, answer: answer() }, at(4)).unwrap();
}

#[test]
fn a_node_that_a_page_repeats_is_reported_once() {
    let mut run = Run::proposed(proposal(permit(), |_| {}, 1, 1));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(2)).unwrap();
    let (shard, step, send) = (0, 0, 1);
    let slot = Input::SlotHeld { shard, step, send, token: "t".into(), signed_at: at(2) };
    feed(&mut run, &mut log, slot, at(2)).unwrap();
    let command: CommandId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let answer = Answer::Taken { command, adopted: false };
    feed(&mut run, &mut log, Input::Answered { shard, step, send, answer }, at(3)).unwrap();
    let twice = ["first", "second"].map(|cause| NodeReport {
        outcome: Outcome::Failed,
        cause: Some(cause.into()),
        ..NodeReport::blank(0)
    });
    feed(&mut run, &mut log, Input::Reported { shard, step, results: twice.to_vec() }, at(4)).unwrap();
    let told: usize =
        log.iter().map(|event| if let Event::Reported { results, .. } = event { results.len() } else { 0 }).sum();
    assert_eq!(told, 1);
}

#[test]
fn a_node_that_ran_a_step_is_never_told_as_not_started() {
    let two_steps = |book: &mut crate::runbook::Runbook| book.steps = ["one", "two"].map(testing::step).to_vec();
    let mut run = Run::proposed(proposal(permit(), two_steps, 1, 1));
    let mut log = vec![];
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(2)).unwrap();
    for (step, outcome) in [(0, Outcome::Succeeded), (1, Outcome::NotStarted(crate::domain::NotStarted::ErrorBudget))] {
        let (shard, send, token) = (0, 1, format!("{step}"));
        feed(&mut run, &mut log, Input::SlotHeld { shard, step, send, token, signed_at: at(2) }, at(2)).unwrap();
        let command: CommandId = format!("00000000-0000-0000-0000-00000000000{step}").parse().unwrap();
        let answer = Answer::Taken { command, adopted: false };
        feed(&mut run, &mut log, Input::Answered { shard, step, send, answer }, at(3)).unwrap();
        // SSM ends a command whose other nodes failed before this one's turn.
        let not_run = step == 1;
        let results = vec![NodeReport { outcome, not_run, ..NodeReport::blank(0) }];
        feed(&mut run, &mut log, Input::Reported { shard, step, results }, at(4)).unwrap();
    }
    assert_eq!(run.targets[0].outcome, Some(Outcome::Cancelled));
    let cause = run.targets[0].cause.as_deref();
    assert_eq!(cause, Some("stopped, because too many others failed, between two steps"));
    assert_eq!(run.left(Which::NotStarted), Vec::<&crate::domain::Target>::new());
}
