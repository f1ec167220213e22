//! All nodes of a run with all that is known of each, as files for a spreadsheet and for programs.

use serde_json::{Value, json};

use crate::domain::Digest;
use crate::run::Run;
use crate::summary::Summary;

use super::OutputFile;
use super::blast::account_name;
use super::rows::{cause, extracted, is_cut, telling};
use super::words::say;
use super::{Block, Card, Tone, View};

/// Columns before those of the values.
const COLUMNS: [&str; 11] =
    ["node", "name", "account", "account_name", "region", "outcome", "exit_code", "finding", "title", "cause", "cut"];
/// What stands before the name of a value, so that none takes the place of a column.
const VALUE: &str = "value.";

/// The table as CSV, and the same with the findings and the run as JSON.
#[must_use]
pub fn exports(run: &Run, summary: &Summary, view: &View) -> [OutputFile; 2] {
    let plan = &run.proposal.plan;
    let short = if view.short.is_empty() { run.id.to_string() } else { view.short.clone() };
    let name = |ending: &str| format!("{}-{}.{ending}", short.to_lowercase(), plan.runbook);
    let title = |kind: &str| format!("All nodes of {} {short} ({kind})", plan.runbook);
    [
        OutputFile { name: name("csv"), title: title("CSV"), content: csv_of(run, summary) },
        OutputFile { name: name("json"), title: title("JSON"), content: json_of(run, summary, &short) },
    ]
}

/// The number and the title of the finding that each target is in.
fn findings(run: &Run, summary: &Summary) -> Vec<Option<(usize, String)>> {
    let mut of = vec![None; run.targets.len()];
    for (finding, n) in summary.findings.iter().zip(1..) {
        for target in &finding.targets {
            if let Some(of) = of.get_mut(*target as usize) {
                *of = Some((n, finding.title.clone()));
            }
        }
    }
    of
}

fn csv_of(run: &Run, summary: &Summary) -> String {
    let plan = &run.proposal.plan;
    let names: std::collections::BTreeSet<&str> = run.targets.iter().flat_map(|t| extracted(t).into_keys()).collect();
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut write = |row: Vec<String>| {
        // Into memory nothing can fail but a row of another length, and all have one.
        if let Err(fault) = writer.write_record(row) {
            tracing::error!(%fault, "a row of a table is missing");
        }
    };
    let named = names.iter().map(|name| format!("{VALUE}{name}"));
    write(COLUMNS.iter().map(|name| (*name).to_owned()).chain(named).collect());
    let findings = findings(run, summary);
    for ((planned, state), finding) in plan.targets.iter().zip(&run.targets).zip(findings) {
        let report = telling(state);
        let (number, title) = finding.map_or_else(Default::default, |(n, title)| (n.to_string(), title));
        let own = [
            planned.target.node.to_string(),
            planned.name.clone(),
            planned.target.account.to_string(),
            account_name(plan, &planned.target.account).to_owned(),
            planned.target.region.to_string(),
            state.outcome.map_or_else(|| "pending".to_owned(), |o| o.to_string()),
            report.and_then(|r| r.exit_code).map_or_else(String::new, |code| code.to_string()),
            number,
            title,
            cause(state).unwrap_or_default().to_owned(),
            if is_cut(state) { "yes" } else { "" }.to_owned(),
        ];
        let values = extracted(state);
        let extracted = names.iter().map(|name| values.get(name).copied().unwrap_or_default().to_owned());
        write(own.into_iter().chain(extracted).map(harmless).collect());
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// A spreadsheet runs what starts like a formula; an apostrophe before it makes it text. A number stays one.
fn harmless(cell: String) -> String {
    let starts = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let digits = cell.strip_prefix('-').unwrap_or(&cell);
    let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if starts && !number { format!("'{cell}") } else { cell }
}

fn json_of(run: &Run, summary: &Summary, short: &str) -> String {
    let plan = &run.proposal.plan;
    let told = summary.findings.iter().zip(1..).map(|(finding, n)| {
        json!({
            "number": n,
            "outcome": finding.outcome.to_string(),
            "title": finding.title,
            "exit_code": finding.exit_code,
            "nodes": finding.targets.len(),
            "identical": finding.identical,
            "described": finding.described,
        })
    });
    let findings = findings(run, summary);
    let nodes = plan.targets.iter().zip(&run.targets).zip(findings).map(|((planned, state), finding)| {
        let report = telling(state);
        json!({
            "node": planned.target.node.as_str(),
            "name": planned.name,
            "account": planned.target.account.to_string(),
            "account_name": account_name(plan, &planned.target.account),
            "region": planned.target.region.as_str(),
            "outcome": state.outcome.map_or_else(|| "pending".to_owned(), |o| o.to_string()),
            "exit_code": report.and_then(|r| r.exit_code),
            "finding": finding.map(|(n, _)| n),
            "cause": cause(state),
            "cut": is_cut(state),
            "output": super::rows::output_key(state).as_ref().map(Digest::to_string),
            "values": extracted(state),
        })
    });
    // A line for each node, so that the file can be read by eyes and by line too.
    let line = |value: Value| format!("    {value}");
    let list = |values: Vec<Value>| values.into_iter().map(line).collect::<Vec<_>>().join(",\n");
    let head = json!({
        "run": run.id.to_string(),
        "short": short,
        "runbook": plan.runbook.as_str(),
        "arguments": plan.arguments,
        "selector": plan.selector,
        "started": run.started.map(|at| at.to_string()),
        "ended": run.ended.map(|at| at.to_string()),
        "counts": run.counts,
    });
    let (findings, nodes) = (list(told.collect()), list(nodes.collect()));
    format!(
        "{{\n  \"version\": 1,\n  \"run\": {head},\n  \"findings\": [\n{findings}\n  ],\n  \"nodes\": [\n{nodes}\n  ]\n}}\n"
    )
}

/// They stand in the thread, or cannot.
#[must_use]
pub fn exported(refused: Option<&str>, view: &View) -> Card {
    let (tone, title, told) = match refused {
        None => (Tone::Good, format!("The tables of {} stand in its thread", view.short), None),
        Some(why) => (
            Tone::Warning,
            format!("The tables of {} could not be put into its thread", view.short),
            Some(say(why).text()),
        ),
    };
    let blocks: Vec<Block> = told.into_iter().collect();
    Card { tone, title, blocks, buttons: Vec::new() }
}

/// Nothing to put there yet.
#[must_use]
pub fn not_over(view: &View) -> Card {
    let told = say("Its tables can be had when it is over. How it stands: ");
    let told = told.code(format!("{} status {}", view.command, view.short));
    Card {
        tone: Tone::Warning,
        title: format!("{} still goes on", view.short),
        blocks: vec![told.text()],
        buttons: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_a_number_stays_one() {
        for cell in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "--", "-1e5"] {
            assert_eq!(harmless(cell.to_owned()), format!("'{cell}"));
        }
        for cell in ["-5", "-0.25", "97%", "web-1", "", "a=b"] {
            assert_eq!(harmless(cell.to_owned()), cell);
        }
    }
}
