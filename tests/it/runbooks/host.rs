//! A host in a folder: files below `$ROOT`, and commands that print what its distribution prints.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::case::Case;
use super::here;
use crate::shells::Shell;

/// The real tools that scripts may count on everywhere. Anything else has to be a command of the host.
const TOOLS: [&str; 32] = [
    "awk", "base64", "basename", "cat", "cksum", "cp", "cut", "date", "dirname", "echo", "expr", "false", "grep",
    "head", "ls", "mkdir", "mv", "printf", "rm", "rmdir", "sed", "seq", "sh", "sleep", "sort", "tail", "tee", "test",
    "touch", "tr", "true", "uniq",
];

pub struct Host {
    folder: TempDir,
}

#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Host {
    pub fn new(os: &str, case: &Case, shell: &Shell) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Host { folder };
        for name in ["root", "bin", "tools", "outside", "tmp"] {
            fs::create_dir(host.path(name)).unwrap();
        }
        for tool in TOOLS {
            let found = ["/usr/bin", "/bin"].iter().map(|d| Path::new(d).join(tool)).find(|p| p.exists());
            // With busybox every tool is busybox, as on a node that has nothing else.
            match (&shell.busybox, found) {
                (Some(busybox), _) => symlink(busybox, host.path("tools").join(tool)).unwrap(),
                (None, Some(path)) => symlink(path, host.path("tools").join(tool)).unwrap(),
                (None, None) => {}
            }
        }
        for from in ["common", os] {
            copy(&here(&format!("tests/fixtures/hosts/{from}/root")), &host.path("root"));
            copy(&here(&format!("tests/fixtures/hosts/{from}/bin")), &host.path("bin"));
        }
        for (name, text) in &case.commands {
            let path = host.path("bin").join(name);
            match text.as_str() {
                "" => fs::remove_file(&path).unwrap_or_else(|e| panic!("{os} has no command {name} to take: {e}")),
                text => fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap(),
            }
        }
        for entry in fs::read_dir(host.path("bin")).unwrap() {
            fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (path, text) in &case.files {
            let path = host.place(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for (path, to) in &case.links {
            let path = host.place(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(to.replace("OUTSIDE", &host.path("outside").display().to_string()), path).unwrap();
        }
        for (path, mode) in &case.modes {
            let mode = u32::from_str_radix(mode, 8).unwrap();
            fs::set_permissions(host.place(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        for (path, days) in &case.days_old {
            let then = SystemTime::now() - Duration::from_secs(days * 86_400 + 60);
            fs::File::options().append(true).open(host.place(path)).unwrap().set_modified(then).unwrap();
        }
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `OUTSIDE/x` beside the host's files, else below `$ROOT`.
    fn place(&self, path: &str) -> PathBuf {
        match path.strip_prefix("OUTSIDE/") {
            Some(rest) => self.path("outside").join(rest),
            None => self.path("root").join(path),
        }
    }

    /// As the agent does it: the commands joined by newlines in a file, and `sh FILE`. Paths read as on the node.
    pub fn run(&self, shell: &Shell, commands: &[String]) -> Ran {
        let script = self.path("_script.sh");
        fs::write(&script, format!("{}\n", commands.join("\n"))).unwrap();
        let found = std::env::var("PATH").unwrap_or_default();
        let program = found.split(':').map(|d| Path::new(d).join(&shell.words[0])).find(|p| p.exists());
        let mut command = Command::new(program.unwrap_or_else(|| PathBuf::from(&shell.words[0])));
        command.args(&shell.words[1..]).arg(&script).current_dir(self.path("root")).env_clear();
        command.env("PATH", format!("{}:{}", self.path("bin").display(), self.path("tools").display()));
        command.env("ROOT", self.path("root")).env("TMPDIR", self.path("tmp")).env("TZ", "UTC");
        let out = command.stdin(Stdio::null()).output().unwrap();
        let plain = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let (root, script) = (self.path("root").display().to_string(), script.display().to_string());
            text.replace(&format!("{root}/"), "/").replace(&root, "").replace(&script, "_script.sh")
        };
        Ran { code: out.status.code().unwrap_or(-1), stdout: plain(&out.stdout), stderr: plain(&out.stderr) }
    }

    /// Another boot id, a clock of uptime that begins anew, and services that start unless they are broken.
    pub fn reboot(&self) {
        let place = |path: &str| self.place(path);
        let boots = fs::read_to_string(place(".host/rebooted")).map_or(0, |text| text.len()) + 1;
        fs::create_dir_all(place(".host")).unwrap();
        fs::write(place(".host/rebooted"), "x".repeat(boots)).unwrap();
        let id = format!("{boots:08x}-9d4b-4c0e-8a4b-0123456789ab\n");
        fs::write(place("proc/sys/kernel/random/boot_id"), id).unwrap();
        fs::write(place("proc/uptime"), "21.40 33.10\n").unwrap();
        for entry in fs::read_dir(place(".host/units")).unwrap() {
            let path = entry.unwrap().path();
            let state = fs::read_to_string(&path).unwrap();
            let broken = place(&format!(".host/broken-{}", path.file_name().unwrap().display())).exists();
            let now = if broken { "failed" } else { "active" };
            let (_, boot) = state.trim().split_once(' ').unwrap_or(("", ""));
            fs::write(&path, format!("{now} {boot}\n")).unwrap();
        }
    }

    /// What the case says about files afterwards.
    pub fn holds(&self, case: &Case, told: &str) {
        for path in &case.kept {
            assert!(fs::symlink_metadata(self.place(path)).is_ok(), "{path} is gone after {told}");
        }
        for path in &case.gone {
            assert!(fs::symlink_metadata(self.place(path)).is_err(), "{path} is still there after {told}");
        }
        for (path, text) in &case.text {
            assert_eq!(&fs::read_to_string(self.place(path)).unwrap_or_default(), text, "{path} after {told}");
        }
        for (path, mode) in &case.modes {
            let now = fs::metadata(self.place(path)).unwrap().permissions().mode() & 0o7777;
            assert_eq!(&format!("{now:o}"), mode, "mode of {path} after {told}");
        }
        let left: Vec<_> = self.tree().into_keys().filter(|p| p.ends_with(".new") || p.ends_with('~')).collect();
        assert!(left.is_empty(), "{left:?} are left behind by {told}");
    }

    /// Every file with its text and mode, but for the once-guards and what the host's commands remember.
    pub fn tree(&self) -> BTreeMap<String, (String, u32)> {
        let mut files = BTreeMap::new();
        let root = self.path("root");
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                if name.starts_with("var/lib/muster") || name.starts_with(".host") {
                    continue;
                }
                let about = fs::symlink_metadata(&path).unwrap();
                if about.is_dir() {
                    folders.push(path);
                } else {
                    let text = fs::read(&path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
                    files.insert(name, (text, about.permissions().mode()));
                }
            }
        }
        files
    }
}

/// Copies what is in a folder, if there is one, over what is there.
fn copy(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
