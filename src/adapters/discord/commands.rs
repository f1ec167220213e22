//! The commands that Discord offers people, and what has to be told to it so that it does.
//!
//! One subcommand for each verb of the grammar, so that none is forgotten, and `form` for the picker. They are offered in
//! guilds only: a direct message belongs to no tenant. Discord's limits: 25 subcommands, names of 32 characters,
//! descriptions of 100.

use serde_json::Value;
use serenity::builder::{CreateCommand, CreateCommandOption};
use serenity::model::application::{CommandOptionType, CommandType, InstallationContext, InteractionContext};

use crate::command::{Topic, Verb, help};
use crate::message::plain::cut;

/// Opens the form in which a runbook is picked.
pub(super) const FORM: &str = "form";
/// The command in a message's menu.
pub(super) const RUN_HERE: &str = "Run a runbook here";

pub(super) const RUNBOOK: &str = "runbook";
pub(super) const WITH: &str = "with";
pub(super) const ON: &str = "on";
pub(super) const BECAUSE: &str = "because";
/// Everything after the subcommand.
pub(super) const WORDS: &str = "words";

const DESCRIPTION_MAX: usize = 100;

/// What stands behind a verb.
enum Takes {
    /// A runbook with values, a place and a reason.
    Request {
        /// It makes sense without a place.
        place: bool,
    },
    /// Words, described so.
    Words {
        required: bool,
        meaning: &'static str,
    },
    Nothing,
}

fn takes(verb: Verb) -> Takes {
    let words = |required, meaning| Takes::Words { required, meaning };
    match verb {
        Verb::Run | Verb::Plan | Verb::BreakGlass => Takes::Request { place: true },
        Verb::Why => Takes::Request { place: false },
        Verb::Show => words(true, "the runbook"),
        Verb::Status => words(false, "a run, such as r-7F3K; without it, what is going on"),
        Verb::Runs => words(false, "mine, failed, the name of a runbook, or several of them"),
        Verb::Output => words(true, "the run, such as r-7F3K, and perhaps a node"),
        Verb::Cancel => words(true, "the run, such as r-7F3K"),
        Verb::Retry => words(true, "the run, and perhaps failed, not-started or retryable"),
        Verb::Review => words(true, "the run, and because \"WHAT YOU FOUND\""),
        Verb::Halt => words(false, "because \"REASON\""),
        Verb::WhoCan => words(true, "a runbook and where, such as restart-service on env=prod"),
        Verb::Targets => words(true, "a selector, such as accounts=acme-* env=staging"),
        Verb::Help => words(false, "a command, or selector"),
        Verb::List | Verb::Approvals | Verb::Resume | Verb::Accounts => Takes::Nothing,
    }
}

/// Whether Discord asks us how the option can go on.
fn completes(verb: Verb, option: &str) -> bool {
    match verb {
        Verb::Run | Verb::Plan | Verb::BreakGlass | Verb::Why => option != BECAUSE,
        Verb::Show => option == WORDS,
        _ => false,
    }
}

fn text(verb: Verb, name: &str, meaning: &str, required: bool) -> CreateCommandOption {
    CreateCommandOption::new(CommandOptionType::String, name, cut(meaning, DESCRIPTION_MAX))
        .required(required)
        .set_autocomplete(completes(verb, name))
}

fn subcommand(verb: Verb) -> CreateCommandOption {
    let meaning = help(Topic::Verb(verb)).usages.first().map_or(verb.as_str(), |usage| usage.meaning);
    let option = CreateCommandOption::new(CommandOptionType::SubCommand, verb.as_str(), cut(meaning, DESCRIPTION_MAX));
    match takes(verb) {
        Takes::Request { place } => option
            .add_sub_option(text(verb, RUNBOOK, "which runbook", true))
            .add_sub_option(text(verb, WITH, "its values: name=value, with spaces in quotes", false))
            .add_sub_option(text(
                verb,
                ON,
                if place {
                    "on what: accounts=…, env=…, regions=…, tag:KEY=…, nodes=…"
                } else {
                    "on what; without it only the runbook is judged"
                },
                false,
            ))
            .add_sub_option(text(verb, BECAUSE, "why; asked for where it changes something", false)),
        Takes::Words { required, meaning } => option.add_sub_option(text(verb, WORDS, meaning, required)),
        Takes::Nothing => option,
    }
}

/// All of them, as Discord is told. `name`: of the slash command, without its slash.
pub(super) fn all(name: &str) -> Vec<CreateCommand> {
    let form = CreateCommandOption::new(
        CommandOptionType::SubCommand,
        FORM,
        "pick a runbook in a form, with only what you may run in it",
    );
    let slash = Verb::ALL
        .iter()
        .fold(CreateCommand::new(name).description("Run a reviewed runbook").add_option(form), |command, verb| {
            command.add_option(subcommand(*verb))
        });
    let in_guilds = |command: CreateCommand| {
        command.contexts(vec![InteractionContext::Guild]).integration_types(vec![InstallationContext::Guild])
    };
    vec![in_guilds(slash), in_guilds(CreateCommand::new(RUN_HERE).kind(CommandType::Message))]
}

/// Whether Discord has these commands already: same in everything that we say. What Discord adds (ids, versions,
/// defaults) does not count.
pub(super) fn are_known(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let said = ours.iter().filter(|(_, value)| !is_default(value));
            let all_there = said.into_iter().all(|(key, value)| {
                if key == "options" {
                    same_list(value, &theirs[key.as_str()])
                } else {
                    theirs.get(key).is_some_and(|t| are_known(value, t))
                }
            });
            // What we do not say must not be said there either.
            let nothing_more = ["required", "autocomplete", "options"].iter().all(|key| {
                let there = theirs.get(*key).unwrap_or(&Value::Null);
                is_default(there) || ours.get(*key).is_some_and(|o| !is_default(o))
            });
            all_there && nothing_more
        }
        (Value::Array(_), Value::Array(_)) => same_list(ours, theirs),
        (ours, theirs) => ours == theirs,
    }
}

fn same_list(ours: &Value, theirs: &Value) -> bool {
    match (ours.as_array(), theirs.as_array()) {
        (Some(ours), Some(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| are_known(ours, theirs))
        }
        _ => false,
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Discord lists commands in an order of its own.
pub(super) fn same_set(ours: &[Value], theirs: &[Value]) -> bool {
    ours.len() == theirs.len() && ours.iter().all(|our| theirs.iter().any(|their| are_known(&with_type(our), their)))
}

/// A slash command says no type when it is made, and has one afterwards.
fn with_type(command: &Value) -> Value {
    let mut command = command.clone();
    if command["type"].is_null() {
        command["type"] = Value::from(1);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Vec<Value> {
        all("runbook").iter().map(|command| serde_json::to_value(command).unwrap()).collect()
    }

    #[test]
    fn every_verb_is_offered_within_discords_limits() {
        let commands = values();
        let options = commands[0]["options"].as_array().unwrap();
        assert!(options.len() <= 25);
        let names: Vec<&str> = options.iter().map(|o| o["name"].as_str().unwrap()).collect();
        for verb in Verb::ALL {
            assert!(names.contains(&verb.as_str()), "{}", verb.as_str());
        }
        let inner = options.iter().flat_map(|o| o["options"].as_array().into_iter().flatten());
        let mut sum = 0;
        for option in options.iter().chain(inner) {
            let length = |key: &str| option[key].as_str().unwrap().chars().count();
            assert!((1..=32).contains(&length("name")) && (1..=DESCRIPTION_MAX).contains(&length("description")));
            sum += length("name") + length("description");
        }
        assert!(sum < 8_000, "{sum}");
        for option in options {
            let required: Vec<bool> = option["options"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|o| o["required"].as_bool().unwrap_or_default())
                .collect();
            assert!(required.is_sorted_by(|a, b| a >= b), "required options come first: {option}");
        }
    }

    #[test]
    fn what_discord_gives_back_is_known_and_any_change_is_not() {
        let ours = values();
        let mut theirs = ours.clone();
        theirs.reverse();
        for (n, command) in theirs.iter_mut().enumerate() {
            command["id"] = json!(n.to_string());
            command["version"] = json!("1");
            command["nsfw"] = json!(false);
            command["dm_permission"] = json!(false);
            command["description_localizations"] = Value::Null;
            if command["type"].is_null() {
                command["type"] = json!(1);
            }
        }
        assert!(same_set(&ours, &theirs));
        let change = |edit: &dyn Fn(&mut Value)| {
            let mut theirs = theirs.clone();
            let slash = theirs.iter_mut().find(|c| c["name"] == "runbook").unwrap();
            edit(slash);
            same_set(&ours, &theirs)
        };
        assert!(!change(&|c| c["description"] = json!("another")));
        assert!(!change(&|c| c["options"].as_array_mut().unwrap().truncate(3)));
        assert!(!change(&|c| c["options"][0]["description"] = json!("another")));
        assert!(!change(&|c| {
            let list = c["options"].as_array_mut().unwrap().iter_mut().find(|o| o["name"] == "list").unwrap();
            list["options"] = json!([{ "type": 3, "name": "words", "description": "x" }]);
        }));
        assert!(!same_set(&ours, &theirs[..1]));
    }
}
