//! Everything halted: nothing new is sent and no run starts, what was sent goes on, and everybody is told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use muster::message::to_text;
use muster::ports::{ChatError, Control, Journal as _, Order};
use muster::run::{Event, Fact};
use tokio::time::Instant;

use super::seen::{
    OPS, RUN, TWO_STEPS, card_says, halts, intents, is_intent, last_words, operator, posted, resumes, run_of, seen,
    until, while_halted,
};
use super::stage::{ARNE, HIDDEN, OMAR, SUSAN, Said, settings, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_the_journal_no_intent_and_no_start_follows_a_halt_wherever_it_falls() {
    const RUNS: usize = 10;
    let mut worlds = tokio::task::JoinSet::new();
    for sent_before in [0, 1, 2, 4, 7, 9] {
        worlds.spawn(async move {
            let world = world();
            world.journal.slow.store(true, Ordering::Relaxed);
            let engine = world.engine(settings()).await;
            for _ in 0..RUNS {
                world.types(&engine, RUN).await;
            }
            until("a send", || world.cloud.sends.load(Ordering::SeqCst) >= sent_before).await;
            let typed = Instant::now();
            halts(&world, &engine).await;
            // Those that were sent come to their end meanwhile; the others would have been sent by then.
            world.cloud.let_end.store(true, Ordering::Relaxed);
            let sent = world.cloud.sends.load(Ordering::SeqCst) as usize;
            last_words(&world, sent).await;
            assert_eq!(world.cloud.sends.load(Ordering::SeqCst) as usize, sent, "something was sent after the halt");
            resumes(&world, &engine).await;
            last_words(&world, RUNS).await;

            let taken = world.journal.taken.lock().await.clone();
            let held = while_halted(&taken);
            assert!(!held.iter().any(|e| is_intent(e) || matches!(e, Event::Started { .. })), "{held:#?}");
            let halt = taken.iter().find(|c| !c.facts.is_empty()).expect("the halt");
            assert!(halt.at - typed < Duration::from_secs(1), "the halt took {:?}", halt.at - typed);
            assert_eq!(world.cloud.sends.load(Ordering::SeqCst), RUNS as u32, "each was sent once");
            assert!(intents(&taken) >= RUNS, "one more where the halt came between an intent and its call");
        });
    }
    worlds.join_all().await;
}

#[tokio::test]
async fn halted_during_planning_a_run_is_shown_and_does_not_start() {
    let world = world();
    let engine = world.engine(settings()).await;
    world.cloud.reading.shut();
    world.types(&engine, RUN).await;
    until("the plan", || world.cloud.reading.came.load(Ordering::SeqCst) > 0).await;
    halts(&world, &engine).await;
    world.cloud.reading.open();
    let card = card_says(&world, "halted before its start").await;
    insta::assert_snapshot!(seen(&card));
    resumes(&world, &engine).await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    last_words(&world, 1).await;
    assert_eq!(
        while_halted(&world.journal.taken.lock().await).iter().filter(|e| matches!(e, Event::Started { .. })).count(),
        0
    );
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn halted_while_its_session_opens_nothing_is_sent_and_after_the_resume_it_is_sent_once() {
    let world = world();
    let engine = world.engine(settings()).await;
    world.cloud.opening.shut();
    world.types(&engine, RUN).await;
    until("the session", || world.cloud.opening.came.load(Ordering::SeqCst) > 0).await;
    halts(&world, &engine).await;
    // It has asked once whether everything is halted, before the session: it has to ask again before the intent.
    world.cloud.opening.open();
    insta::assert_snapshot!(seen(&card_says(&world, "halted; 0 of 2 nodes done").await));
    let status = world.asks(&engine, "status").await;
    insta::assert_snapshot!(seen(&status));
    resumes(&world, &engine).await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    last_words(&world, 1).await;
    assert!(!while_halted(&world.journal.taken.lock().await).iter().any(is_intent));
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_was_sent_is_watched_to_its_end_while_everything_is_halted() {
    let world = world();
    let engine = world.engine(settings()).await;
    world.types(&engine, RUN).await;
    until("the send", || world.cloud.sends.load(Ordering::SeqCst) > 0).await;
    card_says(&world, "2 running").await;
    world.types(&engine, "halt because \"the storage array fails\"").await;
    insta::assert_snapshot!(seen(&posted(&world, "Everything is halted").await));
    card_says(&world, "what was sent goes on").await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    last_words(&world, 1).await;
    let ended = card_says(&world, "both nodes succeeded").await;
    assert!(!ended.contains("halted"), "a run that is over is halted by nothing: {ended}");
    assert!(world.journal.facts().await.unwrap().len() == 1, "and everything is halted still");
}

#[tokio::test]
async fn between_two_steps_a_halt_holds_the_second_back() {
    let world = world();
    let engine = world.engine(settings()).await;
    world.types(&engine, TWO_STEPS).await;
    until("the first send", || world.cloud.sends.load(Ordering::SeqCst) == 1).await;
    halts(&world, &engine).await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    // Both nodes have ended the first step, so that nothing is in flight, and nothing is done either.
    card_says(&world, "2 waiting").await;
    let told = world.asks(&engine, "status").await;
    assert!(told.contains("running, 0 of 2 nodes done"), "{told}");
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 1);
    resumes(&world, &engine).await;
    last_words(&world, 1).await;
    assert!(!while_halted(&world.journal.taken.lock().await).iter().any(is_intent));
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_halt_outlives_a_restart_and_a_resume_lets_everything_go_on() {
    let world = world();
    let first = world.engine(settings()).await;
    world.cloud.opening.shut();
    world.types(&first, RUN).await;
    until("the session", || world.cloud.opening.came.load(Ordering::SeqCst) > 0).await;
    halts(&world, &first).await;
    first.stop();
    world.cloud.opening.open();
    let engine = world.engine(settings()).await;
    world.types(&engine, RUN).await;
    card_says(&world, "halted before its start").await;
    let status = world.asks(&engine, "status").await;
    assert!(status.contains("Everything is halted by slack:T0MUSTER:U0SUSAN"), "{status}");
    resumes(&world, &engine).await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    last_words(&world, 2).await;
    assert!(!while_halted(&world.journal.taken.lock().await).iter().any(is_intent));
    assert_eq!(
        world.cloud.sends.load(Ordering::SeqCst),
        2,
        "each run was sent once, by the engine that knows of the resume"
    );
}

#[tokio::test]
async fn who_may_not_is_told_who_can_and_asking_twice_is_no_error() {
    let world = world();
    let engine = world.engine(settings()).await;
    let mut told = Vec::new();
    for (who, text) in [(OMAR, "halt"), (SUSAN, "resume"), (ARNE, "resume")] {
        told.push(world.asks_as(who, OPS, &engine, text).await);
    }
    halts(&world, &engine).await;
    told.push(world.asks_as(ARNE, OPS, &engine, "halt").await);
    told.push(world.asks_as(SUSAN, OPS, &engine, "resume").await);
    world.types_as(ARNE, OPS, &engine, "halt because \"the storage array fails\"").await;
    told.push(posted(&world, "Everything is still halted").await);
    told.push(world.asks_as(ARNE, OPS, &engine, "halt because \"the storage array fails\"").await);
    resumes(&world, &engine).await;
    told.push(posted(&world, "Resumed").await);
    insta::assert_snapshot!(seen(&told.join("\n-----\n")));
    let facts: Vec<Fact> = world.journal.facts().await.unwrap().into_iter().map(|s| s.event).collect();
    assert!(
        matches!(facts.as_slice(), [Fact::Halted { .. }, Fact::Explained { .. }, Fact::Resumed { .. }]),
        "{facts:#?}"
    );
}

#[tokio::test]
async fn a_secret_in_the_reason_is_taken_out_before_it_is_kept() {
    let world = world();
    let engine = world.engine(settings()).await;
    world.types(&engine, "halt because \"leaked AKIAIOSFODNN7EXAMPLE\"").await;
    posted(&world, "Everything is halted").await;
    let kept = format!("{:?}", world.journal.facts().await.unwrap());
    assert!(kept.contains("leaked") && !kept.contains("AKIAIOSFODNN7EXAMPLE"), "{kept}");
}

#[tokio::test]
async fn where_nobody_else_may_read_the_person_alone_is_answered() {
    let world = world();
    let engine = world.engine(settings()).await;
    let told = world.asks_in(HIDDEN, &engine, "halt").await;
    assert!(told.starts_with("Everything is halted; nothing is in flight"), "{told}");
    assert!(!world.chat.said().iter().any(|s| matches!(s, Said::Post { .. })), "{:#?}", world.chat.titles());
}

#[tokio::test]
async fn a_halt_is_announced_once_whatever_the_chat_and_a_crash_do() {
    let world = world();
    let hour = Some(Duration::from_secs(3600));
    let down = ChatError::NotSaid { cause: "down".into(), retry_after: hour };
    world.chat.post_faults.lock().unwrap().push_back(down);
    let first = world.engine(settings()).await;
    world.types(&first, "halt").await;
    until("the halt", || world.chat.post_faults.lock().unwrap().is_empty()).await;
    first.stop();
    // The process that knew of it is gone; its successor owes the answer, and Slack takes it without saying so.
    world.chat.post_faults.lock().unwrap().push_back(ChatError::Unknown("reset".into()));
    let second = world.engine(settings()).await;
    posted(&world, "Everything is halted").await;
    while !world.journal.unanswered().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(second);
    let count = world.chat.said().iter().filter(|s| matches!(s, Said::Post { key, .. } if key == "fact-0")).count();
    assert_eq!(count, 1, "{:#?}", world.chat.titles());
    assert_eq!(world.journal.facts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_that_could_not_start_in_time_says_so() {
    let world = world();
    let engine = world.engine(settings()).await;
    halts(&world, &engine).await;
    world.types(&engine, RUN).await;
    card_says(&world, "halted before its start").await;
    // Deadlines go on counting while everything is halted.
    world.clock.forward(Duration::from_secs(20 * 60));
    let engine = world.engine(settings()).await;
    insta::assert_snapshot!(seen(&card_says(&world, "could not start in time").await));
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 0);
    drop(engine);
}

#[tokio::test]
async fn an_operator_halts_looks_cancels_and_resumes_without_a_chat() {
    let world = world();
    let engine = world.engine(settings()).await;
    let root = operator();
    let asks = async |order: Order| {
        let told = engine.order(&root, order).await;
        format!("done: {}\n{}", told.done, to_text(&told.card))
    };
    let mut told = vec![asks(Order::Status { run: None }).await, asks(Order::Resume).await];
    world.types(&engine, RUN).await;
    card_says(&world, "2 running").await;
    told.push(asks(Order::Halt { because: Some(" ".into()) }).await);
    told.push(asks(Order::Halt { because: Some("chat is down".into()) }).await);
    told.push(asks(Order::Halt { because: None }).await);
    told.push(asks(Order::Status { run: None }).await);
    let short = run_of(&world);
    told.push(asks(Order::Status { run: Some(short.parse().unwrap()) }).await);
    told.push(asks(Order::Cancel { run: short.parse().unwrap() }).await);
    told.push(asks(Order::Cancel { run: "r-0000".parse().unwrap() }).await);
    world.cloud.let_end.store(true, Ordering::Relaxed);
    last_words(&world, 1).await;
    told.push(asks(Order::Cancel { run: short.parse().unwrap() }).await);
    told.push(asks(Order::Resume).await);
    insta::assert_snapshot!(seen(&told.join("\n-----\n")));
    let announced = |s: &Said| matches!(s, Said::Post { key, .. } if key.starts_with("fact-"));
    assert!(!world.chat.said().iter().any(announced), "there is no channel to say it in");
}
