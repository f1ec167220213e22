//! What in the app's own messages would notify a whole channel or group, by Slack's rules for message text.
//!
//! `<!channel>`, `<!here>`, `<!everyone>` and `<!subteam^…>` ping in a message's `text` and in `mrkdwn` objects, and
//! so do `broadcast` and `usergroup` elements of rich text. In `plain_text`, in rich text's own texts and in code they are
//! letters. `link_names` and `parse: full` make pings of bare words such as `@channel`.
//!
//! The simulated Discord works out by itself whom each message notifies, and lists it beside the body.
//!
//! Groups that the app itself asks for an approval are meant to be notified, so only broadcasts are counted.

use serde_json::Value;

const BROADCASTS: &[&str] = &["<!channel", "<!here", "<!everyone", "<!group"];

/// One line for each ping in `bodies`, as `GET /play/v1/bodies` lists them.
pub fn pings(bodies: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for said in bodies.as_array().into_iter().flatten() {
        let method = said["method"].as_str().unwrap_or_default();
        let body = &said["body"];
        let mut tell = |what: &str| found.push(format!("`{method}` pings by {what}"));
        // Where the platform itself says whom a message notifies, its word stands.
        if let Some(pings) = said["pings"].as_array() {
            pings.iter().filter(|p| *p == "@everyone").for_each(|_| tell("a mention of everyone"));
            continue;
        }
        if body["link_names"] == true || body["link_names"] == 1 || body["parse"] == "full" {
            tell("`link_names` or `parse`");
        }
        if let Some(text) = body["text"].as_str() {
            in_text(text, &mut tell);
        }
        // The outer body's `text` is judged above; everything else by its type.
        for part in [&body["blocks"], &body["view"], &body["attachments"]] {
            inside(part, &mut tell);
        }
    }
    found
}

fn in_text(text: &str, tell: &mut impl FnMut(&str)) {
    if BROADCASTS.iter().any(|ping| text.contains(ping)) {
        tell(&format!("the text {text:?}"));
    }
}

fn inside(value: &Value, tell: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            match (fields.get("type").and_then(Value::as_str), fields.get("text").and_then(Value::as_str)) {
                (Some("broadcast"), _) => tell("a broadcast element"),
                (Some("mrkdwn" | "markdown"), Some(text)) => in_text(text, tell),
                _ => {}
            }
            fields.values().for_each(|v| inside(v, tell));
        }
        Value::Array(items) => items.iter().for_each(|v| inside(v, tell)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn count(body: Value) -> usize {
        pings(&json!([{ "method": "chat.postMessage", "body": body }])).len()
    }

    #[test]
    fn what_slack_would_make_a_notification_of_is_found() {
        assert_eq!(count(json!({ "text": "<!here> look" })), 1);
        assert_eq!(count(json!({ "text": "@channel", "link_names": true })), 1);
        let section = json!([{ "type": "section", "text": { "type": "mrkdwn", "text": "<!channel|x>" } }]);
        assert_eq!(count(json!({ "blocks": section })), 1);
        let rich = json!([{ "type": "rich_text", "elements": [{ "type": "broadcast", "range": "here" }] }]);
        assert_eq!(count(json!({ "blocks": rich })), 1);
    }

    #[test]
    fn what_discord_says_of_its_own_messages_stands() {
        let said = |listed: Value| {
            let body = json!({ "content": "@everyone" });
            pings(&json!([{ "method": "messages.create", "body": body, "pings": listed }])).len()
        };
        assert_eq!(said(json!(["@everyone", "<@&1>"])), 1);
        assert_eq!(said(json!(["<@&1>", "<@2>"])), 0);
    }

    #[test]
    fn letters_that_only_look_like_a_ping_are_none() {
        assert_eq!(count(json!({ "text": "&lt;!here&gt; @channel" })), 0);
        let blocks = json!([
            { "type": "header", "text": { "type": "plain_text", "text": "<!channel>" } },
            { "type": "rich_text", "elements": [{ "type": "text", "text": "<!here>" }] },
        ]);
        assert_eq!(count(json!({ "text": "x", "blocks": blocks })), 0);
    }
}
