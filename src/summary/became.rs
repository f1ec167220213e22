//! Lists that many outputs share, changed once for all of them.

use std::sync::Arc;

/// What a list became that was changed last, and is likely to come next.
pub(super) struct Became<T>(Option<Change<T>>);

struct Change<T> {
    from: Arc<[T]>,
    to: Arc<[T]>,
}

impl<T> Default for Became<T> {
    fn default() -> Self {
        Became(None)
    }
}

impl<T> Became<T> {
    /// `change`: made of the list alone. `None` where it makes nothing of it.
    pub(super) fn of(&mut self, list: &Arc<[T]>, change: impl FnOnce(&[T]) -> Option<Arc<[T]>>) -> Option<Arc<[T]>> {
        if let Some(Change { to, .. }) = self.0.as_ref().filter(|change| Arc::ptr_eq(&change.from, list)) {
            return Some(Arc::clone(to));
        }
        let to = change(list)?;
        self.0 = Some(Change { from: Arc::clone(list), to: Arc::clone(&to) });
        Some(to)
    }
}
