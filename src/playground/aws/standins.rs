//! Stand-ins for the commands that would tell of this host: they answer from the tables in the node's scratch folder.
//! And for two that could change modes and times outside it, which Landlock does not govern.

/// Name and text of the commands that every node has. They run with `sh` inside the confinement, so they can do nothing
/// that a script cannot.
pub const STAND_INS: [(&str, &str); 22] = [
    ("df", include_str!("standins/df.sh")),
    ("du", include_str!("standins/du.sh")),
    ("systemctl", include_str!("standins/systemctl.sh")),
    ("journalctl", include_str!("standins/journalctl.sh")),
    ("ps", include_str!("standins/ps.sh")),
    ("ss", include_str!("standins/ss.sh")),
    ("free", include_str!("standins/free.sh")),
    ("uptime", include_str!("standins/uptime.sh")),
    ("hostname", include_str!("standins/hostname.sh")),
    ("uname", include_str!("standins/uname.sh")),
    ("nproc", include_str!("standins/nproc.sh")),
    ("id", include_str!("standins/id.sh")),
    ("whoami", include_str!("standins/whoami.sh")),
    ("getent", include_str!("standins/getent.sh")),
    ("cp", include_str!("standins/cp.sh")),
    ("touch", include_str!("standins/touch.sh")),
    ("sysctl", include_str!("standins/sysctl.sh")),
    ("logrotate", include_str!("standins/logrotate.sh")),
    ("amazon-ssm-agent", include_str!("standins/amazon-ssm-agent.sh")),
    ("openssl", include_str!("standins/openssl.sh")),
    ("timedatectl", include_str!("standins/timedatectl.sh")),
    ("chronyc", include_str!("standins/chronyc.sh")),
];

/// A folder's name, and the commands that only the distributions of this family have.
pub const FAMILIES: [(&str, &[(&str, &str)]); 2] = [
    (
        "debian",
        &[
            ("dpkg-query", include_str!("standins/debian/dpkg-query.sh")),
            ("apt-get", include_str!("standins/debian/apt-get.sh")),
        ],
    ),
    (
        "redhat",
        &[
            ("rpm", include_str!("standins/redhat/rpm.sh")),
            ("dnf", include_str!("standins/redhat/dnf.sh")),
            ("needs-restarting", include_str!("standins/redhat/needs-restarting.sh")),
        ],
    ),
];
