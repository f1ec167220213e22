//! What is left of a card when Slack refuses its layout: plain sections first, then one text.
//!
//! Both are mrkdwn, which has no escape for its formatting characters: they are held apart from the words instead, and
//! backticks are replaced by a look-alike, because one could swallow what stands behind it.

use slack_morphism::prelude::*;

use crate::message::{Block, Card, Span, drawn};

use super::render::{
    CUT_NOTE_MAX, DATE_FORMAT, HEADER_MAX, Room, SECTION_MAX, TEXT_MAX, cut_note, in_utc, notice, slack_id, span_text,
    web_address,
};
use super::text::{clean, cut, escape, mrkdwn};

pub(super) fn plain(block: &Block, room: &mut Room) -> Vec<SlackBlock> {
    if matches!(block, Block::Divider) {
        return vec![SlackBlock::Divider(SlackDividerBlock::new())];
    }
    let text = block_mrkdwn(block, room);
    if text.trim().is_empty() {
        return Vec::new();
    }
    if text.chars().count() > SECTION_MAX {
        // Markup must not be cut in two, so what is too long for one section loses it.
        let bare = SlackBlockPlainText::new(cut(&block_text(block), SECTION_MAX)).with_emoji(false);
        room.cut += text.chars().count() - SECTION_MAX;
        return vec![SlackBlock::Section(SlackSectionBlock::new().with_text(SlackBlockText::Plain(bare)))];
    }
    let text = SlackBlockMarkDownText::new(text).with_verbatim(true);
    vec![SlackBlock::Section(SlackSectionBlock::new().with_text(SlackBlockText::MarkDown(text)))]
}

fn block_mrkdwn(block: &Block, room: &mut Room) -> String {
    match block {
        Block::Divider => String::new(),
        Block::Text(spans) | Block::Note(spans) => marked(spans, room, SECTION_MAX),
        Block::Fields(fields) => fields
            .iter()
            .map(|(label, value)| {
                format!("{}: {}", mrkdwn(&room.take(&clean(label, false))), marked(value, room, SECTION_MAX))
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Block::Code(text) => fenced(text, room),
        Block::Table(table) => fenced(&drawn::table(table), room),
        Block::Chart(chart) => fenced(&drawn::chart(chart), room),
    }
}

/// A fence that its content cannot close.
fn fenced(text: &str, room: &mut Room) -> String {
    let text = room.take(clean(text, true).trim_end_matches('\n')).replace('`', "\u{02CB}");
    if text.is_empty() { text } else { format!("```\n{}\n```", escape(&text)) }
}

/// Spans as mrkdwn of at most `max` characters; what is over it is counted as cut.
pub(super) fn marked(spans: &[Span], room: &mut Room, max: usize) -> String {
    let mut out = String::new();
    for span in spans {
        let piece = match span {
            Span::Plain(text) => mrkdwn(&room.take(&clean(text, true))),
            Span::Bold(text) => wrapped(text, '*', room),
            Span::Code(text) => wrapped(text, '`', room),
            Span::Link { url, text } => match web_address(url) {
                Some(url) => format!("<{url}|{}>", mrkdwn(&room.take(&clean(text, false))).replace('|', "¦")),
                None => mrkdwn(&room.take(&clean(text, true))),
            },
            Span::Person(person) => match slack_id(person.platform, &person.user) {
                Some(id) => format!("<@{id}>"),
                None => mrkdwn(&clean(&person.to_string(), false)),
            },
            Span::Group { group, name } => match group.as_ref().and_then(|g| slack_id(g.platform, &g.group)) {
                Some(id) => format!("<!subteam^{id}>"),
                None => mrkdwn(&format!("@{}", clean(name, false))),
            },
            Span::When(at) => format!("<!date^{}^{DATE_FORMAT}|{}>", at.as_second(), in_utc(*at)),
        };
        let length = piece.chars().count();
        if out.chars().count() + length > max {
            room.cut += length;
        } else {
            out.push_str(&piece);
        }
    }
    out
}

/// Between two markers, where the text is on one line and leaves the markers words to stand against.
fn wrapped(text: &str, marker: char, room: &mut Room) -> String {
    let text = mrkdwn(&room.take(&clean(text, false)));
    if text.trim().is_empty() || text.trim() != text { text } else { format!("{marker}{text}{marker}") }
}

pub(super) fn text_only(card: &Card, title: &str) -> String {
    // Escapes make text up to five times as long, which only the result shows.
    [TEXT_MAX, TEXT_MAX / 2, TEXT_MAX / 4, TEXT_MAX / 8]
        .into_iter()
        .map(|budget| {
            let mut room = Room::of(budget.saturating_sub(CUT_NOTE_MAX));
            let mut parts = vec![mrkdwn(&room.take(&cut(title, HEADER_MAX)))];
            parts
                .extend(card.blocks.iter().map(|block| block_mrkdwn(block, &mut room)).filter(|text| !text.is_empty()));
            if room.cut > 0 {
                parts.push(cut_note(room.cut, 0));
            }
            if !card.buttons.is_empty() {
                parts.push("Slack refused the layout of this message, so its buttons are missing.".into());
            }
            parts.join("\n")
        })
        .find(|text| text.chars().count() <= TEXT_MAX)
        .unwrap_or_else(|| notice(title))
}

/// A block's words without any markup.
fn block_text(block: &Block) -> String {
    match block {
        Block::Text(spans) | Block::Note(spans) => spans.iter().map(span_text).collect(),
        Block::Fields(fields) => fields
            .iter()
            .map(|(label, value)| {
                format!("{}: {}", clean(label, false), value.iter().map(span_text).collect::<String>())
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Block::Code(text) => clean(text, true),
        Block::Table(table) => clean(&drawn::table(table), true),
        Block::Chart(chart) => clean(&drawn::chart(chart), true),
        Block::Divider => String::new(),
    }
}
