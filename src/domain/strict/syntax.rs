//! What the TOML parser says, said again with a remedy.

use super::Span;
use super::repair::{NEVER_CLOSED_LIST, NEVER_CLOSED_TEXT};

/// The parser's message and the text that it stumbled over, as what and remedy.
pub(super) fn explain(message: &str, text: &str, span: &Span) -> (String, String) {
    let slice = text.get(span.clone()).unwrap_or_default();
    let line = text.get(..span.start).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    let word: String = slice.chars().take(40).collect();
    let digits: String =
        text.get(span.start..).unwrap_or_default().chars().take_while(|c| c.is_ascii_digit()).collect();
    let says = |part: &str| message.contains(part);

    if message == NEVER_CLOSED_TEXT {
        return (message.into(), format!("close it with `{word}` after its last line"));
    }
    if message == NEVER_CLOSED_LIST {
        let close = if word == "{" { "}" } else { "]" };
        return (message.into(), format!("close it with `{close}` behind its last value"));
    }
    if says("duplicate key") {
        return (format!("`{word}` stands here a second time"), "keep one of the two".into());
    }
    if says("leading zero") {
        let remedy = if digits.len() > 8 {
            format!("account ids are text, because a number would lose its zeros: write `\"{digits}\"`")
        } else {
            "leave the zero out, or write the value in quotes if it is text".into()
        };
        return ("a number may not start with a zero".into(), remedy);
    }
    if says("string values must be quoted") {
        return (format!("`{word}` is text without quotes"), format!("write `\"{word}\"`"));
    }
    if says("cannot extend value of type") {
        return (
            format!("`{word}` already has a value, so it cannot be a table too"),
            "give one of the two another name".into(),
        );
    }
    let remedy = if says("unclosed array") || says("between array elements") {
        "a list stands in brackets with commas between its values: `[\"a\", \"b\"]`"
    } else if says("unclosed table") || says("missing table close") {
        "a table's name stands in brackets: `[targets]`, `[[steps]]`"
    } else if says("string") && (says("invalid") || says("expected")) {
        "close the quote on this line; a text of several lines stands between `'''` and `'''`"
    } else if says("missing value") || says("no value") {
        "write a value after the `=`, or take the key out"
    } else if says("invalid unquoted key") || says("extra `=`") || says("missing `=`") || says("key with no value") {
        "each line is `key = value`, a `[table]` or a `# comment`"
    } else if says("carriage return") {
        "save the file with LF line ends"
    } else if says("recursion") {
        "write it with less nesting"
    } else if line.trim().is_empty() {
        "each line is `key = value`, a `[table]` or a `# comment`"
    } else {
        "check quotes, brackets and commas of this value"
    };
    (lower_first(message), remedy.into())
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}
