//! The files of a machine that commands and scripts read, as they are before any script has run.

use std::fmt::Write as _;

use crate::domain::Timestamp;

use super::generate::{Distribution, Machine, Trouble};
use super::tables;

/// Folders that are there, empty or not.
pub(super) const FOLDERS: [&str; 21] = [
    ".node/units",
    ".node/journal",
    ".node/sysctl",
    "etc/nginx/tls",
    "etc/logrotate.d",
    "etc/sysctl.d",
    "etc/sudoers.d",
    "var/log",
    "var/lib",
    "var/tmp",
    "var/cache/apt/archives",
    "var/cache/dnf",
    "root",
    "tmp",
    "proc/pressure",
    "proc/sys/kernel/random",
    "proc/sys/net/netfilter",
    "home/deploy/.ssh",
    "opt/app",
    "run",
    "srv",
];

/// The units that run on every machine of a distribution beside its main service.
pub(super) fn units(machine: &Machine) -> [&'static str; 5] {
    match machine.distribution {
        Distribution::Debian12 => ["ssh", "cron", "chrony", "amazon-ssm-agent", "logrotate.timer"],
        Distribution::Amazon2023 | Distribution::Rhel9 => {
            ["sshd", "crond", "chronyd", "amazon-ssm-agent", "logrotate.timer"]
        }
    }
}

/// Rotated logs: KiB, path, age in days. A full disk is full of them.
pub(super) fn rotated(machine: &Machine) -> Vec<(u64, String, u64)> {
    let unit = &machine.condition.unit;
    let size = if machine.condition.var_used > 90 { 716_800 } else { 10_240 };
    [3_u64, 10, 17, 24]
        .iter()
        .map(|days| (size / days, format!("var/log/{unit}/{unit}.log.{days}.gz"), *days))
        .collect()
}

/// What a reboot takes away: the notes that one is due.
pub(super) const GONE_BY_REBOOT: [&str; 3] = ["run/reboot-required", "run/reboot-required.pkgs", ".node/reboot"];

/// Path and text of each file that is as it is since the machine was started.
pub(super) fn since_boot(machine: &Machine) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut file = |name: &str, text: String| files.push((name.to_owned(), text));
    proc(machine.condition.trouble, &mut file);
    let (uptime, words) = match machine.boots {
        0 => ("3564120.11 7002311.54", "up 41 days,  6:02,  0 users,  load average: 0.14, 0.11, 0.09"),
        _ => ("48.07 81.90", "up 0 min,  0 users,  load average: 0.61, 0.17, 0.06"),
    };
    file("proc/uptime", format!("{uptime}\n"));
    file("proc/sys/kernel/random/boot_id", format!("{}\n", machine.boot_id()));
    file(".node/uptime", format!(" 09:14:02 {words}\n"));
    file(".node/boot", format!("{}\n", machine.started()));
    files
}

/// Path and text of each other file.
pub(super) fn of(machine: &Machine, now: Timestamp) -> Vec<(String, String)> {
    let trouble = machine.condition.trouble;
    let mut files: Vec<(String, String)> = Vec::new();
    let mut file = |name: &str, text: String| files.push((name.to_owned(), text));
    file("etc/hostname", format!("{}\n", machine.host_name));
    file("etc/os-release", os_release(machine.distribution).to_owned());
    accounts(machine, &mut file);
    file("etc/nginx/nginx.conf", "worker_processes auto;\n".to_owned());
    file("etc/logrotate.conf", "weekly\nrotate 4\ncreate\ninclude /etc/logrotate.d\n".to_owned());
    let unit = &machine.condition.unit;
    file(&format!("etc/logrotate.d/{unit}"), format!("/var/log/{unit}/*.log {{\n    daily\n}}\n"));
    if unit == "nginx" {
        let days = if trouble == Some(Trouble::ExpiredCertificate) { -2 } else { 143 };
        file("etc/nginx/tls/site.pem", certificate(machine, now, days));
    }
    if machine.distribution == Distribution::Debian12 {
        file("var/lib/dpkg/status", "Package: openssl\n".to_owned());
        if machine.condition.reboot_due {
            file("run/reboot-required", "*** System restart required ***\n".to_owned());
            file("run/reboot-required.pkgs", "linux-image-6.1.0-37-cloud-amd64\n".to_owned());
        }
    } else if machine.condition.reboot_due {
        file(".node/reboot", String::new());
    }
    file(".node/address", format!("{}\n", machine.ip));
    file(".node/release", format!("{}\n", release(machine.distribution)));
    file(".node/agent", format!("{}\n", machine.agent_version));
    file(".node/clock", if trouble == Some(Trouble::ClockAdrift) { "no\n" } else { "yes\n" }.to_owned());
    file(".node/free", "               total        used        free      shared  buff/cache   available\nMem:         3984520      702112     1920348         796     1362060     3044180\nSwap:              0           0           0\n".to_owned());
    if trouble == Some(Trouble::DeadMirror) {
        file(".node/slow", String::new());
    }
    file(".node/kernel", kernel(machine));
    for (name, value) in [
        ("vm.swappiness", "60"),
        ("vm.max_map_count", "65530"),
        ("net.core.somaxconn", "4096"),
        ("net.ipv4.tcp_rmem", "4096\t131072\t6291456"),
        ("fs.file-max", "9223372036854775807"),
    ] {
        file(&format!(".node/sysctl/{name}"), format!("{value}\n"));
    }
    files
}

fn os_release(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::Amazon2023 => {
            "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nVERSION_ID=\"2023\"\nPRETTY_NAME=\"Amazon Linux 2023.8\"\n"
        }
        Distribution::Debian12 => {
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n"
        }
        Distribution::Rhel9 => {
            "NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"9.6 (Plow)\"\nID=\"rhel\"\nVERSION_ID=\"9.6\"\n"
        }
    }
}

fn release(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::Amazon2023 => "6.1.141-155.222.amzn2023.x86_64",
        Distribution::Debian12 => "6.1.0-37-cloud-amd64",
        Distribution::Rhel9 => "5.14.0-570.24.1.el9_6.x86_64",
    }
}

/// passwd, group, shadow, sudoers and a deployment key.
fn accounts(machine: &Machine, file: &mut impl FnMut(&str, String)) {
    let (login, comment, group, gid) = match machine.distribution {
        Distribution::Debian12 => ("admin", "Debian", "sudo", 27),
        Distribution::Amazon2023 => ("ec2-user", "EC2 Default User", "wheel", 10),
        Distribution::Rhel9 => ("ec2-user", "Cloud User", "wheel", 10),
    };
    let mut passwd = format!(
        "root:x:0:0:root:/root:/bin/bash\n{login}:x:1000:1000:{comment}:/home/{login}:/bin/bash\ndeploy:x:1001:1001::/home/deploy:/bin/bash\nnginx:x:996:996:Nginx web server:/var/lib/nginx:/sbin/nologin\n"
    );
    if machine.condition.trouble == Some(Trouble::SecondRoot) {
        passwd += "toor:x:0:0::/root:/bin/bash\n";
    }
    file("etc/passwd", passwd);
    file("etc/group", format!("root:x:0:\n{group}:x:{gid}:{login}\ndeploy:x:1001:\nnginx:x:996:\n"));
    file(
        "etc/shadow",
        format!("root:*:20011:0:99999:7:::\n{login}:!:20200:0:99999:7:::\ndeploy:!:20200:0:99999:7:::\n"),
    );
    file(
        "etc/sudoers",
        format!("Defaults env_reset\nroot ALL=(ALL) ALL\n%{group} ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n"),
    );
    file("etc/sudoers.d/90-cloud-init-users", format!("# User rules for {login}\n{login} ALL=(ALL) NOPASSWD:ALL\n"));
    file("home/deploy/.ssh/authorized_keys", "# the pipeline\nssh-ed25519 AAAAplayground pipeline\n".to_owned());
}

/// What the stand-in for openssl reads, behind the line that a certificate begins with.
fn certificate(machine: &Machine, now: Timestamp, days: i64) -> String {
    let ends = now + jiff::SignedDuration::from_hours(24 * days);
    let text = ends.strftime("%b %e %H:%M:%S %Y GMT");
    let customer = machine.tags.get("customer").map_or("acme", String::as_str);
    format!("-----BEGIN CERTIFICATE-----\nends {} {text}\nsubject CN = www.{customer}.example\n", ends.as_second())
}

fn proc(trouble: Option<Trouble>, file: &mut impl FnMut(&str, String)) {
    let low = trouble == Some(Trouble::LowMemory);
    let available = if low { 183_288 } else { 3_044_180 };
    let stall = if low { "avg10=31.02 avg60=23.90 avg300=8.10" } else { "avg10=0.00 avg60=0.00 avg300=0.00" };
    file("proc/loadavg", if low { "5.90 5.14 3.02 9/164 2291\n" } else { "0.14 0.11 0.09 2/164 2291\n" }.to_owned());
    file(
        "proc/meminfo",
        format!(
            "MemTotal:        3984520 kB\nMemFree:          {:>7} kB\nMemAvailable:     {available:>7} kB\nBuffers:            2104 kB\nCached:           120044 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n",
            available / 2
        ),
    );
    file("proc/pressure/memory", format!("some {stall} total=18233\nfull {stall} total=12011\n"));
    file("proc/sys/net/netfilter/nf_conntrack_count", "318\n".to_owned());
    file("proc/sys/net/netfilter/nf_conntrack_max", "65536\n".to_owned());
}

fn kernel(machine: &Machine) -> String {
    let host = tables::short_host(machine);
    let mut text = String::new();
    if machine.condition.trouble == Some(Trouble::LowMemory) {
        let _ = writeln!(
            text,
            "Nov 22 07:10:01 {host} kernel: java invoked oom-killer: gfp_mask=0x140cca, order=0, oom_score_adj=0"
        );
        let _ = writeln!(
            text,
            "Nov 22 07:10:01 {host} kernel: Out of memory: Killed process 2201 (java) total-vm:4633860kB, anon-rss:3123456kB"
        );
    }
    text
}
