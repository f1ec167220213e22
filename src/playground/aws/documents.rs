//! What AWS's own documents print on a machine. No script of theirs is run here: the answers follow from the machine.

use std::fmt::Write as _;

use serde_json::Value;

use crate::domain::{NodePlatform, Timestamp};

use super::answers::Answer;
use super::generate::Machine;
use super::tables;

pub const PATCH: &str = "AWS-RunPatchBaseline";
pub const ANSIBLE: &str = "AWS-ApplyAnsiblePlaybooks";

/// `None`: the document runs the script it is given.
#[must_use]
pub fn answer(document: &str, parameters: &Value, machine: &mut Machine, now: Timestamp) -> Option<Answer> {
    let text = |name: &str| {
        let value = parameters.get(name).and_then(Value::as_array).and_then(|v| v.first()).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    match document {
        PATCH => Some(patch(&text("Operation"), &text("RebootOption"), machine, now)),
        ANSIBLE => Some(ansible(&text("PlaybookFile"), text("Check") != "False", machine)),
        _ => None,
    }
}

/// Installs change the machine: it is patched afterwards, and due for a reboot unless it was rebooted.
fn patch(operation: &str, reboot: &str, machine: &mut Machine, now: Timestamp) -> Answer {
    let waiting = tables::updates(machine).lines().count();
    let install = operation == "Install" && waiting > 0;
    if install {
        machine.condition.patched = true;
        machine.condition.reboot_due = reboot == "NoReboot";
    }
    let (missing, pending) =
        (if install { 0 } else { waiting }, if install && machine.condition.reboot_due { waiting } else { 0 });
    let start = now.strftime("%m/%d/%Y %H:%M:%S");
    let mut stdout = String::new();
    if machine.platform == NodePlatform::Linux {
        let _ = writeln!(stdout, "{start} root [INFO]: Running with snapshot id and operation = {operation}");
    }
    let _ = write!(
        stdout,
        "Patch Summary for {node}\n\nPatchGroup          : \nBaselineId          : pb-0c10e65780EXAMPLE\nOperationType       : {operation}\nRebootOption        : {reboot}\nInstalledCount      : {installed}\nInstalledOtherCount : 3\nInstalledPendingRebootCount : {pending}\nInstalledRejectedCount : 0\nMissingCount        : {missing}\nFailedCount         : 0\nNotApplicableCount  : 7\n",
        node = machine.id,
        installed = 412 - missing,
    );
    Answer { code: 0, stdout, stderr: String::new() }
}

/// One task changes something on machines that nobody has kept, and one fails where the disk is full.
fn ansible(playbook: &str, check: bool, machine: &Machine) -> Answer {
    let full = machine.condition.var_used > 90 && !check;
    let changed = usize::from(tables::is_old(machine)) + 1;
    let mut stdout = format!(
        "Running {playbook}\n\nPLAY [all] *********************************************************************\n\nTASK [Gathering Facts] *********************************************************\nok: [localhost]\n\nTASK [base : configuration] ****************************************************\n"
    );
    stdout += if full {
        "fatal: [localhost]: FAILED! => {\"changed\": false, \"msg\": \"[Errno 28] No space left on device\"}\n"
    } else {
        "changed: [localhost]\n"
    };
    let (changed, failed) = if full { (0, 1) } else { (changed, 0) };
    let _ = write!(
        stdout,
        "\nPLAY RECAP *********************************************************************\nlocalhost                  : ok={}    changed={changed}    unreachable=0    failed={failed}    skipped=1    rescued=0    ignored=0   \n",
        changed + 1
    );
    Answer { code: if full { 2 } else { 0 }, stdout, stderr: String::new() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::playground::aws::generate::{machines, members};

    #[test]
    fn what_was_installed_is_missing_no_longer() {
        let regions = ["eu-west-1".parse().unwrap()];
        let all = members(4, 1, &regions);
        let mut machines = all.iter().flat_map(|m| machines(m, &regions[0], 8, 1));
        let mut machine = machines.find(|m| tables::updates(m).lines().count() > 1).unwrap();
        let mut ask = |operation: &str| {
            let parameters = json!({"Operation": [operation], "RebootOption": ["NoReboot"]});
            let told = answer(PATCH, &parameters, &mut machine, Timestamp::now()).unwrap().stdout;
            let count =
                |name: &str| told.lines().find(|l| l.starts_with(name)).unwrap().rsplit(' ').next() != Some("0");
            (count("MissingCount"), count("InstalledPendingRebootCount"))
        };
        assert_eq!(ask("Scan"), (true, false));
        assert_eq!(ask("Install"), (false, true));
        assert_eq!(ask("Scan"), (false, false));
        assert_eq!(answer("AWS-RunShellScript", &json!({}), &mut machine, Timestamp::now()), None);
    }
}
