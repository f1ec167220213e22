//! A card as plain text, for terminals, logs and files. Nothing is cut.

use crate::domain::Timestamp;

use super::{Block, Card, Span, drawn};

/// The title, then the blocks, then the buttons in brackets. Ends with a line end.
#[must_use]
pub fn render(card: &Card) -> String {
    let mut parts = vec![one_line(&card.title)];
    parts.extend(card.blocks.iter().map(block).filter(|text| !text.is_empty()));
    if !card.buttons.is_empty() {
        parts.push(card.buttons.iter().map(|b| format!("[{}]", b.label)).collect::<Vec<_>>().join(" "));
    }
    parts.join("\n\n") + "\n"
}

fn block(block: &Block) -> String {
    match block {
        Block::Text(spans) => of(spans),
        Block::Note(spans) => format!("({})", of(spans)),
        Block::Code(text) => indented(text),
        Block::Table(table) => indented(&drawn::table(table)),
        Block::Chart(chart) => indented(&drawn::chart(chart)),
        Block::Divider => "-----".to_owned(),
        Block::Fields(fields) => {
            let width = fields.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0) + 1;
            let lines = fields.iter().map(|(label, value)| format!("{:width$} {}", format!("{label}:"), of(value)));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|l| format!("    {}", clean(l))).collect::<Vec<_>>().join("\n")
}

/// Spans without their markup.
#[must_use]
pub fn of(spans: &[Span]) -> String {
    spans.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    match span {
        Span::Plain(text) | Span::Bold(text) => keep_lines(text),
        Span::Code(text) => format!("`{}`", one_line(text)),
        Span::Link { url, text } => format!("{} <{url}>", one_line(text)),
        Span::Person(person) => person.to_string(),
        Span::Group { name, .. } => format!("@{}", one_line(name)),
        Span::When(at) => when(*at),
    }
}

fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Text of machines must not move the cursor of the terminal that shows it.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn one_line(text: &str) -> String {
    clean(&text.replace(['\n', '\r'], " "))
}

fn keep_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}
