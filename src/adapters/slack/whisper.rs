//! Words for one person: by the address that Slack gave with what they did, else in the channel.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use slack_morphism::prelude::*;
use tokio::time::Instant;

use crate::domain::Place;
use crate::message::{Block, Card, Span, Tone};
use crate::ports::{ChatError, Reply};

use super::Inner;
use super::api::{As, CallError};
use super::intake::Tell;
use super::limits::Lane;
use super::send::{Nothing, PATIENCE, content};

/// A response_url: at most 5 uses within 30 minutes. Source: docs.slack.dev, Handling user interaction.
const URL_USES: u32 = 5;
const URL_LIFE: Duration = Duration::from_secs(30 * 60);
#[derive(Serialize)]
struct Answer<'a> {
    response_type: &'static str,
    replace_original: bool,
    text: &'a str,
    blocks: &'a [SlackBlock],
}

/// How often each response_url was used, and the direct channels that are known.
#[derive(Default)]
pub(super) struct Told {
    urls: Mutex<HashMap<String, (Instant, u32)>>,
    pub(super) direct: Mutex<HashMap<String, String>>,
}

impl Told {
    /// Takes one use; says how many came before, or `None` where it is used up.
    fn take(&self, url: &str, now: Instant) -> Option<u32> {
        let mut urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        urls.retain(|_, (first, _)| now.saturating_duration_since(*first) < URL_LIFE);
        let (_, used) = urls.entry(url.to_owned()).or_insert((now, 0));
        if *used >= URL_USES {
            return None;
        }
        *used += 1;
        Some(*used - 1)
    }
}

impl Inner {
    /// An address from Slack, if it is one of Slack's: answers are sent nowhere else.
    pub(super) fn trusted(&self, url: &str) -> Option<SlackResponseUrl> {
        let url = SlackResponseUrl(url.parse().ok()?);
        let base = &self.base.0;
        let (host, home) = (url.0.host_str()?, base.host_str()?);
        let clean = url.0.username().is_empty() && url.0.password().is_none();
        let at_home = host == home && url.0.port_or_known_default() == base.port_or_known_default();
        let hooks = (host == "hooks.slack.com" || host.strip_prefix("hooks.") == Some(home)) && url.0.port().is_none();
        (clean && url.0.scheme() == base.scheme() && (at_home || hooks)).then_some(url)
    }

    /// By the response_url. `Ok(false)`: it does not serve any more.
    pub(super) async fn whisper_by_url(&self, url: &str, card: &Card) -> Result<bool, ChatError> {
        let Some(address) = self.trusted(url) else {
            metrics::counter!("muster_slack_response_urls_refused_total").increment(1);
            tracing::error!("a delivery named a response_url outside slack; it is not used");
            return Ok(false);
        };
        let Some(used) = self.told.take(url, Instant::now()) else { return Ok(false) };
        // A command's later answers replace its first one. A click's "original" is the card that holds the button,
        // which must never be replaced by words for one person.
        let replace_original = used > 0 && address.0.path().contains("/commands/");
        let address = &address;
        let said = self
            .down_the_ladder(card, |rendered| async move {
                let answer = Answer {
                    response_type: "ephemeral",
                    replace_original,
                    text: &rendered.text,
                    blocks: &rendered.blocks,
                };
                self.api.post_to(address, &answer).await
            })
            .await;
        match said {
            Ok(()) => Ok(true),
            // Used up, expired or gone: nothing was said.
            Err(CallError::Code { .. }) => Ok(false),
            Err(error) => Err(error.into_chat("response_url")),
        }
    }

    pub(super) async fn whisper_in_channel(&self, reply: &Reply, card: &Card) -> Result<(), ChatError> {
        let channel = &reply.place.channel;
        if channel.starts_with(['U', 'W']) {
            // Where no channel is known the answer goes to the person directly.
            let place = Place { thread: None, ..reply.place.clone() };
            return self.post_card(&place, card, None).await.map(drop);
        }
        const METHOD: &str = "chat.postEphemeral";
        self.down_the_ladder(card, |rendered| async move {
            let mut request = SlackApiChatPostEphemeralRequest::new(
                SlackChannelId(channel.clone()),
                SlackUserId(reply.person.user.clone()),
                content(rendered, None),
            );
            request.thread_ts = reply.place.thread.clone().map(SlackTs);
            let request = &request;
            let ask = || self.api.post::<_, Nothing>(As::Bot, METHOD, request);
            self.api.paced(Lane::Other(METHOD), PATIENCE, ask).await
        })
        .await
        .map(drop)
        .map_err(|e| e.into_chat(METHOD))
    }
}

#[async_trait]
impl Tell for Inner {
    async fn tell(&self, reply: &Reply, sentence: &str) {
        let card = Card {
            tone: Tone::Bad,
            title: "That did not work".into(),
            blocks: vec![Block::Text(vec![Span::plain(sentence)])],
            buttons: Vec::new(),
        };
        let by_url = match &reply.url {
            Some(url) => self.whisper_by_url(url, &card).await.unwrap_or(false),
            None => false,
        };
        if !by_url && let Err(error) = self.whisper_in_channel(reply, &card).await {
            metrics::counter!("muster_slack_untold_total").increment(1);
            tracing::error!(%error, "a person could not be told that something failed");
        }
    }
}
