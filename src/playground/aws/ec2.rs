//! EC2: names and tags of instances, and which regions there are.

use std::collections::BTreeMap;

use crate::domain::NodePlatform;

use super::generate::{CENTRAL, Machine};
use super::iam::{Access, check, denial, wildcard};
use super::organisation::{Caller, World};
use super::refusal::{Refusal, Reply};
use super::xml::{around, escape, form, tag};

pub(super) fn answer(world: &World, caller: &Caller, region: &str, body: &str) -> (String, Result<Reply, Refusal>) {
    let pairs = form(body);
    let get = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let action = get("Action").unwrap_or_default();
    let (name, context) = (format!("ec2:{action}"), BTreeMap::new());
    let access = Access { action: &name, resource: "*", context: &context };
    let result = match check(&caller.rights, caller.session_policy.as_deref(), &access) {
        Err(why) => {
            let text =
                format!("You are not authorized to perform this operation. {}", denial(&caller.arn, &access, &why));
            Err(Refusal::new(403, "UnauthorizedOperation", text.replace(" on resource: *", "")))
        }
        Ok(()) => match action.as_str() {
            "DescribeRegions" => Ok(regions(world)),
            "DescribeInstances" => instances(world, caller, region, &pairs),
            other => Err(Refusal::new(
                400,
                "InvalidAction",
                format!("The action {other} is not valid for this web service."),
            )),
        },
    };
    (name, result)
}

fn wrap(action: &str, inner: &str) -> Reply {
    Reply::Xml(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{{request-id}}</requestId>{inner}</{action}Response>"
    ))
}

fn regions(world: &World) -> Reply {
    let items: String = world
        .settings
        .regions
        .iter()
        .map(|r| {
            let fields = [
                tag("regionName", r.as_str()),
                tag("regionEndpoint", &format!("ec2.{r}.amazonaws.com")),
                tag("optInStatus", "opt-in-not-required"),
            ];
            around("item", &fields.concat())
        })
        .collect();
    wrap("DescribeRegions", &around("regionInfo", &items))
}

/// `Filter.1.Name`, `Filter.1.Value.1`, …: filters by AND, their values by OR.
fn filters(pairs: &[(String, String)]) -> Vec<(String, Vec<String>)> {
    let mut found: BTreeMap<u32, (String, Vec<String>)> = BTreeMap::new();
    for (name, value) in pairs {
        let Some((number, rest)) = name.strip_prefix("Filter.").and_then(|r| r.split_once('.')) else { continue };
        let Ok(number) = number.parse() else { continue };
        let filter = found.entry(number).or_default();
        if rest == "Name" {
            filter.0.clone_from(value);
        } else if rest.starts_with("Value.") {
            filter.1.push(value.clone());
        }
    }
    found.into_values().collect()
}

fn matches(machine: &Machine, (name, values): &(String, Vec<String>)) -> Result<bool, Refusal> {
    let any = |have: &str| values.iter().any(|v| wildcard(v, have));
    Ok(match name.as_str() {
        "instance-state-name" => any(state(machine).1),
        "instance-id" => any(machine.id.as_str()),
        "tag-key" => machine.tags.keys().any(|k| any(k)),
        "platform" => machine.platform == NodePlatform::Windows && any("windows"),
        other => match other.strip_prefix("tag:") {
            Some(key) => machine.tags.get(key).is_some_and(|v| any(v)),
            None => return Err(Refusal::new(400, "InvalidParameterValue", format!("The filter '{other}' is invalid"))),
        },
    })
}

pub(super) fn state(machine: &Machine) -> (u8, &'static str) {
    match (machine.gone, machine.stopped) {
        (true, _) => (48, "terminated"),
        (false, true) => (80, "stopped"),
        (false, false) => (16, "running"),
    }
}

fn instances(world: &World, caller: &Caller, region: &str, pairs: &[(String, String)]) -> Result<Reply, Refusal> {
    let get = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let ids: Vec<&str> = pairs.iter().filter(|(n, _)| n.starts_with("InstanceId.")).map(|(_, v)| v.as_str()).collect();
    let size = match get("MaxResults").map(str::parse::<usize>) {
        None => 1000,
        Some(Ok(_)) if !ids.is_empty() => {
            let message = "The parameter instancesSet cannot be used with the parameter maxResults";
            return Err(Refusal::new(400, "InvalidParameterCombination", message));
        }
        Some(Ok(n @ 5..=1000)) => n,
        Some(_) => {
            let given = get("MaxResults").unwrap_or_default();
            let message =
                format!("Value ( {given} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.");
            return Err(Refusal::new(400, "InvalidParameterValue", message));
        }
    };
    let from: usize = match get("NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("instances-")
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| Refusal::new(400, "InvalidNextToken", "Unable to parse pagination token"))?,
    };
    let filters = filters(pairs);
    let mut items = Vec::new();
    if let Some(cell) = world.cell(&caller.account, region) {
        if let Some(unknown) = ids.iter().find(|id| cell.machine(id).is_none()) {
            let message = format!("The instance ID '{unknown}' does not exist");
            return Err(Refusal::new(400, "InvalidInstanceID.NotFound", message));
        }
        for machine in cell.machines.iter().filter(|m| ids.is_empty() || ids.contains(&m.id.as_str())) {
            let mut all = true;
            for filter in &filters {
                all &= matches(machine, filter)?;
            }
            if all {
                items.push(item(machine, &caller.account));
            }
        }
    }
    let page: String = items.iter().skip(from).take(size).map(String::as_str).collect();
    let mut inner = around("reservationSet", &page);
    if from + size < items.len() {
        inner += &tag("nextToken", &format!("instances-{}", from + size));
    }
    Ok(wrap("DescribeInstances", &inner))
}

fn item(machine: &Machine, account: &str) -> String {
    let (code, name) = state(machine);
    let tags: String = machine
        .tags
        .iter()
        .map(|(k, v)| format!("<item><key>{}</key><value>{}</value></item>", escape(k), escape(v)))
        .collect();
    let platform = if machine.platform == NodePlatform::Windows { tag("platform", "windows") } else { String::new() };
    let details = if machine.platform == NodePlatform::Windows { "Windows" } else { "Linux/UNIX" };
    let hex = machine.id.as_str().trim_start_matches("i-");
    let instance = [
        tag("instanceId", machine.id.as_str()),
        tag("imageId", &machine.image()),
        around("instanceState", &[tag("code", &code.to_string()), tag("name", name)].concat()),
        tag("privateDnsName", &machine.host_name),
        tag("instanceType", machine.instance_type()),
        tag("launchTime", "2026-01-12T08:00:00.000Z"),
        around("placement", &[tag("availabilityZone", &machine.zone), tag("tenancy", "default")].concat()),
        platform,
        tag("platformDetails", details),
        tag("privateIpAddress", &machine.ip),
        tag("architecture", "x86_64"),
        around("tagSet", &tags),
    ]
    .concat();
    let reservation = [
        tag("reservationId", &format!("r-{hex}")),
        tag("ownerId", if account.is_empty() { CENTRAL } else { account }),
        "<groupSet/>".to_owned(),
        around("instancesSet", &around("item", &instance)),
    ]
    .concat();
    around("item", &reservation)
}
