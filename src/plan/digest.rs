//! The digest: what exactly was approved.

use serde::Serialize;
use serde_json::Value;

use crate::domain::{Digest, Millis, RunbookName, Target};
use crate::runbook::{Arguments, HoldAfter, Step};

use super::{Delivery, Plan, Shard};

/// Version of the list of fields below. A change of the list is a new version, and old approvals are void.
pub const VERSION: u32 = 2;

/// The fields of the digest, and no others:
///
/// `version`, `runbook` (name), `revision` (SHA-256 of the runbook's file), `arguments` (canonical texts),
/// `delivery`, `steps` (whole: scripts, documents with hashes, timeouts, extractions, expectations),
/// `targets` (account, region, node; whether it is left out as offline follows from `shards`), `shards` (which
/// targets are sent together, in which wave), `max_in_flight`, `max_errors`, `exclusive`; from version 2 on `rollback`
/// (whole, as a step), `hold`, `hold_for`, `deadline`.
///
/// Names, tags, labels and coverage are for people and may change without changing what runs.
#[derive(Serialize)]
struct Fields<'a> {
    version: u32,
    runbook: &'a RunbookName,
    revision: Digest,
    arguments: &'a Arguments,
    delivery: Delivery,
    steps: &'a [Step],
    targets: Vec<&'a Target>,
    shards: &'a [Shard],
    max_in_flight: u32,
    max_errors: u32,
    exclusive: bool,
    #[serde(flatten)]
    since_2: Option<Since2<'a>>,
}

#[derive(Serialize)]
struct Since2<'a> {
    rollback: Option<&'a Step>,
    hold: HoldAfter,
    hold_for: Millis,
    deadline: Millis,
}

impl Plan {
    /// SHA-256 over the canonical JSON (sorted keys, no spaces, integers only) of the fields above.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let fields = Fields {
            version: self.version,
            runbook: &self.runbook,
            revision: self.revision,
            arguments: &self.arguments,
            delivery: self.delivery,
            steps: &self.steps,
            targets: self.targets.iter().map(|t| &t.target).collect(),
            shards: &self.shards,
            max_in_flight: self.max_in_flight,
            max_errors: self.max_errors,
            exclusive: self.exclusive,
            since_2: (self.version >= 2).then_some(Since2 {
                rollback: self.rollback.as_ref(),
                hold: self.hold,
                hold_for: self.hold_for,
                deadline: self.deadline,
            }),
        };
        // Only maps with text keys, so this cannot fail.
        let value = serde_json::to_value(fields).unwrap_or(Value::Null);
        let mut text = String::new();
        canonical(&value, &mut text);
        Digest::of(text.as_bytes())
    }
}

/// JSON with sorted keys and no spaces, whatever map type `serde_json` was built with.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::Selector;
    use crate::plan::{build, testing};

    fn plan() -> Plan {
        let book = testing::runbook();
        let arguments = Arguments::from([("service".into(), "nginx".into())]);
        build::build(&book, arguments, &Selector::default(), &testing::snapshot(2, 3), Delivery::Inline).unwrap()
    }

    /// Changes each leaf of the plan in turn and returns the paths whose change the digest did not see.
    fn unseen(plan: &Plan) -> BTreeSet<String> {
        fn leaves(value: &Value, path: String, out: &mut Vec<String>) {
            match value {
                Value::Object(map) if !map.is_empty() => {
                    map.iter().for_each(|(k, v)| leaves(v, format!("{path}/{k}"), out));
                }
                Value::Array(items) if !items.is_empty() => {
                    items.iter().enumerate().for_each(|(i, v)| leaves(v, format!("{path}/{i}"), out));
                }
                _ => out.push(path),
            }
        }
        let value = serde_json::to_value(plan).unwrap();
        let mut paths = Vec::new();
        leaves(&value, String::new(), &mut paths);
        let mut unseen = BTreeSet::new();
        for path in paths {
            for other in [
                json!(7),
                json!("shell2"),
                json!(true),
                json!(false),
                json!(null),
                json!("i-0000000000000dead"),
                json!("document"),
                json!("eu-north-1"),
                json!("000000000009"),
                json!("other-name"),
                json!(Digest::of(b"x").to_string()),
            ] {
                let mut changed = value.clone();
                let leaf = changed.pointer_mut(&path).unwrap();
                if *leaf == other {
                    continue;
                }
                *leaf = other;
                if let Ok(changed) = serde_json::from_value::<Plan>(changed)
                    && changed != *plan
                    && changed.digest() == plan.digest()
                {
                    let top: Vec<&str> = path.split('/').filter(|p| p.parse::<u32>().is_err()).collect();
                    unseen.insert(top.join("/"));
                }
            }
        }
        unseen
    }

    #[test]
    fn every_change_of_what_runs_changes_the_digest() {
        let allowed = ["/accounts", "/coverage", "/owner", "/risk", "/selector", "/title", "/waves"];
        let for_people = [
            "/targets/name",
            "/targets/platform",
            "/targets/agent_version",
            "/targets/offline",
            "/targets/wave",
            "/targets/tags",
        ];
        for path in unseen(&plan()) {
            assert!(
                allowed.iter().chain(&for_people).any(|a| path.starts_with(a)),
                "a change of `{path}` is not in the digest"
            );
        }
    }

    #[test]
    fn the_digest_is_the_same_on_every_machine_and_in_every_release() {
        assert_eq!(plan().digest(), plan().digest());
        let json = json!({"b": [1, {"z": "é\n", "a": null}], "a": true});
        let mut text = String::new();
        canonical(&json, &mut text);
        assert_eq!(text, r#"{"a":true,"b":[1,{"a":null,"z":"é\n"}]}"#);
    }
}
