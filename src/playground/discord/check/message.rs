//! Messages: content, embeds and mentions.
//!
//! Source: Discord's reference, "Create Message", "Embed Limits", "Allowed Mentions Object". Lengths are characters.

use serde_json::Value;

use super::component;
use crate::playground::discord::message::{COMPONENTS_V2, EPHEMERAL, SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS};
use crate::playground::discord::rest::refused::{Refused, Wrong};

const CONTENT_MAX: usize = 2000;
const EMBEDS_MAX: usize = 10;
/// Over the texts of all embeds together.
const EMBED_SUM_MAX: usize = 6000;
const FILES_MAX: usize = 10;
/// What a bot may set.
const FLAGS: u64 = SUPPRESS_EMBEDS | EPHEMERAL | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2;

/// A body of a message, `under` a path such as `data` in an interaction's response.
pub fn check(body: &Value, under: &str, files: usize) -> Result<(), Refused> {
    let at = |name: &str| if under.is_empty() { name.to_owned() } else { format!("{under}/{name}") };
    let mut wrong = Wrong::default();
    if body["flags"].as_u64().unwrap_or_default() & COMPONENTS_V2 != 0 {
        return Err(Refused::not_simulated("the second version of components"));
    }
    wrong.text(&body["content"], at("content"), 0, CONTENT_MAX);
    let embeds = wrong.list(&body["embeds"], &at("embeds"), 0, EMBEDS_MAX);
    let mut sum = 0;
    for (index, embed) in embeds.iter().enumerate() {
        sum += check_embed(embed, &format!("{}/{index}", at("embeds")), &mut wrong);
    }
    if sum > EMBED_SUM_MAX {
        let message = format!("Embed size exceeds maximum size of {EMBED_SUM_MAX}");
        wrong.at(at("embeds"), "MAX_EMBED_SIZE_EXCEEDED", message);
    }
    component::check(&body["components"], &at("components"), &mut wrong);
    if body["flags"].as_u64().is_some_and(|flags| flags & !FLAGS != 0) {
        wrong.at(at("flags"), "MESSAGE_FLAGS_INVALID", "Value is not a valid set of flags");
    }
    match &body["nonce"] {
        Value::Null | Value::Number(_) => {}
        nonce => wrong.text(nonce, at("nonce"), 0, 25),
    }
    if files > FILES_MAX {
        wrong.at(at("attachments"), "BASE_TYPE_MAX_LENGTH", format!("Must be {FILES_MAX} or fewer in length."));
    }
    mentions(&body["allowed_mentions"], &at("allowed_mentions"), &mut wrong);
    wrong.refuse()
}

/// Whether there is nothing to show. Buttons alone are nothing, too.
pub fn is_empty(body: &Value, files: usize) -> bool {
    let nothing = |name: &str| body[name].as_array().is_none_or(Vec::is_empty);
    let content = body["content"].as_str().unwrap_or_default();
    content.trim().is_empty() && nothing("embeds") && nothing("sticker_ids") && files == 0 && body["poll"].is_null()
}

/// How many characters count towards the sum.
fn check_embed(embed: &Value, path: &str, wrong: &mut Wrong) -> usize {
    if !wrong.object(embed, path) {
        return 0;
    }
    let at = |name: &str| format!("{path}/{name}");
    wrong.text(&embed["title"], at("title"), 0, 256);
    wrong.text(&embed["description"], at("description"), 0, 4096);
    wrong.number(&embed["color"], at("color"), 0, 0xff_ffff);
    url(&embed["url"], at("url"), wrong);
    for name in ["image", "thumbnail"] {
        if !embed[name].is_null() {
            url(&embed[name]["url"], at(&format!("{name}/url")), wrong);
        }
    }
    if let Some(time) = embed["timestamp"].as_str()
        && time.parse::<jiff::Timestamp>().is_err()
    {
        let message = format!("Could not parse {time}. Should be ISO8601.");
        wrong.at(at("timestamp"), "DATE_TIME_TYPE_PARSE", message);
    }
    let mut counted = vec![&embed["title"], &embed["description"]];
    if !embed["footer"].is_null() {
        wrong.text(&embed["footer"]["text"], at("footer/text"), 1, 2048);
        counted.push(&embed["footer"]["text"]);
    }
    if !embed["author"].is_null() {
        wrong.text(&embed["author"]["name"], at("author/name"), 1, 256);
        counted.push(&embed["author"]["name"]);
    }
    for (index, field) in wrong.list(&embed["fields"], &at("fields"), 0, 25).iter().enumerate() {
        let path = format!("{path}/fields/{index}");
        if wrong.object(field, &path) {
            wrong.text(&field["name"], format!("{path}/name"), 1, 256);
            wrong.text(&field["value"], format!("{path}/value"), 1, 1024);
            counted.extend([&field["name"], &field["value"]]);
        }
    }
    let sum = counted.iter().filter_map(|text| text.as_str()).map(|text| text.chars().count()).sum();
    let pictures = ["image", "thumbnail"].iter().any(|name| embed[*name].is_object());
    if sum == 0 && !pictures {
        wrong.required(at("description"));
    }
    sum
}

fn url(value: &Value, path: String, wrong: &mut Wrong) {
    if let Some(url) = value.as_str() {
        let scheme = url.split("://").next().unwrap_or_default();
        if !["http", "https", "attachment"].contains(&scheme) {
            let message = format!("Scheme \"{scheme}\" is not supported. Scheme must be one of ('http', 'https').");
            wrong.at(path, "URL_TYPE_INVALID_SCHEME", message);
        }
    }
}

fn mentions(allowed: &Value, path: &str, wrong: &mut Wrong) {
    if allowed.is_null() || !wrong.object(allowed, path) {
        return;
    }
    let parse = wrong.list(&allowed["parse"], &format!("{path}/parse"), 0, 3);
    for (index, kind) in parse.iter().enumerate() {
        if !["roles", "users", "everyone"].iter().any(|known| kind == known) {
            let message = "Value must be one of ('roles', 'users', 'everyone').";
            wrong.at(format!("{path}/parse/{index}"), "BASE_TYPE_CHOICES", message);
        }
    }
    for kind in ["users", "roles"] {
        let listed = wrong.list(&allowed[kind], &format!("{path}/{kind}"), 0, 100);
        if !listed.is_empty() && parse.iter().any(|p| p == kind) {
            let message = format!("parse:[\"{kind}\"] and {kind}: [ids...] are mutually exclusive.");
            wrong.at(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message);
        }
        for (index, id) in listed.iter().enumerate() {
            if id.as_str().is_none_or(|id| id.parse::<u64>().is_err()) {
                wrong.at(
                    format!("{path}/{kind}/{index}"),
                    "NUMBER_TYPE_COERCE",
                    format!("Value {id} is not snowflake."),
                );
            }
        }
    }
}
