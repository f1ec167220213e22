//! Line one of anything about outcomes: the verdict, counts that add up, and the largest cause.

use std::collections::BTreeSet;

use crate::domain::{AccountId, Counts, Outcome};
use crate::run::Run;
use crate::summary::{EACH_ITS_OWN, Summary};

use super::words::{cut, nodes, number};
use super::{Tone, words};

/// Longest title. Adapters put an emoji and a blank before it, and the platforms take 150 characters.
pub const TITLE_MAX: usize = 145;
/// A cause is not worth starting in less room.
const CAUSE_MIN: usize = 16;
/// Longer runbook names are cut in titles.
const NAME_MAX: usize = 40;
/// Counts longer than this are told in four classes.
const COUNTS_MAX: usize = 95;

#[must_use]
pub fn tone(counts: &Counts) -> Tone {
    if counts.pending() > 0 {
        Tone::Running
    } else if counts.errors() > 0 {
        Tone::Bad
    } else if counts.succeeded < counts.total {
        Tone::Warning
    } else {
        Tone::Good
    }
}

/// `46 of 48 nodes succeeded, 2 failed`: the numbers after `of` add up to the one behind it.
#[must_use]
pub fn counts(counts: &Counts) -> String {
    let c = counts;
    let whole = match (c.succeeded, c.total) {
        (_, 0) => return "no nodes".to_owned(),
        (1, 1) => return "the one node succeeded".to_owned(),
        (2, 2) => return "both nodes succeeded".to_owned(),
        (n, total) if n == total => return format!("all {} succeeded", nodes(total)),
        (n, total) => format!("{} of {} succeeded", number(n), nodes(total)),
    };
    let told = |parts: &[(u32, &str)]| {
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", number(*n))).collect();
        format!("{whole}, {}", parts.join(", "))
    };
    let fine = told(&[
        (c.failed, "failed"),
        (c.timed_out, "timed out"),
        (c.undeliverable, "undeliverable"),
        (c.denied, "denied"),
        (c.unknown, "unknown"),
        (c.cancelled, "cancelled"),
        (c.not_started, "not started"),
        (c.pending(), "to go"),
    ]);
    if fine.chars().count() <= COUNTS_MAX {
        return fine;
    }
    told(&[
        (c.failed + c.timed_out, "failed"),
        (c.undeliverable + c.denied + c.unknown, "not reached"),
        (c.cancelled + c.not_started, "not run"),
        (c.pending(), "to go"),
    ])
}

/// The title of a run that is over.
#[must_use]
pub fn headline(runbook: &str, summary: &Summary) -> String {
    let head = format!("{}: {}", cut(runbook, NAME_MAX), counts(&summary.counts));
    let Some(finding) = summary.findings.first() else { return head };
    let room = TITLE_MAX.saturating_sub(head.chars().count() + 2);
    let tail = if finding.outcome == Outcome::Succeeded {
        match alike(summary) {
            Some(tail) => tail,
            None => return head,
        }
    } else {
        // A cause that is not the only one says how many nodes it is about.
        let n = finding.targets.len();
        let others = summary.counts.total - summary.counts.succeeded - summary.counts.pending();
        let share = if n == others as usize { String::new() } else { format!("{} × ", number(words::size(n))) };
        format!("{share}{}", plain(&finding.title))
    };
    let mark = if finding.outcome == Outcome::Succeeded { ", " } else { ": " };
    if room < CAUSE_MIN { head } else { format!("{head}{mark}{}", cut(&tail, room)) }
}

/// Of a run that went well everywhere: whether all printed the same, or what those say that differ from the most.
fn alike(summary: &Summary) -> Option<String> {
    let (base, others) = summary.findings.split_first()?;
    let total = summary.counts.total;
    let most = words::size(base.targets.len());
    let Some(other) = others.first() else {
        return match base.identical {
            _ if total < 2 || most != total => None,
            true => Some("same output on each".to_owned()),
            false if base.title == EACH_ITS_OWN => Some(EACH_ITS_OWN.to_owned()),
            false => Some("same shape on each".to_owned()),
        };
    };
    if summary.findings.iter().any(|finding| finding.title == EACH_ITS_OWN) {
        return Some("not the same output everywhere".to_owned());
    }
    if most <= total / 2 {
        return Some(format!("{} kinds of output", number(words::size(summary.findings.len()))));
    }
    let n = total - most;
    let share =
        if others.len() > 1 { format!("{} × ", number(words::size(other.targets.len()))) } else { String::new() };
    let differ = if n == 1 { "differs" } else { "differ" };
    Some(format!("{} {differ}: {share}{}", number(n), plain(&other.title)))
}

/// Tone and line one of a finished run. An account that could not be read is part of the verdict: its nodes are not
/// among the counts, and a line that says only "all succeeded" would hide them. So is what became of a rollback.
#[must_use]
pub fn outcome(run: &Run, summary: &Summary) -> (Tone, String) {
    let plan = &run.proposal.plan;
    let line = headline(plan.runbook.as_str(), summary);
    let unread: BTreeSet<&AccountId> = plan.coverage.unread.iter().map(|u| &u.account).collect();
    let mut tone = tone(&summary.counts);
    let mut tail = String::new();
    if let Some(back) = &run.rollback {
        let Counts { succeeded, total, .. } = back.counts;
        tail.push_str(&format!("; rolled back {} of {}", number(succeeded), nodes(total)));
        tone = if succeeded < total || tone == Tone::Bad { Tone::Bad } else { Tone::Warning };
    }
    if !unread.is_empty() {
        tail.push_str(&format!("; {} could not be read", words::count(words::size(unread.len()), "account")));
        tone = if tone == Tone::Bad { Tone::Bad } else { Tone::Warning };
    }
    let room = TITLE_MAX.saturating_sub(tail.chars().count());
    (tone, cut(&line, room) + &tail)
}

/// Titles have no markup, so backticks would only be noise.
pub(super) fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// `runbook on 12 nodes`, with the name cut where it is too long for a title.
pub(super) fn subject(runbook: &str, targets: u32) -> String {
    format!("{} on {}", cut(runbook, NAME_MAX), words::nodes(targets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Finding;
    use proptest::prelude::*;

    /// Every number in the line but the total, read back.
    fn sum(line: &str, total: u32) -> u32 {
        let words: Vec<&str> = line.split([' ', ',']).collect();
        if ["all", "both"].contains(&words[0]) {
            return total;
        }
        let line = line.replace(&format!("of {} ", number(total)), "of ");
        let mut sum = 0;
        for part in line.split(", ") {
            let digits: String =
                part.chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(char::is_ascii_digit).collect();
            sum += digits.parse::<u32>().unwrap_or(0);
        }
        sum
    }

    proptest! {
        #[test]
        fn the_counts_in_a_title_add_up_and_it_is_never_too_long(
            parts in proptest::array::uniform9(prop_oneof![Just(0u32), 1..9u32, 1..50_000u32]),
            name in "[a-z][a-z0-9-]{0,63}",
            cause in "\\PC{0,300}",
        ) {
            let [succeeded, failed, timed_out, cancelled, undeliverable, denied, not_started, unknown, pending] = parts;
            let total = parts.iter().sum();
            prop_assume!(total > 1);
            let _ = pending;
            let c = Counts { total, succeeded, failed, timed_out, cancelled, undeliverable, denied, not_started, unknown };
            let line = counts(&c);
            prop_assert_eq!(sum(&line, total), total, "{}", line);
            let finding = Finding {
                outcome: Outcome::Failed, title: cause, exit_code: Some(1), targets: vec![0], exemplar: None,
                line: None, identical: false, chatter: 0, described: String::new(),
            };
            let summary = Summary { counts: c, findings: vec![finding], measures: vec![], took: None };
            let title = headline(&name, &summary);
            prop_assert!(title.chars().count() <= TITLE_MAX, "{}", title);
            prop_assert!(title.contains(&line));
        }
    }

    #[test]
    fn whole_successes_are_told_as_such() {
        let good = |n| Counts { total: n, succeeded: n, ..Counts::default() };
        assert_eq!(counts(&good(48)), "all 48 nodes succeeded");
        assert_eq!(counts(&good(2)), "both nodes succeeded");
        assert_eq!(counts(&good(1)), "the one node succeeded");
        assert_eq!(counts(&Counts { total: 1, failed: 1, ..Counts::default() }), "0 of 1 node succeeded, 1 failed");
    }
}
