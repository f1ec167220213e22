//! Looks at a store without opening it: nothing of Muster's is made there, because who looks may be another user than
//! who serves.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSeen {
    /// It can be written, and nobody has it open. `new`: the folder will be made at the first start.
    Free { new: bool },
    /// A running Muster has it open.
    InUse,
    /// It cannot be written, and why.
    Unusable(String),
}

/// Whether the store in this folder could be opened. Writes one empty file there and removes it again.
#[must_use]
pub fn look(store: &Path) -> StoreSeen {
    if let Ok(lock) = File::open(store.join("lock")) {
        match lock.try_lock_shared() {
            // Given back when the file is closed.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return StoreSeen::InUse,
            Err(TryLockError::Error(e)) => return StoreSeen::Unusable(format!("its lock cannot be asked for: {e}")),
        }
    }
    let new = !store.exists();
    // The nearest folder that exists decides whether the rest can be made.
    let Some(folder) = store.ancestors().map(or_here).find(|folder| folder.exists()) else {
        return StoreSeen::Unusable("no folder above it exists".into());
    };
    if !folder.is_dir() {
        return StoreSeen::Unusable(format!("`{}` is no folder", folder.display()));
    }
    let draft = folder.join(format!(".muster-doctor-{}", std::process::id()));
    match OpenOptions::new().write(true).create_new(true).open(&draft).and_then(|_| fs::remove_file(&draft)) {
        Ok(()) => StoreSeen::Free { new },
        Err(e) => StoreSeen::Unusable(format!("nothing can be written to `{}`: {e}", folder.display())),
    }
}

fn or_here(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_leaves_nothing_behind_and_sees_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("a/store");
        assert_eq!(look(&store), StoreSeen::Free { new: true });
        assert!(!folder.path().join("a").exists());

        fs::create_dir_all(&store).unwrap();
        assert_eq!(look(&store), StoreSeen::Free { new: false });
        assert_eq!(fs::read_dir(&store).unwrap().count(), 0);

        let lock = File::create(store.join("lock")).unwrap();
        assert_eq!(look(&store), StoreSeen::Free { new: false });
        lock.try_lock().unwrap();
        assert_eq!(look(&store), StoreSeen::InUse);
        drop(lock);
        assert_eq!(look(&store), StoreSeen::Free { new: false }, "and holds nothing itself");

        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(look(&file.join("store")), StoreSeen::Unusable(why) if why.contains("is no folder")));
    }
}
