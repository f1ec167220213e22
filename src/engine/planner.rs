//! Reading the inventory for one selector, many accounts at a time.
//!
//! Bounded are the regions read at once for one plan, those of one account among them, and the time for each
//! ([`BOUNDS`]). Accounts are begun in turns, so that one whose calls hang holds its own few places for that time and is
//! then told as unread, while the others are read. What plans share are the limits, where they take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::domain::{Account, AccountId, Region, Selector, Snapshot, Unread};
use crate::ports::{CloudError, Inventory, RegionRead};

use super::limits::Whom;

/// What reading for one plan may take at the same time.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Regions; each has two connections at most.
    at_once: usize,
    /// Regions of one account among them.
    of_one_account: usize,
    /// One region, from its turn on.
    within: Duration,
}

/// It takes 32 accounts that hang to keep others waiting. Hundreds of pages, or one call that hangs, fit into the minute.
const BOUNDS: Bounds = Bounds { at_once: 128, of_one_account: 4, within: Duration::from_secs(60) };

/// How far the reading has come. Shared with whoever tells the person.
#[derive(Debug, Default)]
pub struct Progress {
    pub read: AtomicUsize,
    pub of: AtomicUsize,
}

/// Reads what `selector` can match: accounts and regions that it rules out are not asked. `accounts` is the inventory's
/// list, with what could not be discovered.
pub async fn read(
    inventory: Arc<dyn Inventory>,
    (accounts, mut unread): (Vec<Account>, Vec<Unread>),
    selector: &Selector,
    progress: Arc<Progress>,
) -> Snapshot {
    let accounts: Vec<Account> = accounts.into_iter().filter(|a| selector.matches_account(a)).collect();
    unread.retain(|u| u.region.is_none());
    let regions = in_turns(&accounts, selector);
    progress.of.store(regions.len(), Ordering::Relaxed);
    let reads = Whom::request().pays_for(read_all(inventory.as_ref(), regions, &progress, BOUNDS)).await;

    let mut snapshot = Snapshot { accounts, ..Snapshot::default() };
    for (account, region, read) in reads {
        match read {
            Ok(read) => {
                snapshot.nodes.extend(read.nodes);
                snapshot.unmanaged.extend(read.unmanaged);
                snapshot.unmanaged_unknown |= read.unmanaged_unread.is_some();
            }
            Err(cause) => unread.push(Unread { account: account.id, region: Some(region), cause }),
        }
    }
    snapshot.unread = whole_accounts(unread, &snapshot.accounts, selector);
    snapshot.nodes.sort_by(|a, b| a.target.cmp(&b.target));
    snapshot
}

/// The first region of every account, then the second of those that have one, and so on.
fn in_turns(accounts: &[Account], selector: &Selector) -> VecDeque<(Account, Region)> {
    let mut regions: Vec<(usize, &Account, Region)> = accounts
        .iter()
        .flat_map(|a| selector.regions_of(a).into_iter().enumerate().map(move |(nth, region)| (nth, a, region)))
        .collect();
    regions.sort_by_key(|(nth, _, _)| *nth);
    regions.into_iter().map(|(_, account, region)| (account.clone(), region)).collect()
}

/// What became of reading one region; the cause where it could not be.
type Read = (Account, Region, Result<RegionRead, String>);

/// Reads every region within the bounds of this module.
async fn read_all(
    inventory: &dyn Inventory,
    mut waiting: VecDeque<(Account, Region)>,
    progress: &Progress,
    bounds: Bounds,
) -> Vec<Read> {
    let mut reading = FuturesUnordered::new();
    let mut busy: HashMap<AccountId, usize> = HashMap::new();
    let mut reads = Vec::with_capacity(waiting.len());
    loop {
        while reading.len() < bounds.at_once {
            let has_room = |account: &Account| busy.get(&account.id).is_none_or(|n| *n < bounds.of_one_account);
            let Some(next) = waiting.iter().position(|(account, _)| has_room(account)) else { break };
            let Some((account, region)) = waiting.remove(next) else { break };
            *busy.entry(account.id.clone()).or_default() += 1;
            reading.push(async move {
                let read = match tokio::time::timeout(bounds.within, inventory.read(&account.id, &region)).await {
                    Ok(read) => read.map_err(cause),
                    Err(_) => Err(format!(
                        "AWS did not tell within {} s what is there; try again, or leave it out of the selector",
                        bounds.within.as_secs()
                    )),
                };
                (account, region, read)
            });
        }
        let Some((account, region, read)) = reading.next().await else { return reads };
        progress.read.fetch_add(1, Ordering::Relaxed);
        if let Some(regions) = busy.get_mut(&account.id) {
            *regions -= 1;
        }
        reads.push((account, region, read));
    }
}

fn cause(fault: CloudError) -> String {
    match fault {
        CloudError::Throttled { .. } => "AWS throttles the reading of its inventory; try again in a minute".to_owned(),
        CloudError::Refused(cause) | CloudError::Transient(cause) => cause,
    }
}

/// Every region of an account failing for the same cause is one line about the account.
fn whole_accounts(mut unread: Vec<Unread>, accounts: &[Account], selector: &Selector) -> Vec<Unread> {
    unread.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    let mut folded: Vec<Unread> = Vec::new();
    for account in accounts {
        let mine: Vec<Unread> = unread.iter().filter(|u| u.account == account.id).cloned().collect();
        let all = mine.len() >= selector.regions_of(account).len() && mine.iter().all(|u| u.region.is_some());
        if all && !mine.is_empty() && mine.iter().all(|u| u.cause == mine[0].cause) {
            folded.push(Unread { region: None, ..mine[0].clone() });
        } else {
            folded.extend(mine);
        }
    }
    // Faults of discovery name accounts that are not in the list.
    folded.extend(unread.into_iter().filter(|u| !accounts.iter().any(|a| a.id == u.account)));
    folded
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::domain::AccountSource;

    /// Every account answers at once but those that never do.
    #[derive(Default)]
    struct Hanging {
        accounts: Vec<AccountId>,
        /// Reads that wait now and at most, by account.
        busy: Mutex<HashMap<AccountId, (usize, usize)>>,
    }

    #[async_trait]
    impl Inventory for Hanging {
        async fn accounts(&self) -> (Vec<Account>, Vec<Unread>) {
            (Vec::new(), Vec::new())
        }
        async fn read(&self, account: &AccountId, _: &Region) -> Result<RegionRead, CloudError> {
            {
                let mut busy = self.busy.lock().unwrap();
                let (now, most) = busy.entry(account.clone()).or_default();
                *now += 1;
                *most = (*most).max(*now);
            }
            if self.accounts.contains(account) {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            self.busy.lock().unwrap().get_mut(account).unwrap().0 -= 1;
            Ok(RegionRead::default())
        }
    }

    fn account(n: usize, regions: usize) -> Account {
        Account {
            id: format!("{n:012}").parse().unwrap(),
            name: format!("customer-{n}"),
            regions: (1..=regions).map(|r| format!("eu-west-{r}").parse().unwrap()).collect(),
            labels: Default::default(),
            source: AccountSource::Configured,
        }
    }

    async fn read_of(inventory: Hanging, accounts: &[Account], bounds: Bounds) -> (Vec<Read>, Arc<Hanging>) {
        let selector: Selector = "accounts=*".parse().unwrap();
        let inventory = Arc::new(inventory);
        let regions = in_turns(accounts, &selector);
        (read_all(inventory.as_ref(), regions, &Progress::default(), bounds).await, inventory)
    }

    #[tokio::test]
    async fn accounts_that_hang_are_told_as_unread_and_keep_nobody_waiting() {
        let accounts: Vec<Account> = (0..20).map(|n| account(n, 4)).collect();
        let hanging: Vec<AccountId> = accounts[..2].iter().map(|a| a.id.clone()).collect();
        let inventory = Hanging { accounts: hanging.clone(), ..Hanging::default() };
        let bounds = Bounds { at_once: 12, of_one_account: 2, within: Duration::from_millis(500) };
        let (reads, inventory) = read_of(inventory, &accounts, bounds).await;
        assert_eq!(reads.len(), 80);
        let first_told = reads.iter().position(|(_, _, read)| read.is_err()).unwrap();
        assert_eq!(first_told, 72, "the others were all read while those two hung");
        assert!(reads[first_told..].iter().all(|(account, ..)| hanging.contains(&account.id)));
        let busy = inventory.busy.lock().unwrap();
        assert!(accounts[2..].iter().all(|a| busy[&a.id].1 <= bounds.of_one_account));
    }

    #[tokio::test]
    async fn an_account_with_many_regions_is_begun_no_sooner_than_one_with_few() {
        let accounts = [account(1, 30), account(2, 1)];
        let bounds = Bounds { at_once: 2, of_one_account: 2, within: Duration::from_secs(60) };
        let (reads, _) = read_of(Hanging::default(), &accounts, bounds).await;
        let small = reads.iter().position(|(account, ..)| account.id == accounts[1].id).unwrap();
        assert!(small < 2, "it was number {}", small + 1);
        assert_eq!(reads.len(), 31);
    }
}
