//! What the nodes of one run printed, for somebody who asks for it.

use std::fmt::Write as _;

use crate::run::Run;
use crate::summary::Summary;

use super::results::{Lookup, OutputFile, output_file};
use super::rows::printed;
use super::words::{count, say, size};
use super::{Block, Card, Tone, View, browse, results, verdict};

/// The results card with the file that holds what does not fit, or, with `node` (an id or a name), what that node printed
/// in each step.
#[must_use]
pub fn outputs(
    run: &Run,
    summary: &Summary,
    lookup: Lookup<'_>,
    node: Option<&str>,
    view: &View,
) -> (Card, Option<OutputFile>) {
    let Some(wanted) = node else {
        return (results(run, summary, lookup, view), output_file(run, summary, lookup, view));
    };
    let plan = &run.proposal.plan;
    let hits: Vec<usize> = plan
        .targets
        .iter()
        .enumerate()
        .filter(|(_, t)| t.name == wanted || t.target.node.as_str() == wanted)
        .map(|(i, _)| i)
        .collect();
    if hits.is_empty() {
        let known = plan.targets.iter().flat_map(|t| [t.name.as_str(), t.target.node.as_str()]);
        let mut told = say(format!("{} ran on {}.", view.short, count(size(plan.targets.len()), "node")));
        if let Some(near) = crate::domain::fault::closest(wanted, known) {
            told = told.plain(" Did you mean ").code(near).plain("?");
        }
        return (browse::said(Tone::Warning, &format!("{} has no such node", view.short), told.spans()), None);
    }
    let mut blocks = Vec::new();
    let mut content = String::new();
    for index in &hits {
        let (planned, state) = (&plan.targets[*index], &run.targets[*index]);
        let outcome = state.outcome.map_or_else(|| "still running".to_owned(), |o| o.to_string());
        let title = format!("{} ({}): {outcome}", planned.name, planned.target);
        let text = printed(plan, state, lookup).unwrap_or_default();
        let text = if text.trim().is_empty() { "(no output)" } else { &text };
        blocks.push(Block::Text(say(&title).spans()));
        blocks.push(Block::Code(text.trim_end().to_owned()));
        let _ = write!(content, "===== {title} =====\n{}\n", text.trim_end());
    }
    let long = content.len() > 2_500;
    let title = verdict::subject(plan.runbook.as_str(), size(hits.len()));
    let card = Card { tone: Tone::Neutral, title, blocks, buttons: Vec::new() };
    let file = long.then(|| OutputFile {
        name: format!("{}-{}.txt", view.short.to_lowercase(), plan.targets[hits[0]].target.node),
        title: format!("Output of {wanted} in {}", view.short),
        content,
    });
    (card, file)
}
