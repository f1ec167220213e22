//! The options of a slash command -> the text that a person on any platform types. The one parser reads it.

use crate::domain::words::quote;
use crate::message::plain::straighten;

use super::commands::{BECAUSE, FORM, ON, RUNBOOK, WITH, WORDS};

/// What was filled in: option name to its text, in any order.
pub(super) type Options = std::collections::BTreeMap<String, String>;

/// The words after the slash command. Empty for the form, as for Slack's bare command.
pub(super) fn text(subcommand: &str, options: &Options) -> String {
    if subcommand == FORM {
        return String::new();
    }
    let given = |name: &str| {
        // What cannot be seen stays: the parser names it.
        let text = straighten(options.get(name)?);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let mut parts = vec![subcommand.to_owned()];
    parts.extend(given(RUNBOOK));
    parts.extend(given(WITH));
    // Who types `on env=prod` into the field `on` means it once.
    parts.extend(given(ON).map(|on| format!("on {}", without_word(&on, "on"))));
    parts.extend(given(BECAUSE).map(|because| format!("because {}", quote(&unquoted(&because), &[]))));
    parts.extend(given(WORDS));
    parts.join(" ")
}

/// The text without `word` in front of it.
fn without_word<'a>(text: &'a str, word: &str) -> &'a str {
    match text.split_once(char::is_whitespace) {
        Some((first, rest)) if first.eq_ignore_ascii_case(word) => rest.trim_start(),
        Some(_) | None => text,
    }
}

/// A reason as it is meant, for somebody who quotes it out of habit.
fn unquoted(text: &str) -> String {
    let text = without_word(text, "because");
    let inside = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    match inside {
        Some(inside) if !inside.trim().is_empty() && !inside.contains('"') => inside.to_owned(),
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, parse};

    fn options(given: &[(&str, &str)]) -> Options {
        given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn filled_in_options_are_the_command_that_is_typed_elsewhere() {
        for (subcommand, given, typed) in [
            ("run", vec![("runbook", "disk-usage"), ("on", "env=staging")], "run disk-usage on env=staging"),
            (
                "run",
                vec![
                    ("because", "ticket 4711"),
                    ("on", " on  env=staging "),
                    ("with", "service=nginx"),
                    ("runbook", "restart-service"),
                ],
                "run restart-service service=nginx on env=staging because \"ticket 4711\"",
            ),
            ("why", vec![("runbook", "disk-usage")], "why disk-usage"),
            (
                "plan",
                vec![("runbook", "x"), ("because", "because \u{201C}it\u{2019}s down\u{201D}")],
                "plan x because \"it's down\"",
            ),
            ("run", vec![("runbook", "x"), ("because", "he said \"no\"")], "run x because \"he said \\\"no\\\"\""),
            ("output", vec![("words", "r-7F3K web-1")], "output r-7F3K web-1"),
            ("halt", vec![("words", "because \"fire\"")], "halt because \"fire\""),
            ("list", vec![], "list"),
            ("status", vec![("words", "  ")], "status"),
            ("form", vec![], ""),
        ] {
            assert_eq!(text(subcommand, &options(&given)), typed);
        }
    }

    #[test]
    fn a_reason_arrives_as_it_was_written_whatever_stands_in_it() {
        for reason in ["ticket 4711", "he said \"no\"", "50% \\ on env=prod", "it's", "\"half", "on"] {
            let given = [("runbook", "disk-usage"), ("on", "env=staging"), ("because", reason)];
            let Ok(Command::Run(request)) = parse(&text("run", &options(&given))) else { panic!("{reason}") };
            assert_eq!(request.reason.as_deref(), Some(reason));
            assert_eq!(request.selector.to_string(), "env=staging", "{reason}");
        }
    }
}
