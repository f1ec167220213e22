//! What was found, in words for a terminal, as JSON, and as a list of nodes.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cli::terminal::{Colour, Terminal};
use crate::domain::{Digest, Outcome};
use crate::message;
use crate::summary::{EACH_ITS_OWN, Finding, Measure, Shape, seen};

use super::Told;
use super::against::Changes;
use super::inventory::Inventory;

/// Results told one by one; the rest is told as a number.
const FINDINGS: usize = 40;
/// Lines shown of one output.
const LINES: usize = 12;
/// Results of which an output is shown.
const SHOWN: usize = 6;
/// Nodes named where a list would be long.
const NAMED: usize = 5;

pub(super) fn text(
    told: &Told,
    changes: Option<&Changes>,
    inventory: &Inventory,
    terminal: Terminal,
) -> Result<String, String> {
    let Told { gathered, summary, .. } = told;
    let total = gathered.nodes.len();
    let mut out = String::new();
    let failed = summary.counts.failed as usize;
    let verdict = match (failed, summary.findings.as_slice()) {
        (0, [one]) if one.identical => "the same output on each".to_owned(),
        (0, [_]) => "one result".to_owned(),
        (0, all) => format!("{} different results", number(all.len())),
        (n, all) => format!("{} failed, {}", number(n), count(all.len(), "different result")),
    };
    let title = format!("{}, {}: {verdict}", count(total, "node"), message::count(gathered.lines, "line"));
    let _ = writeln!(out, "{}", terminal.paint(&title, if failed == 0 { Colour::Bold } else { Colour::Red }));
    for (n, finding) in summary.findings.iter().take(FINDINGS).enumerate() {
        out.push_str(&one(told, n, finding, terminal)?);
    }
    if let Some(rest) = summary.findings.get(FINDINGS..).filter(|rest| !rest.is_empty()) {
        let nodes = rest.iter().map(|f| f.targets.len()).sum();
        let _ = writeln!(out, "\n… and {} on {}", count(rest.len(), "more result"), count(nodes, "node"));
    }
    for measure in &summary.measures {
        let _ = writeln!(out, "\n{}", measured(told, measure));
    }
    if let Some(changes) = changes {
        out.push_str(&changed(changes));
    }
    for note in notes(told, inventory) {
        let _ = writeln!(out, "\n{}", terminal.paint(&terminal.wrap(&note, 0), Colour::Dim));
    }
    Ok(out)
}

fn one(told: &Told, n: usize, finding: &Finding, terminal: Terminal) -> Result<String, String> {
    let mut out = String::new();
    let nodes = finding.targets.len();
    let bad = finding.outcome != Outcome::Succeeded;
    let head = format!("{}. {}{}", n + 1, count(nodes, "node"), if bad { " failed" } else { "" });
    let code = finding.exit_code.map_or_else(String::new, |code| format!(" (exit code {code})"));
    let head = terminal.paint(&head, if bad { Colour::Red } else { Colour::Bold });
    let _ = writeln!(out, "\n{head}: {}{code}", finding.title);
    let alike = match (finding.identical, finding.chatter) {
        _ if nodes == 1 || bad || finding.title == EACH_ITS_OWN => "",
        (true, _) => ", the same output on each",
        (false, 0) => ", alike but for numbers, times, ids or order",
        (false, _) => ", alike but for numbers, times, ids, order and how often lines come",
    };
    if nodes < told.gathered.nodes.len() {
        let _ = writeln!(out, "   {}{alike}", finding.described);
    } else if !alike.is_empty() {
        let _ = writeln!(out, "   {}", &alike[2..]);
    }
    if let Some(output) = output_of(told, finding.exemplar.filter(|_| n < SHOWN))? {
        let output = seen(&output);
        let lines: Vec<&str> = output.lines().collect();
        let telling = finding.line.map(|line| line as usize);
        if lines.len() == 1 && lines[0].trim() == finding.title {
            return Ok(out);
        }
        let shown = window(lines.len(), telling, bad);
        let alone = told.summary.findings.len() == 1;
        let rest = |n: usize, what: &str| match n {
            0 => String::new(),
            n => format!("{}\n", terminal.paint(&format!("   │ … {}", count(n, what)), Colour::Dim)),
        };
        out.push_str(&rest(shown.start, "earlier line"));
        for (at, line) in shown.clone().zip(&lines[shown.clone()]) {
            let line: String = line.chars().take(160).collect();
            let mark = if telling == Some(at) && !alone { "▸" } else { "│" };
            let _ = writeln!(out, "   {} {line}", terminal.paint(mark, Colour::Dim));
        }
        out.push_str(&rest(lines.len() - shown.end, "more line"));
    }
    Ok(out)
}

fn output_of(told: &Told, exemplar: Option<Digest>) -> Result<Option<Arc<str>>, String> {
    exemplar.map_or(Ok(None), |key| told.gathered.output(&key))
}

/// Which lines are shown: the first ones, those around the telling one where it is further down, or the last ones, because
/// where a node fails it says why at the end.
fn window(lines: usize, telling: Option<usize>, bad: bool) -> Range<usize> {
    let from = match telling {
        Some(at) if at >= LINES => (at - LINES / 2).min(lines.saturating_sub(LINES)),
        _ if bad => lines.saturating_sub(LINES),
        _ => 0,
    };
    from..lines.min(from + LINES)
}

fn measured(told: &Told, measure: &Measure) -> String {
    let name = |target: &u32| told.gathered.nodes.get(*target as usize).map_or("?", |node| &*node.name);
    match &measure.shape {
        Shape::Categories(sets) => {
            let sets: Vec<String> =
                sets.iter().take(NAMED).map(|(value, nodes)| format!("{value} on {}", number(nodes.len()))).collect();
            format!("{}: {}", measure.name, sets.join(", "))
        }
        Shape::Numbers { unit, min, median, p95, max, top, low } => {
            let (word, ends) = if low.is_empty() { ("highest", top) } else { ("lowest", low) };
            let ends: Vec<String> = ends.iter().map(|(value, node)| format!("{} {value}{unit}", name(node))).collect();
            format!(
                "{}: median {median}{unit}, 95 % of the nodes at most {p95}{unit}, from {min}{unit} to {max}{unit}\n   \
                 {word}: {}",
                measure.name,
                ends.join(", ")
            )
        }
    }
}

fn changed(changes: &Changes) -> String {
    let mut out = String::new();
    let Changes { moved, new, gone, unchanged } = changes;
    if moved.is_empty() && new.is_empty() && gone.is_empty() {
        return format!("\nNothing changed since: {} as before.\n", count(*unchanged, "node"));
    }
    let _ = writeln!(out, "\nSince then: {} as before", count(*unchanged, "node"));
    for one in moved.iter().take(FINDINGS) {
        let told = match (&one.from, &one.to) {
            (Some(from), Some(to)) => format!("`{from}` is now `{to}`"),
            (None, Some(to)) => format!("`{to}` is new"),
            (Some(from), None) => format!("`{from}` is gone"),
            (None, None) => continue,
        };
        let _ = writeln!(out, "  {}: {told} ({})", count(one.nodes.len(), "node"), names(&one.nodes));
    }
    if let Some(rest) = moved.get(FINDINGS..).filter(|rest| !rest.is_empty()) {
        let _ = writeln!(out, "  … and {}", count(rest.len(), "more change"));
    }
    for (what, nodes) in [("new", new), ("gone", gone)] {
        if !nodes.is_empty() {
            let _ = writeln!(out, "  {} {what}: {}", count(nodes.len(), "node"), names(nodes));
        }
    }
    out
}

fn notes(told: &Told, inventory: &Inventory) -> Vec<String> {
    let gathered = &told.gathered;
    let mut notes = Vec::new();
    if gathered.skipped > 0 {
        let first = gathered.first_skipped.as_deref().unwrap_or_default();
        let lines = message::count(gathered.skipped, "line");
        notes.push(format!(
            "{lines} named no node and {} left out, the first: {first}",
            message::were(gathered.skipped)
        ));
    }
    if gathered.cut > 0 {
        notes.push(format!(
            "{} longer than 1 MB {} cut.",
            message::count(gathered.cut, "line"),
            message::were(gathered.cut)
        ));
    }
    if gathered.over > 0 {
        let lines = message::count(gathered.over, "line");
        notes.push(format!("{lines} {} left out: a node is read up to 32 MB.", message::were(gathered.over)));
    }
    if !gathered.secrets.is_empty() {
        let kinds: Vec<String> = gathered.secrets.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        notes.push(format!("Secrets were taken out of the text: {}.", kinds.join(", ")));
    }
    let lacks = inventory.lacks(gathered.nodes.iter().map(|node| &*node.name));
    if lacks > 0 {
        notes.push(format!("The inventory knows nothing of {}.", count(lacks, "node")));
    }
    notes
}

pub(super) fn json(told: &Told, changes: Option<&Changes>) -> Result<Value, String> {
    let name = |target: &u32| told.gathered.nodes.get(*target as usize).map(|node| &*node.name);
    let finding = |finding: &Finding| -> Result<Value, String> {
        let output = output_of(told, finding.exemplar)?.map(|text| seen(&text).into_owned());
        Ok(json!({
            "outcome": finding.outcome.as_str(), "title": finding.title, "exit_code": finding.exit_code,
            "identical": finding.identical, "line": finding.line, "chatter": finding.chatter, "described": finding.described,
            "nodes": finding.targets.iter().filter_map(name).collect::<Vec<_>>(), "output": output,
        }))
    };
    let findings: Vec<Value> = told.summary.findings.iter().map(finding).collect::<Result<_, _>>()?;
    let ends = |ends: &[(String, u32)]| -> Vec<Value> {
        ends.iter().map(|(value, target)| json!({ "value": value, "node": name(target) })).collect()
    };
    let measure = |measure: &Measure| match &measure.shape {
        Shape::Categories(sets) => json!({
            "name": measure.name, "nodes": measure.nodes,
            "values": sets.iter().map(|(value, targets)| {
                json!({ "value": value, "nodes": targets.iter().filter_map(name).collect::<Vec<_>>() })
            }).collect::<Vec<_>>(),
        }),
        Shape::Numbers { unit, min, median, p95, max, top, low } => json!({
            "name": measure.name, "nodes": measure.nodes, "unit": unit, "min": min, "median": median, "p95": p95,
            "max": max, "highest": ends(top), "lowest": ends(low),
        }),
    };
    let measures: Vec<Value> = told.summary.measures.iter().map(measure).collect();
    Ok(json!({
        "nodes": told.gathered.nodes.len(), "lines": told.gathered.lines, "skipped": told.gathered.skipped,
        "first_skipped": told.gathered.first_skipped, "cut": told.gathered.cut, "left_out": told.gathered.over,
        "failed": told.summary.counts.failed, "findings": findings, "measures": measures,
        "secrets": told.gathered.secrets, "changes": changes,
    }))
}

/// `node<TAB>number` for each node, by name.
pub(super) fn groups(told: &Told) -> String {
    let mut number = vec![0; told.input.rows.len()];
    for (n, finding) in told.summary.findings.iter().enumerate() {
        for target in &finding.targets {
            if let Some(number) = number.get_mut(*target as usize) {
                *number = n + 1;
            }
        }
    }
    told.gathered.nodes.iter().zip(number).map(|(node, n)| format!("{}\t{n}\n", node.name)).collect()
}

fn names(nodes: &[String]) -> String {
    let shown = nodes.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match nodes.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {} more", number(more)),
    }
}

fn number(n: usize) -> String {
    message::number(n as u64)
}

fn count(n: usize, one: &str) -> String {
    message::count(n as u64, one)
}
