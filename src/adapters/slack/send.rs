//! Saying things in Slack: posts, edits, whispers, forms, files.
//!
//! Slack has no idempotency key. A post carries our key as message metadata instead, so that one whose answer was lost
//! is found again ([`Chat::find`]) before anything is said twice; a file carries it in its name. An edit may be repeated
//! without harm.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use slack_morphism::prelude::*;

use crate::domain::{ChatPlatform, MessageRef, Place, Principal};
use crate::message::plain::marked_name;
use crate::message::{Card, Form, Home};
use crate::ports::{Chat, ChatError, Reply};

use super::api::{As, CallError};
use super::limits::Lane;
use super::render::{self, Rendered, Rung};
use super::{Inner, Slack, form, home};

/// The type of our metadata; the key stands in its payload.
const METADATA: &str = "muster";
/// How long a post or an edit waits for its turn before it is given back.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// A form must open before its trigger dies: nobody waits.
const AT_ONCE: Duration = Duration::ZERO;
/// Messages looked through for a key: newest first in a channel, from the first in a thread.
const PAGE: &str = "200";
const PAGES: usize = 20;
#[derive(Deserialize)]
struct Posted {
    channel: String,
    ts: String,
}

/// An answer of which only `ok` matters.
#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
struct Page {
    messages: Vec<Said>,
    response_metadata: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next_cursor: String,
}

#[derive(Deserialize)]
pub(super) struct Said {
    ts: String,
    user: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    pub files: Vec<SaidFile>,
}

#[derive(Deserialize)]
struct Metadata {
    event_type: String,
    #[serde(default)]
    event_payload: Value,
}

#[derive(Deserialize)]
pub(super) struct SaidFile {
    pub name: Option<String>,
}

#[derive(Deserialize)]
struct Opened {
    channel: WithId,
}

#[derive(Deserialize)]
struct WithId {
    id: String,
}

#[derive(Deserialize)]
struct Viewed {
    view: WithId,
}

#[derive(Deserialize)]
struct Linked {
    permalink: String,
}

/// Slack refused how it looks, not what is said.
fn is_layout_fault(error: &CallError) -> bool {
    matches!(
        error.code(),
        Some(
            "invalid_blocks"
                | "invalid_blocks_format"
                // More than one table.
                | "invalid_attachments"
                | "msg_blocks_too_long"
                | "msg_too_long"
                | "block_mismatch"
        )
    )
}

impl Inner {
    /// Says a card by `say`, with less layout each time that Slack refuses it.
    pub(super) async fn down_the_ladder<A, F>(&self, card: &Card, say: impl Fn(Rendered) -> F) -> Result<A, CallError>
    where
        F: Future<Output = Result<A, CallError>>,
    {
        let mut rung = Rung::first(card);
        loop {
            match (say(render::card(card, rung)).await, rung.next()) {
                (Err(error), Some(lower)) if is_layout_fault(&error) => {
                    let step = lower.as_str();
                    metrics::counter!("muster_slack_layout_refused_total", "step" => step).increment(1);
                    tracing::error!(
                        code = error.code(),
                        step,
                        "slack refused the layout of a message; trying a simpler one"
                    );
                    rung = lower;
                }
                (result, _) => return result,
            }
        }
    }

    /// The newest of our messages at this place that `is_it`.
    pub(super) async fn look_for(
        &self,
        place: &Place,
        is_it: impl Fn(&Said) -> bool + Send,
    ) -> Result<Option<String>, ChatError> {
        let method = if place.thread.is_some() { "conversations.replies" } else { "conversations.history" };
        let bot = self.identity.get().map(|me| me.bot_user.clone());
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let params = [
                ("channel", Some(place.channel.as_str())),
                ("ts", place.thread.as_deref()),
                ("limit", Some(PAGE)),
                ("include_all_metadata", Some("true")),
                ("cursor", cursor.as_deref()),
            ];
            let ask = || self.api.get::<Page>(method, &params);
            let page = self.api.paced(Lane::Other(method), PATIENCE, ask).await.map_err(|e| e.into_chat(method))?;
            // Another app could use our metadata's name, but not our user.
            let ours = |said: &&Said| said.user.is_none() || bot.is_none() || said.user == bot;
            if let Some(said) = page.messages.iter().filter(ours).find(|said| is_it(said)) {
                return Ok(Some(said.ts.clone()));
            }
            cursor = page.response_metadata.map(|next| next.next_cursor).filter(|next| !next.is_empty());
            if cursor.is_none() {
                return Ok(None);
            }
        }
        // What is looked for was said lately: in a channel that is among the newest thousands.
        Ok(None)
    }

    pub(super) async fn post_card(
        &self,
        place: &Place,
        card: &Card,
        key: Option<&str>,
    ) -> Result<MessageRef, ChatError> {
        let lane = Lane::Post { channel: &place.channel };
        let posted = self
            .down_the_ladder(card, |rendered| async move {
                let mut request =
                    SlackApiChatPostMessageRequest::new(SlackChannelId(place.channel.clone()), content(rendered, key));
                request.thread_ts = place.thread.clone().map(SlackTs);
                request.unfurl_links = Some(false);
                request.unfurl_media = Some(false);
                let request = &request;
                let ask = || self.api.post::<_, Posted>(As::Bot, "chat.postMessage", request);
                self.api.paced(lane, PATIENCE, ask).await
            })
            .await
            .map_err(|e| e.into_chat("chat.postMessage"))?;
        Ok(MessageRef { platform: ChatPlatform::Slack, channel: posted.channel, id: posted.ts, tenant: None })
    }
}

pub(super) fn content(rendered: Rendered, key: Option<&str>) -> SlackMessageContent {
    let mut content = SlackMessageContent::new().with_text(rendered.text).with_blocks(rendered.blocks);
    content.metadata = key.map(|key| SlackMessageMetadata {
        event_type: METADATA.into(),
        event_payload: Some(HashMap::from([("key".to_owned(), key.to_owned())])),
    });
    content
}

#[async_trait]
impl Chat for Slack {
    async fn post(&self, place: &Place, card: &Card, key: &str) -> Result<MessageRef, ChatError> {
        self.inner.post_card(place, card, Some(key)).await
    }

    async fn find(&self, place: &Place, key: &str) -> Result<Option<MessageRef>, ChatError> {
        let is_it = |said: &Said| {
            said.metadata.as_ref().is_some_and(|m| m.event_type == METADATA && m.event_payload["key"] == key)
        };
        let ts = self.inner.look_for(place, is_it).await?;
        Ok(ts.map(|id| MessageRef { platform: ChatPlatform::Slack, channel: place.channel.clone(), id, tenant: None }))
    }

    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), ChatError> {
        const METHOD: &str = "chat.update";
        let inner = &self.inner;
        inner
            .down_the_ladder(card, |rendered| async move {
                // Without metadata Slack keeps the message's own.
                let request = SlackApiChatUpdateRequest::new(
                    SlackChannelId(message.channel.clone()),
                    content(rendered, None),
                    SlackTs(message.id.clone()),
                );
                let request = &request;
                let ask = || inner.api.post::<_, Nothing>(As::Bot, METHOD, request);
                inner.api.paced(Lane::Edit, PATIENCE, ask).await
            })
            .await
            .map(drop)
            .map_err(|e| e.into_chat(METHOD))
    }

    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), ChatError> {
        if let Some(url) = &reply.url
            && self.inner.whisper_by_url(url, card).await?
        {
            return Ok(());
        }
        self.inner.whisper_in_channel(reply, card).await
    }

    async fn open_form(&self, reply: &Reply, wanted: &Form) -> Result<String, ChatError> {
        const METHOD: &str = "views.open";
        let Some(trigger) = &reply.trigger else {
            return Err(ChatError::Refused("a form cannot be opened from here: use the button, or the command".into()));
        };
        let request = SlackApiViewsOpenRequest::new(SlackTriggerId(trigger.clone()), form::form(wanted, &reply.place));
        let api = &self.inner.api;
        let ask = || api.post::<_, Viewed>(As::Bot, METHOD, &request);
        let opened = api.paced(Lane::Other(METHOD), AT_ONCE, ask).await.map_err(|e| e.into_chat(METHOD))?;
        Ok(opened.view.id)
    }

    async fn update_form(&self, reply: &Reply, id: &str, wanted: &Form) -> Result<(), ChatError> {
        const METHOD: &str = "views.update";
        let view = form::form(wanted, &reply.place);
        let request = SlackApiViewsUpdateRequest::new(view).with_view_id(SlackViewId(id.to_owned()));
        let api = &self.inner.api;
        let ask = || api.post::<_, Nothing>(As::Bot, METHOD, &request);
        api.paced(Lane::Other(METHOD), PATIENCE, ask).await.map(drop).map_err(|e| e.into_chat(METHOD))
    }

    async fn show_home(&self, person: &Principal, wanted: &Home) -> Result<(), ChatError> {
        const METHOD: &str = "views.publish";
        let request = SlackApiViewsPublishRequest::new(SlackUserId(person.user.clone()), home::view(wanted));
        let api = &self.inner.api;
        let ask = || api.post::<_, Nothing>(As::Bot, METHOD, &request);
        api.paced(Lane::Other(METHOD), PATIENCE, ask).await.map(drop).map_err(|e| e.into_chat(METHOD))
    }

    async fn link(&self, message: &MessageRef) -> Result<String, ChatError> {
        const METHOD: &str = "chat.getPermalink";
        let api = &self.inner.api;
        let params = [("channel", Some(message.channel.as_str())), ("message_ts", Some(message.id.as_str()))];
        let ask = || api.get::<Linked>(METHOD, &params);
        let linked = api.paced(Lane::Other(METHOD), PATIENCE, ask).await.map_err(|e| e.into_chat(METHOD))?;
        Ok(linked.permalink)
    }

    async fn upload(&self, place: &Place, name: &str, title: &str, content: &str, key: &str) -> Result<(), ChatError> {
        self.inner.upload_once(place, &marked_name(name, key), title, content).await
    }

    async fn direct(&self, person: &Principal) -> Result<Place, ChatError> {
        const METHOD: &str = "conversations.open";
        let inner = &self.inner;
        let place = |channel: String| Place {
            platform: ChatPlatform::Slack,
            tenant: person.tenant.clone(),
            channel,
            thread: None,
        };
        let known = inner.told.direct.lock().unwrap_or_else(PoisonError::into_inner).get(&person.user).cloned();
        if let Some(channel) = known {
            return Ok(place(channel));
        }
        let request = json!({ "users": person.user });
        let ask = || inner.api.post::<_, Opened>(As::Bot, METHOD, &request);
        let opened = inner.api.paced(Lane::Other(METHOD), PATIENCE, ask).await.map_err(|e| e.into_chat(METHOD))?;
        let id = opened.channel.id;
        inner.told.direct.lock().unwrap_or_else(PoisonError::into_inner).insert(person.user.clone(), id.clone());
        Ok(place(id))
    }
}
