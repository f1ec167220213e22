//! Scopes: what each method asks for, by Slack's reference, and what the installed app was granted.

use std::collections::BTreeSet;

use super::args::Args;

/// What a complete app has been granted, and nothing beyond.
pub const GRANTED: [&str; 14] = [
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "usergroups:read",
    "users:read",
];

#[must_use]
pub fn granted() -> BTreeSet<String> {
    GRANTED.map(str::to_owned).into()
}

/// The scope that one call needs; which one depends on the kind of channel.
pub fn needed(method: &str, args: &Args) -> Option<String> {
    let by_kind = |what: &str| {
        let kind = match args.text("channel").unwrap_or_default().as_bytes().first() {
            Some(b'D' | b'U' | b'W') => "im",
            Some(b'G') => "groups",
            _ => "channels",
        };
        format!("{kind}:{what}")
    };
    Some(match method {
        "chat.postMessage" | "chat.update" | "chat.delete" | "chat.postEphemeral" => "chat:write".to_owned(),
        "conversations.info" => by_kind("read"),
        "conversations.history" | "conversations.replies" => by_kind("history"),
        "conversations.open" => "im:write".to_owned(),
        "files.getUploadURLExternal" | "files.completeUploadExternal" => "files:write".to_owned(),
        "files.info" => "files:read".to_owned(),
        "usergroups.list" | "usergroups.users.list" => "usergroups:read".to_owned(),
        "users.info" => "users:read".to_owned(),
        _ => return None,
    })
}
