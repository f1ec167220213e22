//! The bot is killed at every point that matters and started again: nothing is sent or said twice, nothing is lost, and
//! the threads read as if nothing had happened.
//!
//! Two simulators and the bot run as processes of their own. Who judges: the logs of the simulators, an undisturbed
//! run of the same conversation, and the journal, read after the bot is dead. Several stages work side by side,
//! because most of the time is spent waiting.

pub mod person;
pub mod stage;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use muster::adapters::store::{OpenError, SledJournal};
use muster::playground::conversation::normalise::normalise;
use muster::ports::Journal as _;
use muster::run::Run;
use tokio::sync::watch;
use tokio::time::Instant;

use person::{Person, is_closing, place};
use stage::{Bot, Kill, SOON, Stage, supervise, until, word};

/// Stages at a time.
const STAGES: usize = 3;
/// Nobody has to approve it.
const IN_STAGING: &str = "/runbook run restart-service service=nginx on accounts=acme-staging tag:service=web";
/// An approver has to.
const IN_PRODUCTION: &str =
    "/runbook run restart-service service=nginx on accounts=acme-prod tag:service=web because \"ticket 4711\"";
/// Root, results and closing reply; where it was approved, the request too.
const MESSAGES: [usize; 2] = [3, 4];
/// More commits or deeds than this conversation can have.
const NEVER_SO_MANY: usize = 120;

#[tokio::test]
#[ignore = "needs strace; .ci/run runs it"]
async fn killed_after_each_journal_commit_it_sends_nothing_twice_and_says_the_same() {
    let kills = killed_at_each("commit", Kill::AtCommit).await;
    assert!(kills >= 20, "only {kills} commits: what is counted are not the commits of the journal");
}

#[tokio::test]
#[ignore = "needs strace; .ci/run runs it"]
async fn killed_after_each_deed_that_it_could_not_write_down_it_does_nothing_twice_and_says_the_same() {
    let kills = killed_at_each("deed", Kill::AtDeed).await;
    // Seven messages and four commands.
    assert!(kills >= 11, "only {kills} deeds");
}

/// Plays the conversation undisturbed, then once for each number until it comes to its end unkilled. Returns how
/// many were killed.
async fn killed_at_each(what: &'static str, kill: fn(usize) -> Kill) -> usize {
    let began = Instant::now();
    let first = Stage::start().await;
    let expected = played(&first, "undisturbed", Kill::Never, None).await.threads;
    println!("undisturbed ({:.1} s):\n\n{}\n", began.elapsed().as_secs_f32(), expected.join("\n\n----\n\n"));

    let (next, over) = (Cell::new(1), Cell::new(false));
    let mut stages = vec![first];
    while stages.len() < STAGES {
        stages.push(Stage::start().await);
    }
    let work = async |stage: &Stage| {
        let mut kills = 0;
        while !over.get() {
            let number = next.replace(next.get() + 1);
            assert!(number <= NEVER_SO_MANY, "killed at {what} {number}, and still no end");
            let began = Instant::now();
            let told = played(stage, &format!("{what}-{number}"), kill(number), Some(&expected)).await;
            let took = began.elapsed().as_secs_f32();
            match told.killed_after {
                Some(after) => {
                    println!("{what} {number}: killed after {:.1} s, whole {took:.1} s", after.as_secs_f32());
                    kills += 1;
                }
                None => {
                    println!("{what} {number}: not reached, whole {took:.1} s");
                    over.set(true);
                }
            }
        }
        kills
    };
    let kills: usize = futures::future::join_all(stages.iter().map(work)).await.into_iter().sum();
    println!("K = {kills} kills, one at each {what}, in {:.0} s", began.elapsed().as_secs_f32());
    kills
}

struct Told {
    /// The two threads, normalised.
    threads: Vec<String>,
    killed_after: Option<Duration>,
}

/// Plays the whole conversation with one bot and judges it; panics with what the bot logged.
async fn played(stage: &Stage, name: &str, kill: Kill, expected: Option<&Vec<String>>) -> Told {
    let bot = stage.new_bot(name);
    let began = Instant::now();
    let (killed, mut kills) = watch::channel(false);
    let watching = async {
        let _ = kills.wait_for(|killed| *killed).await;
        began.elapsed()
    };
    let mut killed_after = None;
    let conversation = async {
        tokio::select! {
            threads = converse(stage, expected) => threads,
            ended = supervise(stage, &bot, kill, &killed) => Err(ended),
        }
    };
    let mut conversation = std::pin::pin!(conversation);
    let threads = tokio::select! {
        threads = &mut conversation => threads,
        after = watching => {
            killed_after = Some(after);
            conversation.await
        }
    };
    let judged = match threads {
        // `supervise` was dropped, and the bot with it.
        Ok(threads) => settled(stage, &bot).await.map(|()| threads),
        Err(fault) => Err(fault),
    };
    let threads = judged.unwrap_or_else(|fault| panic!("{name}: {fault}\n\nthe bot's log:\n{}", bot.log()));
    Told { threads, killed_after }
}

/// Both runs, from the first word until nothing more is said; then everything but the journal is judged.
async fn converse(stage: &Stage, expected: Option<&Vec<String>>) -> Result<Vec<String>, String> {
    let person = Person(stage);
    let roots_before = stage.roots().await.len();
    let (sends_before, executions_before) = (stage.listed("sends").await.len(), stage.listed("executions").await.len());

    let in_staging = person.types(IN_STAGING).await?;
    person.reads(&in_staging, MESSAGES[0]).await?;
    let in_production = person.types(IN_PRODUCTION).await?;
    person.approves(&in_production).await?;
    person.reads(&in_production, MESSAGES[1]).await?;
    person.hears_nothing_more().await?;

    let roots = stage.roots().await;
    if roots[roots_before..] != [in_staging.clone(), in_production.clone()] {
        return Err(format!("not one root card for each run: {:?}", &roots[roots_before..]));
    }
    let mut threads = Vec::new();
    for (root, count) in [in_staging, in_production].iter().zip(MESSAGES) {
        let messages = stage.thread(root).await;
        let shown = messages.join("\n\n");
        if messages.len() != count || messages.iter().filter(|m| is_closing(m)).count() != 1 {
            return Err(format!("not {count} messages with one closing reply:\n{shown}"));
        }
        threads.push(normalise(&shown));
    }
    if let Some(expected) = expected.filter(|expected| **expected != threads) {
        return Err(format!(
            "it says\n\n{}\n\ninstead of\n\n{}",
            threads.join("\n\n----\n\n"),
            expected.join("\n\n----\n\n")
        ));
    }
    each_once(stage, sends_before, executions_before).await?;
    Ok(threads)
}

/// By the log of the simulated AWS: every approved node was sent to once and ran once, and no other.
async fn each_once(stage: &Stage, sends_before: usize, executions_before: usize) -> Result<(), String> {
    let mut counts: BTreeMap<(String, String, String), (usize, usize)> = BTreeMap::new();
    for node in stage.listed("nodes").await {
        let approved = ["acme-staging", "acme-prod"].contains(&word(&node, "account_name").as_str())
            && node["tags"]["service"] == "web"
            && node["managed"] == true
            && node["online"] == true
            && node["state"] == "running";
        if approved {
            counts.insert(place(&node, &word(&node, "node")), (0, 0));
        }
    }
    let approved = counts.len();
    for send in &stage.listed("sends").await[sends_before..] {
        for node in send["nodes"].as_array().into_iter().flatten() {
            counts.entry(place(send, node.as_str().unwrap_or_default())).or_default().0 += 1;
        }
    }
    for execution in &stage.listed("executions").await[executions_before..] {
        counts.entry(place(execution, &word(execution, "node"))).or_default().1 += 1;
    }
    if approved >= 4 && counts.len() == approved && counts.values().all(|c| *c == (1, 1)) {
        return Ok(());
    }
    Err(format!("{approved} nodes were approved; sends and executions of each: {counts:#?}"))
}

/// The bot is dead: its journal holds both runs, owes nothing, and every input has had its answer.
async fn settled(stage: &Stage, bot: &Bot) -> Result<(), String> {
    until("the end of the bot", SOON, async || stage.connections().await == 0).await?;
    // Its sockets are gone before the process is, and with it its lock.
    let mut journal = None;
    until("a store that nobody has", SOON, async || {
        let store = bot.store();
        let opened = tokio::task::spawn_blocking(move || SledJournal::open(&store)).await;
        let busy = matches!(opened, Ok(Err(OpenError::Busy(_))));
        journal = Some(opened);
        !busy
    })
    .await?;
    let opened = journal.ok_or("the store was not opened")?;
    let journal = opened.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    let runs = journal.runs().await.map_err(|e| e.to_string())?;
    if runs.len() != 2 {
        return Err(format!("the journal holds {} runs", runs.len()));
    }
    for id in runs {
        let events = journal.load(id).await.map_err(|e| e.to_string())?;
        let run = Run::replay(events.iter().map(|e| &e.event)).map_err(|e| e.to_string())?;
        let owed = run.as_ref().map(|run| run.effects().clone());
        if !run.is_some_and(|run| run.is_settled()) {
            return Err(format!("run {id} is not settled: it owes {owed:?}"));
        }
    }
    let unanswered = journal.unanswered().await.map_err(|e| e.to_string())?;
    if unanswered.is_empty() { Ok(()) } else { Err(format!("inputs without an answer: {unanswered:?}")) }
}
