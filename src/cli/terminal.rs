//! How text is shown: colours and the width of the window on a terminal, plain and unwrapped anywhere else.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Lines are not wrapped narrower than this: below it wrapping only hurts.
const NARROWEST: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Red,
    Yellow,
    Green,
    Dim,
    Bold,
}

/// Where text goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminal {
    colour: bool,
    /// Columns; `None`: lines have no limit.
    width: Option<usize>,
}

impl Terminal {
    /// Standard output as it is. Colours stand back for `NO_COLOR` (any value, https://no-color.org) and `TERM=dumb`.
    #[must_use]
    pub fn stdout() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        Terminal {
            colour: is_terminal && wants_colour(|name| std::env::var(name).ok()),
            width: is_terminal.then(terminal_size::terminal_size).flatten().map(|(width, _)| usize::from(width.0)),
        }
    }

    /// Standard error as it is.
    #[must_use]
    pub fn stderr() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Terminal {
            colour: is_terminal && wants_colour(|name| std::env::var(name).ok()),
            width: is_terminal
                .then(|| terminal_size::terminal_size_of(std::io::stderr()))
                .flatten()
                .map(|(width, _)| usize::from(width.0)),
        }
    }

    /// A file or a pipe.
    #[must_use]
    pub fn plain() -> Self {
        Terminal::default()
    }

    #[must_use]
    pub fn paint(&self, text: &str, colour: Colour) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Red => "31",
            Colour::Yellow => "33",
            Colour::Green => "32",
            Colour::Dim => "2",
            Colour::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// `text` with line breaks at words, for a place that starts at column `indent`; later lines start there too.
    #[must_use]
    pub fn wrap(&self, text: &str, indent: usize) -> String {
        let Some(width) = self.width.filter(|w| w.saturating_sub(indent) >= NARROWEST) else { return text.to_owned() };
        let room = width - indent;
        let (mut out, mut used) = (String::new(), 0);
        for word in text.split(' ') {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > room {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                used = 0;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += length;
        }
        out
    }

    /// Faults as they are printed everywhere, `place: what` and the remedy below it: the place bold, the remedy dim.
    #[must_use]
    pub fn faults(&self, text: &str) -> String {
        let line = |line: &str| match (line.strip_prefix("  "), line.split_once(": ")) {
            (Some(remedy), _) => format!("  {}", self.paint(&self.wrap(remedy, 2), Colour::Dim)),
            (None, Some((place, _))) => {
                let wrapped = self.wrap(line, 0);
                match wrapped.strip_prefix(place) {
                    Some(rest) => format!("{}{rest}", self.paint(place, Colour::Bold)),
                    None => wrapped,
                }
            }
            (None, None) => line.to_owned(),
        };
        text.lines().map(|l| line(l) + "\n").collect()
    }

    /// A card as plain text: its title bold, long lines wrapped.
    #[must_use]
    pub fn titled(&self, text: &str) -> String {
        let text = self.prose(text);
        let (title, rest) = text.split_once('\n').unwrap_or((&text, ""));
        format!("{}\n{rest}", self.paint(title, Colour::Bold))
    }

    /// A whole text: long lines of prose are wrapped, indented ones (scripts, tables) are left as they are.
    #[must_use]
    pub fn prose(&self, text: &str) -> String {
        let lines = text.lines().map(|line| if line.starts_with(' ') { line.to_owned() } else { self.wrap(line, 0) });
        lines.map(|line| line + "\n").collect()
    }
}

fn wants_colour(variable: impl Fn(&str) -> Option<String>) -> bool {
    variable("NO_COLOR").is_none_or(|v| v.is_empty()) && variable("TERM").is_none_or(|t| t != "dumb")
}

/// Says on standard error how far long work has come, if that is a terminal; otherwise it is silent.
#[must_use]
pub fn progress(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_neither_colours_nor_line_breaks() {
        let text = "one two three four five six seven eight nine ten eleven twelve";
        assert_eq!(Terminal::plain().paint(text, Colour::Red), text);
        assert_eq!(Terminal::plain().wrap(text, 4), text);
    }

    #[test]
    fn a_terminal_gets_lines_that_fit_and_no_word_is_lost() {
        let narrow = Terminal { colour: false, width: Some(50) };
        let text = "one two three four five six seven eight nine ten eleven twelve";
        let wrapped = narrow.wrap(text, 6);
        assert!(wrapped.lines().skip(1).all(|l| l.starts_with("      ") && l.len() <= 50), "{wrapped}");
        assert_eq!(wrapped.split_whitespace().collect::<Vec<_>>().join(" "), text);
        let script = format!("    {text}\n");
        assert_eq!(narrow.prose(&script), script, "what is indented stays as it is");
    }

    #[test]
    fn faults_in_colour_say_what_plain_ones_say() {
        let text = "a.toml:1:2: something is wrong\n  mend it\n\n1 fault in 1 file; 2 files checked\n";
        assert_eq!(Terminal::plain().faults(text), text);
        let colours = Terminal { colour: true, width: None };
        let bare = colours.faults(text).replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert_eq!(bare, text);
        assert!(colours.faults(text).contains("\x1b[1ma.toml:1:2\x1b[0m: something"));
    }

    #[test]
    fn no_color_is_respected() {
        let with = |name: &'static str, value: &'static str| {
            wants_colour(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert!(!with("NO_COLOR", "1"));
        assert!(with("NO_COLOR", ""), "set and empty counts as not set, by the convention's own words");
        assert!(!with("TERM", "dumb"));
        assert!(with("TERM", "xterm"));
    }
}
