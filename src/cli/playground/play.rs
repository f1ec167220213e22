//! Conversations played by the playground: what they show, what their snapshots saw, and what was sent to Slack.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::playground::conversation::{self, Endpoints, Http, Transcript};

use super::Args;

/// The conversation that `--tour` plays.
const TOUR: &str = include_str!("../../../tests/conversations/tour.conversation");

/// Plays what `args` names, one after the other, and goes on after one that is not right.
pub(super) async fn converse(args: &Args, endpoints: &Endpoints) -> Result<ExitCode, String> {
    let mut all_right = true;
    for (file, text) in scripts(args)? {
        if args.play.len() > 1 {
            println!("== {}\n", file.display());
        }
        let script = conversation::parse(&file, &text)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let transcript = match conversation::play(&script, endpoints, &mut |line| println!("{line}")).await {
            Ok(transcript) if args.play.is_empty() => {
                println!(
                    "\nThe tour is complete: every approved node was sent to once and ran once, and the threads say so."
                );
                transcript
            }
            Ok(transcript) => {
                println!("\n{} went as written.\n", file.display());
                transcript
            }
            Err(fault) => {
                let what = if args.play.is_empty() { "The tour".into() } else { file.display().to_string() };
                println!("\n{what} is not right:\n{fault}\n");
                all_right = false;
                fault.transcript
            }
        };
        if let Some(folder) = &args.snapshots {
            write_snapshots(folder, &file, &transcript)?;
        }
    }
    if let Some(file) = &args.bodies {
        write_bodies(file, endpoints).await?;
    }
    Ok(if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scripts(args: &Args) -> Result<Vec<(PathBuf, String)>, String> {
    if args.play.is_empty() {
        return Ok(vec![("tour.conversation".into(), TOUR.to_owned())]);
    }
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file);
        text.map(|text| (file.clone(), text)).map_err(|fault| format!("`{}` cannot be read: {fault}", file.display()))
    };
    args.play.iter().map(read).collect()
}

/// One file for each `snapshot` step, numbered in their order, and one of what was sent to AWS.
fn write_snapshots(folder: &Path, script: &Path, transcript: &Transcript) -> Result<(), String> {
    let wrong = |fault: std::io::Error| format!("`{}` cannot be written: {fault}", folder.display());
    std::fs::create_dir_all(folder).map_err(wrong)?;
    let name = script.file_stem().unwrap_or_default().to_string_lossy();
    for (at, snapshot) in transcript.snapshots.iter().enumerate() {
        std::fs::write(folder.join(format!("{name}-{}.txt", at + 1)), &snapshot.text).map_err(wrong)?;
    }
    let sent: String = transcript.sent.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(folder.join(format!("{name}-sent.txt")), sent).map_err(wrong)?;
    Ok(())
}

/// `{"kind": "message" | "modal" | "home", "method": …, "body": …}`, one on a line, as Slack received them.
async fn write_bodies(file: &Path, endpoints: &Endpoints) -> Result<(), String> {
    let said = Http::new(endpoints.chat.clone()).get("/bodies").await?;
    let mut lines = String::new();
    for said in said["bodies"].as_array().into_iter().flatten() {
        let (kind, body) = match said["body"].get("view") {
            Some(view) if view["type"] == "home" => ("home", view),
            Some(view) => ("modal", view),
            None => ("message", &said["body"]),
        };
        let line: Value = json!({ "kind": kind, "method": said["method"], "body": body });
        let _ = writeln!(lines, "{line}");
    }
    std::fs::write(file, lines).map_err(|fault| format!("`{}` cannot be written: {fault}", file.display()))
}
