//! SendCommand: the checks in AWS's order, the command on record, and the agents set to work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use crate::domain::Digest;

use super::super::agent;
use super::super::command::{Command, Invocation, State};
use super::super::faults::FaultName;
use super::super::generate::Machine;
use super::super::log::Sent;
use super::super::organisation::lock;
use super::super::refusal::{Refusal, Stop, uuid};
use super::{Call, document, list, texts};

/// Document and parameters together; natively refused above this.
const SIZE_MAX: usize = 100_000;

pub(super) fn answer(call: &Call<'_>) -> Result<Value, Stop> {
    let asked = Asked::read(call)?;
    let document = document::find(&asked.document).ok_or_else(|| {
        Refusal::new(400, "InvalidDocument", format!("Document with name {} does not exist.", asked.document))
    })?;
    if let Some(hash) = call.text("DocumentHash")
        && hash != document.hash()
    {
        let message = "The document hash and hash type do not match the document content.";
        return Err(Refusal::new(400, "InvalidDocument", message).into());
    }
    let document_arn = format!(
        "arn:aws:ssm:{}:{}:document/{}",
        call.region,
        document.owner_in_arn(&call.caller.account),
        asked.document
    );
    call.allow("ssm:SendCommand", &document_arn, &BTreeMap::new())?;
    document.check_parameters(&asked.parameters)?;

    let world = call.world;
    let account = call.caller.account.as_str();
    let now = world.now();
    let machines = targets(call, &asked)?;
    for machine in &machines {
        let arn = format!("arn:aws:ec2:{}:{account}:instance/{}", call.region, machine.id);
        let mut context = BTreeMap::new();
        for (key, value) in &machine.tags {
            context.insert(format!("ssm:resourcetag/{key}"), value.clone());
            context.insert(format!("aws:resourcetag/{key}"), value.clone());
        }
        call.allow("ssm:SendCommand", &arn, &context)?;
    }
    let script_timeout = asked.execution_timeout();
    let command = Command {
        id: uuid(rand::random()),
        document: asked.document.clone(),
        document_version: "$DEFAULT".to_owned(),
        comment: asked.comment.clone(),
        parameters: asked.parameters.clone(),
        requested: now,
        // A parameter counts towards the expiry only where it was handed in, otherwise an hour does (native).
        expires: now + jiff::SignedDuration::from_secs(asked.timeout_secs + script_timeout),
        timeout_secs: asked.timeout_secs,
        max_concurrency: asked.max_concurrency.clone(),
        max_errors: asked.max_errors.clone(),
        instance_ids: asked.instance_ids.clone(),
        targets: asked.targets.clone(),
        bucket: call.text("OutputS3BucketName").unwrap_or_default().to_owned(),
        prefix: call.text("OutputS3KeyPrefix").unwrap_or_default().to_owned(),
        plugin: document.plugin.to_owned(),
        region: call.region.to_owned(),
        invocations: machines
            .iter()
            .map(|m| Invocation {
                node: m.id.clone(),
                node_name: m.name.clone(),
                host_name: m.host_name.clone(),
                requested: now,
                state: if document.runs_on(m.platform) { State::Pending } else { State::InvalidPlatform },
                started: None,
                finished: None,
                code: -1,
                stdout: String::new(),
                stderr: String::new(),
                cancel: Arc::new(AtomicBool::new(false)),
            })
            .collect(),
        wake: Arc::default(),
    };
    let mut told = list::command_json(&command);
    // Natively the first answer to a command sent by tag knows no targets yet.
    told["Status"] = json!("Pending");
    told["StatusDetails"] = json!("Pending");
    told["CompletedCount"] = json!(0);
    if command.by_tag() {
        told["TargetCount"] = json!(0);
    }
    let id = command.id.clone();
    lock(&world.log).sent(Sent {
        command_id: id.clone(),
        account: account.to_owned(),
        region: call.region.to_owned(),
        nodes: machines.iter().map(|m| m.id.to_string()).collect(),
        comment: asked.comment.clone(),
        document: asked.document.clone(),
        parameters_sha256: Digest::of(asked.parameters.to_string().as_bytes()).to_string(),
        parameters: asked.parameters.clone(),
        signed_at: call.claim.signed_at,
        received_at: now,
        source_identity: call.caller.source_identity.clone(),
        session_name: call.caller.session_name.clone(),
        answered: true,
    });
    if let Some(mut cell) = world.cell(account, call.region) {
        let number = cell.commands.len();
        cell.by_id.insert(id.clone(), number);
        cell.commands.push(command);
    }
    let key = (account.to_owned(), call.region.to_owned());
    tokio::spawn(agent::drive(world.clone(), key, id.clone(), script_timeout));
    if world.strike(FaultName::LostAnswer, world.place(account, call.region, "", "")).is_some() {
        lock(&world.log).unanswered(&id);
        return Err(Stop::Lost);
    }
    Ok(json!({"Command": told}))
}

struct Asked {
    document: String,
    comment: String,
    instance_ids: Vec<String>,
    targets: Value,
    parameters: Value,
    timeout_secs: i64,
    max_concurrency: String,
    max_errors: String,
}

impl Asked {
    fn read(call: &Call<'_>) -> Result<Self, Refusal> {
        let document = call.text("DocumentName").unwrap_or_default().to_owned();
        let asked = Asked {
            // A document may be named by its ARN.
            document: document.rsplit_once("document/").map_or(document.clone(), |(_, name)| name.to_owned()),
            comment: call.text("Comment").unwrap_or_default().to_owned(),
            instance_ids: call.texts("InstanceIds"),
            targets: call.input.get("Targets").filter(|t| t.is_array()).cloned().unwrap_or_else(|| json!([])),
            parameters: call.input.get("Parameters").filter(|p| p.is_object()).cloned().unwrap_or_else(|| json!({})),
            timeout_secs: call.input.get("TimeoutSeconds").and_then(Value::as_i64).unwrap_or(3600),
            max_concurrency: call.text("MaxConcurrency").unwrap_or("50").to_owned(),
            max_errors: call.text("MaxErrors").unwrap_or("0").to_owned(),
        };
        let mut faults = Vec::new();
        let mut fault = |value: Option<&str>, member: &str, rule: &str| {
            let value = value.map_or("Value".to_owned(), |v| format!("Value '{v}'"));
            faults.push(format!("{value} at '{member}' failed to satisfy constraint: {rule}"));
        };
        if asked.document.is_empty() {
            fault(
                Some(""),
                "documentName",
                r"Member must satisfy regular expression pattern: ^[a-zA-Z0-9_\-.:/]{3,128}$",
            );
        }
        if asked.comment.chars().count() > 100 {
            fault(Some(&asked.comment), "comment", "Member must have length less than or equal to 100");
        }
        if asked.instance_ids.len() > 50 {
            let ids = format!("[{}]", asked.instance_ids.join(", "));
            fault(Some(&ids), "instanceIds", "Member must have length less than or equal to 50");
        }
        if asked.targets.as_array().is_some_and(|t| t.len() > 5) {
            fault(None, "targets", "Member must have length less than or equal to 5.");
        }
        let seconds = asked.timeout_secs.to_string();
        if asked.timeout_secs < 30 {
            fault(Some(&seconds), "timeoutSeconds", "Member must have value greater than or equal to 30");
        }
        if asked.timeout_secs > 2_592_000 {
            fault(Some(&seconds), "timeoutSeconds", "Member must have value less than or equal to 2592000");
        }
        if !budget(&asked.max_concurrency, 1) {
            let rule = "Member must satisfy regular expression pattern: ^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$";
            fault(Some(&asked.max_concurrency), "maxConcurrency", rule);
        }
        if !budget(&asked.max_errors, 0) {
            let rule = "Member must satisfy regular expression pattern: ^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$";
            fault(Some(&asked.max_errors), "maxErrors", rule);
        }
        if !faults.is_empty() {
            return Err(Refusal::constraints("ValidationException", &faults));
        }
        let by_id = !asked.instance_ids.is_empty();
        let by_tag = asked.targets.as_array().is_some_and(|t| !t.is_empty());
        if by_id == by_tag {
            let message = if by_id {
                "Both Targets and InstanceIds cannot be specified in the same request."
            } else {
                "Either Targets or InstanceIds must be specified."
            };
            return Err(Refusal::new(400, "InvalidParameters", message));
        }
        let mut ids = asked.instance_ids.clone();
        ids.sort();
        ids.dedup();
        if ids.len() != asked.instance_ids.len() {
            return Err(Refusal::new(400, "DuplicateInstanceId", "Duplicate instance IDs are not allowed."));
        }
        if asked.parameters.to_string().len() > SIZE_MAX {
            let message = "The total size of your parameter(s) and document exceeds the 97KB limit.";
            return Err(Refusal::new(400, "MaxDocumentSizeExceeded", message));
        }
        Ok(asked)
    }

    /// Seconds a script may run: what the parameter says; the agent takes 5 to 172,800 and otherwise an hour.
    fn execution_timeout(&self) -> i64 {
        let given = texts(self.parameters.get("executionTimeout")).first().and_then(|t| t.parse::<i64>().ok());
        given.filter(|s| (1..=172_800).contains(s)).unwrap_or(3600)
    }
}

/// `5`, `10%`, `100%`, without leading zeros.
fn budget(text: &str, least: u32) -> bool {
    let (digits, percent) = text.strip_suffix('%').map_or((text, false), |d| (d, true));
    let plain =
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    plain && digits.parse::<u32>().is_ok_and(|n| n >= least && (!percent || n <= 100))
}

/// The machines meant. One id that SSM does not know refuses the whole call.
fn targets(call: &Call<'_>, asked: &Asked) -> Result<Vec<Machine>, Refusal> {
    let (world, account) = (call.world, call.caller.account.as_str());
    let unknown = || Refusal::new(400, "InvalidInstanceId", "Instances not in a valid state for account");
    let Some(mut cell) = world.cell(account, call.region) else { return Err(unknown()) };
    for id in &asked.instance_ids {
        let name = cell.machine(id).map(|m| m.name.clone()).unwrap_or_default();
        if world.strike(FaultName::GoneNode, world.place(account, call.region, id, &name)).is_some()
            && let Some(machine) = cell.machines.iter_mut().find(|m| m.id.as_str() == id)
        {
            machine.gone = true;
        }
    }
    if !asked.instance_ids.is_empty() {
        let known = |id: &String| cell.machine(id).filter(|m| m.listed()).cloned().ok_or_else(unknown);
        return asked.instance_ids.iter().map(known).collect();
    }
    let mut found = Vec::new();
    for machine in cell.machines.iter().filter(|m| m.listed()) {
        let mut all = true;
        for target in asked.targets.as_array().into_iter().flatten() {
            let values = texts(target.get("Values"));
            let key = target.get("Key").and_then(Value::as_str).unwrap_or_default();
            all &= match key {
                "InstanceIds" | "instanceids" => values.iter().any(|v| v == "*" || v == machine.id.as_str()),
                "tag-key" => values.iter().any(|v| machine.tags.contains_key(v)),
                _ => match key.strip_prefix("tag:") {
                    Some(tag) => machine.tags.get(tag).is_some_and(|have| values.contains(have)),
                    None => {
                        return Err(Refusal::new(
                            400,
                            "InvalidTarget",
                            format!("{key} is not a supported target key."),
                        ));
                    }
                },
            };
        }
        if all {
            found.push(machine.clone());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::budget;

    #[test]
    fn shares_are_checked_as_aws_checks_them() {
        let good = ["1", "50", "100%", "7%"].map(|t| budget(t, 1));
        let bad = ["0", "101%", "", "%", "01", "-1", "1.5", "5%%"].map(|t| budget(t, 1));
        assert_eq!((good, bad), ([true; 4], [false; 8]));
        assert!(budget("0", 0) && budget("0%", 0));
    }
}
