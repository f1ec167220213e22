//! What the targets have in common: the shipped rules, one plan and one run.

use std::collections::{BTreeMap, BTreeSet};

use muster::domain::{
    Account, AccountSource, ChatPlatform, Digest, Node, NodePlatform, Place, Principal, RunId, Selector, Snapshot,
    Target, Timestamp,
};
use muster::plan::{Delivery, Plan, build};
use muster::policy::{Asker, Moment, PolicySet, Request, decide, load};
use muster::run::{Event, Input, PostKey, Proposal, Run, Today};
use muster::runbook::{Library, Runbook};

pub const TENANT: &str = "T0MUSTER";

pub fn library() -> Library {
    Library::load(muster::shipped::RUNBOOKS.iter().copied()).expect("the shipped runbooks")
}

pub fn books(library: &Library) -> Vec<&Runbook> {
    library.runbooks.values().map(AsRef::as_ref).collect()
}

pub fn shipped() -> Vec<(std::path::PathBuf, String)> {
    muster::shipped::POLICIES.iter().map(|(name, text)| ((*name).into(), (*text).to_owned())).collect()
}

pub fn policy(library: &Library) -> PolicySet {
    load(&shipped(), Some(&books(library))).expect("the shipped rules")
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("a time")
}

pub fn asker(policy: &PolicySet, principal: Principal) -> Asker {
    let members = |user: &str| match user {
        "U0SUSAN" | "U0SAM" => Some("support"),
        "U0ARNE" | "U0PRIYA" => Some("sre"),
        _ => None,
    };
    let known = principal.platform == ChatPlatform::Slack && principal.tenant == TENANT;
    let groups = members(&principal.user).filter(|_| known).map(str::to_owned);
    Asker {
        groups: groups.into_iter().collect(),
        foreign: !known,
        bot: false,
        twins: policy.twins(&principal),
        channel: None,
        principal,
    }
}

/// A plan of `restart-service` on two nodes of production.
pub fn plan(library: &Library) -> Plan {
    plan_on(library, 2)
}

/// The same on so many nodes.
pub fn plan_on(library: &Library, nodes: u32) -> Plan {
    let account = Account {
        id: "111111111111".parse().expect("an id"),
        name: "acme-prod".into(),
        regions: vec!["eu-west-1".parse().expect("a region")],
        labels: BTreeMap::new(),
        source: AccountSource::Configured,
    };
    let node = |n: u32| Node {
        target: Target {
            account: account.id.clone(),
            region: account.regions[0].clone(),
            node: format!("i-{n:017x}").parse().expect("a node"),
        },
        name: format!("web-{n}"),
        platform: NodePlatform::Linux,
        agent_version: "3.3.2746.0".into(),
        attributes: BTreeMap::new(),
        online: true,
        tags: [("service".to_owned(), "web".to_owned())].into(),
    };
    let snapshot =
        Snapshot { nodes: (1..=nodes).map(node).collect(), accounts: vec![account.clone()], ..Snapshot::default() };
    let arguments = [("service".to_owned(), "nginx".to_owned())].into();
    let book = &library.runbooks[&"restart-service".parse().expect("a name")];
    build(book, arguments, &Selector::default(), &snapshot, Delivery::Inline).expect("a plan")
}

/// A run that waits for one SRE, with its card and the question posted.
pub fn waiting(library: &Library, policy: &PolicySet) -> Run {
    waiting_for(plan(library), policy)
}

/// The same for a plan.
pub fn waiting_for(plan: Plan, policy: &PolicySet) -> Run {
    let by = Principal::slack(TENANT, "U0SUSAN");
    let requester = asker(policy, by.clone());
    let decision = decide(policy, &Request::of(&requester, &plan, Moment { recent: &BTreeSet::new(), now: at(0) }));
    let proposal = Proposal {
        run: RunId(ulid::Ulid::from_parts(1, 7)),
        by,
        identity: None,
        place: Place { platform: ChatPlatform::Slack, tenant: TENANT.into(), channel: "C0OPS".into(), thread: None },
        request: String::new(),
        reason: None,
        digest: plan.digest(),
        plan: plan.into(),
        decision,
        policy: Digest::of(b"policy"),
        asking: Default::default(),
        glass: None,
        retry: None,
        at: at(0),
    };
    let mut run = Run::proposed(proposal);
    for key in [PostKey::Root, PostKey::Ask] {
        feed(&mut run, Input::PostBegun { key: key.clone() });
        let message = muster::domain::MessageRef {
            platform: ChatPlatform::Slack,
            channel: "C0OPS".into(),
            id: key.to_string(),
            tenant: None,
        };
        feed(&mut run, Input::Posted { key, message });
    }
    run
}

/// Feeds one input as the engine does; whether it changed anything.
pub fn feed(run: &mut Run, input: Input) -> bool {
    let Ok(events) = run.decide(input, at(1)) else { return false };
    for event in &events {
        run.evolve(event).expect("what is decided fits");
    }
    !events.is_empty()
}

pub fn today(run: &Run) -> Today {
    Today { decision: run.proposal.decision.clone(), policy: run.proposal.policy, approvers: Vec::new(), glass: None }
}

pub fn started(run: &Run) -> bool {
    run.started.is_some()
}

/// Names what an event is, so that a failure can be read.
pub fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::name).collect()
}
