//! Going on where a run left off: the buttons that offer it, and why it cannot be.

use crate::domain::{RunId, RunbookName};
use crate::run::{Run, Which};

use super::refusal::refusal;
use super::words::{Line, count, nodes, number, say, size, were};
use super::{Button, Card, Style, Verb, View};

/// What can be pressed on a run that is over and did not succeed everywhere.
pub(super) fn buttons(run: &Run) -> Vec<Button> {
    let button = |verb, label: String, style| Button { verb, label, style, run: run.id, revision: run.revision };
    let failed = size(run.left(Which::Failed).len());
    let not_started = size(run.left(Which::NotStarted).len());
    let mut buttons = Vec::new();
    let part = |n: u32| n > 0 && n < run.counts.total;
    if part(failed) {
        buttons.push(button(Verb::RetryFailed, format!("Retry the {} failed", number(failed)), Style::Primary));
    }
    if part(not_started) {
        let label = format!("Run the {} not started", number(not_started));
        buttons.push(button(Verb::RetryNotStarted, label, Style::Plain));
    }
    buttons.push(button(Verb::RunAgain, "Run again".to_owned(), Style::Plain));
    buttons
}

/// `2 failed of r-7F3K (try 2)`.
pub(super) fn origin(run: &Run) -> Option<Line> {
    let retry = run.proposal.retry.as_ref()?;
    let which = match retry.which {
        Which::Failed => "what failed",
        Which::NotStarted => "what was not started",
        Which::Retryable => "what did not succeed and is known not to be running",
    };
    let mut line = say(format!("Try {}: ", number(retry.attempt))).plain(which).plain(" of ").code(name(retry.of));
    if !retry.sealed.is_empty() {
        line = line.plain(", covered by its approval");
    }
    Some(line)
}

fn name(run: RunId) -> String {
    run.short(6)
}

/// It still goes on.
#[must_use]
pub fn still_running(run: &Run, view: &View) -> Card {
    let left = nodes(run.counts.pending());
    let has = if run.counts.pending() == 1 { "has" } else { "have" };
    refusal(
        "It still goes on, so nothing was started",
        vec![say(format!("{left} {has} not ended yet; what is left to retry is known when it is over.")).spans()],
        vec![
            say("How it stands: ").code(format!("{} status {}", view.command, view.short)).spans(),
            say("End it now: ").code(format!("{} cancel {}", view.command, view.short)).spans(),
        ],
    )
}

/// Nothing of the run fits the word.
#[must_use]
pub fn nothing_left(run: &Run, which: Which, view: &View) -> Card {
    let others = Which::ALL.into_iter().filter(|w| *w != which).map(|w| (w, size(run.left(w).len())));
    let others: Vec<_> = others.filter(|(_, n)| *n > 0).collect();
    let mut remedies: Vec<_> = others
        .iter()
        .map(|(w, n)| {
            say(format!("{}: ", nodes(*n)))
                .code(format!("{} retry {} {}", view.command, view.short, w.as_str()))
                .spans()
        })
        .collect();
    if remedies.is_empty() {
        remedies.push(
            say("Every node succeeded. To run it on all of them again, press ")
                .bold("Run again")
                .plain(" on its card.")
                .spans(),
        );
    }
    let told = Line::default().code(which.as_str()).plain(match which {
        Which::Failed => " means nodes that failed, timed out, could not be reached, or ended without a known result.",
        Which::NotStarted => " means nodes that nothing was sent to.",
        Which::Retryable => {
            " means nodes that did not succeed and of which it is known what happened; one that may still have run is \
             looked at first."
        }
    });
    refusal(format!("Nothing of {} is {}", view.short, which.as_str()), vec![told.spans()], remedies)
}

/// Accounts, nodes or tags have changed: none of the targets is there any more.
#[must_use]
pub fn gone(targets: u32, view: &View) -> Card {
    refusal(
        "None of those nodes is there any more, so nothing was started",
        vec![
            say(format!(
                "{} of {} {} looked for: their accounts are no longer configured, SSM no longer knows them, or they \
                 no longer match what was asked then.",
                count(targets, "target"),
                view.short,
                were(targets)
            ))
            .spans(),
        ],
        vec![
            say("See what is there: ")
                .code(format!("{} accounts", view.command))
                .plain(" and ")
                .code(format!("{} targets …", view.command))
                .spans(),
        ],
    )
}

/// The runbook is not the one that ran then.
#[must_use]
pub fn changed(runbook: &RunbookName, view: &View) -> Card {
    refusal(
        "The runbook has changed since that run, so nothing was started",
        vec![
            Line::default()
                .code(runbook.as_str())
                .plain(" is not the text that ran then; a retry runs the very same.")
                .spans(),
        ],
        vec![
            say("Read it: ").code(format!("{} show {runbook}", view.command)).spans(),
            say("Run what it is today: press ").bold("Run again").plain(" on the card of that run.").spans(),
        ],
    )
}

/// The runbook is not there any more.
#[must_use]
pub fn removed(runbook: &RunbookName, view: &View) -> Card {
    refusal(
        "That runbook does not exist any more, so nothing was started",
        vec![Line::default().code(runbook.as_str()).plain(" was taken out of the runbooks since that run.").spans()],
        vec![say("What you may run: ").code(format!("{} list", view.command)).spans()],
    )
}
