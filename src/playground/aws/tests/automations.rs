//! Automations from the wire: one execution for each client token, children with their steps, what they do to machines.

use insta::assert_snapshot;

use super::*;
use crate::playground::aws::{FaultName, FaultSpec};

const TOKEN: &str = "0a1b2c3d-0000-4000-8000-0123456789ab";
const ROLE: &str = "arn:aws:iam::111111111111:role/muster-automation";

fn restart(nodes: &[String], more: Value) -> Value {
    let mut input = json!({
        "DocumentName": "AWS-RestartEC2Instance", "ClientToken": TOKEN, "TargetParameterName": "InstanceId",
        "Targets": [{"Key": "ParameterValues", "Values": nodes}], "Parameters": {"AutomationAssumeRole": [ROLE]},
        "MaxConcurrency": "50", "MaxErrors": "0",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    input
}

impl World {
    async fn started(&self, signer: &Signer, input: Value) -> String {
        let answer = self.ssm(signer, "StartAutomationExecution", input).await;
        answer["AutomationExecutionId"].as_str().unwrap().to_owned()
    }

    async fn children(&self, signer: &Signer, parent: &str) -> Vec<Value> {
        let filters = json!([{"Key": "ParentExecutionId", "Values": [parent]}]);
        let list = self.ssm(signer, "DescribeAutomationExecutions", json!({"Filters": filters})).await;
        list["AutomationExecutionMetadataList"].as_array().unwrap().clone()
    }

    async fn whole(&self, signer: &Signer, id: &str) -> Value {
        let answer = self.ssm(signer, "GetAutomationExecution", json!({"AutomationExecutionId": id})).await;
        answer["AutomationExecution"].clone()
    }

    /// The parent when it and its children are over, and the words of the children.
    async fn over(&self, signer: &Signer, parent: &str) -> (Value, Vec<String>) {
        for _ in 0..2000 {
            let whole = self.whole(signer, parent).await;
            let words = |v: &Value| v["AutomationExecutionStatus"].as_str().unwrap().to_owned();
            let children: Vec<String> = self.children(signer, parent).await.iter().map(words).collect();
            let over = |w: &String| ["Success", "Failed", "Cancelled"].contains(&w.as_str());
            if over(&words(&whole)) && children.iter().all(over) {
                return (whole, children);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the automation did not end");
    }

    fn machine(&self, id: &str) -> crate::playground::aws::generate::Machine {
        self.organisation.machines().into_iter().find(|(_, _, m)| m.id.as_str() == id).unwrap().2
    }
}

#[tokio::test]
async fn a_restarted_machine_is_away_and_comes_back_with_a_new_boot() {
    let mut settings = table(1);
    settings.pace.reboot = crate::domain::Millis(400);
    let w = world(settings).await;
    let member = w.member(None).await;
    let nodes = w.nodes()[..2].to_vec();
    w.organisation.plant(FaultSpec::new(FaultName::ServiceFailed).node(&nodes[0])).unwrap();
    w.organisation.plant(FaultSpec::new(FaultName::OfflineNode).node(&nodes[1])).unwrap();
    let id = w.started(&member, restart(&nodes, json!({}))).await;
    while !w.machine(&nodes[0]).stopped {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let filter = json!({"Filters": [{"Key": "InstanceIds", "Values": [nodes[0]]}]});
    let away = w.ssm(&member, "DescribeInstanceInformation", filter.clone()).await;
    assert_eq!(away["InstanceInformationList"], json!([]), "SSM does not list a stopped machine");
    let send =
        json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": [nodes[0]], "Parameters": {"commands": ["true"]}});
    assert!(w.refused(&member, "SendCommand", send).await.starts_with("400 InvalidInstanceId"));

    let (parent, children) = w.over(&member, &id).await;
    assert_eq!(children, ["Success", "Success"]);
    assert_eq!(parent["AutomationExecutionStatus"], "Success");
    for node in &nodes {
        let machine = w.machine(node);
        assert!(machine.online && !machine.stopped && !machine.condition.failed && !machine.condition.reboot_due);
        assert_eq!(machine.boots, 1);
    }
    let runs = w.organisation.executions();
    assert_eq!(runs.iter().map(|e| (e.by, e.exit)).collect::<Vec<_>>(), [("automation", Some(0)); 2]);
    assert!(w.organisation.sends().iter().all(|s| s.comment == TOKEN && s.nodes == nodes));
}

#[tokio::test]
async fn an_execution_has_the_shape_of_the_api_model() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let node = w.nodes()[0].clone();
    let id = w.started(&member, restart(std::slice::from_ref(&node), json!({}))).await;
    let (parent, _) = w.over(&member, &id).await;
    let child = w.children(&member, &id).await.remove(0);
    let whole = w.whole(&member, child["AutomationExecutionId"].as_str().unwrap()).await;
    let text = serde_json::to_string_pretty(&json!({"parent": parent, "child": child, "whole": whole})).unwrap();
    assert_snapshot!(plain(&text).replace(&node, "<node>"));
}

#[tokio::test]
async fn the_same_client_token_is_the_same_execution_and_never_another_one() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let nodes = w.nodes();
    w.organisation.plant(FaultSpec::new(FaultName::LostAnswer).account("acme-prod")).unwrap();
    let input = restart(&nodes[..1], json!({}));
    assert_eq!(w.ssm_raw(&member, "StartAutomationExecution", &input).await, None, "taken, and no answer");
    let id = w.started(&member, input.clone()).await;
    let again = json!({"ClientToken": TOKEN.to_uppercase()});
    assert_eq!(w.started(&member, restart(&nodes[..1], again)).await, id, "case does not matter");
    let other = restart(&nodes[..2], json!({}));
    assert!(w.refused(&member, "StartAutomationExecution", other).await.contains("IdempotentParameterMismatch"));
    assert_eq!(w.started(&member, input).await, id);
    w.over(&member, &id).await;
    assert_eq!(w.organisation.sends().len(), 1);
    assert!(!w.organisation.sends()[0].answered);
    assert_eq!(w.machine(&nodes[0]).boots, 1, "it was restarted once");
    assert_eq!(w.machine(&nodes[1]).boots, 0);
}

#[tokio::test]
async fn a_role_is_passed_by_who_may_and_only_the_accounts_own() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let nodes = w.nodes();
    let mut told = Vec::new();
    for role in ["arn:aws:iam::111111111111:role/admin", "arn:aws:iam::222222222222:role/muster-automation"] {
        let input = restart(&nodes[..1], json!({"Parameters": {"AutomationAssumeRole": [role]}}));
        told.push(w.refused(&member, "StartAutomationExecution", input).await);
    }
    let narrow = |resource: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"ssm:*","Resource":"{resource}"}}]}}"#
        )
    };
    let without_pass = w.member(Some(&narrow("*"))).await;
    told.push(w.refused(&without_pass, "StartAutomationExecution", restart(&nodes[..1], json!({}))).await);
    for part in ["document", "automation-definition", "automation-execution"] {
        let session = w.member(Some(&narrow(&format!("arn:aws:ssm:*:*:{part}/*")))).await;
        told.push(w.refused(&session, "StartAutomationExecution", restart(&nodes[..1], json!({}))).await);
    }
    for more in [
        json!({"DocumentName": "Acme-Failover"}),
        json!({"ClientToken": "no-uuid"}),
        json!({"Parameters": {"AutomationAssumeRole": [ROLE], "Color": ["red"]}}),
    ] {
        told.push(w.refused(&member, "StartAutomationExecution", restart(&nodes[..1], more)).await);
    }
    assert_snapshot!(told.join("\n"));
    assert!(w.organisation.sends().is_empty());
}

#[tokio::test]
async fn without_a_role_an_automation_has_its_callers_rights_and_no_more() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let node = w.nodes()[0].clone();
    let id = w.started(&member, restart(std::slice::from_ref(&node), json!({"Parameters": {}}))).await;
    let (parent, children) = w.over(&member, &id).await;
    assert_eq!((parent["AutomationExecutionStatus"].as_str(), children), (Some("Failed"), vec!["Failed".to_owned()]));
    let failure = w.children(&member, &id).await[0]["FailureMessage"].as_str().unwrap().to_owned();
    assert_snapshot!(plain(&failure).replace(&node, "<node>"));
    assert!(!w.machine(&node).stopped);
}

#[tokio::test]
async fn too_many_failures_and_a_stopped_parent_keep_further_nodes_from_beginning() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let nodes = w.nodes();
    w.organisation.plant(FaultSpec::new(FaultName::GoneNode).node(&nodes[0])).unwrap();
    let gone =
        json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": [nodes[0]], "Parameters": {"commands": ["true"]}});
    w.refused(&member, "SendCommand", gone).await;
    let id = w.started(&member, restart(&nodes[..3], json!({"MaxConcurrency": "1"}))).await;
    let (parent, children) = w.over(&member, &id).await;
    assert_eq!((parent["AutomationExecutionStatus"].as_str(), children), (Some("Failed"), vec!["Failed".to_owned()]));
    assert_eq!(w.machine(&nodes[1]).boots, 0);

    let mut settings = table(1);
    settings.pace.reboot = crate::domain::Millis(60_000);
    let w = world(settings).await;
    let member = w.member(None).await;
    let nodes = w.nodes();
    let id = w.started(&member, restart(&nodes[..2], json!({"MaxConcurrency": "1"}))).await;
    while !w.machine(&nodes[0]).stopped {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let child = w.children(&member, &id).await[0]["AutomationExecutionId"].clone();
    for id in [json!(id), child.clone()] {
        w.ssm(&member, "StopAutomationExecution", json!({"AutomationExecutionId": id})).await;
    }
    let (parent, children) = w.over(&member, &id).await;
    assert_eq!(
        (parent["AutomationExecutionStatus"].as_str(), children),
        (Some("Cancelled"), vec!["Cancelled".to_owned()])
    );
    assert!(w.machine(&nodes[0]).stopped, "what was half done stays half done");
    let late = w.refused(&member, "StopAutomationExecution", json!({"AutomationExecutionId": child})).await;
    assert!(late.contains("InvalidAutomationStatusUpdateException"), "{late}");
}

#[tokio::test]
async fn a_machine_that_is_never_reached_reads_success_and_keeps_its_boot() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let node = w.nodes()[0].clone();
    w.organisation.plant(FaultSpec::new(FaultName::NeverRuns).node(&node)).unwrap();
    let id = w.started(&member, restart(std::slice::from_ref(&node), json!({}))).await;
    assert_eq!(w.over(&member, &id).await.1, ["Success"]);
    assert_eq!((w.machine(&node).boots, w.organisation.executions().len()), (0, 0));
}
