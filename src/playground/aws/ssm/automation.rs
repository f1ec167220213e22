//! StartAutomationExecution with its client token, and what reads and stops what it started.
//!
//! The same token with the same input is the same execution; with another input it is refused. AWS asks IAM about the
//! document, the execution and, as it used to, the definition: all three have to be allowed here, and the role as well.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::{Digest, Timestamp};

use super::super::automation::{self, Acting, Automation, DEFINITIONS, Definition, Drive, PARAMETERS, Status};
use super::super::faults::FaultName;
use super::super::generate::AUTOMATION_ROLE;
use super::super::log::Sent;
use super::super::organisation::lock;
use super::super::refusal::{Refusal, Stop, uuid};
use super::list::page;
use super::{Call, epoch, texts};

pub(super) fn start(call: &Call<'_>) -> Result<Value, Stop> {
    let asked = Asked::read(call)?;
    let account = call.caller.account.as_str();
    let none = BTreeMap::new();
    for resource in [
        format!("arn:aws:ssm:{}::document/{}", call.region, asked.document),
        format!("arn:aws:ssm:{}::automation-definition/{}:{}", call.region, asked.document, asked.version),
        format!("arn:aws:ssm:{}:{account}:automation-execution/*", call.region),
    ] {
        call.allow("ssm:StartAutomationExecution", &resource, &none)?;
    }
    let definition = DEFINITIONS.into_iter().find(|d| d.name == asked.document).ok_or_else(|| {
        let message = format!("Automation Definition Not Found for {}", asked.document);
        Refusal::new(400, "AutomationDefinitionNotFoundException", message)
    })?;
    let acting = asked.acting(call)?;
    asked.check_parameters()?;

    let world = call.world;
    let now = world.now();
    let lost = || world.strike(FaultName::LostAnswer, world.place(account, call.region, "", "")).is_some();
    let mut input = call.input.clone();
    input["ClientToken"] = Value::Null;
    let input = Digest::of(input.to_string().as_bytes());
    let id = uuid(rand::random());
    if let Some(mut cell) = world.cell(account, call.region) {
        match cell.client_tokens.get(&asked.client_token) {
            Some((known, id)) if *known == input => {
                let id = id.clone();
                drop(cell);
                return if lost() { Err(Stop::Lost) } else { Ok(json!({"AutomationExecutionId": id})) };
            }
            Some(_) => {
                let message = "The request with the same client token has different parameters.";
                return Err(Refusal::new(400, "IdempotentParameterMismatch", message).into());
            }
            None if asked.client_token.is_empty() => {}
            None => drop(cell.client_tokens.insert(asked.client_token.clone(), (input, id.clone()))),
        }
        cell.keep(asked.parent(call, definition, id.clone(), now));
    }
    lock(&world.log).sent(Sent {
        command_id: id.clone(),
        account: account.to_owned(),
        region: call.region.to_owned(),
        nodes: asked.nodes.clone(),
        comment: asked.client_token.clone(),
        document: asked.document.clone(),
        parameters_sha256: Digest::of(asked.parameters.to_string().as_bytes()).to_string(),
        parameters: asked.parameters.clone(),
        signed_at: call.claim.signed_at,
        received_at: now,
        source_identity: call.caller.source_identity.clone(),
        session_name: call.caller.session_name.clone(),
        answered: true,
    });
    let cell = (account.to_owned(), call.region.to_owned());
    let (world, client_token) = (world.clone(), asked.client_token);
    tokio::spawn(automation::drive(Drive { world, cell, id: id.clone(), acting, client_token }));
    if lost() {
        lock(&call.world.log).unanswered(&id);
        return Err(Stop::Lost);
    }
    Ok(json!({"AutomationExecutionId": id}))
}

struct Asked {
    document: String,
    version: String,
    parameters: Value,
    /// In lower case: AWS's are case-insensitive. Empty: none.
    client_token: String,
    target_parameter: String,
    targets: Value,
    nodes: Vec<String>,
    max_concurrency: String,
    max_errors: String,
}

impl Asked {
    fn read(call: &Call<'_>) -> Result<Self, Refusal> {
        let targets = call.input.get("Targets").filter(|t| t.is_array()).cloned().unwrap_or_else(|| json!([]));
        let asked = Asked {
            document: call.text("DocumentName").unwrap_or_default().to_owned(),
            version: call.text("DocumentVersion").unwrap_or("$DEFAULT").to_owned(),
            parameters: call.input.get("Parameters").filter(|p| p.is_object()).cloned().unwrap_or_else(|| json!({})),
            client_token: call.text("ClientToken").unwrap_or_default().to_ascii_lowercase(),
            target_parameter: call.text("TargetParameterName").unwrap_or_default().to_owned(),
            nodes: texts(targets.get(0).and_then(|t| t.get("Values"))),
            targets,
            max_concurrency: call.text("MaxConcurrency").unwrap_or("10").to_owned(),
            max_errors: call.text("MaxErrors").unwrap_or("10").to_owned(),
        };
        let mut faults = Vec::new();
        if asked.document.is_empty() {
            faults.push("Value '' at 'documentName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9_\\-.:/]{3,128}$".to_owned());
        }
        if !asked.client_token.is_empty() && !is_uuid(&asked.client_token) {
            faults.push(format!(
                "Value '{}' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-fA-F0-9]{{8}}-[a-fA-F0-9]{{4}}-[a-fA-F0-9]{{4}}-[a-fA-F0-9]{{4}}-[a-fA-F0-9]{{12}}",
                asked.client_token
            ));
        }
        if asked.targets.as_array().is_some_and(|t| t.len() > 1) {
            faults.push(
                "Value at 'targets' failed to satisfy constraint: Member must have length less than or equal to 1"
                    .to_owned(),
            );
        }
        if asked.nodes.len() > 50 {
            faults.push("Value at 'targets.1.member.values' failed to satisfy constraint: Member must have length less than or equal to 50".to_owned());
        }
        if faults.is_empty() { Ok(asked) } else { Err(Refusal::constraints("ValidationException", &faults)) }
    }

    fn wrong(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "InvalidAutomationExecutionParametersException", message)
    }

    fn check_parameters(&self) -> Result<(), Refusal> {
        if let Some(other) =
            self.parameters.as_object().and_then(|p| p.keys().find(|k| !PARAMETERS.contains(&k.as_str())))
        {
            return Err(Self::wrong(format!("Parameter \"{other}\" is not defined in the document.")));
        }
        if self.target_parameter != PARAMETERS[0] {
            return Err(Self::wrong(format!("{} is not a parameter of the document.", self.target_parameter)));
        }
        let by_value =
            self.targets.get(0).and_then(|t| t.get("Key")).and_then(Value::as_str) == Some("ParameterValues");
        if !by_value || self.nodes.is_empty() {
            return Err(Refusal::new(400, "InvalidTarget", "The simulator knows targets by ParameterValues only."));
        }
        Ok(())
    }

    /// Who the children act as. A role has to be the account's own and one that Systems Manager may assume; and the caller
    /// has to be allowed to pass it.
    fn acting(&self, call: &Call<'_>) -> Result<Acting, Refusal> {
        let role = texts(self.parameters.get(PARAMETERS[1])).into_iter().next().unwrap_or_default();
        if role.is_empty() {
            let caller = call.caller;
            let (rights, session) = (caller.rights.clone(), caller.session_policy.clone());
            return Ok(Acting { rights, session, arn: caller.arn.clone() });
        }
        let service = BTreeMap::from([("iam:passedtoservice".to_owned(), "ssm.amazonaws.com".to_owned())]);
        call.allow("iam:PassRole", &role, &service)?;
        if role != format!("arn:aws:iam::{}:role/{AUTOMATION_ROLE}", call.caller.account) {
            return Err(Self::wrong("The defined assume role is unable to be assumed."));
        }
        let arn = format!("arn:aws:sts::{}:assumed-role/{AUTOMATION_ROLE}/Automation", call.caller.account);
        Ok(Acting { rights: call.world.automation_rights.clone(), session: None, arn })
    }

    fn parent(&self, call: &Call<'_>, definition: Definition, id: String, now: Timestamp) -> Automation {
        Automation {
            id,
            definition,
            version: "1".to_owned(),
            parameters: self.parameters.clone(),
            parent: None,
            target: String::new(),
            target_parameter: self.target_parameter.clone(),
            targets: self.targets.clone(),
            max_concurrency: self.max_concurrency.clone(),
            max_errors: self.max_errors.clone(),
            executed_by: call.caller.arn.clone(),
            started: now,
            ended: None,
            status: Status::Pending,
            failure: String::new(),
            steps: Vec::new(),
            stop: false,
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let hyphen = |at: usize| [8, 13, 18, 23].contains(&at);
    text.len() == 36 && text.char_indices().all(|(i, c)| if hyphen(i) { c == '-' } else { c.is_ascii_hexdigit() })
}

fn outputs(step: &automation::Step) -> Value {
    if step.status == Status::Success { json!({"InstanceStates": [step.desired_word()]}) } else { json!({}) }
}

/// What lists and single readings share.
fn told(automation: &Automation) -> Value {
    let mut told = json!({
        "AutomationExecutionId": automation.id,
        "DocumentName": automation.definition.name,
        "DocumentVersion": automation.version,
        "AutomationExecutionStatus": automation.status.word(),
        "ExecutionStartTime": epoch(automation.started),
        "ExecutedBy": automation.executed_by,
        "Outputs": {},
        "Mode": "Auto",
        "Targets": automation.targets,
        "MaxConcurrency": automation.max_concurrency,
        "MaxErrors": automation.max_errors,
    });
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            told[name] = json!(value);
        }
    };
    add("FailureMessage", &automation.failure);
    add("ParentAutomationExecutionId", automation.parent.as_deref().unwrap_or_default());
    add("Target", &automation.target);
    add("TargetParameterName", &automation.target_parameter);
    if let Some(ended) = automation.ended {
        told["ExecutionEndTime"] = epoch(ended);
    }
    told
}

pub(super) fn describe(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:DescribeAutomationExecutions")?;
    let mut filters: Vec<(String, Vec<String>)> = Vec::new();
    for filter in call.input.get("Filters").and_then(Value::as_array).into_iter().flatten() {
        let key = filter.get("Key").and_then(Value::as_str).unwrap_or_default().to_owned();
        let values = texts(filter.get("Values"));
        let known = ["DocumentNamePrefix", "ExecutionId", "ExecutionStatus", "ParentExecutionId", "StartTimeAfter"];
        if !known.contains(&key.as_str()) {
            return Err(Refusal::new(400, "InvalidFilterKey", format!("{key} filter Key is invalid.")));
        }
        if key == "StartTimeAfter" && values.iter().any(|v| v.parse::<Timestamp>().is_err()) {
            return Err(Refusal::new(400, "InvalidFilterValue", "The filter value is not valid."));
        }
        filters.push((key, values));
    }
    let of_a_parent = filters.iter().any(|(key, _)| key == "ParentExecutionId");
    let account = call.caller.account.as_str();
    // A list of everything may lag; a parent's children are read from the parent.
    let lag = (!of_a_parent)
        .then(|| call.world.strike(FaultName::DelayedList, call.world.place(account, call.region, "", "")))
        .flatten();
    let late = lag.map(|spec| i64::try_from(spec.value.unwrap_or(5000)).unwrap_or(5000));
    let horizon = late.map(|late| call.world.now() - jiff::SignedDuration::from_millis(late));
    let passes = |a: &Automation| {
        filters.iter().all(|(key, values)| {
            let any = |have: &str| values.iter().any(|v| v == have);
            match key.as_str() {
                "DocumentNamePrefix" => values.iter().any(|v| a.definition.name.starts_with(v.as_str())),
                "ExecutionId" => any(&a.id),
                "ExecutionStatus" => any(a.status.word()),
                "ParentExecutionId" => a.parent.as_deref().is_some_and(any),
                _ => values.iter().all(|v| v.parse::<Timestamp>().is_ok_and(|at| a.started >= at)),
            }
        }) && horizon.is_none_or(|at| a.started <= at)
    };
    let items: Vec<Value> = match call.world.cell(account, call.region) {
        Some(cell) => cell.automations.iter().rev().filter(|a| passes(a)).map(told).collect(),
        None => Vec::new(),
    };
    let kind = if of_a_parent { "children" } else { "automations" };
    page(call, kind, "AutomationExecutionMetadataList", &items)
}

fn missing(id: &str) -> Refusal {
    let message = format!("Automation Execution Id: {id} does not exist.");
    Refusal::new(400, "AutomationExecutionNotFoundException", message)
}

pub(super) fn get(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:GetAutomationExecution")?;
    let id = call.text("AutomationExecutionId").unwrap_or_default().to_ascii_lowercase();
    let cell = call.world.cell(&call.caller.account, call.region).ok_or_else(|| missing(&id))?;
    let automation = cell.automation(&id).ok_or_else(|| missing(&id))?;
    let mut whole = told(automation);
    let step = |step: &automation::Step| {
        let mut told = json!({
            "StepName": step.name,
            "Action": "aws:changeInstanceState",
            "StepStatus": step.status.word(),
            "Outputs": outputs(step),
        });
        for (name, at) in [("ExecutionStartTime", step.started), ("ExecutionEndTime", step.ended)] {
            if let Some(at) = at {
                told[name] = epoch(at);
            }
        }
        if !step.failure.is_empty() {
            told["FailureMessage"] = json!(step.failure);
        }
        told
    };
    whole["StepExecutions"] = automation.steps.iter().map(step).collect();
    whole["StepExecutionsTruncated"] = json!(false);
    whole["Parameters"] = automation.parameters.clone();
    Ok(json!({"AutomationExecution": whole}))
}

pub(super) fn stop(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:StopAutomationExecution")?;
    let id = call.text("AutomationExecutionId").unwrap_or_default().to_ascii_lowercase();
    let mut cell = call.world.cell(&call.caller.account, call.region).ok_or_else(|| missing(&id))?;
    let automation = cell.automation_mut(&id).ok_or_else(|| missing(&id))?;
    if automation.status.is_over() {
        let message = format!("Automation Execution {id} is already {}.", automation.status.word());
        return Err(Refusal::new(400, "InvalidAutomationStatusUpdateException", message));
    }
    automation.stop = true;
    Ok(json!({}))
}
