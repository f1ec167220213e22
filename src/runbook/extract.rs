//! Reads named values out of a step's stdout, and holds them against what the runbook expects.

use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;

use super::Step;
use super::bound::meets;
use super::value::compile;

/// What SSM writes where it cut a stream, on a line of its own behind what may be half a line: of stdout and of stderr in a
/// list (the agent's `iohandler.go`), and of either in a full output, where it stands right behind the last character.
pub const CUT_MARKS: [&str; 3] = ["---Output truncated---", "---Error truncated----", "--output truncated--"];

/// A cut output without the marks and without what may be half a line: of `used=97` a cut can leave `used=9`.
#[must_use]
pub fn certain(output: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut is_marked = false;
    for line in output.lines() {
        if CUT_MARKS.contains(&line.trim()) {
            is_marked = true;
            kept.pop();
        } else if CUT_MARKS.iter().any(|mark| line.trim_end().ends_with(mark)) {
            is_marked = true;
        } else {
            kept.push(line);
        }
    }
    if !is_marked {
        kept.pop();
    }
    kept.join("\n")
}

/// Name to the value found. A name that matched nothing is absent.
pub type Extracted = BTreeMap<String, String>;

/// An expectation that was not met: the node has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    pub name: String,
    pub expected: String,
    /// `None`: nothing matched.
    pub found: Option<String>,
}

/// ``expected `state` to be `active`, found `failed` ``.
impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected `{}` to be `{}`, found ", self.name, self.expected)?;
        match &self.found {
            Some(found) => write!(f, "`{found}`"),
            None => f.write_str("nothing"),
        }
    }
}

/// A step's expressions, compiled once for many nodes.
#[derive(Debug, Clone)]
pub struct Extractor {
    expressions: Vec<(String, Regex)>,
    expect: BTreeMap<String, String>,
}

impl Extractor {
    /// An expression that does not compile matches nothing; loading refuses such files.
    #[must_use]
    pub fn of(step: &Step) -> Self {
        let expressions =
            step.extract.iter().filter_map(|(name, text)| Some((name.clone(), compile(text).ok()?))).collect();
        Extractor { expressions, expect: step.expect.clone() }
    }

    /// Of the last match: its first capture group that took part, or the whole match where it has none.
    ///
    /// The last, because a script that retries says how it ended at the end.
    #[must_use]
    pub fn evaluate(&self, stdout: &str) -> (Extracted, Vec<Unmet>) {
        let extracted: Extracted = self
            .expressions
            .iter()
            .filter_map(|(name, regex)| {
                let last = regex.captures_iter(stdout).last()?;
                let found = last.iter().skip(1).flatten().next().or_else(|| last.get(0))?;
                Some((name.clone(), found.as_str().to_owned()))
            })
            .collect();
        let unmet = self
            .expect
            .iter()
            .filter(|(name, expected)| !extracted.get(*name).is_some_and(|found| meets(expected, found)))
            .map(|(name, expected)| Unmet {
                name: name.clone(),
                expected: expected.clone(),
                found: extracted.get(name).cloned(),
            })
            .collect();
        (extracted, unmet)
    }
}

impl Extractor {
    /// What may stand behind the end of `stdout` changes nothing: every value is found, and none is expected, because of
    /// an expected one the last match counts.
    #[must_use]
    pub fn is_settled_by(&self, stdout: &str) -> bool {
        self.expect.is_empty() && self.expressions.iter().all(|(_, regex)| regex.is_match(stdout))
    }
}

/// [`Extractor::evaluate`] for one output.
#[must_use]
pub fn evaluate(step: &Step, stdout: &str) -> (Extracted, Vec<Unmet>) {
    Extractor::of(step).evaluate(stdout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Millis;
    use crate::runbook::{Action, OnFailure};

    fn step(extract: &[(&str, &str)], expect: &[(&str, &str)]) -> Step {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Step {
            name: "one".into(),
            action: Action::Shell { script: "true".into() },
            timeout: Millis::from_secs(600),
            delivery_timeout: Millis::from_secs(60),
            extract: map(extract),
            expect: map(expect),
            on_failure: OnFailure::Stop,
            when: BTreeMap::new(),
            unless: BTreeMap::new(),
            gate: None,
            reboots: false,
        }
    }

    #[test]
    fn the_last_match_counts_and_its_group_before_the_whole() {
        let step = step(&[("state", r"(?m)^(active|failed)$"), ("used", r"\d+%"), ("none", "x(y)")], &[]);
        let (extracted, unmet) = evaluate(&step, "failed\nactive\n10% 20%\n");
        assert_eq!(extracted, BTreeMap::from([("state".into(), "active".into()), ("used".into(), "20%".into())]));
        assert_eq!(unmet, []);
    }

    #[test]
    fn of_a_cut_output_only_whole_lines_are_looked_at() {
        let listed = "used=10\nused=9\n---Output truncated---\n----------ERROR-------\nwhy\n";
        assert_eq!(certain(listed), "used=10\n----------ERROR-------\nwhy");
        assert_eq!(certain("used=10\nused=9--output truncated--"), "used=10");
        assert_eq!(certain("used=10\nused=9"), "used=10", "cut by its length alone");
        assert_eq!(certain(""), "");
    }

    #[test]
    fn what_is_expected_is_settled_only_by_the_end() {
        let (found, open) = (step(&[("state", "active")], &[]), step(&[("state", "active"), ("none", "x(y)")], &[]));
        let expected = step(&[("state", "active")], &[("state", "active")]);
        let settled = |step: &Step| Extractor::of(step).is_settled_by("active\n");
        assert_eq!([settled(&found), settled(&open), settled(&expected)], [true, false, false]);
    }

    #[test]
    fn an_expectation_says_what_it_found() {
        let step = step(&[("state", r"(?m)^(active|failed)$")], &[("state", "active")]);
        let said = |out: &str| evaluate(&step, out).1.iter().map(Unmet::to_string).collect::<Vec<_>>();
        assert_eq!(said("active\n"), Vec::<String>::new());
        assert_eq!(said("active\nfailed\n"), ["expected `state` to be `active`, found `failed`"]);
        assert_eq!(said(""), ["expected `state` to be `active`, found nothing"]);
    }
}
