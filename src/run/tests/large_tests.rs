//! How long a run over 48,000 targets keeps its writer busy.

use super::*;

/// The journal of a run over 48,000 targets in 960 shards that all succeed, a quarter of them in flight at once.
fn large_journal() -> Vec<Event> {
    let proposal = proposal(
        permit(),
        |book| {
            book.targets.max = 50_000;
            book.rollout.max_in_flight = "25%".parse().unwrap();
            book.rollout.waves = ["1", "10%", "100%"].map(|w| w.parse().unwrap()).to_vec();
        },
        96,
        500,
    );
    let mut log = vec![Event::Proposed(Box::new(proposal.clone()))];
    let mut run = Run::proposed(proposal);
    post(&mut run, &mut log, PostKey::Root);
    feed(&mut run, &mut log, Input::Start { today: today(permit()) }, at(2)).unwrap();
    while run.phase == Phase::Running {
        for effect in run.effects().clone() {
            let input = match effect {
                Effect::Send { shard, step, send } => {
                    Input::SlotHeld { shard, step, send, token: format!("{shard}"), signed_at: at(3) }
                }
                Effect::Answer { shard, step, send } => {
                    let command = format!("00000000-0000-0000-0000-{shard:012}").parse().unwrap();
                    Input::Answered { shard, step, send, answer: Answer::Taken { command, adopted: false } }
                }
                Effect::Watch { shard, step, .. } => {
                    // Results come in pages, each an event.
                    for page in run.due_targets(shard).chunks(10) {
                        let told = |t: &u32| NodeReport { outcome: Outcome::Succeeded, ..NodeReport::blank(*t) };
                        let results = page.iter().map(told).collect();
                        feed(&mut run, &mut log, Input::Reported { shard, step, results }, at(5)).unwrap();
                    }
                    continue;
                }
                Effect::Settle => Input::Settle,
                other => unreachable!("{other:?}"),
            };
            feed(&mut run, &mut log, input, at(4)).unwrap();
        }
    }
    log
}

/// Prints how long it takes; run it with `--ignored --nocapture` and compare.
#[test]
#[ignore = "a measurement"]
fn folding_a_large_run_and_asking_after_each_event_what_it_owes() {
    let log = large_journal();
    let began = std::time::Instant::now();
    let mut run = Run::replay(&log[..1]).unwrap().unwrap();
    let mut owed = 0;
    for event in &log[1..] {
        run.evolve(event).unwrap();
        owed += run.effects().len();
    }
    println!("{} events of {} targets, {owed} effects: {:?}", log.len(), run.targets.len(), began.elapsed());
    assert_eq!(run.counts.succeeded, 48_000);
}
