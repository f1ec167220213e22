//! A world in which the engine lives and dies: AWS, Slack, people, rules and a disk, which outlive every process; and a
//! time that passes only while nobody works.
//!
//! Everything comes from one seed. [`fortune`] decides what goes wrong, [`people`] what is asked and clicked, [`ledger`] and
//! [`story`] judge each event when it becomes durable, [`promises`] judges what is left at the end.

mod aws;
mod commands;
mod fortune;
mod ledger;
mod office;
mod people;
mod promises;
mod rules;
mod slack;
mod society;
mod story;
mod time;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use muster::adapters::store::MemoryOutputs;
use muster::domain::{Counts, RunId, Timestamp};
use muster::engine::limits::{Limits, Rate};
use muster::engine::rulebook::Rulebook;
use muster::engine::{Engine, Ports, Settings};
use muster::message::to_text;
use muster::ports::{Ids, Inbound};

use aws::Aws;
use fortune::Fortune;
use ledger::Ledger;
use office::Office;
use people::People;
use slack::Slack;
use society::{ANA, GUS, Society, person, place};
use time::Time;

pub use promises::Ended;
pub use slack::Message;
pub use story::UnderWay;

/// At the limits that `app` gives the engine.
const RATE: Rate = Rate { per_second: 1.0, burst: 3 };
/// The slowest restart that is no outage.
const DRAIN: Duration = Duration::from_millis(200);
/// By then every run has ended: its approval, its holds and its own deadline have passed, and what AWS could be asked.
const ENDS_WITHIN: Duration = Duration::from_secs(2 * 86_400);

/// Ids that sort by the time, from the seed.
struct SeededIds(Arc<Fortune>, AtomicU32);

impl Ids for SeededIds {
    fn run_id(&self, now: Timestamp) -> RunId {
        let number = u128::from(self.1.fetch_add(1, Ordering::Relaxed));
        let low = self.0.bits() & ((1 << 60) - 1);
        // The clock may have been set back; the order of the ids is that of the requests all the same.
        RunId(ulid::Ulid::from_parts(now.as_millisecond() as u64, (number << 60) | low))
    }
}

pub struct World {
    seed: u64,
    pub time: Arc<Time>,
    pub fortune: Arc<Fortune>,
    society: Arc<Society>,
    ledger: Arc<Ledger>,
    outputs: Arc<MemoryOutputs>,
    pub aws: Arc<Aws>,
    pub slack: Arc<Slack>,
    office: Arc<Office>,
    ids: Arc<SeededIds>,
    people: People,
    /// Runs that people ask for.
    most_runs: u32,
    lives: AtomicU32,
    crashes: AtomicU32,
}

/// How one process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// In the middle of whatever it does: pulled out of its socket.
    Killed,
    /// By its own word, as at a deployment.
    Stopped,
}

impl World {
    pub fn new(seed: u64) -> Self {
        World::of(seed, Fortune::new(seed))
    }

    /// A world in which nothing goes wrong but what a test plants.
    pub fn calm(seed: u64) -> Self {
        let fortune = Fortune::new(seed);
        fortune.calm_down();
        World::of(seed, fortune)
    }

    fn of(seed: u64, fortune: Fortune) -> Self {
        let fortune = Arc::new(fortune);
        let time = Arc::new(Time::new());
        let society = Arc::new(Society::new(time.clone(), fortune.clone()));
        let ledger = Arc::new(Ledger::new(time.clone(), fortune.clone(), society.clone()));
        let aws = Arc::new(Aws::new(time.clone(), fortune.clone(), ledger.clone()));
        let slack = Arc::new(Slack::new(time.clone(), fortune.clone()));
        let office = Arc::new(Office::new(time.clone(), fortune.clone(), society.clone()));
        let most_runs = 2 + fortune.below(4);
        World {
            seed,
            time,
            society,
            ledger,
            outputs: Arc::default(),
            aws,
            slack,
            office,
            ids: Arc::new(SeededIds(fortune.clone(), AtomicU32::new(0))),
            fortune,
            people: People::default(),
            most_runs,
            lives: AtomicU32::new(0),
            crashes: AtomicU32::new(0),
        }
    }

    /// The whole history: lives that end anyhow, a calm one that brings everything to its end, and one more that finds
    /// nothing to do.
    pub fn play(&self) -> Ended {
        for _ in 0..2 + self.fortune.below(4) {
            let longest = *self.fortune.pick(&[20_000, 120_000, 600_000, 3_600_000]);
            let length = self.fortune.millis(500..longest);
            let death = if self.fortune.one_in(4) { Death::Stopped } else { Death::Killed };
            self.live(async |engine| self.until_killed(engine, length, death).await);
            let outage = *self.fortune.pick(&[5_000, 5_000, 60_000, 1_500_000]);
            self.time.rest(self.fortune.millis(1_500..outage));
        }
        self.fortune.calm_down();
        self.slack.comes_back();
        let quiet = self.live(async |engine| self.until_quiet(engine).await);
        if quiet == Some(true) {
            self.time.rest(Duration::from_secs(60));
            self.live(async |engine| self.look_around(engine).await);
        }
        self.judge(quiet == Some(true))
    }

    /// One process, from its start to whatever ends it: `None` if that was a fault.
    fn live<T>(&self, life: impl AsyncFnOnce(&Engine) -> T) -> Option<T> {
        let number = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        self.ledger.begin(number);
        self.fortune.forget_crash();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let ended = runtime.block_on(async {
            self.time.begin();
            let whole = async {
                let engine = self.engine().await;
                let lived = async { Some(life(&engine).await) };
                tokio::select! {
                    biased;
                    () = engine.failed() => None,
                    () = self.office.deliver(&engine) => None,
                    ended = lived => ended,
                }
            };
            let ended = tokio::select! {
                biased;
                () = self.fortune.crashed() => None,
                ended = whole => ended,
            };
            self.time.end();
            ended
        });
        // Every task ends here, wherever it stands.
        drop(runtime);
        self.office.hang_up();
        if ended.is_none() {
            self.crashes.fetch_add(1, Ordering::Relaxed);
        }
        ended
    }

    async fn engine(&self) -> Engine {
        let settings = Settings {
            command: "/runbook".into(),
            request_expiry: Duration::from_secs(300),
            edit_every: Duration::from_secs(2),
            keep_settled: Duration::from_secs(900),
            keep_outputs: Duration::from_secs(90 * 86_400),
        };
        let ports = Ports {
            journal: self.ledger.clone(),
            outputs: self.outputs.clone(),
            cloud: self.aws.clone(),
            inventory: self.aws.clone(),
            chat: self.slack.clone(),
            directory: self.society.clone(),
            clock: self.time.clone(),
            ids: self.ids.clone(),
        };
        let rulebook = Arc::new(Rulebook::new(self.society.rules()));
        self.society.posts_rules_to(&rulebook);
        Engine::start(ports, Arc::new(Limits::new(RATE)), rulebook, settings).await.unwrap()
    }

    async fn until_killed(&self, engine: &Engine, length: Duration, death: Death) {
        tokio::select! {
            biased;
            () = self.turn() => {}
            () = tokio::time::sleep(length) => {}
        }
        match death {
            Death::Killed => drop(self.crashes.fetch_add(1, Ordering::Relaxed)),
            Death::Stopped => {
                engine.stop();
                tokio::time::sleep(DRAIN).await;
            }
        }
    }

    /// Whether everything came to its end in time.
    async fn until_quiet(&self, engine: &Engine) -> bool {
        let quiet = async {
            let mut calm = 0;
            while calm < 3 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                let quiet = self.ledger.is_quiet() && self.office.is_empty() && self.aws.is_quiet();
                calm = if quiet { calm + 1 } else { 0 };
            }
        };
        tokio::select! {
            biased;
            () = quiet => true,
            () = self.help_out(engine) => false,
            () = tokio::time::sleep(ENDS_WITHIN) => false,
        }
    }

    /// A new process shows each run as the journal tells it.
    async fn look_around(&self, _: &Engine) {
        for id in self.ledger.runs() {
            let asks = Inbound::Command { text: format!("status {}", id.short(26)) };
            let key = self.office.post(&person(GUS), &place("C0OPS"), asks);
            let answered = async {
                loop {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    if self.ledger.rows().get(&key).is_some_and(|row| row.answered.is_some()) {
                        break;
                    }
                }
            };
            if tokio::time::timeout(Duration::from_secs(300), answered).await.is_err() {
                self.ledger.broke(format!("I4: nobody answers what became of {id}"));
                return;
            }
            self.judge_shown(id, &key);
        }
    }

    /// Ana asks for a look at staging, and it comes to its end; `meanwhile` is what a test does as soon as `when` is in the
    /// journal. Returns how its nodes ended.
    pub fn looks(&self, when: &str, meanwhile: impl FnOnce(&World)) -> Counts {
        let quiet = self.live(async |engine| {
            let asks = Inbound::Command { text: "run look on accounts=acme-staging".into() };
            self.office.post(&person(ANA), &place("C0OPS"), asks);
            let told = || self.ledger.stories(|s| s.values().any(|s| s.events.iter().any(|e| e.name() == when)));
            while !told() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            meanwhile(self);
            self.until_quiet(engine).await
        });
        let ended = self.judge(quiet == Some(true));
        assert!(ended.broken.is_empty(), "{}\n{:#?}", self.told(), ended.broken);
        assert_eq!(self.fortune.still_planted(), [""; 0], "what a test plants takes effect");
        self.ledger.stories(|stories| stories.values().next().unwrap().run.counts)
    }

    /// Ana asks what is going on while nobody reaches Slack. One process lives so long and is stopped; Slack comes back,
    /// and another process begins.
    pub fn asks_while_slack_is_down(&self, length: Duration) {
        self.live(async |engine| {
            self.slack.goes_down(length * 2);
            self.office.post(&person(ANA), &place("C0OPS"), Inbound::Command { text: "status".into() });
            tokio::time::sleep(length).await;
            engine.stop();
            tokio::time::sleep(DRAIN).await;
        });
        self.slack.comes_back();
        self.live(async |engine| self.until_quiet(engine).await);
    }

    /// Everything that was said and written, as text.
    pub fn told(&self) -> String {
        let mut text = format!("seed {}\n\n{}\n", self.seed, self.society.job());
        self.ledger.stories(|stories| {
            for (id, story) in stories {
                text.push_str(&format!("--- the journal of {id}, asked by {}\n", story.run.proposal.by));
                for ((event, at), number) in story.events.iter().zip(&story.at).zip(0..) {
                    let mut said = format!("{event:?}");
                    said.truncate(said.char_indices().nth(400).map_or(said.len(), |(at, _)| at));
                    text.push_str(&format!("{number:>3} {at} {said}\n"));
                }
            }
        });
        for message in self.slack.messages() {
            let card = message.cards.last().map(to_text).unwrap_or_default();
            text.push_str(&format!("--- {} ({} forms)\n{card}\n", message.key, message.cards.len()));
        }
        for whisper in self.slack.whispers() {
            text.push_str(&format!("--- to {} for {}\n{}\n", whisper.to, whisper.delivery, to_text(&whisper.card)));
        }
        for (key, deed) in self.society.deeds() {
            text.push_str(&format!("--- {key}: {} {:?}\n", deed.by, deed.inbound));
        }
        text
    }
}
