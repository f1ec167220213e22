//! The processes a script started, found in /proc, so that none outlives it.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Ends whatever the script left running: its group, its descendants, and those that carry its mark.
///
/// A process that left group and family and changed its environment in a new program would escape; the listed tools
/// offer no way to do all three.
pub(super) fn end_all(group: u32, marker: &str, group_is_alive: bool) {
    for round in 0..20 {
        let found = processes(group, marker);
        if found.is_empty() && !(round == 0 && group_is_alive) {
            return;
        }
        let mut victims: Vec<String> = found.iter().map(u32::to_string).collect();
        if round == 0 && group_is_alive {
            victims.push(format!("-{group}"));
        }
        // There is no kill without unsafe code in std; every shell has one built in.
        let _ = Command::new("/bin/sh")
            .args(["-c", "kill -s KILL -- \"$@\" 2>/dev/null", "sh"])
            .args(victims)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Living processes that belong to the script. The shell itself, a zombie once killed, is not counted.
fn processes(group: u32, marker: &str) -> Vec<u32> {
    let needle = format!("MUSTER_PLAY_JOB={marker}");
    let mut all: Vec<(u32, u32, u32, bool)> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name in parentheses may hold anything, so fields are counted from behind it.
        let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let state = fields.next().unwrap_or("Z");
        let mut number = || fields.next().and_then(|f| f.parse::<u32>().ok()).unwrap_or(0);
        let (parent, pgrp) = (number(), number());
        if !matches!(state, "Z" | "X") {
            let marked = fs::read(entry.path().join("environ"))
                .is_ok_and(|e| e.split(|b| *b == 0).any(|v| v == needle.as_bytes()));
            all.push((pid, parent, pgrp, marked));
        }
    }
    let mut family: BTreeSet<u32> =
        all.iter().filter(|(_, _, pgrp, marked)| *marked || *pgrp == group).map(|(pid, ..)| *pid).collect();
    loop {
        let more: Vec<u32> = all
            .iter()
            .filter(|(pid, parent, ..)| !family.contains(pid) && (family.contains(parent) || *parent == group))
            .map(|(pid, ..)| *pid)
            .collect();
        if more.is_empty() {
            return family.into_iter().collect();
        }
        family.extend(more);
    }
}
