//! Policy files: what is written is what stands, and what is wrong is told at once, by place and remedy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};
use std::path::PathBuf;

use muster::domain::{Amount, Digest, Fault, Millis};
use muster::policy::set::{Audience, Forbidden, Freeze, Granted, HaltRule, Overridden, ParameterRule, Pattern, Where};
use muster::policy::{PolicySet, load};
use muster::runbook::{HoldAfter, Kind, Offline, Parameter, Risk, Rollout, Runbook, TargetRules};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::policy_world::{Draw, cases, seeded};

fn files(texts: &[(&str, &str)]) -> Vec<(PathBuf, String)> {
    texts.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect()
}

fn told(faults: Result<PolicySet, Vec<Fault>>) -> String {
    faults.unwrap_err().iter().map(|f| format!("{f}\n")).collect()
}

fn runbook(name: &str, owner: &str, parameters: &[&str]) -> Runbook {
    let parameter = Parameter { kind: Kind::Boolean, description: String::new(), examples: vec![], default: None };
    Runbook {
        name: name.parse().unwrap(),
        revision: Digest::of(b""),
        title: String::new(),
        description: String::new(),
        tags: vec![],
        risk: Risk::Read,
        owner: owner.into(),
        parameters: parameters.iter().map(|p| ((*p).to_owned(), parameter.clone())).collect(),
        targets: TargetRules { platforms: vec![], max: 1, offline: Offline::Skip, exclusive: false },
        steps: vec![],
        rollback: None,
        rollout: Rollout {
            waves: vec![],
            max_in_flight: Amount::Count(1),
            max_errors: Amount::Count(0),
            hold: HoldAfter::Never,
            hold_for: Millis::from_secs(3600),
            deadline: Millis::from_secs(86_400),
        },
    }
}

#[test]
fn every_fault_of_every_file_is_told_at_once() {
    let a = r#"version = 2
[groups]
sre = { slack_usergroups = ["S0SRE", "discord:1:2"], users = ["slack:T1:S0SRE", "ana"] }
Ops = { users = ["slack:T1:U1"] }
none = {}
half = { users = [] }
typo = { user = ["slack:T1:U1"] }
[sets]
production = { accounts = ["11111111111", 222222222222, " x"], regions = ["moon", "eu-*"], productoin = true }
empty = { production = true }
hollow = { labels = {}, tags = { role = [] } }
[[grant]]
id = "one"
who = ["sre", "srr"]
run = { names = ["disk-usage", "Bad Name"], parameters = { service = { one_of = [], int = [1] }, n = { int = [9, 1] }, p = { pattern = "a(" }, q = {} } }
where = ["production", "*"]
max_targets = 0
channels = ["C0OPS"]
[[grant]]
id = "one"
who = []
run = { owner = ["platform"], tags = ["x"] }
where = ["prodution"]
params = { service = {} }
[[grant]]
id = "built-in"
who = ["sre"]
run = { names = ["disk-usage"], risk = ["read", "chnage"] }
max_targets = 10
[[grant]]
run = { risk = ["read"], parameters = { n = { int = [1, 2] } } }
"#;
    let b = r#"version = 1
[groups]
sre = { users = ["slack:T1:U1"] }
[[forbid]]
id = "nothing-said"
because = "x"
[[forbid]]
id = "empty-run"
run = {}
because = " "
[[forbid]]
id = "with-parameters"
run = { names = ["disk-usage"], parameters = { n = { int = [1, 2] } } }
where = ["production"]
[[approval]]
id = "a1"
when = { production = false, labels = { env = ["prod"] }, targets_over = 0, runbooks = [] }
need = [{ from = "sre", count = 0 }, { from = "sre", count = 1, strength = "passkey" }, { form = "sre" }]
expires = "8d"
strength = "passkey"
[[approval]]
id = "a2"
when = {}
need = []
[[approval]]
id = "a3"
[[view]]
id = "v1"
where = ["*"]
[[view]]
id = "v2"
who = ["sre"]
shared_channels = ["slack:T1:C1"]
[[freeze]]
id = "black-friday"
[[freeze]]
id = "backwards"
from = "2026-11-30T00:00:00Z"
to = "2026-11-26T00:00:00Z"
where = ["nowhere"]
because = "x"
[[freeze]]
id = "vague"
from = "2026-11-30"
to = "2026-11-31T00:00:00Z"
where = ["*"]
except = {}
because = "x"
[break_glass]
who = ["sre"]
overrides = ["freeze", "forbid"]
second = "nobody"
needs_other_person = false
justification_min = 5
max_targets = 0
expires = "8d"
notify = []
review = ["security"]
review_within = "31d"
[approval_defaults]
exclude_requester = false
[[test]]
name = "x"
[view_defaults]
[approvers]
sra = { channels = [] }
sre = {}
support = { chanels = ["slack:T1:C1"], direct = "yes", escalate = ["nobody"] }
"#;
    insta::assert_snapshot!("faults", told(load(&files(&[("policies/b.toml", b), ("policies/a.toml", a)]), None)));
}

const GLASS: &str = r#"version = 1
[groups]
sre = { users = ["slack:T1:U1", "slack:T1:U2"] }
security = { users = ["slack:T1:U3"] }
[break_glass]
who = ["sre"]
overrides = ["freeze"]
second = "sre"
justification_min = 20
max_targets = 50
notify = ["slack:T1:C1"]
review = ["security"]
review_within = "24h"
"#;

/// What stands behind `#` in the shipped file can be taken over as it stands.
#[test]
fn the_examples_in_the_shipped_file_are_valid() {
    let shipped = muster::shipped::POLICIES[0].1;
    let mut tried = Vec::new();
    for table in ["[[freeze]]", "[break_glass]"] {
        let from = shipped.find(&format!("# {table}\n")).unwrap_or_else(|| panic!("no example of {table}"));
        let example = shipped[from..].lines().take_while(|line| line.starts_with("# ")).map(|line| &line[2..]);
        // Prose between two examples is none.
        let example: Vec<&str> = example.filter(|line| line.starts_with('[') || line.contains(" = ")).collect();
        let text = format!("{shipped}\n{}\n", example.join("\n"));
        let policy = load(&files(&[("default.toml", &text)]), None).unwrap_or_else(|f| panic!("{f:#?}\n{example:#?}"));
        tried.push((policy.freezes.len(), policy.glass.is_some()));
    }
    assert_eq!(tried, [(1, false), (0, true)]);
}

#[test]
fn breaking_the_glass_is_said_once_and_completely() {
    let policy = load(&files(&[("a.toml", GLASS)]), None).unwrap();
    let glass = policy.glass.unwrap();
    assert_eq!((glass.second.as_str(), glass.justification_min, glass.max_targets), ("sre", 20, 50));
    assert_eq!((glass.expires, glass.review_within), (Millis::from_secs(1_800), Millis::from_secs(86_400)));
    assert_eq!(glass.overrides, [Overridden::Freeze].into());
    let (_, table) = GLASS.split_once("[break_glass]").unwrap();
    let twice = format!("version = 1\n[break_glass]{table}");
    let empty = "version = 1\n[groups]\nsre = { users = [\"slack:T1:U1\"] }\n[break_glass]\n\
                 overrides = []\n[[forbid]]\nid = \"break-glass\"\nwho = [\"sre\"]\nbecause = \"x\"\n";
    insta::assert_snapshot!(
        "glass",
        [
            told(load(&files(&[("a.toml", GLASS), ("b.toml", &twice)]), None)),
            told(load(&files(&[("a.toml", empty)]), None)),
        ]
        .join("\n")
    );
}

#[test]
fn what_a_rule_says_of_runbooks_is_checked_where_they_are_known() {
    let text = r#"version = 1
[groups]
sre = { users = ["slack:T1:U1"] }
[[grant]]
id = "one"
who = ["sre"]
run = { names = ["disk-usage", "restart-servce"], parameters = { servic = { one_of = ["x"] } } }
where = ["*"]
max_targets = 1
[[grant]]
id = "two"
who = ["sre"]
run = { risk = ["read"], owner = ["platfrom"] }
where = ["*"]
max_targets = 1
[[approval]]
id = "three"
when = { runbooks = ["reboot"] }
need = [{ from = "sre", count = 1 }]
"#;
    let known = [runbook("disk-usage", "platform", &["service"]), runbook("restart-service", "data", &[])];
    let known: Vec<&Runbook> = known.iter().collect();
    insta::assert_snapshot!("unknown_runbooks", told(load(&files(&[("a.toml", text)]), Some(&known))));
    assert!(load(&files(&[("a.toml", text)]), None).is_ok(), "they are not looked at where they are not known");
}

#[test]
fn a_listed_value_that_no_named_runbook_takes_is_a_fault() {
    let text = |values: &str| {
        let run = format!(
            "{{ names = [\"restart-service\", \"patch-baseline\"], parameters = {{ service = {{ one_of = [{values}] }} }} }}"
        );
        format!(
            "version = 1\n[groups]\nsre = {{ users = [\"slack:T1:U1\"] }}\n[[grant]]\nid = \"a\"\nwho = [\"sre\"]\n\
             run = {run}\nwhere = [\"*\"]\nmax_targets = 1\n"
        )
    };
    let library = muster::runbook::Library::load(muster::shipped::RUNBOOKS.iter().copied()).unwrap();
    let mut known: Vec<Runbook> = library.runbooks.values().map(|r| (**r).clone()).collect();
    known.iter_mut().find(|r| r.name.as_str() == "patch-baseline").unwrap().parameters = known_service();
    let known: Vec<&Runbook> = known.iter().collect();
    let faults = |values: &str| load(&files(&[("a.toml", &text(values))]), Some(&known)).map(drop);
    assert_eq!(faults("\"nginx\", \"true\""), Ok(()), "each value needs one runbook that takes it");
    let told: String = faults("\"nginx\", \"Nginx Plus\"").unwrap_err().iter().map(|f| format!("{f}\n")).collect();
    insta::assert_snapshot!(told);
}

/// A `service` that is a boolean.
fn known_service() -> BTreeMap<String, Parameter> {
    runbook("x", "y", &["service"]).parameters
}

#[test]
fn a_freeze_shares_its_id_with_no_other_rule() {
    let freeze = |id: &str| {
        format!(
            "[[freeze]]\nid = \"{id}\"\nfrom = \"2026-01-01T00:00:00Z\"\nto = \"2026-01-02T00:00:00Z\"\nwhere = [\"*\"]\n\
             because = \"x\"\n"
        )
    };
    let text = format!("version = 1\n{}{}", freeze("one"), freeze("one"));
    let whats: Vec<String> =
        load(&files(&[("a.toml", &text)]), None).unwrap_err().into_iter().map(|f| f.what).collect();
    assert_eq!(whats, ["the rule `one` is defined above"]);
}

#[test]
fn a_broken_file_does_not_make_its_groups_unknown_in_the_others() {
    let broken = "version = 1\n[groups]\nsre = { users = [\"slack:T1:U1\" }\n[sets]\nprod = { accounts = [\"*\"], }}\n";
    let good = "version = 1\n[[view]]\nid = \"v\"\nwho = [\"sre\", \"sry\"]\nwhere = [\"prod\"]\n";
    let faults = load(&files(&[("a.toml", broken), ("b.toml", good)]), None).unwrap_err();
    let in_good: Vec<&str> = faults.iter().filter(|f| f.file.ends_with("b.toml")).map(|f| f.what.as_str()).collect();
    assert_eq!(in_good, ["no group is called `sry`"]);
    assert!(faults.len() > 1);
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|i| format!("{:?}", i.to_string())).collect();
    format!("[{}]", items.join(", "))
}
fn patterns(patterns: &[Pattern]) -> String {
    list(patterns.iter().map(Pattern::as_str))
}
fn risks(risks: &BTreeSet<Risk>) -> String {
    list(risks.iter().map(|r| r.as_str()))
}
fn place(place: &Where) -> String {
    match place {
        Where::Anywhere => "[\"*\"]".into(),
        Where::Sets(names) => list(names),
    }
}
fn attributes(map: &BTreeMap<String, Vec<Pattern>>) -> String {
    let map: Vec<String> = map.iter().map(|(k, v)| format!("{k} = {}", patterns(v))).collect();
    format!("{{ {} }}", map.join(", "))
}

/// Writes each part of a policy as a person would, one text for each table.
fn written(policy: &PolicySet) -> Vec<String> {
    let mut parts = Vec::new();
    for (name, members) in &policy.groups {
        let (refs, users) = (list(&members.refs), list(&members.users));
        parts.push(format!("[groups.{name}]\nslack_usergroups = {refs}\nusers = {users}\n"));
    }
    for (name, set) in &policy.sets {
        let mut text = format!("[sets.{name}]\n");
        if !set.accounts.is_empty() {
            writeln!(text, "accounts = {}", patterns(&set.accounts)).unwrap();
        }
        if !set.regions.is_empty() {
            writeln!(text, "regions = {}", patterns(&set.regions)).unwrap();
        }
        for (key, map) in [("labels", &set.labels), ("tags", &set.tags)] {
            if !map.is_empty() {
                writeln!(text, "{key} = {}", attributes(map)).unwrap();
            }
        }
        if let Some(production) = set.production {
            writeln!(text, "production = {production}").unwrap();
        }
        parts.push(text);
    }
    for grant in &policy.grants {
        let run = match &grant.run {
            Granted::Names { names, parameters } => {
                let rules: Vec<String> = parameters
                    .iter()
                    .map(|(name, rule)| match rule {
                        ParameterRule::OneOf(values) => format!("{name} = {{ one_of = {} }}", list(values)),
                        ParameterRule::Int { min, max } => format!("{name} = {{ int = [{min}, {max}] }}"),
                        ParameterRule::Matches(p) => format!("{name} = {{ pattern = '{}' }}", p.as_str()),
                    })
                    .collect();
                format!("{{ names = {}, parameters = {{ {} }} }}", list(names), rules.join(", "))
            }
            Granted::Kind { risk, owner: None } => format!("{{ risk = {} }}", risks(risk)),
            Granted::Kind { risk, owner: Some(owner) } => {
                format!("{{ risk = {}, owner = {} }}", risks(risk), list(owner))
            }
        };
        let mut text = format!(
            "[[grant]]\nid = '{}'\nwho = {}\nrun = {run}\nwhere = {}\nmax_targets = {}\n",
            grant.id,
            list(&grant.who),
            place(&grant.place),
            grant.max_targets
        );
        if let Some(channels) = &grant.channels {
            writeln!(text, "channels = {}", list(channels)).unwrap();
        }
        parts.push(text);
    }
    for forbid in &policy.forbids {
        let mut text = format!("[[forbid]]\nid = '{}'\nbecause = '{}'\n", forbid.id, forbid.because);
        if let Some(who) = &forbid.who {
            writeln!(text, "who = {}", list(who)).unwrap();
        }
        match &forbid.run {
            Forbidden::Everything => {}
            Forbidden::Names(names) => writeln!(text, "run.names = {}", list(names)).unwrap(),
            Forbidden::Kind { risk, owner } => {
                if let Some(risk) = risk {
                    writeln!(text, "run.risk = {}", risks(risk)).unwrap();
                }
                if let Some(owner) = owner {
                    writeln!(text, "run.owner = {}", list(owner)).unwrap();
                }
            }
        }
        writeln!(text, "where = {}", place(&forbid.place)).unwrap();
        parts.push(text);
    }
    for freeze in &policy.freezes {
        let Freeze { id, from, to, because, .. } = freeze;
        let mut text = format!("[[freeze]]\nid = '{id}'\nbecause = '{because}'\nfrom = '{from}'\nto = '{to}'\n");
        match &freeze.except {
            None => {}
            Some(Forbidden::Everything) => panic!("an exception from everything is no freeze"),
            Some(Forbidden::Names(names)) => writeln!(text, "except.names = {}", list(names)).unwrap(),
            Some(Forbidden::Kind { risk, owner }) => {
                if let Some(risk) = risk {
                    writeln!(text, "except.risk = {}", risks(risk)).unwrap();
                }
                if let Some(owner) = owner {
                    writeln!(text, "except.owner = {}", list(owner)).unwrap();
                }
            }
        }
        writeln!(text, "where = {}", place(&freeze.place)).unwrap();
        parts.push(text);
    }
    for rule in &policy.approvals {
        let need: Vec<String> = rule.need.iter().map(|(g, n)| format!("{{ from = '{g}', count = {n} }}")).collect();
        let mut text = format!("[[approval]]\nid = '{}'\nneed = [{}]\n", rule.id, need.join(", "));
        writeln!(text, "when.where = {}", place(&rule.when.place)).unwrap();
        if rule.when.production {
            writeln!(text, "when.production = true").unwrap();
        }
        if let Some(n) = rule.when.targets_over {
            writeln!(text, "when.targets_over = {n}").unwrap();
        }
        if let Some(risk) = &rule.when.risk {
            writeln!(text, "when.risk = {}", risks(risk)).unwrap();
        }
        if let Some(runbooks) = &rule.when.runbooks {
            writeln!(text, "when.runbooks = {}", list(runbooks)).unwrap();
        }
        if let Some(expires) = rule.expires {
            writeln!(text, "expires = '{}s'", expires.secs_up()).unwrap();
        }
        parts.push(text);
    }
    for rule in &policy.view {
        let audience = match &rule.audience {
            Audience::Groups(groups) => format!("who = {}", list(groups)),
            Audience::SharedChannels(channels) => format!("shared_channels = {}", list(channels)),
        };
        parts.push(format!("[[view]]\nid = '{}'\n{audience}\nwhere = {}\n", rule.id, place(&rule.place)));
    }
    for (group, approvers) in &policy.approvers {
        let mut text = format!("[approvers.{group}]\ndirect = {}\n", approvers.direct);
        if !approvers.channels.is_empty() {
            writeln!(text, "channels = {}", list(&approvers.channels)).unwrap();
        }
        if !approvers.escalate.is_empty() {
            writeln!(text, "escalate = {}", list(&approvers.escalate)).unwrap();
        }
        parts.push(text);
    }
    if let Some(glass) = &policy.glass {
        let overrides = glass.overrides.iter().map(|kind| match kind {
            Overridden::Freeze => "freeze",
            Overridden::Approval => "approval",
        });
        parts.push(format!(
            "[break_glass]\nwho = {}\noverrides = {}\nsecond = '{}'\njustification_min = {}\nmax_targets = {}\n\
             expires = '{}s'\nnotify = {}\nreview = {}\nreview_within = '{}s'\n",
            list(&glass.who),
            list(overrides),
            glass.second,
            glass.justification_min,
            glass.max_targets,
            glass.expires.secs_up(),
            list(&glass.notify),
            list(&glass.review),
            glass.review_within.secs_up(),
        ));
    }
    let halt = [("who", &policy.halt.who), ("resume", &policy.halt.resume)];
    let halt: String = halt
        .iter()
        .filter(|(_, groups)| !groups.is_empty())
        .map(|(key, groups)| format!("{key} = {}\n", list(*groups)))
        .collect();
    if !halt.is_empty() {
        parts.push(format!("[halt]\n{halt}"));
    }
    parts
}

#[test]
fn what_is_written_is_what_stands_in_whichever_order_and_file() {
    let mut rng = seeded("written");
    for _ in 0..cases(400).min(20_000) {
        let policy = Draw(&mut rng).policy();
        let mut parts = written(&policy);
        parts.shuffle(&mut rng);
        let (one, two) = parts.split_at(rng.random_range(0..=parts.len()));
        let texts = [one, two].map(|parts| format!("version = 1\n{}", parts.join("")));
        let mut files = files(&[("one.toml", &texts[0]), ("two.toml", &texts[1])]);
        files.shuffle(&mut rng);
        let mut loaded = load(&files, None).unwrap_or_else(|f| panic!("{f:#?}\n{}\n{}", texts[0], texts[1]));
        loaded.grants.sort_by(|a, b| a.id.cmp(&b.id));
        loaded.forbids.sort_by(|a, b| a.id.cmp(&b.id));
        loaded.freezes.sort_by(|a, b| a.id.cmp(&b.id));
        loaded.approvals.sort_by(|a, b| a.id.cmp(&b.id));
        loaded.view.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(loaded, PolicySet { revision: loaded.revision, ..policy });
    }
}

#[test]
fn who_may_halt_adds_up_over_the_files_and_strangers_are_told() {
    let groups = "version = 1\n[groups]\na = { users = ['slack:T1:U1'] }\nb = { users = ['slack:T1:U2'] }\n";
    let halt = |text: &str| load(&files(&[("groups.toml", groups), ("halt.toml", text)]), None);
    let one = format!("{groups}[halt]\nwho = ['a']\n");
    let two = "version = 1\n[halt]\nwho = ['b']\nresume = ['a']\n";
    let both = load(&files(&[("one.toml", &one), ("two.toml", two)]), None).unwrap().halt;
    assert_eq!((both.who, both.resume), (["a", "b"].map(String::from).into(), ["a"].map(String::from).into()));
    assert_eq!(halt("version = 1").unwrap().halt, HaltRule::default());
    let faults = halt("version = 1\n[halt]\nwho = ['b', 'ops']\nresume = []\nresumes = ['a']\n");
    insta::assert_snapshot!(
        [faults, halt("version = 1\n[halt]\n"), halt("version = 1\n[[halt]]\nwho = ['a']\n")].map(told).join("\n")
    );
    let host =
        "version = 1\n[groups]\na = { users = ['host:ops-1:root'] }\nb = { slack_usergroups = ['host:ops-1:x'] }\n";
    insta::assert_snapshot!(told(load(&files(&[("host.toml", host)]), None)));
}

#[test]
fn a_revision_names_the_texts_and_not_where_they_lie() {
    let of = |files: &[(PathBuf, String)]| load(files, None).unwrap().revision;
    let (a, b) = (("x/a.toml", "version = 1"), ("x/b.toml", "version = 1\n"));
    assert_eq!(of(&files(&[a, b])), of(&files(&[b, a])));
    assert_eq!(of(&files(&[a])), of(&files(&[("elsewhere/a.toml", "version = 1")])));
    assert_ne!(of(&files(&[a, b])), of(&files(&[a])));
    assert_ne!(of(&files(&[a])), of(&files(&[("x/a.toml", "version = 1 ")])));
}

#[test]
fn a_damaged_file_is_refused_or_read_and_never_panics() {
    let mut rng = seeded("damage");
    let good: Vec<char> = muster::shipped::POLICIES[0].1.chars().filter(|c| c.is_ascii()).collect();
    let bits = ["\"", "'", "[", "]", "{", "}", "=", "\n", "*", "0", "a", ",", ".", "#", "\\", "é", "\u{0}"];
    let mut refused = 0;
    for _ in 0..cases(600).min(20_000) {
        let mut text = good.clone();
        for _ in 0..rng.random_range(1..4) {
            let from = rng.random_range(0..text.len());
            let to = (from + rng.random_range(0..30)).min(text.len());
            let put = bits[rng.random_range(0..bits.len())];
            text.splice(from..to, put.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(faults) = load(&files(&[("p.toml", &text)]), None) {
            refused += 1;
            assert!(!faults.is_empty());
            assert!(faults.iter().all(|f| f.at.is_some() && !f.remedy.is_empty()), "{faults:#?}");
        }
    }
    assert!(refused > 200, "only {refused} refused");
}
