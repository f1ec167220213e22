//! Whether every account lets Muster in, and nobody else, and what SSM shows there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use indicatif::ProgressBar;

use crate::domain::{Account, AccountSource, Region};
use crate::ports::{CloudError, CloudProbe, Guard, Inventory, RegionRead};

use super::host::{clock, count};
use super::report::{Report, State};

const AREA: &str = "aws";
const ACCOUNTS_AT_ONCE: usize = 8;
const REGIONS_AT_ONCE: usize = 4;
/// One account or region; the adapter gives a single call 40 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is asked besides the accounts themselves.
pub struct Wanted<'a> {
    /// Names or ids; empty: every account.
    pub accounts: &'a [String],
    pub has_central_role: bool,
    pub boundary_tag: Option<&'a (String, String)>,
    /// Runbooks with an automation among their steps, for which an account needs rights of their own.
    pub automations: &'a [&'a str],
    pub bar: &'a ProgressBar,
}

pub async fn check<A: CloudProbe>(report: &mut Report, aws: &A, inventory: Arc<dyn Inventory>, wanted: &Wanted<'_>) {
    let host = within(aws.host()).await;
    match &host {
        Ok((account, arn)) => report.add(AREA, "this host", State::Ok, format!("is `{arn}` in {account}")),
        Err(error) => report.add(AREA, "this host", State::Broken, sentence(error)),
    }
    if host.is_ok() && wanted.has_central_role {
        match within(aws.entry()).await {
            Ok((account, arn)) => report.add(AREA, "central role", State::Ok, format!("is `{arn}` in {account}")),
            Err(error) => {
                report.add(AREA, "central role", State::Broken, sentence(&error));
                report.add(AREA, "accounts", State::NotChecked, "they are entered with the central role");
                return;
            }
        }
    } else if host.is_err() {
        report.add(AREA, "accounts", State::NotChecked, "they are entered with this host's rights");
        return;
    }
    clock(report, AREA, "AWS", aws.clock());

    let (mut accounts, unread) = inventory.accounts().await;
    // What concerns one account is told by its own check.
    for fault in unread.iter().filter(|u| !accounts.iter().any(|a| a.id == u.account)) {
        report.add(AREA, "organisation", State::Broken, fault.cause.clone());
    }
    let known: BTreeSet<String> = accounts.iter().map(|a| a.name.clone()).collect();
    if !wanted.accounts.is_empty() {
        let is = |account: &Account, name: &String| &account.name == name || account.id.as_str() == name;
        for name in wanted.accounts.iter().filter(|name| !accounts.iter().any(|a| is(a, name))) {
            let known = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            report.add(AREA, name.as_str(), State::Broken, format!("there is no such account: choose of {known}"));
        }
        accounts.retain(|a| wanted.accounts.iter().any(|name| is(a, name)));
    }
    wanted.bar.inc_length(accounts.len() as u64);
    let checks = accounts.iter().map(|a| account(a, aws, &inventory, wanted));
    let parts: Vec<Report> = futures::stream::iter(checks).buffered(ACCOUNTS_AT_ONCE).collect().await;
    report.findings.extend(parts.into_iter().flat_map(|part| part.findings));
}

async fn account<A: CloudProbe>(
    account: &Account,
    aws: &A,
    inventory: &Arc<dyn Inventory>,
    wanted: &Wanted<'_>,
) -> Report {
    let mut report = Report::default();
    let discovered = account.source == AccountSource::Discovered;
    let name = account.name.as_str();
    match within(aws.enter(&account.id)).await {
        Ok(reached) if reached == account.id => {
            let (state, says) = guarded(within(aws.guard(&account.id)).await, discovered);
            report.add(AREA, name, state, says);
            regions(&mut report, account, inventory, wanted.boundary_tag).await;
            automations(&mut report, account, aws, wanted.automations).await;
        }
        Ok(reached) => {
            let says =
                format!("its role leads into account {reached}, not into {}: correct `role` or `id`", account.id);
            report.add(AREA, name, State::Broken, says);
        }
        // Discovery finds accounts that nobody has given a role yet; that is no fault of the installation.
        Err(error) => {
            let state = if discovered { State::Warning } else { State::Broken };
            report.add(AREA, name, state, sentence(&error));
        }
    }
    wanted.bar.inc(1);
    report
}

fn guarded(guard: Result<Guard, CloudError>, discovered: bool) -> (State, String) {
    match guard {
        Ok(Guard::Refuses) => (State::Ok, "is entered with its External ID and refuses to be without".into()),
        Ok(Guard::LetsIn) => (
            State::Broken,
            "lets Muster in without the External ID, so whoever makes Muster ask gets in: require `sts:ExternalId` in the \
             role's trust policy"
                .into(),
        ),
        Ok(Guard::NoneConfigured) => {
            let place = if discovered { "under `[organizations]`" } else { "in its `[[account]]`" };
            (
                State::Warning,
                format!(
                    "is entered without any External ID: require one in the role's trust policy and set `external_id` {place}"
                ),
            )
        }
        Err(error) => {
            let says = format!("is entered, but whether it asks for the External ID was not seen: {}", sentence(&error));
            (State::Warning, says)
        }
    }
}

async fn regions(
    report: &mut Report,
    account: &Account,
    inventory: &Arc<dyn Inventory>,
    boundary_tag: Option<&(String, String)>,
) {
    let reads =
        account.regions.iter().map(|region| async move { (region, within(inventory.read(&account.id, region)).await) });
    let reads: Vec<_> = futures::stream::iter(reads).buffered(REGIONS_AT_ONCE).collect().await;
    for (region, read) in reads {
        let (state, says) = match &read {
            Ok(read) => region_read(read, boundary_tag),
            Err(error) => (State::Broken, sentence(error)),
        };
        report.add(AREA, subject(account, region), state, says);
    }
}

/// An account without the rights is as somebody meant it: they are off unless asked for. IAM is the same in every region.
async fn automations<A: CloudProbe>(report: &mut Report, account: &Account, aws: &A, runbooks: &[&str]) {
    let (Some(region), false) = (account.regions.first(), runbooks.is_empty()) else { return };
    let named = crate::domain::fault::quoted_list(runbooks.iter().copied());
    let (state, says) = match within(aws.automations(&account.id, region)).await {
        Ok(()) => (State::Ok, format!("can be read, as {named} needs it")),
        Err(CloudError::Refused(why)) => (
            State::NotChecked,
            format!(
                "{named} cannot run here: {why}, where it should (RestartInstances of deploy/cloudformation/member.yaml)"
            ),
        ),
        Err(error) => (State::Warning, sentence(&error)),
    };
    report.add(AREA, format!("{} automations", account.name), state, says);
}

fn subject(account: &Account, region: &Region) -> String {
    format!("{} {region}", account.name)
}

fn region_read(read: &RegionRead, boundary_tag: Option<&(String, String)>) -> (State, String) {
    let online = read.nodes.iter().filter(|n| n.online).count();
    let mut says = format!("SSM manages {}, {online} online", count(read.nodes.len(), "node"));
    if !read.unmanaged.is_empty() {
        says += &format!("; {} not managed", count(read.unmanaged.len(), "running instance"));
        says += if read.unmanaged.len() == 1 { " is" } else { " are" };
        says = says.replace(" not managed is", " is not managed").replace(" not managed are", " are not managed");
    }
    if let Some(why) = &read.unmanaged_unread {
        return (State::Warning, format!("{says}; {why}"));
    }
    if read.nodes.is_empty() {
        let remedy = "give instances the policy AmazonSSMManagedInstanceCore, or take the region out";
        return (State::Warning, format!("{says}: {remedy}"));
    }
    if let Some((key, value)) = boundary_tag {
        let bare = read.nodes.iter().filter(|n| n.tags.get(key) != Some(value)).count();
        if bare > 0 {
            let nodes = count(bare, "node");
            return (
                State::Warning,
                format!(
                    "{says}; {nodes} without the boundary tag, to which nothing can be sent: tag with `{key}={value}`"
                ),
            );
        }
    }
    (State::Ok, says)
}

async fn within<T>(call: impl Future<Output = Result<T, CloudError>>) -> Result<T, CloudError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer,
        Err(_) => Err(CloudError::Transient(format!(
            "AWS did not answer within {} s: check this host's way to AWS",
            PATIENCE.as_secs()
        ))),
    }
}

/// The adapter's sentences promise another try, which the bot makes and this command does not.
fn sentence(error: &CloudError) -> String {
    match error {
        CloudError::Throttled { .. } => "AWS throttles the call: try again in a minute".to_owned(),
        CloudError::Refused(text) => text.clone(),
        CloudError::Transient(text) => match text.strip_suffix("; it is tried again") {
            Some(text) => format!("{text}: check this host's network and try again"),
            None => text.clone(),
        },
    }
}
