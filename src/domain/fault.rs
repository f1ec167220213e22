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

impl Position {
    /// Where this byte stands in the text.
    #[must_use]
    pub fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let one_based = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        Position { line: one_based(line), column: one_based(column) }
    }
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
/// Case and `_` against `-` do not count as differences; otherwise at most a third of the letters may differ. A word that
/// is the beginning of a single candidate means that one. Of equally near ones the first by name is taken, whatever
/// order they come in.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let word = plain(word);
    let typed = word.chars().count();
    // Long words are not typing slips, and the comparison is quadratic.
    if word.is_empty() || word.len() > 200 {
        return None;
    }
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let near = candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &plain(candidate)), *candidate))
        .filter(|(distance, candidate)| {
            let length = typed.max(candidate.chars().count());
            *distance <= (length / 3).max(1) && *distance < length
        })
        .min()
        .map(|(_, candidate)| candidate);
    near.or_else(|| {
        let mut begun = candidates.iter().filter(|candidate| typed >= BEGINNING && plain(candidate).starts_with(&word));
        begun.next().copied().filter(|first| begun.all(|other| other == first))
    })
}

/// Letters that make a beginning worth a guess.
const BEGINNING: usize = 3;

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

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_recognised_and_noise_is_not() {
        let verbs = ["run", "plan", "status", "cancel"];
        for (typed, meant) in [("rnu", "run"), ("RUN", "run"), ("staus", "status"), ("cancle", "cancel")] {
            assert_eq!(closest(typed, verbs), Some(meant), "{typed}");
        }
        for typed in ["", "x", "deploy", "qq"] {
            assert_eq!(closest(typed, verbs), None, "{typed}");
        }
        assert_eq!(closest("restart_servce", ["restart-service", "service-status"]), Some("restart-service"));
    }

    #[test]
    fn a_beginning_means_the_only_one_that_begins_so() {
        let books = ["restart-service", "disk-usage", "disk-health"];
        assert_eq!(closest("restart", books), Some("restart-service"));
        assert_eq!(closest("disk", books), None, "it could be either");
        assert_eq!(closest("re", books), None, "too little to guess from");
    }

    #[test]
    fn of_equally_near_ones_the_first_by_name_is_taken_in_any_order() {
        assert_eq!(closest("web-3", ["web-2", "web-1"]), Some("web-1"));
        assert_eq!(closest("web-3", ["web-1", "web-2"]), Some("web-1"));
    }
}
