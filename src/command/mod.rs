//! text -> [`Command`]: one grammar for slash text, mention and command line.
//!
//! What cannot be read is refused in one sentence with the remedy; nothing is guessed. Names are checked
//! here, whether they exist is for later: `run` and `plan` know neither runbooks nor accounts yet.

mod help;
mod parse;
mod reference;
mod verb;

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{RunbookName, Selector, words};

pub use help::{Help, Topic, Usage, help};
pub use parse::parse;
pub use reference::{Found, RunRef};
pub use verb::Verb;

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Help(Topic),
    /// The runbooks that the person may run.
    List,
    Show {
        runbook: RunbookName,
    },
    /// What `run` would do; nothing is sent.
    Plan(Request),
    Run(Request),
    /// Whether the person may, and by which rules. Without a place only the runbook's name is judged.
    Why {
        runbook: RunbookName,
        request: Option<Box<Request>>,
    },
    /// Which groups may run it there.
    WhoCan {
        runbook: RunbookName,
        selector: Selector,
    },
    /// Against a freeze or without the usual approvals.
    BreakGlass(Request),
    /// Closes the review of a run that overrode rules.
    Review {
        run: RunRef,
        found: String,
    },
    /// What waits for the person's yes or no, and what the person waits for.
    Approvals,
    /// One run, or without a reference what is going on.
    Status {
        run: Option<RunRef>,
    },
    /// Past and present runs, newest first.
    Runs(RunFilter),
    Cancel {
        run: RunRef,
    },
    /// A new run on what is left of one that is over.
    Retry {
        run: RunRef,
        which: Left,
    },
    /// Nothing new is sent and no run starts, until somebody resumes.
    Halt {
        because: Option<String>,
    },
    Resume,
    /// The outputs of a run, or of one node of it by id or name.
    Output {
        run: RunRef,
        node: Option<String>,
    },
    Accounts,
    /// Which nodes a selector picks.
    Targets {
        selector: Selector,
    },
}

/// Which runs are listed; every condition holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Those that the person asked for.
    pub mine: bool,
    /// Those that ended with a node that did not succeed.
    pub failed: bool,
    pub runbook: Option<RunbookName>,
}

/// Which targets of a run that is over a retry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Failed,
    NotStarted,
    Retryable,
}

/// A runbook with its arguments, where to run it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub runbook: RunbookName,
    /// As typed; the runbook's parameters check them.
    pub arguments: BTreeMap<String, String>,
    pub selector: Selector,
    pub reason: Option<String>,
    /// Rules are to be overridden, and the reason is why.
    pub emergency: bool,
}

impl Request {
    /// `run disk-usage path=/var`: what stands before `on`.
    #[must_use]
    pub fn without_place(&self) -> String {
        let value = |(name, value): (&String, &String)| format!(" {name}={}", words::quote(value, &[]));
        let verb = if self.emergency { Verb::BreakGlass } else { Verb::Run };
        format!("{} {}{}", verb.as_str(), self.runbook, self.arguments.iter().map(value).collect::<String>())
    }

    /// `because "ticket 4711"`, where there is a reason.
    #[must_use]
    pub fn because(&self) -> Option<String> {
        let reason = self.reason.as_deref().map(str::trim).filter(|r| !r.is_empty())?;
        Some(format!("because {}", words::quote(reason, &[])))
    }
}

/// What a person types for it, without the name of the slash command. Parsing it gives the same request.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.without_place(), self.selector)?;
        self.because().iter().try_for_each(|because| write!(f, " {because}"))
    }
}

impl Command {
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Command::Help(_) => Verb::Help,
            Command::List => Verb::List,
            Command::Show { .. } => Verb::Show,
            Command::Plan(_) => Verb::Plan,
            Command::Why { .. } => Verb::Why,
            Command::WhoCan { .. } => Verb::WhoCan,
            Command::Run(_) => Verb::Run,
            Command::BreakGlass(_) => Verb::BreakGlass,
            Command::Review { .. } => Verb::Review,
            Command::Approvals => Verb::Approvals,
            Command::Status { .. } => Verb::Status,
            Command::Runs(_) => Verb::Runs,
            Command::Cancel { .. } => Verb::Cancel,
            Command::Retry { .. } => Verb::Retry,
            Command::Halt { .. } => Verb::Halt,
            Command::Resume => Verb::Resume,
            Command::Output { .. } => Verb::Output,
            Command::Accounts => Verb::Accounts,
            Command::Targets { .. } => Verb::Targets,
        }
    }
}

/// The text could not be read as a command: what is wrong, and what to type instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Lower case, no full stop, values in backticks.
    pub what: String,
    pub remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}
