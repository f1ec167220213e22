//! What is known, by a hash that was made elsewhere: in another thread, or because it is one itself.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Numbers of things by their hashes. The things themselves are elsewhere, so that to make room for more moves none of them.
#[derive(Default)]
pub struct Index {
    places: HashMap<u64, u32, RandomState>,
}

/// Where a thing that is not there yet would be.
pub struct Free(u64);

impl Index {
    /// The number of the thing; `is_it` is asked of those that have its hash.
    ///
    /// # Errors
    /// Where it would be.
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Result<u32, Free> {
        let mut place = hash;
        while let Some(number) = self.places.get(&place) {
            if is_it(*number) {
                return Ok(*number);
            }
            place = place.wrapping_add(1);
        }
        Err(Free(place))
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.places.reserve(more);
    }

    pub fn put(&mut self, free: Free, number: u32) {
        self.places.insert(free.0, number);
    }
}
