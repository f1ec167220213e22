//! What is said while a request waits: changes of the rules, reminders, parts.

use super::make::*;
use super::read;
use crate::message::form::{narrow, narrow_form, read_narrow};
use crate::message::{FieldKind, Values, ask, notice, refusal};
use crate::run::{Event, Lapsed, Notice, Phase, Run};

fn told(mut run: Run, notice: Notice) -> String {
    run.notices.push(notice);
    let nth = u32::try_from(run.notices.len()).unwrap();
    read(&super::super::notice(&run, nth, &view()))
}

#[test]
fn a_change_of_the_rules_says_what_it_waits_for_now() {
    let waits = || run(plan(12), needs(2), Phase::AwaitingApproval);
    let more = told(waits(), Notice::MoreAsked { lapsed: vec![] });
    let gone = Lapsed { by: arne(), why: "no longer in a group that is asked".into() };
    let fewer = told(waits(), Notice::MoreAsked { lapsed: vec![gone] });
    insta::assert_snapshot!(format!("{more}\n---\n{fewer}"));
}

#[test]
fn a_reminder_rings_those_who_may_approve_and_the_question_says_when() {
    let waits = || run(plan(12), needs(1), Phase::AwaitingApproval);
    let reminder = told(waits(), Notice::HalfTime { at: at("14:15") });
    let mut reminded = waits();
    reminded.notices.push(Notice::HalfTime { at: at("14:15") });
    let question = read(&ask(&reminded, &view()));
    insta::assert_snapshot!(format!("{reminder}\n---\n{}", question.lines().take(3).collect::<Vec<_>>().join("\n")));
}

/// Twelve nodes, of which an approver agrees to those of one account.
fn narrowed() -> Run {
    let mut run = run(plan(12), needs(2), Phase::AwaitingApproval);
    let whole = run.proposal.plan.clone();
    let values = Values::from([(narrow::ONLY.to_owned(), vec!["nodes=web-1*".to_owned()])]);
    let kept = read_narrow(&run, &values).unwrap();
    let part = whole.part(&kept).unwrap();
    let digest = part.digest();
    run.evolve(&Event::Narrowed { by: arne(), plan: Box::new(part), digest, at: at("14:05") }).unwrap();
    run
}

#[test]
fn a_part_is_told_to_whoever_asked_and_to_whoever_clicks_on_the_whole() {
    let run = narrowed();
    let requester = read(&notice(&run, 1, &view()));
    let late = read(&refusal::other_plan(&run, &view()));
    let card = read(&crate::message::root(&run, None, &view()));
    insta::assert_snapshot!(format!("{requester}\n---\n{late}\n---\n{card}"));
}

#[test]
fn a_part_is_picked_by_account_and_region_or_typed_as_a_selector() {
    let run = run(plan(12), needs(1), Phase::AwaitingApproval);
    let form = narrow_form(&run, &view());
    let choices = form.fields.iter().find_map(|field| match &field.kind {
        FieldKind::Choice { choices, .. } => Some(choices),
        _ => None,
    });
    let mut shown: Vec<String> =
        choices.into_iter().flatten().map(|choice| format!("{} = {}", choice.label, choice.value)).collect();
    let names: Vec<String> = run.proposal.plan.targets.iter().map(|t| t.name.clone()).collect();
    let first = names[0].clone();
    for (part, only) in [
        (None, None),
        (None, Some("nodes=none")),
        (None, Some("accounts=*")),
        (None, Some("regions=")),
        (Some("accounts=000000000000"), Some("nodes=*")),
        (None, Some(first.as_str())),
        (None, Some(format!("on nodes={first}").as_str())),
    ] {
        let field = |name: &str, value: Option<&str>| value.map(|v| (name.to_owned(), vec![v.to_owned()]));
        let values: Values = [field(narrow::PART, part), field(narrow::ONLY, only)].into_iter().flatten().collect();
        let read = read_narrow(&run, &values).map(|kept| kept.len());
        shown.push(format!("{part:?} {only:?}: {read:?}"));
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn too_few_who_can_approve_are_told_with_those_who_may_find_somebody() {
    let mut waits = run(plan(12), needs(2), Phase::AwaitingApproval);
    waits.proposal.asking.escalate = vec!["leads".into(), "security".into()];
    let nobody = told(waits.clone(), Notice::TooFew);
    let reminder = told(waits, Notice::HalfTime { at: at("14:15") });
    insta::assert_snapshot!(format!("{nobody}\n---\n{reminder}"));
}

#[test]
fn approvals_tell_what_waits_for_whom_and_until_when() {
    let asked = |short: &str, phase| crate::message::home::Told {
        run: run(plan(4), needs(1), phase),
        short: short.into(),
        link: Some("https://chat.example/2".into()),
    };
    let waiting = [asked("r-7F3K", Phase::AwaitingApproval), asked("r-8G4L", Phase::AwaitingApproval)];
    let shown = |waiting: &[_], mine: &[_]| {
        read(&crate::message::approvals((waiting, waiting.len()), (mine, mine.len()), &view()))
    };
    let all = [shown(&waiting, &waiting[..1]), shown(&[], &waiting[1..]), shown(&[], &[])];
    insta::assert_snapshot!(all.join("\n---\n"));
}
