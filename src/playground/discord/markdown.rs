//! Discord's text markup, both ways: what a person types becomes text with ids; what a bot writes becomes what a person
//! reads.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::{Captures, Regex};

use super::world::World;

/// A pattern written in this file; the tests use every one of them.
macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}
pattern!(TYPED, r"(?P<before>^|[\s(,])(?P<sigil>[@#])(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)");
pattern!(CODE, r"``[^\n]*?``|`[^`\n]+`");
pattern!(ESCAPED, r"\\([!-/:-@\[-`{-~])");
pattern!(ANGLE, r"<(?P<kind>@&|@!|@|#|t:)(?P<rest>-?\d+(?::[tTdDfFR])?)>|<(?P<link>https?://[^\s<>]+)>");
pattern!(MASKED, r"\[(?P<label>[^\[\]\n]+)\]\((?P<url>https?://[^\s()]+)\)");
pattern!(STYLE, r"\*\*(?P<b>[^*\n]+)\*\*|__(?P<u>[^_\n]+)__|~~(?P<s>[^~\n]+)~~|\|\|(?P<h>[^|\n]+)\|\|");
pattern!(
    LEAN,
    r"(?P<before>^|[\s(\[{>•,;:/|—–-])(?:\*(?P<a>[^\s*](?:[^*\n]*[^\s*])?)\*|_(?P<i>[^\s_](?:[^_\n]*[^\s_])?)_)"
);
pattern!(START, r"(?m)^(?:-# |#{2,3} |> |>>> )");
pattern!(BULLET, r"(?m)^(?P<indent>\s*)[-*] ");

fn replace(pattern: &Option<Regex>, text: &str, by: impl Fn(&Captures<'_>) -> String) -> String {
    pattern.as_ref().map_or_else(|| text.to_owned(), |p| p.replace_all(text, |c: &Captures<'_>| by(c)).into_owned())
}

/// What is sent when a person types `text`: people, roles and channels as their ids.
pub fn typed(world: &World, text: &str) -> String {
    replace(&TYPED, text, |found| {
        let (before, full) = (&found["before"], &found["name"]);
        let name = full.trim_end_matches(['.', '-']);
        let rest = &full[name.len()..];
        if &found["sigil"] == "#" {
            if let Some(channel) = world.channels.iter().find(|c| c.name == name && c.guild.is_some()) {
                return format!("{before}<#{}>{rest}", channel.id);
            }
        } else if let Some(person) = world.people.iter().find(|p| p.name == name) {
            return format!("{before}<@{}>{rest}", person.id);
        } else if let Some(role) = world.guilds.iter().flat_map(|g| world.roles(g)).find(|r| r.name == name) {
            return format!("{before}<@&{}>{rest}", role.id);
        }
        found[0].to_owned()
    })
}

/// Text as a person reads it: names for ids, times in UTC, no style marks, no escapes. Code keeps its backticks and
/// everything between them.
pub fn plain(world: &World, text: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    for code in CODE.as_ref().into_iter().flat_map(|p| p.find_iter(text)) {
        // An escaped backtick begins no code.
        if text[..code.start()].ends_with('\\') {
            continue;
        }
        out.push_str(&plain_part(world, &text[at..code.start()]));
        out.push_str(&one_tick(code.as_str()));
        at = code.end();
    }
    out.push_str(&plain_part(world, &text[at..]));
    out
}

/// Code between two backticks reads like code between one.
fn one_tick(code: &str) -> String {
    match code.strip_prefix("``").and_then(|c| c.strip_suffix("``")) {
        Some(inner) => format!("`{}`", inner.trim()),
        None => code.to_owned(),
    }
}

fn plain_part(world: &World, text: &str) -> String {
    // What is escaped hides in the private use area until everything else is read.
    let hidden =
        replace(&ESCAPED, text, |found| found[1].chars().filter_map(|c| char::from_u32(0xE000 + c as u32)).collect());
    let shown = replace(&START, &hidden, |_| String::new());
    let shown = replace(&BULLET, &shown, |found| format!("{}• ", &found["indent"]));
    let shown = replace(&ANGLE, &shown, |found| named(world, found));
    let shown = replace(&MASKED, &shown, |found| {
        let (label, url) = (&found["label"], &found["url"]);
        if label == url { url.to_owned() } else { format!("{label} ({url})") }
    });
    // Twice, for one style inside another.
    let shown = unstyled(&unstyled(&shown));
    shown
        .chars()
        .map(|c| match u32::from(c) {
            code @ 0xE000..0xE080 => char::from_u32(code - 0xE000).unwrap_or(c),
            _ => c,
        })
        .collect()
}

fn unstyled(text: &str) -> String {
    let inner = |found: &Captures<'_>, names: &[&str]| {
        names.iter().find_map(|n| found.name(n)).map_or(String::new(), |m| m.as_str().to_owned())
    };
    let text = replace(&STYLE, text, |found| inner(found, &["b", "u", "s", "h"]));
    replace(&LEAN, &text, |found| format!("{}{}", &found["before"], inner(found, &["a", "i"])))
}

/// What stands in angle brackets.
fn named(world: &World, found: &Captures<'_>) -> String {
    if let Some(link) = found.name("link") {
        return link.as_str().to_owned();
    }
    let rest = &found["rest"];
    match &found["kind"] {
        "@" | "@!" => format!("@{}", world.person(rest).map_or("unknown-user", |p| p.name)),
        "@&" => format!("@{}", world.role(rest).map_or("deleted-role", |r| r.name)),
        "#" => format!("#{}", world.channel(rest).map_or("unknown", |c| &c.name)),
        _ => {
            let (seconds, style) = rest.split_once(':').unwrap_or((rest, "f"));
            when(seconds.parse().unwrap_or_default(), style).unwrap_or_else(|| found[0].to_owned())
        }
    }
}

/// A time as a reader in UTC sees it.
fn when(seconds: i64, style: &str) -> Option<String> {
    let at = Timestamp::from_second(seconds).ok()?;
    let format = match style {
        "t" => "%H:%M UTC",
        "T" => "%H:%M:%S UTC",
        "d" | "D" => "%Y-%m-%d",
        "R" => return Some(relative(at)),
        _ => "%Y-%m-%d %H:%M UTC",
    };
    Some(at.to_zoned(TimeZone::UTC).strftime(format).to_string())
}

fn relative(at: Timestamp) -> String {
    let seconds = at.as_second() - Timestamp::now().as_second();
    let (count, unit) = match seconds.unsigned_abs() {
        s @ 0..60 => (s, "second"),
        s @ 60..3_600 => (s / 60, "minute"),
        s @ 3_600..86_400 => (s / 3_600, "hour"),
        s => (s / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if seconds < 0 { format!("{count} {unit}{plural} ago") } else { format!("in {count} {unit}{plural}") }
}

#[cfg(test)]
mod tests {
    use super::super::faults::Faults;
    use super::super::people::{ARNE, OPS, SUSAN};
    use super::super::{BOT_USER, SRE_ROLE};
    use super::*;

    #[test]
    fn what_a_person_types_is_sent_with_ids() {
        let world = World::new(Faults::default());
        let expected = format!("run for <@{SUSAN}> and <@&{SRE_ROLE}> in <#{OPS}>, a@b.c tag:x=@nobody @here");
        assert_eq!(typed(&world, "run for @susan and @sre in #ops, a@b.c tag:x=@nobody @here"), expected);
        assert_eq!(typed(&world, "@muster status."), format!("<@{BOT_USER}> status."));
    }

    #[test]
    fn what_a_bot_writes_reads_as_a_person_sees_it() {
        let world = World::new(Faults::default());
        let read = |text: &str| plain(&world, text);
        assert_eq!(
            read(&format!("**Approved** by <@{ARNE}>, *3* of ~~4~~ __x__ ||y||")),
            "Approved by @arne, 3 of 4 x y"
        );
        assert_eq!(
            read(&format!("until <t:1700000000:t> by <@&{SRE_ROLE}>, <t:1700000000>")),
            "until 22:13 UTC by @sre, 2023-11-14 22:13 UTC"
        );
        assert_eq!(read(&format!("`a*b*c <@{ARNE}>` **x** ``a`b``")), format!("`a*b*c <@{ARNE}>` x `a`b`"));
        assert_eq!(
            read("see [the log](https://a.b/c) and <https://a.b>"),
            "see the log (https://a.b/c) and https://a.b"
        );
        assert_eq!(
            read(r"2*3*4 snake_case_name \*not lean\* \<@1\> \`x\`"),
            "2*3*4 snake_case_name *not lean* <@1> `x`"
        );
        assert_eq!(read("## Head\n- one\n-# small\n> said"), "Head\n• one\nsmall\nsaid");
        assert_eq!(read("***both***"), "both");
    }
}
