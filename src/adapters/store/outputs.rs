//! Outputs as files: `outputs/<run>/<digest>.gz`, each unique text once for a run.
//!
//! The journal holds the digests, so old runs' folders can be removed without breaking its chain. Every name is
//! made here, from a run id and a digest; nothing that came from a node becomes part of a path.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::domain::{Digest, RunId, Timestamp};
use crate::ports::{JournalError, Outputs};

use super::{OpenError, asked_before, private};

/// Longest text read back, in bytes. SSM shows at most 32,000 characters of a node; S3 outputs may be longer.
const LONGEST: u64 = 256 << 20;

/// Outputs in files below the store's folder.
#[derive(Debug, Clone)]
pub struct FileOutputs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    /// Names the next draft.
    drafts: AtomicU64,
}

impl FileOutputs {
    /// Opens the outputs of the store in this folder, and makes it where it is missing. Blocks on the disk.
    ///
    /// The journal of the same store has been opened before: its lock keeps a second process away.
    pub fn open(store: &Path) -> Result<Self, OpenError> {
        let dir = store.join("outputs");
        let shared = Shared { dir, drafts: AtomicU64::new(0) };
        shared.prepare().map_err(|e| OpenError::Io { path: shared.dir.clone(), cause: e.to_string() })?;
        Ok(FileOutputs { shared: Arc::new(shared) })
    }
}

impl Shared {
    fn prepare(&self) -> io::Result<()> {
        private::make_dir(&self.dir)?;
        // Drafts of a process that ended while it wrote.
        let drafts = self.dir.join("drafts");
        if drafts.exists() {
            fs::remove_dir_all(&drafts)?;
        }
        private::make_dir(&drafts)
    }

    fn path(&self, run: RunId, key: &Digest) -> PathBuf {
        self.dir.join(run.to_string()).join(format!("{key}.gz"))
    }

    fn put(&self, run: RunId, key: &Digest, text: &str) -> io::Result<()> {
        let path = self.path(run, key);
        let Some(folder) = path.parent() else { return Ok(()) };
        private::make_dir(folder)?;
        if path.exists() {
            // Whoever renamed it may not have come to this yet.
            return private::sync_dir(folder);
        }
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(text.as_bytes())?;
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        private::write(&self.dir.join("drafts").join(number.to_string()), &path, &packed.finish()?)
    }

    fn get(&self, run: RunId, key: &Digest) -> Result<Option<String>, String> {
        let file = match File::open(self.path(run, key)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.to_string()),
        };
        let mut text = String::new();
        GzDecoder::new(file)
            .take(LONGEST)
            .read_to_string(&mut text)
            .map_err(|e| format!("its file is damaged ({e})"))?;
        if Digest::of(text.as_bytes()) == *key { Ok(Some(text)) } else { Err("its file was altered".to_owned()) }
    }
}

impl Shared {
    fn prune(&self, before: Timestamp) -> io::Result<u64> {
        let mut pruned = 0;
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            // Anything else there, such as the drafts, is not a run's.
            let Some(run) = entry.file_name().to_str().and_then(|name| name.parse::<RunId>().ok()) else { continue };
            if asked_before(run, before) {
                fs::remove_dir_all(entry.path())?;
                pruned += 1;
            }
        }
        Ok(pruned)
    }
}

fn fault(run: RunId, key: &Digest, cause: impl std::fmt::Display) -> JournalError {
    JournalError::Io(format!("output `{}` of run {run}: {cause}", key.short(12)))
}

#[async_trait]
impl Outputs for FileOutputs {
    async fn put(&self, run: RunId, text: &str) -> Result<Digest, JournalError> {
        let key = Digest::of(text.as_bytes());
        let (shared, text) = (Arc::clone(&self.shared), text.to_owned());
        let written = tokio::task::spawn_blocking(move || shared.put(run, &key, &text)).await;
        match written {
            Ok(Ok(())) => Ok(key),
            Ok(Err(e)) => Err(fault(run, &key, e)),
            Err(e) => Err(fault(run, &key, e)),
        }
    }

    async fn get(&self, run: RunId, key: &Digest) -> Result<Option<Arc<str>>, JournalError> {
        let (shared, key) = (Arc::clone(&self.shared), *key);
        let read = tokio::task::spawn_blocking(move || shared.get(run, &key)).await;
        match read {
            Ok(Ok(text)) => Ok(text.map(Into::into)),
            Ok(Err(cause)) => Err(fault(run, &key, cause)),
            Err(e) => Err(fault(run, &key, e)),
        }
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, JournalError> {
        let shared = Arc::clone(&self.shared);
        let pruned = tokio::task::spawn_blocking(move || shared.prune(before)).await;
        let told = |cause: String| JournalError::Io(format!("the folder of the outputs: {cause}"));
        pruned.map_err(|e| told(e.to_string()))?.map_err(|e| told(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn run() -> RunId {
        RunId(ulid::Ulid(7))
    }

    #[tokio::test]
    async fn outputs_survive_reopening_and_are_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let text = "disk full\n".repeat(1000);
        let key = FileOutputs::open(folder.path()).unwrap().put(run(), &text).await.unwrap();
        let again = FileOutputs::open(folder.path()).unwrap();
        assert_eq!(again.get(run(), &key).await.unwrap().as_deref(), Some(text.as_str()));
        let path = again.shared.path(run(), &key);
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(fs::metadata(&path).unwrap().len() < 200, "it is kept compressed");
    }

    #[tokio::test]
    async fn a_pruned_output_is_none_and_a_damaged_one_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = FileOutputs::open(folder.path()).unwrap();
        let key = outputs.put(run(), "hello").await.unwrap();
        let path = outputs.shared.path(run(), &key);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            // Some header bytes, such as the time, mean nothing; the text never differs.
            if let Ok(text) = outputs.get(run(), &key).await {
                assert_eq!(text.as_deref(), Some("hello"), "byte {at}");
            }
        }
        fs::write(&path, &good[..good.len() - 3]).unwrap();
        let cause = outputs.get(run(), &key).await.unwrap_err().to_string();
        assert!(cause.contains("its file is damaged"), "{cause}");
        let other = outputs.put(run(), "other").await.unwrap();
        fs::copy(outputs.shared.path(run(), &other), &path).unwrap();
        assert!(outputs.get(run(), &key).await.unwrap_err().to_string().contains("its file was altered"));
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        assert_eq!(outputs.get(run(), &key).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_draft_left_by_a_crash_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = FileOutputs::open(folder.path()).unwrap();
        let draft = outputs.shared.dir.join("drafts").join("0");
        fs::write(&draft, "half").unwrap();
        let again = FileOutputs::open(folder.path()).unwrap();
        assert!(!draft.exists());
        let key = again.put(run(), "x").await.unwrap();
        assert_eq!(again.get(run(), &key).await.unwrap().as_deref(), Some("x"));
    }
}
