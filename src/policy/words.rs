//! The fragments in which a decision gives its reasons: what was asked and what is allowed. Lower case, no full stop.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::domain::{ChannelRef, GroupName, RunbookName};
use crate::runbook::Risk;

use super::ground::Ground;
use super::set::{Freeze, Grant, Granted, ParameterRule, When, Where};
use super::{Decision, Reason, Verdict};

/// Longer lists are cut, and say by how many.
const LISTED: usize = 8;
/// Values that people typed are cut after so many characters.
const VALUE: usize = 80;

/// `` `a`, `b` and `c` ``, or with `or`.
pub(super) fn list<T: Display>(items: impl IntoIterator<Item = T>, last: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|i| format!("`{i}`")).collect();
    match items.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [head @ .., end] if items.len() <= LISTED => format!("{} {last} {end}", head.join(", ")),
        all => format!("{} {last} {} more", all[..LISTED - 1].join(", "), all.len() + 1 - LISTED),
    }
}

/// What came out, for whoever wrote the rules.
pub(super) fn outcome(decision: &Decision) -> String {
    let by = |reason: &Reason| format!("`{}`: {}", reason.rule, reason.text);
    match decision.verdict {
        Verdict::Permit => {
            let rules: BTreeSet<&str> = decision.reasons.iter().map(|r| r.rule.as_str()).collect();
            format!("{} allows it", list(rules, "and"))
        }
        Verdict::PermitWithApproval => {
            let seats = decision
                .quorum
                .iter()
                .map(|seats| format!("{} of `{}` by {}", seats.count, seats.group, list(&seats.rules, "and")));
            format!("it needs {}", seats.collect::<Vec<_>>().join(" and "))
        }
        Verdict::Forbid => {
            format!("it is denied by {}", decision.reasons.iter().map(by).collect::<Vec<_>>().join("; "))
        }
    }
}

/// ``a member of `a` or a member of `b` ``.
pub fn members(groups: &BTreeSet<GroupName>) -> String {
    let groups: Vec<String> = groups.iter().map(|group| format!("a member of `{group}`")).collect();
    groups.join(" or ")
}

/// A freeze, until when, and the sentence of whoever wrote it.
pub fn frozen(freeze: &Freeze) -> String {
    format!("the freeze until {}: {}", freeze.to.strftime("%Y-%m-%d %H:%M UTC"), freeze.because)
}

fn targets(n: u32) -> String {
    if n == 1 { "1 target".into() } else { format!("{n} targets") }
}

fn place(place: &Where, last: &str) -> String {
    match place {
        Where::Anywhere => "anywhere".into(),
        Where::Sets(names) => list(names, last),
    }
}

/// What the grant that permits says.
pub(super) fn allowed(grant: &Grant) -> String {
    let run = match &grant.run {
        Granted::Names { names, .. } => list(names, "and"),
        Granted::Kind { risk, owner } => {
            let risk = list(risk.iter().map(|r| r.as_str()), "or");
            let owner = owner.as_ref().map(|o| format!(" owned by {}", list(o, "or")));
            format!("runbooks of risk {risk}{}", owner.unwrap_or_default())
        }
    };
    let place = match &grant.place {
        Where::Anywhere => "anywhere".into(),
        sets @ Where::Sets(_) => format!("in {}", place(sets, "and")),
    };
    format!("{} may run {run} {place}, at most {} at once", list(&grant.who, "and"), targets(grant.max_targets))
}

pub(super) fn runbook(asked: &RunbookName, names: &BTreeSet<RunbookName>) -> String {
    format!("covers {}, not `{asked}`", list(names, "and"))
}

pub(super) fn risk(asked: Risk, allowed: &BTreeSet<Risk>) -> String {
    let allowed = list(allowed.iter().map(|r| r.as_str()), "and");
    format!("covers runbooks of risk {allowed}, not of risk `{}`", asked.as_str())
}

pub(super) fn owner(asked: &str, allowed: &BTreeSet<String>) -> String {
    format!("covers runbooks owned by {}, not by `{asked}`", list(allowed, "and"))
}

/// `` only `nginx` and `app` ``.
pub fn only(rule: &ParameterRule) -> String {
    match rule {
        ParameterRule::OneOf(values) => format!("only {}", list(values, "and")),
        ParameterRule::Int { min, max } => format!("only whole numbers from {min} to {max}"),
        ParameterRule::Matches(pattern) => format!("only what matches `{}`", pattern.as_str()),
    }
}

pub(super) fn parameter(name: &str, value: Option<&str>, rule: &ParameterRule) -> String {
    let allowed = only(rule);
    match value {
        None => format!("`{name}` has no value, {allowed} allowed"),
        Some(value) => {
            let cut = if value.chars().count() > VALUE { "…" } else { "" };
            let value: String = value.chars().take(VALUE).collect();
            format!("`{name}` is `{value}{cut}`, {allowed} allowed")
        }
    }
}

/// Which targets lie outside a grant's `where`, by account, the most first.
pub(super) fn outside(ground: &Ground<'_>, allowed: &Where) -> String {
    let mut total = 0;
    let mut accounts: BTreeMap<&str, u32> = BTreeMap::new();
    for kin in ground.kin.iter().filter(|kin| !ground.surely_in(kin, allowed)) {
        total += kin.count;
        for (id, (name, count)) in &kin.accounts {
            *accounts.entry(name.unwrap_or(id.as_str())).or_default() += count;
        }
    }
    let mut accounts: Vec<(&str, u32)> = accounts.into_iter().collect();
    accounts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let shown: Vec<String> = accounts.iter().take(3).map(|(name, count)| format!("{count} in `{name}`")).collect();
    let more = accounts.len().saturating_sub(3);
    let more = if more == 0 { String::new() } else { format!(" and {more} more accounts") };
    let lie = if total == 1 { "lies" } else { "lie" };
    format!(
        "{total} of {} {lie} outside {} ({}{more})",
        targets(ground.targets),
        place(allowed, "and"),
        shown.join(", ")
    )
}

pub(super) fn too_many(asked: u32, allowed: u32) -> String {
    format!("{} asked, at most {allowed} allowed", targets(asked))
}

pub(super) fn channel(asked: Option<&ChannelRef>, allowed: &BTreeSet<ChannelRef>) -> String {
    let asked = asked.map_or("asked outside any channel".into(), |c| format!("asked in `{c}`"));
    format!("{asked}, only in {} allowed", list(allowed, "or"))
}

/// How many targets fire a rule about places.
pub(super) fn inside(ground: &Ground<'_>, when: &When, hit: u32, unclassified: u32) -> String {
    let production = if when.production { " production" } else { "" };
    let sets = match &when.place {
        Where::Anywhere => String::new(),
        sets @ Where::Sets(_) => format!(" in {}", place(sets, "or")),
    };
    let are = if hit == 1 { "is" } else { "are" };
    let note = match unclassified {
        0 => String::new(),
        n if n == hit => " (no set says what the account is, so it counts as production)".into(),
        n => format!(" ({n} of them because no set says what the account is)"),
    };
    format!("{hit} of {} {are}{production}{sets}{note}", targets(ground.targets))
}

/// More targets than a rule's `targets_over`.
pub(super) fn over(ground: &Ground<'_>, limit: u32) -> String {
    let earlier = ground.hourly - ground.targets;
    let note =
        if earlier == 0 { String::new() } else { format!(", {earlier} of them in other runs of the last hour,") };
    format!("{}{note} are more than {limit}", targets(ground.hourly))
}
