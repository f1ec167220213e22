//! EC2's part of the inventory: names and tags of instances, the running ones that SSM does not manage, and which
//! regions an account has switched on.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName, InstanceType};

use crate::domain::{AccountId, NodeId, Region};
use crate::ports::{CloudError, Operation};

use super::Aws;
use super::fault::{Failure, Fault};
use super::reading::Pages;
use super::sessions::Session;

/// EC2's largest page.
const PAGE: i32 = 1000;

/// One instance as EC2 knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Not pending, stopping or stopped.
    pub running: bool,
    pub tags: BTreeMap<String, String>,
    /// `zone`, `image` and `type`.
    pub attributes: BTreeMap<String, String>,
}

impl Machine {
    /// The `Name` tag, where it says something.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.tags.get("Name").map(String::as_str).filter(|n| !n.trim().is_empty())
    }
}

/// Every instance that is not terminated: stopped ones too, because SSM shows a stopped node for a while and its tags
/// decide on policy.
pub(super) async fn machines(session: &Session, region: &Region) -> Result<BTreeMap<NodeId, Machine>, Fault> {
    let (client, site) = (session.ec2(region), session.site(region));
    let states = ["pending", "running", "stopping", "stopped"].map(str::to_owned).to_vec();
    let filter = Filter::builder().name("instance-state-name").set_values(Some(states)).build();
    let mut machines = BTreeMap::new();
    let mut pages = Pages::default();
    let mut next = None;
    loop {
        session.turn(region, Operation::DescribeInstances).await;
        let page = client
            .describe_instances()
            .filters(filter.clone())
            .max_results(PAGE)
            .set_next_token(next)
            .send()
            .await
            .map_err(|e| Failure::of(&e).fault("DescribeInstances", &site))?;
        let instances = page.reservations().iter().flat_map(|r| r.instances());
        machines.extend(instances.filter_map(|i| Some((i.instance_id()?.parse().ok()?, machine(i)))));
        next = pages.next(page.next_token(), "DescribeInstances", &site)?;
        if next.is_none() {
            return Ok(machines);
        }
    }
}

fn machine(instance: &Instance) -> Machine {
    Machine {
        running: instance.state().and_then(|s| s.name()) == Some(&InstanceStateName::Running),
        tags: instance
            .tags()
            .iter()
            .filter_map(|t| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned())))
            .collect(),
        attributes: [
            ("zone", instance.placement().and_then(|placement| placement.availability_zone())),
            ("image", instance.image_id()),
            ("type", instance.instance_type().map(InstanceType::as_str)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect(),
    }
}

impl Aws {
    /// Every instance of one region that is not terminated, managed by SSM or not.
    pub async fn machines(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<BTreeMap<NodeId, Machine>, CloudError> {
        self.with_reading(account, |session| async move { machines(&session, region).await }).await
    }

    /// [`Self::enabled_regions`], asked again every ten minutes.
    pub(super) async fn kept_regions(&self, account: &AccountId) -> Result<Vec<Region>, CloudError> {
        let now = self.now();
        if let Some(regions) = self.kept.regions(account, now) {
            return Ok(regions);
        }
        let regions = self.enabled_regions(account).await?;
        self.kept.keep_regions(account, &regions, now);
        Ok(regions)
    }

    /// The regions that are switched on for the account, by EC2's DescribeRegions.
    pub async fn enabled_regions(&self, account: &AccountId) -> Result<Vec<Region>, CloudError> {
        let home = &self.sessions.settings.region;
        self.with_reading(account, |session| async move {
            session.turn(home, Operation::DescribeRegions).await;
            let answer = session
                .ec2(home)
                .describe_regions()
                .send()
                .await
                .map_err(|e| Failure::of(&e).fault("DescribeRegions", &session.site(home)))?;
            let mut regions: Vec<Region> =
                answer.regions().iter().filter_map(|r| r.region_name()?.parse().ok()).collect();
            regions.sort();
            Ok(regions)
        })
        .await
    }
}
