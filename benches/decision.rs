//! One decision with its explanation: `cargo bench --profile dev --bench decision`.
//!
//! Random rules and targets, the same in every run: 300 grants, 30 forbids, 30 approval rules and 10 freezes over 30 sets,
//! and plans of 1,000 nodes in 50 accounts. Refusals are asked beside permits, because they take the longest: every group
//! is asked whether it could. Other sizes: `… -- --grants 30 --targets 100`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::Parser;
use muster::domain::{Digest, GroupName, Principal, RunbookName, Target, Timestamp};
use muster::policy::set::{
    ApprovalRule, Forbid, Forbidden, Freeze, Grant, Granted, Members, ParameterRule, Pattern, TargetSet, When, Where,
};
use muster::policy::{Asker, PolicySet, Request, RunbookFacts, TargetFacts, Verdict, decide};
use muster::runbook::{Arguments, Risk};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

#[derive(Debug, Parser)]
struct Args {
    #[arg(long, default_value_t = 300)]
    grants: usize,
    /// Nodes of each plan
    #[arg(long, default_value_t = 1_000)]
    targets: usize,
    /// Decisions that are timed
    #[arg(long, default_value_t = 20_000)]
    decisions: usize,
    /// `cargo bench` gives it
    #[arg(long, hide = true)]
    bench: bool,
}

const SETS: usize = 30;
const GROUPS: usize = 12;
const ACCOUNTS: usize = 50;
const RUNBOOKS: usize = 40;

struct World {
    rng: StdRng,
}

impl World {
    fn below(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n)
    }
    fn group(&mut self) -> GroupName {
        format!("group-{}", self.below(GROUPS))
    }
    fn name(&mut self) -> RunbookName {
        format!("runbook-{}", self.below(RUNBOOKS)).parse().expect("a name")
    }
    fn place(&mut self) -> Where {
        if self.rng.random_bool(0.1) {
            return Where::Anywhere;
        }
        Where::Sets((0..3).map(|_| format!("set-{}", self.below(SETS))).collect())
    }
    fn set(&mut self, n: usize) -> TargetSet {
        let mut set = TargetSet::default();
        match n % 4 {
            0 => set.accounts = (0..10).map(|_| Pattern::new(account(self.below(ACCOUNTS)))).collect(),
            1 => set.accounts = vec![Pattern::new("team-*"), Pattern::new(format!("*-{}", self.below(9)))],
            2 => drop(set.labels.insert("env".into(), vec![Pattern::new(["prod", "test"][self.below(2)])])),
            _ => drop(set.tags.insert("service".into(), vec![Pattern::new(format!("service-{}*", self.below(3)))])),
        }
        set.production = [Some(true), Some(false), None][self.below(3)];
        set
    }

    fn policy(&mut self, grants: usize) -> PolicySet {
        let because = || "Ask the owners of the service first.".to_owned();
        let grant = |world: &mut World, n: usize| Grant {
            id: format!("grant-{n}"),
            who: [world.group(), world.group()].into(),
            run: match n % 3 {
                0 => Granted::Kind { risk: [Risk::Read, Risk::Change].into(), owner: None },
                _ => Granted::Names {
                    names: (0..5).map(|_| world.name()).collect(),
                    parameters: BTreeMap::from([(
                        "service".to_owned(),
                        ParameterRule::OneOf((0..20).map(|n| format!("service-{n}")).collect()),
                    )]),
                },
            },
            place: world.place(),
            max_targets: if world.rng.random_bool(0.5) { 2_000 } else { 500 },
            channels: None,
        };
        let instant = |hours: i64| Timestamp::from_second(1_800_000_000 + hours * 3600).expect("a time");
        PolicySet {
            groups: (0..GROUPS).map(|n| (format!("group-{n}"), Members::default())).collect(),
            sets: (0..SETS).map(|n| (format!("set-{n}"), self.set(n))).collect(),
            grants: (0..grants).map(|n| grant(self, n)).collect(),
            forbids: (0..30)
                .map(|n| Forbid {
                    id: format!("forbid-{n}"),
                    who: Some([self.group()].into()),
                    run: Forbidden::Names([self.name()].into()),
                    place: self.place(),
                    because: because(),
                })
                .collect(),
            freezes: (0..10)
                .map(|n| Freeze {
                    id: format!("freeze-{n}"),
                    from: instant(n * 100),
                    to: instant(n * 100 + 10),
                    place: self.place(),
                    except: Some(Forbidden::Kind { risk: Some([Risk::Read].into()), owner: None }),
                    because: because(),
                })
                .collect(),
            approvals: (0..30)
                .map(|n| ApprovalRule {
                    id: format!("approval-{n}"),
                    when: When {
                        production: n % 2 == 0,
                        place: self.place(),
                        targets_over: (n % 3 == 0).then_some(50),
                        risk: None,
                        runbooks: (n % 5 == 0).then(|| [self.name()].into()),
                    },
                    need: [(self.group(), 1)].into(),
                    expires: None,
                })
                .collect(),
            revision: Digest::of(b"bench"),
            ..PolicySet::deny_all()
        }
    }
}

fn account(n: usize) -> String {
    format!("{:012}", 100_000_000_000_u64 + n as u64)
}

struct Node {
    target: Target,
    account: String,
    /// Which of the accounts' labels.
    labels: usize,
    tags: BTreeMap<String, String>,
}

fn node(n: usize, of: usize) -> Node {
    let place = n * ACCOUNTS / of.max(1);
    Node {
        target: Target {
            account: account(place).parse().expect("an account"),
            region: ["eu-west-1", "us-east-1"][n % 2].parse().expect("a region"),
            node: format!("i-{n:017x}").parse().expect("a node"),
        },
        account: format!("team-{}-{}", place % 7, place % 9),
        labels: place % 2,
        tags: BTreeMap::from([
            ("service".to_owned(), format!("service-{}", n % 5)),
            ("Name".to_owned(), format!("web-{n}")),
        ]),
    }
}

fn main() {
    let args = Args::parse();
    let mut world = World { rng: StdRng::seed_from_u64(6) };
    let policy = world.policy(args.grants);
    let mut nodes: Vec<Node> = (0..args.targets).map(|n| node(n, args.targets)).collect();
    // As plans are.
    nodes.sort_by(|a, b| a.target.cmp(&b.target));
    // A plan holds the labels of each account once.
    let labels = ["prod", "test"].map(|env| BTreeMap::from([("env".to_owned(), env.to_owned())]));
    let recent = BTreeSet::new();
    let (mut permitted, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..args.decisions {
        let name = world.name();
        let asker = Asker {
            principal: Principal::slack("T1", "U1"),
            groups: [world.group(), world.group()].into(),
            foreign: false,
            bot: false,
            twins: BTreeSet::new(),
            channel: None,
        };
        let arguments = Arguments::from([("service".to_owned(), format!("service-{}", world.below(25)))]);
        let targets = nodes.iter().map(|node| TargetFacts {
            target: &node.target,
            account_name: Some(&node.account),
            labels: &labels[node.labels],
            tags: &node.tags,
        });
        let request = Request {
            asker: &asker,
            runbook: RunbookFacts { name: &name, risk: Risk::Change, owner: "platform" },
            arguments: &arguments,
            targets: targets.collect(),
            recent: &recent,
            now: Timestamp::from_second(1_800_000_000 + i64::from(world.rng.random_range(0..1_000_000)))
                .expect("a time"),
        };
        let began = Instant::now();
        let decision = std::hint::black_box(decide(&policy, std::hint::black_box(&request)));
        let took = began.elapsed();
        if decision.verdict == Verdict::Forbid { refused.push(took) } else { permitted.push(took) }
    }
    println!("{} grants, {} targets, {} decisions", args.grants, args.targets, args.decisions);
    for (what, mut took) in [("permitted", permitted), ("refused", refused)] {
        took.sort();
        let at = |share: f64| took.get((took.len() as f64 * share) as usize).or(took.last());
        println!("{what:>9}: {:>6}  p50 {:?}  p99 {:?}  max {:?}", took.len(), at(0.5), at(0.99), took.last());
    }
}
