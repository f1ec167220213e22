//! Whether Slack knows the bot, lets it do what it has to, and has it where the policy expects it.

use futures::StreamExt as _;

use crate::domain::{ChannelRef, ChatPlatform, GroupRef};
use crate::policy::PolicySet;
use crate::ports::{ChatProbe, Directory, ProbeError};

use super::host::{clock, count};
use super::report::{Report, State};

const AREA: &str = "slack";
/// Slack advises to design for one request a second and method; a few at once are no burst.
const AT_ONCE: usize = 4;

pub async fn check<S>(report: &mut Report, slack: &S, command: &str, policy: Option<&PolicySet>)
where
    S: ChatProbe + Directory,
{
    let bot = match slack.bot().await {
        Ok(bot) => bot,
        Err(ProbeError(why)) => {
            report.add(AREA, "bot token", State::Broken, why);
            socket(report, slack).await;
            report.add(AREA, "scopes, groups, channels", State::NotChecked, "needs a bot token that Slack accepts");
            return;
        }
    };
    let says = format!("is `{}` ({}) in {} ({})", bot.name, bot.user, bot.workspace, bot.tenant);
    report.add(AREA, "bot token", State::Ok, says);
    socket(report, slack).await;
    match &bot.missing {
        None => report.add(AREA, "scopes", State::NotChecked, "Slack did not say which ones were granted"),
        Some(missing) if missing.is_empty() => {
            report.add(AREA, "scopes", State::Ok, format!("all {} were granted", bot.needed));
        }
        Some(missing) => {
            let says = format!(
                "missing {}: add under OAuth & Permissions on the app's page, or paste `muster slack manifest` there, and \
                 reinstall the app",
                quoted(missing)
            );
            report.add(AREA, "scopes", State::Broken, says);
        }
    }
    if let Some(ahead) = bot.clock {
        clock(report, AREA, "Slack", ahead);
    }
    let says = format!("Slack does not tell which commands exist: type `{command} help` in a channel to see it answer");
    report.add(AREA, "slash command", State::NotChecked, says);
    let Some(policy) = policy else {
        report.add(AREA, "groups, channels", State::NotChecked, "needs valid policies");
        return;
    };
    groups(report, slack, policy).await;
    channels(report, slack, policy, &bot.tenant).await;
}

async fn socket<S: ChatProbe>(report: &mut Report, slack: &S) {
    match slack.can_listen().await {
        Ok(()) => report.add(AREA, "app token", State::Ok, "opens Socket Mode"),
        Err(ProbeError(why)) => report.add(AREA, "app token", State::Broken, why),
    }
}

async fn groups<S: Directory>(report: &mut Report, slack: &S, policy: &PolicySet) {
    let groups: Vec<&GroupRef> =
        policy.group_refs().into_iter().filter(|g| g.platform == ChatPlatform::Slack).collect();
    if groups.is_empty() {
        return;
    }
    let total = groups.len();
    let answers = futures::stream::iter(groups).map(|group| async move { (group, slack.members(group).await) });
    let answers: Vec<_> = answers.buffered(AT_ONCE).collect().await;
    let mut good = 0;
    for (group, members) in answers {
        match members {
            Ok(members) if members.is_empty() => {
                let says = "nobody is in it, so nobody has its rights: add people to it in Slack".to_owned();
                report.add(AREA, format!("user group {}", group.group), State::Warning, says);
            }
            Ok(_) => good += 1,
            Err(fault) => report.add(AREA, format!("user group {}", group.group), State::Broken, fault.to_string()),
        }
    }
    if good == total {
        let says = format!("{} of the policy can be read", count(good, "user group"));
        report.add(AREA, "user groups", State::Ok, says);
    }
}

fn tells_of_glass(policy: &PolicySet, channel: &ChannelRef) -> bool {
    policy.glass.as_ref().is_some_and(|glass| glass.notify.contains(channel))
}

async fn channels<S: ChatProbe>(report: &mut Report, slack: &S, policy: &PolicySet, tenant: &str) {
    let channels: Vec<&ChannelRef> =
        policy.channel_refs().into_iter().filter(|c| c.platform == ChatPlatform::Slack).collect();
    if channels.is_empty() {
        let says = "the policy names none; invite the bot where it shall answer: `/invite @muster`";
        report.add(AREA, "channels", State::NotChecked, says);
        return;
    }
    let answers = futures::stream::iter(channels).map(|channel| async move {
        let seen = if channel.tenant == tenant { Some(slack.channel(&channel.channel).await) } else { None };
        (channel, seen)
    });
    let answers: Vec<_> = answers.buffered(AT_ONCE).collect().await;
    for (channel, seen) in answers {
        let subject = format!("channel {}", channel.channel);
        let (state, says) = match seen {
            None => (
                State::Broken,
                format!("the policy names it in `{}`, but the bot is in `{tenant}`: correct the policy", channel.tenant),
            ),
            Some(Err(ProbeError(why))) => (State::Broken, why),
            Some(Ok(None)) => (
                State::Broken,
                "there is no such channel, or it is private and the bot is not in it: type `/invite @muster` there, or \
                 correct the policy"
                    .to_owned(),
            ),
            Some(Ok(Some(seen))) if seen.archived && tells_of_glass(policy, channel) => (
                State::Broken,
                format!(
                    "#{} is archived, and break-glass starts nothing that it cannot tell there: name another channel under \
                     `notify`",
                    seen.name
                ),
            ),
            Some(Ok(Some(seen))) if seen.archived => {
                (State::Warning, format!("#{} is archived: take it out of the policy", seen.name))
            }
            Some(Ok(Some(seen))) if !seen.member => {
                (State::Broken, format!("the bot is not in #{}: type `/invite @muster` there", seen.name))
            }
            Some(Ok(Some(seen))) => (State::Ok, format!("the bot is in #{}", seen.name)),
        };
        report.add(AREA, subject, state, says);
    }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}
