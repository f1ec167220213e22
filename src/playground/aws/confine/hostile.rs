//! What a hostile runbook tries with the tools that it does have, and what it cannot do all the same.

use super::tests::{run, run_with};
use super::*;

#[test]
fn no_listed_tool_lends_a_script_its_own_way_out() {
    let outside = std::env::temp_dir().join(format!("muster-outside-{}", super::super::random_token()));
    fs::write(&outside, "mine").unwrap();
    let path = outside.display();
    let script = format!(
        "cp -s {path} \"$ROOT/a\" 2>/dev/null; cat \"$ROOT/a\" && echo \"READ by a link\"; echo evil >\"$ROOT/a\"; \
         cp {path} \"$ROOT/b\" && echo COPIED; tee {path} </dev/null; sed -n 'w {path}' \"$ROOT/etc/hostname\"; \
         awk 'BEGIN {{ while ((getline line <\"{path}\") > 0) print \"READ \" line; print \"evil\" >\"{path}\" }}'; \
         awk 'BEGIN {{ system(\"/usr/bin/find / -maxdepth 1\"); \"/usr/bin/id\" | getline x; print \"ran\" x }}'; \
         sort -o {path} \"$ROOT/etc/hostname\"; touch -d 2001-01-01 {path}; cp -r / \"$ROOT/all\"; ls \"$ROOT/all\"; echo done"
    );
    let before = fs::metadata(&outside).unwrap().modified().unwrap();
    let ended = run(&script);
    let told: Vec<&str> = ended.stdout.lines().filter(|l| l.contains("READ") || l.contains("COPIED")).collect();
    assert!(told.is_empty(), "{}", ended.stdout);
    assert!(!ended.stdout.contains("/etc") && ended.stdout.lines().any(|l| l == "ran"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("done\n"), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert_eq!(fs::metadata(&outside).unwrap().modified().unwrap(), before);
    fs::remove_file(&outside).unwrap();
}

#[test]
fn a_script_changes_neither_modes_nor_times_outside() {
    let outside = std::env::temp_dir().join(format!("muster-outside-{}", super::super::random_token()));
    fs::DirBuilder::new().mode(0o700).create(&outside).unwrap();
    let before = fs::metadata(&outside).unwrap();
    let path = outside.display();
    let script = format!(
        "mkdir -p -m 777 \"$ROOT/open\" {path}; for cp in cp /bin/cp /usr/bin/cp; do $cp -a \"$ROOT/open/.\" {path}; $cp -rp \"$ROOT/open/.\" {path}; done; \
         for touch in touch /bin/touch /usr/bin/touch; do $touch -d 2001-01-01 {path}; done; echo done"
    );
    assert_eq!(run(&script).stdout, "done\n");
    let after = fs::metadata(&outside).unwrap();
    assert_eq!(after.permissions(), before.permissions());
    assert_eq!(after.modified().unwrap(), before.modified().unwrap());
    fs::remove_dir(&outside).unwrap();
}

#[test]
fn copies_are_made_as_runbooks_make_them() {
    let script = "cd \"$ROOT\"; mkdir -p d/e; echo one >d/e/x; echo two >d/.y; cp -p -- d/e/x z; cat z; cp -a d copy; cat copy/e/x copy/.y; \
         cp z d/e/x copy; cat copy/z copy/x; cp d q || echo no; cp missing q || echo missing; touch -d 2001-01-01 new; ls new";
    let ended = run(script);
    assert_eq!(ended.stdout, "one\none\ntwo\none\none\nno\nmissing\nnew\n", "{}", ended.stderr);
}

#[test]
fn a_script_sees_nothing_of_the_environment_of_this_host() {
    // The test runner's own, which the script would inherit.
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")), "there is something to see");
    let ended = run("awk 'BEGIN { for (name in ENVIRON) print name }' | sort | tr '\\n' ' '");
    let own = ["AWKPATH", "AWKLIBPATH", "OLDPWD", "SHLVL", "_"];
    let told: Vec<&str> = ended.stdout.split_whitespace().filter(|n| !own.contains(n)).collect();
    let given = ["AWS_SSM_INSTANCE_ID", "HOME", "LC_ALL", "MUSTER_PLAY_JOB", "PATH", "PWD", "ROOT", "TMPDIR", "TZ"];
    assert_eq!(told, given);
}

#[test]
fn a_script_reads_no_other_node() {
    let confinement = Confinement::new().unwrap();
    let (other, _) = confinement.scratch("222222222222", "i-0other").unwrap();
    fs::write(other.join("secret"), "of another customer").unwrap();
    let name = other.file_name().unwrap().to_string_lossy().into_owned();
    let script =
        format!("cat \"$ROOT/../{name}/secret\"; ls \"$ROOT/..\"; echo evil >\"$ROOT/../{name}/secret\"; echo done");
    assert_eq!(run_with(&confinement, &script, Duration::from_secs(20)).stdout, "done\n");
    assert_eq!(fs::read_to_string(other.join("secret")).unwrap(), "of another customer");
}

#[test]
fn a_script_that_ignores_every_signal_still_ends_in_time() {
    let script =
        "trap '' HUP INT TERM QUIT; (trap '' HUP INT TERM; while :; do sleep 1; done) & while :; do sleep 1; done";
    let ended = run_with(&Confinement::new().unwrap(), script, Duration::from_millis(600));
    assert_eq!((ended.code, ended.timed_out), (137, true));
}

#[test]
fn a_script_fills_neither_this_hosts_disk_with_one_file_nor_its_memory_with_output() {
    let flood = "awk 'BEGIN { while (i++ < 400000) print \"0123456789012345678901234567890123456789\" }'";
    let ended = run(flood);
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.len() <= STREAM_MAX, "{}", ended.stdout.len());
    let confinement = Confinement::new().unwrap();
    let script = "awk 'BEGIN { while (i++ < 2500000) print \"0123456789012345678901234567890123456789\" }' >\"$ROOT/big\"; echo done";
    run_with(&confinement, script, Duration::from_secs(60));
    let (scratch, _) = confinement.scratch("111111111111", "i-0a1b2c3d").unwrap();
    let most = 65_536 * 1024;
    assert!(fs::metadata(scratch.join("big")).unwrap().len() <= most);
}
