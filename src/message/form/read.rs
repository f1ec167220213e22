//! What came back in the form of a runbook -> the request that the typed command would be.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::Request;
use crate::domain::selector::{Clause, Field};
use crate::domain::{AccountId, Selector};
use crate::message::words::sentence;
use crate::runbook::{Risk, Runbook, arguments as check};

use super::label::clean;
use super::run::{ACCOUNTS, LABELS, REASON, REGIONS, TAGS};
use super::{Faults, Values};

/// What of the world the values are held against.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    pub runbook: &'a Runbook,
    /// Names by id of the accounts that are there.
    pub names: &'a BTreeMap<String, String>,
    /// Values that a parameter may still have, where they are few.
    pub narrowed: &'a BTreeMap<String, Vec<String>>,
}

/// Phones bend quotes and stretch spaces; the typed command understands both, so the form does.
fn straight(text: &str) -> String {
    let plain = text.chars().map(|c| match c {
        '\u{201C}' | '\u{201D}' | '\u{201E}' | '\u{201F}' => '"',
        '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}' => '\'',
        '\u{00A0}' | '\u{202F}' | '\u{2007}' => ' ',
        other => other,
    });
    plain.collect::<String>().trim().to_owned()
}

/// The parameters that have a value; one that is left empty counts as not given.
#[must_use]
pub fn arguments(runbook: &Runbook, values: &Values) -> BTreeMap<String, String> {
    let given = runbook.parameters.keys().filter_map(|name| {
        let value = straight(values.get(name)?.first()?);
        (!value.is_empty()).then(|| (name.clone(), value))
    });
    given.collect()
}

/// The clauses of a selector that stand for what was picked: several values of one field mean OR.
#[must_use]
pub fn clauses(values: &Values, names: &BTreeMap<String, String>) -> Vec<Clause> {
    let mut fields: BTreeMap<Field, BTreeSet<String>> = BTreeMap::new();
    let of = |name: &str| values.get(name).into_iter().flatten();
    for id in of(ACCOUNTS) {
        fields.entry(Field::Accounts).or_default().insert(account(id, names));
    }
    for region in of(REGIONS) {
        fields.entry(Field::Regions).or_default().insert(region.clone());
    }
    for clause in of(LABELS).chain(of(TAGS)).filter_map(|text| Selector::parse(text).ok()).flat_map(|s| s.clauses) {
        fields.entry(clause.field).or_default().extend(clause.values);
    }
    let clause = |(field, values): (Field, BTreeSet<String>)| Clause {
        field,
        negated: false,
        values: values.into_iter().collect(),
    };
    fields.into_iter().map(clause).collect()
}

/// An account as people write it: by its name, unless that could mean another one too.
#[must_use]
pub fn account(id: &str, names: &BTreeMap<String, String>) -> String {
    match names.get(id) {
        Some(name)
            if !name.contains('*')
                && !name.bytes().all(|b| b.is_ascii_digit())
                && names.values().filter(|other| *other == name).count() == 1 =>
        {
            name.clone()
        }
        Some(_) | None => id.to_owned(),
    }
}

/// The request, or what is wrong beside each field.
///
/// # Errors
/// Every fault at once; its field is one of the form's.
pub fn read(against: Read<'_>, values: &Values) -> Result<Request, Faults> {
    let Read { runbook, names, narrowed } = against;
    let mut faults = Faults::new();
    let given = arguments(runbook, values);
    for fault in check::check(runbook, &given).err().into_iter().flatten() {
        let field = if runbook.parameters.contains_key(&fault.parameter) {
            fault.parameter.clone()
        } else {
            ACCOUNTS.to_owned()
        };
        faults.insert(field, sentence(&fault.to_string()).replace('`', ""));
    }
    for (name, values) in narrowed {
        if given.get(name).is_some_and(|value| !faults.contains_key(name) && !values.contains(value)) {
            faults.insert(
                name.clone(),
                "This is not, or no longer, one of the values that you may use: choose another one.".to_owned(),
            );
        }
    }
    let of = |name: &str| values.get(name).into_iter().flatten();
    let gone: Vec<&String> = of(ACCOUNTS).filter(|id| !names.contains_key(*id)).collect();
    if let Some(id) = gone.first() {
        let who = if id.parse::<AccountId>().is_ok() { id.as_str() } else { "one of them" };
        faults.insert(ACCOUNTS.to_owned(), format!("{who} is not there any more: take it out and choose again."));
    }
    for field in [LABELS, TAGS] {
        if of(field).any(|text| Selector::parse(text).is_err()) {
            faults.insert(field.to_owned(), "One of these cannot be read: take it out and choose again.".to_owned());
        }
    }
    if of(ACCOUNTS).chain(of(LABELS)).next().is_none() {
        faults
            .entry(ACCOUNTS.to_owned())
            .or_insert_with(|| "Nothing runs everywhere by itself: choose accounts, or a label below.".to_owned());
    }
    let reason = of(REASON).next().map(|text| clean(&straight(text))).filter(|text| !text.is_empty());
    if runbook.risk != Risk::Read && reason.is_none() {
        faults.insert(
            REASON.to_owned(),
            "Say in a few words why: whoever approves it, or reads it later, wants to know.".to_owned(),
        );
    }
    // As it would be parsed, so that the same thing typed is the same request.
    let selector = Selector { clauses: clauses(values, names) };
    let selector = if selector.is_empty() {
        selector
    } else {
        Selector::parse(&selector.to_string()).unwrap_or_else(|fault| {
            faults.entry(REGIONS.to_owned()).or_insert_with(|| sentence(&fault.to_string()).replace('`', ""));
            Selector::default()
        })
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Request { runbook: runbook.name.clone(), arguments: given, selector, reason, emergency: false })
}
