//! The engine over the real adapter and a simulated organisation: how fast, in what order, and with which sessions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster::adapters::aws::Aws;
use muster::adapters::clock::{SystemClock, UlidIds};
use muster::adapters::store::{MemoryJournal, MemoryOutputs};
use muster::domain::{AccountId, ChatPlatform, GroupRef, Millis, NodePlatform, Place, Principal};
use muster::engine::Engine;
use muster::engine::Ports;
use muster::engine::limits::{Limits, Rate};
use muster::engine::rulebook::Rulebook;
use muster::message::{Button, Verb};
use muster::playground::aws::{Execution, FaultName, FaultSpec, Settings as World};
use muster::ports::{
    Actor, Channel, Delivery, Directory, DirectoryError, Inbound, Inbox, Operation, Profile, Quota, Reply,
};
use muster::{rules, shipped};

use super::stage::{FakeChat, SUSAN, Said, name, settings};
use crate::aws_adapter::{Play, quick};

const ARNE: &str = "U0ARNE";
const TENANT: &str = "T0MUSTER";

/// Susan is of support, Arne of the SREs.
struct Staff;

#[async_trait]
impl Directory for Staff {
    async fn members(&self, group: &GroupRef) -> Result<Vec<Principal>, DirectoryError> {
        let of = |user| vec![Principal::slack(TENANT, user)];
        Ok(if group.group == "S0SUPPORT" { of(SUSAN) } else { of(ARNE) })
    }
    async fn profile(&self, _: &Principal) -> Result<Profile, DirectoryError> {
        Ok(Profile::default())
    }
    async fn channel(&self, _: &Place) -> Result<Channel, DirectoryError> {
        Ok(Channel { member: true, shared: false })
    }
}

struct Stage {
    play: Play,
    chat: Arc<FakeChat>,
    limits: Arc<Limits>,
    engine: Engine,
}

/// The shipped runbooks and policy. What plans read goes through sessions of its own, so that those which the runs use are
/// cold when a plan is made, as after a restart.
async fn stage(world: World, reads: Rate) -> Stage {
    let play = Play::new(world).await;
    let chat: Arc<FakeChat> = Arc::default();
    let limits = Arc::new(Limits::new(reads));
    let aws = || async { Arc::new(Aws::connect_paced(play.settings(), Arc::new(SystemClock), limits.clone()).await) };
    let owned = |files: &[(&str, &str)]| files.iter().map(|(n, t)| ((*n).into(), (*t).to_owned())).collect();
    let rules = rules::check(&owned(shipped::RUNBOOKS), &owned(shipped::POLICIES)).unwrap();
    let ports = Ports {
        journal: Arc::new(MemoryJournal::with_token_key([7; 32])),
        outputs: Arc::new(MemoryOutputs::default()),
        cloud: aws().await,
        inventory: aws().await,
        chat: chat.clone(),
        directory: Arc::new(Staff),
        clock: Arc::new(SystemClock),
        ids: Arc::new(UlidIds::default()),
    };
    let engine = Engine::start(ports, limits.clone(), Arc::new(Rulebook::new(rules)), settings()).await.unwrap();
    Stage { play, chat, limits, engine }
}

impl Stage {
    async fn does(&self, user: &str, inbound: Inbound) {
        let channel = "C0OPS".to_owned();
        let place = Place { platform: ChatPlatform::Slack, tenant: TENANT.into(), channel, thread: None };
        let person = Principal::slack(TENANT, user);
        let reply = Reply {
            platform: ChatPlatform::Slack,
            place: place.clone(),
            person: person.clone(),
            url: None,
            trigger: None,
        };
        let key = format!("{user}: {inbound:?}");
        let actor = Actor { principal: person, foreign: false };
        self.engine.accept(Delivery { key, actor, place, inbound, reply }).await.unwrap();
    }

    async fn types(&self, text: &str) {
        self.does(SUSAN, Inbound::Command { text: text.to_owned() }).await;
    }

    async fn button(&self, verb: Verb) -> Button {
        let found = |said: &[Said]| {
            let cards = said.iter().filter_map(|said| match said {
                Said::Post { card, .. } => Some(card),
                Said::Edit { .. } | Said::Whisper(_) => None,
            });
            cards.flat_map(|card| &card.buttons).find(|button| button.verb == verb).cloned()
        };
        self.chat.until("a button", found).await
    }

    /// The last word of a run.
    async fn closing(&self) -> String {
        let closing = |said: &[Said]| {
            said.iter().find_map(|said| match said {
                Said::Post { key, card } if name(key) == "closing" => Some(card.title.clone()),
                Said::Post { .. } | Said::Edit { .. } | Said::Whisper(_) => None,
            })
        };
        self.chat.until("the last word", closing).await
    }

    /// Names of the sessions that the account was entered with, in order.
    fn entered(&self, account: &str) -> Vec<String> {
        let sessions = self.play.organisation.sessions().into_iter();
        sessions.filter(|s| s.account == account).map(|s| s.session_name).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_people_decide_accounts_are_entered_for_reading_and_never_for_sending() {
    const ACME_PROD: &str = "111111111111";
    let stage = stage(quick(), Rate { per_second: 1000.0, burst: 100 }).await;
    stage.types("run restart-service service=nginx on accounts=acme-prod tag:service=web because \"it hangs\"").await;
    let button = stage.button(Verb::Approve).await;
    // Once for the plan, and once so that the run finds it open.
    tokio::time::timeout(Duration::from_secs(20), async {
        while stage.entered(ACME_PROD).len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("nothing was warmed");
    // Whatever else would be opened too early has had its time.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.entered(ACME_PROD), ["muster-read", "muster-read"]);
    let accounts: BTreeSet<String> = stage.play.organisation.sessions().into_iter().map(|s| s.account).collect();
    assert_eq!(accounts, BTreeSet::from([ACME_PROD.to_owned(), muster::playground::aws::CENTRAL.to_owned()]));

    stage.does(ARNE, Inbound::Click { verb: button.verb, run: button.run, revision: button.revision }).await;
    stage.closing().await;
    let entered = stage.entered(ACME_PROD);
    assert_eq!(entered[..2], ["muster-read", "muster-read"]);
    assert!(
        !entered[2..].is_empty() && entered[2..].iter().all(|n| *n == format!("muster-{}", button.run)),
        "{entered:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_over_a_throttled_account_ends_well_and_its_neighbour_is_not_slowed() {
    const START: f64 = 20.0;
    let world = World { execution: Execution::Table { script_time: Millis(2_500) }, ..quick() };
    let stage = stage(world, Rate { per_second: START, burst: 20 }).await;
    // One call a second of each operation in the one account; as many as are made in the other.
    stage.play.organisation.plant(FaultSpec::new(FaultName::Throttle).account("acme-staging").value(1)).unwrap();
    stage.types("run disk-usage on accounts=acme-staging,globex-staging platform=linux").await;
    let said = stage.closing().await;
    let ran = stage.play.organisation.executions();
    let once: BTreeSet<(&str, &str)> = ran.iter().map(|e| (e.node.as_str(), e.script_sha256.as_str())).collect();
    assert_eq!(once.len(), ran.len(), "a step ran twice on a node");
    let there = stage.play.organisation.machines().into_iter().filter(|(account, _, machine)| {
        let asked = ["222222222222", "444444444444"].contains(&account.as_str());
        asked && machine.managed && machine.online && machine.platform == NodePlatform::Linux
    });
    let there: BTreeSet<String> = there.map(|(_, _, machine)| machine.id.to_string()).collect();
    assert_eq!(ran.iter().map(|e| e.node.clone()).collect::<BTreeSet<_>>(), there);
    assert!(said.starts_with(&format!("disk-usage: {} of ", there.len())) && said.contains("succeeded"), "{said}");
    assert!(stage.play.organisation.calls().values().any(|calls| calls.throttled > 0), "the fault never struck");

    let rates = |account: &str| -> Vec<(Operation, f64)> {
        let account: AccountId = account.parse().unwrap();
        let regions = stage.play.organisation.settings().regions.iter();
        let all = regions.flat_map(|region| Operation::ALL.map(|op| (op, Quota::of(&account, region, op))));
        all.map(|(op, quota)| (op, stage.limits.per_second(&quota))).collect()
    };
    let (slowed, fresh) = (rates("222222222222"), Limits::new(Rate { per_second: START, burst: 20 }));
    let start = |account: &str, op| {
        let region = "eu-west-1".parse().unwrap();
        fresh.per_second(&Quota::of(&account.parse().unwrap(), &region, op))
    };
    assert!(slowed.iter().any(|(op, rate)| *rate < start("222222222222", *op)), "{slowed:?}");
    for (op, rate) in rates("444444444444") {
        assert!(rate >= start("444444444444", op), "{op:?} of the neighbour went down to {rate}/s");
    }
}
