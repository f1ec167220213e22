//! One row -> why it ended as it did, in one line that a tired person understands.
//!
//! What the runbook expected and did not find tells more than a line of output; what AWS said tells more
//! than silence. Only then the output is searched for the last line that sounds like an error.

use super::Row;

use crate::domain::Outcome;
use crate::redact::{normalise, streams};

/// Longer lines are cut: a cause stands in one line of a card.
pub(super) const CAUSE_MAX: usize = 200;

/// Lines with one of these sound like an error, compared in lower case.
const LEXICON: &[&str] = &[
    "error",
    "fail",
    "fatal",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "unable to",
    "denied",
    "refused",
    "rejected",
    "not found",
    "no such",
    "no space",
    "timed out",
    "timeout",
    "killed",
    "panic",
    "exception",
    "invalid",
    "unrecognized",
    "missing",
    "not permitted",
    "out of memory",
    "segmentation fault",
    "aborted",
    "unreachable",
    "not installed",
    "does not exist",
    "doesn't exist",
    "could not be found",
    "is locked",
    "lock held",
    "read-only file system",
    "syntax",
    "unbound",
    "no route",
    "expired",
    "broken pipe",
    "critical",
];

/// What the agent itself appends to stderr; the exit code says as much.
const AGENT_NOISE: &str = "failed to run commands: exit status";

/// Why this row ended as it did. `told` is the telling line of its output, if the output is at hand.
pub(super) fn cause(row: &Row, outcome: Outcome, told: Option<&str>) -> String {
    let said = row.cause.as_deref().map(line).filter(|c| !c.is_empty());
    match outcome {
        Outcome::Succeeded => String::new(),
        Outcome::NotStarted(why) => said.unwrap_or_else(|| why.as_str().to_owned()),
        Outcome::Denied => said.unwrap_or_else(|| "refused by AWS, without a reason".to_owned()),
        Outcome::Undeliverable => {
            said.unwrap_or_else(|| "not delivered: the agent did not answer in time, or the node is gone".to_owned())
        }
        Outcome::Unknown => said.unwrap_or_else(|| "AWS gave no answer; it may have run".to_owned()),
        Outcome::Cancelled => said.unwrap_or_else(|| "cancelled while it ran".to_owned()),
        Outcome::TimedOut => said.unwrap_or_else(|| match &*row.step {
            "" => "timed out".to_owned(),
            step => format!("timed out in step `{step}`"),
        }),
        Outcome::Failed => failure(row, said, told),
    }
}

fn failure(row: &Row, said: Option<String>, told: Option<&str>) -> String {
    // A value that was found and is wrong is the answer itself. One that was not found may only follow from
    // an earlier error, so a script that says why it failed is believed first.
    let wrong = row.unmet.iter().find(|(_, _, found)| found.is_some());
    let absent = row.unmet.first();
    let failed = row.exit_code.is_some_and(|code| code != 0);
    if let Some((name, wanted, Some(found))) = wrong {
        return line(&format!("`{name}` is `{found}`, expected `{wanted}`"));
    }
    if let Some((name, wanted, _)) = absent
        && !(failed && told.is_some())
    {
        return line(&format!("`{name}` not found in the output, expected `{wanted}`"));
    }
    said.or_else(|| told.map(str::to_owned)).unwrap_or_else(|| match row.exit_code {
        Some(code) => format!("exit code {code}, no output"),
        None => "failed without output".to_owned(),
    })
}

/// The line of an output that says best why it failed; `None` if it says nothing.
pub(super) fn telling_line(output: &str) -> Option<String> {
    let text = normalise(output);
    let (stdout, stderr) = streams(&text);
    let useful = |l: &&str| l.chars().any(char::is_alphanumeric) && !l.trim_start().starts_with(AGENT_NOISE);
    let telling = |stream: &str| stream.lines().rev().filter(useful).find(|l| sounds_bad(l)).map(line);
    let last = |stream: &str| stream.lines().rev().find(useful).map(line);
    telling(stderr).or_else(|| telling(stdout)).or_else(|| last(stderr)).or_else(|| last(stdout))
}

pub(super) fn sounds_bad(text: &str) -> bool {
    let head: String = text.chars().take(1000).collect::<String>().to_ascii_lowercase();
    if ["0 errors", "0 failed", "no error", "0 failures", "errors: 0", "failed: 0", "failed=0"]
        .iter()
        .any(|c| head.contains(c))
    {
        return false;
    }
    head.trim_start().starts_with("e: ") || LEXICON.iter().any(|word| head.contains(word))
}

/// One line without surrounding blanks, at most [`CAUSE_MAX`] characters.
pub(super) fn line(text: &str) -> String {
    let text = normalise(text);
    let text = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
    cut(text, CAUSE_MAX)
}

/// At most `max` characters, the last of them `…` if something is missing.
pub(super) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(exit: i32) -> Row {
        Row { outcome: Some(Outcome::Failed), exit_code: Some(exit), step: "restart".into(), ..Row::default() }
    }

    #[test]
    fn the_last_line_that_sounds_like_an_error_tells_and_stderr_comes_first() {
        let told = |t: &str| telling_line(t);
        assert_eq!(told("step 1\nError: disk full\nbye").unwrap(), "Error: disk full");
        assert_eq!(told("error in stdout\n----------ERROR-------\nplain stderr").unwrap(), "error in stdout");
        assert_eq!(
            told("out\n----------ERROR-------\nE: Unable to locate package x\nfailed to run commands: exit status 100")
                .unwrap(),
            "E: Unable to locate package x"
        );
        assert_eq!(told("only this\n\n").unwrap(), "only this");
        assert_eq!(told("checks: 0 errors\ndone").unwrap(), "done");
        assert_eq!(told("----\n\n"), None);
        assert_eq!(told(""), None);
        assert_eq!(told(&"x".repeat(100_000)).unwrap().chars().count(), CAUSE_MAX);
    }

    #[test]
    fn a_wrong_value_tells_more_than_the_output_and_a_missing_one_less() {
        let mut r = row(3);
        r.unmet = [("state".into(), "active".into(), Some("failed".into()))].into();
        assert_eq!(cause(&r, Outcome::Failed, Some("failed")), "`state` is `failed`, expected `active`");
        r.unmet = [("state".into(), "active".into(), None)].into();
        assert_eq!(cause(&r, Outcome::Failed, Some("Unit x.service not found.")), "Unit x.service not found.");
        r.exit_code = Some(0);
        assert_eq!(cause(&r, Outcome::Failed, Some("all fine")), "`state` not found in the output, expected `active`");
    }

    #[test]
    fn every_end_has_a_cause_even_when_nobody_said_one() {
        let r = row(7);
        assert_eq!(cause(&r, Outcome::Failed, None), "exit code 7, no output");
        assert_eq!(cause(&r, Outcome::TimedOut, None), "timed out in step `restart`");
        assert_eq!(cause(&r, Outcome::Denied, None), "refused by AWS, without a reason");
        let told = Row { cause: Some("AccessDenied: no\nmore".into()), ..row(1) };
        assert_eq!(cause(&told, Outcome::Denied, None), "AccessDenied: no");
    }
}
