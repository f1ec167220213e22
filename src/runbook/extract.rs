//! Reads named values out of a step's stdout, and holds them against what the runbook expects.

use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;

use super::Step;
use super::value::compile;

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
            .filter(|(name, expected)| extracted.get(*name) != Some(expected))
            .map(|(name, expected)| Unmet {
                name: name.clone(),
                expected: expected.clone(),
                found: extracted.get(name).cloned(),
            })
            .collect();
        (extracted, unmet)
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
    fn an_expectation_says_what_it_found() {
        let step = step(&[("state", r"(?m)^(active|failed)$")], &[("state", "active")]);
        let said = |out: &str| evaluate(&step, out).1.iter().map(Unmet::to_string).collect::<Vec<_>>();
        assert_eq!(said("active\n"), Vec::<String>::new());
        assert_eq!(said("active\nfailed\n"), ["expected `state` to be `active`, found `failed`"]);
        assert_eq!(said(""), ["expected `state` to be `active`, found nothing"]);
    }
}
