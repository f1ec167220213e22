//! Small pieces of sentences: numbers, plurals, lists, and a builder for one line.

pub use crate::domain::number;
use crate::domain::{Millis, Principal, Timestamp};

use super::{Block, Span};

/// One line of text in the making. The first argument of everything is shown as it is, never parsed.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Vec<Span>);

/// A line that starts with plain text.
pub(super) fn say(text: impl Into<String>) -> Line {
    Line::default().plain(text)
}

impl Line {
    pub(super) fn plain(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.0.push(Span::Plain(text));
        }
        self
    }
    pub(super) fn bold(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Bold(text.into()));
        self
    }
    pub(super) fn code(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Code(text.into()));
        self
    }
    pub(super) fn person(mut self, person: &Principal) -> Self {
        self.0.push(Span::Person(person.clone()));
        self
    }
    pub(super) fn when(mut self, at: Timestamp) -> Self {
        self.0.push(Span::When(at));
        self
    }
    pub(super) fn span(mut self, span: Span) -> Self {
        self.0.push(span);
        self
    }
    /// One of our own fragments, in which values stand in backticks.
    pub(super) fn prose(mut self, text: &str) -> Self {
        self.0.extend(prose(text));
        self
    }
    pub(super) fn then(mut self, other: Line) -> Self {
        self.0.extend(other.0);
        self
    }
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub(super) fn spans(self) -> Vec<Span> {
        self.0
    }
    pub(super) fn text(self) -> Block {
        Block::Text(self.0)
    }
    pub(super) fn note(self) -> Block {
        Block::Note(self.0)
    }
}

/// Lines in one block.
pub(super) fn lines(lines: impl IntoIterator<Item = Line>) -> Vec<Span> {
    let mut spans = Vec::new();
    for line in lines {
        if !spans.is_empty() {
            spans.push(Span::plain("\n"));
        }
        spans.extend(line.0);
    }
    spans
}

/// Values in backticks become code; a backtick without a partner stays what it is.
pub(super) fn prose(text: &str) -> Vec<Span> {
    let parts: Vec<&str> = text.split('`').collect();
    // An even number of parts means an odd number of backticks: the last one has no partner.
    let (paired, rest) =
        if parts.len().is_multiple_of(2) { parts.split_at(parts.len() - 2) } else { (parts.as_slice(), [].as_slice()) };
    let mut spans: Vec<Span> = paired
        .iter()
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(i, part)| if i % 2 == 1 { Span::code(*part) } else { Span::plain(*part) })
        .collect();
    if !rest.is_empty() {
        spans.push(Span::plain(rest.join("`")));
    }
    spans
}

/// A fragment as a sentence: a capital in front, a full stop behind.
pub(super) fn sentence(fragment: &str) -> String {
    let text = fragment.trim();
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), chars.as_str())
}

pub(super) fn size(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// `1 node`, `2 nodes`.
pub fn count(n: impl Into<u64>, one: &str) -> String {
    let n = n.into();
    let many = match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{one}s"),
    };
    if n == 1 { format!("1 {one}") } else { format!("{} {many}", number(n)) }
}

pub(super) fn nodes(n: u32) -> String {
    count(n, "node")
}

/// `is` or `are`, for that many.
pub(super) fn are(n: u32) -> &'static str {
    if n == 1 { "is" } else { "are" }
}

pub fn were(n: impl Into<u64>) -> &'static str {
    if n.into() == 1 { "was" } else { "were" }
}

/// `5 min 30 s`: the unit `m` alone could be metres to somebody who reads it at night.
pub(super) fn duration(time: Millis) -> String {
    let text = time.to_string();
    match text.split_once(" m") {
        Some((minutes, rest)) if rest.is_empty() || rest.starts_with(' ') => format!("{minutes} min{rest}"),
        _ => text,
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(items: &[String], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., end] => format!("{} {last} {end}", head.join(", ")),
    }
}

/// The first `most` items, and how many more there are.
pub(super) fn some(items: &[String], most: usize) -> String {
    if items.len() <= most {
        return list(items, "and");
    }
    format!("{} and {} more", items[..most].join(", "), number(size(items.len() - most)))
}

/// At most `max` characters on one line; `…` stands for what is missing.
pub(super) fn cut(text: &str, max: usize) -> String {
    let flat = |c: char| if c.is_whitespace() || c.is_control() { ' ' } else { c };
    match text.char_indices().nth(max) {
        None => text.chars().map(flat).collect(),
        Some(_) if max == 0 => String::new(),
        Some(_) => {
            let head: String = text.chars().take(max - 1).map(flat).collect();
            format!("{}…", head.trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_plurals_read_well() {
        assert_eq!([0u32, 7, 1000, 48_300, 1_234_567].map(number), ["0", "7", "1,000", "48,300", "1,234,567"]);
        assert_eq!(
            [count(1u32, "node"), count(2u32, "node"), count(3u32, "policy"), count(2u32, "day"), count(2u32, "key")],
            ["1 node", "2 nodes", "3 policies", "2 days", "2 keys"]
        );
        assert_eq!(
            [90_000, 330_000, 120_000, 3_900_000, 840].map(|m| duration(Millis(m))),
            ["1 min 30 s", "5 min 30 s", "2 min", "1 h 5 min", "840 ms"]
        );
        assert_eq!(some(&["a", "b", "c", "d"].map(String::from), 2), "a, b and 2 more");
        assert_eq!(cut("a\nbc", 3), "a…");
    }

    #[test]
    fn values_in_backticks_become_code_and_a_lonely_backtick_stays() {
        assert_eq!(prose("`a` or `b`"), [Span::code("a"), Span::plain(" or "), Span::code("b")]);
        assert_eq!(prose("it's ` here"), [Span::plain("it's ` here")]);
        assert_eq!(prose("`a` and ` b"), [Span::code("a"), Span::plain(" and ` b")]);
        assert_eq!(prose(""), []);
    }
}
