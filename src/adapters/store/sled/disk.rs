//! sled 0.34.7, hardened. Each measure answers a fault that was measured or reported:
//!
//! - its `flush` syncs a file range and not the file's length, so a power cut loses what it called durable:
//!   an `fdatasync` of the `db` file follows every flush;
//! - a `snap.*.generating` left by a kill makes every later open fail (sled#1527): removed before opening;
//! - values beyond a quarter segment go to files that are never synced: 8 MiB segments, values of at most 60 KiB;
//! - open may panic on a damaged file: the caller catches it;
//! - after a failed sync the kernel may call lost pages clean: the caller stops for good.
//!
//! Trees: `events` (run, number, chunk), `heads` (run), `facts` (number, chunk), `inbox` (arrival, chunk), `seen` (key),
//! `meta` (the format, and the head of the facts).

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::sled::transaction::{ConflictableTransactionError, TransactionError, Transactional as _};
use ::sled::{Config, Db, Tree};

use crate::adapters::store::index::{Index, Seen, Write};
use crate::adapters::store::{OpenError, private};
use crate::audit::Head;
use crate::domain::{Digest, RunId, Timestamp};

/// Cannot be changed later: it is stored with the database, and another value does not open it.
const SEGMENT: usize = 8 << 20;
/// Page cache. The database itself is small: outputs lie beside it.
const CACHE: u64 = 64 << 20;
/// Longest value. A leaf holds up to 16 of them and has to stay below a quarter segment.
const CHUNK: usize = 60 << 10;
/// Of the trees and their keys.
const FORMAT: &str = "1";

/// In `meta`. Stores of before there were facts have none, and no facts either.
const FACTS_HEAD: &str = "facts.head";

/// How long sled may still hold the lock of a journal that was just closed.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Stands in the store's folder once the journal has been opened: from then on an empty one is a lost one.
const MADE: &str = "journal.made";

/// Fields are dropped in this order: the lock last.
pub(super) struct Disk {
    events: Tree,
    heads: Tree,
    facts: Tree,
    meta: Tree,
    inbox: Tree,
    seen: Tree,
    db: Db,
    /// The file that sled writes; a second descriptor is enough to sync it.
    file: File,
    _lock: File,
}

impl Disk {
    /// Opens the journal, with what it holds, and the key of tokens.
    pub fn open(store: &Path) -> Result<(Self, Index, [u8; 32]), OpenError> {
        let unusable = |e: io::Error| OpenError::Io { path: store.to_owned(), cause: e.to_string() };
        private::make_dir(store).map_err(unusable)?;
        let lock = lock(store)?;
        let token_key = token_key(store).map_err(unusable)?;
        let dir = store.join("journal");
        let damaged = |cause: String| OpenError::Damaged { path: dir.clone(), cause };
        private::make_dir(&dir).and_then(|()| remove_torn_snapshots(&dir)).map_err(unusable)?;
        let db = open_db(&dir).map_err(|e| damaged(e.to_string()))?;
        let tree = |name: &str| db.open_tree(name).map_err(|e| damaged(e.to_string()));
        let meta = tree("meta")?;
        let (events, heads, inbox, seen) = (tree("events")?, tree("heads")?, tree("inbox")?, tree("seen")?);
        let facts = tree("facts")?;
        match meta.get("format").map_err(|e| damaged(e.to_string()))? {
            Some(found) if found == FORMAT.as_bytes() => {}
            Some(found) => {
                let found = format!("format {}", String::from_utf8_lossy(&found));
                return Err(OpenError::Later { path: dir, found });
            }
            // sled takes a file of zeros for a new one. Starting again from nothing would send things twice.
            None if store.join(MADE).exists() => {
                return Err(damaged("it is empty, though it was in use before".into()));
            }
            None => drop(meta.insert("format", FORMAT).map_err(|e| damaged(e.to_string()))?),
        }
        db.flush().map_err(|e| damaged(e.to_string()))?;
        for name in ["db", "conf", "."] {
            File::open(dir.join(name)).and_then(|f| f.sync_all()).map_err(unusable)?;
        }
        private::sync_dir(store).map_err(unusable)?;
        if !store.join(MADE).exists() {
            private::open(&store.join(MADE)).and_then(|f| f.sync_all()).map_err(unusable)?;
            private::sync_dir(store).map_err(unusable)?;
        }
        let file = File::open(dir.join("db")).map_err(unusable)?;
        let disk = Disk { events, heads, facts, meta, inbox, seen, db, file, _lock: lock };
        let index = disk.index().map_err(damaged)?;
        Ok((disk, index, token_key))
    }

    fn index(&self) -> Result<Index, String> {
        let mut index = Index::default();
        for entry in &self.heads {
            let (key, value) = entry.map_err(|e| e.to_string())?;
            let run = run_of(&key).ok_or("a head has no run")?;
            index.restore_head(run, head_of(&value).ok_or("a head is damaged")?);
        }
        if let Some(value) = self.meta.get(FACTS_HEAD).map_err(|e| e.to_string())? {
            index.restore_facts(head_of(&value).ok_or("the head of the facts is damaged")?);
        }
        for entry in &self.seen {
            let (key, value) = entry.map_err(|e| e.to_string())?;
            let key: [u8; 32] = key.as_ref().try_into().map_err(|_| "a seen key is damaged")?;
            index.restore_seen(Digest::from_bytes(key), seen_of(&value).ok_or("a seen key is damaged")?);
        }
        Ok(index)
    }

    /// All of it in one transaction, durable when it returns.
    pub fn write(&self, writes: &[Write]) -> Result<(), String> {
        let trees = (&self.events, &self.heads, &self.facts, &self.meta, &self.inbox, &self.seen);
        let done = trees.transaction(|(events, heads, facts, meta, inbox, seen)| {
            for write in writes {
                match write {
                    Write::Event(run, seq, record) => {
                        for (key, chunk) in chunks(&event_key(*run, *seq), record) {
                            events.insert(key, chunk)?;
                        }
                    }
                    Write::Head(run, head) => drop(heads.insert(&run.0.to_bytes(), head_bytes(head))?),
                    Write::Fact(seq, record) => {
                        for (key, chunk) in chunks(&seq.to_be_bytes(), record) {
                            facts.insert(key, chunk)?;
                        }
                    }
                    Write::FactsHead(head) => drop(meta.insert(FACTS_HEAD, head_bytes(head))?),
                    Write::Row(arrival, row) => {
                        for (key, chunk) in chunks(&arrival.to_be_bytes(), row) {
                            inbox.insert(key, chunk)?;
                        }
                    }
                    Write::RowGone(arrival) => {
                        // Chunks are numbered without gaps, so the first that is missing ends the row.
                        for number in 0u32.. {
                            if inbox.remove(chunk_key(&arrival.to_be_bytes(), number))?.is_none() {
                                break;
                            }
                        }
                    }
                    Write::Seen(key, value) => drop(seen.insert(key.bytes(), seen_bytes(value))?),
                    Write::Forgotten(key) => drop(seen.remove(key.bytes())?),
                }
            }
            Ok::<(), ConflictableTransactionError<String>>(())
        });
        done.map_err(|e| match e {
            TransactionError::Abort(cause) => cause,
            TransactionError::Storage(e) => e.to_string(),
        })?;
        self.db.flush().map_err(|e| e.to_string())?;
        self.file.sync_data().map_err(|e| format!("fdatasync: {e}"))
    }

    /// The records of one run in order.
    pub fn records(&self, run: RunId) -> Result<Vec<Vec<u8>>, String> {
        joined(self.events.scan_prefix(run.0.to_bytes()))
    }

    /// The records of the facts in order.
    pub fn facts(&self) -> Result<Vec<Vec<u8>>, String> {
        joined(self.facts.iter())
    }

    /// The rows of the inbox, oldest first.
    pub fn rows(&self) -> Result<Vec<Vec<u8>>, String> {
        joined(self.inbox.iter())
    }
}

/// A thread of sled's own lets go of sled's lock a moment after the last handle was dropped. Our lock is held by now, so
/// nobody else can have it, and it is worth a little patience.
fn open_db(dir: &Path) -> Result<Db, ::sled::Error> {
    let config = Config::new().path(dir).segment_size(SEGMENT).flush_every_ms(None).cache_capacity(CACHE);
    let began = Instant::now();
    loop {
        match config.open() {
            Err(::sled::Error::Io(e))
                if e.to_string().contains("could not acquire lock") && began.elapsed() < LOCK_PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            opened => return opened,
        }
    }
}

/// One process for one store. sled locks its file too, but says so less clearly and guards only its own folder.
fn lock(store: &Path) -> Result<File, OpenError> {
    let unusable = |e: io::Error| OpenError::Io { path: store.to_owned(), cause: e.to_string() };
    let lock = private::open(&store.join("lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Busy(store.to_owned())),
        Err(TryLockError::Error(e)) => Err(unusable(e)),
    }
}

/// The key that tokens are signed with: random from the operating system, made once.
fn token_key(store: &Path) -> io::Result<[u8; 32]> {
    let path = store.join("token.key");
    match fs::read(&path) {
        Ok(bytes) => {
            private::tighten_file(&path)?;
            let length = bytes.len();
            bytes.try_into().map_err(|_| {
                io::Error::other(format!("`token.key` has {length} bytes instead of 32; put back its last good copy"))
            })
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let key: [u8; 32] = rand::random();
            let draft: PathBuf = store.join("token.key.draft");
            if draft.exists() {
                fs::remove_file(&draft)?;
            }
            private::write(&draft, &path, &key)?;
            Ok(key)
        }
        Err(e) => Err(e),
    }
}

fn remove_torn_snapshots(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn event_key(run: RunId, seq: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&run.0.to_bytes());
    key[16..].copy_from_slice(&seq.to_be_bytes());
    key
}
fn chunk_key(key: &[u8], number: u32) -> Vec<u8> {
    [key, &number.to_be_bytes()].concat()
}
fn chunks<'a>(key: &'a [u8], value: &'a [u8]) -> impl Iterator<Item = (Vec<u8>, &'a [u8])> {
    (0u32..).zip(value.chunks(CHUNK)).map(move |(number, chunk)| (chunk_key(key, number), chunk))
}

/// Puts chunks together again: keys that are equal but for their last four bytes are one value.
fn joined(entries: ::sled::Iter) -> Result<Vec<Vec<u8>>, String> {
    let mut values: Vec<Vec<u8>> = Vec::new();
    let mut last: Option<Vec<u8>> = None;
    for entry in entries {
        let (key, chunk) = entry.map_err(|e| e.to_string())?;
        let whole = key.get(..key.len().saturating_sub(4)).unwrap_or_default();
        match values.last_mut() {
            Some(value) if last.as_deref() == Some(whole) => value.extend_from_slice(&chunk),
            _ => {
                values.push(chunk.to_vec());
                last = Some(whole.to_vec());
            }
        }
    }
    Ok(values)
}

fn run_of(key: &[u8]) -> Option<RunId> {
    Some(RunId(ulid::Ulid::from_bytes(key.try_into().ok()?)))
}
fn head_bytes(head: &Head) -> Vec<u8> {
    [head.next.to_be_bytes().as_slice(), head.hash.bytes()].concat()
}
fn head_of(value: &[u8]) -> Option<Head> {
    let (next, hash) = value.split_first_chunk::<8>()?;
    Some(Head { next: u64::from_be_bytes(*next), hash: Digest::from_bytes(hash.try_into().ok()?) })
}
fn seen_bytes(seen: &Seen) -> Vec<u8> {
    let at = seen.at.as_millisecond().to_be_bytes();
    [at.as_slice(), &seen.arrival.to_be_bytes(), &[u8::from(seen.answered)]].concat()
}
fn seen_of(value: &[u8]) -> Option<Seen> {
    let (at, rest) = value.split_first_chunk::<8>()?;
    let (arrival, answered) = rest.split_first_chunk::<8>()?;
    let at = Timestamp::from_millisecond(i64::from_be_bytes(*at)).ok()?;
    Some(Seen { at, arrival: u64::from_be_bytes(*arrival), answered: *answered.first()? == 1 })
}
