//! Work that is shared among threads.

use rayon::prelude::*;

/// Into how many shares work is parted, each for a thread; one by default.
#[derive(Debug, Clone, Copy)]
pub struct Threads(usize);

/// Each share has tables of its own, and more would gain less than those take.
const MOST: usize = 8;

impl Default for Threads {
    fn default() -> Self {
        Threads(1)
    }
}

impl Threads {
    /// None means one, and more than [`MOST`] mean so many.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Threads(threads.clamp(1, MOST))
    }

    /// As many as the pool has, which is one for each core.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Threads::new(rayon::current_num_threads())
    }

    #[must_use]
    pub fn count(self) -> usize {
        self.0
    }

    /// What is made of equal shares of these, in their order. `least`: fewer are not worth a thread.
    pub fn share<'i, T: Sync, R: Send>(
        self,
        items: &'i [T],
        least: usize,
        work: impl Fn(&'i [T]) -> R + Sync,
    ) -> Vec<R> {
        let share = self.share_of(items.len(), least);
        if items.len() <= share {
            return vec![work(items)];
        }
        items.par_chunks(share).map(&work).collect()
    }

    /// The same, where each of these is worked on. `work` is told which of all is the first of its share.
    pub(super) fn share_mut<T: Send, R: Send>(
        self,
        items: &mut [T],
        least: usize,
        work: impl Fn(usize, &mut [T]) -> R + Sync,
    ) -> Vec<R> {
        let share = self.share_of(items.len(), least);
        if items.len() <= share {
            return vec![work(0, items)];
        }
        items.par_chunks_mut(share).enumerate().map(|(nth, items)| work(nth * share, items)).collect()
    }

    fn share_of(self, items: usize, least: usize) -> usize {
        items.div_ceil(self.0).max(least)
    }

    /// Both, side by side where there is more than one thread.
    pub(super) fn at_once<A: Send, B: Send>(
        self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        if self.0 < 2 { (one(), other()) } else { rayon::join(one, other) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_back_in_order_and_few_items_are_one_share() {
        let items: Vec<u32> = (0..100).collect();
        let shared = |threads: usize, least: usize| Threads::new(threads).share(&items, least, <[u32]>::to_vec);
        assert_eq!(shared(3, 1).iter().map(Vec::len).collect::<Vec<_>>(), [34, 34, 32]);
        assert_eq!(shared(3, 1).concat(), items);
        assert_eq!([shared(0, 1).len(), shared(3, 60).len(), shared(3, 100).len()], [1, 2, 1]);
        let mut places = vec![0; 100];
        Threads::new(3).share_mut(&mut places, 1, |from, items| {
            (from..).zip(items).for_each(|(at, item)| *item = at);
        });
        assert_eq!(places, (0..100).collect::<Vec<_>>());
        assert_eq!(Threads::new(2).share(&[] as &[u32], 1, <[u32]>::len), [0]);
    }
}
