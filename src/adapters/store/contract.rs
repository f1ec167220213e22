//! What every journal and every outputs promise, each test run against all of them.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::domain::{ChatPlatform, Digest, Place, Principal, RunId, Timestamp};
use crate::ports::{Actor, Commit, CommitError, Delivery, Inbound, InboxRow, Journal, Outputs, Reply, StoredEvent};
use crate::run::{Event, Fact};

fn run(n: u128) -> RunId {
    RunId(ulid::Ulid(n))
}
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}
fn event(n: i64) -> Event {
    Event::Started { at: at(n) }
}
fn big(bytes: usize) -> Event {
    Event::Denied { by: Principal::slack("T0MUSTER", "U0ARNE"), why: "x".repeat(bytes), at: at(0) }
}
fn row(key: &str, second: i64) -> InboxRow {
    let place =
        Place { platform: ChatPlatform::Slack, tenant: "T0MUSTER".into(), channel: "C0OPS".into(), thread: None };
    let person = Principal::slack("T0MUSTER", "U0SUSAN");
    InboxRow {
        run: run(1),
        delivery: Delivery {
            key: key.into(),
            actor: Actor { principal: person.clone(), foreign: false },
            place: place.clone(),
            inbound: Inbound::Command { text: "list".into() },
            reply: Reply { platform: ChatPlatform::Slack, place, person, url: None, trigger: None },
        },
        at: at(second),
    }
}
fn append(run: RunId, seq: u64, events: Vec<Event>) -> Commit {
    Commit { events: Some((run, seq, events)), ..Commit::default() }
}
fn fact(n: i64) -> Fact {
    let by = Principal::slack("T0MUSTER", "U0SUSAN");
    let (input, at) = (None, at(n));
    if n % 2 == 0 { Fact::Halted { by, why: None, input, at } } else { Fact::Resumed { by, input, at } }
}
fn facts(seq: u64, facts: Vec<Fact>) -> Commit {
    Commit { facts: Some((seq, facts)), ..Commit::default() }
}
async fn known(journal: &dyn Journal) -> Vec<Fact> {
    journal.facts().await.unwrap().into_iter().map(|s| s.event).collect()
}
fn accept(row: InboxRow) -> Commit {
    Commit { accept: Some(row), ..Commit::default() }
}
fn answered(keys: &[&str]) -> Commit {
    Commit { answered: keys.iter().map(|k| (*k).to_owned()).collect(), ..Commit::default() }
}
fn events(stored: &[StoredEvent]) -> Vec<Event> {
    stored.iter().map(|s| s.event.clone()).collect()
}
async fn waiting(journal: &dyn Journal) -> Vec<String> {
    journal.unanswered().await.unwrap().into_iter().map(|r| r.delivery.key).collect()
}

async fn events_come_back_in_order_and_chained(journal: &dyn Journal) {
    assert_eq!(journal.load(run(1)).await, Ok(vec![]));
    journal.commit(append(run(1), 0, vec![event(0), event(1)])).await.unwrap();
    journal.commit(append(run(2), 0, vec![event(9)])).await.unwrap();
    for n in 2..300 {
        journal.commit(append(run(1), n, vec![event(n as i64)])).await.unwrap();
    }
    let stored = journal.load(run(1)).await.unwrap();
    assert_eq!(events(&stored), (0..300).map(event).collect::<Vec<_>>());
    assert_eq!(stored[0].prev, crate::audit::GENESIS);
    assert!(stored.windows(2).all(|w| w[1].prev == w[0].hash && w[1].seq == w[0].seq + 1));
    assert_eq!(journal.runs().await, Ok(vec![run(2), run(1)]), "newest first");
}

async fn a_wrong_sequence_number_is_a_conflict_and_changes_nothing(journal: &dyn Journal) {
    journal.commit(append(run(1), 0, vec![event(0)])).await.unwrap();
    for wrong in [0, 2, u64::MAX] {
        let commit = Commit { accept: Some(row("k", 0)), ..append(run(1), wrong, vec![event(1)]) };
        assert_eq!(journal.commit(commit).await, Err(CommitError::Conflict { at: 1 }));
    }
    assert_eq!(journal.load(run(1)).await.unwrap().len(), 1);
    assert_eq!(waiting(journal).await, Vec::<String>::new());
    journal.commit(Commit { accept: Some(row("k", 0)), ..append(run(1), 1, vec![event(1)]) }).await.unwrap();
    assert_eq!(waiting(journal).await, ["k"]);
}

async fn facts_of_the_whole_installation_are_a_chain_of_their_own(journal: &dyn Journal) {
    assert_eq!(journal.facts().await, Ok(vec![]), "a store without any was never halted");
    journal.commit(append(run(1), 0, vec![event(0)])).await.unwrap();
    journal.commit(facts(0, vec![fact(0), fact(1)])).await.unwrap();
    for n in 2..300 {
        journal.commit(facts(n, vec![fact(n as i64)])).await.unwrap();
    }
    assert_eq!(known(journal).await, (0..300).map(fact).collect::<Vec<_>>());
    let stored = journal.facts().await.unwrap();
    assert_eq!(stored[0].prev, crate::audit::GENESIS);
    assert!(stored.windows(2).all(|w| w[1].prev == w[0].hash && w[1].seq == w[0].seq + 1));
    assert_eq!(events(&journal.load(run(1)).await.unwrap()), [event(0)]);
    assert_eq!(journal.runs().await, Ok(vec![run(1)]), "they are no run");
}

async fn a_fact_at_the_wrong_place_is_a_conflict_and_changes_nothing(journal: &dyn Journal) {
    journal.commit(facts(0, vec![fact(0)])).await.unwrap();
    for wrong in [0, 2, u64::MAX] {
        let commit = Commit { accept: Some(row("k", 0)), ..facts(wrong, vec![fact(1)]) };
        assert_eq!(journal.commit(commit).await, Err(CommitError::Conflict { at: 1 }));
        let run = Commit { facts: Some((wrong, vec![fact(1)])), ..append(run(1), 0, vec![event(0)]) };
        assert_eq!(journal.commit(run).await, Err(CommitError::Conflict { at: 1 }));
    }
    let late = Commit { facts: Some((1, vec![fact(1)])), ..append(run(1), 1, vec![event(0)]) };
    assert_eq!(journal.commit(late).await, Err(CommitError::Conflict { at: 0 }));
    assert_eq!(known(journal).await, [fact(0)]);
    assert_eq!(journal.load(run(1)).await, Ok(vec![]));
    assert_eq!(waiting(journal).await, Vec::<String>::new());
    let both =
        Commit { accept: Some(row("k", 0)), facts: Some((1, vec![fact(1)])), ..append(run(1), 0, vec![event(0)]) };
    journal.commit(both).await.unwrap();
    assert_eq!((known(journal).await.len(), journal.load(run(1)).await.unwrap().len()), (2, 1));
}

async fn a_key_seen_before_refuses_the_whole_commit(journal: &dyn Journal) {
    journal.commit(accept(row("k", 0))).await.unwrap();
    let again = Commit { accept: Some(row("k", 1)), answered: vec!["k".into()], ..append(run(1), 0, vec![event(0)]) };
    assert_eq!(journal.commit(again.clone()).await, Err(CommitError::Duplicate));
    assert_eq!(journal.load(run(1)).await, Ok(vec![]));
    assert_eq!(waiting(journal).await, ["k"]);
    journal.commit(answered(&["k", "never-seen"])).await.unwrap();
    assert_eq!(waiting(journal).await, Vec::<String>::new());
    assert_eq!(journal.commit(again).await, Err(CommitError::Duplicate), "an answered key is remembered");
}

async fn a_key_is_remembered_for_a_day_and_what_waits_for_ever(journal: &dyn Journal) {
    const DAY: i64 = 24 * 3600;
    journal.commit(accept(row("answered", 0))).await.unwrap();
    journal.commit(accept(row("waits", 0))).await.unwrap();
    journal.commit(answered(&["answered"])).await.unwrap();
    assert_eq!(journal.commit(accept(row("answered", DAY))).await, Err(CommitError::Duplicate));
    journal.commit(accept(row("answered", DAY + 1))).await.unwrap();
    assert_eq!(journal.commit(accept(row("waits", 9 * DAY))).await, Err(CommitError::Duplicate));
    assert_eq!(waiting(journal).await, ["waits", "answered"], "oldest first");
    // The forgotten key's old place in the inbox is not taken for its new one.
    journal.commit(answered(&["answered"])).await.unwrap();
    assert_eq!(waiting(journal).await, ["waits"]);
}

async fn rows_wait_in_the_order_they_came_whatever_the_clock_said(journal: &dyn Journal) {
    for (key, second) in [("c", 30), ("a", 10), ("b", 20), ("d", 10)] {
        journal.commit(accept(row(key, second))).await.unwrap();
    }
    journal.commit(answered(&["a"])).await.unwrap();
    assert_eq!(waiting(journal).await, ["c", "b", "d"]);
    let long = InboxRow {
        delivery: Delivery { inbound: Inbound::Mention { text: "y".repeat(300_000) }, ..row("e", 0).delivery },
        ..row("e", 0)
    };
    journal.commit(accept(long.clone())).await.unwrap();
    assert_eq!(journal.unanswered().await.unwrap().pop(), Some(long));
    journal.commit(answered(&["e", "c"])).await.unwrap();
    assert_eq!(waiting(journal).await, ["b", "d"]);
}

async fn a_delivery_can_be_taken_and_answered_in_one_commit(journal: &dyn Journal) {
    let commit = Commit { accept: Some(row("k", 0)), answered: vec!["k".into()], ..append(run(1), 0, vec![event(0)]) };
    journal.commit(commit.clone()).await.unwrap();
    assert_eq!(waiting(journal).await, Vec::<String>::new());
    assert_eq!(journal.commit(commit).await, Err(CommitError::Duplicate));
}

async fn a_large_plan_is_one_event(journal: &dyn Journal) {
    let all = vec![big(1 << 20), event(1), big(0), big(61_440), big(3 << 20)];
    journal.commit(append(run(1), 0, all.clone())).await.unwrap();
    assert_eq!(events(&journal.load(run(1)).await.unwrap()), all);
}

async fn fifty_tasks_at_once_lose_and_mix_nothing(journal: Arc<dyn Journal>) {
    let tasks: Vec<_> = (0..50u128)
        .map(|n| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                for seq in 0..8 {
                    let key = format!("{n}-{seq}");
                    let commit = Commit { accept: Some(row(&key, 0)), ..append(run(n), seq, vec![event(seq as i64)]) };
                    journal.commit(commit.clone()).await.unwrap();
                    // Refused commits stand in the same batches as good ones.
                    assert_eq!(journal.commit(commit).await, Err(CommitError::Duplicate));
                    let late = journal.commit(append(run(n), seq, vec![event(99)])).await;
                    assert_eq!(late, Err(CommitError::Conflict { at: seq + 1 }));
                    journal.commit(answered(&[&key])).await.unwrap();
                    assert_eq!(journal.load(run(n)).await.unwrap().len() as u64, seq + 1);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for n in 0..50 {
        assert_eq!(events(&journal.load(run(n)).await.unwrap()), (0..8).map(event).collect::<Vec<_>>());
    }
    assert_eq!(waiting(&*journal).await, Vec::<String>::new());
    assert_eq!(journal.runs().await.unwrap().len(), 50);
}

async fn of_many_who_write_the_same_place_one_wins(journal: Arc<dyn Journal>) {
    for seq in 0..5 {
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let journal = Arc::clone(&journal);
                tokio::spawn(async move { journal.commit(append(run(1), seq, vec![event(n)])).await })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => won += 1,
                Err(e) => assert_eq!(e, CommitError::Conflict { at: seq + 1 }),
            }
        }
        assert_eq!(won, 1);
    }
}

async fn equal_texts_have_one_key_within_a_run_and_none_outside(outputs: &dyn Outputs) {
    let key = outputs.put(run(1), "disk full").await.unwrap();
    assert_eq!(outputs.put(run(1), "disk full").await, Ok(key));
    assert_eq!(key, Digest::of(b"disk full"));
    assert_eq!(outputs.get(run(1), &key).await.unwrap().as_deref(), Some("disk full"));
    assert_eq!(outputs.get(run(2), &key).await, Ok(None), "another run's outputs may be under other rules");
    let empty = outputs.put(run(1), "").await.unwrap();
    assert_eq!(outputs.get(run(1), &empty).await.unwrap().as_deref(), Some(""));
}

async fn outputs_of_old_runs_are_pruned_and_no_others(outputs: &dyn Outputs) {
    let at = |ms: u64| RunId(ulid::Ulid::from_parts(ms, 7));
    let (old, young) = (at(1_000_000), at(2_000_000));
    let key = outputs.put(old, "disk full").await.unwrap();
    outputs.put(young, "disk full").await.unwrap();
    let before = Timestamp::from_millisecond(2_000_000).unwrap();
    assert_eq!(outputs.prune(before).await, Ok(1));
    assert_eq!(outputs.get(old, &key).await, Ok(None));
    assert_eq!(outputs.get(young, &key).await.unwrap().as_deref(), Some("disk full"));
    assert_eq!(outputs.prune(before).await, Ok(0));
}

async fn outputs_put_at_once_are_all_there(outputs: Arc<dyn Outputs>) {
    let put = |n: usize| {
        let outputs = Arc::clone(&outputs);
        tokio::spawn(async move { (n, outputs.put(run(1), &format!("text {}", n % 10)).await.unwrap()) })
    };
    for task in (0..50).map(put).collect::<Vec<_>>() {
        let (n, key) = task.await.unwrap();
        let text = outputs.get(run(1), &key).await.unwrap();
        assert_eq!(text.as_deref(), Some(format!("text {}", n % 10).as_str()));
    }
}

/// Runs each promise against each adapter, with a folder of its own.
macro_rules! contract {
    ($($adapter:ident: $open:expr => [$($promise:ident($($borrow:tt)?)),* $(,)?];)*) => {
        $(mod $adapter {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let folder = tempfile::tempdir().unwrap();
                let open: fn(&Path) -> Arc<_> = $open;
                let adapter = open(folder.path());
                super::$promise(contract!(@pass adapter $($borrow)?)).await;
            })*
        })*
    };
    (@pass $adapter:ident &) => { &*$adapter };
    (@pass $adapter:ident) => { $adapter };
}
macro_rules! journals {
    ($($adapter:ident: $open:expr;)*) => {
        contract! { $($adapter: $open => [
            events_come_back_in_order_and_chained(&),
            a_wrong_sequence_number_is_a_conflict_and_changes_nothing(&),
            facts_of_the_whole_installation_are_a_chain_of_their_own(&),
            a_fact_at_the_wrong_place_is_a_conflict_and_changes_nothing(&),
            a_key_seen_before_refuses_the_whole_commit(&),
            a_key_is_remembered_for_a_day_and_what_waits_for_ever(&),
            rows_wait_in_the_order_they_came_whatever_the_clock_said(&),
            a_delivery_can_be_taken_and_answered_in_one_commit(&),
            a_large_plan_is_one_event(&),
            fifty_tasks_at_once_lose_and_mix_nothing(),
            of_many_who_write_the_same_place_one_wins(),
        ];)* }
    };
}
journals! { in_memory: |_| Arc::new(MemoryJournal::new()); }
#[cfg(feature = "sled")]
journals! { in_sled: |folder| Arc::new(SledJournal::open(folder).unwrap()); }
contract! {
    outputs_in_memory: |_| Arc::new(MemoryOutputs::new()) => [
        equal_texts_have_one_key_within_a_run_and_none_outside(&),
        outputs_of_old_runs_are_pruned_and_no_others(&),
        outputs_put_at_once_are_all_there(),
    ];
    outputs_in_files: |folder| Arc::new(FileOutputs::open(folder).unwrap()) => [
        equal_texts_have_one_key_within_a_run_and_none_outside(&),
        outputs_of_old_runs_are_pruned_and_no_others(&),
        outputs_put_at_once_are_all_there(),
    ];
}

/// What only a durable journal promises.
#[cfg(feature = "sled")]
mod durable {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::ports::JournalError;

    #[tokio::test]
    async fn everything_survives_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let key = {
            let journal = SledJournal::open(folder.path()).unwrap();
            journal.commit(append(run(1), 0, vec![big(1 << 20), event(1)])).await.unwrap();
            for key in ["a", "b", "c"] {
                journal.commit(accept(row(key, 0))).await.unwrap();
            }
            journal.commit(answered(&["b"])).await.unwrap();
            journal.token_key()
        };
        for round in 0..5 {
            let journal = SledJournal::open(folder.path()).unwrap();
            assert_eq!(events(&journal.load(run(1)).await.unwrap())[..2], [big(1 << 20), event(1)]);
            assert_eq!(waiting(&journal).await, ["a", "c"]);
            assert_eq!(journal.commit(accept(row("b", 0))).await, Err(CommitError::Duplicate));
            assert_eq!(journal.token_key(), key);
            assert_eq!(
                journal.commit(append(run(1), 0, vec![event(1)])).await,
                Err(CommitError::Conflict { at: 2 + round })
            );
            journal.commit(append(run(1), 2 + round, vec![event(1)])).await.unwrap();
        }
        let journal = SledJournal::open(folder.path()).unwrap();
        // Places in the inbox go on after those that were used before.
        journal.commit(accept(row("d", 0))).await.unwrap();
        journal.commit(answered(&["b"])).await.unwrap();
        assert_eq!(waiting(&journal).await, ["a", "c", "d"]);
    }

    #[tokio::test]
    async fn a_halt_survives_reopening_and_a_store_of_before_there_were_any_opens() {
        let folder = tempfile::tempdir().unwrap();
        drop(SledJournal::open(folder.path()).unwrap());
        {
            // As a version that knew no facts would have left it.
            let db = ::sled::Config::new().path(folder.path().join("journal")).segment_size(8 << 20).open().unwrap();
            assert!(db.drop_tree("facts").unwrap());
            db.flush().unwrap();
        }
        let halted = vec![Fact::Halted {
            by: Principal::host("ops-1", "root"),
            why: Some("x".repeat(100_000)),
            input: None,
            at: at(0),
        }];
        {
            let journal = SledJournal::open(folder.path()).unwrap();
            assert_eq!(known(&journal).await, []);
            journal.commit(facts(0, halted.clone())).await.unwrap();
        }
        let journal = SledJournal::open(folder.path()).unwrap();
        assert_eq!(known(&journal).await, halted);
        assert_eq!(journal.commit(facts(0, vec![fact(1)])).await, Err(CommitError::Conflict { at: 1 }));
        journal.commit(facts(1, vec![fact(1)])).await.unwrap();
    }

    #[tokio::test]
    async fn a_fact_that_was_changed_or_taken_out_on_the_disk_is_damage() {
        for (damage, seq) in [("changed", 0u64), ("taken out", 1)] {
            let folder = tempfile::tempdir().unwrap();
            SledJournal::open(folder.path()).unwrap().commit(facts(0, vec![fact(1), fact(2)])).await.unwrap();
            {
                let db =
                    ::sled::Config::new().path(folder.path().join("journal")).segment_size(8 << 20).open().unwrap();
                let tree = db.open_tree("facts").unwrap();
                let key = [seq.to_be_bytes().as_slice(), &0u32.to_be_bytes()].concat();
                let mut record = tree.remove(&key).unwrap().unwrap().to_vec();
                if damage == "changed" {
                    let digit = record.len() - 5;
                    record[digit] ^= 1;
                    tree.insert(key, record).unwrap();
                }
                db.flush().unwrap();
            }
            let fault = SledJournal::open(folder.path()).unwrap().facts().await.unwrap_err();
            assert!(matches!(fault, JournalError::DamagedFacts { seq: at, .. } if at == seq), "{damage}: {fault}");
            assert!(fault.to_string().starts_with("whether everything is halted cannot be told"), "{fault}");
        }
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_in_a_copy_taken_at_that_moment() {
        // The copy is what a process killed right after the answer would leave behind.
        let folder = tempfile::tempdir().unwrap();
        let journal = SledJournal::open(folder.path()).unwrap();
        for seq in 0..10 {
            journal.commit(append(run(1), seq, vec![big(70_000)])).await.unwrap();
            let copy = tempfile::tempdir().unwrap();
            fs::create_dir(copy.path().join("journal")).unwrap();
            for entry in fs::read_dir(folder.path().join("journal")).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    fs::copy(&path, copy.path().join("journal").join(path.file_name().unwrap())).unwrap();
                }
            }
            let left = SledJournal::open(copy.path()).unwrap();
            assert_eq!(left.load(run(1)).await.unwrap(), journal.load(run(1)).await.unwrap());
        }
    }

    #[test]
    fn a_second_muster_on_the_same_store_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let first = SledJournal::open(folder.path()).unwrap();
        let refused = SledJournal::open(folder.path()).unwrap_err();
        assert_eq!(refused, OpenError::Busy(folder.path().to_owned()));
        assert!(refused.to_string().starts_with("another muster is running on the store"));
        drop(first);
        drop(SledJournal::open(folder.path()).unwrap());
    }

    #[test]
    fn a_torn_snapshot_does_not_keep_the_journal_from_opening() {
        let folder = tempfile::tempdir().unwrap();
        drop(SledJournal::open(folder.path()).unwrap());
        let torn = folder.path().join("journal/snap.ffffffffffffffff.generating");
        fs::write(&torn, b"half").unwrap();
        drop(SledJournal::open(folder.path()).unwrap());
        assert!(!torn.exists());
    }

    #[test]
    fn a_damaged_journal_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        drop(SledJournal::open(folder.path()).unwrap());
        let journal = folder.path().join("journal");
        let told = |cause: &str| {
            let refused = SledJournal::open(folder.path()).unwrap_err();
            assert!(matches!(refused, OpenError::Damaged { .. }), "{cause}: {refused}");
            assert!(refused.to_string().contains("put back the last good copy"), "{cause}: {refused}");
        };
        let snapshot = journal.join("snap.ffffffffffffffff");
        fs::write(&snapshot, b"rubbish").unwrap();
        told("a damaged snapshot");
        fs::remove_file(snapshot).unwrap();
        fs::remove_dir_all(&journal).unwrap();
        told("a journal that is gone while the store is not");
    }

    #[test]
    fn the_store_is_for_its_owner_only_also_after_somebody_loosened_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("new/store");
        drop(SledJournal::open(&store).unwrap());
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        let key = store.join("token.key");
        assert_eq!((mode(&store), mode(&key), fs::read(&key).unwrap().len()), (0o700, 0o600, 32));
        fs::set_permissions(&store, fs::Permissions::from_mode(0o770)).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o660)).unwrap();
        drop(SledJournal::open(&store).unwrap());
        assert_eq!((mode(&store), mode(&key)), (0o700, 0o600));
        fs::write(&key, b"short").unwrap();
        assert!(SledJournal::open(&store).unwrap_err().to_string().contains("`token.key` has 5 bytes"));
    }

    #[tokio::test]
    async fn an_event_changed_on_the_disk_is_damage_and_other_runs_go_on() {
        let folder = tempfile::tempdir().unwrap();
        {
            let journal = SledJournal::open(folder.path()).unwrap();
            journal.commit(append(run(1), 0, vec![event(0), event(1)])).await.unwrap();
            journal.commit(append(run(2), 0, vec![event(0)])).await.unwrap();
        }
        {
            let db = ::sled::Config::new().path(folder.path().join("journal")).segment_size(8 << 20).open().unwrap();
            let events = db.open_tree("events").unwrap();
            let key = [run(1).0.to_bytes().as_slice(), &1u64.to_be_bytes(), &0u32.to_be_bytes()].concat();
            let mut record = events.get(&key).unwrap().unwrap().to_vec();
            // The last digit of the time: still a readable event, so that only the chain can tell.
            let digit = record.len() - 5;
            record[digit] ^= 1;
            events.insert(key, record).unwrap();
            db.flush().unwrap();
        }
        let journal = SledJournal::open(folder.path()).unwrap();
        let fault = journal.load(run(1)).await.unwrap_err();
        assert!(matches!(fault, JournalError::Damaged { seq: 1, .. }), "{fault}");
        assert_eq!(journal.load(run(2)).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_checkpoint_covers_every_run() {
        let folder = tempfile::tempdir().unwrap();
        let journal = SledJournal::open(folder.path()).unwrap();
        journal.commit(append(run(1), 0, vec![event(0), event(1)])).await.unwrap();
        journal.commit(append(run(2), 0, vec![event(0)])).await.unwrap();
        let checkpoint = journal.checkpoint(at(0)).await.unwrap();
        let last = journal.load(run(1)).await.unwrap().pop().unwrap();
        assert_eq!(checkpoint.heads.len(), 2);
        assert_eq!(checkpoint.facts, crate::audit::Head::EMPTY);
        journal.commit(facts(0, vec![fact(0)])).await.unwrap();
        let halted = journal.checkpoint(at(0)).await.unwrap();
        assert_eq!((halted.facts.next, halted.facts.hash), (1, journal.facts().await.unwrap()[0].hash));
        assert_ne!(halted.digest(), checkpoint.digest());
        assert_eq!((checkpoint.heads[&run(1)].next, checkpoint.heads[&run(1)].hash), (2, last.hash));
    }
}
