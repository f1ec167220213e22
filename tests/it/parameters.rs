//! Values through real shells: every one arrives byte for byte, none is ever program text, and a step runs once.
//!
//! In every shell that is here, see `shells.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use muster::domain::Millis;
use muster::runbook::{Action, Guard, OnFailure, Step, Stop, commands};
use tempfile::TempDir;

fn shells() -> Vec<Vec<String>> {
    crate::shells::shells().into_iter().map(|shell| shell.words).collect()
}

/// What an attacker would try, and what would break naive quoting.
fn values() -> Vec<String> {
    let pieces = [
        "$(touch PWNED)",
        "`touch PWNED`",
        "; touch PWNED",
        "& touch PWNED",
        "| touch PWNED",
        "&& touch PWNED",
        "|| touch PWNED",
        "\ntouch PWNED\n",
        "'; touch PWNED; '",
        "\"; touch PWNED; \"",
        "$((PWNED=1))",
        "${IFS}",
        "$service",
        "${service:-x}",
        "> PWNED",
        "< PWNED",
        ">> PWNED",
        "<(touch PWNED)",
        "#",
        "!",
        "!!",
        "~",
        "~root",
        "*",
        "?",
        "[a-z]*",
        "{a,b}",
        "\\",
        "\\\\",
        "\\n",
        "\\c",
        "%s",
        "%n%d",
        "-n",
        "-e",
        "--",
        "-rf /",
        "--help",
        "'",
        "\"",
        "''",
        "\"\"",
        "'\\''",
        "$'\\x41'",
        "\t",
        "\r\n",
        "\n",
        "\n\n",
        " ",
        "  two  spaces  ",
        "x\n",
        "é",
        "日本語",
        "🦀",
        "\u{202e}",
        "\u{1b}[31m",
        "\u{7f}",
        "a=b",
        "PATH=/tmp",
        "EOF",
        "muster",
        "$ROOT",
        "$$",
        "{{ x }}",
        "=",
        ".",
        "..",
        "x.",
        "/etc/passwd",
        "",
    ];
    let mut values: Vec<String> = pieces.iter().map(|p| (*p).to_owned()).collect();
    for (i, piece) in pieces.iter().enumerate() {
        values.push(format!("nginx{piece}"));
        values.push(format!("{piece}{}", pieces[(i * 7 + 3) % pieces.len()]));
    }
    values.push("a".repeat(4000));
    values.push("é\"'$`\\".repeat(500));
    values
}

fn step(script: &str) -> Step {
    Step {
        name: "one".into(),
        action: Action::Shell { script: script.into() },
        timeout: Millis::from_secs(60),
        delivery_timeout: Millis::from_secs(60),
        extract: BTreeMap::new(),
        expect: BTreeMap::new(),
        on_failure: OnFailure::Stop,
        when: BTreeMap::new(),
        unless: BTreeMap::new(),
        gate: None,
        reboots: false,
    }
}

/// As the agent does it: the commands joined by newlines in a file, and `sh FILE`.
fn run(shell: &[String], folder: &Path, commands: &[String]) -> Output {
    let script = folder.join("_script.sh");
    fs::write(&script, format!("{}\n", commands.join("\n"))).unwrap();
    let mut command = Command::new(&shell[0]);
    command.args(&shell[1..]).arg(&script).current_dir(folder).env("ROOT", folder);
    command.stdin(Stdio::null()).output().unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn no_value_is_ever_program_text_and_every_value_arrives_whole() {
    let values = values();
    assert!(values.len() > 200, "{}", values.len());
    let script = "printf %s \"$service\" > \"$ROOT/got\"\nprintf '[%s]' \"$other\"\n";
    for shell in shells() {
        let folder = folder();
        for value in &values {
            let arguments =
                BTreeMap::from([("service".to_owned(), value.clone()), ("other".to_owned(), "plain".to_owned())]);
            let out = run(&shell, folder.path(), &commands(&step(script), &arguments, None));
            assert!(out.status.success(), "{shell:?} {value:?}: {}", String::from_utf8_lossy(&out.stderr));
            assert_eq!(fs::read(folder.path().join("got")).unwrap(), value.as_bytes(), "{shell:?} {value:?}");
            assert_eq!(out.stdout, b"[plain]", "{shell:?} {value:?}");
            assert_eq!(out.stderr, b"", "{shell:?} {value:?}");
            let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(left.len(), 2, "{shell:?} {value:?} left {left:?}");
        }
    }
}

fn guard(attempt: u32) -> Guard {
    Guard { run: "01J9ZX0000000000000000AB7F".parse().unwrap(), step: 0, attempt }
}

#[test]
fn a_second_copy_of_the_same_try_does_nothing_and_says_so() {
    let script = "echo ran >> \"$ROOT/log\"\nexit 3\n";
    for shell in shells() {
        let folder = folder();
        let send =
            |attempt| run(&shell, folder.path(), &commands(&step(script), &BTreeMap::new(), Some(&guard(attempt))));
        assert_eq!(send(1).status.code(), Some(3), "{shell:?}");
        let again = send(1);
        assert_eq!(again.status.code(), Some(Stop::AlreadyRan.code()), "{shell:?}");
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        assert_eq!(Stop::told(Stop::AlreadyRan.code(), &said, false), Some(Stop::AlreadyRan), "{shell:?}");
        assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "ran\n", "{shell:?}");
        assert_eq!(send(2).status.code(), Some(3), "{shell:?}: a person's retry is a new try");
        assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "ran\nran\n", "{shell:?}");
    }
}

#[test]
fn copies_that_start_together_run_once() {
    let folder = folder();
    let text = commands(&step("echo ran >> \"$ROOT/log\""), &BTreeMap::new(), Some(&guard(1))).join("\n");
    let script = folder.path().join("_script.sh");
    fs::write(&script, text).unwrap();
    let copies: Vec<_> = (0..16)
        .map(|_| Command::new("sh").arg(&script).env("ROOT", folder.path()).stderr(Stdio::null()).spawn().unwrap())
        .collect();
    let codes: Vec<_> = copies.into_iter().map(|mut c| c.wait().unwrap().code()).collect();
    assert_eq!(codes.iter().filter(|c| **c == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|c| **c == Some(Stop::AlreadyRan.code())).count(), 15, "{codes:?}");
    assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "ran\n");
}

#[test]
fn without_a_place_for_the_guard_nothing_runs() {
    for shell in shells() {
        let folder = folder();
        // A file where the folder should be stops root too, which a read-only mode would not.
        fs::create_dir_all(folder.path().join("var/lib")).unwrap();
        fs::write(folder.path().join("var/lib/muster"), "").unwrap();
        let script = "echo ran >> \"$ROOT/log\"";
        let out = run(&shell, folder.path(), &commands(&step(script), &BTreeMap::new(), Some(&guard(1))));
        assert_eq!(out.status.code(), Some(Stop::NotGuarded.code()), "{shell:?}");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains("muster: cannot write to "), "{said}");
        assert!(!folder.path().join("log").exists(), "{shell:?}");
    }
}

#[test]
fn a_script_sees_set_eu_and_an_empty_root() {
    for shell in shells() {
        let folder = folder();
        let run = |script: &str| {
            let path = folder.path().join("s.sh");
            fs::write(&path, commands(&step(script), &BTreeMap::new(), None).join("\n")).unwrap();
            Command::new(&shell[0]).args(&shell[1..]).arg(&path).env_remove("ROOT").output().unwrap()
        };
        assert_eq!(run("printf '[%s]' \"$ROOT/etc\"").stdout, b"[/etc]", "{shell:?}");
        assert_eq!(run("false\necho on").stdout, b"", "{shell:?}");
        assert!(!run("echo \"$nothing\"").status.success(), "{shell:?}");
    }
}
