//! Judges what muster says to Slack by an independent reading of Block Kit, the crate `slackblocks`.
//!
//! Reads files of JSON lines `{"kind": "message" | "modal" | "home", "body": …}`, prints one line per fault and exits 1
//! if there is any, 2 if a file holds nothing to judge. What `slackblocks` 3.2.0 does not know is checked here: action ids are unique
//! within a message, the texts of a message hold at most 12,000 characters in sum, and rich text may hold a `date`
//! (docs.slack.dev, Date element), which is judged and then taken out.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::Value;
use slackblocks::{HomeTabView, MessagePayload, ModalView};

const TEXT_MAX: usize = 12_000;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: blockkit-witness FILE...");
        return ExitCode::from(2);
    }
    let (mut judged, mut faults) = (0, 0);
    for file in &files {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("cannot read `{file}`: {error}");
                return ExitCode::from(2);
            }
        };
        let before = judged;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            judged += 1;
            for fault in judge(line) {
                faults += 1;
                println!("{file}:{}: {fault}", number + 1);
            }
        }
        if judged == before {
            eprintln!("`{file}` holds nothing to judge");
            return ExitCode::from(2);
        }
        println!("{file}: {} bodies", judged - before);
    }
    println!("{judged} bodies judged, {faults} faults");
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn judge(line: &str) -> Vec<String> {
    let mut record: Value = match serde_json::from_str(line) {
        Ok(record) => record,
        Err(error) => return vec![format!("not JSON: {error}")],
    };
    let mut body = record["body"].take();
    let mut faults = Vec::new();
    dates(&mut body, &mut faults);
    match record["kind"].as_str() {
        Some("message") => {
            // Answers to a response_url name no channel.
            if let Some(fields) = body.as_object_mut() {
                fields.entry("channel").or_insert_with(|| Value::from("C0"));
                fields.retain(|name, _| matches!(name.as_str(), "channel" | "text" | "blocks" | "thread_ts"));
                if fields.get("blocks").is_some_and(|b| b.as_array().is_some_and(Vec::is_empty)) {
                    fields.remove("blocks");
                }
            }
            if let Err(error) = MessagePayload::try_from(body.clone()) {
                faults.push(error.to_string());
            }
            let sum = text_of(&body["blocks"]);
            if sum > TEXT_MAX {
                faults.push(format!("the texts hold {sum} characters, Slack takes about {TEXT_MAX}"));
            }
        }
        Some("modal") => {
            if let Err(error) = ModalView::try_from(body.clone()) {
                faults.push(error.to_string());
            }
        }
        Some("home") => {
            if let Err(error) = HomeTabView::try_from(body.clone()) {
                faults.push(error.to_string());
            }
        }
        other => faults.push(format!("`kind` is {other:?}: it is `message`, `modal` or `home`")),
    }
    let mut seen = BTreeSet::new();
    action_ids(&body["blocks"], &mut |id| {
        if !seen.insert(id.to_owned()) {
            faults.push(format!("action id `{id}` stands there twice"));
        }
    });
    faults
}

/// Judges every `date` of rich text and puts its fallback in its place.
fn dates(value: &mut Value, faults: &mut Vec<String>) {
    match value {
        Value::Object(fields) if fields.get("type").is_some_and(|t| t == "date") => {
            let known = ["type", "timestamp", "format", "fallback", "timezone", "url", "style"];
            if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
                faults.push(format!("a date has no field `{name}`"));
            }
            if !fields.get("timestamp").is_some_and(|t| t.is_i64() || t.is_u64()) {
                faults.push("the timestamp of a date is a whole number".to_owned());
            }
            if !fields.get("format").and_then(Value::as_str).is_some_and(|f| f.contains('{')) {
                faults.push("the format of a date names a token such as `{date}`".to_owned());
            }
            let shown = fields.get("fallback").cloned().unwrap_or_else(|| Value::from("a date"));
            *value = serde_json::json!({ "type": "text", "text": shown });
        }
        Value::Object(fields) => fields.values_mut().for_each(|v| dates(v, faults)),
        Value::Array(items) => items.iter_mut().for_each(|v| dates(v, faults)),
        _ => {}
    }
}

fn text_of(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, v)| match v {
                Value::String(text) if name == "text" => text.chars().count(),
                other => text_of(other),
            })
            .sum(),
        Value::Array(items) => items.iter().map(text_of).sum(),
        _ => 0,
    }
}

fn action_ids(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            if let Some(id) = fields.get("action_id").and_then(Value::as_str) {
                found(id);
            }
            fields.values().for_each(|v| action_ids(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| action_ids(v, found)),
        _ => {}
    }
}
