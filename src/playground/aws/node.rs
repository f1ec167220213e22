//! A node's scratch folder: the files that stand-in commands and scripts find, and what scripts left in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::generate::Machine;
use super::organisation::World;
use super::tables;

/// When the services of a machine were started, as systemctl says it.
pub(super) const BOOT: &str = "Sun 2026-11-22 03:12:09 UTC; 6h ago";

/// The node's folder, filled when it is new.
pub(super) fn scratch(world: &World, account: &str, machine: &Machine) -> Result<Option<PathBuf>, io::Error> {
    let Some(confinement) = &world.confinement else { return Ok(None) };
    let (path, new) = confinement.scratch(account, machine.id.as_str())?;
    if new {
        fill(&path, machine)?;
    }
    Ok(Some(path))
}

/// Writes what changed about the machine into its folder, if it has one.
pub(super) fn refresh(world: &World, account: &str, machine: &Machine) {
    if let Some(path) = world.confinement.as_ref().and_then(|c| c.existing(account, machine.id.as_str())) {
        let _ = tell(&path, machine);
    }
}

/// What a script changed: a service that was restarted runs again.
pub(super) fn learn(path: &Path, machine: &mut Machine) {
    let unit = path.join(".node/units").join(&machine.condition.unit);
    if let Ok(state) = fs::read_to_string(unit) {
        machine.condition.failed = state.trim() == "failed";
    }
}

fn fill(path: &Path, machine: &Machine) -> io::Result<()> {
    for folder in [
        ".node/units",
        ".node/journal",
        "etc/nginx",
        "var/log",
        "var/lib",
        "var/tmp",
        "root",
        "tmp",
        "proc",
        "opt/app",
        "run",
    ] {
        fs::create_dir_all(path.join(folder))?;
    }
    let write = |name: &str, text: &str| fs::write(path.join(name), text);
    write("etc/hostname", &format!("{}\n", machine.host_name))?;
    write(
        "etc/os-release",
        "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nVERSION_ID=\"2023\"\nPRETTY_NAME=\"Amazon Linux 2023.8\"\n",
    )?;
    write(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/bash\ndeploy:x:1001:1001::/home/deploy:/bin/bash\nnginx:x:996:996:Nginx web server:/var/lib/nginx:/sbin/nologin\n",
    )?;
    write("etc/group", "root:x:0:\nwheel:x:10:ec2-user\ndeploy:x:1001:\nnginx:x:996:\n")?;
    write("etc/nginx/nginx.conf", "worker_processes auto;\n")?;
    write("proc/loadavg", "0.14 0.11 0.09 2/164 2291\n")?;
    write(".node/address", &format!("{}\n", machine.ip))?;
    write(".node/boot", &format!("{BOOT}\n"))?;
    write(".node/uptime", " 09:14:02 up 41 days,  6:02,  0 users,  load average: 0.14, 0.11, 0.09\n")?;
    write(
        ".node/free",
        "               total        used        free      shared  buff/cache   available\nMem:         3984520      702112     1920348         796     1362060     3044180\nSwap:              0           0           0\n",
    )?;
    write(".node/packages", &tables::packages(machine))?;
    for unit in ["sshd", "crond", "chronyd", "amazon-ssm-agent"] {
        write(&format!(".node/units/{unit}"), "active\n")?;
        write(&format!(".node/journal/{unit}"), "")?;
    }
    tell(path, machine)
}

fn tell(path: &Path, machine: &Machine) -> io::Result<()> {
    let write = |name: &str, text: &str| fs::write(path.join(name), text);
    let unit = &machine.condition.unit;
    write(".node/df", &tables::df(machine))?;
    write(".node/du", &tables::du(machine))?;
    write(".node/ps", &tables::processes(machine))?;
    write(".node/ss", &tables::sockets(machine))?;
    write(&format!(".node/journal/{unit}"), &tables::journal(machine))?;
    write(&format!(".node/units/{unit}"), if machine.condition.failed { "failed\n" } else { "active\n" })
}
