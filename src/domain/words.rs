//! What a person typed, cut into words: quotes understood, nothing expanded.
//!
//! Commands and selectors share this, so that a quote means the same everywhere. Chat clients turn straight
//! quotes into curly ones while people type; both are read. There is no globbing, no `@file`, no `$variable`.

use std::ops::Range;

use super::ids::Invalid;

/// Characters in one command. Slack's own limit for a message is larger; no command needs more.
pub const LONGEST: usize = 3_000;

/// One word, with each character's quoting kept: a quoted `=`, `,` or keyword has no special meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    chars: Vec<(char, bool)>,
    /// Before which characters a quote opened, so that a word or a part of it may be empty on purpose.
    quotes: Vec<usize>,
    /// Where it stands in the text, in bytes, quotes included.
    pub span: Range<usize>,
}

impl Word {
    /// Its text without the quotes.
    #[must_use]
    pub fn text(&self) -> String {
        self.chars.iter().map(|(c, _)| c).collect()
    }
    #[must_use]
    pub fn is_quoted(&self) -> bool {
        !self.quotes.is_empty()
    }
    /// The word is exactly this, and no part of it is quoted.
    #[must_use]
    pub fn is(&self, keyword: &str) -> bool {
        self.quotes.is_empty() && self.chars.iter().map(|(c, _)| *c).eq(keyword.chars())
    }
    /// Cut at the first unquoted `separator`, which is in neither part.
    #[must_use]
    pub fn split_once(&self, separator: char) -> Option<(Word, Word)> {
        let at = self.chars.iter().position(|(c, quoted)| *c == separator && !quoted)?;
        Some((self.part(0..at), self.part(at + 1..self.chars.len())))
    }
    /// Cut at every unquoted `separator`.
    #[must_use]
    pub fn split(&self, separator: char) -> Vec<Word> {
        let mut parts = Vec::new();
        let mut rest = self.clone();
        while let Some((head, tail)) = rest.split_once(separator) {
            parts.push(head);
            rest = tail;
        }
        parts.push(rest);
        parts
    }
    /// Without the unquoted `last`, if it ends in it.
    #[must_use]
    pub fn strip_last(&self, last: char) -> Option<Word> {
        match self.chars.last() {
            Some((c, false)) if *c == last => Some(self.part(0..self.chars.len() - 1)),
            _ => None,
        }
    }
    fn part(&self, range: Range<usize>) -> Word {
        // The separator behind the part stands at `range.end`, so a quote that opened there belongs to the part.
        let within = |at: &&usize| (range.start..=range.end).contains(*at);
        let quotes = self.quotes.iter().filter(within).map(|at| at - range.start).collect();
        Word { chars: self.chars[range].to_vec(), quotes, span: self.span.clone() }
    }
}

/// The words of `text`.
///
/// `'…'` takes everything as it is; in `"…"` a backslash makes a following `"` or `\` plain. Curly quotes
/// count as the straight ones.
///
/// # Errors
/// A text that is too long, an unclosed quote, and control or invisible characters, which could show an
/// approver something else than what runs.
pub fn split(text: &str) -> Result<Vec<Word>, Invalid> {
    if text.chars().count() > LONGEST {
        return Err(Invalid(format!("this is longer than {LONGEST} characters; shorten it")));
    }
    let text_end = text.trim_end().len();
    let text = &text[..text_end];
    if let Some((at, bad)) = text.char_indices().find(|(_, c)| is_refused(*c)) {
        if bad == '\n' || bad == '\r' {
            return Err(Invalid("there is a line break in it; type it again on one line".to_owned()));
        }
        let before: String = text[..at].chars().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect();
        return Err(Invalid(format!(
            "there is an invisible character (U+{:04X}) behind `{before}`; delete it, or type that word again",
            u32::from(bad)
        )));
    }
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let current = word.get_or_insert_with(|| Word { chars: Vec::new(), quotes: Vec::new(), span: at..at });
        // An apostrophe inside a word, as in `don't`, opens nothing.
        let may_open = matches!(current.chars.last(), None | Some(('=' | ',' | ':', false)));
        if is_double(c) || (is_single(c) && may_open) {
            let rest = &text[at + c.len_utf8()..];
            let (inside, length) = quoted(c, rest).ok_or_else(|| {
                let start: String = text[at..].chars().take(20).collect();
                Invalid(format!("the quote that opens at `{start}` is not closed; close it, or leave it out"))
            })?;
            current.quotes.push(current.chars.len());
            current.chars.extend(inside.chars().map(|c| (c, true)));
            let end = at + c.len_utf8() + length;
            while chars.next_if(|(next, _)| *next < end).is_some() {}
            current.span.end = end;
        } else {
            current.chars.push((c, false));
            current.span.end = at + c.len_utf8();
        }
    }
    words.extend(word);
    Ok(words)
}

/// What stands between the quotes, and how many bytes of `rest` that took, closing quote included.
fn quoted(open: char, rest: &str) -> Option<(String, usize)> {
    let single = is_single(open);
    // A straight quote is closed by a straight one, so that `"he said “no”"` is one text. Phones sometimes
    // turn only the closing one; then that closes it.
    let straight_closes = !single && open == '"' && rest.contains('"');
    let mut inside = String::new();
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        let closes = if single {
            // An apostrophe inside, as in ‘it’s’, has a letter after it.
            is_single(c) && next.is_none_or(|n| n.is_whitespace() || n == ',')
        } else if straight_closes {
            c == '"'
        } else {
            is_double(c)
        };
        if closes {
            return Some((inside, at + c.len_utf8()));
        }
        match next {
            Some(escaped) if !single && c == '\\' && (is_double(escaped) || escaped == '\\') => {
                inside.push(escaped);
                chars.next();
            }
            _ => inside.push(c),
        }
    }
    None
}

fn is_double(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„')
}
fn is_single(c: char) -> bool {
    matches!(c, '\'' | '‘' | '’')
}

/// Control characters, and characters that are not seen or that turn the direction of the text around them.
fn is_refused(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// `text` as one word that [`split`] reads back unchanged, quoted only where it must be.
///
/// `special` are further characters that would mean something where the word will stand.
#[must_use]
pub fn quote(text: &str, special: &[char]) -> String {
    let plain = |c: char| !(c.is_whitespace() || is_double(c) || is_single(c) || c == '\\' || special.contains(&c));
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        if is_double(c) || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A `key = value` with spaces, which is three words: what is wrong and the remedy.
#[must_use]
pub fn spaced(words: &[Word]) -> Option<(String, String)> {
    let key = words.iter().zip(words.iter().skip(1)).find(|(_, next)| next.is("=") || next.is("!="))?;
    let (key, operator) = (key.0.text(), key.1.text());
    let value = words.iter().skip_while(|w| w.text() != operator).nth(1).map_or_else(|| "…".into(), Word::text);
    Some((format!("there is a space beside the `=` behind `{key}`"), format!("write `{key}{operator}{value}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        split(text).unwrap().iter().map(Word::text).collect()
    }

    #[test]
    fn straight_and_curly_quotes_mean_the_same() {
        for text in ["run \"a b\" c", "run “a b” c", "run „a b“ c", "run 'a b' c", "run ‘a b’ c", "run \"a b” c"]
        {
            assert_eq!(texts(text), ["run", "a b", "c"], "{text}");
        }
        assert_eq!(texts("key=“two words” next"), ["key=two words", "next"]);
        assert_eq!(texts("\"he said “no” twice\""), ["he said “no” twice"]);
    }

    #[test]
    fn an_apostrophe_inside_a_word_opens_nothing() {
        assert_eq!(texts("because it's down"), ["because", "it's", "down"]);
        assert_eq!(texts("because ‘it’s down’"), ["because", "it’s down"]);
        assert_eq!(texts("because 'it's down'"), ["because", "it's down"]);
    }

    #[test]
    fn a_backslash_escapes_quotes_only_and_only_inside_double_quotes() {
        assert_eq!(texts(r#""a \"b\" \\ c""#), [r#"a "b" \ c"#]);
        assert_eq!(texts(r#""C:\temp" C:\new '\n'"#), [r"C:\temp", r"C:\new", r"\n"]);
    }

    #[test]
    fn nothing_is_expanded() {
        assert_eq!(texts("* @file $HOME `id` $(id) ~"), ["*", "@file", "$HOME", "`id`", "$(id)", "~"]);
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        for bad in ["a\u{0}b", "a\nb", "a\u{1b}[31mb", "a\u{202e}b", "a\u{200b}b", "\"a\tb\""] {
            assert!(split(bad).is_err(), "{bad:?}");
        }
        assert_eq!(texts("a\u{a0}b\n"), ["a", "b"], "a no-break space separates, an end of line at the end is nothing");
        assert!(split(&"x".repeat(LONGEST + 1)).is_err());
        assert!(split("run \"x").unwrap_err().0.contains("not closed"));
    }

    #[test]
    fn a_quoted_separator_separates_nothing() {
        let word = &split(r#"tag:"a=b"=c,"d,e""#).unwrap()[0];
        let (key, values) = word.split_once('=').unwrap();
        assert_eq!(key.text(), "tag:a=b");
        assert_eq!(values.split(',').iter().map(Word::text).collect::<Vec<_>>(), ["c", "d,e"]);
    }

    proptest! {
        #[test]
        fn splitting_never_panics(text in "\\PC{0,60}|[ \"'“”‘’\\\\=,a-c\u{a0}\n]{0,40}") {
            let _ = split(&text);
        }

        #[test]
        fn what_was_quoted_is_read_back(text in "[ a-c=,!\"'“”„‘’\\\\é]{0,12}") {
            let quoted = quote(&text, &['=', ',', '!']);
            prop_assert_eq!(texts(&quoted), vec![text]);
        }
    }
}
