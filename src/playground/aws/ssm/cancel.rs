//! CancelCommand: what waits is cancelled at once, what runs is killed a moment later. Best effort, as AWS says.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::super::refusal::Refusal;
use super::Call;

pub(super) fn answer(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:CancelCommand")?;
    let id = call.command_id()?.unwrap_or_default().to_ascii_lowercase();
    let nodes = call.texts("InstanceIds");
    let missing = || Refusal::new(400, "InvalidCommandId", format!("Command id {id} does not exist."));
    let mut cell = call.world.cell(&call.caller.account, call.region).ok_or_else(missing)?;
    let command = cell.command_mut(&id).ok_or_else(missing)?;
    if let Some(stranger) = nodes.iter().find(|n| command.invocations.iter().all(|i| i.node.as_str() != *n)) {
        return Err(Refusal::new(
            400,
            "InvalidInstanceId",
            format!("Instance {stranger} is not a target of the command."),
        ));
    }
    for invocation in &mut command.invocations {
        if (nodes.is_empty() || nodes.iter().any(|n| n == invocation.node.as_str())) && !invocation.state.terminal() {
            invocation.cancel.store(true, Ordering::SeqCst);
        }
    }
    command.wake.notify_one();
    Ok(json!({}))
}
