//! What a machine shows: the tables that the stand-in commands read.
//!
//! Everything follows from the machine, so that tables, faults and answers tell one story.

use std::fmt::Write as _;

use super::generate::Machine;

/// Size in KiB, path; what is inside a folder stands before it, as `du` prints it. `/var` is a file system of its own,
/// so `/` does not count it.
#[must_use]
pub fn du(machine: &Machine) -> String {
    let (root, var, unit) = (root_used(machine), var_used(machine), &machine.condition.unit);
    // A full disk is full of logs; otherwise it is the service's data.
    let log = if machine.condition.var_used > 90 { var * 7 / 10 } else { var / 12 };
    let (cache, tmp) = (331_200, 12);
    let lib = var - log - cache - tmp;
    let (usr, opt, home, etc) = (root * 6 / 10, root / 5, root / 12, 24_100);
    let rows = [
        (log * 9 / 10, format!("/var/log/{unit}")),
        (log / 20, "/var/log/audit".to_owned()),
        (log / 40, "/var/log/journal".to_owned()),
        (log, "/var/log".to_owned()),
        (cache - 12_800, "/var/cache/dnf".to_owned()),
        (cache, "/var/cache".to_owned()),
        (lib * 8 / 10, format!("/var/lib/{unit}")),
        (lib, "/var/lib".to_owned()),
        (tmp, "/var/tmp".to_owned()),
        (var, "/var".to_owned()),
        (usr * 6 / 10, "/usr/lib".to_owned()),
        (usr / 4, "/usr/share".to_owned()),
        (usr, "/usr".to_owned()),
        (opt, "/opt/app".to_owned()),
        (opt, "/opt".to_owned()),
        (home, "/home/deploy".to_owned()),
        (home, "/home".to_owned()),
        (etc, "/etc".to_owned()),
        (40, "/tmp".to_owned()),
        (root, "/".to_owned()),
    ];
    rows.iter().fold(String::new(), |mut text, (kb, path)| {
        let _ = writeln!(text, "{kb}\t{path}");
        text
    })
}

const ROOT_KB: u64 = 31_445_992;
const VAR_KB: u64 = 20_961_280;

fn root_used(machine: &Machine) -> u64 {
    ROOT_KB * u64::from(machine.condition.root_used) / 100
}

fn var_used(machine: &Machine) -> u64 {
    VAR_KB * u64::from(machine.condition.var_used) / 100
}

/// File system, type, 1K blocks, used, available, inodes, inodes used, mount point.
#[must_use]
pub fn df(machine: &Machine) -> String {
    let root = root_used(machine);
    let var = var_used(machine);
    [
        "devtmpfs devtmpfs 4096 0 4096 496523 312 /dev\n".to_owned(),
        "tmpfs tmpfs 1992260 0 1992260 498065 1 /dev/shm\n".to_owned(),
        format!("/dev/nvme0n1p1 xfs {ROOT_KB} {root} {} 15728640 164210 /\n", ROOT_KB - root),
        format!("/dev/nvme1n1 xfs {VAR_KB} {var} {} 10485760 41873 /var\n", VAR_KB - var),
        "tmpfs tmpfs 398452 0 398452 99613 13 /run/user/0\n".to_owned(),
    ]
    .concat()
}

/// The journal of the machine's main service.
#[must_use]
pub fn journal(machine: &Machine) -> String {
    let (host, unit) = (short_host(machine), &machine.condition.unit);
    let line = |time: &str, text: String| format!("Nov 22 {time} {host} {text}\n");
    let mut text = line("03:12:08", format!("systemd[1]: Starting {unit}.service - The {unit} service..."));
    text += &line("03:12:09", format!("systemd[1]: Started {unit}.service - The {unit} service."));
    if machine.condition.var_used > 90 {
        text += &line("08:31:40", format!("{unit}[812]: write failed: No space left on device"));
    }
    if machine.condition.failed {
        let cause = match unit.as_str() {
            "nginx" => "[emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)".to_owned(),
            other => format!("{other} could not open its socket: Address already in use"),
        };
        text += &line("09:02:17", format!("{unit}[2291]: {cause}"));
        text += &line(
            "09:02:17",
            format!("systemd[1]: {unit}.service: Main process exited, code=exited, status=1/FAILURE"),
        );
        text += &line("09:02:17", format!("systemd[1]: {unit}.service: Failed with result 'exit-code'."));
        text += &line("09:02:17", format!("systemd[1]: Failed to start {unit}.service - The {unit} service."));
    }
    text
}

#[must_use]
pub fn packages(machine: &Machine) -> String {
    let openssl =
        if machine.agent_version.starts_with("3.2") { "3.0.8-1.amzn2023.0.3" } else { "3.0.8-1.amzn2023.0.21" };
    let mut text = format!(
        "bash 5.2.15-1.amzn2023.0.2 x86_64\nopenssl {openssl} x86_64\nopenssh-server 8.7p1-8.amzn2023.0.16 x86_64\ncurl-minimal 8.11.1-4.amzn2023.0.1 x86_64\nsystemd 252.23-3.amzn2023 x86_64\n"
    );
    let _ = writeln!(text, "amazon-ssm-agent {}-1.amzn2023 x86_64", machine.agent_version);
    match machine.condition.unit.as_str() {
        "nginx" => text += "nginx 1.28.0-1.amzn2023.0.2 x86_64\n",
        "postgresql" => text += "postgresql15-server 15.13-1.amzn2023.0.1 x86_64\n",
        _ => {}
    }
    text
}

#[must_use]
pub fn short_host(machine: &Machine) -> &str {
    machine.host_name.split('.').next().unwrap_or(&machine.host_name)
}

#[must_use]
pub fn processes(machine: &Machine) -> String {
    let unit = &machine.condition.unit;
    let mut text = "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\nroot           1  0.0  0.4 171852 16932 ?        Ss   03:12   0:04 /usr/lib/systemd/systemd --switched-root --system\nroot         702  0.1  1.1 1758224 43200 ?       Ssl  03:12   0:31 /usr/bin/amazon-ssm-agent\nroot         731  0.0  0.2  15212  9012 ?        Ss   03:12   0:00 sshd: /usr/sbin/sshd -D\n".to_owned();
    if !machine.condition.failed {
        let _ = writeln!(text, "{unit:<8}     812  0.7  3.2 418332 127004 ?       Ssl  03:12   2:10 /usr/sbin/{unit}");
    }
    text
}

#[must_use]
pub fn sockets(machine: &Machine) -> String {
    let port = match machine.condition.unit.as_str() {
        "nginx" => 80,
        "postgresql" => 5432,
        _ => 8080,
    };
    let holder = if machine.condition.failed { "python3" } else { machine.condition.unit.as_str() };
    format!(
        "State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\nLISTEN 0      128          0.0.0.0:22        0.0.0.0:*     users:((\"sshd\",pid=731,fd=3))\nLISTEN 0      511          0.0.0.0:{port}       0.0.0.0:*     users:((\"{holder}\",pid=812,fd=6))\n"
    )
}

/// Something that a redaction has to catch, put together so that this source holds no secret itself.
#[must_use]
pub fn leaked_secret() -> String {
    format!(
        "DATABASE_URL=postgres://app:{}{}@db-1.internal/app AWS_SECRET_ACCESS_KEY={}{}\n",
        "hunter2", "hunter2", "wJalrXUtnFEMIK7MDENG", "bPxRfiCYPLAYGROUNDKEY"
    )
}
