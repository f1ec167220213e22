//! What stands behind the results, for somebody who presses their buttons: the nodes of a finding page by page, in what its
//! output differs from the usual one, and what one node printed.
//!
//! A button has one number besides its run. Here it names a finding by its place among the results, with a page of its
//! nodes; those of a run that is over keep their places. All text is what is kept of the outputs: redacted.

use similar::{ChangeTag, TextDiff};

use crate::domain::Outcome;
use crate::plan::PlannedTarget;
use crate::run::Run;
use crate::summary::{Finding, Summary};

use super::blast::{account_name, names_of};
use super::results::{FINDINGS, Lookup, lines_of, text_to_show, told};
use super::verdict::{TITLE_MAX, plain};
use super::words::{Line, are, count, cut, nodes as of_nodes, number, say, size};
use super::{Block, Button, Card, Style, Table, Tone, Verb, View};

/// Nodes on one page.
const PAGE: usize = 20;
/// Nodes of a page whose output can be had by a button.
const OUTPUTS: usize = 3;
/// What a page's number is multiplied with: more than there are findings with buttons.
const STRIDE: u32 = 16;
/// Lines of a difference that are shown, and characters of one of them.
const LINES: usize = 40;
const LINE: usize = 160;
/// Lines of an output that are compared.
const COMPARED: usize = 2_000;

/// The buttons of the results: one for each finding that is told, and one for the files.
pub(super) fn buttons(run: &Run, summary: &Summary) -> Vec<Button> {
    if !run.phase.is_over() || summary.counts.total < 2 {
        return Vec::new();
    }
    let several = summary.findings.len() > 1;
    let label = |finding: &Finding, n: u32| {
        let nodes = size(finding.targets.len());
        if several {
            format!("{n}: {} {}", number(nodes), outcome(finding))
        } else {
            format!("The {}", of_nodes(nodes))
        }
    };
    let of_findings = summary.findings.iter().zip(1..).take(FINDINGS);
    let mut buttons: Vec<Button> =
        of_findings.map(|(finding, n)| button(run, Verb::Nodes, label(finding, n), n - 1)).collect();
    buttons.push(button(run, Verb::Files, "CSV and JSON".to_owned(), run.revision));
    buttons
}

fn button(run: &Run, verb: Verb, label: String, revision: u32) -> Button {
    Button { verb, label, style: Style::Plain, run: run.id, revision }
}

fn outcome(finding: &Finding) -> &'static str {
    match finding.outcome {
        Outcome::NotStarted(_) => "not started",
        other => other.as_str(),
    }
}

/// One page of the nodes of a finding, and what else there is to see of it.
#[must_use]
pub fn nodes(run: &Run, summary: &Summary, wanted: u32, view: &View) -> Card {
    let (index, page) = (wanted % STRIDE, wanted / STRIDE);
    let Some(finding) = summary.findings.get(index as usize) else { return gone(view) };
    let plan = &run.proposal.plan;
    let total = finding.targets.len();
    let first = (page as usize).saturating_mul(PAGE);
    let shown: Vec<(u32, &PlannedTarget)> = (finding.targets.iter().skip(first).take(PAGE))
        .filter_map(|target| Some((*target, plan.targets.get(*target as usize)?)))
        .collect();
    if shown.is_empty() {
        return gone(view);
    }
    let mut blocks = vec![Block::Text(told(finding, summary.counts.total))];
    let row = |(_, t): &(u32, &PlannedTarget)| {
        let account = account_name(plan, &t.target.account);
        [t.name.as_str(), account, t.target.region.as_str(), t.target.node.as_str()].map(str::to_owned).to_vec()
    };
    let head = ["node", "account", "region", "id"].map(str::to_owned).to_vec();
    blocks.push(Block::Table(Table { head, rows: shown.iter().map(row).collect() }));
    let mut small = if total > PAGE {
        say(format!(
            "{} to {} of {}",
            number(size(first + 1)),
            number(size(first + shown.len())),
            of_nodes(size(total))
        ))
    } else {
        say(of_nodes(size(total)))
    };
    let mut buttons = Vec::new();
    if first + shown.len() < total {
        let label = format!("Next {}", number(size((total - first - shown.len()).min(PAGE))));
        buttons.push(button(run, Verb::Nodes, label, (page + 1) * STRIDE + index));
    }
    if finding.exemplar.is_some() && usual(summary, index).is_some() {
        buttons.push(button(run, Verb::Compare, "Compare with the usual".to_owned(), index));
    }
    let printed = |t: &&(u32, &PlannedTarget)| !run.targets[t.0 as usize].reports.is_empty();
    let with_output: Vec<_> = shown.iter().filter(printed).collect();
    let printing: Vec<&PlannedTarget> = with_output.iter().take(OUTPUTS).map(|(_, planned)| *planned).collect();
    for ((target, _), name) in with_output.iter().zip(names_of(&run.proposal.plan, &printing, 40)) {
        buttons.push(button(run, Verb::NodeOutput, cut(&format!("Output of {name}"), 70), *target));
    }
    if with_output.len() > OUTPUTS || total > PAGE {
        small = small.plain(" · of any other: ").code(format!("{} output {} NODE", view.command, view.short));
    }
    blocks.push(small.note());
    let title = format!("{}, finding {}: {} {}", view.short, index + 1, number(size(total)), outcome(finding));
    Card { tone: Tone::Neutral, title: cut(&title, TITLE_MAX), blocks, buttons }
}

/// The finding of most nodes that went well, if it is another one: what is usual.
fn usual(summary: &Summary, index: u32) -> Option<&Finding> {
    let (at, usual) =
        (summary.findings.iter().enumerate()).find(|(_, f)| f.outcome == Outcome::Succeeded && f.exemplar.is_some())?;
    (at != index as usize).then_some(usual)
}

/// In what the output of a finding differs from that of the largest one that went well, by one node of each.
#[must_use]
pub fn compare(run: &Run, summary: &Summary, lookup: Lookup<'_>, index: u32, view: &View) -> Card {
    let (Some(finding), Some(usual)) = (summary.findings.get(index as usize), usual(summary, index)) else {
        return gone(view);
    };
    let title = format!("{}, finding {} beside the usual: {}", view.short, index + 1, plain(&finding.title));
    let card = |blocks| Card { tone: Tone::Neutral, title: cut(&title, TITLE_MAX), blocks, buttons: Vec::new() };
    let (Some(this), Some(that)) = (text_to_show(run, finding, lookup), text_to_show(run, usual, lookup)) else {
        return card(vec![say("One of the two printed nothing, or its output is no longer kept.").text()]);
    };
    let mut blocks =
        vec![lines_of([say("− only on ").then(example(run, usual)), say("+ only on ").then(example(run, finding))])];
    let (told, more) = difference(&that, &this);
    if told.is_empty() {
        blocks.push(say("Both printed the same; what differs is how they ended.").text());
    } else {
        blocks.push(Block::Code(told));
    }
    if more > 0 {
        let told = format!("… {} {} not shown; the whole outputs: ", count(size(more), "more line"), are(size(more)));
        blocks.push(say(told).code(format!("{} output {} NODE", view.command, view.short)).note());
    }
    card(blocks)
}

/// `web-1 (one of 28: failed)`.
fn example(run: &Run, finding: &Finding) -> Line {
    let names = finding.targets.iter().find(|t| {
        run.targets.get(**t as usize).and_then(super::rows::output_key).is_some_and(|key| Some(key) == finding.exemplar)
    });
    let name = names.and_then(|t| run.proposal.plan.targets.get(*t as usize)).map_or("?", |t| t.name.as_str());
    let n = size(finding.targets.len());
    let share = if n == 1 {
        format!(" ({})", outcome(finding))
    } else {
        format!(" (one of {}: {})", number(n), outcome(finding))
    };
    Line::default().bold(cut(name, 64)).plain(share)
}

/// Unified, with one line around each change; and how many lines of it are left out.
fn difference(that: &str, this: &str) -> (String, usize) {
    let head = |text: &str| text.lines().take(COMPARED).fold(String::new(), |all, line| all + line.trim_end() + "\n");
    let (that, this) = (head(that), head(this));
    let diff = TextDiff::from_lines(&that, &this);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(1) {
        if !lines.is_empty() {
            lines.push("…".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '−',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", cut(change.value().trim_end(), LINE)));
        }
    }
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    (lines.join("\n"), more)
}

/// Outputs are deleted after a while, and what was told one by one of them is then told together.
#[must_use]
pub fn gone(view: &View) -> Card {
    let told = say("What is kept of the run no longer tells it. What is left: ");
    let told = told.code(format!("{} output {}", view.command, view.short));
    Card {
        tone: Tone::Warning,
        title: format!("{} has no such finding any more", view.short),
        blocks: vec![told.text()],
        buttons: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_the_lines_that_differ_with_one_around_them() {
        let that = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";
        let this = "one\ntwo\n3\nfour\nfive\nsix\nseven\neight\n";
        assert_eq!(difference(that, this).0, "  two\n− three\n+ 3\n  four\n…\n  seven\n+ eight");
        assert_eq!(difference(that, that), (String::new(), 0));
        let many: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert_eq!(difference("", &many).1, 60);
    }
}
