//! A limit that a value has to keep, such as `<= 90%`: what turns numbers into a verdict.

/// Read from an expectation that starts with `<` or `>`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound<'a> {
    above: bool,
    /// The limit itself is within it.
    inclusive: bool,
    limit: f64,
    unit: &'a str,
}

impl<'a> Bound<'a> {
    /// Whether it is meant as a limit; everything else is compared as text.
    #[must_use]
    pub fn is_meant(expected: &str) -> bool {
        expected.trim_start().starts_with(['<', '>'])
    }

    /// `None` if no number stands behind the sign.
    #[must_use]
    pub fn of(expected: &'a str) -> Option<Self> {
        let expected = expected.trim();
        let above = expected.starts_with('>');
        let rest = expected.strip_prefix(['<', '>'])?;
        let (inclusive, rest) = rest.strip_prefix('=').map_or((false, rest), |rest| (true, rest));
        let (limit, unit) = number(rest)?;
        Some(Bound { above, inclusive, limit, unit })
    }

    /// What is no number, or one of another unit, keeps no limit.
    #[must_use]
    pub fn is_kept_by(&self, found: &str) -> bool {
        let Some((value, unit)) = number(found) else { return false };
        let within = if self.above { value > self.limit } else { value < self.limit };
        unit == self.unit && (within || self.inclusive && value == self.limit)
    }
}

/// A decimal number and what stands behind it.
fn number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let value: f64 = text[..end].parse().ok()?;
    Some((value, text[end..].trim_start()))
}

/// Whether a value is what is expected: within the limit, or the very text.
#[must_use]
pub fn meets(expected: &str, found: &str) -> bool {
    match Bound::is_meant(expected) {
        true => Bound::of(expected).is_some_and(|bound| bound.is_kept_by(found)),
        false => expected == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_kept_by_numbers_of_its_unit_and_by_nothing_else() {
        for (expected, kept, broken) in [
            ("<= 90%", &["90%", "0%", "89.5 %"][..], &["91%", "90.1%", "90", "full", ""][..]),
            ("< 90%", &["89%"], &["90%"]),
            (">= 2", &["2", "3.5"], &["1.9", "-3", "2 GB"]),
            (">0.5 GB", &["1 GB"], &["0.5 GB", "700 MB"]),
            ("active", &["active"], &["inactive", "<= active"]),
            ("< none", &[], &["1", "none"]),
        ] {
            assert!(kept.iter().all(|found| meets(expected, found)), "{expected}");
            assert!(!broken.iter().any(|found| meets(expected, found)), "{expected}");
        }
    }
}
