//! What goes wrong on purpose, planted in the world and never in the bot.
//!
//! A fault names where it strikes (account, region, node; each may be left open) and how often. Faults come from
//! the settings, from `--break` and from `POST /play/v1/faults`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::Invalid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultName {
    /// The node never executes, and reads Success with plausible output.
    NeverRuns,
    /// The agent executes the command twice.
    RunsTwice,
    /// The agent's first answer is lost: it executes the command again, and that answer counts.
    SecondCopy,
    /// A page of results repeats a node.
    RepeatedPage,
    /// SendCommand is taken and executed, then the connection closes without an answer.
    LostAnswer,
    /// The account's trust policy wants another External ID.
    DenyAccount,
    /// The account's trust policy asks for no External ID.
    OpenTrust,
    /// The agent does not answer.
    OfflineNode,
    /// One call a second, burst 1 (`value`: calls a second).
    Throttle,
    /// Every answer of the region comes late (`value`: milliseconds, default 3000).
    SlowRegion,
    /// The node is terminated just before the SendCommand that names it.
    GoneNode,
    /// A session of a member account dies at its next call.
    ExpiredCredentials,
    /// The keys that Muster starts with have expired, and every session that was made from them.
    ExpiredHostKeys,
    /// ListCommands does not show younger commands (`value`: milliseconds, default 5000).
    DelayedList,
    /// The node's output holds something that looks like a secret.
    SecretInOutput,
    /// The node prints more before anything else (`value`: kB, default 100).
    LongOutput,
    /// `/var` is 97 % full.
    DiskFull,
    /// The node's main service has failed.
    ServiceFailed,
    /// AssumeRole says that the session policy does not fit, whatever its size.
    PackedPolicy,
    /// The script ends with an error on the node, after it has run (`value`: its exit code, default 1).
    ScriptFails,
    /// The script takes so much longer on the node (`value`: milliseconds, default 3000).
    SlowNode,
}

impl FaultName {
    pub const ALL: [FaultName; 21] = [
        FaultName::NeverRuns,
        FaultName::RunsTwice,
        FaultName::SecondCopy,
        FaultName::RepeatedPage,
        FaultName::LostAnswer,
        FaultName::DenyAccount,
        FaultName::OpenTrust,
        FaultName::OfflineNode,
        FaultName::Throttle,
        FaultName::SlowRegion,
        FaultName::GoneNode,
        FaultName::ExpiredCredentials,
        FaultName::ExpiredHostKeys,
        FaultName::DelayedList,
        FaultName::SecretInOutput,
        FaultName::LongOutput,
        FaultName::DiskFull,
        FaultName::ServiceFailed,
        FaultName::PackedPolicy,
        FaultName::ScriptFails,
        FaultName::SlowNode,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FaultName::NeverRuns => "never-runs",
            FaultName::RunsTwice => "runs-twice",
            FaultName::SecondCopy => "second-copy",
            FaultName::RepeatedPage => "repeated-page",
            FaultName::LostAnswer => "lost-answer",
            FaultName::DenyAccount => "deny-account",
            FaultName::OpenTrust => "open-trust",
            FaultName::OfflineNode => "offline-node",
            FaultName::Throttle => "throttle",
            FaultName::SlowRegion => "slow-region",
            FaultName::GoneNode => "gone-node",
            FaultName::ExpiredCredentials => "expired-credentials",
            FaultName::ExpiredHostKeys => "expired-host-keys",
            FaultName::DelayedList => "delayed-list",
            FaultName::SecretInOutput => "secret-in-output",
            FaultName::LongOutput => "long-output",
            FaultName::DiskFull => "disk-full",
            FaultName::ServiceFailed => "service-failed",
            FaultName::PackedPolicy => "packed-policy",
            FaultName::ScriptFails => "script-fails",
            FaultName::SlowNode => "slow-node",
        }
    }

    /// How often it strikes when nobody says: once where a second time would be another story, else always.
    #[must_use]
    pub fn times(self) -> Option<u32> {
        match self {
            FaultName::NeverRuns
            | FaultName::RunsTwice
            | FaultName::SecondCopy
            | FaultName::RepeatedPage
            | FaultName::LostAnswer
            | FaultName::OfflineNode
            | FaultName::GoneNode
            | FaultName::ExpiredCredentials
            | FaultName::SecretInOutput
            | FaultName::LongOutput
            | FaultName::DiskFull
            | FaultName::ServiceFailed
            | FaultName::ScriptFails
            | FaultName::SlowNode => Some(1),
            FaultName::DenyAccount
            | FaultName::ExpiredHostKeys
            | FaultName::OpenTrust
            | FaultName::Throttle
            | FaultName::SlowRegion
            | FaultName::DelayedList
            | FaultName::PackedPolicy => None,
        }
    }
}

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for FaultName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        FaultName::ALL.into_iter().find(|n| n.as_str() == text).ok_or_else(|| {
            let near = FaultName::ALL
                .into_iter()
                .map(|n| (strsim::jaro_winkler(text, n.as_str()), n))
                .filter(|(score, _)| *score > 0.75)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            Invalid(match near {
                Some((_, name)) => format!("unknown fault `{text}`; did you mean `{name}`?"),
                None => {
                    let all: Vec<&str> = FaultName::ALL.iter().map(|n| n.as_str()).collect();
                    format!("unknown fault `{text}`; there are {}", all.join(", "))
                }
            })
        })
    }
}

/// A fault as a person plants it. Account, region and node are ids or names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    pub fault: FaultName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// Takes away every fault of this name at this place instead of planting one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clear: bool,
}

impl FaultSpec {
    #[must_use]
    pub fn new(fault: FaultName) -> Self {
        FaultSpec { fault, account: None, region: None, node: None, times: None, value: None, clear: false }
    }
    #[must_use]
    pub fn account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }
    #[must_use]
    pub fn node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
    #[must_use]
    pub fn value(mut self, value: u64) -> Self {
        self.value = Some(value);
        self
    }
}

/// `NAME` or `NAME:PLACE`, where the place is `account`, `account/region` or `account/region/node`.
impl FromStr for FaultSpec {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (name, place) = text.split_once(':').unwrap_or((text, ""));
        let mut spec = FaultSpec::new(name.parse()?);
        let mut words = place.split('/').map(|w| (!w.is_empty() && w != "*").then(|| w.to_owned()));
        spec.account = words.next().flatten();
        spec.region = words.next().flatten();
        spec.node = words.next().flatten();
        if words.next().is_some() {
            return Err(Invalid(format!("`{place}` has too many parts; write `account/region/node`")));
        }
        Ok(spec)
    }
}

/// Where something happens, by every name it has. An empty text is a place that does not apply.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    pub account: &'a str,
    pub account_name: &'a str,
    pub region: &'a str,
    pub node: &'a str,
    pub node_name: &'a str,
}

/// A planted fault, with how often it has struck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planted {
    #[serde(flatten)]
    pub spec: FaultSpec,
    /// `None`: for ever.
    pub left: Option<u32>,
    pub struck: u32,
}

#[derive(Debug, Default)]
pub struct FaultBook {
    planted: Vec<Planted>,
}

impl FaultBook {
    pub fn plant(&mut self, spec: FaultSpec) {
        if spec.clear {
            self.planted.retain(|p| {
                p.spec.fault != spec.fault
                    || spec.account.is_some() && p.spec.account != spec.account
                    || spec.region.is_some() && p.spec.region != spec.region
                    || spec.node.is_some() && p.spec.node != spec.node
            });
        } else {
            let left = spec.times.or(spec.fault.times());
            self.planted.push(Planted { spec, left, struck: 0 });
        }
    }

    #[must_use]
    pub fn all(&self) -> &[Planted] {
        &self.planted
    }

    /// The fault that strikes here, if one does, with its strike counted.
    pub fn strike(&mut self, fault: FaultName, place: Place<'_>) -> Option<FaultSpec> {
        let planted = self.planted.iter_mut().find(|p| p.spec.fault == fault && p.left != Some(0) && p.is_at(place))?;
        planted.left = planted.left.map(|n| n - 1);
        planted.struck += 1;
        Some(planted.spec.clone())
    }
}

impl Planted {
    fn is_at(&self, place: Place<'_>) -> bool {
        let fits = |want: &Option<String>, have: [&str; 2]| want.as_deref().is_none_or(|w| have.contains(&w));
        fits(&self.spec.account, [place.account, place.account_name])
            && fits(&self.spec.region, [place.region, place.region])
            && fits(&self.spec.node, [place.node, place.node_name])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_where_and_as_often_as_it_was_planted() {
        let mut book = FaultBook::default();
        book.plant("runs-twice:acme-prod/eu-west-1/web-1".parse().unwrap());
        let place = Place {
            account: "111111111111",
            account_name: "acme-prod",
            region: "eu-west-1",
            node: "i-0a1b2c3d4e5f60718",
            node_name: "web-1",
        };
        assert!(book.strike(FaultName::RunsTwice, Place { region: "us-east-1", ..place }).is_none());
        assert!(book.strike(FaultName::NeverRuns, place).is_none());
        assert!(book.strike(FaultName::RunsTwice, place).is_some());
        assert!(book.strike(FaultName::RunsTwice, place).is_none(), "once is once");
        assert_eq!(book.all()[0].struck, 1);
    }

    #[test]
    fn a_fault_can_be_taken_away() {
        let mut book = FaultBook::default();
        book.plant(FaultSpec::new(FaultName::DenyAccount).account("initech-prod"));
        let place = Place { account: "5", account_name: "initech-prod", ..Place::default() };
        assert!(book.strike(FaultName::DenyAccount, place).is_some());
        book.plant(FaultSpec { clear: true, ..FaultSpec::new(FaultName::DenyAccount) });
        assert!(book.strike(FaultName::DenyAccount, place).is_none());
    }

    #[test]
    fn names_are_checked_and_every_name_survives_its_text() {
        for name in FaultName::ALL {
            assert_eq!(name.as_str().parse::<FaultName>(), Ok(name));
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
        assert_eq!(
            "never-run".parse::<FaultName>().unwrap_err().to_string(),
            "unknown fault `never-run`; did you mean `never-runs`?"
        );
        assert!("throttle:a/b/c/d".parse::<FaultSpec>().is_err());
    }
}
