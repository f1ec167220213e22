//! Saying things in Discord: posts, edits, threads, files.
//!
//! A post carries a nonce of its key, by which Discord itself takes it once within some minutes, and a mark of the key in
//! the small print of its embed, by which it is found later ([`Chat::find`]); a file carries the mark in its name. An edit
//! may be repeated without harm.
//!
//! A place with a thread is a thread that is there, or a message that has none yet: then it is made from that message,
//! and has the message's id. Discord has no page of a person with a bot, so [`Chat::show_home`] does nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use serenity::http::{LightMethod, Route};
use serenity::model::id::{ChannelId, MessageId};

use crate::domain::{ChatPlatform, Digest, MessageRef, Place, Principal};
use crate::message::plain::{clean, cut, marked_name};
use crate::message::{Card, Form, Home};
use crate::ports::{Actor, Chat, ChatError, Reply};

use super::api::{Call, CallError, Nothing};
use super::asked::Asked;
use super::custom::About;
use super::drafts::Draft;
use super::ids::snowflake;
use super::places::Spot;
use super::render::{self, Purpose, Rung};
use super::{Discord, Inner, dialog, filling, form};

/// How long a post or an edit waits for its turn before it is given back.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Messages that Discord gives at once, and pages looked through for a key.
const PAGE: u32 = 100;
const PAGES: u32 = 20;
/// Discord's limit for the name of a thread.
const THREAD_NAME_MAX: usize = 100;
/// Minutes after which Discord hides a thread in which nothing is said: a day. A new message brings it back.
const ARCHIVE_AFTER: u32 = 1_440;
/// Titles remembered for the names of threads.
const TITLES_MAX: usize = 2_048;

/// Discord's codes: there is a thread on this message; no such message; no such channel.
const HAS_THREAD: u32 = 160_004;
const NO_MESSAGE: u32 = 10008;
const NO_CHANNEL: u32 = 10003;
/// A direct message.
const NO_THREADS: u32 = 50024;
/// A malformed body, or one that is empty: less of it may do.
const LAYOUT_FAULTS: [u32; 2] = [50035, 50006];

#[derive(Deserialize)]
pub(super) struct Posted {
    pub id: String,
    pub channel_id: String,
}

#[derive(Deserialize)]
struct Said {
    id: String,
    author: Author,
    #[serde(default)]
    content: String,
    #[serde(default)]
    embeds: Vec<Embed>,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
struct Author {
    id: String,
}

#[derive(Deserialize)]
struct Embed {
    footer: Option<Footer>,
}

#[derive(Deserialize)]
struct Footer {
    text: String,
}

#[derive(Deserialize)]
struct Attachment {
    filename: String,
}

#[derive(Deserialize)]
struct Channel {
    id: String,
}

/// What is remembered of messages and people, to save calls.
#[derive(Default)]
pub(super) struct Told {
    /// Titles of cards that may become the start of a thread.
    titles: Mutex<HashMap<String, String>>,
    /// Direct channels by user.
    direct: Mutex<HashMap<String, String>>,
    /// The person of each direct channel: in no guild, so that buttons there have to say what they are about.
    persons: Mutex<HashMap<String, String>>,
}

fn put(map: &Mutex<HashMap<String, String>>, key: &str, value: &str) {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    if map.len() >= TITLES_MAX && !map.contains_key(key) {
        map.clear();
    }
    map.insert(key.to_owned(), value.to_owned());
}

fn get(map: &Mutex<HashMap<String, String>>, key: &str) -> Option<String> {
    map.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

/// The mark by which a post is found.
pub(super) fn mark(key: &str) -> String {
    format!("muster {}", Digest::of(key.as_bytes()).short(12))
}

/// At most 25 characters at Discord.
fn nonce(place: &Place, key: &str) -> String {
    let text = format!("{}:{}:{key}", place.channel, place.thread.as_deref().unwrap_or_default());
    Digest::of(text.as_bytes()).short(24)
}

pub(super) fn channel_id(text: &str) -> Result<ChannelId, ChatError> {
    match snowflake(text) {
        Some(id) => Ok(ChannelId::new(id)),
        None => Err(ChatError::Refused(format!(
            "`{}` is no channel of Discord: correct its id in the policy or the configuration",
            clean(text, false)
        ))),
    }
}

fn message_id(text: &str) -> Result<MessageId, ChatError> {
    match snowflake(text) {
        Some(id) => Ok(MessageId::new(id)),
        None => Err(ChatError::Refused("the message is none of Discord's: look it up by `status`".into())),
    }
}

impl Inner {
    /// Says a card by `say`, with less layout each time that Discord refuses it.
    pub(super) async fn down_the_ladder<A, F>(
        &self,
        card: &Card,
        purpose: Purpose<'_>,
        about: Option<&About>,
        say: impl Fn(Value) -> F,
    ) -> Result<A, CallError>
    where
        F: Future<Output = Result<A, CallError>>,
    {
        let mut rung = Rung::Rich;
        loop {
            match (say(render::card(card, rung, purpose, about)).await, rung.next()) {
                (Err(error), Some(lower)) if error.code().is_some_and(|code| LAYOUT_FAULTS.contains(&code)) => {
                    let step = lower.as_str();
                    metrics::counter!("muster_discord_layout_refused_total", "step" => step).increment(1);
                    tracing::error!(?error, step, "discord refused the layout of a message; trying a simpler one");
                    rung = lower;
                }
                (result, _) => return result,
            }
        }
    }

    /// The channel in which something at this place is said. A thread is made if there is none.
    async fn channel_of(&self, place: &Place, title: &str) -> Result<String, ChatError> {
        let Some(thread) = &place.thread else { return Ok(place.channel.clone()) };
        if self.shared.places.is_thread(thread) {
            return Ok(thread.clone());
        }
        // A direct message has no threads: what belongs into one stands there, too.
        if self.is_direct(&place.channel) {
            return Ok(place.channel.clone());
        }
        const WHAT: &str = "make a thread";
        let (channel, message) = (channel_id(&place.channel)?, message_id(thread)?);
        let name = get(&self.told.titles, thread).unwrap_or_else(|| title.to_owned());
        let name = cut(clean(&name, false).trim(), THREAD_NAME_MAX);
        let name = if name.is_empty() { "Run".to_owned() } else { name };
        let route = Route::ChannelMessageThreads { channel_id: channel, message_id: message };
        let body = json!({ "name": name, "auto_archive_duration": ARCHIVE_AFTER });
        let call = Call::new("create_thread", LightMethod::Post, route).lane(channel).body(&body);
        match self.api.call::<Channel>(call, PATIENCE).await {
            Ok(made) => self.remember(&made.id, place),
            // It is there already, or it never started with a message.
            Err(error) if matches!(error.code(), Some(HAS_THREAD | NO_MESSAGE)) => self.remember(thread, place),
            Err(error) if error.code() == Some(NO_THREADS) => return Ok(place.channel.clone()),
            Err(error) => {
                return Err(match error.into_chat(WHAT) {
                    // Nothing was said yet, and a thread that was made is found the next time.
                    ChatError::Unknown(cause) => ChatError::NotSaid { cause, retry_after: None },
                    other => other,
                });
            }
        }
        Ok(thread.clone())
    }

    fn remember(&self, thread: &str, place: &Place) {
        let spot = Spot { guild: Some(place.tenant.clone()), parent: Some(place.channel.clone()) };
        self.shared.places.put(thread.to_owned(), spot);
    }

    /// As far as this process has opened it.
    fn is_direct(&self, channel: &str) -> bool {
        get(&self.told.persons, channel).is_some()
    }

    /// `asked`: where it was asked, for an answer that goes to the person directly.
    pub(super) async fn post_card(
        &self,
        place: &Place,
        card: &Card,
        key: &str,
        asked: Option<&Place>,
    ) -> Result<MessageRef, ChatError> {
        const WHAT: &str = "post a message";
        let channel = self.channel_of(place, &card.title).await?;
        let id = channel_id(&channel)?;
        let (nonce, mark) = (nonce(place, key), mark(key));
        let purpose = Purpose::Post { nonce: &nonce, mark: &mark };
        let about = self.is_direct(&channel).then(|| About {
            guild: place.tenant.clone(),
            channel: asked.map(|asked| asked.channel.clone()).filter(|asked| !self.is_direct(asked)),
        });
        let posted = self
            .down_the_ladder(card, purpose, about.as_ref(), |body| async move {
                let route = Route::ChannelMessages { channel_id: id };
                let call = Call::new("create_message", LightMethod::Post, route).lane(id).body(&body);
                self.api.call::<Posted>(call, PATIENCE).await
            })
            .await
            .map_err(|error| error.into_chat(WHAT))?;
        if place.thread.is_none() {
            put(&self.told.titles, &posted.id, &card.title);
        }
        let tenant = about.map(|about| about.guild);
        Ok(MessageRef { platform: ChatPlatform::Discord, channel: posted.channel_id, id: posted.id, tenant })
    }

    /// The newest of our messages at this place that `is_it`.
    async fn look_for(&self, place: &Place, is_it: impl Fn(&Said) -> bool) -> Result<Option<MessageRef>, ChatError> {
        let channel = match &place.thread {
            Some(thread) if !self.is_direct(&place.channel) => thread.clone(),
            Some(_) | None => place.channel.clone(),
        };
        let id = channel_id(&channel)?;
        let bot = &self.introduced().await?.bot_user;
        let (mut before, mut found) = (None::<String>, None);
        for _ in 0..PAGES {
            let params = before.take().map(|id| ("before", id)).into_iter().chain([("limit", PAGE.to_string())]);
            let call = Call::new("get_messages", LightMethod::Get, Route::ChannelMessages { channel_id: id })
                .lane(id)
                .params(&params.collect::<Vec<_>>());
            let said = match self.api.call::<Vec<Said>>(call, PATIENCE).await {
                Ok(said) => said,
                // The thread was not made yet, so nothing was said in it.
                Err(error) if place.thread.is_some() && error.code() == Some(NO_CHANNEL) => return Ok(None),
                Err(error) => return Err(error.into_chat("read the messages of this channel")),
            };
            let last = said.len() < PAGE as usize;
            before = said.last().map(|said| said.id.clone());
            found = said.into_iter().filter(|said| &said.author.id == bot).find(|said| is_it(said));
            if last || found.is_some() {
                break;
            }
        }
        let tenant = self.is_direct(&channel).then(|| place.tenant.clone());
        Ok(found.map(|said| MessageRef { platform: ChatPlatform::Discord, channel, id: said.id.clone(), tenant }))
    }

    pub(super) async fn direct(&self, person: &Principal) -> Result<Place, ChatError> {
        let channel = self.direct_channel(person).await?;
        Ok(Place { platform: ChatPlatform::Discord, tenant: person.tenant.clone(), channel, thread: None })
    }

    /// Opens the direct channel to a person.
    async fn direct_channel(&self, person: &Principal) -> Result<String, ChatError> {
        if let Some(channel) = get(&self.told.direct, &person.user) {
            return Ok(channel);
        }
        if snowflake(&person.user).is_none() {
            return Err(ChatError::Refused("this person is none of Discord's: correct the id in the policy".into()));
        }
        let body = json!({ "recipient_id": person.user });
        let call = Call::new("create_dm", LightMethod::Post, Route::UserMeDmChannels).lane("me").body(&body);
        let opened: Channel =
            self.api.call(call, PATIENCE).await.map_err(|error| error.into_chat("open a direct message"))?;
        put(&self.told.direct, &person.user, &opened.id);
        put(&self.told.persons, &opened.id, &person.user);
        Ok(opened.id)
    }

    /// The form as a first answer, or as a message where there is nothing to fill in yet.
    async fn opened(&self, draft: &Draft, name: &str) -> Result<Value, ChatError> {
        if form::pages(&draft.form) == 0 {
            return Ok(dialog::private(dialog::offered(&draft.form, name)));
        }
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(inbox) = inbox else {
            return Err(ChatError::Refused("I am stopping: try again in a minute".into()));
        };
        Ok(filling::open(inbox.as_ref(), self.pace.watchdog, name, draft, 0).await)
    }
}

#[async_trait]
impl Chat for Discord {
    async fn post(&self, place: &Place, card: &Card, key: &str) -> Result<MessageRef, ChatError> {
        self.inner.post_card(place, card, key, None).await
    }

    async fn find(&self, place: &Place, key: &str) -> Result<Option<MessageRef>, ChatError> {
        let mark = mark(key);
        let is_it = |said: &Said| {
            said.embeds.iter().filter_map(|e| e.footer.as_ref()).any(|f| f.text == mark)
                || said.content.lines().next_back().is_some_and(|line| line.trim_start_matches("-# ") == mark)
        };
        self.inner.look_for(place, is_it).await
    }

    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), ChatError> {
        let inner = &self.inner;
        let (channel, id) = (channel_id(&message.channel)?, message_id(&message.id)?);
        let about = message.tenant.clone().map(|guild| About { guild, channel: None });
        inner
            .down_the_ladder(card, Purpose::Edit, about.as_ref(), |body| async move {
                let route = Route::ChannelMessage { channel_id: channel, message_id: id };
                let call = Call::new("edit_message", LightMethod::Patch, route).lane(channel).body(&body);
                inner.api.call::<Nothing>(call, PATIENCE).await
            })
            .await
            .map(drop)
            .map_err(|error| error.into_chat("edit a message"))
    }

    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), ChatError> {
        self.inner.whisper(reply, card).await
    }

    async fn open_form(&self, reply: &Reply, wanted: &Form) -> Result<String, ChatError> {
        const TOO_LATE: &str = "Discord gives three seconds to open a form and they have passed: try again";
        let inner = &self.inner;
        let refused = |text: &str| Err(ChatError::Refused(text.to_owned()));
        let Some(asked) = Asked::of(reply) else {
            return refused("a form cannot be opened from here: use the button, or the command");
        };
        let actor = Actor { principal: reply.person.clone(), foreign: false };
        let draft = Draft::new(wanted.clone(), actor, reply.place.clone());
        let name = inner.shared.drafts.add(draft.clone());
        let answer = inner.opened(&draft, &name).await?;
        // Taken last: what there is to pick was looked up before, and the acknowledgement waits meanwhile.
        if !inner.shared.waiting.take(&asked.id) {
            return refused(TOO_LATE);
        }
        match inner.first_answer(&asked, answer).await {
            Ok(()) => {
                inner.shared.waiting.done(&asked.id);
                Ok(name)
            }
            Err(error) if matches!(error.code(), Some(10062 | 40060)) => {
                inner.shared.waiting.done(&asked.id);
                refused(TOO_LATE)
            }
            Err(error) => {
                // Why no form comes is the first answer then.
                inner.shared.waiting.give_back(&asked.id);
                Err(error.into_chat("open a form"))
            }
        }
    }

    async fn update_form(&self, reply: &Reply, id: &str, wanted: &Form) -> Result<(), ChatError> {
        // A modal that is open cannot be changed; what stands before it, or comes behind it, can.
        let inner = &self.inner;
        let actor = Actor { principal: reply.person.clone(), foreign: false };
        let draft = match inner.shared.drafts.get(id) {
            Some(draft) => Draft { form: wanted.clone(), ..draft },
            None => Draft::new(wanted.clone(), actor, reply.place.clone()),
        };
        let was_message = inner.shared.drafts.get(id).is_none_or(|draft| form::pages(&draft.form) == 0);
        inner.shared.drafts.put(id, draft);
        if !was_message {
            return Ok(());
        }
        let Some(asked) = Asked::of(reply) else { return Ok(()) };
        let body = dialog::offered(wanted, id);
        inner.change_original(&asked, body).await.map_err(|error| error.into_chat("change a message"))
    }

    async fn show_home(&self, _: &Principal, _: &Home) -> Result<(), ChatError> {
        Ok(())
    }

    async fn link(&self, message: &MessageRef) -> Result<String, ChatError> {
        let inner = &self.inner;
        channel_id(&message.channel)?;
        let spot = match inner.shared.places.get(&message.channel) {
            Some(spot) => spot,
            None => inner.spot(&message.channel).await.map_err(|error| error.into_chat("look at a channel"))?,
        };
        let guild = spot.guild.as_deref().unwrap_or("@me");
        Ok(format!("https://discord.com/channels/{guild}/{}/{}", message.channel, message.id))
    }

    async fn upload(&self, place: &Place, name: &str, title: &str, content: &str, key: &str) -> Result<(), ChatError> {
        let inner = &self.inner;
        let name = marked_name(name, key);
        match inner.look_for(place, |said| said.attachments.iter().any(|a| a.filename == name)).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            Err(ChatError::Refused(cause)) => {
                // Better a file that may stand there twice after a crash than none.
                tracing::warn!(%cause, "cannot look whether a file stands in its thread; it is uploaded");
            }
            // Nothing was uploaded yet.
            Err(ChatError::Unknown(cause)) => return Err(ChatError::NotSaid { cause, retry_after: None }),
            Err(error) => return Err(error),
        }
        let channel = channel_id(&inner.channel_of(place, title).await?)?;
        let mut body = render::sentence(&super::text::escape(&cut(title, 200), false), Vec::new());
        body["nonce"] = json!(nonce(place, &format!("file:{key}")));
        body["enforce_nonce"] = json!(true);
        let route = Route::ChannelMessages { channel_id: channel };
        let call =
            Call::new("create_file", LightMethod::Post, route).lane(channel).file(&body, &name, content.as_bytes());
        inner.api.call::<Nothing>(call, PATIENCE).await.map(drop).map_err(|error| error.into_chat("upload a file"))
    }

    async fn direct(&self, person: &Principal) -> Result<Place, ChatError> {
        self.inner.direct(person).await
    }
}
