use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::domain::{AccountId, Millis, Region};

/// Reads a small made-up format and renders every fault.
fn read(text: &str) -> String {
    let ((), faults) = super::read(Path::new("x.toml"), text, walk);
    faults.iter().map(|f| format!("{f}\n")).collect()
}

fn walk(document: &Document<'_>) {
    let root = document.root();
    let _ = root.required_integer("version", 1..=1);
    let _ = root.required_str("title");
    let _ = root.optional_strings("tags");
    let _ = root.optional_choice("risk", &[("read", 1), ("change", 2)]);
    let _ = root.optional::<Millis>("timeout");
    let _ = root.optional_bool("on");
    let _ = root.optional_list::<Region>("regions");
    let _ = root.text_map("labels");
    root.refuse("automation", "`automation` is not supported by this version", "use `shell`");
    for account in root.tables("account") {
        let _ = account.required_of::<AccountId>("id");
        let _ = account.item("any").map(|i| (i.scalar(), i.kind()));
        account.finish();
    }
    root.finish();
}

#[test]
fn a_good_file_has_no_fault() {
    let good = "version = 1\ntitle = 'x'\ntags = ['a']\nlabels = { env = 'prod' }\n[[account]]\nid = '012345678901'\n";
    assert_eq!(read(good), "");
}

#[test]
fn every_fault_is_found_at_once_with_its_place_and_remedy() {
    insta::assert_snapshot!(read(
        "version = 2
titel = 'é'
tags = 'linux'
risk = 'chnage'
timeout = 30
on = 'yes'
regions = ['eu-west-1', 'moon', 5]
automation = 'x'
[labels]
env = 1
[[account]]
id = '12345678901'
é = 1
[[account]]
id = 123456789012
[[account]]
"
    ), @r#"
    x.toml:1:11: `version` is `2`
      write `1`
    x.toml:2:1: unknown key `titel`
      did you mean `title`?
    x.toml:3:8: `tags`: expected a list, found text
      write it in brackets, even if it has one value: `["a"]`
    x.toml:4:8: `risk` is `chnage`
      did you mean `change`?
    x.toml:5:11: `timeout`: expected text, found an integer
      write text in quotes, like `"2m"`
    x.toml:6:6: `on`: expected a boolean, found text
      write `true` or `false` without quotes
    x.toml:7:25: `regions[1]`: `moon` is not an AWS region such as `eu-west-1`
      write it like `"eu-west-1"`
    x.toml:7:33: `regions[2]`: expected text, found an integer
      write text in quotes, like `"eu-west-1"`
    x.toml:8:1: `automation` is not supported by this version
      use `shell`
    x.toml:10:7: `labels.env`: expected text, found an integer
      write it in quotes: `"1"`
    x.toml:12:6: `account[0].id`: `12345678901` has 11 digits, an AWS account id has 12
      write it like `"012345678901"`
    x.toml:13:1: invalid unquoted key, expected letters, numbers, `-`, `_`
      each line is `key = value`, a `[table]` or a `# comment`
    x.toml:15:6: `account[1].id`: expected text, found an integer
      account ids are text, because a number would lose its leading zeros: write `"123456789012"`
    x.toml:16:1: `account[2].id` is missing
      add `id = "012345678901"`
    "#);
}

#[test]
fn syntax_faults_come_with_the_others_and_hide_nothing_behind_them() {
    insta::assert_snapshot!(read(
        "version = 1
title = \"never closed
tags = [\"a\" \"b\"]
risk = change
riks = 'read'
timeout 5
title = 'again'
on = tru
[[account]]
id = 012345678901
[[account]]
id = '1'
[account
id = 5
[labels]
env = 3
steps]]
name = 'x'
"
    ), @r#"
    x.toml:2:22: invalid basic string, expected `"`
      close the quote on this line; a text of several lines stands between `'''` and `'''`
    x.toml:3:13: missing comma between array elements, expected `,`
      a list stands in brackets with commas between its values: `["a", "b"]`
    x.toml:4:8: `change` is text without quotes
      write `"change"`
    x.toml:5:1: unknown key `riks`
      did you mean `risk`?
    x.toml:6:9: key with no value, expected `=`
      write a value after the `=`, or take the key out
    x.toml:8:6: invalid boolean, expected `true`
      check quotes, brackets and commas of this value
    x.toml:10:6: a number may not start with a zero
      account ids are text, because a number would lose its zeros: write `"012345678901"`
    x.toml:12:6: `account[1].id`: `1` has 1 digit, an AWS account id has 12
      write it like `"012345678901"`
    x.toml:13:9: unclosed table, expected `]`
      a table's name stands in brackets: `[targets]`, `[[steps]]`
    x.toml:14:1: `id` stands here a second time
      keep one of the two
    x.toml:16:7: `labels.env`: expected text, found an integer
      write it in quotes: `"3"`
    x.toml:17:6: key with no value, expected `=`
      write a value after the `=`, or take the key out
    "#);
}

#[test]
fn what_is_never_closed_is_named_where_it_opens() {
    insta::assert_snapshot!(read("version = 1\ntitle = 'x'\nrisk = 'raed'\ntags = ['a',\non = 5\n[[account]]\nid = '1'\n"), @r#"
    x.toml:3:8: `risk` is `raed`
      did you mean `read`?
    x.toml:4:8: this list or table is never closed
      close it with `]` behind its last value
    x.toml:5:6: `on`: expected a boolean, found an integer
      write `true` or `false` without quotes
    x.toml:7:6: `account[0].id`: `1` has 1 digit, an AWS account id has 12
      write it like `"012345678901"`
    "#);
    insta::assert_snapshot!(read("version = 2\ntitle = '''\nx\non = 5\n[[account]]\nid = '1'\n"), @r#"
    x.toml:1:11: `version` is `2`
      write `1`
    x.toml:2:9: this text is never closed
      close it with `'''` after its last line
    "#);
}

#[test]
fn columns_count_characters() {
    let ((), faults) = super::read(Path::new("x.toml"), "\u{feff}a = { 'ééé' = 1, b = 2 }", |document| {
        let root = document.root();
        let table = root.optional_table("a").unwrap();
        let _ = table.item("ééé");
        table.finish();
        root.finish();
    });
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].at, Some(Position { line: 1, column: 18 }));
}

#[test]
fn a_place_inside_a_script_is_a_place_in_the_file() {
    let ((), faults) = super::read(Path::new("x.toml"), "title = '''\none\ntwo\n'''", |document| {
        let title = document.root().required_str("title").unwrap();
        assert_eq!(title.value, "one\ntwo\n");
        document.fault(&document.inside(&title, 5), "here", "there");
    });
    assert_eq!(faults[0].at, Some(Position { line: 3, column: 2 }));
}

const GOOD: &str = "version = 1\ntitle = '''\na\n'''\ntags = [\"a\", 'b']\nrisk = \"read\"\ntimeout = '5s'\non = true\n\
    labels = { env = 'prod', n.o = 1.5 }\n[[account]]\nid = '012345678901'\nany = 0x1f\n[[account]]\nid = '1'\nany = 1979-05-27\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*|[\\[\\]{}='\"\\\\.,#a-c0-9\\n\\r\\t \u{feff}é-]{0,80}") {
        read(&text);
    }

    #[test]
    fn a_damaged_file_never_panics_and_every_fault_has_a_place(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[\\[\\]{}='\"\\\\.,#a-c0-9\\n\\r\\té-]{0,3}"), 1..5)
    ) {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (from, to, put) in cuts {
            let from = from.index(text.len() + 1);
            let to = (from + to.index(6)).min(text.len());
            text.splice(from..to, put.chars());
        }
        let text: String = text.into_iter().collect();
        let lines = text.matches('\n').count() + 1;
        let ((), faults) = super::read(Path::new("x.toml"), &text, walk);
        for fault in faults {
            let at = fault.at.expect("a place");
            prop_assert!(at.line as usize <= lines && at.line > 0 && at.column > 0);
            prop_assert!(!fault.remedy.is_empty());
        }
    }
}
