//! `muster policy test`: the tests inside the policy files, one by one.

use std::process::ExitCode;

use serde_json::json;

use super::{Folders, Rules};
use crate::cli::terminal::{Colour, Terminal};

/// Ask every `[[test]]` of the policy files.
///
/// The rules do not take effect while one of them fails; `muster check` says so too, with every other fault.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  muster policy test\n  muster policy test --policies new --runbooks runbooks\n\n\
    Exit codes: 0 all hold; 1 one fails; 2 the files are not valid.")]
pub struct Args {
    #[command(flatten)]
    folders: Folders,
    /// Print one JSON object: `ok`, `tests` (name, ok, what, remedy)
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let (runbooks, policies) = args.folders.paths();
    let rules = Rules::of(&runbooks, &policies)?;
    let asked = rules.loaded.asked(&rules.books());
    let failed = asked.iter().filter(|(_, fault)| fault.is_some()).count();
    if args.json {
        let tests = asked.iter().map(|(test, fault)| {
            json!({
                "name": test.name,
                "ok": fault.is_none(),
                "what": fault.as_ref().map(|f| &f.what),
                "remedy": fault.as_ref().map(|f| &f.remedy),
            })
        });
        println!("{}", json!({ "ok": failed == 0, "tests": tests.collect::<Vec<_>>() }));
    } else {
        let terminal = Terminal::stdout();
        for (test, fault) in &asked {
            match fault {
                None => println!("{}  {}", terminal.paint("ok  ", Colour::Green), test.name),
                Some(fault) => {
                    println!("{}  {}", terminal.paint("FAIL", Colour::Red), test.name);
                    println!("      {}", fault.to_string().replace('\n', "\n      "));
                }
            }
        }
        match (asked.len(), failed) {
            (0, _) => println!("there are no tests; a policy file says them under `[[test]]`"),
            (all, 0) => println!("\nall {all} hold"),
            (all, failed) => println!("\n{failed} of {all} fail"),
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
