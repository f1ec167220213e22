//! Text to conversation. Every fault at once, each with its line and remedy.

use std::path::Path;
use std::time::Duration;

use super::{Conversation, How, Line, Place, Step, plant};
use crate::domain::{Fault, Position};

const WAIT_DONE: Duration = Duration::from_secs(60);
const WAIT_FOR: Duration = Duration::from_secs(30);
const WAIT_CONNECTED: Duration = Duration::from_secs(60);
const PEOPLE: &[&str] =
    &["support", "approver", "approver2", "outsider", "foreign", "susan", "arne", "priya", "omar", "fred"];
const FIRST_WORDS: &[&str] = &["look", "wait", "expect", "snapshot", "plant", "lift"];

/// What is wrong in one line, and what to write instead.
pub(super) type Wrong = (String, String);

pub fn parse(file: &Path, text: &str) -> Result<Conversation, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut lines = Vec::new();
    for (at, raw) in text.lines().enumerate() {
        let number = at as u32 + 1;
        let line = raw.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let step = match line.strip_prefix('|') {
            Some(more) => go_on(lines.last_mut(), more).map(|()| None),
            None => step(line).map(Some),
        };
        match step {
            Ok(None) => {}
            Ok(Some(step)) => lines.push(Line { number, text: line.to_owned(), step }),
            Err((what, remedy)) => {
                let column = (raw.len() - raw.trim_start().len()) as u32 + 1;
                let at = Some(Position { line: number, column });
                faults.push(Fault { file: file.to_owned(), at, what, remedy });
            }
        }
    }
    if faults.is_empty() { Ok(Conversation { file: file.to_owned(), lines }) } else { Err(faults) }
}

/// Another line of what was typed above.
fn go_on(last: Option<&mut Line>, more: &str) -> Result<(), Wrong> {
    match last.map(|line| &mut line.step) {
        Some(Step::Say { text, .. }) => {
            text.push('\n');
            text.push_str(more.strip_prefix(' ').unwrap_or(more));
            Ok(())
        }
        Some(_) | None => Err((
            "nothing was typed above".to_owned(),
            "put `| …` under the line `@person: …` that it goes on with".to_owned(),
        )),
    }
}

fn step(line: &str) -> Result<Step, Wrong> {
    if let Some(rest) = line.strip_prefix('@') {
        return person(rest);
    }
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    match first {
        "look" => match rest.strip_prefix("in #").and_then(|rest| rest.split_once(" for ")) {
            Some((name, text)) if !name.is_empty() => {
                Ok(Step::LookIn { channel: format!("#{name}"), text: quoted(text)? })
            }
            _ => Err((format!("cannot look `{rest}`"), "write `look in #channel for \"text\"`".to_owned())),
        },
        "wait" => wait(rest),
        "plant" => plant::fault(rest).map(|(at, fault)| Step::Plant { at, fault }),
        "lift" => plant::lifted(rest).map(|(at, fault)| Step::Lift { at, fault }),
        "expect" => expect(rest),
        "snapshot" => match rest {
            "thread" => Ok(Step::SnapshotThread),
            "ephemeral" => Ok(Step::SnapshotEphemeral { who: None }),
            "form" => Ok(Step::SnapshotForm),
            "home" => Ok(Step::SnapshotHome),
            of if of.starts_with("ephemeral @") => {
                Ok(Step::SnapshotEphemeral { who: Some(known(of.trim_start_matches("ephemeral @"))?) })
            }
            other => Err((
                format!("cannot take a snapshot of `{other}`"),
                "write `thread`, `ephemeral`, `ephemeral @person`, `form` or `home`".to_owned(),
            )),
        },
        other => {
            let near = FIRST_WORDS
                .iter()
                .max_by(|a, b| strsim::jaro_winkler(a, other).total_cmp(&strsim::jaro_winkler(b, other)));
            let remedy = match near.filter(|n| strsim::jaro_winkler(n, other) > 0.7) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "a line starts with `@person`, `|`, `look`, `wait`, `expect`, `snapshot`, `plant`, `lift` or `#`"
                        .to_owned()
                }
            };
            Err((format!("unknown word `{other}`"), remedy))
        }
    }
}

/// `support: …`, `support in #incidents: …`, `support in thread: …`, `approver clicks "…"`, `approver fills a="…"`.
fn person(rest: &str) -> Result<Step, Wrong> {
    let end = rest.find(|c: char| c == ':' || c.is_whitespace()).unwrap_or(rest.len());
    let who = known(&rest[..end])?;
    let rest = &rest[end..];
    if let Some(text) = rest.strip_prefix(':') {
        return said(who, Place::Usual, text);
    }
    let rest = rest.trim_start();
    let (verb, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let rest = rest.trim();
    match verb {
        "in" => {
            let (place, text) = rest
                .split_once(':')
                .ok_or_else(|| ("no `:` after the place".to_owned(), "write `@support in thread: …`".to_owned()))?;
            match (place.trim(), place.trim().strip_prefix('#')) {
                ("thread", _) => said(who, Place::Thread, text),
                (_, Some(name)) if !name.is_empty() => said(who, Place::Channel(format!("#{name}")), text),
                (other, _) => Err((format!("unknown place `{other}`"), "write `#channel` or `thread`".to_owned())),
            }
        }
        "clicks" => clicks(who, rest),
        "fills" => Ok(Step::Fill { who, values: values(rest)? }),
        "uses" => match quoted_then(rest)? {
            (shortcut, "") => Ok(Step::Use { who, shortcut, on_message: false }),
            (shortcut, "on the last message") => Ok(Step::Use { who, shortcut, on_message: true }),
            (_, other) => Err((format!("cannot use it `{other}`"), "write `on the last message` or nothing".to_owned())),
        },
        "opens" if rest == "home" => Ok(Step::OpenHome { who }),
        "opens" => Err((format!("cannot open `{rest}`"), format!("write `@{who} opens home`"))),
        "searches" => in_field(rest).map(|(typed, field)| Step::Search { who, typed, field }),
        "picks" => in_field(rest).map(|(option, field)| Step::Pick { who, option, field }),
        other => Err((
            format!("`@{who}` cannot `{other}`"),
            "write `@person: words` or `@person in thread: words`, or a verb: `clicks`, `fills`, `uses`, `opens`, `searches`, `picks`".to_owned(),
        )),
    }
}

/// `"Approve"`, `"Approve" twice`, `the old "Approve"`.
fn clicks(who: String, rest: &str) -> Result<Step, Wrong> {
    if let Some(old) = rest.strip_prefix("the old ") {
        return Ok(Step::Click { who, label: quoted(old)?, how: How::Late });
    }
    let (label, how) = match quoted_then(rest)? {
        (label, "") => (label, How::Once),
        (label, "twice") => (label, How::Twice),
        (_, after) => {
            let remedy = "write `clicks \"Label\"`, `clicks \"Label\" twice` or `clicks the old \"Label\"`";
            return Err((format!("cannot click `{after}`"), remedy.to_owned()));
        }
    };
    Ok(Step::Click { who, label, how })
}

/// `"words" in "Field"`.
fn in_field(rest: &str) -> Result<(String, String), Wrong> {
    let (words, rest) = quoted_then(rest)?;
    let field = rest
        .strip_prefix("in ")
        .ok_or_else(|| ("in which field?".to_owned(), "write `\"words\" in \"Field\"`".to_owned()))?;
    Ok((words, quoted(field)?))
}

fn known(name: &str) -> Result<String, Wrong> {
    if PEOPLE.contains(&name) {
        return Ok(name.to_owned());
    }
    let near = PEOPLE.iter().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let all = "`@support`, `@approver`, `@approver2`, `@outsider` and `@foreign`";
    let remedy = match near.filter(|n| strsim::jaro_winkler(n, name) > 0.8) {
        Some(near) => format!("did you mean `@{near}`?"),
        None => format!("there are {all}"),
    };
    Err((format!("nobody is called `@{name}`"), remedy))
}

fn said(who: String, place: Place, text: &str) -> Result<Step, Wrong> {
    match text.trim() {
        "" => Err(("nothing is said".to_owned(), format!("write `@{who}: /runbook list`"))),
        text => Ok(Step::Say { who, place, text: text.to_owned() }),
    }
}

fn wait(rest: &str) -> Result<Step, Wrong> {
    if let Some(after) = rest.strip_prefix("done") {
        return Ok(Step::WaitDone { timeout: timeout(after, WAIT_DONE)? });
    }
    if let Some(after) = rest.strip_prefix("connected") {
        return Ok(Step::WaitConnected { timeout: timeout(after, WAIT_CONNECTED)? });
    }
    let Some(rest) = rest.strip_prefix("for ") else {
        let remedy = "write `wait done`, `wait connected` or `wait for \"text\"`";
        return Err((format!("cannot wait `{rest}`"), remedy.to_owned()));
    };
    let (text, after) = quoted_then(rest.trim())?;
    Ok(Step::WaitFor { text, timeout: timeout(after, WAIT_FOR)? })
}

fn expect(rest: &str) -> Result<Step, Wrong> {
    if let Some(text) = rest.strip_prefix("thread has ") {
        return Ok(Step::ThreadHas { text: quoted(text)? });
    }
    if let Some(text) = rest.strip_prefix("thread lacks ") {
        return Ok(Step::ThreadLacks { text: quoted(text)? });
    }
    if let Some(text) = rest.strip_prefix("form has ") {
        return Ok(Step::FormHas { text: quoted(text)? });
    }
    if let Some(rest) = rest.strip_prefix("home of @") {
        let (who, text) = rest
            .split_once(" has ")
            .ok_or_else(|| ("has what?".to_owned(), "write `expect home of @support has \"text\"`".to_owned()))?;
        return Ok(Step::HomeHas { who: known(who.trim())?, text: quoted(text)? });
    }
    if let Some(selector) = rest.strip_prefix("ran once on ") {
        super::selector::Selector::parse(selector)
            .map_err(|what| (what, "write clauses such as `env=staging tag:service=web`".to_owned()))?;
        return Ok(Step::RanOnce { selector: selector.trim().to_owned() });
    }
    if let Some(rest) = rest.strip_prefix('@') {
        let (who, text) = rest
            .split_once(" sees ")
            .ok_or_else(|| ("who sees what?".to_owned(), "write `expect @support sees \"text\"`".to_owned()))?;
        return Ok(Step::Sees { who: known(who.trim())?, text: quoted(text)? });
    }
    match rest {
        "no thread" => Ok(Step::NoThread),
        "nothing pings" => Ok(Step::NothingPings),
        "nothing ran" => Ok(Step::NothingRan),
        other => Err((
            format!("cannot expect `{other}`"),
            "write `thread has \"…\"`, `thread lacks \"…\"`, `@person sees \"…\"`, `form has \"…\"`, `home of @person has \"…\"`, `nothing pings`, `no thread`, `ran once on SELECTOR` or `nothing ran`".to_owned(),
        )),
    }
}

fn timeout(text: &str, usual: Duration) -> Result<Duration, Wrong> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(usual);
    }
    let seconds = match (text.strip_suffix('s'), text.strip_suffix('m')) {
        (Some(n), _) => n.parse::<u64>().ok(),
        (_, Some(n)) => n.parse::<u64>().ok().map(|n| n * 60),
        _ => None,
    };
    seconds
        .filter(|n| (1..=3600).contains(n))
        .map(Duration::from_secs)
        .ok_or_else(|| (format!("`{text}` is no time to wait"), "write `60s` or `2m`, at most an hour".to_owned()))
}

/// The whole rest is one quoted text.
fn quoted(rest: &str) -> Result<String, Wrong> {
    match quoted_then(rest.trim())? {
        (text, "") => Ok(text),
        (_, after) => {
            Err((format!("`{after}` stands after the text"), "end the line after the closing `\"`".to_owned()))
        }
    }
}

/// A quoted text (`\"` and `\\` inside) and what follows it.
pub(super) fn quoted_then(rest: &str) -> Result<(String, &str), Wrong> {
    let missing = || ("the text is not in quotes".to_owned(), "write it between `\"` and `\"`".to_owned());
    let inner = rest.strip_prefix('"').ok_or_else(missing)?;
    let mut text = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((text, inner[at + 1..].trim())),
            '\\' => text.extend(chars.next().map(|(_, c)| if c == 'n' { '\n' } else { c })),
            c => text.push(c),
        }
    }
    Err(("the closing `\"` is missing".to_owned(), "write it between `\"` and `\"`".to_owned()))
}

/// `reason="not tonight" count="3"`, commas allowed between.
pub(super) fn values(rest: &str) -> Result<Vec<(String, String)>, Wrong> {
    let mut found = Vec::new();
    let mut rest = rest;
    while !rest.is_empty() {
        let (name, after) = rest
            .split_once('=')
            .ok_or_else(|| (format!("no `=` after `{rest}`"), "write `field=\"words\"`".to_owned()))?;
        let (text, after) = quoted_then(after.trim_start())?;
        let name = name.trim().trim_matches('"').to_owned();
        if name.is_empty() {
            return Err(("a field without a name".to_owned(), "write `field=\"words\"`".to_owned()));
        }
        found.push((name, text));
        rest = after.trim_start_matches(',').trim();
    }
    if found.is_empty() {
        return Err(("nothing is filled in".to_owned(), "write `@approver fills reason=\"words\"`".to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        parse(Path::new("x.conversation"), text).unwrap().lines.into_iter().map(|l| l.step).collect()
    }

    #[test]
    fn every_form_of_a_line_is_understood() {
        let text = r##"
            # a tour
            @support: /runbook run disk-usage on env=staging
            @support in #incidents: /runbook list
            @support in thread: @muster status
            @approver clicks "Approve"
            @approver clicks "Approve" twice
            @approver clicks the old "Approve"
            @approver fills reason="not \"tonight\"", count="3"
            wait done
            wait done 90s
            wait for "2 of 4" 2m
            expect thread has "ok"
            expect @support sees "psst"
            expect no thread
            expect ran once on env=staging tag:service=web
            expect nothing ran
            snapshot thread
            wait connected 5s
            expect nothing pings
            @support: /runbook run x
            | on y
            @support uses "Run a runbook here" on the last message
            @support uses "Run a runbook"
            @support opens home
            @support searches "disk" in "Runbook"
            @support picks "Disk usage" in "Runbook"
            expect form has "Where"
            expect home of @support has "Waiting for you"
            snapshot form
            snapshot home
        "##;
        let found = steps(text);
        let say = |place, text: &str| Step::Say { who: "support".into(), place, text: text.into() };
        assert_eq!(found[0], say(Place::Usual, "/runbook run disk-usage on env=staging"));
        assert_eq!(found[1], say(Place::Channel("#incidents".into()), "/runbook list"));
        assert_eq!(found[2], say(Place::Thread, "@muster status"));
        assert_eq!(found[3], Step::Click { who: "approver".into(), label: "Approve".into(), how: How::Once });
        let hows: Vec<How> =
            found.iter().filter_map(|s| if let Step::Click { how, .. } = s { Some(*how) } else { None }).collect();
        assert_eq!(hows, [How::Once, How::Twice, How::Late]);
        let values = vec![("reason".to_owned(), "not \"tonight\"".to_owned()), ("count".to_owned(), "3".to_owned())];
        assert_eq!(found[6], Step::Fill { who: "approver".into(), values });
        assert_eq!(found[8], Step::WaitDone { timeout: Duration::from_secs(90) });
        assert_eq!(found[9], Step::WaitFor { text: "2 of 4".into(), timeout: Duration::from_secs(120) });
        assert_eq!(found[18], say(Place::Usual, "/runbook run x\non y"));
        let shortcut = |name: &str, on_message| Step::Use { who: "support".into(), shortcut: name.into(), on_message };
        assert_eq!(found[19], shortcut("Run a runbook here", true));
        assert_eq!(found[20], shortcut("Run a runbook", false));
        let field = || "Runbook".to_owned();
        assert_eq!(found[22], Step::Search { who: "support".into(), typed: "disk".into(), field: field() });
        assert_eq!(found[23], Step::Pick { who: "support".into(), option: "Disk usage".into(), field: field() });
        assert_eq!(found[25], Step::HomeHas { who: "support".into(), text: "Waiting for you".into() });
        assert_eq!(found.len(), 28);
    }

    #[test]
    fn every_fault_is_told_at_once_with_line_and_remedy() {
        let text = "@suport: hi\n@support clicks Approve\nexpct no thread\nwait done soon\nexpect thread has \"x\n@support:\n@support opens door\n@support picks \"a\"\n";
        let faults = parse(Path::new("x.conversation"), text).unwrap_err();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        x.conversation:1:1: nobody is called `@suport`
          did you mean `@support`?
        x.conversation:2:1: the text is not in quotes
          write it between `"` and `"`
        x.conversation:3:1: unknown word `expct`
          did you mean `expect`?
        x.conversation:4:1: `soon` is no time to wait
          write `60s` or `2m`, at most an hour
        x.conversation:5:1: the closing `"` is missing
          write it between `"` and `"`
        x.conversation:6:1: nothing is said
          write `@support: /runbook list`
        x.conversation:7:1: cannot open `door`
          write `@support opens home`
        x.conversation:8:1: in which field?
          write `"words" in "Field"`
        "#);
    }
}
