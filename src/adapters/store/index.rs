//! The rules of the journal, and all that is needed to decide on a commit: heads, keys, what waits.
//!
//! It is kept in memory by every journal and is a fold of what is on the disk. A commit that is admitted changes
//! it at once and gives the writes that make the disk follow; if those fail the journal is over, so nothing is
//! ever taken back.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::Head;
use crate::domain::{Digest, RunId, Timestamp};
use crate::ports::{Commit, CommitError};

use super::record;

/// How long the key of an answered delivery is remembered. Slack gives up after an hour, Discord after 15 minutes.
const REMEMBERED_SECS: i64 = 24 * 3600;
/// Keys forgotten with one commit, so that a long pause does not make one commit slow.
const FORGOTTEN_AT_ONCE: usize = 64;

/// A delivery's key that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub at: Timestamp,
    /// Its place in the inbox; grows with every accepted delivery.
    pub arrival: u64,
    pub answered: bool,
}

#[derive(Debug)]
pub(super) struct Index {
    heads: BTreeMap<RunId, Head>,
    /// Where the facts of the whole installation end.
    facts: Head,
    seen: BTreeMap<Digest, Seen>,
    /// Keys by age, to forget the oldest.
    ages: BTreeSet<(Timestamp, Digest)>,
    next_arrival: u64,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            heads: BTreeMap::new(),
            facts: Head::EMPTY,
            seen: BTreeMap::new(),
            ages: BTreeSet::new(),
            next_arrival: 0,
        }
    }
}

/// A commit in bytes, made outside the journal's thread.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    events: Option<(RunId, u64, Vec<Vec<u8>>)>,
    facts: Option<(u64, Vec<Vec<u8>>)>,
    accept: Option<(Digest, Timestamp, Vec<u8>)>,
    answered: Vec<Digest>,
}

/// One change on the disk. Later ones replace earlier ones of the same key.
#[derive(Debug)]
pub(super) enum Write {
    Event(RunId, u64, Vec<u8>),
    Head(RunId, Head),
    Fact(u64, Vec<u8>),
    FactsHead(Head),
    Row(u64, Vec<u8>),
    RowGone(u64),
    Seen(Digest, Seen),
    Forgotten(Digest),
}

impl Prepared {
    pub fn new(commit: &Commit) -> Result<Self, CommitError> {
        let io = |e: serde_json::Error| CommitError::Io(e.to_string());
        let events = match &commit.events {
            None => None,
            Some((run, seq, events)) => {
                let bytes = events.iter().map(serde_json::to_vec).collect::<Result<Vec<_>, _>>().map_err(io)?;
                Some((*run, *seq, bytes))
            }
        };
        let facts = match &commit.facts {
            None => None,
            Some((seq, facts)) => {
                let bytes = facts.iter().map(serde_json::to_vec).collect::<Result<Vec<_>, _>>().map_err(io)?;
                Some((*seq, bytes))
            }
        };
        let accept = match &commit.accept {
            None => None,
            Some(row) => Some((key(&row.delivery.key), row.at, serde_json::to_vec(row).map_err(io)?)),
        };
        Ok(Prepared { events, facts, accept, answered: commit.answered.iter().map(|k| key(k)).collect() })
    }

    /// About how many bytes it will write.
    pub fn size(&self) -> usize {
        let events = self.events.iter().flat_map(|(_, _, events)| events).map(Vec::len).sum::<usize>();
        let facts = self.facts.iter().flat_map(|(_, facts)| facts).map(Vec::len).sum::<usize>();
        events + facts + self.accept.as_ref().map_or(0, |(_, _, row)| row.len()) + 64
    }
}

/// Platforms' keys are of any length; this has one.
fn key(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

impl Index {
    // From the disk, in any order.

    pub fn restore_head(&mut self, run: RunId, head: Head) {
        self.heads.insert(run, head);
    }
    pub fn restore_facts(&mut self, head: Head) {
        self.facts = head;
    }
    pub fn restore_seen(&mut self, key: Digest, seen: Seen) {
        self.next_arrival = self.next_arrival.max(seen.arrival + 1);
        self.ages.insert((seen.at, key));
        self.seen.insert(key, seen);
    }

    pub fn head(&self, run: RunId) -> Head {
        self.heads.get(&run).copied().unwrap_or(Head::EMPTY)
    }
    pub fn facts(&self) -> Head {
        self.facts
    }
    /// Newest first.
    pub fn runs(&self) -> Vec<RunId> {
        self.heads.keys().rev().copied().collect()
    }
    pub fn heads(&self) -> &BTreeMap<RunId, Head> {
        &self.heads
    }

    /// Decides on one commit: all of it, or nothing.
    pub fn admit(&mut self, commit: Prepared) -> Result<Vec<Write>, CommitError> {
        let Prepared { events, facts, accept, answered } = commit;
        // Every refusal first, so that nothing is half admitted.
        if let Some((key, at, _)) = &accept {
            self.check_new(key, *at)?;
        }
        if let Some((run, seq, _)) = &events {
            let at = self.head(*run).next;
            if at != *seq {
                return Err(CommitError::Conflict { at });
            }
        }
        if let Some((seq, _)) = &facts
            && self.facts.next != *seq
        {
            return Err(CommitError::Conflict { at: self.facts.next });
        }
        let mut writes = Vec::new();
        if let Some((_, facts)) = facts.filter(|(_, facts)| !facts.is_empty()) {
            for fact in facts {
                let (bytes, after) = record::encode(&self.facts, &fact);
                writes.push(Write::Fact(self.facts.next, bytes));
                self.facts = after;
            }
            writes.push(Write::FactsHead(self.facts));
        }
        if let Some((run, _, events)) = events.filter(|(_, _, events)| !events.is_empty()) {
            let mut head = self.head(run);
            for event in events {
                let (bytes, after) = record::encode(&head, &event);
                writes.push(Write::Event(run, head.next, bytes));
                head = after;
            }
            self.heads.insert(run, head);
            writes.push(Write::Head(run, head));
        }
        if let Some((key, at, row)) = accept {
            let seen = Seen { at, arrival: self.next_arrival, answered: false };
            self.restore_seen(key, seen);
            writes.push(Write::Seen(key, seen));
            writes.push(Write::Row(seen.arrival, row));
            self.forget(at, &mut writes);
        }
        for key in answered {
            if let Some(seen) = self.seen.get_mut(&key).filter(|seen| !seen.answered) {
                seen.answered = true;
                writes.push(Write::Seen(key, *seen));
                writes.push(Write::RowGone(seen.arrival));
            }
        }
        Ok(writes)
    }

    fn check_new(&self, key: &Digest, now: Timestamp) -> Result<(), CommitError> {
        match self.seen.get(key) {
            Some(seen) if !seen.answered || !is_old(seen.at, now) => Err(CommitError::Duplicate),
            _ => Ok(()),
        }
    }

    /// Drops keys that are old enough. What has had no answer stays.
    fn forget(&mut self, now: Timestamp, writes: &mut Vec<Write>) {
        let waits = |key: &Digest| self.seen.get(key).is_some_and(|seen| !seen.answered);
        let old = self.ages.iter().take_while(|(at, _)| is_old(*at, now)).filter(|(_, key)| !waits(key));
        let old: Vec<(Timestamp, Digest)> = old.take(FORGOTTEN_AT_ONCE).copied().collect();
        for (at, key) in old {
            self.ages.remove(&(at, key));
            // A key that was taken up again since is younger than this.
            if self.seen.get(&key).is_some_and(|seen| seen.at == at) {
                self.seen.remove(&key);
                writes.push(Write::Forgotten(key));
            }
        }
    }
}

fn is_old(at: Timestamp, now: Timestamp) -> bool {
    now.as_second() - at.as_second() > REMEMBERED_SECS
}
