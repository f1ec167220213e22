//! What is read of a command, and what is made of it.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use muster::ports::InvocationStatus;
use muster::runbook::Stop;

use super::stage::{Said, name, settings, world};

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
        // A failed canary would be held for a person.
        let go_on = |name: &str, text: String| match name.ends_with("time-sync.toml") {
            true => text.replace("[rollout]", "[rollout]\nhold = \"never\""),
            false => text,
        };
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
