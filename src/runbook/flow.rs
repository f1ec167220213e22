//! What leads from one step to the next: `when`, `unless` and `gate`.

use std::collections::BTreeMap;

use crate::domain::strict::{Item, Kind, Table};
use crate::domain::{GroupName, Millis};

use super::{Gate, Step};

const GATE_EXPIRES: Millis = Millis::from_secs(30 * 60);
const GATE_EXPIRES_MAX: Millis = Millis::from_secs(7 * 86_400);
/// More people than anybody waits for.
const GATE_COUNT_MAX: i64 = 20;

/// The steps before the one that is read.
pub(super) struct Before<'s> {
    pub steps: &'s [Step],
    /// Each of them could be read.
    pub complete: bool,
}

impl Before<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.complete
    }
}

/// Condition: extracted name to the values it may have.
type Condition = BTreeMap<String, Vec<String>>;

pub(super) fn read_conditions(table: &Table<'_>, before: &Before<'_>) -> (Condition, Condition) {
    (read_condition(table, "when", before), read_condition(table, "unless", before))
}

fn read_condition(table: &Table<'_>, key: &str, before: &Before<'_>) -> Condition {
    let mut condition = Condition::new();
    let Some(inner) = table.optional_table(key) else { return condition };
    for (name, item) in inner.entries() {
        let known: Vec<&str> = before.steps.iter().flat_map(|s| s.extract.keys().map(String::as_str)).collect();
        if before.complete && !known.contains(&name.value) {
            let near = crate::domain::fault::closest(name.value, known.iter().copied());
            let remedy = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add `extract.{} = '…'` to a step before this one", name.value),
            };
            let what = format!("`{key}.{}` names nothing that an earlier step extracts", name.value);
            inner.document().fault(&name.span, what, remedy);
        }
        let items: Vec<Item<'_>> = if item.kind() == Kind::List { item.list().unwrap_or_default() } else { vec![item] };
        let values: Vec<String> = items.iter().filter_map(|item| item.scalar()).map(|v| v.value).collect();
        if values.is_empty() {
            let what = format!("`{key}.{}` has no value that could fit", name.value);
            inner.document().fault(&name.span, what, "write a value, or a list of them");
        }
        condition.insert(name.value.to_owned(), values);
    }
    condition
}

/// `gate = { from = "sre", count = 1, expires = "30m", ask = "Do the canaries look right?" }`.
pub(super) fn read_gate(table: &Table<'_>, is_first: bool) -> Option<Gate> {
    let inner = table.optional_table("gate")?;
    if is_first {
        inner.fault("a gate before the first step", "approval rules of the policy ask before a run; take it out");
    }
    let from = inner.required_str("from");
    let count = inner.optional_integer("count", 1..=GATE_COUNT_MAX);
    let expires = inner.optional::<Millis>("expires");
    let ask = inner.optional_str("ask");
    if let Some(expires) = &expires
        && !(Millis::from_secs(1)..=GATE_EXPIRES_MAX).contains(&expires.value)
    {
        let what = format!("`expires` is {}", expires.value);
        inner.document().fault(&expires.span, what, "use a time from `1s` to `7d`");
    }
    inner.finish();
    let from: GroupName = from?.value.to_owned();
    Some(Gate {
        from,
        count: count.and_then(|c| u32::try_from(c.value).ok()).unwrap_or(1),
        expires: expires.map_or(GATE_EXPIRES, |e| e.value),
        ask: ask.map(|a| a.value.trim().to_owned()).unwrap_or_default(),
    })
}

impl Step {
    /// Whether a node with these extracted values takes this step.
    #[must_use]
    pub fn concerns(&self, values: &BTreeMap<&str, &str>) -> bool {
        let is_one_of = |name: &String, listed: &[String]| {
            values.get(name.as_str()).is_some_and(|found| listed.iter().any(|value| value == found))
        };
        self.when.iter().all(|(name, listed)| is_one_of(name, listed))
            && !self.unless.iter().any(|(name, listed)| is_one_of(name, listed))
    }
}
