//! Automations: one execution for each send, a child for each node.
//!
//! The client token is made of the send's own token, so that the same send is the same execution however often it is asked
//! for. Executions carry no tag with it: a tag would need `ssm:AddTagsToResource` in every account, and CloudTrail has the
//! client token, the run (the session's name) and the person (SourceIdentity) without it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_ssm::types::{
    AutomationExecution, AutomationExecutionFilter, AutomationExecutionFilterKey as Key, AutomationExecutionMetadata,
    StopType, Target,
};

use crate::domain::{AccountId, CommandId, Digest, NodeId, Region, Timestamp};
use crate::ports::{CloudError, Invocation, InvocationStatus, SendRequest};
use crate::runbook::ASSUME_ROLE;

use super::Aws;
use super::fault::{Failure, Fault};
use super::reading::Pages;
use super::sessions::{Session, session_name};
use super::status;

/// SSM's largest page.
const PAGE: i32 = 50;
/// The key of targets that are named one by one.
const BY_VALUE: &str = "ParameterValues";
/// An execution that began so long before its request was signed is another one: clocks agree to about a second.
const CLOCKS: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

/// The UUID that AWS tells one send from another by: half of the token's SHA-256. The token has an HMAC, so that nobody can
/// take the UUID before us. It says version 4, which every check of a UUID knows.
pub(super) fn client_token(token: &str) -> String {
    let digest = Digest::of(token.as_bytes());
    let bits = digest.bytes().iter().take(16).fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// StartAutomationExecution; the id of the parent.
pub(super) async fn start(
    client: &aws_sdk_ssm::Client,
    request: &SendRequest,
    target_parameter: &str,
    role: &str,
    once: aws_sdk_ssm::config::Builder,
) -> Result<Option<String>, Failure> {
    let mut parameters: HashMap<String, Vec<String>> =
        request.parameters.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    parameters.insert(ASSUME_ROLE.to_owned(), vec![role.to_owned()]);
    let nodes = request.nodes.iter().map(ToString::to_string).collect();
    let answer = client
        .start_automation_execution()
        .document_name(&request.document)
        .set_document_version(request.document_version.clone())
        .set_parameters(Some(parameters))
        .client_token(client_token(&request.token))
        .target_parameter_name(target_parameter)
        .targets(Target::builder().key(BY_VALUE).set_values(Some(nodes)).build())
        .max_concurrency(request.nodes.len().to_string())
        .max_errors(request.max_errors.to_string())
        .customize()
        .config_override(once)
        .send()
        .await
        .map_err(|error| Failure::of(&error))?;
    Ok(answer.automation_execution_id().map(str::to_owned))
}

impl Aws {
    /// What the request may have become, the earliest first.
    pub(super) async fn automations_like(&self, request: &SendRequest) -> Result<Vec<CommandId>, CloudError> {
        let SendRequest { session: wanted, region, document, .. } = request;
        // A document of another account is asked for by its ARN and told by its name.
        let name = document.rsplit_once("document/").map_or(document.as_str(), |(_, name)| name);
        let since = request.signing.at.saturating_sub(CLOCKS).unwrap_or(request.signing.at);
        // Whole seconds, rounded down.
        let second = Timestamp::from_second(since.as_second()).unwrap_or(since).to_string();
        let nodes: BTreeSet<&str> = request.nodes.iter().map(NodeId::as_str).collect();
        self.with_reading(&wanted.account, |session| {
            let (nodes, second) = (&nodes, second.as_str());
            async move {
                let filters = [filter(Key::StartTimeAfter, second)?, filter(Key::DocumentNamePrefix, name)?];
                let mut found = Vec::new();
                for execution in list(&session, region, &filters).await? {
                    let began = execution.execution_start_time().and_then(|t| t.to_millis().ok()).unwrap_or_default();
                    let same = execution.document_name() == Some(name)
                        && execution.parent_automation_execution_id().is_none_or(str::is_empty)
                        && began >= since.as_millisecond()
                        && targets(execution.targets()) == *nodes;
                    let Some(id) = execution.automation_execution_id().filter(|_| same) else { continue };
                    let by = execution.executed_by().unwrap_or_default();
                    if by.rsplit('/').next() != Some(session_name(wanted).as_str()) {
                        return Err(Fault::Refused(format!(
                            "`{by}` started the same automation on the same nodes in {} meanwhile: look at {id} in Systems Manager there",
                            session.site(region)
                        )));
                    }
                    found.extend(id.parse().ok().map(|id: CommandId| (began, id)));
                }
                found.sort();
                Ok(found.into_iter().map(|(_, id)| id).collect())
            }
        })
        .await
    }

    pub(super) async fn list_children(
        &self,
        account: &AccountId,
        region: &Region,
        parent: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        self.with_reading(account, |session| async move {
            // The parent first: once it is over, no further child begins.
            let Some(whole) = get(&session, region, parent.as_str()).await? else { return Ok(Vec::new()) };
            let children = list(&session, region, &[filter(Key::ParentExecutionId, parent.as_str())?]).await?;
            let mut found: BTreeMap<NodeId, Invocation> = BTreeMap::new();
            for child in children.iter().filter_map(child) {
                let over = |i: &Invocation| i.status != InvocationStatus::Running;
                match found.get(&child.node) {
                    // Pages shift while nodes finish: a node that was over stays over.
                    Some(earlier) if over(earlier) || !over(&child) => {}
                    _ => drop(found.insert(child.node.clone(), child)),
                }
            }
            let left_out = left_out(&whole, &found);
            found.extend(left_out.into_iter().map(|invocation| (invocation.node.clone(), invocation)));
            Ok(found.into_values().collect())
        })
        .await
    }

    /// What the steps of one node's execution gave out.
    pub(super) async fn get_steps(
        &self,
        account: &AccountId,
        region: &Region,
        execution: &CommandId,
    ) -> Result<(String, bool), CloudError> {
        self.with_reading(account, |session| async move {
            match get(&session, region, execution.as_str()).await? {
                Some(execution) => Ok((whole_text(&execution), execution.step_executions_truncated())),
                None => Err(Fault::Transient(format!(
                    "AWS does not show the automation {execution} in {} yet; it is tried again",
                    session.site(region)
                ))),
            }
        })
        .await
    }

    /// Stops the parent, so that no further node begins, and then what runs: AWS does not say that one does the other.
    pub(super) async fn stop_automation(
        &self,
        account: &AccountId,
        region: &Region,
        parent: &CommandId,
    ) -> Result<(), CloudError> {
        self.with_reading(account, |session| async move {
            stop(&session, region, parent.as_str()).await?;
            for child in list(&session, region, &[filter(Key::ParentExecutionId, parent.as_str())?]).await? {
                let word = child.automation_execution_status().map_or("", |s| s.as_str());
                let runs = status::automation(word) == InvocationStatus::Running && word != "Cancelling";
                if let Some(id) = child.automation_execution_id().filter(|_| runs) {
                    stop(&session, region, id).await?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Whether automations of the region can be read, by asking for one.
    pub(super) async fn can_read_automations(&self, account: &AccountId, region: &Region) -> Result<(), CloudError> {
        self.with_reading(account, |session| async move {
            let (client, site) = (session.ssm(region), session.site(region));
            let asked = client.describe_automation_executions().max_results(1).send().await;
            asked.map(drop).map_err(|e| Failure::of(&e).fault("DescribeAutomationExecutions", &site))
        })
        .await
    }
}

fn filter(key: Key, value: &str) -> Result<AutomationExecutionFilter, Fault> {
    let filter = AutomationExecutionFilter::builder().key(key).values(value).build();
    filter.map_err(|e| Fault::Refused(e.to_string()))
}

async fn list(
    session: &Session,
    region: &Region,
    filters: &[AutomationExecutionFilter],
) -> Result<Vec<AutomationExecutionMetadata>, Fault> {
    let (client, site) = (session.ssm(region), session.site(region));
    let mut all = Vec::new();
    let mut pages = Pages::default();
    let mut next = None;
    loop {
        let page = client
            .describe_automation_executions()
            .set_filters(Some(filters.to_vec()))
            .max_results(PAGE)
            .set_next_token(next)
            .send()
            .await
            .map_err(|e| Failure::of(&e).fault("DescribeAutomationExecutions", &site))?;
        all.extend_from_slice(page.automation_execution_metadata_list());
        next = pages.next(page.next_token(), "DescribeAutomationExecutions", &site)?;
        if next.is_none() {
            return Ok(all);
        }
    }
}

/// `None`: AWS does not know it, or not yet.
async fn get(session: &Session, region: &Region, id: &str) -> Result<Option<AutomationExecution>, Fault> {
    let client = session.ssm(region);
    match client.get_automation_execution().automation_execution_id(id).send().await {
        Ok(answer) => Ok(answer.automation_execution),
        Err(error) => {
            let failure = Failure::of(&error);
            match failure.code() {
                "AutomationExecutionNotFoundException" => Ok(None),
                _ => Err(failure.fault("GetAutomationExecution", &session.site(region))),
            }
        }
    }
}

/// One that is over, or not there, needs no stopping.
async fn stop(session: &Session, region: &Region, id: &str) -> Result<(), Fault> {
    let client = session.ssm(region);
    let answer = client.stop_automation_execution().automation_execution_id(id).r#type(StopType::Cancel).send().await;
    let Err(error) = answer else { return Ok(()) };
    let failure = Failure::of(&error);
    match failure.code() {
        "AutomationExecutionNotFoundException" | "InvalidAutomationStatusUpdateException" => Ok(()),
        _ => Err(failure.fault("StopAutomationExecution", &session.site(region))),
    }
}

fn targets(targets: &[Target]) -> BTreeSet<&str> {
    let by_value = targets.iter().filter(|t| t.key() == Some(BY_VALUE));
    by_value.flat_map(Target::values).map(String::as_str).collect()
}

fn child(child: &AutomationExecutionMetadata) -> Option<Invocation> {
    let details = child.automation_execution_status().map_or("", |s| s.as_str()).to_owned();
    let mut output = outputs(child.outputs());
    add_line(&mut output, child.failure_message());
    Some(Invocation {
        node: child.target()?.parse().ok()?,
        execution: child.automation_execution_id().and_then(|id| id.parse().ok()),
        status: status::automation(&details),
        details,
        exit_code: None,
        output,
        cut: false,
        objects: Vec::new(),
    })
}

/// The nodes that a parent which is over never came to, with why: it was stopped, its errors were too many, or it failed
/// before the first. Where it succeeded the list lags: it came to each.
fn left_out(whole: &AutomationExecution, begun: &BTreeMap<NodeId, Invocation>) -> Vec<Invocation> {
    let word = whole.automation_execution_status().map_or("", |s| s.as_str());
    let own = status::automation(word);
    if matches!(own, InvocationStatus::Running | InvocationStatus::Success) {
        return Vec::new();
    }
    let fails = |i: &Invocation| matches!(i.status, InvocationStatus::Failed | InvocationStatus::TimedOut);
    let (status, details) = match own {
        InvocationStatus::Cancelled => (own, word),
        _ if begun.values().any(fails) => (InvocationStatus::Cancelled, "Terminated"),
        _ => (own, word),
    };
    let mut output = String::new();
    add_line(&mut output, whole.failure_message().filter(|_| status != InvocationStatus::Cancelled));
    let nodes = targets(whole.targets()).into_iter().filter_map(|id| id.parse::<NodeId>().ok());
    nodes
        .filter(|node| !begun.contains_key(node))
        .map(|node| Invocation {
            node,
            execution: None,
            status,
            details: details.to_owned(),
            exit_code: None,
            output: output.clone(),
            cut: false,
            objects: Vec::new(),
        })
        .collect()
}

/// `step.Output = value`, as a document itself names them; sorted, because a map has no order.
fn outputs(outputs: Option<&HashMap<String, Vec<String>>>) -> String {
    let sorted: BTreeMap<_, _> = outputs.into_iter().flatten().collect();
    sorted.into_iter().map(|(name, values)| format!("{name} = {}\n", values.join(", "))).collect()
}

fn add_line(text: &mut String, line: Option<&str>) {
    let Some(line) = line.map(str::trim).filter(|line| !line.is_empty() && !text.contains(line)) else { return };
    text.push_str(line);
    text.push('\n');
}

/// Each step with its end and what it gave out, then what the document gives out, then why it failed.
fn whole_text(execution: &AutomationExecution) -> String {
    let mut text = String::new();
    for step in execution.step_executions() {
        let name = step.step_name().unwrap_or_default();
        let ended = step.step_status().map_or("", |s| s.as_str());
        // A step that was never come to says nothing.
        if ended == "Pending" {
            continue;
        }
        text.push_str(&format!("{name}: {ended}\n"));
        for line in outputs(step.outputs()).lines() {
            text.push_str(&format!("{name}.{line}\n"));
        }
        add_line(&mut text, step.failure_message());
    }
    for line in outputs(execution.outputs()).lines() {
        add_line(&mut text, Some(line));
    }
    add_line(&mut text, execution.failure_message());
    text
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_send_has_one_client_token_and_it_is_a_uuid() {
        let one = client_token("muster:01J9ZX0000000000000000AB7F:0:0:1.1:01234567");
        assert_eq!(one, client_token("muster:01J9ZX0000000000000000AB7F:0:0:1.1:01234567"));
        assert_ne!(one, client_token("muster:01J9ZX0000000000000000AB7F:0:0:1.2:01234567"));
        let form = regex::Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$").unwrap();
        assert!(form.is_match(&one), "{one}");
    }
}
