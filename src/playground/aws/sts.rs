//! STS: who am I, and the one role per account, guarded by trust, External ID and source identity.

use std::sync::Arc;

use super::faults::FaultName;
use super::generate::{CENTRAL, HUB_ROLE, MEMBER_ROLE};
use super::iam::{Access, Policy, check, denial};
use super::log::Opened;
use super::organisation::{Caller, Key, World, base_arn, hub_role_arn, lock};
use super::refusal::{Refusal, Reply};
use super::xml::{around, form, tag};

/// A form that AWS demands: its pattern as AWS writes it, and the signs that may stand beside letters and digits.
struct Form {
    pattern: &'static str,
    signs: &'static str,
}

const WORDS: Form = Form { pattern: r"[\w+=,.@-]*", signs: "_+=,.@-" };
const EXTERNAL: Form = Form { pattern: r"[\w+=,.@:\/-]*", signs: "_+=,.@:/-" };

pub(super) fn answer(world: &World, caller: &Caller, body: &str) -> (String, Result<Reply, Refusal>) {
    let pairs = form(body);
    let get = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let action = get("Action").unwrap_or_default();
    let result = match action {
        "GetCallerIdentity" => Ok(wrap(
            "GetCallerIdentity",
            &[tag("Arn", &caller.arn), tag("UserId", &caller.user_id), tag("Account", &caller.account)].concat(),
        )),
        "AssumeRole" => assume(world, caller, &get),
        other => {
            Err(Refusal::new(400, "InvalidAction", format!("Could not find operation {other} for version 2011-06-15")))
        }
    };
    (format!("sts:{action}"), result)
}

fn wrap(action: &str, inner: &str) -> Reply {
    Reply::Xml(format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{}<ResponseMetadata><RequestId>{{request-id}}</RequestId></ResponseMetadata></{action}Response>",
        around(&format!("{action}Result"), inner)
    ))
}

fn assume<'a>(world: &World, caller: &Caller, get: &dyn Fn(&str) -> Option<&'a str>) -> Result<Reply, Refusal> {
    let arn = get("RoleArn").unwrap_or_default();
    let name = get("RoleSessionName").unwrap_or_default();
    let external_id = get("ExternalId");
    let asked_identity = get("SourceIdentity");
    let policy_text = get("Policy");
    let duration: i64 = get("DurationSeconds")
        .map_or(Ok(3600), str::parse)
        .map_err(|_| Refusal::new(400, "MalformedInput", "The DurationSeconds is not a number"))?;

    let mut faults = Vec::new();
    let fault = |value: &str, member: &str, rule: &str| {
        format!("Value '{value}' at '{member}' failed to satisfy constraint: {rule}")
    };
    lengths(&mut faults, "roleArn", arn, 20, 2048, None);
    lengths(&mut faults, "roleSessionName", name, 2, 64, Some(&WORDS));
    if let Some(id) = external_id {
        lengths(&mut faults, "externalId", id, 2, 1224, Some(&EXTERNAL));
    }
    if let Some(identity) = asked_identity {
        lengths(&mut faults, "sourceIdentity", identity, 2, 64, Some(&WORDS));
    }
    if duration < 900 {
        faults.push(fault(
            &duration.to_string(),
            "durationSeconds",
            "Member must have value greater than or equal to 900",
        ));
    }
    if duration > 43_200 {
        faults.push(fault(
            &duration.to_string(),
            "durationSeconds",
            "Member must have value less than or equal to 43200",
        ));
    }
    if let Some(policy) = policy_text {
        lengths(&mut faults, "policy", policy, 1, 2048, None);
    }
    if !faults.is_empty() {
        return Err(Refusal::constraints("ValidationError", &faults));
    }
    if asked_identity.is_some_and(|i| i.starts_with("aws:")) {
        return Err(Refusal::new(400, "ValidationError", "The source identity must not start with aws:"));
    }
    let chained = !caller.role.is_empty();
    if chained && duration > 3600 {
        return Err(Refusal::new(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    let policy = policy_text
        .map(|text| Policy::parse(text).map(Arc::new).map_err(|why| Refusal::new(400, "MalformedPolicyDocument", why)))
        .transpose()?;

    let context = std::collections::BTreeMap::new();
    let access = Access { action: "sts:AssumeRole", resource: arn, context: &context };
    // AWS does not tell a caller which half of the trust failed, and neither do we.
    let denied = || {
        Refusal::new(
            403,
            "AccessDenied",
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}", caller.arn),
        )
    };
    if let Err(why) = check(&caller.rights, caller.session_policy.as_deref(), &access) {
        return Err(Refusal::new(403, "AccessDenied", denial(&caller.arn, &access, &why)));
    }
    let identity = match (&caller.source_identity, asked_identity) {
        (Some(have), Some(asked)) if have != asked => return Err(denied()),
        (Some(have), _) => Some(have.clone()),
        (None, asked) => asked.map(str::to_owned),
    };
    let [account, role] =
        role_of(arn).ok_or_else(|| Refusal::new(400, "ValidationError", format!("{arn} is invalid")))?;
    let rights = if account == CENTRAL && role == HUB_ROLE {
        if caller.arn != base_arn() {
            return Err(denied());
        }
        world.central_rights.clone()
    } else {
        let member = world.member(account).filter(|_| role == MEMBER_ROLE).ok_or_else(denied)?;
        let trusted = [base_arn(), hub_role_arn()].contains(&caller.principal());
        let refused = world.strike(FaultName::DenyAccount, world.place(account, "", "", "")).is_some();
        let open = world.strike(FaultName::OpenTrust, world.place(account, "", "", "")).is_some();
        let knows = open || external_id == Some(&member.external_id);
        if !trusted || refused || !knows || identity.is_none() {
            return Err(denied());
        }
        world.member_rights.clone()
    };
    if policy_text.is_some() && world.strike(FaultName::PackedPolicy, world.place(account, "", "", "")).is_some() {
        return Err(Refusal::new(
            400,
            "PackedPolicyTooLarge",
            "Packed policy consumes 108% of allotted space, please use smaller policy.",
        ));
    }

    let expires = world.now() + jiff::SignedDuration::from_secs(duration);
    let access_key = format!("ASIA{}", &super::random_token()[..16].to_ascii_uppercase());
    let secret = format!("{}{}", super::random_token(), &super::random_token()[..8]);
    let token = format!("play{}{}", super::random_token(), super::random_token());
    let role_id = format!("AROA{:0>17}", &account[..12]);
    let session = Caller {
        account: account.to_owned(),
        arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
        user_id: format!("{role_id}:{name}"),
        role: role.to_owned(),
        session_name: name.to_owned(),
        rights,
        session_policy: policy,
        source_identity: identity.clone(),
        expires: Some(expires),
    };
    let credentials = [
        tag("AccessKeyId", &access_key),
        tag("SecretAccessKey", &secret),
        tag("SessionToken", &token),
        tag("Expiration", &expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    ]
    .concat();
    let user = [tag("AssumedRoleId", &session.user_id), tag("Arn", &session.arn)].concat();
    let mut inner = around("AssumedRoleUser", &user) + &around("Credentials", &credentials);
    if let Some(identity) = &identity {
        inner += &tag("SourceIdentity", identity);
    }
    if let Some(text) = policy_text {
        inner += &tag("PackedPolicySize", &(text.len() * 100 / 2048).max(1).to_string());
    }
    lock(&world.log).opened(Opened {
        account: account.to_owned(),
        role: role.to_owned(),
        session_name: name.to_owned(),
        source_identity: identity,
        at: world.now(),
    });
    world.remember(access_key, Key { secret, token: Some(token), caller: Arc::new(session) });
    Ok(wrap("AssumeRole", &inner))
}

/// Account and role name of `arn:aws:iam::<account>:role/<name>`.
fn role_of(arn: &str) -> Option<[&str; 2]> {
    let (account, role) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    (account.len() == 12).then_some([account, role])
}

fn lengths(faults: &mut Vec<String>, member: &str, value: &str, min: usize, max: usize, form: Option<&Form>) {
    let length = value.chars().count();
    let mut add =
        |rule: String| faults.push(format!("Value '{value}' at '{member}' failed to satisfy constraint: {rule}"));
    if length < min {
        add(format!("Member must have length greater than or equal to {min}"));
    }
    if length > max {
        add(format!("Member must have length less than or equal to {max}"));
    }
    if let Some(form) = form
        && !value.chars().all(|c| c.is_ascii_alphanumeric() || form.signs.contains(c))
    {
        add(format!("Member must satisfy regular expression pattern: {}", form.pattern));
    }
}
