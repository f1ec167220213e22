//! Secrets that take more than one line: private keys, YAML blocks, and a value on the line below its name or tag.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::is_marked;
use super::rules::{element_pattern, name_pattern, regex};
use super::value::element;

/// Key blocks replaced by what `mark` makes of them. A block without an end goes to the end of the text: outputs
/// are cut. A block without a beginning goes back over the lines that look like its body.
pub(super) fn private_keys<'a>(text: &'a str, mark: &mut dyn FnMut(&str) -> String) -> Cow<'a, str> {
    static BEGIN: LazyLock<Regex> = LazyLock::new(|| block_line("BEGIN"));
    static END: LazyLock<Regex> = LazyLock::new(|| block_line("END"));
    if !text.contains("PRIVATE KEY") {
        return Cow::Borrowed(text);
    }
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    loop {
        let begin = BEGIN.find_at(text, from).map(|m| m.start());
        let end = END.find_at(text, from).map(|m| m.range());
        match (begin, end) {
            (None, None) => break,
            (Some(begin), None) => {
                spans.push(begin..text.len());
                break;
            }
            (Some(begin), Some(end)) if begin < end.start => {
                spans.push(begin..end.end);
                from = end.end;
            }
            (_, Some(end)) => {
                spans.push(body_before(text, from, end.start)..end.end);
                from = end.end;
            }
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    for span in spans {
        out.push_str(&text[kept..span.start]);
        // The same key is the same however it is indented.
        let body: String = text[span.clone()].split_whitespace().collect();
        out.push_str(&mark(&body));
        kept = span.end;
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

fn block_line(word: &str) -> Regex {
    regex(&format!("-{{4,5}} ?{word} [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)? ?-{{4,5}}"))
}

fn body_before(text: &str, from: usize, end: usize) -> usize {
    static BODY: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^[\s>|+\-]*(?:[A-Za-z0-9+/=]{4,}|(?:Proc-Type|DEK-Info|Comment): .*)?\s*$"));
    let mut start = text[from..end].rfind('\n').map_or(from, |at| from + at + 1);
    while start > from {
        let before = &text[from..start - 1];
        let line = before.rfind('\n').map_or(from, |at| from + at + 1);
        if !BODY.is_match(&text[line..start - 1]) {
            break;
        }
        start = line;
    }
    start
}

/// What the line before says about this one.
#[derive(Debug, Default)]
pub(super) enum Context {
    #[default]
    Nothing,
    /// Inside the block below `password: |` of this indentation.
    Block(usize),
    /// Below `name: DB_PASSWORD`.
    Named,
    /// Below `<password>` alone in its line.
    Element,
}

impl Context {
    /// Takes one line, and gives it without what the lines before make a secret.
    pub fn step<'a>(&mut self, line: &'a str, mark: &mut dyn FnMut(&'static str, &str) -> String) -> Cow<'a, str> {
        let indent = line.len() - line.trim_start().len();
        let mut result = Cow::Borrowed(line);
        match *self {
            Context::Block(above) if line.trim().is_empty() || indent > above => {
                let secret = line.trim();
                if !secret.is_empty() && !is_marked(secret) {
                    result = Cow::Owned(format!("{}{}", &line[..indent], mark("password", secret)));
                }
                return result;
            }
            Context::Named => {
                let secret = VALUE.captures(line).and_then(|c| (1..c.len()).find_map(|i| c.get(i)));
                if let Some(secret) = secret.filter(|s| !s.is_empty() && !is_marked(s.as_str())) {
                    let marked = mark("password", secret.as_str());
                    result = Cow::Owned(format!("{}{marked}{}", &line[..secret.start()], &line[secret.end()..]));
                }
            }
            Context::Element => {
                let secret = line.trim();
                if !secret.starts_with('<') && !is_marked(secret) && element("", secret, false).is_some() {
                    result = Cow::Owned(format!("{}{}", &line[..indent], mark("password", secret)));
                }
            }
            Context::Block(_) | Context::Nothing => {}
        }
        *self = Context::after(line);
        result
    }

    fn after(line: &str) -> Self {
        // Most lines are neither; a look at both ends tells.
        let last = line.trim_end().bytes().next_back();
        if matches!(last, Some(b'|' | b'>' | b'+' | b'-' | b'0'..=b'9'))
            && let Some(opens) = OPENS.captures(line)
        {
            return Context::Block(opens.get(1).map_or(0, |m| m.as_str().len()));
        }
        if last == Some(b'>') && ELEMENT.is_match(line) {
            return Context::Element;
        }
        let first =
            line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '"' | '\'')).bytes().next();
        if matches!(first, Some(b'n' | b'N' | b'k' | b'K' | b'p' | b'P')) && NAMES.is_match(line) {
            return Context::Named;
        }
        Context::Nothing
    }
}

/// `password: |`
static OPENS: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r#"^(\s*(?:- )?)["']?(?i:{})["']?\s*:\s*[|>][+\-]?[0-9]?\s*$"#, name_pattern())));
/// `<password>`
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| regex(&format!(r"(?i)^\s*{}\s*$", element_pattern())));
/// `- name: DB_PASSWORD`
static NAMES: LazyLock<Regex> = LazyLock::new(|| {
    let names = "name|key|parameterkey";
    regex(&format!(r#"(?i)^\s*(?:- )?["']?(?:{names})["']?\s*:\s*["']?{}["']?,?\s*$"#, name_pattern()))
});
/// `  value: hunter2`
static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"(?i)^\s*(?:- )?["']?(?:parameter)?value["']?\s*:\s*(?:"((?:[^"\\]|\\.)*)|'([^']*)|([^\s"'].*?),?\s*$)"#)
});
