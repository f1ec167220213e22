//! What a plan asks of the world, and where nothing is run.

use std::sync::atomic::Ordering;

use super::stage::{HIDDEN, Said, settings, world};

#[tokio::test]
async fn a_plan_asks_for_the_accounts_once() {
    let world = world();
    let engine = world.engine(settings()).await;
    // Once at the start, so that forms know them.
    while world.cloud.account_reads.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let plan = world.asks(&engine, "plan disk-usage on accounts=acme-staging").await;
    assert!(plan.contains("2 nodes"), "{plan}");
    assert_eq!(world.cloud.account_reads.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn nothing_runs_from_a_channel_that_nobody_knows_who_reads() {
    let world = world();
    let engine = world.engine(settings()).await;
    let refusal = world.asks_in(HIDDEN, &engine, "run disk-usage on accounts=acme-staging").await;
    insta::assert_snapshot!(refusal, @r"
    I am not in this channel, so nothing was run

    The result of a run stands where it was asked for, and I cannot write here.

    Type `/invite @muster` in this channel, then ask again.
    ");
    assert!(!world.chat.said().iter().any(|s| matches!(s, Said::Post { .. })), "{:#?}", world.chat.titles());
}
