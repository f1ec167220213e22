//! What a card needs to know beside the run itself.

use std::collections::BTreeMap;

use crate::domain::{GroupName, GroupRef, Millis, Timestamp};

use super::Span;
use super::halt::Halted;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The run's short id, such as `r-7F3K`; empty where there is no run yet.
    pub short: String,
    pub now: Timestamp,
    /// The platform's own group for each group of the policy that has one, so that it can be mentioned.
    pub groups: BTreeMap<GroupName, Option<GroupRef>>,
    /// The slash command, such as `/runbook`.
    pub command: String,
    /// Another change that runs on so many of its nodes, by its short id: this one waits for it.
    pub taken: Option<(String, u32)>,
    /// How long a send can stay unsure at most: AWS's request expiry and a margin.
    pub unsure: Millis,
    /// Everything is halted.
    pub halted: Option<Halted>,
}

impl View {
    /// Five minutes after its signing time AWS rejects a request; half a minute more is for clocks.
    pub const UNSURE: Millis = Millis::from_secs(330);

    #[must_use]
    pub fn new(short: impl Into<String>, now: Timestamp, command: impl Into<String>) -> Self {
        View {
            short: short.into(),
            now,
            groups: BTreeMap::new(),
            command: command.into(),
            taken: None,
            unsure: Self::UNSURE,
            halted: None,
        }
    }

    /// Mentions the group. Notifies its members, so a card does it once.
    pub(super) fn mention(&self, name: &str) -> Span {
        Span::Group { group: self.groups.get(name).cloned().flatten(), name: name.to_owned() }
    }
}
