//! What runs now is in memory; what ran is in the journal.

use std::sync::atomic::Ordering;
use std::time::Duration;

use muster::engine::{Engine, Settings};

use super::stage::{DAY, Said, World, name, settings, world};

/// A run from its start to its last word; returns its short name.
async fn finished_run(world: &World, engine: &Engine) -> String {
    world.cloud.let_end.store(true, Ordering::Relaxed);
    world.types(engine, "run disk-usage on accounts=acme-staging").await;
    let closing = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Post { key, .. } if name(key) == "closing" => Some(key.clone()),
            _ => None,
        })
    };
    let key = world.chat.until("the last word", closing).await;
    format!("r-{}", &key[22..26])
}

#[tokio::test]
async fn a_settled_run_leaves_memory_and_is_still_there_for_whoever_asks() {
    let world = world();
    let engine = world.engine(Settings { keep_settled: Duration::from_millis(10), ..settings() }).await;
    let run = finished_run(&world, &engine).await;
    // Its targets count for the policy within the hour, so it is held for so long.
    assert_eq!(engine.runs_in_memory(), 1);
    world.clock.forward(Duration::from_secs(2 * 3600));
    while engine.runs_in_memory() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let status = world.asks(&engine, &format!("status {run}")).await;
    assert!(status.contains("both nodes succeeded"), "{status}");
    let list = world.asks(&engine, "status").await;
    assert!(list.contains("1 run, all over") && list.contains(&run), "{list}");
    let output = world.asks(&engine, &format!("output {run}")).await;
    assert!(output.contains("fullest: 41%"), "{output}");
    assert_eq!(engine.runs_in_memory(), 0, "what is read back is not held");
    // The same after a restart, which holds no old run to begin with.
    let engine = world.engine(settings()).await;
    assert_eq!(engine.runs_in_memory(), 0);
    let cancel = world.asks(&engine, &format!("cancel {run}")).await;
    assert!(cancel.contains("over") || cancel.contains("finished"), "{cancel}");
}

#[tokio::test]
async fn outputs_older_than_the_configuration_says_are_deleted_and_it_is_said() {
    let world = world();
    let engine = world.engine(settings()).await;
    let run = finished_run(&world, &engine).await;
    world.clock.forward(DAY * 91);
    let engine = world.engine(settings()).await;
    // Old outputs are deleted while the engine starts; who asks meanwhile reads them still.
    let said = loop {
        let said = world.asks(&engine, &format!("output {run}")).await;
        if !said.contains("fullest: 41%") {
            break said;
        }
    };
    insta::assert_snapshot!(said.replace(&run, "r-XXXX"), @r"
    The outputs of r-XXXX are no longer kept

    Outputs are deleted after 90 days; how each node ended stays. See it: `/runbook status r-XXXX`
    ");
}
