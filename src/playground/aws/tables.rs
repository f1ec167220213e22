//! What a machine shows: the tables that the stand-in commands read.
//!
//! Everything follows from the machine, so that tables, faults and answers tell one story.

use std::fmt::Write as _;

use super::generate::{Distribution, Machine, Trouble};

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
        (cache - 12_800, package_cache(machine).to_owned()),
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

/// Where downloaded packages are kept.
#[must_use]
pub fn package_cache(machine: &Machine) -> &'static str {
    match machine.distribution {
        Distribution::Debian12 => "/var/cache/apt",
        Distribution::Amazon2023 | Distribution::Rhel9 => "/var/cache/dnf",
    }
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

/// A package in its versions: what an old machine has, what a new one has, and whether the step between the two closes a
/// security hole.
type Package = (&'static str, &'static str, &'static str, bool);

fn installed(machine: &Machine) -> (&'static [Package], &'static str) {
    match machine.distribution {
        Distribution::Amazon2023 => (
            &[
                ("bash", "5.2.15-1.amzn2023.0.2", "5.2.15-1.amzn2023.0.2", false),
                ("openssl", "3.0.8-1.amzn2023.0.3", "3.0.8-1.amzn2023.0.21", true),
                ("openssh-server", "8.7p1-8.amzn2023.0.16", "8.7p1-8.amzn2023.0.16", false),
                ("curl-minimal", "8.5.0-1.amzn2023.0.4", "8.11.1-4.amzn2023.0.1", true),
                ("systemd", "252.23-3.amzn2023", "252.23-3.amzn2023", false),
                ("tzdata", "2025a-1.amzn2023.0.1", "2025b-1.amzn2023.0.1", false),
            ],
            "x86_64",
        ),
        Distribution::Debian12 => (
            &[
                ("bash", "5.2.15-2+b8", "5.2.15-2+b8", false),
                ("openssl", "3.0.15-1~deb12u1", "3.0.17-1~deb12u2", true),
                ("openssh-server", "1:9.2p1-2+deb12u6", "1:9.2p1-2+deb12u6", false),
                ("curl", "7.88.1-10+deb12u8", "7.88.1-10+deb12u12", true),
                ("systemd", "252.38-1~deb12u1", "252.38-1~deb12u1", false),
                ("tzdata", "2025a-0+deb12u1", "2025b-0+deb12u1", false),
            ],
            "amd64",
        ),
        Distribution::Rhel9 => (
            &[
                ("bash", "5.1.8-9.el9", "5.1.8-9.el9", false),
                ("openssl", "3.2.2-6.el9_5", "3.2.2-6.el9_5.1", true),
                ("openssh-server", "8.7p1-45.el9", "8.7p1-45.el9", false),
                ("curl", "7.76.1-29.el9_4", "7.76.1-31.el9", true),
                ("systemd", "252-51.el9_6.1", "252-51.el9_6.1", false),
                ("tzdata", "2025a-1.el9", "2025b-1.el9", false),
            ],
            "x86_64",
        ),
    }
}

/// A machine whose agent nobody has upgraded has not been patched either.
#[must_use]
pub fn is_old(machine: &Machine) -> bool {
    machine.agent_version.starts_with("3.2") && !machine.condition.patched
}

/// Name, version, architecture.
#[must_use]
pub fn packages(machine: &Machine) -> String {
    let (all, architecture) = installed(machine);
    let mut text = String::new();
    for (name, old, new, secure) in all {
        let version = if is_old(machine) && *secure { old } else { new };
        // tzdata waits on every machine that is due for a reboot: nobody has been there.
        let version =
            if *name == "tzdata" && machine.condition.reboot_due && !machine.condition.patched { old } else { version };
        let _ = writeln!(text, "{name} {version} {architecture}");
    }
    let suffix = match machine.distribution {
        Distribution::Amazon2023 => "-1.amzn2023",
        Distribution::Debian12 => "-1",
        Distribution::Rhel9 => "-1",
    };
    let _ = writeln!(text, "amazon-ssm-agent {}{suffix} {architecture}", machine.agent_version);
    match machine.condition.unit.as_str() {
        "nginx" => text += "nginx 1.28.0-1.amzn2023.0.2 x86_64\n",
        "postgresql" => text += "postgresql-server 13.20-1.el9_5 x86_64\n",
        _ => {}
    }
    text
}

/// What waits to be installed: kind, name, version now, next version, repository.
#[must_use]
pub fn updates(machine: &Machine) -> String {
    let (all, _) = installed(machine);
    let have = packages(machine);
    let repository = match machine.distribution {
        Distribution::Amazon2023 => "amazonlinux",
        Distribution::Debian12 => "stable",
        Distribution::Rhel9 => "rhel-9-baseos-rhui-rpms",
    };
    let mut text = String::new();
    for (name, old, new, secure) in all.iter().filter(|(_, old, new, _)| old != new) {
        if have.contains(&format!("{name} {old} ")) {
            let kind = if *secure { "security" } else { "other" };
            let _ = writeln!(text, "{kind} {name} {old} {new} {repository}");
        }
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

/// pid, user, %CPU, %memory, KiB, state, time since the start, command.
#[must_use]
pub fn process_table(machine: &Machine) -> String {
    let unit = &machine.condition.unit;
    let chrony = if machine.distribution == Distribution::Debian12 { "_chrony" } else { "chrony" };
    let mut text = format!(
        "1 root 0.0 0.4 16932 Ss 41-06:02:11 /usr/lib/systemd/systemd --switched-root --system\n402 root 0.0 0.5 22148 Ss 41-06:02:08 /usr/lib/systemd/systemd-journald\n690 {chrony} 0.0 0.1 3212 S 41-06:02:05 /usr/sbin/chronyd -F 2\n702 root 0.1 1.1 43200 Ssl 41-06:02:05 /usr/bin/amazon-ssm-agent\n731 root 0.0 0.2 9012 Ss 41-06:02:04 sshd: /usr/sbin/sshd -D\n"
    );
    if machine.condition.trouble == Some(Trouble::LowMemory) {
        text += "2388 app 61.0 84.1 3351012 Dl 02:04:10 /usr/lib/jvm/java-17/bin/java -Xmx4g -jar /opt/app/app.jar\n";
    }
    if !machine.condition.failed {
        // Busier machines use more, and each machine is a little different.
        let share = u32::from(machine.condition.root_used % 9);
        let _ = writeln!(
            text,
            "812 {unit} {share}.{} 3.2 {} Ssl 06:02:09 /usr/sbin/{unit}",
            machine.condition.var_used % 10,
            127_004 + share * 512
        );
    }
    text
}

/// As `ss -lntup` shows it.
#[must_use]
pub fn listening(machine: &Machine) -> String {
    let mut text = "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess\n\
        udp   UNCONN 0      0          127.0.0.1:323        0.0.0.0:*    users:((\"chronyd\",pid=690,fd=5))\n"
        .to_owned();
    for line in sockets(machine).lines().skip(1) {
        let _ = writeln!(text, "tcp   {line}");
    }
    text
}

/// As `ss -tan` shows it: more clients where the service uses more of its disk, none where it has failed.
#[must_use]
pub fn connections(machine: &Machine) -> String {
    let mut text = "State      Recv-Q Send-Q Local Address:Port   Peer Address:Port Process\n\
        LISTEN     0      128          0.0.0.0:22          0.0.0.0:*\n"
        .to_owned();
    let clients = if machine.condition.failed { 0 } else { machine.condition.var_used / 6 };
    let port = port(machine);
    for n in 0..clients {
        let state = if n % 5 == 4 { "TIME-WAIT" } else { "ESTAB" };
        let from = 40_000 + u32::from(n) * 17;
        let _ = writeln!(text, "{state:<10} 0      0      {}:{port}  10.0.9.{}:{from}", machine.ip, 4 + n % 3);
    }
    text
}

fn port(machine: &Machine) -> u16 {
    match machine.condition.unit.as_str() {
        "nginx" => 80,
        "postgresql" => 5432,
        _ => 8080,
    }
}

#[must_use]
pub fn sockets(machine: &Machine) -> String {
    let port = port(machine);
    let holder = if machine.condition.failed { "python3" } else { machine.condition.unit.as_str() };
    format!(
        "State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\nLISTEN 0      128          0.0.0.0:22        0.0.0.0:*     users:((\"sshd\",pid=731,fd=3))\nLISTEN 0      511          0.0.0.0:{port}       0.0.0.0:*     users:((\"{holder}\",pid=812,fd=6))\n"
    )
}

/// So many kB of numbered lines.
pub fn long_log(kb: u64) -> String {
    (1..=kb * 20).map(|n| format!("{n:08} the quick brown fox jumps over the lazy do\n")).collect()
}

/// Something that a redaction has to catch, put together so that this source holds no secret itself.
#[must_use]
pub fn leaked_secret() -> String {
    format!(
        "DATABASE_URL=postgres://app:{}{}@db-1.internal/app AWS_SECRET_ACCESS_KEY={}{}\n",
        "hunter2", "hunter2", "wJalrXUtnFEMIK7MDENG", "bPxRfiCYPLAYGROUNDKEY"
    )
}
