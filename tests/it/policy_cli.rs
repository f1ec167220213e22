//! `muster policy` as a person types it: the exit codes that scripts go by, and what is said where nothing can be.

use std::path::Path;
use std::process::{Command, Output};

fn muster(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muster")).args(arguments).env("NO_COLOR", "1").output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const INVENTORY: &str = r#"{ "accounts": [
    { "id": "111111111111", "name": "acme-prod", "regions": ["eu-west-1"], "labels": { "env": "prod" }, "source": "configured" },
    { "id": "222222222222", "name": "acme-staging", "regions": ["eu-west-1"], "labels": { "env": "staging" }, "source": "configured" }
  ], "nodes": [
    { "target": { "account": "111111111111", "region": "eu-west-1", "node": "i-00000000000000001" }, "name": "web-1",
      "platform": "linux", "agent_version": "3.3.0.0", "online": true, "tags": { "service": "web" } },
    { "target": { "account": "222222222222", "region": "eu-west-1", "node": "i-00000000000000002" }, "name": "db-1",
      "platform": "linux", "agent_version": "3.3.0.0", "online": true, "tags": { "service": "db" } }
  ], "unmanaged": [], "unread": [], "unmanaged_unknown": false }"#;

/// A checkout with the shipped files, and one whose policy says something else.
fn checkouts(folder: &Path) {
    for side in ["before", "after"] {
        for kind in ["runbooks", "policies"] {
            let to = folder.join(side).join(kind);
            std::fs::create_dir_all(&to).unwrap();
            for file in std::fs::read_dir(kind).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
    }
    let policy = folder.join("after/policies/default.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(
        &policy,
        text.replace("targets_over = 50", "targets_over = 500").replace("max_targets = 10\n", "max_targets = 3\n"),
    )
    .unwrap();
    std::fs::write(folder.join("accounts.json"), INVENTORY).unwrap();
}

#[test]
fn the_tests_of_the_files_are_asked_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    checkouts(folder.path());
    let side = |side: &str| {
        let [runbooks, policies] =
            ["runbooks", "policies"].map(|kind| folder.path().join(side).join(kind).display().to_string());
        said(&muster(&["policy", "test", "--runbooks", &runbooks, "--policies", &policies]))
    };
    let (code, told, _) = side("before");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.ends_with("\nall 7 hold\n"), "{told}");
    let (code, told, _) = side("after");
    assert_eq!(code, Some(1));
    assert!(
        told.contains("FAIL  51 changes in production take two SREs\n") && told.ends_with("\n1 of 7 fail\n"),
        "{told}"
    );
    let (code, told, trouble) = said(&muster(&["policy", "test", "--policies", "no-such-folder"]));
    assert_eq!((code, told.as_str()), (Some(2), ""));
    assert!(trouble.contains("no-such-folder: cannot be read"), "{trouble}");
}

#[test]
fn two_checkouts_are_compared_on_a_saved_inventory() {
    let folder = tempfile::tempdir().unwrap();
    checkouts(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (before, after, inventory) = (at("before"), at("after"), at("accounts.json"));
    let (code, told, trouble) = said(&muster(&["policy", "diff", &before, &after, "--inventory", &inventory]));
    assert_eq!((code, trouble.as_str()), (Some(1), ""));
    insta::assert_snapshot!("cli_diff", told.replace(&folder.path().display().to_string(), ""));
    let (code, told, _) = said(&muster(&["policy", "diff", &before, &before, "--inventory", &inventory]));
    assert_eq!(code, Some(0), "{told}");
    let (code, told, _) = said(&muster(&["policy", "diff", &before, &after, "--inventory", &inventory, "--json"]));
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &json["nodes"], json["rules"].as_array().unwrap().len()), (Some(1), &serde_json::json!(2), 2));
    // A single file on each side, with the runbooks of a third folder.
    let (old, new) = (at("before/policies/default.toml"), at("after/policies/default.toml"));
    let arguments = ["policy", "diff", &old, &new, "--runbooks", "runbooks", "--inventory", &inventory];
    assert_eq!(said(&muster(&arguments)).0, Some(1));
}

#[test]
fn who_can_tells_every_group_with_its_terms() {
    let folder = tempfile::tempdir().unwrap();
    checkouts(folder.path());
    let inventory = folder.path().join("accounts.json").display().to_string();
    let ask = |rest: &[&str]| {
        let folders = ["--runbooks", "runbooks", "--policies", "policies", "--inventory", &inventory];
        said(&muster(&[&["policy", "who-can"], &folders[..], rest].concat()))
    };
    let (code, told, _) = ask(&["restart-service", "on", "accounts=acme-*"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!("cli_who_can", told);
    assert_eq!(ask(&["reboot-node", "on", "env=prod"]).0, Some(0));
    let (code, _, trouble) = ask(&["restart-servce", "on", "env=prod"]);
    assert_eq!(code, Some(2));
    assert!(trouble.contains("no runbook is called `restart-servce`; did you mean `restart-service`?"), "{trouble}");
    let (code, _, trouble) = ask(&["restart-service", "on", "env=prd"]);
    assert_eq!(code, Some(2), "{trouble}");
    let (code, told, _) = ask(&["disk-usage-windows", "on", "env=prod"]);
    assert_eq!((code, told.as_str()), (Some(2), ""), "no node that it runs on");
}

#[test]
fn what_is_no_inventory_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.json");
    std::fs::write(&file, "{}").unwrap();
    let file = file.display().to_string();
    let (code, _, trouble) = said(&muster(&["policy", "diff", "policies", "policies", "--inventory", &file]));
    assert_eq!(code, Some(2));
    assert!(trouble.contains("not an inventory") && trouble.contains("muster policy inventory"), "{trouble}");
    let (code, _, trouble) = said(&muster(&["policy", "diff", "policies", "policies", "--config", "no-such.toml"]));
    assert_eq!(code, Some(2), "{trouble}");
}
