//! SSM: Run Command and Automation (send, list, read, cancel), and which nodes are managed.
//!
//! JSON 1.1: timestamps are epoch seconds, unknown commands give an empty 200, and every member of a command is
//! present, empty ones as `""`, `[]`, `0` or `false` (as in captures of the real service).

mod automation;
mod cancel;
mod document;
mod instances;
mod invocation;
mod list;
mod send;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::Timestamp;

use super::iam::{Access, check, denial};
use super::organisation::{Caller, World};
use super::refusal::{Refusal, Reply, Stop};
use super::sigv4::Claim;

pub(super) struct Call<'a> {
    pub world: &'a Arc<World>,
    pub caller: &'a Caller,
    pub claim: &'a Claim,
    pub region: &'a str,
    pub input: Value,
}

pub(super) fn answer(
    world: &Arc<World>,
    caller: &Caller,
    claim: &Claim,
    operation: &str,
    body: &str,
) -> Result<Reply, Stop> {
    let input: Value = serde_json::from_str(body).map_err(|_| Refusal::new(400, "SerializationException", ""))?;
    if !input.is_object() {
        return Err(Refusal::new(400, "SerializationException", "").into());
    }
    let call = Call { world, caller, claim, region: &claim.region, input };
    if world.member(&caller.account).is_some() && world.cell(&caller.account, &claim.region).is_none() {
        // A region that is not switched on knows no keys at all.
        let message = "The security token included in the request is invalid.";
        return Err(Refusal::new(400, "UnrecognizedClientException", message).into());
    }
    let value = match operation {
        "SendCommand" => send::answer(&call)?,
        "ListCommands" => list::commands(&call)?,
        "ListCommandInvocations" => list::invocations(&call)?,
        "GetCommandInvocation" => invocation::answer(&call)?,
        "CancelCommand" => cancel::answer(&call)?,
        "StartAutomationExecution" => automation::start(&call)?,
        "DescribeAutomationExecutions" => automation::describe(&call)?,
        "GetAutomationExecution" => automation::get(&call)?,
        "StopAutomationExecution" => automation::stop(&call)?,
        "DescribeInstanceInformation" => instances::answer(&call)?,
        "DescribeDocument" => document::describe(&call)?,
        "GetDocument" => document::get(&call)?,
        _ => return Err(Refusal::new(400, "UnknownOperationException", "").into()),
    };
    Ok(Reply::Json(value))
}

impl Call<'_> {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.input.get(name).and_then(Value::as_str)
    }
    pub fn texts(&self, name: &str) -> Vec<String> {
        texts(self.input.get(name))
    }
    /// AWS names members in messages with a small first letter.
    pub fn allow(&self, action: &str, resource: &str, context: &BTreeMap<String, String>) -> Result<(), Refusal> {
        let access = Access { action, resource, context };
        check(&self.caller.rights, self.caller.session_policy.as_deref(), &access)
            .map_err(|why| Refusal::new(400, "AccessDeniedException", denial(&self.caller.arn, &access, &why)))
    }
    pub fn allow_any(&self, action: &str) -> Result<(), Refusal> {
        let resource = format!("arn:aws:ssm:{}:{}:*", self.region, self.caller.account);
        self.allow(action, &resource, &BTreeMap::new())
    }
    /// The page size asked for, between AWS's limits.
    pub fn max_results(&self, least: usize, most: usize, default: usize) -> Result<usize, Refusal> {
        let Some(asked) = self.input.get("MaxResults").and_then(Value::as_i64) else { return Ok(default) };
        let rule = match usize::try_from(asked) {
            Ok(n) if n > most => format!("less than or equal to {most}"),
            Ok(n) if n >= least => return Ok(n),
            _ => format!("greater than or equal to {least}"),
        };
        // Natively this message does not repeat the value.
        let fault = format!("Value at 'maxResults' failed to satisfy constraint: Member must have value {rule}");
        Err(Refusal::constraints("ValidationException", &[fault]))
    }
    /// The offset that a page token stands for.
    pub fn offset(&self, kind: &str) -> Result<usize, Refusal> {
        match self.text("NextToken") {
            None | Some("") => Ok(0),
            Some(token) => token
                .strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix('-')?.parse().ok())
                .ok_or_else(|| Refusal::new(400, "InvalidNextToken", "")),
        }
    }
    /// The command id, if one is given and well formed.
    pub fn command_id(&self) -> Result<Option<&str>, Refusal> {
        let Some(id) = self.text("CommandId") else { return Ok(None) };
        let good = id.len() == 36
            && id
                .char_indices()
                .all(|(i, c)| if [8, 13, 18, 23].contains(&i) { c == '-' } else { c.is_ascii_hexdigit() });
        if good {
            return Ok(Some(id));
        }
        let mut faults = Vec::new();
        let start = format!("Value '{id}' at 'commandId' failed to satisfy constraint:");
        if id.len() < 36 {
            faults.push(format!("{start} Member must have length greater than or equal to 36"));
        }
        if id.len() > 36 {
            faults.push(format!("{start} Member must have length less than or equal to 36"));
        }
        let pattern = "^[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}$";
        faults.push(format!("{start} Member must satisfy regular expression pattern: {pattern}"));
        Err(Refusal::constraints("ValidationException", &faults))
    }
}

pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// Epoch seconds with milliseconds.
#[allow(clippy::cast_precision_loss)]
pub(super) fn epoch(at: Timestamp) -> Value {
    serde_json::json!(at.as_millisecond() as f64 / 1000.0)
}
