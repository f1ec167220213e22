//! Who asks, who approves, and where it is said.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::Invalid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatPlatform {
    Slack,
    Discord,
    /// No chat at all: a shell on the host that Muster runs on. Its people halt, resume, cancel and look; they never ask
    /// for a run and never approve one, and no group or channel is there.
    Host,
}

impl ChatPlatform {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ChatPlatform::Slack => "slack",
            ChatPlatform::Discord => "discord",
            ChatPlatform::Host => "host",
        }
    }
}

/// A person, known by platform, tenant and user id and never by a display name.
///
/// The tenant is Slack's enterprise id where there is one, else its team id; on Discord the guild; on the host its name.
/// Written `slack:T012AB:U034CD`, or `host:ops-1:muster`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Principal {
    pub platform: ChatPlatform,
    pub tenant: String,
    pub user: String,
}

/// A group that a chat platform keeps: a Slack user group or a Discord role. Written `slack:T012AB:S0SRE`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupRef {
    pub platform: ChatPlatform,
    pub tenant: String,
    pub group: String,
}

/// A channel, without any thread in it. Written `slack:T012AB:C0OPS`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelRef {
    pub platform: ChatPlatform,
    pub tenant: String,
    pub channel: String,
}

fn parts(text: &str, example: &str) -> Result<(ChatPlatform, String, String), Invalid> {
    let wrong = || Invalid(format!("`{text}` should name platform, tenant and id, such as `{example}`"));
    let mut words = text.split(':');
    let (Some(platform), Some(tenant), Some(id), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(wrong());
    };
    let platform = match platform {
        "slack" => ChatPlatform::Slack,
        "discord" => ChatPlatform::Discord,
        "host" => ChatPlatform::Host,
        _ => return Err(wrong()),
    };
    // Platforms' ids are letters and digits; names of hosts and their users hold a little more.
    let plain = |b: u8| b.is_ascii_alphanumeric() || platform == ChatPlatform::Host && is_of_host(b);
    let good = |s: &str| !s.is_empty() && s.bytes().all(plain);
    if good(tenant) && good(id) { Ok((platform, tenant.to_owned(), id.to_owned())) } else { Err(wrong()) }
}

fn is_of_host(b: u8) -> bool {
    matches!(b, b'-' | b'.' | b'_')
}

/// As [`parts`], of something that only a chat has.
fn of_a_chat(text: &str, example: &str) -> Result<(ChatPlatform, String, String), Invalid> {
    let found = parts(text, example)?;
    if found.0 == ChatPlatform::Host {
        return Err(Invalid(format!("`{text}` names a host, and only a chat has it: write it like `{example}`")));
    }
    Ok(found)
}

impl Principal {
    /// Whoever has a shell on this host, by the host's and the user's name. What cannot stand in a principal is replaced.
    #[must_use]
    pub fn host(host: &str, user: &str) -> Self {
        let word = |text: &str| {
            let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') { c } else { '-' };
            let word: String = text.trim().chars().take(64).map(plain).collect();
            if word.is_empty() { "unknown".to_owned() } else { word }
        };
        Principal { platform: ChatPlatform::Host, tenant: word(host), user: word(user) }
    }

    /// Sits at a shell of the host, and is nobody in any chat.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.platform == ChatPlatform::Host
    }

    #[must_use]
    pub fn slack(tenant: &str, user: &str) -> Self {
        Principal { platform: ChatPlatform::Slack, tenant: tenant.into(), user: user.into() }
    }

    #[must_use]
    pub fn discord(guild: &str, user: &str) -> Self {
        Principal { platform: ChatPlatform::Discord, tenant: guild.into(), user: user.into() }
    }

    /// The value that names this person in CloudTrail, as SourceIdentity: `slack.T012AB.U034CD`.
    ///
    /// STS allows `[\w+=,.@-]{2,64}`, so no colons.
    #[must_use]
    pub fn source_identity(&self) -> String {
        let mut text = format!("{}.{}.{}", self.platform.as_str(), self.tenant, self.user);
        text.truncate(64);
        text
    }
}

impl FromStr for Principal {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (platform, tenant, user) = parts(text, "slack:T012AB:U034CD")?;
        Ok(Principal { platform, tenant, user })
    }
}
impl FromStr for GroupRef {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (platform, tenant, group) = of_a_chat(text, "slack:T012AB:S0SRE")?;
        Ok(GroupRef { platform, tenant, group })
    }
}
impl FromStr for ChannelRef {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (platform, tenant, channel) = of_a_chat(text, "slack:T012AB:C0OPS")?;
        Ok(ChannelRef { platform, tenant, channel })
    }
}
macro_rules! written {
    ($name:ident, $id:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}:{}:{}", self.platform.as_str(), self.tenant, self.$id)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}
written!(Principal, user);
written!(GroupRef, group);
written!(ChannelRef, channel);

/// The policy's own name for a set of principals, such as `sre`.
pub type GroupName = String;

/// Where something is said: a channel, and the thread in it if there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub platform: ChatPlatform,
    pub tenant: String,
    pub channel: String,
    /// The platform's id of the message that opens the thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

impl Place {
    /// Nowhere in particular: what is said there goes to the person alone. Platforms take a person's id for a channel.
    #[must_use]
    pub fn nowhere(person: &Principal, tenant: &str) -> Self {
        Place { platform: person.platform, tenant: tenant.to_owned(), channel: person.user.clone(), thread: None }
    }
    /// It is no channel in which anybody else could read or approve anything.
    #[must_use]
    pub fn is_nowhere(&self, person: &Principal) -> bool {
        self.channel == person.user
    }
    #[must_use]
    pub fn channel_ref(&self) -> ChannelRef {
        ChannelRef { platform: self.platform, tenant: self.tenant.clone(), channel: self.channel.clone() }
    }
}

/// One message that was posted, by the platform's id for it (Slack's `ts`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageRef {
    pub platform: ChatPlatform,
    pub channel: String,
    pub id: String,
    /// The guild that a direct message at Discord is about: its channel belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_survives_its_text_and_names_itself_to_cloudtrail() {
        let ana: Principal = "slack:T012AB:U034CD".parse().unwrap();
        assert_eq!(ana.to_string(), "slack:T012AB:U034CD");
        assert_eq!(ana.source_identity(), "slack.T012AB.U034CD");
        for bad in ["U034CD", "slack:T1", "slack:T1:U1:x", "irc:T1:U1", "slack::U1", "slack:T1:U 1"] {
            assert!(bad.parse::<Principal>().is_err(), "{bad}");
        }
    }

    #[test]
    fn whoever_has_a_shell_is_somebody_and_no_group_or_channel() {
        let root = Principal::host("ops-1.example.org", "root");
        assert_eq!(root.to_string(), "host:ops-1.example.org:root");
        assert_eq!(root.to_string().parse(), Ok(root.clone()));
        assert!(root.is_operator() && !Principal::slack("T1", "U1").is_operator());
        for (host, user) in [("", " "), ("a:b", "dom\\ana"), ("é", "x y"), (&"h".repeat(300), "1000")] {
            let odd = Principal::host(host, user);
            assert_eq!(odd.to_string().parse(), Ok(odd));
        }
        assert!("slack:T-1:U1".parse::<Principal>().is_err(), "ids of chats stay what they are");
        assert!("host:ops-1:sre".parse::<GroupRef>().unwrap_err().to_string().contains("only a chat has it"));
        assert!("host:ops-1:c".parse::<ChannelRef>().is_err());
    }
}
