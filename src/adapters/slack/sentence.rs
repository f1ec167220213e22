//! Slack's error codes as one sentence for the person who can do something about it, the remedy last.

/// What `code`, the answer to `method`, means. `needed`: the scope that Slack named.
pub(super) fn for_code(code: &str, needed: Option<&str>, method: &str) -> String {
    match code {
        "not_in_channel" => "I am not in this channel: type `/invite @muster` in it".into(),
        "channel_not_found" => {
            "I cannot see this channel, it is private or gone: type `/invite @muster` in it, or use another one".into()
        }
        "is_archived" => "this channel is archived: unarchive it, or use another one".into(),
        "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_only_channel"
        | "restricted_action_non_threadable_channel"
        | "restricted_action_thread_locked" => {
            "this channel's posting rules keep me out: an owner of the workspace can allow me, or use another channel"
                .into()
        }
        "user_not_in_channel" => "you are not in this channel: join it and try again".into(),
        "cannot_dm_bot" | "user_disabled" | "user_not_found" | "user_not_visible" | "users_not_found" => {
            format!("Slack cannot reach this person (`{code}`): they may have left the workspace")
        }
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => format!(
            "Slack no longer accepts the bot token (`{code}`): reinstall the app and put its new `xoxb-` token where \
             `[slack] bot_token` points"
        ),
        "missing_scope" | "no_permission" => match needed {
            Some(scope) => format!(
                "the Slack app may not call `{method}`: add the scope `{scope}` on its page under OAuth & Permissions \
                 and reinstall it"
            ),
            None => format!("the Slack app may not call `{method}`: add the scope it needs and reinstall it"),
        },
        "not_allowed_token_type" => {
            format!(
                "`{method}` does not take this kind of token: `bot_token` starts with `xoxb-`, `app_token` with `xapp-`"
            )
        }
        "access_denied"
        | "ekm_access_denied"
        | "org_login_required"
        | "team_access_not_granted"
        | "two_factor_setup_required" => {
            format!("an administrator of the workspace has suspended this (`{code}`): ask them to allow the app again")
        }
        "expired_trigger_id"
        | "exchanged_trigger_id"
        | "invalid_trigger"
        | "trigger_exchanged"
        | "invalid_trigger_id" => "Slack gives three seconds to open a form and they have passed: click again".into(),
        "message_not_found" | "thread_not_found" => "the message is gone: somebody deleted it".into(),
        "cant_update_message" | "edit_window_closed" => {
            "Slack does not let me change this message any more: read the newest one in its thread".into()
        }
        "plan_upgrade_required" | "paid_teams_only" => {
            "user groups need a paid Slack plan: list the people under `users` in the policy instead".into()
        }
        "no_such_subteam" | "subteam_disabled" => {
            "this Slack user group does not exist or is disabled: correct its id in the policy".into()
        }
        "file_uploads_disabled" | "file_upload_size_restricted" | "storage_limit_reached" => {
            format!("the workspace does not take this file (`{code}`): ask an administrator, or read it by `muster`")
        }
        "feature_not_enabled" | "unknown_method" => {
            format!("Slack does not offer `{method}` here (`{code}`): check `[slack] api_url`")
        }
        code if code.starts_with("http_") => {
            format!("Slack answered `{method}` with HTTP {}: check `[slack] api_url`", &code["http_".len()..])
        }
        code => format!(
            "Slack refused `{method}` with `{code}`: its meaning stands on that method's page at docs.slack.dev"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::for_code;

    #[test]
    fn the_commonest_first_day_faults_have_their_sentence() {
        assert_eq!(
            for_code("not_in_channel", None, "chat.postMessage"),
            "I am not in this channel: type `/invite @muster` in it"
        );
        assert_eq!(
            for_code("missing_scope", Some("chat:write"), "chat.postMessage"),
            "the Slack app may not call `chat.postMessage`: add the scope `chat:write` on its page under OAuth & \
             Permissions and reinstall it"
        );
        assert!(for_code("something_new", None, "chat.update").contains("`something_new`"));
    }
}
