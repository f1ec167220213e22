//! What an operator sees in the terminal where a file is wrong: every fault at once, each with file, line, column and
//! remedy, and an exit code that a script notices. `serve` contacts nobody before that.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

static CHECKED: std::sync::LazyLock<regex::Regex> =
    std::sync::LazyLock::new(|| regex::Regex::new(r"\d+ files? checked").unwrap());

/// The command, its exit code, and what it printed where.
fn terminal(arguments: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(arguments.split(' ')).stdin(Stdio::null()).current_dir(env!("CARGO_MANIFEST_DIR"));
    for name in ["SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "ACME_EXTERNAL_ID", "MUSTER_CONFIG", "MUSTER_LOG"] {
        command.env_remove(name);
    }
    let out = command.output().unwrap();
    let mut text = format!("$ muster {arguments}\n");
    for (name, bytes) in [("stdout", &out.stdout), ("stderr", &out.stderr)] {
        if !bytes.is_empty() {
            write!(text, "--- {name}\n{}", String::from_utf8_lossy(bytes)).unwrap();
        }
    }
    // However many files are shipped.
    let text_before = std::mem::take(&mut text);
    text.push_str(&CHECKED.replace_all(&text_before, "<n> files checked"));
    write!(text, "--- exit code {}", out.status.code().unwrap()).unwrap();
    text
}

#[test]
fn check_tells_every_malformed_file_at_once() {
    insta::assert_snapshot!(terminal("check --config tests/fixtures/malformed/muster.toml"));
}

#[test]
fn serve_starts_nothing_over_malformed_files_and_tells_the_same() {
    insta::assert_snapshot!(terminal("serve --config tests/fixtures/malformed/muster.toml"));
}

#[test]
fn check_finds_a_missing_token_and_an_account_id_of_11_digits() {
    insta::assert_snapshot!(terminal("check --secrets --config tests/fixtures/first-day/muster.toml"));
}

#[test]
fn serve_starts_nothing_without_its_token_and_with_an_account_id_of_11_digits() {
    insta::assert_snapshot!(terminal("serve --config tests/fixtures/first-day/muster.toml"));
}

#[test]
fn a_configuration_that_is_not_there_is_told_with_the_way_to_one() {
    let told = ["check", "serve"].map(|verb| terminal(&format!("{verb} --config tests/fixtures/none/muster.toml")));
    insta::assert_snapshot!(told.join("\n\n"));
}
