//! Lines -> their shapes and values, and a text as what its lines come to.
//!
//! Thousands of nodes print the same few lines, so each line that was seen lately is looked up and not read again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::mask::{Value, mask};

/// Lines that are remembered at once. It is a cache: what is found out does not depend on it.
const MEMO: usize = 1 << 14;

/// A line without its values: its place in a [`Lexicon`].
pub(super) type Template = u32;

/// Every shape of a line that was seen.
#[derive(Default)]
pub(super) struct Lexicon {
    /// Each with the number of its values.
    shapes: Vec<(Box<str>, usize)>,
    known: HashMap<Box<str>, Template>,
    memo: Vec<Seen>,
    hasher: RandomState,
    shape: String,
}

/// One line that was read, for the next node that prints it.
#[derive(Default, Clone)]
struct Seen {
    line: String,
    template: Template,
    values: Vec<Value>,
}

impl Lexicon {
    /// The shape of a template, with [`super::mask::SLOT`] for each value.
    pub(super) fn shape(&self, template: Template) -> &str {
        self.shapes.get(template as usize).map_or("", |(shape, _)| shape)
    }

    /// How many values stand in a line of it.
    pub(super) fn slots(&self, template: Template) -> usize {
        self.shapes.get(template as usize).map_or(0, |(_, slots)| *slots)
    }

    pub(super) fn templates(&self) -> usize {
        self.shapes.len()
    }

    /// The place of each template in the order of their text, so that nothing depends on which came first.
    pub(super) fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<Template> = (0..).take(self.shapes.len()).collect();
        order.sort_unstable_by_key(|template| self.shape(*template));
        let mut ranks = vec![0; order.len()];
        for (rank, template) in (0..).zip(order) {
            ranks[template as usize] = rank;
        }
        ranks
    }

    /// The template of a line, and its values.
    fn read(&mut self, line: &str, own: &str) -> (Template, &[Value]) {
        if self.memo.is_empty() {
            self.memo = vec![Seen { line: "\n".into(), ..Seen::default() }; MEMO];
        }
        // A line with the node's own name in it reads otherwise for every node.
        let hash = if own.is_empty() || !line.contains(own) { self.hasher.hash_one(line) } else { 0 };
        let at = usize::try_from(hash % MEMO as u64).unwrap_or(0);
        if hash == 0 || self.memo[at].line != line {
            let values = mask(line, own, &mut self.shape);
            let template = match self.known.get(self.shape.as_str()) {
                Some(template) => *template,
                None => {
                    let template = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
                    self.shapes.push((self.shape.as_str().into(), values.len()));
                    self.known.insert(self.shape.as_str().into(), template);
                    template
                }
            };
            let seen = &mut self.memo[at];
            seen.line.clear();
            // Nothing is found again where no line can end so.
            seen.line.push_str(if hash == 0 { "\n" } else { line });
            (seen.template, seen.values) = (template, values);
        }
        let seen = &self.memo[at];
        (seen.template, &seen.values)
    }
}

/// What is left of a text once its lines are read: shapes, and the values that stood in them.
#[derive(Default)]
pub(super) struct Record {
    /// One for each line, in its order.
    pub lines: Vec<Template>,
    /// Of all lines in their order, into `text`.
    pub values: Vec<Value>,
    pub text: String,
}

impl Record {
    /// `own` is the node's own name, which is a value wherever it stands; empty where there is none.
    pub(super) fn of(text: &str, own: &str, lexicon: &mut Lexicon) -> Self {
        let mut record = Record::default();
        text.split('\n').for_each(|line| record.push(line, own, lexicon));
        record
    }

    pub(super) fn push(&mut self, line: &str, own: &str, lexicon: &mut Lexicon) {
        let (template, values) = lexicon.read(line, own);
        self.lines.push(template);
        for value in values {
            let from = place(self.text.len());
            self.text.push_str(value.of(line));
            self.values.push(Value { from, to: place(self.text.len()), kind: value.kind });
        }
    }

    /// How many lines there are of each template, by template.
    pub(super) fn counts(&self) -> Vec<(Template, u32)> {
        let mut sorted = self.lines.clone();
        sorted.sort_unstable();
        sorted.chunk_by(|a, b| a == b).map(|those| (those[0], place(those.len()))).collect()
    }
}

fn place(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_the_same_whether_it_was_seen_before_or_not() {
        let lines = ["used 44% of /", "used 44% of /", "web-1 is up", "web-2 is up", "", "used 45% of /"];
        let (mut fresh, mut kept) = (Vec::new(), Vec::new());
        let mut lexicon = Lexicon::default();
        for line in lines {
            let told = |record: &Record, lexicon: &Lexicon| {
                let shape = lexicon.shape(record.lines[0]).to_owned();
                (shape, record.values.iter().map(|v| v.of(&record.text).to_owned()).collect::<Vec<_>>())
            };
            let mut alone = Lexicon::default();
            fresh.push(told(&Record::of(line, "web-2", &mut alone), &alone));
            kept.push(told(&Record::of(line, "web-2", &mut lexicon), &lexicon));
        }
        assert_eq!(kept, fresh);
        assert_eq!(lexicon.templates(), 3);
    }

    #[test]
    fn ranks_go_by_the_text_and_not_by_what_came_first() {
        let ranked = |lines: &[&str]| {
            let mut lexicon = Lexicon::default();
            let record = Record::of(&lines.join("\n"), "", &mut lexicon);
            let ranks = lexicon.ranks();
            let mut order: Vec<(u32, String)> = record
                .lines
                .iter()
                .map(|template| (ranks[*template as usize], lexicon.shape(*template).to_owned()))
                .collect();
            order.sort();
            order
        };
        assert_eq!(ranked(&["b", "a", "c"]), ranked(&["c", "b", "a"]));
    }
}
