//! Discord's text in both directions: what a person typed, and what must be done to text of people and machines before
//! Discord shows it.
//!
//! Discord's markdown takes a backslash before any mark of punctuation, so every character that could format, mention or
//! link is escaped and nothing has to be replaced. Only inside code there is no escape: backticks become a look-alike
//! there. Nothing escaped can ping; `allowed_mentions` says so once more.

use crate::message::plain::{clean, straighten};

/// Text that Discord's markdown leaves as it is. `lines`: line breaks stay.
pub(super) fn escape(text: &str, lines: bool) -> String {
    let text = clean(text, lines);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut line_starts = true;
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        match c {
            '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '@' => {
                out.push('\\');
                out.push(c);
            }
            // A heading, a list, small print.
            '#' | '-' | '+' if line_starts => {
                out.push('\\');
                out.push(c);
            }
            // A bare address would become a link.
            ':' if rest.starts_with("://") => out.push_str("\\:"),
            c => out.push(c),
        }
        if c == '\n' {
            line_starts = true;
        } else if !(c == ' ' || c.is_ascii_digit() && line_starts) {
            line_starts = false;
        }
        // `1.` starts a list, and the digits before it do not end the start of the line.
        if c.is_ascii_digit() && line_starts && rest[1..].starts_with('.') {
            out.push('\\');
            line_starts = false;
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// A code span, on one line.
pub(super) fn code(text: &str) -> String {
    let inside = clean(text, false).replace('`', "\u{02CB}");
    // Two backticks with nothing between them are no code span.
    if inside.trim().is_empty() { escape(&inside, false) } else { format!("`{inside}`") }
}

/// A preformatted block. A fence inside is held apart.
pub(super) fn fenced(text: &str) -> String {
    let inside = clean(text, true).replace("``", "`\u{200B}`\u{200B}");
    let inside = inside.trim_end_matches('\n');
    // A backtick at the end would lengthen the fence.
    let end = if inside.ends_with('`') { "\u{200B}" } else { "" };
    format!("```\n{inside}{end}\n```")
}

/// The words said to the bot: the text with the first mention of `bot` taken out. Words before it count only where
/// none stand behind it. `None`: it does not mention the bot.
pub(super) fn after_mention(text: &str, bot: &str) -> Option<String> {
    let found = [format!("<@{bot}>"), format!("<@!{bot}>")];
    let (at, length) = found.iter().filter_map(|m| text.find(m.as_str()).map(|at| (at, m.len()))).min()?;
    let (before, after) = (&text[..at], &text[at + length..]);
    let words = if after.trim().is_empty() { before } else { after };
    Some(straighten(words).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_people_and_machines_stays_text() {
        for (text, shown) in [
            ("plain words, 12:30", "plain words, 12:30"),
            ("**bold** _i_ ~s~ ||spoiler||", r"\*\*bold\*\* \_i\_ \~s\~ \|\|spoiler\|\|"),
            ("`rm -rf`", r"\`rm -rf\`"),
            ("@everyone <@123> <@&4> <t:0:R>", r"\@everyone \<\@123\> \<\@&4\> \<t:0:R\>"),
            ("[here](https://evil.example)", r"\[here\](https\://evil.example)"),
            ("# head\n- item\n1. one\n> quote\n-# small", "\\# head\n\\- item\n1\\. one\n\\> quote\n\\-# small"),
            ("a # b - c 1. d", "a # b - c 1. d"),
            (r"C:\temp", r"C:\\temp"),
            ("a\u{202E}b\0", "a\u{FFFD}b\u{FFFD}"),
            ("", ""),
        ] {
            assert_eq!(escape(text, true), shown, "{text}");
        }
    }

    #[test]
    fn code_cannot_be_left_from_inside() {
        assert_eq!(code("a`b\nc"), "`a\u{02CB}b c`");
        assert_eq!(code(" "), " ");
        let block = fenced("x\n```\n@everyone\n`");
        assert_eq!(block.matches("```").count(), 2, "{block}");
        assert!(block.ends_with("\n```") && block.starts_with("```\n"));
    }

    #[test]
    fn a_mention_leaves_the_words_that_were_said_to_the_bot() {
        for (arrived, words) in [
            ("<@7> run disk-usage", Some("run disk-usage")),
            ("<@!7>  status", Some("status")),
            ("status <@7>", Some("status")),
            ("<@7> because \u{201C}x\u{201D}", Some("because \"x\"")),
            ("<@7>", Some("")),
            ("<@77> status", None),
            ("status", None),
        ] {
            assert_eq!(after_mention(arrived, "7").as_deref(), words, "{arrived}");
        }
    }
}
