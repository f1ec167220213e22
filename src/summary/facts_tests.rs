//! What is read from the outputs of commands, and what is left alone.

use proptest::prelude::*;

use super::*;

fn told(text: &str) -> Vec<String> {
    facts(text, &[], &mut Keys::default()).iter().map(|f| format!("{} = {}", f.name(), f.value)).collect()
}

/// Each of `wanted` is told of `text`.
#[track_caller]
fn tells(text: &str, wanted: &[&str]) {
    let told = told(text);
    for fact in wanted {
        assert!(told.iter().any(|t| t == fact), "{fact}\nis not in\n{}", told.join("\n"));
    }
}

const DF: &str = "\
Filesystem      Size  Used Avail Use% Mounted on
/dev/root        20G  8.1G   12G  42% /
devtmpfs        1.9G     0  1.9G   0% /dev
tmpfs           1.9G     0  1.9G   0% /dev/shm
tmpfs           767M  988K  766M   1% /run
/dev/nvme1n1    100G   93G  7.0G  93% /var/lib/data store
overlay          20G  8.1G   12G  42% /srv/overlay2/5d0f3a9be1c24f708f9a/merged";

#[test]
fn df_tells_each_mount_by_its_name() {
    tells(DF, &["Size of / = 20G", "Use% of / = 42%", "Avail of /dev/shm = 1.9G", "Use% of /var/lib/data store = 93%"]);
    let told = told(DF);
    assert!(!told.iter().any(|t| t.contains("5d0f3a9b")), "a container's mount is no name: {told:?}");
    assert_eq!(told.len(), 5 * 5);
}

#[test]
fn df_of_one_mount_and_in_blocks_of_1k_is_read_too() {
    tells(
        "Filesystem     1K-blocks    Used Available Use% Mounted on\n/dev/xvda1       8376300 5012344   3363956  60% /",
        &["1K-blocks of / = 8376300", "Use% of / = 60%"],
    );
    tells(
        "Filesystem      Inodes  IUsed   IFree IUse% Mounted on\n\
         /dev/root      2621440 190412 2431028    8% /\n\
         tmpfs           490941    611  490330    1% /run\n\
         /dev/sdb1            0      0       0     - /boot/efi",
        &["IUse% of / = 8%", "IFree of /run = 490330", "Inodes of /boot/efi = 0"],
    );
}

#[test]
fn free_tells_memory_by_row_and_column() {
    let text = "               total        used        free      shared  buff/cache   available\n\
                Mem:            7811        1204        3312          33        3595        6607\n\
                Swap:           2047           0        2047";
    assert_eq!(
        told(text),
        [
            "Mem total = 7811",
            "Mem used = 1204",
            "Mem free = 3312",
            "Mem shared = 33",
            "Mem buff/cache = 3595",
            "Mem available = 6607",
            "Swap total = 2047",
            "Swap used = 0",
            "Swap free = 2047",
        ]
    );
    // Without the white space in front nothing stands below its heading any more.
    assert_eq!(told(text.trim_start()), [""; 0]);
}

#[test]
fn uptime_tells_its_load_averages_and_no_time_of_day() {
    let three = ["load average (1 min) = 0.08", "load average (5 min) = 0.03", "load average (15 min) = 0.05"];
    assert_eq!(told(" 14:20:31 up 12 days,  3:41,  2 users,  load average: 0.08, 0.03, 0.05"), three);
    assert_eq!(told("14:20  up 12 days, 3:41, 2 users, load averages: 0.08 0.03 0.05"), three);
}

#[test]
fn systemctl_show_tells_properties() {
    let text = "Type=notify\nRestart=on-failure\nMainPID=812\nNRestarts=4\nMemoryCurrent=[not set]\n\
                ExecStart={ path=/usr/sbin/chronyd ; argv[]=/usr/sbin/chronyd -F 1 ; pid=0 }\n\
                Id=chronyd.service\nDescription=NTP client/server\nActiveState=active\nSubState=running\nWants=";
    tells(text, &["ActiveState = active", "NRestarts = 4", "Description = NTP client/server", "Restart = on-failure"]);
    let told = told(text);
    assert!(
        !told.iter().any(|t| t.starts_with("ExecStart") || t.starts_with("MemoryCurrent") || t.starts_with("Wants"))
    );
}

#[test]
fn several_units_are_told_apart_by_their_id() {
    assert_eq!(
        told("Id=ssh.service\nActiveState=active\n\nId=cron.service\nActiveState=failed\n"),
        ["ActiveState of ssh.service = active", "ActiveState of cron.service = failed"]
    );
}

#[test]
fn systemctl_list_units_tells_each_unit_and_its_mark_is_no_name() {
    let text = "  UNIT              LOAD   ACTIVE SUB     DESCRIPTION
  cron.service      loaded active running Regular background program processing daemon
● mdmonitor.service loaded failed failed  Software RAID monitoring
  ssh.service       loaded active running OpenBSD Secure Shell server

LOAD   = Reflects whether the unit definition was properly loaded.
3 loaded units listed.";
    tells(
        text,
        &[
            "ACTIVE of mdmonitor.service = failed",
            "SUB of ssh.service = running",
            "DESCRIPTION of cron.service = Regular background program processing daemon",
        ],
    );
}

#[test]
fn lscpu_and_meminfo_tell_keys_with_blanks_and_units() {
    tells(
        "Architecture:            x86_64\n  CPU op-mode(s):        32-bit, 64-bit\nCPU(s):                  4\n  On-line CPU(s) list:   0-3\nModel name:              AMD EPYC 7R13 Processor\nThread(s) per core:      2\nL3:                      16 MiB (1 instance)\nVulnerabilities:\n  Spectre v1:            Mitigation; usercopy/swapgs barriers and __user pointer sanitization",
        &[
            "Architecture = x86_64",
            "CPU(s) = 4",
            "On-line CPU(s) list = 0-3",
            "Model name = AMD EPYC 7R13 Processor",
            "Thread(s) per core = 2",
            "Spectre v1 = Mitigation; usercopy/swapgs barriers and __user pointer sanitization",
        ],
    );
    tells(
        "MemTotal:        8008392 kB\nMemFree:          412884 kB\nActive(anon):     905112 kB\nHugePages_Total:       0",
        &["MemTotal = 8008392 kB", "Active(anon) = 905112 kB", "HugePages_Total = 0"],
    );
}

#[test]
fn sysctl_and_short_assignments_are_read() {
    assert_eq!(
        told("vm.swappiness = 60\nnet.core.somaxconn = 4096\nkernel.hostname = db-7"),
        ["vm.swappiness = 60", "net.core.somaxconn = 4096", "kernel.hostname = db-7"]
    );
    assert_eq!(told("workers=4 queue=12 state=idle"), ["workers = 4", "queue = 12", "state = idle"]);
    assert_eq!(told("Stratum         : 3\nLeap status     : Normal"), ["Stratum = 3", "Leap status = Normal"]);
}

#[test]
fn vmstat_of_one_line_is_of_the_node_even_where_numbers_outgrow_their_columns() {
    tells(
        "procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----\n \
         r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st\n \
         2  0      0 15234568 301244 4567890    0    0    12    40  101  212  3  1 96  0  0",
        &["r = 2", "free = 15234568", "cache = 4567890", "id = 96", "st = 0"],
    );
}

#[test]
fn docker_tells_containers_by_name_and_never_by_id() {
    let text = "\
CONTAINER ID   IMAGE          COMMAND                  CREATED       STATUS                   PORTS                  NAMES
4f5d8e3b1c2a   nginx:1.25     \"/docker-entrypoint.…\"   2 weeks ago   Up 2 weeks (healthy)     0.0.0.0:80->80/tcp     edge
9be1c24f708f   redis:7        \"docker-entrypoint.s…\"   2 weeks ago   Restarting (1) 3 s ago                          cache";
    tells(
        text,
        &[
            "IMAGE of edge = nginx:1.25",
            "STATUS of edge = Up 2 weeks (healthy)",
            "STATUS of cache = Restarting (1) 3 s ago",
            "CREATED of cache = 2 weeks ago",
        ],
    );
    assert!(!told(text).iter().any(|t| t.contains(" of 4f5d") || t.starts_with("PORTS of cache")));
}

#[test]
fn lsblk_tells_devices_without_the_marks_of_its_tree() {
    let text = "\
NAME        MAJ:MIN RM  SIZE RO TYPE MOUNTPOINTS
nvme0n1     259:0    0   20G  0 disk
├─nvme0n1p1 259:1    0 19.9G  0 part /
└─nvme0n1p2 259:2    0  100M  0 part /boot/efi
nvme1n1     259:3    0  100G  1 disk /srv";
    tells(
        text,
        &[
            "SIZE of nvme0n1 = 20G",
            "TYPE of nvme0n1p1 = part",
            "MOUNTPOINTS of nvme0n1p2 = /boot/efi",
            "RO of nvme1n1 = 1",
        ],
    );
}

#[test]
fn sockets_and_processes_have_no_names_that_nodes_share() {
    let sockets = "\
Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
tcp   LISTEN 0      128          0.0.0.0:22         0.0.0.0:*     users:((\"sshd\",pid=812,fd=3))
tcp   LISTEN 0      511          0.0.0.0:80         0.0.0.0:*     users:((\"nginx\",pid=977,fd=6))
tcp   LISTEN 0      128             [::]:22            [::]:*     users:((\"sshd\",pid=812,fd=4))";
    assert_eq!(told(sockets), [""; 0]);
    let processes = "  PID USER     %CPU\n  812 root      0.0\n 1977 root      1.3";
    assert_eq!(told(processes), [""; 0]);
    tells(
        "Transport Total     IP        IPv6\nRAW       1         0         1\nUDP       9         6         3",
        &["Total of UDP = 9", "IPv6 of RAW = 1"],
    );
}

#[test]
fn tables_of_powershell_are_read_by_the_rule_below_the_headings() {
    tells(
        "\n\
Name           Used (GB)     Free (GB) Provider      Root                 CurrentLocation\n\
----           ---------     --------- --------      ----                 ---------------\n\
C                  45.32         54.12 FileSystem    C:\\                 Windows\\system32\n\
Env                                    Environment\n\
HKLM                                   Registry      HKEY_LOCAL_MACHINE\n",
        &["Used (GB) of C = 45.32", "Free (GB) of C = 54.12", "Provider of Env = Environment"],
    );
    let volumes = "\n\
DriveLetter FriendlyName FileSystemType DriveType HealthStatus OperationalStatus SizeRemaining     Size\n\
----------- ------------ -------------- --------- ------------ ----------------- -------------     ----\n\
C                        NTFS           Fixed     Healthy      OK                     20.54 GB 99.45 GB\n            Recovery     NTFS           Fixed     Healthy      OK                      83.1 MB   450 MB\n\
D           Data         NTFS           Fixed     Warning      Degraded                3.02 GB   200 GB\n";
    tells(
        volumes,
        &[
            "SizeRemaining of C = 20.54 GB",
            "Size of C = 99.45 GB",
            "HealthStatus of D = Warning",
            "FriendlyName of D = Data",
            "SizeRemaining of D = 3.02 GB",
        ],
    );
}

#[test]
fn what_stands_below_a_table_is_no_row_of_it() {
    assert_eq!(
        told("  used  what\n  ----  ----\n   42%  /\n   91%  /srv\nfullest: 91% of /srv\nverdict: ok"),
        ["used of / = 42%", "used of /srv = 91%", "fullest = 91% of /srv", "verdict = ok"]
    );
    assert_eq!(told(&format!("{DF}\nverdict: ok\nfullest: 93% of /srv")).len(), 5 * 5 + 2);
}

#[test]
fn lists_of_powershell_are_records() {
    let one = "\n\nDriveLetter     : C\nFileSystem      : NTFS\nHealthStatus    : Healthy\nUniqueId        : \\\\?\\Volume{5c1b}\\\nSizeRemaining   : 22054043648\n";
    assert_eq!(told(one)[..3], ["DriveLetter = C", "FileSystem = NTFS", "HealthStatus = Healthy"].map(str::to_owned));
    let two = format!(
        "{one}\nDriveLetter     : D\nFileSystem      : NTFS\nHealthStatus    : Warning\nSizeRemaining   : 3242591744\n"
    );
    tells(&two, &["HealthStatus of C = Healthy", "HealthStatus of D = Warning", "SizeRemaining of D = 3242591744"]);
}

#[test]
fn prose_logs_times_addresses_and_paths_are_no_facts() {
    for text in [
        "Error: cannot open file",
        "error: 3",
        "E: Unable to locate package nginx",
        "Warning: apt does not have a stable CLI interface.",
        "fatal: not a git repository",
        "fatal error: stdio.h",
        "cp: missing operand",
        "bash: foo: command not found",
        "nginx: configuration file /etc/nginx/nginx.conf test is successful",
        "main.c: syntax is bad",
        "The following units failed: ssh",
        "We could not reach it: timeout",
        "14:20:31",
        "14:20: state: idle",
        "Nov 22 14:20:31 web-1 sshd[812]: Accepted publickey",
        "Nov 22 web-1 state: idle",
        "Sun Nov 22 14:20:31 UTC 2026",
        "2026-11-22T14:20:31Z level=info queue=12",
        "INFO 14:20:31 queue: 12",
        "[   12.345678] eth0: link up",
        "http://example.org/?a=1",
        "https://x: down",
        "/var/log/messages: 12",
        "C: 12",
        "C:\\Windows\\Temp",
        "fe80::1 dev eth0",
        "    inet6 fe80::8a:1ff:fe02:3/64 scope link",
        "export PATH=/usr/bin",
        "level=info msg=\"server started\" port=80",
        "if (a == b) return",
        "5d0f3a9be1c24f70: ok",
        "Usage: df [OPTION]",
        "All services are running fine\nnginx and php are running too\ncron and ssh are running too",
        "It works.  No faults.\nIt works.  No faults.",
    ] {
        assert_eq!(told(text), [""; 0], "{text}");
    }
}

#[test]
fn a_name_with_two_values_is_told_of_neither() {
    assert_eq!(told("state: active\nstate: failed\nowner: ops"), ["owner = ops"]);
    assert_eq!(told(&format!("{DF}\n\n{DF}")), [""; 0]);
    assert_eq!(
        told("NAME  SIZE  SIZE  USE\na      1     2     3%\nb      1     2     4%"),
        ["USE of a = 3%", "USE of b = 4%"]
    );
}

#[test]
fn at_most_two_hundred_facts_and_none_that_is_cut() {
    let many: String =
        (0..5000).map(|n| format!("key{}{}: {n}\n", char::from(b'a' + (n % 26) as u8), n / 26)).collect();
    assert_eq!(told(&many).len(), FACTS_MAX);
    let (long, longer) = ("v".repeat(VALUE_MAX), "v".repeat(VALUE_MAX + 1));
    assert_eq!(told(&format!("fits: {long}\nlong: {longer}")), [format!("fits = {long}")]);
    let table = |row: &str| format!("NAME  {}  USE\n{row}  1  3%\nb  2  4%", "H".repeat(30));
    assert_eq!(told(&table("a")).len(), 4);
    assert_eq!(told(&table(&"r".repeat(40))).len(), 3, "the name of one is longer than {NAME_MAX} characters");
}

proptest! {
    #[test]
    fn a_line_that_is_seen_to_be_mute_at_once_is_mute(line in "([a-z]{0,4}|[A-Z]|[0-9]{1,3}|[-:=.,%\"'|├]|  | |\t|Mon |é|load average|=|: ){0,12}") {
        if let Some(look) = Look::of_a_mute(&line) {
            prop_assert_eq!(look, Look::at(&line, &mut Keys::default()));
        }
    }

    #[test]
    fn any_text_is_read_within_bounds(
        text in "(\\PC|[ -~]|  |\t|\n|: |=| = |[0-9]{1,3}%|NAME|Mounted on|---- ----|├─|load average: |é|日本){0,200}"
    ) {
        let text = crate::redact::normalise(&text);
        let found = facts(&text, &[], &mut Keys::default());
        prop_assert!(found.len() <= FACTS_MAX);
        for fact in &found {
            let name = fact.name();
            prop_assert!(!name.is_empty() && name.chars().count() <= NAME_MAX, "{name}");
            prop_assert!(!fact.value.is_empty() && fact.value.chars().count() <= VALUE_MAX);
            let lines = name.contains('\n') || fact.value.contains('\n');
            prop_assert!(!lines);
        }
    }

    #[test]
    fn tables_of_any_shape_are_read_without_a_panic(
        rows in proptest::collection::vec("( {0,9}([A-Z]{1,6}|[0-9.]{1,6}[GM%]?|[a-z/]{1,9}|-+|é|├─)){0,7}", 0..12)
    ) {
        prop_assert!(facts(&rows.join("\n"), &[], &mut Keys::default()).len() <= FACTS_MAX);
    }
}
