//! What goes wrong on request, at start (`--break NAME`) or by `POST /play/v1/faults`.
//!
//! Every fault imitates something that Discord or the network between really does. Counted faults wear out. `method` is
//! one of the names that `rest` gives its routes, such as `messages.create`.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::people::OPS;
use super::permissions;

/// Every name with what it does; `--help` and a wrong name show this list.
pub const NAMES: &[(&str, &str)] = &[
    ("outage", "503 for every call, sockets cut, for some seconds (seconds)"),
    ("refused", "connections are cut without an answer, sockets too, for some seconds (seconds)"),
    ("slow", "calls are answered late (method, milliseconds, count)"),
    ("rate-limited", "calls are refused with 429 and `retry_after` (method, count, seconds)"),
    ("api-error", "calls fail with a code of Discord (method, error, count)"),
    ("swallowed-post", "the next post into a thread is answered but never shown"),
    ("lost-post-answer", "the next post is shown, but the connection is cut before the answer (method)"),
    ("doubled-event", "the next interaction is delivered twice (count)"),
    ("delay", "the next interaction is late (milliseconds, count)"),
    ("reconnect", "every connection is told to go (opcode 7) and may resume"),
    ("invalid-session", "every connection is told that its session is over (opcode 9)"),
    ("cut", "every connection is dead without a word; its session may be resumed"),
    ("zombie", "heartbeats are not acknowledged (count)"),
    ("not-in-channel", "the bot is removed from a channel (channel)"),
    ("no-permission", "the bot lacks a permission in a channel (channel, permission)"),
    ("role-deleted", "a role is gone (role)"),
    ("dm-closed", "a person takes no direct messages (user)"),
];
/// Those that stand until they are lifted.
const LASTING: &[&str] = &["not-in-channel", "no-permission", "role-deleted", "dm-closed"];
const TIMED: &[&str] = &["outage", "refused"];
/// Those that happen at once and leave nothing behind.
const AT_ONCE: &[&str] = &["reconnect", "invalid-session", "cut"];

/// The body of `POST /play/v1/faults`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plant {
    pub name: String,
    /// Only calls of this method; every method if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// An id or a name; `#ops` if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The code of the error, a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// By Discord's name, `SEND_MESSAGES`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    /// An id or a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// An id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
}

#[derive(Debug, Clone)]
struct Planted {
    plant: Plant,
    left: u32,
    until: Option<Instant>,
}

impl Planted {
    fn alive(&self) -> bool {
        self.left > 0 && self.until.is_none_or(|t| Instant::now() < t)
    }
}

#[derive(Debug, Default)]
pub struct Faults {
    planted: Vec<Planted>,
    /// How often each fault struck, so that a test can tell that it did.
    pub struck: Vec<String>,
}

/// What stands between the call and its method.
#[derive(Debug, PartialEq, Eq)]
pub enum Strike {
    RateLimited(u64),
    /// A code of Discord.
    Error(u32),
    Outage,
    Refused,
}

impl Faults {
    /// Accepts one fault. `Err` says which names exist.
    pub fn plant(&mut self, plant: Plant) -> Result<(), String> {
        if !NAMES.iter().any(|(name, _)| *name == plant.name) {
            let likeness = |n: &str| strsim::jaro_winkler(n, &plant.name);
            let near = NAMES.iter().map(|(n, _)| *n).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let all: Vec<&str> = NAMES.iter().map(|(n, _)| *n).collect();
            return Err(format!(
                "unknown fault `{}`: did you mean `{}`? known are {}",
                plant.name,
                near.unwrap_or_default(),
                all.join(", ")
            ));
        }
        if plant.name == "no-permission" && self.permission(&plant).is_none() {
            let all: Vec<&str> = permissions::NAMES.iter().map(|(n, _)| *n).collect();
            return Err(format!("`no-permission` takes a `permission`: {}", all.join(", ")));
        }
        for (name, given) in [("role-deleted", &plant.role), ("dm-closed", &plant.user)] {
            if plant.name == name && given.is_none() {
                let field = if name == "dm-closed" { "user" } else { "role" };
                return Err(format!("`{name}` needs to know which `{field}`"));
            }
        }
        if plant.name == "api-error" && plant.error.as_deref().is_none_or(|e| e.parse::<u32>().is_err()) {
            return Err("`api-error` takes a code of Discord as `error`, such as `50013`".to_owned());
        }
        let name = plant.name.as_str();
        let timed = TIMED.contains(&name);
        if AT_ONCE.contains(&name) {
            self.struck.push(name.to_owned());
            return Ok(());
        }
        self.planted.push(Planted {
            left: if timed || LASTING.contains(&name) { u32::MAX } else { plant.count.unwrap_or(1) },
            until: timed.then(|| Instant::now() + Duration::from_secs(plant.seconds.unwrap_or(5))),
            plant,
        });
        Ok(())
    }

    pub fn clear(&mut self) {
        self.planted.clear();
    }

    pub fn list(&self) -> Vec<Plant> {
        self.planted.iter().filter(|p| p.alive()).map(|p| p.plant.clone()).collect()
    }

    /// Uses up one count of the first living fault called `name` that `fits`.
    pub fn take(&mut self, name: &str, fits: impl Fn(&Plant) -> bool) -> Option<Plant> {
        let hit = self.planted.iter_mut().find(|p| p.plant.name == name && p.alive() && fits(&p.plant))?;
        if hit.left != u32::MAX {
            hit.left -= 1;
        }
        let plant = hit.plant.clone();
        self.struck.push(name.to_owned());
        self.planted.retain(Planted::alive);
        Some(plant)
    }

    fn standing<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Plant> {
        self.planted.iter().filter(move |p| p.plant.name == name && p.alive()).map(|p| &p.plant)
    }

    pub fn down(&self) -> bool {
        TIMED.iter().any(|name| self.standing(name).next().is_some())
    }

    /// The permissions that the bot has lost in this channel. A plant without a channel means `#ops`.
    pub fn taken_from_bot(&self, channel: &str) -> u64 {
        let here = |p: &&Plant| p.channel.as_deref().unwrap_or(OPS) == channel;
        let out = self.standing("not-in-channel").any(|p| here(&p));
        let lost = self.standing("no-permission").filter(here).filter_map(|p| self.permission(p));
        lost.fold(if out { u64::MAX } else { 0 }, |sum, bit| sum | bit)
    }

    fn permission(&self, plant: &Plant) -> Option<u64> {
        let wanted = plant.permission.as_deref()?;
        permissions::NAMES.iter().find(|(name, _)| *name == wanted).map(|(_, bit)| *bit)
    }

    pub fn role_is_deleted(&self, id: &str, name: &str) -> bool {
        self.standing("role-deleted").any(|p| p.role.as_deref().is_some_and(|r| r == id || r == name))
    }

    pub fn takes_no_messages(&self, user: &str) -> bool {
        self.standing("dm-closed").any(|p| p.user.as_deref() == Some(user))
    }

    /// How late the answer to this call comes.
    pub fn slow(&mut self, method: &str) -> Option<Duration> {
        let fits = |plant: &Plant| plant.method.as_deref().is_none_or(|m| m == method);
        self.take("slow", fits).map(|plant| Duration::from_millis(plant.milliseconds.unwrap_or(1000)))
    }

    /// Asked before every call.
    pub fn before(&mut self, method: &str) -> Option<Strike> {
        let fits = |plant: &Plant| plant.method.as_deref().is_none_or(|m| m == method);
        if self.take("refused", |_| true).is_some() {
            return Some(Strike::Refused);
        }
        if self.take("outage", |_| true).is_some() {
            return Some(Strike::Outage);
        }
        if let Some(plant) = self.take("rate-limited", fits) {
            return Some(Strike::RateLimited(plant.seconds.unwrap_or(1)));
        }
        let plant = self.take("api-error", fits)?;
        Some(Strike::Error(plant.error.and_then(|e| e.parse().ok()).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_wears_out() {
        let mut faults = Faults::default();
        let method = Some("messages.edit".to_owned());
        faults.plant(Plant { name: "rate-limited".into(), method, count: Some(2), ..Plant::default() }).unwrap();
        assert_eq!(faults.before("messages.create"), None);
        assert_eq!(faults.before("messages.edit"), Some(Strike::RateLimited(1)));
        assert_eq!(faults.before("messages.edit"), Some(Strike::RateLimited(1)));
        assert_eq!(faults.before("messages.edit"), None);
    }

    #[test]
    fn a_fault_that_does_not_fit_is_answered_with_what_is_missing() {
        let told = |plant: Plant| Faults::default().plant(plant).unwrap_err();
        let named = |name: &str| Plant { name: name.to_owned(), ..Plant::default() };
        assert!(told(named("swalowed-post")).contains("did you mean `swallowed-post`"));
        assert!(told(named("no-permission")).contains("SEND_MESSAGES"));
        assert!(told(named("dm-closed")).contains("`user`"));
        assert!(told(named("api-error")).contains("`50013`"));
    }
}
