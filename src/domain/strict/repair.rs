//! Lines that the parser cannot get past are blanked, so that the rest of the file is still read.
//!
//! The TOML parser recovers from most faults by itself; after a line such as `timeout 5`, or a list that is never
//! closed, it drops everything behind it. A table appended to the text tells whether that happened. Blanking keeps
//! every byte position, so places stay those of the original file.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::DeTable;

use super::Span;

pub(super) struct Repaired {
    /// As long as the original.
    pub text: String,
    pub faults: Vec<SyntaxFault>,
    /// Lines (from 0) that were blanked or carry a syntax fault.
    pub broken: BTreeSet<usize>,
    /// A text that is never closed swallowed the rest of the file.
    pub cut: bool,
}

pub(super) struct SyntaxFault {
    pub span: Span,
    /// The parser's, or ours: see [`super::syntax`].
    pub message: String,
}

pub(super) const NEVER_CLOSED_TEXT: &str = "this text is never closed";
pub(super) const NEVER_CLOSED_LIST: &str = "this list or table is never closed";

/// Nobody mends more than this in one go, and each round parses the file again.
const ROUNDS: usize = 40;
const SENTINEL: &str = "muster-end-of-file";

pub(super) fn repair(text: &str) -> Repaired {
    let lines: Vec<Range<usize>> = lines(text);
    let line_of = |byte: usize| lines.partition_point(|l| l.start <= byte).saturating_sub(1);
    let mut repaired = Repaired { text: text.to_owned(), faults: Vec::new(), broken: BTreeSet::new(), cut: false };

    for round in 0.. {
        let (whole, mut errors) = parse(&repaired.text);
        errors.sort_by_key(|e| e.span.start);
        for error in &mut errors {
            error.span.start = error.span.start.min(text.len());
            error.span.end = error.span.end.min(text.len());
        }
        // The parser stumbles on over the rest of a broken line; only its first word helps.
        errors.retain(|e| !repaired.broken.contains(&line_of(e.span.start)));
        if whole || round == ROUNDS {
            for error in errors {
                if repaired.broken.insert(line_of(error.span.start)) {
                    repaired.faults.push(error);
                }
            }
            return repaired;
        }
        let Some(first) = errors.into_iter().next() else {
            repaired.cut = true;
            return repaired;
        };
        if first.message.contains("invalid multi-line") {
            let quote = if first.message.contains("literal") { "'''" } else { "\"\"\"" };
            let open = repaired.text.rfind(quote).unwrap_or(first.span.start);
            repaired.broken.insert(line_of(open));
            repaired.faults.push(SyntaxFault { span: open..open + quote.len(), message: NEVER_CLOSED_TEXT.into() });
            repaired.cut = true;
            return repaired;
        }
        let at = line_of(first.span.start);
        let (blank, fault) = culprit(&repaired.text, &lines, at, first);
        for line in blank {
            repaired.broken.insert(line);
            blank_out(&mut repaired.text, &lines[line]);
        }
        repaired.faults.push(fault);
    }
    repaired
}

/// Which lines to blank for the fault on line `at`, and what to say.
fn culprit(text: &str, lines: &[Range<usize>], at: usize, first: SyntaxFault) -> (Range<usize>, SyntaxFault) {
    let line = |n: usize| text[lines[n].clone()].trim();
    let opens = |n: usize| line(n).starts_with('[') || line(n).contains('=');
    let says = |part: &str| first.message.contains(part);
    let before = text[lines[at].start..first.span.start.max(lines[at].start)].trim();
    let first_on_line = before.chars().all(|c| c == '[');
    let inside = says("array") || says("inline table") || says("key-value pairs") || says("must be quoted");
    if inside && first_on_line {
        // The next statement was taken for a part of the list, so the list's own line is to blame.
        let last = if opens(at) { at } else { at + 1 };
        if let Some(start) = (0..last).rev().find(|n| line(*n).contains('=')) {
            let value = line(start).find('=').map_or(0, |n| n + 1);
            let indent = text[lines[start].clone()].len() - text[lines[start].clone()].trim_start().len();
            let from = lines[start].start + indent + value;
            let from = from + (text[from..].len() - text[from..].trim_start_matches(' ').len());
            let span = from..(from + 1).min(text.len());
            return (start..last.max(start + 1), SyntaxFault { span, message: NEVER_CLOSED_LIST.into() });
        }
    }
    // The keys behind a header that cannot be read would look as if they belonged to the table before.
    let header = line(at).contains(']') && !line(at).contains('=');
    let end =
        if header { (at + 1..lines.len()).find(|n| line(*n).starts_with('[')).unwrap_or(lines.len()) } else { at + 1 };
    (at..end, first)
}

/// Whether the parser reached the end of the text, and its errors.
fn parse(text: &str) -> (bool, Vec<SyntaxFault>) {
    let watched = format!("{text}\n[{SENTINEL}]\n");
    let (root, errors) = DeTable::parse_recoverable(&watched);
    let faults = errors
        .iter()
        .map(|e| SyntaxFault { span: e.span().unwrap_or(0..0), message: e.message().to_owned() })
        .collect();
    (root.get_ref().contains_key(SENTINEL), faults)
}

fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split('\n')
        .map(|line| {
            let range = start..start + line.len();
            start = range.end + 1;
            range
        })
        .collect()
}

fn blank_out(text: &mut String, line: &Range<usize>) {
    text.replace_range(line.clone(), &" ".repeat(line.len()));
}
