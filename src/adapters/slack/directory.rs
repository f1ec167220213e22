//! Who people are, by Slack: user groups, profiles, and whether a channel is shared with another organisation.
//!
//! Answers are kept for 60 s and never longer: a failed look-up is an error, not the last known answer and not an
//! empty group. `usergroups.users.list` is Tier 2 (20 a minute), so one group is asked for once at a time.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use crate::domain::{ChatPlatform, GroupRef, Place, Principal};
use crate::ports::{Channel, ChatError, Directory, DirectoryError, Profile, Recent};

use super::Slack;
use super::api::CallError;
use super::limits::Lane;

/// A person waits for the answer, so a slot is waited for only this long.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Caches {
    groups: Recent<Vec<String>>,
    profiles: Recent<Profile>,
    channels: Recent<Channel>,
}

#[derive(Deserialize)]
struct Users {
    users: Vec<String>,
}

#[derive(Deserialize)]
struct UserAnswer {
    user: User,
}

#[derive(Deserialize)]
struct User {
    name: Option<String>,
    real_name: Option<String>,
    #[serde(default)]
    profile: Names,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    is_restricted: bool,
    #[serde(default)]
    is_ultra_restricted: bool,
    #[serde(default)]
    is_stranger: bool,
}

#[derive(Default, Deserialize)]
struct Names {
    display_name: Option<String>,
    real_name: Option<String>,
}

#[derive(Deserialize)]
struct ChannelAnswer {
    channel: Conversation,
}

#[derive(Deserialize)]
struct Conversation {
    #[serde(default)]
    is_member: bool,
    /// Direct messages name no membership: Muster is one of those who talk.
    #[serde(default)]
    is_im: bool,
    #[serde(default)]
    is_mpim: bool,
    #[serde(default)]
    is_ext_shared: bool,
    /// Somebody of another organisation has been invited.
    #[serde(default)]
    is_pending_ext_shared: bool,
}

#[async_trait]
impl Directory for Slack {
    async fn members(&self, group: &GroupRef) -> Result<Vec<Principal>, DirectoryError> {
        let inner = &self.inner;
        let me = inner.whoami().await.map_err(|e| fault(e, "auth.test"))?;
        if group.platform != ChatPlatform::Slack || (group.tenant != me.team && group.tenant != me.tenant()) {
            return Err(DirectoryError(format!(
                "`{group}` is not of this Slack workspace, which is `{}`: correct the policy",
                me.tenant()
            )));
        }
        const METHOD: &str = "usergroups.users.list";
        let users = inner
            .caches
            .groups
            .get(&group.group, async {
                let params = [("usergroup", Some(group.group.as_str())), ("team_id", Some(me.team.as_str()))];
                let ask = || inner.api.get::<Users>(METHOD, &params);
                inner.api.paced(Lane::Other(METHOD), PATIENCE, ask).await.map(|answer| answer.users)
            })
            .await
            .map_err(|e| fault(e, METHOD))?;
        Ok(users.iter().map(|user| Principal::slack(me.tenant(), user)).collect())
    }

    async fn profile(&self, person: &Principal) -> Result<Profile, DirectoryError> {
        const METHOD: &str = "users.info";
        let inner = &self.inner;
        let ask = async {
            let params = [("user", Some(person.user.as_str()))];
            let ask = || inner.api.get::<UserAnswer>(METHOD, &params);
            let user = inner.api.paced(Lane::Other(METHOD), PATIENCE, ask).await?.user;
            let name = [user.profile.display_name, user.profile.real_name, user.real_name, user.name]
                .into_iter()
                .flatten()
                .find(|name| !name.trim().is_empty());
            Ok(Profile {
                name: name.unwrap_or_else(|| person.user.clone()),
                is_bot: user.is_bot,
                is_guest: user.is_restricted || user.is_ultra_restricted,
                is_stranger: user.is_stranger,
                is_deleted: user.deleted,
            })
        };
        inner.caches.profiles.get(&person.user, ask).await.map_err(|e| fault(e, METHOD))
    }

    async fn channel(&self, place: &Place) -> Result<Channel, DirectoryError> {
        const METHOD: &str = "conversations.info";
        let inner = &self.inner;
        let ask = async {
            let params = [("channel", Some(place.channel.as_str()))];
            let ask = || inner.api.get::<ChannelAnswer>(METHOD, &params);
            let found = inner.api.paced(Lane::Other(METHOD), PATIENCE, ask).await.map(|answer| answer.channel);
            match found {
                Ok(c) => Ok(Channel {
                    member: c.is_member || c.is_im || c.is_mpim,
                    shared: c.is_ext_shared || c.is_pending_ext_shared,
                }),
                // Private, and Muster is not in it.
                Err(CallError::Code { code, .. }) if code == "channel_not_found" || code == "not_in_channel" => {
                    Ok(Channel::default())
                }
                Err(error) => Err(error),
            }
        };
        let channel = inner.caches.channels.get(&place.channel, ask).await.map_err(|e| fault(e, METHOD))?;
        if !channel.member {
            inner.caches.channels.forget(&place.channel);
        }
        Ok(channel)
    }
}

fn fault(error: CallError, method: &str) -> DirectoryError {
    DirectoryError(match error.into_chat(method) {
        ChatError::Refused(cause) | ChatError::Unknown(cause) | ChatError::NotSaid { cause, .. } => cause,
    })
}
