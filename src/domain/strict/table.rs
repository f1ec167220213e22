//! A table of a file, asked key by key.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{At, Document, Item, Span, Written};
use crate::domain::fault::{closest, quoted_list};

/// A cursor over one table. It remembers which keys were asked for; [`Table::finish`] reports the others.
///
/// `None` means absent or faulty: a fault is already recorded where one is due, so readers just go on.
pub struct Table<'d> {
    document: &'d Document<'d>,
    entries: &'d DeTable<'d>,
    path: String,
    span: Span,
    asked: RefCell<BTreeSet<String>>,
    refused: RefCell<BTreeSet<String>>,
}

impl<'d> Table<'d> {
    pub(super) fn new(document: &'d Document<'d>, entries: &'d DeTable<'d>, path: String, span: Span) -> Self {
        Table { document, entries, path, span, asked: RefCell::default(), refused: RefCell::default() }
    }

    /// Where the table is opened: its header, its braces, or the start of the file.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Such as `parameters.service`; empty for the top level.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    #[must_use]
    pub fn document(&self) -> &'d Document<'d> {
        self.document
    }

    /// Reports a fault of the table as a whole.
    pub fn fault(&self, what: impl Into<String>, remedy: impl Into<String>) {
        self.document.fault(&self.span, what, remedy);
    }

    /// Whether the key is there at all; it counts as asked for.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.item(key).is_some()
    }

    /// Where the key itself stands.
    #[must_use]
    pub fn key_span(&self, key: &str) -> Option<Span> {
        self.entries.get_key_value(key).map(|(k, _)| k.span())
    }

    /// The value of any type.
    #[must_use]
    pub fn item(&self, key: &str) -> Option<Item<'d>> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.entries.get(key).map(|value| self.item_of(key, value))
    }

    /// The value of any type; a fault if it is absent. `example` completes the remedy: ``add `title = …` ``.
    #[must_use]
    pub fn required(&self, key: &str, example: &str) -> Option<Item<'d>> {
        let item = self.item(key);
        if item.is_none() {
            self.missing(key, &format!("add `{key} = {example}`"));
        }
        item
    }

    #[must_use]
    pub fn optional_str(&self, key: &str) -> Option<At<&'d str>> {
        self.item(key)?.text()
    }

    /// Text that must be there and must not be blank.
    #[must_use]
    pub fn required_str(&self, key: &str) -> Option<At<&'d str>> {
        let text = self.required(key, "\"…\"")?.text()?;
        if text.trim().is_empty() {
            self.document.fault(&text.span, format!("`{}` is empty", self.dotted(key)), "write something there");
            return None;
        }
        Some(text)
    }

    /// Text of a type that checks itself, such as an account id.
    #[must_use]
    pub fn optional<T: Written>(&self, key: &str) -> Option<At<T>> {
        self.parse_item(self.item(key)?)
    }

    #[must_use]
    pub fn required_of<T: Written>(&self, key: &str) -> Option<At<T>> {
        self.parse_item(self.required(key, &format!("\"{}\"", T::EXAMPLE))?)
    }

    /// Text read by a function, for types that are not [`Written`]. The remedy stands for every refusal.
    #[must_use]
    pub fn optional_with<T, E: std::fmt::Display>(
        &self,
        key: &str,
        remedy: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<At<T>> {
        let text = self.optional_str(key)?;
        match read(text.value) {
            Ok(value) => Some(At { value, span: text.span }),
            Err(e) => {
                self.document.fault(&text.span, format!("`{}`: {e}", self.dotted(key)), remedy);
                None
            }
        }
    }

    #[must_use]
    pub fn optional_bool(&self, key: &str) -> Option<At<bool>> {
        self.item(key)?.boolean()
    }

    #[must_use]
    pub fn optional_integer(&self, key: &str, range: RangeInclusive<i64>) -> Option<At<i64>> {
        self.in_range(key, self.item(key)?.integer()?, &range)
    }

    #[must_use]
    pub fn required_integer(&self, key: &str, range: RangeInclusive<i64>) -> Option<At<i64>> {
        let item = self.required(key, &range.start().to_string())?;
        self.in_range(key, item.integer()?, &range)
    }

    /// One of a few words.
    #[must_use]
    pub fn optional_choice<T: Clone>(&self, key: &str, choices: &[(&str, T)]) -> Option<At<T>> {
        self.choose(self.item(key)?, choices)
    }

    #[must_use]
    pub fn required_choice<T: Clone>(&self, key: &str, choices: &[(&str, T)]) -> Option<At<T>> {
        let example = choices.first().map_or("…", |(word, _)| *word);
        self.choose(self.required(key, &format!("\"{example}\""))?, choices)
    }

    /// A list of a few words. Absent is `None`, an empty list is an empty list; faulty members are left out.
    #[must_use]
    pub fn optional_choices<T: Clone>(&self, key: &str, choices: &[(&str, T)]) -> Option<Vec<At<T>>> {
        let items = self.item(key)?.list()?;
        Some(items.into_iter().filter_map(|item| self.choose(item, choices)).collect())
    }

    /// A list of texts. Absent is `None`; faulty members are reported and left out.
    #[must_use]
    pub fn optional_strings(&self, key: &str) -> Option<Vec<At<&'d str>>> {
        Some(self.item(key)?.list()?.iter().filter_map(Item::text).collect())
    }

    /// A list of a type that checks itself; faulty members are reported and left out.
    #[must_use]
    pub fn optional_list<T: Written>(&self, key: &str) -> Option<Vec<At<T>>> {
        Some(self.item(key)?.list()?.into_iter().filter_map(|item| self.parse_item(item)).collect())
    }

    #[must_use]
    pub fn required_list<T: Written>(&self, key: &str) -> Option<Vec<At<T>>> {
        let item = self.required(key, &format!("[\"{}\"]", T::EXAMPLE))?;
        Some(item.list()?.into_iter().filter_map(|item| self.parse_item(item)).collect())
    }

    #[must_use]
    pub fn optional_table(&self, key: &str) -> Option<Table<'d>> {
        self.item(key)?.table()
    }

    #[must_use]
    pub fn required_table(&self, key: &str) -> Option<Table<'d>> {
        let item = self.item(key);
        if item.is_none() {
            self.missing(key, &format!("add a table `[{}]`", self.dotted(key)));
        }
        item?.table()
    }

    /// An array of tables (`[[steps]]`, or a list of inline tables). Absent is empty.
    #[must_use]
    pub fn tables(&self, key: &str) -> Vec<Table<'d>> {
        let Some(item) = self.item(key) else { return Vec::new() };
        if matches!(item.value.get_ref(), DeValue::Table(_)) {
            let what = format!("`{}`: expected several tables, found one", item.path());
            self.document.fault(&item.span(), what, format!("write `[[{}]]`, with two brackets", self.dotted(key)));
            return Vec::new();
        }
        item.list().unwrap_or_default().iter().filter_map(Item::table).collect()
    }

    /// A table of texts under names of the writer's choice, such as labels. Absent is empty.
    #[must_use]
    pub fn text_map(&self, key: &str) -> BTreeMap<String, At<&'d str>> {
        let Some(table) = self.optional_table(key) else { return BTreeMap::new() };
        table.entries().into_iter().filter_map(|(name, item)| Some((name.value.to_owned(), item.text()?))).collect()
    }

    /// Every entry, where the names are the writer's choice. All of them count as asked for.
    #[must_use]
    pub fn entries(&self) -> Vec<(At<&'d str>, Item<'d>)> {
        let mut asked = self.asked.borrow_mut();
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .map(|(key, value)| {
                let name: &'d str = key.get_ref().as_ref();
                asked.insert(name.to_owned());
                (At { value: name, span: key.span() }, self.item_of(name, value))
            })
            .collect();
        entries.sort_by_key(|(name, _)| name.span.start);
        entries
    }

    /// A key that is known but refused, with the reason. Does nothing where the key is absent.
    pub fn refuse(&self, key: &str, what: &str, remedy: &str) {
        self.asked.borrow_mut().insert(key.to_owned());
        self.refused.borrow_mut().insert(key.to_owned());
        if let Some(span) = self.key_span(key) {
            self.document.fault(&span, what, remedy);
        }
    }

    /// The keys asked for so far and not refused, which are the keys this reader knows.
    fn known(&self) -> BTreeSet<String> {
        self.asked.borrow().difference(&self.refused.borrow()).cloned().collect()
    }

    /// Reports every key that nobody asked for. Call it last; a table that is never finished accepts anything.
    pub fn finish(self) {
        let (asked, known) = (self.asked.borrow(), self.known());
        #[cfg(test)]
        super::recorder::finished(&self.path, known.clone());
        for (key, _) in self.entries {
            let name: &str = key.get_ref().as_ref();
            if asked.contains(name) {
                continue;
            }
            let absent = known.iter().map(String::as_str).filter(|k| !self.entries.contains_key(*k));
            let remedy = match closest(name, absent) {
                Some(near) => {
                    // One slip, one fault: the key that was meant is not missing.
                    self.document.forget(&format!("`{}` is missing", self.dotted(near)));
                    format!("did you mean `{near}`?")
                }
                None if known.is_empty() => "take it out".into(),
                None => format!("known here: {}", quoted_list(known.iter().map(String::as_str))),
            };
            let place = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
            self.document.fault(&key.span(), format!("unknown key `{name}`{place}"), remedy);
        }
    }

    /// Reports a missing key, unless it may stand in a part of the file that could not be understood.
    pub fn missing(&self, key: &str, remedy: &str) {
        if !self.document.may_have_lost(key) {
            self.document.fault(&self.span, format!("`{}` is missing", self.dotted(key)), remedy);
        }
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn item_of(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Item<'d> {
        Item { document: self.document, value, path: self.dotted(key) }
    }

    fn parse_item<T: Written>(&self, item: Item<'d>) -> Option<At<T>> {
        let text = item.text_like(T::EXAMPLE)?;
        match text.value.parse() {
            Ok(value) => Some(At { value, span: text.span }),
            Err(e) => {
                item.fault(format!("`{}`: {e}", item.path()), format!("write it like `\"{}\"`", T::EXAMPLE));
                None
            }
        }
    }

    fn in_range(&self, key: &str, n: At<i64>, range: &RangeInclusive<i64>) -> Option<At<i64>> {
        if range.contains(&n.value) {
            return Some(n);
        }
        let (low, high) = (range.start(), range.end());
        let remedy = match (*low, *high) {
            (low, i64::MAX) => format!("use a number of at least `{low}`"),
            (low, high) if low == high => format!("write `{low}`"),
            (low, high) => format!("use a number from `{low}` to `{high}`"),
        };
        self.document.fault(&n.span, format!("`{}` is `{}`", self.dotted(key), n.value), remedy);
        None
    }

    fn choose<T: Clone>(&self, item: Item<'d>, choices: &[(&str, T)]) -> Option<At<T>> {
        let text = item.text_like(choices.first().map_or("…", |(word, _)| *word))?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(At { value: value.clone(), span: text.span });
        }
        let words = || choices.iter().map(|(word, _)| *word);
        let remedy = match closest(text.value, words()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use {}", quoted_list(words())),
        };
        item.fault(format!("`{}` is `{}`", item.path(), text.value), remedy);
        None
    }
}
