//! The roles under `deploy/cloudformation`, judged by the simulated IAM and against what the AWS adapter calls.
//!
//! `tests/fixtures/cloudformation` holds the templates as AWS resolves them; `.ci/witness-deploy` makes and compares them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use muster::adapters::aws::actions::{ACTIONS, Rights};
use muster::adapters::aws::policy;
use muster::domain::{Bucket, Region};
use muster::playground::aws::iam::{Access, Policy, check};
use muster::ports::{Automation, SendSession};
use serde_json::Value;

fn fixture(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(format!("tests/fixtures/cloudformation/{name}.json")).unwrap()).unwrap()
}

/// Every action of a policy; single ones may stand without a list.
fn actions(policy: &Value) -> BTreeSet<String> {
    let of = |value: &Value| match value {
        Value::Array(list) => list.iter().map(|a| a.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    policy["Statement"].as_array().unwrap().iter().flat_map(|s| of(&s["Action"])).collect()
}

fn listed(wanted: &[Rights]) -> BTreeSet<String> {
    ACTIONS.iter().filter(|a| wanted.contains(&a.rights)).map(|a| a.name.to_owned()).collect()
}

fn with<'a>(mut set: BTreeSet<String>, more: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    set.extend(more.into_iter().map(str::to_owned));
    set
}

#[test]
fn the_member_role_allows_exactly_what_the_adapter_calls() {
    let member = fixture("member");
    assert_eq!(actions(&member["rights"]), listed(&[Rights::Reading, Rights::Sending]));
    let all = [Rights::Reading, Rights::Sending, Rights::ReadingAutomations, Rights::SendingAutomations];
    assert_eq!(actions(&fixture("member-automations")["rights"]), listed(&all), "automations are off unless asked for");
    let with_outputs = listed(&[Rights::Reading, Rights::Outputs, Rights::Sending]);
    assert_eq!(actions(&fixture("member-outputs")["rights"]), with_outputs);
    // What may be asked of the role is what the hub may ask for.
    let entering = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"].map(str::to_owned);
    assert_eq!(actions(&member["trust"]), entering.into());
}

#[test]
fn the_hub_role_enters_accounts_and_does_nothing_else() {
    // Tags are not ours: EKS Pod Identity puts them on its sessions and passes them on.
    let discovering = with(listed(&[Rights::Hub]), ["sts:TagSession"]);
    assert_eq!(actions(&fixture("hub-discovers")["rights"]), discovering);
    let hub = actions(&fixture("hub")["rights"]);
    assert_eq!(with(hub.clone(), ["organizations:ListAccounts"]), discovering);
    assert!(!hub.contains("organizations:ListAccounts"), "discovery is off unless asked for");
}

#[test]
fn the_fixtures_name_the_actions_of_the_templates() {
    let action = regex::Regex::new(r"\b(?:ssm|ec2|s3|sts|iam|organizations):[A-Z][A-Za-z]+\b").unwrap();
    let keys = ["sts:ExternalId", "sts:SourceIdentity", "iam:PassedToService"];
    let roles: [(&str, &[&str]); 2] =
        [("member", &["member-automations", "automation-role", "member-outputs"]), ("hub", &["hub-discovers"])];
    for (template, fixtures) in roles {
        let text = fs::read_to_string(format!("deploy/cloudformation/{template}.yaml")).unwrap();
        let code: String = text.lines().map(|l| format!("{}\n", l.split(" #").next().unwrap())).collect();
        let resources = &code[code.find("\nResources:").unwrap()..];
        let named: BTreeSet<String> = action
            .find_iter(resources)
            .map(|m| m.as_str().to_owned())
            .filter(|name| !keys.contains(&name.as_str()))
            .collect();
        let parts = fixtures.iter().map(|name| fixture(name));
        let resolved: BTreeSet<String> =
            parts.flat_map(|role| actions(&role["rights"]).into_iter().chain(actions(&role["trust"]))).collect();
        assert_eq!(named, resolved, "{template}.yaml: run `.ci/witness-deploy --write`");
    }
}

#[test]
fn only_the_hub_with_the_external_id_and_a_name_may_enter() {
    let trust = &fixture("member")["trust"]["Statement"][0];
    assert_eq!(trust["Principal"]["AWS"], "arn:aws:iam::999999999999:role/muster-hub");
    let equals = &trust["Condition"]["StringEquals"];
    assert!(equals["sts:ExternalId"].is_string() && equals["aws:PrincipalOrgID"].is_string(), "{trust}");
    assert_eq!(trust["Condition"]["Null"]["sts:SourceIdentity"], "false");
}

struct Judge {
    role: Policy,
    session: Policy,
}

impl Judge {
    fn new(role: &str, session: &str) -> Self {
        let role = fixture(role)["rights"].to_string();
        Judge { role: Policy::parse(&role).unwrap(), session: Policy::parse(session).unwrap() }
    }

    fn allows(&self, action: &str, resource: &str, tag: Option<&str>) -> bool {
        self.allows_if(action, resource, tag.map(|value| ("ssm:resourcetag/Muster", value)))
    }

    fn allows_if(&self, action: &str, resource: &str, context: Option<(&str, &str)>) -> bool {
        let context: BTreeMap<String, String> =
            context.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
        check(&self.role, Some(&self.session), &Access { action, resource, context: &context }).is_ok()
    }
}

const HYBRID: &str = "mi-0a1b2c3d4e5f60718";

fn sending(nodes: usize, document: &str) -> Vec<String> {
    let region: Region = "eu-west-1".parse().unwrap();
    let mut all: Vec<_> = (0..nodes).map(|n| (region.clone(), format!("i-{n:017x}").parse().unwrap())).collect();
    all.push((region.clone(), HYBRID.parse().unwrap()));
    let session = SendSession {
        run: "01J9ZX0000000000000000AB7F".parse().unwrap(),
        account: "111111111111".parse().unwrap(),
        identity: "slack.T0MUSTER.U0SUSAN".into(),
        nodes: all,
        documents: vec![document.to_owned()],
        automations: Vec::new(),
    };
    let tag = ("Muster".to_owned(), "allowed".to_owned());
    policy::sending(&session, &region, Some(&tag)).unwrap().into_iter().map(|(_, policy)| policy).collect()
}

#[test]
fn the_role_suffices_for_every_reading_call_and_a_reading_session_sends_nothing() {
    let judge = Judge::new("member-automations", policy::READING);
    let reading = [Rights::Reading, Rights::ReadingAutomations];
    for action in ACTIONS.iter().filter(|a| reading.contains(&a.rights)) {
        let resource = match action.name {
            "ssm:ListTagsForResource" => format!("arn:aws:ssm:eu-west-1:111111111111:managed-instance/{HYBRID}"),
            _ => "*".to_owned(),
        };
        assert!(judge.allows(action.name, &resource, None), "{}", action.name);
    }
    let node = "arn:aws:ec2:eu-west-1:111111111111:instance/i-00000000000000000";
    assert!(!judge.allows("ssm:SendCommand", node, Some("allowed")));
    assert!(!judge.allows(START, &definition("eu-west-1", "AWS-RestartEC2Instance"), None));
}

const START: &str = "ssm:StartAutomationExecution";

fn definition(region: &str, name: &str) -> String {
    format!("arn:aws:ssm:{region}::automation-definition/{name}:$DEFAULT")
}

#[test]
fn the_role_starts_the_one_automation_and_passes_the_one_role_to_systems_manager() {
    let region: Region = "eu-west-1".parse().unwrap();
    let session = |document: &str, role: &str| {
        let session = SendSession {
            run: "01J9ZX0000000000000000AB7F".parse().unwrap(),
            account: "111111111111".parse().unwrap(),
            identity: "slack.T0MUSTER.U0SUSAN".into(),
            nodes: vec![(region.clone(), HYBRID.parse().unwrap())],
            documents: Vec::new(),
            automations: vec![Automation { document: document.to_owned(), role: role.to_owned() }],
        };
        policy::sending(&session, &region, None).unwrap().remove(0).1
    };
    let restart = "AWS-RestartEC2Instance";
    let judge = Judge::new("member-automations", &session(restart, "muster-automation"));
    // What AWS asks about, now and before.
    let document = "arn:aws:ssm:eu-west-1::document/AWS-RestartEC2Instance";
    let execution = "arn:aws:ssm:eu-west-1:111111111111:automation-execution/6d1cb32b-0000-4000-8000-000000000001";
    let (here, elsewhere) = (definition("eu-west-1", restart), definition("ap-south-1", restart));
    assert!([document, execution, here.as_str()].iter().all(|resource| judge.allows(START, resource, None)));
    assert!(!judge.allows(START, &elsewhere, None), "a region that the role does not name");
    let role = "arn:aws:iam::111111111111:role/muster-automation";
    let to = |service| Some(("iam:passedtoservice", service));
    assert!(judge.allows_if("iam:PassRole", role, to("ssm.amazonaws.com")));
    assert!(!judge.allows_if("iam:PassRole", role, to("ec2.amazonaws.com")));
    assert!(!judge.allows_if("iam:PassRole", "arn:aws:iam::111111111111:role/admin", to("ssm.amazonaws.com")));
    assert!(!judge.allows("ssm:SendCommand", "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript", None));
    assert!(!judge.allows(
        "ec2:StopInstances",
        "arn:aws:ec2:eu-west-1:111111111111:instance/i-00000000000000000",
        None
    ));

    // What a runbook names beyond it the role does not have.
    let other = Judge::new("member-automations", &session("AWS-TerminateEC2Instance", "admin"));
    assert!(!other.allows(START, &definition("eu-west-1", "AWS-TerminateEC2Instance"), None));
    assert!(!other.allows_if("iam:PassRole", "arn:aws:iam::111111111111:role/admin", to("ssm.amazonaws.com")));
    let off = Judge::new("member", &session(restart, "muster-automation"));
    assert!(!off.allows(START, &here, None) && !off.allows_if("iam:PassRole", role, to("ssm.amazonaws.com")));
}

#[test]
fn automations_stop_and_start_tagged_instances_and_only_systems_manager_acts_as_their_role() {
    let role = fixture("automation-role");
    let trust = &role["trust"]["Statement"][0];
    assert_eq!(trust["Principal"]["Service"], "ssm.amazonaws.com");
    assert_eq!(trust["Condition"]["StringEquals"]["aws:SourceAccount"], "111111111111");
    let rights = Policy::parse(&role["rights"].to_string()).unwrap();
    let may = |action: &str, region: &str, tag: Option<&str>| {
        let resource = format!("arn:aws:ec2:{region}:111111111111:instance/i-00000000000000000");
        let context = tag.map(|value| ("aws:resourcetag/Muster".to_owned(), value.to_owned())).into_iter().collect();
        check(&rights, None, &Access { action, resource: &resource, context: &context }).is_ok()
    };
    for action in ["ec2:StopInstances", "ec2:StartInstances"] {
        assert!(may(action, "eu-west-1", Some("allowed")));
        assert!(!may(action, "eu-west-1", None) && !may(action, "eu-west-1", Some("never")), "without the tag");
        assert!(!may(action, "ap-south-1", Some("allowed")), "a region that the role does not name");
    }
    assert!(!may("ec2:TerminateInstances", "eu-west-1", Some("allowed")));
}

#[test]
fn with_a_bucket_a_reading_session_gets_its_outputs_and_nothing_else_of_s3() {
    let bucket =
        |name: &str| Bucket { name: name.into(), prefix: "muster".into(), region: "eu-west-1".parse().unwrap() };
    let judge = Judge::new("member-outputs", &policy::reading(Some(&bucket("acme-outputs"))));
    let gets = |judge: &Judge, object: &str| judge.allows("s3:GetObject", &format!("arn:aws:s3:::{object}"), None);
    assert!(gets(&judge, "acme-outputs/muster/c/i/awsrunShellScript/0.awsrunShellScript/stdout"));
    assert!(!gets(&judge, "acme-outputs/other/x") && !gets(&judge, "globex-outputs/muster/x"));
    assert!(!judge.allows("s3:PutObject", "arn:aws:s3:::acme-outputs/muster/x", None));
    assert!(judge.allows("ssm:ListCommands", "*", None));
    // Neither the role nor the session alone is enough.
    assert!(!gets(&Judge::new("member", &policy::reading(Some(&bucket("acme-outputs")))), "acme-outputs/muster/x"));
    assert!(!gets(&Judge::new("member-outputs", policy::READING), "acme-outputs/muster/x"));
}

#[test]
fn the_role_suffices_for_every_sending_session_and_stops_at_tag_region_and_document() {
    let node = |region: &str| format!("arn:aws:ec2:{region}:111111111111:instance/i-00000000000000000");
    let hybrid = format!("arn:aws:ssm:eu-west-1:111111111111:managed-instance/{HYBRID}");
    // By ids, and by the boundary tag where they are too many.
    for nodes in [2, 60] {
        for (document, arn) in [
            ("AWS-RunShellScript", "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript"),
            ("AWS-RunPowerShellScript", "arn:aws:ssm:eu-west-1::document/AWS-RunPowerShellScript"),
            ("Muster-disk-usage", "arn:aws:ssm:eu-west-1:111111111111:document/Muster-disk-usage"),
        ] {
            for policy in sending(nodes, document) {
                let judge = Judge::new("member", &policy);
                let send = |resource: &str, tag| judge.allows("ssm:SendCommand", resource, tag);
                assert!(send(arn, None), "{nodes} nodes, {document}");
                assert!(send(&node("eu-west-1"), Some("allowed")) && send(&hybrid, Some("allowed")), "{document}");
                assert!(!send(&node("eu-west-1"), None) && !send(&hybrid, Some("never")), "without the tag");
                assert!(!send(&node("ap-south-1"), Some("allowed")), "a region that the role does not name");
                assert!(!send(&arn.replace(document, "AWS-ApplyAnsiblePlaybooks"), None), "another document");
            }
        }
    }
}

#[test]
fn without_inline_scripts_only_reviewed_documents_are_left() {
    let inline = "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript";
    let own = "arn:aws:ssm:eu-west-1:111111111111:document/Muster-disk-usage";
    let judge = Judge::new("member-documents-only", &sending(2, "AWS-RunShellScript")[0]);
    assert!(!judge.allows("ssm:SendCommand", inline, None));
    let judge = Judge::new("member-documents-only", &sending(2, "Muster-disk-usage")[0]);
    assert!(judge.allows("ssm:SendCommand", own, None));
}
