//! Every method of Slack's Web API that this adapter calls, with the scopes that Slack asks for it.
//!
//! The one place: the app manifest asks for these scopes and `muster doctor` looks whether they were granted. A test
//! reads the adapter's sources, so a call that is not listed here does not stay unnoticed. Source: docs.slack.dev,
//! the page of each method.

use std::collections::BTreeSet;

/// One method and what the bot token needs for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    pub name: &'static str,
    /// All of them: a method over channels has one scope for each kind of channel.
    pub scopes: &'static [&'static str],
}

const fn method(name: &'static str, scopes: &'static [&'static str]) -> Method {
    Method { name, scopes }
}

/// What is called with the bot token. Direct messages are read too: approvers are asked there, and a post whose answer
/// was lost is looked up before it is made again.
pub const METHODS: &[Method] = &[
    method("auth.test", &[]),
    method("chat.getPermalink", &[]),
    method("chat.postEphemeral", &["chat:write"]),
    method("chat.postMessage", &["chat:write"]),
    method("chat.update", &["chat:write"]),
    method("conversations.history", &["channels:history", "groups:history", "im:history"]),
    method("conversations.info", &["channels:read", "groups:read", "im:read"]),
    method("conversations.open", &["im:write"]),
    method("conversations.replies", &["channels:history", "groups:history", "im:history"]),
    method("files.completeUploadExternal", &["files:write"]),
    method("files.getUploadURLExternal", &["files:write"]),
    method("files.info", &["files:read"]),
    method("usergroups.users.list", &["usergroups:read"]),
    method("users.info", &["users:read"]),
    method("views.open", &[]),
    method("views.publish", &[]),
    method("views.update", &[]),
];

/// What is called with the app token.
pub const APP_METHODS: &[Method] = &[method("apps.connections.open", &["connections:write"])];

/// Scopes without which Slack would not deliver what people do: slash command and shortcut, and the bot's name.
pub const DELIVERIES: &[&str] = &["commands", "app_mentions:read"];

/// The bot scopes of the app, all of them used.
#[must_use]
pub fn bot_scopes() -> BTreeSet<&'static str> {
    METHODS.iter().flat_map(|m| m.scopes).chain(DELIVERIES).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Everything in quotes that looks like a method, in the adapter's own sources.
    fn called(folder: &Path, found: &mut BTreeSet<String>) {
        let shape = regex::Regex::new(
            r#""((?:admin|api|apps|assistant|auth|bookmarks|bots|calls|chat|conversations|dnd|emoji|files|functions|migration|pins|reactions|reminders|search|team|usergroups|users|views|workflows)(?:\.[a-zA-Z]+)+)""#,
        )
        .unwrap();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                called(&path, found);
            } else if name.ends_with(".rs") && !name.contains("tests") && name != "methods.rs" {
                let text = fs::read_to_string(&path).unwrap();
                found.extend(shape.captures_iter(&text).map(|c| c[1].to_owned()));
            }
        }
    }

    #[test]
    fn every_method_that_the_adapter_calls_has_its_scopes_here_and_no_other_has() {
        let mut found = BTreeSet::new();
        called(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapters/slack"), &mut found);
        let listed: BTreeSet<String> = METHODS.iter().chain(APP_METHODS).map(|m| m.name.to_owned()).collect();
        assert_eq!(found, listed, "left: called in src/adapters/slack, right: listed in methods.rs");
    }
}
