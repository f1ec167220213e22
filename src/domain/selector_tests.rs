use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::{AccountSource, NodePlatform, Target};

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}
fn account(id: &str, name: &str, labels: &[(&str, &str)]) -> Account {
    Account {
        id: id.parse().unwrap(),
        name: name.into(),
        regions: vec!["us-east-1".parse().unwrap(), "eu-west-1".parse().unwrap()],
        labels: map(labels),
        source: AccountSource::Configured,
    }
}
fn node(account: &Account, region: &str, name: &str, platform: NodePlatform, tags: &[(&str, &str)]) -> Node {
    Node {
        target: Target {
            account: account.id.clone(),
            region: region.parse().unwrap(),
            node: "i-0a1b2c3d4e5f60718".parse().unwrap(),
        },
        name: name.into(),
        platform,
        agent_version: String::new(),
        attributes: BTreeMap::new(),
        online: true,
        tags: map(tags),
    }
}
fn acme() -> Account {
    account("111111111111", "acme-prod", &[("customer", "acme"), ("env", "prod")])
}
fn sandbox() -> Account {
    account("666666666666", "sandbox", &[])
}
fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}
fn fault(text: &str) -> String {
    Selector::parse(text).unwrap_err().0
}
fn regions(text: &str) -> Vec<String> {
    selector(text).regions_of(&acme()).iter().map(|r| r.as_str().to_owned()).collect()
}

#[test]
fn words_mean_and_commas_mean_or() {
    for (text, acme_matches) in [
        ("env=prod", true),
        ("env=staging,prod", true),
        ("env=prod customer=acme", true),
        ("env=prod customer=globex", false),
        ("env=prod env=staging", false),
        ("accounts=acme-*", true),
        ("accounts=*-prod", true),
        ("account=111111111111", true),
        ("accounts=1111*,globex*", true),
        ("accounts=ACME-*", false),
        ("accounts!=acme-*", false),
        ("env!=staging,test", true),
        ("env!=staging,prod", false),
        ("regions=eu-west-1 nodes=x platform=linux tag:a=b", true),
    ] {
        assert_eq!(selector(text).matches_account(&acme()), acme_matches, "{text}");
    }
}

#[test]
fn what_is_missing_never_matches_a_clause_and_always_its_negation() {
    assert!(!selector("env=prod").matches_account(&sandbox()));
    assert!(!selector("env=*").matches_account(&sandbox()), "`*` asks for the label to be there");
    assert!(selector("env!=prod").matches_account(&sandbox()));
    let web = node(&acme(), "eu-west-1", "web-1", NodePlatform::Linux, &[("service", "web")]);
    for (text, matches) in [
        ("tag:service=web", true),
        ("tag:service!=web", false),
        ("tag:service=db,w*b", true),
        ("tag:role=web", false),
        ("tag:role!=web", true),
        ("nodes=web-*", true),
        ("node=i-0a1b2c3d4e5f60718", true),
        ("instances=i-0*", true),
        ("platform=LINUX", true),
        ("platform=windows", false),
        ("platform!=windows", true),
        ("platform=linux env=staging", false),
        ("regions=eu-*", true),
        ("regions!=eu-*", false),
    ] {
        assert_eq!(selector(text).matches_node(&web, &acme()), matches, "{text}");
    }
    assert!(!selector("accounts=*").matches_node(&web, &sandbox()), "a node of another account");
}

#[test]
fn regions_default_to_the_accounts_own_and_a_named_one_is_read_anyway() {
    assert_eq!(regions("env=prod"), ["eu-west-1", "us-east-1"]);
    assert_eq!(regions("regions=eu-*"), ["eu-west-1"]);
    assert_eq!(regions("regions!=eu-*"), ["us-east-1"]);
    assert_eq!(regions("regions=ap-south-1"), ["ap-south-1"]);
    assert_eq!(regions("regions=ap-*"), Vec::<String>::new());
    assert_eq!(regions("regions=eu-west-1,ap-south-1 regions!=eu-*"), ["ap-south-1"]);
    let elsewhere = node(&acme(), "ap-south-1", "x", NodePlatform::Linux, &[]);
    assert!(!selector("env=prod").matches_node(&elsewhere, &acme()));
    assert!(selector("regions=ap-south-1").matches_node(&elsewhere, &acme()));
}

#[test]
fn an_unmanaged_instance_is_told_of_whatever_its_platform() {
    let instance = Unmanaged {
        account: acme().id,
        region: "eu-west-1".parse().unwrap(),
        instance: "i-0a1b2c3d".parse().unwrap(),
        name: "web-9".into(),
        tags: map(&[("service", "web")]),
    };
    for (text, matches) in [
        ("env=prod tag:service=web platform=linux", true),
        ("nodes=web-*", true),
        ("tag:service=db", false),
        ("env=staging", false),
        ("regions=us-east-1", false),
    ] {
        assert_eq!(selector(text).matches_unmanaged(&instance, &acme()), matches, "{text}");
    }
}

#[test]
fn two_ways_of_typing_the_same_are_equal() {
    assert_eq!(selector("env=prod account=b,a"), selector("accounts=a,b,a env=prod env=prod"));
    assert_eq!(
        selector(r#"tag:team="a b" Platform.x=1 label:nodes=3 nodes=a**b"#).to_string(),
        r#"nodes=a*b tag:team="a b" Platform.x=1 label:nodes=3"#
    );
    assert_eq!(selector("tag:aws:autoscaling:groupName=x").to_string(), "tag:aws:autoscaling:groupName=x");
}

#[test]
fn a_selector_that_cannot_be_meant_is_refused_with_the_remedy() {
    let refusals: Vec<String> = [
        "",
        "prod",
        "i-0a1b2c3d4e5f60718",
        "all",
        "env = prod",
        "env=",
        "env==prod",
        "accounts=11111111111",
        "regions=eu-west",
        "platform=linus",
        "tag:=x",
        "customer:acme=1",
        "env=prod,",
        "env=\"prod",
    ]
    .iter()
    .map(|t| fault(t))
    .collect();
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    the selector is empty; write for example `on accounts=acme-* env=staging tag:service=web`
    `prod` does not say what to match; write for example `on accounts=acme-* env=staging tag:service=web`
    `i-0a1b2c3d4e5f60718` does not say what to match; did you mean `nodes=i-0a1b2c3d4e5f60718`?
    `all` does not say what to match; did you mean `accounts=*`?
    there is a space beside the `=` behind `env`; write `env=prod`
    `env=` lacks a value; write it without spaces, such as `env=prod,staging`
    `env==prod` has two `=`; one is enough
    `11111111111` has 11 digits, an AWS account id has 12
    `eu-west` is not an AWS region such as `eu-west-1`
    `linus` is not a platform; did you mean `linux`?
    `tag:=x` names no tag; write for example `tag:service=web`
    `customer:acme` is not a field; tags are written `tag:service=web`
    `env=` lacks a value; write it without spaces, such as `env=prod,staging`
    the quote that opens at `"prod` is not closed; close it, or leave it out
    "#);
}

#[test]
fn a_misspelt_label_or_account_is_doubted() {
    let accounts = [acme(), sandbox()];
    let doubts = |text: &str| -> Vec<String> {
        selector(text).doubts(&accounts).iter().map(|d| format!("{}: {}", d.what, d.remedy)).collect()
    };
    assert_eq!(doubts("evn!=prod"), ["no account has a label `evn`: did you mean `env`?"]);
    assert_eq!(doubts("service=web,db"), ["no account has a label `service`: did you mean `tag:service=db,web`?"]);
    assert_eq!(doubts("acounts=x"), ["no account has a label `acounts`: did you mean `accounts`?"]);
    assert_eq!(
        doubts("accounts=acme-prd,sandbox"),
        ["no account has the id or name `acme-prd`: did you mean `acme-prod`?"]
    );
    assert_eq!(doubts("accounts=zzz*"), ["no account has the id or name `zzz*`: `accounts` lists them all"]);
    assert_eq!(doubts("env!=prodd"), ["no account has `env=prodd`: did you mean `env=prod`?"]);
    assert_eq!(doubts("env=nosuch"), ["no account has `env=nosuch`: there is `prod`"]);
    assert_eq!(doubts("env=pr* tag:x=y accounts=acme*"), Vec::<String>::new());
}

/// `*` by the obvious recursion.
fn naive_glob(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|n| naive_glob(rest, &text[n..])),
        Some((c, rest)) => text.first() == Some(c) && naive_glob(rest, &text[1..]),
    }
}
/// Spelled out clause by clause from the sentences in the module's head.
fn naive_matches(selector: &Selector, node: &Node, account: &Account) -> bool {
    let hit = |c: &Clause, text: &str| {
        let text: Vec<char> = text.chars().collect();
        c.values.iter().any(|v| naive_glob(&v.chars().collect::<Vec<_>>(), &text))
    };
    let positive_regions = selector.clauses.iter().filter(|c| c.field == Field::Regions && !c.negated);
    let named_in_full = positive_regions.clone().any(|c| c.values.iter().any(|v| v == node.target.region.as_str()));
    node.target.account == account.id
        && (account.regions.contains(&node.target.region) || named_in_full)
        && selector.clauses.iter().all(|c| {
            let found = match &c.field {
                Field::Accounts => hit(c, account.id.as_str()) || hit(c, &account.name),
                Field::Regions => hit(c, node.target.region.as_str()),
                Field::Nodes => hit(c, node.target.node.as_str()) || hit(c, &node.name),
                Field::Platform => hit(c, node.platform.as_str()),
                Field::Tag(key) => node.tags.get(key).is_some_and(|v| hit(c, v)),
                Field::Label(key) => account.labels.get(key).is_some_and(|v| hit(c, v)),
            };
            if c.negated { !found } else { found }
        })
}

const SOME_CLAUSE: &str = "(accounts|nodes)!?=[ab*]{1,3}(,[ab*]{1,3})?|regions!?=(eu-west-1|us-\\*|ap-south-1|\\*)(,eu-\\*)?\
    |platform!?=(linux|win\\*|\\*)|(tag:)?[xy]!?=[ab*]{1,3}";

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}|[a-c:=,!*\"' -]{0,24}") {
        let _ = Selector::parse(&text);
    }

    #[test]
    fn the_canonical_text_is_read_back(text in "[a-c:=,!*\"' .\\\\“-]{0,24}|(tag:)?[a-c\"]{1,3}!?=[a-c,\"*! ]{1,8}") {
        if let Ok(selector) = Selector::parse(&text) {
            prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
        }
    }

    #[test]
    fn matching_agrees_with_the_obvious_way(
        text in proptest::collection::vec(SOME_CLAUSE, 1..4).prop_map(|c| c.join(" ")),
        name in "[ab]{1,2}", label in "[ab]{0,2}", tag in "[ab]{0,2}", host in "[ab]{1,2}",
        region in prop_oneof![Just("eu-west-1"), Just("us-east-1"), Just("ap-south-1")],
        windows: bool, bare: bool,
    ) {
        let labels: &[(&str, &str)] = if bare { &[] } else { &[("x", &label)] };
        let account = account("111111111111", &name, labels);
        let platform = if windows { NodePlatform::Windows } else { NodePlatform::Linux };
        let node = node(&account, region, &host, platform, &[("y", &tag)]);
        let selector = selector(&text);
        prop_assert_eq!(selector.matches_node(&node, &account), naive_matches(&selector, &node, &account), "{}", text);
    }
}
