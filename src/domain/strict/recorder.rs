//! What keys readers know, for the tests that hold the JSON Schemas against them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

thread_local! {
    static KNOWN: RefCell<BTreeMap<String, BTreeSet<String>>> = RefCell::default();
}

/// Runs `read` and returns, for each table that was finished in it, the keys that were asked for and not refused.
pub fn record(read: impl FnOnce()) -> BTreeMap<String, BTreeSet<String>> {
    KNOWN.take();
    read();
    KNOWN.take()
}

pub(super) fn finished(path: &str, known: BTreeSet<String>) {
    KNOWN.with_borrow_mut(|all| all.entry(path.to_owned()).or_default().extend(known));
}
