//! What may be offered to a person who has not chosen everything yet: nothing that the decision would refuse whatever
//! else is chosen, and everything that it could permit.
//!
//! A form asks for accounts before arguments or the other way round. What is not chosen yet is free: it may still
//! become any value that the runbook allows. What is offered is no promise: the decision is taken on the frozen plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::runbook::{Arguments, Kind, Runbook};

use super::decide::{could, rules_about};
use super::ground::Ground;
use super::request::{Asker, RunbookFacts, TargetFacts};
use super::set::{ParameterRule, Pattern, PolicySet};

/// Combinations of tags that [`imaginable_tags`] tries.
const TAGS_MAX: usize = 256;

/// Whether some plan with this one target could be permitted. `chosen`: the arguments chosen so far, in canonical text.
#[must_use]
pub fn could_run(
    policy: &PolicySet,
    asker: &Asker,
    runbook: &Runbook,
    chosen: &Arguments,
    spot: &TargetFacts<'_>,
) -> bool {
    let targets = [*spot];
    let ground = Ground::survey(policy, &targets, &BTreeSet::new());
    could(policy, asker, RunbookFacts::from(runbook), &ground, |name, rule| {
        match (chosen.get(name), runbook.parameters.get(name)) {
            (Some(value), _) => rule.allows(value),
            (None, Some(free)) => can_meet(&free.kind, rule),
            (None, None) => false,
        }
    })
}

/// Some value of this kind is allowed. Where that cannot be told, such as of two patterns, it is taken to be so.
pub(super) fn can_meet(kind: &Kind, rule: &ParameterRule) -> bool {
    let canonical = |value: &str| kind.canonical(value).is_ok_and(|text| text == value);
    match (kind, rule) {
        (Kind::Choice { values }, rule) => values.iter().any(|value| rule.allows(value)),
        (Kind::Boolean, rule) => ["true", "false"].iter().any(|value| rule.allows(value)),
        (_, ParameterRule::OneOf(values)) => values.iter().any(|value| canonical(value)),
        (Kind::Integer { min, max }, ParameterRule::Int { min: low, max: high }) => min.max(low) <= max.min(high),
        // Their canonical texts hold letters.
        (Kind::Duration { .. } | Kind::Region, ParameterRule::Int { .. }) => false,
        (Kind::String { .. } | Kind::Number { .. } | Kind::Version | Kind::Account, ParameterRule::Int { .. }) => true,
        (
            Kind::String { .. }
            | Kind::Integer { .. }
            | Kind::Number { .. }
            | Kind::Duration { .. }
            | Kind::Version
            | Kind::Account
            | Kind::Region,
            ParameterRule::Matches(_),
        ) => true,
    }
}

/// The values of a parameter that can still be permitted to this person, where they are few: those of a choice, or
/// those that every grant in question names. `None`: too many to tell. Places are not looked at; [`could_run`] does.
#[must_use]
pub fn values_left(policy: &PolicySet, asker: &Asker, runbook: &Runbook, name: &str) -> Option<Vec<String>> {
    let kind = &runbook.parameters.get(name)?.kind;
    let rules = rules_about(policy, asker, runbook.into(), name);
    let named = || {
        let mut named = Vec::new();
        for rule in rules.as_ref()? {
            match rule {
                ParameterRule::OneOf(values) => named.extend(values.iter().cloned()),
                ParameterRule::Int { .. } | ParameterRule::Matches(_) => return None,
            }
        }
        named.retain(|value| kind.canonical(value).is_ok_and(|text| &text == value));
        named.sort();
        named.dedup();
        Some(named)
    };
    let allowed = |value: &&str| rules.as_ref().is_none_or(|rules| rules.iter().any(|rule| rule.allows(value)));
    match kind {
        // In the order of the file, which its author has thought about.
        Kind::Choice { values } => Some(values.iter().map(String::as_str).filter(allowed).map(str::to_owned).collect()),
        Kind::Boolean => Some(["true", "false"].into_iter().filter(allowed).map(str::to_owned).collect()),
        Kind::String { .. }
        | Kind::Integer { .. }
        | Kind::Number { .. }
        | Kind::Duration { .. }
        | Kind::Version
        | Kind::Account
        | Kind::Region => named(),
    }
}

/// Tags that a node nobody has looked at may carry, as far as the sets of the policy can tell them apart. Where the
/// combinations are too many, those within each set.
#[must_use]
pub fn imaginable_tags(policy: &PolicySet) -> Vec<BTreeMap<String, String>> {
    let whole = combinations(policy.sets.values().flat_map(|set| &set.tags));
    if whole.len() < TAGS_MAX {
        return whole;
    }
    let mut all: BTreeSet<BTreeMap<String, String>> = BTreeSet::from([BTreeMap::new()]);
    all.extend(policy.sets.values().flat_map(|set| combinations(&set.tags)));
    all.into_iter().collect()
}

/// At most [`TAGS_MAX`]; fewer means that they are all.
fn combinations<'p>(tags: impl IntoIterator<Item = (&'p String, &'p Vec<Pattern>)>) -> Vec<BTreeMap<String, String>> {
    let mut values: BTreeMap<&String, BTreeSet<Option<String>>> = BTreeMap::new();
    for (key, patterns) in tags {
        let of_key = values.entry(key).or_insert_with(|| BTreeSet::from([None, Some("none of them".to_owned())]));
        of_key.extend(patterns.iter().map(|pattern| Some(pattern.as_str().replace('*', ""))));
    }
    let mut all = vec![BTreeMap::new()];
    for (key, values) in values {
        let longer: Vec<BTreeMap<String, String>> = all
            .iter()
            .flat_map(|tags| values.iter().map(move |value| (tags, value)))
            .map(|(tags, value)| {
                let mut tags = tags.clone();
                tags.extend(value.iter().map(|value| (key.clone(), value.clone())));
                tags
            })
            .take(TAGS_MAX)
            .collect();
        all = longer;
    }
    all
}
