//! How a typed command can go on: names of parameters and their values, and what a selector can say, of which every one
//! can be in some plan that the policy permits. From the same offers as the forms.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::words::{self, quote};
use crate::domain::{Place, Selector};
use crate::message::form::label::SUGGESTIONS_MAX;
use crate::message::form::{self, ACCOUNTS, Group, LABELS, REGIONS, RUNBOOK, TAGS};
use crate::message::{Choice, FormKind, Suggestions, Values};
use crate::ports::{Completing, Part, Search};
use crate::runbook::{Kind, Runbook};

use super::offers::Offers;
use super::{Services, desk};

/// A label of a choice shows this much before only the new word is shown.
const SHOWN: usize = 60;
const PLATFORMS: [&str; 3] = ["linux", "macos", "windows"];

pub async fn complete(services: &Arc<Services>, asked: &Completing) -> Suggestions {
    if asked.part == Part::Runbook {
        let (actor, place) = (asked.actor.clone(), asked.place.clone());
        let (field, typed) = (RUNBOOK.to_owned(), asked.typed.clone());
        let search = Search { actor, place, form: FormKind::Pick, field, typed, values: Values::new() };
        return desk::suggest(services, &search).await;
    }
    let rules = services.rulebook.current();
    let book = asked.runbook.parse().ok().and_then(|name| rules.runbooks.get(&name).cloned());
    let Some(book) = book else { return Suggestions::nothing() };
    let Some(offers) = offered(services, asked, &asked.place, &book).await else { return Suggestions::nothing() };
    // Who may not run it anywhere learns nothing of it here.
    if offers.is_empty() {
        return Suggestions::nothing();
    }
    let (done, word) = split(&asked.typed);
    let found = match asked.part {
        Part::With => values(&book, &offers, done, word),
        Part::Runbook | Part::On => places(&book, &offers, done, word),
    };
    let choices = found.into_iter().filter_map(|(word, about)| choice(done, &word, &about));
    let choices: Vec<Choice> = choices.take(SUGGESTIONS_MAX).collect();
    Suggestions { groups: vec![Group { heading: None, choices }] }
}

async fn offered(
    services: &Arc<Services>,
    asked: &Completing,
    place: &Place,
    book: &Arc<Runbook>,
) -> Option<Arc<Offers>> {
    let asker = desk::asker_soon(services, &asked.actor, place).await?;
    desk::offers_soon(services, &asker, place, book).await
}

/// The words that are finished, with the space behind them, and the one that is being typed.
fn split(typed: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut at = 0;
    for (index, c) in typed.char_indices() {
        match c {
            '"' | '\u{201C}' | '\u{201D}' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => at = index + c.len_utf8(),
            _ => {}
        }
    }
    typed.split_at(at)
}

/// The whole part with the word in place of the unfinished one.
fn choice(done: &str, word: &str, about: &str) -> Option<Choice> {
    let whole = format!("{done}{word}");
    let shown = if whole.chars().count() > SHOWN { format!("… {word}") } else { whole.clone() };
    let label = if about.is_empty() { shown } else { format!("{shown} · {about}") };
    Choice::new(whole, &label)
}

/// Names of parameters, or values of the one that is being typed.
fn values(book: &Runbook, offers: &Offers, done: &str, word: &str) -> Vec<(String, String)> {
    let Some((name, typed)) = word.split_once('=') else {
        let given: BTreeSet<String> = words::split(done)
            .unwrap_or_default()
            .iter()
            .filter_map(|word| Some(word.split_once('=')?.0.text()))
            .collect();
        let lower = word.to_lowercase();
        let missing = book.parameters.iter().filter(|(name, _)| !given.contains(*name) && name.starts_with(&lower));
        return missing.map(|(name, p)| (format!("{name}="), p.description.clone())).collect();
    };
    let Some(parameter) = book.parameters.get(name) else { return Vec::new() };
    let typed = typed.trim_start_matches('"');
    let told: Vec<Choice> =
        offers.suggest(book, name, typed, &Values::new()).groups.into_iter().flat_map(|group| group.choices).collect();
    let say = |value: &str, about: &str| (format!("{name}={}", quote(value, &[])), about.to_owned());
    if !told.is_empty() || offers.narrowed.contains_key(name) {
        return told.iter().map(|c| say(&c.value, if c.label == c.value { "" } else { &c.label })).collect();
    }
    let lower = typed.to_lowercase();
    let known: Vec<String> = match &parameter.kind {
        Kind::Choice { values } => values.clone(),
        Kind::Boolean => vec!["true".to_owned(), "false".to_owned()],
        _ => parameter.default.iter().chain(&parameter.examples).cloned().collect(),
    };
    let mut seen = BTreeSet::new();
    let fitting = known.into_iter().filter(|v| v.to_lowercase().starts_with(&lower) && seen.insert(v.clone()));
    fitting.map(|value| say(&value, "")).collect()
}

/// Clauses of a selector. Behind a comma, further values of the same field.
fn places(book: &Runbook, offers: &Offers, done: &str, word: &str) -> Vec<(String, String)> {
    let picked = Selector::parse(done).map(|s| offers.values_of(book, &s.clauses)).unwrap_or_default();
    let all = |field: &str| -> Vec<Choice> {
        let found = offers.suggest(book, field, "", &picked);
        found.groups.into_iter().flat_map(|group| group.choices).collect()
    };
    let about = |choice: &Choice| choice.label.split_once(" · ").map(|(_, about)| about.to_owned()).unwrap_or_default();
    let mut clauses: Vec<(String, String)> = all(LABELS).iter().map(|c| (c.value.clone(), about(c))).collect();
    clauses.extend(all(ACCOUNTS).iter().map(|c| {
        let name = form::account(&c.value, &offers.names);
        (format!("accounts={}", quote(&name, &['=', ',', '!'])), c.value.clone())
    }));
    clauses.extend(all(REGIONS).iter().map(|c| (format!("regions={}", c.value), String::new())));
    clauses.extend(all(TAGS).iter().map(|c| (c.value.clone(), String::new())));
    clauses.extend(PLATFORMS.iter().map(|name| (format!("platform={name}"), String::new())));
    let (before, typed) = match word.rsplit_once(',') {
        Some((before, typed)) if before.contains('=') => (before, typed),
        Some(_) | None => ("", word),
    };
    let lower = typed.to_lowercase();
    if let Some((field, given)) = before.split_once('=') {
        let given: BTreeSet<&str> = given.split(',').collect();
        let more = clauses.into_iter().filter_map(|(clause, about)| {
            let value = clause.strip_prefix(field)?.strip_prefix('=')?.to_owned();
            let fits = value.to_lowercase().starts_with(&lower) && !given.contains(value.as_str());
            fits.then(|| (format!("{before},{value}"), about))
        });
        return more.collect();
    }
    let (mut first, rest): (Vec<_>, Vec<_>) =
        clauses.into_iter().partition(|(clause, _)| clause.to_lowercase().starts_with(&lower));
    first.extend(
        rest.into_iter()
            .filter(|(clause, about)| clause.to_lowercase().contains(&lower) || about.to_lowercase().contains(&lower)),
    );
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_the_one_that_goes_on() {
        for (typed, parts) in [
            ("", ("", "")),
            ("env=st", ("", "env=st")),
            ("env=staging ", ("env=staging ", "")),
            ("env=staging reg", ("env=staging ", "reg")),
            ("a=\"two words\" b", ("a=\"two words\" ", "b")),
            ("a=\"two wo", ("", "a=\"two wo")),
        ] {
            assert_eq!(split(typed), parts, "{typed}");
        }
    }

    #[test]
    fn a_choice_is_the_whole_text_and_shows_its_new_word() {
        let short = choice("env=staging ", "regions=eu-west-1", "").unwrap();
        assert_eq!(
            (short.value.as_str(), short.label.as_str()),
            ("env=staging regions=eu-west-1", "env=staging regions=eu-west-1")
        );
        let done = format!("accounts={} ", "a".repeat(80));
        let long = choice(&done, "regions=eu-west-1", "2 accounts").unwrap();
        assert_eq!(long.value, format!("{done}regions=eu-west-1"));
        assert_eq!(long.label, "… regions=eu-west-1 · 2 accounts");
    }
}
