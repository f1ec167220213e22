//! The digest: what exactly was approved.

use serde::Serialize;
use serde_json::Value;

use crate::domain::{Digest, Millis, RunbookName, Target};
use crate::runbook::{Arguments, HoldAfter, Step};

use super::{Delivery, Plan, Shard};

/// Version of what is hashed. Another content is a new version, and old approvals are void.
///
/// From version 3 on it is the whole plan: every field that runs, that the policy decided by, or that people read before
/// they agreed.
pub const VERSION: u32 = 3;

/// The fields of the digest up to version 2, and no others:
///
/// `version`, `runbook` (name), `revision` (SHA-256 of the runbook's file), `arguments` (canonical texts),
/// `delivery`, `steps` (whole: scripts, documents with hashes, timeouts, extractions, expectations),
/// `targets` (account, region, node; whether it is left out as offline follows from `shards`), `shards` (which
/// targets are sent together, in which wave), `max_in_flight`, `max_errors`, `exclusive`; in version 2 `rollback`
/// (whole, as a step), `hold`, `hold_for`, `deadline`.
#[derive(Serialize)]
struct Before3<'a> {
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
    /// SHA-256 over the plan as JSON without spaces: its fields in the order of [`Plan`], the keys of maps sorted.
    #[must_use]
    pub fn digest(&self) -> Digest {
        if self.version < 3 {
            return self.digest_before_3();
        }
        // Only maps with text keys, so this cannot fail.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// SHA-256 over the canonical JSON (sorted keys, no spaces, integers only) of the fields of [`Before3`].
    fn digest_before_3(&self) -> Digest {
        let fields = Before3 {
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

    use serde_json::json;

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
        let value = serde_json::to_value(plan).unwrap();
        let mut unseen = BTreeSet::new();
        for path in testing::leaves(&value) {
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
    fn every_change_of_a_plan_changes_the_digest() {
        assert_eq!(unseen(&plan()), BTreeSet::new());
    }

    #[test]
    fn plans_of_earlier_versions_keep_the_digest_that_was_approved() {
        for (version, digest) in [
            (1, "e4e9c6b8d5e2744c002239559c2fc35cdbf5f1ea12557c0325793e048cad34bd"),
            (2, "01393c23ebde51203db9a0b24efce6de46fd366f487392cbf32876ce98e8ccf3"),
        ] {
            assert_eq!(Plan { version, ..plan() }.digest().to_string(), digest, "version {version}");
        }
        assert_eq!(
            plan().digest().to_string(),
            "71a2f24174da1c99aba0b5e0294561ec1819480a4d129b59af0ca148a4200977",
            "another order or form of the fields is a new version"
        );
    }

    #[test]
    fn what_aws_says_of_a_machine_is_sealed_too_and_plans_without_it_keep_their_digest() {
        let mut told = plan();
        told.targets[0].attributes.insert("zone".into(), "eu-west-1a".into());
        assert_ne!(told.digest(), plan().digest());
        let json = serde_json::to_string(&plan()).unwrap();
        assert!(!json.contains("attributes"), "{json}");
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap().digest(), plan().digest());
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
