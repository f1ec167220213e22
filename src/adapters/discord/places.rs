//! Channels and threads as the gateway tells of them, so that a message knows in which thread it stands.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// Channels remembered; those that are not are asked for.
const REMEMBERED: usize = 50_000;

/// Where a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub guild: Option<String>,
    /// Of a thread: the channel it is in.
    pub parent: Option<String>,
}

#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<String, Spot>>);

/// Discord's types of channel that are threads: in announcements, public, private.
fn is_thread(kind: &Value) -> bool {
    matches!(kind.as_u64(), Some(10..=12))
}

/// What a channel object of Discord's says. `guild`: where the object leaves it out.
pub(super) fn spot(channel: &Value, guild: Option<&str>) -> Option<(String, Spot)> {
    let id = channel["id"].as_str()?.to_owned();
    let guild = channel["guild_id"].as_str().or(guild).map(str::to_owned);
    let parent = channel["parent_id"].as_str().filter(|_| is_thread(&channel["type"])).map(str::to_owned);
    Some((id, Spot { guild, parent }))
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Spot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, channel: &str) -> Option<Spot> {
        self.lock().get(channel).cloned()
    }

    pub(super) fn put(&self, channel: String, spot: Spot) {
        let mut known = self.lock();
        if known.len() >= REMEMBERED && !known.contains_key(&channel) {
            known.clear();
        }
        known.insert(channel, spot);
    }

    /// A message is the start of this thread, or it is known to be one.
    pub(super) fn is_thread(&self, channel: &str) -> bool {
        self.lock().get(channel).is_some_and(|spot| spot.parent.is_some())
    }

    /// Learns from an event. False: it tells of no place.
    pub(super) fn learn(&self, kind: &str, data: &Value) -> bool {
        match kind {
            "GUILD_CREATE" => {
                let guild = data["id"].as_str();
                let channels = ["channels", "threads"].into_iter().flat_map(|key| data[key].as_array()).flatten();
                channels.filter_map(|channel| spot(channel, guild)).for_each(|(id, spot)| self.put(id, spot));
            }
            "THREAD_LIST_SYNC" => {
                let guild = data["guild_id"].as_str();
                let threads = data["threads"].as_array().into_iter().flatten();
                threads.filter_map(|thread| spot(thread, guild)).for_each(|(id, spot)| self.put(id, spot));
            }
            "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "THREAD_CREATE" | "THREAD_UPDATE" => {
                if let Some((id, spot)) = spot(data, None) {
                    self.put(id, spot);
                }
            }
            "CHANNEL_DELETE" | "THREAD_DELETE" => {
                if let Some(id) = data["id"].as_str() {
                    self.lock().remove(id);
                }
            }
            "GUILD_DELETE" => {
                let gone = data["id"].as_str();
                self.lock().retain(|_, spot| spot.guild.as_deref() != gone);
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_thread_is_told_from_a_channel_and_forgotten_with_its_guild() {
        let places = Places::default();
        let guild = json!({ "id": "1",
            "channels": [{ "id": "2", "type": 0, "parent_id": "9" }],
            "threads": [{ "id": "3", "type": 11, "parent_id": "2", "guild_id": "1" }] });
        assert!(places.learn("GUILD_CREATE", &guild));
        // A channel's parent is its category, and no channel.
        assert_eq!(places.get("2"), Some(Spot { guild: Some("1".into()), parent: None }));
        assert_eq!(places.get("3"), Some(Spot { guild: Some("1".into()), parent: Some("2".into()) }));
        assert!(places.learn("THREAD_CREATE", &json!({ "id": "4", "type": 12, "parent_id": "2", "guild_id": "1" })));
        assert!(places.is_thread("4") && !places.is_thread("2") && !places.is_thread("5"));
        assert!(places.learn("THREAD_DELETE", &json!({ "id": "4" })));
        assert_eq!(places.get("4"), None);
        assert!(places.learn("GUILD_DELETE", &json!({ "id": "1" })));
        assert_eq!(places.get("2"), None);
        assert!(!places.learn("TYPING_START", &json!({})));
    }
}
