//! ListCommands and ListCommandInvocations: filters, pages, and the native shape of their items.

use serde_json::{Value, json};

use crate::domain::Timestamp;

use super::super::command::{Command, Invocation};
use super::super::faults::FaultName;
use super::super::output;
use super::super::refusal::Refusal;
use super::{Call, epoch};

pub(super) fn command_json(command: &Command) -> Value {
    let told = command.aggregate();
    json!({
        "CommandId": command.id,
        "DocumentName": command.document,
        "DocumentVersion": command.document_version,
        "Comment": command.comment,
        "ExpiresAfter": epoch(command.expires),
        "Parameters": command.parameters,
        "InstanceIds": command.instance_ids,
        "Targets": command.targets,
        "RequestedDateTime": epoch(command.requested),
        "Status": told.status,
        "StatusDetails": told.details,
        "OutputS3Region": command.region,
        "OutputS3BucketName": command.bucket,
        "OutputS3KeyPrefix": command.prefix,
        "MaxConcurrency": command.max_concurrency,
        "MaxErrors": command.max_errors,
        "TargetCount": told.targets,
        "CompletedCount": told.completed,
        "ErrorCount": told.errors,
        "DeliveryTimedOutCount": told.delivery_timed_out,
        "ServiceRole": "",
        "NotificationConfig": notification(),
        "CloudWatchOutputConfig": cloud_watch(),
        "TimeoutSeconds": command.timeout_secs,
        "AlarmConfiguration": {"IgnorePollAlarmFailure": false, "Alarms": []},
        "TriggeredAlarms": [],
    })
}

fn notification() -> Value {
    json!({"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""})
}

fn cloud_watch() -> Value {
    json!({"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false})
}

fn invocation_json(command: &Command, invocation: &Invocation, details: bool) -> Value {
    let (status, status_details) = invocation.state.words();
    let mut told = json!({
        "CommandId": command.id,
        "InstanceId": invocation.node.as_str(),
        "InstanceName": invocation.host_name,
        "Comment": command.comment,
        "DocumentName": command.document,
        "DocumentVersion": command.document_version,
        "RequestedDateTime": epoch(invocation.requested),
        "Status": status,
        "StatusDetails": status_details,
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        "CommandPlugins": [],
        "ServiceRole": "",
        "NotificationConfig": notification(),
        "CloudWatchOutputConfig": cloud_watch(),
    });
    if details {
        // A plugin has no Delayed or Cancelling.
        let (status, status_details) = match status_details {
            "Delayed" => ("Pending", "Pending"),
            "Cancelling" => ("InProgress", "InProgress"),
            _ => (status, status_details),
        };
        let mut plugin = json!({
            "Name": command.plugin,
            "Status": status,
            "StatusDetails": status_details,
            "ResponseCode": invocation.code,
            "Output": output::short(&invocation.stdout, &invocation.stderr),
            "StandardOutputUrl": "",
            "StandardErrorUrl": "",
            "OutputS3Region": command.region,
            "OutputS3BucketName": command.bucket,
            "OutputS3KeyPrefix": command.prefix,
        });
        for (name, at) in
            [("ResponseStartDateTime", invocation.started), ("ResponseFinishDateTime", invocation.finished)]
        {
            if let Some(at) = at {
                plugin[name] = epoch(at);
            }
        }
        told["CommandPlugins"] = json!([plugin]);
    }
    told
}

/// `InvokedAfter`, `InvokedBefore`, `Status`, `DocumentName`; commands also `ExecutionStage`.
struct Filters(Vec<(String, String)>);

impl Filters {
    fn read(call: &Call<'_>, stages: bool) -> Result<Self, Refusal> {
        let mut filters = Vec::new();
        for filter in call.input.get("Filters").and_then(Value::as_array).into_iter().flatten() {
            let text = |name| filter.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (key, value) = (text("key"), text("value"));
            let known = ["InvokedAfter", "InvokedBefore", "Status", "DocumentName"].contains(&key.as_str());
            let staged = stages && key == "ExecutionStage";
            if !known && !staged {
                return Err(Refusal::new(400, "InvalidFilterKey", format!("{key} filter Key is invalid.")));
            }
            if key.starts_with("Invoked") && value.parse::<Timestamp>().is_err() {
                let message = "The filter value is not valid. Dates are of the form 2021-07-07T00:00:00Z.";
                return Err(Refusal::new(400, "ValidationException", message));
            }
            filters.push((key, value));
        }
        if filters.len() > 5 {
            let fault =
                "Value at 'filters' failed to satisfy constraint: Member must have length less than or equal to 5";
            return Err(Refusal::constraints("ValidationException", &[fault.to_owned()]));
        }
        Ok(Filters(filters))
    }

    fn pass(&self, command: &Command, status: &str, requested: Timestamp) -> bool {
        self.0.iter().all(|(key, value)| match key.as_str() {
            "InvokedAfter" => value.parse::<Timestamp>().is_ok_and(|at| requested >= at),
            "InvokedBefore" => value.parse::<Timestamp>().is_ok_and(|at| requested <= at),
            "Status" => value == status,
            "ExecutionStage" => (value == "Executing") == (command.aggregate().completed < command.invocations.len()),
            _ => *value == command.document,
        })
    }
}

fn instance(call: &Call<'_>) -> Option<String> {
    call.text("InstanceId").map(str::to_owned)
}

/// A page of `items` from the token on, with the token of the next.
pub(super) fn page(call: &Call<'_>, kind: &str, name: &str, items: &[Value]) -> Result<Value, Refusal> {
    let (size, from) = (call.max_results(1, 50, 50)?, call.offset(kind)?);
    let mut slice: Vec<Value> = items.iter().skip(from).take(size).cloned().collect();
    let account = call.caller.account.as_str();
    if ["invocations", "children"].contains(&kind)
        && !slice.is_empty()
        && call.world.strike(FaultName::RepeatedPage, call.world.place(account, call.region, "", "")).is_some()
    {
        // A page that begins with the last item of the one before it; the first page repeats its own last one.
        let again = if from > 0 { items[from - 1].clone() } else { slice[slice.len() - 1].clone() };
        slice.insert(0, again);
    }
    let mut told = json!({name: slice});
    if from + size < items.len() {
        told["NextToken"] = json!(format!("{kind}-{}", from + size));
    }
    Ok(told)
}

pub(super) fn commands(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:ListCommands")?;
    let (id, filters, node) = (call.command_id()?, Filters::read(call, true)?, instance(call));
    let account = call.caller.account.as_str();
    let lag = call.world.strike(FaultName::DelayedList, call.world.place(account, call.region, "", ""));
    let horizon = lag.map(|spec| {
        let late = spec.value.unwrap_or(5000);
        call.world.now() - jiff::SignedDuration::from_millis(i64::try_from(late).unwrap_or(5000))
    });
    let mut items = Vec::new();
    if let Some(cell) = call.world.cell(account, call.region) {
        // Newest first, as AWS answers.
        for command in cell.commands.iter().rev() {
            let told = command.aggregate();
            let shown = id.is_none_or(|id| id.eq_ignore_ascii_case(&command.id))
                && node.as_ref().is_none_or(|n| command.invocations.iter().any(|i| i.node.as_str() == n))
                && horizon.is_none_or(|h| command.requested <= h)
                && filters.pass(command, told.status, command.requested);
            if shown {
                items.push(command_json(command));
            }
        }
    }
    page(call, "commands", "Commands", &items)
}

pub(super) fn invocations(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:ListCommandInvocations")?;
    let (id, filters, node) = (call.command_id()?, Filters::read(call, false)?, instance(call));
    let details = call.input.get("Details").and_then(Value::as_bool).unwrap_or(false);
    let mut items = Vec::new();
    if let Some(cell) = call.world.cell(&call.caller.account, call.region) {
        let all: Vec<&Command> = match id {
            Some(id) => cell.command(&id.to_ascii_lowercase()).into_iter().collect(),
            None => cell.commands.iter().rev().collect(),
        };
        for command in all {
            for invocation in &command.invocations {
                let status = invocation.state.words().0;
                if node.as_ref().is_none_or(|n| invocation.node.as_str() == n)
                    && filters.pass(command, status, invocation.requested)
                {
                    items.push(invocation_json(command, invocation, details));
                }
            }
        }
    }
    page(call, "invocations", "CommandInvocations", &items)
}
