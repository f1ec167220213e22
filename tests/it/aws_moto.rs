//! Our STS, EC2, Organizations and S3 clients against moto, which others wrote. `.ci/witness-moto` starts and seeds it;
//! without that these tests are not run.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster::adapters::aws::{AccountSettings, Aws, Organization, Settings};
use muster::domain::{Account, AccountId, AccountSource, Bucket, Region, Secret, Timestamp};
use muster::ports::{Clock, Cloud, Inventory, Invocation, InvocationStatus};

struct SystemClock;
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

fn region() -> Region {
    "eu-west-1".parse().unwrap()
}
fn acme() -> AccountId {
    "111111111111".parse().unwrap()
}

/// The host's keys come from the environment: the SDK's default chain is part of what is witnessed.
async fn aws() -> Aws {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut settings = Settings::new(region());
    settings.endpoint_url = Some(std::env::var("MUSTER_MOTO_URL").expect("run `.ci/witness-moto`"));
    settings.central_role = Some("arn:aws:iam::999999999999:role/muster-hub".to_owned());
    settings.accounts = vec![AccountSettings {
        account: Account {
            id: acme(),
            name: "acme-prod".to_owned(),
            regions: vec![region()],
            labels: BTreeMap::new(),
            source: AccountSource::Configured,
        },
        role: "muster-runner".to_owned(),
        external_id: Some(Secret::new("witness")),
        outputs: Some(Bucket { name: "acme-outputs".to_owned(), prefix: "muster".to_owned(), region: region() }),
    }];
    settings.timeouts.upload = std::time::Duration::from_millis(1);
    settings.organization = Some(Organization {
        role: "muster-runner".to_owned(),
        external_id: None,
        regions: vec![region()],
        exclude: vec![],
    });
    Aws::connect(settings, Arc::new(SystemClock)).await
}

#[tokio::test]
#[ignore = "needs moto: run `.ci/witness-moto`"]
async fn roles_are_chained_from_the_host_over_the_centre_into_the_account() {
    let aws = aws().await;
    let (central, arn) = aws.caller().await.unwrap();
    assert_eq!(central.as_str(), "999999999999");
    assert_eq!(arn, "arn:aws:sts::999999999999:assumed-role/muster-hub/muster");
    assert_eq!(aws.account_reached(&acme()).await.unwrap(), acme());
}

#[tokio::test]
#[ignore = "needs moto: run `.ci/witness-moto`"]
async fn every_active_account_of_the_organisation_is_found_over_pages() {
    let (accounts, unread) = aws().await.accounts().await;
    assert_eq!(unread, []);
    let found: Vec<&str> =
        accounts.iter().filter(|a| a.source == AccountSource::Discovered).map(|a| a.name.as_str()).collect();
    let members = (1..24).map(|n| format!("member-{n:02}")).collect::<Vec<_>>();
    assert!(members.iter().all(|m| found.contains(&m.as_str())), "{found:?}");
    assert!(!found.contains(&"closed"), "a closed account is not entered");
}

#[tokio::test]
#[ignore = "needs moto: run `.ci/witness-moto`"]
async fn regions_and_instances_are_read_with_names_and_tags() {
    let aws = aws().await;
    let regions = aws.enabled_regions(&acme()).await.unwrap();
    assert!(regions.contains(&region()) && regions.len() > 10, "{regions:?}");

    let machines = aws.machines(&acme(), &region()).await.unwrap();
    let mut told: Vec<_> = machines
        .values()
        .map(|m| (m.name().unwrap_or_default(), m.running, m.tags.get("service").map(String::as_str)))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("web-1", true, Some("web")), ("web-2", false, Some("web"))], "and no terminated one");

    let elsewhere = aws.machines(&acme(), &"us-east-1".parse().unwrap()).await.unwrap();
    assert!(elsewhere.is_empty(), "each region has its own");
}

#[tokio::test]
#[ignore = "needs moto: run `.ci/witness-moto`"]
async fn whole_outputs_are_read_from_the_bucket_up_to_a_mebibyte_of_each_stream() {
    let aws = aws().await;
    let uploaded = |keys: &[&str]| Invocation {
        node: "i-00000000000000001".parse().unwrap(),
        execution: None,
        status: InvocationStatus::Failed,
        details: "Failed".to_owned(),
        exit_code: Some(1),
        output: "as far as SSM has it\n----------ERROR-------\nthe reason".to_owned(),
        cut: true,
        objects: keys.iter().map(|key| format!("muster/acme/{key}")).collect(),
    };
    let (text, cut) = aws.uploaded(&acme(), &uploaded(&["small/stdout"])).await.unwrap();
    assert_eq!((text.as_str(), cut), ("all of it\n\n----------ERROR-------\nthe reason", false));
    let (text, cut) = aws.uploaded(&acme(), &uploaded(&["large/stdout"])).await.unwrap();
    assert!(
        text.starts_with(&"x".repeat(1024 * 1024)) && text.len() < 1024 * 1024 + 100 && cut,
        "{} bytes",
        text.len()
    );
    assert_eq!(aws.uploaded(&acme(), &uploaded(&["small/stdout", "gone/stderr"])).await, None, "one stream is missing");
}
