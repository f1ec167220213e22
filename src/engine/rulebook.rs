//! The runbooks and the policy that are in force: swapped together, never half.

use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use crate::policy::PolicySet;
use crate::runbook::Library;

/// One good set of files.
#[derive(Debug, Clone)]
pub struct Rules {
    pub runbooks: Library,
    pub policy: PolicySet,
}

/// What is in force now. Cheap to read; a reader keeps the set it began with.
#[derive(Debug)]
pub struct Rulebook {
    current: RwLock<Arc<Rules>>,
    changed: watch::Sender<()>,
}

impl Rulebook {
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Rulebook { current: RwLock::new(Arc::new(rules)), changed: watch::Sender::new(()) }
    }

    #[must_use]
    pub fn current(&self) -> Arc<Rules> {
        self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Puts a checked set in force. What waits is decided on again, now and at its start, and the stricter result wins.
    pub fn swap(&self, rules: Rules) {
        *self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(rules);
        self.changed.send_replace(());
    }

    /// Tells of every swap from now on.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}
