//! What a script must not do, found before anybody runs it: evaluate a value, or hold what the agent would replace.
//!
//! Values are data by the prelude's construction; these rules keep an author from making program text of them again.
//! They see the common ways, not every way: a runbook is reviewed by people too.

use std::collections::{BTreeMap, BTreeSet};

use super::shell::{self, Command, Word};
use super::{Kind, Parameter};
use crate::domain::fault::closest;

/// Longest script, in bytes as JSON carries it: with the values it stays below SSM's 97 KB for one SendCommand.
pub const SCRIPT_MAX: usize = 48_000;

/// One finding in a script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Byte offset in the script.
    pub at: usize,
    pub what: String,
    pub remedy: String,
}

impl Finding {
    fn new(at: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { at, what: what.into(), remedy: remedy.into() }
    }
}

/// Rules for every script, whatever runs it.
#[must_use]
pub fn text(script: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if script.trim().is_empty() {
        found.push(Finding::new(0, "the script is empty", "write what the step does"));
    }
    for (part, remedy) in [("{{", "put a space between the braces"), ("$$", "for the process id write `${$}`")] {
        for (at, _) in script.match_indices(part) {
            let what = format!("the script contains `{part}`, which Systems Manager replaces");
            found.push(Finding::new(at, what, remedy));
        }
    }
    if let Some(at) = script.find('\r') {
        found.push(Finding::new(at, "the script has CR line ends", "save the file with LF line ends"));
    }
    for (at, c) in script.char_indices() {
        let hidden =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if (c.is_control() && !matches!(c, '\n' | '\t' | '\r')) || hidden {
            let what = format!("the script contains the invisible character `{}`", c.escape_unicode());
            found.push(Finding::new(at, what, "take it out; a reviewer cannot see it"));
        }
    }
    let json = serde_json::to_string(script).map_or(script.len(), |t| t.len());
    if json > SCRIPT_MAX {
        let what = format!("the script is {json} bytes, at most {SCRIPT_MAX} can be sent");
        found.push(Finding::new(0, what, "split it into steps, or put it on the nodes as a file"));
    }
    found
}

/// Rules for `shell` scripts, in the order of the script.
#[must_use]
pub fn shell(script: &str, parameters: &BTreeMap<String, Parameter>) -> Vec<Finding> {
    let scanned = shell::scan(script);
    let mut found = Vec::new();
    if script.starts_with("#!") {
        let what = "the script names its own interpreter, but `/bin/sh` runs it";
        found.push(Finding::new(0, what, "take the `#!` line out and write for `sh`"));
    }
    if let Some(at) = scanned.unclosed {
        found.push(Finding::new(at, "this quote or bracket is never closed", "close it"));
    }
    let assigned = assigned(&scanned.commands);
    for use_ in &scanned.expansions {
        let name = &use_.name;
        match parameters.get(name) {
            Some(parameter) if use_.arithmetic && !matches!(parameter.kind, Kind::Integer { .. }) => {
                let what = format!("`$((…))` evaluates `{name}`, which is not an integer");
                found.push(Finding::new(use_.at, what, "make it a parameter of type `integer`"));
            }
            Some(_) if !use_.quoted => {
                let what = format!("`${name}` stands outside quotes, so its value is split and expanded");
                found.push(Finding::new(use_.at, what, format!("write `\"${name}\"`")));
            }
            Some(_) => {}
            // The prelude sets `-u`, so a misspelt name would end the script on the node.
            None if !use_.arithmetic && !assigned.contains(name) && name.chars().all(|c| !c.is_uppercase()) => {
                if let Some(near) = closest(name, parameters.keys().map(String::as_str)) {
                    let what = format!("`${name}` is neither a parameter nor set by the script");
                    found.push(Finding::new(use_.at, what, format!("did you mean `${near}`?")));
                }
            }
            None => {}
        }
    }
    for command in &scanned.commands {
        command_rules(command, parameters, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// Variables that the script sets itself: `x=…`, `for x in`, `read x`, `export x`.
fn assigned(commands: &[Command]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for command in commands {
        for word in &command.words {
            if let Some((name, _)) = word.literal.split_once('=') {
                names.insert(name.to_owned());
            }
        }
        let words = || command.words.iter().map(|w| w.literal.as_str());
        if words().any(|w| matches!(w, "for" | "read" | "export" | "local" | "getopts")) {
            names.extend(words().map(str::to_owned));
        }
    }
    names
}

const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "zsh", "su", "busybox"];
const INTERPRETERS: &[&str] = &["python", "python3", "perl", "ruby", "node", "php", "lua"];
/// Commands that run the words after them.
const RUNNERS: &[&str] =
    &["exec", "command", "builtin", "nohup", "sudo", "env", "nice", "setsid", "xargs", "chroot", "time", "doas"];

fn command_rules(command: &Command, parameters: &BTreeMap<String, Parameter>, found: &mut Vec<Finding>) {
    let of_parameter =
        |word: &Word| word.expansions.iter().find(|e| parameters.contains_key(&e.name)).map(|e| e.name.clone());
    let data = "values are data: give them to a fixed program as arguments";

    let mut words = command.words.iter().skip_while(|w| {
        let reserved = ["if", "then", "do", "else", "elif", "while", "until", "!", "{", "}", "time"];
        w.expansions.is_empty() && reserved.contains(&w.literal.as_str()) || is_assignment(w)
    });
    let Some(mut head) = words.next() else { return };
    let mut rest: Vec<&Word> = words.collect();

    // `sudo -n env A=b sh -c …`: what is run is what counts.
    while RUNNERS.contains(&base(&head.literal)) && head.expansions.is_empty() {
        let Some(next) = rest.iter().position(|w| !w.literal.starts_with('-') && !is_assignment(w)) else { break };
        head = rest[next];
        rest.drain(..=next);
    }
    if let Some(name) = of_parameter(head) {
        found.push(Finding::new(head.at, format!("the script runs what `${name}` says"), data));
        return;
    }
    if !head.expansions.is_empty() && head.literal.is_empty() {
        return;
    }
    let name = base(&head.literal);
    match name {
        "eval" => found.push(Finding::new(head.at, "`eval` makes program text of values", data)),
        "[[" => {
            let what = "`[[` is unknown to `sh` on some systems and evaluates numbers";
            found.push(Finding::new(head.at, what, "write `[ … ]`"));
        }
        "." | "source" => {
            if let Some(name) = rest.first().and_then(|w| of_parameter(w)) {
                found.push(Finding::new(head.at, format!("the script reads `${name}` as program text"), data));
            }
        }
        "trap" | "alias" | "export" | "unset" | "readonly" | "set" => {
            // `export x="$x"` is fine, `export "$x"` is not. Behind `set --` stand values for `"$1"` and `"$@"`.
            let bare = |w: &&&Word| w.literal.is_empty() || name == "trap" || name == "alias";
            let values_from = |w: &&&Word| name == "set" && w.literal == "--" && w.expansions.is_empty();
            let evaluated = rest.iter().take_while(|w| !values_from(w));
            if let Some(parameter) = evaluated.filter(bare).find_map(|w| of_parameter(w)) {
                found.push(Finding::new(head.at, format!("`{name}` evaluates `${parameter}`"), data));
            }
        }
        "exit" => exit_rule(head, rest.first().copied(), found),
        "awk" | "gawk" | "mawk" | "sed" | "jq" => {
            if let Some(parameter) = program_word(&rest).and_then(of_parameter) {
                let what = format!("`${parameter}` becomes part of a `{name}` program");
                let remedy = if name == "sed" {
                    "use `awk` with the value in `ENVIRON`"
                } else {
                    "pass it by `ENVIRON` or `--arg`"
                };
                found.push(Finding::new(head.at, what, remedy));
            }
        }
        _ if SHELLS.contains(&name) || INTERPRETERS.contains(&name) => {
            let flag = |w: &&Word| w.literal.starts_with('-') && w.literal.ends_with(['c', 'e', 'r']);
            let program = rest.iter().position(flag).and_then(|n| rest.get(n + 1));
            if program.is_some_and(|w| !w.expansions.is_empty()) {
                let what = format!("the text that `{name}` runs contains a variable");
                found.push(Finding::new(head.at, what, "put it in single quotes and pass values as `\"$1\"`"));
            }
        }
        _ => {}
    }
}

/// The word that is the program: behind `-e`, or the first that is neither an option nor an option's value.
fn program_word<'w>(rest: &[&'w Word]) -> Option<&'w Word> {
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.literal.as_str() {
            "-e" => return words.next().copied(),
            "-v" | "-F" | "-f" => {
                words.next();
            }
            "--arg" | "--argjson" => {
                words.next();
                words.next();
            }
            option if option.starts_with('-') && option.len() > 1 => {}
            _ => return Some(word),
        }
    }
    None
}

/// Exit codes that mean something to the agent or to the prelude.
fn exit_rule(head: &Word, code: Option<&Word>, found: &mut Vec<Finding>) {
    let Some(code) = code else { return };
    let other = "exit with another code, such as `1`";
    match code.literal.as_str() {
        "194" => found.push(Finding::new(
            head.at,
            "exit code `194` asks the agent for a reboot, and steps that reboot are not supported by this version",
            other,
        )),
        "168" | "169" => {
            let what = format!("exit code `{}` tells the agent to stop the document", code.literal);
            found.push(Finding::new(head.at, what, other));
        }
        "137" => found.push(Finding::new(head.at, "exit code `137` reads as a time-out", other)),
        "212" | "213" | "214" => {
            let what = format!("exit code `{}` is kept for Muster's own messages", code.literal);
            found.push(Finding::new(head.at, what, other));
        }
        _ => {}
    }
}

fn is_assignment(word: &Word) -> bool {
    word.literal.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// `/usr/bin/awk` is `awk`.
fn base(command: &str) -> &str {
    command.rsplit('/').next().unwrap_or(command)
}

/// Rules for `powershell` scripts. PowerShell reads `$env:name` as data by itself; these are the ways around that.
#[must_use]
pub fn powershell(script: &str, parameters: &BTreeMap<String, Parameter>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in script.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default().to_lowercase();
        let words = || code.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
        let column = |part: &str| start + code.find(part).unwrap_or(0);
        for word in ["invoke-expression", "iex"] {
            if words().any(|w| w == word) {
                let what = format!("`{word}` makes program text of values");
                found.push(Finding::new(column(word), what, "call a fixed command with values as arguments"));
            }
        }
        if code.contains("[scriptblock]::create") {
            let what = "`[scriptblock]::Create` makes program text of values";
            found.push(Finding::new(column("[scriptblock]"), what, "write a fixed script block"));
        }
        for name in parameters.keys() {
            let variable = format!("$env:{name}");
            for run in ["&", "."] {
                for between in ["", " ", "\"", " \"", "("] {
                    let runs = format!("{run}{between}{variable}");
                    let before = code.find(&runs).map(|n| code.get(..n).unwrap_or_default().trim_end());
                    if before.is_some_and(|b| b.is_empty() || b.ends_with([';', '|', '{', '('])) {
                        let what = format!("the script runs what `{variable}` says");
                        found.push(Finding::new(column(&runs), what, "call a fixed command with values as arguments"));
                    }
                }
            }
            let inner = words().any(|w| matches!(w, "powershell" | "pwsh" | "cmd")) && code.contains(&variable);
            if inner {
                let what = format!("`{variable}` goes through a second shell");
                found.push(Finding::new(start, what, "call the command itself"));
            }
        }
        start += line.len();
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests;
