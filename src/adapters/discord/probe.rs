//! What `muster doctor` asks Discord. Nothing is said to anybody.

use async_trait::async_trait;
use serde::Deserialize;
use serenity::http::{LightMethod, Route};
use serenity::model::Permissions;

use crate::ports::{BotSeen, ChannelSeen, ChatProbe, ProbeError};

use super::api::{Call, CallError};
use super::directory::SPEAKS;
use super::gateway::{OpenError, Opener as _};
use super::ids::snowflake;
use super::invite::{NEEDED, name};
use super::{Discord, PATIENCE};

#[derive(Deserialize)]
struct Guild {
    id: String,
    name: Option<String>,
    /// Of the bot in this guild, without what channels grant and take; a number as text.
    #[serde(default)]
    permissions: String,
}

#[async_trait]
impl ChatProbe for Discord {
    async fn bot(&self) -> Result<BotSeen, ProbeError> {
        let fault = |error: CallError| ProbeError(once(&error.into_sentence("say who the bot is")).to_owned());
        let inner = &self.inner;
        let me = inner.whoami().await.map_err(fault)?;
        let call = Call::new("get_guilds", LightMethod::Get, Route::UserMeGuilds);
        let guilds: Vec<Guild> = inner.api.call(call, PATIENCE).await.map_err(fault)?;
        let Some(first) = guilds.first() else {
            return Err(ProbeError(
                "the bot is in no server: open the link that `muster discord invite` prints and choose one".into(),
            ));
        };
        // A right that is missing in one of the servers is missing.
        let granted = guilds.iter().fold(Permissions::all(), |all, guild| {
            let own = Permissions::from_bits_truncate(guild.permissions.parse().unwrap_or_default());
            if own.contains(Permissions::ADMINISTRATOR) { all } else { all & own }
        });
        let rights = NEEDED.iter().filter(|(right, _)| !granted.contains(*right)).map(|(right, _)| name(*right));
        let others = match guilds.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        Ok(BotSeen {
            workspace: format!("{}{others}", first.name.as_deref().unwrap_or(&first.id)),
            tenant: first.id.clone(),
            name: me.name.clone(),
            user: me.bot_user.clone(),
            needed: NEEDED.len(),
            missing: Some(rights.collect()),
            clock: None,
        })
    }

    async fn can_listen(&self) -> Result<(), ProbeError> {
        // The address is never connected to.
        match self.inner.open().await {
            Ok(_) => Ok(()),
            Err(OpenError::Never(alarm)) => Err(ProbeError(alarm.to_string())),
            Err(OpenError::Later { cause, .. }) => {
                Err(ProbeError(format!("the gateway cannot be opened now ({}): try again in a minute", once(&cause))))
            }
        }
    }

    async fn channel(&self, id: &str) -> Result<Option<ChannelSeen>, ProbeError> {
        let fault = |error: CallError| ProbeError(once(&error.into_sentence("look at a channel")).to_owned());
        let Some(number) = snowflake(id) else {
            return Err(ProbeError(format!("`{id}` is no channel of Discord: correct its id in the policy")));
        };
        let Some(channel) = self.inner.channel_answer(number).await.map_err(fault)? else { return Ok(None) };
        let rights = self.inner.own_rights(number).await.map_err(fault)?;
        Ok(Some(ChannelSeen {
            name: channel.name.unwrap_or_else(|| id.to_owned()),
            member: rights.contains(SPEAKS),
            archived: false,
        }))
    }
}

/// The bot's sentences promise another try, which a probe does not make.
fn once(cause: &str) -> &str {
    cause.strip_suffix("; it is tried again").unwrap_or(cause)
}
