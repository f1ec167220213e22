//! Control over a run that goes on: a cancel, a halt and a deadline are in time wherever they fall.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::poll;
use muster::adapters::clock::SystemClock;
use muster::domain::CommandId;
use muster::engine::Engine;
use muster::message::Verb;
use muster::ports::{Clock as _, Control, Order, Told};
use muster::run::Event;

use super::seen::{
    RUN, TWO_STEPS, canary_held, card_says, halts, intents, last_words, operator, resumes, run_of, until, while_halted,
    with_a_way_back,
};
use super::stage::{DAY, SUSAN, Said, World, settings, world};

/// A run whose intent is durable, and whose sender does not know it yet.
async fn between_intent_and_call(world: &World, engine: &Engine) {
    // What is sent all the same comes to an end.
    world.cloud.let_end.store(true, Ordering::Relaxed);
    world.journal.intents.shut();
    world.types(engine, RUN).await;
    until("the intent", || world.journal.intents.came.load(Ordering::SeqCst) > 0).await;
}

/// The order is given, and then the intent goes on; returns when it is carried out.
async fn given_before_the_call(world: &World, engine: &Engine, order: Order) {
    let by = operator();
    let mut given = pin!(engine.order(&by, order));
    assert!(poll!(&mut given).is_pending(), "it waits behind the intent");
    world.journal.intents.open();
    let Told { done, card } = given.await;
    assert!(done, "{card:#?}");
}

fn sends(world: &World) -> u32 {
    world.cloud.sends.load(Ordering::SeqCst)
}

fn cancel_of(world: &World) -> Order {
    Order::Cancel { run: run_of(world).parse().unwrap() }
}

async fn cancels(world: &World, engine: &Engine) {
    let Told { done, card } = engine.order(&operator(), cancel_of(world)).await;
    assert!(done, "{card:#?}");
}

/// A run whose nodes have ended the first of two steps, and whose session for the second is being opened.
async fn before_the_second_step(world: &World, engine: &Engine) {
    world.types(engine, TWO_STEPS).await;
    until("the first send", || sends(world) == 1).await;
    world.cloud.opening.shut();
    let before = world.cloud.opening.came.load(Ordering::SeqCst);
    world.cloud.let_end.store(true, Ordering::Relaxed);
    until("the second session", || world.cloud.opening.came.load(Ordering::SeqCst) > before).await;
}

#[tokio::test]
async fn a_cancel_between_the_intent_and_the_call_is_in_time() {
    let world = world();
    let engine = world.engine(settings()).await;
    between_intent_and_call(&world, &engine).await;
    given_before_the_call(&world, &engine, cancel_of(&world)).await;
    last_words(&world, 1).await;
    assert_eq!(sends(&world), 0, "it was cancelled before the call");
    card_says(&world, "2 not started").await;
}

#[tokio::test]
async fn a_halt_between_the_intent_and_the_call_is_in_time_and_after_the_resume_it_is_sent_once() {
    let world = world();
    let engine = world.engine(settings()).await;
    between_intent_and_call(&world, &engine).await;
    given_before_the_call(&world, &engine, Order::Halt { because: None }).await;
    card_says(&world, "halted; 0 of 2 nodes done").await;
    assert_eq!(sends(&world), 0, "it was halted before the call");
    resumes(&world, &engine).await;
    last_words(&world, 1).await;
    assert_eq!(sends(&world), 1);
    assert_eq!(intents(&world.journal.taken.lock().await), 2, "an intent that came to nothing, and one that was sent");
}

#[tokio::test]
async fn a_deadline_between_the_intent_and_the_call_is_in_time() {
    let world = world();
    let engine = world.engine(settings()).await;
    between_intent_and_call(&world, &engine).await;
    world.clock.forward(DAY);
    world.journal.intents.open();
    last_words(&world, 1).await;
    assert_eq!(sends(&world), 0, "its time was over before the call");
    card_says(&world, "Its own deadline passed").await;
}

#[tokio::test]
async fn what_is_still_planned_is_not_there_to_cancel_and_before_its_session_is_open_a_cancel_sends_nothing() {
    let world = world();
    let engine = world.engine(settings()).await;
    world.cloud.reading.shut();
    world.types(&engine, RUN).await;
    until("the plan", || world.cloud.reading.came.load(Ordering::SeqCst) > 0).await;
    let told = world.asks(&engine, "cancel r-0000").await;
    assert!(told.starts_with("There is no run r-0000"), "{told}");
    world.cloud.opening.shut();
    world.cloud.reading.open();
    until("the session", || world.cloud.opening.came.load(Ordering::SeqCst) > 0).await;
    cancels(&world, &engine).await;
    world.cloud.opening.open();
    last_words(&world, 1).await;
    assert_eq!((sends(&world), intents(&world.journal.taken.lock().await)), (0, 0));
    card_says(&world, "2 not started").await;
}

#[tokio::test]
async fn a_cancel_between_two_steps_keeps_the_second_back_and_tells_no_node_as_not_started() {
    let world = world();
    let engine = world.engine(settings()).await;
    before_the_second_step(&world, &engine).await;
    cancels(&world, &engine).await;
    world.cloud.opening.open();
    last_words(&world, 1).await;
    assert_eq!(sends(&world), 1);
    let status = world.asks(&engine, &format!("status {}", run_of(&world))).await;
    assert!(status.contains("2 cancelled") && !status.contains("not started"), "{status}");
}

#[tokio::test]
async fn a_cancel_on_the_way_back_sends_no_more_of_it_and_says_where_it_did_not_go() {
    let world = world();
    let engine = world.engine_with(settings(), with_a_way_back).await;
    let buttons = canary_held(&world, &engine).await;
    world.cloud.opening.shut();
    let before = world.cloud.opening.came.load(Ordering::SeqCst);
    world.clicks_as(SUSAN, &engine, buttons.iter().find(|b| b.verb == Verb::RollBack).unwrap()).await;
    until("the way back", || world.cloud.opening.came.load(Ordering::SeqCst) > before).await;
    cancels(&world, &engine).await;
    world.cloud.opening.open();
    last_words(&world, 1).await;
    assert_eq!(sends(&world), 1, "the canary, and no way back");
    let status = world.asks(&engine, &format!("status {}", run_of(&world))).await;
    let line = "time-sync: 0 of 2 nodes succeeded, 1 failed, 1 not started: 1 × exit code 1, no output; rolled back 0 of 1 node\n";
    assert!(status.starts_with(line), "{status}");
}

#[tokio::test]
async fn a_run_that_is_held_does_not_go_on_into_a_freeze() {
    let world = world();
    let begins = SystemClock.now() + Duration::from_secs(600);
    let freeze = format!(
        "\n[[freeze]]\nid = \"soon\"\nfrom = \"{begins}\"\nto = \"{}\"\nwhere = [\"*\"]\nbecause = \"it snows\"\n",
        begins + DAY
    );
    let engine = world.engine_with(settings(), |name, text| {
        if name.ends_with("default.toml") { text + &freeze } else { with_a_way_back(name, text) }
    });
    let engine = engine.await;
    let buttons = canary_held(&world, &engine).await;
    world.clock.forward(Duration::from_secs(601));
    world.clicks_as(SUSAN, &engine, buttons.iter().find(|b| b.verb == Verb::Continue).unwrap()).await;
    let refused = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Whisper(card) => Some(muster::message::text::render(card)).filter(|t| t.contains("it snows")),
            Said::Post { .. } | Said::Edit { .. } => None,
        })
    };
    let refused = world.chat.until("the refusal", refused).await;
    assert!(refused.contains("The freeze until"), "{refused}");
    assert_eq!(sends(&world), 1, "the canary alone");
}

#[tokio::test]
async fn a_cancel_while_everything_is_halted_ends_the_run_and_not_the_halt() {
    let world = world();
    let engine = world.engine(settings()).await;
    before_the_second_step(&world, &engine).await;
    halts(&world, &engine).await;
    world.cloud.opening.open();
    card_says(&world, "2 waiting").await;
    cancels(&world, &engine).await;
    last_words(&world, 1).await;
    assert_eq!(sends(&world), 1);
    let status = world.asks(&engine, "status").await;
    assert!(status.contains("Everything is halted by"), "{status}");
}

#[tokio::test]
async fn a_run_that_is_halted_past_its_deadline_ends_and_says_so_while_the_halt_goes_on() {
    let world = world();
    let first = world.engine(settings()).await;
    before_the_second_step(&world, &first).await;
    halts(&world, &first).await;
    world.cloud.opening.open();
    card_says(&world, "2 waiting").await;
    first.stop();
    // Deadlines go on counting while everything is halted.
    world.clock.forward(DAY);
    let engine = world.engine(settings()).await;
    last_words(&world, 1).await;
    assert_eq!(sends(&world), 1);
    let status = world.asks(&engine, &format!("status {}", run_of(&world))).await;
    let lines = "disk-usage: 0 of 2 nodes succeeded, 2 cancelled: the run's deadline passed between two steps\n\nIts own deadline passed;";
    assert!(status.starts_with(lines), "{status}");
    assert!(!while_halted(&world.journal.taken.lock().await).iter().any(|e| matches!(e, Event::SendIntent { .. })));
}

#[tokio::test]
async fn where_aws_made_two_commands_of_one_send_the_earlier_counts_and_the_other_is_cancelled_with_an_alert() {
    let world = world();
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    // Every task of this test runs on this thread.
    let _here = metrics::set_default_local_recorder(&metrics);
    let engine = world.engine(settings()).await;
    world.cloud.takes_twice.store(true, Ordering::SeqCst);
    world.cloud.let_end.store(true, Ordering::Relaxed);
    world.types(&engine, RUN).await;
    last_words(&world, 1).await;
    let id = |n: u32| format!("00000000-0000-0000-0000-{n:012}").parse::<CommandId>().unwrap();
    let taken = world.journal.taken.lock().await;
    let adopted: Vec<_> = taken
        .iter()
        .flat_map(|c| &c.events)
        .filter_map(|e| match e {
            Event::Sent { command, adopted, .. } => Some((command.clone(), *adopted)),
            _ => None,
        })
        .collect();
    assert_eq!(adopted, [(id(1), true)]);
    assert_eq!(*world.cloud.cancelled.lock().unwrap(), [id(2)]);
    let told = metrics.handle().render();
    assert!(told.contains("muster_double_sends_total 1"), "{told}");
}

#[tokio::test]
async fn a_halt_between_the_last_check_and_the_start_is_in_time() {
    let world = world();
    let engine = world.engine(settings()).await;
    let gives = async |order: Order| assert!(engine.order(&operator(), order).await.done);
    gives(Order::Halt { because: None }).await;
    world.types(&engine, RUN).await;
    card_says(&world, "halted before its start").await;
    // The last check asks who the requester is.
    world.directory.members.shut();
    let before = world.directory.members.came.load(Ordering::SeqCst);
    gives(Order::Resume).await;
    until("the last check", || world.directory.members.came.load(Ordering::SeqCst) > before).await;
    gives(Order::Halt { because: None }).await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    world.directory.members.open();
    // Whoever types is looked up behind the run, which has had its turn then.
    let status = world.asks(&engine, "status").await;
    assert!(status.contains("top-processes: about to start"), "{status}");
    gives(Order::Resume).await;
    last_words(&world, 1).await;
    let taken = world.journal.taken.lock().await;
    let resumed = taken.iter().rposition(|c| !c.facts.is_empty()).unwrap();
    let started = taken.iter().position(|c| c.events.iter().any(|e| matches!(e, Event::Started { .. }))).unwrap();
    assert!(started > resumed, "it started while everything was halted");
}
