//! What waits for a person's yes or no, and what of the person's own waits for somebody.

use crate::run::HoldCause;

use super::home::Told;
use super::root::{expires, open_seats, seats};
use super::verdict::subject;
use super::words::{Line, count, lines, number, say, size};
use super::{Block, Card, Span, Tone, View};

/// Requests told one by one.
pub const TOLD_MAX: usize = 15;

/// `waiting`: for this person; `mine`: of this person, for somebody. The oldest of each, and how many there are in all.
#[must_use]
pub fn approvals(waiting: (&[Told], usize), mine: (&[Told], usize), view: &View) -> Card {
    let n = size(waiting.1);
    let (tone, title) = match n {
        0 => (Tone::Neutral, "Nothing waits for your approval".to_owned()),
        1 => (Tone::Waiting, "1 request waits for you".to_owned()),
        n => (Tone::Waiting, format!("{} wait for you", count(n, "request"))),
    };
    let mut blocks = Vec::new();
    if !waiting.0.is_empty() {
        blocks.push(told(waiting));
    }
    if !mine.0.is_empty() {
        blocks.push(Line::default().bold("Of yours").text());
        blocks.push(told(mine));
    }
    if blocks.is_empty() {
        blocks.push(say("What is going on: ").code(format!("{} status", view.command)).note());
    }
    Card { tone, title, blocks, buttons: Vec::new() }
}

fn told((some, all): (&[Told], usize)) -> Block {
    let mut told: Vec<Line> = some.iter().take(TOLD_MAX).map(request).collect();
    if all > told.len() {
        told.push(say(format!("and {} more", number(size(all - told.len())))));
    }
    Block::Text(lines(told))
}

fn request(told: &Told) -> Line {
    let run = &told.run;
    let p = &run.proposal;
    let mut line = Line::default()
        .code(told.short.clone())
        .plain(format!(" {}, asked by ", subject(p.plan.runbook.as_str(), size(p.plan.targets.len()))))
        .person(&p.by);
    if run.owes_review() {
        let line = line.plain(": needs a review");
        let line = super::glass::rules(run).map_or(line.clone(), |rules| line.plain(", it ").then(rules));
        return linked(line, told);
    }
    line = match run.hold() {
        Some(hold) => {
            let what = match hold.cause {
                HoldCause::WayBack => "roll back?",
                HoldCause::Wave { .. } | HoldCause::Gate { .. } => "go on?",
            };
            line.plain(format!(": held, {what} Until ")).when(hold.until)
        }
        None => {
            let line = line.plain(format!(": needs {}", seats(&open_seats(run))));
            expires(run).map_or(line.clone(), |at| line.plain(", expires ").when(at))
        }
    };
    linked(line, told)
}

fn linked(line: Line, told: &Told) -> Line {
    match &told.link {
        Some(url) => line.plain(" · ").span(Span::Link { url: url.clone(), text: "read it".to_owned() }),
        None => line,
    }
}
