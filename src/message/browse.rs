//! What people look up: runbooks, runs, accounts, help by example.

use crate::command::{Help, RunFilter};
use crate::domain::{Account, AccountSource, Unread};
use crate::run::{Phase, Run};
use crate::runbook::{Kind, Offline, Parameter, Runbook};

use super::verdict::counts;
use super::words::{Line, count, cut, duration, lines, list as join, nodes, number, say, size, some};
use super::{Block, Card, Span, Tone, View};

fn card(title: impl Into<String>, blocks: Vec<Block>) -> Card {
    Card { tone: Tone::Neutral, title: title.into(), blocks, buttons: Vec::new() }
}

/// The runbooks that the caller may run.
#[must_use]
pub fn list(runbooks: &[&Runbook], view: &View) -> Card {
    if runbooks.is_empty() {
        let text = say("The policy allows you no runbook here. Ask an owner of the policy for a grant.");
        return Card { tone: Tone::Warning, ..card("There is no runbook that you may run", vec![text.text()]) };
    }
    let told = runbooks.iter().map(|r| {
        Line::default().code(r.name.as_str()).plain(format!(" · {} · ", r.risk.as_str())).plain(cut(&r.title, 100))
    });
    let more = say("More about one: ").code(format!("{} show {}", view.command, runbooks[0].name));
    card(format!("You may run {}", count(size(runbooks.len()), "runbook")), vec![Block::Text(lines(told)), more.note()])
}

/// An example that runs as it stands: every required parameter with a value.
pub(super) fn usage(runbook: &Runbook, view: &View) -> String {
    let mut text = format!("{} run {}", view.command, runbook.name);
    for (name, parameter) in &runbook.parameters {
        if parameter.default.is_none() {
            text.push_str(&format!(" {name}={}", example(parameter)));
        }
    }
    text + " on env=staging"
}

fn example(parameter: &Parameter) -> String {
    if let Some(example) = parameter.examples.first() {
        return if example.contains(char::is_whitespace) { format!("\"{example}\"") } else { example.clone() };
    }
    match &parameter.kind {
        Kind::Choice { values } => values.first().cloned().unwrap_or_default(),
        Kind::Integer { min, .. } => min.to_string(),
        Kind::Number { min, .. } => min.clone().unwrap_or_else(|| "1".to_owned()),
        Kind::Boolean => "yes".to_owned(),
        Kind::Duration { min, .. } => min.to_string().replace(' ', ""),
        Kind::Version => "1.2.3".to_owned(),
        Kind::Account => "111111111111".to_owned(),
        Kind::Region => "eu-west-1".to_owned(),
        Kind::String { .. } => "…".to_owned(),
    }
}

/// What a value has to be, as a fragment.
pub(super) fn takes(kind: &Kind) -> String {
    match kind {
        Kind::String { pattern } => format!("text that matches `{pattern}`"),
        Kind::Integer { min: i64::MIN, max: i64::MAX } => "a whole number".to_owned(),
        Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Number { min, max } => match (min, max) {
            (None, None) => "a number".to_owned(),
            (Some(min), None) => format!("a number from {min}"),
            (None, Some(max)) => format!("a number up to {max}"),
            (Some(min), Some(max)) => format!("a number from {min} to {max}"),
        },
        Kind::Boolean => "yes or no".to_owned(),
        Kind::Choice { values } => format!("one of {}", some(values, 12)),
        Kind::Duration { min, max } => format!("a time from {} to {}", duration(*min), duration(*max)),
        Kind::Version => "a version".to_owned(),
        Kind::Account => "an account id".to_owned(),
        Kind::Region => "a region".to_owned(),
    }
}

/// One runbook: what it does, what it takes, how to start it, and what exactly it runs.
#[must_use]
pub fn show(runbook: &Runbook, view: &View) -> Card {
    let platforms: Vec<String> = runbook.targets.platforms.iter().map(|p| p.as_str().to_owned()).collect();
    let platforms = if platforms.is_empty() { "any platform".to_owned() } else { join(&platforms, "or") };
    let offline = match runbook.targets.offline {
        Offline::Skip => "offline nodes are skipped",
        Offline::Send => "offline nodes are sent to all the same",
    };
    let exclusive = if runbook.targets.exclusive { ", no other change on a node at once" } else { "" };
    let waves: Vec<String> = runbook.rollout.waves.iter().map(ToString::to_string).collect();
    let mut blocks = vec![
        say(runbook.description.trim()).text(),
        Block::Fields(vec![
            ("Risk".to_owned(), say(format!("{}, owned by {}", runbook.risk.as_str(), runbook.owner)).spans()),
            (
                "Runs on".to_owned(),
                say(format!("{platforms}, at most {} at once, {offline}{exclusive}", nodes(runbook.targets.max)))
                    .spans(),
            ),
            (
                "Rollout".to_owned(),
                say(format!(
                    "waves {}, at most {} in flight, error budget {}",
                    waves.join(", then "),
                    runbook.rollout.max_in_flight,
                    runbook.rollout.max_errors
                ))
                .spans(),
            ),
        ]),
    ];
    let parameters: Vec<Line> = runbook
        .parameters
        .iter()
        .map(|(name, p)| {
            let mut line = Line::default()
                .code(name)
                .plain(format!(": {}", p.description.trim()))
                .plain(" (")
                .prose(&takes(&p.kind));
            line = match &p.default {
                Some(default) => line.plain(", otherwise ").code(default),
                None => line.plain(", required"),
            };
            line.plain(")")
        })
        .collect();
    if !parameters.is_empty() {
        blocks.push(Block::Text(lines([Line::default().bold("Arguments")].into_iter().chain(parameters))));
    }
    blocks.push(Block::Text(lines([Line::default().bold("Start it"), Line::default().code(usage(runbook, view))])));
    blocks.extend(super::blast::steps_of(&runbook.steps, runbook.rollback.as_ref()));
    blocks.push(say("Revision ").code(runbook.revision.short(12)).note());
    card(cut(&format!("{}: {}", runbook.name, runbook.title), super::verdict::TITLE_MAX), blocks)
}

/// One page of help, told from the grammar itself: usages, then examples that can be typed as they stand.
#[must_use]
pub fn help(page: &Help, view: &View) -> Card {
    let c = &view.command;
    let usages: Vec<Line> = page
        .usages
        .iter()
        .map(|u| Line::default().code(format!("{c} {}", u.form)).plain(format!("\n{}", u.meaning)))
        .collect();
    let examples: Vec<Line> = page.examples.iter().map(|e| Line::default().code(format!("{c} {e}"))).collect();
    let mut blocks = Vec::new();
    if !usages.is_empty() {
        blocks.push(Block::Text(lines(usages)));
    }
    if !examples.is_empty() {
        blocks.push(Block::Text(lines([Line::default().bold("For example")].into_iter().chain(examples))));
    }
    for note in &page.notes {
        blocks.push(Block::Note(super::words::prose(note)));
    }
    if page.is_overview() {
        let how = say("Rather pick than type? ").code(c.as_str()).plain(" alone opens a form; so does ");
        blocks.push(how.bold("Run a runbook here").plain(" in the menu of any message, also in a thread.").note());
    }
    card(page.title, blocks)
}

/// Where a run stands, as a fragment.
pub(super) fn phase(run: &Run) -> String {
    match run.phase {
        Phase::AwaitingApproval if run.is_agreed() => "about to start".to_owned(),
        Phase::AwaitingApproval => format!("waiting for {}", super::root::seats(&super::root::open_seats(run))),
        Phase::Running if run.rollback.is_some() => "rolling back".to_owned(),
        Phase::Running if run.hold().is_some() => {
            format!("held, {} of {} done", number(run.counts.ended()), nodes(run.counts.total))
        }
        Phase::Running => format!("running, {} of {} done", number(run.counts.ended()), nodes(run.counts.total)),
        Phase::Finished => counts(&run.counts),
        Phase::Denied => "denied".to_owned(),
        Phase::Expired => "expired".to_owned(),
        Phase::Cancelled => "cancelled before it started".to_owned(),
        Phase::Withdrawn => "withdrawn".to_owned(),
    }
}

/// Past and present runs that fit the filter, newest first.
#[must_use]
pub fn runs(runs: &[(&Run, String)], filter: &RunFilter, most: usize, view: &View) -> Card {
    let of = filter.runbook.as_ref().map(|name| format!(" with {}", cut(name.as_str(), 64))).unwrap_or_default();
    let whose = if filter.mine { " of yours" } else { "" };
    let how = if filter.failed { " that did not succeed everywhere" } else { "" };
    if runs.is_empty() {
        let text = say("All that you may see: ").code(format!("{} runs", view.command));
        return card(format!("There is no run{whose}{of}{how}"), vec![text.text()]);
    }
    let title = format!("{}{whose}{of}{how}, newest first", count(size(runs.len()), "run"));
    let mut blocks = vec![Block::Text(rows(runs))];
    if runs.len() >= most {
        blocks.push(
            say("Older ones are left out: narrow it by ")
                .code("mine")
                .plain(", ")
                .code("failed")
                .plain(" or a runbook.")
                .note(),
        );
    }
    blocks.push(say("More about one: ").code(format!("{} status {}", view.command, runs[0].1)).note());
    card(title, blocks)
}

fn rows(runs: &[(&Run, String)]) -> Vec<Span> {
    lines(runs.iter().map(|(run, short)| {
        let p = &run.proposal;
        let phase = phase(run);
        Line::default()
            .code(short)
            .plain(format!(" {}: {phase}, asked by ", p.plan.runbook))
            .person(&p.by)
            .plain(" ")
            .when(p.at)
    }))
}

/// The latest runs, newest first, each with its short id.
#[must_use]
pub fn status(runs: &[(&Run, String)], view: &View) -> Card {
    if runs.is_empty() {
        let text = say("Start one: ").code(format!("{} list", view.command));
        return card("There are no runs yet", vec![text.text()]);
    }
    let open = size(runs.iter().filter(|(run, _)| !run.phase.is_over()).count());
    let title = match open {
        0 => format!("{}, all over", count(size(runs.len()), "run")),
        n => format!("{}, {} still open", count(size(runs.len()), "run"), number(n)),
    };
    card(title, vec![Block::Text(rows(runs))])
}

/// The accounts, with what could not be read of them.
#[must_use]
pub fn accounts(accounts: &[Account], unread: &[Unread], view: &View) -> Card {
    if accounts.is_empty() {
        let text = say("Name them in ")
            .code("[[account]]")
            .plain(" of the configuration, or let ")
            .code("[organizations]")
            .plain(" find them.");
        return Card { tone: Tone::Warning, ..card("No account is configured", vec![text.text()]) };
    }
    let told = accounts.iter().map(|a| {
        let labels: Vec<String> = a.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let regions: Vec<String> = a.regions.iter().map(ToString::to_string).collect();
        let mut line = Line::default().bold(&a.name).plain(" ").code(a.id.as_str());
        if !labels.is_empty() {
            line = line.plain(format!(" {}", labels.join(" ")));
        }
        line =
            line.plain(format!(" · {}", if regions.is_empty() { "no regions".to_owned() } else { regions.join(", ") }));
        match a.source {
            AccountSource::Configured => line,
            AccountSource::Discovered => {
                line.plain(" · found through Organizations, not labelled, counts as production")
            }
        }
    });
    let mut blocks = vec![Block::Text(lines(told))];
    let name = |id: &crate::domain::AccountId| {
        accounts.iter().find(|a| &a.id == id).map_or_else(|| id.to_string(), |a| a.name.clone())
    };
    let gaps: Vec<Line> = unread
        .iter()
        .map(|u| {
            let place = u.region.as_ref().map_or_else(|| name(&u.account), |r| format!("{}, {r}", name(&u.account)));
            say("Could not read ").bold(place).plain(": ").prose(&u.cause)
        })
        .collect();
    let tone = if gaps.is_empty() { Tone::Neutral } else { Tone::Warning };
    if !gaps.is_empty() {
        blocks.push(Block::Text(lines(gaps)));
    }
    blocks.push(
        say("Which nodes are there: ").code(format!("{} targets accounts={}", view.command, accounts[0].name)).note(),
    );
    Card { tone, ..card(count(size(accounts.len()), "account"), blocks) }
}

/// A line by itself, such as "asked, see the thread".
#[must_use]
pub fn said(tone: Tone, title: &str, body: Vec<Span>) -> Card {
    let blocks = if body.is_empty() { Vec::new() } else { vec![Block::Text(body)] };
    Card { tone, title: cut(title, super::verdict::TITLE_MAX), blocks, buttons: Vec::new() }
}
