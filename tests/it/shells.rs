//! The shells that nodes have as `/bin/sh`, as far as this machine has them too.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

/// A shell that runs scripts: its words, and the one binary that then is every tool, where it is one.
#[derive(Debug, Clone)]
pub struct Shell {
    pub words: Vec<String>,
    pub busybox: Option<PathBuf>,
}

/// Every shell of `sh`, `dash`, `bash --posix` and `busybox sh` that is here; tells once which are not.
///
/// With `MUSTER_TEST_SHELLS=all`, as CI sets it, a missing one is a failure. `MUSTER_TEST_BUSYBOX` may name busybox.
pub fn shells() -> Vec<Shell> {
    static TOLD: Once = Once::new();
    let busybox = std::env::var("MUSTER_TEST_BUSYBOX").unwrap_or_else(|_| "busybox".into());
    let wanted = [&["sh"][..], &["dash"], &["bash", "--posix"], &[busybox.as_str(), "sh"]];
    let (here, missing): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|words| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["-c", ":"]).stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    });
    let names: Vec<&str> = missing.iter().map(|words| words[0]).collect();
    assert!(
        names.is_empty() || std::env::var("MUSTER_TEST_SHELLS").as_deref() != Ok("all"),
        "these shells are missing: {}; install them (apt-get install dash bash busybox), or unset MUSTER_TEST_SHELLS",
        names.join(", ")
    );
    TOLD.call_once(|| {
        if !names.is_empty() {
            eprintln!("skipped, because they are not installed: {}", names.join(", "));
        }
    });
    let shell = |words: &[&str]| Shell {
        words: words.iter().map(|w| (*w).to_owned()).collect(),
        busybox: (words[0] == busybox).then(|| find(words[0])),
    };
    // Where `sh` is dash or bash under another name, one of the two is enough.
    let is_another = |words: &[&str]| words == ["sh"] && here.iter().any(|w| w[0] != "sh" && same(w[0], "sh"));
    here.iter().filter(|words| !is_another(words)).map(|words| shell(words)).collect()
}

fn same(a: &str, b: &str) -> bool {
    let file = |name| find(name).canonicalize().ok();
    file(a).is_some() && file(a) == file(b)
}

fn find(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').map(|d| Path::new(d).join(name)).find(|p| p.is_file()).unwrap_or_else(|| name.into())
}
