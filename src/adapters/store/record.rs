//! How one event is kept: JSON of the stored event with its place in the hash chain, and a format version.
//!
//! The hash covers the event's bytes exactly as they stand in the record, so that a later version of the types
//! cannot change what an old record hashes to.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::audit::{Head, Link, verify};
use crate::domain::{Digest, RunId};
use crate::ports::{InboxRow, JournalError, Stored, StoredEvent, StoredFact};

/// Format of the record. An unknown one is refused: guessing at facts is worse than stopping.
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Header {
    v: u32,
    seq: u64,
    prev: Digest,
    hash: Digest,
    #[serde(rename = "event")]
    _event: IgnoredAny,
}

fn prefix(seq: u64, prev: &Digest, hash: &Digest) -> String {
    format!(r#"{{"v":{VERSION},"seq":{seq},"prev":"{prev}","hash":"{hash}","event":"#)
}

/// The record of an event that follows `head`, and the head after it.
pub(super) fn encode(head: &Head, event: &[u8]) -> (Vec<u8>, Head) {
    let after = head.after(event);
    let mut record = prefix(head.next, &head.hash, &after.hash).into_bytes();
    record.extend_from_slice(event);
    record.push(b'}');
    (record, after)
}

/// Reads a run's records back and checks the whole chain.
pub(super) fn decode(run: RunId, records: &[Vec<u8>], head: &Head) -> Result<Vec<StoredEvent>, JournalError> {
    chained(records, head).map_err(|(seq, what)| JournalError::Damaged { run, seq, what })
}

/// The same of the facts of the whole installation.
pub(super) fn facts(records: &[Vec<u8>], head: &Head) -> Result<Vec<StoredFact>, JournalError> {
    chained(records, head).map_err(|(seq, what)| JournalError::DamagedFacts { seq, what })
}

/// Where it is damaged, and how, if it is.
fn chained<E: DeserializeOwned>(records: &[Vec<u8>], head: &Head) -> Result<Vec<Stored<E>>, (u64, String)> {
    let mut links = Vec::with_capacity(records.len());
    for (at, record) in (0..).zip(records) {
        links.push(link(record).map_err(|what| (at, what))?);
    }
    verify(links.iter().copied(), head).map_err(|broken| (broken.seq, broken.what.to_string()))?;
    links
        .into_iter()
        .map(|Link { seq, prev, hash, event }| match serde_json::from_slice(event) {
            Ok(event) => Ok(Stored { seq, prev, hash, event }),
            // The chain is whole, so the bytes are as they were written: by a later version.
            Err(e) => Err((seq, format!("this version does not know the event ({e})"))),
        })
        .collect()
}

fn link(record: &[u8]) -> Result<Link<'_>, String> {
    let header: Header = serde_json::from_slice(record).map_err(|e| format!("it is not a record ({e})"))?;
    let Header { v, seq, prev, hash, _event } = header;
    if v != VERSION {
        return Err(format!("it has format {v}, this version knows {VERSION}"));
    }
    let event = record.strip_prefix(prefix(seq, &prev, &hash).as_bytes()).and_then(|rest| rest.strip_suffix(b"}"));
    let event = event.ok_or("its content was altered after it was written")?;
    Ok(Link { seq, prev, hash, event })
}

/// Reads an inbox row back.
pub(super) fn row(bytes: &[u8]) -> Result<InboxRow, JournalError> {
    serde_json::from_slice(bytes).map_err(|e| JournalError::Io(format!("an inbox row is damaged ({e})")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::run::Event;

    fn run() -> RunId {
        RunId(ulid::Ulid(7))
    }
    fn written() -> (Vec<Vec<u8>>, Head) {
        let events = [Event::Started { at: Timestamp::UNIX_EPOCH }, Event::Finished { at: Timestamp::UNIX_EPOCH }];
        let mut head = Head::EMPTY;
        let mut records = Vec::new();
        for event in &events {
            let (record, after) = encode(&head, &serde_json::to_vec(event).unwrap());
            records.push(record);
            head = after;
        }
        (records, head)
    }
    fn what(result: Result<Vec<StoredEvent>, JournalError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_record_is_json_of_the_stored_event() {
        let (records, head) = written();
        let read = decode(run(), &records, &head).unwrap();
        for (record, event) in records.iter().zip(&read) {
            assert_eq!(&serde_json::from_slice::<StoredEvent>(record).unwrap(), event);
        }
        // The hash was computed with other tools: `sha256sum` over 32 zero bytes and the event's text.
        insta::assert_snapshot!(String::from_utf8_lossy(&records[0]), @r#"{"v":1,"seq":0,"prev":"0000000000000000000000000000000000000000000000000000000000000000","hash":"6c1f9e5031415696e0bda39b508241bbd43a4e7708b578c98c7d040f7b5ac0d6","event":{"event":"started","at":"1970-01-01T00:00:00Z"}}"#);
    }

    #[test]
    fn no_byte_of_a_record_can_change_unnoticed() {
        let (records, head) = written();
        for (i, record) in records.iter().enumerate() {
            for at in 0..record.len() {
                for bit in 0..8 {
                    let mut damaged = records.clone();
                    damaged[i][at] ^= 1 << bit;
                    assert!(decode(run(), &damaged, &head).is_err(), "record {i}, byte {at}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_later_format_and_an_unknown_event_are_damage() {
        let (records, head) = written();
        let later = [String::from_utf8_lossy(&records[0]).replacen("\"v\":1", "\"v\":2", 1).into_bytes()];
        assert!(what(decode(run(), &later, &head)).contains("it has format 2, this version knows 1"));
        let (record, head) = encode(&Head::EMPTY, br#"{"event":"teleported"}"#);
        assert!(what(decode(run(), &[record], &head)).contains("this version does not know the event"));
    }
}
