//! Nothing is offered in a form that the policy would refuse, and nothing is left out that it would permit: random
//! policies and people, with the decision on a whole plan as the judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster::domain::{Account, AccountSource, Region, Target};
use muster::engine::atlas::Chart;
use muster::engine::offers::{Offers, runs_somewhere};
use muster::message::form::{ACCOUNTS, LABELS, REGIONS};
use muster::policy::{PolicySet, Request, TargetFacts, Verdict, could_run, decide, imaginable_tags};
use muster::runbook::{Arguments, Library, Runbook};

use super::policy_world::{ACCOUNTS as WORLD, Asked, Draw, REGIONS as PLACES, VALUES, cases, seeded};

/// The runbook of a question, with both of its parameters as choices, so that every request can be tried.
fn runbook(asked: &Asked) -> Arc<Runbook> {
    let choices = format!("type = \"choice\"\nvalues = {VALUES:?}\ndescription = \"x\"\n");
    let text = format!(
        "version = 1\ntitle = \"t\"\ndescription = \"d\"\nrisk = \"{}\"\nowner = \"{}\"\n[parameters.count]\n{choices}\
         [parameters.service]\n{choices}[targets]\nmax = 10\noffline = \"skip\"\n[[steps]]\nname = \"s\"\ntimeout = \"30s\"\n\
         delivery_timeout = \"60s\"\nshell = '''\nprintf '%s\\n' \"$count\" \"$service\"\n'''\n[rollout]\nwaves = [\"100%\"]\n\
         max_in_flight = \"100%\"\nmax_errors = \"100%\"\n",
        asked.risk.as_str(),
        asked.owner
    );
    let library = Library::load([(format!("{}.toml", asked.runbook), text)]).unwrap_or_else(|f| panic!("{f:#?}"));
    library.runbooks.into_values().next().unwrap()
}

fn accounts() -> Vec<Account> {
    let account = |(id, name): &(&str, &str)| {
        let labels = name.split_once('-').map(|(customer, env)| {
            [("customer".to_owned(), customer.to_owned()), ("env".to_owned(), env.to_owned())].into()
        });
        Account {
            id: id.parse().unwrap(),
            name: (*name).to_owned(),
            regions: PLACES[..2].iter().map(|r| r.parse().unwrap()).collect(),
            labels: labels.unwrap_or_default(),
            source: AccountSource::Configured,
        }
    };
    WORLD.iter().map(account).collect()
}

/// Some plan with one node there is permitted, with these arguments and any others, once no freeze lasts.
fn permitted(policy: &PolicySet, asked: &Asked, account: &Account, region: &Region, chosen: &Arguments) -> bool {
    let target = Target { account: account.id.clone(), region: region.clone(), node: "i-00000001".parse().unwrap() };
    let policy = &PolicySet { freezes: Vec::new(), ..policy.clone() };
    let none = BTreeSet::new();
    let fits = |name: &str, value: &str| chosen.get(name).is_none_or(|c| c == value);
    imaginable_tags(policy).iter().any(|tags| {
        let facts = TargetFacts { target: &target, account_name: Some(&account.name), labels: &account.labels, tags };
        VALUES.iter().filter(|v| fits("count", v)).any(|count| {
            VALUES.iter().filter(|v| fits("service", v)).any(|service| {
                let arguments: Arguments =
                    [("count", count), ("service", service)].map(|(k, v)| (k.to_owned(), (*v).to_owned())).into();
                let request = Request {
                    asker: &asked.asker,
                    runbook: asked.runbook(),
                    arguments: &arguments,
                    targets: vec![facts],
                    recent: &none,
                    now: asked.now,
                };
                decide(policy, &request).verdict != Verdict::Forbid
            })
        })
    })
}

#[test]
fn what_could_run_is_what_some_decision_permits() {
    let mut rng = seeded("could");
    let (mut yes, mut no) = (0, 0);
    for case in 0..cases(100) {
        let mut draw = Draw(&mut rng);
        let (policy, asked) = (draw.policy(), draw.question());
        let book = runbook(&asked);
        for account in accounts() {
            for region in &account.regions {
                for chosen in
                    [Arguments::new(), [("service".to_owned(), VALUES[case as usize % VALUES.len()].to_owned())].into()]
                {
                    let target = Target {
                        account: account.id.clone(),
                        region: region.clone(),
                        node: "i-00000001".parse().unwrap(),
                    };
                    let could = imaginable_tags(&policy).iter().any(|tags| {
                        let name = Some(account.name.as_str());
                        let facts = TargetFacts { target: &target, account_name: name, labels: &account.labels, tags };
                        could_run(&policy, &asked.asker, &book, &chosen, &facts)
                    });
                    let judged = permitted(&policy, &asked, &account, region, &chosen);
                    assert_eq!(
                        could, judged,
                        "case {case}: {} {region} {chosen:?}\n{asked:#?}\n{policy:#?}",
                        account.name
                    );
                    if could { yes += 1 } else { no += 1 }
                }
            }
        }
    }
    println!("{yes} could run, {no} could not");
    assert!(yes * 10 > no && no * 10 > yes, "one-sided: {yes} {no}");
}

#[test]
fn nothing_is_offered_that_the_policy_would_refuse() {
    let mut rng = seeded("offers");
    let mut offered = 0;
    let accounts = accounts();
    let chart = Chart { accounts: Arc::new(accounts.clone()), asked: true, ..Chart::default() };
    for case in 0..cases(50) {
        let mut draw = Draw(&mut rng);
        let (policy, asked) = (draw.policy(), draw.question());
        let book = runbook(&asked);
        let offers = Offers::survey(&policy, &asked.asker, &book, &chart);
        let free = Arguments::new();
        let values = |field: &str, picked: &[(&str, &str)]| {
            let picked = picked.iter().map(|(f, v)| ((*f).to_owned(), vec![(*v).to_owned()])).collect();
            offers.suggest(&book, field, "", &picked).choices().map(|c| c.value.clone()).collect::<Vec<_>>()
        };
        let somewhere = |account: &Account, chosen: &Arguments| {
            account.regions.iter().any(|region| permitted(&policy, &asked, account, region, chosen))
        };
        let told = values(ACCOUNTS, &[]);
        for account in &accounts {
            let judged = somewhere(account, &free);
            assert_eq!(told.contains(&account.id.to_string()), judged, "case {case}: {}", account.name);
            if judged {
                let regions = values(REGIONS, &[(ACCOUNTS, account.id.as_str())]);
                assert!(!regions.is_empty());
                for region in &account.regions {
                    let judged = permitted(&policy, &asked, account, region, &free);
                    assert_eq!(regions.contains(&region.to_string()), judged, "case {case}: {} {region}", account.name);
                }
            }
        }
        for label in values(LABELS, &[]) {
            let (name, value) = label.split_once('=').unwrap();
            let meant = accounts.iter().filter(|a| a.labels.get(name).map(String::as_str) == Some(value));
            assert!(meant.clone().count() > 0 && meant.clone().all(|a| somewhere(a, &free)), "case {case}: {label}");
        }
        assert_eq!(runs_somewhere(&policy, &asked.asker, &book, &chart), !told.is_empty(), "case {case}");
        for name in ["count", "service"] {
            let few: BTreeSet<&String> = offers.narrowed[name].iter().collect();
            for value in VALUES {
                let chosen = BTreeMap::from([(name.to_owned(), value.to_owned())]);
                let judged = accounts.iter().any(|a| somewhere(a, &chosen));
                assert_eq!(
                    few.contains(&value.to_owned()),
                    judged,
                    "case {case}: {name}={value}\n{asked:#?}\n{policy:#?}"
                );
            }
        }
        offered += told.len();
    }
    println!("{offered} accounts offered");
    assert!(offered > 40, "too few to mean anything: {offered}");
}
