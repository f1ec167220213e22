//! What stands behind the buttons of the results: for whoever may see the run, asked afresh at every click.

use std::sync::atomic::Ordering;

use muster::engine::Engine;
use muster::message::{Button, Card, to_text};
use muster::ports::InvocationStatus;

use super::seen::{BOTH_NODES, RUN, last_words};
use super::stage::{OMAR, SUSAN, Said, World, name, settings, world};

/// A run on two nodes of which the second one failed.
async fn half_failed(world: &World) -> (Engine, Card) {
    let first = std::sync::Mutex::new(None);
    let ending = move |node: &muster::domain::NodeId| {
        if first.lock().unwrap().get_or_insert_with(|| node.clone()) == node {
            (InvocationStatus::Success, 0, "nginx 1.24\nverdict: synchronised\n".to_owned(), false)
        } else {
            (InvocationStatus::Failed, 1, "nginx 1.24\n=E: disk full\n".to_owned(), false)
        }
    };
    *world.cloud.ending.lock().unwrap() = Some(Box::new(ending));
    world.cloud.let_end.store(true, Ordering::Relaxed);
    let engine = world.engine_with(settings(), |_, text| text).await;
    world.types(&engine, BOTH_NODES).await;
    last_words(world, 1).await;
    let results = world.chat.said().into_iter().find_map(|said| match said {
        Said::Post { key, card } if name(&key) == "results" => Some(card),
        _ => None,
    });
    (engine, results.expect("results"))
}

fn button<'a>(card: &'a Card, label: &str) -> &'a Button {
    card.buttons.iter().find(|b| b.label.starts_with(label)).unwrap_or_else(|| panic!("{}", to_text(card)))
}

async fn pressed(world: &World, who: &str, engine: &Engine, button: &Button) -> Card {
    let whispers = |said: &[Said]| -> Vec<Card> {
        said.iter().filter_map(|s| if let Said::Whisper(card) = s { Some(card.clone()) } else { None }).collect()
    };
    let before = whispers(&world.chat.said()).len();
    world.clicks_as(who, engine, button).await;
    world.chat.until("an answer", |said| whispers(said).get(before).cloned()).await
}

#[tokio::test]
async fn nodes_difference_output_and_tables_are_for_those_who_may_see_the_run() {
    let world = world();
    let (engine, results) = half_failed(&world).await;
    let nodes = pressed(&world, SUSAN, &engine, button(&results, "1: 1 failed")).await;
    let compared = pressed(&world, SUSAN, &engine, button(&nodes, "Compare")).await;
    let told = to_text(&compared);
    assert!(told.contains("− verdict: synchronised") && told.contains("+ =E: disk full"), "{told}");
    let output = pressed(&world, SUSAN, &engine, button(&nodes, "Output of")).await;
    assert!(to_text(&output).contains("=E: disk full"));
    let files = button(&results, "CSV and JSON");
    pressed(&world, SUSAN, &engine, files).await;
    let uploads = world.chat.uploads.lock().unwrap().clone();
    let [csv, json] = uploads.as_slice() else { panic!("{uploads:?}") };
    assert!(csv.contains(",'=E: disk full,"), "it is no formula: {csv}");
    assert!(json.contains("\"=E: disk full\""), "{json}");
    for old in [&results.buttons[..], &nodes.buttons[..]].concat() {
        let told = pressed(&world, OMAR, &engine, &old).await;
        assert_eq!(told.title, "You may not read this", "{old:?}");
    }
    assert_eq!(world.chat.uploads.lock().unwrap().len(), 2, "and nothing was put into the thread for them");
}

#[tokio::test]
async fn whoever_loses_the_right_to_see_it_sees_nothing_more_by_an_old_button() {
    let world = world();
    let (engine, results) = half_failed(&world).await;
    let button = button(&results, "1: 1 failed");
    let arne = super::stage::ARNE;
    assert!(pressed(&world, arne, &engine, button).await.title.contains("finding 1"));
    let (both, one) = ("\"operators-read\"\nwho = [\"support\", \"sre\"]", "\"operators-read\"\nwho = [\"support\"]");
    world.swaps(|_, text| text.replace(both, one));
    assert_eq!(pressed(&world, arne, &engine, button).await.title, "You may not read this");
}

#[tokio::test]
async fn the_second_run_of_the_same_says_what_has_changed_since_the_first() {
    let world = world();
    let fails = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let failing = fails.clone();
    let ending = move |_: &muster::domain::NodeId| match failing.load(Ordering::Relaxed) {
        true => (InvocationStatus::Failed, 1, "E: disk full\n".to_owned(), false),
        false => (InvocationStatus::Success, 0, "fine\n".to_owned(), false),
    };
    *world.cloud.ending.lock().unwrap() = Some(Box::new(ending));
    world.cloud.let_end.store(true, Ordering::Relaxed);
    let engine = world.engine(settings()).await;
    for (n, fail) in [(1, false), (2, false), (3, true)] {
        fails.store(fail, Ordering::Relaxed);
        world.types(&engine, RUN).await;
        last_words(&world, n).await;
    }
    let line = |said: Said| match said {
        Said::Post { key, card } if name(&key) == "results" => {
            Some(to_text(&card).lines().find(|l| l.starts_with("Since")).unwrap_or_default().to_owned())
        }
        _ => None,
    };
    let lines: Vec<String> = world.chat.said().into_iter().filter_map(line).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], "", "there was nothing before the first");
    assert!(lines[1].ends_with(": every node ended as it did then and says the same."), "{}", lines[1]);
    assert!(lines[2].contains(": 2 newly not well ("), "{}", lines[2]);
}
