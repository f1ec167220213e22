//! Everything halted, or not: facts of the whole installation, which no run owns, and what they fold to.
//!
//! While it is halted nothing new is sent and no run starts; what was sent goes on. As pure as a run: a wish and the state
//! make at most one fact, and the facts make the state.

use serde::{Deserialize, Serialize};

use crate::domain::{Principal, RunId, Timestamp};

/// One fact of the whole installation. The wire form is tagged by `event`, as a run's; a new meaning gets a new name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Fact {
    /// From here on nothing new is sent.
    Halted {
        by: Principal,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// The id of the input that it answers; an order from the host has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<RunId>,
        at: Timestamp,
    },
    /// The reason, told afterwards: who halts in a hurry types none.
    Explained {
        by: Principal,
        why: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<RunId>,
        at: Timestamp,
    },
    Resumed {
        by: Principal,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<RunId>,
        at: Timestamp,
    },
}

impl Fact {
    #[must_use]
    pub fn by(&self) -> &Principal {
        match self {
            Fact::Halted { by, .. } | Fact::Explained { by, .. } | Fact::Resumed { by, .. } => by,
        }
    }
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Fact::Halted { at, .. } | Fact::Explained { at, .. } | Fact::Resumed { at, .. } => *at,
        }
    }
    /// The input that it answers: an input makes one fact, however often it is worked on.
    #[must_use]
    pub fn input(&self) -> Option<RunId> {
        match self {
            Fact::Halted { input, .. } | Fact::Explained { input, .. } | Fact::Resumed { input, .. } => *input,
        }
    }
}

/// Everything is halted: by whom, since when, and why where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    pub by: Principal,
    pub at: Timestamp,
    pub why: Option<String>,
}

/// What somebody who may asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub by: Principal,
    pub what: Want,
    /// The id of the input that asks for it.
    pub input: Option<RunId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    Halt { why: Option<String> },
    Resume,
}

/// The fact that the wish makes at `now`; `None` where it is so already.
#[must_use]
pub fn decide(halt: Option<&Halt>, wish: &Wish, now: Timestamp) -> Option<Fact> {
    let (by, input, at) = (wish.by.clone(), wish.input, now);
    match (halt, &wish.what) {
        (None, Want::Halt { why }) => Some(Fact::Halted { by, why: why.clone(), input, at }),
        (Some(halt), Want::Halt { why: Some(why) }) if halt.why.as_ref() != Some(why) => {
            Some(Fact::Explained { by, why: why.clone(), input, at })
        }
        (Some(_), Want::Resume) => Some(Fact::Resumed { by, input, at }),
        (Some(_), Want::Halt { .. }) | (None, Want::Resume) => None,
    }
}

/// What `halt` is after `fact`.
#[must_use]
pub fn evolve(halt: Option<Halt>, fact: &Fact) -> Option<Halt> {
    match (halt, fact) {
        (None, Fact::Halted { by, why, at, .. }) => Some(Halt { by: by.clone(), at: *at, why: why.clone() }),
        // Whoever was first stands.
        (Some(halt), Fact::Halted { .. }) => Some(halt),
        (Some(halt), Fact::Explained { why, .. }) => Some(Halt { why: Some(why.clone()), ..halt }),
        (None, Fact::Explained { .. }) | (_, Fact::Resumed { .. }) => None,
    }
}

/// What all facts, in their order, fold to.
#[must_use]
pub fn replay<'f>(facts: impl IntoIterator<Item = &'f Fact>) -> Option<Halt> {
    facts.into_iter().fold(None, evolve)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }
    fn susan() -> Principal {
        Principal::slack("T0MUSTER", "U0SUSAN")
    }
    fn root() -> Principal {
        Principal::host("ops-1", "root")
    }
    fn halted(why: Option<&str>) -> Halt {
        Halt { by: susan(), at: at(0), why: why.map(str::to_owned) }
    }
    fn wish(by: Principal, why: Option<&str>) -> Wish {
        Wish { by, what: Want::Halt { why: why.map(str::to_owned) }, input: None }
    }
    fn resume(by: Principal) -> Wish {
        Wish { by, what: Want::Resume, input: None }
    }
    fn asked() -> Option<RunId> {
        Some(RunId(ulid::Ulid::from_parts(1, 7)))
    }

    #[test]
    fn halting_twice_and_resuming_twice_make_no_second_fact() {
        let first = decide(None, &wish(susan(), None), at(0));
        assert_eq!(first, Some(Fact::Halted { by: susan(), why: None, input: None, at: at(0) }));
        assert_eq!(decide(Some(&halted(None)), &wish(root(), None), at(1)), None);
        let resumed = decide(Some(&halted(None)), &resume(root()), at(2));
        assert_eq!(resumed, Some(Fact::Resumed { by: root(), input: None, at: at(2) }));
        assert_eq!(decide(None, &resume(root()), at(3)), None);
    }

    #[test]
    fn a_reason_can_be_given_afterwards_and_whoever_was_first_stands() {
        let explained = decide(Some(&halted(None)), &wish(root(), Some("the array fails")), at(1));
        let explained = explained.expect("a fact");
        assert_eq!(evolve(Some(halted(None)), &explained), Some(halted(Some("the array fails"))));
        assert_eq!(decide(Some(&halted(Some("the array fails"))), &wish(root(), Some("the array fails")), at(2)), None);
        let again = Fact::Halted { by: root(), why: Some("mine".into()), input: None, at: at(3) };
        assert_eq!(evolve(Some(halted(None)), &again), Some(halted(None)));
    }

    #[test]
    fn what_was_halted_is_halted_until_somebody_resumes() {
        let halt = Fact::Halted { by: susan(), why: None, input: None, at: at(0) };
        let resume = Fact::Resumed { by: root(), input: None, at: at(1) };
        let late = Fact::Explained { by: susan(), why: "too late".into(), input: None, at: at(2) };
        assert_eq!(replay([]), None);
        assert_eq!(replay([&halt]), Some(halted(None)));
        assert_eq!(replay([&halt, &resume, &late]), None);
        assert_eq!(replay([&resume, &halt]), Some(halted(None)));
    }

    #[test]
    fn facts_are_written_as_events_of_runs_are() {
        let facts = [
            Fact::Halted { by: susan(), why: None, input: None, at: at(0) },
            Fact::Explained { by: root(), why: "the array fails".into(), input: None, at: at(1) },
            Fact::Resumed { by: root(), input: None, at: at(2) },
            Fact::Halted { by: susan(), why: None, input: asked(), at: at(3) },
            Fact::Explained { by: susan(), why: "the array fails".into(), input: asked(), at: at(4) },
            Fact::Resumed { by: susan(), input: asked(), at: at(5) },
        ];
        let lines: Vec<String> = facts.iter().map(|fact| serde_json::to_string(fact).unwrap()).collect();
        insta::assert_snapshot!(lines.join("\n"));
        for (fact, line) in facts.iter().zip(&lines) {
            assert_eq!(&serde_json::from_str::<Fact>(line).unwrap(), fact);
        }
    }
}
