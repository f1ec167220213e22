//! What a script would print on a machine, where none is run: told by the commands in it.
//!
//! The scripts that Muster ships are answered in their own form, others by the tables of the commands they name. The
//! values a script is given and its once-guard are read from its prelude.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine as _;

use super::generate::{Machine, Once};
use super::tables;

mod shipped;

/// Streams and exit code of a script that is not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Changes that the script makes, to services and once-guards, are made to the machine. A script that may ask for a
/// reboot asks for one.
pub fn answer(script: &str, command: &str, machine: &mut Machine) -> Answer {
    let windows = script.contains("$muster_mine = Join-Path");
    match once(script, command, machine) {
        Err(answer) => return answer,
        Ok(1) if announces_reboots(script) => {
            let code = if windows { 3010 } else { 194 };
            return Answer { code, stdout: String::new(), stderr: String::new() };
        }
        Ok(_) => {}
    }
    let values = values(script);
    let said = |stdout: String| Answer { code: 0, stdout, stderr: String::new() };
    if let Some(answer) = shipped::answer(script, &values, machine) {
        return answer;
    }
    if script.contains("\"fullest: \"") {
        return said(fullest(machine));
    }
    if script.contains("largest under ") {
        return said(largest(machine, &values));
    }
    let uses =
        |name: &str| script.split(|c: char| !(c.is_ascii_alphanumeric() || "-_=".contains(c))).any(|word| word == name);
    let unit = values
        .get("service")
        .cloned()
        .or_else(|| literal_unit(script))
        .unwrap_or_else(|| machine.condition.unit.clone());
    if uses("systemctl") {
        if ["restart", "start", "try-restart", "reload-or-restart"].iter().any(|verb| uses(verb)) {
            return restart(machine, &unit, script);
        }
        if script.contains("echo \"state: ") {
            let state = state(machine, &unit).unwrap_or("inactive");
            let lines = values.get("lines").and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
            let mut text = format!("state: {state}\n{}", status(machine, &unit));
            if lines > 0 {
                let _ = write!(text, "last {lines} lines of its log:\n{}", log(machine, &unit, lines));
            }
            return said(text);
        }
        let state = state(machine, &unit).unwrap_or("inactive");
        return Answer {
            code: if state == "active" { 0 } else { 3 },
            stdout: format!("{state}\n"),
            stderr: String::new(),
        };
    }
    let mut stdout = String::new();
    if uses("df") {
        stdout += &df_text(machine);
    }
    if uses("du") {
        stdout += &tables::du(machine);
    }
    if uses("journalctl") {
        stdout += &tables::journal(machine);
    }
    if uses("rpm") {
        stdout += &tables::packages(machine);
    }
    if uses("hostname") {
        let _ = writeln!(stdout, "{}", machine.host_name);
    }
    said(stdout)
}

/// The values that a prelude decodes: `name=$(printf %s 'BASE64' | base64 -d …`, or PowerShell's way of it.
fn values(script: &str) -> BTreeMap<String, String> {
    let value = |line: &str| {
        let windows = || {
            line.strip_prefix("$env:")?.split_once(" = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('")
        };
        let (name, rest) = line.split_once("=$(printf %s '").or_else(windows)?;
        let coded = rest.split_once('\'')?.0;
        let bytes = base64::engine::general_purpose::STANDARD.decode(coded).ok()?;
        Some((name.trim().to_owned(), String::from_utf8(bytes).ok()?))
    };
    script.lines().filter_map(value).collect()
}

/// The once-guard of the prelude, as a node keeps it: in which of its boots the step runs, from 1. Without a guard it
/// is the first. An answer means that the script is not run.
fn once(script: &str, command: &str, machine: &mut Machine) -> Result<usize, Answer> {
    let refuse = |code, why: &str| Err(Answer { code, stdout: String::new(), stderr: format!("muster: {why}\n") });
    let Some(key) = once_key(script) else { return Ok(1) };
    let fresh = || Once { command: command.to_owned(), boots: BTreeSet::new() };
    let guard = machine.once.entry(key.to_owned()).or_insert_with(fresh);
    let first = guard.boots.is_empty();
    if guard.command != command || !guard.boots.insert(machine.boots) {
        return refuse(212, "this step of this run already ran here; nothing was done");
    }
    match guard.boots.len() {
        _ if !first && !announces_reboots(script) => refuse(
            216,
            "the node was rebooted after this step had begun here, which the step does not announce; it was not run again",
        ),
        6.. => refuse(217, "the script asked for a reboot in each of 5 boots; it was not run again"),
        boots => Ok(boots),
    }
}

fn once_key(script: &str) -> Option<&str> {
    let windows = || Some(script.split_once("$muster_mine = Join-Path $muster_once '")?.1.split_once('\'')?.0);
    script
        .split_once("muster_mine=\"$muster_once/")
        .and_then(|(_, rest)| Some(rest.split_once('"')?.0))
        .or_else(windows)
}

fn announces_reboots(script: &str) -> bool {
    script.contains("\nMUSTER_BOOT=0\n") || script.contains("\n$env:MUSTER_BOOT = ")
}

/// The word after the verb, where it stands in the script itself.
fn literal_unit(script: &str) -> Option<String> {
    let at = script.find("systemctl ")?;
    let words: Vec<&str> =
        script[at..].lines().next()?.split_whitespace().skip(1).filter(|w| !w.starts_with('-')).collect();
    let unit = words.get(1)?.trim_matches(['"', '\'', ';', ')']).trim_end_matches(".service");
    (!unit.contains('$')).then(|| unit.to_owned())
}

const ALWAYS: [(&str, u32); 4] = [("sshd", 731), ("crond", 744), ("chronyd", 690), ("amazon-ssm-agent", 702)];

/// `None`: the machine has no such unit.
fn state(machine: &Machine, unit: &str) -> Option<&'static str> {
    if unit == machine.condition.unit {
        Some(if machine.condition.failed { "failed" } else { "active" })
    } else {
        ALWAYS.iter().any(|(name, _)| *name == unit).then_some("active")
    }
}

fn restart(machine: &mut Machine, unit: &str, script: &str) -> Answer {
    if state(machine, unit).is_some() {
        if unit == machine.condition.unit {
            machine.condition.failed = false;
        }
        return Answer { code: 0, stdout: "active\n".to_owned(), stderr: String::new() };
    }
    let mut stderr = format!("Failed to restart {unit}.service: Unit {unit}.service not found.\n");
    if script.contains("is not active after the restart") {
        let _ =
            write!(stderr, "{unit} is not active after the restart; the last lines of its log:\n-- No entries --\n");
        return Answer { code: 1, stdout: String::new(), stderr };
    }
    Answer { code: 5, stdout: String::new(), stderr }
}

fn status(machine: &Machine, unit: &str) -> String {
    let pid = ALWAYS.iter().find(|(name, _)| *name == unit).map_or(812, |(_, pid)| *pid);
    let loaded = format!("     Loaded: loaded (/usr/lib/systemd/system/{unit}.service; enabled; preset: disabled)\n");
    match state(machine, unit) {
        None => format!("Unit {unit}.service could not be found.\n"),
        Some("active") => format!(
            "* {unit}.service - The {unit} service\n{loaded}     Active: active (running) since {BOOT}\n   Main PID: {pid} ({unit})\n",
            BOOT = machine.started()
        ),
        Some(_) => format!(
            "x {unit}.service - The {unit} service\n{loaded}     Active: failed (Result: exit-code) since {BOOT}\n    Process: {pid} ExecStart=/usr/sbin/{unit} (code=exited, status=1/FAILURE)\n",
            BOOT = machine.started()
        ),
    }
}

fn log(machine: &Machine, unit: &str, lines: usize) -> String {
    if unit != machine.condition.unit {
        let known = state(machine, unit).is_some();
        return if known { String::new() } else { "-- No entries --\n".to_owned() };
    }
    let text = tables::journal(machine);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|l| format!("{l}\n")).collect()
}

/// KiB as the shipped scripts show them.
fn human(kb: u64) -> String {
    #[allow(clippy::cast_precision_loss)]
    let share = |unit: u64| kb as f64 / unit as f64;
    match kb {
        1_073_741_824.. => format!("{:.1}T", share(1_073_741_824)),
        1_048_576.. => format!("{:.1}G", share(1_048_576)),
        1024.. => format!("{:.1}M", share(1024)),
        _ => format!("{kb}K"),
    }
}

/// Name, all, used, free, percent and mount point of each file system.
fn file_systems(machine: &Machine) -> Vec<(String, [u64; 4], String)> {
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    let row = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [name, _, all, used, free, _, _, on] => {
            let (all, used, free) = (number(all), number(used), number(free));
            let share = (used * 100).div_ceil((used + free).max(1));
            Some((name.to_owned(), [all, used, free, share], on.to_owned()))
        }
        _ => None,
    };
    tables::df(machine).lines().filter_map(row).collect()
}

fn fullest(machine: &Machine) -> String {
    let mut rows: Vec<_> = file_systems(machine).into_iter().filter(|(name, ..)| name.starts_with("/dev/")).collect();
    rows.sort_by(|a, b| b.1[3].cmp(&a.1[3]));
    let mut text = " used      size      free  mounted on\n".to_owned();
    for (_, [all, _, free, share], on) in &rows {
        let _ = writeln!(text, "{share:>4}%  {:>8}  {:>8}  {on}", human(*all), human(*free));
    }
    if let Some((_, [.., share], on)) = rows.first() {
        let _ = writeln!(text, "fullest: {share}% on {on}");
    }
    text
}

fn largest(machine: &Machine, values: &BTreeMap<String, String>) -> String {
    let directory = values.get("directory").map_or("/var", |d| if d == "/" { "/" } else { d.trim_end_matches('/') });
    let top = values.get("top").and_then(|n| n.parse().ok()).unwrap_or(10);
    let table = tables::du(machine);
    let inside = |path: &str| {
        // The scripts stay on one file system.
        if directory == "/" && path.starts_with("/var") {
            return false;
        }
        let rest = if directory == "/" { path.strip_prefix('/') } else { path.strip_prefix(directory) };
        rest.is_some_and(|r| {
            r.is_empty() || (directory == "/" || r.starts_with('/')) && !r.trim_start_matches('/').contains('/')
        })
    };
    let mut rows: Vec<(u64, &str)> = table
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(_, path)| inside(path))
        .filter_map(|(kb, path)| Some((kb.parse().ok()?, path)))
        .collect();
    if rows.is_empty() {
        return format!("there is no directory {directory} here\n");
    }
    rows.sort_by(|a, b| b.cmp(a));
    let mut text = format!("largest under {directory}:\n");
    for (kb, path) in rows.into_iter().take(top) {
        let _ = writeln!(text, "{:>8}  {path}", human(kb));
    }
    text
}

fn df_text(machine: &Machine) -> String {
    let mut text = "Filesystem            1024-blocks       Used  Available Capacity Mounted on\n".to_owned();
    for (name, [all, used, free, share], on) in file_systems(machine) {
        let _ = writeln!(text, "{name:<20} {all:>12} {used:>10} {free:>10} {share:>7}% {on}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playground::aws::generate::{machines, members};

    fn web() -> Machine {
        let regions = ["eu-west-1".parse().unwrap()];
        let members = members(1, 1, &regions);
        machines(&members[0], &regions[0], 8, 1).into_iter().find(|m| m.condition.failed).unwrap()
    }

    fn prelude(values: &[(&str, &str)]) -> String {
        let coded = |v: &str| base64::engine::general_purpose::STANDARD.encode(v);
        values
            .iter()
            .map(|(n, v)| format!("{n}=$(printf %s '{}' | base64 -d && printf .) || exit\n", coded(v)))
            .collect()
    }

    #[test]
    fn a_failed_service_is_seen_and_stays_restarted() {
        let mut machine = web();
        let given = prelude(&[("service", "nginx"), ("lines", "1")]);
        let status = format!("{given}systemctl is-active -- \"$service\"\necho \"state: x\"\n");
        let before = answer(&status, "c", &mut machine);
        assert!(before.stdout.starts_with("state: failed\n"), "{}", before.stdout);
        assert!(before.stdout.ends_with("Failed to start nginx.service - The nginx service.\n"));
        let restart = format!("{given}systemctl restart -- \"$service\"\n");
        assert_eq!(answer(&restart, "c", &mut machine).stdout, "active\n");
        assert!(answer(&status, "c", &mut machine).stdout.starts_with("state: active\n"));
        let unknown = answer(
            &format!("{}systemctl restart -- \"$service\"\n", prelude(&[("service", "ngnix")])),
            "c",
            &mut machine,
        );
        assert_eq!(
            (unknown.code, unknown.stderr.as_str()),
            (5, "Failed to restart ngnix.service: Unit ngnix.service not found.\n")
        );
    }

    #[test]
    fn a_guarded_script_does_nothing_the_second_time_and_knows_its_boots() {
        let mut machine = web();
        let mut run = |script: &str, command: &str, reboot: bool| {
            if reboot {
                machine.reboot();
            }
            answer(script, command, &mut machine).code
        };
        let guard = "muster_mine=\"$muster_once/01J.0.1\"\n";
        let quiet = format!("{guard}systemctl restart nginx\n");
        let codes = [run(&quiet, "a", false), run(&quiet, "a", false), run(&quiet, "b", false), run(&quiet, "a", true)];
        assert_eq!(codes, [0, 212, 212, 216]);
        let reboots = format!("{}MUSTER_BOOT=0\nsystemctl restart nginx\n", guard.replace("J.0", "J.1"));
        let codes =
            [run(&reboots, "a", false), run(&reboots, "a", false), run(&reboots, "b", true), run(&reboots, "a", false)];
        assert_eq!(codes, [194, 212, 212, 0]);
        let codes: Vec<i32> = (0..4).map(|_| run(&reboots, "a", true)).collect();
        assert_eq!(codes, [0, 0, 0, 217], "five boots and no more");
    }
}
