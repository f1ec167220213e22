//! GetCommandInvocation: one node's whole output, up to 24,000 and 8,000 characters.

use serde_json::{Value, json};

use crate::domain::Timestamp;

use super::super::output;
use super::super::refusal::Refusal;
use super::Call;

pub(super) fn answer(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:GetCommandInvocation")?;
    let id = call.command_id()?.unwrap_or_default().to_ascii_lowercase();
    let node = call.text("InstanceId").unwrap_or_default();
    let missing = || Refusal::new(400, "InvocationDoesNotExist", format!("Invocation not found for {id}, {node}"));
    let cell = call.world.cell(&call.caller.account, call.region).ok_or_else(missing)?;
    let command = cell.command(&id).ok_or_else(missing)?;
    let expanded =
        !command.by_tag() || call.world.now() >= command.requested + call.world.settings.pace.expansion.signed();
    let invocation =
        command.invocations.iter().find(|i| i.node.as_str() == node).filter(|_| expanded).ok_or_else(missing)?;
    if let Some(plugin) = call.text("PluginName").filter(|p| *p != command.plugin) {
        let message = format!("Plugin {plugin} not found for invocation with command id {id} and instance id {node}");
        return Err(Refusal::new(400, "InvalidPluginName", message));
    }
    let (status, details) = invocation.state.words();
    let mut told = json!({
        "CommandId": command.id,
        "InstanceId": node,
        "Comment": command.comment,
        "DocumentName": command.document,
        "DocumentVersion": command.document_version,
        "PluginName": command.plugin,
        "ResponseCode": invocation.code,
        "ExecutionEndDateTime": "",
        "Status": status,
        "StatusDetails": details,
        "StandardOutputContent": output::stdout(&invocation.stdout),
        "StandardOutputUrl": "",
        "StandardErrorContent": output::stderr(&invocation.stderr),
        "StandardErrorUrl": "",
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false},
    });
    if let (Some(start), Some(end)) = (invocation.started, invocation.finished) {
        let elapsed = end.as_millisecond() - start.as_millisecond();
        told["ExecutionStartDateTime"] = json!(iso(start));
        told["ExecutionElapsedTime"] = json!(format!("PT{}.{:03}S", elapsed / 1000, elapsed % 1000));
        // Natively the start plus whole seconds, not the plugin's real end.
        told["ExecutionEndDateTime"] = json!(iso(start + jiff::SignedDuration::from_secs(elapsed / 1000)));
    }
    Ok(told)
}

fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
