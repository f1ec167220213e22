//! Every shipped runbook over the simulated fleet, by the agents of the simulated AWS and without the bot.

use std::collections::{BTreeMap, BTreeSet};

use muster::domain::{Digest, NodePlatform, Timestamp};
use muster::playground::aws::generate::{Machine, Trouble};
use muster::playground::aws::{
    Execution, FaultName, FaultSpec, Organisation, Running, Settings, Signer, hub_role_arn, serve,
};
use muster::runbook::{
    ASSUME_ROLE, Action, Guard, Library, Rendered, Runbook, Step, check, commands, extract, needs_guard, render,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What each runbook is asked; those that need nothing are not named.
const ARGUMENTS: &[(&str, &[(&str, &str)])] = &[
    (
        "ansible-playbook",
        &[
            ("source", r#"{"path":"https://s3.eu-west-1.amazonaws.com/acme-ops/playbooks.zip"}"#),
            ("playbook", "site.yml"),
            ("check", "False"),
        ],
    ),
    (
        "ensure-line",
        &[("file", "/etc/nginx/nginx.conf"), ("line", "worker_processes 4;"), ("begins", "worker_processes ")],
    ),
    ("free-disk", &[("dryrun", "false")]),
    ("log-rotation", &[("name", "worker"), ("files", "/var/log/worker/*.log")]),
    ("package-version", &[("package", "openssl"), ("wanted", "any")]),
    ("restart-where-failed", &[("service", "nginx")]),
    ("restart-service", &[("service", "nginx")]),
    ("restart-service-windows", &[("service", "Spooler")]),
    ("service-status", &[("service", "nginx")]),
    ("service-status-windows", &[("service", "W3SVC")]),
    ("set-sysctl", &[("setting", "vm.swappiness"), ("value", "10")]),
    ("time-sync", &[("wait", "0")]),
    ("user-exists", &[("login", "deploy"), ("wanted", "present")]),
];

/// How a run ended on a node, in the words of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Succeeded,
    Failed,
    ExpectNotMet,
    TimedOut,
    Undeliverable,
    Offline,
}

/// One node's answer.
#[derive(Debug)]
struct Answer {
    class: Class,
    extracted: BTreeMap<String, String>,
    output: String,
}

struct Fleet {
    organisation: Organisation,
    running: Running,
    members: BTreeMap<String, Signer>,
}

impl Fleet {
    async fn new(settings: Settings) -> Self {
        let scripts = super::library();
        let steps = scripts.runbooks.values().flat_map(|r| &r.steps);
        let shipped = steps.filter_map(|s| commands(s, &BTreeMap::new(), None).pop());
        let many = muster::playground::aws::Rate::new(10_000.0, 10_000.0);
        let rates =
            muster::playground::aws::Rates { send: many, read: many, ec2: many, organizations: many, sts: many };
        let shipped: BTreeSet<Digest> = shipped.map(|s| Digest::of(s.as_bytes())).collect();
        let organisation = Organisation::new(Settings { rates, shipped, ..settings }).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = serve(listener, organisation.clone()).await.unwrap();
        let mut fleet = Fleet { organisation, running, members: BTreeMap::new() };
        let hub = fleet.assume(&fleet.organisation.base_credentials(), &[("RoleArn", &hub_role_arn())]).await;
        for account in fleet.organisation.accounts().to_vec() {
            let asked = [
                ("RoleArn", account.role_arn.as_str()),
                ("ExternalId", &account.external_id),
                ("SourceIdentity", "slack.T0MUSTER.U0SUSAN"),
            ];
            let member = fleet.assume(&hub, &asked).await;
            fleet.members.insert(account.id.to_string(), member);
        }
        fleet
    }

    async fn post(&self, signer: &Signer, service: &str, region: &str, target: &str, body: &str) -> (u16, String) {
        let kind = if target.is_empty() { "application/x-www-form-urlencoded" } else { "application/x-amz-json-1.1" };
        let mut extra = vec![("content-type", kind.to_owned())];
        if !target.is_empty() {
            extra.push(("x-amz-target", target.to_owned()));
        }
        let host = self.running.addr.to_string();
        let headers = signer.headers(&host, &extra, service, region, Timestamp::now(), body.as_bytes());
        let mut text = "POST / HTTP/1.1\r\n".to_owned();
        for (name, value) in &headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(self.running.addr).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn assume(&self, by: &Signer, asked: &[(&str, &str)]) -> Signer {
        let mut body = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=run".to_owned();
        for (name, value) in asked {
            let value: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
            body += &format!("&{name}={value}");
        }
        let (status, text) = self.post(by, "sts", "eu-west-1", "", &body).await;
        assert_eq!(status, 200, "{text}");
        let part = |tag: &str| text.split(&format!("<{tag}>")).nth(1).unwrap().split('<').next().unwrap().to_owned();
        Signer { access_key: part("AccessKeyId"), secret: part("SecretAccessKey"), token: Some(part("SessionToken")) }
    }

    async fn ssm(&self, account: &str, region: &str, operation: &str, input: &Value) -> Result<Value, String> {
        let target = format!("AmazonSSM.{operation}");
        let (status, body) = self.post(&self.members[account], "ssm", region, &target, &input.to_string()).await;
        if status == 200 { Ok(serde_json::from_str(&body).unwrap()) } else { Err(body) }
    }

    /// Managed nodes that a runbook runs on, by account and region.
    fn nodes(&self, runbook: &Runbook) -> BTreeMap<(String, String), Vec<Machine>> {
        let mut nodes: BTreeMap<(String, String), Vec<Machine>> = BTreeMap::new();
        for (account, region, machine) in self.organisation.machines() {
            if machine.managed && runbook.targets.platforms.contains(&machine.platform) {
                nodes.entry((account.to_string(), region.to_string())).or_default().push(machine);
            }
        }
        nodes
    }

    /// One step on nodes of one account and region; offline ones are not waited for.
    async fn step(
        &self,
        (account, region): &(String, String),
        machines: &[&Machine],
        runbook: &Runbook,
        index: usize,
        timeout: Option<&str>,
    ) -> Vec<(String, Answer)> {
        let step = &runbook.steps[index];
        let given = ARGUMENTS.iter().find(|(name, _)| *name == runbook.name.as_str()).map_or(&[][..], |(_, a)| *a);
        let given = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let arguments = check(runbook, &given)
            .unwrap_or_else(|f| panic!("{}: {f:?}; write what it is asked into ARGUMENTS", runbook.name));
        // Each runbook is a run of its own, or the once-guard of the first would hold the others back.
        let number = super::COVERED.iter().position(|name| *name == runbook.name.as_str()).unwrap();
        let run = format!("01J9ZX00000000000000000{number:03}").parse().unwrap();
        let guard = Guard { run, step: u32::try_from(index).unwrap(), attempt: 1 };
        let guard = needs_guard(runbook.risk, step).then_some(guard);
        let mut rendered = render(step, &arguments, guard.as_ref());
        if let Some(timeout) = timeout {
            rendered.parameters.insert("executionTimeout".into(), vec![timeout.into()]);
        }
        let ids: Vec<&str> = machines.iter().map(|m| m.id.as_str()).collect();
        if let Action::Automation { target, .. } = &step.action {
            return self.automation((account, region), &ids, step, target, rendered).await;
        }
        let input = json!({
            "DocumentName": rendered.document, "Parameters": rendered.parameters, "InstanceIds": ids,
            "MaxConcurrency": "100%", "MaxErrors": "100%", "TimeoutSeconds": 600,
        });
        let sent = self.ssm(account, region, "SendCommand", &input).await;
        let sent = sent.unwrap_or_else(|e| panic!("{} {}: {e}", runbook.name, step.name));
        let command = sent["Command"]["CommandId"].as_str().unwrap().to_owned();
        let mut answers = Vec::new();
        for machine in machines {
            let online = machine.online;
            loop {
                let asked = json!({"CommandId": command, "InstanceId": machine.id.as_str()});
                let seen = self.ssm(account, region, "GetCommandInvocation", &asked).await.unwrap();
                let details = seen["StatusDetails"].as_str().unwrap().to_owned();
                let stdout = seen["StandardOutputContent"].as_str().unwrap().to_owned();
                let (extracted, unmet) = extract::evaluate(step, &stdout);
                let class = match details.as_str() {
                    "Success" if unmet.is_empty() => Class::Succeeded,
                    "Success" => Class::ExpectNotMet,
                    "Failed" => Class::Failed,
                    "ExecutionTimedOut" => Class::TimedOut,
                    "Delayed" if !online => Class::Offline,
                    "Pending" | "InProgress" | "Delayed" => {
                        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                        continue;
                    }
                    other => panic!("{} on {}: {other}", runbook.name, machine.name),
                };
                let output = format!("{stdout}{}", seen["StandardErrorContent"].as_str().unwrap());
                answers.push((machine.id.to_string(), Answer { class, extracted, output }));
                break;
            }
        }
        answers
    }

    /// An automation on nodes of one account and region, with what the steps of each give out as its output.
    async fn automation(
        &self,
        (account, region): (&str, &str),
        ids: &[&str],
        step: &Step,
        target: &str,
        mut rendered: Rendered,
    ) -> Vec<(String, Answer)> {
        let role = format!("arn:aws:iam::{account}:role/{}", step.action.role().unwrap());
        rendered.parameters.insert(ASSUME_ROLE.to_owned(), vec![role]);
        let input = json!({
            "DocumentName": rendered.document, "Parameters": rendered.parameters, "TargetParameterName": target,
            "Targets": [{"Key": "ParameterValues", "Values": ids}], "MaxConcurrency": "50", "MaxErrors": "50",
        });
        let parent = self.ssm(account, region, "StartAutomationExecution", &input).await.unwrap();
        let filters = json!({"Filters": [{"Key": "ParentExecutionId", "Values": [parent["AutomationExecutionId"]]}]});
        let children = loop {
            let list = self.ssm(account, region, "DescribeAutomationExecutions", &filters).await.unwrap();
            let children = list["AutomationExecutionMetadataList"].as_array().unwrap().clone();
            if children.len() == ids.len() && children.iter().all(|c| c["ExecutionEndTime"].is_number()) {
                break children;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        let mut answers = Vec::new();
        for child in children {
            let asked = json!({"AutomationExecutionId": child["AutomationExecutionId"]});
            let whole = self.ssm(account, region, "GetAutomationExecution", &asked).await.unwrap();
            let mut output = String::new();
            for done in whole["AutomationExecution"]["StepExecutions"].as_array().unwrap() {
                for (name, values) in done["Outputs"].as_object().unwrap() {
                    let values: Vec<&str> = values.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
                    output += &format!("{}.{name} = {}\n", done["StepName"].as_str().unwrap(), values.join(", "));
                }
            }
            let (extracted, unmet) = extract::evaluate(step, &output);
            let class = match child["AutomationExecutionStatus"].as_str().unwrap() {
                "Success" if unmet.is_empty() => Class::Succeeded,
                "Success" => Class::ExpectNotMet,
                "Failed" => Class::Failed,
                other => panic!("{} on {}: {other}", step.name, child["Target"]),
            };
            answers.push((child["Target"].as_str().unwrap().to_owned(), Answer { class, extracted, output }));
        }
        answers
    }

    /// A whole runbook on every node, but for those left out. What failed gets no further steps.
    async fn run(&self, runbook: &Runbook, without: &str) -> BTreeMap<String, Answer> {
        let mut all: BTreeMap<String, Answer> = BTreeMap::new();
        for (cell, machines) in self.nodes(runbook) {
            for index in 0..runbook.steps.len() {
                let left = |m: &&Machine| {
                    let id = m.id.as_str();
                    id != without && all.get(id).is_none_or(|a| a.class == Class::Succeeded)
                };
                let machines: Vec<&Machine> = machines.iter().filter(left).collect();
                if machines.is_empty() {
                    continue;
                }
                for (id, answer) in self.step(&cell, &machines, runbook, index, None).await {
                    match all.get_mut(&id) {
                        None => drop(all.insert(id, answer)),
                        Some(before) => {
                            before.class = answer.class;
                            before.extracted.extend(answer.extracted);
                            before.output += &answer.output;
                        }
                    }
                }
            }
        }
        all
    }

    fn with(&self, trouble: Trouble) -> ((String, String), Machine) {
        let all = self.organisation.machines();
        let (account, region, machine) =
            all.into_iter().find(|(_, _, m)| m.condition.trouble == Some(trouble)).unwrap();
        ((account.to_string(), region.to_string()), machine)
    }
}

/// Every runbook everywhere, and what has to be true of each and of all together.
async fn every_runbook_gives_a_verdict(fleet: &Fleet, library: &Library, hangs: bool) {
    let mut classes: BTreeSet<Class> = BTreeSet::new();
    let mut verdicts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let (mirror_cell, mirror) = fleet.with(Trouble::DeadMirror);
    // Changes come last, so that they do not hide what the others look for.
    let mut order: Vec<_> = library.runbooks.values().collect();
    order.sort_by_key(|r| (r.risk, r.name.clone()));
    for runbook in order {
        let slow = hangs && runbook.name.as_str() == "pending-patches";
        let mut answers = fleet.run(runbook, if slow { mirror.id.as_str() } else { "" }).await;
        if slow {
            let alone = fleet.step(&mirror_cell, &[&mirror], runbook, 0, Some("2")).await;
            answers.extend(alone);
        }
        let nodes: usize = fleet.nodes(runbook).values().map(Vec::len).sum();
        assert_eq!(answers.len(), nodes, "{} answers on every node", runbook.name);
        for (node, answer) in &answers {
            classes.insert(answer.class);
            let told = !answer.extracted.is_empty()
                || matches!(answer.class, Class::Offline | Class::TimedOut)
                || (answer.class == Class::Failed && answer.output.lines().count() > 1);
            assert!(told, "{} tells nothing on {node}: {answer:#?}", runbook.name);
            let plain = !["/tmp/", "already ran here", ": not found"].iter().any(|t| answer.output.contains(t));
            assert!(plain, "{} on {node} shows this host, or did not run: {answer:#?}", runbook.name);
            for (name, value) in &answer.extracted {
                let key = format!("{} {name}", runbook.name);
                *verdicts.entry(key).or_default().entry(value.clone()).or_default() += 1;
            }
        }
    }
    let count = |key: &str, value: &str| verdicts.get(key).and_then(|v| v.get(value)).copied().unwrap_or(0);
    assert_eq!(count("certificate-expiry verdict", "expired"), 1, "{verdicts:#?}");
    assert_eq!(count("time-sync verdict", "unsynchronised"), 1, "{verdicts:#?}");
    assert_eq!(count("sudoers verdict", "look"), 1, "{verdicts:#?}");
    assert_eq!(count("memory-pressure verdict", "killed"), 1, "{verdicts:#?}");
    assert_eq!(count("system-errors verdict", "out-of-memory"), 1, "{verdicts:#?}");
    for both in [
        "agent-version verdict",
        "ansible-playbook failed",
        "connections established",
        "disk-usage used",
        "free-disk before",
        "host-diagnostics verdict",
        "package-version version",
        "patch-baseline missing",
        "pending-patches verdict",
        "reboot-required verdict",
        "service-status state",
        "system-errors verdict",
        "top-processes busiest",
    ] {
        assert!(verdicts[both].len() > 1, "{both} is the same everywhere: {:?}", verdicts[both]);
    }
    // Once from outside and, where a script can do it, once from inside.
    let machines = fleet.organisation.machines();
    let booted = machines.iter().filter(|(_, _, m)| (1..=2).contains(&m.boots) && m.online).count();
    assert_eq!(booted, count("restart-instance state", "running"), "every machine runs again");
    // A gone node is refused by SendCommand, which Muster reads as undeliverable.
    let (cell, machine) = fleet.with(Trouble::SecondRoot);
    let gone = FaultSpec { node: Some(machine.id.to_string()), ..FaultSpec::new(FaultName::GoneNode) };
    fleet.organisation.plant(gone).unwrap();
    let input = json!({"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["true"]}, "InstanceIds": [machine.id.as_str()]});
    let refused = fleet.ssm(&cell.0, &cell.1, "SendCommand", &input).await.unwrap_err();
    assert!(refused.contains("InvalidInstanceId"), "{refused}");
    classes.insert(Class::Undeliverable);
    let mut wanted =
        BTreeSet::from([Class::Succeeded, Class::Failed, Class::ExpectNotMet, Class::Undeliverable, Class::Offline]);
    wanted.extend(hangs.then_some(Class::TimedOut));
    assert_eq!(classes, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_runbook_gives_a_verdict_on_every_linux_node_and_every_ending_is_seen() {
    // Five nodes in a region have every role, and the four customers' accounts every trouble.
    let fleet = Fleet::new(Settings { accounts: 4, nodes: 5, ..Settings::quick() }).await;
    if let Some(why) = fleet.organisation.confinement_fault() {
        eprintln!("skipped: {why}");
        return;
    }
    let mut library = super::library();
    library.runbooks.retain(|_, r| r.targets.platforms.contains(&NodePlatform::Linux));
    every_runbook_gives_a_verdict(&fleet, &library, true).await;
    let scripts = fleet.organisation.executions().iter().filter(|e| e.by == "script").count();
    let shell = library.runbooks.values().filter(|r| matches!(r.steps[0].action, Action::Shell { .. })).count();
    assert!(scripts >= shell * 39, "{scripts} executions were scripts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_script_can_run_the_tables_tell_as_much() {
    let execution = Execution::Table { script_time: muster::domain::Millis(1) };
    let fleet = Fleet::new(Settings { execution, ..Settings::quick() }).await;
    every_runbook_gives_a_verdict(&fleet, &super::library(), false).await;
}
