//! The link by which a server's owner lets the bot in, with exactly the rights that it uses.

use serenity::model::Permissions;

/// What the bot does in channels, and why. Roles are read without any right.
pub const NEEDED: &[(Permissions, &str)] = &[
    (Permissions::VIEW_CHANNEL, "to see the channels it is asked in"),
    (Permissions::SEND_MESSAGES, "for the card of a run"),
    (Permissions::CREATE_PUBLIC_THREADS, "for the thread of a run"),
    (Permissions::SEND_MESSAGES_IN_THREADS, "for what stands in it"),
    (Permissions::EMBED_LINKS, "cards are embeds"),
    (Permissions::ATTACH_FILES, "long outputs are files"),
    (Permissions::READ_MESSAGE_HISTORY, "to find a post again whose answer was lost"),
    (
        Permissions::MENTION_EVERYONE,
        "to notify a role that may approve, where the role cannot be mentioned by everybody",
    ),
];

/// All of them as one number.
#[must_use]
pub fn permissions() -> Permissions {
    NEEDED.iter().fold(Permissions::empty(), |all, (one, _)| all | *one)
}

/// The link. Whoever follows it chooses the server, and needs the right to manage it.
#[must_use]
pub fn link(application_id: &str) -> String {
    format!(
        "https://discord.com/oauth2/authorize?client_id={application_id}&scope=bot%20applications.commands&permissions={}",
        permissions().bits()
    )
}

/// One right as the page of a server's settings calls it.
#[must_use]
pub fn name(permission: Permissions) -> String {
    permission.get_permission_names().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_asks_for_what_is_listed_and_never_to_administrate() {
        let link = link("4711");
        assert!(link.contains("client_id=4711") && link.contains("applications.commands"), "{link}");
        assert!(link.ends_with(&format!("permissions={}", permissions().bits())));
        assert!(
            !permissions().contains(Permissions::ADMINISTRATOR) && !permissions().contains(Permissions::MANAGE_GUILD)
        );
        for (permission, _) in NEEDED {
            assert!(!name(*permission).is_empty());
        }
    }
}
