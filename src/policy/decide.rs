//! One question -> one decision.
//!
//! Default deny. Any forbid wins, and any freeze while it lasts. Grants are OR, the clauses inside one are AND, and one grant has to cover all
//! targets. Forbids, freezes and approval rules fire when any target may match. A missing attribute fails a grant and fires
//! everything else. Approvals are the union of all rules that fire, the highest count per group. The order of the text
//! means nothing.
//!
//! In an emergency ([`decide_in_emergency`]) the freezes or the approval rules that `[break_glass]` overrides do not count,
//! and its own conditions do; everything else does as ever.
//!
//! A denial explains itself by the closest grant: of those whose `who` matches, the one with the fewest false clauses,
//! ties by id. A grant that is about this runbook is closer than one that is not, however many clauses fail: "you may
//! restart nginx, not sshd" helps, "you may look at disks" does not.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ChannelRef, GroupName, RunbookName, Target, Timestamp};
use crate::runbook::{Arguments, Risk};

use super::fits::Production;
use super::glass::{self, Glass};
use super::ground::{Ground, Kin};
use super::request::{Asker, Request, RunbookFacts};
use super::set::{
    ApprovalRule, BUILT_IN, DEFAULT_EXPIRY, Forbid, Forbidden, Freeze, GLASS, Grant, Granted, Overridden,
    ParameterRule, PolicySet, When, Where,
};
use super::words;
use super::{Decision, Reason, Seats, Verdict};

/// Whether `request` may run, and with whose approval.
#[must_use]
pub fn decide(policy: &PolicySet, request: &Request<'_>) -> Decision {
    decide_as(policy, request, None)
}

/// As [`decide`], where the person breaks the glass and justifies it with these words.
#[must_use]
pub fn decide_in_emergency(policy: &PolicySet, request: &Request<'_>, justification: &str) -> Decision {
    match &policy.glass {
        Some(rule) => decide_as(policy, request, Some(Glass { rule, justification })),
        None => refusal("no policy file lets anybody override a rule in an emergency"),
    }
}

/// Whether `request` could run by breaking the glass, with a reason that is long enough, and not without.
#[must_use]
pub fn could_break_glass(policy: &PolicySet, request: &Request<'_>) -> bool {
    let Some(rule) = &policy.glass else { return false };
    let justification = "x".repeat(rule.justification_min as usize);
    let decision = decide_in_emergency(policy, request, &justification);
    decision.verdict != Verdict::Forbid && !decision.overridden.is_empty()
}

fn decide_as(policy: &PolicySet, request: &Request<'_>, glass: Option<Glass<'_>>) -> Decision {
    if request.targets.is_empty() {
        return refusal("the plan has no target");
    }
    let ground = Ground::survey(policy, &request.targets, request.recent);
    ask(policy, request.asker, request.runbook, Some((request.arguments, &ground)), Some(request.now), glass)
}

/// The cheap check before planning: `Forbid` if no plan of this runbook could be permitted, else `Permit`.
///
/// It reads neither targets nor arguments nor the clock, so a `Permit` promises nothing.
#[must_use]
pub fn may_run_at_all(policy: &PolicySet, asker: &Asker, runbook: RunbookFacts<'_>) -> Decision {
    ask(policy, asker, runbook, None, None, None)
}

/// The part of a refused plan that this person may run: the most targets that one grant covers and no forbid is about.
/// Empty where there is no such part, or where all of it could be run.
///
/// A number that is too large is not a part: which of the nodes to leave out is for a person to say.
#[must_use]
pub fn narrowed(policy: &PolicySet, request: &Request<'_>) -> BTreeSet<Target> {
    if request.asker.bot || request.asker.foreign || request.asker.principal.is_operator() {
        return BTreeSet::new();
    }
    let ground = Ground::survey(policy, &request.targets, request.recent);
    let question = Question {
        groups: &request.asker.groups,
        channel: request.asker.channel.as_ref(),
        runbook: request.runbook,
        plan: Some((request.arguments, &ground)),
        now: Some(request.now),
        glass: None,
    };
    let freezes: Vec<&Freeze> = policy.freezes.iter().filter(|f| is_on(f, &question)).collect();
    let forbids: Vec<&Forbid> = policy.forbids.iter().filter(|f| concerns(f, &question)).collect();
    let mut best: BTreeSet<Target> = BTreeSet::new();
    let mut grants: Vec<&Grant> = policy.grants.iter().filter(|g| !g.who.is_disjoint(question.groups)).collect();
    grants.sort_by_key(|g| &g.id);
    for grant in grants {
        let lacks = gap(grant, &question).clauses;
        if lacks.iter().any(|clause| !matches!(clause, Clause::Outside { .. } | Clause::TooMany { .. })) {
            continue;
        }
        let fits = |kin: &Kin<'_>| {
            ground.surely_in(kin, &grant.place)
                && !forbids.iter().any(|f| ground.maybe_in(kin, &f.place))
                && !freezes.iter().any(|f| ground.maybe_in(kin, &f.place))
        };
        let (inside, outside): (Vec<&Kin<'_>>, Vec<&Kin<'_>>) = ground.kin.iter().partition(|kin| fits(kin));
        let mut part: BTreeSet<Target> = inside.iter().flat_map(|kin| &kin.targets).map(|t| (*t).clone()).collect();
        // A target that is described in two ways stands on both sides, and then it is out.
        for target in outside.iter().flat_map(|kin| &kin.targets) {
            part.remove(*target);
        }
        if part.len() > best.len() && part.len() <= grant.max_targets as usize {
            best = part;
        }
    }
    if best.len() == ground.targets as usize { BTreeSet::new() } else { best }
}

/// Whether `asker` may run it there once the arguments are such that each of the rules for which `met` is asked holds. A
/// freeze does not count: it ends, and whoever runs into it is told when.
pub(super) fn could(
    policy: &PolicySet,
    asker: &Asker,
    runbook: RunbookFacts<'_>,
    ground: &Ground<'_>,
    met: impl Fn(&str, &ParameterRule) -> bool,
) -> bool {
    if asker.bot || asker.foreign || asker.principal.is_operator() {
        return false;
    }
    // Without a single argument every rule about one is a false clause, so each is asked about.
    let none = Arguments::new();
    let question = Question {
        groups: &asker.groups,
        channel: asker.channel.as_ref(),
        runbook,
        plan: Some((&none, ground)),
        now: None,
        glass: None,
    };
    let granted = |grant: &Grant| {
        gap(grant, &question).clauses.iter().all(|clause| match clause {
            Clause::Parameter { name, rule, .. } => met(name, rule),
            Clause::Runbook(_)
            | Clause::Risk(_)
            | Clause::Owner(_)
            | Clause::Outside { .. }
            | Clause::TooMany { .. }
            | Clause::Channel(_) => false,
        })
    };
    !policy.forbids.iter().any(|f| fires(f, &question))
        && policy.grants.iter().any(|g| !g.who.is_disjoint(&asker.groups) && granted(g))
}

/// Whether a forbid stands against this group on these targets.
pub(super) fn forbidden(
    policy: &PolicySet,
    group: &GroupName,
    runbook: RunbookFacts<'_>,
    ground: &Ground<'_>,
    kin: &Kin<'_>,
) -> bool {
    let groups = BTreeSet::from([group.clone()]);
    let question = Question { groups: &groups, channel: None, runbook, plan: None, now: None, glass: None };
    policy.forbids.iter().any(|f| concerns(f, &question) && ground.maybe_in(kin, &f.place))
}

/// The rules about one parameter in the grants that are about this person, this runbook and this place to ask; `None`
/// where one of those leaves it free.
pub(super) fn rules_about<'p>(
    policy: &'p PolicySet,
    asker: &Asker,
    runbook: RunbookFacts<'_>,
    name: &str,
) -> Option<Vec<&'p ParameterRule>> {
    let channel = asker.channel.as_ref();
    let question = Question { groups: &asker.groups, channel, runbook, plan: None, now: None, glass: None };
    let mine = policy.grants.iter().filter(|g| !g.who.is_disjoint(&asker.groups));
    mine.filter(|g| gap(g, &question).clauses.is_empty())
        .map(|grant| match &grant.run {
            Granted::Names { parameters, .. } => parameters.get(name),
            Granted::Kind { .. } => None,
        })
        .collect()
}

/// Muster's own no, for which there is no rule in a file.
fn refusal(text: &str) -> Decision {
    Decision {
        verdict: Verdict::Forbid,
        quorum: Vec::new(),
        expires: None,
        reasons: vec![Reason { rule: BUILT_IN.into(), text: text.into() }],
        overridden: Vec::new(),
        could: Vec::new(),
    }
}

/// Who asks what, as far as rules look at it.
struct Question<'q> {
    groups: &'q BTreeSet<GroupName>,
    channel: Option<&'q ChannelRef>,
    runbook: RunbookFacts<'q>,
    /// `None` before there is a plan.
    plan: Option<(&'q Arguments, &'q Ground<'q>)>,
    /// `None`: freezes are not asked.
    now: Option<Timestamp>,
    glass: Option<Glass<'q>>,
}

impl Question<'_> {
    /// Rules of this kind stand; otherwise they are overridden.
    fn keeps(&self, kind: Overridden) -> bool {
        !self.glass.is_some_and(|glass| glass.rule.overrides.contains(&kind))
    }
}

fn ask(
    policy: &PolicySet,
    asker: &Asker,
    runbook: RunbookFacts<'_>,
    plan: Option<(&Arguments, &Ground<'_>)>,
    now: Option<Timestamp>,
    glass: Option<Glass<'_>>,
) -> Decision {
    if asker.bot {
        return refusal("bots and workflows run nothing, only people do");
    }
    if asker.foreign {
        return refusal("people of another organisation run nothing here");
    }
    if asker.principal.is_operator() {
        return refusal("a shell on the host runs nothing, so that every run has a person in chat who answers for it");
    }
    let question = Question { groups: &asker.groups, channel: asker.channel.as_ref(), runbook, plan, now, glass };
    let mut decision = judge(policy, &question);
    if decision.verdict == Verdict::Forbid {
        // Asked once more for somebody who is in that group only.
        let permitted = |group: &GroupName| {
            let alone = BTreeSet::from([group.clone()]);
            permits(policy, &Question { groups: &alone, ..question })
        };
        decision.could = policy.groups.keys().filter(|g| permitted(g)).cloned().collect();
    }
    decision
}

/// Whether it may run, with or without approval; no words are made.
fn permits(policy: &PolicySet, question: &Question<'_>) -> bool {
    let mut mine = policy.grants.iter().filter(|g| !g.who.is_disjoint(question.groups));
    let stopped = policy.forbids.iter().any(|f| fires(f, question))
        || (question.keeps(Overridden::Freeze) && policy.freezes.iter().any(|f| is_frozen(f, question)));
    !stopped && mine.any(|grant| gap(grant, question).clauses.is_empty()) && glass_lacks(question).is_empty()
}

/// What the conditions of `[break_glass]` lack, where the glass is broken.
fn glass_lacks(question: &Question<'_>) -> Vec<String> {
    let targets = question.plan.map_or(0, |(_, ground)| ground.targets);
    question.glass.map(|glass| glass.lacks(question.groups, targets)).unwrap_or_default()
}

fn judge(policy: &PolicySet, question: &Question<'_>) -> Decision {
    let mut decision = Decision {
        verdict: Verdict::Forbid,
        quorum: vec![],
        expires: None,
        reasons: vec![],
        overridden: vec![],
        could: vec![],
    };

    let forbids = policy.forbids.iter().filter(|f| fires(f, question));
    let forbids = forbids.map(|f| Reason { rule: f.id.clone(), text: f.because.clone() });
    let frozen: Vec<&Freeze> = policy.freezes.iter().filter(|f| is_frozen(f, question)).collect();
    let freezes = frozen.iter().filter(|_| question.keeps(Overridden::Freeze));
    let freezes = freezes.map(|f| Reason { rule: f.id.clone(), text: words::frozen(f) });
    let mut stops: Vec<Reason> = forbids.chain(freezes).collect();
    let lacks = glass_lacks(question).into_iter().map(|text| Reason { rule: GLASS.into(), text });
    if !stops.is_empty() {
        stops.sort_by(|a, b| a.rule.cmp(&b.rule));
        decision.reasons = stops;
        return decision;
    }

    match closest(policy, question) {
        None => {
            let text = "no grant names a group that you are in".into();
            decision.reasons = vec![Reason { rule: BUILT_IN.into(), text }];
            return decision;
        }
        Some((grant, gap)) if !gap.clauses.is_empty() => {
            decision.reasons = gap
                .clauses
                .iter()
                .map(|clause| Reason { rule: grant.id.clone(), text: in_words(clause, question) })
                .chain(lacks)
                .collect();
            return decision;
        }
        Some((grant, _)) => {
            let lacks: Vec<Reason> = lacks.collect();
            if !lacks.is_empty() {
                decision.reasons = lacks;
                return decision;
            }
            decision.verdict = Verdict::Permit;
            decision.reasons = vec![Reason { rule: grant.id.clone(), text: words::allowed(grant) }];
        }
    }

    let Some((_, ground)) = question.plan else { return decision };
    let mut fired = fired(&policy.approvals, question.runbook, ground);
    if let Some(glass) = question.glass {
        let passed = frozen.iter().filter(|_| !question.keeps(Overridden::Freeze));
        let mut passed: Vec<(&str, String)> = passed.map(|f| (f.id.as_str(), words::frozen(f))).collect();
        if !question.keeps(Overridden::Approval) {
            passed.extend(fired.drain(..).map(|(rule, why)| (rule.id.as_str(), why)));
        }
        glass::add(&mut decision, glass.rule, passed);
    }
    add_approvals(&mut decision, fired);
    decision
}

/// The grant that permits, or the one that comes closest, with what it lacks.
fn closest<'q>(policy: &'q PolicySet, question: &Question<'q>) -> Option<(&'q Grant, Gap<'q>)> {
    let mine = policy.grants.iter().filter(|g| !g.who.is_disjoint(question.groups));
    mine.map(|grant| (grant, gap(grant, question))).min_by(|(a, x), (b, y)| {
        (x.other_runbook, x.clauses.len(), &a.id).cmp(&(y.other_runbook, y.clauses.len(), &b.id))
    })
}

/// What a grant lacks to cover a question: nothing, and it permits.
struct Gap<'q> {
    /// It is about another runbook.
    other_runbook: bool,
    clauses: Vec<Clause<'q>>,
}

/// One clause of a grant that is false. Put into words for the closest grant only.
enum Clause<'q> {
    Runbook(&'q BTreeSet<RunbookName>),
    Risk(&'q BTreeSet<Risk>),
    Owner(&'q BTreeSet<String>),
    Parameter { name: &'q str, value: Option<&'q str>, rule: &'q ParameterRule },
    Outside { ground: &'q Ground<'q>, place: &'q Where },
    TooMany { asked: u32, allowed: u32 },
    Channel(&'q BTreeSet<ChannelRef>),
}

fn gap<'q>(grant: &'q Grant, question: &Question<'q>) -> Gap<'q> {
    let Question { runbook, plan, .. } = question;
    let mut clauses = Vec::new();
    let mut parameters: Option<&BTreeMap<String, ParameterRule>> = None;
    match &grant.run {
        Granted::Names { names, parameters: rules } => {
            if names.contains(runbook.name) {
                parameters = Some(rules);
            } else {
                clauses.push(Clause::Runbook(names));
            }
        }
        Granted::Kind { risk, owner } => {
            if !risk.contains(&runbook.risk) {
                clauses.push(Clause::Risk(risk));
            }
            if let Some(owners) = owner.as_ref().filter(|o| !o.contains(runbook.owner)) {
                clauses.push(Clause::Owner(owners));
            }
        }
    }
    let other_runbook = !clauses.is_empty();
    if let Some((arguments, ground)) = plan {
        for (name, rule) in parameters.into_iter().flatten() {
            let value = arguments.get(name).map(String::as_str);
            if !value.is_some_and(|value| rule.allows(value)) {
                clauses.push(Clause::Parameter { name, value, rule });
            }
        }
        if !ground.all_surely_in(&grant.place) {
            clauses.push(Clause::Outside { ground, place: &grant.place });
        }
        if ground.targets > grant.max_targets {
            clauses.push(Clause::TooMany { asked: ground.targets, allowed: grant.max_targets });
        }
    }
    if let Some(channels) = &grant.channels
        && !question.channel.is_some_and(|c| channels.contains(c))
    {
        clauses.push(Clause::Channel(channels));
    }
    Gap { other_runbook, clauses }
}

/// What was asked and what is allowed.
fn in_words(clause: &Clause<'_>, question: &Question<'_>) -> String {
    let runbook = question.runbook;
    match clause {
        Clause::Runbook(names) => words::runbook(runbook.name, names),
        Clause::Risk(risk) => words::risk(runbook.risk, risk),
        Clause::Owner(owners) => words::owner(runbook.owner, owners),
        Clause::Parameter { name, value, rule } => words::parameter(name, *value, rule),
        Clause::Outside { ground, place } => words::outside(ground, place),
        Clause::TooMany { asked, allowed } => words::too_many(*asked, *allowed),
        Clause::Channel(channels) => words::channel(question.channel, channels),
    }
}

impl ParameterRule {
    pub(super) fn allows(&self, value: &str) -> bool {
        match self {
            ParameterRule::OneOf(values) => values.contains(value),
            ParameterRule::Int { min, max } => value.parse().is_ok_and(|n: i64| (*min..=*max).contains(&n)),
            ParameterRule::Matches(pattern) => pattern.matches(value),
        }
    }
}

fn fires(forbid: &Forbid, question: &Question<'_>) -> bool {
    if !concerns(forbid, question) {
        return false;
    }
    match question.plan {
        Some((_, ground)) => ground.kin_maybe_in(&forbid.place).next().is_some(),
        // Before there are targets only what holds for every target can be said.
        None => forbid.place == Where::Anywhere,
    }
}

/// The forbid is about these people and this runbook, wherever it runs.
fn concerns(forbid: &Forbid, question: &Question<'_>) -> bool {
    forbid.who.as_ref().is_none_or(|who| !who.is_disjoint(question.groups)) && forbid.run.holds(question.runbook)
}

impl Forbidden {
    pub(super) fn holds(&self, runbook: RunbookFacts<'_>) -> bool {
        match self {
            Forbidden::Everything => true,
            Forbidden::Names(names) => names.contains(runbook.name),
            Forbidden::Kind { risk, owner } => {
                risk.as_ref().is_none_or(|r| r.contains(&runbook.risk))
                    && owner.as_ref().is_none_or(|o| o.contains(runbook.owner))
            }
        }
    }
}

/// It is on at this moment, and about this runbook, wherever it runs.
fn is_on(freeze: &Freeze, question: &Question<'_>) -> bool {
    question.now.is_some_and(|now| freeze.holds(now))
        && !freeze.except.as_ref().is_some_and(|except| except.holds(question.runbook))
}

fn is_frozen(freeze: &Freeze, question: &Question<'_>) -> bool {
    let Some((_, ground)) = question.plan else { return false };
    is_on(freeze, question) && ground.kin_maybe_in(&freeze.place).next().is_some()
}

/// The approval rules that fire, each with why, by their ids.
fn fired<'p>(
    rules: &'p [ApprovalRule],
    runbook: RunbookFacts<'_>,
    ground: &Ground<'_>,
) -> Vec<(&'p ApprovalRule, String)> {
    let mut fired: Vec<(&ApprovalRule, String)> =
        rules.iter().filter_map(|rule| Some((rule, why(&rule.when, runbook, ground)?))).collect();
    fired.sort_by_key(|(rule, _)| &rule.id);
    fired
}

/// Adds what these rules ask for to what is asked for already.
fn add_approvals(decision: &mut Decision, fired: Vec<(&ApprovalRule, String)>) {
    if fired.is_empty() {
        return;
    }
    let mut seats: BTreeMap<GroupName, Seats> =
        std::mem::take(&mut decision.quorum).into_iter().map(|seat| (seat.group.clone(), seat)).collect();
    for (rule, text) in fired {
        decision.reasons.push(Reason { rule: rule.id.clone(), text });
        for (group, count) in &rule.need {
            let empty = || Seats { group: group.clone(), count: 0, rules: Vec::new() };
            let seat = seats.entry(group.clone()).or_insert_with(empty);
            seat.count = seat.count.max(*count);
            seat.rules.push(rule.id.clone());
        }
        decision.expires = decision.expires.into_iter().chain(rule.expires).min();
    }
    decision.verdict = Verdict::PermitWithApproval;
    decision.quorum = seats.into_values().collect();
    decision.expires = decision.expires.or(Some(DEFAULT_EXPIRY));
}

/// Why the rule fires, in words; `None` if it does not.
fn why(when: &When, runbook: RunbookFacts<'_>, ground: &Ground<'_>) -> Option<String> {
    let holds = when.runbooks.as_ref().is_none_or(|names| names.contains(runbook.name))
        && when.risk.as_ref().is_none_or(|risk| risk.contains(&runbook.risk))
        && when.targets_over.is_none_or(|n| ground.hourly > n);
    let hit = || ground.kin_maybe_in(&when.place).filter(|kin| !when.production || kin.production != Production::No);
    if !holds || hit().next().is_none() {
        return None;
    }
    let mut parts = Vec::new();
    if when.runbooks.is_some() {
        parts.push(format!("the runbook is `{}`", runbook.name));
    }
    if when.risk.is_some() {
        parts.push(format!("its risk is `{}`", runbook.risk.as_str()));
    }
    if when.production || when.place != Where::Anywhere {
        let unclassified = hit().filter(|k| k.production == Production::Unclassified).map(|k| k.count).sum();
        let unclassified = if when.production { unclassified } else { 0 };
        parts.push(words::inside(ground, when, hit().map(|k| k.count).sum(), unclassified));
    }
    if let Some(limit) = when.targets_over {
        parts.push(words::over(ground, limit));
    }
    if parts.is_empty() {
        parts.push("every run needs it".into());
    }
    Some(parts.join(", "))
}
