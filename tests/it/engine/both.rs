//! Slack and Discord in one process, over one journal and one policy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use muster::adapters::clock::{SystemClock, UlidIds};
use muster::adapters::discord::Discord;
use muster::adapters::router::Router;
use muster::adapters::slack::Slack;
use muster::adapters::store::{MemoryJournal, MemoryOutputs};
use muster::domain::{ChatPlatform, Outcome, Place, Principal};
use muster::engine::limits::{Limits, Rate};
use muster::engine::rulebook::Rulebook;
use muster::engine::{Engine, Ports};
use muster::message::Verb;
use muster::playground::discord::people::{ARNE as DISCORD_ARNE, OPS, SUSAN as DISCORD_SUSAN};
use muster::playground::discord::{GUILD, Options as DiscordOptions, Server as DiscordServer, acts as discord_acts};
use muster::playground::slack::forms::{self, Spot};
use muster::playground::slack::home;
use muster::playground::slack::server::{Options as SlackOptions, Server as SlackServer};
use muster::ports::{Actor, Delivery, Inbound, Inbox, Journal as _, Reply};
use muster::run::{Event, Run};
use muster::{rules, shipped};

use super::seen::until;
use super::stage::{FakeCloud, settings};
use crate::{discord_stage, slack_stage};

struct Both {
    slack: SlackServer,
    discord: DiscordServer,
    journal: Arc<MemoryJournal>,
    cloud: Arc<FakeCloud>,
    engine: Engine,
}

/// The shipped policy, but that looking at two nodes takes one of sre; `people` is added to it.
async fn both(people: &str) -> Both {
    slack_stage::crypto();
    let (slack, discord) =
        tokio::join!(SlackServer::start(SlackOptions::default()), DiscordServer::start(DiscordOptions::default()));
    let (slack, discord) = (slack.unwrap(), discord.unwrap());
    let at_slack = Slack::with_pace(slack_stage::settings(&slack.api_url), slack_stage::pace()).unwrap();
    let at_discord = Discord::with_pace(discord_stage::settings(&discord.base_url()), discord_stage::pace()).unwrap();
    let router = Router::default()
        .with(ChatPlatform::Slack, Arc::new(at_slack.clone()))
        .with(ChatPlatform::Discord, Arc::new(at_discord.clone()));
    let router = Arc::new(router);
    let few = |text: &str| {
        let many = "when = { targets_over = 50, risk = [\"change\", \"destructive\"] }\nneed = [{ from = \"sre\", count = 2 }]";
        let few = "when = { targets_over = 1, risk = [\"read\"] }\nneed = [{ from = \"sre\", count = 1 }]";
        assert!(text.contains(many), "the shipped policy has another rule");
        text.replace(many, few).replacen("\n[sets.", &format!("\n{people}\n[sets."), 1)
    };
    let runbooks: BTreeMap<_, _> = shipped::RUNBOOKS.iter().map(|(n, t)| ((*n).into(), (*t).to_owned())).collect();
    let policies: BTreeMap<_, _> = shipped::POLICIES[..1].iter().map(|(n, t)| ((*n).into(), few(t))).collect();
    let rules = rules::check(&runbooks.into_iter().collect(), &policies.into_iter().collect()).unwrap();
    let journal = Arc::new(MemoryJournal::with_token_key([7; 32]));
    let cloud = Arc::new(FakeCloud::default());
    cloud.let_end.store(true, Ordering::Relaxed);
    let ports = Ports {
        journal: journal.clone(),
        outputs: Arc::new(MemoryOutputs::default()),
        cloud: cloud.clone(),
        inventory: cloud.clone(),
        chat: router.clone(),
        directory: router,
        clock: Arc::new(SystemClock),
        ids: Arc::new(UlidIds::default()),
    };
    let limits = Arc::new(Limits::new(Rate { per_second: 1000.0, burst: 100 }));
    let engine = Engine::start(ports, limits, Arc::new(Rulebook::new(rules)), settings()).await.unwrap();
    let inbox: Arc<dyn Inbox> = Arc::new(engine.clone());
    let (one, other) = (inbox.clone(), inbox);
    tokio::spawn({
        let slack = at_slack.clone();
        async move { slack.listen(one, std::future::pending()).await }
    });
    tokio::spawn({
        let discord = at_discord.clone();
        async move { discord.listen(other, std::future::pending()).await }
    });
    until("both listen", || slack.workspace.hub.connections() > 0 && at_discord.is_live()).await;
    Both { slack, discord, journal, cloud, engine }
}

impl Both {
    /// Susan asks in Discord, and Arne looks at the bot's page in Slack.
    async fn asked_there_and_seen_here(&self) {
        let (workspace, typed) = (&self.discord.workspace, "/runbook run disk-usage on accounts=acme-staging");
        discord_acts::say(workspace, DISCORD_SUSAN, OPS, typed, None).await.unwrap();
        until("it asks", || self.said_in_discord("Approve disk-usage on 2 nodes?")).await;
        home::open(&self.slack.workspace, "arne").unwrap();
        until("the page is shown", || self.on_the_page("Run something")).await;
    }

    fn on_the_page(&self, words: &str) -> bool {
        let world = self.slack.workspace.world();
        world.home("U0ARNE").is_some_and(|view| view.blocks.iter().any(|block| block.to_string().contains(words)))
    }

    fn said_in_discord(&self, words: &str) -> bool {
        let world = self.discord.workspace.world();
        world.messages.iter().any(|message| message.embeds.iter().any(|embed| embed.to_string().contains(words)))
    }

    async fn events(&self) -> Vec<Event> {
        let run = self.journal.runs().await.unwrap()[0];
        self.journal.load(run).await.unwrap().into_iter().map(|stored| stored.event).collect()
    }
}

#[tokio::test]
async fn whoever_is_linked_approves_at_one_platform_what_was_asked_at_the_other() {
    let linked = format!("[people]\narne = [\"slack:T0MUSTER:U0ARNE\", \"discord:{GUILD}:{DISCORD_ARNE}\"]\n");
    let both = both(&linked).await;
    both.asked_there_and_seen_here().await;
    until("it waits for him there", || both.on_the_page("\"Approve\"")).await;
    forms::act(&both.slack.workspace, "arne", "Approve", None, &Spot::Home).await.unwrap();
    until("the end is told", || both.said_in_discord("done in")).await;
    let events = both.events().await;
    let approved = events.iter().find_map(|event| match event {
        Event::Approved { by, stands_for, .. } => Some((by.clone(), stands_for.clone())),
        _ => None,
    });
    let (arne, there) = (Principal::slack("T0MUSTER", "U0ARNE"), Principal::discord(GUILD, DISCORD_ARNE));
    assert_eq!(approved, Some((arne, Some(there))), "the journal names who clicked, and whom that account stands for");
    let run = Run::replay(&events).unwrap().unwrap();
    assert!(run.targets.iter().all(|target| target.outcome == Some(Outcome::Succeeded)));
    assert!(both.cloud.sends.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn whoever_is_not_linked_is_told_why_it_does_not_count() {
    let both = both("").await;
    both.asked_there_and_seen_here().await;
    assert!(!both.on_the_page("\"Approve\""), "nothing is offered that does not count");
    // Whoever clicks all the same, on a button that is not there.
    let run = both.journal.runs().await.unwrap()[0];
    let person = Principal::slack("T0MUSTER", "U0ARNE");
    let place =
        Place { platform: ChatPlatform::Slack, tenant: "T0MUSTER".into(), channel: "C0OPS".into(), thread: None };
    let delivery = Delivery {
        key: "forged".into(),
        actor: Actor { principal: person.clone(), foreign: false },
        place: place.clone(),
        inbound: Inbound::Click { verb: Verb::Approve, run, revision: u32::MAX },
        reply: Reply { platform: ChatPlatform::Slack, place, person, url: None, trigger: None },
    };
    both.engine.accept(delivery).await.unwrap();
    let told = || {
        let world = both.slack.workspace.world();
        world.messages.iter().any(|m| m.blocks.iter().any(|b| b.to_string().contains("asked in another workspace")))
    };
    until("arne is told", told).await;
    assert!(!both.events().await.iter().any(|event| matches!(event, Event::Approved { .. } | Event::Started { .. })));
    assert_eq!(both.cloud.sends.load(Ordering::SeqCst), 0);
}
