//! Slack: messages, whispers and forms that outlive the engine. A call may be lost, carried out late, or carried out and
//! its answer lost; a channel may be archived in the middle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muster::domain::{ChatPlatform, MessageRef, Place, Principal, Timestamp};
use muster::message::{Card, Form, FormKind, Home};
use muster::ports::{Chat, ChatError, Reply};

use super::fortune::Fortune;
use super::society::place;
use super::time::Time;

/// What is on its way arrives within so many milliseconds, also after the process that said it has ended.
const ARRIVES_WITHIN: u64 = 900;

pub struct Slack {
    time: Arc<Time>,
    fortune: Arc<Fortune>,
    /// From then on nothing can be posted in the channel.
    archived: Mutex<Option<Timestamp>>,
    /// Nobody reaches it from the first moment to the second.
    down: Mutex<Option<(Timestamp, Timestamp)>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    on_the_way: BTreeMap<(Timestamp, u64), Act>,
    messages: Vec<Message>,
    whispers: Vec<Whisper>,
    /// Words that could not be said in the channel; they are said directly then.
    refused: Vec<Whisper>,
    forms: Vec<Opened>,
    number: u64,
}

enum Act {
    Post { id: String, key: String, place: Place, card: Card },
    Edit { id: String, card: Card },
    Whisper(Whisper),
    Opened(Opened),
    Nothing,
}

/// One message with every form that it had.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: String,
    /// `<run>:<what>`.
    pub key: String,
    pub place: Place,
    pub cards: Vec<Card>,
    /// The platform no longer lets anybody edit it.
    pub stuck: bool,
}

/// Said to one person, in answer to one delivery.
#[derive(Debug, Clone)]
pub struct Whisper {
    pub delivery: String,
    pub to: Principal,
    pub card: Card,
    /// The engine was told that it was said.
    pub sure: bool,
}

#[derive(Debug, Clone)]
pub struct Opened {
    pub delivery: String,
    pub by: Principal,
    pub form: FormKind,
}

/// How one call fares.
struct Fate {
    lost: bool,
    takes: Duration,
    deaf: bool,
}

impl Slack {
    pub fn new(time: Arc<Time>, fortune: Arc<Fortune>) -> Self {
        let archived = fortune.lasts("channel archived", 20, 0..600_000).map(|after| time.truth() + after);
        let down = fortune.lasts("chat down", 20, 60_000..4_500_000).map(|lasts| {
            let from = time.truth() + fortune.millis(0..600_000);
            (from, from + lasts)
        });
        Slack { time, fortune, archived: Mutex::new(archived), down: Mutex::new(down), state: Mutex::default() }
    }

    pub fn messages(&self) -> Vec<Message> {
        self.settle();
        self.state.lock().unwrap().messages.clone()
    }

    /// What was said to one person: in the channel or, where it could not be said there, directly.
    pub fn whispers(&self) -> Vec<Whisper> {
        self.settle();
        let state = self.state.lock().unwrap();
        let directly = |refused: &&Whisper| {
            let is_it = |m: &Message| m.place.channel == format!("D{}", refused.to.user) && m.cards[0] == refused.card;
            state.messages.iter().any(is_it)
        };
        state.whispers.iter().chain(state.refused.iter().filter(directly)).cloned().collect()
    }

    pub fn forms(&self) -> Vec<Opened> {
        self.settle();
        self.state.lock().unwrap().forms.clone()
    }

    /// Somebody archives the channel.
    pub fn archive(&self) {
        *self.archived.lock().unwrap() = Some(self.time.truth());
    }

    pub fn is_archived(&self) -> bool {
        self.archived.lock().unwrap().is_some_and(|at| at <= self.time.truth())
    }

    /// From now on nobody reaches it, for so long.
    pub fn goes_down(&self, lasts: Duration) {
        let now = self.time.truth();
        *self.down.lock().unwrap() = Some((now, now + lasts));
    }

    pub fn comes_back(&self) {
        *self.down.lock().unwrap() = None;
    }

    fn reached(&self) -> Result<(), ChatError> {
        let now = self.time.truth();
        match *self.down.lock().unwrap() {
            Some((from, until)) if (from..until).contains(&now) => {
                Err(ChatError::NotSaid { cause: "no connection".into(), retry_after: None })
            }
            _ => Ok(()),
        }
    }

    fn settle(&self) {
        let now = self.time.truth();
        let mut state = self.state.lock().unwrap();
        while let Some(first) = state.on_the_way.first_entry().filter(|first| first.key().0 <= now) {
            match first.remove() {
                Act::Post { id, key, place, card } => {
                    state.messages.push(Message { id, key, place, cards: vec![card], stuck: false });
                }
                Act::Edit { id, card } => {
                    if let Some(message) = state.messages.iter_mut().find(|m| m.id == id) {
                        message.cards.push(card);
                    }
                }
                Act::Whisper(whisper) => state.whispers.push(whisper),
                Act::Opened(opened) => state.forms.push(opened),
                Act::Nothing => {}
            }
        }
    }

    fn fate(&self) -> Fate {
        let late = self.fortune.strikes("chat late", 40);
        Fate {
            lost: self.fortune.strikes("chat request lost", 40),
            takes: if late { self.fortune.millis(300..ARRIVES_WITHIN) } else { self.fortune.millis(5..150) },
            deaf: self.fortune.strikes("chat answer lost", 40),
        }
    }

    /// Carries out one call, as well as it goes.
    async fn call(&self, place: &Place, fate: Fate, act: Act) -> Result<(), ChatError> {
        self.fortune.may_crash("crash before a word").await;
        self.reached()?;
        if self.fortune.strikes("chat rate limit", 20) {
            let retry_after = self.fortune.one_in(2).then(|| self.fortune.millis(500..5_000));
            return Err(ChatError::NotSaid { cause: "Slack's rate limit".into(), retry_after });
        }
        if self.is_archived() && !place.channel.starts_with('D') {
            return Err(ChatError::Refused("the channel is archived; unarchive it, or ask in another one".into()));
        }
        if !fate.lost {
            let mut state = self.state.lock().unwrap();
            state.number += 1;
            let at = (self.time.truth() + fate.takes, state.number);
            state.on_the_way.insert(at, act);
        }
        self.fortune.may_crash("crash after a word").await;
        if fate.lost || fate.deaf {
            tokio::time::sleep(self.fortune.millis(5..10_000)).await;
            return Err(ChatError::Unknown("Slack did not answer".into()));
        }
        tokio::time::sleep(fate.takes + self.fortune.millis(1..50)).await;
        self.settle();
        Ok(())
    }

    fn next_id(&self) -> String {
        let mut state = self.state.lock().unwrap();
        state.number += 1;
        format!("m{}", state.number)
    }

    fn message(&self, place: &Place, id: &str) -> MessageRef {
        MessageRef { platform: ChatPlatform::Slack, channel: place.channel.clone(), id: id.to_owned(), tenant: None }
    }
}

#[async_trait]
impl Chat for Slack {
    async fn post(&self, place: &Place, card: &Card, key: &str) -> Result<MessageRef, ChatError> {
        let id = self.next_id();
        let act = Act::Post { id: id.clone(), key: key.into(), place: place.clone(), card: card.clone() };
        self.call(place, self.fate(), act).await?;
        Ok(self.message(place, &id))
    }

    async fn find(&self, place: &Place, key: &str) -> Result<Option<MessageRef>, ChatError> {
        self.fortune.may_crash("crash in a search").await;
        tokio::time::sleep(self.fortune.millis(5..200)).await;
        self.reached()?;
        if self.fortune.strikes("search without answer", 15) {
            return Err(ChatError::NotSaid { cause: "no connection".into(), retry_after: None });
        }
        let found = self.messages().into_iter().find(|m| m.key == key && m.place.channel == place.channel);
        Ok(found.map(|m| self.message(place, &m.id)))
    }

    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), ChatError> {
        if self.fortune.strikes("message deleted", 300) {
            let mut state = self.state.lock().unwrap();
            if let Some(message) = state.messages.iter_mut().find(|m| m.id == message.id) {
                message.stuck = true;
            }
            return Err(ChatError::Refused("the message was deleted".into()));
        }
        let act = Act::Edit { id: message.id.clone(), card: card.clone() };
        self.call(&place(&message.channel), self.fate(), act).await
    }

    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), ChatError> {
        let fate = self.fate();
        let delivery = reply.url.clone().unwrap_or_default();
        let sure = !fate.lost && !fate.deaf;
        let whisper = Whisper { delivery, to: reply.person.clone(), card: card.clone(), sure };
        let said = self.call(&reply.place, fate, Act::Whisper(whisper.clone())).await;
        if matches!(said, Err(ChatError::Refused(_))) {
            self.state.lock().unwrap().refused.push(Whisper { sure: true, ..whisper });
        }
        said
    }

    async fn open_form(&self, reply: &Reply, form: &Form) -> Result<String, ChatError> {
        let delivery = reply.url.clone().unwrap_or_default();
        let opened = Opened { delivery, by: reply.person.clone(), form: form.kind.clone() };
        let direct = place("D0");
        self.call(&direct, self.fate(), Act::Opened(opened)).await?;
        Ok("V1".into())
    }

    async fn update_form(&self, _: &Reply, _: &str, _: &Form) -> Result<(), ChatError> {
        Ok(())
    }

    async fn show_home(&self, _: &Principal, _: &Home) -> Result<(), ChatError> {
        Ok(())
    }

    async fn link(&self, message: &MessageRef) -> Result<String, ChatError> {
        Ok(format!("https://chat.example/{}/{}", message.channel, message.id))
    }

    async fn upload(&self, place: &Place, _: &str, _: &str, _: &str, _: &str) -> Result<(), ChatError> {
        self.call(place, self.fate(), Act::Nothing).await
    }

    async fn direct(&self, person: &Principal) -> Result<Place, ChatError> {
        self.reached()?;
        if self.fortune.strikes("no direct message", 60) {
            return Err(ChatError::NotSaid { cause: "no connection".into(), retry_after: None });
        }
        Ok(place(&format!("D{}", person.user)))
    }
}
