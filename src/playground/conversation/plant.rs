//! `plant aws NAME[:PLACE] [setting="…"]`, `plant slack NAME [setting="…"]`, the same for `discord`, and `lift …`: the bodies that the
//! simulators' control interfaces take. Which names there are is the simulator's to say, when the line is played.

use serde_json::{Value, json};

use super::Simulator;
use super::parse::{Wrong, values};

/// Settings that are numbers.
const NUMBERS: &[&str] = &["times", "value", "count", "seconds", "milliseconds"];
/// Settings that are words.
const WORDS: &[&str] = &["method", "channel", "error", "permission", "role", "user"];

/// What stands behind `plant`.
pub fn fault(rest: &str) -> Result<(Simulator, Value), Wrong> {
    let (at, rest) = simulator(rest)?;
    let (name, settings) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if name.is_empty() {
        return Err((
            "no fault is named".to_owned(),
            "write for example `plant aws offline-node:acme-prod`".to_owned(),
        ));
    }
    let mut body = named(at, name)?;
    if settings.trim().is_empty() {
        return Ok((at, body));
    }
    for (setting, value) in values(settings.trim())? {
        body[&setting] = if NUMBERS.contains(&setting.as_str()) {
            let number: u64 = value.parse().map_err(|_| {
                (format!("`{setting}` is `{value}`, which is no number"), format!("write `{setting}=\"3\"`"))
            })?;
            json!(number)
        } else if WORDS.contains(&setting.as_str()) {
            json!(value)
        } else {
            let all = [NUMBERS, WORDS].concat().join("`, `");
            return Err((format!("a fault has no setting `{setting}`"), format!("there are `{all}`")));
        };
    }
    Ok((at, body))
}

/// What stands behind `lift`.
pub fn lifted(rest: &str) -> Result<(Simulator, Value), Wrong> {
    match simulator(rest)? {
        (at @ (Simulator::Slack | Simulator::Discord), "") => Ok((at, Value::Null)),
        (Simulator::Slack, _) => {
            Err(("Slack's faults are lifted together".to_owned(), "write `lift slack`".to_owned()))
        }
        (Simulator::Discord, _) => {
            Err(("Discord's faults are lifted together".to_owned(), "write `lift discord`".to_owned()))
        }
        (Simulator::Aws, "") => {
            Err(("no fault is named".to_owned(), "write for example `lift aws offline-node:acme-prod`".to_owned()))
        }
        (Simulator::Aws, name) => Ok((Simulator::Aws, named(Simulator::Aws, name)?)),
    }
}

fn simulator(rest: &str) -> Result<(Simulator, &str), Wrong> {
    let (name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match name {
        "aws" => Ok((Simulator::Aws, rest.trim())),
        "slack" => Ok((Simulator::Slack, rest.trim())),
        "discord" => Ok((Simulator::Discord, rest.trim())),
        other => Err((
            format!("there is no simulator `{other}`"),
            "write `plant aws NAME:ACCOUNT/REGION/NODE`, `plant slack NAME` or `plant discord NAME`".to_owned(),
        )),
    }
}

/// `NAME` or `NAME:ACCOUNT/REGION/NODE`.
fn named(at: Simulator, name: &str) -> Result<Value, Wrong> {
    match (at, name.split_once(':')) {
        (Simulator::Slack | Simulator::Discord, None) => Ok(json!({ "name": name })),
        (Simulator::Discord, Some((name, _))) => Err((
            format!("`{name}` is planted at Discord, which has no accounts"),
            format!("write `plant discord {name} channel=\"#ops\"`"),
        )),
        (Simulator::Slack, Some((name, _))) => Err((
            format!("`{name}` is planted at Slack, which has no accounts"),
            format!("write `plant slack {name} channel=\"C0OPS\"`"),
        )),
        (Simulator::Aws, None) => Ok(json!({ "fault": name })),
        (Simulator::Aws, Some((name, place))) => {
            let mut body = json!({ "fault": name });
            let mut parts = place.split('/');
            for (field, part) in ["account", "region", "node"].into_iter().zip(&mut parts) {
                if !part.is_empty() && part != "*" {
                    body[field] = json!(part);
                }
            }
            match parts.next() {
                None => Ok(body),
                Some(_) => Err((format!("`{place}` has too many parts"), "write `account/region/node`".to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_becomes_the_body_that_its_simulator_takes() {
        let aws = fault(r#"aws runs-twice:acme-prod/*/web-1 times="2""#).unwrap();
        assert_eq!(
            aws,
            (Simulator::Aws, json!({"fault": "runs-twice", "account": "acme-prod", "node": "web-1", "times": 2}))
        );
        let slack = fault(r#"slack rate-limited method="chat.update", count="3""#).unwrap();
        assert_eq!(slack, (Simulator::Slack, json!({"name": "rate-limited", "method": "chat.update", "count": 3})));
        assert_eq!(lifted("slack"), Ok((Simulator::Slack, Value::Null)));
        let discord = fault(r#"discord no-permission permission="SEND_MESSAGES""#).unwrap();
        assert_eq!(discord, (Simulator::Discord, json!({"name": "no-permission", "permission": "SEND_MESSAGES"})));
        assert_eq!(lifted("discord"), Ok((Simulator::Discord, Value::Null)));
        assert_eq!(lifted("aws throttle"), Ok((Simulator::Aws, json!({"fault": "throttle"}))));
    }

    #[test]
    fn what_cannot_be_planted_is_told_with_a_remedy() {
        let told = |rest: &str| fault(rest).unwrap_err();
        assert_eq!(told("azure x").0, "there is no simulator `azure`");
        assert_eq!(told("aws").0, "no fault is named");
        assert_eq!(told(r#"aws x count="many""#).1, r#"write `count="3"`"#);
        assert_eq!(told(r#"aws x clear="1""#).0, "a fault has no setting `clear`");
        assert_eq!(told("aws x:a/b/c/d").1, "write `account/region/node`");
        assert_eq!(told("slack x:C0OPS").1, "write `plant slack x channel=\"C0OPS\"`");
        assert_eq!(lifted("slack outage").unwrap_err().1, "write `lift slack`");
        assert_eq!(lifted("aws").unwrap_err().0, "no fault is named");
    }
}
