//! The control socket: what operators ask of a running Muster from a shell on its host, also while chat is down.
//!
//! A Unix socket in the store's folder, where only Muster's own user and root can reach it; the kernel says who is at the
//! other end, and that name stands in the journal. One line of JSON in, one line of JSON out, then it is closed:
//! `{"order":"halt","because":"…"}` and `{"done":true,"text":"…"}`.

mod call;
mod peer;
mod serve;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use call::{CallError, call};
pub use serve::{BindError, Socket};

/// Stands in the store's folder while Muster runs.
const NAME: &str = "control.sock";
/// Longer orders are refused: a reason is the longest part of one.
const ORDER_MAX: u64 = 16 << 10;
/// Answers are cards; ten runs and their names are far below this.
const ANSWER_MAX: u64 = 4 << 20;
/// An order has to be written within this time.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// A commit to the journal takes milliseconds; a run is read back in less than a second.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// The one line that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// It is as it was asked for.
    pub done: bool,
    /// The card as plain text.
    pub text: String,
}

fn path(store: &Path) -> PathBuf {
    store.join(NAME)
}
