//! What is said beside a field, above a form that stands there once more, or in place of a form that cannot be.

use crate::domain::{RunId, RunbookName};
use crate::message::refusal::refusal;
use crate::message::words::{cut, prose, say};
use crate::message::{Button, Card, Style, Tone, Verb, View};

/// Above the form, after the runbook's file was changed under it.
#[must_use]
pub fn changed() -> String {
    "This runbook was changed while you filled it in. Look at it once more, then press Run.".to_owned()
}

/// Beside a field, after the runbook was taken away.
#[must_use]
pub fn removed(runbook: &RunbookName, view: &View) -> String {
    format!("{runbook} was removed meanwhile, so nothing was run: close this and type {} list.", view.command)
}

/// Beside the field of the picker.
#[must_use]
pub fn cannot_run(view: &View) -> String {
    format!("There is nothing you may run it on: choose another one, or see {} list.", view.command)
}

/// Nothing is offered before it is known who the person is.
#[must_use]
pub fn not_yet() -> String {
    "I am still looking up what you may run: wait a second and press the button again.".to_owned()
}

/// Beside the accounts: the policy, or who the person is, has changed since they were offered.
#[must_use]
pub fn not_offered(names: &[String]) -> String {
    format!("You may not, or no longer, run it in {}: take it out.", crate::message::words::some(names, 5))
}

/// Beside a field whose value would stand on the card for everybody.
#[must_use]
pub fn secret() -> String {
    "That looks like a secret, and everybody could read it on the card: let the node read it itself.".to_owned()
}

#[must_use]
pub fn no_channel() -> String {
    "Choose a channel: the run's card has to stand somewhere.".to_owned()
}

fn pick(nobody: RunId) -> Button {
    Button { verb: Verb::Pick, label: "Pick a runbook".to_owned(), style: Style::Primary, run: nobody, revision: 0 }
}

/// Somebody said the bot's name and nothing else. `nobody` is the id of no run.
#[must_use]
pub fn mentioned(nobody: RunId) -> Card {
    let body = say("Press the button for a form, or type for example ")
        .code("status")
        .plain(" or ")
        .code("help")
        .plain(" behind my name.");
    Card {
        tone: Tone::Neutral,
        title: "What shall I run?".to_owned(),
        blocks: vec![body.text()],
        buttons: vec![pick(nobody)],
    }
}

/// A form could not be opened. The button is worth a new try, the command works whatever the platform does.
#[must_use]
pub fn not_opened(cause: &str, runbook: Option<&RunbookName>, nobody: RunId, view: &View) -> Card {
    let c = &view.command;
    let instead = match runbook {
        Some(name) => say("Or type it: ").code(format!("{c} show {name}")).plain(" tells how."),
        None => say("Or type it: ")
            .code(format!("{c} list"))
            .plain(" shows what you may run, ")
            .code(format!("{c} help"))
            .plain(" how."),
    };
    Card {
        buttons: vec![pick(nobody)],
        ..refusal(
            "The form could not be opened",
            vec![prose(cause)],
            vec![say("Press the button to try again.").spans(), instead.spans()],
        )
    }
}

/// The platform gives a few seconds to open a form; Muster was down, or too slow.
#[must_use]
pub fn too_late() -> String {
    "the platform gives three seconds to open a form, and they had passed when I came to it".to_owned()
}

/// A form that was taken does not fit the rules any more, such as after a restart with others.
#[must_use]
pub fn outdated(faults: &[String], nobody: RunId) -> Card {
    let reasons = faults.iter().map(|fault| say("• ").plain(cut(fault, 300)).spans()).collect();
    Card {
        buttons: vec![pick(nobody)],
        ..refusal(
            "What you filled in no longer fits: nothing was run",
            reasons,
            vec![say("Fill it in once more.").spans()],
        )
    }
}
