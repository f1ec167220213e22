//! The manifest of the Slack app that Muster needs, ready for Slack's "From a manifest".

use serde_json::{Value, json};

use super::methods::bot_scopes;

/// The shortcut in a message's menu: the way to run something from within a thread, where slash commands do not work.
pub const RUN_HERE: &str = "run_here";
/// The shortcut that belongs to no message: in Slack's own menu, from anywhere.
pub const RUN: &str = "run";

/// The app as Slack should know it. `command` has its slash. Slack's limits: name 35 characters, name of a shortcut 24.
///
/// Socket Mode is on, so no address has to be reachable from outside. The app token is no part of a manifest: it is
/// made by hand with the scope `connections:write`.
#[must_use]
pub fn manifest(command: &str) -> Value {
    json!({
        "_metadata": { "major_version": 2 },
        "display_information": {
            "name": "Muster",
            "description": "Reviewed runbooks over many AWS accounts, by policy and approval",
            "background_color": "#1f3a4d",
        },
        "features": {
            "app_home": { "home_tab_enabled": true, "messages_tab_enabled": true, "messages_tab_read_only_enabled": false },
            "bot_user": { "display_name": "muster", "always_online": true },
            "shortcuts": [{
                "name": "Run a runbook here",
                "type": "message",
                "callback_id": RUN_HERE,
                "description": "Runs a runbook and answers in this thread",
            }, {
                "name": "Run a runbook",
                "type": "global",
                "callback_id": RUN,
                "description": "Picks a runbook, and where to run it",
            }],
            "slash_commands": [{
                "command": command,
                "description": "Run a reviewed runbook",
                "usage_hint": "run disk-usage on env=staging",
                // Names of people and channels arrive as ids, which cannot be forged.
                "should_escape": true,
            }],
        },
        "oauth_config": { "scopes": { "bot": bot_scopes() } },
        "settings": {
            "event_subscriptions": { "bot_events": ["app_home_opened", "app_mention"] },
            "interactivity": { "is_enabled": true },
            "org_deploy_enabled": false,
            "socket_mode_enabled": true,
            "token_rotation_enabled": false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::slack::methods::{DELIVERIES, METHODS};

    #[test]
    fn every_method_that_the_adapter_calls_has_its_scope_in_the_manifest_and_nothing_beyond_is_asked_for() {
        let manifest = manifest("/runbook");
        let asked: Vec<&str> =
            manifest["oauth_config"]["scopes"]["bot"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        for method in METHODS {
            for scope in method.scopes {
                assert!(asked.contains(scope), "`{}` needs `{scope}`", method.name);
            }
        }
        for scope in &asked {
            let used = DELIVERIES.contains(scope) || METHODS.iter().any(|m| m.scopes.contains(scope));
            assert!(used, "nothing uses `{scope}`");
        }
    }

    #[test]
    fn the_manifest_stays_within_the_limits_of_slack() {
        let manifest = manifest("/runbook");
        let long = |path: &str| manifest.pointer(path).unwrap().as_str().unwrap().chars().count();
        for (path, max) in [
            ("/display_information/name", 35),
            ("/display_information/description", 140),
            ("/features/bot_user/display_name", 80),
            ("/features/shortcuts/0/name", 24),
            ("/features/shortcuts/0/description", 150),
            ("/features/shortcuts/1/name", 24),
            ("/features/shortcuts/1/description", 150),
            ("/features/slash_commands/0/command", 32),
            ("/features/slash_commands/0/usage_hint", 1000),
        ] {
            assert!(long(path) <= max, "{path} has {} characters, {max} are allowed", long(path));
        }
    }
}
