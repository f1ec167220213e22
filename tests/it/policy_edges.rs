//! Promises of the policy that random worlds seldom meet: each was once broken on purpose and noticed by nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use muster::domain::{ChatPlatform, Millis, Principal};
use muster::policy::load::read;
use muster::policy::selftest::{Expected, SelfTest};
use muster::policy::set::{Audience, Pattern, ViewRule, Where};
use muster::policy::{
    Asker, CannotApprove, Decision, Difference, PolicySet, Seats, Verdict, Vote, could_run, load, may_approve,
    may_review, views_of_others,
};
use muster::runbook::{Arguments, Library, Runbook};

fn person(user: &str, groups: &[&str]) -> Asker {
    Asker {
        principal: Principal::slack("T1", user),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        foreign: false,
        bot: false,
        twins: BTreeSet::new(),
        channel: None,
    }
}

fn one_of(groups: &[(&str, u32)]) -> Decision {
    let seat = |(group, count): &(&str, u32)| Seats { group: (*group).into(), count: *count, rules: vec!["r".into()] };
    Decision {
        verdict: Verdict::PermitWithApproval,
        quorum: groups.iter().map(seat).collect(),
        expires: Some(Millis::from_secs(60)),
        reasons: vec![],
        overridden: Vec::new(),
        could: vec![],
    }
}

fn library() -> Library {
    Library::load(muster::shipped::RUNBOOKS.iter().copied()).unwrap()
}

fn rules(text: &str) -> PolicySet {
    load(&[(PathBuf::from("p.toml"), format!("version = 1\n{text}"))], None).unwrap_or_else(|f| panic!("{f:#?}"))
}

#[test]
fn whoever_agreed_does_not_agree_again_by_an_account_that_was_linked_since() {
    let requester = Principal::slack("T1", "U0");
    let voted = Principal::slack("T1", "U5");
    let groups = vec!["sre".to_owned()];
    let votes = [Vote { by: &voted, stands_for: None, groups: &groups }];
    // Since then linked to an account that comes before it, which stands for the person now.
    let linked = Asker { twins: [Principal::slack("T1", "U1")].into(), ..person("U5", &["sre"]) };
    let refused = may_approve(&one_of(&[("sre", 2)]), &requester, &votes, &linked);
    assert_eq!(refused, Err(CannotApprove::Already));
    let other = Asker { twins: [voted.clone()].into(), ..person("U1", &["sre"]) };
    assert_eq!(may_approve(&one_of(&[("sre", 2)]), &requester, &votes, &other), Err(CannotApprove::Already));
}

#[test]
fn somebody_else_of_the_group_that_agreed_may_look_at_it() {
    let requester = Principal::slack("T1", "U0");
    let agreed = Principal::slack("T1", "U1");
    let groups = vec!["sre".to_owned()];
    let votes = [Vote { by: &agreed, stands_for: None, groups: &groups }];
    let reviewers = BTreeSet::from(["sre".to_owned()]);
    let looks = |who: &Asker| may_review(&reviewers, &requester, &votes, who);
    assert_eq!(looks(&person("U2", &["sre"])), Ok(()));
    assert_eq!(looks(&person("U1", &["sre"])), Err(CannotApprove::Already));
    assert_eq!(looks(&person("U0", &["sre"])), Err(CannotApprove::Requester));
    assert_eq!(looks(&person("U2", &["dba"])), Err(CannotApprove::NotInGroup(reviewers.clone())));
    assert_eq!(looks(&Asker { bot: true, ..person("U2", &["sre"]) }), Err(CannotApprove::Bot));
}

#[test]
fn nothing_is_offered_to_whoever_may_never_run_anything() {
    let library = library();
    let policy = rules(
        "[groups]\nsre = { users = ['slack:T1:U1'] }\n\
         [[grant]]\nid = 'g'\nwho = ['sre']\nrun = { risk = ['read'] }\nwhere = ['*']\nmax_targets = 9\n",
    );
    let book = &library.runbooks[&"disk-usage".parse().unwrap()];
    let target = muster::domain::Target {
        account: "111111111111".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        node: "i-00000000000000001".parse().unwrap(),
    };
    let (labels, tags) = (BTreeMap::new(), BTreeMap::new());
    let spot = muster::policy::TargetFacts { target: &target, account_name: None, labels: &labels, tags: &tags };
    let offered = |who: &Asker| could_run(&policy, who, book, &Arguments::new(), &spot);
    let sre = person("U1", &["sre"]);
    assert!(offered(&sre));
    assert!(!offered(&Asker { bot: true, ..sre.clone() }) && !offered(&Asker { foreign: true, ..sre.clone() }));
    assert!(!offered(&Asker { principal: Principal::host("ops-1", "root"), ..sre }));
}

#[test]
fn a_workspace_is_known_by_its_groups_or_its_people_and_by_nothing_else() {
    let policy = rules(
        "[groups]\na = { slack_usergroups = ['slack:T1:S1'] }\nb = { users = ['slack:T2:U1'] }\n\
         c = { discord_roles = ['discord:11000000000000001:11000000000000021'] }\n",
    );
    for (platform, tenant, known) in [
        (ChatPlatform::Slack, "T1", true),
        (ChatPlatform::Slack, "T2", true),
        (ChatPlatform::Discord, "11000000000000001", true),
        (ChatPlatform::Discord, "T1", false),
        (ChatPlatform::Discord, "T2", false),
        (ChatPlatform::Slack, "11000000000000001", false),
        (ChatPlatform::Slack, "T3", false),
    ] {
        assert_eq!(policy.knows(platform, tenant), known, "{platform:?} {tenant}");
    }
}

#[test]
fn twelve_digits_are_an_account_and_nothing_else_is() {
    for (text, is_id) in [
        ("123456789012", true),
        ("000000000000", true),
        ("12345678901", false),
        ("1234567890123", false),
        ("12345678901*", false),
        ("acme-prod-12", false),
    ] {
        assert_eq!(Pattern::new(text).is_account_id(), is_id, "{text}");
    }
}

#[test]
fn views_of_others_are_for_people_whom_a_rule_names() {
    let view = |groups: &str| ViewRule {
        id: "v".into(),
        audience: Audience::Groups([groups.to_owned()].into()),
        place: Where::Anywhere,
    };
    let policy = PolicySet { view: vec![view("sre")], ..PolicySet::deny_all() };
    let sre = person("U1", &["sre"]);
    assert!(views_of_others(&policy, &sre));
    assert!(!views_of_others(&policy, &person("U1", &["support"])) && !views_of_others(&policy, &person("U1", &[])));
    assert!(!views_of_others(&policy, &Asker { bot: true, ..sre.clone() }));
    assert!(!views_of_others(&policy, &Asker { foreign: true, ..sre }));
}

const TWO_ACCOUNTS: &str = "[groups]\nsre = { users = ['slack:T1:U1', 'slack:T1:U2'] }\n\
    [sets.all]\naccounts = ['111111111111', '222222222222']\nregions = ['eu-west-1']\nproduction = false\n\
    [sets.second]\naccounts = ['222222222222']\n\
    [[grant]]\nid = 'g'\nwho = ['sre']\nrun = { names = ['disk-usage'] }\nwhere = ['*']\nmax_targets = 9\n\
    [[approval]]\nid = 'a'\nwhen = { where = ['second'] }\nneed = [{ from = 'sre', count = 1 }]\n";

fn asks(place: &str, targets: Option<u32>) -> SelfTest {
    SelfTest {
        name: "t".into(),
        groups: ["sre".to_owned()].into(),
        channel: None,
        runbook: "disk-usage".parse().unwrap(),
        parameters: BTreeMap::new(),
        place: Where::Sets([place.to_owned()].into()),
        targets,
        labels: BTreeMap::new(),
        tags: BTreeMap::new(),
        at: None,
        emergency: None,
        expect: Expected::Allow,
    }
}

/// What a file's test is about where it says no number: everything that the set lists.
#[test]
fn a_test_without_a_number_meets_every_account_of_its_set() {
    let library = library();
    let books: Vec<&Runbook> = library.runbooks.values().map(AsRef::as_ref).collect();
    let policy = rules(TWO_ACCOUNTS);
    let decision = asks("all", None).ask(&policy, &books).unwrap();
    assert_eq!(decision.verdict, Verdict::PermitWithApproval, "the second account was left out");
    assert_eq!(asks("all", Some(1)).ask(&policy, &books).unwrap().verdict, Verdict::Permit);
    assert_eq!(asks("all", Some(2)).ask(&policy, &books).unwrap().verdict, Verdict::PermitWithApproval);
}

/// And where it says no time: a day outside every freeze, whenever the freezes are.
#[test]
fn a_test_without_a_time_is_outside_every_freeze() {
    let library = library();
    let books: Vec<&Runbook> = library.runbooks.values().map(AsRef::as_ref).collect();
    let freeze = "[[freeze]]\nid = 'z'\nfrom = '1960-01-01T00:00:00Z'\nto = '2100-01-01T00:00:00Z'\nwhere = ['*']\nbecause = 'x'\n";
    let policy = rules(&format!("{TWO_ACCOUNTS}{freeze}"));
    assert_eq!(asks("all", Some(1)).ask(&policy, &books).unwrap().verdict, Verdict::Permit);
    let then = SelfTest { at: Some("1970-01-01T00:00:00Z".parse().unwrap()), ..asks("all", Some(1)) };
    assert_eq!(then.ask(&policy, &books).unwrap().verdict, Verdict::Forbid);
}

#[test]
fn a_range_makes_a_narrower_one_needless_and_no_wider_one() {
    let library = library();
    let books: Vec<&Runbook> = library.runbooks.values().map(AsRef::as_ref).collect();
    let needless = |narrow: &str, wide: &str| {
        let grant = |id: &str, range: &str| {
            format!(
                "[[grant]]\nid = '{id}'\nwho = ['sre']\nrun = {{ names = ['top-processes'], parameters = {{ top = {{ \
                 int = {range} }} }} }}\nwhere = ['*']\nmax_targets = 9\n"
            )
        };
        let text = format!(
            "version = 1\n[groups]\nsre = {{ users = ['slack:T1:U1'] }}\n{}{}",
            grant("narrow", narrow),
            grant("wide", wide)
        );
        let loaded = read(&[(PathBuf::from("p.toml"), text)], Some(&books)).unwrap_or_else(|f| panic!("{f:#?}"));
        loaded.advice(&books).iter().any(|advice| advice.what == "`wide` permits all that this grant does")
    };
    assert!(needless("[5, 10]", "[1, 20]") && needless("[1, 10]", "[1, 20]") && needless("[5, 20]", "[1, 20]"));
    assert!(!needless("[1, 10]", "[5, 20]") && !needless("[5, 30]", "[1, 20]"));
}

#[test]
fn a_difference_is_empty_only_where_nothing_at_all_differs() {
    let rule = muster::policy::diff::RuleChange {
        kind: "grant",
        name: "g".into(),
        change: muster::policy::diff::Change::Changed,
        details: vec![],
    };
    assert!(Difference::default().is_empty());
    assert!(!Difference { rules: vec![rule], ..Difference::default() }.is_empty());
    let reads = muster::policy::diff::Reads { group: "g".into(), gained: 0, lost: 1 };
    assert!(!Difference { reads: vec![reads], ..Difference::default() }.is_empty());
}

#[test]
fn who_no_longer_reads_what_is_counted_as_lost() {
    let library = library();
    let all = |view: &str| rules(&format!("{TWO_ACCOUNTS}{view}"));
    let rule = "[[view]]\nid = 'v'\nwho = ['sre']\nwhere = ['second']\n";
    let (with, without) = (all(rule), all(""));
    let account = |id: &str| muster::domain::Account {
        id: id.parse().unwrap(),
        name: format!("account-{id}"),
        regions: vec!["eu-west-1".parse().unwrap()],
        labels: BTreeMap::new(),
        source: muster::domain::AccountSource::Configured,
    };
    let node = |id: &str, n: u32| muster::domain::Node {
        target: muster::domain::Target {
            account: id.parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            node: format!("i-{n:017x}").parse().unwrap(),
        },
        name: format!("n-{n}"),
        platform: muster::domain::NodePlatform::Linux,
        agent_version: "3.3.2746.0".into(),
        attributes: BTreeMap::new(),
        online: true,
        tags: BTreeMap::new(),
    };
    let snapshot = muster::domain::Snapshot {
        accounts: vec![account("111111111111"), account("222222222222")],
        nodes: vec![node("111111111111", 1), node("222222222222", 2), node("222222222222", 3)],
        ..Default::default()
    };
    let side = |policy| muster::policy::Side { policy, runbooks: &library };
    let counts = |old, new| {
        let found = muster::policy::diff(side(old), side(new), &snapshot);
        found.reads.iter().map(|reads| (reads.gained, reads.lost)).collect::<Vec<_>>()
    };
    assert_eq!(counts(&with, &without), [(0, 2)]);
    assert_eq!(counts(&without, &with), [(2, 0)]);
}

#[test]
fn a_grant_for_other_owners_says_whose_runbooks_it_covers() {
    let policy = rules(
        "[groups]\nsre = { users = ['slack:T1:U1'] }\n\
         [[grant]]\nid = 'g'\nwho = ['sre']\nrun = { risk = ['read'], owner = ['data', 'web'] }\nwhere = ['*']\nmax_targets = 9\n",
    );
    let library = library();
    let book = &library.runbooks[&"disk-usage".parse().unwrap()];
    let decision = muster::policy::may_run_at_all(&policy, &person("U1", &["sre"]), book.as_ref().into());
    let texts: Vec<&str> = decision.reasons.iter().map(|reason| reason.text.as_str()).collect();
    assert_eq!(texts, ["covers runbooks owned by `data` and `web`, not by `platform`"]);
}

fn advice(text: &str) -> Vec<String> {
    let library = library();
    let books: Vec<&Runbook> = library.runbooks.values().map(AsRef::as_ref).collect();
    let loaded = read(&[(PathBuf::from("p.toml"), format!("version = 1\n{text}"))], Some(&books));
    loaded.unwrap_or_else(|f| panic!("{f:#?}")).advice(&books).into_iter().map(|advice| advice.what).collect()
}

#[test]
fn a_grant_that_restricts_values_is_advised_on_like_any_other() {
    let text = "[groups]\nsre = { users = ['slack:T1:U1'] }\n\
        [sets.prod]\naccounts = ['111111111111']\nproduction = true\n\
        [[grant]]\nid = 'g'\nwho = ['sre']\nrun = { names = ['restart-service'], parameters = { service = { one_of = ['nginx'] } } }\n\
        where = ['prod']\nmax_targets = 9\n";
    let found = advice(text);
    assert_eq!(found, ["`sre` may run `restart-service` in `prod`, which is production, without anybody's approval"]);
}

#[test]
fn an_account_is_unclassified_only_where_no_set_says_what_it_is() {
    let policy = rules(
        "[groups]\nsre = { users = ['slack:T1:U1'] }\n[sets.prod]\naccounts = ['111111111111']\nproduction = true\n\
         [sets.web]\ntags = { service = ['web'] }\naccounts = ['333333333333']\nproduction = false\n\
         [sets.quiet]\naccounts = ['222222222222']\n",
    );
    let account = |id: &str| muster::domain::Account {
        id: id.parse().unwrap(),
        name: id.into(),
        regions: vec!["eu-west-1".parse().unwrap()],
        labels: BTreeMap::new(),
        source: muster::domain::AccountSource::Configured,
    };
    let accounts = ["111111111111", "222222222222", "333333333333"].map(account);
    let found = muster::policy::unclassified(&policy, &accounts);
    let ids: Vec<&str> = found.iter().map(|account| account.id.as_str()).collect();
    assert_eq!(ids, ["222222222222"], "what a node's tags could decide does not count");
}

#[test]
fn a_runbook_that_differs_in_its_limit_alone_is_told_by_its_limit_alone() {
    let with = |change: &dyn Fn(String) -> String| {
        let file = |(name, text): &(&'static str, &'static str)| {
            let text =
                if name.ends_with("restart-service.toml") { change((*text).to_owned()) } else { (*text).to_owned() };
            ((*name).to_owned(), text)
        };
        Library::load(muster::shipped::RUNBOOKS.iter().map(file)).unwrap()
    };
    let same = with(&|text| text);
    let max = same.runbooks[&"restart-service".parse().unwrap()].targets.max;
    let fewer = with(&|text| text.replace(&format!("max = {max}"), "max = 7"));
    let policy = rules(TWO_ACCOUNTS);
    let side = |runbooks| muster::policy::Side { policy: &policy, runbooks };
    let found = muster::policy::diff(side(&same), side(&fewer), &Default::default());
    let details: Vec<&Vec<String>> = found.runbooks.iter().map(|change| &change.details).collect();
    assert_eq!(details, [&vec![format!("at most {max} → 7 targets")]]);
}

/// The advice is about the grant alone: where it may be asked, what else forbids and what is frozen hide nothing.
#[test]
fn advice_on_a_grant_looks_at_nothing_but_the_grant_and_the_approvals() {
    let base = "[groups]\nsre = { users = ['slack:T1:U1'] }\nops = { users = ['slack:T1:U2'] }\n\
        [sets.prod]\naccounts = ['111111111111']\nproduction = true\n\
        [sets.odd]\naccounts = ['111111111111']\ntags = { odd = ['yes'] }\n\
        [[grant]]\nid = 'g'\nwho = ['sre']\nrun = { names = ['restart-service'] }\nwhere = ['prod']\nmax_targets = 9\n";
    let wanted = "`sre` may run `restart-service` in `prod`, which is production, without anybody's approval";
    let told = |more: &str| advice(&format!("{base}{more}")).iter().any(|what| what == wanted);
    assert!(told(""));
    assert!(told("channels = ['slack:T1:C1']\n"));
    assert!(told("[[forbid]]\nid = 'f'\nwhere = ['odd']\nbecause = 'x'\n"));
    assert!(told(
        "[[freeze]]\nid = 'z'\nfrom = '1960-01-01T00:00:00Z'\nto = '2100-01-01T00:00:00Z'\nwhere = ['*']\nbecause = 'x'\n"
    ));
    let approval = "[[approval]]\nid = 'a'\nwhen = { production = true }\nneed = [{ from = 'ops', count = 1 }]\n";
    assert!(!told(approval));
    // A grant that stands beside it does not make up for what this one does not let them do.
    let reads = base.replace("names = ['restart-service']", "names = ['disk-usage']");
    let other =
        "[[grant]]\nid = 'h'\nwho = ['sre']\nrun = { names = ['restart-service'] }\nwhere = ['odd']\nmax_targets = 9\n";
    assert!(!advice(&format!("{reads}{other}")).iter().any(|what| what.contains("`disk-usage`")));
}

#[test]
fn breaking_the_glass_is_advised_on_where_nobody_is_left_to_agree_or_to_look() {
    let glass = |who: &str, second: &str, review: &str| {
        advice(&format!(
            "[groups]\none = {{ users = ['slack:T1:U1'] }}\ntwo = {{ users = ['slack:T1:U1', 'slack:T1:U2'] }}\n\
             three = {{ users = ['slack:T1:U1', 'slack:T1:U2', 'slack:T1:U3'] }}\nmany = {{ slack_usergroups = ['slack:T1:S1'] }}\n\
             [break_glass]\nwho = ['{who}']\noverrides = ['freeze']\nsecond = '{second}'\njustification_min = 10\n\
             max_targets = 5\nnotify = ['slack:T1:C1']\nreview = ['{review}']\nreview_within = '1h'\n"
        ))
    };
    let about = |advice: Vec<String>, text: &str| advice.iter().any(|what| what.contains(text));
    assert!(about(glass("one", "one", "three"), "nobody can break the glass"));
    assert!(about(glass("two", "two", "two"), "nobody may be left to review it"));
    for (who, second, review) in [("three", "three", "three"), ("one", "two", "three"), ("one", "many", "two")] {
        let found = glass(who, second, review);
        assert!(!found.iter().any(|what| what.contains("glass") || what.contains("review it")), "{found:?}");
    }
}

#[test]
fn a_value_is_listed_as_the_runbook_reads_it() {
    let library = library();
    let books: Vec<&Runbook> = library.runbooks.values().map(AsRef::as_ref).collect();
    let listed = |value: &str| {
        let text = format!(
            "version = 1\n[groups]\nsre = {{ users = ['slack:T1:U1'] }}\n[[grant]]\nid = 'g'\nwho = ['sre']\n\
             run = {{ names = ['top-processes'], parameters = {{ top = {{ one_of = ['{value}'] }} }} }}\nwhere = ['*']\nmax_targets = 9\n"
        );
        load(&[(PathBuf::from("p.toml"), text)], Some(&books)).map(drop)
    };
    assert_eq!(listed("5"), Ok(()));
    let faults = listed("05").unwrap_err();
    assert!(
        faults[0].what.contains("reads `05` as `5`") || faults[0].what.contains("does not take `05`"),
        "{faults:?}"
    );
    assert!(!faults[0].remedy.is_empty());
}

#[test]
fn of_nothing_at_all_nobody_reads_anything() {
    let view =
        ViewRule { id: "v".into(), audience: Audience::Groups(["sre".to_owned()].into()), place: Where::Anywhere };
    let policy = PolicySet { view: vec![view], ..PolicySet::deny_all() };
    let reads = |targets: &[muster::policy::TargetFacts<'_>]| {
        let requester = Principal::slack("T1", "U0");
        muster::policy::may_view(&policy, &person("U1", &["sre"]), &requester, &one_of(&[]), targets)
    };
    assert!(!reads(&[]));
}

#[test]
fn the_values_that_are_left_to_somebody_are_those_that_every_grant_names() {
    let library = library();
    let book = &library.runbooks[&"restart-service".parse().unwrap()];
    let policy = rules(
        "[groups]\nsupport = { users = ['slack:T1:U1'] }\nsre = { users = ['slack:T1:U2'] }\n\
         [[grant]]\nid = 'a'\nwho = ['support']\nrun = { names = ['restart-service'], parameters = { service = { one_of = \
         ['nginx', 'app'] } } }\nwhere = ['*']\nmax_targets = 9\n\
         [[grant]]\nid = 'b'\nwho = ['support']\nrun = { names = ['restart-service'], parameters = { service = { one_of = \
         ['worker'] } } }\nwhere = ['*']\nmax_targets = 9\n\
         [[grant]]\nid = 'c'\nwho = ['sre']\nrun = { names = ['restart-service'] }\nwhere = ['*']\nmax_targets = 9\n",
    );
    let left = |groups: &[&str]| muster::policy::values_left(&policy, &person("U1", groups), book, "service");
    assert_eq!(left(&["support"]), Some(vec!["app".into(), "nginx".into(), "worker".into()]));
    assert_eq!(left(&["sre"]), None, "the runbook itself decides");
    assert_eq!(left(&["support", "sre"]), None, "one of the grants leaves it free");
    assert_eq!(muster::policy::values_left(&policy, &person("U1", &["support"]), book, "nothing"), None);
}

#[test]
fn a_node_nobody_has_looked_at_may_carry_any_tags_that_rules_tell_apart() {
    let set = |n: usize, values: &str| format!("[sets.s{n}]\ntags = {{ k{n} = [{values}] }}\n");
    let groups = "[groups]\nsre = { users = ['slack:T1:U1'] }\n";
    let few = rules(&format!("{groups}{}{}", set(1, "'web', 'a*'"), set(2, "'db'")));
    let tags = muster::policy::imaginable_tags(&few);
    // Without the tag, with another value, or with one of those: of both keys together.
    assert_eq!(tags.len(), 4 * 3);
    assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len());
    let both = |a: &str, b: &str| {
        tags.iter().any(|t| t.get("k1").is_some_and(|v| v == a) && t.get("k2").is_some_and(|v| v == b))
    };
    assert!(both("web", "db") && both("a", "db") && tags.contains(&BTreeMap::new()));
    // Where all of them together would be too many, those within each set.
    let many: String = (0..9).map(|n| set(n, "'x'")).collect();
    let tags = muster::policy::imaginable_tags(&rules(&format!("{groups}{many}")));
    assert_eq!(tags.len(), 1 + 9 * 2);
    assert!(tags.iter().all(|t| t.len() <= 1));
}
