//! The `[[steps]]` of a runbook file.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::strict::{At, Kind, Table};
use crate::domain::{Millis, NodePlatform};

use super::bound::Bound;
use super::lint::{self, Finding};
use super::load::{DELIVERY_TIMEOUT_DEFAULT_SECS, TIMEOUT_DEFAULT_SECS};
use super::{ASSUME_ROLE, Action, OnFailure, Parameter, Step, flow, names, value};

/// More would make one run last for days.
const STEPS_MAX: usize = 20;
/// The table of the rollback, and the name of its step.
pub const ROLLBACK: &str = "rollback";

type Parameters = BTreeMap<String, Parameter>;

pub(super) fn read_steps(
    root: &Table<'_>,
    parameters: &Parameters,
    platforms: Option<&[At<NodePlatform>]>,
) -> (Vec<Step>, Option<Step>) {
    let has_steps = root.has("steps");
    let tables = root.tables("steps");
    if !has_steps {
        root.missing("steps", "add `[[steps]]` with `name = \"…\"` and `shell = '''…'''`");
    }
    if tables.len() > STEPS_MAX {
        root.fault(format!("{} steps, at most {STEPS_MAX} are allowed", tables.len()), "split the runbook");
    }
    let mut names = BTreeSet::from([ROLLBACK.to_owned()]);
    let mut used = BTreeSet::new();
    let mut steps: Vec<Step> = Vec::new();
    let mut complete = true;
    let rolls_back = root.has(ROLLBACK);
    for table in tables {
        let before = flow::Before { steps: &steps, complete };
        let step = read_step(table, parameters, platforms, &mut names, &mut used, &before, rolls_back);
        complete &= step.is_some();
        steps.extend(step);
    }
    let rollback = read_rollback(root, parameters, platforms, &mut used);
    complete &= rollback.is_some() == rolls_back;
    if complete && !steps.is_empty() {
        unused(root, parameters, &used);
    }
    (steps, rollback)
}

/// A parameter that nothing reads is a slip, or a promise to the approver that the script does not keep.
fn unused(root: &Table<'_>, parameters: &Parameters, used: &BTreeSet<String>) {
    let Some(table) = root.optional_table("parameters") else { return };
    for name in parameters.keys().filter(|name| !used.contains(*name)) {
        if let Some(span) = table.key_span(name) {
            let what = format!("no step uses the parameter `{name}`");
            root.document().fault(&span, what, format!("use `\"${name}\"` in a step, or take the parameter out"));
        }
    }
}

fn read_step(
    table: Table<'_>,
    parameters: &Parameters,
    platforms: Option<&[At<NodePlatform>]>,
    names: &mut BTreeSet<String>,
    used: &mut BTreeSet<String>,
    before: &flow::Before<'_>,
    rolls_back: bool,
) -> Option<Step> {
    let document = table.document();
    let name = table.required_str("name");
    if let Some(name) = &name {
        if let Err(e) = names::plain(name.value) {
            document.fault(&name.span, e.to_string(), "write it like `restart`");
        }
        if !names.insert(name.value.to_owned()) {
            let what = if name.value == ROLLBACK {
                "the name `rollback` is the rollback's own".to_owned()
            } else {
                format!("there is a step `{}` before this one", name.value)
            };
            document.fault(&name.span, what, "give each step its own name");
        }
    }
    let (when, unless) = flow::read_conditions(&table, before);
    let gate = flow::read_gate(&table, before.is_empty());
    let on_failure = read_on_failure(&table, rolls_back);
    let step = read_body(table, parameters, platforms, used)?;
    Some(Step { name: name?.value.to_owned(), when, unless, gate, on_failure, ..step })
}

/// What every step has, the rollback included: the action, its limits, and what is read from its output.
fn read_body(
    table: Table<'_>,
    parameters: &Parameters,
    platforms: Option<&[At<NodePlatform>]>,
    used: &mut BTreeSet<String>,
) -> Option<Step> {
    let reboots = table.optional_bool("reboots");
    let action = read_action(&table, parameters, platforms, used, reboots.as_ref().is_some_and(|r| r.value));
    let timeout = within(&table, "timeout", 5, 48 * 3600, TIMEOUT_DEFAULT_SECS, "`5s` to `48h`");
    let delivery = within(&table, "delivery_timeout", 30, 30 * 86_400, DELIVERY_TIMEOUT_DEFAULT_SECS, "`30s` to `30d`");
    let (extract, expect) = read_extract(&table);
    check_reboots(&table, reboots.as_ref(), action.as_ref());
    table.finish();
    Some(Step {
        name: ROLLBACK.to_owned(),
        action: action?,
        timeout,
        delivery_timeout: delivery,
        extract,
        expect,
        on_failure: OnFailure::Stop,
        when: BTreeMap::new(),
        unless: BTreeMap::new(),
        gate: None,
        reboots: reboots.is_some_and(|r| r.value),
    })
}

/// `[rollback]`: a step without a place among the others.
pub(super) fn read_rollback(
    root: &Table<'_>,
    parameters: &Parameters,
    platforms: Option<&[At<NodePlatform>]>,
    used: &mut BTreeSet<String>,
) -> Option<Step> {
    let table = root.optional_table(ROLLBACK)?;
    for key in ["name", "when", "unless", "gate", "on_failure"] {
        table.refuse(
            key,
            &format!("`{key}` is not a key of the rollback"),
            "take it out; it runs once on each touched node",
        );
    }
    read_body(table, parameters, platforms, used)
}

/// Only a script that the agent runs can ask for a reboot.
fn check_reboots(table: &Table<'_>, reboots: Option<&At<bool>>, action: Option<&Action>) {
    let by_document = matches!(action, Some(Action::Document { .. } | Action::Automation { .. }));
    if let Some(reboots) = reboots.filter(|r| r.value && by_document) {
        let what = "`reboots` is for `shell` and `powershell` steps";
        table.document().fault(&reboots.span, what, "take it out; a document reboots by its own means");
    }
}

fn within(table: &Table<'_>, key: &str, low: u64, high: u64, default: u64, range: &str) -> Millis {
    let Some(length) = table.optional::<Millis>(key) else { return Millis::from_secs(default) };
    if length.value < Millis::from_secs(low) || length.value > Millis::from_secs(high) {
        let what = format!("`{}.{key}` is {}, outside what Systems Manager allows", table.path(), length.value);
        table.document().fault(&length.span, what, format!("use {range}"));
    }
    length.value
}

fn read_on_failure(table: &Table<'_>, rolls_back: bool) -> OnFailure {
    let choices = [("stop", OnFailure::Stop), ("continue", OnFailure::Continue), ("rollback", OnFailure::Rollback)];
    let Some(choice) = table.optional_choice("on_failure", &choices) else { return OnFailure::Stop };
    if choice.value == OnFailure::Rollback && !rolls_back {
        let what = "`on_failure = \"rollback\"` and no rollback is defined";
        table.document().fault(&choice.span, what, "add `[rollback]` with `shell = '''…'''`, or use `stop`");
    }
    choice.value
}

fn read_extract(table: &Table<'_>) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let document = table.document();
    let entries = |key: &str| table.optional_table(key).map(|t| t.entries()).unwrap_or_default();
    let mut extract = BTreeMap::new();
    let mut named = Vec::new();
    for (name, item) in entries("extract") {
        named.push(name.value.to_owned());
        if let Err(e) = names::plain(name.value) {
            document.fault(&name.span, e.to_string(), "write it like `state`");
        }
        let Some(text) = item.text() else { continue };
        match value::compile(text.value) {
            Ok(_) => {
                extract.insert(name.value.to_owned(), text.value.to_owned());
            }
            Err(why) => item.fault(
                format!("`{}` is not a regular expression: {why}", item.path()),
                "correct it; the syntax is that of Rust's regex crate",
            ),
        }
    }
    let mut expect = BTreeMap::new();
    for (name, item) in entries("expect") {
        if !named.iter().any(|n| n == name.value) {
            let near = crate::domain::fault::closest(name.value, named.iter().map(String::as_str));
            let remedy = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add `extract.{} = '…'` to this step", name.value),
            };
            document.fault(
                &name.span,
                format!("`expect.{}` names nothing that this step extracts", name.value),
                remedy,
            );
        }
        if let Some(value) = item.scalar() {
            if Bound::is_meant(&value.value) && Bound::of(&value.value).is_none() {
                document.fault(
                    &value.span,
                    format!("`expect.{}` is `{}`, a limit without a number", name.value, value.value),
                    "write it like `<= 90%`, in the unit that the value has",
                );
            }
            expect.insert(name.value.to_owned(), value.value);
        }
    }
    (extract, expect)
}

fn read_action(
    table: &Table<'_>,
    parameters: &Parameters,
    platforms: Option<&[At<NodePlatform>]>,
    used: &mut BTreeSet<String>,
    reboots: bool,
) -> Option<Action> {
    let kinds = ["shell", "powershell", "document", "automation"];
    let present: Vec<&str> = kinds.into_iter().filter(|key| table.has(key)).collect();
    let keys: [(&str, &[&str]); 4] = [
        ("parameters", &["document", "automation"]),
        ("document_version", &["document", "automation"]),
        ("document_hash", &["document"]),
        ("target_parameter", &["automation"]),
    ];
    for (key, of) in keys {
        if !present.iter().any(|kind| of.contains(kind)) {
            let what = format!("`{key}` is only for {} steps", crate::domain::fault::quoted_list(of.iter().copied()));
            table.refuse(key, &what, "take it out");
        }
    }
    match present.as_slice() {
        [one] => read_one(table, one, parameters, platforms, used, reboots),
        [] => {
            table.fault(
                format!("`{}` does nothing", table.path()),
                "add `shell = '''…'''`, `powershell`, `document` or `automation`",
            );
            None
        }
        [_, second, ..] => {
            let span = table.key_span(second).unwrap_or(table.span());
            let what = format!("a step is one of {}", crate::domain::fault::quoted_list(kinds));
            table.document().fault(&span, what, "make two steps of it");
            None
        }
    }
}

fn read_one(
    table: &Table<'_>,
    kind: &str,
    parameters: &Parameters,
    platforms: Option<&[At<NodePlatform>]>,
    used: &mut BTreeSet<String>,
    reboots: bool,
) -> Option<Action> {
    let text = table.item(kind)?.text()?;
    let document = table.document();
    let report = |findings: Vec<Finding>| {
        for finding in findings {
            document.fault(&document.inside(&text, finding.at), finding.what, finding.remedy);
        }
    };
    let wrong = |platform: NodePlatform, kind: &str, remedy: &str| {
        for found in platforms.unwrap_or_default().iter().filter(|p| p.value == platform) {
            let what = format!("a `{kind}` step cannot run on {}", platform.as_str());
            document.fault(&found.span, what, remedy);
        }
    };
    match kind {
        "shell" => {
            wrong(NodePlatform::Windows, kind, "take `windows` out, or make a runbook of its own with `powershell`");
            let scanned = super::shell::scan(text.value);
            used.extend(scanned.exported());
            used.extend(scanned.expansions.into_iter().map(|e| e.name));
            report(lint::text(text.value));
            report(lint::shell(text.value, parameters, reboots));
            Some(Action::Shell { script: text.value.to_owned() })
        }
        "powershell" => {
            let remedy = "write `platforms = [\"windows\"]`; for the others make a runbook of its own with `shell`";
            wrong(NodePlatform::Linux, kind, remedy);
            wrong(NodePlatform::Macos, kind, remedy);
            let lower = text.value.to_lowercase();
            used.extend(parameters.keys().filter(|name| lower.contains(&format!("env:{name}"))).cloned());
            report(lint::text(text.value));
            report(lint::powershell(text.value, parameters, reboots));
            Some(Action::Powershell { script: text.value.to_owned() })
        }
        _ => read_document(table, kind == "automation", &text, parameters, used),
    }
}

/// Without a role an automation acts with its caller's session, and Muster's is narrowed to starting it. Which role it is
/// stands in the reviewed file: whoever runs it must not choose its rights.
fn role_of_automation(table: &Table<'_>, name: &At<&str>) {
    let document = table.document();
    let given = table.optional_table("parameters").map(|inner| inner.entries()).unwrap_or_default();
    let Some((_, item)) = given.into_iter().find(|(key, _)| key.value == ASSUME_ROLE) else {
        let what = format!("`{}` has no role to act with, and Muster's own session may only start it", name.value);
        let remedy = "add `AutomationAssumeRole = \"NAME\"` to its `parameters`: a role of each account that Systems Manager may assume";
        return document.fault(&name.span, what, remedy);
    };
    // A list holds one, as Systems Manager takes every parameter as a list.
    let one = if item.kind() == Kind::List { item.list().unwrap_or_default().into_iter().next() } else { None };
    let Some(role) = one.as_ref().unwrap_or(&item).scalar() else { return };
    let plain =
        role.value.strip_prefix("arn:").and_then(|arn| arn.split_once(":role/")).map_or(role.value.as_str(), |r| r.1);
    if role.value.starts_with('$') {
        let what = format!("`{}` lets whoever runs it choose the rights of the automation", role.value);
        document.fault(&role.span, what, "write the role's name into the file");
    } else if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_/-".contains(&b)) {
        document.fault(&role.span, format!("`{}` is not a role", role.value), "write it like `muster-automation`");
    }
}

fn read_document(
    table: &Table<'_>,
    is_automation: bool,
    name: &At<&str>,
    parameters: &Parameters,
    used: &mut BTreeSet<String>,
) -> Option<Action> {
    let document = table.document();
    // The service's own pattern for names and ARNs of documents.
    let good =
        (3..=200).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b));
    if !good {
        document.fault(
            &name.span,
            format!("`{}` is not a document name", name.value),
            if is_automation {
                "write it like `AWS-RestartEC2Instance`"
            } else {
                "write it like `AWS-ConfigureAWSPackage`"
            },
        );
    }
    if matches!(name.value, "AWS-RunShellScript" | "AWS-RunPowerShellScript") {
        let kind = if name.value == "AWS-RunShellScript" { "shell" } else { "powershell" };
        let what = format!("`{}` would run values as program text", name.value);
        document.fault(&name.span, what, format!("write a `{kind}` step"));
    }
    let version = table.optional_str("document_version");
    let hash = table.optional::<crate::domain::Digest>("document_hash");
    let mut values = BTreeMap::new();
    if let Some(inner) = table.optional_table("parameters") {
        for (key, item) in inner.entries() {
            let items = if item.kind() == Kind::List { item.list()? } else { vec![item] };
            let texts: Vec<At<String>> = items.iter().filter_map(|item| item.scalar()).collect();
            for text in &texts {
                if let Some(parameter) = text.value.strip_prefix('$') {
                    if parameters.contains_key(parameter) {
                        used.insert(parameter.to_owned());
                    } else {
                        let near = crate::domain::fault::closest(parameter, parameters.keys().map(String::as_str));
                        let remedy = near.map_or("name one of the runbook's parameters, alone".to_owned(), |near| {
                            format!("did you mean `${near}`?")
                        });
                        document.fault(&text.span, format!("`{}` is no parameter of this runbook", text.value), remedy);
                    }
                } else if parameters.keys().any(|name| text.value.contains(&format!("${name}"))) {
                    let what = format!("`{}` puts a value inside another text", text.value);
                    document.fault(&text.span, what, "a value stands alone: `\"$name\"`");
                }
                if text.value.contains("{{") {
                    document.fault(&text.span, "`{{` would be replaced by Systems Manager", "write the value itself");
                }
            }
            values.insert(key.value.to_owned(), texts.into_iter().map(|t| t.value).collect());
        }
    }
    if is_automation {
        let target = table.optional_str("target_parameter").map_or("InstanceId", |t| t.value).to_owned();
        if let Some(taken) = table.optional_table("parameters").and_then(|inner| inner.key_span(&target)) {
            let what = format!("`{target}` takes the node's id and cannot be given");
            document.fault(&taken, what, "take it out, or name another parameter in `target_parameter`");
        }
        role_of_automation(table, name);
        let version = version.map(|v| v.value.to_owned());
        return Some(Action::Automation { name: name.value.to_owned(), version, target, parameters: values });
    }
    Some(Action::Document {
        name: name.value.to_owned(),
        version: version.map(|v| v.value.to_owned()),
        hash: hash.map(|h| h.value.to_string()),
        parameters: values,
    })
}
