//! What one person may be offered for one runbook: accounts, labels, regions, tags and values, of which every one can be
//! in some plan that the policy permits.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::selector::{Clause, Field};
use crate::domain::{Account, NodeId, NodePlatform, Region, Target};
use crate::message::form::{ACCOUNTS, LABELS, REGIONS, TAGS};
use crate::message::{Choice, Suggestions, Values};
use crate::policy::{Asker, PolicySet, TargetFacts, could_run, imaginable_tags, values_left};
use crate::runbook::{Arguments, Kind, Runbook};

use super::atlas::{Chart, Sort, is_remembered};

/// One region of one account in which it could run.
#[derive(Debug, Clone)]
struct Spot {
    /// Index into the accounts.
    account: usize,
    region: Region,
    /// Of nodes on which it could run; none where nobody has looked.
    sorts: Vec<BTreeMap<String, String>>,
}

/// Made once for a person, a runbook and a state of the world; asked at every key that is pressed.
#[derive(Debug, Clone)]
pub struct Offers {
    /// Accounts in which it could run.
    accounts: Vec<Account>,
    spots: Vec<Spot>,
    /// Labels that only such accounts have.
    labels: Vec<Choice>,
    /// Parameters of which only few values can be permitted; those of accounts and regions among them.
    pub narrowed: BTreeMap<String, Vec<String>>,
    /// Names by id of all accounts that are there, offered or not.
    pub names: BTreeMap<String, String>,
}

/// The facts of an account that a rule could look at, with what is not known of a node made up.
struct Judge<'a> {
    policy: &'a PolicySet,
    asker: &'a Asker,
    runbook: &'a Runbook,
    imaginable: Vec<BTreeMap<String, String>>,
    /// The policy looks at tags that are not remembered.
    must_imagine: bool,
    node: NodeId,
}

impl<'a> Judge<'a> {
    fn new(policy: &'a PolicySet, asker: &'a Asker, runbook: &'a Runbook) -> Option<Self> {
        // Any node: rules look at its tags, never at its id.
        let node = "i-00000000000000000".parse().ok()?;
        let must_imagine = policy.sets.values().any(|set| set.tags.keys().any(|key| !is_remembered(key)));
        Some(Judge { policy, asker, runbook, imaginable: imaginable_tags(policy), must_imagine, node })
    }

    fn could(&self, account: &Account, region: &Region, tags: &BTreeMap<String, String>, chosen: &Arguments) -> bool {
        let target = Target { account: account.id.clone(), region: region.clone(), node: self.node.clone() };
        let facts = TargetFacts { target: &target, account_name: Some(&account.name), labels: &account.labels, tags };
        could_run(self.policy, self.asker, self.runbook, chosen, &facts)
    }

    fn suits(&self, platform: NodePlatform) -> bool {
        let platforms = &self.runbook.targets.platforms;
        platforms.is_empty() || platforms.contains(&platform)
    }

    /// The sorts of nodes on which it could run; `None` where it could run on none.
    fn spot(
        &self,
        account: &Account,
        region: &Region,
        sorts: Option<&BTreeSet<Sort>>,
    ) -> Option<Vec<BTreeMap<String, String>>> {
        let free = Arguments::new();
        let imagined = || self.imaginable.iter().any(|tags| self.could(account, region, tags, &free));
        match sorts {
            None => imagined().then(Vec::new),
            Some(sorts) => {
                let suiting = sorts.iter().filter(|sort| self.suits(sort.platform)).map(|sort| &sort.tags);
                let good: Vec<_> = if self.must_imagine {
                    if imagined() { suiting.cloned().collect() } else { Vec::new() }
                } else {
                    suiting.filter(|tags| self.could(account, region, tags, &free)).cloned().collect()
                };
                (!good.is_empty()).then_some(good)
            }
        }
    }
}

/// Whether the runbook could run anywhere at all. Before the accounts are known, nothing speaks against it.
#[must_use]
pub fn runs_somewhere(policy: &PolicySet, asker: &Asker, runbook: &Runbook, chart: &Chart) -> bool {
    let Some(judge) = Judge::new(policy, asker, runbook) else { return false };
    !chart.asked
        || chart.accounts.iter().any(|account| {
            account.regions.iter().any(|region| {
                let known = chart.regions.get(&(account.id.clone(), region.clone()));
                judge.spot(account, region, known.and_then(|k| k.sorts()).map(AsRef::as_ref)).is_some()
            })
        })
}

impl Offers {
    /// Thousands of accounts take a moment: not for a thread that others wait for.
    #[must_use]
    pub fn survey(policy: &PolicySet, asker: &Asker, runbook: &Runbook, chart: &Chart) -> Self {
        let names = chart.accounts.iter().map(|a| (a.id.to_string(), a.name.clone())).collect();
        let mut offers =
            Offers { accounts: Vec::new(), spots: Vec::new(), labels: Vec::new(), narrowed: BTreeMap::new(), names };
        let Some(judge) = Judge::new(policy, asker, runbook) else { return offers };
        for account in chart.accounts.iter() {
            let here = offers.accounts.len();
            for region in &account.regions {
                let known = chart.regions.get(&(account.id.clone(), region.clone()));
                if let Some(sorts) = judge.spot(account, region, known.and_then(|k| k.sorts()).map(AsRef::as_ref)) {
                    offers.spots.push(Spot { account: here, region: region.clone(), sorts });
                }
            }
            if offers.spots.last().is_some_and(|spot| spot.account == here) {
                offers.accounts.push(account.clone());
            }
        }
        offers.labels = offers.whole_labels(&chart.accounts);
        let parameters = runbook.parameters.iter();
        let narrowed = parameters.filter_map(|(name, parameter)| {
            let candidates = match (&parameter.kind, values_left(policy, asker, runbook, name)) {
                (_, Some(few)) => few,
                (Kind::Account, None) => offers.accounts.iter().map(|a| a.id.to_string()).collect(),
                (Kind::Region, None) => offers.regions().into_iter().map(|r| r.to_string()).collect(),
                (_, None) => return None,
            };
            let good = candidates.into_iter().filter(|value| {
                let chosen = Arguments::from([(name.clone(), value.clone())]);
                offers.spots.iter().any(|spot| {
                    let account = &offers.accounts[spot.account];
                    let known = !spot.sorts.is_empty() && !judge.must_imagine;
                    let sorts = if known { &spot.sorts } else { &judge.imaginable };
                    sorts.iter().any(|tags| judge.could(account, &spot.region, tags, &chosen))
                })
            });
            Some((name.clone(), good.collect()))
        });
        offers.narrowed = narrowed.collect();
        offers
    }

    /// Labels all of whose accounts are offered: one that also stands for another account would make a refused plan.
    fn whole_labels(&self, all: &[Account]) -> Vec<Choice> {
        let count = |accounts: &[Account]| {
            let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
            for label in accounts.iter().flat_map(|a| &a.labels) {
                *counts.entry((label.0.clone(), label.1.clone())).or_default() += 1;
            }
            counts
        };
        let all = count(all);
        let whole = count(&self.accounts).into_iter().filter(|(label, n)| all.get(label) == Some(n));
        whole
            .filter_map(|((name, value), n)| {
                let accounts = if n == 1 { "1 account".to_owned() } else { format!("{n} accounts") };
                let shown = format!("{name}={value} · {accounts}");
                clause(Field::Label(name), value).and_then(|text| Choice::new(text, &shown))
            })
            .collect()
    }

    /// It could run nowhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spots.is_empty()
    }

    /// Regions to read so that tags can be offered: those of the picked accounts, or of all.
    #[must_use]
    pub fn to_read(&self, values: &Values) -> Vec<(Account, Region)> {
        let spots = self.spots.iter().filter(|spot| self.is_picked(spot, values));
        spots.map(|spot| (self.accounts[spot.account].clone(), spot.region.clone())).collect()
    }

    fn regions(&self) -> BTreeSet<&Region> {
        self.spots.iter().map(|spot| &spot.region).collect()
    }

    /// It lies in what is picked so far.
    fn is_picked(&self, spot: &Spot, values: &Values) -> bool {
        let account = &self.accounts[spot.account];
        let none = |field: &str| values.get(field).is_none_or(Vec::is_empty);
        let has = |field: &str, value: &str| values.get(field).is_some_and(|v| v.iter().any(|v| v == value));
        let labelled = || {
            account.labels.iter().any(|(name, value)| {
                clause(Field::Label(name.clone()), value.clone()).is_some_and(|text| has(LABELS, &text))
            })
        };
        (none(ACCOUNTS) || has(ACCOUNTS, account.id.as_str()))
            && (none(LABELS) || labelled())
            && (none(REGIONS) || has(REGIONS, spot.region.as_str()))
    }

    fn all(&self, runbook: &Runbook, field: &str, values: &Values) -> Vec<Choice> {
        let account = |a: &Account| {
            let labels: Vec<String> = a.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let shown = format!("{} · {} {}", a.name, a.id, labels.join(" "));
            Choice::new(a.id.to_string(), &shown).or_else(|| Choice::new(a.id.to_string(), a.id.as_str()))
        };
        let region = |r: &Region| Choice::new(r.to_string(), r.as_str());
        // A field never narrows itself: another account must stay to be picked.
        let without = |field: &str| {
            let mut values = values.clone();
            values.remove(field);
            values
        };
        match field {
            ACCOUNTS => self.accounts.iter().filter_map(account).collect(),
            LABELS => self.labels.clone(),
            REGIONS => {
                let values = without(REGIONS);
                let spots = self.spots.iter().filter(|spot| self.is_picked(spot, &values));
                spots.map(|spot| &spot.region).collect::<BTreeSet<_>>().into_iter().filter_map(region).collect()
            }
            TAGS => {
                let spots = self.spots.iter().filter(|spot| self.is_picked(spot, values));
                let tags: BTreeSet<(&String, &String)> = spots.flat_map(|spot| spot.sorts.iter().flatten()).collect();
                tags.into_iter().filter_map(|(key, value)| tag(key, value)).collect()
            }
            parameter => {
                let values = self.narrowed.get(parameter).into_iter().flatten();
                match runbook.parameters.get(parameter).map(|p| &p.kind) {
                    Some(Kind::Account) => {
                        let wanted: BTreeSet<&str> = values.map(String::as_str).collect();
                        self.accounts.iter().filter(|a| wanted.contains(a.id.as_str())).filter_map(account).collect()
                    }
                    Some(_) => values.filter_map(|v| Choice::new(v.clone(), v)).collect(),
                    None => Vec::new(),
                }
            }
        }
    }

    /// What there is to pick in a field, for what was typed so far.
    #[must_use]
    pub fn suggest(&self, runbook: &Runbook, field: &str, typed: &str, values: &Values) -> Suggestions {
        Suggestions::matching(typed, ("", Vec::new()), self.all(runbook, field, values))
    }

    /// Of what stands in the searched fields, what can still be picked.
    #[must_use]
    pub fn picked(&self, runbook: &Runbook, values: &Values) -> BTreeMap<String, Vec<Choice>> {
        let fields = values.iter().map(|(field, given)| {
            let all = self.all(runbook, field, &Values::new());
            (field.clone(), given.iter().filter_map(|v| all.iter().find(|c| &c.value == v)).cloned().collect())
        });
        fields.collect()
    }

    /// What an earlier selector picked, if the form can say all of it and all of it is still offered. A part would be
    /// another place, mostly a larger one, so nothing stands there then.
    #[must_use]
    pub fn values_of(&self, runbook: &Runbook, clauses: &[Clause]) -> Values {
        let mut values = Values::new();
        let sayable = |c: &Clause| !c.negated && !matches!(c.field, Field::Nodes | Field::Platform);
        if !clauses.iter().all(sayable) {
            return values;
        }
        for part in clauses {
            for value in &part.values {
                let (field, value) = match &part.field {
                    Field::Accounts => {
                        let named = |a: &&Account| a.id.as_str() == value || &a.name == value;
                        let Some(account) = self.accounts.iter().find(named) else { continue };
                        (ACCOUNTS, account.id.to_string())
                    }
                    Field::Regions => (REGIONS, value.clone()),
                    Field::Label(name) => {
                        (LABELS, clause(Field::Label(name.clone()), value.clone()).unwrap_or_default())
                    }
                    Field::Tag(key) => (TAGS, clause(Field::Tag(key.clone()), value.clone()).unwrap_or_default()),
                    Field::Nodes | Field::Platform => continue,
                };
                values.entry(field.to_owned()).or_default().push(value);
            }
        }
        let offered = self.picked(runbook, &values);
        let kept = offered.into_iter().map(|(field, picked)| (field, picked.into_iter().map(|c| c.value).collect()));
        let kept: Values = kept.filter(|(_, values): &(String, Vec<String>)| !values.is_empty()).collect();
        let whole = clauses.iter().map(|c| c.values.len()).sum::<usize>() == kept.values().map(Vec::len).sum::<usize>();
        if whole { kept } else { Values::new() }
    }
}

/// One clause as it would be typed. `None` where the value would mean more than itself.
fn clause(field: Field, value: String) -> Option<String> {
    (!value.contains('*')).then(|| Clause { field, negated: false, values: vec![value] }.to_string())
}

fn tag(key: &str, value: &str) -> Option<Choice> {
    let text = clause(Field::Tag(key.to_owned()), value.to_owned())?;
    // What cannot be typed, such as hidden characters, cannot be picked either.
    crate::domain::Selector::parse(&text).ok()?;
    Choice::new(text, &format!("{key}={value}"))
}
