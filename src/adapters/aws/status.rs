//! SSM's words to ours.
//!
//! `StatusDetails` is a free text: the documentation writes it with spaces ("Delivery Timed Out"), the service without.

use aws_sdk_ssm::types::{CommandInvocation, CommandPlugin, CommandStatus as SsmCommandStatus};

use crate::domain::{Bucket, CommandId, NodeId};
use crate::ports::InvocationStatus;
use crate::runbook::extract::{CUT_MARKS, certain};

/// SSM keeps this many characters of a step's output in a list of invocations.
const OUTPUT_MAX: usize = 2500;
/// The agent's names of the streams' objects.
const STREAMS: [&str; 2] = ["stdout", "stderr"];
/// How the agent joins stdout and stderr.
pub(super) const ERROR_MARK: &str = "\n----------ERROR-------\n";

pub(super) fn without_spaces(details: &str) -> String {
    details.chars().filter(|c| !c.is_whitespace()).collect()
}

/// What one node's invocation stands at. A word that this version does not know is taken as "not the end": the run's
/// deadline bounds how long it is looked at.
pub(super) fn invocation(status: &str, details: &str) -> InvocationStatus {
    match (status, details) {
        ("Success", _) => InvocationStatus::Success,
        (_, "Undeliverable" | "DeliveryTimedOut") => InvocationStatus::Undeliverable,
        (_, "AccessDenied") => InvocationStatus::Denied,
        (_, "ExecutionTimedOut") => InvocationStatus::TimedOut,
        // The command spent its error budget before this node's turn: it never ran.
        (_, "Terminated") => InvocationStatus::Cancelled,
        ("Failed", _) => InvocationStatus::Failed,
        ("TimedOut", _) => InvocationStatus::TimedOut,
        ("Cancelled", _) => InvocationStatus::Cancelled,
        _ => InvocationStatus::Running,
    }
}

/// What an automation stands at, the whole or one node's. What waits for a person, a time or a calendar has not ended.
pub(super) fn automation(status: &str) -> InvocationStatus {
    match status {
        "Success" | "CompletedWithSuccess" => InvocationStatus::Success,
        // Rejected: by a person who was asked, or by a change calendar.
        "Failed" | "CompletedWithFailure" | "Rejected" | "ChangeCalendarOverrideRejected" | "Exited" => {
            InvocationStatus::Failed
        }
        "TimedOut" => InvocationStatus::TimedOut,
        "Cancelled" => InvocationStatus::Cancelled,
        _ => InvocationStatus::Running,
    }
}

/// Nothing will change any more.
pub(super) fn command_over(status: Option<&SsmCommandStatus>) -> bool {
    matches!(
        status,
        Some(
            SsmCommandStatus::Success
                | SsmCommandStatus::Failed
                | SsmCommandStatus::TimedOut
                | SsmCommandStatus::Cancelled
        )
    )
}

/// The exit code that decided: of the first step that did not exit 0, else of the last. SSM writes −1 for "not run".
pub(super) fn exit_code(invocation: &CommandInvocation, status: InvocationStatus, details: &str) -> Option<i32> {
    let ran = match status {
        InvocationStatus::Success | InvocationStatus::TimedOut => true,
        InvocationStatus::Failed | InvocationStatus::Cancelled => !matches!(details, "Terminated" | "InvalidPlatform"),
        InvocationStatus::Running | InvocationStatus::Undeliverable | InvocationStatus::Denied => false,
    };
    let codes = || invocation.command_plugins().iter().map(CommandPlugin::response_code).filter(|code| *code != -1);
    if ran { codes().find(|code| *code != 0).or_else(|| codes().next_back()) } else { None }
}

/// The steps' outputs in order, and whether the agent cut one of them.
pub(super) fn output(invocation: &CommandInvocation) -> (String, bool) {
    let mut text = String::new();
    let mut is_cut = false;
    for output in invocation.command_plugins().iter().filter_map(|p| p.output()).filter(|o| !o.is_empty()) {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(output);
        is_cut |= cut(output);
    }
    (text, is_cut)
}

/// Keys of the streams that the agent cut, where the command was sent with the bucket. A stream that is whole in the list
/// needs no object, and an empty one has none.
///
/// Only documents of one step that is named like its plugin (`aws:runShellScript`) are known to lie so.
pub(super) fn objects(
    invocation: &CommandInvocation,
    command: &CommandId,
    node: &NodeId,
    bucket: &Bucket,
) -> Vec<String> {
    let [step] = invocation.command_plugins() else { return Vec::new() };
    let (Some(name), Some(output)) = (step.name().and_then(|n| n.strip_prefix("aws:")), step.output()) else {
        return Vec::new();
    };
    if step.output_s3_bucket_name() != Some(&bucket.name) {
        return Vec::new();
    }
    let folder = format!("{}/{command}/{node}/aws{name}/0.aws{name}", bucket.prefix);
    let listed = listed_streams(output);
    let cut = |nth: &usize| ends_cut(listed[*nth], CUT_MARKS[*nth]);
    (0..STREAMS.len()).filter(cut).map(|nth| format!("{folder}/{}", STREAMS[nth])).collect()
}

/// Stdout and stderr of an output as the list holds it.
fn listed_streams(listed: &str) -> [&str; 2] {
    listed.split_once(ERROR_MARK).map_or([listed, ""], |(out, err)| [out, err])
}

/// A script may print the mark's words anywhere; the agent writes it at the end of the stream that it cut.
fn ends_cut(stream: &str, mark: &str) -> bool {
    stream.trim_end().lines().next_back().is_some_and(|line| line.trim() == mark)
}

/// The output of a list with the streams that it holds cut replaced by the whole ones. `None` where one of them begins
/// otherwise than the list says: whoever may put objects could have put another one there.
pub(super) fn joined(listed: &str, keys: &[String], streams: Vec<(String, bool)>) -> Option<(String, bool)> {
    let listed = listed_streams(listed);
    let (mut texts, mut cut) = (listed.map(str::to_owned), false);
    for (key, (text, more)) in keys.iter().zip(streams) {
        let nth = usize::from(key.ends_with("/stderr"));
        if !begins_alike(&text, listed[nth]) {
            return None;
        }
        // Half a line and the mark, as in every other output that is cut.
        texts[nth] = if more { format!("{text}\n{}\n", CUT_MARKS[nth]) } else { text };
        cut |= more;
    }
    let [out, err] = texts;
    Some((if err.is_empty() { out } else { format!("{out}{ERROR_MARK}{err}") }, cut))
}

/// As far as it is certain that the list shows it: letters and digits of whole lines, since SSM may write the rest otherwise.
fn begins_alike(whole: &str, listed: &str) -> bool {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).take(OUTPUT_MAX).collect::<String>();
    let shown = plain(&certain(listed));
    plain(whole).starts_with(&shown)
}

fn cut(output: &str) -> bool {
    output.chars().count() >= OUTPUT_MAX || output.lines().any(|line| CUT_MARKS.contains(&line.trim()))
}

#[cfg(test)]
mod unit {
    #[test]
    fn an_object_takes_the_place_of_its_stream_only_if_it_begins_as_the_list_does() {
        let listed = "first\nsec\n---Output truncated---\n\n----------ERROR-------\nwhy";
        let keys = ["p/stdout".to_owned()];
        let join = |text: &str, more: bool| joined(listed, &keys, vec![(text.to_owned(), more)]);
        let whole = "first\nsecond\n";
        assert_eq!(join(whole, false), Some((format!("{whole}{ERROR_MARK}why"), false)));
        assert_eq!(join("another node's\n", false), None);
        let (text, cut) = join("first\nsecond\nhal", true).unwrap();
        assert_eq!(certain(&text), "first\nsecond\n\n----------ERROR-------\nwhy", "and not half a line");
        assert!(cut);
    }

    #[test]
    fn a_script_that_prints_the_marks_words_was_not_cut() {
        let [out, err] = listed_streams("---Error truncated----\nmore\n");
        assert!(!ends_cut(out, CUT_MARKS[0]) && !ends_cut(out, CUT_MARKS[1]) && !ends_cut(err, CUT_MARKS[1]));
        assert!(ends_cut("a\n---Output truncated---\n", CUT_MARKS[0]));
    }

    use super::*;
    use InvocationStatus as S;

    #[test]
    fn every_status_means_one_thing_with_and_without_spaces() {
        for (status, details, meaning) in [
            ("Pending", "Pending", S::Running),
            ("InProgress", "InProgress", S::Running),
            ("Pending", "Delayed", S::Running),
            ("Cancelling", "Cancelling", S::Running),
            ("Success", "Success", S::Success),
            ("Failed", "Failed", S::Failed),
            ("TimedOut", "ExecutionTimedOut", S::TimedOut),
            ("TimedOut", "Execution Timed Out", S::TimedOut),
            ("TimedOut", "DeliveryTimedOut", S::Undeliverable),
            ("TimedOut", "Delivery Timed Out", S::Undeliverable),
            ("Failed", "Undeliverable", S::Undeliverable),
            ("Cancelled", "Terminated", S::Cancelled),
            ("Failed", "InvalidPlatform", S::Failed),
            ("Failed", "AccessDenied", S::Denied),
            ("Failed", "Access Denied", S::Denied),
            ("Cancelled", "Cancelled", S::Cancelled),
            ("SomethingNew", "SomethingNew", S::Running),
        ] {
            assert_eq!(invocation(status, &without_spaces(details)), meaning, "{status}/{details}");
        }
    }

    #[test]
    fn every_status_of_an_automation_has_a_meaning() {
        let of = |meaning: S| -> Vec<&str> {
            let all = aws_sdk_ssm::types::AutomationExecutionStatus::values();
            all.iter().copied().filter(|word| automation(word) == meaning).collect()
        };
        assert_eq!(of(S::Success), ["CompletedWithSuccess", "Success"]);
        assert_eq!(
            of(S::Failed),
            ["ChangeCalendarOverrideRejected", "CompletedWithFailure", "Exited", "Failed", "Rejected"]
        );
        assert_eq!((of(S::TimedOut), of(S::Cancelled)), (vec!["TimedOut"], vec!["Cancelled"]));
        assert_eq!(
            of(S::Running),
            [
                "Approved",
                "Cancelling",
                "ChangeCalendarOverrideApproved",
                "InProgress",
                "Pending",
                "PendingApproval",
                "PendingChangeCalendarOverride",
                "RunbookInProgress",
                "Scheduled",
                "Waiting"
            ]
        );
        assert_eq!(automation("SomethingNew"), S::Running);
    }

    #[test]
    fn a_cut_is_seen_by_the_agents_mark_or_by_the_length() {
        assert!(cut("a\n---Output truncated---"));
        assert!(cut("a\n----------ERROR-------\nb\n---Error truncated----"));
        assert!(cut(&"x".repeat(2500)));
        assert!(!cut("all of it\n----------ERROR-------\nand this"));
        assert!(!cut("say ---Output truncated--- in a sentence"));
    }
}
