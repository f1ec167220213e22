//! Application commands.
//!
//! Source: Discord's reference, "Application Commands": 100 slash commands, 25 options, names of 32 characters in lower
//! case, descriptions of 100, 8000 characters in all, required options first.

use serde_json::Value;

use crate::playground::discord::rest::refused::{Refused, Wrong};

/// Kinds of commands, by Discord's numbers.
pub const CHAT_INPUT: u64 = 1;
pub const USER: u64 = 2;
pub const MESSAGE: u64 = 3;
/// Kinds of options.
pub const SUBCOMMAND: u64 = 1;
pub const SUBCOMMAND_GROUP: u64 = 2;
pub const STRING: u64 = 3;
const INTEGER: u64 = 4;
const NUMBER: u64 = 10;

const CHAT_INPUTS_MAX: usize = 100;
/// Of user commands, and of message commands.
const MENUS_MAX: usize = 15;
const CHARACTERS_MAX: usize = 8000;
const OPTIONS_MAX: usize = 25;

/// Everything that an application wants to have registered in one place.
pub fn check_all(commands: &[Value]) -> Result<(), Refused> {
    let of = |kind: u64| commands.iter().filter(|c| kind_of(c) == kind).count();
    if of(CHAT_INPUT) > CHAT_INPUTS_MAX || of(USER) > MENUS_MAX || of(MESSAGE) > MENUS_MAX {
        return Err(Refused::code(30032));
    }
    let mut wrong = Wrong::default();
    for (index, command) in commands.iter().enumerate() {
        check_into(command, &index.to_string(), &mut wrong);
        let same = |c: &&Value| c["name"] == command["name"] && kind_of(c) == kind_of(command);
        if commands[..index].iter().any(|c| same(&c)) {
            let message = "Application command names must be unique";
            wrong.at(index.to_string(), "APPLICATION_COMMANDS_DUPLICATE_NAME", message);
        }
    }
    wrong.refuse()
}

pub fn check_one(command: &Value) -> Result<(), Refused> {
    let mut wrong = Wrong::default();
    check_into(command, "", &mut wrong);
    wrong.refuse()
}

pub fn kind_of(command: &Value) -> u64 {
    command["type"].as_u64().unwrap_or(CHAT_INPUT)
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn check_into(command: &Value, path: &str, wrong: &mut Wrong) {
    if !wrong.object(command, path) {
        return;
    }
    let at = |name: &str| joined(path, name);
    if !command["type"].is_null() {
        wrong.choice(&command["type"], at("type"), &[CHAT_INPUT, USER, MESSAGE]);
    }
    if kind_of(command) != CHAT_INPUT {
        wrong.text(&command["name"], at("name"), 1, 32);
        if !command["description"].as_str().unwrap_or_default().is_empty() {
            let message = "Context menu commands cannot have description";
            wrong.at(at("description"), "APPLICATION_COMMAND_INVALID_DESCRIPTION", message);
        }
        if command["options"].as_array().is_some_and(|o| !o.is_empty()) {
            let message = "Context menu commands cannot have options";
            wrong.at(at("options"), "APPLICATION_COMMAND_INVALID_OPTIONS", message);
        }
        return;
    }
    name(&command["name"], at("name"), wrong);
    wrong.text(&command["description"], at("description"), 1, 100);
    options(&command["options"], &at("options"), 0, wrong);
    if characters(command) > CHARACTERS_MAX {
        let message = format!("Command exceeds maximum size ({CHARACTERS_MAX})");
        wrong.at(path, "APPLICATION_COMMAND_TOO_LARGE", message);
    }
}

fn name(value: &Value, path: String, wrong: &mut Wrong) {
    wrong.text(value, &path, 1, 32);
    let Some(name) = value.as_str().filter(|n| !n.is_empty()) else { return };
    let fits = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '\'';
    if !name.chars().all(fits) || name.to_lowercase() != name {
        wrong.at(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
    }
}

fn options(options: &Value, path: &str, depth: u8, wrong: &mut Wrong) {
    let listed = wrong.list(options, path, 0, OPTIONS_MAX);
    let nested = |o: &Value| matches!(o["type"].as_u64(), Some(SUBCOMMAND | SUBCOMMAND_GROUP));
    if listed.iter().any(nested) && !listed.iter().all(nested) {
        let message = "Sub-command and sub-command group option types are mutually exclusive to all other types";
        wrong.at(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message);
    }
    let mut optional_before = false;
    for (index, option) in listed.iter().enumerate() {
        let path = format!("{path}/{index}");
        if !wrong.object(option, &path) {
            continue;
        }
        let kind = option["type"].as_u64().unwrap_or_default();
        wrong.choice(&option["type"], format!("{path}/type"), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        name(&option["name"], format!("{path}/name"), wrong);
        wrong.text(&option["description"], format!("{path}/description"), 1, 100);
        if listed[..index].iter().any(|o| o["name"] == option["name"]) {
            let message = "Option names must be unique";
            wrong.at(format!("{path}/name"), "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", message);
        }
        let required = option["required"] == true;
        if required && optional_before {
            let message = "Required options must be placed before non-required options";
            wrong.at(&path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message);
        }
        optional_before |= !required;
        if kind == SUBCOMMAND || kind == SUBCOMMAND_GROUP {
            if kind == SUBCOMMAND_GROUP && depth > 0 || depth > 1 {
                let message = "Sub-command groups cannot be nested";
                wrong.at(&path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message);
            }
            self::options(&option["options"], &format!("{path}/options"), depth + 1, wrong);
            continue;
        }
        choices(option, kind, &path, wrong);
        wrong.number(&option["min_length"], format!("{path}/min_length"), 0, 6000);
        wrong.number(&option["max_length"], format!("{path}/max_length"), 1, 6000);
    }
}

fn choices(option: &Value, kind: u64, path: &str, wrong: &mut Wrong) {
    let listed = wrong.list(&option["choices"], &format!("{path}/choices"), 0, 25);
    for (index, choice) in listed.iter().enumerate() {
        wrong.text(&choice["name"], format!("{path}/choices/{index}/name"), 1, 100);
        if kind == STRING {
            wrong.text(&choice["value"], format!("{path}/choices/{index}/value"), 1, 100);
        }
    }
    if option["autocomplete"] != true {
        return;
    }
    if !listed.is_empty() {
        let message = "Choices and autocomplete are mutually exclusive";
        wrong.at(path, "APPLICATION_COMMAND_OPTIONS_CHOICES_AUTOCOMPLETE", message);
    }
    if ![STRING, INTEGER, NUMBER].contains(&kind) {
        wrong.at(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Autocomplete needs a string or a number");
    }
}

/// Names, descriptions and values of a command, its options and choices.
fn characters(of: &Value) -> usize {
    let own: usize = ["name", "description", "value"]
        .iter()
        .filter_map(|field| of[*field].as_str())
        .map(|text| text.chars().count())
        .sum();
    let inner = ["options", "choices"].iter().filter_map(|list| of[*list].as_array()).flatten();
    own + inner.map(characters).sum::<usize>()
}

/// The choices of an autocompletion: at most 25, each with a name and a value of the option's kind.
pub fn check_choices(data: &Value) -> Result<(), Refused> {
    let mut wrong = Wrong::default();
    let listed = wrong.list(&data["choices"], "data/choices", 0, 25);
    for (index, choice) in listed.iter().enumerate() {
        let path = format!("data/choices/{index}");
        if wrong.object(choice, &path) {
            wrong.text(&choice["name"], format!("{path}/name"), 1, 100);
            if !choice["value"].is_number() {
                wrong.text(&choice["value"], format!("{path}/value"), 1, 100);
            }
        }
    }
    wrong.refuse()
}
