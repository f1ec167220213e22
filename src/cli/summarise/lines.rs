//! The lines of one node after the other, equal ones once.

use std::ops::Range;

/// What nodes print who stand beside each other. Most print what the one before them has printed, which is compared line by
/// line with what came, and not copied.
#[derive(Default)]
pub(super) struct Lines {
    /// Each line with its end.
    text: Vec<u8>,
    /// Of the node before: its lines, and where each of them ends.
    before: Range<usize>,
    before_ends: Vec<usize>,
    /// So many lines of this node are those of the one before.
    same: usize,
    /// Where its own begin, from the first line on that is another one; and where each of them ends.
    own: Option<usize>,
    ends: Vec<usize>,
}

impl Lines {
    /// An empty one in the room of this, with room for so many bytes.
    pub(super) fn again(self, bytes: usize) -> Self {
        let Lines { mut text, mut before_ends, mut ends, .. } = self;
        text.clear();
        text.reserve(bytes);
        before_ends.clear();
        ends.clear();
        Lines { text, before_ends, ends, ..Lines::default() }
    }

    /// The next line, if it is that of the node before, with its end.
    pub(super) fn expected(&self) -> Option<&[u8]> {
        let end = self.before_ends.get(self.same).filter(|_| self.own.is_none())?;
        self.text.get(self.same_end()..*end)
    }

    /// It is.
    pub(super) fn take_expected(&mut self) {
        self.same += 1;
    }

    /// Adds a line without its end.
    pub(super) fn add(&mut self, line: &[u8]) {
        if self.expected().and_then(|expected| expected.strip_suffix(b"\n")) == Some(line) {
            return self.take_expected();
        }
        self.part_ways();
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
        self.ends.push(self.text.len());
    }

    /// Adds a line with its end.
    pub(super) fn add_whole(&mut self, line: &[u8]) {
        self.part_ways();
        self.text.extend_from_slice(line);
        self.ends.push(self.text.len());
    }

    /// The lines of the node are over: where they stand.
    pub(super) fn end_of_node(&mut self) -> Range<usize> {
        if self.own.is_some() || self.same < self.before_ends.len() {
            let from = self.part_ways();
            self.before = from..self.text.len();
            std::mem::swap(&mut self.before_ends, &mut self.ends);
        }
        (self.same, self.own) = (0, None);
        self.before.clone()
    }

    pub(super) fn text(&self, place: &Range<usize>) -> &[u8] {
        &self.text[place.clone()]
    }

    /// Up to where it is the node before's.
    fn same_end(&self) -> usize {
        self.same.checked_sub(1).map_or(self.before.start, |last| self.before_ends[last])
    }

    /// From here on it has lines of its own; those that were the same are copied.
    fn part_ways(&mut self) -> usize {
        if let Some(own) = self.own {
            return own;
        }
        let own = self.text.len();
        let (from, to) = (self.before.start, self.same_end());
        self.text.extend_from_within(from..to);
        self.ends.clear();
        self.ends.extend(self.before_ends[..self.same].iter().map(|end| end - from + own));
        self.own = Some(own);
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_come_back_as_they_were_whoever_stands_beside_whom(
            nodes in proptest::collection::vec(proptest::collection::vec("[ab]?", 1..5), 1..12),
        ) {
            let mut lines = Lines::default();
            for _ in 0..2 {
                lines = lines.again(8);
                let mut places = Vec::new();
                for node in &nodes {
                    for line in node {
                        let whole = format!("{line}\n");
                        if lines.expected() == Some(whole.as_bytes()) {
                            lines.take_expected();
                        } else if line == "a" {
                            lines.add_whole(whole.as_bytes());
                        } else {
                            lines.add(line.as_bytes());
                        }
                    }
                    places.push(lines.end_of_node());
                }
                for (node, place) in nodes.iter().zip(&places) {
                    let wanted = node.join("\n") + "\n";
                    prop_assert_eq!(lines.text(place), wanted.as_bytes());
                }
            }
        }
    }

    #[test]
    fn equal_lines_of_nodes_beside_each_other_stand_there_once() {
        let mut lines = Lines::default();
        let mut node = |of: &[&str]| {
            of.iter().for_each(|line| lines.add(line.as_bytes()));
            lines.end_of_node()
        };
        let places = [node(&["a", "b"]), node(&["a", "b"]), node(&["a"]), node(&["a", "b"]), node(&["a", "b"])];
        assert_eq!(places, [0..4, 0..4, 4..6, 6..10, 6..10]);
    }
}
