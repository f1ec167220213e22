//! Reading the inventory for one selector, many accounts at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;

use crate::domain::{Account, Region, Selector, Snapshot, Unread};
use crate::ports::{CloudError, Inventory};

/// Regions read at the same time: each is another bucket at AWS, and 64 connections serve them all.
const AT_ONCE: usize = 48;

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
    let regions: Vec<(Account, Region)> = accounts
        .iter()
        .flat_map(|a| selector.regions_of(a).into_iter().map(move |region| (a.clone(), region)))
        .collect();
    progress.of.store(regions.len(), Ordering::Relaxed);

    let reads = futures::stream::iter(regions.into_iter().map(|(account, region)| {
        let inventory = inventory.clone();
        let progress = progress.clone();
        async move {
            let read = inventory.read(&account.id, &region).await;
            progress.read.fetch_add(1, Ordering::Relaxed);
            (account, region, read)
        }
    }))
    .buffer_unordered(AT_ONCE)
    .collect::<Vec<_>>()
    .await;

    let mut snapshot = Snapshot { accounts, ..Snapshot::default() };
    for (account, region, read) in reads {
        match read {
            Ok(read) => {
                snapshot.nodes.extend(read.nodes);
                snapshot.unmanaged.extend(read.unmanaged);
                snapshot.unmanaged_unknown |= read.unmanaged_unread.is_some();
            }
            Err(fault) => {
                let cause = match fault {
                    CloudError::Throttled { .. } => {
                        "AWS throttles the reading of its inventory; try again in a minute".to_owned()
                    }
                    CloudError::Refused(cause) | CloudError::Transient(cause) => cause,
                };
                unread.push(Unread { account: account.id, region: Some(region), cause });
            }
        }
    }
    snapshot.unread = whole_accounts(unread, &snapshot.accounts, selector);
    snapshot.nodes.sort_by(|a, b| a.target.cmp(&b.target));
    snapshot
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
