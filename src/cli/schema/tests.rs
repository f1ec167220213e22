use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::config::{Config, NotLookedUp};
use crate::domain::strict::recorder::record;
use crate::rules::read_folder;
use crate::runbook::Library;

const RUNBOOK: &str = r#"
[parameters.a]
type = "string"
[parameters.b]
type = "choice"
[parameters.c]
type = "integer"
[targets]
[[steps]]
document = "x"
[[steps]]
shell = "x"
gate = {}
[[steps]]
automation = "x"
[rollback]
automation = "x"
[rollout]
"#;
const POLICY: &str = r#"
[groups.a]
[people.a]
[sets.a]
[[grant]]
run = { names = ["x"], parameters = { a = { one_of = ["x"] } } }
[[forbid]]
run = {}
[[approval]]
when = {}
need = [{}]
[[view]]
[halt]
[approvers.a]
[[test]]
parameters = {}
labels = {}
tags = {}
expect = { approvals = [{}] }
"#;
const CONFIG: &str = r#"
[slack]
app_token = {}
bot_token = {}
[aws]
boundary_tag = {}
[[account]]
external_id = {}
[organizations]
external_id = {}
[paths]
[metrics]
"#;

/// Follows `steps[0].extract` through a schema; names that people choose match `additionalProperties`.
fn at<'s>(root: &'s Value, path: &str) -> &'s Value {
    let mut here = resolve(root, root);
    for part in path.split('.').filter(|p| !p.is_empty()) {
        let name = part.split('[').next().unwrap_or_default();
        let found = here.pointer(&format!("/properties/{name}")).or_else(|| here.get("additionalProperties"));
        here = resolve(root, found.unwrap_or_else(|| panic!("the schema has no `{path}`")));
        if part.contains('[') {
            here = resolve(root, &here["items"]);
        }
    }
    here
}

fn resolve<'s>(root: &'s Value, mut here: &'s Value) -> &'s Value {
    loop {
        if let Some(reference) = here.get("$ref").and_then(Value::as_str) {
            here = root.pointer(reference.trim_start_matches('#')).expect("a definition");
        } else if let Some(some) = here.get("anyOf").and_then(|any| any.get(0)) {
            here = some;
        } else {
            return here;
        }
    }
}

fn assert_same(kind: Kind, known: BTreeMap<String, BTreeSet<String>>, least: usize) {
    let schema = schema(kind);
    assert!(known.len() >= least, "only {:?} were read", known.keys());
    for (path, keys) in known {
        let properties = at(schema.as_value(), &path)["properties"].as_object().expect("properties");
        let names: BTreeSet<String> = properties.keys().cloned().collect();
        assert_eq!(names, keys, "{kind:?}: `{path}`");
        assert_eq!(at(schema.as_value(), &path)["additionalProperties"], false, "{kind:?}: `{path}`");
    }
}

/// Merges what is said of the same kind of table, such as every parameter.
fn merged(known: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    let mut merged = BTreeMap::<String, BTreeSet<String>>::new();
    for (path, keys) in known {
        let path = if path.starts_with("parameters.") { "parameters.a".into() } else { path };
        let path: String = path.replace("[1]", "[0]").replace("[2]", "[0]");
        merged.entry(path).or_default().extend(keys);
    }
    merged
}

#[test]
fn the_schemas_and_the_strict_readers_know_the_same_keys() {
    // A table has the keys of its kind of action, so each kind has to stand in each table that can be of it.
    let mut runbook = merged(record(|| drop(Library::load([("x.toml", RUNBOOK)]))));
    let other = RUNBOOK.replace("[rollback]\nautomation", "[rollback]\ndocument");
    for (path, keys) in merged(record(|| drop(Library::load([("x.toml", other.as_str())])))) {
        runbook.entry(path).or_default().extend(keys);
    }
    assert_same(Kind::Runbook, runbook, 7);
    let files = [(PathBuf::from("x.toml"), POLICY.to_owned())];
    let policy = record(|| drop(crate::policy::load::load(&files, None)));
    assert_same(Kind::Policy, merged(policy), 11);
    let config = record(|| drop(Config::parse(Path::new("muster.toml"), CONFIG, &NotLookedUp)));
    assert_same(Kind::Config, merged(config), 9);
}

#[test]
fn every_shipped_file_has_the_structure_of_its_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, text) in read_folder(&root.join("runbooks")).unwrap() {
        toml::from_str::<runbook::RunbookFile>(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    for (path, text) in read_folder(&root.join("policies")).unwrap() {
        toml::from_str::<policy::PolicyFile>(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

#[test]
fn the_schemas_are_of_the_draft_that_editors_read() {
    for kind in [Kind::Runbook, Kind::Policy, Kind::Config] {
        let schema = schema(kind);
        assert_eq!(schema.as_value()["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema.as_value()["title"].as_str().unwrap().starts_with("Muster "));
    }
}
