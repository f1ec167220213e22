//! What a run tells its summary: one row for each target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{Digest, Millis, Outcome};
use crate::plan::{Plan, PlannedTarget};
use crate::run::{NodeReport, Run, TargetState};
use crate::summary::{Input, Row, seen};

use super::blast::account_name;
use super::results::Lookup;
use super::words::duration;

/// The summary's input. `outputs` holds the redacted outputs that are at hand; see [`output_keys`].
#[must_use]
pub fn summary_input(run: &Run, outputs: BTreeMap<Digest, Arc<str>>) -> Input {
    summary_input_with(run, outputs, &attributes(&run.proposal.plan))
}

/// The same, with the attributes of the plan's targets, which never change.
#[must_use]
pub fn summary_input_with(run: &Run, outputs: BTreeMap<Digest, Arc<str>>, attributes: &[Attributes]) -> Input {
    let plan = &run.proposal.plan;
    let rows = plan
        .targets
        .iter()
        .zip(&run.targets)
        .zip(attributes)
        .zip(0u32..)
        .map(|(((planned, state), attributes), target)| Row {
            attributes: attributes.clone(),
            ..row(run, target, planned, state)
        })
        .collect();
    let extracts = plan.steps.iter().any(|step| !step.extract.is_empty());
    Input { rows, outputs: joined(run, outputs), extracts, took: took(run) }
}

/// The outputs, and what a node printed in several steps as one text, because it is compared as one.
#[must_use]
pub fn joined(run: &Run, mut outputs: BTreeMap<Digest, Arc<str>>) -> BTreeMap<Digest, Arc<str>> {
    if outputs.is_empty() {
        return outputs;
    }
    for state in &run.targets {
        let Some(key) = output_key(state).filter(|key| !outputs.contains_key(key)) else { continue };
        let parts: Option<Vec<Arc<str>>> = printing(state).map(|(_, key)| outputs.get(&key).cloned()).collect();
        if let Some(parts) = parts {
            outputs.insert(key, parts.join("\n").into());
        }
    }
    outputs
}

/// The outputs that a summary of this run and the story of its rollback can use, each once.
#[must_use]
pub fn output_keys(run: &Run) -> Vec<Digest> {
    let back = run.targets.iter().filter_map(|t| t.rollback.as_ref()?.output);
    let mut keys: Vec<Digest> = run.targets.iter().flat_map(|t| printing(t).map(|(_, key)| key)).chain(back).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Of which outputs these are made, which stand for all that a node printed: see [`output_key`].
#[must_use]
pub fn parts_of(run: &Run, keys: &BTreeSet<Digest>) -> Vec<Digest> {
    if keys.is_empty() {
        return Vec::new();
    }
    let wanted = run.targets.iter().filter(|state| output_key(state).is_some_and(|key| keys.contains(&key)));
    let parts: BTreeSet<Digest> = wanted.flat_map(|state| printing(state).map(|(_, key)| key)).collect();
    parts.into_iter().collect()
}

/// From the first allowed send to the end.
pub(super) fn took(run: &Run) -> Option<Millis> {
    let span = run.ended?.duration_since(run.started?);
    u64::try_from(span.as_millis()).ok().map(Millis)
}

/// The report that tells the end: the first step that went wrong, else the last one that printed something.
pub(super) fn telling(state: &TargetState) -> Option<&NodeReport> {
    let reports = || state.reports.iter().map(|(_, report)| report);
    match state.outcome {
        Some(Outcome::Succeeded) | None => {
            reports().rev().find(|r| r.output.is_some()).or_else(|| reports().next_back())
        }
        Some(_) => reports().find(|r| r.outcome != Outcome::Succeeded).or_else(|| reports().next_back()),
    }
}

/// The outputs that tell the end, each with its step: those of every step of a success, else that of the step that
/// went wrong.
pub(super) fn printing(state: &TargetState) -> impl Iterator<Item = (u32, Digest)> {
    let only = match state.outcome {
        Some(Outcome::Succeeded) | None => None,
        Some(_) => telling(state),
    };
    let told = move |report: &NodeReport| only.is_none_or(|only| std::ptr::eq(only, report));
    state.reports.iter().filter(move |(_, r)| told(r)).filter_map(|(step, r)| Some((*step, r.output?)))
}

/// One key for all that a node printed: equal keys, equal outputs in every step.
pub(super) fn output_key(state: &TargetState) -> Option<Digest> {
    let parts: Vec<(u32, Digest)> = printing(state).collect();
    match parts.as_slice() {
        [] => None,
        [(_, one)] => Some(*one),
        more => {
            let bytes: Vec<u8> = more.iter().flat_map(|(_, key)| *key.bytes()).collect();
            Some(Digest::of(&bytes))
        }
    }
}

/// What a node printed, as seen on a terminal, under the names of the steps where there are several. `None` if there is
/// nothing, or nothing of it is kept.
pub(super) fn printed(plan: &Plan, state: &TargetState, lookup: Lookup<'_>) -> Option<String> {
    let parts: Vec<(u32, Option<Arc<str>>)> = printing(state).map(|(step, key)| (step, lookup(&key))).collect();
    if parts.iter().all(|(_, text)| text.is_none()) {
        return None;
    }
    let several = parts.len() > 1;
    let told = parts.iter().map(|(step, text)| {
        let text = text.as_deref().map_or("(no longer kept)".into(), seen);
        let name = plan.steps.get(*step as usize).map_or("", |s| s.name.as_str());
        let text = text.trim_matches('\n');
        if several { format!("== {name} ==\n{text}") } else { text.to_owned() }
    });
    Some(told.collect::<Vec<_>>().join("\n"))
}

/// SSM cut something of what the node printed.
pub(super) fn is_cut(state: &TargetState) -> bool {
    let keys: Vec<u32> = printing(state).map(|(step, _)| step).collect();
    state.reports.iter().any(|(step, r)| r.cut && keys.contains(step))
}

/// The part that SSM lists of what the node printed, where more of it was read; of one step only, since several have no
/// one part.
fn listed(state: &TargetState) -> Option<Digest> {
    let mut steps = printing(state).map(|(step, _)| step);
    let (Some(only), None) = (steps.next(), steps.next()) else { return None };
    state.reports.iter().find(|(step, _)| *step == only).and_then(|(_, report)| report.listed)
}

/// What was read from its outputs. A name that two steps extract has the value of the later one.
pub(super) fn extracted(state: &TargetState) -> BTreeMap<&str, &str> {
    let all = state.reports.iter().flat_map(|(_, report)| &report.extracted);
    all.map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Why it ended so, where somebody said it.
pub(super) fn cause(state: &TargetState) -> Option<&str> {
    telling(state).and_then(|report| report.cause.as_deref()).or(state.cause.as_deref())
}

fn row(run: &Run, target: u32, planned: &PlannedTarget, state: &TargetState) -> Row {
    let plan = &run.proposal.plan;
    let report = telling(state);
    let step_of =
        |r: &NodeReport| state.reports.iter().find(|(_, other)| std::ptr::eq(other, r)).map(|(step, _)| *step);
    let step = plan.steps.get(report.and_then(step_of).unwrap_or(state.step) as usize);
    let cause = cause(state).map(str::to_owned).or_else(|| match state.outcome {
        Some(Outcome::TimedOut) => step.map(|s| format!("timed out after {}", duration(s.timeout))),
        Some(Outcome::Undeliverable) => {
            step.map(|s| format!("not delivered: the agent did not answer within {}", duration(s.delivery_timeout)))
        }
        Some(_) | None => None,
    });
    let extracted = extracted(state).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Row {
        target,
        outcome: state.outcome,
        exit_code: report.and_then(|r| r.exit_code),
        cause: cause.map(Into::into),
        step: step.map(|s| s.name.as_str().into()).unwrap_or_default(),
        output: output_key(state),
        cut: is_cut(state),
        listed: listed(state).map(Box::new),
        extracted,
        unmet: report.map(|r| r.unmet.as_slice().into()).unwrap_or_default(),
        name: planned.name.as_str().into(),
        ..Row::default()
    }
}

/// What a target is described by; see [`Row::attributes`].
pub type Attributes = Arc<BTreeMap<String, String>>;

/// Of each of the plan's targets.
#[must_use]
pub fn attributes(plan: &Plan) -> Vec<Attributes> {
    plan.targets.iter().map(|planned| Arc::new(attributes_of(plan, planned))).collect()
}

fn attributes_of(plan: &Plan, planned: &PlannedTarget) -> BTreeMap<String, String> {
    let account = &planned.target.account;
    let tags = planned.tags.iter().map(|(name, value)| (format!("tag:{name}"), value.clone()));
    let labels = plan.accounts.get(account).into_iter().flat_map(|note| note.labels.clone());
    let own = [
        ("account", account_name(plan, account)),
        ("region", planned.target.region.as_str()),
        ("platform", planned.platform.as_str()),
        ("agent", planned.agent_version.as_str()),
    ];
    // What Muster itself knows comes last, so that no label or tag can take its place.
    tags.chain(labels)
        .chain(planned.attributes.clone())
        .chain(
            own.into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
        .collect()
}
