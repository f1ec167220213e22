//! One value against one parameter: is it good, and what is its canonical text.
//!
//! The canonical text is what the digest covers and what the script sees, so two ways of writing the same value
//! are the same plan. Reading a canonical text again gives the same text.

use std::cmp::Ordering;

use regex::Regex;

use super::Kind;
use crate::domain::fault::{closest, quoted_list};
use crate::domain::{AccountId, Invalid, Millis, Region};

/// Longest value of a `string` parameter, in characters.
pub const STRING_MAX: usize = 1_000;

impl Kind {
    /// The canonical text of `text`, or why it is no value of this kind: a fragment such as ``it does not match `…` ``.
    ///
    /// # Errors
    /// The fragment, for people, without the value itself.
    pub fn canonical(&self, text: &str) -> Result<String, Invalid> {
        let refuse = |why: String| Err(Invalid(why));
        if let Some(bad) = text.chars().find(|c| c.is_control() || is_invisible(*c)) {
            return refuse(format!("it contains `{}`, which no value may", bad.escape_unicode()));
        }
        match self {
            Kind::String { pattern } => {
                if text.chars().count() > STRING_MAX {
                    return refuse(format!("it is longer than {STRING_MAX} characters"));
                }
                if text.contains("{{") {
                    return refuse("it contains `{{`, which Systems Manager would replace".into());
                }
                // The pattern was compiled when the file was loaded; a plan from a journal carries a checked one too.
                match anchored(pattern) {
                    Ok(regex) if regex.is_match(text) => Ok(text.to_owned()),
                    Ok(_) => refuse(format!("it does not match `{pattern}`")),
                    Err(why) => refuse(why),
                }
            }
            Kind::Integer { min, max } => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return refuse("it is not a whole number".into());
                }
                match text.parse::<i64>() {
                    Ok(n) if n < *min => refuse(format!("it is less than {min}")),
                    Ok(n) if n > *max => refuse(format!("it is more than {max}")),
                    Ok(n) => Ok(n.to_string()),
                    Err(_) => refuse(format!("it is not from {min} to {max}")),
                }
            }
            Kind::Number { min, max } => {
                let Some(number) = Decimal::read(text) else { return refuse("it is not a decimal number".into()) };
                let limit = |limit: &Option<String>| limit.as_deref().and_then(Decimal::read);
                match (limit(min), limit(max)) {
                    (Some(low), _) if number < low => refuse(format!("it is less than {}", low.text())),
                    (_, Some(high)) if number > high => refuse(format!("it is more than {}", high.text())),
                    _ => Ok(number.text()),
                }
            }
            Kind::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Ok("true".into()),
                "false" | "no" | "off" => Ok("false".into()),
                _ => refuse("it is neither `true` nor `false`".into()),
            },
            Kind::Choice { values } => {
                if values.iter().any(|v| v == text) {
                    return Ok(text.to_owned());
                }
                let words = || values.iter().map(String::as_str);
                match closest(text, words()) {
                    Some(near) => refuse(format!("did you mean `{near}`?")),
                    None => refuse(format!("it is none of {}", quoted_list(words()))),
                }
            }
            Kind::Duration { min, max } => {
                let length: Millis = text.parse().map_err(|_| Invalid("it is not a duration such as `90s`".into()))?;
                if length < *min {
                    return refuse(format!("it is shorter than {min}"));
                }
                if length > *max {
                    return refuse(format!("it is longer than {max}"));
                }
                // Seconds with their unit: `sleep` and `timeout` take it, and `${wait%s}` is the bare number.
                Ok(if length.0.is_multiple_of(1000) {
                    format!("{}s", length.0 / 1000)
                } else {
                    format!("{}ms", length.0)
                })
            }
            Kind::Version => {
                let good = text.len() <= 64
                    && text.starts_with(|c: char| c.is_ascii_digit())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".+~:_-".contains(&b));
                if good { Ok(text.to_owned()) } else { refuse("it is not a version such as `1.24.0-2`".into()) }
            }
            Kind::Account => match text.parse::<AccountId>() {
                Ok(id) => Ok(id.to_string()),
                Err(_) => refuse("it is not an AWS account id, which is 12 digits".into()),
            },
            Kind::Region => match text.parse::<Region>() {
                Ok(region) => Ok(region.to_string()),
                Err(_) => refuse("it is not an AWS region such as `eu-west-1`".into()),
            },
        }
    }

    /// A good value, for people who gave a bad one; where the kind itself tells one.
    #[must_use]
    pub fn example(&self) -> Option<String> {
        match self {
            Kind::String { .. } => None,
            Kind::Integer { min, max } => Some(if (*min..=*max).contains(&1) { 1 } else { *min }.to_string()),
            Kind::Number { min, .. } => Some(min.clone().unwrap_or_else(|| "0.5".into())),
            Kind::Boolean => Some("true".into()),
            Kind::Choice { values } => values.first().cloned(),
            Kind::Duration { min, max } => {
                let length = Millis::from_secs(90).clamp(*min, *max);
                Some(if length.0.is_multiple_of(1000) {
                    format!("{}s", length.0 / 1000)
                } else {
                    format!("{}ms", length.0)
                })
            }
            Kind::Version => Some("1.24.0-2".into()),
            Kind::Account => Some("012345678901".into()),
            Kind::Region => Some("eu-west-1".into()),
        }
    }
}

/// Line and paragraph separators, and what reverses or hides text: an approver must see what runs.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The pattern, made to match whole values only.
///
/// # Errors
/// Why it is no regular expression, in one line.
pub fn anchored(pattern: &str) -> Result<Regex, String> {
    // Alone first: `a)|(?:b` is wrong alone and would be right inside our group, where it would undo the anchors.
    compile(pattern)?;
    compile(&format!("^(?:{pattern})$"))
}

/// Compiles one regular expression, within the crate's size limit.
///
/// # Errors
/// Why it is none, in one line.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|e| {
        let text = e.to_string();
        let reason = text.lines().last().unwrap_or_default().trim();
        reason.strip_prefix("error: ").unwrap_or(reason).to_owned()
    })
}

/// A decimal number kept as digits, so that comparing loses nothing.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// Without leading zeros.
    whole: String,
    /// Without trailing zeros.
    fraction: String,
}

impl Decimal {
    fn read(text: &str) -> Option<Self> {
        let digits = |t: &str| !t.is_empty() && t.len() <= 30 && t.bytes().all(|b| b.is_ascii_digit());
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Decimal { negative: negative && !zero, whole, fraction })
    }

    fn text(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{}", self.fraction)
    }
}
impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |n: &Decimal| (n.whole.len(), n.whole.clone(), n.fraction.clone());
        match (self.negative, other.negative) {
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pattern: &str) -> Kind {
        Kind::String { pattern: pattern.into() }
    }

    #[test]
    fn a_pattern_matches_whole_values_only_however_it_is_written() {
        assert!(text("a|b").canonical("ab").is_err());
        assert!(text("(?m)a").canonical("a\nrm").is_err());
        assert!(text("nginx").canonical("nginx\n").is_err());
        assert!(anchored("a)|(?:b").is_err());
        assert!(anchored("(?x)a #").is_err());
        assert!(anchored("a\\").is_err());
        assert_eq!(text("[a-z]+").canonical("nginx").unwrap(), "nginx");
    }

    #[test]
    fn no_value_hides_anything_from_an_approver() {
        for bad in ["a\nb", "a\0", "\u{1b}[31m", "a\u{202e}b", "a\u{2028}b", "\u{85}", "{{ssm:/secret}}"] {
            assert!(text(r"(?s).*").canonical(bad).is_err(), "{bad:?}");
        }
        assert!(text(r"(?s).*").canonical(&"a".repeat(STRING_MAX + 1)).is_err());
        assert!(text(r"(?s).*").canonical("$(rm -rf /) `id` 'é' \"\\").is_ok());
    }

    #[test]
    fn one_value_has_one_canonical_text() {
        let number = Kind::Number { min: Some("-2.5".into()), max: Some("10".into()) };
        let duration = Kind::Duration { min: Millis(0), max: Millis::from_secs(3600) };
        let integer = Kind::Integer { min: -5, max: 500 };
        let cases = [
            (&number, "2.50", "2.5"),
            (&number, "-0.0", "0"),
            (&number, "010", "10"),
            (&duration, "2m", "120s"),
            (&duration, "1500ms", "1500ms"),
            (&integer, "-05", "-5"),
            (&Kind::Boolean, "Yes", "true"),
            (&Kind::Version, "1:1.24.0-2~deb12u1", "1:1.24.0-2~deb12u1"),
        ];
        for (kind, given, canonical) in cases {
            assert_eq!(kind.canonical(given).unwrap(), canonical, "{given}");
            assert_eq!(kind.canonical(canonical).unwrap(), canonical, "{given}");
        }
        for bad in ["10.01", "-2.51", "-3", "100", "1e3", ".5", "5.", "", "nan", "99999999999999999999999"] {
            assert!(number.canonical(bad).is_err(), "{bad}");
        }
        for bad in ["501", "-6", "+1", "1.0", "", "-", "99999999999999999999"] {
            assert!(integer.canonical(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_example_of_a_kind_is_good() {
        let kinds = [
            Kind::Integer { min: 5, max: 9 },
            Kind::Number { min: None, max: None },
            Kind::Boolean,
            Kind::Choice { values: vec!["a".into()] },
            Kind::Duration { min: Millis(1500), max: Millis(1500) },
            Kind::Version,
            Kind::Account,
            Kind::Region,
        ];
        for kind in kinds {
            assert!(kind.canonical(&kind.example().unwrap()).is_ok(), "{kind:?}");
        }
    }
}
