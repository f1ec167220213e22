//! Discord's error codes as one sentence for the person who can do something about it, the remedy last. Source:
//! Discord's documentation, Opcodes and Status Codes, JSON Error Codes.

/// What `code`, the answer to `what`, means. `said`: Discord's own words.
pub(super) fn for_code(status: u16, code: u32, said: &str, what: &str) -> String {
    match (status, code) {
        (_, 10003) => "I cannot see this channel, it is private or gone: let me see it in its settings under Permissions, \
                       or use another one"
            .into(),
        (_, 50001) => "I am not in this channel: add me in its settings under Permissions, with View Channel and Send \
                       Messages"
            .into(),
        (_, 50013) => format!(
            "I may not do that in this channel ({what}): its permissions, or my role's, lack it; `muster discord invite` \
             lists what I need"
        ),
        (_, 10008) => "the message is gone: somebody deleted it".into(),
        (_, 50007) => {
            "Discord does not let me write to this person directly: allow direct messages from this server in its privacy \
             settings"
                .into()
        }
        (_, 10013 | 10007) => "this person is not in the server any more".into(),
        (_, 10004) => "I am not in this server any more: invite me again with the link that `muster discord invite` \
                       prints"
            .into(),
        (_, 10011) => "this role does not exist any more: correct its id in the policy".into(),
        (_, 10062 | 10015 | 50027) => {
            "Discord takes no more answers to that: it gives three seconds for the first and fifteen minutes for the others"
                .into()
        }
        (_, 40060) => "this was acknowledged already: nothing has to be done".into(),
        (_, 30033) => "this channel has as many open threads as Discord allows: archive some, then try again".into(),
        (_, 50005) => "this message is not mine, so I cannot change it".into(),
        (_, 50083) => "this thread is archived and locked: unlock it, or use another place".into(),
        (_, 50024) => "this kind of channel holds no such messages: use a text channel".into(),
        (_, 160_005) => "this thread is locked: unlock it, or use another place".into(),
        (_, 160_006) => "this server has as many open threads as Discord allows: archive some, then try again".into(),
        (_, 40005) | (413, _) => "the file is larger than Discord takes here: read it with `output`, node by node".into(),
        (_, 20012) => {
            "the token belongs to another application: put the id and the token of the same one into `[discord]`".into()
        }
        (401, _) => "Discord no longer accepts the bot token: make a new one on the application's page under Bot and put it \
                     where `[discord] bot_token` points"
            .into(),
        (_, 50035 | 50006) => format!("Discord refused to {what} as malformed ({said}): please report it"),
        (403, _) => format!("Discord does not let me {what} ({said}): `muster discord invite` lists what I need"),
        (_, 0) => format!("Discord refused to {what} with HTTP {status} ({said}): check `[discord] api_url`"),
        (_, code) => format!(
            "Discord refused to {what} with code {code} ({said}): its meaning stands in Discord's documentation under \
             JSON Error Codes"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::for_code;

    #[test]
    fn the_commonest_first_day_faults_have_their_sentence() {
        assert_eq!(
            for_code(403, 50001, "Missing Access", "post a message"),
            "I am not in this channel: add me in its settings under Permissions, with View Channel and Send Messages"
        );
        assert_eq!(
            for_code(403, 50013, "Missing Permissions", "make a thread"),
            "I may not do that in this channel (make a thread): its permissions, or my role's, lack it; `muster discord \
             invite` lists what I need"
        );
        assert!(for_code(400, 424_242, "something new", "edit a message").contains("424242"));
    }
}
