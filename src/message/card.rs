//! The platform-neutral message.

use serde::{Deserialize, Serialize};

use crate::domain::{GroupRef, Principal, RunId, Timestamp};

/// One message. Fits the intersection of the platforms' limits after `fit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub tone: Tone,
    /// Line one: verdict, counts and largest cause in at most 150 characters. Also the notification's text.
    pub title: String,
    pub blocks: Vec<Block>,
    pub buttons: Vec<Button>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    Waiting,
    Running,
    Good,
    Warning,
    Bad,
    Neutral,
}

impl Tone {
    /// What stands before a title.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Tone::Waiting => "⏳",
            Tone::Running => "🔄",
            Tone::Good => "✅",
            Tone::Warning => "⚠️",
            Tone::Bad => "❌",
            Tone::Neutral => "ℹ️",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    Text(Vec<Span>),
    /// Label and value, at most 10.
    Fields(Vec<(String, Vec<Span>)>),
    /// Preformatted.
    Code(String),
    /// Small print.
    Note(Vec<Span>),
    Table(Table),
    Chart(Chart),
    Divider,
}

/// Rows under a head, each as long as it, with no empty cell. Where a platform has no tables it is drawn in letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// How many there are of each, in a given order; labels differ. Where a platform has no charts it is drawn in letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    pub title: String,
    pub bars: Vec<(String, u32)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    Plain(String),
    Bold(String),
    Code(String),
    /// Only addresses that we made ourselves.
    Link {
        url: String,
        text: String,
    },
    /// Notifies the person.
    Person(Principal),
    /// Notifies the group; `name` is shown where the platform cannot mention it.
    Group {
        group: Option<GroupRef>,
        name: String,
    },
    /// Shown in the reader's time zone where the platform can.
    When(Timestamp),
}

impl Span {
    pub fn plain(text: impl Into<String>) -> Self {
        Span::Plain(text.into())
    }
    pub fn bold(text: impl Into<String>) -> Self {
        Span::Bold(text.into())
    }
    pub fn code(text: impl Into<String>) -> Self {
        Span::Code(text.into())
    }
}

/// A button carries what it does, a run and a revision, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    pub verb: Verb,
    pub label: String,
    pub style: Style,
    pub run: RunId,
    pub revision: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Approve,
    /// Opens the form that asks on which of the targets.
    Narrow,
    /// Opens the form that asks why.
    Deny,
    Cancel,
    /// A yes to a hold.
    Continue,
    /// A no to a hold.
    Stop,
    /// A no to a hold, and the way back for what was touched.
    RollBack,
    /// Runs on the targets of a run that failed.
    RetryFailed,
    /// Runs on the targets of a run that nothing was sent to.
    RetryNotStarted,
    /// Shows one whole output as a file.
    Output,
    /// Shows the nodes of a finding. Its number names the finding and the page (`detail`).
    Nodes,
    /// Shows in what the output of a finding differs from the usual one. Its number names the finding.
    Compare,
    /// Shows what one node printed. Its number names the node.
    NodeOutput,
    /// Puts all nodes and values into the thread as files.
    Files,
    /// Starts the same again: planned and decided afresh.
    RunAgain,
    /// Runs the part of a refused request that the person may run.
    RunPart,
    /// Puts a refused request to those who could run it.
    AskOthers,
    /// Opens the form that closes the review of a run that overrode rules.
    Review,
    /// Opens the form in which a runbook is picked. Its run is nobody's.
    Pick,
    /// Opens the form of the run's runbook, with what was given then.
    Fill,
}

impl Verb {
    /// The click is answered by a form where the person may do it at all.
    #[must_use]
    pub fn opens_form(self) -> bool {
        matches!(self, Verb::Narrow | Verb::Deny | Verb::Review | Verb::Pick | Verb::Fill)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    Plain,
    Primary,
    Danger,
}
