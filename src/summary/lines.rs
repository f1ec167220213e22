//! Lines -> their shapes and values, and a text as what its lines come to.
//!
//! Thousands of nodes print the same few lines, so each line that was seen lately is looked up and not read again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::mask::{Kind, Value, mask};
use super::names::by_name;
use super::size;

/// Lines that are remembered at once, and the bytes of the longest of them. It is a cache: what is found out does not depend
/// on it.
const MEMO: usize = 1 << 14;
const MEMO_LINE: usize = 1 << 10;

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

    /// Where each shape of another lexicon stands in this one.
    pub(super) fn learn(&mut self, other: &Lexicon) -> Vec<Template> {
        other.shapes.iter().map(|(shape, slots)| self.put(shape, *slots)).collect()
    }

    fn put(&mut self, shape: &str, slots: usize) -> Template {
        if let Some(template) = self.known.get(shape) {
            return *template;
        }
        let template = size(self.shapes.len());
        self.shapes.push((shape.into(), slots));
        self.known.insert(shape.into(), template);
        template
    }

    pub(super) fn templates(&self) -> usize {
        self.shapes.len()
    }

    /// The template of a line, and its values.
    fn read(&mut self, line: &str, own: &str) -> (Template, &[Value]) {
        if self.memo.is_empty() {
            self.memo = vec![Seen { line: "\n".into(), ..Seen::default() }; MEMO];
        }
        // A line with the node's own name in it reads otherwise for every node, and a long one is not kept.
        let kept = line.len() <= MEMO_LINE && (own.is_empty() || !line.contains(own));
        let hash = if kept { self.hasher.hash_one(line) } else { 0 };
        let at = usize::try_from(hash % MEMO as u64).unwrap_or(0);
        if hash == 0 || self.memo[at].line != line {
            let values = mask(line, own, &mut self.shape);
            let shape = std::mem::take(&mut self.shape);
            let template = self.put(&shape, values.len());
            self.shape = shape;
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
    /// Its lines but the blank ones, by their template, and those of one template by what they say: a list sorted by
    /// something is the same list.
    pub sorted: Vec<Place>,
    /// Of all lines in the order of the text, into `text`.
    pub values: Vec<Value>,
    pub text: String,
}

/// Where a line stands in a [`Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub template: Template,
    /// Which line it is, from 0.
    pub line: u32,
    /// Where its values begin.
    pub values: u32,
}

impl Record {
    /// `own` is the node's own name, which is a value wherever it stands; empty where there is none.
    pub(super) fn of(text: &str, own: &str, lexicon: &mut Lexicon) -> Self {
        let mut record = Record::default();
        text.split('\n').enumerate().for_each(|(at, line)| record.push(at, line, own, lexicon));
        record.sort(lexicon);
        record
    }

    fn sort(&mut self, lexicon: &Lexicon) {
        let Record { sorted, values, text, .. } = self;
        sorted.sort_unstable();
        for alike in sorted.chunk_by_mut(|a, b| a.template == b.template) {
            let slots = lexicon.slots(alike[0].template);
            if alike.len() > 1 && slots > 0 {
                let of = |at: &Place, slot: usize| values[at.values as usize + slot];
                // Names before numbers, which move: `eth0` with its traffic stays where it is.
                let moves =
                    |slot: &usize| alike.iter().all(|at| matches!(of(at, *slot).kind, Kind::Number | Kind::Time));
                let (numbers, names): (Vec<usize>, Vec<usize>) = (0..slots).partition(moves);
                let order: Vec<usize> = names.into_iter().chain(numbers).collect();
                alike.sort_by(|a, b| {
                    let mut pairs = order.iter().map(|slot| by_name(of(a, *slot).of(text), of(b, *slot).of(text)));
                    pairs.find(|order| order.is_ne()).unwrap_or(a.line.cmp(&b.line))
                });
            }
        }
    }

    fn push(&mut self, at: usize, line: &str, own: &str, lexicon: &mut Lexicon) {
        let (template, values) = lexicon.read(line, own);
        if !line.trim_ascii().is_empty() {
            self.sorted.push(Place { template, line: size(at), values: size(self.values.len()) });
        }
        for value in values {
            let from = size(self.text.len());
            self.text.push_str(value.of(line));
            self.values.push(Value { from, to: size(self.text.len()), kind: value.kind });
        }
    }

    /// Gives back what is not used.
    pub(super) fn shrink(&mut self) {
        self.sorted.shrink_to_fit();
        self.values.shrink_to_fit();
        self.text.shrink_to_fit();
    }

    /// Follows its lexicon into another one; see [`Lexicon::learn`].
    pub(super) fn renumber(&mut self, templates: &[Template]) {
        self.sorted.iter_mut().for_each(|at| at.template = templates[at.template as usize]);
        // Stable: lines of one template stay as they are.
        self.sorted.sort_by_key(|at| at.template);
    }

    /// How many lines there are of each template, by template.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Template, u32)> {
        self.sorted.chunk_by(|a, b| a.template == b.template).map(|those| (those[0].template, size(those.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::mask::SLOT;
    use super::*;

    #[test]
    fn a_line_reads_the_same_whether_it_was_seen_before_or_not() {
        let lines = ["used 44% of /", "used 44% of /", "web-1 is up", "web-2 is up", "", "used 45% of /"];
        let (mut fresh, mut kept) = (Vec::new(), Vec::new());
        let mut lexicon = Lexicon::default();
        for line in lines {
            let told = |record: &Record, lexicon: &Lexicon| {
                let shape = record.sorted.first().map(|at| lexicon.shape(at.template).to_owned());
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
    fn lines_of_one_template_have_one_order_whatever_their_values_are() {
        // A number in one line and an id in another, so often that a sort would notice an order that is none.
        let words = ["7", "a7", "10:02", "b1", "3%", "1.2.3", "x9y", "44", "10.0.0.1", "0x1f"];
        let lines: Vec<String> =
            (0..600usize).map(|n| format!("v {} w {}", words[n * 7 % 10], words[n * n % 10])).collect();
        let sorted = |lines: &[String]| {
            let record = Record::of(&lines.join("\n"), "", &mut Lexicon::default());
            record.sorted.iter().map(|at| lines[at.line as usize].clone()).collect::<Vec<_>>()
        };
        let mut turned = lines.clone();
        turned.reverse();
        assert_eq!(sorted(&lines), sorted(&turned));
    }

    #[test]
    fn a_record_is_the_same_in_another_lexicon() {
        let text = "b 1\na 2\nb 3";
        let (mut one, mut other) = (Lexicon::default(), Lexicon::default());
        let mut record = Record::of(text, "", &mut one);
        other.learn(&{
            let mut first = Lexicon::default();
            Record::of("a 9", "", &mut first);
            first
        });
        record.renumber(&other.learn(&one));
        let told = |places: &[Place]| -> Vec<(String, u32, u32)> {
            places.iter().map(|p| (other.shape(p.template).replace(SLOT, "*"), p.line, p.values)).collect()
        };
        assert_eq!(told(&record.sorted), [("a *".into(), 1, 1), ("b *".into(), 0, 0), ("b *".into(), 2, 2)]);
        assert_eq!(record.counts().collect::<Vec<_>>(), [(0, 1), (1, 2)]);
    }
}
