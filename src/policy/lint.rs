//! What is valid and still hardly meant: grants that nobody can use or that another one makes needless, changes in
//! production without anybody's approval, seats that nobody can fill, names that nothing uses.
//!
//! Advice and no fault: the rules do what they say. `muster check` prints it, and `--strict` makes it count.

use std::collections::BTreeSet;

use crate::domain::{Account, GroupName, NodeId, Principal, Target, Timestamp};
use crate::runbook::{Arguments, Risk, Runbook};

use super::fits::is_classified;
use super::offer::{can_meet, imaginable_tags};
use super::request::{Request, RunbookFacts, TargetFacts};
use super::set::{Audience, BreakGlass, GLASS, Grant, Granted, ParameterRule, PolicySet, Where};
use super::specimen::{Attributes, Specimen, somebody, specimens};
use super::{Verdict, decide, words};

/// What a piece of advice is about, so that its place in the files can be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    Rule(String),
    Group(String),
    Set(String),
}

/// Fragments, as in a [`crate::domain::Fault`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Advice {
    pub about: About,
    pub what: String,
    pub remedy: String,
}

/// Everything worth a look, in the order of what it is about.
#[must_use]
pub fn lint(policy: &PolicySet, runbooks: &[&Runbook]) -> Vec<Advice> {
    let mut advice = Vec::new();
    for grant in &policy.grants {
        let runs: Vec<&Runbook> = runbooks.iter().copied().filter(|r| grant.run.names(r)).collect();
        match useless(policy, grant, &runs) {
            Some(why) => advice.push(why),
            None => {
                advice.extend(shadowed(policy, grant, runbooks));
                advice.extend(unapproved(policy, grant, &runs));
            }
        }
    }
    advice.extend(
        policy
            .approvals
            .iter()
            .flat_map(|rule| rule.need.iter().filter_map(|(group, count)| short(policy, &rule.id, group, *count))),
    );
    if let Some(glass) = &policy.glass {
        advice.extend(nobody_else(policy, glass));
    }
    advice.extend(unused(policy, runbooks));
    advice.sort();
    advice
}

/// The accounts that no set says anything about, so that they count as production. What a node's tags could decide
/// does not count as unclassified.
#[must_use]
pub fn unclassified<'a>(policy: &PolicySet, accounts: &'a [Account]) -> Vec<&'a Account> {
    let tags = imaginable_tags(policy);
    let Ok(node) = "i-00000000000000000".parse::<NodeId>() else { return Vec::new() };
    let classified = |account: &&Account| {
        account.regions.iter().all(|region| {
            let target = Target { account: account.id.clone(), region: region.clone(), node: node.clone() };
            tags.iter().any(|tags| {
                let facts =
                    TargetFacts { target: &target, account_name: Some(&account.name), labels: &account.labels, tags };
                is_classified(policy, &facts)
            })
        })
    };
    accounts.iter().filter(|account| !classified(account)).collect()
}

fn about(grant: &Grant, what: String, remedy: impl Into<String>) -> Advice {
    Advice { about: About::Rule(grant.id.clone()), what, remedy: remedy.into() }
}

/// Why nobody can use the grant. `runs`: the runbooks that it is about.
fn useless(policy: &PolicySet, grant: &Grant, runs: &[&Runbook]) -> Option<Advice> {
    if runs.is_empty() {
        return Some(about(
            grant,
            "this grant is about no runbook that there is".into(),
            "take it out, or name a risk and owner that a runbook has",
        ));
    }
    let forbids = |runbook: &&&Runbook| {
        policy.forbids.iter().find(|forbid| {
            forbid.who.as_ref().is_none_or(|who| grant.who.is_subset(who))
                && forbid.run.holds(RunbookFacts::from(**runbook))
                && within(&grant.place, &forbid.place)
        })
    };
    let stops: Vec<_> = runs.iter().filter_map(|runbook| forbids(&runbook)).collect();
    if stops.len() == runs.len() {
        let ids: BTreeSet<&str> = stops.iter().map(|forbid| forbid.id.as_str()).collect();
        let what = format!("nobody can use this grant: {} forbids all of it", words::list(ids, "and"));
        return Some(about(grant, what, "take one of the two out, or narrow the forbid"));
    }
    let Granted::Names { parameters, .. } = &grant.run else { return None };
    let stuck = |runbook: &&Runbook| {
        let barred = |name: &String, rule: &ParameterRule| {
            runbook.parameters.get(name).is_none_or(|parameter| !can_meet(&parameter.kind, rule))
        };
        parameters.iter().find(|(name, rule)| barred(name, rule)).map(|(name, _)| name)
    };
    let stuck: Vec<&String> = runs.iter().filter_map(stuck).collect();
    if stuck.len() < runs.len() {
        return None;
    }
    let what = format!("nobody can use this grant: no value of `{}` is both possible and allowed", stuck[0]);
    Some(about(grant, what, "compare the rule with the runbook's own parameter"))
}

/// The grant that already permits all that this one does.
fn shadowed(policy: &PolicySet, grant: &Grant, runbooks: &[&Runbook]) -> Option<Advice> {
    let wider = |other: &&Grant| {
        other.id != grant.id
            && covers(other, grant, runbooks)
            // Of two that are the same the one with the later id is needless.
            && (!covers(grant, other, runbooks) || other.id < grant.id)
    };
    let mut others: Vec<&Grant> = policy.grants.iter().filter(wider).collect();
    others.sort_by_key(|other| &other.id);
    let other = others.first()?;
    let what = format!("`{}` permits all that this grant does", other.id);
    Some(about(grant, what, "take it out, or narrow the other one"))
}

fn covers(wide: &Grant, narrow: &Grant, runbooks: &[&Runbook]) -> bool {
    let channels = wide.channels.as_ref().is_none_or(|w| narrow.channels.as_ref().is_some_and(|n| n.is_subset(w)));
    narrow.who.is_subset(&wide.who)
        && channels
        && narrow.max_targets <= wide.max_targets
        && within(&narrow.place, &wide.place)
        && includes(&wide.run, &narrow.run, runbooks)
}

fn within(narrow: &Where, wide: &Where) -> bool {
    match (narrow, wide) {
        (_, Where::Anywhere) => true,
        (Where::Anywhere, Where::Sets(_)) => false,
        (Where::Sets(narrow), Where::Sets(wide)) => narrow.is_subset(wide),
    }
}

fn includes(wide: &Granted, narrow: &Granted, runbooks: &[&Runbook]) -> bool {
    match (wide, narrow) {
        (Granted::Kind { risk, owner }, Granted::Kind { risk: fewer, owner: one }) => {
            let owned = owner.as_ref().is_none_or(|all| one.as_ref().is_some_and(|one| one.is_subset(all)));
            fewer.is_subset(risk) && owned
        }
        (kind @ Granted::Kind { .. }, Granted::Names { names, .. }) => {
            runbooks.iter().filter(|r| names.contains(&r.name)).all(|r| kind.names(r))
        }
        // The runbooks of a kind may become more.
        (Granted::Names { .. }, Granted::Kind { .. }) => false,
        (Granted::Names { names, parameters }, Granted::Names { names: fewer, parameters: stricter }) => {
            let looser = |(name, rule): (&String, &ParameterRule)| stricter.get(name).is_some_and(|s| implies(s, rule));
            fewer.is_subset(names) && parameters.iter().all(looser)
        }
    }
}

/// Whatever `strict` allows, `loose` allows.
fn implies(strict: &ParameterRule, loose: &ParameterRule) -> bool {
    match (strict, loose) {
        (ParameterRule::OneOf(values), loose) => values.iter().all(|value| loose.allows(value)),
        (ParameterRule::Int { min, max }, ParameterRule::Int { min: low, max: high }) => low <= min && max <= high,
        (ParameterRule::Matches(strict), ParameterRule::Matches(loose)) => strict == loose,
        (ParameterRule::Int { .. } | ParameterRule::Matches(_), _) => false,
    }
}

/// A grant whose changes nobody has to approve in a set that is production, or, where it has no limit of place, in accounts
/// that no set knows.
fn unapproved(policy: &PolicySet, grant: &Grant, runs: &[&Runbook]) -> Option<Advice> {
    // The approval rules alone decide: the grant is taken without its rules about values, and nothing forbids.
    let run = match &grant.run {
        Granted::Names { names, .. } => Granted::Names { names: names.clone(), parameters: Default::default() },
        kind @ Granted::Kind { .. } => kind.clone(),
    };
    let alone = Grant { run, place: Where::Anywhere, channels: None, ..grant.clone() };
    let alone = PolicySet { grants: vec![alone], forbids: Vec::new(), freezes: Vec::new(), ..policy.clone() };
    let production = policy.sets.iter().filter(|(_, set)| set.production == Some(true)).map(|(name, _)| name);
    let covered = |name: &&String| match &grant.place {
        Where::Anywhere => true,
        Where::Sets(names) => names.contains(*name),
    };
    let mut places: Vec<(Where, String)> = production
        .filter(covered)
        .map(|name| (Where::Sets([name.clone()].into()), format!("in `{name}`, which is production,")))
        .collect();
    if grant.place == Where::Anywhere {
        places.push((Where::Anywhere, "in accounts that no set knows, which count as production,".to_owned()));
    }
    let changes: Vec<&&Runbook> = runs.iter().filter(|runbook| runbook.risk != Risk::Read).collect();
    for (place, words_of_place) in places {
        let Ok(targets) = specimens(policy, &place, None, &Attributes::default()) else { continue };
        let names: Vec<&str> =
            changes.iter().filter(|book| is_free(&alone, grant, book, &targets)).map(|r| r.name.as_str()).collect();
        if names.is_empty() {
            continue;
        }
        let what = format!(
            "{} may run {} {words_of_place} without anybody's approval",
            words::list(&grant.who, "and"),
            words::list(names, "and")
        );
        let remedy = "add an `[[approval]]` with `when = { production = true, risk = [\"change\", \"destructive\"] }`, or \
                      narrow the grant";
        return Some(about(grant, what, remedy));
    }
    None
}

/// Whether `grant`, which stands alone in `policy`, lets its groups run it on some of these without anybody's approval.
fn is_free(policy: &PolicySet, grant: &Grant, runbook: &Runbook, targets: &[Specimen]) -> bool {
    let asker = somebody(grant.who.clone(), None);
    let (none, recent) = (Arguments::new(), BTreeSet::new());
    targets.iter().any(|target| {
        let request = Request {
            asker: &asker,
            runbook: RunbookFacts::from(runbook),
            arguments: &none,
            targets: vec![target.facts()],
            recent: &recent,
            now: Timestamp::UNIX_EPOCH,
        };
        decide(policy, &request).verdict == Verdict::Permit
    })
}

/// A seat of a group whose members the file lists, and lists too few.
fn short(policy: &PolicySet, rule: &str, group: &GroupName, count: u32) -> Option<Advice> {
    let members = policy.groups.get(group)?;
    let people: BTreeSet<_> = members.users.iter().map(|user| first_account(policy, user)).collect();
    if !members.refs.is_empty() || people.len() >= count as usize {
        return None;
    }
    let are = if people.len() == 1 { "is one person".to_owned() } else { format!("are {} people", people.len()) };
    let what = format!("nobody can get this approval: it asks for {count} of `{group}`, which {are}");
    Some(Advice {
        about: About::Rule(rule.to_owned()),
        what,
        remedy: "ask for fewer, or add people to the group".into(),
    })
}

/// Breaking the glass takes a second person and, afterwards, somebody else who looks at it. Told only where every group
/// lists its people.
fn nobody_else(policy: &PolicySet, glass: &BreakGlass) -> Option<Advice> {
    let people = |groups: &mut dyn Iterator<Item = &GroupName>| -> Option<BTreeSet<Principal>> {
        let mut all = BTreeSet::new();
        for members in groups.filter_map(|name| policy.groups.get(name)) {
            if !members.refs.is_empty() {
                return None;
            }
            all.extend(members.users.iter().map(|user| first_account(policy, user)));
        }
        Some(all)
    };
    let (who, second) = (people(&mut glass.who.iter())?, people(&mut [&glass.second].into_iter())?);
    let advise = |what: String, remedy: &str| {
        Some(Advice { about: About::Rule(GLASS.to_owned()), what, remedy: remedy.to_owned() })
    };
    if !who.iter().any(|asks| second.iter().any(|agrees| agrees != asks)) {
        let what = format!("nobody can break the glass: in `{}` is nobody besides whoever asks", glass.second);
        return advise(what, "add people to the group, or name another one as `second`");
    }
    let review = people(&mut glass.review.iter())?;
    let pair = |asks: &Principal| second.iter().filter(|agrees| *agrees != asks).cloned().collect::<Vec<_>>();
    let lonely = who
        .iter()
        .any(|asks| pair(asks).iter().any(|agrees| !review.iter().any(|looks| looks != asks && looks != agrees)));
    if lonely {
        let groups = words::list(&glass.review, "and");
        let what =
            format!("nobody may be left to review it: in {groups} can be nobody besides whoever asked and agreed");
        return advise(what, "add people to the group, or name another one under `review`");
    }
    None
}

/// Accounts of one person are one.
fn first_account(policy: &PolicySet, user: &Principal) -> Principal {
    policy.twins(user).into_iter().chain([user.clone()]).min().unwrap_or_else(|| user.clone())
}

/// Groups and sets that nothing refers to.
fn unused(policy: &PolicySet, runbooks: &[&Runbook]) -> Vec<Advice> {
    let mut groups: BTreeSet<&str> = BTreeSet::new();
    groups.extend(policy.grants.iter().flat_map(|g| &g.who).map(String::as_str));
    groups.extend(policy.forbids.iter().filter_map(|f| f.who.as_ref()).flatten().map(String::as_str));
    groups.extend(policy.approvals.iter().flat_map(|a| a.need.keys()).map(String::as_str));
    groups.extend(policy.approvers.values().flat_map(|a| &a.escalate).map(String::as_str));
    let glass = policy.glass.iter().flat_map(|glass| glass.who.iter().chain(&glass.review).chain([&glass.second]));
    groups.extend(glass.map(String::as_str));
    groups.extend(policy.halt.who.iter().chain(&policy.halt.resume).map(String::as_str));
    groups.extend(
        policy
            .view
            .iter()
            .filter_map(|v| match &v.audience {
                Audience::Groups(groups) => Some(groups),
                Audience::SharedChannels(_) => None,
            })
            .flatten()
            .map(String::as_str),
    );
    let gates = runbooks.iter().flat_map(|r| &r.steps).filter_map(|step| step.gate.as_ref());
    groups.extend(gates.map(|gate| gate.from.as_str()));

    let places = policy.grants.iter().map(|g| &g.place).chain(policy.forbids.iter().map(|f| &f.place));
    let places = places.chain(policy.freezes.iter().map(|f| &f.place)).chain(policy.view.iter().map(|v| &v.place));
    let places = places.chain(policy.approvals.iter().map(|a| &a.when.place));
    let sets: BTreeSet<&String> = places
        .filter_map(|place| match place {
            Where::Sets(names) => Some(names),
            Where::Anywhere => None,
        })
        .flatten()
        .collect();

    let idle = |what: &str, name: &str| format!("no rule uses the {what} `{name}`");
    let groups = policy.groups.keys().filter(|name| !groups.contains(name.as_str())).map(|name| Advice {
        about: About::Group(name.clone()),
        what: idle("group", name),
        remedy: "take it out, or name it in a rule".into(),
    });
    // One that classifies is of use by itself.
    let sets = policy.sets.iter().filter(|(name, set)| set.production.is_none() && !sets.contains(name));
    let sets = sets.map(|(name, _)| Advice {
        about: About::Set(name.clone()),
        what: idle("set", name),
        remedy: "take it out, name it in a rule, or say whether it is `production`".into(),
    });
    groups.chain(sets).collect()
}
