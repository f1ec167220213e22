//! What whoever waits has to hear of while a request waits: short replies in its thread, because an edit of a card
//! notifies nobody.

use crate::run::{Lapsed, Notice, Run};

use super::ask::waiting;
use super::root::{open_seats, seats};
use super::verdict::{TITLE_MAX, subject};
use super::words::{Line, cut, lines, nodes, number, say, size};
use super::{Block, Card, Tone, View};

/// The notice of this number, from 1.
#[must_use]
pub fn notice(run: &Run, nth: u32, view: &View) -> Card {
    let plan = &run.proposal.plan;
    let asked = subject(plan.runbook.as_str(), size(plan.targets.len()));
    let told = run.notices.get((nth as usize).saturating_sub(1));
    let (tone, title, text) = match told {
        Some(Notice::MoreAsked { lapsed }) => {
            let title = if lapsed.is_empty() { "the rules have changed" } else { "an approval no longer counts" };
            let mut told: Vec<Line> = lapsed.iter().map(no_longer).collect();
            told.push(waits(run, view));
            (Tone::Waiting, format!("{asked}: {title}, it waits for {}", seats(&open_seats(run))), told)
        }
        Some(Notice::TooFew) => {
            let can = say("In the groups that are asked there are too few people besides whoever asked.");
            let mut told = vec![can];
            told.extend(escalated(run, view));
            told.push(waits(run, view));
            (Tone::Warning, format!("{asked}: too few people can approve it"), told)
        }
        Some(Notice::HalfTime { .. }) => {
            let mut told = vec![waits(run, view)];
            told.extend(escalated(run, view));
            (Tone::Waiting, format!("{asked}: still waiting for {}", seats(&open_seats(run))), told)
        }
        Some(Notice::Narrowed { by, targets, of }) => {
            let line = Line::default()
                .person(&run.proposal.by)
                .plain(": ")
                .person(by)
                .plain(format!(" agrees to {} of the {}.", number(*targets), nodes(*of)))
                .plain(format!(
                    " The other {} are not run; they can be asked for again. Who had agreed to the whole is asked anew.",
                    number(of - targets)
                ));
            (
                Tone::Warning,
                format!("{}: narrowed to {} of {}", cut(plan.runbook.as_str(), 64), number(*targets), nodes(*of)),
                vec![line],
            )
        }
        None => (Tone::Neutral, asked, Vec::new()),
    };
    Card { tone, title: cut(&title, TITLE_MAX), blocks: vec![Block::Text(lines(text))], buttons: Vec::new() }
}

/// `@arne's approval no longer counts: no longer in a group that is asked.`
pub(super) fn no_longer(lapsed: &Lapsed) -> Line {
    say("The approval of ").person(&lapsed.by).plain(format!(" no longer counts: {}.", lapsed.why))
}

/// Who else is told, by their mention.
fn escalated(run: &Run, view: &View) -> Option<Line> {
    let groups = &run.proposal.asking.escalate;
    let line = groups.iter().enumerate().fold(Line::default(), |line, (i, group)| {
        let line = if i > 0 { line.plain(" and ") } else { line };
        line.then(view.mention(group))
    });
    (!groups.is_empty()).then(|| line.plain(": please find somebody who may approve it."))
}

fn waits(run: &Run, view: &View) -> Line {
    waiting(run, view).plain(". The request stands in this thread.")
}
