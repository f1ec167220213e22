//! A second evaluator, naive on purpose: it reads like the sentences of the design, loops over everything, and shares
//! no code with the product. The random tests hold the product against it.

#![allow(
    clippy::collapsible_if,
    clippy::collapsible_match,
    reason = "one question for each `if`, so that it can be checked by eye"
)]

use std::collections::{BTreeMap, BTreeSet};

use muster::domain::Target;
use muster::policy::set::{Audience, Forbidden, Granted, Overridden, ParameterRule, TargetSet, Where};
use muster::policy::{Asker, PolicySet, Verdict};

use super::policy_world::{Asked, AskedTarget};

/// What the oracle says; texts are not its business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub verdict: Verdict,
    /// Group to number of people.
    pub quorum: BTreeMap<String, u32>,
    pub expires_secs: Option<u64>,
    /// Rule ids of the reasons, one for each reason.
    pub rules: Vec<String>,
    /// Rules that stand in the way and do not count.
    pub overridden: Vec<String>,
    pub could: Vec<String>,
}

fn no(rules: Vec<String>) -> Answer {
    Answer {
        verdict: Verdict::Forbid,
        quorum: BTreeMap::new(),
        expires_secs: None,
        rules,
        overridden: vec![],
        could: vec![],
    }
}

pub fn answer(policy: &PolicySet, asked: &Asked) -> Answer {
    if asked.asker.bot || asked.asker.foreign || asked.targets.is_empty() {
        return no(vec!["built-in".into()]);
    }
    let mut answer = answer_for(policy, asked, &asked.asker.groups);
    if answer.verdict == Verdict::Forbid {
        for group in policy.groups.keys() {
            let mut only = BTreeSet::new();
            only.insert(group.clone());
            if answer_for(policy, asked, &only).verdict != Verdict::Forbid {
                answer.could.push(group.clone());
            }
        }
    }
    answer
}

fn answer_for(policy: &PolicySet, asked: &Asked, groups: &BTreeSet<String>) -> Answer {
    // In an emergency some rules do not count, and the conditions of breaking the glass do.
    let mut freezes_count = true;
    let mut approvals_count = true;
    let mut conditions_that_fail = 0;
    if let Some(reason) = &asked.emergency {
        let Some(glass) = &policy.glass else {
            return no(vec!["built-in".into()]);
        };
        if glass.overrides.contains(&Overridden::Freeze) {
            freezes_count = false;
        }
        if glass.overrides.contains(&Overridden::Approval) {
            approvals_count = false;
        }
        let mut named = false;
        for group in &glass.who {
            if groups.contains(group) {
                named = true;
            }
        }
        if !named {
            conditions_that_fail += 1;
        }
        if count(&asked.targets, &BTreeSet::new()) > glass.max_targets as usize {
            conditions_that_fail += 1;
        }
        if reason.trim().chars().count() < glass.justification_min as usize {
            conditions_that_fail += 1;
        }
    }

    // Any forbid wins.
    let mut forbidden_by = Vec::new();
    for forbid in &policy.forbids {
        let mut fires = true;
        if let Some(who) = &forbid.who {
            let mut in_one = false;
            for group in who {
                if groups.contains(group) {
                    in_one = true;
                }
            }
            if !in_one {
                fires = false;
            }
        }
        match &forbid.run {
            Forbidden::Everything => {}
            Forbidden::Names(names) => {
                if !names.contains(&asked.runbook) {
                    fires = false;
                }
            }
            Forbidden::Kind { risk, owner } => {
                if let Some(risk) = risk {
                    if !risk.contains(&asked.risk) {
                        fires = false;
                    }
                }
                if let Some(owner) = owner {
                    if !owner.contains(&asked.owner) {
                        fires = false;
                    }
                }
            }
        }
        let mut hits_a_target = false;
        for target in &asked.targets {
            if may_be_at(policy, target, &forbid.place) {
                hits_a_target = true;
            }
        }
        if fires && hits_a_target {
            forbidden_by.push(forbid.id.clone());
        }
    }
    let mut passed_over = Vec::new();
    // So does a freeze while it lasts, but for what it excepts.
    for freeze in &policy.freezes {
        if asked.now < freeze.from || asked.now >= freeze.to {
            continue;
        }
        let mut excepted = false;
        match &freeze.except {
            None => {}
            Some(Forbidden::Everything) => excepted = true,
            Some(Forbidden::Names(names)) => {
                if names.contains(&asked.runbook) {
                    excepted = true;
                }
            }
            Some(Forbidden::Kind { risk, owner }) => {
                let mut right = true;
                if let Some(risk) = risk {
                    if !risk.contains(&asked.risk) {
                        right = false;
                    }
                }
                if let Some(owner) = owner {
                    if !owner.contains(&asked.owner) {
                        right = false;
                    }
                }
                if right {
                    excepted = true;
                }
            }
        }
        let mut hits_a_target = false;
        for target in &asked.targets {
            if may_be_at(policy, target, &freeze.place) {
                hits_a_target = true;
            }
        }
        if hits_a_target && !excepted {
            if freezes_count {
                forbidden_by.push(freeze.id.clone());
            } else {
                passed_over.push(freeze.id.clone());
            }
        }
    }
    if !forbidden_by.is_empty() {
        forbidden_by.sort();
        return no(forbidden_by);
    }

    // Default deny; one grant has to cover everything.
    let mut permitted_by = Vec::new();
    // (is about another runbook, false clauses, id) of every grant that names one of the groups.
    let mut lacking = Vec::new();
    for grant in &policy.grants {
        let mut named = false;
        for group in groups {
            if grant.who.contains(group) {
                named = true;
            }
        }
        if !named {
            continue;
        }
        let mut wrong_clauses = 0;
        let mut about_it = true;
        match &grant.run {
            Granted::Names { names, parameters } => {
                if names.contains(&asked.runbook) {
                    for (parameter, rule) in parameters {
                        match asked.arguments.get(parameter) {
                            None => wrong_clauses += 1,
                            Some(value) => {
                                if !value_is_good(rule, value) {
                                    wrong_clauses += 1;
                                }
                            }
                        }
                    }
                } else {
                    about_it = false;
                    wrong_clauses += 1;
                }
            }
            Granted::Kind { risk, owner } => {
                if !risk.contains(&asked.risk) {
                    about_it = false;
                    wrong_clauses += 1;
                }
                if let Some(owner) = owner {
                    if !owner.contains(&asked.owner) {
                        about_it = false;
                        wrong_clauses += 1;
                    }
                }
            }
        }
        let mut all_inside = true;
        for target in &asked.targets {
            if !is_surely_at(policy, target, &grant.place) {
                all_inside = false;
            }
        }
        if !all_inside {
            wrong_clauses += 1;
        }
        if count(&asked.targets, &BTreeSet::new()) > grant.max_targets as usize {
            wrong_clauses += 1;
        }
        if let Some(channels) = &grant.channels {
            match &asked.asker.channel {
                None => wrong_clauses += 1,
                Some(channel) => {
                    if !channels.contains(channel) {
                        wrong_clauses += 1;
                    }
                }
            }
        }
        if wrong_clauses == 0 {
            permitted_by.push(grant.id.clone());
        }
        lacking.push((!about_it, wrong_clauses, grant.id.clone()));
    }
    if permitted_by.is_empty() {
        lacking.sort();
        if lacking.is_empty() {
            return no(vec!["built-in".into()]);
        }
        let (_, clauses, id) = lacking[0].clone();
        let mut rules = vec![id; clauses];
        for _ in 0..conditions_that_fail {
            rules.push("break-glass".into());
        }
        return no(rules);
    }
    if conditions_that_fail > 0 {
        return no(vec!["break-glass".into(); conditions_that_fail]);
    }
    permitted_by.sort();
    let mut rules = vec![permitted_by[0].clone()];

    // Approvals add up over all rules that fire, the highest count per group.
    let mut quorum: BTreeMap<String, u32> = BTreeMap::new();
    let mut expiries = Vec::new();
    let mut fired_rules = Vec::new();
    let mut approvals_passed_over = Vec::new();
    for rule in &policy.approvals {
        let mut fires = false;
        for target in &asked.targets {
            let here = may_be_at(policy, target, &rule.when.place);
            if here && (!rule.when.production || is_production(policy, target)) {
                fires = true;
            }
        }
        if let Some(limit) = rule.when.targets_over {
            if count(&asked.targets, &asked.recent) <= limit as usize {
                fires = false;
            }
        }
        if let Some(risk) = &rule.when.risk {
            if !risk.contains(&asked.risk) {
                fires = false;
            }
        }
        if let Some(runbooks) = &rule.when.runbooks {
            if !runbooks.contains(&asked.runbook) {
                fires = false;
            }
        }
        if !fires {
            continue;
        }
        if !approvals_count {
            approvals_passed_over.push(rule.id.clone());
            continue;
        }
        fired_rules.push(rule.id.clone());
        for (group, people) in &rule.need {
            if quorum.get(group).copied().unwrap_or(0) < *people {
                quorum.insert(group.clone(), *people);
            }
        }
        if let Some(expires) = rule.expires {
            expiries.push(expires.0 / 1000);
        }
    }
    let mut overridden = Vec::new();
    // A second person always has to agree to what overrides rules.
    if asked.emergency.is_some() {
        if let Some(glass) = &policy.glass {
            passed_over.extend(approvals_passed_over);
            passed_over.sort();
            overridden = passed_over;
            rules.push("break-glass".into());
            if quorum.get(&glass.second).copied().unwrap_or(0) < 1 {
                quorum.insert(glass.second.clone(), 1);
            }
            expiries.push(glass.expires.0 / 1000);
        }
    } else if fired_rules.is_empty() {
        return Answer {
            verdict: Verdict::Permit,
            quorum,
            expires_secs: None,
            rules,
            overridden: vec![],
            could: vec![],
        };
    }
    fired_rules.sort();
    rules.extend(fired_rules);
    expiries.sort();
    let expires_secs = Some(expiries.first().copied().unwrap_or(1800));
    Answer { verdict: Verdict::PermitWithApproval, quorum, expires_secs, rules, overridden, could: vec![] }
}

fn count(targets: &[AskedTarget], recent: &BTreeSet<Target>) -> usize {
    let mut seen: Vec<&Target> = Vec::new();
    for target in targets.iter().map(|t| &t.target).chain(recent) {
        if !seen.contains(&target) {
            seen.push(target);
        }
    }
    seen.len()
}

fn value_is_good(rule: &ParameterRule, value: &str) -> bool {
    match rule {
        ParameterRule::OneOf(values) => values.contains(value),
        ParameterRule::Int { min, max } => match value.parse::<i64>() {
            Ok(n) => *min <= n && n <= *max,
            Err(_) => false,
        },
        // The four that the world draws.
        ParameterRule::Matches(pattern) => match pattern.as_str() {
            "web" => value == "web",
            "web[0-9]?" => value == "web" || value == "web2",
            "[0-9]" => ["1", "5", "9"].contains(&value),
            "." => value.chars().count() == 1,
            other => panic!("the oracle does not know `{other}`"),
        },
    }
}

/// Some set of the rule holds it for certain: everything the set asks for is there and right.
fn is_surely_at(policy: &PolicySet, target: &AskedTarget, place: &Where) -> bool {
    match place {
        Where::Anywhere => true,
        Where::Sets(names) => {
            for name in names {
                if inside(&policy.sets[name], target, false) {
                    return true;
                }
            }
            false
        }
    }
}

/// Some set of the rule may hold it: nothing that is known speaks against it.
fn may_be_at(policy: &PolicySet, target: &AskedTarget, place: &Where) -> bool {
    match place {
        Where::Anywhere => true,
        Where::Sets(names) => {
            for name in names {
                if inside(&policy.sets[name], target, true) {
                    return true;
                }
            }
            false
        }
    }
}

/// Anything that is not surely non-production.
fn is_production(policy: &PolicySet, target: &AskedTarget) -> bool {
    let mut surely_not = false;
    for set in policy.sets.values() {
        if set.production == Some(true) && inside(set, target, true) {
            return true;
        }
        if set.production == Some(false) && inside(set, target, false) {
            surely_not = true;
        }
    }
    !surely_not
}

/// `missing` is the answer for what is not known.
fn inside(set: &TargetSet, target: &AskedTarget, missing: bool) -> bool {
    if !set.accounts.is_empty() {
        let mut right = false;
        let mut some_is_not_an_id = false;
        for pattern in &set.accounts {
            let text = pattern.as_str();
            if globbed(text.as_bytes(), target.target.account.as_str().as_bytes()) {
                right = true;
            }
            if let Some(name) = &target.account_name {
                if globbed(text.as_bytes(), name.as_bytes()) {
                    right = true;
                }
            }
            if text.len() != 12 || !text.chars().all(|c| c.is_ascii_digit()) {
                some_is_not_an_id = true;
            }
        }
        if !right && target.account_name.is_none() && some_is_not_an_id {
            right = missing;
        }
        if !right {
            return false;
        }
    }
    if !set.regions.is_empty() {
        let mut right = false;
        for pattern in &set.regions {
            if globbed(pattern.as_str().as_bytes(), target.target.region.as_str().as_bytes()) {
                right = true;
            }
        }
        if !right {
            return false;
        }
    }
    for (wanted, has) in [(&set.labels, &target.labels), (&set.tags, &target.tags)] {
        for (key, patterns) in wanted {
            let mut right = false;
            match has.get(key) {
                None => right = missing,
                Some(value) => {
                    for pattern in patterns {
                        if globbed(pattern.as_str().as_bytes(), value.as_bytes()) {
                            right = true;
                        }
                    }
                }
            }
            if !right {
                return false;
            }
        }
    }
    true
}

fn globbed(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => globbed(rest, text) || (!text.is_empty() && globbed(pattern, &text[1..])),
        ([p, ps @ ..], [t, ts @ ..]) => p == t && globbed(ps, ts),
        _ => false,
    }
}

/// Whether somebody of these groups, or the audience of that shared channel, may read about these targets.
pub fn covered(policy: &PolicySet, targets: &[AskedTarget], means: &dyn Fn(&Audience) -> bool) -> bool {
    for rule in &policy.view {
        let mut all = !targets.is_empty();
        for target in targets {
            if !is_surely_at(policy, target, &rule.place) {
                all = false;
            }
        }
        if all && means(&rule.audience) {
            return true;
        }
    }
    false
}

/// The most seats that can be filled, by trying every way: each person takes one seat of theirs, or none.
pub fn most_seats(open: &mut Vec<(String, u32)>, people: &[BTreeSet<String>]) -> u32 {
    let Some((person, others)) = people.split_first() else { return 0 };
    let mut best = most_seats(open, others);
    for at in 0..open.len() {
        if open[at].1 > 0 && person.contains(&open[at].0) {
            open[at].1 -= 1;
            best = best.max(1 + most_seats(open, others));
            open[at].1 += 1;
        }
    }
    best
}

/// Whether somebody in these groups may do what `groups` may.
pub fn may(groups: &BTreeSet<String>, asker: &Asker) -> bool {
    if asker.bot || asker.foreign {
        return false;
    }
    for group in groups {
        if asker.groups.contains(group) {
            return true;
        }
    }
    false
}
