//! Small makers for tests.

use std::collections::BTreeMap;

use crate::domain::{Account, AccountSource, Amount, Digest, Millis, Node, NodePlatform, Snapshot, Target};
use crate::runbook::{Action, HoldAfter, Offline, OnFailure, Risk, Rollout, Runbook, Step, TargetRules};

pub(crate) fn step(name: &str) -> Step {
    Step {
        name: name.into(),
        action: Action::Shell { script: "true\n".into() },
        timeout: Millis::from_secs(60),
        delivery_timeout: Millis::from_secs(60),
        extract: BTreeMap::new(),
        expect: BTreeMap::new(),
        on_failure: OnFailure::Stop,
        when: BTreeMap::new(),
        unless: BTreeMap::new(),
        gate: None,
        reboots: false,
    }
}

pub(crate) fn runbook() -> Runbook {
    Runbook {
        name: "restart-service".parse().unwrap(),
        revision: Digest::of(b"restart-service"),
        title: "Restart a service".into(),
        description: String::new(),
        tags: vec![],
        risk: Risk::Change,
        owner: "platform".into(),
        parameters: BTreeMap::new(),
        targets: TargetRules { platforms: vec![], max: 1000, offline: Offline::Skip, exclusive: false },
        steps: vec![step("restart")],
        rollback: None,
        rollout: Rollout {
            waves: vec![Amount::Percent(100)],
            max_in_flight: Amount::Percent(100),
            max_errors: Amount::Percent(100),
            hold: HoldAfter::Never,
            hold_for: Millis::from_secs(3600),
            deadline: Millis::from_secs(86_400),
        },
    }
}

/// Node `n` of account `a`, counted from 1 and 0.
pub(crate) fn node(a: u32, n: u32) -> Node {
    Node {
        target: Target {
            account: format!("{a:012}").parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            node: format!("i-{:017x}", u64::from(a) * 0x1_0000 + u64::from(n)).parse().unwrap(),
        },
        name: format!("web-{n}"),
        platform: NodePlatform::Linux,
        agent_version: "3.3.2746.0".into(),
        attributes: BTreeMap::new(),
        online: true,
        tags: BTreeMap::from([("service".into(), "web".into())]),
    }
}

pub(crate) fn snapshot(accounts: u32, nodes: u32) -> Snapshot {
    Snapshot {
        accounts: (1..=accounts)
            .map(|a| Account {
                id: format!("{a:012}").parse().unwrap(),
                name: format!("account-{a}"),
                regions: vec!["eu-west-1".parse().unwrap()],
                labels: BTreeMap::from([("env".into(), "staging".into())]),
                source: AccountSource::Configured,
            })
            .collect(),
        nodes: (1..=accounts).flat_map(|a| (0..nodes).map(move |n| node(a, n))).collect(),
        ..Snapshot::default()
    }
}

/// The path of every leaf of a JSON value, for tests that change each of them.
pub(crate) fn leaves(value: &serde_json::Value) -> Vec<String> {
    use serde_json::Value;
    fn walk(value: &Value, path: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(map) if !map.is_empty() => map.iter().for_each(|(k, v)| walk(v, &format!("{path}/{k}"), out)),
            Value::Array(items) if !items.is_empty() => {
                items.iter().enumerate().for_each(|(i, v)| walk(v, &format!("{path}/{i}"), out));
            }
            _ => out.push(path.to_owned()),
        }
    }
    let mut out = Vec::new();
    walk(value, "", &mut out);
    out
}
