//! Every sentence that the bot can say, in one file to be read for its tone: a new one shows in the diff of a review.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use regex::Regex;

/// What speaks to people: cards, the grammar's refusals, what the policy says, and what AWS and Slack refused in words.
const ROOMS: [&str; 6] = [
    "src/message",
    "src/command",
    "src/policy",
    "src/domain/selector.rs",
    "src/adapters/slack/sentence.rs",
    "src/adapters/aws/fault.rs",
];

fn sources(at: &Path, found: &mut Vec<PathBuf>) {
    if at.is_file() {
        found.push(at.to_owned());
        return;
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(at).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    let told = |p: &PathBuf| {
        let name = p.file_name().unwrap().to_string_lossy().into_owned();
        p.is_dir() && name != "tests" || name.ends_with(".rs") && !name.contains("tests")
    };
    entries.into_iter().filter(told).for_each(|entry| sources(&entry, found));
}

/// The texts in quotes of one file, without those of its tests, that hold more than one word.
fn said(source: &str) -> Vec<String> {
    // Comments and characters first, so that a quote in them opens no text.
    let token =
        Regex::new(r##"//[^\n]*|'(?:\\.[^']*|[^'\\])'|r#"(?s:(.*?))"#|r"([^"]*)"|"((?:\\(?s:.)|[^"\\])*)""##).unwrap();
    let continued = Regex::new(r"\\\n\s*").unwrap();
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let texts = token.captures_iter(source).filter_map(|found| (1..4).find_map(|n| found.get(n)));
    let texts = texts.map(|text| continued.replace_all(text.as_str(), "").replace("\\\"", "\"").replace("\\n", " "));
    texts.filter(|text| text.trim().contains(' ') && text.contains(char::is_alphabetic)).collect()
}

#[test]
fn every_sentence_stands_in_one_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ROOMS.iter().for_each(|room| sources(&root.join(room), &mut files));
    let mut all = String::new();
    for file in files {
        let told = said(&std::fs::read_to_string(&file).unwrap());
        if !told.is_empty() {
            writeln!(all, "{}", file.strip_prefix(root).unwrap().display()).unwrap();
            told.iter().for_each(|text| writeln!(all, "    {text}").unwrap());
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn texts_are_found_and_comments_and_tests_are_not() {
    let source = "// \"not this one\"\nlet a = '\"'; say(\"one two {n}\"); // \"nor this\"\nf(\"three \\\n    four \\\"five\\\"\");\ng(\"word\");\n#[cfg(test)]\nmod tests { \"not these either\" }";
    assert_eq!(said(source), ["one two {n}", "three four \"five\""]);
}
