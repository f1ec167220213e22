//! From the words that a person types after a slash to the registered command's options, as they would fill them in.
//!
//! The first word names the subcommand. A lone option takes everything behind it. Where there are several, the first
//! takes the next word, a word that is an option's name begins that option (so does `name:` before a value), and what
//! belongs to none goes into the second. A value that is wholly in quotes is filled in without them. No words at all
//! are the subcommand `form`, which is how a person finds their way. A client sends nothing else than what is
//! registered: other words have to be said to the bot in a message.

use serde_json::{Value, json};

use super::check::command::SUBCOMMAND;

/// Discord's limit of a text option.
const VALUE_MAX: usize = 6000;
/// The subcommand that stands for no words.
const NO_WORDS: &str = "form";

#[derive(Debug, PartialEq)]
pub enum Typed {
    /// The options of the interaction's data.
    Send(Value),
    /// What the client says to the person instead of sending it.
    Refused(String),
    /// No registered subcommand is called so.
    Unregistered,
}

/// An option of a subcommand while it is filled in.
struct Filled<'a> {
    option: &'a Value,
    value: Option<String>,
    /// Where the value begins in what was typed, in bytes.
    begins: Option<usize>,
}

impl Filled<'_> {
    fn name(&self) -> &str {
        self.option["name"].as_str().unwrap_or_default()
    }
}

/// What is sent when the person presses enter.
pub fn fill(command: &Value, typed: &str) -> Typed {
    let name = command["name"].as_str().unwrap_or_default();
    let Some((subcommand, rest)) = subcommand(command, typed) else { return Typed::Unregistered };
    let called = match subcommand {
        Some(sub) => format!("/{name} {}", sub["name"].as_str().unwrap_or_default()),
        None => format!("/{name}"),
    };
    let (filled, _) = distribute(subcommand.unwrap_or(command), rest);
    if filled.is_empty() && !rest.trim().is_empty() {
        return Typed::Refused(format!("{called} takes nothing more; there is no place for “{}”", rest.trim()));
    }
    for part in &filled {
        let value = part.value.as_deref().unwrap_or_default();
        if value.is_empty() && part.option["required"] == true {
            return Typed::Refused(format!("{called}: “{}”: This option is required. Specify a value", part.name()));
        }
        let least = part.option["min_length"].as_u64().unwrap_or(0) as usize;
        let most = part.option["max_length"].as_u64().map_or(VALUE_MAX, |n| n as usize).min(VALUE_MAX);
        let length = value.chars().count();
        if length > most || (length > 0 && length < least) {
            let sentence = format!("{called}: “{}”: Must be between {least} and {most} in length", part.name());
            return Typed::Refused(sentence);
        }
        let choices = part.option["choices"].as_array().filter(|c| !c.is_empty());
        if !value.is_empty() && choices.is_some_and(|c| c.iter().all(|c| c["value"] != value && c["name"] != value)) {
            return Typed::Refused(format!("{called}: “{}”: “{value}” is none of the choices", part.name()));
        }
    }
    let options: Vec<Value> =
        filled.iter().filter(|f| f.value.as_deref().is_some_and(|v| !v.is_empty())).map(|f| sent(f, false)).collect();
    Typed::Send(nested(subcommand, options))
}

/// A command that is being typed.
#[derive(Debug)]
pub struct Typing {
    /// The options so far, one of them focused.
    pub options: Value,
    /// The name of the focused one.
    pub option: String,
    /// How many bytes of what was typed stand before its value.
    pub before: usize,
}

/// What is asked while the person types. `Err` says why nothing is asked.
pub fn typing(command: &Value, typed: &str) -> Result<Typing, String> {
    let Some((subcommand, rest)) = subcommand(command, typed) else {
        return Err("no registered subcommand is called so".to_owned());
    };
    let (filled, focus) = distribute(subcommand.unwrap_or(command), rest);
    let focused = filled.get(focus).ok_or("there is nothing to fill in")?;
    if focused.option["autocomplete"] != true {
        return Err(format!("`{}` suggests nothing", focused.name()));
    }
    let name = focused.name().to_owned();
    let shown = |(at, f): (usize, &Filled<'_>)| (at == focus || f.value.is_some()).then(|| sent(f, at == focus));
    let options = filled.iter().enumerate().filter_map(shown).collect();
    let before = typed.len() - rest.len() + focused.begins.unwrap_or(rest.len());
    Ok(Typing { options: nested(subcommand, options), option: name, before })
}

/// The subcommand, if the command has any, and what stands behind its name.
fn subcommand<'a>(command: &'a Value, typed: &'a str) -> Option<(Option<&'a Value>, &'a str)> {
    let typed = typed.trim_start();
    let listed = command["options"].as_array().map_or(&[][..], Vec::as_slice);
    let subcommands: Vec<&Value> = listed.iter().filter(|o| o["type"] == SUBCOMMAND).collect();
    if subcommands.is_empty() {
        return Some((None, typed));
    }
    let (first, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let wanted = if first.is_empty() { NO_WORDS } else { first };
    subcommands.into_iter().find(|s| s["name"] == wanted).map(|s| (Some(s), rest))
}

fn nested(subcommand: Option<&Value>, options: Vec<Value>) -> Value {
    match subcommand {
        Some(sub) => json!([{ "name": sub["name"], "type": SUBCOMMAND, "options": options }]),
        None => json!(options),
    }
}

fn sent(filled: &Filled<'_>, focused: bool) -> Value {
    let value = filled.value.clone().unwrap_or_default();
    let choice = filled.option["choices"].as_array().into_iter().flatten().find(|c| c["name"] == value.as_str());
    let value = choice.map_or_else(|| json!(value), |c| c["value"].clone());
    let mut option = json!({ "name": filled.option["name"], "type": filled.option["type"], "value": value });
    if focused {
        option["focused"] = json!(true);
    }
    option
}

/// Gives the words to the options; and which option the last of them went to.
fn distribute<'a>(of: &'a Value, rest: &str) -> (Vec<Filled<'a>>, usize) {
    let listed = of["options"].as_array().map_or(&[][..], Vec::as_slice);
    let mut filled: Vec<Filled<'a>> =
        listed.iter().map(|option| Filled { option, value: None, begins: None }).collect();
    // The client shows a text option in one line.
    let rest = rest.replace('\n', " ");
    if filled.len() < 2 {
        let begins = rest.len() - rest.trim_start().len();
        let rest = rest.trim();
        if let Some(only) = filled.first_mut().filter(|_| !rest.is_empty()) {
            (only.value, only.begins) = (Some(rest.to_owned()), Some(begins));
        }
        return (filled, 0);
    }
    let mut at = 0;
    for (begins, word) in words(&rest) {
        let named = filled.iter().position(|f| f.value.is_none() && word == f.name());
        let colon = word.split_once(':').and_then(|(name, value)| {
            let found = filled.iter().position(|f| f.value.is_none() && f.name() == name)?;
            Some((found, begins + name.len() + 1, value.to_owned()))
        });
        match (named, colon) {
            // The first word is the first option's, whatever it is called.
            (Some(found), _) if found > 0 => {
                (at, filled[found].value) = (found, Some(String::new()));
            }
            (_, Some((found, begins, value))) => {
                (filled[found].value, filled[found].begins) = (Some(value), Some(begins));
                at = found;
            }
            _ => {
                if at == 0 && filled[0].value.is_some() {
                    at = 1;
                }
                filled[at].begins.get_or_insert(begins);
                let value = filled[at].value.get_or_insert_default();
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(&word);
            }
        }
    }
    // Whoever has finished a word goes on to the next place.
    if at == 0 && filled[0].value.is_some() && rest.ends_with(' ') {
        at = 1;
    }
    for part in &mut filled {
        if let Some(inner) = part.value.as_deref().and_then(unquoted) {
            part.value = Some(inner);
        }
    }
    (filled, at)
}

/// Words at their spaces, each with where it begins; what stands in quotes, straight or curly, is of one word.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    let mut began = None;
    let mut quote: Option<char> = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '“') => quote = Some('”'),
            (None, '‘') => quote = Some('’'),
            (None, c) if c.is_whitespace() => {
                words.extend(began.take().map(|from: usize| (from, text[from..at].to_owned())));
                continue;
            }
            (None, _) => {}
        }
        began.get_or_insert(at);
    }
    words.extend(began.map(|from| (from, text[from..].to_owned())));
    words
}

/// Without the quotes around the whole of it.
fn unquoted(value: &str) -> Option<String> {
    [('"', '"'), ('“', '”'), ('\'', '\''), ('‘', '’')].into_iter().find_map(|(open, close)| {
        let inner = value.strip_prefix(open)?.strip_suffix(close)?;
        (!inner.contains([open, close])).then(|| inner.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Value {
        let text = |name: &str, required: bool| json!({ "type": 3, "name": name, "description": "x", "required": required, "autocomplete": true });
        json!({ "name": "runbook", "options": [
            { "type": 1, "name": "run", "options": [text("runbook", true), text("with", false), text("on", false), text("because", false)] },
            { "type": 1, "name": "show", "options": [text("words", true)] },
            { "type": 1, "name": "list" },
            { "type": 1, "name": "form" },
        ] })
    }

    fn options(typed: &str) -> Vec<(String, String)> {
        match fill(&command(), typed) {
            Typed::Send(sent) => {
                let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
                let inner = sent[0]["options"].as_array().cloned().unwrap_or_default();
                inner.iter().map(|o| (text(&o["name"]), text(&o["value"]))).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_words_go_where_a_person_would_put_them() {
        let typed =
            "run restart-service service=\"ngi nx\" force=yes on env=staging tag:service=web because “ticket 4711”";
        let filled: Vec<String> = options(typed).into_iter().map(|(n, v)| format!("{n}: {v}")).collect();
        assert_eq!(
            filled,
            [
                "runbook: restart-service",
                "with: service=\"ngi nx\" force=yes",
                "on: env=staging tag:service=web",
                "because: ticket 4711",
            ]
        );
        assert_eq!(options("run runbook:disk-usage on:env=prod"), options("run disk-usage on env=prod"));
        assert_eq!(options("show disk-usage"), [("words".to_owned(), "disk-usage".to_owned())]);
    }

    #[test]
    fn what_the_client_does_not_send_is_said_to_the_person() {
        let told = |typed: &str| match fill(&command(), typed) {
            Typed::Refused(sentence) => sentence,
            other => panic!("{other:?}"),
        };
        assert_eq!(told("run"), "/runbook run: “runbook”: This option is required. Specify a value");
        assert_eq!(told("list all"), "/runbook list takes nothing more; there is no place for “all”");
        assert!(told(&format!("show {}", "x".repeat(6001))).contains("between 0 and 6000"));
        assert_eq!(fill(&command(), "rnu x"), Typed::Unregistered);
        assert_eq!(fill(&command(), ""), Typed::Send(json!([{ "name": "form", "type": 1, "options": [] }])));
    }

    #[test]
    fn the_option_that_is_being_typed_has_the_focus() {
        let focus = |typed: &str| typing(&command(), typed).map(|t| format!("{}: {}|", t.option, &typed[..t.before]));
        assert_eq!(focus("run rest"), Ok("runbook: run |".to_owned()));
        assert_eq!(focus("run restart-service "), Ok("with: run restart-service |".to_owned()));
        assert_eq!(focus("run restart-service a=b service=ng"), Ok("with: run restart-service |".to_owned()));
        assert_eq!(focus("run x service=nginx on en"), Ok("on: run x service=nginx on |".to_owned()));
        assert_eq!(focus("run x on:en"), Ok("on: run x on:|".to_owned()));
        assert_eq!(focus("list"), Err("there is nothing to fill in".to_owned()));
        let typing = typing(&command(), "run rest").unwrap();
        assert_eq!(
            typing.options[0]["options"],
            json!([{ "name": "runbook", "type": 3, "value": "rest", "focused": true }])
        );
    }
}
