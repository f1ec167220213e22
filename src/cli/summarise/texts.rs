//! What the nodes printed, each different text once.

use std::borrow::Cow;
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use crate::domain::Digest;
use crate::summary::{Free, Index, ReadAhead, Reading};

use super::store::{Kept, Store};

/// Different texts as they came; and in the end without their secrets, where they have a key.
#[derive(Default)]
pub(super) struct Texts {
    all: Vec<Option<Text>>,
    known: Index,
    by_key: Index,
    pub hasher: RandomState,
}

/// One of [`Texts`].
pub(super) type TextId = u32;

struct Text {
    /// Nothing where another text is the same without its secrets.
    kept: Kept,
    /// That have it.
    nodes: u32,
    /// Of what it is without its secrets, once that is known.
    key: Option<Digest>,
    /// What was read of it already.
    reading: Option<Box<Reading>>,
}

impl Text {
    fn new(kept: Kept, read: Option<ReadAhead>) -> Self {
        let (key, reading) = read.unzip();
        Text { kept, nodes: 1, key, reading }
    }
}

impl Texts {
    /// `hash`: of the text, by its hasher; `read`: what was read of it, if anything.
    pub(super) fn put(
        &mut self,
        text: &[u8],
        hash: u64,
        read: Option<ReadAhead>,
        store: &mut Store,
    ) -> Result<TextId, String> {
        let (mut fault, mut vacant) = (None, None);
        let is_it = |id: TextId| {
            if self.all[id as usize].is_none() {
                vacant = vacant.or(Some(id));
            }
            let known = self.all[id as usize].as_ref().filter(|known| known.kept.len() == text.len());
            known.is_some_and(|known| {
                store.text(&known.kept).map_err(|why| fault = Some(why)).is_ok_and(|it| *it == *text)
            })
        };
        let found = self.known.find(hash, is_it);
        if let Some(why) = fault {
            return Err(why);
        }
        match found {
            Ok(id) => {
                if let Some(text) = &mut self.all[id as usize] {
                    text.nodes += 1;
                    text.reading.iter_mut().for_each(|reading| reading.is_also_of_another());
                    if let Some((key, mut reading)) = read.filter(|_| text.key.is_none()) {
                        reading.is_also_of_another();
                        (text.key, text.reading) = (Some(key), Some(reading));
                    }
                }
                Ok(id)
            }
            // Where a text of this hash was taken back there is room for another one.
            Err(_) if let Some(id) = vacant => {
                self.all[id as usize] = Some(Text::new(store.keep(text)?, read));
                Ok(id)
            }
            Err(free) => {
                let id =
                    TextId::try_from(self.all.len()).map_err(|_| "there are too many different outputs".to_owned())?;
                self.all.push(Some(Text::new(store.keep(text)?, read)));
                self.known.put(free, id);
                Ok(id)
            }
        }
    }

    pub(super) fn hash(&self, text: &[u8]) -> u64 {
        self.hasher.hash_one(text)
    }

    /// For a node that goes on.
    pub(super) fn take_back(&mut self, id: TextId, store: &mut Store) -> Result<Vec<u8>, String> {
        let Some(text) = &mut self.all[id as usize] else { return Ok(Vec::new()) };
        text.nodes -= 1;
        if text.nodes > 0 {
            return store.text(&text.kept).map(Cow::into_owned);
        }
        self.all[id as usize].take().map_or(Ok(Vec::new()), |text| store.take(text.kept))
    }

    /// To be called once, when all are there: what was read of them. Those of which nothing was have no key yet.
    pub(super) fn take_read(&mut self) -> impl Iterator<Item = ReadAhead> {
        self.by_key = Index::default();
        self.by_key.reserve(self.all.len());
        let by_key = &mut self.by_key;
        (0..).zip(&mut self.all).filter_map(|(id, text)| {
            let text = text.as_mut()?;
            let (key, reading) = (text.key?, text.reading.take()?);
            if let Err(free) = by_key.find(key.first_bits(), |_| false) {
                by_key.put(free, id);
            }
            Some((key, reading))
        })
    }

    /// Those that may have secrets.
    pub(super) fn without_key(&self) -> Vec<TextId> {
        let those = (0..).zip(&self.all).filter(|(_, text)| text.as_ref().is_some_and(|text| text.key.is_none()));
        those.map(|(id, _)| id).collect()
    }

    /// As it is kept.
    pub(super) fn get(&self, id: TextId) -> Option<&Kept> {
        self.all.get(id as usize)?.as_ref().map(|text| &text.kept)
    }

    /// What it is without its secrets: `redacted`, where that is another text.
    pub(super) fn set(
        &mut self,
        id: TextId,
        key: Digest,
        redacted: Option<&str>,
        store: &mut Store,
    ) -> Result<(), String> {
        let found = self.find(&key);
        let Some(text) = &mut self.all[id as usize] else { return Ok(()) };
        text.key = Some(key);
        if found.is_ok() || redacted.is_some() {
            store.drop(std::mem::take(&mut text.kept));
        }
        if let Err(free) = found {
            self.by_key.put(free, id);
            if let Some(redacted) = redacted {
                text.kept = store.keep(redacted.as_bytes())?;
            }
        }
        Ok(())
    }

    pub(super) fn key(&self, id: TextId) -> Option<Digest> {
        self.all.get(id as usize)?.as_ref()?.key
    }

    /// The redacted text of this key.
    pub(super) fn of(&self, key: &Digest) -> Option<&Kept> {
        self.get(self.find(key).ok()?)
    }

    /// Each different one of them.
    pub(super) fn redacted(&self) -> impl Iterator<Item = (Digest, &Kept)> {
        let with_key = (0..).zip(&self.all).filter_map(|(id, text)| Some((id, text.as_ref()?, text.as_ref()?.key?)));
        with_key.filter(|(id, _, key)| self.find(key).is_ok_and(|at| at == *id)).map(|(_, text, key)| (key, &text.kept))
    }

    fn find(&self, key: &Digest) -> Result<TextId, Free> {
        self.by_key.find(key.first_bits(), |id| self.key(id).as_ref() == Some(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_kept_once_and_others_of_the_same_hash_are_not_taken_for_them() {
        let (mut texts, mut store) = (Texts::default(), Store::default());
        let mut put = |texts: &mut Texts, text: &[u8]| texts.put(text, 7, None, &mut store).unwrap();
        let ids: Vec<TextId> =
            [b"one", b"two", b"six", b"two", b"one"].iter().map(|text| put(&mut texts, *text)).collect();
        assert_eq!(ids, [0, 1, 2, 1, 0]);
        assert_eq!(texts.take_back(1, &mut store).unwrap(), b"two", "one node of two");
        assert_eq!(texts.take_back(1, &mut store).unwrap(), b"two");
        let mut put = |texts: &mut Texts, text: &[u8]| texts.put(text, 7, None, &mut store).unwrap();
        assert_eq!(
            (put(&mut texts, b"one"), put(&mut texts, b"six"), put(&mut texts, b"two")),
            (0, 2, 1),
            "in its place"
        );
        assert_eq!(texts.take_back(1, &mut store).unwrap(), b"two");
        assert_eq!(texts.without_key(), [0, 2]);
    }

    #[test]
    fn what_is_the_same_without_its_secrets_is_kept_once() {
        let (mut texts, mut store) = (Texts::default(), Store::default());
        for text in ["password=one", "password=two", "password=‹›", "fine"] {
            let hash = texts.hash(text.as_bytes());
            texts.put(text.as_bytes(), hash, None, &mut store).unwrap();
        }
        let (gone, fine) = (Digest::of("password=‹›".as_bytes()), Digest::of(b"fine"));
        for (id, key, redacted) in
            [(0, gone, Some("password=‹›")), (1, gone, Some("password=‹›")), (2, gone, None), (3, fine, None)]
        {
            assert!(texts.without_key().contains(&id));
            texts.set(id, key, redacted, &mut store).unwrap();
        }
        assert!(texts.without_key().is_empty());
        assert_eq!([0, 1, 2, 3].map(|id| texts.key(id).unwrap()), [gone, gone, gone, fine]);
        let of = |key: &Digest| store.text(texts.of(key).unwrap()).unwrap().into_owned();
        assert_eq!((of(&gone), of(&fine)), ("password=‹›".into(), b"fine".to_vec()));
        assert_eq!(texts.redacted().map(|(key, _)| key).collect::<Vec<_>>(), [gone, fine]);
        let kept: usize = texts.redacted().map(|(_, kept)| kept.len()).sum();
        assert_eq!(Store::default().room() - store.room(), kept, "what is kept twice takes no room");
    }
}
