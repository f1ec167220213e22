//! AWS Organizations: which accounts there are. Asked with the central account's own rights only.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::generate::CENTRAL;
use super::iam::{Access, check, denial};
use super::organisation::{Caller, World};
use super::refusal::{Refusal, Reply};

const ORGANISATION: &str = "o-muster1234";

pub(super) fn answer(world: &World, caller: &Caller, operation: &str, body: &str) -> Result<Reply, Refusal> {
    let input: Value = serde_json::from_str(body).map_err(|_| Refusal::new(400, "SerializationException", ""))?;
    let (action, context) = (format!("organizations:{operation}"), BTreeMap::new());
    let access = Access { action: &action, resource: "*", context: &context };
    if let Err(why) = check(&caller.rights, caller.session_policy.as_deref(), &access) {
        return Err(Refusal::new(400, "AccessDeniedException", denial(&caller.arn, &access, &why)));
    }
    if caller.account != CENTRAL {
        return Err(Refusal::new(400, "AccessDeniedException", "You don't have permissions to access this resource."));
    }
    match operation {
        "ListAccounts" => list_accounts(world, &input),
        "ListTagsForResource" => {
            let id = input["ResourceId"].as_str().unwrap_or_default();
            let labels = match world.member(id) {
                Some(member) => &member.labels,
                None if id == CENTRAL => &BTreeMap::new(),
                None => {
                    let message = "You specified a target that doesn't exist.";
                    return Err(Refusal::new(400, "TargetNotFoundException", message));
                }
            };
            let tags: Vec<Value> = labels.iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
            Ok(Reply::Json(json!({"Tags": tags})))
        }
        "DescribeOrganization" => Ok(Reply::Json(json!({"Organization": {
            "Id": ORGANISATION,
            "Arn": format!("arn:aws:organizations::{CENTRAL}:organization/{ORGANISATION}"),
            "FeatureSet": "ALL",
            "MasterAccountArn": format!("arn:aws:organizations::{CENTRAL}:account/{ORGANISATION}/{CENTRAL}"),
            "MasterAccountId": CENTRAL,
            "MasterAccountEmail": format!("aws+{CENTRAL}@example.com"),
            "AvailablePolicyTypes": [],
        }}))),
        _ => Err(Refusal::new(400, "UnknownOperationException", "")),
    }
}

fn list_accounts(world: &World, input: &Value) -> Result<Reply, Refusal> {
    let size = match input.get("MaxResults").and_then(Value::as_u64) {
        None => 20,
        Some(n @ 1..=20) => usize::try_from(n).unwrap_or(20),
        Some(n) => {
            let fault = format!(
                "Value '{n}' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 20"
            );
            return Err(Refusal::constraints("InvalidInputException", &[fault]));
        }
    };
    let from = match input.get("NextToken").and_then(Value::as_str) {
        None => 0,
        Some(token) => token
            .strip_prefix("accounts-")
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| Refusal::new(400, "InvalidInputException", "You provided an invalid pagination token."))?,
    };
    let central = (CENTRAL.to_owned(), "central".to_owned());
    let all: Vec<(String, String)> =
        std::iter::once(central).chain(world.members.iter().map(|m| (m.id.to_string(), m.name.clone()))).collect();
    let page: Vec<Value> = all.iter().skip(from).take(size).map(|(id, name)| account(id, name, world)).collect();
    let mut answer = json!({"Accounts": page});
    if from + size < all.len() {
        answer["NextToken"] = json!(format!("accounts-{}", from + size));
    }
    Ok(Reply::Json(answer))
}

/// `Status` was retired in 2026, `State` is what is left.
fn account(id: &str, name: &str, world: &World) -> Value {
    let unit = world.member(id).and_then(|m| m.labels.get("env").cloned()).unwrap_or_else(|| "other".to_owned());
    json!({
        "Id": id,
        "Arn": format!("arn:aws:organizations::{CENTRAL}:account/{ORGANISATION}/{id}"),
        "Email": format!("aws+{name}@example.com"),
        "Name": name,
        "State": "ACTIVE",
        "Paths": [format!("{ORGANISATION}/r-ab12/ou-ab12-{unit}/{id}/")],
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": 1_735_689_600.0,
    })
}
