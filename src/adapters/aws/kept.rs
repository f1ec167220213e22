//! What is asked for item by item and hardly changes, kept for ten minutes.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "ec2")]
use crate::domain::Region;
use crate::domain::{AccountId, NodeId, Timestamp};

const GOOD_FOR: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

type Tags = BTreeMap<String, String>;
type Dated<K, V> = Mutex<HashMap<K, (Timestamp, V)>>;

#[derive(Default)]
pub(super) struct Kept {
    /// Of hybrid nodes.
    tags: Dated<NodeId, Tags>,
    /// Whether outputs of the account came into its bucket when one was last waited for.
    objects: Dated<AccountId, bool>,
    /// Switched on for an account.
    #[cfg(feature = "ec2")]
    regions: Dated<AccountId, Vec<Region>>,
}

impl Kept {
    pub(super) fn tags(&self, id: &NodeId, now: Timestamp) -> Option<Tags> {
        fresh(&self.tags, id, now)
    }
    pub(super) fn keep_tags(&self, id: &NodeId, tags: &Tags, now: Timestamp) {
        keep(&self.tags, id, tags, now);
    }
    pub(super) fn has_no_objects(&self, id: &AccountId, now: Timestamp) -> bool {
        fresh(&self.objects, id, now) == Some(false)
    }
    /// Where others of the account came, it is the one node that does not put them.
    pub(super) fn keep_no_objects(&self, id: &AccountId, now: Timestamp) {
        if fresh(&self.objects, id, now).is_none() {
            keep(&self.objects, id, &false, now);
        }
    }
    pub(super) fn keep_objects(&self, id: &AccountId, now: Timestamp) {
        keep(&self.objects, id, &true, now);
    }
    #[cfg(feature = "ec2")]
    pub(super) fn regions(&self, id: &AccountId, now: Timestamp) -> Option<Vec<Region>> {
        fresh(&self.regions, id, now)
    }
    #[cfg(feature = "ec2")]
    pub(super) fn keep_regions(&self, id: &AccountId, regions: &Vec<Region>, now: Timestamp) {
        keep(&self.regions, id, regions, now);
    }
}

fn fresh<K: Eq + Hash, V: Clone>(kept: &Dated<K, V>, key: &K, now: Timestamp) -> Option<V> {
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.get(key).filter(|(at, _)| now.duration_since(*at) < GOOD_FOR).map(|(_, value)| value.clone())
}

fn keep<K: Eq + Hash + Clone, V: Clone>(kept: &Dated<K, V>, key: &K, value: &V, now: Timestamp) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.retain(|_, (at, _)| now.duration_since(*at) < GOOD_FOR);
    kept.insert(key.clone(), (now, value.clone()));
}
