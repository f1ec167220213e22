//! What a card needs to know beside the run itself.

use std::collections::BTreeMap;

use crate::domain::{GroupName, GroupRef, Millis, Timestamp};

use super::Span;
use super::halt::Halted;
use super::since::Before;
use super::words::Line;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The run's short id, such as `r-7F3K`; empty where there is no run yet.
    pub short: String,
    pub now: Timestamp,
    /// For each group of the policy its groups on the platform and in the workspace or guild where the card is read: they
    /// can be mentioned there.
    pub groups: BTreeMap<GroupName, Vec<GroupRef>>,
    /// The slash command, such as `/runbook`.
    pub command: String,
    /// Another change that runs on so many of its nodes, by its short id: this one waits for it.
    pub taken: Option<(String, u32)>,
    /// How long a send can stay unsure at most: AWS's request expiry and a margin.
    pub unsure: Millis,
    /// Everything is halted.
    pub halted: Option<Halted>,
    /// How the same ended when it was run last; for results alone.
    pub before: Option<Before>,
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
            before: None,
        }
    }

    /// Mentions the group, by each of its groups there. Notifies its members, so a card does it once.
    pub(super) fn mention(&self, name: &str) -> Line {
        let here = self.groups.get(name).map(Vec::as_slice).unwrap_or_default();
        let span = |group: Option<&GroupRef>| Span::Group { group: group.cloned(), name: name.to_owned() };
        let Some((first, more)) = here.split_first() else { return Line::default().span(span(None)) };
        more.iter().fold(Line::default().span(span(Some(first))), |line, group| line.plain(" ").span(span(Some(group))))
    }
}
