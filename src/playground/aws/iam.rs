//! May this session do that: the subset of IAM that Muster's roles and session policies use.
//!
//! Effective rights are those of the role that its session policy allows too; an explicit deny in either wins.
//! Actions and resources take `*` and `?`; conditions are StringEquals. A policy that uses more is refused when it
//! is handed in, so that nothing is ever allowed by a condition this file does not understand.

use std::collections::BTreeMap;

use serde_json::Value;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    allow: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    /// Key to its values: every key must match, one value of each is enough.
    string_equals: Vec<(String, Vec<String>)>,
}

/// What is asked for. Conditions are looked up in `context`, whose keys are lower case up to the first `/`.
#[derive(Debug, Clone)]
pub struct Access<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    pub context: &'a BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allowed,
    Explicit,
    Silent,
}

impl Policy {
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("The policy is not in the valid JSON format. {what}");
        let value: Value = serde_json::from_str(text).map_err(|e| wrong(&e.to_string()))?;
        let mut statements = Vec::new();
        for statement in list(value.get("Statement").ok_or_else(|| wrong("Missing Statement."))?) {
            let strings = |name: &str| -> Vec<String> {
                list(statement.get(name).unwrap_or(&Value::Null))
                    .iter()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect()
            };
            let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
            if let Some(other) = statement.as_object().and_then(|o| o.keys().find(|k| !known.contains(&k.as_str()))) {
                return Err(wrong(&format!("The simulator does not know the policy element {other}.")));
            }
            let mut string_equals = Vec::new();
            for (operator, keys) in statement.get("Condition").and_then(Value::as_object).into_iter().flatten() {
                if operator != "StringEquals" {
                    return Err(wrong(&format!("The simulator does not know the condition operator {operator}.")));
                }
                for (key, values) in keys.as_object().into_iter().flatten() {
                    let values = list(values).iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
                    string_equals.push((fold_key(key), values));
                }
            }
            let allow = match statement.get("Effect").and_then(Value::as_str) {
                Some("Allow") => true,
                Some("Deny") => false,
                _ => return Err(wrong("Effect is Allow or Deny.")),
            };
            let (actions, resources) = (strings("Action"), strings("Resource"));
            if actions.is_empty() || resources.is_empty() {
                return Err(wrong("A statement needs Action and Resource."));
            }
            statements.push(Statement { allow, actions, resources, string_equals });
        }
        Ok(Policy { statements })
    }

    fn verdict(&self, access: &Access<'_>) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in self.statements.iter().filter(|s| s.covers(access)) {
            if !statement.allow {
                return Verdict::Explicit;
            }
            verdict = Verdict::Allowed;
        }
        verdict
    }
}

impl Statement {
    fn covers(&self, access: &Access<'_>) -> bool {
        self.actions.iter().any(|a| wildcard(&a.to_ascii_lowercase(), &access.action.to_ascii_lowercase()))
            && self.resources.iter().any(|r| wildcard(r, access.resource))
            && self
                .string_equals
                .iter()
                .all(|(key, values)| access.context.get(key).is_some_and(|have| values.contains(have)))
    }
}

/// `Ok`, or the end of AWS's sentence that says which policy is missing or denies.
pub fn check(role: &Policy, session: Option<&Policy>, access: &Access<'_>) -> Result<(), String> {
    let action = access.action;
    let parts = [(Some(role), "identity-based", "an identity-based"), (session, "session", "a session")];
    for (policy, _, long) in parts {
        if policy.is_some_and(|p| p.verdict(access) == Verdict::Explicit) {
            return Err(format!("with an explicit deny in {long} policy"));
        }
    }
    for (policy, name, _) in parts {
        if policy.is_some_and(|p| p.verdict(access) == Verdict::Silent) {
            return Err(format!("because no {name} policy allows the {action} action"));
        }
    }
    Ok(())
}

/// The sentence AWS writes about a denial.
#[must_use]
pub fn denial(arn: &str, access: &Access<'_>, why: &str) -> String {
    format!("User: {arn} is not authorized to perform: {} on resource: {} {why}", access.action, access.resource)
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

/// Condition keys ignore case, the tag's name after the `/` does not matter to AWS either but does to people.
fn fold_key(key: &str) -> String {
    match key.split_once('/') {
        Some((head, tag)) => format!("{}/{tag}", head.to_ascii_lowercase()),
        None => key.to_ascii_lowercase(),
    }
}

/// `*` is any text, `?` any one character; both cross `/` and `:`.
#[must_use]
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (p, t) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut pos) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while pos < t.len() {
        match p.get(at) {
            Some(b'*') => {
                star = Some((at, pos));
                at += 1;
            }
            Some(c) if *c == b'?' || *c == t[pos] => {
                at += 1;
                pos += 1;
            }
            _ => match star {
                Some((s, from)) => {
                    star = Some((s, from + 1));
                    at = s + 1;
                    pos = from + 1;
                }
                None => return false,
            },
        }
    }
    p[at..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#"{"Version":"2012-10-17","Statement":[
      {"Effect":"Allow","Action":"ssm:SendCommand","Resource":"arn:aws:ssm:eu-west-1:*:document/AWS-RunShellScript"},
      {"Effect":"Allow","Action":"ssm:SendCommand","Resource":"arn:aws:ec2:*:111111111111:instance/*",
       "Condition":{"StringEquals":{"ssm:resourceTag/env":["prod","staging"]}}},
      {"Effect":"Allow","Action":["ssm:List*","ssm:CancelCommand"],"Resource":"*"}]}"#;

    fn ask(policy: &Policy, action: &str, resource: &str, tags: &[(&str, &str)]) -> Result<(), String> {
        let role = Policy::parse(r#"{"Statement":{"Effect":"Allow","Action":"ssm:*","Resource":"*"}}"#).unwrap();
        let context = tags.iter().map(|(k, v)| (format!("ssm:resourcetag/{k}"), (*v).to_owned())).collect();
        check(&role, Some(policy), &Access { action, resource, context: &context })
    }

    #[test]
    fn a_session_policy_narrows_by_document_region_and_tag() {
        let policy = Policy::parse(RUN).unwrap();
        let document = |region: &str, name: &str| format!("arn:aws:ssm:{region}::document/{name}");
        assert_eq!(ask(&policy, "ssm:SendCommand", &document("eu-west-1", "AWS-RunShellScript"), &[]), Ok(()));
        let silent = Err("because no session policy allows the ssm:SendCommand action".to_owned());
        assert_eq!(ask(&policy, "ssm:SendCommand", &document("us-east-1", "AWS-RunShellScript"), &[]), silent);
        assert_eq!(ask(&policy, "ssm:SendCommand", &document("eu-west-1", "AWS-RunShellScript2"), &[]), silent);
        let node = "arn:aws:ec2:eu-west-1:111111111111:instance/i-0a1b2c3d4e5f60718";
        assert_eq!(ask(&policy, "ssm:SendCommand", node, &[("env", "prod")]), Ok(()));
        assert_eq!(ask(&policy, "ssm:SendCommand", node, &[("env", "dev")]), silent);
        assert_eq!(ask(&policy, "ssm:SendCommand", node, &[]), silent);
        assert_eq!(ask(&policy, "ssm:ListCommands", "*", &[]), Ok(()));
    }

    #[test]
    fn a_deny_wins_and_a_role_limits_its_sessions() {
        let deny = Policy::parse(
            r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"ssm:Send*","Resource":"*"}]}"#,
        )
        .unwrap();
        assert_eq!(
            ask(&deny, "ssm:SendCommand", "x", &[]),
            Err("with an explicit deny in a session policy".to_owned())
        );
        assert_eq!(
            ask(&deny, "ec2:DescribeInstances", "*", &[]),
            Err("because no identity-based policy allows the ec2:DescribeInstances action".to_owned())
        );
    }

    #[test]
    fn what_the_simulator_cannot_judge_it_refuses() {
        for bad in [
            "{",
            "{}",
            r#"{"Statement":[{"Effect":"Allow","NotAction":"a","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"a","Resource":"*","Condition":{"StringLike":{"a":"b"}}}]}"#,
            r#"{"Statement":[{"Effect":"Permit","Action":"a","Resource":"*"}]}"#,
        ] {
            assert!(Policy::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*:instance/*", "arn:aws:ec2:r:1:instance/i-1", true),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(wildcard(pattern, text), expected, "{pattern} {text}");
        }
    }
}
