//! The adapter against a server on a real socket that misbehaves on purpose.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::domain::{Account, AccountId, AccountSource, Region, RunId, Secret, Timestamp};
use crate::ports::{
    Clock, Cloud, CloudError, Inventory, InvocationStatus, SendError, SendRequest, SendSession, Service, Signing, Work,
};

use super::scripted::{Reply, Scripted, Seen, credentials, json_error, xml_error};
use super::{AccountSettings, Aws, BaseKeys, Organization, Settings};

mod automations;
mod pacing;

const FAR: &str = "2099-01-01T00:00:00Z";
const COMMAND: &str = "6d1cb32b-0000-4000-8000-000000000001";

/// The system's clock, moved by so many seconds.
#[derive(Default)]
struct MovedClock(AtomicI64);
impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + jiff::SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

fn account() -> AccountId {
    "111111111111".parse().unwrap()
}
fn region() -> Region {
    "eu-west-1".parse().unwrap()
}

fn settings(url: &str) -> Settings {
    let mut settings = Settings::new(region());
    settings.endpoint_url = Some(url.to_owned());
    settings.base_keys = Some(BaseKeys { access_key_id: "base".to_owned(), secret_access_key: Secret::new("fake") });
    settings.accounts = vec![AccountSettings {
        account: Account {
            id: account(),
            name: "acme-prod".to_owned(),
            regions: vec![region()],
            labels: BTreeMap::new(),
            source: AccountSource::Configured,
        },
        role: "muster-runner".to_owned(),
        external_id: Some(Secret::new("acme-external-id")),
        outputs: None,
    }];
    settings
}

async fn aws(settings: Settings) -> Aws {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Aws::connect(settings, Arc::new(MovedClock::default())).await
}

fn session(nodes: usize) -> SendSession {
    SendSession {
        run: "01J9ZX0000000000000000AB7F".parse::<RunId>().unwrap(),
        account: account(),
        identity: "slack.T0MUSTER.U0SUSAN".into(),
        nodes: (1..=nodes).map(|n| (region(), format!("i-{n:017x}").parse().unwrap())).collect(),
        documents: vec!["AWS-RunShellScript".to_owned()],
        automations: Vec::new(),
    }
}

fn request() -> SendRequest {
    let session = session(2);
    SendRequest {
        nodes: session.nodes.iter().map(|(_, n)| n.clone()).collect(),
        session,
        work: Work::Command,
        region: region(),
        document: "AWS-RunShellScript".to_owned(),
        document_version: None,
        document_hash: None,
        parameters: BTreeMap::from([("commands".to_owned(), vec!["true".to_owned()])]),
        token: "muster:01J9ZX0000000000000000AB7F:0:0:1.1:0123456789ab".to_owned(),
        delivery_timeout_secs: 60,
        max_errors: 1,
        signing: Signing { at: Timestamp::now() },
    }
}

/// STS works; `ssm` answers everything else.
async fn with_sts(mut ssm: impl FnMut(&Seen) -> Reply + Send + 'static) -> Scripted {
    Scripted::start(move |seen| match seen.operation.as_str() {
        "AssumeRole" => credentials("session", FAR),
        _ => ssm(seen),
    })
    .await
}

#[tokio::test]
async fn an_answer_that_is_lost_in_any_way_is_unknown_and_the_command_left_once() {
    type Fault = fn() -> Reply;
    let faults: [(&str, Fault); 7] = [
        ("reset", || Reply::Reset),
        ("closed", || Reply::Close),
        ("silence", || Reply::Hang),
        ("500", || json_error(500, "InternalServerError", "")),
        ("503 without a body", || Reply::Raw(503, vec![], String::new())),
        ("200 that is no JSON", || Reply::Raw(200, vec![], "<html>".to_owned())),
        ("200 without an id", || Reply::Json(200, json!({"Command": {}}))),
    ];
    for (name, fault) in faults {
        let server = with_sts(move |_| fault()).await;
        let mut settings = settings(&server.url);
        settings.timeouts.send = Duration::from_millis(400);
        let answer = aws(settings).await.send(&request()).await;
        assert!(matches!(answer, Err(SendError::Unknown(_))), "{name}: {answer:?}");
        assert_eq!(server.of("SendCommand").len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let mut server = with_sts(|_| Reply::Close).await;
    let aws = aws(settings(&server.url)).await;
    aws.open(&session(2)).await.unwrap();
    server.stop().await;
    let answer = aws.send(&request()).await;
    assert!(matches!(answer, Err(SendError::NotSent(_))), "{answer:?}");
}

#[tokio::test]
async fn a_session_that_cannot_be_had_means_that_nothing_was_sent() {
    let server = Scripted::start(|_| xml_error(403, "AccessDenied", "no")).await;
    let answer = aws(settings(&server.url)).await.send(&request()).await;
    assert!(matches!(answer, Err(SendError::Refused(_))), "{answer:?}");
    let mut settings = settings("http://127.0.0.1:9");
    settings.timeouts.operation = Duration::from_secs(5);
    let answer = aws(settings).await.send(&request()).await;
    assert!(matches!(answer, Err(SendError::NotSent(_))), "{answer:?}");
    assert!(server.of("SendCommand").is_empty());
}

#[tokio::test]
async fn throttling_is_told_with_its_wait_and_not_repeated_by_the_sdk() {
    let server = with_sts(|_| {
        Reply::Raw(
            400,
            vec![("x-amz-retry-after", "1500".to_owned())],
            json!({"__type": "ThrottlingException", "message": "Rate exceeded"}).to_string(),
        )
    })
    .await;
    let answer = aws(settings(&server.url)).await.send(&request()).await;
    assert_eq!(answer, Err(SendError::Throttled { retry_after: Some(Duration::from_millis(1500)) }));
    assert_eq!(server.of("SendCommand").len(), 1);
}

#[tokio::test]
async fn a_command_is_signed_with_the_pinned_time_and_names_its_nodes_by_id_only() {
    let server = with_sts(|_| Reply::Json(200, json!({"Command": {"CommandId": COMMAND}}))).await;
    let mut request = request();
    request.signing.at = "2026-11-22T10:11:12Z".parse().unwrap();
    let id = aws(settings(&server.url)).await.send(&request).await.unwrap();
    assert_eq!(id.as_str(), COMMAND);
    let sent = &server.of("SendCommand")[0];
    assert_eq!(sent.headers["x-amz-date"], "20261122T101112Z");
    assert!(sent.headers["authorization"].contains("Credential=session/20261122/eu-west-1/ssm/aws4_request"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent.json()).unwrap(), @r#"
    {
      "Comment": "muster:01J9ZX0000000000000000AB7F:0:0:1.1:0123456789ab",
      "DocumentName": "AWS-RunShellScript",
      "InstanceIds": [
        "i-00000000000000001",
        "i-00000000000000002"
      ],
      "MaxConcurrency": "100%",
      "MaxErrors": "1",
      "Parameters": {
        "commands": [
          "true"
        ]
      },
      "TimeoutSeconds": 60
    }
    "#);
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let mut said = Vec::new();
    for (code, message) in [
        (
            "AccessDeniedException",
            "User: arn:aws:sts::111111111111:assumed-role/muster-runner/muster-01J is not authorized to perform: ssm:SendCommand on resource: arn:aws:ssm:eu-west-1::document/AWS-RunShellScript because no identity-based policy allows the ssm:SendCommand action",
        ),
        ("InvalidDocument", ""),
        ("MaxDocumentSizeExceeded", "The total size of your parameter(s) and document exceeds the 97KB limit."),
        ("UnsupportedPlatformType", ""),
        (
            "ValidationException",
            "1 validation error detected: Value '1' at 'timeoutSeconds' failed to satisfy constraint: Member must have value greater than or equal to 30",
        ),
        ("UnrecognizedClientException", "The security token included in the request is invalid."),
        ("InvalidInstanceId", ""),
        ("ExpiredTokenException", "The security token included in the request is expired"),
        ("InvalidSignatureException", "Signature expired"),
    ] {
        let server = with_sts(move |_| json_error(400, code, message)).await;
        let answer = aws(settings(&server.url)).await.send(&request()).await.unwrap_err();
        said.push(format!("{answer:?}"));
        assert_eq!(server.of("SendCommand").len(), 1, "{code}");
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    Refused("acme-prod (111111111111) in eu-west-1 does not allow `ssm:SendCommand` on `arn:aws:ssm:eu-west-1::document/AWS-RunShellScript`: grant it to the role `muster-runner`")
    Refused("the document `AWS-RunShellScript` does not exist in acme-prod (111111111111) in eu-west-1, or its content is not what was reviewed: publish it there again")
    Refused("script and parameters are larger than the 97 KB that AWS takes in one command (acme-prod (111111111111) in eu-west-1): shorten the script or publish it as a document")
    Refused("the document `AWS-RunShellScript` does not fit the platform of a node in acme-prod (111111111111) in eu-west-1: narrow `[targets] platforms` in the runbook")
    Refused("AWS refuses the command for acme-prod (111111111111) in eu-west-1: ValidationException: 1 validation error detected: Value '1' at 'timeoutSeconds' failed to satisfy constraint: Member must have value greater than or equal to 30")
    Refused("AWS does not know Muster's session for acme-prod (111111111111) in eu-west-1 (UnrecognizedClientException): enable the region for the account, or leave it out")
    InvalidInstance
    NotSent("the session for acme-prod (111111111111) in eu-west-1 had expired (ExpiredTokenException: The security token included in the request is expired)")
    NotSent("AWS did not accept the time or the signature of the request for acme-prod (111111111111) in eu-west-1 (InvalidSignatureException: Signature expired): set this host's clock by NTP")
    "#);
}

#[tokio::test]
async fn sessions_that_are_dropped_one_after_the_other_end_in_a_refusal_and_not_in_a_loop() {
    let server = with_sts(|_| json_error(400, "ExpiredTokenException", "")).await;
    let aws = aws(settings(&server.url)).await;
    assert!(matches!(aws.send(&request()).await, Err(SendError::NotSent(_))));
    assert!(matches!(aws.send(&request()).await, Err(SendError::Refused(_))));
    assert_eq!(server.of("AssumeRole").len(), 2);
}

#[tokio::test]
async fn what_the_session_does_not_name_never_leaves() {
    let server = with_sts(|_| Reply::Json(200, json!({"Command": {"CommandId": COMMAND}}))).await;
    let aws = aws(settings(&server.url)).await;
    let mut stray = request();
    stray.nodes.push("i-0ffffffffffffffff".parse().unwrap());
    let mut none = request();
    none.nodes.clear();
    let mut other_region = request();
    other_region.region = "us-east-1".parse().unwrap();
    let mut other_document = request();
    other_document.document = "AWS-RunPatchBaseline".to_owned();
    for request in [stray, none, other_region, other_document] {
        assert!(matches!(aws.send(&request).await, Err(SendError::Refused(_))));
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn cloudtrail_learns_who_acts_and_the_central_role_carries_nobodys_name() {
    let server = with_sts(|seen| match seen.operation.as_str() {
        "SendCommand" => Reply::Json(200, json!({"Command": {"CommandId": COMMAND}})),
        _ => Reply::Json(200, json!({"InstanceInformationList": []})),
    })
    .await;
    let mut settings = settings(&server.url);
    settings.central_role = Some("arn:aws:iam::999999999999:role/muster-hub".to_owned());
    let aws = aws(settings).await;
    aws.known_nodes(&account(), &region(), &[session(1).nodes[0].1.clone()]).await.unwrap();
    aws.send(&request()).await.unwrap();
    aws.send(&request()).await.unwrap();
    let told: Vec<String> = server
        .of("AssumeRole")
        .iter()
        .map(|s| {
            let field = |name: &str| s.field(name).unwrap_or_else(|| "-".to_owned());
            format!(
                "{} as {} for {}, external id {}, {} s, policy: {}, signed by {}",
                field("RoleArn"),
                field("RoleSessionName"),
                field("SourceIdentity"),
                field("ExternalId"),
                field("DurationSeconds"),
                s.field("Policy").is_some(),
                s.headers["authorization"].split(['=', '/']).nth(1).unwrap_or_default(),
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    arn:aws:iam::999999999999:role/muster-hub as muster for -, external id -, 3600 s, policy: false, signed by base
    arn:aws:iam::111111111111:role/muster-runner as muster-read for muster, external id acme-external-id, 3600 s, policy: true, signed by session
    arn:aws:iam::111111111111:role/muster-runner as muster-01J9ZX0000000000000000AB7F for slack.T0MUSTER.U0SUSAN, external id acme-external-id, 3600 s, policy: true, signed by session
    "#);
}

#[tokio::test]
async fn a_policy_that_is_too_large_packed_falls_to_the_boundary_tag_and_never_to_none() {
    let server = Scripted::start(|seen| match seen.operation.as_str() {
        "AssumeRole" if seen.field("Policy").is_some_and(|p| p.contains("resourceTag")) => credentials("tagged", FAR),
        "AssumeRole" => xml_error(400, "PackedPolicyTooLarge", "Packed policy consumes 104% of allotted space"),
        _ => Reply::Json(200, json!({"Command": {"CommandId": COMMAND}})),
    })
    .await;
    let mut settings = settings(&server.url);
    let untagged = aws(settings.clone()).await;
    let answer = untagged.open(&session(2)).await;
    assert!(matches!(answer, Err(CloudError::Refused(_))), "{answer:?}");
    settings.boundary_tag = Some(("muster".to_owned(), "yes".to_owned()));
    let tagged = aws(settings).await;
    tagged.send(&request()).await.unwrap();
    tagged.send(&request()).await.unwrap();
    let asked = server.of("AssumeRole");
    assert!(asked.iter().all(|s| s.field("Policy").is_some()));
    assert_eq!(asked.len(), 3, "one for the untagged, two for the tagged, none repeated");
}

#[tokio::test]
async fn many_first_reads_at_once_assume_the_role_once() {
    let server = with_sts(|_| Reply::Json(200, json!({"InstanceInformationList": []}))).await;
    let aws = aws(settings(&server.url)).await;
    let nodes = [session(1).nodes[0].1.clone()];
    let (account, region) = (account(), region());
    let reads = (0..20).map(|_| aws.known_nodes(&account, &region, &nodes));
    futures::future::try_join_all(reads).await.unwrap();
    assert_eq!(server.of("AssumeRole").len(), 1);
}

#[tokio::test]
async fn a_dropped_session_is_assumed_anew_once_for_a_read() {
    let mut given = 0;
    let server = Scripted::start(move |seen| match seen.operation.as_str() {
        "AssumeRole" => {
            given += 1;
            credentials(&format!("session{given}"), FAR)
        }
        _ if seen.headers["authorization"].contains("session1/") => {
            json_error(400, "ExpiredTokenException", "The security token included in the request is expired")
        }
        _ => Reply::Json(200, json!({"InstanceInformationList": []})),
    })
    .await;
    let aws = aws(settings(&server.url)).await;
    let nodes = [session(1).nodes[0].1.clone()];
    aws.known_nodes(&account(), &region(), &nodes).await.unwrap();
    aws.known_nodes(&account(), &region(), &nodes).await.unwrap();
    assert_eq!(server.of("AssumeRole").len(), 2);
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends() {
    let expiry = Timestamp::now() + jiff::SignedDuration::from_mins(60);
    let server = Scripted::start(move |seen| match seen.operation.as_str() {
        "AssumeRole" => credentials("session", &expiry.to_string()),
        _ => Reply::Json(200, json!({"InstanceInformationList": []})),
    })
    .await;
    let clock = Arc::new(MovedClock::default());
    let aws = Aws::connect(settings(&server.url), clock.clone()).await;
    let nodes = [session(1).nodes[0].1.clone()];
    for (minute, assumed) in [(0, 1), (50, 1), (56, 2)] {
        clock.0.store(minute * 60, Ordering::Relaxed);
        aws.known_nodes(&account(), &region(), &nodes).await.unwrap();
        assert_eq!(server.of("AssumeRole").len(), assumed, "minute {minute}");
    }
}

#[tokio::test]
async fn a_refused_role_is_explained_and_the_external_id_is_never_told() {
    let who = "User: arn:aws:sts::999999999999:assumed-role/muster-hub/muster is not authorized to perform:";
    let role = "on resource: arn:aws:iam::111111111111:role/muster-runner";
    let mut said = Vec::new();
    for (status, code, message) in [
        (403, "AccessDenied", format!("{who} sts:AssumeRole {role}")),
        (403, "AccessDenied", format!("{who} sts:SetSourceIdentity {role}")),
        (
            400,
            "ValidationError",
            "1 validation error detected: Value 'acme-external-id' at 'externalId' failed to satisfy constraint"
                .to_owned(),
        ),
        (403, "RegionDisabledException", "STS is not activated in this region".to_owned()),
        (403, "ExpiredToken", "The security token included in the request is expired".to_owned()),
    ] {
        let server = Scripted::start(move |_| xml_error(status, code, &message)).await;
        said.push(aws(settings(&server.url)).await.open(&session(1)).await.unwrap_err().to_string());
    }
    assert!(!said.join("").contains("acme-external-id"));
    insta::assert_snapshot!(said.join("\n"), @r#"
    cannot enter acme-prod (111111111111): the role `muster-runner` refuses Muster (`arn:aws:sts::999999999999:assumed-role/muster-hub/muster`); check that the role exists, that its trust policy names this caller, and that the External ID is the one it asks for
    cannot enter acme-prod (111111111111): the role `muster-runner` lets Muster in, but does not let it say who it acts for; add `sts:SetSourceIdentity` to the role's trust policy
    AWS refuses AssumeRole for acme-prod (111111111111): ValidationError: 1 validation error detected: Value '…' at 'externalId' failed to satisfy constraint
    STS is switched off in the configured region for acme-prod (111111111111): switch it on in that account, or set another `region` under `[aws]`
    AWS no longer accepts the credentials that Muster runs with: renew them on this host
    "#);
}

#[tokio::test]
async fn the_time_is_awss_and_not_this_hosts() {
    let server = with_sts(|_| {
        let date = vec![("date", "Sun, 22 Nov 2099 10:00:00 GMT".to_owned())];
        Reply::Raw(200, date, json!({"InstanceInformationList": []}).to_string())
    })
    .await;
    let aws = aws(settings(&server.url)).await;
    assert!((aws.aws_now().duration_since(Timestamp::now())).as_secs().abs() < 5);
    aws.known_nodes(&account(), &region(), &[session(1).nodes[0].1.clone()]).await.unwrap();
    let there: Timestamp = "2099-11-22T10:00:00Z".parse().unwrap();
    assert!(aws.aws_now().duration_since(there).as_secs().abs() < 5, "{}", aws.aws_now());
}

fn listed(id: u32, comment: &str) -> serde_json::Value {
    json!({
        "CommandId": format!("6d1cb32b-0000-4000-8000-{id:012}"), "Comment": comment, "Status": "InProgress",
        "StatusDetails": "InProgress", "RequestedDateTime": 1_790_469_555.583, "TargetCount": 2, "CompletedCount": 1,
    })
}

#[tokio::test]
async fn our_commands_are_found_behind_pages_of_strangers() {
    let server = with_sts(|seen| {
        let ask = seen.json();
        if let Some(id) = ask["CommandId"].as_str() {
            return Reply::Json(200, json!({"Commands": [listed(id[30..].parse().unwrap(), "known")]}));
        }
        let page: u32 = ask["NextToken"].as_str().map_or(0, |t| t.parse().unwrap());
        let mut commands: Vec<_> = (0..50).map(|n| listed(1000 + page * 50 + n, "somebody else's")).collect();
        if page == 6 {
            commands.push(listed(7, "lost"));
        }
        let mut answer = json!({ "Commands": commands });
        if page < 8 {
            answer["NextToken"] = json!((page + 1).to_string());
        }
        Reply::Json(200, answer)
    })
    .await;
    let aws = aws(settings(&server.url)).await;
    let since: Timestamp = "2026-11-22T10:00:00.9Z".parse().unwrap();
    let known = ["6d1cb32b-0000-4000-8000-000000000003".parse().unwrap()];
    let find = async |tokens: &[&str]| {
        let tokens: Vec<String> = tokens.iter().map(|t| (*t).to_owned()).collect();
        let found = aws.commands(&account(), &region(), since, &tokens, &known).await.unwrap();
        found.into_iter().map(|c| c.token).collect::<Vec<_>>()
    };
    assert_eq!(find(&["known"]).await, ["known"], "a known command is asked for by id");
    assert_eq!(server.of("ListCommands").len(), 5, "four pages of strangers and one question");
    assert_eq!(find(&["known", "lost"]).await, ["known", "lost"], "a lost one is looked for to the end");
    assert_eq!(find(&["known", "never sent"]).await, ["known"]);
    let filter = &server.of("ListCommands")[0].json()["Filters"][0];
    assert_eq!(*filter, json!({"key": "InvokedAfter", "value": "2026-11-22T10:00:00Z"}));
}

#[tokio::test]
async fn pages_that_never_end_are_a_fault_and_not_an_endless_loop() {
    let server = with_sts(|_| Reply::Json(200, json!({"Commands": [], "NextToken": "again"}))).await;
    let aws = aws(settings(&server.url)).await;
    let answer = aws.commands(&account(), &region(), Timestamp::now(), &["t".to_owned()], &[]).await;
    assert!(matches!(answer, Err(CloudError::Transient(_))), "{answer:?}");
}

#[tokio::test]
async fn a_node_that_pages_repeat_counts_once_and_stays_ended() {
    let node = |n: u32, status: &str, code: i32, output: &str| {
        json!({
            "InstanceId": format!("i-{n:017x}"), "Status": status, "StatusDetails": status,
            "CommandPlugins": [{"Name": "runShell", "ResponseCode": code, "Output": output}],
        })
    };
    let server = with_sts(move |seen| {
        let answer = match seen.json()["NextToken"].as_str() {
            None => json!({"CommandInvocations": [node(1, "Success", 0, "ok"), node(2, "InProgress", -1, "")], "NextToken": "2"}),
            Some("2") => json!({"CommandInvocations": [], "NextToken": "3"}),
            Some(_) => json!({"CommandInvocations": [node(1, "InProgress", -1, ""), node(2, "Failed", 7, "no\n---Output truncated---")]}),
        };
        Reply::Json(200, answer)
    })
    .await;
    let aws = aws(settings(&server.url)).await;
    let found = aws.invocations(&account(), &region(), Service::RunCommand, &COMMAND.parse().unwrap()).await.unwrap();
    let told: Vec<_> = found.iter().map(|i| (i.status, i.exit_code, i.output.as_str(), i.cut)).collect();
    assert_eq!(
        told,
        [
            (InvocationStatus::Success, Some(0), "ok", false),
            (InvocationStatus::Failed, Some(7), "no\n---Output truncated---", true)
        ]
    );
}

#[tokio::test]
async fn the_output_of_a_document_with_several_steps_is_read_step_by_step() {
    let server = with_sts(|seen| {
        let ask = seen.json();
        match (seen.operation.as_str(), ask["PluginName"].as_str()) {
            ("ListCommandInvocations", _) => Reply::Json(
                200,
                json!({"CommandInvocations": [{"InstanceId": ask["InstanceId"], "CommandPlugins": [{"Name": "first"}, {"Name": "second"}]}]}),
            ),
            (_, None) => json_error(400, "InvalidPluginName", ""),
            (_, Some("first")) => Reply::Json(200, json!({"StandardOutputContent": "one", "StandardErrorContent": ""})),
            (_, Some(_)) => Reply::Json(
                200,
                json!({"StandardOutputContent": format!("{}--output truncated--", "x".repeat(10)), "StandardErrorContent": "bad"}),
            ),
        }
    })
    .await;
    let aws = aws(settings(&server.url)).await;
    let node = session(1).nodes[0].1.clone();
    let (text, cut) =
        aws.output(&account(), &region(), Service::RunCommand, &COMMAND.parse().unwrap(), &node).await.unwrap();
    insta::assert_snapshot!(text, @r#"
    one
    xxxxxxxxxx--output truncated--
    ----------ERROR-------
    bad
    "#);
    assert!(cut);
}

#[tokio::test]
async fn accounts_of_the_organisation_are_found_over_empty_pages_and_without_labels() {
    let server = Scripted::start(|seen| match seen.operation.as_str() {
        "GetCallerIdentity" => Reply::Xml(
            200,
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::999999999999:assumed-role/muster-hub/muster</Arn>\
             <UserId>x</UserId><Account>999999999999</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
                .to_owned(),
        ),
        "ListAccounts" => Reply::Json(200, match seen.json()["NextToken"].as_str() {
            None => json!({"Accounts": [], "NextToken": "2"}),
            Some("2") => json!({"Accounts": [
                {"Id": "111111111111", "Name": "other name", "State": "ACTIVE"},
                {"Id": "666666666666", "Name": "sandbox", "State": "ACTIVE"},
                {"Id": "777777777777", "Name": "old", "State": "SUSPENDED"},
            ], "NextToken": "3"}),
            Some(_) => json!({"Accounts": [
                {"Id": "888888888888", "Name": "older endpoint", "Status": "ACTIVE"},
                {"Id": "999999999999", "Name": "central", "State": "ACTIVE"},
            ]}),
        }),
        _ => xml_error(403, "AccessDenied", ""),
    })
    .await;
    let mut settings = settings(&server.url);
    settings.organization = Some(Organization {
        role: "muster-runner".to_owned(),
        external_id: None,
        regions: vec![region()],
        exclude: vec!["999999999999".parse().unwrap()],
    });
    let aws = aws(settings).await;
    let (accounts, unread) = aws.accounts().await;
    assert_eq!(unread, []);
    let told: Vec<_> = accounts.iter().map(|a| (a.name.as_str(), a.source, a.labels.is_empty())).collect();
    assert_eq!(
        told,
        [
            ("acme-prod", AccountSource::Configured, true),
            ("sandbox", AccountSource::Discovered, true),
            ("older endpoint", AccountSource::Discovered, true)
        ]
    );
}

#[tokio::test]
async fn an_organisation_that_refuses_leaves_the_configured_accounts() {
    let server = Scripted::start(|_| xml_error(403, "AccessDenied", "no")).await;
    let mut settings = settings(&server.url);
    settings.organization =
        Some(Organization { role: "muster-runner".to_owned(), external_id: None, regions: vec![], exclude: vec![] });
    let (accounts, unread) = aws(settings).await.accounts().await;
    assert_eq!(accounts.len(), 1);
    assert_eq!(unread.len(), 1);
}
