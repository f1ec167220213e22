//! Requests, clicks on new and old screens, expiry, changes of membership, links and rules, in any order, against a plain
//! model of who has agreed to what: nothing starts without it, and nothing that has it is kept from starting.
//!
//! `MUSTER_CASES=1000000 cargo test --no-default-features --lib interleavings -- --nocapture` plays a million.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::domain::Target;

const PEOPLE: [&str; 6] = ["U0ANA", "U0ANA2", "U0ARNE", "U0PRIYA", "U0DORA", "U0SUE"];
const GROUPS: [&str; 2] = ["sre", "dba"];

/// Group to people; `None` is a no.
type Demand = Option<BTreeMap<&'static str, u32>>;

/// What is so outside the run.
struct Outside {
    demand: Demand,
    groups: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Accounts of one person.
    linked: BTreeSet<(&'static str, &'static str)>,
    deleted: BTreeSet<&'static str>,
}

impl Outside {
    fn of(rng: &mut StdRng) -> Self {
        let groups = PEOPLE.map(|who| {
            let both = GROUPS.into_iter().filter(|_| rng.random_bool(0.5));
            (who, both.collect())
        });
        Outside { demand: demand(rng), groups: groups.into(), linked: BTreeSet::new(), deleted: BTreeSet::new() }
    }

    fn asker(&self, who: &'static str) -> Asker {
        let groups: Vec<&str> = self.groups[who].iter().copied().collect();
        let twins = PEOPLE.into_iter().filter(|other| self.is_one(who, other) && *other != who);
        Asker {
            twins: twins.map(|twin| Principal::slack("T0MUSTER", twin)).collect(),
            bot: self.deleted.contains(who),
            ..asker(who, &groups)
        }
    }

    fn is_one(&self, a: &str, b: &str) -> bool {
        a == b || self.linked.iter().any(|(x, y)| (*x == a && *y == b) || (*x == b && *y == a))
    }

    fn change(&mut self, rng: &mut StdRng) {
        let who = *PEOPLE.choose(rng).unwrap();
        match rng.random_range(0..10) {
            0..4 => {
                let group = *GROUPS.choose(rng).unwrap();
                let groups = self.groups.get_mut(who).unwrap();
                if !groups.remove(group) {
                    groups.insert(group);
                }
            }
            4 => {
                // No chains of links: accounts of two people do not become one by a third.
                let other = *PEOPLE.choose(rng).unwrap();
                let is_free = |one: &str| !self.linked.iter().any(|(a, b)| *a == one || *b == one);
                if who != other && is_free(who) && is_free(other) {
                    self.linked.insert((who, other));
                }
            }
            5 => drop(self.deleted.insert(who)),
            _ => self.demand = demand(rng),
        }
    }

    fn today(&self, run: &Run) -> Today {
        let name = |by: &Principal| PEOPLE.into_iter().find(|who| *who == by.user).unwrap();
        let approvers = run.approvals.iter().map(|approval| self.asker(name(&approval.by))).collect();
        Today { approvers, glass: run.proposal.glass.clone(), ..today(decision(&self.demand)) }
    }
}

fn demand(rng: &mut StdRng) -> Demand {
    match rng.random_range(0..20) {
        0 => None,
        1..5 => Some(BTreeMap::new()),
        5..12 => Some([("sre", rng.random_range(1..3))].into()),
        12..16 => Some([("dba", 1)].into()),
        _ => Some([("sre", 1), ("dba", 1)].into()),
    }
}

fn decision(demand: &Demand) -> Decision {
    match demand {
        None => forbid(),
        Some(seats) if seats.is_empty() => permit(),
        Some(seats) => Decision {
            quorum: seats
                .iter()
                .map(|(group, count)| Seats { group: (*group).into(), count: *count, rules: vec!["r".into()] })
                .collect(),
            ..needs(1)
        },
    }
}

/// Who has agreed, kept beside the run by the words of the design alone.
struct Agreed {
    asked: BTreeMap<&'static str, u32>,
    /// Each with the groups that count, in the order of their yeses.
    people: Vec<(&'static str, BTreeSet<&'static str>)>,
}

impl Agreed {
    fn seats(&self) -> u32 {
        self.asked.values().sum()
    }

    /// The most seats that can be filled, one by each person.
    fn filled(&self) -> u32 {
        fn most(open: &mut BTreeMap<&'static str, u32>, people: &[(&str, BTreeSet<&'static str>)]) -> u32 {
            let Some(((_, groups), rest)) = people.split_first() else { return 0 };
            let mut best = most(open, rest);
            for group in groups {
                if open.get(group).is_some_and(|n| *n > 0) {
                    *open.get_mut(group).unwrap() -= 1;
                    best = best.max(1 + most(open, rest));
                    *open.get_mut(group).unwrap() += 1;
                }
            }
            best
        }
        let mut open = self.asked.iter().map(|(group, n)| (*group, *n)).collect();
        most(&mut open, &self.people)
    }

    /// The rules and the people are looked at: what is asked for only grows, and whoever could not agree now has not.
    fn look(&mut self, outside: &Outside) {
        for (group, count) in outside.demand.iter().flatten() {
            let seats = self.asked.entry(group).or_default();
            *seats = (*count).max(*seats);
        }
        if self.asked.is_empty() {
            return;
        }
        let mut kept: Vec<(&'static str, BTreeSet<&'static str>)> = Vec::new();
        for (who, _) in &self.people {
            let asked: BTreeSet<&str> = self.asked.keys().copied().collect();
            let groups: BTreeSet<&'static str> = outside.groups[who].intersection(&asked).copied().collect();
            let is_other = !outside.is_one(who, "U0ANA") && !kept.iter().any(|(one, _)| outside.is_one(one, who));
            if is_other && !groups.is_empty() && !outside.deleted.contains(who) {
                kept.push((who, groups));
            }
        }
        self.people = kept;
    }
}

/// It ends, and people of all kinds look at it: only somebody of the group counts who neither asked nor agreed.
fn review(rng: &mut StdRng, outside: &Outside, run: &mut Run, log: &mut Vec<Event>, now: i64) {
    let reviewers = BTreeSet::from(["dba".to_owned()]);
    let look = |who: &'static str| Input::Review {
        by: outside.asker(who),
        found: "fine".into(),
        reviewers: reviewers.clone(),
    };
    assert_eq!(run.decide(look("U0SUE"), at(now)), Err(Refusal::NotOver));
    run.evolve(&Event::Finished { at: at(now) }).unwrap();
    log.push(Event::Finished { at: at(now) });
    let agreed: Vec<&str> =
        run.approvals.iter().map(|a| PEOPLE.into_iter().find(|p| *p == a.by.user).unwrap()).collect();
    for _ in 0..6 {
        let who = *PEOPLE.choose(rng).unwrap();
        let is_other = !outside.is_one(who, "U0ANA") && !agreed.iter().any(|one| outside.is_one(one, who));
        let may = is_other && outside.groups[who].contains("dba") && !outside.deleted.contains(who);
        let was_owed = run.owes_review();
        assert!(!run.is_settled() || !was_owed, "it is forgotten before anybody has looked at it");
        let closed = feed(run, log, look(who), at(now));
        assert_eq!(closed.is_ok(), may && was_owed, "{who}: {closed:?} {log:#?}");
        assert_eq!(run.owes_review(), was_owed && !may);
    }
}

/// One history; whether it started.
fn play(rng: &mut StdRng) -> bool {
    let mut outside = Outside::of(rng);
    if outside.demand.is_none() {
        outside.demand = Some([("sre", 1)].into());
    }
    let channels = if rng.random_bool(0.3) { rng.random_range(1..3) } else { 0 };
    let glass = (channels > 0).then(|| glass(channels));
    let proposal = Proposal { glass, ..proposal(decision(&outside.demand), |_| {}, 2, 2) };
    let mut run = Run::proposed(proposal);
    // Channels that were told that rules are overridden, and whether they could be.
    let mut told_of: BTreeMap<u32, bool> = BTreeMap::new();
    let mut log = vec![Event::Proposed(Box::new(run.proposal.clone()))];
    let mut agreed = Agreed { asked: outside.demand.clone().unwrap(), people: Vec::new() };
    let mut now = 1;
    let mut screens = vec![run.revision];
    post(&mut run, &mut log, PostKey::Root);
    for _ in 0..rng.random_range(5..40) {
        now += [0, 1, 20, 200][rng.random_range(0..4)];
        if run.phase != Phase::AwaitingApproval {
            break;
        }
        let who = *PEOPLE.choose(rng).unwrap();
        // Most look at the card as it is.
        let shown = if rng.random_bool(0.7) { run.revision } else { *screens.choose(rng).unwrap() };
        let before = (run.clone(), log.len());
        let is_open = run.phase == Phase::AwaitingApproval && at(now) < run.start_by();
        if let Some(Effect::Post(key @ PostKey::Alert(n))) =
            run.effects().iter().find(|e| matches!(e, Effect::Post(PostKey::Alert(_))))
            && rng.random_bool(0.5)
        {
            let (key, n) = (key.clone(), *n);
            feed(&mut run, &mut log, Input::PostBegun { key: key.clone() }, at(now)).unwrap();
            let well = rng.random_bool(0.9);
            let message = message(&key);
            let input =
                if well { Input::Posted { key, message } } else { Input::PostFailed { key, cause: "gone".into() } };
            feed(&mut run, &mut log, input, at(now)).unwrap();
            told_of.insert(n, well);
            continue;
        }
        let untold = (1..=channels).any(|n| !told_of.contains_key(&n));
        let unable = told_of.values().any(|well| !well);
        let input = match rng.random_range(0..20) {
            0..7 => Input::Approve { by: outside.asker(who), digest: run.digest_shown(shown) },
            7..9 => {
                let targets: Vec<Target> = run.proposal.plan.targets.iter().map(|t| t.target.clone()).collect();
                let keep = targets.into_iter().filter(|_| rng.random_bool(0.7)).collect();
                let Some(plan) = run.proposal.plan.part(&keep) else { continue };
                Input::Narrow { by: outside.asker(who), digest: run.digest_shown(shown), plan: Box::new(plan) }
            }
            9 if rng.random_bool(0.2) => Input::Deny { by: outside.asker(who), why: "no".into() },
            9 | 10 => Input::Tick,
            11..14 => {
                outside.change(rng);
                continue;
            }
            14..16 => Input::Reconsider { today: outside.today(&run) },
            _ => Input::Start { today: outside.today(&run) },
        };
        let looks = matches!(input, Input::Reconsider { .. } | Input::Start { .. });
        let starts = matches!(input, Input::Start { .. }) && before.0.is_agreed() && is_open && !untold && !unable;
        let looked = looks && is_open && (starts || matches!(input, Input::Reconsider { .. }));
        let told = feed(&mut run, &mut log, input, at(now));
        let new = &log[before.1..];
        if looked && outside.demand.is_some() {
            agreed.look(&outside);
        }
        for event in new {
            match event {
                Event::Approved { by, digest, .. } => {
                    let who = PEOPLE.into_iter().find(|who| *who == by.user).unwrap();
                    assert!(!outside.is_one(who, "U0ANA"), "{who} agreed to an own request");
                    assert!(!outside.deleted.contains(who));
                    assert_eq!(*digest, run.proposal.plan.digest(), "to another plan than the one that stands");
                    let groups = outside.groups[who].iter().copied().filter(|g| agreed.asked.contains_key(g));
                    agreed.people.push((who, groups.collect()));
                }
                Event::Narrowed { plan, .. } => {
                    // Whoever agreed to the whole has not seen the part.
                    agreed.people.clear();
                    let whole: BTreeSet<_> = before.0.proposal.plan.targets.iter().map(|t| &t.target).collect();
                    assert!(plan.targets.len() < whole.len());
                    assert!(plan.targets.iter().all(|t| whole.contains(&t.target)));
                }
                Event::Started { .. } => {
                    assert!(!untold && !unable, "it started before everybody was told: {log:#?}");
                    assert!(starts && outside.demand.is_some(), "it started while the rules forbid it");
                    assert_eq!(agreed.filled(), agreed.seats(), "it started without enough yeses: {log:#?}");
                }
                _ => {}
            }
        }
        // What has all that is asked for starts.
        if starts && outside.demand.is_some() && agreed.filled() == agreed.seats() {
            assert_eq!(run.phase, Phase::Running, "{told:?} {log:#?}");
        }
        if run.phase == Phase::AwaitingApproval {
            let enough = agreed.filled() == agreed.seats();
            assert_eq!(run.is_agreed(), enough, "{:?} of {:?}: {log:#?}", agreed.people, agreed.asked);
        }
        screens.push(run.revision);
    }
    if run.phase == Phase::Running && run.proposal.glass.is_some() {
        review(rng, &outside, &mut run, &mut log, now);
    }
    let started = log.iter().filter(|event| matches!(event, Event::Started { .. })).count();
    assert!(started <= 1, "it started twice");
    let sends = run.effects().iter().any(|effect| matches!(effect, Effect::Send { .. }));
    assert!(started == 1 || !sends, "something is owed to AWS before the start");
    assert_eq!(Run::replay(&log).unwrap().as_ref(), Some(&run));
    started == 1
}

#[test]
fn interleavings_of_clicks_people_and_rules_start_nothing_without_its_quorum_and_nothing_twice() {
    let seed = std::env::var("MUSTER_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_129);
    let cases: u32 = std::env::var("MUSTER_CASES").ok().and_then(|s| s.parse().ok()).unwrap_or(5_000);
    println!("MUSTER_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let started = (0..cases).filter(|_| play(&mut rng)).count();
    println!("{cases} interleavings, {started} of them started, 0 without a quorum, 0 twice, 0 self-approvals");
    assert!(started * 10 > cases as usize, "too few to mean anything: {started}");
}
