//! What is wrong in a file that a person wrote: where, what, and the remedy.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Line and column, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// One fault in one file. `muster check` prints every one of them at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub file: PathBuf,
    pub at: Option<Position>,
    /// Lower case, no full stop, values in backticks: ``unknown key `risc` ``.
    pub what: String,
    /// What to do about it: ``did you mean `risk`?``.
    pub remedy: String,
}

/// `runbooks/x.toml:3:1: unknown key `risc`` and, indented below, the remedy.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Position { line, column }) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}\n  {}", self.what, self.remedy)
    }
}

/// The candidate that `word` was most likely meant to be, if one is near enough: ``did you mean `risk`?``.
///
/// Case and `_` against `-` do not count as differences; otherwise at most a third of the letters may differ.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let word = plain(word);
    // Long words are not typing slips, and the comparison is quadratic.
    if word.is_empty() || word.len() > 200 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| {
            let length = word.chars().count().max(candidate.chars().count());
            *distance <= (length / 3).max(1) && *distance < length
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// ``` `a`, `b` or `c` ```; more than twelve are cut with their number.
#[must_use]
pub fn quoted_list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let words: Vec<String> = words.into_iter().map(|w| format!("`{w}`")).collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        many if many.len() > SHOWN => format!("{} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
