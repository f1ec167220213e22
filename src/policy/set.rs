//! The rules of all policy files, checked and merged: who may run what where, what is forbidden, what needs approval.
//!
//! Plain data. [`super::load`] makes it from text, [`super::decide()`] and its neighbours read it. The order of the
//! rules means nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use crate::domain::{
    ChannelRef, ChatPlatform, Digest, GroupName, GroupRef, Invalid, Millis, Principal, RunbookName, Timestamp,
};
use crate::runbook::Risk;

/// How long a request waits for its approvals where no rule that fired says so.
pub const DEFAULT_EXPIRY: Millis = Millis::from_secs(30 * 60);

/// Stands in [`super::Reason::rule`] where no rule of a file but Muster itself decides. No rule may have this id.
pub const BUILT_IN: &str = "built-in";

/// Stands there where `[break_glass]` decides. No rule may have this id either.
pub const GLASS: &str = "break-glass";

/// The name of a `[sets]` entry.
pub type SetName = String;

/// The checked rules of all `policies/*.toml`. The empty one denies everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySet {
    pub groups: BTreeMap<GroupName, Members>,
    /// Accounts of one person on several platforms or in several workspaces. An account stands under one name only.
    pub people: BTreeMap<String, BTreeSet<Principal>>,
    /// Who a person of [`PolicySet::people`] is outside chat, such as `arne.b@example.com`: as STS takes it.
    pub identities: BTreeMap<String, String>,
    pub sets: BTreeMap<SetName, TargetSet>,
    pub grants: Vec<Grant>,
    pub forbids: Vec<Forbid>,
    pub freezes: Vec<Freeze>,
    pub approvals: Vec<ApprovalRule>,
    pub view: Vec<ViewRule>,
    pub halt: HaltRule,
    /// Where those are asked who may approve, besides the run's thread.
    pub approvers: BTreeMap<GroupName, Approvers>,
    /// `None`: nothing overrides a rule.
    pub glass: Option<BreakGlass>,
    /// SHA-256 over the names and texts of the files, in the order of their names.
    pub revision: Digest,
}

impl PolicySet {
    /// Whether somebody of this workspace or guild is in a group at all, or could be.
    #[must_use]
    pub fn knows(&self, platform: ChatPlatform, tenant: &str) -> bool {
        self.groups.values().any(|members| {
            members.refs.iter().any(|r| r.platform == platform && r.tenant == tenant)
                || members.users.iter().any(|u| u.platform == platform && u.tenant == tenant)
        })
    }

    /// No rules: every run is denied. What stands until a first valid set is loaded.
    #[must_use]
    pub fn deny_all() -> Self {
        PolicySet {
            groups: BTreeMap::new(),
            people: BTreeMap::new(),
            identities: BTreeMap::new(),
            sets: BTreeMap::new(),
            grants: Vec::new(),
            forbids: Vec::new(),
            freezes: Vec::new(),
            approvals: Vec::new(),
            view: Vec::new(),
            halt: HaltRule::default(),
            approvers: BTreeMap::new(),
            glass: None,
            revision: Digest::of(b""),
        }
    }

    /// The other accounts of the same person; empty where nobody has said so.
    #[must_use]
    pub fn twins(&self, account: &Principal) -> BTreeSet<Principal> {
        let all = self.people.values().find(|accounts| accounts.contains(account)).cloned().unwrap_or_default();
        all.into_iter().filter(|other| other != account).collect()
    }

    /// Who the person behind an account is outside chat.
    #[must_use]
    pub fn identity(&self, account: &Principal) -> Option<&str> {
        let (name, _) = self.people.iter().find(|(_, accounts)| accounts.contains(account))?;
        self.identities.get(name).map(String::as_str)
    }

    /// The chat platforms' groups whose members the policy asks for.
    #[must_use]
    pub fn group_refs(&self) -> BTreeSet<&GroupRef> {
        self.groups.values().flat_map(|m| &m.refs).collect()
    }

    /// The channels that rules name.
    #[must_use]
    pub fn channel_refs(&self) -> BTreeSet<&ChannelRef> {
        let granted = self.grants.iter().filter_map(|g| g.channels.as_ref());
        let shared = self.view.iter().filter_map(|v| match &v.audience {
            Audience::SharedChannels(channels) => Some(channels),
            Audience::Groups(_) => None,
        });
        let asked = self.approvers.values().map(|approvers| &approvers.channels);
        let told = self.glass.as_ref().map(|glass| &glass.notify);
        granted.chain(shared).chain(asked).chain(told).flatten().collect()
    }

    /// The policy's groups that `person` is in; `is_member` answers for the groups that a chat platform keeps.
    ///
    /// Where a look-up failed there is no answer to give: the caller refuses, because a forbid may name the group.
    #[must_use]
    pub fn groups_of(&self, person: &Principal, is_member: impl Fn(&GroupRef) -> bool) -> BTreeSet<GroupName> {
        let inside = |m: &Members| m.users.contains(person) || m.refs.iter().any(&is_member);
        self.groups.iter().filter(|(_, m)| inside(m)).map(|(name, _)| name.clone()).collect()
    }
}

/// Who is in a group: listed people, and the members of groups that a chat platform keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    pub refs: BTreeSet<GroupRef>,
    pub users: BTreeSet<Principal>,
}

/// A set of targets: those for which every given condition holds. An empty list or map is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetSet {
    /// Of the account's id or name.
    pub accounts: Vec<Pattern>,
    pub regions: Vec<Pattern>,
    /// Of the account; each label named has one of the values.
    pub labels: BTreeMap<String, Vec<Pattern>>,
    /// Of the node; each tag named has one of the values.
    pub tags: BTreeMap<String, Vec<Pattern>>,
    /// Whether targets in it are production. `None` says nothing about it.
    pub production: Option<bool>,
}

/// A value in which `*` stands for any text. Case matters, as it does in AWS.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    text: String,
    /// Where the first `*` stands: most have none, and they are asked for every place of a plan.
    star: Option<usize>,
}

impl Pattern {
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Pattern { star: text.find('*'), text }
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
    /// Twelve digits, so that it can only be meant as an account's id.
    #[must_use]
    pub fn is_account_id(&self) -> bool {
        self.text.len() == 12 && self.text.bytes().all(|b| b.is_ascii_digit())
    }
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some(star) = self.star else { return self.text == text };
        let (head, rest) = (&self.text[..star], &self.text[star + 1..]);
        let Some(mut text) = text.strip_prefix(head) else { return false };
        let mut rest = rest;
        // Each middle piece takes its first place: a later one could only leave less for the pieces after it.
        while let Some((piece, after)) = rest.split_once('*') {
            let Some(at) = text.find(piece) else { return false };
            text = &text[at + piece.len()..];
            rest = after;
        }
        text.ends_with(rest)
    }
}
impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Which targets a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// Written `["*"]`.
    Anywhere,
    /// Targets in at least one of these.
    Sets(BTreeSet<SetName>),
}

/// Allows its groups to run something somewhere. One grant has to cover the whole plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub who: BTreeSet<GroupName>,
    pub run: Granted,
    pub place: Where,
    /// Distinct targets of one plan.
    pub max_targets: u32,
    /// Where it may be asked; `None` is everywhere.
    pub channels: Option<BTreeSet<ChannelRef>>,
}

/// What a grant lets people run. A runbook's own words cannot widen it, except its risk and owner, which reviewers see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    Names {
        names: BTreeSet<RunbookName>,
        /// Restricts the parameters that it names; others are free. A restricted parameter must have a value.
        parameters: BTreeMap<String, ParameterRule>,
    },
    Kind {
        risk: BTreeSet<Risk>,
        /// `None` is any owner.
        owner: Option<BTreeSet<String>>,
    },
}

/// What the value of one parameter may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterRule {
    OneOf(BTreeSet<String>),
    /// A whole number, both ends included.
    Int {
        min: i64,
        max: i64,
    },
    Matches(Anchored),
}

/// A regular expression that has to match the whole value.
#[derive(Clone)]
pub struct Anchored {
    text: String,
    whole: regex::Regex,
}

impl Anchored {
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let wrong = |e: &regex::Error| {
            // The crate draws a picture over several lines; its last line holds the reason.
            let why = e.to_string();
            let why = why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
            Invalid(format!("`{text}` is not a regular expression: {why}"))
        };
        // Alone first, so that `a)|(b` cannot climb out of the group that anchors it.
        regex::Regex::new(text).map_err(|e| wrong(&e))?;
        let whole = regex::Regex::new(&format!(r"\A(?:{text})\z")).map_err(|e| wrong(&e))?;
        Ok(Anchored { text: text.to_owned(), whole })
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        self.whole.is_match(value)
    }
}
impl Serialize for Anchored {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}
impl PartialEq for Anchored {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for Anchored {}
impl fmt::Debug for Anchored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Refuses, whatever the grants say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbid {
    pub id: String,
    /// `None` is everybody.
    pub who: Option<BTreeSet<GroupName>>,
    pub run: Forbidden,
    /// Fires when any target may be in it.
    pub place: Where,
    /// The sentence that the refused person reads.
    pub because: String,
}

/// Which runbooks a forbid is about, or a freeze is not about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forbidden {
    Everything,
    Names(BTreeSet<RunbookName>),
    /// Both hold where both are given.
    Kind {
        risk: Option<BTreeSet<Risk>>,
        owner: Option<BTreeSet<String>>,
    },
}

/// Refuses for a time, whatever the grants say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    pub id: String,
    pub from: Timestamp,
    /// From then on it is over.
    pub to: Timestamp,
    /// Fires when any target may be in it.
    pub place: Where,
    /// What may run all the same.
    pub except: Option<Forbidden>,
    /// The sentence that the refused person reads.
    pub because: String,
}

impl Freeze {
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        (self.from..self.to).contains(&now)
    }
}

/// Asks for approvals where all its conditions hold; those about targets must hold for the same target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    pub id: String,
    pub when: When,
    /// People of each group, at least 1.
    pub need: BTreeMap<GroupName, u32>,
    pub expires: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// Only production targets fire it.
    pub production: bool,
    /// Only targets that may be in it fire it.
    pub place: Where,
    /// More distinct targets than this, those of the rolling hour included.
    pub targets_over: Option<u32>,
    pub risk: Option<BTreeSet<Risk>>,
    pub runbooks: Option<BTreeSet<RunbookName>>,
}

/// Lets people read status, outputs and files of runs that they neither asked for nor approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRule {
    pub id: String,
    pub audience: Audience,
    /// Has to cover every target of the run.
    pub place: Where,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    Groups(BTreeSet<GroupName>),
    /// Everybody in these channels, which are shared with another organisation.
    SharedChannels(BTreeSet<ChannelRef>),
}

/// Who may halt everything from chat, and who may resume. Nobody, where no file says so; whoever has a shell on the host
/// as Muster's user may do both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HaltRule {
    pub who: BTreeSet<GroupName>,
    pub resume: BTreeSet<GroupName>,
}

/// How the members of a group are asked for their approval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvers {
    /// The request is posted in each of them too.
    pub channels: BTreeSet<ChannelRef>,
    /// Each member gets it as a direct message too.
    pub direct: bool,
    /// Groups that are told where nobody of this one can approve, or has by half of the time. They may not approve by it.
    pub escalate: BTreeSet<GroupName>,
}

/// How somebody may act against a freeze, or without the approvals that rules ask for, in an emergency. What it does not
/// override stands: grants with their limits, forbids, and everything about values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlass {
    pub who: BTreeSet<GroupName>,
    pub overrides: BTreeSet<Overridden>,
    /// One more person of this group has to agree, always.
    pub second: GroupName,
    /// Characters of the reason that has to be given, blanks at the ends not counted.
    pub justification_min: u32,
    /// Distinct targets of one plan.
    pub max_targets: u32,
    /// How long a request waits for the second person.
    pub expires: Millis,
    /// Told before it starts; it does not start where one of them cannot be.
    pub notify: BTreeSet<ChannelRef>,
    /// One of these looks at it afterwards: neither who asked nor who agreed.
    pub review: BTreeSet<GroupName>,
    /// After the end of the run. A review that is late is still owed.
    pub review_within: Millis,
}

/// What can be overridden in an emergency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overridden {
    Freeze,
    Approval,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_is_special() {
        let yes =
            [("*", ""), ("acme-*", "acme-"), ("*-prod", "acme-prod"), ("a*b*c", "a1b2bc"), ("a*a", "aa"), ("é*", "éa")];
        let no = [
            ("acme", "acme-prod"),
            ("acme-*", "acme"),
            ("a*a", "a"),
            ("a.c", "abc"),
            ("a*b*c", "acb"),
            ("A*", "a"),
            ("a**b", "a"),
        ];
        for (pattern, text) in yes {
            assert!(Pattern::new(pattern).matches(text), "{pattern} {text}");
        }
        for (pattern, text) in no {
            assert!(!Pattern::new(pattern).matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_holds_the_whole_value_and_cannot_climb_out_of_its_anchors() {
        let web = Anchored::new("web|app").unwrap();
        assert!(web.matches("web") && web.matches("app"));
        for bad in ["webx", "xapp", "web\n", "\nweb", ""] {
            assert!(!web.matches(bad), "{bad:?}");
        }
        assert!(Anchored::new("a)|(?:b").is_err());
        assert!(Anchored::new("(?m)^a$").is_ok_and(|p| !p.matches("a\nb")));
        let fault = Anchored::new("a(").unwrap_err().to_string();
        assert_eq!(fault, "`a(` is not a regular expression: unclosed group");
    }
}
