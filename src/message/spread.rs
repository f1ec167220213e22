//! How the numbers that nodes gave for one value are spread: a bar for each range.

use crate::run::{Run, TargetState};
use crate::summary::{Measure, Shape};

use super::Chart;

/// Fewer nodes, or fewer different values, are better told by their names.
const NODES_MIN: usize = 12;
const VALUES_MIN: usize = 4;
/// Ranges at most.
const BARS: f64 = 10.0;

/// `None` where there is nothing to see, or the values are not read from what the runbook extracts.
pub(super) fn chart(run: &Run, measure: &Measure) -> Option<Chart> {
    let Shape::Numbers { unit, .. } = &measure.shape else { return None };
    if measure.found {
        return None;
    }
    let ended = run.targets.iter().filter_map(|state| value(state, &measure.name));
    let numbers: Vec<f64> = ended.map(|text| read(text, unit)).collect::<Option<_>>()?;
    let mut distinct = numbers.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let (first, last) = (*distinct.first()?, *distinct.last()?);
    if numbers.len() < NODES_MIN || distinct.len() < VALUES_MIN {
        return None;
    }
    let step = step((last - first) / BARS);
    let start = (first / step).floor() * step;
    let decimals = if step < 1.0 { usize::from(step < 0.1) + 1 } else { 0 };
    let mut bars = Vec::new();
    let mut low = start;
    // The last range holds its end too.
    while low < last {
        let high = low + step;
        let ends = high >= last;
        let inside = numbers.iter().filter(|n| **n >= low && (**n < high || ends)).count();
        bars.push((format!("{low:.decimals$}–{high:.decimals$}{unit}"), super::words::size(inside)));
        low = high;
    }
    Some(Chart { title: format!("{}: nodes by value", measure.name), bars })
}

/// The next of 1, 2 and 5 times a power of ten.
fn step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= least);
    (times.unwrap_or(10.0) * power).max(0.01)
}

fn value<'a>(state: &'a TargetState, name: &str) -> Option<&'a str> {
    state.outcome?;
    state.reports.iter().rev().find_map(|(_, report)| report.extracted.get(name)).map(String::as_str)
}

fn read(text: &str, unit: &str) -> Option<f64> {
    text.trim().strip_suffix(unit)?.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_of_round_numbers() {
        assert_eq!([0.4, 1.0, 3.5, 5.5, 90.0, 450.0].map(step), [0.5, 1.0, 5.0, 10.0, 100.0, 500.0]);
    }
}
