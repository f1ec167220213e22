//! One `[parameters.NAME]` table.

use crate::domain::fault::closest;
use crate::domain::strict::{At, Table};
use crate::domain::{Invalid, Millis};

use super::{Kind, Parameter, value};

/// Words for `type`.
const TYPES: &[(&str, Type)] = &[
    ("string", Type::String),
    ("integer", Type::Integer),
    ("number", Type::Number),
    ("boolean", Type::Boolean),
    ("choice", Type::Choice),
    ("duration", Type::Duration),
    ("version", Type::Version),
    ("account", Type::Account),
    ("region", Type::Region),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    String,
    Integer,
    Number,
    Boolean,
    Choice,
    Duration,
    Version,
    Account,
    Region,
}

/// Longest duration a parameter may allow where the file names no `max`: what one step may last.
const DURATION_MAX: Millis = Millis::from_secs(48 * 3600);

pub(super) fn read(table: Table<'_>) -> Option<Parameter> {
    let description = table.required_str("description");
    let kind = read_type(&table).and_then(|kind| read_kind(&table, kind));
    let default = table.item("default").and_then(|item| item.scalar());
    let examples: Vec<At<String>> = table
        .item("examples")
        .and_then(|item| item.list())
        .map(|items| items.iter().filter_map(|item| item.scalar()).collect())
        .unwrap_or_default();
    let needs_examples = matches!(kind, Some(Kind::String { .. }));
    if needs_examples && examples.is_empty() {
        let what = format!("`{}.examples` is missing", table.path());
        table.fault(what, "add `examples = [\"…\"]`; people who give a bad value are shown them");
    }
    let document = table.document();
    let good = |what: &str, text: &At<String>| {
        let kind = kind.as_ref()?;
        match kind.canonical(&text.value) {
            Ok(canonical) => Some(canonical),
            Err(Invalid(why)) => {
                let what = format!("the {what} `{}` is no good value: {why}", text.value.escape_debug());
                document.fault(&text.span, what, "change it, or what the parameter allows");
                None
            }
        }
    };
    let default = default.as_ref().map(|text| good("default", text));
    let examples: Vec<String> = examples.iter().filter_map(|text| good("example", text)).collect();
    table.finish();
    Some(Parameter {
        kind: kind?,
        description: description?.value.trim().to_owned(),
        examples,
        default: default.flatten(),
    })
}

fn read_type(table: &Table<'_>) -> Option<Type> {
    let item = table.required("type", "\"string\"")?;
    let text = item.text()?;
    if let Some((_, kind)) = TYPES.iter().find(|(word, _)| *word == text.value) {
        return Some(*kind);
    }
    if text.value == "secret-ref" {
        item.fault(
            "parameters of type `secret-ref` are not supported by this version",
            "let the script read the secret on the node",
        );
        return None;
    }
    let remedy = match closest(text.value, TYPES.iter().map(|(word, _)| *word)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use {}", crate::domain::fault::quoted_list(TYPES.iter().map(|(word, _)| *word))),
    };
    item.fault(format!("`{}` is `{}`", item.path(), text.value), remedy);
    None
}

fn read_kind(table: &Table<'_>, kind: Type) -> Option<Kind> {
    let only = |key: &str, kinds: &str| {
        let what = format!("`{key}` is only for parameters of type {kinds}");
        table.refuse(key, &what, "take it out");
    };
    if kind != Type::String {
        only("pattern", "`string`");
    }
    if kind != Type::Choice {
        only("values", "`choice`");
    }
    if !matches!(kind, Type::Integer | Type::Number | Type::Duration) {
        only("min", "`integer`, `number` or `duration`");
        only("max", "`integer`, `number` or `duration`");
    }
    match kind {
        Type::String => {
            let pattern = table.required("pattern", "'[a-z]+'")?.text()?;
            if let Err(why) = value::anchored(pattern.value) {
                let what = format!("`{}.pattern` is not a regular expression: {why}", table.path());
                table.document().fault(&pattern.span, what, "correct it; Muster adds `^` and `$` itself");
                return None;
            }
            Some(Kind::String { pattern: pattern.value.to_owned() })
        }
        Type::Integer => {
            let min = table.required("min", "1").and_then(|item| item.integer());
            let max = table.required("max", "100").and_then(|item| item.integer());
            let (min, max) = (min?, max?);
            ordered(table, *min <= *max, &max, "max")?;
            Some(Kind::Integer { min: *min, max: *max })
        }
        Type::Number => {
            let limit = |key: &str| {
                let text = table.item(key)?.scalar()?;
                match (Kind::Number { min: None, max: None }).canonical(&text.value) {
                    Ok(canonical) => Some(At { value: canonical, span: text.span }),
                    Err(Invalid(why)) => {
                        let what = format!("`{}.{key}` is `{}`: {why}", table.path(), text.value);
                        table.document().fault(&text.span, what, "write it like `0.5`");
                        None
                    }
                }
            };
            let (min, max) = (limit("min"), limit("max"));
            let kind = Kind::Number { min: min.map(|m| m.value), max: max.clone().map(|m| m.value) };
            if let (Kind::Number { min: Some(min), .. }, Some(max)) = (&kind, &max) {
                ordered(table, kind.canonical(min).is_ok(), max, "max")?;
            }
            Some(kind)
        }
        Type::Boolean => Some(Kind::Boolean),
        Type::Choice => {
            let values = table.required("values", "[\"a\", \"b\"]")?.list()?;
            let texts: Vec<At<String>> = values.iter().filter_map(|v| v.scalar()).collect();
            if values.is_empty() {
                table.fault(format!("`{}.values` is empty", table.path()), "name the values to choose from");
            }
            for (i, text) in texts.iter().enumerate() {
                let document = table.document();
                if texts[..i].iter().any(|t| t.value == text.value) {
                    document.fault(&text.span, format!("`{}` stands here a second time", text.value), "keep one");
                }
                if text.value.is_empty() || text.value.chars().any(char::is_control) {
                    document.fault(&text.span, "a choice is empty or has control characters", "write one word");
                }
            }
            (!texts.is_empty()).then(|| Kind::Choice { values: texts.into_iter().map(|t| t.value).collect() })
        }
        Type::Duration => {
            let (has_min, has_max) = (table.has("min"), table.has("max"));
            let min = table.optional::<Millis>("min");
            let max = table.optional::<Millis>("max");
            if (has_min && min.is_none()) || (has_max && max.is_none()) {
                return None;
            }
            let low = min.as_ref().map_or(Millis(0), |m| m.value);
            let high = max.as_ref().map_or(DURATION_MAX, |m| m.value);
            if let Some(limit) = max.as_ref().or(min.as_ref()) {
                ordered(table, low <= high, limit, "max")?;
            }
            Some(Kind::Duration { min: low, max: high })
        }
        Type::Version => Some(Kind::Version),
        Type::Account => Some(Kind::Account),
        Type::Region => Some(Kind::Region),
    }
}

fn ordered<T>(table: &Table<'_>, good: bool, limit: &At<T>, key: &str) -> Option<()> {
    if !good {
        let what = format!("`{}.{key}` is below `min`, so no value would be good", table.path());
        table.document().fault(&limit.span, what, "swap them or correct one");
    }
    good.then_some(())
}
