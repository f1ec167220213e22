//! Automations of the AWS adapter against the simulated organisation: started once whatever becomes of the answer, read node
//! by node, stopped, and held to their role by AWS itself.

use std::collections::BTreeMap;
use std::time::Duration;

use muster::adapters::aws::Aws;
use muster::domain::{CommandId, Millis, NodeId};
use muster::playground::aws::{AUTOMATION_ROLE, FaultName, FaultSpec, Pace, Settings as World};
use muster::ports::{
    Automation, Cloud, CloudError, Invocation, InvocationStatus, SendError, SendRequest, Service, Signing, Work,
};

use crate::aws_adapter::{Play, acme, quick, request};

const DOCUMENT: &str = "AWS-RestartEC2Instance";

fn restart(play: &Play, aws: &Aws, role: &str) -> SendRequest {
    let mut request = request(play, aws);
    request.session.documents.clear();
    request.session.automations = vec![Automation { document: DOCUMENT.to_owned(), role: role.to_owned() }];
    request.document = DOCUMENT.to_owned();
    request.parameters = BTreeMap::from([("AutomationAssumeRole".to_owned(), vec![role.to_owned()])]);
    request.work = Work::Automation { target_parameter: "InstanceId".to_owned(), role: role.to_owned() };
    request
}

fn again(request: &SendRequest, aws: &Aws) -> SendRequest {
    SendRequest { signing: Signing { at: aws.aws_now() }, ..request.clone() }
}

async fn ended(aws: &Aws, request: &SendRequest, id: &CommandId) -> Vec<Invocation> {
    for _ in 0..500 {
        let found = aws.invocations(&acme(), &request.region, Service::Automation, id).await.unwrap();
        if found.len() == request.nodes.len() && found.iter().all(|i| i.status != InvocationStatus::Running) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the automation did not end within 10 s");
}

fn boots(play: &Play) -> BTreeMap<NodeId, u32> {
    let machines = play.organisation.machines().into_iter();
    machines.filter(|(_, _, m)| m.boots > 0).map(|(_, _, m)| (m.id, m.boots)).collect()
}

#[tokio::test]
async fn an_automation_runs_on_exactly_its_nodes_and_tells_what_its_steps_gave_out() {
    let play = Play::new(quick()).await;
    let aws = play.aws().await;
    let request = restart(&play, &aws, AUTOMATION_ROLE);
    aws.open(&request.session).await.unwrap();
    let id = aws.send(&request).await.unwrap();
    let invocations = ended(&aws, &request, &id).await;
    assert!(invocations.iter().all(|i| i.status == InvocationStatus::Success), "{invocations:?}");
    assert_eq!(boots(&play), request.nodes.iter().map(|n| (n.clone(), 1)).collect());
    let first = &invocations[0];
    let own = first.execution.clone().unwrap();
    let told = aws.output(&acme(), &request.region, Service::Automation, &own, &first.node).await.unwrap();
    insta::assert_snapshot!(told.0, @"
    stopInstances: Success
    stopInstances.InstanceStates = stopped
    startInstances: Success
    startInstances.InstanceStates = running
    ");

    let sends = play.organisation.sends();
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0].source_identity.as_deref(), Some("slack.T0MUSTER.U0SUSAN"));
    assert_eq!(sends[0].session_name, "muster-01J9ZX0000000000000000AB7F");
    assert_eq!(sends[0].document, DOCUMENT);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_asking_again_and_every_node_restarts_once() {
    let play = Play::new(quick()).await;
    play.organisation.plant(FaultSpec::new(FaultName::LostAnswer).account("acme-prod").times(2)).unwrap();
    let aws = play.aws().await;
    let request = restart(&play, &aws, AUTOMATION_ROLE);
    for _ in 0..2 {
        let answer = aws.send(&again(&request, &aws)).await;
        assert!(matches!(answer, Err(SendError::Unknown(_))), "{answer:?}");
    }
    let id = aws.send(&again(&request, &aws)).await.unwrap();
    ended(&aws, &request, &id).await;
    assert_eq!(aws.send(&again(&request, &aws)).await, Ok(id.clone()), "also when it is over");
    assert_eq!(boots(&play), request.nodes.iter().map(|n| (n.clone(), 1)).collect());
    let sends = play.organisation.sends();
    assert_eq!(sends.iter().map(|s| s.command_id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    // Without asking again it is found as well.
    assert_eq!(aws.started(&request).await, Ok(vec![id]));
    assert_eq!(aws.started(&SendRequest { nodes: request.nodes[..1].to_vec(), ..request.clone() }).await, Ok(vec![]));
}

#[tokio::test]
async fn another_automation_under_the_same_token_is_told_from_a_refusal() {
    let play = Play::new(quick()).await;
    let aws = play.aws().await;
    let request = restart(&play, &aws, AUTOMATION_ROLE);
    let id = aws.send(&request).await.unwrap();
    let fewer = SendRequest { nodes: request.nodes[..1].to_vec(), ..again(&request, &aws) };
    let answer = aws.send(&fewer).await;
    assert!(matches!(answer, Err(SendError::Mismatch(_))), "{answer:?}");
    ended(&aws, &request, &id).await;
    assert_eq!(play.organisation.sends().len(), 1);
}

#[tokio::test]
async fn a_stopped_automation_reads_cancelled_on_every_node_that_it_had_come_to() {
    let mut pace = Pace::quick();
    pace.reboot = Millis(60_000);
    let play = Play::new(World { pace, ..quick() }).await;
    let aws = play.aws().await;
    let request = restart(&play, &aws, AUTOMATION_ROLE);
    let id = aws.send(&request).await.unwrap();
    while aws.invocations(&acme(), &request.region, Service::Automation, &id).await.unwrap().len() < request.nodes.len()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    aws.cancel(&acme(), &request.region, Service::Automation, &id, &[]).await.unwrap();
    let invocations = ended(&aws, &request, &id).await;
    assert!(invocations.iter().all(|i| i.status == InvocationStatus::Cancelled), "{invocations:?}");
    aws.cancel(&acme(), &request.region, Service::Automation, &id, &[]).await.unwrap();
    assert!(boots(&play).is_empty());
}

#[tokio::test]
async fn aws_itself_holds_an_automation_to_its_document_and_its_role() {
    let play = Play::new(quick()).await;
    let aws = play.aws().await;
    let mut said = Vec::new();
    // The member role may pass one role only, and this account has no other.
    for role in ["administrator", "arn:aws:iam::222222222222:role/muster-automation"] {
        said.push(aws.send(&restart(&play, &aws, role)).await.unwrap_err().to_string());
    }
    let mut unknown = restart(&play, &aws, AUTOMATION_ROLE);
    unknown.document = "Acme-Failover".to_owned();
    unknown.session.automations[0].document = unknown.document.clone();
    said.push(aws.send(&unknown).await.unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"), @"
    acme-prod (111111111111) in eu-west-1 does not allow `iam:PassRole` on `arn:aws:iam::111111111111:role/administrator`: grant it to the role `muster-runner`
    cannot send in acme-prod (111111111111) in eu-west-1: its role `arn:aws:iam::222222222222:role/muster-automation` belongs to another account: write the role's name alone in the runbook, which means each account's own
    acme-prod (111111111111) in eu-west-1 does not allow `ssm:StartAutomationExecution` on `arn:aws:ssm:eu-west-1::document/Acme-Failover`: grant it to the role `muster-runner`
    ");
    assert!(play.organisation.sends().is_empty());
    let abroad = restart(&play, &aws, "arn:aws:iam::222222222222:role/muster-automation");
    assert!(matches!(aws.open(&abroad.session).await, Err(CloudError::Refused(_))));
}

#[tokio::test]
async fn a_node_that_fails_tells_why_and_what_was_not_begun_says_so() {
    let play = Play::new(quick()).await;
    let aws = play.aws().await;
    let mut request = restart(&play, &aws, AUTOMATION_ROLE);
    let gone = request.nodes[0].clone();
    play.organisation.plant(FaultSpec::new(FaultName::GoneNode).node(gone.as_str())).unwrap();
    let mut command = crate::aws_adapter::request(&play, &aws);
    command.nodes = vec![gone.clone()];
    assert_eq!(aws.send(&command).await, Err(SendError::InvalidInstance));
    request.max_errors = 0;
    request.signing.at = aws.aws_now();
    let id = aws.send(&request).await.unwrap();
    let invocations = ended(&aws, &request, &id).await;
    let failed = invocations.iter().find(|i| i.node == gone).unwrap();
    assert_eq!(failed.status, InvocationStatus::Failed);
    assert!(failed.output.contains("InvalidInstanceID.NotFound"), "{}", failed.output);
    let others = invocations.iter().filter(|i| i.node != gone);
    assert!(others.clone().all(|i| i.status == InvocationStatus::Success), "they began with it: {invocations:?}");
}
