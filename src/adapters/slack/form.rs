//! [`Form`] -> a Slack modal, and what a modal remembers until it comes back.

use slack_morphism::prelude::*;

use crate::domain::Place;
use crate::message::Form;

use super::reference::{ActionRef, word};
use super::render::{Room, SECTION_MAX, cut_note, inline, label, note, plain_text, section};

/// A modal. `place` is remembered in it, because Slack does not say where a form that comes back was opened.
pub(super) fn form(form: &Form, place: &Place) -> SlackView {
    let reference = ActionRef { verb: form.verb, run: form.run, revision: form.revision };
    let metadata = FormRef { action: reference, channel: place.channel.clone(), thread: place.thread.clone() };
    let mut room = Room { left: SECTION_MAX, cut: 0 };
    let mut blocks = section(inline(&form.intro, &mut room));
    if room.cut > 0 {
        blocks.push(note(&cut_note(room.cut, 0)));
    }
    for field in &form.fields {
        let input = SlackBlockPlainTextInputElement::new()
            .with_action_id(SlackActionId(field.name.clone()))
            .with_multiline(field.multiline)
            .with_max_length(u64::from(field.max_length.clamp(1, 3_000)));
        let name = label(&field.label, &field.name, 2_000);
        let block = SlackInputBlock::new(name, SlackInputBlockElement::PlainTextInput(input))
            .with_block_id(SlackBlockId(field.name.clone()))
            .with_optional(!field.required);
        blocks.push(SlackBlock::Input(match &field.hint {
            Some(hint) if !hint.trim().is_empty() => block.with_hint(label(hint, "", 2_000)),
            Some(_) | None => block,
        }));
    }
    SlackView::Modal(
        SlackModalView::new(label(&form.title, "Muster", 24), blocks)
            .with_submit(label(&form.submit, "Submit", 24))
            .with_close(plain_text("Cancel"))
            .with_callback_id(SlackCallbackId(word(form.verb).to_owned()))
            .with_private_metadata(metadata.to_string()),
    )
}

/// What a form carries: its action, and the place it was opened from: `v1:<verb>:<run>:<revision> <channel> [<thread>]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FormRef {
    pub action: ActionRef,
    pub channel: String,
    pub thread: Option<String>,
}

impl std::fmt::Display for FormRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.action, self.channel)?;
        self.thread.iter().try_for_each(|thread| write!(f, " {thread}"))
    }
}

impl std::str::FromStr for FormRef {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let action = words.next().ok_or(())?.parse()?;
        let channel = words.next().unwrap_or_default().to_owned();
        let thread = words.next().map(str::to_owned);
        if words.next().is_some() { Err(()) } else { Ok(FormRef { action, channel, thread }) }
    }
}
