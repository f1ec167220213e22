//! Small makers of plans, runs and reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::*;
use crate::message::View;
use crate::plan::{AccountNote, Coverage, Delivery, Plan, PlannedTarget, Shard};
use crate::policy::{Decision, Reason, Seats, Verdict};
use crate::run::{Approval, NodeReport, Phase, Proposal, Run, TargetState};
use crate::runbook::{
    Action, HoldAfter, Kind, Offline, OnFailure, Parameter, Risk, Rollout, Runbook, Step, TargetRules,
};

pub fn at(clock: &str) -> Timestamp {
    format!("2026-11-22T{clock}:00Z").parse().unwrap()
}
pub fn susan() -> Principal {
    Principal::slack("T0MUSTER", "U0SUSAN")
}
pub fn arne() -> Principal {
    Principal::slack("T0MUSTER", "U0ARNE")
}
pub fn view() -> View {
    let mut view = View::new("r-7F3K", at("14:10"), "/runbook");
    view.groups.insert("sre".into(), vec!["slack:T0MUSTER:S0SRE".parse().unwrap()]);
    view
}

fn account(n: usize) -> AccountId {
    ["111111111111", "222222222222", "333333333333"][n % 3].parse().unwrap()
}
fn region(n: usize) -> Region {
    ["eu-west-1", "us-east-1"][n % 2].parse().unwrap()
}

pub fn steps() -> Vec<Step> {
    vec![Step {
        name: "restart".into(),
        action: Action::Shell {
            script: "\nsystemctl restart -- \"$service\"\nsystemctl is-active -- \"$service\"\n".into(),
        },
        timeout: Millis::from_secs(120),
        delivery_timeout: Millis::from_secs(60),
        extract: [("state".to_owned(), "(?m)^(active|failed)$".to_owned())].into(),
        expect: [("state".to_owned(), "active".to_owned())].into(),
        on_failure: OnFailure::Stop,
        when: BTreeMap::new(),
        unless: BTreeMap::new(),
        gate: None,
        reboots: false,
    }]
}

/// `count` targets `web-1` … spread over three accounts and two regions, the first one in wave 0.
pub fn plan(count: usize) -> Plan {
    let mut targets: Vec<PlannedTarget> = (0..count)
        .map(|n| PlannedTarget {
            target: Target { account: account(n), region: region(n / 3), node: format!("i-{n:017x}").parse().unwrap() },
            name: format!("web-{}", n + 1),
            platform: NodePlatform::Linux,
            agent_version: "3.3.2746.0".into(),
            attributes: BTreeMap::new(),
            tags: [("role".to_owned(), "web".to_owned())].into(),
            offline: false,
            wave: u32::from(n > 0),
        })
        .collect();
    targets.sort_by(|a, b| a.target.cmp(&b.target));
    let mut plan = Plan {
        version: 1,
        runbook: "restart-service".parse().unwrap(),
        revision: Digest::of(b"file"),
        title: "Restart a systemd service".into(),
        risk: Risk::Change,
        owner: "platform".into(),
        arguments: [("service".to_owned(), "nginx".to_owned())].into(),
        delivery: Delivery::Inline,
        steps: steps(),
        targets,
        shards: Vec::new(),
        waves: 2,
        max_in_flight: 3,
        max_errors: 1,
        hold: HoldAfter::Never,
        hold_for: Millis::from_secs(3600),
        deadline: Millis::from_secs(86_400),
        rollback: None,
        exclusive: true,
        selector: "env=prod tag:role=web".into(),
        accounts: BTreeMap::new(),
        coverage: Coverage::default(),
    };
    for (id, name, customer, env) in [
        ("111111111111", "acme-prod", "acme", "prod"),
        ("222222222222", "acme-staging", "acme", "staging"),
        ("333333333333", "globex-prod", "globex", "prod"),
    ] {
        let labels = [("customer".to_owned(), customer.to_owned()), ("env".to_owned(), env.to_owned())].into();
        plan.accounts.insert(id.parse().unwrap(), AccountNote { name: name.into(), labels });
    }
    shard(&mut plan);
    plan
}

/// One shard for each account, region and wave, without offline targets.
pub fn shard(plan: &mut Plan) {
    let mut shards: BTreeMap<(u32, AccountId, Region), Vec<u32>> = BTreeMap::new();
    for (t, i) in plan.targets.iter().zip(0u32..).filter(|(t, _)| !t.offline) {
        shards.entry((t.wave, t.target.account.clone(), t.target.region.clone())).or_default().push(i);
    }
    plan.shards =
        shards.into_iter().map(|((wave, account, region), targets)| Shard { account, region, wave, targets }).collect();
}

pub fn needs(count: u32) -> Decision {
    Decision {
        verdict: Verdict::PermitWithApproval,
        quorum: vec![Seats { group: "sre".into(), count, rules: vec!["prod-needs-one".into()] }],
        expires: Some(Millis::from_secs(30 * 60)),
        reasons: vec![Reason { rule: "prod-needs-one".into(), text: "8 of 12 targets are in `production`".into() }],
        overridden: Vec::new(),
        could: Vec::new(),
    }
}
pub fn permit() -> Decision {
    Decision {
        verdict: Verdict::Permit,
        quorum: Vec::new(),
        expires: None,
        reasons: vec![Reason {
            rule: "support-staging".into(),
            text: "`support` may run `restart-service` in `staging`".into(),
        }],
        overridden: Vec::new(),
        could: Vec::new(),
    }
}
pub fn forbid() -> Decision {
    Decision {
        verdict: Verdict::Forbid,
        quorum: Vec::new(),
        expires: None,
        reasons: vec![
            Reason { rule: "support-restart".into(), text: "12 targets asked, at most 10 allowed".into() },
            Reason {
                rule: "support-restart".into(),
                text: "`service` is `sshd`, allowed are `nginx` and `api`".into(),
            },
        ],
        overridden: Vec::new(),
        could: vec!["sre".into()],
    }
}

pub fn run(plan: Plan, decision: Decision, phase: Phase) -> Run {
    let proposal = Proposal {
        run: "01KAPMZX000000000000007F3K".parse().unwrap(),
        by: susan(),
        place: Place {
            platform: ChatPlatform::Slack,
            tenant: "T0MUSTER".into(),
            channel: "C0OPS".into(),
            thread: None,
        },
        request: "run restart-service service=nginx on env=prod tag:role=web".into(),
        reason: Some("502s since the last deploy".into()),
        digest: Digest::of(b"plan"),
        policy: Digest::of(b"policy"),
        at: at("14:00"),
        plan: plan.into(),
        decision,
        identity: None,
        asking: Default::default(),
        glass: None,
        retry: None,
    };
    Run { phase, revision: 3, motion: Default::default(), ..Run::proposed(proposal) }
}

pub fn approved(mut run: Run) -> Run {
    run.approvals.push(Approval { by: arne(), stands_for: None, groups: vec!["sre".into()], at: at("14:03") });
    run.started = Some(at("14:03"));
    run
}

/// Ends one target, found by its name, as a report of its only step would.
pub fn end(run: &mut Run, name: &str, outcome: Outcome, exit_code: Option<i32>, output: &str) {
    let i = run.proposal.plan.targets.iter().position(|t| t.name == name).unwrap();
    let report = NodeReport {
        target: u32::try_from(i).unwrap(),
        outcome,
        exit_code,
        cause: None,
        output: exit_code.map(|_| Digest::of(output.as_bytes())),
        cut: false,
        listed: None,
        extracted: BTreeMap::new(),
        unmet: Vec::new(),
        not_run: false,
    };
    run.targets[i] =
        TargetState { outcome: Some(outcome), reports: vec![(0, report)], touched: true, ..TargetState::default() };
    run.counts = Counts::of(run.counts.total, run.targets.iter().filter_map(|t| t.outcome));
}

/// Every target that has not ended succeeds with this output.
pub fn rest_succeeds(run: &mut Run, output: &str) {
    let names: Vec<String> = run.proposal.plan.targets.iter().map(|t| t.name.clone()).collect();
    for (i, name) in names.iter().enumerate() {
        if run.targets[i].outcome.is_none() {
            end(run, name, Outcome::Succeeded, Some(0), output);
        }
    }
}

pub fn finish(run: &mut Run) {
    run.phase = Phase::Finished;
    run.ended = Some("2026-11-22T14:05:41Z".parse().unwrap());
}

pub fn outputs(texts: &[&str]) -> BTreeMap<Digest, Arc<str>> {
    texts.iter().map(|t| (Digest::of(t.as_bytes()), Arc::from(*t))).collect()
}

pub fn runbook() -> Runbook {
    Runbook {
        name: "restart-service".parse().unwrap(),
        revision: Digest::of(b"file"),
        title: "Restart a systemd service".into(),
        description: "Restarts one service and shows whether it came back.".into(),
        tags: vec!["linux".into()],
        risk: Risk::Change,
        owner: "platform".into(),
        parameters: [(
            "service".to_owned(),
            Parameter {
                kind: Kind::String { pattern: "[a-z][a-z0-9@._-]{0,62}".into() },
                description: "systemd unit, without .service".into(),
                examples: vec!["nginx".into()],
                default: None,
            },
        )]
        .into(),
        targets: TargetRules {
            platforms: vec![NodePlatform::Linux],
            max: 200,
            offline: Offline::Skip,
            exclusive: true,
        },
        steps: steps(),
        rollback: None,
        rollout: Rollout {
            waves: vec![Amount::Count(1), Amount::Percent(10), Amount::Percent(100)],
            max_in_flight: Amount::Percent(25),
            max_errors: Amount::Percent(2),
            hold: HoldAfter::Never,
            hold_for: Millis::from_secs(3600),
            deadline: Millis::from_secs(86_400),
        },
    }
}
