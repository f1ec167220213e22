//! Words for one person: as the first answer to what they did, else behind it, else directly.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use serenity::http::{LightMethod, Route};
use serenity::model::id::{ApplicationId, InteractionId};
use tokio::time::{Instant, sleep, timeout};

use crate::domain::{Digest, Place};
use crate::message::{Block, Card, Span, Tone};
use crate::ports::{ChatError, Reply};

use super::api::{Call, CallError, Nothing};
use super::asked::{Asked, Later, later};
use super::ids::snowflake;
use super::intake::Front;
use super::places::{self, Spot};
use super::render::{Purpose, sentence};
use super::send::{PATIENCE, channel_id};
use super::{Inner, dialog};

/// A first answer is tried for so long; Discord gives three seconds.
const FIRST_FOR: Duration = Duration::from_millis(2_600);
const FIRST_TRY: Duration = Duration::from_millis(1_000);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Discord's codes: the interaction is over; its token is; it has an answer; this message is gone.
const TOO_LATE: u32 = 10062;
const NO_WEBHOOK: u32 = 10015;
const BAD_TOKEN: u32 = 50027;
const ANSWERED: u32 = 40060;
const NO_MESSAGE: u32 = 10008;
/// The person takes no direct messages.
const CLOSED: &str = "I cannot write to you directly, so I cannot answer: allow direct messages from this server, or type \
                      the same as a command";

fn ephemeral(mut body: Value) -> Value {
    body["flags"] = json!(1 << 6);
    body
}

/// Nobody can be answered by it any more.
fn is_over(error: &CallError) -> bool {
    matches!(error.code(), Some(TOO_LATE | NO_WEBHOOK | BAD_TOKEN))
}

impl Inner {
    /// The first answer to an interaction, once.
    pub(super) async fn first_answer(&self, asked: &Asked, answer: Value) -> Result<(), CallError> {
        let Some(id) = snowflake(&asked.id) else {
            return Err(CallError::NotSent("Discord named an interaction that is none".into()));
        };
        let route = Route::InteractionResponse { interaction_id: InteractionId::new(id), token: &asked.token };
        let call = Call::new("answer_interaction", LightMethod::Post, route).body(&answer);
        self.api.call::<Nothing>(call, Duration::ZERO).await.map(drop)
    }

    async fn answer_in_time(&self, asked: &Asked, answer: Value, arrived: Instant) {
        loop {
            // A try that hangs leaves time for another; what it may have done, the next one is told.
            let tried = timeout(FIRST_TRY, self.first_answer(asked, answer.clone())).await;
            let error = match tried.unwrap_or_else(|_| Err(CallError::Lost("Discord did not answer in time".into()))) {
                Ok(()) => {
                    metrics::histogram!("muster_discord_ack_seconds").record(arrived.elapsed().as_secs_f64());
                    return;
                }
                Err(error) => error,
            };
            match error.code() {
                // An earlier try arrived after all, or another copy of the bot was quicker.
                Some(ANSWERED) => return,
                None if arrived.elapsed() + FIRST_PAUSE < FIRST_FOR => sleep(FIRST_PAUSE).await,
                Some(_) | None => {
                    metrics::counter!("muster_discord_acks_lost_total").increment(1);
                    tracing::warn!(?error, "discord did not take an acknowledgement; what was asked is worked on");
                    return;
                }
            }
        }
    }

    /// Takes the place of the first answer.
    pub(super) async fn change_original(&self, asked: &Asked, body: Value) -> Result<(), CallError> {
        let Some(application) = snowflake(&asked.application) else {
            return Err(CallError::NotSent("Discord named an application that is none".into()));
        };
        let application_id = ApplicationId::new(application);
        let route = Route::WebhookOriginalInteractionResponse { application_id, token: &asked.token };
        let call = Call::new("change_answer", LightMethod::Patch, route).body(&body);
        self.api.call::<Nothing>(call, PATIENCE).await.map(drop)
    }

    async fn follow_up(&self, later: &Later<'_>, body: Value) -> Result<(), CallError> {
        let Some(application) = snowflake(later.application) else {
            return Err(CallError::NotSent("Discord named an application that is none".into()));
        };
        let application_id = ApplicationId::new(application);
        let route = Route::WebhookFollowupMessages { application_id, token: later.token };
        let call = Call::new("follow_up", LightMethod::Post, route).body(&ephemeral(body));
        self.api.call::<Nothing>(call, PATIENCE).await.map(drop)
    }

    pub(super) async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), ChatError> {
        const WHAT: &str = "answer";
        // What is said before anything else is the first answer itself.
        if let Some(asked) = Asked::of(reply)
            && self.shared.waiting.take(&asked.id)
        {
            let asked = &asked;
            let said = self
                .down_the_ladder(card, Purpose::Whisper, None, |body| async move {
                    self.first_answer(asked, dialog::private(body)).await
                })
                .await;
            self.shared.waiting.done(&asked.id);
            match said {
                Ok(()) => return Ok(()),
                Err(error) if is_over(&error) || error.code() == Some(ANSWERED) => {}
                Err(error) => return Err(error.into_chat(WHAT)),
            }
        }
        if let (Some(asked), Some(to)) = (Asked::of(reply), reply.url.as_deref().and_then(later)) {
            self.shared.waiting.answered(&asked.id).await;
            let (asked, to) = (&asked, &to);
            let said = self
                .down_the_ladder(card, Purpose::Whisper, None, |body| async move {
                    if !to.original {
                        return self.follow_up(to, body).await;
                    }
                    match self.change_original(asked, body.clone()).await {
                        // The first answer was a form, or the person put it away.
                        Err(error) if error.code() == Some(NO_MESSAGE) => self.follow_up(to, body).await,
                        other => other,
                    }
                })
                .await;
            match said {
                Ok(()) => return Ok(()),
                Err(error) if is_over(&error) => {
                    metrics::counter!("muster_discord_tokens_dead_total").increment(1);
                    tracing::debug!("the token of an interaction is over; the answer goes to the person directly");
                }
                Err(error) => return Err(error.into_chat(WHAT)),
            }
        }
        let key = format!("whisper:{}", Digest::of(format!("{card:?}{reply:?}").as_bytes()).short(12));
        let said = match self.direct(&reply.person).await {
            Ok(direct) => self.post_card(&direct, card, &key, Some(&reply.place)).await.map(drop),
            Err(error) => Err(error),
        };
        match said {
            // Who mentioned us in a channel is told there why no answer comes, and not what it would have been.
            Err(ChatError::Refused(cause)) if reply.url.is_none() => {
                self.tell_in_channel(reply, CLOSED).await.map_err(|_| ChatError::Refused(cause))
            }
            other => other,
        }
    }

    async fn tell_in_channel(&self, reply: &Reply, text: &str) -> Result<(), ChatError> {
        let Place { channel, thread, .. } = &reply.place;
        let channel = channel_id(thread.as_ref().unwrap_or(channel))?;
        let Some(user) = snowflake(&reply.person.user) else { return Ok(()) };
        let mut body = sentence(&format!("<@{user}> {text}"), Vec::new());
        body["allowed_mentions"] = json!({ "parse": [], "users": [user.to_string()] });
        let route = Route::ChannelMessages { channel_id: channel };
        let call = Call::new("create_message", LightMethod::Post, route).lane(channel).body(&body);
        self.api.call::<Nothing>(call, PATIENCE).await.map(drop).map_err(|error| error.into_chat("post a message"))
    }

    /// Where a channel is, as Discord says it.
    pub(super) async fn spot(&self, channel: &str) -> Result<Spot, CallError> {
        let Some(id) = snowflake(channel) else {
            return Err(CallError::NotSent("this is no channel of Discord's".into()));
        };
        let route = Route::Channel { channel_id: id.into() };
        let found: Value = self.api.call(Call::new("get_channel", LightMethod::Get, route).lane(id), PATIENCE).await?;
        let (id, spot) =
            places::spot(&found, None).ok_or_else(|| CallError::Alien("Discord named no channel".into()))?;
        self.shared.places.put(id, spot.clone());
        Ok(spot)
    }
}

#[async_trait]
impl Front for Inner {
    async fn answer(&self, asked: &Asked, answer: Value, arrived: Instant) {
        self.answer_in_time(asked, answer, arrived).await;
        self.shared.waiting.done(&asked.id);
    }

    async fn amend(&self, asked: &Asked, body: Value) {
        if let Err(error) = self.change_original(asked, body).await {
            metrics::counter!("muster_discord_untold_total").increment(1);
            tracing::error!(?error, "a person could not be told what became of a form");
        }
    }

    async fn follow(&self, asked: &Asked, body: Value) {
        let later = Later { application: &asked.application, token: &asked.token, original: false };
        if let Err(error) = self.follow_up(&later, body).await {
            metrics::counter!("muster_discord_untold_total").increment(1);
            tracing::error!(?error, "a person could not be told what became of a form");
        }
    }

    async fn tell(&self, reply: &Reply, text: &str) {
        let card = Card {
            tone: Tone::Bad,
            title: "That did not work".into(),
            blocks: vec![Block::Text(vec![Span::plain(text)])],
            buttons: Vec::new(),
        };
        if let Err(error) = self.whisper(reply, &card).await {
            metrics::counter!("muster_discord_untold_total").increment(1);
            tracing::error!(%error, "a person could not be told that something failed");
        }
    }

    async fn locate(&self, channel: &str) -> Option<Spot> {
        match self.spot(channel).await {
            Ok(spot) => Some(spot),
            Err(error) => {
                tracing::warn!(?error, "discord does not say where a channel is; it counts as none of a thread");
                None
            }
        }
    }
}
