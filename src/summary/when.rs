//! Points in time and spans of it at the start of a text, as programs print them.

use super::mask::{digits, ends_word};

/// Two clocks that are read one after the other differ by no more than this many seconds.
const NEAR: u64 = 15 * 60;

const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// What follows the first three letters where a name is written out.
const LONG: [&str; 16] = [
    "day", "sday", "nesday", "rsday", "urday", "uary", "ruary", "ch", "il", "e", "y", "ust", "tember", "ober", "ember",
    "t",
];
/// Units that a span may begin with, and those that may only follow.
const LARGE: [&str; 22] = [
    "min", "mins", "minute", "minutes", "h", "hr", "hrs", "hour", "hours", "d", "day", "days", "w", "week", "weeks",
    "month", "months", "y", "yr", "year", "years", "mon",
];
const SMALL: [&str; 7] = ["m", "s", "sec", "secs", "second", "seconds", "ms"];

/// The length of the point in time at the start: `2026-11-22 14:20:01`, `14:20`, `Nov  3 10:02:11`,
/// `Mon Nov 23 10:02:11 UTC 2026`, `23/Nov/2026:10:02:11 +0000`, `10:02 PM`. 0 for none.
pub(super) fn length(bytes: &[u8]) -> usize {
    let found = match bytes.first() {
        Some(b) if b.is_ascii_uppercase() => named_length(bytes),
        Some(b) if b.is_ascii_digit() => match day_length(bytes) {
            0 => numeric_length(bytes),
            day => day,
        },
        _ => 0,
    };
    found + half_of_day(&bytes[found..]).filter(|_| found > 0).unwrap_or(0)
}

/// ` AM`, `pm`.
fn half_of_day(bytes: &[u8]) -> Option<usize> {
    let blank = usize::from(bytes.first() == Some(&b' '));
    let word = bytes.get(blank..blank + 2)?;
    let is_it = word[1].eq_ignore_ascii_case(&b'm')
        && (word[0].eq_ignore_ascii_case(&b'a') || word[0].eq_ignore_ascii_case(&b'p'));
    (is_it && bytes.get(blank + 2).is_none_or(|b| ends_word(*b))).then_some(blank + 2)
}

/// The length of one of the names, short or written out.
fn name(bytes: &[u8], names: &[&[u8; 3]]) -> Option<usize> {
    let short = bytes.first_chunk::<3>()?;
    names.iter().find(|name| **name == short)?;
    let more = bytes[3..].iter().take_while(|b| b.is_ascii_lowercase()).count();
    (more == 0 || LONG.iter().any(|rest| rest.as_bytes() == &bytes[3..3 + more])).then_some(3 + more)
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take(2).take_while(|b| **b == b' ').count()
}

/// Begins with the name of a day or a month.
fn named_length(bytes: &[u8]) -> usize {
    if let Some(day) = name(bytes, &DAYS) {
        let day = day + usize::from(bytes.get(day) == Some(&b','));
        let gap = blanks(&bytes[day..]);
        let rest = &bytes[day + gap..];
        let found = match rest.first() {
            Some(b) if gap > 0 && b.is_ascii_digit() => day_length(rest).max(numeric_length(rest)),
            Some(_) if gap > 0 => month_length(rest),
            _ => 0,
        };
        return if found > 0 { day + gap + found } else { 0 };
    }
    month_length(bytes)
}

/// `Nov  3`, with what may follow: a time, a zone, a year.
fn month_length(bytes: &[u8]) -> usize {
    let Some(month) = name(bytes, &MONTHS) else { return 0 };
    let gap = blanks(&bytes[month..]);
    let day = digits(&bytes[month + gap..]);
    if gap == 0 || !(1..=2).contains(&day) {
        return 0;
    }
    let mut end = month + gap + day;
    if !bytes.get(end).is_none_or(|b| ends_word(*b)) {
        return 0;
    }
    end += behind(&bytes[end..], clock_length);
    let zone = behind(&bytes[end..], |rest| match rest.iter().take_while(|b| b.is_ascii_uppercase()).count() {
        letters @ 2..=5 => letters,
        _ => 0,
    });
    let year = |from: usize| behind(bytes.get(from..).unwrap_or_default(), year_length);
    match (year(end + zone), year(end)) {
        (0, 0) => end,
        (0, year) => end + year,
        (year, _) => end + zone + year,
    }
}

/// `23 Nov 2026`, `23-Nov-2026`, `23/Nov/2026:10:02:11 +0000`.
fn day_length(bytes: &[u8]) -> usize {
    let day = digits(bytes);
    let Some(by) = bytes.get(day).filter(|b| (1..=2).contains(&day) && matches!(b, b' ' | b'-' | b'/')) else {
        return 0;
    };
    let Some(month) = name(&bytes[day + 1..], &MONTHS) else { return 0 };
    let mut end = day + 1 + month;
    if bytes.get(end) != Some(by) {
        return 0;
    }
    match year_length(&bytes[end + 1..]) {
        0 => return 0,
        year => end += 1 + year,
    }
    if bytes.get(end) == Some(&b':') {
        let clock = clock_length(&bytes[end + 1..]);
        end += if clock > 0 { 1 + clock } else { 0 };
    } else {
        end += behind(&bytes[end..], clock_length);
    }
    end + behind(&bytes[end..], |rest| match rest {
        [b'+' | b'-', rest @ ..] if digits(rest) == 4 => 5,
        _ => 0,
    })
}

/// What stands behind a blank or a comma, with that.
fn behind(bytes: &[u8], length: impl Fn(&[u8]) -> usize) -> usize {
    let comma = usize::from(bytes.first() == Some(&b','));
    let gap = comma + blanks(&bytes[comma.min(bytes.len())..]);
    match length(&bytes[gap.min(bytes.len())..]) {
        0 => 0,
        _ if gap == comma => 0,
        found => gap + found,
    }
}

fn year_length(bytes: &[u8]) -> usize {
    let year = digits(bytes) == 4 && bytes.get(4).is_none_or(|b| ends_word(*b));
    if year { 4 } else { 0 }
}

/// The length of the span of time at the start: `3 days,  2:11`, `2h 3min`, `1 day 4h`, `12 min`, `7s` in `7s ago`. 0 for none,
/// and for seconds alone, which people compare as numbers.
pub(super) fn span_length(bytes: &[u8]) -> usize {
    // Most numbers have no unit, which the first letter behind them tells.
    let number = digits(bytes);
    let unit = bytes.get(number + usize::from(bytes.get(number) == Some(&b' ')));
    if number == 0 || !unit.is_some_and(|b| matches!(b, b'd' | b'h' | b'm' | b's' | b'w' | b'y')) {
        return 0;
    }
    let large = part(bytes, &LARGE);
    let Some((mut end, unit)) = large.or_else(|| part(bytes, &SMALL)) else { return 0 };
    let mut parts = 1;
    loop {
        let comma = usize::from(bytes.get(end) == Some(&b','));
        let from = end + comma + blanks(bytes.get(end + comma..).unwrap_or_default());
        let rest = bytes.get(from..).unwrap_or_default();
        let more =
            part(rest, &LARGE).or_else(|| part(rest, &SMALL)).map_or_else(|| clock_length(rest), |(more, _)| more);
        if more == 0 {
            break;
        }
        end = from + more;
        parts += 1;
    }
    let whole = bytes.get(end).is_none_or(|b| ends_word(*b) || *b == b'.');
    let span = large.is_some() && (parts > 1 || unit > 2) || bytes[end..].starts_with(b" ago");
    if whole && span { end } else { 0 }
}

/// A number with one of the units: the length of both, and of the unit.
fn part(bytes: &[u8], units: &[&str]) -> Option<(usize, usize)> {
    let number = digits(bytes);
    let gap = usize::from(bytes.get(number) == Some(&b' '));
    let rest = bytes.get(number + gap..)?;
    let unit = rest.iter().take(8).take_while(|b| b.is_ascii_lowercase()).count();
    // In `1h30` another number may follow at once; in `0 d89926` the letter begins a word.
    let apart = gap == 0 || !rest.get(unit).is_some_and(u8::is_ascii_alphanumeric);
    let is_unit = || units.iter().any(|u| u.as_bytes() == &rest[..unit]);
    (number > 0 && unit > 0 && apart && is_unit()).then_some((number + gap + unit, unit))
}

/// Whether both are points in time that lie so close together that they may have been read one after the other.
pub(super) fn near(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Option<(String, u64)> {
        let bytes = text.as_bytes();
        let at = (0..bytes.len())
            .find(|at| (*at == 0 || !bytes[at - 1].is_ascii_digit()) && clock_length(&bytes[*at..]) > 0)?;
        let clock = &text[at..at + clock_length(&bytes[at..])];
        let mut numbers = clock.split([':', '.', ',', 'Z', '+', '-']).map_while(|n| n.parse::<u64>().ok());
        let (hours, minutes) = (numbers.next()?, numbers.next()?);
        let day = text[..at].to_owned() + &text[at + clock.len()..];
        Some((day, hours * 3600 + minutes * 60 + numbers.next().unwrap_or(0)))
    };
    match (parts(one), parts(other)) {
        (Some((day, one)), Some((other_day, other))) => day == other_day && one.abs_diff(other) <= NEAR,
        _ => false,
    }
}

/// `2026-11-22`, `2026/11/22`, either with a time behind it, or a time `14:20`, `14:20:01.123Z`. 0 for none.
fn numeric_length(bytes: &[u8]) -> usize {
    let date = match bytes {
        [y, ..] if y.is_ascii_digit() && digits(bytes) == 4 && bytes.len() >= 10 => {
            let sep = bytes[4];
            let good = (sep == b'-' || sep == b'/')
                && digits(&bytes[5..7]) == 2
                && bytes[7] == sep
                && digits(&bytes[8..10]) == 2;
            if good { 10 } else { 0 }
        }
        _ => 0,
    };
    if date == 0 {
        return clock_length(bytes);
    }
    match bytes.get(date) {
        None => date,
        Some(b'T' | b' ' | b'_') => match clock_length(&bytes[date + 1..]) {
            0 => {
                if bytes[date] == b' ' {
                    date
                } else {
                    0
                }
            }
            clock => date + 1 + clock,
        },
        Some(b) if ends_word(*b) || *b == b'.' => date,
        Some(_) => 0,
    }
}

/// Length of a time of day such as `14:20` or `14:20:01.123Z` at the start of the bytes; 0 for none.
pub(super) fn clock_length(bytes: &[u8]) -> usize {
    let hours = digits(bytes);
    if !(1..=2).contains(&hours) || bytes.get(hours) != Some(&b':') || digits(&bytes[hours + 1..]) != 2 {
        return 0;
    }
    let mut end = hours + 3;
    if bytes.get(end) == Some(&b':') && digits(&bytes[end + 1..]) == 2 {
        end += 3;
        if matches!(bytes.get(end), Some(b'.' | b',')) {
            let fraction = digits(&bytes[end + 1..]);
            if fraction > 0 {
                end += 1 + fraction;
            }
        }
    }
    match bytes.get(end) {
        Some(b'Z') => end += 1,
        Some(b'+' | b'-') if digits(&bytes[end + 1..]) == 4 => end += 5,
        Some(b'+' | b'-') if digits(&bytes[end + 1..]) == 2 => {
            end += 3;
            if bytes.get(end) == Some(&b':') && digits(&bytes[end + 1..]) == 2 {
                end += 3;
            }
        }
        Some(_) | None => {}
    }
    // `10:30:00:00:00` is an address, `1:20x` an id.
    let whole = half_of_day(&bytes[end..]).is_some()
        || bytes.get(end).is_none_or(|b| {
            ends_word(*b) && *b != b':' || (*b == b':' && bytes.get(end + 1) == Some(&b' ')) || *b == b'.'
        });
    if whole { end } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_seen_whole() {
        for text in [
            "2026-11-22",
            "2026-11-22T14:20:01.123Z",
            "14:20",
            "10:02 PM",
            "10:02:11pm",
            "Nov  3 10:02:11",
            "Jan 3",
            "January 3, 2026",
            "Mon Nov 23 10:02:11 UTC 2026",
            "Mon Nov 23 10:02:11 2026",
            "Mon, 23 Nov 2026 10:02:11",
            "Mon 2026-11-23 02:16:07",
            "23 Nov 2026",
            "23/Nov/2026:10:02:11 +0000",
            "23-Nov-2026 10:02",
        ] {
            let with = format!("{text} x");
            assert_eq!(&with[..length(with.as_bytes())], text);
        }
        for text in
            ["Monday", "May be", "Mar", "Sun rises", "Jan 300", "12 monkeys", "3 Mar", "Decimal 3", "1.2.3", "x"]
        {
            assert_eq!(length(text.as_bytes()), 0, "{text}");
        }
    }

    #[test]
    fn spans_of_time_are_seen_whole_and_seconds_are_numbers() {
        for text in ["3 days,  2:11", "2h 3min", "1 day 4h", "12 min", "3min", "1h30m15s", "5 weeks 2 days 1min 4s"] {
            let with = format!("{text} x");
            assert_eq!(&with[..span_length(with.as_bytes())], text);
        }
        assert_eq!([span_length(b"7s ago"), span_length(b"17h ago"), span_length(b"7s later")], [2, 3, 0]);
        for text in ["3 s", "12ms", "5 dayz", "3h", "4d", "7 nodes", "1 mint", "min", "0 d899269574504d2d", "2 h3min"] {
            assert_eq!(span_length(text.as_bytes()), 0, "{text}");
        }
    }

    #[test]
    fn clocks_that_were_read_one_after_the_other_are_near() {
        assert!(near("10:02", "10:03") && near("2026-11-22 10:02:11", "2026-11-22 10:09:00"));
        assert!(!near("03:15", "04:15") && !near("2026-11-22 10:02", "2026-11-21 10:02"));
        assert!(!near("2027-01-31", "2026-12-01") && !near("3 days", "4 days"));
    }
}
