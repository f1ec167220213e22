//! Slack's text markup, both ways: what a person types becomes escaped text with ids; what an app writes becomes what
//! a person reads.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::world::World;

/// Emoji that apps like to use, so that the text of a thread shows what a person sees.
pub const EMOJI: &[(&str, &str)] = &[
    ("white_check_mark", "✅"),
    ("heavy_check_mark", "✔️"),
    ("x", "❌"),
    ("warning", "⚠️"),
    ("no_entry", "⛔"),
    ("no_entry_sign", "🚫"),
    ("octagonal_sign", "🛑"),
    ("hourglass_flowing_sand", "⏳"),
    ("hourglass", "⌛"),
    ("arrows_counterclockwise", "🔄"),
    ("large_green_circle", "🟢"),
    ("large_yellow_circle", "🟡"),
    ("large_blue_circle", "🔵"),
    ("large_orange_circle", "🟠"),
    ("red_circle", "🔴"),
    ("white_circle", "⚪"),
    ("lock", "🔒"),
    ("information_source", "ℹ️"),
    ("mag", "🔍"),
    ("page_facing_up", "📄"),
    ("bell", "🔔"),
    ("rocket", "🚀"),
    ("rotating_light", "🚨"),
    ("grey_question", "❔"),
    ("clock3", "🕒"),
];

/// A pattern written in this file; the tests use every one of them.
macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}
pattern!(
    TYPED,
    r"(?P<before>^|[\s(,])(?P<sigil>[@#])(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)|(?P<link>https?://[^\s<>|]+)"
);
pattern!(ANGLE, r"<([^<>\n]+)>");
pattern!(SHORT, r":([a-z0-9_+-]+):");
pattern!(CODE, r"`[^`\n]+`");
pattern!(
    STYLE,
    r"(?P<before>^|[\s(\[{>•,;:/|—–-])(?:\*(?P<b>[^\s*](?:[^*\n]*[^\s*])?)\*|_(?P<i>[^\s_](?:[^_\n]*[^\s_])?)_|~(?P<s>[^\s~](?:[^~\n]*[^\s~])?)~)"
);

fn replace(pattern: &Option<Regex>, text: &str, by: impl Fn(&Captures<'_>) -> String) -> String {
    pattern.as_ref().map_or_else(|| text.to_owned(), |p| p.replace_all(text, |c: &Captures<'_>| by(c)).into_owned())
}

/// What arrives at the app when a person types `text`: `&<>` escaped; people, groups, channels and links as ids in
/// angle brackets; with their names (`labelled`) as slash commands with `should_escape` carry them.
pub fn escape_typed(world: &World, text: &str, labelled: bool) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    replace(&TYPED, &text, |found| {
        if let Some(link) = found.name("link") {
            return format!("<{}>", link.as_str());
        }
        let (before, sigil, full) = (&found["before"], &found["sigil"], &found["name"]);
        let name = full.trim_end_matches(['.', '-']);
        let rest = &full[name.len()..];
        let tag = |id: String, label: String| {
            if labelled { format!("{before}<{id}|{label}>{rest}") } else { format!("{before}<{id}>{rest}") }
        };
        if sigil == "#" {
            if let Some(channel) = world.channels.iter().find(|c| c.name == name && c.im.is_none()) {
                return format!("{before}<#{}|{}>{rest}", channel.id, channel.name);
            }
        } else if let Some(person) = world.people.iter().find(|p| p.name == name) {
            return tag(format!("@{}", person.id), person.name.to_owned());
        } else if let Some(group) = world.groups.iter().find(|g| g.handle == name) {
            return tag(format!("!subteam^{}", group.id), format!("@{}", group.handle));
        } else if ["here", "channel", "everyone"].contains(&name) {
            return format!("{before}<!{name}>{rest}");
        }
        found[0].to_owned()
    })
}

/// One line or more of mrkdwn as a person reads it: names for ids, fallbacks for dates, no style marks, no escapes.
/// Code keeps its backticks and everything between them.
pub fn plain(world: &World, text: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    for code in CODE.as_ref().into_iter().flat_map(|p| p.find_iter(text)) {
        out.push_str(&plain_part(world, &text[at..code.start()]));
        out.push_str(&resolve(world, code.as_str()));
        at = code.end();
    }
    out.push_str(&plain_part(world, &text[at..]));
    out
}

fn plain_part(world: &World, text: &str) -> String {
    let unstyle = |text: &str| {
        replace(&STYLE, text, |found| {
            let inner = ["b", "i", "s"].iter().find_map(|n| found.name(n)).map_or("", |m| m.as_str());
            format!("{}{inner}", &found["before"])
        })
    };
    // Twice, for `*_both_*`.
    emoji(&resolve(world, &unstyle(&unstyle(text))))
}

pub fn emoji(text: &str) -> String {
    replace(&SHORT, text, |found| {
        let known = EMOJI.iter().find(|(name, _)| *name == &found[1]);
        known.map_or_else(|| found[0].to_owned(), |(_, sign)| (*sign).to_owned())
    })
}

/// Angle brackets to names, then the three escapes.
fn resolve(world: &World, text: &str) -> String {
    let shown = replace(&ANGLE, text, |found| {
        let (target, label) = found[1].split_once('|').map_or((&found[1], None), |(t, l)| (t, Some(l)));
        let (kind, rest) = target.split_at(target.char_indices().nth(1).map_or(target.len(), |(i, _)| i));
        match (kind, rest) {
            ("@", id) => {
                let name = world.person(id).map(|p| p.name).or(label).unwrap_or(id);
                format!("@{name}")
            }
            ("#", id) => format!("#{}", world.channel(id).map(|c| c.name.as_str()).or(label).unwrap_or(id)),
            ("!", rest) if rest.starts_with("subteam^") => {
                let id = rest.trim_start_matches("subteam^");
                let handle = world.groups.iter().find(|g| g.id == id).map(|g| g.handle);
                format!("@{}", handle.or(label.map(|l| l.trim_start_matches('@'))).unwrap_or(id))
            }
            ("!", rest) if rest.starts_with("date^") => label.unwrap_or(rest).to_owned(),
            ("!", rest) => format!("@{rest}"),
            _ => match label {
                Some(label) if label != target => format!("{label} ({target})"),
                _ => target.to_owned(),
            },
        }
    });
    shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playground::slack::faults::Faults;

    #[test]
    fn what_a_person_types_arrives_with_ids() {
        let world = World::new(Faults::default());
        let typed = "run disk-usage for @susan and @sre in #ops <b> & a@b.c tag:x=@nobody https://x.y/z";
        let expected = "run disk-usage for <@U0SUSAN|susan> and <!subteam^S0SRE|@sre> in <#C0OPS|ops> &lt;b&gt; &amp; \
                        a@b.c tag:x=@nobody <https://x.y/z>";
        assert_eq!(escape_typed(&world, typed, true), expected);
        assert_eq!(escape_typed(&world, "@muster status.", false), "<@U0BOT> status.");
    }

    #[test]
    fn what_an_app_writes_reads_as_a_person_sees_it() {
        let world = World::new(Faults::default());
        let read = |text: &str| plain(&world, text);
        assert_eq!(read("*Approved* by <@U0ARNE>, _3_ of ~4~ &lt;ok&gt;"), "Approved by @arne, 3 of 4 <ok>");
        assert_eq!(read("until <!date^1700000000^{time}|14:30 UTC> by <!subteam^S0SRE>"), "until 14:30 UTC by @sre");
        assert_eq!(read("`a*b*c &amp; <@U0ARNE>` *x*"), "`a*b*c & @arne` x");
        assert_eq!(
            read("see <https://a.b/c|the log> and <https://a.b>"),
            "see the log (https://a.b/c) and https://a.b"
        );
        assert_eq!(
            read("2*3*4 snake_case_name :white_check_mark: :unknown_one:"),
            "2*3*4 snake_case_name ✅ :unknown_one:"
        );
        assert_eq!(read("&amp;lt; &lt;!channel&gt;"), "&lt; <!channel>");
    }
}
