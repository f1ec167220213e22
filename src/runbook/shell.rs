//! Reads a shell script as far as the linter needs it: its simple commands, their words, and where variables stand.
//!
//! It is no shell. What it does not understand it takes for plain text, and it never fails; the linter's claims are
//! about the common ways to evaluate a value, and the prelude is what keeps values data.

/// One simple command: its words, reserved words and assignments included.
#[derive(Debug, Default)]
pub struct Command {
    pub words: Vec<Word>,
}

#[derive(Debug, Default)]
pub struct Word {
    /// Byte offset in the script.
    pub at: usize,
    /// The literal characters, with quotes removed and expansions left out.
    pub literal: String,
    pub expansions: Vec<Expansion>,
}

#[derive(Debug, Clone)]
pub struct Expansion {
    pub name: String,
    pub at: usize,
    /// Inside double quotes or a here-document: one word, no globbing.
    pub quoted: bool,
    /// Inside `$((…))`.
    pub arithmetic: bool,
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct Script {
    pub commands: Vec<Command>,
    /// Every variable that is expanded anywhere.
    pub expansions: Vec<Expansion>,
    /// Where a quote opens that is never closed.
    pub unclosed: Option<usize>,
}

impl Script {
    /// Variables that `export x` hands to programs, such as awk by its `ENVIRON`: a use of them.
    pub fn exported(&self) -> impl Iterator<Item = String> + '_ {
        let exports = self.commands.iter().filter(|c| c.words.first().is_some_and(|w| w.literal == "export"));
        exports.flat_map(|c| c.words.iter().skip(1).map(|w| w.literal.clone()))
    }
}

/// Deeper nesting is taken for plain text.
const DEPTH: u32 = 40;

#[must_use]
pub fn scan(text: &str) -> Script {
    let mut scanner = Scanner { text, at: 0, script: Script::default(), heredocs: Vec::new(), depth: 0 };
    while scanner.at < text.len() {
        scanner.commands(None);
        // A `)` that closes nothing, as in `case x in a)`: go on behind it.
        scanner.at += 1;
    }
    scanner.script
}

struct Scanner<'s> {
    text: &'s str,
    at: usize,
    script: Script,
    /// Here-documents whose bodies start at the next newline: delimiter, and whether variables are expanded.
    heredocs: Vec<(String, bool)>,
    depth: u32,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn starts(&self, with: &str) -> bool {
        self.text.get(self.at..).is_some_and(|rest| rest.starts_with(with))
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Reads commands up to `until` at this level, and takes it; or to the end.
    fn commands(&mut self, until: Option<char>) {
        let mut command = Command::default();
        let mut word: Option<Word> = None;
        let mut parentheses = 0;
        while let Some(c) = self.peek() {
            let at = self.at;
            if word.is_none() && c == '#' {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.bump();
                }
                continue;
            }
            if Some(c) == until && parentheses == 0 {
                self.bump();
                break;
            }
            match c {
                ' ' | '\t' => {
                    self.bump();
                    command.words.extend(word.take());
                }
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    self.bump();
                    command.words.extend(word.take());
                    self.keep(std::mem::take(&mut command));
                    match c {
                        '(' => parentheses += 1,
                        ')' => parentheses = (parentheses - 1).max(0),
                        '\n' => self.heredoc_bodies(),
                        _ => {}
                    }
                }
                '<' | '>' => {
                    command.words.extend(word.take());
                    if self.starts("<<") && !self.starts("<<<") {
                        self.heredoc_start();
                    } else {
                        self.bump();
                    }
                }
                _ => self.word_part(word.get_or_insert_with(|| Word { at, ..Word::default() })),
            }
        }
        command.words.extend(word);
        self.keep(command);
    }

    fn keep(&mut self, command: Command) {
        if !command.words.is_empty() {
            self.script.commands.push(command);
        }
    }

    /// One character, quoted text or expansion of a word.
    fn word_part(&mut self, word: &mut Word) {
        let open = self.at;
        match self.peek() {
            Some('\\') => {
                self.bump();
                match self.bump() {
                    Some('\n') | None => {}
                    Some(c) => word.literal.push(c),
                }
            }
            Some('\'') => {
                self.bump();
                loop {
                    match self.bump() {
                        Some('\'') => break,
                        Some(c) => word.literal.push(c),
                        None => {
                            self.script.unclosed.get_or_insert(open);
                            break;
                        }
                    }
                }
            }
            Some('"') => {
                self.bump();
                loop {
                    match self.peek() {
                        Some('"') => {
                            self.bump();
                            break;
                        }
                        Some('\\') => {
                            self.bump();
                            word.literal.extend(self.bump());
                        }
                        Some('$' | '`') => self.expansion(word, true),
                        Some(c) => {
                            self.bump();
                            word.literal.push(c);
                        }
                        None => {
                            self.script.unclosed.get_or_insert(open);
                            break;
                        }
                    }
                }
            }
            Some('$' | '`') => self.expansion(word, false),
            Some(c) => {
                self.bump();
                word.literal.push(c);
            }
            None => {}
        }
    }

    /// `$name`, `${name…}`, `$((…))`, `$(…)` or backticks.
    fn expansion(&mut self, word: &mut Word, quoted: bool) {
        let at = self.at;
        if self.depth >= DEPTH {
            word.literal.extend(self.bump());
        } else if self.starts("$((") {
            self.at += 3;
            self.arithmetic(word);
        } else if self.starts("$(") || self.starts("`") {
            let close = if self.starts("`") { '`' } else { ')' };
            self.at += if close == '`' { 1 } else { 2 };
            self.depth += 1;
            let heredocs = std::mem::take(&mut self.heredocs);
            self.commands(Some(close));
            self.heredocs = heredocs;
            self.depth -= 1;
            if self.text.get(..self.at).is_none_or(|t| !t.ends_with(close)) {
                self.script.unclosed.get_or_insert(at);
            }
        } else if self.starts("${") {
            self.at += 2;
            if self.starts("#") {
                self.at += 1;
            }
            let name = self.name();
            self.expand(word, Expansion { name, at, quoted, arithmetic: false });
            self.depth += 1;
            loop {
                match self.peek() {
                    Some('}') => {
                        self.bump();
                        break;
                    }
                    Some(_) if quoted && !self.starts("$") && !self.starts("`") && !self.starts("\\") => {
                        self.bump();
                    }
                    Some(_) => {
                        let mut inner = Word::default();
                        match self.peek() {
                            Some('$' | '`') => self.expansion(&mut inner, quoted),
                            _ => self.word_part(&mut inner),
                        }
                        word.expansions.append(&mut inner.expansions);
                    }
                    None => {
                        self.script.unclosed.get_or_insert(at);
                        break;
                    }
                }
            }
            self.depth -= 1;
        } else {
            self.at += 1;
            let name = self.name();
            if name.is_empty() {
                // `$1`, `$?`, `$@`: not one of ours.
                if self.peek().is_some_and(|c| "0123456789?@*#!-$".contains(c)) {
                    self.bump();
                } else {
                    word.literal.push('$');
                }
            } else {
                self.expand(word, Expansion { name, at, quoted, arithmetic: false });
            }
        }
    }

    /// Names are evaluated in `$((…))` with or without a dollar.
    fn arithmetic(&mut self, word: &mut Word) {
        while self.peek().is_some() {
            if self.starts("))") {
                self.at += 2;
                return;
            }
            let at = self.at;
            if self.starts("$(") || self.starts("`") {
                self.expansion(word, false);
                continue;
            }
            let name = self.name();
            if name.is_empty() {
                self.bump();
            } else {
                self.expand(word, Expansion { name, at, quoted: true, arithmetic: true });
            }
        }
    }

    fn expand(&mut self, word: &mut Word, expansion: Expansion) {
        if !expansion.name.is_empty() {
            word.expansions.push(expansion.clone());
            self.script.expansions.push(expansion);
        }
    }

    fn name(&mut self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return String::new();
        }
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        self.at += name.len();
        name
    }

    fn heredoc_start(&mut self) {
        self.at += 2;
        if self.starts("-") {
            self.at += 1;
        }
        while self.peek().is_some_and(|c| c == ' ' || c == '\t') {
            self.bump();
        }
        let start = self.at;
        let mut word = Word::default();
        while self.peek().is_some_and(|c| !c.is_whitespace() && !";&|()<>".contains(c)) {
            self.word_part(&mut word);
        }
        let plain = !self.text.get(start..self.at).unwrap_or_default().contains(['\'', '"', '\\']);
        self.heredocs.push((word.literal, plain));
    }

    /// Skips the bodies that start here; variables in them are data, in double quotes as it were.
    fn heredoc_bodies(&mut self) {
        for (delimiter, expands) in std::mem::take(&mut self.heredocs) {
            while self.at < self.text.len() {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let end = rest.find('\n').map_or(self.text.len(), |n| self.at + n + 1);
                let line = self.text.get(self.at..end).unwrap_or_default();
                if line.trim_end_matches('\n').trim_start_matches('\t') == delimiter {
                    self.at = end;
                    break;
                }
                while expands && self.at < end {
                    match self.peek() {
                        Some('$' | '`') => self.expansion(&mut Word::default(), true),
                        Some('\\') => {
                            self.bump();
                            self.bump();
                        }
                        _ => {
                            self.bump();
                        }
                    }
                }
                self.at = self.at.max(end);
            }
        }
    }
}
