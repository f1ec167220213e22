//! Reboots through real shells: a step that announces them goes on after each, once in each boot; one that does not
//! reboots nothing, and is not run again where the node was rebooted all the same.
//!
//! In every shell that is here, see `shells.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use muster::domain::Millis;
use muster::runbook::guard::{BOOTS_MAX, REBOOT};
use muster::runbook::{Action, Guard, OnFailure, Step, Stop, commands};
use tempfile::TempDir;

use crate::shells::{Shell, shells};

/// A node: a folder as its root, with a boot id, and an agent that knows the command.
struct Node<'s> {
    folder: TempDir,
    shell: &'s Shell,
    boot: u32,
}

#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn stop(&self) -> Option<Stop> {
        Stop::told(self.code, &self.stderr, false)
    }
}

impl<'s> Node<'s> {
    fn new(shell: &'s Shell) -> Self {
        let mut node = Node { folder: tempfile::tempdir().unwrap(), shell, boot: 0 };
        fs::create_dir_all(node.folder.path().join("proc/sys/kernel/random")).unwrap();
        node.reboot();
        node
    }

    fn reboot(&mut self) {
        self.boot += 1;
        let id = format!("{:08x}-5e1f-4c0e-9d4b-0123456789ab\n", self.boot);
        fs::write(self.folder.path().join("proc/sys/kernel/random/boot_id"), id).unwrap();
    }

    /// A node without a boot id in /proc, whose `sysctl` is this script.
    fn without_proc(shell: &'s Shell, sysctl: &str) -> Self {
        let node = Node { folder: tempfile::tempdir().unwrap(), shell, boot: 1 };
        fs::create_dir(node.folder.path().join("bin")).unwrap();
        node.sysctl(sysctl);
        node
    }

    fn sysctl(&self, script: &str) {
        let path = self.folder.path().join("bin/sysctl");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, step: &Step, guard: Option<&Guard>, command_id: &str) -> Ran {
        let script = self.folder.path().join("_script.sh");
        fs::write(&script, format!("{}\n", commands(step, &BTreeMap::new(), guard).join("\n"))).unwrap();
        let mut command = Command::new(&self.shell.words[0]);
        command.args(&self.shell.words[1..]).arg(&script).current_dir(self.folder.path());
        command.env("ROOT", self.folder.path()).env("SSM_COMMAND_ID", command_id);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.folder.path().join("bin").display()));
        let out = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: out.status.code().unwrap_or(-1), stdout: text(out.stdout), stderr: text(out.stderr) }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn step(script: &str, reboots: bool) -> Step {
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
        reboots,
    }
}

fn guard(attempt: u32) -> Guard {
    Guard { run: "01J9ZX0000000000000000AB7F".parse().unwrap(), step: 0, attempt }
}

/// Asks for a reboot until it has run in `boots` boots, and writes down each.
fn until(boots: u32) -> Step {
    let script = format!(
        "echo \"boot $MUSTER_BOOT\" >>\"$ROOT/log\"\n\
         echo x >>\"$MUSTER_NOTES/seen\"\n\
         if [ \"$MUSTER_BOOT\" -lt {boots} ]; then exit {REBOOT}; fi\n\
         cat \"$MUSTER_NOTES/seen\"\n"
    );
    step(&script, true)
}

#[test]
fn a_step_that_reboots_goes_on_after_each_reboot_and_has_its_notes() {
    for shell in &shells() {
        let mut node = Node::new(shell);
        let step = until(3);
        assert_eq!(node.run(&step, Some(&guard(1)), "a").code, REBOOT, "{shell:?}");
        node.reboot();
        assert_eq!(node.run(&step, Some(&guard(1)), "a").code, REBOOT, "{shell:?}");
        node.reboot();
        let last = node.run(&step, Some(&guard(1)), "a");
        assert_eq!((last.code, last.stdout.as_str(), last.stderr.as_str()), (0, "x\nx\nx\n", ""), "{shell:?}");
        assert_eq!(node.log(), "boot 1\nboot 2\nboot 3\n", "{shell:?}");
        // A person's retry is a new try, with boots and notes of its own.
        assert_eq!(node.run(&step, Some(&guard(2)), "b").code, REBOOT, "{shell:?}");
        assert_eq!(node.log(), "boot 1\nboot 2\nboot 3\nboot 1\n", "{shell:?}");
    }
}

#[test]
fn a_duplicate_of_a_step_that_reboots_does_nothing_in_any_boot() {
    for shell in &shells() {
        let mut node = Node::new(shell);
        let step = until(2);
        assert_eq!(node.run(&step, Some(&guard(1)), "a").code, REBOOT);
        for command in ["a", "b"] {
            assert_eq!(node.run(&step, Some(&guard(1)), command).stop(), Some(Stop::AlreadyRan), "{shell:?} {command}");
        }
        node.reboot();
        // Another command of the same try is a second send, and not what the agent runs again.
        assert_eq!(node.run(&step, Some(&guard(1)), "b").stop(), Some(Stop::AlreadyRan), "{shell:?}");
        assert_eq!(node.run(&step, Some(&guard(1)), "a").code, 0, "{shell:?}");
        for command in ["a", "b"] {
            assert_eq!(node.run(&step, Some(&guard(1)), command).stop(), Some(Stop::AlreadyRan), "{shell:?} {command}");
        }
        assert_eq!(node.log(), "boot 1\nboot 2\n", "{shell:?}");
    }
}

#[test]
fn a_script_that_never_has_enough_reboots_is_not_run_for_ever() {
    for shell in &shells() {
        let mut node = Node::new(shell);
        let step = until(1000);
        for boot in 1..=BOOTS_MAX {
            assert_eq!(node.run(&step, Some(&guard(1)), "a").code, REBOOT, "{shell:?} {boot}");
            node.reboot();
        }
        assert_eq!(node.run(&step, Some(&guard(1)), "a").stop(), Some(Stop::TooManyBoots), "{shell:?}");
        assert_eq!(node.log().lines().count(), BOOTS_MAX as usize, "{shell:?}");
    }
}

#[test]
fn a_node_is_not_rebooted_by_a_step_that_does_not_announce_it() {
    // Every way to end with 194, with and without a once-guard.
    for shell in &shells() {
        for (number, script) in [
            "echo on\nexit 194",
            "echo on\ncode=194; exit \"$code\"",
            "echo on\n(exit 194)\necho never",
            "echo on\nsh -c 'exit 194'",
            "echo on\nasks() { return 194; }\nasks",
            "echo on\nx=$(sh -c 'exit 194')\necho never",
            "f() { trap 'rm -f x' INT; echo on; exit 194; }\nf",
            "trap 'echo on' EXIT\ntrap - EXIT\necho on\ntrap 'if [ $? -eq 194 ]; then echo \"muster: own\" >&2; exit 215; fi' EXIT\nexit 194",
        ]
        .into_iter()
        .enumerate()
        {
            let guarded = guard(1);
            for guard in [None, Some(&guarded)] {
                let ran = Node::new(shell).run(&step(script, false), guard, "a");
                assert_eq!((ran.stop(), ran.stdout.as_str()), (Some(Stop::AskedForReboot), "on\n"), "{shell:?} {number}");
            }
        }
        // Every other end stays as it is.
        for (script, code) in [("true", 0), ("exit 3", 3), ("false", 1), ("exit 193", 193), ("sh -c 'exit 195'", 195)] {
            let ran = Node::new(shell).run(&step(script, false), None, "a");
            assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{shell:?} {script}");
        }
    }
}

#[test]
fn where_a_script_got_its_reboot_all_the_same_it_is_not_run_again() {
    for shell in &shells() {
        let mut node = Node::new(shell);
        // Its own trap takes the place of the prelude's.
        let step = step("trap 'echo gone >>\"$ROOT/log\"' EXIT\nsh -c 'exit 194'", false);
        assert_eq!(node.run(&step, Some(&guard(1)), "a").code, REBOOT, "{shell:?}");
        assert_eq!(node.run(&step, Some(&guard(1)), "a").stop(), Some(Stop::AlreadyRan), "{shell:?}: in the same boot");
        node.reboot();
        assert_eq!(node.run(&step, Some(&guard(1)), "a").stop(), Some(Stop::Rebooted), "{shell:?}");
        // A second send is a duplicate in any boot: nothing is known from it.
        assert_eq!(node.run(&step, Some(&guard(1)), "b").stop(), Some(Stop::AlreadyRan), "{shell:?}");
        assert_eq!(node.log(), "gone\n", "{shell:?}");
    }
}

#[test]
fn without_a_boot_id_a_step_that_reboots_does_nothing_and_says_why() {
    for shell in &shells() {
        let node = Node::without_proc(shell, "exit 1");
        let ran = node.run(&until(2), Some(&guard(1)), "a");
        assert_eq!((ran.stop(), node.log().as_str()), (Some(Stop::NotGuarded), ""), "{shell:?}");
        assert!(ran.stderr.starts_with("muster: this node tells no boot id, so "), "{}", ran.stderr);
        // A step that does not reboot needs none; the agent's second run of it is then taken for a duplicate.
        let quiet = step("echo ran >>\"$ROOT/log\"", false);
        assert_eq!(node.run(&quiet, Some(&guard(2)), "a").code, 0, "{shell:?}");
        assert_eq!(node.run(&quiet, Some(&guard(2)), "a").stop(), Some(Stop::AlreadyRan), "{shell:?}");
    }
}

#[test]
fn a_mac_is_told_apart_by_when_it_was_started() {
    let started = |secs: u32, usec: u32| {
        format!(
            "[ \"$*\" = '-n kern.boottime' ] || exit 1\necho '{{ sec = {secs}, usec = {usec} }} Tue Sep 22 10:13:20 2026'"
        )
    };
    // Busybox would ask its own `sysctl`.
    for shell in shells().iter().filter(|s| s.busybox.is_none()) {
        let node = Node::without_proc(shell, &started(1_790_000_000, 5));
        assert_eq!(node.run(&until(2), Some(&guard(1)), "a").code, REBOOT, "{shell:?}");
        node.sysctl(&started(1_790_000_000, 5));
        assert_eq!(node.run(&until(2), Some(&guard(1)), "a").stop(), Some(Stop::AlreadyRan), "{shell:?}");
        node.sysctl(&started(1_790_000_300, 5));
        assert_eq!(node.run(&until(2), Some(&guard(1)), "a").code, 0, "{shell:?}");
    }
}

#[test]
fn copies_that_start_together_after_a_reboot_go_on_once() {
    let shell = Shell { words: vec!["sh".into()], busybox: None };
    let mut node = Node::new(&shell);
    assert_eq!(node.run(&until(2), Some(&guard(1)), "a").code, REBOOT);
    node.reboot();
    let script = node.folder.path().join("_script.sh");
    let copies: Vec<_> = (0..16)
        .map(|_| {
            let mut command = Command::new("sh");
            command.arg(&script).env("ROOT", node.folder.path()).env("SSM_COMMAND_ID", "a");
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let codes: Vec<i32> = copies.into_iter().map(|mut c| c.wait().unwrap().code().unwrap()).collect();
    assert_eq!(codes.iter().filter(|c| **c == 0).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|c| **c == Stop::AlreadyRan.code()).count(), 15, "{codes:?}");
    assert_eq!(node.log(), "boot 1\nboot 2\n");
}
