//! How people name a run: `r-7F3K`, the last characters of its id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::{Invalid, RunId};

/// The end of a run id, at least 4 characters, or all 26 of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunRef(String);

/// What a reference names among the runs at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    One(RunId),
    None,
    /// More characters are needed; newest first.
    Many(Vec<RunId>),
}

impl RunRef {
    #[must_use]
    pub fn matches(&self, run: &RunId) -> bool {
        run.to_string().ends_with(&self.0)
    }

    /// The run it names among these.
    #[must_use]
    pub fn find(&self, runs: impl IntoIterator<Item = RunId>) -> Found {
        let mut hits: Vec<RunId> = runs.into_iter().filter(|r| self.matches(r)).collect();
        hits.sort_unstable_by(|a, b| b.cmp(a));
        hits.dedup();
        match hits.as_slice() {
            [] => Found::None,
            [one] => Found::One(*one),
            _ => Found::Many(hits),
        }
    }
}

/// Read as people and phones write it: any case, with or without `r-`, and the letters that Crockford's
/// alphabet leaves out taken for the digits they look like.
impl FromStr for RunRef {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let upper = text.to_uppercase();
        let suffix = upper.strip_prefix("R-").or_else(|| upper.strip_prefix("R–")).unwrap_or(&upper);
        let suffix: String = suffix
            .chars()
            .map(|c| match c {
                'I' | 'L' => '1',
                'O' => '0',
                other => other,
            })
            .collect();
        let crockford = |c: char| c.is_ascii_digit() || (c.is_ascii_uppercase() && c != 'U');
        if (4..=26).contains(&suffix.len()) && suffix.chars().all(crockford) {
            Ok(RunRef(suffix))
        } else {
            Err(Invalid(format!("`{text}` is not a run such as `r-7F3K`")))
        }
    }
}
impl fmt::Display for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r-{}", self.0)
    }
}

impl TryFrom<String> for RunRef {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}
impl From<RunRef> for String {
    fn from(reference: RunRef) -> String {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_however_its_name_is_typed() {
        let run: RunId = "01J9ZX00000000000000017F0K".parse().unwrap();
        let other: RunId = "01J9ZX0000000000000002AF0K".parse().unwrap();
        for text in ["r-7F0K", "R-7f0k", "7F0K", "r-7fok", "r–7F0K", "r-l7f0k", "01J9ZX00000000000000017F0K"] {
            assert_eq!(text.parse::<RunRef>().unwrap().find([run, other]), Found::One(run), "{text}");
        }
        assert_eq!("r-7F0K".parse::<RunRef>().unwrap().find([other]), Found::None);
        let more: RunId = "01J9ZZ00000000000000017F0K".parse().unwrap();
        assert_eq!("r-7F0K".parse::<RunRef>().unwrap().find([run, more, run]), Found::Many(vec![more, run]));
        for bad in ["", "r-", "r-7F3", "r-7F3U", "r-7F3K!", "01J9ZX00000000000000017F0KK", "r-7é3K"] {
            assert!(bad.parse::<RunRef>().is_err(), "{bad}");
        }
    }
}
