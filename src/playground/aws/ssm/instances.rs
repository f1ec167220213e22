//! DescribeInstanceInformation: the managed nodes. It returns no tags, and it lags behind agents that went away.

use serde_json::{Value, json};

use crate::domain::NodePlatform;

use super::super::generate::Machine;
use super::super::refusal::Refusal;
use super::{Call, epoch, texts};

const KEYS: [&str; 11] = [
    "ActivationIds",
    "AgentVersion",
    "AssociationStatus",
    "IamRole",
    "InstanceIds",
    "PingStatus",
    "PlatformTypes",
    "ResourceType",
    "SourceIds",
    "SourceTypes",
    "tag-key",
];

pub(super) fn answer(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:DescribeInstanceInformation")?;
    let read = |member: &str, key: &str, values: &str| -> Vec<(String, Vec<String>)> {
        let filters = call.input.get(member).and_then(Value::as_array);
        let one = |f: &Value| (f.get(key).and_then(Value::as_str).unwrap_or_default().to_owned(), texts(f.get(values)));
        filters.into_iter().flatten().map(one).collect()
    };
    let (mut filters, legacy) =
        (read("Filters", "Key", "Values"), read("InstanceInformationFilterList", "key", "valueSet"));
    if !filters.is_empty() && !legacy.is_empty() {
        let message = "Cannot use both legacy and new filter simultaneously.";
        return Err(Refusal::new(400, "ValidationException", message));
    }
    filters.extend(legacy);
    let is_tag = |key: &str| key.starts_with("tag:") || key == "tag-key";
    if let Some((key, _)) = filters.iter().find(|(k, _)| !is_tag(k) && !KEYS.contains(&k.as_str())) {
        return Err(Refusal::new(
            400,
            "InvalidInstanceInformationFilterValue",
            format!("{key} filter Key is invalid."),
        ));
    }
    if filters.iter().any(|(k, _)| is_tag(k)) && filters.iter().any(|(k, _)| !is_tag(k)) {
        let message = "Cannot mix tag or inventory filter with any other filter.";
        return Err(Refusal::new(400, "ValidationException", message));
    }
    if filters.iter().any(|(_, values)| values.len() > 100) {
        let fault =
            "Value at 'filters' failed to satisfy constraint: Member must have length less than or equal to 100";
        return Err(Refusal::constraints("ValidationException", &[fault.to_owned()]));
    }
    // An explicit list of ids is answered whole, like AWS does for up to 50.
    let (size, from) = (call.max_results(5, 50, 10)?, call.offset("nodes")?);
    let now = call.world.now();
    let items: Vec<Value> = match call.world.cell(&call.caller.account, call.region) {
        Some(cell) => cell
            .machines
            .iter()
            .filter(|m| m.listed() && filters.iter().all(|f| pass(m, f)))
            .map(|m| {
                let seconds = if m.online { 40 } else { 7200 };
                let (platform, name, version) = match m.platform {
                    NodePlatform::Windows => ("Windows", "Microsoft Windows Server 2022 Datacenter", "10.0.20348"),
                    NodePlatform::Macos => ("MacOS", "macOS", "14.6"),
                    NodePlatform::Linux => {
                        let (name, version) = m.distribution.name();
                        ("Linux", name, version)
                    }
                };
                json!({
                    "InstanceId": m.id.as_str(),
                    "PingStatus": ping(m),
                    "LastPingDateTime": epoch(now - jiff::SignedDuration::from_secs(seconds)),
                    "AgentVersion": m.agent_version,
                    "IsLatestVersion": m.agent_version == "3.3.3050.0",
                    "PlatformType": platform,
                    "PlatformName": name,
                    "PlatformVersion": version,
                    "ResourceType": "EC2Instance",
                    "IPAddress": m.ip,
                    "ComputerName": m.host_name,
                    "SourceId": m.id.as_str(),
                    "SourceType": "AWS::EC2::Instance",
                })
            })
            .collect(),
        None => Vec::new(),
    };
    let page: Vec<Value> = items.iter().skip(from).take(size).cloned().collect();
    let mut told = json!({"InstanceInformationList": page});
    if from + size < items.len() {
        told["NextToken"] = json!(format!("nodes-{}", from + size));
    }
    Ok(told)
}

fn ping(machine: &Machine) -> &'static str {
    if machine.online { "Online" } else { "ConnectionLost" }
}

fn pass(machine: &Machine, (key, values): &(String, Vec<String>)) -> bool {
    let any = |have: &str| values.iter().any(|v| v == have);
    match key.as_str() {
        "InstanceIds" | "SourceIds" => any(machine.id.as_str()),
        "PingStatus" => any(ping(machine)),
        "PlatformTypes" => values.iter().any(|v| v.eq_ignore_ascii_case(machine.platform.as_str())),
        "AgentVersion" => any(&machine.agent_version),
        "ResourceType" => any("EC2Instance"),
        "SourceTypes" => any("AWS::EC2::Instance"),
        "tag-key" => machine.tags.keys().any(|k| any(k)),
        other => other.strip_prefix("tag:").is_some_and(|tag| machine.tags.get(tag).is_some_and(|v| any(v))),
    }
}
