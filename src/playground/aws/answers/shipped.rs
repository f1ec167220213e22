//! The shipped runbooks in short, for machines where nothing is run: the lines that their scripts end with.
//!
//! A script is known by a sentence that only it says.

use std::collections::BTreeMap;

use super::{Answer, file_systems, state};
use crate::playground::aws::generate::{Distribution, Machine, Trouble};
use crate::playground::aws::tables;

type Values = BTreeMap<String, String>;

/// `None`: the script is none of these.
pub(super) fn answer(script: &str, values: &Values, machine: &mut Machine) -> Option<Answer> {
    type Teller = fn(&Values, &mut Machine) -> Result<String, String>;
    const KNOWN: [(&str, Teller); 22] = [
        ("so nothing is known about packages", package),
        ("so users of a directory service would be missed", user),
        ("ss cannot list the sockets", listening),
        ("a rule of sudo lets everybody in", sudoers),
        ("cannot ask its repositories", patches),
        ("so certificates cannot be read", certificates),
        ("the agent does not tell its version", agent),
        ("the kernel does not take", sysctl),
        ("and is not edited by this runbook", line),
        ("logrotate does not take the rule", rotation),
        ("no time service is installed here", clock),
        ("this ps knows no CPU shares", processes),
        ("there is no systemd journal here", errors),
        ("ss cannot list the connections", connections),
        ("does not say how much there is", memory),
        ("nothing here tells whether a reboot is due", reboot),
        ("failed since the reboot:", rebooted),
        ("clock: not synchronised", diagnosis),
        ("rotated logs older than", free),
        ("Win32_LogicalDisk", drives),
        ("Restart-Service", restarted),
        ("Get-Service", service),
    ];
    let (_, tell) = KNOWN.iter().find(|(sentence, _)| script.contains(sentence))?;
    Some(match tell(values, machine) {
        Ok(stdout) => Answer { code: 0, stdout, stderr: String::new() },
        Err(why) => Answer { code: 1, stdout: String::new(), stderr: format!("{why}\n") },
    })
}

fn value<'v>(values: &'v Values, name: &str) -> &'v str {
    values.get(name).map_or("", String::as_str)
}

fn package(values: &Values, machine: &mut Machine) -> Result<String, String> {
    let (name, wanted) = (value(values, "package"), value(values, "wanted"));
    let all = tables::packages(machine);
    let version = all.lines().find_map(|l| l.strip_prefix(&format!("{name} "))?.split(' ').next());
    let verdict = match (version, wanted) {
        (_, "any") | (None, "absent") | (Some(_), "installed") => "ok",
        (None, _) => "missing",
        (Some(_), "absent") => "present",
        (Some(version), wanted) => {
            let rest = version.strip_prefix(wanted);
            if rest.is_some_and(|r| !r.starts_with(|c: char| c.is_ascii_alphanumeric())) { "ok" } else { "other" }
        }
    };
    let first = version.map_or_else(|| format!("{name} is not installed"), |v| format!("{name} {v}"));
    Ok(format!("{first}\nversion: {}\nverdict: {verdict}\n", version.unwrap_or("none")))
}

fn user(values: &Values, machine: &mut Machine) -> Result<String, String> {
    let (login, wanted) = (value(values, "login"), value(values, "wanted"));
    let own = if machine.distribution == Distribution::Debian12 { "admin" } else { "ec2-user" };
    let found = if ["root", "deploy", "nginx", own].contains(&login) { "present" } else { "absent" };
    let verdict = if wanted == "any" || wanted == found { "ok" } else { found };
    Ok(format!("user: {found}\nverdict: {verdict}\n"))
}

fn listening(_: &Values, machine: &mut Machine) -> Result<String, String> {
    let table = tables::listening(machine);
    let all = table.lines().count() - 1;
    let inside = table.lines().filter(|l| l.contains("127.0.0.1:")).count();
    Ok(format!("listening: {all}, {} of them open to other machines\nverdict: open\n", all - inside))
}

fn sudoers(_: &Values, machine: &mut Machine) -> Result<String, String> {
    let second = machine.condition.trouble == Some(Trouble::SecondRoot);
    let (who, verdict) = if second { ("root toor", "look") } else { ("root", "ok") };
    Ok(format!("uid 0: {who}\nwithout a password: 1\nverdict: {verdict}\n"))
}

fn patches(_: &Values, machine: &mut Machine) -> Result<String, String> {
    if machine.condition.trouble == Some(Trouble::DeadMirror) {
        return Err("dnf cannot ask its repositories (exit 1)".to_owned());
    }
    let waiting = tables::updates(machine);
    let secure = waiting.lines().filter(|l| l.starts_with("security ")).count();
    let verdict = if secure > 0 { "security" } else { "ok" };
    Ok(format!("pending: {}, {secure} of them for security\nverdict: {verdict}\n", waiting.lines().count()))
}

fn certificates(values: &Values, machine: &mut Machine) -> Result<String, String> {
    let count = usize::from(machine.condition.unit == "nginx");
    let expired = usize::from(machine.condition.trouble == Some(Trouble::ExpiredCertificate));
    let verdict = if expired > 0 { "expired" } else { "ok" };
    let days = value(values, "days");
    Ok(format!("certificates: {count}, {expired} expired, 0 within {days} days\nverdict: {verdict}\n"))
}

fn agent(values: &Values, machine: &mut Machine) -> Result<String, String> {
    let parts = |v: &str| v.split('.').map(|p| p.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>();
    let old = parts(&machine.agent_version) < parts(value(values, "minimum"));
    let verdict = if old { "old" } else { "ok" };
    Ok(format!("service: active\nversion: {}\nverdict: {verdict}\n", machine.agent_version))
}

fn sysctl(values: &Values, _: &mut Machine) -> Result<String, String> {
    Ok(format!("now: {}\nverdict: set\n", value(values, "value")))
}

fn line(values: &Values, _: &mut Machine) -> Result<String, String> {
    Ok(format!("changed {}\nverdict: ok\n", value(values, "file")))
}

fn rotation(values: &Values, machine: &mut Machine) -> Result<String, String> {
    let (name, files) = (value(values, "name"), value(values, "files"));
    if files == format!("/var/log/{}/*.log", machine.condition.unit) {
        return Err(format!(
            "error: /etc/logrotate.d/muster-{name}~:2 duplicate log entry for {files}\nlogrotate does not take the rule; nothing was changed"
        ));
    }
    Ok(format!("wrote /etc/logrotate.d/muster-{name}\nrun by: logrotate.timer\nverdict: ok\n"))
}

fn clock(_: &Values, machine: &mut Machine) -> Result<String, String> {
    let unit = if machine.distribution == Distribution::Debian12 { "chrony" } else { "chronyd" };
    let (said, verdict) = match machine.condition.trouble {
        Some(Trouble::ClockAdrift) => (format!("restarted {unit}"), "unsynchronised"),
        _ => ("already so".to_owned(), "synchronised"),
    };
    Ok(format!("{said}\nservice: {unit} active\nverdict: {verdict}\n"))
}

fn processes(_: &Values, machine: &mut Machine) -> Result<String, String> {
    let table = tables::process_table(machine);
    let share = |line: &&str| line.split(' ').nth(2).and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
    let busiest = table.lines().max_by(|a, b| share(a).total_cmp(&share(b))).unwrap_or_default();
    let program = busiest.split(' ').nth(7).and_then(|p| p.rsplit('/').next()).unwrap_or("-");
    let waiting = usize::from(machine.condition.trouble == Some(Trouble::LowMemory));
    Ok(format!(
        "busiest: {program} {:.1}% of a core\nwaiting for a disk: {waiting}, zombies: 0\nverdict: ok\n",
        share(&busiest)
    ))
}

fn errors(_: &Values, machine: &mut Machine) -> Result<String, String> {
    let (count, verdict) = match (machine.condition.trouble, machine.condition.var_used, machine.condition.failed) {
        (Some(Trouble::LowMemory), ..) => (2, "out-of-memory"),
        (_, 91.., _) => (1, "disk-full"),
        (_, _, true) => (4, "errors"),
        _ => (0, "ok"),
    };
    Ok(format!("errors: {count}\nverdict: {verdict}\n"))
}

fn connections(_: &Values, machine: &mut Machine) -> Result<String, String> {
    let count = tables::connections(machine).lines().filter(|l| l.starts_with("ESTAB ")).count();
    Ok(format!("established: {count}\nverdict: ok\n"))
}

fn memory(_: &Values, machine: &mut Machine) -> Result<String, String> {
    Ok(match machine.condition.trouble {
        Some(Trouble::LowMemory) => "available: 4% (0.2 of 3.8 GiB)\nverdict: killed\n",
        _ => "available: 76% (2.9 of 3.8 GiB)\nverdict: ok\n",
    }
    .to_owned())
}

fn reboot(_: &Values, machine: &mut Machine) -> Result<String, String> {
    let verdict = if machine.condition.reboot_due { "reboot" } else { "ok" };
    Ok(format!("up: 41 days\nverdict: {verdict}\n"))
}

fn rebooted(_: &Values, _: &mut Machine) -> Result<String, String> {
    Ok("had been up: 41 days\nback after: 48 s\nsystem: running\nverdict: ok\n".to_owned())
}

fn diagnosis(_: &Values, machine: &mut Machine) -> Result<String, String> {
    let condition = &machine.condition;
    let mut found = Vec::new();
    match condition.trouble {
        Some(Trouble::LowMemory) => found.push("load 5.14, memory 4% available".to_owned()),
        Some(Trouble::ClockAdrift) => found.push("clock not synchronised".to_owned()),
        _ => {}
    }
    if condition.var_used >= 90 {
        found.push(format!("disk /var {}%", condition.var_used));
    }
    if state(machine, &condition.unit) == Some("failed") {
        found.push(format!("failed {}.service", condition.unit));
    }
    let host = tables::short_host(machine);
    Ok(if found.is_empty() {
        format!("host: {host}\nverdict: ok\n")
    } else {
        format!("host: {host}\nbecause: {}\nverdict: attention\n", found.join(", "))
    })
}

fn free(values: &Values, machine: &mut Machine) -> Result<String, String> {
    let share = |machine: &Machine| {
        file_systems(machine).into_iter().find(|(.., on)| on == "/var").map_or(0, |(_, [.., share], _)| share)
    };
    let before = share(machine);
    if value(values, "dryrun") != "false" {
        return Ok(format!(
            "before: {before}% used\nnothing was deleted; run it with dryrun=false to do it\nverdict: dryrun\n"
        ));
    }
    machine.condition.var_used = machine.condition.var_used.min(91);
    let after = share(machine);
    let verdict = if after < before { "freed" } else { "nothing" };
    Ok(format!("before: {before}% used\nafter: {after}% used\nverdict: {verdict}\n"))
}

fn drives(_: &Values, machine: &mut Machine) -> Result<String, String> {
    let used = machine.condition.root_used;
    Ok(format!("{used:>4}%  {:>8} GB free  C:\nfullest: {used}% on C:\n", f64::from(100 - used)))
}

/// Every Windows machine has these.
const WINDOWS: [&str; 3] = ["W3SVC", "Spooler", "AmazonSSMAgent"];

fn service(values: &Values, _: &mut Machine) -> Result<String, String> {
    let known = WINDOWS.iter().find(|name| name.eq_ignore_ascii_case(value(values, "service")));
    Ok(match known {
        Some(name) => format!("name: {name}\nstart: Automatic\nstate: Running\n"),
        None => "state: missing\n".to_owned(),
    })
}

fn restarted(values: &Values, _: &mut Machine) -> Result<String, String> {
    match WINDOWS.iter().find(|name| name.eq_ignore_ascii_case(value(values, "service"))) {
        Some(_) => Ok("state: Running\n".to_owned()),
        None => Err("there is no service of this name here; nothing was restarted".to_owned()),
    }
}
