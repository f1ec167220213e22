//! Who people are, by Discord: roles, members, and whether the bot may speak in a channel.
//!
//! Answers are kept for 60 s and never longer: a failed look-up is an error, not the last known answer and not an empty
//! role. A person's roles are told with the member, for which no privileged intent is needed. Discord has no list of a role's
//! members: those of the whole guild are read for it, page by page, which needs the Server Members intent. Nobody waits for
//! that list; `muster doctor` warns of a role that nobody has where the intent is switched on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serenity::http::{LightMethod, Route};
use serenity::model::Permissions;
use serenity::model::id::{GuildId, UserId};

use crate::domain::{ChatPlatform, GroupRef, Place, Principal};
use crate::ports::{Channel, Directory, DirectoryError, Profile, Recent};

use super::api::{Call, CallError};
use super::ids::snowflake;
use super::{Discord, Inner};

/// A person waits for the answer, so a slot is waited for only this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Members that Discord gives at once, and pages read before a guild counts as too large.
const PAGE: usize = 1_000;
const PAGES: usize = 500;

/// What is done when a role cannot be read.
const READ_ROLES: &str = "read who has a role";

/// Discord's codes: no such member, no such user, no such channel, no access.
const NO_MEMBER: u32 = 10007;
const NO_USER: u32 = 10013;
const NO_CHANNEL: u32 = 10003;
const NO_ACCESS: u32 = 50001;

/// What a run needs where it stands: a card, which is an embed, and its thread.
pub(super) const SPEAKS: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::SEND_MESSAGES)
    .union(Permissions::CREATE_PUBLIC_THREADS)
    .union(Permissions::SEND_MESSAGES_IN_THREADS)
    .union(Permissions::EMBED_LINKS);

/// Discord's type of a direct message.
const DIRECT: u64 = 1;

#[derive(Default)]
pub(super) struct Caches {
    members: Recent<Arc<Vec<Member>>>,
    roles: Recent<Arc<Vec<Role>>>,
    /// `None`: not in this guild.
    people: Recent<Option<Member>>,
    channels: Recent<Channel>,
}

#[derive(Debug, Clone, Deserialize)]
struct Member {
    user: User,
    #[serde(default)]
    roles: Vec<String>,
    nick: Option<String>,
    /// Has not agreed to the guild's rules yet.
    #[serde(default)]
    pending: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    id: String,
    username: Option<String>,
    global_name: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Role {
    id: String,
    /// A number, as text.
    #[serde(default)]
    permissions: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChannelAnswer {
    #[serde(rename = "type")]
    pub kind: u64,
    pub name: Option<String>,
    pub guild_id: Option<String>,
    #[serde(default)]
    permission_overwrites: Vec<Overwrite>,
}

/// What a channel grants or takes beside the roles.
#[derive(Debug, Clone, Deserialize)]
struct Overwrite {
    id: String,
    #[serde(default)]
    allow: String,
    #[serde(default)]
    deny: String,
}

fn bits(text: &str) -> Permissions {
    Permissions::from_bits_truncate(text.parse().unwrap_or_default())
}

/// The rights of a member in a channel, as Discord computes them: the roles together, then what the channel takes and
/// grants for everybody, for the roles together, for the member. Source: Discord's documentation, Permissions.
fn rights(guild: &str, member: &Member, roles: &[Role], overwrites: &[Overwrite]) -> Permissions {
    let has = |id: &str| id == guild || member.roles.iter().any(|role| role == id);
    let own = roles.iter().filter(|role| has(&role.id)).map(|role| bits(&role.permissions));
    let mut rights = own.fold(Permissions::empty(), |all, one| all | one);
    if rights.contains(Permissions::ADMINISTRATOR) {
        return Permissions::all();
    }
    let mut apply = |of: &dyn Fn(&Overwrite) -> bool| {
        let (mut allow, mut deny) = (Permissions::empty(), Permissions::empty());
        for overwrite in overwrites.iter().filter(|o| of(o)) {
            allow |= bits(&overwrite.allow);
            deny |= bits(&overwrite.deny);
        }
        rights = (rights & !deny) | allow;
    };
    apply(&|o| o.id == guild);
    apply(&|o| o.id != guild && member.roles.contains(&o.id));
    apply(&|o| o.id == member.user.id);
    rights
}

impl Inner {
    fn guild(tenant: &str) -> Result<GuildId, DirectoryError> {
        snowflake(tenant)
            .map(GuildId::new)
            .ok_or_else(|| DirectoryError(format!("`{tenant}` is no server of Discord: correct its id in the policy")))
    }

    async fn roles(&self, guild: GuildId) -> Result<Arc<Vec<Role>>, CallError> {
        let ask = async {
            let call = Call::new("get_roles", LightMethod::Get, Route::GuildRoles { guild_id: guild }).lane(guild);
            self.api.call(call, PATIENCE).await.map(Arc::new)
        };
        self.caches.roles.get(&guild.to_string(), ask).await
    }

    async fn guild_members(&self, guild: GuildId) -> Result<Arc<Vec<Member>>, CallError> {
        let ask = async {
            let mut all: Vec<Member> = Vec::new();
            for _ in 0..PAGES {
                let after = all.last().map_or_else(|| "0".to_owned(), |member| member.user.id.clone());
                let call = Call::new("get_members", LightMethod::Get, Route::GuildMembers { guild_id: guild })
                    .lane(guild)
                    .params(&[("limit", PAGE.to_string()), ("after", after)]);
                let page: Vec<Member> = self.api.call(call, PATIENCE).await?;
                let last = page.len() < PAGE;
                all.extend(page);
                if last {
                    return Ok(Arc::new(all));
                }
            }
            Err(CallError::NotSent(format!(
                "this server has more than {} members, too many to read: list people under `users` in the policy",
                PAGE * PAGES
            )))
        };
        self.caches.members.get(&guild.to_string(), ask).await
    }

    async fn member(&self, guild: GuildId, user: UserId) -> Result<Member, CallError> {
        let route = Route::GuildMember { guild_id: guild, user_id: user };
        self.api.call(Call::new("get_member", LightMethod::Get, route).lane(guild), PATIENCE).await
    }

    /// As [`Inner::member`], of the last minute; `None`: has left the guild, or was never in it.
    async fn person(&self, person: &Principal) -> Result<Option<Member>, DirectoryError> {
        let guild = Inner::guild(&person.tenant)?;
        let Some(user) = snowflake(&person.user).map(UserId::new) else {
            return Err(DirectoryError(format!("`{person}` is no user of Discord: correct the policy")));
        };
        let ask = async {
            match self.member(guild, user).await {
                Ok(member) => Ok(Some(member)),
                Err(error) if matches!(error.code(), Some(NO_MEMBER | NO_USER)) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let found = self.caches.people.get(&person.to_string(), ask).await;
        found.map_err(|error| DirectoryError(error.into_sentence("look up a member")))
    }

    /// Nobody has a role that is gone, and nobody would say why they may not do what they could yesterday.
    async fn must_exist(&self, group: &GroupRef) -> Result<GuildId, DirectoryError> {
        if group.platform != ChatPlatform::Discord {
            return Err(DirectoryError(format!("`{group}` is no role of Discord: correct the policy")));
        }
        let guild = Inner::guild(&group.tenant)?;
        let roles = self.roles(guild).await.map_err(|error| DirectoryError(error.into_sentence(READ_ROLES)))?;
        if roles.iter().any(|role| role.id == group.group) {
            return Ok(guild);
        }
        Err(DirectoryError(format!(
            "the role `{group}` does not exist any more, so nobody is let in by it: correct its id in the policy"
        )))
    }

    pub(super) async fn channel_answer(&self, channel: u64) -> Result<Option<ChannelAnswer>, CallError> {
        let route = Route::Channel { channel_id: channel.into() };
        let call = Call::new("get_channel", LightMethod::Get, route).lane(channel);
        match self.api.call(call, PATIENCE).await {
            Ok(found) => Ok(Some(found)),
            // Private, and the bot is not let in, or gone.
            Err(error) if matches!(error.code(), Some(NO_CHANNEL | NO_ACCESS)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the bot may do in a channel; nothing where it cannot see it.
    pub(super) async fn own_rights(&self, channel: u64) -> Result<Permissions, CallError> {
        let Some(found) = self.channel_answer(channel).await? else { return Ok(Permissions::empty()) };
        // There are no threads there; what belongs into one stands beside its card.
        if found.kind == DIRECT {
            return Ok(SPEAKS);
        }
        let Some(guild) = found.guild_id.as_deref().and_then(snowflake).map(GuildId::new) else {
            return Ok(Permissions::empty());
        };
        let bot = snowflake(&self.whoami().await?.bot_user)
            .ok_or_else(|| CallError::Alien("Discord named no bot: check `[discord] api_url`".into()))?;
        let me = self.member(guild, UserId::new(bot)).await?;
        let roles = self.roles(guild).await?;
        Ok(rights(&guild.to_string(), &me, &roles, &found.permission_overwrites))
    }
}

#[async_trait]
impl Directory for Discord {
    async fn members(&self, group: &GroupRef) -> Result<Vec<Principal>, DirectoryError> {
        let inner = &self.inner;
        let guild = inner.must_exist(group).await?;
        let members = inner.guild_members(guild).await.map_err(|error| {
            match error {
            // A missing intent is no code of its own.
            CallError::Code { status: 403, .. } => DirectoryError(
                "Discord does not let me list who has a role: switch on the Server Members Intent on the application's \
                 page under Bot, Privileged Gateway Intents"
                    .into(),
            ),
            other => DirectoryError(other.into_sentence(READ_ROLES)),
        }
        })?;
        let everybody = group.group == group.tenant;
        let has = |member: &&Member| everybody || member.roles.contains(&group.group);
        let principal = |member: &Member| Principal::discord(&group.tenant, &member.user.id);
        Ok(members.iter().filter(has).map(principal).collect())
    }

    async fn groups_of(&self, person: &Principal, among: &[&GroupRef]) -> Result<BTreeSet<GroupRef>, DirectoryError> {
        let inner = &self.inner;
        for group in among {
            inner.must_exist(group).await?;
        }
        let Some(member) = inner.person(person).await? else { return Ok(BTreeSet::new()) };
        // Everybody has the role that is called as the guild.
        let has =
            |g: &&&GroupRef| g.tenant == person.tenant && (g.group == g.tenant || member.roles.contains(&g.group));
        Ok(among.iter().filter(has).map(|g| (*g).clone()).collect())
    }

    async fn profile(&self, person: &Principal) -> Result<Profile, DirectoryError> {
        let Some(member) = self.inner.person(person).await? else {
            return Ok(Profile { name: person.user.clone(), is_deleted: true, ..Profile::default() });
        };
        let names = [member.nick, member.user.global_name, member.user.username];
        let name = names.into_iter().flatten().find(|name| !name.trim().is_empty());
        Ok(Profile {
            name: name.unwrap_or_else(|| person.user.clone()),
            is_bot: member.user.bot,
            is_guest: member.pending,
            is_stranger: false,
            is_deleted: false,
        })
    }

    async fn channel(&self, place: &Place) -> Result<Channel, DirectoryError> {
        let inner = &self.inner;
        let Some(id) = snowflake(&place.channel) else {
            return Err(DirectoryError(format!("`{}` is no channel of Discord", place.channel)));
        };
        let ask = async {
            let rights = inner.own_rights(id).await?;
            // Nobody outside the guild reads its channels.
            Ok::<_, CallError>(Channel { member: rights.contains(SPEAKS), shared: false })
        };
        let found = inner.caches.channels.get(&place.channel, ask).await;
        let channel = found.map_err(|error| DirectoryError(error.into_sentence("look at a channel")))?;
        if !channel.member {
            inner.caches.channels.forget(&place.channel);
        }
        Ok(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(roles: &[&str]) -> Member {
        let user = User { id: "7".into(), username: None, global_name: None, bot: true };
        Member { user, roles: roles.iter().map(|r| (*r).to_owned()).collect(), nick: None, pending: false }
    }

    fn role(id: &str, permissions: Permissions) -> Role {
        Role { id: id.into(), permissions: permissions.bits().to_string() }
    }

    fn overwrite(id: &str, allow: Permissions, deny: Permissions) -> Overwrite {
        Overwrite { id: id.into(), allow: allow.bits().to_string(), deny: deny.bits().to_string() }
    }

    #[test]
    fn rights_are_what_discord_would_grant() {
        let (see, say, none) = (Permissions::VIEW_CHANNEL, Permissions::SEND_MESSAGES, Permissions::empty());
        let roles = [role("1", see), role("2", say), role("3", Permissions::ADMINISTRATOR)];
        let of = |own: &[&str], overwrites: &[Overwrite]| rights("1", &member(own), &roles, overwrites);
        assert_eq!(of(&[], &[]), see, "everybody's role has the guild's id");
        assert_eq!(of(&["2"], &[]), see | say);
        assert_eq!(of(&["3"], &[overwrite("1", none, see)]), Permissions::all());
        assert_eq!(of(&["2"], &[overwrite("1", none, see)]), say);
        assert_eq!(of(&["2"], &[overwrite("1", none, see), overwrite("2", see, none)]), see | say);
        assert_eq!(of(&["2"], &[overwrite("2", none, say), overwrite("7", say, none)]), see | say);
        assert_eq!(of(&[], &[overwrite("2", see | say, none)]), see, "another role's overwrite is not ours");
    }
}
