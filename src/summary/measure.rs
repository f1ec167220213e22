//! Extracted values -> categories, or numbers with their spread and the nodes at the top.

use std::collections::BTreeMap;

use super::group::Number;
use super::{Measure, Row, Shape};

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
            nodes: u32::try_from(values.len()).unwrap_or(u32::MAX),
            shape: numbers(&values).unwrap_or_else(|| categories(&values)),
        })
        .collect()
}

fn categories(values: &[(&str, u32)]) -> Shape {
    let mut by_value: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (value, target) in values {
        by_value.entry(value).or_default().push(*target);
    }
    let mut sets: Vec<(String, Vec<u32>)> = by_value.into_iter().map(|(v, t)| (v.to_owned(), t)).collect();
    // Stable: values of one size keep the order of their text.
    sets.sort_by_key(|(_, targets)| std::cmp::Reverse(targets.len()));
    Shape::Categories(sets)
}

/// A value to sort by, the text to show, and its target.
struct Point<'a> {
    value: f64,
    text: &'a str,
    target: u32,
}

/// `None` unless every value is a number of one unit, or a size.
fn numbers(values: &[(&str, u32)]) -> Option<Shape> {
    let read: Vec<(Number<'_>, &str, u32)> =
        values.iter().map(|(text, target)| Some((Number::of(text)?, text.trim(), *target))).collect::<Option<_>>()?;
    let unit = read.first()?.0.unit.trim();
    let one_unit = read.iter().all(|(n, ..)| n.unit.trim() == unit);
    let mut points: Vec<Point<'_>> = if one_unit {
        read.iter().map(|(n, _, target)| Point { value: n.value, text: n.digits, target: *target }).collect()
    } else {
        // Sizes such as `900M` and `1.2G` are compared as bytes and shown as they were written.
        read.iter()
            .map(|(n, text, target)| Some(Point { value: n.value * factor(n.unit.trim())?, text, target: *target }))
            .collect::<Option<_>>()?
    };
    points.sort_by(|a, b| a.value.total_cmp(&b.value).then(a.target.cmp(&b.target)));
    let mut distinct: Vec<f64> = points.iter().map(|p| p.value).collect();
    distinct.dedup();
    if one_unit && unit.is_empty() && distinct.len() <= CODES && distinct.len() * 2 <= points.len() {
        return None;
    }
    // The nearest rank: a value that some node really has.
    let rank = |share: usize| points[(points.len() * share).div_ceil(100).max(1) - 1].text.to_owned();
    let mut top: Vec<&Point<'_>> = points.iter().collect();
    top.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.target.cmp(&b.target)));
    Some(Shape::Numbers {
        unit: if one_unit { unit.to_owned() } else { String::new() },
        min: points.first()?.text.to_owned(),
        median: rank(50),
        p95: rank(95),
        max: points.last()?.text.to_owned(),
        top: top.iter().take(TOP).map(|p| (p.text.to_owned(), p.target)).collect(),
    })
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
        let Shape::Numbers { unit, min, median, p95, max, top } = shape(&["9%", "44%", "100%", "46%"]) else {
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
