//! Each planted fault shows on the wire, and the log tells what really happened.

use super::*;
use crate::playground::aws::{FaultName, FaultSpec};

fn fault(name: FaultName) -> FaultSpec {
    FaultSpec::new(name)
}

#[tokio::test]
async fn a_lost_answer_was_executed_all_the_same() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    w.organisation.plant(fault(FaultName::LostAnswer)).unwrap();
    let input = json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": [w.nodes()[0]], "Parameters": {"commands": ["true"]}, "Comment": "muster:lost"});
    assert_eq!(w.ssm_raw(&member, "SendCommand", &input).await, None, "the connection closes without an answer");
    let since = (Timestamp::now() - jiff::SignedDuration::from_secs(120)).to_string();
    let list = w.ssm(&member, "ListCommands", json!({"Filters": [{"key": "InvokedAfter", "value": since}, {"key": "DocumentName", "value": "AWS-RunShellScript"}]})).await;
    assert_eq!(list["Commands"][0]["Comment"], "muster:lost");
    w.settled(&member, list["Commands"][0]["CommandId"].as_str().unwrap()).await;
    assert_eq!(w.organisation.executions().len(), 1);
    assert!(!w.organisation.sends()[0].answered);
    assert_eq!(w.organisation.sends()[0].source_identity.as_deref(), Some("slack.T0MUSTER.U0SUSAN"));
}

#[tokio::test]
async fn the_log_counts_a_node_that_ran_twice_and_one_that_never_ran() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let nodes = w.nodes();
    w.organisation.plant(fault(FaultName::RunsTwice).node(&nodes[0])).unwrap();
    w.organisation.plant(fault(FaultName::NeverRuns).node(&nodes[1])).unwrap();
    let id = w.send(&member, &nodes[..3], &["df -P"], json!({})).await;
    let (command, _) = w.settled(&member, &id).await;
    assert!(
        command["Invocations"].as_array().unwrap().iter().all(|i| i["Status"] == "Success"),
        "on the wire all is well"
    );
    while w.organisation.executions().iter().filter(|e| e.ended_at.is_some()).count() < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let ran = |node: &String| w.organisation.executions().iter().filter(|e| &e.node == node).count();
    assert_eq!([ran(&nodes[0]), ran(&nodes[1]), ran(&nodes[2])], [2, 0, 1]);
    let output = command["Invocations"][1]["CommandPlugins"][0]["Output"].as_str().unwrap();
    assert!(output.contains("/var"), "it looks as if it had run: {output}");
}

#[tokio::test]
async fn an_offline_agent_reads_in_progress_then_delayed_and_takes_it_when_it_is_back() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let node = w.nodes()[0].clone();
    let offline = fault(FaultName::OfflineNode).node(&node);
    w.organisation.plant(offline.clone()).unwrap();
    let id = w.send(&member, std::slice::from_ref(&node), &["true"], json!({})).await;
    let mut seen: Vec<String> = Vec::new();
    while seen.last().is_none_or(|s| s != "Pending/Delayed") {
        let list = w.ssm(&member, "ListCommandInvocations", json!({"CommandId": id})).await;
        let i = &list["CommandInvocations"][0];
        let told = format!("{}/{}", i["Status"].as_str().unwrap(), i["StatusDetails"].as_str().unwrap());
        if seen.last() != Some(&told) {
            seen.push(told);
        }
    }
    assert!(seen.contains(&"InProgress/InProgress".to_owned()), "backwards: {seen:?}");
    assert!(w.organisation.executions().is_empty());
    w.organisation.plant(FaultSpec { clear: true, ..offline }).unwrap();
    let (command, _) = w.settled(&member, &id).await;
    assert_eq!(command["Status"], "Success");
}

#[tokio::test]
async fn a_gone_node_refuses_the_whole_call_and_stays_gone() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let nodes = w.nodes();
    w.organisation.plant(fault(FaultName::GoneNode).node(&nodes[2])).unwrap();
    let input = |nodes: &[String]| json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": nodes, "Parameters": {"commands": ["true"]}});
    assert!(w.refused(&member, "SendCommand", input(&nodes[..3])).await.starts_with("400 InvalidInstanceId"));
    assert!(w.organisation.executions().is_empty());
    let left = w.ssm(&member, "DescribeInstanceInformation", json!({"MaxResults": 50})).await;
    assert_eq!(left["InstanceInformationList"].as_array().unwrap().len(), 7);
    w.ssm(&member, "SendCommand", input(&nodes[..2])).await;
}

#[tokio::test]
async fn a_repeated_page_shows_a_node_twice() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let id = w.send(&member, &w.nodes(), &["true"], json!({})).await;
    w.settled(&member, &id).await;
    w.organisation.plant(fault(FaultName::RepeatedPage)).unwrap();
    let first = w.ssm(&member, "ListCommandInvocations", json!({"CommandId": id, "MaxResults": 4})).await;
    let second = w
        .ssm(
            &member,
            "ListCommandInvocations",
            json!({"CommandId": id, "MaxResults": 4, "NextToken": first["NextToken"]}),
        )
        .await;
    let count = |page: &Value| page["CommandInvocations"].as_array().unwrap().len();
    assert_eq!(count(&first) + count(&second), 8, "seven nodes, one of them twice");
}

#[tokio::test]
async fn a_denied_account_a_lagging_list_a_throttle_and_a_packed_policy_show() {
    let w = world(table(1)).await;
    w.organisation.plant(fault(FaultName::DenyAccount)).unwrap();
    assert!(w.member_of(4, None).await.unwrap_err().starts_with("403 AccessDenied"), "initech-prod by default");
    assert!(w.member_of(0, None).await.is_ok());

    let member = w.member(None).await;
    w.organisation.plant(fault(FaultName::DelayedList).value(60_000)).unwrap();
    let id = w.send(&member, &w.nodes()[..1], &["true"], json!({})).await;
    let listed = async |id: &str| {
        w.ssm(&member, "ListCommands", json!({"CommandId": id})).await["Commands"].as_array().unwrap().len()
    };
    assert_eq!(listed(&id).await, 0);
    w.organisation.plant(FaultSpec { clear: true, ..fault(FaultName::DelayedList) }).unwrap();
    assert_eq!(listed(&id).await, 1);

    w.organisation.plant(fault(FaultName::PackedPolicy)).unwrap();
    let policy = r#"{"Statement":[{"Effect":"Allow","Action":"ssm:List*","Resource":"*"}]}"#;
    assert!(w.member_of(0, Some(policy)).await.unwrap_err().starts_with("400 PackedPolicyTooLarge"));

    w.organisation.plant(fault(FaultName::Throttle).account("acme-prod")).unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(w.ssm_raw(&member, "ListCommandInvocations", &json!({})).await.unwrap().1);
    }
    assert!(told.iter().any(|t| t == r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#), "{told:?}");
    assert!(w.organisation.calls()["ssm:ListCommandInvocations"].throttled >= 1);
}

#[tokio::test]
async fn a_secret_and_a_full_disk_are_in_the_output() {
    let w = world(quick()).await;
    let member = w.member(None).await;
    let node = w.nodes()[0].clone();
    let ask = async || {
        let id = w.send(&member, std::slice::from_ref(&node), &["df -P \"$ROOT/var\" | tail -n 1"], json!({})).await;
        let (command, _) = w.settled(&member, &id).await;
        command["Invocations"][0]["CommandPlugins"][0]["Output"].as_str().unwrap().to_owned()
    };
    assert!(!ask().await.contains("97%"));
    w.organisation.plant(fault(FaultName::DiskFull).node(&node)).unwrap();
    w.organisation.plant(fault(FaultName::SecretInOutput)).unwrap();
    let output = ask().await;
    assert!(output.contains("97% /var"), "{output}");
    assert!(output.contains("AWS_SECRET_ACCESS_KEY="));
}
