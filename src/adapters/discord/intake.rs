//! One event: read it, give it to the inbox, answer it.
//!
//! The inbox row is durable before the acknowledgement goes out, unless that takes longer than the watchdog allows:
//! Discord gives three seconds. Where a form may be the answer the acknowledgement waits for it, because a modal can only
//! be the first answer; if it does not come in time the acknowledgement goes out without it, and the person is told.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout, timeout_at};

use crate::domain::{ChatPlatform, Place, Principal};
use crate::message::plain::{clean, cut};
use crate::ports::{Ack, Actor, Completing, Delivery, Inbound, Inbox, InboxError, Reply};

use super::asked::Asked;
use super::dialog;
use super::drafts::Drafts;
use super::gateway::Sink;
use super::places::{Places, Spot};
use super::receive::{self, Kind, Reading};
use super::waiting::Waiting;

/// Interactions remembered, so that one that comes again after a resume is answered once. The inbox's own key is what
/// makes a deed happen once.
const REMEMBERED: usize = 4_096;
/// Discord takes 25 choices of 100 characters each for what can be typed next.
const CHOICES_MAX: usize = 25;
const CHOICE_MAX: usize = 100;

/// What goes back to Discord.
#[async_trait]
pub(super) trait Front: Send + Sync {
    /// Gives the first answer, after which further words may follow. Failures are told in the log.
    async fn answer(&self, asked: &Asked, answer: Value, arrived: Instant);
    /// Changes the first answer, where that was a message of ours.
    async fn amend(&self, asked: &Asked, body: Value);
    /// Says it to the person alone, behind the first answer.
    async fn follow(&self, asked: &Asked, body: Value);
    /// Says a sentence to one person, outside any first answer.
    async fn tell(&self, reply: &Reply, sentence: &str);
    /// Where a channel is that the gateway has not told of.
    async fn locate(&self, channel: &str) -> Option<Spot>;
}

/// What the events and the words that answer them share.
#[derive(Default)]
pub(super) struct Shared {
    pub waiting: Waiting,
    pub drafts: Drafts,
    pub places: Places,
}

pub(super) struct Intake {
    pub inbox: Arc<dyn Inbox>,
    pub front: Arc<dyn Front>,
    pub shared: Arc<Shared>,
    pub bot: String,
    /// Without its slash.
    pub command: String,
    pub watchdog: Duration,
    /// How long a form may take to come.
    pub forms: Duration,
    pub seen: Seen,
}

/// The interactions that came lately.
#[derive(Default)]
pub(super) struct Seen(Mutex<(HashSet<String>, VecDeque<String>)>);

impl Seen {
    /// True the first time.
    fn first(&self, id: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (ids, order) = &mut *seen;
        if !ids.insert(id.to_owned()) {
            return false;
        }
        order.push_back(id.to_owned());
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            ids.remove(&oldest);
        }
        true
    }
}

/// Gives each event a task of its own.
pub(super) struct Tasks {
    pub intake: Arc<Intake>,
    running: Mutex<tokio::task::JoinSet<()>>,
}

impl Tasks {
    pub(super) fn new(intake: Arc<Intake>) -> Self {
        Tasks { intake, running: Mutex::default() }
    }

    /// Waits for what was begun, for a while.
    pub(super) async fn finish(&self, patience: Duration) {
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = timeout(patience, async { while running.join_next().await.is_some() {} }).await;
    }
}

impl Sink for Tasks {
    fn take(&self, kind: String, data: Value) {
        // Before anything that follows it: a message in a new thread comes right behind the thread.
        if self.intake.shared.places.learn(&kind, &data) {
            count("place");
            return;
        }
        let intake = Arc::clone(&self.intake);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn(async move { intake.handle(&kind, data).await });
    }
}

pub(super) type Accepting = JoinHandle<Result<Ack, InboxError>>;

impl Intake {
    async fn handle(&self, kind: &str, data: Value) {
        match kind {
            "INTERACTION_CREATE" => self.interaction(data).await,
            "MESSAGE_CREATE" => self.message(data).await,
            "READY" | "RESUMED" => count("session"),
            _ => {
                count("other");
                tracing::debug!(kind = %clean(kind, false), "discord told of something that is not for this bot");
            }
        }
    }

    async fn interaction(&self, data: Value) {
        let arrived = Instant::now();
        if let Some(id) = data["id"].as_str()
            && !self.seen.first(id)
        {
            return count("again");
        }
        match receive::interaction(&data, &self.command) {
            Reading::Deed { delivery, asked, kind, opens: false } => {
                count("deed");
                self.deed(*delivery, &asked, &kind, arrived).await;
            }
            Reading::Deed { delivery, asked, kind, opens: true } => {
                count("deed");
                self.opening(*delivery, &asked, &kind, arrived).await;
            }
            Reading::Completing { asking, asked } => {
                count("completing");
                self.complete(*asking, &asked, arrived).await;
            }
            Reading::Page { page, person, asked } => {
                count("page");
                self.page(&page, &person, &asked, arrived).await;
            }
            Reading::Filled { page, person, asked, inputs, from } => {
                count("filled");
                self.filled(&page, person, &asked, inputs, from, arrived).await;
            }
            Reading::Skip(why) => {
                count(why);
                tracing::debug!(why, "discord delivered something that is not for this bot");
            }
            Reading::Unreadable(asked) => {
                count("unreadable");
                tracing::error!(
                    kind = data["type"].as_u64(),
                    "discord delivered an interaction in an unknown form; nothing was done"
                );
                if let Some(asked) = asked {
                    let text = "I could not read what Discord sent me, so nothing was done: type it as a command, or report it";
                    self.front.answer(&asked, dialog::private(dialog::sentence(text)), arrived).await;
                }
            }
        }
    }

    pub(super) fn accept(&self, delivery: Delivery) -> Accepting {
        let inbox = Arc::clone(&self.inbox);
        tokio::spawn(async move { inbox.accept(delivery).await })
    }

    /// Something whose acknowledgement says nothing new.
    async fn deed(&self, delivery: Delivery, asked: &Asked, kind: &Kind, arrived: Instant) {
        let reply = delivery.reply.clone();
        self.shared.waiting.expect(&asked.id, false);
        let mut accepting = self.accept(delivery);
        match timeout_at(arrived + self.watchdog, &mut accepting).await {
            Ok(done) => {
                let answer = match settle(done) {
                    Ok(_) => acknowledgement(kind),
                    Err(sentence) => dialog::private(dialog::sentence(&sentence)),
                };
                self.front.answer(asked, answer, arrived).await;
            }
            Err(_) => {
                metrics::counter!("muster_discord_watchdog_acks_total").increment(1);
                self.front.answer(asked, acknowledgement(kind), arrived).await;
                if let Err(sentence) = settle(accepting.await) {
                    self.front.tell(&reply, &sentence).await;
                }
            }
        }
    }

    /// Something whose answer may be a form. Whoever answers first takes the interaction.
    async fn opening(&self, delivery: Delivery, asked: &Asked, kind: &Kind, arrived: Instant) {
        let reply = delivery.reply.clone();
        let taken = self.shared.waiting.expect(&asked.id, true);
        let mut accepting = self.accept(delivery);
        let deadline = arrived + self.forms;
        let accepted = match timeout_at(deadline, &mut accepting).await {
            Ok(done) => Some(settle(done)),
            Err(_) => None,
        };
        if let Some(Err(sentence)) = accepted {
            if self.shared.waiting.take(&asked.id) {
                self.front.answer(asked, dialog::private(dialog::sentence(&sentence)), arrived).await;
            }
            return;
        }
        let _ = timeout_at(deadline, taken.notified()).await;
        if self.shared.waiting.take(&asked.id) {
            metrics::counter!("muster_discord_forms_late_total").increment(1);
            self.front.answer(asked, acknowledgement(kind), arrived).await;
        }
        if accepted.is_none()
            && let Err(sentence) = settle(accepting.await)
        {
            self.front.tell(&reply, &sentence).await;
        }
    }

    async fn complete(&self, asking: Completing, asked: &Asked, arrived: Instant) {
        let found = timeout_at(arrived + self.watchdog, self.inbox.complete(asking)).await.unwrap_or_default();
        let fitting = found.choices().filter(|choice| choice.value.chars().count() <= CHOICE_MAX);
        let choices = fitting
            .take(CHOICES_MAX)
            .map(|choice| json!({ "name": cut(&clean(&choice.label, false), CHOICE_MAX), "value": choice.value }));
        self.front.answer(asked, dialog::choices(choices.collect()), arrived).await;
    }

    async fn message(&self, data: Value) {
        let mention = match receive::mention(&data, &self.bot) {
            Ok(mention) => mention,
            Err(why) => return count(why),
        };
        let spot = match self.shared.places.get(&mention.channel) {
            Some(spot) => Some(spot),
            None => self.front.locate(&mention.channel).await,
        };
        let (channel, thread) = match spot.and_then(|spot| spot.parent) {
            Some(parent) => (parent, Some(mention.channel)),
            None => (mention.channel, None),
        };
        let place = Place { platform: ChatPlatform::Discord, tenant: mention.guild.clone(), channel, thread };
        let principal = Principal::discord(&mention.guild, &mention.user);
        let reply = Reply {
            platform: ChatPlatform::Discord,
            place: place.clone(),
            person: principal.clone(),
            url: None,
            // Who asks the same twice is answered twice.
            trigger: Some(mention.id.clone()),
        };
        count("deed");
        let delivery = Delivery {
            key: format!("discord:message:{}", mention.id),
            actor: Actor { principal, foreign: false },
            place,
            inbound: Inbound::Mention { text: mention.text },
            reply: reply.clone(),
        };
        if let Err(sentence) = settle(self.accept(delivery).await) {
            self.front.tell(&reply, &sentence).await;
        }
    }
}

fn acknowledgement(kind: &Kind) -> Value {
    match kind {
        Kind::Command { line } => dialog::private(dialog::noted(line)),
        Kind::Click => dialog::seen(),
    }
}

/// The sentence is what the person reads.
pub(super) fn settle(done: Result<Result<Ack, InboxError>, JoinError>) -> Result<Ack, String> {
    match done {
        Ok(Ok(ack)) => Ok(ack),
        Ok(Err(InboxError::Stopping)) => Err(InboxError::Stopping.to_string()),
        Ok(Err(InboxError::Store(cause))) => {
            metrics::counter!("muster_discord_inbox_errors_total").increment(1);
            tracing::error!(%cause, "the inbox did not take a delivery");
            Err("muster could not note this down, so nothing was done; try again in a minute".into())
        }
        Err(_) => {
            metrics::counter!("muster_discord_inbox_errors_total").increment(1);
            tracing::error!("the inbox broke off while it took a delivery");
            Err("muster could not note this down, so nothing was done; try again in a minute".into())
        }
    }
}

fn count(what: &'static str) {
    metrics::counter!("muster_discord_events_total", "what" => what).increment(1);
}

#[cfg(test)]
mod tests;
