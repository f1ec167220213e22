//! A chat platform as the engine sees it.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::{ChatPlatform, GroupRef, MessageRef, Place, Principal, RunId};
use crate::message::form::Faults;
use crate::message::{Card, Form, FormKind, Home, Suggestions, Values, Verb};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// The platform said no, and will again. The text is one sentence with the remedy last
    /// ("I am not in this channel: type `/invite @muster` in it").
    #[error("{0}")]
    Refused(String),
    /// Nothing was said: rate limit, no connection. Try again after the wait.
    #[error("{cause}")]
    NotSaid { cause: String, retry_after: Option<Duration> },
    /// No answer: it may have been said. Look for it before saying it again.
    #[error("{0}")]
    Unknown(String),
}

/// Saying things. Where a post's fate is unknown the engine looks it up by its key, so none is lost or doubled.
#[async_trait]
pub trait Chat: Send + Sync {
    /// Posts a card. `key` is stored with the message, invisibly, for [`Chat::find`].
    async fn post(&self, place: &Place, card: &Card, key: &str) -> Result<MessageRef, ChatError>;

    /// The message that was posted at this place with this key, if any.
    async fn find(&self, place: &Place, key: &str) -> Result<Option<MessageRef>, ChatError>;

    /// Replaces a card. Saying the same twice is harmless.
    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), ChatError>;

    /// Says something to one person only, in answer to a delivery.
    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), ChatError>;

    /// Opens a form; the answer is the platform's id of it. The trigger dies after 3 seconds.
    async fn open_form(&self, reply: &Reply, form: &Form) -> Result<String, ChatError>;

    /// Replaces an open form. What stands in a field that keeps its name stays.
    async fn update_form(&self, reply: &Reply, id: &str, form: &Form) -> Result<(), ChatError>;

    /// Replaces the person's own page with the bot.
    async fn show_home(&self, person: &Principal, home: &Home) -> Result<(), ChatError>;

    /// An address at which people read the message.
    async fn link(&self, message: &MessageRef) -> Result<String, ChatError>;

    /// Puts a file into a thread. `name` is made by us. The key makes it findable like a post.
    async fn upload(&self, place: &Place, name: &str, title: &str, content: &str, key: &str) -> Result<(), ChatError>;

    /// The direct-message place of one person.
    async fn direct(&self, person: &Principal) -> Result<Place, ChatError>;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DirectoryError(pub String);

/// Who people are. A failed look-up is an error, never an empty group: the engine fails closed.
#[async_trait]
pub trait Directory: Send + Sync {
    /// All of them. Cached for at most 60 s.
    async fn members(&self, group: &GroupRef) -> Result<Vec<Principal>, DirectoryError>;
    /// Those of `among` that the person is in: all of them of the person's own workspace or guild. Cached for at most 60 s.
    ///
    /// # Errors
    /// If one of them cannot be read, or does not exist any more: that is no empty group.
    async fn groups_of(&self, person: &Principal, among: &[&GroupRef]) -> Result<BTreeSet<GroupRef>, DirectoryError> {
        let mut found = BTreeSet::new();
        for group in among {
            if self.members(group).await?.contains(person) {
                found.insert((*group).clone());
            }
        }
        Ok(found)
    }
    async fn profile(&self, person: &Principal) -> Result<Profile, DirectoryError>;
    /// Who reads what is said there, and whether Muster may say it.
    async fn channel(&self, place: &Place) -> Result<Channel, DirectoryError>;
}

/// What a channel means for a run that is asked for in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Channel {
    /// Muster is a member. Never remembered where it is not: somebody may be inviting it at this moment.
    pub member: bool,
    /// Shared with another organisation. Unknown, and `false`, where Muster is not a member of a private channel.
    pub shared: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// For texts only; never a key.
    pub name: String,
    pub is_bot: bool,
    pub is_guest: bool,
    pub is_stranger: bool,
    pub is_deleted: bool,
}

/// Who did something in chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub principal: Principal,
    /// Belongs to another workspace than the one the bot is installed in.
    pub foreign: bool,
}

/// One thing a person did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The platform's own key of it: the same key twice is the same deed.
    pub key: String,
    pub actor: Actor,
    pub place: Place,
    pub inbound: Inbound,
    pub reply: Reply,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Inbound {
    /// The words after the slash command.
    Command {
        text: String,
    },
    /// The words after the bot's name.
    Mention {
        text: String,
    },
    Click {
        verb: Verb,
        run: RunId,
        revision: u32,
    },
    /// A form was submitted.
    Form {
        form: FormKind,
        values: Values,
    },
    /// The person asked for the picker, otherwise than by typing. The place says where the run shall stand.
    Pick,
    /// Something was picked in an open form, which may have to say something else now. `id` is the platform's own.
    Choice {
        id: String,
        form: FormKind,
        field: String,
        values: Values,
    },
    /// The person looks at their own page with the bot.
    Home,
}

/// A person types into a searched field and waits for what there is to pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    pub actor: Actor,
    /// Where the form was opened.
    pub place: Place,
    pub form: FormKind,
    pub field: String,
    pub typed: String,
    /// What stands in the form so far, as far as the platform tells it.
    pub values: Values,
}

/// A person types a command, part by part, and waits for how it can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completing {
    pub actor: Actor,
    /// Where the command is typed.
    pub place: Place,
    pub part: Part,
    /// What stands in that part so far; the last word of it may be unfinished.
    pub typed: String,
    /// The name of the runbook, as far as it is there.
    pub runbook: String,
    /// The `name=value` words.
    pub with: String,
    /// The selector.
    pub on: String,
}

/// A part of `run RUNBOOK WITH on ON`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Runbook,
    With,
    On,
}

/// How to answer one person: what the platform gave us for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub platform: ChatPlatform,
    pub place: Place,
    pub person: Principal,
    /// Slack's `response_url`. On Discord `<application id>/<token>`, with `/@original` behind it where these words take
    /// the place of the first answer; it lives for 15 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Slack's `trigger_id`, single use, 3 seconds. On Discord `<interaction id>/<token>`, for as long as the interaction
    /// has no answer yet; of a message that mentions the bot its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
}

/// What the acknowledgement itself must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ack {
    Plain,
    /// Field name to what is wrong with it; the form stays open and nothing else happens.
    FormErrors(Faults),
    /// This form takes the place of the submitted one.
    NextForm(Box<Form>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// The store failed: the adapter does not acknowledge, so the platform delivers again or tells the person.
    #[error("{0}")]
    Store(String),
    /// Stopping: no new work is taken.
    #[error("muster is stopping; try again in a minute")]
    Stopping,
}

/// Where adapters put what people did. The engine implements it.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Durable when it returns, and quick: no work is done before. A key seen before is accepted and ignored.
    async fn accept(&self, delivery: Delivery) -> Result<Ack, InboxError>;

    /// What there is to pick. From memory, because the person waits for it at every key: at most 200 ms.
    async fn suggest(&self, search: Search) -> Suggestions;

    /// How a typed command can go on: each choice is the whole part with one more word in it. As quick as
    /// [`Inbox::suggest`]. Most platforms complete no commands and never ask.
    async fn complete(&self, completing: Completing) -> Suggestions {
        let _ = completing;
        Suggestions::nothing()
    }
}
