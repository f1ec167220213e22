//! Runs a script so that it can touch its node's scratch folder and nothing else of this host.
//!
//! A thread of its own restricts itself with Landlock and then spawns the shell, which inherits the restriction; the
//! thread ends, the process stays confined. Scratch can be written but holds no right to execute; the listed tools
//! and the libraries they load can be read and executed; nothing else can be opened. From ABI 4 TCP is closed, from
//! ABI 6 signals to other processes are. What Landlock does not govern stays open: whether a path exists, UDP, and a
//! program that a script builds byte by byte and hands to the loader, which runs it under these same rules (so it could
//! set modes and times of this user's files, and the clock where this user is root; the listed tools cannot, but for
//! `date -s` as root). Without
//! Landlock ABI 3, or where all tools are one binary (busybox), nothing is run at all.

mod family;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::standins::{FAMILIES, STAND_INS};
use family::end_all;

/// Tools of this host that scripts may use. None changes modes, owners or times (so `cp` and `touch` are stand-ins), walks
/// trees, or runs other languages.
const TOOLS: [&str; 31] = [
    "sh",
    "awk",
    "base64",
    "basename",
    "cat",
    "cksum",
    "comm",
    "cut",
    "date",
    "dirname",
    "echo",
    "expr",
    "false",
    "grep",
    "head",
    "ls",
    "mkdir",
    "mv",
    "printf",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sha256sum",
    "sleep",
    "sort",
    "tail",
    "tee",
    "test",
    "tr",
    "true",
];
/// Where they are missing the others do.
const OPTIONAL: [&str; 5] = ["wc", "uniq", "stat", "mktemp", "paste"];
/// Without these a script of any use does not run.
const NEEDED: [&str; 6] = ["sh", "awk", "base64", "cat", "grep", "mkdir"];
/// More of a stream is read and thrown away; SSM keeps 24,000.
const STREAM_MAX: usize = 256 * 1024;

/// How much of the confinement this kernel enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// ABI 3: files. Enough for scripts that Muster ships.
    Files,
    /// ABI 6: files, devices, TCP, signals. Enough for scripts that somebody edited.
    Full,
}

#[derive(Debug)]
pub struct Confinement {
    root: PathBuf,
    sh: PathBuf,
    executable: Vec<PathBuf>,
    readable: Vec<PathBuf>,
    strength: Strength,
}

#[derive(Debug)]
pub struct Job<'a> {
    /// The script's text.
    pub script: &'a str,
    /// The script's own path as messages of the shell show it.
    pub script_path: &'a str,
    /// The node's folder, made by [`Confinement::scratch`].
    pub scratch: &'a Path,
    /// The family of distributions whose own commands the node has, one of [`FAMILIES`]; another text is none.
    pub family: &'a str,
    pub environment: Vec<(&'static str, String)>,
    pub timeout: Duration,
    /// When it becomes true the script is killed.
    pub cancel: Arc<AtomicBool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// 137 for a killed script, as the agent reports it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub timed_out: bool,
    pub cancelled: bool,
}

impl Confinement {
    /// Prepares folders and finds the tools.
    ///
    /// # Errors
    /// For people: why scripts cannot be confined on this host.
    pub fn new() -> Result<Self, String> {
        Self::with_tools(&[])
    }

    /// Like [`Confinement::new`], with further tools by path.
    ///
    /// # Errors
    /// For people: why scripts cannot be confined on this host.
    pub fn with_tools(more: &[&Path]) -> Result<Self, String> {
        let strength = strength().ok_or("this kernel does not offer Landlock ABI 3, so nodes answer from tables")?;
        let mut tools: Vec<(String, PathBuf)> = Vec::new();
        for name in TOOLS.iter().chain(&OPTIONAL) {
            let found = ["/usr/bin", "/bin"].iter().find_map(|d| fs::canonicalize(Path::new(d).join(name)).ok());
            match found {
                Some(path) => tools.push(((*name).to_owned(), path)),
                None if NEEDED.contains(name) => {
                    return Err(format!("`{name}` is not in /usr/bin, so nodes answer from tables"));
                }
                None => {}
            }
        }
        let distinct: BTreeSet<&PathBuf> = tools.iter().map(|(_, p)| p).collect();
        if distinct.len() * 2 < tools.len() {
            // One binary for all tools is chmod and find too, whatever name it is called by.
            return Err(
                "all tools of this host are one binary, which could do anything, so nodes answer from tables".into()
            );
        }
        for path in more {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            tools.push((name, fs::canonicalize(path).map_err(|e| format!("{}: {e}", path.display()))?));
        }
        let (loaders, libraries) = libraries(&tools)?;
        let root = std::env::temp_dir().join(format!("muster-playground-{}", super::random_token()));
        let io = |e: std::io::Error| format!("{}: {e}", root.display());
        for folder in ["", "bin", "tools", "scripts", "nodes"] {
            fs::DirBuilder::new().mode(0o700).create(root.join(folder)).map_err(io)?;
        }
        let common = ("common", STAND_INS.as_slice());
        for (folder, commands) in [common].into_iter().chain(FAMILIES) {
            let folder = root.join("bin").join(folder);
            fs::DirBuilder::new().mode(0o700).create(&folder).map_err(io)?;
            for (name, text) in commands {
                let path = folder.join(name);
                fs::write(&path, text).map_err(io)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).map_err(io)?;
            }
        }
        for (name, path) in &tools {
            symlink(path, root.join("tools").join(name)).map_err(io)?;
        }
        let sh = tools.iter().find(|(n, _)| n == "sh").map(|(_, p)| p.clone()).unwrap_or_default();
        let executable = tools.into_iter().map(|(_, p)| p).chain(loaders).chain([root.join("bin")]).collect();
        let mut readable = libraries;
        readable.extend(["/etc/ld.so.cache"].map(PathBuf::from).into_iter().filter(|p| p.exists()));
        Ok(Confinement { root, sh, executable, readable, strength })
    }

    #[must_use]
    pub fn strength(&self) -> Strength {
        self.strength
    }

    /// The folder of a node, and whether it is new.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn scratch(&self, account: &str, node: &str) -> std::io::Result<(PathBuf, bool)> {
        let path = self.root.join("nodes").join(format!("{account}-{node}"));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok((path, true)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok((path, false)),
            Err(e) => Err(e),
        }
    }

    /// The folder of a node if a script has run there.
    #[must_use]
    pub fn existing(&self, account: &str, node: &str) -> Option<PathBuf> {
        Some(self.root.join("nodes").join(format!("{account}-{node}"))).filter(|p| p.is_dir())
    }

    /// Runs the script to its end. Blocks, so it is called from a thread that may.
    ///
    /// # Errors
    /// The script was not started: why, for the log.
    pub fn run(&self, job: &Job<'_>) -> Result<Ended, String> {
        let marker = super::random_token();
        let script = self.root.join("scripts").join(&marker);
        fs::write(&script, job.script).map_err(|e| e.to_string())?;
        let ended = self.start(job, &script, &marker).map(|child| watch(child, job, &marker));
        let _ = fs::remove_file(&script);
        // People see the paths of a node, never those of this host.
        let (scratch, script) = (job.scratch.display().to_string(), script.display().to_string());
        let plain = |text: String| {
            let text = text.replace(&script, job.script_path);
            text.replace(&format!("{scratch}/"), "/").replace(&scratch, "")
        };
        ended.map(|e| Ended { stdout: plain(e.stdout), stderr: plain(e.stderr), ..e })
    }

    fn start(&self, job: &Job<'_>, script: &Path, marker: &str) -> Result<Child, String> {
        let seconds = job.timeout.as_secs().clamp(1, 600);
        // dash calls the limit on processes -p, bash -u; it counts all of this user's, so it stands above today's.
        let tasks = tasks() + 256;
        let limits = format!(
            "ulimit -c 0; ulimit -f 65536; ulimit -t {seconds}; ulimit -n 256; ulimit -p {tasks} 2>/dev/null || ulimit -u {tasks} 2>/dev/null; exec \"$0\" \"$1\""
        );
        let mut command = Command::new(&self.sh);
        command.arg("-c").arg(limits).arg(&self.sh).arg(script);
        command.env_clear();
        let bin = self.root.join("bin");
        let own = FAMILIES.iter().find(|(family, _)| *family == job.family).map(|(family, _)| bin.join(family));
        let folders = [Some(bin.join("common")), own, Some(self.root.join("tools"))];
        let folders: Vec<String> = folders.into_iter().flatten().map(|f| f.display().to_string()).collect();
        command.env("PATH", folders.join(":"));
        for (name, value) in &job.environment {
            command.env(name, value);
        }
        command.env("ROOT", job.scratch).env("HOME", job.scratch.join("root")).env("TMPDIR", job.scratch.join("tmp"));
        command.env("LC_ALL", "C").env("TZ", "UTC").env("MUSTER_PLAY_JOB", marker);
        command.current_dir(job.scratch).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let rules = Rules {
            executable: self.executable.clone(),
            readable: self.readable.iter().cloned().chain([script.to_owned()]).collect(),
            scratch: job.scratch.to_owned(),
            strength: self.strength,
        };
        // Only this thread is restricted, and what it spawns; it is never one of the runtime's.
        let thread = std::thread::Builder::new().name("confined".into()).spawn(move || {
            rules.enforce()?;
            command.spawn().map_err(|e| format!("the shell did not start: {e}"))
        });
        let thread = thread.map_err(|e| format!("no thread for the script: {e}"))?;
        thread.join().unwrap_or_else(|_| Err("the thread of the script died".to_owned()))
    }
}

impl Drop for Confinement {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

struct Rules {
    executable: Vec<PathBuf>,
    readable: Vec<PathBuf>,
    scratch: PathBuf,
    strength: Strength,
}

impl Rules {
    fn enforce(&self) -> Result<(), String> {
        let wrong = |e: landlock::RulesetError| format!("Landlock: {e}");
        let open = |path: &Path| PathFd::new(path).map_err(|e| format!("Landlock: {e}"));
        let use_it = AccessFs::ReadFile | AccessFs::Execute;
        let mut ruleset = ruleset(self.strength).and_then(Ruleset::create).map_err(wrong)?;
        for path in &self.executable {
            ruleset = ruleset.add_rule(PathBeneath::new(open(path)?, use_it)).map_err(wrong)?;
        }
        for path in &self.readable {
            ruleset = ruleset.add_rule(PathBeneath::new(open(path)?, AccessFs::ReadFile)).map_err(wrong)?;
        }
        let null = AccessFs::ReadFile | AccessFs::WriteFile;
        ruleset = ruleset.add_rule(PathBeneath::new(open(Path::new("/dev/null"))?, null)).map_err(wrong)?;
        ruleset = ruleset.add_rule(PathBeneath::new(open(&self.scratch)?, scratch_rights())).map_err(wrong)?;
        let status = ruleset.restrict_self().map_err(wrong)?;
        if status.ruleset == RulesetStatus::FullyEnforced && status.no_new_privs {
            Ok(())
        } else {
            Err("Landlock did not enforce every rule".to_owned())
        }
    }
}

/// Everything a script does with its own files, but no execution, no devices, no sockets and no pipes with names.
fn scratch_rights() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

/// All that the strength stands for, or an error: nothing is enforced in part.
fn ruleset(strength: Strength) -> Result<Ruleset, landlock::RulesetError> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    match strength {
        Strength::Files => ruleset.handle_access(AccessFs::from_all(ABI::V3)),
        Strength::Full => ruleset
            .handle_access(AccessFs::from_all(ABI::V6))?
            .handle_access(AccessNet::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6)),
    }
}

/// What this kernel can enforce; `None`: not even files. Making a ruleset restricts nobody yet.
#[must_use]
pub fn strength() -> Option<Strength> {
    [Strength::Full, Strength::Files].into_iter().find(|s| ruleset(*s).and_then(Ruleset::create).is_ok())
}

/// The loaders and the libraries of the tools, by the system's own `ldd`.
fn libraries(tools: &[(String, PathBuf)]) -> Result<(Vec<PathBuf>, Vec<PathBuf>), String> {
    let output = Command::new("ldd").args(tools.iter().map(|(_, p)| p)).env("LC_ALL", "C").output().map_err(|e| {
        format!("`ldd` does not run ({e}), so the tools' libraries are not known and nodes answer from tables")
    })?;
    let (mut loaders, mut libraries) = (BTreeSet::new(), BTreeSet::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "=>", path, ..] if path.starts_with('/') => libraries.insert(PathBuf::from(path)),
            [path, address] if path.starts_with('/') && address.starts_with("(0x") => {
                loaders.insert(PathBuf::from(path))
            }
            _ => false,
        };
    }
    if libraries.is_empty() {
        return Err("`ldd` names no libraries, so nodes answer from tables".to_owned());
    }
    Ok((loaders.into_iter().collect(), libraries.into_iter().collect()))
}

/// Tasks of the whole host, the fourth figure of /proc/loadavg.
fn tasks() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().nth(3).and_then(|t| t.split_once('/')?.1.parse().ok()).unwrap_or(4096)
}

/// Waits as the agent does: for the exit and for both streams to close, a background child holds them open.
fn watch(mut child: Child, job: &Job<'_>, marker: &str) -> Ended {
    let deadline = Instant::now() + job.timeout;
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let group = child.id();
    let (mut status, mut timed_out, mut cancelled) = (None, false, false);
    let mut pause = Duration::from_millis(1);
    loop {
        if status.is_none() {
            status = child.try_wait().ok().flatten();
        }
        if status.is_some() && out.is_finished() && err.is_finished() {
            break;
        }
        timed_out = Instant::now() >= deadline;
        cancelled = job.cancel.load(Ordering::SeqCst);
        if timed_out || cancelled {
            break;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    let killed = timed_out || cancelled;
    end_all(group, marker, killed);
    if status.is_none() {
        status = child.wait().ok();
    }
    let code = match status {
        _ if killed => 137,
        Some(status) => {
            use std::os::unix::process::ExitStatusExt;
            status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(9))
        }
        None => 137,
    };
    // Nobody of the script is left to hold the streams open, so the readers end.
    let text = |handle: std::thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&handle.join().unwrap_or_default()).into_owned()
    };
    Ended { code, stdout: text(out), stderr: text(err), timed_out, cancelled }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let (mut kept, mut buffer) = (Vec::new(), [0u8; 8192]);
        if let Some(mut stream) = stream {
            while let Ok(n @ 1..) = stream.read(&mut buffer) {
                kept.extend_from_slice(&buffer[..n.min(STREAM_MAX.saturating_sub(kept.len()))]);
            }
        }
        kept
    })
}
