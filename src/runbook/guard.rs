//! Keeps a step from running twice on a node, and a node from rebooting when nobody announced it.
//!
//! The once-guard is a folder named by run, step and try: `mkdir` is atomic, so of two copies one finds it there and
//! does nothing. Inside stand a folder of the command that made it and one of each boot in which the step ran. An
//! agent runs a step again after a reboot, under the same command: in a boot of its own that run is told from a
//! duplicate, and goes on where the step says `reboots = true`. Where it does not, a trap keeps exit 194 from reaching
//! the agent, and what gets past the trap finds the guard.

use std::fmt::Write as _;

use super::{Action, Risk, Step};
use crate::domain::RunId;

/// How the first words of the prelude's own messages read, on stderr.
pub const SAYS: &str = "muster: ";
/// The exit code by which a script asks the agent for a reboot, and to be run again after it.
pub const REBOOT: i32 = 194;
/// The same on Windows.
pub const REBOOT_WINDOWS: i32 = 3010;
/// A step runs in at most so many boots, so that a script that never has enough ends. Upgrades of firmware and kernel
/// with a step between take three; the agent itself gives up after fifteen.
pub const BOOTS_MAX: u32 = 5;

/// Why a script ended by Muster's own words in the script's place. Never the script's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// This step of this try has already run (or is running) on the node, and this copy did nothing. What counts is
    /// what the first copy reported.
    AlreadyRan,
    /// The once-guard's folder could not be made (read-only disk, no rights), or a step that reboots found no boot id.
    /// The script did not run.
    NotGuarded,
    /// A value could not be decoded (no `base64` on the node), so the script did not run.
    NotDecoded,
    /// The script asked for a reboot that its step does not announce. The node was not rebooted.
    AskedForReboot,
    /// The node was rebooted after the step had begun, and the step does not announce that: it was not run again.
    Rebooted,
    /// The script asked for a reboot in each of the boots that it may have. It was not run again.
    TooManyBoots,
}

impl Stop {
    pub const ALL: [Stop; 6] = [
        Stop::AlreadyRan,
        Stop::NotGuarded,
        Stop::NotDecoded,
        Stop::AskedForReboot,
        Stop::Rebooted,
        Stop::TooManyBoots,
    ];

    /// The reserved exit code. The linter keeps scripts from using it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Stop::AlreadyRan => 212,
            Stop::NotGuarded => 213,
            Stop::NotDecoded => 214,
            Stop::AskedForReboot => 215,
            Stop::Rebooted => 216,
            Stop::TooManyBoots => 217,
        }
    }

    /// What a node's exit code and output say. The code alone could be the script's own, unless the words may have been
    /// cut off: they come last on stderr.
    #[must_use]
    pub fn told(exit_code: i32, output: &str, cut: bool) -> Option<Stop> {
        Stop::ALL.into_iter().find(|s| s.code() == exit_code).filter(|_| cut || output.contains(SAYS))
    }
}

/// Which execution a once-guard stands for. Every send of one try has the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    pub run: RunId,
    /// Index of the step.
    pub step: u32,
    /// The try, from 1: a person's retry is a new one, a re-send is not.
    pub attempt: u32,
}

impl Guard {
    /// The folder's name: `01J9ZX….0.1`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}.{}.{}", self.run, self.step, self.attempt)
    }
}

/// Whether a step has to be guarded. Steps that run a named document cannot be.
#[must_use]
pub fn needs_guard(risk: Risk, step: &Step) -> bool {
    match (risk, &step.action) {
        (_, Action::Document { .. } | Action::Automation { .. }) => false,
        (Risk::Read, Action::Shell { .. } | Action::Powershell { .. }) => step.reboots,
        (Risk::Change | Risk::Destructive, Action::Shell { .. } | Action::Powershell { .. }) => true,
    }
}

// Every line below is complete in itself, names have an underscore (parameters cannot), and there is neither `{{`
// nor a double dollar, which the agent would replace.

/// What `sh` does about exit 194 of a step that does not announce reboots. A script that sets an EXIT trap of its own
/// takes this one's place; the once-guard is what is left then.
pub(super) fn shell_trap() -> String {
    format!(
        "trap 'if [ \"$?\" -eq {REBOOT} ]; then echo \"{SAYS}the script asked for a reboot (exit {REBOOT}), which its \
         step does not announce; the node was not rebooted\" >&2; exit {}; fi' EXIT\n",
        Stop::AskedForReboot.code()
    )
}

pub(super) fn shell(guard: &Guard, reboots: bool) -> String {
    let key = guard.key();
    let stop = |stop: Stop, why: &str| format!("echo \"{SAYS}{why}\" >&2; exit {}", stop.code());
    let again = stop(Stop::AlreadyRan, "this step of this run already ran here; nothing was done");
    let not_guarded = stop(
        Stop::NotGuarded,
        "cannot write to $muster_once, so this step was not run; is the disk read-only or full?",
    );
    // Linux has a boot id in /proc; macOS tells when it was started: `{ sec = 1790000000, usec = 0 } …`.
    let mut text = format!(
        "muster_once=\"$ROOT/var/lib/muster/once\"\n\
         muster_mine=\"$muster_once/{key}\"\n\
         muster_of=\"$muster_mine/of.${{SSM_COMMAND_ID-}}\"\n\
         (umask 077 && mkdir -p \"$muster_once\") || :\n\
         {{ read -r muster_boot <\"$ROOT/proc/sys/kernel/random/boot_id\"; }} 2>/dev/null || \
         muster_boot=$(sysctl -n kern.boottime 2>/dev/null) || muster_boot=\n\
         muster_boot=${{muster_boot%%,*}}\n\
         muster_in=\"$muster_mine/in.${{muster_boot##* }}\"\n"
    );
    if reboots {
        let unknown = stop(
            Stop::NotGuarded,
            "this node tells no boot id, so a run after a reboot could not be told from a duplicate; nothing was done",
        );
        let too_often = stop(
            Stop::TooManyBoots,
            &format!("the script asked for a reboot in each of {BOOTS_MAX} boots; it was not run again"),
        );
        // The command's folder comes last: where it stands the guard is whole.
        let _ = write!(
            text,
            "if [ -z \"$muster_boot\" ]; then {unknown}; fi\n\
             if mkdir \"$muster_mine\" 2>/dev/null; then \
             mkdir \"$muster_in\" \"$muster_mine/notes\" \"$muster_of\" || {{ {not_guarded}; }}\n\
             elif [ -d \"$muster_of\" ] && mkdir \"$muster_in\" 2>/dev/null; then :\n\
             elif [ -d \"$muster_in\" ] || {{ [ -d \"$muster_mine\" ] && [ ! -d \"$muster_of\" ]; }}; then {again}\n\
             else {not_guarded}\n\
             fi\n\
             MUSTER_BOOT=0\n\
             for muster_in in \"$muster_mine\"/in.*; do MUSTER_BOOT=$((MUSTER_BOOT + 1)); done\n\
             if [ \"$MUSTER_BOOT\" -gt {BOOTS_MAX} ]; then {too_often}; fi\n\
             MUSTER_NOTES=\"$muster_mine/notes\"\n\
             export MUSTER_BOOT MUSTER_NOTES\n"
        );
    } else {
        let rebooted = stop(
            Stop::Rebooted,
            "the node was rebooted after this step had begun here, which the step does not announce; it was not run again",
        );
        let _ = write!(
            text,
            "if mkdir \"$muster_mine\" 2>/dev/null; then mkdir \"$muster_in\" 2>/dev/null && mkdir \"$muster_of\" 2>/dev/null || :\n\
             elif [ -d \"$muster_of\" ] && [ -n \"$muster_boot\" ] && [ ! -d \"$muster_in\" ]; then {rebooted}\n\
             elif [ -d \"$muster_mine\" ]; then {again}\n\
             else {not_guarded}\n\
             fi\n"
        );
    }
    text.push_str("unset muster_once muster_mine muster_of muster_boot muster_in\n");
    text
}

pub(super) fn powershell(guard: &Guard, reboots: bool) -> String {
    let key = guard.key();
    let stop = |stop: Stop, why: &str| format!("muster_stop {} '{SAYS}{why}'", stop.code());
    let again = stop(Stop::AlreadyRan, "this step of this run already ran here; nothing was done");
    let not_guarded = format!(
        "muster_stop {} ('{SAYS}cannot write to ' + $muster_once + ', so this step was not run; is the disk read-only \
         or full?')",
        Stop::NotGuarded.code()
    );
    let mut text = format!(
        "function muster_stop($code, $why) {{ [Console]::Error.WriteLine($why); exit $code }}\n\
         function muster_made($path) {{ try {{ New-Item -ItemType Directory -Path $path | Out-Null; $true }} catch {{ $false }} }}\n\
         $muster_once = Join-Path $env:ProgramData 'Muster\\once'\n\
         $muster_mine = Join-Path $muster_once '{key}'\n\
         $muster_of = Join-Path $muster_mine ('of.' + $env:SSM_COMMAND_ID)\n\
         $muster_boot = try {{ [string](Get-CimInstance Win32_OperatingSystem).LastBootUpTime.Ticks }} catch {{ '' }}\n\
         $muster_in = Join-Path $muster_mine ('in.' + $muster_boot)\n\
         try {{ New-Item -ItemType Directory -Force -Path $muster_once | Out-Null }} catch {{ }}\n"
    );
    if reboots {
        let unknown = stop(
            Stop::NotGuarded,
            "this node tells no boot time, so a run after a reboot could not be told from a duplicate; nothing was done",
        );
        let too_often = stop(
            Stop::TooManyBoots,
            &format!("the script asked for a reboot in each of {BOOTS_MAX} boots; it was not run again"),
        );
        let _ = write!(
            text,
            "if (-not $muster_boot) {{ {unknown} }}\n\
             $muster_notes = Join-Path $muster_mine 'notes'\n\
             if (muster_made $muster_mine) {{\n\
             if (-not ((muster_made $muster_in) -and (muster_made $muster_notes) -and (muster_made $muster_of))) {{ {not_guarded} }}\n\
             }} elseif ((Test-Path -LiteralPath $muster_of) -and (muster_made $muster_in)) {{\n\
             }} elseif ((Test-Path -LiteralPath $muster_in) -or ((Test-Path -LiteralPath $muster_mine) -and -not (Test-Path -LiteralPath $muster_of))) {{ {again}\n\
             }} else {{ {not_guarded} }}\n\
             $env:MUSTER_BOOT = @(Get-ChildItem -LiteralPath $muster_mine -Filter 'in.*').Count\n\
             if ([int]$env:MUSTER_BOOT -gt {BOOTS_MAX}) {{ {too_often} }}\n\
             $env:MUSTER_NOTES = $muster_notes\n\
             Remove-Variable muster_notes\n"
        );
    } else {
        let rebooted = stop(
            Stop::Rebooted,
            "the node was rebooted after this step had begun here, which the step does not announce; it was not run again",
        );
        let _ = write!(
            text,
            "if (muster_made $muster_mine) {{ (muster_made $muster_in) -and (muster_made $muster_of) | Out-Null\n\
             }} elseif ($muster_boot -and (Test-Path -LiteralPath $muster_of) -and -not (Test-Path -LiteralPath $muster_in)) {{ {rebooted}\n\
             }} elseif (Test-Path -LiteralPath $muster_mine) {{ {again}\n\
             }} else {{ {not_guarded} }}\n"
        );
    }
    text.push_str(
        "Remove-Variable muster_once, muster_mine, muster_of, muster_boot, muster_in\n\
         Remove-Item function:muster_stop, function:muster_made\n",
    );
    text
}
