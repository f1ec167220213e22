//! Block Kit's limits, enforced as Slack does it: `invalid_blocks` with a JSON pointer, `msg_blocks_too_long` in sum.
//!
//! Lengths are those of Slack's reference; the sum over all texts of a message is undocumented and was seen between
//! 12,000 and 13,300 characters, so the lower figure holds here.

mod element;
mod fields;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::args::ApiError;
pub use element::shaped;
use fields::Spot;

/// Characters of text in all blocks of one message.
pub const TEXT_MAX: usize = 12_000;
/// `text` of `chat.update` fails from about here (`msg_too_long`); `chat.postMessage` takes 40,000.
pub const UPDATE_TEXT_MAX: usize = 4_000;
pub const POST_TEXT_MAX: usize = 40_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    Message,
    Modal,
    Home,
}

/// Checks `given` and returns the blocks as Slack keeps them: every block with an id, every element with an action id.
pub fn check(given: &mut Value, surface: Surface) -> Result<Vec<Value>, ApiError> {
    let mut blocks = match given.take() {
        Value::Null => return Ok(Vec::new()),
        Value::Array(blocks) => blocks,
        _ => return Err(ApiError::new("invalid_blocks_format")),
    };
    let mut check = Check { faults: Vec::new(), surface, focused: false };
    let max = if surface == Surface::Message { 50 } else { 100 };
    if blocks.len() > max {
        check.fault("/blocks", format!("no more than {max} items allowed"));
    }
    let mut ids = BTreeSet::new();
    for (at, block) in blocks.iter_mut().enumerate() {
        let here = format!("/blocks/{at}");
        check.block(block, &here);
        if !block.is_object() {
            continue;
        }
        match block["block_id"].as_str() {
            Some("") | None => {
                let mut n = at;
                while ids.contains(&format!("blk{n}")) {
                    n += 1000;
                }
                block["block_id"] = json!(format!("blk{n}"));
            }
            Some(id) if id.chars().count() > 255 => {
                check.fault(&format!("{here}/block_id"), "must be less than 256 characters");
            }
            Some(id) if ids.contains(id) => {
                check.fault(&format!("{here}/block_id"), format!("`block_id` {id} already exists"));
            }
            Some(_) => {}
        }
        ids.insert(block["block_id"].as_str().unwrap_or_default().to_owned());
    }
    let count = |kind: &str| blocks.iter().filter(|b| b["type"] == kind).count();
    if count("table") > 1 {
        return Err(ApiError::with("invalid_attachments", vec!["only_one_table_allowed".to_owned()]));
    }
    if count("data_visualization") > 2 {
        check.fault("/blocks", "no more than 2 data visualization blocks allowed");
    }
    let markdown: usize = blocks
        .iter()
        .filter(|b| b["type"] == "markdown")
        .map(|b| b["text"].as_str().unwrap_or_default().chars().count())
        .sum();
    if markdown > 12_000 {
        check.fault("/blocks", "markdown blocks: must be less than 12001 characters in sum");
    }
    if !check.faults.is_empty() {
        return Err(ApiError::with("invalid_blocks", check.faults));
    }
    if surface == Surface::Message && blocks.iter().map(text_len).sum::<usize>() > TEXT_MAX {
        return Err(ApiError::new("msg_blocks_too_long"));
    }
    Ok(blocks)
}

/// Characters of every text in `value`, at any depth.
fn text_len(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(text_len).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| match field {
                Value::String(s) if name == "text" => s.chars().count(),
                other => text_len(other),
            })
            .sum(),
        _ => 0,
    }
}

/// The options of an answer to `block_suggestion`: `options` or `option_groups`, at most 100 of each, every option in
/// all groups. `Err` says what Slack would not take.
pub fn suggestions(answer: &Value) -> Result<Vec<Value>, Vec<String>> {
    let mut check = Check { faults: Vec::new(), surface: Surface::Modal, focused: false };
    check.known_fields(answer, "", &["options", "option_groups"]);
    // An empty list is a fair answer here: nothing fits what was typed.
    let empty = |name: &str| answer[name].as_array().is_some_and(Vec::is_empty);
    if !empty("options") && !empty("option_groups") {
        check.menu(answer, "");
    }
    if check.faults.is_empty() { Ok(all_options(answer)) } else { Err(check.faults) }
}

/// Every option of a menu, those in groups too.
pub fn all_options(menu: &Value) -> Vec<Value> {
    let grouped = menu["option_groups"].as_array().into_iter().flatten().map(|g| &g["options"]);
    [&menu["options"]].into_iter().chain(grouped).flat_map(|o| o.as_array().into_iter().flatten()).cloned().collect()
}

/// What a person reads of an option.
fn option_texts(option: &Value) -> (&Value, &Value) {
    (&option["text"]["text"], &option["description"]["text"])
}

struct Check {
    faults: Vec<String>,
    surface: Surface,
    /// An element with `focus_on_load` was seen; there may be one.
    focused: bool,
}

impl Check {
    fn fault(&mut self, pointer: &str, what: impl AsRef<str>) {
        self.faults.push(format!("{} [json-pointer:{pointer}]", what.as_ref()));
    }

    fn block(&mut self, block: &mut Value, here: &str) {
        let Some(kind) = block["type"].as_str().map(str::to_owned) else {
            return self.fault(here, "missing required field: type");
        };
        if let Some(fields) = fields::of_block(&kind) {
            self.known_fields(block, here, &[fields, &["type", "block_id"]].concat());
        }
        match kind.as_str() {
            "section" => self.section(block, here),
            "header" => {
                self.text(&block["text"], &format!("{here}/text"), 150, true, true);
            }
            "divider" => {}
            "context" => {
                let items = self.items(block, here, "elements", 1, 10);
                for (at, item) in items.iter().enumerate() {
                    if item["type"] != "image" {
                        self.text(item, &format!("{here}/elements/{at}"), 3000, false, true);
                    }
                }
            }
            "actions" => {
                let count = self.items(block, here, "elements", 1, 25).len();
                for at in 0..count {
                    self.element(&mut block["elements"][at], &format!("{here}/elements/{at}"), Spot::Actions);
                }
                self.unique_actions(block, here);
            }
            "input" => {
                if self.surface == Surface::Message {
                    // Input blocks in messages exist; Muster does not need them and the page cannot show them.
                    self.fault(&format!("{here}/type"), "unsupported type: input in a message");
                }
                self.text(&block["label"], &format!("{here}/label"), 2000, true, true);
                if !block["hint"].is_null() {
                    self.text(&block["hint"], &format!("{here}/hint"), 2000, true, true);
                }
                if block["element"].is_object() {
                    self.element(&mut block["element"], &format!("{here}/element"), Spot::Input);
                } else {
                    self.fault(here, "missing required field: element");
                }
            }
            "markdown" => match block["text"].as_str() {
                Some("") | None => self.fault(here, "missing required field: text"),
                Some(_) if self.surface != Surface::Message => self.fault(here, "unsupported type: markdown"),
                Some(_) => {}
            },
            "rich_text" => {
                for (at, item) in self.items(block, here, "elements", 0, usize::MAX).iter().enumerate() {
                    let kind = item["type"].as_str().unwrap_or_default();
                    let known = ["rich_text_section", "rich_text_preformatted", "rich_text_list", "rich_text_quote"];
                    if !known.contains(&kind) {
                        self.fault(&format!("{here}/elements/{at}/type"), format!("unsupported type: {kind}"));
                    } else if !item["elements"].is_array() {
                        self.fault(&format!("{here}/elements/{at}"), "missing required field: elements");
                    }
                }
            }
            "table" => self.table(block, here),
            "data_visualization" => self.chart(block, here),
            "image" => {
                if !block["alt_text"].is_string() {
                    self.fault(here, "missing required field: alt_text");
                }
            }
            other => self.fault(&format!("{here}/type"), format!("unsupported type: {other}")),
        }
    }

    fn section(&mut self, block: &mut Value, here: &str) {
        if block["text"].is_null() && block["fields"].is_null() {
            self.fault(here, "missing required field: text or fields");
        }
        if !block["text"].is_null() {
            self.text(&block["text"], &format!("{here}/text"), 3000, false, true);
        }
        if !block["fields"].is_null() {
            for (at, field) in self.items(block, here, "fields", 1, 10).iter().enumerate() {
                self.text(field, &format!("{here}/fields/{at}"), 2000, false, true);
            }
        }
        if block["accessory"].is_object() && block["accessory"]["type"] != "image" {
            self.element(&mut block["accessory"], &format!("{here}/accessory"), Spot::Accessory);
        }
    }

    fn table(&mut self, block: &Value, here: &str) {
        for (at, row) in self.items(block, here, "rows", 1, 100).iter().enumerate() {
            let here = format!("{here}/rows/{at}");
            match row.as_array() {
                None => self.fault(&here, "must be an array"),
                Some(cells) if cells.len() > 20 => self.fault(&here, "no more than 20 items allowed"),
                Some(cells) => {
                    for (at, cell) in cells.iter().enumerate() {
                        let kind = cell["type"].as_str().unwrap_or_default();
                        if !["raw_text", "rich_text", "raw_number"].contains(&kind) {
                            self.fault(&format!("{here}/{at}/type"), format!("unsupported type: {kind}"));
                        } else if kind == "raw_text" && cell["text"].as_str().is_none_or(str::is_empty) {
                            self.fault(&format!("{here}/{at}/text"), "must be more than 0 characters");
                        }
                    }
                }
            }
        }
    }

    /// Bars alone: no other chart is said by Muster, and the page shows no other.
    fn chart(&mut self, block: &Value, here: &str) {
        if !(1..=50).contains(&block["title"].as_str().unwrap_or_default().chars().count()) {
            self.fault(&format!("{here}/title"), "must be 1 to 50 characters");
        }
        let chart = &block["chart"];
        if chart["type"] != "bar" {
            self.fault(&format!("{here}/chart/type"), format!("unsupported type: {}", chart["type"]));
        }
        let axes = format!("{here}/chart/axis_config");
        let categories = self.items(&chart["axis_config"], &axes, "categories", 1, 20);
        for (at, label) in categories.iter().enumerate() {
            if !(1..=20).contains(&label.as_str().unwrap_or_default().chars().count()) {
                self.fault(&format!("{axes}/categories/{at}"), "must be 1 to 20 characters");
            }
        }
        for (at, series) in self.items(chart, &format!("{here}/chart"), "series", 1, 12).iter().enumerate() {
            let here = format!("{here}/chart/series/{at}");
            let points = self.items(series, &here, "data", 1, 20);
            if points.iter().map(|point| &point["label"]).ne(&categories) {
                self.fault(&format!("{here}/data"), "labels must be the categories of the axis");
            }
            if points.iter().any(|point| !point["value"].is_number()) || series["name"].as_str().is_none() {
                self.fault(&here, "missing required field: name or value");
            }
        }
    }

    /// A copy of `block[name]`, its length checked.
    fn items(&mut self, block: &Value, here: &str, name: &str, min: usize, max: usize) -> Vec<Value> {
        let Some(items) = block[name].as_array() else {
            self.fault(here, format!("missing required field: {name}"));
            return Vec::new();
        };
        if items.len() < min {
            self.fault(&format!("{here}/{name}"), format!("no fewer than {min} items allowed"));
        } else if items.len() > max {
            self.fault(&format!("{here}/{name}"), format!("no more than {max} items allowed"));
        }
        items.clone()
    }

    fn text(&mut self, text: &Value, here: &str, max: usize, plain_only: bool, filled: bool) {
        let (Some(kind), Some(words)) = (text["type"].as_str(), text["text"].as_str()) else {
            return self.fault(here, "missing required field: text object");
        };
        self.known_fields(text, here, &["type", "text", "emoji", "verbatim"]);
        if kind != "plain_text" && (plain_only || kind != "mrkdwn") {
            self.fault(&format!("{here}/type"), format!("unsupported type: {kind}"));
        }
        self.length(words, &format!("{here}/text"), max);
        if filled && words.is_empty() {
            self.fault(&format!("{here}/text"), "must be more than 0 characters");
        }
    }

    fn length(&mut self, words: &str, here: &str, max: usize) {
        if words.chars().count() > max {
            self.fault(here, format!("must be less than {} characters", max + 1));
        }
    }

    fn unique_actions(&mut self, block: &Value, here: &str) {
        let mut seen = BTreeSet::new();
        for (at, element) in block["elements"].as_array().into_iter().flatten().enumerate() {
            if let Some(id) = element["action_id"].as_str()
                && !seen.insert(id.to_owned())
            {
                self.fault(&format!("{here}/elements/{at}/action_id"), format!("`action_id` {id} already exists"));
            }
        }
    }

    /// Slack refuses what its reference does not name.
    fn known_fields(&mut self, value: &Value, here: &str, known: &[&str]) {
        for name in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
            if !known.contains(&name.as_str()) {
                self.fault(here, format!("invalid additional property: {name}"));
            }
        }
    }
}
