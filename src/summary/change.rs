//! What nodes printed before and now -> what changed, the same change on many nodes told once.
//!
//! Times never count. Of the other values, one that moves on most nodes and on each to something else goes on by itself, as
//! a pid or an uptime does; one that moves on few of them, or on many in the same way, is a change. So is a line that came
//! or went, unless it is of a log.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::redact::{normalise, untagged};

use super::group::{Chatter, Shown, told_line};
use super::lines::{Lexicon, Place, Record, Template};
use super::mask::Kind;
use super::threads::Threads;
use super::units::Units;
use super::values::{Value, View};

/// One node's redacted output, before and now.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The node's own name.
    pub name: &'a str,
    pub old: &'a str,
    pub new: &'a str,
}

/// One line that reads otherwise on these nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `None`: the line is new.
    pub from: Option<String>,
    /// `None`: the line is gone.
    pub to: Option<String>,
    /// Indices into the pairs, ascending.
    pub pairs: Vec<u32>,
}

/// Values of fewer nodes show no pattern: each that moved is told.
const NODES_MIN: usize = 4;
/// A value that moves in no more ways than this, on many nodes, was moved by somebody.
const WAYS: usize = 12;

/// What changed, the most nodes first. A node may stand in several changes.
#[must_use]
pub fn changes(pairs: &[Pair<'_>]) -> Vec<Change> {
    let mut lexicon = Lexicon::default();
    let mut read = |text: &str, name: &str| Record::of(&normalise(text), name, &mut lexicon);
    let records: Vec<[Record; 2]> = pairs.iter().map(|p| [read(p.old, p.name), read(p.new, p.name)]).collect();
    let units: Units<'_> = records.iter().flatten().zip(0..).map(|(record, first)| (record, 1, first)).collect();
    let chatter = Chatter::of(&lexicon, &units, Threads::default());
    let differences: Vec<Difference<'_>> =
        records.iter().map(|[old, new]| Difference::between(old, new, &lexicon, &chatter)).collect();
    let moves = Moves::of(&differences);
    let mut found: BTreeMap<Key<'_>, Found<'_>> = BTreeMap::new();
    for (difference, pair) in differences.iter().zip(0u32..) {
        for (old, new) in &difference.same {
            let slots = moves.told(old, new);
            if !slots.is_empty() {
                found.entry(Key::Moved(old.template, slots)).or_default().add(Some(old), Some(new), pair);
            }
        }
        // What came stands beside what went, in their order: `active` is now `inactive`.
        let most = difference.gone.len().max(difference.come.len());
        for at in 0..most {
            let (old, new) = (difference.gone.get(at), difference.come.get(at));
            let key = Key::Replaced(old.map(|l| l.template), new.map(|l| l.template));
            found.entry(key).or_default().add(old, new, pair);
        }
    }
    let mut changes: Vec<Change> = found.into_values().filter_map(|found| found.change(&lexicon)).collect();
    // The mark of a secret is another one in each run.
    let text = |text: &Option<String>| text.as_deref().map(|text| untagged(text).into_owned());
    changes.sort_by_cached_key(|c| (Reverse(c.pairs.len()), text(&c.from), text(&c.to), c.pairs.first().copied()));
    changes
}

/// One line of a record.
#[derive(Clone, Copy)]
struct Line<'r> {
    template: Template,
    all: View<'r>,
    /// Where its own values begin among all of the text, and how many there are.
    from: u32,
    slots: usize,
}

impl<'r> Line<'r> {
    fn values(&self) -> impl Iterator<Item = Value<'r>> + use<'r> {
        self.all.range(self.from, self.slots)
    }

    fn words(&self) -> Vec<&'r str> {
        self.values().map(|value| value.text).collect()
    }
}

/// The lines of one node that differ.
struct Difference<'r> {
    /// Lines of one shape, before and now.
    same: Vec<(Line<'r>, Line<'r>)>,
    gone: Vec<Line<'r>>,
    come: Vec<Line<'r>>,
    /// Shapes that it has both before and now.
    held: Vec<Template>,
}

impl<'r> Difference<'r> {
    fn between(old: &'r Record, new: &'r Record, lexicon: &Lexicon, chatter: &Chatter) -> Self {
        let mut olds = by_template(old, lexicon, chatter);
        let news = by_template(new, lexicon, chatter);
        let mut difference = Difference { same: Vec::new(), gone: Vec::new(), come: Vec::new(), held: Vec::new() };
        for (template, mut come) in news {
            let mut gone = olds.remove(&template).unwrap_or_default();
            if !gone.is_empty() {
                difference.held.push(template);
            }
            // Lines that are as they were, wherever they stand.
            let mut as_before: HashMap<Vec<&str>, usize> = HashMap::new();
            for line in &gone {
                *as_before.entry(line.words()).or_default() += 1;
            }
            let mut kept: HashMap<Vec<&str>, usize> = HashMap::new();
            come.retain(|line| match as_before.get_mut(&line.words()) {
                Some(n) if *n > 0 => {
                    *n -= 1;
                    *kept.entry(line.words()).or_default() += 1;
                    false
                }
                _ => true,
            });
            gone.retain(|line| match kept.get_mut(&line.words()) {
                Some(n) if *n > 0 => {
                    *n -= 1;
                    false
                }
                _ => true,
            });
            let both = gone.len().min(come.len());
            difference.same.extend(gone.iter().copied().zip(come.iter().copied()));
            difference.gone.extend(gone.drain(both..));
            difference.come.extend(come.drain(both..));
        }
        difference.gone.extend(olds.into_values().flatten());
        difference
    }
}

/// The lines that are no log, by their shape.
fn by_template<'r>(record: &'r Record, lexicon: &Lexicon, chatter: &Chatter) -> BTreeMap<Template, Vec<Line<'r>>> {
    let mut lines: BTreeMap<Template, Vec<Line<'r>>> = BTreeMap::new();
    let mut places: Vec<Place> = record.sorted.iter().filter(|at| !chatter.holds(at.template)).copied().collect();
    places.sort_by_key(|at| at.line);
    for Place { template, values, .. } in places {
        let line = Line { template, all: record.values.view(), from: values, slots: lexicon.slots(template) };
        lines.entry(template).or_default().push(line);
    }
    lines
}

/// How the values of each slot moved.
struct Moves<'r> {
    /// Nodes that have the line before and now.
    held: HashMap<Template, usize>,
    moved: HashMap<(Template, usize), Ways<'r>>,
}

/// From and to, with how many nodes.
type Ways<'r> = HashMap<(&'r str, &'r str), usize>;

impl<'r> Moves<'r> {
    fn of(differences: &[Difference<'r>]) -> Self {
        let mut moves = Moves { held: HashMap::new(), moved: HashMap::new() };
        for difference in differences {
            for template in &difference.held {
                *moves.held.entry(*template).or_default() += 1;
            }
            // A node counts once, whichever number of such lines it has.
            let mut of_node: BTreeSet<(Template, usize, &str, &str)> = BTreeSet::new();
            for (old, new) in &difference.same {
                of_node.extend(moved(old, new).map(|(slot, from, to)| (old.template, slot, from, to)));
            }
            for (template, slot, from, to) in of_node {
                *moves.moved.entry((template, slot)).or_default().entry((from, to)).or_default() += 1;
            }
        }
        moves
    }

    /// The slots of a line whose move is worth telling, each with from and to where only few ways are gone.
    fn told(&self, old: &Line<'r>, new: &Line<'r>) -> Vec<(usize, Option<(&'r str, &'r str)>)> {
        let held = self.held.get(&old.template).copied().unwrap_or(0);
        moved(old, new)
            .filter_map(|(slot, from, to)| {
                let ways = self.moved.get(&(old.template, slot))?;
                let nodes: usize = ways.values().sum();
                let version =
                    |line: &Line<'_>| line.values().nth(slot).is_some_and(|value| value.kind == Kind::Version);
                let version = version(old) && version(new);
                let alike = ways.len() <= WAYS && ways.len() * 2 <= nodes;
                let told = held < NODES_MIN || version || alike || nodes * 5 <= held;
                told.then_some((slot, (ways.len() <= WAYS).then_some((from, to))))
            })
            .collect()
    }
}

/// The values of a line that differ and are no times; a node's own name is the same wherever it stands.
fn moved<'r>(old: &Line<'r>, new: &Line<'r>) -> impl Iterator<Item = (usize, &'r str, &'r str)> {
    let values = old.values().zip(new.values()).enumerate();
    values
        .filter(|(_, (a, b))| a.kind != b.kind || !matches!(a.kind, Kind::Time | Kind::Own))
        .map(|(slot, (a, b))| (slot, a.text, b.text))
        .filter(|(_, a, b)| a != b)
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'r> {
    Moved(Template, Vec<(usize, Option<(&'r str, &'r str)>)>),
    Replaced(Option<Template>, Option<Template>),
}

/// The nodes of one change, and how its lines read for all of them.
#[derive(Default)]
struct Found<'r> {
    old: Option<(Template, Vec<Shown<'r>>)>,
    new: Option<(Template, Vec<Shown<'r>>)>,
    pairs: Vec<u32>,
}

impl<'r> Found<'r> {
    fn add(&mut self, old: Option<&Line<'r>>, new: Option<&Line<'r>>, pair: u32) {
        for (side, line) in [(&mut self.old, old), (&mut self.new, new)] {
            let Some(line) = line else { continue };
            let (_, shown) =
                side.get_or_insert_with(|| (line.template, line.values().map(|_| Shown::default()).collect()));
            shown.iter_mut().zip(line.values()).for_each(|(slot, value)| slot.add(value));
        }
        if self.pairs.last() != Some(&pair) {
            self.pairs.push(pair);
        }
    }

    /// `None` where only white space came or went.
    fn change(self, lexicon: &Lexicon) -> Option<Change> {
        let words = |side: Option<(Template, Vec<Shown<'r>>)>| {
            let (template, shown) = side?;
            let told = told_line(lexicon.shape(template), shown.into_iter()).trim().to_owned();
            (!told.is_empty()).then_some(told)
        };
        let (from, to) = (words(self.old), words(self.new));
        (from.is_some() || to.is_some()).then_some(Change { from, to, pairs: self.pairs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(String, String)]) -> Vec<(usize, String)> {
        let names: Vec<String> = (0..pairs.len()).map(|n| format!("web-{n}")).collect();
        let pairs: Vec<Pair<'_>> = pairs.iter().zip(&names).map(|((old, new), name)| Pair { name, old, new }).collect();
        let side = |text: Option<String>| text.unwrap_or_else(|| "nothing".into());
        changes(&pairs).into_iter().map(|c| (c.pairs.len(), format!("{} -> {}", side(c.from), side(c.to)))).collect()
    }

    /// So many nodes, by their number.
    fn nodes(n: usize, old: impl Fn(usize) -> String, new: impl Fn(usize) -> String) -> Vec<(usize, String)> {
        told(&(0..n).map(|n| (old(n), new(n))).collect::<Vec<_>>())
    }

    #[test]
    fn what_goes_on_by_itself_is_no_change() {
        let line = |day: usize| move |n: usize| format!("pid {}\nup since 10:0{day}:11\nload 0.{}", n * day, n + day);
        assert_eq!(nodes(30, line(3), line(5)), []);
        assert_eq!(nodes(30, line(3), line(3)), []);
    }

    #[test]
    fn a_value_that_moves_on_one_node_is_told_even_where_each_node_says_something_of_its_own() {
        let old = |n: usize| format!("service app-{n}x\nreplicas 3\nrev {}", n * 7);
        let new = |n: usize| format!("service app-{n}x\nreplicas {}\nrev {}", if n == 4 { 0 } else { 3 }, n * 9 + 1);
        assert_eq!(nodes(20, old, new), [(1, "replicas 3 -> replicas 0".into())]);
        let one = |replicas: &'static str| move |_: usize| format!("replicas {replicas}");
        assert_eq!(nodes(1, one("3"), one("0")), [(1, "replicas 3 -> replicas 0".into())]);
        assert_eq!(nodes(40, one("3"), one("0")), [(40, "replicas 3 -> replicas 0".into())]);
    }

    #[test]
    fn words_that_changed_and_lines_that_came_and_went_are_told() {
        let state = |n: usize| if n < 3 { "inactive".to_owned() } else { "active".into() };
        assert_eq!(nodes(20, |_| "active".into(), state), [(3, "active -> inactive".into())]);
        let more = |n: usize| if n == 0 { "fine\nError: disk full".to_owned() } else { "fine".into() };
        assert_eq!(nodes(20, |_| "fine".into(), more), [(1, "nothing -> Error: disk full".into())]);
        assert_eq!(nodes(20, more, |_| "fine".into()), [(1, "Error: disk full -> nothing".into())]);
    }

    #[test]
    fn a_list_in_another_order_is_no_change_and_a_row_that_went_is_that_row() {
        let list = |_: usize| "sda 10G\nsdb 20G\nsdc 30G".to_owned();
        assert_eq!(nodes(20, list, |_| "sdc 30G\nsda 10G\nsdb 20G".into()), []);
        assert_eq!(nodes(20, list, |_| "sdc 30G\nsda 10G".into()), [(20, "sdb 20G -> nothing".into())]);
    }

    #[test]
    fn many_moves_of_few_nodes_are_one_change() {
        let old = |n: usize| format!("used {}% of /", 30 + n % 7);
        let new = |n: usize| format!("used {}% of /", if n < 15 { 80 + n } else { 30 + n % 7 });
        assert_eq!(nodes(100, old, new), [(15, "used 30–36% of / -> used 80–94% of /".into())]);
    }

    #[test]
    fn versions_count_whatever_their_number() {
        let version = |of: usize| move |n: usize| format!("app {}.{of}.{n}", n % 15);
        assert_eq!(nodes(30, version(1), version(2)).len(), 1);
    }
}
