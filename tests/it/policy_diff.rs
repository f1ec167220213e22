//! Who can run what, and what a change of the rules changes: held against the decision itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster::cli::policy::diff::text;
use muster::cli::terminal::Terminal;
use muster::domain::{Account, AccountSource, Node, NodePlatform, Snapshot, Target};
use muster::policy::diff::{Change, Difference, Side, diff};
use muster::policy::load::read;
use muster::policy::reach::facts_of;
use muster::policy::set::Granted;
use muster::policy::{Asker, PolicySet, Request, Verdict, could_run, decide, who_can};
use muster::runbook::{Arguments, Kind, Library, Parameter, Runbook};

use super::policy_world::{ACCOUNTS, Draw, GROUPS, REGIONS, RUNBOOKS, at, cases, seeded};

/// What each made-up runbook is, as a file.
fn library(of: &[(&str, &str, &str)]) -> Library {
    let text = |risk: &str, owner: &str| {
        format!(
            "version = 1\ntitle = \"x\"\ndescription = \"x\"\nrisk = \"{risk}\"\nowner = \"{owner}\"\n[parameters.count]\n\
             type = \"string\"\npattern = \".*\"\ndescription = \"x\"\nexamples = [\"1\"]\n[parameters.service]\n\
             type = \"string\"\npattern = \".*\"\ndescription = \"x\"\nexamples = [\"1\"]\n[targets]\nmax = 100\n[[steps]]\n\
             name = \"x\"\nshell = 'echo \"$count$service\"'\n"
        )
    };
    Library::load(of.iter().map(|(name, risk, owner)| (format!("{name}.toml"), text(risk, owner)))).unwrap()
}

fn world() -> Library {
    let of: Vec<(&str, &str, &str)> = RUNBOOKS.iter().map(|(n, risk, owner)| (*n, risk.as_str(), *owner)).collect();
    library(&of)
}

/// Accounts and nodes as the random policies know them.
fn accounts() -> Vec<Account> {
    ACCOUNTS
        .iter()
        .map(|(id, name)| Account {
            id: id.parse().unwrap(),
            name: (*name).to_owned(),
            regions: REGIONS.iter().map(|r| r.parse().unwrap()).collect(),
            labels: name
                .split_once('-')
                .map(|(customer, env)| {
                    BTreeMap::from([("customer".to_owned(), customer.to_owned()), ("env".to_owned(), env.to_owned())])
                })
                .unwrap_or_default(),
            source: AccountSource::Configured,
        })
        .collect()
}

fn snapshot() -> Snapshot {
    let mut nodes = Vec::new();
    for (account, _) in ACCOUNTS {
        for region in REGIONS {
            for role in [None, Some("web"), Some("db")] {
                let target = Target {
                    account: account.parse().unwrap(),
                    region: region.parse().unwrap(),
                    node: format!("i-{:017x}", nodes.len()).parse().unwrap(),
                };
                nodes.push(Node {
                    target,
                    name: format!("n{}", nodes.len()),
                    platform: NodePlatform::Linux,
                    agent_version: String::new(),
                    attributes: BTreeMap::new(),
                    online: true,
                    tags: role.map(|r| ("role".to_owned(), r.to_owned())).into_iter().collect(),
                });
            }
        }
    }
    Snapshot { accounts: accounts(), nodes, ..Snapshot::default() }
}

fn member_of(group: &str) -> Asker {
    Asker {
        principal: "slack:T1:U1".parse().unwrap(),
        groups: BTreeSet::from([group.to_owned()]),
        foreign: false,
        bot: false,
        twins: BTreeSet::new(),
        channel: None,
    }
}

/// A policy without rules about channels, which no question here is asked in.
fn drawn(draw: &mut Draw<'_>) -> PolicySet {
    let mut policy = draw.policy();
    policy.grants.iter_mut().for_each(|grant| grant.channels = None);
    policy
}

#[test]
fn who_can_agrees_with_what_would_be_offered_to_each_group() {
    let mut rng = seeded("who-can");
    let (library, snapshot) = (world(), snapshot());
    let nodes: Vec<&Node> = snapshot.nodes.iter().collect();
    let facts = facts_of(&snapshot, &nodes);
    let (mut some, mut all) = (0, 0);
    for _ in 0..cases(150) {
        let policy = drawn(&mut Draw(&mut rng));
        for runbook in library.runbooks.values() {
            let shares = who_can(&policy, runbook, &facts);
            for group in policy.groups.keys() {
                let asker = member_of(group);
                let offered = facts.iter().filter(|spot| could_run(&policy, &asker, runbook, &Arguments::new(), spot));
                let share = shares.iter().find(|share| share.group == *group);
                assert_eq!(
                    share.map_or(0, |s| s.targets) as usize,
                    offered.count(),
                    "{group} {} {policy:#?}",
                    runbook.name
                );
                let told: u32 = share.iter().flat_map(|s| &s.reaches).map(|(n, _)| n).sum();
                assert_eq!(share.map_or(0, |s| s.targets), told);
                match share.map_or(0, |s| s.targets as usize) {
                    0 => {}
                    n if n == facts.len() => all += 1,
                    _ => some += 1,
                }
            }
        }
    }
    println!("{some} groups reach some, {all} reach all");
    assert!(some > 50 && all > 50);
}

/// Node by node, what the decision says to a run of one, by the group alone and with values that no rule is about.
fn naive(
    policy: &PolicySet,
    runbook: &Runbook,
    group: &str,
    snapshot: &Snapshot,
) -> BTreeMap<Target, BTreeMap<String, u32>> {
    let asker = member_of(group);
    let (none, recent) = (Arguments::new(), BTreeSet::new());
    let mut may = BTreeMap::new();
    for node in &snapshot.nodes {
        let facts = facts_of(snapshot, &[node]);
        let request = Request {
            asker: &asker,
            runbook: runbook.into(),
            arguments: &none,
            targets: facts,
            recent: &recent,
            now: at(0),
        };
        let decision = decide(policy, &request);
        if decision.verdict != Verdict::Forbid {
            may.insert(node.target.clone(), decision.quorum.into_iter().map(|s| (s.group, s.count)).collect());
        }
    }
    may
}

#[test]
fn what_a_group_gains_and_loses_is_what_the_decision_says_before_and_after() {
    let mut rng = seeded("diff");
    let (library, snapshot) = (world(), snapshot());
    let plain = |draw: &mut Draw<'_>| {
        let mut policy = drawn(draw);
        policy.freezes.clear();
        for grant in &mut policy.grants {
            if let Granted::Names { parameters, .. } = &mut grant.run {
                parameters.clear();
            }
        }
        policy
    };
    let (mut gains, mut losses, mut others) = (0, 0, 0);
    for _ in 0..cases(60) {
        let old = plain(&mut Draw(&mut rng));
        let mut new = old.clone();
        // One part of it is another: most changes are small.
        let other = plain(&mut Draw(&mut rng));
        match rand::RngExt::random_range(&mut rng, 0..5) {
            0 => new.grants = other.grants,
            1 => new.forbids = other.forbids,
            2 => new.approvals = other.approvals,
            3 => {
                new.sets = other
                    .sets
                    .into_iter()
                    .filter(|(name, _)| old.sets.contains_key(name))
                    .chain(old.sets.clone())
                    .collect()
            }
            _ => drop(new.grants.pop()),
        }
        let (before, after) = (Side { policy: &old, runbooks: &library }, Side { policy: &new, runbooks: &library });
        let difference = diff(before, after, &snapshot);
        for runbook in library.runbooks.values() {
            for group in GROUPS {
                let (then, now) = (naive(&old, runbook, group, &snapshot), naive(&new, runbook, group, &snapshot));
                let mine = || difference.effects.iter().filter(|e| e.runbook == runbook.name && e.group == group);
                let gained: u32 = mine().filter(|e| e.before.is_none()).map(|e| e.nodes).sum();
                let lost: u32 = mine().filter(|e| e.after.is_none()).map(|e| e.nodes).sum();
                assert_eq!(gained as usize, now.keys().filter(|t| !then.contains_key(t)).count(), "{group} gains");
                assert_eq!(lost as usize, then.keys().filter(|t| !now.contains_key(t)).count(), "{group} loses");
                // The approvals of a single target, without those that only many take.
                let first = |reach: &muster::policy::reach::Reach| reach.approvals.get(&0).cloned().unwrap_or_default();
                let other: u32 = mine()
                    .filter_map(|e| Some((e, e.before.as_ref()?, e.after.as_ref()?)))
                    .filter(|(_, a, b)| first(a) != first(b))
                    .map(|(e, _, _)| e.nodes)
                    .sum();
                let differ = then.iter().filter(|(t, quorum)| now.get(t).is_some_and(|other| other != *quorum)).count();
                assert_eq!(other as usize, differ, "{group} {} needs other people", runbook.name);
                gains += gained;
                losses += lost;
                others += other;
            }
        }
        assert!(mine_sum(&difference));
        assert_eq!(diff(before, before, &snapshot).effects, []);
    }
    println!("{gains} gained, {losses} lost, {others} with other approvals");
    assert!(gains > 250 && losses > 250 && others > 100, "too few to mean anything");
}

/// Each effect tells all its nodes by account.
fn mine_sum(difference: &Difference) -> bool {
    difference.effects.iter().all(|e| e.accounts.iter().map(|(_, n)| n).sum::<u32>() == e.nodes)
}

const OLD: &str = r#"version = 1
[groups]
support = { users = ["slack:T1:U1"] }
sre = { users = ["slack:T1:U2", "slack:T1:U3"] }
[people]
sam = ["slack:T1:U1", "discord:1:7"]
[sets.prod]
accounts = ["*-prod"]
production = true
[sets.stage]
accounts = ["*-stage"]
production = false
[[grant]]
id = "look"
who = ["support"]
run = { risk = ["read"] }
where = ["stage"]
max_targets = 20
[[grant]]
id = "restart"
who = ["support"]
run = { names = ["restart"], parameters = { service = { one_of = ["nginx"] } } }
where = ["stage"]
max_targets = 5
[[grant]]
id = "all"
who = ["sre"]
run = { risk = ["read", "change", "destructive"] }
where = ["*"]
max_targets = 100
[[forbid]]
id = "no-drops"
run = { names = ["drop-data"] }
where = ["prod"]
because = "x"
[[approval]]
id = "changes"
when = { production = true, risk = ["change", "destructive"] }
need = [{ from = "sre", count = 1 }]
[[view]]
id = "read"
who = ["support", "sre"]
where = ["*"]
[halt]
who = ["support"]
"#;

fn told(old: &str, new: &str, before: &Library, after: &Library) -> String {
    let load = |text: &str, library: &Library| {
        let books: Vec<&Runbook> = library.runbooks.values().map(Arc::as_ref).collect();
        read(&[("p.toml".into(), text.to_owned())], Some(&books)).unwrap().policy
    };
    let (old, new) = (load(old, before), load(new, after));
    let sides = (Side { policy: &old, runbooks: before }, Side { policy: &new, runbooks: after });
    text(&diff(sides.0, sides.1, &snapshot()), Terminal::plain())
}

#[test]
fn a_difference_tells_who_gains_and_loses_what_on_how_many_nodes() {
    let new = OLD
        .replace("where = [\"stage\"]\nmax_targets = 20", "where = [\"stage\", \"prod\"]\nmax_targets = 10")
        .replace("one_of = [\"nginx\"]", "one_of = [\"nginx\", \"app\"]")
        .replace(
            "run = { names = [\"drop-data\"] }\nwhere = [\"prod\"]",
            "run = { names = [\"drop-data\"] }\nwhere = [\"*\"]",
        )
        .replace("count = 1", "count = 2")
        .replace("\"slack:T1:U3\"]", "\"slack:T1:U4\"]")
        .replace("who = [\"support\", \"sre\"]\nwhere", "who = [\"sre\"]\nwhere")
        .replace("[halt]\nwho = [\"support\"]", "[halt]\nwho = [\"sre\"]")
        .replace("[people]\nsam = [\"slack:T1:U1\", \"discord:1:7\"]\n", "");
    let library = world();
    insta::assert_snapshot!("difference", told(OLD, &new, &library, &library));
    assert_eq!(
        told(OLD, OLD, &library, &library),
        "Compared on 36 nodes of 4 accounts.\nNo group gains or loses anything on them.\n"
    );
}

#[test]
fn a_change_of_a_runbook_is_told_in_the_same_way() {
    let before = world();
    let after = library(&[
        ("restart", "change", "platform"),
        ("show-data", "change", "data"),
        ("status", "read", "platform"),
        ("wipe", "destructive", "data"),
    ]);
    let old = OLD.replace("run = { names = [\"drop-data\"] }", "run = { risk = [\"destructive\"] }");
    insta::assert_snapshot!("runbooks", told(&old, &old, &before, &after));
}

#[test]
fn a_new_text_of_a_runbook_names_who_runs_it_from_now_on() {
    let before = world();
    let mut after = before.clone();
    let mut changed = (**after.get(&"restart".parse().unwrap()).unwrap()).clone();
    changed.revision = muster::domain::Digest::of(b"another text");
    changed.parameters.insert(
        "force".into(),
        Parameter { kind: Kind::Boolean, description: "x".into(), examples: vec![], default: Some("false".into()) },
    );
    after.runbooks.insert(changed.name.clone(), Arc::new(changed));
    let books: Vec<&Runbook> = before.runbooks.values().map(Arc::as_ref).collect();
    let policy = read(&[("p.toml".into(), OLD.to_owned())], Some(&books)).unwrap().policy;
    let sides = (Side { policy: &policy, runbooks: &before }, Side { policy: &policy, runbooks: &after });
    let difference = diff(sides.0, sides.1, &snapshot());
    assert_eq!(difference.effects, []);
    let change = &difference.runbooks[0];
    assert_eq!(
        (change.name.as_str(), change.change, change.details.join(" ")),
        ("restart", Change::Changed, "parameters".into())
    );
    assert_eq!(change.runs, [("sre".to_owned(), 36), ("support".to_owned(), 9)]);
}
