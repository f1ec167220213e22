//! `muster check` over a folder of bad files, and over the shipped ones.

use std::path::PathBuf;
use std::process::Command;

use muster::cli::check::{Args, check};

fn fixture(name: &str) -> Args {
    Args { config: Some(PathBuf::from(format!("tests/fixtures/{name}/muster.toml"))), ..Args::default() }
}

#[test]
fn every_fault_in_every_file_is_told_at_once_with_place_and_remedy() {
    insta::assert_snapshot!(check(&fixture("bad")).text());
}

#[test]
fn a_program_reads_the_same_faults_as_json() {
    let report = check(&fixture("bad"));
    let json = report.json();
    assert_eq!(json["ok"], false);
    assert_eq!(json["faults"].as_array().unwrap().len(), report.faults.len());
    let first = &json["faults"][0];
    assert!(first["file"].is_string() && first["at"]["line"].is_u64() && first["at"]["column"].is_u64(), "{first}");
    assert!(first["what"].is_string() && first["remedy"].is_string(), "{first}");
}

#[test]
fn the_shipped_files_have_no_fault() {
    let args = Args {
        runbooks: Some(PathBuf::from("runbooks")),
        policies: Some(PathBuf::from("policies")),
        ..Args::default()
    };
    let report = check(&args);
    assert!(report.faults.is_empty() && report.advice.is_empty(), "{}", report.text());
    assert_eq!(report.tests, 7);
    assert_eq!(report.files, muster::shipped::RUNBOOKS.len() + muster::shipped::POLICIES.len());
}

#[test]
fn a_gate_that_nobody_could_pass_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let runbook = std::fs::read_to_string("runbooks/restart-where-failed.toml").unwrap();
    let gated = runbook.replace("name = \"restart\"", "name = \"restart\"\ngate = { from = \"sree\" }");
    std::fs::write(folder.path().join("restart-where-failed.toml"), gated).unwrap();
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    let groups = "version = 1\n[groups]\nsre = { users = [\"slack:T1:U1\"] }\n";
    std::fs::write(policies.join("p.toml"), groups).unwrap();
    let args = Args { runbooks: Some(folder.path().to_owned()), policies: Some(policies), ..Args::default() };
    let told: Vec<String> = check(&args).faults.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let told = told[0].replace(&folder.path().display().to_string(), "");
    insta::assert_snapshot!(told, @"
    /restart-where-failed.toml:32:17: the gate asks `sree`, a group that no policy file defines
      did you mean `sre`?
    ");
}

#[test]
fn an_account_that_no_set_knows_and_a_grant_without_limits_are_advice() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let account = |id: &str, name: &str, labels: &str| {
        format!(
            "[[account]]\nid = \"{id}\"\nname = \"{name}\"\nrole = \"muster-runner\"\nregions = [\"eu-west-1\"]\n{labels}\n"
        )
    };
    write(
        "muster.toml",
        &format!(
            "version = 1\n[slack]\napp_token = {{ env = \"A\" }}\nbot_token = {{ env = \"B\" }}\n[aws]\nregion = \"eu-west-1\"\n{}{}{}\
             [paths]\nrunbooks = \"runbooks\"\npolicies = \"policies\"\nstore = \"store\"\n",
            account("011111111111", "acme-prod", ""),
            account("022222222222", "acme-new", ""),
            account("033333333333", "acme-test", "labels = { env = \"test\" }"),
        ),
    );
    let runbook = std::fs::read_to_string("runbooks/time-sync.toml").unwrap();
    write("runbooks/time-sync.toml", &runbook);
    write(
        "policies/p.toml",
        r#"version = 1
[groups]
ops = { users = ["slack:T1:U1"] }
[sets.prod]
accounts = ["011111111111"]
production = true
[sets.test]
labels = { env = ["test"] }
production = false
[[grant]]
id = "ops-all"
who = ["ops"]
run = { risk = ["read", "change"] }
where = ["*"]
max_targets = 5
[break_glass]
who = ["ops"]
overrides = ["freeze"]
second = "ops"
justification_min = 20
max_targets = 5
notify = ["slack:T1:C1", "discord:11000000000000001:11000000000000202"]
review = ["ops"]
review_within = "24h"
"#,
    );
    let args = Args { config: Some(folder.path().join("muster.toml")), ..Args::default() };
    let report = check(&args);
    let told = report.text().replace(&folder.path().display().to_string(), "");
    insta::assert_snapshot!(told);
    assert_eq!(report.json()["ok"], true);
    assert_eq!(report.json()["advice"].as_array().unwrap().len(), 4);
}

#[test]
fn folders_that_are_not_there_are_faults() {
    let folder = tempfile::tempdir().unwrap();
    let args = Args {
        runbooks: Some(folder.path().join("none")),
        policies: Some(folder.path().to_owned()),
        ..Args::default()
    };
    let whats: Vec<String> = check(&args).faults.into_iter().map(|f| f.what).collect();
    assert_eq!(whats.len(), 2, "{whats:?}");
    assert!(whats[0].starts_with("there is no policy here") || whats[1].starts_with("there is no policy here"));
}

/// Shells that read a script without running it; busybox is `sh` on some nodes.
#[test]
fn the_shipped_scripts_are_good_syntax_for_every_shell() {
    use muster::runbook::{Action, Library};
    let library = Library::load(muster::rules::read_folder(&PathBuf::from("runbooks")).unwrap()).unwrap();
    for runbook in library.runbooks.values() {
        for step in runbook.steps.iter().chain(&runbook.rollback) {
            let Action::Shell { script } = &step.action else { continue };
            for shell in [vec!["sh", "-n", "-c"], vec!["bash", "--posix", "-n", "-c"]] {
                let out = Command::new(shell[0]).args(&shell[1..]).arg(script).output().unwrap();
                assert!(
                    out.status.success(),
                    "{} {}: {}",
                    runbook.name,
                    step.name,
                    String::from_utf8_lossy(&out.stderr)
                );
            }
        }
    }
}
