//! [`Card`] -> Block Kit, with slack-morphism's models.
//!
//! Text of people and machines goes into rich text and plain text elements, which Slack never parses: there is
//! nothing to escape, so nothing can ping, link or format. mrkdwn is used where Slack offers nothing else (small print
//! with a mention in it, and the fallbacks), escaped and `verbatim`. Fields are rich text too, not section fields:
//! those take mrkdwn only, which has no escape for its own formatting characters.
//!
//! Limits (Block Kit reference; the sum over a message is undocumented, 12,000 to 13,300 were seen): a message that
//! is over them is cut here with an explicit note. That is a last resort; `message::fit` makes cards that fit.

use slack_morphism::prelude::*;

use crate::domain::{ChatPlatform, Timestamp};
use crate::message::{Block, Button, Card, Chart, Span, Style, Table, drawn};

use super::fallback::{marked, plain, text_only};
use super::text::{clean, cut, escape};
use crate::message::reference::{ActionRef, word};

/// Characters of block text in one message; Slack refuses somewhere above 12,000.
pub(super) const TEXT_BUDGET: usize = 9_000;
/// Blocks in one message; Slack takes 50, two are kept for the note and the buttons.
const BLOCKS_MAX: usize = 48;
pub(super) const SECTION_MAX: usize = 3_000;
const CONTEXT_MAX: usize = 2_000;
pub(super) const HEADER_MAX: usize = 150;
const LABEL_MAX: usize = 75;
const ACTIONS_MAX: usize = 25;
/// Of one message.
const TABLES_MAX: usize = 1;
const CHARTS_MAX: usize = 2;
const ROWS_MAX: usize = 100;
const COLUMNS_MAX: usize = 20;
const BARS_MAX: usize = 20;
const BAR_LABEL_MAX: usize = 20;
const CHART_TITLE_MAX: usize = 50;
/// The notification's text, and all of the last rung; Slack refuses it in `chat.update` from about 4,000.
pub(super) const TEXT_MAX: usize = 3_500;

/// How much of Slack's layout a message uses. Where Slack refuses one rung the next is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rung {
    /// With Slack's own tables and charts, which came in August 2025 and June 2026 and which not every workspace has.
    Full,
    /// Those drawn in letters.
    Rich,
    /// Section blocks only.
    Plain,
    /// No blocks at all.
    Text,
}

impl Rung {
    /// The highest one that makes a difference.
    pub(super) fn first(card: &Card) -> Rung {
        let drawn = card.blocks.iter().any(|block| matches!(block, Block::Table(_) | Block::Chart(_)));
        if drawn { Rung::Full } else { Rung::Rich }
    }
    pub(super) fn next(self) -> Option<Rung> {
        match self {
            Rung::Full => Some(Rung::Rich),
            Rung::Rich => Some(Rung::Plain),
            Rung::Plain => Some(Rung::Text),
            Rung::Text => None,
        }
    }
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Rung::Full => "full",
            Rung::Rich => "rich",
            Rung::Plain => "plain",
            Rung::Text => "text",
        }
    }
}

/// A card as Slack shows it. `blocks` is empty on the last rung.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rendered {
    pub text: String,
    pub blocks: Vec<SlackBlock>,
}

pub(super) fn card(card: &Card, rung: Rung) -> Rendered {
    let title = format!("{} {}", card.tone.sign(), clean(&card.title, false));
    match rung {
        Rung::Full => Rendered { text: notice(&title), blocks: blocks(card, &title, full) },
        Rung::Rich => Rendered { text: notice(&title), blocks: blocks(card, &title, rich) },
        Rung::Plain => Rendered { text: notice(&title), blocks: blocks(card, &title, plain) },
        Rung::Text => Rendered { text: text_only(card, &title), blocks: Vec::new() },
    }
}

/// The top-level `text`: what a notification shows. Slack parses it, so it is escaped.
pub(super) fn notice(title: &str) -> String {
    escape(&cut(title, TEXT_MAX / 5))
}

/// What is left of the budget. Counts what the message could not hold, so that the note can say it.
pub(super) struct Room {
    pub left: usize,
    pub cut: usize,
    /// Slack's own tables and charts that the message may still hold.
    pub tables: usize,
    pub charts: usize,
}

impl Room {
    pub(super) fn of(left: usize) -> Room {
        Room { left, cut: 0, tables: TABLES_MAX, charts: CHARTS_MAX }
    }

    /// As much of `text` as there is room for.
    pub(super) fn take(&mut self, text: &str) -> String {
        let length = text.chars().count();
        if length <= self.left {
            self.left -= length;
            return text.to_owned();
        }
        let kept: String = text.chars().take(self.left).collect();
        self.cut += length - self.left;
        self.left = 0;
        kept
    }
}

/// How often each `action_id` was given: Slack wants them unique within a message or view.
pub(super) type Seen = std::collections::HashMap<&'static str, usize>;

/// A card as one part of a page that holds several.
pub(super) fn section_of_home(card: &Card, seen: &mut Seen) -> Vec<SlackBlock> {
    let title = format!("{} {}", card.tone.sign(), clean(&card.title, false));
    blocks_beside(card, &title, rich, seen)
}

fn blocks(card: &Card, title: &str, one: fn(&Block, &mut Room) -> Vec<SlackBlock>) -> Vec<SlackBlock> {
    blocks_beside(card, title, one, &mut Seen::new())
}

fn blocks_beside(
    card: &Card,
    title: &str,
    one: fn(&Block, &mut Room) -> Vec<SlackBlock>,
    seen: &mut Seen,
) -> Vec<SlackBlock> {
    let header = plain_text(&cut(title, HEADER_MAX));
    let mut blocks = vec![SlackBlock::Header(SlackHeaderBlock::new(header))];
    let actions = actions(&card.buttons, seen);
    let labels: usize = card.buttons.iter().map(|b| b.label.chars().count().min(LABEL_MAX)).sum();
    let mut room = Room::of(TEXT_BUDGET.saturating_sub(HEADER_MAX + labels + CUT_NOTE_MAX));
    let most = BLOCKS_MAX - actions.len().min(BLOCKS_MAX - 2);
    let mut lost = 0;
    for block in &card.blocks {
        let rendered = one(block, &mut room);
        if blocks.len() + rendered.len() > most {
            lost += 1;
        } else {
            blocks.extend(rendered);
        }
    }
    if room.cut > 0 || lost > 0 {
        metrics::counter!("muster_slack_cards_cut_total").increment(1);
        blocks.push(note(&cut_note(room.cut, lost)));
    }
    blocks.extend(actions);
    blocks
}

pub(super) const CUT_NOTE_MAX: usize = 120;

pub(super) fn cut_note(characters: usize, parts: usize) -> String {
    match (characters, parts) {
        (0, parts) => format!("… cut: {parts} more parts do not fit into one Slack message"),
        (characters, 0) => format!("… cut: {characters} more characters do not fit into one Slack message"),
        (characters, parts) => {
            format!("… cut: {characters} more characters and {parts} more parts do not fit into one Slack message")
        }
    }
}

pub(super) fn plain_text(text: &str) -> SlackBlockPlainTextOnly {
    // `emoji: false`: a `:word:` of machine text stays what it is.
    SlackBlockPlainText::new(text.to_owned()).with_emoji(false).into()
}

/// One line for a place that must not be empty: Slack refuses blank labels.
pub(super) fn label(text: &str, instead: &str, max: usize) -> SlackBlockPlainTextOnly {
    let text = clean(text, false);
    plain_text(&cut(if text.trim().is_empty() { instead } else { text.trim() }, max))
}

pub(super) fn note(text: &str) -> SlackBlock {
    let text = SlackBlockPlainText::new(text.to_owned()).with_emoji(false);
    SlackBlock::Context(SlackContextBlock::new(vec![SlackContextBlockElement::Plain(text)]))
}

fn full(block: &Block, room: &mut Room) -> Vec<SlackBlock> {
    let own = match block {
        Block::Table(table) => own_table(table, room),
        Block::Chart(chart) => own_chart(chart, room),
        Block::Text(_) | Block::Fields(_) | Block::Code(_) | Block::Note(_) | Block::Divider => None,
    };
    own.map_or_else(|| rich(block, room), |block| vec![block])
}

/// Slack's table, where all of it is under the limits (Block Kit reference, Table block).
fn own_table(table: &Table, room: &mut Room) -> Option<SlackBlock> {
    let all = || std::iter::once(&table.head).chain(&table.rows);
    let length: usize = all().flatten().map(|cell| cell.chars().count()).sum();
    let columns = table.head.len();
    let fits = (1..=COLUMNS_MAX).contains(&columns)
        && table.rows.len() < ROWS_MAX
        && all().all(|row| row.len() == columns)
        && length <= room.left;
    if !fits || room.tables == 0 {
        return None;
    }
    room.tables -= 1;
    room.left -= length;
    // Slack takes no empty cell.
    let cell = |text: &String| {
        let text = clean(text, false);
        SlackTableCell::from(if text.trim().is_empty() { "–".to_owned() } else { text })
    };
    let rows = all().map(|row| row.iter().map(cell).collect()).collect();
    Some(SlackTableBlock::new(rows).into())
}

/// Slack's bar chart, where all of it is under the limits (Block Kit reference, Data visualization block).
fn own_chart(chart: &Chart, room: &mut Room) -> Option<SlackBlock> {
    let labels: std::collections::BTreeSet<String> = chart.bars.iter().map(|(label, _)| clean(label, false)).collect();
    let fits = (1..=BARS_MAX).contains(&chart.bars.len())
        && labels.len() == chart.bars.len()
        && labels.iter().all(|label| !label.trim().is_empty() && label.chars().count() <= BAR_LABEL_MAX);
    if !fits || room.charts == 0 {
        return None;
    }
    room.charts -= 1;
    let point = |(label, n): &(String, u32)| SlackChartDataPoint {
        label: clean(label, false),
        value: serde_json::Number::from(*n),
    };
    let series = SlackChartDataSeries::new("nodes".to_owned(), chart.bars.iter().map(point).collect());
    let categories = chart.bars.iter().map(|(label, _)| clean(label, false)).collect();
    let axes = SlackChartAxisConfig::new(categories);
    let title = cut(&clean(&chart.title, false), CHART_TITLE_MAX);
    let bars = SlackChart::Bar(SlackSeriesChart::new(vec![series], axes));
    Some(SlackDataVisualizationBlock::new(title, bars).into())
}

fn rich(block: &Block, room: &mut Room) -> Vec<SlackBlock> {
    match block {
        Block::Text(spans) => section(inline(spans, room)),
        Block::Fields(fields) => section(fields_inline(fields, room)),
        Block::Code(text) => preformatted(text, room),
        Block::Note(spans) => small_print(spans, room),
        Block::Table(table) => preformatted(&drawn::table(table), room),
        Block::Chart(chart) => preformatted(&drawn::chart(chart), room),
        Block::Divider => vec![SlackBlock::Divider(SlackDividerBlock::new())],
    }
}

pub(super) fn section(elements: Vec<SlackRichTextInlineElement>) -> Vec<SlackBlock> {
    if elements.is_empty() {
        return Vec::new();
    }
    rich_text(SlackRichTextElement::Section(SlackRichTextSection::new(elements)))
}

fn rich_text(element: SlackRichTextElement) -> Vec<SlackBlock> {
    vec![SlackBlock::RichText(SlackRichTextBlock::new(vec![element]))]
}

fn preformatted(text: &str, room: &mut Room) -> Vec<SlackBlock> {
    let text = room.take(clean(text, true).trim_end_matches('\n'));
    if text.trim().is_empty() {
        return Vec::new();
    }
    let element = SlackRichTextInlineElement::Text(SlackRichTextText::new(text));
    rich_text(SlackRichTextElement::Preformatted(SlackRichTextPreformatted::new(vec![element])))
}

/// Rich text elements; empty ones are left out, Slack refuses them.
pub(super) fn inline(spans: &[Span], room: &mut Room) -> Vec<SlackRichTextInlineElement> {
    spans.iter().filter_map(|span| element(span, room)).collect()
}

fn words(text: &str, room: &mut Room) -> Option<SlackRichTextText> {
    let text = room.take(&clean(text, true));
    (!text.is_empty()).then(|| SlackRichTextText::new(text))
}

fn element(span: &Span, room: &mut Room) -> Option<SlackRichTextInlineElement> {
    Some(match span {
        Span::Plain(text) => words(text, room)?.into(),
        Span::Bold(text) => words(text, room)?.bold().into(),
        Span::Code(text) => words(text, room)?.code().into(),
        Span::Link { url, text } => match web_address(url) {
            Some(url) => {
                let shown = room.take(&clean(text, false));
                let link = SlackRichTextLink::new(SlackRelaxedUrl(url));
                if shown.is_empty() { link.into() } else { link.with_text(shown).into() }
            }
            None => words(text, room)?.into(),
        },
        Span::Person(person) => match slack_id(person.platform, &person.user) {
            Some(id) => SlackRichTextUser::new(SlackUserId(id)).into(),
            None => words(&clean(&person.to_string(), false), room)?.into(),
        },
        Span::Group { group, name } => match group.as_ref().and_then(|g| slack_id(g.platform, &g.group)) {
            Some(id) => SlackRichTextUserGroup::new(SlackUserGroupId(id)).into(),
            None => words(&format!("@{name}"), room)?.into(),
        },
        Span::When(at) => SlackRichTextInlineElement::Unknown(serde_json::json!({
            "type": "date",
            "timestamp": at.as_second(),
            "format": DATE_FORMAT,
            "fallback": in_utc(*at),
        })),
    })
}

pub(super) const DATE_FORMAT: &str = "{date_short_pretty} {time}";

pub(super) fn in_utc(at: Timestamp) -> String {
    format!("{} UTC", at.strftime("%Y-%m-%d %H:%M"))
}

/// One line per field: label in bold, then its value.
fn fields_inline(fields: &[(String, Vec<Span>)], room: &mut Room) -> Vec<SlackRichTextInlineElement> {
    let mut elements = Vec::new();
    for (label, value) in fields {
        if !elements.is_empty() {
            elements.push("\n".into());
        }
        if let Some(label) = words(&format!("{label}:"), room) {
            elements.push(label.bold().into());
            elements.push(" ".into());
        }
        elements.extend(inline(value, room));
    }
    elements
}

/// Plain text where that says it all; mrkdwn where a mention, link or time stands in it.
fn small_print(spans: &[Span], room: &mut Room) -> Vec<SlackBlock> {
    let plain_only = spans.iter().all(|s| match s {
        Span::Plain(_) => true,
        Span::Bold(_) | Span::Code(_) | Span::Link { .. } | Span::Person(_) | Span::Group { .. } | Span::When(_) => {
            false
        }
    });
    if plain_only {
        let text: String = spans.iter().map(span_text).collect();
        let text = room.take(&cut(&clean(&text, true), CONTEXT_MAX));
        return if text.trim().is_empty() { Vec::new() } else { vec![note(&text)] };
    }
    let text = marked(spans, room, CONTEXT_MAX);
    if text.trim().is_empty() {
        return Vec::new();
    }
    let text = SlackBlockMarkDownText::new(text).with_verbatim(true);
    vec![SlackBlock::Context(SlackContextBlock::new(vec![SlackContextBlockElement::MarkDown(text)]))]
}

pub(super) fn span_text(span: &Span) -> String {
    match span {
        Span::Plain(text) | Span::Bold(text) | Span::Code(text) => clean(text, true),
        Span::Link { url, text } => format!("{} ({})", clean(text, false), clean(url, false)),
        Span::Person(person) => clean(&person.to_string(), false),
        Span::Group { name, .. } => format!("@{}", clean(name, false)),
        Span::When(at) => in_utc(*at),
    }
}

/// An id that Slack itself could have made; anything else is shown as text.
pub(super) fn slack_id(platform: ChatPlatform, id: &str) -> Option<String> {
    let good = platform == ChatPlatform::Slack && !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    good.then(|| id.to_owned())
}

/// An http(s) address that cannot break out of the place where it stands.
pub(super) fn web_address(url: &str) -> Option<String> {
    let good = (url.starts_with("https://") || url.starts_with("http://"))
        && url.len() <= 3_000
        && url.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '|' | '"' | '\\' | '`'));
    good.then(|| url.to_owned())
}

fn actions(buttons: &[Button], seen: &mut Seen) -> Vec<SlackBlock> {
    let elements: Vec<SlackActionBlockElement> = buttons
        .iter()
        .map(|button| {
            let verb = word(button.verb);
            let count = seen.entry(verb).and_modify(|n| *n += 1).or_insert(1);
            let id = if *count == 1 { verb.to_owned() } else { format!("{verb}-{count}") };
            let reference = ActionRef { verb: button.verb, run: button.run, revision: button.revision };
            let element = SlackBlockButtonElement::new(label(&button.label, &verb.replace('_', " "), LABEL_MAX))
                .with_action_id(SlackActionId(id))
                .with_value(reference.to_string());
            match button.style {
                Style::Plain => element,
                Style::Primary => element.with_style(SlackBlockButtonStyle::Primary),
                Style::Danger => element.with_style(SlackBlockButtonStyle::Danger),
            }
            .into()
        })
        .collect();
    elements.chunks(ACTIONS_MAX).map(|row| SlackBlock::Actions(SlackActionsBlock::new(row.to_vec()))).collect()
}

#[cfg(test)]
mod tests;
