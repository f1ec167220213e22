//! The AWS adapter against the simulated organisation, which checks signatures, trust, session policies and expiry
//! by itself and writes down what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use muster::adapters::aws::{AccountSettings, Aws, BaseKeys, Organization, Settings};
use muster::domain::{
    Account, AccountId, AccountSource, Bucket, CommandId, Millis, NodeId, NodePlatform, Region, RunId, Secret,
    Timestamp,
};
use muster::playground::aws::{
    CENTRAL, Execution, FaultName, FaultSpec, MEMBER_ROLE, Organisation, Pace, Running, Settings as World, serve,
};
use muster::ports::{
    Clock, Cloud, CloudError, Inventory, Invocation, InvocationStatus, SendError, SendRequest, SendSession, Service,
    Signing, Work,
};

pub struct SystemClock;
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// An organisation on a port, and what an operator would have configured for it.
pub struct Play {
    pub organisation: Organisation,
    running: Running,
}

pub fn quick() -> World {
    World { execution: Execution::Table { script_time: Millis(5) }, ..World::quick() }
}

impl Play {
    pub async fn new(world: World) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let organisation = Organisation::new(world).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = serve(listener, organisation.clone()).await.unwrap();
        Play { organisation, running }
    }

    pub fn settings(&self) -> Settings {
        let keys = self.organisation.base_credentials();
        let mut settings = Settings::new(region("eu-west-1"));
        settings.endpoint_url = Some(self.running.url());
        settings.central_role = Some(self.organisation.hub_role_arn());
        settings.base_keys =
            Some(BaseKeys { access_key_id: keys.access_key, secret_access_key: Secret::new(keys.secret) });
        let members = self.organisation.accounts();
        settings.accounts = members
            .iter()
            .filter(|m| m.configured)
            .map(|m| AccountSettings {
                account: Account {
                    id: m.id.clone(),
                    name: m.name.clone(),
                    regions: m.regions.clone(),
                    labels: m.labels.clone(),
                    source: AccountSource::Configured,
                },
                role: MEMBER_ROLE.to_owned(),
                external_id: Some(Secret::new(&m.external_id)),
                outputs: None,
            })
            .collect();
        settings.organization = members.iter().find(|m| !m.configured).map(|m| Organization {
            role: MEMBER_ROLE.to_owned(),
            external_id: Some(Secret::new(&m.external_id)),
            regions: m.regions.clone(),
            exclude: vec![CENTRAL.parse().unwrap()],
        });
        settings
    }

    pub async fn aws(&self) -> Aws {
        Aws::connect(self.settings(), Arc::new(SystemClock)).await
    }

    /// The managed Linux nodes of one account and region.
    fn nodes(&self, account: &AccountId, region: &Region) -> Vec<NodeId> {
        let machines = self.organisation.machines().into_iter();
        machines
            .filter(|(a, r, m)| {
                a == account && r == region && m.managed && m.online && m.platform == NodePlatform::Linux
            })
            .map(|(_, _, m)| m.id)
            .collect()
    }

    pub fn plant(&self, fault: FaultName, account: &str) {
        self.organisation.plant(FaultSpec::new(fault).account(account)).unwrap();
    }

    fn called(&self, operation: &str) -> u64 {
        self.organisation.calls().get(operation).map_or(0, |c| c.total)
    }
}

pub fn region(text: &str) -> Region {
    text.parse().unwrap()
}
pub fn acme() -> AccountId {
    "111111111111".parse().unwrap()
}

fn session(account: &AccountId, nodes: Vec<(Region, NodeId)>) -> SendSession {
    SendSession {
        run: "01J9ZX0000000000000000AB7F".parse::<RunId>().unwrap(),
        account: account.clone(),
        identity: "slack.T0MUSTER.U0SUSAN".into(),
        nodes,
        documents: vec!["AWS-RunShellScript".to_owned()],
        automations: Vec::new(),
    }
}

pub fn request(play: &Play, aws: &Aws) -> SendRequest {
    let home = region("eu-west-1");
    let nodes: Vec<NodeId> = play.nodes(&acme(), &home).into_iter().take(3).collect();
    SendRequest {
        session: session(&acme(), nodes.iter().map(|n| (home.clone(), n.clone())).collect()),
        region: home,
        nodes,
        work: Work::Command,
        document: "AWS-RunShellScript".to_owned(),
        document_version: None,
        document_hash: None,
        parameters: BTreeMap::from([
            ("commands".to_owned(), vec!["df -h".to_owned()]),
            ("executionTimeout".to_owned(), vec!["60".to_owned()]),
        ]),
        token: "muster:01J9ZX0000000000000000AB7F:0:0:1.1:0123456789ab".to_owned(),
        delivery_timeout_secs: 60,
        max_errors: 50,
        signing: Signing { at: aws.aws_now() },
    }
}

async fn ended(aws: &Aws, request: &SendRequest, command: &CommandId) -> Vec<Invocation> {
    for _ in 0..500 {
        let found =
            aws.invocations(&request.session.account, &request.region, request.work.service(), command).await.unwrap();
        if found.len() == request.nodes.len() && found.iter().all(|i| i.status != InvocationStatus::Running) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the command did not end within 10 s");
}

#[tokio::test]
async fn the_inventory_is_what_is_there_and_an_account_that_refuses_is_a_result() {
    let play = Play::new(quick()).await;
    play.plant(FaultName::DenyAccount, "initech-prod");
    let aws = play.aws().await;
    let (accounts, unread) = aws.accounts().await;
    assert_eq!(unread, []);
    let names: Vec<&str> = accounts.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["acme-prod", "acme-staging", "globex-prod", "globex-staging", "initech-prod", "sandbox"]);
    assert_eq!(accounts[5].source, AccountSource::Discovered);

    let (mut seen, mut unmanaged, mut refused) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for account in &accounts {
        for region in &account.regions {
            match aws.read(&account.id, region).await {
                Ok(read) => {
                    seen.extend(read.nodes.into_iter().map(|n| {
                        (
                            n.target.account,
                            n.target.region,
                            n.target.node,
                            n.name,
                            n.platform.as_str(),
                            n.online,
                            n.tags,
                        )
                    }));
                    unmanaged.extend(read.unmanaged.into_iter().map(|u| (u.account, u.region, u.name)));
                    assert_eq!(read.unmanaged_unread, None);
                }
                Err(CloudError::Refused(why)) => drop(refused.insert(why)),
                Err(other) => panic!("{other}"),
            }
        }
    }
    let open = |account: &AccountId| account.as_str() != "555555555555";
    let machines = play.organisation.machines();
    let there: BTreeSet<_> = machines
        .iter()
        .filter(|(a, _, m)| open(a) && m.managed)
        .map(|(a, r, m)| {
            let tags = m.tags.clone();
            (a.clone(), r.clone(), m.id.clone(), m.name.clone(), m.platform.as_str(), m.online, tags)
        })
        .collect();
    assert_eq!(seen, there);
    let outside: BTreeSet<_> = machines
        .iter()
        .filter(|(a, _, m)| open(a) && !m.managed)
        .map(|(a, r, m)| (a.clone(), r.clone(), m.name.clone()))
        .collect();
    assert!(!outside.is_empty());
    assert_eq!(unmanaged, outside);
    insta::assert_snapshot!(refused.into_iter().collect::<Vec<_>>().join("\n"), @r#"cannot enter initech-prod (555555555555): the role `muster-runner` refuses Muster (`arn:aws:sts::999999999999:assumed-role/muster-hub/muster`); check that the role exists, that its trust policy names this caller, and that the External ID is the one it asks for"#);
}

#[tokio::test]
async fn a_command_runs_on_exactly_its_nodes_and_cloudtrail_names_the_human() {
    let play = Play::new(quick()).await;
    let aws = play.aws().await;
    let request = request(&play, &aws);
    aws.open(&request.session).await.unwrap();
    let command = aws.send(&request).await.unwrap();
    let invocations = ended(&aws, &request, &command).await;
    assert!(
        invocations.iter().all(|i| i.status == InvocationStatus::Success && i.exit_code == Some(0)),
        "{invocations:?}"
    );
    assert!(invocations.iter().all(|i| !i.output.is_empty() && !i.cut));
    let (whole, cut) =
        aws.output(&acme(), &request.region, Service::RunCommand, &command, &request.nodes[0]).await.unwrap();
    let first = invocations.iter().find(|i| i.node == request.nodes[0]).unwrap();
    assert_eq!((whole.trim_end(), cut), (first.output.trim_end(), false));

    let sends = play.organisation.sends();
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0].source_identity.as_deref(), Some("slack.T0MUSTER.U0SUSAN"));
    assert_eq!(sends[0].session_name, "muster-01J9ZX0000000000000000AB7F");
    assert_eq!(sends[0].comment, request.token);
    assert_eq!(sends[0].signed_at.as_second(), request.signing.at.as_second());
    let (sent, asked): (BTreeSet<_>, BTreeSet<_>) =
        (sends[0].nodes.iter().cloned().collect(), request.nodes.iter().map(ToString::to_string).collect());
    assert_eq!(sent, asked);
    let status = &aws
        .commands(&acme(), &request.region, request.signing.at, std::slice::from_ref(&request.token), &[])
        .await
        .unwrap()[0];
    assert_eq!((status.terminal, status.target_count, status.completed_count), (true, 3, 3));
}

#[tokio::test]
async fn a_command_whose_answer_is_lost_is_found_by_its_token() {
    let play = Play::new(quick()).await;
    play.plant(FaultName::LostAnswer, "acme-prod");
    let aws = play.aws().await;
    let request = request(&play, &aws);
    let answer = aws.send(&request).await;
    assert!(matches!(answer, Err(SendError::Unknown(_))), "{answer:?}");
    let since = request.signing.at - jiff::SignedDuration::from_secs(120);
    let found = aws.commands(&acme(), &request.region, since, std::slice::from_ref(&request.token), &[]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id.as_str(), play.organisation.sends()[0].command_id);
    assert_eq!(play.organisation.sends().len(), 1, "it left once");
    let other = ["muster:somebody-elses".to_owned()];
    assert_eq!(aws.commands(&acme(), &request.region, since, &other, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn one_gone_node_refuses_the_call_and_is_told_from_the_rest() {
    let play = Play::new(quick()).await;
    let aws = play.aws().await;
    let request = request(&play, &aws);
    let gone = &request.nodes[1];
    play.organisation.plant(FaultSpec::new(FaultName::GoneNode).node(gone.as_str())).unwrap();
    assert_eq!(aws.send(&request).await, Err(SendError::InvalidInstance));
    let known = aws.known_nodes(&acme(), &request.region, &request.nodes).await.unwrap();
    let left: BTreeMap<NodeId, bool> = request.nodes.iter().filter(|n| *n != gone).map(|n| (n.clone(), true)).collect();
    assert_eq!(known, left);
}

#[tokio::test]
async fn aws_itself_holds_a_run_to_its_boundary() {
    let play = Play::new(World { nodes: 60, ..quick() }).await;
    let home = region("eu-west-1");
    let all: Vec<NodeId> = play.nodes(&acme(), &home);
    let with_tag = async |value: &str| {
        let mut settings = play.settings();
        settings.boundary_tag = Some(("service".to_owned(), value.to_owned()));
        let aws = Aws::connect(settings, Arc::new(SystemClock)).await;
        let mut request = request(&play, &aws);
        request.session.nodes = all.iter().map(|n| (home.clone(), n.clone())).collect();
        let mut answers = Vec::new();
        for node in &all {
            request.nodes = vec![node.clone()];
            request.signing.at = aws.aws_now();
            match aws.send(&request).await {
                Err(SendError::Throttled { .. }) => tokio::time::sleep(Duration::from_millis(200)).await,
                other => answers.push(other),
            }
            if answers.iter().any(Result::is_ok) && answers.iter().any(Result::is_err) {
                break;
            }
        }
        answers
    };
    let answers = with_tag("web").await;
    assert!(answers.iter().any(Result::is_ok), "a web node carries the tag");
    let refused = answers.into_iter().find_map(Result::err).expect("another does not");
    assert!(matches!(&refused, SendError::Refused(why) if why.contains("session")), "{refused:?}");
    let none = with_tag("no-such-service").await;
    assert!(none.iter().all(|a| matches!(a, Err(SendError::Refused(_)))), "{none:?}");

    let untagged = play.aws().await;
    let mut request = request(&play, &untagged);
    request.session.nodes = all.iter().map(|n| (home.clone(), n.clone())).collect();
    let refused = untagged.open(&request.session).await.unwrap_err();
    insta::assert_snapshot!(refused.to_string(), @r#"cannot send in acme-prod (111111111111) in eu-west-1: AWS's session policy has room for about 38 nodes by id and 55 were asked for in one region: set `boundary_tag` under `[aws]` to a tag that every such node carries, or run on fewer nodes at once"#);
}

#[tokio::test]
async fn a_wrong_external_id_keeps_us_out_with_a_sentence_that_does_not_tell_it() {
    let play = Play::new(quick()).await;
    let mut settings = play.settings();
    settings.accounts[0].external_id = Some(Secret::new("a-wrong-one"));
    let aws = Aws::connect(settings, Arc::new(SystemClock)).await;
    let why = aws.read(&acme(), &region("eu-west-1")).await.unwrap_err();
    assert!(matches!(why, CloudError::Refused(_)));
    assert!(why.to_string().contains("External ID") && !why.to_string().contains("a-wrong-one"), "{why}");
    let request = request(&play, &aws);
    assert!(matches!(aws.open(&request.session).await, Err(CloudError::Refused(_))));
    assert!(matches!(aws.send(&request).await, Err(SendError::Refused(_))));
    assert!(play.organisation.sends().is_empty());
}

#[tokio::test]
async fn a_session_that_dies_is_renewed_for_reads_and_means_not_sent_for_sends() {
    let play = Play::new(quick()).await;
    let aws = play.aws().await;
    let request = request(&play, &aws);
    aws.known_nodes(&acme(), &request.region, &request.nodes).await.unwrap();
    play.plant(FaultName::ExpiredCredentials, "acme-prod");
    let known = aws.known_nodes(&acme(), &request.region, &request.nodes).await.unwrap();
    assert_eq!(known.len(), 3);

    aws.open(&request.session).await.unwrap();
    play.plant(FaultName::ExpiredCredentials, "acme-prod");
    assert!(matches!(aws.send(&request).await, Err(SendError::NotSent(_))));
    aws.send(&request).await.unwrap();
    assert_eq!(play.organisation.sends().len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_corrected_by_awss_own() {
    let skew = jiff::SignedDuration::from_mins(20);
    let play = Play::new(World { clock_skew: skew, ..quick() }).await;
    let aws = play.aws().await;
    let late = request(&play, &aws);
    aws.known_nodes(&acme(), &late.region, &late.nodes).await.unwrap();
    let off = aws.aws_now().duration_since(Timestamp::now() + skew).as_secs().abs();
    assert!(off <= 2, "{off} s off");
    assert!(matches!(aws.send(&late).await, Err(SendError::NotSent(_))), "signed by this host's clock");
    aws.send(&request(&play, &aws)).await.unwrap();
}

#[tokio::test]
async fn the_hosts_own_rights_do_without_a_central_role() {
    let play = Play::new(quick()).await;
    let mut settings = play.settings();
    settings.central_role = None;
    let aws = Aws::connect(settings, Arc::new(SystemClock)).await;
    aws.send(&request(&play, &aws)).await.unwrap();
    assert_eq!(aws.caller().await.unwrap().0.as_str(), CENTRAL);
    assert_eq!(aws.account_reached(&acme()).await.unwrap(), acme());
}

#[tokio::test]
async fn two_hundred_accounts_are_entered_once_each() {
    let play = Play::new(World { accounts: 200, nodes: 1, ..quick() }).await;
    let aws = play.aws().await;
    let (accounts, _) = aws.accounts().await;
    assert_eq!(accounts.len(), 200);
    for _ in 0..2 {
        let reads = accounts.iter().flat_map(|a| a.regions.iter().map(|r| aws.read(&a.id, r)));
        let reads: Vec<_> = futures::future::join_all(reads).await;
        let refused: Vec<_> = reads.into_iter().filter_map(Result::err).collect();
        assert!(refused.is_empty(), "{refused:?}");
    }
    assert_eq!(play.called("sts:AssumeRole"), 201, "one for each account and one for the central role");
}

#[tokio::test]
async fn a_policy_too_large_for_aws_falls_to_the_tag_and_the_run_goes_on() {
    let play = Play::new(quick()).await;
    play.organisation.plant(FaultSpec::new(FaultName::PackedPolicy).account("acme-prod").times(1)).unwrap();
    let mut settings = play.settings();
    settings.boundary_tag = Some(("env".to_owned(), "prod".to_owned()));
    let aws = Aws::connect(settings, Arc::new(SystemClock)).await;
    aws.send(&request(&play, &aws)).await.unwrap();
    assert_eq!(play.organisation.sends().len(), 1);
}

#[tokio::test]
async fn a_cancelled_command_reads_cancelled() {
    let world = World { execution: Execution::Table { script_time: Millis(60_000) }, ..quick() };
    let play = Play::new(World { pace: Pace::quick(), ..world }).await;
    let aws = play.aws().await;
    let request = request(&play, &aws);
    let command = aws.send(&request).await.unwrap();
    aws.cancel(&acme(), &request.region, Service::RunCommand, &command, &[]).await.unwrap();
    let invocations = ended(&aws, &request, &command).await;
    assert!(invocations.iter().all(|i| i.status == InvocationStatus::Cancelled), "{invocations:?}");
}

#[tokio::test]
async fn a_throttled_send_is_told_apart_and_was_not_taken() {
    let play = Play::new(quick()).await;
    let aws = play.aws().await;
    aws.open(&request(&play, &aws).session).await.unwrap();
    play.organisation.plant(FaultSpec::new(FaultName::Throttle).account("acme-prod").value(1)).unwrap();
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(aws.send(&request(&play, &aws)).await);
    }
    let taken = answers.iter().filter(|a| a.is_ok()).count();
    assert!(answers.iter().any(|a| matches!(a, Err(SendError::Throttled { .. }))), "{answers:?}");
    assert_eq!(play.organisation.sends().len(), taken);
}

/// The first account with a bucket, whose first node prints a long output.
async fn with_bucket(name: &str, upload: Duration) -> (Play, Aws, SendRequest) {
    let pace = Pace { upload: Millis(700), ..Pace::quick() };
    let buckets = BTreeSet::from(["muster-outputs".to_owned(), "others".to_owned()]);
    let play = Play::new(World { pace, buckets, ..quick() }).await;
    let mut settings = play.settings();
    settings.accounts[0].outputs =
        Some(Bucket { name: name.to_owned(), prefix: "muster/acme".to_owned(), region: region("eu-west-1") });
    settings.timeouts.upload = upload;
    let aws = Aws::connect(settings, Arc::new(SystemClock)).await;
    let request = request(&play, &aws);
    play.organisation.plant(FaultSpec::new(FaultName::LongOutput).account("acme-prod").times(2)).unwrap();
    (play, aws, request)
}

fn refusals(play: &Play, operation: &str) -> u64 {
    play.organisation.calls().get(operation).map_or(0, |calls| calls.refused)
}

#[tokio::test]
async fn a_long_output_is_read_whole_from_the_accounts_bucket_however_late_it_comes() {
    let (play, aws, request) = with_bucket("muster-outputs", Duration::from_secs(20)).await;
    let command = aws.send(&request).await.unwrap();
    let invocations = ended(&aws, &request, &command).await;
    let long: Vec<&Invocation> = invocations.iter().filter(|i| i.cut).collect();
    assert_eq!(long.len(), 2);
    let folder = format!("muster/acme/{command}/{}/awsrunShellScript/0.awsrunShellScript", long[0].node);
    assert_eq!(long[0].objects, [format!("{folder}/stdout")]);
    assert!(invocations.iter().all(|i| i.cut != i.objects.is_empty()), "what is whole needs no object");
    let (whole, cut) = aws.uploaded(&acme(), long[0]).await.unwrap();
    assert!(whole.len() > 100_000 && !cut, "{} bytes", whole.len());
    assert!(whole.starts_with("00000001 ") && whole.contains("Mounted on"), "first and last line are there");
    assert!(refusals(&play, "s3:GetObject") > 0, "it was looked for before it was there");
    assert_eq!(play.called("ssm:GetCommandInvocation"), 0, "SSM was not asked");
}

#[tokio::test]
async fn where_a_bucket_cannot_be_read_ssm_still_has_a_part_and_nobody_waits_twice() {
    let (play, aws, request) = with_bucket("others", Duration::from_millis(600)).await;
    let command = aws.send(&request).await.unwrap();
    let invocations = ended(&aws, &request, &command).await;
    let long: Vec<&Invocation> = invocations.iter().filter(|i| i.cut).collect();
    let mut asked = Vec::new();
    for one in &long {
        let before = play.called("s3:GetObject");
        assert_eq!(aws.uploaded(&acme(), one).await, None);
        asked.push(play.called("s3:GetObject") - before);
    }
    assert_eq!(asked, [3, 1], "looks into the bucket: at once, after 0.5 s and 0.6 s; then only once");
    let (text, cut) = aws.output(&acme(), &request.region, Service::RunCommand, &command, &long[0].node).await.unwrap();
    assert_eq!((text.len(), cut), (24_000, true), "SSM still has a part");
}
