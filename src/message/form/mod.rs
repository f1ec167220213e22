//! A form as every chat platform can show it: typed fields, what stands in them, and what is wrong with them.
//!
//! One file for each form: [`deny`] asks why, [`narrow`] on what, [`pick`] asks which runbook, [`run`] asks for its parameters and where;
//! [`read`] makes a request of what came back.

pub mod deny;
pub mod label;
pub mod narrow;
pub mod notes;
pub mod pick;
pub mod read;
mod review;
pub mod run;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Digest, RunId, RunbookName};

use super::Span;

pub use deny::{WHY, WHY_MAX, deny_form, why_fault};
pub use label::{Choice, Group, Suggestions};
pub use narrow::{narrow_form, read_narrow};
pub use pick::{RUNBOOK, nothing_to_pick, pick_form, waiting_form};
pub use read::{Read, account, read};
pub use review::{found_fault, review_form};
pub use run::{ACCOUNTS, CHANNEL, Draft, LABELS, REASON, REGIONS, TAGS, run_form};

/// What was typed or picked: field name to its values; several only where a field takes many.
pub type Values = BTreeMap<String, Vec<String>>;

/// What stands beside a field that is wrong: field name to one sentence.
pub type Faults = BTreeMap<String, String>;

/// Which form it is, with the little that it has to remember until it comes back. Never a secret, never a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum FormKind {
    /// Why is the request denied?
    Deny { run: RunId, revision: u32 },
    /// On which of the targets does the approver agree?
    Narrow { run: RunId, revision: u32 },
    /// What was found in what a run overrode?
    Review { run: RunId, revision: u32 },
    /// Which runbook?
    Pick,
    /// With which arguments, and where? The revision is that of the runbook's file when the form was made.
    Run { runbook: RunbookName, revision: Digest },
}

/// A small form. Its texts are under the platforms' limits where they are made, and cut again where they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub kind: FormKind,
    /// At most 24 characters.
    pub title: String,
    /// At most 24 characters; `None` while there is nothing to submit yet.
    pub submit: Option<String>,
    pub intro: Vec<Span>,
    pub fields: Vec<FormField>,
    /// Small print below the fields, such as the command to type instead.
    pub footer: Vec<Span>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// `[a-z0-9_]+`, unique in its form; names the value in the submission.
    pub name: String,
    pub label: String,
    pub hint: Option<String>,
    pub required: bool,
    pub kind: FieldKind,
    /// What was wrong with it when the form was made again.
    pub fault: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    Text {
        value: Option<String>,
        multiline: bool,
        max_length: u16,
        placeholder: Option<String>,
    },
    /// Limits are decimal texts, both ends included.
    Number {
        value: Option<String>,
        min: Option<String>,
        max: Option<String>,
        decimal: bool,
    },
    /// Few choices, all of them in the form.
    Choice {
        choices: Vec<Choice>,
        picked: Option<String>,
    },
    /// More choices than a form holds: they are asked for while the person types, by the form's kind and the field.
    Search {
        picked: Vec<Choice>,
        /// How many may be picked.
        most: u16,
        /// Picking one at once changes what the form says.
        tells: bool,
    },
    /// Yes or no, as `true` or `false`.
    Flag {
        value: Option<bool>,
    },
    /// One of the platform's own channels.
    Channel {
        value: Option<String>,
    },
}
