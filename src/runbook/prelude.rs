//! Carries values to the node as data.
//!
//! A script is sent as a fixed prelude followed by the author's text, unchanged. The prelude decodes each value from
//! base64 into a variable of the parameter's own name, so that no character of a value is ever program text. For
//! steps that change something it then takes the once-guard (`guard`). Values come first, because a node that cannot
//! decode them has not run the step.
//!
//! The text is joined by newlines and run by `/bin/sh` as root (dash, bash or busybox), or by PowerShell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::guard::{self, Guard, SAYS, Stop};
use super::{Action, Arguments, Step};

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
        Action::Shell { script } => vec![shell(arguments, guard, step.reboots), script.clone()],
        Action::Powershell { script } => vec![powershell(arguments, guard, step.reboots), script.clone()],
        Action::Document { .. } | Action::Automation { .. } => Vec::new(),
    }
}

// Every line below is complete in itself, names have an underscore (parameters cannot), and there is neither `{{`
// nor a double dollar, which the agent would replace.
fn shell(arguments: &Arguments, guard: Option<&Guard>, reboots: bool) -> String {
    let mut text = String::from("set -eu\nexport ROOT=\"${ROOT-}\"\n");
    if !reboots {
        text.push_str(&guard::shell_trap());
    }
    for (name, value) in arguments {
        let coded = STANDARD.encode(value);
        let not_decoded = Stop::NotDecoded.code();
        // `$(…)` drops newlines at the end; the dot keeps them. `.` is no second byte in any character set.
        let _ = writeln!(
            text,
            "{name}=$(printf %s '{coded}' | base64 -d && printf .) || {{ echo '{SAYS}cannot decode `{name}`; is base64 \
             installed here?' >&2; exit {not_decoded}; }}\n{name}=${{{name}%.}}"
        );
    }
    if let Some(guard) = guard {
        text.push_str(&guard::shell(guard, reboots));
    }
    text.pop();
    text
}

fn powershell(arguments: &Arguments, guard: Option<&Guard>, reboots: bool) -> String {
    let mut text = String::from("$ErrorActionPreference = 'Stop'\nif (-not (Test-Path Env:ROOT)) { $env:ROOT = '' }\n");
    for (name, value) in arguments {
        let coded = STANDARD.encode(value);
        let _ = writeln!(text, "$env:{name} = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{coded}'))");
    }
    if let Some(guard) = guard {
        text.push_str(&guard::powershell(guard, reboots));
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
        for reboots in [false, true] {
            let (arguments, guard) = (arguments(), guard());
            for text in [shell(&arguments, Some(&guard), reboots), powershell(&arguments, Some(&guard), reboots)] {
                assert!(!text.contains("{{") && !text.contains("$$") && !text.contains('\r'), "{text}");
            }
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
        trap 'if [ "$?" -eq 194 ]; then echo "muster: the script asked for a reboot (exit 194), which its step does not announce; the node was not rebooted" >&2; exit 215; fi' EXIT
        empty=$(printf %s '' | base64 -d && printf .) || { echo 'muster: cannot decode `empty`; is base64 installed here?' >&2; exit 214; }
        empty=${empty%.}
        service=$(printf %s 'JChybSAtcmYgLyknYA==' | base64 -d && printf .) || { echo 'muster: cannot decode `service`; is base64 installed here?' >&2; exit 214; }
        service=${service%.}
        muster_once="$ROOT/var/lib/muster/once"
        muster_mine="$muster_once/01J9ZX0000000000000000AB7F.0.1"
        muster_of="$muster_mine/of.${SSM_COMMAND_ID-}"
        (umask 077 && mkdir -p "$muster_once") || :
        { read -r muster_boot <"$ROOT/proc/sys/kernel/random/boot_id"; } 2>/dev/null || muster_boot=$(sysctl -n kern.boottime 2>/dev/null) || muster_boot=
        muster_boot=${muster_boot%%,*}
        muster_in="$muster_mine/in.${muster_boot##* }"
        if mkdir "$muster_mine" 2>/dev/null; then mkdir "$muster_in" 2>/dev/null && mkdir "$muster_of" 2>/dev/null || :
        elif [ -d "$muster_of" ] && [ -n "$muster_boot" ] && [ ! -d "$muster_in" ]; then echo "muster: the node was rebooted after this step had begun here, which the step does not announce; it was not run again" >&2; exit 216
        elif [ -d "$muster_mine" ]; then echo "muster: this step of this run already ran here; nothing was done" >&2; exit 212
        else echo "muster: cannot write to $muster_once, so this step was not run; is the disk read-only or full?" >&2; exit 213
        fi
        unset muster_once muster_mine muster_of muster_boot muster_in
        systemctl restart -- "$service"
        "#);
    }

    #[test]
    fn a_powershell_step_is_sent_as_prelude_and_script() {
        let step = step(Action::Powershell { script: "Restart-Service $env:service".into() });
        insta::assert_snapshot!(commands(&step, &arguments(), Some(&guard())).join("\n"), @r"
        $ErrorActionPreference = 'Stop'
        if (-not (Test-Path Env:ROOT)) { $env:ROOT = '' }
        $env:empty = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String(''))
        $env:service = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('JChybSAtcmYgLyknYA=='))
        function muster_stop($code, $why) { [Console]::Error.WriteLine($why); exit $code }
        function muster_made($path) { try { New-Item -ItemType Directory -Path $path | Out-Null; $true } catch { $false } }
        $muster_once = Join-Path $env:ProgramData 'Muster\once'
        $muster_mine = Join-Path $muster_once '01J9ZX0000000000000000AB7F.0.1'
        $muster_of = Join-Path $muster_mine ('of.' + $env:SSM_COMMAND_ID)
        $muster_boot = try { [string](Get-CimInstance Win32_OperatingSystem).LastBootUpTime.Ticks } catch { '' }
        $muster_in = Join-Path $muster_mine ('in.' + $muster_boot)
        try { New-Item -ItemType Directory -Force -Path $muster_once | Out-Null } catch { }
        if (muster_made $muster_mine) { (muster_made $muster_in) -and (muster_made $muster_of) | Out-Null
        } elseif ($muster_boot -and (Test-Path -LiteralPath $muster_of) -and -not (Test-Path -LiteralPath $muster_in)) { muster_stop 216 'muster: the node was rebooted after this step had begun here, which the step does not announce; it was not run again'
        } elseif (Test-Path -LiteralPath $muster_mine) { muster_stop 212 'muster: this step of this run already ran here; nothing was done'
        } else { muster_stop 213 ('muster: cannot write to ' + $muster_once + ', so this step was not run; is the disk read-only or full?') }
        Remove-Variable muster_once, muster_mine, muster_of, muster_boot, muster_in
        Remove-Item function:muster_stop, function:muster_made
        Restart-Service $env:service
        ");
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
    fn a_step_that_reboots_is_sent_with_a_guard_that_knows_the_boot() {
        let script = Action::Shell { script: "exit 194".into() };
        let step = Step { reboots: true, ..step(script) };
        insta::assert_snapshot!(commands(&step, &BTreeMap::new(), Some(&guard())).join("\n"));
        let step = Step { action: Action::Powershell { script: "exit 3010".into() }, ..step };
        insta::assert_snapshot!(commands(&step, &BTreeMap::new(), Some(&guard())).join("\n"));
    }

    #[test]
    fn only_the_preludes_own_words_end_a_script_in_its_place() {
        for stop in Stop::ALL {
            let said = "\n----------ERROR-------\nmuster: why";
            assert_eq!(Stop::told(stop.code(), said, false), Some(stop));
            assert_eq!(Stop::told(stop.code(), "something else", false), None);
            assert_eq!(Stop::told(stop.code(), "a very long output", true), Some(stop));
        }
        assert_eq!(Stop::told(0, "muster: ", true), None);
    }
}
