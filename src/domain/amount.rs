//! Counts that people may write as a share, and durations in milliseconds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::Invalid;

/// A number of nodes (`"5"`) or a share of them (`"10%"`). Shares round up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Amount {
    Count(u32),
    /// 0 to 100.
    Percent(u8),
}

impl Amount {
    /// How many of `total` this is: never more than `total`, percentages rounded up.
    #[must_use]
    pub fn of(self, total: u32) -> u32 {
        match self {
            Amount::Count(n) => n.min(total),
            Amount::Percent(p) => {
                let share = (u64::from(total) * u64::from(p)).div_ceil(100);
                u32::try_from(share).unwrap_or(total)
            }
        }
    }
}
impl FromStr for Amount {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid(format!("`{text}` is neither a number such as `5` nor a share such as `10%`"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        match text.strip_suffix('%') {
            Some(p) if digits(p) => match p.parse() {
                Ok(p @ 0..=100) => Ok(Amount::Percent(p)),
                _ => Err(wrong()),
            },
            None if digits(text) => text.parse().map(Amount::Count).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Count(n) => write!(f, "{n}"),
            Amount::Percent(p) => write!(f, "{p}%"),
        }
    }
}
impl TryFrom<String> for Amount {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}
impl From<Amount> for String {
    fn from(amount: Amount) -> String {
        amount.to_string()
    }
}

/// As people read it: `48,300`.
#[must_use]
pub fn number(n: impl Into<u64>) -> String {
    let digits = n.into().to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A length of time in milliseconds. People write and read it as `90s`, `2m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Millis(secs * 1000)
    }
    /// Whole seconds, rounded up, as AWS counts them.
    #[must_use]
    pub fn secs_up(self) -> u64 {
        self.0.div_ceil(1000)
    }
    #[must_use]
    pub fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
    #[must_use]
    pub fn signed(self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_millis(i64::try_from(self.0).unwrap_or(i64::MAX))
    }
}
impl FromStr for Millis {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid(format!("`{text}` is not a duration such as `500ms`, `90s`, `2m`, `1h` or `1d`"));
        let end = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..end].parse().map_err(|_| wrong())?;
        let unit = match &text[end..] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Millis).ok_or_else(wrong)
    }
}
/// At most two units, the larger first: `840 ms`, `12.4 s`, `2 m 41 s`, `1 h 5 m`, `3 d 2 h`.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        let two = |f: &mut fmt::Formatter<'_>, a: u64, au: &str, b: u64, bu: &str| {
            if b == 0 { write!(f, "{a} {au}") } else { write!(f, "{a} {au} {b} {bu}") }
        };
        match ms {
            0..1000 => write!(f, "{ms} ms"),
            1000..60_000 if ms % 1000 < 50 => write!(f, "{} s", ms / 1000),
            1000..60_000 => write!(f, "{}.{} s", ms / 1000, ms % 1000 / 100),
            60_000..3_600_000 => two(f, ms / 60_000, "m", ms % 60_000 / 1000, "s"),
            3_600_000..86_400_000 => two(f, ms / 3_600_000, "h", ms % 3_600_000 / 60_000, "m"),
            _ => two(f, ms / 86_400_000, "d", ms % 86_400_000 / 3_600_000, "h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_up_and_never_exceed_the_whole() {
        assert_eq!("10%".parse::<Amount>().unwrap().of(11), 2);
        assert_eq!("100%".parse::<Amount>().unwrap().of(11), 11);
        assert_eq!("0%".parse::<Amount>().unwrap().of(11), 0);
        assert_eq!("50".parse::<Amount>().unwrap().of(11), 11);
        for bad in ["", "%", "101%", "-1", "1.5", " 5"] {
            assert!(bad.parse::<Amount>().is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_read_and_shown_as_people_write_them() {
        assert_eq!("2m".parse::<Millis>().unwrap(), Millis(120_000));
        for bad in ["", "2", "m", "2 m", "2w", "99999999999999999999s"] {
            assert!(bad.parse::<Millis>().is_err(), "{bad}");
        }
        let shown: Vec<String> =
            [840, 1000, 12_400, 161_000, 3_900_000, 266_400_000].iter().map(|ms| Millis(*ms).to_string()).collect();
        assert_eq!(shown, ["840 ms", "1 s", "12.4 s", "2 m 41 s", "1 h 5 m", "3 d 2 h"]);
    }
}
