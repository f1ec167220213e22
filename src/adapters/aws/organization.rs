//! The accounts of the AWS organisation: found, not configured, and so without labels until somebody gives them some.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_organizations::types::{Account as Member, AccountState, AccountStatus};

use crate::domain::{Account, AccountId, AccountSource, Timestamp, Unread};

use super::fault::{Failure, Fault, Site};
use super::policy;
use super::reading::Pages;
use super::sessions::Sessions;
use super::settings::{AccountSettings, Organization};
use super::sts::nobody;

/// Organizations' largest page.
const PAGE: i32 = 20;
/// One call per 20 accounts, and the list hardly changes.
const GOOD_FOR: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// What discovery found last.
pub(super) struct Discovery {
    sessions: Arc<Sessions>,
    last: Mutex<Option<(Timestamp, Vec<AccountSettings>)>>,
}

impl Discovery {
    pub(super) fn new(sessions: &Arc<Sessions>) -> Self {
        Discovery { sessions: sessions.clone(), last: Mutex::new(None) }
    }

    /// The organisation's active accounts that are neither configured nor excluded. If it cannot be asked now, what it
    /// said last, and the fault.
    pub(super) async fn accounts(&self) -> (Vec<AccountSettings>, Option<Unread>) {
        let Some(organization) = &self.sessions.settings.organization else { return (Vec::new(), None) };
        let now = self.sessions.witness.clock.now();
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, accounts)) = &last
            && now.duration_since(*at) < GOOD_FOR
        {
            return (accounts.clone(), None);
        }
        match self.list(organization).await {
            Ok(accounts) => {
                self.sessions.remember(accounts.clone());
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, accounts.clone()));
                (accounts, None)
            }
            Err((account, fault)) => {
                let cause = match fault {
                    Fault::Throttled(_) => "AWS throttles ListAccounts; it is tried again".to_owned(),
                    other => other.to_string(),
                };
                let cause = format!("the organisation's accounts could not be listed: {cause}");
                (last.map(|(_, a)| a).unwrap_or_default(), Some(Unread { account, region: None, cause }))
            }
        }
    }

    async fn list(&self, organization: &Organization) -> Result<Vec<AccountSettings>, (AccountId, Fault)> {
        let (central, arn) = self.sessions.caller().await.map_err(|fault| (nobody(), fault))?;
        let site = Site {
            account: central.clone(),
            name: "the central account".to_owned(),
            role: arn.split('/').nth(1).unwrap_or(&arn).to_owned(),
            region: None,
        };
        let members = self.members(&site).await.map_err(|fault| (central, fault))?;
        let settings = &self.sessions.settings;
        Ok(members
            .into_iter()
            .filter(|(id, _)| !organization.exclude.contains(id))
            .filter(|(id, _)| !settings.accounts.iter().any(|a| &a.account.id == id))
            .map(|(id, name)| member(organization, id, name))
            .collect())
    }

    async fn members(&self, site: &Site) -> Result<BTreeMap<AccountId, String>, Fault> {
        // Organizations lives in one region of each partition.
        let home = match policy::partition(&self.sessions.settings.region) {
            "aws-cn" => "cn-northwest-1",
            "aws-us-gov" => "us-gov-west-1",
            _ => "us-east-1",
        };
        let client = aws_sdk_organizations::Client::from_conf(
            aws_sdk_organizations::config::Builder::from(&self.sessions.central())
                .region(aws_sdk_organizations::config::Region::new(home))
                .interceptor(self.sessions.witness.clone())
                .build(),
        );
        let mut members = BTreeMap::new();
        let mut pages = Pages::default();
        let mut next = None;
        loop {
            let page = client
                .list_accounts()
                .max_results(PAGE)
                .set_next_token(next)
                .send()
                .await
                .map_err(|e| Failure::of(&e).fault("ListAccounts", site))?;
            for account in page.accounts().iter().filter(|a| active(a)) {
                if let Some(id) = account.id().and_then(|id| id.parse::<AccountId>().ok()) {
                    let name = account.name().filter(|n| !n.is_empty()).unwrap_or(id.as_str()).to_owned();
                    members.insert(id, name);
                }
            }
            next = pages.next(page.next_token(), "ListAccounts", site)?;
            if next.is_none() {
                return Ok(members);
            }
        }
    }
}

/// An account that is entered by the organisation's rules.
pub(super) fn member(organization: &Organization, id: AccountId, name: String) -> AccountSettings {
    AccountSettings {
        account: Account {
            id,
            name,
            regions: organization.regions.clone(),
            labels: BTreeMap::new(),
            source: AccountSource::Discovered,
        },
        role: organization.role.clone(),
        external_id: organization.external_id.clone(),
        outputs: None,
    }
}

/// AWS retired `Status` for `State` in September 2026; endpoints that do not know `State` yet send the older one.
fn active(account: &Member) -> bool {
    match (account.state(), account.status()) {
        (Some(state), _) => *state == AccountState::Active,
        (None, Some(status)) => *status == AccountStatus::Active,
        (None, None) => false,
    }
}
