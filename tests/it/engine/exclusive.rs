//! Runs that want their nodes for themselves: one waits for the other, and says for which.

use std::sync::atomic::Ordering;
use std::time::Duration;

use muster::engine::Engine;
use muster::message::{Button, Verb, to_text};
use muster::ports::{Control, InvocationStatus, Order};
use muster::run::Event;

use super::seen::{BOTH_NODES, canary_held, card_says, halts, last_words, operator, until, with_a_way_back};
use super::stage::{SUSAN, Said, World, name, settings, world};

/// A run whose canary has failed, and which is held; then one on the canary alone, which waits for it.
async fn one_held_and_one_waiting(world: &World, engine: &Engine) -> Vec<Button> {
    let buttons = canary_held(world, engine).await;
    let canary = {
        let taken = world.journal.taken.lock().await;
        let events = || taken.iter().flat_map(|c| &c.events);
        let plan = events().find_map(|e| if let Event::Proposed(p) = e { Some(p.plan.clone()) } else { None });
        let sent =
            events().find_map(|e| if let Event::SendIntent { targets, .. } = e { Some(targets[0]) } else { None });
        plan.unwrap().targets[sent.unwrap() as usize].target.node.clone()
    };
    world.types(engine, &format!("run time-sync on nodes={canary} because \"a test\"")).await;
    let card = card_says(world, "it waits for").await;
    assert!(card.contains("which changes 1 of these nodes"), "{card}");
    buttons
}

/// Starts, ways back and ends, in the order of the journal.
async fn order(world: &World) -> Vec<&'static str> {
    let taken = world.journal.taken.lock().await;
    let names = taken.iter().flat_map(|c| &c.events).map(Event::name);
    names.filter(|name| ["started", "rollback_started", "finished"].contains(name)).collect()
}

#[tokio::test]
async fn whoever_wants_a_node_for_itself_waits_until_a_held_run_has_taken_its_way_back() {
    let world = world();
    let engine = world.engine_with(settings(), with_a_way_back).await;
    let buttons = one_held_and_one_waiting(&world, &engine).await;
    let back = buttons.iter().find(|b| b.verb == Verb::RollBack).expect("a way back");
    world.clicks_as(SUSAN, &engine, back).await;
    last_words(&world, 2).await;
    assert_eq!(order(&world).await, ["started", "rollback_started", "finished", "started", "finished"]);
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 3, "the canary, its way back, the canary again");
}

#[tokio::test]
async fn a_hold_that_nobody_decides_frees_its_nodes_in_the_end() {
    let world = world();
    let first = world.engine_with(settings(), with_a_way_back).await;
    one_held_and_one_waiting(&world, &first).await;
    first.stop();
    world.clock.forward(Duration::from_secs(11 * 60));
    let engine = world.engine_with(settings(), with_a_way_back).await;
    last_words(&world, 2).await;
    drop(engine);
    assert_eq!(order(&world).await, ["started", "finished", "started", "finished"]);
}

#[tokio::test]
async fn of_two_runs_that_may_start_at_the_same_moment_one_starts_and_the_other_waits_for_it() {
    let world = world();
    let engine = world.engine(settings()).await;
    halts(&world, &engine).await;
    for _ in 0..2 {
        world.types(&engine, BOTH_NODES).await;
    }
    let waiting = |said: &[Said]| {
        let roots = said.iter().filter_map(|s| match s {
            Said::Edit { id, card } if name(id) == "root" => Some((id.clone(), to_text(card))),
            Said::Post { key, card } if name(key) == "root" => Some((key.clone(), to_text(card))),
            _ => None,
        });
        let waiting: std::collections::BTreeSet<String> =
            roots.filter(|(_, text)| text.contains("halted before its start")).map(|(key, _)| key).collect();
        (waiting.len() == 2).then_some(())
    };
    world.chat.until("both cards", waiting).await;
    // Whoever has seen that the nodes are free has to look up who asks for it: there each could overtake the other.
    world.directory.members.shut();
    let before = world.directory.members.came.load(Ordering::SeqCst);
    assert!(engine.order(&operator(), Order::Resume).await.done);
    until("the first", || world.directory.members.came.load(Ordering::SeqCst) > before).await;
    world.directory.members.open();
    card_says(&world, "it waits for").await;
    let well = "service: chronyd active\nverdict: synchronised\n";
    *world.cloud.ending.lock().unwrap() = Some(Box::new(|_| (InvocationStatus::Success, 0, well.to_owned(), false)));
    world.cloud.let_end.store(true, Ordering::Relaxed);
    last_words(&world, 2).await;
    assert_eq!(order(&world).await, ["started", "finished", "started", "finished"]);
}
