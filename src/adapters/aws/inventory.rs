//! The ports, and the inventory: what SSM manages in one region, with EC2's names and tags where they can be had.
//!
//! Hybrid nodes (`mi-…`) are unknown to EC2; their tags are asked for one by one, because SSM has no list of them.
//! That is a call per hybrid node and reading, so they are few at a time and kept for ten minutes.

use std::collections::BTreeMap;
#[cfg(feature = "ec2")]
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ssm::types::{InstanceInformation, PingStatus, PlatformType, ResourceTypeForTagging};
use futures::StreamExt as _;

#[cfg(feature = "ec2")]
use crate::domain::Unmanaged;
use crate::domain::{Account, AccountId, CommandId, Node, NodeId, NodePlatform, Region, Target, Timestamp, Unread};
use crate::ports::{
    Cloud, CloudError, CommandStatus, Inventory, Invocation, Operation, RegionRead, SendError, SendRequest,
    SendSession, Service,
};

use super::Aws;
use super::fault::{Failure, Fault};
use super::reading::Pages;
use super::sessions::Session;
use super::status;

/// SSM's largest page; its default is 10.
const PAGE: i32 = 50;
/// Hybrid nodes of one region whose tags are asked for at once.
const TAGS_AT_ONCE: usize = 4;
/// Accounts whose regions are asked for at once, and how long the list waits for one: it takes as many that hang to keep
/// the others waiting, and then not for longer.
const ACCOUNTS_AT_ONCE: usize = 64;
#[cfg(feature = "ec2")]
const REGIONS_WITHIN: Duration = Duration::from_secs(10);

#[async_trait]
impl Inventory for Aws {
    async fn accounts(&self) -> (Vec<Account>, Vec<Unread>) {
        let mut accounts: Vec<Account> = self.sessions.settings.accounts.iter().map(|a| a.account.clone()).collect();
        let (found, fault) = self.discovery.accounts().await;
        accounts.extend(found.into_iter().map(|a| a.account));
        let mut unread: Vec<Unread> = fault.into_iter().collect();
        self.fill_in_regions(&mut accounts, &mut unread).await;
        (accounts, unread)
    }

    async fn read(&self, account: &AccountId, region: &Region) -> Result<RegionRead, CloudError> {
        self.read_region(account, region).await
    }
}

#[async_trait]
impl Cloud for Aws {
    async fn open(&self, session: &SendSession) -> Result<(), CloudError> {
        self.open_session(session).await
    }

    async fn warm(&self, account: &AccountId) {
        if let Err(fault) = self.sessions.warm(account).await {
            tracing::debug!(%account, %fault, "an account could not be entered before it is needed");
        }
    }

    fn aws_now(&self) -> Timestamp {
        self.now()
    }

    async fn send(&self, request: &SendRequest) -> Result<CommandId, SendError> {
        self.send_once(request).await
    }

    async fn commands(
        &self,
        account: &AccountId,
        region: &Region,
        since: Timestamp,
        tokens: &[String],
        known: &[CommandId],
    ) -> Result<Vec<CommandStatus>, CloudError> {
        self.list_commands(account, region, since, tokens, known).await
    }

    async fn started(&self, request: &SendRequest) -> Result<Vec<CommandId>, CloudError> {
        self.automations_like(request).await
    }

    async fn invocations(
        &self,
        account: &AccountId,
        region: &Region,
        service: Service,
        id: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        match service {
            Service::RunCommand => self.list_invocations(account, region, id).await,
            Service::Automation => self.list_children(account, region, id).await,
        }
    }

    async fn output(
        &self,
        account: &AccountId,
        region: &Region,
        service: Service,
        id: &CommandId,
        node: &NodeId,
    ) -> Result<(String, bool), CloudError> {
        match service {
            Service::RunCommand => self.get_output(account, region, id, node).await,
            Service::Automation => self.get_steps(account, region, id).await,
        }
    }

    async fn uploaded(&self, account: &AccountId, invocation: &Invocation) -> Option<(String, bool)> {
        let streams = self.streams(account, &invocation.objects).await?;
        let joined = status::joined(&invocation.output, &invocation.objects, streams);
        if joined.is_none() {
            let (account, node) = (account.as_str(), invocation.node.as_str());
            tracing::error!(
                account,
                node,
                "an object in the bucket is not the node's output, so SSM is asked; see who may put there"
            );
        }
        joined
    }

    async fn known_nodes(
        &self,
        account: &AccountId,
        region: &Region,
        nodes: &[NodeId],
    ) -> Result<BTreeMap<NodeId, bool>, CloudError> {
        self.which_known(account, region, nodes).await
    }

    async fn cancel(
        &self,
        account: &AccountId,
        region: &Region,
        service: Service,
        id: &CommandId,
        nodes: &[NodeId],
    ) -> Result<(), CloudError> {
        match service {
            Service::RunCommand => self.cancel_command(account, region, id, nodes).await,
            Service::Automation => self.stop_automation(account, region, id).await,
        }
    }
}

impl Aws {
    /// An account that names no region works in those that are switched on for it, where EC2 can be asked, else in
    /// Muster's own.
    async fn fill_in_regions(&self, accounts: &mut [Account], unread: &mut Vec<Unread>) {
        let home = self.sessions.settings.region.clone();
        let bare: Vec<usize> = (0..accounts.len()).filter(|i| accounts[*i].regions.is_empty()).collect();
        let ids: Vec<(usize, AccountId)> = bare.into_iter().map(|i| (i, accounts[i].id.clone())).collect();
        let asked = futures::stream::iter(ids)
            .map(|(i, id)| async move {
                #[cfg(feature = "ec2")]
                let answer = tokio::time::timeout(REGIONS_WITHIN, self.kept_regions(&id)).await.unwrap_or_else(|_| {
                    let within = REGIONS_WITHIN.as_secs();
                    Err(CloudError::Transient(format!(
                        "AWS did not tell within {within} s which regions are switched on; give the account its `regions`"
                    )))
                });
                #[cfg(not(feature = "ec2"))]
                let answer: Result<Vec<Region>, CloudError> = Ok(Vec::new());
                (i, id, answer)
            })
            .buffer_unordered(ACCOUNTS_AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        for (i, account, answer) in asked {
            accounts[i].regions = match answer {
                Ok(regions) if !regions.is_empty() => regions,
                Ok(_) => vec![home.clone()],
                Err(error) => {
                    unread.push(Unread { account, region: None, cause: error.to_string() });
                    vec![home.clone()]
                }
            };
        }
    }

    async fn read_region(&self, account: &AccountId, region: &Region) -> Result<RegionRead, CloudError> {
        self.with_reading(account, |session| async move {
            #[cfg(feature = "ec2")]
            let (managed, machines) = {
                futures::join!(managed(&session, region), super::instances::machines(&session, region))
            };
            #[cfg(not(feature = "ec2"))]
            let managed = managed(&session, region).await;
            let managed = managed?;

            let mut read = RegionRead::default();
            let hybrid = self.hybrid_tags(&session, region, &managed).await;
            #[cfg(feature = "ec2")]
            let machines = match machines {
                Ok(machines) => machines,
                Err(fault @ (Fault::Expired(_) | Fault::Unrecognized(_))) => return Err(fault),
                Err(fault) => {
                    read.unmanaged_unread = Some(format!("instances outside SSM were not looked for: {fault}"));
                    BTreeMap::new()
                }
            };
            #[cfg(not(feature = "ec2"))]
            {
                read.unmanaged_unread = Some(
                    "instances outside SSM were not looked for, and tags are unknown: this Muster was built without `ec2`"
                        .to_owned(),
                );
            }

            for (id, info) in &managed {
                let Some(platform) = platform(info) else { continue };
                #[cfg(feature = "ec2")]
                let machine = machines.get(id);
                #[cfg(feature = "ec2")]
                let (tag_name, tags) = (machine.and_then(|m| m.name()), machine.map(|m| m.tags.clone()));
                #[cfg(not(feature = "ec2"))]
                let (tag_name, tags): (Option<&str>, Option<BTreeMap<String, String>>) = (None, None);
                let tags = tags.or_else(|| hybrid.get(id).cloned()).unwrap_or_default();
                let filled = |name: Option<&str>| name.filter(|n| !n.trim().is_empty()).map(str::to_owned);
                let name = filled(tag_name)
                    .or_else(|| filled(tags.get("Name").map(String::as_str)))
                    .or_else(|| filled(info.name()))
                    .or_else(|| filled(info.computer_name()))
                    .unwrap_or_else(|| id.to_string());
                #[cfg(feature = "ec2")]
                let of_instance = machine.map(|machine| machine.attributes.clone()).unwrap_or_default();
                #[cfg(not(feature = "ec2"))]
                let of_instance = BTreeMap::new();
                read.nodes.push(Node {
                    target: Target { account: account.clone(), region: region.clone(), node: id.clone() },
                    name,
                    platform,
                    agent_version: info.agent_version().unwrap_or_default().to_owned(),
                    attributes: of_instance.into_iter().chain(os(info)).collect(),
                    online: info.ping_status() == Some(&PingStatus::Online),
                    tags,
                });
            }
            #[cfg(feature = "ec2")]
            for (id, machine) in machines {
                // A node that SSM lists without a platform has never reported: nobody can run anything there.
                let reachable = managed.get(&id).is_some_and(|info| platform(info).is_some());
                if machine.running && !reachable {
                    read.unmanaged.push(Unmanaged {
                        account: account.clone(),
                        region: region.clone(),
                        name: machine.name().unwrap_or(id.as_str()).to_owned(),
                        instance: id,
                        tags: machine.tags,
                    });
                }
            }
            Ok(read)
        })
        .await
    }

    /// Tags of the hybrid nodes. Those that cannot be read are left out: what is unknown matches no grant.
    async fn hybrid_tags(
        &self,
        session: &Session,
        region: &Region,
        managed: &BTreeMap<NodeId, InstanceInformation>,
    ) -> BTreeMap<NodeId, BTreeMap<String, String>> {
        let now = self.now();
        let (ssm, site) = (&session.ssm(region), &session.site(region));
        let hybrid: Vec<NodeId> = managed.keys().filter(|id| id.is_hybrid()).cloned().collect();
        futures::stream::iter(hybrid)
            .map(|id| async move {
                if let Some(kept) = self.kept.tags(&id, now) {
                    return Some((id, kept));
                }
                session.turn(region, Operation::ListTagsForResource).await;
                let answer = ssm
                    .list_tags_for_resource()
                    .resource_type(ResourceTypeForTagging::ManagedInstance)
                    .resource_id(id.as_str())
                    .send()
                    .await;
                match answer {
                    Ok(answer) => {
                        let tags: BTreeMap<String, String> =
                            answer.tag_list().iter().map(|t| (t.key().to_owned(), t.value().to_owned())).collect();
                        self.kept.keep_tags(&id, &tags, now);
                        Some((id, tags))
                    }
                    Err(error) => {
                        let fault = Failure::of(&error).fault("ListTagsForResource", site);
                        tracing::warn!(node = %id, %fault, "the tags of a hybrid node could not be read");
                        None
                    }
                }
            })
            .buffer_unordered(TAGS_AT_ONCE)
            .filter_map(|found| async move { found })
            .collect()
            .await
    }
}

/// Every node that SSM manages in the region. Pages repeat nodes while agents report: each counts once.
async fn managed(session: &Session, region: &Region) -> Result<BTreeMap<NodeId, InstanceInformation>, Fault> {
    let (client, site) = (session.ssm(region), session.site(region));
    let mut managed = BTreeMap::new();
    let mut pages = Pages::default();
    let mut next = None;
    loop {
        let page = client
            .describe_instance_information()
            .max_results(PAGE)
            .set_next_token(next)
            .send()
            .await
            .map_err(|e| Failure::of(&e).fault("DescribeInstanceInformation", &site))?;
        for info in page.instance_information_list() {
            if let Some(id) = info.instance_id().and_then(|id| id.parse().ok()) {
                managed.insert(id, info.clone());
            }
        }
        next = pages.next(page.next_token(), "DescribeInstanceInformation", &site)?;
        if next.is_none() {
            return Ok(managed);
        }
        session.turn(region, Operation::DescribeInstanceInformation).await;
    }
}

/// `Debian GNU/Linux 12`, as the agent reports it.
fn os(info: &InstanceInformation) -> Option<(String, String)> {
    let name = info.platform_name().filter(|name| !name.trim().is_empty())?;
    Some(("os".to_owned(), format!("{name} {}", info.platform_version().unwrap_or_default()).trim().to_owned()))
}

/// `None`: the agent has never said.
fn platform(info: &InstanceInformation) -> Option<NodePlatform> {
    match info.platform_type()? {
        PlatformType::Linux => Some(NodePlatform::Linux),
        PlatformType::Windows => Some(NodePlatform::Windows),
        PlatformType::Macos => Some(NodePlatform::Macos),
        _ => None,
    }
}
