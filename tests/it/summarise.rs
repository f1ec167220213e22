//! `muster summarise` as a person types it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn summarise(arguments: &[&str], folder: &Path, input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
        .arg("summarise")
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may refuse before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// 60 nodes of two accounts; those of one have an old version, one node says that its configuration is wrong, and each has
/// its own time and pid.
fn outputs() -> (String, String) {
    let (mut text, mut inventory) = (String::new(), "node\taccount\n".to_owned());
    for n in 0..60 {
        let old = n % 5 == 0;
        inventory += &format!("web-{n:02}\t{}\n", if old { "acme-eu" } else { "acme-us" });
        text += &format!("web-{n:02}: nginx/{}\n", if old { "1.18.0" } else { "1.24.0" });
        text += &format!("web-{n:02}: started at 2026-11-22T10:{n:02}:01Z pid {}\n", 900 + n * 7);
        if n == 7 {
            text += "web-07: Error: test of /etc/nginx/nginx.conf failed\n";
        }
    }
    (text, inventory)
}

#[test]
fn few_that_differ_are_told_with_what_they_have_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let (text, inventory) = outputs();
    std::fs::write(folder.path().join("nodes.tsv"), inventory).unwrap();
    let (code, out, err) =
        summarise(&["--inventory", "nodes.tsv", "--groups", "groups.tsv"], folder.path(), text.as_bytes());
    assert_eq!((code, err.as_str()), (Some(0), ""));
    insta::assert_snapshot!("summarise", out);
    let groups = std::fs::read_to_string(folder.path().join("groups.tsv")).unwrap();
    assert_eq!(groups.lines().count(), 60);
    assert!(groups.contains("web-00\t2\n") && groups.contains("web-07\t3\n"), "{groups}");
    // Whichever node came first.
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_by_key(|line| std::cmp::Reverse(&line[..6]));
    let (_, backwards, _) = summarise(&["--inventory", "nodes.tsv"], folder.path(), lines.join("\n").as_bytes());
    let told = |out: &str| out.lines().filter(|line| line.contains(". ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(told(&backwards), told(&out));
}

#[test]
fn what_is_not_as_expected_is_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, _) = summarise(&["--expect", "^active$"], folder.path(), b"a: active\nb: active\nc: failed\n");
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("summarise_expect", out);
    assert_eq!(summarise(&["--expect", "^active$"], folder.path(), b"a: active\n").0, Some(0));
    assert_eq!(summarise(&["--expect", "("], folder.path(), b"a: active\n").0, Some(2));
}

#[test]
fn what_changed_since_an_earlier_output_is_told_and_nothing_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (text, _) = outputs();
    std::fs::write(folder.path().join("old.txt"), &text).unwrap();
    let (_, same, _) = summarise(&["--against", "old.txt"], folder.path(), text.as_bytes());
    assert!(same.contains("\nNothing changed since: 60 nodes as before.\n"), "{same}");
    let new = text.replace("web-00: nginx/1.18.0", "web-00: nginx/1.24.0").replace("web-59:", "web-60:");
    let (_, changed, _) = summarise(&["--against", "old.txt"], folder.path(), new.as_bytes());
    insta::assert_snapshot!("summarise_changes", &changed[changed.find("\nSince then").unwrap()..]);
}

#[test]
fn what_cannot_be_told_is_one_sentence_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, input, why) in [
        (&[][..], &b"one\ntwo\n"[..], "this is not `node: line` text: 2 of 2 lines name no node, the first is `one`"),
        (&[], b"", "there is nothing to tell of: no line came in"),
        (&["gone.txt"], b"", "gone.txt: cannot be read"),
        (&["--inventory", "gone.tsv"], b"a: 1\n", "gone.tsv: cannot be read"),
        (&[], &[0xff, 0, 1, b'\n', 0xfe, b'\n'], "this is not `node: line` text"),
    ] {
        let (code, out, err) = summarise(arguments, folder.path(), input);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.starts_with(&format!("muster: {why}")) && err.lines().count() == 1, "{err}");
    }
}

#[test]
fn secrets_are_in_no_form_of_what_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"a: DB_PASSWORD=correct-horse-battery\nb: DB_PASSWORD=correct-horse-battery\nc: fine\n";
    for arguments in [&[][..], &["--json"], &["--redact-only"]] {
        let (code, out, err) = summarise(arguments, folder.path(), text);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(!out.contains("horse") && out.contains("‹secret:password#"), "{out}");
    }
    // Any other text is redacted as it is.
    let (_, out, _) = summarise(&["--redact-only"], folder.path(), b"export DB_PASSWORD=correct-horse-battery\nls\n");
    assert!(out.starts_with("export DB_PASSWORD=‹secret:password#") && out.ends_with("›\nls\n"), "{out}");
}
