//! Which names the files define, and faults for names that are defined twice, not at all, or badly.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::domain::fault::{closest, quoted_list};
use crate::domain::strict::{self, At, Document, Table};
use crate::domain::{Position, RunbookName};
use crate::policy::set::{BUILT_IN, GLASS};
use crate::runbook::Runbook;

use super::Reader;

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    Group,
    Set,
    /// People by their accounts.
    Person,
    /// Grants, forbids, freezes, approval and view rules share their ids: an id in a log names one rule.
    Rule,
    /// A `[[test]]` by its name.
    Test,
}

impl Of {
    fn as_str(self) -> &'static str {
        match self {
            Of::Group => "group",
            Of::Set => "set",
            Of::Person => "person",
            Of::Rule => "rule",
            Of::Test => "test",
        }
    }
}

/// Every name of every file.
pub(super) struct Names<'t> {
    /// Where each was first defined: number of the file, byte in it.
    first: BTreeMap<(Of, String), (usize, usize)>,
    files: &'t [(&'t Path, &'t str)],
    /// Texts that are not TOML: what they define may be lost on us.
    broken: Vec<&'t str>,
    runbooks: Option<&'t [&'t Runbook]>,
}

const KINDS: [&str; 5] = ["grant", "forbid", "freeze", "approval", "view"];

impl<'t> Names<'t> {
    pub(super) fn of(files: &'t [(&'t Path, &'t str)], runbooks: Option<&'t [&'t Runbook]>) -> Self {
        let mut first = BTreeMap::new();
        for (index, (path, text)) in files.iter().enumerate() {
            // What is wrong in it is told by the second reading.
            let (found, _) = strict::read(path, text, defined);
            for (of, name, at) in found {
                first.entry((of, name)).or_insert((index, at));
            }
        }
        let broken = files.iter().map(|(_, text)| *text).filter(|t| toml::de::DeTable::parse(t).is_err()).collect();
        Names { first, files, broken, runbooks }
    }

    /// Where each name is defined.
    pub(super) fn places(&self) -> BTreeMap<(Of, String), (PathBuf, Position)> {
        let place = |(file, at): &(usize, usize)| {
            let (path, text) = self.files[*file];
            (path.to_owned(), Position::of(text, *at))
        };
        self.first.iter().map(|(name, at)| (name.clone(), place(at))).collect()
    }

    fn all(&self, of: Of) -> impl Iterator<Item = &str> {
        self.first.keys().filter(move |(o, _)| *o == of).map(|(_, name)| name.as_str())
    }

    /// The name may stand at the start of a line in a file that could not be parsed.
    fn may_be_lost(&self, name: &str) -> bool {
        let mut lines = self.broken.iter().flat_map(|text| text.lines());
        lines.any(|line| line.trim_start_matches([' ', '\t', '"', '\'']).starts_with(name))
    }
}

fn defined(document: &Document<'_>) -> Vec<(Of, String, usize)> {
    let root = document.root();
    let mut found = Vec::new();
    for (key, of) in [("groups", Of::Group), ("sets", Of::Set), ("people", Of::Person)] {
        for (name, _) in root.optional_table(key).iter().flat_map(Table::entries) {
            found.push((of, name.value.to_owned(), name.span.start));
        }
    }
    for table in KINDS.iter().flat_map(|kind| root.tables(kind)) {
        if let Some(id) = table.optional_str("id") {
            found.push((Of::Rule, id.value.to_owned(), id.span.start));
        }
    }
    if let Some(span) = root.optional_table("break_glass").and(root.key_span("break_glass")) {
        found.push((Of::Rule, GLASS.to_owned(), span.start));
    }
    for name in root.tables("test").iter().filter_map(|table| table.optional_str("name")) {
        found.push((Of::Test, name.value.to_owned(), name.span.start));
    }
    found
}

impl Reader<'_> {
    /// The name that is defined here, with faults if it is no name or is defined elsewhere too.
    pub(super) fn define(&self, document: &Document<'_>, of: Of, name: &At<&str>) -> String {
        let kind = of.as_str();
        let good = name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if !good {
            let remedy = "use at most 64 lower-case letters, digits, `-` and `_`, starting with a letter";
            document.fault(&name.span, format!("`{}` is not a name for a {kind}", name.value), remedy);
        } else if [BUILT_IN, GLASS].contains(&name.value) {
            let what = format!("`{}` is what Muster calls its own rules", name.value);
            document.fault(&name.span, what, "choose another name");
        }
        self.define_once(document, of, name);
        name.value.to_owned()
    }

    /// A fault where the name is defined elsewhere too.
    pub(super) fn define_once(&self, document: &Document<'_>, of: Of, name: &At<&str>) {
        let kind = of.as_str();
        let first = self.names.first.get(&(of, name.value.to_owned()));
        if let Some((file, at)) = first.filter(|first| **first != (self.file, name.span.start)) {
            let path = self.names.files[*file].0.display();
            let place = if *file == self.file { "above".into() } else { format!("in `{path}` too") };
            let place = if *file == self.file && *at > name.span.start { "below".into() } else { place };
            let what = format!("the {kind} `{}` is defined {place}", name.value);
            document.fault(&name.span, what, "rename or remove one of the two");
        }
    }

    /// Reports `name` if no file defines it.
    pub(super) fn refer(&self, document: &Document<'_>, of: Of, name: &At<&str>) {
        if self.names.first.contains_key(&(of, name.value.to_owned())) || self.names.may_be_lost(name.value) {
            return;
        }
        let remedy = remedy(name.value, self.names.all(of), &format!("define it under `[{}s]`", of.as_str()));
        document.fault(&name.span, format!("no {} is called `{}`", of.as_str(), name.value), remedy);
    }

    pub(super) fn refer_runbook(&self, document: &Document<'_>, name: &At<RunbookName>) {
        let Some(runbooks) = self.names.runbooks else { return };
        if !runbooks.iter().any(|r| r.name == name.value) {
            let all = runbooks.iter().map(|r| r.name.as_str());
            let remedy = remedy(name.value.as_str(), all, "add the runbook first, or take its name out");
            document.fault(&name.span, format!("no runbook is called `{}`", name.value), remedy);
        }
    }

    pub(super) fn refer_owner(&self, document: &Document<'_>, owner: &At<&str>) {
        let Some(runbooks) = self.names.runbooks else { return };
        let owners: BTreeSet<&str> = runbooks.iter().map(|r| r.owner.as_str()).collect();
        if !owners.contains(owner.value) {
            let remedy = remedy(owner.value, owners, "no runbook has an owner yet");
            document.fault(&owner.span, format!("no runbook is owned by `{}`", owner.value), remedy);
        }
    }

    /// Reports a value that a rule lists and that none of the named runbooks takes, so that nobody can ever ask for it.
    pub(super) fn refer_value(
        &self,
        document: &Document<'_>,
        parameter: &str,
        value: &At<&str>,
        named: &BTreeSet<RunbookName>,
    ) {
        let mut why = None;
        for runbook in self.names.runbooks.into_iter().flatten().filter(|r| named.contains(&r.name)) {
            let Some(known) = runbook.parameters.get(parameter) else { continue };
            match known.kind.canonical(value.value) {
                Ok(text) if text == value.value => return,
                Ok(text) => {
                    let what = format!("`{}` reads `{}` as `{text}`", runbook.name, value.value);
                    why = Some((what, format!("write `{text}`")));
                }
                Err(e) => {
                    let what = format!("`{}` does not take `{}` for `{parameter}`: {e}", runbook.name, value.value);
                    why = Some((what, "list values that the runbook itself allows".to_owned()));
                }
            }
        }
        if let Some((what, remedy)) = why {
            document.fault(&value.span, what, remedy);
        }
    }

    /// Reports a constrained parameter that a named runbook does not have: the grant could never apply to it.
    pub(super) fn refer_parameter(&self, document: &Document<'_>, parameter: &At<&str>, named: &BTreeSet<RunbookName>) {
        for runbook in self.names.runbooks.into_iter().flatten().filter(|r| named.contains(&r.name)) {
            if !runbook.parameters.contains_key(parameter.value) {
                let all = runbook.parameters.keys().map(String::as_str);
                let remedy = remedy(parameter.value, all, "write a grant of its own for the runbooks that have it");
                let what = format!("`{}` has no parameter `{}`", runbook.name, parameter.value);
                document.fault(&parameter.span, what, remedy);
            }
        }
    }
}

fn remedy<'a>(name: &str, all: impl IntoIterator<Item = &'a str>, none: &str) -> String {
    let all: Vec<&str> = all.into_iter().collect();
    match closest(name, all.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => none.to_owned(),
        None => format!("use {}", quoted_list(all)),
    }
}
