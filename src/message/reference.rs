//! What a button carries: a verb, a run and a revision, and nothing else.
//!
//! Written `v1:<verb>:<run>:<revision>`, at most 60 bytes. No parameter and no secret ever stands in it: what
//! it means is looked up when the click arrives, and every click is authorised afresh.

use std::fmt;
use std::str::FromStr;

use super::Verb;
use crate::domain::RunId;

/// As a button says it to the platform, and the platform back to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionRef {
    pub verb: Verb,
    pub run: RunId,
    pub revision: u32,
}

/// The word for a verb on the wire; on Slack also the `action_id` of its button.
#[must_use]
pub fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Approve => "approve",
        Verb::Narrow => "narrow",
        Verb::Deny => "deny",
        Verb::Cancel => "cancel",
        Verb::Continue => "continue",
        Verb::Stop => "stop",
        Verb::RollBack => "roll_back",
        Verb::RetryFailed => "retry_failed",
        Verb::RetryNotStarted => "retry_not_started",
        Verb::Output => "output",
        Verb::Nodes => "nodes",
        Verb::Compare => "compare",
        Verb::NodeOutput => "node_output",
        Verb::Files => "files",
        Verb::RunAgain => "run_again",
        Verb::RunPart => "run_part",
        Verb::AskOthers => "ask_others",
        Verb::Review => "review",
        Verb::Pick => "pick",
        Verb::Fill => "fill",
    }
}

fn verb(word: &str) -> Option<Verb> {
    Some(match word {
        "approve" => Verb::Approve,
        "narrow" => Verb::Narrow,
        "deny" => Verb::Deny,
        "cancel" => Verb::Cancel,
        "continue" => Verb::Continue,
        "stop" => Verb::Stop,
        "roll_back" => Verb::RollBack,
        "retry_failed" => Verb::RetryFailed,
        "retry_not_started" => Verb::RetryNotStarted,
        "output" => Verb::Output,
        "nodes" => Verb::Nodes,
        "compare" => Verb::Compare,
        "node_output" => Verb::NodeOutput,
        "files" => Verb::Files,
        "run_again" => Verb::RunAgain,
        "run_part" => Verb::RunPart,
        "ask_others" => Verb::AskOthers,
        "review" => Verb::Review,
        "pick" => Verb::Pick,
        "fill" => Verb::Fill,
        _ => return None,
    })
}

impl fmt::Display for ActionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1:{}:{}:{}", word(self.verb), self.run, self.revision)
    }
}

impl FromStr for ActionRef {
    /// Not ours, or of a version that this build does not know.
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(':');
        let (Some("v1"), Some(word), Some(run), Some(revision), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        Ok(ActionRef {
            verb: verb(word).ok_or(())?,
            run: run.parse().map_err(drop)?,
            revision: revision.parse().map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_its_text_for_every_verb() {
        let run: RunId = "01J9ZX0000000000000000AB7F".parse().unwrap();
        for verb in [
            Verb::Approve,
            Verb::Narrow,
            Verb::Review,
            Verb::Deny,
            Verb::Cancel,
            Verb::Continue,
            Verb::Stop,
            Verb::RollBack,
            Verb::RetryFailed,
            Verb::RetryNotStarted,
            Verb::Output,
            Verb::Nodes,
            Verb::Compare,
            Verb::NodeOutput,
            Verb::Files,
            Verb::RunAgain,
            Verb::RunPart,
            Verb::AskOthers,
            Verb::Pick,
            Verb::Fill,
        ] {
            let reference = ActionRef { verb, run, revision: u32::MAX };
            let text = reference.to_string();
            assert!(text.len() <= 60, "{text}");
            assert_eq!(text.parse(), Ok(reference));
        }
    }

    #[test]
    fn what_is_not_ours_is_not_read() {
        for text in [
            "",
            "approve",
            "v2:approve:01J9ZX0000000000000000AB7F:1",
            "v1:approve:01J9ZX0000000000000000AB7F:-1",
            "v1:explode:01J9ZX0000000000000000AB7F:1",
            "v1:approve:x:1",
            "v1:approve:01J9ZX0000000000000000AB7F:1:2",
        ] {
            assert!(text.parse::<ActionRef>().is_err(), "{text}");
        }
    }
}
