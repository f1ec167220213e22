//! What a script must not do, found before anybody runs it: evaluate a value, hold what the agent would replace, or ask
//! for a reboot that nobody announced.
//!
//! Values are data by the prelude's construction; these rules keep an author from making program text of them again.
//! They see the common ways, not every way: a runbook is reviewed by people too.

use std::collections::{BTreeMap, BTreeSet};

use super::guard::{REBOOT, REBOOT_WINDOWS, Stop};
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

/// Rules for `shell` scripts, in the order of the script. `reboots`: the step says so.
#[must_use]
pub fn shell(script: &str, parameters: &BTreeMap<String, Parameter>, reboots: bool) -> Vec<Finding> {
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
            None if !reboots && matches!(name.as_str(), "MUSTER_BOOT" | "MUSTER_NOTES") => {
                let what = format!("`${name}` is set only for a step that reboots");
                found.push(Finding::new(use_.at, what, ANNOUNCE));
            }
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
        command_rules(command, parameters, reboots, &mut found);
    }
    if !reboots {
        found.extend(lost_trap(&scanned.commands));
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

fn command_rules(command: &Command, parameters: &BTreeMap<String, Parameter>, reboots: bool, found: &mut Vec<Finding>) {
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
        "exit" => {
            if let Some(code) = rest.first() {
                let asks = (!reboots).then_some(REBOOT);
                found.extend(exit_rule(head.at, &code.literal, asks));
            }
        }
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

const ANNOUNCE: &str = "say `reboots = true` in the step";

/// Exit codes that mean something to the agent or to the prelude. `asks` is the one that asks for a reboot, where the
/// step does not announce any.
fn exit_rule(at: usize, code: &str, asks: Option<i32>) -> Option<Finding> {
    let number = code.parse::<i32>().ok()?;
    let other = "exit with another code, such as `1`";
    if asks == Some(number) {
        let what = format!("exit code `{code}` asks the agent for a reboot, which the step does not announce");
        return Some(Finding::new(at, what, format!("{ANNOUNCE}, or {other}")));
    }
    let what = match number {
        168 | 169 => format!("exit code `{code}` tells the agent to stop the document"),
        137 => "exit code `137` reads as a time-out".to_owned(),
        _ if Stop::ALL.iter().any(|s| s.code() == number) => {
            format!("exit code `{code}` is kept for Muster's own messages")
        }
        _ => return None,
    };
    Some(Finding::new(at, what, other))
}

/// The prelude's EXIT trap keeps 194 from the agent. A script may take its place with its own, but not one that may
/// end so: nothing else protects a node from a `read` runbook, which has no once-guard.
fn lost_trap(commands: &[Command]) -> Option<Finding> {
    let code = REBOOT.to_string();
    let number = |w: &Word| w.literal.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == code);
    let on_exit = |c: &&Command| {
        let mut words = c.words.iter().map(|w| w.literal.as_str());
        words.any(|w| w == "trap") && words.skip(1).any(|w| matches!(w, "EXIT" | "0"))
    };
    let trap = commands.iter().find(on_exit)?.words.first()?;
    let plain = |c: &Command| c.words.first().is_none_or(|w| w.literal != "exit");
    commands.iter().filter(|c| plain(c)).flat_map(|c| &c.words).any(number).then(|| {
        let what = format!(
            "this trap takes the place of the one that keeps exit code {REBOOT} from rebooting the node, and the script \
             names {REBOOT}"
        );
        Finding::new(trap.at, what, format!("{ANNOUNCE}, or take {REBOOT} out"))
    })
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
pub fn powershell(script: &str, parameters: &BTreeMap<String, Parameter>, reboots: bool) -> Vec<Finding> {
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
        let numbered: Vec<&str> = words().filter(|w| !w.is_empty()).collect();
        for pair in numbered.windows(2).filter(|pair| pair[0] == "exit") {
            found.extend(exit_rule(column("exit"), pair[1], (!reboots).then_some(REBOOT_WINDOWS)));
        }
        for name in ["muster_boot", "muster_notes"] {
            if !reboots && code.contains(&format!("$env:{name}")) {
                let what = format!("`$env:{}` is set only for a step that reboots", name.to_uppercase());
                found.push(Finding::new(column("$env:muster_"), what, ANNOUNCE));
            }
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
