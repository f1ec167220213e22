//! Lines of many outputs, known again.
//!
//! Thousands of nodes print the same few lines, and what is found out about one need not be found out again. Which digits
//! its numbers have says nothing of how a line reads, so lines that differ in nothing else are one line here.

use std::hash::BuildHasher as _;
use std::num::NonZeroU32;

use foldhash::fast::RandomState;

/// Lines that are remembered at once, and the bytes of the longest of them. It is a cache: what is found out does not depend
/// on it.
const PLACES: usize = 1 << 14;
const LINE_MAX: usize = 1 << 10;
/// Bytes of all of them. What is known of a line may take several times as much.
const BYTES_MAX: usize = 1 << 20;

/// Lines that came more than once, with what is known of them; it may depend on anything but their digits.
pub struct KnownLines<T> {
    kept: Vec<KnownLine<T>>,
    /// Which of them it is, counted from 1, by the place of its hash.
    places: Vec<u32>,
    /// Half the hash of the last line that came once, by place: most lines never come again and are not worth keeping.
    once: Vec<u32>,
    hasher: RandomState,
    /// With one digit for all: the line that is looked for.
    blind: Vec<u8>,
    /// Where the last one stands that was found.
    last: usize,
    /// Of all that are kept.
    bytes: usize,
    /// So many were kept, with those that gave way to others.
    count: u32,
}

/// One of [`KnownLines`].
struct KnownLine<T> {
    /// As it came, and with one digit for all.
    line: Box<[u8]>,
    blind: Box<[u8]>,
    /// No other line has it, whenever it came.
    number: NonZeroU32,
    known: T,
    /// Where the one stands that was found after it: outputs of one command have the same lines in the same order.
    next: usize,
}

/// Where one of [`KnownLines`] stands, until it gives way to another.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    at: u32,
    /// Its own.
    pub number: NonZeroU32,
}

/// Where a line would stand that is not there.
#[derive(Debug, Clone, Copy)]
pub struct Missed(Option<u64>);

impl Missed {
    /// That of a line that is never kept.
    pub const FOR_EVER: Missed = Missed(None);

    fn place(self) -> usize {
        usize::try_from(self.0.unwrap_or(0) % PLACES as u64).unwrap_or(0)
    }
}

impl<T> KnownLine<T> {
    /// Whatever the digits are.
    fn is(&self, line: &[u8]) -> bool {
        // Most lines have the same digits too, or none, which is seen sooner.
        *self.line == *line || is_but_for_digits(line, &self.blind)
    }
}

impl<T> Default for KnownLines<T> {
    fn default() -> Self {
        KnownLines {
            kept: Vec::new(),
            places: Vec::new(),
            once: Vec::new(),
            hasher: RandomState::default(),
            blind: Vec::new(),
            last: 0,
            bytes: 0,
            count: 0,
        }
    }
}

impl<T> KnownLines<T> {
    /// Where the line stands.
    ///
    /// # Errors
    /// Where it would stand.
    pub fn find(&mut self, line: &str) -> Result<Found, Missed> {
        let line = line.as_bytes();
        let next = self.kept.get(self.last).map(|last| last.next);
        if let Some(next) = next.filter(|next| self.kept[*next].is(line)) {
            return self.found(next);
        }
        if line.len() > LINE_MAX {
            return Err(Missed::FOR_EVER);
        }
        if self.places.is_empty() {
            self.places = vec![0; PLACES];
            self.once = vec![0; PLACES];
        }
        let missed = self.missed(line);
        let at =
            (self.places[missed.place()] as usize).checked_sub(1).filter(|at| *self.kept[*at].blind == *self.blind);
        let at = at.ok_or(missed)?;
        self.kept[self.last].next = at;
        self.found(at)
    }

    fn found(&mut self, at: usize) -> Result<Found, Missed> {
        self.last = at;
        Ok(Found { at: u32::try_from(at).map_err(|_| Missed::FOR_EVER)?, number: self.kept[at].number })
    }

    fn missed(&mut self, line: &[u8]) -> Missed {
        self.blind.clear();
        self.blind.resize(line.len(), 0);
        // Without a branch, so that many bytes are written in one step.
        let blind = |(to, b): (&mut u8, &u8)| *to = if b.is_ascii_digit() { b'1' } else { *b };
        self.blind.iter_mut().zip(line).for_each(blind);
        Missed(Some(self.hasher.hash_one(self.blind.as_slice())))
    }

    /// The line that begins here, if it is the one that came after the last one before: where it stands, and its bytes. That
    /// it ends need not be looked for.
    pub fn find_next(&mut self, text: &str) -> Option<(Found, usize)> {
        let next = self.kept.get(self.last)?.next;
        let line = &self.kept[next];
        let (bytes, length) = (text.as_bytes(), line.line.len());
        let ends = bytes.get(length).is_none_or(|end| *end == b'\n');
        if !ends || !line.is(bytes.get(..length)?) {
            return None;
        }
        Some((self.found(next).ok()?, length))
    }

    /// What is known of it; `None` where it has given way since.
    #[must_use]
    pub fn get(&self, found: Found) -> Option<&T> {
        self.kept.get(found.at as usize).filter(|line| line.number == found.number).map(|line| &line.known)
    }

    /// Keeps a line that was missed, which takes that it comes again; whether what is known has changed. `known`: made where it
    /// is kept.
    pub fn keep(&mut self, line: &str, missed: Missed, known: impl FnOnce() -> T) -> bool {
        let (Some(hash), Some(number)) = (missed.0, NonZeroU32::new(self.count.wrapping_add(1))) else { return false };
        let (place, half) = (missed.place(), u32::try_from(hash >> 32).unwrap_or(0));
        let Some(once) = self.once.get_mut(place) else { return false };
        if std::mem::replace(once, half) != half {
            return false;
        }
        if self.bytes + line.len() > BYTES_MAX {
            // No number is given twice.
            *self = KnownLines { count: self.count, ..KnownLines::default() };
            return true;
        }
        self.missed(line.as_bytes());
        self.count = number.get();
        self.bytes += line.len();
        let line = KnownLine {
            line: line.as_bytes().into(),
            blind: self.blind.as_slice().into(),
            number,
            known: known(),
            next: 0,
        };
        match (self.places[place] as usize).checked_sub(1) {
            Some(at) => {
                self.bytes -= self.kept[at].line.len();
                self.kept[at] = line;
            }
            None => {
                self.kept.push(line);
                self.places[place] = u32::try_from(self.kept.len()).unwrap_or(0);
            }
        }
        true
    }
}

/// Whether the line is the one that is kept, whatever its digits are.
fn is_but_for_digits(line: &[u8], kept: &[u8]) -> bool {
    // Without a branch, so that many bytes are looked at in one step.
    let differ = |(a, b): (&u8, &u8)| (if a.is_ascii_digit() { b'1' } else { *a }) ^ b;
    line.len() == kept.len() && line.iter().zip(kept).map(differ).fold(0, |any, one| any | one) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_known_from_the_third_time_on_whatever_its_digits_are() {
        let mut lines = KnownLines::default();
        let mut told = |line: &str| match lines.find(line) {
            Ok(found) => Some((found.number.get(), *lines.get(found).unwrap())),
            Err(missed) => {
                lines.keep(line, missed, || line.len());
                None
            }
        };
        let came = ["used 41%", "used 42%", "up 10:02", "used 77%", "up 11:59", "used 7%", "up 00:00", "used 00%"];
        let expected = [None, None, None, Some((1, 8)), None, None, Some((2, 8)), Some((1, 8))];
        assert_eq!(came.map(&mut told), expected);
        let long = "x".repeat(LINE_MAX + 1);
        assert_eq!([&*long; 3].map(&mut told), [None; 3]);
        assert_eq!([""; 3].map(&mut told), [None, None, Some((3, 0))]);
    }

    #[test]
    fn the_line_that_follows_is_found_where_it_begins_and_only_if_it_ends_there() {
        let mut lines = KnownLines::default();
        let text = "used 41%\nup\n";
        for line in ["used 41%", "up"].repeat(3) {
            if let Err(missed) = lines.find(line) {
                lines.keep(line, missed, || ());
            }
        }
        let mut next = |text: &str| lines.find_next(text).map(|(found, length)| (found.number.get(), length));
        assert_eq!(next("used 77%\nup"), Some((1, 8)));
        assert_eq!([next("up!"), next("u"), next("used 7%\nup"), next("")], [None; 4]);
        assert_eq!([next("up"), next(text), next("up\n")], [Some((2, 2)), Some((1, 8)), Some((2, 2))]);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for_and_no_number_comes_twice() {
        let mut lines = KnownLines::default();
        let mut numbers = Vec::new();
        for n in 0..3 * BYTES_MAX / LINE_MAX {
            let line = char::from(b'a' + u8::try_from(n % 26).unwrap()).to_string().repeat(LINE_MAX - n / 26 % 500);
            for _ in 0..3 {
                match lines.find(&line) {
                    Ok(found) => numbers.push(found.number.get()),
                    Err(missed) => _ = lines.keep(&line, missed, || ()),
                }
                assert!(
                    lines.bytes <= BYTES_MAX
                        && lines.kept.iter().map(|kept| kept.line.len()).sum::<usize>() == lines.bytes
                );
            }
        }
        let different: std::collections::BTreeSet<u32> = numbers.iter().copied().collect();
        assert!(numbers.len() > 2 * BYTES_MAX / LINE_MAX && different.len() == numbers.len(), "{}", numbers.len());
    }
}
