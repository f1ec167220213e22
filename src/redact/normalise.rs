//! Raw output -> the text a person would have seen on a terminal.
//!
//! Colours, cursor movements and redrawn progress bars are taken out, line ends become `\n`, and characters
//! that are invisible or turn the direction of the text are dropped. The stored output stays as it was.

use std::borrow::Cow;
use std::sync::LazyLock;

/// What the SSM agent puts between stdout and stderr when it joins them.
const STDERR_MARK: &str = "----------ERROR-------";

/// Stdout and stderr of one normalised output. Stderr is empty where the agent marked none.
#[must_use]
pub fn streams(text: &str) -> (&str, &str) {
    static MARK: LazyLock<memchr::memmem::Finder<'static>> = LazyLock::new(|| memchr::memmem::Finder::new(STDERR_MARK));
    match MARK.find(text.as_bytes()) {
        Some(at) if at == 0 || text[..at].ends_with('\n') => (&text[..at], &text[at + STDERR_MARK.len()..]),
        _ => (text, ""),
    }
}

/// The text as seen. Borrows when there is nothing to take out.
#[must_use]
pub fn normalise(text: &str) -> Cow<'_, str> {
    let plain = text.trim_end();
    if !has_unseen(plain.as_bytes()) {
        return Cow::Borrowed(plain);
    }
    let mut out = String::with_capacity(plain.len());
    let mut line_start = 0;
    let mut chars = plain.chars().peekable();
    // A carriage return lets what follows overwrite the line; an empty segment overwrites nothing.
    let mut returned = false;
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\r' => returned = true,
            '\n' => {
                out.push('\n');
                line_start = out.len();
                returned = false;
            }
            '\u{8}' => {
                if out.len() > line_start {
                    out.pop();
                }
            }
            c if is_invisible(c) => {}
            c => {
                if returned {
                    out.truncate(line_start);
                    returned = false;
                }
                out.push(c);
            }
        }
    }
    out.truncate(out.trim_end().len());
    Cow::Owned(out)
}

/// Whether this line of a normalised output, with all that follows, is where its stderr begins.
#[must_use]
pub fn begins_stderr(line: &[u8]) -> bool {
    line.starts_with(STDERR_MARK.as_bytes())
}

/// Whether anything may have to be taken out. Looks at bytes, as most outputs are plain: 0xC2 opens the C1 controls, 0xE2 and
/// 0xEF the invisible characters, beside many that are seen (`●`, `├`).
pub(super) fn has_unseen(bytes: &[u8]) -> bool {
    let control = |b: u8| (b < 0x20 && b != b'\n' && b != b'\t') || b == 0x7f;
    let plain = |b: u8| (b.wrapping_sub(0x20) < 0x5f) | (b == b'\n') | (b == b'\t');
    // Without a branch, so that many bytes are looked at in one step.
    bytes.chunks(64).enumerate().any(|(n, chunk)| {
        let suspicious = !chunk.iter().fold(true, |all, b| all & plain(*b));
        suspicious
            && chunk.iter().zip(n * 64..).any(|(b, at)| match (b, bytes.get(at + 1)) {
                (0xc2, Some(next)) => *next < 0xa0,
                (0xe2, Some(next)) => matches!(next, 0x80 | 0x81),
                (0xef, Some(next)) => *next == 0xbb,
                (b, _) => control(*b),
            })
    })
}

fn is_invisible(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// After ESC: a control sequence, an operating system command (window titles, links), or one more character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek().copied() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']' | 'P' | '_' | '^' | 'X') => {
            // Ends with BEL or ESC \. An unended one ends with its line, so that it cannot swallow the output.
            while let Some(&c) = chars.peek() {
                if c == '\n' {
                    return;
                }
                chars.next();
                if c == '\u{7}' {
                    return;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    return;
                }
            }
        }
        Some('(' | ')' | '#' | '%') => {
            chars.next();
            chars.next_if(|c| *c != '\n');
        }
        Some(c) if c != '\n' && c != '\r' => {
            chars.next();
        }
        Some(_) | None => {}
    }
}

/// Parameters, then one final character `@` to `~`; anything else ends it unread.
fn skip_control_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
    chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colours_progress_bars_and_line_ends_are_taken_out() {
        let cases = [
            ("plain\n", "plain"),
            ("a\r\nb\r\n", "a\nb"),
            ("\u{1b}[31;1mfailed\u{1b}[0m", "failed"),
            ("\u{1b}]0;title\u{7}ok", "ok"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            (" 10%\r 50%\r100%\ndone", "100%\ndone"),
            ("100%\r\n", "100%"),
            ("100%\r\r\r", "100%"),
            ("abx\u{8}c", "abc"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}]never ended\nnext", "\nnext"),
            ("in\u{200b}vis\u{202e}ible\u{feff}", "invisible"),
            ("naïve – “ok” 日本", "naïve – “ok” 日本"),
            ("", ""),
            (" \n\t\n", ""),
        ];
        for (raw, seen) in cases {
            assert_eq!(normalise(raw), seen, "{raw:?}");
        }
    }

    #[test]
    fn the_agent_s_mark_parts_stderr_from_stdout() {
        assert_eq!(streams("out\n----------ERROR-------\nerr"), ("out\n", "\nerr"));
        assert_eq!(streams("----------ERROR-------\nerr"), ("", "\nerr"));
        assert_eq!(streams("echo ----------ERROR-------"), ("echo ----------ERROR-------", ""));
    }

    proptest! {
        #[test]
        fn normalising_never_panics_and_is_done_after_once(text in "(\\PC|\u{1b}|\r|\n|\u{8}|\\[|\\]|\u{9b}|[ -~]){0,60}") {
            let once = normalise(&text).into_owned();
            let controls = once.contains(['\u{1b}', '\r']);
            prop_assert!(!controls);
            prop_assert_eq!(normalise(&once).into_owned(), once);
        }
    }
}
