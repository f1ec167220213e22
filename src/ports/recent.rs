//! Answers of the last minute, for a [`Directory`](super::Directory): never an older one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So long an answer is believed.
const FRESH: Duration = Duration::from_secs(60);
/// Entries kept per cache before old ones are dropped.
const ENTRIES: usize = 4_096;

type Slot<V> = Arc<tokio::sync::Mutex<Option<(Instant, V)>>>;

/// Answers of the last minute. Who asks for the same thing at the same time waits for one answer.
pub struct Recent<V> {
    slots: Mutex<HashMap<String, Slot<V>>>,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Recent { slots: Mutex::new(HashMap::new()) }
    }
}

impl<V: Clone> Recent<V> {
    /// The next one asks anew.
    pub fn forget(&self, key: &str) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// The answer to `key`, or what `ask` gives now. A failure is no answer, and is not remembered.
    ///
    /// # Errors
    /// Those of `ask`.
    pub async fn get<E>(&self, key: &str, ask: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.len() >= ENTRIES {
                // Those in use by nobody but the cache; at worst they are asked for again.
                slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            }
            Arc::clone(slots.entry(key.to_owned()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some((at, value)) = slot.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(value.clone());
        }
        // Forgotten before it is asked for, so that a failure leaves nothing behind.
        *slot = None;
        let asked = Instant::now();
        let value = ask.await?;
        *slot = Some((asked, value.clone()));
        Ok(value)
    }
}
