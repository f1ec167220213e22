//! Extracted values -> categories, or numbers with their spread and the nodes at the top.
//!
//! Where a runbook extracts nothing, the values that its outputs hold by themselves (`facts`) are looked through, and the
//! few that set nodes apart are told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use foldhash::fast::RandomState;

use crate::redact::untagged;

use super::facts::holds_clock;
use super::group::{Number, UNITS};
use super::said::{Name, Said};
use super::{Measure, Row, Shape, Threads, size};

/// How many of the highest values are named.
const TOP: usize = 5;
/// A bare number with so few values, each of them common, is a code or a port and not a quantity.
const CODES: usize = 5;

/// One measure for each extracted name, in the order of the names.
pub(super) fn measures(rows: &[&Row]) -> Vec<Measure> {
    let mut values: BTreeMap<&str, Vec<(&str, u32)>> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.outcome.is_some()) {
        for (name, value) in &row.extracted {
            values.entry(name).or_default().push((value, row.target));
        }
    }
    values
        .into_iter()
        .map(|(name, values)| Measure {
            name: name.to_owned(),
            nodes: size(values.len()),
            shape: numbers(&values).map_or_else(|| categories(&values), |n| n.shape(0)),
            found: false,
        })
        .collect()
}

fn categories(values: &[(&str, u32)]) -> Shape {
    let mut by_value: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    // Nodes that printed the same stand beside each other.
    for same in values.chunk_by(|a, b| a.0 == b.0) {
        by_value.entry(same[0].0).or_default().extend(same.iter().map(|(_, target)| *target));
    }
    by_value.values_mut().for_each(|targets| targets.sort_unstable());
    let mut sets: Vec<(String, Vec<u32>)> = by_value.into_iter().map(|(v, t)| (v.to_owned(), t)).collect();
    // By their text as it is in each run: the marks of secrets are not.
    sets.sort_by_cached_key(|(value, targets)| {
        (std::cmp::Reverse(targets.len()), untagged(value).into_owned(), targets.first().copied())
    });
    Shape::Categories(sets)
}

/// A value to sort by, the text to show, and its target.
struct Point<'a> {
    value: f64,
    text: &'a str,
    target: u32,
}

/// Numbers of one unit, or sizes, ascending. There is at least one.
struct Numbers<'a> {
    points: Vec<Point<'a>>,
    /// Empty where the numbers have none, or each its own.
    unit: &'a str,
}

/// `None` unless every value is a number of one unit, or a size.
fn numbers<'a>(values: &[(&'a str, u32)]) -> Option<Numbers<'a>> {
    let mut points: Vec<Point<'_>> = Vec::with_capacity(values.len());
    let (mut unit, mut one_unit) = (None, true);
    // Nodes that printed the same stand beside each other.
    let mut before: Option<(&str, Number<'_>)> = None;
    for (text, target) in values {
        let n = match before {
            Some((other, n)) if other == *text => n,
            _ => Number::of(text)?,
        };
        before = Some((*text, n));
        one_unit &= *unit.get_or_insert(n.unit.trim()) == n.unit.trim();
        points.push(Point { value: n.value, text: n.digits, target: *target });
    }
    let unit = unit?;
    if !one_unit {
        // Sizes such as `900M` and `1.2G` are compared as bytes and shown as they were written.
        for (point, (text, _)) in points.iter_mut().zip(values) {
            point.value *= factor(Number::of(text)?.unit.trim())?;
            point.text = text.trim();
        }
    }
    points.sort_unstable_by(|a, b| a.value.total_cmp(&b.value).then(a.target.cmp(&b.target)));
    let levels = points.chunk_by(|a, b| a.value == b.value).take(CODES + 1).count();
    if one_unit && unit.is_empty() && levels <= CODES && levels * 2 <= points.len() {
        return None;
    }
    Some(Numbers { points, unit: if one_unit { unit } else { "" } })
}

impl Numbers<'_> {
    /// The nearest rank: a value that some node really has.
    fn rank(&self, share: usize) -> &Point<'_> {
        &self.points[(self.points.len() * share).div_ceil(100).max(1) - 1]
    }

    /// `low`: how many of the lowest values are named too.
    fn shape(&self, low: usize) -> Shape {
        let text = |share: usize| self.rank(share).text.to_owned();
        let named = |p: &Point<'_>| (p.text.to_owned(), p.target);
        // Those of one value by their target, as all are.
        let equal = self.points.chunk_by(|a, b| a.value.total_cmp(&b.value).is_eq()).rev();
        let top = equal.flatten();
        Shape::Numbers {
            unit: self.unit.to_owned(),
            min: text(0),
            median: text(50),
            p95: text(95),
            max: text(100),
            top: top.take(TOP).map(named).collect(),
            low: self.points.iter().take(low).map(named).collect(),
        }
    }
}

/// Powers of 1024, as `df -h` and `du -h` write them.
fn factor(unit: &str) -> Option<f64> {
    let power = match unit.trim_end_matches('B').trim_end_matches('i') {
        "" => 0,
        "K" | "k" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        _ => return None,
    };
    Some(1024f64.powi(power))
}

// --- Found by itself ---

/// Measures told of those that were found.
const FOUND: usize = 5;
/// Of these at most so many only because their values differ.
const SPREADS: usize = 2;
/// Fewer nodes are read one by one.
const NODES_MIN: u32 = 5;
/// Names that outputs of one short command have.
const NAMES_FEW: usize = 64;
/// A category with more values says no more than the outputs do.
const VALUES_MAX: usize = 8;
/// Per cent of something at which it is nearly used up.
const HOT: f64 = 90.0;
/// In spreads of the middle half: as far from nearly all others, a value is an outlier.
const FAR: f64 = 3.0;

/// One output that was read, and the nodes that printed it.
pub(super) struct Output<'a> {
    pub said: &'a Said,
    /// Where they stand among the targets.
    pub nodes: Range<usize>,
}

/// The values of one name: which output has which.
struct Series<'a> {
    name: &'a Name,
    /// The first target that has it, and which of its facts it is.
    first: (u32, u32),
    /// The output, and which of its facts it is.
    values: Vec<(u32, u32)>,
}

/// What is worth telling of the outputs, the most telling first, at most [`FOUND`].
///
/// Which target says something first, and what it said before, decides only where nothing else does.
pub(super) fn found<'a>(outputs: &[Output<'a>], targets: &[u32], names: &'a [Name], threads: Threads) -> Vec<Measure> {
    let nodes = size(targets.len());
    // Outputs that are all equal tell no difference.
    if nodes < NODES_MIN || outputs.len() < 2 {
        return Vec::new();
    }
    let mut series: Vec<Series<'_>> = Vec::new();
    // Of few names nearly all outputs have each: to move them to larger room again and again takes long.
    let room = if names.len() <= NAMES_FEW { outputs.len() } else { 0 };
    let mut known: Vec<Option<usize>> = vec![None; names.len()];
    // Outputs of one command begin with one fact. It stands for their shape, and how many nodes have it is counted.
    let mut shape_of: Vec<Option<usize>> = Vec::with_capacity(outputs.len());
    let mut shapes: Vec<u64> = Vec::new();
    let mut shape_by_key: HashMap<&str, usize, RandomState> = HashMap::default();
    for (output, Output { said, nodes }) in outputs.iter().enumerate() {
        let shape = said.names().first().and_then(|name| names.get(*name as usize)).map(|name| {
            let next = shape_by_key.len();
            *shape_by_key.entry(&name.key).or_insert(next)
        });
        shape_of.push(shape);
        if let Some(shape) = shape {
            shapes.resize(shapes.len().max(shape + 1), 0);
            shapes[shape] += nodes.len() as u64;
        }
        let target = targets.get(nodes.start).copied().unwrap_or(u32::MAX);
        for (name, nth) in said.names().iter().zip(0..) {
            let Some(known) = known.get_mut(*name as usize) else { continue };
            let at = *known.get_or_insert_with(|| {
                let values = Vec::with_capacity(room);
                series.push(Series { name: &names[*name as usize], first: (target, nth), values });
                series.len() - 1
            });
            series[at].first = series[at].first.min((target, nth));
            series[at].values.push((size(output), nth));
        }
    }
    let told = |one: &Series<'a>| {
        let value = |(output, nth): &(u32, u32)| outputs[*output as usize].said.value(*nth);
        let nodes = |output: u32| &targets[outputs[output as usize].nodes.clone()];
        let first = value(one.values.first()?);
        if one.values.iter().all(|at| value(at) == first) || is_of_its_own(&one.name.key) {
            return None;
        }
        let count = one.values.iter().map(|at| nodes(at.0).len()).sum();
        let mut values: Vec<(&str, u32)> = Vec::with_capacity(count);
        values.extend(one.values.iter().flat_map(|at| nodes(at.0).iter().map(move |t| (value(at), *t))));
        let mut of: Vec<usize> = one.values.iter().filter_map(|(output, _)| shape_of[*output as usize]).collect();
        of.dedup();
        let alike: u64 = of.into_iter().collect::<HashSet<_>>().into_iter().map(|shape| shapes[shape]).sum();
        if size(values.len()) < NODES_MIN || (values.len() as u64) * 10 < alike * 9 {
            return None;
        }
        judge(one.name, &values).map(|verdict| Told { verdict, first: one.first, name: one.name, values })
    };
    // Of few nodes all are judged sooner than others have begun.
    let threads = if (nodes as usize) < UNITS { Threads::default() } else { threads };
    let told = threads.share(&series, 1, |series| series.iter().filter_map(told).collect::<Vec<Told<'_>>>());
    let mut told: Vec<Told<'_>> = told.into_iter().flatten().collect();
    told.sort_by(|a, b| b.verdict.score.total_cmp(&a.verdict.score).then(a.first.cmp(&b.first)));
    let mut apart: HashSet<Vec<u32>> = HashSet::new();
    let mut spreads: HashSet<&str> = HashSet::new();
    // The size, the used part and the per cent of one disk say one thing of the same nodes; it is told once.
    told.retain(|t| {
        if t.verdict.apart.is_empty() {
            spreads.len() < SPREADS && spreads.insert(if t.name.row.is_empty() { &t.name.key } else { &t.name.row })
        } else {
            apart.insert(t.verdict.apart.clone())
        }
    });
    told.truncate(FOUND);
    told.iter().map(Told::measure).collect()
}

struct Told<'a> {
    verdict: Verdict,
    first: (u32, u32),
    name: &'a Name,
    values: Vec<(&'a str, u32)>,
}

impl Told<'_> {
    fn measure(&self) -> Measure {
        let low = if self.verdict.low { TOP } else { 0 };
        Measure {
            name: self.name.words(),
            nodes: size(self.values.len()),
            shape: numbers(&self.values).map_or_else(|| categories(&self.values), |n| n.shape(low)),
            found: true,
        }
    }
}

/// How much a name tells.
struct Verdict {
    score: f64,
    /// The nodes that it sets apart, ascending; empty where the values only differ.
    apart: Vec<u32>,
    /// The lowest values are the ones that tell.
    low: bool,
}

/// Process numbers, ids and points in time differ everywhere and mean nothing beside each other.
fn is_of_its_own(key: &str) -> bool {
    let word = |w: &&str| {
        let w = w.to_ascii_lowercase();
        matches!(w.as_str(), "pid" | "ppid" | "id" | "uuid" | "inode" | "date" | "timestamp" | "serial")
    };
    let camel = ["PID", "ID", "Id", "UUID", "Timestamp", "TimestampMonotonic"];
    key.split(|c: char| !c.is_alphanumeric()).any(|w| word(&w)) || camel.iter().any(|end| key.ends_with(end))
}

fn judge(name: &Name, values: &[(&str, u32)]) -> Option<Verdict> {
    let Some(numbers) = numbers(values) else { return rare(values) };
    let points = &numbers.points;
    let (count, value) = (points.len(), |share: usize| numbers.rank(share).value);
    // In a small set the highest is its own 95th per cent: it is held against all others.
    let high = value(95).min(points[count.saturating_sub(2)].value);
    let low = value(5).max(points[1.min(count - 1)].value);
    let scale = (value(75) - value(25)).max(value(50).abs() / 20.0).max(1.0_f64.min(value(100).abs()));
    let (above, below) = ((value(100) - high) / scale, (low - value(0)) / scale);
    let is_share = numbers.unit == "%" || name.key.contains('%');
    let hot = is_share && value(100) >= HOT && value(50) < HOT;
    let far = above.max(below);
    let set = |apart: &dyn Fn(f64) -> bool| {
        let mut nodes: Vec<u32> = points.iter().filter(|p| apart(p.value)).map(|p| p.target).collect();
        nodes.sort_unstable();
        nodes
    };
    if hot || far >= FAR {
        let is_apart = |v: f64| (v - high) / scale >= FAR || (low - v) / scale >= FAR || (hot && v >= HOT);
        let score = far.clamp(0.0, 100.0) + if hot { 20.0 } else { 0.0 };
        return Some(Verdict { score, apart: set(&is_apart), low: below >= FAR && below > above && !hot });
    }
    // Bare counts differ everywhere; shares, sizes and averages are compared.
    let compared = !numbers.unit.is_empty() || points.iter().any(|p| !p.text.bytes().all(|b| b.is_ascii_digit()));
    let spread = (value(95) - value(5)) / value(50).abs().max(f64::MIN_POSITIVE);
    (compared && spread >= 0.1).then(|| Verdict {
        score: spread.min(0.4) + if is_share { 0.5 } else { 0.0 } - 1.0,
        apart: Vec::new(),
        low: false,
    })
}

/// Few values, one of which hardly any node has and another at least half of them. Points in time are no kinds.
fn rare(values: &[(&str, u32)]) -> Option<Verdict> {
    let mut by_value: HashMap<&str, usize, RandomState> = HashMap::default();
    for (value, _) in values {
        *by_value.entry(value).or_default() += 1;
        if by_value.len() > VALUES_MAX {
            return None;
        }
    }
    let few = (values.len() / 10).max(1);
    let usual = by_value.values().max().copied()?;
    let mut apart: Vec<u32> =
        values.iter().filter(|(value, _)| by_value.get(value).is_some_and(|n| *n <= few)).map(|(_, t)| *t).collect();
    apart.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a share of nodes, to rank by")]
    let share = usual as f64 / values.len() as f64;
    let timed = values.iter().min_by_key(|(_, target)| *target).is_some_and(|(value, _)| holds_clock(value));
    (!apart.is_empty() && usual > few && usual * 2 >= values.len() && !timed).then_some(Verdict {
        score: 10.0 + 10.0 * share,
        apart,
        low: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Outcome;

    fn shape(values: &[&str]) -> Shape {
        let rows: Vec<Row> = values
            .iter()
            .zip(0..)
            .map(|(value, target)| Row {
                target,
                outcome: Some(Outcome::Succeeded),
                extracted: [("x".to_owned(), (*value).to_owned())].into(),
                ..Row::default()
            })
            .collect();
        measures(&rows.iter().collect::<Vec<_>>()).remove(0).shape
    }

    #[test]
    fn percentages_are_ranked() {
        let Shape::Numbers { unit, min, median, p95, max, top, .. } = shape(&["9%", "44%", "100%", "46%"]) else {
            panic!()
        };
        assert_eq!(
            (unit.as_str(), min.as_str(), median.as_str(), p95.as_str(), max.as_str()),
            ("%", "9", "44", "100", "100")
        );
        assert_eq!(top[0], ("100".to_owned(), 2));
    }

    #[test]
    fn sizes_of_different_units_are_compared_as_bytes() {
        let Shape::Numbers { min, max, unit, .. } = shape(&["1.2G", "900M", "5K"]) else { panic!() };
        assert_eq!((min.as_str(), max.as_str(), unit.as_str()), ("5K", "1.2G", ""));
    }

    #[test]
    fn words_and_codes_are_categories_most_frequent_first() {
        assert_eq!(
            shape(&["active", "failed", "active"]),
            Shape::Categories(vec![("active".into(), vec![0, 2]), ("failed".into(), vec![1])])
        );
        assert_eq!(
            shape(&["0", "0", "1", "0"]),
            Shape::Categories(vec![("0".into(), vec![0, 1, 3]), ("1".into(), vec![2])])
        );
        assert!(matches!(shape(&["12", "x"]), Shape::Categories(_)));
        assert!(matches!(shape(&["NaN", "inf"]), Shape::Categories(_)));
    }
}
