//! What is left of a run, and which approvals cover it.

use super::*;
use crate::domain::NotStarted;
use crate::plan::Plan;
use crate::runbook::{Risk, Runbook};

/// A run over 6 nodes that ended in these ways, approved at second 2.
fn ended(outcomes: [Outcome; 6], risk: Risk) -> Run {
    let mut run = Run::proposed(proposal(needs(1), |book| book.risk = risk, 2, 3));
    run.approvals.push(Approval {
        by: asker("U0BO", &[]).principal,
        stands_for: None,
        groups: vec!["sre".into()],
        at: at(2),
    });
    run.phase = Phase::Finished;
    run.started = Some(at(3));
    for (target, outcome) in run.targets.iter_mut().zip(outcomes) {
        target.outcome = Some(outcome);
    }
    run
}

/// Nodes 1 to `nodes` of each of the two accounts, by the same runbook.
fn part(nodes: u32, shape: impl FnOnce(&mut Runbook)) -> Plan {
    let mut book = testing::runbook();
    shape(&mut book);
    build(&book, Arguments::new(), &Selector::default(), &testing::snapshot(2, nodes), Delivery::Inline).unwrap()
}

#[test]
fn what_may_have_run_is_only_retried_where_a_person_says_failed() {
    use Outcome::{Denied, Failed, Succeeded, TimedOut, Unknown};
    let outcomes = [Succeeded, Failed, TimedOut, Unknown, Outcome::NotStarted(NotStarted::ErrorBudget), Denied];
    let run = ended(outcomes, Risk::Change);
    let left = |run: &Run, which| {
        let targets = &run.proposal.plan.targets;
        let at = |t: &&crate::domain::Target| targets.iter().position(|p| &p.target == *t).unwrap();
        run.left(which).iter().map(at).collect::<Vec<_>>()
    };
    assert_eq!(left(&run, Which::Failed), [1, 2, 3, 5]);
    assert_eq!(left(&run, Which::NotStarted), [4]);
    assert_eq!(left(&run, Which::Retryable), [1, 4, 5]);
    // What only reads does no harm where it ran.
    assert_eq!(left(&ended(outcomes, Risk::Read), Which::Retryable), [1, 2, 3, 4, 5]);
}

#[test]
fn nothing_is_left_of_a_run_that_goes_on_and_all_of_one_that_never_started() {
    let mut run = ended([Outcome::Failed; 6], Risk::Change);
    run.phase = Phase::Running;
    assert_eq!(run.left(Which::Failed), Vec::<&crate::domain::Target>::new());
    let mut run = Run::proposed(proposal(needs(1), |_| {}, 2, 3));
    run.phase = Phase::Expired;
    assert_eq!((run.left(Which::Failed).len(), run.left(Which::NotStarted).len()), (0, 6));
}

#[test]
fn an_approval_covers_a_part_of_what_was_approved_for_four_hours_and_nothing_else() {
    let run = ended([Outcome::Failed; 6], Risk::Change);
    let covers = |plan: &Plan, second: i64| run.approvals_covering(plan, &asker("U0ANA", &[]), at(second)).len();
    assert_eq!(covers(&part(2, |_| {}), 60), 1);
    assert_eq!(covers(&part(3, |_| {}), 60), 1);
    assert_eq!(covers(&part(2, |_| {}), 2 + 4 * 3600), 1);
    assert_eq!(covers(&part(2, |_| {}), 3 + 4 * 3600), 0, "too old");
    assert_eq!(covers(&part(4, |_| {}), 60), 0, "a node that nobody approved");
    let mut elsewhere = testing::snapshot(2, 3);
    elsewhere.nodes.retain(|n| n.target.account.as_str().ends_with('2'));
    elsewhere.nodes[0].target.node = "i-00000000000000fff".parse().unwrap();
    let elsewhere =
        build(&testing::runbook(), Arguments::new(), &Selector::default(), &elsewhere, Delivery::Inline).unwrap();
    assert_eq!(covers(&elsewhere, 60), 0, "as few, but one of them nobody approved");
    for (what, plan) in [
        ("another text", part(2, |book| book.revision = Digest::of(b"other"))),
        ("another script", part(2, |book| book.steps[0].timeout = Millis::from_secs(61))),
        ("a way back", part(2, |book| book.rollback = Some(testing::step("rollback")))),
        ("more time", part(2, |book| book.rollout.deadline = Millis::from_secs(90_000))),
    ] {
        assert_eq!(covers(&plan, 60), 0, "{what}");
    }
    let mut denied = run.clone();
    denied.started = None;
    assert_eq!(denied.approvals_covering(&part(2, |_| {}), &asker("U0ANA", &[]), at(60)).len(), 0, "it never started");
}

#[test]
fn whoever_asks_for_a_retry_is_not_among_those_who_agreed_to_it() {
    let run = ended([Outcome::Failed; 6], Risk::Change);
    let approver = asker("U0BO", &[]);
    assert_eq!(run.approvals_covering(&part(2, |_| {}), &approver, at(60)), []);
    // Nor with another of their accounts.
    let other = Asker { twins: [approver.principal].into(), ..asker("U0BO2", &[]) };
    assert_eq!(run.approvals_covering(&part(2, |_| {}), &other, at(60)), []);
}

#[test]
fn a_covered_retry_starts_by_itself_and_one_that_is_not_covered_asks() {
    let old = ended([Outcome::Failed; 6], Risk::Change);
    let retry = |sealed: Vec<Approval>, by: &str| {
        let plan = part(2, |_| {});
        let retry = Some(Retry { of: old.id, attempt: 2, which: Which::Failed, sealed });
        let by = asker(by, &[]).principal;
        let run = RunId(ulid::Ulid::from_parts(2, 7));
        let base = proposal(needs(1), |_| {}, 2, 2);
        Run::proposed(Proposal { run, by, digest: plan.digest(), plan: plan.into(), retry, at: at(100), ..base })
    };
    let covered = retry(old.approvals.clone(), "U0ANA");
    assert!(covered.is_agreed() && !covered.asked);
    assert_eq!((covered.attempt(), covered.start_by()), (2, at(100 + 15 * 60)), "old approvals do not make it late");
    assert!(!retry(vec![], "U0ANA").is_agreed());
    // The approver of then asks today: his own yes does not count for himself.
    let his = retry(old.approvals.clone(), "U0BO");
    assert!(!his.is_agreed() && his.asked);
}
