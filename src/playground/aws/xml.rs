//! The little XML that two of the protocols need, and the form bodies they are asked in.

/// Text made safe between tags.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Other control characters have no form in XML 1.0.
            '\n' | '\r' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// `<name>text</name>`.
#[must_use]
pub fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// `<name>` around XML that is there already.
#[must_use]
pub fn around(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// A form body or query string as its pairs, in order.
#[must_use]
pub fn form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(name, true), unescape(value, true))
        })
        .collect()
}

/// Percent escapes undone; a `+` is a space in form bodies only.
#[must_use]
pub fn unescape(text: &str, form: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let byte = digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if form && bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_bodies_are_undone() {
        assert_eq!(
            form("Action=A+B&x=%2Fa%C3%A9&y"),
            [
                ("Action".to_owned(), "A B".to_owned()),
                ("x".to_owned(), "/aé".to_owned()),
                ("y".to_owned(), String::new())
            ]
        );
        assert_eq!(unescape("100%", true), "100%");
    }

    #[test]
    fn xml_text_cannot_break_out() {
        assert_eq!(tag("a", "<b>&\u{1}"), "<a>&lt;b&gt;&amp;\u{fffd}</a>");
    }
}
