//! Automations against a server that misbehaves on purpose.

use super::*;
use crate::ports::Automation;

const DOCUMENT: &str = "AWS-RestartEC2Instance";
const ROLE: &str = "muster-automation";

fn automation() -> SendRequest {
    let mut request = request();
    request.session.documents.clear();
    request.session.automations = vec![Automation { document: DOCUMENT.to_owned(), role: ROLE.to_owned() }];
    request.document = DOCUMENT.to_owned();
    request.parameters = BTreeMap::from([("AutomationAssumeRole".to_owned(), vec![ROLE.to_owned()])]);
    request.work = Work::Automation { target_parameter: "InstanceId".to_owned(), role: ROLE.to_owned() };
    request
}

#[tokio::test]
async fn an_automation_names_its_nodes_its_role_and_the_token_of_the_send() {
    let server = with_sts(|_| Reply::Json(200, json!({"AutomationExecutionId": COMMAND}))).await;
    let mut request = automation();
    request.signing.at = "2026-11-22T10:11:12Z".parse().unwrap();
    request.document_version = Some("3".to_owned());
    let aws = aws(settings(&server.url)).await;
    assert_eq!(aws.send(&request).await.unwrap().as_str(), COMMAND);
    // Another time, and nothing else is another.
    request.signing.at = "2026-11-22T10:12:13Z".parse().unwrap();
    aws.send(&request).await.unwrap();
    let [first, second] = server.of("StartAutomationExecution").try_into().unwrap();
    assert_eq!(first.headers["x-amz-date"], "20261122T101112Z");
    assert_eq!(second.headers["x-amz-date"], "20261122T101213Z");
    assert_eq!(first.json(), second.json());
    insta::assert_snapshot!(serde_json::to_string_pretty(&first.json()).unwrap(), @r#"
    {
      "ClientToken": "4060ca74-9010-415d-9091-2b81371d37ca",
      "DocumentName": "AWS-RestartEC2Instance",
      "DocumentVersion": "3",
      "MaxConcurrency": "2",
      "MaxErrors": "1",
      "Parameters": {
        "AutomationAssumeRole": [
          "arn:aws:iam::111111111111:role/muster-automation"
        ]
      },
      "TargetParameterName": "InstanceId",
      "Targets": [
        {
          "Key": "ParameterValues",
          "Values": [
            "i-00000000000000001",
            "i-00000000000000002"
          ]
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_lost_answer_to_an_automation_is_unknown_and_it_left_once() {
    type Fault = fn() -> Reply;
    let faults: [(&str, Fault); 4] = [
        ("reset", || Reply::Reset),
        ("silence", || Reply::Hang),
        ("500", || json_error(500, "InternalServerError", "")),
        ("200 without an id", || Reply::Json(200, json!({}))),
    ];
    for (name, fault) in faults {
        let server = with_sts(move |_| fault()).await;
        let mut settings = settings(&server.url);
        settings.timeouts.send = Duration::from_millis(400);
        let answer = aws(settings).await.send(&automation()).await;
        assert!(matches!(answer, Err(SendError::Unknown(_))), "{name}: {answer:?}");
        assert_eq!(server.of("StartAutomationExecution").len(), 1, "{name}");
    }
}

#[tokio::test]
async fn every_refusal_of_an_automation_says_what_to_do() {
    let mut said = Vec::new();
    for (code, message) in [
        (
            "AccessDeniedException",
            "User: arn:aws:sts::111111111111:assumed-role/muster-runner/muster-01J is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111111111111:role/muster-automation because no identity-based policy allows the iam:PassRole action",
        ),
        ("AutomationDefinitionNotFoundException", ""),
        ("AutomationDefinitionVersionNotFoundException", ""),
        ("AutomationDefinitionNotApprovedException", ""),
        ("InvalidAutomationExecutionParametersException", "The defined assume role is unable to be assumed."),
        ("IdempotentParameterMismatch", ""),
        ("AutomationExecutionLimitExceededException", ""),
        ("InvalidTarget", "no such target"),
    ] {
        let server = with_sts(move |_| json_error(400, code, message)).await;
        said.push(format!("{:?}", aws(settings(&server.url)).await.send(&automation()).await.unwrap_err()));
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    Refused("acme-prod (111111111111) in eu-west-1 does not allow `iam:PassRole` on `arn:aws:iam::111111111111:role/muster-automation`: grant it to the role `muster-runner`")
    Refused("the automation `AWS-RestartEC2Instance` does not exist in acme-prod (111111111111) in eu-west-1: publish it there or correct its name")
    Refused("the automation `AWS-RestartEC2Instance` has no such version in acme-prod (111111111111) in eu-west-1: publish it there again")
    Refused("the automation `AWS-RestartEC2Instance` is not approved in acme-prod (111111111111) in eu-west-1: have it approved in Change Manager")
    Refused("the automation `AWS-RestartEC2Instance` in acme-prod (111111111111) in eu-west-1 does not take its parameters (The defined assume role is unable to be assumed): correct them in the runbook, and see that the role of `AutomationAssumeRole` is there and trusts `ssm.amazonaws.com`")
    Mismatch("AWS already took another automation under this send's token in acme-prod (111111111111) in eu-west-1: look for it in Systems Manager there before anything is run again")
    Throttled { retry_after: None }
    Refused("AWS refuses the automation for acme-prod (111111111111) in eu-west-1: InvalidTarget: no such target")
    "#);
}

#[tokio::test]
async fn an_automation_that_the_session_does_not_name_never_leaves() {
    let server = with_sts(|_| Reply::Json(200, json!({"AutomationExecutionId": COMMAND}))).await;
    let aws = aws(settings(&server.url)).await;
    let mut other_role = automation();
    other_role.work = Work::Automation { target_parameter: "InstanceId".to_owned(), role: "admin".to_owned() };
    let mut other_document = automation();
    other_document.document = "AWS-TerminateEC2Instance".to_owned();
    let mut as_a_command = automation();
    as_a_command.work = Work::Command;
    let mut abroad = automation();
    let role = "arn:aws:iam::222222222222:role/muster-automation".to_owned();
    abroad.session.automations[0].role.clone_from(&role);
    abroad.work = Work::Automation { target_parameter: "InstanceId".to_owned(), role };
    for request in [other_role, other_document, as_a_command, abroad] {
        assert!(matches!(aws.send(&request).await, Err(SendError::Refused(_))));
    }
    assert!(server.seen().is_empty());
}

/// A parent over these nodes in this state, and its children.
fn family(
    state: &'static str,
    failure: &'static str,
    nodes: u32,
    children: Vec<serde_json::Value>,
) -> impl Fn(&Seen) -> Reply {
    move |seen| match seen.operation.as_str() {
        "GetAutomationExecution" => Reply::Json(
            200,
            json!({"AutomationExecution": {
                "AutomationExecutionStatus": state, "FailureMessage": failure,
                "Targets": [{"Key": "ParameterValues", "Values": (1..=nodes).map(node).collect::<Vec<_>>()}],
            }}),
        ),
        _ => {
            // One to a page, and the first of them again on every later one.
            let at: usize = seen.json()["NextToken"].as_str().map_or(0, |t| t.parse().unwrap());
            let mut page: Vec<_> = children.iter().skip(at).take(1).cloned().collect();
            page.extend(children.first().filter(|_| at > 0).cloned());
            let mut answer = json!({"AutomationExecutionMetadataList": page});
            if at + 1 < children.len() {
                answer["NextToken"] = json!((at + 1).to_string());
            }
            Reply::Json(200, answer)
        }
    }
}

fn node(n: u32) -> String {
    format!("i-{n:017x}")
}

fn child(n: u32, state: &str, failure: &str) -> serde_json::Value {
    json!({
        "AutomationExecutionId": format!("6d1cb32b-0000-4000-8000-{n:012}"), "AutomationExecutionStatus": state,
        "Target": node(n), "FailureMessage": failure, "ParentAutomationExecutionId": COMMAND,
    })
}

#[tokio::test]
async fn every_node_of_an_automation_has_an_end_also_those_that_it_never_came_to() {
    let read = async |answers: &dyn Fn() -> Box<dyn Fn(&Seen) -> Reply + Send>| {
        let mut ssm = answers();
        let server = with_sts(move |seen| (ssm.as_mut())(seen)).await;
        let aws = aws(settings(&server.url)).await;
        let found =
            aws.invocations(&account(), &region(), Service::Automation, &COMMAND.parse().unwrap()).await.unwrap();
        let told = |i: crate::ports::Invocation| {
            let own = if i.execution.is_some() { "own" } else { "none" };
            format!("{} {:?}/{} {own} {:?}", &i.node.as_str()[17..], i.status, i.details, i.output)
        };
        found.into_iter().map(told).collect::<Vec<_>>().join("\n")
    };
    let running =
        read(&|| Box::new(family("InProgress", "", 3, vec![child(1, "Success", ""), child(2, "Waiting", "")]))).await;
    let too_many = read(&|| {
        Box::new(family("Failed", "too many", 3, vec![child(1, "Failed", "it broke"), child(2, "Success", "")]))
    })
    .await;
    let stopped = read(&|| Box::new(family("Cancelled", "", 2, vec![child(1, "Cancelled", "")]))).await;
    let none = read(&|| Box::new(family("Failed", "The role cannot be assumed", 2, vec![]))).await;
    let lagging = read(&|| Box::new(family("Success", "", 2, vec![child(1, "Success", "")]))).await;
    insta::assert_snapshot!([running, too_many, stopped, none, lagging].join("\n---\n"), @r#"
    01 Success/Success own ""
    02 Running/Waiting own ""
    ---
    01 Failed/Failed own "it broke\n"
    02 Success/Success own ""
    03 Cancelled/Terminated none ""
    ---
    01 Cancelled/Cancelled own ""
    02 Cancelled/Cancelled none ""
    ---
    01 Failed/Failed none "The role cannot be assumed\n"
    02 Failed/Failed none "The role cannot be assumed\n"
    ---
    01 Success/Success own ""
    "#);
}

#[tokio::test]
async fn an_automation_that_aws_does_not_show_yet_has_no_invocations() {
    let server = with_sts(|_| json_error(400, "AutomationExecutionNotFoundException", "")).await;
    let aws = aws(settings(&server.url)).await;
    let id = COMMAND.parse().unwrap();
    assert_eq!(aws.invocations(&account(), &region(), Service::Automation, &id).await, Ok(vec![]));
    assert!(matches!(
        aws.output(&account(), &region(), Service::Automation, &id, &node(1).parse().unwrap()).await,
        Err(CloudError::Transient(_))
    ));
    // Then there is nothing to stop either.
    let server = with_sts(|seen| match seen.operation.as_str() {
        "StopAutomationExecution" => json_error(400, "AutomationExecutionNotFoundException", ""),
        _ => Reply::Json(200, json!({"AutomationExecutionMetadataList": []})),
    })
    .await;
    let aws = super::aws(settings(&server.url)).await;
    assert_eq!(aws.cancel(&account(), &region(), Service::Automation, &id, &[]).await, Ok(()));
}

#[tokio::test]
async fn what_may_have_been_started_is_told_by_document_nodes_time_and_session() {
    let request = automation();
    let second = request.signing.at.as_second();
    let run = request.session.run;
    let like = move |id: u32, at: i64, nodes: Vec<String>, by: &str| {
        json!({
            "AutomationExecutionId": format!("6d1cb32b-0000-4000-8000-{id:012}"), "DocumentName": DOCUMENT,
            "ExecutionStartTime": second + at, "ExecutedBy": format!("arn:aws:sts::111111111111:assumed-role/muster-runner/{by}"),
            "Targets": [{"Key": "ParameterValues", "Values": nodes}],
        })
    };
    let ours = format!("muster-{run}");
    let both = || vec![node(2), node(1)];
    let mut of_a_parent = like(9, 1, both(), &ours);
    of_a_parent["ParentAutomationExecutionId"] = json!(COMMAND);
    let strangers = vec![
        like(1, -60, both(), &ours),
        like(2, 1, vec![node(1)], &ours),
        like(3, 1, vec![node(1), node(2), node(3)], &ours),
        of_a_parent,
    ];
    for (more, expected) in [
        (vec![], Ok(vec![])),
        (vec![like(5, 3, both(), &ours), like(4, 1, both(), &ours)], Ok(vec![4, 5])),
        (vec![like(6, 1, both(), "somebody")], Err(())),
    ] {
        let all = [strangers.clone(), more].concat();
        let server = with_sts(move |_| Reply::Json(200, json!({"AutomationExecutionMetadataList": all}))).await;
        let found = aws(settings(&server.url)).await.started(&request).await;
        let number = |id: &crate::domain::CommandId| id.as_str()[24..].parse::<u32>().unwrap();
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.iter().map(number).collect::<Vec<_>>(), expected),
            (Err(CloudError::Refused(why)), Err(())) => {
                insta::assert_snapshot!(why, @"`arn:aws:sts::111111111111:assumed-role/muster-runner/somebody` started the same automation on the same nodes in acme-prod (111111111111) in eu-west-1 meanwhile: look at 6d1cb32b-0000-4000-8000-000000000006 in Systems Manager there");
            }
            (found, _) => panic!("{found:?}"),
        }
        let filters = server.of("DescribeAutomationExecutions")[0].json()["Filters"].clone();
        assert_eq!(filters[0]["Key"], "StartTimeAfter");
        assert_eq!(filters[1], json!({"Key": "DocumentNamePrefix", "Values": [DOCUMENT]}));
    }
}
