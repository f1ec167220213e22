//! Texts -> memory while there is room, and then a file that nobody can read.
//!
//! The file has no name, ends with the program, and holds nothing readable: what is put away has not been redacted yet, and
//! its key is in memory only.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};

/// Bytes that stay in memory.
const ROOM: usize = 32 << 20;

#[derive(Default)]
pub(super) struct Store {
    here: usize,
    away: Option<Away>,
}

/// One text in a [`Store`].
#[derive(Debug)]
pub(super) enum Kept {
    Here(Box<[u8]>),
    /// Where it begins in the file, and its bytes.
    Away(u64, usize),
}

impl Default for Kept {
    fn default() -> Self {
        Kept::Here(Box::default())
    }
}

impl Kept {
    /// Bytes of the text.
    pub(super) fn len(&self) -> usize {
        match self {
            Kept::Here(text) => text.len(),
            Kept::Away(_, length) => *length,
        }
    }
}

struct Away {
    file: File,
    key: [u8; 32],
    end: u64,
}

impl Store {
    /// Bytes that still have room in memory.
    pub(super) fn room(&self) -> usize {
        ROOM.saturating_sub(self.here)
    }

    /// An error where there is no room on disk either.
    pub(super) fn keep(&mut self, text: &[u8]) -> Result<Kept, String> {
        if text.len() <= self.room() {
            self.here += text.len();
            return Ok(Kept::Here(text.into()));
        }
        self.put_away(text.to_vec())
    }

    pub(super) fn put_away(&mut self, mut text: Vec<u8>) -> Result<Kept, String> {
        let away = match &mut self.away {
            Some(away) => away,
            none => none.insert(Away::new().map_err(|why| no_room(&why))?),
        };
        let (at, length) = (away.end, text.len());
        away.cipher(&mut text, at);
        away.file.write_all_at(&text, at).map_err(|why| no_room(&why))?;
        away.end += length as u64;
        Ok(Kept::Away(at, length))
    }

    pub(super) fn text<'k>(&self, kept: &'k Kept) -> Result<Cow<'k, [u8]>, String> {
        match (kept, &self.away) {
            (Kept::Here(text), _) => Ok(Cow::Borrowed(text)),
            (Kept::Away(at, length), Some(away)) => {
                let mut text = vec![0; *length];
                away.file.read_exact_at(&mut text, *at).map_err(|why| no_room(&why))?;
                away.cipher(&mut text, *at);
                Ok(Cow::Owned(text))
            }
            // INVARIANT: what is away was put there by this store.
            (Kept::Away(..), None) => Ok(Cow::Borrowed(&[])),
        }
    }

    /// Gives it back; its room in memory is free again.
    pub(super) fn take(&mut self, kept: Kept) -> Result<Vec<u8>, String> {
        match kept {
            Kept::Here(text) => {
                self.here -= text.len();
                Ok(text.into_vec())
            }
            away @ Kept::Away(..) => self.text(&away).map(Cow::into_owned),
        }
    }

    pub(super) fn drop(&mut self, kept: Kept) {
        self.here -= if let Kept::Here(text) = kept { text.len() } else { 0 };
    }
}

fn no_room(why: &io::Error) -> String {
    let folder = std::env::temp_dir();
    format!(
        "what has no room in memory cannot be put away in {}: {why}; set TMPDIR to a folder that takes as much as comes in",
        folder.display()
    )
}

impl Away {
    fn new() -> io::Result<Self> {
        Ok(Away { file: tempfile::tempfile()?, key: rand::random(), end: 0 })
    }

    /// There and back. No place in the file is written twice, so no part of the key stream is used twice.
    fn cipher(&self, text: &mut [u8], at: u64) {
        let mut cipher = ChaCha20::new(&self.key.into(), &[0; 12].into());
        cipher.seek(at);
        cipher.apply_keystream(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_in_memory_comes_back_and_cannot_be_read_in_the_file() {
        let mut store = Store::default();
        let secret = b"DB_PASSWORD=".repeat(10_000);
        let first = store.keep(&vec![b'x'; ROOM]).unwrap();
        let (one, other) = (store.keep(&secret).unwrap(), store.keep(b"last").unwrap());
        assert!(matches!((&first, &one, &other), (Kept::Here(_), Kept::Away(0, _), Kept::Away(120_000, 4))));
        let mut file = vec![0; 120_000];
        store.away.as_ref().unwrap().file.read_exact_at(&mut file, 0).unwrap();
        assert!(!file.windows(4).any(|part| part == b"PASS"));
        assert_eq!(
            (store.text(&one).unwrap().as_ref(), store.text(&other).unwrap().as_ref()),
            (&*secret, &b"last"[..])
        );
        store.take(first).unwrap();
        assert_eq!(store.room(), ROOM);
        assert_eq!(store.take(one).unwrap(), secret);
    }
}
