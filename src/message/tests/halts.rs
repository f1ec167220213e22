//! Everything halted: what cards say of it, and the answers to whoever halts or resumes.

use super::make::*;
use super::read;
use crate::domain::{Outcome, Principal, RunId};
use crate::message::halt::{self, Halted, Open};
use crate::message::home::{Facts, Health};
use crate::message::{View, ask, home, root};
use crate::run::{Halt, Phase, Run, SendState};

fn halted(why: Option<&str>) -> View {
    let halt = Halt { by: arne(), at: at("14:05"), why: why.map(str::to_owned) };
    View { halted: Some(Halted { halt, resume: Some(vec!["lead".into(), "sre".into()]) }), ..view() }
}

/// Twelve nodes: one done, two in flight.
fn running() -> Run {
    let mut run = approved(run(plan(12), needs(1), Phase::Running));
    end(&mut run, "web-1", Outcome::Succeeded, Some(0), "active\n");
    let shard = &run.proposal.plan.shards[1];
    run.shards[1].state = SendState::Sent {
        command: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        token: "t".into(),
        targets: shard.targets.clone(),
        signed_at: at("14:04"),
        at: at("14:04"),
    };
    run
}

#[test]
fn the_card_of_every_open_run_says_that_everything_is_halted() {
    let view = halted(Some("the storage array fails"));
    let waiting = run(plan(12), needs(1), Phase::AwaitingApproval);
    let agreed = run(plan(12), permit(), Phase::AwaitingApproval);
    let top = |card| read(&card).lines().take(5).collect::<Vec<_>>().join("\n");
    let told = [
        top(root(&waiting, None, &view)),
        top(ask(&waiting, &view)),
        top(root(&agreed, None, &view)),
        top(root(&running(), None, &view)),
    ];
    insta::assert_snapshot!(told.join("\n-----\n"));
    let mut over = running();
    rest_succeeds(&mut over, "active\n");
    finish(&mut over);
    for card in [root(&over, None, &view), ask(&over, &view), ask(&running(), &view)] {
        assert!(!read(&card).contains("Everything is halted"), "{}", read(&card));
    }
}

#[test]
fn a_halt_says_what_may_still_run_and_how_one_run_is_stopped() {
    let (running, waiting) = (running(), run(plan(12), needs(1), Phase::AwaitingApproval));
    let runs = [(&running, "r-7F3K".to_owned()), (&waiting, "r-9QX2".to_owned())];
    insta::assert_snapshot!(read(&halt::halted(Open { runs: &runs, others: (2, 7) }, &halted(None))));
}

#[test]
fn a_list_of_many_runs_is_cut_and_says_by_how_many() {
    let running = running();
    let runs: Vec<(&Run, String)> = (10..23).map(|n| (&running, format!("r-00{n}"))).collect();
    let open = Open { runs: &runs, others: (0, 0) };
    let before = Halt { by: Principal::host("ops-1", "root"), at: at("14:05"), why: Some("a drill?".into()) };
    let told = [halt::halted(open, &halted(None)), halt::resumed(&arne(), at("15:10"), Some(&before), open)];
    insta::assert_snapshot!(told.map(|card| read(&card)).join("\n-----\n"));
}

#[test]
fn the_own_page_begins_with_the_halt() {
    let health = Health {
        accounts: 3,
        unreadable: vec![],
        names_shown: true,
        asked: true,
        journal: true,
        runbooks: 26,
        rules_since: at("09:00"),
    };
    let facts = Facts { mine: vec![], waiting: vec![], recent: vec![], health, nobody: RunId(ulid::Ulid::nil()) };
    let first = |view: &View| read(&home(&facts, view).sections[0]);
    insta::assert_snapshot!(first(&halted(None)), @"
    Halted

    Everything is halted by slack:T0MUSTER:U0ARNE since 2026-11-22 14:05 UTC, no reason given. Nothing new is sent and no run starts. @lead and @sre can resume: `/runbook resume`
    ");
    assert!(first(&view()).starts_with("Run something"));
}
