//! What comes in -> blocks of whole lines, so that several threads can read them at once.

use std::io::Read;

/// A line is read up to here, in bytes; nobody reads further, and one node must not take all the memory.
const LINE_MAX: usize = 1 << 20;
/// Bytes of a block, where no line is longer: what the nearest caches hold.
const BLOCK: usize = 1 << 17;
/// Bytes of a line beyond [`LINE_MAX`] that are looked through at once for its end.
const SKIPPED: u64 = 1 << 16;

/// Lines that stand together, the last of them perhaps without an end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub bytes: Vec<u8>,
    /// It is one line, and what is over [`LINE_MAX`] of it was left out.
    pub cut: bool,
}

pub(super) struct Blocks<'r> {
    reader: &'r mut dyn Read,
    /// What was read of the next block.
    rest: Vec<u8>,
    ended: bool,
}

impl<'r> Blocks<'r> {
    pub(super) fn of(reader: &'r mut dyn Read) -> Self {
        Blocks { reader, rest: Vec::new(), ended: false }
    }

    /// Whether there is no other.
    pub(super) fn are_over(&self) -> bool {
        self.ended && self.rest.is_empty()
    }

    /// The next one, in the room of another; `None` at the end.
    pub(super) fn next(&mut self, mut bytes: Vec<u8>) -> std::io::Result<Option<Block>> {
        let mut filled = self.rest.len();
        let mut room = BLOCK.max(filled);
        // What stands there from before is written over, and need not be cleared.
        bytes.resize(room, 0);
        bytes[..filled].copy_from_slice(&self.rest);
        self.rest.clear();
        loop {
            self.fill(&mut bytes[..room], &mut filled)?;
            if let Some(end) = memchr::memrchr(b'\n', &bytes[..filled]) {
                // The last line may go on.
                let whole = if self.ended { filled } else { end + 1 };
                self.rest.extend_from_slice(&bytes[whole..filled]);
                bytes.truncate(whole);
                return Ok(Some(Block { bytes, cut: false }));
            }
            if self.ended || room >= LINE_MAX {
                let cut = !self.ended && self.skip_line()?;
                bytes.truncate(filled);
                return Ok((filled > 0).then_some(Block { bytes, cut }));
            }
            room = LINE_MAX.min(room * 2);
            bytes.resize(room, 0);
        }
    }

    fn fill(&mut self, bytes: &mut [u8], filled: &mut usize) -> std::io::Result<()> {
        while *filled < bytes.len() && !self.ended {
            match self.reader.read(&mut bytes[*filled..]) {
                Ok(0) => self.ended = true,
                Ok(read) => *filled += read,
                Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    /// Passes over the rest of a line; whether there was any.
    fn skip_line(&mut self) -> std::io::Result<bool> {
        let (mut skipped, mut part) = (0, Vec::new());
        loop {
            part.clear();
            let read = (&mut *self.reader).take(SKIPPED).read_to_end(&mut part)?;
            if let Some(end) = memchr::memchr(b'\n', &part) {
                self.rest.extend_from_slice(&part[end + 1..]);
                return Ok(skipped + end > 0);
            }
            skipped += read;
            if (read as u64) < SKIPPED {
                self.ended = true;
                return Ok(skipped > 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(mut text: &[u8]) -> Vec<Block> {
        let mut blocks = Blocks::of(&mut text);
        std::iter::from_fn(|| blocks.next(Vec::new()).unwrap()).collect()
    }

    fn lines(blocks: &[Block]) -> Vec<usize> {
        blocks.iter().map(|block| block.bytes.iter().filter(|b| **b == b'\n').count()).collect()
    }

    #[test]
    fn each_block_ends_where_a_line_does_and_nothing_is_lost() {
        let text: Vec<u8> = (0..BLOCK / 3).flat_map(|n| format!("{n}\n").into_bytes()).chain(*b"last").collect();
        let blocks = blocks(&text);
        assert!(blocks.len() > 1 && blocks.iter().all(|block| block.bytes.len() <= BLOCK && !block.cut));
        let [first @ .., last] = blocks.as_slice() else { unreachable!() };
        assert!(first.iter().all(|block| block.bytes.ends_with(b"\n")) && last.bytes.ends_with(b"\nlast"));
        assert_eq!(blocks.iter().flat_map(|block| block.bytes.clone()).collect::<Vec<_>>(), text);
        assert_eq!(self::blocks(b""), []);
    }

    #[test]
    fn of_a_line_that_is_too_long_the_first_part_stays_and_is_marked() {
        let line = |length: usize| vec![b'x'; length];
        let text = |length: usize| [b"a\n".to_vec(), line(length), b"\nb\nc".to_vec()].concat();
        let long = blocks(&text(LINE_MAX * 3));
        let told: Vec<(usize, bool)> = long.iter().map(|block| (block.bytes.len(), block.cut)).collect();
        assert_eq!(told, [(2, false), (LINE_MAX, true), (3, false)]);
        let whole = blocks(&text(LINE_MAX));
        let told: Vec<(usize, bool)> = whole.iter().map(|block| (block.bytes.len(), block.cut)).collect();
        assert_eq!(told, [(2, false), (LINE_MAX, false), (3, false)]);
        assert_eq!(lines(&blocks(&text(BLOCK * 2))), [1, 2]);
        let ends: Vec<bool> = [LINE_MAX - 1, LINE_MAX, LINE_MAX + 1].iter().map(|n| blocks(&line(*n))[0].cut).collect();
        assert_eq!(ends, [false, false, true]);
    }
}
