//! The request for approval: all that a person needs who will have to answer for the yes.
//!
//! After the decision the same card stands without buttons and says who decided, so that nobody clicks in vain.

use crate::run::{Lapsed, Notice, Phase, Run};

use super::notice::no_longer;
use super::root::{approvers, ended, expires, narrowed, open_seats};
use super::verdict::{self, TITLE_MAX, subject};
use super::words::{Line, are, cut, lines, nodes, number, say, size};
use super::{Block, Button, Card, Style, Tone, Verb, View, blast, plan};

/// Who wants what, where and why, what exactly runs, and which rule asks for whose approval.
#[must_use]
pub fn ask(run: &Run, view: &View) -> Card {
    let p = &run.proposal;
    let asked = subject(p.plan.runbook.as_str(), size(p.plan.targets.len()));
    let (tone, title) = match run.phase {
        Phase::AwaitingApproval => {
            let head = if p.glass.is_some() { "Break-glass: approve" } else { "Approve" };
            (Tone::Waiting, format!("{head} {asked}? Risk: {}", p.plan.risk.as_str()))
        }
        Phase::Running | Phase::Finished => (Tone::Good, format!("Approved: {asked}")),
        Phase::Denied => (Tone::Bad, format!("Denied: {asked}")),
        Phase::Expired => (Tone::Warning, format!("Expired: {asked}")),
        Phase::Cancelled => (Tone::Warning, format!("Cancelled: {asked}")),
        Phase::Withdrawn => (Tone::Bad, format!("Withdrawn: {asked}")),
    };
    let mut blocks = vec![Block::Text(decision(run, view))];
    let mut who = vec![("Asked by".to_owned(), Line::default().person(&p.by).spans())];
    let why = p.reason.as_deref().map(str::trim).filter(|r| !r.is_empty());
    who.push(("Why".to_owned(), say(why.unwrap_or("no reason given")).spans()));
    who.push(("What".to_owned(), plan::what(&p.plan)));
    who.extend(narrowed(run));
    who.extend(super::glass::rules(run).map(|rules| ("Break-glass".to_owned(), rules.spans())));
    // At most ten fields stand in one block.
    blocks.push(Block::Fields(who));
    blocks.push(Block::Fields(plan::facts(&p.plan)));
    blocks.extend(plan::not_reached(&p.plan));
    if run.phase == Phase::AwaitingApproval {
        let overridden: Vec<Line> = super::glass::overridden(run).collect();
        if !overridden.is_empty() {
            let head = Line::default().bold("What it overrides");
            blocks.push(Block::Text(lines([head].into_iter().chain(overridden))));
        }
        let rules = plan::reasons(&p.decision);
        if !rules.is_empty() {
            let head = Line::default().bold("Why it needs approval");
            blocks.push(Block::Text(lines([head].into_iter().chain(rules))));
        }
    }
    blocks.extend(blast::steps(&p.plan));
    blocks.push(Line::default().bold("Exactly these targets").text());
    blocks.push(blast::targets(&p.plan));
    blocks.push(plan::fingerprint(&p.plan, &p.digest));
    Card { tone, title: cut(&title, TITLE_MAX), blocks, buttons: buttons(run) }
}

/// Whom it waits for, or who decided.
fn decision(run: &Run, view: &View) -> Vec<super::Span> {
    let open = open_seats(run);
    let wanted: u32 = run.proposal.decision.quorum.iter().map(|s| s.count).sum();
    let filled = wanted.saturating_sub(open.iter().map(|s| s.count).sum());
    // Of a run that has started, its own card tells it.
    let halted = super::halt::line(run, view).filter(|_| run.phase == Phase::AwaitingApproval);
    let mut told: Vec<Line> = halted.into_iter().collect();
    if !run.approvals.is_empty() {
        let share = format!(" ({} of {})", number(filled), number(wanted));
        told.push(say("Approved by ").then(approvers(run)).plain(share));
    }
    match run.phase {
        Phase::AwaitingApproval if run.is_agreed() => {}
        Phase::AwaitingApproval => {
            told.extend(lapsed(run).map(no_longer));
            told.push(waiting(run, view).plain(". The requester cannot approve it; one Deny ends it."));
        }
        Phase::Running | Phase::Finished => {
            if told.is_empty() {
                told.push(say("It needed no approval."));
            }
            if run.phase == Phase::Finished {
                told.extend(came_of_it(run));
            }
        }
        Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => told.extend(ended(run)),
    }
    lines(told)
}

/// For whoever answers for the yes: whether it stayed within it, and what came of it.
fn came_of_it(run: &Run) -> [Line; 2] {
    let (total, touched) = (run.counts.total, size(run.targets.iter().filter(|t| t.touched).count()));
    let rest = total.saturating_sub(touched);
    let reach = match (touched, rest) {
        (0, _) => format!("Nothing was started on any of the {}.", nodes(total)),
        (_, 0) => format!("It was started on all {}, and on no other.", nodes(total)),
        _ => format!(
            "It was started on {} of the {}, and on no other; {} {} not done.",
            number(touched),
            nodes(total),
            number(rest),
            are(rest)
        ),
    };
    [say(reach), say("It ended: ").plain(verdict::counts(&run.counts)).plain(".")]
}

/// Approvals that no longer count.
fn lapsed(run: &Run) -> impl Iterator<Item = &Lapsed> {
    run.notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::MoreAsked { lapsed } => Some(lapsed),
            Notice::Narrowed { .. } | Notice::TooFew | Notice::HalfTime { .. } => None,
        })
        .flatten()
        // Somebody may have approved anew since.
        .filter(|lapsed| !run.approvals.iter().any(|approval| approval.by == lapsed.by))
}

/// Whom it waits for, by their mention, until when, and whether they were reminded.
pub(super) fn waiting(run: &Run, view: &View) -> Line {
    let mut line = say("Waiting for ");
    for (i, seat) in open_seats(run).iter().enumerate() {
        if i > 0 {
            line = line.plain(" and ");
        }
        line = line.plain(format!("{} of ", number(seat.count))).then(view.mention(&seat.group));
    }
    if let Some(at) = expires(run) {
        line = line.plain(", expires ").when(at);
    }
    if let Some(at) = run.reminded() {
        line = line.plain(", reminder sent ").when(at);
    }
    line
}

fn buttons(run: &Run) -> Vec<Button> {
    let button =
        |verb, label: &str, style| Button { verb, label: label.to_owned(), style, run: run.id, revision: run.revision };
    match run.phase {
        // Nobody is asked any more: it is about to start.
        Phase::AwaitingApproval if run.is_agreed() => Vec::new(),
        Phase::AwaitingApproval => {
            let mut buttons = vec![button(Verb::Approve, "Approve", Style::Primary)];
            if run.proposal.plan.targets.len() > 1 {
                buttons.push(button(Verb::Narrow, "Approve a part", Style::Plain));
            }
            buttons.push(button(Verb::Deny, "Deny", Style::Danger));
            buttons
        }
        Phase::Running | Phase::Finished | Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => {
            Vec::new()
        }
    }
}
