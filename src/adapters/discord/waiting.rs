//! Interactions that have no answer yet.
//!
//! Discord takes one first answer to each, and a modal can be nothing but that. So whoever answers takes the interaction
//! from here first: the form that opens, the word for one person that came sooner, or the acknowledgement that waits no
//! longer. And whoever has further words waits until the first answer was given, or Discord would not know what they
//! belong to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

/// Discord gives three seconds for the first answer; then there is none to wait for.
const LIFE: Duration = Duration::from_secs(3);

struct Entry {
    since: Instant,
    /// Nobody has taken it.
    free: bool,
    taken: Arc<Notify>,
    answered: watch::Sender<bool>,
}

#[derive(Default)]
pub(super) struct Waiting(Mutex<HashMap<String, Entry>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The interaction is to be answered. `free`: by whoever takes it first, who is told by the notice; else by the
    /// caller.
    pub(super) fn expect(&self, interaction: &str, free: bool) -> Arc<Notify> {
        let taken = Arc::new(Notify::new());
        let entry =
            Entry { since: Instant::now(), free, taken: Arc::clone(&taken), answered: watch::Sender::new(false) };
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.since.elapsed() < 2 * LIFE);
        entries.insert(interaction.to_owned(), entry);
        taken
    }

    /// True for exactly one caller: the first answer is theirs.
    pub(super) fn take(&self, interaction: &str) -> bool {
        match self.lock().get_mut(interaction) {
            Some(entry) if entry.free => {
                entry.free = false;
                entry.taken.notify_one();
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whoever took it could not answer: the next one may.
    pub(super) fn give_back(&self, interaction: &str) {
        if let Some(entry) = self.lock().get_mut(interaction) {
            entry.free = true;
        }
    }

    /// The first answer was given, or cannot be.
    pub(super) fn done(&self, interaction: &str) {
        if let Some(entry) = self.lock().remove(interaction) {
            entry.answered.send_replace(true);
        }
    }

    /// Waits until the first answer was given, where one is still to come.
    pub(super) async fn answered(&self, interaction: &str) {
        let Some(mut answered) = self.lock().get(interaction).map(|entry| entry.answered.subscribe()) else { return };
        let _ = timeout(LIFE, answered.wait_for(|done| *done)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_interaction_is_answered_by_one_only() {
        let waiting = Waiting::default();
        assert!(!waiting.take("1"), "nobody expects it");
        let taken = waiting.expect("1", true);
        assert!(waiting.take("1"));
        taken.notified().await;
        assert!(!waiting.take("1"));
        waiting.give_back("1");
        assert!(waiting.take("1"), "what could not be said leaves room for why");
        waiting.expect("2", false);
        assert!(!waiting.take("2"), "its own task answers it");
    }

    #[tokio::test]
    async fn further_words_wait_for_the_first_answer() {
        let waiting = Arc::new(Waiting::default());
        waiting.answered("1").await;
        waiting.expect("1", false);
        let further = tokio::spawn({
            let waiting = Arc::clone(&waiting);
            async move { waiting.answered("1").await }
        });
        tokio::task::yield_now().await;
        assert!(!further.is_finished());
        waiting.done("1");
        further.await.unwrap();
    }
}
