//! What AWS held when it was last looked at: what can be offered must be known before anybody asks.
//!
//! A decorator over [`Inventory`] that remembers every answer. Nothing is decided by it: plans read afresh.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::domain::{Account, AccountId, NodePlatform, Region, Unread};
use crate::ports::{CloudError, Inventory, RegionRead};

/// What was read of a region is believed for so long; then anything may be there.
const BELIEVED: Duration = Duration::from_secs(15 * 60);
/// Sorts of nodes remembered of one region.
const SORTS_MAX: usize = 2_000;
/// Tags that are a node's own, or AWS's: they would make every node a sort of its own.
const NAME_TAG: &str = "Name";
const AWS_TAGS: &str = "aws:";

/// Nodes that nothing but their names tells apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sort {
    pub platform: NodePlatform,
    /// Without `Name` and AWS's own.
    pub tags: BTreeMap<String, String>,
}

/// One region of one account, as it was read.
#[derive(Debug, Clone)]
pub struct Known {
    at: Instant,
    /// `None`: there were too many to remember, or it could not be read.
    pub sorts: Option<Arc<BTreeSet<Sort>>>,
    pub fault: Option<String>,
}

impl Known {
    /// It says what is there, and is not too old to say so.
    #[must_use]
    pub fn sorts(&self) -> Option<&Arc<BTreeSet<Sort>>> {
        self.sorts.as_ref().filter(|_| self.at.elapsed() < BELIEVED)
    }
}

/// One look at everything that is known.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    pub accounts: Arc<Vec<Account>>,
    pub unread: Arc<Vec<Unread>>,
    pub regions: Arc<BTreeMap<(AccountId, Region), Known>>,
    /// The accounts have been asked for.
    pub asked: bool,
    /// Grows with every answer that says something else than the one before.
    pub edition: u64,
}

#[derive(Debug, Default)]
pub struct Atlas {
    chart: RwLock<Chart>,
}

impl Atlas {
    #[must_use]
    pub fn chart(&self) -> Chart {
        self.chart.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn learn_accounts(&self, accounts: &[Account], unread: &[Unread]) {
        let mut chart = self.chart.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !chart.asked || *chart.accounts != accounts || *chart.unread != unread {
            chart.accounts = Arc::new(accounts.to_vec());
            chart.unread = Arc::new(unread.to_vec());
            chart.asked = true;
            chart.edition += 1;
        }
    }

    fn learn_region(&self, account: &AccountId, region: &Region, read: &Result<RegionRead, CloudError>) {
        let (sorts, fault) = match read {
            Ok(read) => (sorts(read), None),
            // It will be read again in a moment; what was known stays.
            Err(CloudError::Throttled { .. } | CloudError::Transient(_)) => return,
            Err(CloudError::Refused(cause)) => (None, Some(cause.clone())),
        };
        let mut chart = self.chart.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = (account.clone(), region.clone());
        let before = chart.regions.get(&key);
        let news =
            before.is_none_or(|known| known.sorts().map(AsRef::as_ref) != sorts.as_ref() || known.fault != fault);
        let known = Known { at: Instant::now(), sorts: sorts.map(Arc::new), fault };
        Arc::make_mut(&mut chart.regions).insert(key, known);
        if news {
            chart.edition += 1;
        }
    }
}

fn sorts(read: &RegionRead) -> Option<BTreeSet<Sort>> {
    let mut sorts = BTreeSet::new();
    for node in &read.nodes {
        let told = node.tags.iter().filter(|(key, _)| *key != NAME_TAG && !key.starts_with(AWS_TAGS));
        sorts.insert(Sort { platform: node.platform, tags: told.map(|(k, v)| (k.clone(), v.clone())).collect() });
        if sorts.len() > SORTS_MAX {
            return None;
        }
    }
    Some(sorts)
}

/// Whether a tag is remembered at all.
#[must_use]
pub fn is_remembered(tag: &str) -> bool {
    tag != NAME_TAG && !tag.starts_with(AWS_TAGS)
}

/// Remembers what passes through it.
pub struct Remembering {
    pub atlas: Arc<Atlas>,
    pub inner: Arc<dyn Inventory>,
}

#[async_trait]
impl Inventory for Remembering {
    async fn accounts(&self) -> (Vec<Account>, Vec<Unread>) {
        let (accounts, unread) = self.inner.accounts().await;
        self.atlas.learn_accounts(&accounts, &unread);
        (accounts, unread)
    }

    async fn read(&self, account: &AccountId, region: &Region) -> Result<RegionRead, CloudError> {
        let read = self.inner.read(account, region).await;
        self.atlas.learn_region(account, region, &read);
        read
    }
}
