//! What a hostile script cannot do.

use super::*;

pub(super) fn run_with(confinement: &Confinement, script: &str, timeout: Duration) -> Ended {
    let (scratch, _) = confinement.scratch("111111111111", "i-0a1b2c3d").unwrap();
    let job = Job {
        script,
        script_path: "_script.sh",
        scratch: &scratch,
        family: "",
        environment: vec![("AWS_SSM_INSTANCE_ID", "i-0a1b2c3d".to_owned())],
        timeout,
        cancel: Arc::default(),
    };
    confinement.run(&job).unwrap()
}
pub(super) fn run(script: &str) -> Ended {
    run_with(&Confinement::new().unwrap(), script, Duration::from_secs(20))
}

#[test]
fn a_script_works_on_its_own_node() {
    let ended = run(
        "mkdir -p \"$ROOT/etc\"; echo kept >\"$ROOT/etc/x\"; mv \"$ROOT/etc/x\" \"$ROOT/y\"; cat \"$ROOT/y\"; echo \"$AWS_SSM_INSTANCE_ID at $ROOT/etc\"; echo no >&2; exit 7",
    );
    assert_eq!(ended.stdout, "kept\ni-0a1b2c3d at /etc\n");
    assert_eq!((ended.code, ended.stderr.as_str(), ended.timed_out), (7, "no\n", false));
}

#[test]
fn a_hostile_script_reads_nothing_of_this_host() {
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".into());
    let repository = env!("CARGO_MANIFEST_DIR");
    let script = format!(
        "for f in /etc/passwd /etc/hostname /proc/self/environ {repository}/Cargo.toml /proc/1/cmdline; do cat \"$f\" && echo \"READ $f\"; done\n\
         for d in {home} / /etc /tmp {repository} /proc; do ls \"$d\" && echo \"LISTED $d\"; done\n\
         echo \"home is $HOME\"; echo done"
    );
    let ended = run(&script);
    assert_eq!(ended.stdout, "home is /root\ndone\n", "{}", ended.stderr);
}

#[test]
fn a_hostile_script_writes_nothing_outside_its_node() {
    let outside = std::env::temp_dir().join(format!("muster-outside-{}", super::super::random_token()));
    fs::write(&outside, "mine").unwrap();
    let path = outside.display();
    let script = format!(
        "echo evil >{path}; echo evil >>{path}; true >{path}; rm -f {path}; mv {path} \"$ROOT/stolen\"; touch {path}.new; mkdir {path}.dir; \
         echo x >\"$ROOT/link-target\"; cat /dev/null >\"${{PATH%%:*}}/df\"; echo done"
    );
    let ended = run(&script);
    assert_eq!(ended.stdout, "done\n");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert!(!PathBuf::from(format!("{path}.new")).exists() && !PathBuf::from(format!("{path}.dir")).exists());
    fs::remove_file(&outside).unwrap();
}

#[test]
fn a_script_runs_no_tool_that_is_not_listed_and_nothing_it_wrote() {
    let script = "for t in python3 perl find chmod chown setsid env bash curl kill; do command -v \"$t\" >/dev/null && [ \"$t\" != kill ] && echo \"FOUND $t\"; done\n\
         for t in /usr/bin/find /bin/chmod /usr/bin/python3 /usr/bin/setsid /bin/bash /usr/bin/env; do \"$t\" --version && echo \"RAN $t\"; done\n\
         printf '#!/bin/sh\\necho RAN scratch\\n' >\"$ROOT/x\"; \"$ROOT/x\"; echo \"code $?\"; \
         cp /bin/cat \"$ROOT/cat\"; \"$ROOT/cat\" /dev/null; echo \"code $?\"; cp /bin/sh \"$ROOT/find\"; \"$ROOT/find\" -c 'echo RAN copy'; echo \"code $?\"";
    // What a script writes is never executable, and scratch holds no right to execute either.
    assert_eq!(run(script).stdout, "code 126\ncode 126\ncode 126\n");
}

#[test]
fn a_script_that_does_not_end_is_killed_with_everything_it_started() {
    let mark = format!("4{}", rand::random::<u32>() % 90_000 + 10_000);
    let script = format!(
        "echo begun; sleep {mark} & (sleep {mark} &) ; set -m 2>/dev/null; sleep {mark} & ( unset MUSTER_PLAY_JOB; sleep {mark} & ) ; sleep {mark}"
    );
    let begun = Instant::now();
    let ended = run_with(&Confinement::new().unwrap(), &script, Duration::from_millis(700));
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert_eq!((ended.code, ended.timed_out), (137, true));
    assert!(ended.stdout.starts_with("begun"));
    assert_eq!(running(&mark), 0);
}

#[test]
fn nothing_of_a_script_outlives_its_own_end() {
    let mark = format!("5{}", rand::random::<u32>() % 90_000 + 10_000);
    let ended = run(&format!("sleep {mark} >/dev/null 2>&1 & echo over"));
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "over\n"));
    assert_eq!(running(&mark), 0);
}

/// Living processes `sleep <mark>`.
fn running(mark: &str) -> usize {
    let needle = format!("sleep\0{mark}\0");
    let mut found = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        found += usize::from(fs::read(entry.path().join("cmdline")).is_ok_and(|c| c == needle.as_bytes()));
    }
    found
}

#[test]
fn a_cancelled_script_is_killed_and_keeps_its_output() {
    let confinement = Confinement::new().unwrap();
    let (scratch, _) = confinement.scratch("1", "i-1").unwrap();
    let cancel = Arc::new(AtomicBool::new(false));
    let job = Job {
        script: "echo partial; : >\"$ROOT/begun\"; sleep 60",
        script_path: "s",
        scratch: &scratch,
        family: "",
        environment: Vec::new(),
        timeout: Duration::from_secs(60),
        cancel: cancel.clone(),
    };
    let begun = scratch.join("begun");
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !begun.exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
            cancel.store(true, Ordering::SeqCst);
        });
        confinement.run(&job).unwrap()
    });
    assert_eq!((ended.code, ended.cancelled, ended.stdout.as_str()), (137, true, "partial\n"));
}

/// No listed tool can open a connection, so the test lends the script bash, which has `/dev/tcp`.
#[test]
fn a_script_connects_to_no_port() {
    let bash = Path::new("/bin/bash");
    if !bash.exists() || strength() != Some(Strength::Full) {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let free = Command::new(bash).args(["-c", &format!("echo x >/dev/tcp/127.0.0.1/{port}")]).status().unwrap();
    assert!(free.success(), "without confinement it connects");
    let confinement = Confinement::with_tools(&[bash]).unwrap();
    let script = format!("bash -c 'echo x >/dev/tcp/127.0.0.1/{port}' && echo CONNECTED; echo done");
    let ended = run_with(&confinement, &script, Duration::from_secs(10));
    assert_eq!(ended.stdout, "done\n");
    assert!(ended.stderr.contains("Permission denied"), "{}", ended.stderr);
}

#[test]
fn a_script_signals_nobody_else() {
    let mut victim = Command::new("sleep").arg("30").spawn().unwrap();
    let ended = run(&format!("kill -s KILL {} && echo KILLED; echo done", victim.id()));
    let alive = victim.try_wait().unwrap().is_none();
    victim.kill().unwrap();
    victim.wait().unwrap();
    if strength() == Some(Strength::Full) {
        assert_eq!((ended.stdout.as_str(), alive), ("done\n", true));
    }
}

#[test]
fn this_process_stays_free() {
    run("true");
    assert!(fs::read_to_string("/etc/passwd").is_ok());
    let confinement = Confinement::new().unwrap();
    let root = confinement.root.clone();
    drop(confinement);
    assert!(!root.exists(), "the folders are cleared away");
}
