//! A thread as text: what a tired person reads, laid out like the text of the simulated Slack workspace.
//!
//! One message is `@author:` and its body, indented by two spaces unless it is one line. An embed's title stands as
//! `# title`, a field as `Label: value`, a code line behind `| `, a button as `[Approve]`, a file as
//! `(file) name, size`. That a message was edited is not shown.

use serde_json::Value;

use super::check::component::{BUTTON, ROW, is_select};
use super::markdown::plain;
use super::message::{LOADING, Message};
use super::world::World;
use crate::playground::slack::text::size;

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
    let author = if message.by_client {
        "Discord".to_owned()
    } else {
        world.person(&message.author).map_or(format!("@{}", message.author), |p| format!("@{}", p.name))
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

/// The lines of a message: its words, its embeds, its files, its buttons.
pub fn body(world: &World, message: &Message) -> Vec<String> {
    let mut lines = Vec::new();
    if message.flags & LOADING != 0 {
        lines.push("Muster is thinking...".to_owned());
    }
    markup(world, &message.content, &mut lines);
    for embed in &message.embeds {
        embed_lines(world, embed, &mut lines);
    }
    for file in message.attachments.iter().filter_map(|id| world.files.get(id)) {
        let title = file.description.as_deref().filter(|d| *d != file.name);
        let title = title.map(|d| format!("{d}, ")).unwrap_or_default();
        lines.push(format!("(file) {title}{}, {}", file.name, size(file.bytes.len())));
    }
    for row in message.components.iter().filter(|c| c["type"] == ROW) {
        let shown: Vec<String> = row["components"].as_array().into_iter().flatten().filter_map(component).collect();
        lines.push(shown.join(" "));
    }
    lines
}

fn embed_lines(world: &World, embed: &Value, lines: &mut Vec<String>) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(author) = text(&embed["author"]["name"]) {
        lines.push(author);
    }
    if let Some(title) = text(&embed["title"]) {
        lines.push(format!("# {}", plain(world, &title)));
    }
    markup(world, embed["description"].as_str().unwrap_or_default(), lines);
    for field in embed["fields"].as_array().into_iter().flatten() {
        let mut inner = Vec::new();
        markup(world, field["value"].as_str().unwrap_or_default(), &mut inner);
        let label = plain(world, field["name"].as_str().unwrap_or_default());
        let code = inner.iter().any(|l| l.starts_with('|'));
        if code {
            lines.push(format!("{}:", label.trim_end_matches(':')));
            lines.append(&mut inner);
        } else {
            lines.push(format!("{}: {}", label.trim_end_matches(':'), inner.join("; ")));
        }
    }
    // A footer and an author are plain text.
    if let Some(footer) = text(&embed["footer"]["text"]) {
        lines.extend(footer.lines().map(str::to_owned));
    }
}

/// Text with its fenced code.
pub fn markup(world: &World, text: &str, lines: &mut Vec<String>) {
    for (at, part) in text.split("```").enumerate() {
        if at % 2 == 0 {
            let part = part.trim_matches('\n');
            lines.extend(if part.is_empty() { Vec::new() } else { own(plain(world, part)) });
            continue;
        }
        // The first line may name a language.
        let code = match part.split_once('\n') {
            Some((language, rest)) if language.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-_".contains(&b)) => {
                rest
            }
            _ => part,
        };
        lines.extend(code.trim_matches('\n').lines().map(|l| if l.is_empty() { "|".into() } else { format!("| {l}") }));
    }
}

fn own(text: String) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// A button or a menu as it looks: `[Approve]`, `[Region ▾]`.
fn component(component: &Value) -> Option<String> {
    let text = |name: &str| component[name].as_str().unwrap_or_default();
    if component["type"] == BUTTON {
        let emoji = component["emoji"]["name"].as_str().map(|e| format!("{e} ")).unwrap_or_default();
        return Some(format!("[{emoji}{}]", text("label")));
    }
    let placeholder = text("placeholder");
    is_select(&component["type"])
        .then(|| format!("[{} ▾]", if placeholder.is_empty() { "choose" } else { placeholder }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::faults::Faults;
    use super::super::people::{OPS, SUSAN};
    use super::super::{BOT_USER, SRE_ROLE};
    use super::*;

    #[test]
    fn a_card_reads_as_a_person_sees_it() {
        let world = World::new(Faults::default());
        let mut card = Message::new("1".into(), OPS, BOT_USER);
        card.content = format!("<@{SUSAN}> look");
        card.embeds = vec![json!({
            "title": "Restart a service",
            "description": format!("Asked by <@{SUSAN}>, **3 nodes**\n```sh\nsystemctl <x>\n\nexit\n```\n-# expires <t:1700000000:t>"),
            "fields": [{ "name": "Who may approve", "value": format!("<@&{SRE_ROLE}>") }],
            "footer": { "text": "k:1a2b" },
        })];
        card.components = vec![json!({ "type": 1, "components": [
            { "type": 2, "style": 3, "label": "Approve", "custom_id": "a" },
            { "type": 2, "style": 4, "label": "Deny", "custom_id": "d" },
        ] })];
        insta::assert_snapshot!(message(&world, &card), @r"
        @muster:
          @susan look
          # Restart a service
          Asked by @susan, 3 nodes
          | systemctl <x>
          |
          | exit
          expires 22:13 UTC
          Who may approve: @sre
          k:1a2b
          [Approve] [Deny]
        ");
    }
}
