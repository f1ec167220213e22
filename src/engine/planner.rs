//! Reading the inventory for one selector, many accounts at a time.
//!
//! What bounds what: regions read at once for one plan ([`AT_ONCE`]), those of one account among them
//! ([`OF_ONE_ACCOUNT`]), and the time for each ([`READ_WITHIN`]). Accounts are begun in turns, so that one whose calls
//! hang holds its own few places for that time and is then told as unread, while the others are read. Each plan has
//! bounds of its own; what plans share are the limits, where they take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::domain::{Account, AccountId, Region, Selector, Snapshot, Unread};
use crate::ports::{CloudError, Inventory, RegionRead};

use super::limits::Whom;

/// Regions read at the same time for one plan; each has two connections at most.
const AT_ONCE: usize = 128;
/// Of one account: it takes 32 that hang to keep others waiting.
const OF_ONE_ACCOUNT: usize = 4;
/// One region, from its turn on: hundreds of pages at the rate at which they are read, and one call that hangs.
const READ_WITHIN: Duration = Duration::from_secs(60);

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
    let reads = Whom::request().pays_for(read_all(inventory.as_ref(), regions, &progress)).await;

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
) -> Vec<Read> {
    let mut reading = FuturesUnordered::new();
    let mut busy: HashMap<AccountId, usize> = HashMap::new();
    let mut reads = Vec::with_capacity(waiting.len());
    loop {
        while reading.len() < AT_ONCE {
            let has_room = |account: &Account| busy.get(&account.id).is_none_or(|regions| *regions < OF_ONE_ACCOUNT);
            let Some(next) = waiting.iter().position(|(account, _)| has_room(account)) else { break };
            let Some((account, region)) = waiting.remove(next) else { break };
            *busy.entry(account.id.clone()).or_default() += 1;
            reading.push(async move {
                let read = match tokio::time::timeout(READ_WITHIN, inventory.read(&account.id, &region)).await {
                    Ok(read) => read.map_err(cause),
                    Err(_) => Err(format!(
                        "AWS did not tell within {} s what is there; try again, or leave it out of the selector",
                        READ_WITHIN.as_secs()
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
