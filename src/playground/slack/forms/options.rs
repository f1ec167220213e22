//! External selects: the person types, the app is asked for options (`block_suggestion`), the person picks one of them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fields::{is_known, listed};
use super::{Spot, find};
use crate::playground::slack::acts::Refusal;
use crate::playground::slack::blocks::suggestions;
use crate::playground::slack::payloads;
use crate::playground::slack::socket::Outcome;
use crate::playground::slack::workspace::Workspace;

/// How many characters an external select wants before it asks, if the app does not say.
const MIN_QUERY: u64 = 3;

/// The options that the app offers for what was typed into an external select. `ok` is false, with what the person
/// would see, if the app gave none that Slack takes.
pub async fn suggest(
    workspace: &Arc<Workspace>,
    who: &str,
    wanted: &str,
    typed: &str,
    spot: &Spot<'_>,
) -> Result<Value, Refusal> {
    let (key, payload) = {
        let world = workspace.world();
        let seen = find(&world, who, wanted, spot)?;
        let element = &seen.element;
        if !is_external(element) {
            return Err(format!("`{wanted}` brings its own options; pick one of them"));
        }
        let least = element["min_query_length"].as_u64().unwrap_or(MIN_QUERY);
        if (typed.chars().count() as u64) < least {
            return Err(format!("`{wanted}` asks from {least} characters on; type more"));
        }
        (seen.key(), payloads::block_suggestion(&world, &seen, typed, &workspace.base()))
    };
    let failed = |why: &str| Ok(json!({ "ok": false, "options": [], "error": why }));
    match workspace.deliver("interactive", "block_suggestion", &payload, None).await {
        Outcome::Acked(Some(answer)) => match suggestions(&answer) {
            Ok(options) => {
                workspace.world().offers.insert(key, options.clone());
                Ok(json!({ "options": options, "option_groups": answer["option_groups"] }))
            }
            Err(faults) => failed(&format!("the app's options are refused: {}", faults.join("; "))),
        },
        Outcome::Acked(None) => failed("the app acknowledged without options"),
        Outcome::TimedOut | Outcome::NoConnection => failed("We had some trouble loading the options. Try again?"),
    }
}

pub fn is_external(element: &Value) -> bool {
    matches!(element["type"].as_str(), Some("external_select" | "multi_external_select"))
}

/// A person who knows what they want types it and takes the match: asks the app for whatever in `value` it has not
/// offered yet.
pub async fn ensure_offered(
    workspace: &Arc<Workspace>,
    who: &str,
    wanted: &str,
    value: &Value,
    spot: &Spot<'_>,
) -> Result<(), Refusal> {
    let unknown: Vec<String> = {
        let world = workspace.world();
        let seen = find(&world, who, wanted, spot)?;
        if !is_external(&seen.element) {
            return Ok(());
        }
        let offered = seen.offered(&world);
        let texts = match seen.element["type"].as_str() {
            Some("external_select") => value.as_str().map(str::to_owned).into_iter().collect(),
            _ => listed(value),
        };
        texts.into_iter().filter(|t| !is_known(&seen.element, t, &offered)).collect()
    };
    for text in unknown {
        let answer = suggest(workspace, who, wanted, &text, spot).await?;
        if let Some(why) = answer["error"].as_str() {
            return Err(why.to_owned());
        }
    }
    Ok(())
}
