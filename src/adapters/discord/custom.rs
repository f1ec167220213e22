//! What a component carries back to us in its `custom_id`, at most 100 characters: a verb, a run and a revision on a
//! button of a card; a draft and a page on one of ours. No parameter and no secret ever stands in it.
//!
//! A card in a direct message says no guild, so its buttons do: `v1:<verb>:<run>:<revision>@<guild>`, with `/<channel>`
//! behind it where it answers what was said in a channel. Discord takes only ids that stand in the message, and every click
//! is authorised afresh in that guild. `#<n>` makes a repeated one unique in its message, as Discord wants them.

use std::fmt;

use crate::domain::{RunId, RunbookName};
use crate::message::FormKind;
use crate::message::reference::ActionRef;

/// Discord's limit for a `custom_id`.
const CUSTOM_ID_MAX: usize = 100;

/// A button of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pressed {
    pub action: ActionRef,
    /// Where its message stands in no guild.
    pub about: Option<About>,
}

/// What a direct message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    pub guild: String,
    /// Where it was asked, if that was said in a channel: a form that is opened from here belongs there.
    pub channel: Option<String>,
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.guild)?;
        self.channel.iter().try_for_each(|channel| write!(f, "/{channel}"))
    }
}

pub(super) fn button(action: ActionRef, about: Option<&About>, again: usize) -> String {
    let again = if again > 0 { format!("#{again}") } else { String::new() };
    let Some(about) = about else { return format!("{action}{again}") };
    let whole = format!("{action}@{about}{again}");
    if whole.len() <= CUSTOM_ID_MAX { whole } else { format!("{action}@{}{again}", about.guild) }
}

/// `None`: not ours, or of a version that this build does not know.
pub(super) fn pressed(custom_id: &str) -> Option<Pressed> {
    let text = custom_id.split('#').next()?;
    let (action, about) = match text.split_once('@') {
        Some((action, about)) => (action, Some(about)),
        None => (text, None),
    };
    let about = match about {
        Some(about) => {
            let (guild, channel) = match about.split_once('/') {
                Some((guild, channel)) => (guild, Some(channel)),
                None => (about, None),
            };
            let ids = [Some(guild), channel];
            ids.into_iter()
                .flatten()
                .all(is_id)
                .then(|| Some(About { guild: guild.to_owned(), channel: channel.map(str::to_owned) }))?
        }
        None => None,
    };
    Some(Pressed { action: action.parse().ok()?, about })
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// One page of a form that is being filled in: on the button that opens it, and on the modal itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageRef {
    pub draft: String,
    pub page: usize,
    pub what: What,
}

/// What the form is for, so that a restart loses no more than it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Deny { run: RunId, revision: u32 },
    Narrow { run: RunId, revision: u32 },
    Review { run: RunId, revision: u32 },
    Pick,
    Run { runbook: RunbookName },
}

impl From<&FormKind> for What {
    fn from(kind: &FormKind) -> Self {
        match kind {
            FormKind::Deny { run, revision } => What::Deny { run: *run, revision: *revision },
            FormKind::Narrow { run, revision } => What::Narrow { run: *run, revision: *revision },
            FormKind::Review { run, revision } => What::Review { run: *run, revision: *revision },
            FormKind::Pick => What::Pick,
            FormKind::Run { runbook, .. } => What::Run { runbook: runbook.clone() },
        }
    }
}

impl fmt::Display for PageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1:page:{}:{}:", self.draft, self.page)?;
        match &self.what {
            What::Deny { run, revision } => write!(f, "deny:{run}:{revision}"),
            What::Narrow { run, revision } => write!(f, "narrow:{run}:{revision}"),
            What::Review { run, revision } => write!(f, "review:{run}:{revision}"),
            What::Pick => write!(f, "pick"),
            What::Run { runbook } => write!(f, "run:{runbook}"),
        }
    }
}

impl std::str::FromStr for PageRef {
    /// Not ours, or of a version that this build does not know.
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["v1", "page", draft, page, what @ ..] = parts.as_slice() else { return Err(()) };
        let what = match what {
            ["deny", run, revision] => {
                What::Deny { run: run.parse().map_err(drop)?, revision: revision.parse().map_err(drop)? }
            }
            ["narrow", run, revision] => {
                What::Narrow { run: run.parse().map_err(drop)?, revision: revision.parse().map_err(drop)? }
            }
            ["review", run, revision] => {
                What::Review { run: run.parse().map_err(drop)?, revision: revision.parse().map_err(drop)? }
            }
            ["pick"] => What::Pick,
            ["run", runbook] => What::Run { runbook: runbook.parse().map_err(drop)? },
            _ => return Err(()),
        };
        Ok(PageRef { draft: (*draft).to_owned(), page: page.parse().map_err(drop)?, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Verb;

    const RUN: &str = "01J9ZX0000000000000000AB7F";

    #[test]
    fn a_button_survives_its_text_in_a_guild_and_in_a_direct_message() {
        let action = ActionRef { verb: Verb::RetryNotStarted, run: RUN.parse().unwrap(), revision: u32::MAX };
        let guild = || "18446744073709551615".to_owned();
        let about = |channel: Option<&str>| About { guild: guild(), channel: channel.map(str::to_owned) };
        for about in [None, Some(about(None)), Some(about(Some("12345678")))] {
            for again in [0, 24] {
                let text = button(action, about.as_ref(), again);
                assert!(text.len() <= CUSTOM_ID_MAX, "{text}");
                assert_eq!(pressed(&text), Some(Pressed { action, about: about.clone() }), "{text}");
            }
        }
        // Where there is no room, the guild says more than the channel.
        let text = button(action, Some(&about(Some("18446744073709551615"))), 24);
        assert_eq!(pressed(&text), Some(Pressed { action, about: Some(about(None)) }), "{text}");
        for text in ["", "hello", "v1:approve:x:1", "v2:approve:01J9ZX0000000000000000AB7F:1"] {
            assert_eq!(pressed(text), None, "{text}");
        }
        for guild in ["", "x", "1@2", "1/", "/2", "1/x", "1/2/3"] {
            assert_eq!(pressed(&format!("{action}@{guild}")), None, "{guild}");
        }
    }

    #[test]
    fn a_page_survives_its_text_for_every_form_and_the_longest_name() {
        let runbook: RunbookName = "r".repeat(64).parse().unwrap();
        let (run, revision) = (RUN.parse().unwrap(), u32::MAX);
        for what in [
            What::Deny { run, revision },
            What::Narrow { run, revision },
            What::Review { run, revision },
            What::Pick,
            What::Run { runbook },
        ] {
            let page = PageRef { draft: "0123456789".into(), page: 9, what };
            let text = page.to_string();
            assert!(text.len() <= CUSTOM_ID_MAX, "{text}");
            assert_eq!(text.parse(), Ok(page));
        }
        assert!("v1:page:x:1:run:Not A Name".parse::<PageRef>().is_err());
        assert!(format!("v1:approve:{RUN}:1").parse::<PageRef>().is_err());
    }
}
