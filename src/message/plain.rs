//! Plain text on its way to a screen, or from a keyboard, whatever the platform.

use crate::domain::Digest;

/// Phones and word processors bend quotes and stretch spaces.
#[must_use]
pub fn straighten(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{201C}' | '\u{201D}' | '\u{201E}' | '\u{201F}' => '"',
            '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}' => '\'',
            '\u{00A0}' | '\u{202F}' | '\u{2007}' => ' ',
            other => other,
        })
        .collect()
}

/// Machine text with what a screen must not obey taken out: control characters, and characters that turn the
/// reading direction around. `lines`: line breaks and tabs stay.
#[must_use]
pub fn clean(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' => {}
            '\n' | '\t' if lines => out.push(c),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() => out.push('\u{FFFD}'),
            '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{061C}' => {
                out.push('\u{FFFD}');
            }
            c => out.push(c),
        }
    }
    out
}

/// At most `max` characters, the last of them `…` where something was cut.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// The name of a file with a mark of the key before its ending: by it the file is found again.
#[must_use]
pub fn marked_name(name: &str, key: &str) -> String {
    let mark = Digest::of(key.as_bytes()).short(6);
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => format!("{stem}-{mark}.{ending}"),
        _ => format!("{name}-{mark}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_text_cannot_command_the_screen() {
        assert_eq!(clean("a\x1b[31mb\r\nc\td\u{202E}e\0", true), "a\u{FFFD}[31mb\nc\td\u{FFFD}e\u{FFFD}");
        assert_eq!(clean("a\nb", false), "a b");
    }

    #[test]
    fn a_cut_is_visible_and_never_splits_a_character() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
