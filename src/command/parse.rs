//! The grammar, verb by verb.

use std::collections::BTreeMap;

use crate::domain::fault::closest;
use crate::domain::selector::EXAMPLE;
use crate::domain::words::{self, Word};
use crate::domain::{Invalid, RunbookName, Selector};

use super::help::Topic;
use super::reference::RunRef;
use super::verb::Verb;
use super::{Command, Left, Refusal, Request, RunFilter};

/// Reads what a person typed after the slash command or the bot's name.
///
/// # Errors
/// A refusal with the remedy. Nothing is half understood.
pub fn parse(text: &str) -> Result<Command, Refusal> {
    let words = words::split(text).map_err(unreadable)?;
    let Some((first, rest)) = words.split_first() else { return Ok(Command::Help(Topic::Overview)) };
    let verb = verb(&first.text(), rest, text)?;
    let arguments = Rest { verb, words: rest, text };
    match verb {
        Verb::Help => help(&arguments),
        Verb::List => arguments.none().map(|()| Command::List),
        Verb::Approvals => arguments.none().map(|()| Command::Approvals),
        Verb::Accounts => arguments.none().map(|()| Command::Accounts),
        Verb::Show => Ok(Command::Show { runbook: arguments.only().and_then(runbook)? }),
        Verb::Cancel => Ok(Command::Cancel { run: arguments.only().and_then(run)? }),
        Verb::Retry => match rest {
            [name, which] => Ok(Command::Retry { run: run(name)?, which: left(which)? }),
            _ => Ok(Command::Retry { run: arguments.only().and_then(run)?, which: Left::Retryable }),
        },
        Verb::Halt => halt(&arguments),
        Verb::Resume => arguments.none().map(|()| Command::Resume),
        Verb::Status => match rest {
            [] => Ok(Command::Status { run: None }),
            _ => Ok(Command::Status { run: Some(arguments.only().and_then(run)?) }),
        },
        Verb::Runs => runs(&arguments),
        Verb::Output => match rest {
            [name, node] => Ok(Command::Output { run: run(name)?, node: Some(node.text()) }),
            _ => Ok(Command::Output { run: arguments.only().and_then(run)?, node: None }),
        },
        Verb::Targets => targets(&arguments),
        Verb::Plan => request(&arguments).map(Command::Plan),
        Verb::Run => request(&arguments).map(Command::Run),
        Verb::BreakGlass => break_glass(&arguments),
        Verb::Review => review(&arguments),
        Verb::Why => match rest {
            [name] => Ok(Command::Why { runbook: runbook(name)?, request: None }),
            _ => request(&arguments).map(|r| Command::Why { runbook: r.runbook.clone(), request: Some(Box::new(r)) }),
        },
        Verb::WhoCan => who_can(&arguments),
    }
}

/// What stands behind the verb.
struct Rest<'a> {
    verb: Verb,
    words: &'a [Word],
    text: &'a str,
}

impl<'a> Rest<'a> {
    fn form(&self) -> String {
        let help = super::help::help(Topic::Verb(self.verb));
        let form = help.usages.first().map_or(self.verb.as_str(), |u| u.form);
        format!("write `{form}`")
    }
    fn none(&self) -> Result<(), Refusal> {
        match self.words {
            [] => Ok(()),
            [extra, ..] => Err(self.superfluous(extra)),
        }
    }
    fn only(&self) -> Result<&'a Word, Refusal> {
        match self.words {
            [one] => Ok(one),
            [] => Err(Refusal { what: format!("`{}` needs a name", self.verb.as_str()), remedy: self.form() }),
            [_, extra, ..] => Err(self.superfluous(extra)),
        }
    }
    fn superfluous(&self, extra: &Word) -> Refusal {
        let (verb, extra) = (self.verb.as_str(), extra.text());
        Refusal { what: format!("`{verb}` does not know what to do with `{extra}`"), remedy: self.form() }
    }
}

fn verb(word: &str, rest: &[Word], text: &str) -> Result<Verb, Refusal> {
    // Phones make a long dash of two hyphens.
    let bare = word.trim_start_matches(['-', '–', '—']);
    if let Some(verb) = Verb::named(bare) {
        return Ok(verb);
    }
    let lower = bare.to_lowercase();
    if matches!(lower.as_str(), "h" | "?" | "") {
        return Ok(Verb::Help);
    }
    let remedy = match closest(&lower, Verb::ALL.iter().map(|v| v.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None if rest.iter().any(|w| w.is("on")) && word.parse::<RunbookName>().is_ok() => {
            format!("did you mean `run {}`?", text.trim())
        }
        None => "`help` shows what can be typed, `list` the runbooks".to_owned(),
    };
    Err(Refusal { what: format!("`{word}` is not a command"), remedy })
}

fn help(rest: &Rest<'_>) -> Result<Command, Refusal> {
    if rest.words.is_empty() {
        return Ok(Command::Help(Topic::Overview));
    }
    let word = rest.only()?.text();
    if let Some(topic) = Topic::named(&word) {
        return Ok(Command::Help(topic));
    }
    let names = Verb::ALL.iter().map(|v| v.as_str()).chain(Topic::SELECTOR_NAMES.iter().copied());
    let remedy = match closest(&word, names) {
        Some(near) => format!("did you mean `help {near}`?"),
        None => format!("`help` alone shows what can be typed, `show {word}` a runbook"),
    };
    Err(Refusal { what: format!("there is no help on `{word}`"), remedy })
}

fn runs(rest: &Rest<'_>) -> Result<Command, Refusal> {
    let mut filter = RunFilter::default();
    for word in rest.words {
        match word.text().as_str() {
            "mine" => filter.mine = true,
            "failed" => filter.failed = true,
            _ if filter.runbook.is_some() => return Err(rest.superfluous(word)),
            _ => filter.runbook = Some(runbook(word)?),
        }
    }
    Ok(Command::Runs(filter))
}

fn halt(rest: &Rest<'_>) -> Result<Command, Refusal> {
    match rest.words {
        [] => Ok(Command::Halt { because: None }),
        [because, words @ ..] if because.is("because") => Ok(Command::Halt { because: Some(reason(words, rest)?) }),
        // With its `r-`: many a word could be the end of a run's id.
        [name] if name.text().to_lowercase().starts_with("r-") && run(name).is_ok() => {
            let name = name.text();
            Err(Refusal {
                what: format!("`halt` stops everything, not `{name}` alone"),
                remedy: format!("write `cancel {name}` for one run, `halt` for everything"),
            })
        }
        [extra, ..] => Err(rest.superfluous(extra)),
    }
}

fn break_glass(rest: &Rest<'_>) -> Result<Command, Refusal> {
    let request = Request { emergency: true, ..request(rest)? };
    if request.reason.is_none() {
        return Err(Refusal {
            what: "`break-glass` does not say why".to_owned(),
            remedy: format!("write `{request} because \"what is broken, and why it cannot wait\"`"),
        });
    }
    Ok(Command::BreakGlass(request))
}

fn review(rest: &Rest<'_>) -> Result<Command, Refusal> {
    match rest.words {
        [name, because, words @ ..] if because.is("because") => {
            Ok(Command::Review { run: run(name)?, found: reason(words, rest)? })
        }
        [name] => {
            let name = run(name).map(|_| name.text())?;
            Err(Refusal {
                what: "`review` does not say what you found".to_owned(),
                remedy: format!("write `review {name} because \"…\"`, also where all was well"),
            })
        }
        [] => Err(Refusal { what: "`review` needs a name".to_owned(), remedy: rest.form() }),
        [_, extra, ..] => Err(rest.superfluous(extra)),
    }
}

fn who_can(rest: &Rest<'_>) -> Result<Command, Refusal> {
    let Request { runbook, arguments, selector, reason, .. } = request(rest)?;
    if !arguments.is_empty() || reason.is_some() {
        return Err(Refusal {
            what: "`who-can` looks at the runbook and the place alone".to_owned(),
            remedy: format!("write `who-can {runbook} on {selector}`; `why` judges values for you"),
        });
    }
    Ok(Command::WhoCan { runbook, selector })
}

fn targets(rest: &Rest<'_>) -> Result<Command, Refusal> {
    // `targets on env=prod` is what people type after `run … on …`.
    let words = match rest.words {
        [on, more @ ..] if on.is("on") => more,
        all => all,
    };
    selector(words, rest).map(|selector| Command::Targets { selector })
}

fn request(rest: &Rest<'_>) -> Result<Request, Refusal> {
    let verb = rest.verb.as_str();
    let Some((name, words)) = rest.words.split_first() else {
        return Err(Refusal {
            what: format!("`{verb}` needs the name of a runbook"),
            remedy: format!("write for example `{verb} disk-usage {EXAMPLE}`; `list` shows the runbooks"),
        });
    };
    let runbook = runbook(name)?;
    let because = words.iter().position(|w| w.is("because"));
    let (words, reason) = match because {
        Some(at) => (&words[..at], Some(reason(&words[at + 1..], rest)?)),
        None => (words, None),
    };
    let Some(on) = words.iter().position(|w| w.is("on")) else {
        let typed: Vec<&str> = words.iter().map(|w| &rest.text[w.span.clone()]).collect();
        let example = [&[verb, runbook.as_str()], typed.as_slice(), &[EXAMPLE]].concat().join(" ");
        let remedy = if because.is_some_and(|at| rest.words[at..].iter().any(|w| w.is("on"))) {
            "put `on …` before `because`".to_owned()
        } else {
            format!("write for example `{example}`")
        };
        return Err(Refusal { what: format!("`{verb}` does not say on what"), remedy });
    };
    let selector = selector(&words[on + 1..], rest)?;
    Ok(Request { arguments: arguments(&words[..on], &runbook)?, runbook, selector, reason, emergency: false })
}

/// Everything behind `because`, quoted or not.
fn reason(words: &[Word], rest: &Rest<'_>) -> Result<String, Refusal> {
    let text = match words {
        [one] => one.text(),
        // Unquoted, taken as typed: nobody should lose a reason to the grammar.
        [first, .., last] => rest.text[first.span.start..last.span.end].to_owned(),
        [] => String::new(),
    };
    if text.trim().is_empty() {
        return Err(Refusal {
            what: "there is no reason behind `because`".to_owned(),
            remedy: "write for example `because \"ticket 4711\"`, or leave it out".to_owned(),
        });
    }
    if let [quoted, extra, ..] = words
        && quoted.is_quoted()
    {
        return Err(Refusal {
            what: format!("`{}` stands behind the reason", extra.text()),
            remedy: "`because \"…\"` comes last".to_owned(),
        });
    }
    Ok(text)
}

fn arguments(words: &[Word], runbook: &RunbookName) -> Result<BTreeMap<String, String>, Refusal> {
    if let Some((what, remedy)) = words::spaced(words) {
        return Err(Refusal { what, remedy });
    }
    let mut arguments = BTreeMap::new();
    for word in words {
        let text = word.text();
        let Some((name, value)) = word.split_once('=') else {
            return Err(Refusal {
                what: format!("`{text}` is not an argument of the form `name=value`"),
                remedy: format!("`show {runbook}` lists the parameters; values with spaces go in quotes"),
            });
        };
        let (name, quoted, value) = (name.text(), value.is_quoted(), value.text());
        if let Some(odd) = name.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.')) {
            return Err(Refusal {
                what: format!("`{name}` is no name of an argument: it holds `{odd}`"),
                remedy: format!("`show {runbook}` lists the parameters; values with spaces go in quotes"),
            });
        }
        if name.is_empty() || (value.is_empty() && !quoted) {
            return Err(Refusal {
                what: format!("`{text}` lacks a {}", if name.is_empty() { "name" } else { "value" }),
                remedy: "write `name=value` without spaces around `=`, and `name=\"\"` for an empty value".to_owned(),
            });
        }
        if let Some(before) = arguments.insert(name.clone(), value.clone()) {
            return Err(Refusal {
                what: format!("`{name}` is given twice, as `{before}` and as `{value}`"),
                remedy: "keep one of them".to_owned(),
            });
        }
    }
    Ok(arguments)
}

fn selector(words: &[Word], rest: &Rest<'_>) -> Result<Selector, Refusal> {
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        let example = super::help::help(Topic::Verb(rest.verb)).examples.into_iter().next_back().unwrap_or_default();
        return Err(Refusal {
            what: format!("`{}` does not say on what", rest.verb.as_str()),
            remedy: format!("write for example `{example}`"),
        });
    };
    Selector::parse(&rest.text[first.span.start..last.span.end]).map_err(unreadable)
}

fn runbook(word: &Word) -> Result<RunbookName, Refusal> {
    // Chat makes code of what stands in backticks, and people copy it with them.
    let text = word.text();
    let name = text.trim_matches('`');
    name.parse().map_err(|Invalid(what)| Refusal { what, remedy: "`list` shows the runbooks".to_owned() })
}

fn left(word: &Word) -> Result<Left, Refusal> {
    let text = word.text().to_lowercase().replace([' ', '_'], "-");
    match text.as_str() {
        "failed" => Ok(Left::Failed),
        "not-started" | "notstarted" => Ok(Left::NotStarted),
        "retryable" => Ok(Left::Retryable),
        other => {
            let remedy = match closest(other, ["failed", "not-started", "retryable"]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write `failed`, `not-started` or `retryable`, or nothing for `retryable`".to_owned(),
            };
            Err(Refusal { what: format!("`{other}` says nothing about what is left of a run"), remedy })
        }
    }
}

fn run(word: &Word) -> Result<RunRef, Refusal> {
    let remedy = "the name stands on the run's card; `status` shows what is going on".to_owned();
    word.text().parse().map_err(|Invalid(what)| Refusal { what, remedy })
}

/// The texts of [`Invalid`] carry their remedy behind the last `;` or as a question.
fn unreadable(Invalid(text): Invalid) -> Refusal {
    match text.rsplit_once("; ") {
        Some((what, remedy)) => Refusal { what: what.to_owned(), remedy: remedy.to_owned() },
        None => Refusal { what: text, remedy: "`help selector` tells how to pick machines".to_owned() },
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
