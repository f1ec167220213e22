//! Any bytes as what nodes print: redacted, summarised and drawn for both platforms. Nothing panics, the counts add up, what
//! arrives in parts and in another order comes to the same, and no text of a machine becomes a mention, a link or a format.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use muster::adapters::{discord, slack};
use muster::domain::{Digest, Outcome};
use muster::message::{self, Card, View, detail};
use muster::policy::PolicySet;
use muster::redact::Redactor;
use muster::run::{NodeReport, Phase, Run, TargetState};
use muster::runbook::Library;
use muster::summary::{Input, Outputs, Reader, Summary, summarise};
use serde_json::Value;

#[allow(dead_code, reason = "each target uses a part of it")]
mod stage;

static LIBRARY: LazyLock<Library> = LazyLock::new(stage::library);
static POLICY: LazyLock<PolicySet> = LazyLock::new(|| stage::policy(&LIBRARY));
static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(b"fuzz"));

/// Parts the outputs of two nodes; and this one says that the node before printed the same.
const NEXT: u8 = 0x1e;
const AGAIN: u8 = 0x1d;
const NODES: usize = 24;

fuzz_target!(|data: &[u8]| {
    let mut printed: Vec<&[u8]> = Vec::new();
    for part in data.split(|byte| *byte == NEXT) {
        let again = part.iter().take_while(|byte| **byte == AGAIN).count();
        printed.extend(std::iter::repeat_n(&part[again..], again + 1));
    }
    printed.truncate(NODES);
    let (run, outputs) = ended(&printed);
    let input = message::summary_input(&run, outputs.clone());
    let summary = summarise(&input);
    assert_eq!(summary, in_parts(&input), "what arrives in parts comes to something else");
    let mut told: Vec<u32> = summary.findings.iter().flat_map(|finding| finding.targets.iter().copied()).collect();
    told.sort_unstable();
    assert_eq!(told, (0..printed.len() as u32).collect::<Vec<_>>(), "each node is told once");
    cards(&run, &summary, &outputs).iter().for_each(drawn);
});

/// The run on as many nodes, each of which has printed its part. The first byte of a part says how it ended.
fn ended(printed: &[&[u8]]) -> (Run, Outputs) {
    let plan = stage::plan_on(&LIBRARY, printed.len() as u32);
    let mut run = stage::waiting_for(plan, &POLICY);
    let mut outputs = Outputs::new();
    for (at, part) in printed.iter().enumerate() {
        let (kind, text) = part.split_first().map_or((0, *part), |(kind, text)| (*kind, text));
        let redacted = REDACTOR.redact(&String::from_utf8_lossy(text)).text;
        let key = Digest::of(redacted.as_bytes());
        outputs.insert(key, redacted.into());
        let outcome = match kind % 8 {
            0 => Outcome::Failed,
            1 => Outcome::TimedOut,
            2 => Outcome::Undeliverable,
            _ => Outcome::Succeeded,
        };
        let report = NodeReport {
            target: at as u32,
            outcome,
            exit_code: Some(i32::from(outcome != Outcome::Succeeded)),
            cause: None,
            output: Some(key),
            cut: kind % 16 == 8,
            listed: None,
            extracted: BTreeMap::new(),
            unmet: Vec::new(),
            not_run: false,
        };
        run.targets[at] =
            TargetState { outcome: Some(outcome), reports: vec![(0, report)], touched: true, ..TargetState::default() };
    }
    run.phase = Phase::Finished;
    run.started = Some(stage::at(1));
    run.ended = Some(stage::at(9));
    (run, outputs)
}

/// The rows in another order, read as they arrive.
fn in_parts(input: &Input) -> Summary {
    let mut reader = Reader::default();
    let mut rows = Vec::new();
    for row in input.rows.iter().rev() {
        rows.push(row.clone());
        while let wanted = reader.wants(&rows)
            && wanted.iter().any(|key| input.outputs.contains_key(key))
        {
            let some: Outputs = wanted.iter().map(|key| (*key, input.outputs[key].clone())).collect();
            reader.learn(&rows, &some);
        }
    }
    reader.summarise(&Input { rows, outputs: Outputs::new(), ..input.clone() })
}

fn cards(run: &Run, summary: &Summary, outputs: &Outputs) -> Vec<Card> {
    let lookup = |key: &Digest| -> Option<Arc<str>> { outputs.get(key).cloned() };
    let view = View::new("r-FUZZ", stage::at(60), "/runbook");
    for file in message::exports(run, summary, &view) {
        assert!(!file.content.contains('\u{1b}'), "a file holds what a terminal obeys");
    }
    vec![
        message::root(run, Some(summary), &view),
        message::results(run, summary, &lookup, &view),
        message::closing(run, summary, &view),
        detail::nodes(run, summary, 0, &view),
        detail::compare(run, summary, &lookup, 1, &view),
    ]
}

fn drawn(card: &Card) {
    assert!(!message::to_text(card).contains('\u{1b}'), "{card:?}");
    for body in slack::bodies(card) {
        parsed_by_slack(&body);
    }
    for body in discord::bodies(card) {
        let pinged: BTreeSet<&str> =
            body["allowed_mentions"]["users"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert!(pinged.is_empty(), "nobody of Discord takes part: {body}");
        let parse = body["allowed_mentions"]["parse"].as_array().map_or(0, Vec::len);
        assert_eq!(parse, 0, "Discord looks for mentions by itself: {body}");
    }
}

/// The texts that Slack parses hold no mention, link or date but those that a card means.
fn parsed_by_slack(value: &Value) {
    const MEANT: [&str; 4] = ["<@U0SUSAN>", "<#C0OPS>", "<!date^", "<!subteam^"];
    let check = |text: &str| {
        for (at, _) in text.match_indices('<') {
            assert!(MEANT.iter().any(|meant| text[at..].starts_with(meant)), "Slack parses {:?}", &text[at..]);
        }
    };
    match value {
        Value::Object(fields) => {
            let is_text = fields.get("type").is_none() || fields["type"] == "mrkdwn";
            if let Some(text) = fields.get("text").and_then(Value::as_str).filter(|_| is_text) {
                check(text);
            }
            fields.values().for_each(parsed_by_slack);
        }
        Value::Array(all) => all.iter().for_each(parsed_by_slack),
        _ => {}
    }
}
