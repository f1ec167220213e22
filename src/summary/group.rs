//! Texts -> sets that mean the same.
//!
//! Texts of one shape belong together; a slot that holds few values is then put back, because those values
//! are the answer: `nginx/1.18.0` on two nodes of a hundred must never hide behind a star. Slots that stay
//! masked are shown as a range or by what they are. Nothing here depends on the order of the input beyond
//! the order in which the units stand, and no text is looked at twice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::cause::sounds_bad;
use super::lines::{Lexicon, Record, Template};
use super::mask::{Kind, SLOT, Value};

/// One text and how many nodes said it, byte for byte.
pub(super) struct Unit {
    pub record: Record,
    pub nodes: u32,
}

#[derive(Debug)]
pub(super) struct Group {
    /// Indices into the units, ascending.
    pub units: Vec<usize>,
    /// The first lines as they read for all of them.
    pub lines: Vec<Told>,
    /// Kinds of line of which some of them have more than others.
    pub chatter: u32,
}

/// One line of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    /// As it reads for all of them.
    pub words: String,
    /// Without its values.
    pub shape: String,
    /// How many lines of its shape stand before it in a text.
    pub nth: u32,
}

impl Told {
    /// What no line of a text says.
    pub(super) fn note(words: &str) -> Self {
        Told { shape: words.to_owned(), words: words.to_owned(), nth: 0 }
    }
}

/// A slot with at most this many values is split by value; so many classes at most come of one shape.
const FEW: usize = 12;
/// Only so many of the first lines can become a title, and so many of those that set a group apart.
const LINES: usize = 40;
const LINE_MAX: usize = 200;
/// Of fewer nodes each is read: a value that more than half of them have is the usual one.
const FEW_NODES: u32 = 12;
/// Evenly spread numbers are a range, unless they are as few as this.
const LEVELS: usize = 3;
/// What a node without any line that counts is told by.
const ONLY_CHATTER: &str = "lines of logs alone, another number of them on each node";

/// Sets of units that say the same but for values of which each has its own. Ordered by their first unit.
pub(super) fn group(lexicon: &Lexicon, units: &[Unit]) -> Vec<Group> {
    let ranks = lexicon.ranks();
    let chatter = Chatter::of(lexicon, units);
    let mut shapes: Vec<Shape> = Vec::new();
    let mut known: HashMap<Key, usize> = HashMap::new();
    let mut values: Vec<Vec<Value>> = Vec::with_capacity(units.len());
    for (i, unit) in units.iter().enumerate() {
        let (key, sorted, order) = sort_lines(&unit.record, lexicon, &ranks, &chatter);
        values.push(sorted);
        match known.get(&key) {
            Some(&s) => shapes[s].members.push(i),
            None => {
                known.insert(key.clone(), shapes.len());
                shapes.push(Shape { lines: key.0, order, members: vec![i] });
            }
        }
    }
    let mut groups = Vec::new();
    let everywhere = in_all(&shapes);
    for shape in &shapes {
        let Split { sets, slots } = split(units, &values, &shape.members);
        let wanted = shape.telling(lexicon, &everywhere, &slots);
        for class in sets {
            let lines = read(shape, &wanted, lexicon, units, &values, &class);
            let chatter = chatter.among(class.iter().map(|&i| &units[i].record));
            let lines = if lines.is_empty() && chatter > 0 { vec![Told::note(ONLY_CHATTER)] } else { lines };
            groups.push(Group { units: class, lines, chatter });
        }
    }
    groups.sort_by_key(|g| g.units.first().copied());
    groups
}

/// The templates of a text that count, sorted; and what of its chatter sets it apart.
type Key = (Vec<Template>, BTreeSet<Mark>);

/// What of one template of chatter a node has, and hardly any other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Mark {
    /// Any line of it, where that matters.
    Present(Template),
    /// Far more lines of it than the others.
    Many(Template),
    /// A value that few nodes have, by the slot.
    Rare(Template, usize, String),
}

/// Units that are alike but for the values in their slots and the order of their lines.
struct Shape {
    /// Its lines, sorted by their text.
    lines: Vec<Template>,
    /// The lines in the order in which the first unit has them.
    order: Vec<usize>,
    members: Vec<usize>,
}

impl Shape {
    /// Which of its lines may tell it apart: the first ones, and of the rest those that some shape lacks or that hold one
    /// of the slots it was split by.
    fn telling(&self, lexicon: &Lexicon, everywhere: &HashSet<Template>, split_by: &[usize]) -> Vec<usize> {
        let (first, rest) = self.order.split_at(self.order.len().min(LINES));
        let mut wanted = first.to_vec();
        if rest.is_empty() {
            return wanted;
        }
        let mut holds = vec![false; self.lines.len()];
        let mut slots = 0;
        for (line, template) in self.lines.iter().enumerate() {
            let from = slots;
            slots += lexicon.slots(*template);
            holds[line] = !everywhere.contains(template) || split_by.iter().any(|slot| (from..slots).contains(slot));
        }
        wanted.extend(rest.iter().copied().filter(|line| holds[*line]).take(LINES));
        wanted
    }
}

/// The templates that every shape has.
fn in_all(shapes: &[Shape]) -> HashSet<Template> {
    let mut held: HashMap<Template, usize> = HashMap::new();
    for shape in shapes {
        for same in shape.lines.chunk_by(|a, b| a == b) {
            *held.entry(same[0]).or_default() += 1;
        }
    }
    held.into_iter().filter(|(_, n)| *n == shapes.len()).map(|(template, _)| template).collect()
}

/// Sorts the lines that count, each with its values: a list sorted by size is the same list in another order.
fn sort_lines(record: &Record, lexicon: &Lexicon, ranks: &[u32], chatter: &Chatter) -> (Key, Vec<Value>, Vec<usize>) {
    let mut from = 0;
    let mut marks = BTreeSet::new();
    let mut lines: Vec<(u32, Template, usize, usize)> = Vec::with_capacity(record.lines.len());
    for template in &record.lines {
        let start = from;
        from += lexicon.slots(*template);
        match chatter.0.get(template) {
            None => lines.push((ranks[*template as usize], *template, start, lines.len())),
            Some(kind) => {
                if kind.present {
                    marks.insert(Mark::Present(*template));
                }
                for (slot, value) in record.values[start..from].iter().enumerate() {
                    let value = value.of(&record.text);
                    if kind.rare.get(&slot).is_some_and(|values| values.contains(value)) {
                        marks.insert(Mark::Rare(*template, slot, value.to_owned()));
                    }
                }
            }
        }
    }
    if !chatter.0.is_empty() {
        let many = |(template, count): &(Template, u32)| chatter.0.get(template).is_some_and(|c| *count > c.many);
        marks.extend(record.counts().iter().filter(|line| many(line)).map(|(template, _)| Mark::Many(*template)));
    }
    // Stable, so that the values of equal lines keep their order.
    lines.sort_by_key(|(rank, ..)| *rank);
    let mut sorted = Vec::with_capacity(record.values.len());
    let mut order = vec![0; lines.len()];
    for (to, (_, template, start, at)) in lines.iter().enumerate() {
        sorted.extend_from_slice(&record.values[*start..*start + lexicon.slots(*template)]);
        order[*at] = to;
    }
    ((lines.iter().map(|(_, template, ..)| *template).collect(), marks), sorted, order)
}

/// The lines of logs: each node has another number of them, and that alone says nothing.
#[derive(Default)]
pub(super) struct Chatter(BTreeMap<Template, Kept>);

/// What of a template of chatter sets nodes apart.
struct Kept {
    /// That there is any: an error, or what all others have all the time.
    present: bool,
    /// More lines than this.
    many: u32,
    /// Nodes that have any line of it.
    nodes: u32,
    /// By slot, where that has few values: those that few nodes have.
    rare: BTreeMap<usize, BTreeSet<String>>,
}

/// Fewer nodes show no pattern.
const CHATTER_NODES: u32 = 12;
/// Of those that have a line at all, this share in tenths has it equally often, or it is chatter.
const STEADY: u32 = 9;
/// A line that comes so often on half of the nodes is missing on none by chance: at a mean of ten, on one in 22,000.
const ALWAYS: u32 = 10;

/// So many times the usual number of lines is told, where the usual number is at least …
const MANY: u32 = 10;
/// … this one.
const MANY_MIN: u32 = 3;

impl Chatter {
    pub(super) fn of(lexicon: &Lexicon, units: &[Unit]) -> Self {
        let total: u32 = units.iter().map(|unit| unit.nodes).sum();
        if total < CHATTER_NODES {
            return Chatter::default();
        }
        // For each template how many nodes have it how often.
        let mut often: Vec<BTreeMap<u32, u32>> = vec![BTreeMap::new(); lexicon.templates()];
        for unit in units {
            for (template, count) in unit.record.counts() {
                *often[template as usize].entry(count).or_default() += unit.nodes;
            }
        }
        let verdict = |(template, often): (Template, BTreeMap<u32, u32>)| {
            let nodes: u32 = often.values().sum();
            let steady = often.values().any(|n| u64::from(*n) * 10 >= u64::from(nodes) * u64::from(STEADY));
            let shape = lexicon.shape(template);
            // One, two or three of something are counted by people too, and a list of names is no log.
            if nodes < CHATTER_NODES || steady || often.len() < 4 || !has_word(shape) {
                return None;
            }
            let half = nodes.div_ceil(2);
            let median = often.iter().scan(0, |sum, (count, n)| {
                *sum += n;
                Some((*sum, *count))
            });
            let median = median.into_iter().find(|(sum, _)| *sum >= half).map_or(0, |(_, count)| count);
            let telling = sounds_bad(shape) || (median >= ALWAYS && u64::from(nodes) * 2 > u64::from(total));
            let many = median.max(MANY_MIN).saturating_mul(MANY);
            Some((template, Kept { present: telling, many, nodes, rare: BTreeMap::new() }))
        };
        let mut chatter = Chatter((0..).zip(often).filter_map(verdict).collect());
        if !chatter.0.is_empty() {
            chatter.look_for_rare_values(lexicon, units);
        }
        chatter
    }

    /// Whether lines of it are of a log.
    pub(super) fn holds(&self, template: Template) -> bool {
        self.0.contains_key(&template)
    }

    fn look_for_rare_values(&mut self, lexicon: &Lexicon, units: &[Unit]) {
        // Nodes by template, slot and value, while there are few values.
        let mut values: BTreeMap<(Template, usize), BTreeMap<&str, u32>> = BTreeMap::new();
        for unit in units {
            let record = &unit.record;
            let mut seen: BTreeSet<(Template, usize, &str)> = BTreeSet::new();
            let mut from = 0;
            for template in &record.lines {
                let start = from;
                from += lexicon.slots(*template);
                if self.0.contains_key(template) {
                    let of = record.values[start..from].iter().enumerate().filter(|(_, v)| v.kind != Kind::Time);
                    seen.extend(of.map(|(slot, value)| (*template, slot, value.of(&record.text))));
                }
            }
            for (template, slot, value) in seen {
                let tally = values.entry((template, slot)).or_default();
                // One more than few says that there are many.
                if tally.len() <= FEW || tally.contains_key(value) {
                    *tally.entry(value).or_default() += unit.nodes;
                }
            }
        }
        for ((template, slot), tally) in values {
            let Some(kept) = self.0.get_mut(&template).filter(|_| tally.len() <= FEW) else { continue };
            let few = tally.into_iter().filter(|(_, n)| u64::from(*n) * 5 < u64::from(kept.nodes));
            kept.rare.insert(slot, few.map(|(value, _)| value.to_owned()).collect());
        }
    }

    /// How many of its templates these texts have.
    fn among<'r>(&self, records: impl Iterator<Item = &'r Record>) -> u32 {
        if self.0.is_empty() {
            return 0;
        }
        let found: BTreeSet<Template> =
            records.flat_map(|record| &record.lines).filter(|t| self.0.contains_key(t)).copied().collect();
        u32::try_from(found.len()).unwrap_or(u32::MAX)
    }
}

/// Three letters in a row, so that the line says something besides its values.
fn has_word(shape: &str) -> bool {
    shape.split(|c: char| !c.is_alphabetic()).any(|word| word.chars().nth(2).is_some())
}

/// What a slot's values come to over one shape.
struct Slot<'a> {
    index: usize,
    /// The values to split by; every other value falls into one class.
    kept: BTreeSet<&'a str>,
    /// The value of four fifths of the nodes, where there is one.
    usual: Option<&'a str>,
    version: bool,
}

/// The units of one shape, split by these slots.
struct Split {
    sets: Vec<Vec<usize>>,
    slots: Vec<usize>,
}

/// Splits the units of one shape by the slots that have few values.
fn split(units: &[Unit], values: &[Vec<Value>], members: &[usize]) -> Split {
    let Some(&first) = members.first() else { return Split { sets: Vec::new(), slots: Vec::new() } };
    if members.len() == 1 {
        return Split { sets: vec![vec![first]], slots: Vec::new() };
    }
    let nodes: u32 = members.iter().map(|&i| units[i].nodes).sum();
    let mut tallies: Vec<Tally<'_>> = values[first].iter().map(|_| Tally::default()).collect();
    for &i in members {
        for (tally, value) in tallies.iter_mut().zip(&values[i]) {
            tally.add(*value, &units[i].record.text, units[i].nodes, nodes);
        }
    }
    let mut slots: Vec<Slot<'_>> =
        tallies.into_iter().enumerate().filter_map(|(index, tally)| tally.verdict(index, nodes)).collect();
    // Fewest values first: the coarse distinctions are the ones that people name.
    // Versions before all, so that none of them is left out for lack of room.
    slots.sort_by_key(|s| (!s.version, s.kept.len(), s.index));
    let mut classes = vec![0usize; members.len()];
    let mut rest = vec![false; members.len()];
    let mut count = 1;
    for slot in &slots {
        let mut known: HashMap<(usize, Option<&str>), usize> = HashMap::new();
        let finer: Vec<usize> = members
            .iter()
            .zip(&classes)
            .map(|(&i, &class)| {
                let value = slot.kept.get(said(values[i][slot.index], &units[i].record.text)).copied();
                let next = known.len();
                *known.entry((class, value)).or_insert(next)
            })
            .collect();
        let enough = slot.version || known.len() * 2 <= nodes as usize;
        if known.len() <= FEW && enough {
            count = known.len();
            classes = finer;
        } else if let Some(usual) = slot.usual {
            // No room for a class of their own, and still they are not as the others.
            for (&i, rest) in members.iter().zip(&mut rest) {
                *rest |= said(values[i][slot.index], &units[i].record.text) != usual;
            }
        }
    }
    if rest.contains(&true) && rest.contains(&false) {
        for (class, rest) in classes.iter_mut().zip(&rest) {
            *class = if *rest { count } else { *class };
        }
        count += 1;
    }
    let mut sets = vec![Vec::new(); count];
    for (&i, class) in members.iter().zip(classes) {
        sets[class].push(i);
    }
    sets.retain(|set| !set.is_empty());
    Split { sets, slots: slots.into_iter().map(|slot| slot.index).collect() }
}

/// A value as it is compared: all nodes that say their own name say the same.
fn said(value: Value, text: &str) -> &str {
    if value.kind == Kind::Own { Kind::Own.word() } else { value.of(text) }
}

/// The values of one slot with their nodes, for as long as they can still lead to a split.
#[derive(Default)]
struct Tally<'a> {
    /// Most slots hold one value: it is counted without hashing.
    first: Option<(&'a str, u32)>,
    others: HashMap<&'a str, u32>,
    kinds: Kinds,
    hopeless: bool,
}

impl<'a> Tally<'a> {
    fn add(&mut self, value: Value, text: &'a str, count: u32, nodes: u32) {
        self.kinds.add(value.kind);
        if self.hopeless {
            return;
        }
        let text = said(value, text);
        match &mut self.first {
            None => self.first = Some((text, count)),
            Some((first, sum)) if *first == text => *sum += count,
            Some(_) => *self.others.entry(text).or_default() += count,
        }
        // Each further value takes at least one node from the usual one, until none can be usual any more.
        // Versions are kept whatever their number.
        if self.others.len() >= FEW && self.others.len() * 5 > nodes as usize && !self.kinds.may_be(Kind::Version) {
            self.hopeless = true;
        }
    }

    /// Whether the slot is worth a split: few values, or one usual value with a tail of others.
    fn verdict(self, index: usize, nodes: u32) -> Option<Slot<'a>> {
        if self.hopeless || self.others.is_empty() || self.kinds.only(Kind::Time) || self.kinds.only(Kind::Own) {
            return None;
        }
        let version = self.kinds.only(Kind::Version);
        let mut by_count: Vec<(&str, u32)> = self.first.into_iter().chain(self.others).collect();
        by_count.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let is_usual = |n: u32| if nodes < FEW_NODES { n * 2 > nodes } else { u64::from(n) * 10 >= u64::from(nodes) * 8 };
        let usual = by_count.first().filter(|(_, n)| is_usual(*n)).map(|(value, _)| *value);
        if usual.is_none() && by_count.len() > LEVELS && self.kinds.only(Kind::Number) {
            return None;
        }
        let kept: BTreeSet<&str> = if by_count.len() <= FEW && (version || by_count.len() * 2 <= nodes as usize) {
            by_count.iter().map(|(v, _)| *v).collect()
        } else if version {
            by_count.iter().take(FEW - 1).map(|(v, _)| *v).collect()
        } else if let Some(usual) = usual {
            BTreeSet::from([usual])
        } else {
            return None;
        };
        Some(Slot { index, kept, usual, version })
    }
}

/// The kinds that were seen in one slot.
#[derive(Default, Clone, Copy)]
struct Kinds(u8);

impl Kinds {
    fn add(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u8;
    }
    fn only(self, kind: Kind) -> bool {
        self.0 == 1 << kind as u8
    }
    fn may_be(self, kind: Kind) -> bool {
        self.0 == 0 || self.only(kind)
    }
}

/// The wanted lines of a shape, with what its slots hold over `class`.
fn read(
    shape: &Shape,
    wanted: &[usize],
    lexicon: &Lexicon,
    units: &[Unit],
    values: &[Vec<Value>],
    class: &[usize],
) -> Vec<Told> {
    let mut starts = Vec::with_capacity(shape.lines.len());
    let mut from = 0;
    for template in &shape.lines {
        starts.push(from);
        from += lexicon.slots(*template);
    }
    let text = |line: usize| lexicon.shape(shape.lines[line]);
    let places: Vec<usize> =
        wanted.iter().flat_map(|&l| starts[l]..starts[l] + lexicon.slots(shape.lines[l])).collect();
    let mut shown: Vec<Shown<'_>> = places.iter().map(|_| Shown::default()).collect();
    for &i in class {
        for (slot, &place) in shown.iter_mut().zip(&places) {
            if let Some(value) = values[i].get(place) {
                slot.add(*value, &units[i].record.text);
            }
        }
    }
    let mut shown = shown.into_iter();
    let mut lines = Vec::new();
    for &at in wanted {
        let line = text(at);
        // Equal shapes stand beside each other, in the order of the text.
        let alike = shape.lines[..at].iter().rev().take_while(|template| **template == shape.lines[at]).count();
        let nth = u32::try_from(alike).unwrap_or(u32::MAX);
        lines.push(Told { words: told_line(line, &mut shown), shape: line.to_owned(), nth });
    }
    lines
}

/// A shape with what is shown of its slots, at most [`LINE_MAX`] characters of it.
pub(super) fn told_line<'a>(shape: &str, slots: &mut impl Iterator<Item = Shown<'a>>) -> String {
    let mut told = String::new();
    let mut length = 0;
    for c in shape.chars() {
        if c == SLOT {
            let slot = slots.next().unwrap_or_default();
            if length < LINE_MAX {
                let words = slot.words();
                length += words.chars().count();
                told.push_str(&words);
            }
        } else if length < LINE_MAX {
            told.push(c);
            length += 1;
        }
    }
    super::cause::cut(&told, LINE_MAX)
}

/// How many different values of one slot are named.
const ALTERNATIVES: usize = 3;

/// What one slot reads as: one value as it stands, up to three of them, a range of numbers, or what they are.
#[derive(Default)]
pub(super) struct Shown<'a> {
    /// The first different values, one more than are named at most.
    distinct: Vec<&'a str>,
    kinds: Kinds,
    range: Option<(Number<'a>, Number<'a>)>,
    mixed: bool,
}

impl<'a> Shown<'a> {
    pub(super) fn add(&mut self, value: Value, text: &'a str) {
        self.kinds.add(value.kind);
        let text = value.of(text);
        if self.distinct.last() == Some(&text) {
            return;
        }
        if self.distinct.len() <= ALTERNATIVES && !self.distinct.contains(&text) {
            self.distinct.push(text);
        }
        if self.mixed {
            return;
        }
        let Some(n) = Number::of(text).filter(|n| self.range.is_none_or(|(low, _)| low.unit == n.unit)) else {
            self.mixed = true;
            return;
        };
        let (low, high) = self.range.unwrap_or((n, n));
        self.range = Some((if n.value < low.value { n } else { low }, if n.value > high.value { n } else { high }));
    }

    fn words(mut self) -> String {
        self.distinct.sort_unstable();
        if let [one] = self.distinct.as_slice() {
            return (*one).to_owned();
        }
        if !self.mixed
            && let Some((low, high)) = self.range
        {
            return format!("{}–{}{}", low.digits, high.digits, low.unit);
        }
        let kind = Kind::ALL.into_iter().find(|k| self.kinds.only(*k)).unwrap_or(Kind::Id);
        let (time, own) = (kind == Kind::Time, kind == Kind::Own);
        if (1..=ALTERNATIVES).contains(&self.distinct.len()) && !time && !own {
            return self.distinct.join(" or ");
        }
        kind.word().to_owned()
    }
}

/// A number as written, with the unit right behind it.
#[derive(Clone, Copy)]
pub(super) struct Number<'a> {
    pub value: f64,
    pub digits: &'a str,
    pub unit: &'a str,
}

impl<'a> Number<'a> {
    /// `44%`, `-1.5`, `1.2 GB`: at most one point, at most four characters of unit, never `NaN` or `1e9`.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let sign = usize::from(text.starts_with(['-', '+']));
        let body = &text[sign..];
        let whole = body.bytes().take_while(u8::is_ascii_digit).count();
        if whole == 0 || whole > 15 {
            return None;
        }
        let mut end = whole;
        if body[end..].starts_with('.') {
            let part = body[end + 1..].bytes().take_while(u8::is_ascii_digit).count();
            if part > 0 {
                end += 1 + part;
            }
        }
        let (digits, unit) = text.split_at(sign + end);
        let unit_text = unit.trim_start();
        if unit_text.len() > 4 || !unit_text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'%') {
            return None;
        }
        Some(Number { value: digits.parse().ok()?, digits, unit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(texts: &[(&str, u32)]) -> Vec<(u32, String)> {
        let mut lexicon = Lexicon::default();
        let units: Vec<Unit> = texts
            .iter()
            .map(|(text, nodes)| Unit { record: Record::of(text, "", &mut lexicon), nodes: *nodes })
            .collect();
        group(&lexicon, &units)
            .into_iter()
            .map(|g| {
                (
                    g.units.iter().map(|i| units[*i].nodes).sum(),
                    g.lines.iter().map(|l| l.words.as_str()).collect::<Vec<_>>().join(" / "),
                )
            })
            .collect()
    }

    #[test]
    fn a_rare_version_never_hides_behind_the_usual_one() {
        assert_eq!(
            sets(&[("nginx/1.24.0", 61), ("nginx/1.18.0", 1)]),
            [(61, "nginx/1.24.0".to_owned()), (1, "nginx/1.18.0".to_owned())]
        );
        // Even when every node has its own.
        assert_eq!(sets(&[("nginx/1.24.0", 1), ("nginx/1.18.0", 1)]).len(), 2);
    }

    #[test]
    fn numbers_that_differ_everywhere_become_a_range() {
        let texts: Vec<String> = (0..20).map(|n| format!("used {}% of / at 14:20:{n:02}", 31 + n)).collect();
        let texts: Vec<(&str, u32)> = texts.iter().map(|t| (t.as_str(), 1)).collect();
        assert_eq!(sets(&texts), [(20, "used 31–50% of / at ‹time›".to_owned())]);
    }

    #[test]
    fn a_usual_value_with_a_tail_of_others_is_told_apart() {
        let texts: Vec<String> = (0..15).map(|n| format!("kernel build {n}x9")).collect();
        let mut texts: Vec<(&str, u32)> = texts.iter().map(|t| (t.as_str(), 1)).collect();
        texts[0].1 = 200;
        assert_eq!(sets(&texts), [(200, "kernel build 0x9".to_owned()), (14, "kernel build ‹id›".to_owned())]);
    }

    #[test]
    fn many_two_valued_slots_do_not_explode() {
        let texts: Vec<String> = (0..256u32)
            .map(|n| (0..8).map(|bit| format!("x{bit}={}", (n >> bit) & 1)).collect::<Vec<_>>().join(" "))
            .collect();
        let texts: Vec<(&str, u32)> = texts.iter().map(|t| (t.as_str(), 1)).collect();
        assert!(sets(&texts).len() <= FEW);
    }

    #[test]
    fn a_list_in_another_order_is_the_same_list() {
        assert_eq!(
            sets(&[("top:\n31M /var/log\n12M /var/lib", 1), ("top:\n90M /var/lib\n40M /var/log", 1)]),
            [(2, "top: / 31–40M /var/log / 12–90M /var/lib".to_owned())]
        );
    }

    /// 30 nodes with 10 to 18 lines of a log each; `more` of one of them.
    fn logs(more: impl Fn(u32) -> String) -> Vec<(u32, String)> {
        let texts: Vec<String> = (0..30u32)
            .map(|n| {
                let line = |l: u32| format!("GET /health status=200 took {}ms\n", n * 31 + l);
                (0..10 + n % 9).map(line).collect::<String>() + &more(n)
            })
            .collect();
        sets(&texts.iter().map(|text| (text.trim_end(), 1)).collect::<Vec<_>>())
    }

    #[test]
    fn how_often_a_line_of_a_log_comes_sets_no_node_apart_but_what_it_says_and_a_flood_do() {
        let alone = logs(|_| String::new());
        assert_eq!(alone, [(30, "lines of logs alone, another number of them on each node".to_owned())]);
        let sizes = |sets: Vec<(u32, String)>| sets.into_iter().map(|(n, _)| n).collect::<BTreeSet<_>>();
        let rare = logs(|n| if n == 7 { "GET /health status=500 took 3ms\n".into() } else { String::new() });
        assert_eq!(sizes(rare), [1, 29].into());
        let flood = logs(|n| if n == 7 { "GET /health status=200 took 3ms\n".repeat(999) } else { String::new() });
        assert_eq!(sizes(flood), [1, 29].into());
        let error = logs(|n| if n == 7 { "disk error on sda\n".into() } else { String::new() });
        assert_eq!(sizes(error), [1, 29].into());
    }

    #[test]
    fn nodes_for_which_there_is_no_class_left_never_stand_among_the_usual_ones() {
        let texts: Vec<String> = (0..100)
            .map(|n| (0..20).map(|key| format!("key{} = {}\n", char::from(b'a' + key), u8::from(key != n))).collect())
            .collect();
        let found = sets(&texts.iter().map(|text| (text.as_str(), 1)).collect::<Vec<_>>());
        assert_eq!(found.iter().map(|(n, _)| *n).max(), Some(80), "{found:?}");
        // A rare version beside another slot with two values.
        let texts: Vec<String> = (0..100)
            .map(|n| format!("port {} nginx/1.2{}.0", [80, 8080][n % 2], if n == 50 { 9 } else { n % 7 }))
            .collect();
        let found = sets(&texts.iter().map(|text| (text.as_str(), 1)).collect::<Vec<_>>());
        assert!(found.iter().any(|(n, text)| *n == 1 && text.contains("1.29.0")), "{found:?}");
    }

    #[test]
    fn words_without_digits_always_count() {
        assert_eq!(sets(&[("active", 3), ("inactive", 1)]).len(), 2);
    }
}
