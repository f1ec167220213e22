//! Lines of many outputs, known again.
//!
//! Thousands of nodes print the same few lines, and what is found out about one need not be found out again. Which digits
//! its numbers have says nothing of how a line reads, so lines that differ in nothing else are one line here.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

/// Lines that are remembered at once, and the bytes of the longest of them. It is a cache: what is found out does not depend
/// on it.
const PLACES: usize = 1 << 14;
const LINE_MAX: usize = 1 << 10;
/// Bytes of all of them. What is known of a line may take several times as much.
const BYTES_MAX: usize = 1 << 20;

/// Lines that came more than once, with what is known of them; it may depend on anything but their digits.
pub struct Lines<T> {
    kept: Vec<Line<T>>,
    /// Which of them it is, counted from 1, by the place of its hash.
    places: Vec<u32>,
    /// Half the hash of the last line that came once, by place: most lines never come again and are not worth keeping.
    once: Vec<u32>,
    hasher: RandomState,
    /// The line that was looked for last and is not there: as it would be kept, and its hash.
    looked_for: Vec<u8>,
    hash: u64,
    /// Where the last one stands that was found.
    last: usize,
    /// Of all that are kept.
    bytes: usize,
    /// So many were kept, with those that gave way to others.
    count: u32,
}

/// One of [`Lines`].
pub struct Line<T> {
    /// As it came, and with one digit for all.
    line: Box<[u8]>,
    blind: Box<[u8]>,
    /// No other line has it, whenever it came; never 0.
    pub number: u32,
    pub known: T,
    /// Where the one stands that was found after it: outputs of one command have the same lines in the same order.
    next: usize,
}

/// Where one of [`Lines`] stands, until others are kept.
#[derive(Debug, Clone, Copy)]
pub struct Found(usize);

impl<T> Line<T> {
    /// Whatever the digits are.
    fn is(&self, line: &[u8]) -> bool {
        // Most lines have the same digits too, or none, which is seen sooner.
        *self.line == *line || is_but_for_digits(line, &self.blind)
    }
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Lines {
            kept: Vec::new(),
            places: Vec::new(),
            once: Vec::new(),
            hasher: RandomState::default(),
            looked_for: Vec::new(),
            hash: 0,
            last: 0,
            bytes: 0,
            count: 0,
        }
    }
}

impl<T> Lines<T> {
    /// Where the line stands.
    pub fn find(&mut self, line: &str) -> Option<Found> {
        self.last = self.place_of(line.as_bytes())?;
        Some(Found(self.last))
    }

    #[must_use]
    pub fn get(&self, found: Found) -> &Line<T> {
        &self.kept[found.0]
    }

    fn place_of(&mut self, line: &[u8]) -> Option<usize> {
        let next = self.kept.get(self.last).map(|last| last.next);
        if let Some(next) = next.filter(|next| self.kept[*next].is(line)) {
            return Some(next);
        }
        self.looked_for.clear();
        if line.len() > LINE_MAX {
            return None;
        }
        if self.places.is_empty() {
            self.places = vec![0; PLACES];
            self.once = vec![0; PLACES];
        }
        self.looked_for.resize(line.len(), 0);
        // Without a branch, so that many bytes are written in one step.
        let blind = |(to, b): (&mut u8, &u8)| *to = if b.is_ascii_digit() { b'1' } else { *b };
        self.looked_for.iter_mut().zip(line).for_each(blind);
        self.hash = self.hasher.hash_one(self.looked_for.as_slice());
        let at = (self.places[self.place()] as usize).checked_sub(1)?;
        if *self.kept[at].blind != *self.looked_for {
            return None;
        }
        self.kept[self.last].next = at;
        Some(at)
    }

    fn place(&self) -> usize {
        usize::try_from(self.hash % PLACES as u64).unwrap_or(0)
    }

    /// To be called with the line that was looked for last and is not there. `known`: made where it is kept, which takes that it
    /// comes again.
    pub fn keep(&mut self, line: &str, known: impl FnOnce() -> T) {
        let place = self.place();
        if line.len() != self.looked_for.len() || self.places.is_empty() || self.count == u32::MAX {
            return;
        }
        let half = u32::try_from(self.hash >> 32).unwrap_or(0);
        if self.once[place] != half {
            self.once[place] = half;
            return;
        }
        if self.bytes + line.len() > BYTES_MAX {
            // No number is given twice.
            *self = Lines { count: self.count, ..Lines::default() };
            return;
        }
        self.count += 1;
        self.bytes += line.len();
        let line = Line {
            line: line.as_bytes().into(),
            blind: self.looked_for.as_slice().into(),
            number: self.count,
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
        let mut lines = Lines::default();
        let mut told = |line: &str| match lines.find(line) {
            Some(found) => Some((lines.get(found).number, lines.get(found).known)),
            None => {
                lines.keep(line, || line.len());
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
    fn no_more_is_kept_than_there_is_room_for_and_no_number_comes_twice() {
        let mut lines = Lines::default();
        let mut numbers = Vec::new();
        for n in 0..3 * BYTES_MAX / LINE_MAX {
            let line = char::from(b'a' + u8::try_from(n % 26).unwrap()).to_string().repeat(LINE_MAX - n / 26 % 500);
            for _ in 0..3 {
                match lines.find(&line) {
                    Some(found) => numbers.push(lines.get(found).number),
                    None => lines.keep(&line, || ()),
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
