//! What was found: one line per check, or JSON, and the exit code.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::terminal::{Colour, Terminal};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody can see it from here, or what it needs is broken.
    NotChecked,
    Ok,
    /// Muster works, but not as somebody meant it.
    Warning,
    /// Something will not work until it is mended.
    Broken,
}

impl State {
    const ALL: [State; 4] = [State::Ok, State::Warning, State::Broken, State::NotChecked];

    fn word(self) -> &'static str {
        match self {
            State::NotChecked => "not checked",
            State::Ok => "ok",
            State::Warning => "warning",
            State::Broken => "broken",
        }
    }

    /// As it stands at the start of a line.
    fn mark(self) -> &'static str {
        match self {
            State::NotChecked => "-",
            other => other.word(),
        }
    }

    fn colour(self) -> Colour {
        match self {
            State::NotChecked => Colour::Dim,
            State::Ok => Colour::Green,
            State::Warning => Colour::Yellow,
            State::Broken => Colour::Red,
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `host`, `slack` or `aws`.
    pub area: &'static str,
    /// What was looked at, such as `bot token` or `acme-prod`.
    pub subject: String,
    pub state: State,
    /// One sentence; where something is wrong the remedy stands last.
    pub says: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn add(&mut self, area: &'static str, subject: impl Into<String>, state: State, says: impl Into<String>) {
        self.findings.push(Finding { area, subject: subject.into(), state, says: says.into() });
    }

    fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|f| f.state == state).count()
    }

    fn worst(&self) -> State {
        self.findings.iter().map(|f| f.state).max().unwrap_or(State::Ok)
    }

    /// 0: all is well; 1: warnings; 2: something is broken. What was not checked does not count.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.worst() {
            State::Ok | State::NotChecked => 0,
            State::Warning => 1,
            State::Broken => 2,
        })
    }

    /// As a person reads it.
    #[must_use]
    pub fn text(&self, terminal: Terminal) -> String {
        let mark = 8;
        let subject = self.findings.iter().map(|f| f.subject.chars().count()).max().unwrap_or_default().min(34);
        let mut text = String::new();
        let mut area = "";
        for finding in &self.findings {
            if finding.area != area {
                if !area.is_empty() {
                    text.push('\n');
                }
                area = finding.area;
                let _ = writeln!(text, "{}", terminal.paint(title(area), Colour::Bold));
            }
            let state = terminal.paint(&format!("{:mark$}", finding.state.mark()), finding.state.colour());
            let says = terminal.wrap(&finding.says, 2 + mark + 1 + subject + 2);
            let _ = writeln!(text, "  {state} {:subject$}  {says}", finding.subject);
        }
        let counts = State::ALL.into_iter().filter(|s| self.count(*s) > 0 || *s == State::Ok);
        let counts: Vec<String> = counts.map(|s| format!("{} {}", self.count(s), s.word())).collect();
        let _ = writeln!(text, "\n{}", terminal.paint(&counts.join(", "), self.worst().colour()));
        text
    }

    /// As a program reads it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "state": self.worst().max(State::Ok),
            "counts": {
                "ok": self.count(State::Ok),
                "warning": self.count(State::Warning),
                "broken": self.count(State::Broken),
                "not_checked": self.count(State::NotChecked),
            },
            "findings": self.findings,
        })
    }
}

fn title(area: &str) -> &str {
    match area {
        "host" => "This host",
        "slack" => "Slack",
        "aws" => "AWS",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_and_what_was_not_checked_does_not_count() {
        let mut report = Report::default();
        report.add("slack", "slash command", State::NotChecked, "Slack does not tell");
        assert_eq!(report.exit_code(), ExitCode::from(0));
        assert_eq!(report.json()["state"], "ok");
        report.add("aws", "acme", State::Warning, "…");
        assert_eq!(report.exit_code(), ExitCode::from(1));
        report.add("aws", "globex", State::Broken, "…");
        report.add("aws", "initech", State::Ok, "…");
        assert_eq!(report.exit_code(), ExitCode::from(2));
        assert_eq!(report.json()["state"], "broken");
    }
}
