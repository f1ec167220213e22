//! `muster policy diff`: who gains or loses what by a change of policies and runbooks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::terms::{approvals, terms};
use super::{Folders, Nodes, Rules, count, place};
use crate::cli::terminal::{Colour, Terminal};
use crate::domain::{GroupName, Selector};
use crate::policy::diff::{Change, Effect};
use crate::policy::reach::Reach;
use crate::policy::{Difference, Side, diff};

/// Say who gains or loses what between two sets of policies and runbooks.
///
/// OLD and NEW are folders of policies, single policy files, or folders with `policies` and `runbooks` in them, such as
/// two checkouts. Every group and runbook is held against every node of the inventory: the one that is there now, or one
/// that was saved with `muster policy inventory`. Each group is looked at alone, and freezes are listed, not counted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  git worktree add /tmp/before main\n  \
    muster policy diff /tmp/before . --inventory accounts.json\n  \
    muster policy diff policies new-policies --runbooks runbooks\n\n\
    Exit codes: 0 nothing is different; 1 something is; 2 they cannot be compared.")]
pub struct Args {
    #[command(flatten)]
    nodes: Nodes,
    /// The configuration that says how to read the accounts [default: ./muster.toml where there is one]
    #[arg(long, value_name = "FILE", env = "MUSTER_CONFIG")]
    config: Option<PathBuf>,
    /// The folder of runbooks, for a side that has none itself [default: as configured, else ./runbooks]
    #[arg(long, value_name = "DIR")]
    runbooks: Option<PathBuf>,
    /// Print one JSON object: `nodes`, `accounts`, `effects`, `reads`, `runbooks`, `rules`
    #[arg(long)]
    json: bool,
    /// What is in force
    old: PathBuf,
    /// What is meant to be
    new: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let folders = Folders { config: args.config.clone(), runbooks: args.runbooks.clone(), policies: None };
    let side = |path: &Path| -> Result<Rules, String> {
        let inside = path.join("policies");
        if inside.is_dir() {
            return Rules::of(&path.join("runbooks"), &inside);
        }
        Rules::of(&folders.paths().0, path)
    };
    let (old, new) = (side(&args.old)?, side(&args.new)?);
    let everything = Selector::parse("accounts=*").map_err(|e| e.to_string())?;
    let snapshot = args.nodes.read(&folders, &everything)?;
    let of = |rules| -> Side<'_> {
        let rules: &Rules = rules;
        Side { policy: &rules.loaded.policy, runbooks: &rules.runbooks }
    };
    let difference = diff(of(&old), of(&new), &snapshot);
    if args.json {
        println!("{}", serde_json::to_string(&difference).map_err(|e| e.to_string())?);
    } else {
        print!("{}", text(&difference, Terminal::stdout()));
        let failing = new.loaded.failures(&new.books());
        for fault in &failing {
            println!("\nwould not take effect: {fault}");
        }
    }
    for unread in &snapshot.unread {
        eprintln!("muster: not compared on {}: {}", place(unread), unread.cause);
    }
    Ok(if difference.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What one line is about: the same change for the same nodes, whatever the runbook.
type Key<'d> = (Option<&'d Reach>, Option<&'d Reach>, u32, &'d [(String, u32)]);

/// As a person reads it.
#[must_use]
pub fn text(difference: &Difference, terminal: Terminal) -> String {
    let Difference { nodes, accounts, effects, reads, runbooks, rules } = difference;
    let mut text = format!("Compared on {} of {}.\n", count(*nodes, "node"), count(*accounts, "account"));
    let mut by_group: BTreeMap<&GroupName, Vec<(Key<'_>, Vec<&str>)>> = BTreeMap::new();
    let effects = without_what_was_lost(effects);
    for effect in &effects {
        let Effect { before, after, nodes, accounts, .. } = effect;
        let before = before.as_ref().filter(|_| after.is_some());
        let key: Key<'_> = (before, after.as_ref(), *nodes, accounts.as_slice());
        let lines = by_group.entry(&effect.group).or_default();
        match lines.iter_mut().find(|(known, _)| *known == key) {
            Some((_, runbooks)) => runbooks.push(effect.runbook.as_str()),
            None => lines.push((key, vec![effect.runbook.as_str()])),
        }
    }
    for reads in reads {
        by_group.entry(&reads.group).or_default();
    }
    if by_group.is_empty() {
        text.push_str("No group gains or loses anything on them.\n");
    }
    for (group, lines) in by_group {
        let _ = writeln!(text, "\n{}", terminal.paint(group, Colour::Bold));
        for ((before, after, nodes, accounts), runbooks) in lines {
            let where_: Vec<String> = accounts.iter().map(|(name, n)| format!("{n} in {name}")).collect();
            let on = format!("on {} ({})", count(nodes, "node"), where_.join(", "));
            let runbooks = runbooks.join(", ");
            match (before, after) {
                (None, Some(now)) => {
                    let gains = terminal.paint("gains", Colour::Green);
                    let _ = writeln!(text, "  {gains} {}", terminal.wrap(&format!("{runbooks} {on}"), 8));
                    let _ = writeln!(text, "        {}", terminal.wrap(&terms(now), 8));
                }
                (_, None) => {
                    let loses = terminal.paint("loses", Colour::Red);
                    let _ = writeln!(text, "  {loses} {}", terminal.wrap(&format!("{runbooks} {on}"), 8));
                }
                (Some(then), Some(now)) => {
                    let keeps = terminal.paint("keeps", Colour::Yellow);
                    let _ = writeln!(text, "  {keeps} {}", terminal.wrap(&format!("{runbooks} {on}"), 8));
                    // What stays the same is left out.
                    let say = |reach: &Reach| if then.ways == now.ways { approvals(reach) } else { terms(reach) };
                    let _ = writeln!(text, "        was {}", terminal.wrap(&say(then), 12));
                    let _ = writeln!(text, "        now {}", terminal.wrap(&say(now), 12));
                }
            }
        }
        for reads in reads.iter().filter(|reads| reads.group == *group) {
            for (word, n, colour) in [("gains", reads.gained, Colour::Green), ("loses", reads.lost, Colour::Red)] {
                if n > 0 {
                    let word = terminal.paint(word, colour);
                    let _ = writeln!(text, "  {word} sight of other people's runs on {}", count(n, "node"));
                }
            }
        }
    }
    if !runbooks.is_empty() {
        let _ = writeln!(text, "\n{}", terminal.paint("Runbooks", Colour::Bold));
    }
    for book in runbooks {
        let details = if book.details.is_empty() { String::new() } else { format!(": {}", book.details.join(", ")) };
        let runs: Vec<String> =
            book.runs.iter().map(|(group, n)| format!("{group} on {}", count(*n, "node"))).collect();
        let runs = match (book.change, runs.is_empty()) {
            (Change::Removed, _) => String::new(),
            (_, true) => "; nobody may run it on these nodes".to_owned(),
            (_, false) => format!("; may be run by {}", runs.join(", ")),
        };
        let line = format!("{}{details}{runs}", book.name);
        let _ = writeln!(text, "  {} {}", sign(book.change), terminal.wrap(&line, 4));
    }
    if !rules.is_empty() {
        let _ = writeln!(text, "\n{}", terminal.paint("Rules", Colour::Bold));
    }
    for rule in rules {
        let details = if rule.details.is_empty() { String::new() } else { format!(": {}", rule.details.join(", ")) };
        let line = format!("{} {}{details}", rule.kind, rule.name);
        let _ = writeln!(text, "  {} {}", sign(rule.change), terminal.wrap(&line, 4));
    }
    text
}

/// What somebody loses is one line, however it could be run before.
fn without_what_was_lost(effects: &[Effect]) -> Vec<Effect> {
    let mut merged: Vec<Effect> = Vec::new();
    for effect in effects {
        let is_same = |known: &&mut Effect| {
            known.after.is_none() && (&known.runbook, &known.group) == (&effect.runbook, &effect.group)
        };
        match merged.iter_mut().find(is_same).filter(|_| effect.after.is_none()) {
            None => merged.push(effect.clone()),
            Some(known) => {
                known.nodes += effect.nodes;
                for (name, n) in &effect.accounts {
                    match known.accounts.iter_mut().find(|(account, _)| account == name) {
                        Some((_, count)) => *count += n,
                        None => known.accounts.push((name.clone(), *n)),
                    }
                }
                known.accounts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            }
        }
    }
    merged
}

fn sign(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
    }
}
