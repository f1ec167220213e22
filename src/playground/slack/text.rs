//! A thread as text: what a tired person reads, taken from the Slack blocks as this workspace stores them.
//!
//! One message is `@author:` and its body, indented by two spaces unless it is one line. A header stands as
//! `# header`, a field as `Label: value`, a code line behind `| `, a button as `[Approve]`, a file as
//! `(file) name, size`. That a message was edited is not shown.

use serde_json::Value;

use super::message::Message;
use super::mrkdwn::{emoji, plain};
use super::world::World;

/// The public messages of one thread.
pub fn thread(world: &World, channel: &str, root: &str) -> String {
    join(world, world.thread(channel, root))
}

pub fn join<'a>(world: &World, messages: impl Iterator<Item = &'a Message>) -> String {
    let mut out = String::new();
    for shown in messages.map(|m| message(world, m)) {
        if !out.is_empty() && (out.ends_with("  \n") || shown.contains("\n  ") || out.contains("\n  ")) {
            out.push('\n');
        }
        out.push_str(&shown);
        out.push('\n');
    }
    out
}

/// One message, without a final line break.
pub fn message(world: &World, message: &Message) -> String {
    let author = if message.by_slack {
        "Slack".to_owned()
    } else {
        world.person(&message.user).map_or(format!("@{}", message.user), |p| format!("@{}", p.name))
    };
    let lines = body(world, message);
    match lines.as_slice() {
        [] => format!("{author}:"),
        [one] if !one.starts_with("# ") && !one.starts_with("| ") => format!("{author}: {one}"),
        many => {
            let indented = many.iter().map(|l| if l.is_empty() { String::new() } else { format!("  {l}") });
            format!("{author}:\n{}", indented.collect::<Vec<_>>().join("\n"))
        }
    }
}

/// The lines of a message: its blocks, or its text if it has none, then its files.
pub fn body(world: &World, message: &Message) -> Vec<String> {
    let mut lines = Vec::new();
    if message.blocks.is_empty() {
        markup(world, &message.text, &mut lines);
    }
    for block in &message.blocks {
        block_lines(world, block, &mut lines);
    }
    for file in message.files.iter().filter_map(|id| world.files.get(id)) {
        let title = if file.title == file.name { String::new() } else { format!("{}, ", file.title) };
        lines.push(format!("(file) {title}{}, {}", file.name, size(file.bytes.len())));
    }
    lines
}

/// One block of a message or a modal.
pub fn block_lines(world: &World, block: &Value, lines: &mut Vec<String>) {
    match block["type"].as_str().unwrap_or_default() {
        "header" => lines.push(format!("# {}", emoji(words(&block["text"])))),
        "section" => {
            if !block["text"].is_null() {
                text_object(world, &block["text"], lines);
            }
            for field in block["fields"].as_array().into_iter().flatten() {
                let mut inner = Vec::new();
                text_object(world, field, &mut inner);
                // `*Label*` over its value is how fields are written; one line reads better.
                match inner.split_first() {
                    Some((label, rest)) if !rest.is_empty() => {
                        lines.push(format!("{}: {}", label.trim_end_matches(':'), rest.join("; ")));
                    }
                    _ => lines.append(&mut inner),
                }
            }
            if block["accessory"].is_object() {
                lines.extend(element(&block["accessory"]));
            }
        }
        "context" => {
            let mut parts = Vec::new();
            for item in block["elements"].as_array().into_iter().flatten() {
                let mut inner = Vec::new();
                text_object(world, item, &mut inner);
                parts.push(inner.join("\n"));
            }
            lines.extend(parts.join("  ").lines().map(str::to_owned));
        }
        "actions" => {
            let shown: Vec<String> = block["elements"].as_array().into_iter().flatten().filter_map(element).collect();
            lines.push(shown.join(" "));
        }
        "divider" => lines.push("────".to_owned()),
        "markdown" => markdown(words_of(&block["text"]), lines),
        "rich_text" => {
            for item in block["elements"].as_array().into_iter().flatten() {
                rich(world, item, 0, lines);
            }
        }
        "table" => table(world, block, lines),
        "data_visualization" => {
            lines.push(format!("(chart) {}", words_of(&block["title"])));
            for series in block["chart"]["series"].as_array().into_iter().flatten() {
                let points = series["data"].as_array().into_iter().flatten();
                lines.extend(points.map(|p| code(&format!("{}: {}", words_of(&p["label"]), p["value"]))));
            }
        }
        "input" => {
            let optional = if block["optional"] == true { " (optional)" } else { "" };
            lines.push(format!(
                "{}{optional}: {}",
                words(&block["label"]),
                element(&block["element"]).unwrap_or_default()
            ));
        }
        "image" => lines.push(format!("(image) {}", words_of(&block["alt_text"]))),
        other => lines.push(format!("({other})")),
    }
}

fn words_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(text: &Value) -> &str {
    words_of(&text["text"])
}

fn text_object(world: &World, text: &Value, lines: &mut Vec<String>) {
    if text["type"] == "plain_text" {
        lines.extend(emoji(words(text)).lines().map(str::to_owned));
    } else {
        markup(world, words(text), lines);
    }
}

/// mrkdwn with its fenced code.
fn markup(world: &World, text: &str, lines: &mut Vec<String>) {
    for (at, part) in text.split("```").enumerate() {
        let part = part.trim_matches('\n');
        if part.is_empty() {
            continue;
        }
        if at % 2 == 1 {
            let unescaped = part.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            lines.extend(unescaped.lines().map(code));
        } else {
            lines.extend(plain(world, part).lines().map(|l| l.strip_prefix("> ").unwrap_or(l).to_owned()));
        }
    }
}

fn code(line: &str) -> String {
    if line.is_empty() { "|".to_owned() } else { format!("| {line}") }
}

/// Standard Markdown, nearly as written: it is meant to be readable as text.
fn markdown(text: &str, lines: &mut Vec<String>) {
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            lines.push(code(line));
        } else {
            lines.push(emoji(&line.replace("**", "")));
        }
    }
}

/// A button, menu or field as it looks: `[Approve]`, `[Region ▾]`.
fn element(element: &Value) -> Option<String> {
    match element["type"].as_str()? {
        "button" => Some(format!("[{}]", emoji(words(&element["text"])))),
        "image" => None,
        "plain_text_input" | "email_text_input" | "url_text_input" | "number_input" => {
            let initial = words_of(&element["initial_value"]);
            Some(if initial.is_empty() { "[        ]".to_owned() } else { format!("[{initial}]") })
        }
        "checkboxes" | "radio_buttons" => {
            let chosen: Vec<&Value> = chosen(element).map(|o| &o["value"]).collect();
            let mark = |o: &Value| if chosen.contains(&&o["value"]) { "(x)" } else { "( )" };
            let options = element["options"].as_array().into_iter().flatten();
            let marked: Vec<String> = options.map(|o| format!("{} {}", mark(o), words(&o["text"]))).collect();
            Some(marked.join("  "))
        }
        _ => {
            let mut shown = chosen(element).map(|o| words(&o["text"])).collect::<Vec<_>>().join(", ");
            if shown.is_empty() {
                shown = words_of(&element["shown"]).to_owned();
            }
            if shown.is_empty() {
                shown = words(&element["placeholder"]).to_owned();
            }
            Some(format!("[{} ▾]", if shown.is_empty() { "choose" } else { &shown }))
        }
    }
}

/// The options that stand chosen.
fn chosen(element: &Value) -> impl Iterator<Item = &Value> {
    let one = element.get("initial_option").filter(|o| !o.is_null());
    element["initial_options"].as_array().into_iter().flatten().chain(one)
}

fn rich(world: &World, item: &Value, depth: usize, lines: &mut Vec<String>) {
    let elements = || item["elements"].as_array().into_iter().flatten();
    let text = || elements().map(|e| rich_inline(world, e)).collect::<String>();
    match item["type"].as_str().unwrap_or_default() {
        "rich_text_preformatted" => lines.extend(text().trim_end_matches('\n').lines().map(code)),
        "rich_text_list" => {
            let indent = item["indent"].as_u64().unwrap_or(0) as usize + depth;
            for (at, entry) in elements().enumerate() {
                let mark = if item["style"] == "ordered" { format!("{}.", at + 1) } else { "•".to_owned() };
                let mut inner = Vec::new();
                rich(world, entry, depth + 1, &mut inner);
                lines.push(format!("{}{mark} {}", "  ".repeat(indent), inner.join(" ")));
            }
        }
        "rich_text_quote" => lines.extend(text().lines().map(|l| format!("> {l}"))),
        _ => lines.extend(text().lines().map(str::to_owned)),
    }
}

fn rich_inline(world: &World, element: &Value) -> String {
    let name = |field: &str| words_of(&element[field]).to_owned();
    match element["type"].as_str().unwrap_or_default() {
        "text" if element["style"]["code"] == true => format!("`{}`", name("text")),
        "text" => name("text"),
        "link" => match words(element) {
            "" => name("url"),
            label => format!("{label} ({})", name("url")),
        },
        "user" => plain(world, &format!("<@{}>", name("user_id"))),
        "usergroup" => plain(world, &format!("<!subteam^{}>", name("usergroup_id"))),
        "channel" => plain(world, &format!("<#{}>", name("channel_id"))),
        "broadcast" => format!("@{}", name("range")),
        "emoji" => emoji(&format!(":{}:", name("name"))),
        "date" => name("fallback"),
        _ => String::new(),
    }
}

/// Columns aligned by their widest cell.
fn table(world: &World, block: &Value, lines: &mut Vec<String>) {
    let cell = |cell: &Value| match cell["type"].as_str() {
        Some("rich_text") => {
            let mut inner = Vec::new();
            block_lines(world, cell, &mut inner);
            inner.join(" ")
        }
        Some("raw_number") if cell["text"].is_null() => cell["value"].to_string(),
        _ => words(cell).to_owned(),
    };
    let rows: Vec<Vec<String>> = block["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| row.as_array().into_iter().flatten().map(cell).collect())
        .collect();
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    for row in &rows {
        let cells: Vec<String> = row.iter().enumerate().map(|(at, c)| format!("{c:<0$}", width(at))).collect();
        lines.push(code(cells.join("  ").trim_end()));
    }
}

/// `512 bytes`, `12.3 kB`, `1.5 MB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::playground::slack::BOT_USER;
    use crate::playground::slack::faults::Faults;

    #[test]
    fn a_card_reads_as_a_person_sees_it() {
        let world = World::new(Faults::default());
        let mut card = Message::new("1.0".into(), "C0OPS", BOT_USER);
        card.blocks = json!([
            { "type": "header", "text": { "type": "plain_text", "text": "Restart a service" } },
            { "type": "section", "text": { "type": "mrkdwn", "text": "Asked by <@U0SUSAN>, *3 nodes*\n```systemctl &lt;x&gt;\n\nexit```" } },
            { "type": "section", "fields": [{ "type": "mrkdwn", "text": "*Who may approve*\n<!subteam^S0SRE>" }] },
            { "type": "table", "rows": [
                [{ "type": "raw_text", "text": "node" }, { "type": "raw_text", "text": "use" }],
                [{ "type": "raw_text", "text": "web-1" }, { "type": "raw_text", "text": "91 %" }],
            ] },
            { "type": "rich_text", "elements": [{ "type": "rich_text_preformatted", "elements": [{ "type": "text", "text": "a\nb" }] }] },
            { "type": "divider" },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": "expires <!date^1^{time}|14:30>" }] },
            { "type": "actions", "elements": [
                { "type": "button", "text": { "type": "plain_text", "text": "Approve" } },
                { "type": "button", "text": { "type": "plain_text", "text": "Deny" } },
            ] },
        ]).as_array().cloned().unwrap_or_default();
        insta::assert_snapshot!(message(&world, &card), @r"
        @muster:
          # Restart a service
          Asked by @susan, 3 nodes
          | systemctl <x>
          |
          | exit
          Who may approve: @sre
          | node   use
          | web-1  91 %
          | a
          | b
          ────
          expires 14:30
          [Approve] [Deny]
        ");
    }
}
