//! What the nodes printed, each different text once.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use crate::summary::Index;

use super::store::{Kept, Store};

/// Different texts, with how many nodes have each.
#[derive(Default)]
pub(super) struct Texts {
    all: Vec<Option<Text>>,
    known: Index,
    pub hasher: RandomState,
}

/// One of [`Texts`].
pub(super) type TextId = u32;

struct Text {
    kept: Kept,
    nodes: u32,
}

impl Texts {
    /// `hash`: of the text, by its hasher.
    pub(super) fn put(&mut self, text: &[u8], hash: u64, store: &mut Store) -> Result<TextId, String> {
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
                self.all[id as usize].iter_mut().for_each(|text| text.nodes += 1);
                Ok(id)
            }
            // Where a text of this hash was taken back there is room for another one.
            Err(_) if let Some(id) = vacant => {
                self.all[id as usize] = Some(Text { kept: store.keep(text)?, nodes: 1 });
                Ok(id)
            }
            Err(free) => {
                let id =
                    TextId::try_from(self.all.len()).map_err(|_| "there are too many different outputs".to_owned())?;
                self.all.push(Some(Text { kept: store.keep(text)?, nodes: 1 }));
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
            return store.text(&text.kept).map(std::borrow::Cow::into_owned);
        }
        self.all[id as usize].take().map_or(Ok(Vec::new()), |text| store.take(text.kept))
    }

    /// All of them, by their number; those that were taken back are missing.
    pub(super) fn into_all(self) -> impl Iterator<Item = (TextId, Kept)> {
        (0..).zip(self.all).filter_map(|(id, text)| Some((id, text?.kept)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_kept_once_and_others_of_the_same_hash_are_not_taken_for_them() {
        let (mut texts, mut store) = (Texts::default(), Store::default());
        let mut put = |texts: &mut Texts, text: &[u8]| texts.put(text, 7, &mut store).unwrap();
        let ids: Vec<TextId> =
            [b"one", b"two", b"six", b"two", b"one"].iter().map(|text| put(&mut texts, *text)).collect();
        assert_eq!(ids, [0, 1, 2, 1, 0]);
        assert_eq!(texts.take_back(1, &mut store).unwrap(), b"two", "one node of two");
        assert_eq!(texts.take_back(1, &mut store).unwrap(), b"two");
        let mut put = |texts: &mut Texts, text: &[u8]| texts.put(text, 7, &mut store).unwrap();
        assert_eq!(
            (put(&mut texts, b"one"), put(&mut texts, b"six"), put(&mut texts, b"two")),
            (0, 2, 1),
            "in its place"
        );
        assert_eq!(texts.take_back(1, &mut store).unwrap(), b"two");
        assert_eq!(texts.into_all().map(|(id, _)| id).collect::<Vec<_>>(), [0, 2]);
    }
}
