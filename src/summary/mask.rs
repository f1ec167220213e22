//! Text -> its shape and the values that stood in it.
//!
//! Numbers, times, ids and the node's own name become slots, and white space shrinks to one blank, so that
//! outputs that differ only in those have one shape. Too many slots do no harm: `group` puts back every
//! value that turns out to be common.

use super::size;

/// Stands for a slot in a shape. Control characters are gone after normalising, so it cannot occur in text.
pub(super) const SLOT: char = '\u{1}';

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A number with or without a unit right behind it: `44%`, `1.2G`, `31`.
    Number,
    /// `1.18.0`, `5.10.213-201.855.amzn2`.
    Version,
    Time,
    Ip,
    /// The node's own name.
    Own,
    /// Any other word with a digit in it.
    Id,
}

impl Kind {
    pub(super) const ALL: [Kind; 6] = [Kind::Number, Kind::Version, Kind::Time, Kind::Ip, Kind::Own, Kind::Id];

    /// How a slot reads whose values differ.
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Number => "‹number›",
            Kind::Version => "‹version›",
            Kind::Time => "‹time›",
            Kind::Ip => "‹ip›",
            Kind::Own => "‹node›",
            Kind::Id => "‹id›",
        }
    }
}

/// A value that was masked: a range of the text and what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub from: u32,
    pub to: u32,
    pub kind: Kind,
}

impl Span {
    pub(super) fn of(self, text: &str) -> &str {
        text.get(self.from as usize..self.to as usize).unwrap_or_default()
    }
}

/// Words end at these. `.`, `-`, `_`, `+`, `~` and `%` stay inside words: they join versions, ids and units.
const ENDS: &[u8] = b" \t\n\"'()[]{}<>|,;=:/@#!?*`";

pub(super) fn ends_word(b: u8) -> bool {
    /// By byte: each one of each line is asked for.
    const ENDS_WORD: [bool; 256] = {
        let mut table = [false; 256];
        let mut at = 0;
        while at < ENDS.len() {
            table[ENDS[at] as usize] = true;
            at += 1;
        }
        table
    };
    ENDS_WORD[usize::from(b)]
}

/// Shorter names of nodes, in bytes, stand anywhere by chance.
const OWN_MIN: usize = 3;

/// The node's own name, if it has to be looked for in its text; otherwise nothing.
pub(super) fn own<'n>(name: &'n str, text: &str) -> &'n str {
    if name.len() >= OWN_MIN && text.contains(name) { name } else { "" }
}

/// Writes the shape of `text` into `shape` and its values, in the order of the slots, into `values`; both are cleared first.
///
/// `own` is the node's own name, masked where it stands as a whole word; empty where there is none.
pub(super) fn mask(text: &str, own: &str, shape: &mut String, values: &mut Vec<Span>) {
    shape.clear();
    values.clear();
    shape.reserve(text.len());
    let bytes = text.as_bytes();
    let mut slot = |shape: &mut String, from: usize, to: usize, kind: Kind| {
        shape.push(SLOT);
        values.push(Span { from: size(from), to: size(to), kind });
    };
    let own = if own.len() >= OWN_MIN { own.as_bytes() } else { b"" };
    let mut at = 0;
    while at < bytes.len() {
        let b = bytes[at];
        if b == b' ' || b == b'\t' {
            while at < bytes.len() && (bytes[at] == b' ' || bytes[at] == b'\t') {
                at += 1;
            }
            // Right-aligned columns move with the width of their numbers, also at the start of a line.
            if !shape.is_empty() && !shape.ends_with('\n') && at < bytes.len() && bytes[at] != b'\n' {
                shape.push(' ');
            }
            continue;
        }
        if ends_word(b) {
            shape.push(char::from(b));
            at += 1;
            continue;
        }
        // What stands for a secret has no digit by chance in some of them, and then it would be a word.
        if !b.is_ascii()
            && let Some(length) = marker_length(&bytes[at..])
        {
            slot(shape, at, at + length, Kind::Id);
            at += length;
            continue;
        }
        if !own.is_empty() && bytes[at..].starts_with(own) && bytes.get(at + own.len()).is_none_or(|b| ends_word(*b)) {
            slot(shape, at, at + own.len(), Kind::Own);
            at += own.len();
            continue;
        }
        if let Some((length, kind)) = longer(&bytes[at..]) {
            slot(shape, at, at + length, kind);
            at += length;
            continue;
        }
        let mut end = at;
        let mut digit = false;
        while end < bytes.len() && !ends_word(bytes[end]) {
            digit |= bytes[end].is_ascii_digit();
            end += 1;
        }
        // A full stop at the end of a word ends the sentence.
        let mut word_end = end;
        while word_end > at + 1 && bytes[word_end - 1] == b'.' {
            word_end -= 1;
        }
        // INVARIANT: `at`, `word_end` and `end` stand at ASCII bytes or the ends of the text.
        if digit || is_letters_of_hex(&bytes[at..word_end]) {
            slot(shape, at, word_end, kind_of(&bytes[at..word_end]));
            shape.push_str(&text[word_end..end]);
        } else {
            shape.push_str(&text[at..end]);
        }
        at = end;
    }
}

/// What is one value and more than one word: a point in time, how long something took, an address.
fn longer(bytes: &[u8]) -> Option<(usize, Kind)> {
    let of = |length: usize, kind: Kind| (length > 0).then_some((length, kind));
    let (address, time) = (|| of(address_length(bytes), Kind::Ip), || of(super::when::length(bytes), Kind::Time));
    // Most words are none, which their first byte tells.
    match bytes.first()? {
        b'0'..=b'9' => address().or_else(time).or_else(|| of(super::when::span_length(bytes), Kind::Time)),
        b'A'..=b'F' => address().or_else(time),
        b'G'..=b'Z' => time(),
        b'a'..=b'f' => address(),
        _ => None,
    }
}

/// `06:1f:3a:77:c0:9e`, also with dashes, and `fe80::41f:3aff:fe77:c09e`; 0 for none.
fn address_length(bytes: &[u8]) -> usize {
    let hex = |b: &u8| b.is_ascii_hexdigit();
    // Most words are none, which their first digits tell.
    let first = bytes.iter().take(5).take_while(|b| hex(b)).count();
    match bytes.get(first) {
        Some(b':') if (1..=4).contains(&first) => {}
        Some(b'-') if first == 2 => {}
        _ => return 0,
    }
    let end = bytes.iter().take(64).take_while(|b| hex(b) || matches!(b, b':' | b'-' | b'.')).count();
    let whole = &bytes[..end];
    if !bytes.get(end).is_none_or(|b| ends_word(*b) || *b == b'%') || whole.len() < 3 {
        return 0;
    }
    let pairs = |by: u8| {
        let mut groups = 0;
        whole.split(|b| *b == by).all(|group| {
            groups += 1;
            group.len() == 2 && group.iter().all(hex)
        }) && groups >= 6
    };
    if pairs(b':') || pairs(b'-') {
        return end;
    }
    if whole.iter().filter(|b| **b == b':').count() < 2 || whole.contains(&b'-') {
        return 0;
    }
    // With one digit for all: what a line is does not depend on which digits it has.
    let blind: String = whole.iter().map(|b| char::from(if b.is_ascii_digit() { b'1' } else { *b })).collect();
    if blind.parse::<core::net::Ipv6Addr>().is_ok() { end } else { 0 }
}

/// Eight letters and all of them hexadecimal: an id that has no digit by chance, and no word of any language.
fn is_letters_of_hex(word: &[u8]) -> bool {
    word.len() >= 8 && word.iter().all(|b| matches!(b, b'a'..=b'f'))
}

/// `‹secret:password#3f9a›`, as the redactor writes it.
fn marker_length(bytes: &[u8]) -> Option<usize> {
    let inside = bytes.strip_prefix("‹secret:".as_bytes())?;
    let end = inside.iter().take(32).position(|b| *b == "›".as_bytes()[0])?;
    inside[end..].starts_with("›".as_bytes()).then_some(bytes.len() - inside.len() + end + "›".len())
}

pub(super) fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn kind_of(word: &[u8]) -> Kind {
    let word = word.strip_prefix(b"v").or_else(|| word.strip_prefix(b"V")).filter(|w| digits(w) > 0).unwrap_or(word);
    let word = word.strip_prefix(b"-").or_else(|| word.strip_prefix(b"+")).filter(|w| digits(w) > 0).unwrap_or(word);
    let mut at = digits(word);
    if at == 0 {
        return Kind::Id;
    }
    let mut groups = 1;
    while word.get(at) == Some(&b'.') {
        let more = digits(&word[at + 1..]);
        if more == 0 {
            break;
        }
        at += 1 + more;
        groups += 1;
    }
    let rest = &word[at..];
    match groups {
        4 if rest.is_empty() => Kind::Ip,
        1 | 2 if rest.len() <= 4 && rest.iter().all(|b| b.is_ascii_alphabetic() || *b == b'%') => Kind::Number,
        1 => Kind::Id,
        _ => Kind::Version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape_of(text: &str, own: &str) -> (String, Vec<(String, Kind)>) {
        let (mut shape, mut values) = (String::new(), Vec::new());
        mask(text, own, &mut shape, &mut values);
        let values = values.into_iter().map(|v| (v.of(text).to_owned(), v.kind)).collect();
        (shape.replace(SLOT, "*"), values)
    }

    #[test]
    fn every_kind_of_value_is_seen_for_what_it_is() {
        let cases = [
            ("nginx/1.18.0", "nginx/*", Kind::Version),
            ("linux-5.10.213-201.amzn2.x86_64", "*", Kind::Id),
            ("5.10.213-201.amzn2.x86_64", "*", Kind::Version),
            ("used 44%", "used *", Kind::Number),
            ("used 1.2G.", "used *.", Kind::Number),
            ("-12", "*", Kind::Number),
            ("v2.1.0", "*", Kind::Version),
            ("10.0.12.7:", "*:", Kind::Ip),
            ("i-0a1b2c3d4e5f60718", "*", Kind::Id),
            ("2026-11-22T14:20:01.123Z up", "* up", Kind::Time),
            ("2026-11-22 14:20:01 up", "* up", Kind::Time),
            ("2026-11-22 up", "* up", Kind::Time),
            ("at 14:20:01,", "at *,", Kind::Time),
            ("14:20:01+01:00", "*", Kind::Time),
            ("eth0", "*", Kind::Id),
            ("key=‹secret:password#aebb›", "key=*", Kind::Id),
            ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "*", Kind::Id),
            ("cfaaabea", "*", Kind::Id),
            ("06:1f:3a:77:c0:9e", "*", Kind::Ip),
            ("ab-cd-ef-ab-cd-ef", "*", Kind::Ip),
            ("fe80::41f:3aff:fe77:c09e", "*", Kind::Ip),
            ("Nov  3 10:02:11 cron", "* cron", Kind::Time),
            ("Mon Nov 23 10:02:11 UTC 2026", "*", Kind::Time),
            ("up 3 days,  2:11,", "up *,", Kind::Time),
        ];
        for (text, shape, kind) in cases {
            let (found, values) = shape_of(text, "");
            assert_eq!((found.as_str(), values.len()), (shape, 1), "{text}: {values:?}");
            assert_eq!(values[0].1, kind, "{text}");
        }
    }

    #[test]
    fn the_node_s_own_name_is_masked_as_a_whole_word_only() {
        assert_eq!(shape_of("web-blue is up", "web-blue").0, "* is up");
        assert_eq!(shape_of("web-blue.local is up", "web-blue").0, "web-blue.local is up");
        assert_eq!(shape_of("no name", "").0, "no name");
    }

    #[test]
    fn columns_that_move_with_their_numbers_have_one_shape() {
        assert_eq!(shape_of("/dev/sda1   8G   9% /", "").0, shape_of("/dev/sda1  80G 100% /", "").0);
        assert_eq!(shape_of("  12 a\n 120 b", "").0, "* a\n* b");
    }

    proptest! {
        #[test]
        fn which_digits_a_line_has_says_nothing_of_how_it_reads(
            text in "([0-9]{1,5}|[:T.%/-]|::|(2[0-9]{3}|25)|(Nov|Mon|ffff|fe80| days?|h)|[ a-fz]|\\PC){0,30}",
            add in 0..10u8,
        ) {
            let other: String = text.chars().map(|c| match c.to_digit(10).filter(|_| c.is_ascii()) {
                Some(digit) => char::from(b'0' + (digit as u8 + add) % 10),
                None => c,
            }).collect();
            let of = |text: &str| {
                let (mut shape, mut values) = (String::new(), Vec::new());
                mask(text, "", &mut shape, &mut values);
                (shape, values)
            };
            prop_assert_eq!(of(&text), of(&other));
        }

        #[test]
        fn masking_loses_nothing_but_white_space(text in "([0-9]{1,4}|[:T.%/-]|\\PC|[ a-z]|\n){0,40}", own in "[a-z0-9]{0,6}") {
            prop_assume!(!text.contains(SLOT));
            let (mut shape, mut values) = (String::new(), Vec::new());
            mask(&text, &own, &mut shape, &mut values);
            let mut back = String::new();
            let mut rest = values.iter();
            for c in shape.chars() {
                if c == SLOT { back.push_str(rest.next().unwrap().of(&text)) } else { back.push(c) }
            }
            prop_assert!(rest.next().is_none());
            let squeezed = |t: &str| t.chars().filter(|c| *c != ' ' && *c != '\t').collect::<String>();
            prop_assert_eq!(squeezed(&back), squeezed(&text));
        }
    }
}
