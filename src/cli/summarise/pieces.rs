//! A block of `node: line` text -> the lines of each node that stand together, without its name.

use std::ops::Range;

use foldhash::fast::RandomState;
use std::hash::BuildHasher as _;

use crate::redact::Redactor;
use crate::summary::{Hand, ReadAhead};

use super::blocks::Block;
use super::line::{Line, parse};
use super::lines::Lines;

/// No secret by itself, and one behind a name that says so; whether any says so is seen by its start.
const PROBE: &str = ": Probe1x9Zq7w2\n";
const PROBE_START: &str = ": \n";
/// Names of nodes are looked at together where there are fewer than lines by this.
const LINES_OF_NODE: usize = 4;

/// What stands in one block. Made by any thread: it depends on the block alone.
#[derive(Default)]
pub(super) struct Pieces {
    block: Block,
    /// The lines of nodes.
    lines: Lines,
    /// The names of nodes, each with the start of a [`PROBE`] behind it.
    names: String,
    pub runs: Vec<Run>,
    /// Lines in which the tool says how it ended on a node.
    ends: Vec<Range<usize>>,
    /// Lines that are of no node, and the first of them.
    pub nobody: u64,
    pub first_nobody: Option<Range<usize>>,
    /// No name in it can be a secret, or can say that its value is one.
    pub harmless: bool,
}

/// Lines of one node that stand together.
pub(super) struct Run {
    /// Into the names.
    name: Range<usize>,
    /// Among the lines; that of the run before if that printed the same.
    text: Range<usize>,
    /// The first line as it came.
    pub first: Range<usize>,
    pub lines: u64,
    pub name_hash: u64,
    pub text_hash: u64,
    /// What was read of the text, if that was not done before.
    pub read: Option<ReadAhead>,
}

impl Pieces {
    /// In the room of another; `hasher`: makes the hashes of each run; `hand`: reads those that begin and end here.
    pub(super) fn of(block: Block, room: Pieces, hasher: &RandomState, hand: Option<&mut Hand>) -> Self {
        let Pieces { lines, mut names, mut runs, mut ends, .. } = room;
        let mut lines = lines.again(block.bytes.len());
        names.clear();
        runs.clear();
        ends.clear();
        let (mut nobody, mut first_nobody) = (0, None);
        let bytes = block.bytes.as_slice();
        // `node: ` as the line before began: most lines are of the same node as the one before.
        let mut head: &[u8] = b"";
        let mut at = 0;
        while at < bytes.len() {
            let from = at;
            let whole = bytes[from..].starts_with(head).then_some(head.len()).filter(|head| *head > 0);
            let behind = from + whole.unwrap_or(0);
            if let (Some(_), Some(run)) = (whole, runs.last_mut())
                && let Some(line) = lines.expected().filter(|line| bytes[behind..].starts_with(line))
            {
                at = behind + line.len();
                lines.take_expected();
                let run: &mut Run = run;
                run.lines += 1;
                continue;
            }
            let end = memchr::memchr(b'\n', &bytes[behind..]).map_or(bytes.len(), |end| behind + end);
            at = end + 1;
            if let (Some(_), Some(run)) = (whole, runs.last_mut()) {
                // Most lines end as they have to, and are taken over with their end.
                match bytes[behind..].get(..at - behind) {
                    Some(line) if !line.ends_with(b"\r\n") => lines.add_whole(line),
                    _ => lines.add(bare(&bytes[behind..end])),
                }
                run.lines += 1;
                continue;
            }
            let line = &bytes[from..end];
            match parse(line) {
                Line::Of(name, rest) => {
                    // Only in this form no other can be meant by what follows.
                    let blank = line.strip_suffix(b"\r").map_or(line.len(), <[u8]>::len) - rest.len();
                    head = if line[..blank].ends_with(b": ") { &line[..blank] } else { b"" };
                    match runs.last_mut().filter(|run| names[run.name.clone()] == *name) {
                        Some(run) => run.lines += 1,
                        None => {
                            runs.last_mut().into_iter().for_each(|run| run.text = lines.end_of_node());
                            let from_name = names.len();
                            names.push_str(name);
                            names.push_str(PROBE_START);
                            runs.push(Run {
                                name: from_name..from_name + name.len(),
                                text: 0..0,
                                first: from..end,
                                lines: 1,
                                name_hash: 0,
                                text_hash: 0,
                                read: None,
                            });
                        }
                    }
                    lines.add(bare(rest));
                }
                Line::End(..) => ends.push(from..end),
                Line::Nobody if line.iter().all(u8::is_ascii_whitespace) => {}
                Line::Nobody => {
                    nobody += 1;
                    first_nobody.get_or_insert(from..end);
                }
            }
        }
        runs.last_mut().into_iter().for_each(|run| run.text = lines.end_of_node());
        let mut before = (0..0, 0);
        for run in &mut runs {
            run.name_hash = hasher.hash_one(&names.as_bytes()[run.name.clone()]);
            if before.0 != run.text {
                before = (run.text.clone(), hasher.hash_one(lines.text(&run.text)));
            }
            run.text_hash = before.1;
        }
        let count = runs.iter().map(|run| run.lines).sum::<u64>();
        let harmless = (runs.len() * LINES_OF_NODE) as u64 <= count && !Redactor::suspects(&names);
        if let Some(hand) = hand.filter(|_| !block.cut) {
            read(&mut runs, &names, harmless, &lines, hand);
        }
        Pieces { block, lines, names, runs, ends, nobody, first_nobody, harmless }
    }

    /// Lines of which the end was left out.
    pub(super) fn cut(&self) -> u64 {
        u64::from(self.block.cut)
    }

    /// A line as it came.
    pub(super) fn line(&self, place: &Range<usize>) -> &[u8] {
        &self.block.bytes[place.clone()]
    }

    pub(super) fn name(&self, run: &Run) -> &str {
        &self.names[run.name.clone()]
    }

    /// Its lines, each with its end.
    pub(super) fn text(&self, run: &Run) -> &[u8] {
        self.lines.text(&run.text)
    }

    pub(super) fn ends(&self) -> impl Iterator<Item = &[u8]> {
        self.ends.iter().map(|place| self.line(place))
    }

    /// The room of its block, for the next one.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.block.bytes)
    }
}

/// Reads the texts that are whole: the first and the last may have other lines in the blocks beside this one.
fn read(runs: &mut [Run], names: &str, harmless: bool, lines: &Lines, hand: &mut Hand) {
    let mut before = 0..0;
    for run in runs.iter_mut().rev().skip(1).rev().skip(1) {
        if run.text != before && run.lines < Hand::LINES as u64 {
            before = run.text.clone();
            let probed = &names[run.name.start..run.name.end + PROBE_START.len()];
            // What stands behind a name that hides something is of no node.
            let text = if harmless || Redactor::lets_pass(probed) { lines.text(&run.text) } else { continue };
            let text = std::str::from_utf8(text).ok();
            run.read = text.and_then(|text| hand.read(&names[run.name.clone()], text, run.text_hash));
        }
    }
}

/// A line as terminals show it.
fn bare(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether the name is a secret, or says that its value is one: `password: …` is of no node.
pub(super) fn hides(name: &str, redactor: &Redactor) -> bool {
    let hides = |text: &str| !redactor.redact(text).found.is_empty();
    let probe = [name, PROBE].concat();
    Redactor::suspects(&probe) && (hides(name) || hides(&probe))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Pieces {
        let block = Block { bytes: text.into(), cut: false };
        Pieces::of(block, Pieces::default(), &RandomState::default(), None)
    }

    fn told(pieces: &Pieces) -> Vec<(&str, &str, u64)> {
        let text = |run: &Run| std::str::from_utf8(pieces.text(run)).unwrap();
        pieces.runs.iter().map(|run| (pieces.name(run), text(run), run.lines)).collect()
    }

    #[test]
    fn lines_of_one_node_that_stand_together_are_one_run() {
        let pieces = pieces("a: 1\r\na: 2\na:\na:\t3\nwhat is this\na: 4\n\nb\t1\nb\t2\na: 5\npdsh@x: b: no\nb: 6");
        assert_eq!(told(&pieces), [("a", "1\n2\n\n3\n4\n", 5), ("b", "1\n2\n", 2), ("a", "5\n", 1), ("b", "6\n", 1)]);
        assert_eq!((pieces.nobody, pieces.first_nobody.clone()), (1, Some(19..31)));
        assert_eq!(pieces.ends().collect::<Vec<_>>(), [b"pdsh@x: b: no"]);
        assert_eq!(pieces.line(&pieces.runs[0].first), b"a: 1\r");
    }

    #[test]
    fn equal_texts_have_one_hash_and_a_suspect_name_is_noticed_among_others() {
        let lines = |name: &str, what: &str| format!("{name}: {what}\n").repeat(5);
        let hasher = RandomState::default();
        let of = |text: String| Pieces::of(Block { bytes: text.into(), cut: false }, Pieces::default(), &hasher, None);
        let good = of(lines("web-1", "up") + &lines("web-2", "up") + &lines("web-3", "down"));
        assert!(good.harmless && good.runs[0].text_hash == good.runs[1].text_hash);
        assert!(good.runs[1].text_hash != good.runs[2].text_hash && good.runs[0].name_hash != good.runs[1].name_hash);
        assert!(!of(lines("web-1", "up") + &lines("password", "up")).harmless);
        assert!(hides("password", &Redactor::new(b"key")) && !hides("web-1", &Redactor::new(b"key")));
    }
}
