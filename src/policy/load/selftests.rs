//! `[[test]]`: a question with the answer that is wanted.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::strict::{Item, Kind, Table};
use crate::domain::{ChannelRef, GroupName, RunbookName};
use crate::policy::selftest::{Expected, SelfTest};
use crate::policy::set::BUILT_IN;

use super::Reader;
use super::names::Of;
use super::rules::moment;

/// More than any limit that a test is about.
const TEST_TARGETS_MAX: i64 = 10_000;

impl Reader<'_> {
    pub(super) fn test(&self, table: Table<'_>) -> Option<SelfTest> {
        let name = table.required_str("name");
        if let Some(name) = &name {
            self.define_once(table.document(), Of::Test, name);
        }
        let groups = table.required("as", "[\"…\"]").and_then(|item| self.anybody(&table, &item));
        let runbook = table.required_of::<RunbookName>("run");
        if let Some(runbook) = &runbook {
            self.refer_runbook(table.document(), runbook);
        }
        let parameters = scalars(&table, "parameters");
        let place = self.required_place(&table);
        let targets = table.optional_integer("targets", 1..=TEST_TARGETS_MAX);
        let labels = texts(&table, "labels");
        let tags = texts(&table, "tags");
        let channel = table.optional::<ChannelRef>("channel");
        let at = moment(&table, "at");
        let emergency = table.optional_str("break_glass");
        let expect = table.required("expect", "\"allow\"").and_then(|item| self.expected(&item));
        table.finish();
        let targets = match targets {
            Some(n) => Some(u32::try_from(n.value).ok()?),
            None => None,
        };
        Some(SelfTest {
            name: name?.value.to_owned(),
            groups: groups?,
            channel: channel.map(|c| c.value),
            runbook: runbook?.value,
            parameters,
            place: place?,
            targets,
            labels,
            tags,
            at: at.map(|t| t.value),
            emergency: emergency.map(|reason| reason.value.to_owned()),
            expect: expect?,
        })
    }

    /// The groups of `as`. An empty list is somebody whom no group knows.
    fn anybody(&self, table: &Table<'_>, item: &Item<'_>) -> Option<BTreeSet<GroupName>> {
        let names = item.list()?;
        let names: Vec<_> = names.iter().filter_map(Item::text).collect();
        names.iter().for_each(|name| self.refer(table.document(), Of::Group, name));
        Some(names.into_iter().map(|n| n.value.to_owned()).collect())
    }

    /// `"allow"`, `"deny"`, `{ deny = ["rule"] }` or `{ approvals = [{ from = "sre", count = 1 }] }`.
    fn expected(&self, item: &Item<'_>) -> Option<Expected> {
        let remedy =
            "write `\"allow\"`, `\"deny\"`, `{ deny = [\"rule\"] }` or `{ approvals = [{ from = \"…\", count = 1 }] }`";
        if item.kind() == Kind::Text {
            let word = item.text()?;
            return match word.value {
                "allow" => Some(Expected::Allow),
                "deny" => Some(Expected::Deny(None)),
                other => {
                    item.fault(format!("`{}` is `{other}`", item.path()), remedy);
                    None
                }
            };
        }
        let table = item.table()?;
        let deny = table.item("deny").and_then(|item| self.denying(&item));
        let approvals = table.item("approvals").map(|item| self.seats(&item));
        if table.has("deny") == table.has("approvals") {
            table.fault("`expect` says either `deny` or `approvals`", remedy);
        }
        table.finish();
        deny.map(|rules| Expected::Deny(Some(rules))).or(approvals.map(Expected::Approvals))
    }

    fn denying(&self, item: &Item<'_>) -> Option<BTreeSet<String>> {
        let rules: Vec<_> = item.list()?.iter().filter_map(Item::text).collect();
        for rule in rules.iter().filter(|rule| rule.value != BUILT_IN) {
            self.refer(item.document(), Of::Rule, rule);
        }
        if rules.is_empty() && item.list().is_some_and(|list| list.is_empty()) {
            item.fault(format!("`{}` is empty", item.path()), "name the rules, or write `expect = \"deny\"`");
        }
        Some(rules.into_iter().map(|rule| rule.value.to_owned()).collect())
    }
}

/// Values as a person would type them: `lines = 5` is `5`.
fn scalars(table: &Table<'_>, key: &str) -> BTreeMap<String, String> {
    let Some(inner) = table.optional_table(key) else { return BTreeMap::new() };
    inner.entries().into_iter().filter_map(|(name, item)| Some((name.value.to_owned(), item.scalar()?.value))).collect()
}

fn texts(table: &Table<'_>, key: &str) -> BTreeMap<String, String> {
    table.text_map(key).into_iter().map(|(name, value)| (name, value.value.to_owned())).collect()
}
