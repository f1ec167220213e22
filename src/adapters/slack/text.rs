//! Slack's text in both directions: what it did to what a person typed, and what must be done to machine text
//! before Slack shows it.
//!
//! Slack gives `&`, `<` and `>` a meaning and nothing else that can ping or link: escaping these three is what keeps
//! text inert. `*`, `_`, `~` and the backtick only format, and have no escape in mrkdwn; zero-width joiners keep them
//! apart from the words they would format, as well as mrkdwn allows. Rich text needs neither.

use crate::message::plain::straighten;

pub(super) use crate::message::plain::{clean, cut};

/// What the person typed, from what Slack made of it: mentions, channels and links become their visible text,
/// entities and curly quotes become plain characters.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        entities(&rest[..open], &mut out);
        let inside = &rest[open + 1..];
        // A `<` that a person typed arrives as `&lt;`, so a bare one always opens a token; be lenient all the same.
        let Some(close) = inside.find('>') else {
            entities(&rest[open..], &mut out);
            return straighten(&out);
        };
        entities(&token(&inside[..close]), &mut out);
        rest = &inside[close + 1..];
    }
    entities(rest, &mut out);
    straighten(&out)
}

/// What stood on the screen for one `<…>`.
fn token(inside: &str) -> String {
    let (head, label) = match inside.split_once('|') {
        Some((head, label)) => (head, Some(label).filter(|l| !l.is_empty())),
        None => (inside, None),
    };
    let sigil = |sigil: char, id: &str| {
        let shown = label.unwrap_or(id);
        if shown.starts_with(sigil) { shown.to_owned() } else { format!("{sigil}{shown}") }
    };
    if let Some(id) = head.strip_prefix('@') {
        sigil('@', id)
    } else if let Some(id) = head.strip_prefix('#') {
        sigil('#', id)
    } else if let Some(id) = head.strip_prefix("!subteam^") {
        sigil('@', id)
    } else if head.starts_with("!date^") {
        label.unwrap_or_default().to_owned()
    } else if let Some(id) = head.strip_prefix('!') {
        sigil('@', id)
    } else {
        label.unwrap_or_else(|| head.strip_prefix("mailto:").or(head.strip_prefix("tel:")).unwrap_or(head)).to_owned()
    }
}

fn entities(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (entity, plain) = [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")]
            .into_iter()
            .find(|(entity, _)| rest[at..].starts_with(entity))
            .unwrap_or(("&", "&"));
        out.push_str(plain);
        rest = &rest[at + entity.len()..];
    }
    out.push_str(rest);
}

/// The words said to the bot: the text with the first mention of `bot` taken out. Words before it count only where
/// none stand behind it.
pub(super) fn after_mention(text: &str, bot: &str) -> String {
    let mut from = 0;
    while let Some(found) = text[from..].find("<@") {
        let open = from + found;
        let Some(close) = text[open..].find('>').map(|at| open + at) else { break };
        let id = text[open + 2..close].split('|').next().unwrap_or_default();
        if id == bot {
            let (before, after) = (&text[..open], &text[close + 1..]);
            let words = if after.trim().is_empty() { before } else { after };
            return unescape(words).trim().to_owned();
        }
        from = close + 1;
    }
    unescape(text).trim().to_owned()
}

/// The three characters that Slack's text gives a meaning.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// Machine text inside mrkdwn: escaped, and its formatting characters held apart from the words.
pub(super) fn mrkdwn(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '*' | '_' | '~' => {
                out.push('\u{2060}');
                out.push(c);
                out.push('\u{2060}');
            }
            // A backtick would open a code span that swallows what stands behind it.
            '`' => out.push('\u{02CB}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_made_of_a_command_becomes_what_was_typed() {
        for (arrived, typed) in [
            ("run restart-service service=nginx", "run restart-service service=nginx"),
            ("to <@U0ARNE|arne> in <#C0OPS|ops>", "to @arne in #ops"),
            ("to <@U0ARNE> in <#C0OPS> or <#C0OPS|>", "to @U0ARNE in #C0OPS or #C0OPS"),
            ("<!subteam^S0SRE|@sre> <!subteam^S0SRE> <!here> <!channel|channel>", "@sre @S0SRE @here @channel"),
            ("url=<http://example.com/a?b=1&amp;c=2|example.com/a?b=1&amp;c=2>", "url=example.com/a?b=1&c=2"),
            ("url=<https://example.com>", "url=https://example.com"),
            ("<mailto:a@example.com|a@example.com> <mailto:b@example.com>", "a@example.com b@example.com"),
            ("a &amp;&amp; b &lt;c&gt; &amp;lt; &copy; &", "a && b <c> &lt; &copy; &"),
            ("reason=\u{201C}it\u{2019}s down\u{201D}", "reason=\"it's down\""),
            ("a\u{00A0}b", "a b"),
            ("unclosed <@U1", "unclosed <@U1"),
            ("", ""),
        ] {
            assert_eq!(unescape(arrived), typed, "{arrived}");
        }
    }

    #[test]
    fn a_mention_leaves_the_words_that_were_said_to_the_bot() {
        for (arrived, words) in [
            ("<@U0BOT> run disk-usage", "run disk-usage"),
            ("<@U0BOT|muster>: status", ": status"),
            ("please <@U0BOT>   run disk-usage on env=prod", "run disk-usage on env=prod"),
            ("status <@U0BOT>", "status"),
            ("<@U0ARNE> says <@U0BOT> help <@U0ARNE|arne>", "help @arne"),
            ("<@U0BOT>", ""),
            ("no mention", "no mention"),
            ("<@U0BOT", "<@U0BOT"),
        ] {
            assert_eq!(after_mention(arrived, "U0BOT"), words, "{arrived}");
        }
    }

    #[test]
    fn machine_text_cannot_ping_or_link() {
        assert_eq!(escape("<!channel> & <@U1>"), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert!(!mrkdwn("`<http://x|y>` *b*").contains(['<', '>', '`']));
    }
}
