//! What became of a command: lists of commands and invocations, full outputs, and cancelling.
//!
//! Lists are read per account and region, not per node. They lag behind a send and repeat items while they change,
//! so that absence proves nothing here and a node counts once.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ssm::types::{
    Command, CommandFilter, CommandFilterKey, CommandInvocation, InstanceInformationStringFilter, PingStatus,
};

use crate::domain::{AccountId, Bucket, CommandId, NodeId, Region, Timestamp};
use crate::ports::{CloudError, CommandStatus, Invocation, InvocationStatus, Operation};

use crate::runbook::extract::CUT_MARKS;

use super::Aws;
use super::fault::{Failure, Fault, Site};
use super::status::{self, ERROR_MARK};

/// SSM's largest page.
const PAGE: i32 = 50;
/// Pages of other people's commands that are looked through before known ids are asked for one by one.
const PAGES_OF_STRANGERS: u32 = 4;
/// Pages that are read at all. Beyond it the answer would be "not there" without having looked.
const PAGES_MAX: u32 = 400;
/// What SSM keeps of one step's stdout and stderr, in bytes and in characters at most.
const STDOUT_MAX: usize = 24_000;
const STDERR_MAX: usize = 8_000;

/// Follows `NextToken` to its end: the token for the next page, `None` when there is none.
///
/// A token that comes back would loop for ever, so it is a fault; an empty page is not the end.
#[derive(Default)]
pub(super) struct Pages {
    seen: BTreeSet<String>,
    pub(super) read: u32,
}

impl Pages {
    pub(super) fn next(&mut self, token: Option<&str>, what: &str, site: &Site) -> Result<Option<String>, Fault> {
        self.read += 1;
        let Some(token) = token.filter(|t| !t.is_empty()) else { return Ok(None) };
        if self.read >= PAGES_MAX || !self.seen.insert(token.to_owned()) {
            return Err(Fault::Transient(format!("{what} for {site} does not come to an end; it is tried again")));
        }
        Ok(Some(token.to_owned()))
    }
}

impl Aws {
    pub(super) async fn list_commands(
        &self,
        account: &AccountId,
        region: &Region,
        since: Timestamp,
        tokens: &[String],
        known: &[CommandId],
    ) -> Result<Vec<CommandStatus>, CloudError> {
        self.with_reading(account, |session| async move {
            let (client, site) = (session.ssm(region), session.site(region));
            let mut found: BTreeMap<CommandId, CommandStatus> = BTreeMap::new();
            let mut pages = Pages::default();
            let mut next = None;
            let mut asked_known = false;
            loop {
                let page = client
                    .list_commands()
                    .filters(invoked_after(since)?)
                    .max_results(PAGE)
                    .set_next_token(next)
                    .send()
                    .await
                    .map_err(|e| Failure::of(&e).fault("ListCommands", &site))?;
                for command in page.commands().iter().filter_map(command) {
                    if tokens.contains(&command.token) || known.contains(&command.id) {
                        found.insert(command.id.clone(), command);
                    }
                }
                next = pages.next(page.next_token(), "ListCommands", &site)?;
                let strangers = pages.read >= PAGES_OF_STRANGERS;
                if !asked_known && (next.is_none() || strangers) {
                    asked_known = true;
                    for id in known.iter().filter(|id| !found.contains_key(*id)).collect::<Vec<_>>() {
                        session.turn(region, Operation::ListCommands).await;
                        let page = client
                            .list_commands()
                            .command_id(id.as_str())
                            .send()
                            .await
                            .map_err(|e| Failure::of(&e).fault("ListCommands", &site))?;
                        found.extend(page.commands().iter().filter_map(command).map(|c| (c.id.clone(), c)));
                    }
                }
                // A token without a command may stand further on: a lost command must not be taken for absent.
                let all_found = tokens.iter().all(|t| found.values().any(|c| &c.token == t));
                if next.is_none() || (strangers && all_found) {
                    return Ok(found.into_values().collect());
                }
                session.turn(region, Operation::ListCommands).await;
            }
        })
        .await
    }

    pub(super) async fn list_invocations(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
    ) -> Result<Vec<Invocation>, CloudError> {
        let outputs = self.sessions.account(account)?.outputs;
        let outputs = outputs.as_ref();
        self.with_reading(account, |session| async move {
            let (client, site) = (session.ssm(region), session.site(region));
            let mut found: BTreeMap<NodeId, Invocation> = BTreeMap::new();
            let mut pages = Pages::default();
            let mut next = None;
            loop {
                let page = client
                    .list_command_invocations()
                    .command_id(command.as_str())
                    .details(true)
                    .max_results(PAGE)
                    .set_next_token(next)
                    .send()
                    .await
                    .map_err(|e| Failure::of(&e).fault("ListCommandInvocations", &site))?;
                for invocation in page.command_invocations().iter().filter_map(|i| invocation(i, command, outputs)) {
                    let over = |i: &Invocation| i.status != InvocationStatus::Running;
                    match found.get(&invocation.node) {
                        // Pages shift while nodes finish: a node that was over stays over.
                        Some(earlier) if over(earlier) || !over(&invocation) => {}
                        _ => {
                            found.insert(invocation.node.clone(), invocation);
                        }
                    }
                }
                next = pages.next(page.next_token(), "ListCommandInvocations", &site)?;
                if next.is_none() {
                    return Ok(found.into_values().collect());
                }
                session.turn(region, Operation::ListCommandInvocations).await;
            }
        })
        .await
    }

    pub(super) async fn get_output(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
        node: &NodeId,
    ) -> Result<(String, bool), CloudError> {
        self.with_reading(account, |session| async move {
            let (client, site) = (session.ssm(region), session.site(region));
            match step_output(&client, &site, command, node, None).await {
                // A document of several steps: each has its own output.
                Err(StepError::WhichStep) => {}
                Err(StepError::Fault(fault)) => return Err(fault),
                Ok(output) => return Ok(output),
            }
            session.turn(region, Operation::ListCommandInvocations).await;
            let page = client
                .list_command_invocations()
                .command_id(command.as_str())
                .instance_id(node.as_str())
                .details(true)
                .send()
                .await
                .map_err(|e| Failure::of(&e).fault("ListCommandInvocations", &site))?;
            let steps = page.command_invocations().iter().flat_map(CommandInvocation::command_plugins);
            let (mut text, mut cut) = (String::new(), false);
            for name in steps.filter_map(|p| p.name()) {
                session.turn(region, Operation::GetCommandInvocation).await;
                let (output, is_cut) = match step_output(&client, &site, command, node, Some(name)).await {
                    Ok(output) => output,
                    Err(StepError::Fault(fault)) => return Err(fault),
                    Err(StepError::WhichStep) => continue,
                };
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(&output);
                cut |= is_cut;
            }
            Ok((text, cut))
        })
        .await
    }

    pub(super) async fn which_known(
        &self,
        account: &AccountId,
        region: &Region,
        nodes: &[NodeId],
    ) -> Result<BTreeMap<NodeId, bool>, CloudError> {
        self.with_reading(account, |session| async move {
            let (client, site) = (session.ssm(region), session.site(region));
            let mut known = BTreeMap::new();
            for (nth, chunk) in nodes.chunks(PAGE as usize).enumerate() {
                if nth > 0 {
                    session.turn(region, Operation::DescribeInstanceInformation).await;
                }
                let filter = InstanceInformationStringFilter::builder()
                    .key("InstanceIds")
                    .set_values(Some(chunk.iter().map(ToString::to_string).collect()))
                    .build()
                    .map_err(|e| Fault::Refused(e.to_string()))?;
                let mut pages = Pages::default();
                let mut next = None;
                loop {
                    let page = client
                        .describe_instance_information()
                        .filters(filter.clone())
                        .max_results(PAGE)
                        .set_next_token(next)
                        .send()
                        .await
                        .map_err(|e| Failure::of(&e).fault("DescribeInstanceInformation", &site))?;
                    for node in page.instance_information_list() {
                        if let Some(id) = node.instance_id().and_then(|id| id.parse().ok()) {
                            known.insert(id, node.ping_status() == Some(&PingStatus::Online));
                        }
                    }
                    next = pages.next(page.next_token(), "DescribeInstanceInformation", &site)?;
                    if next.is_none() {
                        break;
                    }
                    session.turn(region, Operation::DescribeInstanceInformation).await;
                }
            }
            Ok(known)
        })
        .await
    }

    pub(super) async fn cancel_command(
        &self,
        account: &AccountId,
        region: &Region,
        command: &CommandId,
        nodes: &[NodeId],
    ) -> Result<(), CloudError> {
        self.with_reading(account, |session| async move {
            let (client, site) = (session.ssm(region), session.site(region));
            // Without ids AWS cancels for every node.
            let chunks: Vec<&[NodeId]> =
                if nodes.is_empty() { vec![&[]] } else { nodes.chunks(PAGE as usize).collect() };
            for (nth, chunk) in chunks.into_iter().enumerate() {
                if nth > 0 {
                    session.turn(region, Operation::CancelCommand).await;
                }
                let ids: Vec<String> = chunk.iter().map(ToString::to_string).collect();
                client
                    .cancel_command()
                    .command_id(command.as_str())
                    .set_instance_ids((!ids.is_empty()).then_some(ids))
                    .send()
                    .await
                    .map_err(|e| Failure::of(&e).fault("CancelCommand", &site))?;
            }
            Ok(())
        })
        .await
    }
}

fn invoked_after(since: Timestamp) -> Result<CommandFilter, Fault> {
    // Whole seconds, rounded down: the filter's own format.
    let text = Timestamp::from_second(since.as_second()).map_or_else(|_| since.to_string(), |t| t.to_string());
    CommandFilter::builder()
        .key(CommandFilterKey::InvokedAfter)
        .value(text)
        .build()
        .map_err(|e| Fault::Refused(e.to_string()))
}

fn command(command: &Command) -> Option<CommandStatus> {
    let count = |n: i32| u32::try_from(n).unwrap_or_default();
    let millis = command.requested_date_time().and_then(|t| t.to_millis().ok()).unwrap_or_default();
    Some(CommandStatus {
        id: command.command_id()?.parse().ok()?,
        token: command.comment().unwrap_or_default().to_owned(),
        requested_at: Timestamp::from_millisecond(millis).unwrap_or_default(),
        terminal: status::command_over(command.status()),
        details: status::without_spaces(command.status_details().unwrap_or_default()),
        target_count: count(command.target_count()),
        completed_count: count(command.completed_count()),
    })
}

fn invocation(invocation: &CommandInvocation, command: &CommandId, outputs: Option<&Bucket>) -> Option<Invocation> {
    let word = invocation.status().map_or("", |s| s.as_str());
    let details = status::without_spaces(invocation.status_details().unwrap_or(word));
    let status = status::invocation(word, &details);
    let (output, cut) = status::output(invocation);
    let exit_code = status::exit_code(invocation, status, &details);
    let node: NodeId = invocation.instance_id()?.parse().ok()?;
    let objects = outputs.map(|bucket| status::objects(invocation, command, &node, bucket)).unwrap_or_default();
    Some(Invocation { node, execution: None, status, details, exit_code, output, cut, objects })
}

enum StepError {
    /// The document has several steps and none was named, or not this one.
    WhichStep,
    Fault(Fault),
}

async fn step_output(
    client: &aws_sdk_ssm::Client,
    site: &Site,
    command: &CommandId,
    node: &NodeId,
    step: Option<&str>,
) -> Result<(String, bool), StepError> {
    let answer = client
        .get_command_invocation()
        .command_id(command.as_str())
        .instance_id(node.as_str())
        .set_plugin_name(step.map(str::to_owned))
        .send()
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let failure = Failure::of(&error);
            return Err(match failure.code() {
                "InvalidPluginName" => StepError::WhichStep,
                // Invocations appear seconds after their command.
                "InvocationDoesNotExist" => StepError::Fault(Fault::Transient(format!(
                    "AWS does not show the output of `{node}` in {site} yet; it is tried again"
                ))),
                _ => StepError::Fault(failure.fault("GetCommandInvocation", site)),
            });
        }
    };
    let stdout = answer.standard_output_content().unwrap_or_default();
    let stderr = answer.standard_error_content().unwrap_or_default();
    let cut =
        |text: &str, max: usize| text.len() >= max || CUT_MARKS.iter().any(|mark| text.trim_end().ends_with(mark));
    let is_cut = cut(stdout, STDOUT_MAX) || cut(stderr, STDERR_MAX);
    let text = if stderr.is_empty() { stdout.to_owned() } else { format!("{stdout}{ERROR_MARK}{stderr}") };
    Ok((text, is_cut))
}
