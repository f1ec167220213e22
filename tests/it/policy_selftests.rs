//! The tests inside policy files, and advice about rules that are valid and hardly meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use muster::domain::{Digest, Fault, RunbookName};
use muster::policy::load::read;
use muster::policy::selftest::{Expected, SelfTest};
use muster::policy::set::{Grant, Granted, Members, Where};
use muster::policy::{PolicySet, decide, load};
use muster::runbook::{Kind, Library, Parameter, Runbook};

use super::policy_world::{Draw, RUNBOOKS, cases, seeded};

fn library() -> Library {
    Library::load(muster::shipped::RUNBOOKS.iter().copied()).unwrap()
}

fn books(library: &Library) -> Vec<&Runbook> {
    library.runbooks.values().map(Arc::as_ref).collect()
}

fn files(text: &str) -> Vec<(PathBuf, String)> {
    vec![(PathBuf::from("p.toml"), text.to_owned())]
}

/// The shipped rules with one piece of text put in the place of another.
fn changed(from: &str, to: &str) -> Vec<(PathBuf, String)> {
    let text = muster::shipped::POLICIES[0].1;
    assert_eq!(text.matches(from).count(), 1, "`{from}` has to stand there once");
    let mut files = files(&text.replace(from, to));
    files.push((PathBuf::from("tests.toml"), muster::shipped::POLICIES[1].1.to_owned()));
    files
}

fn told(faults: &[Fault]) -> String {
    faults.iter().map(|f| format!("{f}\n")).collect()
}

const RULES: &str = r#"version = 1
[groups]
support = { users = ["slack:T1:U1"] }
sre = { users = ["slack:T1:U2", "slack:T1:U3"] }
[sets.production]
accounts = ["111111111111", "333333333333"]
production = true
[sets.web]
accounts = ["acme-*"]
tags = { service = ["web", "app"] }
regions = ["eu-*"]
labels = { env = ["prod"] }
[[grant]]
id = "look"
who = ["support"]
run = { risk = ["read"] }
where = ["production", "web"]
max_targets = 10
channels = ["slack:T1:C1"]
[[grant]]
id = "all"
who = ["sre"]
run = { risk = ["read", "change"] }
where = ["*"]
max_targets = 100
[[forbid]]
id = "no-data"
run = { risk = ["destructive"] }
because = "Ask the DBAs."
[[freeze]]
id = "holidays"
from = "2026-12-24T00:00:00Z"
to = "2026-12-27T00:00:00Z"
where = ["production"]
because = "Everybody is at home."
[[approval]]
id = "two"
when = { production = true, risk = ["change"] }
need = [{ from = "sre", count = 2 }]
"#;

#[test]
fn a_test_that_holds_lets_the_rules_in() {
    let tests = r#"
[[test]]
name = "in the channel"
as = ["support"]
run = "disk-usage"
where = ["production", "web"]
channel = "slack:T1:C1"
expect = "allow"
[[test]]
name = "elsewhere"
as = ["support"]
run = "disk-usage"
where = ["web"]
expect = { deny = ["look"] }
[[test]]
name = "a stranger"
as = []
run = "disk-usage"
where = ["*"]
expect = { deny = ["built-in"] }
[[test]]
name = "before the holidays"
as = ["sre"]
run = "restart-service"
parameters = { service = "nginx" }
where = ["production"]
at = "2026-12-23T23:59:59Z"
expect = { approvals = [{ from = "sre", count = 2 }] }
[[test]]
name = "in the holidays"
as = ["sre"]
run = "restart-service"
parameters = { service = "nginx" }
where = ["production"]
at = "2026-12-24T00:00:00Z"
expect = { deny = ["holidays"] }
[[test]]
name = "whoever asks"
as = ["sre", "support"]
run = "free-disk"
where = ["web"]
expect = "deny"
"#;
    let library = library();
    let loaded = read(&files(&format!("{RULES}{tests}")), Some(&books(&library))).unwrap();
    assert_eq!(loaded.tests.len(), 6);
    assert_eq!(told(&loaded.failures(&books(&library))), "");
}

#[test]
fn a_test_that_fails_keeps_the_rules_out_and_says_what_came_in_place_of_what_was_wanted() {
    let ask = |name: &str, who: &str, run: &str, rest: &str| {
        format!("[[test]]\nname = \"{name}\"\nas = [{who}]\nrun = \"{run}\"\n{rest}\n")
    };
    let sre = "\"sre\"";
    let tests = [
        ask(
            "wants an allow and is denied",
            "\"support\"",
            "disk-usage",
            "where = [\"production\"]\ntargets = 11\nexpect = \"allow\"",
        ),
        ask("wants a no and is allowed", sre, "disk-usage", "where = [\"production\"]\nexpect = \"deny\""),
        ask("wants a yes and needs approval", sre, "time-sync", "where = [\"production\"]\nexpect = \"allow\""),
        ask(
            "wants fewer people",
            sre,
            "time-sync",
            "where = [\"production\"]\nexpect = { approvals = [{ from = \"sre\", count = 1 }] }",
        ),
        ask(
            "wants approval and gets a yes",
            sre,
            "disk-usage",
            "where = [\"production\"]\nexpect = { approvals = [{ from = \"sre\", count = 1 }] }",
        ),
        ask("wants another rule", sre, "free-disk", "where = [\"web\"]\nexpect = { deny = [\"no-data\", \"look\"] }"),
        ask("gives no service", sre, "restart-service", "where = [\"web\"]\nexpect = \"allow\""),
        ask(
            "asks for a web server without the tag",
            sre,
            "disk-usage",
            "where = [\"web\"]\ntags = { service = \"db\" }\nexpect = \"allow\"",
        ),
        ask(
            "asks for one target in two sets",
            sre,
            "disk-usage",
            "where = [\"web\", \"production\"]\ntargets = 1\nexpect = \"allow\"",
        ),
    ];
    let library = library();
    let text = format!("{RULES}{}", tests.concat());
    let faults = load(&files(&text), Some(&books(&library))).unwrap_err();
    assert_eq!(faults.len(), tests.len());
    insta::assert_snapshot!("failing_tests", told(&faults));
    assert!(load(&files(&text), None).is_ok(), "without the runbooks nothing can be asked");
}

#[test]
fn a_test_that_is_badly_written_is_a_fault_at_its_place() {
    let text = format!(
        "{RULES}{}",
        r#"
[[test]]
[[test]]
name = "twice"
as = ["nobody"]
run = "disk-usages"
where = ["productoin"]
targets = 0
at = "yesterday"
channel = "ops"
parameters = { service = [] }
labels = { env = 1 }
expect = "alow"
[[test]]
name = "twice"
as = "sre"
run = 5
where = []
expect = { deny = [], approvals = [] }
[[test]]
name = "three"
as = []
run = "disk-usage"
where = ["*"]
expect = { deny = ["holiday"], because = "x" }
"#
    );
    let library = library();
    insta::assert_snapshot!("bad_tests", told(&load(&files(&text), Some(&books(&library))).unwrap_err()));
}

/// Each way of widening the shipped rules that its tests are there to notice.
#[test]
fn the_shipped_tests_notice_what_would_widen_the_shipped_rules() {
    let library = library();
    let changes = [
        (
            "support-show is narrowed",
            "where = [\"production\", \"staging\"]\nmax_targets = 100 # of one plan",
            "where = [\"staging\"]\nmax_targets = 100",
        ),
        (
            "support restarts everywhere",
            "where = [\"front-ends\"]\nmax_targets = 20\n# channels",
            "where = [\"*\"]\nmax_targets = 20\n# channels",
        ),
        (
            "the forbid is gone",
            "who = [\"support\"]\nrun = { risk = [\"destructive\"] }",
            "who = [\"support\"]\nrun = { names = [\"reboot-node\"] }",
        ),
        (
            "no approval in production",
            "when = { production = true, risk = [\"change\", \"destructive\"] }",
            "when = { production = true, risk = [\"destructive\"] }",
        ),
        ("many are few", "targets_over = 50", "targets_over = 500"),
        ("production is not", "production = true\n\n[sets.staging]", "production = false\n\n[sets.staging]"),
    ];
    for (what, from, to) in changes {
        let failed = load(&changed(from, to), Some(&books(&library))).expect_err(what);
        assert!(failed.iter().all(|f| f.what.starts_with("the test `") && f.at.is_some()), "{what}: {failed:#?}");
    }
}

/// For every set that can be written: what lies in it by the test's word lies in it by the rules' word.
#[test]
fn the_targets_of_a_test_lie_surely_in_its_sets() {
    let mut rng = seeded("specimens");
    let library = library();
    let runbook: RunbookName = "disk-usage".parse().unwrap();
    let mut many = 0;
    for _ in 0..cases(2_000) {
        let sets = Draw(&mut rng).policy().sets;
        if sets.is_empty() {
            continue;
        }
        let place = Where::Sets(sets.keys().cloned().collect());
        let who = BTreeSet::from(["sre".to_owned()]);
        let grant = Grant {
            id: "g".into(),
            who: who.clone(),
            run: Granted::Names { names: BTreeSet::from([runbook.clone()]), parameters: BTreeMap::new() },
            place: place.clone(),
            max_targets: 1_000,
            channels: None,
        };
        let groups = BTreeMap::from([("sre".to_owned(), Members::default())]);
        let policy = PolicySet { groups, sets, grants: vec![grant], ..PolicySet::deny_all() };
        let mut test = SelfTest {
            name: "x".into(),
            groups: who,
            channel: None,
            runbook: runbook.clone(),
            parameters: BTreeMap::new(),
            place,
            targets: None,
            labels: BTreeMap::new(),
            tags: BTreeMap::new(),
            at: None,
            emergency: None,
            expect: Expected::Allow,
        };
        assert_eq!(test.run(&policy, &books(&library)), Ok(()), "{policy:#?}");
        test.targets = Some(7);
        assert_eq!(test.run(&policy, &books(&library)), Ok(()), "{policy:#?}");
        many += 1;
    }
    assert!(many > 500, "only {many} had all their sets");
}

#[test]
fn advice_names_what_is_valid_and_hardly_meant() {
    let text = format!(
        "{RULES}{}",
        r#"
[groups.idle]
users = ["slack:T1:U9"]
[groups.pair]
users = ["slack:T1:U4", "discord:1:4"]
[people]
pat = ["slack:T1:U4", "discord:1:4"]
[sets.idle]
regions = ["us-east-1"]
[sets.lab]
accounts = ["999999999999"]
production = false
[[grant]]
id = "needless"
who = ["sre"]
run = { names = ["disk-usage", "time-sync"] }
where = ["web"]
max_targets = 10
[[grant]]
id = "same-as-look"
who = ["support"]
run = { risk = ["read"] }
where = ["production", "web"]
max_targets = 10
channels = ["slack:T1:C1"]
[[grant]]
id = "never"
who = ["support"]
run = { names = ["free-disk"] }
where = ["production"]
max_targets = 1
[[grant]]
id = "nothing-owned"
who = ["support"]
run = { risk = ["destructive"], owner = ["platform"] }
where = ["web"]
max_targets = 1
[[grant]]
id = "no-number"
who = ["support"]
run = { names = ["disk-usage"], parameters = { top = { int = [1000, 5000] } } }
where = ["web"]
max_targets = 1
[[grant]]
id = "everywhere"
who = ["support"]
run = { names = ["restart-service", "disk-usage"] }
where = ["*"]
max_targets = 1
[[approval]]
id = "lonely"
when = { runbooks = ["restart-instance"] }
need = [{ from = "pair", count = 2 }]
"#
    );
    // Without the rule for production nobody approves a change there.
    let text = text.replace("when = { production = true, risk = [\"change\"] }", "when = { targets_over = 5 }");
    let library = library();
    let loaded = read(&files(&text), Some(&books(&library))).unwrap();
    insta::assert_snapshot!("advice", told(&loaded.advice(&books(&library))));
}

/// What is told of a grant is proved on questions: take it out, and nobody gains or loses anything.
#[test]
fn a_grant_that_is_called_needless_or_useless_changes_no_decision() {
    let mut rng = seeded("needless");
    let parameter = Parameter {
        kind: Kind::String { pattern: ".*".into() },
        description: String::new(),
        examples: vec![],
        default: None,
    };
    let template = library();
    let template = template.get(&"disk-usage".parse().unwrap()).unwrap();
    let runbooks: Vec<Runbook> = RUNBOOKS
        .iter()
        .map(|(name, risk, owner)| Runbook {
            name: name.parse().unwrap(),
            revision: Digest::of(b""),
            risk: *risk,
            owner: (*owner).to_owned(),
            parameters: ["count", "service"].into_iter().map(|p| (p.to_owned(), parameter.clone())).collect(),
            ..(**template).clone()
        })
        .collect();
    let runbooks: Vec<&Runbook> = runbooks.iter().collect();
    let (mut named, mut asked, mut permitted) = (BTreeMap::<&str, u32>::new(), 0, 0);
    for _ in 0..cases(1_500) {
        let policy = Draw(&mut rng).policy();
        for advice in muster::policy::lint::lint(&policy, &runbooks) {
            let muster::policy::lint::About::Rule(id) = &advice.about else { continue };
            let kind = match advice.what.as_str() {
                what if what.ends_with("permits all that this grant does") => "needless",
                what if what.starts_with("nobody can use this grant") => "useless",
                _ => continue,
            };
            *named.entry(kind).or_default() += 1;
            let grants = policy.grants.iter().filter(|g| g.id != *id).cloned().collect();
            let without = PolicySet { grants, ..policy.clone() };
            for _ in 0..20 {
                let question = Draw(&mut rng).question();
                let (with, without) = (decide(&policy, &question.request()), decide(&without, &question.request()));
                assert_eq!(with.verdict, without.verdict, "{advice:?}\n{policy:#?}\n{question:#?}");
                asked += 1;
                permitted += u32::from(with.verdict != muster::policy::Verdict::Forbid);
            }
        }
    }
    println!("{named:?}, {asked} questions, {permitted} of them permitted");
    assert!(named.len() == 2 && named.values().all(|n| *n > 20), "too few to mean anything: {named:?}");
}
