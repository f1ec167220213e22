//! A secret in the file is exactly `{ env = "NAME" }` or `{ file = "PATH" }`, never the value.

use std::path::Path;

use crate::domain::Secret;
use crate::domain::strict::{At, Item, Kind};

/// Where secrets are looked up. Injected, so that tests need no real environment.
pub trait Environment {
    /// An environment variable; `None` where it is not set.
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of a file.
    ///
    /// # Errors
    /// As reading a file.
    fn read(&self, path: &Path) -> std::io::Result<String>;
    /// Whether secrets are looked up at all; otherwise only their references are checked.
    fn looks_up(&self) -> bool {
        true
    }
}

/// The process's own environment and files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

impl Environment for Host {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
    fn read(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// Reads the configuration itself but no secret: for checks where the secrets are not at hand, such as CI.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotLookedUp;

impl Environment for NotLookedUp {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn read(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }
    fn looks_up(&self) -> bool {
        false
    }
}

/// Reads and looks up one secret. `None`: a fault was reported.
pub(super) fn secret(item: &Item<'_>, folder: &Path, environment: &dyn Environment) -> Option<At<Secret>> {
    let forms = "write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`";
    if item.kind() != Kind::Table {
        let what = format!("`{}` must not stand in the file itself", item.path());
        let remedy = match item.kind() {
            Kind::Text => format!("{forms}, and replace the value if the file was shared: it is no secret any more"),
            _ => forms.to_owned(),
        };
        item.fault(what, remedy);
        return None;
    }
    let table = item.table()?;
    let (env, file) = (table.has("env"), table.has("file"));
    let reference = match (env, file) {
        (true, false) => table.required_str("env"),
        (false, true) => table.required_str("file"),
        (true, true) => {
            item.fault(format!("`{}` names two places", item.path()), "keep `env` or `file`");
            None
        }
        (false, false) => {
            item.fault(format!("`{}` names no place", item.path()), forms);
            None
        }
    };
    table.finish();
    let reference = reference?;
    let at = |value: String| Some(At { value: Secret::new(value), span: item.span() });
    if !environment.looks_up() {
        return at(String::new());
    }
    let value = if env {
        match environment.variable(reference.value) {
            Some(value) => value,
            None => {
                let what = format!("`{}`: the environment variable `{}` is not set", item.path(), reference.value);
                item.fault(what, "set it for this process, or name another place");
                return None;
            }
        }
    } else {
        match environment.read(&folder.join(reference.value)) {
            Ok(value) => value,
            Err(e) => {
                let what = format!("`{}`: the file `{}` cannot be read: {e}", item.path(), reference.value);
                item.fault(what, "make it readable for this process, or name another place");
                return None;
            }
        }
    };
    let value = value.trim_end_matches(['\r', '\n']);
    if value.trim().is_empty() {
        item.fault(format!("`{}`: `{}` is empty", item.path(), reference.value), "put the secret there");
        return None;
    }
    at(value.to_owned())
}
