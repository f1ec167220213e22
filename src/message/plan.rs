//! What a plan says before anything runs: progress of planning, then the plan with its decision.

use crate::domain::{AccountId, Digest, RunbookName, Selector};
use crate::plan::Plan;
use crate::policy::{Decision, Share, Verdict};
use crate::runbook::Runbook;

use super::blast;
use super::verdict::subject;
use super::words::{Line, are, count, lines, list, nodes, number, say, size, some};
use super::{Block, Card, Span, Tone, View};

/// The first sentence after a command: which accounts are being read, and how far it is.
#[must_use]
pub fn planning(runbook: &RunbookName, accounts: u32, read: u32) -> Card {
    Card {
        tone: Tone::Running,
        title: format!("{}: looking at {}", super::words::cut(runbook.as_str(), 64), count(accounts, "account")),
        blocks: vec![say(format!("{} of {} read. Nothing runs yet.", number(read), number(accounts))).text()],
        buttons: Vec::new(),
    }
}

/// What would run, where, and what the policy says to it. Nothing is sent.
#[must_use]
pub fn plan_card(plan: &Plan, digest: &Digest, decision: &Decision) -> Card {
    let (tone, verdict) = match decision.verdict {
        Verdict::Permit => (Tone::Good, "needs no approval"),
        Verdict::PermitWithApproval => (Tone::Waiting, "needs approval"),
        Verdict::Forbid => (Tone::Bad, "is not allowed"),
    };
    let mut blocks = vec![Block::Text(what(plan))];
    blocks.push(Block::Fields(facts(plan)));
    blocks.push(Block::Text(decided(decision)));
    blocks.extend(not_reached(plan));
    blocks.extend(blast::steps(plan));
    blocks.push(Line::default().bold("Exactly these targets").text());
    blocks.push(blast::targets(plan));
    if decision.verdict != Verdict::Forbid {
        blocks.push(say("Nothing was sent. To run it, type the same with ").code("run").plain(".").text());
    }
    blocks.push(fingerprint(plan, digest));
    let title = format!("Plan: {} {verdict}", subject(plan.runbook.as_str(), size(plan.targets.len())));
    Card { tone, title, blocks, buttons: Vec::new() }
}

/// Whether this person may, and by which rules. `part`: of a plan that is forbidden, the nodes that they may run.
#[must_use]
pub fn why(plan: &Plan, decision: &Decision, part: usize) -> Card {
    let card = plan_card(plan, &plan.digest(), decision);
    let mut blocks = vec![Block::Text(decided(decision))];
    if part > 0 {
        blocks.push(say(format!("On {} of them you may.", number(size(part)))).text());
    }
    let mut fields = vec![("On".to_owned(), Line::default().code(&plan.selector).spans())];
    if !plan.arguments.is_empty() {
        fields.insert(0, ("Arguments".to_owned(), blast::arguments(plan).spans()));
    }
    fields.extend(blast::fields(plan));
    blocks.push(Block::Fields(fields));
    blocks.extend(not_reached(plan));
    blocks.push(say("Nothing was sent.").note());
    let title = card.title.replacen("Plan: ", "Why: ", 1);
    Card { tone: card.tone, title, blocks, buttons: Vec::new() }
}

/// The runbook's name alone: some plan of it could be permitted.
#[must_use]
pub fn why_at_all(runbook: &Runbook, decision: &Decision, view: &View) -> Card {
    let rules = reasons(decision);
    let head = say(
        "A grant of yours names it. Whether it covers the nodes, the arguments and their number, and who has to approve, depends on the plan.",
    );
    let more = say("Judge a plan: ").code(super::browse::usage(runbook, view).replacen(" run ", " why ", 1));
    Card {
        tone: Tone::Good,
        title: format!("You may run {} somewhere", super::words::cut(runbook.name.as_str(), 64)),
        blocks: vec![Block::Text(lines([head].into_iter().chain(rules))), more.note()],
        buttons: Vec::new(),
    }
}

/// The groups that may run it there, by name alone.
#[must_use]
pub fn who_can(runbook: &Runbook, found: usize, selector: &Selector, shares: &[Share], view: &View) -> Card {
    let total = size(found);
    let groups = |all: bool| {
        let names = shares.iter().filter(|share| (share.targets == total) == all).map(|share| &share.group);
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>()
    };
    let mut told = Vec::new();
    for (all, on) in [(true, "On all of them: "), (false, "On some of them: ")] {
        let names = groups(all);
        if !names.is_empty() {
            told.push(say(on).prose(&list(&names, "and")));
        }
    }
    if told.is_empty() {
        told.push(say("No group may run it on any of them."));
    }
    let asked = format!("{} why {} on {selector}", view.command, runbook.name);
    let more =
        say("A rule may still ask for certain values, for fewer nodes at once, or for approval. Whether you may: ");
    Card {
        tone: Tone::Neutral,
        title: format!("Who can run {} on {}", super::words::cut(runbook.name.as_str(), 64), nodes(total)),
        blocks: vec![Block::Text(lines(told)), more.code(asked).note()],
        buttons: Vec::new(),
    }
}

/// `Restart a systemd service` and what kind of runbook it is.
pub(super) fn what(plan: &Plan) -> Vec<Span> {
    Line::default()
        .bold(&plan.title)
        .plain(" (")
        .code(plan.runbook.as_str())
        .plain(format!(", risk {}, owned by {})", plan.risk.as_str(), plan.owner))
        .spans()
}

/// Where, with which arguments, how many, and how it is rolled out.
pub(super) fn facts(plan: &Plan) -> Vec<(String, Vec<Span>)> {
    let mut fields = Vec::new();
    if !plan.arguments.is_empty() {
        fields.push(("Arguments".to_owned(), blast::arguments(plan).spans()));
    }
    fields.push(("On".to_owned(), Line::default().code(&plan.selector).spans()));
    fields.extend(blast::fields(plan));
    fields.push(("Rollout".to_owned(), blast::rollout(plan).spans()));
    fields.push(("Delivery".to_owned(), say(blast::delivery(plan)).spans()));
    fields
}

/// What the plan does not reach, if anything.
pub(super) fn not_reached(plan: &Plan) -> Option<Block> {
    let told = blast::coverage(plan);
    (!told.is_empty()).then(|| Block::Text(lines([Line::default().bold("Not reached")].into_iter().chain(told))))
}

/// The decision in words, with the rules that made it.
fn decided(decision: &Decision) -> Vec<Span> {
    let head = match decision.verdict {
        Verdict::Permit => Line::default().bold("Allowed without approval."),
        Verdict::PermitWithApproval => {
            let seats: Vec<String> = decision.quorum.iter().map(|s| format!("{} of @{}", s.count, s.group)).collect();
            let mut line = Line::default().bold(format!("Needs approval by {}.", super::words::list(&seats, "and")));
            if let Some(expires) = decision.expires {
                line = line.plain(format!(" A request waits {}.", super::words::duration(expires)));
            }
            line
        }
        Verdict::Forbid => Line::default().bold("Not allowed."),
    };
    lines([head].into_iter().chain(reasons(decision)).chain(could(decision)))
}

/// `rule-id: reason`, one line each.
pub(super) fn reasons(decision: &Decision) -> Vec<Line> {
    decision.reasons.iter().map(|r| say("• ").prose(&r.text).plain(" (rule ").code(&r.rule).plain(")")).collect()
}

/// Who could run it as asked.
pub(super) fn could(decision: &Decision) -> Option<Line> {
    let groups: Vec<String> = decision.could.iter().map(|g| format!("@{g}")).collect();
    (!groups.is_empty())
        .then(|| say(format!("Members of {} could run it as asked.", super::words::list(&groups, "or"))))
}

pub(super) fn fingerprint(plan: &Plan, digest: &Digest) -> Block {
    say("Plan ")
        .code(digest.short(12))
        .plain(", runbook revision ")
        .code(plan.revision.short(12))
        .plain(". An approval is for exactly this plan.")
        .note()
}

/// The targets of a selector, without a runbook: names by account and region.
#[must_use]
pub fn targets(selector: &str, snapshot: &crate::domain::Snapshot) -> Card {
    let name = |id: &AccountId| snapshot.account(id).map_or(id.as_str(), |a| a.name.as_str()).to_owned();
    let online = size(snapshot.nodes.iter().filter(|n| n.online).count());
    let total = size(snapshot.nodes.len());
    let mut blocks = vec![Block::Fields(vec![
        ("On".to_owned(), Line::default().code(selector).spans()),
        (
            "Managed by SSM".to_owned(),
            say(format!("{}, {} online, {} offline", nodes(total), number(online), number(total - online))).spans(),
        ),
    ])];
    let mut told = Vec::new();
    if !snapshot.unmanaged.is_empty() {
        let n = size(snapshot.unmanaged.len());
        let names: Vec<String> =
            snapshot.unmanaged.iter().map(|u| format!("{} ({}, {})", u.name, name(&u.account), u.region)).collect();
        let verb = if n == 1 { "matches" } else { "match" };
        told.push(say(format!(
            "{} {verb} but {} not managed by SSM: {}",
            count(n, "running instance"),
            are(n),
            some(&names, 6)
        )));
    }
    if snapshot.unmanaged_unknown {
        told.push(say("Running instances that SSM does not manage were not looked for"));
    }
    for u in &snapshot.unread {
        let place = u.region.as_ref().map_or_else(|| name(&u.account), |r| format!("{}, {r}", name(&u.account)));
        told.push(say("Could not read ").bold(place).plain(": ").prose(&u.cause));
    }
    if !told.is_empty() {
        blocks.push(Block::Text(lines(told)));
    }
    let rows: Vec<String> = snapshot
        .nodes
        .iter()
        .map(|n| {
            let state = if n.online { "" } else { " offline" };
            format!(
                "{} {} {} {} {}{state}",
                n.name,
                name(&n.target.account),
                n.target.region,
                n.target.node,
                n.platform.as_str()
            )
        })
        .collect();
    if !rows.is_empty() {
        blocks.push(Block::Code(rows.join("\n")));
    }
    let (tone, title) = match total {
        0 => (Tone::Warning, "No managed node matches".to_owned()),
        1 => (Tone::Neutral, "1 node matches".to_owned()),
        n => (Tone::Neutral, format!("{} match", nodes(n))),
    };
    Card { tone, title, blocks, buttons: Vec::new() }
}
