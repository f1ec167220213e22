//! Brings a card under the platforms' limits, and says so wherever something is missing.
//!
//! Prose is kept before scripts and lists: preformatted blocks share what room the rest leaves, the smallest
//! whole first. What is left out stands in the text that is returned beside the card, for a file in the thread.
//! Fitting twice changes nothing.

use crate::domain::ChatPlatform;

use super::words::count;
use super::{Block, Card, Span, drawn, text};

/// What the narrowest platform takes. Slack refuses messages of more than about 11,000 characters in all, a limit that
/// it does not document; 50 blocks; 3,000 characters in a text, 150 in a header (Block Kit reference).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Characters of all blocks together.
    pub total: usize,
    pub blocks: usize,
    /// Characters of one preformatted block.
    pub code: usize,
    /// Characters of one text or note.
    pub text: usize,
    /// Leaves room for the emoji that adapters put before it.
    pub title: usize,
    /// The text beside the card goes into a file. Otherwise the notes do not promise one.
    pub file: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { total: 9_000, blocks: 45, code: 2_800, text: 2_800, title: super::verdict::TITLE_MAX, file: true }
    }
}

impl Limits {
    /// What one platform takes. Discord takes 6,000 characters in the embeds of a message, and escapes need room.
    #[must_use]
    pub fn of(platform: ChatPlatform) -> Self {
        match platform {
            ChatPlatform::Discord => Limits { total: 5_000, ..Limits::default() },
            ChatPlatform::Slack | ChatPlatform::Host => Limits::default(),
        }
    }
}

/// At most so many fields stand in one block.
const FIELDS: usize = 10;
/// A preformatted block shorter than this is not worth starting.
const CODE_MIN: usize = 200;
/// Room for the last note.
const NOTE: usize = 40;

/// What blocks may take without the last note.
fn budget(limits: &Limits) -> usize {
    limits.total.max(2 * NOTE) - NOTE
}

/// The card within the limits and, if something had to go, the whole card as text.
#[must_use]
pub fn fit(card: Card, limits: &Limits) -> (Card, Option<String>) {
    let whole = text::render(&card);
    let mut missing = false;
    let title = super::words::cut(&card.title, limits.title);
    missing |= title.chars().count() < card.title.chars().count();
    let mut blocks: Vec<Block> = card.blocks.into_iter().flat_map(split_fields).collect();
    for block in &mut blocks {
        missing |= shorten(block, limits);
    }
    missing |= share(&mut blocks, limits);
    missing |= drop_tail(&mut blocks, limits);
    (Card { tone: card.tone, title, blocks, buttons: card.buttons }, missing.then_some(whole))
}

/// More than ten fields become several blocks.
fn split_fields(block: Block) -> Vec<Block> {
    match block {
        Block::Fields(fields) if fields.len() > FIELDS => {
            fields.chunks(FIELDS).map(|c| Block::Fields(c.to_vec())).collect()
        }
        other => vec![other],
    }
}

/// Brings one block under its own limit.
fn shorten(block: &mut Block, limits: &Limits) -> bool {
    match block {
        Block::Text(spans) | Block::Note(spans) => cut_spans(spans, limits.text),
        Block::Code(code) => cut_code(code, limits.code, limits),
        Block::Fields(fields) => {
            // The fields of one block stand in one text.
            let each = limits.text / FIELDS;
            let mut cut = false;
            let long =
                fields.iter().map(|(label, value)| label.chars().count() + width(value)).sum::<usize>() > limits.text;
            for (label, value) in fields {
                let short = super::words::cut(label, 60);
                cut |= short != *label;
                *label = short;
                if long {
                    cut |= cut_spans(value, each.saturating_sub(label.chars().count()).max(40));
                }
            }
            cut
        }
        // What is too long for a table is drawn, so that it can be cut where a line ends.
        Block::Table(table) => {
            let long = drawn::table(table);
            if long.chars().count() <= limits.code {
                return false;
            }
            *block = Block::Code(long);
            shorten(block, limits)
        }
        Block::Chart(_) | Block::Divider => false,
    }
}

/// Characters that the spans take at most when they are rendered, with mentions and times written out.
fn width(spans: &[Span]) -> usize {
    spans.iter().map(span_width).sum()
}

fn span_width(span: &Span) -> usize {
    match span {
        Span::Plain(text) | Span::Bold(text) | Span::Code(text) => text.chars().count(),
        Span::Link { url, text } => url.chars().count() + text.chars().count(),
        Span::Person(_) | Span::When(_) => 20,
        Span::Group { name, .. } => name.chars().count().max(20),
    }
}

pub(super) fn block_width(block: &Block) -> usize {
    match block {
        Block::Text(spans) | Block::Note(spans) => width(spans),
        Block::Code(text) => text.chars().count(),
        Block::Table(table) => drawn::table(table).chars().count(),
        Block::Chart(chart) => drawn::chart(chart).chars().count(),
        Block::Fields(fields) => fields.iter().map(|(label, value)| label.chars().count() + 3 + width(value)).sum(),
        Block::Divider => 0,
    }
}

/// Cuts at a character, with `…` for what is missing.
fn cut_spans(spans: &mut Vec<Span>, max: usize) -> bool {
    if width(spans) <= max {
        return false;
    }
    // One character is for the mark.
    let mut room = max.saturating_sub(1);
    let mut kept = Vec::new();
    for span in spans.drain(..) {
        let length = span_width(&span);
        if length <= room {
            room -= length;
            kept.push(span);
            continue;
        }
        let head = |text: &str| text.chars().take(room).collect::<String>();
        match &span {
            Span::Plain(text) if room > 0 => kept.push(Span::Plain(head(text))),
            Span::Bold(text) if room > 0 => kept.push(Span::Bold(head(text))),
            Span::Code(text) if room > 0 => kept.push(Span::Code(head(text))),
            _ => {}
        }
        break;
    }
    kept.push(Span::plain("…"));
    *spans = kept;
    true
}

/// Keeps whole lines from the top, and says how many more there are.
fn cut_code(code: &mut String, max: usize, limits: &Limits) -> bool {
    if code.chars().count() <= max {
        return false;
    }
    let place = if limits.file { "in the file" } else { "not shown" };
    let total = code.lines().count();
    let mut kept = String::new();
    let mut length = 0;
    let mut shown = 0;
    // The longest note there can be.
    let room =
        max.saturating_sub(format!("… {} {place}", count(super::words::size(total), "more line")).chars().count() + 1);
    for line in code.lines() {
        let more = line.chars().count() + 1;
        if length + more > room {
            break;
        }
        kept.push_str(line);
        kept.push('\n');
        length += more;
        shown += 1;
    }
    let note = if shown == 0 {
        kept = code.chars().take(room).collect();
        kept.push('\n');
        format!("… more {place}")
    } else {
        format!("… {} {place}", count(super::words::size(total - shown), "more line"))
    };
    kept.push_str(&note);
    // A limit smaller than its own note.
    *code = kept.chars().take(max).collect();
    true
}

/// Gives preformatted blocks what room the rest leaves: small ones whole, the others equal shares.
fn share(blocks: &mut [Block], limits: &Limits) -> bool {
    let budget = budget(limits);
    if blocks.iter().map(block_width).sum::<usize>() <= budget {
        return false;
    }
    let prose: usize = blocks.iter().filter(|b| !matches!(b, Block::Code(_))).map(block_width).sum();
    let mut sizes: Vec<usize> = blocks.iter().filter(|b| matches!(b, Block::Code(_))).map(block_width).collect();
    sizes.sort_unstable();
    let mut room = budget.saturating_sub(prose);
    let mut most = 0;
    for (i, size) in sizes.iter().enumerate() {
        most = room / (sizes.len() - i);
        if *size > most {
            break;
        }
        room -= size;
        most = *size;
    }
    let mut cut = false;
    for block in blocks {
        if let Block::Code(code) = block {
            cut |= cut_code(code, most.max(CODE_MIN), limits);
        }
    }
    cut
}

/// What still does not fit goes from the end, and a note says so.
fn drop_tail(blocks: &mut Vec<Block>, limits: &Limits) -> bool {
    let total = |blocks: &[Block]| blocks.iter().map(block_width).sum::<usize>();
    if blocks.len() <= limits.blocks && total(blocks) <= budget(limits) {
        return false;
    }
    while !blocks.is_empty() && (blocks.len() + 1 > limits.blocks || total(blocks) > budget(limits) - NOTE) {
        blocks.pop();
    }
    let place = if limits.file { "… more in the file" } else { "… more than fits here" };
    blocks.push(Block::Note(vec![Span::plain(place)]));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Tone;
    use proptest::prelude::*;

    fn any_span() -> impl Strategy<Value = Span> {
        prop_oneof![
            "\\PC{0,400}".prop_map(Span::Plain),
            "\\PC{0,4000}".prop_map(Span::Bold),
            "[a-zé\n]{0,30}".prop_map(Span::Code),
            Just(Span::Person(crate::domain::Principal::slack("T1", "U1"))),
        ]
    }

    fn any_block() -> impl Strategy<Value = Block> {
        prop_oneof![
            3 => proptest::collection::vec(any_span(), 0..6).prop_map(Block::Text),
            1 => proptest::collection::vec(any_span(), 0..3).prop_map(Block::Note),
            3 => "(\\PC{0,80}\n){0,80}".prop_map(Block::Code),
            1 => "\\PC{0,6000}".prop_map(Block::Code),
            1 => proptest::collection::vec(("[A-Z][a-z]{0,90}", proptest::collection::vec(any_span(), 0..2)), 0..25).prop_map(Block::Fields),
            1 => Just(Block::Divider),
            1 => proptest::collection::vec(proptest::collection::vec("\\PC{1,60}", 4), 0..60).prop_map(|rows| {
                Block::Table(crate::message::Table { head: ["a", "b", "c", "d"].map(str::to_owned).to_vec(), rows })
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_card_fits_after_fit_and_fitting_twice_changes_nothing(
            title in "(\\PC|\n){0,300}",
            blocks in proptest::collection::vec(any_block(), 0..60),
            file in any::<bool>(),
        ) {
            let limits = Limits { file, ..Limits::default() };
            let card = Card { tone: Tone::Neutral, title, blocks, buttons: vec![] };
            let (fitted, _) = fit(card.clone(), &limits);
            prop_assert!(fitted.title.chars().count() <= limits.title && !fitted.title.contains('\n'));
            prop_assert!(fitted.blocks.len() <= limits.blocks);
            prop_assert!(fitted.blocks.iter().map(block_width).sum::<usize>() <= limits.total);
            for block in &fitted.blocks {
                match block {
                    Block::Code(code) => prop_assert!(code.chars().count() <= limits.code),
                    Block::Text(spans) | Block::Note(spans) => prop_assert!(width(spans) <= limits.text),
                    Block::Fields(fields) => prop_assert!(fields.len() <= FIELDS),
                    Block::Table(table) => prop_assert!(drawn::table(table).chars().count() <= limits.code),
                    Block::Chart(_) | Block::Divider => {}
                }
            }
            let (again, more) = fit(fitted.clone(), &limits);
            prop_assert_eq!(&again, &fitted);
            prop_assert_eq!(more, None);
        }
    }

    #[test]
    fn a_small_card_is_left_alone_and_a_long_script_gives_way_to_prose() {
        let card = |code: String| Card {
            tone: Tone::Neutral,
            title: "x".into(),
            blocks: vec![Block::Code(code), Block::Text(vec![Span::plain("who may approve")])],
            buttons: vec![],
        };
        assert_eq!(fit(card("ls".into()), &Limits::default()), (card("ls".into()), None));
        let long: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        let (fitted, whole) = fit(card(long.clone()), &Limits::default());
        let Block::Code(code) = &fitted.blocks[0] else { panic!() };
        assert!(code.ends_with("more lines in the file"), "{code}");
        assert_eq!(fitted.blocks[1], Block::Text(vec![Span::plain("who may approve")]));
        assert!(whole.unwrap().contains("line 999"));
    }

    #[test]
    fn many_long_scripts_share_the_room_that_prose_leaves() {
        let long: String = (0..400).map(|n| format!("line {n}\n")).collect();
        let mut blocks = vec![Block::Code(long); 6];
        blocks.push(Block::Code("short".into()));
        blocks.push(Block::Text(vec![Span::plain("who may approve")]));
        let card = Card { tone: Tone::Neutral, title: "x".into(), blocks: blocks.clone(), buttons: vec![] };
        let (fitted, _) = fit(card, &Limits::default());
        assert_eq!(fitted.blocks[6..], blocks[6..]);
    }
}
