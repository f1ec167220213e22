//! Texts -> sets that mean the same.
//!
//! Texts of one shape belong together; a slot that holds few values is then put back, because those values
//! are the answer: `nginx/1.18.0` on two nodes of a hundred must never hide behind a star. Slots that stay
//! masked are shown as a range or by what they are. Nothing here depends on the order of the input beyond
//! which node is the first of each unit, and no text is looked at twice.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use super::cause::sounds_bad;
use super::lines::{FEW, Lexicon, Record, SLOTS_MAX, Template};
use super::mask::{Kind, SLOT, digits};
use super::units::{Unit, Units};
use super::values::Value;
use super::{Threads, size, when};

#[derive(Debug)]
pub(super) struct Group {
    /// Indices into the units.
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
    /// With those values that all of them have.
    pub same: String,
    /// Which of the lines of its shape it is, by their values.
    pub nth: u32,
    /// It holds a value by which sets were told apart.
    pub splits: bool,
}

impl Told {
    /// What no line of a text says.
    pub(super) fn note(words: &str) -> Self {
        Told { shape: words.to_owned(), words: words.to_owned(), same: words.to_owned(), nth: 0, splits: false }
    }
}

/// Only so many of the first lines can become a title, and so many of those that set a group apart.
const LINES: usize = 40;
const LINE_MAX: usize = 200;
/// Fewer units are not worth a thread.
pub(super) const UNITS: usize = 2_000;
/// Of fewer nodes each is read: a value that more than half of them have is the usual one.
const FEW_NODES: u32 = 12;
/// Evenly spread numbers are a range, unless they are as few as this.
const LEVELS: usize = 3;
/// [`SLOT`] as text.
const MASKED: &str = "\u{1}";
/// What a node without any line that counts is told by.
const ONLY_CHATTER: &str = "lines of logs alone, another number of them on each node";

/// Sets of units that say the same but for values of which each has its own. Ordered by their first node.
pub(super) fn group(lexicon: &Lexicon, chatter: &Chatter, units: &Units<'_>, threads: Threads) -> Vec<Group> {
    let mut shapes: Vec<(Key, Vec<usize>)> = Vec::new();
    let mut known: HashMap<Key, usize, RandomState> = HashMap::default();
    let mut starts: Vec<Vec<u32>> = Vec::new();
    // Used again for the next unit: most of them have the shape of one before.
    let mut key = Key::default();
    // Where every line counts, units of one layout are of one shape.
    let mut by_layout: Vec<Option<usize>> = vec![None; units.layouts.len()];
    for (i, unit) in units.all.iter().enumerate() {
        let shape = by_layout[unit.layout()].unwrap_or_else(|| {
            starts.extend(chatter.key(unit.record, &mut key));
            known.get(&key).copied().unwrap_or_else(|| {
                shapes.push((key.clone(), Vec::new()));
                known.insert(key.clone(), shapes.len() - 1);
                shapes.len() - 1
            })
        });
        if chatter.0.is_empty() {
            by_layout[unit.layout()] = Some(shape);
        }
        shapes[shape].1.push(i);
    }
    let shapes: Vec<Shape> = shapes.into_iter().map(|(key, members)| Shape::of(key, members, units, lexicon)).collect();
    let all = Values { units, starts };
    let everywhere = in_all(&shapes);
    let few = of_few(&shapes, units);
    let mut groups = Vec::new();
    for shape in &shapes {
        let mut split = split(&all, shape, threads);
        let wanted = shape.telling(&everywhere, &split.slots);
        for class in std::mem::take(&mut split.sets) {
            let mut lines = read(shape, &wanted, &split, lexicon, &all, &class, threads);
            let mut marks: Vec<(u8, Told)> =
                shape.marks.iter().filter(|mark| few.contains(mark)).map(|mark| mark.told(lexicon)).collect();
            // By their text, so that nothing depends on which template came first.
            marks.sort_unstable();
            lines.extend(marks.into_iter().map(|(_, told)| told));
            let chatter = chatter.among(class.iter().map(|&i| units.all[i].record));
            let lines = if lines.is_empty() && chatter > 0 { vec![Told::note(ONLY_CHATTER)] } else { lines };
            groups.push(Group { units: class, lines, chatter });
        }
    }
    groups.sort_by_cached_key(|g| g.units.iter().map(|&i| units.all[i].first).min());
    groups
}

/// The values of all units.
struct Values<'u, 'r> {
    units: &'u Units<'r>,
    /// Where the values of each line that counts begin in a record, in the order of its [`Key`]. None are here where all of
    /// them count.
    starts: Vec<Vec<u32>>,
}

impl<'r> Values<'_, 'r> {
    fn of(&self, unit: usize, slot: Slot) -> Value<'r> {
        let record = self.units.all[unit].record;
        let at = match self.starts.get(unit) {
            None => record.sorted.get(slot.line).map(|place| place.values),
            Some(starts) => starts.get(slot.line).copied(),
        };
        // INVARIANT: units of one shape have the same lines with the same slots.
        record.values.view().get(at.map_or(usize::MAX, |at| at as usize + slot.nth))
    }
}

/// A slot of a shape: the line it stands in, and which of its slots it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Slot {
    line: usize,
    nth: usize,
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

impl Mark {
    /// With the place of its kind among the others.
    fn told(&self, lexicon: &Lexicon) -> (u8, Told) {
        let line = |template: Template, slot: Option<usize>, value: &str| {
            let slots = 0..lexicon.slots(template);
            let shape = lexicon.shape(template);
            with_slots(shape, slots.map(|at| if Some(at) == slot { value.to_owned() } else { "…".to_owned() }.into()))
        };
        match self {
            Mark::Present(template) => (0, Told::note(&line(*template, None, ""))),
            Mark::Many(template) => {
                (1, Told::note(&format!("{MANY} times the usual number of: {}", line(*template, None, ""))))
            }
            Mark::Rare(template, slot, value) => (2, Told::note(&line(*template, Some(*slot), value))),
        }
    }
}

/// Units that are alike but for the values in their slots and the order of their lines.
struct Shape {
    /// Its lines, by their template.
    lines: Vec<Template>,
    /// The lines in the order in which the first node has them.
    order: Vec<usize>,
    /// By the text of their lines, so that nothing depends on which template came first.
    slots: Vec<Slot>,
    /// What of their logs sets them apart.
    marks: BTreeSet<Mark>,
    members: Vec<usize>,
}

impl Shape {
    fn of((lines, marks): Key, members: Vec<usize>, units: &Units<'_>, lexicon: &Lexicon) -> Self {
        let first = members.iter().map(|&i| &units.all[i]).min_by_key(|unit| unit.first);
        // Lines that do not count are in the record and not among these.
        let mut counted = lines.iter().peekable();
        let mut places: Vec<(u32, usize)> = Vec::with_capacity(lines.len());
        for at in first.iter().flat_map(|first| first.record.sorted.iter()) {
            if counted.next_if_eq(&&at.template).is_some() {
                places.push((at.line, places.len()));
            }
        }
        places.sort_unstable();
        let mut by_text: Vec<usize> = (0..lines.len()).collect();
        by_text.sort_by_key(|line| lexicon.shape(lines[*line]));
        let slots = by_text.iter().flat_map(|&line| (0..lexicon.slots(lines[line])).map(move |nth| Slot { line, nth }));
        Shape {
            order: places.into_iter().map(|(_, line)| line).collect(),
            slots: slots.collect(),
            lines,
            marks,
            members,
        }
    }

    /// Which of its lines may tell it apart: the first ones, and of the rest those that some shape lacks or that hold one
    /// of the slots it was split by.
    fn telling(&self, everywhere: &HashSet<Template>, split_by: &[Slot]) -> Vec<usize> {
        let (first, rest) = self.order.split_at(self.order.len().min(LINES));
        let tells =
            |line: &usize| !everywhere.contains(&self.lines[*line]) || split_by.iter().any(|slot| slot.line == *line);
        first.iter().copied().chain(rest.iter().copied().filter(tells).take(LINES)).collect()
    }
}

/// What of their logs sets those apart who have it, and not those who lack it.
fn of_few<'s>(shapes: &'s [Shape], units: &Units<'_>) -> HashSet<&'s Mark> {
    let mut held: HashMap<&Mark, u32> = HashMap::new();
    for shape in shapes.iter().filter(|shape| !shape.marks.is_empty()) {
        let nodes: u32 = shape.members.iter().map(|&i| units.all[i].nodes).sum();
        shape.marks.iter().for_each(|mark| *held.entry(mark).or_default() += nodes);
    }
    held.into_iter()
        .filter(|(_, nodes)| u64::from(*nodes) * 2 <= u64::from(units.nodes))
        .map(|(mark, _)| mark)
        .collect()
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
    /// It is none by what is known of it now, and yet lines of it were left out of a record.
    missed: bool,
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
    pub(super) fn of(lexicon: &Lexicon, units: &Units<'_>, threads: Threads) -> Self {
        let total = units.nodes;
        // Of few nodes lines of logs are known only where they were left out of what was read.
        if total < CHATTER_NODES && units.layouts.iter().all(|layout| layout.record.logs.is_empty()) {
            return Chatter::default();
        }
        // For each template how many nodes have it how often.
        let counted = threads.share(&units.layouts, UNITS, |layouts| {
            let mut often: Vec<Often> = vec![Often::default(); lexicon.templates()];
            let mut left_out = BTreeSet::new();
            for layout in layouts {
                for (template, count) in layout.record.counts() {
                    often[template as usize].add(count, layout.nodes);
                }
                left_out.extend(layout.record.logs.iter().map(|log| log.template));
            }
            (often, left_out)
        });
        let mut counted = counted.into_iter();
        let (mut often, mut left_out) = counted.next().unwrap_or_default();
        for (others, also_left_out) in counted {
            often.iter_mut().zip(others).for_each(|(often, other)| often.merge(other));
            left_out.extend(also_left_out);
        }
        let verdict = |(template, often): (Template, Often)| {
            let often = often.by_count();
            let nodes: u32 = often.values().sum();
            let steady = often.values().any(|n| u64::from(*n) * 10 >= u64::from(nodes) * u64::from(STEADY));
            let shape = lexicon.shape(template);
            // One, two or three of something are counted by people too, and a list of names is no log.
            let is_log = nodes >= CHATTER_NODES && !steady && often.len() >= 4 && has_word(shape);
            if !is_log && !left_out.contains(&template) {
                return None;
            }
            let half = nodes.div_ceil(2);
            let median = often.iter().scan(0, |sum, (count, n)| {
                *sum += n;
                Some((*sum, *count))
            });
            let median = median.into_iter().find(|(sum, _)| *sum >= half).map_or(0, |(_, count)| count);
            let most = u64::from(nodes) * 2 > u64::from(total);
            let telling = if most { median >= ALWAYS } else { sounds_bad(shape) };
            let many = median.max(MANY_MIN).saturating_mul(MANY);
            Some((template, Kept { present: telling, many, nodes, rare: BTreeMap::new(), missed: !is_log }))
        };
        let mut chatter = Chatter((0..).zip(often).filter_map(verdict).collect());
        if !chatter.0.is_empty() {
            chatter.look_for_rare_values(lexicon, &units.all);
        }
        chatter
    }

    /// What of a record counts, and where the values of its lines begin unless all of them count.
    fn key(&self, record: &Record, (lines, marks): &mut Key) -> Option<Vec<u32>> {
        lines.clear();
        marks.clear();
        if self.0.is_empty() {
            lines.extend(record.sorted.iter().map(|at| at.template));
            return None;
        }
        let mut starts = Vec::with_capacity(record.sorted.len());
        for those in record.sorted.chunk_by(|a, b| a.template == b.template) {
            let template = those[0].template;
            let Some(kept) = self.0.get(&template) else {
                lines.extend(those.iter().map(|at| at.template));
                starts.extend(those.iter().map(|at| at.values));
                continue;
            };
            if kept.present {
                marks.insert(Mark::Present(template));
            }
            if those.len() > kept.many as usize {
                marks.insert(Mark::Many(template));
            }
            for at in those {
                for (slot, rare) in &kept.rare {
                    let value = record.values.view().get(at.values as usize + slot).text;
                    if rare.contains(value) {
                        marks.insert(Mark::Rare(template, *slot, value.to_owned()));
                    }
                }
            }
        }
        for log in &record.logs {
            let Some(kept) = self.0.get(&log.template) else { continue };
            marks.extend(kept.present.then_some(Mark::Present(log.template)));
            marks.extend((log.lines > kept.many).then_some(Mark::Many(log.template)));
            for (slot, value) in &log.held {
                let (slot, value) = (*slot as usize, record.values.view().get(*value as usize).text);
                let is_rare = kept.rare.get(&slot).is_some_and(|rare| rare.contains(value));
                marks.extend(is_rare.then(|| Mark::Rare(log.template, slot, value.to_owned())));
            }
        }
        Some(starts)
    }

    /// Its templates that are lines of logs by what is known now.
    pub(super) fn logs(&self) -> HashSet<Template> {
        self.0.iter().filter(|(_, kept)| !kept.missed).map(|(template, _)| *template).collect()
    }

    /// Whether lines were left out of the record that count after all.
    pub(super) fn misses(&self, record: &Record) -> bool {
        record.logs.iter().any(|log| self.0.get(&log.template).is_none_or(|kept| kept.missed))
    }

    /// Whether lines of it are of a log.
    pub(super) fn holds(&self, template: Template) -> bool {
        self.0.contains_key(&template)
    }

    fn look_for_rare_values(&mut self, lexicon: &Lexicon, units: &[Unit<'_>]) {
        // Nodes by template, slot and value, while there are few values.
        let mut values: BTreeMap<(Template, usize), BTreeMap<&str, u32>> = BTreeMap::new();
        let mut many: BTreeSet<(Template, usize)> = BTreeSet::new();
        for unit in units {
            let record = unit.record;
            let mut seen: BTreeSet<(Template, usize, &str)> = BTreeSet::new();
            for at in record.sorted.iter().filter(|at| self.holds(at.template)) {
                let slots = lexicon.slots(at.template).min(SLOTS_MAX);
                let values = record.values.view().range(at.values, slots).enumerate();
                let values = values.filter(|(_, value)| value.kind != Kind::Time);
                seen.extend(values.map(|(slot, value)| (at.template, slot, value.text)));
            }
            for log in &record.logs {
                let held =
                    log.held.iter().map(|(slot, value)| (*slot as usize, record.values.view().get(*value as usize)));
                seen.extend(held.map(|(slot, value)| (log.template, slot, value.text)));
                many.extend(log.many().map(|slot| (log.template, slot)));
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
            let Some(kept) =
                self.0.get_mut(&template).filter(|_| tally.len() <= FEW && !many.contains(&(template, slot)))
            else {
                continue;
            };
            let few = tally.into_iter().filter(|(_, n)| u64::from(*n) * 5 < u64::from(kept.nodes));
            kept.rare.insert(slot, few.map(|(value, _)| value.to_owned()).collect());
        }
    }

    /// How many of its templates these texts have.
    fn among<'r>(&self, records: impl Iterator<Item = &'r Record>) -> u32 {
        if self.0.is_empty() {
            return 0;
        }
        let templates = records.flat_map(Record::templates);
        size(templates.filter(|template| self.holds(*template)).collect::<BTreeSet<_>>().len())
    }
}

/// How many nodes have a line how often. Most lines come equally often everywhere, which needs no search.
#[derive(Default, Clone)]
struct Often {
    last: (u32, u32),
    others: BTreeMap<u32, u32>,
}

impl Often {
    fn add(&mut self, count: u32, nodes: u32) {
        if self.last.0 != count {
            let (last, sum) = std::mem::replace(&mut self.last, (count, 0));
            if sum > 0 {
                *self.others.entry(last).or_default() += sum;
            }
        }
        self.last.1 += nodes;
    }

    fn merge(&mut self, other: Often) {
        other.by_count().into_iter().for_each(|(count, nodes)| self.add(count, nodes));
    }

    fn by_count(mut self) -> BTreeMap<u32, u32> {
        if self.last.1 > 0 {
            *self.others.entry(self.last.0).or_default() += self.last.1;
        }
        self.others
    }
}

/// Three letters in a row, so that the line says something besides its values.
fn has_word(shape: &str) -> bool {
    shape.split(|c: char| !c.is_alphabetic()).any(|word| word.chars().nth(2).is_some())
}

/// A slot that is worth a split.
struct Divide<'a> {
    slot: Slot,
    /// The values to split by; every other value falls into one class.
    kept: BTreeSet<&'a str>,
    /// The value of four fifths of the nodes, where there is one.
    usual: Option<&'a str>,
    /// Times that mean the usual one, since they were read right before or after it.
    near: BTreeSet<&'a str>,
    version: bool,
}

impl<'a> Divide<'a> {
    /// Which of the values that count it is.
    fn class(&self, value: &str) -> Option<&'a str> {
        if self.near.contains(value) { self.usual } else { self.kept.get(value).copied() }
    }
}

/// The units of one shape, split by these slots.
struct Split {
    sets: Vec<Vec<usize>>,
    slots: Vec<Slot>,
    /// Slots that hold the same on all of them.
    constant: HashSet<Slot>,
}

/// Splits the units of one shape by the slots that have few values.
fn split(all: &Values<'_, '_>, shape: &Shape, threads: Threads) -> Split {
    let members = &shape.members;
    if members.len() == 1 {
        return Split { sets: vec![members.clone()], slots: Vec::new(), constant: HashSet::new() };
    }
    let nodes: u32 = members.iter().map(|&i| all.units.all[i].nodes).sum();
    // Unit by unit, because what belongs to one stands together in memory.
    let tallied = threads.share(members, UNITS, |members| {
        let mut tallies: Vec<(Slot, Tally<'_>)> = shape.slots.iter().map(|slot| (*slot, Tally::default())).collect();
        if members.len() >= UNITS {
            give_up_early(&mut tallies, all, members, nodes);
        }
        for &i in members {
            for (slot, tally) in tallies.iter_mut().filter(|(_, tally)| !tally.hopeless) {
                tally.add(all.of(i, *slot), all.units.all[i].nodes, nodes);
            }
        }
        tallies
    });
    let tallies = tallied.into_iter().reduce(|mut tallies, others| {
        tallies.iter_mut().zip(others).for_each(|((_, tally), (_, other))| tally.merge(other, nodes));
        tallies
    });
    let tallies: Vec<(Slot, Tally<'_>)> = tallies.into_iter().flatten().collect();
    let constant = tallies.iter().filter(|(_, tally)| tally.is_constant()).map(|(slot, _)| *slot).collect();
    let tallies = tallies.into_iter();
    let mut divides: Vec<Divide<'_>> = tallies.filter_map(|(slot, tally)| tally.verdict(slot, nodes)).collect();
    // Fewest values first: the coarse distinctions are the ones that people name.
    // Versions before all, so that none of them is left out for lack of room. Stable: by the text of the lines.
    divides.sort_by_key(|d| (!d.version, d.kept.len()));
    let mut classes = vec![0usize; members.len()];
    let mut rest = vec![false; members.len()];
    let mut count = 1;
    for divide in &divides {
        let mut known: HashMap<(usize, Option<&str>), usize, RandomState> = HashMap::default();
        // Most say what the one before has said.
        let mut before = None;
        let finer: Vec<usize> = members
            .iter()
            .zip(&classes)
            .map(|(&i, &class)| {
                let said = all.of(i, divide.slot).said();
                let same = before.filter(|(of, value, _)| (*of, *value) == (class, said));
                let finer = same.map_or_else(
                    || {
                        let next = known.len();
                        *known.entry((class, divide.class(said))).or_insert(next)
                    },
                    |(.., finer)| finer,
                );
                before = Some((class, said, finer));
                finer
            })
            .collect();
        let enough = divide.version || known.len() * 2 <= nodes as usize;
        if known.len() <= FEW && enough {
            count = known.len();
            classes = finer;
        } else if let Some(usual) = divide.usual {
            // No room for a class of their own, and still they are not as the others.
            for (&i, rest) in members.iter().zip(&mut rest) {
                *rest |= divide.class(all.of(i, divide.slot).said()) != Some(usual);
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
    Split { sets, slots: divides.into_iter().map(|divide| divide.slot).collect(), constant }
}

/// Gives up those slots of which a first look at some of the units shows that there are too many values: not one of them has
/// to be kept for that.
fn give_up_early(tallies: &mut [(Slot, Tally<'_>)], all: &Values<'_, '_>, members: &[usize], nodes: u32) {
    let hasher = RandomState::default();
    let enough = nodes as usize / 5;
    let places = (enough * 4).next_power_of_two().max(64);
    let mut seen = vec![0u64; places / 64];
    for (slot, tally) in tallies {
        seen.fill(0);
        let (mut different, mut kinds) = (0, Kinds::default());
        for (looked_at, &i) in members.iter().take(enough * 2).enumerate() {
            let value = all.of(i, *slot);
            kinds.add(value.kind);
            let place = usize::try_from(hasher.hash_one(value.said())).unwrap_or(0) % places;
            // Different places are different values; the other way round it need not be so.
            different += usize::from(seen[place / 64] >> (place % 64) & 1 == 0);
            seen[place / 64] |= 1 << (place % 64);
            // Enough are seen, or so few of the first ones differ that all may as well be kept.
            if different > enough + 1 || looked_at == FIRST && different * 2 < FIRST {
                break;
            }
        }
        tally.kinds = kinds;
        tally.hopeless = tally.has_too_many(different.saturating_sub(1), nodes);
    }
}

/// So many units show whether nearly each has a value of its own.
const FIRST: usize = 1_000;

/// The values of one slot with their nodes, for as long as they can still lead to a split.
#[derive(Default)]
struct Tally<'a> {
    /// Most slots hold one value: it is counted without hashing.
    first: Option<(&'a str, u32)>,
    others: HashMap<&'a str, u32, RandomState>,
    kinds: Kinds,
    hopeless: bool,
}

impl<'a> Tally<'a> {
    fn add(&mut self, value: Value<'a>, count: u32, nodes: u32) {
        self.kinds.add(value.kind);
        self.count(value.said(), count);
        self.look_for_hope(nodes);
    }

    /// What another thread has counted.
    fn merge(&mut self, other: Tally<'a>, nodes: u32) {
        self.kinds.0 |= other.kinds.0;
        self.hopeless |= other.hopeless;
        if !self.hopeless {
            other.first.into_iter().chain(other.others).for_each(|(text, count)| self.count(text, count));
            self.look_for_hope(nodes);
        }
    }

    fn count(&mut self, text: &'a str, count: u32) {
        match &mut self.first {
            None => self.first = Some((text, count)),
            Some((first, sum)) if *first == text => *sum += count,
            Some(_) => *self.others.entry(text).or_default() += count,
        }
    }

    /// It holds the same text of the same kind on all.
    fn is_constant(&self) -> bool {
        !self.hopeless
            && self.others.is_empty()
            && Kind::ALL.iter().any(|kind| self.kinds.only(*kind) && *kind != Kind::Own)
    }

    fn look_for_hope(&mut self, nodes: u32) {
        self.hopeless |= self.has_too_many(self.others.len(), nodes);
    }

    /// `others`: values besides one. Each further one takes at least one node from the usual one, until none can be usual any
    /// more. Versions are kept whatever their number.
    fn has_too_many(&self, others: usize, nodes: u32) -> bool {
        others >= FEW && others * 5 > nodes as usize && !self.kinds.may_be(Kind::Version)
    }

    /// Whether the slot is worth a split: few values, or one usual value with a tail of others.
    fn verdict(self, slot: Slot, nodes: u32) -> Option<Divide<'a>> {
        if self.hopeless || self.others.is_empty() || self.kinds.only(Kind::Own) {
            return None;
        }
        let version = self.kinds.only(Kind::Version);
        let mut by_count: Vec<(&str, u32)> = self.first.into_iter().chain(self.others).collect();
        by_count.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let is_usual =
            |n: u32| if nodes < FEW_NODES { n * 2 > nodes } else { u64::from(n) * 10 >= u64::from(nodes) * 8 };
        let usual = by_count.first().filter(|(_, n)| is_usual(*n)).map(|(value, _)| *value);
        if usual.is_none() && by_count.len() > LEVELS && self.kinds.only(Kind::Number) {
            return None;
        }
        let mut near = BTreeSet::new();
        if self.kinds.only(Kind::Time) {
            // A time that all have is an expiry or a schedule; one that differs everywhere is the time of day.
            let usual = usual?;
            near.extend(by_count.iter().skip(1).map(|(value, _)| *value).filter(|value| when::near(value, usual)));
            by_count.retain(|(value, _)| !near.contains(value));
            if by_count.len() < 2 {
                return None;
            }
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
        Some(Divide { slot, kept, usual, near, version })
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
    Split { slots: split_by, constant, .. }: &Split,
    lexicon: &Lexicon,
    all: &Values<'_, '_>,
    class: &[usize],
    threads: Threads,
) -> Vec<Told> {
    let text = |line: usize| lexicon.shape(shape.lines[line]);
    let of_line = |line: usize| (0..lexicon.slots(shape.lines[line])).map(move |nth| Slot { line, nth });
    let slots: Vec<Slot> = wanted.iter().flat_map(|&line| of_line(line)).collect();
    let varying: Vec<(usize, Slot)> =
        (0..).zip(&slots).filter(|(_, slot)| !constant.contains(slot)).map(|(at, slot)| (at, *slot)).collect();
    let shown = threads.share(class, UNITS, |class| {
        let mut shown: Vec<Shown<'_>> = slots.iter().map(|_| Shown::default()).collect();
        for &i in class.iter().take(1) {
            slots.iter().zip(&mut shown).for_each(|(slot, shown)| shown.add(all.of(i, *slot)));
        }
        for &i in class.iter().skip(1) {
            varying.iter().for_each(|(at, slot)| shown[*at].add(all.of(i, *slot)));
        }
        shown
    });
    let shown = shown.into_iter().reduce(|mut shown, others| {
        shown.iter_mut().zip(others).for_each(|(shown, other)| shown.merge(other));
        shown
    });
    let mut shown = shown.into_iter().flatten();
    let mut lines = Vec::new();
    for &at in wanted {
        let line = text(at);
        // Equal shapes stand beside each other.
        let alike = shape.lines[..at].iter().rev().take_while(|template| **template == shape.lines[at]).count();
        let nth = size(alike);
        let slots: Vec<Shown<'_>> = shown.by_ref().take(lexicon.slots(shape.lines[at])).collect();
        // A time that the nodes of one set happen to share sets them no more apart than others.
        let counts = |shown: &Shown<'_>, slot: Slot| !shown.kinds.only(Kind::Time) || split_by.contains(&slot);
        let values = slots.iter().zip(of_line(at));
        let values = values.map(|(shown, slot)| shown.one().filter(|_| counts(shown, slot)).unwrap_or(MASKED).into());
        let same = with_slots(line, values);
        let words = told_line(line, slots.into_iter());
        let splits = split_by.iter().any(|slot| slot.line == at);
        lines.push(Told { words, shape: line.to_owned(), same, nth, splits });
    }
    lines
}

/// A shape with what is shown of its slots.
pub(super) fn told_line<'a>(shape: &str, slots: impl Iterator<Item = Shown<'a>>) -> String {
    with_slots(shape, slots.map(|slot| slot.words().into()))
}

/// At most [`LINE_MAX`] characters of it.
fn with_slots<'a>(shape: &str, mut slots: impl Iterator<Item = Cow<'a, str>>) -> String {
    let mut told = String::new();
    let mut length = 0;
    for c in shape.chars() {
        if length >= LINE_MAX {
            break;
        }
        if c == SLOT {
            let words = slots.next().unwrap_or_default();
            length += words.chars().count();
            told.push_str(&words);
        } else {
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
    pub(super) fn add(&mut self, Value { kind, text }: Value<'a>) {
        self.kinds.add(kind);
        if self.distinct.last() == Some(&text) {
            return;
        }
        self.also(text);
        if !self.mixed {
            match Number::of(text) {
                Some(n) => self.reaches(n),
                None => self.mixed = true,
            }
        }
    }

    /// What another thread has seen of other units.
    fn merge(&mut self, other: Shown<'a>) {
        self.kinds.0 |= other.kinds.0;
        self.mixed |= other.mixed;
        other.distinct.into_iter().for_each(|text| self.also(text));
        other.range.into_iter().flat_map(|(low, high)| [low, high]).for_each(|n| self.reaches(n));
    }

    fn also(&mut self, text: &'a str) {
        if self.distinct.len() <= ALTERNATIVES && !self.distinct.contains(&text) {
            self.distinct.push(text);
        }
    }

    fn reaches(&mut self, n: Number<'a>) {
        let (low, high) = self.range.unwrap_or((n, n));
        self.mixed |= low.unit != n.unit;
        // Of two that are written otherwise and are one number, it is always the same one.
        let less =
            |a: Number<'_>, b: Number<'_>| a.value.total_cmp(&b.value).then_with(|| a.digits.cmp(b.digits)).is_lt();
        self.range = Some((if less(n, low) { n } else { low }, if less(high, n) { n } else { high }));
    }

    /// The only value.
    fn one(&self) -> Option<&'a str> {
        if let [one] = self.distinct.as_slice() { Some(one) } else { None }
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
        let bytes = text.as_bytes();
        let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
        let whole = digits(&bytes[sign..]);
        if whole == 0 || whole > 15 {
            return None;
        }
        let mut end = sign + whole;
        if bytes.get(end) == Some(&b'.') {
            let part = digits(&bytes[end + 1..]);
            if part > 0 {
                end += 1 + part;
            }
        }
        // INVARIANT: it ends behind an ASCII byte.
        let (digits, unit) = text.split_at(end);
        let unit_text = unit.trim_start();
        if unit_text.len() > 4 || !unit_text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'%') {
            return None;
        }
        let value = if end == whole {
            // Most are, and each of these steps is exact: there are few digits.
            bytes[..end].iter().fold(0.0, |value, digit| value * 10.0 + f64::from(digit - b'0'))
        } else {
            digits.parse().ok()?
        };
        Some(Number { value, digits, unit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(texts: &[(&str, u32)]) -> Vec<(u32, String)> {
        let mut lexicon = Lexicon::default();
        let records: Vec<Record> = texts.iter().map(|(text, _)| Record::of(text, "", &mut lexicon)).collect();
        let units: Units<'_> = records.iter().zip(0..).map(|(record, at)| (record, texts[at].1, at)).collect();
        group(&lexicon, &Chatter::of(&lexicon, &units, Threads::default()), &units, Threads::default())
            .into_iter()
            .map(|g| {
                (
                    g.units.iter().map(|i| texts[*i].1).sum(),
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

    #[test]
    fn lines_that_differ_in_a_number_only_are_one_list_in_any_order() {
        let orders =
            ["cpu 0 ok\ncpu 1 ok\ncpu 2 ok", "cpu 2 ok\ncpu 0 ok\n\ncpu 1 ok", "cpu 1 ok\ncpu 2 ok\ncpu 0 ok\n"];
        let texts: Vec<(&str, u32)> = (0..12).map(|n| (orders[n % 3], 1)).collect();
        assert_eq!(sets(&texts), [(12, "cpu 0 ok / cpu 1 ok / cpu 2 ok".to_owned())]);
        let mixed =
            ["eth0: mtu 1500\neth1: mtu 9001", "eth1: mtu 9001\neth0: mtu 1500", "eth0: mtu 9001\neth1: mtu 9001"];
        let texts: Vec<(&str, u32)> = mixed.iter().zip([9, 8, 1]).map(|(text, nodes)| (*text, nodes)).collect();
        assert_eq!(sets(&texts).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [17, 1]);
    }

    #[test]
    fn a_time_that_all_have_but_few_tells_them_apart_and_the_time_of_day_does_not() {
        let texts = [("certificate expires 2027-01-31", 294), ("certificate expires 2026-12-01", 6)];
        assert_eq!(sets(&texts).len(), 2);
        assert_eq!(sets(&[("now 10:02", 290), ("now 10:03", 10)]).len(), 1);
        let texts: Vec<String> = (0..60).map(|n| format!("up since 10:{n:02}:11")).collect();
        assert_eq!(sets(&texts.iter().map(|text| (text.as_str(), 1)).collect::<Vec<_>>()).len(), 1);
    }

    #[test]
    fn of_few_nodes_the_one_that_differs_is_told() {
        let sizes = |texts: &[(&str, u32)]| sets(texts).into_iter().map(|(n, _)| n).collect::<Vec<_>>();
        assert_eq!(sizes(&[("exit status 0", 2), ("exit status 1", 1)]), [2, 1]);
        // Nothing is usual.
        assert_eq!(sizes(&[("load 1", 1), ("load 2", 1), ("load 3", 1)]), [3]);
        // Evenly spread numbers are a range, whatever their number.
        let texts: Vec<String> = (0..70).map(|n| format!("tasks {}", n % 7)).collect();
        assert_eq!(sizes(&texts.iter().map(|text| (text.as_str(), 1)).collect::<Vec<_>>()), [70]);
    }

    #[test]
    fn a_line_far_down_that_differs_is_among_those_that_are_told() {
        let text = |last: &str| (0..90).map(|n| format!("line {}x is fine\n", n)).collect::<String>() + last;
        let (usual, other) = (text("state: active"), text("state: failed"));
        let found = sets(&[(&usual, 20), (&other, 1)]);
        assert!(found[1].1.ends_with("state: failed"), "{found:?}");
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
        assert!(rare.iter().any(|(_, told)| told == "GET /health status=500 took …"), "{rare:?}");
        assert_eq!(sizes(rare), [1, 29].into());
        let flood = logs(|n| if n == 7 { "GET /health status=200 took 3ms\n".repeat(999) } else { String::new() });
        assert!(
            flood.iter().any(|(_, told)| told == "10 times the usual number of: GET /health status=… took …"),
            "{flood:?}"
        );
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

    proptest::proptest! {
        #[test]
        fn groups_are_the_same_in_whichever_order_the_units_stand(
            texts in proptest::collection::vec(
                ("((n = 0{0,2}[1-3]|State: (up|down)|nginx/1\\.(18|24)\\.0|[bc] [0-9]{1,2} x|load 0\\.[0-9]0?)\n){1,4}", proptest::prelude::any::<u8>()),
                2..40,
            ),
        ) {
            let mut lexicon = Lexicon::default();
            let records: Vec<Record> = texts.iter().map(|(text, _)| Record::of(text, "", &mut lexicon)).collect();
            let groups_of = |order: &[usize]| -> Vec<(Vec<usize>, Vec<Told>)> {
                let units: Units<'_> = order.iter().map(|at| (&records[*at], 1, *at)).collect();
                let chatter = Chatter::of(&lexicon, &units, Threads::default());
                let firsts = |group: &Group| {
                    let mut firsts: Vec<usize> = group.units.iter().map(|i| units.all[*i].first).collect();
                    firsts.sort_unstable();
                    firsts
                };
                let groups = group(&lexicon, &chatter, &units, Threads::default()).into_iter();
                groups.map(|group| (firsts(&group), group.lines)).collect()
            };
            let mut order: Vec<usize> = (0..texts.len()).collect();
            let straight = groups_of(&order);
            order.sort_by_key(|at| texts[*at].1);
            proptest::prop_assert_eq!(groups_of(&order), straight);
        }
    }
}
