//! What the bot says when it, or what it depends on, has a problem: what, and what to do.

use crate::domain::Millis;
use crate::domain::selector::Doubt;

use super::browse::said;
use super::refusal::refusal;
use super::words::{count, prose, say, sentence};
use super::{Card, Tone, View};

/// Groups cannot be read, so nobody is allowed anything: better closed than open.
#[must_use]
pub fn directory_down(cause: &str) -> Card {
    refusal(
        "I cannot see who you are right now, so nothing was run",
        vec![prose(cause)],
        vec![say("Try again in a minute.").spans()],
    )
}

/// The root card was refused, so the run was not started.
#[must_use]
pub fn cannot_post(cause: &str) -> Card {
    refusal(
        "I could not post where you asked, so nothing was run",
        vec![prose(&sentence(cause))],
        vec![say("Then type the command once more.").spans()],
    )
}

/// A request that lay unread for so long is not started behind anybody's back.
#[must_use]
pub fn was_away(waited: jiff::SignedDuration) -> Card {
    let waited = Millis(u64::try_from(waited.as_millis()).unwrap_or_default());
    refusal(
        "I was away, so nothing was run",
        vec![say(format!("Your command waited {waited} until I came back.")).spans()],
        vec![say("Type it again if you still want it.").spans()],
    )
}

/// A value that is a secret would stand in the plan, on the card and in the journal for ever.
#[must_use]
pub fn secret_argument(name: &str) -> Card {
    refusal(
        "That looks like a secret: nothing was run",
        vec![say("The value of ").code(name).plain(" would stand on the card and in the journal for everybody to read.").spans()],
        vec![say("Let the node read it itself, from Secrets Manager or Parameter Store. If it is a real secret, change it now: it was typed into chat.").spans()],
    )
}

/// The trigger of a form lives for three seconds.
#[must_use]
pub fn form_not_opened(cause: &str) -> Card {
    refusal("The form could not be opened", vec![prose(cause)], vec![say("Click the button once more.").spans()])
}

/// A message for others could not be posted.
#[must_use]
pub fn not_posted(cause: &str) -> Card {
    refusal("I could not ask in the channel", vec![prose(cause)], vec![say("Click the button once more.").spans()])
}

/// Nothing was sent yet.
#[must_use]
pub fn no_output_yet(view: &View) -> Card {
    let status = format!("{} status {}", view.command, view.short);
    said(
        Tone::Neutral,
        &format!("{} has not started, so there is no output", view.short),
        say("See how far it is: ").code(status).spans(),
    )
}

/// The run is known and what its nodes printed is not: outputs are kept for a limited time.
#[must_use]
pub fn outputs_deleted(kept: std::time::Duration, view: &View) -> Card {
    let status = format!("{} status {}", view.command, view.short);
    let days = count(u32::try_from(kept.as_secs() / 86_400).unwrap_or(u32::MAX), "day");
    said(
        Tone::Neutral,
        &format!("The outputs of {} are no longer kept", view.short),
        say(format!("Outputs are deleted after {days}; how each node ended stays. See it: ")).code(status).spans(),
    )
}

/// Words of a selector that fit none of the accounts. Nothing is guessed: a misspelt `evn!=prod` would match everything.
#[must_use]
pub fn doubts(doubts: &[Doubt], view: &View) -> Card {
    let reasons = doubts.iter().map(|d| say("• ").prose(&format!("{}; {}", d.what, d.remedy)).spans()).collect();
    let doors = vec![say("What there is: ").code(format!("{} accounts", view.command)).spans()];
    refusal("The selector names something that is not there: nothing was run", reasons, doors)
}
