//! Lines -> their shapes and values, and a text as what its lines come to.
//!
//! Each line that was seen lately is looked up and not read again.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::redact::{Found, KnownLines, Missed, Redactor};

use super::became::Became;
use super::facts::{Keys, Look};
use super::mask::{Kind, Span, mask};
use super::names::by_name;
use super::order::Orders;
use super::values::{self, Value, Values, View};
use super::{size, split_lines};

/// A line without its values: its place in a [`Lexicon`].
pub(super) type Template = u32;

/// Every shape of a line that was seen.
#[derive(Default)]
pub(super) struct Lexicon {
    /// Each with the number of its values.
    shapes: Vec<(Box<str>, usize)>,
    known: HashMap<Box<str>, Template, RandomState>,
    /// Of normalised texts.
    seen: KnownLines<Seen>,
    /// Since lines were looked up others became known.
    learnt: bool,
    pub keys: Keys,
    /// The lines of the text that was read last, or its first ones where it was too long to be compared.
    pub lines: Vec<Line>,
    /// They are all of it.
    pub whole: bool,
    shape: String,
    spans: Vec<Span>,
    draft: Draft,
    layouts: Layouts,
}

/// A line of the text that was read last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Where it begins and ends.
    pub from: u32,
    to: u32,
    found: Result<Found, Missed>,
    /// What is known of it.
    pub look: Option<Look>,
}

impl Line {
    /// Lines of one number differ in nothing but digits; 0 is that of all lines that are not known.
    pub(super) fn number(&self) -> u32 {
        self.found.map_or(0, |found| found.number.get())
    }
}

/// What is known of a line that came more than once.
struct Seen {
    template: Template,
    spans: Box<[Span]>,
    look: Look,
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

    /// Where each shape of another lexicon stands in this one; `before` says so of those that were there already.
    pub(super) fn learn(&mut self, other: &Lexicon, mut before: Vec<Template>) -> Vec<Template> {
        let new = &other.shapes[before.len()..];
        before.extend(new.iter().map(|(shape, slots)| self.put(shape, *slots)));
        before
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

    /// How the lines stand that came in a text: by their template, and those of one template by what they say.
    fn layout(&mut self, draft: &Draft) -> Arc<[Place]> {
        let mut layouts = std::mem::take(&mut self.layouts);
        if layouts.came != draft.places {
            layouts.came.clone_from(&draft.places);
            let mut by_template = draft.places.clone();
            by_template.sort_unstable();
            layouts.by_template = layouts.share(&by_template);
        }
        let Layouts { by_template, alike, .. } = &mut layouts;
        let by_values = |alike: &Alike, places: &[Place]| by_values(alike, places, draft.values.view());
        let layout = match in_order(by_template, alike.of(by_template, self), by_values) {
            None => Arc::clone(by_template),
            Some(ordered) => layouts.share(&ordered),
        };
        self.layouts = layouts;
        layout
    }

    /// Looks for the lines of a text among those that are known, and keeps what it found for [`Record::of_found`].
    pub(super) fn look_up(&mut self, text: &str, own: &str) {
        self.learnt = false;
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        let mut from = 0;
        loop {
            let rest = &text[from..];
            let next = if own.is_empty() { self.seen.find_next(rest) } else { None };
            let (found, length) = next.map_or_else(
                || {
                    let length = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
                    (self.find(&rest[..length], own), length)
                },
                |(found, length)| (Ok(found), length),
            );
            let to = from + length;
            lines.push(Line { from: size(from), to: size(to), found, look: None });
            if to == text.len() {
                break;
            }
            from = to + 1;
        }
        self.lines = lines;
    }

    /// Whether there is nothing to take out of the text whose lines were looked up last, neither secrets nor what is not seen,
    /// where that is so of every text that was read before: then lines that are known need not be asked about.
    pub(super) fn is_harmless(&self, text: &str) -> bool {
        let mut rest = self.lines.as_slice();
        while let Some(new) = rest.iter().position(|line| line.found.is_err()) {
            let from = rest[new].from as usize;
            // New lines that follow each other are looked at as one.
            rest = &rest[new..];
            rest = &rest[rest.iter().take_while(|line| line.found.is_err()).count()..];
            let end = rest.first().map_or(text.len(), |line| line.from as usize);
            if !Redactor::lets_pass(&text[from..end]) {
                return false;
            }
        }
        true
    }

    /// A line with the node's own name in it reads otherwise for every node, and is never known.
    fn find(&mut self, line: &str, own: &str) -> Result<Found, Missed> {
        if own.is_empty() || !line.contains(own) { self.seen.find(line) } else { Err(Missed::FOR_EVER) }
    }

    /// Writes a line into the draft, as the one `at` this place; what is known of it besides. `found`: by
    /// [`Lexicon::look_up`].
    fn read(
        &mut self,
        at: usize,
        line: &str,
        own: &str,
        found: &mut Result<Found, Missed>,
        draft: &mut Draft,
    ) -> Option<Look> {
        if self.learnt {
            *found = self.find(line, own);
        }
        if let Some(seen) = found.ok().and_then(|found| self.seen.get(found)) {
            draft.push(at, line, seen.template, &seen.spans);
            return Some(seen.look);
        }
        mask(line, own, &mut self.shape, &mut self.spans);
        let shape = std::mem::take(&mut self.shape);
        let template = self.put(&shape, self.spans.len());
        self.shape = shape;
        draft.push(at, line, template, &self.spans);
        if let Err(missed) = *found {
            let (spans, keys) = (self.spans.as_slice(), &mut self.keys);
            self.learnt |=
                self.seen.keep(line, missed, || Seen { template, spans: spans.into(), look: Look::at(line, keys) });
        }
        Look::of_a_mute(line)
    }
}

/// What is left of a text once its lines are read: shapes, and the values that stood in them.
#[derive(Default)]
pub(super) struct Record {
    /// Its lines but the blank ones, by their template, and those of one template by what they say: a list sorted by
    /// something is the same list. Shared by many texts of one command.
    pub sorted: Arc<[Place]>,
    /// Lines that were left out, by their template; see [`Record::leave_out`].
    pub logs: Box<[Log]>,
    pub values: Values,
}

/// Where a line stands in a [`Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub template: Template,
    /// Which line it is, from 0.
    pub line: u32,
    /// Where its values begin.
    pub values: u32,
}

/// Places that came lately, for the next text whose lines stand as these do. It is for memory and speed alone.
#[derive(Default)]
pub(super) struct Layouts {
    /// The places of the text before as they came, and by their template.
    came: Vec<Place>,
    by_template: Arc<[Place]>,
    alike: AlikeOf,
    last: Arc<[Place]>,
    known: HashSet<Arc<[Place]>, RandomState>,
}

/// Layouts that are remembered at once.
const LAYOUTS: usize = 1 << 10;

impl Layouts {
    fn share(&mut self, places: &[Place]) -> Arc<[Place]> {
        if *self.last == *places {
            return Arc::clone(&self.last);
        }
        // Long ones are logs, and each has a layout of its own.
        if places.len() >= LONG {
            return places.into();
        }
        self.last = self.known.get(places).map_or_else(|| places.into(), Arc::clone);
        if self.known.len() >= LAYOUTS {
            self.known.clear();
        }
        self.known.insert(Arc::clone(&self.last));
        Arc::clone(&self.last)
    }
}

/// Lines of one template with slots, where a text has several.
pub(super) struct Alike {
    pub template: Template,
    pub slots: usize,
    /// Where they stand among its lines.
    pub places: Range<usize>,
}

impl Alike {
    pub(super) fn of(sorted: &[Place], lexicon: &Lexicon) -> Vec<Self> {
        let mut from = 0;
        let those = sorted.chunk_by(|a, b| a.template == b.template).map(|those| {
            from += those.len();
            let template = those[0].template;
            Alike { template, slots: lexicon.slots(template), places: from - those.len()..from }
        });
        those.filter(|those| those.places.len() > 1 && those.slots > 0).collect()
    }
}

/// Those of the layout that was asked for last.
#[derive(Default)]
pub(super) struct AlikeOf {
    layout: Arc<[Place]>,
    alike: Vec<Alike>,
}

impl AlikeOf {
    fn of(&mut self, layout: &Arc<[Place]>, lexicon: &Lexicon) -> &[Alike] {
        if !Arc::ptr_eq(&self.layout, layout) {
            self.layout = Arc::clone(layout);
            self.alike = Alike::of(layout, lexicon);
        }
        &self.alike
    }
}

/// The places in another order, where any of those that are alike do not stand in order already: most do, and share their
/// places with others. `order`: puts some of one template in order, and is asked first whether they are.
fn in_order(
    sorted: &[Place],
    alike: &[Alike],
    order: impl Fn(&Alike, &[Place]) -> Option<Vec<Place>>,
) -> Option<Vec<Place>> {
    let mut ordered: Option<Vec<Place>> = None;
    for those in alike {
        if let Some(better) = order(those, &sorted[those.places.clone()]) {
            ordered.get_or_insert_with(|| sorted.to_vec())[those.places.clone()].copy_from_slice(&better);
        }
    }
    ordered
}

/// In this order, where they are not already.
fn sorted_by(places: &[Place], order: impl Fn(&Place, &Place) -> Ordering) -> Option<Vec<Place>> {
    (!places.is_sorted_by(|a, b| order(a, b).is_le())).then(|| {
        let mut places = places.to_vec();
        places.sort_by(order);
        places
    })
}

/// By what they say, names before numbers.
fn by_values(alike: &Alike, places: &[Place], values: View<'_>) -> Option<Vec<Place>> {
    let moving = moving(places, alike.slots, values);
    sorted_by(places, by_slots(&moving, values))
}

/// What the places of texts of one lexicon are in another one.
#[derive(Default)]
pub(super) struct Renumbered {
    became: Became<Place>,
    layouts: Layouts,
}

/// Slots of a line of which values are kept; further ones count as if they had none.
pub(super) const SLOTS_MAX: usize = 64;

/// What is kept of the lines of a log that have one template.
pub(super) struct Log {
    pub template: Template,
    pub lines: u32,
    /// By slot: the values that came in it, but times, by their number.
    pub held: Box<[(u32, u32)]>,
    /// The slots in which more than [`FEW`] came, as bits.
    many: u64,
}

impl Log {
    /// The slots in which more values came than are kept.
    pub(super) fn many(&self) -> impl Iterator<Item = usize> {
        (0..SLOTS_MAX).filter(|slot| self.many >> slot & 1 == 1)
    }
}

/// A slot with more values says nothing by any of them.
pub(super) const FEW: usize = 12;
/// Lines of one text that are compared …
const LINES_MAX: usize = 20_000;
/// … and kinds of line. Where there are more, only so many of the first lines are.
const KINDS_MAX: usize = 2_000;
const FIRST_LINES: usize = 40;
/// With fewer lines it is not worth while to leave any out.
pub(super) const LONG: usize = 64;

/// The lines and values of one text while they are read: the room is used again for the next one.
#[derive(Default)]
struct Draft {
    /// As the lines came.
    places: Vec<Place>,
    values: values::Draft,
}

impl Record {
    /// `own` is the node's own name, which is a value wherever it stands; empty where there is none.
    pub(super) fn of(text: &str, own: &str, lexicon: &mut Lexicon) -> Self {
        let compared = compared(text, own, lexicon);
        let (first, rest) = text.split_at(compared.unwrap_or(text.len()));
        lexicon.look_up(first, own);
        Self::of_found(first, rest, own, lexicon)
    }

    /// `first`: the text whose lines the lexicon has looked up last; `rest`: what is not compared line by line.
    pub(super) fn of_found(first: &str, rest: &str, own: &str, lexicon: &mut Lexicon) -> Self {
        let mut draft = std::mem::take(&mut lexicon.draft);
        let mut lines = std::mem::take(&mut lexicon.lines);
        for (at, line) in lines.iter_mut().enumerate() {
            let text = &first[line.from as usize..line.to as usize];
            line.look = lexicon.read(at, text, own, &mut line.found, &mut draft);
        }
        lexicon.lines = lines;
        lexicon.whole = rest.is_empty();
        if !rest.is_empty() {
            let at = draft.places.last().map_or(0, |place| place.line as usize + 1);
            let rest = rest.trim_ascii();
            let note = format!("{} more lines, too many to be compared: {}", rest.lines().count(), told_apart(rest));
            lexicon.read(at, &note, "", &mut Err(Missed::FOR_EVER), &mut draft);
        }
        let sorted = lexicon.layout(&draft);
        let record = Record { sorted, logs: Box::default(), values: Values::from(&draft.values) };
        draft.clear();
        lexicon.draft = draft;
        record
    }

    /// Follows its lexicon into another one; see [`Lexicon::learn`].
    pub(super) fn renumber(&mut self, templates: &[Template], renumbered: &mut Renumbered) {
        let Renumbered { became, layouts } = renumbered;
        let renumber = |sorted: &[Place]| {
            let mut sorted = sorted.to_vec();
            sorted.iter_mut().for_each(|at| at.template = templates[at.template as usize]);
            // Stable: lines of one template stay as they are.
            sorted.sort_by_key(|at| at.template);
            Some(layouts.share(&sorted))
        };
        self.sorted = became.of(&self.sorted, renumber).unwrap_or_default();
        self.logs.iter_mut().for_each(|log| log.template = templates[log.template as usize]);
        self.logs.sort_by_key(|log| log.template);
    }

    /// How many lines there are of each template.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Template, u32)> {
        let kept =
            self.sorted.chunk_by(|a, b| a.template == b.template).map(|those| (those[0].template, size(those.len())));
        kept.chain(self.logs.iter().map(|log| (log.template, log.lines)))
    }

    /// Its templates, kept or left out.
    pub(super) fn templates(&self) -> impl Iterator<Item = Template> {
        self.sorted.iter().map(|at| at.template).chain(self.logs.iter().map(|log| log.template))
    }

    /// Puts the lines of each template in the order in which they are compared with those of others.
    pub(super) fn put_in_order(&mut self, orders: &Orders, lexicon: &Lexicon, alike: &mut AlikeOf) {
        let Record { sorted, values, .. } = self;
        let ordered = in_order(sorted, alike.of(sorted, lexicon), |alike, places| {
            match orders.of_lines(alike.template, values.view()) {
                Some(order) => sorted_by(places, order),
                None => by_values(alike, places, values.view()),
            }
        });
        if let Some(ordered) = ordered {
            *sorted = ordered.into();
        }
    }

    /// Whether lines of it may be left out.
    pub(super) fn is_long(&self) -> bool {
        self.sorted.len() >= LONG
    }

    /// Keeps of the lines of these templates only how many there are and which few values came in them: of 250 lines of a
    /// log that is a hundredth. A text of few lines stays as it is.
    pub(super) fn leave_out(&mut self, is_log: impl Fn(Template) -> bool, lexicon: &Lexicon) {
        if !self.is_long() || !self.sorted.iter().any(|at| is_log(at.template)) {
            return;
        }
        let (mut kept, mut logs) = (Draft::default(), std::mem::take(&mut self.logs).into_vec());
        for (_, value) in logs.iter_mut().flat_map(|log| &mut log.held) {
            *value = kept.add(self.values.view().get(*value as usize));
        }
        for those in self.sorted.chunk_by(|a, b| a.template == b.template) {
            let template = those[0].template;
            let slots = lexicon.slots(template);
            if is_log(template) {
                let (mut held, mut many) = (Vec::new(), 0);
                for slot in 0..slots.min(SLOTS_MAX) {
                    let values = those.iter().map(|at| self.values.view().get(at.values as usize + slot));
                    match few(values) {
                        Some(values) => held.extend(values.into_iter().map(|value| (size(slot), kept.add(value)))),
                        None => many |= 1 << slot,
                    }
                }
                logs.push(Log { template, lines: size(those.len()), held: held.into(), many });
                continue;
            }
            for at in those {
                let values = size(kept.values.len());
                self.values.view().range(at.values, slots).for_each(|value| _ = kept.add(value));
                kept.places.push(Place { values, ..*at });
            }
        }
        logs.sort_by_key(|log| log.template);
        *self = Record { sorted: kept.places.into(), logs: logs.into(), values: Values::from(&kept.values) };
    }
}

impl Draft {
    fn clear(&mut self) {
        self.places.clear();
        self.values.clear();
    }

    /// Takes over a value of another text: its number here.
    fn add(&mut self, value: Value<'_>) -> u32 {
        self.values.push(value.kind, value.text);
        size(self.values.len() - 1)
    }

    fn push(&mut self, at: usize, line: &str, template: Template, spans: &[Span]) {
        if !line.bytes().all(|b| b.is_ascii_whitespace()) {
            self.places.push(Place { template, line: size(at), values: size(self.values.len()) });
        }
        spans.iter().for_each(|span| self.values.push(span.kind, span.of(line)));
    }
}

/// Which slots of lines of one template hold numbers alone, which move: `eth0` with its traffic stays where it is.
fn moving(alike: &[Place], slots: usize, values: View<'_>) -> Vec<bool> {
    let kind = |at: &Place, slot: usize| values.get(at.values as usize + slot).kind;
    let moves = |slot: usize| alike.iter().all(|at| matches!(kind(at, slot), Kind::Number | Kind::Time));
    (0..slots).map(moves).collect()
}

/// How two lines follow each other: by the slots that hold names, by those that are `moving`, and then as they stand in the
/// text.
fn by_slots<'a>(moving: &'a [bool], values: View<'a>) -> impl Fn(&Place, &Place) -> Ordering + 'a {
    let of = move |at: &Place, slot: usize| values.get(at.values as usize + slot).text;
    move |a, b| {
        let those = |moves: bool| moving.iter().enumerate().filter(move |(_, it)| **it == moves).map(|(slot, _)| slot);
        let mut pairs = those(false).chain(those(true)).map(|slot| by_name(of(a, slot), of(b, slot)));
        pairs.find(|order| order.is_ne()).unwrap_or(a.line.cmp(&b.line))
    }
}

/// Up to where a text is compared, in bytes, where that is not its end. It depends on the text alone.
fn compared(text: &str, own: &str, lexicon: &mut Lexicon) -> Option<usize> {
    // A kind of line for each takes more lines than there are kinds.
    let end_of = |line: usize| memchr::memchr_iter(b'\n', text.as_bytes()).nth(line);
    let last = if text.len() > KINDS_MAX { end_of(KINDS_MAX)? } else { return None };
    let mut kinds = HashSet::with_hasher(RandomState::default());
    let hasher = RandomState::default();
    for line in split_lines(text).take(LINES_MAX) {
        mask(line, own, &mut lexicon.shape, &mut lexicon.spans);
        kinds.insert(hasher.hash_one(lexicon.shape.as_str()));
        if kinds.len() > KINDS_MAX {
            return end_of(FIRST_LINES - 1).filter(|end| *end < last);
        }
    }
    end_of(LINES_MAX - 1)
}

/// A word that differs where texts differ.
fn told_apart(text: &str) -> String {
    crate::domain::Digest::of(text.as_bytes()).to_string().chars().take(16).collect()
}

/// The different values but times; `None` if there are more than [`FEW`].
fn few<'a>(values: impl Iterator<Item = Value<'a>>) -> Option<Vec<Value<'a>>> {
    let mut different: Vec<Value<'_>> = Vec::new();
    for value in values.filter(|value| value.kind != Kind::Time) {
        if different.iter().all(|known| known.text != value.text) {
            if different.len() == FEW {
                return None;
            }
            different.push(value);
        }
    }
    Some(different)
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
                let values = record.values.view();
                (shape, values.range(0, values.len()).map(|value| value.text.to_owned()).collect::<Vec<_>>())
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
        let mut first = Lexicon::default();
        Record::of("a 9", "", &mut first);
        other.learn(&first, Vec::new());
        record.renumber(&other.learn(&one, Vec::new()), &mut Renumbered::default());
        let told = |places: &[Place]| -> Vec<(String, u32, u32)> {
            places.iter().map(|p| (other.shape(p.template).replace(SLOT, "*"), p.line, p.values)).collect()
        };
        assert_eq!(told(&record.sorted), [("a *".into(), 1, 1), ("b *".into(), 0, 0), ("b *".into(), 2, 2)]);
        assert_eq!(record.counts().collect::<Vec<_>>(), [(0, 1), (1, 2)]);
    }

    #[test]
    fn of_lines_that_are_left_out_their_number_and_their_few_values_stay() {
        let line = |n: usize| format!("10:00:{:02} GET status={} took {n}ms", n % 60, if n == 7 { 500 } else { 200 });
        let text: String = (0..100).map(line).chain(["version 1.2.3".into()]).collect::<Vec<_>>().join("\n");
        let mut lexicon = Lexicon::default();
        let mut record = Record::of(&text, "", &mut lexicon);
        let before: Vec<(Template, u32)> = record.counts().collect();
        let log = before[0].0;
        record.leave_out(|template| template == log, &lexicon);
        let mut after: Vec<(Template, u32)> = record.counts().collect();
        after.sort_unstable();
        assert_eq!(after, before);
        let values = record.values.view();
        assert_eq!((record.sorted.len(), values.len()), (1, 3));
        assert_eq!(values.get(record.sorted[0].values as usize).text, "1.2.3");
        let told: Vec<(u32, &str)> =
            record.logs[0].held.iter().map(|(slot, value)| (*slot, values.get(*value as usize).text)).collect();
        assert_eq!(told, [(1, "200"), (1, "500")]);
        assert_eq!(record.logs[0].many().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn what_was_left_out_before_stays_as_it_was_when_more_is_left_out() {
        let get = |n: usize| format!("GET status={} took {n}ms", if n == 7 { 500 } else { 200 });
        let put = |n: usize| format!("PUT of {} bytes by user{}", n * 31, n % 2);
        let text: Vec<String> = (0..70).map(get).chain((0..70).map(put)).collect();
        let mut lexicon = Lexicon::default();
        let mut record = Record::of(&text.join("\n"), "", &mut lexicon);
        let templates: Vec<Template> = record.counts().map(|(template, _)| template).collect();
        let told = |record: &Record| -> Vec<Vec<(u32, String)>> {
            let value = |(slot, at): &(u32, u32)| (*slot, record.values.view().get(*at as usize).text.to_owned());
            record.logs.iter().map(|log| log.held.iter().map(value).collect()).collect()
        };
        record.leave_out(|template| template == templates[0], &lexicon);
        let first = told(&record);
        assert_eq!(first, [[(0, "200".into()), (0, "500".into())]]);
        record.leave_out(|template| template == templates[1], &lexicon);
        assert_eq!(told(&record), [first[0].clone(), vec![(1, "user0".into()), (1, "user1".into())]]);
    }

    #[test]
    fn a_text_of_too_many_lines_or_kinds_of_line_is_compared_by_its_first_ones_and_says_so() {
        let last = |text: &str| {
            let mut lexicon = Lexicon::default();
            let record = Record::of(text, "", &mut lexicon);
            let last = record.sorted.iter().max_by_key(|at| at.line).copied().unwrap();
            let value = record.values.view().get(last.values as usize).text.to_owned();
            (record.sorted.len(), value, lexicon.shape(last.template).replace(SLOT, "*"))
        };
        let note = || "* more lines, too many to be compared: *".to_owned();
        let many = vec!["the same line"; LINES_MAX + 5].join("\n");
        assert_eq!(last(&many), (LINES_MAX + 1, "5".into(), note()));
        let letters = |n: usize| (0..4).map(|at| char::from(b'g' + (n >> (at * 4) & 15) as u8)).collect::<String>();
        let kinds: Vec<String> = (0..KINDS_MAX + 500).map(letters).collect();
        assert_eq!(last(&kinds.join("\n")), (FIRST_LINES + 1, (KINDS_MAX + 460).to_string(), note()));
        let enough = last(&kinds[..KINDS_MAX].join("\n"));
        assert_eq!((enough.0, enough.1), (KINDS_MAX, String::new()));
    }
}
