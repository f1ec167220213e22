//! A node's scratch folder: the files that stand-in commands and scripts find, and what scripts left in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::generate::Machine;
use super::organisation::World;
use super::{files, tables};

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

/// The machine was rebooted: what its files tell of its boot and its services is told anew.
pub(super) fn rebooted(world: &World, account: &str, machine: &Machine) {
    let Some(path) = world.confinement.as_ref().and_then(|c| c.existing(account, machine.id.as_str())) else { return };
    for note in files::GONE_BY_REBOOT {
        let _ = fs::remove_file(path.join(note));
    }
    for (name, text) in files::since_boot(machine) {
        let _ = fs::write(path.join(name), text);
    }
    for unit in files::units(machine) {
        let _ = fs::write(path.join(format!(".node/units/{unit}")), "active\n");
    }
    let _ = tell(&path, machine);
}

fn fill(path: &Path, machine: &Machine) -> io::Result<()> {
    for folder in files::FOLDERS {
        fs::create_dir_all(path.join(folder))?;
    }
    let now = crate::domain::Timestamp::now();
    for (name, text) in files::of(machine, now).into_iter().chain(files::since_boot(machine)) {
        let file = path.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, text)?;
    }
    let mut rotated = String::new();
    for (kb, name, days) in files::rotated(machine) {
        let file = path.join(&name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        // They hold nothing: their size is told, and no disk of this host pays for it.
        let file = fs::File::create(file)?;
        file.set_len(kb * 1024)?;
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(days * 86_400 + 600))?;
        rotated += &format!("{kb} /{name}\n");
    }
    fs::write(path.join(".node/rotated"), rotated)?;
    for unit in files::units(machine) {
        fs::write(path.join(format!(".node/units/{unit}")), "active\n")?;
        fs::write(path.join(format!(".node/journal/{unit}")), "")?;
    }
    tell(path, machine)
}

fn tell(path: &Path, machine: &Machine) -> io::Result<()> {
    let write = |name: &str, text: &str| fs::write(path.join(name), text);
    let unit = &machine.condition.unit;
    write(".node/df", &tables::df(machine))?;
    write(".node/du", &tables::du(machine))?;
    write(".node/ps", &tables::processes(machine))?;
    write(".node/packages", &tables::packages(machine))?;
    write(".node/updates", &tables::updates(machine))?;
    write(".node/processes", &tables::process_table(machine))?;
    write(".node/ss", &tables::sockets(machine))?;
    write(".node/listening", &tables::listening(machine))?;
    write(".node/connections", &tables::connections(machine))?;
    write(&format!(".node/journal/{unit}"), &tables::journal(machine))?;
    write(&format!(".node/units/{unit}"), if machine.condition.failed { "failed\n" } else { "active\n" })
}
