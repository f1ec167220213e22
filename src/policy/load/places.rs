//! `[groups]` and `[sets]`: who people are, and which targets belong together.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::strict::{At, Document, Item, Kind, Table};
use crate::domain::{AccountId, ChatPlatform, GroupName, GroupRef, Principal, Region};
use crate::policy::set::{Members, Pattern, PolicySet, SetName, TargetSet, Where};

use super::Reader;
use super::names::Of;

impl Reader<'_> {
    pub(super) fn group(&self, name: &At<&str>, item: &Item<'_>) -> Option<(GroupName, Members)> {
        let table = item.table()?;
        let name = self.define(table.document(), Of::Group, name);
        let mut refs = BTreeSet::new();
        for (key, platform, example) in [
            ("slack_usergroups", ChatPlatform::Slack, "slack:T012AB:S0SRE"),
            ("discord_roles", ChatPlatform::Discord, "discord:1122334455:6677889900"),
        ] {
            for group in filled(&table, key, table.optional_list::<GroupRef>(key)) {
                let good =
                    group.platform == platform && (platform != ChatPlatform::Slack || group.group.starts_with('S'));
                if !good {
                    let what = format!("`{}` does not belong under `{key}`", group.value);
                    table.document().fault(&group.span, what, format!("it is written like `{example}`"));
                }
                refs.insert(group.value);
            }
        }
        let users = filled(&table, "users", table.optional_list::<Principal>("users"));
        for user in &users {
            if user.is_operator() {
                let what = format!("`{}` sits at a shell of the host, which no rule is about", user.value);
                table.document().fault(
                    &user.span,
                    what,
                    "write the person's user id in chat, like `slack:T012AB:U034CD`",
                );
            }
            if user.platform == ChatPlatform::Slack && !user.user.starts_with(['U', 'W']) {
                let what = format!("`{}` is not a person: Slack's user ids start with `U` or `W`", user.value);
                table.document().fault(&user.span, what, "write the person's user id, like `slack:T012AB:U034CD`");
            }
        }
        let users: BTreeSet<Principal> = users.into_iter().map(|u| u.value).collect();
        let said = ["slack_usergroups", "discord_roles", "users"].into_iter().any(|key| table.has(key));
        if !said {
            table.fault(
                format!("the group `{name}` has no members"),
                "give it `slack_usergroups`, `discord_roles` or `users`",
            );
        }
        table.finish();
        Some((name, Members { refs, users }))
    }

    /// `susan = ["slack:T012AB:U034CD", "discord:1122334455:9988776655"]`: accounts of one person; or a table of `accounts`
    /// and `id`, the person's name outside chat.
    pub(super) fn person(
        &self,
        document: &Document<'_>,
        name: &At<&str>,
        item: &Item<'_>,
        known: &PolicySet,
    ) -> Option<Person> {
        let (list, identity) = if item.kind() == Kind::Table {
            let table = item.table()?;
            let identity = table.optional_with("id", "use letters, digits and `+=,.@_-`, 2 to 64 of them", identity);
            let list = table.required("accounts", "[\"slack:T012AB:U034CD\"]").and_then(|item| item.list());
            if !table.has("id") {
                table.fault(
                    format!("`{}` has no `id`", name.value),
                    "say it, such as `id = \"arne.b@example.com\"`, or write the accounts as a list",
                );
            }
            table.finish();
            (list?, identity)
        } else {
            (item.list()?, None)
        };
        let name = self.define(document, Of::Person, name);
        let mut accounts = BTreeSet::new();
        for item in list {
            let Some(text) = item.text() else { continue };
            let account: Principal = match text.value.parse() {
                Ok(account) => account,
                Err(why) => {
                    let remedy = "write platform, tenant and user id, like `slack:T012AB:U034CD`";
                    document.fault(&text.span, format!("{why}"), remedy);
                    continue;
                }
            };
            if account.is_operator() {
                let what = format!("`{account}` sits at a shell of the host, which approves nothing");
                document.fault(&text.span, what, "list accounts in chat");
            }
            if let Some((other, _)) = known.people.iter().find(|(_, accounts)| accounts.contains(&account)) {
                let what = format!("`{account}` belongs to `{other}` already");
                document.fault(&text.span, what, "an account is one person's: leave it with one of the two");
            }
            if !accounts.insert(account.clone()) {
                document.fault(&text.span, format!("`{account}` is listed twice"), "remove one of the two");
            }
        }
        if let Some(id) = &identity
            && let Some((other, _)) = known.identities.iter().find(|(_, known)| **known == id.value)
        {
            let what = format!("`{}` is `{other}` already", id.value);
            document.fault(&id.span, what, "CloudTrail could not tell the two apart: give each an id of their own");
        }
        let least = if identity.is_some() { 1 } else { 2 };
        if accounts.len() < least && !document.has_faults() {
            let what = if identity.is_some() {
                format!("`{name}` has no account")
            } else {
                format!("`{name}` has fewer than two accounts, so nothing is linked")
            };
            item.fault(what, "list all accounts of the person, or take the entry out");
        }
        Some(Person { name, accounts, identity: identity.map(|id| id.value) })
    }

    pub(super) fn set(&self, name: &At<&str>, item: &Item<'_>) -> Option<(SetName, TargetSet)> {
        let table = item.table()?;
        let name = self.define(table.document(), Of::Set, name);
        let set = TargetSet {
            accounts: patterns(&table, "accounts", account),
            regions: patterns(&table, "regions", region),
            labels: attributes(&table, "labels"),
            tags: attributes(&table, "tags"),
            production: table.optional_bool("production").map(|b| b.value),
        };
        let said = ["accounts", "regions", "labels", "tags"].into_iter().any(|key| table.has(key));
        if !said {
            let what = format!("the set `{name}` has no condition");
            table.fault(
                what,
                "give it `accounts`, `regions`, `labels` or `tags`; `accounts = [\"*\"]` is every account",
            );
        }
        table.finish();
        Some((name, set))
    }

    /// `where = ["production"]` or `["*"]`; `None` if the key is absent.
    pub(super) fn place(&self, table: &Table<'_>) -> Option<Where> {
        let names = filled(table, "where", table.optional_strings("where"));
        if !table.has("where") {
            return None;
        }
        if let Some(star) = names.iter().find(|n| n.value == "*") {
            if names.len() > 1 {
                let remedy = "`\"*\"` is every target already: write `[\"*\"]`, or the sets alone";
                table.document().fault(&star.span, "`*` stands beside other sets", remedy);
            }
            return Some(Where::Anywhere);
        }
        names.iter().for_each(|name| self.refer(table.document(), Of::Set, name));
        Some(Where::Sets(names.into_iter().map(|n| n.value.to_owned()).collect()))
    }
}

/// What `[people]` says of one person.
pub(super) struct Person {
    pub name: String,
    pub accounts: BTreeSet<Principal>,
    pub identity: Option<String>,
}

/// What STS takes as a source identity.
fn identity(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if (2..=64).contains(&text.len()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` cannot name a person to AWS"))
}

/// The values of a list; a fault if it is there and empty, which would mean nothing or everything.
pub(super) fn filled<T>(table: &Table<'_>, key: &str, list: Option<Vec<At<T>>>) -> Vec<At<T>> {
    let list = list.unwrap_or_default();
    // Faulty members are left out of the list, so that it can be empty without being written so.
    if list.is_empty()
        && let Some(item) = table.item(key)
        && item.kind() == crate::domain::strict::Kind::List
        && item.list().is_some_and(|l| l.is_empty())
    {
        item.fault(format!("`{}` is empty", item.path()), "name at least one, or take the key out");
    }
    list
}

/// Checks one pattern; `Err` says what is wrong with it.
type Check = fn(&str) -> Result<(), String>;

fn account(text: &str) -> Result<(), String> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<AccountId>().map(|_| ()).map_err(|e| e.to_string());
    }
    word(text)
}

fn region(text: &str) -> Result<(), String> {
    let in_pattern = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'*';
    if text.contains('*') && text.bytes().all(in_pattern) {
        return Ok(());
    }
    text.parse::<Region>().map(|_| ()).map_err(|e| e.to_string())
}

fn word(text: &str) -> Result<(), String> {
    let blank = text.is_empty() || text.trim() != text || text.chars().any(char::is_control);
    if blank { Err(format!("`{text}` is blank at an end or holds what cannot be seen")) } else { Ok(()) }
}

fn patterns(table: &Table<'_>, key: &str, check: Check) -> Vec<Pattern> {
    let texts = filled(table, key, table.optional_strings(key));
    for text in &texts {
        if let Err(what) = check(text.value) {
            let remedy = "write the whole value, or a part of it with `*`";
            table.document().fault(&text.span, format!("`{key}`: {what}"), remedy);
        }
    }
    texts.into_iter().map(|t| Pattern::new(t.value)).collect()
}

/// `labels = { env = ["prod"] }`.
fn attributes(table: &Table<'_>, key: &str) -> BTreeMap<String, Vec<Pattern>> {
    let Some(inner) = table.optional_table(key) else { return BTreeMap::new() };
    let names = inner.entries();
    if names.is_empty() {
        inner.fault(format!("`{}` is empty", inner.path()), "name at least one, or take the key out");
    }
    let names = names.into_iter().map(|(name, _)| {
        // Any text may be a value, also an empty one: AWS allows tags without a value.
        (name.value.to_owned(), patterns(&inner, name.value, |_| Ok(())))
    });
    names.collect()
}
