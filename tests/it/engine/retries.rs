//! Going on where a run left off: after a restart, from long ago, and where the ground has changed meanwhile.

use std::sync::atomic::Ordering;

use muster::engine::Engine;
use muster::ports::InvocationStatus;

use super::stage::{DAY, OMAR, Said, World, name, settings, world};

/// A run of which one node of two failed, to its last word; returns its short name.
async fn half_failed(world: &World, engine: &Engine) -> String {
    world.cloud.let_end.store(true, Ordering::Relaxed);
    *world.cloud.ending.lock().unwrap() = Some(Box::new(|node| match node.as_str().ends_with('1') {
        true => (InvocationStatus::Failed, 1, "fullest: 41% on /\n".into(), false),
        false => (InvocationStatus::Success, 0, "fullest: 41% on /\n".into(), false),
    }));
    world.types(engine, "run disk-usage on accounts=acme-staging").await;
    let key = closed(world, 1).await;
    *world.cloud.ending.lock().unwrap() = None;
    format!("r-{}", &key[22..26])
}

/// The key of the last word of the `nth` run, once it is said.
async fn closed(world: &World, nth: usize) -> String {
    let closing = |said: &Said| match said {
        Said::Post { key, .. } if name(key) == "closing" => Some(key.clone()),
        _ => None,
    };
    world.chat.until("the last word", |said| said.iter().filter_map(closing).nth(nth - 1)).await
}

fn card_of_the_try(world: &World) -> String {
    let root = |said: &Said| match said {
        Said::Post { key, card } if name(key) == "root" => Some(muster::message::text::render(card)),
        _ => None,
    };
    world.chat.said().iter().filter_map(root).next_back().unwrap()
}

#[tokio::test]
async fn what_failed_is_retried_after_a_restart_and_only_that() {
    let world = world();
    let run = half_failed(&world, &world.engine(settings()).await).await;
    let engine = world.engine(settings()).await;
    world.types(&engine, &format!("retry {run} failed")).await;
    closed(&world, 2).await;
    let card = card_of_the_try(&world);
    assert!(card.contains("disk-usage on 1 node") && card.contains("Try 2: what failed of"), "{card}");
    let answer = world.asks(&engine, &format!("retry {run} not-started")).await;
    insta::assert_snapshot!(answer.replace(&run, "r-XXXX"), @"
    Nothing of r-XXXX is not-started

    `not-started` means nodes that nothing was sent to.

    1 node: `/runbook retry r-XXXX failed`
    1 node: `/runbook retry r-XXXX retryable`
    ");
}

#[tokio::test]
async fn a_run_that_left_memory_long_ago_can_still_be_retried() {
    let world = world();
    let engine = world.engine(settings()).await;
    let run = half_failed(&world, &engine).await;
    world.clock.forward(DAY * 20);
    let engine = world.engine(settings()).await;
    assert_eq!(engine.runs_in_memory(), 0);
    world.types(&engine, &format!("retry {run}")).await;
    closed(&world, 2).await;
    assert!(card_of_the_try(&world).contains("disk-usage on 1 node"));
}

#[tokio::test]
async fn a_retry_whose_nodes_are_gone_says_so_and_starts_nothing() {
    let world = world();
    let engine = world.engine(settings()).await;
    let run = half_failed(&world, &engine).await;
    world.cloud.gone.store(true, Ordering::Relaxed);
    let answer = world.asks(&engine, &format!("retry {run}")).await;
    insta::assert_snapshot!(answer.replace(&run, "r-XXXX"), @"
    None of those nodes is there any more, so nothing was started

    1 target of r-XXXX was looked for: their accounts are no longer configured, SSM no longer knows them, or they no longer match what was asked then.

    See what is there: `/runbook accounts` and `/runbook targets …`
    ");
}

#[tokio::test]
async fn a_retry_whose_accounts_have_left_the_configuration_says_so_and_starts_nothing() {
    let world = world();
    let engine = world.engine(settings()).await;
    let run = half_failed(&world, &engine).await;
    world.cloud.no_accounts.store(true, Ordering::Relaxed);
    let answer = world.asks(&engine, &format!("retry {run}")).await;
    insta::assert_snapshot!(answer.replace(&run, "r-XXXX"), @"
    None of those nodes is there any more, so nothing was started

    1 target of r-XXXX was looked for: their accounts are no longer configured, SSM no longer knows them, or they no longer match what was asked then.

    See what is there: `/runbook accounts` and `/runbook targets …`
    ");
}

#[tokio::test]
async fn a_run_that_goes_on_is_not_retried() {
    let world = world();
    let engine = world.engine(settings()).await;
    world.types(&engine, "run disk-usage on accounts=acme-staging").await;
    let root = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Post { key, .. } if name(key) == "root" => Some(format!("r-{}", &key[22..26])),
            _ => None,
        })
    };
    let run = world.chat.until("the card", root).await;
    let answer = world.asks(&engine, &format!("retry {run}")).await;
    insta::assert_snapshot!(answer.replace(&run, "r-XXXX"), @"
    It still goes on, so nothing was started

    2 nodes have not ended yet; what is left to retry is known when it is over.

    How it stands: `/runbook status r-XXXX`
    End it now: `/runbook cancel r-XXXX`
    ");
}

#[tokio::test]
async fn a_runbook_that_changed_since_is_not_the_one_that_is_retried() {
    let world = world();
    let engine = world.engine(settings()).await;
    let run = half_failed(&world, &engine).await;
    let engine = world.engine_with(settings(), |name, text| {
        if name.ends_with("disk-usage.toml") {
            text.replace("risk = \"read\"", "risk = \"read\" # again")
        } else {
            text
        }
    });
    let engine = engine.await;
    let answer = world.asks(&engine, &format!("retry {run}")).await;
    insta::assert_snapshot!(answer.replace(&run, "r-XXXX"), @"
    The runbook has changed since that run, so nothing was started

    `disk-usage` is not the text that ran then; a retry runs the very same.

    Read it: `/runbook show disk-usage`
    Run what it is today: press Run again on the card of that run.
    ");
}

/// The policy counts the last hour's targets of a person, whichever of their accounts asked.
#[tokio::test]
async fn a_person_with_two_accounts_does_not_run_twice_as_much_without_an_approval() {
    let world = world();
    world.cloud.let_end.store(true, Ordering::Relaxed);
    let linked = |name: &str, text: String| match name.ends_with("default.toml") {
        false => text,
        true => {
            let member = "support = { users = [\"slack:T0MUSTER:U0OMAR\"], slack_usergroups";
            let people = "\n[people]\nsusan = [\"slack:T0MUSTER:U0SUSAN\", \"slack:T0MUSTER:U0OMAR\"]\n\n[sets.";
            let few = "when = { targets_over = 1, risk = [\"read\"] }";
            text.replace("support = { slack_usergroups", member)
                .replacen("\n[sets.", people, 1)
                .replace("when = { targets_over = 50, risk = [\"change\", \"destructive\"] }", few)
        }
    };
    let engine = world.engine_with(settings(), linked).await;
    world.types(&engine, "run disk-usage on nodes=web-1").await;
    closed(&world, 1).await;
    world.types_as(OMAR, "C0OPS", &engine, "run disk-usage on nodes=web-2").await;
    let asks = |said: &Said| matches!(said, Said::Post { key, .. } if name(key) == "ask");
    world.chat.until("a request for approval", |said| said.iter().any(asks).then_some(())).await;
}
