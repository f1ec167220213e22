//! Every shipped runbook on simulated hosts: the real scripts, in real shells, against commands that print what
//! Debian 12, Amazon Linux 2023 and RHEL 9 print.
//!
//! `tests/fixtures/hosts` holds the hosts: `bin` are the commands, `root` is what lies below `$ROOT`.
//! `tests/fixtures/runbooks` holds the cases of each runbook. The first case is the good one; its output on every host
//! is a snapshot.

mod case;
#[cfg(feature = "playground")]
mod fleet;
mod host;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use muster::runbook::guard::REBOOT;
use muster::runbook::{Action, Guard, Library, Risk, Runbook, check, commands, extract, needs_guard};

use crate::shells::{Shell, shells};
use case::{Case, Ending};
use host::{Host, Ran};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn library() -> Library {
    Library::load(muster::rules::read_folder(&here("runbooks")).unwrap()).unwrap()
}

/// What became of a run of all steps: the last exit code, all outputs, what was extracted, what was expected in vain.
#[derive(Debug, Default, PartialEq)]
struct Played {
    code: i32,
    stdout: String,
    stderr: String,
    extracted: BTreeMap<String, String>,
    unmet: Vec<String>,
}

impl Played {
    /// How long a reboot took depends on how busy this host is.
    fn without_times(mut self) -> Self {
        if self.extracted.contains_key("back") {
            let line = regex::Regex::new(r"(?m)^back after: \d+ s$").unwrap();
            self.stdout = line.replace_all(&self.stdout, "back after: 0 s").into_owned();
            self.extracted.insert("back".to_owned(), "0".to_owned());
        }
        self
    }

    fn good(&self) -> bool {
        self.code == 0 && self.unmet.is_empty()
    }
}

/// Runs the steps as a node does: each with the real prelude, the later ones only while all is well.
fn play(runbook: &Runbook, case: &Case, host: &Host, shell: &Shell, attempt: u32) -> Played {
    let given: BTreeMap<String, String> = case.arguments.clone();
    let arguments =
        check(runbook, &given).unwrap_or_else(|faults| panic!("{} {}: {faults:?}", runbook.name, case.name));
    let mut result = Played::default();
    for (index, step) in runbook.steps.iter().enumerate() {
        let values = result.extracted.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if !step.concerns(&values) {
            continue;
        }
        let ran = match (&case.output, &step.action) {
            // What a document or PowerShell prints is told by the case; there is nothing to run here.
            (Some(output), _) => Ran { code: 0, stdout: output.clone(), stderr: String::new() },
            (None, Action::Shell { .. }) => {
                let guard = Guard {
                    run: "01J9ZX0000000000000000AB7F".parse().unwrap(),
                    step: u32::try_from(index).unwrap(),
                    attempt,
                };
                let guard = needs_guard(runbook.risk, step).then_some(guard);
                let commands = commands(step, &arguments, guard.as_ref());
                let mut ran = host.run(shell, &commands);
                // As the agent does it: a reboot, and the same step again.
                while ran.code == REBOOT {
                    host.reboot();
                    ran = host.run(shell, &commands);
                }
                ran
            }
            (None, other) => panic!("{} {}: give the case an `output`, {other:?}", runbook.name, case.name),
        };
        let (extracted, unmet) = extract::evaluate(step, &ran.stdout);
        result.code = ran.code;
        result.stdout += &ran.stdout;
        result.stderr += &ran.stderr;
        result.extracted.extend(extracted);
        result.unmet.extend(unmet.iter().map(ToString::to_string));
        if ran.code != 0 {
            break;
        }
    }
    result
}

/// Plays every case of a runbook on every host it names, with every shell; returns the good case's outputs.
fn cases_hold(name: &str) -> String {
    let library = library();
    let runbook = library.get(&name.parse().unwrap()).unwrap_or_else(|| panic!("there is no runbook `{name}`"));
    let mut shown = String::new();
    for (number, case) in case::of(name).iter().enumerate() {
        for os in &case.hosts {
            let mut first: Option<Played> = None;
            for shell in shells() {
                let what = format!("{name}, {}, {os}, {}", case.name, shell.words.join(" "));
                let host = Host::new(os, case, &shell);
                let result = play(runbook, case, &host, &shell, 1);
                let told = format!("{what}\n{result:#?}\nstdout:\n{}\nstderr:\n{}", result.stdout, result.stderr);
                assert_eq!(result.code, case.exit, "exit code of {told}");
                for (name, value) in &case.extract {
                    assert_eq!(result.extracted.get(name), Some(value), "`{name}` of {told}");
                }
                assert_eq!(result.good(), case.ends == Ending::Good || case.ends == Ending::Told, "{told}");
                for text in &case.says {
                    let all = format!("{}{}", result.stdout, result.stderr);
                    assert!(all.contains(text.as_str()), "{text:?} is not said by {told}");
                }
                host.holds(case, &told);
                if let Some(words) = &case.again {
                    let before = host.tree();
                    let again = play(runbook, case, &host, &shell, 2);
                    assert!(again.good() && again.stdout.contains(words.as_str()), "a second time: {again:#?} {told}");
                    assert_eq!(host.tree(), before, "a second time changed something: {told}");
                }
                goes_back(runbook, case, os, &shell, &what);
                let result = result.without_times();
                match &first {
                    None => first = Some(result),
                    Some(first) => assert_eq!(first, &result, "another answer from {what}"),
                }
            }
            if number == 0 {
                let first = first.unwrap_or_default();
                shown += &format!("## {os}\n{}{}", first.stdout, first.stderr);
            }
        }
        if case.hosts.is_empty() {
            let shell = &shells()[0];
            let result = play(runbook, case, &Host::new("none", case, shell), shell, 1);
            for (name, value) in &case.extract {
                assert_eq!(result.extracted.get(name), Some(value), "`{name}` of {name}, {}: {result:#?}", case.name);
            }
            assert_eq!(result.good(), case.ends == Ending::Good || case.ends == Ending::Told, "{name}: {result:#?}");
            if number == 0 {
                shown += &result.stdout;
            }
        }
    }
    shown
}

/// The way back leaves the host as it was before the runbook, however that ended.
fn goes_back(runbook: &Runbook, case: &Case, os: &str, shell: &Shell, what: &str) {
    let Some(back) = &runbook.rollback else { return };
    let host = Host::new(os, case, shell);
    // What the once-guard and the way back keep for themselves is no part of the host, and a link that somebody planted
    // where a new text is written stays away.
    let tree = || {
        let mut tree = host.tree();
        tree.retain(|path, _| !path.contains("var/lib/muster") && !path.ends_with(".new"));
        tree
    };
    let before = tree();
    play(runbook, case, &host, shell, 1);
    let step = u32::try_from(runbook.steps.len()).unwrap();
    let arguments = check(runbook, &case.arguments).unwrap();
    let guard = Guard { run: "01J9ZX0000000000000000AB7F".parse().unwrap(), step, attempt: 1 };
    let ran = host.run(shell, &commands(back, &arguments, Some(&guard)));
    assert_eq!(ran.code, 0, "the way back of {what}: {ran:#?}");
    assert_eq!(tree(), before, "the way back of {what}: {ran:#?}");
}

macro_rules! promises {
    ($($test:ident $runbook:literal)*) => {
        $(#[test]
        fn $test() {
            insta::assert_snapshot!($runbook, cases_hold($runbook));
        })*

        const COVERED: &[&str] = &[$($runbook),*];
    };
}

promises! {
    the_agents_version_is_told_and_an_old_one_fails "agent-version"
    a_playbook_that_fails_or_cannot_reach_the_node_fails "ansible-playbook"
    certificates_are_told_by_what_is_left_of_them "certificate-expiry"
    connections_are_counted_by_state "connections"
    disks_are_shown_with_the_fullest_last "disk-usage"
    windows_drives_are_shown_with_the_fullest_last "disk-usage-windows"
    a_line_stands_in_a_file_once_and_the_rest_stays "ensure-line"
    a_full_disk_is_freed_without_following_a_link "free-disk"
    a_diagnosis_names_what_stands_out "host-diagnostics"
    what_listens_is_shown_with_its_reach "listening-ports"
    a_rule_for_logs_is_checked_before_it_is_there "log-rotation"
    memory_that_runs_out_is_told_with_who_uses_it "memory-pressure"
    a_package_is_found_at_its_version_and_at_no_other "package-version"
    a_patch_report_is_read "patch-baseline"
    pending_security_patches_fail_a_node "pending-patches"
    a_rebooted_machine_is_told_from_one_that_came_back_whole "reboot-node"
    a_due_reboot_is_told "reboot-required"
    a_machine_that_does_not_run_again_fails "restart-instance"
    a_service_that_does_not_come_back_fails "restart-service"
    a_windows_service_that_does_not_come_back_fails "restart-service-windows"
    a_service_is_restarted_where_it_does_not_run_and_nowhere_else "restart-where-failed"
    a_service_is_shown_in_its_state "service-status"
    a_windows_service_is_shown_in_its_state "service-status-windows"
    a_kernel_parameter_is_set_for_now_and_for_the_next_boot "set-sysctl"
    whoever_may_become_root_is_named "sudoers"
    errors_are_counted_and_the_worst_is_the_verdict "system-errors"
    a_clock_is_brought_in_step "time-sync"
    processes_are_shown_by_what_they_use "top-processes"
    a_user_is_found_with_groups_and_keys "user-exists"
}

#[test]
fn no_runbook_is_left_without_a_good_case_and_a_bad_one() {
    let library = library();
    let names: Vec<&str> = library.runbooks.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, COVERED, "a runbook without a line in `promises!`, or a line without a runbook");
    for (name, runbook) in &library.runbooks {
        let cases = case::of(name.as_str());
        assert_eq!(cases[0].ends, Ending::Good, "{name}: the first case is the good one");
        assert!(cases[1..].iter().any(|c| c.ends != Ending::Good), "{name} has no case that ends badly");
        let shells = runbook.steps.iter().any(|s| matches!(s.action, Action::Shell { .. }));
        assert!(!shells || cases[0].hosts.len() == 3, "{name}: the good case is for every host");
        // What reads must tell something by its verdict, or the summary has nothing to go by.
        assert!(runbook.steps.iter().any(|s| !s.extract.is_empty()), "{name} extracts nothing");
        let names: Vec<&String> = runbook.steps.iter().flat_map(|s| s.extract.keys()).collect();
        let told = |c: &Case| names.iter().any(|n| c.extract.contains_key(*n));
        assert!(told(&cases[0]), "{name}: the good case asserts nothing that is extracted");
        assert!(cases[1..].iter().any(|c| told(c) || c.exit != 0), "{name}: no bad case asserts what is extracted");
        let repeats = runbook.risk == Risk::Read || cases.iter().any(|c| c.again.is_some()) || !shells;
        let each_time = matches!(name.as_str(), "reboot-node" | "restart-service");
        assert!(repeats || each_time, "{name} changes something and no case runs it again");
    }
}

#[test]
fn every_runbook_says_when_to_use_it_and_changes_begin_with_one_node() {
    for (name, runbook) in &library().runbooks {
        assert!(!runbook.tags.is_empty() && !runbook.description.is_empty(), "{name}");
        assert!(runbook.parameters.values().all(|p| !p.description.is_empty()), "{name}");
        if !matches!(name.as_str(), "disk-usage" | "restart-service" | "service-status") {
            assert!(runbook.description.contains("Use it "), "{name} does not say when to use it");
        }
        if name.as_str().ends_with("-windows") {
            let honest = runbook.description.contains("Not yet verified on a real Windows host");
            assert!(honest, "{name} promises more than was tried");
        }
        if runbook.risk != Risk::Read {
            assert_eq!(runbook.rollout.waves[0].to_string(), "1", "{name}: the first wave is one node");
            assert!(runbook.targets.exclusive, "{name} changes something beside another change");
        }
        for step in runbook.steps.iter().chain(&runbook.rollback) {
            let Action::Shell { script } = &step.action else { continue };
            for (number, line) in script.lines().enumerate() {
                let code = line.split(" # ").next().unwrap_or_default();
                let plain = ["/etc/", "/var/", "/proc/", "/run/"];
                let bare = plain.iter().any(|p| {
                    let at = |quote: &str| code.contains(&format!("{quote}{p}"));
                    // A path of the host has to begin at `$ROOT`, wherever it is opened.
                    (at("<") || at("> ") || at(">") || at("-f ") || at("-d ") || at("cat ")) && !code.contains("ROOT")
                });
                assert!(!bare, "{name}, line {} of {}: {line}", number + 1, step.name);
            }
        }
    }
}
