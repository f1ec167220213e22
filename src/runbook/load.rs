//! A runbook file, read strictly: see design §4 for the format.
//!
//! Defaults where a file says nothing: at most 50 targets, offline nodes skipped, one wave. Runbooks that only read
//! have no limit on nodes in flight or on errors; others have 25 % in flight, stop at 10 % errors, and hold after a wave in
//! which a node failed. A hold waits an hour, a run takes a day at most. Platforms follow
//! from the steps: `shell` runs on linux and macos, `powershell` on windows.

use std::collections::BTreeMap;
use std::path::Path;

use super::step::read_steps;
use super::{HoldAfter, Offline, Risk, Rollout, Runbook, TargetRules, names, parameter};
use crate::domain::strict::{self, At, Document, Table};
use crate::domain::{Amount, Digest, Fault, Millis, NodePlatform, RunbookName};

/// Targets of one run where the file names no `max`.
pub const MAX_TARGETS_DEFAULT: u32 = 50;
/// The most a file may name.
pub const MAX_TARGETS: i64 = 50_000;
/// Values of `delivery_timeout` and `timeout` where the file names none.
pub const TIMEOUT_DEFAULT_SECS: u64 = 600;
pub const DELIVERY_TIMEOUT_DEFAULT_SECS: u64 = 60;
/// Somebody should look within the hour.
const HOLD_FOR_DEFAULT: Millis = Millis::from_secs(3600);
/// Nothing runs for ever.
const DEADLINE_DEFAULT: Millis = Millis::from_secs(86_400);
const DEADLINE_MAX: Millis = Millis::from_secs(14 * 86_400);

/// One file as a runbook. Its name is the file's name without `.toml`.
///
/// # Errors
/// Every fault of the file, in its order.
pub fn load(file: &Path, text: &str) -> Result<Runbook, Vec<Fault>> {
    let (runbook, faults) = strict::read(file, text, |document| {
        let name = name_of(file, document);
        read(document, name, Digest::of(text.as_bytes()))
    });
    match runbook {
        Some(runbook) if faults.is_empty() => Ok(runbook),
        _ => Err(faults),
    }
}

fn name_of(file: &Path, document: &Document<'_>) -> Option<RunbookName> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    match stem.parse() {
        Ok(name) => Some(name),
        Err(e) => {
            document.fault(&(0..0), e.to_string(), "rename the file; its name is the runbook's name");
            None
        }
    }
}

const RISKS: &[(&str, Risk)] = &[("read", Risk::Read), ("change", Risk::Change), ("destructive", Risk::Destructive)];
const PLATFORMS: &[(&str, NodePlatform)] =
    &[("linux", NodePlatform::Linux), ("windows", NodePlatform::Windows), ("macos", NodePlatform::Macos)];

fn read(document: &Document<'_>, name: Option<RunbookName>, revision: Digest) -> Option<Runbook> {
    let root = document.root();
    let _version = root.required_integer("version", 1..=1);
    let title = root.required_str("title");
    let description = root.required_str("description");
    let tags = root.optional_strings("tags").unwrap_or_default();
    let risk = root.required_choice("risk", RISKS);
    let owner = root.required_str("owner");
    let parameters = root.optional_table("parameters").map(|table| parameters(&table)).unwrap_or_default();
    let platforms = read_platforms(&root);
    let (steps, rollback) = read_steps(&root, &parameters, platforms.as_deref());
    let targets = read_targets(&root, platforms, &steps);
    let rollout = read_rollout(&root, risk.as_ref().map_or(Risk::Change, |r| r.value), &steps);
    root.finish();

    let reboots = || steps.iter().chain(&rollback).find(|s| s.reboots);
    if let Some(risk) = risk.as_ref().filter(|r| r.value == Risk::Read)
        && let Some(step) = reboots()
    {
        let what = format!("the step `{}` reboots, and a runbook of risk `read` changes nothing", step.name);
        document.fault(&risk.span, what, "write `risk = \"change\"`, or take `reboots` out");
    }
    for line in [&title, &owner].into_iter().flatten().chain(&tags) {
        if line.value.chars().any(char::is_control) {
            document.fault(&line.span, "this text has more than one line", "write it on one line");
        }
    }
    Some(Runbook {
        name: name?,
        revision,
        title: title?.value.to_owned(),
        description: description?.value.trim().to_owned(),
        tags: tags.into_iter().map(|tag| tag.value.to_owned()).collect(),
        risk: risk?.value,
        owner: owner?.value.to_owned(),
        parameters,
        targets: targets?,
        steps,
        rollback,
        rollout: rollout?,
    })
}

fn parameters(table: &Table<'_>) -> BTreeMap<String, super::Parameter> {
    const MOST: usize = 20;
    let entries = table.entries();
    if entries.len() > MOST {
        table.fault(format!("{} parameters, at most {MOST} are allowed", entries.len()), "split the runbook");
    }
    let mut parameters = BTreeMap::new();
    for (name, item) in entries {
        if let Err(e) = names::parameter(name.value) {
            table.document().fault(&name.span, e.to_string(), "give it another name, such as `service` or `lines2`");
        }
        if let Some(read) = item.table().and_then(|table| parameter::read(table)) {
            parameters.insert(name.value.to_owned(), read);
        }
    }
    parameters
}

/// `[targets] platforms`, read before the steps because their kind must agree with it.
fn read_platforms(root: &Table<'_>) -> Option<Vec<At<NodePlatform>>> {
    let platforms = root.optional_table("targets")?.optional_choices("platforms", PLATFORMS)?;
    (!platforms.is_empty()).then_some(platforms)
}

fn read_targets(
    root: &Table<'_>,
    platforms: Option<Vec<At<NodePlatform>>>,
    steps: &[super::Step],
) -> Option<TargetRules> {
    use super::Action;
    let derived = || {
        let runs = |f: fn(&Action) -> bool| steps.iter().any(|s| f(&s.action));
        match (runs(|a| matches!(a, Action::Shell { .. })), runs(|a| matches!(a, Action::Powershell { .. }))) {
            (true, _) => vec![NodePlatform::Linux, NodePlatform::Macos],
            (false, true) => vec![NodePlatform::Windows],
            (false, false) => Vec::new(),
        }
    };
    let platforms = platforms.map(|list| list.into_iter().map(|p| p.value).collect());
    let mut rules = TargetRules {
        platforms: platforms.unwrap_or_else(derived),
        max: MAX_TARGETS_DEFAULT,
        offline: Offline::Skip,
        exclusive: false,
    };
    let Some(table) = root.item("targets") else { return Some(rules) };
    let table = table.table()?;
    if let Some(item) = table.item("platforms")
        && item.list().is_some_and(|list| list.is_empty())
    {
        item.fault("`targets.platforms` is empty, so nothing could be a target", "name one, or take the key out");
    }
    if let Some(max) = table.optional_integer("max", 1..=MAX_TARGETS) {
        rules.max = u32::try_from(max.value).unwrap_or(rules.max);
    }
    if let Some(offline) = table.optional_choice("offline", &[("skip", Offline::Skip), ("send", Offline::Send)]) {
        rules.offline = offline.value;
    }
    rules.exclusive = table.optional_choice("exclusive", &[("node", ())]).is_some();
    table.finish();
    Some(rules)
}

fn read_rollout(root: &Table<'_>, risk: Risk, steps: &[super::Step]) -> Option<Rollout> {
    let all = Amount::Percent(100);
    let careful = risk != Risk::Read;
    let mut rollout = Rollout {
        waves: vec![all],
        max_in_flight: if careful { Amount::Percent(25) } else { all },
        max_errors: if careful { Amount::Percent(10) } else { all },
        hold: if careful { HoldAfter::Failure } else { HoldAfter::Never },
        hold_for: HOLD_FOR_DEFAULT,
        deadline: Millis(DEADLINE_DEFAULT.0.max(longest(steps).0.saturating_mul(2))),
    };
    let Some(item) = root.item("rollout") else { return Some(rollout) };
    let table = item.table()?;
    if let Some(waves) = table.optional_list::<Amount>("waves") {
        check_waves(&table, &waves);
        rollout.waves = waves.into_iter().map(|w| w.value).collect();
    }
    if let Some(amount) = table.optional::<Amount>("max_in_flight") {
        if matches!(amount.value, Amount::Count(0) | Amount::Percent(0)) {
            let what = "`rollout.max_in_flight` is nothing, so no node could ever start";
            table.document().fault(&amount.span, what, "use at least `\"1\"`");
        }
        rollout.max_in_flight = amount.value;
    }
    if let Some(amount) = table.optional::<Amount>("max_errors") {
        rollout.max_errors = amount.value;
    }
    let holds = [("never", HoldAfter::Never), ("failure", HoldAfter::Failure), ("always", HoldAfter::Always)];
    if let Some(hold) = table.optional_choice("hold", &holds) {
        rollout.hold = hold.value;
    }
    if let Some(length) = table.optional::<Millis>("hold_for") {
        if !(Millis::from_secs(60)..=Millis::from_secs(7 * 86_400)).contains(&length.value) {
            let what = format!("`rollout.hold_for` is {}", length.value);
            table.document().fault(&length.span, what, "use a time from `1m` to `7d`");
        }
        rollout.hold_for = length.value;
    }
    if let Some(length) = table.optional::<Millis>("deadline") {
        let least = longest(steps);
        if length.value < least || length.value > DEADLINE_MAX {
            let what = format!("`rollout.deadline` is {}, and one node alone may take {least}", length.value);
            table.document().fault(&length.span, what, "use a time that every step fits in, at most `14d`");
        }
        rollout.deadline = length.value;
    }
    table.finish();
    Some(rollout)
}

/// The time that the steps may take on one node, by their own limits.
fn longest(steps: &[super::Step]) -> Millis {
    Millis(steps.iter().map(|s| s.longest().0).fold(0, u64::saturating_add))
}

/// Waves are cumulative: counts first, then shares, each larger than the one before, and the last is everything.
fn check_waves(table: &Table<'_>, waves: &[At<Amount>]) {
    let document = table.document();
    for pair in waves.windows(2) {
        let grows = match (pair[0].value, pair[1].value) {
            (Amount::Count(a), Amount::Count(b)) => a < b,
            (Amount::Percent(a), Amount::Percent(b)) => a < b,
            (Amount::Count(_), Amount::Percent(_)) => true,
            (Amount::Percent(_), Amount::Count(_)) => false,
        };
        if !grows {
            let what = format!("wave `{}` is not larger than wave `{}` before it", pair[1].value, pair[0].value);
            document.fault(&pair[1].span, what, "waves are cumulative, counts first: `[\"1\", \"10%\", \"100%\"]`");
        }
    }
    for wave in waves.iter().filter(|w| matches!(w.value, Amount::Count(0) | Amount::Percent(0))) {
        document.fault(&wave.span, "a wave of nothing", "take it out");
    }
    let end = "end the list with `\"100%\"`";
    match waves.last() {
        Some(last) if last.value != Amount::Percent(100) => {
            document.fault(&last.span, format!("the last wave is `{}`, which is not everything", last.value), end);
        }
        Some(_) => {}
        None => {
            if let Some(span) = table.key_span("waves") {
                document.fault(&span, "`rollout.waves` is empty", end);
            }
        }
    }
}

#[cfg(test)]
mod tests;
