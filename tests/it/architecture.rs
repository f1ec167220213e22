//! Imports run one way, and each heavy crate is named in one place only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const CORE: &[&str] =
    &["domain", "redact", "command", "runbook", "plan", "summary", "policy", "run", "audit", "message", "ports"];

/// Room to the rooms it may name by `crate::…`, itself included.
fn allowed(room: &str) -> Vec<&'static str> {
    match room {
        "domain" => vec!["domain"],
        "redact" => vec!["domain", "redact"],
        "command" => vec!["domain", "redact", "command"],
        "runbook" => vec!["domain", "redact", "runbook"],
        "plan" => vec!["domain", "redact", "command", "runbook", "plan"],
        "summary" => vec!["domain", "redact", "command", "runbook", "summary"],
        "policy" => vec!["domain", "redact", "command", "runbook", "plan", "summary", "policy"],
        "run" => vec!["domain", "redact", "command", "runbook", "plan", "summary", "policy", "run"],
        "audit" => vec!["domain", "redact", "command", "runbook", "plan", "summary", "policy", "run", "audit"],
        "message" => vec!["domain", "redact", "command", "runbook", "plan", "summary", "policy", "run", "message"],
        "ports" => CORE.to_vec(),
        "engine" => [CORE, &["engine", "telemetry"]].concat(),
        "adapters/aws" => [CORE, &["adapters/aws", "telemetry"]].concat(),
        "adapters/slack" => [CORE, &["adapters/slack"]].concat(),
        "adapters/discord" => [CORE, &["adapters/discord"]].concat(),
        "adapters/host" => [CORE, &["adapters/host"]].concat(),
        "adapters/store" => [CORE, &["adapters/store"]].concat(),
        "adapters" => [CORE, &["adapters"]].concat(),
        "playground" => vec!["domain", "playground"],
        "config" => vec!["domain", "config"],
        "telemetry" => vec!["domain", "telemetry"],
        // These know all.
        "cli" | "app" | "lib" | "main" | "rules" | "shipped" => vec!["*"],
        other => panic!("`src/{other}` is in no room of the import table; add it to `allowed`"),
    }
}

/// Crate to the rooms that may name it.
const NAMED_ONLY_IN: &[(&str, &[&str])] = &[
    ("aws_", &["adapters/aws"]),
    ("slack_morphism", &["adapters/slack"]),
    ("serenity", &["adapters/discord"]),
    ("sled", &["adapters/store"]),
    ("landlock", &["playground"]),
    ("axum", &["playground"]),
    ("rayon", &["summary"]),
];

/// Words that would make the pure core impure.
const PURE: &[&str] =
    &["domain", "redact", "command", "runbook", "plan", "summary", "policy", "run", "audit", "message"];
const IMPURE: &[&str] = &[
    "async fn",
    "tokio::",
    "Timestamp::now",
    "Instant",
    "SystemTime",
    "rand::",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    // What is shared with the pool ends before its caller goes on, but for this.
    "rayon::spawn",
];

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn room_of(relative: &Path) -> String {
    let parts: Vec<&str> = relative.iter().map(|p| p.to_str().unwrap()).collect();
    match parts.as_slice() {
        ["adapters", sub, _, ..] => format!("adapters/{sub}"),
        ["adapters", _] => "adapters".into(),
        [file] => file.trim_end_matches(".rs").to_owned(),
        [room, ..] => (*room).to_owned(),
        [] => unreachable!(),
    }
}

/// The text without comments; strings stay, which can only make the check stricter.
fn code(text: &str) -> String {
    text.lines().map(|l| l.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The rooms that `text` names by `crate::…`, groups such as `crate::{a::B, c}` included.
fn rooms_named(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let heads: Vec<String> = if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut heads = vec![String::new()];
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => heads.push(String::new()),
                    _ if depth == 1 => heads.last_mut().unwrap().push(c),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            heads
        } else {
            vec![rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect()]
        };
        for head in heads {
            let mut words = head.trim().split("::").map(str::trim);
            let first = words.next().unwrap_or_default();
            if first == "adapters" {
                let second: String =
                    words.next().unwrap_or_default().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.push(if second.is_empty() { "adapters".to_owned() } else { format!("adapters/{second}") });
            } else if !first.is_empty() {
                found.push(first.to_owned());
            }
        }
    }
    found
}

fn violations(files: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in files {
        let room = room_of(path);
        let rooms = allowed(&room);
        let text = code(text);
        for named in rooms_named(&text) {
            if !rooms.contains(&"*") && !rooms.contains(&named.as_str()) {
                faults.push(format!("{}: `{room}` must not name `{named}`", path.display()));
            }
        }
        for (name, homes) in NAMED_ONLY_IN {
            let named = text.match_indices(name).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let after = text[at + name.len()..].chars().next();
                let whole = name.ends_with('_') || !after.is_some_and(|c| c.is_alphanumeric() || c == '_');
                // Only paths and `use`: `aws_now` is a word of ours, `aws_sdk_ssm::…` is the crate.
                let path_like = text[at..]
                    .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .next()
                    .is_some_and(|word| text[at + word.len()..].starts_with("::"));
                whole
                    && path_like
                    && !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '"' || c == '.')
            });
            if named && !homes.iter().any(|h| room == *h) && !rooms.contains(&"*") {
                faults.push(format!("{}: only {homes:?} may name `{name}`", path.display()));
            }
        }
        let is_test = path.file_stem().and_then(|s| s.to_str()).is_some_and(|s| s == "tests" || s.ends_with("_tests"));
        if PURE.contains(&room.as_str()) && !is_test {
            for word in IMPURE {
                if text.contains(word) {
                    faults.push(format!("{}: the pure core says `{word}`", path.display()));
                }
            }
        }
    }
    faults
}

#[test]
fn imports_run_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    let files = paths
        .into_iter()
        .map(|p| (p.strip_prefix(&src).unwrap().to_owned(), fs::read_to_string(&p).unwrap()))
        .collect::<BTreeMap<_, _>>();
    assert!(files.len() > 30, "the sources were not found");
    let faults = violations(&files);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_violation_is_found_in_every_form() {
    let found = |path: &str, text: &str| violations(&BTreeMap::from([(PathBuf::from(path), text.to_owned())])).len();
    assert_eq!(found("run/decide.rs", "use crate::domain::RunId;"), 0);
    assert_eq!(found("run/decide.rs", "use crate::ports::Cloud;"), 1);
    assert_eq!(found("run/decide.rs", "use crate::{domain::{A, B}, engine::C};"), 1);
    assert_eq!(found("engine/mod.rs", "let x = crate::adapters::aws::X;"), 1);
    assert_eq!(found("adapters/slack/mod.rs", "use crate::adapters::aws::X;"), 1);
    assert_eq!(found("adapters/slack/mod.rs", "use crate::adapters::slack::render;"), 0);
    assert_eq!(found("playground/slack/mod.rs", "use crate::message::Card;"), 1);
    assert_eq!(found("playground/aws/mod.rs", "use aws_sdk_ssm::Client;"), 1);
    assert_eq!(found("adapters/aws/mod.rs", "use aws_sdk_ssm::Client; fn f(c: &dyn Cloud) { c.aws_now(); }"), 0);
    assert_eq!(found("run/decide.rs", "let t = Timestamp::now();"), 1);
    assert_eq!(found("runbook/library.rs", "let text = std::fs::read_to_string(path);"), 1);
    assert_eq!(found("message/view.rs", "let home = std::env::var(\"HOME\");"), 1);
    assert_eq!(found("run/decide.rs", "std::thread::sleep(std::time::Duration::ZERO);"), 1);
    assert_eq!(found("summary/threads.rs", "rayon::join(one, other);"), 0);
    assert_eq!(found("summary/threads.rs", "rayon::spawn(one);"), 1);
    assert_eq!(found("plan/mod.rs", "rayon::join(one, other);"), 1);
    assert_eq!(found("run/decide.rs", "// Timestamp::now() is forbidden here"), 0);
}
