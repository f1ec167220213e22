//! What is read of a command, and what is made of it.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use muster::domain::NodeId;
use muster::ports::InvocationStatus;
use muster::runbook::Stop;

use super::seen::run_of;
use super::stage::{Said, World, name, settings, world};

#[tokio::test]
async fn what_musters_own_words_ended_is_told_as_what_it_was_and_never_as_the_scripts_result() {
    let mut told = String::new();
    let words = "out\n\n----------ERROR-------\nmuster: why\nfailed to run commands: exit status";
    let others = [(212, "the script's own words".to_owned()), (3, words.to_owned())];
    let own = Stop::ALL.map(|stop| (stop.code(), format!("{words} {}", stop.code())));
    for (code, output) in own.into_iter().chain(others) {
        let world = world();
        *world.cloud.ending.lock().unwrap() =
            Some(Box::new(move |_| (InvocationStatus::Failed, code, output.clone(), false)));
        world.cloud.let_end.store(true, Ordering::Relaxed);
        let engine = world.engine_with(settings(), go_on).await;
        world.types(&engine, "run time-sync on accounts=acme-staging because \"a test\"").await;
        let results = |said: &[Said]| {
            said.iter().find_map(|s| match s {
                Said::Post { key, card } if name(key).starts_with("results") => {
                    Some(muster::message::text::render(card))
                }
                _ => None,
            })
        };
        let results = world.chat.until("the results", results).await;
        // Without the run's name and its time.
        let (results, _) = results.rsplit_once("\n\n(").unwrap();
        writeln!(told, "# {code}\n{results}\n").unwrap();
    }
    insta::assert_snapshot!(told);
}

/// A failed canary would be held for a person.
fn go_on(name: &str, text: String) -> String {
    match name.ends_with("time-sync.toml") {
        true => text.replace("[rollout]", "[rollout]\nhold = \"never\""),
        false => text,
    }
}

/// The title of a run's last words.
async fn last_title(world: &World) -> String {
    let closing = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Post { key, card } if name(key) == "closing" => Some(card.title.clone()),
            _ => None,
        })
    };
    world.chat.until("the last word", closing).await
}

fn node(n: u32) -> NodeId {
    format!("i-{n:017x}").parse().unwrap()
}

#[tokio::test]
async fn an_output_that_was_cut_is_judged_and_shown_whole() {
    let world = world();
    // What is expected stands at the end, which SSM cuts off.
    *world.cloud.ending.lock().unwrap() =
        Some(Box::new(|_| (InvocationStatus::Success, 0, "many lines\n---Output truncated---".to_owned(), true)));
    let lines: String = (1..=9000).map(|n| format!("line {n}\n")).collect();
    let whole = format!("{lines}service: chronyd active\nverdict: synchronised\n");
    world.cloud.whole.lock().unwrap().extend((1..=2).map(|n| (node(n), (whole.clone(), false))));
    world.cloud.let_end.store(true, Ordering::Relaxed);
    let engine = world.engine_with(settings(), go_on).await;
    world.types(&engine, "run time-sync on accounts=acme-staging because \"a test\"").await;
    let title = last_title(&world).await;
    assert_eq!(title, "time-sync: both nodes succeeded, same output on each");
    world.asks(&engine, &format!("output {} {}", run_of(&world), node(1))).await;
    let uploads = world.chat.uploads.lock().unwrap();
    let text = uploads.iter().find(|text| text.contains("line 8999\n"));
    assert!(text.is_some_and(|t| t.contains("line 1\n") && t.contains("verdict: synchronised")), "{uploads:?}");
}

#[tokio::test]
async fn with_a_bucket_every_cut_output_is_whole_and_what_is_not_there_is_asked_of_ssm() {
    let world = world();
    let cut = "many lines\n---Output truncated---";
    *world.cloud.ending.lock().unwrap() = Some(Box::new(|_| (InvocationStatus::Success, 0, cut.to_owned(), true)));
    let end = "service: chronyd active\nverdict: synchronised\n";
    world.cloud.objects.lock().unwrap().insert(node(1), format!("from the bucket\n{end}"));
    world.cloud.whole.lock().unwrap().insert(node(2), (format!("from SSM\n{end}"), false));
    world.cloud.let_end.store(true, Ordering::Relaxed);
    let engine = world.engine_with(settings(), go_on).await;
    world.types(&engine, "run time-sync on accounts=acme-staging because \"a test\"").await;
    let results = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Post { key, card } if name(key).starts_with("results") => Some(muster::message::text::render(card)),
            _ => None,
        })
    };
    let results = world.chat.until("the results", results).await;
    assert!(results.contains("both nodes succeeded"), "{results}");
    assert!(results.contains("from the bucket") && results.contains("from SSM"), "{results}");
}

#[tokio::test]
async fn an_object_that_does_not_come_holds_up_nobody_else() {
    let world = world();
    let end = |n: &NodeId| match *n == node(1) {
        true => (InvocationStatus::Success, 0, "many\n---Output truncated---".to_owned(), true),
        false => (InvocationStatus::Failed, 3, "no such disk\n".to_owned(), false),
    };
    *world.cloud.ending.lock().unwrap() = Some(Box::new(end));
    world.cloud.objects.lock().unwrap().insert(node(1), "all of it\n".to_owned());
    world.cloud.let_end.store(true, Ordering::Relaxed);
    world.cloud.uploading.shut();
    let engine = world.engine(settings()).await;
    world.types(&engine, "run disk-usage on accounts=acme-staging").await;
    let told = |words: &'static str| {
        move |said: &[Said]| {
            let edits = said.iter().filter_map(|s| match s {
                Said::Edit { card, .. } => Some(card.title.clone()),
                _ => None,
            });
            edits.into_iter().find(|title| title.contains(words))
        }
    };
    world.chat.until("the failure", told("1 of 2 nodes done, 1 of them failed")).await;
    world.cloud.uploading.open();
    world.chat.until("the end", told("1 of 2 nodes succeeded")).await;
}

#[tokio::test]
async fn a_later_step_is_not_decided_on_by_what_the_cut_took_away() {
    let world = world();
    *world.cloud.ending.lock().unwrap() =
        Some(Box::new(|_| (InvocationStatus::Success, 0, "state: act\n---Output truncated---".to_owned(), true)));
    world.cloud.let_end.store(true, Ordering::Relaxed);
    let engine = world.engine_with(settings(), |name, text| match name.ends_with("time-sync.toml") {
        true => {
            let second = "[[steps]]\nname = \"again\"\nunless.service = [\"chronyd\"]\nshell = \"true\"\n\n[rollout]\nhold = \"never\"";
            text.replace("extract.verdict", "# extract.verdict").replace("expect.verdict", "# ").replace("[rollout]", second)
        }
        false => text,
    });
    let engine = engine.await;
    world.types(&engine, "run time-sync on accounts=acme-staging because \"a test\"").await;
    let title = last_title(&world).await;
    assert!(title.contains("2 failed: it exited 0, but its output was cut before service could be found"), "{title}");
}

#[tokio::test]
async fn what_was_cut_off_and_cannot_be_read_is_told_so_and_not_as_missing() {
    let world = world();
    *world.cloud.ending.lock().unwrap() =
        Some(Box::new(|_| (InvocationStatus::Success, 0, "many lines\n---Output truncated---".to_owned(), true)));
    world.cloud.let_end.store(true, Ordering::Relaxed);
    let engine = world.engine_with(settings(), go_on).await;
    world.types(&engine, "run time-sync on accounts=acme-staging because \"a test\"").await;
    let title = last_title(&world).await;
    insta::assert_snapshot!(title, @"time-sync: 0 of 2 nodes succeeded, 2 failed: it exited 0, but its output was cut before verdict could be found; let the script print that first");
}
