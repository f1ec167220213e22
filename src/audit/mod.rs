//! The hash chain that makes the journal tamper-evident: any record flipped, removed, moved or cut off is found.
//!
//! A chain by itself cannot show that its end is missing, so its head is kept apart ([`Head`]), and a
//! [`Checkpoint`] covers the heads of all runs, and of the facts of the whole installation, with one digest that can be
//! noted somewhere else.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::{Digest, RunId, Timestamp};

/// What the first event of a run follows: 32 zero bytes.
pub const GENESIS: Digest = Digest::from_bytes([0; 32]);

/// SHA-256 over the previous hash and the event's bytes exactly as they are stored.
#[must_use]
pub fn chain(prev: &Digest, event: &[u8]) -> Digest {
    let hasher = Sha256::new().chain_update(prev.bytes()).chain_update(event);
    Digest::from_bytes(hasher.finalize().into())
}

/// One stored event as the chain sees it.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// From 0, without gaps.
    pub seq: u64,
    pub prev: Digest,
    pub hash: Digest,
    pub event: &'a [u8],
}

/// Where a run's chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of events, and so the sequence number that the next one gets.
    pub next: u64,
    /// Hash of the last event; [`GENESIS`] where there is none.
    pub hash: Digest,
}

impl Head {
    pub const EMPTY: Head = Head { next: 0, hash: GENESIS };

    fn empty() -> Head {
        Head::EMPTY
    }

    /// A chain that ended at `then` can have grown to this one. Whether it has is for [`verify`] to say.
    fn may_follow(&self, then: &Head) -> bool {
        self.next > then.next || self == then
    }

    /// The head after one more event.
    #[must_use]
    pub fn after(&self, event: &[u8]) -> Head {
        Head { next: self.next + 1, hash: chain(&self.hash, event) }
    }
}

/// Where a chain is broken, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq}: {what}")]
pub struct Broken {
    pub seq: u64,
    pub what: Breach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// Another sequence number stands where this one should.
    OutOfOrder,
    /// It does not follow the event before it.
    Unlinked,
    /// Its bytes do not have its hash.
    Altered,
    /// Events are missing at the end, or the last is not the one that was written last.
    CutOff,
    /// There are events after the head.
    BeyondHead,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Breach::OutOfOrder => "an event is missing or out of order here",
            Breach::Unlinked => "it does not follow the event before it",
            Breach::Altered => "its content was altered after it was written",
            Breach::CutOff => "events are missing at the end",
            Breach::BeyondHead => "there are more events than were written",
        })
    }
}

/// Checks a whole run against the head that was kept for it.
///
/// # Errors
/// The first place at which it is broken.
pub fn verify<'a>(links: impl IntoIterator<Item = Link<'a>>, head: &Head) -> Result<(), Broken> {
    let mut at = Head::EMPTY;
    for link in links {
        let broken = |what| Err(Broken { seq: at.next, what });
        if at.next == head.next {
            return broken(Breach::BeyondHead);
        }
        if link.seq != at.next {
            return broken(Breach::OutOfOrder);
        }
        if link.prev != at.hash {
            return broken(Breach::Unlinked);
        }
        let next = at.after(link.event);
        if link.hash != next.hash {
            return broken(Breach::Altered);
        }
        at = next;
    }
    if at == *head { Ok(()) } else { Err(Broken { seq: at.next, what: Breach::CutOff }) }
}

/// The heads of all runs, and of the facts of the whole installation, at one moment. Noted outside the store, its digest
/// proves later that none of them was changed, shortened or removed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Format version of what the digest covers.
    pub version: u32,
    pub at: Timestamp,
    pub heads: BTreeMap<RunId, Head>,
    /// Of who halted everything and who resumed. Checkpoints of version 1 do not cover it.
    #[serde(default = "Head::empty")]
    pub facts: Head,
}

impl Checkpoint {
    pub const VERSION: u32 = 2;

    #[must_use]
    pub fn new(at: Timestamp, heads: BTreeMap<RunId, Head>, facts: Head) -> Self {
        Checkpoint { version: Self::VERSION, at, heads, facts }
    }

    /// SHA-256 over one line each: `muster checkpoint 2`, the time, `facts <number of facts> <hash>`, then
    /// `<run> <number of events> <hash>` in the order of the runs; version 1 has no line of the facts. Plain text, so that
    /// anybody can compute it with standard tools.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut text = format!("muster checkpoint {}\n{}\n", self.version, self.at);
        if self.version > 1 {
            text.push_str(&format!("facts {} {}\n", self.facts.next, self.facts.hash));
        }
        for (run, head) in &self.heads {
            text.push_str(&format!("{run} {} {}\n", head.next, head.hash));
        }
        Digest::of(text.as_bytes())
    }

    /// Runs of this checkpoint that `now` no longer holds as they were: gone, or shorter. Runs may have grown;
    /// that a grown run still contains this head is for [`verify`] over its first `next` events.
    #[must_use]
    pub fn lost(&self, now: &BTreeMap<RunId, Head>) -> Vec<RunId> {
        let lost = |(run, then): &(&RunId, &Head)| now.get(run).is_none_or(|head| !head.may_follow(then));
        self.heads.iter().filter(lost).map(|(run, _)| *run).collect()
    }

    /// The facts of the whole installation that `now` is the head of are not those of this checkpoint, or fewer.
    #[must_use]
    pub fn lost_facts(&self, now: &Head) -> bool {
        self.version > 1 && !now.may_follow(&self.facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An owned link, to be damaged.
    #[derive(Debug, Clone, PartialEq)]
    struct Record {
        seq: u64,
        prev: Digest,
        hash: Digest,
        event: Vec<u8>,
    }

    fn written(events: &[Vec<u8>]) -> (Vec<Record>, Head) {
        let mut head = Head::EMPTY;
        let mut records = Vec::new();
        for event in events {
            let next = head.after(event);
            records.push(Record { seq: head.next, prev: head.hash, hash: next.hash, event: event.clone() });
            head = next;
        }
        (records, head)
    }
    fn check(records: &[Record], head: &Head) -> Result<(), Broken> {
        let links = records.iter().map(|r| Link { seq: r.seq, prev: r.prev, hash: r.hash, event: &r.event });
        verify(links, head)
    }

    proptest! {
        #[test]
        fn any_damage_to_any_record_is_found(
            events in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 1..8),
            pick: prop::sample::Index, other: prop::sample::Index, bit in 0u8..8, how in 0..7,
        ) {
            let (good, head) = written(&events);
            prop_assert_eq!(check(&good, &head), Ok(()));
            let mut bad = good.clone();
            let (i, j) = (pick.index(bad.len()), other.index(bad.len()));
            match how {
                0 => { let k = other.index(bad[i].event.len()); bad[i].event[k] ^= 1 << bit; }
                1 => { bad.remove(i); }
                2 => bad.swap(i, j),
                3 => bad.truncate(i),
                4 => { let copy = bad[i].clone(); bad.insert(j, copy); }
                5 => { bad[i].seq ^= 1 << bit; }
                _ => { bad[i].event.push(b' '); }
            }
            if bad != good {
                prop_assert!(check(&bad, &head).is_err());
            }
        }

        #[test]
        fn a_history_rewritten_with_fitting_hashes_does_not_fit_its_head(
            events in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 1..8),
            pick: prop::sample::Index,
        ) {
            let (_, head) = written(&events);
            let mut forged = events.clone();
            let i = pick.index(forged.len());
            forged[i].push(0);
            let (records, _) = written(&forged);
            prop_assert!(check(&records, &head).is_err());
        }
    }

    #[test]
    fn the_place_and_the_kind_of_damage_are_named() {
        let (good, head) = written(&[b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]);
        let damaged = |change: fn(&mut Vec<Record>)| {
            let mut records = good.clone();
            change(&mut records);
            check(&records, &head).unwrap_err().to_string()
        };
        assert_eq!(damaged(|r| r[1].event[0] = b'x'), "event 1: its content was altered after it was written");
        assert_eq!(damaged(|r| drop(r.remove(1))), "event 1: an event is missing or out of order here");
        assert_eq!(damaged(|r| r.truncate(2)), "event 2: events are missing at the end");
        assert_eq!(damaged(|r| r[2].prev = GENESIS), "event 2: it does not follow the event before it");
        assert_eq!(damaged(|r| r.push(r[2].clone())), "event 3: there are more events than were written");
    }

    #[test]
    fn a_checkpoint_finds_runs_that_went_missing_or_shrank() {
        let run = |n: u128| RunId(ulid::Ulid(n));
        let head = |next, byte| Head { next, hash: Digest::from_bytes([byte; 32]) };
        let then =
            BTreeMap::from([(run(1), head(3, 1)), (run(2), head(3, 2)), (run(3), head(1, 3)), (run(4), head(2, 4))]);
        let checkpoint = Checkpoint::new(Timestamp::UNIX_EPOCH, then.clone(), head(1, 9));
        assert_eq!(checkpoint.lost(&then), []);
        let now = BTreeMap::from([(run(1), head(9, 7)), (run(2), head(2, 2)), (run(4), head(2, 5))]);
        assert_eq!(checkpoint.lost(&now), [run(2), run(3), run(4)]);
        let mut other = then;
        other.insert(run(5), head(1, 1));
        assert_ne!(Checkpoint::new(Timestamp::UNIX_EPOCH, other, head(1, 9)).digest(), checkpoint.digest());
    }

    #[test]
    fn a_checkpoint_finds_that_a_halt_was_taken_out_and_one_of_before_there_were_any_stays_readable() {
        let head = |next, byte| Head { next, hash: Digest::from_bytes([byte; 32]) };
        let checkpoint = Checkpoint::new(Timestamp::UNIX_EPOCH, BTreeMap::new(), head(2, 7));
        let lost = [head(2, 7), head(3, 8), head(2, 8), head(1, 7), Head::EMPTY].map(|now| checkpoint.lost_facts(&now));
        assert_eq!(lost, [false, false, true, true, true]);
        let other = Checkpoint::new(Timestamp::UNIX_EPOCH, BTreeMap::new(), head(1, 7));
        assert_ne!(other.digest(), checkpoint.digest());
        let old: Checkpoint = serde_json::from_str(r#"{"version":1,"at":"1970-01-01T00:00:00Z","heads":{}}"#).unwrap();
        // `printf 'muster checkpoint 1\n1970-01-01T00:00:00Z\n' | sha256sum`
        assert_eq!(old.digest(), Digest::of(b"muster checkpoint 1\n1970-01-01T00:00:00Z\n"));
        assert!(!old.lost_facts(&Head::EMPTY) && !old.lost_facts(&head(1, 1)));
    }
}
