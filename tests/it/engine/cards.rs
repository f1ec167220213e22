//! One living card per run: never late, never in an old form.

use std::sync::atomic::Ordering;
use std::time::Duration;

use muster::engine::Settings;
use muster::ports::ChatError;

use super::stage::{Said, name, settings, world};

/// Position of the first thing said of which this is true.
fn at(said: &[Said], what: impl Fn(&Said) -> bool) -> Option<usize> {
    said.iter().position(what)
}

fn is_root_edit(said: &Said) -> bool {
    matches!(said, Said::Edit { id, .. } if name(id) == "root")
}

fn is_closing(said: &Said) -> bool {
    matches!(said, Said::Post { key, .. } if name(key) == "closing")
}

#[tokio::test]
async fn the_first_change_and_the_last_form_do_not_wait_for_the_pace() {
    // With an hour between two edits, whatever waits for the pace is never seen.
    let world = world();
    let engine = world.engine(Settings { edit_every: Duration::from_secs(3600), ..settings() }).await;
    world.types(&engine, "run disk-usage on accounts=acme-staging").await;
    world.chat.until("the first edit of the card", |said| at(said, is_root_edit)).await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    world.chat.until("the last word", |said| at(said, is_closing)).await;
    insta::assert_snapshot!(world.chat.titles().join("\n"), @r"
    post root: disk-usage on 2 nodes: about to start
    edit root: disk-usage: 0 of 2 nodes done
    post results: disk-usage: both nodes succeeded, same output on each
    edit root: disk-usage: both nodes succeeded, same output on each
    post closing: disk-usage: both nodes succeeded, same output on each
    ");
}

#[tokio::test]
async fn edits_of_a_card_never_cross_and_its_last_form_stands_before_the_last_word() {
    let world = world();
    world.chat.edit_faults.lock().unwrap().extend([
        ChatError::Unknown("reset".into()),
        ChatError::NotSaid { cause: "rate limit".into(), retry_after: None },
    ]);
    world.cloud.let_end.store(true, Ordering::Relaxed);
    let engine = world.engine(settings()).await;
    for _ in 0..3 {
        world.types(&engine, "run disk-usage on accounts=acme-staging").await;
    }
    world
        .chat
        .until("three last words", |said| (said.iter().filter(|s| is_closing(s)).count() == 3).then_some(()))
        .await;
    assert!(!world.chat.crossed.load(Ordering::Relaxed), "two edits of one card were under way at once");
    let said = world.chat.said();
    for (closed, post) in said.iter().enumerate() {
        let Said::Post { key, .. } = post else { continue };
        if !is_closing(post) {
            continue;
        }
        let root = key.replace(":closing", ":root");
        let is_mine = |s: &Said| matches!(s, Said::Edit { id, .. } if *id == root);
        let Some(Said::Edit { card, .. }) = said[..closed].iter().rfind(|s| is_mine(s)) else {
            panic!("the card was never edited: {:#?}", world.chat.titles())
        };
        assert!(card.title.contains("both nodes succeeded"), "the last word came before the last form: {}", card.title);
        assert!(!said[closed..].iter().any(is_mine), "the card was edited after the last word");
    }
}
