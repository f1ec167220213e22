//! What is to be seen of an engine from outside: cards, the journal, the first and the last words of a run.

use std::sync::atomic::Ordering;
use std::time::Duration;

use muster::domain::Principal;
use muster::engine::Engine;
use muster::message::{Button, to_text};
use muster::ports::InvocationStatus;
use muster::run::{Event, Fact, PostKey};
use tokio::time::Instant;

use super::stage::{ARNE, Committed, Said, World, name};

/// One step on two nodes of one region: one send.
pub const RUN: &str = "run top-processes on accounts=acme-staging";
/// Two steps: two sends, one after the other.
pub const TWO_STEPS: &str = "run disk-usage on accounts=acme-staging";
pub const OPS: &str = "C0OPS";
/// Each node for itself, a canary first.
pub const BOTH_NODES: &str = "run time-sync on accounts=acme-staging because \"a test\"";

/// A failed canary of [`BOTH_NODES`] is held for a while, and there is a way back.
pub fn with_a_way_back(name: &str, text: String) -> String {
    match name.ends_with("time-sync.toml") {
        true => {
            let back = "[rollback]\ntimeout = \"1m\"\nshell = \"echo undone\"\n[rollout]\nhold_for = \"10m\"";
            text.replace("[rollout]", back)
        }
        false => text,
    }
}

pub async fn halts(world: &World, engine: &Engine) {
    world.types(engine, "halt").await;
    posted(world, "Everything is halted").await;
}

pub async fn resumes(world: &World, engine: &Engine) {
    world.types_as(ARNE, OPS, engine, "resume").await;
    posted(world, "Resumed").await;
}

/// The card that everybody in the channel reads, as soon as its title begins so.
pub async fn posted(world: &World, title: &str) -> String {
    let found = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Post { key, card } if key.starts_with("fact-") && card.title.starts_with(title) => {
                Some(to_text(card))
            }
            _ => None,
        })
    };
    world.chat.until(title, found).await
}

/// Waits until the root card of some run says so.
pub async fn card_says(world: &World, words: &str) -> String {
    let found = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Edit { id: key, card } | Said::Post { key, card } if name(key) == "root" => {
                Some(to_text(card)).filter(|text| text.contains(words))
            }
            _ => None,
        })
    };
    world.chat.until(words, found).await
}

pub async fn last_words(world: &World, runs: usize) {
    let closing = |s: &&Said| matches!(s, Said::Post { key, .. } if name(key) == "closing");
    world.chat.until("the last words", |said| (said.iter().filter(closing).count() >= runs).then_some(())).await;
}

pub async fn until(what: &str, met: impl Fn() -> bool) {
    let began = Instant::now();
    while !met() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what} did not come");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What was committed while everything was halted.
pub fn while_halted(taken: &[Committed]) -> Vec<Event> {
    let halted = taken.iter().position(|c| c.facts.iter().any(|f| matches!(f, Fact::Halted { .. }))).expect("a halt");
    let resumed = taken.iter().position(|c| c.facts.iter().any(|f| matches!(f, Fact::Resumed { .. })));
    taken[halted..resumed.unwrap_or(taken.len())].iter().flat_map(|c| c.events.clone()).collect()
}

pub fn is_intent(event: &Event) -> bool {
    matches!(event, Event::SendIntent { .. })
}

pub fn intents(taken: &[Committed]) -> usize {
    taken.iter().flat_map(|c| &c.events).filter(|e| is_intent(e)).count()
}

/// Somebody with a shell on the host.
pub fn operator() -> Principal {
    Principal::host("ops-1", "root")
}

/// The short name of the only run.
pub fn run_of(world: &World) -> String {
    let root = world.chat.said().into_iter().find_map(|s| match s {
        Said::Post { key, .. } if name(&key) == PostKey::Root.to_string() => Some(key),
        _ => None,
    });
    format!("r-{}", &root.expect("a run")[22..26])
}

/// Without what differs from run to run.
pub fn seen(text: &str) -> String {
    let rules = [
        (r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "<run>"),
        (r"\br-[0-9A-HJKMNP-TV-Z]{4,26}\b", "r-XXXX"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "<date>"),
        (r"`[0-9a-f]{12}`", "`<hash>`"),
        (r"\b\d+ (?:s|min)\b", "<time>"),
    ];
    let replace = |text: String, (rule, by): (&str, &str)| {
        let rule = regex::Regex::new(rule).unwrap();
        rule.replace_all(&text, by).into_owned()
    };
    // A card that the next one follows.
    rules.into_iter().fold(text.trim_end().to_owned(), replace)
}

/// A run of [`BOTH_NODES`] whose canary has failed, and which is held; returns the buttons of the question. Whatever is sent
/// from here on fails as well.
pub async fn canary_held(world: &World, engine: &Engine) -> Vec<Button> {
    world.cloud.let_end.store(true, Ordering::Relaxed);
    *world.cloud.ending.lock().unwrap() = Some(Box::new(|_| (InvocationStatus::Failed, 1, String::new(), false)));
    world.types(engine, BOTH_NODES).await;
    let question = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Post { key, card } if name(key) == "hold-1" => Some(card.buttons.clone()),
            _ => None,
        })
    };
    world.chat.until("the question", question).await
}
