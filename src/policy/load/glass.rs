//! `[break_glass]`: who may act against a freeze or without the usual approvals in an emergency, and under which conditions.

use std::collections::BTreeSet;

use crate::domain::Millis;
use crate::domain::strict::{At, Table};
use crate::policy::set::{BreakGlass, DEFAULT_EXPIRY, GLASS, Overridden};

use super::Reader;
use super::names::Of;
use super::places::filled;
use super::rules::{EXPIRY_MAX, TARGETS_MAX, channels};

const OVERRIDES: [(&str, Overridden); 2] = [("freeze", Overridden::Freeze), ("approval", Overridden::Approval)];
/// What people write in the hope that it can be overridden too.
const NEVER: [&str; 6] = ["forbid", "grant", "parameter", "parameters", "max_targets", "view"];
/// Fewer characters say nothing.
const JUSTIFICATION_LEAST: i64 = 10;
const JUSTIFICATION_MOST: i64 = 500;
const REVIEW_MAX: Millis = Millis::from_secs(30 * 24 * 3600);

impl Reader<'_> {
    /// One for all files.
    pub(super) fn break_glass(&self, root: &Table<'_>, table: Table<'_>) -> Option<BreakGlass> {
        if let Some(span) = root.key_span("break_glass") {
            self.define_once(table.document(), Of::Rule, &At { value: GLASS, span });
        }
        let who = self.groups(&table, "who", true);
        let overrides = self.overrides(&table);
        let second = table.required_str("second");
        if let Some(second) = &second {
            self.refer(table.document(), Of::Group, second);
        }
        table.refuse(
            "needs_other_person",
            "`needs_other_person` is not a key of `break_glass`",
            "a second person always has to agree; name the group with `second = \"…\"`",
        );
        let justification = table.required_integer("justification_min", JUSTIFICATION_LEAST..=JUSTIFICATION_MOST);
        let max_targets = table.required_integer("max_targets", 1..=TARGETS_MAX);
        let expires = time(&table, "expires", EXPIRY_MAX, "`1s` to `7d`");
        let notify = table.required("notify", "[\"slack:T012AB:C0SEC\"]").and_then(|_| channels(&table, "notify"));
        let review = self.groups(&table, "review", true);
        let within = table.required("review_within", "\"24h\"");
        let within = within.and_then(|_| time(&table, "review_within", REVIEW_MAX, "`1s` to `30d`"));
        table.finish();
        Some(BreakGlass {
            who: who?,
            overrides: overrides?,
            second: second?.value.to_owned(),
            justification_min: u32::try_from(justification?.value).ok()?,
            max_targets: u32::try_from(max_targets?.value).ok()?,
            expires: expires.unwrap_or(DEFAULT_EXPIRY),
            notify: notify?,
            review: review?,
            review_within: within?,
        })
    }

    fn overrides(&self, table: &Table<'_>) -> Option<BTreeSet<Overridden>> {
        let _ = table.required("overrides", "[\"freeze\", \"approval\"]")?;
        let words = table.optional_strings("overrides").unwrap_or_default();
        if let Some(never) = words.iter().find(|word| NEVER.contains(&word.value)) {
            let remedy = "take it out; only `freeze` and `approval` can be, so that an emergency opens no other door";
            table.document().fault(&never.span, format!("`{}` is never overridden", never.value), remedy);
            return None;
        }
        let kinds = filled(table, "overrides", table.optional_choices("overrides", &OVERRIDES));
        Some(kinds.into_iter().map(|kind| kind.value).collect())
    }
}

fn time(table: &Table<'_>, key: &str, most: Millis, range: &str) -> Option<Millis> {
    let time = table.optional::<Millis>(key)?;
    if !(Millis::from_secs(1)..=most).contains(&time.value) {
        let what = format!("`{key}` is {}", time.value);
        table.document().fault(&time.span, what, format!("use a time from {range}"));
    }
    Some(time.value)
}
