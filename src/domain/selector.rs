//! What a person typed to pick accounts, regions and nodes: `accounts=acme-* env=prod tag:service=web`.
//!
//! Words mean AND, commas mean OR, `!=` means none of them, `*` stands for any text. What an account or a node
//! does not have never matches `=` and always matches `!=`. Letters' case counts, except in `platform`.
//! Account and region clauses decide what is read at all; node clauses pick among what was read.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::fault::closest;
use super::ids::{AccountId, Invalid, NodeId, Region};
use super::inventory::{Node, Unmanaged};
use super::words::{self, Word, quote};

/// Clauses are ANDed; the values inside one are ORed. An empty selector is not valid for a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    pub clauses: Vec<Clause>,
}

/// One word of a selector, such as `env!=prod,staging`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Clause {
    pub field: Field,
    /// Written `!=`: matches what has none of the values.
    pub negated: bool,
    /// Patterns in which `*` stands for any text.
    pub values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Account id or name.
    Accounts,
    Regions,
    /// Node id or name.
    Nodes,
    Platform,
    /// A tag of the node.
    Tag(String),
    /// A label of the account, such as `env` or `customer`. Written `label:name` where the name is one of ours.
    Label(String),
}

/// What a clause has to know to be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Decided before anything is read from AWS.
    Account,
    Region,
    Node,
}

/// Something in a selector that the accounts at hand make doubtful. A caller that sends refuses on any of them:
/// a misspelt `evn!=prod` would match everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// ``no account has a label `evn` ``
    pub what: String,
    /// ``did you mean `env`?``
    pub remedy: String,
}

/// Shown wherever a selector is missing or cannot be read.
pub const EXAMPLE: &str = "on accounts=acme-* env=staging tag:service=web";

/// Names of ours, and the singular or plural that people type instead.
const FIELDS: &[(&str, Field)] = &[
    ("accounts", Field::Accounts),
    ("account", Field::Accounts),
    ("regions", Field::Regions),
    ("region", Field::Regions),
    ("nodes", Field::Nodes),
    ("node", Field::Nodes),
    ("instances", Field::Nodes),
    ("instance", Field::Nodes),
    ("platform", Field::Platform),
    ("platforms", Field::Platform),
];
const PLATFORMS: &[&str] = &["linux", "windows", "macos"];
/// Characters that must be quoted in a key or value.
const SPECIAL: &[char] = &['=', ',', '!'];

impl Field {
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Field::Accounts | Field::Label(_) => Scope::Account,
            Field::Regions => Scope::Region,
            Field::Nodes | Field::Platform | Field::Tag(_) => Scope::Node,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Accounts => f.write_str("accounts"),
            Field::Regions => f.write_str("regions"),
            Field::Nodes => f.write_str("nodes"),
            Field::Platform => f.write_str("platform"),
            Field::Tag(key) => write!(f, "tag:{}", quote(key, SPECIAL)),
            Field::Label(name) if FIELDS.iter().any(|(ours, _)| ours == name) => write!(f, "label:{name}"),
            Field::Label(name) => f.write_str(name),
        }
    }
}

impl Clause {
    /// Some value matches the text, where there is a text; turned around when negated.
    fn decides(&self, text: Option<&str>) -> bool {
        self.decides_any(text.as_slice())
    }
    /// As [`Clause::decides`], for things with several names.
    fn decides_any(&self, texts: &[&str]) -> bool {
        let hit = texts.iter().any(|text| self.values.iter().any(|value| glob(value, text)));
        hit != self.negated
    }
    fn on_account(&self, account: &Account) -> bool {
        match &self.field {
            Field::Accounts => self.decides_any(&[account.id.as_str(), &account.name]),
            Field::Label(name) => self.decides(account.labels.get(name).map(String::as_str)),
            Field::Regions | Field::Nodes | Field::Platform | Field::Tag(_) => true,
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|v| quote(v, SPECIAL)).collect();
        write!(f, "{}{}{}", self.field, if self.negated { "!=" } else { "=" }, values.join(","))
    }
}

/// The canonical text: parsing it gives the same selector.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clauses: Vec<String> = self.clauses.iter().map(Clause::to_string).collect();
        f.write_str(&clauses.join(" "))
    }
}

impl FromStr for Selector {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Selector::parse(text)
    }
}

impl Selector {
    /// Reads a selector and brings it into canonical order, so that two ways of typing the same are equal.
    ///
    /// # Errors
    /// One sentence with the remedy last: nothing typed, a word that is no clause, a value that cannot be
    /// (an account id of 11 digits, an unknown platform, a malformed region).
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let words = words::split(text)?;
        if words.is_empty() {
            return Err(Invalid(format!("the selector is empty; write for example `{EXAMPLE}`")));
        }
        if let Some((what, remedy)) = words::spaced(&words) {
            return Err(Invalid(format!("{what}; {remedy}")));
        }
        let clauses = words.iter().map(clause).collect::<Result<BTreeSet<_>, _>>()?;
        Ok(Selector { clauses: clauses.into_iter().collect() })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The clauses that are decided by this much knowledge.
    pub fn clauses_of(&self, scope: Scope) -> impl Iterator<Item = &Clause> {
        self.clauses.iter().filter(move |c| c.field.scope() == scope)
    }

    /// The account may hold targets: every account clause accepts it. Nothing else is read.
    #[must_use]
    pub fn matches_account(&self, account: &Account) -> bool {
        self.clauses.iter().all(|c| c.on_account(account))
    }

    /// The regions to read in this account, sorted: the account's own, filtered by the region clauses. A region
    /// that the person names in full is read even where the account does not list it.
    #[must_use]
    pub fn regions_of(&self, account: &Account) -> Vec<Region> {
        let named = self.clauses_of(Scope::Region).filter(|c| !c.negated).flat_map(|c| &c.values);
        let named = named.filter_map(|value| value.parse::<Region>().ok());
        let all: BTreeSet<Region> = account.regions.iter().cloned().chain(named).collect();
        all.into_iter().filter(|r| self.clauses_of(Scope::Region).all(|c| c.decides(Some(r.as_str())))).collect()
    }

    /// The node is picked: it lies in the account and in one of [`Selector::regions_of`], and every clause of
    /// the selector accepts it.
    #[must_use]
    pub fn matches_node(&self, node: &Node, account: &Account) -> bool {
        let platform = Some(node.platform.as_str());
        let target = &node.target;
        self.covers(account, &target.account, &target.region)
            && self.picks(&target.node, &node.name, platform, |key| node.tags.get(key))
    }

    /// As [`Selector::matches_node`]. What platform an unmanaged instance has is not known, so platform clauses
    /// are left out: a person is rather told of one machine too many that Muster cannot reach.
    #[must_use]
    pub fn matches_unmanaged(&self, instance: &Unmanaged, account: &Account) -> bool {
        self.covers(account, &instance.account, &instance.region)
            && self.picks(&instance.instance, &instance.name, None, |key| instance.tags.get(key))
    }

    fn covers(&self, account: &Account, id: &AccountId, region: &Region) -> bool {
        &account.id == id && self.matches_account(account) && self.regions_of(account).contains(region)
    }

    /// Decides the node clauses; without a platform the platform clauses accept.
    fn picks<'a>(
        &self,
        id: &NodeId,
        name: &str,
        platform: Option<&str>,
        tag: impl Fn(&str) -> Option<&'a String>,
    ) -> bool {
        self.clauses.iter().all(|c| match &c.field {
            Field::Nodes => c.decides_any(&[id.as_str(), name]),
            Field::Platform => platform.is_none_or(|p| c.decides(Some(p))),
            Field::Tag(key) => c.decides(tag(key).map(String::as_str)),
            Field::Accounts | Field::Regions | Field::Label(_) => true,
        })
    }

    /// What in this selector fits none of the accounts: labels, or values of labels, that no account carries, and
    /// accounts that are not there.
    #[must_use]
    pub fn doubts(&self, accounts: &[Account]) -> Vec<Doubt> {
        self.clauses.iter().flat_map(|c| clause_doubts(c, accounts)).collect()
    }
}

fn clause_doubts(clause: &Clause, accounts: &[Account]) -> Vec<Doubt> {
    match &clause.field {
        Field::Label(name) => {
            let known: BTreeSet<&str> = accounts.iter().flat_map(|a| a.labels.keys()).map(String::as_str).collect();
            if known.contains(name.as_str()) {
                return value_doubts(clause, name, accounts);
            }
            let fields = FIELDS.iter().map(|(name, _)| *name);
            let remedy = match closest(name, known.iter().copied().chain(fields)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("did you mean `{}`?", Clause { field: Field::Tag(name.clone()), ..clause.clone() }),
            };
            vec![Doubt { what: format!("no account has a label `{name}`"), remedy }]
        }
        Field::Accounts => {
            let names = || accounts.iter().flat_map(|a| [a.id.as_str(), a.name.as_str()]);
            let missing = clause.values.iter().filter(|value| !names().any(|name| glob(value, name)));
            let doubt = |value: &String| Doubt {
                what: format!("no account has the id or name `{value}`"),
                remedy: match closest(value, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`accounts` lists them all".to_owned(),
                },
            };
            missing.map(doubt).collect()
        }
        Field::Regions | Field::Nodes | Field::Platform | Field::Tag(_) => Vec::new(),
    }
}

/// Values of a label that no account has. A misspelt `env!=prodd` would match everything, `env=prodd` nothing.
fn value_doubts(clause: &Clause, name: &str, accounts: &[Account]) -> Vec<Doubt> {
    let known: BTreeSet<&str> = accounts.iter().filter_map(|a| a.labels.get(name)).map(String::as_str).collect();
    let missing = clause.values.iter().filter(|value| !known.iter().any(|k| glob(value, k)));
    let doubt = |value: &String| Doubt {
        what: format!("no account has `{name}={value}`"),
        remedy: match closest(value, known.iter().copied()) {
            Some(near) => format!("did you mean `{name}={near}`?"),
            None => {
                let shown: Vec<String> = known.iter().take(8).map(|k| format!("`{k}`")).collect();
                format!("there is {}", shown.join(", "))
            }
        },
    };
    missing.map(doubt).collect()
}

fn clause(word: &Word) -> Result<Clause, Invalid> {
    let text = word.text();
    let Some((key, values)) = word.split_once('=') else { return Err(no_clause(&text)) };
    let (key, negated) = match key.strip_last('!') {
        Some(key) => (key, true),
        None => (key, false),
    };
    let field = field(&key, &text)?;
    let values = values
        .split(',')
        .iter()
        .map(|v| value(&field, v, &key.text()))
        .collect::<Result<BTreeSet<String>, Invalid>>()?;
    Ok(Clause { field, negated, values: values.into_iter().collect() })
}

fn field(key: &Word, clause: &str) -> Result<Field, Invalid> {
    let name = key.text();
    if let Some((prefix, rest)) = name.split_once(':') {
        match prefix {
            "tag" | "tags" if !rest.is_empty() => return Ok(Field::Tag(rest.to_owned())),
            "label" if is_label(rest) => return Ok(Field::Label(rest.to_owned())),
            "tag" | "tags" => {
                return Err(Invalid(format!("`{clause}` names no tag; write for example `tag:service=web`")));
            }
            _ => return Err(Invalid(format!("`{name}` is not a field; tags are written `tag:service=web`"))),
        }
    }
    if let Some((_, field)) = FIELDS.iter().find(|(ours, _)| *ours == name) {
        return Ok(field.clone());
    }
    if is_label(&name) {
        return Ok(Field::Label(name));
    }
    if name.is_empty() {
        return Err(Invalid(format!(
            "`{clause}` has nothing before the `=`; write it without spaces, such as `env=prod`"
        )));
    }
    Err(Invalid(format!("`{name}` is not a field; write for example `{EXAMPLE}`")))
}

fn is_label(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
}

fn value(field: &Field, word: &Word, key: &str) -> Result<String, Invalid> {
    let mut text = word.text();
    if text.is_empty() && !word.is_quoted() {
        return Err(Invalid(format!("`{key}=` lacks a value; write it without spaces, such as `env=prod,staging`")));
    }
    if text.starts_with('=') && !word.is_quoted() {
        return Err(Invalid(format!("`{key}={text}` has two `=`; one is enough")));
    }
    while text.contains("**") {
        text = text.replace("**", "*");
    }
    let pattern = text.contains('*');
    match field {
        Field::Regions if !pattern => text.parse::<Region>().map(|_| ())?,
        // Nobody names an account by eleven digits: it is an id with one missing.
        Field::Accounts if !pattern && text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse::<AccountId>().map(|_| ())?;
        }
        Field::Platform => {
            text = text.to_lowercase();
            if !PLATFORMS.iter().any(|p| glob(&text, p)) {
                let near = closest(&text, PLATFORMS.iter().copied());
                let remedy = near.map_or_else(
                    || format!("it is one of `{}`", PLATFORMS.join("`, `")),
                    |n| format!("did you mean `{n}`?"),
                );
                return Err(Invalid(format!("`{text}` is not a platform; {remedy}")));
            }
        }
        Field::Accounts | Field::Regions | Field::Nodes | Field::Tag(_) | Field::Label(_) => {}
    }
    Ok(text)
}

/// A word without `=`: what was probably meant.
fn no_clause(text: &str) -> Invalid {
    let remedy = if text.parse::<NodeId>().is_ok() {
        format!("did you mean `nodes={text}`?")
    } else if text.parse::<AccountId>().is_ok() {
        format!("did you mean `accounts={text}`?")
    } else if text.parse::<Region>().is_ok() {
        format!("did you mean `regions={text}`?")
    } else if PLATFORMS.contains(&text.to_lowercase().as_str()) {
        format!("did you mean `platform={}`?", text.to_lowercase())
    } else if matches!(text, "*" | "all" | "everything") {
        "did you mean `accounts=*`?".to_owned()
    } else {
        format!("write for example `{EXAMPLE}`")
    };
    Invalid(format!("`{text}` does not say what to match; {remedy}"))
}

/// `*` stands for any text, also none. Linear in the product of neither: one step back per star.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            p = after;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
#[path = "selector_tests.rs"]
mod tests;
