//! How far a plan reaches: its targets counted by what people think in.

use std::collections::BTreeMap;

use crate::domain::{AccountId, Target};
use crate::plan::{Delivery, Plan, PlannedTarget};
use crate::runbook::bound::Bound;
use crate::runbook::{Action, HoldAfter, OnFailure, Step};

use super::words::{Line, count, cut, nodes, number, say, size, some};
use super::{Block, Span};

/// Characters of a node's name in a list of them.
pub(super) const NAME: usize = 64;
/// So many names of accounts, customers or regions are told; the rest is a number.
const NAMED: usize = 6;

/// What people call the account.
pub(super) fn account_name<'a>(plan: &'a Plan, id: &'a AccountId) -> &'a str {
    plan.accounts.get(id).map_or(id.as_str(), |note| note.name.as_str())
}

/// `8 acme-prod, 4 globex-prod`: largest first.
fn shares(names: impl Iterator<Item = String>) -> String {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let mut counts: Vec<(String, u32)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let told: Vec<String> = counts.iter().map(|(name, n)| format!("{} {name}", number(*n))).collect();
    some(&told, NAMED)
}

fn label(plan: &Plan, account: &AccountId, name: &str) -> String {
    let value = plan.accounts.get(account).and_then(|note| note.labels.get(name));
    value.cloned().unwrap_or_else(|| format!("without {name}"))
}

/// `12 nodes in 3 accounts and 2 regions`.
pub(super) fn reach(plan: &Plan) -> String {
    let distinct = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.dedup();
        size(names.len())
    };
    let accounts = distinct(plan.targets.iter().map(|t| t.target.account.as_str()).collect());
    let regions = distinct(plan.targets.iter().map(|t| t.target.region.as_str()).collect());
    format!("{} in {} and {}", nodes(size(plan.targets.len())), count(accounts, "account"), count(regions, "region"))
}

/// Counts by customer, environment, account and region; what is offline.
pub(super) fn fields(plan: &Plan) -> Vec<(String, Vec<Span>)> {
    let mut fields = vec![("Targets".to_owned(), say(reach(plan)).spans())];
    let labelled = |name: &str| plan.accounts.values().any(|note| note.labels.contains_key(name));
    for (title, name) in [("Customers", "customer"), ("Environments", "env")] {
        if labelled(name) {
            let told = shares(plan.targets.iter().map(|t| label(plan, &t.target.account, name)));
            fields.push((title.to_owned(), say(told).spans()));
        }
    }
    let accounts = shares(plan.targets.iter().map(|t| account_name(plan, &t.target.account).to_owned()));
    fields.push(("Accounts".to_owned(), say(accounts).spans()));
    let regions = shares(plan.targets.iter().map(|t| t.target.region.to_string()));
    fields.push(("Regions".to_owned(), say(regions).spans()));
    fields
}

pub(super) fn offline(plan: &Plan) -> u32 {
    size(plan.targets.iter().filter(|t| t.offline).count())
}

/// Offline targets that stand in no shard are skipped; the others are sent all the same.
fn skipped(plan: &Plan) -> u32 {
    let mut sent = vec![false; plan.targets.len()];
    for &t in plan.shards.iter().flat_map(|s| &s.targets) {
        if let Some(sent) = sent.get_mut(t as usize) {
            *sent = true;
        }
    }
    size(sent.iter().filter(|s| !**s).count())
}

/// How it is rolled out: waves, nodes at once, and when it stops by itself.
pub(super) fn rollout(plan: &Plan) -> Line {
    let mut waves = vec![0u32; plan.waves.max(1) as usize];
    for target in &plan.targets {
        if let Some(wave) = waves.get_mut(target.wave as usize) {
            *wave += 1;
        }
    }
    let told: Vec<String> = waves.iter().map(|n| number(*n)).collect();
    let mut text = match told.as_slice() {
        [one] => format!("{one} in one wave"),
        more => format!("{} in {} waves", more.join(" + "), more.len()),
    };
    text.push_str(&format!(", at most {} at once", number(plan.max_in_flight)));
    text.push_str(&match plan.max_errors {
        0 => ", nothing further starts after the first failure".to_owned(),
        n => format!(", nothing further starts after more than {}", count(n, "failure")),
    });
    if plan.waves > 1 {
        text.push_str(match plan.hold {
            HoldAfter::Never => "",
            HoldAfter::Failure => ", held for a person after a wave with a failure",
            HoldAfter::Always => ", held for a person after each wave",
        });
    }
    text.push_str(&format!(", ends after {} at the latest", super::words::duration(plan.deadline)));
    say(text)
}

pub(super) fn delivery(plan: &Plan) -> &'static str {
    match plan.delivery {
        Delivery::Inline => "inline scripts (AWS-RunShellScript)",
        Delivery::Document => "published documents, pinned by hash",
    }
}

/// What the plan does not reach, one line each; empty where it reaches everything that matched.
pub(super) fn coverage(plan: &Plan) -> Vec<Line> {
    let mut told = Vec::new();
    let (offline, skipped) = (offline(plan), skipped(plan));
    let left = skipped.min(offline);
    if left > 0 {
        told.push(say(format!("{} offline and skipped: {}", nodes_are(left), names(plan, |t| t.offline))));
    }
    if offline > left {
        told.push(say(format!(
            "{} offline: it is sent all the same and delivered if they come back",
            nodes_are(offline - left)
        )));
    }
    let c = &plan.coverage;
    if !c.unmanaged.is_empty() {
        let n = size(c.unmanaged.len());
        let names: Vec<String> = c
            .unmanaged
            .iter()
            .map(|(account, region, name)| format!("{name} ({}, {region})", account_name(plan, account)))
            .collect();
        let (match_, are) = if n == 1 { ("matches", "is") } else { ("match", "are") };
        told.push(say(format!(
            "{} {match_} but {are} not managed by SSM: {}",
            count(n, "running instance"),
            some(&names, NAMED)
        )));
    }
    if c.unmanaged_unknown {
        told.push(say("Running instances that SSM does not manage were not looked for"));
    }
    if c.gone > 0 {
        told.push(say(format!(
            "{} of the run before {} gone, or no longer {} what was asked then",
            nodes(c.gone),
            super::words::are(c.gone),
            if c.gone == 1 { "matches" } else { "match" }
        )));
    }
    if c.narrowed > 0 {
        let why: Vec<String> = c.narrowed_by.iter().map(|(why, n)| format!("{} {why}", number(*n))).collect();
        let why = if why.is_empty() { String::new() } else { format!(": {}", some(&why, NAMED)) };
        told.push(say(format!("{} left out by the runbook itself{why}", nodes_are(c.narrowed))));
    }
    if c.left_out > 0 {
        told.push(say(format!(
            "{} left out: the policy does not allow {} to the person who asked",
            nodes_are(c.left_out),
            if c.left_out == 1 { "it" } else { "them" }
        )));
    }
    told.extend(unread(plan));
    told
}

fn unread(plan: &Plan) -> impl Iterator<Item = Line> {
    plan.coverage.unread.iter().map(|u| {
        let place = match &u.region {
            Some(region) => format!("{}, {region}", account_name(plan, &u.account)),
            None => account_name(plan, &u.account).to_owned(),
        };
        say("Could not read ").bold(place).plain(": ").prose(&u.cause)
    })
}

fn nodes_are(n: u32) -> String {
    format!("{} {}", nodes(n), super::words::are(n))
}

fn names(plan: &Plan, which: impl Fn(&PlannedTarget) -> bool) -> String {
    let those: Vec<&PlannedTarget> = plan.targets.iter().filter(|t| which(t)).collect();
    some(&names_of(plan, &those, NAME), NAMED)
}

/// The name of each, in so many characters. Where two have the same, it says its account too, and its region where two of
/// that account have it.
pub(super) fn names_of(plan: &Plan, targets: &[&PlannedTarget], most: usize) -> Vec<String> {
    let (mut of_name, mut of_account) = (BTreeMap::<&str, u32>::new(), BTreeMap::<(&str, &AccountId), u32>::new());
    for planned in targets {
        *of_name.entry(&planned.name).or_default() += 1;
        *of_account.entry((&planned.name, &planned.target.account)).or_default() += 1;
    }
    let told = |planned: &&PlannedTarget| {
        let (account, region) = (&planned.target.account, &planned.target.region);
        let name = cut(&planned.name, most);
        match (of_name[planned.name.as_str()], of_account[&(planned.name.as_str(), account)]) {
            (1, _) => name,
            (_, 1) => format!("{name} ({})", account_name(plan, account)),
            _ => format!("{name} ({}, {region})", account_name(plan, account)),
        }
    };
    targets.iter().map(told).collect()
}

/// `service=nginx`, one code span for each argument.
pub(super) fn arguments(plan: &Plan) -> Line {
    plan.arguments.iter().fold(Line::default(), |line, (name, value)| {
        let line = if line.is_empty() { line } else { line.plain(" ") };
        line.code(format!("{name}={value}"))
    })
}

/// Every step of a plan, and its way back.
pub(super) fn steps(plan: &Plan) -> Vec<Block> {
    steps_of(&plan.steps, plan.rollback.as_ref())
}

/// Every step: what runs, where and for how long, and what it must show.
pub(super) fn steps_of(steps: &[Step], rollback: Option<&Step>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let named = steps.iter().enumerate().map(|(i, s)| (format!("Step {} of {}: {}", i + 1, steps.len(), s.name), s));
    let back = rollback.map(|s| ("Rollback, on exactly the nodes that were touched".to_owned(), s));
    for (name, step) in named.chain(back) {
        let mut line = Line::default()
            .bold(name)
            .plain(format!(", at most {} on each node", super::words::duration(step.timeout)));
        if let Some(gate) = &step.gate {
            line = line.plain(format!(", after a yes of {} of @{}", number(gate.count), gate.from));
        }
        for (word, condition) in [("only where", &step.when), ("not where", &step.unless)] {
            for (name, values) in condition {
                line = line.plain(format!(", {word} ")).code(format!("{name}={}", values.join(",")));
            }
        }
        if step.reboots {
            line = line.plain(", may reboot the node");
        }
        if step.on_failure == OnFailure::Rollback {
            line = line.plain(", rolled back by itself after too many failures");
        }
        for (name, wanted) in &step.expect {
            line = line.plain(", must show ").code(if Bound::is_meant(wanted) {
                format!("{name} {wanted}")
            } else {
                format!("{name}={wanted}")
            });
        }
        blocks.push(line.text());
        blocks.push(Block::Code(match &step.action {
            Action::Shell { script } | Action::Powershell { script } => script.trim_matches('\n').to_owned(),
            Action::Document { name, version, hash, parameters } => {
                let mut text = format!("document {name}");
                version.iter().for_each(|v| text.push_str(&format!(" version {v}")));
                hash.iter().for_each(|h| text.push_str(&format!("\nsha256 {h}")));
                parameters.iter().for_each(|(k, v)| text.push_str(&format!("\n{k} = {}", v.join(", "))));
                text
            }
            Action::Automation { name, version, target, parameters } => {
                let mut text = format!("automation {name}");
                version.iter().for_each(|v| text.push_str(&format!(" version {v}")));
                text.push_str(&format!("\n{target} = the id of each node"));
                parameters.iter().for_each(|(k, v)| text.push_str(&format!("\n{k} = {}", v.join(", "))));
                text
            }
        }));
    }
    blocks
}

/// The exact targets, one line each, wave by wave in the order in which they start.
pub(super) fn targets(plan: &Plan) -> Block {
    let mut order: Vec<&crate::plan::PlannedTarget> = plan.targets.iter().collect();
    order.sort_by_key(|t| t.wave);
    let name = order.iter().map(|t| t.name.chars().count()).max().unwrap_or(0).min(32);
    let account =
        order.iter().map(|t| account_name(plan, &t.target.account).chars().count()).max().unwrap_or(0).min(32);
    let lines: Vec<String> = order
        .iter()
        .map(|t| {
            let wave = if plan.waves > 1 { format!("wave {}  ", t.wave + 1) } else { String::new() };
            let state = if t.offline { " offline" } else { "" };
            let Target { account: id, region, node } = &t.target;
            let title = super::words::cut(&t.name, 64);
            format!("{wave}{title:name$} {:account$} {region} {node}{state}", account_name(plan, id))
        })
        .collect();
    Block::Code(lines.join("\n"))
}
