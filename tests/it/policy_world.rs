//! Random policies and questions from a small world, so that rules and targets meet often.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use muster::domain::{ChannelRef, Digest, Millis, Principal, RunbookName, Target, Timestamp};
use muster::policy::set::{
    Anchored, ApprovalRule, Approvers, Audience, BreakGlass, Forbid, Forbidden, Freeze, Grant, Granted, HaltRule,
    Members, Overridden, ParameterRule, Pattern, TargetSet, ViewRule, When, Where,
};
use muster::policy::{Asker, Decision, PolicySet, Request, RunbookFacts, TargetFacts, decide, decide_in_emergency};
use muster::runbook::{Arguments, Risk};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

pub const GROUPS: [&str; 4] = ["dba", "security", "sre", "support"];
pub const SETS: [&str; 4] = ["edge", "prod", "stage", "web"];
const OWNERS: [&str; 2] = ["data", "platform"];
pub const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];
pub const ACCOUNTS: [(&str, &str); 4] = [
    ("111111111111", "acme-prod"),
    ("222222222222", "acme-stage"),
    ("333333333333", "globex-prod"),
    ("012345678901", "sandbox"),
];
pub const RUNBOOKS: [(&str, Risk, &str); 4] = [
    ("drop-data", Risk::Destructive, "data"),
    ("restart", Risk::Change, "platform"),
    ("show-data", Risk::Read, "data"),
    ("status", Risk::Read, "platform"),
];
const CHANNELS: [&str; 2] = ["slack:T1:C1", "slack:T1:C2"];
const RISKS: [Risk; 3] = [Risk::Read, Risk::Change, Risk::Destructive];
pub const VALUES: [&str; 5] = ["1", "5", "9", "web", "web2"];

/// So many hours into the day on which everything is asked.
pub fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap()
}

/// The seed of a test run, printed so that a failure can be repeated: `MUSTER_SEED=… cargo test`.
pub fn seeded(test: &str) -> StdRng {
    let seed = std::env::var("MUSTER_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_122);
    println!("{test}: MUSTER_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// `MUSTER_CASES` where it is set, for longer runs.
pub fn cases(usual: u32) -> u32 {
    std::env::var("MUSTER_CASES").ok().and_then(|s| s.parse().ok()).unwrap_or(usual)
}

/// A question that owns its facts.
#[derive(Debug, Clone)]
pub struct Asked {
    pub asker: Asker,
    pub runbook: RunbookName,
    pub risk: Risk,
    pub owner: String,
    pub arguments: Arguments,
    pub targets: Vec<AskedTarget>,
    pub recent: BTreeSet<Target>,
    pub now: Timestamp,
    /// The justification, where the glass is broken.
    pub emergency: Option<String>,
}

#[derive(Debug, Clone)]
pub struct AskedTarget {
    pub target: Target,
    pub account_name: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

impl Asked {
    pub fn runbook(&self) -> RunbookFacts<'_> {
        RunbookFacts { name: &self.runbook, risk: self.risk, owner: &self.owner }
    }
    pub fn targets(&self) -> Vec<TargetFacts<'_>> {
        let facts = self.targets.iter().map(|t| TargetFacts {
            target: &t.target,
            account_name: t.account_name.as_deref(),
            labels: &t.labels,
            tags: &t.tags,
        });
        facts.collect()
    }
    /// What the product says, in an emergency or not.
    pub fn decide(&self, policy: &PolicySet) -> Decision {
        match &self.emergency {
            Some(justification) => decide_in_emergency(policy, &self.request(), justification),
            None => decide(policy, &self.request()),
        }
    }
    pub fn request(&self) -> Request<'_> {
        Request {
            asker: &self.asker,
            runbook: self.runbook(),
            arguments: &self.arguments,
            targets: self.targets(),
            recent: &self.recent,
            now: self.now,
        }
    }
}

/// Draws parts of policies and questions.
pub struct Draw<'r>(pub &'r mut StdRng);

impl Draw<'_> {
    fn chance(&mut self, p: f64) -> bool {
        self.0.random_bool(p)
    }
    fn one<T: Clone>(&mut self, from: &[T]) -> T {
        from.choose(self.0).unwrap().clone()
    }
    /// At least one, each further one with even odds.
    fn some<T: Clone + Ord>(&mut self, from: &[T]) -> BTreeSet<T> {
        let mut some = BTreeSet::from([self.one(from)]);
        some.extend(from.iter().filter(|_| self.0.random_bool(0.3)).cloned());
        some
    }
    fn words(&mut self, from: &[&str]) -> BTreeSet<String> {
        self.some(from).into_iter().map(str::to_owned).collect()
    }
    fn patterns(&mut self, from: &[&str]) -> Vec<Pattern> {
        self.some(from).into_iter().map(Pattern::new).collect()
    }
    fn names(&mut self) -> BTreeSet<RunbookName> {
        let names: Vec<RunbookName> = RUNBOOKS.iter().map(|r| r.0.parse().unwrap()).collect();
        self.some(&names)
    }
    fn channels(&mut self) -> BTreeSet<ChannelRef> {
        self.some(&CHANNELS).into_iter().map(|c| c.parse().unwrap()).collect()
    }
    fn place(&mut self, anywhere: f64) -> Where {
        if self.chance(anywhere) { Where::Anywhere } else { Where::Sets(self.words(&SETS)) }
    }

    fn set(&mut self) -> TargetSet {
        loop {
            let mut set = TargetSet::default();
            if self.chance(0.5) {
                set.accounts = self.patterns(&[
                    "111111111111",
                    "222222222222",
                    "333333333333",
                    "acme-*",
                    "*-prod",
                    "*-stage",
                    "sandbox",
                    "*",
                    "*1*",
                ]);
            }
            if self.chance(0.25) {
                set.regions = self.patterns(&["eu-*", "eu-west-1", "us-east-1"]);
            }
            if self.chance(0.3) {
                set.labels.insert("env".into(), self.patterns(&["prod", "stage", "p*"]));
            }
            if self.chance(0.15) {
                set.labels.insert("customer".into(), self.patterns(&["acme", "globex"]));
            }
            if self.chance(0.25) {
                set.tags.insert("role".into(), self.patterns(&["web", "db", "*b", "w*b"]));
            }
            if set != TargetSet::default() {
                set.production = self.one(&[Some(true), Some(false), Some(false), None]);
                return set;
            }
        }
    }

    fn parameter(&mut self) -> ParameterRule {
        match self.0.random_range(0..3) {
            0 => ParameterRule::OneOf(self.words(&VALUES)),
            1 => ParameterRule::Int { min: self.0.random_range(0..4), max: self.0.random_range(4..9) },
            _ => ParameterRule::Matches(Anchored::new(self.one(&["web", "web[0-9]?", "[0-9]", "."])).unwrap()),
        }
    }

    pub fn grant(&mut self, n: usize) -> Grant {
        let run = if self.chance(0.6) {
            let mut parameters = BTreeMap::new();
            for name in ["count", "service"] {
                if self.chance(0.25) {
                    parameters.insert(name.to_owned(), self.parameter());
                }
            }
            Granted::Names { names: self.names(), parameters }
        } else {
            let owner = self.chance(0.4).then(|| self.words(&OWNERS));
            Granted::Kind { risk: self.some(&RISKS), owner }
        };
        Grant {
            id: format!("g{n}"),
            who: self.words(&GROUPS),
            run,
            place: self.place(0.4),
            max_targets: self.0.random_range(1..=10),
            channels: self.chance(0.2).then(|| self.channels()),
        }
    }

    pub fn forbid(&mut self, n: usize) -> Forbid {
        loop {
            let run = match self.0.random_range(0..4) {
                0 => Forbidden::Everything,
                1 => Forbidden::Names(self.names()),
                _ => {
                    let risk = self.chance(0.6).then(|| BTreeSet::from([self.one(&RISKS)]));
                    let owner =
                        (risk.is_none() || self.chance(0.4)).then(|| BTreeSet::from([self.one(&OWNERS).into()]));
                    Forbidden::Kind { risk, owner }
                }
            };
            let who = self.chance(0.5).then(|| BTreeSet::from([self.one(&GROUPS).into()]));
            let place = self.place(0.3);
            // A forbid of everything would leave nothing to compare.
            if who.is_some() || run != Forbidden::Everything || place != Where::Anywhere {
                return Forbid { id: format!("f{n}"), who, run, place, because: format!("because {n}") };
            }
        }
    }

    /// A whole hour of one day.
    fn hour(&mut self) -> Timestamp {
        at(self.0.random_range(0..24))
    }

    pub fn freeze(&mut self, n: usize) -> Freeze {
        let from = self.hour();
        let to = from + SignedDuration::from_hours(self.0.random_range(1..16));
        let except = self.chance(0.5).then(|| match self.forbid(n).run {
            Forbidden::Everything => Forbidden::Names(self.names()),
            some => some,
        });
        Freeze { id: format!("z{n}"), from, to, place: self.place(0.05), except, because: format!("because {n}") }
    }

    pub fn approval(&mut self, n: usize) -> ApprovalRule {
        let when = When {
            production: self.chance(0.4),
            place: self.place(0.6),
            targets_over: self.chance(0.4).then(|| self.0.random_range(1..8)),
            risk: self.chance(0.4).then(|| self.some(&RISKS)),
            runbooks: self.chance(0.3).then(|| self.names()),
        };
        // One that says nothing at all could not be written in a file.
        let says = when.production || when.place != Where::Anywhere || when.targets_over.is_some();
        let when = if says || when.risk.is_some() || when.runbooks.is_some() {
            when
        } else {
            When { production: true, ..when }
        };
        let need = self.words(&GROUPS).into_iter().map(|g| (g, self.0.random_range(1..=3))).collect();
        let expires = self.chance(0.6).then(|| Millis::from_secs(self.0.random_range(1..=5) * 600));
        ApprovalRule { id: format!("a{n}"), when, need, expires }
    }

    pub fn view(&mut self, n: usize) -> ViewRule {
        let audience = if self.chance(0.7) {
            Audience::Groups(self.words(&GROUPS))
        } else {
            Audience::SharedChannels(self.channels())
        };
        ViewRule { id: format!("v{n}"), audience, place: self.place(0.3) }
    }

    fn glass(&mut self) -> BreakGlass {
        BreakGlass {
            who: self.words(&GROUPS),
            overrides: self.some(&[Overridden::Freeze, Overridden::Approval]),
            second: self.one(&GROUPS).to_owned(),
            justification_min: self.0.random_range(10..=20),
            max_targets: self.0.random_range(2..=8),
            expires: Millis::from_secs(self.0.random_range(1..=5) * 600),
            notify: self.channels(),
            review: self.words(&GROUPS),
            review_within: Millis::from_secs(3600),
        }
    }

    pub fn policy(&mut self) -> PolicySet {
        let members = |n: usize| Members {
            refs: BTreeSet::from([format!("slack:T1:S{n}").parse().unwrap()]),
            users: BTreeSet::from([Principal::slack("T1", &format!("U{n}"))]),
        };
        PolicySet {
            people: BTreeMap::new(),
            identities: BTreeMap::new(),
            groups: GROUPS.iter().enumerate().map(|(n, g)| ((*g).to_owned(), members(n))).collect(),
            sets: SETS.iter().map(|s| ((*s).to_owned(), self.set())).collect(),
            grants: (0..self.0.random_range(1..=9)).map(|n| self.grant(n)).collect(),
            forbids: (0..self.0.random_range(0..=2)).map(|n| self.forbid(n)).collect(),
            freezes: (0..self.0.random_range(0..=1)).map(|n| self.freeze(n)).collect(),
            approvals: (0..self.0.random_range(0..=4)).map(|n| self.approval(n)).collect(),
            view: (0..self.0.random_range(0..=3)).map(|n| self.view(n)).collect(),
            halt: HaltRule { who: self.halters(), resume: self.halters() },
            approvers: self.approvers(),
            glass: self.chance(0.8).then(|| self.glass()),
            revision: Digest::of(b""),
        }
    }

    fn approvers(&mut self) -> BTreeMap<String, Approvers> {
        let some = GROUPS.iter().filter(|_| self.0.random_bool(0.3)).collect::<Vec<_>>();
        some.into_iter()
            .map(|group| {
                let channels = if self.chance(0.6) { self.channels() } else { BTreeSet::new() };
                let escalate = if self.chance(0.5) { self.words(&GROUPS) } else { BTreeSet::new() };
                ((*group).to_owned(), Approvers { channels, direct: self.chance(0.5), escalate })
            })
            .collect()
    }

    fn halters(&mut self) -> BTreeSet<String> {
        if self.chance(0.2) { BTreeSet::new() } else { self.words(&GROUPS) }
    }

    pub fn person(&mut self) -> Asker {
        Asker {
            principal: Principal::slack("T1", self.one(&["U1", "U2", "U3"])),
            groups: GROUPS.iter().filter(|_| self.0.random_bool(0.5)).map(|g| (*g).to_owned()).collect(),
            foreign: self.chance(0.02),
            bot: self.chance(0.02),
            twins: BTreeSet::new(),
            channel: self.chance(0.9).then(|| self.one(&CHANNELS).parse().unwrap()),
        }
    }

    fn target(&mut self, accounts: &[(&str, &str)]) -> AskedTarget {
        let (id, name) = self.one(accounts);
        let node = format!("i-0000000{}", self.0.random_range(0..4));
        let target = Target {
            account: id.parse().unwrap(),
            region: self.one(&REGIONS).parse().unwrap(),
            node: node.parse().unwrap(),
        };
        // Labels belong to the account, so that they do not differ within it; a note may be missing altogether.
        let known = id != "012345678901" && !self.chance(0.05);
        let mut labels = BTreeMap::new();
        if known {
            let (customer, env) = name.split_once('-').unwrap();
            labels.insert("customer".to_owned(), customer.to_owned());
            if !self.chance(0.1) {
                labels.insert("env".to_owned(), env.to_owned());
            }
        }
        let mut tags = BTreeMap::new();
        if self.chance(0.7) {
            tags.insert("role".to_owned(), self.one(&["web", "db", "cache"]).to_owned());
        }
        AskedTarget { target, account_name: self.chance(0.95).then(|| name.to_owned()), labels, tags }
    }

    pub fn question(&mut self) -> Asked {
        let (runbook, risk, owner) = self.one(&RUNBOOKS);
        let accounts: Vec<(&str, &str)> = self.some(&ACCOUNTS).into_iter().collect();
        let targets: Vec<AskedTarget> = (0..self.0.random_range(1..=6)).map(|_| self.target(&accounts)).collect();
        let recent = (0..self.0.random_range(0..=4)).map(|_| self.target(&accounts).target).collect();
        let mut arguments = Arguments::new();
        for name in ["count", "service"] {
            if self.chance(0.85) {
                arguments.insert(name.into(), self.one(&VALUES).into());
            }
        }
        Asked {
            asker: self.person(),
            runbook: runbook.parse().unwrap(),
            risk,
            owner: owner.into(),
            arguments,
            targets,
            recent,
            now: self.hour(),
            emergency: None,
        }
    }

    /// One in four of these breaks the glass, with a longer or shorter reason.
    pub fn question_or_emergency(&mut self) -> Asked {
        let emergency = self.chance(0.25).then(|| format!(" {} ", "é".repeat(self.0.random_range(12..=40))));
        Asked { emergency, ..self.question() }
    }
}
