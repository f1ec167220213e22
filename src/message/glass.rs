//! Rules overridden in an emergency, as those read it who are told: before it starts, while it runs, and until somebody has
//! looked at it.

use crate::command::Request;
use crate::domain::Outcome;
use crate::policy::CannotApprove;
use crate::run::{Phase, Run};
use crate::summary::Summary;

use super::refusal::refusal;
use super::root::{approvers, open_seats, seats};
use super::verdict::{self, TITLE_MAX, subject};
use super::words::{Line, cut, lines, nodes, number, prose, say, sentence, size};
use super::{Block, Button, Card, Span, Style, Tone, Verb, View, blast, plan};

/// A cause in one line with all else.
const CAUSE_MAX: usize = 60;

/// The notice in a channel that has to be told, as the run stands now. `link`: where its thread is read.
#[must_use]
pub fn alert(run: &Run, summary: Option<&Summary>, link: Option<&str>, view: &View) -> Card {
    let p = &run.proposal;
    let asked = subject(p.plan.runbook.as_str(), size(p.plan.targets.len()));
    let (tone, what) = match run.phase {
        Phase::AwaitingApproval if run.is_agreed() => (Tone::Warning, format!("{asked} is about to start")),
        Phase::AwaitingApproval => (Tone::Waiting, format!("{asked} waits for {}", seats(&open_seats(run)))),
        Phase::Running => (Tone::Warning, format!("{asked} is running")),
        Phase::Finished if run.review.is_some() => (Tone::Good, format!("{asked}, reviewed")),
        Phase::Finished if run.review_late => (Tone::Bad, format!("{asked}, and nobody has reviewed it in time")),
        Phase::Finished => (Tone::Waiting, format!("{asked} is over and needs a review")),
        Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => {
            (Tone::Neutral, format!("{asked}, nothing was run"))
        }
    };
    let mut told: Vec<Line> = super::halt::line(run, view).into_iter().collect();
    told.push(Line::default().bold("Rules are overridden in an emergency."));
    match run.phase {
        Phase::Finished => told = vec![in_one_line(run, summary)],
        Phase::Running => told.push(in_one_line(run, summary)),
        Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => {
            told = super::root::ended(run).into_iter().collect();
        }
        Phase::AwaitingApproval => {}
    }
    told.extend(looked(run, view));
    if let Some(url) = link {
        let text = "Read all of it: script, values, exact targets and results".to_owned();
        told.push(Line::default().span(Span::Link { url: url.to_owned(), text }));
    }
    let mut fields = vec![("Asked by".to_owned(), Line::default().person(&p.by).spans())];
    if !run.approvals.is_empty() {
        fields.push(("Agreed by".to_owned(), approvers(run).spans()));
    }
    fields.push(("Why".to_owned(), say(p.reason.as_deref().unwrap_or_default()).spans()));
    fields.push(("What".to_owned(), plan::what(&p.plan)));
    if !p.plan.arguments.is_empty() {
        fields.push(("Arguments".to_owned(), blast::arguments(&p.plan).spans()));
    }
    fields.push((
        "On".to_owned(),
        Line::default().code(&p.plan.selector).plain(format!(": {}", blast::reach(&p.plan))).spans(),
    ));
    let head = Line::default().bold("What it overrides");
    let rules = Block::Text(lines([head].into_iter().chain(overridden(run))));
    let blocks =
        vec![Block::Text(lines(told)), Block::Fields(fields), rules, say("Plan ").code(p.digest.short(12)).note()];
    let title = format!("Break-glass {}: {what}", view.short);
    Card { tone, title: cut(&title, TITLE_MAX), blocks, buttons: Vec::new() }
}

/// How it stands, for a channel in which many things happen at once: what, how far, what went wrong. No logs.
fn in_one_line(run: &Run, summary: Option<&Summary>) -> Line {
    let c = &run.counts;
    // Rounded down: it is all only when it is.
    let share = u64::from(c.succeeded) * 100 / u64::from(c.total.max(1));
    let name = cut(run.proposal.plan.runbook.as_str(), 40);
    let head = run.ended.map_or_else(Line::default, |at| Line::default().when(at).plain(" "));
    let mut line =
        head.code(name).plain(format!(" {} of {} succeeded ({share} %)", number(c.succeeded), nodes(c.total)));
    for (n, word) in [
        (c.failed + c.timed_out, "failed"),
        (c.undeliverable + c.denied + c.unknown, "not reached"),
        (c.cancelled + c.not_started, "not run"),
    ] {
        if n > 0 {
            line = line.plain(format!(" · {} {word}", number(n)));
        }
    }
    if let Some(cause) = summary.and_then(|s| s.findings.first()).filter(|f| f.outcome != Outcome::Succeeded) {
        line = line
            .plain(format!(" · most: {} × ", number(size(cause.targets.len()))))
            .code(cut(&verdict::plain(&cause.title), CAUSE_MAX));
    }
    match super::pace::over_by(run) {
        Some(at) => line.plain(" · over by about ").when(at),
        None => line,
    }
}

/// Each rule that is passed over, with what it says.
pub(super) fn overridden(run: &Run) -> impl Iterator<Item = Line> {
    run.proposal.decision.overridden.iter().map(|r| say("• ").code(&r.rule).plain(": ").prose(&r.text))
}

/// ``overrides `black-friday` and `prod-needs-two` ``.
pub(super) fn rules(run: &Run) -> Option<Line> {
    run.proposal.glass.as_ref()?;
    let rules = &run.proposal.decision.overridden;
    if rules.is_empty() {
        return Some(say("nothing stands in its way any more"));
    }
    Some(rules.iter().enumerate().fold(say("overrides "), |line, (i, rule)| {
        let line = if i > 0 { line.plain(" and ") } else { line };
        line.code(&rule.rule)
    }))
}

/// Who has to look at it until when, or who has and found what.
pub(super) fn looked(run: &Run, view: &View) -> Option<Line> {
    if let Some(review) = &run.review {
        return Some(
            say("Reviewed by ").person(&review.by).plain(" ").when(review.at).plain(": ").prose(review.found.trim()),
        );
    }
    if !run.owes_review() {
        return None;
    }
    let line = say(if run.review_late { "Nobody has looked at it: " } else { "Somebody has to look at it: " });
    let line = line.then(reviewers(run, view));
    Some(match run.review_by() {
        Some(at) if run.review_late => line.plain(", who had until ").when(at).plain("."),
        Some(at) => line.plain(", by ").when(at).plain("."),
        None => line.plain("."),
    })
}

/// By their mention.
fn reviewers(run: &Run, view: &View) -> Line {
    let groups = run.proposal.glass.iter().flat_map(|glass| &glass.review);
    groups.enumerate().fold(Line::default(), |line, (i, group)| {
        let line = if i > 0 { line.plain(" or ") } else { line };
        line.then(view.mention(group))
    })
}

/// Somebody has to look at it, or has: a message of its own, because an edit notifies nobody.
#[must_use]
pub fn review(run: &Run, link: Option<&str>, view: &View) -> Card {
    let p = &run.proposal;
    let asked = subject(p.plan.runbook.as_str(), size(p.plan.targets.len()));
    let (tone, what) = match &run.review {
        Some(_) => (Tone::Good, "reviewed"),
        None => (Tone::Waiting, "please look at what was done"),
    };
    let mut told: Vec<Line> = looked(run, view).into_iter().collect();
    told.push(say("It ended: ").plain(verdict::counts(&run.counts)).plain("."));
    told.push(say("Why: ").plain(p.reason.as_deref().unwrap_or_default()));
    told.extend(rules(run).map(|rules| say("It ").then(rules).plain(".")));
    told.extend(read_it(link));
    let title = format!("Break-glass {}: {asked}, {what}", view.short);
    Card { tone, title: cut(&title, TITLE_MAX), blocks: vec![Block::Text(lines(told))], buttons: buttons(run) }
}

fn read_it(link: Option<&str>) -> Option<Line> {
    let text = "Read all of it: script, values, exact targets and results".to_owned();
    link.map(|url| Line::default().span(Span::Link { url: url.to_owned(), text }))
}

/// Nobody has looked at it in time.
#[must_use]
pub fn overdue(run: &Run, link: Option<&str>, view: &View) -> Card {
    let p = &run.proposal;
    let asked = subject(p.plan.runbook.as_str(), size(p.plan.targets.len()));
    let mut told: Vec<Line> = looked(run, view).into_iter().collect();
    let short = &view.short;
    told.push(say("To close it: ").code(format!("{} review {short} because \"…\"", view.command)));
    told.extend(read_it(link));
    let title = format!("Break-glass {short}: {asked} still waits for its review");
    Card { tone: Tone::Bad, title: cut(&title, TITLE_MAX), blocks: vec![Block::Text(lines(told))], buttons: Vec::new() }
}

/// Somebody has looked at it: to whoever asked, in the thread.
#[must_use]
pub fn reviewed(run: &Run, view: &View) -> Card {
    let told = Line::default().person(&run.proposal.by).plain(": ");
    let told = looked(run, view).map_or(told.clone(), |review| told.then(review));
    let title = format!("The review of {} is closed", view.short);
    Card { tone: Tone::Good, title, blocks: vec![told.text()], buttons: Vec::new() }
}

/// To whoever closed it by a command.
#[must_use]
pub fn review_closed(view: &View) -> Card {
    Card {
        tone: Tone::Good,
        title: format!("The review of {} is closed", view.short),
        blocks: Vec::new(),
        buttons: Vec::new(),
    }
}

pub(super) fn buttons(run: &Run) -> Vec<Button> {
    if !run.owes_review() {
        return Vec::new();
    }
    let button =
        |verb, label: &str, style| Button { verb, label: label.to_owned(), style, run: run.id, revision: run.revision };
    vec![
        button(Verb::Review, "Close the review", Style::Primary),
        button(Verb::Output, "See the outputs", Style::Plain),
    ]
}

/// A refusal that could be overridden by this person. `typed`: the request as break-glass, without its reason.
#[must_use]
pub fn with_emergency(mut card: Card, typed: &str, view: &View) -> Card {
    let line = say("In an emergency, with a second person and a notice to others: ")
        .code(format!("{} {typed} because \"…\"", view.command));
    card.blocks.push(line.text());
    card
}

/// Break-glass where nothing stands in the way that it could override.
#[must_use]
pub fn no_emergency(request: &Request, view: &View) -> Card {
    let plain = Request { emergency: false, ..request.clone() };
    refusal(
        format!("{} needs no break-glass, so nothing was run", cut(request.runbook.as_str(), 64)),
        vec![say("No freeze and no approval stands in its way that could be overridden.").spans()],
        vec![say("Run it as ever: ").code(cut(&format!("{} {plain}", view.command), 500)).spans()],
    )
}

/// A review that nobody owes, or that somebody has closed.
#[must_use]
pub fn no_review(run: &Run, view: &View) -> Card {
    let told = match &run.review {
        Some(review) => Line::default().person(&review.by).plain(" closed it at ").when(review.at).plain("."),
        None => say("It overrode no rule, or nothing of it was run."),
    };
    let status = say("How it stands: ").code(format!("{} status {}", view.command, view.short));
    refusal(format!("{} waits for no review", view.short), vec![told.spans()], vec![status.spans()])
}

/// A review of something that still runs.
#[must_use]
pub fn review_too_early(view: &View) -> Card {
    let told = say("It still runs; a review is of all that it did.");
    let status = say("How it stands: ").code(format!("{} status {}", view.command, view.short));
    refusal(format!("{} is not over yet", view.short), vec![told.spans()], vec![status.spans()])
}

/// Somebody may not close a review.
#[must_use]
pub fn cannot_review(why: &CannotApprove, run: &Run, view: &View) -> Card {
    let why = match why {
        CannotApprove::Requester => "you asked for this run, so someone else has to look at it".to_owned(),
        CannotApprove::OwnTwin => {
            "you asked for this run with your other account, so someone else has to look at it".to_owned()
        }
        CannotApprove::Already => "you agreed to this run, so someone else has to look at it".to_owned(),
        CannotApprove::NotInGroup(groups) => {
            format!("only {} can close its review", crate::policy::words::members(groups))
        }
        CannotApprove::Bot => "bots and workflows review nothing, only people do".to_owned(),
        CannotApprove::Foreign => "people of another organisation review nothing here".to_owned(),
        CannotApprove::Operator => "a shell on the host reviews nothing, people in chat do".to_owned(),
        CannotApprove::OtherTenant
        | CannotApprove::NotNeeded
        | CannotApprove::Forbidden
        | CannotApprove::SeatsTaken(_) => {
            "it was asked in another workspace than yours, where Muster does not know you".to_owned()
        }
    };
    let waits = looked(run, view).map(Line::spans);
    refusal("You cannot close this review", vec![prose(&sentence(&why))], waits.into_iter().collect())
}

/// A channel that has to be told cannot be: nothing is proposed.
#[must_use]
pub fn cannot_tell(channel: &str, shared: bool) -> Card {
    let why = if shared { "is shared with another organisation" } else { "does not have me as a member" };
    refusal(
        "Nobody can be told that rules are overridden, so nothing was run",
        vec![say("The policy names ").code(channel).plain(format!(", which {why}.")).spans()],
        vec![
            say("Invite me there, or change ")
                .code("notify")
                .plain(" under ")
                .code("[break_glass]")
                .plain(" of the policy.")
                .spans(),
        ],
    )
}
