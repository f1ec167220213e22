//! One value of whatever type the file gave it.

use toml::Spanned;
use toml::de::DeValue;

use super::{At, Document, Span, Table};

/// What type a value has, in people's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Date,
    List,
    Table,
}

impl Kind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Integer => "an integer",
            Kind::Number => "a number",
            Kind::Boolean => "a boolean",
            Kind::Date => "a date",
            Kind::List => "a list",
            Kind::Table => "a table",
        }
    }
}

/// A value that the reader has not decided on yet, for keys that take more than one type.
#[derive(Clone)]
pub struct Item<'d> {
    pub(super) document: &'d Document<'d>,
    pub(super) value: &'d Spanned<DeValue<'d>>,
    /// Such as `parameters.service.pattern` or `accounts[2]`.
    pub(super) path: String,
}

impl<'d> Item<'d> {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.value.get_ref() {
            DeValue::String(_) => Kind::Text,
            DeValue::Integer(_) => Kind::Integer,
            DeValue::Float(_) => Kind::Number,
            DeValue::Boolean(_) => Kind::Boolean,
            DeValue::Datetime(_) => Kind::Date,
            DeValue::Array(_) => Kind::List,
            DeValue::Table(_) => Kind::Table,
        }
    }

    #[must_use]
    pub fn span(&self) -> Span {
        self.value.span()
    }

    /// Such as `parameters.service.pattern`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    #[must_use]
    pub fn document(&self) -> &'d Document<'d> {
        self.document
    }

    /// Reports a fault at this value.
    pub fn fault(&self, what: impl Into<String>, remedy: impl Into<String>) {
        self.document.fault(&self.span(), what, remedy);
    }

    /// The value as text; a fault if it is anything else.
    #[must_use]
    pub fn text(&self) -> Option<At<&'d str>> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(self.at(text.as_ref())),
            _ => self.expected("text", &self.quote_it()),
        }
    }

    /// As [`Item::text`], where plain quotes around the value may not be enough.
    pub(super) fn text_like(&self, example: &str) -> Option<At<&'d str>> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(self.at(text.as_ref())),
            DeValue::Integer(n) if n.as_str().len() > 8 => self.expected("text", &self.quote_it()),
            _ => self.expected("text", &format!("write text in quotes, like `\"{example}\"`")),
        }
    }

    /// The value as a whole number; a fault if it is anything else or too large.
    #[must_use]
    pub fn integer(&self) -> Option<At<i64>> {
        match self.value.get_ref() {
            DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => Some(self.at(n)),
                Err(_) => {
                    let what = format!("`{}`: `{}` is too large a number", self.path, n.as_str());
                    self.fault(what, format!("use a number of at most `{}`", i64::MAX));
                    None
                }
            },
            _ => self.expected("an integer", "write a whole number without quotes"),
        }
    }

    #[must_use]
    pub fn boolean(&self) -> Option<At<bool>> {
        match self.value.get_ref() {
            DeValue::Boolean(b) => Some(self.at(*b)),
            _ => self.expected("a boolean", "write `true` or `false` without quotes"),
        }
    }

    /// A scalar as the text a person would type for it: text as it is, numbers and booleans as written.
    #[must_use]
    pub fn scalar(&self) -> Option<At<String>> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(self.at(text.as_ref().to_owned())),
            DeValue::Integer(n) if n.radix() == 10 => Some(self.at(n.as_str().to_owned())),
            DeValue::Integer(_) => self.integer().map(|n| n.map(|n| n.to_string())),
            DeValue::Float(n) => Some(self.at(n.as_str().to_owned())),
            DeValue::Boolean(b) => Some(self.at(b.to_string())),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                self.expected("text, a number or a boolean", "write one value")
            }
        }
    }

    /// The values of a list; a fault if it is not a list.
    #[must_use]
    pub fn list(&self) -> Option<Vec<Item<'d>>> {
        match self.value.get_ref() {
            DeValue::Array(values) => Some(
                values
                    .iter()
                    .enumerate()
                    .map(|(i, value)| Item { document: self.document, value, path: format!("{}[{i}]", self.path) })
                    .collect(),
            ),
            _ => self.expected("a list", "write it in brackets, even if it has one value: `[\"a\"]`"),
        }
    }

    /// The value as a table; a fault if it is anything else.
    #[must_use]
    pub fn table(&self) -> Option<Table<'d>> {
        match self.value.get_ref() {
            DeValue::Table(entries) => Some(Table::new(self.document, entries, self.path.clone(), self.span())),
            _ => {
                let name = self.path.rsplit('.').next().unwrap_or_default();
                let name = name.split('[').next().unwrap_or_default();
                self.expected("a table", &format!("write `[{name}]` on a line of its own, or `{{ key = … }}`"))
            }
        }
    }

    pub(super) fn at<T>(&self, value: T) -> At<T> {
        At { value, span: self.span() }
    }

    /// Reports the wrong type; always `None`.
    fn expected<T>(&self, expected: &str, remedy: &str) -> Option<T> {
        self.fault(format!("`{}`: expected {expected}, found {}", self.path, self.kind().as_str()), remedy);
        None
    }

    fn quote_it(&self) -> String {
        match self.value.get_ref() {
            DeValue::Integer(n) if n.as_str().len() > 8 => format!(
                "account ids are text, because a number would lose its leading zeros: write `\"{}\"`",
                n.as_str()
            ),
            DeValue::Integer(n) => format!("write it in quotes: `\"{n}\"`"),
            DeValue::Float(n) => format!("write it in quotes: `\"{n}\"`"),
            DeValue::Boolean(b) => format!("write it in quotes: `\"{b}\"`"),
            DeValue::Datetime(d) => format!("write it in quotes: `\"{d}\"`"),
            DeValue::Array(_) => "write one value in quotes, without brackets".into(),
            DeValue::String(_) | DeValue::Table(_) => "write one value in quotes".into(),
        }
    }
}
