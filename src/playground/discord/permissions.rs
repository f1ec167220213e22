//! Permissions: the bits, and who has which of them in a channel.
//!
//! Source: Discord's reference, "Permissions": roles add up, then the channel's overwrites for everyone, for roles and
//! for the member; a thread has those of its parent; who cannot see a channel can do nothing in it.

use super::BOT_USER;
use super::people::Overwrite;
use super::world::World;

pub const ADD_REACTIONS: u64 = 1 << 6;
pub const VIEW_CHANNEL: u64 = 1 << 10;
pub const SEND_MESSAGES: u64 = 1 << 11;
pub const MANAGE_MESSAGES: u64 = 1 << 13;
pub const EMBED_LINKS: u64 = 1 << 14;
pub const ATTACH_FILES: u64 = 1 << 15;
pub const READ_MESSAGE_HISTORY: u64 = 1 << 16;
pub const MENTION_EVERYONE: u64 = 1 << 17;
pub const USE_APPLICATION_COMMANDS: u64 = 1 << 31;
pub const MANAGE_THREADS: u64 = 1 << 34;
pub const CREATE_PUBLIC_THREADS: u64 = 1 << 35;
pub const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;

/// By the names that faults give them.
pub const NAMES: &[(&str, u64)] = &[
    ("VIEW_CHANNEL", VIEW_CHANNEL),
    ("SEND_MESSAGES", SEND_MESSAGES),
    ("SEND_MESSAGES_IN_THREADS", SEND_MESSAGES_IN_THREADS),
    ("CREATE_PUBLIC_THREADS", CREATE_PUBLIC_THREADS),
    ("EMBED_LINKS", EMBED_LINKS),
    ("ATTACH_FILES", ATTACH_FILES),
    ("READ_MESSAGE_HISTORY", READ_MESSAGE_HISTORY),
    ("MENTION_EVERYONE", MENTION_EVERYONE),
];

/// What everybody may do in a new guild, as far as it concerns a bot. Mentions of everyone are among it, so that a bot
/// which lets one slip is found out.
pub const EVERYBODY: u64 = ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | MENTION_EVERYONE
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | SEND_MESSAGES_IN_THREADS;

/// In a direct message both may do what one does there.
const IN_DIRECT_MESSAGE: u64 =
    VIEW_CHANNEL | SEND_MESSAGES | EMBED_LINKS | ATTACH_FILES | READ_MESSAGE_HISTORY | USE_APPLICATION_COMMANDS;

/// What `user` may do in `channel`; 0 where there is no such channel, or the user is not in its guild.
pub fn of(world: &World, channel: &str, user: &str) -> u64 {
    let Some(channel) = world.channel(channel) else { return 0 };
    let place = channel.parent.as_deref().and_then(|p| world.channel(p)).unwrap_or(channel);
    if let Some(recipient) = &place.recipient {
        return if user == recipient || user == BOT_USER { IN_DIRECT_MESSAGE } else { 0 };
    }
    let Some(guild) = place.guild.as_deref().and_then(|g| world.guild(g)) else { return 0 };
    let Some(member) = guild.member(user) else { return 0 };
    let has = |role: &str| role == guild.id || member.roles.iter().any(|r| r == role);
    let mut granted = world.roles(guild).filter(|r| has(&r.id)).fold(0, |sum, r| sum | r.permissions);
    let everyone = |o: &&Overwrite| o.id == guild.id;
    let roles = |o: &&Overwrite| o.id != guild.id && has(&o.id);
    let own = |o: &&Overwrite| o.id == user;
    let filters: [&dyn Fn(&&Overwrite) -> bool; 3] = [&everyone, &roles, &own];
    for filter in filters {
        let (denied, allowed) =
            place.overwrites.iter().filter(|o| filter(o)).fold((0, 0), |(d, a), o| (d | o.deny, a | o.allow));
        granted = (granted & !denied) | allowed;
    }
    if user == BOT_USER {
        granted &= !world.faults.taken_from_bot(&place.id);
    }
    if granted & VIEW_CHANNEL == 0 { 0 } else { granted }
}

pub fn has(world: &World, channel: &str, user: &str, permission: u64) -> bool {
    of(world, channel, user) & permission == permission
}
