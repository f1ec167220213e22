//! Outputs in which there is nothing to take out, told by the lines that they have in common.

use super::known_lines::KnownLines;
use super::normalise::has_unseen;
use super::{Redactor, rules};

/// Lines of which no rule needs to be tried, for the next output of the same command. What it tells is what
/// [`Redactor::suspects`] tells of each line by itself, and what is suspect between two lines may be suspect here too.
#[derive(Default)]
pub struct Harmless {
    /// None of them is suspect, but for those that are new in the text at hand until they are looked at.
    lines: KnownLines<()>,
    /// Lines that were looked at, and those of them that were known.
    looked_at: u32,
    known: u32,
}

/// So many lines show whether it is worth while.
const FIRST: u32 = 4_096;

impl Harmless {
    /// Whether there may be a secret in the text.
    pub fn suspects(&mut self, text: &str) -> bool {
        // Where most lines are new it takes longer to look for them.
        let futile = self.looked_at >= FIRST && self.known < self.looked_at / 2;
        if futile || has_unseen(text.as_bytes()) {
            return Redactor::suspects(text);
        }
        // New lines that follow each other are looked at as one.
        let mut new: Option<usize> = None;
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]) {
            let line = &text[from..end];
            self.looked_at = self.looked_at.saturating_add(1);
            match self.lines.find(line) {
                Ok(_) => {
                    self.known = self.known.saturating_add(1);
                    if new.take().is_some_and(|new| self.suspects_new(&text[new..from])) {
                        return true;
                    }
                }
                Err(missed) => {
                    self.lines.keep(line, missed, || ());
                    new.get_or_insert(from);
                }
            }
            from = end + 1;
        }
        new.is_some_and(|new| self.suspects_new(&text[new..]))
    }

    fn suspects_new(&mut self, lines: &str) -> bool {
        let suspect = rules::SUSPECT.is_match(lines);
        if suspect {
            // One of those that were kept just now may be the suspect one.
            self.lines = KnownLines::default();
        }
        suspect
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Few lines, so that most come again and again, with other digits.
    fn text() -> impl Strategy<Value = String> {
        let line = "(up [0-9]{2}|password=hunter[0-9]{2}|ya[0-9]{2}\\.x|dop_v[0-9]_|\\{S?MD[0-9]\\}|\\$[0-9]\\$|xox[0-9]-|login|\\(|\u{1b}\\[[0-9]m|\
                    \u{212a}ey[0-9]|fine|)";
        proptest::collection::vec(line, 0..6).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn no_text_is_harmless_that_any_rule_may_apply_to(texts in proptest::collection::vec(text(), 1..24)) {
            let mut harmless = Harmless::default();
            for text in &texts {
                let unseen = has_unseen(text.as_bytes());
                let by_line = text.lines().any(Redactor::suspects) || unseen && Redactor::suspects(text);
                let (told, whole) = (harmless.suspects(text), Redactor::suspects(text));
                prop_assert!(told || !by_line, "{text:?}");
                prop_assert!(whole || !told, "{text:?}");
            }
        }
    }
}
