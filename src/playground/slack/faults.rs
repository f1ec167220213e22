//! What goes wrong on request, at start (`--break NAME`) or by `POST /play/v1/faults`.
//!
//! Every fault imitates something that Slack or the network between really does. Counted faults wear out.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Every name with what it does; `--help` and a wrong name show this list.
pub const NAMES: &[(&str, &str)] = &[
    ("swallowed-post", "the next post into a thread is answered `ok` but never shown"),
    ("lost-post-answer", "the next post is shown, but the connection is cut before the answer"),
    ("rate-limited", "calls are refused with 429 and Retry-After (method, count, seconds)"),
    ("not-in-channel", "the bot is removed from a channel (channel)"),
    ("api-error", "calls fail with an error of Slack (method, error, count)"),
    ("outage", "503 for every call, sockets cut, for some seconds (seconds)"),
    ("refused", "connections are cut without an answer, sockets too, for some seconds (seconds)"),
    ("never-shared", "the next upload is answered `ok` but never shared"),
    ("drop-ack", "the next acknowledgement is lost on its way (count)"),
    ("deliver-twice", "the next envelope is delivered twice (count)"),
    ("delay", "the next envelope is late (milliseconds, count)"),
];

/// The body of `POST /play/v1/faults`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plant {
    pub name: String,
    /// Only calls of this method; every method if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
}

#[derive(Debug, Clone)]
pub struct Planted {
    pub plant: Plant,
    left: u32,
    until: Option<Instant>,
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
    Error(String),
    Outage,
    Refused,
}

impl Faults {
    /// Accepts one fault. `Err` says which names exist.
    pub fn plant(&mut self, plant: Plant) -> Result<(), String> {
        if !NAMES.iter().any(|(name, _)| *name == plant.name) {
            let near = NAMES
                .iter()
                .map(|(n, _)| *n)
                .max_by(|a, b| strsim::jaro_winkler(a, &plant.name).total_cmp(&strsim::jaro_winkler(b, &plant.name)));
            let all: Vec<&str> = NAMES.iter().map(|(n, _)| *n).collect();
            return Err(format!(
                "unknown fault `{}`: did you mean `{}`? known are {}",
                plant.name,
                near.unwrap_or_default(),
                all.join(", ")
            ));
        }
        let timed = matches!(plant.name.as_str(), "outage" | "refused");
        let lasting = timed || plant.name == "not-in-channel";
        self.planted.push(Planted {
            left: if lasting { u32::MAX } else { plant.count.unwrap_or(1) },
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

    pub fn down(&self) -> bool {
        self.planted.iter().any(|p| p.alive() && matches!(p.plant.name.as_str(), "outage" | "refused"))
    }

    /// Whether the bot was removed from `channel`. A plant without a channel means `C0OPS`.
    pub fn removed_from(&self, channel: &str) -> bool {
        self.planted
            .iter()
            .any(|p| p.plant.name == "not-in-channel" && p.plant.channel.as_deref().unwrap_or("C0OPS") == channel)
    }

    /// Asked before every Web API call.
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
        Some(Strike::Error(plant.error.unwrap_or_else(|| "internal_error".to_owned())))
    }
}

impl Planted {
    fn alive(&self) -> bool {
        self.left > 0 && self.until.is_none_or(|t| Instant::now() < t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_wears_out() {
        let mut faults = Faults::default();
        let method = Some("chat.update".to_owned());
        faults.plant(Plant { name: "rate-limited".into(), method, count: Some(2), ..Plant::default() }).unwrap();
        assert_eq!(faults.before("chat.postMessage"), None);
        assert_eq!(faults.before("chat.update"), Some(Strike::RateLimited(1)));
        assert_eq!(faults.before("chat.update"), Some(Strike::RateLimited(1)));
        assert_eq!(faults.before("chat.update"), None);
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest_one() {
        let fault = Faults::default().plant(Plant { name: "swalowed-post".into(), ..Plant::default() }).unwrap_err();
        assert!(fault.contains("did you mean `swallowed-post`"), "{fault}");
    }
}
