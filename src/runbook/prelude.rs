//! Carries values to the node as data, and keeps a step from running twice there.
//!
//! A script is sent as a fixed prelude followed by the author's text, unchanged. The prelude decodes each value from
//! base64 into a variable of the parameter's own name, so that no character of a value is ever program text. For
//! steps that change something it then takes a folder named by run, step and try: `mkdir` is atomic, so a second
//! copy of the same command finds the folder there and ends without doing anything. Values come first, because a
//! node that cannot decode them has not run the step.
//!
//! The text is joined by newlines and run by `/bin/sh` as root (dash, bash or busybox), or by PowerShell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Action, Arguments, Risk, Step};
use crate::domain::RunId;

/// This step of this try has already run (or is running) on the node, and this copy did nothing.
///
/// Never a result: what counts is what the first copy reported.
pub const ALREADY_RAN: i32 = 212;
/// The once-guard's folder could not be made (read-only disk, no rights), so the script did not run.
pub const NOT_GUARDED: i32 = 213;
/// A value could not be decoded (no `base64` on the node), so the script did not run.
pub const NOT_DECODED: i32 = 214;

/// How the first words of the prelude's own messages read, on stderr.
pub const SAYS: &str = "muster: ";

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
        (Risk::Read, _) | (_, Action::Document { .. } | Action::Automation { .. }) => false,
        (Risk::Change | Risk::Destructive, Action::Shell { .. } | Action::Powershell { .. }) => true,
    }
}

/// Whether a node's exit code and output say that a copy of the step did nothing because another ran.
///
/// The code alone could be the script's own.
#[must_use]
pub fn already_ran(exit_code: i32, output: &str) -> bool {
    exit_code == ALREADY_RAN && output.contains(SAYS)
}

/// Parameters of a document.
type Values = BTreeMap<String, Vec<String>>;

/// What one SendCommand or StartAutomationExecution says: document and parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub document: String,
    pub version: Option<String>,
    pub hash: Option<String>,
    pub parameters: BTreeMap<String, Vec<String>>,
}

/// A step with its values, as SendCommand takes it.
#[must_use]
pub fn render(step: &Step, arguments: &Arguments, guard: Option<&Guard>) -> Rendered {
    let scripted = |document: &str| {
        let timeout = step.timeout.secs_up().to_string();
        let parameters = BTreeMap::from([
            ("commands".to_owned(), commands(step, arguments, guard)),
            ("executionTimeout".to_owned(), vec![timeout]),
        ]);
        Rendered { document: document.into(), version: None, hash: None, parameters }
    };
    let named = |name: &str, version: &Option<String>, hash: &Option<String>, parameters: &Values| Rendered {
        document: name.to_owned(),
        version: version.clone(),
        hash: hash.clone(),
        parameters: parameters
            .iter()
            .map(|(key, values)| (key.clone(), values.iter().map(|v| whole(v, arguments)).collect()))
            .collect(),
    };
    match &step.action {
        Action::Shell { .. } => scripted("AWS-RunShellScript"),
        Action::Powershell { .. } => scripted("AWS-RunPowerShellScript"),
        Action::Document { name, version, hash, parameters } => named(name, version, hash, parameters),
        Action::Automation { name, version, parameters, .. } => named(name, version, &None, parameters),
    }
}

/// `$name` alone is that parameter's value; anything else is itself. No value is ever put inside another text.
fn whole(value: &str, arguments: &Arguments) -> String {
    value.strip_prefix('$').and_then(|name| arguments.get(name)).cloned().unwrap_or_else(|| value.to_owned())
}

/// The `commands` of a script step: the prelude and the script. Empty for a document step.
#[must_use]
pub fn commands(step: &Step, arguments: &Arguments, guard: Option<&Guard>) -> Vec<String> {
    match &step.action {
        Action::Shell { script } => vec![shell(arguments, guard), script.clone()],
        Action::Powershell { script } => vec![powershell(arguments, guard), script.clone()],
        Action::Document { .. } | Action::Automation { .. } => Vec::new(),
    }
}

// Every line below is complete in itself, names have an underscore (parameters cannot), and there is neither `{{`
// nor a double dollar, which the agent would replace.
fn shell(arguments: &Arguments, guard: Option<&Guard>) -> String {
    let mut text = String::from("set -eu\nexport ROOT=\"${ROOT-}\"\n");
    for (name, value) in arguments {
        let coded = STANDARD.encode(value);
        // `$(…)` drops newlines at the end; the dot keeps them. `.` is no second byte in any character set.
        let _ = writeln!(
            text,
            "{name}=$(printf %s '{coded}' | base64 -d && printf .) || {{ echo '{SAYS}cannot decode `{name}`; is base64 \
             installed here?' >&2; exit {NOT_DECODED}; }}\n{name}=${{{name}%.}}"
        );
    }
    if let Some(guard) = guard {
        let key = guard.key();
        let _ = write!(
            text,
            "muster_once=\"$ROOT/var/lib/muster/once\"\n\
             (umask 077 && mkdir -p \"$muster_once\") || :\n\
             if mkdir \"$muster_once/{key}\" 2>/dev/null; then :\n\
             elif [ -d \"$muster_once/{key}\" ]; then \
             echo '{SAYS}this step of this run already ran here; nothing was done' >&2; exit {ALREADY_RAN}\n\
             else echo \"{SAYS}cannot write to $muster_once, so this step was not run; is the disk read-only or full?\" \
             >&2; exit {NOT_GUARDED}\n\
             fi\n\
             unset muster_once\n"
        );
    }
    text.pop();
    text
}

fn powershell(arguments: &Arguments, guard: Option<&Guard>) -> String {
    let mut text = String::from("$ErrorActionPreference = 'Stop'\nif (-not (Test-Path Env:ROOT)) { $env:ROOT = '' }\n");
    for (name, value) in arguments {
        let coded = STANDARD.encode(value);
        let _ = writeln!(text, "$env:{name} = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{coded}'))");
    }
    if let Some(guard) = guard {
        let key = guard.key();
        let _ = write!(
            text,
            "$muster_once = Join-Path $env:ProgramData 'Muster\\once'\n\
             $muster_mine = Join-Path $muster_once '{key}'\n\
             try {{ New-Item -ItemType Directory -Force -Path $muster_once | Out-Null; \
             New-Item -ItemType Directory -Path $muster_mine | Out-Null }} catch {{\n\
             if (Test-Path -LiteralPath $muster_mine) {{ \
             [Console]::Error.WriteLine('{SAYS}this step of this run already ran here; nothing was done'); exit {ALREADY_RAN} }}\n\
             [Console]::Error.WriteLine('{SAYS}cannot write to ' + $muster_once + ', so this step was not run; is the disk \
             read-only or full?'); exit {NOT_GUARDED}\n\
             }}\n\
             Remove-Variable muster_once, muster_mine\n"
        );
    }
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Millis;
    use crate::runbook::OnFailure;

    fn step(action: Action) -> Step {
        Step {
            name: "one".into(),
            action,
            timeout: Millis::from_secs(90),
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
    fn guard() -> Guard {
        Guard { run: "01J9ZX0000000000000000AB7F".parse().unwrap(), step: 0, attempt: 1 }
    }
    fn arguments() -> Arguments {
        BTreeMap::from([("empty".into(), String::new()), ("service".into(), "$(rm -rf /)'`".into())])
    }

    #[test]
    fn the_prelude_holds_nothing_that_the_agent_replaces() {
        for text in [shell(&arguments(), Some(&guard())), powershell(&arguments(), Some(&guard()))] {
            assert!(!text.contains("{{") && !text.contains("$$") && !text.contains('\r'), "{text}");
        }
    }

    #[test]
    fn a_shell_step_is_sent_as_prelude_and_script() {
        let step = step(Action::Shell { script: "systemctl restart -- \"$service\"\n".into() });
        let rendered = render(&step, &arguments(), Some(&guard()));
        assert_eq!(rendered.document, "AWS-RunShellScript");
        assert_eq!(rendered.parameters["executionTimeout"], ["90"]);
        insta::assert_snapshot!(rendered.parameters["commands"].join("\n"), @r#"
        set -eu
        export ROOT="${ROOT-}"
        empty=$(printf %s '' | base64 -d && printf .) || { echo 'muster: cannot decode `empty`; is base64 installed here?' >&2; exit 214; }
        empty=${empty%.}
        service=$(printf %s 'JChybSAtcmYgLyknYA==' | base64 -d && printf .) || { echo 'muster: cannot decode `service`; is base64 installed here?' >&2; exit 214; }
        service=${service%.}
        muster_once="$ROOT/var/lib/muster/once"
        (umask 077 && mkdir -p "$muster_once") || :
        if mkdir "$muster_once/01J9ZX0000000000000000AB7F.0.1" 2>/dev/null; then :
        elif [ -d "$muster_once/01J9ZX0000000000000000AB7F.0.1" ]; then echo 'muster: this step of this run already ran here; nothing was done' >&2; exit 212
        else echo "muster: cannot write to $muster_once, so this step was not run; is the disk read-only or full?" >&2; exit 213
        fi
        unset muster_once
        systemctl restart -- "$service"
        "#);
    }

    #[test]
    fn a_powershell_step_is_sent_as_prelude_and_script() {
        let step = step(Action::Powershell { script: "Restart-Service $env:service".into() });
        insta::assert_snapshot!(commands(&step, &arguments(), Some(&guard())).join("\n"), @r#"
        $ErrorActionPreference = 'Stop'
        if (-not (Test-Path Env:ROOT)) { $env:ROOT = '' }
        $env:empty = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String(''))
        $env:service = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('JChybSAtcmYgLyknYA=='))
        $muster_once = Join-Path $env:ProgramData 'Muster\once'
        $muster_mine = Join-Path $muster_once '01J9ZX0000000000000000AB7F.0.1'
        try { New-Item -ItemType Directory -Force -Path $muster_once | Out-Null; New-Item -ItemType Directory -Path $muster_mine | Out-Null } catch {
        if (Test-Path -LiteralPath $muster_mine) { [Console]::Error.WriteLine('muster: this step of this run already ran here; nothing was done'); exit 212 }
        [Console]::Error.WriteLine('muster: cannot write to ' + $muster_once + ', so this step was not run; is the disk read-only or full?'); exit 213
        }
        Remove-Variable muster_once, muster_mine
        Restart-Service $env:service
        "#);
    }

    #[test]
    fn a_document_step_puts_values_in_whole_and_only_alone() {
        let action = Action::Document {
            name: "Acme-Restart".into(),
            version: Some("3".into()),
            hash: None,
            parameters: BTreeMap::from([("unit".into(), vec!["$service".into(), "x$service".into(), "$other".into()])]),
        };
        let rendered = render(&step(action), &arguments(), None);
        assert_eq!(rendered.document, "Acme-Restart");
        assert_eq!(rendered.parameters["unit"], ["$(rm -rf /)'`", "x$service", "$other"]);
    }

    #[test]
    fn only_the_preludes_own_word_makes_a_duplicate() {
        assert!(already_ran(ALREADY_RAN, "\n----------ERROR-------\nmuster: this step of this run already ran here"));
        assert!(!already_ran(ALREADY_RAN, "something else"));
        assert!(!already_ran(0, "muster: "));
    }
}
