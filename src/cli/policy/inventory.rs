//! `muster policy inventory`: what the accounts hold, saved for questions that are asked later or elsewhere.

use std::process::ExitCode;

use super::{Folders, live, place};
use crate::domain::Selector;

/// Save what the accounts hold now as JSON, for `diff` and `who-can`.
///
/// Nodes with their tags, accounts with their labels; no secret is in it. What could not be read is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  muster policy inventory > accounts.json\n  \
    muster policy inventory env=prod > production.json\n\n\
    Exit codes: 0 all was read; 1 some could not be, and stands under `unread`; 2 nothing could be.")]
pub struct Args {
    #[command(flatten)]
    folders: Folders,
    /// Only what this matches, as in chat behind `on`
    #[arg(value_name = "SELECTOR", default_value = "accounts=*")]
    selector: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let selector = Selector::parse(&crate::cli::typed(&args.selector)).map_err(|why| why.to_string())?;
    let mut snapshot = live(&args.folders, &selector)?;
    let accounts = snapshot.accounts.clone();
    snapshot
        .nodes
        .retain(|node| accounts.iter().any(|a| a.id == node.target.account && selector.matches_node(node, a)));
    let text = serde_json::to_string(&snapshot).map_err(|e| e.to_string())?;
    println!("{text}");
    for unread in &snapshot.unread {
        eprintln!("muster: {} could not be read: {}", place(unread), unread.cause);
    }
    Ok(if snapshot.unread.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
