//! [`Card`] -> one Discord message: an embed, its buttons, and who may be pinged.
//!
//! An embed's own fields would stand below everything else, so a card's fields are lines of the description and keep
//! their place. Mentions inside an embed ping nobody: whoever a card means to notify stands in the message's `content`,
//! and `allowed_mentions` names exactly them, on a post; on an edit nobody, because an edit must not ring twice.
//!
//! Limits (Discord's documentation of the message and embed objects): title 256, description 4,096, 6,000 over all
//! embeds of a message, `content` 2,000, 5 rows of 5 buttons, label 80. [`message::fit`](crate::message::fit()) brings the
//! card under them, in steps, because escapes make text longer by an amount that only the result shows. Where Discord
//! refuses a message all the same, [`Rung`] is the way down: embed, plain text, title.

use serde_json::{Value, json};
use serenity::builder::{CreateActionRow, CreateAllowedMentions, CreateButton, CreateEmbed, CreateEmbedFooter};
use serenity::model::application::ButtonStyle;
use serenity::model::id::{RoleId, UserId};

use crate::domain::ChatPlatform;
use crate::message::plain::{clean, cut};
use crate::message::reference::{ActionRef, word};
use crate::message::{Block, Button, Card, Limits, Span, Style, Tone, drawn, fit};

use super::custom::{self, About};
use super::ids::snowflake;
use super::text::{code, escape, fenced};

const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 4_096;
/// Characters over all embeds; 6,000 at Discord, with room for the footer.
const SUM_MAX: usize = 5_900;
pub(super) const CONTENT_MAX: usize = 2_000;
const LABEL_MAX: usize = 80;
const ROW: usize = 5;
const ROWS_MAX: usize = 5;
/// Mentions in one message; more persons than this are shown and not rung for.
const PINGS_MAX: usize = 50;
/// Characters of a card, before escapes, that are tried one after the other.
const BUDGETS: [usize; 5] = [5_600, 4_400, 3_200, 2_000, 1_000];

/// How much of Discord's layout a message uses. Where Discord refuses one rung the next is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rung {
    Rich,
    /// No embed.
    Plain,
    /// The title alone.
    Title,
}

impl Rung {
    pub(super) fn next(self) -> Option<Rung> {
        match self {
            Rung::Rich => Some(Rung::Plain),
            Rung::Plain => Some(Rung::Title),
            Rung::Title => None,
        }
    }
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Rung::Rich => "rich",
            Rung::Plain => "plain",
            Rung::Title => "title",
        }
    }
}

/// What a message is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// A new message. The nonce makes Discord take it once; the mark makes it findable for longer.
    Post {
        nonce: &'a str,
        mark: &'a str,
    },
    Edit,
    /// For one person: rings for nobody.
    Whisper,
}

/// The body of a message. `about`: what its buttons name, where its channel is a direct message.
pub(super) fn card(card: &Card, rung: Rung, purpose: Purpose<'_>, about: Option<&About>) -> Value {
    let title = headline(card);
    let mark = match purpose {
        Purpose::Post { mark, .. } => Some(mark),
        Purpose::Edit | Purpose::Whisper => None,
    };
    let pings = Pings::of(card, &purpose);
    let (content, embeds) = match rung {
        Rung::Rich => (pings.text(), embeds(card, &title, mark)),
        Rung::Plain => (plain(card, &title, &pings, mark), Vec::new()),
        Rung::Title => (bare(card, &title, mark), Vec::new()),
    };
    let rows = if rung == Rung::Title { Vec::new() } else { rows(&card.buttons, about) };
    let mut body = json!({
        "content": content,
        "embeds": embeds,
        "components": rows,
        "allowed_mentions": pings.allowed(rung),
    });
    if let Purpose::Post { nonce, .. } = purpose {
        body["nonce"] = json!(nonce);
        body["enforce_nonce"] = json!(true);
    }
    body
}

/// The body of a message of one sentence of our own, for one person, with buttons in one row.
pub(super) fn sentence(text: &str, buttons: Vec<CreateButton>) -> Value {
    let rows = if buttons.is_empty() { Vec::new() } else { vec![CreateActionRow::Buttons(buttons)] };
    json!({
        "content": cut(text, CONTENT_MAX),
        "embeds": [],
        "components": rows,
        "allowed_mentions": { "parse": [] },
    })
}

/// The bar beside the embed, in the colours of Discord's own interface.
fn colour(tone: Tone) -> u32 {
    match tone {
        Tone::Waiting => 0x00F0_B232,
        Tone::Running => 0x0058_65F2,
        Tone::Good => 0x0023_A55A,
        Tone::Warning => 0x00F0_883E,
        Tone::Bad => 0x00F2_3F43,
        Tone::Neutral => 0x0080_848E,
    }
}

/// The title with its sign, escaped and within the limit.
fn headline(card: &Card) -> String {
    let mut max = TITLE_MAX - 4;
    loop {
        let title = format!("{} {}", card.tone.sign(), escape(&cut(&card.title, max), false));
        if title.chars().count() <= TITLE_MAX {
            return title;
        }
        max /= 2;
    }
}

fn embeds(card: &Card, title: &str, mark: Option<&str>) -> Vec<CreateEmbed> {
    let mut packed = Vec::new();
    for budget in BUDGETS {
        let limits = Limits { total: budget, text: budget.min(1_900), code: budget.min(2_800), ..limits() };
        let (fitted, left) = fit(card.clone(), &limits);
        let parts: Vec<String> = fitted.blocks.iter().map(block).filter(|part| !part.trim().is_empty()).collect();
        let sum = title.chars().count() + parts.iter().map(|part| part.chars().count() + 2).sum::<usize>();
        let fits = sum <= SUM_MAX && parts.iter().all(|part| part.chars().count() <= DESCRIPTION_MAX);
        if fits || budget == BUDGETS[BUDGETS.len() - 1] {
            if left.is_some() {
                metrics::counter!("muster_discord_cards_cut_total").increment(1);
            }
            packed = pack(parts);
            break;
        }
    }
    if packed.is_empty() {
        packed.push(String::new());
    }
    let last = packed.len() - 1;
    let embed = |(at, text): (usize, String)| {
        let mut embed = CreateEmbed::new().colour(colour(card.tone));
        if at == 0 {
            embed = embed.title(title);
        }
        if !text.is_empty() {
            embed = embed.description(text);
        }
        match mark.filter(|_| at == last) {
            Some(mark) => embed.footer(CreateEmbedFooter::new(mark)),
            None => embed,
        }
    };
    packed.into_iter().enumerate().map(embed).collect()
}

/// Of a card on Discord. Nothing here promises a file: the engine did that where there is one.
fn limits() -> Limits {
    Limits { file: false, ..Limits::default() }
}

/// Descriptions of as few embeds as hold all parts.
fn pack(parts: Vec<String>) -> Vec<String> {
    let mut packed: Vec<String> = Vec::new();
    for part in parts {
        match packed.last_mut() {
            Some(text) if text.chars().count() + 2 + part.chars().count() <= DESCRIPTION_MAX => {
                text.push_str(if part.starts_with("-# ") && text.ends_with("```") { "\n" } else { "\n\n" });
                text.push_str(&part);
            }
            Some(_) | None => packed.push(part),
        }
    }
    packed
}

/// All of a card that fits in one text.
fn plain(card: &Card, title: &str, pings: &Pings, mark: Option<&str>) -> String {
    for budget in [1_500, 900, 400] {
        let limits = Limits { total: budget, text: budget, code: budget, ..limits() };
        let (fitted, _) = fit(card.clone(), &limits);
        let mut parts = vec![pings.text(), format!("**{title}**")];
        parts.extend(fitted.blocks.iter().map(block));
        parts.extend(mark.map(|mark| format!("-# {mark}")));
        parts.retain(|part| !part.trim().is_empty());
        let text = parts.join("\n");
        if text.chars().count() <= CONTENT_MAX {
            return text;
        }
    }
    bare(card, title, mark)
}

fn bare(card: &Card, title: &str, mark: Option<&str>) -> String {
    let mut text = format!("**{title}**");
    if !card.blocks.is_empty() || !card.buttons.is_empty() {
        text.push_str("\nDiscord refused the layout of this message, so the rest of it and its buttons are missing.");
    }
    text + &mark.map(|mark| format!("\n-# {mark}")).unwrap_or_default()
}

fn block(block: &Block) -> String {
    match block {
        Block::Text(spans) => inline(spans),
        Block::Fields(fields) => {
            let line = |(label, value): &(String, Vec<Span>)| {
                format!("**{}:** {}", escape(&clean(label, false), false), inline(value).replace('\n', " "))
            };
            fields.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Block::Code(text) if text.trim().is_empty() => String::new(),
        Block::Code(text) => fenced(text),
        Block::Table(table) => fenced(&drawn::table(table)),
        Block::Chart(chart) => fenced(&drawn::chart(chart)),
        Block::Note(spans) => {
            let text = inline(spans);
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            lines.map(|line| format!("-# {line}")).collect::<Vec<_>>().join("\n")
        }
        Block::Divider => "──────────".to_owned(),
    }
}

pub(super) fn inline(spans: &[Span]) -> String {
    spans.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    match span {
        Span::Plain(text) => escape(text, true),
        Span::Bold(text) => {
            let text = escape(text, true);
            let inner = text.trim();
            if inner.is_empty() {
                return text;
            }
            // Discord takes no space beside the marks.
            let (head, tail) = (text.len() - text.trim_start().len(), text.trim_end().len());
            format!("{}**{inner}**{}", &text[..head], &text[tail..])
        }
        Span::Code(text) => code(text),
        Span::Link { url, text } => match web_address(url) {
            Some(url) if text.trim().is_empty() => format!("<{url}>"),
            Some(url) => format!("[{}](<{url}>)", escape(text, false)),
            None => escape(text, false),
        },
        Span::Person(person) => match discord_id(person.platform, &person.user) {
            Some(id) => format!("<@{id}>"),
            None => escape(&person.to_string(), false),
        },
        Span::Group { group, name } => match group.as_ref().and_then(|g| discord_id(g.platform, &g.group)) {
            Some(id) => format!("<@&{id}>"),
            None => format!("\\@{}", escape(name, false)),
        },
        Span::When(at) => format!("<t:{}:f>", at.as_second()),
    }
}

/// An id that Discord itself could have made; anything else is shown as text.
fn discord_id(platform: ChatPlatform, id: &str) -> Option<u64> {
    if platform == ChatPlatform::Discord { snowflake(id) } else { None }
}

/// An http(s) address that cannot break out of the place where it stands.
fn web_address(url: &str) -> Option<&str> {
    let good = (url.starts_with("https://") || url.starts_with("http://"))
        && url.len() <= 1_500
        && url.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '(' | ')' | '"' | '\\' | '`'));
    good.then_some(url)
}

/// Whom a card notifies.
struct Pings {
    users: Vec<u64>,
    roles: Vec<u64>,
    /// They stand in the message, and ring.
    ring: bool,
}

impl Pings {
    fn of(card: &Card, purpose: &Purpose<'_>) -> Pings {
        let ring = matches!(purpose, Purpose::Post { .. });
        let mut pings = Pings { users: Vec::new(), roles: Vec::new(), ring };
        if matches!(purpose, Purpose::Whisper) {
            return pings;
        }
        let spans = card.blocks.iter().flat_map(|block| match block {
            Block::Text(spans) | Block::Note(spans) => spans.iter().collect::<Vec<_>>(),
            Block::Fields(fields) => fields.iter().flat_map(|(_, value)| value).collect(),
            Block::Code(_) | Block::Table(_) | Block::Chart(_) | Block::Divider => Vec::new(),
        });
        for span in spans {
            let (list, id) = match span {
                Span::Person(person) => (&mut pings.users, discord_id(person.platform, &person.user)),
                Span::Group { group: Some(group), .. } => (&mut pings.roles, discord_id(group.platform, &group.group)),
                _ => continue,
            };
            if let Some(id) = id.filter(|id| !list.contains(id) && list.len() < PINGS_MAX) {
                list.push(id);
            }
        }
        pings
    }

    fn text(&self) -> String {
        let users = self.users.iter().map(|id| format!("<@{id}>"));
        users.chain(self.roles.iter().map(|id| format!("<@&{id}>"))).collect::<Vec<_>>().join(" ")
    }

    fn allowed(&self, rung: Rung) -> CreateAllowedMentions {
        let none = CreateAllowedMentions::new();
        if !self.ring || rung == Rung::Title {
            return none;
        }
        // Both are ids that `snowflake` let through, so neither is zero.
        none.users(self.users.iter().map(|id| UserId::new(*id))).roles(self.roles.iter().map(|id| RoleId::new(*id)))
    }
}

fn rows(buttons: &[Button], about: Option<&About>) -> Vec<CreateActionRow> {
    let mut seen = std::collections::HashMap::new();
    let buttons: Vec<CreateButton> = buttons
        .iter()
        .take(ROW * ROWS_MAX)
        .map(|button| {
            let action = ActionRef { verb: button.verb, run: button.run, revision: button.revision };
            let again = seen.entry(action.to_string()).and_modify(|n| *n += 1).or_insert(0_usize);
            let label = clean(&button.label, false);
            let label = if label.trim().is_empty() { word(button.verb).replace('_', " ") } else { label };
            CreateButton::new(custom::button(action, about, *again)).label(cut(label.trim(), LABEL_MAX)).style(
                match button.style {
                    Style::Plain => ButtonStyle::Secondary,
                    Style::Primary => ButtonStyle::Primary,
                    Style::Danger => ButtonStyle::Danger,
                },
            )
        })
        .collect();
    buttons.chunks(ROW).map(|row| CreateActionRow::Buttons(row.to_vec())).collect()
}

#[cfg(test)]
mod tests;
