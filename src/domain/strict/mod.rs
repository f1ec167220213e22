//! The strict reader of every TOML file that people write: runbooks, policies and muster.toml.
//!
//! [`read`] parses a file with recovery and hands a [`Document`] to be walked by hand: the reader asks each
//! [`Table`] for the keys it knows, and [`Table::finish`] reports every key that nobody asked for. Nothing stops
//! at the first fault, each fault has file, line, column, what and remedy, and no input makes it panic.
//!
//! ```
//! # use std::path::Path;
//! # use muster::domain::strict;
//! let (title, faults) = strict::read(Path::new("x.toml"), "title = 5\nrisc = \"read\"\n", |document| {
//!     let root = document.root();
//!     let title = root.required_str("title").map(|t| t.value.to_owned());
//!     let _risk = root.optional_str("risk");
//!     root.finish();
//!     title
//! });
//! assert_eq!(title, None);
//! assert_eq!(faults[0].what, "`title`: expected text, found an integer");
//! assert_eq!(faults[1].remedy, "did you mean `risk`?");
//! ```

mod item;
#[cfg(test)]
pub mod recorder;
mod repair;
mod syntax;
mod table;
mod written;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Deref, Range};
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

use super::fault::{Fault, Position};

pub use item::{Item, Kind};
pub use table::Table;
pub use written::Written;

/// Bytes of the file, for [`Document::fault`].
pub type Span = Range<usize>;

/// A value together with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    pub value: T,
    pub span: Span,
}

impl<T> At<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> At<U> {
        At { value: f(self.value), span: self.span }
    }
}
impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// One file: what could be parsed of it, and the faults found so far.
pub struct Document<'t> {
    file: &'t Path,
    text: &'t str,
    root: Spanned<DeTable<'t>>,
    /// Byte at which each line starts.
    lines: Vec<usize>,
    faults: RefCell<Vec<Found>>,
    /// Lines (from 0) with a syntax fault: what the walk finds there is a consequence of it.
    broken: BTreeSet<usize>,
    /// A text that is never closed swallowed the rest of the file.
    cut: bool,
}

struct Found {
    span: Span,
    what: String,
    remedy: String,
}

/// Parses `text` with recovery, lets `walk` read it, and returns what `walk` made of it with every fault, syntax
/// faults included, in the order of the file. The value is only good if there are no faults.
pub fn read<T>(file: &Path, text: &str, walk: impl FnOnce(&Document<'_>) -> T) -> (T, Vec<Fault>) {
    let repaired = repair::repair(text);
    let document = Document::new(file, text, &repaired);
    let value = walk(&document);
    (value, document.into_faults())
}

impl<'t> Document<'t> {
    fn new(file: &'t Path, text: &'t str, repaired: &'t repair::Repaired) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        // What is wrong with the syntax is known from the repair.
        let (root, _) = DeTable::parse_recoverable(&repaired.text);
        let (faults, broken) = (RefCell::default(), repaired.broken.clone());
        let document = Document { file, text, root, lines, faults, broken, cut: repaired.cut };
        for fault in &repaired.faults {
            let (what, remedy) = syntax::explain(&fault.message, text, &fault.span);
            document.fault(&fault.span, what, remedy);
        }
        document
    }

    /// The top level of the file.
    #[must_use]
    pub fn root(&self) -> Table<'_> {
        Table::new(self, self.root.get_ref(), String::new(), 0..0)
    }

    /// Reports a fault at `span`: `what` is a lower-case fragment, `remedy` says what to do.
    pub fn fault(&self, span: &Span, what: impl Into<String>, remedy: impl Into<String>) {
        self.faults.borrow_mut().push(Found { span: span.clone(), what: what.into(), remedy: remedy.into() });
    }

    fn forget(&self, what: &str) {
        self.faults.borrow_mut().retain(|f| f.what != what);
    }

    /// Where byte `offset` of a text value stands in the file, so that a fault inside a script names its own line.
    ///
    /// Where the file writes the value with escapes this is the start of the value.
    #[must_use]
    pub fn inside(&self, text: &At<&str>, offset: usize) -> Span {
        let source = self.text.get(text.span.clone()).unwrap_or_default();
        match source.find(text.value) {
            Some(start) => {
                let at = (text.span.start + start + offset).min(text.span.end);
                at..at
            }
            None => text.span.clone(),
        }
    }

    /// Whether `key` may stand in a part of the file that could not be understood, so that it is not "missing".
    fn may_have_lost(&self, key: &str) -> bool {
        let line = |n: &usize| {
            let start = self.lines.get(*n).copied().unwrap_or_default();
            let end = self.lines.get(n + 1).copied().unwrap_or(self.text.len());
            self.text.get(start..end).unwrap_or_default()
        };
        self.cut || self.broken.iter().any(|n| line(n).contains(key))
    }

    /// Whether anything at all is wrong so far.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        !self.faults.borrow().is_empty()
    }

    fn into_faults(self) -> Vec<Fault> {
        let mut found = self.faults.take();
        let mut broken_seen = BTreeSet::new();
        // Syntax faults were found first; anything later on a broken line follows from the fault there.
        found.retain(|f| {
            let line = self.line_of(f.span.start);
            !self.broken.contains(&line) || broken_seen.insert(line)
        });
        // Stable: what the reader asked for first is told first where places are the same.
        found.sort_by_key(|f| f.span.start);
        let mut told = BTreeSet::new();
        found.retain(|f| told.insert((f.span.start, f.what.clone())));
        found
            .into_iter()
            .map(|f| Fault {
                file: self.file.to_owned(),
                at: Some(self.position(f.span.start)),
                what: f.what,
                remedy: f.remedy,
            })
            .collect()
    }

    fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    fn position(&self, byte: usize) -> Position {
        let line = self.line_of(byte);
        let start = self.lines.get(line).copied().unwrap_or(0);
        let before = self.text.get(start..byte.min(self.text.len())).unwrap_or_default();
        let column = before.trim_start_matches('\u{feff}').chars().count();
        let one_based = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        Position { line: one_based(line), column: one_based(column) }
    }
}
