//! A runbook's parameters, where to run it, and why.

use std::collections::BTreeMap;

use crate::command::Request;
use crate::domain::Selector;
use crate::message::View;
use crate::message::browse::takes;
use crate::message::words::{cut, duration, say, sentence};
use crate::runbook::{Kind, Parameter, Risk, Runbook, value};

use super::read::{self, clauses};
use super::{Choice, Faults, FieldKind, Form, FormField, FormKind, Values};

// Names of our own fields: a parameter's name has no underscore, so none of them can be one.
/// Accounts, by id.
pub const ACCOUNTS: &str = "on_accounts";
/// Labels of accounts, each as the clause of a selector that means it.
pub const LABELS: &str = "on_labels";
pub const REGIONS: &str = "on_regions";
/// Tags of nodes, each as the clause of a selector that means it.
pub const TAGS: &str = "on_tags";
/// Why, where the runbook changes something.
pub const REASON: &str = "because_of";
/// Where the run's card shall stand; asked only where the form was opened outside any channel.
pub const CHANNEL: &str = "in_channel";

const REASON_MAX: u16 = 500;
/// Choices that stand in the form itself; Slack's limit for one menu.
const CHOICES_MAX: usize = 100;
/// How many accounts, regions or tags one form may pick. More are better said by a label.
const PICKS_MAX: u16 = 50;

/// What a form is made of, besides its runbook.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    pub runbook: &'a Runbook,
    /// Parameters of which only these values can be permitted to this person.
    pub narrowed: &'a BTreeMap<String, Vec<String>>,
    /// What stands in the fields: the last values, or what was given so far.
    pub values: &'a Values,
    /// The labels of what is picked in searched fields; what has none here is not picked any more.
    pub picked: &'a BTreeMap<String, Vec<Choice>>,
    /// Names of accounts by id, for the typed command.
    pub names: &'a BTreeMap<String, String>,
    /// It was opened outside any channel.
    pub asks_channel: bool,
    /// Why the form stands there once more.
    pub note: Option<String>,
    pub faults: &'a Faults,
}

/// Asks for everything that a run needs. Submitting it is the same as typing the command that stands below it.
#[must_use]
pub fn run_form(draft: &Draft<'_>, view: &View) -> Form {
    let book = draft.runbook;
    let mut intro = say("");
    if let Some(note) = &draft.note {
        intro = intro.bold(note.clone()).plain("\n");
    }
    intro = intro.bold(cut(book.name.as_str(), 64)).plain(format!(
        ": {}. Risk: {}",
        cut(&book.title, 100),
        book.risk.as_str()
    ));
    let mut fields: Vec<FormField> = book.parameters.iter().map(|(name, p)| parameter(draft, name, p)).collect();
    fields.push(
        search(draft, ACCOUNTS, "Accounts", PICKS_MAX, false)
            .hint("By name or id. Accounts or labels: one of them is needed."),
    );
    fields.push(
        search(draft, LABELS, "Accounts by label", PICKS_MAX, false)
            .hint("Such as env=staging: every account that has it."),
    );
    fields.push(search(draft, REGIONS, "Regions", PICKS_MAX, false).hint("Left empty: each account's own regions."));
    fields.push(search(draft, TAGS, "Only nodes with these tags", PICKS_MAX, false).hint("Left empty: every node."));
    if draft.asks_channel {
        let kind = FieldKind::Channel { value: one(draft, CHANNEL) };
        let hint = "The run's card stands there, and who may approve it has to see it.";
        fields.push(field(draft, CHANNEL, "In which channel?", true, kind).hint(hint));
    }
    if book.risk != Risk::Read {
        let kind = FieldKind::Text {
            value: one(draft, REASON),
            multiline: false,
            max_length: REASON_MAX,
            placeholder: Some("ticket 4711".to_owned()),
        };
        fields.push(field(draft, REASON, "Why?", true, kind).hint("Whoever approves it reads this."));
    }
    Form {
        kind: FormKind::Run { runbook: book.name.clone(), revision: book.revision },
        title: cut(book.name.as_str(), 24),
        submit: Some("Run".to_owned()),
        intro: intro.spans(),
        fields,
        footer: say("The same, typed: ").code(cut(&typed(draft, view), 1_500)).spans(),
    }
}

/// The command that this form is, as far as it is filled in.
#[must_use]
pub fn typed(draft: &Draft<'_>, view: &View) -> String {
    let book = draft.runbook;
    let given = read::arguments(book, draft.values);
    let selector = Selector { clauses: clauses(draft.values, draft.names) };
    let request = Request {
        runbook: book.name.clone(),
        arguments: given.clone(),
        selector: selector.clone(),
        reason: one(draft, REASON).filter(|_| book.risk != Risk::Read),
        emergency: false,
    };
    let mut text = format!("{} {}", view.command, request.without_place());
    for (name, _) in book.parameters.iter().filter(|(name, p)| p.default.is_none() && !given.contains_key(*name)) {
        text.push_str(&format!(" {name}=…"));
    }
    text.push_str(&if selector.is_empty() { " on accounts=…".to_owned() } else { format!(" on {selector}") });
    match request.because() {
        Some(because) => text + " " + &because,
        None if book.risk != Risk::Read => text + " because \"…\"",
        None => text,
    }
}

impl FormField {
    fn hint(self, hint: &str) -> Self {
        FormField { hint: Some(hint.to_owned()), ..self }
    }
}

fn one(draft: &Draft<'_>, name: &str) -> Option<String> {
    draft.values.get(name).and_then(|v| v.first()).filter(|v| !v.trim().is_empty()).cloned()
}

fn field(draft: &Draft<'_>, name: &str, label: &str, required: bool, kind: FieldKind) -> FormField {
    FormField {
        name: name.to_owned(),
        label: label.to_owned(),
        hint: None,
        required,
        kind,
        fault: draft.faults.get(name).cloned(),
    }
}

fn search(draft: &Draft<'_>, name: &str, label: &str, most: u16, required: bool) -> FormField {
    let picked = draft.picked.get(name).cloned().unwrap_or_default();
    field(draft, name, label, required, FieldKind::Search { picked, most, tells: true })
}

fn parameter(draft: &Draft<'_>, name: &str, p: &Parameter) -> FormField {
    let value = one(draft, name).or_else(|| p.default.clone());
    let text = |placeholder: Option<String>| FieldKind::Text {
        value: value.clone(),
        multiline: false,
        max_length: u16::try_from(value::STRING_MAX).unwrap_or(u16::MAX),
        placeholder,
    };
    let example = p.examples.first().cloned().or_else(|| p.kind.example());
    let search =
        || FieldKind::Search { picked: draft.picked.get(name).cloned().unwrap_or_default(), most: 1, tells: true };
    let kind = match (draft.narrowed.get(name), &p.kind) {
        // An account is searched by its name, and only its id is a value.
        (_, Kind::Account) => search(),
        (Some(both), Kind::Boolean) if both.len() == 2 => {
            FieldKind::Flag { value: value.as_deref().map(|v| v == "true") }
        }
        (Some(few), _) if few.len() <= CHOICES_MAX => choice(few, value.as_ref()),
        (None, Kind::Choice { values }) if values.len() <= CHOICES_MAX => choice(values, value.as_ref()),
        (Some(_), _) | (None, Kind::Choice { .. } | Kind::Region) => search(),
        (_, Kind::Boolean) => FieldKind::Flag { value: value.as_deref().map(|v| v == "true") },
        (_, Kind::Integer { min, max }) => FieldKind::Number {
            value: value.clone(),
            min: (*min != i64::MIN).then(|| min.to_string()),
            max: (*max != i64::MAX).then(|| max.to_string()),
            decimal: false,
        },
        (_, Kind::Number { min, max }) => {
            FieldKind::Number { value: value.clone(), min: min.clone(), max: max.clone(), decimal: true }
        }
        (_, Kind::String { .. } | Kind::Duration { .. } | Kind::Version) => text(example),
    };
    let takes = match &p.kind {
        Kind::Duration { min, max } => {
            format!("a time from {} to {}, such as 90s or 5m", duration(*min), duration(*max))
        }
        kind => takes(kind).replace('`', ""),
    };
    let hint = match p.kind {
        Kind::Choice { .. } | Kind::Boolean => sentence(&p.description),
        _ if matches!(kind, FieldKind::Choice { .. }) => sentence(&p.description),
        _ => format!("{} {}", sentence(&p.description), sentence(&takes)),
    };
    field(draft, name, name, p.default.is_none(), kind).hint(hint.trim())
}

/// A value that cannot be chosen any more is not chosen.
fn choice(values: &[String], value: Option<&String>) -> FieldKind {
    let choices: Vec<Choice> = values.iter().filter_map(|v| Choice::new(v.clone(), v)).collect();
    if choices.is_empty() {
        // None of them can be carried as a choice; the form says what is wrong with what is typed.
        return FieldKind::Text { value: value.cloned(), multiline: false, max_length: 1_000, placeholder: None };
    }
    let picked = value.filter(|v| choices.iter().any(|c| &c.value == *v)).cloned();
    FieldKind::Choice { choices, picked }
}
