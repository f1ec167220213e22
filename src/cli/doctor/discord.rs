//! Whether Discord knows the bot, lets it do what it has to, and has it where the policy expects it.

use futures::StreamExt as _;

use crate::domain::{ChannelRef, ChatPlatform, GroupRef, Principal};
use crate::policy::PolicySet;
use crate::ports::{ChatProbe, Directory, ProbeError};

use super::host::count;
use super::report::{Report, State};

const AREA: &str = "discord";
/// Discord allows fifty requests a second; a few at once are no burst.
const AT_ONCE: usize = 4;

pub async fn check<D>(report: &mut Report, discord: &D, policy: Option<&PolicySet>)
where
    D: ChatProbe + Directory,
{
    let bot = match discord.bot().await {
        Ok(bot) => bot,
        Err(ProbeError(why)) => {
            report.add(AREA, "bot token", State::Broken, why);
            report.add(AREA, "permissions, roles, channels", State::NotChecked, "needs a bot that Discord accepts");
            return;
        }
    };
    report.add(AREA, "bot token", State::Ok, format!("is `{}` ({}) in {}", bot.name, bot.user, bot.workspace));
    match discord.can_listen().await {
        Ok(()) => report.add(AREA, "gateway", State::Ok, "can be opened"),
        Err(ProbeError(why)) => report.add(AREA, "gateway", State::Broken, why),
    }
    match bot.missing.as_deref() {
        None => report.add(AREA, "permissions", State::NotChecked, "Discord did not say which ones were granted"),
        Some([]) => report.add(AREA, "permissions", State::Ok, format!("all {} were granted", bot.needed)),
        Some(missing) => {
            let says = format!(
                "missing {}: open the link that `muster discord invite` prints once more",
                missing.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ")
            );
            report.add(AREA, "permissions", State::Broken, says);
        }
    }
    let Some(policy) = policy else {
        report.add(AREA, "roles, channels", State::NotChecked, "needs valid policies");
        return;
    };
    roles(report, discord, &bot.user, policy).await;
    channels(report, discord, policy).await;
}

async fn roles<D: Directory>(report: &mut Report, discord: &D, bot: &str, policy: &PolicySet) {
    let groups: Vec<&GroupRef> =
        policy.group_refs().into_iter().filter(|g| g.platform == ChatPlatform::Discord).collect();
    if groups.is_empty() {
        let says = "the policy names none, so nobody on Discord is in a group by a role";
        report.add(AREA, "roles", State::NotChecked, says);
        return;
    }
    let total = groups.len();
    let look = |group: &GroupRef| Principal::discord(&group.tenant, bot);
    let answers = futures::stream::iter(groups).map(|group| async move {
        let there = discord.groups_of(&look(group), &[group]).await.map(drop);
        // How many have it is told only with a privileged intent, which nothing else needs.
        let nobody = there.is_ok() && discord.members(group).await.is_ok_and(|members| members.is_empty());
        (group, there.map(|()| nobody))
    });
    let answers: Vec<_> = answers.buffered(AT_ONCE).collect().await;
    let mut good = 0;
    for (group, nobody) in answers {
        match nobody {
            Ok(true) => {
                let says =
                    "nobody has it, so nobody has its rights: give it to people in the server's settings".to_owned();
                report.add(AREA, format!("role {}", group.group), State::Warning, says);
            }
            Ok(false) => good += 1,
            Err(fault) => report.add(AREA, format!("role {}", group.group), State::Broken, fault.to_string()),
        }
    }
    if good == total {
        report.add(AREA, "roles", State::Ok, format!("{} of the policy can be read", count(good, "role")));
    }
}

async fn channels<D: ChatProbe>(report: &mut Report, discord: &D, policy: &PolicySet) {
    let channels: Vec<&ChannelRef> =
        policy.channel_refs().into_iter().filter(|c| c.platform == ChatPlatform::Discord).collect();
    if channels.is_empty() {
        let says = "the policy names none; let the bot into those where it shall answer, in their settings";
        report.add(AREA, "channels", State::NotChecked, says);
        return;
    }
    let answers = futures::stream::iter(channels)
        .map(|channel| async move { (channel, discord.channel(&channel.channel).await) });
    let answers: Vec<_> = answers.buffered(AT_ONCE).collect().await;
    for (channel, seen) in answers {
        let subject = format!("channel {}", channel.channel);
        let (state, says) = match seen {
            Err(ProbeError(why)) => (State::Broken, why),
            Ok(None) => (
                State::Broken,
                "there is no such channel, or it is private and the bot is not in it: add it in the channel's settings \
                 under Permissions, or correct the policy"
                    .to_owned(),
            ),
            Ok(Some(seen)) if !seen.member => (
                State::Broken,
                format!("the bot may not speak in #{}: let it in in the channel's settings under Permissions", seen.name),
            ),
            Ok(Some(seen)) => (State::Ok, format!("the bot may speak in #{}", seen.name)),
        };
        report.add(AREA, subject, state, says);
    }
}
