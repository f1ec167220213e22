//! What a person typed, against a runbook's parameters: every fault at once, or canonical values.

use std::collections::BTreeMap;
use std::fmt;

use super::{Arguments, Runbook};
use crate::domain::fault::{closest, quoted_list};

/// Longest sum of all values, in bytes: with the script it stays below what one SendCommand carries.
pub const VALUES_MAX: usize = 16_000;

/// One thing wrong with the arguments. [`fmt::Display`] is the sentence for the person, remedy last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentFault {
    /// The name as it was typed, or the parameter that is missing.
    pub parameter: String,
    pub what: String,
    pub remedy: String,
}

impl fmt::Display for ArgumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// Fills in defaults and brings every value to its canonical text.
///
/// # Errors
/// Every fault, in the order of the parameters' names.
pub fn check(runbook: &Runbook, given: &BTreeMap<String, String>) -> Result<Arguments, Vec<ArgumentFault>> {
    let mut faults = Vec::new();
    let mut arguments = Arguments::new();
    let mut fault = |parameter: &str, what: String, remedy: String| {
        faults.push(ArgumentFault { parameter: parameter.to_owned(), what, remedy });
    };

    for name in given.keys().filter(|name| !runbook.parameters.contains_key(*name)) {
        let missing = runbook.parameters.keys().filter(|known| !given.contains_key(*known)).map(String::as_str);
        let remedy = match closest(name, missing) {
            Some(near) => format!("did you mean `{near}`?"),
            None if runbook.parameters.is_empty() => format!("`{}` takes none", runbook.name),
            None => format!("it takes {}", quoted_list(runbook.parameters.keys().map(String::as_str))),
        };
        fault(name, format!("`{}` has no parameter `{}`", runbook.name, shown(name)), remedy);
    }
    for (name, parameter) in &runbook.parameters {
        let example = parameter.examples.first().cloned().or_else(|| parameter.kind.example()).unwrap_or_default();
        let Some(value) = given.get(name).or(parameter.default.as_ref()) else {
            let what = format!("`{name}` is missing: {}", parameter.description);
            fault(name, what, format!("for example `{name}={example}`"));
            continue;
        };
        match parameter.kind.canonical(value) {
            Ok(canonical) => {
                arguments.insert(name.clone(), canonical);
            }
            Err(why) => {
                fault(name, format!("`{name}` is `{}`: {why}", shown(value)), format!("for example `{example}`"))
            }
        }
    }
    let bytes: usize = arguments.values().map(String::len).sum();
    if bytes > VALUES_MAX {
        let what = format!("the values are {bytes} bytes together, at most {VALUES_MAX} fit");
        fault("", what, "give shorter values".into());
    }
    if faults.is_empty() { Ok(arguments) } else { Err(faults) }
}

/// A value as a sentence may carry it: one line, not too long.
fn shown(value: &str) -> String {
    const SHOWN: usize = 80;
    let text: String =
        value.chars().take(SHOWN).map(|c| if c.is_control() || c == '`' { '\u{fffd}' } else { c }).collect();
    if value.chars().nth(SHOWN).is_some() { format!("{text}…") } else { text }
}
