//! `muster policy who-can`: which groups may run a runbook on a selection of nodes.

use std::process::ExitCode;

use serde_json::json;

use super::terms::terms;
use super::{Folders, Nodes, Rules, count};
use crate::cli::terminal::{Colour, Terminal};
use crate::domain::fault::closest;
use crate::domain::{RunbookName, Selector, Timestamp};
use crate::message::{self, View};
use crate::plan;
use crate::policy::reach::facts_of;
use crate::policy::{Share, who_can};

/// Say which groups may run a runbook on a selection of nodes, and how.
///
/// Each group is looked at alone: somebody in several has the grants of all and the forbids of all. Freezes are left out,
/// they end. `/runbook who-can` in chat names the groups alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  muster policy who-can restart-service on env=prod\n  \
    muster policy who-can free-disk on accounts=acme-* --inventory accounts.json\n\n\
    Exit codes: 0 somebody can; 1 nobody can; 2 it cannot be said.")]
pub struct Args {
    #[command(flatten)]
    folders: Folders,
    #[command(flatten)]
    nodes: Nodes,
    /// Print one JSON object: `runbook`, `nodes`, `groups`
    #[arg(long)]
    json: bool,
    /// The runbook
    runbook: RunbookName,
    /// On which nodes, as in chat
    #[arg(required = true, value_name = "on SELECTOR")]
    selector: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let words = match args.selector.as_slice() {
        [on, rest @ ..] if on == "on" => rest,
        all => all,
    };
    let selector = Selector::parse(&crate::cli::typed(words)).map_err(|why| why.to_string())?;
    let (runbooks, policies) = args.folders.paths();
    let rules = Rules::of(&runbooks, &policies)?;
    let Some(runbook) = rules.runbooks.get(&args.runbook) else {
        let near = closest(args.runbook.as_str(), rules.runbooks.runbooks.keys().map(RunbookName::as_str));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(format!("no runbook is called `{}`{near}", args.runbook));
    };
    let snapshot = args.nodes.read(&args.folders, &selector)?;
    let view = View::new("", Timestamp::now(), "muster");
    let doubts = selector.doubts(&snapshot.accounts);
    if !doubts.is_empty() {
        return Err(message::to_text(&message::trouble::doubts(&doubts, &view)));
    }
    let (nodes, coverage) = plan::pick(runbook, &selector, &snapshot);
    if nodes.is_empty() {
        let names = snapshot.accounts.iter().map(|a| (a.id.clone(), a.name.clone())).collect();
        let nothing = message::refusal::nothing_matched(&selector.to_string(), &coverage, &names, &view);
        return Err(message::to_text(&nothing));
    }
    let facts = facts_of(&snapshot, &nodes);
    let all = u32::try_from(facts.len()).unwrap_or(u32::MAX);
    let shares = who_can(&rules.loaded.policy, runbook, &facts);
    if args.json {
        println!("{}", json!({ "runbook": runbook.name, "nodes": all, "groups": shares }));
    } else {
        print!("{}", text(runbook.name.as_str(), all, &shares, Terminal::stdout()));
    }
    Ok(if shares.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text(runbook: &str, all: u32, shares: &[Share], terminal: Terminal) -> String {
    if shares.is_empty() {
        return format!("nobody can run `{runbook}` on any of these {}\n", count(all, "node"));
    }
    let mut text = format!("`{runbook}` on {}:\n", count(all, "node"));
    for share in shares {
        let on = if share.targets == all { "all of them".to_owned() } else { format!("{} of them", share.targets) };
        text.push_str(&format!("{}  {on}\n", terminal.paint(&share.group, Colour::Bold)));
        for (targets, reach) in &share.reaches {
            let on = if share.reaches.len() == 1 { String::new() } else { format!("on {targets}: ") };
            text.push_str(&format!("    {}\n", terminal.wrap(&format!("{on}{}", terms(reach)), 4)));
        }
    }
    text
}
