//! One voice and one directory for all chat platforms at once: what is said goes to the platform of its place, who
//! somebody is is asked where they are from.
//!
//! Nothing else crosses: a card of a run stands on the platform that it was asked on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{ChatPlatform, GroupRef, MessageRef, Place, Principal};
use crate::message::{Card, Form, Home};
use crate::ports::{Channel, Chat, ChatError, Directory, DirectoryError, Profile, Reply};

/// A chat platform as a whole.
pub trait Platform: Chat + Directory {}

impl<P: Chat + Directory> Platform for P {}

/// The platforms that this Muster is connected to.
#[derive(Clone, Default)]
pub struct Router {
    platforms: BTreeMap<&'static str, Arc<dyn Platform>>,
}

impl Router {
    /// With one more platform.
    #[must_use]
    pub fn with(mut self, platform: ChatPlatform, adapter: Arc<dyn Platform>) -> Self {
        self.platforms.insert(platform.as_str(), adapter);
        self
    }

    fn to(&self, platform: ChatPlatform) -> Result<&Arc<dyn Platform>, String> {
        self.platforms.get(platform.as_str()).ok_or_else(|| match platform {
            ChatPlatform::Host => "a shell of the host has no chat: look at `muster status`".to_owned(),
            ChatPlatform::Slack | ChatPlatform::Discord => {
                let name = platform.as_str();
                format!("this Muster is not connected to {name}: add `[{name}]` to muster.toml and start it again")
            }
        })
    }

    fn chat(&self, platform: ChatPlatform) -> Result<&Arc<dyn Platform>, ChatError> {
        self.to(platform).map_err(ChatError::Refused)
    }

    fn directory(&self, platform: ChatPlatform) -> Result<&Arc<dyn Platform>, DirectoryError> {
        self.to(platform).map_err(DirectoryError)
    }
}

#[async_trait]
impl Chat for Router {
    async fn post(&self, place: &Place, card: &Card, key: &str) -> Result<MessageRef, ChatError> {
        self.chat(place.platform)?.post(place, card, key).await
    }
    async fn find(&self, place: &Place, key: &str) -> Result<Option<MessageRef>, ChatError> {
        self.chat(place.platform)?.find(place, key).await
    }
    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), ChatError> {
        self.chat(message.platform)?.edit(message, card).await
    }
    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), ChatError> {
        self.chat(reply.platform)?.whisper(reply, card).await
    }
    async fn open_form(&self, reply: &Reply, form: &Form) -> Result<String, ChatError> {
        self.chat(reply.platform)?.open_form(reply, form).await
    }
    async fn update_form(&self, reply: &Reply, id: &str, form: &Form) -> Result<(), ChatError> {
        self.chat(reply.platform)?.update_form(reply, id, form).await
    }
    async fn show_home(&self, person: &Principal, home: &Home) -> Result<(), ChatError> {
        self.chat(person.platform)?.show_home(person, home).await
    }
    async fn link(&self, message: &MessageRef) -> Result<String, ChatError> {
        self.chat(message.platform)?.link(message).await
    }
    async fn upload(&self, place: &Place, name: &str, title: &str, content: &str, key: &str) -> Result<(), ChatError> {
        self.chat(place.platform)?.upload(place, name, title, content, key).await
    }
    async fn direct(&self, person: &Principal) -> Result<Place, ChatError> {
        self.chat(person.platform)?.direct(person).await
    }
}

#[async_trait]
impl Directory for Router {
    async fn members(&self, group: &GroupRef) -> Result<Vec<Principal>, DirectoryError> {
        self.directory(group.platform)?.members(group).await
    }
    async fn groups_of(&self, person: &Principal, among: &[&GroupRef]) -> Result<BTreeSet<GroupRef>, DirectoryError> {
        self.directory(person.platform)?.groups_of(person, among).await
    }
    async fn profile(&self, person: &Principal) -> Result<Profile, DirectoryError> {
        self.directory(person.platform)?.profile(person).await
    }
    async fn channel(&self, place: &Place) -> Result<Channel, DirectoryError> {
        self.directory(place.platform)?.channel(place).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names itself in every answer.
    struct Named(&'static str);

    #[async_trait]
    impl Chat for Named {
        async fn post(&self, _: &Place, _: &Card, key: &str) -> Result<MessageRef, ChatError> {
            Err(ChatError::Unknown(format!("{} {key}", self.0)))
        }
        async fn find(&self, _: &Place, key: &str) -> Result<Option<MessageRef>, ChatError> {
            Err(ChatError::Unknown(format!("{} {key}", self.0)))
        }
        async fn edit(&self, message: &MessageRef, _: &Card) -> Result<(), ChatError> {
            Err(ChatError::Unknown(format!("{} {}", self.0, message.id)))
        }
        async fn whisper(&self, _: &Reply, _: &Card) -> Result<(), ChatError> {
            Err(ChatError::Unknown(self.0.into()))
        }
        async fn open_form(&self, _: &Reply, _: &Form) -> Result<String, ChatError> {
            Ok(self.0.into())
        }
        async fn update_form(&self, _: &Reply, _: &str, _: &Form) -> Result<(), ChatError> {
            Err(ChatError::Unknown(self.0.into()))
        }
        async fn show_home(&self, _: &Principal, _: &Home) -> Result<(), ChatError> {
            Err(ChatError::Unknown(self.0.into()))
        }
        async fn link(&self, message: &MessageRef) -> Result<String, ChatError> {
            Ok(format!("{} {}", self.0, message.id))
        }
        async fn upload(&self, _: &Place, name: &str, _: &str, _: &str, _: &str) -> Result<(), ChatError> {
            Err(ChatError::Unknown(format!("{} {name}", self.0)))
        }
        async fn direct(&self, person: &Principal) -> Result<Place, ChatError> {
            Ok(Place::nowhere(person, self.0))
        }
    }

    #[async_trait]
    impl Directory for Named {
        async fn members(&self, _: &GroupRef) -> Result<Vec<Principal>, DirectoryError> {
            Err(DirectoryError(self.0.into()))
        }
        async fn profile(&self, _: &Principal) -> Result<Profile, DirectoryError> {
            Ok(Profile { name: self.0.into(), ..Profile::default() })
        }
        async fn channel(&self, _: &Place) -> Result<Channel, DirectoryError> {
            Err(DirectoryError(self.0.into()))
        }
    }

    #[tokio::test]
    async fn each_word_goes_to_the_platform_of_its_place_and_each_question_to_where_the_person_is_from() {
        let router = Router::default()
            .with(ChatPlatform::Slack, Arc::new(Named("slack")))
            .with(ChatPlatform::Discord, Arc::new(Named("discord")));
        for (person, name) in [(Principal::slack("T1", "U1"), "slack"), (Principal::discord("1", "2"), "discord")] {
            assert_eq!(router.profile(&person).await.unwrap().name, name);
            assert_eq!(router.direct(&person).await.unwrap().tenant, name);
            let message = MessageRef { platform: person.platform, channel: "c".into(), id: "m".into(), tenant: None };
            assert_eq!(router.link(&message).await, Ok(format!("{name} m")));
            let place = Place::nowhere(&person, "t");
            assert_eq!(router.find(&place, "k").await, Err(ChatError::Unknown(format!("{name} k"))));
            assert_eq!(router.channel(&place).await, Err(DirectoryError(name.into())));
        }
    }

    #[tokio::test]
    async fn a_platform_that_is_not_connected_is_a_refusal_with_its_remedy() {
        let router = Router::default().with(ChatPlatform::Slack, Arc::new(Named("slack")));
        let fault = router.direct(&Principal::discord("1", "2")).await.unwrap_err();
        let says = "this Muster is not connected to discord: add `[discord]` to muster.toml and start it again";
        assert_eq!(fault, ChatError::Refused(says.into()));
        let group: GroupRef = "discord:1:2".parse().unwrap();
        assert_eq!(router.members(&group).await, Err(DirectoryError(says.into())));
        assert!(router.profile(&Principal::host("ops-1", "root")).await.is_err());
    }
}
