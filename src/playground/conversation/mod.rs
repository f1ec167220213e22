//! Conversation files: what people type and click, and what must stand in the thread; for tour, tests and any platform.
//!
//! ```text
//! # comments and empty lines separate
//! @support: /runbook run disk-usage on env=staging      types into #ops
//! @support in #incidents: /runbook list                 types into another channel
//! @support in thread: @muster status                    types into the run's thread
//! | and goes on below                                     another line of what was typed above
//! @approver clicks "Approve"                            waits until that button is there, then presses it
//! @approver clicks "Approve" twice                      two presses at once, as a nervous finger does
//! @approver clicks the old "Approve"                    a button that an edit has taken away, on a screen that is old
//! @approver fills reason="not tonight"                  fills the open form by label or id and submits it
//! @support uses "Run a runbook here" on the last message  a shortcut, on the newest message of the thread or channel
//! @support uses "Run a runbook"                         a shortcut that belongs to no message
//! @support opens home                                   opens the app's own tab
//! @support searches "disk" in "Runbook"                 types into a field that asks the app for options
//! @support picks "Disk usage" in "Runbook"              picks in the open form, else in the App Home
//! look in #incidents for "[Close]"                       from here on the thread is that of the app's newest message there
//!                                                       that shows the text
//! wait done 60s                                         until the closing reply stands in the thread
//! wait for "2 of 4"                                     until the thread shows it
//! wait connected                                        until the app listens
//! plant aws offline-node:acme-prod                      a fault in a simulator, by name and place as `--break` takes it,
//! plant slack rate-limited method="chat.update"         then its settings; all are lifted when the conversation ends
//! plant chat outage seconds="2"                         at whichever platform it plays; `plant discord …` at that alone
//! lift aws offline-node:acme-prod                       takes it away; `lift slack` and `lift discord` take all
//! expect thread has "Succeeded"                         also: expect thread lacks "…"
//! expect @support sees "only for your eyes"
//! expect nothing pings                                  nothing the app sent since the last command notifies a channel
//! expect form has "…"                                   the open form of who acted last; also: options found, errors
//! expect home of @support has "…"
//! expect no thread                                      nothing was posted into the channel since the last command
//! expect ran once on env=staging tag:service=web        every online node that fits, once; no other
//! expect nothing ran
//! snapshot thread                                       also: snapshot ephemeral (of who typed last), snapshot ephemeral @approver
//!                                                       snapshot form, snapshot home (of who acted last)
//! ```
//! `parse` reads the text, `player` plays it over the control interfaces alone, `ran` asks the simulated AWS what
//! really ran, `normalise` takes out what differs from run to run.

pub mod normalise;
mod parse;
mod pings;
mod plant;
mod player;
mod ran;
mod selector;
mod threads;
mod views;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

pub use super::http::{Address, Http};
pub use parse::parse;
pub use player::{Endpoints, PlayFault, Snapshot, Transcript, play};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    pub file: PathBuf,
    pub lines: Vec<Line>,
}

/// One step with the line (from 1) that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub number: u32,
    pub text: String,
    pub step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Say {
        who: String,
        place: Place,
        text: String,
    },
    Click {
        who: String,
        label: String,
        how: How,
    },
    Fill {
        who: String,
        values: Vec<(String, String)>,
    },
    /// A shortcut; on the last message or on none.
    Use {
        who: String,
        shortcut: String,
        on_message: bool,
    },
    OpenHome {
        who: String,
    },
    Search {
        who: String,
        typed: String,
        field: String,
    },
    Pick {
        who: String,
        option: String,
        field: String,
    },
    /// From here on the thread is that of the app's newest message in this channel that shows the text.
    LookIn {
        channel: String,
        text: String,
    },
    WaitDone {
        timeout: Duration,
    },
    WaitFor {
        text: String,
        timeout: Duration,
    },
    WaitConnected {
        timeout: Duration,
    },
    /// `fault` is the body that the simulator's control interface takes.
    Plant {
        at: Simulator,
        fault: Value,
    },
    Lift {
        at: Simulator,
        fault: Value,
    },
    ThreadHas {
        text: String,
    },
    ThreadLacks {
        text: String,
    },
    Sees {
        who: String,
        text: String,
    },
    NothingPings,
    FormHas {
        text: String,
    },
    HomeHas {
        who: String,
        text: String,
    },
    NoThread,
    RanOnce {
        selector: String,
    },
    NothingRan,
    SnapshotThread,
    /// `None`: of who typed last.
    SnapshotEphemeral {
        who: Option<String>,
    },
    SnapshotForm,
    SnapshotHome,
}

/// How a button is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Once,
    /// Twice at the same moment.
    Twice,
    /// On a screen that does not show the last edit.
    Late,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simulator {
    Aws,
    /// The chat platform, whichever it is.
    Chat,
    Slack,
    Discord,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `#ops`.
    Usual,
    Channel(String),
    /// The thread of the last command.
    Thread,
}
